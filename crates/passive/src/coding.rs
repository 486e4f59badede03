//! Whether a body can be what its Content-Encoding says (RFC 9110 8.4), by its first and last bytes: nothing is unpacked.

/// First bytes that are looked at: so many letters in a row do not begin anything compressed, but by a chance of one in
/// ten billions.
const BEGIN: usize = 24;
/// Nothing becomes larger than this many times by unpacking gzip (RFC 1951 3.2.5: 258 bytes of 2 bits).
const GROWTH_MAX: u64 = 1_040;

/// How a body is said to be packed, and what was seen of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coding {
    kind: Kind,
    begin: Vec<u8>,
    end: [u8; 4],
    count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Plain,
    Gzip,
    Zstd,
    /// No mark tells it: `deflate` and `br`.
    Unmarked,
}

impl Coding {
    /// By the header's value.
    pub(crate) fn named(header: Option<&str>) -> Coding {
        let kind = match header.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            Some("gzip" | "x-gzip") => Kind::Gzip,
            Some("zstd") => Kind::Zstd,
            Some("br" | "deflate") => Kind::Unmarked,
            _ => Kind::Plain,
        };
        Coding { kind, ..Coding::default() }
    }

    /// Takes the next bytes of the body.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.kind == Kind::Plain {
            return;
        }
        let room = BEGIN - self.begin.len();
        self.begin.extend_from_slice(&bytes[..bytes.len().min(room)]);
        for byte in &bytes[bytes.len().saturating_sub(4)..] {
            self.end.rotate_left(1);
            self.end[3] = *byte;
        }
        self.count += bytes.len() as u64;
    }

    /// What is wrong with the whole body, if that can be seen.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        let letters = self.begin.len() == BEGIN
            && self.begin.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        match self.kind {
            Kind::Plain => None,
            _ if self.count == 0 => None,
            Kind::Gzip if !self.begin.starts_with(&[0x1f, 0x8b]) => Some("it does not begin as gzip does"),
            Kind::Zstd if !self.begin.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
                Some("it does not begin as zstd does")
            }
            // The last four bytes are the size of what was packed (RFC 1952 2.3.1).
            Kind::Gzip if u64::from(u32::from_le_bytes(self.end)) > self.count.saturating_mul(GROWTH_MAX) => {
                Some("it does not end as gzip does: it was cut off")
            }
            Kind::Unmarked if letters => Some("it is plain text"),
            _ => None,
        }
    }
}

/// What is wrong with a body of which these bytes are the first, by the header's value.
pub(crate) fn misbegins(header: &str, sample: &[u8]) -> Option<&'static str> {
    let mut coding = Coding::named(Some(header));
    coding.feed(sample);
    // How it ends is not known.
    coding.end = [0; 4];
    coding.objection().filter(|_| sample.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_tells_without_the_end() {
        assert_eq!(misbegins("gzip", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(misbegins("gzip", b"<!doctype html>"), Some("it does not begin as gzip does"));
        assert_eq!(misbegins("gzip", b"<!"), None);
    }

    fn check(header: &str, body: &[u8], objection: Option<&str>) {
        for cut in 0..=body.len() {
            let mut coding = Coding::named(Some(header));
            coding.feed(&body[..cut]);
            coding.feed(&body[cut..]);
            assert_eq!(coding.objection(), objection, "{header} {body:?} cut at {cut}");
        }
    }

    #[test]
    fn bodies_are_what_they_are_said_to_be() {
        let text = b"this was never packed at all, by nobody";
        let packed = [&[0x1f, 0x8b, 8, 0][..], &[7; 30], &[40, 0, 0, 0]].concat();
        check("gzip", &packed, None);
        check("gzip", &packed[..30], Some("it does not end as gzip does: it was cut off"));
        check("GZip", text, Some("it does not begin as gzip does"));
        check("zstd", text, Some("it does not begin as zstd does"));
        check("br", text, Some("it is plain text"));
        check("deflate", text, Some("it is plain text"));
        check("br", &[0x1b, 0x3f, 0x00, 0xf8], None);
        check("br", b"short", None);
        check("identity", text, None);
        check("gzip", b"", None);
    }
}
