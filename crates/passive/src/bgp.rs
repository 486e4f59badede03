//! The last words of a BGP session (RFC 4271 4.5), which say why it ended.

/// Sixteen bytes in front of each message, then its length and kind (RFC 4271 4.1).
const MARKER: [u8; 16] = [255; 16];
const HEAD: usize = 19;
const NOTIFICATION: u8 = 3;

/// The code and subcode of a NOTIFICATION among the messages of a segment.
pub(crate) fn notification(segment: &[u8]) -> Option<(u8, u8)> {
    // A segment may begin in the middle of a message.
    let begin = segment.windows(MARKER.len()).position(|window| window == MARKER)?;
    let mut rest = &segment[begin..];
    while rest.starts_with(&MARKER) && rest.len() >= HEAD {
        let length = usize::from(u16::from_be_bytes([rest[16], rest[17]]));
        if rest[18] == NOTIFICATION && length >= HEAD + 2 {
            return rest.get(HEAD).copied().zip(rest.get(HEAD + 1).copied());
        }
        rest = rest.get(length.max(HEAD)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEAD + body.len()).unwrap_or(u16::MAX);
        [&MARKER[..], &length.to_be_bytes(), &[kind], body].concat()
    }

    #[test]
    fn last_words_are_found_behind_other_messages() {
        let keepalive = message(4, &[]);
        let last = message(3, &[6, 2, 5, b'n', b'o', b'o', b'n', b'!']);
        assert_eq!(notification(&[keepalive.clone(), last.clone()].concat()), Some((6, 2)));
        assert_eq!(notification(&[&[1, 2, 3][..], &last].concat()), Some((6, 2)));
        assert_eq!(notification(&keepalive), None);
        let whole = [keepalive, last].concat();
        for cut in 0..whole.len() {
            let _ = notification(&whole[..cut]);
        }
        assert_eq!(notification(&[255; 64]), None);
    }
}
