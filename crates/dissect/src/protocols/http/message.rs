//! A message: its first line, its headers, and what they say of a body.

use super::content::{self, Said};
use super::line::{Kind, kind_of, line_of};
use super::*;
use crate::cursor::Short;
use crate::field::FieldDef;
use crate::protocols::tls::TLS;
use crate::table::digits;

/// Headers with a field of their own.
static HEADERS: [(&str, &FieldDef); 30] = [
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
    ("http2-settings", &HTTP2_SETTINGS),
    ("sec-websocket-key", &WEBSOCKET_KEY),
    ("sec-websocket-accept", &WEBSOCKET_ACCEPT),
    ("sec-websocket-version", &WEBSOCKET_VERSION),
    ("sec-websocket-protocol", &WEBSOCKET_PROTOCOL),
    ("sec-websocket-extensions", &WEBSOCKET_EXTENSIONS),
];

/// What the lines before a body said.
#[derive(Default)]
struct Head<'d> {
    kind: Option<Kind>,
    status: u16,
    /// What a request asks for, and of whom.
    uri: Option<&'d [u8]>,
    host: Option<&'d [u8]>,
    said: Said<'d>,
    to_websocket: bool,
    /// WebSocket's messages may be compressed.
    deflates: bool,
}

impl Head<'_> {
    /// The server goes over to another protocol.
    fn switches(&self) -> bool {
        self.kind == Some(Kind::Response) && self.status == 101
    }
}

/// Shows a message, or what goes on of one. Gives its length.
pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read<usize> {
    let head = head(cx, c, session)?;
    if head.to_websocket {
        cx.upgraded = Some(Box::new(websocket::Session::new(head.deflates)));
    }
    session.switched = head.switches() && !head.to_websocket && !session.is_http2;
    if let Some(length) = head.said.length {
        cx.conclude(&CONTENT_LENGTH, length as u64);
    }
    conclusions(cx, &head, session);
    let rest = c.rest();
    let none = match head.kind {
        Some(Kind::Request) => !head.said.chunked,
        Some(Kind::Response) => head.status / 100 == 1 || matches!(head.status, 204 | 304),
        Some(Kind::Notification) | None => false,
    };
    let len = match head.said.length {
        Some(length) if !head.said.chunked => rest.len().min(length),
        _ if none => 0,
        _ => rest.len(),
    };
    if head.kind == Some(Kind::Response) && head.status == 200 && session.method == Method::Connect {
        let port = session.through.rsplit(|byte| *byte == b':').next();
        session.connected =
            port.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
    }
    let used = content::show(cx, rest.first(len), &head.said);
    Ok(c.pos + used)
}

/// What the message is, and what it has to do with those before it.
fn conclusions(cx: &mut Context<'_>, head: &Head<'_>, session: &mut Session) {
    let is_sealed = cx.arena.layers.iter().any(|layer| layer.layer.is(&TLS.layer));
    let is_connect = head.kind == Some(Kind::Request) && session.method == Method::Connect;
    match (head.host, head.uri) {
        (Some(host), Some(uri)) => {
            let full = uri::full(is_sealed, is_connect, host, uri);
            cx.conclude_words(&FULL_URI, &full);
            session.turns.ask_for(&full);
        }
        (None, Some(uri)) if is_connect => session.turns.ask_for(uri),
        _ => {}
    }
    match head.kind {
        Some(Kind::Response) => {
            cx.conclude(&RESPONSE, 1);
            session.turns.response(cx);
        }
        Some(Kind::Request) => {
            cx.conclude(&REQUEST, 1);
            session.turns.request(cx);
        }
        Some(Kind::Notification) => cx.conclude(&NOTIFICATION, 1),
        None => {}
    }
}

/// The lines before a body, and the empty one that ends them.
fn head<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, session: &mut Session) -> Read<Head<'d>> {
    let mut head = Head::default();
    let mut is_begun = false;
    while let Some((line, used)) = line_of(c.rest().bytes).or_else(|| last_line(c)) {
        let full = c.rest().first(used);
        let text = full.first(line.len());
        if line.is_empty() {
            c.skip(used)?;
            break;
        }
        if let Some(found) = kind_of(line) {
            head.kind = Some(found);
            (head.status, head.uri) = first_line(cx, text, found, session);
        } else if let Some((name, value)) = header(line) {
            header_line(cx, full, name, value, &mut head);
            if head.switches() && name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"h2c")
            {
                session.is_http2 = true;
                session.inner = App::Http2(Box::default());
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
    Ok(head)
}

/// The rest of the bytes as a line, where no end of one is waited for.
fn last_line<'d>(c: &Cursor<'d>) -> Option<(&'d [u8], usize)> {
    let rest = c.rest().bytes;
    let line = rest.strip_suffix(b"\r").unwrap_or(rest);
    (!rest.is_empty()).then_some((line, rest.len()))
}

/// A header's name and value.
pub(super) fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// Shows a header, and keeps what it says of what follows.
fn header_line<'d>(cx: &mut Context<'_>, full: Data<'d>, name: &[u8], value: &'d [u8], head: &mut Head<'d>) {
    match head.kind {
        Some(Kind::Response) => cx.add(&RESPONSE_LINE, full, 0, full.len(), 0),
        Some(Kind::Request) => cx.add(&REQUEST_LINE, full, 0, full.len(), 0),
        Some(Kind::Notification) | None => {}
    }
    let known = HEADERS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
    let Some((word, def)) = known else {
        if matches!(head.kind, Some(Kind::Notification) | None) {
            cx.add(&OTHER_LINE, full, 0, full.len(), 0);
        }
        return;
    };
    cx.add_words(def, full, value);
    match *word {
        "host" => head.host = Some(value),
        "cookie" => uri::parts_of(cx, &COOKIE_PAIR, full, value, b';'),
        "http2-settings" => uri::http2_settings(cx, value),
        "authorization" | "proxy-authorization" => uri::credentials(cx, full, value),
        "content-length" => {
            head.said.length = super::length::told(value);
        }
        "content-type" => head.said.kind = value,
        "transfer-encoding" => {
            head.said.chunked = value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
        }
        "content-encoding" => {
            head.said.coding = if value.eq_ignore_ascii_case(b"identity") { b"" } else { value };
        }
        "upgrade" => head.to_websocket |= head.switches() && value.eq_ignore_ascii_case(b"websocket"),
        "sec-websocket-extensions" => head.deflates = value.starts_with(b"permessage-deflate"),
        _ => {}
    }
}

/// A request's or response's first line. Gives the status and what was asked for.
fn first_line<'d>(
    cx: &mut Context<'_>,
    text: Data<'d>,
    kind: Kind,
    session: &mut Session,
) -> (u16, Option<&'d [u8]>) {
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
        // Three digits; others are none, as in Wireshark.
        if code.len() != 3 {
            return (0, None);
        }
        let status = digits(code.bytes) as u16;
        cx.add(&CODE, code, 0, code.len(), u64::from(status));
        match CODE.name_of(u64::from(status)) {
            Some(name) => cx.conclude_words(&CODE_DESC, name.as_bytes()),
            None => cx.conclude_words(&CODE_DESC, format!("Unknown ({status})").as_bytes()),
        }
        if !phrase.is_empty() {
            cx.add(&PHRASE, phrase, 0, phrase.len(), 0);
        }
        return (status, None);
    }
    let (method, uri, version) = (word(false), word(false), word(true));
    cx.add(&METHOD, method, 0, method.len(), 0);
    cx.add(&URI, uri, 0, uri.len(), 0);
    cx.depth += 1;
    uri::parts(cx, uri);
    cx.depth -= 1;
    cx.add(&REQUEST_VERSION, version, 0, version.len(), 0);
    session.seen = true;
    session.method = match method.bytes {
        b"HEAD" => Method::Head,
        b"CONNECT" => Method::Connect,
        _ => Method::Other,
    };
    if session.method == Method::Connect {
        session.through = uri.bytes[..uri.len().min(300)].to_vec();
    }
    (0, Some(uri.bytes))
}
