//! The seam between TCP and the IP layer below it.

use core::net::IpAddr;

use bytes::Bytes;
use thru_wire::Instant;

/// What TCP asks the IP layer.
pub trait Path {
    /// The address to use towards `destination`; `None`: no route.
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr>;
    /// Largest IP packet towards `destination`, in bytes: what path MTU discovery knows, or the interface's MTU.
    fn mtu(&self, destination: IpAddr) -> usize;
    /// Whether `address` is one of ours.
    fn is_local(&self, address: IpAddr) -> bool;
}

/// A segment that arrived, out of its IP packet.
#[derive(Clone, Debug)]
pub struct SegmentIn {
    /// Source address of the packet.
    pub src: IpAddr,
    /// Destination address of the packet: one of ours.
    pub dst: IpAddr,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Arrival of the frame.
    pub rx_time: Instant,
    /// TCP header and payload; the checksum is verified here.
    pub bytes: Bytes,
}

/// A segment that wants to leave, to be put into an IP packet.
#[derive(Clone, Debug)]
pub struct SegmentOut {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// The two ECN bits.
    pub ecn: u8,
    /// TTL or hop limit; `None`: the host's.
    pub ttl: Option<u8>,
    /// TCP header with checksum, and payload.
    pub bytes: Bytes,
}
