//! TCP (RFC 9293): the segment header and its options.
//!
//! - [`Tcp`]: the header as a value; [`TcpView`] looks at bytes.
//! - [`TcpOptions`]: what a stack acts upon; [`TcpOption`] names every registered option.
//! - [`SeqNumber`], [`Flags`]: arithmetic that wraps, and the control bits.

use bytes::BufMut;

use crate::checksum::{PseudoHeader, Sum};
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, u16_at, u32_at};

mod flags;
mod option;
mod options;
mod seq;

pub use flags::Flags;
pub use option::{AccEcnCounters, TcpOption, TcpOptionIter};
pub use options::{ExtraOptions, OptionLayout, SackBlocks, TcpOptions, Timestamps};
pub use seq::SeqNumber;

/// Looks at the bytes of a TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct TcpView<'a> {
    bytes: &'a [u8],
}

impl<'a> TcpView<'a> {
    /// Checks that the fixed header is there.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<TcpView<'a>, ParseError> {
        fixed_header(Layer::Tcp, bytes, Tcp::MIN_LEN)?;
        Ok(TcpView { bytes })
    }

    /// Who sent it.
    #[inline]
    pub fn src_port(&self) -> u16 {
        u16_at(self.bytes, 0)
    }

    /// Who is to receive it.
    #[inline]
    pub fn dst_port(&self) -> u16 {
        u16_at(self.bytes, 2)
    }

    /// Sequence number of the first byte of payload, or of the SYN.
    #[inline]
    pub fn seq(&self) -> SeqNumber {
        SeqNumber(u32_at(self.bytes, 4))
    }

    /// The next sequence number expected; means something only with ACK.
    #[inline]
    pub fn ack(&self) -> SeqNumber {
        SeqNumber(u32_at(self.bytes, 8))
    }

    /// Bytes of the header as claimed (data offset times 4); less than 20 is a lie.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.bytes[12] >> 4) * 4
    }

    /// The three reserved bits (RFC 9293 section 3.1 has four; the last is AccECN's AE).
    #[inline]
    pub fn reserved(&self) -> u8 {
        self.bytes[12] >> 1 & 7
    }

    /// The control bits.
    #[inline]
    pub fn flags(&self) -> Flags {
        Flags(u16_at(self.bytes, 12) & 0x1ff)
    }

    /// The receive window, unscaled.
    #[inline]
    pub fn window(&self) -> u16 {
        u16_at(self.bytes, 14)
    }

    /// The checksum.
    #[inline]
    pub fn checksum(&self) -> u16 {
        u16_at(self.bytes, 16)
    }

    /// The urgent pointer; means something only with URG.
    #[inline]
    pub fn urgent(&self) -> u16 {
        u16_at(self.bytes, 18)
    }

    /// The options, as far as they are there.
    pub fn options(&self) -> TcpOptionIter<'a> {
        TcpOptionIter::new(&self.bytes[Tcp::MIN_LEN..self.header_end()])
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_end()..]
    }

    /// Whether the checksum over the whole segment is right.
    pub fn checksum_is_valid(&self, pseudo: &PseudoHeader) -> bool {
        pseudo.is_valid(self.bytes)
    }

    fn header_end(&self) -> usize {
        self.header_len().clamp(Tcp::MIN_LEN, self.bytes.len())
    }
}

/// A TCP header, always legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tcp {
    /// Who sent it.
    pub src_port: u16,
    /// Who is to receive it.
    pub dst_port: u16,
    /// Sequence number of the first byte of payload, or of the SYN.
    pub seq: SeqNumber,
    /// The next sequence number expected; means something only with ACK.
    pub ack: SeqNumber,
    /// The control bits.
    pub flags: Flags,
    /// As on the wire, unscaled.
    pub window: u16,
    /// The urgent pointer; means something only with URG.
    pub urgent: u16,
    /// The options.
    pub options: TcpOptions,
}

impl Tcp {
    /// Bytes of a header without options.
    pub const MIN_LEN: usize = 20;
    /// Bytes of the longest header.
    pub const MAX_LEN: usize = 60;

    /// Reads a segment; returns the header and the payload. With a pseudo header the checksum is verified.
    ///
    /// A malformed option list is an error (RFC 9293 MUST-7 leaves the reaction open). An option of a known
    /// kind but of an impossible length is kept as an unknown one.
    #[inline]
    pub fn parse<'a>(bytes: &'a [u8], pseudo: Option<&PseudoHeader>) -> Result<(Tcp, &'a [u8]), ParseError> {
        let view = TcpView::new(bytes)?;
        let header = view.header_len();
        if header < Tcp::MIN_LEN {
            return Err(ParseError::Illegal {
                layer: Layer::Tcp,
                at: 12,
                what: "data offset is less than 20 bytes",
            });
        }
        claimed(Layer::Tcp, bytes, 0, header, ClaimedBy::TcpDataOffset)?;
        if pseudo.is_some_and(|pseudo| !pseudo.is_valid(bytes)) {
            return Err(ParseError::Checksum { layer: Layer::Tcp });
        }
        let value = Tcp {
            src_port: view.src_port(),
            dst_port: view.dst_port(),
            seq: view.seq(),
            ack: view.ack(),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            options: TcpOptions::parse(&bytes[Tcp::MIN_LEN..header])?,
        };
        Ok((value, &bytes[header..]))
    }

    /// Bytes of the header with its options.
    #[inline]
    pub fn header_len(&self) -> usize {
        Tcp::MIN_LEN + self.options.padded_len()
    }

    /// Sequence space that the segment takes with a payload of `payload_len` bytes: SYN and FIN count one each.
    #[inline]
    pub fn sequence_len(&self, payload_len: usize) -> u32 {
        payload_len as u32
            + u32::from(self.flags.contains(Flags::SYN))
            + u32::from(self.flags.contains(Flags::FIN))
    }

    /// Writes the header to the front of `out`, with the checksum over it and a payload whose sum and
    /// length are given; returns its length. The form for payloads that lie in several pieces.
    pub fn write_header(
        &self,
        payload: Sum,
        payload_len: usize,
        pseudo: &PseudoHeader,
        out: &mut [u8; Tcp::MAX_LEN],
    ) -> usize {
        out[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        out[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        let len = Tcp::MIN_LEN + self.options.emit(&mut out[Tcp::MIN_LEN..]);
        let offset_and_flags = ((len / 4) as u16) << 12 | (self.flags.0 & 0x1ff);
        out[12..14].copy_from_slice(&offset_and_flags.to_be_bytes());
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        out[16..18].fill(0);
        out[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        let mut sum = pseudo.sum(len + payload_len);
        sum.add_bytes(&out[..len]);
        sum.add_sum(payload);
        out[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
        len
    }

    /// Appends header and payload, checksum filled in.
    pub fn emit_into(&self, payload: &[u8], pseudo: &PseudoHeader, out: &mut impl BufMut) {
        let mut header = [0; Tcp::MAX_LEN];
        let len = self.write_header(Sum::of(payload), payload.len(), pseudo, &mut header);
        out.put_slice(&header[..len]);
        out.put_slice(payload);
    }
}

#[cfg(test)]
pub(crate) mod tests;
