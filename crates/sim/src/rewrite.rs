//! The ends of an IPv4 packet: where they are, and how to change them with every checksum that covers them.
//!
//! Works on whole packets and on the beginnings that ICMP errors quote. Checksums are updated, not recomputed: what
//! was damaged on the way stays damaged.

use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use thru_wire::checksum;
use thru_wire::ipv4::Protocol;

/// What address translation needs to know of an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: SocketAddrV4,
    pub(crate) kind: Kind,
    /// Where the header of the next layer begins.
    pub(crate) inner_at: usize,
}

/// What kind of packet it is, as far as its ends go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP, with its flags as in byte 13 of the header (none in a quotation that ends before).
    Tcp { flags: u8 },
    /// UDP.
    Udp,
    /// An ICMP request that is answered under the same identifier, which counts as the port of the source.
    Query,
    /// Such an answer: the identifier counts as the port of the destination.
    Answer,
    /// An ICMP error, quoting a packet.
    IcmpError,
    /// Anything else, and fragments without a transport header: there are no ports.
    Other,
}

/// TCP's flags in byte 13.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const ACK: u8 = 0x10;
}

/// Length of the part of an ICMP error before the quoted packet.
pub(crate) const ICMP_HEADER: usize = 8;

impl Ends {
    /// Reads the ends of an IPv4 packet, or of as much of it as an ICMP error quotes: the header and eight bytes.
    pub(crate) fn of(packet: &[u8]) -> Option<Ends> {
        let fixed: &[u8; 20] = packet.first_chunk()?;
        let inner_at = usize::from(fixed[0] & 0xf) * 4;
        if fixed[0] >> 4 != 4 || inner_at < 20 {
            return None;
        }
        let address = |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        let (source, destination) = (address(12), address(16));
        let protocol = Protocol(fixed[9]);
        let first = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff == 0;
        let inner: Option<&[u8; 8]> = packet.get(inner_at..).and_then(|inner| inner.first_chunk());
        let (source_port, destination_port, kind) = match inner {
            Some(inner) if first => {
                let word = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
                match protocol {
                    Protocol::TCP => {
                        let flags = packet.get(inner_at + 13).copied().unwrap_or(0);
                        (word(0), word(2), Kind::Tcp { flags })
                    }
                    Protocol::UDP => (word(0), word(2), Kind::Udp),
                    Protocol::ICMPV4 => match inner[0] {
                        // Echo, timestamp, information and address mask (RFC 792, RFC 950).
                        8 | 13 | 15 | 17 => (word(4), 0, Kind::Query),
                        0 | 14 | 16 | 18 => (0, word(4), Kind::Answer),
                        3 | 4 | 11 | 12 => (0, 0, Kind::IcmpError),
                        _ => (0, 0, Kind::Other),
                    },
                    _ => (0, 0, Kind::Other),
                }
            }
            _ => (0, 0, Kind::Other),
        };
        let source = SocketAddrV4::new(source, source_port);
        let destination = SocketAddrV4::new(destination, destination_port);
        Some(Ends { protocol, source, destination, kind, inner_at })
    }

    /// The packet that an ICMP error quotes.
    pub(crate) fn quoted(&self, packet: &[u8]) -> Option<Ends> {
        match self.kind {
            Kind::IcmpError => Ends::of(packet.get(self.inner_at + ICMP_HEADER..)?),
            _ => None,
        }
    }
}

/// Gives the packet a new source; a port only where the packet has one.
pub(crate) fn set_source(packet: &mut [u8], source: SocketAddrV4) {
    let Some(ends) = Ends::of(packet) else { return };
    let port_at = match ends.kind {
        Kind::Tcp { .. } | Kind::Udp => Some(ends.inner_at),
        Kind::Query => Some(ends.inner_at + 4),
        Kind::Answer | Kind::IcmpError | Kind::Other => None,
    };
    set(packet, &ends, 12, port_at, source);
}

/// Gives the packet a new destination; a port only where the packet has one.
pub(crate) fn set_destination(packet: &mut [u8], destination: SocketAddrV4) {
    let Some(ends) = Ends::of(packet) else { return };
    let port_at = match ends.kind {
        Kind::Tcp { .. } | Kind::Udp => Some(ends.inner_at + 2),
        Kind::Answer => Some(ends.inner_at + 4),
        Kind::Query | Kind::IcmpError | Kind::Other => None,
    };
    set(packet, &ends, 16, port_at, destination);
}

/// Changes the packet that an ICMP error quotes, and mends the error's own checksum.
pub(crate) fn change_quoted(packet: &mut [u8], ends: &Ends, change: impl FnOnce(&mut [u8])) {
    let at = ends.inner_at + ICMP_HEADER;
    let Some(quoted) = packet.get(at..) else { return };
    // Nothing behind the longest headers changes.
    let touched = quoted.len().min(60 + 20) & !1;
    let before = quoted[..touched].to_vec();
    change(&mut packet[at..]);
    let sum_at = ends.inner_at + 2;
    let sum = checksum::update_bytes(word(packet, sum_at), &before, &packet[at..at + touched]);
    put_word(packet, sum_at, sum);
}

fn set(packet: &mut [u8], ends: &Ends, address_at: usize, port_at: Option<usize>, new: SocketAddrV4) {
    let old = Ipv4Addr::new(
        packet[address_at],
        packet[address_at + 1],
        packet[address_at + 2],
        packet[address_at + 3],
    );
    packet[address_at..address_at + 4].copy_from_slice(&new.ip().octets());
    let changed = |sum| checksum::update_address(sum, IpAddr::V4(old), IpAddr::V4(*new.ip()));
    put_word(packet, 10, changed(word(packet, 10)));

    let old_port = port_at.map(|at| word(packet, at));
    if let Some(at) = port_at {
        put_word(packet, at, new.port());
    }
    let update_port = |sum| match old_port {
        Some(old) => checksum::update_u16(sum, old, new.port()),
        None => sum,
    };
    // The transport's checksum, where it is part of what is there: a quotation may end before it.
    let (sum_at, with_address) = match ends.kind {
        Kind::Tcp { .. } => (ends.inner_at + 16, true),
        Kind::Udp => (ends.inner_at + 6, true),
        Kind::Query | Kind::Answer => (ends.inner_at + 2, false),
        Kind::IcmpError | Kind::Other => return,
    };
    if packet.len() < sum_at + 2 {
        return;
    }
    let sum = word(packet, sum_at);
    let udp = matches!(ends.kind, Kind::Udp);
    // RFC 768: zero says that there is no checksum; a computed zero is sent as its other form.
    if udp && sum == 0 {
        return;
    }
    let sum = update_port(if with_address { changed(sum) } else { sum });
    put_word(packet, sum_at, if udp && sum == 0 { 0xffff } else { sum });
}

fn word(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

fn put_word(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}
