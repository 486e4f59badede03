//! What a healthy site says.
//!
//! - [`answer`]: from a request's head to a status, headers and a body.
//! - [`pattern`]: the bytes of `/bytes/N` and `/object/N`, which tell where in the file they belong.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::{Answer, Site};

/// Objects that `/page30` refers to.
pub const OBJECTS: u64 = 30;
/// Size of `/object/N` in bytes.
pub const OBJECT_BYTES: u64 = 20_000;
/// The largest `/bytes/N`: 1 TB.
pub const BYTES_MAX: u64 = 1_000_000_000_000;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// Without TLS.
    Plain,
    /// TLS over TCP.
    Tls,
    /// HTTP/3.
    Quic,
}

/// An answer without its date.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

/// What the body consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// These bytes.
    Text(Bytes),
    /// This many bytes of [`pattern`] with this salt.
    Pattern { salt: u64, length: u64 },
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        match self {
            Content::Text(bytes) => bytes.len() as u64,
            Content::Pattern { length, .. } => *length,
        }
    }
}

/// The answer of `site` to a request for `path` of `host`. `uploaded`: bytes of its body.
pub(super) fn answer(
    site: &Site,
    via: Via,
    method: &Method,
    host: Option<&str>,
    path: &str,
    uploaded: u64,
) -> Reply {
    let mut reply = match &site.behaviour.answer {
        Answer::Redirect(to) if via != Via::Plain || site.certificate.is_none() => {
            redirect(StatusCode::FOUND, to)
        }
        Answer::Status { code, retry_after } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = short(status);
            if let Some(seconds) = retry_after {
                reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            reply
        }
        Answer::Page | Answer::Never | Answer::Close | Answer::Redirect(_) | Answer::Bytes { .. } => {
            page(site, via, method, host, path, uploaded)
        }
    };
    reply.headers.insert(header::SERVER, HeaderValue::from_static("thru-lab"));
    reply.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(reply.content.length()));
    if let Some(value) = site.alt_svc.as_ref().filter(|_| via == Via::Tls)
        && let Ok(value) = HeaderValue::from_str(value)
    {
        reply.headers.insert(header::ALT_SVC, value);
    }
    reply
}

fn page(site: &Site, via: Via, method: &Method, host: Option<&str>, path: &str, uploaded: u64) -> Reply {
    let redirect_to_tls =
        via == Via::Plain && site.plain == super::PlainHttp::Redirect && site.certificate.is_some();
    if redirect_to_tls {
        let host = host.unwrap_or(site.name());
        return redirect(StatusCode::MOVED_PERMANENTLY, &format!("https://{host}{path}"));
    }
    let (path, _query) = path.split_once('?').unwrap_or((path, ""));
    if path == "/upload" && method == Method::POST {
        return html_or_text("text/plain; charset=utf-8", format!("{uploaded} bytes\n"));
    }
    if method != Method::GET && method != Method::HEAD {
        let mut reply = short(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = if path == "/upload" { "POST" } else { "GET, HEAD" };
        reply.headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        return reply;
    }
    match path {
        "/" => html_or_text("text/html; charset=utf-8", home(site.name())),
        "/page30" => html_or_text("text/html; charset=utf-8", page30(site.name())),
        "/redirect" => redirect(StatusCode::FOUND, "/"),
        "/loop" => redirect(StatusCode::FOUND, "/loop"),
        _ => counted(path),
    }
}

/// The paths that end in a number.
fn counted(path: &str) -> Reply {
    let number = |prefix| path.strip_prefix(prefix).and_then(|digits| digits.parse::<u64>().ok());
    if let Some(object) = number("/object/").filter(|object| *object < OBJECTS) {
        return binary(Content::Pattern { salt: object + 1, length: OBJECT_BYTES });
    }
    if let Some(length) = number("/bytes/").filter(|length| *length <= BYTES_MAX) {
        return binary(Content::Pattern { salt: 0, length });
    }
    if let Some(status) = number("/status/").and_then(|code| u16::try_from(code).ok())
        && (200..600).contains(&status)
        && let Ok(status) = StatusCode::from_u16(status)
    {
        return short(status);
    }
    short(StatusCode::NOT_FOUND)
}

fn html_or_text(content_type: &'static str, text: String) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Reply { status: StatusCode::OK, headers, content: Content::Text(text.into()) }
}

fn binary(content: Content) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Reply { status: StatusCode::OK, headers, content }
}

fn redirect(status: StatusCode, to: &str) -> Reply {
    let mut reply = short(status);
    match HeaderValue::from_str(to) {
        Ok(to) => {
            reply.headers.insert(header::LOCATION, to);
            reply
        }
        Err(_) => short(StatusCode::BAD_REQUEST),
    }
}

/// A status that explains itself in a line; empty where a body is not allowed (RFC 9110 6.4.1).
fn short(status: StatusCode) -> Reply {
    let text = match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => String::new(),
        status => format!("{status}\n"),
    };
    Reply { status, ..html_or_text("text/plain; charset=utf-8", text) }
}

/// A shop's front page of about 48 kB: real HTML, the same for the same name.
fn home(name: &str) -> String {
    const SIZE: usize = 48_000;
    const THINGS: [&str; 16] = [
        "kettle",
        "lamp",
        "notebook",
        "bicycle bell",
        "teapot",
        "umbrella",
        "clock",
        "basket",
        "blanket",
        "chair",
        "compass",
        "jar",
        "mirror",
        "pencil case",
        "radio",
        "scarf",
    ];
    const KINDS: [&str; 12] = [
        "blue",
        "small",
        "folding",
        "wooden",
        "quiet",
        "striped",
        "travelling",
        "heavy",
        "patient",
        "round",
        "second",
        "northern",
    ];
    const PRAISE: [&str; 8] = [
        "Made to be used every day.",
        "It arrives in one piece, in order, and only once.",
        "Customers keep it longer than they meant to.",
        "Lighter than it looks.",
        "Repairable with one screwdriver.",
        "The handle is on the correct side.",
        "Tested at every distance.",
        "Comes with a spare.",
    ];
    let name = escape(name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <style>body{{font-family:sans-serif;max-width:60rem;margin:auto}}article{{border-top:1px solid #ccc}}</style>\n\
         </head>\n<body>\n<h1>{name}</h1>\n<p>Everything here is simulated, except the protocols that brought it.</p>\n"
    );
    let mut state = seed_of(name.as_bytes());
    let mut pick = |count: usize| {
        state = mix(state);
        usize::try_from(state % count as u64).expect("below a usize")
    };
    let mut number = 1;
    while page.len() < SIZE - 220 {
        let (kind, thing, praise) = (KINDS[pick(12)], THINGS[pick(16)], PRAISE[pick(8)]);
        let (price, cents) = (3 + pick(90), pick(100));
        writeln!(
            page,
            "<article id=\"item-{number}\"><h2>The {kind} {thing}</h2><p>{praise}</p>\
             <p class=\"price\">{price}.{cents:02}</p></article>"
        )
        .expect("writing to a string");
        number += 1;
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// A page that needs thirty more requests.
fn page30(name: &str) -> String {
    let name = escape(name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><title>{name}: 30 objects</title></head>\n<body>\n"
    );
    for object in 0..OBJECTS {
        writeln!(page, "<img src=\"/object/{object}\" alt=\"object {object}\">")
            .expect("writing to a string");
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `length` bytes of the endless file `salt`, from `offset`: eight-byte words that depend on their place,
/// so whatever is lost, doubled or swapped shows.
pub fn pattern(salt: u64, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 16);
    let skipped = usize::try_from(offset % 8).expect("below 8");
    let mut word = offset / 8;
    while bytes.len() < skipped + length {
        bytes.extend_from_slice(&mix(word ^ salt.rotate_right(8)).to_be_bytes());
        word += 1;
    }
    bytes.drain(..skipped);
    bytes.truncate(length);
    bytes
}

/// One step of a 64-bit mixer: neighbouring inputs give unrelated outputs.
fn mix(value: u64) -> u64 {
    let mut value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ value >> 32
}

fn seed_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |state, byte| mix(state ^ u64::from(*byte)))
}

/// The `Date` header (RFC 9110 5.6.7) of a time since the Unix epoch.
pub(super) fn http_date(since_epoch: Duration) -> HeaderValue {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The last second of year 9999, the last one the format can hold.
    let seconds = since_epoch.as_secs().min(253_402_300_799);
    let date = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let text = format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::from(date.weekday().number_days_from_monday())],
        date.day(),
        MONTHS[usize::from(u8::from(date.month())) - 1],
        date.year(),
        date.hour(),
        date.minute(),
        date.second()
    );
    HeaderValue::from_str(&text).expect("letters, digits and punctuation")
}

#[cfg(test)]
mod tests;
