//! HTTP/1.x (RFC 9112): a message is shown when all of it is there.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, protocol};

protocol! { HTTP "http" "HTTP" "Hypertext Transfer Protocol";
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
}

/// Headers with a field of their own.
static HEADERS: [(&str, &FieldDef); 17] = [
    ("host", &HOST),
    ("user-agent", &USER_AGENT),
    ("accept", &ACCEPT),
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

/// Whether bytes begin a message.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 9] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"HTTP/1."];
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

/// Messages on a stream. Gives how many bytes were used.
pub(crate) fn stream(cx: &mut Context<'_>, bytes: Data<'_>, one: bool) -> usize {
    let mut used = 0;
    while used == 0 || looks_like(bytes.from(used).bytes) {
        let next = bytes.from(used).bytes;
        let bodiless = answers_head(cx, next);
        let Some(total) = message_length(next, bodiless, &mut cx.wants) else { break };
        remember_head(cx, next);
        let message = bytes.from(used).first(total);
        if used == 0 {
            cx.layer(&HTTP, message, body)
        } else {
            cx.layer_again(&HTTP, message, body)
        }
        used += total;
        if one {
            break;
        }
    }
    let rest = bytes.from(used);
    if !one && used > 0 && rest.len() >= 8 && !looks_like(rest.bytes) {
        // A body without a length, which goes on until the connection ends.
        super::data::show(cx, rest);
        return bytes.len();
    }
    used
}

/// Whether bytes are a response without a body: those to HEAD, and to those that never have one (RFC 9110 6.4.1).
fn answers_head(cx: &mut Context<'_>, bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"HTTP/") {
        return false;
    }
    let status = bytes.get(9..12).unwrap_or_default();
    let (here, there) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    status.starts_with(b"1")
        || matches!(status, b"204" | b"304")
        || cx.state.heads.get(&(there, here)).is_some()
}

/// Remembers that a HEAD waits for its response, until it comes.
fn remember_head(cx: &mut Context<'_>, bytes: &[u8]) {
    let (here, there) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    if bytes.starts_with(b"HEAD ") {
        cx.state.heads.insert((here, there), ());
    } else if bytes.starts_with(b"HTTP/") && !cx.state.heads.is_empty() {
        cx.state.heads.remove(&(there, here));
    }
}

/// How long the message at the beginning of `bytes` is; `None`: it is not all there.
fn message_length(bytes: &[u8], bodiless: bool, wants: &mut usize) -> Option<usize> {
    let head = bytes.windows(4).take(HEAD_MAX).position(|end| end == b"\r\n\r\n")? + 4;
    if bodiless {
        return Some(head);
    }
    let (mut length, mut chunked) = (None, false);
    for line in bytes[..head].split(|byte| *byte == b'\n').skip(1) {
        let Some((name, value)) = header(line) else { continue };
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<usize>().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = value.to_ascii_lowercase().windows(7).any(|word| word == b"chunked");
        }
    }
    if chunked {
        return chunks_length(&bytes[head..]).map(|len| head + len);
    }
    let total = head.checked_add(length.unwrap_or(0))?;
    *wants = total;
    (total <= bytes.len()).then_some(total)
}

fn chunks_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).take(64).position(|end| end == b"\r\n")?;
        let digits = rest[..line].split(|byte| *byte == b';').next().unwrap_or_default();
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 16).ok()?;
        at = at.checked_add(line + 2)?.checked_add(size)?.checked_add(2)?;
        if at > bytes.len() {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let is_response = c.data.bytes.starts_with(b"HTTP/");
    first_line(cx, c, is_response)?;
    let switches = is_response && c.data.bytes.get(9..12) == Some(b"101");
    let (mut kind, mut chunked, mut encoded): (&[u8], _, _) = (b"", false, false);
    let mut length = None;
    loop {
        let line = take_line(c)?;
        if line.bytes.trim_ascii_end().is_empty() {
            break;
        }
        cx.add(if is_response { &RESPONSE_LINE } else { &REQUEST_LINE }, line, 0, line.len(), 0);
        let Some((name, value)) = header(line.bytes) else { continue };
        let known = HEADERS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
        if let Some((_, def)) = known {
            cx.add_words(def, line, value);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
        } else if name.eq_ignore_ascii_case(b"content-type") {
            kind = value;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            encoded = !value.eq_ignore_ascii_case(b"identity");
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            cx.upgraded |= switches && value.eq_ignore_ascii_case(b"websocket");
        }
    }
    if let Some(length) = length {
        cx.conclude(&CONTENT_LENGTH, length);
    }
    cx.conclude(if is_response { &RESPONSE } else { &REQUEST }, 1);
    let end = c.pos;
    let rest = c.take_most(usize::MAX);
    if rest.is_empty() {
        return Ok(());
    }
    c.pos = end;
    if chunked {
        let whole = unchunked(rest.bytes);
        cx.with_source(WITHOUT_CHUNKS, whole, |cx, whole| content(cx, whole, kind, encoded));
    } else {
        content(cx, rest, kind, encoded);
    }
    Ok(())
}

/// The source of a body that came in chunks.
pub(crate) const WITHOUT_CHUNKS: &str = "De-chunked entity body";

/// What a message carries, as what its type says it is.
fn content(cx: &mut Context<'_>, body: Data<'_>, kind: &[u8], encoded: bool) {
    if body.is_empty() {
        return;
    }
    if encoded {
        // What it is once it is unpacked: Wireshark unpacks it.
        super::media::dissect(cx, kind, body);
        return;
    }
    cx.add(&FILE_DATA, body, 0, body.len(), 0);
    if kind.is_empty() {
        super::data::show(cx, body);
    } else {
        super::media::dissect(cx, kind, body);
    }
}

/// A body without the lengths between its chunks.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = rest.windows(2).position(|end| end == b"\r\n") {
        let digits = rest[..line].split(|byte| *byte == b';').next().unwrap_or_default();
        let size =
            std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(chunk) = size.filter(|size| *size > 0).and_then(|size| rest.get(line + 2..line + 2 + size))
        else {
            break;
        };
        whole.extend_from_slice(chunk);
        rest = rest.get(line + 4 + chunk.len()..).unwrap_or_default();
    }
    whole
}

fn take_line<'d>(c: &mut Cursor<'d>) -> Read<Data<'d>> {
    let end = c.rest().bytes.iter().position(|byte| *byte == b'\n').ok_or(Short)?;
    c.take(end + 1)
}

fn first_line(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_response: bool) -> Read {
    let line = take_line(c)?;
    let text = line.first(line.bytes.trim_ascii_end().len());
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
    if is_response {
        let (version, code, phrase) = (word(false), word(false), word(true));
        cx.add(&RESPONSE_VERSION, version, 0, version.len(), 0);
        let number = std::str::from_utf8(code.bytes).ok().and_then(|text| text.parse::<u16>().ok());
        cx.add(&CODE, code, 0, code.len(), u64::from(number.unwrap_or(0)));
        cx.add(&PHRASE, phrase, 0, phrase.len(), 0);
    } else {
        let (method, uri, version) = (word(false), word(false), word(true));
        cx.add(&METHOD, method, 0, method.len(), 0);
        cx.add(&URI, uri, 0, uri.len(), 0);
        cx.add(&REQUEST_VERSION, version, 0, version.len(), 0);
    }
    Ok(())
}
