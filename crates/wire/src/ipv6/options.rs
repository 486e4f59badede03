//! Options of the hop-by-hop and destination options headers (RFC 8200 section 4.2).

use bytes::{BufMut, Bytes};

use crate::error::{ClaimedBy, Layer, ParseError, u16_at, u32_at};
use crate::ipv4::Protocol;

/// One option of a hop-by-hop or destination options header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ipv6Option<'a> {
    /// One byte of padding (0).
    Pad1,
    /// This many further bytes of padding (1).
    PadN(usize),
    /// Routers should look inside (5, RFC 2711); 0 means MLD.
    RouterAlert(u16),
    /// Length of a packet of more than 65535 bytes (0xc2, RFC 2675).
    JumboPayload(u32),
    /// How many more tunnels it may enter (4, RFC 2473).
    TunnelLimit(u8),
    /// Any other.
    Other {
        /// Its type; the two high bits say what a node does that does not know it.
        kind: u8,
        /// What follows its length byte.
        data: &'a [u8],
    },
}

/// What a node does with an option it does not know: the two high bits of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionAction {
    /// Go on as if it were not there.
    Skip,
    /// Discard the packet silently.
    Discard,
    /// Discard it and send a parameter problem, code 2, whatever its destination.
    Report,
    /// Discard it and send a parameter problem, code 2, unless it was sent to a group.
    ReportUnlessMulticast,
}

impl OptionAction {
    /// The action that an option type asks for.
    pub const fn of(kind: u8) -> OptionAction {
        match kind >> 6 {
            0 => OptionAction::Skip,
            1 => OptionAction::Discard,
            2 => OptionAction::Report,
            _ => OptionAction::ReportUnlessMulticast,
        }
    }
}

/// An option that this stack does not know and may not skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionProblem {
    /// Where its type stands, counted from the start of the IPv6 packet: the pointer of a parameter problem.
    pub pointer: usize,
    /// What to do.
    pub action: OptionAction,
}

/// Goes through options; ends at the first that is malformed, with its error.
#[derive(Clone, Debug)]
pub struct Ipv6OptionIter<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` starts, counted from the start of the packet; only for errors.
    base: usize,
}

impl<'a> Ipv6OptionIter<'a> {
    /// The options in `bytes`: those of an options header, after its first two bytes. `base` is where
    /// `bytes` starts within the packet, for the offsets in errors.
    pub fn new(bytes: &'a [u8], base: usize) -> Ipv6OptionIter<'a> {
        Ipv6OptionIter { bytes, at: 0, base }
    }

    /// Where the next option starts, counted from the start of the packet.
    pub(super) fn offset(&self) -> usize {
        self.base + self.at
    }
}

impl<'a> Iterator for Ipv6OptionIter<'a> {
    type Item = Result<Ipv6Option<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let (&kind, after) = rest.split_first()?;
        if kind == 0 {
            self.at += 1;
            return Some(Ok(Ipv6Option::Pad1));
        }
        let (at, have) = (self.offset(), rest.len());
        let need = 2 + after.first().map_or(0, |len| usize::from(*len));
        if need > have {
            self.at = self.bytes.len();
            let claimed_by = ClaimedBy::OptionLength;
            return Some(Err(ParseError::Truncated { layer: Layer::Ipv6, at, need, have, claimed_by }));
        }
        self.at += need;
        let data = &rest[2..need];
        Some(Ok(match (kind, data) {
            (1, _) => Ipv6Option::PadN(need),
            (5, [_, _]) => Ipv6Option::RouterAlert(u16_at(data, 0)),
            (0xc2, [_, _, _, _]) => Ipv6Option::JumboPayload(u32_at(data, 0)),
            (4, &[limit]) => Ipv6Option::TunnelLimit(limit),
            _ => Ipv6Option::Other { kind, data },
        }))
    }
}

/// A hop-by-hop or destination options header, always legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What follows it. Building by layering fills it in.
    pub next_header: Protocol,
    /// The whole header from its third byte on: a multiple of 8 bytes less 2, well-formed.
    body: Bytes,
}

impl Options {
    /// The hop-by-hop header of MLD messages: router alert, value 0, and padding (RFC 2711).
    pub fn router_alert() -> Options {
        Options { next_header: Protocol::ICMPV6, body: Bytes::from_static(&[5, 2, 0, 0, 1, 0]) }
    }

    /// A header with these options, each a type and its data; padding is added at the end. `None` if
    /// they do not fit in 2048 bytes.
    pub fn new<'a>(options: impl IntoIterator<Item = (u8, &'a [u8])>) -> Option<Options> {
        let mut body = Vec::new();
        for (kind, data) in options {
            body.push(kind);
            if kind != 0 {
                body.push(u8::try_from(data.len()).ok()?);
                body.extend_from_slice(data);
            }
        }
        let missing = (body.len() + 2).next_multiple_of(8) - (body.len() + 2);
        match missing {
            0 => {}
            1 => body.push(0),
            _ => {
                body.extend([1, missing as u8 - 2]);
                body.resize(body.len() + missing - 2, 0);
            }
        }
        (body.len() + 2 <= 2048).then(|| Options { next_header: Protocol::NO_NEXT, body: body.into() })
    }

    /// Reads a header; returns it and what follows.
    pub fn parse(bytes: &[u8]) -> Result<(Options, &[u8]), ParseError> {
        let len = super::extension::extension_len(Protocol::DESTINATION_OPTIONS, bytes, 0)?;
        for option in Ipv6OptionIter::new(&bytes[2..len], 2) {
            option?;
        }
        Ok((
            Options { next_header: Protocol(bytes[0]), body: Bytes::copy_from_slice(&bytes[2..len]) },
            &bytes[len..],
        ))
    }

    /// The options, padding included.
    pub fn iter(&self) -> impl Iterator<Item = Ipv6Option<'_>> {
        Ipv6OptionIter::new(&self.body, 2).filter_map(Result::ok)
    }

    /// Bytes of the header.
    pub fn header_len(&self) -> usize {
        2 + self.body.len()
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_u8(self.next_header.0);
        out.put_u8((self.header_len() / 8 - 1) as u8);
        out.put_slice(&self.body);
    }
}
