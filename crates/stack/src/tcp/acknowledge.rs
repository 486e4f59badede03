//! An acknowledgement arrives: what it delivers, what it measures, and what it lets go (RFC 9293 3.10.7.4 "ACK bit").

use core::time::Duration;

use thru_wire::Instant;

use super::congestion::Ack;
use super::connection::{Connection, Context};
use super::handshake::TimestampState;
use super::rate::Newest;
use super::runs::Run;
use super::segment::Segment;
use super::seq;

/// The sender remembers no more ranges than this of what the peer reports; a peer that reports more is up to no good.
const MOST_RANGES: usize = 1_024;

/// What one acknowledgement tells.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The place it acknowledges, and SND.UNA before.
    pub(crate) ack: u64,
    pub(crate) prior_una: u64,
    /// What was sent and unacknowledged before.
    pub(crate) flight: u64,
    /// Bytes newly delivered, in how many segments, and those acknowledged cumulatively.
    pub(crate) bytes: u64,
    pub(crate) segments: u32,
    pub(crate) acked: u64,
    /// Whether it moved SND.UNA on; whether blocks told something new.
    pub(crate) advanced: bool,
    pub(crate) sacked: bool,
    /// A duplicate (RFC 5681 2) while something is out; and whether it has the form of one in any case.
    pub(crate) duplicate: bool,
    pub(crate) duplicate_in_form: bool,
    /// Duplicates in a row before it.
    pub(crate) duplicates_before: u64,
    /// Bytes it reports to have arrived twice, and whether these are the tail loss probe's.
    pub(crate) dsacked: u64,
    pub(crate) probe_duplicated: bool,
    /// Whether something was delivered that was sent once, before the present recovery or timeout.
    pub(crate) original: bool,
    /// Where what was sent once begins that arrived after something sent later.
    late: Option<u64>,
    /// What the newest run it delivered left behind for a sample of the rate.
    pub(crate) newest_sample: Option<Newest>,
    /// The timestamp it echoes.
    pub(crate) echo: Option<u32>,
    /// When the oldest and the newest run left that it delivered and that had been sent only once.
    oldest: Option<Instant>,
    newest: Option<Instant>,
    /// When the newest left of those that had been sent more than once: they measure nothing by themselves (Karn).
    pub(crate) resent: Option<Instant>,
}

/// What has to be known of the connection while runs are delivered.
#[derive(Clone, Copy)]
struct Before {
    at: Instant,
    /// The highest place known to have arrived.
    highest: u64,
    /// End of the present recovery or timeout.
    until: u64,
    min_rtt: Option<Duration>,
    timestamps: Option<(TimestampState, u32)>,
}

impl Connection {
    /// `ack` lies between SND.UNA - MAX.SND.WND and SND.NXT.
    pub(crate) fn on_ack(&mut self, cx: &mut Context<'_>, segment: &Segment, place: u64, ack: u64) {
        let before = self.runs.in_flight();
        let mut news = News {
            ack,
            prior_una: self.una,
            flight: self.nxt - self.una,
            echo: self.options.timestamps.and(segment.header.options.timestamps).map(|theirs| theirs.echo),
            duplicates_before: u64::from(self.recovery.duplicates),
            ..News::default()
        };
        let known = Before {
            at: segment.at,
            highest: self.scoreboard.last().map_or(self.una, |range| range.end.max(self.una)),
            until: self.recovery.until(),
            min_rtt: self.rtt.min(),
            timestamps: self.options.timestamps.zip(news.echo),
        };
        if self.options.sack && !segment.header.options.sack.is_empty() {
            self.take_dsack(segment, ack, &mut news);
            self.take_sack(segment, ack, known, &mut news);
        }
        news.advanced = ack > self.una;
        if news.advanced {
            self.advance(cx, ack, known, &mut news);
        }
        if let Some(low) = news.late.filter(|_| self.options.sack) {
            self.note_reordering(low, cx);
        }
        let window_changed = ack >= self.una && self.update_peer_window(cx, segment, place, ack);
        // RFC 5681 2: a duplicate changes nothing and carries nothing.
        news.duplicate_in_form = !news.advanced && ack == self.una && segment.len() == 0 && !window_changed;
        news.duplicate = news.duplicate_in_form && !self.runs.is_empty();
        if news.duplicate {
            self.insight.rare.duplicate_acks_received += 1;
            self.recovery.duplicates += u32::from(!self.options.sack);
        }
        if news.advanced {
            self.advance_duplicates(&mut news);
            self.recovery.retries = 0;
            self.recovery.struggles_since = Instant::NEVER;
            self.rtt.forget_backoff();
        } else if self.peer_window.size() == 0 && ack == self.una {
            // The peer lives, it only has no room: it may take as long as it likes (RFC 9293 3.8.6.1).
            if let Some(recovery) = self.recovery.held() {
                recovery.retries = 0;
            }
        }
        self.probe.answered();
        let rtt = self.measure(segment, &news);
        if let Some(recovery) = self.recovery.held() {
            recovery.timer_set = false;
        }
        let (marked, ce_bytes) = self.take_marks(cx, segment, &news);
        if news.advanced || news.sacked || news.duplicate_in_form || news.dsacked > 0 {
            self.answer_news(cx, &news, before, rtt, ce_bytes);
        }
        self.judge_mtu_probe();
        if marked {
            self.answer_marks(cx, &news);
        }
        if news.flight > 0 {
            self.note_history(cx.now, cx.config);
        }
        self.insight.segments_delivered = self.insight.segments_delivered.wrapping_add(news.segments);
        self.framing_acknowledged();
        if news.advanced {
            if !self.recovery.timer_set {
                self.restart_timer(cx);
            }
            self.tune_on_ack(cx);
            if self.queue.space() * 3 >= self.queue.limit() && self.is_writable(cx.memory) {
                cx.wake(&mut self.write_waker);
                if !cx.config.habits.writes_by_chunk {
                    self.has_room();
                }
            }
        }
    }

    /// Recovery and the controller hear of it. `before`: bytes in the network before.
    fn answer_news(
        &mut self,
        cx: &mut Context<'_>,
        news: &News,
        before: u64,
        rtt: Option<Duration>,
        ce_bytes: u64,
    ) {
        let repairing = self.recovery.is_reducing();
        let lost_before = self.runs.lost_bytes();
        self.judge_loss(cx, news);
        let lost = self.runs.lost_bytes();
        let rate = self.delivery.sample(cx.now, self.rtt.min(), lost, news.newest_sample);
        self.congestion.on_ack(&Ack {
            now: cx.now,
            delivered: news.bytes,
            acked: self.grown_by(news),
            newly_lost: lost - lost_before,
            total_delivered: self.delivery.delivered,
            rate,
            rtt,
            shortest_rtt: news.newest.map(|newest| cx.now.since(newest)),
            prior_in_flight: before,
            in_flight: self.runs.in_flight(),
            ce_bytes,
            app_limited: !self.window_is_used(),
            // The acknowledgement that ends a recovery is no reason to grow either (RFC 6582 3.2 step 3).
            in_recovery: repairing || self.recovery.is_reducing(),
        });
        if self.congestion.limits_itself() {
            self.delivery.app_limited(self.runs.in_flight());
        }
    }

    /// Bytes that a window may grow by: an acknowledgement that moves on counts for what it delivers itself. What was
    /// reported to have arrived before it moved on has not grown the window then, and does not now (as Linux).
    fn grown_by(&self, news: &News) -> u64 {
        if self.options.sack {
            // Where segments overtake each other, what was reported first is as good a sign as what moves on.
            if news.advanced || self.recovery.rack.reordering_seen { news.bytes } else { 0 }
        } else if !news.advanced {
            0
        } else {
            let mss = u64::from(self.options.mss);
            news.acked.saturating_sub(news.duplicates_before * mss).max(mss.min(news.acked))
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>, ack: u64, known: Before, news: &mut News) {
        let data_end = self.queue.end();
        // SYN and FIN count in sequence numbers, not in bytes.
        let bytes = ack.min(data_end).saturating_sub(self.una.max(self.iss + 1));
        self.insight.bytes_acked += bytes;
        news.acked = ack - self.una;
        let (delivery, rack) = (&mut self.delivery, &mut self.recovery.rack);
        self.runs.acknowledge(ack, |run| {
            if run.fate != super::runs::Fate::Sacked {
                news.note(&run, &known);
                delivery.delivered(&run, known.at, &mut news.newest_sample);
                rack.delivered(&run, known.at, known.min_rtt, known.answers(&run));
            }
        });
        self.una = ack;
        self.nxt = self.nxt.max(ack);
        self.queue.acknowledge(ack, cx.spare);
        self.runs.give_room(cx.spare);
        if let Some(scoreboard) = self.scoreboard.held() {
            scoreboard.remove_below(ack);
        }
    }

    /// Takes in the blocks of a segment.
    fn take_sack(&mut self, segment: &Segment, ack: u64, known: Before, news: &mut News) {
        let before = news.bytes;
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
            let (delivery, rack) = (&mut self.delivery, &mut self.recovery.rack);
            let mss = u32::from(self.options.mss);
            self.runs.sack((left, right), (joined.start, joined.end), mss, |run| {
                news.note(run, &known);
                delivery.delivered(run, known.at, &mut news.newest_sample);
                rack.delivered(run, known.at, known.min_rtt, known.answers(run));
            });
        }
        news.sacked = news.bytes > before;
    }

    /// A round-trip time from this acknowledgement, by the arrival of its frame: from when the oldest run
    /// it delivers had left, or, if that left more than once, as the echoed timestamp decides.
    fn measure(&mut self, segment: &Segment, news: &News) -> Option<Duration> {
        if let Some(resent) = news.resent {
            return if news.advanced { self.measure_resent(segment, resent) } else { None };
        }
        let rtt = segment.at.since(news.oldest?);
        self.rtt.sample(rtt);
        if let Some(newest) = news.newest {
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

impl News {
    fn note(&mut self, run: &Run, known: &Before) {
        self.bytes += u64::from(run.len);
        self.segments += 1;
        if run.retransmitted {
            self.resent = Some(self.resent.map_or(run.sent_at, |newest| newest.max(run.sent_at)));
            return;
        }
        self.oldest = Some(self.oldest.map_or(run.sent_at, |oldest| oldest.min(run.sent_at)));
        self.newest = Some(self.newest.map_or(run.sent_at, |newest| newest.max(run.sent_at)));
        self.original |= run.end() <= known.until;
        if run.end() <= known.highest {
            self.late = Some(self.late.map_or(run.start, |low| low.min(run.start)));
        }
    }
}

impl Before {
    /// Whether the echoed timestamp allows that the run's last transmission is meant (RFC 8985 6.2 step 2).
    fn answers(&self, run: &Run) -> bool {
        self.timestamps.is_none_or(|(state, echo)| echo.wrapping_sub(state.value(run.sent_at)) as i32 >= 0)
    }
}
