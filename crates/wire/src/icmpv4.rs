//! ICMP for IPv4 (RFC 792), with the additions of RFC 1122, RFC 1191, RFC 1256, RFC 1812 and RFC 4884.

use core::net::Ipv4Addr;

use bytes::BufMut;

use crate::checksum::{self, Sum};
use crate::error::{Layer, ParseError, fixed_header, ipv4_at, u16_at};

/// Looks at the bytes of an ICMP message.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv4View<'a> {
    bytes: &'a [u8],
}

impl<'a> Icmpv4View<'a> {
    /// Checks that the header is there: eight bytes.
    pub fn new(bytes: &'a [u8]) -> Result<Icmpv4View<'a>, ParseError> {
        fixed_header(Layer::Icmpv4, bytes, Icmpv4::LEN)?;
        Ok(Icmpv4View { bytes })
    }

    /// What kind of message.
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
        is_error(self.kind())
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[Icmpv4::LEN..]
    }

    /// The quoted packet of an error, without padding and extensions if a length says where they start.
    pub fn quoted(&self) -> Option<&'a [u8]> {
        let payload = self.payload();
        self.is_error().then(|| self.original_len().map_or(payload, |len| &payload[..len]))
    }

    /// The extension structure of an error (RFC 4884), from its header on: for example MPLS labels.
    pub fn extensions(&self) -> Option<&'a [u8]> {
        let payload = self.payload();
        let found = self.original_len().map(|len| &payload[len..])?;
        (found.len() >= 4 && found[0] >> 4 == 2).then_some(found)
    }

    /// RFC 4884 section 4.1: length of the quoted packet in words of 4 bytes; `None` if none is given, or
    /// one that runs out of the message.
    fn original_len(&self) -> Option<usize> {
        let len = usize::from(self.bytes[5]) * 4;
        (matches!(self.kind(), 3 | 11 | 12) && len != 0 && len <= self.payload().len()).then_some(len)
    }

    /// Whether the checksum over the whole message is right.
    pub fn checksum_is_valid(&self) -> bool {
        checksum::is_valid(self.bytes)
    }
}

/// Why a destination cannot be reached (codes of type 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// 0: no route to the network.
    Network,
    /// 1: the last router cannot reach the host.
    Host,
    /// 2: the host does not know the protocol.
    Protocol,
    /// 3: nobody listens on the port.
    Port,
    /// 4: fragmentation is needed but forbidden (RFC 1191).
    FragmentationNeeded {
        /// MTU of the next hop; 0 from routers older than RFC 1191.
        mtu: u16,
    },
    /// 5: the source route cannot be followed.
    SourceRouteFailed,
    /// 6: the network is unknown.
    NetworkUnknown,
    /// 7: the host is unknown.
    HostUnknown,
    /// 8: the source is isolated.
    SourceIsolated,
    /// 9: the network is administratively prohibited.
    NetworkProhibited,
    /// 10: the host is administratively prohibited.
    HostProhibited,
    /// 11: the network does not serve this type of service.
    NetworkTypeOfService,
    /// 12: the host does not serve this type of service.
    HostTypeOfService,
    /// 13: a filter forbids it (RFC 1812).
    CommunicationProhibited,
    /// 14: the host's precedence is too low.
    PrecedenceViolation,
    /// 15: the packet's precedence is too low.
    PrecedenceCutoff,
    /// A code above 15.
    Other(u8),
}

impl Unreachable {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Unreachable::Network => 0,
            Unreachable::Host => 1,
            Unreachable::Protocol => 2,
            Unreachable::Port => 3,
            Unreachable::FragmentationNeeded { .. } => 4,
            Unreachable::SourceRouteFailed => 5,
            Unreachable::NetworkUnknown => 6,
            Unreachable::HostUnknown => 7,
            Unreachable::SourceIsolated => 8,
            Unreachable::NetworkProhibited => 9,
            Unreachable::HostProhibited => 10,
            Unreachable::NetworkTypeOfService => 11,
            Unreachable::HostTypeOfService => 12,
            Unreachable::CommunicationProhibited => 13,
            Unreachable::PrecedenceViolation => 14,
            Unreachable::PrecedenceCutoff => 15,
            Unreachable::Other(code) => code,
        }
    }

    /// The meaning of a code; `mtu` is what a message of code 4 carries.
    pub const fn from_code(code: u8, mtu: u16) -> Unreachable {
        match code {
            0 => Unreachable::Network,
            1 => Unreachable::Host,
            2 => Unreachable::Protocol,
            3 => Unreachable::Port,
            4 => Unreachable::FragmentationNeeded { mtu },
            5 => Unreachable::SourceRouteFailed,
            6 => Unreachable::NetworkUnknown,
            7 => Unreachable::HostUnknown,
            8 => Unreachable::SourceIsolated,
            9 => Unreachable::NetworkProhibited,
            10 => Unreachable::HostProhibited,
            11 => Unreachable::NetworkTypeOfService,
            12 => Unreachable::HostTypeOfService,
            13 => Unreachable::CommunicationProhibited,
            14 => Unreachable::PrecedenceViolation,
            15 => Unreachable::PrecedenceCutoff,
            code => Unreachable::Other(code),
        }
    }
}

/// An ICMP message without what follows its eight-byte header: echo data, or the quoted packet of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv4 {
    /// Type 0.
    EchoReply {
        /// Tells askers apart.
        identifier: u16,
        /// Tells questions apart.
        sequence: u16,
    },
    /// Type 3; the payload quotes the packet.
    DestinationUnreachable(Unreachable),
    /// Type 4: obsolete (RFC 6633); the payload quotes the packet.
    SourceQuench,
    /// Type 5; the payload quotes the packet.
    Redirect {
        /// 0 network, 1 host, 2 and 3 the same for a type of service.
        code: u8,
        /// The better router.
        gateway: Ipv4Addr,
    },
    /// Type 8.
    EchoRequest {
        /// Tells askers apart.
        identifier: u16,
        /// Tells questions apart.
        sequence: u16,
    },
    /// Type 11; the payload quotes the packet.
    TimeExceeded {
        /// 0: the TTL ran out on the way; 1: fragments were missing for too long.
        code: u8,
    },
    /// Type 12; the payload quotes the packet.
    ParameterProblem {
        /// 0: see the pointer; 1: an option is missing; 2: the length is wrong.
        code: u8,
        /// Offset of the offending byte in the quoted packet.
        pointer: u8,
    },
    /// Any other: timestamps, router discovery, extended echo, obsolete kinds.
    Other {
        /// What kind.
        kind: u8,
        /// Which of that kind.
        code: u8,
        /// The four bytes after the checksum.
        rest: [u8; 4],
    },
}

impl Icmpv4 {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// Reads a message and verifies its checksum; returns it and what follows its header. For the quoted
    /// packet of an error without extensions see [`Icmpv4View::quoted`].
    pub fn parse(bytes: &[u8]) -> Result<(Icmpv4, &[u8]), ParseError> {
        let view = Icmpv4View::new(bytes)?;
        if !view.checksum_is_valid() {
            return Err(ParseError::Checksum { layer: Layer::Icmpv4 });
        }
        Ok((Icmpv4::from_view(&view), view.payload()))
    }

    /// As [`Icmpv4::parse`] for a message quoted in an error, which may be cut short: the checksum is not verified.
    pub fn parse_quoted(bytes: &[u8]) -> Result<(Icmpv4, &[u8]), ParseError> {
        let view = Icmpv4View::new(bytes)?;
        Ok((Icmpv4::from_view(&view), view.payload()))
    }

    fn from_view(view: &Icmpv4View<'_>) -> Icmpv4 {
        let bytes = view.bytes;
        let (identifier, sequence) = (u16_at(bytes, 4), u16_at(bytes, 6));
        match (view.kind(), view.code()) {
            (0, 0) => Icmpv4::EchoReply { identifier, sequence },
            (3, code) => Icmpv4::DestinationUnreachable(Unreachable::from_code(code, sequence)),
            (4, 0) => Icmpv4::SourceQuench,
            (5, code) => Icmpv4::Redirect { code, gateway: ipv4_at(bytes, 4) },
            (8, 0) => Icmpv4::EchoRequest { identifier, sequence },
            (11, code) => Icmpv4::TimeExceeded { code },
            (12, code) => Icmpv4::ParameterProblem { code, pointer: bytes[4] },
            (kind, code) => Icmpv4::Other { kind, code, rest: view.rest_of_header() },
        }
    }

    /// Type and code on the wire.
    pub const fn type_and_code(&self) -> (u8, u8) {
        match *self {
            Icmpv4::EchoReply { .. } => (0, 0),
            Icmpv4::DestinationUnreachable(why) => (3, why.code()),
            Icmpv4::SourceQuench => (4, 0),
            Icmpv4::Redirect { code, .. } => (5, code),
            Icmpv4::EchoRequest { .. } => (8, 0),
            Icmpv4::TimeExceeded { code } => (11, code),
            Icmpv4::ParameterProblem { code, .. } => (12, code),
            Icmpv4::Other { kind, code, .. } => (kind, code),
        }
    }

    /// Whether it is an error, which quotes a packet and must never be answered by an error (RFC 1122 section 3.2.2).
    pub const fn is_error(&self) -> bool {
        is_error(self.type_and_code().0)
    }

    /// The header in front of `payload`, checksum filled in.
    pub fn header(&self, payload: &[u8]) -> [u8; Icmpv4::LEN] {
        let (kind, code) = self.type_and_code();
        let pair = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            [a, b, c, d]
        };
        let rest = match *self {
            Icmpv4::EchoReply { identifier, sequence } | Icmpv4::EchoRequest { identifier, sequence } => {
                pair(identifier, sequence)
            }
            Icmpv4::DestinationUnreachable(Unreachable::FragmentationNeeded { mtu }) => pair(0, mtu),
            Icmpv4::DestinationUnreachable(_) | Icmpv4::SourceQuench | Icmpv4::TimeExceeded { .. } => [0; 4],
            Icmpv4::Redirect { gateway, .. } => gateway.octets(),
            Icmpv4::ParameterProblem { pointer, .. } => [pointer, 0, 0, 0],
            Icmpv4::Other { rest, .. } => rest,
        };
        let mut header = [kind, code, 0, 0, rest[0], rest[1], rest[2], rest[3]];
        let mut sum = Sum::of(&header);
        sum.add_bytes(payload);
        header[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
        header
    }

    /// Appends header and payload, checksum filled in.
    pub fn emit_into(&self, payload: &[u8], out: &mut impl BufMut) {
        out.put_slice(&self.header(payload));
        out.put_slice(payload);
    }
}

const fn is_error(kind: u8) -> bool {
    matches!(kind, 3 | 4 | 5 | 11 | 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{hex, sweep};
    use proptest::prelude::*;

    fn check(text: &str, want: Icmpv4, payload: &[u8]) {
        let mut bytes = hex(text);
        let sum = checksum::of(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Icmpv4::parse(&bytes), Ok((want, payload)), "{text}");
        let mut out = Vec::new();
        want.emit_into(payload, &mut out);
        assert_eq!(out, bytes, "{text}");
        sweep(&bytes[..8], |bytes| Icmpv4::parse_quoted(bytes).map(|_| ()));
        bytes[1] ^= 0x10;
        assert_eq!(Icmpv4::parse(&bytes), Err(ParseError::Checksum { layer: Layer::Icmpv4 }));
    }

    #[test]
    fn every_message() {
        check("0800 0000 1234 0001 6869", Icmpv4::EchoRequest { identifier: 0x1234, sequence: 1 }, b"hi");
        check("0000 0000 1234 0001", Icmpv4::EchoReply { identifier: 0x1234, sequence: 1 }, b"");
        check("0301 0000 00000000 45", Icmpv4::DestinationUnreachable(Unreachable::Host), &[0x45]);
        let mtu = Unreachable::FragmentationNeeded { mtu: 1400 };
        check("0304 0000 0000 0578", Icmpv4::DestinationUnreachable(mtu), b"");
        check(
            "030d 0000 00000000",
            Icmpv4::DestinationUnreachable(Unreachable::CommunicationProhibited),
            b"",
        );
        check("0400 0000 00000000", Icmpv4::SourceQuench, b"");
        let gateway = Ipv4Addr::new(192, 0, 2, 1);
        check("0501 0000 c0000201", Icmpv4::Redirect { code: 1, gateway }, b"");
        check("0b00 0000 00000000", Icmpv4::TimeExceeded { code: 0 }, b"");
        check("0c00 0000 14000000", Icmpv4::ParameterProblem { code: 0, pointer: 20 }, b"");
        check("0d00 0000 00010002", Icmpv4::Other { kind: 13, code: 0, rest: [0, 1, 0, 2] }, b"");
    }

    #[test]
    fn a_known_ping() {
        // "abcdefgh" pinged with identifier 1, sequence 9; the sum was worked out by hand.
        let bytes = hex("0800 6660 0001 0009 6162 6364 6566 6768");
        let (message, payload) = Icmpv4::parse(&bytes).unwrap();
        assert_eq!(
            (message, payload),
            (Icmpv4::EchoRequest { identifier: 1, sequence: 9 }, &b"abcdefgh"[..])
        );
    }

    #[test]
    fn codes_and_meanings_agree() {
        for code in 0..=255 {
            assert_eq!(Unreachable::from_code(code, 9).code(), code);
        }
    }

    #[test]
    fn extensions_are_found_behind_the_quoted_packet() {
        let mut bytes = hex("0b00 0000 0020 0000");
        bytes.extend([0x45; 128]);
        bytes.extend(hex("2000 0000 0008 0101 00064140"));
        let view = Icmpv4View::new(&bytes).unwrap();
        assert_eq!(view.quoted().unwrap(), [0x45; 128]);
        assert_eq!(view.extensions().unwrap(), &bytes[136..]);
        // A length that lies is as none.
        bytes[5] = 0xff;
        let view = Icmpv4View::new(&bytes).unwrap();
        assert_eq!((view.quoted().unwrap().len(), view.extensions()), (140, None));
    }

    proptest! {
        #[test]
        fn parsed_messages_are_kept(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(view) = Icmpv4View::new(&bytes) {
                let _ = (view.quoted(), view.extensions(), view.checksum_is_valid());
            }
            if let Ok((message, payload)) = Icmpv4::parse_quoted(&bytes) {
                let mut out = Vec::new();
                message.emit_into(payload, &mut out);
                prop_assert_eq!(Icmpv4::parse(&out), Ok((message, payload)));
            }
        }
    }
}
