//! A path for one controller without a network around it: packets of one size through a bottleneck with a queue, a
//! delay and losses, acknowledged one by one, with everything a connection would tell its controller.

use core::time::Duration;
use std::collections::BTreeMap;

use thru_wire::Instant;

use super::{Ack, Controller, Lost, RateSample, Sent};
use crate::random::Random;

/// Bytes of a packet.
pub(crate) const MSS: u64 = 1_448;

/// A bottleneck.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// Bytes per second.
    pub(crate) rate: u64,
    /// Round trip without queue.
    pub(crate) rtt: Duration,
    /// Bytes the queue holds.
    pub(crate) queue: u64,
    /// Packets lost at random, in parts per million.
    pub(crate) loss: u64,
    /// Packets are marked instead of queued beyond this many bytes.
    pub(crate) mark_above: u64,
}

impl Default for Path {
    fn default() -> Path {
        Path {
            rate: 1_250_000,
            rtt: Duration::from_millis(50),
            queue: 125_000,
            loss: 0,
            mark_above: u64::MAX,
        }
    }
}

/// What was in a packet when it left.
#[derive(Clone, Copy, Debug)]
struct Packet {
    sent_at: Instant,
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    lost: u64,
    tx_in_flight: u64,
    app_limited: bool,
}

/// A sender with a controller on a path.
pub(crate) struct Drive<C> {
    pub(crate) controller: C,
    pub(crate) path: Path,
    pub(crate) now: Instant,
    /// Bytes the application has for each millisecond; `None`: always enough.
    pub(crate) supply: Option<u64>,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) in_flight: u64,
    /// Every phase entered, with its time.
    pub(crate) phases: Vec<(Instant, &'static str)>,
    random: Random,
    busy_until: Instant,
    next_send: Instant,
    burst: u64,
    budget: u64,
    budget_at: Instant,
    delivered_at: Instant,
    first_sent: Instant,
    app_limited: u64,
    /// In the order they reach the sender again; the flag says whether the path lost it (noticed a bit later).
    flying: BTreeMap<(Instant, u64), (Packet, Fate)>,
    serial: u64,
    recovery_until: Option<u64>,
    marked_until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    Marked,
    Lost,
}

impl<C: Controller> Drive<C> {
    pub(crate) fn new(mut controller: C, path: Path, seed: u64) -> Drive<C> {
        let now = Instant::from_millis(1_000);
        let transmission = Duration::from_nanos(MSS * 1_000_000_000 / path.rate);
        controller.on_established(now, Some(path.rtt + transmission), true);
        let first = controller.phase();
        Drive {
            controller,
            path,
            now,
            supply: None,
            delivered: 0,
            lost: 0,
            in_flight: 0,
            phases: vec![(now, first)],
            random: Random::new(seed, "drive"),
            busy_until: now,
            next_send: now,
            burst: 0,
            budget: 0,
            budget_at: now,
            delivered_at: now,
            first_sent: now,
            app_limited: 0,
            flying: BTreeMap::new(),
            serial: 0,
            recovery_until: None,
            marked_until: 0,
        }
    }

    /// Goes on for `time`; bytes delivered meanwhile.
    pub(crate) fn run(&mut self, time: Duration) -> u64 {
        let (end, before) = (self.now + time, self.delivered);
        loop {
            self.send();
            let arrival = self.flying.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
            let send = if self.wants_to_send() { self.next_send.max(self.now) } else { Instant::NEVER };
            let supply = if self.supply.is_some() {
                self.budget_at + Duration::from_millis(1)
            } else {
                Instant::NEVER
            };
            let next = arrival.min(send).min(supply);
            if next > end {
                self.now = end;
                return self.delivered - before;
            }
            self.now = next;
            if arrival == next {
                self.arrive();
            }
        }
    }

    /// Goes on until a phase is entered, or until `limit`. Whether it was.
    pub(crate) fn run_until(&mut self, phase: &str, limit: Duration) -> bool {
        let (end, known) = (self.now + limit, self.phases.len());
        while self.now < end {
            if self.phases[known..].iter().any(|(_, entered)| *entered == phase) {
                return true;
            }
            self.run(Duration::from_millis(1));
        }
        false
    }

    fn wants_to_send(&self) -> bool {
        self.in_flight + MSS <= self.controller.window() && self.has_data()
    }

    fn has_data(&self) -> bool {
        self.supply.is_none() || self.budget >= MSS
    }

    fn send(&mut self) {
        if let Some(supply) = self.supply {
            let millis = self.now.since(self.budget_at).as_millis() as u64;
            self.budget += millis * supply;
            self.budget_at += Duration::from_millis(millis);
        }
        while self.wants_to_send() {
            let rate = self.controller.pacing_rate();
            if rate.is_some() && self.burst == 0 && self.next_send > self.now {
                return;
            }
            if let Some(rate) = rate {
                if self.burst == 0 {
                    self.burst = self.controller.send_quantum();
                    self.next_send = self.next_send.max(self.now);
                }
                self.burst = self.burst.saturating_sub(MSS);
                self.next_send += Duration::from_nanos(MSS * 1_000_000_000 / rate.max(1));
            }
            self.send_one();
        }
        if !self.has_data() && self.in_flight + MSS <= self.controller.window() {
            self.app_limited = (self.delivered + self.in_flight).max(1);
        }
    }

    fn send_one(&mut self) {
        if self.supply.is_some() {
            self.budget -= MSS;
        }
        self.controller.on_sent(&Sent {
            now: self.now,
            len: MSS,
            in_flight: self.in_flight,
            total_delivered: self.delivered,
            app_limited: self.app_limited > 0,
        });
        if self.in_flight == 0 {
            self.first_sent = self.now;
            self.delivered_at = self.now;
        }
        self.in_flight += MSS;
        let packet = Packet {
            sent_at: self.now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent: self.first_sent,
            lost: self.lost,
            tx_in_flight: self.in_flight,
            app_limited: self.app_limited > 0,
        };
        let start = self.busy_until.max(self.now);
        let queued = start.since(self.now).as_nanos() as u64 * self.path.rate / 1_000_000_000;
        let lost = queued + MSS > self.path.queue || self.random.chance(self.path.loss * 1_000);
        let fate = match lost {
            true => Fate::Lost,
            false if queued > self.path.mark_above => Fate::Marked,
            false => Fate::Arrives,
        };
        if fate != Fate::Lost {
            self.busy_until = start + Duration::from_nanos(MSS * 1_000_000_000 / self.path.rate);
        }
        // The gap a loss leaves is noticed when what left next arrives, and a little later.
        let late = if fate == Fate::Lost { Duration::from_millis(2) } else { Duration::ZERO };
        let at = self.busy_until.max(self.now) + self.path.rtt + late;
        self.serial += 1;
        self.flying.insert((at, self.serial), (packet, fate));
    }

    fn arrive(&mut self) {
        let Some(((_, serial), (packet, fate))) = self.flying.pop_first() else { return };
        let prior_in_flight = self.in_flight;
        self.in_flight -= MSS;
        let mut ack = Ack { prior_in_flight, ..Ack::nothing(self.now) };
        if fate == Fate::Lost {
            self.lost += MSS;
            ack.newly_lost = MSS;
            let lost = Lost {
                len: MSS,
                tx_in_flight: packet.tx_in_flight,
                lost_since: self.lost - packet.lost,
                app_limited: packet.app_limited,
            };
            self.controller.on_lost(self.now, &lost);
            if self.recovery_until.is_none() {
                self.recovery_until = Some(self.serial);
                self.controller.on_loss(self.now, prior_in_flight);
            }
        } else {
            self.deliver(&packet, &mut ack);
            if self.recovery_until.is_some_and(|until| serial > until) {
                self.recovery_until = None;
                self.controller.on_recovered(self.now, self.in_flight);
            }
        }
        ack.total_delivered = self.delivered;
        ack.in_flight = self.in_flight;
        ack.in_recovery = self.recovery_until.is_some();
        ack.ce_bytes = if fate == Fate::Marked { MSS } else { 0 };
        self.controller.on_ack(&ack);
        if fate == Fate::Marked && serial > self.marked_until {
            self.marked_until = self.serial;
            self.controller.on_ecn(self.now, self.in_flight);
        }
        if self.controller.limits_itself() {
            self.app_limited = (self.delivered + self.in_flight).max(1);
        }
        let phase = self.controller.phase();
        if self.phases.last().is_none_or(|(_, last)| *last != phase) {
            self.phases.push((self.now, phase));
        }
        assert!(self.controller.window() >= MSS, "a window below one segment");
    }

    fn deliver(&mut self, packet: &Packet, ack: &mut Ack) {
        self.delivered += MSS;
        self.delivered_at = self.now;
        if self.app_limited > 0 && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let send = packet.sent_at.since(packet.first_sent);
        let interval = send.max(self.now.since(packet.delivered_at));
        self.first_sent = packet.sent_at;
        let rtt = self.now.since(packet.sent_at);
        ack.delivered = MSS;
        ack.acked = MSS;
        ack.rtt = Some(rtt);
        ack.shortest_rtt = Some(rtt);
        ack.rate = Some(RateSample {
            delivered: self.delivered - packet.delivered,
            interval,
            valid: interval >= self.path.rtt.min(rtt),
            app_limited: packet.app_limited,
            prior_delivered: packet.delivered,
            tx_in_flight: packet.tx_in_flight,
            lost: self.lost - packet.lost,
            rtt,
            retransmitted: false,
        });
    }
}
