//! The options of a pcapng block: code, length, value, padded to four bytes.

use super::Order;

/// `opt_comment`.
pub(super) const COMMENT: u16 = 1;

/// A block's options, read one after the other. Ends quietly where they do not fit.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    bytes: &'a [u8],
    order: Order,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionField<'a> {
    /// What it is; the meaning depends on the block, but 1 is a comment everywhere.
    pub code: u16,
    /// Its value, without the padding.
    pub bytes: &'a [u8],
    pub(super) order: Order,
}

impl<'a> Options<'a> {
    pub(super) fn new(bytes: &'a [u8], order: Order) -> Options<'a> {
        Options { bytes, order }
    }

    /// No options at all.
    pub const fn none() -> Options<'static> {
        Options { bytes: &[], order: Order::Little }
    }

    /// The first option with this code.
    pub fn find(mut self, code: u16) -> Option<OptionField<'a>> {
        self.by_ref().find(|option| option.code == code)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = OptionField<'a>;

    fn next(&mut self) -> Option<OptionField<'a>> {
        let header = self.bytes.get(..4)?;
        let (code, length) = (self.order.u16(header), usize::from(self.order.u16(&header[2..])));
        if code == 0 {
            self.bytes = &[];
            return None;
        }
        let Some(bytes) = self.bytes.get(4..4 + length) else {
            self.bytes = &[];
            return None;
        };
        self.bytes = self.bytes.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(OptionField { code, bytes, order: self.order })
    }
}

impl OptionField<'_> {
    /// The value as words.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).trim_end_matches('\0').to_owned()
    }

    /// The value as words, no more than so many bytes of them.
    pub(super) fn text_within(&self, most: usize) -> String {
        // A character that is cut here begins behind what is kept.
        let bytes = &self.bytes[..self.bytes.len().min(most + 3)];
        let text = OptionField { bytes, ..*self }.text();
        text[..text.floor_char_boundary(most)].to_owned()
    }

    /// The value as a number of 64 bits; 0 if it is shorter.
    pub fn u64(&self) -> u64 {
        self.order.u64(self.bytes)
    }

    /// The value as a number of 32 bits; 0 if it is shorter.
    pub fn u32(&self) -> u32 {
        self.order.u32(self.bytes)
    }
}
