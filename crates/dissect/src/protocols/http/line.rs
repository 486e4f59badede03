//! Lines, and what the first of a message says it is.

/// The first words of messages, those of WebDAV and UPnP among them.
const METHODS: [&[u8]; 39] = [
    b"GET",
    b"PUT",
    b"COPY",
    b"HEAD",
    b"LOCK",
    b"MOVE",
    b"POLL",
    b"POST",
    b"BCOPY",
    b"BMOVE",
    b"MKCOL",
    b"TRACE",
    b"PATCH",
    b"LABEL",
    b"MERGE",
    b"DELETE",
    b"SEARCH",
    b"UNLOCK",
    b"REPORT",
    b"UPDATE",
    b"BDELETE",
    b"CONNECT",
    b"OPTIONS",
    b"CHECKIN",
    b"PROPFIND",
    b"CHECKOUT",
    b"CCM_POST",
    b"PROPPATCH",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"UNCHECKOUT",
    b"MKACTIVITY",
    b"MKWORKSPACE",
    b"RPC_CONNECT",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"VERSION-CONTROL",
    b"BASELINE-CONTROL",
    b"SSTP_DUPLEX_POST",
];

/// Whether bytes on a port that says nothing begin a message: their first line names HTTP/1.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some((line, _)) = line_of(bytes) else { return false };
    let is_version = |word: &[u8]| word.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"HTTP/1."));
    line.len() != 8 && (is_version(line) || line.len() > 8 && is_version(&line[line.len() - 8..]))
}

/// The line that bytes begin with, without its end, and with it. A line ends with CR, LF or both.
pub(super) fn line_of(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match &bytes[end..] {
        [b'\r', b'\n', ..] => Some((&bytes[..end], end + 2)),
        [b'\r'] => None,
        _ => Some((&bytes[..end], end + 1)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    /// Of UPnP: something happened, or somebody wants to be told of it.
    Notification,
}

/// What a first line begins.
pub(super) fn kind_of(line: &[u8]) -> Option<Kind> {
    if line.starts_with(b"HTTP/") || line.starts_with(b"ICY") {
        return Some(Kind::Response);
    }
    let line = line.strip_prefix(b"M-").unwrap_or(line);
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    match word {
        b"NOTIFY" | b"SUBSCRIBE" | b"UNSUBSCRIBE" => Some(Kind::Notification),
        word => METHODS.contains(&word).then_some(Kind::Request),
    }
}
