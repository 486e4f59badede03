//! From the addresses and ports of a segment to what they belong to: one keyed hash, whatever the number of
//! connections.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::HashMap;

use crate::random::KeyedState;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// The two ends of a connection, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
}

/// What a pair of ends belongs to. The smallest objects, those in TIME-WAIT, have a table of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    HalfOpen(u32),
    Connection(u32),
}

/// The tables. Neither is ever iterated.
#[derive(Debug)]
pub(crate) struct Demux {
    pairs: HashMap<Pair, Target, KeyedState>,
    listeners: HashMap<Endpoint, u32, KeyedState>,
    /// What was found last: segments come in trains.
    recent: Option<(Pair, Target)>,
}

impl Demux {
    pub(crate) fn new(seed: u64) -> Demux {
        Demux {
            pairs: HashMap::with_hasher(KeyedState::new(seed, "tcp pairs")),
            listeners: HashMap::with_hasher(KeyedState::new(seed, "tcp listeners")),
            recent: None,
        }
    }

    pub(crate) fn find(&self, pair: &Pair) -> Option<Target> {
        self.pairs.get(pair).copied()
    }

    /// The same for a segment that arrived: the next one of its train is found without a search.
    pub(crate) fn find_for_segment(&mut self, pair: &Pair) -> Option<Target> {
        if let Some((recent, target)) = &self.recent
            && recent == pair
        {
            return Some(*target);
        }
        let found = self.find(pair);
        self.recent = found.map(|target| (*pair, target));
        found
    }

    /// Also replaces, when an object becomes one of another size.
    pub(crate) fn set(&mut self, pair: Pair, target: Target) {
        self.recent = Some((pair, target));
        self.pairs.insert(pair, target);
    }

    pub(crate) fn remove(&mut self, pair: &Pair) {
        if self.recent.as_ref().is_some_and(|(recent, _)| recent == pair) {
            self.recent = None;
        }
        self.pairs.remove(pair);
    }

    /// The listener for a local end: the address itself, then its family's wildcard, then, for IPv4, IPv6's.
    pub(crate) fn listener(&self, local: Endpoint) -> Option<u32> {
        if self.listeners.is_empty() {
            return None;
        }
        let any = |address| self.listeners.get(&Endpoint { address, port: local.port }).copied();
        self.listeners
            .get(&local)
            .copied()
            .or_else(|| local.address.is_ipv4().then(|| any(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).flatten())
            .or_else(|| any(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    pub(crate) fn listener_at(&self, local: &Endpoint) -> Option<u32> {
        self.listeners.get(local).copied()
    }

    pub(crate) fn set_listener(&mut self, local: Endpoint, listener: u32) {
        self.listeners.insert(local, listener);
    }

    pub(crate) fn remove_listener(&mut self, local: &Endpoint) {
        self.listeners.remove(local);
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { address: address.ip(), port: address.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.address, endpoint.port)
    }
}

impl Endpoint {
    fn fold(&self, into: &mut [u8]) {
        match self.address {
            // As mapped addresses: one form for the hash.
            IpAddr::V4(v4) => into[..16].copy_from_slice(&v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => into[..16].copy_from_slice(&v6.octets()),
        }
        into[16..].copy_from_slice(&self.port.to_be_bytes());
    }
}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0; 18];
        self.fold(&mut bytes);
        state.write(&bytes);
    }
}

impl Pair {
    /// One form for hashes: both ends, ours first.
    pub(crate) fn bytes(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        let (local, remote) = bytes.split_at_mut(18);
        self.local.fold(local);
        self.remote.fold(remote);
        bytes
    }
}

impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes());
    }
}
