//! Record data's octets as words of a master file: what [`super::from_text`] reads. Octets that are not what their
//! type promises come out in the generic form (RFC 3597 section 5), so that showing never fails.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{Name, RecordType};

use super::{base64_text, from_text, words};
use crate::text::{name_text, type_text};
use crate::wire::read_name;

/// The data of a record in master-file form.
pub fn data_text(rtype: RecordType, data: &[u8]) -> String {
    let mut show = Show { data, at: 0, out: String::new() };
    let read = show.data(rtype);
    // What cannot be read back was not understood: better shown as it is.
    match read {
        Some(()) if show.at == data.len() && again(rtype, &show.out).as_deref() == Some(data) => show.out,
        _ => generic(data),
    }
}

fn again(rtype: RecordType, text: &str) -> Option<Vec<u8>> {
    from_text(rtype, &words(text), &Name::root()).ok()
}

/// `\# length hexadecimal`.
fn generic(data: &[u8]) -> String {
    let mut text = format!("\\# {}", data.len());
    if !data.is_empty() {
        text.push(' ');
    }
    data.iter().for_each(|octet| write!(text, "{octet:02x}").expect("a String takes all text"));
    text
}

/// Seconds since 1970, modulo 2^32, as `YYYYMMDDHHMMSS` (RFC 4034 section 3.2).
pub fn time_text(seconds: u32) -> String {
    let days = i64::from(seconds / 86_400);
    // Civil date from days, counted in eras of 400 years from March (the usual arithmetic).
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month < 3);
    let of_day = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

struct Show<'a> {
    data: &'a [u8],
    at: usize,
    out: String,
}

/// `None` wherever the data ends too early.
impl<'a> Show<'a> {
    fn data(&mut self, rtype: RecordType) -> Option<()> {
        match u16::from(rtype) {
            1 => {
                let octets: [u8; 4] = self.octets(4)?.try_into().ok()?;
                self.word(&Ipv4Addr::from(octets).to_string());
            }
            28 => {
                let octets: [u8; 16] = self.octets(16)?.try_into().ok()?;
                self.word(&Ipv6Addr::from(octets).to_string());
            }
            2..=5 | 7..=9 | 12 | 23 | 39 => self.name()?,
            6 => {
                self.name()?;
                self.name()?;
                (0..5).try_for_each(|_| self.u32())?;
            }
            13 => (0..2).try_for_each(|_| self.string())?,
            16 | 99 => {
                self.string()?;
                while self.at < self.data.len() {
                    self.string()?;
                }
            }
            14 | 17 | 58 => {
                self.name()?;
                self.name()?;
            }
            15 | 18 | 21 | 36 | 107 => {
                self.u16()?;
                self.name()?;
            }
            33 => {
                (0..3).try_for_each(|_| self.u16())?;
                self.name()?;
            }
            35 => {
                self.u16()?;
                self.u16()?;
                (0..3).try_for_each(|_| self.string())?;
                self.name()?;
            }
            // DS, CDS, DLV
            43 | 59 | 32_769 => {
                self.u16()?;
                self.u8()?;
                self.u8()?;
                self.hex()?;
            }
            44 => {
                self.u8()?;
                self.u8()?;
                self.hex()?;
            }
            24 | 46 => self.rrsig()?,
            47 => {
                self.name()?;
                self.bitmap()?;
            }
            // KEY, DNSKEY, CDNSKEY
            25 | 48 | 60 => {
                self.u16()?;
                self.u8()?;
                self.u8()?;
                self.base64();
            }
            50 => {
                self.nsec3_head()?;
                let length = usize::from(self.octets(1)?[0]);
                let next = base32(self.octets(length)?);
                self.word(&next);
                self.bitmap()?;
            }
            51 => self.nsec3_head()?,
            52 | 53 => {
                (0..3).try_for_each(|_| self.u8())?;
                self.hex()?;
            }
            61 => self.base64(),
            63 => {
                self.u32()?;
                self.u8()?;
                self.u8()?;
                self.hex()?;
            }
            256 => {
                self.u16()?;
                self.u16()?;
                let rest = self.rest();
                self.quoted(rest);
            }
            257 => {
                self.u8()?;
                let length = usize::from(self.octets(1)?[0]);
                let tag = self.octets(length)?;
                let plain = tag.iter().all(u8::is_ascii_alphanumeric) && !tag.is_empty();
                self.word(std::str::from_utf8(tag).ok().filter(|_| plain)?);
                let rest = self.rest();
                self.quoted(rest);
            }
            _ => return None,
        }
        Some(())
    }

    fn word(&mut self, word: &str) {
        if !self.out.is_empty() {
            self.out.push(' ');
        }
        self.out.push_str(word);
    }

    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let octets = self.data.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(octets)
    }

    fn rest(&mut self) -> &'a [u8] {
        let rest = &self.data[self.at..];
        self.at = self.data.len();
        rest
    }

    fn number(&mut self, octets: usize) -> Option<u32> {
        Some(self.octets(octets)?.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
    }

    fn u8(&mut self) -> Option<()> {
        let number = self.number(1)?;
        self.word(&number.to_string());
        Some(())
    }

    fn u16(&mut self) -> Option<()> {
        let number = self.number(2)?;
        self.word(&number.to_string());
        Some(())
    }

    fn u32(&mut self) -> Option<()> {
        let number = self.number(4)?;
        self.word(&number.to_string());
        Some(())
    }

    fn name(&mut self) -> Option<()> {
        let (name, next) = read_name(self.data, self.at).ok()?;
        self.at = next;
        self.word(&name_text(&name));
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let length = usize::from(self.octets(1)?[0]);
        let octets = self.octets(length)?;
        self.quoted(octets);
        Some(())
    }

    fn quoted(&mut self, octets: &[u8]) {
        let text = crate::text::quoted(octets);
        self.word(&text);
    }

    fn hex(&mut self) -> Option<()> {
        let rest = self.rest();
        let text: String = rest.iter().map(|octet| format!("{octet:02X}")).collect();
        // Without digits the words would say nothing of it.
        (!text.is_empty()).then(|| self.word(&text))
    }

    fn base64(&mut self) {
        let text = base64_text(self.rest());
        self.word(&text);
    }

    fn rrsig(&mut self) -> Option<()> {
        let covered = RecordType::from(u16::try_from(self.number(2)?).ok()?);
        self.word(&type_text(covered));
        self.u8()?;
        self.u8()?;
        self.u32()?;
        for _ in 0..2 {
            let time = self.number(4)?;
            self.word(&time_text(time));
        }
        self.u16()?;
        self.name()?;
        self.base64();
        Some(())
    }

    fn nsec3_head(&mut self) -> Option<()> {
        self.u8()?;
        self.u8()?;
        self.u16()?;
        let length = usize::from(self.octets(1)?[0]);
        let salt: String = self.octets(length)?.iter().map(|octet| format!("{octet:02X}")).collect();
        self.word(if salt.is_empty() { "-" } else { &salt });
        Some(())
    }

    /// RFC 4034 section 4.1.2.
    fn bitmap(&mut self) -> Option<()> {
        while self.at < self.data.len() {
            let (window, length) = (self.number(1)?, self.number(1)?);
            let bits = self.octets(usize::try_from(length).ok()?)?;
            for (place, octet) in bits.iter().enumerate() {
                for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                    let number = (window as u16) << 8 | (place as u16 * 8 + bit);
                    self.word(&type_text(RecordType::from(number)));
                }
            }
        }
        Some(())
    }
}

/// Base 32 with the extended hex alphabet, without padding (RFC 4648 section 7, RFC 5155 section 3.3).
fn base32(octets: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for octet in octets {
        held = held << 8 | u32::from(*octet);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(DIGITS[(held << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests;
