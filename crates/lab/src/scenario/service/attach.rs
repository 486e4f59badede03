//! What gives machines their addresses: DHCP servers, and routers that advertise themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thru_serve::dhcp::Manner;

use super::{set, word};
use crate::item::{Reader, Str};
use crate::prefix::Prefix;
use crate::source::Error;
use crate::units;

/// The words of a DHCP server's `behaviour`.
const MANNERS: [(&str, Manner); 5] = [
    ("normal", Manner::Normal),
    ("silent", Manner::Silent),
    ("refuses", Manner::Refuses),
    ("offers-only", Manner::OffersOnly),
    ("full", Manner::Full),
];

/// A DHCP server on the first link of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpSpec {
    /// The first and the last address that it gives.
    pub range: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The router it names; `None`: its own node.
    pub router: Option<Ipv4Addr>,
    /// The resolvers it names.
    pub resolvers: Vec<Ipv4Addr>,
    /// For how long an address is given.
    pub lease: Duration,
    /// How it behaves.
    pub manner: Manner,
    /// How long it takes to answer.
    pub think: Duration,
    /// Whether it runs at all.
    pub up: bool,
}

impl Default for DhcpSpec {
    fn default() -> DhcpSpec {
        DhcpSpec {
            range: None,
            router: None,
            resolvers: Vec::new(),
            lease: Duration::from_secs(3_600),
            manner: Manner::Normal,
            think: Duration::ZERO,
            up: true,
        }
    }
}

/// A node's addresses by its name, or an address as it is written.
pub(super) type Addresses<'a> = &'a dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>;

fn v4(text: &Str, addresses: Addresses<'_>) -> Result<Ipv4Addr, Error> {
    let found = addresses(text)?.into_iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    found.ok_or_else(|| {
        text.error(format!("`{}` has no IPv4 address", text.text), "DHCP is IPv4's: name a node that has one")
    })
}

fn v6(text: &Str, addresses: Addresses<'_>) -> Result<Ipv6Addr, Error> {
    let found = addresses(text)?.into_iter().find_map(|address| match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    });
    found.ok_or_else(|| {
        text.error(
            format!("`{}` has no IPv6 address", text.text),
            "advertisements are IPv6's: name a node that has one",
        )
    })
}

impl DhcpSpec {
    pub(super) fn apply(&mut self, reader: &Reader<'_>, addresses: Addresses<'_>) -> Result<(), Error> {
        if let Some(text) = reader.text("range")? {
            let parsed = text
                .text
                .split_once('-')
                .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
            let range: (Ipv4Addr, Ipv4Addr) =
                parsed.filter(|(first, last)| first <= last).ok_or_else(|| {
                    text.error(
                        format!("`{}` is no range of addresses", text.text),
                        "write the first and the last, as in `192.168.1.100-192.168.1.199`",
                    )
                })?;
            self.range = Some(range);
        }
        if let Some(text) = reader.text("router")? {
            self.router = Some(v4(&text, addresses)?);
        }
        if let Some(texts) = reader.texts("resolvers")? {
            self.resolvers = texts.iter().map(|text| v4(text, addresses)).collect::<Result<_, _>>()?;
        }
        if let Some(text) = reader.text("behaviour")? {
            self.manner = word(&text, &MANNERS, "behaviour")?;
        }
        set(&mut self.lease, reader.quantity("lease", units::duration)?);
        set(&mut self.think, reader.quantity("think", units::duration)?);
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }

    /// Lines of the expanded file.
    pub(in crate::scenario) fn show(&self) -> Vec<String> {
        let manner =
            MANNERS.iter().find(|(_, manner)| *manner == self.manner).map_or("normal", |(name, _)| name);
        let mut lines = vec![
            format!("behaviour = \"{manner}\""),
            format!("lease = \"{}\"", units::show_duration(self.lease)),
            format!("think = \"{}\"", units::show_duration(self.think)),
            format!("resolvers = [{}]", quoted(&self.resolvers)),
        ];
        lines.extend(self.range.map(|(first, last)| format!("range = \"{first}-{last}\"")));
        lines.extend(self.router.map(|router| format!("router = \"{router}\"")));
        lines.push(format!("up = {}", self.up));
        lines
    }
}

fn quoted<T: ToString>(all: &[T]) -> String {
    all.iter().map(|one| format!("\"{}\"", one.to_string())).collect::<Vec<_>>().join(", ")
}

/// A router that advertises itself, and the prefix of its first link, to the hosts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertiseSpec {
    /// For how long it is a default router; zero: it is none.
    pub lifetime: Duration,
    /// The prefix that hosts make themselves addresses of; `None`: that of its first link.
    pub announces: Option<Prefix>,
    /// How much it wants to be preferred: 1, 0, or -1 (RFC 4191).
    pub preference: i8,
    /// The resolvers it names (RFC 8106).
    pub resolvers: Vec<Ipv6Addr>,
    /// Whether it says that addresses come from DHCPv6.
    pub managed: bool,
    /// The MTU that it tells.
    pub mtu: Option<u32>,
    /// How long it takes to answer.
    pub think: Duration,
    /// Whether it runs at all.
    pub up: bool,
}

impl Default for AdvertiseSpec {
    fn default() -> AdvertiseSpec {
        AdvertiseSpec {
            lifetime: Duration::from_secs(1_800),
            announces: None,
            preference: 0,
            resolvers: Vec::new(),
            managed: false,
            mtu: None,
            think: Duration::ZERO,
            up: true,
        }
    }
}

impl AdvertiseSpec {
    pub(super) fn apply(&mut self, reader: &Reader<'_>, addresses: Addresses<'_>) -> Result<(), Error> {
        set(&mut self.lifetime, reader.quantity("lifetime", units::duration)?);
        if let Some(text) = reader.text("announces")? {
            let prefix = Prefix::parse(&text.text).filter(|prefix| prefix.is_v6() && prefix.length() == 64);
            self.announces = Some(prefix.ok_or_else(|| {
                text.error(
                    format!("`{}` is no prefix that hosts make addresses of", text.text),
                    "write an IPv6 prefix of 64 bits, as in `2001:db8:a:1::/64`",
                )
            })?);
        }
        if let Some(preference) = reader.integer("preference", -1, 1)? {
            self.preference = preference as i8;
        }
        if let Some(texts) = reader.texts("resolvers")? {
            self.resolvers = texts.iter().map(|text| v6(text, addresses)).collect::<Result<_, _>>()?;
        }
        set(&mut self.managed, reader.bool("managed")?);
        if let Some(mtu) = reader.integer("mtu", 0, 65_535)? {
            self.mtu = Some(mtu as u32);
        }
        set(&mut self.think, reader.quantity("think", units::duration)?);
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }

    /// Lines of the expanded file.
    pub(in crate::scenario) fn show(&self) -> Vec<String> {
        let mut lines = vec![
            format!("lifetime = \"{}\"", units::show_duration(self.lifetime)),
            format!("preference = {}", self.preference),
            format!("resolvers = [{}]", quoted(&self.resolvers)),
            format!("managed = {}", self.managed),
            format!("think = \"{}\"", units::show_duration(self.think)),
        ];
        lines.extend(self.announces.map(|prefix| format!("announces = \"{prefix}\"")));
        lines.extend(self.mtu.map(|mtu| format!("mtu = {mtu}")));
        lines.push(format!("up = {}", self.up));
        lines
    }
}
