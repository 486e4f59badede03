//! zstd (RFC 8878): frames one behind the other, as `cat a.zst b.zst` and programs that pack in parallel make them.

use std::fmt;
use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Unpacks all frames of a source, in the memory that one needs; those without content (RFC 8878 3.1.2) are skipped.
pub struct Zstd<R> {
    source: Watched<R>,
    decoder: FrameDecoder,
    /// The source has ended within a frame; what was unpacked before is given first.
    is_cut: bool,
}

/// The last block of a frame, with nothing in it, and a checksum (RFC 8878 3.1.1).
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R> fmt::Debug for Zstd<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").finish_non_exhaustive()
    }
}

impl<R: BufRead> Zstd<R> {
    /// Begins at the source's next byte. A frame that would refer back further than 100 MB is an error.
    pub fn new(source: R) -> Zstd<R> {
        Zstd { source: Watched { inner: source, ended: false }, decoder: FrameDecoder::new(), is_cut: false }
    }

    /// The same for a window of at most so many bytes: that much is held before anything is given.
    pub fn with_window_max(source: R, bytes: u64) -> Zstd<R> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(bytes);
        Zstd { source: Watched { inner: source, ended: false }, decoder, is_cut: false }
    }

    /// Goes on with the next frame; `false`: there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.inner.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(cut());
                    }
                }
                Err(error) => return Err(self.failure(&error)),
            }
        }
        Ok(false)
    }

    /// Unpacks the next block. Of a frame that is cut, the blocks before are given as if it ended with them: the decoder
    /// would keep what later blocks may refer to.
    fn block(&mut self) -> io::Result<()> {
        let strategy = || BlockDecodingStrategy::UptoBlocks(1);
        let Err(error) = self.decoder.decode_blocks(&mut self.source, strategy()) else { return Ok(()) };
        let failure = self.failure(&error);
        if !self.source.ended {
            return Err(failure);
        }
        self.is_cut = true;
        self.decoder.decode_blocks(&LAST_BLOCK[..], strategy()).map(drop).map_err(|_| failure)
    }

    /// What is wrong, in words: the decoder's are about its own parts.
    fn failure(&mut self, error: &FrameDecoderError) -> io::Error {
        match self.source.ended {
            true => cut(),
            false => {
                io::Error::new(io::ErrorKind::InvalidData, format!("the zstd frame is damaged: {error}"))
            }
        }
    }
}

/// A source that knows whether more was wanted of it than there was: what is damaged may end where it does, too.
struct Watched<R> {
    inner: R,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the zstd frame is cut short")
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.decoder.is_finished() {
                if self.is_cut {
                    return Err(cut());
                }
                if !self.begin()? {
                    return Ok(0);
                }
            } else {
                self.block()?;
            }
        }
        self.decoder.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame with one block that is not packed.
    fn frame(content: &[u8]) -> Vec<u8> {
        // RFC 8878 3.1.1: the magic number, one segment with a length of one byte, and the last block.
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x20, content.len() as u8];
        frame.extend_from_slice(&(1 | (content.len() as u32) << 3).to_le_bytes()[..3]);
        frame.extend_from_slice(content);
        frame
    }

    /// A frame that is skipped.
    fn skipped(length: u32) -> Vec<u8> {
        [&[0x5A, 0x2A, 0x4D, 0x18][..], &length.to_le_bytes(), &vec![7; length as usize]].concat()
    }

    fn unpack(packed: &[u8]) -> (Vec<u8>, bool) {
        let mut plain = Vec::new();
        let ended = Zstd::with_window_max(packed, 1 << 20).read_to_end(&mut plain);
        (plain, ended.is_ok())
    }

    #[test]
    fn all_frames_are_unpacked() {
        let parts = [skipped(4), frame(b"one "), skipped(0), frame(b""), frame(b"two"), skipped(300)];
        assert_eq!(unpack(&parts.concat()), (b"one two".to_vec(), true));
        assert_eq!(unpack(b""), (Vec::new(), true));
        // What follows a frame and is none.
        assert_eq!(unpack(&[frame(b"one"), b"tail".to_vec()].concat()), (b"one".to_vec(), false));
    }

    #[test]
    fn a_cut_frame_is_an_error_and_one_between_frames_is_none() {
        let parts = [skipped(4), frame(b"one "), frame(b"two"), skipped(9)];
        let whole = parts.concat();
        let between: Vec<usize> = (0..=parts.len()).map(|count| parts[..count].concat().len()).collect();
        for cut in 0..=whole.len() {
            let (plain, is_whole) = unpack(&whole[..cut]);
            assert!(b"one two".starts_with(&plain[..]), "{cut}");
            assert_eq!(is_whole, between.contains(&cut), "{cut}");
        }
    }

    #[test]
    fn whole_blocks_of_a_cut_frame_are_given() {
        // One segment of 8 bytes in two blocks; the second is cut.
        let mut packed = vec![0x28, 0xB5, 0x2F, 0xFD, 0x20, 8];
        packed.extend_from_slice(&(4u32 << 3).to_le_bytes()[..3]);
        packed.extend_from_slice(b"one ");
        packed.extend_from_slice(&(1 | 4u32 << 3).to_le_bytes()[..3]);
        packed.extend_from_slice(b"tw");
        assert_eq!(unpack(&packed), (b"one ".to_vec(), false));
    }

    proptest! {
        #[test]
        fn any_bytes_behind_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..200), skip in any::<bool>()) {
            let front = if skip { vec![0x50, 0x2A, 0x4D, 0x18] } else { frame(b"one") };
            unpack(&[front, bytes].concat());
        }
    }
}
