//! One packet between IPv4 and IPv6 (RFC 7915): headers, ICMP messages, and the packets that ICMP errors quote.
//!
//! Checksums of TCP, UDP and echo messages are updated, not recomputed: what was damaged on the way stays damaged.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thru_wire::checksum::{self, Sum};

/// Which addresses belong together.
pub(super) trait Addresses {
    /// The IPv4 address that stands for this one.
    fn to_v4(&mut self, address: Ipv6Addr) -> Option<Ipv4Addr>;
    /// The IPv6 address that stands for this one.
    fn to_v6(&mut self, address: Ipv4Addr) -> Option<Ipv6Addr>;
}

/// By how much the headers differ.
pub(super) const DIFFERENCE: usize = V6 - V4;
/// Below this size packets may be cut on the IPv4 side (RFC 7915 section 5.1).
const MAY_BE_CUT: usize = 1260;
/// The smallest MTU of IPv6.
const MTU_MIN: usize = 1280;

const V4: usize = 20;
const V6: usize = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP4: u8 = 1;
const ICMP6: u8 = 58;
const FRAGMENT: u8 = 44;
/// Octets of an ICMP message before what it is about.
const ICMP_HEADER: usize = 8;

mod reason {
    pub(super) const SHORT: &str = "nat64: the packet is shorter than its header says";
    pub(super) const ROUTED: &str = "nat64: a way chosen by the sender is not translated";
    pub(super) const ADDRESS: &str = "nat64: no address to stand for this one";
    pub(super) const ICMP: &str = "nat64: this ICMP message means nothing on the other side";
    pub(super) const FRAGMENT: &str = "nat64: fragment without ports";
    pub(super) const CHECKSUM: &str = "nat64: no checksum, and IPv6 wants one";
}

type Translated = Result<Vec<u8>, &'static str>;

/// What a header says that the other family says, too.
struct Common {
    class: u8,
    hops: u8,
    protocol: u8,
    /// Where the next layer begins.
    at: usize,
    /// How long the whole packet claims to be.
    claimed: usize,
    /// Offset in octets, more to come, identification.
    fragment: Option<(u16, bool, u32)>,
}

/// An IPv6 packet as IPv4. `identification` is for those that may be cut: small ones, and all with `may_be_cut`.
pub(super) fn to_v4(
    packet: &[u8],
    addresses: &mut impl Addresses,
    identification: u16,
    may_be_cut: bool,
) -> Translated {
    let how = if may_be_cut { How::Cut(identification) } else { How::Whole(identification) };
    v6_to_v4(packet, addresses, how)
}

/// What is translated, and what becomes of its size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// A packet that the sender cuts itself if it has to, unless it is small.
    Whole(u16),
    /// A packet that routers may cut.
    Cut(u16),
    /// A quotation: it may end early.
    Quoted,
}

/// An IPv4 packet as IPv6.
pub(super) fn to_v6(packet: &[u8], addresses: &mut impl Addresses) -> Translated {
    v4_to_v6(packet, addresses, false)
}

fn v6_to_v4(packet: &[u8], addresses: &mut impl Addresses, how: How) -> Translated {
    let quoted = how == How::Quoted;
    let header = read_v6(packet)?;
    let (old_source, old_destination) = (v6(packet, 8), v6(packet, 24));
    let source = addresses.to_v4(old_source).ok_or(reason::ADDRESS)?;
    let destination = addresses.to_v4(old_destination).ok_or(reason::ADDRESS)?;
    let end = if quoted { packet.len() } else { header.claimed };
    let upper = packet.get(header.at..end.min(packet.len())).ok_or(reason::SHORT)?;
    let swap =
        Swap { old: (old_source.into(), old_destination.into()), new: (source.into(), destination.into()) };
    let first = header.fragment.is_none_or(|(offset, ..)| offset == 0);
    let upper = match header.protocol {
        ICMP6 if !first => return Err(reason::FRAGMENT),
        ICMP6 => icmp_to_v4(upper, addresses, &swap, header.claimed - header.at, quoted)?,
        protocol => adapt(protocol, upper, &swap, first),
    };
    let protocol = if header.protocol == ICMP6 { ICMP4 } else { header.protocol };
    let total = match quoted {
        true => header.claimed - header.at + V4,
        false => upper.len() + V4,
    };
    let mut out = vec![0x45, header.class, 0, 0, 0, 0, 0, 0, header.hops, protocol, 0, 0];
    out[2..4].copy_from_slice(&u16::try_from(total).unwrap_or(u16::MAX).to_be_bytes());
    let (id, flags) = match header.fragment {
        Some((offset, more, id)) => (id as u16, (offset / 8) | u16::from(more) << 13),
        None => match how {
            How::Cut(id) => (id, 0),
            How::Whole(id) if total <= MAY_BE_CUT => (id, 0),
            How::Whole(_) | How::Quoted => (0, 0x4000),
        },
    };
    out[4..6].copy_from_slice(&id.to_be_bytes());
    out[6..8].copy_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&destination.octets());
    let sum = checksum::of(&out);
    out[10..12].copy_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&upper);
    Ok(out)
}

fn v4_to_v6(packet: &[u8], addresses: &mut impl Addresses, quoted: bool) -> Translated {
    let header = read_v4(packet)?;
    let (old_source, old_destination) = (v4(packet, 12), v4(packet, 16));
    let source = addresses.to_v6(old_source).ok_or(reason::ADDRESS)?;
    let destination = addresses.to_v6(old_destination).ok_or(reason::ADDRESS)?;
    let end = if quoted { packet.len() } else { header.claimed };
    let upper = packet.get(header.at..end.min(packet.len())).ok_or(reason::SHORT)?;
    let swap =
        Swap { old: (old_source.into(), old_destination.into()), new: (source.into(), destination.into()) };
    let first = header.fragment.is_none_or(|(offset, ..)| offset == 0);
    if header.protocol == UDP && first && !quoted && upper.get(6..8) == Some(&[0, 0]) {
        return Err(reason::CHECKSUM);
    }
    let upper = match header.protocol {
        ICMP4 if !first => return Err(reason::FRAGMENT),
        ICMP4 => icmp_to_v6(upper, addresses, &swap, header.claimed - header.at, quoted)?,
        protocol => adapt(protocol, upper, &swap, first),
    };
    let protocol = if header.protocol == ICMP4 { ICMP6 } else { header.protocol };
    let payload = if quoted { header.claimed - header.at } else { upper.len() };
    let mut out = vec![0x60 | header.class >> 4, header.class << 4, 0, 0];
    let behind = if header.fragment.is_some() { 8 } else { 0 };
    out.extend_from_slice(&u16::try_from(payload + behind).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&[if behind > 0 { FRAGMENT } else { protocol }, header.hops]);
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&destination.octets());
    if let Some((offset, more, id)) = header.fragment {
        out.extend_from_slice(&[protocol, 0]);
        out.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
        out.extend_from_slice(&id.to_be_bytes());
    }
    out.extend_from_slice(&upper);
    Ok(out)
}

fn read_v6(packet: &[u8]) -> Result<Common, &'static str> {
    let fixed: &[u8; V6] = packet.first_chunk().ok_or(reason::SHORT)?;
    let claimed = V6 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let (mut protocol, mut at, mut fragment) = (fixed[6], V6, None);
    // Hop-by-hop options, routing, fragment, destination options: each in its turn, and they get no shorter.
    loop {
        let length = match protocol {
            0 | 43 | 60 => {
                let head = packet.get(at..at + 4).ok_or(reason::SHORT)?;
                // RFC 7915 section 5.1: with segments left it is under way to somebody else.
                if protocol == 43 && head[3] != 0 {
                    return Err(reason::ROUTED);
                }
                usize::from(head[1]) * 8 + 8
            }
            FRAGMENT => {
                let head = packet.get(at..at + 8).ok_or(reason::SHORT)?;
                let word = u16::from_be_bytes([head[2], head[3]]);
                let id = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
                fragment = Some((word & !7, word & 1 != 0, id));
                8
            }
            _ => break,
        };
        protocol = packet[at];
        at += length;
    }
    if at > claimed || at > packet.len() {
        return Err(reason::SHORT);
    }
    let class = fixed[0] << 4 | fixed[1] >> 4;
    Ok(Common { class, hops: fixed[7], protocol, at, claimed, fragment })
}

fn read_v4(packet: &[u8]) -> Result<Common, &'static str> {
    let fixed: &[u8; V4] = packet.first_chunk().ok_or(reason::SHORT)?;
    let at = usize::from(fixed[0] & 15) * 4;
    let claimed = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if at < V4 || at > claimed || at > packet.len() {
        return Err(reason::SHORT);
    }
    // Loose and strict source routes (RFC 7915 section 4.1): the pointer stands behind the addresses once they are used up.
    let mut options = &packet[V4..at];
    while let [kind, rest @ ..] = options {
        match (*kind, rest) {
            (0, _) => break,
            (1, _) => options = rest,
            (kind, [length, inner @ ..])
                if usize::from(*length) >= 2 && usize::from(*length) <= options.len() =>
            {
                if matches!(kind, 131 | 137) && inner.first().is_some_and(|pointer| pointer <= length) {
                    return Err(reason::ROUTED);
                }
                options = &options[usize::from(*length)..];
            }
            _ => break,
        }
    }
    let word = u16::from_be_bytes([fixed[6], fixed[7]]);
    let (offset, more) = ((word & 0x1fff) << 3, word & 0x2000 != 0);
    let id = u32::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let fragment = (offset > 0 || more).then_some((offset, more, id));
    Ok(Common { class: fixed[1], hops: fixed[8], protocol: fixed[9], at, claimed, fragment })
}

/// The addresses of a pseudo header before and after.
struct Swap {
    old: (IpAddr, IpAddr),
    new: (IpAddr, IpAddr),
}

impl Swap {
    fn update(&self, sum: u16) -> u16 {
        let sum = checksum::update_address(sum, self.old.0, self.new.0);
        checksum::update_address(sum, self.old.1, self.new.1)
    }
}

/// A TCP segment or a datagram whose addresses have changed; of a quotation as much as is there.
fn adapt(protocol: u8, upper: &[u8], swap: &Swap, first: bool) -> Vec<u8> {
    let mut upper = upper.to_vec();
    let at = match protocol {
        TCP => 16,
        UDP => 6,
        _ => return upper,
    };
    if let Some(place) = upper.get_mut(at..at + 2).filter(|_| first) {
        let sum = u16::from_be_bytes([place[0], place[1]]);
        if protocol == TCP || sum != 0 {
            let sum = swap.update(sum);
            // RFC 768: a computed zero is sent as its other form.
            let sum = if protocol == UDP && sum == 0 { 0xffff } else { sum };
            place.copy_from_slice(&sum.to_be_bytes());
        }
    }
    upper
}

/// The sum of ICMPv6's pseudo header: what ICMPv4 has not.
fn pseudo(addresses: (IpAddr, IpAddr), length: usize) -> Sum {
    let mut sum = Sum::default();
    for address in [addresses.0, addresses.1] {
        match address {
            IpAddr::V4(address) => sum.add_bytes(&address.octets()),
            IpAddr::V6(address) => sum.add_bytes(&address.octets()),
        }
    }
    sum.add_u32(length as u32);
    sum.add_u32(u32::from(ICMP6));
    sum
}

/// An echo, or its reply, under the other protocol's type. The sum of the pseudo header, which only ICMPv6 has, comes in or
/// goes out: before and after.
fn echo(message: &[u8], kind: u8, pseudo: (u16, u16)) -> Vec<u8> {
    let mut out = message.to_vec();
    out[0] = kind;
    let sum = u16::from_be_bytes([message[2], message[3]]);
    let sum = checksum::update_bytes(sum, &message[..2], &out[..2]);
    let sum = checksum::update_u16(sum, pseudo.0, pseudo.1);
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    out
}

/// RFC 7915 section 5.2.
fn icmp_to_v4(
    message: &[u8],
    addresses: &mut impl Addresses,
    swap: &Swap,
    length: usize,
    quoted: bool,
) -> Translated {
    let head: &[u8; ICMP_HEADER] = message.first_chunk().ok_or(reason::SHORT)?;
    let (kind, code) = match (head[0], head[1]) {
        (kind @ (128 | 129), _) => {
            let kind = if kind == 128 { 8 } else { 0 };
            return Ok(echo(message, kind, (!pseudo(swap.old, length).checksum(), 0)));
        }
        _ if quoted => return Err(reason::ICMP),
        (1, 0 | 2 | 3) => (3, 1),
        (1, 1) => (3, 10),
        (1, 4) => (3, 3),
        (2, 0) => (3, 4),
        (3, code) => (11, code),
        (4, 1) => (3, 2),
        (4, 0) => (12, 0),
        _ => return Err(reason::ICMP),
    };
    let word = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    let rest = match (kind, code) {
        (3, 4) => word.saturating_sub(DIFFERENCE as u32).min(u32::from(u16::MAX)),
        // Where in the header: RFC 7915 figure 6.
        (12, _) => {
            u32::from(match word {
                0 | 1 => word as u8,
                4 | 5 => 2,
                6 => 9,
                7 => 8,
                8..=23 => 12,
                24..=39 => 16,
                _ => return Err(reason::ICMP),
            }) << 24
        }
        _ => 0,
    };
    let about = v6_to_v4(&message[ICMP_HEADER..], addresses, How::Quoted)?;
    Ok(icmp(kind, code, rest, &about, None))
}

/// RFC 7915 section 4.2.
fn icmp_to_v6(
    message: &[u8],
    addresses: &mut impl Addresses,
    swap: &Swap,
    length: usize,
    quoted: bool,
) -> Translated {
    let head: &[u8; ICMP_HEADER] = message.first_chunk().ok_or(reason::SHORT)?;
    let (kind, code) = match (head[0], head[1]) {
        (kind @ (8 | 0), _) => {
            let kind = if kind == 8 { 128 } else { 129 };
            return Ok(echo(message, kind, (0, !pseudo(swap.new, length).checksum())));
        }
        _ if quoted => return Err(reason::ICMP),
        (3, 0 | 1 | 5..=8 | 11 | 12) => (1, 0),
        (3, 2) => (4, 1),
        (3, 3) => (1, 4),
        (3, 4) => (2, 0),
        (3, 9 | 10 | 13 | 15) => (1, 1),
        (11, code) => (3, code),
        (12, 0 | 2) => (4, 0),
        _ => return Err(reason::ICMP),
    };
    let rest = match (kind, code) {
        (2, _) => {
            let told = usize::from(u16::from_be_bytes([head[6], head[7]]));
            // An old router says zero; and a path may have less than IPv6 knows.
            (told + DIFFERENCE).max(MTU_MIN) as u32
        }
        (4, 1) => 6,
        // RFC 7915 figure 3.
        (4, _) => match head[4] {
            0 | 1 => u32::from(head[4]),
            2 | 3 => 4,
            8 => 7,
            9 => 6,
            12..=15 => 8,
            16..=19 => 24,
            _ => return Err(reason::ICMP),
        },
        _ => 0,
    };
    let mut about = v4_to_v6(&message[ICMP_HEADER..], addresses, true)?;
    about.truncate(MTU_MIN - V6 - ICMP_HEADER);
    Ok(icmp(kind, code, rest, &about, Some(swap.new)))
}

/// An ICMP message, for IPv6 with the addresses that its checksum covers.
fn icmp(kind: u8, code: u8, rest: u32, about: &[u8], addresses: Option<(IpAddr, IpAddr)>) -> Vec<u8> {
    let mut out = vec![kind, code, 0, 0];
    out.extend_from_slice(&rest.to_be_bytes());
    out.extend_from_slice(about);
    let mut sum = match addresses {
        Some(addresses) => pseudo(addresses, out.len()),
        None => Sum::default(),
    };
    sum.add_bytes(&out);
    out[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    out
}

/// Whether a packet is one that no ICMP error answers (RFC 1122 section 3.2.2).
fn is_icmp_error(protocol: u8, kind: Option<u8>) -> bool {
    match protocol {
        ICMP4 => matches!(kind, Some(3 | 4 | 5 | 11 | 12)),
        ICMP6 => kind.is_some_and(|kind| kind < 128),
        _ => false,
    }
}

/// "Packet too big" from the translator to the IPv6 sender of `packet`.
pub(super) fn packet_too_big(own: Ipv6Addr, to: Ipv6Addr, mtu: u32, packet: &[u8]) -> Vec<u8> {
    let about = &packet[..packet.len().min(MTU_MIN - V6 - ICMP_HEADER)];
    let message = icmp(2, 0, mtu, about, Some((own.into(), to.into())));
    let mut out = vec![0x60, 0, 0, 0];
    out.extend_from_slice(&(message.len() as u16).to_be_bytes());
    out.extend_from_slice(&[ICMP6, 64]);
    out.extend_from_slice(&own.octets());
    out.extend_from_slice(&to.octets());
    out.extend_from_slice(&message);
    out
}

/// "Fragmentation needed" from the translator to the IPv4 sender of `packet`; `None`: it is an ICMP error itself.
pub(super) fn fragmentation_needed(own: Ipv4Addr, mtu: u16, packet: &[u8]) -> Option<Vec<u8>> {
    let header = read_v4(packet).ok()?;
    if is_icmp_error(header.protocol, packet.get(header.at).copied()) {
        return None;
    }
    // As much as fits into what every IPv4 host takes (RFC 1812 section 4.3.2.3).
    let about = &packet[..packet.len().min(576 - V4 - ICMP_HEADER)];
    let message = icmp(3, 4, u32::from(mtu), about, None);
    let mut out = vec![0x45, 0xc0];
    out.extend_from_slice(&((V4 + message.len()) as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 64, ICMP4, 0, 0]);
    out.extend_from_slice(&own.octets());
    out.extend_from_slice(&packet[12..16]);
    let sum = checksum::of(&out);
    out[10..12].copy_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&message);
    Some(out)
}

fn v6(packet: &[u8], at: usize) -> Ipv6Addr {
    packet[at..at + 16].try_into().map(|octets: [u8; 16]| octets.into()).unwrap_or(Ipv6Addr::UNSPECIFIED)
}

fn v4(packet: &[u8], at: usize) -> Ipv4Addr {
    packet[at..at + 4].try_into().map(|octets: [u8; 4]| octets.into()).unwrap_or(Ipv4Addr::UNSPECIFIED)
}
