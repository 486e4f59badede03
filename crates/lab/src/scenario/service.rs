//! What runs on the nodes: name servers, resolvers, web sites.

use std::net::IpAddr;

use crate::date;
use crate::item::{Reader, Str};
use crate::source::{Error, suggest};
pub use attach::{AdvertiseSpec, DhcpSpec};
pub use misdeeds::{Answers, Misdeeds, Quic, Stapled};
pub(crate) use misdeeds::{frames, hex};
pub(crate) use names::expand;
pub use names::{DnsBehaviour, DnsSpec, ResolverSpec, Trust};
pub use proxy::ProxySpec;
pub use signing::{Denials, Signing};
pub use web::{Door, Http, Issuer, WebSpec};

mod attach;
mod misdeeds;
mod names;
mod proxy;
pub mod roll;
mod signing;
mod web;

/// A service on a node.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, unique among services.
    pub name: String,
    /// Index of its node.
    pub on: usize,
    /// What it is, with its settings.
    pub kind: ServiceKind,
}

/// What a service is.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceKind {
    /// An authoritative name server.
    Dns(DnsSpec),
    /// A recursive, caching resolver.
    Resolver(ResolverSpec),
    /// One web site.
    Web(WebSpec),
    /// A proxy that connects on behalf of others.
    Proxy(ProxySpec),
    /// A DHCP server.
    Dhcp(DhcpSpec),
    /// A router that advertises itself.
    Advertise(AdvertiseSpec),
}

/// The words of `kind`.
pub(crate) const KINDS: [&str; 6] = ["dns", "resolver", "web", "proxy", "dhcp", "advertise"];

impl ServiceKind {
    /// A service of that kind with its defaults.
    pub(crate) fn new(kind: &str) -> Option<ServiceKind> {
        match kind {
            "dns" => Some(ServiceKind::Dns(DnsSpec { up: true, ..DnsSpec::default() })),
            "resolver" => Some(ServiceKind::Resolver(ResolverSpec { up: true, ..ResolverSpec::default() })),
            "web" => Some(ServiceKind::Web(WebSpec::default())),
            "proxy" => Some(ServiceKind::Proxy(ProxySpec::default())),
            "dhcp" => Some(ServiceKind::Dhcp(DhcpSpec::default())),
            "advertise" => Some(ServiceKind::Advertise(AdvertiseSpec::default())),
            _ => None,
        }
    }

    /// The word in the file.
    pub fn word(&self) -> &'static str {
        match self {
            ServiceKind::Dns(_) => "dns",
            ServiceKind::Resolver(_) => "resolver",
            ServiceKind::Web(_) => "web",
            ServiceKind::Proxy(_) => "proxy",
            ServiceKind::Dhcp(_) => "dhcp",
            ServiceKind::Advertise(_) => "advertise",
        }
    }

    /// Takes over what the table says; what it does not say stays. `addresses` finds a node's addresses.
    pub(crate) fn apply(
        &mut self,
        reader: &Reader<'_>,
        addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
    ) -> Result<(), Error> {
        match self {
            ServiceKind::Dns(spec) => spec.apply(reader, addresses)?,
            ServiceKind::Resolver(spec) => spec.apply(reader, addresses)?,
            ServiceKind::Web(spec) => spec.apply(reader)?,
            ServiceKind::Proxy(spec) => spec.apply(reader)?,
            ServiceKind::Dhcp(spec) => spec.apply(reader, addresses)?,
            ServiceKind::Advertise(spec) => spec.apply(reader, addresses)?,
        }
        Ok(())
    }
}

pub(crate) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// One of the known words.
pub(crate) fn word<T: Copy>(text: &Str, known: &[(&str, T)], what: &str) -> Result<T, Error> {
    match known.iter().find(|(name, _)| *name == text.text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Err(text
                .error(format!("unknown {what} `{}`", text.text), suggest(&text.text, names.iter().copied())))
        }
    }
}

/// A date as text or as TOML's own.
pub(crate) fn read_date(reader: &Reader<'_>, key: &'static str) -> Result<Option<u64>, Error> {
    let Some(item) = reader.get(key) else {
        return Ok(None);
    };
    let text = match &item.kind {
        crate::item::Kind::Date(text) => Str { text: text.clone(), span: item.span.clone() },
        _ => item.text(key)?,
    };
    match date::parse(&text.text) {
        Some(nanos) => Ok(Some(nanos)),
        None => {
            Err(text.error(format!("`{}` is not a date", text.text), "write it as `2026-03-02T12:00:00Z`"))
        }
    }
}

fn host_name(name: &Str) -> Result<String, Error> {
    let text = name.text.trim_end_matches('.').to_ascii_lowercase();
    let bare = text.strip_prefix("*.").unwrap_or(&text);
    let legal = !bare.is_empty()
        && bare.len() <= 253
        && bare.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    if legal {
        Ok(text)
    } else {
        Err(name.error(format!("`{}` is not a host name", name.text), "write a name such as `www.shop.lab`"))
    }
}
