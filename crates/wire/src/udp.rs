//! UDP (RFC 768).

use bytes::BufMut;

use crate::checksum::{PseudoHeader, Sum};
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, u16_at};

/// Looks at the bytes of a UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct UdpView<'a> {
    bytes: &'a [u8],
}

impl<'a> UdpView<'a> {
    /// Checks that the header is there.
    pub fn new(bytes: &'a [u8]) -> Result<UdpView<'a>, ParseError> {
        fixed_header(Layer::Udp, bytes, Udp::LEN)?;
        Ok(UdpView { bytes })
    }

    /// Who sent it.
    pub fn src_port(&self) -> u16 {
        u16_at(self.bytes, 0)
    }

    /// Who is to receive it.
    pub fn dst_port(&self) -> u16 {
        u16_at(self.bytes, 2)
    }

    /// Bytes of header and payload, as claimed.
    pub fn length(&self) -> u16 {
        u16_at(self.bytes, 4)
    }

    /// The checksum; 0 means that there is none.
    pub fn checksum(&self) -> u16 {
        u16_at(self.bytes, 6)
    }

    /// The payload: as much of what `length` claims as is there.
    pub fn payload(&self) -> &'a [u8] {
        let end = usize::from(self.length()).clamp(Udp::LEN, self.bytes.len());
        &self.bytes[Udp::LEN..end]
    }

    /// Whether the checksum is right. `None`: the sender left it out, or bytes are missing.
    pub fn checksum_is_valid(&self, pseudo: &PseudoHeader) -> Option<bool> {
        let length = usize::from(self.length());
        if self.checksum() == 0 || length < Udp::LEN || length > self.bytes.len() {
            return None;
        }
        Some(pseudo.is_valid(&self.bytes[..length]))
    }
}

/// A UDP header, always legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Udp {
    /// Who sent it; 0 if no answer is wanted.
    pub src_port: u16,
    /// Who is to receive it.
    pub dst_port: u16,
}

impl Udp {
    /// Bytes of the header.
    pub const LEN: usize = 8;
    /// The largest payload that the length field can express.
    pub const MAX_PAYLOAD: usize = u16::MAX as usize - Udp::LEN;

    /// A header between two ports.
    pub const fn new(src_port: u16, dst_port: u16) -> Udp {
        Udp { src_port, dst_port }
    }

    /// Reads a datagram; returns the header and the payload, without what follows the datagram. With a
    /// pseudo header the checksum is verified; over IPv6 it must be there (RFC 8200 section 8.1).
    pub fn parse<'a>(bytes: &'a [u8], pseudo: Option<&PseudoHeader>) -> Result<(Udp, &'a [u8]), ParseError> {
        let view = UdpView::new(bytes)?;
        let length = usize::from(view.length());
        if length < Udp::LEN {
            return Err(ParseError::Illegal {
                layer: Layer::Udp,
                at: 4,
                what: "length is less than the header",
            });
        }
        claimed(Layer::Udp, bytes, 0, length, ClaimedBy::UdpLength)?;
        if let Some(pseudo) = pseudo {
            match view.checksum_is_valid(pseudo) {
                Some(true) => {}
                Some(false) => return Err(ParseError::Checksum { layer: Layer::Udp }),
                None if pseudo.is_v6() => {
                    return Err(ParseError::Illegal {
                        layer: Layer::Udp,
                        at: 6,
                        what: "no checksum over IPv6",
                    });
                }
                None => {}
            }
        }
        Ok((Udp { src_port: view.src_port(), dst_port: view.dst_port() }, view.payload()))
    }

    /// The header in front of `payload`, checksum filled in.
    ///
    /// # Panics
    ///
    /// If the payload is larger than [`Udp::MAX_PAYLOAD`].
    pub fn header(&self, payload: &[u8], pseudo: &PseudoHeader) -> [u8; Udp::LEN] {
        let mut header = self.header_without_checksum(payload.len());
        let mut sum = pseudo.sum(Udp::LEN + payload.len());
        sum.add_bytes(&header);
        sum.add_sum(Sum::of(payload));
        // RFC 768: a checksum that comes out as zero is sent as all ones.
        let checksum = match sum.checksum() {
            0 => 0xffff,
            checksum => checksum,
        };
        header[6..8].copy_from_slice(&checksum.to_be_bytes());
        header
    }

    /// The header in front of `payload_len` bytes, with checksum 0, "none".
    ///
    /// # Panics
    ///
    /// If the payload is larger than [`Udp::MAX_PAYLOAD`].
    pub fn header_without_checksum(&self, payload_len: usize) -> [u8; Udp::LEN] {
        assert!(payload_len <= Udp::MAX_PAYLOAD, "a UDP datagram holds at most 65527 bytes");
        let mut header = [0; Udp::LEN];
        header[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        header[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        header[4..6].copy_from_slice(&((Udp::LEN + payload_len) as u16).to_be_bytes());
        header
    }

    /// Appends header and payload, checksum filled in.
    ///
    /// # Panics
    ///
    /// If the payload is larger than [`Udp::MAX_PAYLOAD`].
    pub fn emit_into(&self, payload: &[u8], pseudo: &PseudoHeader, out: &mut impl BufMut) {
        out.put_slice(&self.header(payload, pseudo));
        out.put_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv4::Protocol;
    use crate::tests::{hex, sweep};
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    fn v4() -> PseudoHeader {
        PseudoHeader::v4(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2), Protocol::UDP)
    }

    #[test]
    fn a_known_datagram() {
        // Pseudo header, header, data: summed by hand.
        let words: u32 =
            [0xc000, 0x0201, 0xc000, 0x0202, 0x0011, 0x000a, 0x1234, 0x0035, 0x000a, 0x6869].iter().sum();
        let checksum = !(((words >> 16) + (words & 0xffff)) as u16);
        let mut bytes = hex("1234 0035 000a 0000 6869");
        bytes[6..8].copy_from_slice(&checksum.to_be_bytes());
        let mut out = Vec::new();
        Udp::new(0x1234, 53).emit_into(b"hi", &v4(), &mut out);
        assert_eq!(out, bytes);
        assert_eq!(Udp::parse(&bytes, Some(&v4())), Ok((Udp::new(0x1234, 53), &b"hi"[..])));
        bytes[9] ^= 1;
        assert_eq!(Udp::parse(&bytes, Some(&v4())), Err(ParseError::Checksum { layer: Layer::Udp }));
        assert!(Udp::parse(&bytes, None).is_ok());
        sweep(&out, |bytes| Udp::parse(bytes, None).map(|_| ()));
    }

    #[test]
    fn a_missing_checksum_is_legal_over_ipv4_only() {
        let bytes = hex("1234 0035 000a 0000 6869");
        assert!(Udp::parse(&bytes, Some(&v4())).is_ok());
        let v6 = PseudoHeader::v6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, Protocol::UDP);
        assert!(matches!(Udp::parse(&bytes, Some(&v6)), Err(ParseError::Illegal { at: 6, .. })));
    }

    #[test]
    fn a_length_that_lies_is_named() {
        let bytes = hex("1234 0035 00ff 0000 6869");
        let error = ParseError::Truncated {
            layer: Layer::Udp,
            at: 0,
            need: 255,
            have: 10,
            claimed_by: ClaimedBy::UdpLength,
        };
        assert_eq!(Udp::parse(&bytes, None), Err(error));
        assert_eq!(UdpView::new(&bytes).unwrap().payload(), b"hi");
        assert!(matches!(
            Udp::parse(&hex("1234 0035 0007 0000"), None),
            Err(ParseError::Illegal { at: 4, .. })
        ));
    }

    proptest! {
        #[test]
        fn round_trip(ports in any::<(u16, u16)>(), payload in proptest::collection::vec(any::<u8>(), 0..200), a in any::<[u8; 16]>(), v6 in any::<bool>(), trailer in 0usize..5) {
            let address: IpAddr = if v6 { a.into() } else { [a[0], a[1], a[2], a[3]].into() };
            let pseudo = PseudoHeader::new(address, address, Protocol::UDP);
            let header = Udp::new(ports.0, ports.1);
            let mut out = Vec::new();
            header.emit_into(&payload, &pseudo, &mut out);
            out.resize(out.len() + trailer, 0xee);
            prop_assert_eq!(Udp::parse(&out, Some(&pseudo)), Ok((header, &payload[..])));
        }
    }
}
