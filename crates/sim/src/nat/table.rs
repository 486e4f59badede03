//! The table of mappings and sessions: bounded, expiring, with port allocation.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::RangeInclusive;
use std::collections::{BTreeMap, BTreeSet};

use thru_wire::Instant;
use thru_wire::ipv4::Protocol;

use super::session::{Progress, Way};
use super::{Filtering, Mapping, MappingInfo, NatConfig, NatStats, Unsolicited, reason};
use crate::digest::Digest;
use crate::rewrite::{Ends, Kind, flag};

/// So many of the sessions that expire first are looked at for one that nobody would miss.
const EVICTION_LOOKS: usize = 64;

/// All that a NAT knows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) config: NatConfig,
    seed: u64,
    entries: BTreeMap<EntryId, Entry>,
    next_id: u64,
    by_internal: BTreeMap<InternalKey, EntryId>,
    by_external: BTreeMap<(Protocol, SocketAddrV4), EntryId>,
    /// Sessions by when they were due to expire when that was last looked at; it may be later by now.
    expiry: BTreeSet<(Instant, EntryId, SocketAddrV4)>,
    /// Ports taken of those that are given out, so that having none left is known without looking for one.
    taken: BTreeMap<(Protocol, Ipv4Addr), u64>,
    stats: NatStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EntryId(u64);

/// Protocol, internal endpoint, and with address-and-port-dependent mapping the remote one.
type InternalKey = (Protocol, SocketAddrV4, Option<SocketAddrV4>);

/// One mapping.
#[derive(Debug)]
struct Entry {
    key: InternalKey,
    external: SocketAddrV4,
    sessions: BTreeMap<SocketAddrV4, Session>,
    /// A port forward: it stays without sessions and lets everybody in.
    forward: bool,
}

#[derive(Debug)]
struct Session {
    progress: Progress,
    kind: Kind,
    expires: Instant,
    /// Its key in the expiry index.
    indexed: Instant,
}

impl Table {
    pub(super) fn new(config: NatConfig, seed: u64) -> Table {
        let mut table = Table {
            config,
            seed,
            entries: BTreeMap::new(),
            next_id: 0,
            by_internal: BTreeMap::new(),
            by_external: BTreeMap::new(),
            expiry: BTreeSet::new(),
            taken: BTreeMap::new(),
            stats: NatStats::default(),
        };
        table.add_forwards();
        table
    }

    fn add_forwards(&mut self) {
        for forward in self.config.forwards.clone() {
            // Of two forwards for one port the first counts.
            if !self.is_mapped(forward.protocol, forward.external) {
                self.add_entry((forward.protocol, forward.internal, None), forward.external, true);
            }
        }
    }

    pub(super) fn flush(&mut self) {
        self.entries.clear();
        self.by_internal.clear();
        self.by_external.clear();
        self.expiry.clear();
        self.taken.clear();
        self.add_forwards();
    }

    /// The external endpoint for a packet on its way out; opens what is missing.
    pub(super) fn open(&mut self, now: Instant, ends: &Ends) -> Result<SocketAddrV4, &'static str> {
        self.expire(now);
        let mut found = self.find_internal(ends.protocol, ends.source, ends.destination);
        let known = found.is_some_and(|id| self.entries[&id].sessions.contains_key(&ends.destination));
        if !known {
            self.may_open(ends)?;
            self.make_room()?;
            // That may have taken the mapping's last session, and the mapping with it.
            found = found.filter(|id| self.entries.contains_key(id));
        }
        let id = match found {
            Some(id) => id,
            None => {
                let remote =
                    (self.config.mapping == Mapping::AddressAndPortDependent).then_some(ends.destination);
                let external = self.free_port(ends).ok_or(reason::NO_PORT)?;
                self.add_entry((ends.protocol, ends.source, remote), external, false)
            }
        };
        self.touch(now, id, ends.destination, Way::Out, ends.kind);
        Ok(self.entries[&id].external)
    }

    /// The internal endpoint for a packet from outside; `None`: no port of ours, the router may be meant.
    pub(super) fn enter(&mut self, now: Instant, ends: &Ends) -> Result<Option<SocketAddrV4>, &'static str> {
        self.expire(now);
        let Some(&id) = self.by_external.get(&(ends.protocol, ends.destination)) else { return Ok(None) };
        let entry = &self.entries[&id];
        let known = entry.sessions.contains_key(&ends.source);
        let let_in = known
            || entry.forward
            || match self.config.filtering {
                Filtering::EndpointIndependent => true,
                Filtering::AddressDependent => {
                    entry.sessions.keys().any(|remote| remote.ip() == ends.source.ip())
                }
                Filtering::AddressAndPortDependent => false,
            };
        if !let_in {
            // The router's own socket on that port may want to answer for itself.
            let own = self.is_ours(*entry.key.1.ip());
            let passes = own && self.config.unsolicited == Unsolicited::ToRouter;
            return if passes { Ok(None) } else { Err(reason::FILTERED) };
        }
        if !known {
            self.may_open(ends)?;
            self.make_room()?;
        }
        // Making room may have taken the mapping's last session, and the mapping with it.
        if !self.entries.contains_key(&id) {
            return Ok(None);
        }
        self.touch(now, id, ends.source, Way::In, ends.kind);
        Ok(Some(self.entries[&id].key.1))
    }

    /// The external endpoint of an internal one.
    pub(super) fn external_of(
        &self,
        protocol: Protocol,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let id = self.find_internal(protocol, internal, remote)?;
        Some(self.entries[&id].external)
    }

    /// The internal endpoint of an external one that has a session with `remote`.
    pub(super) fn internal_of(
        &self,
        protocol: Protocol,
        external: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let entry = &self.entries[self.by_external.get(&(protocol, external))?];
        entry.sessions.contains_key(&remote).then_some(entry.key.1)
    }

    /// Whether an external endpoint belongs to somebody inside, not to the router itself.
    pub(super) fn leads_inside(&self, protocol: Protocol, external: SocketAddrV4) -> bool {
        let id = self.by_external.get(&(protocol, external));
        id.is_some_and(|id| !self.is_ours(*self.entries[id].key.1.ip()))
    }

    fn is_mapped(&self, protocol: Protocol, external: SocketAddrV4) -> bool {
        self.by_external.contains_key(&(protocol, external))
    }

    /// Whether it is an address of the pool.
    pub(super) fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.config.addresses.contains(&address)
    }

    pub(super) fn stats(&self) -> NatStats {
        NatStats { mappings: self.entries.len(), sessions: self.expiry.len(), ..self.stats }
    }

    pub(super) fn count_drop(&mut self, why: &'static str) {
        self.stats.dropped += 1;
        self.stats.no_port += u64::from(why == reason::NO_PORT);
        self.stats.table_full += u64::from(why == reason::FULL);
    }

    pub(super) fn count_outbound(&mut self) {
        self.stats.outbound += 1;
    }

    pub(super) fn count_inbound(&mut self) {
        self.stats.inbound += 1;
    }

    pub(super) fn mappings(&self, now: Instant) -> Vec<MappingInfo> {
        let living = |entry: &Entry| -> Vec<(SocketAddrV4, Instant)> {
            let sessions = entry.sessions.iter().map(|(&remote, session)| (remote, session.expires));
            sessions.filter(|&(_, expires)| expires > now).collect()
        };
        let mut infos: Vec<MappingInfo> = self
            .entries
            .values()
            .map(|entry| (entry, living(entry)))
            .filter(|(entry, remotes)| entry.forward || !remotes.is_empty())
            .map(|(entry, remotes)| {
                let (protocol, internal, _) = entry.key;
                MappingInfo { protocol, internal, external: entry.external, remotes }
            })
            .collect();
        infos.sort_by_key(|info| (info.protocol, info.internal, info.external));
        infos
    }

    /// Whether this packet may be the first of a session.
    fn may_open(&self, ends: &Ends) -> Result<(), &'static str> {
        match ends.kind {
            Kind::Tcp { flags } if flags & flag::RST != 0 => Err(reason::UNKNOWN),
            Kind::Tcp { flags } if !self.config.loose_tcp && flags & (flag::SYN | flag::ACK) != flag::SYN => {
                Err(reason::UNKNOWN)
            }
            _ => Ok(()),
        }
    }

    fn find_internal(
        &self,
        protocol: Protocol,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<EntryId> {
        // Port forwards are kept without a remote, whatever the mapping behaviour.
        let dependent = self.by_internal.get(&(protocol, internal, Some(remote)));
        dependent.or_else(|| self.by_internal.get(&(protocol, internal, None))).copied()
    }

    /// Ports that are given out. Identifiers of ICMP are not ports: all of them will do.
    fn ports_of(&self, protocol: Protocol) -> RangeInclusive<u16> {
        if protocol == Protocol::ICMPV4 { 0..=u16::MAX } else { self.config.ports.clone() }
    }

    fn add_entry(&mut self, key: InternalKey, external: SocketAddrV4, forward: bool) -> EntryId {
        let id = EntryId(self.next_id);
        self.next_id += 1;
        // Two forwards may lead to one endpoint: its own packets leave by the first.
        self.by_internal.entry(key).or_insert(id);
        self.by_external.insert((key.0, external), id);
        if self.ports_of(key.0).contains(&external.port()) {
            *self.taken.entry((key.0, *external.ip())).or_default() += 1;
        }
        self.entries.insert(id, Entry { key, external, sessions: BTreeMap::new(), forward });
        id
    }

    /// A port for a new mapping: the same as inside if it is free, or else one of the same parity (RFC 4787 REQ-3,
    /// REQ-4), beginning where a hash of the internal endpoint says, or else any.
    fn free_port(&self, ends: &Ends) -> Option<SocketAddrV4> {
        let wanted = ends.source.port();
        let mut hash = Digest::new(self.seed);
        hash.bytes(&ends.source.ip().octets());
        let pool = &self.config.addresses;
        let own = pool.iter().position(|address| address == ends.source.ip());
        let address = pool[own.unwrap_or((hash.finish() % pool.len() as u64) as usize)];
        let free = |port: u16| {
            let external = SocketAddrV4::new(address, port);
            (!self.is_mapped(ends.protocol, external)).then_some(external)
        };
        let ports = self.ports_of(ends.protocol);
        // The router's own ports stay if they can.
        if (ports.contains(&wanted) || own.is_some())
            && let Some(external) = free(wanted)
        {
            return Some(external);
        }
        let count = u64::from(*ports.end()).checked_sub(u64::from(*ports.start()))? + 1;
        if self.taken.get(&(ends.protocol, address)).is_some_and(|&taken| taken >= count) {
            return None;
        }
        hash.word(u64::from(wanted));
        hash.word(u64::from(ends.protocol.0));
        hash.word(u64::from(u32::from(*ends.destination.ip())));
        let first = hash.finish() % count;
        let nth = |n: u64| (u64::from(*ports.start()) + (first + n) % count) as u16;
        let candidates = || (0..count).map(nth);
        let same_parity = candidates().filter(|port| port % 2 == wanted % 2);
        let other_parity = candidates().filter(|port| port % 2 != wanted % 2);
        same_parity.chain(other_parity).find_map(free)
    }

    /// A packet of a session: what it changes, and how long the session lives from now on.
    fn touch(&mut self, now: Instant, id: EntryId, remote: SocketAddrV4, way: Way, kind: Kind) {
        let entry = self.entries.get_mut(&id).expect("the entry was just found");
        let session = entry.sessions.entry(remote).or_insert_with(|| {
            // The index knows it under `now` at first and finds the true time when it looks.
            self.expiry.insert((now, id, remote));
            Session { progress: Progress::default(), kind, expires: now, indexed: now }
        });
        session.progress.note(way, kind);
        session.expires = now + session.progress.timeout(session.kind, &self.config.timeouts);
        // Normally later than indexed: then the index can wait. A reset brings it forward.
        if session.expires < session.indexed {
            self.expiry.remove(&(session.indexed, id, remote));
            self.expiry.insert((session.expires, id, remote));
            session.indexed = session.expires;
        }
    }

    /// Forgets what has been idle for too long.
    fn expire(&mut self, now: Instant) {
        while let Some(&(at, id, remote)) = self.expiry.first() {
            if at > now {
                break;
            }
            let entry = self.entries.get_mut(&id).expect("an indexed session has its entry");
            let session = entry.sessions.get_mut(&remote).expect("an indexed session exists");
            if session.expires > now {
                self.expiry.pop_first();
                session.indexed = session.expires;
                self.expiry.insert((session.expires, id, remote));
            } else {
                self.remove_session(id, remote);
                self.stats.expired += 1;
            }
        }
    }

    /// Room for one more session, by giving up one that nobody would miss: a handshake that never ended, a
    /// connection that is closing, a datagram that was never answered.
    fn make_room(&mut self) -> Result<(), &'static str> {
        if self.expiry.len() < self.config.sessions_max {
            return Ok(());
        }
        let dispensable = |&&(_, id, remote): &&(Instant, EntryId, SocketAddrV4)| {
            let session = &self.entries[&id].sessions[&remote];
            !session.progress.is_alive(session.kind)
        };
        let victim = self.expiry.iter().take(EVICTION_LOOKS).find(dispensable).copied();
        let (_, id, remote) = victim.ok_or(reason::FULL)?;
        self.remove_session(id, remote);
        self.stats.evicted += 1;
        Ok(())
    }

    fn remove_session(&mut self, id: EntryId, remote: SocketAddrV4) {
        let entry = self.entries.get_mut(&id).expect("a session has its entry");
        let session = entry.sessions.remove(&remote).expect("the session to remove exists");
        self.expiry.remove(&(session.indexed, id, remote));
        if entry.sessions.is_empty() && !entry.forward {
            let (key, external) = (entry.key, entry.external);
            self.entries.remove(&id);
            self.by_external.remove(&(key.0, external));
            if self.by_internal.get(&key) == Some(&id) {
                self.by_internal.remove(&key);
            }
            if self.ports_of(key.0).contains(&external.port())
                && let Some(taken) = self.taken.get_mut(&(key.0, *external.ip()))
            {
                *taken -= 1;
            }
        }
    }
}
