//! Header blocks of HTTP/2 (RFC 7541).

use super::{Header, SECTION_MAX, Table, integer, string, tables};
use crate::cursor::{Cursor, Data, Read, Short};

/// What a direction's blocks have taught.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: Table,
    /// A block could not be read, or was not captured: what it taught is missing, and later indices would be wrong.
    is_lost: bool,
}

impl Default for Decoder {
    fn default() -> Decoder {
        // SETTINGS_HEADER_TABLE_SIZE is 4,096 unless said otherwise; the encoder says so in a block.
        Decoder { table: Table::new(4096), is_lost: false }
    }
}

/// What a block consists of.
#[derive(Debug)]
pub(crate) enum Line<'d> {
    Header(Header<'d>),
    /// The table has another size from here on.
    Resize(u64, Data<'d>),
}

/// A block has not more lines: small blocks can stand for much.
const LINES_MAX: usize = 1000;

impl Decoder {
    /// Reads a block. What could be read comes back in any case; `Err`: the rest could not.
    pub(crate) fn block<'d>(&mut self, block: Data<'d>) -> (Vec<Line<'d>>, Read) {
        let (mut c, mut lines, mut size) = (block.cursor(), Vec::new(), 0);
        while !c.is_done() {
            let may_go_on = lines.len() < LINES_MAX && size < SECTION_MAX;
            let read = if may_go_on { self.line(&mut c) } else { Err(Short) };
            match read {
                Ok(line) => {
                    size += if let Line::Header(header) = &line { header.len() } else { 0 };
                    lines.push(line);
                }
                Err(Short) => {
                    self.is_lost = true;
                    return (lines, Err(Short));
                }
            }
        }
        (lines, Ok(()))
    }

    /// A block that is not there: dynamic indices mean nothing any more.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
    }

    fn line<'d>(&mut self, c: &mut Cursor<'d>) -> Read<Line<'d>> {
        let begins = *c;
        let first = c.peek()?;
        if first & 0xE0 == 0x20 {
            let size = integer(c, 5)?;
            usize::try_from(size).ok().and_then(|size| self.table.resize(size)).ok_or(Short)?;
            return Ok(Line::Resize(size, begins.rest().first(c.pos - begins.pos)));
        }
        let (bits, how, is_kept) = match first {
            0x80.. => (7, "Indexed Header Field", false),
            0x40.. => (6, "Literal Header Field with Incremental Indexing", true),
            0x10.. => (4, "Literal Header Field never Indexed", false),
            _ => (4, "Literal Header Field without Indexing", false),
        };
        let index = integer(c, bits)?;
        let (name, value) = if bits == 7 {
            self.entry(index)?
        } else {
            let name = if index == 0 { string(c, 7)?.0 } else { self.entry(index)?.0 };
            (name, string(c, 7)?.0)
        };
        if is_kept {
            self.table.insert(&name, &value);
        }
        let at = begins.rest().first(c.pos - begins.pos);
        Ok(Line::Header(Header { name, value, how: spelled(how, index, bits), index, at }))
    }

    fn entry(&self, index: u64) -> Read<(Vec<u8>, Vec<u8>)> {
        let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1)).ok_or(Short)?;
        if let Some((name, value)) = tables::HPACK.get(place) {
            return Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        if self.is_lost {
            return Err(Short);
        }
        let (name, value) = self.table.get(place - tables::HPACK.len()).ok_or(Short)?;
        Ok((name.to_vec(), value.to_vec()))
    }
}

/// Wireshark's words for how a header was written.
fn spelled(how: &'static str, index: u64, bits: u32) -> &'static str {
    match (bits, index) {
        (7, _) => how,
        (6, 0) => "Literal Header Field with Incremental Indexing - New Name",
        (6, _) => "Literal Header Field with Incremental Indexing - Indexed Name",
        (_, 0) if how.contains("never") => "Literal Header Field never Indexed - New Name",
        (_, _) if how.contains("never") => "Literal Header Field never Indexed - Indexed Name",
        (_, 0) => "Literal Header Field without Indexing - New Name",
        _ => "Literal Header Field without Indexing - Indexed Name",
    }
}
