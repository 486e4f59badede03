//! lz4's frames one behind the other: the decoder gives the end of each as if it were the end of all.

use std::io::{self, Read};

use lz4_flex::frame::FrameDecoder;

use super::source::{is_skipped, magic, skip};

/// Unpacks all frames of a source; those without content are skipped.
pub(super) struct Lz4<R: Read> {
    decoder: FrameDecoder<Watched<R>>,
    is_done: bool,
}

impl<R: Read> Lz4<R> {
    pub(super) fn new(source: R) -> Lz4<R> {
        let source = Watched { front: Vec::new(), source, has_ended: false };
        Lz4 { decoder: FrameDecoder::new(source), is_done: false }
    }
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_done {
            let count = self.decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let source = self.decoder.get_mut();
            if source.has_ended {
                // Between two blocks the decoder takes that for an end.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut next = magic(source)?;
            while is_skipped(&next) {
                skip(source)?;
                next = magic(source)?;
            }
            self.is_done = next.is_empty();
            source.front = next;
        }
        Ok(0)
    }
}

/// A source to which bytes may be given back.
struct Watched<R> {
    front: Vec<u8>,
    source: R,
    /// More was wanted than there is.
    has_ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.front.is_empty() {
            let count = self.front.len().min(buffer.len());
            let given = self.front.drain(..count);
            buffer.iter_mut().zip(given).for_each(|(place, byte)| *place = byte);
            return Ok(count);
        }
        let count = self.source.read(buffer)?;
        self.has_ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}
