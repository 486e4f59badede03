//! What messages carry, by its media type: lines of text, JSON, forms, XML, images. Shown as layers, as Wireshark does;
//! their insides are left to other tools.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Protocol, protocol};

protocol! { LINES "data-text-lines" "TEXT" "Line-based text data"; }
protocol! { JSON "json" "JSON" "JavaScript Object Notation"; }
protocol! { XML "xml" "XML" "eXtensible Markup Language"; }
protocol! { FORM "urlencoded-form" "FORM" "HTML Form URL Encoded"; }
protocol! { MULTIPART "mime_multipart" "MIME multipart" "MIME Multipart Media Encapsulation"; }
protocol! { MEDIA "media" "Media" "Media Type";
    TYPE: text "media.type" "Media type";
}
protocol! { PNG "png" "PNG" "Portable Network Graphics"; }
protocol! { GIF "image-gif" "GIF image" "Compuserve GIF"; }
protocol! { JPEG "image-jfif" "JFIF (JPEG) image" "JPEG File Interchange Format"; }

/// Bytes of a media type; parameters may follow it.
pub(crate) fn dissect(cx: &mut Context<'_>, kind: &[u8], data: Data<'_>) {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    let Ok(kind) = std::str::from_utf8(&kind) else { return };
    let protocol: &'static Protocol = match kind {
        "application/json" | "application/json-rpc" | "application/problem+json" | "application/dns+json" => {
            &JSON
        }
        "application/x-www-form-urlencoded" => &FORM,
        "image/png" => &PNG,
        "image/gif" => &GIF,
        "image/jpeg" | "image/jpg" | "image/jfif" => &JPEG,
        "text/xml"
        | "application/xml"
        | "image/svg+xml"
        | "application/xhtml+xml"
        | "application/soap+xml" => &XML,
        "application/dns-message" => return super::dns::datagram(cx, data, false),
        kind if kind.starts_with("text/") || kind == "application/javascript" => &LINES,
        "application/x-javascript" | "application/x-ns-proxy-autoconfig" => &LINES,
        kind if kind.starts_with("multipart/") => &MULTIPART,
        _ => {
            return cx.layer(&MEDIA, data, |cx, c| {
                c.all(cx, &TYPE);
                Ok(())
            });
        }
    };
    show(cx, protocol, data);
}

/// Lines of text.
pub(crate) fn lines(cx: &mut Context<'_>, data: Data<'_>) {
    show(cx, &LINES, data);
}

fn show(cx: &mut Context<'_>, protocol: &'static Protocol, data: Data<'_>) {
    cx.layer(protocol, data, |_, c| c.skip(c.left()));
}
