//! Explicit congestion notification: routers mark packets instead of dropping them, receivers tell senders, senders
//! slow down. Classic (RFC 3168): one bit that is repeated until it was heard. Accurate (RFC 9768): how many packets
//! and bytes were marked.
//!
//! Only new data is sent as ECT(0): no SYN, no repetition, no bare acknowledgement (RFC 3168 6.1.4 to 6.1.6).

use thru_wire::tcp::{AccEcnCounters, Flags, TcpOptions};

use super::acknowledge::News;
use super::connection::{Connection, Context};
use super::recovery::Phase;
use super::segment::Segment;
use super::{CounterOption, State};
use handshake::{ace, flags_of, handshake_code};
pub(crate) use marks::Marks;
use option::{block_bytes, fit_counters};
pub(crate) use option::{first_counters, push_counters};

mod handshake;
mod marks;
mod option;

/// The codepoints of the IP header's two bits.
const ECT1: u8 = 1;
pub(crate) const ECT0: u8 = 2;
const CE: u8 = 3;

/// The three bits of the flags that AccECN counts in.
const ACE: Flags = Flags(Flags::AE.0 | Flags::CWR.0 | Flags::ECE.0);
/// Where packet counters begin, so that a field which was zeroed on the way is noticed (RFC 9768 3.2.1).
const FIRST_PACKETS: u64 = 5;
/// Rounds in which every byte came back as marked, after which marks are believed to be a defect (RFC 9768 3.2.2.3).
const ROUNDS_OF_MARKS: u64 = 4;
/// Room for options in a header.
const OPTIONS_ROOM: usize = 40;
/// Acknowledgements that deliver more segments than this, in 64ths, were thinned out by the peer or on the way.
const THINNED: u64 = 4 * 64;

/// How far a host goes along with ECN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecn {
    /// Not at all.
    Off,
    /// If the peer asks for it (Linux's `tcp_ecn` = 2).
    #[default]
    Accept,
    /// It is also asked for (Linux's `tcp_ecn` = 1).
    Request,
}

/// What both ends of a connection agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EcnMode {
    /// No ECN.
    #[default]
    Off,
    /// RFC 3168.
    Classic,
    /// RFC 9768.
    Accurate,
}

/// What a connection knows of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnInfo {
    /// What was agreed on.
    pub mode: EcnMode,
    /// Whether new data leaves as ECT(0); `false` also where the path was found to damage the field.
    pub capable: bool,
    /// Packets of ours that arrived marked, as far as the peer tells: with classic ECN, acknowledgements with ECE.
    pub delivered_ce: u64,
    /// Payload bytes of ours that arrived marked, as ECT(0) and as ECT(1), as far as the peer tells (AccECN only).
    pub delivered_ce_bytes: u64,
    /// See above.
    pub delivered_ect0_bytes: u64,
    /// See above.
    pub delivered_ect1_bytes: u64,
    /// Marked packets that arrived here.
    pub received_ce: u64,
    /// Payload bytes that arrived as ECT(0).
    pub received_ect0_bytes: u64,
    /// Payload bytes that arrived as ECT(1).
    pub received_ect1_bytes: u64,
    /// Payload bytes that arrived marked.
    pub received_ce_bytes: u64,
    /// Times the congestion window was reduced because of marks.
    pub reductions: u64,
}

impl Connection {
    pub(crate) fn ecn_info(&self) -> EcnInfo {
        self.marks.as_ref().map(|marks| marks.info()).unwrap_or_default()
    }

    /// Whether new data leaves as ECT(0).
    pub(crate) fn is_ect(&self) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.capable)
    }

    /// The handshake is done; `segment` is the peer's last of it.
    pub(crate) fn establish_ecn(&mut self, cx: &Context<'_>, segment: &Segment) {
        // The SYN ACK had to go without the bits, and nothing speaks for them: they don't get through.
        if self.options.ecn == EcnMode::Accurate
            && !self.active
            && self.syn.retransmissions > 1
            && ace(segment.flags()) == 0
        {
            self.options.ecn = EcnMode::Off;
        }
        if self.options.ecn == EcnMode::Off {
            return;
        }
        let mut marks = Box::new(Marks::new(self.options.ecn));
        if marks.accurate {
            let arrived = if segment.flags().syn() { segment.ecn } else { self.options.syn_arrived };
            marks.received.packets += u64::from(arrived == CE);
            if segment.flags().syn() && segment.flags().ack() {
                marks.received.handshake = Some(handshake_code(arrived));
                // The peer has seen none of our counters: the next acknowledgement brings them.
                marks.received.told = (0, 0, 0);
            }
            marks.judge_handshake(ace(segment.flags()), cx.config.habits.accurate_ecn_validates);
            marks.capable &= !self.options.plain_syn;
            marks.option_seen = segment.header.options.extra.acc_ecn().is_some();
            marks.sent.newest = segment.header.options.timestamps.map(|theirs| theirs.value);
            marks.sent.first_seen = !segment.flags().syn();
        }
        self.marks = Some(marks);
        if !segment.flags().syn() {
            // It was not counted yet.
            self.note_codepoint(segment);
        }
    }

    /// A segment that is acceptable arrived: how, and does that have to be told?
    pub(crate) fn note_codepoint(&mut self, segment: &Segment) {
        let Some(marks) = &mut self.marks else { return };
        let (marked, len) = (segment.ecn & 3 == CE, segment.payload.len() as u64);
        let flags = segment.flags();
        if flags.syn() {
            // The SYN ACK again: our last word of the handshake was lost.
            marks.received.handshake =
                Some(handshake_code(segment.ecn)).filter(|_| marks.accurate && flags.ack());
            return;
        }
        marks.option_seen |= marks.accurate && segment.header.options.extra.acc_ecn().is_some();
        let received = &mut marks.received;
        if len > 0 {
            let place = match segment.ecn & 3 {
                ECT1 => 1,
                CE => 2,
                ECT0 => 3,
                _ => 0,
            };
            received.needed = received.needed.max(place);
        }
        match segment.ecn & 3 {
            ECT0 => received.ect0 += len,
            ECT1 => received.ect1 += len,
            CE => received.ce += len,
            _ => {}
        }
        if marks.accurate {
            received.packets += u64::from(marked);
            received.unacknowledged += u32::from(marked);
            // RFC 9768 3.2.2.5.1: a change is told at once, and marks before the field could wrap.
            let unread = self.receive.next() > self.ack.last_sent || len > 0;
            let enough = if unread { 2 } else { 3 };
            if (len > 0 && marked && !received.last_was_marked) || received.unacknowledged >= enough {
                self.ack.now = true;
            }
            if len > 0 {
                received.last_was_marked = marked;
            }
            return;
        }
        if flags.contains(Flags::CWR) {
            received.echo = false;
            // A sender that slowed down may have a window of one segment: it must not wait (as Linux).
            self.ack.now |= len > 0;
        }
        if marked && len > 0 {
            received.packets += 1;
            self.ack.now |= !received.echo;
            received.echo = true;
        }
    }

    /// The bits of a segment that leaves; `new_data`: it carries payload for the first time.
    pub(crate) fn ecn_flags(&mut self, flags: Flags, new_data: bool) -> Flags {
        if flags.syn() {
            let mode = self.options.ecn;
            return if flags.ack() {
                mode.syn_ack_flags(self.options.syn_arrived, self.syn.retransmissions.saturating_sub(1))
            } else {
                mode.syn_flags(self.syn.retransmissions, self.options.ecn_syn_repeats)
            };
        }
        let Some(marks) = self.marks.as_mut().filter(|_| flags.ack() && !flags.rst()) else {
            return Flags::NONE;
        };
        if marks.accurate {
            marks.received.unacknowledged = 0;
            let code = marks.received.handshake.take().unwrap_or((marks.received.packets & 7) as u8);
            return flags_of(code);
        }
        let mut bits = if marks.received.echo { Flags::ECE } else { Flags::NONE };
        if new_data && core::mem::take(&mut marks.sent.cwr_due) {
            bits |= Flags::CWR;
        }
        bits
    }

    /// The option with the byte counters. `len`: payload of the segment; `blocks`: reports of what arrived, of which one
    /// may have to give way; `duplicate`: the first of them is of what arrived twice.
    pub(crate) fn add_counters(
        &mut self,
        options: &mut TcpOptions,
        len: u32,
        blocks: &mut usize,
        duplicate: bool,
    ) {
        let (ect1_first, policy) = (self.options.ect1_first, self.options.counters);
        let Some(marks) = self.marks.as_mut().filter(|marks| marks.accurate) else { return };
        match policy {
            CounterOption::Never => {}
            CounterOption::WhenChanged if len > 0 => {}
            CounterOption::WhenChanged => {
                let now = (marks.received.ect0, marks.received.ect1, marks.received.ce);
                let mut counters = marks.counters();
                counters.ect1_first |= ect1_first;
                let room = OPTIONS_ROOM - options.padded_len() - block_bytes(*blocks);
                if now != marks.received.told && push_counters(options, counters, room) {
                    marks.received.told = now;
                }
            }
            CounterOption::Always => {
                if !marks.option_seen || marks.option_fails {
                    return;
                }
                if duplicate && marks.received.told_with_duplicate {
                    // The peer did not hear the answer that carried the option: somebody on the way drops it.
                    marks.option_fails = true;
                    return;
                }
                let room = OPTIONS_ROOM - options.padded_len();
                let fields = fit_counters(room, blocks, usize::from(marks.received.needed));
                let all = AccEcnCounters { ect1_first: true, ..marks.counters() };
                let counters = match fields {
                    0 => return,
                    1 => AccEcnCounters { ce: None, ect0: None, ..all },
                    2 => AccEcnCounters { ect0: None, ..all },
                    _ => all,
                };
                if options.extra.push_acc_ecn(counters) {
                    marks.received.needed = 0;
                    marks.received.told_with_duplicate |= duplicate;
                }
            }
        }
    }

    /// The counters of a SYN ACK that answers a SYN which crossed ours: on the first two, as not both may be lost for them.
    pub(crate) fn add_first_counters(&self, options: &mut TcpOptions) {
        let answers = self.state == State::SynReceived && self.active;
        let tells = self.options.ecn == EcnMode::Accurate && self.options.counters != CounterOption::Never;
        if answers && tells && self.syn.retransmissions <= 1 {
            let room = OPTIONS_ROOM - options.padded_len();
            push_counters(options, first_counters(self.options.ect1_first), room);
        }
    }

    /// Bytes of options that counters take from the payload of every segment.
    pub(crate) fn counter_bytes(&self) -> usize {
        let always = self.options.counters == CounterOption::Always;
        match &self.marks {
            Some(marks) if always && marks.accurate && marks.option_seen && !marks.option_fails => 12,
            _ => 0,
        }
    }

    /// What an acknowledgement tells of marks: whether there are new ones, and how many of the bytes it delivers.
    pub(crate) fn take_marks(&mut self, cx: &Context<'_>, segment: &Segment, news: &News) -> (bool, u64) {
        let mss = u64::from(self.options.mss);
        let Some(marks) = &mut self.marks else { return (false, 0) };
        if segment.flags().syn() {
            return (false, 0);
        }
        let sent = &mut marks.sent;
        sent.delivered += news.bytes;
        if !marks.accurate {
            let marked = segment.flags().contains(Flags::ECE) && news.flight > 0;
            sent.counted += u64::from(marked);
            return (marked, if marked { news.bytes } else { 0 });
        }
        let code = ace(segment.flags());
        if !core::mem::replace(&mut sent.first_seen, true) && code == 0 {
            // RFC 9768 3.2.2.4: somebody clears the field.
            marks.capable = false;
        }
        // An acknowledgement that was overtaken would be taken for a whole turn of the counter.
        let newer = match (segment.header.options.timestamps, sent.newest) {
            (Some(theirs), Some(newest)) => theirs.value.wrapping_sub(newest) as i32 > 0,
            _ => false,
        };
        if news.bytes == 0 && !newer {
            return (false, 0);
        }
        sent.newest = segment.header.options.timestamps.map(|theirs| theirs.value).or(sent.newest);
        let told = segment.header.options.extra.acc_ecn().and_then(|counters| {
            let now = [counters.ect0, counters.ce, counters.ect1];
            let mut more = [0; 3];
            for ((now, known), more) in now.into_iter().zip(&mut sent.told).zip(&mut more) {
                let step = now.map_or(0, |now| u64::from(now.wrapping_sub(*known as u32) & 0xff_ffff));
                // Counters don't go back; half a turn is not believed.
                *more = if step < 1 << 23 { step } else { 0 };
                *known += *more;
            }
            counters.ce.map(|_| more[1])
        });
        let turn = u64::from(code.wrapping_sub((sent.packets & 7) as u8) & 7);
        let delivered = news.bytes.div_ceil(mss);
        sent.delivers = match sent.delivers {
            0 => delivered * 64,
            before if delivered > 0 => (before * 63 + delivered * 64) / 64,
            before => before,
        };
        let thinned = cx.config.habits.thin_acks_hide_no_marks && sent.delivers > THINNED;
        let packets = whole_turns(turn, delivered, told, mss, thinned);
        sent.packets += packets;
        let bytes = told.unwrap_or(packets * mss).min(news.bytes.max(mss));
        sent.ce_bytes += bytes;
        let marked = packets > 0 || told.is_some_and(|bytes| bytes > 0);
        (marked && marks.capable, if marks.capable { bytes } else { 0 })
    }

    /// Marks are answered like a loss, once per round, and not while losses are (RFC 3168 6.1.2).
    pub(crate) fn answer_marks(&mut self, cx: &Context<'_>, news: &News) {
        if self.recovery.phase != Phase::Open {
            return;
        }
        let (una, nxt) = (self.una, self.nxt);
        let Some(marks) = self.marks.as_mut().filter(|marks| marks.sent.reduced_until < una) else { return };
        marks.sent.reductions += 1;
        if marks.accurate
            && marks.sent.reductions >= ROUNDS_OF_MARKS
            && marks.sent.ce_bytes >= marks.sent.delivered
        {
            // Every single byte so far: that is no queue.
            marks.capable = false;
        }
        marks.window_reduced(nxt);
        self.reduce_by_marks(cx.now, news);
    }

    /// A loss has reduced the window: marks up to here are answered by that, and the peer is told (RFC 3168 6.1.2).
    pub(crate) fn loss_answers_marks(&mut self) {
        let nxt = self.nxt;
        if let Some(marks) = &mut self.marks {
            marks.window_reduced(nxt);
        }
    }
}

/// How far the counter of packets has moved, of which only the last three bits are known (RFC 9768 A.2.1 and A.2.2):
/// `turn` at least, and when so many were acknowledged that it may have wrapped, the most that fits, unless the
/// bytes `told` speak for less.
fn whole_turns(turn: u64, acknowledged: u64, told: Option<u64>, mss: u64, thinned: bool) -> u64 {
    if acknowledged <= 7 {
        return turn;
    }
    let most = acknowledged - ((acknowledged - turn) & 7);
    match told {
        Some(bytes) if bytes <= turn * mss => turn,
        // Where acknowledgements speak for many segments each, none was lost in between.
        None if thinned => turn,
        _ => most,
    }
}

#[cfg(test)]
mod tests;
