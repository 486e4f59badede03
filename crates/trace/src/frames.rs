//! Which frames stand behind which span, and what a frame says of itself.
//!
//! A span names its flow by values (`tcp.local`, `tcp.remote`, `dns.server`, `ping.target`, `hop.address`), or
//! inherits it from the span it is a part of, or from the connection made before it. A frame stands behind the span if
//! it belongs to that flow, or is an ICMP error about it, within the span's time, as seen on the link nearest to the
//! asking host.

use crate::{Layer, Packet, PacketFate, Span, Trace, Value};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use thru_wire::ethernet::{EtherType, EthernetView};
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::ipv6::Ipv6View;
use thru_wire::tcp::{Flags, TcpView};

/// So many frames from the start of a flow are listed...
const FIRST: usize = 6;
/// ...and so many from its end; their number stands in the value `frames.count` when some are left out.
const LAST: usize = 4;

/// How the comment of a captured packet begins that belongs to a check ([`checks`]).
pub const CHECK: &str = "check ";

/// Fills [`Span::frames`] from the captured packets: for each span that has a flow, the first and last few frames of
/// that flow within the span's time. Frames that were dropped on their way to the asking host are left out: it never
/// saw them.
pub fn attach_frames(trace: &mut Trace) {
    if trace.packets.is_empty() {
        return;
    }
    let looks: Vec<(usize, Look)> = trace
        .packets
        .iter()
        .enumerate()
        .filter_map(|(place, packet)| Some((place, look(&packet.bytes)?)))
        .collect();
    let mut found: Vec<Vec<u64>> = trace.spans.iter().map(|span| frames_of(trace, span, &looks)).collect();
    gather(trace, &mut found);
    for (span, frames) in trace.spans.iter_mut().zip(found) {
        if frames.is_empty() {
            continue;
        }
        if frames.len() > FIRST + LAST {
            span.values.insert(String::from("frames.count"), Value::from(frames.len()));
            span.frames = [&frames[..FIRST], &frames[frames.len() - LAST..]].concat();
        } else {
            span.frames = frames;
        }
    }
}

/// A span without a flow of its own, a check or a whole lookup, stands on the frames of its parts.
fn gather(trace: &Trace, found: &mut [Vec<u64>]) {
    let own: Vec<bool> = found.iter().map(|frames| !frames.is_empty()).collect();
    // Parts come after what they are a part of, so going backwards each part is whole before its parent needs it.
    for place in (0..found.len()).rev() {
        let span = &trace.spans[place];
        let parent = span.parent.map(|parent| parent.0 as usize).filter(|&parent| parent < place);
        if let Some(parent) = parent.filter(|&parent| !own[parent]) {
            let frames = found[place].clone();
            found[parent].extend(frames);
        }
    }
    for frames in found {
        frames.sort_unstable();
        frames.dedup();
    }
}

fn frames_of(trace: &Trace, span: &Span, looks: &[(usize, Look)]) -> Vec<u64> {
    let Some(flow) = Flow::of(trace, span) else { return Vec::new() };
    // Hops are written down after the whole way was probed.
    let (start, end) = match span.parent.and_then(|parent| trace.span(parent)) {
        Some(route) if span.what == "hop" => (route.start, route.end),
        _ => (span.start, span.end),
    };
    let in_vain = span.what == "connect" && span.failed_with("tcp.timeout") && end > start;
    let matching: Vec<(&Packet, &Look)> = looks
        .iter()
        .map(|(place, look)| (&trace.packets[*place], look))
        // What left at the moment in which a wait in vain ended belongs to what came next.
        .filter(|(packet, _)| (start..=end).contains(&packet.at) && !(packet.at == end && in_vain))
        .filter(|(packet, look)| {
            flow.has(look) && !(flow.is_inbound(look) && packet.fate != PacketFate::Passed)
        })
        .collect();
    // The same packet is seen on every tapped link it crosses. What leaves the asking host is seen first on its own.
    let nearest = matching
        .iter()
        .filter(|(_, look)| !flow.is_inbound(look))
        .min_by_key(|(packet, _)| (packet.at, packet.number))
        .or_else(|| matching.iter().max_by_key(|(packet, _)| (packet.at, packet.number)))
        .map(|(packet, _)| packet.interface);
    matching
        .iter()
        .filter(|(packet, _)| Some(packet.interface) == nearest)
        .map(|(packet, _)| packet.number)
        .collect()
}

/// Whether a frame belongs to the flow of a span or, if it has none, of its parts; `None` when there is no flow, or the
/// frame cannot be read.
pub fn belongs(trace: &Trace, span: &Span, packet: &Packet) -> Option<bool> {
    let look = look(&packet.bytes)?;
    if let Some(flow) = Flow::of(trace, span) {
        return Some(flow.has(&look));
    }
    let parts = trace
        .spans
        .iter()
        .filter(|part| part.id > span.id && trace.within(part, |around| around.id == span.id));
    let flows: Vec<Flow> = parts.filter_map(|part| Flow::of(trace, part)).collect();
    (!flows.is_empty()).then(|| flows.iter().any(|flow| flow.has(&look)))
}

/// Which packets belong to a check and not to the request itself: the packet's number, and the check as
/// `NUMBER KIND` of its span. Only connections whose both ends are known are told, and that nothing else used.
pub fn checks(trace: &Trace) -> BTreeMap<u64, String> {
    let whole = |span: &Span| match Flow::of(trace, span) {
        Some(flow @ Flow::Sockets { local: Some(_), .. }) => Some(flow),
        _ => None,
    };
    let own: Vec<Flow> = trace.spans.iter().filter(|span| !trace.is_check(span)).filter_map(whole).collect();
    let mut marked: Vec<(String, Flow)> = Vec::new();
    for span in trace.spans.iter().filter(|span| trace.is_check(span)) {
        let check = trace.ancestry(span).find(|around| around.what == "control");
        let kind = check.and_then(|check| Some(format!("{} {}", check.id.0, check.text("control.kind")?)));
        if let (Some(kind), Some(flow)) = (kind, whole(span).filter(|flow| !own.contains(flow)))
            && !marked.iter().any(|(_, known)| *known == flow)
        {
            marked.push((kind, flow));
        }
    }
    let attempts = trace.spans.iter().filter(|span| trace.is_check(span) && span.what == "connect");
    for span in attempts.filter(|span| span.value("tcp.local").is_none()) {
        let check = trace.ancestry(span).find(|around| around.what == "control");
        let kind = check.and_then(|check| Some(format!("{} {}", check.id.0, check.text("control.kind")?)));
        let (Some(kind), Some(remote)) = (kind, span.socket("tcp.remote")) else { continue };
        for flow in attempted(trace, span, remote) {
            if !own.contains(&flow) && !marked.iter().any(|(_, known)| *known == flow) {
                marked.push((kind.clone(), flow));
            }
        }
    }
    if marked.is_empty() {
        return BTreeMap::new();
    }
    let packets = trace.packets.iter().filter_map(|packet| Some((packet.number, look(&packet.bytes)?)));
    packets
        .filter_map(|(number, look)| {
            let (kind, _) = marked.iter().find(|(_, flow)| flow.has(&look))?;
            Some((number, kind.clone()))
        })
        .collect()
}

/// Connections that were asked for within the time of a step of which nobody noted from where.
fn attempted(trace: &Trace, span: &Span, remote: SocketAddr) -> Vec<Flow> {
    let mut seen: Vec<SocketAddr> = Vec::new();
    let mut flows = Vec::new();
    for packet in &trace.packets {
        let Some(look) = look(&packet.bytes).filter(|look| look.destination() == Some(remote)) else {
            continue;
        };
        let opens = look.flags.is_some_and(|flags| flags.contains(Flags::SYN) && !flags.contains(Flags::ACK));
        let Some(local) = look.source().filter(|local| opens && !seen.contains(local)) else { continue };
        seen.push(local);
        if (span.start..=span.end).contains(&packet.at) {
            flows.push(Flow::Sockets { protocol: Protocol::TCP, local: Some(local), remote });
        }
    }
    flows
}

/// The TTL of a packet of this host that is no reset, and the packet's number: seen on the same link as the frames of
/// `beside`, for a TTL falls from link to link. TCP is preferred over ICMP, which some systems send with another TTL.
pub fn other_ttl(trace: &Trace, beside: &Span, host: IpAddr) -> Option<(u8, u64)> {
    let interface = trace.packet(*beside.frames.first()?)?.interface;
    let mut best: Option<(bool, u8, u64)> = None;
    for packet in &trace.packets {
        if packet.interface != interface || packet.fate != PacketFate::Passed {
            continue;
        }
        let Some(look) = look(&packet.bytes).filter(|look| look.src == host && !look.is_reset()) else {
            continue;
        };
        let tcp = look.protocol == Protocol::TCP;
        if best.is_none_or(|(best_is_tcp, ..)| tcp && !best_is_tcp) {
            best = Some((tcp, look.ttl, packet.number));
        }
    }
    best.map(|(_, ttl, number)| (ttl, number))
}

/// Frames to `target` whose next hop on the local network is another one than that of frames to other addresses outside:
/// the first few; `None` if all go to the same one. Addresses of the own /24 or /64 do not count as outside.
pub fn other_next_hop(trace: &Trace, target: IpAddr) -> Option<Vec<u64>> {
    let (mut there, mut elsewhere) = (Vec::new(), Vec::new());
    for packet in &trace.packets {
        let (Some(look), Ok(ethernet)) = (look(&packet.bytes), EthernetView::new(&packet.bytes)) else {
            continue;
        };
        // What this machine sends; multicast has no next hop.
        if packet.interface != 0
            || look.dst.is_ipv4() != target.is_ipv4()
            || near(look.src, look.dst)
            || look.dst.is_multicast()
            || ethernet.dst().is_multicast()
        {
            continue;
        }
        if look.dst == target {
            there.push((packet.number, ethernet.dst()));
        } else {
            elsewhere.push((look.src, ethernet.dst()));
        }
    }
    let own = trace
        .packets
        .iter()
        .find_map(|packet| look(&packet.bytes).filter(|look| look.dst == target))
        .map(|look| look.src)?;
    let usual = elsewhere.iter().find(|(source, _)| *source == own).map(|(_, next)| *next)?;
    let odd: Vec<u64> = there.iter().filter(|(_, next)| *next != usual).map(|(number, _)| *number).collect();
    (!odd.is_empty() && odd.len() == there.len()).then(|| odd.into_iter().take(FIRST).collect())
}

/// Whether both are likely to be on one link.
fn near(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4] || b.is_unicast_link_local(),
        _ => false,
    }
}

/// Source, destination and ports of the packet that an ICMP error quotes.
pub type Quoted = (IpAddr, IpAddr, Option<(u16, u16)>);

/// What a frame says of itself, as far as flows need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Who sent the packet.
    pub src: IpAddr,
    /// Who is to receive it.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// The transport, after extension headers.
    pub protocol: Protocol,
    /// Source and destination port, of TCP and UDP.
    pub ports: Option<(u16, u16)>,
    /// TCP's control bits.
    pub flags: Option<Flags>,
    /// Type and code, of ICMP for either version.
    pub icmp: Option<(u8, u8)>,
    /// The packet an ICMP error is about: who sent it, to whom, with which ports.
    pub about: Option<Quoted>,
}

impl Look {
    /// Whether it resets a TCP connection.
    pub fn is_reset(&self) -> bool {
        self.flags.is_some_and(|flags| flags.contains(Flags::RST))
    }

    /// Source with its port.
    fn source(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.src, self.ports?.0))
    }

    /// Destination with its port.
    fn destination(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.dst, self.ports?.1))
    }
}

/// Reads a frame; `None` for what is no IP packet, or is cut too short to tell.
pub fn look(frame: &[u8]) -> Option<Look> {
    let ethernet = EthernetView::new(frame).ok()?;
    match ethernet.ethertype() {
        EtherType::IPV4 => packet(ethernet.payload(), 4),
        EtherType::IPV6 => packet(ethernet.payload(), 6),
        _ => None,
    }
}

fn packet(bytes: &[u8], version: u8) -> Option<Look> {
    let (src, dst, ttl, protocol, payload) = if version == 4 {
        let ip = Ipv4View::new(bytes).ok()?;
        let first = ip.fragment_offset() == 0;
        let payload = if first { ip.payload() } else { &[] };
        (IpAddr::from(ip.src()), IpAddr::from(ip.dst()), ip.ttl(), ip.protocol(), payload)
    } else {
        let ip = Ipv6View::new(bytes).ok()?;
        let (protocol, payload) = upper(&ip)?;
        (IpAddr::from(ip.src()), IpAddr::from(ip.dst()), ip.hop_limit(), protocol, payload)
    };
    let mut look = Look { src, dst, ttl, protocol, ports: None, flags: None, icmp: None, about: None };
    match protocol {
        Protocol::TCP | Protocol::UDP => look.ports = ports(payload),
        Protocol::ICMPV4 | Protocol::ICMPV6 if payload.len() >= 8 => {
            look.icmp = Some((payload[0], payload[1]));
            // Errors quote the packet they are about after 8 bytes (RFC 792, RFC 4443 3).
            let error = if protocol == Protocol::ICMPV4 {
                matches!(payload[0], 3 | 4 | 5 | 11 | 12)
            } else {
                payload[0] < 128
            };
            if error {
                look.about = quoted(&payload[8..]);
            }
        }
        _ => {}
    }
    if protocol == Protocol::TCP {
        look.flags = TcpView::new(payload).ok().map(|tcp| tcp.flags());
    }
    Some(look)
}

/// How many octets a frame had on the wire, as its IP header has it, and no fewer than there are: of foreign captures a
/// trace keeps little more than the headers.
pub fn length_on_the_wire(frame: &[u8]) -> usize {
    const ETHERNET: usize = 14;
    let number = |at: usize| {
        let bytes = frame.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let told = match number(12) {
        Some(0x0800) => number(ETHERNET + 2).map(|total| ETHERNET + total),
        Some(0x86DD) => number(ETHERNET + 4).map(|payload| ETHERNET + 40 + payload),
        _ => None,
    };
    told.unwrap_or(0).max(frame.len())
}

/// Ports stand in the first four bytes of TCP and UDP alike, which is all that an ICMP error must quote.
fn ports(transport: &[u8]) -> Option<(u16, u16)> {
    match transport {
        [a, b, c, d, ..] => Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))),
        _ => None,
    }
}

/// The quoted packet may be cut after its first bytes of transport.
fn quoted(bytes: &[u8]) -> Option<Quoted> {
    match bytes.first()? >> 4 {
        4 => {
            let ip = Ipv4View::new(bytes).ok()?;
            let transport = bytes.get(ip.header_len()..).unwrap_or(&[]);
            Some((ip.src().into(), ip.dst().into(), ports(transport)))
        }
        6 => {
            let ip = Ipv6View::new(bytes).ok()?;
            let transport = bytes.get(40..).unwrap_or(&[]);
            let plain = matches!(ip.next_header(), Protocol::TCP | Protocol::UDP);
            Some((ip.src().into(), ip.dst().into(), if plain { ports(transport) } else { None }))
        }
        _ => None,
    }
}

/// The transport behind the extension headers.
fn upper<'a>(ip: &Ipv6View<'a>) -> Option<(Protocol, &'a [u8])> {
    let mut next = ip.next_header();
    let mut rest = ip.payload();
    // Each turn takes at least 8 bytes off, so this ends; RFC 8200 4.1 lists no packet with more.
    for _ in 0..16 {
        match next {
            Protocol(0 | 43 | 60 | 135) => {
                let length = 8 + usize::from(*rest.get(1)?) * 8;
                next = Protocol(*rest.first()?);
                rest = rest.get(length..)?;
            }
            Protocol(44) => {
                let offset = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) >> 3;
                next = Protocol(*rest.first()?);
                rest = if offset == 0 { rest.get(8..)? } else { &[] };
                if offset != 0 {
                    return Some((next, rest));
                }
            }
            _ => return Some((next, rest)),
        }
    }
    None
}

/// What a span's frames have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Between two sockets; the local one may not be known.
    Sockets { protocol: Protocol, local: Option<SocketAddr>, remote: SocketAddr },
    /// ICMP to and from a host.
    Echo(IpAddr),
    /// Anything to a host, and ICMP about it.
    Towards(IpAddr),
    /// ICMP from a router.
    From(IpAddr),
}

impl Flow {
    fn of(trace: &Trace, span: &Span) -> Option<Flow> {
        for around in trace.ancestry(span) {
            if let Some(flow) = Flow::named(around) {
                return Some(flow);
            }
        }
        // Encryption, request and final counters belong to the connection made last before them, within the same check.
        let beside = |other: &Span| trace.is_check(other) == trace.is_check(span);
        let usable = matches!(
            span.what.as_str(),
            "handshake" | "exchange" | "request" | "wait" | "transfer" | "connection"
        );
        if !usable || span.layer == Layer::Quic {
            return None;
        }
        trace
            .spans
            .iter()
            .filter(|other| {
                other.what == "connect" || other.what == "handshake" && other.layer == Layer::Quic
            })
            .filter(|other| other.is_ok() && other.id < span.id && other.start <= span.start && beside(other))
            .filter(|other| !trace.is_check(span) || shares_check(trace, span, other))
            .max_by_key(|other| (other.end, other.id))
            .and_then(Flow::named)
    }

    /// The flow a span names by its own values.
    fn named(span: &Span) -> Option<Flow> {
        let sockets = |protocol, local, remote| Flow::Sockets { protocol, local, remote };
        if let Some(remote) = span.socket("quic.remote") {
            return Some(sockets(Protocol::UDP, span.socket("quic.local"), remote));
        }
        if let Some(remote) = span.socket("tcp.remote") {
            let protocol = if span.layer == Layer::Quic { Protocol::UDP } else { Protocol::TCP };
            return Some(sockets(protocol, span.socket("tcp.local"), remote));
        }
        if let Some(server) = span.address("dns.server") {
            let port = span.socket("dns.server").map_or(53, |socket| socket.port());
            let tcp =
                span.text("dns.transport").is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"));
            let protocol = if tcp { Protocol::TCP } else { Protocol::UDP };
            return Some(sockets(protocol, span.socket("dns.local"), SocketAddr::new(server, port)));
        }
        if let Some(target) = span.address("ping.target") {
            return Some(Flow::Echo(target));
        }
        if let Some(target) = span.address("route.target") {
            return Some(Flow::Towards(target));
        }
        if span.what == "hop" {
            return span.address("hop.address").map(Flow::From);
        }
        None
    }

    fn has(&self, look: &Look) -> bool {
        match *self {
            Flow::Sockets { protocol, local, remote } => {
                let fits = |from: Option<SocketAddr>, to: Option<SocketAddr>| {
                    to == Some(remote) && local.is_none_or(|local| from == Some(local))
                };
                if let Some((src, dst, ports)) = look.about {
                    let ends = ports.map(|(from, to)| (SocketAddr::new(src, from), SocketAddr::new(dst, to)));
                    return match ends {
                        Some((from, to)) => fits(Some(from), Some(to)),
                        None => dst == remote.ip() && local.is_none_or(|local| src == local.ip()),
                    };
                }
                look.protocol == protocol
                    && (fits(look.source(), look.destination()) || fits(look.destination(), look.source()))
            }
            Flow::Echo(host) => {
                let icmp = look.icmp.is_some();
                icmp && (look.src == host
                    || look.dst == host
                    || look.about.is_some_and(|(_, dst, _)| dst == host))
            }
            Flow::Towards(host) => {
                look.dst == host
                    || look.about.is_some_and(|(_, dst, _)| dst == host)
                    || (look.src == host && (look.icmp.is_some() || look.is_reset()))
            }
            Flow::From(router) => look.icmp.is_some() && look.src == router,
        }
    }

    /// Whether the packet travels towards the asking host.
    fn is_inbound(&self, look: &Look) -> bool {
        match *self {
            Flow::Sockets { remote, .. } => look.about.is_some() || look.src == remote.ip(),
            Flow::Echo(host) | Flow::Towards(host) => look.about.is_some() || look.src == host,
            Flow::From(_) => true,
        }
    }
}

/// Whether two spans are parts of the same check.
fn shares_check(trace: &Trace, one: &Span, other: &Span) -> bool {
    let check =
        |span: &Span| trace.ancestry(span).find(|around| around.what == "control").map(|around| around.id);
    check(one) == check(other)
}

#[cfg(test)]
mod tests;
