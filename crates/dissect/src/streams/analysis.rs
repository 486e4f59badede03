//! What a TCP segment means in its connection, by Wireshark's rules: relative numbers, windows, and the
//! `tcp.analysis` flags. The order of the tests is part of the rules: the first kind of retransmission that fits wins.

use super::table::NewFlow;

pub(crate) const FIN: u16 = 1;
pub(crate) const SYN: u16 = 2;
pub(crate) const RST: u16 = 4;
pub(crate) const PSH: u16 = 8;
pub(crate) const ACK: u16 = 16;

/// So many segments are remembered until they are acknowledged.
const UNACKED_MAX: usize = 10_000;
/// Instead of a count of duplicate ACKs: what was acknowledged beyond what was seen has been told.
const NEUTRAL: u32 = u32::MAX;
/// A retransmission so soon after the last duplicate ACK is a fast one.
const FAST: u64 = 20_000_000;
/// Without a measured round trip, a segment so late may have been overtaken.
const OVERTAKEN: u64 = 3_000_000;

/// The conclusions, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) u32);

impl Flags {
    pub(crate) const RETRANSMISSION: u32 = 1;
    pub(crate) const LOST_SEGMENT: u32 = 1 << 1;
    pub(crate) const ACK_LOST_SEGMENT: u32 = 1 << 2;
    pub(crate) const KEEP_ALIVE: u32 = 1 << 3;
    pub(crate) const DUPLICATE_ACK: u32 = 1 << 4;
    pub(crate) const ZERO_WINDOW: u32 = 1 << 5;
    pub(crate) const ZERO_WINDOW_PROBE: u32 = 1 << 6;
    pub(crate) const ZERO_WINDOW_PROBE_ACK: u32 = 1 << 7;
    pub(crate) const KEEP_ALIVE_ACK: u32 = 1 << 8;
    pub(crate) const OUT_OF_ORDER: u32 = 1 << 9;
    pub(crate) const FAST_RETRANSMISSION: u32 = 1 << 10;
    pub(crate) const WINDOW_UPDATE: u32 = 1 << 11;
    pub(crate) const WINDOW_FULL: u32 = 1 << 12;
    pub(crate) const REUSED_PORTS: u32 = 1 << 13;
    pub(crate) const SPURIOUS_RETRANSMISSION: u32 = 1 << 14;

    pub(crate) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    fn set(&mut self, flag: u32) {
        self.0 |= flag;
    }
}

/// A segment's header, as far as the analysis needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) window: u16,
    /// Bytes of payload.
    pub(crate) len: u32,
    /// The option's shift, on SYN segments.
    pub(crate) scale: Option<u8>,
    /// The options were not captured whole: what they do not say they may have said.
    pub(crate) is_cut: bool,
    /// Raw SACK edges.
    pub(crate) sack: &'a [(u32, u32)],
}

impl Segment<'_> {
    fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }
}

/// What was concluded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) flags: Flags,
    pub(crate) duplicate_ack: Option<(u32, u64)>,
    /// The frame that is acknowledged, and how long that took.
    pub(crate) acks: Option<(u64, u64)>,
    pub(crate) initial_rtt: Option<u64>,
    pub(crate) bytes_in_flight: Option<u32>,
    pub(crate) push_bytes_sent: Option<u32>,
    /// Time since the segment that is sent again, and its frame.
    pub(crate) rto: Option<(u64, u64)>,
    pub(crate) relative_seq: u32,
    pub(crate) relative_ack: u32,
    /// After this segment; `None`: nothing was counted.
    pub(crate) next_seq: Option<u32>,
    pub(crate) window: u32,
    /// -1 not known, -2 no scaling, otherwise the factor.
    pub(crate) scale_factor: i32,
    pub(crate) since_first: u64,
    pub(crate) since_previous: u64,
    pub(crate) completeness: u8,
    pub(crate) stream: u64,
    /// It was looked at closely, even if nothing remarkable came of it.
    pub(crate) analysed: bool,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct TcpFlow {
    pub(crate) index: u64,
    pub(crate) sides: [Side; 2],
    /// The frame of the first segment.
    pub(crate) first_frame: u64,
    first: Option<u64>,
    previous: Option<u64>,
    /// Of the handshake: when each part was seen.
    syn_at: Option<u64>,
    initial_rtt: Option<u64>,
    completeness: u8,
    /// The name of what is spoken on it, once it is known, and its state.
    pub(crate) app: crate::protocols::ports::App,
}

/// One direction, and what was seen on it.
#[derive(Debug, Default)]
pub(crate) struct Side {
    base: Option<u32>,
    saw_syn: bool,
    next_seq: u32,
    has_next: bool,
    next_frame: u64,
    next_time: u64,
    last_ack: u32,
    last_ack_time: u64,
    last_window: u16,
    /// The last segment was a SYN, whose window is never scaled (RFC 7323 2.2).
    last_is_syn: bool,
    last_flags: Flags,
    last_nondup: u64,
    dup_acks: u32,
    max_to_ack: u32,
    has_max: bool,
    /// -1 not known, -2 not scaled.
    scale: i32,
    valid_flight: bool,
    pushed: bool,
    push_bytes: u32,
    sack: Vec<(u32, u32)>,
    unacked: Vec<Unacked>,
    /// Where the eldest of `unacked` begins and the youngest ends, relative to the base; `None`: to be found out.
    flight: Option<(u32, u32)>,
    /// Bytes in order for whoever reads the stream.
    pub(crate) order: super::order::Order,
    /// Messages that go on in the next segment.
    pub(crate) pdus: super::pdus::Pdus,
}

#[derive(Clone, Copy, Debug)]
struct Unacked {
    frame: u64,
    time: u64,
    seq: u32,
    next: u32,
}

fn gt(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

fn ge(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 >= 0
}

impl NewFlow for TcpFlow {
    fn new(index: u64) -> TcpFlow {
        TcpFlow {
            index,
            sides: [Side::new(), Side::new()],
            first_frame: 0,
            first: None,
            previous: None,
            syn_at: None,
            initial_rtt: None,
            completeness: 0,
            app: crate::protocols::ports::App::default(),
        }
    }
}

impl Side {
    /// What it has acknowledged, once it has.
    pub(crate) fn acknowledged(&self) -> Option<u32> {
        (self.last_ack != 0).then_some(self.last_ack)
    }

    /// Gives back what is not needed: little more comes.
    fn shrink(&mut self) {
        self.unacked.shrink_to_fit();
        self.sack.shrink_to_fit();
        self.pdus.shrink();
    }

    fn new() -> Side {
        Side { scale: -1, valid_flight: true, ..Side::default() }
    }
}

impl TcpFlow {
    /// Whether a SYN opens another connection between the same ends.
    pub(crate) fn is_reused_by(&self, side: usize, seq: u32, flags: u16) -> bool {
        flags & (SYN | ACK) == SYN && self.sides[side].base.is_some_and(|base| base != seq)
    }

    /// Where the relative numbers of the side begin that `from` acknowledges.
    pub(crate) fn base_of_peer(&self, from: super::table::End, to: super::table::End) -> u32 {
        self.sides[usize::from(from <= to)].base.unwrap_or(0)
    }

    /// Takes a segment from `side` (0 or 1).
    pub(crate) fn segment(&mut self, side: usize, segment: &Segment<'_>) -> Findings {
        let mut findings = Findings { stream: self.index, ..Findings::default() };
        let is_new = self.first.is_none();
        if is_new {
            self.first_frame = segment.number;
        }
        self.times(segment, &mut findings);
        let base = self.sides[side].base;
        self.bases(side, segment);
        if base.is_some_and(|base| base != segment.seq) && segment.has(SYN) && segment.has(ACK) {
            findings.flags.set(Flags::REUSED_PORTS);
        }
        self.handshake(side, segment);
        let first_rtt = self.initial_rtt;
        let [a, b] = &mut self.sides;
        let (fwd, rev) = if side == 0 { (a, b) } else { (b, a) };
        analyse(fwd, rev, segment, first_rtt, &mut findings);
        // As in Wireshark's single pass: what was seen before this segment.
        findings.completeness = self.completeness;
        self.complete(segment, is_new);
        let (fwd, rev) = (&self.sides[side], &self.sides[1 - side]);
        findings.initial_rtt = self.initial_rtt;
        findings.relative_seq = segment.seq.wrapping_sub(fwd.base.unwrap_or(segment.seq));
        // Without the flag the number means nothing, and is shown as it is.
        findings.relative_ack = match rev.base {
            _ if !segment.has(ACK) => segment.ack,
            base => segment.ack.wrapping_sub(base.unwrap_or(segment.ack)),
        };
        let counted = segment.len + u32::from(segment.has(SYN | FIN));
        findings.next_seq = Some(findings.relative_seq.wrapping_add(counted));
        (findings.window, findings.scale_factor) = scaled(fwd, segment);
        if segment.has(FIN | RST) {
            self.sides.iter_mut().for_each(Side::shrink);
        }
        findings
    }

    fn times(&mut self, segment: &Segment<'_>, findings: &mut Findings) {
        (findings.since_first, findings.since_previous) = self.passed(segment.time);
    }

    /// How long ago the connection's first segment was, and the one before.
    fn passed(&mut self, now: u64) -> (u64, u64) {
        let first = *self.first.get_or_insert(now);
        let previous = self.previous.replace(now).unwrap_or(now);
        (now.wrapping_sub(first), now.wrapping_sub(previous))
    }

    /// What is known of the connection to which a segment belongs that an ICMP error quotes. Nothing but its time is
    /// learned from it.
    pub(crate) fn quoted(&mut self, side: usize, seq: u32, flags: u16, now: u64) -> Findings {
        let (since_first, since_previous) = self.passed(now);
        let again = flags & (SYN | ACK) == SYN && self.sides[side].base == Some(seq);
        Findings {
            stream: self.index,
            completeness: self.completeness,
            since_first,
            since_previous,
            initial_rtt: self.initial_rtt,
            scale_factor: self.sides[side].scale,
            analysed: again,
            ..Findings::default()
        }
    }

    /// Where relative numbers begin.
    fn bases(&mut self, side: usize, segment: &Segment<'_>) {
        let fwd = &mut self.sides[side];
        if segment.has(SYN) || fwd.base.is_none() {
            fwd.flight = None;
        }
        if fwd.base.is_none() {
            fwd.base = Some(if segment.has(SYN) { segment.seq } else { segment.seq.wrapping_sub(1) });
            fwd.saw_syn = segment.has(SYN);
        } else if segment.has(SYN) && segment.has(ACK) {
            // What was seen before belonged to another connection.
            fwd.base = Some(segment.seq);
        } else if segment.has(SYN) && fwd.has_max {
            // A reset may have had a number of the other side's choice.
            fwd.next_seq = fwd.max_to_ack;
        }
        let rev = &mut self.sides[1 - side];
        if rev.base.is_none() && segment.has(ACK) {
            rev.base = Some(segment.ack.wrapping_sub(1));
        }
    }

    /// The window scale, and the round trip from SYN to the ACK that ends the handshake.
    fn handshake(&mut self, side: usize, segment: &Segment<'_>) {
        if segment.has(SYN) {
            // Scaling holds only if both sides offer it: without the option in one SYN there is none, even if the other
            // was not captured.
            match segment.scale {
                Some(shift) => self.sides[side].scale = i32::from(shift.min(14)),
                None if self.sides[side].scale == -1 && !segment.is_cut => {
                    self.sides.iter_mut().for_each(|side| side.scale = -2)
                }
                None => {}
            }
            if !segment.has(ACK) {
                // A capture whose clock began with the SYN has no time for it, as in Wireshark.
                self.syn_at = Some(segment.time).filter(|time| *time != 0);
            } else if self.sides[1 - side].scale == -2 {
                self.sides[side].scale = -2;
            }
        }
        if segment.has(ACK) && !segment.has(SYN) && self.initial_rtt.is_none() {
            let rtt = self.syn_at.map(|at| segment.time.saturating_sub(at));
            self.initial_rtt = rtt.filter(|rtt| *rtt > 0);
        }
    }

    /// Which parts of a connection's life were seen: SYN 1, SYN-ACK 2, ACK 4, data 8, FIN 16, RST 32.
    /// Of a connection's first segment only the SYN counts, and no later SYN does.
    fn complete(&mut self, segment: &Segment<'_>, is_new: bool) {
        let seen = &mut self.completeness;
        if is_new {
            if segment.has(SYN) && !segment.has(ACK) {
                *seen = 1 | if segment.len > 0 { 8 } else { 0 };
            }
            return;
        }
        match (segment.has(SYN), segment.has(ACK)) {
            (true, true) => *seen |= 2,
            (false, true) => *seen |= if segment.len > 0 { 8 } else { 4 },
            _ => {}
        }
        if segment.has(FIN) && segment.has(ACK) {
            *seen |= 16;
        }
        if segment.has(RST) {
            *seen |= 32;
        }
    }
}

fn scaled(fwd: &Side, segment: &Segment<'_>) -> (u32, i32) {
    let window = u32::from(segment.window);
    match fwd.scale {
        _ if segment.has(SYN) => (window, -1),
        shift if shift >= 0 => (window << shift, 1 << shift),
        unknown => (window, unknown),
    }
}

fn analyse(fwd: &mut Side, rev: &mut Side, s: &Segment<'_>, first_rtt: Option<u64>, findings: &mut Findings) {
    let mut flags = Flags::default();
    if s.has(ACK) {
        rev.valid_flight = true;
    }
    look(fwd, rev, s, &mut flags, findings);
    if s.ack != fwd.last_ack {
        fwd.last_nondup = s.number;
        fwd.dup_acks = 0;
    }
    if rev.has_max && gt(s.ack, rev.max_to_ack) && s.has(ACK) {
        findings.analysed = true;
        if gt(rev.next_seq, rev.max_to_ack) {
            flags.set(Flags::ACK_LOST_SEGMENT);
            rev.max_to_ack = rev.next_seq;
        } else {
            // Pure ACKs of the other side go on: this is told once, not at each of them.
            if rev.dup_acks == 0 {
                flags.set(Flags::ACK_LOST_SEGMENT);
            }
            rev.dup_acks = NEUTRAL;
        }
    }
    let mut advanced_past = false;
    if s.len > 0 || s.has(SYN | FIN) {
        retransmission(fwd, rev, s, first_rtt, &mut flags, findings);
        advanced_past = true;
    }
    let mut next = s.seq.wrapping_add(s.len);
    if s.has(SYN | FIN) {
        next = next.wrapping_add(1);
    }
    if advanced_past && fwd.unacked.len() < UNACKED_MAX {
        fwd.unacked.push(Unacked { frame: s.number, time: s.time, seq: s.seq, next });
        let base = fwd.base.unwrap_or(0);
        let (from, to) = (s.seq.wrapping_sub(base), next.wrapping_sub(base));
        fwd.flight = fwd.flight.map(|(first, last)| (first.min(from), last.max(to)));
    }
    let is_probe = flags.has(Flags::ZERO_WINDOW_PROBE);
    // A reset that answers a SYN has the number 0 (RFC 9293 3.10.7.1), which is no beginning.
    if (gt(next, fwd.next_seq) || !fwd.has_next || fwd.next_seq == 0) && !is_probe {
        (fwd.next_seq, fwd.has_next, fwd.next_frame, fwd.next_time) = (next, true, s.number, s.time);
    }
    if (s.seq == fwd.max_to_ack || !fwd.has_max) && !is_probe {
        (fwd.max_to_ack, fwd.has_max) = (fwd.next_seq, true);
    }
    (fwd.last_window, fwd.last_ack, fwd.last_ack_time) = (s.window, s.ack, s.time);
    fwd.last_is_syn = s.has(SYN);
    fwd.last_flags = flags;
    fwd.sack.clear();
    fwd.sack.extend_from_slice(s.sack);
    acknowledge(rev, s, findings);
    in_flight(fwd, rev, s, findings);
    findings.flags = Flags(findings.flags.0 | flags.0);
}

/// Windows, gaps, keep-alives, duplicate ACKs.
fn look(fwd: &mut Side, rev: &Side, s: &Segment<'_>, flags: &mut Flags, findings: &mut Findings) {
    let plain = !s.has(SYN | FIN | RST);
    if s.len == 1 && fwd.has_next && s.seq == fwd.next_seq && rev.last_window == 0 && rev.has_next {
        flags.set(Flags::ZERO_WINDOW_PROBE);
        return;
    }
    if s.window == 0 && plain {
        flags.set(Flags::ZERO_WINDOW);
    }
    if fwd.has_next && gt(s.seq, fwd.next_seq) && !s.has(RST) {
        flags.set(Flags::LOST_SEGMENT);
        fwd.valid_flight = false;
    }
    if s.len <= 1 && fwd.has_next && s.seq == fwd.next_seq.wrapping_sub(1) && plain {
        flags.set(Flags::KEEP_ALIVE);
    }
    let repeats = s.len == 0 && plain && fwd.has_next && s.seq == fwd.next_seq;
    let same_ack = s.ack == fwd.last_ack;
    if repeats && s.window != 0 && s.window != fwd.last_window && same_ack {
        flags.set(Flags::WINDOW_UPDATE);
    }
    if s.len > 0 && plain && rev.scale != -1 {
        let shift = if rev.last_is_syn { 0 } else { rev.scale.max(0) };
        let edge = rev.last_ack.wrapping_add(u32::from(rev.last_window) << shift);
        if s.seq.wrapping_add(s.len) == edge {
            flags.set(Flags::WINDOW_FULL);
        }
    }
    if repeats && s.window != 0 && s.window == fwd.last_window && same_ack {
        if rev.last_flags.has(Flags::KEEP_ALIVE) {
            flags.set(Flags::KEEP_ALIVE_ACK);
            return;
        }
        fwd.dup_acks = if fwd.dup_acks == NEUTRAL { 1 } else { fwd.dup_acks + 1 };
        flags.set(Flags::DUPLICATE_ACK);
        findings.duplicate_ack = Some((fwd.dup_acks, fwd.last_nondup));
    }
    let one_more = s.ack == fwd.last_ack.wrapping_add(1);
    if repeats
        && s.window == 0
        && fwd.last_window == 0
        && (same_ack || one_more)
        && rev.last_flags.has(Flags::ZERO_WINDOW_PROBE)
    {
        flags.set(Flags::ZERO_WINDOW_PROBE_ACK);
    }
}

/// Which kind of retransmission, if it is one.
fn retransmission(
    fwd: &Side,
    rev: &Side,
    s: &Segment<'_>,
    first_rtt: Option<u64>,
    flags: &mut Flags,
    findings: &mut Findings,
) {
    if flags.has(Flags::KEEP_ALIVE) {
        return;
    }
    let mut not_advanced = fwd.has_next && gt(fwd.next_seq, s.seq);
    let end = s.seq.wrapping_add(s.len);
    if s.len > 1 && fwd.next_seq.wrapping_sub(1) == s.seq {
        not_advanced = false; // it follows a probe of one byte, and brings more
    }
    if s.len > 0 && rev.has_next && rev.last_ack != 0 && !gt(end, rev.last_ack) {
        flags.set(Flags::SPURIOUS_RETRANSMISSION);
        return;
    }
    if !not_advanced {
        return;
    }
    let since_ack = s.time.wrapping_sub(rev.last_ack_time);
    if rev.dup_acks >= 2 && rev.dup_acks != NEUTRAL && since_ack < FAST {
        let sacked = |&(left, right): &(u32, u32)| ge(s.seq, left) && gt(right, s.seq);
        if rev.last_ack == s.seq || (!rev.sack.is_empty() && !rev.sack.iter().any(sacked)) {
            flags.set(Flags::FAST_RETRANSMISSION);
            return;
        }
    }
    let since_highest = s.time.wrapping_sub(fwd.next_time);
    let seen = fwd.unacked.iter().any(|one| ge(s.seq, one.seq) && ge(one.next, end));
    if since_highest < first_rtt.unwrap_or(OVERTAKEN) && fwd.next_seq != end && !seen {
        flags.set(Flags::OUT_OF_ORDER);
        return;
    }
    flags.set(Flags::RETRANSMISSION);
    let eldest = fwd.unacked.first();
    let (time, frame) = eldest.map_or((fwd.next_time, fwd.next_frame), |one| (one.time, one.frame));
    findings.rto = Some((s.time.wrapping_sub(time), frame)).filter(|(late, _)| *late != 0);
}

/// Forgets what this segment acknowledges, and measures how long that took.
fn acknowledge(rev: &mut Side, s: &Segment<'_>, findings: &mut Findings) {
    if rev.unacked.is_empty() {
        return;
    }
    // Most often it repeats what is known.
    if rev.flight.is_some_and(|(first, _)| !gt(s.ack, rev.base.unwrap_or(0).wrapping_add(first))) {
        return;
    }
    rev.flight = None;
    // The first is the eldest; Wireshark goes from the youngest and ends with the eldest that fits exactly.
    if let Some(exact) = rev.unacked.iter().find(|one| one.next == s.ack) {
        findings.acks = Some((exact.frame, s.time.wrapping_sub(exact.time)));
    }
    rev.unacked.retain_mut(|one| {
        if gt(s.ack, one.seq) && gt(one.next, s.ack) {
            one.seq = s.ack;
        }
        gt(one.next, s.ack)
    });
}

fn in_flight(fwd: &mut Side, rev: &Side, s: &Segment<'_>, findings: &mut Findings) {
    if s.len == 0 || !fwd.valid_flight || fwd.unacked.is_empty() {
        return;
    }
    let (first, last) = *fwd.flight.get_or_insert_with(|| {
        let base = fwd.base.unwrap_or(0);
        let first = fwd.unacked.iter().map(|one| one.seq.wrapping_sub(base)).min().unwrap_or(0);
        let last = fwd.unacked.iter().map(|one| one.next.wrapping_sub(base)).max().unwrap_or(0);
        (first, last)
    });
    // What the other side has beyond its acknowledgement is not under way.
    let sacked = rev.sack.iter().fold(0u32, |sum, (left, right)| sum.wrapping_add(right.wrapping_sub(*left)));
    let flight = last.wrapping_sub(first).wrapping_sub(sacked);
    let is_known = flight > 0 && flight < 2_000_000_000;
    if is_known {
        // What SYN and FIN count is no byte.
        findings.bytes_in_flight = Some(flight - u32::from(s.has(SYN | FIN)));
    }
    if fwd.pushed {
        fwd.push_bytes = 0;
    }
    fwd.push_bytes = fwd.push_bytes.wrapping_add(s.len);
    fwd.pushed = s.has(PSH);
    findings.push_bytes_sent = is_known.then_some(fwd.push_bytes);
}

#[cfg(test)]
mod tests;
