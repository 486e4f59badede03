//! HTTP/3 (RFC 9114): frames on the streams of QUIC, with the headers in them.

use super::headers::Header;
use super::headers::qpack::{Decoder, Unread};
use super::quic::{number, varint};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Kind, Names, protocol};
use crate::streams::pending::{Joined, Pending};
use crate::streams::table::Recent;
use crate::tree::Carrier;

static STREAM_TYPES: Names =
    &[(0, "Control Stream"), (1, "Push Stream"), (2, "QPACK Encoder Stream"), (3, "QPACK Decoder Stream")];
static TYPES: Names = &[
    (0, "DATA"),
    (1, "HEADERS"),
    (3, "CANCEL_PUSH"),
    (4, "SETTINGS"),
    (5, "PUSH_PROMISE"),
    (7, "GOAWAY"),
    (13, "MAX_PUSH_ID"),
    (0xF_0700, "PRIORITY_UPDATE"),
    (0xF_0701, "PRIORITY_UPDATE"),
];
static SETTINGS: Names = &[
    (1, "QPACK Max Table Capacity"),
    (6, "Max Field Section Size"),
    (7, "QPACK Blocked Streams"),
    (8, "Extended CONNECT"),
    (0x33, "H3 DATAGRAM"),
];

protocol! { HTTP3 "http3" "HTTP3" "Hypertext Transfer Protocol Version 3";
    STREAM_TYPE: u64 "http3.stream_type" "Stream Type", names(STREAM_TYPES);
    PUSH_ID: u64 "http3.push_id" "Push ID";
    TYPE: u64 "http3.frame_type" "Type", names(TYPES);
    LENGTH: u64 "http3.frame_length" "Length";
    PAYLOAD: bytes "http3.frame_payload" "Frame Payload";
    DATA: bytes "http3.data" "Data";
    SETTING: none "http3.settings" "Settings";
    SETTING_ID: u64 "http3.settings.id" "Settings Identifier", names(SETTINGS);
    SETTING_VALUE: u64 "http3.settings.value" "Settings Value";
    SET_CAPACITY: u64 "http3.settings.qpack.max_table_capacity" "Max Table Capacity";
    SET_SECTION: u64 "http3.settings.max_field_section_size" "Max header list size";
    SET_BLOCKED: u64 "http3.settings.qpack.blocked_streams" "Blocked Streams";
    SET_CONNECT: u64 "http3.settings.extended_connect" "Extended CONNECT";
    ENCODER: bytes "http3.qpack.encoder" "QPACK Encoder Instructions";
    DECODER: bytes "http3.qpack.decoder" "QPACK Decoder Instructions";
    SEGMENT: bytes "http3.segment" "Part of a frame";
    STREAM_ID: u64 "http3.stream_id" "Stream of the headers";
    BLOCKED: none "http3.headers.blocked" "The headers refer to what has not come yet";
    BROKEN: none "http3.headers.broken" "The headers can't be read: they are damaged, or refer to what was not captured";
    COUNT: u32 "http3.headers.count" "Headers Count";
    HEADER: none "http3.headers.header" "Header";
    NAME: text "http3.headers.header.name" "Name";
    VALUE: text "http3.headers.header.value" "Value";
    REPRESENTATION: text "http3.headers.header.repr" "Representation";
    AUTHORITY: text "http3.headers.authority" ":authority";
    METHOD: text "http3.headers.method" ":method";
    PATH: text "http3.headers.path" ":path";
    SCHEME: text "http3.headers.scheme" ":scheme";
    STATUS: u16 "http3.headers.status" ":status";
    ACCEPT: text "http3.headers.accept" "accept";
    ALT_SVC: text "http3.headers.alt_svc" "alt-svc";
    CACHE_CONTROL: text "http3.headers.cache_control" "cache-control";
    CONTENT_ENCODING: text "http3.headers.content_encoding" "content-encoding";
    CONTENT_LENGTH: u64 "http3.headers.content_length" "content-length";
    CONTENT_TYPE: text "http3.headers.content_type" "content-type";
    COOKIE: text "http3.headers.cookie" "cookie";
    DATE: text "http3.headers.date" "date";
    ETAG: text "http3.headers.etag" "etag";
    LAST_MODIFIED: text "http3.headers.last_modified" "last-modified";
    LOCATION: text "http3.headers.location" "location";
    REFERER: text "http3.headers.referer" "referer";
    SERVER: text "http3.headers.server" "server";
    SET_COOKIE: text "http3.headers.set_cookie" "set-cookie";
    USER_AGENT: text "http3.headers.user_agent" "user-agent";
}

/// Headers with a field of their own.
static KNOWN: [&FieldDef; 20] = [
    &AUTHORITY,
    &METHOD,
    &PATH,
    &SCHEME,
    &STATUS,
    &ACCEPT,
    &ALT_SVC,
    &CACHE_CONTROL,
    &CONTENT_ENCODING,
    &CONTENT_LENGTH,
    &CONTENT_TYPE,
    &COOKIE,
    &DATE,
    &ETAG,
    &LAST_MODIFIED,
    &LOCATION,
    &REFERER,
    &SERVER,
    &SET_COOKIE,
    &USER_AGENT,
];

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// What the encoder of each side has taught.
    decoders: [Decoder; 2],
    streams: Recent<(u64, u8), Stream, 256>,
    /// An instruction of each side's encoder that goes on in the next packet.
    instruction: [Vec<u8>; 2],
    /// Sections that refer to what has not come yet.
    blocked: Vec<Blocked>,
}

impl Connection {
    /// Takes the encoder's next instructions; one may go on in the next packet.
    fn teach(&mut self, side: usize, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.instruction[side]);
        all.extend_from_slice(bytes);
        let used = self.decoders[side].instructions(Data { bytes: &all, at: 0, source: 0 });
        all.drain(..used);
        if all.len() > BLOCKED_MAX {
            self.decoders[side].lose();
        } else {
            self.instruction[side] = all;
        }
    }
}

/// How frames are put together.
static JOINED: Joined = Joined { name: "Reassembled HTTP/3", part: &SEGMENT, is_ended_by_all: false };

/// So many bytes of sections may wait.
const BLOCKED_MAX: usize = 64 << 10;
/// A frame of headers or settings that is longer is passed over.
const FRAME_MAX: u64 = 256 << 10;

#[derive(Debug)]
struct Blocked {
    id: u64,
    side: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// What a stream in one direction is for.
    kind: Option<u64>,
    /// So much is left of the DATA frame, or of one that is passed over.
    left: u64,
    passed_over: bool,
    /// Where the next frame begins is not known.
    is_lost: bool,
}

/// Where bytes stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) id: u64,
    pub(crate) side: usize,
    /// Bytes are missing before them.
    pub(crate) is_torn: bool,
    /// The stream ends with them.
    pub(crate) ends: bool,
}

/// The next bytes of a stream.
pub(crate) fn stream(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    pending: &mut Pending,
    place: Place,
    fresh: Data<'_>,
) {
    let key = (place.id, place.side as u8);
    let mut stream = *connection.streams.entry(key, Stream::default);
    stream.is_lost |= place.is_torn;
    if place.is_torn && stream.kind == Some(2) {
        connection.decoders[place.side].lose();
    }
    if stream.is_lost {
        connection.streams.insert(key, stream);
        return super::data::show(cx, fresh);
    }
    if !fresh.is_empty() {
        pending.feed(cx, fresh, &JOINED, &mut |cx, bytes, _| {
            let mut used = 0;
            let mut end = stream;
            while let Some(len) = next(cx, &mut end, place, bytes.from(used)) {
                used += len;
            }
            if used > 0 {
                cx.layer(&HTTP3, bytes.first(used), |cx, c| {
                    cx.conclude(&STREAM_ID, place.id);
                    while !c.is_done() {
                        // One that is damaged ends where its length says.
                        let _damaged = item(cx, connection, &mut stream, place, c);
                    }
                    Ok(())
                });
            }
            used
        });
    }
    if place.ends && place.id & 2 == 0 {
        cx.piece(Carrier::Http3, place.id, place.side, fresh.first(0), true);
    }
    connection.streams.insert(key, stream);
    if stream.kind == Some(2) {
        unblock(cx, connection, place.side);
    }
}

/// How long what comes next is; `None`: it is not all there. `stream` goes on behind it.
fn next(cx: &mut Context<'_>, stream: &mut Stream, place: Place, bytes: Data<'_>) -> Option<usize> {
    if bytes.is_empty() {
        return None;
    }
    if stream.left > 0 {
        let len = stream.left.min(bytes.len() as u64);
        stream.left -= len;
        return Some(len as usize);
    }
    if matches!(stream.kind, Some(2..)) {
        return Some(bytes.len()); // instructions, and kinds that nobody knows
    }
    let (first, size) = varint(bytes, 0).ok()?;
    if place.id & 2 != 0 && stream.kind.is_none() {
        let push = if first == 1 { varint(bytes, size).ok()?.1 } else { 0 };
        stream.kind = Some(first);
        return Some(size + push);
    }
    let (len, more) = varint(bytes, size).ok()?;
    let header = size + more;
    if len > FRAME_MAX {
        stream.left = len;
        stream.passed_over = first != 0;
        return Some(header);
    }
    let total = header + len as usize;
    if bytes.len() < total {
        cx.wants = total;
        return None;
    }
    Some(total)
}

/// What comes next; the cursor goes on behind it.
fn item(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    stream: &mut Stream,
    place: Place,
    c: &mut Cursor<'_>,
) -> Read {
    let before = *stream;
    let Some(len) = next(cx, stream, place, c.rest()) else { return c.skip(c.left()) };
    let data = c.take(len)?;
    if before.left > 0 {
        if !stream.passed_over {
            cx.add(&DATA, data, 0, data.len(), 0);
            cx.piece(Carrier::Http3, place.id, place.side, data, false);
        }
        return Ok(());
    }
    let mut inside = data.cursor();
    match (place.id & 2 != 0, before.kind) {
        (true, None) => {
            if number(cx, &mut inside, &STREAM_TYPE)? == 1 {
                number(cx, &mut inside, &PUSH_ID)?;
            }
            return Ok(());
        }
        (true, Some(2)) => {
            cx.add(&ENCODER, data, 0, data.len(), 0);
            connection.teach(place.side, data.bytes);
            return Ok(());
        }
        (true, Some(3)) => {
            cx.add(&DECODER, data, 0, data.len(), 0);
            return Ok(());
        }
        (true, Some(4..)) => return Ok(()),
        _ => {}
    }
    let kind = number(cx, &mut inside, &TYPE)?;
    number(cx, &mut inside, &LENGTH)?;
    let payload = inside.rest();
    if payload.is_empty() {
        return Ok(());
    }
    cx.add(&PAYLOAD, payload, 0, payload.len(), 0);
    match kind {
        0 => {
            cx.add(&DATA, payload, 0, payload.len(), 0);
            cx.piece(Carrier::Http3, place.id, place.side, payload, false);
        }
        1 => headers(cx, connection, place.id, place.side, payload),
        4 => return settings(cx, connection, place.side, inside),
        5 => {
            number(cx, &mut inside, &PUSH_ID)?;
            headers(cx, connection, place.id, place.side, inside.rest());
        }
        3 | 7 | 13 => return number(cx, &mut inside, &PUSH_ID).map(|_| ()),
        _ => {}
    }
    Ok(())
}

fn settings(cx: &mut Context<'_>, connection: &mut Connection, side: usize, mut c: Cursor<'_>) -> Read {
    while !c.is_done() {
        let setting = c.rest();
        let open = cx.open(&SETTING, setting, 0, 0);
        let begins = c.pos;
        let id = number(cx, &mut c, &SETTING_ID);
        let place = c.pos;
        let value = number(cx, &mut c, &SETTING_VALUE);
        let def = match id {
            Ok(1) => Some(&SET_CAPACITY),
            Ok(6) => Some(&SET_SECTION),
            Ok(7) => Some(&SET_BLOCKED),
            Ok(8) => Some(&SET_CONNECT),
            _ => None,
        };
        if let (Some(def), Ok(value)) = (def, value) {
            cx.add(def, c.data, place, c.pos - place, value);
        }
        cx.close(open, c.pos - begins);
        // What one side allows, the other's encoder uses.
        if let (Ok(1), Ok(value)) = (id, value) {
            connection.decoders[1 - side].capacity_max = Some(value.min(1 << 30));
        }
        id.and(value)?;
    }
    Ok(())
}

fn headers(cx: &mut Context<'_>, connection: &mut Connection, id: u64, side: usize, section: Data<'_>) {
    match connection.decoders[side].section(section) {
        Ok(lines) => show(cx, &lines),
        Err(Unread::Broken) => cx.expert(&BROKEN),
        Err(Unread::Blocked) => {
            cx.expert(&BLOCKED);
            let waits: usize = connection.blocked.iter().map(|blocked| blocked.bytes.len() + 64).sum();
            if waits + section.len() <= BLOCKED_MAX {
                connection.blocked.push(Blocked { id, side, bytes: section.bytes.to_vec() });
            }
        }
    }
}

/// Shows the sections that can now be read, with the packet that made it possible.
fn unblock(cx: &mut Context<'_>, connection: &mut Connection, side: usize) {
    for blocked in std::mem::take(&mut connection.blocked) {
        let section = Data { bytes: &blocked.bytes, at: 0, source: 0 };
        let still = connection.decoders[side].section(section).err() == Some(Unread::Blocked);
        if blocked.side != side || still {
            connection.blocked.push(blocked);
            continue;
        }
        let Blocked { id, bytes, .. } = blocked;
        cx.feed("Headers that waited", bytes, |cx, section| {
            cx.layer(&HTTP3, section, |cx, c| {
                cx.conclude(&STREAM_ID, id);
                headers(cx, connection, id, side, section);
                c.skip(c.left())
            });
        });
    }
}

fn show(cx: &mut Context<'_>, lines: &[Header<'_>]) {
    cx.conclude(&COUNT, lines.len() as u64);
    for header in lines {
        let (at, len) = (header.at, header.at.len());
        let open = cx.open(&HEADER, at, 0, 0);
        cx.add_words(&NAME, at, &header.name);
        cx.add_words(&VALUE, at, &header.value);
        if let Some(def) = KNOWN.iter().find(|def| def.label.as_bytes() == header.name) {
            if def.kind == Kind::Text {
                cx.add_words(def, at, &header.value);
            } else if let Some(value) =
                std::str::from_utf8(&header.value).ok().and_then(|text| text.parse().ok())
            {
                cx.add(def, at, 0, len, value);
            }
        }
        cx.conclude_words(&REPRESENTATION, header.how.as_bytes());
        cx.close(open, len);
    }
}
