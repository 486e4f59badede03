//! When to acknowledge: at once, or after a short wait for company (RFC 9293 3.8.6.3, RFC 5681 4.2).

use core::net::IpAddr;

use thru_wire::tcp::SackBlocks;

use super::connection::{Connection, Context};
use super::{TcpConfig, seq};

/// Acknowledgements sent at once after `TCP_QUICKACK`.
const QUICK: u8 = 16;

/// What is owed to the peer.
#[derive(Clone, Debug)]
pub(crate) struct AckPolicy {
    /// One must leave now.
    pub(crate) now: bool,
    /// It answers what may have come from a stranger: nothing but the numbers is told.
    pub(crate) challenge: bool,
    /// Immediate acknowledgements left.
    quick: u8,
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
        AckPolicy { now: false, challenge: false, quick, last_sent: 0, largest: 0, duplicate: None }
    }

    /// Data went along with an acknowledgement: the two sides talk in turns, and waiting saves segments.
    pub(crate) fn rode_on_data(&mut self) {
        self.quick = 0;
    }

    /// The largest payload seen.
    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether what arrives is acknowledged at once.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick > 0
    }

    /// A segment brought what was known: tell which.
    pub(crate) fn report_duplicate(&mut self, start: u64, end: u64) {
        self.duplicate = Some((start, end));
        self.now = true;
    }
}

impl Connection {
    /// Payload arrived in order.
    pub(crate) fn owe_ack(&mut self, cx: &Context<'_>, len: u64, at_once: bool) {
        self.ack.largest = self.ack.largest.max(len).min(u64::from(self.options.own_mss));
        let owed = self.receive.next() - self.ack.last_sent;
        let second = cx.config.habits.every_second_segment && !self.timers.delayed_ack.is_never();
        if at_once || second || self.ack.quick > 0 || owed >= 2 * self.ack.largest {
            self.ack.now = true;
        } else if self.timers.delayed_ack.is_never() {
            self.timers.delayed_ack = cx.now + cx.config.delayed_ack;
        }
    }

    /// `TCP_QUICKACK`.
    pub(crate) fn set_quick_ack(&mut self, quick: bool) {
        self.ack.quick = if quick { QUICK } else { 0 };
        if quick && !self.timers.delayed_ack.is_never() {
            self.ack.now = true;
        }
    }

    /// An acknowledgement leaves, alone or with data.
    pub(crate) fn ack_sent(&mut self, with_data: bool) {
        let next = self.receive.next();
        if with_data && next > self.ack.last_sent {
            self.ack.rode_on_data();
        } else if self.ack.now {
            self.ack.quick = self.ack.quick.saturating_sub(1);
        }
        self.ack.now = false;
        self.ack.challenge = false;
        self.ack.last_sent = next;
        self.timers.delayed_ack = thru_wire::Instant::NEVER;
    }

    /// How long an acknowledgement waits for company.
    pub(crate) fn ack_delay(&self, config: &TcpConfig) -> core::time::Duration {
        config.delayed_ack
    }

    /// The blocks to report: what arrived twice, then what arrived after a gap, newest first.
    pub(crate) fn sack_blocks(&mut self) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        if !self.options.sack {
            return blocks;
        }
        // Timestamps leave room for three.
        let room = if self.options.timestamps.is_some() { 3 } else { 4 };
        if let Some((start, end)) = self.ack.duplicate.take() {
            blocks.push(seq::wire(start), seq::wire(end));
        }
        for range in self.receive.ranges().newest() {
            if blocks.len() == room {
                break;
            }
            blocks.push(seq::wire(range.start), seq::wire(range.end));
        }
        blocks
    }

    /// Whether an acknowledgement would carry blocks, and how many bytes these would take.
    pub(crate) fn sack_bytes(&self) -> usize {
        if !self.options.sack {
            return 0;
        }
        let room = if self.options.timestamps.is_some() { 3 } else { 4 };
        let blocks = (usize::from(self.ack.duplicate.is_some()) + self.receive.ranges().len()).min(room);
        if blocks == 0 { 0 } else { 4 + 8 * blocks }
    }
}

/// Bytes of an IP header and a TCP header without options towards `remote`.
pub(crate) fn header_bytes(remote: IpAddr) -> usize {
    if remote.is_ipv4() { 40 } else { 60 }
}
