//! The servers of one zone: which to ask next, and how to find those whose addresses are not known.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::super::ExchangeId;
use super::super::delegation::{Delegation, addresses};
use super::super::exchange::Ask;
use super::super::jobs::{Cx, Failure, JobId, Kind, Outcome};
use super::super::message::rcode;
use super::failure;
use crate::text::name_text;
use crate::wire::Question;

/// Addresses of one zone that are asked at all.
const CANDIDATES_MAX: usize = 64;

/// What makes one server better than another, the weightiest first; less is better: blamed, recursive, tries, slow,
/// round trip.
type Rank = (bool, bool, u32, bool, Duration);

/// An address that may be asked.
#[derive(Debug)]
struct Candidate {
    address: IpAddr,
    name: Name,
    tries: u32,
    /// Answered in a way that makes asking it again useless.
    out: bool,
    /// It resolves for others, and is no authority: asked last, with RD.
    recursive: bool,
}

#[derive(Debug)]
pub(super) struct Targets {
    zone: Name,
    /// All servers of the delegation.
    names: Vec<Name>,
    candidates: Vec<Candidate>,
    /// Servers whose addresses are not known yet.
    unknown: Vec<(Name, Vec<RecordType>)>,
    pending: Vec<(JobId, Name)>,
    /// Servers inside the zone without glue: only the zone above may know their addresses.
    glueless: Vec<(Name, Vec<RecordType>)>,
    lookups: u32,
    forward: bool,
    tcp: bool,
    checking_disabled: bool,
    /// The delegation named neither addresses nor servers that could be looked up.
    hopeless: bool,
}

impl Targets {
    pub(super) fn new(cx: &Cx, delegation: &Delegation) -> Targets {
        let core = cx.core();
        let config = &core.config;
        let mut targets = Targets {
            zone: delegation.zone.clone(),
            names: delegation.servers.iter().map(|(server, _)| server.clone()).collect(),
            candidates: Vec::new(),
            unknown: Vec::new(),
            pending: Vec::new(),
            glueless: Vec::new(),
            lookups: 0,
            forward: delegation.forward,
            tcp: delegation.tcp || config.tcp_upstream,
            checking_disabled: delegation.forward && !core.anchors.is_empty(),
            hopeless: false,
        };
        for (server, known) in &delegation.servers {
            for &address in known {
                targets.add(&core, address, server);
            }
            // Without glue, a server inside the zone can be found by asking that zone only: never.
            let hopeless = delegation.zone.zone_of(server) && !delegation.configured;
            let have = |v4| known.iter().any(|address| address.is_ipv4() == v4);
            let mut wanted = Vec::new();
            if config.v4 && !have(true) {
                wanted.push(RecordType::A);
            }
            if config.v6 && !have(false) {
                wanted.push(RecordType::AAAA);
            }
            let named = delegation.configured && *server == delegation.zone && !known.is_empty();
            if !wanted.is_empty() && !named && !hopeless {
                targets.unknown.push((server.clone(), wanted));
            } else if hopeless && known.is_empty() {
                targets.glueless.push((server.clone(), wanted));
            }
        }
        targets.hopeless = targets.unknown.is_empty() && targets.candidates.is_empty();
        if targets.zone.is_root() {
            targets.glueless.clear();
        }
        targets
    }

    fn add(&mut self, core: &super::super::core::Core, address: IpAddr, server: &Name) {
        let config = &core.config;
        let told = address;
        let usable = if address.is_ipv4() { config.v4 } else { config.v6 };
        // NAT64: a v4 server behind a v6-only network is reached by its embedded address (RFC 6146).
        let (address, usable) = match (address, &config.nat64) {
            (IpAddr::V4(v4), Some(prefix)) if !config.v4 || config.nat64_always => {
                (IpAddr::V6(super::super::embed(*prefix, v4)), config.v6)
            }
            _ => (address, usable),
        };
        let within = |(prefix, length): (IpAddr, u8)| super::super::in_prefix(told, prefix, length);
        // What counts is the server's own address, not the gateway's prefix it may be reached through.
        let translated = config.nat64.is_some_and(|(prefix, length)| within((prefix.into(), length)));
        let forbidden = !translated && config.never_ask.iter().any(|prefix| within(*prefix));
        let known = self.candidates.iter().any(|candidate| candidate.address == address);
        if usable && !forbidden && !known && self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push(Candidate {
                address,
                name: server.clone(),
                tries: 0,
                out: false,
                recursive: false,
            });
        }
    }

    /// This server is no use for this zone.
    pub(super) fn out(&mut self, address: IpAddr) {
        self.change(address, |candidate| candidate.out = true);
    }

    /// Further addresses of servers that have one are not worth an errand.
    pub(super) fn no_errands(&mut self) {
        let candidates = &self.candidates;
        self.unknown.retain(|(name, _)| !candidates.iter().any(|candidate| candidate.name == *name));
    }

    /// The next question is another one: this server may be asked again at once.
    pub(super) fn forgive(&mut self, address: IpAddr) {
        self.change(address, |candidate| {
            candidate.tries = candidate.tries.saturating_sub(1);
            candidate.out = false;
        });
    }

    /// This server resolves for others instead of knowing the zone: asked with RD when no authority is left.
    pub(super) fn recursive(&mut self, address: IpAddr) {
        self.change(address, |candidate| {
            candidate.out = candidate.recursive;
            candidate.recursive = true;
        });
    }

    fn change(&mut self, address: IpAddr, change: impl Fn(&mut Candidate)) {
        self.candidates.iter_mut().filter(|candidate| candidate.address == address).for_each(change);
    }

    /// Asks the best server that is left, looking up addresses if need be. `None`: nothing is left to try.
    pub(super) async fn ask_next(
        &mut self,
        cx: &Cx,
        question: &Question,
        open: &mut Vec<ExchangeId>,
    ) -> Result<Option<ExchangeId>, Failure> {
        loop {
            super::super::watch::servers(cx, || self.met())?;
            let best = self.best(cx);
            // Before a server gets a second try, others that are only known by name are worth an errand.
            let fresh = best.is_some_and(|index| {
                let candidate = &self.candidates[index];
                let core = cx.core();
                let blamed = core.servers.is_blamed(core.now, candidate.address);
                candidate.tries == 0 && !candidate.recursive && !blamed
            });
            if !fresh && self.look_up(cx, best.is_none()).await? {
                continue;
            }
            let Some(index) = best else { return Ok(None) };
            return self.ask(cx, index, question, open).map(Some);
        }
    }

    /// The servers as far as they are known, and their addresses.
    fn met(&self) -> (Vec<Name>, Vec<IpAddr>) {
        (self.names.clone(), self.candidates.iter().map(|candidate| candidate.address).collect())
    }

    fn ask(
        &mut self,
        cx: &Cx,
        index: usize,
        question: &Question,
        open: &mut Vec<ExchangeId>,
    ) -> Result<ExchangeId, Failure> {
        let candidate = &mut self.candidates[index];
        let ask = Ask {
            job: cx.job,
            address: candidate.address,
            server: candidate.name.clone(),
            zone: self.zone.clone(),
            question: question.clone(),
            tries: candidate.tries,
            over_tcp: self.tcp,
            recursion_desired: self.forward || candidate.recursive,
            checking_disabled: self.checking_disabled,
        };
        candidate.tries += 1;
        let limit = cx.core().config.limits.queries;
        let text = || format!("more than {limit} questions for one query");
        let sent = cx.ask(ask).ok_or_else(|| failure(0, text(), false))?;
        open.push(sent);
        Ok(sent)
    }

    fn best(&self, cx: &Cx) -> Option<usize> {
        let mut core = cx.core();
        let tries_max = core.config.limits.tries;
        let mut best: Option<(Rank, usize)> = None;
        let mut equals = 0;
        for (index, candidate) in self.candidates.iter().enumerate() {
            if candidate.out || candidate.tries >= tries_max {
                continue;
            }
            let (slow, speed) = core.servers.rank(core.now, candidate.address);
            let rank = (
                core.servers.is_blamed(core.now, candidate.address),
                candidate.recursive,
                candidate.tries,
                slow,
                speed,
            );
            match &best {
                Some((other, _)) if *other < rank => {}
                Some((other, _)) if *other == rank => {
                    // Each of n equals is chosen with probability 1/n.
                    equals += 1;
                    if core.random.next().is_multiple_of(equals) {
                        best = Some((rank, index));
                    }
                }
                _ => {
                    equals = 1;
                    best = Some((rank, index));
                }
            }
        }
        best.map(|(_, index)| index)
    }

    /// Finds the addresses of one more server; `false` when there is none to find. Addresses of the other family of a
    /// server that has one are only worth an errand as the `last` resort.
    async fn look_up(&mut self, cx: &Cx, last: bool) -> Result<bool, Failure> {
        while self.pending.is_empty() {
            let limit = cx.core().config.limits.lookups;
            let nameless: Vec<usize> = (0..self.unknown.len())
                .filter(|at| {
                    last || !self.candidates.iter().any(|candidate| candidate.name == self.unknown[*at].0)
                })
                .collect();
            if nameless.is_empty() && last && self.lookups < limit && !self.glueless.is_empty() {
                self.ask_above(cx);
                if self.pending.is_empty() {
                    return Ok(false);
                }
                continue;
            }
            if nameless.is_empty() || self.lookups >= limit {
                return Ok(false);
            }
            let chosen = nameless[(cx.core().random.next() % nameless.len() as u64) as usize];
            let (name, types) = self.unknown.swap_remove(chosen);
            self.lookups += 1;
            cx.budget.lookups.fetch_add(1, Ordering::Relaxed);
            for rtype in types {
                if let Ok(job) = cx.sub(Kind::Plain, Question::new(name.clone(), rtype)) {
                    self.pending.push((job, name.clone()));
                }
            }
        }
        let jobs: Vec<JobId> = self.pending.iter().map(|(job, _)| *job).collect();
        let (job, outcome) = cx.join_any(&jobs).await;
        let at = self.pending.iter().position(|(pending, _)| *pending == job).expect("it was pending");
        let (_, name) = self.pending.swap_remove(at);
        let before = self.candidates.len();
        if let Outcome::Done(msg) = &*outcome {
            let end = msg.final_name();
            let core = cx.core();
            let sets = msg.answer.iter().filter(|set| set.name == end);
            let found: Vec<IpAddr> = sets.flat_map(addresses).collect();
            for address in found {
                self.add(&core, address, &name);
            }
            if msg.rcode == rcode::NXDOMAIN {
                let limit = core.config.limits.missing_servers;
                if cx.budget.no_names.fetch_add(1, Ordering::Relaxed) >= limit {
                    return Err(failure(
                        0,
                        format!("{} names servers that do not exist", name_text(&self.zone)),
                        true,
                    ));
                }
            }
        }
        if self.candidates.len() == before {
            // Its own zone does not tell. What the zone above said of it as glue is better than nothing.
            let core = cx.core();
            for rtype in [RecordType::A, RecordType::AAAA] {
                let glue = core.cache.set(core.now, &name, rtype);
                for address in glue.iter().flat_map(addresses) {
                    self.add(&core, address, &name);
                }
            }
            // Its own zone may have taken the place of what its parent said first.
            let mut zone = name.clone();
            while !zone.is_root() {
                let told = core.parents.get(core.now, &zone).into_iter().flat_map(|told| &told.servers);
                let own: Vec<IpAddr> =
                    told.filter(|(server, _)| *server == name).flat_map(|(_, at)| at).copied().collect();
                own.into_iter().for_each(|address| self.add(&core, address, &name));
                zone = zone.base_name();
            }
        }
        Ok(true)
    }

    /// Asks the zone above for the addresses that its referral should have had.
    fn ask_above(&mut self, cx: &Cx) {
        let above = {
            let core = cx.core();
            core.cached_delegation(&self.zone.base_name()).map_or_else(Name::root, |above| above.zone)
        };
        for (name, types) in std::mem::take(&mut self.glueless) {
            self.lookups += 1;
            for rtype in types {
                if let Ok(job) = cx.sub(Kind::Above(above.clone()), Question::new(name.clone(), rtype)) {
                    self.pending.push((job, name.clone()));
                }
            }
        }
    }

    /// Why nothing is left.
    pub(super) fn exhausted(&self, cx: &Cx) -> Failure {
        let mut core = cx.core();
        match core.job(cx.job).trouble.clone() {
            Some((code, text)) => failure(code, text, true),
            None if self.hopeless => failure(
                22,
                format!("the delegation of {} comes without addresses", name_text(&self.zone)),
                true,
            ),
            None if self.candidates.is_empty() => {
                failure(22, format!("no address of a name server for {}", name_text(&self.zone)), true)
            }
            None => failure(22, format!("no name server of {} answers", name_text(&self.zone)), true),
        }
    }
}
