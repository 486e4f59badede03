//! pcapng: blocks with their length at both ends.

use std::sync::Arc;

use super::{Interface, Item, Names, OptionField, Options, Order, Record, Resolution};

pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
pub(super) const INTERFACE: u32 = 1;
pub(super) const PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(super) const NAMES: u32 = 4;
pub(super) const STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;
pub(super) const SECRETS: u32 = 10;

pub(super) const BYTE_ORDER: u32 = 0x1A2B_3C4D;

/// The order of a section, from its byte-order magic.
pub(super) fn order(magic: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big].into_iter().find(|order| order.u32(magic) == BYTE_ORDER)
}

/// What is wrong with a block.
pub(super) type Damage = &'static str;

/// What is kept of a text about an interface.
const TEXT_BYTES_MAX: usize = 255;

/// An interface description. Its texts take their room from `room`; what has none is not kept.
pub(super) fn interface(body: &[u8], order: Order, room: &mut usize) -> Result<Interface, Damage> {
    if body.len() < 8 {
        return Err("an interface block is too short");
    }
    let mut interface = Interface {
        link: order.u16(body),
        snap_length: order.u32(&body[4..]),
        name: None,
        description: None,
        filter: None,
        os: None,
        resolution: Resolution::Decimal(6),
        offset_seconds: 0,
    };
    let mut kept = |option: OptionField<'_>| {
        let text = option.text_within(TEXT_BYTES_MAX);
        *room = room.checked_sub(text.len())?;
        Some(Arc::from(text))
    };
    for option in Options::new(&body[8..], order) {
        match (option.code, option.bytes) {
            (2, _) => interface.name = kept(option),
            (3, _) => interface.description = kept(option),
            (9, [bits, ..]) if bits & 0x80 != 0 => interface.resolution = Resolution::Binary(bits & 0x7F),
            (9, [digits, ..]) => interface.resolution = Resolution::Decimal(*digits),
            // The first byte says that a pcap filter's text follows.
            (11, [0, bytes @ ..]) => interface.filter = kept(OptionField { bytes, ..option }),
            (12, _) => interface.os = kept(option),
            (14, [_, _, _, _, _, _, _, _]) => interface.offset_seconds = option.u64() as i64,
            _ => {}
        }
    }
    Ok(interface)
}

/// Reads a block that is neither a section header nor an interface.
pub(super) fn item<'a>(
    kind: u32,
    body: &'a [u8],
    order: Order,
    interfaces: &[Interface],
    number: u64,
) -> Result<Item<'a>, Damage> {
    match kind {
        PACKET | ENHANCED_PACKET | SIMPLE_PACKET => {
            packet(kind, body, order, interfaces, number).map(Item::Packet)
        }
        NAMES => Ok(Item::Names(Names { records: Options::new(body, order) })),
        SECRETS => {
            let length = body.get(4..8).map(|word| order.u32(word) as usize);
            let bytes = length.and_then(|length| body.get(8..)?.get(..length));
            Ok(Item::Secrets { kind: order.u32(body), bytes: bytes.ok_or("a secrets block is too short")? })
        }
        STATISTICS if body.len() >= 12 => {
            Ok(Item::Statistics { interface: order.u32(body), options: Options::new(&body[12..], order) })
        }
        _ => Ok(Item::Unknown { kind, body }),
    }
}

fn packet<'a>(
    kind: u32,
    body: &'a [u8],
    order: Order,
    interfaces: &[Interface],
    number: u64,
) -> Result<Record<'a>, Damage> {
    let header = if kind == SIMPLE_PACKET { 4 } else { 20 };
    if body.len() < header {
        return Err("a packet block is too short");
    }
    let index = match kind {
        ENHANCED_PACKET => order.u32(body),
        PACKET => u32::from(order.u16(body)),
        _ => 0,
    };
    let interface =
        interfaces.get(index as usize).ok_or("a packet names an interface that was not described")?;
    let (original, captured) = if kind == SIMPLE_PACKET {
        let original = order.u32(body);
        let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
        (original, original.min(limit).min(body.len() as u32 - 4))
    } else {
        (order.u32(&body[16..]), order.u32(&body[12..]))
    };
    let end = header.checked_add(captured as usize).filter(|end| *end <= body.len());
    let end = end.ok_or("a packet is longer than its block")?;
    let time = (kind != SIMPLE_PACKET).then(|| {
        let ticks = u64::from(order.u32(&body[4..])) << 32 | u64::from(order.u32(&body[8..]));
        interface.resolution.nanos(ticks, interface.offset_seconds)
    });
    let options = body.get(end.next_multiple_of(4)..).filter(|_| kind != SIMPLE_PACKET).unwrap_or(&[]);
    Ok(Record {
        number,
        time,
        interface: index,
        link: interface.link,
        original,
        bytes: &body[header..end],
        options: Options::new(options, order),
    })
}
