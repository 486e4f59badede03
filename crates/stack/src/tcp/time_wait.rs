//! What remains of a closed connection for twice a segment's lifetime (RFC 9293 3.10.7.4, RFC 6191): small.

use std::collections::BTreeMap;

use siphasher::sip::SipHasher13;
use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber, TcpOptions, Timestamps};

use super::connection::Connection;
use super::demux::Pair;
use super::segment::{Segment, bare};
use super::{Path, SegmentOut, State, Tcp, TcpConfig, seq};
use crate::buffers::Spare;
use crate::random::key;
use crate::timer::TimerHandle;

mod store;

use store::Store;

/// Just enough to answer old segments and to tell new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) pair: Pair,
    next_to_send: SeqNumber,
    next_expected: SeqNumber,
    /// As on the wire.
    window: u16,
    /// The peer's latest timestamp.
    recent: Option<u32>,
}

/// A TIME-WAIT object of one of the two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    V4(u32),
    V6(u32),
}

/// All TIME-WAIT objects of a host. They all wait equally long, so that one timer serves them all.
#[derive(Debug)]
pub(crate) struct TimeWaits {
    v4: Store<12>,
    v6: Store<36>,
    /// The connections that the application still holds.
    held: BTreeMap<Place, u64>,
    /// Our entry of the wheel, for the first that ends.
    timer: Option<(TimerHandle, Instant)>,
}

/// What a segment does to a TIME-WAIT object.
#[derive(Debug)]
enum OnTimeWait {
    Ignore,
    Answer,
    /// The FIN again: our acknowledgement was lost, so the wait starts anew.
    Restart,
    /// A new connection may take the place: its initial number must lie beyond this.
    MakeRoom {
        beyond: SeqNumber,
    },
    /// A RST where the configuration lets one end the wait.
    End,
}

impl TimeWaits {
    pub(crate) fn new(seed: u64) -> TimeWaits {
        let hasher = SipHasher13::new_with_key(&key(seed, "tcp time wait"));
        TimeWaits { v4: Store::new(hasher), v6: Store::new(hasher), held: BTreeMap::new(), timer: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub(crate) fn find(&self, pair: &Pair) -> Option<Place> {
        if self.len() == 0 {
            return None;
        }
        self.v4.find(pair).map(Place::V4).or_else(|| self.v6.find(pair).map(Place::V6))
    }

    fn insert(&mut self, facts: &Facts, ends: u64, held: Option<u64>) {
        let v4 = self.v4.insert(facts, ends).map(Place::V4);
        let place = v4.or_else(|| self.v6.insert(facts, ends).map(Place::V6));
        if let (Some(place), Some(handle)) = (place, held) {
            self.held.insert(place, handle);
        }
    }

    fn facts(&self, place: Place) -> Facts {
        match place {
            Place::V4(number) => self.v4.facts(number),
            Place::V6(number) => self.v6.facts(number),
        }
    }

    /// Whether a call of ours may take the place of what waits for this pair: only with timestamps, which tell the
    /// new connection's segments from the old one's (RFC 6191), and a second after the wait began (as Linux).
    pub(crate) fn may_reuse(&self, config: &TcpConfig, now: Instant, pair: &Pair) -> bool {
        let Some(place) = self.find(pair) else { return true };
        let millis = now.nanos() / 1_000_000;
        let left = self.ends(place, millis).saturating_sub(millis);
        let waited = (config.time_wait.as_millis() as u64).saturating_sub(left);
        config.time_wait_reuse && self.facts(place).recent.is_some() && waited > 1_000
    }

    /// Our ports of all objects. It takes as long as there are objects.
    pub(crate) fn local_ports(&self) -> Vec<u16> {
        [self.v4.local_ports(), self.v6.local_ports()].concat()
    }

    fn set_recent(&mut self, place: Place, recent: u32) {
        match place {
            Place::V4(number) => self.v4.set_recent(number, recent),
            Place::V6(number) => self.v6.set_recent(number, recent),
        }
    }

    fn restart(&mut self, place: Place, ends: u64) {
        match place {
            Place::V4(number) => self.v4.restart(number, ends),
            Place::V6(number) => self.v6.restart(number, ends),
        }
    }

    fn ends(&self, place: Place, now: u64) -> u64 {
        match place {
            Place::V4(number) => self.v4.ends(number, now),
            Place::V6(number) => self.v6.ends(number, now),
        }
    }

    /// The handle of the connection that the application still holds.
    fn remove(&mut self, place: Place) -> Option<u64> {
        match place {
            Place::V4(number) => self.v4.remove(number),
            Place::V6(number) => self.v6.remove(number),
        }
        self.held.remove(&place)
    }

    /// The one that ends first, and when.
    fn first(&self, now: u64) -> Option<(Place, u64)> {
        let v4 = self.v4.first(now).map(|(number, ends)| (Place::V4(number), ends));
        let v6 = self.v6.first(now).map(|(number, ends)| (Place::V6(number), ends));
        v4.into_iter().chain(v6).min_by_key(|&(_, ends)| ends)
    }
}

/// Milliseconds, rounded up: nothing ends early.
fn millis_up(at: Instant) -> u64 {
    at.nanos().div_ceil(1_000_000)
}

impl Facts {
    fn of(connection: &mut Connection) -> Facts {
        Facts {
            pair: connection.pair,
            next_to_send: seq::wire(connection.nxt),
            next_expected: seq::wire(connection.receive.next()),
            window: connection.announce_window(false),
            recent: connection.options.timestamps.map(|state| state.recent),
        }
    }

    /// The first number that can't be in the network any more.
    fn beyond(&self) -> SeqNumber {
        self.next_to_send + 65_537
    }

    fn on_segment(&self, segment: &Segment, rst_ends: bool, answers_syn: bool) -> OnTimeWait {
        let header = &segment.header;
        let theirs = self.recent.zip(header.options.timestamps);
        let newer = theirs.map(|(recent, theirs)| theirs.value.wrapping_sub(recent) as i32);
        if header.flags.rst() {
            // RFC 1337: a RST must not end the wait.
            let exact = header.seq == self.next_expected && newer.is_none_or(|newer| newer >= 0);
            return if rst_ends && exact { OnTimeWait::End } else { OnTimeWait::Ignore };
        }
        if header.flags.syn() && !header.flags.ack() {
            // RFC 6191 and RFC 9293 3.6.1: surely not an old duplicate.
            let fresh = match newer {
                Some(newer) => newer > 0 || (newer == 0 && header.seq.gt(self.next_expected)),
                None => header.seq.gt(self.next_expected),
            };
            return match fresh {
                true => OnTimeWait::MakeRoom { beyond: self.beyond() },
                false if answers_syn => OnTimeWait::Answer,
                false => OnTimeWait::Ignore,
            };
        }
        // RFC 9293 3.10.7.4, fifth: without the ACK bit it is dropped.
        if !header.flags.ack() {
            return OnTimeWait::Ignore;
        }
        if newer.is_some_and(|newer| newer < 0) {
            return if segment.len() > 0 { OnTimeWait::Answer } else { OnTimeWait::Ignore };
        }
        if header.flags.fin() {
            return OnTimeWait::Restart;
        }
        if segment.len() > 0 || header.seq != self.next_expected {
            return OnTimeWait::Answer;
        }
        OnTimeWait::Ignore
    }

    fn acknowledge(&self, spare: &mut Spare, now: Instant, offset: u32) -> SegmentOut {
        let timestamps = self.recent.map(|recent| Timestamps {
            value: ((now.nanos() / 1_000_000) as u32).wrapping_add(offset),
            echo: recent,
        });
        let options = TcpOptions { timestamps, ..TcpOptions::default() };
        bare(spare, &self.pair, Flags::ACK, self.next_to_send, self.next_expected, self.window, options)
    }
}

impl Tcp {
    /// A small object takes the place of a connection; none if there are too many.
    pub(super) fn shrink_to_time_wait(&mut self, index: u32, now: Instant) {
        let handle = self.connections.handle(index);
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.ack.now {
            let acknowledgement = connection.build_bare(&mut self.spare, now, Flags::ACK, connection.nxt);
            self.out.push_back(acknowledgement);
        }
        if self.time_wait.len() >= self.config.time_wait_most {
            self.stats.time_wait_overflows += 1;
            connection.set_state(now, State::Closed);
            self.detach(index);
            return;
        }
        connection.attached = false;
        let held = (!connection.released).then_some(handle);
        let facts = Facts::of(connection);
        let wheel = connection.wheel.take();
        let released = connection.released;
        self.remove_timer(wheel.map(|(handle, _)| handle));
        if released {
            self.forget_connection(index);
        }
        self.demux.remove(&facts.pair);
        self.time_wait.insert(&facts, millis_up(now + self.config.time_wait), held);
        self.arm_time_wait(now);
    }

    /// The wheel wakes us for the first that ends, or earlier.
    fn arm_time_wait(&mut self, now: Instant) {
        let Some((_, ends)) = self.time_wait.first(now.nanos() / 1_000_000) else { return };
        let at = Instant::from_millis(ends);
        if self.time_wait.timer.is_some_and(|(_, armed)| armed <= at) {
            return;
        }
        let old = self.time_wait.timer.take();
        self.remove_timer(old.map(|(handle, _)| handle));
        self.time_wait.timer = Some((self.wheel.insert(at, super::settle::TIME_WAIT_KEY), at));
    }

    pub(super) fn time_wait_deadline(&mut self, now: Instant) {
        self.time_wait.timer = None;
        let millis = now.nanos() / 1_000_000;
        while let Some((place, ends)) = self.time_wait.first(millis)
            && ends <= millis
        {
            self.visits += 1;
            self.stats.time_waits += 1;
            self.end_time_wait(now, place);
        }
        self.arm_time_wait(now);
    }

    /// Ends everything that is in TIME-WAIT (FreeBSD's `tcpdrop -s TIME_WAIT`).
    pub fn forget_time_wait(&mut self, now: Instant) {
        while let Some((place, _)) = self.time_wait.first(now.nanos() / 1_000_000) {
            self.end_time_wait(now, place);
        }
    }

    fn end_time_wait(&mut self, now: Instant, place: Place) {
        let held = self.time_wait.remove(place).and_then(|handle| self.connections.resolve(handle));
        if let Some(connection) = held.and_then(|index| self.connections.get_mut(index)) {
            connection.set_state(now, State::Closed);
        }
        if self.time_wait.len() == 0 {
            let timer = self.time_wait.timer.take();
            self.remove_timer(timer.map(|(handle, _)| handle));
        }
    }

    pub(super) fn on_time_wait(&mut self, path: &dyn Path, place: Place, segment: &Segment) {
        self.visits += 1;
        let facts = self.time_wait.facts(place);
        let decision = facts.on_segment(
            segment,
            self.config.time_wait_assassination,
            self.config.habits.time_wait_answers_syn,
        );
        match decision {
            OnTimeWait::Ignore => {}
            OnTimeWait::Answer | OnTimeWait::Restart => {
                let offset = self.secrets.timestamp_offset(&facts.pair);
                let mut told = facts;
                if let (Some(recent), Some(theirs)) = (facts.recent, segment.header.options.timestamps)
                    && theirs.value.wrapping_sub(recent) as i32 > 0
                    && !segment.flags().syn()
                {
                    told.recent = Some(theirs.value);
                    self.time_wait.set_recent(place, theirs.value);
                }
                self.out.push_back(told.acknowledge(&mut self.spare, segment.at, offset));
                if matches!(decision, OnTimeWait::Restart) {
                    self.time_wait.restart(place, millis_up(segment.at + self.config.time_wait));
                }
            }
            OnTimeWait::End => self.end_time_wait(segment.at, place),
            OnTimeWait::MakeRoom { beyond } => {
                // Without a listener there is nothing to make room for.
                if self.demux.listener(segment.pair.local).is_some() {
                    self.stats.time_waits_reused += 1;
                    self.end_time_wait(segment.at, place);
                    self.on_listener(path, segment, Some(beyond));
                }
            }
        }
    }

    /// A call of ours takes the place. Beyond which number it must begin, if there was anything.
    pub(super) fn reuse_time_wait(&mut self, now: Instant, pair: &Pair) -> Option<SeqNumber> {
        let place = self.time_wait.find(pair)?;
        let beyond = self.time_wait.facts(place).beyond();
        self.stats.time_waits_reused += 1;
        self.end_time_wait(now, place);
        Some(beyond)
    }
}

#[cfg(test)]
mod tests;
