//! What a connection tells about itself: counters, and a bounded list of events.

use core::time::Duration;
use std::collections::VecDeque;

use thru_wire::Instant;
use thru_wire::tcp::Flags;

use super::chrono::Chrono;
use super::on_demand::{OnDemand, idle};
use super::stats::Repeated;
use super::{State, TcpError};
use crate::icmp::IcmpReport;

/// What loss recovery knows and did; the last ones are what `TCP_INFO` calls so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossInfo {
    /// Probes for a lost tail (RFC 8985 7).
    pub tail_loss_probes: u64,
    /// Recoveries and timeouts that turned out to be for nothing and were taken back.
    pub undone: u64,
    /// Whether something was seen to arrive later than what was sent after it.
    pub reordering_seen: bool,
    /// By how many segments, at least 3.
    pub reordering: u32,
    /// Segments the peer reported to have arrived twice (D-SACK), as far as retransmissions can be meant.
    pub dsack_duplicates: u64,
    /// Where loss recovery stands, as in `tcpi_ca_state`.
    pub state: RecoveryState,
    /// Segments sent and not cumulatively acknowledged, selectively acknowledged, believed lost (also when sent again since),
    /// and sent again and on their way (`tcpi_unacked`, `tcpi_sacked`, `tcpi_lost`, `tcpi_retrans`).
    pub segments_out: u64,
    /// See above.
    pub segments_sacked: u64,
    /// See above.
    pub segments_lost: u64,
    /// See above.
    pub segments_resent: u64,
    /// Timeouts in a row without progress (`tcpi_retransmits`), and doublings of the timeout (`tcpi_backoff`).
    pub retries: u32,
    /// See above.
    pub backoff: u32,
}

/// Where loss recovery stands: the states of `tcpi_ca_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryState {
    /// Nothing is missing.
    #[default]
    Open,
    /// Something arrived out of order, or was sent again; no loss is known.
    Disorder,
    /// Lost data is sent again, as acknowledgements told.
    Recovery,
    /// The same after a timeout.
    Loss,
    /// The network's marks have reduced the window; nothing is lost (`TCP_CA_CWR`).
    Reduced,
}

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpEvent {
    /// When: for segments, when they left or when their frame arrived.
    pub at: Instant,
    /// What.
    pub what: TcpEventKind,
}

/// What can happen on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpEventKind {
    /// A segment left. Sequence numbers are relative to the initial ones.
    Sent {
        /// Control bits.
        flags: Flags,
        /// Of the first byte, relative to our initial number.
        seq: u64,
        /// Acknowledgement, relative to the peer's initial number; 0 without ACK bit.
        ack: u64,
        /// Payload bytes.
        len: u32,
        /// Window in bytes, scaled.
        window: u32,
        /// Whether any of it had been sent before.
        retransmission: bool,
    },
    /// A segment arrived. Sequence numbers are relative to the initial ones.
    Received {
        /// Control bits.
        flags: Flags,
        /// Of the first byte, relative to the peer's initial number.
        seq: u64,
        /// Acknowledgement, relative to our initial number; 0 without ACK bit.
        ack: u64,
        /// Payload bytes.
        len: u32,
        /// Window in bytes, scaled.
        window: u32,
        /// TTL or hop limit on arrival.
        ttl: u8,
    },
    /// The connection changed its state.
    State(State),
    /// The retransmission timer ran out.
    Timeout {
        /// The timeout that had been waited for.
        rto: Duration,
    },
    /// Loss was noticed by acknowledgements.
    FastRecovery,
    /// A segment left to find out whether the tail was lost (RFC 8985 7).
    TailLossProbe,
    /// The recovery or timeout was for nothing, and the window is what it was before.
    Undone,
    /// The peer closed its window.
    ZeroWindow,
    /// An ICMP error about this connection was heard.
    Icmp(IcmpReport),
    /// The connection ended badly.
    Error(TcpError),
}

/// Events kept from the beginning, and the most recent ones kept beside them.
const FIRST: usize = 64;
const LAST: usize = 192;
/// Events there is room for in the beginning: those of a handshake.
const FEW: usize = 5;

/// What a connection counts and remembers about itself. No event costs memory before it happens.
#[derive(Debug, Default)]
pub(crate) struct Insight {
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
    pub(crate) segments_sent: u64,
    pub(crate) segments_received: u64,
    pub(crate) data_segments_sent: u64,
    pub(crate) data_segments_received: u64,
    /// Segments of ours known to have arrived, a SYN included.
    pub(crate) segments_delivered: u32,
    pub(crate) last_data_received: Instant,
    pub(crate) chrono: Chrono,
    pub(crate) rare: OnDemand<Rare>,
    pub(crate) fast_open: bool,
    records: bool,
    diary: Option<Box<Diary>>,
}

/// Counts of what happens to few connections.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) retransmissions: u64,
    pub(crate) bytes_retransmitted: u64,
    pub(crate) duplicate_acks_received: u64,
    pub(crate) duplicates_received: u64,
    pub(crate) out_of_order_received: u64,
    pub(crate) syn_retransmissions: u32,
    pub(crate) timeouts: u32,
    pub(crate) fast_recoveries: u32,
    pub(crate) tail_loss_probes: u32,
    pub(crate) undone: u32,
    /// Windows announced as closed, and closed ones as open again.
    pub(crate) windows_closed: u32,
    pub(crate) windows_reopened: u32,
    pub(crate) reset_ttl: Option<u8>,
}

idle!(
    Rare,
    Rare {
        retransmissions: 0,
        bytes_retransmitted: 0,
        duplicate_acks_received: 0,
        duplicates_received: 0,
        out_of_order_received: 0,
        syn_retransmissions: 0,
        timeouts: 0,
        fast_recoveries: 0,
        tail_loss_probes: 0,
        undone: 0,
        windows_closed: 0,
        windows_reopened: 0,
        reset_ttl: None,
    }
);

/// The events kept.
#[derive(Debug, Default)]
struct Diary {
    first: Vec<Stored>,
    last: OnDemand<VecDeque<Stored>>,
}

idle!(VecDeque<Stored>, VecDeque::new());

/// An event as it is kept: the rare large ones in a box.
#[derive(Clone, Debug)]
struct Stored {
    at: Instant,
    what: StoredKind,
}

#[derive(Clone, Debug)]
enum StoredKind {
    /// Relative numbers as on the wire: they are widened again, in order, when read.
    Sent {
        flags: Flags,
        seq: u32,
        ack: u32,
        len: u32,
        window: u32,
        retransmission: bool,
    },
    Received {
        flags: Flags,
        seq: u32,
        ack: u32,
        len: u32,
        window: u32,
        ttl: u8,
    },
    State(State),
    Timeout(Duration),
    FastRecovery,
    ZeroWindow,
    Rare(Box<TcpEventKind>),
}

impl Insight {
    /// `records`: whether events are kept.
    pub(crate) fn new(records: bool) -> Insight {
        Insight { records, ..Insight::default() }
    }

    pub(crate) fn repeated(&self) -> Repeated {
        Repeated {
            segments: self.rare.retransmissions,
            syns: u64::from(self.rare.syn_retransmissions),
            windows_closed: self.rare.windows_closed,
            windows_reopened: self.rare.windows_reopened,
        }
    }

    #[inline(always)]
    pub(crate) fn record(&mut self, at: Instant, what: TcpEventKind) {
        if !self.records {
            return;
        }
        // Inlined, it is known which kind it is, and nothing larger than what is kept is ever made.
        let what = match what {
            TcpEventKind::Sent { flags, seq, ack, len, window, retransmission } => {
                StoredKind::Sent { flags, seq: seq as u32, ack: ack as u32, len, window, retransmission }
            }
            TcpEventKind::Received { flags, seq, ack, len, window, ttl } => {
                StoredKind::Received { flags, seq: seq as u32, ack: ack as u32, len, window, ttl }
            }
            TcpEventKind::State(state) => StoredKind::State(state),
            TcpEventKind::Timeout { rto } => StoredKind::Timeout(rto),
            TcpEventKind::FastRecovery => StoredKind::FastRecovery,
            TcpEventKind::ZeroWindow => StoredKind::ZeroWindow,
            rare => StoredKind::Rare(Box::new(rare)),
        };
        *self.slot() = Stored { at, what };
    }

    /// The place for the next event.
    fn slot(&mut self) -> &mut Stored {
        let diary = self.diary.get_or_insert_default();
        if diary.first.len() < FIRST {
            if diary.first.len() == diary.first.capacity() {
                diary.first.reserve_exact((diary.first.len() / 2).max(FEW).min(FIRST - diary.first.len()));
            }
            return diary.first.push_mut(Stored::BLANK);
        }
        let last = &mut *diary.last;
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back_mut(Stored::BLANK)
    }

    /// Nothing happens for a while.
    pub(crate) fn rest(&mut self) {
        if let Some(diary) = &mut self.diary {
            diary.first.shrink_to_fit();
            if let Some(last) = diary.last.held() {
                last.shrink_to_fit();
            }
        }
    }

    /// Whether memory is held for events that have not happened.
    pub(crate) fn has_something_to_let_go(&self) -> bool {
        self.diary.as_ref().is_some_and(|diary| {
            diary.first.capacity() > diary.first.len() || diary.last.capacity() > diary.last.len()
        })
    }

    /// All events kept, oldest first. `sent` and `received` are how far both streams have come by now: from there
    /// the 32-bit numbers of the last events are widened backwards, those of the first ones forwards from the beginning.
    pub(crate) fn events(&self, sent: u64, received: u64) -> Vec<TcpEvent> {
        let Some(diary) = &self.diary else { return Vec::new() };
        let (mut near_sent, mut near_received) = (0, 0);
        let mut events: Vec<TcpEvent> = Vec::with_capacity(diary.first.len() + diary.last.len());
        events.extend(diary.first.iter().map(|stored| stored.widened(&mut near_sent, &mut near_received)));
        (near_sent, near_received) = (sent, received);
        events
            .extend(diary.last.iter().rev().map(|stored| stored.widened(&mut near_sent, &mut near_received)));
        events[diary.first.len()..].reverse();
        events
    }
}

impl Stored {
    /// Stands where an event is about to be written.
    const BLANK: Stored = Stored { at: Instant::START, what: StoredKind::FastRecovery };

    fn widened(&self, near_sent: &mut u64, near_received: &mut u64) -> TcpEvent {
        let what = match self.what.clone() {
            StoredKind::Sent { flags, seq, ack, len, window, retransmission } => {
                *near_sent = widen(*near_sent, seq);
                if flags.ack() {
                    *near_received = widen(*near_received, ack);
                }
                let ack = if flags.ack() { *near_received } else { 0 };
                TcpEventKind::Sent { flags, seq: *near_sent, ack, len, window, retransmission }
            }
            StoredKind::Received { flags, seq, ack, len, window, ttl } => {
                *near_received = widen(*near_received, seq);
                if flags.ack() {
                    *near_sent = widen(*near_sent, ack);
                }
                let ack = if flags.ack() { *near_sent } else { 0 };
                TcpEventKind::Received { flags, seq: *near_received, ack, len, window, ttl }
            }
            StoredKind::State(state) => TcpEventKind::State(state),
            StoredKind::Timeout(rto) => TcpEventKind::Timeout { rto },
            StoredKind::FastRecovery => TcpEventKind::FastRecovery,
            StoredKind::ZeroWindow => TcpEventKind::ZeroWindow,
            StoredKind::Rare(rare) => *rare,
        };
        TcpEvent { at: self.at, what }
    }
}

/// The number with these low 32 bits that lies nearest to `near`.
fn widen(near: u64, low: u32) -> u64 {
    near.saturating_add_signed(i64::from(low.wrapping_sub(near as u32) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(seq: u64) -> TcpEventKind {
        TcpEventKind::Sent { flags: Flags::ACK, seq, ack: 1, len: 1_000, window: 9, retransmission: false }
    }

    #[test]
    fn the_first_and_the_last_events_are_kept_with_their_true_numbers() {
        let mut insight = Insight::new(true);
        let step = 100_000_007u64;
        for index in 0..1_000 {
            insight.record(Instant::from_nanos(index), sent(index * step));
        }
        let events = insight.events(1_000 * step, 1);
        assert_eq!(events.len(), FIRST + LAST);
        let kept = (0..FIRST as u64).chain(1_000 - LAST as u64..1_000);
        for (event, index) in events.iter().zip(kept) {
            assert_eq!((event.at, &event.what), (Instant::from_nanos(index), &sent(index * step)));
        }
    }

    #[test]
    fn events_are_small_and_cost_nothing_before_they_happen() {
        assert!(size_of::<Stored>() <= 40, "{}", size_of::<Stored>());
        let insight = Insight::new(true);
        assert!(insight.diary.is_none());
        let mut silent = Insight::new(false);
        silent.record(Instant::START, sent(1));
        assert!(silent.diary.is_none());
    }
}
