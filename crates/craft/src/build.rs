//! From layers to bytes, from the inside out: each layer needs the length and the bytes of what it carries.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thru_wire::checksum::{self, PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;

use crate::error::CraftError;
use crate::layout::{Auto, FieldDef, LayerDef, Number, PartKind};
use crate::option::{self, Family};
use crate::packet::{Layer, Packet};
use crate::tables::{DATA, IP, IPV6, PADDING, ROUTING};

/// No packet is longer: what IP's lengths can say, with room for what is around it.
const PACKET_MAX: usize = 65_535 + 1_024;

pub(crate) fn bytes(packet: &Packet) -> Result<Vec<u8>, CraftError> {
    let mut inner = Vec::new();
    let mut trailer = Vec::new();
    for (index, layer) in packet.layers.iter().enumerate().rev() {
        if layer.def.is(&PADDING) {
            let mut bytes = parts(layer);
            bytes.append(&mut trailer);
            trailer = bytes;
        } else {
            let mut next = packet.layers[index + 1..].iter().filter(|next| !next.def.is(&PADDING));
            inner = header(packet, index, layer, next.next(), &inner)?;
        }
        if inner.len() + trailer.len() > PACKET_MAX {
            let error = CraftError::new(layer.column, layer.def.name().len(), "the packet is too large");
            return Err(error.hint(format!("at most {PACKET_MAX} bytes")));
        }
    }
    inner.append(&mut trailer);
    Ok(inner)
}

/// A layer with what it carries.
fn header(
    packet: &Packet,
    index: usize,
    layer: &Layer,
    next: Option<&Layer>,
    inner: &[u8],
) -> Result<Vec<u8>, CraftError> {
    let def = layer.def;
    let tail = parts(layer);
    let mut out = vec![0; def.header];
    out.extend_from_slice(&tail);
    let header_len = out.len();
    out.extend_from_slice(inner);
    for field in def.fields {
        let value = match field.auto {
            Auto::Rest | Auto::HeaderChecksum | Auto::Checksum | Auto::PseudoChecksum => continue,
            Auto::Is(value) => u128::from(value),
            Auto::Next => next_number(def, field, next),
            Auto::TotalLength => out.len() as u128,
            Auto::InnerLength => (out.len() - def.header) as u128,
            Auto::HeaderLength => header_len as u128 / u128::from(field.scale.max(1)),
            Auto::ExtensionLength => (header_len / 8).saturating_sub(1) as u128,
            Auto::Questions => u128::from(!tail.is_empty()),
        };
        let is_written = layer.fields.iter().any(|(place, _)| core::ptr::eq(&def.fields[*place], field));
        if value > field.max() && !is_written {
            let error = CraftError::new(layer.column, def.name().len(), "the packet is too large");
            return Err(error.hint(format!("`{}` would be {value}", field.names[0])));
        }
        field.write(&mut out, value);
    }
    for (place, value) in &layer.fields {
        def.fields[*place].write(&mut out, *value);
    }
    let own = def.fields.iter().enumerate().find(|(_, field)| {
        matches!(field.auto, Auto::HeaderChecksum | Auto::Checksum | Auto::PseudoChecksum)
    });
    if let Some((place, field)) =
        own.filter(|(place, _)| !layer.fields.iter().any(|(other, _)| other == place))
    {
        debug_assert!(def.fields[place].bits == 16);
        let value = sum(packet, index, def, field, &out, header_len);
        field.write(&mut out, u128::from(value));
    }
    Ok(out)
}

fn sum(
    packet: &Packet,
    index: usize,
    def: &LayerDef,
    field: &FieldDef,
    out: &[u8],
    header_len: usize,
) -> u16 {
    match field.auto {
        Auto::HeaderChecksum => checksum::of(&out[..header_len]),
        Auto::PseudoChecksum => {
            let protocol = match def.number {
                Number::Protocol(protocol) => protocol,
                _ => 0,
            };
            let mut sum = pseudo_header(packet, index, protocol).sum(out.len());
            sum.add_bytes(out);
            match sum.checksum() {
                // RFC 768: zero would mean that there is none.
                0 if protocol == 17 => 0xffff,
                sum => sum,
            }
        }
        _ => Sum::of(out).checksum(),
    }
}

/// The pseudo header of the nearest IP layer around layer `index`.
fn pseudo_header(packet: &Packet, index: usize, protocol: u8) -> PseudoHeader {
    let is_ip = |layer: &Layer| layer.def.is(&IP) || layer.def.is(&IPV6);
    let Some(around) = packet.layers[..index].iter().rposition(is_ip) else { return PseudoHeader::NONE };
    let layer = &packet.layers[around];
    let last = packet.layers[around + 1..index].iter().find_map(final_destination);
    let [src, dst] = ["src", "dst"].map(|name| {
        let value = layer.written(name).unwrap_or(0);
        match layer.def.is(&IP) {
            true => IpAddr::V4(Ipv4Addr::from_bits(value as u32)),
            false => IpAddr::V6(Ipv6Addr::from_bits(value)),
        }
    });
    let dst = last.filter(|_| layer.def.is(&IPV6)).map_or(dst, IpAddr::V6);
    PseudoHeader::new(src, dst, Protocol(protocol))
}

/// Where a routing header sends the packet in the end, if that is not where it goes first: checksums are made for there
/// (RFC 8200 8.1). The list of segment routing is written backwards (RFC 8754 2).
fn final_destination(layer: &Layer) -> Option<Ipv6Addr> {
    if !layer.def.is(&ROUTING) || layer.written("segleft").unwrap_or(0) == 0 {
        return None;
    }
    let data = parts(layer);
    let (addresses, _) = data.as_chunks::<16>();
    let last = match layer.written("type").unwrap_or(0) {
        0 | 2 => addresses.last(),
        4 => addresses.first(),
        _ => None,
    };
    last.map(|octets| Ipv6Addr::from(*octets))
}

/// The number in `field` of a layer of kind `def` that announces the next layer.
fn next_number(def: &LayerDef, field: &FieldDef, next: Option<&Layer>) -> u128 {
    let number = next.map_or(Number::None, |next| next.def.number);
    let number = match (field.bits, number) {
        // An Ethernet type has 16 bits as a port has; ports belong to layers that have two of them.
        (16, Number::EtherType(number) | Number::Ip(number, _)) if !has_ports(def) => Some(number),
        (16, Number::Port(number)) if has_ports(def) => Some(number),
        (8, Number::Protocol(number) | Number::Ip(_, number)) => Some(u16::from(number)),
        _ => None,
    };
    let fallback = match def.name() {
        // RFC 6890: reserved for experiments; 0 would be read as a length.
        "eth" | "vlan" | "gre" => 0x88b5,
        "tcp" => 80,
        // Where traceroute's probes go: nobody listens there.
        "udp" => 33_434,
        // "No next header" where nothing follows; 253 is for experiments (RFC 3692).
        _ if next.is_none() && !def.is(&IP) => 59,
        _ => 253,
    };
    u128::from(number.unwrap_or(fallback))
}

fn has_ports(def: &LayerDef) -> bool {
    matches!(def.name(), "udp" | "tcp")
}

/// The parts of varying length, one behind the other.
fn parts(layer: &Layer) -> Vec<u8> {
    let def = layer.def;
    let mut out = Vec::new();
    for part in def.parts {
        let written = layer.part(part.kind);
        let family = match part.kind {
            PartKind::TcpOptions => Some(Family::Tcp),
            PartKind::Ipv4Options => Some(Family::Ipv4),
            PartKind::Ipv6Options => Some(Family::Ipv6),
            _ => None,
        };
        if let Some(family) = family {
            let mut options = written.unwrap_or_default().to_vec();
            option::pad(family, &mut options, def.header);
            out.append(&mut options);
            continue;
        }
        match (part.kind, written) {
            (PartKind::Length, Some(length)) => {
                let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                let pattern = if out.is_empty() { vec![0] } else { core::mem::take(&mut out) };
                out.extend(pattern.iter().cycle().take(length));
            }
            (_, Some(bytes)) => out.extend_from_slice(bytes),
            // A question is for an address of the Internet unless it says otherwise.
            (PartKind::DnsType | PartKind::DnsClass, None) if !out.is_empty() => out.extend([0, 1]),
            (PartKind::Bytes, None) if !def.is(&DATA) && !def.is(&PADDING) => {}
            _ => {}
        }
    }
    // Extension headers come in units of eight bytes.
    if def.fields.iter().any(|field| field.auto == Auto::ExtensionLength) {
        out.resize((def.header + out.len()).next_multiple_of(8) - def.header, 0);
    }
    out
}
