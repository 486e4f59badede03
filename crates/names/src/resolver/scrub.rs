//! What of a server's answer is looked at (RFC 5452 section 6): the chain from the question, the zone's own
//! records, and addresses somebody asked for. The rest is as if it were not there.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::cache::synthesized;
use super::message::{DNAME, Msg, Set, rcode};
use crate::rdata;
use crate::rrset::Rrset;
use crate::wire::Question;

/// How strict to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbing {
    /// Leave out NS sets and their addresses from positive answers: they can only poison.
    pub promiscuous: bool,
    /// Of the additional section, keep addresses only.
    pub addresses_only: bool,
    /// Name servers kept of one set.
    pub servers_max: usize,
    /// Aliases kept of one answer.
    pub aliases_max: usize,
    /// Believe only the first alias of an answer; what follows it is asked for by itself.
    pub first_alias_only: bool,
    /// Believe addresses of name servers outside of the zone that gives them: only for zones that cannot be reached
    /// otherwise, since anybody can poison us so.
    pub glue_from_anywhere: bool,
    /// Addresses that no public name may have (RFC 1918 and the like): answers with them are cut, except in
    /// `private_domains`. Address and prefix length.
    pub private_addresses: Vec<(IpAddr, u8)>,
    /// Domains that may have private addresses.
    pub private_domains: Vec<Name>,
}

impl Default for Scrubbing {
    fn default() -> Scrubbing {
        Scrubbing {
            promiscuous: true,
            addresses_only: true,
            servers_max: 20,
            aliases_max: 11,
            first_alias_only: false,
            glue_from_anywhere: false,
            private_addresses: Vec::new(),
            private_domains: Vec::new(),
        }
    }
}

/// Addresses kept of one name server.
const GLUE_MAX: usize = 16;

/// Cuts the answer of a server of `zone` down to what it may say. `None`: nothing of it can be used.
pub(super) fn scrub(
    rules: &Scrubbing,
    mut msg: Msg,
    zone: &Name,
    forwarded: bool,
    now: Instant,
) -> Option<Msg> {
    let question = msg.question.clone();
    let mut wanted: Vec<Name> = Vec::new();
    let (answer, mut end) = chain(rules, &msg, &question, zone, now)?;
    if question.rtype == RecordType::CNAME
        && msg.rcode == rcode::NXDOMAIN
        && let Some(target) =
            answer.0.iter().find(|set| set.is(&end, RecordType::CNAME)).and_then(|set| set.target())
    {
        // The alias was asked for, and the server went on to say that nothing is at its end.
        end = target;
    }
    let too_long = answer.1;
    msg.answer = answer.0;
    if too_long {
        msg.rcode = rcode::YXDOMAIN;
    }
    let found = msg
        .answer
        .iter()
        .any(|set| set.name == end && (set.rtype == question.rtype || question.rtype == RecordType::ANY));
    for set in &mut msg.answer {
        *set = public(rules, set);
    }
    msg.answer.retain(|set| !set.data.is_empty() && !overreaches(set, zone));
    for set in &msg.answer {
        mark(set, &mut wanted);
    }
    let belongs_to_answer = msg.authority.iter().any(|set| set.rtype == RecordType::SOA);
    let mut seen_ns: Option<Name> = None;
    let mut authority = Vec::new();
    for set in std::mem::take(&mut msg.authority) {
        let belongs = zone.zone_of(&set.name);
        let keep = match set.rtype {
            RecordType::NS => {
                // One delegation or apex, on the way to the name.
                let first = seen_ns.as_ref().is_none_or(|name| *name == set.name);
                seen_ns.get_or_insert_with(|| set.name.clone());
                // A server that points up or sideways is judged by that; the set itself teaches nothing.
                let way = set.name.zone_of(&end) || set.name.zone_of(&question.name);
                let answers = found && msg.rcode == rcode::NOERROR;
                first
                    && (way || (msg.answer.is_empty() && !belongs_to_answer))
                    && !(rules.promiscuous && answers)
                    // Beside the SOA of a negative answer, an NS set says nothing that was asked for.
                    && (found || !belongs_to_answer)
            }
            RecordType::SOA => belongs && (set.name.zone_of(&end) || set.name.zone_of(&question.name)),
            RecordType::DS => belongs && set.name.zone_of(&end),
            RecordType::NSEC => belongs && !overreaches(&set, zone),
            RecordType::NSEC3 => belongs,
            _ => false,
        };
        if !keep {
            continue;
        }
        let set = shortened(rules, &set);
        if set.rtype == RecordType::NS && belongs {
            mark(&set, &mut wanted);
        }
        authority.push(set);
    }
    msg.authority = authority;
    let additional = std::mem::take(&mut msg.additional);
    msg.additional = additional
        .into_iter()
        .filter(|set| matches!(set.rtype, RecordType::A | RecordType::AAAA) || !rules.addresses_only)
        .filter(|set| {
            let anywhere = rules.glue_from_anywhere && msg.answer.is_empty();
            let may = zone.zone_of(&set.name) || forwarded || anywhere;
            wanted.contains(&set.name) && may
        })
        .map(|mut set| {
            if set.data.len() > GLUE_MAX {
                Arc::make_mut(&mut set).data.truncate(GLUE_MAX);
            }
            set
        })
        .collect();
    for sets in [&mut msg.authority, &mut msg.additional] {
        for set in sets.iter_mut() {
            *set = public(rules, set);
        }
        sets.retain(|set| !set.data.is_empty());
    }
    Some(msg)
}

/// Whether an NSEC set speaks of names outside of its zone: who may deny those is another.
fn overreaches(set: &Set, zone: &Name) -> bool {
    let outside = |data: &[u8]| rdata::names(RecordType::NSEC, data).iter().any(|next| !zone.zone_of(next));
    set.rtype == RecordType::NSEC && set.data.iter().any(|data| outside(data))
}

/// The answer section's chain from the question as far as the zone may tell it, whether a DNAME made a name too
/// long, and the name at the chain's end.
fn chain(
    rules: &Scrubbing,
    msg: &Msg,
    question: &Question,
    zone: &Name,
    now: Instant,
) -> Option<((Vec<Set>, bool), Name)> {
    let mut out: Vec<Set> = Vec::new();
    let mut name = question.name.clone();
    let mut aliases = 0;
    'walk: loop {
        if !zone.zone_of(&name) {
            break;
        }
        let here = |rtype| msg.answer.iter().find(|set: &&Set| set.rtype == rtype && set.name == name);
        let above = msg.answer.iter().find(|set| {
            set.rtype == DNAME && set.name != name && set.name.zone_of(&name) && zone.zone_of(&set.name)
        });
        let exact: Vec<&Set> = msg
            .answer
            .iter()
            .filter(|set| set.name == name)
            .filter(|set| set.rtype == question.rtype || question.rtype == RecordType::ANY)
            .collect();
        let exact = if above.is_some() && question.rtype == RecordType::CNAME { Vec::new() } else { exact };
        if !exact.is_empty()
            && (question.rtype == RecordType::CNAME
                || question.rtype == DNAME
                || question.rtype == RecordType::ANY
                || first_is_data(msg, &name))
        {
            out.extend(exact.into_iter().map(|set| shortened(rules, set)));
            break;
        }
        if let Some(dname) = above {
            if dname.data.len() > 1 {
                // RFC 6672 section 2.4: there is one, or none.
                return None;
            }
            if !out.iter().any(|set| Arc::ptr_eq(set, dname)) {
                out.push(dname.clone());
            }
            let step = Question { name: name.clone(), ..question.clone() };
            let implied = synthesized(now, &step, dname)?;
            let Some(cname) = implied.answer.get(1) else { return Some(((out, true), name)) };
            // The server's own CNAME must be the one implied; ours is taken in any case.
            let mut cname = cname.clone();
            Arc::make_mut(&mut cname).trust = crate::rrset::Trust::None;
            out.push(cname.clone());
            if question.rtype == RecordType::CNAME {
                break;
            }
            aliases += 1;
            name = cname.target()?;
        } else if let Some(cname) = here(RecordType::CNAME) {
            let mut cname = cname.clone();
            if cname.data.len() > 1 {
                Arc::make_mut(&mut cname).data.truncate(1);
            }
            let target = cname.target()?;
            out.push(cname);
            aliases += 1;
            if out.iter().any(|set| set.rtype == RecordType::CNAME && set.name == target) {
                name = target;
                break 'walk;
            }
            name = target;
        } else {
            break;
        }
        if aliases >= rules.aliases_max || rules.first_alias_only {
            break;
        }
    }
    Some(((out, false), name))
}

/// Beside an alias nothing else may stand (RFC 2181 section 10.1): where something does, what comes first counts.
fn first_is_data(msg: &Msg, name: &Name) -> bool {
    msg.answer.iter().find(|set| set.name == *name).is_none_or(|set| set.rtype != RecordType::CNAME)
}

/// The set with no more name servers than are looked at.
fn shortened(rules: &Scrubbing, set: &Set) -> Set {
    let mut set = set.clone();
    if set.rtype == RecordType::NS && set.data.len() > rules.servers_max {
        Arc::make_mut(&mut set).data.truncate(rules.servers_max);
    }
    set
}

/// Names whose addresses may come along (RFC 1035 section 3.3, RFC 2782).
fn mark(set: &Rrset, wanted: &mut Vec<Name>) {
    if matches!(set.rtype, RecordType::NS | RecordType::MX | RecordType::SRV) || u16::from(set.rtype) == 36 {
        wanted.extend(set.data.iter().filter_map(|data| rdata::target(set.rtype, data)));
    }
}

/// The set without private addresses, unless its owner may have them.
fn public(rules: &Scrubbing, set: &Set) -> Set {
    if rules.private_addresses.is_empty()
        || rules.private_domains.iter().any(|domain| domain.zone_of(&set.name))
    {
        return set.clone();
    }
    let private = |address: IpAddr| {
        rules
            .private_addresses
            .iter()
            .any(|(prefix, length)| crate::resolver::in_prefix(address, *prefix, *length))
    };
    let bad = |data: &[u8]| match set.rtype {
        RecordType::A => <[u8; 4]>::try_from(data).is_ok_and(|octets| private(octets.into())),
        RecordType::AAAA => <[u8; 16]>::try_from(data).is_ok_and(|octets| private(octets.into())),
        RecordType::SVCB | RecordType::HTTPS => svcb_hints(data).into_iter().any(private),
        _ => false,
    };
    if !set.data.iter().any(|data| bad(data)) {
        return set.clone();
    }
    let mut set = set.clone();
    Arc::make_mut(&mut set).data.retain(|data| !bad(data));
    set
}

/// The addresses in an SVCB record's hints (RFC 9460 section 7.3).
fn svcb_hints(data: &[u8]) -> Vec<IpAddr> {
    let Ok((_, mut at)) = crate::wire::read_name(data, 2) else { return Vec::new() };
    let mut found = Vec::new();
    while let Some(&[a, b, c, d]) = data.get(at..at + 4) {
        let (key, length) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        let Some(value) = data.get(at + 4..at + 4 + length) else { break };
        match key {
            4 => found.extend(
                value
                    .chunks_exact(4)
                    .map(|chunk| IpAddr::from(<[u8; 4]>::try_from(chunk).expect("four octets"))),
            ),
            6 => found.extend(
                value
                    .chunks_exact(16)
                    .map(|chunk| IpAddr::from(<[u8; 16]>::try_from(chunk).expect("sixteen octets"))),
            ),
            _ => {}
        }
        at += 4 + length;
    }
    found
}
