//! One zone's servers, asked until one of them brings us further.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::super::classify::{Meaning, classify};
use super::super::delegation::{Delegation, Start};
use super::super::exchange::Event;
use super::super::jobs::{Cx, Failure, Kind};
use super::super::message::{Msg, rank, rcode};
use super::super::scrub::scrub;
use super::super::{ExchangeId, Said};
use super::keep::{ds_in_referral, keep, refer};
use super::minimise::{self, Minimiser};
use super::targets::Targets;
use super::{Next, Options, failure};
use crate::text::name_text;
use crate::wire::Question;

pub(super) enum Found {
    Next(Next),
    Deeper(Delegation),
}

/// Asks the servers of one zone until one of them brings us further.
pub(super) async fn ask_zone(
    cx: &Cx,
    question: &Question,
    delegation: &Delegation,
    options: &Options,
    from: &mut Vec<IpAddr>,
) -> Result<Found, Failure> {
    let mut targets = Targets::new(cx, delegation);
    let mut minimiser = Minimiser::new(cx, question, delegation);
    let mut open: Vec<ExchangeId> = Vec::new();
    let mut unsigned: Option<Msg> = None;
    let mut empty: Option<Msg> = None;
    let mut silent = 0;
    let result = loop {
        let asked = match minimiser.next(cx) {
            minimise::Step::Ask(asked) => asked,
            minimise::Step::Known(msg) => {
                if let Some(done) = minimiser.learn(cx, &msg).await {
                    break Ok(Found::Next(Next::Answer(done)));
                }
                continue;
            }
        };
        if targets.ask_next(cx, &asked, &mut open).await?.is_none() {
            // All were tried. An answer without signatures is better than none: validation will say.
            // When all that can be had is "nothing", that is the answer.
            break match unsigned.take().or(empty.take()) {
                Some(msg) => Ok(Found::Next(Next::Answer(keep(cx, delegation, msg)))),
                None => Err(targets.exhausted(cx)),
            };
        }
        match wait(cx, &asked, delegation, &mut targets, &mut open).await {
            None => {
                // Some servers only hear questions that they expect.
                silent += 1;
                if silent >= SILENT_MAX && !minimiser.strict() {
                    minimiser.give_up();
                }
            }
            Some((msg, address, forwarded)) => {
                match classify(&msg, &delegation.zone, forwarded) {
                    Meaning::Referral(ns) if !forwarded && !delegation.forward => {
                        if let Some(ds) =
                            ds_in_referral(cx, question, &ns, &msg).filter(|_| minimiser.is_whole())
                        {
                            refer(cx, &ns, &delegation.zone, msg, options.leeway);
                            break Ok(Found::Next(Next::Answer(keep(cx, delegation, ds))));
                        }
                        break Ok(Found::Deeper(refer(cx, &ns, &delegation.zone, msg, options.leeway)));
                    }
                    Meaning::Referral(_) | Meaning::Answer if !minimiser.is_whole() => {
                        let kept = keep(cx, delegation, msg);
                        if let Some(done) = minimiser.learn(cx, &kept).await {
                            break Ok(Found::Next(Next::Answer(done)));
                        }
                    }
                    Meaning::Alias if !minimiser.is_whole() => minimiser.give_up(),
                    meaning @ (Meaning::Answer | Meaning::Alias | Meaning::Referral(_)) => {
                        if !from.contains(&address) {
                            from.push(address);
                        }
                        if lacks_signatures(cx, &msg, delegation) {
                            targets.out(address);
                            targets.no_errands();
                            unsigned.get_or_insert(msg);
                            continue;
                        }
                        if from_below(&msg, delegation) && !forwarded {
                            break ds_from_above(cx, question, delegation).await;
                        }
                        let mut msg = msg;
                        msg.sources.push(address);
                        let first_only = cx.core().config.scrubbing.first_alias_only;
                        if meaning == Meaning::Alias && (first_only || options.distrust_ends) {
                            // What it says about the alias's end is not looked at.
                            msg.rcode = rcode::NOERROR;
                            msg.authority.retain(|set| set.rtype != RecordType::SOA);
                        }
                        let kept = keep(cx, delegation, msg);
                        break Ok(Found::Next(match meaning {
                            Meaning::Alias => Next::Alias(kept),
                            _ => Next::Answer(kept),
                        }));
                    }
                    Meaning::Lame(_) if !minimiser.is_whole() && !minimiser.strict() => {
                        minimiser.give_up();
                        targets.forgive(address);
                    }
                    Meaning::Useless(_) if !minimiser.is_whole() && !minimiser.strict() => {
                        minimiser.give_up();
                        targets.forgive(address);
                    }
                    Meaning::Useless(rcode::NOERROR) => {
                        targets.out(address);
                        empty.get_or_insert(msg);
                    }
                    Meaning::Lame(_) | Meaning::Useless(_) => targets.out(address),
                    Meaning::Recursive => targets.recursive(address),
                }
            }
        }
    };
    let mut core = cx.core();
    for exchange in open {
        core.close(exchange);
    }
    result
}

/// Tries without use after which servers are told the whole name.
pub(super) const SILENT_MAX: u32 = 3;

/// Waits for something usable on the open exchanges. `None`: the server asked last is of no use.
pub(super) async fn wait(
    cx: &Cx,
    asked: &Question,
    delegation: &Delegation,
    targets: &mut Targets,
    open: &mut Vec<ExchangeId>,
) -> Option<(Msg, IpAddr, bool)> {
    loop {
        let (id, event) = cx.event(open).await;
        let mut core = cx.core();
        let Some(exchange) = core.exchanges.get(&id) else { continue };
        let address = exchange.ask.address;
        let said = match event {
            Event::Silent => {
                core.complain(&id, &Said::Silent, None);
                return None;
            }
            Event::Failed(said) => {
                core.complain(&id, &said, None);
                core.close(id);
                open.retain(|open| *open != id);
                if !(core.config.retry_unreachable && matches!(said, Said::Unreachable(_))) {
                    targets.out(address);
                }
                return None;
            }
            Event::Packet(packet) => (packet, exchange.ask.clone()),
        };
        let (packet, ask) = said;
        if ask.question != *asked {
            // A late answer to another question of ours, such as a shorter name.
            core.close(id);
            open.retain(|open| *open != id);
            continue;
        }
        let msg = Msg::from_packet(&packet, asked, core.now);
        let forwarded = ask.recursion_desired;
        let now = core.now;
        let scrubbed = scrub(&core.config.scrubbing, msg, &delegation.zone, delegation.forward, now);
        let Some(mut msg) = scrubbed else {
            core.complain(&id, &Said::Malformed("contradicts itself".into()), Some(&packet));
            core.close(id);
            open.retain(|open| *open != id);
            targets.out(address);
            return None;
        };
        let meaning = classify(&msg, &delegation.zone, forwarded);
        rank(&mut msg, matches!(meaning, Meaning::Referral(_)) && !forwarded);
        core.tell(&id, &meaning, &msg, &packet);
        core.close(id);
        open.retain(|open| *open != id);
        return Some((msg, address, forwarded));
    }
}

/// Whether an answer that should carry signatures carries none: other servers of the zone may do better.
pub(super) fn lacks_signatures(cx: &Cx, msg: &Msg, delegation: &Delegation) -> bool {
    let core = cx.core();
    if !core.config.dnssec_ok || core.anchors.above(&msg.question.name).is_none() {
        return false;
    }
    let signed = msg.sets().any(|set| !set.sigs.is_empty() || set.rtype == RecordType::RRSIG);
    let about = msg.question.rtype == RecordType::DNSKEY || !msg.answer.is_empty() || msg.soa().is_some();
    let expected = core.keys.is_secure(core.now, &delegation.zone)
        || core.anchors.of(&delegation.zone).is_some()
        || core.cache.set(core.now, &delegation.zone, RecordType::DS).is_some();
    !signed && about && expected
}

/// A negative answer about DS that a server of the child gave: it can't know.
pub(super) fn from_below(msg: &Msg, delegation: &Delegation) -> bool {
    msg.question.rtype == RecordType::DS
        && msg.answer.is_empty()
        && !msg.question.name.is_root()
        && !delegation.configured
        && match msg.soa() {
            Some(soa) => soa.name == msg.question.name,
            None => msg.authority.iter().any(|set| set.is(&msg.question.name, RecordType::NS)),
        }
}

/// Finds the parent of the DS's owner by asking for NS sets above it, label by label.
pub(super) async fn ds_from_above(
    cx: &Cx,
    question: &Question,
    delegation: &Delegation,
) -> Result<Found, Failure> {
    let mut zone = question.name.base_name();
    loop {
        if !delegation.zone.zone_of(&zone) || zone == delegation.zone {
            let text = format!("who is above {} cannot be found", name_text(&question.name));
            return Err(failure(0, text, true));
        }
        let ask = Question::new(zone.clone(), RecordType::NS);
        if let Ok(msg) = cx.fetch(Kind::Plain, ask).await
            && msg.answer.iter().any(|set| set.is(&zone, RecordType::NS))
        {
            let mut core = cx.core();
            if let Start::At(found) = core.start(&question.name, RecordType::DS, Duration::ZERO)
                && found.zone != delegation.zone
            {
                return Ok(Found::Deeper(found));
            }
        }
        if zone.is_root() {
            let text = format!("who is above {} cannot be found", name_text(&question.name));
            return Err(failure(0, text, true));
        }
        zone = zone.base_name();
    }
}
