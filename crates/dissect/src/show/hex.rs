//! Bytes in rows of sixteen, with what is printable beside them.

use super::put;
use super::value::hex_byte;
use crate::tree::Tree;

/// Appends the frame, and whatever was reassembled or decrypted, as hex and ASCII in tcpdump's form.
pub fn hex_dump(out: &mut Vec<u8>, tree: Tree<'_>) {
    rows(out, tree.frame());
    for source in tree.sources() {
        put!(out, "\t{} ({} bytes):\n", source.name, source.bytes.len());
        rows(out, &source.bytes);
    }
}

fn rows(out: &mut Vec<u8>, bytes: &[u8]) {
    for (row, line) in bytes.chunks(16).enumerate() {
        put!(out, "\t0x{:04x}:  ", row * 16);
        for pair in 0..8 {
            for byte in line.iter().skip(pair * 2).take(2) {
                hex_byte(out, *byte);
            }
            let missing = 2 - line.len().saturating_sub(pair * 2).min(2);
            out.resize(out.len() + missing * 2 + 1, b' ');
        }
        out.push(b' ');
        out.extend(line.iter().map(|byte| if (0x20..0x7F).contains(byte) { *byte } else { b'.' }));
        out.push(b'\n');
    }
}
