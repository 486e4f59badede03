//! A stream whose pieces name their place, as in QUIC: the bytes in order, in bounded memory.

use std::collections::BTreeMap;

/// Pieces behind a gap are kept up to this much, with what keeping each costs, unless another bound is given.
const EARLY_MAX: usize = 256 << 10;
/// What keeping a piece costs.
const PIECE_COST: usize = 64;

/// What was seen of a stream's one direction.
#[derive(Debug)]
pub(crate) struct Offsets {
    /// Everything before this was handed on.
    next: u64,
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
    /// A gap was given up: bytes are missing before what is handed on next.
    is_torn: bool,
    /// So much may wait behind a gap.
    early_max: usize,
}

impl Default for Offsets {
    fn default() -> Offsets {
        Offsets::after(0, EARLY_MAX)
    }
}

impl Offsets {
    /// Everything before `next` is known; `early_max` bytes may wait behind a gap.
    pub(crate) fn after(next: u64, early_max: usize) -> Offsets {
        Offsets { next, early: BTreeMap::new(), early_bytes: 0, is_torn: false, early_max }
    }

    /// What waits behind a gap, with what keeping it costs.
    pub(crate) fn waiting(&self) -> usize {
        self.early_bytes
    }

    /// Takes a piece. Gives the bytes that are now in order, if there are some.
    pub(crate) fn take(&mut self, offset: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut joined = Vec::new();
        self.take_into(offset, bytes, &mut joined).then_some(joined)
    }

    /// Takes a piece, and adds the bytes that are now in order, if there are some.
    pub(crate) fn take_into(&mut self, offset: u64, bytes: &[u8], joined: &mut Vec<u8>) -> bool {
        let Some(end) = offset.checked_add(bytes.len() as u64) else { return false };
        if end <= self.next {
            return false;
        }
        if offset > self.next {
            self.keep(offset, bytes);
            if self.early_bytes <= self.early_max {
                return false;
            }
            // So much waits that the gap will not be closed any more: go on behind it.
            let Some(first) = self.early.keys().next() else { return false };
            (self.is_torn, self.next) = (true, *first);
        } else {
            joined.extend_from_slice(&bytes[(self.next - offset) as usize..]);
            self.next = end;
        }
        self.join(joined);
        true
    }

    /// Whether something waits behind a gap.
    pub(crate) fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// So many bytes were handed on, or given up.
    pub(crate) fn handed_on(&self) -> u64 {
        self.next
    }

    /// Whether bytes are missing before what was handed on last. Told once.
    pub(crate) fn was_torn(&mut self) -> bool {
        std::mem::take(&mut self.is_torn)
    }

    fn keep(&mut self, offset: u64, bytes: &[u8]) {
        let known = self.early.get(&offset).map_or(0, Vec::len);
        if bytes.len() > known {
            self.early_bytes += bytes.len() + PIECE_COST;
            if let Some(old) = self.early.insert(offset, bytes.to_vec()) {
                self.early_bytes -= old.len() + PIECE_COST;
            }
        }
    }

    fn join(&mut self, joined: &mut Vec<u8>) {
        while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= self.next) {
            let (offset, piece) = entry.remove_entry();
            self.early_bytes -= piece.len() + PIECE_COST;
            if let Some(fresh) = piece.get((self.next - offset) as usize..) {
                joined.extend_from_slice(fresh);
                self.next += fresh.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gap_that_never_closes_is_given_up() {
        let mut stream = Offsets::default();
        assert_eq!(stream.take(0, b"ab"), Some(b"ab".to_vec()));
        let piece = vec![7; 1000];
        let given = (0..400).find_map(|count| stream.take(10 + count * 1000, &piece));
        assert!(given.is_some_and(|bytes| bytes.len() > 200_000) && stream.was_torn() && !stream.was_torn());
        assert!(stream.early.is_empty() && stream.early_bytes == 0);
        assert_eq!(stream.take(u64::MAX, b"x"), None, "beyond the end of all streams");
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_bytes_are_those_that_were_sent(
            cuts in prop::collection::vec((0usize..200, 1usize..60), 1..60),
        ) {
            let sent: Vec<u8> = (0..=255).collect();
            let mut stream = Offsets::default();
            let mut got = Vec::new();
            for (start, len) in cuts.into_iter().chain([(0, 256)]) {
                let end = (start + len).min(sent.len());
                got.extend(stream.take(start as u64, &sent[start..end]).unwrap_or_default());
                prop_assert_eq!(&got[..], &sent[..got.len()]);
            }
            prop_assert_eq!(got.len(), sent.len());
            prop_assert_eq!(stream.early_bytes, 0);
        }
    }
}
