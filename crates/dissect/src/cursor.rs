//! Reading bytes and naming them in one go. Every read is checked; running out of bytes ends the layer, not the
//! dissection.

use crate::context::Context;
use crate::field::FieldDef;

/// Bytes ran out. The layer being read is marked as malformed or cut short; what was found so far stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

/// What a dissector gives back.
pub(crate) type Read<T = ()> = Result<T, Short>;

/// A window into one source's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'d> {
    pub(crate) bytes: &'d [u8],
    /// Where the window begins in its source.
    pub(crate) at: u32,
    /// Which source: 0 is the frame.
    pub(crate) source: u8,
}

impl<'d> Data<'d> {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// From `from` on; nothing if that is beyond the end.
    pub(crate) fn from(&self, from: usize) -> Data<'d> {
        let from = from.min(self.bytes.len());
        Data { bytes: &self.bytes[from..], at: self.at + from as u32, source: self.source }
    }

    /// The first `len` bytes, or as many as there are.
    pub(crate) fn first(&self, len: usize) -> Data<'d> {
        Data { bytes: &self.bytes[..len.min(self.bytes.len())], ..*self }
    }

    pub(crate) fn u8(&self, at: usize) -> Read<u8> {
        self.bytes.get(at).copied().ok_or(Short)
    }

    pub(crate) fn u16(&self, at: usize) -> Read<u16> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|word| u16::from_be_bytes(*word))
            .ok_or(Short)
    }

    pub(crate) fn u32(&self, at: usize) -> Read<u32> {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|word| u32::from_be_bytes(*word))
            .ok_or(Short)
    }

    pub(crate) fn cursor(self) -> Cursor<'d> {
        Cursor { data: self, pos: 0 }
    }
}

/// A place in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'d> {
    pub(crate) data: Data<'d>,
    pub(crate) pos: usize,
}

impl<'d> Cursor<'d> {
    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.data.len() - self.pos
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// What is left.
    pub(crate) fn rest(&self) -> Data<'d> {
        self.data.from(self.pos)
    }

    /// The next byte, without going on.
    pub(crate) fn peek(&self) -> Read<u8> {
        self.data.u8(self.pos)
    }

    pub(crate) fn peek_u16(&self) -> Read<u16> {
        self.data.u16(self.pos)
    }

    /// Goes on without naming anything.
    pub(crate) fn skip(&mut self, count: usize) -> Read {
        self.take(count).map(|_| ())
    }

    /// The next `count` bytes as a window of their own.
    pub(crate) fn take(&mut self, count: usize) -> Read<Data<'d>> {
        if count > self.left() {
            return Err(Short);
        }
        let taken = self.rest().first(count);
        self.pos += count;
        Ok(taken)
    }

    /// The next `count` bytes, or as many as there are.
    pub(crate) fn take_most(&mut self, count: usize) -> Data<'d> {
        let taken = self.rest().first(count);
        self.pos += taken.len();
        taken
    }

    fn number(&self, size: usize) -> Read<u64> {
        match size {
            1 => return self.data.u8(self.pos).map(u64::from),
            2 => return self.data.u16(self.pos).map(u64::from),
            4 => return self.data.u32(self.pos).map(u64::from),
            _ => {}
        }
        let bytes = self.data.bytes.get(self.pos..self.pos + size).ok_or(Short)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Reads a big-endian number of `size` bytes (at most 8) and names it.
    pub(crate) fn uint(&mut self, cx: &mut Context<'_>, def: &'static FieldDef, size: usize) -> Read<u64> {
        let raw = self.number(size)?;
        let value = masked(raw, def.mask);
        cx.add(def, self.data, self.pos, size, value);
        self.pos += size;
        Ok(value)
    }

    pub(crate) fn u8(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u8> {
        let raw = self.data.u8(self.pos)?;
        let value = masked(u64::from(raw), def.mask);
        cx.add(def, self.data, self.pos, 1, value);
        self.pos += 1;
        Ok(value as u8)
    }

    pub(crate) fn u16(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u16> {
        let raw = self.data.u16(self.pos)?;
        let value = masked(u64::from(raw), def.mask);
        cx.add(def, self.data, self.pos, 2, value);
        self.pos += 2;
        Ok(value as u16)
    }

    pub(crate) fn u24(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u32> {
        self.uint(cx, def, 3).map(|value| value as u32)
    }

    pub(crate) fn u32(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u32> {
        let raw = self.data.u32(self.pos)?;
        let value = masked(u64::from(raw), def.mask);
        cx.add(def, self.data, self.pos, 4, value);
        self.pos += 4;
        Ok(value as u32)
    }

    /// A signed number of `size` bytes.
    pub(crate) fn int(&mut self, cx: &mut Context<'_>, def: &'static FieldDef, size: usize) -> Read<i64> {
        let shift = 64 - 8 * size as u32;
        let value = ((self.number(size)? << shift) as i64) >> shift;
        cx.add(def, self.data, self.pos, size, value as u64);
        self.pos += size;
        Ok(value)
    }

    /// Reads a number of `size` bytes whose bits have names: the first definition shows the whole (if `whole`), the
    /// others, a level deeper, their own bits. Gives the whole.
    pub(crate) fn bits(
        &mut self,
        cx: &mut Context<'_>,
        whole: &'static FieldDef,
        size: usize,
        parts: &[&'static FieldDef],
    ) -> Read<u64> {
        let raw = self.number(size)?;
        cx.add(whole, self.data, self.pos, size, masked(raw, whole.mask));
        cx.depth += 1;
        for part in parts {
            cx.add(part, self.data, self.pos, size, masked(raw, part.mask));
        }
        cx.depth -= 1;
        self.pos += size;
        Ok(raw)
    }

    /// Reads a number of `size` bytes of which only parts have names.
    pub(crate) fn parts(
        &mut self,
        cx: &mut Context<'_>,
        size: usize,
        parts: &[&'static FieldDef],
    ) -> Read<u64> {
        let raw = self.number(size)?;
        for part in parts {
            cx.add(part, self.data, self.pos, size, masked(raw, part.mask));
        }
        self.pos += size;
        Ok(raw)
    }

    pub(crate) fn ipv4(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u32> {
        self.u32(cx, def)
    }

    pub(crate) fn ipv6(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<[u8; 16]> {
        let bytes = self.bytes(cx, def, 16)?;
        Ok(*bytes.first_chunk().expect("16 bytes were read"))
    }

    pub(crate) fn ether(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> Read<u64> {
        self.uint(cx, def, 6)
    }

    /// Bytes or words that are exactly there.
    pub(crate) fn bytes(
        &mut self,
        cx: &mut Context<'_>,
        def: &'static FieldDef,
        len: usize,
    ) -> Read<&'d [u8]> {
        let taken = self.take(len)?;
        cx.add(def, taken, 0, len, 0);
        Ok(taken.bytes)
    }

    /// All that is left, if anything is.
    pub(crate) fn all(&mut self, cx: &mut Context<'_>, def: &'static FieldDef) -> &'d [u8] {
        let rest = self.take_most(usize::MAX);
        if !rest.is_empty() {
            cx.add(def, rest, 0, rest.len(), 0);
        }
        rest.bytes
    }
}

/// The bits under a mask, shifted down.
pub(crate) fn masked(raw: u64, mask: u64) -> u64 {
    if mask == 0 { raw } else { (raw & mask) >> mask.trailing_zeros() }
}
