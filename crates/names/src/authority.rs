//! An authority for zones as they are: records in wire form, signatures and denials included.
//!
//! Unlike [`crate::zone`], which reads and checks what people write, this holds whatever a signer or a transfer gave,
//! wrong signatures too, and answers as an authority does that signed nothing itself (RFC 4035 section 3, RFC 5155
//! section 7).
//!
//! - [`Authority`]: a server of several zones. Start here to serve.
//! - [`SignedZone`]: one zone.
//! - [`secondary`]: a zone copied from its primaries and kept fresh; [`incoming`]: the transfers; [`notify`]: telling
//!   others of changes; [`keeper`]: all that together; [`changes`]: what lies between two versions.
//! - [`update`]: changes by whom they are allowed (RFC 2136); [`tsig`]: how who asks is known (RFC 8945).
//! - [`denial`]: which NSEC and NSEC3 records go with an answer; [`digest`]: whether a zone is whole (ZONEMD).

pub mod changes;
pub mod denial;
pub mod digest;
pub mod incoming;
pub mod keeper;
pub mod notify;
pub mod secondary;
mod server;
pub mod tsig;
pub mod update;

use std::collections::BTreeMap;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use self::changes::Journal;
use crate::dnssec::nsec3::base32;
use crate::dnssec::records::Rrsig;
use crate::message::{HEADER_LEN, Peek, bare_error};
use crate::rdata;
use crate::rrset::{Rrset, negative_ttl};
use crate::wire::{CLASS_IN, Header, Packet, Question, RawRecord, name_to_wire};
pub use server::Authority;

/// Aliases followed inside one answer.
const CHAIN_MAX: usize = 16;
/// Octets of records in one message of a transfer.
const TRANSFER_CHUNK: usize = 16_000;

type Node = BTreeMap<u16, Rrset>;

/// A zone's records, by name and type.
#[derive(Clone, Debug)]
pub struct SignedZone {
    origin: Name,
    /// Names with records, and those that exist because of names below them.
    nodes: BTreeMap<Name, Node>,
    /// NSEC3 sets by their hash.
    hashed: BTreeMap<Vec<u8>, Rrset>,
    /// Iterations and salt of the NSEC3 chain.
    parameters: Option<(u16, Vec<u8>)>,
    /// When the first of the signatures ends.
    first_end: Option<u32>,
}

/// What is said to one question.
#[derive(Debug, Default)]
struct Reply {
    rcode: u8,
    authoritative: bool,
    answer: Vec<RawRecord>,
    authority: Vec<RawRecord>,
    additional: Vec<RawRecord>,
    /// Without the additional section the asker can't go on.
    glue_needed: bool,
    extended_error: Option<u16>,
}

impl Reply {
    fn failed(rcode: u8, extended_error: Option<u16>) -> Reply {
        Reply { rcode, extended_error, ..Reply::default() }
    }
}

impl SignedZone {
    /// A zone out of its records, in any order. The error says what is missing.
    pub fn new(records: &[RawRecord]) -> Result<SignedZone, String> {
        let soa = records.iter().find(|record| record.rtype == RecordType::SOA).ok_or("there is no SOA")?;
        SignedZone::named(&soa.name, records)
    }

    /// The zone of this name out of its records, in any order. The error says what is missing.
    pub fn named(origin: &Name, records: &[RawRecord]) -> Result<SignedZone, String> {
        let lower = origin.to_lowercase();
        if !records.iter().any(|record| record.rtype == RecordType::SOA && record.name == lower) {
            return Err("there is no SOA".into());
        }
        SignedZone::without_soa(origin, records)
    }

    /// As [`SignedZone::named`], even without a SOA: names that it does not have are denied without one, and nobody can
    /// copy it. The error says what is wrong.
    pub fn without_soa(origin: &Name, records: &[RawRecord]) -> Result<SignedZone, String> {
        let origin = origin.to_lowercase();
        let mut zone = SignedZone {
            origin: origin.clone(),
            nodes: BTreeMap::new(),
            hashed: BTreeMap::new(),
            parameters: None,
            first_end: None,
        };
        let signatures = |record: &&RawRecord| record.rtype == RecordType::RRSIG;
        for record in records.iter().filter(|record| !signatures(record)) {
            let name = record.name.to_lowercase();
            if !origin.zone_of(&name) {
                return Err(format!("{} lies outside", crate::text::name_text(&name)));
            }
            if record.rtype == RecordType::NSEC3PARAM
                && let [1, _, high, low, length, salt @ ..] = &record.data[..]
            {
                let salt = salt.get(..usize::from(*length)).unwrap_or(&[]).to_vec();
                zone.parameters = Some((u16::from_be_bytes([*high, *low]), salt));
            }
            let set = zone.set_mut(&name, record.rtype, record.ttl);
            set.data.push(record.data.clone());
        }
        for record in records.iter().filter(signatures) {
            let Some(covered) = record.data.get(..2) else { continue };
            let covered = RecordType::from(u16::from_be_bytes([covered[0], covered[1]]));
            let name = record.name.to_lowercase();
            if let Some(set) = zone.find_mut(&name, covered) {
                set.sigs.push(record.data.clone());
                zone.first_end = Rrsig::read(&record.data).map_or(zone.first_end, |sig| {
                    // RFC 4034 section 3.1.5: serial arithmetic.
                    let first =
                        zone.first_end.filter(|first| (sig.expiration.wrapping_sub(*first) as i32) > 0);
                    Some(first.unwrap_or(sig.expiration))
                });
            } else if origin.zone_of(&name) {
                // Over nothing that is there: a copy keeps it all the same.
                let set = zone.set_mut(&name, RecordType::RRSIG, record.ttl);
                set.data.push(record.data.clone());
            }
        }
        Ok(zone)
    }

    fn set_mut(&mut self, name: &Name, rtype: RecordType, ttl: u32) -> &mut Rrset {
        let fresh = || Rrset::new(name.clone(), rtype, CLASS_IN, ttl, Instant::START);
        if rtype == RecordType::NSEC3
            && let Some(hash) = name.iter().next().and_then(base32)
        {
            return self.hashed.entry(hash).or_insert_with(fresh);
        }
        let mut above = name.clone();
        while above != self.origin {
            above = above.base_name();
            self.nodes.entry(above.clone()).or_default();
        }
        self.nodes.entry(name.clone()).or_default().entry(rtype.into()).or_insert_with(fresh)
    }

    fn find_mut(&mut self, name: &Name, rtype: RecordType) -> Option<&mut Rrset> {
        if rtype == RecordType::NSEC3 {
            return self.hashed.get_mut(&base32(name.iter().next()?)?);
        }
        self.nodes.get_mut(name)?.get_mut(&rtype.into())
    }

    /// The zone's name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The set of this type at exactly this name, delegations and wildcards not considered.
    pub fn set(&self, name: &Name, rtype: RecordType) -> Option<&Rrset> {
        self.nodes.get(name)?.get(&rtype.into())
    }

    /// As [`SignedZone::set`], NSEC3 sets included.
    pub(crate) fn any_set(&self, name: &Name, rtype: RecordType) -> Option<&Rrset> {
        match rtype {
            RecordType::NSEC3 => self.hashed.get(&base32(name.iter().next()?)?),
            _ => self.set(name, rtype),
        }
    }

    /// When the first of its signatures ends: seconds since 1970, modulo 2^32.
    pub fn first_end(&self) -> Option<u32> {
        self.first_end
    }

    /// The serial of its SOA.
    pub fn serial(&self) -> u32 {
        let soa = self.set(&self.origin, RecordType::SOA);
        let data = soa.and_then(|set| set.data.first());
        data.and_then(|data| data.len().checked_sub(20).and_then(|at| data.get(at..at + 4)))
            .map_or(0, |serial| u32::from_be_bytes(serial.try_into().expect("four octets")))
    }

    /// Every record, SOA first.
    pub fn records(&self) -> Vec<RawRecord> {
        let soa = self.set(&self.origin, RecordType::SOA);
        let rest = self.nodes.values().flat_map(BTreeMap::values).chain(self.hashed.values());
        let rest = rest.filter(|set| !set.is(&self.origin, RecordType::SOA));
        soa.into_iter().chain(rest).flat_map(|set| set.records(&set.name, set.ttl, true)).collect()
    }

    /// The messages of a whole transfer (RFC 5936 section 2.2), an incremental one's too: RFC 1995 section 4 allows it.
    /// `None`: the question is not for a transfer of this zone.
    pub fn transfer(&self, query: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.transfer_since(query, &Journal::default())
    }

    /// As [`SignedZone::transfer`]; in steps, where they are asked for and the journal knows them (RFC 1995 section 4).
    pub fn transfer_since(&self, query: &[u8], journal: &Journal) -> Option<Vec<Vec<u8>>> {
        let packet = Packet::read(query).ok()?;
        let question = packet.question()?;
        let wanted = matches!(question.rtype, RecordType::AXFR | RecordType::IXFR);
        if !wanted || question.name != self.origin || packet.header.response {
            return None;
        }
        let soa = self.set(&self.origin, RecordType::SOA)?;
        let theirs = packet.authorities.iter().find(|record| record.rtype == RecordType::SOA);
        let theirs = theirs.and_then(|soa| changes::soa_serial(&soa.data));
        let theirs = theirs.filter(|_| question.rtype == RecordType::IXFR);
        let steps = theirs.and_then(|serial| journal.since(serial));
        let mut records = match (theirs, steps) {
            // Nothing newer than what they have: the SOA alone says so.
            (Some(theirs), _) if !changes::is_newer(self.serial(), theirs) => Vec::new(),
            (_, Some(steps)) => {
                let mut records = soa.records(&soa.name, soa.ttl, false);
                steps.for_each(|step| records.extend(step.removed.iter().chain(&step.added).cloned()));
                records
            }
            _ => self.records(),
        };
        records.extend(soa.records(&soa.name, soa.ttl, false));
        let mut messages = Vec::new();
        let mut rest = &records[..];
        while !rest.is_empty() {
            let mut octets = 0;
            let size = |record: &RawRecord| record.data.len() + name_to_wire(&record.name).len() + 10;
            let count = rest.iter().take_while(|record| {
                octets += size(record);
                octets <= TRANSFER_CHUNK
            });
            let (now, later) = rest.split_at(count.count().max(1));
            rest = later;
            let message = Packet {
                header: Header {
                    id: packet.header.id,
                    response: true,
                    authoritative: true,
                    ..Header::default()
                },
                questions: if messages.is_empty() { vec![question.clone()] } else { Vec::new() },
                answers: now.to_vec(),
                ..Packet::default()
            };
            messages.push(message.write(usize::from(u16::MAX))?);
        }
        Some(messages)
    }

    /// The answer to a query, or `None` for what deserves none.
    pub fn answer(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let peek = Peek::at(query).filter(|peek| !peek.is_response && query.len() > HEADER_LEN)?;
        let packet = match Packet::read(query) {
            Ok(packet) if packet.questions.len() == 1 && peek.opcode == 0 => packet,
            _ => return Some(bare_error(peek, hickory_proto::op::ResponseCode::FormErr)),
        };
        let question = &packet.questions[0];
        let dnssec_ok = packet.opt.as_ref().is_some_and(|opt| opt.dnssec_ok);
        let reply = if self.origin.zone_of(&question.name) && question.class == CLASS_IN {
            self.reply(question, dnssec_ok)
        } else {
            Reply::failed(5, None)
        };
        Some(server::envelope(&packet, server::limit(&packet, over_udp, 0), reply, None))
    }

    /// What the zone says to a question as a packet; with signatures and denials, if they are wanted.
    pub fn response(&self, question: &Question, dnssec_ok: bool) -> Packet {
        let reply = self.reply(question, dnssec_ok);
        let mut packet = Packet {
            header: Header { response: true, authoritative: reply.authoritative, ..Header::default() },
            questions: vec![question.clone()],
            answers: reply.answer,
            authorities: reply.authority,
            additionals: reply.additional,
            opt: None,
        };
        packet.set_rcode(reply.rcode.into());
        packet
    }

    fn reply(&self, question: &Question, dnssec_ok: bool) -> Reply {
        let mut reply = self.sections(question, dnssec_ok);
        self.add_addresses(&mut reply, dnssec_ok);
        reply
    }

    /// Addresses of the hosts that the answer names, to save a question (RFC 1035 section 3.3).
    fn add_addresses(&self, reply: &mut Reply, dnssec_ok: bool) {
        let naming =
            |record: &&RawRecord| matches!(record.rtype, RecordType::NS | RecordType::MX | RecordType::SRV);
        let hosts: Vec<Name> = reply
            .answer
            .iter()
            .filter(naming)
            .flat_map(|record| rdata::names(record.rtype, &record.data))
            .collect();
        for host in hosts.iter().map(Name::to_lowercase) {
            let below_cut = self.cut_above(&host, RecordType::A).is_some();
            for rtype in [RecordType::A, RecordType::AAAA] {
                if let Some(set) = self.set(&host, rtype).filter(|_| !below_cut) {
                    put(&mut reply.additional, set, &set.name, dnssec_ok);
                }
            }
        }
    }

    fn sections(&self, question: &Question, dnssec_ok: bool) -> Reply {
        let mut reply = Reply { authoritative: true, ..Reply::default() };
        // The first owner as the asker spelled it: some compare letter by letter.
        let mut name = question.name.clone();
        for _ in 0..CHAIN_MAX {
            if let Some(cut) = self.cut_above(&name, question.rtype) {
                self.refer(&mut reply, &cut, dnssec_ok);
                return reply;
            }
            if let Some((dname, target)) = self.renamed(&name) {
                put(&mut reply.answer, dname, &dname.name, dnssec_ok);
                let Some(target) = target else {
                    reply.rcode = 6;
                    return reply;
                };
                reply.answer.push(alias(&name, &target, dname.ttl));
                name = target;
            } else if let Some(node) = self.nodes.get(&name) {
                match self.of_node(&mut reply, node, &name, question, dnssec_ok) {
                    Some(next) => name = next,
                    None => return reply,
                }
            } else {
                match self.of_wildcard(&mut reply, &name, question, dnssec_ok) {
                    Some(next) => name = next,
                    None => return reply,
                }
            }
            if !self.origin.zone_of(&name) {
                return reply;
            }
        }
        reply
    }

    /// The records asked for, or that there are none. `Some`: an alias leads there.
    fn of_node(
        &self,
        reply: &mut Reply,
        node: &Node,
        owner: &Name,
        question: &Question,
        dnssec_ok: bool,
    ) -> Option<Name> {
        if question.rtype == RecordType::ANY && !node.is_empty() {
            node.values().for_each(|set| put(&mut reply.answer, set, owner, dnssec_ok));
            return None;
        }
        if let Some(set) = node.get(&question.rtype.into()) {
            put(&mut reply.answer, set, owner, dnssec_ok);
            return None;
        }
        if let Some(set) = node.get(&RecordType::CNAME.into()) {
            put(&mut reply.answer, set, owner, dnssec_ok);
            return set.target();
        }
        self.negative(reply, dnssec_ok);
        if dnssec_ok {
            denial::no_data(self, owner)
                .into_iter()
                .for_each(|set| put(&mut reply.authority, set, &set.name, true));
        }
        None
    }

    /// RFC 4592 section 3.3: the wildcard below the closest name that exists, or nothing.
    fn of_wildcard(
        &self,
        reply: &mut Reply,
        name: &Name,
        question: &Question,
        dnssec_ok: bool,
    ) -> Option<Name> {
        let encloser = self.encloser(name);
        let wildcard = encloser.prepend_label("*").ok()?;
        let Some(node) = self.nodes.get(&wildcard) else {
            reply.rcode = 3;
            self.negative(reply, dnssec_ok);
            if dnssec_ok {
                let sets = denial::no_name(self, name, &encloser, &wildcard);
                sets.into_iter().for_each(|set| put(&mut reply.authority, set, &set.name, true));
            }
            return None;
        };
        let there = question.rtype == RecordType::ANY
            || [question.rtype, RecordType::CNAME].iter().any(|rtype| node.contains_key(&u16::from(*rtype)));
        if dnssec_ok {
            let sets = if there {
                denial::expanded(self, name, &encloser)
            } else {
                denial::wildcard_no_data(self, name, &encloser, &wildcard)
            };
            sets.into_iter().for_each(|set| put(&mut reply.authority, set, &set.name, true));
        }
        if there {
            return self.of_node(reply, node, name, question, dnssec_ok);
        }
        self.negative(reply, dnssec_ok);
        None
    }

    fn negative(&self, reply: &mut Reply, dnssec_ok: bool) {
        let Some(soa) = self.set(&self.origin, RecordType::SOA) else { return };
        let ttl = negative_ttl(soa);
        reply.authority.extend(soa.records(&self.origin, ttl, dnssec_ok));
    }

    /// The closest name above that exists.
    fn encloser(&self, name: &Name) -> Name {
        let mut above = name.base_name();
        while above != self.origin && !self.nodes.contains_key(&above) {
            above = above.base_name();
        }
        above
    }

    fn cut_above(&self, name: &Name, rtype: RecordType) -> Option<Name> {
        for labels in self.origin.iter().len() + 1..=name.iter().len() {
            let ancestor = name.trim_to(labels);
            if ancestor == *name && rtype == RecordType::DS {
                return None;
            }
            if self.set(&ancestor, RecordType::NS).is_some() {
                return Some(ancestor);
            }
        }
        None
    }

    /// A DNAME strictly above, and where it leads (`None`: too long a name).
    fn renamed(&self, name: &Name) -> Option<(&Rrset, Option<Name>)> {
        let origin = self.origin.iter().len();
        let dname = (origin..name.iter().len())
            .find_map(|labels| self.set(&name.trim_to(labels), RecordType::from(39)))?;
        let target = dname.target()?;
        let kept = name.iter().len() - dname.name.iter().len();
        Some((dname, Name::from_labels(name.iter().take(kept).chain(target.iter())).ok()))
    }

    fn refer(&self, reply: &mut Reply, cut: &Name, dnssec_ok: bool) {
        if reply.answer.is_empty() {
            reply.authoritative = false;
        }
        let Some(servers) = self.set(cut, RecordType::NS) else { return };
        put(&mut reply.authority, servers, cut, false);
        if dnssec_ok {
            match self.set(cut, RecordType::DS) {
                Some(ds) => put(&mut reply.authority, ds, cut, true),
                None => {
                    let sets = denial::no_data(self, cut);
                    sets.into_iter().for_each(|set| put(&mut reply.authority, set, &set.name, true));
                }
            }
        }
        for server in servers.data.iter().filter_map(|data| rdata::target(RecordType::NS, data)) {
            for rtype in [RecordType::A, RecordType::AAAA] {
                if let Some(set) = self.set(&server.to_lowercase(), rtype) {
                    put(&mut reply.additional, set, &set.name, false);
                    reply.glue_needed |= cut.zone_of(&server);
                }
            }
        }
    }
}

/// Adds a set under `owner`, once.
fn put(section: &mut Vec<RawRecord>, set: &Rrset, owner: &Name, signed: bool) {
    if !section.iter().any(|record| record.rtype == set.rtype && record.name == *owner) {
        section.extend(set.records(owner, set.ttl, signed));
    }
}

fn alias(name: &Name, target: &Name, ttl: u32) -> RawRecord {
    RawRecord {
        name: name.clone(),
        rtype: RecordType::CNAME,
        class: CLASS_IN,
        ttl,
        data: name_to_wire(target).into(),
    }
}

#[cfg(test)]
mod tests;
