//! What leaves next: lost data first, then new data within both windows, then a bare acknowledgement.

use bytes::BytesMut;
use thru_wire::Instant;
use thru_wire::tcp::{Flags, Tcp as Header, TcpOptions, Timestamps};

use super::chrono::Waiting;
use super::congestion::Sent;
use super::connection::{Connection, Context};
use super::ecn::{ECT0, EcnMode};
use super::insight::TcpEventKind;
use super::recovery::Phase;
use super::runs::{Fate, Run};
use super::segment::{emit, emit_train};
use super::{SegmentBytes, SegmentOut, State, TcpConfig, Together, pacing, seq};
use crate::buffers::Spare;
use crate::offload::Train;

/// What a connection would send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// SYN or SYN ACK.
    Syn,
    /// The lost run at `start`, `len` of it.
    Again {
        start: u64,
        len: u32,
    },
    /// Payload never sent before, and perhaps the FIN.
    New {
        len: u32,
        fin: bool,
    },
    /// The last segment again, or the next one, to provoke an acknowledgement.
    TailProbe {
        start: u64,
        len: u32,
    },
    /// A segment the peer can only answer: for a closed window or a silent peer.
    Probe,
    /// A bare acknowledgement.
    Ack,
    Nothing,
}

/// Why no new data leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum New {
    Send {
        len: u64,
        fin: bool,
    },
    /// There is none, or it waits for company (Nagle).
    Idle,
    /// The peer's window is closed or too small to be used.
    PeerWindow,
    /// The congestion window is full.
    Congestion,
}

impl Connection {
    /// The next segment, if one is due.
    pub(crate) fn transmit(&mut self, cx: &mut Context<'_>) -> Option<SegmentOut> {
        if self.marks.is_some() {
            self.options.counters = cx.config.habits.accurate_ecn_option;
        }
        match self.plan(cx) {
            Plan::Syn => Some(self.build_syn(cx)),
            Plan::Again { start, len } => Some(self.send_again(cx, start, len)),
            Plan::New { len, fin } => Some(self.send_new(cx, len, fin)),
            Plan::TailProbe { start, len } => Some(self.send_tail_probe(cx, start, len)),
            Plan::Probe => {
                self.probe.due = false;
                // RFC 9293 3.8.6.1 asks for a byte of new data; a number already acknowledged provokes the same answer
                // and needs no repair if it is lost. Linux does the same.
                Some(self.build_bare(cx.spare, cx.now, Flags::ACK, self.una - 1))
            }
            Plan::Ack => {
                let buffer = cx.spare.take(SegmentBytes::HEADROOM + Header::MAX_LEN);
                let again = cx.config.habits.acks_repeat_fin
                    && self.fin_sent()
                    && !self.fin_acknowledged()
                    && !self.ack.challenge;
                let (flags, start) =
                    if again { (Flags::ACK | Flags::FIN, self.nxt - 1) } else { (Flags::ACK, self.nxt) };
                Some(self.build(buffer, cx.now, flags, start, 0, again))
            }
            Plan::Nothing => {
                self.grow_for_writer(cx);
                self.watch_peer_window(cx);
                self.note_waiting(cx.now);
                None
            }
        }
    }

    fn plan(&mut self, cx: &Context<'_>) -> Plan {
        match self.state {
            State::Closed | State::Listen | State::TimeWait => return Plan::Nothing,
            State::SynSent | State::SynReceived => {
                if self.syn.due {
                    return Plan::Syn;
                }
                // RFC 7413 3: who took data from a SYN may answer at once.
                if self.state == State::SynSent || self.fast_open.is_none() {
                    let owes = self.state == State::SynReceived && self.ack.now;
                    return if owes { Plan::Ack } else { Plan::Nothing };
                }
            }
            _ => {}
        }
        if let Some(probe) = self.plan_tail_probe() {
            return probe;
        }
        let new_first = self.recovery.new_first;
        if let Some(lost) = self.runs.next_lost().filter(|_| !new_first) {
            let len = lost.len.min(u32::from(self.options.mss) + u32::from(self.has_fin(lost)));
            let (start, fits) = (lost.start, self.network_load() + u64::from(len) <= self.send_window());
            // What lies beyond a window that has shrunk would be refused; the first byte goes all the same, as a probe.
            let allowed = start == self.una || start + u64::from(len) <= self.una + self.peer_window.size();
            let goes = allowed && (fits || self.recovery.force || self.network_load() == 0);
            if goes && self.pace_allows(cx) {
                return Plan::Again { start, len };
            }
            if !goes {
                self.note_usage(true);
            }
        } else {
            match self.new_data() {
                New::Send { len, fin } => {
                    if self.pace_allows(cx) {
                        if let Some(len) = self.plan_mtu_probe(cx.now) {
                            return Plan::New { len, fin: false };
                        }
                        return Plan::New { len: len as u32, fin };
                    }
                }
                New::Congestion => self.note_usage(true),
                New::Idle | New::PeerWindow if self.frto_found_nothing_new() => return self.plan(cx),
                New::Idle | New::PeerWindow => {
                    self.note_usage(false);
                    if self.queue.end() <= self.nxt && self.network_load() < self.congestion.window() {
                        self.delivery.app_limited(self.runs.in_flight());
                    }
                }
            }
        }
        if self.probe.due {
            return Plan::Probe;
        }
        if self.ack.now { Plan::Ack } else { Plan::Nothing }
    }

    /// Whether data may leave now; if not, the timer says when.
    fn pace_allows(&mut self, cx: &Context<'_>) -> bool {
        if self.pacing_rate(cx.config).is_none() {
            return true;
        }
        let departure = self.pacer.departure();
        let allows = departure <= cx.now;
        self.timers.pace = if allows { Instant::NEVER } else { departure };
        allows
    }

    /// Bytes per second at which data leaves now; `None`: as windows allow.
    pub(crate) fn pacing_rate(&self, config: &TcpConfig) -> Option<u64> {
        match self.congestion.pacing_rate() {
            None if config.pacing => pacing::rate_of_window(self.congestion.as_ref(), &self.rtt),
            rate => rate,
        }
    }

    /// Tells the pacer of `len` bytes that leave.
    fn pace(&mut self, cx: &Context<'_>, len: u32) {
        if let Some(rate) = self.pacing_rate(cx.config) {
            let mss = u64::from(self.options.mss);
            let quantum = match self.congestion.send_quantum() {
                u64::MAX => pacing::quantum_of_rate(rate, mss),
                quantum => quantum,
            };
            self.pacer.sent(cx.now, u64::from(len), rate, quantum);
        }
    }

    /// RFC 8985 7.3: the probe of the tail carries new data if the peer's window takes it, whatever the congestion
    /// window and Nagle say; else the last segment again.
    fn plan_tail_probe(&mut self) -> Option<Plan> {
        if !self.recovery.probe.due {
            return None;
        }
        self.recovery.probe.due = false;
        let unsent = self.queue.end().saturating_sub(self.nxt);
        let len = self.within_record(self.nxt, unsent).min(self.largest_now());
        if len > 0 && self.nxt + len <= self.una + self.peer_window.size() {
            return Some(Plan::TailProbe { start: self.nxt, len: len as u32 });
        }
        let last = self.runs.last().filter(|last| last.fate != Fate::Sacked)?;
        let len = last.len.min(u32::from(self.options.mss) + u32::from(self.has_fin(last)));
        Some(Plan::TailProbe { start: last.end() - u64::from(len), len })
    }

    fn send_tail_probe(&mut self, cx: &mut Context<'_>, start: u64, len: u32) -> SegmentOut {
        let again = start < self.nxt;
        let segment = if again { self.send_again(cx, start, len) } else { self.send_new(cx, len, false) };
        self.probe_sent(cx, again);
        segment
    }

    /// Bytes in the network. Without SACK each duplicate acknowledgement says that one more segment has left it
    /// (RFC 5681 3.2 inflates the window instead, which comes to the same).
    pub(crate) fn network_load(&self) -> u64 {
        let in_flight = self.runs.in_flight();
        if self.options.sack {
            return in_flight;
        }
        let mss = u64::from(self.options.mss);
        let left = u64::from(self.recovery.duplicates) * mss;
        in_flight - left.min(in_flight.saturating_sub(mss))
    }

    fn has_fin(&self, run: &Run) -> bool {
        self.closing && run.end() == self.fin_end()
    }

    /// RFC 9293 3.7.4, in Minshall's variant: one small segment at a time; under a cork, none.
    fn waits_for_company(&self) -> bool {
        let nagle = !self.settings.nodelay && self.last_small > self.una;
        (self.settings.cork || nagle || self.holds()) && !self.probe.force_small && !self.recovery.new_first
    }

    fn new_data(&self) -> New {
        let end = self.queue.end();
        let unsent = end.saturating_sub(self.nxt);
        let fin_unsent = self.closing && !self.fin_sent();
        if unsent == 0 && !fin_unsent {
            return New::Idle;
        }
        let mss = self.largest_now();
        // While our SYN is out, the window counts from after it.
        let edge = self.una.max(self.iss + 1) + self.peer_window.size();
        let window = edge.saturating_sub(self.nxt);
        let together = self.within_record(self.nxt, unsent);
        let mut len = together.min(mss);
        let mut fin = fin_unsent && len == unsent;
        if len + u64::from(fin) > window {
            // RFC 9293 3.8.6.2.1: a piece of the window is used only if it isn't silly.
            let whole = len.min(window);
            let silly = whole < mss && 2 * whole < self.peer_window.max();
            if whole == 0 || (silly && !self.probe.force_small) {
                return New::PeerWindow;
            }
            len = whole;
            fin = false;
        } else if len < mss && !fin && together == unsent && self.waits_for_company() {
            return New::Idle;
        }
        let load = self.network_load();
        if load > 0 && load + len > self.send_window() {
            return New::Congestion;
        }
        New::Send { len, fin }
    }

    /// The largest payload of a segment that leaves now: blocks to report take room in it.
    fn largest_now(&self) -> u64 {
        let taken = self.sack_bytes() + self.counter_bytes();
        u64::from(self.options.mss).saturating_sub(taken as u64).max(1)
    }

    fn send_new(&mut self, cx: &mut Context<'_>, len: u32, fin: bool) -> SegmentOut {
        let start = self.nxt;
        if len > u32::from(self.options.mss) {
            self.mtu_probe_leaves(start, len);
        }
        self.note_new(cx, len, fin);
        let whole = if fin { len } else { self.lengthen(cx, start, len) };
        let end = start + u64::from(whole);
        let push = self.ends_write(end);
        self.is_train = whole > len;
        let segment = self.build_payload(cx, start, whole, fin, push, false);
        self.is_train = false;
        segment
    }

    /// A segment of `len` bytes has left from `start` on: how many leave with it, since they would leave now anyway, one
    /// after the other. Asking the plan for each keeps a train to what segments alone may do.
    fn lengthen(&mut self, cx: &mut Context<'_>, start: u64, len: u32) -> u32 {
        let Some((path, alone)) = cx.together else { return len };
        if len != u32::from(self.options.mss)
            || self.sack_bytes() > 0
            || self.queue.end() - self.nxt < len.into()
        {
            return len;
        }
        let Together { most, in_turns } = path.together(self.pair.remote.address);
        if in_turns && !alone {
            return len;
        }
        let most = self.queue.shareable(start).min(most);
        let mut total = len;
        while (total + len) as usize <= most && self.goes_on(cx, len) {
            self.pace(cx, len);
            self.note_next(cx, len);
            total += len;
        }
        if total > len {
            self.arm_after_new(cx, false);
        }
        total
    }

    /// Whether the plan is to send as much again, right after the same: asked for each segment of a train, so that what
    /// can't have changed since the first is not asked again.
    fn goes_on(&mut self, cx: &Context<'_>, len: u32) -> bool {
        let smooth = self.recovery.phase == Phase::Open
            && !self.recovery.probe.due
            && self.runs.lost_runs() == 0
            && self.mtu_search.is_none();
        if !smooth {
            return self.plan(cx) == Plan::New { len, fin: false };
        }
        self.new_data() == New::Send { len: len.into(), fin: false } && self.pace_allows(cx)
    }

    /// Remembers that new data leaves.
    fn note_new(&mut self, cx: &mut Context<'_>, len: u32, fin: bool) {
        let nothing_in_flight = self.runs.in_flight() == 0;
        if nothing_in_flight
            && cx.now.since(self.last_sent) > self.rtt.rto(cx.config)
            && cx.config.habits.slow_start_after_idle
        {
            self.congestion.on_idle(cx.now);
        }
        self.runs.take_room(cx.spare);
        let alone = self.runs.is_empty();
        self.pace(cx, len);
        self.note_next(cx, len + u32::from(fin));
        if u64::from(len) < self.largest_now() {
            self.last_small = self.nxt;
        }
        self.probe.force_small = false;
        self.timers.persist = Instant::NEVER;
        self.arm_after_new(cx, alone);
    }

    /// The part of it that each segment of a train needs; `len` counts a FIN. The timer is for the caller to set.
    fn note_next(&mut self, cx: &mut Context<'_>, len: u32) {
        let run = self.stamp(cx.now, self.nxt, len);
        self.runs.push(run);
        self.nxt = run.end();
        self.count_sent(cx.now, len, false);
    }

    fn send_again(&mut self, cx: &mut Context<'_>, start: u64, len: u32) -> SegmentOut {
        self.pace(cx, len);
        let stamp = self.stamp(cx.now, start, len);
        self.runs.resend(start, len, &stamp);
        let pushed = self.runs.was_pushed(start);
        self.recovery.force = false;
        self.insight.rare.retransmissions += 1;
        self.count_sent(cx.now, len, true);
        self.arm_after_repetition(cx, start);
        let end = start + u64::from(len);
        let fin = self.closing && end == self.fin_end();
        let push = end >= self.queue.end() || pushed;
        self.build_payload(cx, start, len - u32::from(fin), fin, push, true)
    }

    /// A run that leaves now.
    pub(crate) fn stamp(&mut self, now: Instant, start: u64, len: u32) -> Run {
        let in_flight = self.runs.in_flight();
        self.congestion.on_sent(&Sent {
            now,
            len: u64::from(len),
            in_flight,
            total_delivered: self.delivery.delivered,
            app_limited: self.delivery.is_app_limited(),
        });
        let stamp = self.delivery.stamp(now, len, in_flight, self.runs.lost_bytes());
        self.last_sent = now;
        let pushed = len > 0 && self.ends_write(start + u64::from(len));
        Run { start, sent_at: now, stamp, len, fate: Fate::InFlight, retransmitted: false, pushed }
    }

    fn build_payload(
        &mut self,
        cx: &mut Context<'_>,
        start: u64,
        len: u32,
        fin: bool,
        push: bool,
        again: bool,
    ) -> SegmentOut {
        let mut flags = Flags::ACK;
        if push && len > 0 {
            flags |= Flags::PSH;
        }
        if fin {
            flags |= Flags::FIN;
        }
        self.insight.bytes_sent += u64::from(len);
        if len > 0 {
            self.insight.data_segments_sent +=
                if self.is_train { u64::from(len.div_ceil(u32::from(self.options.mss))) } else { 1 };
        }
        if again {
            self.insight.rare.bytes_retransmitted += u64::from(len);
        }
        let beside = if self.is_train { 0 } else { len as usize };
        let buffer = cx.spare.take(SegmentBytes::HEADROOM + Header::MAX_LEN + beside);
        self.build(buffer, cx.now, flags, start, len, again)
    }

    /// Nothing leaves now: what for?
    fn note_waiting(&mut self, now: Instant) {
        let unsent = self.queue.end() > self.nxt && self.is_synchronized();
        let fits = self.network_load() + u64::from(self.options.mss) <= self.send_window();
        let waiting = if unsent && fits && self.peer_window_blocks() {
            Some(Waiting::Window)
        } else if !unsent && !self.runs.is_empty() && self.is_short_of_room() {
            Some(Waiting::Buffer)
        } else {
            (unsent || !self.runs.is_empty()).then_some(Waiting::Network)
        };
        self.insight.chrono.switch(now, waiting);
    }

    /// A segment without payload.
    pub(crate) fn build_bare(
        &mut self,
        spare: &mut Spare,
        now: Instant,
        flags: Flags,
        start: u64,
    ) -> SegmentOut {
        let again = flags.syn() && self.syn.retransmissions > 0;
        let buffer = spare.take(SegmentBytes::HEADROOM + Header::MAX_LEN);
        self.build(buffer, now, flags, start, 0, again)
    }

    pub(crate) fn build(
        &mut self,
        buffer: BytesMut,
        now: Instant,
        flags: Flags,
        start: u64,
        len: u32,
        again: bool,
    ) -> SegmentOut {
        let syn = flags.syn();
        let mut options = if syn {
            let mut options = self.options.syn_options(now);
            self.add_fast_open(&mut options);
            self.add_first_counters(&mut options);
            options
        } else {
            TcpOptions {
                timestamps: self
                    .options
                    .timestamps
                    .map(|state| Timestamps { value: state.value(now), echo: state.recent }),
                ..TcpOptions::default()
            }
        };
        let new_data = len > 0 && !again && !syn;
        let flags = flags | self.ecn_flags(flags, new_data);
        let mut told_blocks = true;
        if flags.ack() && !syn && !flags.rst() {
            let room = usize::from(self.options.mss).saturating_sub(len as usize);
            let mut blocks = self.sack_count();
            if len > 0 && self.sack_bytes() > room {
                (told_blocks, blocks) = (false, 0);
            }
            if self.marks.is_some() {
                let duplicate = blocks > 0 && self.ack.tells_duplicate();
                self.add_counters(&mut options, len, &mut blocks, duplicate);
            }
            if blocks > 0 {
                options.sack = self.sack_blocks(blocks);
            }
        }
        self.tell_user_timeout(flags, &mut options, len);
        let window = if flags.rst() { 0 } else { self.announce_window(syn) };
        let header = Header {
            src_port: self.pair.local.port,
            dst_port: self.pair.remote.port,
            seq: seq::wire(start),
            ack: if flags.ack() { seq::wire(self.receive.next()) } else { Default::default() },
            flags,
            window,
            urgent: 0,
            options,
        };
        self.note_sent(now, &header, start, len, again);
        if flags.ack() {
            let owed = self.ack.now;
            self.ack_sent(len > 0, again);
            // Blocks that found no room in a segment of data follow on their own.
            self.ack.now = owed && !told_blocks;
        }
        let queue = &self.queue;
        let mut segment = if self.is_train {
            let payload = queue.share(start, len as usize);
            let cwr_once = self.ecn_info().mode != EcnMode::Accurate;
            let train = Train { segment_size: self.options.mss, payload, cwr_once };
            emit_train(buffer, &self.pair, &header, train)
        } else {
            let first = start + u64::from(syn);
            emit(buffer, &self.pair, &header, |bytes| queue.copy(first, len as usize, bytes))
        };
        self.settings.mark(&mut segment);
        let all = self.options.marks_all && self.options.ecn == EcnMode::Accurate && !syn;
        if (new_data || all) && self.is_ect() {
            segment.ecn = ECT0;
        }
        segment
    }

    /// Counts and records what leaves, segment by segment.
    fn note_sent(&mut self, now: Instant, header: &Header, start: u64, len: u32, again: bool) {
        let flags = header.flags;
        let shift = if flags.syn() { 0 } else { self.options.scale.map_or(0, |(own, _)| own) };
        let window = u32::from(header.window) << shift;
        let ack = if flags.ack() { self.receive.next() - self.irs } else { 0 };
        let mut done = 0;
        loop {
            let part = if self.is_train { (len - done).min(u32::from(self.options.mss)) } else { len };
            let last = done + part == len;
            let flags = if last { flags } else { Flags(flags.0 & !(Flags::PSH.0 | Flags::FIN.0)) };
            let seq = start - self.iss + u64::from(done);
            let what = TcpEventKind::Sent { flags, seq, ack, len: part, window, retransmission: again };
            self.insight.segments_sent += 1;
            self.insight.record(now, what);
            done += part;
            if last {
                return;
            }
        }
    }
}
