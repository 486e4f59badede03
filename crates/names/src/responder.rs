//! An authoritative server without sockets: query bytes in, answer bytes out.

use std::collections::BTreeMap;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::message::{self, Peek, UDP_PAYLOAD};
use crate::zone::{Lookup, Zone};

/// CNAMEs followed inside one answer. A longer chain is cut there; the asker goes on from its end.
const CHAIN_MAX: usize = 16;

/// Answers for the zones it holds, and for nothing else.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    zones: BTreeMap<Name, Zone>,
}

impl Responder {
    /// A server of these zones; of two with one name the later stays.
    pub fn new(zones: impl IntoIterator<Item = Zone>) -> Responder {
        Responder { zones: zones.into_iter().map(|zone| (zone.origin().clone(), zone)).collect() }
    }

    /// Adds a zone, or replaces the one of that name.
    pub fn insert(&mut self, zone: Zone) {
        self.zones.insert(zone.origin().clone(), zone);
    }

    /// The zones, in canonical order.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zones.values()
    }

    /// The answer to `query`, or `None` for what deserves none: fewer bytes than a header, and responses
    /// (answering those lets two servers talk for ever).
    pub fn answer(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let peek = Peek::at(query)?;
        if peek.is_response {
            return None;
        }
        if peek.opcode != 0 {
            return Some(message::bare_error(peek, ResponseCode::NotImp));
        }
        let Ok(query) = message::decode(query) else {
            return Some(message::bare_error(peek, ResponseCode::FormErr));
        };
        let (response, glue_needed) = self.respond(&query);
        let limit = message::response_limit(&query, over_udp);
        Some(message::encode_within(response, limit, glue_needed))
    }

    /// The response, and whether its additional section may not be dropped.
    fn respond(&self, query: &Message) -> (Message, bool) {
        let mut response = begin_response(query);
        if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            response.metadata.response_code = ResponseCode::BADVERS;
            return (response, false);
        }
        let Some(question) = query.queries.first() else {
            response.metadata.response_code = ResponseCode::FormErr;
            return (response, false);
        };
        let (name, record_type) = (question.name(), question.query_type());
        let transfer = matches!(record_type, RecordType::AXFR | RecordType::IXFR);
        let zone = self.zone_for(name, record_type);
        let (Some(zone), DNSClass::IN, false) = (zone, question.query_class(), transfer) else {
            response.metadata.response_code = ResponseCode::Refused;
            // RFC 8914 section 4.21.
            message::add_extended_error(&mut response, 20, "");
            return (response, false);
        };
        let glue_needed = fill(zone, name, record_type, &mut response);
        (response, glue_needed)
    }

    /// The deepest zone that holds `name`; for DS the one above it, where it lives (RFC 4035 section 3.1.4.1).
    fn zone_for(&self, name: &Name, record_type: RecordType) -> Option<&Zone> {
        let mut candidate = name.clone();
        if record_type == RecordType::DS
            && !name.is_root()
            && self.zone_at_or_above(&name.base_name()).is_some()
        {
            candidate = name.base_name();
        }
        self.zone_at_or_above(&candidate)
    }

    fn zone_at_or_above(&self, name: &Name) -> Option<&Zone> {
        let labels = name.iter().len();
        (0..=labels).rev().find_map(|count| self.zones.get(&name.trim_to(count)))
    }
}

/// The response to `query` before anything is known: its id, question and flags, and EDNS if it had that.
pub(crate) fn begin_response(query: &Message) -> Message {
    let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata = Metadata::response_from_request(&query.metadata);
    // RFC 4035 section 3.1.6: an authority clears CD. A recursive server sets it again.
    response.metadata.checking_disabled = false;
    response.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        response.set_edns(edns);
    }
    response
}

/// Fills in what `zone` says; returns whether the additional section is glue the asker can't do without.
fn fill(zone: &Zone, name: &Name, record_type: RecordType, response: &mut Message) -> bool {
    response.metadata.authoritative = true;
    let mut owner = name.clone();
    let mut seen = vec![owner.clone()];
    loop {
        match zone.lookup(&owner, record_type) {
            Lookup::Found(sets) => {
                for (_, set) in sets {
                    response.answers.extend(set.records(&owner));
                }
                add_addresses(zone, response);
                return false;
            }
            Lookup::Alias(set) => {
                response.answers.extend(set.records(&owner));
                let RData::CNAME(target) = &set.data[0] else { unreachable!("a CNAME set holds CNAME data") };
                owner = target.0.clone();
                // A loop inside the zone: what was found of it is the answer; following it is the asker's affair.
                if seen.contains(&owner) || seen.len() > CHAIN_MAX {
                    return false;
                }
                seen.push(owner.clone());
            }
            Lookup::Delegated { cut, servers } => {
                // RFC 1034 section 6.2.6: a referral is not an authoritative answer; after a CNAME, AA speaks of the
                // first owner (RFC 1035 section 4.1.1) and stays.
                if response.answers.is_empty() {
                    response.metadata.authoritative = false;
                }
                response.authorities.extend(servers.records(&cut));
                return add_glue(zone, &cut, response);
            }
            Lookup::NoData => {
                response.authorities.push(zone.negative_soa());
                return false;
            }
            Lookup::NoName => {
                // RFC 6604: after a CNAME too, the code speaks of the end of the chain.
                response.metadata.response_code = ResponseCode::NXDomain;
                response.authorities.push(zone.negative_soa());
                return false;
            }
            // Only after a CNAME: the rest of the chain is for the asker to follow.
            Lookup::OutOfZone => return false,
        }
    }
}

/// Glue for the servers of `cut`. Those below the cut can't be found without it (RFC 9471).
fn add_glue(zone: &Zone, cut: &Name, response: &mut Message) -> bool {
    let servers = targets(&response.authorities);
    let mut needed = false;
    for server in servers {
        let before = response.additionals.len();
        if zone.origin().zone_of(&server) {
            response.additionals.extend(zone.addresses(&server));
        }
        needed |= cut.zone_of(&server) && response.additionals.len() > before;
    }
    needed
}

/// Addresses of the hosts that the answer names, to save a question (RFC 1035 section 3.3).
fn add_addresses(zone: &Zone, response: &mut Message) {
    for host in targets(&response.answers) {
        if zone.origin().zone_of(&host) {
            response.additionals.extend(zone.addresses(&host));
        }
    }
}

fn targets(records: &[Record]) -> Vec<Name> {
    let mut targets = Vec::new();
    for record in records {
        let target = match &record.data {
            RData::NS(ns) => &ns.0,
            RData::MX(mx) => &mx.exchange,
            RData::SRV(srv) => &srv.target,
            _ => continue,
        };
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    targets
}

#[cfg(test)]
mod tests;
