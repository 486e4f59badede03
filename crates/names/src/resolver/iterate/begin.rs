//! Where to begin: the closest zone whose servers are known, and what else may stand in for it.

use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::super::delegation::{Delegation, Start};
use super::super::jobs::{Cx, Failure, Kind};
use super::Options;
use crate::wire::Question;

/// Where to begin, the root's servers asked for first if nobody knows them.
pub(super) async fn choose(cx: &Cx, question: &Question, leeway: Duration) -> Result<Start, Failure> {
    let start = cx.core().start(&question.name, question.rtype, leeway);
    let Start::Prime(zone) = start else { return Ok(start) };
    let prime = Question::new(zone.clone(), RecordType::NS);
    let primed = cx.fetch(Kind::Prime, prime).await;
    // Not in the match: the lock would be held in its arms.
    let start = cx.core().start(&question.name, question.rtype, leeway);
    match start {
        Start::Prime(_) => match primed {
            // It told nothing that can be used: what is configured must do.
            Ok(_) => Ok(Start::At(cx.core().configured(&zone))),
            Err(failure) => Err(failure),
        },
        start => Ok(start),
    }
}

/// The delegation of a zone to ask it for the parent's side.
pub(super) fn above(cx: &Cx, zone: &Name) -> Result<Delegation, Failure> {
    let core = cx.core();
    Ok(core.cached_delegation(zone).filter(|found| found.zone == *zone).unwrap_or_else(|| core.root()))
}

/// Where to begin for `name` if nothing were configured for `zone`.
pub(super) async fn without(cx: &Cx, name: &Name, zone: &Name) -> Option<Delegation> {
    let found = cx.core().without_upstream(name, zone);
    if found.is_some() || !cx.core().config.prime {
        return found.or_else(|| Some(cx.core().root())).filter(|root| !root.servers.is_empty());
    }
    let _ = cx.fetch(Kind::Prime, Question::new(Name::root(), RecordType::NS)).await;
    let found = cx.core().without_upstream(name, zone);
    found.or_else(|| Some(cx.core().root()))
}

/// The parent's delegation of a zone whose own NS set was of no use.
pub(super) async fn parents_word(
    cx: &Cx,
    delegation: &Delegation,
    question: &Question,
    options: &Options,
) -> Option<Delegation> {
    if delegation.configured || delegation.zone.is_root() || options.from.is_some() || delegation.forward {
        return None;
    }
    let _ = question;
    let remembered = {
        let core = cx.core();
        core.parents.get(core.now, &delegation.zone).cloned()
    };
    let other = match remembered {
        Some(other) => other,
        None => {
            let ask = Question::new(delegation.zone.clone(), RecordType::NS);
            let parent = {
                let core = cx.core();
                core.cached_delegation(&delegation.zone.base_name())
                    .map_or_else(Name::root, |above| above.zone)
            };
            let msg = cx.fetch(Kind::Above(parent), ask).await.ok()?;
            let told = {
                let core = cx.core();
                core.parents.get(core.now, &delegation.zone).cloned()
            };
            if let Some(told) = told {
                return untried(told, delegation);
            }
            let ns = msg
                .authority
                .iter()
                .chain(&msg.answer)
                .find(|set| set.is(&delegation.zone, RecordType::NS))?;
            Delegation::of_referral(ns, &msg)
        }
    };
    untried(other, delegation)
}

/// What of the other delegation was not tried yet.
pub(super) fn untried(mut other: Delegation, delegation: &Delegation) -> Option<Delegation> {
    let known: Vec<_> = delegation.servers.iter().flat_map(|(_, addresses)| addresses).copied().collect();
    // Only what was not tried yet is worth trying.
    for (_, addresses) in &mut other.servers {
        addresses.retain(|address| !known.contains(address));
    }
    let tried: Vec<Name> = delegation.servers.iter().map(|(server, _)| server.clone()).collect();
    other.servers.retain(|(server, addresses)| !addresses.is_empty() || !tried.contains(server));
    other.configured = true;
    (!other.servers.is_empty()).then_some(other)
}
