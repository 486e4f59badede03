//! What an engine holds, under its lock: the machine, who waits for it, and what it has under way.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use thru_names::authority::keeper::{Keeper, Task};
use thru_names::authority::update::is_update;
use thru_names::packed::{PackedAnswers, PlainQuery};
use thru_names::resolver::Input;
use thru_names::service::{Out, Service};
use thru_net::Network;
use thru_net::datagrams::{Outbox, Peer};
use thru_probe::resolve::exchanges::Exchanges;
use thru_wire::Instant;
use tokio::sync::oneshot;

use super::Late;
use crate::nameserver::signed::Signed;
use crate::nameserver::statistics::{LogFn, Logged, Statistics};
use crate::nameserver::updates::{Dates, JournalFn, Updated};
use crate::nameserver::{Transport, Zones};

pub(super) struct State {
    pub(super) machine: Machine,
    pub(super) exchanges: Exchanges,
    pub(super) waiting: BTreeMap<u64, Client>,
    pub(super) last: u64,
    /// What the driver sleeps towards.
    pub(super) scheduled: Instant,
    pub(super) statistics: Statistics,
    pub(super) log: Option<Box<LogFn>>,
    pub(super) signed: Signed,
    /// Writes down what updates change.
    pub(super) journal: Option<Box<JournalFn>>,
}

pub(super) enum Machine {
    Recursive(Box<Service>),
    Authoritative(Zones, Box<PackedAnswers>, Box<Keeper>),
}

/// Who waits for a reply.
pub(super) struct Client {
    from: SocketAddr,
    transport: Transport,
    since: Instant,
    /// Kept for the log only.
    query: Vec<u8>,
    way: Way,
}

pub(super) enum Way {
    /// The UDP socket of this number, the address of ours that was asked, and how to reach the socket later.
    Datagram(usize, Option<IpAddr>, Late),
    Stream(oneshot::Sender<Option<Vec<u8>>>),
}

/// The UDP socket that is being served now.
pub(super) struct Open<'a> {
    pub(super) socket: usize,
    pub(super) outbox: &'a mut Outbox,
}

impl State {
    pub(super) fn next_deadline(&self) -> Instant {
        self.machine.next_deadline().min(self.signed.next_deadline())
    }

    /// Serves the latest versions of the zones that are signed here.
    pub(super) fn publish(&mut self, network: &Network) {
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

    pub(super) fn query(
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

    pub(super) fn tell(&mut self, network: &Network, now: Instant, input: Input<'_>) {
        match &mut self.machine {
            Machine::Recursive(service) => service.handle(now, input),
            Machine::Authoritative(_, _, keeper) => keeper.handle(now, input),
        }
        self.carry_out(network, now, None);
    }

    /// Does all that the machine wants done.
    pub(super) fn carry_out(&mut self, network: &Network, now: Instant, mut open: Option<Open<'_>>) {
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
    pub(super) fn log(
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
    pub(super) fn quick(&mut self, now: Instant, from: IpAddr, query: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Machine::Recursive(service) => service.quick(now, from, query, out),
            Machine::Authoritative(_, packed, _) => {
                PlainQuery::read(query).is_some_and(|plain| packed.answer(Instant::START, &plain, query, out))
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        match self {
            Machine::Recursive(service) => service.next_deadline(),
            Machine::Authoritative(_, _, keeper) => keeper.next_deadline(),
        }
    }

    /// The messages of a transfer, or the one that refuses it; `None`: none is asked for.
    pub(super) fn transfer(
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
