//! From a question down the tree to its answer.

mod local;
mod minimise;
mod targets;

pub use minimise::Minimise;

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::classify::{Meaning, classify};
use super::delegation::{Delegation, Start};
use super::exchange::Event;
use super::jobs::{Cx, Failure, Kind};
use super::message::{DNAME, Msg, Set, rank, rcode};
use super::scrub::scrub;
use super::{ExchangeId, Said, watch};
use crate::rrset::Security;
use crate::text::name_text;
use crate::wire::Question;
use minimise::Minimiser;
use targets::Targets;

/// How to go about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// Look nothing up in the cache at first.
    pub(super) fresh: bool,
    /// Of an alias, believe only where it leads: what is said to be missing at its end is asked for by itself. Some servers
    /// leave out the denial of that name (NSD behind a DNAME, with NSEC).
    pub(super) distrust_ends: bool,
    /// Begin here.
    pub(super) from: Option<Name>,
    /// Delegations that live no longer than this are not used: what is fetched before its time shall not come from
    /// servers that are about to be forgotten.
    pub(super) leeway: Duration,
    /// Zones of our own that others may stand in for are passed over: what they say does not validate.
    pub(super) beyond_own: bool,
}

/// An answer.
pub(super) struct Fetched {
    pub(super) msg: Arc<Msg>,
    /// Nothing was asked.
    pub(super) cached: bool,
}

/// What came of asking a zone.
enum Next {
    Answer(Arc<Msg>),
    Alias(Arc<Msg>),
}

pub(super) fn failure(code: u16, text: impl Into<String>, remember: bool) -> Failure {
    Failure { code, text: text.into(), remember }
}

/// Resolves without validating: the answer with all its aliases.
pub(super) async fn iterate(cx: &Cx, question: &Question, options: &Options) -> Result<Fetched, Failure> {
    let mut chain: Vec<Set> = Vec::new();
    let mut denials: Vec<Set> = Vec::new();
    let mut current = question.clone();
    let mut from = Vec::new();
    let mut cached = true;
    let limit = cx.core().config.limits.aliases;
    let mut options = options.clone();
    options.leeway = leeway(cx, question);
    let options = &options;
    loop {
        if !chain.is_empty() {
            watch::name(cx, &current.name).inspect_err(|_| watch::trail(cx, &current.name, &chain))?;
        }
        let known = if options.fresh && chain.is_empty() { None } else { look_up(cx, &current)? };
        let mut followed = false;
        let msg = match known {
            Some(msg) => {
                watch::known(cx, &current.name).inspect_err(|_| watch::trail(cx, &current.name, &chain))?;
                msg
            }
            None if let Some(msg) = by_others(cx, &current, &chain) => msg,
            None => {
                cached = false;
                let found = descend(cx, &current, options, &mut from).await;
                match found.inspect_err(|_| watch::trail(cx, &current.name, &chain))? {
                    Next::Answer(msg) => msg,
                    Next::Alias(msg) => {
                        followed = question.rtype == RecordType::CNAME;
                        msg
                    }
                }
            }
        };
        let own = || msg.answer.iter().find(|set| set.is(&current.name, RecordType::CNAME));
        let end = own().filter(|_| followed).and_then(|set| set.target()).unwrap_or_else(|| msg.final_name());
        let alias = followed
            || end != current.name
                && !msg.answer.iter().any(|set| set.is(&end, question.rtype))
                && !matches!(question.rtype, RecordType::CNAME | RecordType::ANY)
                && (msg.soa().is_none() && msg.rcode == rcode::NOERROR);
        let back = end == current.name
            && !matches!(question.rtype, RecordType::CNAME | RecordType::ANY)
            && msg.answer.iter().any(|set| set.is(&current.name, RecordType::CNAME))
            && !msg.answer.iter().any(|set| set.is(&current.name, question.rtype));
        if back && !msg.answer.iter().any(|set| set.rtype == DNAME) {
            return Err(failure(0, format!("the alias {} leads back to itself", name_text(&end)), true));
        }
        // A DNAME that leads back to itself is an answer by itself: the client sees where it leads.
        if back || !alias {
            return Ok(finished(cx, question, (chain, denials), &msg, from, cached));
        }
        for set in &msg.answer {
            if set.rtype == RecordType::CNAME && chain.iter().any(|old| old.is(&set.name, set.rtype)) {
                let text = format!("the alias {} leads back to itself", name_text(&set.name));
                return Err(failure(0, text, true));
            }
            chain.push(set.clone());
        }
        // An alias out of a wildcard needs its denial, too.
        let proofs =
            msg.authority.iter().filter(|set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3));
        denials.extend(proofs.cloned());
        let aliases = chain.iter().filter(|set| set.rtype == RecordType::CNAME).count();
        if chain.iter().any(|set| set.rtype == RecordType::CNAME && set.name == end) {
            return Err(failure(0, format!("the alias {} leads back to itself", name_text(&end)), true));
        }
        if aliases > limit {
            let text = format!("more than {limit} aliases from {}", name_text(&question.name));
            return Err(failure(0, text, true));
        }
        current.name = end;
    }
}

/// What is known of the end of an alias without asking: the DS set of a referral, or that verified denials cover it.
fn by_others(cx: &Cx, question: &Question, chain: &[Set]) -> Option<Arc<Msg>> {
    let core = cx.core();
    let checked = matches!(core.job_ref(cx.job).key.kind, Kind::Checked | Kind::Fresh);
    if chain.is_empty() || !checked {
        return None;
    }
    core.cache.referred_ds(core.now, question).or_else(|| super::validate::by_denials(&core, question))
}

/// What a refetch takes for expired: all that goes no later than the answer it replaces.
fn leeway(cx: &Cx, question: &Question) -> Duration {
    let core = cx.core();
    let job = core.job_ref(cx.job);
    if job.key.kind == Kind::Fresh && job.key.question == *question {
        core.cache.left(core.now, question) + Duration::from_secs(1)
    } else {
        Duration::ZERO
    }
}

/// What the cache has, or why it is no use asking.
fn look_up(cx: &Cx, question: &Question) -> Result<Option<Arc<Msg>>, Failure> {
    let core = cx.core();
    let no_cache = matches!(
        core.config.upstreams.iter().filter(|up| up.zone.zone_of(&question.name)).max_by_key(|up| up.zone.iter().len()),
        Some(up) if up.no_cache
    );
    if no_cache {
        return Ok(None);
    }
    if let Some(msg) = core.cache.message(core.now, question) {
        return Ok(Some(msg));
    }
    if let Some((code, text)) = core.cache.failure(core.now, question) {
        return Err(failure(code, text, false));
    }
    let ours = |up: &super::Upstream| !up.zone.is_root() && up.zone.zone_of(&question.name);
    if core.config.nothing_below_nxdomain
        && !core.config.upstreams.iter().any(ours)
        && let Some(above) = core.cache.nothing_below(core.now, &question.name)
    {
        let mut msg = (*above).clone();
        msg.question = question.clone();
        return Ok(Some(Arc::new(msg)));
    }
    Ok(None)
}

/// The last message with the aliases before it, under the question that was asked.
fn finished(
    cx: &Cx,
    question: &Question,
    (chain, denials): (Vec<Set>, Vec<Set>),
    msg: &Arc<Msg>,
    from: Vec<std::net::IpAddr>,
    cached: bool,
) -> Fetched {
    if chain.is_empty() && msg.question == *question {
        return Fetched { msg: msg.clone(), cached };
    }
    let mut whole = (**msg).clone();
    whole.question = question.clone();
    if !chain.is_empty() {
        let security = chain.iter().map(|set| set.security).min().unwrap_or_default();
        whole.security = if security == Security::Secure && msg.security == Security::Secure {
            Security::Secure
        } else {
            Security::Unchecked
        };
        for address in &from {
            if !whole.sources.contains(address) {
                whole.sources.push(*address);
            }
        }
        whole.answer.splice(0..0, chain);
        for set in denials {
            if !whole.authority.iter().any(|other| other.is(&set.name, set.rtype)) {
                whole.authority.push(set);
            }
        }
        let mut core = cx.core();
        let now = core.now;
        let kept = core.cache.keep_message(now, whole);
        return Fetched { msg: kept, cached };
    }
    Fetched { msg: Arc::new(whole), cached }
}

/// Follows delegations until somebody answers for the question's name.
async fn descend(
    cx: &Cx,
    question: &Question,
    options: &Options,
    from: &mut Vec<std::net::IpAddr>,
) -> Result<Next, Failure> {
    let mut delegation = match &options.from {
        Some(zone) => above(cx, zone)?,
        None => match choose(cx, question, options.leeway).await? {
            Start::At(delegation) => delegation,
            Start::Local(zone) if options.beyond_own && cx.core().may_pass_over(zone.origin()) => {
                let nobody = || failure(0, "nobody stands in for a zone of our own", false);
                without(cx, &question.name, zone.origin()).await.ok_or_else(nobody)?
            }
            Start::Local(zone) => match local::answer(cx, &zone, question) {
                local::Answered::Here(msg) => return Ok(local::next(msg, question)),
                local::Answered::Below(delegation) => delegation,
            },
            Start::Prime(_) => unreachable!("choose primes"),
        },
    };
    let mut referrals = 0;
    let limit = cx.core().config.limits.referrals;
    loop {
        match ask_zone(cx, question, &delegation, options, from).await {
            Ok(Found::Next(next)) => return Ok(next),
            Ok(Found::Deeper(deeper)) => {
                referrals += 1;
                if referrals > limit {
                    let text = format!("more than {limit} referrals for {}", name_text(&question.name));
                    return Err(failure(0, text, true));
                }
                delegation = deeper;
            }
            Err(error) if watch::has_stopped(cx) => return Err(error),
            Err(error) if delegation.first => {
                // "first": the configured servers failed, so resolve as if they were not there.
                delegation = without(cx, &question.name, &delegation.zone).await.ok_or(error)?;
            }
            Err(_) if !delegation.doubtful.is_empty() => {
                delegation.servers = std::mem::take(&mut delegation.doubtful);
                delegation.configured = true;
            }
            Err(error) => {
                // The child's own NS set may be worse than what its parent says.
                match parents_word(cx, &delegation, question, options).await {
                    Some(other) => delegation = other,
                    None => return Err(error),
                }
            }
        }
    }
}

/// Where to begin for `name` if nothing were configured for `zone`.
async fn without(cx: &Cx, name: &Name, zone: &Name) -> Option<Delegation> {
    let found = cx.core().without_upstream(name, zone);
    if found.is_some() || !cx.core().config.prime {
        return found.or_else(|| Some(cx.core().root())).filter(|root| !root.servers.is_empty());
    }
    let _ = cx.fetch(Kind::Prime, Question::new(Name::root(), RecordType::NS)).await;
    let found = cx.core().without_upstream(name, zone);
    found.or_else(|| Some(cx.core().root()))
}

/// The parent's delegation of a zone whose own NS set was of no use.
async fn parents_word(
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
fn untried(mut other: Delegation, delegation: &Delegation) -> Option<Delegation> {
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

/// The delegation of a zone to ask it for the parent's side.
fn above(cx: &Cx, zone: &Name) -> Result<Delegation, Failure> {
    let core = cx.core();
    Ok(core.cached_delegation(zone).filter(|found| found.zone == *zone).unwrap_or_else(|| core.root()))
}

/// Where to begin, the root's servers asked for first if nobody knows them.
async fn choose(cx: &Cx, question: &Question, leeway: Duration) -> Result<Start, Failure> {
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

enum Found {
    Next(Next),
    Deeper(Delegation),
}

/// Asks the servers of one zone until one of them brings us further.
async fn ask_zone(
    cx: &Cx,
    question: &Question,
    delegation: &Delegation,
    options: &Options,
    from: &mut Vec<std::net::IpAddr>,
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
const SILENT_MAX: u32 = 3;

/// Waits for something usable on the open exchanges. `None`: the server asked last is of no use.
async fn wait(
    cx: &Cx,
    asked: &Question,
    delegation: &Delegation,
    targets: &mut Targets,
    open: &mut Vec<ExchangeId>,
) -> Option<(Msg, std::net::IpAddr, bool)> {
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
                targets.out(address);
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

/// Keeps what an answer says.
fn keep(cx: &Cx, delegation: &Delegation, mut msg: Msg) -> Arc<Msg> {
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
fn bound_delegations(core: &super::core::Core, zone: &Name, msg: &mut Msg) {
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
fn ds_in_referral(cx: &Cx, question: &Question, ns: &Set, msg: &Msg) -> Option<Msg> {
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
fn refer(cx: &Cx, ns: &Set, zone: &Name, mut msg: Msg, leeway: Duration) -> Delegation {
    let mut core = cx.core();
    let now = core.now;
    let mut doubtful = Vec::new();
    if core.config.verify_sibling_glue {
        let cut = &ns.name;
        let (inside, outside) =
            std::mem::take(&mut msg.additional).into_iter().partition(|set| cut.zone_of(&set.name));
        msg.additional = inside;
        let outside: Vec<Set> = outside;
        doubtful
            .extend(outside.iter().map(|set| (set.name.to_lowercase(), super::delegation::addresses(set))));
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
    let until = ns.expires.max(now + std::time::Duration::from_secs(1));
    core.parents.put(now, until, delegation.zone.clone(), delegation.clone());
    core.fill(&mut delegation);
    delegation.doubtful = doubtful;
    delegation
}

/// Whether an answer that should carry signatures carries none: other servers of the zone may do better.
fn lacks_signatures(cx: &Cx, msg: &Msg, delegation: &Delegation) -> bool {
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
fn from_below(msg: &Msg, delegation: &Delegation) -> bool {
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
async fn ds_from_above(cx: &Cx, question: &Question, delegation: &Delegation) -> Result<Found, Failure> {
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

/// For a root's or stub's first question: asks those that are configured.
pub(super) async fn prime(cx: &Cx, question: &Question) -> Result<Fetched, Failure> {
    let delegation = cx.core().configured(&question.name);
    let mut from = Vec::new();
    match ask_zone(cx, question, &delegation, &Options::default(), &mut from).await? {
        Found::Next(Next::Answer(msg) | Next::Alias(msg)) => Ok(Fetched { msg, cached: false }),
        Found::Deeper(_) => Err(failure(0, "the root's servers refer elsewhere", true)),
    }
}

/// Aliases followed for a server's address that the zone above is asked for.
const ALIASES_ABOVE: usize = 4;

/// Asks the servers of one zone and takes a referral for an answer: the parent's word about a child.
pub(super) async fn above_only(cx: &Cx, question: &Question, options: &Options) -> Result<Fetched, Failure> {
    let zone = options.from.clone().unwrap_or_else(Name::root);
    let delegation = above(cx, &zone)?;
    let mut from = Vec::new();
    let mut question = question.clone();
    let mut found = ask_zone(cx, &question, &delegation, options, &mut from).await?;
    for _ in 0..ALIASES_ABOVE {
        let Found::Next(Next::Alias(msg)) = &found else { break };
        question.name = msg.final_name();
        if !zone.zone_of(&question.name) {
            break;
        }
        found = ask_zone(cx, &question, &delegation, options, &mut from).await?;
    }
    match found {
        Found::Next(Next::Answer(msg) | Next::Alias(msg)) => Ok(Fetched { msg, cached: false }),
        Found::Deeper(deeper) => {
            // As a message, so that whoever asked sees names and addresses together.
            let core = cx.core();
            let now = core.now;
            let mut msg = Msg::empty(question.clone(), rcode::NOERROR, now);
            msg.authority.extend(core.cache.set(now, &deeper.zone, RecordType::NS));
            for (server, _) in &deeper.servers {
                for rtype in [RecordType::A, RecordType::AAAA] {
                    msg.additional.extend(core.cache.set(now, server, rtype));
                }
            }
            Ok(Fetched { msg: Arc::new(msg), cached: false })
        }
    }
}
