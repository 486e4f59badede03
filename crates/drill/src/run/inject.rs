//! Packets that the script sends to the host.

use core::net::IpAddr;

use thru_wire::checksum::PseudoHeader;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::ipv6::Ipv6;
use thru_wire::tcp::Flags;

use super::{Runner, Stop};
use crate::script::{Body, Ecn, IcmpSpec, IpSpec, OptionSpec, Packet, Quoted, TcpSpec};

impl Runner {
    pub(super) fn inject(&mut self, packet: &Packet) -> Result<(), Stop> {
        match &packet.body {
            Body::Tcp(tcp) => self.inject_tcp(packet, tcp),
            Body::Udp { ports, len } => self.inject_udp(packet, *ports, *len),
            Body::Icmp(icmp) => self.inject_icmp(packet, icmp),
        }
    }

    /// The flow that an inbound packet belongs to; the script opens one if it has to.
    fn flow_for(&mut self, ports: Option<(u16, u16)>) -> usize {
        if let Some((source, destination)) = ports {
            return self.flows.named((destination, source));
        }
        match self.flows.current() {
            Some(index) => index,
            None => self.flows.begin(self.kernel.bound_port.unwrap_or(self.settings.bind_port), None),
        }
    }

    fn inject_tcp(&mut self, packet: &Packet, tcp: &TcpSpec) -> Result<(), Stop> {
        let index = self.flow_for(tcp.ports);
        let syn = Flags(tcp.flags).syn();
        let Some(flow) = self.flows.get_mut(index) else { return Ok(()) };
        if syn {
            flow.remote_isn.get_or_insert(tcp.seq);
        }
        let seq = tcp.seq.wrapping_add(flow.remote_offset(syn));
        let (local_port, remote_port) = (flow.local_port, flow.remote_port);
        let ack = match tcp.ack {
            Some(ack) if tcp.ack_absolute => ack,
            Some(ack) if Flags(tcp.flags).ack() => flow.to_wire(ack, syn),
            Some(ack) => ack,
            // Not said: the number before all.
            None if Flags(tcp.flags).ack() => flow.to_wire(0, syn),
            None => 0,
        };
        let mut options = Vec::new();
        for option in tcp.options.iter().flatten() {
            let option = match option {
                OptionSpec::Timestamps { value, echo } => {
                    OptionSpec::Timestamps { value: *value, echo: echo.map(|echo| flow.echo_to_wire(echo)) }
                }
                OptionSpec::Sack(blocks) => OptionSpec::Sack(
                    blocks.iter().map(|(l, r)| (flow.to_wire(*l, syn), flow.to_wire(*r, syn))).collect(),
                ),
                other => other.clone(),
            };
            push_option(&mut options, &option);
        }
        while options.len() % 4 != 0 {
            options.push(0);
        }
        if options.len() > 40 {
            return Stop::fail("TCP options take more than 40 bytes");
        }
        let offset = ((20 + options.len()) / 4) as u16;
        let mut segment = Vec::with_capacity(20 + options.len() + usize::from(tcp.len));
        segment.extend(remote_port.to_be_bytes());
        segment.extend(local_port.to_be_bytes());
        segment.extend(seq.to_be_bytes());
        segment.extend(ack.to_be_bytes());
        segment.extend((offset << 12 | tcp.flags).to_be_bytes());
        segment.extend(tcp.window.unwrap_or(0).to_be_bytes());
        segment.extend([0, 0]);
        segment.extend(tcp.urgent.unwrap_or(0).to_be_bytes());
        segment.extend(options);
        let (src, dst) = (self.settings.remote, self.settings.local);
        let most = self.settings.gso_size.filter(|_| !syn).unwrap_or(usize::MAX);
        let mut packets = Vec::new();
        for (from, len) in pieces(usize::from(tcp.len), most) {
            let mut piece = segment.clone();
            piece[4..8].copy_from_slice(&seq.wrapping_add(from as u32).to_be_bytes());
            if from + len < usize::from(tcp.len) {
                // The last of them pushes and ends.
                piece[13] &= !(Flags::PSH.0 | Flags::FIN.0) as u8;
            }
            piece.extend(core::iter::repeat_n(0x61, len));
            set_checksum(&mut piece, 16, src, dst, Protocol::TCP);
            packets.push(ip_packet(src, dst, Protocol::TCP, &packet.ip, &piece));
        }
        self.deliver(packets);
        Ok(())
    }

    fn inject_udp(&mut self, packet: &Packet, ports: Option<(u16, u16)>, len: u16) -> Result<(), Stop> {
        let local = self.kernel.udp_port.or(self.kernel.bound_port).unwrap_or(self.settings.bind_port);
        let remote = self.kernel.udp_peer_port.unwrap_or(self.settings.connect_port);
        let (source, destination) = ports.unwrap_or((remote, local));
        let mut datagram = Vec::new();
        datagram.extend(source.to_be_bytes());
        datagram.extend(destination.to_be_bytes());
        datagram.extend((len + 8).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(core::iter::repeat_n(0x61, usize::from(len)));
        let (src, dst) = (self.settings.remote, self.settings.local);
        set_checksum(&mut datagram, 6, src, dst, Protocol::UDP);
        let bytes = ip_packet(src, dst, Protocol::UDP, &packet.ip, &datagram);
        self.deliver(vec![bytes]);
        Ok(())
    }

    /// An error about a packet of the host, or an echo.
    fn inject_icmp(&mut self, packet: &Packet, icmp: &IcmpSpec) -> Result<(), Stop> {
        let (src, dst) = (self.settings.remote, self.settings.local);
        let v6 = dst.is_ipv6();
        let Some((kind, code)) = icmp_numbers(v6, &icmp.kind, &icmp.code) else {
            return Stop::fail(format!("`icmp {} {}` is not an ICMP message", icmp.kind, icmp.code));
        };
        let echo = matches!((v6, kind), (false, 0 | 8) | (true, 128 | 129));
        let mut message = vec![kind, code, 0, 0];
        let rest = match (icmp.mtu, echo) {
            (_, true) => u32::from(icmp.id.unwrap_or(0)) << 16,
            (Some(mtu), _) => mtu,
            (None, _) => 0,
        };
        message.extend(rest.to_be_bytes());
        if !echo {
            message.extend(self.quote(icmp));
        }
        let protocol = if v6 { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
        if v6 {
            set_checksum(&mut message, 2, src, dst, protocol);
        } else {
            let sum = thru_wire::checksum::of(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let bytes = ip_packet(src, dst, protocol, &packet.ip, &message);
        self.deliver(vec![bytes]);
        Ok(())
    }

    /// The beginning of a packet the host could have sent.
    fn quote(&mut self, icmp: &IcmpSpec) -> Vec<u8> {
        let (src, dst) = (self.settings.local, self.settings.remote);
        let (protocol, upper, len) = match icmp.quoted {
            Quoted::Udp(len) => {
                let local = self.kernel.udp_port.unwrap_or(self.settings.bind_port);
                let remote = self.kernel.udp_peer_port.unwrap_or(self.settings.connect_port);
                let mut upper = Vec::new();
                upper.extend(local.to_be_bytes());
                upper.extend(remote.to_be_bytes());
                upper.extend((len + 8).to_be_bytes());
                upper.extend([0, 0]);
                (Protocol::UDP, upper, usize::from(len) + 8)
            }
            Quoted::Raw(len) => (Protocol(255), vec![0; 8], usize::from(len)),
            Quoted::Tcp { .. } | Quoted::Nothing => {
                let (seq, len) = match icmp.quoted {
                    Quoted::Tcp { seq, len } => (seq, len),
                    // What was too big for the path was at least as large as the path to it allows.
                    _ if icmp.mtu.is_some() => (0, self.settings.mtu.saturating_sub(40) as u16),
                    _ => (0, 0),
                };
                let index = self.flow_for(None);
                let flow = self.flows.get(index).cloned().unwrap_or_default();
                let mut upper = Vec::new();
                upper.extend(flow.local_port.to_be_bytes());
                upper.extend(flow.remote_port.to_be_bytes());
                upper.extend(flow.to_wire(seq, false).to_be_bytes());
                // The rest of the fixed header: some hosts quote it.
                upper.extend([0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
                (Protocol::TCP, upper, usize::from(len) + 20)
            }
        };
        let mut quoted = ip_packet(src, dst, protocol, &IpSpec::default(), &vec![0; len.max(upper.len())]);
        let header = quoted.len() - len.max(upper.len());
        quoted.truncate(header);
        quoted.extend(upper);
        quoted
    }
}

/// Where the pieces of `len` bytes begin, and how long they are, none longer than `most`; one of nothing for nothing.
fn pieces(len: usize, most: usize) -> Vec<(usize, usize)> {
    let count = len.div_ceil(most).max(1);
    (0..count).map(|index| (index.saturating_mul(most), most.min(len - index.saturating_mul(most)))).collect()
}

/// An IP packet around `payload`.
fn ip_packet(src: IpAddr, dst: IpAddr, protocol: Protocol, ip: &IpSpec, payload: &[u8]) -> Vec<u8> {
    let ecn = match ip.ecn {
        None | Some(Ecn::None) => 0,
        Some(Ecn::Ect1) => 1,
        Some(Ecn::Ect0 | Ecn::Ect) => 2,
        Some(Ecn::Ce) => 3,
    };
    let tos = ip.tos.unwrap_or(ecn);
    let mut bytes = Vec::with_capacity(40 + payload.len());
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut header = Ipv4::new(src, dst, protocol);
            header.dscp = tos >> 2;
            header.ecn = tos & 3;
            header.ttl = ip.ttl.unwrap_or(255);
            header.emit_into(payload.len(), &mut bytes);
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut header = Ipv6::new(src, dst, protocol);
            header.dscp = tos >> 2;
            header.ecn = tos & 3;
            header.hop_limit = ip.ttl.unwrap_or(255);
            header.flow_label = ip.flow_label.unwrap_or(0);
            header.emit_into(payload.len(), &mut bytes);
        }
        _ => {}
    }
    bytes.extend_from_slice(payload);
    bytes
}

fn set_checksum(message: &mut [u8], at: usize, src: IpAddr, dst: IpAddr, protocol: Protocol) {
    let mut sum = PseudoHeader::new(src, dst, protocol).sum(message.len());
    sum.add_bytes(message);
    message[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
}

fn push_option(out: &mut Vec<u8>, option: &OptionSpec) {
    let cookie = |out: &mut Vec<u8>, head: &[u8], cookie: &[u8]| {
        out.extend_from_slice(head);
        out.extend_from_slice(cookie);
    };
    match option {
        OptionSpec::Nop => out.push(1),
        OptionSpec::Eol => out.push(0),
        OptionSpec::Mss(mss) => {
            let [high, low] = mss.to_be_bytes();
            out.extend([2, 4, high, low]);
        }
        OptionSpec::WindowScale(shift) => out.extend([3, 3, *shift]),
        OptionSpec::SackPermitted => out.extend([4, 2]),
        OptionSpec::Sack(blocks) => {
            out.extend([5, 2 + 8 * blocks.len() as u8]);
            for (left, right) in blocks {
                out.extend(left.to_be_bytes());
                out.extend(right.to_be_bytes());
            }
        }
        OptionSpec::Timestamps { value, echo } => {
            out.extend([8, 10]);
            out.extend(value.unwrap_or(0).to_be_bytes());
            out.extend(echo.unwrap_or(0).to_be_bytes());
        }
        OptionSpec::FastOpen(bytes) => cookie(out, &[34, 2 + bytes.len() as u8], bytes),
        OptionSpec::FastOpenExperiment(bytes) => {
            cookie(out, &[254, 4 + bytes.len() as u8, 0xf9, 0x89], bytes)
        }
        OptionSpec::Md5(_) => out.extend([1; 18]),
        OptionSpec::AccEcn { ect1_first, counters } => {
            out.extend([if *ect1_first { 174 } else { 172 }, 2 + 3 * counters.len() as u8]);
            for counter in counters {
                out.extend(&counter.to_be_bytes()[1..]);
            }
        }
        OptionSpec::Raw(bytes) => out.extend_from_slice(bytes),
    }
}

/// Type and code of an ICMP message, by the words of a script.
pub(crate) fn icmp_numbers(v6: bool, kind: &str, code: &str) -> Option<(u8, u8)> {
    let place = |words: &[&str]| words.iter().position(|word| *word == code).map(|place| place as u8);
    let numbered = code.strip_prefix("code_").and_then(|number| number.parse().ok());
    let none = code.is_empty().then_some(0);
    let found = |kind: u8, words: &[&str]| Some((kind, place(words).or(numbered).or(none)?));
    if let Some(number) = kind.strip_prefix("type_") {
        return found(number.parse().ok()?, &[]);
    }
    if v6 {
        return match kind {
            "unreachable" => found(
                1,
                &[
                    "no_route",
                    "admin_prohibited",
                    "not_neighbour",
                    "address_unreachable",
                    "port_unreachable",
                    "source_address_failed_policy",
                    "reject_route",
                ],
            ),
            "packet_too_big" => found(2, &[]),
            "time_exceeded" => {
                let words = &["exceeded_hop_limit", "exceeded_frag_time"];
                let other = &["ttl_exceeded_in_transit", "frag_reass_exceeded"];
                found(3, words).or_else(|| found(3, other))
            }
            "parameter_problem" => found(4, &["header_field", "unknown_next_header", "unknown_option"]),
            "echo_request" => found(128, &[]),
            "echo_reply" => found(129, &[]),
            "router_solicitation" => found(133, &[]),
            "router_advertisement" => found(134, &[]),
            "neighbor_solicitation" => found(135, &[]),
            "neighbor_advertisement" => found(136, &[]),
            _ => None,
        };
    }
    match kind {
        "echo_reply" => found(0, &[]),
        "unreachable" => found(
            3,
            &[
                "net_unreachable",
                "host_unreachable",
                "protocol_unreachable",
                "port_unreachable",
                "frag_needed",
                "source_route_failed",
                "net_unknown",
                "host_unknown",
                "source_host_isolated",
                "net_prohibited",
                "host_prohibited",
                "net_unreachable_for_tos",
                "host_unreachable_for_tos",
                "packet_filtered",
                "precedence_violation",
                "precedence_cutoff",
            ],
        ),
        "source_quench" => found(4, &[]),
        "redirect" => found(5, &[]),
        "echo_request" => found(8, &[]),
        "time_exceeded" => {
            let other = &["exceeded_hop_limit", "exceeded_frag_time"];
            found(11, &["ttl_exceeded_in_transit", "frag_reass_exceeded"]).or_else(|| found(11, other))
        }
        "parameter_problem" => found(12, &[]),
        "timestamp_request" => found(13, &[]),
        "timestamp_reply" => found(14, &[]),
        "information_request" => found(15, &[]),
        "information_reply" => found(16, &[]),
        "address_mask_request" => found(17, &[]),
        "address_mask_reply" => found(18, &[]),
        _ => None,
    }
}
