//! Putting IP fragments together (RFC 791, 8200, 5722), in bounded memory.

use super::table::Recent;
use std::net::IpAddr;

/// So many packets may wait for their fragments.
const WAITING_MAX: usize = 256;
/// A packet in so many pieces is an attack.
const PIECES_MAX: usize = 1024;
/// An IP packet's payload is not longer.
const BYTES_MAX: usize = 65_535;
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
    /// Numbers of the frames it came in, in the order of arrival.
    pub(crate) frames: Vec<u64>,
    /// Fragments lay over each other. The first to come is kept.
    pub(crate) overlaps: bool,
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
    /// Known when the last fragment is there.
    total: Option<usize>,
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
        let key = (src, dst, fragment.id, fragment.protocol);
        let fresh = || Pieces { pieces: Vec::new(), total: None, since: time };
        let packet = self.waiting.entry(key, fresh);
        if time.saturating_sub(packet.since) > PATIENCE || packet.pieces.len() >= PIECES_MAX {
            *packet = fresh();
        }
        if !fragment.more {
            packet.total = Some(end);
        }
        packet.pieces.push((fragment.offset, bytes.to_vec(), frame));
        match packet.whole() {
            Some(whole) => {
                self.waiting.remove(&key);
                Outcome::Whole(whole)
            }
            None => Outcome::Waiting,
        }
    }
}

impl Pieces {
    fn whole(&self) -> Option<Whole> {
        let total = self.total?;
        let have: usize = self.pieces.iter().map(|(_, bytes, _)| bytes.len()).sum();
        if have < total {
            return None;
        }
        let mut bytes = vec![0; total];
        let mut filled = vec![false; total];
        let mut overlaps = false;
        for (start, piece, _) in &self.pieces {
            for (at, byte) in (*start..total).zip(piece) {
                if filled[at] {
                    overlaps = true;
                } else {
                    (bytes[at], filled[at]) = (*byte, true);
                }
            }
        }
        let frames = self.pieces.iter().map(|(_, _, frame)| *frame).collect();
        filled.iter().all(|filled| *filled).then_some(Whole { bytes, frames, overlaps })
    }
}
