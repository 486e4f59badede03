//! HTTP/1.x (RFC 9112): a message is shown when all of it is there. What follows a request on its connection is taken
//! for HTTP, whatever it looks like; a body without a length ends with the connection.
//!
//! - `line`: where lines end, and what a first line begins. `length`: where a message ends.
//! - `message`: headers. `uri`: what an address is made of. `content`: bodies.
//! - `turns`: which response belongs to which request. `torn`: where to read on behind missing bytes.

mod content;
mod length;
mod line;
mod message;
mod torn;
mod turns;
mod uri;

pub(crate) use content::{UNPACKED, WITHOUT_CHUNKS};
pub(crate) use line::looks_like;
pub(crate) use turns::Turns;

use super::ports::{self, App};
use super::websocket;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use line::{Kind, kind_of, line_of};

/// What status codes are called (RFC 9110 15), in Wireshark's words.
static STATUSES: Names = &[
    (100, "Continue"),
    (101, "Switching Protocols"),
    (102, "Processing"),
    (103, "Early Hints"),
    (200, "OK"),
    (201, "Created"),
    (202, "Accepted"),
    (203, "Non-authoritative Information"),
    (204, "No Content"),
    (205, "Reset Content"),
    (206, "Partial Content"),
    (207, "Multi-Status"),
    (208, "Already Reported"),
    (226, "IM Used"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Found"),
    (303, "See Other"),
    (304, "Not Modified"),
    (305, "Use Proxy"),
    (307, "Temporary Redirect"),
    (308, "Permanent Redirect"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Time-out"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (412, "Precondition Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Requested Range Not Satisfiable"),
    (417, "Expectation Failed"),
    (418, "I'm a teapot"),
    (421, "Misdirected Request"),
    (422, "Unprocessable Entity"),
    (423, "Locked"),
    (424, "Failed Dependency"),
    (426, "Upgrade Required"),
    (428, "Precondition Required"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (451, "Unavailable For Legal Reasons"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Gateway Time-out"),
    (505, "HTTP Version not supported"),
    (507, "Insufficient Storage"),
    (511, "Network Authentication Required"),
];

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
    CODE: u16 "http.response.code" "Status Code", names(STATUSES);
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
    HTTP2_SETTINGS: text "http.http2_settings" "HTTP2-Settings";
    FILE_DATA: text "http.file_data" "File Data";
    PROXY_HOST: text "http.proxy_connect_host" "Proxy-Connect-Hostname";
    PROXY_PORT: u16 "http.proxy_connect_port" "Proxy-Connect-Port";
    FULL_URI: text "http.request.full_uri" "Full request URI";
    URI_PATH: text "http.request.uri.path" "Request URI Path";
    URI_QUERY: text "http.request.uri.query" "Request URI Query";
    URI_PARAMETER: text "http.request.uri.query.parameter" "Request URI Query Parameter";
    CODE_DESC: text "http.response.code.desc" "Status Code Description";
    COOKIE_PAIR: text "http.cookie_pair" "Cookie pair";
    CREDENTIALS: text "http.authbasic" "Credentials";
    CHUNK_SIZE: u32 "http.chunk_size" "Chunk size";
    CHUNK_DATA: bytes "http.chunk_data" "Chunk data";
    CHUNK_BOUNDARY: bytes "http.chunk_boundary" "Chunk boundary";
    WEBSOCKET_KEY: text "http.sec_websocket_key" "Sec-WebSocket-Key";
    WEBSOCKET_ACCEPT: text "http.sec_websocket_accept" "Sec-WebSocket-Accept";
    WEBSOCKET_VERSION: text "http.sec_websocket_version" "Sec-WebSocket-Version";
    WEBSOCKET_PROTOCOL: text "http.sec_websocket_protocol" "Sec-WebSocket-Protocol";
    WEBSOCKET_EXTENSIONS: text "http.sec_websocket_extensions" "Sec-WebSocket-Extensions";
    REQUEST_NUMBER: u32 "http.request_number" "Request number";
    RESPONSE_NUMBER: u32 "http.response_number" "Response number";
    REQUEST_IN: frame "http.request_in" "Request in frame";
    PREV_REQUEST_IN: frame "http.prev_request_in" "Prev request in frame";
    PREV_RESPONSE_IN: frame "http.prev_response_in" "Prev response in frame";
    RESPONSE_FOR: text "http.response_for.uri" "Request URI";
    TIME: relative "http.time" "Time since request";
}

protocol! { SSDP "ssdp" "SSDP" "Simple Service Discovery Protocol"; }

/// A datagram by which UPnP finds its devices: a message of HTTP in a layer of its own.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let ends = (ends.0.min(ends.1), ends.0.max(ends.1));
    let turns = cx.state.ssdp.remove(&ends).unwrap_or_default();
    let mut session = Session { turns, ..Session::default() };
    cx.layer(&SSDP, payload, |cx, c| message::show(cx, c, &mut session).map(drop));
    cx.state.ssdp.insert(ends, session.turns);
}

/// What is remembered of a connection that speaks HTTP/1.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// A request was seen: what comes belongs to HTTP, whatever it looks like.
    seen: bool,
    /// The last request's method, as far as it matters for the response.
    method: Method,
    /// The last response was 200 to CONNECT: another protocol is spoken through the proxy, to this port.
    connected: Option<u16>,
    /// Where CONNECT wants to go.
    through: Vec<u8>,
    /// The server went over to something that is not known here.
    switched: bool,
    /// Both went over to HTTP/2, or began with it.
    is_http2: bool,
    inner: App,
    turns: Turns,
    /// For each side, what is known of its missing bytes.
    torn: [torn::Torn; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Method {
    #[default]
    Other,
    Head,
    Connect,
}

/// Messages on a stream. Gives how many bytes were used.
pub(crate) fn stream(cx: &mut Context<'_>, session: &mut Session, side: usize, bytes: Data<'_>) -> usize {
    if let Some(port) = session.connected {
        return through(cx, session, side, bytes, port);
    }
    let mut used = session.torn_length(cx, side, bytes.bytes);
    let mut is_first = true;
    if used > 0 {
        show(cx, &mut is_first, bytes.first(used), |cx, c| {
            super::data::show(cx, c.data);
            c.skip(c.left())
        });
    }
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
    // The last colon: an address of IPv6 has others.
    let place = session.through.iter().rposition(|byte| *byte == b':').unwrap_or(0);
    let host = &session.through[..place];
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
    if line.is_none() && cx.can_wait && bytes.len() <= length::HEAD_MAX {
        return None;
    }
    let line = line.map_or(bytes.bytes, |(line, _)| line);
    let kind = kind_of(line);
    if let Some(kind) = kind {
        let bodiless = kind == Kind::Response && length::is_bodiless(session, line);
        if cx.can_wait && !length::is_whole(cx, bytes.bytes, kind, bodiless) {
            return None;
        }
    }
    let looks = line.contains(&b':') || line.is_empty();
    if kind.is_none() && !session.seen && !looks {
        return Some(whole.len());
    }
    let mut total = 0;
    show(cx, is_first, bytes, |cx, c| {
        let result = message::show(cx, c, session);
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
