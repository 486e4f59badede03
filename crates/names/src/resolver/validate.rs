//! Whether an answer may be believed (RFC 4035 section 5): every set's signature, and the denials that its shape needs.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::cache::implied_target;
use super::core::Core;
use super::iterate::{Options, iterate};
use super::jobs::{Cx, Failure};
use super::keys::{KeyState, Operations, keys_for, verify};
use super::message::{DNAME, Msg, Set, rcode};
use crate::dnssec::ede;
use crate::dnssec::nsec::{self, Nodata};
use crate::dnssec::nsec3::{Denial, Proof};
use crate::dnssec::records::Rrsig;
use crate::rrset::Security;
use crate::text::{name_text, type_text};
use crate::wire::Question;

/// What was found out about a message.
struct Verdict {
    security: Security,
    /// Extended error: why it is bogus, or insecure though signed.
    reason: Option<(u16, String)>,
}

impl Verdict {
    fn of(security: Security) -> Verdict {
        Verdict { security, reason: None }
    }

    fn bogus(code: u16, why: impl Into<String>) -> Verdict {
        Verdict { security: Security::Bogus, reason: Some((code, why.into())) }
    }

    /// The worse of both; of two reasons the first.
    fn and(self, other: Verdict) -> Verdict {
        let rank = |security| match security {
            Security::Bogus => 0,
            Security::Unchecked | Security::Indeterminate => 1,
            Security::Insecure => 2,
            Security::Secure => 3,
        };
        if rank(other.security) < rank(self.security) { other } else { self }
    }
}

/// Resolves and validates.
pub(super) async fn resolve(cx: &Cx, question: &Question, fresh: bool) -> Result<Arc<Msg>, Failure> {
    let validates = !cx.core().anchors.is_empty() && cx.core().config.validate;
    let mut options = Options { fresh, ..Options::default() };
    let restarts = cx.core().config.limits.restarts;
    if validates && let Some(msg) = known_denial(cx, question) {
        return Ok(msg);
    }
    let mut attempt = 0;
    loop {
        let fetched = iterate(cx, question, &options).await?;
        if fetched.msg.local && fetched.msg.security != Security::Unchecked {
            return Ok(fetched.msg);
        }
        if !validates {
            return Ok(fetched.msg);
        }
        if fetched.cached
            && matches!(
                fetched.msg.security,
                Security::Secure | Security::Insecure | Security::Bogus | Security::Indeterminate
            )
        {
            return Ok(fetched.msg);
        }
        let (msg, mut verdict) = judge(cx, &fetched.msg).await;
        if verdict.security == Security::Bogus && cx.core().config.permissive {
            verdict.security = Security::Indeterminate;
        }
        let again = verdict.security == Security::Bogus && attempt < restarts;
        if !again {
            return Ok(settle(cx, msg, verdict));
        }
        // Perhaps one server was tampered with: others come first now.
        attempt += 1;
        options.fresh = true;
        options.distrust_ends = true;
        options.beyond_own = true;
        let mut core = cx.core();
        let now = core.now;
        for address in &fetched.msg.sources {
            core.servers.blame(now, *address);
        }
    }
}

/// Keeps the message with its verdict.
fn settle(cx: &Cx, mut msg: Msg, verdict: Verdict) -> Arc<Msg> {
    let mut core = cx.core();
    let now = core.now;
    msg.security = verdict.security;
    msg.extended_error = verdict.reason.or_else(|| msg.extended_error.take());
    if msg.security == Security::Bogus {
        core.report(&msg);
    }
    if verdict.security == Security::Secure {
        // Nothing unsigned travels with what is signed.
        msg.additional.retain(|set| set.security == Security::Secure);
        msg.authority.retain(|set| set.security == Security::Secure);
        if let Some(soa) = msg.soa() {
            core.cache.keep_negative_soa(now, soa);
            let left = soa.ttl_at(now).min(super::message::soa_minimum(soa).unwrap_or(0));
            for set in msg.is_negative().then_some(&msg.authority).into_iter().flatten() {
                core.cache.shorten_denial(now, set, left);
            }
        }
    }
    let no_cache = core
        .config
        .upstreams
        .iter()
        .filter(|upstream| upstream.zone.zone_of(&msg.question.name))
        .max_by_key(|upstream| upstream.zone.iter().len())
        .is_some_and(|upstream| upstream.no_cache);
    if no_cache { Arc::new(msg) } else { core.cache.keep_message(now, msg) }
}

fn known_denial(cx: &Cx, question: &Question) -> Option<Arc<Msg>> {
    by_denials(&cx.core(), question)
}

/// An answer that verified denials give without asking anybody (RFC 8198).
pub(super) fn by_denials(core: &Core, question: &Question) -> Option<Arc<Msg>> {
    let now = core.now;
    // A denial of DS comes with every referral: not to use it would be to ask twice.
    let ds = question.rtype == RecordType::DS;
    // ANY asks for whatever is there: no denial of one type answers it.
    let any = question.rtype == RecordType::ANY;
    if !(core.config.aggressive || ds)
        || any
        || question.class != 1
        || core.cache.message(now, question).is_some()
    {
        return None;
    }
    let set = core.cache.denial_for(now, &question.name)?;
    let sig = Rrsig::read(set.sigs.first()?)?;
    let soa = core.cache.negative_soa(now, &sig.signer)?;
    if core.anchors.above(&question.name).is_none() || !sig.signer.zone_of(&question.name) {
        return None;
    }
    let mut msg = Msg::empty(question.clone(), rcode::NOERROR, now);
    msg.authority.push(soa);
    msg.authority.push(set.clone());
    match nsec::proves_nodata(&set, &question.name, question.rtype) {
        Some(Nodata::Exact | Nodata::EmptyNonTerminal) => {}
        _ if nsec::proves_no_name(&set, &question.name) => {
            let wildcard = nsec::wildcard_below(&nsec::closest_encloser(&set, &question.name)?)?;
            let other = core.cache.denial_for(now, &wildcard)?;
            if !nsec::proves_no_name(&other, &wildcard) {
                return None;
            }
            if other.name != set.name {
                msg.authority.push(other);
            }
            msg.rcode = rcode::NXDOMAIN;
        }
        _ => return None,
    }
    msg.security = Security::Secure;
    msg.extended_error = Some((ede::SYNTHESIZED, String::new()));
    let ttl = msg.ttl(now);
    let minimum = super::message::soa_minimum(msg.soa()?).unwrap_or(0);
    msg.expires = now + std::time::Duration::from_secs(u64::from(ttl.min(minimum)));
    msg.prefetch_at = msg.expires;
    Some(Arc::new(msg))
}

/// Judges a message; it comes back with its sets verified.
async fn judge(cx: &Cx, msg: &Arc<Msg>) -> (Msg, Verdict) {
    let operations = Operations::new();
    let mut msg = (**msg).clone();
    let mut verdict = Verdict::of(Security::Secure);
    if !matches!(msg.rcode, rcode::NOERROR | rcode::NXDOMAIN | rcode::YXDOMAIN) {
        return (msg, Verdict::of(Security::Indeterminate));
    }
    let mut wildcards: Vec<(Name, Name)> = Vec::new();
    for at in 0..msg.answer.len() {
        let set = msg.answer[at].clone();
        if let Some(security) = implied(&msg.answer[..at], &set) {
            Arc::make_mut(&mut msg.answer[at]).security = security;
            continue;
        }
        if let Some(dname) = contradicted(&msg.answer[..at], &set) {
            let text = format!("the alias {} is not the one that {dname} implies", name_text(&set.name));
            return (msg, Verdict::bogus(ede::BOGUS, text));
        }
        let (set, one, wildcard) = check_set(cx, &operations, &set).await;
        if wildcard.is_some() && set.rtype == DNAME {
            // RFC 6672 section 3.3: what such a DNAME would mean is not defined, so none is believed.
            let text = format!("the DNAME {} comes out of a wildcard", name_text(&set.name));
            return (msg, Verdict::bogus(ede::BOGUS, text));
        }
        if let Some(encloser) = wildcard {
            // An explicit question for the wildcard itself is no expansion.
            wildcards.push((set.name.clone(), encloser));
        }
        msg.answer[at] = set;
        verdict = verdict.and(one);
        if verdict.security == Security::Bogus {
            return (msg, verdict);
        }
    }
    let positive = !msg.answer.is_empty() && !msg.is_negative() && msg.rcode != rcode::NXDOMAIN;
    let end = denied_name(&msg);
    let too_long = msg.rcode == rcode::YXDOMAIN;
    let signed_denial = msg
        .authority
        .iter()
        .any(|set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) && !set.sigs.is_empty());
    let needs_denial = !too_long && (!positive || !wildcards.is_empty());
    let mut authority = Vec::new();
    for set in std::mem::take(&mut msg.authority) {
        let denial = matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3);
        if set.sigs.is_empty() {
            // Unsigned, beside an answer that stands by itself: it is left out if that is secure.
            authority.push(set);
            continue;
        }
        if positive && !needs_denial && verdict.security != Security::Secure && !denial {
            authority.push(set);
            continue;
        }
        let (set, one, wildcard) = check_set(cx, &operations, &set).await;
        if one.security == Security::Bogus {
            return (msg, one);
        }
        if denial && wildcard.is_some() {
            continue;
        }
        authority.push(set);
    }
    msg.authority = authority;
    for (name, encloser) in wildcards {
        let one = wildcard_due(cx, &msg, &name, &encloser);
        verdict = verdict.and(one);
    }
    if !positive && !too_long && verdict.security != Security::Bogus {
        let one = denial(cx, &operations, &mut msg, &end, signed_denial).await;
        verdict = verdict.and(one);
    }
    if too_long && verdict.security == Security::Secure {
        let why = "nobody signs that the name a DNAME implies is too long".to_owned();
        let reason = Some((ede::INDETERMINATE, why));
        verdict = Verdict { security: Security::Indeterminate, reason };
    }
    if verdict.security != Security::Bogus {
        for at in 0..msg.additional.len() {
            let set = msg.additional[at].clone();
            if !set.sigs.is_empty() && verdict.security == Security::Secure {
                let (set, ..) = check_set(cx, &operations, &set).await;
                msg.additional[at] = set;
            }
        }
    }
    (msg, verdict)
}

/// The name that a negative answer is about: the end of its aliases, also where an alias itself was asked for and the
/// server went on to say that nothing is at its end.
fn denied_name(msg: &Msg) -> Name {
    if msg.question.rtype == RecordType::CNAME && msg.rcode == rcode::NXDOMAIN {
        let alias = msg.answer.iter().find(|set| set.is(&msg.question.name, RecordType::CNAME));
        if let Some(target) = alias.and_then(|alias| alias.target()) {
            return target;
        }
    }
    msg.final_name()
}

/// What is known of the alias that a DNAME before it implies: it has no signature of its own (RFC 6672 section 5.3.1).
/// `None` for any other set, also for an unsigned alias below a DNAME that leads elsewhere: anybody could have put
/// that one there.
fn implied(before: &[Set], set: &Set) -> Option<Security> {
    if set.rtype != RecordType::CNAME || !set.sigs.is_empty() {
        return None;
    }
    let target = set.target()?;
    let dname = before.iter().rev().find(|dname| {
        dname.rtype == DNAME
            && nsec::strictly_below(&set.name, &dname.name)
            && implied_target(&set.name, dname).as_ref() == Some(&target)
    })?;
    Some(dname.security)
}

/// The validated DNAME above an unsigned alias: nothing else can be below it (RFC 6672 section 2.4), and no cut either,
/// so that there is no key to look for.
fn contradicted(before: &[Set], set: &Set) -> Option<String> {
    let unsigned = set.rtype == RecordType::CNAME && set.sigs.is_empty();
    let above = before.iter().find(|dname| {
        unsigned
            && dname.rtype == DNAME
            && dname.security == Security::Secure
            && nsec::strictly_below(&set.name, &dname.name)
    })?;
    Some(name_text(&above.name))
}

/// Verifies one set. With the verdict: the closest encloser, if it came out of a wildcard.
async fn check_set(cx: &Cx, operations: &Operations, set: &Set) -> (Set, Verdict, Option<Name>) {
    if set.security == Security::Secure && !set.sigs.is_empty() {
        let wildcard = set.sigs.iter().find_map(|sig| expanded(set, sig));
        return (set.clone(), Verdict::of(Security::Secure), wildcard);
    }
    if set.rtype == RecordType::RRSIG {
        // Signatures over signatures do not exist; whoever asked for RRSIG gets them as they are.
        return (marked(set, Security::Insecure), Verdict::of(Security::Insecure), None);
    }
    let signer = set
        .sigs
        .iter()
        .filter_map(|sig| Rrsig::read(sig))
        .map(|sig| sig.signer)
        .find(|signer| signer.zone_of(&set.name));
    let about = match &signer {
        Some(signer) => signer.clone(),
        None if set.rtype == RecordType::DS && !set.name.is_root() => set.name.base_name(),
        None => set.name.clone(),
    };
    let (zone, state) = keys_for(cx, operations, &about).await;
    let what = || format!("{} {}", name_text(&set.name.to_lowercase()), type_text(set.rtype));
    match state {
        KeyState::Unanchored => {
            (marked(set, Security::Indeterminate), Verdict::of(Security::Indeterminate), None)
        }
        KeyState::Insecure(code) => {
            let reason = code.map(|code| (code, format!("{} is not validated", name_text(&zone))));
            (marked(set, Security::Insecure), Verdict { security: Security::Insecure, reason }, None)
        }
        KeyState::Bogus(code, why) => (marked(set, Security::Bogus), Verdict::bogus(code, why), None),
        KeyState::Secure(keys) => {
            let result = {
                let mut core = cx.core();
                verify(&mut core, operations, set, &zone, &keys)
            };
            match result {
                Ok((set, verified)) => (set, Verdict::of(Security::Secure), verified.wildcard),
                Err(why) => {
                    let verdict = Verdict::bogus(why.code, format!("the records {} {}", what(), why.why));
                    (marked(set, Security::Bogus), verdict, None)
                }
            }
        }
    }
}

fn marked(set: &Set, security: Security) -> Set {
    let mut set = set.clone();
    Arc::make_mut(&mut set).security = security;
    set
}

/// The closest encloser, if this signature was made for a wildcard.
fn expanded(set: &Set, sig: &[u8]) -> Option<Name> {
    let sig = Rrsig::read(sig)?;
    let labels = crate::dnssec::verify::labels_of(&set.name);
    (usize::from(sig.labels) < labels).then(|| set.name.trim_to(usize::from(sig.labels)))
}

fn denials(msg: &Msg) -> Vec<Set> {
    let secure = |set: &&Set| {
        matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) && set.security == Security::Secure
    };
    msg.authority.iter().filter(secure).cloned().collect()
}

/// Whether the message shows that nothing closer than the wildcard exists (RFC 4035 section 5.3.4).
fn wildcard_due(cx: &Cx, msg: &Msg, name: &Name, encloser: &Name) -> Verdict {
    let denials = denials(msg);
    if denials
        .iter()
        .any(|set| set.rtype == RecordType::NSEC && nsec::proves_wildcard_answer(set, name, encloser))
    {
        return Verdict::of(Security::Secure);
    }
    if let Some(denial) = Denial::new(&denials, name) {
        if denial.too_many_iterations(cx.core().config.nsec3_iterations) {
            return too_many();
        }
        match denial.wildcard_answer(name, encloser) {
            Proof::Secure => return Verdict::of(Security::Secure),
            Proof::Insecure => return Verdict::of(Security::Insecure),
            Proof::Bogus | Proof::NoCut => {}
        }
    }
    Verdict::bogus(ede::BOGUS, format!("no denial says that {} itself does not exist", name_text(name)))
}

fn too_many() -> Verdict {
    let reason = Some((ede::NSEC3_ITERATIONS, "too many NSEC3 iterations".to_owned()));
    Verdict { security: Security::Insecure, reason }
}

/// The denials that may call a name insecure: those of zones at or below its closest anchor. A zone above may deny that
/// the name exists; that nothing is signed there is not for it to say, and may have come with an alias on the way.
fn competent(cx: &Cx, denials: &[Set], name: &Name, rtype: RecordType) -> Vec<Set> {
    let about = if rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
    let core = cx.core();
    let Some((anchor, _)) = core.anchors.above(&about) else { return denials.to_vec() };
    let competent = |set: &&Set| {
        let signer = set.sigs.iter().find_map(|sig| Rrsig::read(sig)).map(|sig| sig.signer);
        signer.is_some_and(|signer| anchor.zone_of(&signer))
    };
    denials.iter().filter(competent).cloned().collect()
}

/// Whether the absence at the end of the chain is proven.
async fn denial(
    cx: &Cx,
    operations: &Operations,
    msg: &mut Msg,
    name: &Name,
    signed_denial: bool,
) -> Verdict {
    let all = denials(msg);
    if all.is_empty() && !signed_denial {
        return unsigned_denial(cx, operations, msg, name).await;
    }
    let verdict = proven(cx, msg, name, &all);
    if verdict.security != Security::Insecure {
        return verdict;
    }
    let competent = competent(cx, &all, name, msg.question.rtype);
    match competent.len() {
        0 => unsigned_denial(cx, operations, msg, name).await,
        some if some < all.len() => proven(cx, msg, name, &competent),
        _ => verdict,
    }
}

/// What these denials show of the absence at the end of the chain.
fn proven(cx: &Cx, msg: &mut Msg, name: &Name, denials: &[Set]) -> Verdict {
    let rtype = msg.question.rtype;
    let no_name = msg.rcode == rcode::NXDOMAIN;
    let by_nsec: Vec<&Set> = denials.iter().filter(|set| set.rtype == RecordType::NSEC).collect();
    if no_name && nsec_no_name(&by_nsec, name) {
        return Verdict::of(Security::Secure);
    }
    if nsec_no_data(&by_nsec, name, rtype) {
        // Lenient with a response code that says more than the proof.
        if no_name {
            msg.rcode = rcode::NOERROR;
        }
        return Verdict::of(Security::Secure);
    }
    if let Some(denial) = Denial::new(denials, name) {
        if denial.too_many_iterations(cx.core().config.nsec3_iterations) {
            return too_many();
        }
        let proof = if no_name { denial.no_name(name) } else { denial.no_data(name, rtype) };
        match proof {
            Proof::Secure => return Verdict::of(Security::Secure),
            Proof::Insecure => return Verdict::of(Security::Insecure),
            Proof::Bogus | Proof::NoCut => {}
        }
        // The record of an insecure delegation: what is below it nobody signed.
        if !no_name && rtype != RecordType::DS && denial.matches(name) && denial.no_ds(name) == Proof::Secure
        {
            return Verdict::of(Security::Insecure);
        }
        if no_name && denial.no_data(name, rtype) == Proof::Secure {
            msg.rcode = rcode::NOERROR;
            return Verdict::of(Security::Secure);
        }
    }
    // The parent's record of an insecure delegation above the name (RFC 4035 section 5.2).
    let insecure_cut = |set: &&Set| {
        nsec::read(set).is_some_and(|(owner, nsec)| {
            let below = nsec::strictly_below(name, owner) || (owner == name && rtype != RecordType::DS);
            below && nsec.has(RecordType::NS) && !nsec.has(RecordType::SOA) && !nsec.has(RecordType::DS)
        })
    };
    if by_nsec.iter().any(insecure_cut) {
        return Verdict::of(Security::Insecure);
    }
    let why = format!("the denials do not show that there is no {} {}", name_text(name), type_text(rtype));
    Verdict::bogus(ede::BOGUS, why)
}

/// A negative answer without signed denials: fine where nothing is signed.
async fn unsigned_denial(cx: &Cx, operations: &Operations, msg: &Msg, name: &Name) -> Verdict {
    let about =
        if msg.question.rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
    let (_, state) = keys_for(cx, operations, &about).await;
    match state {
        KeyState::Unanchored => Verdict::of(Security::Indeterminate),
        KeyState::Insecure(_) => Verdict::of(Security::Insecure),
        KeyState::Bogus(code, why) => Verdict::bogus(code, why),
        KeyState::Secure(_) => {
            let what = format!("{} {}", name_text(name), type_text(msg.question.rtype));
            // Without SOA it is no whole negative answer, whatever else is signed.
            let signed = msg.authority.iter().any(|set| !set.sigs.is_empty());
            if signed && msg.soa().is_none() {
                Verdict::bogus(ede::BOGUS, format!("neither SOA nor denial says that there is no {what}"))
            } else if signed {
                Verdict::bogus(
                    ede::NSEC_MISSING,
                    format!("no denial comes with the answer that there is no {what}"),
                )
            } else {
                Verdict::bogus(ede::RRSIGS_MISSING, format!("nothing signed says that there is no {what}"))
            }
        }
    }
}

/// RFC 4035 section 5.4: the name is covered, and so is the wildcard that could have answered for it.
fn nsec_no_name(denials: &[&Set], name: &Name) -> bool {
    let covering: Vec<&&Set> = denials.iter().filter(|set| nsec::proves_no_name(set, name)).collect();
    let enclosers = covering.iter().filter_map(|set| nsec::closest_encloser(set, name));
    enclosers
        .filter_map(|encloser| nsec::wildcard_below(&encloser))
        .any(|wildcard| denials.iter().any(|set| nsec::proves_no_name(set, &wildcard)))
}

fn nsec_no_data(denials: &[&Set], name: &Name, rtype: RecordType) -> bool {
    denials.iter().any(|set| match nsec::proves_nodata(set, name, rtype) {
        Some(Nodata::Exact | Nodata::EmptyNonTerminal) => true,
        Some(Nodata::Wildcard(encloser)) => {
            denials.iter().any(|other| nsec::proves_wildcard_answer(other, name, &encloser))
        }
        None => false,
    })
}
