//! Putting IP fragments together (RFC 791, 8200, 5722), in bounded memory.

use super::table::Recent;
use std::net::IpAddr;

/// So many packets may wait for their fragments.
const WAITING_MAX: usize = 256;
/// A packet in so many pieces is an attack.
const PIECES_MAX: usize = 1024;
/// An IP packet's payload is not longer.
const BYTES_MAX: usize = 65_535;
/// Of pieces that overlap, so much is kept of a packet.
const KEPT_MAX: usize = 2 * BYTES_MAX;
/// A fragment that comes later than this belongs to another packet (RFC 1122 3.3.2 suggests 60 s).
const PATIENCE: u64 = 60_000_000_000;

/// What a header says of a fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    pub(crate) protocol: u8,
    /// In bytes.
    pub(crate) offset: usize,
    pub(crate) more: bool,
    /// All of its bytes were captured.
    pub(crate) whole: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Others are missing, or this one is of no use.
    Waiting,
    /// The packet is complete.
    Whole(Whole),
}

/// A packet's payload.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: Vec<u8>,
    /// What it carries, as its first fragment says.
    pub(crate) protocol: u8,
    /// Numbers of the frames it came in, in the order of their places in the packet.
    pub(crate) frames: Vec<(u64, Lies)>,
}

/// How a fragment lies beside those before it. Where they lie over each other, the one that begins first is kept, and
/// of those that begin in one place the first to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    Alone,
    /// Over the same bytes.
    OverSame,
    /// Over bytes that differ.
    OverOther,
}

type Key = (IpAddr, IpAddr, u32, u8);

/// The packets that wait.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    waiting: Recent<Key, Pieces, { WAITING_MAX / 2 }>,
}

#[derive(Debug)]
struct Pieces {
    /// Start, bytes, frame; in the order of arrival.
    pieces: Vec<(usize, Vec<u8>, u64)>,
    /// Bytes in them.
    kept: usize,
    /// Where bytes are: start and end, in order, neither touching nor overlapping.
    covered: Vec<(usize, usize)>,
    /// Known when the last fragment is there.
    total: Option<usize>,
    /// What the first fragment says that the packet carries.
    protocol: Option<u8>,
    since: u64,
}

impl Fragments {
    pub(crate) fn take(
        &mut self,
        src: IpAddr,
        dst: IpAddr,
        fragment: &Fragment,
        bytes: &[u8],
        frame: u64,
        time: u64,
    ) -> Outcome {
        let end = fragment.offset + bytes.len();
        if !fragment.whole || bytes.is_empty() || end > BYTES_MAX {
            return Outcome::Waiting;
        }
        // The protocol tells packets of IPv4 apart (RFC 791 3.2), those of IPv6 not (RFC 8200 4.5).
        let key = (src, dst, fragment.id, if src.is_ipv4() { fragment.protocol } else { 0 });
        let packet = self.waiting.entry(key, || Pieces::new(time));
        let is_full = packet.pieces.len() >= PIECES_MAX || packet.kept + bytes.len() > KEPT_MAX;
        if time.saturating_sub(packet.since) > PATIENCE || is_full {
            *packet = Pieces::new(time);
        }
        packet.add(fragment, bytes, frame);
        if !packet.is_whole() {
            return Outcome::Waiting;
        }
        match self.waiting.remove(&key) {
            Some(packet) => Outcome::Whole(packet.join(fragment.protocol)),
            None => Outcome::Waiting,
        }
    }
}

impl Pieces {
    fn new(since: u64) -> Pieces {
        Pieces { pieces: Vec::new(), kept: 0, covered: Vec::new(), total: None, protocol: None, since }
    }

    fn add(&mut self, fragment: &Fragment, bytes: &[u8], frame: u64) {
        let end = fragment.offset + bytes.len();
        if !fragment.more {
            self.total.get_or_insert(end);
        }
        if fragment.offset == 0 {
            self.protocol.get_or_insert(fragment.protocol);
        }
        self.cover(fragment.offset, end);
        self.kept += bytes.len();
        self.pieces.push((fragment.offset, bytes.to_vec(), frame));
    }

    fn cover(&mut self, start: usize, end: usize) {
        let from = self.covered.partition_point(|(_, covered_end)| *covered_end < start);
        let to = self.covered.partition_point(|(covered_start, _)| *covered_start <= end);
        let touched = &self.covered[from..to];
        let start = touched.first().map_or(start, |first| first.0.min(start));
        let end = touched.last().map_or(end, |last| last.1.max(end));
        self.covered.splice(from..to, [(start, end)]);
    }

    fn is_whole(&self) -> bool {
        let Some(total) = self.total else { return false };
        self.covered.first().is_some_and(|(start, end)| *start == 0 && *end >= total)
    }

    /// The packet; `protocol` is what its last fragment to come said of it.
    fn join(&self, protocol: u8) -> Whole {
        let total = self.total.unwrap_or_default();
        let mut bytes = vec![0; total];
        let mut order: Vec<&(usize, Vec<u8>, u64)> = self.pieces.iter().collect();
        order.sort_by_key(|(start, _, _)| *start);
        let mut filled = 0;
        let mut frames = Vec::with_capacity(order.len());
        for (start, piece, frame) in order {
            let end = (start + piece.len()).min(total);
            let again = filled.min(end).saturating_sub(*start);
            let (known, new) = piece[..end.saturating_sub(*start)].split_at(again);
            let lies = match known {
                [] => Lies::Alone,
                known if bytes[*start..][..again] == *known => Lies::OverSame,
                _ => Lies::OverOther,
            };
            bytes[end - new.len()..end].copy_from_slice(new);
            filled = filled.max(end);
            frames.push((*frame, lies));
        }
        Whole { bytes, frames, protocol: self.protocol.unwrap_or(protocol) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn take(fragments: &mut Fragments, protocol: u8, offset: usize, more: bool, bytes: &[u8]) -> Outcome {
        let [src, dst] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)].map(IpAddr::from);
        fragments.take(src, dst, &Fragment { id: 7, protocol, offset, more, whole: true }, bytes, 1, 0)
    }

    #[test]
    fn pieces_make_a_packet_in_any_order_and_the_first_to_come_is_kept() {
        let mut fragments = Fragments::default();
        for (offset, more, bytes) in [(16, false, vec![3; 4]), (8, true, vec![2; 8]), (8, true, vec![9; 8])] {
            assert!(matches!(take(&mut fragments, 17, offset, more, &bytes), Outcome::Waiting));
        }
        let Outcome::Whole(whole) = take(&mut fragments, 17, 0, true, &[1; 8]) else { panic!("it is whole") };
        assert_eq!(whole.bytes, [[1; 8].as_slice(), &[2; 8], &[3; 4]].concat());
        let lies: Vec<Lies> = whole.frames.iter().map(|(_, lies)| *lies).collect();
        assert_eq!(lies, [Lies::Alone, Lies::Alone, Lies::OverOther, Lies::Alone]);
        assert_eq!(whole.protocol, 17);
    }

    #[test]
    fn of_pieces_that_lie_over_each_other_the_one_that_begins_first_is_kept() {
        let mut fragments = Fragments::default();
        for (offset, more, bytes) in [(0, true, vec![1; 8]), (16, false, vec![3; 8])] {
            assert!(matches!(take(&mut fragments, 17, offset, more, &bytes), Outcome::Waiting));
        }
        let Outcome::Whole(whole) = take(&mut fragments, 17, 8, true, &[2; 16]) else {
            panic!("it is whole")
        };
        assert_eq!(whole.bytes, [[1; 8].as_slice(), &[2; 16]].concat());
        let lies: Vec<Lies> = whole.frames.iter().map(|(_, lies)| *lies).collect();
        assert_eq!(lies, [Lies::Alone, Lies::Alone, Lies::OverOther]);
    }

    #[test]
    fn a_piece_that_is_sent_again_and_again_fills_neither_the_packet_nor_the_memory() {
        let mut fragments = Fragments::default();
        let piece = vec![0; 60_000];
        for _ in 0..PIECES_MAX {
            assert!(matches!(take(&mut fragments, 17, 64, false, &piece), Outcome::Waiting));
            let key = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 7, 17);
            let kept = fragments.waiting.get_mut(&key).map(|packet| (packet.kept, packet.covered.len()));
            assert!(kept.is_some_and(|(kept, ranges)| kept <= KEPT_MAX && ranges == 1), "{kept:?}");
        }
    }

    #[test]
    fn only_the_first_piece_says_what_a_packet_of_version_6_carries() {
        let mut fragments = Fragments::default();
        let [src, dst] = ["2001:db8::1", "2001:db8::2"].map(|address| address.parse().expect("an address"));
        let mut take = |protocol, offset, more| {
            let fragment = Fragment { id: 7, protocol, offset, more, whole: true };
            fragments.take(src, dst, &fragment, &[0; 8], 1, 0)
        };
        assert!(matches!(take(17, 0, true), Outcome::Waiting));
        assert!(matches!(take(59, 8, false), Outcome::Whole(Whole { protocol: 17, .. })));
    }
}
