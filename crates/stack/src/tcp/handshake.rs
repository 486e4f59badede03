//! The beginning: what SYNs offer and agree on, and the client's side of the three-way handshake (RFC 9293 3.5).

use thru_wire::Instant;
use thru_wire::tcp::Tcp as Header;
use thru_wire::tcp::{Flags, OptionLayout, TcpOptions, Timestamps};

use super::ack::header_bytes;
use super::connection::{Connection, Context};
use super::ecn::EcnMode;
use super::insight::TcpEventKind;
use super::receive::Receive;
use super::rtt::{syn_ack_timeout, syn_timeout};
use super::runs::Run;
use super::segment::{Segment, reset_for};
use super::{CounterOption, Path, SegmentBytes, SocketOptions, State, TcpConfig, TcpError, seq};

/// Segments smaller than this make headers the traffic: a peer can't ask for them (as Linux's `tcp_min_snd_mss`).
const SMALLEST_MSS: usize = 48;
/// What timestamps take in each segment, padding included.
pub(crate) const TIMESTAMPS_LEN: usize = 12;

/// Our SYN or SYN ACK.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Syn {
    /// It wants to leave (again).
    pub(crate) due: bool,
    /// When it left first.
    pub(crate) began: Option<Instant>,
    pub(crate) sent_at: Option<Instant>,
    pub(crate) retransmissions: u32,
}

/// What both sides agreed on; before the peer's SYN, what we offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiated {
    /// Largest payload we send, options subtracted.
    pub(crate) mss: u16,
    /// Largest payload the peer takes, as it said (RFC 6691: options not subtracted).
    pub(crate) peer_mss: u16,
    /// Largest payload we announced to take: what the interface takes (RFC 9293 3.7.1), whatever the path does.
    pub(crate) own_mss: u16,
    /// Largest payload that fitted the path when the connection began, options not subtracted.
    pub(crate) path_mss: u16,
    /// Shifts of our and the peer's window.
    pub(crate) scale: Option<(u8, u8)>,
    pub(crate) sack: bool,
    pub(crate) timestamps: Option<TimestampState>,
    /// What we ask for or agreed on, and how the peer's SYN arrived.
    pub(crate) ecn: EcnMode,
    pub(crate) syn_arrived: u8,
    /// See [`Habits::accurate_ecn_marks_all`](super::Habits) and its neighbour.
    pub(crate) marks_all: bool,
    /// See above.
    pub(crate) ect1_first: bool,
    /// See [`Habits::accurate_ecn_option`](super::Habits).
    pub(crate) counters: CounterOption,
    /// A repetition of the peer's SYN came without what the first had asked for: the path may write into it.
    pub(crate) plain_syn: bool,
    /// See [`Habits::ecn_syn_repeats`](super::Habits).
    pub(crate) ecn_syn_repeats: u8,
    /// Whether our SYN tells `own_mss`.
    pub(crate) tells_mss: bool,
    /// In which order our SYN writes all that.
    pub(crate) layout: OptionLayout,
}

/// RFC 7323 4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimestampState {
    /// Added to the millisecond clock.
    pub(crate) offset: u32,
    /// The peer's value to echo (TS.Recent), and when it arrived.
    pub(crate) recent: u32,
    pub(crate) recent_at: Instant,
}

impl TimestampState {
    /// Our clock: milliseconds.
    pub(crate) fn value(&self, now: Instant) -> u32 {
        ((now.nanos() / 1_000_000) as u32).wrapping_add(self.offset)
    }
}

impl Negotiated {
    /// What we offer towards `remote`, to which `path` leads.
    pub(crate) fn offer(
        config: &TcpConfig,
        settings: &SocketOptions,
        remote: core::net::IpAddr,
        path: &dyn Path,
        offset: u32,
    ) -> Negotiated {
        let payload = |mtu: usize| mtu.saturating_sub(header_bytes(remote)).clamp(1, usize::from(u16::MAX));
        let own = payload(path.link_mtu(remote));
        let own_mss =
            settings.mss_limit.map_or(own as u16, |limit| limit.max(SMALLEST_MSS as u16).min(own as u16));
        let path_mss = own_mss.min(payload(path.mtu(remote)) as u16);
        let rich = !settings.no_options;
        Negotiated {
            mss: path_mss,
            peer_mss: own_mss,
            own_mss,
            path_mss,
            scale: (rich && config.window_scaling).then(|| (shift(settings.largest_window(config)), 0)),
            sack: rich && config.sack,
            timestamps: (rich && config.timestamps).then_some(TimestampState {
                offset,
                recent: 0,
                recent_at: Instant::START,
            }),
            ecn: EcnMode::wanted(config),
            syn_arrived: 0,
            marks_all: config.habits.accurate_ecn_marks_all,
            ect1_first: config.habits.ect1_first,
            counters: config.habits.accurate_ecn_option,
            plain_syn: false,
            ecn_syn_repeats: config.habits.ecn_syn_repeats,
            tells_mss: rich,
            layout: config.option_layout,
        }
    }

    /// What remains after the peer's SYN.
    pub(crate) fn agree(&mut self, theirs: &TcpOptions, remote: core::net::IpAddr, now: Instant) {
        // RFC 9293 3.7.1: what a peer takes that does not say.
        let silent = if remote.is_ipv4() { 536 } else { 1_220 };
        self.peer_mss = theirs.mss.unwrap_or(silent).max(SMALLEST_MSS as u16);
        self.scale = self.scale.zip(theirs.window_scale).map(|((own, _), peer)| (own, peer.min(14)));
        self.sack &= theirs.sack_permitted;
        self.timestamps = self.timestamps.zip(theirs.timestamps).map(|(ours, theirs)| TimestampState {
            recent: theirs.value,
            recent_at: now,
            ..ours
        });
        self.limit_mss(usize::from(self.path_mss));
    }

    /// The largest payload to send, if no more than `most` (before options) fits the path. Whether it changed.
    pub(crate) fn limit_mss(&mut self, most: usize) -> bool {
        let options = self.stamps_len();
        let most = most.min(usize::from(self.peer_mss)).min(usize::from(self.own_mss)).max(SMALLEST_MSS);
        let mss = (most - options) as u16;
        let changed = mss != self.mss;
        self.mss = mss;
        changed
    }

    /// Largest payload of a segment, options not subtracted.
    pub(crate) fn largest(&self) -> u16 {
        self.peer_mss.min(self.own_mss)
    }

    /// Bytes of options in each segment.
    pub(crate) fn stamps_len(&self) -> usize {
        if self.timestamps.is_some() { TIMESTAMPS_LEN } else { 0 }
    }

    /// The options of a SYN; a SYN ACK repeats only what the peer offered.
    pub(crate) fn syn_options(&self, now: Instant) -> TcpOptions {
        TcpOptions {
            mss: self.tells_mss.then_some(self.own_mss),
            window_scale: self.scale.map(|(own, _)| own),
            sack_permitted: self.sack,
            timestamps: self
                .timestamps
                .map(|state| Timestamps { value: state.value(now), echo: state.recent }),
            layout: self.layout,
            ..TcpOptions::default()
        }
    }
}

/// The smallest shift with which 16 bits can tell of the whole buffer.
fn shift(buffer: usize) -> u8 {
    (0..14).find(|shift| 65_535 << shift >= buffer).unwrap_or(14)
}

impl Connection {
    /// RFC 9293 3.10.1: an active open.
    pub(crate) fn open(&mut self, cx: &Context<'_>) {
        self.active = true;
        self.syn.due = self.fast_open.as_ref().is_none_or(|opening| !opening.waits);
        self.last_received = cx.now;
        self.set_state(cx.now, State::SynSent);
    }

    /// RFC 9293 3.10.7.3: a segment in SYN-SENT.
    pub(crate) fn on_segment_in_syn_sent(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        let flags = segment.flags();
        let ack = seq::place(self.nxt, segment.header.ack);
        if flags.ack() && !flags.rst() && cx.config.habits.syn_ack_must_echo && !self.is_our_echo(segment) {
            cx.stats.paws_drops += 1;
            cx.out.extend(reset_for(cx.spare, segment));
            return;
        }
        if flags.ack() && (ack <= self.iss || ack > self.nxt) {
            cx.out.extend(reset_for(cx.spare, segment));
            return;
        }
        if flags.rst() {
            if flags.ack() {
                self.insight.rare.reset_ttl = Some(segment.ttl);
                self.end(cx, Some(TcpError::Refused));
            }
            return;
        }
        if !flags.syn() {
            return;
        }
        self.hear_user_timeout(cx, segment);
        self.meet_peer(cx, segment);
        self.options.syn_arrived = segment.ecn;
        if flags.ack() {
            self.options.ecn = self.options.ecn.agreed(flags, cx.config);
            self.una = ack;
            self.fast_open_answered(cx, segment, ack);
            self.send_syn_data_again(cx, ack);
            self.queue.acknowledge(ack, cx.spare);
            self.insight.bytes_acked += ack - (self.iss + 1);
            if let (Some(sent_at), 0) = (self.syn.sent_at, self.syn.retransmissions) {
                self.rtt.sample(segment.at.since(sent_at));
            } else {
                self.rtt.syn_was_lost();
                self.sample_timestamps(segment);
            }
            self.establish(cx, segment);
            self.ack.now = true;
            self.on_payload(cx, segment, self.irs + 1);
        } else {
            // Both sides called at once (RFC 9293 3.5 figure 8).
            let sent = self.fast_open.as_ref().map_or(0, |opening| u64::from(opening.sent));
            self.nxt = self.iss + 1 + sent;
            if self.options.ecn != EcnMode::Off || cx.config.habits.crossing_syn_may_ask {
                self.options.ecn = EcnMode::answer(cx.config, flags);
            }
            self.fast_open = None;
            self.set_state(cx.now, State::SynReceived);
            self.syn.due = true;
        }
    }

    /// What a SYN took along and the peer did not take leaves again at once: no congestion, the peer was not ready.
    fn send_syn_data_again(&mut self, cx: &mut Context<'_>, ack: u64) {
        let sent = self.fast_open.as_ref().map_or(0, |opening| u64::from(opening.sent));
        let end = self.iss + 1 + sent;
        if ack >= end {
            self.nxt = ack;
            return;
        }
        self.nxt = ack;
        let left = self.syn.sent_at.unwrap_or(cx.now);
        let run = Run { sent_at: left, pushed: true, ..self.stamp(cx.now, ack, (end - ack) as u32) };
        self.runs.take_room(cx.spare);
        self.runs.push(run);
        self.runs.lose_longer_than(0);
        self.nxt = end;
    }

    /// Whether a SYN ACK without timestamps came, or one whose timestamp echoes a SYN of ours.
    fn is_our_echo(&self, segment: &Segment) -> bool {
        let Some((state, theirs)) = self.options.timestamps.zip(segment.header.options.timestamps) else {
            return true;
        };
        let began = state.value(self.syn.began.unwrap_or(segment.at));
        let since = state.value(segment.at).wrapping_sub(began);
        theirs.echo == 0 || theirs.echo.wrapping_sub(began) <= since
    }

    /// Takes in the peer's SYN.
    pub(crate) fn meet_peer(&mut self, cx: &Context<'_>, segment: &Segment) {
        self.irs = seq::initial(segment.header.seq);
        self.ack.last_sent = self.irs + 1;
        self.options.agree(&segment.header.options, self.pair.remote.address, segment.at);
        let limit = cx.config.habits.receive_limit(self.receive.limit(), self.options.largest());
        self.receive = Receive::new(self.irs + 1, limit);
        self.congestion.on_mss(u64::from(self.options.mss));
        let ack = if segment.flags().ack() { seq::place(self.nxt, segment.header.ack) } else { self.iss };
        self.peer_window.begin(self.segment_window(segment), self.irs, ack);
        // Now that both sides' scaling is known, what we announced in our SYN means an edge.
        self.announce_window(true);
    }

    /// Our SYN is acknowledged and theirs known.
    pub(crate) fn establish(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        self.timers.retransmit = Instant::NEVER;
        if !self.runs.is_empty() {
            // Answers that left before the handshake was done.
            self.timers.retransmit = cx.now + self.rtt.rto(cx.config);
        }
        self.syn.due = false;
        self.last_received = segment.at;
        self.insight.last_data_received = segment.at;
        self.insight.segments_delivered += 1;
        self.establish_ecn(cx, segment);
        self.establish_mtu();
        self.congestion.on_established(segment.at, self.rtt.smoothed(), self.options.sack);
        self.set_state(cx.now, if self.closing { State::FinWait1 } else { State::Established });
        if self.settings.keepalive {
            self.timers.keepalive = cx.now + self.settings.keepalive_idle;
        }
        self.wake_all(cx);
    }

    /// The SYN or SYN ACK was not answered in time.
    pub(crate) fn on_syn_timeout(&mut self, cx: &mut Context<'_>) {
        let most = match self.state {
            State::SynSent => {
                let linear = cx.config.habits.syn_linear_timeouts;
                self.settings.syn_retries.unwrap_or(cx.config.syn_retries + linear)
            }
            _ => cx.config.syn_ack_retries,
        };
        let rto = self.syn_rto(cx.config);
        self.insight.rare.timeouts += 1;
        self.insight.record(cx.now, TcpEventKind::Timeout { rto });
        let limit = self.settings.connect_timeout.filter(|_| self.active);
        let late = limit.zip(self.syn.began).is_some_and(|(limit, began)| cx.now.since(began) >= limit);
        if late || self.syn.retransmissions >= most {
            let icmp = self.last_icmp.as_deref().cloned();
            self.end(cx, Some(TcpError::TimedOut { icmp }));
            return;
        }
        self.syn.retransmissions += 1;
        if cx.config.habits.syn_plain_after.is_some_and(|after| self.syn.retransmissions > after) {
            (self.options.scale, self.options.sack, self.options.timestamps) = (None, false, None);
        }
        self.syn.due = true;
    }

    /// How long the SYN that was sent last waits for an answer.
    pub(crate) fn syn_rto(&self, config: &TcpConfig) -> core::time::Duration {
        match self.state {
            State::SynSent => syn_timeout(self.syn.retransmissions, config),
            _ => syn_ack_timeout(self.syn.retransmissions, config),
        }
    }

    /// The SYN or SYN ACK, now.
    pub(crate) fn build_syn(&mut self, cx: &mut Context<'_>) -> super::SegmentOut {
        let (now, config) = (cx.now, cx.config);
        let again = self.syn.sent_at.is_some();
        let flags = if self.state == State::SynSent { Flags::SYN } else { Flags::SYN | Flags::ACK };
        self.syn.due = false;
        if again && !(self.state == State::SynReceived && self.syn.retransmissions == 0) {
            self.insight.rare.retransmissions += 1;
            self.insight.rare.syn_retransmissions += 1;
        }
        self.syn.sent_at = Some(now);
        let began = *self.syn.began.get_or_insert(now);
        self.nxt = self.nxt.max(self.iss + 1);
        self.timers.retransmit = now + self.syn_rto(config);
        if let Some(limit) = self.settings.connect_timeout.filter(|_| self.active) {
            self.timers.retransmit = self.timers.retransmit.min(began + limit);
        }
        self.last_sent = now;
        let mut options = self.options.syn_options(now);
        self.add_fast_open(&mut options);
        let len = self.fast_open_payload(again, &options, config);
        self.nxt = self.nxt.max(self.iss + 1 + u64::from(len));
        self.insight.bytes_sent += u64::from(len);
        let buffer = cx.spare.take(SegmentBytes::HEADROOM + Header::MAX_LEN + len as usize);
        self.build(buffer, now, flags, self.iss, len, again)
    }
}
