//! Finding: words, bytes, trouble, numbers.

use super::{Aim, Browser};
use crate::scan::{Scan, Test};

impl Browser {
    /// Begins a search: words, bytes as 0x..., or a display filter behind =.
    pub(crate) fn find(&mut self, text: &str) {
        let text = text.trim();
        let test = if let Some(filter) = text.strip_prefix('=') {
            super::test(filter).map_err(|(_, _, why)| why)
        } else if let Some(digits) = text.strip_prefix("0x") {
            bytes(digits).map(Test::Bytes).ok_or_else(|| "bytes are pairs of digits: 0x16 03 01".to_owned())
        } else if text.is_empty() {
            return;
        } else {
            Ok(Test::Words(text.as_bytes().to_vec()))
        };
        match test.and_then(|test| Scan::new(&self.capture, test)) {
            Ok(scan) => {
                self.search = Some((text.to_owned(), scan));
                self.aim = Some(Aim::Found { after: self.selected(), forward: true });
            }
            Err(why) => self.message = why,
        }
    }

    /// Goes where a person wanted to, if that is known by now.
    pub(crate) fn seek(&mut self) {
        let Some(aim) = self.aim else { return };
        let scanned = self.scan.is_done();
        let reached = |number: u64, scan: &Scan| scan.is_done() || scan.number() > number;
        let (target, known) = match aim {
            Aim::End => (self.hits().nth(self.hits().count().saturating_sub(1)), scanned),
            Aim::Number(number) => {
                let at = self.hits().after(number.saturating_sub(1));
                let last = self.hits().before(u64::MAX - 1).filter(|_| scanned);
                (at.or(last), at.is_some() || scanned)
            }
            Aim::Trouble { after, forward } => {
                let troubles = &self.scan.troubles;
                let at = if forward { troubles.after(after) } else { troubles.before(after) };
                (at, scanned || if forward { at.is_some() } else { reached(after, &self.scan) })
            }
            Aim::Found { after, forward } => {
                let Some((_, search)) = &self.search else { return self.aim = None };
                let at = self.found(search, after, forward);
                (
                    at,
                    search.is_done() && scanned
                        || if forward { at.is_some() } else { reached(after, search) },
                )
            }
        };
        if !known {
            return;
        }
        self.anchor = target.unwrap_or(self.anchor);
        self.aim = None;
        match (aim, target) {
            (Aim::Number(wanted), Some(found)) if wanted != found && self.filter.is_empty() => {
                self.message = format!("the last packet is {found}");
            }
            (Aim::Number(wanted), Some(found)) if wanted != found => {
                self.message = format!("packet {wanted} does not pass the filter; {found} is the next");
            }
            (Aim::Trouble { forward, .. }, None) => {
                self.message =
                    format!("no more trouble {}", if forward { "after this" } else { "before this" });
            }
            (Aim::Found { forward, .. }, None) => {
                let (text, _) = self.search.as_ref().expect("it was sought");
                self.message = format!("`{text}` is not {} this", if forward { "after" } else { "before" });
            }
            _ => {}
        }
    }

    /// The next packet that was found and passes the filter.
    fn found(&self, search: &Scan, mut after: u64, forward: bool) -> Option<u64> {
        loop {
            after = if forward { search.hits.after(after)? } else { search.hits.before(after)? };
            if self.hits().has(after) {
                return Some(after);
            }
        }
    }
}

/// Bytes from pairs of hexadecimal digits, with or without something between.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !matches!(c, ' ' | ':' | '-'))
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    whole.then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
