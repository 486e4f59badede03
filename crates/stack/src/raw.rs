//! Raw sockets: whole IP packets of one protocol, echo replies of one identifier (ping), or whole frames.

use core::task::Waker;
use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use thru_wire::Instant;

use crate::host::InterfaceId;
use crate::random::KeyedState;
use crate::udp::{add_waker, wake_all};

/// A raw socket of one host. Never used again for another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawId(pub(crate) u64);

/// What a raw socket receives copies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawProtocol {
    /// All IPv4 packets of this protocol number.
    Ipv4(u8),
    /// All IPv6 packets with this next header.
    Ipv6(u8),
    /// ICMP errors and echo replies of IPv4 that belong to echo identifier `.0`, and nothing else.
    PingV4(u16),
    /// The same for ICMPv6.
    PingV6(u16),
    /// All frames that arrive on an interface, whoever they are for, before anything is done with them.
    Link(InterfaceId),
}

/// A packet that a raw socket received.
#[derive(Clone, Debug)]
pub struct RawPacket {
    /// The whole IP packet; of [`RawProtocol::Link`] the whole frame.
    pub packet: Bytes,
    /// Arrival of the frame.
    pub rx_time: Instant,
}

/// Why a raw socket could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawError {
    /// No route leads to the destination.
    NoRoute,
    /// Not an IP packet of the socket's version.
    Malformed,
    /// No such socket.
    Closed,
    /// It does not fit and must not be fragmented.
    TooBig {
        /// Largest IP packet that would do.
        mtu: usize,
    },
}

/// Bytes that wait for the application, with overhead, per socket; what does not fit is discarded.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// What one waiting packet costs besides its bytes.
const PACKET_OVERHEAD: usize = 128;

/// Every raw socket of one host.
#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: BTreeMap<RawId, Socket>,
    /// Who wants what, in the order of opening.
    wanted: HashMap<RawProtocol, Vec<RawId>, KeyedState>,
    next_id: u64,
    pub(crate) wakes: u64,
}

#[derive(Debug)]
struct Socket {
    protocol: RawProtocol,
    queue: VecDeque<RawPacket>,
    queued_bytes: usize,
    wakers: Vec<Waker>,
}

impl Sockets {
    pub(crate) fn new(seed: u64) -> Sockets {
        Sockets {
            sockets: BTreeMap::new(),
            wanted: HashMap::with_hasher(KeyedState::new(seed, "raw")),
            next_id: 0,
            wakes: 0,
        }
    }

    pub(crate) fn open(&mut self, protocol: RawProtocol) -> RawId {
        let id = RawId(self.next_id);
        self.next_id += 1;
        let socket = Socket { protocol, queue: VecDeque::new(), queued_bytes: 0, wakers: Vec::new() };
        self.sockets.insert(id, socket);
        self.wanted.entry(protocol).or_default().push(id);
        id
    }

    pub(crate) fn close(&mut self, id: RawId) {
        let Some(socket) = self.sockets.remove(&id) else { return };
        if let Some(ids) = self.wanted.get_mut(&socket.protocol) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.wanted.remove(&socket.protocol);
            }
        }
    }

    pub(crate) fn protocol(&self, id: RawId) -> Option<RawProtocol> {
        self.sockets.get(&id).map(|socket| socket.protocol)
    }

    /// Whether somebody wants any packets.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether somebody wants such packets.
    pub(crate) fn wants(&self, protocol: RawProtocol) -> bool {
        !self.wanted.is_empty() && self.wanted.contains_key(&protocol)
    }

    /// Gives a copy (shared bytes) to everyone who wants such packets; answers whether somebody does.
    pub(crate) fn deliver(&mut self, protocol: RawProtocol, packet: &RawPacket) -> bool {
        if self.wanted.is_empty() {
            return false;
        }
        let Some(ids) = self.wanted.get(&protocol) else { return false };
        for id in ids {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let cost = packet.packet.len() + PACKET_OVERHEAD;
            if socket.queued_bytes + cost <= QUEUE_BYTES_MAX {
                socket.queued_bytes += cost;
                socket.queue.push_back(packet.clone());
                self.wakes += wake_all(&mut socket.wakers);
            }
        }
        true
    }

    pub(crate) fn receive(&mut self, id: RawId) -> Option<RawPacket> {
        let socket = self.sockets.get_mut(&id)?;
        let packet = socket.queue.pop_front()?;
        socket.queued_bytes -= packet.packet.len() + PACKET_OVERHEAD;
        Some(packet)
    }

    pub(crate) fn add_waker(&mut self, id: RawId, waker: &Waker) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            add_waker(&mut socket.wakers, waker);
        }
    }
}
