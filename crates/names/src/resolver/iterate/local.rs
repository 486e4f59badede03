//! Zones whose data we hold ourselves, asked as one would ask their servers.

use std::sync::Arc;

use hickory_proto::rr::RecordType;

use super::super::delegation::Delegation;
use super::super::jobs::Cx;
use super::super::message::{Msg, rank};
use super::{Next, classify};
use crate::message::{QueryOptions, encode_query};
use crate::responder::Responder;
use crate::wire::{Packet, Question};
use crate::zone::Zone;

pub(super) enum Answered {
    Here(Arc<Msg>),
    Below(Delegation),
}

pub(super) fn answer(cx: &Cx, zone: &Arc<Zone>, question: &Question, fallback: bool) -> Answered {
    let _ = fallback;
    let responder = Responder::new([(**zone).clone()]);
    let options = QueryOptions {
        id: 0,
        recursion_desired: false,
        checking_disabled: false,
        edns: true,
        dnssec_ok: false,
    };
    let query = encode_query(&question.name, question.rtype, &options);
    let mut core = cx.core();
    let now = core.now;
    let packet =
        responder.answer(&query, false).and_then(|bytes| Packet::read(&bytes).ok()).unwrap_or_default();
    let mut msg = Msg::from_packet(&packet, question, now);
    msg.local = true;
    match classify(&msg, zone.origin(), false) {
        super::Meaning::Referral(ns) => {
            rank(&mut msg, true);
            for set in msg.sets() {
                core.cache.keep(now, set);
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
