//! An acknowledgement arrives: what it delivers, what it measures, and what it lets go (RFC 9293 3.10.7.4 "ACK bit").

use core::time::Duration;

use thru_wire::Instant;

use super::congestion::Ack;
use super::connection::{Connection, Context};
use super::runs::Run;
use super::segment::Segment;
use super::seq;

/// The sender remembers no more ranges than this of what the peer reports; a peer that reports more is up to no good.
const MOST_RANGES: usize = 1_024;

/// What one acknowledgement delivered.
#[derive(Default)]
struct Delivered {
    bytes: u64,
    acked: u64,
    /// When the oldest and the newest run left that it delivered and that had been sent only once.
    oldest: Option<Instant>,
    newest: Option<Instant>,
    /// When the newest left of those that had been sent more than once: they measure nothing by themselves (Karn).
    resent: Option<Instant>,
}

impl Connection {
    /// `ack` lies between SND.UNA - MAX.SND.WND and SND.NXT.
    pub(crate) fn on_ack(&mut self, cx: &mut Context<'_>, segment: &Segment, place: u64, ack: u64) {
        let before = self.runs.in_flight();
        let flight = self.nxt - self.una;
        let mut delivered = Delivered::default();
        let sacked = self.options.sack && self.take_sack(segment, ack, &mut delivered);
        let advanced = ack > self.una;
        if advanced {
            self.advance(cx, ack, segment.at, &mut delivered);
        }
        let window_changed = ack >= self.una && self.update_peer_window(cx, segment, place, ack);
        // RFC 5681 2: a duplicate changes nothing and carries nothing.
        let duplicate =
            !advanced && ack == self.una && segment.len() == 0 && !window_changed && !self.runs.is_empty();
        if duplicate {
            self.insight.duplicate_acks_received += 1;
            self.recovery.duplicates += 1;
        }
        if advanced {
            self.recovery.duplicates = 0;
            self.recovery.retries = 0;
            self.rtt.forget_backoff();
        } else if self.peer_window.size() == 0 && ack == self.una {
            // The peer lives, it only has no room: it may take as long as it likes (RFC 9293 3.8.6.1).
            self.recovery.retries = 0;
        }
        self.probe.answered();
        let rtt = self.measure(segment, advanced, &delivered);
        if advanced || sacked || duplicate {
            let repairing = self.recovery.in_recovery();
            let lost_before = self.runs.lost_bytes();
            self.judge_loss(cx, advanced, flight);
            let lost = self.runs.lost_bytes();
            let rate = self.delivery.take(segment.at, self.rtt.min(), lost);
            let threshold = self.congestion.slow_start_threshold();
            let in_slow_start = self.congestion.window() < threshold;
            // In slow start a window that was half used may double (RFC 7661 4.2, and Linux).
            let used = self.window_was_full || (in_slow_start && 2 * before >= self.congestion.window());
            self.congestion.on_ack(&Ack {
                now: segment.at,
                delivered: delivered.bytes,
                acked: delivered.acked,
                newly_lost: lost - lost_before,
                total_delivered: self.delivery.delivered,
                rate,
                rtt,
                shortest_rtt: delivered.newest.map(|newest| segment.at.since(newest)),
                prior_in_flight: before,
                in_flight: self.runs.in_flight(),
                ce_bytes: 0,
                app_limited: !used,
                // The acknowledgement that ends a recovery is no reason to grow either (RFC 6582 3.2 step 3).
                in_recovery: repairing || self.recovery.in_recovery(),
            });
            if self.congestion.limits_itself() {
                self.delivery.app_limited(self.runs.in_flight());
            }
        }
        if advanced {
            self.restart_retransmit(cx);
            if self.queue.space() * 3 >= self.queue.limit() {
                cx.wake(&mut self.write_waker);
            }
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>, ack: u64, at: Instant, delivered: &mut Delivered) {
        let data_end = self.queue.end();
        // SYN and FIN count in sequence numbers, not in bytes.
        let bytes = ack.min(data_end).saturating_sub(self.una.max(self.iss + 1));
        self.insight.bytes_acked += bytes;
        delivered.acked = ack - self.una;
        let (delivery, recovery) = (&mut self.delivery, &mut self.recovery);
        self.runs.acknowledge(ack, |run| {
            if run.fate != super::runs::Fate::Sacked {
                delivered.note(&run);
                delivery.delivered(&run, at);
                recovery.delivered(run.sent_at);
            }
        });
        self.una = ack;
        self.nxt = self.nxt.max(ack);
        self.queue.acknowledge(ack, cx.spare);
        self.runs.give_room(cx.spare);
        self.scoreboard.remove_below(ack);
    }

    /// Takes in the blocks of a segment. Whether anything was new.
    fn take_sack(&mut self, segment: &Segment, ack: u64, delivered: &mut Delivered) -> bool {
        let before = delivered.bytes;
        let at = segment.at;
        for (left, right) in segment.header.options.sack.iter() {
            let (mut left, mut right) = (seq::place(self.una, left), seq::place(self.una, right));
            // RFC 2883: a block at or below the acknowledgement tells of a duplicate; so does nonsense, of nothing.
            if left >= right || right > self.nxt || left < self.una || right <= ack {
                continue;
            }
            left = left.max(ack);
            if self.scoreboard.contains(left, right) {
                continue;
            }
            // Only what is new needs to be looked at: blocks repeat what earlier ones said.
            let (whole_left, whole_right) = (left, right);
            if let Some(known) = self.scoreboard.around(left) {
                left = known.end;
            }
            if let Some(known) = self.scoreboard.around(right - 1) {
                right = known.start;
            }
            let Some(joined) = self.scoreboard.insert(whole_left, whole_right, MOST_RANGES) else { continue };
            let (delivery, recovery) = (&mut self.delivery, &mut self.recovery);
            self.runs.sack((left, right), (joined.start, joined.end), |run| {
                delivered.note(run);
                delivery.delivered(run, at);
                recovery.delivered(run.sent_at);
            });
        }
        delivered.bytes > before
    }

    /// A round-trip time from this acknowledgement, by the arrival of its frame: from when the oldest run
    /// it delivers had left, or, if that left more than once, as the echoed timestamp decides.
    fn measure(&mut self, segment: &Segment, advanced: bool, delivered: &Delivered) -> Option<Duration> {
        if let Some(resent) = delivered.resent {
            return if advanced { self.measure_resent(segment, resent) } else { None };
        }
        let rtt = segment.at.since(delivered.oldest?);
        self.rtt.sample(rtt);
        if let Some(newest) = delivered.newest {
            self.rtt.shortest(segment.at.since(newest));
        }
        Some(rtt)
    }

    /// Which transmission does the acknowledgement answer? The plain rule of RFC 7323 4.1 would take the echo as it
    /// is. But when acknowledgements get lost, the peer answers our repetition with the timestamp of the original:
    /// the sample would be the timeout that passed meanwhile, and timeouts would feed on themselves.
    fn measure_resent(&mut self, segment: &Segment, resent: Instant) -> Option<Duration> {
        let (state, theirs) = self.options.timestamps.zip(segment.header.options.timestamps)?;
        let since = segment.at.since(resent);
        if theirs.echo.wrapping_sub(state.value(resent)) as i32 >= 0 {
            self.rtt.sample(since);
            return Some(since);
        }
        // Too soon to be an answer to the repetition: that was premature, and the round trip is longer than we thought.
        let premature = self.rtt.min().is_some_and(|min| since < min);
        if premature { self.sample_timestamps(segment) } else { None }
    }

    /// RFC 7323 4.1, to the millisecond.
    pub(crate) fn sample_timestamps(&mut self, segment: &Segment) -> Option<Duration> {
        let (state, theirs) = self.options.timestamps.zip(segment.header.options.timestamps)?;
        let elapsed = state.value(segment.at).wrapping_sub(theirs.echo);
        // A peer that echoes what we never sent measures nothing.
        if theirs.echo == 0 || elapsed > 1 << 30 {
            return None;
        }
        let rtt = Duration::from_millis(u64::from(elapsed.max(1)));
        self.rtt.sample(rtt);
        Some(rtt)
    }
}

impl Delivered {
    fn note(&mut self, run: &Run) {
        self.bytes += u64::from(run.len);
        if run.retransmitted {
            self.resent = Some(self.resent.map_or(run.sent_at, |newest| newest.max(run.sent_at)));
        } else {
            self.oldest = Some(self.oldest.map_or(run.sent_at, |oldest| oldest.min(run.sent_at)));
            self.newest = Some(self.newest.map_or(run.sent_at, |newest| newest.max(run.sent_at)));
        }
    }
}
