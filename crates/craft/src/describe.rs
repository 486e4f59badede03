//! From bytes to an expression that makes exactly these bytes.

use core::net::{Ipv4Addr, Ipv6Addr};

use thru_wire::MacAddr;

use crate::layout::{FieldDef, Kind, LayerDef, Number, PartKind, layers};
use crate::name;
use crate::option::{self, Family};
use crate::packet::{Layer, Packet};
use crate::tables::{DATA, DNS, ETH, IP, IPV6, PADDING};
use crate::text::LAYERS_MAX;
use crate::value::FLAGS;

/// What a packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
}

/// An expression whose only packet is these bytes: as few words as possible, what is computed is left out. Bytes that
/// no layer makes are written in hexadecimal.
pub fn describe(first: First, bytes: &[u8]) -> String {
    let mut packet = read(first, bytes);
    if packet.bytes().is_ok_and(|made| made == bytes) {
        shorten(&mut packet, bytes);
        let words: Vec<String> = packet.layers.iter().map(write).collect();
        return words.join("/");
    }
    // Nothing is larger than what a packet may be but what is no packet.
    hex(bytes)
}

/// `0x` and digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The layers of a packet, every field written.
fn read(first: First, bytes: &[u8]) -> Packet {
    let mut layers = Vec::new();
    let mut rest = bytes;
    let mut padding: &[u8] = &[];
    let mut next = match first {
        First::Ethernet => Some(&ETH),
        First::Ip => ip(rest),
    };
    while let Some(def) = next.filter(|_| layers.len() + 2 < LAYERS_MAX) {
        let Some(layer) = layer(def, rest) else { break };
        let taken = layer_len(&layer);
        // What IP does not count is padding.
        let counted = match (def.name(), layer.written("len"), layer.written("plen")) {
            ("ip", Some(len), _) => len as usize,
            ("ipv6", _, Some(len)) => 40 + len as usize,
            _ => rest.len(),
        };
        if padding.is_empty() && counted >= taken && counted < rest.len() {
            (rest, padding) = rest.split_at(counted);
        }
        rest = &rest[taken..];
        next = follower(&layer, rest);
        layers.push(layer);
    }
    for (def, bytes) in [(&DATA, rest), (&PADDING, padding)] {
        if !bytes.is_empty() || (layers.is_empty() && def.is(&DATA)) {
            let mut layer = Layer::new(def);
            layer.parts.push((0, bytes.to_vec()));
            layers.push(layer);
        }
    }
    Packet { layers }
}

fn ip(bytes: &[u8]) -> Option<&'static LayerDef> {
    match bytes.first()? >> 4 {
        4 => Some(&IP),
        6 => Some(&IPV6),
        _ => None,
    }
}

/// The header at the start of `bytes` with all its parts; `None` if it is not all there.
fn layer(def: &'static LayerDef, bytes: &[u8]) -> Option<Layer> {
    let header = bytes.get(..def.header)?;
    let mut layer = Layer::new(def);
    for (place, field) in def.fields.iter().enumerate().filter(|(_, field)| !is_alias(def, field)) {
        layer.fields.push((place, field.read(header)));
    }
    if def.is(&DNS) {
        if layer.written("count.queries") == Some(1) {
            let (_, length) = name::from_wire(&bytes[def.header..])?;
            let end = def.header + length;
            let (kind, class) = (bytes.get(end..end + 2)?, bytes.get(end + 2..end + 4)?);
            let parts = [&bytes[def.header..end], kind, class];
            layer.parts.extend(parts.iter().enumerate().map(|(place, bytes)| (place, bytes.to_vec())));
        }
        return Some(layer);
    }
    if let [part] = def.parts {
        let claimed = match part.kind {
            PartKind::TcpOptions | PartKind::Ipv4Options => {
                layer.written("hdr_len").unwrap_or(0) as usize * 4
            }
            _ => layer.written("len").unwrap_or(0) as usize * 8 + 8,
        };
        let claimed = claimed.max(def.header).min(bytes.len());
        let bytes = &bytes[def.header..claimed];
        // Shorter than it says: what is there is payload, and the length stays written.
        let whole = if matches!(part.kind, PartKind::Ipv6Options | PartKind::Bytes) { 8 } else { 4 };
        let bytes = if (def.header + bytes.len()).is_multiple_of(whole) { bytes } else { &[][..] };
        if !bytes.is_empty() {
            layer.parts.push((0, bytes.to_vec()));
        }
    }
    Some(layer)
}

/// Whether other fields of the table say the same in smaller or larger pieces.
fn is_alias(def: &LayerDef, field: &FieldDef) -> bool {
    field.auto == crate::layout::Auto::Rest
        && def.fields.iter().any(|other| {
            let (from, to) = (field.at, field.at + u16::from(field.bits));
            other.auto != crate::layout::Auto::Rest
                && other.at < to
                && from < other.at + u16::from(other.bits)
        })
}

fn layer_len(layer: &Layer) -> usize {
    layer.def.header + layer.parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
}

/// The kind of the layer behind this one, by its number.
fn follower(layer: &Layer, rest: &[u8]) -> Option<&'static LayerDef> {
    if rest.is_empty() {
        return None;
    }
    let value = |name: &str| layer.written(name).map(|value| value as u16);
    let by_protocol = |number: Option<u16>| {
        find(|known| match known {
            Number::Protocol(known) | Number::Ip(_, known) => Some(u16::from(known)) == number,
            _ => false,
        })
    };
    let by_type = |number: Option<u16>| {
        find(|known| match known {
            Number::EtherType(known) | Number::Ip(known, _) => Some(known) == number,
            _ => false,
        })
    };
    match layer.def.name() {
        "eth" => by_type(value("type")),
        "vlan" => by_type(value("etype")),
        "gre" => by_type(value("proto")),
        "ip" if layer.written("frag_offset") == Some(0) => by_protocol(value("proto")),
        "frag" if layer.written("offset") != Some(0) => None,
        "ipv6" | "hopopts" | "dstopts" | "routing" | "frag" => by_protocol(value("nxt")),
        "icmp" => match value("type") {
            Some(3 | 4 | 5 | 11 | 12) => ip(rest),
            _ => None,
        },
        "icmpv6" => match value("type") {
            Some(1..=4) => ip(rest),
            _ => None,
        },
        "vxlan" => Some(&ETH),
        "udp" => {
            let known = |number: Option<u16>| {
                find(
                    |known| matches!((known, number), (Number::Port(known), Some(number)) if known == number),
                )
            };
            known(value("dstport")).or_else(|| known(value("srcport")))
        }
        _ => None,
    }
}

fn find(wanted: impl Fn(Number) -> bool) -> Option<&'static LayerDef> {
    layers().iter().copied().find(|layer| wanted(layer.number))
}

/// Leaves out what is computed to be the same.
fn shorten(packet: &mut Packet, bytes: &[u8]) {
    for index in 0..packet.layers.len() {
        let mut place = 0;
        while place < packet.layers[index].fields.len() {
            let field = packet.layers[index].fields.remove(place);
            if !packet.bytes().is_ok_and(|made| made == bytes) {
                packet.layers[index].fields.insert(place, field);
                place += 1;
            }
        }
    }
}

fn write(layer: &Layer) -> String {
    let def = layer.def;
    let mut items: Vec<String> = layer
        .fields
        .iter()
        .map(|(place, value)| {
            let field = &def.fields[*place];
            format!("{}={}", field.names[0], value_text(field, *value))
        })
        .collect();
    for (place, bytes) in &layer.parts {
        let part = &def.parts[*place];
        let options = |family| option::words(family, bytes).unwrap_or_else(|| hex(bytes));
        let text = match part.kind {
            PartKind::TcpOptions => options(Family::Tcp),
            PartKind::Ipv4Options => options(Family::Ipv4),
            PartKind::Ipv6Options => options(Family::Ipv6),
            PartKind::DnsName => name::from_wire(bytes).map_or_else(|| hex(bytes), |(name, _)| name),
            PartKind::DnsType => named(name::TYPES, bytes),
            PartKind::DnsClass => named(name::CLASSES, bytes),
            PartKind::Bytes | PartKind::Length if def.is(&DATA) => return hex(bytes),
            PartKind::Bytes | PartKind::Length => hex(bytes),
        };
        items.push(format!("{}={text}", part.name));
    }
    format!("{}({})", def.name(), items.join(","))
}

fn named(names: &[(&str, u64)], bytes: &[u8]) -> String {
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let name = names.iter().find(|(_, number)| *number == value);
    name.map_or_else(|| value.to_string(), |(name, _)| (*name).to_owned())
}

/// A field's value as it is written.
fn value_text(field: &FieldDef, value: u128) -> String {
    match field.kind {
        Kind::Number(_) => (value * u128::from(field.scale)).to_string(),
        Kind::Hex(_) => format!("{value:#x}"),
        Kind::Ipv4 => Ipv4Addr::from_bits(value as u32).to_string(),
        Kind::Ipv6 => Ipv6Addr::from_bits(value).to_string(),
        Kind::Mac => {
            let octets = (value as u64).to_be_bytes();
            MacAddr([octets[2], octets[3], octets[4], octets[5], octets[6], octets[7]]).to_string()
        }
        Kind::TcpFlags if value == 0 => String::from("none"),
        Kind::TcpFlags => {
            let letters = FLAGS.iter().enumerate().filter(|(bit, _)| value >> bit & 1 == 1);
            letters.map(|(_, (letter, _))| *letter).collect()
        }
    }
}
