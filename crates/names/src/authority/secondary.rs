//! Keeping a copy of a zone as its primaries have it: SOA questions at the times that the zone itself says, transfers
//! when there is something newer, and notices that hasten both (RFC 1034 section 4.3.5, RFC 1995, RFC 1996, RFC 5936).
//!
//! ```text
//!            refresh, notice             newer                    done
//!   Waiting ────────────────> Asking ───────────> Transferring ─────────> Waiting
//!      ^  retry                 │ not newer; nobody answers   │ fails: whole instead of steps, then the next primary
//!      └────────────────────────┴──────────────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::SignedZone;
use super::changes::{Journal, is_newer, soa_serial};
use super::incoming::{Incoming, Progress};
use crate::wire::{CLASS_IN, Header, Packet, Question};

/// How long a primary has for its SOA.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a transfer may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(300);
/// Until the next attempt when nothing is held that could say.
const RETRY: Duration = Duration::from_secs(60);
/// Bounds on what a SOA may ask for: a zone that wants to be asked every second is not obeyed.
const WAIT_MIN: Duration = Duration::from_secs(2);
/// The longest wait, whatever a SOA says.
const WAIT_MAX: Duration = Duration::from_secs(7 * 86_400);

/// A zone that may be replaced while others look at it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ZoneHandle(Arc<Mutex<Option<Arc<SignedZone>>>>);

impl ZoneHandle {
    /// A handle of this zone.
    pub fn new(zone: Option<Arc<SignedZone>>) -> ZoneHandle {
        ZoneHandle(Arc::new(Mutex::new(zone)))
    }

    /// The zone as it is now; `None` when there is none, or it has expired.
    pub fn zone(&self) -> Option<Arc<SignedZone>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub fn set(&self, zone: Option<Arc<SignedZone>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = zone;
    }
}

/// Where a copy comes from.
#[derive(Clone, Debug)]
pub struct SecondaryConfig {
    /// The zone.
    pub zone: Name,
    /// Who has it, in the order in which they are asked.
    pub primaries: Vec<SocketAddr>,
    /// Who has it, by names that are looked up each time.
    pub hosts: Vec<Name>,
    /// Who else than the primaries may send notices: address and prefix length.
    pub notify_from: Vec<(IpAddr, u8)>,
    /// The same by names, which are looked up each time as those of the primaries are.
    pub notify_hosts: Vec<Name>,
}

/// What to do outside.
#[derive(Clone, Debug)]
pub enum Order {
    /// Ask; answers come back through [`Secondary::message`] with the same number, over TCP as many as there are, until
    /// [`Order::Close`].
    Send {
        /// Names the exchange.
        exchange: u64,
        /// The primary.
        to: SocketAddr,
        /// Over TCP.
        over_tcp: bool,
        /// The query.
        message: Vec<u8>,
    },
    /// The exchange is over.
    Close(u64),
    /// Look up this host's addresses, for [`Secondary::addresses`].
    LookUp(Name),
    /// There is a new version, or the old one has expired: see [`Secondary::handle`].
    Changed,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    /// Hosts are being looked up.
    LookingUp(BTreeSet<Name>),
    Asking {
        exchange: u64,
        id: u16,
    },
    Transferring {
        exchange: u64,
        incoming: Box<Incoming>,
        steps: bool,
    },
}

/// The copy of one zone. Rule for the loop: after each call, take [`Secondary::poll`] until it is empty; call
/// [`Secondary::timeout`] when [`Secondary::next_deadline`] has come.
#[derive(Clone, Debug)]
pub struct Secondary {
    config: SecondaryConfig,
    held: ZoneHandle,
    journal: Journal,
    state: State,
    /// Found by looking up the hosts.
    found: BTreeMap<Name, Vec<IpAddr>>,
    /// Primaries that are left to ask in this round; the first is being asked.
    round: VecDeque<SocketAddr>,
    /// When the next round begins.
    refresh_at: Instant,
    /// When what is held is too old to be given to anybody.
    expires_at: Instant,
    /// When the exchange under way is given up.
    give_up_at: Instant,
    /// A notice came while a round was under way.
    again: bool,
    random: u64,
    last_exchange: u64,
    orders: VecDeque<Order>,
    trouble: Option<String>,
}

impl Secondary {
    /// A copy that begins with `zone`, if there is one from before, or else asks at once. Exchanges are numbered from
    /// `first_exchange` on; `seed` makes the ids.
    pub fn new(
        config: SecondaryConfig,
        now: Instant,
        zone: Option<Arc<SignedZone>>,
        seed: u64,
        first_exchange: u64,
    ) -> Secondary {
        let mut secondary = Secondary {
            config,
            held: ZoneHandle::default(),
            journal: Journal::default(),
            state: State::Waiting,
            found: BTreeMap::new(),
            round: VecDeque::new(),
            refresh_at: now,
            expires_at: Instant::NEVER,
            give_up_at: Instant::NEVER,
            again: false,
            random: seed,
            last_exchange: first_exchange,
            orders: VecDeque::new(),
            trouble: None,
        };
        if let Some(zone) = zone {
            let [refresh, _, expire] = timers(&zone);
            (secondary.refresh_at, secondary.expires_at) = (now + refresh, now + expire);
            secondary.held.set(Some(zone));
        }
        secondary
    }

    /// Looks up who may send notices, for a copy that need not be refreshed yet.
    pub fn find_notifiers(&mut self) {
        if matches!(self.state, State::Waiting) {
            self.orders.extend(self.config.notify_hosts.iter().cloned().map(Order::LookUp));
        }
    }

    /// The zone's name.
    pub fn origin(&self) -> &Name {
        &self.config.zone
    }

    /// The zone as it is, now and later.
    pub fn handle(&self) -> &ZoneHandle {
        &self.held
    }

    /// The steps that led here, for secondaries of ours.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What went wrong last, in words; `None` after a round that went well.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When to call [`Secondary::timeout`].
    pub fn next_deadline(&self) -> Instant {
        let waits = matches!(self.state, State::Waiting);
        (if waits { self.refresh_at } else { self.give_up_at }).min(self.expires_at)
    }

    /// Whether a notice from there counts: from a primary, or from who was allowed.
    pub fn may_notify(&self, from: IpAddr) -> bool {
        self.config.primaries.iter().any(|primary| primary.ip() == from)
            || self.found.values().flatten().any(|address| *address == from)
            || self.config.notify_from.iter().any(|(at, bits)| crate::resolver::in_prefix(from, *at, *bits))
    }

    /// A notice came, perhaps with the new serial.
    pub fn notified(&mut self, now: Instant, serial: Option<u32>) {
        let known = self.held.zone().map(|zone| zone.serial());
        if let (Some(new), Some(known)) = (serial, known)
            && !is_newer(new, known)
        {
            return;
        }
        if matches!(self.state, State::Waiting) {
            self.begin(now);
        } else {
            self.again = true;
        }
    }

    /// A deadline has come.
    pub fn timeout(&mut self, now: Instant) {
        if self.expires_at <= now {
            self.expires_at = Instant::NEVER;
            self.trouble = Some("expired: no primary could be asked in time".into());
            self.journal.clear();
            self.held.set(None);
            self.orders.push_back(Order::Changed);
        }
        match &self.state {
            State::Waiting if self.refresh_at <= now => self.begin(now),
            State::LookingUp(_) if self.give_up_at <= now => self.ask(now),
            State::Asking { exchange, .. } | State::Transferring { exchange, .. }
                if self.give_up_at <= now =>
            {
                let exchange = *exchange;
                self.failed(now, exchange, "did not answer in time");
            }
            _ => {}
        }
    }

    /// The addresses of a host that was to be looked up; none: it has none.
    pub fn addresses(&mut self, now: Instant, host: &Name, addresses: &[IpAddr]) {
        if self.config.notify_hosts.contains(host) {
            self.found.insert(host.clone(), addresses.to_vec());
        }
        let State::LookingUp(open) = &mut self.state else { return };
        if open.remove(host) {
            self.found.insert(host.clone(), addresses.to_vec());
        }
        if open.is_empty() {
            self.ask(now);
        }
    }

    /// The exchange can't go on; why, to complete "the primary ...".
    pub fn failed(&mut self, now: Instant, exchange: u64, why: &str) {
        let steps = match &self.state {
            State::Asking { exchange: open, .. } if *open == exchange => false,
            State::Transferring { exchange: open, steps, .. } if *open == exchange => *steps,
            _ => return,
        };
        self.orders.push_back(Order::Close(exchange));
        if let Some(primary) = self.round.front() {
            self.trouble = Some(format!("{primary} {why}"));
        }
        if steps {
            // RFC 1995 section 4: what can't be had in steps may be had whole.
            self.transfer(now, false);
            return;
        }
        self.round.pop_front();
        self.ask(now);
    }

    /// A message of an exchange.
    pub fn message(&mut self, now: Instant, exchange: u64, bytes: &[u8]) {
        match &mut self.state {
            State::Asking { exchange: open, id } if *open == exchange => {
                let id = *id;
                match soa_of(bytes, id, &self.config.zone) {
                    Ok(serial) => {
                        self.orders.push_back(Order::Close(exchange));
                        match self.held.zone() {
                            Some(held) if !is_newer(serial, held.serial()) => self.succeeded(now),
                            Some(_) => self.transfer(now, true),
                            None => self.transfer(now, false),
                        }
                    }
                    Err(why) => self.failed(now, exchange, &why),
                }
            }
            State::Transferring { exchange: open, incoming, .. } if *open == exchange => {
                match incoming.message(bytes) {
                    Ok(Progress::More) => {}
                    Ok(Progress::UpToDate) => {
                        self.orders.push_back(Order::Close(exchange));
                        self.succeeded(now);
                    }
                    Ok(Progress::Done(zone, steps)) => {
                        self.orders.push_back(Order::Close(exchange));
                        let held = self.held.zone();
                        match (&held, steps.is_empty()) {
                            (Some(held), true) => self.journal.push(held.change_to(&zone)),
                            (None, true) => self.journal.clear(),
                            (_, false) => steps.into_iter().for_each(|step| self.journal.push(step)),
                        }
                        self.held.set(Some(zone));
                        self.orders.push_back(Order::Changed);
                        self.succeeded(now);
                    }
                    Err(why) => self.failed(now, exchange, &format!("sent a transfer that {why}")),
                }
            }
            _ => {}
        }
    }

    /// A round begins.
    fn begin(&mut self, now: Instant) {
        self.again = false;
        if self.config.hosts.is_empty() && self.config.notify_hosts.is_empty() {
            self.round = self.config.primaries.iter().copied().collect();
            return self.ask(now);
        }
        let open: BTreeSet<Name> =
            self.config.hosts.iter().chain(&self.config.notify_hosts).cloned().collect();
        self.orders.extend(open.iter().cloned().map(Order::LookUp));
        self.state = State::LookingUp(open);
        self.give_up_at = now + ASK_TIMEOUT * 4;
    }

    /// Asks the next primary for its SOA, or ends the round.
    fn ask(&mut self, now: Instant) {
        if matches!(self.state, State::LookingUp(_)) {
            let found = self.config.hosts.iter().filter_map(|host| self.found.get(host)).flatten();
            let found = found.map(|address| SocketAddr::new(*address, 53));
            self.round = self.config.primaries.iter().copied().chain(found).collect();
        }
        let Some(to) = self.round.front().copied() else {
            self.state = State::Waiting;
            let retry = self.held.zone().map_or(RETRY, |zone| timers(&zone)[1]);
            self.refresh_at = now + retry;
            return;
        };
        let (exchange, id, message) = self.query(RecordType::SOA, None);
        self.orders.push_back(Order::Send { exchange, to, over_tcp: false, message });
        self.state = State::Asking { exchange, id };
        self.give_up_at = now + ASK_TIMEOUT;
    }

    fn transfer(&mut self, now: Instant, steps: bool) {
        let Some(to) = self.round.front().copied() else { return self.ask(now) };
        let held = self.held.zone().filter(|_| steps);
        let rtype = if held.is_some() { RecordType::IXFR } else { RecordType::AXFR };
        let (exchange, id, message) = self.query(rtype, held.as_deref());
        self.orders.push_back(Order::Send { exchange, to, over_tcp: true, message });
        let steps = held.is_some();
        let incoming = Box::new(Incoming::new(self.config.zone.clone(), id, held));
        self.state = State::Transferring { exchange, incoming, steps };
        self.give_up_at = now + TRANSFER_TIMEOUT;
    }

    fn succeeded(&mut self, now: Instant) {
        self.state = State::Waiting;
        self.round.clear();
        self.trouble = None;
        if let Some(zone) = self.held.zone() {
            let [refresh, _, expire] = timers(&zone);
            (self.refresh_at, self.expires_at) = (now + refresh, now + expire);
        }
        if self.again {
            self.begin(now);
        }
    }

    fn query(&mut self, rtype: RecordType, held: Option<&SignedZone>) -> (u64, u16, Vec<u8>) {
        self.last_exchange += 1;
        let id = self.next_id();
        let soa = held.and_then(|zone| zone.set(zone.origin(), RecordType::SOA));
        let packet = Packet {
            header: Header { id, ..Header::default() },
            questions: vec![Question { name: self.config.zone.clone(), rtype, class: CLASS_IN }],
            authorities: soa.map(|soa| soa.records(&soa.name, soa.ttl, false)).unwrap_or_default(),
            ..Packet::default()
        };
        (self.last_exchange, id, packet.write(usize::from(u16::MAX)).unwrap_or_default())
    }

    /// SplitMix64: ids only have to differ from what a stranger guesses, and the seed is a secret.
    fn next_id(&mut self) -> u16 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) as u16
    }
}

/// The serial in the answer to a SOA question. The error completes "the primary ...".
fn soa_of(bytes: &[u8], id: u16, zone: &Name) -> Result<u32, String> {
    let packet = Packet::read(bytes).map_err(|why| format!("sent what cannot be read: {why:?}"))?;
    if packet.header.id != id || !packet.header.response {
        return Err("sent no answer to our question".into());
    }
    if packet.rcode() != 0 {
        return Err(format!("answered with code {}", packet.rcode()));
    }
    let soa = packet.answers.iter().find(|record| record.rtype == RecordType::SOA && record.name == *zone);
    soa.and_then(|soa| soa_serial(&soa.data)).ok_or_else(|| "has no SOA of the zone".into())
}

/// Refresh, retry and expire of a zone's SOA (RFC 1035 section 3.3.13), within bounds.
fn timers(zone: &SignedZone) -> [Duration; 3] {
    let soa = zone.set(zone.origin(), RecordType::SOA);
    let data = soa.and_then(|soa| soa.data.first());
    let field = |number: usize| {
        let at = data?.len().checked_sub(16)? + 4 * number;
        let octets: [u8; 4] = data?.get(at..at + 4)?.try_into().ok()?;
        Some(Duration::from_secs(u64::from(u32::from_be_bytes(octets))))
    };
    let wait = |number| field(number).unwrap_or(RETRY).clamp(WAIT_MIN, WAIT_MAX);
    [wait(0), wait(1), field(2).unwrap_or(WAIT_MAX)]
}

#[cfg(test)]
pub(in crate::authority) mod tests;
