//! Options of neighbour discovery (RFC 4861 section 4.6, RFC 4191, RFC 8106).

use core::net::Ipv6Addr;
use core::time::Duration;

use bytes::BufMut;

use crate::address::{IpPrefix, MacAddr};
use crate::error::{ClaimedBy, Layer, ParseError, ipv6_at, u32_at};

/// One option. A known kind with an impossible length or value appears as [`NdpOption::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NdpOption<'a> {
    /// 1: the sender's Ethernet address.
    SourceMac(MacAddr),
    /// 2: the target's Ethernet address.
    TargetMac(MacAddr),
    /// 3: a prefix of the link.
    Prefix(PrefixInformation),
    /// 4: the packet that was redirected, as much as fits.
    Redirected(&'a [u8]),
    /// 5: MTU of the link.
    Mtu(u32),
    /// 24: a route (RFC 4191).
    Route(RouteInformation),
    /// 25: recursive resolvers (RFC 8106).
    DnsServers(DnsServers),
    /// Any other.
    Other {
        /// What kind.
        kind: u8,
        /// What follows its length byte.
        data: &'a [u8],
    },
}

/// Goes through options; ends at the first that is malformed, with its error.
#[derive(Clone, Debug)]
pub struct NdpOptionIter<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> NdpOptionIter<'a> {
    pub(super) fn new(bytes: &'a [u8], base: usize) -> NdpOptionIter<'a> {
        NdpOptionIter { bytes, at: 0, base }
    }
}

impl<'a> Iterator for NdpOptionIter<'a> {
    type Item = Result<NdpOption<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let (&kind, after) = rest.split_first()?;
        let (at, have) = (self.base + self.at, rest.len());
        let need = match after.first() {
            None => 2,
            // RFC 4861 section 4.6: nodes must discard a packet with an option of length zero.
            Some(0) => {
                self.at = self.bytes.len();
                let what = "option length is zero";
                return Some(Err(ParseError::Illegal { layer: Layer::Ndp, at: at + 1, what }));
            }
            Some(len) => usize::from(*len) * 8,
        };
        if need > have {
            self.at = self.bytes.len();
            let claimed_by = ClaimedBy::OptionLength;
            return Some(Err(ParseError::Truncated { layer: Layer::Ndp, at, need, have, claimed_by }));
        }
        self.at += need;
        Some(Ok(NdpOption::understand(kind, &rest[2..need])))
    }
}

impl<'a> NdpOption<'a> {
    /// `data` follows the length byte: a multiple of 8 bytes, less 2.
    fn understand(kind: u8, data: &'a [u8]) -> NdpOption<'a> {
        let known = match (kind, data) {
            (1, &[a, b, c, d, e, f]) => Some(NdpOption::SourceMac(MacAddr([a, b, c, d, e, f]))),
            (2, &[a, b, c, d, e, f]) => Some(NdpOption::TargetMac(MacAddr([a, b, c, d, e, f]))),
            (3, _) => PrefixInformation::from_wire(data).map(NdpOption::Prefix),
            (4, _) => Some(NdpOption::Redirected(&data[6..])),
            (5, [_, _, _, _, _, _]) => Some(NdpOption::Mtu(u32_at(data, 2))),
            (24, _) => RouteInformation::from_wire(data).map(NdpOption::Route),
            (25, _) => DnsServers::from_wire(data).map(NdpOption::DnsServers),
            _ => None,
        };
        known.unwrap_or(NdpOption::Other { kind, data })
    }
}

/// A prefix of the link (RFC 4861 section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix; always of IPv6.
    pub prefix: IpPrefix,
    /// Addresses in it are neighbours.
    pub on_link: bool,
    /// Hosts may make themselves addresses in it (RFC 4862).
    pub autonomous: bool,
    /// For how long it is valid, in whole seconds; `u32::MAX` of them: for ever.
    pub valid: Duration,
    /// For how long addresses made from it are preferred.
    pub preferred: Duration,
}

impl PrefixInformation {
    fn from_wire(data: &[u8]) -> Option<PrefixInformation> {
        if data.len() != 30 {
            return None;
        }
        Some(PrefixInformation {
            prefix: IpPrefix::new(ipv6_at(data, 14).into(), data[0])?,
            on_link: data[1] & 0x80 != 0,
            autonomous: data[1] & 0x40 != 0,
            valid: Duration::from_secs(u64::from(u32_at(data, 2))),
            preferred: Duration::from_secs(u64::from(u32_at(data, 6))),
        })
    }

    pub(super) fn emit_into(&self, out: &mut impl BufMut) {
        let flags = u8::from(self.on_link) << 7 | u8::from(self.autonomous) << 6;
        out.put_slice(&[3, 4, self.prefix.len(), flags]);
        out.put_u32(seconds(self.valid));
        out.put_u32(seconds(self.preferred));
        out.put_u32(0);
        out.put_slice(&v6_network(self.prefix).octets());
    }
}

/// A route beyond the default (RFC 4191 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInformation {
    /// Destinations; always of IPv6.
    pub prefix: IpPrefix,
    /// 1 rather than others, 0, or -1.
    pub preference: i8,
    /// For how long it is valid, in whole seconds.
    pub lifetime: Duration,
}

impl RouteInformation {
    fn from_wire(data: &[u8]) -> Option<RouteInformation> {
        let (bits, given) = (data[0], data.len() - 6);
        if given > 16 || usize::from(bits) > given * 8 {
            return None;
        }
        let mut octets = [0; 16];
        octets[..given].copy_from_slice(&data[6..]);
        Some(RouteInformation {
            prefix: IpPrefix::new(Ipv6Addr::from(octets).into(), bits)?,
            preference: preference(data[1]),
            lifetime: Duration::from_secs(u64::from(u32_at(data, 2))),
        })
    }

    /// Bytes of the prefix that are sent.
    fn sent(&self) -> usize {
        usize::from(self.prefix.len()).div_ceil(64) * 8
    }

    pub(super) fn len(&self) -> usize {
        8 + self.sent()
    }

    pub(super) fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[24, (self.len() / 8) as u8, self.prefix.len(), preference_bits(self.preference)]);
        out.put_u32(seconds(self.lifetime));
        out.put_slice(&v6_network(self.prefix).octets()[..self.sent()]);
    }
}

/// Recursive resolvers (RFC 8106 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsServers {
    /// For how long they may be used, in whole seconds.
    pub lifetime: Duration,
    /// The first 127 are sent.
    pub servers: Vec<Ipv6Addr>,
}

impl DnsServers {
    fn from_wire(data: &[u8]) -> Option<DnsServers> {
        let listed = &data[6..];
        if listed.is_empty() || !listed.len().is_multiple_of(16) {
            return None;
        }
        Some(DnsServers {
            lifetime: Duration::from_secs(u64::from(u32_at(data, 2))),
            servers: listed.chunks_exact(16).map(|address| ipv6_at(address, 0)).collect(),
        })
    }

    pub(super) fn len(&self) -> usize {
        8 + self.servers.len().min(127) * 16
    }

    pub(super) fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[25, (self.len() / 8) as u8, 0, 0]);
        out.put_u32(seconds(self.lifetime));
        for server in self.servers.iter().take(127) {
            out.put_slice(&server.octets());
        }
    }
}

/// RFC 4191 section 2.1: two bits, signed; 2 is reserved and read as 0.
pub(super) fn preference(flags: u8) -> i8 {
    match flags >> 3 & 3 {
        1 => 1,
        3 => -1,
        _ => 0,
    }
}

pub(super) fn preference_bits(preference: i8) -> u8 {
    match preference {
        1.. => 1 << 3,
        0 => 0,
        _ => 3 << 3,
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// The network of a prefix that should be of IPv6; an IPv4 one is sent as its mapped form.
fn v6_network(prefix: IpPrefix) -> Ipv6Addr {
    match prefix.network() {
        core::net::IpAddr::V6(network) => network,
        core::net::IpAddr::V4(network) => network.to_ipv6_mapped(),
    }
}
