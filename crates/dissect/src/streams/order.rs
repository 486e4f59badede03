//! A direction's bytes in order, for whoever follows the stream.

/// Segments that came too early are kept up to this much.
const EARLY_MAX: usize = 256 << 10;

/// The bytes that one side of a connection has sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The next sequence number in order; `None` before the first segment.
    next: Option<u32>,
    /// Segments behind a gap: sequence number and bytes.
    early: Vec<(u32, Vec<u8>)>,
    /// A gap was given up: what follows may begin anywhere in a message.
    pub(crate) broken: bool,
}

/// What a segment brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Brings<'a> {
    /// Nothing new.
    Nothing,
    /// The next bytes, straight from the segment.
    Next(&'a [u8]),
    /// It closed a gap: the next bytes, and those of segments that had come too early; they begin so far before the
    /// segment's first byte.
    Joined(Vec<u8>, u32),
}

impl Order {
    /// Where the stream begins, or begins anew.
    pub(crate) fn begin(&mut self, next: u32) {
        *self = Order { next: Some(next), ..Order::default() };
    }

    /// Takes a segment's payload. `acked` is what the other side has acknowledged: it has what lies before.
    pub(crate) fn take<'a>(&mut self, seq: u32, bytes: &'a [u8], acked: Option<u32>) -> Brings<'a> {
        let next = *self.next.get_or_insert(seq);
        let next = self.beyond_gap(next, seq, acked);
        let ahead = seq.wrapping_sub(next) as i32;
        if ahead > 0 {
            self.keep_early(seq, bytes);
            let mut joined = Vec::new();
            self.join(&mut joined);
            return if joined.is_empty() {
                Brings::Nothing
            } else {
                Brings::Joined(joined, seq.wrapping_sub(next))
            };
        }
        let known = ahead.unsigned_abs() as usize;
        let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) else {
            return Brings::Nothing;
        };
        self.next = Some(next.wrapping_add(fresh.len() as u32));
        if self.early.is_empty() {
            return Brings::Next(fresh);
        }
        let mut joined = fresh.to_vec();
        self.join(&mut joined);
        if joined.len() == fresh.len() {
            Brings::Next(fresh)
        } else {
            Brings::Joined(joined, seq.wrapping_sub(next))
        }
    }

    /// The segment at `seq` was `len` bytes long, and only its beginning, which was taken, was captured: goes on behind
    /// it, and what waits is given up.
    pub(crate) fn pass_over(&mut self, seq: u32, len: u32) {
        let end = seq.wrapping_add(len);
        if let Some(next) = self.next
            && seq.wrapping_sub(next) as i32 <= 0
            && end.wrapping_sub(next) as i32 > 0
        {
            self.next = Some(end);
            self.broken = true;
        }
    }

    /// Where to go on: behind a gap whose bytes the other side has. They came, but were not captured.
    fn beyond_gap(&mut self, next: u32, seq: u32, acked: Option<u32>) -> u32 {
        let distance = |seq: u32| seq.wrapping_sub(next) as i32;
        let early = self.early.iter().map(|(start, _)| *start).chain([seq]);
        let Some(first) = early.min_by_key(|start| distance(*start)) else { return next };
        if distance(first) <= 0 || acked.is_none_or(|acked| distance(acked) < distance(first)) {
            return next;
        }
        self.broken = true;
        self.next = Some(first);
        first
    }

    fn keep_early(&mut self, seq: u32, bytes: &[u8]) {
        let have: usize = self.early.iter().map(|(_, bytes)| bytes.len() + 32).sum();
        if have + bytes.len() > EARLY_MAX {
            // The gap was never seen to close: the capture lacks it. Go on behind it.
            self.early.clear();
            self.broken = true;
            self.next = Some(seq.wrapping_add(bytes.len() as u32));
            return;
        }
        let known = self.early.iter().any(|(start, kept)| *start == seq && kept.len() >= bytes.len());
        if !known {
            self.early.push((seq, bytes.to_vec()));
        }
    }

    /// Adds the segments that now follow without a gap.
    fn join(&mut self, joined: &mut Vec<u8>) {
        while let Some(next) = self.next {
            let fits = |(seq, _): &(u32, Vec<u8>)| seq.wrapping_sub(next) as i32 <= 0;
            let Some(place) = self.early.iter().position(fits) else { return };
            let (seq, bytes) = self.early.swap_remove(place);
            let known = next.wrapping_sub(seq) as usize;
            if let Some(fresh) = bytes.get(known..) {
                joined.extend_from_slice(fresh);
                self.next = Some(next.wrapping_add(fresh.len() as u32));
            }
        }
    }
}
