//! SYN cookies (RFC 4987 3.6): a SYN ACK whose number is all that is remembered of the SYN.
//!
//! The number holds the minute, an index into a table of segment sizes and 24 bits of a keyed hash over both ends,
//! the peer's number, the minute and the index; the upper byte is hidden under another keyed hash. A stranger who
//! sees no SYN ACK guesses one in 2^27. What else the peer offered is kept in the low bits of our timestamp, if it
//! sends timestamps (as Linux does); without them a connection from a cookie has neither scaling nor SACK.

use core::time::Duration;

use siphasher::sip::SipHasher24;
use thru_wire::Instant;
use thru_wire::tcp::{SeqNumber, TcpOptions};

use super::demux::Pair;
use crate::random::key;

/// Sizes a cookie can say; the peer's is rounded down to one of them.
const SIZES: [u16; 8] = [64, 536, 1_220, 1_300, 1_400, 1_440, 1_460, 8_960];
/// The minute of a cookie is this long; one of this minute or of the last is taken.
const MINUTE: Duration = Duration::from_secs(64);
/// How long a cookie can come back at most.
pub(crate) const LIFE: Duration = Duration::from_secs(128);

/// Low bits of a timestamp: the peer's shift of the window (or none), and what it permits.
const SCALE: u32 = 0xf;
const NO_SCALE: u32 = 0xf;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;
const KEPT: u32 = SCALE | SACK | ECN;

/// The keys.
#[derive(Debug)]
pub(crate) struct Cookies {
    hash: SipHasher24,
    mask: SipHasher24,
}

impl Cookies {
    pub(crate) fn new(seed: u64) -> Cookies {
        let hasher = |purpose| SipHasher24::new_with_key(&key(seed, purpose));
        Cookies { hash: hasher("tcp syn cookie"), mask: hasher("tcp syn cookie mask") }
    }

    /// Our initial number for a SYN from `pair` that begins at `irs` and takes segments of `mss`.
    pub(crate) fn make(&self, pair: &Pair, irs: SeqNumber, mss: u16, now: Instant) -> SeqNumber {
        let index = SIZES.iter().rposition(|&size| size <= mss).unwrap_or(0) as u8;
        let minute = minute(now);
        let upper = (minute as u8) << 3 | index;
        let hidden = upper ^ self.cover(pair, irs);
        SeqNumber(u32::from(hidden) << 24 | self.lower(pair, irs, minute, index))
    }

    /// The size of segments in a cookie that came back; `None`: not one of ours, or too old.
    pub(crate) fn check(&self, pair: &Pair, irs: SeqNumber, iss: SeqNumber, now: Instant) -> Option<u16> {
        let upper = (iss.0 >> 24) as u8 ^ self.cover(pair, irs);
        let (told, index) = (upper >> 3, upper & 7);
        let minute = [minute(now), minute(now).wrapping_sub(1)]
            .into_iter()
            .find(|minute| (*minute as u8) << 3 == told << 3)?;
        let same = self.lower(pair, irs, minute, index) == iss.0 & 0x00ff_ffff;
        same.then_some(SIZES[usize::from(index)])
    }

    fn lower(&self, pair: &Pair, irs: SeqNumber, minute: u64, index: u8) -> u32 {
        let mut bytes = [0; 36 + 4 + 8 + 1];
        bytes[..36].copy_from_slice(&pair.bytes());
        bytes[36..40].copy_from_slice(&irs.0.to_be_bytes());
        bytes[40..48].copy_from_slice(&minute.to_be_bytes());
        bytes[48] = index;
        self.hash.hash(&bytes) as u32 & 0x00ff_ffff
    }

    fn cover(&self, pair: &Pair, irs: SeqNumber) -> u8 {
        let mut bytes = [0; 40];
        bytes[..36].copy_from_slice(&pair.bytes());
        bytes[36..].copy_from_slice(&irs.0.to_be_bytes());
        self.mask.hash(&bytes) as u8
    }
}

fn minute(now: Instant) -> u64 {
    now.nanos() / MINUTE.as_nanos() as u64
}

/// What the timestamp of a SYN ACK can keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The peer's shift, if both sides scale.
    pub(crate) scale: Option<u8>,
    pub(crate) sack: bool,
    pub(crate) ecn: bool,
}

impl Kept {
    /// The clock value not after `clock` whose low bits hold this.
    pub(crate) fn hide_in(self, clock: u32) -> u32 {
        let scale = self.scale.map_or(NO_SCALE, |shift| u32::from(shift.min(14)));
        let bits = scale | if self.sack { SACK } else { 0 } | if self.ecn { ECN } else { 0 };
        let hidden = clock & !KEPT | bits;
        if hidden > clock { hidden.wrapping_sub(KEPT + 1) } else { hidden }
    }

    pub(crate) fn read_from(clock: u32) -> Kept {
        let scale = clock & SCALE;
        Kept {
            scale: (scale != NO_SCALE).then_some(scale as u8),
            sack: clock & SACK != 0,
            ecn: clock & ECN != 0,
        }
    }

    /// The options a SYN must have had, as far as they are known again.
    pub(crate) fn options(self, mss: u16, theirs: &TcpOptions) -> TcpOptions {
        TcpOptions {
            mss: Some(mss),
            window_scale: self.scale,
            sack_permitted: self.sack,
            timestamps: theirs.timestamps,
            ..TcpOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tcp::demux::Endpoint;

    fn pair(port: u16) -> Pair {
        Pair {
            local: Endpoint { address: "10.0.0.1".parse().unwrap(), port: 80 },
            remote: Endpoint { address: "10.0.0.2".parse().unwrap(), port },
        }
    }

    #[test]
    fn a_cookie_comes_back_for_two_minutes_at_most_and_only_from_where_it_went() {
        let cookies = Cookies::new(7);
        for (port, mss, size) in
            [(1, 1_460, 1_460), (2, 1_459, 1_440), (3, 20, 64), (4, 65_535, 8_960), (5, 536, 536)]
        {
            let start = Instant::from_millis(64_000 * 1_000 + u64::from(port) * 977);
            let irs = SeqNumber(99 * u32::from(port));
            let iss = cookies.make(&pair(port), irs, mss, start);
            assert_eq!(cookies.check(&pair(port), irs, iss, start), Some(size));
            assert_eq!(cookies.check(&pair(port), irs, iss, start + MINUTE), Some(size));
            assert_eq!(cookies.check(&pair(port), irs, iss, start + LIFE), None);
            // Its few bits of time come round again: the hash knows the whole.
            assert_eq!(cookies.check(&pair(port), irs, iss, start + MINUTE * 32), None);
            assert_eq!(cookies.check(&pair(port + 9), irs, iss, start), None);
            assert_eq!(cookies.check(&pair(port), irs + 1, iss, start), None);
            assert_eq!(Cookies::new(8).check(&pair(port), irs, iss, start), None);
        }
    }

    #[test]
    fn guesses_fail() {
        let (cookies, mut random) = (Cookies::new(7), Random::new(1, "guesses"));
        let now = Instant::from_millis(1_000_000);
        let hits = (0..1 << 20)
            .filter(|_| cookies.check(&pair(1), SeqNumber(5), SeqNumber(random.next_u32()), now).is_some());
        assert_eq!(hits.count(), 0);
    }

    #[test]
    fn a_timestamp_keeps_what_the_peer_offered_and_never_runs_ahead() {
        for clock in [64, 127, 128, 1_000_000_000, u32::MAX] {
            for scale in [None, Some(0), Some(7), Some(14)] {
                for (sack, ecn) in [(false, false), (true, false), (false, true), (true, true)] {
                    let kept = Kept { scale, sack, ecn };
                    let hidden = kept.hide_in(clock);
                    assert_eq!(Kept::read_from(hidden), kept);
                    assert!(hidden <= clock && clock - hidden < 128, "{clock} {hidden}");
                }
            }
        }
    }
}
