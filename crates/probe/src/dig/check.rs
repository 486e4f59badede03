//! `--check`: an audit of the zone that a name belongs to, as its servers and those of the zone above show it.
//!
//! - [`check`]: walks down from the root hints, then asks every server of the zone.
//! - [`Finding`]: what is wrong, with a code, and the RFC section that says how it should be.
//! - `asking`: single questions to single servers; `findings`: what they show.

mod asking;
mod findings;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::{Name, RecordType};
use thru_names::dnssec::chain::Chain;
use thru_names::resolver::ResolverConfig;
use thru_names::text::name_text;
use thru_names::wire::{Packet, RawRecord};
use thru_net::Network;

use self::asking::{Asked, ask};
use super::chain::chain;
use crate::resolve::iterate::Driver;

/// Referrals followed from the root.
const REFERRALS_MAX: usize = 20;
/// Name servers looked at, and addresses of each.
const SERVERS_MAX: usize = 16;
const ADDRESSES_MAX: usize = 4;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Names of the zone fail, for some or for all.
    Error,
    /// It works until something else fails.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Severity {
    /// `error`, `warning` or `notice`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        }
    }
}

/// One thing that the audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A word for programs: `lame-server`, `glue-differs`, ...
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence for people.
    pub what: String,
    /// The RFC section that says how it should be.
    pub rfc: &'static str,
}

/// What one address of a name server had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// The server's name.
    pub name: Name,
    /// The address.
    pub address: IpAddr,
    /// The serial in its SOA, if it is an authority for the zone.
    pub serial: Option<u32>,
    /// How it answered, in a word or two.
    pub said: String,
    /// Milliseconds until it did, over UDP.
    pub millis: Option<u64>,
}

/// The audit of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The zone.
    pub zone: Name,
    /// The zone above; `None` for the root.
    pub parent: Option<Name>,
    /// Its servers, by address.
    pub servers: Vec<ServerSeen>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// The chain of trust down to its SOA.
    pub chain: Chain,
}

/// What the zone above says of the zone.
#[derive(Clone, Debug, Default)]
struct Delegation {
    parent: Option<Name>,
    servers: Vec<Name>,
    glue: BTreeMap<Name, Vec<IpAddr>>,
}

/// What a server says of the zone.
#[derive(Clone, Debug)]
struct Seen {
    server: Name,
    address: IpAddr,
    soa: Asked,
    over_tcp: Asked,
    plain: Option<Asked>,
    large: Option<Asked>,
    stranger: Option<Asked>,
    /// Further questions to an authority, about what others get wrong.
    habits: Option<Box<Habits>>,
    servers: Vec<Name>,
}

/// What a server makes of less common questions.
#[derive(Clone, Debug)]
struct Habits {
    /// The name in mixed letter case, and the spelling.
    case: (Name, Asked),
    /// A name that is not there.
    missing: Asked,
    /// Types that not every server knows.
    types: Vec<(RecordType, Asked)>,
    /// With a cookie of ours, and after BADCOOKIE with the server's.
    cookie: (Vec<u8>, Asked),
}

/// Audits the zone that `name` belongs to. The error says why the zone cannot be found.
pub async fn check(network: &Network, config: ResolverConfig, name: &Name) -> Result<Audit, String> {
    let (zone, delegation) = find(network, &config, name).await?;
    let chain = chain(network, config.clone(), &zone, RecordType::SOA).await;
    let mut unchecked = config.clone();
    unchecked.validate = false;
    let mut driver = Driver::new(network, unchecked);
    let mut known: BTreeMap<Name, Vec<IpAddr>> = BTreeMap::new();
    let mut seen: Vec<Seen> = Vec::new();
    let mut waiting: Vec<Name> = delegation.servers.clone();
    waiting.truncate(SERVERS_MAX);
    let mut at = 0;
    while at < waiting.len() {
        let server = waiting[at].clone();
        at += 1;
        let own = addresses(&mut driver, &server).await;
        let glue = delegation.glue.get(&server).cloned().unwrap_or_default();
        known.insert(server.clone(), own.clone());
        let mut all = glue;
        all.extend(own);
        all.sort_unstable();
        all.dedup();
        all.retain(|address| network.has_family(address.is_ipv6()));
        for address in all.into_iter().take(ADDRESSES_MAX) {
            let heard = look(network, &zone, &server, SocketAddr::new(address, config.port)).await;
            // Servers that only the zone itself names are asked as well.
            for other in &heard.servers {
                if !waiting.contains(other) && waiting.len() < SERVERS_MAX {
                    waiting.push(other.clone());
                }
            }
            seen.push(heard);
        }
    }
    let findings = findings::of(&zone, &delegation, &known, &seen, &chain);
    let servers = seen.iter().map(Seen::shown).collect();
    Ok(Audit { zone, parent: delegation.parent, servers, findings, chain })
}

impl Seen {
    /// The answer about the SOA: that over TCP, where the other was cut.
    fn soa(&self) -> Option<&Packet> {
        match self.soa.packet() {
            Some(cut) if cut.header.truncated => self.over_tcp.packet().or(Some(cut)),
            other => other,
        }
    }

    fn serial(&self) -> Option<u32> {
        let packet = self.soa().filter(|packet| packet.header.authoritative)?;
        let soa = packet.answers.iter().find(|record| record.rtype == RecordType::SOA)?;
        let at = soa.data.len().checked_sub(20)?;
        Some(u32::from_be_bytes(soa.data[at..at + 4].try_into().ok()?))
    }

    fn shown(&self) -> ServerSeen {
        ServerSeen {
            name: self.server.clone(),
            address: self.address,
            serial: self.serial(),
            said: match self.serial() {
                Some(_) => "authoritative".to_owned(),
                None => self.soa.in_words(),
            },
            millis: self.soa.millis(),
        }
    }
}

/// Questions to one address of one server.
async fn look(network: &Network, zone: &Name, server: &Name, to: SocketAddr) -> Seen {
    let soa = ask(network, to, &asking::Query::new(zone, RecordType::SOA)).await;
    let over_tcp = ask(network, to, &asking::Query::new(zone, RecordType::SOA).tcp()).await;
    let mut seen = Seen {
        server: server.clone(),
        address: to.ip(),
        soa,
        over_tcp,
        plain: None,
        large: None,
        stranger: None,
        habits: None,
        servers: Vec::new(),
    };
    if seen.soa().is_some_and(|packet| packet.header.authoritative) {
        let servers = ask(network, to, &asking::Query::new(zone, RecordType::NS)).await;
        seen.servers = servers.packet().map(|packet| names_of(&packet.answers)).unwrap_or_default();
        seen.large = Some(ask(network, to, &asking::Query::new(zone, RecordType::DNSKEY)).await);
        // A name of nobody's: only an open resolver looks for it.
        if let Ok(stranger) = thru_names::text::parse_name("recursion-test.invalid") {
            seen.stranger =
                Some(ask(network, to, &asking::Query::new(&stranger, RecordType::A).recursive()).await);
        }
        seen.habits = Some(Box::new(habits(network, zone, to).await));
    } else {
        seen.plain = Some(ask(network, to, &asking::Query::new(zone, RecordType::SOA).without_edns()).await);
    }
    seen
}

/// What goes wrong with few servers, and then with few questions.
async fn habits(network: &Network, zone: &Name, to: SocketAddr) -> Habits {
    let random = network.random("audit name");
    let spelled = in_mixed_case(zone);
    let label: String = random[..6].iter().map(|octet| format!("{octet:02x}")).collect();
    let missing = zone.prepend_label(format!("no-{label}")).unwrap_or_else(|_| zone.clone());
    let mut types = Vec::new();
    for rtype in [RecordType::AAAA, RecordType::HTTPS] {
        types.push((rtype, ask(network, to, &asking::Query::new(zone, rtype)).await));
    }
    let own = random[8..16].to_vec();
    let with = |cookie: Vec<u8>| asking::Query::new(zone, RecordType::SOA).cookie(cookie);
    let mut heard = ask(network, to, &with(own.clone())).await;
    if let Some(packet) = heard.packet().filter(|packet| packet.rcode() == asking::BAD_COOKIE) {
        let cookie = packet.opt.as_ref().and_then(|opt| opt.option(asking::COOKIE)).unwrap_or(&own).to_vec();
        heard = ask(network, to, &with(cookie)).await;
    }
    Habits {
        case: (spelled.clone(), ask(network, to, &asking::Query::new(&spelled, RecordType::SOA)).await),
        missing: ask(network, to, &asking::Query::new(&missing, RecordType::A)).await,
        types,
        cookie: (own, heard),
    }
}

/// Every other letter as a capital.
fn in_mixed_case(name: &Name) -> Name {
    let change = |label: &[u8]| -> Vec<u8> {
        let letter = |(at, octet): (usize, &u8)| match at % 2 {
            0 => octet.to_ascii_uppercase(),
            _ => octet.to_ascii_lowercase(),
        };
        label.iter().enumerate().map(letter).collect()
    };
    let labels: Vec<Vec<u8>> = name.iter().map(change).collect();
    Name::from_labels(labels).map_or_else(
        |_| name.clone(),
        |mut name| {
            name.set_fqdn(true);
            name
        },
    )
}

fn names_of(records: &[RawRecord]) -> Vec<Name> {
    let servers = records.iter().filter(|record| record.rtype == RecordType::NS);
    let mut names: Vec<Name> =
        servers.flat_map(|record| thru_names::rdata::names(RecordType::NS, &record.data)).collect();
    names.iter_mut().for_each(|name| *name = name.to_lowercase());
    names.sort();
    names.dedup();
    names
}

fn address_of(record: &RawRecord) -> Option<IpAddr> {
    match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        _ => None,
    }
}

/// A server's addresses as its own zone has them.
async fn addresses(driver: &mut Driver, server: &Name) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for rtype in [RecordType::A, RecordType::AAAA] {
        driver.query(0, server, rtype, true);
        let (_, answer) = driver.wait().await;
        found.extend(answer.sections.answer.iter().filter_map(address_of));
    }
    found.sort_unstable();
    found
}

/// From the root down to the zone that holds `name`, asking authorities only.
async fn find(network: &Network, config: &ResolverConfig, name: &Name) -> Result<(Name, Delegation), String> {
    let mut zone = Name::root();
    let mut delegation = Delegation {
        parent: None,
        servers: config.root_hints.iter().map(|(server, _)| server.to_lowercase()).collect(),
        glue: config
            .root_hints
            .iter()
            .map(|(server, addresses)| (server.to_lowercase(), addresses.clone()))
            .collect(),
    };
    let mut unchecked = config.clone();
    unchecked.validate = false;
    let mut driver = Driver::new(network, unchecked);
    for _ in 0..REFERRALS_MAX {
        let Some(packet) =
            any_answer(network, config.port, &mut driver, &delegation, name, RecordType::SOA).await
        else {
            break;
        };
        let referral = packet
            .authorities
            .iter()
            .find(|record| record.rtype == RecordType::NS && !packet.header.authoritative)
            .map(|record| record.name.to_lowercase());
        let (below, servers, additionals) = match referral
            .filter(|below| zone.zone_of(below) && *below != zone)
        {
            Some(below) => (below, names_of(&packet.authorities), packet.additionals),
            None => {
                let cut = cut(network, config.port, &mut driver, &delegation, (&zone, name), &packet).await;
                let Some((below, packet)) = cut else { break };
                (below, names_of(&packet.answers), packet.additionals)
            }
        };
        let mut glue: BTreeMap<Name, Vec<IpAddr>> = BTreeMap::new();
        for record in &additionals {
            if let Some(address) = address_of(record) {
                glue.entry(record.name.to_lowercase()).or_default().push(address);
            }
        }
        delegation = Delegation { parent: Some(zone), servers, glue };
        zone = below;
    }
    if delegation.parent.is_none() && !name.is_root() && delegation.servers.is_empty() {
        return Err(format!("no root server is known, so {} cannot be looked for", name_text(name)));
    }
    Ok((zone, delegation))
}

/// The zone next below `zone` that the same servers have as well, and what they say of its servers: who has both answers
/// for the lower one at once, instead of referring to it (RFC 1034 4.3.2), which the SOA in `answer` to `name` shows.
async fn cut(
    network: &Network,
    port: u16,
    driver: &mut Driver,
    delegation: &Delegation,
    (zone, name): (&Name, &Name),
    answer: &Packet,
) -> Option<(Name, Box<Packet>)> {
    let mut records = answer.answers.iter().chain(&answer.authorities);
    let soa = records.find(|record| record.rtype == RecordType::SOA && answer.header.authoritative)?;
    let owner = soa.name.to_lowercase();
    // Also, the name is in it: a server that follows an alias names the zone that the alias leads to.
    if !zone.zone_of(&owner) || !owner.zone_of(name) {
        return None;
    }
    for labels in zone.num_labels() + 1..=owner.num_labels() {
        let below = owner.trim_to(usize::from(labels));
        let packet = any_answer(network, port, driver, delegation, &below, RecordType::NS).await?;
        let own = |record: &RawRecord| record.rtype == RecordType::NS && record.name.to_lowercase() == below;
        if packet.header.authoritative && packet.answers.iter().any(own) {
            return Some((below, packet));
        }
    }
    None
}

/// The first usable answer of one of the servers.
async fn any_answer(
    network: &Network,
    port: u16,
    driver: &mut Driver,
    delegation: &Delegation,
    name: &Name,
    rtype: RecordType,
) -> Option<Box<Packet>> {
    for server in &delegation.servers {
        let mut all = delegation.glue.get(server).cloned().unwrap_or_default();
        if all.is_empty() {
            all = addresses(driver, server).await;
        }
        all.retain(|address| network.has_family(address.is_ipv6()));
        for address in all.into_iter().take(ADDRESSES_MAX) {
            let query = asking::Query::new(name, rtype);
            let asked = ask(network, SocketAddr::new(address, port), &query).await;
            if let Asked::Answer { packet, .. } = asked
                && matches!(packet.rcode(), 0 | 3)
            {
                return Some(packet);
            }
        }
    }
    None
}
