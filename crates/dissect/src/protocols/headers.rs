//! Compressed headers: what HPACK (RFC 7541) and QPACK (RFC 9204) have in common.
//!
//! - `huffman`: the code of strings. `tables`: headers that are known from the start.
//! - `hpack`: header blocks of HTTP/2. `qpack`: field sections of HTTP/3.

pub(crate) mod hpack;
mod huffman;
pub(crate) mod qpack;
mod tables;

use crate::cursor::{Cursor, Data, Read, Short};
use std::collections::VecDeque;

/// A dynamic table may be this large. Larger ones are legal and unheard of: the connection is given up then.
const TABLE_MAX: usize = 256 << 10;

/// The headers of one section are not longer in sum. An index of one byte may stand for the whole table.
const SECTION_MAX: usize = 256 << 10;

/// The headers that a connection has learned, the latest first.
#[derive(Debug)]
pub(crate) struct Table {
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    /// What the encoder may use.
    capacity: usize,
    /// So many were ever inserted.
    inserted: u64,
}

impl Table {
    fn new(capacity: usize) -> Table {
        Table { entries: VecDeque::new(), size: 0, capacity, inserted: 0 }
    }

    /// The entry that was inserted as the `back`-th last.
    fn get(&self, back: usize) -> Option<(&[u8], &[u8])> {
        self.entries.get(back).map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + 32;
        self.inserted += 1;
        self.evict(self.capacity.saturating_sub(size));
        // One that is larger than the table empties it (RFC 7541 4.4).
        if size <= self.capacity {
            self.entries.push_front((name.to_vec(), value.to_vec()));
            self.size += size;
        }
    }

    /// `None`: it is more than is kept here.
    fn resize(&mut self, capacity: usize) -> Option<()> {
        if capacity > TABLE_MAX {
            return None;
        }
        self.capacity = capacity;
        self.evict(capacity);
        Some(())
    }

    fn evict(&mut self, size_max: usize) {
        while self.size > size_max {
            let Some((name, value)) = self.entries.pop_back() else { break };
            self.size -= name.len() + value.len() + 32;
        }
    }
}

/// A number whose first byte has `bits` bits of it (RFC 7541 5.1).
fn integer(c: &mut Cursor<'_>, bits: u32) -> Read<u64> {
    let mask = (1u16 << bits) as u8 - if bits == 8 { 0 } else { 1 };
    let mask = if bits == 8 { 0xFF } else { mask };
    let mut value = u64::from(c.peek()? & mask);
    c.skip(1)?;
    if value < u64::from(mask) {
        return Ok(value);
    }
    for shift in (0..56).step_by(7) {
        let byte = c.peek()?;
        c.skip(1)?;
        value = value.checked_add(u64::from(byte & 0x7F) << shift).ok_or(Short)?;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Short)
}

/// A string whose length has `bits` bits in the first byte and whose Huffman flag stands before them.
fn string<'d>(c: &mut Cursor<'d>, bits: u32) -> Read<(Vec<u8>, Data<'d>)> {
    let is_huffman = c.peek()? >> bits & 1 == 1;
    let len = usize::try_from(integer(c, bits)?).map_err(|_| Short)?;
    let raw = c.take(len)?;
    let words = if is_huffman { huffman::decode(raw.bytes).ok_or(Short)? } else { raw.bytes.to_vec() };
    Ok((words, raw))
}

/// A header as it was found in a block.
#[derive(Debug)]
pub(crate) struct Header<'d> {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// How it was written.
    pub(crate) how: &'static str,
    /// The index it named; 0: none.
    pub(crate) index: u64,
    /// All of its bytes.
    pub(crate) at: Data<'d>,
}

impl Header<'_> {
    /// How long name and value are.
    fn len(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

#[cfg(test)]
mod tests;
