//! What answers and referrals leave in the cache.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::super::core::Core;
use super::super::delegation::{self, Delegation};
use super::super::jobs::{Cx, Kind};
use super::super::message::{Msg, Set, rcode};
use crate::wire::Question;

/// Keeps what an answer says.
pub(super) fn keep(cx: &Cx, delegation: &Delegation, mut msg: Msg) -> Arc<Msg> {
    let mut core = cx.core();
    let now = core.now;
    if !delegation.configured {
        bound_delegations(&core, &delegation.zone, &mut msg);
    }
    if delegation.no_cache {
        let mut msg = msg;
        msg.expires = now;
        return Arc::new(msg);
    }
    let job = core.job(cx.job);
    let leeway = if job.key.kind == Kind::Fresh && job.key.question == msg.question {
        core.cache.left(now, &msg.question) + Duration::from_secs(1)
    } else {
        Duration::ZERO
    };
    core.cache.renew_message(now, msg, leeway)
}

/// Lets no delegation below a zone outlive the zone's own: else whoever lost a domain could keep names below it alive
/// for ever ("ghost domains").
pub(super) fn bound_delegations(core: &Core, zone: &Name, msg: &mut Msg) {
    if zone.is_root() {
        return;
    }
    let Some(own) = core.cache.set(core.now, zone, RecordType::NS) else {
        // It has expired while its server was thinking: the server does not prolong it by its own word.
        let expired = msg.authority.iter_mut().filter(|set| set.is(zone, RecordType::NS));
        expired.for_each(|set| Arc::make_mut(set).expires = core.now);
        return;
    };
    for set in msg.answer.iter_mut().chain(&mut msg.authority) {
        if set.rtype == RecordType::NS
            && set.name != *zone
            && zone.zone_of(&set.name)
            && set.expires > own.expires
        {
            Arc::make_mut(set).expires = own.expires;
        }
    }
}

/// The answer to a DS question in a referral to just that zone: some servers refer although they know.
pub(super) fn ds_in_referral(cx: &Cx, question: &Question, ns: &Set, msg: &Msg) -> Option<Msg> {
    if question.rtype != RecordType::DS || ns.name != question.name {
        return None;
    }
    let ds = msg.authority.iter().find(|set| set.is(&question.name, RecordType::DS))?;
    let mut answer = Msg::empty(question.clone(), rcode::NOERROR, cx.core().now);
    answer.answer.push(ds.clone());
    answer.sources.clone_from(&msg.sources);
    Some(answer)
}

/// Keeps a referral; the zone it leads to.
pub(super) fn refer(cx: &Cx, ns: &Set, zone: &Name, mut msg: Msg, leeway: Duration) -> Delegation {
    let mut core = cx.core();
    let now = core.now;
    let mut doubtful = Vec::new();
    if core.config.verify_sibling_glue {
        let cut = &ns.name;
        let (inside, outside) =
            std::mem::take(&mut msg.additional).into_iter().partition(|set| cut.zone_of(&set.name));
        msg.additional = inside;
        let outside: Vec<Set> = outside;
        doubtful.extend(outside.iter().map(|set| (set.name.to_lowercase(), delegation::addresses(set))));
    }
    bound_delegations(&core, zone, &mut msg);
    for set in msg.sets() {
        let set = if set.rtype == RecordType::NS && set.ttl == 0 {
            // A delegation is used at once, so it lives for a second even with a TTL of zero.
            let mut set = set.clone();
            Arc::make_mut(&mut set).set_ttl(now, 1);
            set
        } else {
            set.clone()
        };
        core.cache.renew(now, &set, leeway);
        core.cache.keep_denial(now, &set);
    }
    let mut delegation = Delegation::of_referral(ns, &msg);
    // The zone's own NS set may come to hide this one, and be worse.
    let until = ns.expires.max(now + Duration::from_secs(1));
    core.parents.put(now, until, delegation.zone.clone(), delegation.clone());
    core.fill(&mut delegation);
    delegation.doubtful = doubtful;
    delegation
}
