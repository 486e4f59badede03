//! Which bytes of a direction were seen, missing, sent again, or acknowledged without ever having been seen.

use std::fmt;

/// So many holes are remembered.
const HOLES_MAX: usize = 256;
/// What fills a hole so soon was overtaken, not sent again, if nothing else tells.
const OVERTAKEN: u64 = 3_000_000;
/// An acknowledgement and what it acknowledges that are captured the wrong way round are so close to each other.
const SWAPPED: u64 = 3_000_000;

/// Why a segment comes late, by the rules of the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Overtaken,
    Again,
}

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Where the next byte is expected.
    next: Option<u32>,
    acked: Option<u32>,
    /// Bytes that were jumped over: from, to, when.
    holes: Vec<(u32, u32, u64)>,
    /// Bytes that were acknowledged before they were seen, if they ever are: from, to, when.
    unseen: Vec<(u32, u32, u64)>,
    /// Segments that were seen twice or more: lost behind the place of the capture, or its acknowledgement was.
    pub(super) sent_again: u64,
    /// Of those, sent again although they had been acknowledged.
    pub(super) spurious: u64,
    /// Segments that were seen late, because they were lost before they came here.
    pub(super) before_capture: u64,
    /// Segments that were overtaken by others.
    pub(super) overtaken: u64,
    /// Bytes that were acknowledged and never seen: the capture has lost them, not the network.
    pub(super) not_captured: u64,
}

fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Losses {
    /// Bytes up to here were sent.
    pub(super) fn highest(&self) -> Option<u32> {
        self.next
    }

    /// How many bytes are on their way.
    pub(super) fn in_flight(&self) -> u64 {
        match (self.next, self.acked) {
            (Some(next), Some(acked)) if before(acked, next) => u64::from(next.wrapping_sub(acked)),
            _ => 0,
        }
    }

    /// Something is missing that is not acknowledged.
    pub(super) fn has_hole(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Bytes up to `end` were seen before.
    pub(super) fn has_seen(&self, end: u32) -> bool {
        self.next.is_some_and(|next| !before(next, end))
    }

    /// The other side has acknowledged as much before, and waits for what comes then.
    pub(super) fn is_acknowledged(&self, ack: u32) -> bool {
        self.acked == Some(ack) && self.in_flight() > 0
    }

    /// A segment was sent; `true` if not for the first time.
    pub(super) fn sent(&mut self, now: u64, seq: u32, len: u32, late: Option<Late>) -> bool {
        let end = seq.wrapping_add(len);
        let next = *self.next.get_or_insert(seq);
        self.acked.get_or_insert(seq);
        if !before(seq, next) {
            if before(next, seq) && self.holes.len() < HOLES_MAX {
                self.holes.push((next, seq, now));
            }
            self.next = Some(end);
            return false;
        }
        if before(next, end) {
            self.next = Some(end);
        }
        if let Some((_, since)) = cut(&mut self.holes, seq, end) {
            let is_soon = now.saturating_sub(since) < OVERTAKEN;
            if late.map_or(is_soon, |late| late == Late::Overtaken) {
                self.overtaken += 1;
                return false;
            }
            self.before_capture += 1;
            return true;
        }
        if let Some((bytes, since)) = cut(&mut self.unseen, seq, end)
            && now.saturating_sub(since) < SWAPPED
        {
            // Its acknowledgement was captured before it: nothing is missing.
            self.not_captured = self.not_captured.saturating_sub(bytes);
            return false;
        }
        // One byte before the window is a question whether the other still lives (RFC 9293 3.8.4).
        if len <= 1 && self.in_flight() == 0 {
            return false;
        }
        self.sent_again += 1;
        self.spurious += u64::from(self.acked.is_some_and(|acked| !before(acked, end)));
        true
    }

    /// The other side has everything up to here.
    pub(super) fn acknowledged(&mut self, now: u64, ack: u32) {
        let Some(acked) = self.acked.filter(|acked| before(*acked, ack)) else { return };
        let Losses { holes, unseen, not_captured, .. } = self;
        let mut miss = |from: u32, to: u32| {
            *not_captured += u64::from(to.wrapping_sub(from));
            if unseen.len() >= HOLES_MAX {
                unseen.remove(0);
            }
            unseen.push((from, to, now));
        };
        holes.retain_mut(|(from, to, _)| {
            let end = if before(ack, *to) { ack } else { *to };
            if before(*from, end) {
                miss(*from, end);
                *from = end;
            }
            before(*from, *to)
        });
        // More may be acknowledged than was ever seen.
        if let Some(next) = self.next.filter(|next| before(*next, ack)) {
            miss(next, ack);
            self.next = Some(ack);
        }
        self.acked = Some(if before(acked, ack) { ack } else { acked });
    }
}

/// Takes the bytes from `seq` to `end` out of stretches. Gives how many were in them, and since when the first was there;
/// `None`: none.
fn cut(stretches: &mut Vec<(u32, u32, u64)>, seq: u32, end: u32) -> Option<(u64, u64)> {
    let mut found: Option<(u64, u64)> = None;
    let mut place = 0;
    while let Some(&(from, to, since)) = stretches.get(place) {
        if !(before(seq, to) && before(from, end)) {
            place += 1;
            continue;
        }
        stretches.swap_remove(place);
        let (left, right) =
            (if before(seq, from) { from } else { seq }, if before(to, end) { to } else { end });
        let bytes = u64::from(right.wrapping_sub(left));
        found = Some(found.map_or((bytes, since), |(sum, eldest)| (sum + bytes, eldest.min(since))));
        for (from, to) in [(from, seq), (end, to)] {
            if before(from, to) && stretches.len() < HOLES_MAX {
                stretches.push((from, to, since));
            }
        }
    }
    found
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sent_again > 0 {
            write!(f, "       {} segments were sent again that had passed here", self.sent_again)?;
            if self.spurious > 0 {
                write!(f, ", {} of them needlessly", self.spurious)?;
            }
            writeln!(f)?;
        }
        if self.before_capture > 0 {
            writeln!(f, "       {} segments were lost before they came here", self.before_capture)?;
        }
        if self.overtaken > 0 {
            writeln!(f, "       {} segments were overtaken", self.overtaken)?;
        }
        if self.not_captured > 0 {
            writeln!(
                f,
                "       {} bytes arrived but were not captured: the capture is incomplete",
                self.not_captured
            )?;
        }
        Ok(())
    }
}
