//! What messages carry, by its media type: lines of text, JSON, forms, XML, images. Shown as layers, as Wireshark does;
//! their insides are left to other tools.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::{FieldDef, Protocol, protocol};
use crate::protocols::json::{self, JSON};
use crate::table::{line, split};

protocol! { LINES "data-text-lines" "TEXT" "Line-based text data"; }
protocol! { XML "xml" "XML" "eXtensible Markup Language"; }
protocol! { FORM "urlencoded-form" "FORM" "HTML Form URL Encoded";
    KEY: text "urlencoded-form.key" "Key";
    VALUE: text "urlencoded-form.value" "Value";
}
protocol! { MULTIPART "mime_multipart" "MIME multipart" "MIME Multipart Media Encapsulation";
    PART_TYPE: text "mime_multipart.header.content-type" "Content-Type";
    PART_ENCODING: text "mime_multipart.header.content-transfer-encoding" "Content-Transfer-Encoding";
    PART_DISPOSITION: text "mime_multipart.header.content-disposition" "Content-Disposition";
    PART_ID: text "mime_multipart.header.content-id" "Content-ID";
    PART_DESCRIPTION: text "mime_multipart.header.content-description" "Content-Description";
}
protocol! { MEDIA "media" "Media" "Media Type";
    TYPE: bytes "media.type" "Media type";
}
protocol! { PNG "png" "PNG" "Portable Network Graphics"; }
protocol! { GIF "image-gif" "GIF image" "Compuserve GIF"; }
protocol! { JPEG "image-jfif" "JFIF (JPEG) image" "JPEG File Interchange Format"; }

/// Whether a type has a layer of its own: others are the media layer's, or nobody's.
pub(crate) fn is_known(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    matches!(std::str::from_utf8(&kind), Ok(kind) if layer_of(kind).is_some() || kind.starts_with("multipart/") || matches!(kind, "application/dns-message" | "application/octet-stream"))
}

/// The layer of a media type, by Wireshark's names.
fn layer_of(kind: &str) -> Option<&'static Protocol> {
    Some(match kind {
        "application/json"
        | "application/json-rpc"
        | "application/problem+json"
        | "application/dns+json"
        | "application/jwk+json"
        | "application/jwk-set+json"
        | "application/manifest+json"
        | "application/geo+json"
        | "application/vnd.api+json"
        | "application/x-ndjson"
        | "application/json-patch+json"
        | "text/json" => &JSON,
        "application/x-www-form-urlencoded" => &FORM,
        "image/png" => &PNG,
        "image/gif" => &GIF,
        "image/jpeg" | "image/jpg" | "image/jfif" => &JPEG,
        "text/xml"
        | "application/xml"
        | "image/svg+xml"
        | "application/xhtml+xml"
        | "application/rss+xml"
        | "application/atom+xml"
        | "application/soap+xml"
        | "application/pidf+xml"
        | "application/reginfo+xml"
        | "application/resource-lists+xml"
        | "application/simple-message-summary+xml"
        | "application/watcherinfo+xml"
        | "application/conference-info+xml"
        | "application/im-iscomposing+xml"
        | "application/rlmi+xml" => &XML,
        "text/plain"
        | "text/html"
        | "text/css"
        | "text/javascript"
        | "text/richtext"
        | "text/enriched"
        | "text/parameters"
        | "text/xml-external-parsed-entity"
        | "text/vnd.sun.j2me.app-descriptor"
        | "application/xml-external-parsed-entity"
        | "application/x-javascript"
        | "application/x-ns-proxy-autoconfig" => &LINES,
        _ => return None,
    })
}

/// Bytes of a media type; parameters may follow it.
pub(crate) fn dissect(cx: &mut Context<'_>, kind: &[u8], data: Data<'_>) {
    let whole_kind = kind;
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let Ok(kind) = std::str::from_utf8(&kind) else { return };
    if data.is_empty() {
        return;
    }
    let protocol = match (layer_of(kind), kind) {
        // Images begin with what they are, whatever they are called.
        (Some(protocol), _) if is_image(protocol) => match image(data.bytes) {
            Some(found) if std::ptr::eq(found, protocol) || std::ptr::eq(found, &PNG) => found,
            Some(found) if std::ptr::eq(protocol, &PNG) => found,
            _ => return other(cx, data),
        },
        (Some(protocol), _) => protocol,
        (None, "application/dns-message") => return super::dns::datagram(cx, data, false),
        (None, "message/rfc822") => return super::imf::dissect(cx, data),
        (None, "application/grpc-web" | "application/grpc-web+proto") => {
            return super::grpc::body(cx, data, None, &super::grpc::Form::default());
        }
        (None, "application/octet-stream") => return super::data::show(cx, data),
        (None, kind) if kind.starts_with("multipart/") => return multipart(cx, whole_kind, data),
        (None, _) => return other(cx, data),
    };
    if std::ptr::eq(protocol, &JSON) {
        return json::dissect(cx, data);
    }
    if std::ptr::eq(protocol, &FORM) {
        return form(cx, data);
    }
    show(cx, protocol, data);
    let is_xml = data.bytes.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"<?xml"));
    if std::ptr::eq(protocol, &LINES) && is_xml {
        show(cx, &XML, data);
    }
}

fn other(cx: &mut Context<'_>, data: Data<'_>) {
    cx.layer(&MEDIA, data, |cx, c| {
        c.all(cx, &TYPE);
        Ok(())
    });
}

fn is_image(protocol: &'static Protocol) -> bool {
    [&PNG, &GIF, &JPEG].into_iter().any(|image| std::ptr::eq(image, protocol))
}

/// Which image bytes are, by what each begins with.
fn image(bytes: &[u8]) -> Option<&'static Protocol> {
    let begins = |with: &[u8]| bytes.starts_with(with);
    if begins(b"\x89PNG") {
        Some(&PNG)
    } else if begins(b"GIF87a") || begins(b"GIF89a") {
        Some(&GIF)
    } else if begins(&[0xFF, 0xD8]) {
        Some(&JPEG)
    } else {
        None
    }
}

/// So many pairs are shown.
const PAIRS_MAX: usize = 1000;

/// What a form was filled in with (URL Standard 5.1).
fn form(cx: &mut Context<'_>, data: Data<'_>) {
    cx.layer(&FORM, data, |cx, c| {
        let mut rest = data;
        for _ in 0..PAIRS_MAX {
            let (pair, after) = split(rest, b'&');
            rest = after;
            // Between two separators may be nothing.
            if !pair.is_empty() {
                let (key, value) = split(pair, b'=');
                cx.add_words(&KEY, key, &unescaped(key.bytes));
                cx.add_words(&VALUE, value, &unescaped(value.bytes));
            }
            if rest.is_empty() {
                break;
            }
        }
        c.skip(c.left())
    });
}

/// A plus stands for a space, and a percent sign and two digits for a byte.
fn unescaped(words: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let (mut plain, mut at) = (Vec::with_capacity(words.len()), 0);
    while let Some(byte) = words.get(at) {
        let pair = (words.get(at + 1).and_then(digit), words.get(at + 2).and_then(digit));
        match (byte, pair) {
            (b'%', (Some(high), Some(low))) => {
                plain.push(high << 4 | low);
                at += 2;
            }
            (b'+', _) => plain.push(b' '),
            (byte, _) => plain.push(*byte),
        }
        at += 1;
    }
    plain
}

/// Headers of parts with a field of their own.
static PART_HEADERS: [(&str, &FieldDef); 5] = [
    ("content-type", &PART_TYPE),
    ("content-transfer-encoding", &PART_ENCODING),
    ("content-disposition", &PART_DISPOSITION),
    ("content-id", &PART_ID),
    ("content-description", &PART_DESCRIPTION),
];

/// Parts between lines of a boundary, each with headers of its own (RFC 2046 5.1): the headers are shown in a layer
/// over all of them, what they carry in layers behind it.
fn multipart(cx: &mut Context<'_>, kind: &[u8], data: Data<'_>) {
    let mut bodies: Vec<(Data<'_>, Data<'_>)> = Vec::new();
    cx.layer(&MULTIPART, data, |cx, c| {
        let text = String::from_utf8_lossy(kind);
        let boundary = text.split(';').find_map(|part| {
            let (name, word) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| word.trim().trim_matches('"'))
        });
        if let Some(boundary) = boundary.filter(|word| !word.is_empty()) {
            let mark = format!("--{boundary}").into_bytes();
            let mut starts = delimiters(data.bytes, &mark);
            let mut start = starts.next();
            for end in starts.take(PARTS_MAX) {
                let begins = start.replace(end).unwrap_or(0) + mark.len();
                let (kind, body) = part(cx, data.from(begins).first(end.saturating_sub(begins)));
                // The line's end before the boundary belongs to the boundary.
                bodies.push((kind, body.first(body.len().saturating_sub(2))));
            }
            // The last boundary may be missing: the part behind the only one goes on to the end, as in Wireshark.
            let only = start.filter(|_| bodies.is_empty()).map(|start| data.from(start + mark.len()));
            if let Some(only) = only.filter(|only| !only.bytes.starts_with(b"--")) {
                bodies.push(part(cx, only));
            }
        }
        c.skip(c.left())
    });
    cx.deeper(|cx| {
        for (kind, body) in bodies {
            // It is text by default (RFC 2046 5.2), but in forms anything; Wireshark shows it as data.
            if kind.is_empty() {
                super::data::show(cx, body);
            } else {
                dissect(cx, kind.bytes, body);
            }
        }
    });
}

/// Where lines begin that are a boundary (RFC 2046 5.1.1): the mark, two hyphens behind the last one, spaces.
fn delimiters<'b>(bytes: &'b [u8], mark: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let mut next = Some(0);
    let lines = std::iter::from_fn(move || {
        let at = next?;
        next = bytes[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1);
        Some(at)
    });
    lines.filter(move |at| {
        bytes[*at..].strip_prefix(mark).is_some_and(|rest| {
            let rest = rest.strip_prefix(b"--").unwrap_or(rest);
            rest.first().is_none_or(u8::is_ascii_whitespace)
        })
    })
}

/// So many parts are shown.
const PARTS_MAX: usize = 64;

/// Shows the headers of a part. Gives its type, and what it carries.
fn part<'d>(cx: &mut Context<'_>, whole: Data<'d>) -> (Data<'d>, Data<'d>) {
    let mut kind = whole.first(0);
    let mut rest = whole.from(2);
    while let Some((text, used)) = line(&rest) {
        if text.is_empty() {
            rest = rest.from(used);
            break;
        }
        let full = super::imf::unfolded(rest, used);
        rest = rest.from(full.len());
        let (name, value) = split(full, b':');
        let spaces = value.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let value = value.from(spaces);
        let value = value.first(value.bytes.trim_ascii_end().len());
        let known = PART_HEADERS.iter().find(|(word, _)| name.bytes.eq_ignore_ascii_case(word.as_bytes()));
        if let Some((word, def)) = known {
            cx.add_words(def, full, &compact(value.bytes));
            if *word == "content-type" {
                kind = value;
            }
        }
    }
    (kind, rest)
}

/// A header's value as Wireshark shows it: without spaces behind separators, and with one where there are several or where
/// its lines are joined; what stands in quotes is left alone.
fn compact(value: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let (mut is_quoted, mut has_space) = (false, false);
    for byte in value {
        if !is_quoted && byte.is_ascii_whitespace() {
            has_space = true;
            continue;
        }
        let is_separator = |byte: &u8| matches!(byte, b';' | b',' | b'=');
        if std::mem::take(&mut has_space) && !is_separator(byte) && !out.last().is_none_or(is_separator) {
            out.push(b' ');
        }
        is_quoted ^= *byte == b'"';
        out.push(*byte);
    }
    out
}

/// Lines of text.
pub(crate) fn lines(cx: &mut Context<'_>, data: Data<'_>) {
    show(cx, &LINES, data);
}

fn show(cx: &mut Context<'_>, protocol: &'static Protocol, data: Data<'_>) {
    cx.layer(protocol, data, |_, c| c.skip(c.left()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    /// The layers that a body has.
    fn layers(kind: &str, body: &[u8]) -> Vec<&'static str> {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        dissect(&mut cx, kind.as_bytes(), Data { bytes: body, at: 0, source: 0 });
        arena.layers.iter().map(|protocol| protocol.layer.name).collect()
    }

    #[test]
    fn a_boundary_that_begins_another_is_none() {
        let body = b"--a\r\n\r\nx\r\n--a\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--ab\r\n--a--\r\n";
        let shown = layers("multipart/mixed; boundary=a", body);
        assert_eq!(shown, ["mime_multipart", "data", "png"]);
    }

    #[test]
    fn an_image_is_what_it_begins_with() {
        assert_eq!(layers("image/gif", b"GIF89a."), ["image-gif"]);
        assert_eq!(layers("image/png", b"GIF89a."), ["image-gif"]);
        assert_eq!(layers("image/gif", b"\x89PNG...."), ["png"]);
        assert_eq!(layers("image/jpeg", b"<html>"), ["media"]);
    }

    #[test]
    fn between_the_pairs_of_a_form_may_be_nothing() {
        for (form, pairs) in [(&b"a=1&&b=2"[..], 2), (b"&a=1", 1), (b"a=1&", 1), (b"&", 0)] {
            let (mut arena, mut state) = (Arena::new(), State::default());
            let mut cx = Context::new(&mut arena, &mut state, 1, 0);
            dissect(&mut cx, b"application/x-www-form-urlencoded", Data { bytes: form, at: 0, source: 0 });
            assert_eq!(arena.fields.iter().filter(|field| field.def.is(&KEY)).count(), pairs, "{form:?}");
        }
    }

    #[test]
    fn parts_within_parts_end_somewhere() {
        let block = [&[b'-'; 70][..], b"\r\nContent-Type: multipart/x;boundary=-\r\n\r\n"].concat();
        assert!(layers("multipart/x;boundary=-", &block.repeat(20)).len() <= 1);
        let deep: Vec<u8> = (0..20_000)
            .flat_map(|level| {
                let (own, next) = (level, level + 1);
                format!("--{own}\r\nContent-Type: multipart/x;boundary={next}\r\n\r\n").into_bytes()
            })
            .chain((0..20_000).rev().flat_map(|level| format!("\r\n--{level}--\r\n").into_bytes()))
            .collect();
        let shown = layers("multipart/x;boundary=0", &deep);
        assert!((8..64).contains(&shown.len()), "{} layers", shown.len());
    }
}
