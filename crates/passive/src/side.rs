//! One direction of a TCP connection: what was sent, what is missing, what came again. Offsets count from the SYN, which
//! is 0; they do not wrap.

use std::collections::{BTreeMap, VecDeque};

/// Holes at a time; more are not followed.
const HOLES_MAX: usize = 512;
/// Bytes kept behind a hole until it is filled.
const EARLY_MAX: usize = 1 << 20;
/// Frames listed of each kind.
const FRAMES_MAX: usize = 1024;
/// Losses are counted for so many bytes at a time...
const STRETCH: u64 = 1 << 16;
/// ...and so many times.
const STRETCHES_MAX: usize = 1 << 16;
/// Pieces that wait behind holes.
const PIECES_MAX: usize = 1 << 13;
/// A second copy so soon is the network's, not the sender's: no timer is shorter (RFC 8985's probe waits 2 round trips).
const COPY: u64 = 1_000_000;
/// A sender that repeats itself after so long without having said anything was driven by its timer (RFC 6298 with the
/// floor that Linux has).
const TIMER: u64 = 180_000_000;

/// Once may be an accident, and is repaired within a moment.
const STANDSTILL_TRIES: u64 = 2;

pub(crate) const FIN: u16 = 1;
pub(crate) const SYN: u16 = 2;
pub(crate) const RST: u16 = 4;
pub(crate) const ACK: u16 = 16;

/// A segment as the tracker takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) seq: u32,
    pub(crate) flags: u16,
    /// Bytes on the wire.
    pub(crate) len: u32,
    /// Bytes that were kept.
    pub(crate) payload: &'a [u8],
    pub(crate) tsval: Option<u32>,
    pub(crate) ip_id: Option<u16>,
}

/// Bytes in order, or the news that some were not captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Skipped(u64),
}

/// What tells a second copy: offset, length, identification and clock are the same.
type Copy = (u64, u32, Option<u16>, Option<u32>, u64);

/// So many segments back a second copy is looked for.
const RECENT: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Hole {
    end: u64,
    since: u64,
    tsval: Option<u32>,
}

/// What one end has sent.
#[derive(Debug, Default)]
pub(crate) struct Side {
    base: Option<u32>,
    /// After the highest that was seen.
    pub(crate) high: u64,
    /// Where the capture begins to see this direction.
    pub(crate) first: u64,
    /// The highest that the peer has acknowledged.
    pub(crate) acked: u64,
    holes: BTreeMap<u64, Hole>,
    /// Payload that waits for its turn.
    early: BTreeMap<u64, (u64, Vec<u8>)>,
    early_bytes: usize,
    /// The next offset to hand on.
    next: u64,
    last_sent: Option<u64>,
    recent: VecDeque<Copy>,
    pub(crate) saw_syn: bool,
    pub(crate) segments: u64,
    pub(crate) data_segments: u64,
    /// Payload, each byte counted once.
    pub(crate) bytes: u64,
    /// Segments that were sent again.
    pub(crate) resent: Vec<u64>,
    pub(crate) resent_count: u64,
    /// Times at which something was sent again or mended, each once for all that happened within a round trip: one
    /// large loss, or one lesson about what size of packet passes, is one.
    pub(crate) episodes: u64,
    last_trouble: Option<u64>,
    pub(crate) timeouts: u64,
    /// Segments that came behind a hole.
    pub(crate) ahead: u64,
    /// Holes that were filled by a segment sent later, and by one that was overtaken.
    pub(crate) repaired: Vec<u64>,
    pub(crate) repaired_count: u64,
    pub(crate) overtaken: Vec<u64>,
    pub(crate) overtaken_count: u64,
    /// Second copies made by the network.
    pub(crate) copies: Vec<u64>,
    pub(crate) copies_count: u64,
    /// The peer says that it got something twice (RFC 2883).
    pub(crate) doubts: u64,
    /// Packets of any kind that came twice within a moment.
    pub(crate) twice: u64,
    /// Acknowledgements that say nothing new while this side has sent more than they acknowledge: what their sender says of
    /// each packet that came before its turn (RFC 5681 3.2).
    pub(crate) said_again: u64,
    /// Bytes that the peer acknowledged and the capture lacks.
    pub(crate) uncaptured: u64,
    /// Goodbyes that were said again because nobody took them.
    pub(crate) fin_again: u64,
    /// Since when the segment that was sent again last has been sent again, and how long it is.
    pub(crate) stuck: Option<(u64, u32)>,
    /// When something new was acknowledged last, or had begun to wait for it; how often something was sent again since.
    progress: u64,
    resent_since: u64,
    /// The longest time for which nothing was acknowledged though it was sent again and again, and then it was.
    pub(crate) standstill: u64,
    pub(crate) fin: Option<(u64, u64)>,
    /// Its offset: behind it are no bytes, though it takes a place.
    fin_at: Option<u64>,
    pub(crate) last_data: Option<u64>,
    pub(crate) first_data: Option<(u64, u64)>,
    /// When a segment without data last showed that all that was sent until then had arrived.
    pub(crate) still: Option<u64>,
    /// Segments that were sent again or mended, each once.
    pub(crate) lost: u64,
    last_lost: Option<u64>,
    /// How many of them there were in each [`STRETCH`] bytes.
    stretches: Vec<u32>,
    /// Payload of the longest packet.
    pub(crate) longest: u32,
    /// Bytes of all holes when they were found, and of the widest.
    pub(crate) holes_bytes: u64,
    pub(crate) widest_hole: u64,
    episode_since: Option<u64>,
}

impl Side {
    /// The offset of a sequence number, near the highest one seen.
    pub(crate) fn offset(&self, seq: u32) -> Option<u64> {
        let base = self.base?;
        let expected = base.wrapping_add(self.high as u32);
        let ahead = i64::from(seq.wrapping_sub(expected) as i32);
        u64::try_from(i64::try_from(self.high).ok()? + ahead).ok()
    }

    /// Makes sure that offsets can be counted: from the SYN, or, where it was not seen, from the first thing known.
    fn start(&mut self, seq: u32, syn: bool) {
        if self.base.is_none() {
            // Without a SYN the first byte that is seen gets an offset far enough from 0 for earlier ones to be told.
            let head = if syn { 0 } else { 1 << 32 };
            self.base = Some(seq.wrapping_sub(head as u32));
            (self.high, self.first, self.next, self.acked) = (head, head, head, head);
        }
    }

    /// Whether a SYN begins another connection between the same ends.
    pub(crate) fn is_reused_by(&self, seq: u32) -> bool {
        self.base.is_some_and(|base| base != seq || !self.saw_syn)
    }

    /// Takes a segment; gives what can be handed on. `rtt`: the connection's, in nanoseconds.
    pub(crate) fn take(&mut self, segment: &Segment<'_>, rtt: u64) -> Vec<Piece> {
        let syn = segment.flags & SYN != 0;
        self.segments += 1;
        self.start(segment.seq, syn);
        self.saw_syn |= syn;
        let Some(mut begin) = self.offset(segment.seq) else { return Vec::new() };
        if syn {
            if self.high == 0 {
                (self.high, self.next, self.first) = (1, 1, 1);
            }
            begin += 1;
        }
        let fin = segment.flags & FIN != 0;
        if segment.flags & RST != 0 {
            return Vec::new();
        }
        let data_end = begin + u64::from(segment.len);
        let end = data_end + u64::from(fin);
        if fin {
            self.fin_again += u64::from(self.fin.is_some() && self.acked < end);
            self.fin.get_or_insert((segment.time, segment.number));
            self.fin_at.get_or_insert(data_end);
        }
        // A probe whether the peer still lives repeats the last byte, or none (RFC 9293 3.8.4).
        let probe = segment.len <= 1 && !fin && !syn && begin + 1 == self.high && self.acked >= self.high;
        if segment.len == 0 || probe {
            if end > self.high {
                // An acknowledgement that stands behind what was seen tells of bytes that were sent and got lost.
                if begin > self.high && self.segments > 1 {
                    self.find_hole(segment, begin);
                }
                self.high = end;
            }
            if self.holes.is_empty() && !probe {
                self.still = Some(segment.time);
            }
            return Vec::new();
        }
        self.data_segments += 1;
        if self.acked >= self.high {
            (self.progress, self.resent_since) = (segment.time, 0);
        }
        self.longest = self.longest.max(segment.len);
        self.first_data.get_or_insert((segment.time, segment.number));
        self.place(segment, begin, end, rtt);
        self.last_data = Some(segment.time);
        self.last_sent = Some(segment.time);
        self.keep(begin, data_end, segment.payload);
        self.hand_on()
    }

    /// Where the segment belongs: at the end, behind a hole, into one, or it was there before.
    fn place(&mut self, segment: &Segment<'_>, begin: u64, end: u64, rtt: u64) {
        let same = self.recent.iter().any(|(at, len, id, clock, time)| {
            (*at, *len, *id, *clock) == (begin, segment.len, segment.ip_id, segment.tsval)
                && segment.time.saturating_sub(*time) < COPY.max(rtt / 2)
        });
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((begin, segment.len, segment.ip_id, segment.tsval, segment.time));
        if begin >= self.high {
            if begin > self.high {
                self.find_hole(segment, begin);
            }
            self.high = end;
            self.bytes += u64::from(segment.len);
            // Only what arrives while something is missing is out of order, and shows it.
            if !self.holes.is_empty() {
                self.ahead += 1;
            }
            return;
        }
        let hole = self.holes.range(..end).next_back().map(|(start, hole)| (*start, *hole));
        if let Some((start, hole)) = hole.filter(|(_, hole)| hole.end > begin) {
            return self.fill(segment, start, hole, begin, end, rtt);
        }
        if same {
            self.copies_count += 1;
            list(&mut self.copies, segment.number);
            return;
        }
        self.high = self.high.max(end);
        self.resent_count += 1;
        self.resent_since += 1;
        if self.last_lost != Some(begin) {
            self.stuck = Some((segment.time, segment.len));
        }
        self.trouble(segment.time, rtt, begin);
        list(&mut self.resent, segment.number);
        if self.last_sent.is_some_and(|sent| segment.time.saturating_sub(sent) >= TIMER) {
            self.timeouts += 1;
        }
    }

    /// A packet came twice within a moment.
    pub(crate) fn copied(&mut self, number: u64) {
        self.twice += 1;
        self.copies_count += 1;
        list(&mut self.copies, number);
    }

    /// What is between the highest that was seen and `begin` was skipped.
    fn find_hole(&mut self, segment: &Segment<'_>, begin: u64) {
        if self.holes.len() >= HOLES_MAX {
            return;
        }
        let wide = begin - self.high;
        self.holes_bytes = self.holes_bytes.saturating_add(wide);
        self.widest_hole = self.widest_hole.max(wide);
        self.holes.insert(self.high, Hole { end: begin, since: segment.time, tsval: segment.tsval });
    }

    fn trouble(&mut self, time: u64, rtt: u64, begin: u64) {
        let apart = rtt.max(10_000_000) * 3 / 2;
        // Repairs that never pause are not one event: even a large loss is mended within a few round trips.
        let goes_on = self.episode_since.is_some_and(|since| time.saturating_sub(since) <= apart * 2)
            && self.last_trouble.is_some_and(|last| time.saturating_sub(last) <= apart);
        if !goes_on {
            self.episodes += 1;
            self.episode_since = Some(time);
        }
        self.last_trouble = Some(time);
        // The same segment again and again was lost once, as far as anybody knows.
        if self.last_lost == Some(begin) {
            return;
        }
        self.last_lost = Some(begin);
        self.lost += 1;
        let stretch = usize::try_from(begin.saturating_sub(self.first) / STRETCH).unwrap_or(usize::MAX);
        if stretch < STRETCHES_MAX {
            if self.stretches.len() <= stretch {
                self.stretches.resize(stretch + 1, 0);
            }
            self.stretches[stretch] += 1;
        }
    }

    /// Of a hundred stretches, how many lost something.
    pub(crate) fn touched_percent(&self) -> u64 {
        let sent = self.high.saturating_sub(self.first);
        let count = (sent / STRETCH + 1).min(STRETCHES_MAX as u64);
        let touched = self.stretches.iter().filter(|lost| **lost > 0).count() as u64;
        (touched * 100 / count).min(100)
    }

    /// How unevenly losses are spread over the stream: variance by mean of their number in each stretch, which is 1
    /// for losses that know nothing of one another.
    pub(crate) fn spread(&self) -> Option<f64> {
        let sent = self.high.saturating_sub(self.first);
        let count = usize::try_from(sent / STRETCH).unwrap_or(0).min(STRETCHES_MAX);
        if count < 4 || self.lost == 0 {
            return None;
        }
        let in_stretch = |place: usize| f64::from(self.stretches.get(place).copied().unwrap_or(0));
        let mean = (0..count).map(in_stretch).sum::<f64>() / count as f64;
        let variance = (0..count).map(|place| (in_stretch(place) - mean).powi(2)).sum::<f64>() / count as f64;
        (mean > 0.0).then(|| variance / mean)
    }

    fn fill(&mut self, segment: &Segment<'_>, start: u64, hole: Hole, begin: u64, end: u64, rtt: u64) {
        let filled = end.min(hole.end) - begin.max(start);
        self.bytes += filled;
        self.high = self.high.max(end);
        let sent_before = match segment.tsval.zip(hole.tsval) {
            Some((own, behind)) => own.wrapping_sub(behind) as i32 <= 0,
            None => segment.time.saturating_sub(hole.since) < rtt.max(3_000_000) * 9 / 10,
        };
        if sent_before {
            self.overtaken_count += 1;
            list(&mut self.overtaken, segment.number);
        } else {
            self.repaired_count += 1;
            self.trouble(segment.time, rtt, begin);
            list(&mut self.repaired, segment.number);
        }
        self.holes.remove(&start);
        if begin > start {
            self.holes.insert(start, Hole { end: begin, ..hole });
        }
        if end < hole.end {
            self.holes.insert(end, hole);
        }
    }

    /// The peer has acknowledged up to here: what is missing below was on the way all the same.
    /// `bare`: it was said in a packet without data.
    pub(crate) fn acknowledged(&mut self, ack: u32, bare: bool, time: u64) -> Vec<Piece> {
        if self.base.is_none() {
            self.start(ack, false);
        }
        let Some(offset) = self.offset(ack) else { return Vec::new() };
        if offset <= self.acked {
            self.said_again += u64::from(offset == self.acked && bare && self.high > offset);
            return Vec::new();
        }
        self.acked = offset;
        if self.resent_since >= STANDSTILL_TRIES {
            self.standstill = self.standstill.max(time.saturating_sub(self.progress));
        }
        (self.progress, self.resent_since) = (time, 0);
        let before: Vec<u64> = self.holes.range(..offset).map(|(start, _)| *start).collect();
        for start in before {
            let Some(hole) = self.holes.remove(&start) else { continue };
            self.uncaptured += hole.end.min(offset) - start;
            if hole.end > offset {
                self.holes.insert(offset, hole);
            }
        }
        if offset > self.high {
            // A goodbye that was not captured takes one place, too: one byte is not missed.
            self.uncaptured += if offset - self.high > 1 { offset - self.high } else { 0 };
            self.high = offset;
        }
        let mut pieces = self.hand_on();
        while self.next < offset {
            let upto = self.early.keys().next().copied().unwrap_or(offset).min(offset);
            let upto = self.fin_at.map_or(upto, |fin| upto.min(fin));
            if upto <= self.next {
                break;
            }
            pieces.push(Piece::Skipped(upto - self.next));
            self.next = upto;
            pieces.extend(self.hand_on());
        }
        pieces
    }

    /// Whether what was sent again and again was not acknowledged to the end.
    pub(crate) fn is_standing(&self) -> bool {
        self.resent_since > STANDSTILL_TRIES && self.unacknowledged() > 1
    }

    /// How long nothing of what was sent has been acknowledged by then.
    pub(crate) fn waited(&self, now: u64) -> u64 {
        if self.unacknowledged() > 0 { now.saturating_sub(self.progress) } else { 0 }
    }

    /// How many segments were copies, overtaken, or sent again.
    pub(crate) fn remarkable(&self) -> u64 {
        self.copies_count + self.overtaken_count + self.repaired_count + self.resent_count
    }

    /// When this side said anything last.
    pub(crate) fn last_word(&self) -> u64 {
        let fin = self.fin.map(|(time, _)| time);
        [fin, self.still, self.last_data].into_iter().flatten().max().unwrap_or(0)
    }

    /// Bytes below the highest that never came, and were never acknowledged.
    pub(crate) fn missing(&self) -> u64 {
        self.holes.iter().map(|(start, hole)| hole.end - start).sum()
    }

    /// Sent, seen, and never acknowledged.
    pub(crate) fn unacknowledged(&self) -> u64 {
        self.high.saturating_sub(self.acked)
    }

    fn keep(&mut self, begin: u64, end: u64, payload: &[u8]) {
        if end <= self.next || self.early.len() >= PIECES_MAX {
            return;
        }
        // What does not fit any more is at least known to have been there.
        let payload = if self.early_bytes + payload.len() > EARLY_MAX { &[] } else { payload };
        let known = self.next.saturating_sub(begin);
        let (begin, bytes) = (begin + known, payload.get(known as usize..).unwrap_or(&[]).to_vec());
        if self.early.get(&begin).is_none_or(|(old, _)| *old < end) {
            self.early_bytes += bytes.len();
            if let Some((_, old)) = self.early.insert(begin, (end, bytes)) {
                self.early_bytes -= old.len();
            }
        }
    }

    fn hand_on(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some((begin, (end, mut bytes))) = self.early.first_key_value().map(|(b, v)| (*b, v.clone()))
        {
            if begin > self.next {
                break;
            }
            self.early.remove(&begin);
            self.early_bytes -= bytes.len();
            if end <= self.next {
                continue;
            }
            let known = (self.next - begin) as usize;
            let (len, kept) = ((end - self.next), bytes.len().saturating_sub(known));
            bytes.drain(..known.min(bytes.len()));
            self.next = end;
            if kept > 0 {
                pieces.push(Piece::Bytes(bytes));
            }
            if (kept as u64) < len {
                pieces.push(Piece::Skipped(len - kept as u64));
            }
        }
        pieces
    }
}

fn list(frames: &mut Vec<u64>, number: u64) {
    if frames.len() < FRAMES_MAX {
        frames.push(number);
    }
}
