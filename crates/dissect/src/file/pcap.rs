//! pcap: one header of 24 bytes, then records, each with a header of 16.

use super::{Interface, Order, Resolution};

pub(super) const HEADER: usize = 24;

/// The dialects of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) order: Order,
    pub(super) nanoseconds: bool,
    /// Length of a record's header: 16, or 24 in the old "patched" form with interface index and protocol.
    pub(super) record_header: usize,
}

/// Recognises the first four bytes.
pub(super) fn dialect(magic: [u8; 4]) -> Option<Dialect> {
    let (little, big) = (u32::from_le_bytes(magic), u32::from_be_bytes(magic));
    for (order, word) in [(Order::Little, little), (Order::Big, big)] {
        let (nanoseconds, record_header) = match word {
            0xA1B2_C3D4 => (false, 16),
            0xA1B2_3C4D => (true, 16),
            0xA1B2_CD34 => (false, 24),
            _ => continue,
        };
        return Some(Dialect { order, nanoseconds, record_header });
    }
    None
}

/// The only interface of the file, from its header.
pub(super) fn interface(dialect: Dialect, header: &[u8; HEADER]) -> Interface {
    // The upper bits of the last word tell of a frame check sequence; the type is in the lower ones.
    let link = (dialect.order.u32(&header[20..]) & 0xFFFF) as u16;
    Interface {
        link,
        snap_length: dialect.order.u32(&header[16..]),
        name: None,
        description: None,
        filter: None,
        os: None,
        resolution: Resolution::Decimal(if dialect.nanoseconds { 9 } else { 6 }),
        offset_seconds: i64::from(dialect.order.u32(&header[8..]) as i32),
    }
}

/// What a record's header says.
pub(super) struct RecordHeader {
    pub(super) time: u64,
    pub(super) captured: u32,
    pub(super) original: u32,
}

pub(super) fn record(dialect: Dialect, header: &[u8]) -> RecordHeader {
    let order = dialect.order;
    let (seconds, fraction) = (u64::from(order.u32(header)), u64::from(order.u32(&header[4..])));
    let scale = if dialect.nanoseconds { 1 } else { 1000 };
    RecordHeader {
        time: seconds * 1_000_000_000 + fraction * scale,
        captured: order.u32(&header[8..]),
        original: order.u32(&header[12..]),
    }
}
