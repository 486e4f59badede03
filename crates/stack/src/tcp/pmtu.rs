//! Packetization layer path MTU discovery (RFC 4821, RFC 8899): when full-size segments keep vanishing and nobody says
//! why, send smaller ones, then search upwards with probes whose loss is no sign of congestion.
//!
//! Sizes are those of IP packets. What ICMP reports is in `icmp`; both limits hold.

use core::time::Duration;

use thru_wire::Instant;

use super::ack::header_bytes;
use super::connection::Connection;
use super::recovery::Phase;

/// Timeouts in a row after which the path is suspected (Linux: `tcp_retries1`).
const SUSPICIOUS: u32 = 3;
/// The payload that is tried after the first suspicion (Linux: `tcp_base_mss`), and the least one.
const BASE_PAYLOAD: u16 = 1_024;
const SMALLEST_PAYLOAD: u16 = 48;
/// The search ends when the limits are this close (Linux: `tcp_probe_threshold`).
const CLOSE_ENOUGH: u16 = 8;
/// Then it rests this long (RFC 4821 7.8, RFC 8899 5.1.1, Linux: `tcp_probe_interval`).
const REST: Duration = Duration::from_secs(600);
/// Segments that have to follow a probe, so that its loss is noticed without a timeout.
const FOLLOWERS: u64 = 4;

/// Whether paths are probed for the packets they carry, as Linux's `tcp_mtu_probing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MtuProbing {
    /// Never: only ICMP tells of a narrow path.
    #[default]
    Off,
    /// Once full-size segments were lost repeatedly.
    AfterBlackHole,
    /// From the beginning.
    Always,
}

/// What is known of the packets a path carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MtuInfo {
    /// Largest IP packet towards the peer, as the interface and ICMP say.
    pub path: u16,
    /// Largest that a probe has shown to arrive, or that is assumed to, while paths are probed.
    pub proven: Option<u16>,
    /// Smallest that is known not to arrive, less one; with `proven`, where the search stands.
    pub ceiling: Option<u16>,
    /// Probes sent.
    pub probes: u32,
    /// Probes lost.
    pub probes_lost: u32,
    /// Times full-size segments were given up.
    pub black_holes: u32,
}

/// The search of one connection.
#[derive(Clone, Debug)]
pub(crate) struct MtuSearch {
    /// What ICMP and the interface allow.
    path: u16,
    /// Packets up to here arrive; larger than `high` don't. Only while `active`.
    low: u16,
    high: u16,
    active: bool,
    /// The places of the probe on its way, and its size.
    probe: Option<(u64, u64, u16)>,
    /// When a finished search begins anew.
    rests_until: Instant,
    probes: u32,
    probes_lost: u32,
    black_holes: u32,
}

impl MtuSearch {
    pub(crate) fn new(mode: MtuProbing) -> Option<Box<MtuSearch>> {
        let search = MtuSearch {
            path: 0,
            low: 0,
            high: 0,
            active: mode == MtuProbing::Always,
            probe: None,
            rests_until: Instant::START,
            probes: 0,
            probes_lost: 0,
            black_holes: 0,
        };
        (mode != MtuProbing::Off).then(|| Box::new(search))
    }

    /// What may be sent, of `path` that the layer below allows; `header`: bytes before the payload.
    pub(crate) fn limit(&mut self, path: usize, header: u16) -> usize {
        let path = u16::try_from(path).unwrap_or(u16::MAX);
        let first = self.path == 0;
        self.path = path;
        if !self.active {
            return usize::from(path);
        }
        if first {
            (self.low, self.high) = (path.min(BASE_PAYLOAD + header), path);
        }
        self.high = self.high.min(path);
        self.low = self.low.min(path);
        usize::from(self.low)
    }

    /// Full-size segments don't arrive: assume less.
    fn give_way(&mut self, header: u16) {
        self.black_holes += 1;
        self.probe = None;
        if self.active {
            // Not even what was believed: half the payload.
            self.high = self.low.saturating_sub(1);
            self.low = (self.low.saturating_sub(header) / 2).max(SMALLEST_PAYLOAD) + header;
        } else {
            self.active = true;
            (self.low, self.high) = (self.path.min(BASE_PAYLOAD + header), self.path.saturating_sub(1));
        }
        self.high = self.high.max(self.low);
        self.rests_until = Instant::START;
    }

    /// The next size to try; halfway between what arrives and what doesn't.
    fn next_size(&mut self, now: Instant) -> Option<u16> {
        if !self.active || self.probe.is_some() {
            return None;
        }
        if self.high.saturating_sub(self.low) < CLOSE_ENOUGH {
            if self.rests_until == Instant::START {
                self.rests_until = now + REST;
            }
            if now < self.rests_until {
                return None;
            }
            // The path may have become wider (RFC 4821 7.8).
            self.rests_until = Instant::START;
            self.high = self.path;
            if self.high.saturating_sub(self.low) < CLOSE_ENOUGH {
                return None;
            }
        }
        Some(self.low + (self.high - self.low).div_ceil(2))
    }
}

impl Connection {
    pub(crate) fn mtu_info(&self) -> MtuInfo {
        let header = header_bytes(self.pair.remote.address) as u16;
        match &self.mtu_search {
            None => MtuInfo {
                // The other end may announce any size.
                path: self.options.mss.saturating_add(header + self.options.stamps_len() as u16),
                ..MtuInfo::default()
            },
            Some(search) => MtuInfo {
                path: search.path,
                proven: search.active.then_some(search.low),
                ceiling: search.active.then_some(search.high),
                probes: search.probes,
                probes_lost: search.probes_lost,
                black_holes: search.black_holes,
            },
        }
    }

    /// The handshake is done: where the path has not been told yet, it is what we announced.
    pub(crate) fn establish_mtu(&mut self) {
        if self.mtu_search.as_ref().is_some_and(|search| search.path == 0) {
            let own = usize::from(self.options.own_mss) + header_bytes(self.pair.remote.address);
            self.limit_to_mtu(own);
        }
    }

    /// The retransmission timer ran out once more. Whether smaller segments are to be tried.
    pub(crate) fn suspect_path(&mut self) {
        let header = header_bytes(self.pair.remote.address) as u16;
        let full = u32::from(self.options.mss);
        let large = self.runs.first().is_some_and(|first| first.len >= full);
        if self.recovery.retries < SUSPICIOUS || !large {
            return;
        }
        if let Some(search) = &mut self.mtu_search {
            search.give_way(header);
            self.runs.forget_probe();
        }
    }

    /// The payload of a probe that may leave now instead of a segment.
    pub(crate) fn plan_mtu_probe(&mut self, now: Instant) -> Option<u32> {
        let search = self.mtu_search.as_mut()?;
        if self.recovery.phase != Phase::Open || self.runs.lost_runs() > 0 || !self.scoreboard.is_empty() {
            return None;
        }
        let size = search.next_size(now)?;
        let header = header_bytes(self.pair.remote.address);
        let len = usize::from(size).checked_sub(header + self.options.stamps_len())? as u64;
        let mss = u64::from(self.options.mss);
        let whole = len + FOLLOWERS * mss;
        // The peer has to take it, and enough behind it (RFC 4821 7.4).
        let fits_peer = len + self.options.stamps_len() as u64 <= u64::from(self.options.peer_mss);
        let unsent = self.queue.end().saturating_sub(self.nxt);
        let window = (self.una + self.peer_window.size()).saturating_sub(self.nxt);
        let congestion = self.send_window();
        if !fits_peer || len <= mss {
            return None;
        }
        let room = congestion.saturating_sub(self.network_load());
        (unsent >= whole && window >= whole && congestion >= whole && room >= len).then_some(len as u32)
    }

    /// A probe leaves: `start` is its first place.
    pub(crate) fn mtu_probe_leaves(&mut self, start: u64, len: u32) {
        let bytes = header_bytes(self.pair.remote.address) + self.options.stamps_len() + len as usize;
        if let Some(search) = &mut self.mtu_search {
            search.probe = Some((start, start + u64::from(len), bytes as u16));
            search.probes += 1;
            self.runs.expect_probe(start);
        }
    }

    /// After an acknowledgement or a timeout: has the probe arrived, or is it lost?
    pub(crate) fn judge_mtu_probe(&mut self) {
        let Some(search) = &mut self.mtu_search else { return };
        let Some((_, end, size)) = search.probe else { return };
        if self.runs.take_probe_lost() {
            search.probe = None;
            search.probes_lost += 1;
            search.high = (size - 1).max(search.low);
        } else if self.una >= end {
            search.probe = None;
            search.low = size;
            self.runs.forget_probe();
            let path = usize::from(search.path);
            self.limit_to_mtu(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> MtuSearch {
        let mut search = *MtuSearch::new(MtuProbing::AfterBlackHole).unwrap();
        assert_eq!(search.limit(1_500, 40), 1_500);
        search
    }

    /// Searches on a path that carries `carries`; the sizes that were tried.
    fn tried(search: &mut MtuSearch, carries: u16) -> Vec<u16> {
        let mut sizes = Vec::new();
        while let Some(size) = search.next_size(Instant::from_millis(1)) {
            sizes.push(size);
            if size <= carries {
                search.low = size;
            } else {
                search.high = size - 1;
            }
        }
        sizes
    }

    #[test]
    fn nothing_is_probed_before_there_is_reason_to() {
        assert_eq!(search().next_size(Instant::START), None);
        assert!(MtuSearch::new(MtuProbing::Off).is_none());
        let mut always = MtuSearch::new(MtuProbing::Always).unwrap();
        assert_eq!(always.limit(1_500, 40), 1_064);
        assert_eq!(always.next_size(Instant::START), Some(1_282));
    }

    #[test]
    fn the_search_halves_the_distance_and_stays_below_the_truth() {
        for carries in 1_064..1_500 {
            let mut search = search();
            search.give_way(40);
            let sizes = tried(&mut search, carries);
            assert!(sizes.len() <= 7, "{carries}: {sizes:?}");
            assert!(
                search.low <= carries && carries - search.low < 2 * CLOSE_ENOUGH,
                "{carries}: {}",
                search.low
            );
        }
    }

    #[test]
    fn it_goes_down_by_halves_to_the_smallest_and_no_further() {
        let mut search = search();
        let lows: Vec<u16> = (0..8)
            .map(|_| {
                search.give_way(40);
                search.low
            })
            .collect();
        assert_eq!(lows, [1_064, 552, 296, 168, 104, 88, 88, 88]);
        assert!(search.high >= search.low);
    }

    #[test]
    fn ten_minutes_later_larger_packets_are_tried_again() {
        let mut search = search();
        search.give_way(40);
        tried(&mut search, 1_400);
        let rested = Instant::from_millis(1) + REST;
        assert_eq!(search.next_size(rested - Duration::from_nanos(1)), None);
        assert!(search.next_size(rested).is_some_and(|size| size > 1_400));
    }

    #[test]
    fn what_icmp_says_bounds_the_search() {
        let mut search = search();
        search.give_way(40);
        search.limit(1_200, 40);
        assert_eq!((search.low, search.high), (1_064, 1_200));
        search.limit(900, 40);
        assert_eq!((search.low, search.high), (900, 900));
    }
}
