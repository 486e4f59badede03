//! The chain of trust of one answer, link by link, and where it breaks.
//!
//! A [`Walk`] says what to ask next ([`Walk::wanted`]) and takes the answers as they came, unvalidated
//! ([`Walk::heard`]): the keys of a zone, the DS that the zone above has for it, and at last the records themselves.
//! Each link is checked with what the validator checks with, so the words are its words. [`text`] and [`svg`] draw it.

pub mod svg;
pub mod text;

use std::cell::Cell;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::algorithm::Algorithms;
use super::anchors::Anchors;
use super::ede;
use super::keys::{Trusted, keys_by_anchor, keys_by_ds};
use super::nsec::{self, Nodata};
use super::nsec3::{Denial, Proof};
use super::records::{Dnskey, Ds, Nsec, Rrsig};
use super::verify::{Context, Unverified, verify_set};
use crate::resolver::Sections;
use crate::rrset::{Data, Rrset};
use crate::text::{name_text, type_text};
use crate::wire::RawRecord;

/// Cryptographic operations that one walk may cost.
const OPERATIONS: u32 = 256;
/// Zones in one chain; a name has no more labels.
const LINKS_MAX: usize = 128;

/// What is wrong with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Extended error code (RFC 8914).
    pub code: u16,
    /// In words, a sentence.
    pub what: String,
    /// The RFC section that says how it should be.
    pub rfc: &'static str,
}

/// What a link is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Secure,
    /// From here on nothing is signed, which the zone above proves; why, if it is signed and does not count.
    Insecure(Option<Problem>),
    /// It is broken.
    Broken(Problem),
}

/// A key of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its tag.
    pub tag: u16,
    /// Its algorithm's number.
    pub algorithm: u8,
    /// Whether it is an entry point (KSK).
    pub entry_point: bool,
    /// Whether a DS of the zone above, or the anchor, names it.
    pub vouched: bool,
    /// Whether it has been withdrawn (RFC 5011).
    pub revoked: bool,
}

/// What the zone above, or the anchor, says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouch {
    /// The key's tag.
    pub tag: u16,
    /// The key's algorithm.
    pub algorithm: u8,
    /// The digest's type.
    pub digest_type: u8,
    /// Whether the zone has such a key.
    pub matches: bool,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The type that it signs.
    pub covered: RecordType,
    /// The tag of the key it was made with.
    pub tag: u16,
    /// Seconds since 1970: not before.
    pub inception: u32,
    /// Not after.
    pub expiration: u32,
}

/// One zone on the way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The zone.
    pub zone: Name,
    /// What vouches for its keys: the anchor for the first, then the DS records of the zone above.
    pub vouches: Vec<Vouch>,
    /// Who signed those.
    pub vouches_signed: Vec<Signature>,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Who signed those.
    pub keys_signed: Vec<Signature>,
    /// What it is worth.
    pub state: State,
}

/// The answer at the end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub rtype: RecordType,
    /// The records, or that there are none, in words.
    pub says: String,
    /// Who signed that.
    pub signed: Vec<Signature>,
    /// What it is worth.
    pub state: State,
}

/// A chain of trust, as far as it could be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Zones from the anchor down.
    pub links: Vec<Link>,
    /// The answer; `None` when the chain ended before it.
    pub leaf: Option<Leaf>,
    /// Seconds since 1970 when it was looked at.
    pub now: u32,
}

impl Chain {
    /// The first broken link: the zone (or name) where it broke, and the problem.
    pub fn broken(&self) -> Option<(&Name, &Problem)> {
        let links = self.links.iter().map(|link| (&link.zone, &link.state));
        let all = links.chain(self.leaf.iter().map(|leaf| (&leaf.name, &leaf.state)));
        all.into_iter().find_map(|(at, state)| match state {
            State::Broken(problem) => Some((at, problem)),
            _ => None,
        })
    }

    /// The zone from which on nothing is signed.
    pub fn insecure(&self) -> Option<(&Name, Option<&Problem>)> {
        self.links.iter().find_map(|link| match &link.state {
            State::Insecure(problem) => Some((&link.zone, problem.as_ref())),
            _ => None,
        })
    }

    /// Whether every link holds, down to the answer.
    pub fn secure(&self) -> bool {
        self.leaf.as_ref().is_some_and(|leaf| leaf.state == State::Secure)
    }
}

/// What is looked at next.
#[derive(Clone, Debug)]
enum Stage {
    /// The keys of the last link's zone.
    Keys(Vec<Data>),
    /// Whether a zone begins at the name with so many labels.
    Cut(usize),
    /// The answer itself.
    Leaf,
    Done,
}

/// The walk down.
#[derive(Debug)]
pub struct Walk {
    name: Name,
    rtype: RecordType,
    anchors: Anchors,
    chain: Chain,
    stage: Stage,
    /// Keys that may sign what the last link's zone says; `None`: it is not signed.
    trusted: Option<Vec<Data>>,
    operations: Cell<u32>,
}

impl Walk {
    /// A walk to this question from the deepest anchor above it, at `now` (seconds since 1970).
    pub fn new(name: &Name, rtype: RecordType, anchors: &Anchors, now: u32) -> Walk {
        let zone = anchors.above(name).map(|(zone, _)| zone.clone());
        let mut walk = Walk {
            name: name.clone(),
            rtype,
            anchors: anchors.clone(),
            chain: Chain { links: Vec::new(), leaf: None, now },
            stage: Stage::Leaf,
            trusted: None,
            operations: Cell::new(OPERATIONS),
        };
        if let Some(zone) = zone {
            walk.enter(zone, Vec::new(), Vec::new());
        }
        walk
    }

    /// What to ask; `None` when all is known.
    pub fn wanted(&self) -> Option<(Name, RecordType)> {
        match &self.stage {
            Stage::Keys(_) => Some((self.zone().clone(), RecordType::DNSKEY)),
            Stage::Cut(labels) => Some((self.name.trim_to(*labels), RecordType::DS)),
            Stage::Leaf => Some((self.name.clone(), self.rtype)),
            Stage::Done => None,
        }
    }

    /// Takes in the answer to what was wanted: its response code and sections.
    pub fn heard(&mut self, rcode: u16, sections: &Sections) {
        let (answer, authority) = (sets(&sections.answer), sets(&sections.authority));
        match self.stage.clone() {
            Stage::Keys(ds) => self.keys(&ds, &answer),
            Stage::Cut(labels) => self.cut(labels, rcode, &answer, &authority),
            Stage::Leaf => self.leaf(rcode, &answer, &authority),
            Stage::Done => {}
        }
    }

    /// What was wanted could not be had; why.
    pub fn failed(&mut self, why: &str) {
        let problem = |what: String| Problem { code: 22, what, rfc: "RFC 8914 4.23" };
        match &self.stage {
            Stage::Keys(_) => {
                let what = format!("the keys of {} cannot be had: {why}", name_text(self.zone()));
                self.set_state(State::Broken(problem(what)));
            }
            Stage::Cut(labels) => {
                let child = self.name.trim_to(*labels);
                let what = format!("whether {} has a DS cannot be learned: {why}", name_text(&child));
                self.enter(child, Vec::new(), Vec::new());
                self.set_state(State::Broken(problem(what)));
            }
            Stage::Leaf => {
                let leaf = self.new_leaf(String::from("no answer"), Vec::new());
                self.chain.leaf = Some(Leaf { state: State::Broken(problem(why.to_owned())), ..leaf });
            }
            Stage::Done => {}
        }
        self.stage = Stage::Done;
    }

    /// The chain as far as it was followed.
    pub fn finish(self) -> Chain {
        self.chain
    }

    fn zone(&self) -> &Name {
        &self.chain.links.last().expect("a zone was entered").zone
    }

    fn context(&self) -> Context<'_> {
        Context {
            algorithms: Algorithms::default(),
            now: self.chain.now,
            ignore_times: false,
            operations: &self.operations,
        }
    }

    fn set_state(&mut self, state: State) {
        if let Some(link) = self.chain.links.last_mut() {
            link.state = state;
        }
    }

    fn enter(&mut self, zone: Name, ds: Vec<Data>, vouches_signed: Vec<Signature>) {
        let anchor = self.chain.links.is_empty().then(|| self.anchors.of(&zone).cloned()).flatten();
        let vouching = anchor.map_or_else(|| ds.clone(), |anchor| anchor.ds);
        let vouches = vouching.iter().filter_map(|data| Ds::read(data)).map(|ds| Vouch {
            tag: ds.tag,
            algorithm: ds.algorithm,
            digest_type: ds.digest_type,
            matches: false,
        });
        self.chain.links.push(Link {
            zone,
            vouches: vouches.collect(),
            vouches_signed,
            keys: Vec::new(),
            keys_signed: Vec::new(),
            state: State::Secure,
        });
        self.stage = if self.chain.links.len() > LINKS_MAX { Stage::Done } else { Stage::Keys(ds) };
    }

    fn keys(&mut self, ds: &[Data], answer: &[Arc<Rrset>]) {
        let zone = self.zone().clone();
        let Some(set) = answer.iter().find(|set| set.is(&zone, RecordType::DNSKEY)) else {
            let what =
                format!("{} has no DNSKEY records, though the zone above vouches for some", name_text(&zone));
            return self.broken(Problem { code: ede::DNSKEY_MISSING, what, rfc: "RFC 4035 5.2" });
        };
        let anchor = (self.chain.links.len() == 1).then(|| self.anchors.of(&zone).cloned()).flatten();
        let trusted = match &anchor {
            Some(anchor) => keys_by_anchor(self.context(), &zone, &anchor.ds, &anchor.keys, set),
            None => keys_by_ds(self.context(), &zone, ds, set),
        };
        let vouching = anchor.map_or_else(|| ds.to_vec(), |anchor| anchor.ds);
        let link = self.chain.links.last_mut().expect("a zone was entered");
        describe_keys(link, &zone, &vouching, set);
        match trusted {
            Trusted::Keys(keys, _) => {
                self.trusted = Some(keys);
                self.descend(zone.iter().len() + 1);
            }
            Trusted::Insecure(code) => {
                let what =
                    format!("nothing that is known vouches for {}: it counts as unsigned", name_text(&zone));
                self.set_state(State::Insecure(Some(Problem { code, what, rfc: "RFC 4035 5.2" })));
                self.trusted = None;
                self.stage = Stage::Leaf;
            }
            Trusted::Bogus(why) => {
                let what = format!("the DNSKEY records of {} {}", name_text(&zone), why.why);
                self.broken(Problem { code: why.code, what, rfc: section(why.code) });
            }
        }
    }

    /// Goes on to the next label, or to the answer.
    fn descend(&mut self, labels: usize) {
        let last = self.name.iter().len();
        // A DS is the zone above's to answer: no cut is looked for at the name itself (RFC 4035 section 3.1.4.1).
        let own = labels == last && self.rtype == RecordType::DS;
        self.stage = if labels > last || own { Stage::Leaf } else { Stage::Cut(labels) };
    }

    fn broken(&mut self, problem: Problem) {
        self.set_state(State::Broken(problem));
        self.stage = Stage::Done;
    }

    fn verified(&self, set: &Arc<Rrset>) -> Result<(), Unverified> {
        let keys = self.trusted.as_deref().unwrap_or(&[]);
        verify_set(self.context(), set, self.zone(), keys).map(drop)
    }

    fn cut(&mut self, labels: usize, rcode: u16, answer: &[Arc<Rrset>], authority: &[Arc<Rrset>]) {
        let child = self.name.trim_to(labels);
        if let Some(set) = answer.iter().find(|set| set.is(&child, RecordType::DS)) {
            let checked = self.verified(set);
            self.enter(child.clone(), set.data.clone(), signatures(set));
            if let Err(why) = checked {
                let what = format!("the DS records of {} {}", name_text(&child), why.why);
                self.broken(Problem { code: why.code, what, rfc: section(why.code) });
            }
            return;
        }
        if answer.iter().any(|set| set.is(&child, RecordType::CNAME)) {
            // A name with an alias is no zone's.
            return self.descend(labels + 1);
        }
        let (denials, failed) = self.denials(authority);
        match said_of_cut(&denials, &child) {
            Some(CutSays::Insecure) => {
                let signed = denials.iter().flat_map(|set| signatures(set)).collect();
                self.enter(child, Vec::new(), signed);
                self.set_state(State::Insecure(None));
                self.trusted = None;
                self.stage = Stage::Leaf;
            }
            Some(CutSays::None) => self.descend(labels + 1),
            Some(CutSays::Nothing) => self.stage = Stage::Leaf,
            None => {
                self.enter(child.clone(), Vec::new(), Vec::new());
                let (code, why) = match failed {
                    Some(why) => {
                        (why.code, format!("the denial of a DS of {} {}", name_text(&child), why.why))
                    }
                    None if rcode > 0 && rcode != 3 => {
                        (ede::BOGUS, format!("asked for the DS of {}, its servers fail", name_text(&child)))
                    }
                    None => {
                        (ede::NSEC_MISSING, format!("nothing proves that {} has no DS", name_text(&child)))
                    }
                };
                self.broken(Problem { code, what: why, rfc: section(code) });
            }
        }
    }

    /// Denials that verify, and why another did not.
    fn denials(&self, authority: &[Arc<Rrset>]) -> (Vec<Arc<Rrset>>, Option<Unverified>) {
        let mut failed = None;
        let mut denials = Vec::new();
        for set in authority.iter().filter(|set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3)) {
            match self.verified(set) {
                Ok(()) => denials.push(set.clone()),
                Err(why) => failed = Some(why),
            }
        }
        (denials, failed)
    }

    fn new_leaf(&self, says: String, signed: Vec<Signature>) -> Leaf {
        Leaf { name: self.name.clone(), rtype: self.rtype, says, signed, state: State::Secure }
    }

    fn leaf(&mut self, rcode: u16, answer: &[Arc<Rrset>], authority: &[Arc<Rrset>]) {
        self.stage = Stage::Done;
        let shown: Vec<&Arc<Rrset>> = answer.iter().filter(|set| set.rtype != RecordType::RRSIG).collect();
        let (says, signed) = if shown.is_empty() {
            let says = if rcode == 3 { "no such name" } else { "no such record" };
            let denials =
                authority.iter().filter(|set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3));
            (says.to_owned(), denials.flat_map(|set| signatures(set)).collect())
        } else {
            let types: Vec<String> = shown
                .iter()
                .map(|set| format!("{} {} {}", set.data.len(), type_text(set.rtype), records(set.data.len())))
                .collect();
            (types.join(", "), shown.iter().flat_map(|set| signatures(set)).collect())
        };
        let mut leaf = self.new_leaf(says, signed);
        leaf.state = match &self.trusted {
            None => State::Insecure(None),
            Some(_) if shown.is_empty() => self.absent(rcode, authority),
            Some(_) => self.present(&shown),
        };
        self.chain.leaf = Some(leaf);
    }

    /// Records of this zone; what an alias leads to elsewhere is another chain's.
    fn present(&self, sets: &[&Arc<Rrset>]) -> State {
        let zone = self.zone();
        for set in sets {
            let elsewhere = set.name != self.name
                && !(zone.zone_of(&set.name)
                    && set.sigs.iter().any(|sig| Rrsig::read(sig).is_some_and(|sig| sig.signer == *zone)));
            let synthesized = set.rtype == RecordType::CNAME
                && set.sigs.is_empty()
                && sets
                    .iter()
                    .any(|other| other.rtype == RecordType::from(39) && other.name.zone_of(&set.name));
            if elsewhere || synthesized {
                continue;
            }
            if let Err(why) = self.verified(set) {
                let what =
                    format!("the {} records of {} {}", type_text(set.rtype), name_text(&set.name), why.why);
                return State::Broken(Problem { code: why.code, what, rfc: section(why.code) });
            }
        }
        State::Secure
    }

    /// That there is nothing, proven.
    fn absent(&self, rcode: u16, authority: &[Arc<Rrset>]) -> State {
        let (denials, failed) = self.denials(authority);
        let nsec3 = Denial::new(&denials, &self.name);
        if nsec3.as_ref().is_some_and(|denial| denial.too_many_iterations(150)) {
            let what = "its denials take so many NSEC3 iterations that it counts as unsigned".to_owned();
            return State::Insecure(Some(Problem { code: ede::NSEC3_ITERATIONS, what, rfc: "RFC 9276 3.2" }));
        }
        let proven = if rcode == 3 {
            let by_nsec = denials.iter().any(|set| nsec::proves_no_name(set, &self.name))
                && denials.iter().any(|set| {
                    denials
                        .iter()
                        .filter(|set| nsec::proves_no_name(set, &self.name))
                        .filter_map(|covering| nsec::closest_encloser(covering, &self.name))
                        .filter_map(|encloser| nsec::wildcard_below(&encloser))
                        .any(|wildcard| nsec::proves_no_name(set, &wildcard))
                });
            by_nsec || nsec3.is_some_and(|denial| denial.no_name(&self.name) != Proof::Bogus)
        } else {
            denials.iter().any(|set| nsec::proves_nodata(set, &self.name, self.rtype).is_some())
                || nsec3.is_some_and(|denial| denial.no_data(&self.name, self.rtype) != Proof::Bogus)
        };
        if proven {
            return State::Secure;
        }
        let (code, why) = match failed {
            Some(why) => (why.code, format!("the records that prove it {}", why.why)),
            None if denials.is_empty() => (ede::NSEC_MISSING, "no NSEC or NSEC3 record proves it".to_owned()),
            None => {
                (ede::NSEC_MISSING, "the NSEC or NSEC3 records that came prove something else".to_owned())
            }
        };
        let said = if rcode == 3 { "there is no such name" } else { "there is no such record" };
        State::Broken(Problem {
            code,
            what: format!("the zone says that {said}, and {why}"),
            rfc: section(code),
        })
    }
}

enum CutSays {
    Insecure,
    None,
    Nothing,
}

/// What verified denials say about a zone cut without DS.
fn said_of_cut(denials: &[Arc<Rrset>], child: &Name) -> Option<CutSays> {
    for set in denials.iter().filter(|set| set.rtype == RecordType::NSEC) {
        let Some(nsec) = set.data.first().and_then(|data| Nsec::read(data)) else { continue };
        if set.name == *child && !nsec.has(RecordType::DS) && !nsec.has(RecordType::SOA) {
            return Some(if nsec.has(RecordType::NS) { CutSays::Insecure } else { CutSays::None });
        }
        if nsec::proves_nodata(set, child, RecordType::DS) == Some(Nodata::EmptyNonTerminal) {
            return Some(CutSays::None);
        }
        if nsec::proves_no_name(set, child) {
            return Some(CutSays::Nothing);
        }
    }
    let denial = Denial::new(denials, child)?;
    match denial.no_ds(child) {
        Proof::Secure | Proof::Insecure => Some(CutSays::Insecure),
        Proof::NoCut => Some(CutSays::None),
        Proof::Bogus => (denial.no_name(child) == Proof::Secure).then_some(CutSays::Nothing),
    }
}

fn describe_keys(link: &mut Link, zone: &Name, vouching: &[Data], set: &Rrset) {
    let owner = crate::wire::name_to_wire(&zone.to_lowercase());
    let matches = |ds: &Ds<'_>, data: &Data| {
        Dnskey::read(data).is_some_and(|key| key.tag() == ds.tag && key.algorithm == ds.algorithm)
            && super::algorithm::ds_digest(ds.digest_type, &owner, data).as_deref() == Some(ds.digest)
    };
    for (vouch, ds) in link.vouches.iter_mut().zip(vouching.iter().filter_map(|data| Ds::read(data))) {
        vouch.matches = set.data.iter().any(|data| matches(&ds, data));
    }
    link.keys = set
        .data
        .iter()
        .filter_map(|data| Some((data, Dnskey::read(data)?)))
        .map(|(data, key)| Key {
            tag: key.tag(),
            algorithm: key.algorithm,
            entry_point: key.is_entry_point(),
            vouched: vouching.iter().filter_map(|ds| Ds::read(ds)).any(|ds| matches(&ds, data)),
            revoked: key.is_revoked(),
        })
        .collect();
    link.keys_signed = signatures(set);
}

fn signatures(set: &Rrset) -> Vec<Signature> {
    let of = |sig: &Rrsig<'_>| Signature {
        covered: sig.covered,
        tag: sig.tag,
        inception: sig.inception,
        expiration: sig.expiration,
    };
    set.sigs.iter().filter_map(|sig| Rrsig::read(sig)).map(|sig| of(&sig)).collect()
}

/// Records in wire form as sets with their signatures, in the order in which they came.
pub fn sets(list: &[RawRecord]) -> Vec<Arc<Rrset>> {
    let mut sets: Vec<Rrset> = Vec::new();
    let signature = |record: &RawRecord| record.rtype == RecordType::RRSIG;
    for record in list.iter().filter(|record| !signature(record)) {
        match sets.iter_mut().find(|set| set.is(&record.name, record.rtype)) {
            Some(set) if !set.data.contains(&record.data) => set.data.push(record.data.clone()),
            Some(_) => {}
            None => {
                let mut set =
                    Rrset::new(record.name.clone(), record.rtype, record.class, record.ttl, Instant::START);
                set.data.push(record.data.clone());
                sets.push(set);
            }
        }
    }
    for record in list.iter().filter(|record| signature(record)) {
        let Some(sig) = Rrsig::read(&record.data) else { continue };
        if let Some(set) = sets.iter_mut().find(|set| set.is(&record.name, sig.covered)) {
            set.sigs.push(record.data.clone());
        }
    }
    sets.into_iter().map(Arc::new).collect()
}

fn records(count: usize) -> &'static str {
    if count == 1 { "record" } else { "records" }
}

/// Where it is written how it should be.
fn section(code: u16) -> &'static str {
    match code {
        ede::EXPIRED | ede::NOT_YET_VALID => "RFC 4035 5.3.1",
        ede::DNSKEY_MISSING => "RFC 4035 5.2",
        ede::RRSIGS_MISSING => "RFC 4035 2.2",
        ede::NO_ZONE_KEY => "RFC 4034 2.1.1",
        ede::NSEC_MISSING => "RFC 4035 5.4",
        _ => "RFC 4035 5.3.3",
    }
}

#[cfg(test)]
mod tests;
