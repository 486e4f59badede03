//! Which bytes of a direction were seen, missing, sent again, or acknowledged without ever having been seen.

use std::fmt;

/// So many holes are remembered.
const HOLES_MAX: usize = 256;
/// What fills a hole so soon was overtaken, not sent again.
const OVERTAKEN: u64 = 3_000_000;

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Where the next byte is expected.
    next: Option<u32>,
    acked: Option<u32>,
    /// Bytes that were jumped over: from, to, when.
    holes: Vec<(u32, u32, u64)>,
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

    /// A segment was sent; `true` if not for the first time.
    pub(super) fn sent(&mut self, now: u64, seq: u32, len: u32) -> bool {
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
        if let Some(place) =
            self.holes.iter().position(|(from, to, _)| before(seq, *to) && before(*from, end))
        {
            let (from, to, since) = self.holes.swap_remove(place);
            for (from, to) in [(from, seq), (end, to)] {
                if before(from, to) && self.holes.len() < HOLES_MAX {
                    self.holes.push((from, to, since));
                }
            }
            if now.saturating_sub(since) < OVERTAKEN {
                self.overtaken += 1;
                return false;
            }
            self.before_capture += 1;
            return true;
        }
        // One byte before the window is a question whether the other still lives (RFC 9293 3.8.4).
        if len <= 1 && self.in_flight() == 0 {
            return false;
        }
        self.sent_again += 1;
        self.spurious += u64::from(self.acked.is_some_and(|acked| !before(acked, end)));
        if before(next, end) {
            self.next = Some(end);
        }
        true
    }

    /// The other side has everything up to here.
    pub(super) fn acknowledged(&mut self, ack: u32) {
        let Some(acked) = self.acked.filter(|acked| before(*acked, ack)) else { return };
        let mut missed = 0;
        self.holes.retain_mut(|(from, to, _)| {
            let end = if before(ack, *to) { ack } else { *to };
            if before(*from, end) {
                missed += u64::from(end.wrapping_sub(*from));
                *from = end;
            }
            before(*from, *to)
        });
        // More may be acknowledged than was ever seen.
        if let Some(next) = self.next.filter(|next| before(*next, ack)) {
            missed += u64::from(ack.wrapping_sub(next));
            self.next = Some(ack);
        }
        self.not_captured += missed;
        self.acked = Some(if before(acked, ack) { ack } else { acked });
    }
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
