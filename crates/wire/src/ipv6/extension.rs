//! Extension headers one by one (RFC 8200 section 4, RFC 4302).

use core::net::Ipv6Addr;

use bytes::{BufMut, Bytes};

use crate::error::{ClaimedBy, Layer, ParseError, claimed, ipv6_at, u16_at, u32_at};
use crate::ipv4::Protocol;

/// Length of the extension header of kind `kind` that starts at `bytes[at]`, checked to be there.
/// Offsets in errors count from `bytes[0]`.
pub(super) fn extension_len(kind: Protocol, bytes: &[u8], at: usize) -> Result<usize, ParseError> {
    claimed(Layer::Ipv6, bytes, at, 8, ClaimedBy::FixedHeader)?;
    let field = usize::from(bytes[at + 1]);
    let len = match kind {
        Protocol::FRAGMENT => 8,
        // RFC 4302 section 2.2: counted in 32-bit words, less two.
        Protocol::AUTHENTICATION => (field + 2) * 4,
        _ => (field + 1) * 8,
    };
    if kind == Protocol::AUTHENTICATION && len < 12 {
        return Err(ParseError::Illegal {
            layer: Layer::Ipv6,
            at: at + 1,
            what: "authentication header is less than 12 bytes",
        });
    }
    claimed(Layer::Ipv6, bytes, at, len, ClaimedBy::Ipv6ExtensionLength)?;
    Ok(len)
}

/// Looks at the bytes of one extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionView<'a> {
    /// What kind of header it is.
    pub kind: Protocol,
    /// Where it starts, counted from the end of the fixed header.
    pub offset: usize,
    /// Its bytes; the first says what follows.
    pub bytes: &'a [u8],
}

impl ExtensionView<'_> {
    /// What follows it.
    pub fn next_header(&self) -> Protocol {
        Protocol(self.bytes[0])
    }
}

/// Goes through the extension headers that are there; ends at the upper layer, behind a fragment header
/// that does not start its packet, or at a header that is cut short, with its error.
#[derive(Clone, Debug)]
pub struct ExtensionIter<'a> {
    payload: &'a [u8],
    next: Option<Protocol>,
    at: usize,
}

impl<'a> ExtensionIter<'a> {
    /// The headers in `payload`, what follows the fixed header; `first` is its next header field.
    pub fn new(first: Protocol, payload: &'a [u8]) -> ExtensionIter<'a> {
        ExtensionIter { payload, next: Some(first), at: 0 }
    }
}

impl<'a> Iterator for ExtensionIter<'a> {
    type Item = Result<ExtensionView<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.next.take().filter(|kind| kind.is_extension())?;
        let len = match extension_len(kind, self.payload, self.at) {
            Ok(len) => len,
            Err(error) => return Some(Err(error)),
        };
        let view = ExtensionView { kind, offset: self.at, bytes: &self.payload[self.at..self.at + len] };
        self.at += len;
        let ends = kind == Protocol::FRAGMENT && u16_at(view.bytes, 2) & 0xfff8 != 0;
        self.next = (!ends).then(|| view.next_header());
        Some(Ok(view))
    }
}

/// A fragment header, always legal (RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// What the whole packet's fragmentable part starts with. Building by layering fills it in.
    pub next_header: Protocol,
    /// Where this fragment belongs, in bytes; its low three bits are not sent.
    pub offset: u16,
    /// More fragments follow this one.
    pub more: bool,
    /// Names the packet it belongs to.
    pub identification: u32,
}

impl Fragment {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// Reads a header; returns it and what follows.
    pub fn parse(bytes: &[u8]) -> Result<(Fragment, &[u8]), ParseError> {
        claimed(Layer::Ipv6, bytes, 0, Fragment::LEN, ClaimedBy::FixedHeader)?;
        Ok((Fragment::at(bytes, 0), &bytes[Fragment::LEN..]))
    }

    /// The header at `bytes[at]`, which is known to be there.
    pub(super) fn at(bytes: &[u8], at: usize) -> Fragment {
        let field = u16_at(bytes, at + 2);
        Fragment {
            next_header: Protocol(bytes[at]),
            offset: field & 0xfff8,
            more: field & 1 != 0,
            identification: u32_at(bytes, at + 4),
        }
    }

    /// Whether it is the only fragment of its packet (RFC 6946).
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_u8(self.next_header.0);
        out.put_u8(0);
        out.put_u16(self.offset & 0xfff8 | u16::from(self.more));
        out.put_u32(self.identification);
    }
}

/// A routing header, always legal (RFC 8200 section 4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// What follows it. Building by layering fills it in.
    pub next_header: Protocol,
    /// What kind of route: 0 is forbidden (RFC 5095), 2 Mobile IP, 3 RPL, 4 segment routing.
    pub kind: u8,
    /// Addresses still to be visited.
    pub segments_left: u8,
    /// The header from its fifth byte on: a multiple of 8 bytes, less 4.
    data: Bytes,
}

impl Routing {
    /// A header; `data` is padded with zeros. `None` if it exceeds 2044 bytes.
    pub fn new(kind: u8, segments_left: u8, data: &[u8]) -> Option<Routing> {
        let mut padded = data.to_vec();
        padded.resize((data.len() + 4).next_multiple_of(8) - 4, 0);
        (padded.len() <= 2044).then(|| Routing {
            next_header: Protocol::NO_NEXT,
            kind,
            segments_left,
            data: padded.into(),
        })
    }

    /// Reads a header; returns it and what follows.
    pub fn parse(bytes: &[u8]) -> Result<(Routing, &[u8]), ParseError> {
        let len = extension_len(Protocol::ROUTING, bytes, 0)?;
        let data = Bytes::copy_from_slice(&bytes[4..len]);
        let value =
            Routing { next_header: Protocol(bytes[0]), kind: bytes[2], segments_left: bytes[3], data };
        Ok((value, &bytes[len..]))
    }

    /// The header from its fifth byte on.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The addresses of a route of type 0, 2 or 4, which all have them after four more bytes.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let listed = if matches!(self.kind, 0 | 2 | 4) { &self.data[4..] } else { &[] };
        listed.chunks_exact(16).map(|address| ipv6_at(address, 0))
    }

    /// Bytes of the header.
    pub fn header_len(&self) -> usize {
        4 + self.data.len()
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[
            self.next_header.0,
            (self.header_len() / 8 - 1) as u8,
            self.kind,
            self.segments_left,
        ]);
        out.put_slice(&self.data);
    }
}

/// An authentication header (RFC 4302), always legal in its form; nothing is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// What follows it. Building by layering fills it in.
    pub next_header: Protocol,
    /// Security parameters index.
    pub spi: u32,
    /// Sequence number.
    pub sequence: u32,
    /// The integrity check value, a multiple of 4 bytes.
    check_value: Bytes,
}

impl Authentication {
    /// A header; the check value is padded with zeros so that the header fills whole 8 bytes (RFC 4302
    /// section 3.3.3.2.1). `None` if it exceeds 1016 bytes.
    pub fn new(spi: u32, sequence: u32, check_value: &[u8]) -> Option<Authentication> {
        let mut padded = check_value.to_vec();
        padded.resize((12 + check_value.len()).next_multiple_of(8) - 12, 0);
        (padded.len() <= 1016).then(|| Authentication {
            next_header: Protocol::NO_NEXT,
            spi,
            sequence,
            check_value: padded.into(),
        })
    }

    /// Reads a header; returns it and what follows.
    pub fn parse(bytes: &[u8]) -> Result<(Authentication, &[u8]), ParseError> {
        let len = extension_len(Protocol::AUTHENTICATION, bytes, 0)?;
        let value = Authentication {
            next_header: Protocol(bytes[0]),
            spi: u32_at(bytes, 4),
            sequence: u32_at(bytes, 8),
            check_value: Bytes::copy_from_slice(&bytes[12..len]),
        };
        Ok((value, &bytes[len..]))
    }

    /// The integrity check value.
    pub fn check_value(&self) -> &[u8] {
        &self.check_value
    }

    /// Bytes of the header.
    pub fn header_len(&self) -> usize {
        12 + self.check_value.len()
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[self.next_header.0, (self.header_len() / 4 - 2) as u8, 0, 0]);
        out.put_u32(self.spi);
        out.put_u32(self.sequence);
        out.put_slice(&self.check_value);
    }
}

/// Any extension header as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options: only right after the fixed header.
    HopByHop(super::Options),
    /// Destination options.
    DestinationOptions(super::Options),
    /// A route to be taken.
    Routing(Routing),
    /// A fragment.
    Fragment(Fragment),
    /// AH.
    Authentication(Authentication),
}

impl Extension {
    /// Reads a header of kind `kind`; returns it and what follows.
    pub fn parse(kind: Protocol, bytes: &[u8]) -> Result<(Extension, &[u8]), ParseError> {
        Ok(match kind {
            Protocol::HOP_BY_HOP => {
                let (options, rest) = super::Options::parse(bytes)?;
                (Extension::HopByHop(options), rest)
            }
            Protocol::DESTINATION_OPTIONS => {
                let (options, rest) = super::Options::parse(bytes)?;
                (Extension::DestinationOptions(options), rest)
            }
            Protocol::ROUTING => {
                let (routing, rest) = Routing::parse(bytes)?;
                (Extension::Routing(routing), rest)
            }
            Protocol::FRAGMENT => {
                let (fragment, rest) = Fragment::parse(bytes)?;
                (Extension::Fragment(fragment), rest)
            }
            Protocol::AUTHENTICATION => {
                let (authentication, rest) = Authentication::parse(bytes)?;
                (Extension::Authentication(authentication), rest)
            }
            _ => {
                return Err(ParseError::Illegal {
                    layer: Layer::Ipv6,
                    at: 0,
                    what: "not an extension header",
                });
            }
        })
    }

    /// The number by which the header before it announces it.
    pub const fn kind(&self) -> Protocol {
        match self {
            Extension::HopByHop(_) => Protocol::HOP_BY_HOP,
            Extension::DestinationOptions(_) => Protocol::DESTINATION_OPTIONS,
            Extension::Routing(_) => Protocol::ROUTING,
            Extension::Fragment(_) => Protocol::FRAGMENT,
            Extension::Authentication(_) => Protocol::AUTHENTICATION,
        }
    }

    /// What it says that follows it.
    pub const fn next_header(&self) -> Protocol {
        match self {
            Extension::HopByHop(options) | Extension::DestinationOptions(options) => options.next_header,
            Extension::Routing(routing) => routing.next_header,
            Extension::Fragment(fragment) => fragment.next_header,
            Extension::Authentication(authentication) => authentication.next_header,
        }
    }

    /// Says what follows it.
    pub fn set_next_header(&mut self, next: Protocol) {
        match self {
            Extension::HopByHop(options) | Extension::DestinationOptions(options) => {
                options.next_header = next
            }
            Extension::Routing(routing) => routing.next_header = next,
            Extension::Fragment(fragment) => fragment.next_header = next,
            Extension::Authentication(authentication) => authentication.next_header = next,
        }
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        match self {
            Extension::HopByHop(options) | Extension::DestinationOptions(options) => options.emit_into(out),
            Extension::Routing(routing) => routing.emit_into(out),
            Extension::Fragment(fragment) => fragment.emit_into(out),
            Extension::Authentication(authentication) => authentication.emit_into(out),
        }
    }
}
