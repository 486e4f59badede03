//! Zones whose data the server holds itself: from files, or copied from their primaries and kept fresh. Clients are
//! answered from them with authority, and the resolver asks them as it would ask their servers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::policy::Policies;
use super::reply::Reply;
use super::{Out, Service};
use crate::authority::SignedZone;
use crate::authority::changes::soa_serial;
use crate::authority::digest::Found;
use crate::authority::notify::NOTIFY;
use crate::authority::secondary::{Order, Secondary, SecondaryConfig, ZoneHandle};
use crate::message::{Peek, bare_error};
use crate::resolver::{Anchoring, Answer, ExchangeId, Input, Upstream, UpstreamKind, Vouched};
use crate::rrset::Security;
use crate::wire::{Header, Packet, Question};

/// A zone that the server holds.
#[derive(Clone, Debug)]
pub struct HeldZone {
    /// Its name.
    pub origin: Name,
    /// What is there from the beginning.
    pub zone: Option<Arc<SignedZone>>,
    /// Where it is copied from.
    pub source: Option<SecondaryConfig>,
    /// Clients are answered from it.
    pub for_clients: bool,
    /// The resolver uses it.
    pub for_resolver: bool,
    /// Without data, resolve as if it were not here; else that is a failure.
    pub fallback: bool,
    /// How its digest is looked at.
    pub digest: DigestCheck,
    /// Its records are rules: of the policy zone with this name.
    pub policy: bool,
}

/// What is made of a zone's digest (RFC 8976).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestCheck {
    /// A version whose digest, or the signature over it, is wrong is not used.
    pub enabled: bool,
    /// Nor is one without a digest.
    pub required: bool,
    /// It is used all the same: who runs the server only wants to know.
    pub permissive: bool,
}

/// Exchanges of transfers have numbers from here on, and the zone's place in the bits below.
const EXCHANGES: u64 = 1 << 63;
const PLACE_SHIFT: u32 = 40;

/// The place of the zone whose exchange this is; `None`: it is the resolver's.
fn place(exchange: ExchangeId) -> Option<usize> {
    (exchange.0 & EXCHANGES != 0).then_some(((exchange.0 & !EXCHANGES) >> PLACE_SHIFT) as usize)
}

#[derive(Debug)]
struct Held {
    origin: Name,
    handle: ZoneHandle,
    copy: Option<Secondary>,
    for_clients: bool,
    fallback: bool,
    digest: DigestCheck,
    policy: bool,
    /// The version that was found good last.
    good: Option<Arc<SignedZone>>,
    /// The version that waits for what the zone above says of its keys.
    candidate: Option<Arc<SignedZone>>,
    /// Why the last version that came is not used.
    trouble: Option<String>,
}

/// Addresses of a primary being looked up.
#[derive(Debug)]
struct LookUp {
    place: usize,
    host: Name,
    /// Questions under way.
    open: u32,
    found: Vec<IpAddr>,
}

/// The zones.
#[derive(Debug, Default)]
pub(super) struct HeldZones {
    zones: Vec<Held>,
    look_ups: Vec<LookUp>,
    /// The resolver's tokens and which look-up each belongs to.
    tokens: BTreeMap<u64, (usize, Name)>,
    /// The same for questions about zones' keys.
    key_tokens: BTreeMap<u64, usize>,
}

impl HeldZones {
    /// The zones of a configuration, and what the resolver has to know of them.
    pub(super) fn new(zones: &[HeldZone], seed: u64) -> (HeldZones, Vec<Upstream>) {
        let (mut held, mut upstreams) = (HeldZones::default(), Vec::new());
        for (place, zone) in zones.iter().enumerate() {
            let first = EXCHANGES | (place as u64) << PLACE_SHIFT;
            let copy = zone.source.clone().map(|source| {
                let seed = seed.wrapping_add(place as u64);
                Secondary::new(source, Instant::START, zone.zone.clone(), seed, first)
            });
            let handle = match &copy {
                Some(copy) => copy.handle().clone(),
                None => ZoneHandle::new(zone.zone.clone()),
            };
            if zone.for_resolver {
                upstreams.push(Upstream {
                    zone: zone.origin.clone(),
                    kind: UpstreamKind::Local(handle.clone()),
                    addresses: Vec::new(),
                    hosts: Vec::new(),
                    first: zone.fallback,
                    tcp: false,
                    no_cache: false,
                    prime: false,
                });
            }
            held.zones.push(Held {
                origin: zone.origin.clone(),
                handle,
                copy,
                for_clients: zone.for_clients,
                fallback: zone.fallback,
                digest: zone.digest,
                policy: zone.policy,
                good: None,
                candidate: None,
                trouble: None,
            });
        }
        (held, upstreams)
    }

    pub(super) fn next_deadline(&self) -> Instant {
        let copies = self.zones.iter().filter_map(|held| held.copy.as_ref());
        copies.map(Secondary::next_deadline).min().unwrap_or(Instant::NEVER)
    }

    fn of(&self, question: &Question) -> Option<&Held> {
        let own = |held: &&Held| {
            held.for_clients
                && held.origin.zone_of(&question.name)
                // DS is a matter of the zone above.
                && !(question.rtype == RecordType::DS && held.origin == question.name)
        };
        self.zones.iter().filter(own).max_by_key(|held| held.origin.iter().len())
    }

    /// The answer to a client out of a zone held; `None`: it has to be resolved.
    pub(super) fn answer(&self, question: &Question, reply: &Reply, recursion: bool) -> Option<Vec<u8>> {
        let held = self.of(question)?;
        let Some(zone) = held.handle.zone() else {
            return (!held.fallback).then(|| reply.failed_with_authority());
        };
        let packet = zone.response(question, reply.dnssec_ok());
        // A delegation is followed for who wants that.
        if !packet.header.authoritative && recursion {
            return None;
        }
        Some(reply.held(&packet))
    }
}

impl Service {
    /// The zone of this name as it is held now.
    pub fn held_zone(&self, origin: &Name) -> Option<Arc<SignedZone>> {
        self.held.zones.iter().find(|held| held.origin == *origin)?.handle.zone()
    }

    /// Why the last version of this zone that came is not used; `None`: it is.
    pub fn held_trouble(&self, origin: &Name) -> Option<&str> {
        self.held.zones.iter().find(|held| held.origin == *origin)?.trouble.as_deref()
    }

    /// The rules of a policy zone are what its records are now. Without any, those that were there count on: rules that
    /// protect do not go away because a primary is gone.
    fn renew_policy(&mut self, place: usize) {
        let held = &self.held.zones[place];
        let Some(zone) = held.handle.zone().filter(|_| held.policy) else { return };
        let own = self.policies.zones.iter().position(|policy| *policy.origin() == held.origin);
        if let Some(at) = own {
            let mut zones = self.policies.zones.clone();
            zones[at] = Arc::new(zones[at].with_records(&zone.records()));
            self.policies = Arc::new(Policies { zones });
            self.resolver.watch_with(Some(self.policies.clone()));
        }
    }

    /// Looks at the digests of the zones that are there from the beginning, and for who may tell of changes.
    pub(super) fn examine_all(&mut self, now: Instant) {
        (0..self.held.zones.len()).for_each(|place| self.examine(now, place));
        self.held.zones.iter_mut().filter_map(|held| held.copy.as_mut()).for_each(Secondary::find_notifiers);
        self.held_orders(now);
    }

    /// A zone has another version: whether its digest, where that matters, lets it be used.
    fn examine(&mut self, now: Instant, place: usize) {
        let held = &mut self.held.zones[place];
        if !held.digest.enabled {
            return;
        }
        let Some(zone) = held.handle.zone() else {
            (held.good, held.candidate) = (None, None);
            return;
        };
        let origin = held.origin.clone();
        match self.resolver.anchoring(&origin) {
            Anchoring::None => self.judge(place, zone, Ok(Vouched::Unsigned)),
            Anchoring::Own => self.judge(place, zone, Ok(Vouched::Anchor)),
            Anchoring::Above => {
                // Until the answer is there, what was good before is used.
                held.handle.set(held.good.clone());
                held.candidate = Some(zone);
                self.last += 1;
                self.held.key_tokens.insert(self.last, place);
                // With the data in our hands the zone's own servers are not asked, but those of the zone above.
                let record_type =
                    if self.held.zones[place].fallback { RecordType::DNSKEY } else { RecordType::DS };
                let input =
                    Input::Query { token: self.last, name: &origin, record_type, checking_disabled: false };
                self.resolver.handle(now, input);
            }
        }
    }

    /// What the zone above says of the keys of a zone whose version waits.
    fn keys_answered(&mut self, place: usize, answer: &Answer) {
        let Some(zone) = self.held.zones[place].candidate.take() else { return };
        let records = |rtype| {
            let own = answer.sections.answer.iter().filter(move |record| record.rtype == rtype);
            own.map(|record| record.data.clone()).collect::<Vec<_>>()
        };
        let secure = answer.security == Security::Secure;
        let vouched = match answer.code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.security != Security::Bogus => {
                let (ds, keys) = (records(RecordType::DS), records(RecordType::DNSKEY));
                Ok(match (secure, ds.is_empty(), keys.is_empty()) {
                    (true, false, _) => Vouched::Ds(ds),
                    (true, _, false) => Vouched::Keys(keys),
                    _ => Vouched::Unsigned,
                })
            }
            _ => Err("what the zone above says of its keys cannot be had".to_owned()),
        };
        self.judge(place, zone, vouched);
        let origin = self.held.zones[place].origin.clone();
        self.flush_below(&origin);
    }

    /// Uses a version, or what was good before it.
    fn judge(&mut self, place: usize, zone: Arc<SignedZone>, vouched: Result<Vouched, String>) {
        let held = &mut self.held.zones[place];
        let found = vouched.and_then(|vouched| match self.resolver.whole(&zone, vouched)? {
            Found::None if held.digest.required => Err("the zone has no digest".to_owned()),
            found => Ok(found),
        });
        held.trouble = found.err();
        if held.trouble.is_none() || held.digest.permissive {
            held.good = Some(zone);
        }
        held.handle.set(held.good.clone());
    }

    /// Something for a transfer. `false`: it is for the resolver.
    pub(super) fn held_input(&mut self, now: Instant, input: &Input<'_>) -> bool {
        let (exchange, message, why) = match input {
            Input::Response { exchange, message, .. } => (*exchange, Some(*message), ""),
            Input::Unreachable { exchange, why } => (*exchange, None, why.as_str()),
            Input::NoAnswer { exchange } => (*exchange, None, "did not answer"),
            Input::Timeout => {
                for held in &mut self.held.zones {
                    if let Some(copy) = held.copy.as_mut().filter(|copy| copy.next_deadline() <= now) {
                        copy.timeout(now);
                    }
                }
                self.held_orders(now);
                return false;
            }
            Input::Query { .. } => return false,
        };
        let Some(place) = place(exchange) else { return false };
        if let Some(copy) = self.held.zones.get_mut(place).and_then(|held| held.copy.as_mut()) {
            match message {
                Some(message) => copy.message(now, exchange.0, message),
                None => copy.failed(now, exchange.0, why),
            }
        }
        self.held_orders(now);
        true
    }

    /// Carries out what the copies want.
    fn held_orders(&mut self, now: Instant) {
        for place in 0..self.held.zones.len() {
            while let Some(order) = self.held.zones[place].copy.as_mut().and_then(Secondary::poll) {
                match order {
                    Order::Send { exchange, to, over_tcp, message } => {
                        let exchange = ExchangeId(exchange);
                        self.out.push_back(Out::Send { exchange, to, over_tcp, message });
                    }
                    Order::Close(exchange) => self.out.push_back(Out::Finished(ExchangeId(exchange))),
                    Order::LookUp(host) => self.look_up(now, place, host),
                    Order::Changed => {
                        self.examine(now, place);
                        self.renew_policy(place);
                        let origin = self.held.zones[place].origin.clone();
                        self.flush_below(&origin);
                    }
                }
            }
        }
    }

    fn look_up(&mut self, now: Instant, place: usize, host: Name) {
        self.held.look_ups.push(LookUp { place, host: host.clone(), open: 2, found: Vec::new() });
        for record_type in [RecordType::A, RecordType::AAAA] {
            self.last += 1;
            self.held.tokens.insert(self.last, (place, host.clone()));
            let input = Input::Query { token: self.last, name: &host, record_type, checking_disabled: false };
            self.resolver.handle(now, input);
        }
    }

    /// An answer of the resolver that a copy waits for. `false`: it is a client's.
    pub(super) fn looked_up(&mut self, now: Instant, token: u64, answer: &Answer) -> bool {
        if let Some(place) = self.held.key_tokens.remove(&token) {
            self.keys_answered(place, answer);
            return true;
        }
        let Some((place, host)) = self.held.tokens.remove(&token) else { return false };
        let fits = |look_up: &LookUp| look_up.place == place && look_up.host == host;
        let Some(at) = self.held.look_ups.iter().position(fits) else { return true };
        let look_up = &mut self.held.look_ups[at];
        look_up.open -= 1;
        for record in &answer.sections.answer {
            look_up.found.extend(match record.rtype {
                RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                _ => None,
            });
        }
        if look_up.open == 0 {
            let done = self.held.look_ups.swap_remove(at);
            if let Some(copy) = self.held.zones[place].copy.as_mut() {
                copy.addresses(now, &host, &done.found);
            }
            self.held_orders(now);
        }
        true
    }

    /// The answer to a notice that a zone has changed (RFC 1996); `None`: the message is something else.
    pub(super) fn notice(&mut self, now: Instant, from: IpAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let peek = Peek::at(bytes).filter(|peek| !peek.is_response && peek.opcode == NOTIFY)?;
        let failed = |code| Some(bare_error(peek, code));
        let Ok(packet) = Packet::read(bytes) else {
            return failed(hickory_proto::op::ResponseCode::FormErr);
        };
        let Some(question) = packet.question() else {
            return failed(hickory_proto::op::ResponseCode::FormErr);
        };
        let copies = self.held.zones.iter_mut().filter(|held| held.origin == question.name);
        let copy = copies.filter_map(|held| held.copy.as_mut()).find(|copy| copy.may_notify(from));
        let Some(copy) = copy else { return failed(hickory_proto::op::ResponseCode::Refused) };
        let soa = packet.answers.iter().find(|record| record.rtype == RecordType::SOA);
        copy.notified(now, soa.and_then(|soa| soa_serial(&soa.data)));
        let header = Header {
            id: packet.header.id,
            response: true,
            opcode: NOTIFY,
            recursion_available: true,
            ..Header::default()
        };
        let reply = Packet { header, questions: packet.questions.clone(), ..Packet::default() };
        self.held_orders(now);
        reply.write(512)
    }
}
