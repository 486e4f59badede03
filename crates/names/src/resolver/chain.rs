//! The chain of trust behind an answer, read out of what validation left behind: zones, keys, verdicts.

use std::collections::BTreeSet;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};

use super::core::Core;
use super::keys::KeyState;
use super::message::{DNAME, Msg, Set, rcode};
use super::{Answer, Resolver};
use crate::dnssec::chain::{Chain, Leaf, Link, Problem, Signature, State, section, signatures};
use crate::dnssec::ede;
use crate::rrset::Security;
use crate::text::{name_text, type_text};
use crate::wire::{Packet, Question};

/// A stretch of an answer that one zone is to answer for.
struct Stretch {
    name: Name,
    /// Zones with known keys from the anchor down; behind one that is not secure comes none.
    path: Vec<(Name, KeyState)>,
    sets: Vec<Set>,
}

impl Resolver {
    /// The chain of trust behind an answer that this resolver gave just now, having validated it. What is shown is what was
    /// decided: there is no second validator.
    pub fn chain(&self, answer: &Answer) -> Chain {
        let core = self.core();
        let msg = message(&core, answer);
        let mut stretches = stretches(&core, &msg);
        // Beyond what is broken nothing is known.
        if let Some(end) =
            stretches.iter().position(|one| matches!(one.path.last(), Some((_, KeyState::Bogus(..)))))
        {
            stretches.truncate(end + 1);
        }
        let blamed = blamed(&stretches, answer);
        let mut chain = None;
        for at in (0..stretches.len()).rev() {
            let before = at.checked_sub(1).map_or(&[][..], |before| &stretches[before].path[..]);
            let one = &stretches[at];
            let shared = one.path.iter().zip(before).take_while(|((a, _), (b, _))| a == b).count();
            let links = (shared..one.path.len()).map(|depth| link(&core, &one.path, depth)).collect();
            let broken = matches!(one.path.last(), Some((_, KeyState::Bogus(..))));
            let leaf = Leaf {
                name: one.name.clone(),
                rtype: answer.record_type,
                says: says(one, &msg, at + 1 == stretches.len()),
                signed: signed(one, &msg),
                state: state(one, answer, at == blamed),
            };
            chain = Some(Box::new(Chain {
                depth: shared,
                links,
                leaf: (!broken).then_some(leaf),
                next: chain.take(),
                now: core.wall(),
            }));
        }
        *chain.expect("the name asked for is a stretch of its own")
    }
}

/// What was heard: of what was not believed an answer shows nothing, but it is remembered for a while.
fn message(core: &Core, answer: &Answer) -> Msg {
    let question = Question::new(answer.name.clone(), answer.record_type);
    if answer.code == ResponseCode::ServFail {
        let kept = core.cache.message(core.now, &question).map(|msg| (*msg).clone());
        return kept.unwrap_or_else(|| Msg::empty(question, u16::from(answer.code), core.now));
    }
    let mut packet = Packet {
        answers: answer.sections.answer.clone(),
        authorities: answer.sections.authority.clone(),
        ..Packet::default()
    };
    packet.set_rcode(answer.code.into());
    Msg::from_packet(&packet, &question, core.now)
}

/// The answer from alias to alias, cut where another zone begins.
fn stretches(core: &Core, msg: &Msg) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut name = msg.question.name.clone();
    loop {
        let path = path(core, &name, msg.question.rtype);
        let own = msg.answer.iter().filter(|set| {
            let above = set.rtype == DNAME && set.name.zone_of(&name);
            (set.name == name || above) && set.rtype != RecordType::RRSIG
        });
        let own: Vec<Set> = own.cloned().collect();
        let alias = own.iter().find(|set| set.is(&name, RecordType::CNAME)).and_then(|set| set.target());
        let zone = |path: &[(Name, KeyState)]| path.last().map(|(zone, _)| zone.clone());
        match stretches.last_mut().filter(|last| zone(&last.path) == zone(&path)) {
            Some(last) => {
                let new = own.into_iter().filter(|set| !last.sets.contains(set)).collect::<Vec<_>>();
                last.sets.extend(new);
            }
            None => stretches.push(Stretch { name: name.clone(), path, sets: own }),
        }
        let follows = !matches!(msg.question.rtype, RecordType::CNAME | RecordType::ANY);
        match alias.filter(|target| follows && seen.insert(target.to_lowercase())) {
            Some(target) => name = target,
            None => return stretches,
        }
    }
}

/// The zones whose keys were looked at on the way to a name.
fn path(core: &Core, name: &Name, rtype: RecordType) -> Vec<(Name, KeyState)> {
    // A DS is the zone above's to answer for (RFC 4035 section 3.1.4.1).
    let deepest = if rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
    let Some((anchor, _)) = core.anchors.above(&deepest) else { return Vec::new() };
    let mut path = Vec::new();
    for labels in anchor.iter().len()..=deepest.iter().len() {
        let zone = deepest.trim_to(labels);
        let Some(state) = core.keys.of(core.now, &zone) else { continue };
        path.push((zone, state.clone()));
        if !matches!(state, KeyState::Secure(_)) {
            break;
        }
    }
    path
}

/// The zone at this place of a path, with what was decided about it.
fn link(core: &Core, path: &[(Name, KeyState)], depth: usize) -> Link {
    let (zone, state) = &path[depth];
    let keys = core.cache.set(core.now, zone, RecordType::DNSKEY);
    let anchor = if depth == 0 { core.anchors.of(zone) } else { None };
    let (vouching, signed) = match anchor {
        Some(anchor) => (anchor.ds.clone(), Vec::new()),
        None => match core.cache.set(core.now, zone, RecordType::DS) {
            Some(ds) => (ds.data.clone(), signatures(&ds)),
            None => (Vec::new(), unsigned_by(core, zone)),
        },
    };
    let mut link = Link::new(zone.clone(), &vouching, signed, keys.as_deref());
    link.state = match state {
        KeyState::Secure(_) => State::Secure,
        KeyState::Insecure(code) => State::Insecure(code.map(|code| counts_as_unsigned(zone, code))),
        KeyState::Bogus(code, what) => {
            State::Broken(Problem { code: *code, what: what.clone(), rfc: section(*code) })
        }
        KeyState::Unanchored => State::Insecure(None),
    };
    link
}

fn counts_as_unsigned(zone: &Name, code: u16) -> Problem {
    let what = match code {
        ede::NSEC3_ITERATIONS => {
            "its denials take so many NSEC3 iterations that it counts as unsigned".to_owned()
        }
        _ => format!("nothing that is known vouches for {}: it counts as unsigned", name_text(zone)),
    };
    Problem { code, what, rfc: section(code) }
}

/// Who signed that a zone has no DS.
fn unsigned_by(core: &Core, zone: &Name) -> Vec<Signature> {
    let question = Question::new(zone.clone(), RecordType::DS);
    let denials = |sets: &[Set]| -> Vec<Signature> {
        let denial = |set: &&Set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3);
        sets.iter().filter(denial).flat_map(|set| signatures(set)).collect()
    };
    let asked = core.cache.message(core.now, &question).map(|msg| denials(&msg.authority));
    let told = || core.cache.set(core.now, zone, RecordType::NSEC).map(|set| denials(&[set]));
    let hashed = || denials(&core.cache.hashed_denials(core.now, &zone.base_name()));
    asked.filter(|found| !found.is_empty()).or_else(told).unwrap_or_else(hashed)
}

/// Which stretch a verdict on the whole answer is about: the first with a set that did not verify, or the last.
fn blamed(stretches: &[Stretch], answer: &Answer) -> usize {
    let unverified = |one: &Stretch| {
        let dname = one.sets.iter().any(|set| set.rtype == DNAME);
        let implied = |set: &Set| dname && set.rtype == RecordType::CNAME && set.sigs.is_empty();
        let secure = matches!(one.path.last(), Some((_, KeyState::Secure(_))));
        secure && one.sets.iter().any(|set| set.security != Security::Secure && !implied(set))
    };
    let found = stretches.iter().position(unverified).filter(|_| answer.code == ResponseCode::ServFail);
    found.unwrap_or(stretches.len() - 1)
}

fn state(one: &Stretch, answer: &Answer, blamed: bool) -> State {
    let problem = |code: u16, what: String| Problem { code, what, rfc: section(code) };
    match (one.path.last(), answer.security) {
        _ if blamed && answer.code == ResponseCode::ServFail => {
            let (code, text) = answer.extended_error.clone().unwrap_or((ede::BOGUS, "no answer".to_owned()));
            State::Broken(problem(code, text))
        }
        (None, _) | (Some((_, KeyState::Insecure(_) | KeyState::Unanchored)), _) => State::Insecure(None),
        (_, Security::Secure) => State::Secure,
        _ if !blamed => State::Secure,
        (_, Security::Insecure) => match &answer.extended_error {
            Some((ede::NSEC3_ITERATIONS, _)) => {
                State::Insecure(Some(counts_as_unsigned(&one.name, ede::NSEC3_ITERATIONS)))
            }
            Some((code, text)) => State::Insecure(Some(problem(*code, text.clone()))),
            None => {
                let what = "names without signatures may lie in the opt-out span that proves it".to_owned();
                State::Insecure(Some(Problem { code: 0, what, rfc: "RFC 5155 12.2" }))
            }
        },
        _ if answer.code == ResponseCode::YXDomain => {
            let what = "nobody signs that the name a DNAME implies is too long".to_owned();
            State::Insecure(Some(Problem { code: ede::INDETERMINATE, what, rfc: "RFC 6672 2.2" }))
        }
        _ => State::Insecure(None),
    }
}

/// The records, or that there are none, in words.
fn says(one: &Stretch, msg: &Msg, last: bool) -> String {
    let records = |count: usize| if count == 1 { "record" } else { "records" };
    let shown = one
        .sets
        .iter()
        .map(|set| format!("{} {} {}", set.data.len(), type_text(set.rtype), records(set.data.len())));
    let mut words: Vec<String> = shown.collect();
    if last && msg.is_negative() {
        words.push(match msg.rcode {
            rcode::NXDOMAIN => "no such name".to_owned(),
            rcode::NOERROR => "no such record".to_owned(),
            _ => "no answer".to_owned(),
        });
    }
    words.join(", ")
}

/// Who signed that: the records, and the denials that go with them.
fn signed(one: &Stretch, msg: &Msg) -> Vec<Signature> {
    let zone = one.path.last().map(|(zone, _)| zone);
    let denials = msg.authority.iter().filter(|set| {
        matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3)
            && zone.is_none_or(|zone| zone.zone_of(&set.name))
    });
    one.sets.iter().chain(denials).flat_map(|set| signatures(set)).collect()
}
