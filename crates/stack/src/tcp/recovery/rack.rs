//! RACK (RFC 8985 6): what left before something that has arrived, by more than a reordering window, is lost.

use core::time::Duration;

use thru_wire::Instant;

use super::super::acknowledge::News;
use super::super::connection::{Connection, Context};
use super::super::rate::Newest;
use super::super::rtt::nanos;
use super::super::runs::{Found, Run};
use super::{Pending, Phase};

/// Recoveries for which a window that D-SACKs have widened stays so.
const PERSISTS: u8 = 16;
/// What Linux adds to a timer so that it doesn't fire just before what it waits for (TCP_TIMEOUT_MIN).
pub(crate) const SLACK: Duration = Duration::from_millis(2);

/// What RACK knows.
#[derive(Clone, Debug)]
pub(crate) struct Rack {
    /// The most recently sent of all that was delivered: when it left, and the place after it.
    newest: (Instant, u64),
    /// Its round trip.
    rtt_nanos: u64,
    /// Whether something was delivered since runs were last looked at.
    pub(crate) advanced: bool,
    /// Whether something arrived later than what was sent after it.
    pub(crate) reordering_seen: bool,
    /// How far, in segments: duplicates below this number prove nothing.
    pub(crate) reordering: u32,
    /// The window in quarters of the shortest round trip.
    steps: u8,
    persists: u8,
    dsack_seen: bool,
    /// What had been delivered when the steps last changed: a round trip is over when data sent since is delivered.
    changed_at: u64,
}

impl Rack {
    pub(crate) const NEW: Rack = Rack {
        newest: (Instant::START, 0),
        rtt_nanos: 0,
        advanced: false,
        reordering_seen: false,
        reordering: 0,
        steps: 1,
        persists: 0,
        dsack_seen: false,
        changed_at: 0,
    };

    /// With nothing on its way: whether no reordering was seen. What was delivered before overtakes nothing that
    /// leaves later.
    pub(crate) fn is_forgettable(&self) -> bool {
        !self.reordering_seen && !self.dsack_seen && self.steps == 1 && self.persists == 0
    }

    /// RFC 8985 6.2 steps 2 and 3: `run` was delivered at `at`. `answered`: whether the echoed timestamp, if there is
    /// one, allows that its last transmission is meant.
    pub(crate) fn delivered(&mut self, run: &Run, at: Instant, min_rtt: Option<Duration>, answered: bool) {
        let rtt = at.nanos().saturating_sub(run.sent_at.nanos());
        // Too soon for an answer to the repetition: it speaks for the original.
        if run.retransmitted && (!answered || min_rtt.is_some_and(|min| rtt < nanos(min))) {
            return;
        }
        self.advanced = true;
        self.rtt_nanos = rtt;
        let this = (run.sent_at, run.end());
        self.newest = self.newest.max(this);
    }

    /// The round trip of what was delivered last.
    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_nanos(self.rtt_nanos)
    }

    /// A retransmission arrived beside its original.
    pub(crate) fn duplicate_delivered(&mut self) {
        self.dsack_seen |= self.reordering_seen;
    }

    /// A recovery ended without being taken back: towards the narrow window again.
    pub(crate) fn recovered(&mut self) {
        self.persists = self.persists.saturating_sub(1);
    }

    /// A recovery was taken back: the wide window stays a little longer.
    pub(crate) fn was_wrong(&mut self) {
        self.persists = (self.persists + 1).min(PERSISTS);
    }

    /// What arrived late had been overtaken by this many segments.
    pub(crate) fn reordered(&mut self, segments: u64, most: u32) {
        self.reordering_seen = true;
        self.reordering = self.reordering.max(u32::try_from(segments).unwrap_or(u32::MAX).min(most));
    }
}

impl Connection {
    /// RFC 8985 6.2 step 4: D-SACKs widen the window by a quarter of the shortest round trip, once per round trip.
    pub(crate) fn adapt_reordering_window(&mut self, news: &News) {
        let Some(prior) = news.newest_sample.as_ref().map(Newest::prior_delivered) else { return };
        let delivered = self.delivery.delivered;
        let rack = &mut self.recovery.rack;
        if prior < rack.changed_at {
            rack.dsack_seen = false;
        }
        if rack.dsack_seen {
            rack.steps = rack.steps.saturating_add(1);
            rack.dsack_seen = false;
            rack.changed_at = delivered;
            rack.persists = PERSISTS;
        } else if rack.persists == 0 {
            rack.steps = 1;
        }
    }

    /// How long an overtaken segment may still take.
    pub(crate) fn reordering_window(&self) -> Duration {
        let rack = &self.recovery.rack;
        if !rack.reordering_seen {
            let sacked = self.runs.sacked_segments(u64::from(self.options.mss));
            let repairs = matches!(self.recovery.phase, Phase::Recovery { .. } | Phase::Loss { .. });
            if repairs || sacked >= u64::from(self.duplicate_threshold()) {
                return Duration::ZERO;
            }
        }
        let quarter = self.rtt.min().unwrap_or_default() / 4;
        (quarter * u32::from(rack.steps)).min(self.rtt.smoothed().unwrap_or_default())
    }

    /// DupThresh: 3, or more once reordering was seen.
    pub(crate) fn duplicate_threshold(&self) -> u32 {
        self.recovery.rack.reordering.max(3)
    }

    /// After an acknowledgement that delivered something.
    pub(crate) fn find_overtaken(&mut self, cx: &Context<'_>) -> Found {
        if !core::mem::take(&mut self.recovery.rack.advanced) {
            return Found::default();
        }
        let (found, due) = self.detect(cx.now);
        if let Some(due) = due {
            self.timers.retransmit = due + SLACK;
            self.recovery.pending = Pending::Reorder;
            self.recovery.timer_set = true;
        }
        found
    }

    /// RFC 8985 6.2 step 5. What was overtaken and may still come is waited for until all of it has had its time:
    /// the last of it left before what overtook it, so that this bound needs no look at each.
    fn detect(&mut self, now: Instant) -> (Found, Option<Instant>) {
        let newest = self.recovery.rack.newest;
        let patience = self.recovery.rack.rtt() + self.reordering_window();
        let found = self.runs.lose_overtaken(newest, now - patience);
        let due = found.waiting.then(|| (newest.0 + patience).max(now));
        (found, due)
    }

    /// What was overtaken has not arrived in its time.
    pub(crate) fn on_reordering_timeout(&mut self, cx: &mut Context<'_>) {
        let flight = self.nxt - self.una;
        let (found, due) = self.detect(cx.now);
        self.tell_lost(cx.now);
        if found.lost > 0 && !self.recovery.in_recovery() {
            self.enter_recovery(cx, flight);
            self.allow_by_prr(u64::from(self.options.mss), self.network_load(), false);
        }
        match due {
            Some(due) => self.timers.retransmit = due.max(cx.now + Duration::from_nanos(1)),
            None => self.rearm_timeout(cx),
        }
    }
}
