//! After something happened to an object: carry out what follows for the tables, the timers and the queue of those
//! that may send. The one place where that is decided.

use thru_wire::Instant;

use super::connection::Context;
use super::demux::{Pair, Target};
use super::rtt::syn_ack_timeout;
use super::{Path, State, Tcp, context};

/// The key of a wheel entry: the kind above the number.
fn key(target: Target) -> u64 {
    match target {
        Target::Connection(index) => u64::from(index),
        Target::HalfOpen(index) => 1 << 32 | u64::from(index),
    }
}

/// The key of the one entry that all TIME-WAIT objects share.
pub(super) const TIME_WAIT_KEY: u64 = 2 << 32;

/// Whose entry of the wheel it is; `None`: that of the TIME-WAIT objects.
pub(super) fn owner(key: u64) -> Option<Target> {
    let index = key as u32;
    match key >> 32 {
        0 => Some(Target::Connection(index)),
        1 => Some(Target::HalfOpen(index)),
        _ => None,
    }
}

impl Tcp {
    pub(super) fn settle(&mut self, index: u32, now: Instant) {
        self.account(index);
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
        let timeouts = connection.insight.rare.timeouts;
        let mut cx = context!(self, now);
        connection.on_deadline(&mut cx);
        connection.rest_if_quiet(now, cx.config);
        let timeouts_now = connection.insight.rare.timeouts;
        self.stats.timeouts += u64::from(timeouts_now - timeouts);
        if timeouts_now > timeouts && connection.is_synchronized() {
            // The path may have become narrower, as another connection was told.
            let mtu = path.mtu(connection.pair.remote.address);
            connection.note_history(now, &self.config);
            connection.judge_mtu_probe();
            connection.suspect_path();
            connection.limit_to_mtu(mtu);
        }
        self.settle(index, now);
    }

    /// Segments don't find it any more. What the application can still read or ask stays until it lets go.
    pub(super) fn detach(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.attached {
            connection.attached = false;
            self.demux.remove(&connection.pair);
        }
        let wheel = connection.wheel.take();
        let released = connection.released;
        self.remove_timer(wheel.map(|(handle, _)| handle));
        if released {
            self.forget_connection(index);
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
            let again = half_open.syn_ack(&mut self.spare, now);
            self.stats.syn_retransmissions += 1;
            self.out.push_back(again);
        }
        self.arm_half_open(now, index);
    }

    pub(super) fn forget_half_open(&mut self, index: u32) {
        if let Some(pair) = self.remove_half_open(index) {
            self.demux.remove(&pair);
        }
    }

    /// The same, for the caller to free or to take over its place in the table of pairs.
    pub(super) fn remove_half_open(&mut self, index: u32) -> Option<Pair> {
        let half_open = self.half_open.remove(index)?;
        self.remove_timer(half_open.timer);
        let listener = self.listeners.resolve(half_open.listener);
        if let Some(listener) = listener.and_then(|index| self.listeners.get_mut(index)) {
            listener.half_open -= 1;
        }
        Some(half_open.pair)
    }
}
