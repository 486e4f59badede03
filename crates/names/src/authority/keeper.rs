//! What an authority has to do unasked: keep its copies of others' zones, and tell others when a zone has changed.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::SignedZone;
use super::changes::{Journal, soa_serial};
use super::notify::{NOTIFY, Notifier};
use super::secondary::{Order, Secondary, SecondaryConfig};
use crate::message::{Peek, bare_error};
use crate::resolver::{ExchangeId, Input};
use crate::wire::{Header, Packet};

/// What to do outside.
#[derive(Clone, Debug)]
pub enum Task {
    /// Send this; what comes back goes to [`Keeper::handle`] under the same number, over TCP until [`Task::Finished`].
    Send {
        /// Names the exchange.
        exchange: ExchangeId,
        /// To whom.
        to: SocketAddr,
        /// Over TCP.
        over_tcp: bool,
        /// The message.
        message: Vec<u8>,
    },
    /// The exchange is over.
    Finished(ExchangeId),
    /// Serve this version from now on, with the steps that led to it; without one, the zone has expired.
    Serve {
        /// The zone's name.
        origin: Name,
        /// The new version.
        zone: Option<Arc<SignedZone>>,
        /// For incremental transfers.
        journal: Journal,
    },
}

/// The place of a copy stands in these bits of its exchanges' numbers.
const PLACE_SHIFT: u32 = 40;
/// Notices have a place of their own.
const NOTICES: u64 = (1 << 20) - 1;

/// Rule for the loop: after each call, take [`Keeper::poll`] until it is empty; call [`Keeper::handle`] with
/// [`Input::Timeout`] when [`Keeper::next_deadline`] has come.
#[derive(Debug, Default)]
pub struct Keeper {
    copies: Vec<Secondary>,
    notifier: Notifier,
    /// Who is told when any zone changes.
    secondaries: Vec<SocketAddr>,
    /// Notices under way, by exchange.
    open: BTreeMap<u64, SocketAddr>,
    last: u64,
    seed: u64,
    tasks: VecDeque<Task>,
}

impl Keeper {
    /// Copies of these zones, beginning with what is `held` of them; `secondaries` are told of changes. `seed` makes the
    /// ids of messages.
    pub fn new(
        sources: Vec<SecondaryConfig>,
        secondaries: Vec<SocketAddr>,
        now: Instant,
        seed: u64,
        held: impl Fn(&Name) -> Option<Arc<SignedZone>>,
    ) -> Keeper {
        let copy = |(place, source): (usize, SecondaryConfig)| {
            let seed = seed.wrapping_add(place as u64 + 1);
            let zone = held(&source.zone);
            Secondary::new(source, now, zone, seed, (place as u64) << PLACE_SHIFT)
        };
        let copies = sources.into_iter().enumerate().map(copy).collect();
        Keeper { copies, secondaries, seed, ..Keeper::default() }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// When to call with [`Input::Timeout`].
    pub fn next_deadline(&self) -> Instant {
        let copies = self.copies.iter().map(Secondary::next_deadline).min().unwrap_or(Instant::NEVER);
        copies.min(self.notifier.next_deadline())
    }

    /// What is not as it should be: each copy's zone and its trouble, in words.
    pub fn troubles(&self) -> Vec<(Name, String)> {
        let trouble = |copy: &Secondary| Some((copy.origin().clone(), copy.trouble()?.to_owned()));
        self.copies.iter().filter_map(trouble).collect()
    }

    /// A zone of ours has a new version: the secondaries are told.
    pub fn changed(&mut self, now: Instant, zone: &SignedZone) {
        let Keeper { notifier, secondaries, seed, .. } = self;
        notifier.changed(now, zone, secondaries, || {
            *seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (*seed >> 40) as u16
        });
        self.tell(now);
    }

    /// Something that happened outside.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Response { exchange, from, message } => match self.copy(exchange) {
                Some(copy) => copy.message(now, exchange.0, message),
                None => {
                    if self.open.contains_key(&exchange.0) && self.notifier.answered(from, message) {
                        self.close(exchange);
                    }
                }
            },
            Input::Unreachable { exchange, why } => match self.copy(exchange) {
                Some(copy) => copy.failed(now, exchange.0, &format!("cannot be reached: {why}")),
                None => self.close(exchange),
            },
            Input::NoAnswer { exchange } => match self.copy(exchange) {
                Some(copy) => copy.failed(now, exchange.0, "did not answer"),
                None => self.close(exchange),
            },
            Input::Timeout => {
                for copy in self.copies.iter_mut().filter(|copy| copy.next_deadline() <= now) {
                    copy.timeout(now);
                }
            }
            Input::Query { .. } => {}
        }
        self.follow(now);
        self.tell(now);
    }

    /// The answer to a notice that a zone has changed (RFC 1996); `None`: the message is something else.
    pub fn notice(&mut self, now: Instant, from: IpAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let peek = Peek::at(bytes).filter(|peek| !peek.is_response && peek.opcode == NOTIFY)?;
        let packet = Packet::read(bytes).ok();
        let Some(question) = packet.as_ref().and_then(Packet::question) else {
            return Some(bare_error(peek, ResponseCode::FormErr));
        };
        let own = |copy: &&mut Secondary| *copy.origin() == question.name && copy.may_notify(from);
        let Some(copy) = self.copies.iter_mut().find(own) else {
            return Some(bare_error(peek, ResponseCode::Refused));
        };
        let answers = packet.iter().flat_map(|packet| &packet.answers);
        let soa = answers.into_iter().find(|record| record.rtype == RecordType::SOA);
        copy.notified(now, soa.and_then(|soa| soa_serial(&soa.data)));
        let header =
            Header { id: peek.id, response: true, opcode: NOTIFY, authoritative: true, ..Header::default() };
        let reply = Packet { header, questions: vec![question.clone()], ..Packet::default() };
        self.follow(now);
        reply.write(512)
    }

    fn copy(&mut self, exchange: ExchangeId) -> Option<&mut Secondary> {
        self.copies.get_mut((exchange.0 >> PLACE_SHIFT) as usize)
    }

    fn close(&mut self, exchange: ExchangeId) {
        if self.open.remove(&exchange.0).is_some() {
            self.tasks.push_back(Task::Finished(exchange));
        }
    }

    /// Carries out what the copies want.
    fn follow(&mut self, now: Instant) {
        for place in 0..self.copies.len() {
            while let Some(order) = self.copies[place].poll() {
                match order {
                    Order::Send { exchange, to, over_tcp, message } => {
                        let exchange = ExchangeId(exchange);
                        self.tasks.push_back(Task::Send { exchange, to, over_tcp, message });
                    }
                    Order::Close(exchange) => self.tasks.push_back(Task::Finished(ExchangeId(exchange))),
                    // An authority resolves nothing: its primaries are addresses.
                    Order::LookUp(host) => self.copies[place].addresses(now, &host, &[]),
                    Order::Changed => {
                        let copy = &self.copies[place];
                        let (zone, journal) = (copy.handle().zone(), copy.journal().clone());
                        let origin = copy.origin().clone();
                        if let Some(zone) = &zone {
                            self.changed(now, &zone.clone());
                        }
                        self.tasks.push_back(Task::Serve { origin, zone, journal });
                    }
                }
            }
        }
    }

    /// Sends the notices that are due, each as an exchange of its own.
    fn tell(&mut self, now: Instant) {
        while let Some((to, message)) = self.notifier.poll(now) {
            // Of one that was told before, the old exchange is over.
            let before: Vec<u64> =
                self.open.iter().filter(|(_, other)| **other == to).map(|(exchange, _)| *exchange).collect();
            before.into_iter().for_each(|exchange| self.close(ExchangeId(exchange)));
            self.last += 1;
            let exchange = NOTICES << PLACE_SHIFT | self.last;
            self.open.insert(exchange, to);
            let exchange = ExchangeId(exchange);
            self.tasks.push_back(Task::Send { exchange, to, over_tcp: false, message });
        }
    }
}
