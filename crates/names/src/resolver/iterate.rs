//! From a question down the tree to its answer.

mod ask;
mod begin;
mod keep;
mod local;
mod minimise;
mod targets;

pub use minimise::Minimise;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::delegation::Start;
use super::jobs::{Cx, Failure, Kind};
use super::message::{DNAME, Msg, Set, rcode};
use super::{Upstream, watch};
use crate::rrset::Security;
use crate::text::name_text;
use crate::wire::Question;
use ask::{Found, ask_zone};
use begin::{above, choose, parents_word, without};

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
            // A DNAME may serve twice on one way.
            if !chain.iter().any(|old| old.is(&set.name, set.rtype)) {
                chain.push(set.clone());
            }
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
    let failed = core.cache.failure(core.now, question);
    if let Some(msg) = core.cache.message(core.now, question) {
        // What was found wrong a moment ago is not looked at again because its records are still here.
        let checked = core.job_ref(cx.job).key.kind == Kind::Checked;
        if !(checked && failed.is_some() && msg.security == Security::Unchecked) {
            return Ok(Some(msg));
        }
    }
    if let Some((code, text)) = failed {
        return Err(failure(code, text, false));
    }
    let ours = |up: &Upstream| !up.zone.is_root() && up.zone.zone_of(&question.name);
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
    from: Vec<IpAddr>,
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
        whole.answer.retain(|set| !chain.iter().any(|old| old.is(&set.name, set.rtype)));
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
    from: &mut Vec<IpAddr>,
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
