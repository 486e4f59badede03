//! A direction's bytes in order, for whoever follows the stream.

/// Segments that came too early are kept up to this much, with what keeping each costs.
const EARLY_MAX: usize = 256 << 10;
/// What keeping a segment costs.
const EARLY_COST: usize = 32;

/// The bytes that one side of a connection has sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The next sequence number in order; `None` before the first segment.
    next: Option<u32>,
    /// Segments behind a gap: sequence number and bytes.
    early: Vec<(u32, Vec<u8>)>,
    /// A gap was given up: what follows may begin anywhere in a message.
    pub(crate) broken: bool,
    /// So many bytes were given up before what is handed on next.
    pub(crate) missing: u64,
    /// More were, behind what was handed on last.
    torn: u64,
    /// What was released ([`Order::release`]) and nobody has read.
    unread: Vec<Run>,
}

/// Bytes that were released from behind a gap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The sequence number of the first.
    pub(crate) seq: u32,
    pub(crate) bytes: Vec<u8>,
    /// So many are missing before them.
    pub(crate) missing: u64,
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
        self.go_on_torn();
        let next = *self.next.get_or_insert(seq);
        let next = self.beyond_gap(next, seq, acked);
        let ahead = seq.wrapping_sub(next) as i32;
        if ahead > 0 {
            self.keep_early(seq, bytes);
            let next = self.beyond_what_waits(next);
            let mut joined = Vec::new();
            self.join(&mut joined);
            self.drop_most();
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
            self.give_up_to(next, end);
        }
    }

    /// Goes on at `first`; what lies between `next` and it is missing.
    fn give_up_to(&mut self, next: u32, first: u32) {
        self.broken = true;
        self.missing += u64::from(first.wrapping_sub(next));
        self.next = Some(first);
    }

    /// What was given up behind what was handed on last lies before what comes now.
    fn go_on_torn(&mut self) {
        let torn = std::mem::take(&mut self.torn);
        self.broken |= torn > 0;
        self.missing += torn;
    }

    /// Whether segments wait behind a gap.
    pub(crate) fn waits_behind_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// Whether something was released that nobody has read.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Gives what waits behind gaps whose bytes the other side has acknowledged: they came, but were not captured. Without
    /// `acked` all that waits: nothing will come any more. Who reads the stream gets it with [`Order::unread`] once more.
    pub(crate) fn release(&mut self, acked: Option<u32>) -> &[Run] {
        let before = self.unread.len();
        self.go_on_torn();
        while let Some(next) = self.next
            && let Some(place) = self.first(next)
        {
            let first = self.early[place].0;
            let distance = |seq: u32| seq.wrapping_sub(next) as i32;
            if acked.is_some_and(|acked| distance(acked) < distance(first)) {
                break;
            }
            let seq = if distance(first) > 0 { first } else { next };
            if seq != next {
                self.give_up_to(next, seq);
            }
            let mut bytes = Vec::new();
            self.join(&mut bytes);
            if !bytes.is_empty() {
                let missing = std::mem::take(&mut self.missing);
                self.unread.push(Run { seq, bytes, missing });
            }
        }
        &self.unread[before..]
    }

    /// Takes what was released, in order. Before each of them something is missing.
    pub(crate) fn unread(&mut self) -> Vec<Run> {
        if !self.unread.is_empty() {
            self.broken = false;
        }
        std::mem::take(&mut self.unread)
    }

    /// Where to go on: behind a gap whose bytes the other side has. They came, but were not captured.
    fn beyond_gap(&mut self, next: u32, seq: u32, acked: Option<u32>) -> u32 {
        let distance = |seq: u32| seq.wrapping_sub(next) as i32;
        let early = self.early.iter().map(|(start, _)| *start).chain([seq]);
        let Some(first) = early.min_by_key(|start| distance(*start)) else { return next };
        if distance(first) <= 0 || acked.is_none_or(|acked| distance(acked) < distance(first)) {
            return next;
        }
        self.give_up_to(next, first);
        first
    }

    /// What waits, with what keeping it costs.
    fn waits(&self) -> usize {
        self.early.iter().map(|(_, bytes)| bytes.len() + EARLY_COST).sum()
    }

    /// The place of the segment that waits and comes first.
    fn first(&self, next: u32) -> Option<usize> {
        let distance = |place: &usize| self.early[*place].0.wrapping_sub(next) as i32;
        (0..self.early.len()).min_by_key(distance)
    }

    /// Where to go on: behind a gap that was not seen to close while more came than may wait. The capture lacks it.
    fn beyond_what_waits(&mut self, next: u32) -> u32 {
        let first = self.first(next).map(|place| self.early[place].0);
        let is_ahead = |first: &u32| first.wrapping_sub(next) as i32 > 0;
        let Some(first) = first.filter(|first| is_ahead(first) && self.waits() > EARLY_MAX) else {
            return next;
        };
        self.give_up_to(next, first);
        first
    }

    /// What is still too much, between one gap and another, is dropped: what is handed on has no gap in it.
    fn drop_most(&mut self) {
        while let Some(next) = self.next.filter(|_| self.waits() > EARLY_MAX) {
            let Some(place) = self.first(next) else { return };
            let (seq, bytes) = self.early.swap_remove(place);
            let end = seq.wrapping_add(bytes.len() as u32);
            if end.wrapping_sub(next) as i32 > 0 {
                self.next = Some(end);
                self.torn += u64::from(end.wrapping_sub(next));
            }
        }
    }

    fn keep_early(&mut self, seq: u32, bytes: &[u8]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that tell their place.
    fn sent(seq: u32, len: usize) -> Vec<u8> {
        (0..len as u32).map(|at| ((seq.wrapping_add(at)) % 251) as u8).collect()
    }

    /// Takes a segment; gives where the bytes that are handed on begin, and whether something is missing before them.
    fn take(order: &mut Order, seq: u32, len: usize) -> Option<(u32, Vec<u8>, bool)> {
        let bytes = sent(seq, len);
        let (begins, given) = match order.take(seq, &bytes, None) {
            Brings::Nothing => return None,
            Brings::Next(fresh) => (seq.wrapping_add((len - fresh.len()) as u32), fresh.to_vec()),
            Brings::Joined(joined, back) => (seq.wrapping_sub(back), joined),
        };
        Some((begins, given, std::mem::take(&mut order.broken)))
    }

    #[test]
    fn what_waited_behind_a_gap_that_is_given_up_is_handed_on() {
        let mut order = Order::default();
        // Across the place where sequence numbers begin anew.
        let start = 0_u32.wrapping_sub(100_000);
        order.begin(start);
        assert_eq!(take(&mut order, start, 1000), Some((start, sent(start, 1000), false)));
        // The second segment is missing, and another one later.
        let mut given = Vec::new();
        let places = (2..400).filter(|place| *place != 150).map(|place| start.wrapping_add(place * 1000));
        for seq in places {
            if let Some((begins, bytes, is_torn)) = take(&mut order, seq, 1000) {
                assert_eq!(bytes, sent(begins, bytes.len()));
                given.push((begins.wrapping_sub(start), bytes.len(), is_torn));
            }
        }
        assert_eq!(given[0], (2000, 148_000, true));
        // Behind the second gap what waits has become less: it is given up later.
        assert_eq!(given.len(), 1, "{given:?}");
        let waits: usize = order.early.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(given[0].1 + waits, 397_000);
        // That one closes.
        let seq = start.wrapping_add(150_000);
        assert_eq!(take(&mut order, seq, 1000), Some((seq, sent(seq, 250_000), false)));
    }

    #[test]
    fn many_gaps_keep_no_more_than_one_does() {
        let mut order = Order::default();
        order.begin(0);
        // Small pieces with gaps between them fill what may wait; behind each gap that is given up for a large one there
        // is only one of them.
        for place in 0..7000 {
            assert_eq!(take(&mut order, 10 + 2 * place, 1), None);
        }
        let mut end = 0;
        for place in 1..500 {
            if let Some((begins, bytes, is_torn)) = take(&mut order, place * 100_000, 60_000) {
                assert!(is_torn && begins > end, "{begins} behind {end}");
                end = begins + bytes.len() as u32;
            }
            assert!(order.waits() <= EARLY_MAX);
        }
        assert!(end > 40_000_000, "{end}");
    }

    #[test]
    fn what_waits_is_released_where_the_other_side_has_what_lies_before() {
        let mut order = Order::default();
        let start = 0_u32.wrapping_sub(1500);
        let at = |place: u32| start.wrapping_add(place);
        order.begin(start);
        take(&mut order, start, 1000);
        for place in [2000, 3000, 5000] {
            assert_eq!(take(&mut order, at(place), 1000), None);
        }
        assert_eq!(order.release(Some(at(1500))), [], "what is missing is on its way");
        let run =
            |place: u32, len: usize, missing| Run { seq: at(place), bytes: sent(at(place), len), missing };
        assert_eq!(order.release(Some(at(4000))), [run(2000, 2000, 1000)]);
        assert!(order.waits_behind_gap() && order.has_unread());
        assert_eq!(order.release(None), [run(5000, 1000, 1000)]);
        assert_eq!(order.unread(), [run(2000, 2000, 1000), run(5000, 1000, 1000)]);
        assert!(!order.waits_behind_gap() && !order.has_unread() && !order.broken);
        // It goes on there, and what comes late is nobody's.
        assert_eq!(take(&mut order, at(1000), 1000), None);
        assert_eq!(take(&mut order, at(6000), 1000), Some((at(6000), sent(at(6000), 1000), false)));
        assert_eq!(order.missing, 0);
    }

    proptest! {
        #[test]
        fn all_that_is_handed_on_is_what_was_sent_and_nothing_twice(
            cuts in prop::collection::vec((0u32..600, 1usize..40_000), 1..80), start in any::<u32>(),
        ) {
            let mut order = Order::default();
            order.begin(start);
            let mut end = 0;
            for (place, len) in cuts {
                let seq = start.wrapping_add(place * 1000);
                if let Some((begins, bytes, is_torn)) = take(&mut order, seq, len) {
                    prop_assert_eq!(&bytes, &sent(begins, bytes.len()));
                    let begins = begins.wrapping_sub(start);
                    prop_assert!(begins == end || begins > end && is_torn, "{begins} behind {end}");
                    end = begins + bytes.len() as u32;
                }
                prop_assert!(order.waits() <= EARLY_MAX);
            }
        }
    }
}
