//! The zones of all name servers together, signed: what a parent says of a child follows from the child. Zones that are on
//! their way to other keys are in `rolled`.

mod rolled;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::rr::{Name, RecordType};
use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::flaw;
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, ZONE_SIGNING};
use thru_names::message::raw_of;
use thru_names::text::{name_text, reverse_name};
use thru_names::wire::RawRecord;
use thru_names::zone::Zone;

use super::StartError;
use crate::scenario::service::{DnsSpec, Signing};
use crate::scenario::{Scenario, ServiceKind};

/// SHA-256, as a DS says it (RFC 4509).
const SHA256: u8 = 2;
/// Signed zones kept for the next lab of this process: signing is what costs most when a lab starts.
const KEPT_MAX: usize = 1024;

/// What every name server serves.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    /// By the service's index.
    pub(super) zones: BTreeMap<usize, Vec<Arc<SignedZone>>>,
    /// What is trusted of the root, if that is signed: its DS.
    pub(super) anchor: Option<RawRecord>,
}

/// A zone before it is signed.
struct Draft {
    service: usize,
    origin: Name,
    records: Vec<RawRecord>,
    signing: Signing,
}

/// All zones of the scenario, with these settings of its services.
pub(super) fn served(scenario: &Scenario, services: &[ServiceKind]) -> Result<Served, StartError> {
    let mut drafts = Vec::new();
    for (service, kind) in services.iter().enumerate() {
        if let ServiceKind::Dns(spec) = kind {
            draft(scenario, service, spec, &mut drafts)?;
        }
    }
    delegate_own(&mut drafts);
    let anchor = drafts.iter().find(|draft| draft.origin.is_root() && draft.signing.signed).map(|draft| {
        let data = keys(&draft.origin)[0].ds(&draft.origin, SHA256).expect("SHA-256 is known");
        record(&draft.origin, RecordType::DS, 86_400, data)
    });
    tell_parents(&mut drafts);
    let date = u32::try_from(scenario.date / 1_000_000_000).unwrap_or(u32::MAX);
    let mut served = Served { anchor, ..Served::default() };
    for draft in drafts {
        let service = draft.service;
        served.zones.entry(service).or_default().push(finished(draft, date)?);
    }
    Ok(served)
}

fn draft(
    scenario: &Scenario,
    service: usize,
    spec: &DnsSpec,
    drafts: &mut Vec<Draft>,
) -> Result<(), StartError> {
    let mut texts: Vec<Arc<str>> = spec.zones.clone();
    if spec.reverse {
        texts.extend(reverse_zones(scenario, scenario.services[service].on));
    }
    for text in texts {
        let zone = Zone::parse(&text, None).map_err(|error| StartError(format!("read a zone: {error}")))?;
        let records = zone.records().filter_map(|record| raw_of(&record));
        drafts.push(Draft {
            service,
            origin: zone.origin().clone(),
            records: records.collect(),
            signing: spec.signing_of(&name_text(zone.origin())),
        });
    }
    Ok(())
}

/// `in-addr.arpa` and `ip6.arpa`, with the label of every node that has one.
fn reverse_zones(scenario: &Scenario, on: usize) -> Vec<Arc<str>> {
    let nodes = &scenario.nodes;
    let own = nodes[on].label.clone().unwrap_or_else(|| format!("{}.lab", nodes[on].name));
    let zone = |origin: &str, v6: bool| {
        let mut text = format!(
            "$ORIGIN {origin}\n$TTL 3600\n@ SOA {own}. hostmaster.nic.lab. 1 7200 3600 1209600 300\n@ NS {own}.\n"
        );
        for node in nodes {
            let Some(label) = node.label.as_ref().filter(|label| label.ends_with(".lab")) else {
                continue;
            };
            let addresses = node.interfaces.iter().flat_map(|interface| &interface.addresses);
            for (address, _) in addresses.filter(|(address, _)| address.is_ipv6() == v6) {
                text.push_str(&format!("{} PTR {label}.\n", name_text(&reverse_name(*address))));
            }
        }
        text.into()
    };
    vec![zone("in-addr.arpa.", false), zone("ip6.arpa.", true)]
}

/// A server that holds a zone and one above it delegates the lower one to itself: a validating resolver looks for
/// the cut between them.
fn delegate_own(drafts: &mut [Draft]) {
    for child in 0..drafts.len() {
        let origin = drafts[child].origin.clone();
        let above = parents(drafts, &origin)
            .into_iter()
            .filter(|parent| drafts[*parent].service == drafts[child].service)
            .find(|parent| !has(&drafts[*parent], &origin, RecordType::NS));
        let Some(above) = above else { continue };
        let servers: Vec<RawRecord> = drafts[child]
            .records
            .iter()
            .filter(|record| record.name == origin && record.rtype == RecordType::NS)
            .cloned()
            .collect();
        drafts[above].records.extend(servers);
    }
}

/// Gives each zone that delegates to a signed one its DS, unless the zone's own text has one.
fn tell_parents(drafts: &mut [Draft]) {
    let mut told: Vec<(usize, RawRecord)> = Vec::new();
    for child in drafts.iter().filter(|child| child.signing.signed && !child.origin.is_root()) {
        let vouched = match child.signing.rolling {
            Some(rolling) => rolled::entry_point(&child.origin, rolling),
            None => keys(&child.origin).into_iter().next().expect("there are three"),
        };
        let data = vouched.ds(&child.origin, SHA256).expect("SHA-256 is known");
        let Some(data) = flaw::ds(data, &child.signing.flaws) else { continue };
        for parent in parents(drafts, &child.origin) {
            let delegates = has(&drafts[parent], &child.origin, RecordType::NS);
            let said = has(&drafts[parent], &child.origin, RecordType::DS)
                || told.iter().any(|(at, record)| *at == parent && record.name == child.origin);
            if delegates && !said {
                told.push((parent, record(&child.origin, RecordType::DS, 86_400, data.clone())));
            }
        }
    }
    for (parent, record) in told {
        drafts[parent].records.push(record);
    }
}

/// The drafts of the closest zone above `origin`: several, if several servers hold it.
fn parents(drafts: &[Draft], origin: &Name) -> Vec<usize> {
    let above = |draft: &Draft| draft.origin != *origin && draft.origin.zone_of(origin);
    let closest = drafts.iter().filter(|draft| above(draft)).map(|draft| draft.origin.iter().len()).max();
    (0..drafts.len())
        .filter(|at| above(&drafts[*at]) && Some(drafts[*at].origin.iter().len()) == closest)
        .collect()
}

fn has(draft: &Draft, name: &Name, rtype: RecordType) -> bool {
    draft.records.iter().any(|record| record.name == *name && record.rtype == rtype)
}

fn record(name: &Name, rtype: RecordType, ttl: u32, data: Vec<u8>) -> RawRecord {
    RawRecord { name: name.clone(), rtype, class: 1, ttl, data: data.into() }
}

/// The keys of a zone: its entry point, the one for its data, and one to replace the first with. They are the same in
/// every lab and run, as those of the lab's certificates are: they protect nothing.
fn keys(origin: &Name) -> [SigningKey; 3] {
    let zone = name_text(&origin.to_lowercase());
    [("entry point", KEY_SIGNING), ("data", ZONE_SIGNING), ("next entry point", KEY_SIGNING)]
        .map(|(purpose, flags)| SigningKey::of_phrase(&format!("throughline lab {purpose} {zone}"), flags))
}

/// The DS of a root key that signs nothing any more.
pub(super) fn stale_anchor() -> RawRecord {
    let key = SigningKey::of_phrase("throughline lab root key of long ago", KEY_SIGNING);
    let data = key.ds(&Name::root(), SHA256).expect("SHA-256 is known");
    record(&Name::root(), RecordType::DS, 86_400, data)
}

/// What a finished zone depends on, besides its keys, which follow from its name.
type Recipe = (Name, Vec<RawRecord>, Signing, u32);

/// Zones finished before in this process.
static KEPT: Mutex<Vec<(Recipe, Arc<SignedZone>)>> = Mutex::new(Vec::new());

fn finished(draft: Draft, date: u32) -> Result<Arc<SignedZone>, StartError> {
    let recipe = (draft.origin, draft.records, draft.signing, date);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, zone)) = kept().iter().find(|(known, _)| *known == recipe) {
        return Ok(zone.clone());
    }
    let (origin, records, signing, _) = &recipe;
    let wrong = |why: String| StartError(format!("sign the zone {}: {why}", name_text(origin)));
    let zone = if let Some(rolling) = signing.rolling {
        rolled::zone(origin, records, rolling, signing.denials.chain(), date.into())
    } else if signing.signed {
        let chain = signing.denials.chain();
        let signed = flaw::sign(origin, records, keys(origin), chain, date, &signing.flaws);
        SignedZone::new(&signed.map_err(wrong)?).map(Arc::new)
    } else {
        SignedZone::new(records).map(Arc::new)
    };
    let zone = zone.map_err(wrong)?;
    let mut kept = kept();
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.push((recipe, zone.clone()));
    Ok(zone)
}
