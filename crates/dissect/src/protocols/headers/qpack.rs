//! Field sections of HTTP/3 (RFC 9204), and the encoder's stream that fills the table they refer to.

use super::{Header, SECTION_MAX, Table, integer, string, tables};
use crate::cursor::{Cursor, Data, Read, Short};

/// What one side's encoder has taught.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: Table,
    /// Bytes of the encoder's stream are missing: what it taught is not known.
    is_lost: bool,
    /// How large the other side lets the table become: that decides how counts are written.
    pub(crate) capacity_max: Option<u64>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { table: Table::new(0), is_lost: false, capacity_max: None }
    }
}

/// Why a section could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It refers to what the encoder's stream has not brought yet.
    Blocked,
    /// It is damaged, or refers to what was not captured.
    Broken,
}

impl From<Short> for Unread {
    fn from(Short: Short) -> Unread {
        Unread::Broken
    }
}

/// A section has not more lines: small sections can stand for much.
const LINES_MAX: usize = 1000;

impl Decoder {
    /// Bytes of the encoder's stream are missing.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// Takes the encoder's instructions, as many as are whole. Gives how many bytes were used.
    pub(crate) fn instructions(&mut self, bytes: Data<'_>) -> usize {
        let mut c = bytes.cursor();
        while !c.is_done() {
            let begins = c.pos;
            match self.instruction(&mut c) {
                Ok(true) => {}
                Ok(false) => {
                    // Nothing after it can be understood.
                    self.is_lost = true;
                    return bytes.len();
                }
                Err(Short) => return begins,
            }
        }
        c.pos
    }

    /// `false`: it makes no sense. `Err`: it is not all there.
    fn instruction(&mut self, c: &mut Cursor<'_>) -> Read<bool> {
        let first = c.peek()?;
        let (name, value) = match first {
            0x80.. => {
                let index = integer(c, 6)?;
                let name = if first & 0x40 != 0 { fixed(index) } else { self.back(index) };
                let (value, _) = string(c, 7)?;
                (name.map(|(name, _)| name), value)
            }
            0x40.. => {
                let (name, _) = string(c, 5)?;
                (Some(name), string(c, 7)?.0)
            }
            0x20.. => {
                let capacity = usize::try_from(integer(c, 5)?);
                return Ok(capacity.is_ok_and(|capacity| self.table.resize(capacity).is_some()));
            }
            _ => {
                let entry = integer(c, 5).map(|index| self.back(index))?;
                match entry {
                    Some((name, value)) => (Some(name), value),
                    None => return Ok(false),
                }
            }
        };
        if let Some(name) = &name {
            self.table.insert(name, &value);
        }
        Ok(name.is_some())
    }

    /// The entry that was inserted as the `index`-th last.
    fn back(&self, index: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        let (name, value) = self.table.get(usize::try_from(index).ok()?)?;
        Some((name.to_vec(), value.to_vec()))
    }

    /// Reads a section.
    pub(crate) fn section<'d>(&self, section: Data<'d>) -> Result<Vec<Header<'d>>, Unread> {
        let mut c = section.cursor();
        let count = self.required(integer(&mut c, 8)?)?;
        let is_behind = c.peek()? & 0x80 != 0;
        let delta = integer(&mut c, 7)?;
        if count > 0 && self.is_lost {
            return Err(Unread::Broken);
        }
        if count > self.table.inserted {
            return Err(Unread::Blocked);
        }
        let base = if is_behind { count.checked_sub(delta + 1) } else { count.checked_add(delta) };
        let base = base.ok_or(Unread::Broken)?;
        let (mut lines, mut size) = (Vec::new(), 0);
        while !c.is_done() {
            if lines.len() == LINES_MAX || size >= SECTION_MAX {
                return Err(Unread::Broken);
            }
            let line = self.line(&mut c, base)?;
            size += line.len();
            lines.push(line);
        }
        Ok(lines)
    }

    /// How many insertions a section needs (RFC 9204 4.5.1.1).
    fn required(&self, encoded: u64) -> Result<u64, Unread> {
        if encoded == 0 {
            return Ok(0);
        }
        let entries = self.capacity_max.ok_or(Unread::Broken)? / 32;
        let range = 2 * entries;
        if encoded > range {
            return Err(Unread::Broken);
        }
        let most = self.table.inserted + entries;
        let wrapped = most / range * range;
        let count = wrapped + encoded - 1;
        let count = if count > most { count.checked_sub(range).ok_or(Unread::Broken)? } else { count };
        if count == 0 { Err(Unread::Broken) } else { Ok(count) }
    }

    fn line<'d>(&self, c: &mut Cursor<'d>, base: u64) -> Read<Header<'d>> {
        let begins = *c;
        let first = c.peek()?;
        let before = |index: u64| base.checked_sub(index + 1).and_then(|place| self.absolute(place));
        let after = |index: u64| base.checked_add(index).and_then(|place| self.absolute(place));
        let (how, index, name, value) = match first {
            0x80.. => {
                let index = integer(c, 6)?;
                let (name, value) =
                    if first & 0x40 != 0 { fixed(index) } else { before(index) }.ok_or(Short)?;
                ("Indexed Field Line", index, name, value)
            }
            0x40.. => {
                let index = integer(c, 4)?;
                let (name, _) = if first & 0x10 != 0 { fixed(index) } else { before(index) }.ok_or(Short)?;
                ("Literal Field Line with Name Reference", index, name, string(c, 7)?.0)
            }
            0x20.. => {
                let (name, _) = string(c, 3)?;
                ("Literal Field Line with Literal Name", 0, name, string(c, 7)?.0)
            }
            0x10.. => {
                let index = integer(c, 4)?;
                let (name, value) = after(index).ok_or(Short)?;
                ("Indexed Field Line with Post-Base Index", index, name, value)
            }
            _ => {
                let index = integer(c, 3)?;
                let (name, _) = after(index).ok_or(Short)?;
                ("Literal Field Line with Post-Base Name Reference", index, name, string(c, 7)?.0)
            }
        };
        let at = begins.rest().first(c.pos - begins.pos);
        Ok(Header { name, value, how, index, at })
    }

    fn absolute(&self, place: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        self.back(self.table.inserted.checked_sub(place.checked_add(1)?)?)
    }
}

fn fixed(index: u64) -> Option<(Vec<u8>, Vec<u8>)> {
    let (name, value) = tables::QPACK.get(usize::try_from(index).ok()?)?;
    Some((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
}
