//! From what was seen to a [`Trace`]: the spans that a live probe would have written.
//!
//! - [`Teller`]: a trace under construction. Start here.
//! - `names`: lookups. `connection`: connects, handshakes, exchanges and counters of TCP. `datagrams`: QUIC.
//! - `link`: addresses asked for, and claimed by two.
//! - `beside`: pings, traced ways, and other flows of the capture as controls.

mod beside;
mod connection;
mod datagrams;
mod link;
mod names;

use std::collections::BTreeMap;

use thru_trace::{Packet, Step, Trace, attach_frames};

use crate::kept::{Kept, Moment};
use crate::visit::Visit;
use crate::watch::Watch;

/// A trace under construction.
pub(crate) struct Teller<'w> {
    pub(crate) watch: &'w Watch,
    pub(crate) trace: Trace,
    packets: BTreeMap<u64, Packet>,
}

impl<'w> Teller<'w> {
    pub(crate) fn new(watch: &'w Watch, target: String, network: &str) -> Teller<'w> {
        let trace = Trace {
            target,
            network: network.to_owned(),
            epoch_unix_nanos: watch.start(),
            interfaces: vec![network.to_owned()],
            ..Trace::default()
        };
        Teller { watch, trace, packets: BTreeMap::new() }
    }

    /// When the capture ended, in nanoseconds since the Unix epoch.
    fn end(&self) -> u64 {
        self.watch.last
    }

    fn time(&self, at: Moment) -> u64 {
        self.watch.at(at)
    }

    /// A step between two moments.
    fn between(&self, step: Step, start: Moment, end: Moment) -> Step {
        let start = self.time(start);
        step.at(start, self.time(end).max(start))
    }

    pub(crate) fn keep<'k>(&mut self, kept: impl IntoIterator<Item = &'k Kept>) {
        let epoch = self.watch.start();
        for kept in kept {
            self.packets.entry(kept.at.number).or_insert_with(|| kept.packet(epoch));
        }
    }

    /// Tells a whole visit.
    pub(crate) fn visit(mut self, visit: &Visit, others: &[Visit]) -> Trace {
        self.lookup(visit);
        self.connections(visit);
        self.marked(visit, others);
        self.around(visit, others);
        self.done()
    }

    pub(crate) fn done(mut self) -> Trace {
        self.trace.packets = self.packets.into_values().collect();
        attach_frames(&mut self.trace);
        self.trace
    }
}
