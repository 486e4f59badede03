//! Where a message ends (RFC 9112 6): by its length, its chunks, its status, or with the connection.

use super::line::{Kind, line_of};
use super::message::header;
use super::{Method, Session};
use crate::context::Context;

/// A message's headers are not longer.
pub(super) const HEAD_MAX: usize = 128 << 10;

/// A status that has no body, or one whose length is nothing (RFC 9110 6.4.1).
pub(super) fn is_bodiless(session: &Session, line: &[u8]) -> bool {
    let status = line.get(9..12).unwrap_or_default();
    match session.method {
        Method::Head => true,
        Method::Connect if status.first() == Some(&b'2') => true,
        _ => status.first() == Some(&b'1') || matches!(status, b"204" | b"304"),
    }
}

/// Whether all of a message is there; if not, what it wants is told.
pub(super) fn is_whole(cx: &mut Context<'_>, bytes: &[u8], kind: Kind, bodiless: bool) -> bool {
    let resume = std::mem::take(&mut cx.resume);
    let (mut length, mut chunked) = (None, false);
    let mut at = 0;
    loop {
        let Some((line, used)) = line_of(&bytes[at..]) else { return bytes.len() > HEAD_MAX };
        at += used;
        if line.is_empty() {
            break;
        }
        if at > HEAD_MAX {
            return true;
        }
        if !bodiless && let Some((name, value)) = header(line) {
            if name.eq_ignore_ascii_case(b"content-length") {
                length = told(value).and_then(|length| u32::try_from(length).ok());
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
            }
        }
    }
    if bodiless || cx.stream_ends {
        return true;
    }
    if chunked {
        let (chunks, place) = chunks_from(bytes, at.max(resume));
        // Only where the message itself waits: what lies within other streams is cut otherwise.
        if chunks == Chunks::GoOn && cx.streams == 1 {
            cx.resume = place;
        }
        return chunks != Chunks::GoOn;
    }
    match (length, kind) {
        (Some(length), _) => {
            let total = at.saturating_add(length as usize);
            cx.wants = total;
            total <= bytes.len()
        }
        (None, Kind::Response) => {
            cx.until_fin = true;
            false
        }
        (None, Kind::Request | Kind::Notification) => true,
    }
}

/// A body's length as its header has it; words may follow behind a space, as in Wireshark.
pub(super) fn told(value: &[u8]) -> Option<usize> {
    let number = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// They end after so many bytes.
    End(usize),
    GoOn,
    /// A length that is none.
    Broken,
}

pub(super) fn chunks_length(bytes: &[u8]) -> Chunks {
    chunks_from(bytes, 0).0
}

/// The same for chunks that begin at `at`, and the place of the one that is not whole: who looks again when more is there
/// goes on from it.
fn chunks_from(bytes: &[u8], mut at: usize) -> (Chunks, usize) {
    loop {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return (Chunks::GoOn, at) };
        let Some((line, used)) = line_of(rest) else { return (Chunks::GoOn, at) };
        let Some(size) = chunk_size(line) else { return (Chunks::Broken, at) };
        let data = at + used;
        if size == 0 {
            let end = trailers_length(&bytes[data..]);
            return (end.map_or(Chunks::GoOn, |len| Chunks::End(data + len)), at);
        }
        if bytes.len() - data + used <= size {
            return (Chunks::GoOn, at);
        }
        at = data.saturating_add(size).saturating_add(2);
    }
}

/// The lines behind the last chunk (RFC 9112 7.1.2), with the empty one that ends them; nothing if they go on.
fn trailers_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at <= HEAD_MAX {
        let Some((line, used)) = line_of(&bytes[at..]) else { break };
        at += used;
        if line.is_empty() {
            return Some(at);
        }
    }
    (bytes.len() > HEAD_MAX).then_some(at)
}

/// The number before a chunk, if it is one.
pub(super) fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let len = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = usize::from_str_radix(std::str::from_utf8(&digits[..len]).ok()?, 16).ok()?;
    (size <= 1 << 31).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_follow_a_length() {
        assert_eq!(told(b"68"), Some(68));
        assert_eq!(told(b"68 A"), Some(68));
        assert_eq!(told(b"68A"), None);
        assert_eq!(told(b"A"), None);
        assert_eq!(told(b"99999999999999999999"), None);
    }

    #[test]
    fn chunks_end_with_the_empty_line_behind_their_trailers() {
        let plain = b"3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(chunks_length(&[plain, &b"HTTP/1.1 200"[..]].concat()), Chunks::End(plain.len()));
        let trailers = b"3\r\nabc\r\n0\r\nDigest: x\r\nServer-Timing: y\r\n\r\n";
        assert_eq!(chunks_length(&[trailers, &b"HTTP/1.1 200"[..]].concat()), Chunks::End(trailers.len()));
        for len in 0..trailers.len() {
            assert_eq!(chunks_length(&trailers[..len]), Chunks::GoOn, "{len} bytes");
        }
        let endless = [&b"0\r\n"[..], &vec![b'x'; 2 * HEAD_MAX]].concat();
        assert!(matches!(chunks_length(&endless), Chunks::End(_)));
    }
}
