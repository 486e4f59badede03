//! Fuzz targets for every parser in `wire`, for scripted operations on `stack`, for `names`, and for `sim`'s NAT and links.
//!
//! - `wire_*`: views take any bytes; a value that was parsed is emitted and parsed again, and must be the same.
//! - `stack_frames`: any frames into a host and a router.
//! - `stack_autoconf`: any answers of DHCP servers, routers and neighbours to a host that is configured by its network.
//! - `stack_script`: two hosts, a bad link, and a script of what applications and the network do.
//! - `names_zone`, `names_answer`, `names_resolve`: any text as a zone, any bytes as a query, any servers around
//!   the iterative resolver.
//! - `dissect_frame`, `dissect_filter`, `dissect_file`: any bytes as frames of any link type, as filters, as capture files.
//! - `passive_capture`: any bytes as a capture, judged.
//! - `sim_nat`: packets of any kind through a NAT; what it passes has the right checksums.
//! - `sim_link`: any impairments; what comes out went in.
//!
//! `fuzz/run-all SECONDS` runs each for a bounded time. One target for longer:
//! `cargo fuzz run -s none stack_script`.

use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::Protocol;

pub mod script;

/// A pseudo header to emit and parse under.
pub fn pseudo(v6: bool, protocol: Protocol) -> PseudoHeader {
    let (v4_pair, v6_pair) = (("192.0.2.1", "198.51.100.2"), ("2001:db8::1", "2001:db8::2"));
    let (src, dst) = if v6 { v6_pair } else { v4_pair };
    PseudoHeader::new(src.parse().expect("an address"), dst.parse().expect("an address"), protocol)
}

/// Mends the IPv4 header checksum, so that mutated packets get past it.
pub fn mend_ipv4(packet: &mut [u8]) {
    let Some(first) = packet.first() else { return };
    let len = usize::from(first & 15) * 4;
    if first >> 4 != 4 || len < 20 || packet.len() < len {
        return;
    }
    packet[10..12].fill(0);
    let sum = checksum::of(&packet[..len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Mends every checksum of an IP packet that can be found, so that mutated packets reach what lies behind them.
pub fn mend(packet: &mut [u8]) {
    mend_ipv4(packet);
    let Ok(transport) = thru_wire::packet::Transport::of(packet) else { return };
    if transport.is_fragment {
        return;
    }
    let segment = &mut packet[transport.at..transport.end];
    let at = match transport.protocol {
        Protocol::ICMPV4 | Protocol::ICMPV6 => 2,
        Protocol::UDP => 6,
        Protocol::TCP => 16,
        _ => return,
    };
    if segment.len() < at + 2 {
        return;
    }
    segment[at..at + 2].fill(0);
    let sum = if transport.protocol == Protocol::ICMPV4 {
        checksum::of(segment)
    } else {
        let mut sum = PseudoHeader::new(transport.src, transport.dst, transport.protocol).sum(segment.len());
        sum.add_bytes(segment);
        sum.checksum()
    };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}
