//! What addresses, cookies and credentials are made of.

use super::{CREDENTIALS, URI_PARAMETER, URI_PATH, URI_QUERY};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::FieldDef;
use crate::protocols::http2;

/// So many parts are shown.
const PARTS_MAX: usize = 256;

/// An address with a query: its path, and the query with its parameters (RFC 3986 3.4).
pub(super) fn parts(cx: &mut Context<'_>, uri: Data<'_>) {
    let Some(mark) = uri.bytes.iter().position(|byte| *byte == b'?') else { return };
    let query = uri.from(mark + 1);
    if query.is_empty() {
        return;
    }
    cx.add(&URI_PATH, uri, 0, mark, 0);
    cx.add(&URI_QUERY, query, 0, query.len(), 0);
    cx.depth += 1;
    let mut at = 0;
    for part in query.bytes.split(|byte| *byte == b'&').take(PARTS_MAX) {
        cx.add(&URI_PARAMETER, query, at, part.len(), 0);
        at += part.len() + 1;
    }
    cx.depth -= 1;
}

/// The parts of a header's value.
pub(super) fn parts_of(
    cx: &mut Context<'_>,
    def: &'static FieldDef,
    full: Data<'_>,
    value: &[u8],
    between: u8,
) {
    cx.depth += 1;
    for part in value.split(|byte| *byte == between).map(<[u8]>::trim_ascii).take(PARTS_MAX) {
        if !part.is_empty() {
            cx.add_words(def, full, part);
        }
    }
    cx.depth -= 1;
}

/// The full address of what is asked for.
pub(super) fn full(is_sealed: bool, is_connect: bool, host: &[u8], uri: &[u8]) -> Vec<u8> {
    let begins = |word: &[u8]| uri.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    // A proxy is told all of it.
    if begins(b"http://") || begins(b"https://") || is_connect {
        return uri.to_vec();
    }
    let scheme: &[u8] = if is_sealed { b"https://" } else { b"http://" };
    [scheme, host, uri].concat()
}

/// Name and password, which are hidden from nobody (RFC 7617).
pub(super) fn credentials(cx: &mut Context<'_>, full: Data<'_>, value: &[u8]) {
    let Some((scheme, encoded)) = value.split_at_checked(6) else { return };
    if scheme.eq_ignore_ascii_case(b"basic ")
        && let Some(plain) = from_base64(encoded.trim_ascii())
    {
        cx.depth += 1;
        cx.add_words(&CREDENTIALS, full, &plain);
        cx.depth -= 1;
    }
}

/// The settings of HTTP/2 that a client sends along when it asks for it (RFC 7540 3.2.1).
pub(super) fn http2_settings(cx: &mut Context<'_>, value: &[u8]) {
    // In the alphabet for URLs (RFC 4648 5).
    let usual = |letter: &u8| match letter {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let encoded: Vec<u8> = value.iter().map(usual).collect();
    if let Some(plain) = from_base64(&encoded) {
        cx.depth += 1;
        cx.with_source("HTTP2-Settings", plain, |cx, plain| {
            // What is damaged ends there.
            let _damaged = http2::settings(cx, &mut plain.cursor());
        });
        cx.depth -= 1;
    }
}

/// What base64 stands for (RFC 4648 4); `None`: it is none.
fn from_base64(encoded: &[u8]) -> Option<Vec<u8>> {
    let letters = encoded.strip_suffix(b"==").or_else(|| encoded.strip_suffix(b"=")).unwrap_or(encoded);
    let mut plain = Vec::with_capacity(letters.len() * 3 / 4);
    let (mut word, mut bits) = (0u32, 0);
    for letter in letters {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            plain.push((word >> bits) as u8);
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_whole() {
        let check = |is_sealed, host: &str, uri: &str, expected: &str| {
            let full = full(is_sealed, uri.ends_with(":443"), host.as_bytes(), uri.as_bytes());
            assert_eq!(String::from_utf8(full).unwrap(), expected);
        };
        check(false, "www.shop.lab", "/a?b=c", "http://www.shop.lab/a?b=c");
        check(true, "www.shop.lab", "/", "https://www.shop.lab/");
        check(false, "proxy", "http://www.shop.lab/", "http://www.shop.lab/");
        check(false, "www.shop.lab:443", "www.shop.lab:443", "www.shop.lab:443");
        check(false, "", "/", "http:///");
        check(false, "www.shop.lab", "", "http://www.shop.lab");
    }

    #[test]
    fn base64_is_read_with_and_without_its_end() {
        assert_eq!(from_base64(b"dGVzdDpmYWlsMg==").unwrap(), b"test:fail2");
        assert_eq!(from_base64(b"dGVzdDpmYWlsMg").unwrap(), b"test:fail2");
        assert_eq!(from_base64(b"").unwrap(), b"");
        assert!(from_base64(b"a b").is_none());
    }
}
