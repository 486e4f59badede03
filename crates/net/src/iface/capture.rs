//! The frames of an interface, kept for whoever wants to see them.

use bytes::{Bytes, BytesMut};
use thru_stack::Frame;
use thru_stack::frame::Checksum;
use thru_stack::offload::segment::complete_checksum;
use thru_wire::Instant;

/// One frame.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it left or arrived.
    pub at: Instant,
    /// Whether we sent it.
    pub outgoing: bool,
    /// From the Ethernet header on; on a medium without one its addresses are zero.
    pub bytes: Bytes,
}

/// Keeps frames up to a bound; the first ones stay.
pub(super) struct Capture {
    ethernet: bool,
    frames: Vec<Captured>,
    bytes: usize,
}

/// Most bytes that are kept.
const MOST: usize = 256 << 20;

impl Capture {
    pub(super) fn new(ethernet: bool) -> Capture {
        Capture { ethernet, frames: Vec::new(), bytes: 0 }
    }

    pub(super) fn keep(&mut self, frame: &Frame, outgoing: bool) {
        if self.bytes + frame.bytes.len() > MOST {
            return;
        }
        self.bytes += frame.bytes.len();
        let bytes = match frame.offload.checksum {
            Checksum::Full | Checksum::Verified => frame.bytes.clone(),
            // Shown as it would be on a wire.
            Checksum::Partial { start, offset } => {
                let mut bytes = BytesMut::from(&frame.bytes[..]);
                complete_checksum(&mut bytes, start, offset);
                bytes.freeze()
            }
        };
        let bytes = if self.ethernet { bytes } else { with_header(&bytes) };
        self.frames.push(Captured { at: frame.rx_time, outgoing, bytes });
    }

    pub(super) fn frames(&self) -> Vec<Captured> {
        self.frames.clone()
    }
}

/// A bare IP packet as an Ethernet frame.
fn with_header(packet: &[u8]) -> Bytes {
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let mut frame = BytesMut::with_capacity(14 + packet.len());
    frame.extend_from_slice(&[0; 12]);
    frame.extend_from_slice(if v6 { &[0x86, 0xdd] } else { &[0x08, 0x00] });
    frame.extend_from_slice(packet);
    frame.freeze()
}
