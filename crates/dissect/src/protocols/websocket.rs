//! WebSocket (RFC 6455), after an HTTP upgrade; compressed messages (RFC 7692) are unpacked.

use super::data;
use super::http;
use super::spoken::Length;
use super::{media, packed};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static OPCODES: Names =
    &[(0, "Continuation"), (1, "Text"), (2, "Binary"), (8, "Connection Close"), (9, "Ping"), (10, "Pong")];

protocol! { WEBSOCKET "websocket" "WebSocket" "WebSocket";
    FIN: bool "websocket.fin" "Fin", mask(0x80);
    RSV: u8 "websocket.rsv" "Reserved", hex, mask(0x70);
    PACKED: bool "websocket.pmc" "Per-Message Compressed", mask(0x40);
    OPCODE: u8 "websocket.opcode" "Opcode", mask(0x0F), names(OPCODES);
    MASK: bool "websocket.mask" "Mask", mask(0x80);
    LENGTH: u8 "websocket.payload_length" "Payload length", mask(0x7F);
    LENGTH_16: u16 "websocket.payload_length_ext_16" "Extended Payload length (16 bits)";
    LENGTH_64: u64 "websocket.payload_length_ext_64" "Extended Payload length (64 bits)";
    KEY: bytes "websocket.masking_key" "Masking-Key";
    MASKED: none "websocket.masked_payload" "Masked payload";
    PAYLOAD: none "websocket.payload" "Payload";
    TEXT: text "websocket.payload.text" "Text";
    CLOSE: none "websocket.payload.close" "Close";
    STATUS: u16 "websocket.payload.close.status_code" "Status code";
    REASON: text "websocket.payload.close.reason" "Reason";
    PING: bytes "websocket.payload.ping" "Ping";
    PONG: bytes "websocket.payload.pong" "Pong";
}

/// For each side: what the first frame of a message said whose parts come, and the parts.
#[derive(Debug, Default)]
pub(crate) struct Session {
    parts: [Option<Parts>; 2],
    /// Messages may be compressed (RFC 7692).
    deflates: bool,
    /// For each side: bytes are missing before what comes next.
    torn: [bool; 2],
}

impl Session {
    /// `deflates`: both have agreed that messages may be compressed.
    pub(crate) fn new(deflates: bool) -> Session {
        Session { deflates, ..Session::default() }
    }

    /// Bytes of a side are missing: of its message nothing whole will come, and what follows may begin anywhere in a frame.
    pub(crate) fn lose(&mut self, side: usize) {
        self.parts[side] = Default::default();
        self.torn[side] = true;
    }
}

/// A message in parts.
#[derive(Debug, Default)]
struct Parts {
    /// What its first frame said.
    first: u8,
    bytes: Vec<u8>,
    /// Not all of it was kept.
    is_too_long: bool,
}

/// A message in parts is not longer.
const PARTS_MAX: usize = 1 << 20;

/// How long the next frame is.
fn length(bytes: &[u8]) -> Length {
    let [_, second, rest @ ..] = bytes else { return Length::More };
    let key = if second & 0x80 != 0 { 4 } else { 0 };
    match (second & 0x7F, rest) {
        (126, [high, low, ..]) => Length::Whole(4 + key + usize::from(u16::from_be_bytes([*high, *low]))),
        (127, rest) => match rest.first_chunk().map(|word| u64::from_be_bytes(*word)) {
            Some(len) if len > 1 << 30 => Length::Foreign,
            Some(len) => Length::Whole(10 + key + len as usize),
            None => Length::More,
        },
        (126, _) => Length::More,
        (len, _) => Length::Whole(2 + key + usize::from(len)),
    }
}

/// Whether whole frames, and nothing else, are these bytes: behind a loss, nothing else tells where one begins.
fn fill(mut bytes: &[u8]) -> bool {
    while let [first, ..] = bytes {
        let is_known = matches!(first & 15, 0..=2 | 8..=10) && first & 0x30 == 0;
        match length(bytes) {
            Length::Whole(total) if is_known && total <= bytes.len() => bytes = &bytes[total..],
            _ => return false,
        }
    }
    true
}

/// Frames on a stream. Gives how many bytes were used.
pub(crate) fn stream(
    cx: &mut Context<'_>,
    session: &mut Session,
    side: usize,
    bytes: Data<'_>,
    one: bool,
) -> usize {
    if session.torn[side] {
        // What compressed messages would refer back to is not known any more.
        cx.state.deflated.remove(&(cx.flow, side));
        if !fill(bytes.bytes) {
            data::show(cx, bytes);
            return bytes.len();
        }
        session.torn[side] = false;
    }
    let mut used = 0;
    while used < bytes.len() {
        let rest = bytes.from(used);
        let total = match length(rest.bytes) {
            Length::Whole(total) if total > rest.len() => {
                cx.wants = total;
                break;
            }
            Length::Whole(total) | Length::Quiet(total) => total,
            Length::More => break,
            Length::Foreign => {
                data::show(cx, rest);
                return bytes.len();
            }
        };
        if used == 0 {
            // Wireshark counts the protocol that was left as a layer, if it wasn't left just now.
            if cx.arena.layers.last().is_none_or(|last| last.layer.name != http::HTTP.layer.name) {
                cx.passed(&http::HTTP);
            }
            cx.layer(&WEBSOCKET, rest.first(total), |cx, c| frame(cx, c, session, side));
        } else {
            cx.layer_again(&WEBSOCKET, rest.first(total), |cx, c| frame(cx, c, session, side));
        }
        used += total;
        if one {
            break;
        }
    }
    used
}

fn frame(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session, side: usize) -> Read {
    let (plain, packed) = (&[&FIN, &RSV, &OPCODE], &[&FIN, &RSV, &PACKED, &OPCODE]);
    let first = c.parts(cx, 1, if session.deflates { packed } else { plain })?;
    let second = c.parts(cx, 1, &[&MASK, &LENGTH])?;
    match second & 0x7F {
        126 => walk(cx, c, &[Is(&LENGTH_16)])?,
        127 => walk(cx, c, &[Is(&LENGTH_64)])?,
        _ => {}
    }
    let body = if second & 0x80 == 0 {
        let body = c.rest();
        return payload(cx, body, first as u8, session, side);
    } else {
        let key = c.bytes(cx, &KEY, 4)?;
        let body = c.rest();
        if !body.is_empty() {
            cx.add(&MASKED, body, 0, body.len(), 0);
        }
        body.bytes.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect::<Vec<u8>>()
    };
    let mut result = Ok(());
    cx.feed("Unmasked data", body, |cx, body| result = payload(cx, body, first as u8, session, side));
    result
}

fn payload(cx: &mut Context<'_>, body: Data<'_>, first: u8, session: &mut Session, side: usize) -> Read {
    if body.is_empty() {
        // It may begin or end a message all the same (RFC 6455 5.4).
        if first & 15 <= 2 {
            message(cx, body, first, session, side);
        }
        return Ok(());
    }
    cx.add(&PAYLOAD, body, 0, body.len(), 0);
    cx.depth += 1;
    let mut c = body.cursor();
    match first & 15 {
        0..=2 => message(cx, body, first, session, side),
        8 => cx.within(&CLOSE, body, |cx| walk(cx, &mut c, &[Is(&STATUS), Rest(&REASON)]))?,
        9 => cx.add(&PING, body, 0, body.len(), 0),
        10 => cx.add(&PONG, body, 0, body.len(), 0),
        _ => {}
    }
    cx.depth -= 1;
    Ok(())
}

/// A message, or a part of one: the last part shows the whole.
fn message(cx: &mut Context<'_>, body: Data<'_>, first: u8, session: &mut Session, side: usize) {
    let is_last = first & 0x80 != 0;
    if first & 15 != 0 {
        session.parts[side] = (!is_last).then(|| Parts { first, ..Parts::default() });
    }
    if is_last && session.parts[side].is_none() {
        return unpacked(cx, body, first, session, side);
    }
    // The beginning of a message that is continued here may not have been captured.
    let parts = session.parts[side].get_or_insert_default();
    parts.is_too_long |= parts.bytes.len() + body.len() > PARTS_MAX;
    if !parts.is_too_long {
        parts.bytes.extend_from_slice(body.bytes);
    }
    if let Some(whole) = session.parts[side].take_if(|_| is_last) {
        if whole.is_too_long {
            // What refers back to it cannot be unpacked.
            cx.state.deflated.remove(&(cx.flow, side));
            return;
        }
        let first = whole.first;
        cx.feed("Reassembled WebSocket", whole.bytes, |cx, whole| {
            unpacked(cx, whole, first, session, side);
        });
    }
}

/// A whole message, whose first frame says whether it was compressed. It may refer back to those before (RFC 7692 7.1.1).
fn unpacked(cx: &mut Context<'_>, body: Data<'_>, first: u8, session: &Session, side: usize) {
    if body.is_empty() {
        return;
    }
    let opcode = first & 15;
    if !session.deflates || first & 0x40 == 0 {
        return show(cx, body, opcode);
    }
    let key = (cx.flow, side);
    let mut before = cx.state.deflated.remove(&key).unwrap_or_default();
    // Where one was lost, those that refer back to it stay packed.
    let Some(plain) = packed::inflate_after(&before, body.bytes) else { return data::show(cx, body) };
    before.extend_from_slice(&plain[plain.len().saturating_sub(packed::WINDOW)..]);
    before.drain(..before.len().saturating_sub(packed::WINDOW));
    cx.state.deflated.insert(key, before);
    if !plain.is_empty() {
        cx.feed("Decompressed WebSocket", plain, |cx, plain| show(cx, plain, opcode));
    }
}

fn show(cx: &mut Context<'_>, body: Data<'_>, opcode: u8) {
    if opcode == 1 {
        cx.add(&TEXT, body, 0, body.len(), 0);
        media::lines(cx, body);
    } else {
        data::show(cx, body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    /// The words of each message that frames carry: a first byte and a body each.
    fn texts(frames: &[(u8, &[u8])]) -> Vec<String> {
        let (mut state, mut session) = (State::default(), Session::default());
        let mut shown = Vec::new();
        for (first, body) in frames {
            let mut arena = Arena::new();
            let mut cx = Context::new(&mut arena, &mut state, 1, 0);
            payload(&mut cx, Data { bytes: body, at: 0, source: 0 }, *first, &mut session, 0)
                .expect("it is whole");
            for field in arena.fields.iter().filter(|field| field.def.is(&TEXT)) {
                let bytes = match field.source {
                    0 => body,
                    source => arena.sources[usize::from(source) - 1].bytes.as_slice(),
                };
                shown.push(String::from_utf8_lossy(bytes).into_owned());
            }
        }
        shown
    }

    #[test]
    fn empty_frames_begin_and_end_messages() {
        assert_eq!(texts(&[(0x01, b"he"), (0x00, b"llo"), (0x80, b"")]), ["hello"]);
        assert_eq!(texts(&[(0x01, b""), (0x80, b"hello")]), ["hello"]);
        assert_eq!(texts(&[(0x81, b""), (0x81, b"next")]), ["next"]);
    }

    #[test]
    fn more_frames_than_can_be_shown_are_parts_of_one_message() {
        let (mut state, mut session) = (State::default(), Session::default());
        // Masked with zeros: one letter each, and the end in a packet of its own.
        let parts: Vec<u8> =
            (0..300).flat_map(|at| [if at == 0 { 1 } else { 0 }, 0x81, 0, 0, 0, 0, b'x']).collect();
        let mut arena = Arena::new();
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        assert_eq!(
            stream(&mut cx, &mut session, 0, Data { bytes: &parts, at: 0, source: 0 }, false),
            parts.len()
        );
        let mut arena = Arena::new();
        let mut cx = Context::new(&mut arena, &mut state, 2, 0);
        let end = [0x80, 0x81, 0, 0, 0, 0, b'!'];
        stream(&mut cx, &mut session, 0, Data { bytes: &end, at: 0, source: 0 }, false);
        let whole = arena.fields.iter().find(|field| field.def.is(&TEXT)).expect("a message");
        assert_eq!(whole.len, 301);
    }

    #[test]
    fn a_message_that_is_too_long_is_not_shown_in_parts() {
        let long = vec![b'x'; PARTS_MAX];
        assert_eq!(texts(&[(0x01, &long), (0x00, b"more"), (0x80, b"end"), (0x81, b"next")]), ["next"]);
    }
}
