//! DHCP options (RFC 2132; RFC 3396: long ones in pieces; RFC 3442: routes).

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use bytes::BufMut;

use super::{DhcpKind, OPTIONS_AT};
use crate::address::IpPrefix;
use crate::error::{ClaimedBy, Layer, ParseError, ipv4_at, u32_at};

/// Numbers of options.
pub mod code {
    /// The mask of the network.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers, best first.
    pub const ROUTERS: u8 = 3;
    /// Recursive resolvers, best first.
    pub const DNS: u8 = 6;
    /// The domain that short names are completed with.
    pub const DOMAIN: u8 = 15;
    /// MTU of the link.
    pub const MTU: u8 = 26;
    /// The address that the client would like.
    pub const REQUESTED: u8 = 50;
    /// For how long, in seconds.
    pub const LEASE: u8 = 51;
    /// Which of `file` (1) and `sname` (2) hold options.
    pub const OVERLOAD: u8 = 52;
    /// What the message wants.
    pub const KIND: u8 = 53;
    /// Which server.
    pub const SERVER: u8 = 54;
    /// Which options the client would like.
    pub const PARAMETERS: u8 = 55;
    /// Why not, for people.
    pub const MESSAGE: u8 = 56;
    /// The largest message the client takes.
    pub const MAX_SIZE: u8 = 57;
    /// When to ask the server to prolong, in seconds.
    pub const RENEW: u8 = 58;
    /// When to ask any server, in seconds.
    pub const REBIND: u8 = 59;
    /// Who the client is.
    pub const CLIENT_ID: u8 = 61;
    /// Routes with a prefix length (RFC 3442).
    pub const ROUTES: u8 = 121;
}

/// Goes through options; ends at the first that does not fit, with its error.
#[derive(Clone, Debug)]
pub struct DhcpOptionIter<'a> {
    bytes: &'a [u8],
    /// The part being read.
    at: usize,
    end: usize,
    /// Which of `file` (1) and `sname` (2) still follow.
    overload: u8,
}

/// Where `sname` and `file` stand.
const SNAME: (usize, usize) = (44, 108);
const FILE: (usize, usize) = (108, 236);

impl<'a> DhcpOptionIter<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> DhcpOptionIter<'a> {
        DhcpOptionIter { bytes, at: OPTIONS_AT, end: bytes.len(), overload: 0 }
    }

    /// The next part that holds options.
    fn next_part(&mut self) -> bool {
        let (bit, (at, end)) = match self.overload {
            0 => return false,
            overload if overload & 1 != 0 => (1, FILE),
            _ => (2, SNAME),
        };
        self.overload &= !bit;
        (self.at, self.end) = (at, end);
        true
    }
}

impl<'a> Iterator for DhcpOptionIter<'a> {
    type Item = Result<(u8, &'a [u8]), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.at..self.end)?;
            match *rest {
                // The end of this part.
                [] | [255, ..] => {
                    self.at = self.end;
                    if !self.next_part() {
                        return None;
                    }
                }
                [0, ..] => self.at += 1,
                [kind, ref after @ ..] => {
                    let need = 2 + after.first().map_or(0, |length| usize::from(*length));
                    let Some(data) = rest.get(2..need) else {
                        let (at, have, claimed_by) = (self.at, rest.len(), ClaimedBy::OptionLength);
                        (self.at, self.end, self.overload) = (0, 0, 0);
                        return Some(Err(ParseError::Truncated {
                            layer: Layer::Dhcp,
                            at,
                            need,
                            have,
                            claimed_by,
                        }));
                    };
                    // Only the field of its own can say so, or the two others could name each other for ever.
                    if let (code::OVERLOAD, [which], true) = (kind, data, self.at >= OPTIONS_AT) {
                        self.overload = which & 3;
                    }
                    self.at += need;
                    return Some(Ok((kind, data)));
                }
            }
        }
    }
}

/// The options that a client acts upon or sends. `Default`: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhcpOptions {
    /// 1: bits of the network's prefix.
    pub prefix_len: Option<u8>,
    /// 3: routers, best first.
    pub routers: Vec<Ipv4Addr>,
    /// 6: recursive resolvers, best first.
    pub dns: Vec<Ipv4Addr>,
    /// 15: the domain that short names are completed with.
    pub domain: Option<String>,
    /// 26: MTU of the link, at least 68.
    pub mtu: Option<u16>,
    /// 50: the address that the client would like.
    pub requested: Option<Ipv4Addr>,
    /// 51: for how long the address is given, in seconds; `u32::MAX`: for ever.
    pub lease: Option<u32>,
    /// 54: the server's address, which is its name.
    pub server: Option<Ipv4Addr>,
    /// 55: the numbers of the options that the client would like.
    pub parameters: Vec<u8>,
    /// 56: why not, for people. It is the sender's text: show it with care.
    pub message: Option<String>,
    /// 57: the largest message that the client takes, in bytes with headers.
    pub max_size: Option<u16>,
    /// 58: when to ask the server to prolong (T1), in seconds.
    pub renew: Option<u32>,
    /// 59: when to ask any server (T2), in seconds.
    pub rebind: Option<u32>,
    /// 61: who the client is.
    pub client_id: Vec<u8>,
    /// 121: destinations and the router to each; an unspecified router means that they are neighbours.
    pub routes: Vec<(IpPrefix, Ipv4Addr)>,
}

impl DhcpOptions {
    /// The message type and the rest. RFC 3396: an option that comes again continues the first.
    pub(super) fn read(options: DhcpOptionIter<'_>) -> Result<(Option<u8>, DhcpOptions), ParseError> {
        let mut joined: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for option in options {
            let (kind, data) = option?;
            joined.entry(kind).or_default().extend_from_slice(data);
        }
        let mut take = |kind| joined.remove(&kind).unwrap_or_default();
        let mut read = DhcpOptions::default();
        let kind = one_byte(&take(code::KIND));
        read.prefix_len = address(&take(code::SUBNET_MASK)).and_then(prefix_len);
        read.routers = addresses(&take(code::ROUTERS));
        read.dns = addresses(&take(code::DNS));
        read.domain = text(&take(code::DOMAIN));
        read.mtu = two_bytes(&take(code::MTU)).filter(|mtu| *mtu >= 68);
        read.requested = address(&take(code::REQUESTED));
        read.lease = four_bytes(&take(code::LEASE));
        read.server = address(&take(code::SERVER));
        read.parameters = take(code::PARAMETERS);
        read.message = text(&take(code::MESSAGE));
        read.max_size = two_bytes(&take(code::MAX_SIZE));
        read.renew = four_bytes(&take(code::RENEW));
        read.rebind = four_bytes(&take(code::REBIND));
        read.client_id = take(code::CLIENT_ID);
        read.routes = routes(&take(code::ROUTES)).unwrap_or_default();
        Ok((kind, read))
    }

    /// Appends the options and the mark of their end.
    pub(super) fn emit_into(&self, kind: DhcpKind, out: &mut Vec<u8>) {
        put(out, code::KIND, &[kind.number()]);
        let network = |len: u8| u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
        put(
            out,
            code::SUBNET_MASK,
            &self.prefix_len.map_or(Vec::new(), |len| network(len).to_be_bytes().into()),
        );
        put(out, code::REQUESTED, &self.requested.map_or(Vec::new(), |address| address.octets().into()));
        put(out, code::LEASE, &number(self.lease));
        put(out, code::SERVER, &self.server.map_or(Vec::new(), |address| address.octets().into()));
        put(out, code::ROUTERS, &octets(&self.routers));
        put(out, code::DNS, &octets(&self.dns));
        put(out, code::DOMAIN, self.domain.as_deref().unwrap_or_default().as_bytes());
        put(out, code::MTU, &self.mtu.map_or(Vec::new(), |mtu| mtu.to_be_bytes().into()));
        put(out, code::PARAMETERS, &self.parameters);
        put(out, code::MESSAGE, self.message.as_deref().unwrap_or_default().as_bytes());
        put(out, code::MAX_SIZE, &self.max_size.map_or(Vec::new(), |size| size.to_be_bytes().into()));
        put(out, code::RENEW, &number(self.renew));
        put(out, code::REBIND, &number(self.rebind));
        put(out, code::CLIENT_ID, &self.client_id);
        let mut routes = Vec::new();
        for (prefix, router) in &self.routes {
            let core::net::IpAddr::V4(network) = prefix.network() else { continue };
            routes.put_u8(prefix.len());
            routes.put_slice(&network.octets()[..usize::from(prefix.len()).div_ceil(8)]);
            routes.put_slice(&router.octets());
        }
        put(out, code::ROUTES, &routes);
        out.put_u8(255);
    }
}

/// One option, in as many pieces as it needs; none if it is empty.
fn put(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    for piece in data.chunks(255) {
        out.put_slice(&[kind, piece.len() as u8]);
        out.put_slice(piece);
    }
}

fn number(value: Option<u32>) -> Vec<u8> {
    value.map_or(Vec::new(), |value| value.to_be_bytes().into())
}

fn octets(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(|address| address.octets()).collect()
}

fn one_byte(data: &[u8]) -> Option<u8> {
    if let [byte] = data { Some(*byte) } else { None }
}

fn two_bytes(data: &[u8]) -> Option<u16> {
    data.try_into().ok().map(u16::from_be_bytes)
}

fn four_bytes(data: &[u8]) -> Option<u32> {
    (data.len() == 4).then(|| u32_at(data, 0))
}

fn address(data: &[u8]) -> Option<Ipv4Addr> {
    (data.len() == 4).then(|| ipv4_at(data, 0))
}

fn addresses(data: &[u8]) -> Vec<Ipv4Addr> {
    data.chunks_exact(4).map(|address| ipv4_at(address, 0)).collect()
}

/// RFC 2132 2: some senders end texts with zeros.
fn text(data: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(data);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Bits of a mask; a mask with holes is none.
fn prefix_len(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    (bits.leading_ones() + bits.trailing_zeros() >= 32).then(|| bits.leading_ones() as u8)
}

/// RFC 3442: a length, as many bytes of the network as it needs, and the router. All or nothing.
fn routes(mut data: &[u8]) -> Option<Vec<(IpPrefix, Ipv4Addr)>> {
    let mut routes = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let significant = usize::from(len).div_ceil(8);
        let (given, router) = (rest.get(..significant)?, rest.get(significant..significant + 4)?);
        let mut network = [0; 4];
        network.get_mut(..significant)?.copy_from_slice(given);
        routes.push((IpPrefix::new(Ipv4Addr::from(network).into(), len)?, ipv4_at(router, 0)));
        data = &rest[significant + 4..];
    }
    Some(routes)
}
