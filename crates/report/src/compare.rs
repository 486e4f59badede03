//! The same request over several HTTP versions, side by side.

use crate::text::Style;

/// One way of asking, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`, `HTTP/3 0-RTT`.
    pub version: String,
    /// Round trips until the first byte of the answer, names excluded.
    pub round_trips: f64,
    /// Nanoseconds to set up the connection (TCP and TLS, or QUIC).
    pub setup: u64,
    /// Nanoseconds from the start to the first byte of the answer.
    pub first_byte: u64,
    /// Nanoseconds from the start to the last byte of everything asked for.
    pub total: u64,
    /// Connections opened.
    pub connections: u32,
    /// Packets sent and received.
    pub packets: u64,
    /// Why it did not work, if it did not.
    pub failed: Option<String>,
    /// The objects of the page, when one was asked for.
    pub objects: Vec<ObjectTiming>,
}

/// One object of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectTiming {
    /// Its path.
    pub name: String,
    /// Nanoseconds since the start of the row: when it was asked for.
    pub start: u64,
    /// When the first byte came.
    pub first_byte: u64,
    /// When the last byte came.
    pub end: u64,
}

/// The table, and under it a chart of when each object arrived.
pub fn render(rows: &[Row], style: &Style) -> String {
    let _ = style;
    rows.iter().map(|row| format!("{}\n", row.version)).collect()
}
