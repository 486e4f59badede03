//! What the frames that reached the asking host show of the way they came: damaged ones, second copies, and ones that
//! were overtaken. Counters of the transport know of none of these, and a capture does.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;
use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ethernet::{EtherType, EthernetView};
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::ipv6::Ipv6View;
use thru_wire::tcp::{Flags, TcpOption, TcpView};
use thru_wire::udp::UdpView;

use crate::frames::{belongs, look};
use crate::{Packet, PacketFate, Span, Trace, Value};

/// Frames towards the asking host, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// How many whole ones arrived, of all flows.
    pub total: usize,
    /// Those whose checksum is wrong, of all flows: their bytes were changed on the way.
    pub damaged: Vec<u64>,
    /// Segments of the connection.
    pub segments: usize,
    /// Second copies of its segments: the same bytes again, too soon to have been sent again.
    pub doubled: Vec<u64>,
    /// Its segments that filled a gap and had been sent before those behind the gap, as their timestamps tell (RFC 7323
    /// 3), or, without any, as their coming sooner than anything could be sent again does: they were overtaken.
    pub overtaken: Vec<u64>,
    /// Its segments that filled a gap later than that: the first copy was lost.
    pub repaired: Vec<u64>,
}

/// Looks through what arrived on the link nearest to the asking host. `rtt` is the connection's, in nanoseconds:
/// nothing can be sent again sooner than one round trip after it was missed.
///
/// Whoever read a capture as a whole has counted already, and left what was found in the connection's values
/// (`arrivals.total` and the lists `arrivals.damaged`, `.doubled`, `.overtaken`, `.repaired`).
pub fn arrivals(trace: &Trace, connection: &Span, rtt: u64) -> Arrivals {
    if let Some(counted) = counted(connection) {
        return counted;
    }
    let flow = flow(trace, connection);
    let Some((local, nearest)) = vantage(connection, &flow) else { return Arrivals::default() };
    let mut seen = Arrivals::default();
    for packet in trace.packets.iter().filter(|packet| reached(packet, nearest)) {
        match holds(&packet.bytes, local) {
            Some(true) => seen.total += 1,
            Some(false) => seen.damaged.push(packet.number),
            None => {}
        }
    }
    let mut story = Story { rtt, seen, ..Story::default() };
    for packet in flow.into_iter().filter(|packet| reached(packet, nearest)) {
        if holds(&packet.bytes, local) == Some(true) {
            story.take(packet);
        }
    }
    story.seen
}

/// The connection's packets that reached the asking host, in order, as seen on the link nearest to it.
pub fn arrived<'t>(trace: &'t Trace, connection: &Span) -> Vec<&'t Packet> {
    let mut flow = flow(trace, connection);
    let Some((local, nearest)) = vantage(connection, &flow) else { return Vec::new() };
    flow.retain(|packet| {
        reached(packet, nearest)
            && look(&packet.bytes).is_some_and(|look| look.dst == local && look.about.is_none())
    });
    flow
}

/// The connection's packets, of all links.
fn flow<'t>(trace: &'t Trace, connection: &Span) -> Vec<&'t Packet> {
    trace.packets.iter().filter(|packet| belongs(trace, connection, packet) == Some(true)).collect()
}

fn counted(connection: &Span) -> Option<Arrivals> {
    let count = |key: &str| connection.int(key).and_then(|count| usize::try_from(count).ok());
    let frames = |key: &str| -> Vec<u64> {
        let list = connection.list(key).unwrap_or_default().iter();
        list.filter_map(|value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        })
        .collect()
    };
    Some(Arrivals {
        total: count("arrivals.total")?,
        damaged: frames("arrivals.damaged"),
        segments: count("arrivals.total")?,
        doubled: frames("arrivals.doubled"),
        overtaken: frames("arrivals.overtaken"),
        repaired: frames("arrivals.repaired"),
    })
}

/// The asking host's address, and the link on which its own packets were seen first.
fn vantage(connection: &Span, flow: &[&Packet]) -> Option<(IpAddr, u32)> {
    let remote = connection.socket("tcp.remote")?.ip();
    let outbound = flow.iter().filter_map(|packet| {
        let look = look(&packet.bytes)?;
        (look.dst == remote).then_some((packet, look.src))
    });
    let (packet, local) = outbound.min_by_key(|(packet, _)| (packet.at, packet.number))?;
    Some((local, packet.interface))
}

fn reached(packet: &Packet, interface: u32) -> bool {
    packet.interface == interface && packet.fate == PacketFate::Passed
}

/// Whether the checksums of a packet to `local` hold; `None` for what is not to it, or cannot be told.
fn holds(frame: &[u8], local: IpAddr) -> Option<bool> {
    let ip = Ip::of(frame)?;
    if ip.dst != local {
        return None;
    }
    let pseudo = || PseudoHeader::new(ip.src, ip.dst, ip.protocol);
    let transport = match ip.protocol {
        Protocol::TCP => TcpView::new(ip.payload).ok()?.checksum_is_valid(&pseudo()),
        Protocol::UDP => UdpView::new(ip.payload).ok()?.checksum_is_valid(&pseudo())?,
        Protocol::ICMPV4 => checksum::is_valid(ip.payload),
        Protocol::ICMPV6 => pseudo().is_valid(ip.payload),
        _ => return None,
    };
    Some(ip.header_holds && transport)
}

/// An IP packet that is no fragment.
struct Ip<'a> {
    src: IpAddr,
    dst: IpAddr,
    protocol: Protocol,
    payload: &'a [u8],
    header_holds: bool,
}

impl Ip<'_> {
    fn of(frame: &[u8]) -> Option<Ip<'_>> {
        let ethernet = EthernetView::new(frame).ok()?;
        match ethernet.ethertype() {
            EtherType::IPV4 => {
                let ip = Ipv4View::new(ethernet.payload()).ok()?;
                (!ip.is_fragment()).then(|| Ip {
                    src: ip.src().into(),
                    dst: ip.dst().into(),
                    protocol: ip.protocol(),
                    payload: ip.payload(),
                    header_holds: ip.checksum_is_valid(),
                })
            }
            EtherType::IPV6 => {
                let ip = Ipv6View::new(ethernet.payload()).ok()?;
                Some(Ip {
                    src: ip.src().into(),
                    dst: ip.dst().into(),
                    protocol: ip.next_header(),
                    payload: ip.payload(),
                    header_holds: true,
                })
            }
            _ => None,
        }
    }
}

/// A range of sequence numbers that is missing.
#[derive(Clone, Copy)]
struct Gap {
    begin: u32,
    /// When the segment behind it arrived, and the clock it carried.
    since: u64,
    clock: Option<u32>,
}

#[derive(Default)]
struct Story {
    rtt: u64,
    seen: Arrivals,
    /// The latest segments, and when they came.
    recent: VecDeque<(u64, Bytes)>,
    /// Next sequence number after the highest that arrived.
    highest: Option<u32>,
    /// End of each gap to its beginning and the time it was noticed.
    gaps: BTreeMap<u32, Gap>,
}

/// So many segments back a second copy is looked for; more lie between only on links that hold them for long.
const MEMORY: usize = 32;
/// More gaps at a time than this are not followed.
const GAPS_MAX: usize = 256;

impl Story {
    fn take(&mut self, packet: &Packet) {
        let Some(tcp) = Ip::of(&packet.bytes).and_then(|ip| TcpView::new(ip.payload).ok()) else { return };
        let len = u32::try_from(tcp.payload().len()).unwrap_or(u32::MAX);
        self.seen.segments += 1;
        if tcp.flags().contains(Flags::SYN) {
            self.highest = Some(tcp.seq().0.wrapping_add(1));
        }
        if len == 0 {
            return;
        }
        if self.is_copy(packet) {
            self.seen.doubled.push(packet.number);
            return;
        }
        if self.recent.len() == MEMORY {
            self.recent.pop_front();
        }
        self.recent.push_back((packet.at, packet.bytes.clone()));
        self.place(packet, &tcp, len);
    }

    /// The very same bytes within less than a round trip: nobody had the time to send them again.
    fn is_copy(&self, packet: &Packet) -> bool {
        let soon = packet.at.saturating_sub(self.rtt.max(1));
        self.recent.iter().any(|(at, bytes)| *at >= soon && *bytes == packet.bytes)
    }

    /// Where in the stream it belongs: at its end, behind a gap, or into one.
    fn place(&mut self, packet: &Packet, tcp: &TcpView<'_>, len: u32) {
        let seq = tcp.seq().0;
        let end = seq.wrapping_add(len);
        let clock = clock(tcp);
        let highest = *self.highest.get_or_insert(seq);
        let ahead = seq.wrapping_sub(highest) as i32;
        if ahead >= 0 {
            if ahead > 0 && self.gaps.len() < GAPS_MAX {
                self.gaps.insert(seq, Gap { begin: highest, since: packet.at, clock });
            }
            self.highest = Some(end);
            return;
        }
        let into = self.gaps.iter().find(|(gap_end, gap)| {
            seq.wrapping_sub(gap.begin) as i32 >= 0 && (seq.wrapping_sub(**gap_end) as i32) < 0
        });
        let Some((&gap_end, &gap)) = into else { return };
        let sent_before = match clock.zip(gap.clock) {
            Some((own, behind)) => own.wrapping_sub(behind) as i32 <= 0,
            None => packet.at.saturating_sub(gap.since) < self.rtt,
        };
        let list = if sent_before { &mut self.seen.overtaken } else { &mut self.seen.repaired };
        list.push(packet.number);
        self.gaps.remove(&gap_end);
        if gap.begin != seq {
            self.gaps.insert(seq, gap);
        }
        if (end.wrapping_sub(gap_end) as i32) < 0 {
            self.gaps.insert(gap_end, Gap { begin: end, ..gap });
        }
    }
}

/// The sender's clock when it sent the segment.
fn clock(tcp: &TcpView<'_>) -> Option<u32> {
    tcp.options().find_map(|option| match option {
        Ok(TcpOption::Timestamps(stamps)) => Some(stamps.value),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
