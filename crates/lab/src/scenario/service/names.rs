//! Name servers and resolvers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thru_names::zone::Zone;
use thru_serve::dns::faults::{Fault, Faults};

use super::signing::Signing;
use super::{host_name, set, word};
use crate::item::{Reader, Str};
use crate::prefix::Prefix;
use crate::source::Error;
use crate::units;

/// How a name server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsBehaviour {
    /// As it should.
    #[default]
    Normal,
    /// Every answer is SERVFAIL.
    Servfail,
    /// Every answer is REFUSED.
    Refused,
    /// It receives and never answers.
    Silent,
}

impl DnsBehaviour {
    const NAMES: [(&'static str, DnsBehaviour); 4] = [
        ("normal", DnsBehaviour::Normal),
        ("servfail", DnsBehaviour::Servfail),
        ("refused", DnsBehaviour::Refused),
        ("silent", DnsBehaviour::Silent),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        DnsBehaviour::NAMES.iter().find(|(_, known)| *known == self).map_or("normal", |(name, _)| name)
    }
}

/// An authoritative name server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsSpec {
    /// Zones as master-file text; `{node}` stands for the node's address.
    pub zones: Vec<Arc<str>>,
    /// Whether its zones are signed, unless `signing` says otherwise.
    pub signed: bool,
    /// How single zones are signed, by their names without the last dot.
    pub signing: BTreeMap<String, Signing>,
    /// Whether it also tells the names of addresses (PTR), for every node with a label of the form `name.lab`.
    pub reverse: bool,
    /// How it behaves.
    pub behaviour: DnsBehaviour,
    /// What it gets wrong about the protocol.
    pub faults: Faults,
    /// How long it takes to answer.
    pub think: Duration,
    /// Whether it runs at all; if not, its ports are closed.
    pub up: bool,
    /// Who may change its zones while it runs (RFC 2136).
    pub updates: Vec<Prefix>,
    /// Who is told when a zone has changed (RFC 1996): the names of nodes, as written, and their addresses.
    pub notify: Vec<(String, Vec<IpAddr>)>,
    /// Zones that it copies from others, and whom from: the names of nodes, as written, and their addresses. What it has of
    /// them at first stands in its `zones`.
    pub copies: Vec<(String, String, Vec<IpAddr>)>,
}

impl DnsSpec {
    /// Whether its zones change while it runs.
    pub fn is_dynamic(&self) -> bool {
        !(self.updates.is_empty() && self.notify.is_empty() && self.copies.is_empty())
    }

    /// Takes over what the table says; `addresses` finds a node's addresses.
    pub(super) fn apply(
        &mut self,
        reader: &Reader<'_>,
        addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
    ) -> Result<(), Error> {
        if let Some(zones) = reader.texts("zone")? {
            self.zones = zones.iter().map(|zone| read_zone(zone, addresses)).collect::<Result<_, _>>()?;
        }
        set(&mut self.reverse, reader.bool("reverse")?);
        set(&mut self.signed, reader.bool("signed")?);
        if let Some(item) = reader.get("dnssec") {
            for (zone, words) in &item.table("dnssec")?.entries {
                let mut signing = Signing { signed: self.signed, ..Signing::default() };
                for word in words.texts("dnssec")? {
                    signing.apply(&word)?;
                }
                self.signing.insert(zone_key(&zone.text), signing);
            }
        }
        behaviour(reader, &mut self.behaviour)?;
        faults(reader, &mut self.faults)?;
        set(&mut self.think, reader.quantity("think", units::duration)?);
        set(&mut self.up, reader.bool("up")?);
        if let Some(texts) = reader.texts("updates")? {
            self.updates = texts.iter().map(allowed).collect::<Result<_, _>>()?;
        }
        if let Some(texts) = reader.texts("notify")? {
            let told = |node: &Str| Ok((node.text.clone(), addresses(node)?));
            self.notify = texts.iter().map(told).collect::<Result<_, Error>>()?;
        }
        if let Some(texts) = reader.texts("copies")? {
            self.copies = texts.iter().map(|text| copy(text, addresses)).collect::<Result<_, _>>()?;
        }
        let wrong =
            self.behaviour != DnsBehaviour::Normal || !self.faults.is_empty() || !self.think.is_zero();
        if self.is_dynamic() && (wrong || self.signed || self.signing.values().any(|signing| signing.signed))
        {
            return Err(reader.error(
                "a name server whose zones change can neither sign them nor do anything wrong",
                "take away signed, dnssec, behaviour, faults and think; break the way between the servers instead",
            ));
        }
        Ok(())
    }

    /// How the zone of that name is signed.
    pub fn signing_of(&self, zone: &str) -> Signing {
        let own = self.signing.get(&zone_key(zone)).cloned();
        own.unwrap_or_else(|| Signing { signed: self.signed, ..Signing::default() })
    }
}

/// What a resolver trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The lab's root key: what is signed is validated.
    #[default]
    Root,
    /// A root key that is no more: everything signed fails.
    Stale,
    /// Nothing: it does not validate.
    None,
}

impl Trust {
    const NAMES: [(&'static str, Trust); 3] =
        [("root", Trust::Root), ("stale", Trust::Stale), ("none", Trust::None)];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        Trust::NAMES.iter().find(|(_, known)| *known == self).map_or("root", |(name, _)| name)
    }
}

/// A recursive resolver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolverSpec {
    /// What it trusts.
    pub trust: Trust,
    /// Addresses of the root servers.
    pub roots: Vec<IpAddr>,
    /// Names of the nodes that are root servers, as written.
    pub root_nodes: Vec<String>,
    /// How it behaves.
    pub behaviour: DnsBehaviour,
    /// What it gets wrong about the protocol.
    pub faults: Faults,
    /// How long it takes to answer, beyond what it has to ask.
    pub think: Duration,
    /// Names that have no IPv6 addresses get some of this prefix (RFC 6147).
    pub dns64: Option<Prefix>,
    /// Names that it says do not exist, with all below them.
    pub blocked: Vec<String>,
    /// Who may ask; empty: everybody.
    pub allow: Vec<Prefix>,
    /// Whether it runs at all.
    pub up: bool,
}

impl ResolverSpec {
    /// Takes over what the table says; `addresses` finds a node's addresses.
    pub(super) fn apply(
        &mut self,
        reader: &Reader<'_>,
        addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
    ) -> Result<(), Error> {
        if let Some(roots) = reader.texts("roots")? {
            self.roots.clear();
            for root in &roots {
                self.roots.extend(addresses(root)?);
            }
            self.root_nodes = roots.into_iter().map(|root| root.text).collect();
        }
        if let Some(text) = reader.text("trust")? {
            self.trust = word(&text, &Trust::NAMES, "trust")?;
        }
        if let Some(text) = reader.text("dns64")? {
            self.dns64 = dns64(&text)?;
        }
        if let Some(names) = reader.texts("blocked")? {
            self.blocked = names.iter().map(host_name).collect::<Result<_, _>>()?;
        }
        if let Some(texts) = reader.texts("allow")? {
            self.allow = texts.iter().map(allowed).collect::<Result<_, _>>()?;
        }
        behaviour(reader, &mut self.behaviour)?;
        faults(reader, &mut self.faults)?;
        set(&mut self.think, reader.quantity("think", units::duration)?);
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }
}

/// `ZONE=NODE`: a zone, and whom it is copied from.
fn copy(
    text: &Str,
    addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
) -> Result<(String, String, Vec<IpAddr>), Error> {
    let Some((zone, node)) = text.text.split_once('=') else {
        return Err(text.error(format!("`{}` names no primary", text.text), "write `ZONE=NODE`"));
    };
    let zone = host_name(&Str { text: zone.to_owned(), span: text.span.clone() })?;
    let node = Str { text: node.to_owned(), span: text.span.clone() };
    Ok((zone, node.text.clone(), addresses(&node)?))
}

/// A zone's name as a key: in lower case, without the last dot unless it is the root.
fn zone_key(zone: &str) -> String {
    let bare = zone.trim_end_matches('.').to_ascii_lowercase();
    if bare.is_empty() { ".".to_owned() } else { bare }
}

fn behaviour(reader: &Reader<'_>, place: &mut DnsBehaviour) -> Result<(), Error> {
    if let Some(text) = reader.text("behaviour")? {
        *place = word(&text, &DnsBehaviour::NAMES, "behaviour")?;
    }
    Ok(())
}

fn faults(reader: &Reader<'_>, place: &mut Faults) -> Result<(), Error> {
    if let Some(texts) = reader.texts("faults")? {
        *place = texts.iter().map(|text| word(text, Fault::WORDS, "fault")).collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// A prefix that IPv4 addresses fit behind (RFC 6052 section 2.2); `none` takes it away.
fn dns64(text: &Str) -> Result<Option<Prefix>, Error> {
    if text.text == "none" {
        return Ok(None);
    }
    match Prefix::parse(&text.text) {
        Some(prefix) if prefix.is_v6() && matches!(prefix.length(), 32 | 40 | 48 | 56 | 64 | 96) => {
            Ok(Some(prefix))
        }
        _ => Err(text.error(
            format!("`{}` is no prefix for DNS64", text.text),
            "write an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, as in `64:ff9b::/96`",
        )),
    }
}

fn allowed(text: &Str) -> Result<Prefix, Error> {
    Prefix::parse(&text.text).ok_or_else(|| {
        text.error(format!("`{}` is not a prefix", text.text), "write it as in `192.168.1.0/24`")
    })
}

/// A zone's text with its addresses filled in, tried out.
fn read_zone(zone: &Str, addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>) -> Result<Arc<str>, Error> {
    let text = expand(zone, addresses)?;
    let Err(error) = Zone::parse(&text, None) else { return Ok(text.into()) };
    // The line's place; the whole zone's where the fault is of the whole.
    let mut start = 0;
    let mut place = zone.span.part(0, 1);
    for (number, line) in zone.text.split_inclusive('\n').enumerate() {
        if number + 1 == error.line {
            let blanks = line.len() - line.trim_start().len();
            place = zone.span.part(start + blanks, line.trim().len());
        }
        start += line.len();
    }
    let hint = error.hint.unwrap_or_else(|| "zones are in master-file form: NAME TTL TYPE DATA".to_string());
    Err(Error::at(&place, format!("not a zone: {}", error.what), hint))
}

/// Replaces `{node}` by the node's address: IPv6 after the word AAAA, else IPv4.
pub(crate) fn expand(
    zone: &Str,
    addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
) -> Result<String, Error> {
    let mut out = String::with_capacity(zone.text.len());
    let mut rest = 0;
    while let Some(open) = zone.text[rest..].find('{').map(|at| rest + at) {
        let Some(close) = zone.text[open..].find('}').map(|at| open + at) else {
            return Err(Str { text: String::new(), span: zone.span.part(open, 1) }
                .error("`{` without `}`", "write `{node}` for the address of a node"));
        };
        out.push_str(&zone.text[rest..open]);
        let name = Str {
            text: zone.text[open + 1..close].to_string(),
            span: zone.span.part(open + 1, close - open - 1),
        };
        let v6 = zone.text[..open]
            .split_whitespace()
            .next_back()
            .is_some_and(|word| word.eq_ignore_ascii_case("AAAA"));
        match addresses(&name)?.into_iter().find(|address| address.is_ipv6() == v6) {
            Some(address) => out.push_str(&address.to_string()),
            None => {
                return Err(
                    name.error(format!("`{}` has no such address", name.text), "check the node's links")
                );
            }
        }
        rest = close + 1;
    }
    out.push_str(&zone.text[rest..]);
    Ok(out)
}
