//! What messages carry, by its media type: lines of text, JSON, forms, XML, images. Shown as layers, as Wireshark does;
//! their insides are left to other tools.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Protocol, protocol};
use crate::table::{line, split};

protocol! { LINES "data-text-lines" "TEXT" "Line-based text data"; }
protocol! { JSON "json" "JSON" "JavaScript Object Notation"; }
protocol! { XML "xml" "XML" "eXtensible Markup Language"; }
protocol! { FORM "urlencoded-form" "FORM" "HTML Form URL Encoded"; }
protocol! { MULTIPART "mime_multipart" "MIME multipart" "MIME Multipart Media Encapsulation"; }
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
        | "application/soap+xml" => &XML,
        "application/javascript" | "application/x-javascript" | "application/x-ns-proxy-autoconfig" => &LINES,
        kind if kind.starts_with("text/") => &LINES,
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
        (Some(protocol), _) => protocol,
        (None, "application/dns-message") => return super::dns::datagram(cx, data, false),
        (None, "application/grpc-web" | "application/grpc-web+proto") => {
            return super::grpc::body(cx, data, None, &super::grpc::Form::default());
        }
        (None, "application/octet-stream") => return super::data::show(cx, data),
        (None, kind) if kind.starts_with("multipart/") => return multipart(cx, whole_kind, data),
        (None, _) => {
            return cx.layer(&MEDIA, data, |cx, c| {
                c.all(cx, &TYPE);
                Ok(())
            });
        }
    };
    show(cx, protocol, data);
    let is_xml = data.bytes.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"<?xml"));
    if std::ptr::eq(protocol, &LINES) && is_xml {
        show(cx, &XML, data);
    }
}

/// Parts between lines of a boundary, each with headers of its own (RFC 2046 5.1).
fn multipart(cx: &mut Context<'_>, kind: &[u8], data: Data<'_>) {
    show(cx, &MULTIPART, data);
    let text = String::from_utf8_lossy(kind);
    let boundary = text
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary=").map(|word| word.trim_matches('"')));
    let Some(boundary) = boundary.filter(|word| !word.is_empty()) else { return };
    let mark = format!("--{boundary}");
    let mut marks = data.bytes.windows(mark.len()).enumerate();
    let mut starts =
        std::iter::from_fn(|| marks.find(|(_, bytes)| *bytes == mark.as_bytes()).map(|(at, _)| at));
    let Some(mut start) = starts.next() else { return };
    for end in starts.take(PARTS_MAX) {
        part(cx, data.from(start + mark.len()).first(end - start - mark.len()));
        start = end;
    }
}

/// So many parts are shown.
const PARTS_MAX: usize = 64;

fn part(cx: &mut Context<'_>, whole: Data<'_>) {
    let mut kind: &[u8] = b"text/plain";
    let mut rest = whole.from(2);
    while let Some((text, used)) = line(&rest) {
        rest = rest.from(used);
        if text.is_empty() {
            break;
        }
        let (name, value) = split(text, b':');
        if name.bytes.eq_ignore_ascii_case(b"content-type") {
            kind = value.bytes.trim_ascii();
        }
    }
    // The line's end before the boundary belongs to the boundary.
    dissect(cx, kind, rest.first(rest.len().saturating_sub(2)));
}

/// Lines of text.
pub(crate) fn lines(cx: &mut Context<'_>, data: Data<'_>) {
    show(cx, &LINES, data);
}

fn show(cx: &mut Context<'_>, protocol: &'static Protocol, data: Data<'_>) {
    cx.layer(protocol, data, |_, c| c.skip(c.left()));
}
