//! The machine with what it waits for: clients of all transports meet here.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::rr::Name;
use serde_json::{Value, json};
use thru_names::authority::keeper::{Keeper, Task};
use thru_names::authority::update::is_update;
use thru_names::dnssec::signing::live::LiveZone;
use thru_names::packed::{PackedAnswers, PlainQuery};
use thru_names::resolver::Input;
use thru_names::service::{Out, Service};
use thru_net::Network;
use thru_net::datagrams::{Inbox, Outbox, Peer};
use thru_probe::resolve::exchanges::{Arrival, Exchanges};
use thru_wire::Instant;
use tokio::sync::{Notify, mpsc, oneshot};

use super::signed::{SaveFn, Signed};
use super::statistics::{LogFn, Logged, Statistics};
use super::updates::{Dates, JournalFn, Updated};
use super::{Role, Transport, Zones, dress};

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

struct State {
    machine: Machine,
    exchanges: Exchanges,
    waiting: BTreeMap<u64, Client>,
    last: u64,
    /// What the driver sleeps towards.
    scheduled: Instant,
    statistics: Statistics,
    log: Option<Box<LogFn>>,
    signed: Signed,
    /// Writes down what updates change.
    journal: Option<Box<JournalFn>>,
}

enum Machine {
    Recursive(Box<Service>),
    Authoritative(Zones, Box<PackedAnswers>, Box<Keeper>),
}

/// Who waits for a reply.
struct Client {
    from: SocketAddr,
    transport: Transport,
    since: Instant,
    /// Kept for the log only.
    query: Vec<u8>,
    way: Way,
}

enum Way {
    /// The UDP socket of this number, the address of ours that was asked, and how to reach the socket later.
    Datagram(usize, Option<IpAddr>, Late),
    Stream(oneshot::Sender<Option<Vec<u8>>>),
}

/// The UDP socket that is being served now.
struct Open<'a> {
    socket: usize,
    outbox: &'a mut Outbox,
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

impl State {
    fn next_deadline(&self) -> Instant {
        self.machine.next_deadline().min(self.signed.next_deadline())
    }

    /// Serves the latest versions of the zones that are signed here.
    fn publish(&mut self, network: &Network) {
        let now = network.now();
        let Machine::Authoritative(zones, packed, keeper) = &mut self.machine else { return };
        let news = self.signed.news(network, |zone| zones.authority.zone(zone.origin()).cloned());
        for zone in news {
            packed.clear();
            zones.authority.replace(Arc::clone(&zone));
            keeper.changed(now, &zone);
        }
        self.carry_out(network, now, None);
    }

    fn query(
        &mut self,
        network: &Network,
        now: Instant,
        from: SocketAddr,
        transport: Transport,
        query: &[u8],
        way: Way,
    ) {
        self.last += 1;
        let kept = if self.log.is_some() { query.to_vec() } else { Vec::new() };
        self.waiting.insert(self.last, Client { from, transport, since: now, query: kept, way });
        let over_udp = transport == Transport::Udp;
        match &mut self.machine {
            Machine::Recursive(service) => service.query(now, self.last, from.ip(), !over_udp, query),
            Machine::Authoritative(zones, packed, keeper) => {
                if is_update(query) {
                    return self.update(network, now, from.ip(), query);
                }
                let date = || network.unix_time().as_secs();
                let reply = zones.signed_as(date, query, |query, room| {
                    let notice = keeper.notice(now, from.ip(), query);
                    let answer = || zones.authority.answer_with_room(query, over_udp, room);
                    notice.or_else(answer).map(|reply| vec![reply])
                });
                let reply = reply.and_then(|messages| messages.into_iter().next());
                if let Some(reply) = &reply
                    && let Some(plain) = PlainQuery::read(query).filter(|_| over_udp)
                {
                    packed.keep(Instant::START, Instant::NEVER, &plain, reply);
                }
                self.reply(network, now, self.last, reply, &mut None);
            }
        }
    }

    /// Carries out an update of the client that came last.
    fn update(&mut self, network: &Network, now: Instant, from: IpAddr, query: &[u8]) {
        let Machine::Authoritative(zones, packed, keeper) = &mut self.machine else { return };
        let dates = Dates { now: network.unix_time().as_secs(), signing: self.signed.date(network) };
        let updated = zones.update(dates, from, query, self.signed.zones(), self.journal.as_deref());
        let Some(Updated { reply, zone }) = updated else { return };
        if let Some(zone) = zone {
            packed.clear();
            zones.authority.replace(Arc::clone(&zone));
            keeper.changed(now, &zone);
        }
        self.publish(network);
        self.reply(network, now, self.last, Some(reply), &mut None);
    }

    fn tell(&mut self, network: &Network, now: Instant, input: Input<'_>) {
        match &mut self.machine {
            Machine::Recursive(service) => service.handle(now, input),
            Machine::Authoritative(_, _, keeper) => keeper.handle(now, input),
        }
        self.carry_out(network, now, None);
    }

    /// Does all that the machine wants done.
    fn carry_out(&mut self, network: &Network, now: Instant, mut open: Option<Open<'_>>) {
        loop {
            let service = match &mut self.machine {
                Machine::Recursive(service) => service,
                Machine::Authoritative(zones, packed, keeper) => {
                    let Some(task) = keeper.poll() else { return };
                    match task {
                        Task::Send { exchange, to, over_tcp, message } => {
                            self.statistics.asked += 1;
                            self.exchanges.begin(exchange, to, over_tcp, message);
                        }
                        Task::Finished(exchange) => self.exchanges.end(exchange),
                        Task::Serve { origin, zone, journal } => {
                            packed.clear();
                            match zone {
                                Some(zone) => zones.authority.adopt(zone, &journal),
                                None => zones.authority.remove(&origin),
                            }
                        }
                    }
                    continue;
                }
            };
            match service.poll() {
                None => return,
                Some(Out::Send { exchange, to, over_tcp, message }) => {
                    self.statistics.asked += 1;
                    self.exchanges.begin(exchange, to, over_tcp, message);
                }
                Some(Out::Finished(exchange)) => self.exchanges.end(exchange),
                Some(Out::Answered(_)) => {}
                Some(Out::Reply { token, message }) => self.reply(network, now, token, message, &mut open),
            }
        }
    }

    /// A reply, or silence, for who waits under this token.
    fn reply(
        &mut self,
        network: &Network,
        now: Instant,
        token: u64,
        message: Option<Vec<u8>>,
        open: &mut Option<Open<'_>>,
    ) {
        let Some(client) = self.waiting.remove(&token) else { return };
        let Client { from, transport, since, query, way } = client;
        if now > since {
            self.statistics.wait(now.since(since));
        } else {
            self.statistics.at_once += 1;
        }
        self.statistics.say(message.as_deref());
        self.log(network, from, transport, &query, message.as_deref(), since, now);
        match (way, open, message) {
            (Way::Stream(sender), _, message) => {
                // A client that is gone needs none.
                let _ = sender.send(message);
            }
            (Way::Datagram(socket, local, _), Some(open), Some(message)) if socket == open.socket => {
                open.outbox.octets.extend_from_slice(&message);
                open.outbox.seal(Peer { address: from, local });
            }
            (Way::Datagram(_, local, late), _, Some(message)) => {
                // When more wait than the socket can send, this one is lost, as datagrams are.
                let _ = late.try_send((Peer { address: from, local }, message));
            }
            (Way::Datagram(..), _, None) => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one line, borrowed from different owners")]
    fn log(
        &self,
        network: &Network,
        from: SocketAddr,
        transport: Transport,
        query: &[u8],
        reply: Option<&[u8]>,
        since: Instant,
        now: Instant,
    ) {
        if let Some(log) = &self.log {
            let took = now.since(since);
            log(&Logged { date: network.unix_time(), from, transport, query, reply, took });
        }
    }
}

impl Machine {
    /// A reply that is at hand in octets.
    fn quick(&mut self, now: Instant, from: IpAddr, query: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Machine::Recursive(service) => service.quick(now, from, query, out),
            Machine::Authoritative(_, packed, _) => {
                PlainQuery::read(query).is_some_and(|plain| packed.answer(Instant::START, &plain, query, out))
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        match self {
            Machine::Recursive(service) => service.next_deadline(),
            Machine::Authoritative(_, _, keeper) => keeper.next_deadline(),
        }
    }

    /// The messages of a transfer, or the one that refuses it; `None`: none is asked for.
    fn transfer(
        &self,
        date: impl FnOnce() -> u64,
        from: IpAddr,
        transport: Transport,
        query: &[u8],
    ) -> Option<Vec<Vec<u8>>> {
        let Machine::Authoritative(zones, ..) = self else { return None };
        // RFC 8484 has one message for each request.
        if transport == Transport::Https {
            return None;
        }
        zones.signed_as(date, query, |query, _| zones.transfer(from, query))
    }
}
