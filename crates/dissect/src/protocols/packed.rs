//! Bodies that were compressed for the way (RFC 9110 8.4.1): gzip, deflate, Brotli and zstd.

use flate2::{Decompress, FlushDecompress, Status};

/// A body is unpacked up to this length: a few bytes may stand for gigabytes.
const UNPACKED_MAX: usize = 4 << 20;

/// Unpacks a body, as far as it is there. `None`: the coding is not known, or nothing could be unpacked.
pub(crate) fn unpack(coding: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let coding = coding.to_ascii_lowercase();
    match coding.as_slice() {
        b"gzip" | b"x-gzip" | b"deflate" | b"x-deflate" => match gzip_header(bytes) {
            Some(rest) => inflate(rest, false),
            // Some send deflate without the wrapping of zlib.
            None => inflate(bytes, true).or_else(|| inflate(bytes, false)),
        },
        b"br" => read_some(brotli_decompressor::Decompressor::new(bytes, 4096)),
        b"zstd" => read_some(ruzstd::decoding::StreamingDecoder::new(bytes).ok()?),
        _ => None,
    }
}

/// What a reader gives, as far as it goes; nothing if it gives nothing.
fn read_some(mut from: impl std::io::Read) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut piece = [0; 4096];
    while plain.len() < UNPACKED_MAX {
        match from.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => plain.extend_from_slice(&piece[..count]),
        }
    }
    (!plain.is_empty()).then_some(plain)
}

/// What follows the header of gzip (RFC 1952 2.3).
fn gzip_header(bytes: &[u8]) -> Option<&[u8]> {
    let [0x1F, 0x8B, 8, flags, _, _, _, _, _, _, rest @ ..] = bytes else { return None };
    let mut rest = rest;
    if flags & 4 != 0 {
        let (len, extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for words in [8, 16] {
        if flags & words != 0 {
            rest = &rest[rest.iter().position(|byte| *byte == 0)? + 1..];
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

/// How far compression refers back.
pub(crate) const WINDOW: usize = 32 << 10;

/// Inflates a message that may refer back to `before`, which is not longer than the window, and whose end was left off
/// (RFC 7692 7.2.2). `None`: it is broken.
pub(crate) fn inflate_after(before: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(before.len()).ok()?;
    // What was before stands there as a block that is not packed (RFC 1951 3.2.4).
    let (low, high) = (len.to_le_bytes(), (!len).to_le_bytes());
    let head = [0, low[0], low[1], high[0], high[1]];
    let mut plain = inflate(&[&head[..], before, bytes, &[0, 0, 0xFF, 0xFF]].concat(), false)?;
    (plain.len() >= before.len()).then(|| plain.split_off(before.len()))
}

/// What is packed, as far as it is there; nothing if it is none of it, or broken from the start.
fn inflate(bytes: &[u8], zlib: bool) -> Option<Vec<u8>> {
    let mut machine = Decompress::new(zlib);
    let mut plain = Vec::with_capacity(bytes.len().saturating_mul(4).min(UNPACKED_MAX));
    loop {
        let (read, had) = (machine.total_in(), plain.len());
        let rest = bytes.get(read as usize..).unwrap_or_default();
        let status = machine.decompress_vec(rest, &mut plain, FlushDecompress::None);
        let stands = machine.total_in() == read && plain.len() == had;
        match status {
            Ok(Status::Ok | Status::BufError) if plain.len() >= UNPACKED_MAX => return Some(plain),
            Ok(Status::Ok | Status::BufError) if plain.len() == plain.capacity() => {
                plain.reserve(plain.len().clamp(1024, UNPACKED_MAX));
            }
            Ok(Status::Ok) if !stands => {}
            Ok(Status::StreamEnd) => return Some(plain),
            _ => return (!plain.is_empty()).then_some(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    fn packings(text: &[u8]) -> [(&'static [u8], Vec<u8>); 3] {
        let level = Compression::default();
        let mut gzip = GzEncoder::new(Vec::new(), level);
        let mut zlib = ZlibEncoder::new(Vec::new(), level);
        let mut raw = DeflateEncoder::new(Vec::new(), level);
        gzip.write_all(text)
            .and_then(|()| zlib.write_all(text))
            .and_then(|()| raw.write_all(text))
            .expect("memory");
        let finished = (gzip.finish(), zlib.finish(), raw.finish());
        let (Ok(gzip), Ok(zlib), Ok(raw)) = finished else { panic!("memory has room") };
        [(b"gzip", gzip), (b"deflate", zlib), (b"deflate", raw)]
    }

    #[test]
    fn a_bomb_is_not_unpacked_whole() {
        let [(coding, bomb), ..] = packings(&vec![0; 64 << 20]);
        let plain = unpack(coding, &bomb).expect("a part of it");
        assert!(plain.len() >= UNPACKED_MAX && plain.len() <= 2 * UNPACKED_MAX + 1024);
        assert_eq!(unpack(b"br", b"anything"), None);
        assert_eq!(unpack(b"zstd", b"anything"), None);
    }

    #[test]
    fn brotli_and_zstd_are_unpacked() {
        // `printf 'one two three\n' | brotli -c`, and the same with zstd.
        let brotli = b"\x8b\x06\x80one two three\n\x03";
        assert_eq!(unpack(b"br", brotli).as_deref(), Some(&b"one two three\n"[..]));
        let zstd = b"\x28\xb5\x2f\xfd\x04\x58\x71\x00\x00one two three\n\xd8\x8d\xbe\x76";
        let plain = unpack(b"zstd", zstd).unwrap_or_default();
        assert_eq!(plain, b"one two three\n");
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_and_a_part_gives_a_part(text in prop::collection::vec(0u8..4, 1..5000), cut in 0usize..400) {
            for (coding, packed) in packings(&text) {
                let plain = unpack(coding, &packed);
                prop_assert_eq!(plain.as_deref(), Some(&text[..]));
                let part = unpack(coding, &packed[..packed.len().saturating_sub(cut)]).unwrap_or_default();
                prop_assert_eq!(&part[..], &text[..part.len()]);
            }
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600), gzip in any::<bool>()) {
            let mut bytes = bytes;
            if gzip && bytes.len() > 4 {
                bytes[..3].copy_from_slice(&[0x1F, 0x8B, 8]);
            }
            for coding in [&b"gzip"[..], b"br", b"zstd"] {
                unpack(coding, &bytes);
            }
        }
    }
}
