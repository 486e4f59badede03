//! After something happened to an object: carry out what follows for the tables, the timers and the queue of those
//! that may send. The one place where that is decided.

use thru_wire::Instant;

use super::connection::Context;
use super::demux::Target;
use super::rtt::syn_ack_timeout;
use super::time_wait::TimeWait;
use super::{Path, State, Tcp, context};

/// The key of a wheel entry: the kind above the number.
fn key(target: Target) -> u64 {
    match target {
        Target::Connection(index) => u64::from(index),
        Target::HalfOpen(index) => 1 << 32 | u64::from(index),
        Target::TimeWait(index) => 2 << 32 | u64::from(index),
    }
}

/// Whose entry of the wheel it is.
pub(super) fn owner(key: u64) -> Target {
    let index = key as u32;
    match key >> 32 {
        0 => Target::Connection(index),
        1 => Target::HalfOpen(index),
        _ => Target::TimeWait(index),
    }
}

impl Tcp {
    pub(super) fn settle(&mut self, index: u32, now: Instant) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.fast_open.is_some() {
            self.settle_fast_open(index, now);
        }
        let Some(connection) = self.connections.get_mut(index) else { return };
        match connection.state {
            State::Closed => self.detach(index),
            State::TimeWait if connection.attached => self.shrink_to_time_wait(index, now),
            State::TimeWait => {}
            _ => {
                if !connection.queued {
                    connection.queued = true;
                    self.ready.push_back(index);
                }
                self.arm(index);
            }
        }
    }

    /// Sets the wheel for the earliest deadline, if its entry would come too late. One that comes too early is left:
    /// it will find nothing due and be set again.
    pub(super) fn arm(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let due = connection.timers.earliest();
        if due.is_never() || connection.wheel.is_some_and(|(_, at)| at <= due) {
            return;
        }
        if let Some((handle, _)) = connection.wheel.take() {
            self.wheel.remove(handle);
        }
        connection.wheel = Some((self.wheel.insert(due, key(Target::Connection(index))), due));
    }

    pub(super) fn connection_deadline(&mut self, now: Instant, path: &dyn Path, index: u32) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.wheel = None;
        let timeouts = connection.insight.timeouts;
        let mut cx = context!(self, now);
        connection.on_deadline(&mut cx);
        if connection.insight.timeouts > timeouts && connection.is_synchronized() {
            // The path may have become narrower, as another connection was told.
            let mtu = path.mtu(connection.pair.remote.address);
            connection.limit_to_mtu(mtu);
        }
        self.settle(index, now);
    }

    /// Segments don't find it any more. What the application can still read or ask stays until it lets go.
    fn detach(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.attached {
            connection.attached = false;
            self.demux.remove(&connection.pair);
        }
        let wheel = connection.wheel.take();
        let released = connection.released;
        self.remove_timer(wheel.map(|(handle, _)| handle));
        if released {
            self.connections.remove(index);
        }
    }

    /// TIME-WAIT: a small object takes the place.
    fn shrink_to_time_wait(&mut self, index: u32, now: Instant) {
        let handle = self.connections.handle(index);
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.ack.now {
            let acknowledgement = connection.build_bare(now, thru_wire::tcp::Flags::ACK, connection.nxt);
            self.out.push_back(acknowledgement);
        }
        connection.attached = false;
        let held = (!connection.released).then_some(handle);
        let ends = now + self.config.time_wait;
        let mut object = TimeWait::new(connection, ends, held);
        let pair = connection.pair;
        let wheel = connection.wheel.take();
        let released = connection.released;
        self.remove_timer(wheel.map(|(handle, _)| handle));
        if released {
            self.connections.remove(index);
        }
        object.timer = None;
        let place = self.time_wait.insert(object);
        self.demux.set(pair, Target::TimeWait(place));
        self.arm_time_wait(place);
    }

    fn arm_time_wait(&mut self, index: u32) {
        if let Some(object) = self.time_wait.get_mut(index) {
            object.timer = Some(self.wheel.insert(object.ends, key(Target::TimeWait(index))));
        }
    }

    pub(super) fn time_wait_deadline(&mut self, now: Instant, index: u32) {
        let Some(object) = self.time_wait.get_mut(index) else { return };
        object.timer = None;
        if object.ends > now {
            // It was restarted meanwhile.
            self.arm_time_wait(index);
        } else {
            self.end_time_wait(now, index);
        }
    }

    pub(super) fn end_time_wait(&mut self, now: Instant, index: u32) {
        let Some(object) = self.time_wait.remove(index) else { return };
        self.demux.remove(&object.pair);
        self.remove_timer(object.timer);
        let held = object.held.and_then(|handle| self.connections.resolve(handle));
        if let Some(connection) = held.and_then(|index| self.connections.get_mut(index)) {
            connection.set_state(now, State::Closed);
        }
    }

    pub(super) fn arm_half_open(&mut self, now: Instant, index: u32) {
        if let Some(half_open) = self.half_open.get_mut(index) {
            let at = now + syn_ack_timeout(u32::from(half_open.retransmissions), &self.config);
            half_open.timer = Some(self.wheel.insert(at, key(Target::HalfOpen(index))));
        }
    }

    pub(super) fn half_open_deadline(&mut self, now: Instant, index: u32) {
        let Some(half_open) = self.half_open.get_mut(index) else { return };
        half_open.timer = None;
        let spent = u32::from(half_open.retransmissions) >= self.config.syn_ack_retries;
        if spent || self.listeners.resolve(half_open.listener).is_none() {
            self.forget_half_open(index);
            return;
        }
        half_open.retransmissions += 1;
        if !half_open.is_waiting(now) {
            let again = half_open.syn_ack(now);
            self.stats.syn_retransmissions += 1;
            self.out.push_back(again);
        }
        self.arm_half_open(now, index);
    }

    pub(super) fn forget_half_open(&mut self, index: u32) {
        let Some(half_open) = self.half_open.remove(index) else { return };
        self.demux.remove(&half_open.pair);
        self.remove_timer(half_open.timer);
        let listener = self.listeners.resolve(half_open.listener);
        if let Some(listener) = listener.and_then(|index| self.listeners.get_mut(index)) {
            listener.half_open -= 1;
        }
    }
}
