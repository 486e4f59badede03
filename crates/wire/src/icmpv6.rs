//! ICMP for IPv6 (RFC 4443), which also carries neighbour discovery ([`crate::ndp`]) and multicast
//! listener discovery ([`crate::mld`]).

use bytes::BufMut;

use crate::checksum::{PseudoHeader, Sum};
use crate::error::{Layer, ParseError, fixed_header, u16_at, u32_at};
use crate::ndp::Ndp;

/// Looks at the bytes of an ICMPv6 message.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6View<'a> {
    bytes: &'a [u8],
}

impl<'a> Icmpv6View<'a> {
    /// Checks that the header is there: eight bytes (every message has as many).
    pub fn new(bytes: &'a [u8]) -> Result<Icmpv6View<'a>, ParseError> {
        fixed_header(Layer::Icmpv6, bytes, Icmpv6::LEN)?;
        Ok(Icmpv6View { bytes })
    }

    /// What kind of message; below 128 it is an error.
    pub fn kind(&self) -> u8 {
        self.bytes[0]
    }

    /// Which of that kind.
    pub fn code(&self) -> u8 {
        self.bytes[1]
    }

    /// The checksum.
    pub fn checksum(&self) -> u16 {
        u16_at(self.bytes, 2)
    }

    /// The four bytes whose meaning depends on the kind.
    pub fn rest_of_header(&self) -> [u8; 4] {
        [self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]]
    }

    /// Whether the message is an error, which quotes the packet it is about.
    pub fn is_error(&self) -> bool {
        self.kind() < 128
    }

    /// What follows the first eight bytes.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[Icmpv6::LEN..]
    }

    /// The quoted packet of an error, without padding and extensions if a length says where they start.
    pub fn quoted(&self) -> Option<&'a [u8]> {
        let payload = self.payload();
        self.is_error().then(|| self.original_len().map_or(payload, |len| &payload[..len]))
    }

    /// The extension structure of an error (RFC 4884), from its header on.
    pub fn extensions(&self) -> Option<&'a [u8]> {
        let payload = self.payload();
        let found = self.original_len().map(|len| &payload[len..])?;
        (found.len() >= 4 && found[0] >> 4 == 2).then_some(found)
    }

    /// RFC 4884 section 4.2: length of the quoted packet in words of 8 bytes.
    fn original_len(&self) -> Option<usize> {
        let len = usize::from(self.bytes[4]) * 8;
        (matches!(self.kind(), 1 | 3) && len != 0 && len <= self.payload().len()).then_some(len)
    }

    /// Whether the checksum over the whole message is right.
    pub fn checksum_is_valid(&self, pseudo: &PseudoHeader) -> bool {
        pseudo.is_valid(self.bytes)
    }
}

/// Why a destination cannot be reached (codes of type 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// 0: no route.
    NoRoute,
    /// 1: a filter forbids it.
    Prohibited,
    /// 2: beyond the scope of the source address.
    BeyondScope,
    /// 3: the last router cannot reach the address.
    Address,
    /// 4: nobody listens on the port.
    Port,
    /// 5: the source address failed a policy.
    SourcePolicy,
    /// 6: the route to the destination rejects.
    RejectRoute,
    /// 7: an error in a source routing header (RFC 6550).
    SourceRoute,
    /// 8: the headers are too long (RFC 8883).
    HeadersTooLong,
    /// A code above 8.
    Other(u8),
}

impl Unreachable {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Unreachable::NoRoute => 0,
            Unreachable::Prohibited => 1,
            Unreachable::BeyondScope => 2,
            Unreachable::Address => 3,
            Unreachable::Port => 4,
            Unreachable::SourcePolicy => 5,
            Unreachable::RejectRoute => 6,
            Unreachable::SourceRoute => 7,
            Unreachable::HeadersTooLong => 8,
            Unreachable::Other(code) => code,
        }
    }

    /// The meaning of a code.
    pub const fn from_code(code: u8) -> Unreachable {
        match code {
            0 => Unreachable::NoRoute,
            1 => Unreachable::Prohibited,
            2 => Unreachable::BeyondScope,
            3 => Unreachable::Address,
            4 => Unreachable::Port,
            5 => Unreachable::SourcePolicy,
            6 => Unreachable::RejectRoute,
            7 => Unreachable::SourceRoute,
            8 => Unreachable::HeadersTooLong,
            code => Unreachable::Other(code),
        }
    }
}

/// An ICMPv6 message without its payload: echo data, the quoted packet of an error, the body of a kind
/// that is not understood here. Neighbour discovery has no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Icmpv6 {
    /// Type 1; the payload quotes the packet.
    DestinationUnreachable(Unreachable),
    /// Type 2; the payload quotes the packet.
    PacketTooBig {
        /// MTU of the next hop.
        mtu: u32,
    },
    /// Type 3; the payload quotes the packet.
    TimeExceeded {
        /// 0: the hop limit ran out on the way; 1: fragments were missing for too long.
        code: u8,
    },
    /// Type 4; the payload quotes the packet.
    ParameterProblem {
        /// 0: erroneous field; 1: unknown next header; 2: unknown option; 3: incomplete first fragment (RFC 7112).
        code: u8,
        /// Offset of the offending byte in the quoted packet.
        pointer: u32,
    },
    /// Type 128.
    EchoRequest {
        /// Tells askers apart.
        identifier: u16,
        /// Tells questions apart.
        sequence: u16,
    },
    /// Type 129.
    EchoReply {
        /// Tells askers apart.
        identifier: u16,
        /// Tells questions apart.
        sequence: u16,
    },
    /// Types 133 to 137.
    Ndp(Ndp),
    /// Any other; for MLD see [`crate::mld::MldView`].
    Other {
        /// What kind.
        kind: u8,
        /// Which of that kind.
        code: u8,
        /// The four bytes after the checksum.
        rest: [u8; 4],
    },
}

impl Icmpv6 {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// Reads a message; returns it and its payload. With a pseudo header the checksum is verified.
    /// Neighbour discovery with a code other than 0 is refused (RFC 4861 section 6.1).
    pub fn parse<'a>(
        bytes: &'a [u8],
        pseudo: Option<&PseudoHeader>,
    ) -> Result<(Icmpv6, &'a [u8]), ParseError> {
        let view = Icmpv6View::new(bytes)?;
        if pseudo.is_some_and(|pseudo| !view.checksum_is_valid(pseudo)) {
            return Err(ParseError::Checksum { layer: Layer::Icmpv6 });
        }
        let (identifier, sequence) = (u16_at(bytes, 4), u16_at(bytes, 6));
        let message = match (view.kind(), view.code()) {
            (1, code) => Icmpv6::DestinationUnreachable(Unreachable::from_code(code)),
            (2, 0) => Icmpv6::PacketTooBig { mtu: u32_at(bytes, 4) },
            (3, code) => Icmpv6::TimeExceeded { code },
            (4, code) => Icmpv6::ParameterProblem { code, pointer: u32_at(bytes, 4) },
            (128, 0) => Icmpv6::EchoRequest { identifier, sequence },
            (129, 0) => Icmpv6::EchoReply { identifier, sequence },
            (133..=137, _) => return Ok((Icmpv6::Ndp(Ndp::parse(bytes)?), &[])),
            (kind, code) => Icmpv6::Other { kind, code, rest: view.rest_of_header() },
        };
        Ok((message, view.payload()))
    }

    /// Type and code on the wire.
    pub const fn type_and_code(&self) -> (u8, u8) {
        match self {
            Icmpv6::DestinationUnreachable(why) => (1, why.code()),
            Icmpv6::PacketTooBig { .. } => (2, 0),
            Icmpv6::TimeExceeded { code } => (3, *code),
            Icmpv6::ParameterProblem { code, .. } => (4, *code),
            Icmpv6::EchoRequest { .. } => (128, 0),
            Icmpv6::EchoReply { .. } => (129, 0),
            Icmpv6::Ndp(message) => (message.kind(), 0),
            Icmpv6::Other { kind, code, .. } => (*kind, *code),
        }
    }

    /// Whether it is an error, which quotes a packet and must never be answered by an error (RFC 4443 section 2.4).
    pub const fn is_error(&self) -> bool {
        self.type_and_code().0 < 128
    }

    /// Bytes of the message without its payload.
    pub fn header_len(&self) -> usize {
        match self {
            Icmpv6::Ndp(message) => message.len(),
            _ => Icmpv6::LEN,
        }
    }

    /// Appends message and payload, checksum filled in. Neighbour discovery takes no payload: what is
    /// given follows its options and must be options.
    pub fn emit_into(&self, payload: &[u8], pseudo: &PseudoHeader, out: &mut impl BufMut) {
        let pair = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        let rest = match *self {
            Icmpv6::DestinationUnreachable(_) | Icmpv6::TimeExceeded { .. } => 0,
            Icmpv6::PacketTooBig { mtu } => mtu,
            Icmpv6::ParameterProblem { pointer, .. } => pointer,
            Icmpv6::EchoRequest { identifier, sequence } | Icmpv6::EchoReply { identifier, sequence } => {
                pair(identifier, sequence)
            }
            Icmpv6::Other { rest, .. } => u32::from_be_bytes(rest),
            Icmpv6::Ndp(ref message) => {
                let mut body = Vec::with_capacity(message.len() + payload.len());
                message.emit_into(&mut body);
                body.extend_from_slice(payload);
                let mut sum = pseudo.sum(body.len());
                sum.add_bytes(&body);
                body[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
                out.put_slice(&body);
                return;
            }
        };
        let (kind, code) = self.type_and_code();
        let mut header = [kind, code, 0, 0, 0, 0, 0, 0];
        header[4..8].copy_from_slice(&rest.to_be_bytes());
        let mut sum = pseudo.sum(Icmpv6::LEN + payload.len());
        sum.add_bytes(&header);
        sum.add_sum(Sum::of(payload));
        header[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
        out.put_slice(&header);
        out.put_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv4::Protocol;
    use crate::tests::{hex, sweep};
    use core::net::Ipv6Addr;
    use proptest::prelude::*;

    fn pseudo() -> PseudoHeader {
        let (src, dst) = (Ipv6Addr::LOCALHOST, "2001:db8::2".parse().unwrap());
        PseudoHeader::v6(src, dst, Protocol::ICMPV6)
    }

    fn check(text: &str, want: Icmpv6, payload: &[u8]) {
        let mut bytes = hex(text);
        let mut sum = pseudo().sum(bytes.len());
        sum.add_bytes(&bytes);
        bytes[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
        assert_eq!(Icmpv6::parse(&bytes, Some(&pseudo())), Ok((want.clone(), payload)), "{text}");
        let mut out = Vec::new();
        want.emit_into(payload, &pseudo(), &mut out);
        assert_eq!(out, bytes, "{text}");
        assert_eq!(want.header_len() + payload.len(), bytes.len());
        sweep(&bytes[..8], |bytes| Icmpv6::parse(bytes, None).map(|_| ()));
        bytes[2] ^= 1;
        assert_eq!(
            Icmpv6::parse(&bytes, Some(&pseudo())),
            Err(ParseError::Checksum { layer: Layer::Icmpv6 })
        );
    }

    #[test]
    fn every_message() {
        check("0104 0000 00000000 60", Icmpv6::DestinationUnreachable(Unreachable::Port), &[0x60]);
        check("0200 0000 00000500", Icmpv6::PacketTooBig { mtu: 1280 }, b"");
        check("0300 0000 00000000", Icmpv6::TimeExceeded { code: 0 }, b"");
        check("0401 0000 00000006", Icmpv6::ParameterProblem { code: 1, pointer: 6 }, b"");
        check("8000 0000 1234 0001 6869", Icmpv6::EchoRequest { identifier: 0x1234, sequence: 1 }, b"hi");
        check("8100 0000 1234 0001", Icmpv6::EchoReply { identifier: 0x1234, sequence: 1 }, b"");
        check("8f00 0000 00000001 04", Icmpv6::Other { kind: 143, code: 0, rest: [0, 0, 0, 1] }, &[4]);
        check("8500 0000 00000000", Icmpv6::Ndp(Ndp::RouterSolicitation { source_mac: None }), b"");
    }

    #[test]
    fn codes_and_meanings_agree() {
        for code in 0..=255 {
            assert_eq!(Unreachable::from_code(code).code(), code);
        }
    }

    proptest! {
        #[test]
        fn parsed_messages_are_kept(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in any::<Option<u8>>()) {
            let mut bytes = bytes;
            if let (Some(kind), Some(first)) = (kind, bytes.first_mut()) {
                *first = 133 + kind % 5;
                if let Some(code) = bytes.get_mut(1) {
                    *code = 0;
                }
            }
            if let Ok(view) = Icmpv6View::new(&bytes) {
                let _ = (view.quoted(), view.extensions());
            }
            if let Ok((message, payload)) = Icmpv6::parse(&bytes, None) {
                let mut out = Vec::new();
                message.emit_into(payload, &pseudo(), &mut out);
                prop_assert_eq!(Icmpv6::parse(&out, Some(&pseudo())), Ok((message, payload)));
            }
        }
    }
}
