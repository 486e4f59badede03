//! Where a capture comes from: a file or standard input, compressed or not.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use thru_dissect::file::Zstd;

use super::lz4::Lz4;
use crate::failure::Failure;

/// The bytes of a capture.
pub(crate) type Source = Box<dyn Read>;

/// Opens a file, or standard input if it is `-`. What the first bytes say is gzip, zstd or lz4 is unpacked on the way.
pub(crate) fn open(path: &Path) -> Result<Source, Failure> {
    let raw: Source = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let cannot = |error: io::Error| {
            Failure::usage(
                format!("cannot read `{}`: {error}", path.display()),
                "give the path of a pcap or pcapng file, or - for standard input",
            )
        };
        if path.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        Box::new(File::open(path).map_err(cannot)?)
    };
    unpack(raw).map_err(|error| {
        Failure::usage(format!("cannot read `{}`: {error}", path.display()), "the file may be damaged")
    })
}

/// What is open is no capture, or nothing in it is whole.
pub(crate) fn no_capture(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::usage(
        format!("cannot read `{}`: {error}", path.display()),
        "pcap and pcapng can be read, also as gzip, zstd or lz4; it is none of these, or cut before anything in it is whole",
    )
}

/// Whether these first bytes are those of a compressed file.
pub(crate) fn is_packed(magic: &[u8]) -> bool {
    is_skipped(magic)
        || matches!(magic, [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x04, 0x22, 0x4D, 0x18, ..])
}

/// Whether a frame without content begins so: zstd and lz4 have the same (RFC 8878 3.1.2).
pub(super) fn is_skipped(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// The next four bytes, or as many as there are.
pub(super) fn magic(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    source.take(4).read_to_end(&mut magic)?;
    Ok(magic)
}

/// Skips the rest of a frame without content.
pub(super) fn skip(source: &mut impl Read) -> io::Result<()> {
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    let skipped = io::copy(&mut source.take(length), &mut io::sink())?;
    if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Unpacks what the first bytes say is gzip, zstd or lz4, all members or frames of it.
pub(crate) fn unpack(mut raw: Source) -> io::Result<Source> {
    let mut first = magic(&mut raw)?;
    while is_skipped(&first) {
        skip(&mut raw)?;
        first = magic(&mut raw)?;
    }
    let whole = Cursor::new(first.clone()).chain(raw);
    let buffered = |whole| BufReader::with_capacity(1 << 16, whole);
    Ok(match first.as_slice() {
        [0x1F, 0x8B, ..] => Box::new(flate2::read::MultiGzDecoder::new(buffered(whole))),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(Zstd::new(buffered(whole))),
        [0x04, 0x22, 0x4D, 0x18] => Box::new(Lz4::new(buffered(whole))),
        _ => Box::new(whole),
    })
}
