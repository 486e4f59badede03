//! Where a capture comes from: a file or standard input, compressed or not.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

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
    matches!(magic, [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x04, 0x22, 0x4D, 0x18, ..])
}

/// Unpacks what the first bytes say is gzip, zstd or lz4.
pub(crate) fn unpack(mut raw: Source) -> io::Result<Source> {
    let mut magic = Vec::new();
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let whole = Cursor::new(magic.clone()).chain(raw);
    Ok(match magic.as_slice() {
        [0x1F, 0x8B, ..] => {
            Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
        }
        [0x28, 0xB5, 0x2F, 0xFD] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(BufReader::with_capacity(1 << 16, whole));
            Box::new(decoder.map_err(io::Error::other)?)
        }
        [0x04, 0x22, 0x4D, 0x18] => Box::new(lz4_flex::frame::FrameDecoder::new(whole)),
        _ => Box::new(whole),
    })
}
