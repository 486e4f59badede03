//! What a server's answer means, and which of its records may be believed.
//!
//! A server asked as an authority of a zone is believed about names in that zone only (its bailiwick, RFC 5452
//! section 6); everything else in its answer is as if it were not there.

use std::net::IpAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordData, RecordType};

use crate::text::name_text;

/// Name servers kept of one delegation. Real zones have up to 13; a long list is an attack (NXNSAttack).
const SERVERS_MAX: usize = 16;
/// Addresses kept of one name server.
const GLUE_MAX: usize = 8;
/// CNAMEs followed inside one message.
const CHAIN_MAX: usize = 16;

/// Who answers for a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delegation {
    pub(super) zone: Name,
    /// Names with the addresses that came with them; a name may come without.
    pub(super) servers: Vec<(Name, Vec<IpAddr>)>,
}

/// The meaning of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Aliases from the name asked for (perhaps none) and what stands at their end.
    Chain { aliases: Vec<Record>, end: End },
    /// Ask these instead; seconds it holds.
    Referral { delegation: Delegation, ttl: u32 },
    /// An error code.
    Code(ResponseCode),
    /// It does not know this zone; why we think so.
    Lame(String),
}

/// What stands at the end of a chain of aliases.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Records(Vec<Record>),
    /// Not in this answer: to be asked for afresh.
    Elsewhere(Name),
    /// No such name; the SOA if one came that can be believed.
    NoName(Option<Record>),
    /// No such record; likewise.
    NoData(Option<Record>),
}

/// Reads the answer of a server of `zone` to the question for `name` and `record_type`.
pub(super) fn classify(message: &Message, zone: &Name, name: &Name, record_type: RecordType) -> Meaning {
    let code = message.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Meaning::Code(code);
    }
    let (aliases, current, records) = follow(message, zone, name, record_type);
    if !records.is_empty() {
        return Meaning::Chain { aliases, end: End::Records(records) };
    }
    let soa = authority_soa(message, zone, &current);
    if !aliases.is_empty() {
        let end = if !zone.zone_of(&current) {
            End::Elsewhere(current)
        } else if code == ResponseCode::NXDomain {
            End::NoName(soa)
        } else if soa.is_some() {
            End::NoData(soa)
        } else {
            End::Elsewhere(current)
        };
        return Meaning::Chain { aliases, end };
    }
    if code == ResponseCode::NXDomain {
        return Meaning::Chain { aliases, end: End::NoName(soa) };
    }
    if soa.is_some() {
        return Meaning::Chain { aliases, end: End::NoData(soa) };
    }
    match referral(message, zone, name) {
        Some(Ok((delegation, ttl))) => Meaning::Referral { delegation, ttl },
        Some(Err(elsewhere)) if !message.metadata.authoritative => {
            Meaning::Lame(format!("refers to {} instead", name_text(&elsewhere.to_lowercase())))
        }
        _ if message.metadata.authoritative => Meaning::Chain { aliases, end: End::NoData(None) },
        _ => Meaning::Lame("neither answer nor referral, and no authority".into()),
    }
}

/// Follows aliases inside the message: the aliases, where they lead, and the records asked for there.
fn follow(
    message: &Message,
    zone: &Name,
    name: &Name,
    record_type: RecordType,
) -> (Vec<Record>, Name, Vec<Record>) {
    let mut current = name.clone();
    let mut aliases: Vec<Record> = Vec::new();
    while zone.zone_of(&current) {
        let at_current =
            || message.answers.iter().filter(|r| r.name == current && r.dns_class == DNSClass::IN);
        let records: Vec<Record> = at_current()
            .filter(|r| r.record_type() == record_type || record_type == RecordType::ANY)
            // An empty record is a codec's stand-in for no data at all.
            .filter(|r| !r.data.is_update())
            .map(|r| owned_by(&current, r))
            .collect();
        if !records.is_empty() {
            return (aliases, current, records);
        }
        let alias = at_current().find_map(|r| match &r.data {
            RData::CNAME(target) => Some((owned_by(&current, r), target.0.clone())),
            _ => None,
        });
        let Some((record, target)) = alias else { break };
        let looped = aliases.iter().any(|earlier| earlier.name == target) || target == current;
        aliases.push(record);
        current = target;
        if looped || aliases.len() >= CHAIN_MAX {
            break;
        }
    }
    (aliases, current, Vec::new())
}

/// The record under the name we know it by: the answer's spelling carries the random letter case of our question.
fn owned_by(name: &Name, record: &Record) -> Record {
    Record::from_rdata(name.clone(), record.ttl, record.data.clone())
}

/// The SOA that a negative answer about `name` came with, if `zone`'s server may speak for it.
fn authority_soa(message: &Message, zone: &Name, name: &Name) -> Option<Record> {
    message
        .authorities
        .iter()
        .find(|record| {
            record.record_type() == RecordType::SOA && zone.zone_of(&record.name) && record.name.zone_of(name)
        })
        .cloned()
}

/// The delegation in the authority section: `None` without NS records, `Err` with those of a zone that is not
/// on the way from `zone` down to `name`.
fn referral(message: &Message, zone: &Name, name: &Name) -> Option<Result<(Delegation, u32), Name>> {
    let mut records = message.authorities.iter().filter(|record| record.record_type() == RecordType::NS);
    let cut = &records.clone().next()?.name;
    if cut == zone || !zone.zone_of(cut) || !cut.zone_of(name) {
        return Some(Err(cut.clone()));
    }
    let mut servers: Vec<(Name, Vec<IpAddr>)> = Vec::new();
    let mut ttl = u32::MAX;
    for record in &mut records {
        let RData::NS(server) = &record.data else { continue };
        if record.name != *cut
            || servers.len() == SERVERS_MAX
            || servers.iter().any(|(name, _)| *name == server.0)
        {
            continue;
        }
        ttl = ttl.min(record.ttl);
        servers.push((server.0.to_lowercase(), glue(message, zone, &server.0)));
    }
    Some(Ok((Delegation { zone: cut.to_lowercase(), servers }, ttl)))
}

fn glue(message: &Message, zone: &Name, server: &Name) -> Vec<IpAddr> {
    if !zone.zone_of(server) {
        return Vec::new();
    }
    let mut addresses = Vec::new();
    for record in &message.additionals {
        if record.name != *server || addresses.len() == GLUE_MAX {
            continue;
        }
        if let Some(address) = record.data.ip_addr()
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}
