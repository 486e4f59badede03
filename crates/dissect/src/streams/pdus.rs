//! Messages that span segments, by Wireshark's rules: a reader that finds a message unfinished says how much more it
//! wants, and segments are kept until that much is there. Segments are read as they were captured; what lies behind a
//! gap is read at once, as the beginning of something.
//!
//! Numbers are relative to the connection's first, as they are there: a stream of more than 4 GiB wraps.

/// What waits may be this long: a message is rarely longer, and an attacker must not fill the memory.
const WAITING_MAX: usize = 4 << 20;
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
    /// Pieces behind a gap: where they belong in the message.
    early: Vec<(usize, Vec<u8>)>,
    /// How long it is.
    total: Option<usize>,
    is_done: bool,
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
    pub(crate) fn begin(&mut self, seq: u32, bytes: &[u8], next: u32, wants: Wants, frame: u64) {
        let (end, entire) = match wants {
            Wants::Segment => (next.wrapping_add(1), true),
            Wants::Bytes(count) => (next.wrapping_add(count), false),
            Wants::UntilFin => (next.wrapping_add(UNTIL_FIN), false),
        };
        self.until_fin |= wants == Wants::UntilFin;
        let parts = Parts { joined: bytes.to_vec(), ..Parts::default() };
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
        if splits {
            pdu.next = start;
            pdu.parts = Parts { is_done: true, ..Parts::default() };
            let rest = whole.get(used..).unwrap_or_default();
            let parts = Parts { joined: rest.to_vec(), ..Parts::default() };
            self.insert(Pdu { seq: start, next, entire, last_frame, parts });
        } else {
            (pdu.next, pdu.entire) = (next, entire);
            pdu.parts = Parts { joined: whole, ..Parts::default() };
        }
        splits
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
        if parts.len() > WAITING_MAX {
            *parts = Parts { is_done: true, ..Parts::default() };
            return Added::TooLong;
        }
        match parts.total {
            Some(total) if parts.joined.len() >= total => {
                let mut whole = std::mem::take(&mut parts.joined);
                whole.truncate(total);
                *parts = Parts { is_done: true, ..Parts::default() };
                Added::Whole(whole)
            }
            _ => Added::Waits,
        }
    }
}

impl Parts {
    fn len(&self) -> usize {
        self.joined.len() + self.early.iter().map(|(_, bytes)| bytes.len() + 48).sum::<usize>()
    }

    fn add(&mut self, at: usize, bytes: &[u8]) {
        if at > self.joined.len() {
            return self.early.push((at, bytes.to_vec()));
        }
        self.append(at, bytes);
        while let Some(place) = self.early.iter().position(|(at, _)| *at <= self.joined.len()) {
            let (at, bytes) = self.early.swap_remove(place);
            self.append(at, &bytes);
        }
    }

    fn append(&mut self, at: usize, bytes: &[u8]) {
        let known = self.joined.len() - at;
        self.joined.extend_from_slice(bytes.get(known..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_for_the_bytes_it_wants_in_any_order() {
        let mut pdus = Pdus::default();
        pdus.begin(1, b"ab", 3, Wants::Bytes(6), 1);
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
        pdus.begin(1, b"ab", 3, Wants::Segment, 1);
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
        pdus.begin(0, b"", 0, Wants::UntilFin, 1);
        let piece = vec![0; 1 << 16];
        let given_up = (0..200).any(|count: u32| {
            let seq = count << 16;
            pdus.find(seq).is_none_or(|pdu| pdu.add(seq, &piece, true, 2) == Added::TooLong)
        });
        assert!(given_up);
        for seq in 0..1000 {
            pdus.begin(seq * 10, b"x", seq * 10 + 1, Wants::Segment, 1);
        }
        assert!(pdus.known.len() <= KNOWN_MAX);
    }
}
