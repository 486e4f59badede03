//! JA3: what a hello offers, as a line of numbers and its digest, by which programs are told apart
//! (github.com/salesforce/ja3).

use super::exchange::Fields;
use crate::context::Context;
use crate::crypto::md5;
use crate::show::{decimal, hex_bytes};

/// What of the hello that is being read goes into it: numbers as they are written, with hyphens between. There is one,
/// whose memory is used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprint {
    suites: Vec<u8>,
    extensions: Vec<u8>,
    groups: Vec<u8>,
    formats: Vec<u8>,
}

/// Nobody offers more.
const LIST_MAX: usize = 6 << 10;

/// Goes on with a list; numbers that mean nothing (RFC 8701) are left out.
fn list(out: &mut Vec<u8>, number: u16) {
    if number & 0x0F0F == 0x0A0A && number >> 8 == number & 0xFF || out.len() > LIST_MAX {
        return;
    }
    if !out.is_empty() {
        out.push(b'-');
    }
    decimal(out, u64::from(number));
}

/// The same with numbers of two bytes each.
fn list_words(out: &mut Vec<u8>, bytes: &[u8]) {
    bytes.as_chunks::<2>().0.iter().for_each(|word| list(out, u16::from_be_bytes(*word)));
}

impl Fingerprint {
    /// A new hello offers these suites.
    pub(crate) fn begin(&mut self, suites: &[u8]) {
        let Fingerprint { suites: list, extensions, groups, formats } = self;
        [&mut *list, extensions, groups, formats].into_iter().for_each(Vec::clear);
        list_words(list, suites);
    }

    /// The next extension of the hello.
    pub(crate) fn extension(&mut self, kind: u16, body: &[u8]) {
        list(&mut self.extensions, kind);
        match kind {
            10 => {
                self.groups.clear();
                list_words(&mut self.groups, body.get(2..).unwrap_or_default());
            }
            11 => {
                self.formats.clear();
                body.iter().skip(1).for_each(|byte| list(&mut self.formats, u16::from(*byte)));
            }
            _ => {}
        }
    }

    /// A client's hello has ended.
    pub(crate) fn client(cx: &mut Context<'_>, f: &'static Fields, version: u16) {
        let Fingerprint { suites, extensions, groups, formats } = &cx.state.print;
        let full = joined([u64::from(version)], [suites, extensions, groups, formats]);
        cx.conclude_words(&f.ja3_full, &full);
        cx.conclude_words(&f.ja3, &digest(&full));
    }

    /// A server's has.
    pub(crate) fn server(cx: &mut Context<'_>, f: &'static Fields, version: u16, suite: u16) {
        let full = joined([u64::from(version), u64::from(suite)], [&cx.state.print.extensions]);
        cx.conclude_words(&f.ja3s_full, &full);
        cx.conclude_words(&f.ja3s, &digest(&full));
    }
}

/// Numbers and lists of them, with commas between.
fn joined<const N: usize, const L: usize>(numbers: [u64; N], lists: [&Vec<u8>; L]) -> Vec<u8> {
    let mut full = Vec::with_capacity(16 + lists.iter().map(|list| list.len() + 1).sum::<usize>());
    for (place, number) in numbers.into_iter().enumerate() {
        if place > 0 {
            full.push(b',');
        }
        decimal(&mut full, number);
    }
    for list in lists {
        full.push(b',');
        full.extend_from_slice(list);
    }
    full
}

fn digest(full: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(32);
    hex_bytes(&mut digits, &md5(&[full]));
    digits
}
