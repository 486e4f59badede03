//! The walk from a trust anchor down to the keys of a zone (RFC 4035 section 5.1), and what it found.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::cache::Timed;
use super::core::Core;
use super::jobs::{Cx, Failure, Kind};
use super::message::{Msg, Set, rcode};
use crate::dnssec::ede;
use crate::dnssec::keys::{Trusted, anchor_use, has_useful_ds, keys_by_anchor, keys_by_ds};
use crate::dnssec::nsec::{self, Nodata};
use crate::dnssec::nsec3::{Denial, Proof};
use crate::dnssec::records::{Dnskey, Rrsig};
use crate::dnssec::verify::{Context, Verified, verify_set};
use crate::rrset::{Data, Rrset, Security};
use crate::text::name_text;
use crate::wire::Question;

/// Zones remembered.
const ZONES_MAX: usize = 10_000;
/// How long a zone that could not be validated is taken for bogus without looking again, in seconds.
const BOGUS_TTL: u32 = 60;

/// What is known of a zone's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// They may be trusted.
    Secure(Arc<[Data]>),
    /// There are none that count; the extended error that says why, if it is not simply unsigned.
    Insecure(Option<u16>),
    /// They can't be trusted.
    Bogus(u16, String),
    /// No anchor above it.
    Unanchored,
}

#[derive(Debug)]
pub(super) struct KeyCache {
    zones: Timed<Name, KeyState>,
}

impl Default for KeyCache {
    fn default() -> KeyCache {
        KeyCache { zones: Timed::new(ZONES_MAX) }
    }
}

impl KeyCache {
    pub(super) fn put(&mut self, now: Instant, zone: &Name, state: KeyState, ttl: u32) {
        // For the answer at hand they hold in any case.
        self.zones.put(now, now + Duration::from_secs(u64::from(ttl.max(1))), zone.clone(), state);
    }

    /// The deepest zone at or above `name`, not above `floor`.
    fn deepest(&self, now: Instant, name: &Name, floor: &Name) -> Option<(Name, KeyState)> {
        let mut zone = name.clone();
        loop {
            if let Some(state) = self.zones.get(now, &zone) {
                return Some((zone, state.clone()));
            }
            if zone == *floor || zone.is_root() {
                return None;
            }
            zone = zone.base_name();
        }
    }

    /// What is known of exactly this zone.
    pub(super) fn of(&self, now: Instant, zone: &Name) -> Option<&KeyState> {
        self.zones.get(now, zone)
    }

    /// Whether the keys of exactly this zone are known and trusted.
    pub(super) fn is_secure(&self, now: Instant, zone: &Name) -> bool {
        matches!(self.zones.get(now, zone), Some(KeyState::Secure(_)))
    }

    pub(super) fn clear(&mut self) {
        self.zones.clear();
    }
}

/// Cryptographic operations left for one message (RFC 4035 does not say; KeyTrap made it necessary).
pub(super) const OPERATIONS: u32 = 128;

/// Runs `check` with what verification needs.
pub(super) fn with_context<T>(
    core: &Core,
    operations: &Operations,
    check: impl FnOnce(Context<'_>) -> T,
) -> T {
    let left = Cell::new(operations.0.load(std::sync::atomic::Ordering::Relaxed));
    let context = Context {
        algorithms: core.config.algorithms,
        now: core.wall(),
        ignore_times: core.config.ignore_times,
        every_algorithm: core.config.every_algorithm,
        operations: &left,
    };
    let before = left.get();
    let result = check(context);
    core.checks.fetch_add(u64::from(before - left.get()), std::sync::atomic::Ordering::Relaxed);
    operations.0.store(left.get(), std::sync::atomic::Ordering::Relaxed);
    result
}

/// What is left to spend on cryptography for one message.
#[derive(Debug)]
pub(super) struct Operations(std::sync::atomic::AtomicU32);

impl Operations {
    pub(super) fn new() -> Operations {
        Operations(std::sync::atomic::AtomicU32::new(OPERATIONS))
    }
}

/// Verifies a set with a zone's keys; the set as it is to be kept.
pub(super) fn verify(
    core: &mut Core,
    operations: &Operations,
    set: &Set,
    zone: &Name,
    keys: &[Data],
) -> Result<(Set, Verified), crate::dnssec::verify::Unverified> {
    let verified = with_context(core, operations, |context| verify_set(context, set, zone, keys))?;
    let mut set = set.clone();
    let now = core.now;
    let left = set.ttl_at(now).min(verified.ttl_max);
    let own = Arc::make_mut(&mut set);
    own.security = Security::Secure;
    own.trust = own.trust.max(crate::rrset::Trust::Validated);
    if left < own.ttl_at(now) {
        own.set_ttl(now, left);
    }
    core.cache.judge(now, &set);
    if verified.wildcard.is_none() {
        // A denial out of a wildcard says nothing about its owner (RFC 4035 section 5.4).
        core.cache.keep_denial(now, &set);
    }
    Ok((set, verified))
}

/// Verifies a referral out of the cache with keys that are known already. If its NS set is good, what else is not is
/// left out.
pub(super) fn vouch(core: &mut Core, msg: &mut Msg) {
    let operations = Operations::new();
    let now = core.now;
    for set in msg.authority.iter_mut().chain(&mut msg.additional) {
        let signer = set.sigs.first().and_then(|sig| Rrsig::read(sig)).map(|sig| sig.signer);
        let Some(signer) = signer.filter(|signer| signer.zone_of(&set.name)) else { continue };
        let Some(KeyState::Secure(keys)) = core.keys.zones.get(now, &signer).cloned() else { continue };
        if let Ok((checked, Verified { wildcard: None, .. })) = verify(core, &operations, set, &signer, &keys)
        {
            *set = checked;
        }
    }
    let secure = |set: &Set| set.security == Security::Secure;
    if !msg.authority.is_empty() && msg.authority.iter().all(secure) {
        msg.security = Security::Secure;
        msg.additional.retain(secure);
    }
}

/// The keys of the zone that `name` belongs to, as far as it can be known: its apex, and what is known.
///
/// `name` is a signer's name or, for unsigned data, the owner.
pub(super) async fn keys_for(cx: &Cx, operations: &Operations, name: &Name) -> (Name, KeyState) {
    let (anchor, known) = {
        let core = cx.core();
        let Some((anchor, _)) = core.anchors.above(name) else { return (name.clone(), KeyState::Unanchored) };
        (anchor.clone(), core.keys.deepest(core.now, name, anchor))
    };
    let (mut zone, mut state) = match known {
        Some(known) => known,
        None => (anchor.clone(), prime(cx, operations, &anchor).await),
    };
    let mut labels = zone.iter().len() + 1;
    let deepest = name.iter().len();
    while let KeyState::Secure(keys) = &state {
        if labels > deepest {
            break;
        }
        let child = name.trim_to(labels);
        labels += 1;
        match cut(cx, operations, &zone, keys, &child).await {
            Cut::None => {}
            Cut::Nothing => break,
            Cut::Zone(next, ttl) => {
                let mut core = cx.core();
                let now = core.now;
                core.keys.put(now, &child, next.clone(), ttl);
                (zone, state) = (child, next);
            }
        }
    }
    (zone, state)
}

/// Whether a zone begins at a name.
enum Cut {
    /// No.
    None,
    /// No, and no name below exists.
    Nothing,
    /// Yes; what is known of its keys, and for how many seconds.
    Zone(KeyState, u32),
}

fn bogus(code: u16, text: impl Into<String>) -> Cut {
    Cut::Zone(KeyState::Bogus(code, text.into()), BOGUS_TTL)
}

/// Looks for a DS set at `child`, below `zone` with its trusted `keys`.
async fn cut(cx: &Cx, operations: &Operations, zone: &Name, keys: &[Data], child: &Name) -> Cut {
    let known = {
        let core = cx.core();
        let now = core.now;
        // What came along with a referral is as good as what would be asked for: it is verified in any case.
        core.cache
            .set(now, child, RecordType::DS)
            .filter(|set| !set.sigs.is_empty())
            .map(|set| (set, true))
            .or_else(|| {
                let nsec = core.cache.set(now, child, RecordType::NSEC)?;
                (!nsec.sigs.is_empty()).then_some((nsec, false))
            })
    };
    if let Some((set, is_ds)) = known {
        let checked = {
            let mut core = cx.core();
            verify(&mut core, operations, &set, zone, keys)
        };
        match checked {
            Ok((set, verified)) if is_ds && verified.wildcard.is_none() => {
                return child_keys(cx, operations, child, &set).await;
            }
            Ok((set, verified)) if !is_ds && verified.wildcard.is_none() => {
                if let Some(cut) = by_nsec(cx.now(), &set, child) {
                    return cut;
                }
            }
            _ => {}
        }
    }
    // Denials that were verified before need not be asked for again.
    {
        let mut core = cx.core();
        let now = core.now;
        if let Some(set) = core.cache.denial_for(now, child)
            && let Some(cut) = by_nsec(now, &set, child)
        {
            return cut;
        }
        let mut hashed = core.cache.hashed_denials(now, zone);
        for set in &mut hashed {
            if set.security != Security::Secure
                && let Ok((checked, verified)) = verify(&mut core, operations, set, zone, keys)
                && verified.wildcard.is_none()
            {
                *set = checked;
            }
        }
        hashed.retain(|set| set.security == Security::Secure);
        if let Some(denial) = Denial::new(&hashed, child)
            && !denial.too_many_iterations(core.config.nsec3_iterations)
        {
            let ttl = hashed.iter().map(|set| set.ttl_at(now)).min().unwrap_or(0);
            match denial.no_ds(child) {
                Proof::Secure | Proof::Insecure => return Cut::Zone(KeyState::Insecure(None), ttl),
                Proof::NoCut => return Cut::None,
                Proof::Bogus => {}
            }
        }
    }
    let ask = Question::new(child.clone(), RecordType::DS);
    let mut msg = match cx.fetch(Kind::Plain, ask.clone()).await {
        Ok(msg) => msg,
        Err(Failure { text, .. }) => {
            let why = format!("no DS of {} can be had: {text}", name_text(child));
            return bogus(ede::NETWORK_ERROR, why);
        }
    };
    let mut cut = by_message(cx, operations, zone, keys, child, &msg).await;
    if matches!(&cut, Cut::Zone(KeyState::Bogus(..), _)) {
        // Another server may know better (RFC 4035 section 5.5 leaves it open).
        cx.core().distrust(&ask, &msg);
        if let Ok(again) = cx.fetch(Kind::PlainFresh, ask).await {
            msg = again;
            let second = by_message(cx, operations, zone, keys, child, &msg).await;
            if !matches!(&second, Cut::Zone(KeyState::Bogus(..), _)) {
                cut = second;
            }
        }
    }
    cut
}

async fn by_message(
    cx: &Cx,
    operations: &Operations,
    zone: &Name,
    keys: &[Data],
    child: &Name,
    msg: &Arc<Msg>,
) -> Cut {
    if msg.rcode != rcode::NOERROR && msg.rcode != rcode::NXDOMAIN {
        return bogus(ede::BOGUS, format!("no DS of {} can be had", name_text(child)));
    }
    if let Some(ds) = msg.answer.iter().find(|set| set.is(child, RecordType::DS)) {
        let checked = {
            let mut core = cx.core();
            verify(&mut core, operations, ds, zone, keys)
        };
        return match checked {
            Ok((set, Verified { wildcard: None, .. })) => child_keys(cx, operations, child, &set).await,
            Ok(_) => bogus(ede::BOGUS, format!("the DS of {} comes out of a wildcard", name_text(child))),
            Err(why) => bogus(why.code, format!("the DS records of {} {}", name_text(child), why.why)),
        };
    }
    if let Some(alias) = msg.answer.iter().find(|set| set.is(child, RecordType::CNAME)) {
        // A name with an alias is no cut. It may be out of a DNAME, which is signed instead of it.
        let dname =
            msg.answer.iter().find(|set| set.rtype == super::message::DNAME && set.name.zone_of(child));
        let mut core = cx.core();
        let signed = if alias.sigs.is_empty() { dname.unwrap_or(alias) } else { alias };
        return match verify(&mut core, operations, signed, zone, keys) {
            Ok((_, Verified { wildcard: Some(encloser), .. })) => {
                drop(core);
                by_wildcard(cx, operations, zone, keys, child, &encloser, msg)
            }
            Ok(_) => Cut::None,
            Err(why) => {
                bogus(why.code, format!("the alias {} instead of a DS {}", name_text(child), why.why))
            }
        };
    }
    by_denial(cx, operations, zone, keys, child, msg)
}

/// An alias out of a wildcard says that there is no cut only if the name itself is denied; else anybody could replay
/// the wildcard in place of a DS.
fn by_wildcard(
    cx: &Cx,
    operations: &Operations,
    zone: &Name,
    keys: &[Data],
    child: &Name,
    encloser: &Name,
    msg: &Msg,
) -> Cut {
    let mut core = cx.core();
    let candidates =
        msg.authority.iter().filter(|set| matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3));
    let denials: Vec<Set> = candidates
        .filter_map(|set| verify(&mut core, operations, set, zone, keys).ok())
        .filter(|(_, verified)| verified.wildcard.is_none())
        .map(|(set, _)| set)
        .collect();
    let by_nsec = denials.iter().any(|set| nsec::proves_wildcard_answer(set, child, encloser));
    let by_nsec3 = Denial::new(&denials, child).is_some_and(|denial| {
        matches!(denial.wildcard_answer(child, encloser), Proof::Secure | Proof::Insecure)
    });
    if by_nsec || by_nsec3 {
        return Cut::None;
    }
    bogus(ede::BOGUS, format!("an alias out of a wildcard stands for {} itself", name_text(child)))
}

/// What the verified denials in an answer without DS prove.
fn by_denial(cx: &Cx, operations: &Operations, zone: &Name, keys: &[Data], child: &Name, msg: &Msg) -> Cut {
    let mut core = cx.core();
    let now = core.now;
    let mut denials: Vec<Set> = Vec::new();
    let mut failed = None;
    for set in &msg.authority {
        if !matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) {
            continue;
        }
        match verify(&mut core, operations, set, zone, keys) {
            // A denial out of a wildcard says nothing about its owner (RFC 4035 section 5.4).
            Ok((set, verified)) if verified.wildcard.is_none() => denials.push(set),
            Ok(_) => {}
            Err(why) => failed = Some(why),
        }
    }
    let ttl = denials.iter().map(|set| set.ttl_at(now)).min().unwrap_or(0);
    if let Some(cut) = denials.iter().find_map(|set| by_nsec(now, set, child)) {
        return cut;
    }
    if let Some(denial) = Denial::new(&denials, child) {
        if denial.too_many_iterations(core.config.nsec3_iterations) {
            return Cut::Zone(KeyState::Insecure(Some(ede::NSEC3_ITERATIONS)), ttl);
        }
        match denial.no_ds(child) {
            Proof::Secure | Proof::Insecure => return Cut::Zone(KeyState::Insecure(None), ttl),
            Proof::NoCut => return Cut::None,
            Proof::Bogus => {}
        }
        if denial.no_name(child) == Proof::Secure {
            return Cut::Nothing;
        }
    }
    if denials.iter().any(|set| nsec::proves_no_name(set, child)) {
        // A wildcard without DS, or no name at all: no cut either way.
        return Cut::Nothing;
    }
    match failed {
        Some(why) => bogus(why.code, format!("the denial of a DS of {} {}", name_text(child), why.why)),
        None if denials.is_empty() && msg.authority.iter().all(|set| set.sigs.is_empty()) => {
            bogus(ede::RRSIGS_MISSING, format!("nothing signed says that {} has no DS", name_text(child)))
        }
        None => bogus(ede::NSEC_MISSING, format!("no denial says that {} has no DS", name_text(child))),
    }
}

fn by_nsec(now: Instant, set: &Rrset, child: &Name) -> Option<Cut> {
    if set.rtype != RecordType::NSEC {
        return None;
    }
    let (owner, nsec) = nsec::read(set)?;
    if owner == child {
        if nsec.has(RecordType::SOA) && !child.is_root() || nsec.has(RecordType::DS) {
            return None;
        }
        return Some(if nsec.has(RecordType::NS) {
            Cut::Zone(KeyState::Insecure(None), set.ttl_at(now))
        } else {
            Cut::None
        });
    }
    (nsec::proves_nodata(set, child, RecordType::DS) == Some(Nodata::EmptyNonTerminal)).then_some(Cut::None)
}

/// The keys of a zone with a verified DS set.
async fn child_keys(cx: &Cx, operations: &Operations, zone: &Name, ds: &Set) -> Cut {
    let (useful, ttl) = {
        let core = cx.core();
        (with_context(&core, operations, |context| has_useful_ds(context, &ds.data)), ds.ttl_at(core.now))
    };
    if !useful {
        let core = cx.core();
        let empty = Rrset::new(zone.clone(), RecordType::DNSKEY, 1, 0, core.now);
        let reason = with_context(&core, operations, |context| keys_by_ds(context, zone, &ds.data, &empty));
        let code = if let Trusted::Insecure(code) = reason { Some(code) } else { None };
        return Cut::Zone(KeyState::Insecure(code), ttl);
    }
    let judge = |core: &Core, set: &Set| {
        with_context(core, operations, |context| keys_by_ds(context, zone, &ds.data, set))
    };
    let (state, ttl) = dnskeys(cx, zone, ttl, judge).await;
    Cut::Zone(state, ttl)
}

/// Fetches a zone's DNSKEY set and lets `judge` say what it is worth; once more when it is bogus.
async fn dnskeys(cx: &Cx, zone: &Name, ttl: u32, judge: impl Fn(&Core, &Set) -> Trusted) -> (KeyState, u32) {
    let ask = Question::new(zone.clone(), RecordType::DNSKEY);
    let mut result = (
        KeyState::Bogus(ede::DNSKEY_MISSING, format!("{} has no DNSKEY records", name_text(zone))),
        BOGUS_TTL,
    );
    for kind in [Kind::Plain, Kind::PlainFresh] {
        let msg = match cx.fetch(kind, ask.clone()).await {
            Ok(msg) => msg,
            Err(failure) => {
                let text = format!("the keys of {} cannot be had: {}", name_text(zone), failure.text);
                result = (KeyState::Bogus(ede::DNSKEY_MISSING, text), BOGUS_TTL);
                continue;
            }
        };
        let Some(set) = msg.answer.iter().find(|set| set.is(zone, RecordType::DNSKEY)) else { continue };
        let mut core = cx.core();
        let now = core.now;
        match judge(&core, set) {
            Trusted::Keys(keys, verified) => {
                let ttl = ttl.min(set.ttl_at(now)).min(verified.ttl_max);
                let mut set = set.clone();
                let own = Arc::make_mut(&mut set);
                own.security = Security::Secure;
                own.trust = crate::rrset::Trust::Validated;
                core.cache.judge(now, &set);
                return (KeyState::Secure(keys.into()), ttl);
            }
            Trusted::Insecure(code) => return (KeyState::Insecure(Some(code)), ttl),
            Trusted::Bogus(why) => {
                core.distrust(&ask, &msg);
                let text = format!("the DNSKEY records of {} {}", name_text(zone), why.why);
                result = (KeyState::Bogus(why.code, text), BOGUS_TTL);
            }
        }
    }
    result
}

impl Core {
    /// What a message said did not validate: it is forgotten, and who sent it is asked last for a while.
    pub(super) fn distrust(&mut self, question: &Question, msg: &Msg) {
        self.cache.drop_message(question);
        for address in &msg.sources {
            self.servers.blame(self.now, *address);
        }
    }
}

/// The keys of an anchor's zone.
async fn prime(cx: &Cx, operations: &Operations, zone: &Name) -> KeyState {
    let anchor = cx.core().anchors.of(zone).cloned().unwrap_or_default();
    if anchor.ds.is_empty() && anchor.keys.is_empty() {
        // Upkeep found every key revoked: the zone is as if unsigned (RFC 5011 section 5).
        return KeyState::Insecure(None);
    }
    let usable = {
        let core = cx.core();
        with_context(&core, operations, |context| anchor_use(context, &anchor.ds, &anchor.keys))
    };
    if let Err(code) = usable {
        return KeyState::Insecure(Some(code));
    }
    let judge = |core: &Core, set: &Set| {
        with_context(core, operations, |context| keys_by_anchor(context, zone, &anchor.ds, &anchor.keys, set))
    };
    let (mut state, ttl) = dnskeys(cx, zone, u32::MAX, judge).await;
    if matches!(state, KeyState::Bogus(..)) && revoked(cx, zone).await {
        state = KeyState::Insecure(None);
    }
    let mut core = cx.core();
    let now = core.now;
    if !core.config.stripped_is_bogus && matches!(state, KeyState::Bogus(ede::DNSKEY_MISSING, _)) {
        state = KeyState::Insecure(None);
    }
    core.keys.put(now, zone, state.clone(), ttl);
    state
}

/// Whether an anchor's zone has just taken its last key back: no question need wait for the next look at it
/// (RFC 5011 section 5).
async fn revoked(cx: &Cx, zone: &Name) -> bool {
    if !cx.core().points.iter().any(|point| point.zone == *zone) {
        return false;
    }
    let ask = Question::new(zone.clone(), RecordType::DNSKEY);
    let Ok(msg) = cx.fetch(Kind::PlainFresh, ask).await else { return false };
    let Some(set) = msg.answer.iter().find(|set| set.is(zone, RecordType::DNSKEY)) else { return false };
    let mut core = cx.core();
    let revokes =
        |data: &Data| Dnskey::read(data).is_some_and(|key| key.is_revoked() && key.is_entry_point());
    if !set.data.iter().any(revokes) {
        return false;
    }
    core.show(zone, set);
    core.points.iter().any(|point| point.zone == *zone && point.revoked)
}
