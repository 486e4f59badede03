//! What both ends of a connection offered each other in its first packets, and which windows they kept open, as the
//! captured frames show it.

use std::net::IpAddr;

use thru_wire::ethernet::{EtherType, EthernetView};
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::ipv6::Ipv6View;
use thru_wire::tcp::{Flags, TcpOption, TcpView};

use crate::frames::belongs;
use crate::{PacketFate, Span, Trace};

/// One SYN or SYN ACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The frame's number.
    pub frame: u64,
    /// When it was seen.
    pub at: u64,
    /// The largest segment.
    pub segment: Option<u16>,
    /// The window scale (RFC 7323 2).
    pub scale: Option<u8>,
    /// Selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Timestamps (RFC 7323 3).
    pub timestamps: bool,
    /// ECN is asked for (RFC 3168 6.1.1).
    pub ecn: bool,
}

/// The first packets of a connection, and the windows of the later ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// What the asking host sent, in order; more than one if it had to ask again.
    pub ours: Vec<Offer>,
    /// What the other end answered, if it did.
    pub theirs: Option<Offer>,
    /// The largest window that the asking host announced, in bytes.
    pub own_window: u64,
    /// Since when the other end has announced no window at all, with the frames that say so.
    pub shut: Option<(u64, Vec<u64>)>,
}

/// Reads them from the frames of a connection's span.
pub fn offers(trace: &Trace, span: &Span) -> Offers {
    let mut offers = Offers::default();
    let Some(remote) = span.socket("tcp.remote") else { return offers };
    // Where its own port is not known, checks that came after it go to the same place.
    let before_its_end = trace.packets.iter().filter(|packet| packet.at <= span.end);
    for packet in before_its_end.filter(|packet| belongs(trace, span, packet) == Some(true)) {
        let Some((source, tcp)) = segment(&packet.bytes) else { continue };
        let (flags, from_server) = (tcp.flags(), source == remote.ip());
        // What the asking host sent it knows of, whatever became of it.
        if from_server && packet.fate != PacketFate::Passed {
            continue;
        }
        if flags.contains(Flags::SYN) {
            let offer = offer(&tcp, packet.number, packet.at);
            match from_server {
                true if flags.contains(Flags::ACK) => offers.theirs = Some(offer),
                false => offers.ours.push(offer),
                true => {}
            }
        } else if flags.contains(Flags::RST) {
            continue;
        } else if from_server && tcp.window() == 0 {
            offers.shut.get_or_insert((packet.at, Vec::new())).1.push(packet.number);
        } else if from_server {
            offers.shut = None;
        } else {
            // Only what both offered is in force.
            let scaled = offers.theirs.is_some_and(|theirs| theirs.scale.is_some());
            let scale = offers.ours.first().and_then(|ours| ours.scale).filter(|_| scaled).unwrap_or(0);
            offers.own_window = offers.own_window.max(u64::from(tcp.window()) << scale.min(14));
        }
    }
    offers
}

fn segment(frame: &[u8]) -> Option<(IpAddr, TcpView<'_>)> {
    let ethernet = EthernetView::new(frame).ok()?;
    let (source, protocol, payload): (IpAddr, _, _) = match ethernet.ethertype() {
        EtherType::IPV4 => {
            let ip = Ipv4View::new(ethernet.payload()).ok().filter(|ip| !ip.is_fragment())?;
            (ip.src().into(), ip.protocol(), ip.payload())
        }
        EtherType::IPV6 => {
            let ip = Ipv6View::new(ethernet.payload()).ok()?;
            (ip.src().into(), ip.next_header(), ip.payload())
        }
        _ => return None,
    };
    (protocol == Protocol::TCP).then(|| TcpView::new(payload).ok())?.map(|tcp| (source, tcp))
}

fn offer(tcp: &TcpView<'_>, frame: u64, at: u64) -> Offer {
    let flags = tcp.flags();
    let ecn = flags.contains(Flags::ECE) && flags.contains(Flags::CWR);
    let mut offer = Offer { frame, at, ecn, ..Offer::default() };
    for option in tcp.options().filter_map(Result::ok) {
        match option {
            TcpOption::MaxSegmentSize(size) => offer.segment = Some(size),
            TcpOption::WindowScale(scale) => offer.scale = Some(scale),
            TcpOption::SackPermitted => offer.sack = true,
            TcpOption::Timestamps(_) => offer.timestamps = true,
            _ => {}
        }
    }
    offer
}
