//! HTTP/1.x (RFC 9112): a message is shown when all of it is there. What follows a request on its connection is taken
//! for HTTP, whatever it looks like; a body without a length ends with the connection.

use super::ports::{self, App};
use super::websocket;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, protocol};

protocol! { HTTP "http" "HTTP" "Hypertext Transfer Protocol";
    ACCEPT_ENCODING: text "http.accept_encoding" "Accept Encoding";
    ACCEPT_LANGUAGE: text "http.accept_language" "Accept-Language";
    AUTHORIZATION: text "http.authorization" "Authorization";
    PROXY_AUTHORIZATION: text "http.proxy_authorization" "Proxy-Authorization";
    PROXY_AUTHENTICATE: text "http.proxy_authenticate" "Proxy-Authenticate";
    WWW_AUTHENTICATE: text "http.www_authenticate" "WWW-Authenticate";
    FORWARDED_FOR: text "http.x_forwarded_for" "X-Forwarded-For";
    REQUEST: bool "http.request" "Request";
    RESPONSE: bool "http.response" "Response";
    METHOD: text "http.request.method" "Request Method";
    URI: text "http.request.uri" "Request URI";
    REQUEST_VERSION: text "http.request.version" "Request Version";
    RESPONSE_VERSION: text "http.response.version" "Response Version";
    CODE: u16 "http.response.code" "Status Code";
    PHRASE: text "http.response.phrase" "Response Phrase";
    REQUEST_LINE: text "http.request.line" "Request line";
    RESPONSE_LINE: text "http.response.line" "Response line";
    OTHER_LINE: text "http.unknown_header" "Unknown header";
    NOTIFICATION: bool "http.notification" "Notification";
    HOST: text "http.host" "Host";
    USER_AGENT: text "http.user_agent" "User-Agent";
    ACCEPT: text "http.accept" "Accept";
    CONTENT_TYPE: text "http.content_type" "Content-Type";
    CONTENT_LENGTH_HEADER: text "http.content_length_header" "Content-Length";
    CONTENT_LENGTH: u64 "http.content_length" "Content length";
    CONTENT_ENCODING: text "http.content_encoding" "Content-Encoding";
    TRANSFER_ENCODING: text "http.transfer_encoding" "Transfer-Encoding";
    CONNECTION: text "http.connection" "Connection";
    COOKIE: text "http.cookie" "Cookie";
    SET_COOKIE: text "http.set_cookie" "Set-Cookie";
    REFERER: text "http.referer" "Referer";
    LOCATION: text "http.location" "Location";
    SERVER: text "http.server" "Server";
    DATE: text "http.date" "Date";
    LAST_MODIFIED: text "http.last_modified" "Last-Modified";
    CACHE_CONTROL: text "http.cache_control" "Cache-Control";
    UPGRADE: text "http.upgrade" "Upgrade";
    FILE_DATA: text "http.file_data" "File Data";
    PROXY_HOST: text "http.proxy_connect_host" "Proxy-Connect-Hostname";
    PROXY_PORT: u16 "http.proxy_connect_port" "Proxy-Connect-Port";
}

protocol! { SSDP "ssdp" "SSDP" "Simple Service Discovery Protocol"; }

/// A datagram by which UPnP finds its devices: a message of HTTP in a layer of its own.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    cx.layer(&SSDP, payload, |cx, c| body(cx, c, &mut Session::default()).map(drop));
}

/// Headers with a field of their own.
static HEADERS: [(&str, &FieldDef); 24] = [
    ("host", &HOST),
    ("user-agent", &USER_AGENT),
    ("accept", &ACCEPT),
    ("accept-encoding", &ACCEPT_ENCODING),
    ("accept-language", &ACCEPT_LANGUAGE),
    ("authorization", &AUTHORIZATION),
    ("proxy-authorization", &PROXY_AUTHORIZATION),
    ("proxy-authenticate", &PROXY_AUTHENTICATE),
    ("www-authenticate", &WWW_AUTHENTICATE),
    ("x-forwarded-for", &FORWARDED_FOR),
    ("content-type", &CONTENT_TYPE),
    ("content-length", &CONTENT_LENGTH_HEADER),
    ("content-encoding", &CONTENT_ENCODING),
    ("transfer-encoding", &TRANSFER_ENCODING),
    ("connection", &CONNECTION),
    ("cookie", &COOKIE),
    ("set-cookie", &SET_COOKIE),
    ("referer", &REFERER),
    ("location", &LOCATION),
    ("server", &SERVER),
    ("date", &DATE),
    ("last-modified", &LAST_MODIFIED),
    ("cache-control", &CACHE_CONTROL),
    ("upgrade", &UPGRADE),
];

/// A message's headers are not longer.
const HEAD_MAX: usize = 128 << 10;

/// What is remembered of a connection that speaks HTTP/1.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// A request was seen: what comes belongs to HTTP, whatever it looks like.
    seen: bool,
    /// The last request's method, as far as it matters for the response.
    method: Method,
    /// The last response was 200 to CONNECT: another protocol is spoken through the proxy, to this port.
    connected: Option<u16>,
    uri: Vec<u8>,
    /// The server went over to something that is not known here.
    switched: bool,
    /// Both went over to HTTP/2, or began with it.
    is_http2: bool,
    inner: App,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Method {
    #[default]
    Other,
    Head,
    Connect,
}

/// The first words of messages, those of WebDAV and UPnP among them.
const METHODS: [&[u8]; 39] = [
    b"GET",
    b"PUT",
    b"COPY",
    b"HEAD",
    b"LOCK",
    b"MOVE",
    b"POLL",
    b"POST",
    b"BCOPY",
    b"BMOVE",
    b"MKCOL",
    b"TRACE",
    b"PATCH",
    b"LABEL",
    b"MERGE",
    b"DELETE",
    b"SEARCH",
    b"UNLOCK",
    b"REPORT",
    b"UPDATE",
    b"BDELETE",
    b"CONNECT",
    b"OPTIONS",
    b"CHECKIN",
    b"PROPFIND",
    b"CHECKOUT",
    b"CCM_POST",
    b"PROPPATCH",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"UNCHECKOUT",
    b"MKACTIVITY",
    b"MKWORKSPACE",
    b"RPC_CONNECT",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"VERSION-CONTROL",
    b"BASELINE-CONTROL",
    b"SSTP_DUPLEX_POST",
];

/// Whether bytes on a port that says nothing begin a message: their first line names HTTP/1.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some((line, _)) = line_of(bytes) else { return false };
    let is_version = |word: &[u8]| word.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"HTTP/1."));
    line.len() != 8 && (is_version(line) || line.len() > 8 && is_version(&line[line.len() - 8..]))
}

/// The line that bytes begin with, without its end, and with it. A line ends with CR, LF or both.
fn line_of(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match &bytes[end..] {
        [b'\r', b'\n', ..] => Some((&bytes[..end], end + 2)),
        [b'\r'] => None,
        _ => Some((&bytes[..end], end + 1)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
    /// Of UPnP: something happened, or somebody wants to be told of it.
    Notification,
}

/// What a first line begins.
fn kind_of(line: &[u8]) -> Option<Kind> {
    if line.starts_with(b"HTTP/") || line.starts_with(b"ICY") {
        return Some(Kind::Response);
    }
    let line = line.strip_prefix(b"M-").unwrap_or(line);
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    match word {
        b"NOTIFY" | b"SUBSCRIBE" | b"UNSUBSCRIBE" => Some(Kind::Notification),
        word => METHODS.contains(&word).then_some(Kind::Request),
    }
}

/// A status that has no body, or one whose length is nothing (RFC 9110 6.4.1).
fn is_bodiless(session: &Session, line: &[u8]) -> bool {
    let status = line.get(9..12).unwrap_or_default();
    match session.method {
        Method::Head => true,
        Method::Connect if status.first() == Some(&b'2') => true,
        _ => status.first() == Some(&b'1') || matches!(status, b"204" | b"304"),
    }
}

/// Messages on a stream. Gives how many bytes were used.
pub(crate) fn stream(cx: &mut Context<'_>, session: &mut Session, side: usize, bytes: Data<'_>) -> usize {
    if let Some(port) = session.connected {
        return through(cx, session, side, bytes, port);
    }
    let mut used = 0;
    let mut is_first = true;
    while used < bytes.len() {
        let rest = bytes.from(used);
        if !session.is_http2 && is_first && super::http2::looks_like(rest.bytes) {
            // A client that knows that the server speaks HTTP/2 (RFC 9113 3.3).
            session.is_http2 = true;
            session.inner = ports::App::Http2(Box::default());
        }
        if session.is_http2 && cx.can_wait && !super::http2::begins_whole(rest.bytes) {
            cx.wants = super::http2::frame_length(rest.bytes);
            return used;
        }
        if session.is_http2 {
            show(cx, &mut is_first, rest.first(0), |_, _| Ok(()));
            return used + ports::speak(cx, &mut session.inner, side, rest, false);
        }
        if session.switched {
            show(cx, &mut is_first, rest.first(0), |_, _| Ok(()));
            super::data::show(cx, rest);
            return bytes.len();
        }
        match message(cx, session, bytes.from(used), &mut is_first) {
            Some(len) => used += len,
            None => return used,
        }
        if cx.upgraded.is_some() || session.connected.is_some() {
            break;
        }
    }
    used
}

/// What goes through a proxy, as if it went to the port that was asked for.
fn through(cx: &mut Context<'_>, session: &mut Session, side: usize, bytes: Data<'_>, port: u16) -> usize {
    let nothing = bytes.first(0);
    let (host, number) = session.uri.split_at(session.uri.iter().position(|byte| *byte == b':').unwrap_or(0));
    let _ = number;
    cx.layer(&HTTP, nothing, |cx, _| {
        cx.conclude_words(&PROXY_HOST, host);
        cx.conclude(&PROXY_PORT, u64::from(port));
        Ok(())
    });
    if ports::is_http(port) {
        super::data::show(cx, bytes);
        return bytes.len();
    }
    let own = (cx.src_port, cx.dst_port);
    if ports::is_http(own.1) || !ports::is_http(own.0) && own.1 < own.0 {
        cx.dst_port = port;
    } else {
        cx.src_port = port;
    }
    let used = ports::speak(cx, &mut session.inner, side, bytes, false);
    (cx.src_port, cx.dst_port) = own;
    used
}

/// Shows the message that bytes begin with, or what goes on of one. Gives its length; nothing if it goes on.
fn message(
    cx: &mut Context<'_>,
    session: &mut Session,
    whole: Data<'_>,
    is_first: &mut bool,
) -> Option<usize> {
    let lead = if whole.len() > 3 && whole.bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let bytes = whole.from(lead);
    let begin = bytes.bytes[0];
    if !(0x20..0x7F).contains(&begin) {
        if session.seen {
            show(cx, is_first, whole, |cx, c| {
                super::data::show(cx, whole);
                c.skip(c.left())
            });
        }
        return Some(whole.len());
    }
    let line = line_of(bytes.bytes);
    if line.is_none() && cx.can_wait {
        return None;
    }
    let line = line.map_or(bytes.bytes, |(line, _)| line);
    let kind = kind_of(line);
    if let Some(kind) = kind {
        let bodiless = kind == Kind::Response && is_bodiless(session, line);
        if cx.can_wait && !is_whole(cx, bytes.bytes, kind, bodiless) {
            return None;
        }
    }
    let looks = line.contains(&b':') || line.is_empty();
    if kind.is_none() && !session.seen && !looks {
        return Some(whole.len());
    }
    let mut total = 0;
    show(cx, is_first, bytes, |cx, c| {
        let result = body(cx, c, session);
        total = result.unwrap_or(bytes.len());
        result.map(drop)
    });
    Some(lead + total)
}

/// Shows one message; the first of those that came together is a layer.
fn show(
    cx: &mut Context<'_>,
    is_first: &mut bool,
    bytes: Data<'_>,
    read: impl FnOnce(&mut Context<'_>, &mut Cursor<'_>) -> Read,
) {
    if std::mem::take(is_first) {
        cx.layer(&HTTP, bytes, read);
    } else {
        cx.layer_again(&HTTP, bytes, read);
    }
}

/// Whether all of a message is there; if not, what it wants is told.
fn is_whole(cx: &mut Context<'_>, bytes: &[u8], kind: Kind, bodiless: bool) -> bool {
    let (mut length, mut chunked) = (None, false);
    let mut at = 0;
    loop {
        let Some((line, used)) = line_of(&bytes[at..]) else { return false };
        at += used;
        if line.is_empty() {
            break;
        }
        if at > HEAD_MAX {
            return true;
        }
        if !bodiless && let Some((name, value)) = header(line) {
            if name.eq_ignore_ascii_case(b"content-length") {
                length = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
            }
        }
    }
    if bodiless || cx.stream_ends {
        return true;
    }
    if chunked {
        return chunks_length(&bytes[at..]) != Chunks::GoOn;
    }
    match (length, kind) {
        (Some(length), _) => {
            let total = at.saturating_add(length as usize);
            cx.wants = total;
            total <= bytes.len()
        }
        (None, Kind::Response) => {
            cx.until_fin = true;
            false
        }
        (None, Kind::Request | Kind::Notification) => true,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunks {
    /// They end after so many bytes.
    End(usize),
    GoOn,
    /// A length that is none.
    Broken,
}

fn chunks_length(bytes: &[u8]) -> Chunks {
    let mut at = 0;
    loop {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return Chunks::GoOn };
        let Some((line, used)) = line_of(rest) else { return Chunks::GoOn };
        let Some(size) = chunk_size(line) else { return Chunks::Broken };
        at += used;
        if size == 0 {
            let Some((_, used)) = line_of(&bytes[at..]) else { return Chunks::GoOn };
            return Chunks::End(at + used);
        }
        if bytes.len() - at + used <= size {
            return Chunks::GoOn;
        }
        at = at.saturating_add(size).saturating_add(2);
    }
}

/// The number before a chunk, if it is one.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let len = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = usize::from_str_radix(std::str::from_utf8(&digits[..len]).ok()?, 16).ok()?;
    (size <= 1 << 31).then_some(size)
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// What the headers said of a body.
#[derive(Default)]
struct Said<'h> {
    kind: &'h [u8],
    chunked: bool,
    coding: &'h [u8],
    length: Option<usize>,
}

/// A message, or what goes on of one. Gives its length.
fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read<usize> {
    let mut said = Said::default();
    let mut kind = None;
    let mut status = 0;
    let whole = c.data;
    let mut is_begun = false;
    let (mut switches, mut to_websocket, mut deflates) = (false, false, false);
    while let Some((line, used)) = line_of(c.rest().bytes).or_else(|| last_line(c)) {
        let full = c.rest().first(used);
        let text = full.first(line.len());
        if line.is_empty() {
            c.skip(used)?;
            break;
        }
        if let Some(found) = kind_of(line) {
            kind = Some(found);
            status = first_line(cx, text, found, session);
            switches = found == Kind::Response && status == 101;
        } else if let Some((name, value)) = header(line) {
            header_line(cx, full, name, value, kind, &mut said);
            if name.eq_ignore_ascii_case(b"upgrade") {
                to_websocket |= switches && value.eq_ignore_ascii_case(b"websocket");
                if switches && value.eq_ignore_ascii_case(b"h2c") {
                    session.is_http2 = true;
                    session.inner = ports::App::Http2(Box::default());
                }
            } else if switches && name.eq_ignore_ascii_case(b"sec-websocket-extensions") {
                deflates = value.starts_with(b"permessage-deflate");
            }
        } else {
            if is_begun && used == c.left() && line.len() == used {
                return Err(Short);
            }
            break;
        }
        is_begun = true;
        c.skip(used)?;
    }
    if to_websocket {
        cx.upgraded = Some(Box::new(websocket::Session::new(deflates)));
    }
    session.switched = switches && !to_websocket && !session.is_http2;
    if let Some(length) = said.length {
        cx.conclude(&CONTENT_LENGTH, length as u64);
    }
    match kind {
        Some(Kind::Response) => cx.conclude(&RESPONSE, 1),
        Some(Kind::Request) => cx.conclude(&REQUEST, 1),
        Some(Kind::Notification) => cx.conclude(&NOTIFICATION, 1),
        None => {}
    }
    let end = c.pos;
    let rest = c.take_most(usize::MAX);
    c.pos = end;
    let none = match kind {
        Some(Kind::Request) => !said.chunked,
        Some(Kind::Response) => status / 100 == 1 || matches!(status, 204 | 304),
        Some(Kind::Notification) | None => false,
    };
    let len = match said.length {
        Some(length) if !said.chunked => rest.len().min(length),
        _ if none => 0,
        _ => rest.len(),
    };
    if kind == Some(Kind::Response) && status == 200 && session.method == Method::Connect {
        let port =
            session.uri.rsplit(|byte| *byte == b':').next().and_then(|word| std::str::from_utf8(word).ok());
        session.connected = port.and_then(|word| word.parse().ok());
    }
    if len == 0 {
        return Ok(end);
    }
    let rest = rest.first(len);
    if !said.chunked {
        content(cx, rest, &said);
        return Ok(end + len);
    }
    let len = match chunks_length(rest.bytes) {
        Chunks::End(len) => len,
        _ => len,
    };
    let joined = unchunked(rest.bytes);
    if !joined.is_empty() {
        cx.with_source(WITHOUT_CHUNKS, joined, |cx, joined| content(cx, joined, &said));
    }
    let _ = whole;
    Ok(end + len)
}

/// The rest of the bytes as a line, where no end of one is waited for.
fn last_line<'d>(c: &Cursor<'d>) -> Option<(&'d [u8], usize)> {
    let rest = c.rest().bytes;
    let line = rest.strip_suffix(b"\r").unwrap_or(rest);
    (!rest.is_empty()).then_some((line, rest.len()))
}

/// A header; what it says of the body is kept.
fn header_line<'h>(
    cx: &mut Context<'_>,
    full: Data<'h>,
    name: &'h [u8],
    value: &'h [u8],
    kind: Option<Kind>,
    said: &mut Said<'h>,
) {
    match kind {
        Some(Kind::Response) => cx.add(&RESPONSE_LINE, full, 0, full.len(), 0),
        Some(Kind::Request) => cx.add(&REQUEST_LINE, full, 0, full.len(), 0),
        Some(Kind::Notification) | None => {}
    }
    let known = HEADERS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
    if known.is_none() && matches!(kind, Some(Kind::Notification) | None) {
        cx.add(&OTHER_LINE, full, 0, full.len(), 0);
    }
    if let Some((_, def)) = known {
        cx.add_words(def, full, value);
    }
    if name.eq_ignore_ascii_case(b"content-length") {
        said.length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    } else if name.eq_ignore_ascii_case(b"content-type") {
        said.kind = value;
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        said.chunked = value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
    } else if name.eq_ignore_ascii_case(b"content-encoding") {
        said.coding = if value.eq_ignore_ascii_case(b"identity") { b"" } else { value };
    }
}

/// The source of a body that came in chunks.
pub(crate) const WITHOUT_CHUNKS: &str = "De-chunked entity body";
/// The source of a body that was unpacked.
pub(crate) const UNPACKED: &str = "Uncompressed entity body";

/// What a message carries, as what its type says it is.
fn content(cx: &mut Context<'_>, body: Data<'_>, said: &Said<'_>) {
    if body.is_empty() {
        return;
    }
    if said.coding.is_empty() {
        return plain(cx, body, said.kind);
    }
    match super::packed::unpack(said.coding, body.bytes) {
        Some(bytes) => cx.with_source(UNPACKED, bytes, |cx, body| plain(cx, body, said.kind)),
        None => super::data::show(cx, body),
    }
}

fn plain(cx: &mut Context<'_>, body: Data<'_>, kind: &[u8]) {
    // The text ends where C's would.
    match body.bytes.iter().position(|byte| *byte == 0) {
        Some(end) => cx.add_words(&FILE_DATA, body, &body.bytes[..end]),
        None => cx.add(&FILE_DATA, body, 0, body.len(), 0),
    }
    if body.is_empty() {
        return;
    }
    if kind.is_empty() {
        super::data::show(cx, body);
    } else {
        super::media::dissect(cx, kind, body);
    }
}

/// A body without the lengths between its chunks.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some((line, used)) = line_of(rest) {
        let Some(size) = chunk_size(line).filter(|size| *size > 0) else { break };
        let Some(chunk) = rest.get(used..).map(|rest| &rest[..size.min(rest.len())]) else { break };
        whole.extend_from_slice(chunk);
        rest = rest.get(used + size + 2..).unwrap_or_default();
    }
    whole
}

/// A request's or response's first line. Gives the status.
fn first_line(cx: &mut Context<'_>, text: Data<'_>, kind: Kind, session: &mut Session) -> u16 {
    let mut at = 0;
    let mut word = |last: bool| {
        let rest = text.from(at);
        let len = if last {
            rest.len()
        } else {
            rest.bytes.iter().position(|byte| *byte == b' ').unwrap_or(rest.len())
        };
        at += len + 1;
        rest.first(len)
    };
    if kind == Kind::Response {
        let (version, code, phrase) = (word(false), word(false), word(true));
        cx.add(&RESPONSE_VERSION, version, 0, version.len(), 0);
        let number = std::str::from_utf8(code.bytes).ok().and_then(|text| text.parse::<u16>().ok());
        cx.add(&CODE, code, 0, code.len(), u64::from(number.unwrap_or(0)));
        if !phrase.is_empty() {
            cx.add(&PHRASE, phrase, 0, phrase.len(), 0);
        }
        return number.unwrap_or(0);
    }
    let (method, uri, version) = (word(false), word(false), word(true));
    cx.add(&METHOD, method, 0, method.len(), 0);
    cx.add(&URI, uri, 0, uri.len(), 0);
    cx.add(&REQUEST_VERSION, version, 0, version.len(), 0);
    session.seen = true;
    session.method = match method.bytes {
        b"HEAD" => Method::Head,
        b"CONNECT" => Method::Connect,
        _ => Method::Other,
    };
    session.uri = uri.bytes[..uri.len().min(300)].to_vec();
    0
}
