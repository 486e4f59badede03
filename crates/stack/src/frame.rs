//! A frame on its way: the bytes, and what travels with them.

use bytes::Bytes;
use thru_wire::Instant;

/// Link-layer bytes (from the Ethernet header on, or from the IP header on a medium without one).
#[derive(Clone, Debug)]
pub struct Frame {
    /// The bytes as they are on the wire. Cloning shares them.
    pub bytes: Bytes,
    /// When the frame arrived at (or left) the host. Every RTT and loss sample uses this, never the
    /// time at which it happened to be processed.
    pub rx_time: Instant,
}
