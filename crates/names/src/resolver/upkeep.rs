//! Trust points' keys are looked at when their time has come (RFC 5011 section 2.3).

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::Deadline;
use super::core::Core;
use super::jobs::{Budget, Cx, Key, Kind};
use super::keys::{Operations, with_context};
use super::message::Set;
use crate::wire::Question;

impl Core {
    /// Trusts what the trust points trust, and sets their clocks.
    pub(super) fn begin_upkeep(&mut self) {
        for number in 0..self.points.len() {
            self.trust_point(number);
            self.set_probe(number);
        }
    }

    /// Lets the anchors be what a trust point trusts.
    fn trust_point(&mut self, number: usize) {
        let point = &self.points[number];
        self.anchors.set_keys(&point.zone, point.trusted());
        if !point.revoked {
            for data in &point.ds {
                self.anchors.add_ds(&point.zone, data.clone());
            }
        }
    }

    fn set_probe(&mut self, number: usize) {
        let point = &self.points[number];
        if point.revoked {
            return;
        }
        let after = point.next_probe.saturating_sub(self.config.epoch);
        let at = Instant::START + Duration::from_secs(after);
        self.deadlines.insert((at.max(self.now), Deadline::Probe(number)));
    }

    /// Seconds since 1970 by the clock, whatever date signatures are held against.
    fn clock(&self) -> u64 {
        self.config.epoch + self.now.nanos() / 1_000_000_000
    }

    pub(super) fn begin_probe(&mut self, number: usize) {
        let question = Question::new(self.points[number].zone.clone(), RecordType::DNSKEY);
        let key = Key { kind: Kind::Probe, question, rules: 0 };
        if self.jobs.len() >= self.config.limits.tasks || self.by_key.contains_key(&key) {
            let at = self.now + Duration::from_secs(60);
            self.deadlines.insert((at, Deadline::Probe(number)));
            return;
        }
        let budget = Arc::new(Budget::new(self.now + self.config.patience));
        self.begin(key, budget, 0);
    }
}

/// Asks for a trust point's keys and draws the conclusions.
pub(super) async fn probe(cx: &Cx, zone: &Name) {
    let ask = Question::new(zone.clone(), RecordType::DNSKEY);
    let tries = cx.core().config.limits.restarts + 1;
    let mut seen = Seen::Nothing;
    for _ in 0..tries {
        let answer = cx.fetch(Kind::PlainFresh, ask.clone()).await;
        let mut core = cx.core();
        let Ok(msg) = answer else { continue };
        let Some(set) = msg.answer.iter().find(|set| set.is(zone, RecordType::DNSKEY)) else { continue };
        seen = core.show(zone, set);
        if seen != Seen::Wrong {
            break;
        }
        core.distrust(&ask, &msg);
    }
    if seen == Seen::Nothing {
        cx.core().settle_point(zone, false);
    }
}

/// What a trust point made of a DNSKEY set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// There is no such trust point, or no set.
    Nothing,
    /// Nothing trusted signed it.
    Wrong,
    /// It was taken in.
    Good,
}

impl Core {
    /// Shows a trust point its zone's keys, and lets the anchors be what it trusts now.
    pub(super) fn show(&mut self, zone: &Name, set: &Set) -> Seen {
        let now = self.clock();
        let Some(mut point) = self.points.iter().find(|point| point.zone == *zone).cloned() else {
            return Seen::Nothing;
        };
        let operations = Operations::new();
        let good = with_context(self, &operations, |context| point.observe(context, now, set)).is_ok();
        if let Some(old) = self.points.iter_mut().find(|old| old.zone == *zone) {
            *old = point;
        }
        self.settle_point(zone, true);
        if good { Seen::Good } else { Seen::Wrong }
    }

    /// Sets the clock of a trust point that was looked at. Without an answer nothing about it is new.
    fn settle_point(&mut self, zone: &Name, answered: bool) {
        let Some(number) = self.points.iter().position(|point| point.zone == *zone) else { return };
        let now = self.clock();
        let portion = (self.random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        self.points[number].schedule(now, portion, answered);
        if answered && (self.points[number].last_success > 0 || self.points[number].revoked) {
            self.points_changed.insert(number);
        }
        self.trust_point(number);
        self.keys.clear();
        self.deadlines.retain(|(_, deadline)| *deadline != Deadline::Probe(number));
        self.set_probe(number);
    }
}
