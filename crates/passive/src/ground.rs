//! What is beside the flows: pings, traced ways, and who was looked for on the local network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::errors::Told;
use crate::flow::End;
use crate::kept::{Kept, Moment};

/// Pings and probes that are remembered.
const MAX: usize = 100_000;
/// Packets sent with so short a life are meant to die: probes of the way.
pub(crate) const SHORT_LIFE: u8 = 24;

/// A hardware address.
pub(crate) type Mac = [u8; 6];
/// Who looks for a neighbour, by both addresses.
pub(crate) type Searcher = (Option<IpAddr>, Option<Mac>);

/// An echo request.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) ident: u16,
    pub(crate) seq: u16,
    pub(crate) ttl: u8,
    pub(crate) sent: Moment,
    pub(crate) back: Option<(Moment, u8)>,
    pub(crate) told: Option<Told>,
}

/// A packet that was sent to die on the way.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) to: End,
    pub(crate) ttl: u8,
    pub(crate) sent: Moment,
    pub(crate) told: Option<Told>,
    pub(crate) answered: Option<Moment>,
}

/// Searches for a neighbour.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    pub(crate) by: Option<IpAddr>,
    pub(crate) mac: Option<Mac>,
    pub(crate) asked: Vec<Moment>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) found: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) echoes: Vec<Echo>,
    open: BTreeMap<(IpAddr, IpAddr, u16, u16), usize>,
    /// The last number of each train of pings.
    trains: BTreeMap<(IpAddr, IpAddr, u16), u16>,
    /// Pings of these trains that were sent and not captured, as numbers left out or answers show.
    pub(crate) unasked: u64,
    pub(crate) probes: Vec<Probe>,
    probing: BTreeMap<(End, End), usize>,
    pub(crate) searches: BTreeMap<IpAddr, Search>,
    /// Packets behind pings and probes.
    pub(crate) kept: Vec<Kept>,
    /// DHCP, by who asks and the number of the conversation.
    pub(crate) leases: BTreeMap<(Mac, u32), Lease>,
    /// Advertisements of routers (RFC 4861 4.2).
    pub(crate) advertised: Vec<Kept>,
    /// Who said of an address that it is his, when, and in which packet.
    pub(crate) claims: BTreeMap<IpAddr, BTreeMap<Mac, Vec<Kept>>>,
}

/// A request for an address, with what became of it (RFC 2131 3.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Lease {
    /// DISCOVER and REQUEST, with their numbers.
    pub(crate) asked: Vec<(Moment, u8)>,
    pub(crate) offered: bool,
    pub(crate) refused: bool,
    pub(crate) granted: bool,
    pub(crate) kept: Vec<Kept>,
}

impl Lease {
    /// When it was first asked for.
    pub(crate) fn start(&self) -> Moment {
        self.kept.first().map(|kept| kept.at).unwrap_or_default()
    }
}

/// Packets that are kept of one conversation, and of one claim.
const KEPT_MAX: usize = 16;

impl Ground {
    fn keep(&mut self, kept: &Kept) {
        if self.kept.len() < MAX {
            self.kept.push(kept.clone());
        }
    }

    pub(crate) fn echo(&mut self, src: IpAddr, dst: IpAddr, ident: u16, seq: u16, ttl: u8, kept: &Kept) {
        if self.echoes.len() >= MAX {
            return;
        }
        // Those who send pings count them: a number left out was sent, and not captured.
        let last = self.trains.insert((src, dst, ident), seq);
        self.unasked += u64::from(last.is_some_and(|last| (2..8).contains(&seq.wrapping_sub(last))));
        self.open.insert((src, dst, ident, seq), self.echoes.len());
        self.echoes.push(Echo { src, dst, ident, seq, ttl, sent: kept.at, back: None, told: None });
        self.keep(kept);
    }

    pub(crate) fn reply(&mut self, from: IpAddr, to: IpAddr, ident: u16, seq: u16, ttl: u8, kept: &Kept) {
        if let Some(place) = self.open.get(&(to, from, ident, seq)) {
            self.echoes[*place].back.get_or_insert((kept.at, ttl));
            self.keep(kept);
        } else if self.trains.contains_key(&(to, from, ident)) {
            self.unasked += 1;
        }
    }

    pub(crate) fn echo_told(
        &mut self,
        src: IpAddr,
        dst: IpAddr,
        ident: u16,
        seq: u16,
        told: Told,
        kept: &Kept,
    ) {
        if let Some(place) = self.open.get(&(src, dst, ident, seq)) {
            self.echoes[*place].told.get_or_insert(told);
            self.keep(kept);
        }
    }

    pub(crate) fn probe(&mut self, from: End, to: End, ttl: u8, kept: &Kept) {
        if self.probes.len() >= MAX {
            return;
        }
        self.probing.insert((from, to), self.probes.len());
        self.probes.push(Probe { to, ttl, sent: kept.at, told: None, answered: None });
        self.keep(kept);
    }

    /// Whether the error is about a probe, which then has its answer.
    pub(crate) fn probe_told(&mut self, from: End, to: End, told: Told, kept: &Kept) -> bool {
        let Some(place) = self.probing.get(&(from, to)) else { return false };
        self.probes[*place].told.get_or_insert(told);
        self.keep(kept);
        true
    }

    pub(crate) fn probe_answered(&mut self, from: End, to: End, kept: &Kept) {
        if let Some(place) = self.probing.get(&(to, from)) {
            self.probes[*place].answered.get_or_insert(kept.at);
        }
    }

    /// Somebody looks for an address, or answers.
    pub(crate) fn neighbour(&mut self, asks: bool, address: IpAddr, by: Searcher, kept: &Kept) {
        if self.searches.len() >= 4096 && !self.searches.contains_key(&address) {
            return;
        }
        let search = self.searches.entry(address).or_default();
        if !asks {
            search.found = true;
            return;
        }
        search.by = search.by.or(by.0);
        search.mac = search.mac.or(by.1);
        if search.asked.len() < 64 {
            search.asked.push(kept.at);
            search.kept.push(kept.clone());
        }
    }

    /// Somebody says that an address is his.
    pub(crate) fn claim(&mut self, address: IpAddr, mac: Mac, kept: &Kept) {
        if self.claims.len() >= 4096 && !self.claims.contains_key(&address) {
            return;
        }
        let claims = self.claims.entry(address).or_default();
        if claims.len() < KEPT_MAX || claims.contains_key(&mac) {
            let said = claims.entry(mac).or_default();
            if said.len() < KEPT_MAX {
                said.push(kept.clone());
            }
        }
    }

    /// A router advertised itself.
    pub(crate) fn advertised(&mut self, kept: &Kept) {
        if self.advertised.len() < 64 {
            self.advertised.push(kept.clone());
        }
    }

    /// A message of DHCP, from or to this client.
    pub(crate) fn dhcp(&mut self, client: Mac, kind: u8, id: u32, kept: &Kept) {
        let key = (client, id);
        if self.leases.len() >= 4096 && !self.leases.contains_key(&key) {
            return;
        }
        let lease = self.leases.entry(key).or_default();
        match kind {
            1 | 3 if lease.asked.len() < 64 => lease.asked.push((kept.at, kind)),
            2 => lease.offered = true,
            5 => lease.granted = true,
            6 => lease.refused = true,
            _ => {}
        }
        if lease.kept.len() < KEPT_MAX {
            lease.kept.push(kept.clone());
        }
    }
}
