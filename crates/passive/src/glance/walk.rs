//! The walk over a packet's tree: headers up to TCP, UDP and ICMP, and what an error quotes.

use std::net::IpAddr;

use thru_dissect::{Field, Tree, Value};

use super::{Glance, Icmp, MESSAGES_MAX, Message, Quoted, Tcp, Transport, Udp, WORDS_MAX};

/// A walk under way.
pub(super) struct Walk<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    pub(super) glance: Glance,
    in_quote: bool,
    /// Deciphered sources that hold handshake messages and alerts, as bits.
    pub(super) told_sources: u128,
    /// The message of TLS or DNS that is being read: where it begins, and its bytes.
    pub(super) message: (u32, &'a [u8]),
}

impl<'t, 'a> Walk<'t, 'a> {
    pub(super) fn new(tree: &'t Tree<'a>) -> Walk<'t, 'a> {
        Walk { tree, glance: Glance::default(), in_quote: false, told_sources: 0, message: (0, &[]) }
    }

    pub(super) fn number(&self, field: &Field) -> u64 {
        match self.tree.value(field) {
            Value::Uint(number) => number,
            Value::Bool(yes) => u64::from(yes),
            Value::Int(number) => number.max(0) as u64,
            _ => 0,
        }
    }

    pub(super) fn address(&self, field: &Field) -> Option<IpAddr> {
        match self.tree.value(field) {
            Value::Address(address) => Some(address),
            _ => None,
        }
    }

    pub(super) fn words(&self, field: &Field) -> String {
        match self.tree.value(field) {
            Value::Text(bytes) | Value::Bytes(bytes) => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(WORDS_MAX)]).into_owned()
            }
            _ => String::new(),
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        if self.glance.messages.len() < MESSAGES_MAX {
            self.glance.messages.push(message);
        }
    }

    pub(super) fn field(&mut self, field: &Field) {
        let name = field.def.name;
        let Some((protocol, _)) = name.split_once('.') else {
            if matches!(name, "ip" | "ipv6") && field.source == 0 && field.depth == 0 && !self.in_quote {
                self.glance.ip_at = Some((field.start as usize, if name == "ip" { 4 } else { 6 }));
            }
            if name == "dns" {
                self.message = (field.start, self.tree.bytes(field));
            }
            return;
        };
        if self.in_quote {
            return self.quoted(name, field);
        }
        match protocol {
            "ip" | "ipv6" => self.network(name, field),
            "tcp" => self.tcp(name, field),
            "udp" => self.udp(name, field),
            "icmp" | "icmpv6" => self.icmp(name, field),
            "arp" => self.arp(name, field),
            "eth" | "sll" => self.link(name, field),
            "dns" => self.dns(name, field),
            "tls" => self.tls(name, field),
            "dhcp" => self.dhcp(name, field),
            "quic" => self.quic(name, field),
            "http2" | "http3" => self.http2(name, field),
            _ => {}
        }
    }

    fn link(&mut self, name: &str, field: &Field) {
        match (name, self.tree.value(field)) {
            ("eth.src" | "sll.src.eth", Value::Ether(mac)) => self.glance.mac = Some(mac),
            ("eth.dst", Value::Ether(mac)) => self.glance.to_mac = Some(mac),
            ("sll.pkttype", Value::Uint(kind)) => self.glance.cooked = Some(kind as u8),
            _ => {}
        }
    }

    fn network(&mut self, name: &str, field: &Field) {
        match name {
            "ip.src" | "ipv6.src" if !field.is_hidden() => self.glance.src = self.address(field),
            "ip.dst" | "ipv6.dst" if !field.is_hidden() => self.glance.dst = self.address(field),
            "ip.ttl" | "ipv6.hlim" => self.glance.ttl = self.number(field) as u8,
            "ip.id" => self.glance.ip_id = Some(self.number(field) as u16),
            "ip.flags.mf" | "ipv6.fraghdr.more" => self.glance.first_fragment = self.number(field) != 0,
            "ip.frag_offset" | "ipv6.fraghdr.offset" if self.number(field) != 0 => {
                (self.glance.first_fragment, self.glance.later_fragment) = (false, true);
            }
            _ => {}
        }
    }

    fn tcp(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        if name == "tcp.srcport" {
            self.glance.transport = Transport::Tcp(Tcp { src_port: number as u16, ..Tcp::default() });
            return;
        }
        let payload = if name == "tcp.payload" { self.tree.bytes(field) } else { &[] };
        let edge = (name == "tcp.options.sack_le").then(|| self.tree.bytes(field));
        let edge = edge.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let Transport::Tcp(tcp) = &mut self.glance.transport else { return };
        match name {
            "tcp.dstport" => tcp.dst_port = number as u16,
            "tcp.len" => tcp.len = number as u32,
            "tcp.seq_raw" => tcp.seq = number as u32,
            "tcp.ack_raw" => tcp.ack = number as u32,
            "tcp.flags" => tcp.flags = number as u16,
            "tcp.window_size_value" => tcp.window = number as u32,
            "tcp.options.md5.digest" | "tcp.options.ao.mac" => tcp.signed = true,
            "tcp.options.mss_val" => tcp.mss = Some(number as u16),
            "tcp.options.wscale.shift" => tcp.scale = Some(number as u8),
            "tcp.options.timestamp.tsval" => tcp.tsval = Some(number as u32),
            "tcp.options.timestamp.tsecr" => tcp.tsecr = Some(number as u32).filter(|_| number != 0),
            "tcp.options.sack_le" if tcp.sack.is_none() => tcp.sack = edge,
            "tcp.payload" => tcp.payload = payload.to_vec(),
            _ => {}
        }
    }

    fn udp(&mut self, name: &str, field: &Field) {
        let number = self.number(field) as u16;
        if name == "udp.srcport" {
            self.glance.transport = Transport::Udp(Udp { src_port: number, ..Udp::default() });
            return;
        }
        let Transport::Udp(udp) = &mut self.glance.transport else { return };
        match name {
            "udp.dstport" => udp.dst_port = number,
            "udp.length" => udp.len = number,
            _ => {}
        }
    }

    fn icmp(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        match name {
            "icmp.type" | "icmpv6.type" => {
                let icmp = Icmp { v6: name == "icmpv6.type", kind: number as u8, ..Icmp::default() };
                self.glance.transport = Transport::Icmp(icmp);
                return;
            }
            "icmpv6.nd.ns.target_address" | "icmpv6.nd.na.target_address" => {
                if let Some(address) = self.address(field) {
                    let asks = name == "icmpv6.nd.ns.target_address";
                    // Duplicate address detection asks for an address that nobody should have (RFC 4862 5.4).
                    let asks_for_itself = self.glance.src.is_some_and(|src| src.is_unspecified());
                    if !(asks && asks_for_itself) {
                        self.glance.transport = Transport::Neighbour { asks, address };
                    }
                }
                return;
            }
            _ => {}
        }
        let Transport::Icmp(icmp) = &mut self.glance.transport else { return };
        match name {
            "icmp.code" | "icmpv6.code" => {
                icmp.code = number as u8;
                if icmp.is_error() {
                    // What comes from here on is the packet that the error is about.
                    self.in_quote = true;
                    self.glance.quoted = Some(Quoted::default());
                }
            }
            "icmp.ident" | "icmpv6.echo.identifier" => icmp.ident = number as u16,
            "icmp.seq" | "icmpv6.echo.sequence_number" => icmp.seq = number as u16,
            _ => {}
        }
    }

    fn quoted(&mut self, name: &str, field: &Field) {
        let (number, address) = (self.number(field), self.address(field));
        let Some(quote) = &mut self.glance.quoted else { return };
        match name {
            "ip.src" | "ipv6.src" if quote.src.is_none() => quote.src = address,
            "ip.dst" | "ipv6.dst" if quote.dst.is_none() => quote.dst = address,
            "tcp.srcport" => (quote.protocol, quote.ports.0) = (6, number as u16),
            "udp.srcport" => (quote.protocol, quote.ports.0) = (17, number as u16),
            "tcp.dstport" | "udp.dstport" => quote.ports.1 = number as u16,
            "icmp.ident" | "icmpv6.echo.identifier" => (quote.protocol, quote.ports.0) = (1, number as u16),
            "icmp.seq" | "icmpv6.echo.sequence_number" => quote.ports.1 = number as u16,
            _ => {}
        }
    }

    fn arp(&mut self, name: &str, field: &Field) {
        let address = self.address(field);
        match (name, address) {
            ("arp.opcode", _) => {
                let asks = self.number(field) == 1;
                self.glance.transport = Transport::Neighbour { asks, address: [0, 0, 0, 0].into() };
            }
            ("arp.src.proto_ipv4", Some(sender)) => {
                self.glance.src = Some(sender);
                if let Transport::Neighbour { asks: false, address } = &mut self.glance.transport {
                    *address = sender;
                }
            }
            ("arp.dst.proto_ipv4", Some(target)) => {
                if let Transport::Neighbour { asks: true, address } = &mut self.glance.transport {
                    *address = target;
                }
                // A probe, or somebody who tells of himself, asks nobody (RFC 5227).
                let nobody = self.glance.src.is_some_and(|src| src.is_unspecified() || src == target);
                if nobody && matches!(self.glance.transport, Transport::Neighbour { asks: true, .. }) {
                    self.glance.transport = Transport::None;
                }
            }
            _ => {}
        }
    }
}
