//! UDP sockets (RFC 768): who listens where, what waits for the application.
//!
//! `Sockets` is a table and its queues; packets are made and taken apart by `host`. Demultiplexing is one
//! hash of the port, then the address: exact before wildcard. `[::]` takes IPv4 too where no IPv4 socket has the port.

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use thru_wire::Instant;

use crate::icmp::IcmpReport;
use crate::random::{self, KeyedState};

/// A UDP socket of one host. Never used again for another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UdpId(pub(crate) u64);

/// One datagram to send.
#[derive(Clone, Debug)]
pub struct UdpSend<'a> {
    /// Where it goes.
    pub to: SocketAddr,
    /// Source address to use instead of the chosen one.
    pub from: Option<IpAddr>,
    /// What it carries; at most 65507 bytes over IPv4, 65527 over IPv6.
    pub payload: &'a [u8],
    /// TTL or hop limit; `None`: the host's.
    pub ttl: Option<u8>,
    /// The two ECN bits.
    pub ecn: u8,
    /// Set DF / never fragment at the source; larger datagrams fail with [`UdpError::TooBig`].
    pub dont_fragment: bool,
}

/// One datagram received.
#[derive(Clone, Debug)]
pub struct UdpDatagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// The address it was sent to (matters on a wildcard socket).
    pub to: SocketAddr,
    /// What it carries.
    pub payload: Bytes,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Arrival of the frame.
    pub rx_time: Instant,
}

/// Why a socket could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpError {
    /// Another socket has the address and port.
    AddressInUse,
    /// The local address is not ours.
    AddressNotAvailable,
    /// No route leads to the destination.
    NoRoute,
    /// It does not fit into a packet, or not into an unfragmented one when asked for.
    TooBig {
        /// Largest IP packet that would do.
        mtu: usize,
    },
    /// No such socket.
    Closed,
    /// Every ephemeral port is taken.
    NoPorts,
}

/// Ephemeral ports: Linux's range, inside what RFC 6056 3.2 recommends.
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;
/// Bytes of datagrams that wait for the application, with overhead, per socket; what does not fit is discarded.
const QUEUE_BYTES_MAX: usize = 2 << 20;
/// What one waiting datagram costs besides its payload.
const DATAGRAM_OVERHEAD: usize = 256;
/// ICMP errors that wait for the application, per socket; the oldest is given up first.
const ERRORS_MAX: usize = 64;

/// Every UDP socket of one host.
#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: BTreeMap<UdpId, Socket>,
    ports: HashMap<Port, Bound, KeyedState>,
    next_id: u64,
    /// RFC 6056 3.3: the next port is a keyed hash of a counter, so that it can't be foretold.
    port_key: [u8; 16],
    ports_given: u64,
    pub(crate) wakes: u64,
}

/// A port of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Port {
    v6: bool,
    port: u16,
}

/// Who has a port.
#[derive(Debug, Default)]
struct Bound {
    wildcard: Option<UdpId>,
    specific: BTreeMap<IpAddr, UdpId>,
}

#[derive(Debug)]
struct Socket {
    local: SocketAddr,
    queue: VecDeque<UdpDatagram>,
    queued_bytes: usize,
    errors: VecDeque<IcmpReport>,
    wakers: Vec<Waker>,
}

impl Sockets {
    pub(crate) fn new(seed: u64) -> Sockets {
        Sockets {
            sockets: BTreeMap::new(),
            ports: HashMap::with_hasher(KeyedState::new(seed, "udp ports")),
            next_id: 0,
            port_key: random::key(seed, "udp ephemeral ports"),
            ports_given: 0,
            wakes: 0,
        }
    }

    /// Opens a socket at `local`, whose address the caller has checked; port 0 means "choose".
    pub(crate) fn bind(&mut self, local: SocketAddr) -> Result<UdpId, UdpError> {
        let port = match local.port() {
            0 => self.ephemeral(local.ip()).ok_or(UdpError::NoPorts)?,
            port if self.is_free(local.ip(), port) => port,
            _ => return Err(UdpError::AddressInUse),
        };
        let id = UdpId(self.next_id);
        self.next_id += 1;
        let bound = self.ports.entry(Port { v6: local.is_ipv6(), port }).or_default();
        if local.ip().is_unspecified() {
            bound.wildcard = Some(id);
        } else {
            bound.specific.insert(local.ip(), id);
        }
        let socket = Socket {
            local: SocketAddr::new(local.ip(), port),
            queue: VecDeque::new(),
            queued_bytes: 0,
            errors: VecDeque::new(),
            wakers: Vec::new(),
        };
        self.sockets.insert(id, socket);
        Ok(id)
    }

    pub(crate) fn close(&mut self, id: UdpId) {
        let Some(socket) = self.sockets.remove(&id) else { return };
        let port = Port { v6: socket.local.is_ipv6(), port: socket.local.port() };
        let Some(bound) = self.ports.get_mut(&port) else { return };
        if bound.wildcard == Some(id) {
            bound.wildcard = None;
        } else {
            bound.specific.remove(&socket.local.ip());
        }
        if bound.wildcard.is_none() && bound.specific.is_empty() {
            self.ports.remove(&port);
        }
    }

    pub(crate) fn local(&self, id: UdpId) -> Option<SocketAddr> {
        self.sockets.get(&id).map(|socket| socket.local)
    }

    /// The socket that packets to `local` belong to.
    pub(crate) fn find(&self, local: SocketAddr) -> Option<UdpId> {
        let of = |v6| {
            let bound = self.ports.get(&Port { v6, port: local.port() })?;
            bound.specific.get(&local.ip()).copied().or(bound.wildcard)
        };
        match local.ip() {
            IpAddr::V6(_) => of(true),
            IpAddr::V4(_) => of(false).or_else(|| {
                let port = Port { v6: true, port: local.port() };
                self.ports.get(&port)?.wildcard
            }),
        }
    }

    /// Queues a datagram; `false` if there was no room.
    pub(crate) fn deliver(&mut self, id: UdpId, datagram: UdpDatagram) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        let cost = datagram.payload.len() + DATAGRAM_OVERHEAD;
        if socket.queued_bytes + cost > QUEUE_BYTES_MAX {
            return false;
        }
        socket.queued_bytes += cost;
        socket.queue.push_back(datagram);
        self.wakes += wake_all(&mut socket.wakers);
        true
    }

    pub(crate) fn deliver_error(&mut self, id: UdpId, report: IcmpReport) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if socket.errors.len() == ERRORS_MAX {
            socket.errors.pop_front();
        }
        socket.errors.push_back(report);
        self.wakes += wake_all(&mut socket.wakers);
    }

    pub(crate) fn receive(&mut self, id: UdpId) -> Option<UdpDatagram> {
        let socket = self.sockets.get_mut(&id)?;
        let datagram = socket.queue.pop_front()?;
        socket.queued_bytes -= datagram.payload.len() + DATAGRAM_OVERHEAD;
        Some(datagram)
    }

    pub(crate) fn take_error(&mut self, id: UdpId) -> Option<IcmpReport> {
        self.sockets.get_mut(&id)?.errors.pop_front()
    }

    pub(crate) fn add_waker(&mut self, id: UdpId, waker: &Waker) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            add_waker(&mut socket.wakers, waker);
        }
    }

    fn is_free(&self, address: IpAddr, port: u16) -> bool {
        match self.ports.get(&Port { v6: address.is_ipv6(), port }) {
            None => true,
            // A wildcard shares its port with nobody (as without SO_REUSEADDR elsewhere).
            Some(bound) => {
                bound.wildcard.is_none()
                    && !address.is_unspecified()
                    && !bound.specific.contains_key(&address)
            }
        }
    }

    /// RFC 6056 3.3.1 with the random number taken from a keyed hash; then the ports after it, each once.
    fn ephemeral(&mut self, address: IpAddr) -> Option<u16> {
        let count = u64::from(EPHEMERAL.end() - EPHEMERAL.start()) + 1;
        let hasher = siphasher::sip::SipHasher24::new_with_key(&self.port_key);
        let start = hasher.hash(&self.ports_given.to_le_bytes()) % count;
        self.ports_given += 1;
        (0..count)
            .map(|step| EPHEMERAL.start() + ((start + step) % count) as u16)
            .find(|&port| self.is_free(address, port))
    }
}

/// Remembers `waker` once.
pub(crate) fn add_waker(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

/// Wakes everyone who waits, and counts them.
pub(crate) fn wake_all(wakers: &mut Vec<Waker>) -> u64 {
    let count = wakers.len() as u64;
    for waker in wakers.drain(..) {
        waker.wake();
    }
    count
}

#[cfg(test)]
mod tests;
