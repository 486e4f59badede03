//! What a scrubbed answer means for the resolution.

use hickory_proto::rr::{Name, RecordType};

use super::message::{DNAME, Msg, Set, rcode};
use crate::text::name_text;

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It answers: positively or negatively.
    Answer,
    /// An alias whose end is to be asked for.
    Alias,
    /// Ask the servers in this NS set instead.
    Referral(Set),
    /// It does not know this zone; why we think so.
    Lame(String),
    /// A recursive server that is no authority.
    Recursive,
    /// Nothing that can be used: a response code, or an empty message.
    Useless(u16),
}

/// Reads the answer of a server of `zone`. `forwarded`: it was asked to resolve for us.
pub(super) fn classify(msg: &Msg, zone: &Name, forwarded: bool) -> Meaning {
    let question = &msg.question;
    let recursive = msg.recursion_available && !msg.authoritative && !forwarded;
    match msg.rcode {
        rcode::NXDOMAIN => {
            if recursive {
                return Meaning::Recursive;
            }
            let alias = msg.answer.iter().any(|set| set.is(&question.name, RecordType::CNAME));
            // Also for who asks for the alias itself: that its end is not there is for the end's zone to say.
            return if alias { Meaning::Alias } else { Meaning::Answer };
        }
        rcode::NOERROR => {}
        // Only a DNAME makes a name too long (RFC 6672 section 2.2).
        rcode::YXDOMAIN if msg.answer.iter().any(|set| set.rtype == DNAME) => return Meaning::Answer,
        code => return Meaning::Useless(code),
    }
    if let Some(meaning) = by_answer(msg, forwarded) {
        return if recursive && meaning == Meaning::Answer { Meaning::Recursive } else { meaning };
    }
    if msg.authority.iter().any(|set| set.rtype == RecordType::SOA && set.name.zone_of(&question.name)) {
        return if recursive { Meaning::Recursive } else { Meaning::Answer };
    }
    if let Some(set) = msg.authority.iter().find(|set| set.rtype == RecordType::NS) {
        if set.name == *zone {
            if recursive {
                return Meaning::Recursive;
            }
            // A true "no data" has AA or a SOA; without, the server only repeats the delegation to itself.
            if msg.answer.is_empty() && !msg.authoritative && !forwarded {
                return Meaning::Lame("it repeats the delegation to itself".into());
            }
            return Meaning::Answer;
        }
        if set.name.zone_of(zone) {
            return Meaning::Lame(format!("refers to {} instead", name_text(&set.name.to_lowercase())));
        }
        if zone.zone_of(&set.name) && set.name.zone_of(&question.name) {
            return Meaning::Referral(set.clone());
        }
        return Meaning::Lame(format!("refers to {} instead", name_text(&set.name.to_lowercase())));
    }
    if msg.answer.is_empty()
        && msg.authority.is_empty()
        && msg.additional.is_empty()
        && !forwarded
        && !msg.authoritative
    {
        return Meaning::Lame("neither answer nor referral, and no authority".into());
    }
    if msg.answer.is_empty() && msg.authority.is_empty() && msg.additional.is_empty() {
        return Meaning::Useless(rcode::NOERROR);
    }
    if recursive { Meaning::Recursive } else { Meaning::Answer }
}

fn by_answer(msg: &Msg, forwarded: bool) -> Option<Meaning> {
    let question = &msg.question;
    let _ = forwarded;
    if msg.answer.is_empty() {
        return None;
    }
    if question.rtype == RecordType::ANY {
        let alias = msg.answer.len() == 1 && msg.answer[0].rtype == RecordType::CNAME;
        return Some(if alias { Meaning::Alias } else { Meaning::Answer });
    }
    let mut name = &question.name;
    let mut target;
    for set in &msg.answer {
        if set.is(name, question.rtype) {
            return Some(Meaning::Answer);
        }
        if set.is(name, RecordType::CNAME)
            && let Some(next) = set.target()
        {
            target = next;
            name = &target;
        }
    }
    if *name == question.name { None } else { Some(Meaning::Alias) }
}
