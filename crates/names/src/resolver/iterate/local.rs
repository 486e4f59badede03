//! Zones whose data we hold ourselves, asked as one would ask their servers.

use std::sync::Arc;

use hickory_proto::rr::RecordType;

use super::super::classify::{Meaning, classify};
use super::super::delegation::Delegation;
use super::super::jobs::Cx;
use super::super::message::{Msg, rank};
use super::Next;
use crate::authority::SignedZone;
use crate::wire::Question;

pub(super) enum Answered {
    Here(Arc<Msg>),
    Below(Delegation),
}

/// What the zone says. Its signatures are looked at as everybody's: who wrote the file need not have signed it.
pub(super) fn answer(cx: &Cx, zone: &SignedZone, question: &Question) -> Answered {
    let packet = zone.response(question, true);
    let mut core = cx.core();
    let now = core.now;
    let mut msg = Msg::from_packet(&packet, question, now);
    match classify(&msg, zone.origin(), false) {
        Meaning::Referral(ns) => {
            rank(&mut msg, true);
            for set in msg.sets() {
                core.cache.keep(now, set);
                core.cache.keep_denial(now, set);
            }
            let mut delegation = Delegation::of_referral(&ns, &msg);
            core.fill(&mut delegation);
            Answered::Below(delegation)
        }
        _ => {
            rank(&mut msg, false);
            let ttl = msg.ttl(now);
            msg.expires = now + std::time::Duration::from_secs(u64::from(ttl));
            msg.prefetch_at = msg.expires;
            Answered::Here(Arc::new(msg))
        }
    }
}

pub(super) fn next(msg: Arc<Msg>, question: &Question) -> Next {
    let alias = msg.final_name() != question.name && msg.is_negative() && msg.soa().is_none();
    if alias && question.rtype != RecordType::CNAME { Next::Alias(msg) } else { Next::Answer(msg) }
}
