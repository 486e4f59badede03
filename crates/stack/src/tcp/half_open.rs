//! Half-open connections: small objects between a SYN and the acknowledgement of our SYN ACK (RFC 9293 3.10.7.2,
//! RFC 4987). Nothing larger exists before the handshake is done.

use std::sync::Arc;

use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber, TcpOptions};

use super::connection::Connection;
use super::cookies::Kept;
use super::demux::Pair;
use super::ecn::{EcnMode, first_counters, push_counters};
use super::handshake::{Negotiated, Syn};
use super::insight::TcpEventKind;
use super::receive::Receive;
use super::segment::{Segment, bare};
use super::{CounterOption, Habits, SegmentOut, SocketOptions, State, TcpConfig, seq};
use crate::buffers::Spare;
use crate::timer::TimerHandle;

/// Between SYN and the acknowledgement of our SYN ACK.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    pub(crate) pair: Pair,
    /// Handle of the listener.
    pub(crate) listener: u64,
    pub(crate) iss: SeqNumber,
    irs: SeqNumber,
    /// As on the wire, unscaled.
    window: u16,
    peer_window: u16,
    ttl: u8,
    pub(crate) retransmissions: u8,
    pub(crate) options: Negotiated,
    pub(crate) settings: Arc<SocketOptions>,
    /// It came back as a cookie: nobody knows when its segments left.
    cookie: bool,
    /// The handshake is done but for data that is waited for.
    pub(crate) waits_for_data: bool,
    /// A cookie to hand on in the SYN ACK (RFC 7413).
    pub(crate) fast_open: Option<[u8; 8]>,
    /// It is told in the option in which it was asked for.
    pub(crate) fast_open_experiment: bool,
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
    /// The handshake is done but for data that is waited for (`TCP_DEFER_ACCEPT`).
    Wait,
    /// The handshake is done.
    Finished,
}

impl HalfOpen {
    pub(crate) fn new(
        segment: &Segment,
        listener: u64,
        iss: SeqNumber,
        mut options: Negotiated,
        settings: Arc<SocketOptions>,
        config: &TcpConfig,
    ) -> HalfOpen {
        options.agree(&segment.header.options, segment.pair.remote.address, segment.at);
        options.ecn = EcnMode::answer(config, segment.flags());
        options.syn_arrived = segment.ecn;
        HalfOpen {
            pair: segment.pair,
            listener,
            iss,
            irs: segment.header.seq,
            window: settings.first_window(config),
            peer_window: segment.header.window,
            ttl: segment.ttl,
            retransmissions: 0,
            options,
            settings,
            cookie: false,
            waits_for_data: false,
            fast_open: None,
            fast_open_experiment: segment.header.options.extra.fast_open_is_experimental(),
            began: segment.at,
            answered: segment.at,
            last_sent: segment.at,
            timer: None,
        }
    }

    /// What a cookie and the acknowledgement that brought it back tell of a connection.
    pub(crate) fn from_cookie(
        segment: &Segment,
        listener: u64,
        iss: SeqNumber,
        (theirs, ecn): (&TcpOptions, bool),
        mut options: Negotiated,
        settings: Arc<SocketOptions>,
        config: &TcpConfig,
    ) -> HalfOpen {
        options.agree(theirs, segment.pair.remote.address, segment.at);
        let mut half_open = HalfOpen::new(segment, listener, iss, options, settings, config);
        options.ecn = EcnMode::from_cookie(config, ecn, segment.flags());
        half_open.options = options;
        half_open.irs = SeqNumber(segment.header.seq.0.wrapping_sub(1));
        half_open.cookie = true;
        half_open
    }

    /// Before a SYN ACK with a cookie: what was agreed on goes into the low bits of our timestamp.
    pub(crate) fn keep_in_timestamp(&mut self, now: Instant) {
        let kept = Kept {
            scale: self.options.scale.map(|(_, peer)| peer),
            sack: self.options.sack,
            ecn: self.options.ecn != EcnMode::Off,
        };
        match &mut self.options.timestamps {
            Some(state) => {
                let clock = state.value(now).wrapping_sub(state.offset);
                state.offset = state.offset.wrapping_sub(clock.wrapping_sub(kept.hide_in(clock)));
            }
            None => {
                (self.options.scale, self.options.sack) = (None, false);
                self.options.ecn = EcnMode::Off;
            }
        }
    }

    pub(crate) fn syn_ack(&mut self, spare: &mut Spare, now: Instant) -> SegmentOut {
        self.last_sent = now;
        let mut options = self.options.syn_options(now);
        if let Some(cookie) = &self.fast_open {
            if self.fast_open_experiment {
                options.extra.push_fast_open_experiment(cookie);
            } else {
                options.extra.push_fast_open(cookie);
            }
        }
        // A path that drops options it doesn't know gets none the second time (RFC 9768 3.2.3.2.2).
        if self.options.ecn == EcnMode::Accurate
            && now == self.answered
            && self.options.counters != CounterOption::Never
        {
            let room = 40 - options.padded_len();
            push_counters(&mut options, first_counters(self.options.ect1_first), room);
        }
        let flags = Flags::SYN
            | Flags::ACK
            | self.options.ecn.syn_ack_flags(self.options.syn_arrived, self.retransmissions.into());
        let mut segment = bare(spare, &self.pair, flags, self.iss, self.irs + 1, self.window, options);
        self.settings.mark(&mut segment);
        segment
    }

    /// Its peer has said what it has to, and is waited for: no SYN ACK needs to be repeated.
    pub(crate) fn is_waiting(&self, now: Instant) -> bool {
        self.waits_for_data && self.settings.defer_accept.is_some_and(|time| now.since(self.began) < time)
    }

    /// An acknowledgement of where we are.
    pub(crate) fn challenge(&self, spare: &mut Spare) -> SegmentOut {
        bare(spare, &self.pair, Flags::ACK, self.iss + 1, self.irs + 1, self.window, Default::default())
    }

    pub(crate) fn on_segment(&mut self, segment: &Segment, habits: &Habits) -> OnHalfOpen {
        let header = &segment.header;
        let expected = self.irs + 1;
        if header.flags.syn() && !header.flags.ack() && header.seq == self.irs {
            self.options.syn_arrived = segment.ecn;
            self.options.plain_syn |= EcnMode::answer_code(header.flags) == 0;
            return OnHalfOpen::Repeat;
        }
        if header.flags.rst() {
            let inside = header.seq.in_window(expected, u32::from(self.window));
            return if header.seq == expected || (inside && habits.reset_in_window) {
                OnHalfOpen::Forget
            } else if inside {
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
        if header.ack != self.iss + 1 {
            return OnHalfOpen::Reset;
        }
        let waits = self.settings.defer_accept.is_some_and(|time| segment.at.since(self.began) < time);
        if waits && segment.payload.is_empty() && !header.flags.fin() {
            self.waits_for_data = true;
            return OnHalfOpen::Wait;
        }
        OnHalfOpen::Finished
    }

    /// A connection that knows both sides' numbers; nothing else has happened yet.
    pub(crate) fn connection(&self, config: &TcpConfig) -> Connection {
        let iss = seq::initial(self.iss);
        let mut connection = Connection::new(self.pair, iss, self.options, config, self.settings.clone());
        connection.irs = seq::initial(self.irs);
        let limit = config.habits.receive_limit(connection.receive.limit(), self.options.largest());
        connection.receive = Receive::new(connection.irs + 1, limit);
        connection.ack.last_sent = connection.irs + 1;
        connection.nxt = iss + 1;
        connection.last_received = self.began;
        connection.last_sent = self.last_sent;
        connection.peer_window.begin(u64::from(self.peer_window), connection.irs, iss);
        connection.announce_window(true);
        connection
    }

    /// The connection that comes out of it; the segment that finished the handshake is handed to it next.
    pub(crate) fn finish(&self, config: &TcpConfig) -> Connection {
        let mut connection = self.connection(config);
        let repeated = self.last_sent != self.answered;
        connection.syn = Syn {
            due: false,
            began: None,
            sent_at: (!self.cookie).then_some(self.last_sent),
            // A SYN ACK that was repeated, for whatever reason, measures nothing (Karn).
            retransmissions: u32::from(self.retransmissions).max(u32::from(repeated)),
        };
        if self.cookie {
            connection.set_state(self.began, State::SynReceived);
            return connection;
        }
        let insight = &mut connection.insight;
        insight.segments_received = 1;
        insight.segments_sent = 1 + u64::from(self.retransmissions);
        if self.retransmissions > 0 {
            insight.rare.syn_retransmissions = u32::from(self.retransmissions);
            insight.rare.retransmissions = u64::from(self.retransmissions);
            insight.rare.timeouts = u32::from(self.retransmissions);
        }
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
