//! Neighbour discovery (RFC 4861): router and neighbour messages and their options.
//!
//! - [`Ndp`]: the five messages as values. Checks that need the IPv6 header (hop limit 255, a
//!   link-local source) are the host's.
//! - [`NdpOption`]: every option that a host or a router acts upon, and any other as bytes.
//! - [`NdpView`]: looks at bytes.

use core::net::Ipv6Addr;
use core::time::Duration;

use bytes::BufMut;

use crate::address::MacAddr;
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv6_at, u16_at, u32_at};

mod option;

pub use option::{DnsServers, NdpOption, NdpOptionIter, PrefixInformation, RouteInformation};

/// Looks at the bytes of a neighbour discovery message, from the ICMPv6 header on.
#[derive(Clone, Copy, Debug)]
pub struct NdpView<'a> {
    bytes: &'a [u8],
    options_at: usize,
}

impl<'a> NdpView<'a> {
    /// Checks that the kind is one of neighbour discovery's and that its fixed part is there.
    pub fn new(bytes: &'a [u8]) -> Result<NdpView<'a>, ParseError> {
        fixed_header(Layer::Ndp, bytes, 8)?;
        let options_at = match bytes[0] {
            133 => 8,
            134 => 16,
            135 | 136 => 24,
            137 => 40,
            _ => {
                let what = "type is not one of neighbour discovery";
                return Err(ParseError::Illegal { layer: Layer::Ndp, at: 0, what });
            }
        };
        claimed(Layer::Ndp, bytes, 0, options_at, ClaimedBy::FixedHeader)?;
        Ok(NdpView { bytes, options_at })
    }

    /// What kind of message: 133 to 137.
    pub fn kind(&self) -> u8 {
        self.bytes[0]
    }

    /// Which of that kind; should be 0.
    pub fn code(&self) -> u8 {
        self.bytes[1]
    }

    /// The target of a neighbour solicitation, a neighbour advertisement or a redirect.
    pub fn target(&self) -> Option<Ipv6Addr> {
        (self.options_at >= 24).then(|| ipv6_at(self.bytes, 8))
    }

    /// The destination of a redirect.
    pub fn destination(&self) -> Option<Ipv6Addr> {
        (self.options_at == 40).then(|| ipv6_at(self.bytes, 24))
    }

    /// The options.
    pub fn options(&self) -> NdpOptionIter<'a> {
        NdpOptionIter::new(&self.bytes[self.options_at..], self.options_at)
    }
}

/// A neighbour discovery message, always legal. Options without a place here are dropped by
/// [`Ndp::parse`]; [`NdpView::options`] shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ndp {
    /// 133: are there routers?
    RouterSolicitation {
        /// Who asks; never sent from the unspecified address.
        source_mac: Option<MacAddr>,
    },
    /// 134: here is a router.
    RouterAdvertisement(RouterAdvertisement),
    /// 135: who has the target?
    NeighborSolicitation {
        /// The address asked for; never a group.
        target: Ipv6Addr,
        /// Who asks; absent in duplicate address detection.
        source_mac: Option<MacAddr>,
    },
    /// 136: I have it.
    NeighborAdvertisement {
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It may replace what the receiver remembers.
        override_flag: bool,
        /// The address; never a group.
        target: Ipv6Addr,
        /// Its Ethernet address.
        target_mac: Option<MacAddr>,
    },
    /// 137: there is a better first hop.
    Redirect {
        /// The better first hop, or the destination itself if it is a neighbour.
        target: Ipv6Addr,
        /// Towards this destination; never a group.
        destination: Ipv6Addr,
        /// The Ethernet address of the better first hop.
        target_mac: Option<MacAddr>,
    },
}

/// A router advertisement (RFC 4861 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RouterAdvertisement {
    /// Hop limit to use; 0: unspecified.
    pub hop_limit: u8,
    /// Addresses are given out by DHCPv6.
    pub managed: bool,
    /// Other configuration is given out by DHCPv6.
    pub other: bool,
    /// How much it wants to be the default router: 1 more than others, 0, or -1 (RFC 4191).
    pub preference: i8,
    /// For how long it is a default router, in whole seconds; zero: it is none.
    pub lifetime: Duration,
    /// How long a neighbour is reachable after a confirmation, in whole milliseconds; zero: unspecified.
    pub reachable_time: Duration,
    /// How long to wait between solicitations, in whole milliseconds; zero: unspecified.
    pub retrans_timer: Duration,
    /// The router's Ethernet address.
    pub source_mac: Option<MacAddr>,
    /// MTU of the link.
    pub mtu: Option<u32>,
    /// Prefixes, in the order of the wire.
    pub prefixes: Vec<PrefixInformation>,
    /// Routes beyond the default (RFC 4191).
    pub routes: Vec<RouteInformation>,
    /// Recursive resolvers (RFC 8106).
    pub dns: Vec<DnsServers>,
}

impl Ndp {
    /// Reads a message from its ICMPv6 header on. The checksum is [`crate::icmpv6::Icmpv6::parse`]'s to verify.
    ///
    /// Refused are (RFC 4861 sections 6.1, 7.1 and 8.1): a code other than 0, an option of length zero or
    /// one that does not fit, a target or destination that is a group.
    pub fn parse(bytes: &[u8]) -> Result<Ndp, ParseError> {
        let view = NdpView::new(bytes)?;
        let illegal = |at, what| ParseError::Illegal { layer: Layer::Ndp, at, what };
        if view.code() != 0 {
            return Err(illegal(1, "code is not 0"));
        }
        if view.target().is_some_and(|target| target.is_multicast()) {
            return Err(illegal(8, "the target is a group"));
        }
        if view.destination().is_some_and(|destination| destination.is_multicast()) {
            return Err(illegal(24, "the destination is a group"));
        }
        let (mut source_mac, mut target_mac) = (None, None);
        let mut router = RouterAdvertisement::default();
        for option in view.options() {
            match option? {
                NdpOption::SourceMac(mac) => source_mac = Some(mac),
                NdpOption::TargetMac(mac) => target_mac = Some(mac),
                NdpOption::Mtu(mtu) => router.mtu = Some(mtu),
                NdpOption::Prefix(prefix) => router.prefixes.push(prefix),
                NdpOption::Route(route) => router.routes.push(route),
                NdpOption::DnsServers(servers) => router.dns.push(servers),
                NdpOption::Redirected(_) | NdpOption::Other { .. } => {}
            }
        }
        Ok(match view.kind() {
            133 => Ndp::RouterSolicitation { source_mac },
            134 => {
                router.source_mac = source_mac;
                router.read_fixed_part(bytes);
                Ndp::RouterAdvertisement(router)
            }
            135 => Ndp::NeighborSolicitation { target: ipv6_at(bytes, 8), source_mac },
            136 => Ndp::NeighborAdvertisement {
                router: bytes[4] & 0x80 != 0,
                solicited: bytes[4] & 0x40 != 0,
                override_flag: bytes[4] & 0x20 != 0,
                target: ipv6_at(bytes, 8),
                target_mac,
            },
            _ => Ndp::Redirect { target: ipv6_at(bytes, 8), destination: ipv6_at(bytes, 24), target_mac },
        })
    }

    /// The ICMPv6 type.
    pub const fn kind(&self) -> u8 {
        match self {
            Ndp::RouterSolicitation { .. } => 133,
            Ndp::RouterAdvertisement(_) => 134,
            Ndp::NeighborSolicitation { .. } => 135,
            Ndp::NeighborAdvertisement { .. } => 136,
            Ndp::Redirect { .. } => 137,
        }
    }

    /// Bytes of the message with its options.
    #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
    pub fn len(&self) -> usize {
        let mac = |mac: &Option<MacAddr>| usize::from(mac.is_some()) * 8;
        match self {
            Ndp::RouterSolicitation { source_mac } => 8 + mac(source_mac),
            Ndp::RouterAdvertisement(router) => {
                let dns: usize = router.dns.iter().map(DnsServers::len).sum();
                let routes: usize = router.routes.iter().map(RouteInformation::len).sum();
                let mtu = usize::from(router.mtu.is_some()) * 8;
                16 + mac(&router.source_mac) + mtu + router.prefixes.len() * 32 + routes + dns
            }
            Ndp::NeighborSolicitation { source_mac, .. } => 24 + mac(source_mac),
            Ndp::NeighborAdvertisement { target_mac, .. } => 24 + mac(target_mac),
            Ndp::Redirect { target_mac, .. } => 40 + mac(target_mac),
        }
    }

    /// Appends the message with checksum 0; [`crate::icmpv6::Icmpv6::emit_into`] fills it in.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[self.kind(), 0, 0, 0]);
        let mac = |kind: u8, mac: &Option<MacAddr>, out: &mut dyn BufMut| {
            if let Some(mac) = mac {
                out.put_slice(&[kind, 1]);
                out.put_slice(&mac.0);
            }
        };
        match self {
            Ndp::RouterSolicitation { source_mac } => {
                out.put_u32(0);
                mac(1, source_mac, out);
            }
            Ndp::RouterAdvertisement(router) => {
                router.emit_fixed_part(out);
                mac(1, &router.source_mac, out);
                if let Some(mtu) = router.mtu {
                    out.put_slice(&[5, 1, 0, 0]);
                    out.put_u32(mtu);
                }
                router.prefixes.iter().for_each(|prefix| prefix.emit_into(out));
                router.routes.iter().for_each(|route| route.emit_into(out));
                router.dns.iter().for_each(|servers| servers.emit_into(out));
            }
            Ndp::NeighborSolicitation { target, source_mac } => {
                out.put_u32(0);
                out.put_slice(&target.octets());
                mac(1, source_mac, out);
            }
            Ndp::NeighborAdvertisement { router, solicited, override_flag, target, target_mac } => {
                let flags =
                    u32::from(*router) << 31 | u32::from(*solicited) << 30 | u32::from(*override_flag) << 29;
                out.put_u32(flags);
                out.put_slice(&target.octets());
                mac(2, target_mac, out);
            }
            Ndp::Redirect { target, destination, target_mac } => {
                out.put_u32(0);
                out.put_slice(&target.octets());
                out.put_slice(&destination.octets());
                mac(2, target_mac, out);
            }
        }
    }
}

impl RouterAdvertisement {
    fn read_fixed_part(&mut self, bytes: &[u8]) {
        self.hop_limit = bytes[4];
        self.managed = bytes[5] & 0x80 != 0;
        self.other = bytes[5] & 0x40 != 0;
        self.preference = option::preference(bytes[5]);
        self.lifetime = Duration::from_secs(u64::from(u16_at(bytes, 6)));
        self.reachable_time = Duration::from_millis(u64::from(u32_at(bytes, 8)));
        self.retrans_timer = Duration::from_millis(u64::from(u32_at(bytes, 12)));
    }

    fn emit_fixed_part(&self, out: &mut impl BufMut) {
        out.put_u8(self.hop_limit);
        let flags = u8::from(self.managed) << 7 | u8::from(self.other) << 6;
        out.put_u8(flags | option::preference_bits(self.preference));
        out.put_u16(u16::try_from(self.lifetime.as_secs()).unwrap_or(u16::MAX));
        let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        out.put_u32(millis(self.reachable_time));
        out.put_u32(millis(self.retrans_timer));
    }
}

#[cfg(test)]
mod tests;
