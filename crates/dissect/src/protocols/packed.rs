//! Bodies that were compressed for the way (RFC 9110 8.4.1): gzip, deflate, Brotli and zstd.

use crate::file::Zstd;
use flate2::{Decompress, FlushDecompress, Status};

/// A body is unpacked up to this length: a few bytes may stand for gigabytes.
const UNPACKED_MAX: usize = 4 << 20;

/// Of HTTP's bodies (RFC 9659 3): a decoder has to hold so much before it gives anything.
const ZSTD_WINDOW_MAX: u64 = 8 << 20;

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
        b"zstd" => read_some(Zstd::with_window_max(bytes, ZSTD_WINDOW_MAX)),
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
    let (mut plain, end) = inflated(&[&head[..], before, bytes, &[0, 0, 0xFF, 0xFF]].concat(), false);
    (end != End::Broken && plain.len() >= before.len()).then(|| plain.split_off(before.len()))
}

/// What is packed, as far as it is there; nothing if it is none of it, or broken from the start.
fn inflate(bytes: &[u8], zlib: bool) -> Option<Vec<u8>> {
    let (plain, end) = inflated(bytes, zlib);
    (end == End::Whole || !plain.is_empty()).then_some(plain)
}

/// How unpacking came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All of it is there.
    Whole,
    /// It goes on, or it is longer than what is unpacked.
    GoesOn,
    Broken,
}

fn inflated(bytes: &[u8], zlib: bool) -> (Vec<u8>, End) {
    let mut machine = Decompress::new(zlib);
    let mut plain = Vec::with_capacity(bytes.len().saturating_mul(4).min(UNPACKED_MAX));
    loop {
        let (read, had) = (machine.total_in(), plain.len());
        let rest = bytes.get(read as usize..).unwrap_or_default();
        let status = machine.decompress_vec(rest, &mut plain, FlushDecompress::None);
        let stands = machine.total_in() == read && plain.len() == had;
        match status {
            Ok(Status::Ok | Status::BufError) if plain.len() >= UNPACKED_MAX => return (plain, End::GoesOn),
            Ok(Status::Ok | Status::BufError) if plain.len() == plain.capacity() => {
                plain.reserve(plain.len().clamp(1024, UNPACKED_MAX));
            }
            Ok(Status::Ok) if !stands => {}
            Ok(Status::StreamEnd) => return (plain, End::Whole),
            Ok(_) => return (plain, End::GoesOn),
            Err(_) => return (plain, End::Broken),
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
        // 64 MB of zeros, as `brotli.compress(bytes(64 << 20), quality=11, lgwin=24)` of Python packs them.
        let bomb = b"\xcf\xff\xff\x7f\xf8'\x00\xe2\xb1@ \xf7\xfe\x9f\xff\xff\xff\xf0O\x00\xc4a\x01\x80\xee\xfd?\xff\xff\xff\xe1\x9f\x00\x88\xc3\"\x00\xdd\xfb\x7f\xfe\xff\xff\xc3?\x01\x10\x87\x05\x00\xba\xf7\xff\x03";
        let plain = unpack(b"br", bomb).expect("a part of it");
        assert!(plain.len() >= UNPACKED_MAX && plain.len() < UNPACKED_MAX + 4096);
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
        // Several frames are one body.
        assert_eq!(unpack(b"zstd", &zstd.repeat(3)), Some(plain.repeat(3)));
    }

    /// A frame of zstd with a window of so many bits, which repeats a byte: blocks of 128 kB in four bytes each.
    fn repeated(window: u8, blocks: usize) -> Vec<u8> {
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, (window - 10) << 3];
        for at in 0..blocks {
            // RFC 8878 3.1.1.2: whether it is the last, its kind (1: a byte again and again), its size.
            let header = u32::from(at + 1 == blocks) | 1 << 1 | (128 << 10) << 3;
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.push(b'a');
        }
        frame
    }

    #[test]
    fn a_bomb_of_zstd_is_not_unpacked_whole() {
        let plain = unpack(b"zstd", &repeated(17, 2000)).expect("a part of it");
        assert!(plain.len() >= UNPACKED_MAX && plain.len() < UNPACKED_MAX + 4096);
        // What would have to be held before anything is given is no more than RFC 9659 allows.
        assert!(unpack(b"zstd", &repeated(23, 2000)).is_some());
        assert_eq!(unpack(b"zstd", &repeated(24, 2000)), None);
    }

    /// A frame of zstd with one block: a literal and a match of 65,539 bytes for each sequence, by tables of one
    /// symbol each, so that a sequence takes two bytes (RFC 8878 3.1.1.3.2).
    fn sequences(count: u16) -> Vec<u8> {
        let literals = u32::from(count) << 4 | 1 << 2 | 1;
        let mut block = vec![literals as u8, (literals >> 8) as u8, b'a'];
        match count {
            ..128 => block.push(count as u8),
            _ => block.extend_from_slice(&[(count >> 8) as u8 + 128, count as u8]),
        }
        // One literal, the last offset, 16 more bits of length.
        block.extend_from_slice(&[0b0101_0100, 1, 0, 52]);
        block.extend(std::iter::repeat_n(0, usize::from(count) * 2));
        block.push(1);
        let header = 1 | 2 << 1 | (block.len() as u32) << 3;
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, 10 << 3];
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(&block);
        frame
    }

    #[test]
    fn a_block_of_zstd_is_no_bomb_of_its_own() {
        assert_eq!(unpack(b"zstd", &sequences(1)).map(|plain| plain.len()), Some(65_540));
        // 8 kB that would be a quarter of a gigabyte, were a block's size not bounded.
        assert_eq!(unpack(b"zstd", &sequences(4000)), None);
    }

    #[test]
    fn a_message_may_refer_to_those_before() {
        use flate2::{Compress, FlushCompress};
        let mut machine = Compress::new(Compression::best(), false);
        let mut before = Vec::new();
        for text in [&b"the same words again and again"[..], b"the same words again and again", b"", b"words"]
        {
            let mut packed = Vec::with_capacity(200);
            machine.compress_vec(text, &mut packed, FlushCompress::Sync).expect("memory has room");
            let bytes = packed.strip_suffix(&[0, 0, 0xFF, 0xFF]).expect("a flush ends so");
            assert_eq!(inflate_after(&before, bytes).as_deref(), Some(text));
            before.extend_from_slice(text);
        }
        assert_eq!(inflate_after(b"abc", &[0xFF; 9]), None, "broken");
        assert_eq!(inflate_after(&[0; WINDOW + WINDOW], b""), None, "longer than any window");
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
