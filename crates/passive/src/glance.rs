//! What one dissected packet says, as far as a diagnosis needs it: one walk over its tree.

use std::net::IpAddr;

use thru_dissect::{Field, Tree, Value};

/// Longer words from the network are cut.
const WORDS_MAX: usize = 1024;
/// Messages of one packet beyond this are not looked at: a packet with more of them is made to cost time.
const MESSAGES_MAX: usize = 256;

/// The extension `status_request` (RFC 6066 8).
const STATUS_REQUEST: u64 = 5;
/// So many bytes of a body show how it is packed.
const SAMPLE_MAX: usize = 256;

/// One packet.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) ttl: u8,
    /// IPv4's identification.
    pub(crate) ip_id: Option<u16>,
    pub(crate) transport: Transport,
    /// Set if this is an ICMP error: the packet it quotes.
    pub(crate) quoted: Option<Quoted>,
    pub(crate) messages: Vec<Message>,
    /// Where in the frame the innermost IP header begins, and its version.
    pub(crate) ip_at: Option<(usize, u8)>,
    /// Who sent it on the link.
    pub(crate) mac: Option<[u8; 6]>,
    /// The capture kept only a part of it.
    pub(crate) cut: bool,
    /// Bytes that were deciphered, in order.
    pub(crate) plain: Vec<Vec<u8>>,
}

/// What is above IP.
#[derive(Debug, Default)]
pub(crate) enum Transport {
    #[default]
    None,
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    /// Who has (`true`) or is (`false`) this address: ARP, or neighbour discovery.
    Neighbour {
        asks: bool,
        address: IpAddr,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tcp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) len: u32,
    /// As it stands in the header.
    pub(crate) window: u32,
    pub(crate) scale: Option<u8>,
    pub(crate) mss: Option<u16>,
    pub(crate) tsval: Option<u32>,
    pub(crate) tsecr: Option<u32>,
    /// Where the first block of selective acknowledgements begins (RFC 2018).
    pub(crate) sack: Option<u32>,
    /// Bytes of payload that were kept.
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Udp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) len: u16,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Icmp {
    pub(crate) v6: bool,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) ident: u16,
    pub(crate) seq: u16,
}

impl Icmp {
    pub(crate) fn is_error(&self) -> bool {
        if self.v6 { self.kind < 128 } else { matches!(self.kind, 3 | 4 | 5 | 11 | 12) }
    }

    pub(crate) fn is_echo_request(&self) -> bool {
        self.kind == if self.v6 { 128 } else { 8 }
    }

    pub(crate) fn is_echo_reply(&self) -> bool {
        self.kind == if self.v6 { 129 } else { 0 }
    }
}

/// The packet that an ICMP error is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quoted {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) protocol: u8,
    pub(crate) ports: (u16, u16),
}

/// A message of a protocol above.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Dns(Dns),
    /// A TLS record: its type on the outside, its length, and its type inside, if it was deciphered.
    Record {
        kind: u8,
        len: u16,
        inner: Option<u8>,
    },
    Handshake(Handshake),
    /// What an alert says.
    Alert(u8),
    Dhcp {
        kind: u8,
        id: u32,
    },
    Quic(Quic),
    Http2(Http2),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Dns {
    pub(crate) id: u16,
    pub(crate) response: bool,
    pub(crate) rcode: u16,
    pub(crate) truncated: bool,
    pub(crate) recursion: bool,
    pub(crate) unchecked: bool,
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) answers: u16,
    pub(crate) addresses: Vec<IpAddr>,
    /// From and to.
    pub(crate) aliases: Vec<(String, String)>,
    pub(crate) extended: Vec<u16>,
    pub(crate) has_soa: bool,
    /// It carries EDNS (RFC 6891).
    pub(crate) edns: bool,
    owner: String,
}

impl Dns {
    /// Records are announced in an answer that says that all is well, and not one of them can be read.
    pub(crate) fn is_noise(&self) -> bool {
        self.rcode == 0
            && !self.truncated
            && self.answers > 0
            && self.addresses.is_empty()
            && self.aliases.is_empty()
            && !self.lacks_addresses()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    pub(crate) kind: u8,
    pub(crate) version: u16,
    pub(crate) versions: Vec<u16>,
    pub(crate) suite: Option<u16>,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Vec<String>,
    pub(crate) certificates: Vec<Vec<u8>>,
    /// It asks for, or holds, what a certificate's issuer says of it today (RFC 6066 8, RFC 8446 4.4.2.1).
    pub(crate) status: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Quic {
    /// A long header's type (0 Initial, 1 0-RTT, 2 Handshake, 3 Retry); `None`: a short header.
    pub(crate) long: Option<u8>,
    pub(crate) version: u32,
    /// The frame that ends a connection: its error code.
    pub(crate) closes: Option<u64>,
    pub(crate) alert: Option<u8>,
    pub(crate) versions_offered: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Http2 {
    pub(crate) stream: u64,
    /// Bytes of a body in this frame.
    pub(crate) data: u64,
    /// The first of them.
    pub(crate) sample: Vec<u8>,
    /// It is the stream's last frame.
    pub(crate) ends: bool,
    /// The sender gives the stream up.
    pub(crate) resets: bool,
    /// Why a stream is given up (RFC 9113 7, RFC 9114 8.1).
    pub(crate) error: Option<u64>,
    /// The sender ends the connection: why, and the last stream that it still answers (RFC 9113 6.8).
    pub(crate) goes_away: Option<(u64, u64)>,
    pub(crate) status: Option<u16>,
    pub(crate) method: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// HTTP/3 instead.
    pub(crate) is_3: bool,
}

impl Dns {
    /// Whether it says that there is no address: it announces no records, or all that it announces are aliases.
    pub(crate) fn lacks_addresses(&self) -> bool {
        self.addresses.is_empty() && usize::from(self.answers) <= self.aliases.len()
    }
}

impl Http2 {
    /// Whether it is no head, and gives nothing up.
    pub(crate) fn is_only_data(&self) -> bool {
        self.status.is_none()
            && self.method.is_none()
            && self.headers.is_empty()
            && !self.resets
            && self.goes_away.is_none()
    }
}

impl Glance {
    /// Takes what the headers announce where the capture kept less: `original` is the packet's length on the wire.
    pub(crate) fn complete(&mut self, frame: &[u8], original: u32) {
        self.cut = frame.len() < original as usize;
        let (Some((start, version)), Transport::Tcp(tcp)) = (self.ip_at, &mut self.transport) else { return };
        let Some(ip) = frame.get(start..).filter(|_| self.cut) else { return };
        let word =
            |at: usize| ip.get(at..at + 2).map_or(0, |pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
        let on_wire = original.saturating_sub(start as u32);
        // Super-segments may be longer than the field can say; it is 0 then.
        let announced = match (version, word(2), word(4)) {
            (4, 0, _) | (6, _, 0) => on_wire,
            (4, total, _) => total.min(on_wire),
            (_, _, payload) => (payload + 40).min(on_wire),
        };
        let below = if version == 4 { usize::from(ip.first().map_or(0, |byte| byte & 15)) * 4 } else { 40 };
        match ip.get(below..below + 20) {
            Some(header) => {
                let own = u32::from(header[12] >> 4) * 4;
                tcp.len = announced.saturating_sub(below as u32 + own);
            }
            // Of such a segment nothing is known for sure.
            None => self.transport = Transport::None,
        }
    }

    /// Walks over the tree once.
    pub(crate) fn of(tree: &Tree<'_>) -> Glance {
        let mut walk = Walk { tree, glance: Glance::default(), in_quote: false, told_sources: 0 };
        for field in tree.fields() {
            walk.field(field);
        }
        let (mut glance, told) = (walk.glance, walk.told_sources);
        for (place, source) in tree.sources().iter().enumerate() {
            let is_told = 1u128.checked_shl(place as u32 + 1).is_none_or(|bit| told & bit != 0);
            if source.name == "Decrypted TLS" && !is_told {
                glance.plain.push(source.bytes.clone());
            }
        }
        glance
    }

    /// The innermost ends, if this is TCP or UDP.
    pub(crate) fn ends(&self) -> Option<((IpAddr, u16), (IpAddr, u16))> {
        let (src, dst) = (self.src?, self.dst?);
        match &self.transport {
            Transport::Tcp(tcp) => Some(((src, tcp.src_port), (dst, tcp.dst_port))),
            Transport::Udp(udp) => Some(((src, udp.src_port), (dst, udp.dst_port))),
            _ => None,
        }
    }
}

struct Walk<'t, 'a> {
    tree: &'t Tree<'a>,
    glance: Glance,
    in_quote: bool,
    /// Deciphered sources that hold handshake messages and alerts, as bits.
    told_sources: u128,
}

impl Walk<'_, '_> {
    fn number(&self, field: &Field) -> u64 {
        match self.tree.value(field) {
            Value::Uint(number) => number,
            Value::Bool(yes) => u64::from(yes),
            Value::Int(number) => number.max(0) as u64,
            _ => 0,
        }
    }

    fn address(&self, field: &Field) -> Option<IpAddr> {
        match self.tree.value(field) {
            Value::Address(address) => Some(address),
            _ => None,
        }
    }

    fn words(&self, field: &Field) -> String {
        match self.tree.value(field) {
            Value::Text(bytes) | Value::Bytes(bytes) => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(WORDS_MAX)]).into_owned()
            }
            _ => String::new(),
        }
    }

    fn push(&mut self, message: Message) {
        if self.glance.messages.len() < MESSAGES_MAX {
            self.glance.messages.push(message);
        }
    }

    fn field(&mut self, field: &Field) {
        let name = field.def.name;
        let Some((protocol, _)) = name.split_once('.') else {
            if matches!(name, "ip" | "ipv6") && field.source == 0 && field.depth == 0 && !self.in_quote {
                self.glance.ip_at = Some((field.start as usize, if name == "ip" { 4 } else { 6 }));
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
            "eth" | "sll" if matches!(name, "eth.src" | "sll.src.eth") => {
                if let Value::Ether(mac) = self.tree.value(field) {
                    self.glance.mac = Some(mac);
                }
            }
            "dns" => self.dns(name, field),
            "tls" => self.tls(name, field),
            "dhcp" => self.dhcp(name, field),
            "quic" => self.quic(name, field),
            "http2" | "http3" => self.http2(name, field),
            _ => {}
        }
    }

    fn network(&mut self, name: &str, field: &Field) {
        match name {
            "ip.src" | "ipv6.src" if !field.is_hidden() => self.glance.src = self.address(field),
            "ip.dst" | "ipv6.dst" if !field.is_hidden() => self.glance.dst = self.address(field),
            "ip.ttl" | "ipv6.hlim" => self.glance.ttl = self.number(field) as u8,
            "ip.id" => self.glance.ip_id = Some(self.number(field) as u16),
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

    fn dns(&mut self, name: &str, field: &Field) {
        if name == "dns.id" {
            let id = self.number(field) as u16;
            return self.push(Message::Dns(Dns { id, ..Dns::default() }));
        }
        let (number, address) = (self.number(field), self.address(field));
        let words = match name {
            "dns.qry.name" | "dns.resp.name" | "dns.cname" => self.words(field).to_ascii_lowercase(),
            _ => String::new(),
        };
        let Some(Message::Dns(dns)) = self.glance.messages.last_mut() else { return };
        match name {
            "dns.flags.response" => dns.response = number != 0,
            "dns.flags.rcode" => dns.rcode = number as u16,
            "dns.flags.truncated" => dns.truncated = number != 0,
            "dns.flags.recdesired" => dns.recursion = number != 0,
            "dns.flags.checkdisable" => dns.unchecked = number != 0,
            "dns.count.answers" => dns.answers = number as u16,
            "dns.qry.name" if dns.name.is_empty() => dns.name = words,
            "dns.qry.type" if dns.kind == 0 => dns.kind = number as u16,
            "dns.resp.name" => dns.owner = words,
            "dns.a" | "dns.aaaa" => {
                // Glue for name servers is no answer to the question.
                let asked = dns.owner == dns.name || dns.aliases.iter().any(|(_, to)| *to == dns.owner);
                if asked && dns.addresses.len() < 64 {
                    dns.addresses.extend(address);
                }
            }
            "dns.cname" if dns.aliases.len() < 64 => dns.aliases.push((dns.owner.clone(), words)),
            "dns.opt.ext_error.info_code" => dns.extended.push(number as u16),
            "dns.soa.mname" => dns.has_soa = true,
            "dns.rr.udp_payload_size" => dns.edns = true,
            _ => {}
        }
    }

    fn tls(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        if field.source > 0 && matches!(name, "tls.handshake" | "tls.alert_message") {
            self.told_sources |= 1u128.checked_shl(u32::from(field.source)).unwrap_or(0);
        }
        match name {
            "tls.record.content_type" if field.is_generated() => {
                if let Some(Message::Record { inner, .. }) = self.glance.messages.last_mut() {
                    *inner = Some(number as u8);
                }
                return;
            }
            "tls.record.content_type" | "tls.record.opaque_type" => {
                return self.push(Message::Record { kind: number as u8, len: 0, inner: None });
            }
            "tls.record.length" => {
                if let Some(Message::Record { len, .. }) = self.glance.messages.last_mut() {
                    *len = number as u16;
                }
                return;
            }
            "tls.handshake.type" => {
                let kind = number as u8;
                return self.push(Message::Handshake(Handshake { kind, ..Handshake::default() }));
            }
            "tls.alert_message.level" => return self.push(Message::Alert(0)),
            "tls.alert_message.desc" => {
                if let Some(Message::Alert(desc)) = self.glance.messages.last_mut() {
                    *desc = number as u8;
                }
                return;
            }
            _ => {}
        }
        let words = match name {
            "tls.handshake.extensions_server_name" | "tls.handshake.extensions_alpn_str" => self.words(field),
            _ => String::new(),
        };
        let der = if name == "tls.handshake.certificate" { self.tree.bytes(field) } else { &[] };
        let Some(Message::Handshake(message)) = self.glance.messages.last_mut() else { return };
        match name {
            "tls.handshake.version" => message.version = number as u16,
            "tls.handshake.extensions.supported_version" => message.versions.push(number as u16),
            "tls.handshake.ciphersuite" if message.kind == 2 => message.suite = Some(number as u16),
            "tls.handshake.extensions_server_name" => message.server_name = Some(words.to_ascii_lowercase()),
            "tls.handshake.extensions_alpn_str" => message.alpn.push(words),
            "tls.handshake.extension.type" => message.status |= number == STATUS_REQUEST,
            "tls.handshake.certificate" if message.certificates.len() < 16 => {
                message.certificates.push(der.to_vec());
            }
            _ => {}
        }
    }

    fn dhcp(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        match name {
            "dhcp.id" => self.push(Message::Dhcp { kind: 0, id: number as u32 }),
            "dhcp.option.dhcp" => {
                if let Some(Message::Dhcp { kind, .. }) = self.glance.messages.last_mut() {
                    *kind = number as u8;
                }
            }
            _ => {}
        }
    }

    fn quic(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        if name == "quic.header_form" {
            return self.push(Message::Quic(Quic::default()));
        }
        let last = self.glance.messages.iter_mut().rev().find_map(|message| match message {
            Message::Quic(quic) => Some(quic),
            _ => None,
        });
        let Some(quic) = last else { return };
        match name {
            "quic.version" => quic.version = number as u32,
            "quic.long.packet_type" => quic.long = Some(number as u8),
            // Version 2 counts the types from another start (RFC 9369 3.2).
            "quic.long.packet_type_v2" => quic.long = Some((number as u8 + 3) % 4),
            "quic.cc.error_code" | "quic.cc.error_code.app" => quic.closes = Some(number),
            "quic.cc.error_code.tls_alert" => quic.alert = Some(number as u8),
            "quic.supported_version" => quic.versions_offered = true,
            // A request that is given up: streams of other kinds carry none (RFC 9000 2.1).
            "quic.rsts.stream_id" if number.is_multiple_of(4) => {
                self.push(Message::Http2(Http2 { is_3: true, resets: true, ..Http2::default() }));
            }
            "quic.rsts.application_error_code" => {
                if let Some(Message::Http2(http3)) = self.glance.messages.last_mut()
                    && http3.resets
                {
                    http3.error = Some(number);
                }
            }
            _ => {}
        }
    }

    fn http2(&mut self, name: &str, field: &Field) {
        let number = self.number(field);
        let is_3 = name.starts_with("http3.");
        let Some((_, rest)) = name.split_once('.') else { return };
        if rest == if is_3 { "frame_type" } else { "length" } {
            return self.push(Message::Http2(Http2 { is_3, ..Http2::default() }));
        }
        let words = if rest.starts_with("header") { self.words(field) } else { String::new() };
        let sample = if rest.starts_with("data") { self.tree.bytes(field) } else { &[] };
        let sample = sample[..sample.len().min(SAMPLE_MAX)].to_vec();
        let last = self.glance.messages.iter_mut().rev().find_map(|message| match message {
            Message::Http2(http2) => Some(http2),
            _ => None,
        });
        let Some(message) = last else { return };
        match rest {
            "streamid" => message.stream = number,
            "flags.end_stream" => message.ends = number != 0,
            "data.data" | "data" => {
                message.data += u64::from(field.len);
                if message.sample.is_empty() {
                    message.sample = sample;
                }
            }
            "rst_stream.error" => (message.resets, message.error) = (true, Some(number)),
            "goaway.last_stream_id" => message.goes_away = Some((0, number)),
            "goaway.error" => {
                let last = message.goes_away.map_or(0, |(_, last)| last);
                message.goes_away = Some((number, last));
            }
            "headers.status" => {
                message.status = if number > 0 { Some(number as u16) } else { words.parse().ok() };
            }
            "headers.method" => message.method = Some(words),
            "headers.authority" => message.authority = Some(words),
            "headers.path" => message.path = Some(words),
            "header.name" | "headers.header.name" if message.headers.len() < 100 => {
                message.headers.push((words.to_ascii_lowercase(), String::new()));
            }
            "header.value" | "headers.header.value" => {
                if let Some((_, value)) = message.headers.last_mut() {
                    *value = words;
                }
            }
            _ => {}
        }
    }
}
