//! Where the records of TLS end on one side of a stream.

use crate::side::Piece;

/// Where the records of TLS end on one side of a stream (RFC 8446 5.1): five bytes of head say how many follow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    head: Vec<u8>,
    left: u64,
    /// A head was not captured, or is none.
    lost: bool,
}

impl Framing {
    pub(super) fn take(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes(bytes) => self.bytes(bytes),
            Piece::Skipped(count) => match self.left.checked_sub(*count) {
                Some(left) => self.left = left,
                None => self.lost = true,
            },
        }
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            let within = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= within as u64;
            bytes = &bytes[within..];
            let head = bytes.len().min(5 - self.head.len());
            self.head.extend_from_slice(&bytes[..head]);
            bytes = &bytes[head..];
            if let [kind, major, _, high, low] = self.head[..] {
                self.lost = !(20..=24).contains(&kind) || major != 3;
                self.left = u64::from(high) << 8 | u64::from(low);
                self.head.clear();
            }
        }
    }

    /// Whether a record was begun and not finished.
    pub(crate) fn is_open(&self) -> bool {
        !self.lost && (self.left > 0 || !self.head.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_their_heads_say() {
        let stream: Vec<u8> = [&[22, 3, 3, 0, 3, 1, 2, 3][..], &[23, 3, 3, 0, 1, 9]].concat();
        for cut in 0..=stream.len() {
            for at in 0..=cut {
                let mut framing = Framing::default();
                framing.take(&Piece::Bytes(stream[..at].to_vec()));
                framing.take(&Piece::Bytes(stream[at..cut].to_vec()));
                assert_eq!(framing.is_open(), !matches!(cut, 0 | 8 | 14), "{at} and {cut}");
            }
        }
        let mut framing = Framing::default();
        framing.take(&Piece::Bytes(stream[..6].to_vec()));
        framing.take(&Piece::Skipped(2));
        assert!(!framing.is_open());
        framing.take(&Piece::Skipped(1));
        framing.take(&Piece::Bytes(stream[8..10].to_vec()));
        assert!(!framing.is_open(), "where a head was not captured nothing is known");
    }
}
