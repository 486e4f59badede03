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

use thru_trace::{Layer, Packet, Step, Trace, attach_frames};

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
        self.given(visit);
        self.lookup(visit);
        self.connections(visit);
        self.marked(visit, others);
        self.around(visit, others);
        self.done()
    }

    /// What whoever captured did not see, for the second look at a verdict.
    fn observer(&mut self) {
        let watch = self.watch;
        let lacks = [
            ("capture.lacks", watch.index.lacks_packets),
            ("capture.one_way", watch.index.one_way),
            ("capture.cut", watch.cut),
            ("capture.errors_unread", watch.unread_errors > 0),
            ("capture.disordered", watch.disordered > 0),
            ("capture.begins_within", watch.index.begins_within),
        ];
        if self.trace.spans.is_empty() || lacks.iter().all(|(_, lacks)| !lacks) {
            return;
        }
        let step = Step::new(Layer::None, "capture", "what the capture lacks");
        let step =
            lacks.into_iter().filter(|(_, lacks)| *lacks).fold(step, |step, (key, _)| step.set(key, true));
        self.trace.add(step.skipped("not all that was sent was captured whole and in order"));
    }

    pub(crate) fn done(mut self) -> Trace {
        self.observer();
        self.trace.packets = self.packets.into_values().collect();
        attach_frames(&mut self.trace);
        self.trace
    }
}
