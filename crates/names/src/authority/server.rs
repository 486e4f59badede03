//! An authority for several zones: octets in, octets out.

use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::changes::{Journal, is_newer};
use super::{Reply, SignedZone};
use crate::message::{HEADER_LEN, Peek, UDP_PAYLOAD, UDP_PAYLOAD_PLAIN, bare_error};
use crate::text::parse_name;
use crate::wire::{CLASS_CH, CLASS_IN, Header, Opt, Packet, Question, RawRecord};

/// Option code of extended errors (RFC 8914).
const EDE: u16 = 15;
/// Option code of the name server's identity (RFC 5001).
const NSID: u16 = 3;

/// Answers for the zones it holds, and for nothing else. Clones share the zones.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    zones: BTreeMap<Name, Arc<SignedZone>>,
    /// What led to the zones as they are.
    journals: BTreeMap<Name, Journal>,
    identity: Option<String>,
}

impl Authority {
    /// A server of these zones; of two with one name the later stays.
    pub fn new(zones: impl IntoIterator<Item = Arc<SignedZone>>) -> Authority {
        let zones = zones.into_iter().map(|zone| (zone.origin().clone(), zone)).collect();
        Authority { zones, journals: BTreeMap::new(), identity: None }
    }

    /// Which of several servers with one address this is: told to who asks by NSID (RFC 5001), or for `hostname.bind`
    /// and `id.server` in class CHAOS (RFC 4892).
    pub fn identified(self, identity: Option<String>) -> Authority {
        Authority { identity, ..self }
    }

    /// Adds a zone, or replaces the one of that name.
    pub fn insert(&mut self, zone: Arc<SignedZone>) {
        self.zones.insert(zone.origin().clone(), zone);
    }

    /// Puts a new version in a zone's place and remembers what has changed, for those who ask for the steps only.
    /// Whether it is newer than what was there: then secondaries want a notice ([`super::notify::Notifier`]).
    pub fn replace(&mut self, zone: Arc<SignedZone>) -> bool {
        let Some(old) = self.zones.get(zone.origin()) else {
            self.insert(zone);
            return true;
        };
        let newer = is_newer(zone.serial(), old.serial());
        let journal = self.journals.entry(zone.origin().clone()).or_default();
        if newer {
            journal.push(old.change_to(&zone));
        } else if zone.serial() != old.serial() {
            journal.clear();
        }
        self.insert(zone);
        newer
    }

    /// Takes over a zone together with the steps that led to it, as a secondary has them.
    pub fn adopt(&mut self, zone: Arc<SignedZone>, journal: &Journal) {
        self.journals.insert(zone.origin().clone(), journal.clone());
        self.insert(zone);
    }

    /// Takes a zone away: it has expired.
    pub fn remove(&mut self, origin: &Name) {
        self.zones.remove(origin);
        self.journals.remove(origin);
    }

    /// The zone of exactly this name.
    pub fn zone(&self, origin: &Name) -> Option<&Arc<SignedZone>> {
        self.zones.get(origin)
    }

    /// Whether the zone that this name lies in has records of exactly this name, those of a wildcard left out.
    pub fn has(&self, name: &Name) -> bool {
        let zone = self.zone_at_or_above(name);
        zone.is_some_and(|zone| zone.nodes.get(&name.to_lowercase()).is_some_and(|node| !node.is_empty()))
    }

    /// The SOA of the zone that this name lies in, as it goes with a negative answer.
    pub fn negative_soa(&self, name: &Name) -> Option<RawRecord> {
        let zone = self.zone_at_or_above(name)?;
        let soa = zone.set(zone.origin(), RecordType::SOA)?;
        soa.records(zone.origin(), crate::rrset::negative_ttl(soa), false).into_iter().next()
    }

    /// The zones, in canonical order.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<SignedZone>> {
        self.zones.values()
    }

    /// The messages of a zone transfer (RFC 5936), for a query over TCP that asks for one; `None`: it does not, or
    /// not for a zone held here.
    pub fn transfer(&self, query: &[u8]) -> Option<Vec<Vec<u8>>> {
        let packet = Packet::read(query).ok()?;
        let zone = self.zones.get(&packet.question()?.name)?;
        match self.journals.get(zone.origin()) {
            Some(journal) => zone.transfer_since(query, journal),
            None => zone.transfer(query),
        }
    }

    /// The answer to `query`, or `None` for what deserves none: fewer octets than a header, and responses (answering
    /// those lets two servers talk for ever).
    pub fn answer(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        self.answer_with_room(query, over_udp, 0)
    }

    /// [`Authority::answer`], so many octets shorter than it may be: room for a signature.
    pub fn answer_with_room(&self, query: &[u8], over_udp: bool, room: usize) -> Option<Vec<u8>> {
        let peek = Peek::at(query).filter(|peek| !peek.is_response && query.len() >= HEADER_LEN)?;
        if peek.opcode != 0 {
            return Some(bare_error(peek, hickory_proto::op::ResponseCode::NotImp));
        }
        let packet = match Packet::read(query) {
            Ok(packet) if packet.questions.len() == 1 => packet,
            _ => return Some(bare_error(peek, hickory_proto::op::ResponseCode::FormErr)),
        };
        Some(envelope(&packet, limit(&packet, over_udp, room), self.reply(&packet), self.identity.as_deref()))
    }

    fn reply(&self, packet: &Packet) -> Reply {
        let question = &packet.questions[0];
        let dnssec_ok = packet.opt.as_ref().is_some_and(|opt| opt.dnssec_ok);
        // RFC 6891 section 6.1.3: a version nobody knows.
        if packet.opt.as_ref().is_some_and(|opt| opt.version > 0) {
            return Reply::failed(16, None);
        }
        if question.class == CLASS_CH {
            return self.chaos(question);
        }
        let transfer = matches!(question.rtype, RecordType::AXFR | RecordType::IXFR);
        match self.zone_for(&question.name, question.rtype) {
            Some(zone) if question.class == CLASS_IN && !transfer => zone.reply(question, dnssec_ok),
            // Over UDP: our SOA, so that who has less comes back over TCP (RFC 1995 section 2).
            Some(zone) if question.rtype == RecordType::IXFR && question.name == *zone.origin() => {
                let soa = zone.set(zone.origin(), RecordType::SOA);
                let answer = soa.map(|soa| soa.records(&soa.name, soa.ttl, false)).unwrap_or_default();
                Reply { authoritative: true, answer, ..Reply::default() }
            }
            // RFC 8914 section 4.21.
            _ => Reply::failed(5, Some(20)),
        }
    }

    /// The deepest zone that holds `name`; for DS the one above it, where it lives (RFC 4035 section 3.1.4.1).
    fn zone_for(&self, name: &Name, rtype: RecordType) -> Option<&SignedZone> {
        if rtype == RecordType::DS && !name.is_root() {
            let above = self.zone_at_or_above(&name.base_name());
            if above.is_some() {
                return above;
            }
        }
        self.zone_at_or_above(name)
    }

    fn zone_at_or_above(&self, name: &Name) -> Option<&SignedZone> {
        let labels = name.iter().len();
        (0..=labels).rev().find_map(|count| self.zones.get(&name.trim_to(count))).map(|zone| &**zone)
    }

    fn chaos(&self, question: &Question) -> Reply {
        let asked = |text: &str| parse_name(text).is_ok_and(|name| name == question.name);
        let identity = self.identity.as_deref().filter(|_| asked("hostname.bind") || asked("id.server"));
        let Some(identity) = identity.filter(|_| question.rtype == RecordType::TXT) else {
            return Reply::failed(5, Some(20));
        };
        let text = &identity.as_bytes()[..identity.len().min(255)];
        let mut data = vec![text.len() as u8];
        data.extend_from_slice(text);
        let record = RawRecord {
            name: question.name.clone(),
            rtype: RecordType::TXT,
            class: CLASS_CH,
            ttl: 0,
            data: data.into(),
        };
        Reply { authoritative: true, answer: vec![record], ..Reply::default() }
    }
}

/// Octets that an answer to this query may have, less `room`.
pub(super) fn limit(query: &Packet, over_udp: bool, room: usize) -> usize {
    let announced = query.opt.as_ref().map_or(UDP_PAYLOAD_PLAIN, |opt| opt.payload);
    let limit = if over_udp { announced.clamp(UDP_PAYLOAD_PLAIN, UDP_PAYLOAD) } else { u16::MAX };
    usize::from(limit).saturating_sub(room)
}

/// A reply in wire form, within this limit: additional records go first, then all with TC.
pub(super) fn envelope(query: &Packet, limit: usize, reply: Reply, identity: Option<&str>) -> Vec<u8> {
    let opt = query.opt.as_ref().map(|asked| {
        let mut opt = Opt { payload: UDP_PAYLOAD, dnssec_ok: asked.dnssec_ok, ..Opt::default() };
        if let Some(code) = reply.extended_error {
            opt.options.push((EDE, code.to_be_bytes().to_vec()));
        }
        if let (Some(identity), Some(_)) = (identity, asked.option(NSID)) {
            opt.options.push((NSID, identity.as_bytes().to_vec()));
        }
        opt
    });
    let mut response = Packet {
        header: Header {
            id: query.header.id,
            response: true,
            authoritative: reply.authoritative,
            recursion_desired: query.header.recursion_desired,
            ..Header::default()
        },
        questions: query.questions.clone(),
        answers: reply.answer,
        authorities: reply.authority,
        additionals: reply.additional,
        opt,
    };
    response.set_rcode(reply.rcode.into());
    if let Some(bytes) = response.write(limit) {
        return bytes;
    }
    if !reply.glue_needed {
        response.additionals.clear();
        if let Some(bytes) = response.write(limit) {
            return bytes;
        }
    }
    response.header.truncated = true;
    response.answers.clear();
    response.authorities.clear();
    response.additionals.clear();
    // What is left has to go out, whatever room a signature wants.
    response.write(limit).or_else(|| response.write(usize::from(u16::MAX))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
