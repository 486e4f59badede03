//! Noticing that nothing was lost: by timestamps (Eifel, RFC 3522), or because every retransmission is reported to have
//! arrived twice (D-SACK, RFC 2883, RFC 3708). Then the controller gets back what it gave up.

use thru_wire::Instant;

use super::super::acknowledge::News;
use super::super::connection::{Connection, Context};
use super::super::insight::TcpEventKind;
use super::super::segment::Segment;
use super::super::seq;
use super::Phase;

/// What would prove that the last recovery or timeout was for nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    /// SND.UNA when it began; `None`: there is nothing to take back.
    marker: Option<u64>,
    /// Retransmissions since that were not reported as duplicates; `None`: none was made.
    unproven: Option<u32>,
    /// Timestamp of the first of them.
    stamp: Option<u32>,
    /// Whether anything was sent again since.
    sent_again: bool,
}

impl Undo {
    /// A recovery or timeout begins, with so many retransmissions out already.
    pub(crate) fn begin(&mut self, una: u64, out: u32) {
        *self =
            Undo { marker: Some(una), unproven: (out > 0).then_some(out), stamp: None, sent_again: false };
    }

    /// A retransmission left with this timestamp.
    pub(crate) fn sent_again(&mut self, stamp: Option<u32>) {
        self.unproven = Some(self.unproven.unwrap_or(0) + 1);
        if !self.sent_again {
            self.stamp = stamp;
        }
        self.sent_again = true;
    }

    /// Each retransmission has arrived twice.
    fn is_proven(&self) -> bool {
        self.marker.is_some() && self.unproven == Some(0)
    }

    fn proven(&mut self, segments: u64) {
        if let Some(left) = &mut self.unproven {
            *left = left.saturating_sub(u32::try_from(segments).unwrap_or(u32::MAX));
        }
    }
}

impl Connection {
    /// Whether the acknowledgement shows that nothing was lost.
    pub(crate) fn may_undo(&self, news: &News) -> bool {
        let Some(episode) = &self.recovery.episode else { return false };
        episode.undo.is_proven() || self.was_only_late(news)
    }

    /// RFC 3522 3.2 step 5: the echo is older than the first retransmission. With nothing sent again yet, what is
    /// acknowledged was only late in any case.
    fn was_only_late(&self, news: &News) -> bool {
        let Some(undo) = self.recovery.episode.as_ref().map(|episode| &episode.undo) else { return false };
        undo.marker.is_some()
            && match (undo.stamp, news.echo) {
                (Some(stamp), Some(echo)) => (echo.wrapping_sub(stamp) as i32) < 0,
                _ => !undo.sent_again && self.options.sack,
            }
    }

    /// The controller gets back what it gave up, once. `unlose`: and what was not sent again yet needs not be.
    pub(crate) fn undo(&mut self, now: Instant, unlose: bool) {
        if unlose {
            self.runs.unlose();
        }
        self.congestion.on_undo(now);
        self.insight.rare.undone += 1;
        self.insight.record(now, TcpEventKind::Undone);
        if let Some(episode) = &mut self.recovery.episode {
            episode.undo.marker = None;
        }
        // What is still missing is judged anew.
        self.recovery.rack.advanced = true;
    }

    /// In recovery, a hole was filled by what was only late. `true`: retransmissions are still out, so nothing more is
    /// judged or sent again; only new data leaves.
    pub(crate) fn undo_partly(&mut self, cx: &Context<'_>, news: &News) -> bool {
        if !self.was_only_late(news) {
            return false;
        }
        self.note_reordering(news.prior_una, cx);
        if self.runs.resent_runs() > 0 {
            self.recovery.new_first = true;
            return true;
        }
        self.undo(cx.now, true);
        self.recovery.phase = Phase::Open;
        false
    }

    /// Every retransmission has arrived twice.
    pub(crate) fn undo_by_dsack(&mut self, cx: &Context<'_>) -> bool {
        if !self.recovery.episode.as_ref().is_some_and(|episode| episode.undo.is_proven()) {
            return false;
        }
        self.recovery.rack.was_wrong();
        self.undo(cx.now, false);
        self.recovery.phase = Phase::Open;
        true
    }

    /// Takes in the first block if it reports a duplicate (RFC 2883 4): what lies below the acknowledgement, or within
    /// the second block.
    pub(crate) fn take_dsack(&mut self, segment: &Segment, ack: u64, news: &mut News) {
        let mut blocks = segment.header.options.sack.iter();
        let Some((left, right)) = blocks.next() else { return };
        let (left, right) = (seq::place(self.una, left), seq::place(self.una, right));
        let inside = blocks.next().is_some_and(|(outer_left, outer_right)| {
            seq::place(self.una, outer_left) <= left && right <= seq::place(self.una, outer_right)
        });
        if left >= right || right > self.nxt || left <= self.iss || !(left < ack || inside) {
            return;
        }
        let len = right - left;
        let segments = len.div_ceil(u64::from(self.options.mss).max(1));
        let probe = self.recovery.probe.is_duplicated_by(right);
        // The network duplicates, too: no more reports than retransmissions mean anything.
        let duplicated = u64::from(self.recovery.duplicated) + segments;
        if duplicated > u64::from(self.recovery.repeated) {
            return;
        }
        self.recovery.duplicated = duplicated as u32;
        news.dsacked = len;
        news.probe_duplicated = probe;
        let ours = right <= ack || self.runs.was_resent(left);
        if let Some(episode) = &mut self.recovery.episode
            && ours
            && episode.undo.marker.is_some_and(|marker| right > marker)
        {
            episode.undo.proven(segments);
        }
        if !probe {
            // RFC 8985 6.2 step 4: a probe's duplicate tells of no reordering.
            self.recovery.rack.duplicate_delivered();
        }
    }

    /// What was delivered late began at `low`; what overtook it ends at the highest place known to have arrived.
    pub(crate) fn note_reordering(&mut self, low: u64, cx: &Context<'_>) {
        let high = self.scoreboard.last().map_or(self.una, |range| range.end.max(self.una));
        if low < high {
            let segments = (high - low).div_ceil(u64::from(self.options.mss).max(1));
            self.recovery.rack.reordered(segments, cx.config.max_reordering);
        }
    }
}
