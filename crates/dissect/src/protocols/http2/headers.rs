//! The lines of a header block, and the fields that well-known headers have of their own. HTTP/3 shows its headers under
//! the same names.

use crate::context::Context;
use crate::field::{FieldDef, Kind, protocol};
use crate::protocols::headers::Header;
use crate::protocols::headers::hpack::Line;

protocol! { HEADERS "http2" "HTTP2" "HyperText Transfer Protocol 2";
    BLOCK_LENGTH: u32 "http2.header.length" "Header Length";
    COUNT: u32 "http2.header.count" "Header Count";
    HEADER: none "http2.header" "Header";
    NAME_LENGTH: u32 "http2.header.name.length" "Name Length";
    NAME: text "http2.header.name" "Name";
    VALUE_LENGTH: u32 "http2.header.value.length" "Value Length";
    VALUE: text "http2.header.value" "Value";
    REPRESENTATION: text "http2.header.repr" "Representation";
    INDEX: u32 "http2.header.index" "Index";
    RESIZE: none "http2.header_table_size_update" "Header table size update";
    TABLE_SIZE: u32 "http2.header_table_size_update.header_table_size" "Header table size";
    AUTHORITY: text "http2.headers.authority" ":authority";
    STATUS: u16 "http2.headers.status" ":status";
    PATH: text "http2.headers.path" ":path";
    METHOD: text "http2.headers.method" ":method";
    SCHEME: text "http2.headers.scheme" ":scheme";
    ACCEPT: text "http2.headers.accept" "accept";
    ACCEPT_CHARSET: text "http2.headers.accept_charset" "accept-charset";
    ACCEPT_ENCODING: text "http2.headers.accept_encoding" "accept-encoding";
    ACCEPT_LANGUAGE: text "http2.headers.accept_language" "accept-language";
    ACCEPT_RANGES: text "http2.headers.accept_ranges" "accept-ranges";
    ACCESS_CONTROL_ALLOW_ORIGIN: text "http2.headers.access_control_allow_origin" "access-control-allow-origin";
    AGE: u64 "http2.headers.age" "age";
    ALLOW: text "http2.headers.allow" "allow";
    AUTHORIZATION: text "http2.headers.authorization" "authorization";
    CACHE_CONTROL: text "http2.headers.cache_control" "cache-control";
    CONTENT_DISPOSITION: text "http2.headers.content_disposition" "content-disposition";
    CONTENT_ENCODING: text "http2.headers.content_encoding" "content-encoding";
    CONTENT_LANGUAGE: text "http2.headers.content_language" "content-language";
    CONTENT_LENGTH: u64 "http2.headers.content_length" "content-length";
    CONTENT_LOCATION: text "http2.headers.content_location" "content-location";
    CONTENT_RANGE: text "http2.headers.content_range" "content-range";
    CONTENT_TYPE: text "http2.headers.content_type" "content-type";
    COOKIE: text "http2.headers.cookie" "cookie";
    DATE: text "http2.headers.date" "date";
    ETAG: text "http2.headers.etag" "etag";
    EXPECT: text "http2.headers.expect" "expect";
    EXPIRES: text "http2.headers.expires" "expires";
    FROM: text "http2.headers.from" "from";
    IF_MATCH: text "http2.headers.if_match" "if-match";
    IF_MODIFIED_SINCE: text "http2.headers.if_modified_since" "if-modified-since";
    IF_NONE_MATCH: text "http2.headers.if_none_match" "if-none-match";
    IF_RANGE: text "http2.headers.if_range" "if-range";
    IF_UNMODIFIED_SINCE: text "http2.headers.if_unmodified_since" "if-unmodified-since";
    LAST_MODIFIED: text "http2.headers.last_modified" "last-modified";
    LINK: text "http2.headers.link" "link";
    LOCATION: text "http2.headers.location" "location";
    MAX_FORWARDS: u64 "http2.headers.max_forwards" "max-forwards";
    PROXY_AUTHENTICATE: text "http2.headers.proxy_authenticate" "proxy-authenticate";
    PROXY_AUTHORIZATION: text "http2.headers.proxy_authorization" "proxy-authorization";
    RANGE: text "http2.headers.range" "range";
    REFERER: text "http2.headers.referer" "referer";
    REFRESH: text "http2.headers.refresh" "refresh";
    RETRY_AFTER: text "http2.headers.retry_after" "retry-after";
    SERVER: text "http2.headers.server" "server";
    SET_COOKIE: text "http2.headers.set_cookie" "set-cookie";
    STRICT_TRANSPORT_SECURITY: text "http2.headers.strict_transport_security" "strict-transport-security";
    USER_AGENT: text "http2.headers.user_agent" "user-agent";
    VARY: text "http2.headers.vary" "vary";
    VIA: text "http2.headers.via" "via";
    WWW_AUTHENTICATE: text "http2.headers.www_authenticate" "www-authenticate";
    FULL_URI: text "http2.request.full_uri" "Full request URI";
}

/// Headers with a field of their own.
static KNOWN: [(&str, &FieldDef); 50] = [
    (":authority", &AUTHORITY),
    (":status", &STATUS),
    (":path", &PATH),
    (":method", &METHOD),
    (":scheme", &SCHEME),
    ("accept", &ACCEPT),
    ("accept-charset", &ACCEPT_CHARSET),
    ("accept-encoding", &ACCEPT_ENCODING),
    ("accept-language", &ACCEPT_LANGUAGE),
    ("accept-ranges", &ACCEPT_RANGES),
    ("access-control-allow-origin", &ACCESS_CONTROL_ALLOW_ORIGIN),
    ("age", &AGE),
    ("allow", &ALLOW),
    ("authorization", &AUTHORIZATION),
    ("cache-control", &CACHE_CONTROL),
    ("content-disposition", &CONTENT_DISPOSITION),
    ("content-encoding", &CONTENT_ENCODING),
    ("content-language", &CONTENT_LANGUAGE),
    ("content-length", &CONTENT_LENGTH),
    ("content-location", &CONTENT_LOCATION),
    ("content-range", &CONTENT_RANGE),
    ("content-type", &CONTENT_TYPE),
    ("cookie", &COOKIE),
    ("date", &DATE),
    ("etag", &ETAG),
    ("expect", &EXPECT),
    ("expires", &EXPIRES),
    ("from", &FROM),
    ("if-match", &IF_MATCH),
    ("if-modified-since", &IF_MODIFIED_SINCE),
    ("if-none-match", &IF_NONE_MATCH),
    ("if-range", &IF_RANGE),
    ("if-unmodified-since", &IF_UNMODIFIED_SINCE),
    ("last-modified", &LAST_MODIFIED),
    ("link", &LINK),
    ("location", &LOCATION),
    ("max-forwards", &MAX_FORWARDS),
    ("proxy-authenticate", &PROXY_AUTHENTICATE),
    ("proxy-authorization", &PROXY_AUTHORIZATION),
    ("range", &RANGE),
    ("referer", &REFERER),
    ("refresh", &REFRESH),
    ("retry-after", &RETRY_AFTER),
    ("server", &SERVER),
    ("set-cookie", &SET_COOKIE),
    ("strict-transport-security", &STRICT_TRANSPORT_SECURITY),
    ("user-agent", &USER_AGENT),
    ("vary", &VARY),
    ("via", &VIA),
    ("www-authenticate", &WWW_AUTHENTICATE),
];

/// Shows the lines of a block.
pub(super) fn show(cx: &mut Context<'_>, lines: &[Line<'_>]) {
    let headers =
        || lines.iter().filter_map(|line| if let Line::Header(header) = line { Some(header) } else { None });
    // Wireshark counts the text of names and values, and four bytes for the lengths of each.
    let length: usize = headers().map(|header| header.name.len() + header.value.len() + 8).sum();
    cx.conclude(&BLOCK_LENGTH, length as u64);
    // Updates of the table's size count, too.
    cx.conclude(&COUNT, lines.len() as u64);
    for line in lines {
        match line {
            Line::Header(header) => {
                let open = cx.open(&HEADER, header.at, 0, 0);
                self::header(cx, header);
                cx.close(open, header.at.len());
            }
            Line::Resize(size, at) => {
                let open = cx.open(&RESIZE, *at, 0, 0);
                cx.add(&TABLE_SIZE, *at, 0, at.len(), *size);
                cx.close(open, at.len());
            }
        }
    }
    let value = |name: &[u8]| headers().find(|header| header.name == name).map(|header| &header.value);
    if let (Some(scheme), Some(host), Some(path)) = (value(b":scheme"), value(b":authority"), value(b":path"))
    {
        cx.conclude_words(&FULL_URI, &[&scheme[..], b"://", host, path].concat());
    }
}

/// Shows a header, within what was opened for it.
pub(crate) fn header(cx: &mut Context<'_>, header: &Header<'_>) {
    let (at, len) = (header.at, header.at.len());
    cx.add(&NAME_LENGTH, at, 0, len, header.name.len() as u64);
    cx.add_words(&NAME, at, &header.name);
    cx.add(&VALUE_LENGTH, at, 0, len, header.value.len() as u64);
    cx.add_words(&VALUE, at, &header.value);
    if let Some((_, def)) = KNOWN.iter().find(|(name, _)| name.as_bytes() == header.name) {
        if def.kind == Kind::Text {
            cx.add_words(def, at, &header.value);
        } else if let Some(number) =
            std::str::from_utf8(&header.value).ok().and_then(|text| text.parse().ok())
        {
            cx.add(def, at, 0, len, number);
        }
    }
    cx.conclude_words(&REPRESENTATION, header.how.as_bytes());
    if header.index > 0 {
        cx.add(&INDEX, at, 0, len, header.index);
    }
}
