//! How a sender uses its window, round trip by round trip: whether it grows, and whether acknowledgements let it go on.
//!
//! Where what is in flight neither grows nor is limited by the receiver, and round trips are as short as they can be,
//! neither the path nor the receiver holds the sender back: it sends no more at once because its buffer, or a limit of
//! its own, holds no more. A congestion window grows or shrinks; what an application has in flight, which writes at its
//! own pace, goes out when it is written and not when an acknowledgement comes.
//!
//! What looks alike: an application that writes little by little, while the sender gathers it into full segments, looks
//! like a sender whom the network paces.

/// A round trip's greatest flight is the same as the last one's if they differ by less than a part of so many.
const SAME: u64 = 8;
/// So many rounds of the same greatest flight make a level.
const LEVEL: u32 = 3;
/// A segment that leaves so soon behind an acknowledgement was let go by it.
const LET_GO: u64 = 1_000_000;

/// Behind a loss it is the congestion window for so many rounds, which then grows too slowly to be told from one that
/// stands.
const AFTER_LOSS: u32 = 64;

/// One side's use of its window.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Rounds for which it is the congestion window in any case.
    healing: u32,
    /// The round ends when this is acknowledged.
    round_end: Option<u32>,
    /// The most in flight in this round, and in the one before.
    most: u64,
    before: u64,
    level: u32,
    /// Segments of this and the last round that an acknowledgement let go, and others.
    let_go: u32,
    by_itself: u32,
    /// When bytes of it were acknowledged last.
    acknowledged: Option<u64>,
    /// The last segment was not full: there was nothing more to send.
    pub(super) is_short: bool,
    rtt_least: Option<u64>,
    rtt_last: u64,
}

impl Window {
    /// Fresh bytes were sent; `flight` counts them, `highest` is where they end, `full` the largest segment there may be.
    pub(super) fn sent(&mut self, now: u64, len: u32, flight: u64, highest: Option<u32>, full: u32) {
        if len == 0 {
            return;
        }
        self.most = self.most.max(flight);
        self.round_end = self.round_end.or(highest);
        // Many segments that left as one have a length of many times the full one.
        self.is_short = full > 0 && !len.is_multiple_of(full);
        let is_let_go = self.acknowledged.is_some_and(|at| now.saturating_sub(at) < LET_GO);
        if is_let_go {
            self.let_go += 1;
        } else {
            self.by_itself += 1;
        }
    }

    /// Bytes up to here have arrived; `highest` were sent.
    pub(super) fn acknowledged(&mut self, now: u64, ack: u32, highest: Option<u32>) {
        self.acknowledged = Some(now);
        if self.round_end.is_none_or(|end| (ack.wrapping_sub(end) as i32) < 0) {
            return;
        }
        self.healing = self.healing.saturating_sub(1);
        let is_same = self.most.abs_diff(self.before) <= self.before / SAME;
        self.level = if is_same && self.most > 0 { self.level + 1 } else { 0 };
        (self.before, self.most) = (self.most, 0);
        (self.let_go, self.by_itself) = (self.let_go / 2, self.by_itself / 2);
        self.round_end = highest.filter(|end| *end != ack);
    }

    /// A round trip was measured.
    pub(super) fn round_trip(&mut self, rtt: u64) {
        self.rtt_least = Some(self.rtt_least.map_or(rtt, |least| least.min(rtt)));
        self.rtt_last = rtt;
    }

    /// What was in flight shrank because something was lost: levels begin anew.
    pub(super) fn lost(&mut self) {
        self.level = 0;
        self.healing = AFTER_LOSS;
    }

    /// Segments leave when acknowledgements come.
    pub(super) fn is_clocked(&self) -> bool {
        self.let_go > self.by_itself
    }

    /// As much as ever is in flight, no more and no less.
    pub(super) fn is_level(&self) -> bool {
        self.level >= LEVEL && self.healing == 0
    }

    /// Segments wait on the way: round trips are longer than they can be, by a quarter and by more than a clock's
    /// trembling.
    pub(super) fn is_queued(&self) -> bool {
        self.rtt_least.is_some_and(|least| self.rtt_last > least + (least / 4).max(2_000_000))
    }
}
