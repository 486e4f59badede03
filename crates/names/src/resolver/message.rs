//! Messages inside the resolver: sections of sets, and what is known about the whole.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::report;
use crate::rdata;
use crate::rrset::{Rrset, Security, Trust, seconds_left};
use crate::wire::{Packet, Question, RawRecord};

/// Response codes by their numbers.
pub(crate) mod rcode {
    pub(crate) const NOERROR: u16 = 0;
    pub(crate) const FORMERR: u16 = 1;
    pub(crate) const NXDOMAIN: u16 = 3;
    pub(crate) const NOTIMP: u16 = 4;
    pub(crate) const YXDOMAIN: u16 = 6;
}

/// DNAME (RFC 6672).
pub(crate) const DNAME: RecordType = RecordType::DNAME;

/// A set that can be shared between messages and caches.
pub(crate) type Set = Arc<Rrset>;

/// A response, sorted into sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Msg {
    pub(crate) question: Question,
    pub(crate) rcode: u16,
    pub(crate) authoritative: bool,
    pub(crate) recursion_available: bool,
    pub(crate) answer: Vec<Set>,
    pub(crate) authority: Vec<Set>,
    pub(crate) additional: Vec<Set>,
    pub(crate) security: Security,
    /// The last instant at which it may be used.
    pub(crate) expires: Instant,
    /// From this instant on, whoever uses it should fetch it anew.
    pub(crate) prefetch_at: Instant,
    /// Why it is bogus, or another extended error that belongs to it.
    pub(crate) extended_error: Option<(u16, String)>,
    /// Who said so.
    pub(crate) sources: Vec<IpAddr>,
    /// From a zone of our own: nothing to validate.
    pub(crate) local: bool,
    /// To whom the zone's operator wants errors told (RFC 9567).
    pub(crate) agent: Option<Name>,
}

impl Msg {
    /// An empty response.
    pub(crate) fn empty(question: Question, rcode: u16, now: Instant) -> Msg {
        Msg {
            question,
            rcode,
            authoritative: false,
            recursion_available: false,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            security: Security::Unchecked,
            expires: now,
            prefetch_at: now,
            extended_error: None,
            sources: Vec::new(),
            local: false,
            agent: None,
        }
    }

    /// Sorts a packet's records into sets, the signatures to what they cover, wherever in the packet they stand.
    pub(crate) fn from_packet(packet: &Packet, question: &Question, now: Instant) -> Msg {
        let mut msg = Msg::empty(question.clone(), packet.rcode(), now);
        msg.authoritative = packet.header.authoritative;
        msg.recursion_available = packet.header.recursion_available;
        msg.agent = packet.opt.as_ref().and_then(|opt| report::agent(opt.option(report::CHANNEL)?));
        let mut sets: Vec<(usize, Rrset)> = Vec::new();
        let mut records = packet.answers.iter().chain(&packet.authorities).chain(&packet.additionals);
        if records.any(|record| !sound(record)) {
            msg.extended_error = Some((0, "records with addresses of a wrong length were left out".into()));
        }
        let sections = [&packet.answers, &packet.authorities, &packet.additionals];
        for (section, records) in sections.into_iter().enumerate() {
            let of_class = |record: &&RawRecord| record.class == question.class;
            for record in records
                .iter()
                .filter(of_class)
                .filter(|record| record.rtype != RecordType::RRSIG && sound(record))
            {
                sort_in(&mut sets, section, &respelled(record, &question.name), now);
            }
        }
        for (section, records) in sections.into_iter().enumerate() {
            for record in records.iter().filter(|record| record.rtype == RecordType::RRSIG) {
                sign(&mut sets, section, &respelled(record, &question.name), now);
            }
        }
        for (section, set) in sets {
            let set = Arc::new(set);
            match section {
                0 => msg.answer.push(set),
                1 => msg.authority.push(set),
                _ => msg.additional.push(set),
            }
        }
        msg
    }

    /// All sets, in order of the sections.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &Set> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }

    /// Follows the aliases of the answer section from the question's name: the name at their end.
    pub(crate) fn final_name(&self) -> Name {
        let mut name = self.question.name.clone();
        for set in &self.answer {
            if set.rtype == RecordType::CNAME
                && set.name == name
                && self.question.rtype != RecordType::CNAME
                && let Some(target) = set.target()
            {
                name = target;
            }
        }
        name
    }

    /// The SOA that makes it a negative answer.
    pub(crate) fn soa(&self) -> Option<&Set> {
        self.authority.iter().find(|set| set.rtype == RecordType::SOA)
    }

    /// How long it may be kept: as long as all its sets, a negative answer as its SOA says (RFC 2308 section 5).
    pub(crate) fn ttl(&self, now: Instant) -> u32 {
        // Additional records come and go without harm to the answer.
        let sets = self.answer.iter().chain(&self.authority);
        sets.map(|set| seconds_left(now, set.expires)).min().unwrap_or(0)
    }

    pub(crate) fn is_negative(&self) -> bool {
        if self.rcode == rcode::NXDOMAIN {
            return true;
        }
        // A DNAME on the way is no answer to a question for one.
        let end = if self.question.rtype == DNAME { Some(self.final_name()) } else { None };
        !self.answer.iter().any(|set| {
            (set.rtype == self.question.rtype && end.as_ref().is_none_or(|end| set.name == *end))
                || self.question.rtype == RecordType::ANY
        })
    }
}

/// Whether an address has its length.
fn sound(record: &RawRecord) -> bool {
    match record.rtype {
        RecordType::A => record.data.len() == 4,
        RecordType::AAAA => record.data.len() == 16,
        _ => true,
    }
}

/// The record under the name we know it by: the answer's spelling carries the random letter case of our question.
fn respelled(record: &RawRecord, asked: &Name) -> RawRecord {
    let mut record = record.clone();
    if record.name.zone_of(asked) {
        record.name = asked.trim_to(record.name.iter().len());
    }
    record
}

/// The SOA's minimum field (RFC 2308 section 4).
pub(crate) fn soa_minimum(soa: &Rrset) -> Option<u32> {
    let data = soa.data.first()?;
    let at = data.len().checked_sub(4)?;
    Some(u32::from_be_bytes(data[at..].try_into().ok()?))
}

fn sort_in(sets: &mut Vec<(usize, Rrset)>, section: usize, record: &RawRecord, now: Instant) {
    let found = sets
        .iter_mut()
        .find(|(_, set)| set.rtype == record.rtype && set.class == record.class && set.name == record.name);
    match found {
        Some((_, set)) => {
            if !set.data.iter().any(|data| same(record.rtype, data, &record.data)) {
                set.data.push(record.data.clone());
            }
            if record.ttl < set.ttl {
                set.set_ttl(now, record.ttl);
            }
        }
        None => {
            let mut set = Rrset::new(record.name.clone(), record.rtype, record.class, record.ttl, now);
            set.data.push(record.data.clone());
            sets.push((section, set));
        }
    }
}

fn same(rtype: RecordType, a: &[u8], b: &[u8]) -> bool {
    a == b || (a.len() == b.len() && rdata::canonical(rtype, a) == rdata::canonical(rtype, b))
}

/// Signatures kept of one set.
const SIGNATURES_MAX: usize = 8;

fn sign(sets: &mut Vec<(usize, Rrset)>, section: usize, record: &RawRecord, now: Instant) {
    let covered = match record.data.get(..2) {
        Some(octets) => RecordType::from(u16::from_be_bytes([octets[0], octets[1]])),
        None => return,
    };
    let of = sets
        .iter_mut()
        .find(|(_, set)| set.rtype == covered && set.class == record.class && set.name == record.name);
    match of {
        Some((_, set)) => {
            if set.sigs.len() < SIGNATURES_MAX && !set.sigs.contains(&record.data) {
                set.sigs.push(record.data.clone());
            }
            if record.ttl < set.ttl {
                set.set_ttl(now, record.ttl);
            }
        }
        // Without what it covers it is a record like any other.
        None => sort_in(sets, section, record, now),
    }
}

/// Gives each set its rank by section and AA (RFC 2181 section 5.4.1).
pub(crate) fn rank(msg: &mut Msg, referral: bool) {
    let authoritative = msg.authoritative;
    let mut behind_alias = false;
    let question = msg.question.clone();
    let give = |set: &mut Set, trust: Trust| {
        if set.trust == Trust::None {
            Arc::make_mut(set).trust = trust;
        }
    };
    for set in &mut msg.answer {
        let trust = match (authoritative, behind_alias) {
            (true, false) => Trust::AnswerAuth,
            (true, true) => Trust::AnswerBehindAlias,
            (false, _) => Trust::AnswerNonAuth,
        };
        behind_alias |= set.rtype == RecordType::CNAME && question.rtype != RecordType::CNAME;
        give(set, trust);
    }
    for set in &mut msg.authority {
        give(set, if authoritative && !referral { Trust::AuthorityAuth } else { Trust::AuthorityNonAuth });
    }
    for set in &mut msg.additional {
        let trust = match (referral, authoritative) {
            (true, _) => Trust::AdditionalNonAuth,
            (false, true) => Trust::AdditionalAuth,
            (false, false) => Trust::AdditionalNonAuth,
        };
        give(set, trust);
    }
}
