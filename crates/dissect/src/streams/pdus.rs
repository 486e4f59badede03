//! Messages that span segments, by Wireshark's rules: a reader that finds a message unfinished says how much more it
//! wants, and segments are kept until that much is there. Segments are read as they were captured; what lies behind a
//! gap is read at once, as the beginning of something.
//!
//! Numbers are relative to the connection's first, as they are there: a stream of more than 4 GiB wraps.

use super::offsets::Offsets;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What waits of a message may be this long: it is rarely longer, and an attacker must not fill the memory.
const WAITING_MAX: usize = 4 << 20;
/// What waits of all messages of all connections.
const ROOM: usize = 256 << 20;
/// A reader that cannot tell how long a message is looks at it anew with each segment. It is given up when that many
/// bytes were looked at, so that many small segments do not cost the square of their number.
const LOOKED_AT_MAX: u64 = 6 << 30;
/// So many messages are remembered, to know what is sent again.
const KNOWN_MAX: usize = 48;
/// A message that ends with the stream; the same distance as in Wireshark.
const UNTIL_FIN: u32 = 0x4000_0000;

/// What a reader wants before it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// One more segment, whatever its length.
    Segment,
    /// So many bytes more.
    Bytes(u32),
    /// All there is until the stream ends.
    UntilFin,
}

/// The unfinished messages of one direction.
#[derive(Debug, Default)]
pub(crate) struct Pdus {
    /// By their sequence numbers.
    known: Vec<Pdu>,
    /// A message ends with the stream.
    pub(crate) until_fin: bool,
    /// The frame of the FIN that ended it.
    pub(crate) fin: Option<u64>,
}

/// How much waits in all connections together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// What one message takes of the room; given back when it is dropped.
#[derive(Debug, Default)]
struct Share {
    room: Room,
    bytes: usize,
}

impl Room {
    /// More waits than may: those that have waited for longest have to go ([`spare`]).
    pub(crate) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > ROOM
    }
}

impl Share {
    /// It takes so many bytes from now on.
    fn set(&mut self, bytes: usize) {
        let all = &self.room.0;
        all.fetch_sub(self.bytes, Ordering::Relaxed);
        all.fetch_add(bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

/// The frame up to which messages that got nothing since are to be forgotten, so that what is left takes half of the room:
/// whoever fills it with beginnings does not take it from those that come. `waiting`: last frame and size of each.
pub(crate) fn spare(mut waiting: Vec<(u64, usize)>) -> u64 {
    waiting.sort_unstable();
    let mut left: usize = waiting.iter().map(|(_, bytes)| bytes).sum();
    let enough = waiting.iter().find(|(_, bytes)| {
        left -= bytes;
        left <= ROOM / 2
    });
    enough.map_or(0, |(frame, _)| *frame)
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A message over several segments.
#[derive(Debug)]
pub(crate) struct Pdu {
    seq: u32,
    /// Where the next one begins, as far as is known.
    pub(crate) next: u32,
    /// The next segment belongs to it as a whole.
    pub(crate) entire: bool,
    last_frame: u64,
    parts: Parts,
}

/// The bytes that were seen of a message.
#[derive(Debug, Default)]
struct Parts {
    joined: Vec<u8>,
    /// Pieces behind a gap.
    early: Offsets,
    /// How long it is.
    total: Option<usize>,
    is_done: bool,
    share: Share,
    /// So many bytes were looked at by readers that found it unfinished.
    looked_at: u64,
    /// Where the reader goes on that did.
    resume: usize,
}

/// What became of a piece that was added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// More is missing.
    Waits,
    /// The message is whole.
    Whole(Vec<u8>),
    /// It was whole before.
    Again,
    /// It is longer than what is kept; it is given up.
    TooLong,
}

/// Whether `a` lies behind `b`.
pub(crate) fn is_behind(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

impl Pdus {
    /// The message that begins at `seq`, or else the last one that begins before it.
    pub(crate) fn find(&mut self, seq: u32) -> Option<&mut Pdu> {
        let after = self.known.partition_point(|pdu| pdu.seq <= seq);
        self.known.get_mut(after.checked_sub(1)?)
    }

    /// Gives back memory that is not needed: little more comes.
    pub(crate) fn shrink(&mut self) {
        self.known.shrink_to_fit();
    }

    /// The last message that begins before `seq`.
    pub(crate) fn find_before(&mut self, seq: u32) -> Option<&mut Pdu> {
        self.find(seq.wrapping_sub(1))
    }

    /// Whether a segment repeats the beginning of a message, which no reader has to see again.
    pub(crate) fn repeats(&mut self, seq: u32, next: u32, frame: u64) -> bool {
        self.find(seq).is_some_and(|pdu| pdu.seq == seq && next <= pdu.next && pdu.last_frame != frame)
    }

    /// Remembers a message that begins at `seq` with `bytes`; `next` is where the segment ends.
    pub(crate) fn begin(&mut self, seq: u32, bytes: &[u8], next: u32, wants: Wants, frame: u64, room: &Room) {
        let (end, entire) = match wants {
            Wants::Segment => (next.wrapping_add(1), true),
            Wants::Bytes(count) => (next.wrapping_add(count), false),
            Wants::UntilFin => (next.wrapping_add(UNTIL_FIN), false),
        };
        self.until_fin |= wants == Wants::UntilFin;
        let parts = Parts::begin(bytes.to_vec(), room, 0);
        self.insert(Pdu { seq, next: end, entire, last_frame: frame, parts });
    }

    fn insert(&mut self, pdu: Pdu) {
        if self.known.len() >= KNOWN_MAX {
            self.known.drain(..KNOWN_MAX / 2);
        }
        let place = self.known.partition_point(|known| known.seq < pdu.seq);
        match self.known.get_mut(place) {
            Some(known) if known.seq == pdu.seq => *known = pdu,
            _ => self.known.insert(place, pdu),
        }
    }

    /// The reader of a whole message, which `seq` lies in, used its first `used` bytes and wants more for the rest.
    /// `end` is where the segment's part of it ended. Gives whether the message was split, so that a part is done.
    pub(crate) fn go_on(&mut self, seq: u32, end: u32, used: usize, whole: Vec<u8>, wants: Wants) -> bool {
        self.until_fin |= wants == Wants::UntilFin;
        let Some(pdu) = self.find(seq) else { return false };
        let start = pdu.seq.wrapping_add(used as u32);
        let splits = used > 0 && is_behind(start, seq);
        let (mut next, mut entire) = (pdu.next, false);
        match wants {
            Wants::Segment => {
                next = if is_behind(end, next) { end } else { next }.wrapping_add(1);
                entire = true;
            }
            Wants::UntilFin => next = if splits { start } else { pdu.seq }.wrapping_add(UNTIL_FIN),
            Wants::Bytes(count) if end >= next => next = end.wrapping_add(count),
            Wants::Bytes(count) => next = next.wrapping_add(count),
        }
        let last_frame = pdu.last_frame;
        let room = pdu.parts.share.room.clone();
        if splits {
            pdu.next = start;
            pdu.parts.end();
            let rest = whole.get(used..).unwrap_or_default();
            let parts = Parts::begin(rest.to_vec(), &room, 0);
            self.insert(Pdu { seq: start, next, entire, last_frame, parts });
        } else {
            (pdu.next, pdu.entire) = (next, entire);
            pdu.parts = Parts::begin(whole, &room, pdu.parts.looked_at);
        }
        splits
    }

    /// Last frame and size of each message that waits.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u64, usize)> {
        let taken = self.known.iter().map(|pdu| (pdu.last_frame, pdu.parts.share.bytes));
        taken.filter(|(_, bytes)| *bytes > 0)
    }

    /// Gives up messages that got nothing after a frame; whether there were any.
    pub(crate) fn give_up(&mut self, until: u64) -> bool {
        let old = |pdu: &&mut Pdu| pdu.last_frame <= until && pdu.parts.share.bytes > 0;
        self.known.iter_mut().filter(old).map(|pdu| pdu.parts.end()).count() > 0
    }

    /// How many bytes from `seq` on belong to a message that says how long it is, or that it ends with the stream.
    pub(crate) fn known_rest(&mut self, seq: u32) -> u32 {
        let known = self.find(seq).filter(|pdu| pdu.covers(seq) && !pdu.entire && !pdu.parts.is_done);
        known.map_or(0, |pdu| pdu.next.wrapping_sub(seq))
    }

    /// Forgets everything: another stream begins.
    pub(crate) fn clear(&mut self) {
        *self = Pdus::default();
    }
}

impl Pdu {
    /// Whether the byte at `seq` belongs to it.
    pub(crate) fn covers(&self, seq: u32) -> bool {
        seq.wrapping_sub(self.seq) as i32 >= 0 && is_behind(self.next, seq)
    }

    /// Where a reader that found the message unfinished goes on next time, in bytes from its beginning.
    pub(crate) fn resume_at(&mut self, place: usize) {
        self.parts.resume = place;
    }

    /// What [`Pdu::resume_at`] was told.
    pub(crate) fn resume(&self) -> usize {
        self.parts.resume
    }

    /// Adds the bytes at `seq`; `more`: they do not end the message.
    pub(crate) fn add(&mut self, seq: u32, bytes: &[u8], more: bool, frame: u64) -> Added {
        self.last_frame = frame;
        let parts = &mut self.parts;
        if parts.is_done {
            return Added::Again;
        }
        let at = seq.wrapping_sub(self.seq) as usize;
        if !more && parts.total.is_none() {
            parts.total = Some(at + bytes.len());
        }
        parts.add(at, bytes);
        if parts.is_too_much() {
            parts.end();
            return Added::TooLong;
        }
        match parts.total {
            Some(total) if parts.joined.len() >= total => {
                let mut whole = std::mem::take(&mut parts.joined);
                whole.truncate(total);
                let (looked_at, resume) = (parts.looked_at, parts.resume);
                parts.end();
                // Should the reader want more, it goes on from here.
                (parts.looked_at, parts.resume) = (looked_at, resume);
                Added::Whole(whole)
            }
            _ => Added::Waits,
        }
    }
}

impl Parts {
    /// A message that begins with `joined`, at which a reader has just looked.
    fn begin(joined: Vec<u8>, room: &Room, looked_at: u64) -> Parts {
        let early = Offsets::after(joined.len() as u64, WAITING_MAX);
        let looked_at = looked_at + joined.len() as u64;
        let mut share = Share { room: room.clone(), bytes: 0 };
        share.set(joined.len());
        Parts { joined, early, total: None, is_done: false, share, looked_at, resume: 0 }
    }

    /// Keeps nothing but that it was there.
    fn end(&mut self) {
        let share = Share { room: self.share.room.clone(), bytes: 0 };
        *self = Parts { is_done: true, share, ..Parts::default() };
    }

    fn add(&mut self, at: usize, bytes: &[u8]) {
        self.early.take_into(at as u64, bytes, &mut self.joined);
    }

    fn is_too_much(&mut self) -> bool {
        let len = self.joined.len() + self.early.waiting();
        self.share.set(len);
        len > WAITING_MAX || self.looked_at > LOOKED_AT_MAX || self.early.was_torn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_for_the_bytes_it_wants_in_any_order() {
        let mut pdus = Pdus::default();
        pdus.begin(1, b"ab", 3, Wants::Bytes(6), 1, &Room::default());
        assert!(pdus.repeats(1, 3, 2) && !pdus.repeats(3, 5, 2));
        let pdu = pdus.find(5).expect("it was begun");
        assert!(pdu.covers(5) && pdu.covers(8) && !pdu.covers(9));
        assert_eq!(pdu.add(6, b"fgh", false, 2), Added::Waits);
        assert_eq!(pdu.add(3, b"cde", true, 3), Added::Whole(b"abcdefgh".to_vec()));
        assert_eq!(pdu.add(3, b"cde", true, 3), Added::Again);
    }

    #[test]
    fn what_the_reader_leaves_of_a_whole_message_begins_the_next() {
        let mut pdus = Pdus::default();
        pdus.begin(1, b"ab", 3, Wants::Segment, 1, &Room::default());
        let whole = match pdus.find(3).expect("it was begun").add(3, b"cdef", false, 2) {
            Added::Whole(whole) => whole,
            other => panic!("{other:?}"),
        };
        assert!(pdus.go_on(3, 7, 4, whole, Wants::Bytes(10)));
        let next = pdus.find(7).expect("the rest waits");
        assert!(next.seq == 5 && next.next == 17);
        assert_eq!(next.add(7, b"g123456789", false, 3), Added::Whole(b"efg123456789".to_vec()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut pdus = Pdus::default();
        pdus.begin(0, b"", 0, Wants::UntilFin, 1, &Room::default());
        let piece = vec![0; 1 << 16];
        let given_up = (0..200).any(|count: u32| {
            let seq = count << 16;
            pdus.find(seq).is_none_or(|pdu| pdu.add(seq, &piece, true, 2) == Added::TooLong)
        });
        assert!(given_up);
        for seq in 0..1000 {
            pdus.begin(seq * 10, b"x", seq * 10 + 1, Wants::Segment, 1, &Room::default());
        }
        assert!(pdus.known.len() <= KNOWN_MAX);
    }

    #[test]
    fn what_waits_is_counted_over_all_connections_and_given_back() {
        let (room, mut all) = (Room::default(), Vec::new());
        let message = vec![0; WAITING_MAX - 1];
        for _ in 0..ROOM / message.len() {
            let mut pdus = Pdus::default();
            pdus.begin(0, &message, 0, Wants::UntilFin, 1, &room);
            all.push(pdus);
        }
        assert!(!room.is_full());
        let mut more = Pdus::default();
        more.begin(0, &message, 0, Wants::UntilFin, 2, &room);
        assert!(room.is_full());
        let until = spare(all.iter().chain([&more]).flat_map(Pdus::waiting).collect());
        assert_eq!(until, 1, "those of the first frame have waited for longest");
        assert!(all.iter_mut().all(|pdus| pdus.give_up(until)) && !more.give_up(until));
        assert_eq!(room.0.load(Ordering::Relaxed), message.len());
        drop((all, more));
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_small_pieces_in_the_wrong_order_are_joined_at_once() {
        let mut pdus = Pdus::default();
        pdus.begin(0, b"", 0, Wants::Bytes(50_000), 1, &Room::default());
        let pdu = pdus.find(0).expect("it was begun");
        for seq in (1..50_000).rev() {
            assert_eq!(pdu.add(seq, b"x", seq < 49_999, 2), Added::Waits);
        }
        assert_eq!(pdu.add(0, b"x", true, 2), Added::Whole(vec![b'x'; 50_000]));
    }

    #[test]
    fn a_message_that_is_looked_at_too_often_is_given_up() {
        let mut pdus = Pdus::default();
        pdus.begin(0, &[0; 1000], 1000, Wants::Segment, 1, &Room::default());
        let given_up = (1u32..).map(|count| count * 1000).find(|seq| {
            let pdu = pdus.find(*seq).expect("it was begun");
            match pdu.add(*seq, &[0; 1000], false, 2) {
                Added::Whole(whole) => {
                    pdus.go_on(*seq, seq + 1000, 0, whole, Wants::Segment);
                    false
                }
                _ => true,
            }
        });
        assert!(given_up.is_some_and(|seq| seq < WAITING_MAX as u32), "{given_up:?}");
    }
}
