//! SIP (RFC 3261) over UDP and TCP.

mod headers;

pub(crate) use headers::HEADERS;

use super::spoken::{Length, Spoken, Talk};
use super::{media, sdp};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::protocol;
use crate::table::{digits, split};

protocol! { SIP "sip" "SIP" "Session Initiation Protocol";
    REQUEST_LINE: text "sip.Request-Line" "Request-Line";
    METHOD: text "sip.Method" "Method";
    URI: text "sip.r-uri" "Request-URI";
    URI_USER: text "sip.r-uri.user" "Request-URI User Part";
    URI_HOST: text "sip.r-uri.host" "Request-URI Host Part";
    URI_PORT: text "sip.r-uri.port" "Request-URI Host Port";
    STATUS_LINE: text "sip.Status-Line" "Status-Line";
    STATUS_CODE: u32 "sip.Status-Code" "Status-Code";
    HEADER: text "sip.msg_hdr" "Message Header";
}
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &SIP, ports: &[5060], eager: false, begins: Some(looks_like), length, show };

const METHODS: [&[u8]; 14] = [
    b"INVITE ",
    b"ACK ",
    b"BYE ",
    b"CANCEL ",
    b"OPTIONS ",
    b"REGISTER ",
    b"PRACK ",
    b"SUBSCRIBE ",
    b"NOTIFY ",
    b"PUBLISH ",
    b"INFO ",
    b"REFER ",
    b"MESSAGE ",
    b"UPDATE ",
];

/// Whether bytes begin a message: a response, or a request by one of the usual methods.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let is_usual = bytes.starts_with(b"SIP/") || METHODS.iter().any(|method| bytes.starts_with(method));
    is_usual && is_message(bytes)
}

fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    if bytes.first().is_some_and(|byte| !byte.is_ascii()) {
        return Length::Foreign;
    }
    if bytes.contains(&b'\n') && !is_message(bytes) {
        return Length::Whole(bytes.len());
    }
    let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return Length::More };
    let head = &bytes[..end + 4];
    let body = head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = line[..colon].trim_ascii();
        let is_length = name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l");
        is_length.then(|| digits(line[colon + 1..].trim_ascii()))
    });
    Length::Whole(head.len().saturating_add(body.unwrap_or(0) as usize))
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, _: &mut Talk, _: usize) -> Read {
    message(cx, c, false)
}

/// Whether a datagram on SIP's port is a message, as its first line tells: a version and a code of three digits, or a
/// method, an address with a scheme, and a version. Others keep a NAT's binding alive.
pub(crate) fn is_message(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let mut words = bytes[..end].splitn(3, |byte| *byte == b' ');
    let (first, second, third) = (words.next(), words.next().unwrap_or_default(), words.next());
    let is_version = |word: Option<&[u8]>| word == Some(b"SIP/2.0");
    if bytes[..end].contains(&0) {
        false
    } else if is_version(first) {
        second.len() == 3 && second.iter().all(u8::is_ascii_digit) && third.is_some()
    } else {
        second.len() >= 3 && second[1..].contains(&b':') && is_version(third)
    }
}

/// The next line without its end, and how long it is with it: as in Wireshark a carriage return or the end of the packet
/// end one, too.
fn line(data: Data<'_>) -> (Data<'_>, usize) {
    let Some(end) = data.bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return (data, data.len());
    };
    let is_pair = data.bytes[end..].starts_with(b"\r\n");
    (data.first(end), end + if is_pair { 2 } else { 1 })
}

/// A message in a datagram.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    cx.layer(&SIP, payload, |cx, c| message(cx, c, true));
}

fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_datagram: bool) -> Read {
    let whole = c.data;
    if !is_datagram && !is_message(whole.bytes) {
        // Another protocol's, on SIP's port: as in Wireshark, the rest of a message that was not seen.
        return c.skip(c.left());
    }
    let (first, used) = line(whole);
    let mut status = 0;
    if first.bytes.starts_with(b"SIP/") {
        cx.add(&STATUS_LINE, first, 0, first.len(), 0);
        let code = first.from(8);
        cx.depth += 1;
        status = digits(code.bytes);
        cx.add(&STATUS_CODE, code, 0, 3.min(code.len()), status);
        cx.depth -= 1;
    } else {
        cx.add(&REQUEST_LINE, first, 0, first.len(), 0);
        cx.depth += 1;
        request(cx, first);
        cx.depth -= 1;
    }
    c.skip(used)?;
    let (mut kind, mut call, mut sequence): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    let open = cx.open(&HEADER, whole.from(used), 0, 0);
    while !c.is_done() {
        let (text, used) = line(c.rest());
        if text.is_empty() {
            c.skip(used)?;
            break;
        }
        let (name, value) = split(text, b':');
        let is = |long: &[u8], short: &[u8]| {
            [long, short].iter().any(|known| name.bytes.trim_ascii().eq_ignore_ascii_case(known))
        };
        if is(b"call-id", b"i") {
            call = value.bytes.trim_ascii();
        } else if is(b"cseq", b"cseq") {
            sequence = value.bytes.trim_ascii();
        }
        if name.bytes.eq_ignore_ascii_case(b"content-type") || name.bytes.eq_ignore_ascii_case(b"c") {
            kind = value.bytes.trim_ascii();
        }
        headers::show(cx, name.bytes.trim_ascii(), value);
        c.skip(used)?;
    }
    let body = c.rest();
    // As in Wireshark, the heading spans the body, too: a filter on it finds words in either.
    cx.close(open, whole.len().saturating_sub(used));
    if !body.is_empty() {
        if kind.starts_with(b"application/sdp") {
            let frame = if is_datagram { announced_in(cx, status, call, sequence) } else { cx.number };
            sdp::dissect(cx, body, frame);
        } else if !kind.is_empty() {
            media::dissect(cx, kind, body);
        }
    }
    Ok(())
}

fn request(cx: &mut Context<'_>, first: Data<'_>) {
    let (method, rest) = split(first, b' ');
    let (uri, _) = split(rest, b' ');
    cx.add(&METHOD, method, 0, method.len(), 0);
    cx.add(&URI, uri, 0, uri.len(), 0);
    cx.depth += 1;
    headers::uri_parts(cx, uri, [&URI_USER, &URI_HOST, &URI_PORT], None);
    cx.depth -= 1;
}

/// The frame that counts as the one that announced media: of a request sent again the first, of the answer that accepts
/// the request's, as in Wireshark, which looks for neither over TCP.
fn announced_in(cx: &mut Context<'_>, code: u64, call: &[u8], sequence: &[u8]) -> u64 {
    let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    const WORDS_MAX: usize = 256;
    let mut words = [call, sequence].concat();
    words.truncate(WORDS_MAX);
    match code {
        _ if cx.is_quoted => cx.number,
        0 => match cx.state.offers.get(&(from, to, words.clone())) {
            Some(first) => first,
            None => {
                cx.state.offers.insert((from, to, words), cx.number);
                cx.number
            }
        },
        200..=299 => cx.state.offers.get(&(to, from, words)).unwrap_or(cx.number),
        _ => cx.number,
    }
}
