//! Packets whose checksum is wrong although the sums of others from the same host are right: damaged on the way. A host
//! whose network card fills sums in later shows wrong ones throughout, and proves nothing; nor does a sum that was only
//! begun, for the kernel leaves the rest of it to a card that virtual links do not have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::ipv6::Ipv6View;
use thru_wire::tcp::TcpView;
use thru_wire::udp::UdpView;

/// Longer packets were put together or are to be cut by a network card, which leaves their sums for later.
const LENGTH_MAX: u32 = 1_600;
/// So many right ones come before a wrong one means something.
const RIGHT_MIN: u64 = 3;
/// Frames that are listed.
pub(crate) const LISTED_MAX: usize = 256;

/// What is known of hosts' checksums.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    hosts: BTreeMap<IpAddr, Host>,
}

#[derive(Debug, Default)]
struct Host {
    right: u64,
    wrong: u64,
    frames: Vec<u64>,
}

impl Sums {
    /// Whether this packet was damaged on the way.
    pub(crate) fn is_damaged(&mut self, link: u16, frame: &[u8], original: u32, number: u64) -> bool {
        if frame.len() < original as usize || original > LENGTH_MAX || self.hosts.len() > 65_536 {
            return false;
        }
        let Some((src, holds)) = holds(link, frame) else { return false };
        let host = self.hosts.entry(src).or_default();
        if holds {
            host.right += 1;
            return false;
        }
        host.wrong += 1;
        let damaged = host.right >= RIGHT_MIN && host.right > host.wrong;
        if damaged && host.frames.len() < LISTED_MAX {
            host.frames.push(number);
        }
        damaged
    }

    /// Damaged packets by number, of hosts that are right as a rule.
    pub(crate) fn damaged(&self) -> BTreeMap<IpAddr, Vec<u64>> {
        let honest = |host: &&Host| host.wrong > 0 && host.right >= 4 * host.wrong;
        let hosts = self.hosts.iter().filter(|(_, host)| honest(host));
        hosts.map(|(address, host)| (*address, host.frames.clone())).collect()
    }
}

/// Whether the field holds the sum of the pseudo header alone, which is what a sender leaves there for its network card
/// to add to.
fn is_begun(src: IpAddr, dst: IpAddr, protocol: Protocol, payload: &[u8]) -> bool {
    let at = match protocol {
        Protocol::TCP => 16,
        Protocol::UDP => 6,
        Protocol::ICMPV6 => 2,
        _ => return false,
    };
    let Some(&[high, low]) = payload.get(at..at + 2) else { return false };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX) & 0xFFFF;
    fold(pseudo(src, dst, protocol) + length) == u32::from(high) << 8 | u32::from(low)
}

/// Where the IP header begins, and its version.
pub(crate) fn ip_at(link: u16, frame: &[u8]) -> Option<(usize, u8)> {
    let at = match link {
        1 => behind_tags(frame)?,
        101 | 228 | 229 | 12 | 14 => 0,
        113 => 16,
        276 => 20,
        _ => return None,
    };
    frame.get(at).map(|first| (at, first >> 4))
}

/// Behind the Ethernet header and the tags of virtual networks (IEEE 802.1Q).
fn behind_tags(frame: &[u8]) -> Option<usize> {
    (0..=TAGS_MAX).map(|tags| 12 + 4 * tags).find_map(|at| match frame.get(at..at + 2)? {
        [0x08, 0x00] | [0x86, 0xDD] => Some(Some(at + 2)),
        [0x81, 0x00] | [0x88, 0xA8] => None,
        _ => Some(None),
    })?
}

/// Nobody puts more around a frame.
const TAGS_MAX: usize = 2;

/// Whether the sum is that of a part of the payload from its beginning: a network card merged what followed, and left the
/// first segment's sum in place.
fn is_of_a_part(src: IpAddr, dst: IpAddr, segment: &[u8]) -> bool {
    let header = segment.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
    if segment.len() < header || header < 20 {
        return false;
    }
    let mut sum = pseudo(src, dst, Protocol::TCP) + words(&segment[..header]);
    for (place, pair) in segment[header..].chunks(2).enumerate() {
        let upto = header + place * 2;
        if fold(sum + upto as u32) == 0xFFFF && upto > header {
            return true;
        }
        sum += words(pair);
    }
    false
}

fn words(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u32) -> u32 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum
}

/// Addresses and protocol; the length is to be added.
fn pseudo(src: IpAddr, dst: IpAddr, protocol: Protocol) -> u32 {
    let of = |address: IpAddr| match address {
        IpAddr::V4(address) => words(&address.octets()),
        IpAddr::V6(address) => words(&address.octets()),
    };
    of(src) + of(dst) + u32::from(protocol.0)
}

/// Who sent it, and whether its sums hold; `None` where that cannot be told.
fn holds(link: u16, frame: &[u8]) -> Option<(IpAddr, bool)> {
    let ip = frame.get(ip_at(link, frame)?.0..)?;
    let (src, dst, protocol, payload, header) = match ip.first()? >> 4 {
        4 => {
            let view = Ipv4View::new(ip).ok()?;
            if view.is_fragment() || usize::from(view.total_length()) > ip.len() {
                return None;
            }
            (
                IpAddr::from(view.src()),
                IpAddr::from(view.dst()),
                view.protocol(),
                view.payload(),
                view.checksum_is_valid(),
            )
        }
        6 => {
            let view = Ipv6View::new(ip).ok()?;
            if usize::from(view.payload_length()) + 40 > ip.len() {
                return None;
            }
            (IpAddr::from(view.src()), IpAddr::from(view.dst()), view.next_header(), view.payload(), true)
        }
        _ => return None,
    };
    let pseudo = PseudoHeader::new(src, dst, protocol);
    if is_begun(src, dst, protocol, payload) {
        return None;
    }
    let transport = match protocol {
        Protocol::TCP => {
            let holds = TcpView::new(payload).ok()?.checksum_is_valid(&pseudo);
            // Nothing is known of what was merged, or of a sum that nobody has written.
            if !holds && (payload.get(16..18) == Some(&[0, 0]) || is_of_a_part(src, dst, payload)) {
                return None;
            }
            holds
        }
        Protocol::UDP => UdpView::new(payload).ok()?.checksum_is_valid(&pseudo)?,
        Protocol::ICMPV4 => checksum::is_valid(payload),
        Protocol::ICMPV6 => pseudo.is_valid(payload),
        _ => return None,
    };
    Some((src, header && transport))
}
