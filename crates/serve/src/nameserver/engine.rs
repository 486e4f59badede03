//! The machine with what it waits for: clients of all transports meet here. `state`: what is under its lock.

mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::rr::Name;
use serde_json::{Value, json};
use thru_names::authority::keeper::Keeper;
use thru_names::dnssec::signing::live::LiveZone;
use thru_names::packed::PackedAnswers;
use thru_names::resolver::Input;
use thru_names::service::Service;
use thru_net::Network;
use thru_net::datagrams::{Inbox, Outbox, Peer};
use thru_probe::resolve::exchanges::{Arrival, Exchanges};
use thru_wire::Instant;
use tokio::sync::{Notify, mpsc, oneshot};

use super::signed::{SaveFn, Signed};
use super::statistics::{LogFn, Statistics};
use super::updates::JournalFn;
use super::{Role, Transport, Zones, dress};
use state::{Machine, Open, State, Way};

/// Octets that an authority's answers ready to be sent may take.
const PACKED_MAX: usize = 64 << 20;
/// Arrivals taken in before clients have their turn again.
const ARRIVALS_AT_ONCE: usize = 64;

/// What the sockets towards other servers hear.
pub(super) type Arrivals = mpsc::Receiver<Arrival>;
/// Replies to datagrams that could not be given at once.
pub(super) type Late = mpsc::Sender<(Peer, Vec<u8>)>;

/// A server without its listeners. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    network: Network,
    state: Mutex<State>,
    /// The machine's deadline has moved nearer.
    sooner: Notify,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("statistics", &self.0.lock().statistics).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    pub(super) fn new(network: &Network, role: Role, log: Option<Box<LogFn>>) -> (Engine, Arrivals) {
        let (exchanges, arrivals) = Exchanges::new(network);
        let seed = network.random("name server");
        let machine = match role {
            Role::Recursive(mut config) => {
                // Signatures are held against the network's date.
                let begun = network.now().since(Instant::START);
                config.resolver.epoch = network.unix_time().saturating_sub(begun).as_secs();
                Machine::Recursive(Box::new(Service::new(*config, seed)))
            }
            Role::Authoritative(zones) => {
                let word = |at: usize| u64::from_le_bytes(seed[at..at + 8].try_into().expect("eight octets"));
                let packed = PackedAnswers::new((word(0), word(8)), PACKED_MAX);
                let (copies, notify) = (zones.copies.clone(), zones.notify.clone());
                let held = |origin: &Name| zones.authority.zone(origin).cloned();
                let mut keeper = Keeper::new(copies, notify, network.now(), word(16), held);
                // Those who copy from here may have missed what changed before we began.
                zones.authority.zones().for_each(|zone| keeper.changed(network.now(), zone));
                Machine::Authoritative(zones, Box::new(packed), Box::new(keeper))
            }
        };
        let state = State {
            machine,
            exchanges,
            waiting: BTreeMap::new(),
            last: 0,
            scheduled: Instant::NEVER,
            statistics: Statistics { since: network.now(), ..Statistics::default() },
            log,
            signed: Signed::default(),
            journal: None,
        };
        let shared = Shared { network: network.clone(), state: Mutex::new(state), sooner: Notify::new() };
        (Engine(Arc::new(shared)), arrivals)
    }

    /// Forgets every answer, or those about `name` and what lies below it; how many entries that were, if it was
    /// counted.
    pub fn flush(&self, name: Option<&Name>) -> Option<usize> {
        let mut state = self.0.lock();
        state.statistics.flushes += 1;
        match (&mut state.machine, name) {
            (Machine::Recursive(service), Some(name)) => Some(service.flush_below(name)),
            (Machine::Recursive(service), None) => {
                let count = service.resolver().cached();
                service.flush();
                Some(count)
            }
            (Machine::Authoritative(_, packed, _), _) => {
                packed.clear();
                None
            }
        }
    }

    /// Zones that an authority signs itself: they are served as they are now and kept signed from here on, and each new
    /// version is given to `save`.
    pub fn keep_signed(&self, zones: Vec<LiveZone>, save: Box<SaveFn>) {
        let mut state = self.0.lock();
        state.signed = Signed::new(zones, save);
        state.publish(&self.0.network);
        self.remind(&mut state);
    }

    /// What updates change is given to `journal` first.
    pub fn write_down(&self, journal: Box<JournalFn>) {
        self.0.lock().journal = Some(journal);
    }

    /// Lets `change` at the zones that are signed here, and tells it their date, in seconds since 1970. What comes of it
    /// is served at once.
    pub fn change_signed<R>(&self, change: impl FnOnce(&mut Vec<LiveZone>, u64) -> R) -> R {
        let mut state = self.0.lock();
        let date = state.signed.date(&self.0.network);
        let result = change(state.signed.zones(), date);
        state.publish(&self.0.network);
        self.remind(&mut state);
        result
    }

    /// For rehearsals: the clock of the zones that are signed here is put forward, and all is done that becomes due on
    /// the way.
    pub fn put_forward(&self, time: Duration) {
        let network = &self.0.network;
        let mut state = self.0.lock();
        let until = state.signed.date(network) + time.as_secs();
        loop {
            let now = state.signed.date(network);
            let next =
                state.signed.zones().iter().map(LiveZone::next_deadline).filter(|next| *next > now).min();
            let stop = next.unwrap_or(until).min(until);
            state.signed.wait(Duration::from_secs(stop.saturating_sub(now)));
            state.signed.advance(network);
            state.publish(network);
            if stop >= until {
                break;
            }
        }
        self.remind(&mut state);
    }

    /// Puts the zones that `make` gives in place of an authority's; copies, and zones that are signed here, stay. What has
    /// changed is remembered for incremental transfers, and those who are to know are told. No update comes between.
    /// `false`: this is no authority. An error of `make` leaves all as it was.
    pub fn replace_zones<E>(&self, make: impl FnOnce() -> Result<Zones, E>) -> Result<bool, E> {
        let (network, mut state) = (&self.0.network, self.0.lock());
        let state = &mut *state;
        let now = network.now();
        let signed = &state.signed;
        let Machine::Authoritative(zones, packed, keeper) = &mut state.machine else { return Ok(false) };
        let new = make()?;
        let copied =
            |origin: &Name| signed.holds(origin) || zones.copies.iter().any(|copy| copy.zone == *origin);
        let gone: Vec<Name> = zones.authority.zones().map(|zone| zone.origin().clone()).collect();
        let gone = gone.into_iter().filter(|name| !copied(name) && new.authority.zone(name).is_none());
        gone.collect::<Vec<_>>().iter().for_each(|name| zones.authority.remove(name));
        for zone in new.authority.zones() {
            if zones.authority.replace(zone.clone()) {
                keeper.changed(now, zone);
            }
        }
        (zones.transfer, zones.updates) = (new.transfer, new.updates);
        packed.clear();
        state.carry_out(network, now, None);
        self.remind(state);
        Ok(true)
    }

    /// The network that is served.
    pub(super) fn network(&self) -> &Network {
        &self.0.network
    }

    /// The counters as they stand.
    pub fn statistics(&self) -> Statistics {
        self.0.lock().statistics.clone()
    }

    /// The counters and what is held now, as an object.
    pub fn report(&self) -> Value {
        let mut state = self.0.lock();
        let clients = state.waiting.len();
        let exchanges = state.exchanges.len();
        let held = match &mut state.machine {
            Machine::Recursive(service) => json!({
                "role": "recursive", "cached": service.resolver().cached(), "ready": service.packed(),
                "clients_waiting": clients, "questions_open": exchanges,
            }),
            Machine::Authoritative(zones, packed, _) => json!({
                "role": "authoritative", "zones": zones.authority.zones().count(), "ready": packed.len(),
            }),
        };
        state.statistics.json(self.0.network.now(), held)
    }

    /// Answers the datagrams of one socket: at once into the outbox, or by `late` when the answer is there.
    pub(super) fn datagrams(&self, socket: usize, inbox: &Inbox, late: &Late, outbox: &mut Outbox) {
        let mut state = self.0.lock();
        let now = self.0.network.now();
        for (peer, query) in inbox.iter() {
            let from = peer.address;
            state.statistics.hear(Transport::Udp, query.len());
            let start = outbox.octets.len();
            if state.machine.quick(now, from.ip(), query, &mut outbox.octets) {
                outbox.seal(peer);
                state.statistics.packed += 1;
                let reply = &outbox.octets[start..];
                state.statistics.say(Some(reply));
                state.log(&self.0.network, from, Transport::Udp, query, Some(reply), now, now);
                continue;
            }
            let way = Way::Datagram(socket, peer.local, late.clone());
            state.query(&self.0.network, now, from, Transport::Udp, query, way);
            state.carry_out(&self.0.network, now, Some(Open { socket, outbox: &mut *outbox }));
        }
        self.remind(&mut state);
    }

    /// Answers a query that came over a connection; empty: there is nothing to say.
    pub async fn ask(&self, from: SocketAddr, transport: Transport, query: &[u8]) -> Vec<Vec<u8>> {
        let network = &self.0.network;
        let receiver = {
            let mut state = self.0.lock();
            let now = network.now();
            state.statistics.hear(transport, query.len());
            let date = || network.unix_time().as_secs();
            if let Some(messages) = state.machine.transfer(date, from.ip(), transport, query) {
                let first = messages.first().map(Vec::as_slice);
                state.statistics.say(first);
                state.log(network, from, transport, query, first, now, now);
                return messages;
            }
            let (sender, receiver) = oneshot::channel();
            state.query(network, now, from, transport, query, Way::Stream(sender));
            state.carry_out(network, now, None);
            self.remind(&mut state);
            receiver
        };
        let reply = receiver.await.ok().flatten();
        reply.map(|reply| dress::dressed(query, reply, transport)).into_iter().collect()
    }

    /// Lets the driver know of a nearer deadline.
    fn remind(&self, state: &mut State) {
        if state.next_deadline() < state.scheduled {
            self.0.sooner.notify_one();
        }
    }

    /// Feeds the machine with what other servers say and with the time, until dropped.
    pub(super) async fn drive(self, mut arrivals: Arrivals) -> io::Result<()> {
        let network = self.0.network.clone();
        loop {
            let deadline = {
                let mut state = self.0.lock();
                state.scheduled = state.next_deadline();
                state.scheduled
            };
            tokio::select! {
                biased;
                arrival = arrivals.recv() => {
                    let mut next = Some(arrival.expect("the exchanges hold a sender"));
                    let mut state = self.0.lock();
                    for _ in 0..ARRIVALS_AT_ONCE {
                        let Some(arrival) = next else { break };
                        state.tell(&network, arrival.at, arrival.input());
                        next = arrivals.try_recv().ok();
                    }
                    if let Some(arrival) = next {
                        state.tell(&network, arrival.at, arrival.input());
                    }
                }
                () = network.sleep_until(deadline), if !deadline.is_never() => {
                    let mut state = self.0.lock();
                    state.tell(&network, network.now(), Input::Timeout);
                    if state.signed.next_deadline() <= network.now() {
                        state.signed.advance(&network);
                        state.publish(&network);
                    }
                }
                () = self.0.sooner.notified() => {}
            }
        }
    }
}
