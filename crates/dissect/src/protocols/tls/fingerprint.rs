//! JA3: what a hello offers, as a line of numbers and its digest, by which programs are told apart
//! (github.com/salesforce/ja3).

use super::exchange::Fields;
use crate::context::Context;
use crate::crypto::md5;

/// What of a hello goes into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprint {
    suites: Vec<u16>,
    extensions: Vec<u16>,
    groups: Vec<u16>,
    formats: Vec<u16>,
}

/// Nobody offers more.
const NUMBERS_MAX: usize = 1024;

/// Numbers with hyphens between; those that mean nothing (RFC 8701) are left out.
fn line(numbers: &[u16]) -> String {
    let meant = numbers.iter().filter(|number| *number & 0x0F0F != 0x0A0A || *number >> 8 != *number & 0xFF);
    meant.map(u16::to_string).collect::<Vec<_>>().join("-")
}

/// Numbers of two bytes.
fn words(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.as_chunks::<2>().0.iter().take(NUMBERS_MAX);
    pairs.map(|pair| u16::from_be_bytes(*pair)).collect()
}

impl Fingerprint {
    /// A new hello offers these suites.
    pub(crate) fn begin(&mut self, suites: &[u8]) {
        *self = Fingerprint { suites: words(suites), ..Fingerprint::default() };
    }

    /// The next extension of the hello.
    pub(crate) fn extension(&mut self, kind: u16, body: &[u8]) {
        if self.extensions.len() < NUMBERS_MAX {
            self.extensions.push(kind);
        }
        match kind {
            10 => self.groups = words(body.get(2..).unwrap_or_default()),
            11 => self.formats = body.iter().skip(1).map(|byte| u16::from(*byte)).collect(),
            _ => {}
        }
    }

    /// A client's hello has ended.
    pub(crate) fn client(&mut self, cx: &mut Context<'_>, f: &'static Fields, version: u16) {
        let Fingerprint { suites, extensions, groups, formats } = std::mem::take(self);
        let [suites, extensions, groups, formats] =
            [suites, extensions, groups, formats].map(|list| line(&list));
        let full = format!("{version},{suites},{extensions},{groups},{formats}");
        cx.conclude_words(&f.ja3_full, full.as_bytes());
        cx.conclude_words(&f.ja3, digest(&full).as_bytes());
    }

    /// A server's has.
    pub(crate) fn server(&mut self, cx: &mut Context<'_>, f: &'static Fields, version: u16, suite: u16) {
        let full = format!("{version},{suite},{}", line(&std::mem::take(self).extensions));
        cx.conclude_words(&f.ja3s_full, full.as_bytes());
        cx.conclude_words(&f.ja3s, digest(&full).as_bytes());
    }
}

fn digest(full: &str) -> String {
    md5(&[full.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect()
}
