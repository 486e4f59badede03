//! Whom to ask: the deepest zone known to hold a name, and its servers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::core::Core;
use super::message::{Msg, Set};
use crate::authority::SignedZone;
use crate::authority::secondary::ZoneHandle;
use crate::rdata;

/// A zone that is not found by following delegations from the root.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The zone.
    pub zone: Name,
    /// What its servers are.
    pub kind: UpstreamKind,
    /// Their addresses.
    pub addresses: Vec<IpAddr>,
    /// Their names, whose addresses are looked up.
    pub hosts: Vec<Name>,
    /// When they fail, resolve as if it were not here.
    pub first: bool,
    /// Ask over TCP.
    pub tcp: bool,
    /// Keep nothing that they say.
    pub no_cache: bool,
    /// A stub's list is only a hint: ask one of them for the zone's name servers.
    pub prime: bool,
}

/// What the servers of an [`Upstream`] are.
#[derive(Clone, Debug)]
pub enum UpstreamKind {
    /// Resolvers that do the work for us.
    Forward,
    /// Authorities of the zone.
    Stub,
    /// Ourselves: the zone's data is here.
    Local(ZoneHandle),
}

/// A zone and its servers.
#[derive(Clone, Debug)]
pub(super) struct Delegation {
    pub(super) zone: Name,
    /// Names with the addresses that are known of them.
    pub(super) servers: Vec<(Name, Vec<IpAddr>)>,
    pub(super) forward: bool,
    pub(super) first: bool,
    pub(super) tcp: bool,
    pub(super) no_cache: bool,
    /// From our configuration: nothing above knows better.
    pub(super) configured: bool,
    /// Servers with addresses that somebody gave who is no authority for them: for when nothing else is left.
    pub(super) doubtful: Vec<(Name, Vec<IpAddr>)>,
}

impl Delegation {
    fn new(zone: Name) -> Delegation {
        Delegation {
            zone,
            servers: Vec::new(),
            forward: false,
            first: false,
            tcp: false,
            no_cache: false,
            configured: false,
            doubtful: Vec::new(),
        }
    }

    pub(super) fn of_upstream(upstream: &Upstream) -> Delegation {
        let mut servers: Vec<(Name, Vec<IpAddr>)> =
            upstream.hosts.iter().map(|host| (host.clone(), Vec::new())).collect();
        if !upstream.addresses.is_empty() {
            servers.push((upstream.zone.clone(), upstream.addresses.clone()));
        }
        Delegation {
            servers,
            forward: matches!(upstream.kind, UpstreamKind::Forward),
            first: upstream.first,
            tcp: upstream.tcp,
            no_cache: upstream.no_cache,
            configured: true,
            ..Delegation::new(upstream.zone.clone())
        }
    }

    /// The delegation in an NS set, with the addresses that came along.
    pub(super) fn of_referral(ns: &Set, msg: &Msg) -> Delegation {
        let mut delegation = Delegation::new(ns.name.to_lowercase());
        for data in &ns.data {
            let Some(server) = rdata::target(RecordType::NS, data) else { continue };
            let addresses =
                msg.additional.iter().filter(|set| set.name == server).flat_map(addresses).collect();
            delegation.servers.push((server.to_lowercase(), addresses));
        }
        delegation
    }
}

/// The addresses in an A or AAAA set.
pub(super) fn addresses(set: &Set) -> Vec<IpAddr> {
    set.data
        .iter()
        .filter_map(|data| match set.rtype {
            RecordType::A => <[u8; 4]>::try_from(&data[..]).ok().map(IpAddr::from),
            RecordType::AAAA => <[u8; 16]>::try_from(&data[..]).ok().map(IpAddr::from),
            _ => None,
        })
        .collect()
}

/// Where to begin for a name.
pub(super) enum Start {
    /// Here.
    At(Delegation),
    /// The answer is in a zone of our own.
    Local(Arc<SignedZone>),
    /// The name servers of this zone (the root, or a stub) have to be asked for first.
    Prime(Name),
}

impl Core {
    /// The deepest zone known to hold `name`, not deeper than `limit`.
    ///
    /// What has no longer than `leeway` to live is taken for expired.
    pub(super) fn start(&mut self, name: &Name, rtype: RecordType, leeway: Duration) -> Start {
        // DS is answered above the cut (RFC 4035 section 3.1.4.1).
        let above = if rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
        let upstream = self
            .config
            .upstreams
            .iter()
            .filter(|upstream| upstream.zone.zone_of(&above))
            .filter(|upstream| match &upstream.kind {
                UpstreamKind::Local(handle) => !upstream.first || handle.zone().is_some(),
                _ => true,
            })
            // Of two for one zone, the one whose data we hold.
            .max_by_key(|upstream| {
                (upstream.zone.iter().len(), matches!(upstream.kind, UpstreamKind::Local(_)))
            });
        match upstream.map(|upstream| &upstream.kind) {
            Some(UpstreamKind::Forward) => {
                return Start::At(Delegation::of_upstream(upstream.expect("just looked at")));
            }
            Some(UpstreamKind::Local(zone)) => {
                let upstream = upstream.expect("just looked at");
                let cached = self
                    .delegation_beyond(&above, leeway)
                    .filter(|cached| cached.zone != upstream.zone && upstream.zone.zone_of(&cached.zone));
                return match (cached, zone.zone()) {
                    (Some(cached), _) => Start::At(cached),
                    (None, Some(zone)) => Start::Local(zone),
                    // Nobody can be asked: that fails.
                    (None, None) => {
                        Start::At(Delegation { configured: true, ..Delegation::new(upstream.zone.clone()) })
                    }
                };
            }
            _ => {}
        }
        let cached = self.delegation_beyond(&above, leeway);
        let stub = upstream.filter(|_| true).cloned();
        let Some(cached) = cached else {
            return match stub {
                Some(stub) if !stub.zone.is_root() => self.at_stub(&stub),
                _ if self.config.prime => Start::Prime(Name::root()),
                _ => Start::At(self.root()),
            };
        };
        match stub {
            Some(stub) if stub.zone == cached.zone && !stub.prime => {
                Start::At(Delegation::of_upstream(&stub))
            }
            Some(stub) if stub.zone != cached.zone && cached.zone.zone_of(&stub.zone) => self.at_stub(&stub),
            _ => Start::At(cached),
        }
    }

    fn at_stub(&self, stub: &Upstream) -> Start {
        if stub.prime { Start::Prime(stub.zone.clone()) } else { Start::At(Delegation::of_upstream(stub)) }
    }

    /// The root's servers as configured.
    pub(super) fn root(&self) -> Delegation {
        let stub = self
            .config
            .upstreams
            .iter()
            .find(|upstream| upstream.zone.is_root() && matches!(upstream.kind, UpstreamKind::Stub));
        match stub {
            Some(stub) => Delegation::of_upstream(stub),
            None => {
                let servers = self.config.root_hints.clone();
                Delegation { servers, configured: true, ..Delegation::new(Name::root()) }
            }
        }
    }

    /// The deepest cached NS set at or above `name` whose servers can be found.
    pub(super) fn cached_delegation(&self, name: &Name) -> Option<Delegation> {
        self.delegation_beyond(name, Duration::ZERO)
    }

    fn delegation_beyond(&self, name: &Name, leeway: Duration) -> Option<Delegation> {
        let mut zone = name.clone();
        let lasts = |set: &Set| !set.expired(self.now + leeway);
        loop {
            if let Some(ns) = self.cache.set(self.now, &zone, RecordType::NS).filter(lasts) {
                let mut delegation = Delegation::new(zone.to_lowercase());
                for data in &ns.data {
                    let Some(server) = rdata::target(RecordType::NS, data) else { continue };
                    delegation.servers.push((server.to_lowercase(), Vec::new()));
                }
                self.fill(&mut delegation);
                // Without an address, a server inside the zone can be found by asking that zone only: never.
                let useful = |(server, addresses): &(Name, Vec<IpAddr>)| {
                    !addresses.is_empty() || !zone.zone_of(server)
                };
                if delegation.servers.iter().any(useful) {
                    return Some(delegation);
                }
            }
            if zone.is_root() {
                return None;
            }
            zone = zone.base_name();
        }
    }

    /// Adds the addresses that the cache knows.
    pub(super) fn fill(&self, delegation: &mut Delegation) {
        for (server, known) in &mut delegation.servers {
            for rtype in [RecordType::A, RecordType::AAAA] {
                let Some(set) = self.cache.set(self.now, server, rtype) else { continue };
                for address in addresses(&set) {
                    if !known.contains(&address) {
                        known.push(address);
                    }
                }
            }
        }
    }

    /// What is configured for this zone: a stub's servers, or the root's.
    pub(super) fn configured(&self, zone: &Name) -> Delegation {
        let stub =
            |upstream: &&Upstream| upstream.zone == *zone && matches!(upstream.kind, UpstreamKind::Stub);
        match self.config.upstreams.iter().find(stub) {
            Some(upstream) => Delegation::of_upstream(upstream),
            None => self.root(),
        }
    }

    /// Whether others may stand in for a zone of our own.
    pub(super) fn may_pass_over(&self, zone: &Name) -> bool {
        let own = |up: &&Upstream| up.zone == *zone && matches!(up.kind, UpstreamKind::Local(_));
        self.config.upstreams.iter().filter(own).any(|up| up.first)
    }

    /// Where to begin for `name` if nothing were configured for `zone`.
    pub(super) fn without_upstream(&self, name: &Name, zone: &Name) -> Option<Delegation> {
        let cached = self.cached_delegation(name);
        let depth = cached.as_ref().map_or(0, |cached| cached.zone.iter().len());
        let others = self.config.upstreams.iter().filter(|other| {
            other.zone != *zone
                && other.zone.zone_of(name)
                && other.zone.iter().len() >= depth
                && !matches!(other.kind, UpstreamKind::Local(_))
        });
        let other = others.max_by_key(|other| other.zone.iter().len());
        // The root's servers as a stub are what everybody begins with.
        let other =
            other.filter(|other| !other.zone.is_root() || matches!(other.kind, UpstreamKind::Forward));
        other.map(Delegation::of_upstream).or(cached)
    }
}
