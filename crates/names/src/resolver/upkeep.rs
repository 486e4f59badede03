//! Trust points' keys are looked at when their time has come (RFC 5011 section 2.3).

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::Deadline;
use super::core::Core;
use super::jobs::{Budget, Cx, Key, Kind};
use super::keys::{Operations, with_context};
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
    let Some(number) = cx.core().points.iter().position(|point| point.zone == *zone) else { return };
    let tries = cx.core().config.limits.restarts + 1;
    for _ in 0..tries {
        let answer = cx.fetch(Kind::PlainFresh, ask.clone()).await;
        let mut core = cx.core();
        let now = core.clock();
        let set = answer
            .as_ref()
            .ok()
            .and_then(|msg| msg.answer.iter().find(|set| set.is(zone, RecordType::DNSKEY)));
        let mut point = core.points[number].clone();
        let good = match set {
            Some(set) => {
                let operations = Operations::new();
                with_context(&core, &operations, |context| point.observe(context, now, set)).is_ok()
            }
            None => {
                point.no_answer(now);
                false
            }
        };
        core.points[number] = point;
        if good {
            break;
        }
        if let (Ok(msg), Some(_)) = (&answer, set) {
            core.distrust(&ask, msg);
        }
    }
    let mut core = cx.core();
    let now = core.clock();
    let portion = (core.random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    core.points[number].schedule(now, portion);
    if core.points[number].last_success > 0 {
        core.points_changed.insert(number);
    }
    core.trust_point(number);
    core.keys.clear();
    core.set_probe(number);
}
