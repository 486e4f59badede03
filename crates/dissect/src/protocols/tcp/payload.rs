//! From segments to messages: who reads a segment's payload, what waits for the next segment ([`crate::streams::pdus`]).

use super::{REASSEMBLED_LENGTH, SEGMENT_DATA};
use crate::context::Context;
use crate::cursor::Data;
use crate::protocols::ports::App;
use crate::protocols::{data, ports};
use crate::streams::analysis::{FIN, Flags, SYN, TcpFlow};
use crate::streams::order::{Brings, Run};
use crate::streams::pdus::{Added, Wants, spare};
use crate::tree::Carrier;

/// The beginning of a message is kept if the segment brings no more of it; the same bound as in Wireshark.
const BEGINNING_MAX: usize = 1 << 20;

/// What is known of a segment.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) side: usize,
    /// As on the wire.
    pub(super) seq: u32,
    /// From the beginning of the stream.
    pub(super) relative: u32,
    /// So many bytes of payload it had on the wire.
    pub(super) len: u32,
    pub(super) flags: u16,
    pub(super) found: Flags,
}

fn flow<'f>(cx: &'f mut Context<'_>) -> &'f mut TcpFlow {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    cx.state.tcp.flow(ends.0, ends.1)
}

/// Gives a segment's payload to the protocol above. Bytes in order are noted for whoever follows the stream.
pub(super) fn hand_on(cx: &mut Context<'_>, place: Place, payload: Data<'_>) {
    let Place { side, seq, .. } = place;
    let is_ordered = cx.state.options.reassemble_out_of_order;
    cx.can_wait = cx.missing == 0;
    cx.stream_ends = place.flags & FIN != 0;
    let flow = flow(cx);
    let acked = flow.sides[1 - side].acknowledged();
    let order = &mut flow.sides[side].order;
    let brings = order.take(seq, payload.bytes, acked);
    // Where segments are put in order the gap lies before what is handed on next.
    let waits = matches!(brings, Brings::Nothing);
    let missing = if waits { 0 } else { std::mem::take(&mut order.missing) };
    let is_broken = !(waits && is_ordered) && std::mem::take(&mut order.broken);
    let begin = place.relative.wrapping_add(u32::from(place.flags & SYN != 0));
    if is_broken && is_ordered {
        let from = match &brings {
            Brings::Nothing => begin,
            Brings::Next(fresh) => begin.wrapping_add((payload.len() - fresh.len()) as u32),
            Brings::Joined(_, back) => begin.wrapping_sub(*back),
        };
        lose(cx, side, from);
    } else if is_broken {
        flow.app.lose(side);
    }
    match brings {
        Brings::Nothing if is_ordered => cx.add(&SEGMENT_DATA, payload, 0, payload.len(), 0),
        Brings::Nothing => {}
        Brings::Next(fresh) => {
            let known = payload.len() - fresh.len();
            let fresh = payload.from(known);
            cx.piece_behind(missing, side, fresh, false);
            if is_ordered {
                read(cx, place, begin.wrapping_add(known as u32), fresh);
            }
        }
        Brings::Joined(bytes, back) => cx.with_source("Reassembled TCP", bytes, |cx, fresh| {
            cx.piece_behind(missing, side, fresh, false);
            if is_ordered {
                read(cx, place, begin.wrapping_sub(back), fresh);
            }
        }),
    }
    if !is_ordered {
        read(cx, place, begin, payload);
    }
    if cx.missing > 0 {
        self::flow(cx).sides[side].order.pass_over(seq, place.len);
    }
    (cx.can_wait, cx.stream_ends) = (false, false);
}

/// Bytes of a side are missing before `from`: the messages that were begun are given up.
fn lose(cx: &mut Context<'_>, side: usize, from: u32) {
    let flow = self::flow(cx);
    let rest = flow.sides[side].pdus.known_rest(from);
    flow.sides[side].pdus.clear();
    flow.app.lose(side);
    if let App::Http(session) = &mut flow.app {
        session.skip(side, rest);
    }
}

/// What the segment tells of bytes that came before: its side reads on what was released of it, and what it acknowledges
/// is missing for good, so that who follows the stream gets what waits behind it. Only where segments are put in order.
pub(super) fn catch_up(cx: &mut Context<'_>, place: Place, acked: Option<u32>) {
    let (side, other) = (place.side, 1 - place.side);
    let runs = flow(cx).sides[side].order.unread();
    for Run { seq, bytes, .. } in runs {
        let relative = seq.wrapping_sub(place.seq).wrapping_add(place.relative);
        let place =
            Place { seq, relative, len: bytes.len() as u32, flags: 0, found: Flags::default(), ..place };
        lose(cx, side, relative);
        cx.can_wait = true;
        cx.with_source("Reassembled TCP", bytes, |cx, bytes| read(cx, place, relative, bytes));
        cx.can_wait = false;
    }
    if acked.is_some() {
        release(cx, other, acked, true);
    }
}

/// Another connection takes the ends of this one: nothing more comes of it. `by`: the side whose segment opens it.
pub(super) fn give_up(cx: &mut Context<'_>, by: usize) {
    let index = flow(cx).index;
    let now = std::mem::replace(&mut cx.flow, index);
    (0..2).for_each(|side| release(cx, side, None, side != by));
    cx.flow = now;
}

/// Hands on what waits behind gaps that will not close, for who follows the stream.
pub(super) fn release(cx: &mut Context<'_>, side: usize, acked: Option<u32>, is_back: bool) {
    let runs = flow(cx).sides[side].order.release(acked);
    if runs.is_empty() {
        return;
    }
    let all: Vec<u8> = runs.iter().flat_map(|run| &run.bytes).copied().collect();
    let lengths: Vec<(usize, u64)> = runs.iter().map(|run| (run.bytes.len(), run.missing)).collect();
    cx.with_source("Behind a gap", all, |cx, mut rest| {
        for (len, missing) in lengths {
            cx.piece_behind(missing, side, rest.first(len), is_back);
            rest = rest.from(len);
        }
    });
}

fn read(cx: &mut Context<'_>, place: Place, seq: u32, bytes: Data<'_>) {
    if place.found.has(Flags::KEEP_ALIVE) {
        return data::show(cx, bytes);
    }
    if cx.can_wait {
        messages(cx, place, seq, bytes);
        return make_room(cx);
    }
    ports::tunnel(cx, bytes);
    cx.is_segment_start = true;
    ports::stream(cx, place.side, bytes);
}

/// The end of the stream ends the message that waits for it. Gives whether there was one; it has been shown then, and
/// what the segment brings with it.
pub(super) fn finish(cx: &mut Context<'_>, place: Place, payload: Data<'_>) -> bool {
    let (number, side, seq) = (cx.number, place.side, place.relative);
    let pdus = &mut flow(cx).sides[side].pdus;
    if !pdus.until_fin || cx.missing > 0 {
        return false;
    }
    let pdus = &mut flow(cx).sides[side].pdus;
    if *pdus.fin.get_or_insert(number) != number {
        return false;
    }
    let Some(pdu) = pdus.find_before(seq) else { return false };
    let Added::Whole(whole) = pdu.add(seq, payload.bytes, false, number) else { return false };
    cx.conclude(&REASSEMBLED_LENGTH, whole.len() as u64);
    (cx.can_wait, cx.stream_ends) = (false, true);
    cx.with_source("Reassembled TCP", whole, |cx, whole| {
        if !payload.is_empty() {
            cx.piece(Carrier::Tcp, 0, side, whole.from(whole.len() - payload.len()), false);
        }
        ports::stream(cx, side, whole);
    });
    cx.stream_ends = false;
    true
}

/// Reads what the segment brings: the rest of messages that were begun, and what follows them.
fn messages(cx: &mut Context<'_>, place: Place, mut seq: u32, mut bytes: Data<'_>) {
    let Place { side, found, .. } = place;
    let is_raw = !cx.state.options.reassemble_out_of_order;
    let (number, next) = (cx.number, seq.wrapping_add(bytes.len() as u32));
    while !bytes.is_empty() {
        let all = bytes;
        let pdus = &mut flow(cx).sides[side].pdus;
        if is_raw {
            let repeats = pdus.repeats(seq, next, number);
            if !repeats && found.has(Flags::SPURIOUS_RETRANSMISSION) {
                return;
            }
            if repeats || found.has(Flags::RETRANSMISSION) {
                return cx.add(&SEGMENT_DATA, all, 0, all.len(), 0);
            }
        }
        if seq == place.relative {
            ports::tunnel(cx, all);
        }
        let pdus = &mut flow(cx).sides[side].pdus;
        let Some(pdu) = pdus.find(seq).filter(|pdu| pdu.covers(seq)) else {
            return begin(cx, side, seq, all, next);
        };
        let len = if pdu.entire { all.len() } else { all.len().min(pdu.next.wrapping_sub(seq) as usize) };
        let more = pdu.next.wrapping_sub(next) as i32 > 0;
        let added = pdu.add(seq, &all.bytes[..len], more, number);
        if !matches!(added, Added::Waits) && std::mem::take(&mut pdu.entire) && !more {
            pdu.next = next;
        }
        let follows =
            if pdu.next < next && pdu.next >= seq { pdu.next.wrapping_sub(seq) as usize } else { 0 };
        let shown = if follows > 0 { follows } else { all.len() };
        match added {
            Added::Whole(whole) => {
                let end = seq.wrapping_add(len as u32);
                if reassembled(cx, side, seq, end, whole) {
                    (seq, bytes) = (end, all.from(len));
                    if bytes.is_empty() {
                        cx.add(&SEGMENT_DATA, all, 0, all.len(), 0);
                    }
                    continue;
                }
                cx.add(&SEGMENT_DATA, all, 0, shown, 0);
            }
            Added::TooLong => {
                flow(cx).app.lose(side);
                cx.add(&SEGMENT_DATA, all, 0, shown, 0);
            }
            // The end of a message that was put together before: it is sent again.
            Added::Again if is_raw => return,
            Added::Waits | Added::Again => cx.add(&SEGMENT_DATA, all, 0, shown, 0),
        }
        if follows == 0 {
            return;
        }
        (seq, bytes) = (seq.wrapping_add(follows as u32), all.from(follows));
    }
}

/// Where all that waits takes too much room, what has waited for longest is given up.
fn make_room(cx: &mut Context<'_>) {
    if !cx.state.room.is_full() {
        return;
    }
    let flows = &mut cx.state.tcp;
    let until =
        spare(flows.all().flat_map(|flow| &flow.sides).flat_map(|side| side.pdus.waiting()).collect());
    for flow in flows.all() {
        for side in 0..flow.sides.len() {
            if flow.sides[side].pdus.give_up(until) {
                flow.app.lose(side);
            }
        }
    }
}

/// What a reader that used so many of the bytes wants; `None`: all were used.
fn wanted(cx: &Context<'_>, used: usize, len: usize) -> Option<Wants> {
    let left = len.checked_sub(used).filter(|left| *left > 0)?;
    Some(match cx.wants.checked_sub(left) {
        _ if cx.until_fin => Wants::UntilFin,
        Some(more) if more > 0 => Wants::Bytes(more.min(1 << 30) as u32),
        _ => Wants::Segment,
    })
}

/// `resume`: where a reader goes on that has seen the beginning of the message before.
fn ask(cx: &mut Context<'_>, side: usize, bytes: Data<'_>, resume: usize) -> (usize, Option<Wants>) {
    (cx.wants, cx.until_fin, cx.resume) = (0, false, resume);
    let used = ports::stream(cx, side, bytes).min(bytes.len());
    (used, wanted(cx, used, bytes.len()))
}

/// Reads bytes that belong to no message that was begun.
fn begin(cx: &mut Context<'_>, side: usize, seq: u32, bytes: Data<'_>, next: u32) {
    cx.is_segment_start = true;
    let (used, wants) = ask(cx, side, bytes, 0);
    let Some(wants) = wants else { return };
    let rest = bytes.from(used);
    if rest.len() <= BEGINNING_MAX {
        let number = cx.number;
        let (seq, room) = (seq.wrapping_add(used as u32), cx.state.room.clone());
        let resume = cx.resume;
        let pdus = &mut flow(cx).sides[side].pdus;
        pdus.begin(seq, rest.bytes, next, wants, number, &room);
        if let Some(pdu) = pdus.find(seq) {
            pdu.resume_at(resume);
        }
    }
    cx.add(&SEGMENT_DATA, rest, 0, rest.len(), 0);
}

/// Shows a message whose last segment this is; `seq..end` is what the segment brings of it. Gives whether the reader
/// wants more.
fn reassembled(cx: &mut Context<'_>, side: usize, seq: u32, end: u32, whole: Vec<u8>) -> bool {
    let length = whole.len();
    let fields = cx.arena.fields.len();
    let resume = flow(cx).sides[side].pdus.find(seq).map_or(0, |pdu| pdu.resume());
    cx.is_segment_start = false;
    let (mut used, mut wants, mut rest) = (0, None, Vec::new());
    cx.with_source("Reassembled TCP", whole, |cx, whole| {
        (used, wants) = ask(cx, side, whole, resume);
        if wants.is_some() && (used > 0 || cx.arena.fields.len() > fields) {
            rest = whole.bytes.to_vec();
        }
    });
    let Some(wants) = wants else {
        cx.conclude(&REASSEMBLED_LENGTH, length as u64);
        return false;
    };
    if rest.is_empty() {
        // Nothing refers to it: it waits on.
        rest = cx.take_source();
    }
    let resume = cx.resume;
    let pdus = &mut flow(cx).sides[side].pdus;
    let is_split = pdus.go_on(seq, end, used, rest, wants);
    if let Some(pdu) = pdus.find(seq) {
        pdu.resume_at(resume);
    }
    if is_split {
        cx.conclude(&REASSEMBLED_LENGTH, used as u64);
    }
    true
}
