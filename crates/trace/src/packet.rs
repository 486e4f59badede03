//! A captured frame with its number and its fate.
use bytes::Bytes;

/// One captured frame.
#[derive(Clone, Debug)]
pub struct Packet {
    /// From 1, as in the capture file.
    pub number: u64,
    /// Nanoseconds since the network's instant 0.
    pub at: u64,
    /// Index into [`crate::Trace::interfaces`].
    pub interface: u32,
    /// The Ethernet frame, without its checksum.
    pub bytes: Bytes,
    /// What became of it.
    pub fate: PacketFate,
    /// Shown as the packet's comment.
    pub comment: Option<String>,
}

/// What became of a frame after it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketFate {
    /// It went on.
    Passed,
    /// It went no further; with the reason in words.
    Dropped(String),
}
