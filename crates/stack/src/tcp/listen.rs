//! Listeners: half-open connections as small objects, and a queue of finished ones (RFC 9293 3.10.7.2, RFC 4987).
//!
//! Overflow is silent, as in Linux: with a full accept queue, SYNs and final acknowledgements are dropped, and the
//! peer tries again. Nothing larger than [`HalfOpen`] exists before the handshake is done.

use core::task::Waker;
use std::collections::VecDeque;
use std::sync::Arc;

use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber};

use super::connection::Connection;
use super::demux::{Endpoint, Pair};
use super::handshake::{Negotiated, Syn};
use super::insight::TcpEventKind;
use super::receive::Receive;
use super::segment::{Segment, bare};
use super::{SegmentOut, SocketOptions, State, TcpConfig, seq};
use crate::timer::TimerHandle;

/// A port with an open ear.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: Endpoint,
    pub(crate) backlog: usize,
    pub(crate) settings: Arc<SocketOptions>,
    /// Half-open connections that will land here.
    pub(crate) half_open: usize,
    /// Numbers of connections that nobody has accepted yet.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) waker: Option<Waker>,
}

impl Listener {
    /// Linux lets one more in than the backlog says.
    pub(crate) fn is_full(&self) -> bool {
        self.ready.len() > self.backlog
    }

    /// Whether one more SYN is remembered.
    pub(crate) fn takes_syn(&self) -> bool {
        !self.is_full() && self.half_open < self.backlog.max(1)
    }
}

/// Between SYN and the acknowledgement of our SYN ACK.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    pub(crate) pair: Pair,
    /// Handle of the listener.
    pub(crate) listener: u64,
    iss: SeqNumber,
    irs: SeqNumber,
    /// As on the wire, unscaled.
    window: u16,
    peer_window: u16,
    ttl: u8,
    pub(crate) retransmissions: u8,
    options: Negotiated,
    /// Arrival of the SYN, and when the SYN ACK left first and last.
    began: Instant,
    answered: Instant,
    last_sent: Instant,
    pub(crate) timer: Option<TimerHandle>,
}

/// What a segment does to a half-open connection.
#[derive(Debug)]
pub(crate) enum OnHalfOpen {
    Ignore,
    /// The SYN again: the SYN ACK may be lost.
    Repeat,
    /// It is refused, or acknowledges what we never sent.
    Reset,
    /// The peer takes it back.
    Forget,
    /// Someone who doesn't know our numbers must show that he does.
    Challenge,
    /// The handshake is done.
    Finished,
}

impl HalfOpen {
    pub(crate) fn new(
        segment: &Segment,
        listener: u64,
        iss: SeqNumber,
        mut options: Negotiated,
        config: &TcpConfig,
    ) -> HalfOpen {
        options.agree(&segment.header.options, segment.pair.remote.address, segment.at);
        HalfOpen {
            pair: segment.pair,
            listener,
            iss,
            irs: segment.header.seq,
            window: config.receive_buffer.min(usize::from(u16::MAX)) as u16,
            peer_window: segment.header.window,
            ttl: segment.ttl,
            retransmissions: 0,
            options,
            began: segment.at,
            answered: segment.at,
            last_sent: segment.at,
            timer: None,
        }
    }

    pub(crate) fn syn_ack(&mut self, now: Instant) -> SegmentOut {
        self.last_sent = now;
        let options = self.options.syn_options(now);
        bare(&self.pair, Flags::SYN | Flags::ACK, self.iss, self.irs + 1, self.window, options)
    }

    /// An acknowledgement of where we are.
    pub(crate) fn challenge(&self) -> SegmentOut {
        bare(&self.pair, Flags::ACK, self.iss + 1, self.irs + 1, self.window, Default::default())
    }

    pub(crate) fn on_segment(&self, segment: &Segment) -> OnHalfOpen {
        let header = &segment.header;
        let expected = self.irs + 1;
        if header.flags.syn() && !header.flags.ack() && header.seq == self.irs {
            return OnHalfOpen::Repeat;
        }
        if header.flags.rst() {
            return if header.seq == expected {
                OnHalfOpen::Forget
            } else if header.seq.in_window(expected, u32::from(self.window)) {
                OnHalfOpen::Challenge
            } else {
                OnHalfOpen::Ignore
            };
        }
        let old = self
            .options
            .timestamps
            .zip(header.options.timestamps)
            .is_some_and(|(state, theirs)| (theirs.value.wrapping_sub(state.recent) as i32) < 0);
        if old || !header.seq.in_window(expected, u32::from(self.window).max(1)) || header.flags.syn() {
            return OnHalfOpen::Challenge;
        }
        if !header.flags.ack() {
            return OnHalfOpen::Ignore;
        }
        if header.ack != self.iss + 1 { OnHalfOpen::Reset } else { OnHalfOpen::Finished }
    }

    /// The connection that comes out of it; the segment that finished the handshake is handed to it next.
    pub(crate) fn finish(&self, config: &TcpConfig, settings: Arc<SocketOptions>) -> Connection {
        let iss = seq::initial(self.iss);
        let mut connection = Connection::new(self.pair, iss, self.options, config, settings);
        connection.irs = seq::initial(self.irs);
        connection.receive = Receive::new(connection.irs + 1, connection.receive.limit());
        connection.ack.last_sent = connection.irs + 1;
        connection.nxt = iss + 1;
        connection.last_received = self.began;
        connection.last_sent = self.last_sent;
        let repeated = self.last_sent != self.answered;
        connection.syn = Syn {
            due: false,
            sent_at: Some(self.last_sent),
            // A SYN ACK that was repeated, for whatever reason, measures nothing (Karn).
            retransmissions: u32::from(self.retransmissions).max(u32::from(repeated)),
        };
        connection.peer_window.begin(u64::from(self.peer_window), connection.irs, iss);
        connection.announce_window(true);
        let insight = &mut connection.insight;
        insight.segments_received = 1;
        insight.segments_sent = 1 + u64::from(self.retransmissions);
        insight.syn_retransmissions = u64::from(self.retransmissions);
        insight.retransmissions = u64::from(self.retransmissions);
        insight.timeouts = u64::from(self.retransmissions);
        // Half-open objects are too small to keep a diary: the two segments they are made of are told now.
        insight.record(
            self.began,
            TcpEventKind::Received {
                flags: Flags::SYN,
                seq: 0,
                ack: 0,
                len: 0,
                window: u32::from(self.peer_window),
                ttl: self.ttl,
            },
        );
        let sent = |retransmission| TcpEventKind::Sent {
            flags: Flags::SYN | Flags::ACK,
            seq: 0,
            ack: 1,
            len: 0,
            window: u32::from(self.window),
            retransmission,
        };
        insight.record(self.answered, sent(false));
        if repeated {
            insight.record(self.last_sent, sent(true));
        }
        connection.set_state(self.began, State::SynReceived);
        connection
    }
}
