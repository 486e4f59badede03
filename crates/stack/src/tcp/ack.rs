//! When to acknowledge: at once, or after a short wait for company (RFC 9293 3.8.6.3, RFC 5681 4.2).

use core::net::IpAddr;
use core::time::Duration;

use thru_wire::Instant;
use thru_wire::tcp::SackBlocks;

use super::connection::{Connection, Context};
use super::rtt::nanos;
use super::{TcpConfig, seq};

/// Acknowledgements sent at once after `TCP_QUICKACK`, and after a pause of the peer.
const QUICK: u8 = 16;
/// No acknowledgement waits longer (Linux's `TCP_DELACK_MAX`); RFC 9293 3.8.6.3 would allow 500 ms.
const LONGEST: Duration = Duration::from_millis(200);

/// What is owed to the peer.
#[derive(Clone, Debug)]
pub(crate) struct AckPolicy {
    /// One must leave now.
    pub(crate) now: bool,
    /// It answers what may have come from a stranger: nothing but the numbers is told.
    pub(crate) challenge: bool,
    /// Immediate acknowledgements left.
    quick: u8,
    /// Both sides talk in turns: an acknowledgement soon finds company.
    in_turns: bool,
    /// How long to wait for company, in microseconds: adapted to the pace of the peer's data; 0 before any.
    delay: u32,
    /// When data arrived last.
    last_data: Instant,
    /// The acknowledgement last sent (Last.ACK.sent of RFC 7323).
    pub(crate) last_sent: u64,
    /// The largest payload seen: two of that size are acknowledged at once.
    largest: u64,
    /// What arrived twice, to be told once (RFC 2883).
    duplicate: Option<(u64, u64)>,
}

impl AckPolicy {
    /// With so many immediate acknowledgements in the beginning.
    pub(crate) fn with(quick: u8) -> AckPolicy {
        AckPolicy {
            now: false,
            challenge: false,
            quick,
            in_turns: false,
            delay: 0,
            last_data: Instant::START,
            last_sent: 0,
            largest: 0,
            duplicate: None,
        }
    }

    /// Data went along with an acknowledgement: the two sides talk in turns, and waiting saves segments.
    pub(crate) fn rode_on_data(&mut self) {
        self.in_turns = true;
    }

    /// The largest payload seen.
    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether what arrives is acknowledged at once.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick > 0 && !self.in_turns
    }

    /// Whether the first block to report is of what arrived twice.
    pub(crate) fn tells_duplicate(&self) -> bool {
        self.duplicate.is_some()
    }

    /// A segment brought what was known: tell which. What is yet to be told stays, and grows by what touches it.
    pub(crate) fn report_duplicate(&mut self, start: u64, end: u64) {
        self.duplicate = Some(match self.duplicate {
            Some((first, last)) if start <= last && first <= end => (first.min(start), last.max(end)),
            Some(earlier) => earlier,
            None => (start, end),
        });
        self.now = true;
    }
}

impl Connection {
    /// Payload arrived in order.
    pub(crate) fn owe_ack(&mut self, cx: &Context<'_>, len: u64, at_once: bool) {
        self.ack.largest = self.ack.largest.max(len).min(u64::from(self.options.own_mss));
        let owed = self.receive.next() - self.ack.last_sent;
        let second = cx.config.habits.every_second_segment && !self.timers.delayed_ack.is_never();
        if !cx.config.habits.every_second_segment {
            self.adapt_delay(cx);
        }
        if at_once || second || self.ack.is_quick() || owed >= 2 * self.ack.largest {
            self.ack.now = true;
        } else if self.timers.delayed_ack.is_never() {
            self.timers.delayed_ack = cx.now + self.ack_delay(cx.config);
        }
    }

    /// As Linux: the wait follows the pace at which data comes, and a peer that paused longer than a timeout may be in
    /// slow start again, where every acknowledgement counts.
    fn adapt_delay(&mut self, cx: &Context<'_>) {
        let least = nanos(cx.config.delayed_ack);
        let since = cx.now.nanos().saturating_sub(self.ack.last_data.nanos());
        self.ack.last_data = cx.now;
        let rto = self.rtt.rto_nanos(cx.config);
        let known = u64::from(self.ack.delay) * 1_000;
        let delay = if known == 0 {
            least
        } else if since <= least / 2 {
            known / 2 + least / 2
        } else if since < known {
            known / 2 + since
        } else {
            if since > rto {
                self.ack.quick = self.ack.quick.max(cx.config.habits.quick_acks);
            }
            known
        };
        self.ack.delay = (delay.min(rto) / 1_000) as u32;
    }

    /// An acknowledgement has waited in vain: twice as long next time, or, if the two sides seemed to talk in turns,
    /// they don't.
    pub(crate) fn on_delayed_ack(&mut self, cx: &mut Context<'_>) {
        self.ack.now = true;
        cx.stats.delayed_acks += 1;
        if cx.config.habits.every_second_segment {
            return;
        }
        if self.ack.in_turns {
            self.ack.in_turns = false;
            self.ack.delay = cx.config.delayed_ack.as_micros() as u32;
        } else {
            let limit = self.rtt.rto(cx.config).as_micros() as u32;
            self.ack.delay = self.ack.delay.saturating_mul(2).min(limit);
        }
    }

    /// `TCP_QUICKACK`.
    pub(crate) fn set_quick_ack(&mut self, quick: bool) {
        self.ack.in_turns = !quick;
        if quick {
            self.ack.quick = QUICK;
        }
        if quick && !self.timers.delayed_ack.is_never() {
            self.ack.now = true;
        }
    }

    /// An acknowledgement leaves, alone or with data.
    /// `again`: what went along was sent before.
    pub(crate) fn ack_sent(&mut self, with_data: bool, again: bool) {
        let next = self.receive.next();
        if with_data && (next > self.ack.last_sent || (self.ack.now && !again)) {
            self.ack.rode_on_data();
        } else if self.ack.now && self.ack.is_quick() {
            self.ack.quick = self.ack.quick.saturating_sub(1);
        }
        self.ack.now = false;
        self.ack.challenge = false;
        self.ack.last_sent = next;
        self.timers.delayed_ack = Instant::NEVER;
    }

    /// How long an acknowledgement waits for company.
    pub(crate) fn ack_delay(&self, config: &TcpConfig) -> Duration {
        let (least, adapted) = (config.delayed_ack, Duration::from_micros(u64::from(self.ack.delay)));
        if adapted <= least {
            return least;
        }
        // Whoever waits a round trip has waited long enough.
        let most = self.rtt.smoothed().map_or(LONGEST, |rtt| rtt.clamp(least, LONGEST));
        adapted.min(most)
    }

    /// The blocks to report: what arrived twice, then what arrived after a gap, newest first.
    /// `most` of them at most.
    pub(crate) fn sack_blocks(&mut self, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        if !self.options.sack {
            return blocks;
        }
        if let Some((start, end)) = self.ack.duplicate.take() {
            blocks.push(seq::wire(start), seq::wire(end));
        }
        for range in self.receive.ranges().newest() {
            if blocks.len() == most {
                break;
            }
            blocks.push(seq::wire(range.start), seq::wire(range.end));
        }
        blocks
    }

    /// Whether an acknowledgement would carry blocks, and how many bytes these would take.
    pub(crate) fn sack_bytes(&self) -> usize {
        match self.sack_count() {
            0 => 0,
            blocks => 4 + 8 * blocks,
        }
    }

    /// How many blocks an acknowledgement would carry.
    pub(crate) fn sack_count(&self) -> usize {
        if !self.options.sack {
            return 0;
        }
        // Timestamps leave room for three.
        let room = if self.options.timestamps.is_some() { 3 } else { 4 };
        (usize::from(self.ack.duplicate.is_some()) + self.receive.ranges().len()).min(room)
    }
}

/// Bytes of an IP header and a TCP header without options towards `remote`.
pub(crate) fn header_bytes(remote: IpAddr) -> usize {
    if remote.is_ipv4() { 40 } else { 60 }
}
