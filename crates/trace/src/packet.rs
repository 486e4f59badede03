//! A captured frame with its number and its fate.
use bytes::Bytes;

/// One captured frame.
#[derive(Clone, Debug)]
pub struct Packet {
    /// From 1, as in the capture file.
    pub number: u64,
    /// Nanoseconds since the network's instant 0.
    pub at: u64,
    /// Index into `Trace::interfaces`.
    pub interface: u32,
    pub bytes: Bytes,
    pub fate: PacketFate,
    /// Shown as the packet's comment.
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PacketFate { Passed, /** With the reason in words. */ Dropped(String) }
