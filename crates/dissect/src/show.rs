//! Trees for people and programs: lines, outlines, hex, JSON, columns.
//!
//! Everything is appended to a byte buffer that the caller keeps, so nothing is allocated for a packet. Bytes from the
//! network are escaped: nothing that moves a cursor gets through.

mod hex;
mod json;
mod line;
mod outline;
mod value;

pub use hex::hex_dump;
pub(crate) use json::text as json_text;
pub use json::{JsonScratch, json_line};
pub(crate) use line::summary_words;
pub use line::{LineOptions, TimeStyle, line};
pub use outline::{outline, outline_field};
pub(crate) use value::hex_bytes;
pub use value::{columns, compact_date, write_value};

/// Appends formatted text.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        use std::io::Write as _;
        let _ = write!($out, $($format)*);
    }};
}
pub(crate) use put;

/// Appends words from the network: control characters and bytes that are no UTF-8 are shown as `\xNN`, characters
/// that deceive as `\u{...}`.
pub(crate) fn escape(out: &mut Vec<u8>, words: &[u8]) {
    for chunk in words.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if (c as u32) < 0x100 && c.is_control() => put!(out, "\\x{:02x}", c as u32),
                c if deceives(c) => put!(out, "\\u{{{:x}}}", c as u32),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            put!(out, "\\x{byte:02x}");
        }
    }
}

/// Invisible characters, and those that turn the direction of text or begin lines.
fn deceives(c: char) -> bool {
    matches!(
        c as u32,
        0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xE000..=0xF8FF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFB | 0xE0000..=0x10FFFF
    )
}

/// Appends a decimal number without the formatting machinery, which would cost more than the rest of a line.
pub(crate) fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number in exactly `width` decimal digits.
pub(crate) fn padded(out: &mut Vec<u8>, number: u64, width: u32) {
    let (mut digits, mut rest) = ([b'0'; 20], number);
    let width = (width as usize).min(digits.len());
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

#[cfg(test)]
mod tests;
