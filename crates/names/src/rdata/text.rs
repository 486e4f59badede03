//! Master-file words to record data (RFC 1035 section 5, RFC 3597 section 5, and each type's own RFC).

mod digits;
mod master;
mod svcb;

pub use digits::{base64, base64_text, hex, time};
pub use master::{master_records, record_from_text};

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::rr::{Name, RecordType};

use crate::text::parse_type;
use crate::wire::name_to_wire;
use digits::base32;
use master::seconds;

/// Why a line is no record; completes "a line that ...".
pub type TextError = String;

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The characters, escapes still in place.
    pub text: String,
    /// It stood between quotation marks.
    pub quoted: bool,
}

/// The words of a line: comments left out, parentheses read as spaces.
pub fn words(line: &str) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut current: Option<Word> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            let word = current.get_or_insert(Word { text: String::new(), quoted });
            word.text.push(c);
            word.text.extend(chars.next());
        } else if c == '"' {
            if quoted {
                found.extend(current.take());
            } else {
                found.extend(current.replace(Word { text: String::new(), quoted: true }));
            }
            quoted = !quoted;
        } else if quoted {
            current.get_or_insert(Word { text: String::new(), quoted }).text.push(c);
        } else if c == ';' {
            break;
        } else if c.is_whitespace() || c == '(' || c == ')' {
            found.extend(current.take());
        } else {
            current.get_or_insert(Word { text: String::new(), quoted }).text.push(c);
        }
    }
    found.extend(current);
    found
}

/// A name as master files write it, relative to `origin` unless it ends in a dot.
pub fn name_from_text(text: &str, origin: &Name) -> Result<Name, TextError> {
    if text == "@" {
        return Ok(origin.clone());
    }
    if text == "." {
        return Ok(Name::root());
    }
    let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
    let mut absolute = false;
    let octets = text.as_bytes();
    let mut at = 0;
    while at < octets.len() {
        absolute = false;
        match octets[at] {
            b'\\' => {
                let (octet, used) = escape(&octets[at..])?;
                labels.last_mut().expect("never empty").push(octet);
                at += used;
                continue;
            }
            b'.' => {
                absolute = true;
                if labels.last().is_some_and(Vec::is_empty) {
                    return Err(format!("has an empty label in {text}"));
                }
                labels.push(Vec::new());
            }
            octet => labels.last_mut().expect("never empty").push(octet),
        }
        at += 1;
    }
    if absolute || labels.last().is_some_and(Vec::is_empty) {
        labels.pop();
    }
    if !absolute {
        labels.extend(origin.iter().map(<[u8]>::to_vec));
    }
    Name::from_labels(labels.iter().map(Vec::as_slice))
        .map_err(|error| format!("has a bad name {text}: {error}"))
}

/// `\DDD` or `\X` at the start: the octet, and how many were read.
fn escape(octets: &[u8]) -> Result<(u8, usize), TextError> {
    match octets {
        [b'\\', a, b, c, ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
            let value = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
            u8::try_from(value).map(|octet| (octet, 4)).map_err(|_| "has an escape beyond \\255".into())
        }
        [b'\\', octet, ..] => Ok((*octet, 2)),
        _ => Err("ends in a backslash".into()),
    }
}

/// Data from its words.
pub fn from_text(rtype: RecordType, words: &[Word], origin: &Name) -> Result<Vec<u8>, TextError> {
    let mut reader = Reader { words, origin, out: Vec::new() };
    if words.first().is_some_and(|word| word.text == "\\#") {
        reader.words = &words[1..];
        let length: usize = reader.number()?;
        reader.hex_rest()?;
        return if reader.out.len() == length { Ok(reader.out) } else { Err("lies about its length".into()) };
    }
    reader.data(rtype)?;
    if let Some(word) = reader.words.first() {
        return Err(format!("goes on with {}", word.text));
    }
    Ok(reader.out)
}

struct Reader<'a> {
    words: &'a [Word],
    origin: &'a Name,
    out: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn data(&mut self, rtype: RecordType) -> Result<(), TextError> {
        match u16::from(rtype) {
            1 => self.octets::<Ipv4Addr, 4>(|address| address.octets()),
            28 => self.octets::<Ipv6Addr, 16>(|address| address.octets()),
            2..=5 | 7..=9 | 12 | 23 | 39 => self.name(),
            6 => {
                self.name()?;
                self.name()?;
                (0..5).try_for_each(|_| {
                    let word = self.word()?;
                    let value =
                        seconds(&word.text).ok_or_else(|| format!("has a bad number {}", word.text))?;
                    self.out.extend_from_slice(&value.to_be_bytes());
                    Ok(())
                })
            }
            13 | 16 | 99 => self.strings(),
            14 | 17 | 58 => self.name().and_then(|()| self.name()),
            15 | 18 | 21 | 36 | 107 => self.u16().and_then(|()| self.name()),
            33 => (0..3).try_for_each(|_| self.u16()).and_then(|()| self.name()),
            35 => {
                self.u16()?;
                self.u16()?;
                (0..3).try_for_each(|_| self.string())?;
                self.name()
            }
            43 | 59 | 32_769 => {
                self.u16()?;
                self.algorithm()?;
                self.u8()?;
                self.hex_rest()
            }
            44 => self.u8().and_then(|()| self.u8()).and_then(|()| self.hex_rest()),
            24 | 46 => self.rrsig(),
            47 => self.name().and_then(|()| self.bitmap()),
            25 | 48 | 60 => {
                self.u16()?;
                self.u8()?;
                self.algorithm()?;
                self.base64_rest()
            }
            50 => {
                self.nsec3_head()?;
                let next = base32(&self.word()?.text).ok_or("has bad base32")?;
                self.out.push(next.len() as u8);
                self.out.extend_from_slice(&next);
                self.bitmap()
            }
            51 => self.nsec3_head(),
            52 | 53 => (0..3).try_for_each(|_| self.u8()).and_then(|()| self.hex_rest()),
            61 => self.base64_rest(),
            63 => {
                let serial: u32 = self.number()?;
                self.out.extend_from_slice(&serial.to_be_bytes());
                self.u8()?;
                self.u8()?;
                self.hex_rest()
            }
            64 | 65 => {
                self.u16()?;
                self.name()?;
                svcb::parameters(self)
            }
            256 => {
                self.u16()?;
                self.u16()?;
                let text = self.word()?;
                self.out.extend(unescaped(&text.text)?);
                Ok(())
            }
            257 => {
                self.u8()?;
                self.string()?;
                let value = self.word()?;
                self.out.extend(unescaped(&value.text)?);
                Ok(())
            }
            other => Err(format!("has data of type {other} in words; write it as \\# LENGTH HEX")),
        }
    }

    fn word(&mut self) -> Result<&'a Word, TextError> {
        let (first, rest) = self.words.split_first().ok_or("ends early")?;
        self.words = rest;
        Ok(first)
    }

    fn number<T: FromStr>(&mut self) -> Result<T, TextError> {
        let word = self.word()?;
        word.text.parse().map_err(|_| format!("has a bad number {}", word.text))
    }

    fn u8(&mut self) -> Result<(), TextError> {
        let value: u8 = self.number()?;
        self.out.push(value);
        Ok(())
    }

    fn u16(&mut self) -> Result<(), TextError> {
        let value: u16 = self.number()?;
        self.out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn octets<A: FromStr, const N: usize>(&mut self, octets: impl Fn(A) -> [u8; N]) -> Result<(), TextError> {
        let word = self.word()?;
        let address = word.text.parse().map_err(|_| format!("has a bad address {}", word.text))?;
        self.out.extend_from_slice(&octets(address));
        Ok(())
    }

    fn name(&mut self) -> Result<(), TextError> {
        let word = self.word()?;
        self.out.extend(name_to_wire(&name_from_text(&word.text, self.origin)?));
        Ok(())
    }

    fn string(&mut self) -> Result<(), TextError> {
        let octets = unescaped(&self.word()?.text)?;
        let length = u8::try_from(octets.len()).map_err(|_| "has a string of more than 255 octets")?;
        self.out.push(length);
        self.out.extend(octets);
        Ok(())
    }

    fn strings(&mut self) -> Result<(), TextError> {
        self.string()?;
        while !self.words.is_empty() {
            self.string()?;
        }
        Ok(())
    }

    fn joined(&mut self) -> String {
        std::mem::take(&mut self.words).iter().map(|word| word.text.as_str()).collect()
    }

    fn hex_rest(&mut self) -> Result<(), TextError> {
        let text = self.joined();
        self.out.extend(hex(&text).ok_or("has bad hex")?);
        Ok(())
    }

    fn base64_rest(&mut self) -> Result<(), TextError> {
        let text = self.joined();
        self.out.extend(base64(&text).ok_or("has bad base64")?);
        Ok(())
    }

    fn algorithm(&mut self) -> Result<(), TextError> {
        let word = self.word()?;
        let known = [
            ("RSAMD5", 1),
            ("DH", 2),
            ("DSA", 3),
            ("RSASHA1", 5),
            ("DSA-NSEC3-SHA1", 6),
            ("RSASHA1-NSEC3-SHA1", 7),
            ("RSASHA256", 8),
            ("RSASHA512", 10),
            ("ECC-GOST", 12),
            ("ECDSAP256SHA256", 13),
            ("ECDSAP384SHA384", 14),
            ("ED25519", 15),
            ("ED448", 16),
            ("PRIVATEDNS", 253),
            ("PRIVATEOID", 254),
        ];
        let number = known
            .iter()
            .find(|(name, _)| word.text.eq_ignore_ascii_case(name))
            .map(|(_, number)| *number)
            .or_else(|| word.text.parse().ok())
            .ok_or_else(|| format!("has an unknown algorithm {}", word.text))?;
        self.out.push(number);
        Ok(())
    }

    fn rrsig(&mut self) -> Result<(), TextError> {
        let covered = self.word()?;
        let rtype =
            parse_type(&covered.text).ok_or_else(|| format!("covers an unknown type {}", covered.text))?;
        self.out.extend_from_slice(&u16::from(rtype).to_be_bytes());
        self.algorithm()?;
        self.u8()?;
        let ttl: u32 = self.number()?;
        self.out.extend_from_slice(&ttl.to_be_bytes());
        for _ in 0..2 {
            let word = self.word()?;
            let time = time(&word.text).ok_or_else(|| format!("has a bad time {}", word.text))?;
            self.out.extend_from_slice(&time.to_be_bytes());
        }
        self.u16()?;
        self.name()?;
        self.base64_rest()
    }

    fn nsec3_head(&mut self) -> Result<(), TextError> {
        self.u8()?;
        self.u8()?;
        self.u16()?;
        let word = self.word()?;
        let salt = if word.text == "-" { Vec::new() } else { hex(&word.text).ok_or("has a bad salt")? };
        self.out.push(u8::try_from(salt.len()).map_err(|_| "has a long salt")?);
        self.out.extend(salt);
        Ok(())
    }

    fn bitmap(&mut self) -> Result<(), TextError> {
        let mut types = Vec::new();
        while let Ok(word) = self.word() {
            let rtype =
                parse_type(&word.text).ok_or_else(|| format!("lists an unknown type {}", word.text))?;
            types.push(u16::from(rtype));
        }
        self.out.extend(type_bitmap(&types));
        Ok(())
    }
}

/// The type bitmap of these types (RFC 4034 section 4.1.2).
pub fn type_bitmap(types: &[u16]) -> Vec<u8> {
    let mut types = types.to_vec();
    types.sort_unstable();
    types.dedup();
    let mut out = Vec::new();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let last = window.last().map_or(0, |last| last & 0xff);
        let mut bits = vec![0_u8; usize::from(last / 8) + 1];
        for rtype in window {
            bits[usize::from((rtype & 0xff) / 8)] |= 0x80 >> (rtype % 8);
        }
        out.push((window[0] >> 8) as u8);
        out.push(bits.len() as u8);
        out.extend(bits);
    }
    out
}

fn unescaped(text: &str) -> Result<Vec<u8>, TextError> {
    let octets = text.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        if octets[at] == b'\\' {
            let (octet, used) = escape(&octets[at..])?;
            out.push(octet);
            at += used;
        } else {
            out.push(octets[at]);
            at += 1;
        }
    }
    Ok(out)
}
