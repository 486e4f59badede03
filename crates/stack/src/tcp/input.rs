//! A segment arrives for a connection (RFC 9293 3.10.7.4, in its order, with RFC 5961 and RFC 7323 5).

use core::time::Duration;

use thru_wire::tcp::Flags;

use super::connection::{Connection, Context};
use super::insight::TcpEventKind;
use super::memory::FLOOR;
use super::receive::Arrival;
use super::segment::{Segment, reset_for};
use super::{State, TcpError, seq};

/// RFC 7323 5.5: a peer's timestamp that is older than this says nothing about new ones.
const TIMESTAMP_AGE: Duration = Duration::from_secs(24 * 24 * 3_600);

impl Connection {
    pub(crate) fn on_segment(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        self.note_arrival(segment);
        match self.state {
            State::SynSent => self.on_segment_in_syn_sent(cx, segment),
            State::Closed | State::Listen | State::TimeWait => {}
            _ => self.on_segment_synchronized(cx, segment),
        }
    }

    fn on_segment_synchronized(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        let flags = segment.flags();
        let mut place = seq::place(self.receive.next(), segment.header.seq);
        let mut len = u64::from(segment.len());
        // Both sides called at once: the peer's SYN ACK repeats the SYN we know (RFC 9293 3.5 figure 8).
        let both_called = self.state == State::SynReceived && flags.syn() && flags.ack() && place == self.irs;
        if both_called {
            place += 1;
            len -= 1;
        }

        // PAWS (RFC 7323 5.3 R1), which doesn't hold for RST.
        if !flags.rst() && self.is_from_the_past(segment) {
            self.insight.rare.duplicates_received += 1;
            cx.stats.paws_drops += 1;
            self.answer_out_of_window(cx, segment);
            return;
        }
        if !self.is_acceptable(place, len) {
            if !flags.rst() {
                self.on_unacceptable(cx, segment, place, len);
            }
            return;
        }
        self.note_codepoint(segment);

        if flags.rst() {
            self.on_reset(cx, segment, place);
            return;
        }
        if flags.syn() && !both_called {
            if cx.config.habits.syn_resets {
                let reset = self.build_bare(cx.spare, cx.now, Flags::RST | Flags::ACK, self.nxt);
                cx.out.push_back(reset);
                self.end(cx, Some(TcpError::Reset));
                return;
            }
            // RFC 5961 4.2: a peer that really restarted answers the challenge with a RST.
            self.challenge(cx);
            return;
        }
        if !flags.ack() {
            return;
        }
        let ack = seq::place(self.una, segment.header.ack);
        if self.state == State::SynReceived {
            if ack <= self.una || ack > self.nxt {
                cx.out.extend(reset_for(cx.spare, segment));
                return;
            }
            if self.syn.retransmissions == 0 {
                if let Some(sent_at) = self.syn.sent_at {
                    self.rtt.sample(segment.at.since(sent_at));
                }
            } else {
                self.rtt.syn_was_lost();
                self.sample_timestamps(segment);
            }
            self.peer_window.begin(self.segment_window(segment), place, ack);
            self.una = ack.min(self.iss + 1);
            self.establish(cx, segment);
            self.ack.now |= both_called && cx.config.habits.answers_crossing_syn_ack;
        }
        // RFC 5961 5.2: an acknowledgement too old or of what was never sent comes from nobody who knows us.
        if ack > self.nxt || ack + self.peer_window.max() < self.una {
            let silent = self.state == State::Established && cx.config.habits.unsent_ack_is_silent;
            if ack < self.una || !silent {
                self.challenge(cx);
            }
            return;
        }
        self.keep_timestamp(segment, place);
        self.hear_user_timeout(cx, segment);
        self.on_ack(cx, segment, place, ack);
        self.last_received = segment.at;
        if self.on_our_fin_acknowledged(cx) {
            return;
        }
        self.on_payload(cx, segment, place);
    }

    /// The short way for a segment that only brings the next bytes, and says nothing that the one before it in its train
    /// has not said. `false`, and nothing done, for any other.
    /// Its payload is taken out of it.
    pub(crate) fn on_next_bytes(&mut self, cx: &mut Context<'_>, segment: &mut Segment) -> bool {
        let next = self.receive.next();
        let place = seq::place(next, segment.header.seq);
        let end = place + segment.payload.len() as u64;
        let open = self.state == State::Established && self.peer_fin.is_none() && !self.released;
        let fits = place == next && end > place && end <= next + self.own_window.remaining(next);
        if !open || !fits || segment.flags().fin() {
            return false;
        }
        self.note_arrival(segment);
        self.note_codepoint(segment);
        let payload = segment.take_payload();
        self.on_bytes(cx, segment, place, end, payload);
        true
    }

    fn note_arrival(&mut self, segment: &Segment) {
        self.insight.segments_received += 1;
        if !segment.payload.is_empty() {
            self.insight.data_segments_received += 1;
            self.insight.last_data_received = segment.at;
        }
        let header = &segment.header;
        let irs = if self.irs == 0 { seq::initial(header.seq) } else { self.irs };
        let near = if self.irs == 0 { irs } else { self.receive.next() };
        let window = self.segment_window(segment);
        let ack =
            if header.flags.ack() { seq::place(self.una, header.ack).saturating_sub(self.iss) } else { 0 };
        self.insight.record(
            segment.at,
            TcpEventKind::Received {
                flags: header.flags,
                seq: seq::place(near, header.seq).saturating_sub(irs),
                ack,
                len: segment.payload.len() as u32,
                window: u32::try_from(window).unwrap_or(u32::MAX),
                ttl: segment.ttl,
            },
        );
    }

    /// RFC 7323 5.3: its timestamp is older than what this peer has told since.
    fn is_from_the_past(&self, segment: &Segment) -> bool {
        match self.options.timestamps.zip(segment.header.options.timestamps) {
            Some((state, theirs)) => {
                let older = (theirs.value.wrapping_sub(state.recent) as i32) < 0;
                older && segment.at.since(state.recent_at) < TIMESTAMP_AGE
            }
            // RFC 7323 3.2 would drop a segment without timestamps; Linux and others take it, since middleboxes strip options.
            None => false,
        }
    }

    /// RFC 7323 4.3: the value to echo is that of the segment the next acknowledgement speaks for.
    fn keep_timestamp(&mut self, segment: &Segment, place: u64) {
        let last_sent = self.ack.last_sent;
        if let (Some(state), Some(theirs)) = (&mut self.options.timestamps, segment.header.options.timestamps)
        {
            let newer = (theirs.value.wrapping_sub(state.recent) as i32) >= 0;
            let expired = segment.at.since(state.recent_at) >= TIMESTAMP_AGE;
            if (newer || expired) && place <= last_sent {
                state.recent = theirs.value;
                state.recent_at = segment.at;
            }
        }
    }

    /// Outside of what we allow: an old duplicate, a probe, or nonsense. The answer tells where we are.
    fn on_unacceptable(&mut self, cx: &mut Context<'_>, segment: &Segment, place: u64, len: u64) {
        let next = self.receive.next();
        if segment.flags().syn() && self.state == State::SynReceived && place == self.irs {
            self.syn.due = true;
            return;
        }
        if segment.flags().syn() && self.state != State::SynReceived {
            if place == self.irs {
                self.note_codepoint(segment);
            }
            // RFC 5961 4.2: whatever its number.
            self.challenge(cx);
            return;
        }
        if !self.is_plausible(segment, place, len) {
            self.answer_out_of_window(cx, segment);
            return;
        }
        if len > 0 && place + len <= next {
            self.insight.rare.duplicates_received += 1;
            if !segment.flags().syn() {
                // How it arrived counts, however often it does.
                self.note_codepoint(segment);
            }
            // RFC 7323 5.3 R2: its timestamp is not kept. A repetition would push TS.Recent beyond what is still on its way,
            // and reordered originals would be taken for ghosts.
            if self.options.sack && !segment.payload.is_empty() {
                self.ack.report_duplicate(place, place + segment.payload.len() as u64);
            }
            self.ack.now = true;
            self.last_received = segment.at;
            // What ends exactly where we are was sent by someone who knows: what it acknowledges counts. Stacks in use
            // take it, and a FIN sent again is the last segment that can acknowledge ours.
            let flags = segment.flags();
            if place + len == next && flags.ack() && !flags.syn() && self.state != State::SynReceived {
                let ack = seq::place(self.una, segment.header.ack);
                if ack > self.una && ack <= self.nxt {
                    self.on_ack(cx, segment, place, ack);
                    self.on_our_fin_acknowledged(cx);
                }
            }
            return;
        }
        if len > 0 || place + 1 == next {
            // A probe for our window, of either kind, or data beyond it: always answered, or the peer would wait in vain.
            self.ack.now = true;
            self.last_received = segment.at;
            return;
        }
        self.answer_out_of_window(cx, segment);
    }

    /// Whether a segment outside of the window comes from a peer that knows the connection: not much older or newer than
    /// what is allowed, and with an acknowledgement that makes sense (RFC 5961 5.2).
    fn is_plausible(&self, segment: &Segment, place: u64, len: u64) -> bool {
        let next = self.receive.next();
        let span = (self.receive.limit() as u64).max(u64::from(u16::MAX));
        let near = place + len + span >= next && place <= next + self.own_window.remaining(next) + span;
        let ack = seq::place(self.una, segment.header.ack);
        near && segment.flags().ack() && ack <= self.nxt && ack + self.peer_window.max() >= self.una
    }

    /// An acknowledgement that may be one too many, if two sides disagree or somebody forges: limited. For a segment
    /// without payload as any challenge (as Linux does), for others, which a peer must not repeat in vain, only by what
    /// the whole host may send.
    fn answer_out_of_window(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        if segment.flags().syn() || (segment.payload.is_empty() && !segment.flags().fin()) {
            self.challenge(cx);
        } else if cx.challenge.allow(cx.now, &mut None) {
            self.ack.now = true;
        }
    }

    /// RFC 5961: ask whoever sent this to show that it knows the sequence numbers.
    pub(crate) fn challenge(&mut self, cx: &mut Context<'_>) {
        if cx.challenge.allow(cx.now, &mut self.last_challenge) {
            cx.stats.challenge_acks += 1;
            self.ack.now = true;
            self.ack.challenge = true;
        }
    }

    /// RFC 5961 3.2: exactly the next number resets, any other in the window is challenged.
    fn on_reset(&mut self, cx: &mut Context<'_>, segment: &Segment, place: u64) {
        if place != self.receive.next() && !cx.config.habits.reset_in_window {
            self.challenge(cx);
            return;
        }
        self.insight.rare.reset_ttl = Some(segment.ttl);
        let error = match self.state {
            State::SynReceived if self.active => Some(TcpError::Refused),
            // Everything was said on both sides: the RST changes nothing (RFC 9293 3.10.7.4).
            State::Closing | State::LastAck if !cx.config.habits.late_reset_is_error => None,
            _ => Some(TcpError::Reset),
        };
        self.end(cx, error);
    }

    /// Moves on when our FIN is acknowledged. Whether the connection is over.
    fn on_our_fin_acknowledged(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.fin_acknowledged() {
            return false;
        }
        match self.state {
            State::FinWait1 => {
                self.set_state(cx.now, State::FinWait2);
                self.start_linger(cx);
            }
            State::Closing => self.enter_time_wait(cx),
            State::LastAck => {
                self.end(cx, None);
                return true;
            }
            _ => {}
        }
        false
    }

    /// Nobody reads any more: the peer's FIN is not waited for without end.
    pub(crate) fn start_linger(&mut self, cx: &Context<'_>) {
        if self.released && self.state == State::FinWait2 {
            self.timers.linger = cx.now + self.settings.fin_wait2.unwrap_or(cx.config.fin_wait2);
        }
    }

    fn enter_time_wait(&mut self, cx: &mut Context<'_>) {
        self.set_state(cx.now, State::TimeWait);
        self.forget_sending();
        self.timers = super::connection::Timers::NONE;
        self.wake_all(cx);
    }

    /// Payload and FIN, from `place` on.
    pub(crate) fn on_payload(&mut self, cx: &mut Context<'_>, segment: &Segment, place: u64) {
        if matches!(
            self.state,
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait | State::Closed
        ) {
            // The peer has said it would send no more (RFC 9293 3.10.7.4); its FIN again was not acceptable.
            return;
        }
        let next = self.receive.next();
        let edge = next + self.own_window.remaining(next);
        let end = place + segment.payload.len() as u64;
        if segment.flags().fin() && end <= edge {
            self.peer_fin.get_or_insert(end);
        }
        let limit = self.peer_fin.unwrap_or(u64::MAX).min(edge);
        if !segment.payload.is_empty() {
            if self.released && end > next {
                // Nobody will read it: tell the peer (RFC 9293 3.10.7.4 "if the user has closed", RFC 1122 4.2.2.13).
                cx.stats.aborts_on_data += 1;
                cx.out.extend(reset_for(cx.spare, segment));
                self.end(cx, Some(TcpError::Aborted));
                return;
            }
            let mut payload = segment.payload.clone();
            if end > limit {
                payload.truncate(limit.saturating_sub(place) as usize);
            }
            if !payload.is_empty() {
                let payload_end = place + payload.len() as u64;
                self.on_bytes(cx, segment, place, payload_end, payload);
            }
        }
        self.reach_peer_fin(cx);
    }

    /// Whether there is memory for so much payload at `place`: what waits for a gap gives way to what fills it.
    fn has_memory(&mut self, cx: &mut Context<'_>, place: u64, len: usize) -> bool {
        self.receive.set_pressed(cx.memory.pressure());
        if !cx.memory.exhausted() || self.receive.memory() + len <= FLOOR {
            return true;
        }
        if place <= self.receive.next() && self.receive.prune() {
            cx.stats.out_of_order_pruned += 1;
            return self.receive.memory() + len <= FLOOR;
        }
        false
    }

    fn on_bytes(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment,
        place: u64,
        end: u64,
        payload: bytes::Bytes,
    ) {
        if !self.has_memory(cx, place, payload.len()) {
            cx.stats.receive_queue_drops += 1;
            self.ack.now = true;
            return;
        }
        let before = self.receive.next();
        let known = self.receive.first_known(place, end);
        // All of it may have been taken out of the segment.
        let arrived = segment.payload.len().max(payload.len());
        self.receive.take_room(cx.spare);
        match self.receive.insert(place, payload, cx.spare) {
            Arrival::InOrder { filled } => {
                let len = self.receive.next() - before;
                self.insight.bytes_received += len;
                if let Some((start, end)) = known {
                    // A part of it was known (RFC 2883 4.2.1): the first such part is told.
                    self.ack.report_duplicate(start, end);
                }
                self.owe_ack(cx, end - place, filled);
                self.tune_on_arrival(segment, arrived as u64);
                if self.is_readable() {
                    cx.wake(&mut self.read_waker);
                }
            }
            Arrival::Early => {
                self.insight.rare.out_of_order_received += 1;
                if let Some((start, end)) = known {
                    self.ack.report_duplicate(start, end);
                }
                self.ack.now = true;
            }
            Arrival::Duplicate => {
                self.insight.rare.duplicates_received += 1;
                self.ack.report_duplicate(place, end);
            }
            Arrival::Refused => self.ack.now = true,
        }
    }

    /// RFC 9293 3.10.7.4 "FIN bit", once everything before it has arrived.
    fn reach_peer_fin(&mut self, cx: &mut Context<'_>) {
        if self.peer_fin != Some(self.receive.next()) {
            if self.peer_fin.is_some_and(|fin| fin > self.receive.next()) {
                self.ack.now = true;
            }
            return;
        }
        self.receive.skip_one();
        self.ack.now = true;
        match self.state {
            State::SynReceived | State::Established => self.set_state(cx.now, State::CloseWait),
            State::FinWait1 => self.set_state(cx.now, State::Closing),
            State::FinWait2 => self.enter_time_wait(cx),
            _ => {}
        }
        cx.wake(&mut self.read_waker);
    }
}
