//! The memory of all buffers of a host, counted as it is held, not as payloads claim; and what happens when it gets
//! scarce (as Linux's `tcp_mem`).
//!
//! Above the pressure mark nothing grows any more: buffers keep their size, windows shrink as they fill. At the limit
//! data that arrives is dropped and writes wait, but for a small floor per connection, so that every one gets on;
//! connections without owner are reset.

use super::connection::Connection;
use super::{Tcp, TcpConfig, TcpStats};

/// What a connection may hold in each direction however scarce memory is: some segments.
pub(crate) const FLOOR: usize = 8 * 1_024;

/// What all connections hold.
#[derive(Debug)]
pub(crate) struct Memory {
    used: usize,
    pressure_from: usize,
    limit: usize,
    pressure: bool,
}

impl Memory {
    pub(crate) fn new(config: &TcpConfig) -> Memory {
        let mut memory = Memory { used: 0, pressure_from: 0, limit: 0, pressure: false };
        memory.configure(config);
        memory
    }

    pub(crate) fn configure(&mut self, config: &TcpConfig) {
        self.limit = config.memory_limit;
        self.pressure_from = config.memory_pressure.min(config.memory_limit);
    }

    /// Bytes held in all buffers.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Nothing may grow.
    pub(crate) fn pressure(&self) -> bool {
        self.pressure
    }

    /// Nothing more is taken in, beyond the floor.
    pub(crate) fn exhausted(&self) -> bool {
        self.used >= self.limit
    }

    /// A connection's share has changed. Pressure ends at three quarters of where it began.
    fn adjust(&mut self, before: usize, now: usize, stats: &mut TcpStats) {
        self.used = self.used - before + now;
        if !self.pressure && self.used > self.pressure_from {
            self.pressure = true;
            stats.memory_pressures += 1;
        } else if self.pressure && self.used <= self.pressure_from / 4 * 3 {
            self.pressure = false;
        }
    }
}

impl Connection {
    fn buffered(&self) -> usize {
        self.queue.memory() + self.receive.memory()
    }
}

impl Tcp {
    /// After a connection's buffers may have changed.
    pub(super) fn account(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let (before, now) = (connection.accounted, connection.buffered());
        if before != now {
            connection.accounted = now;
            self.memory.adjust(before, now, &mut self.stats);
        }
    }

    /// A connection leaves the table, and its share of the memory with it.
    pub(super) fn forget_connection(&mut self, index: u32) {
        let Some(connection) = self.connections.remove(index) else { return };
        self.memory.adjust(connection.accounted, 0, &mut self.stats);
        if connection.orphan {
            self.orphans -= 1;
        }
    }

    /// Bytes that the buffers of all connections hold, and whether that is more than the pressure mark.
    pub fn memory(&self) -> (usize, bool) {
        (self.memory.used(), self.memory.pressure())
    }
}
