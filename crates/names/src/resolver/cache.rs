//! What is known and until when: sets, messages, recent failures (RFC 2181, RFC 2308, RFC 8767, RFC 9520).

mod packed;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use self::packed::{Key, Octets, key, name_key, name_of, question_key};
use super::message::{DNAME, Msg, Set, rcode, soa_minimum};
use crate::dnssec::nsec;
use crate::rrset::{Rrset, Security, Trust};
use crate::wire::{CLASS_IN, Question};
pub(super) use timed::Timed;

/// Bounds on how long anything is kept, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// At most.
    pub max: u32,
    /// At least.
    pub min: u32,
    /// Negative answers: at most (RFC 2308 section 5 advises one to three hours).
    pub max_negative: u32,
    /// Negative answers: at least.
    pub min_negative: u32,
    /// What is bogus is not asked for again within this time.
    pub bogus: u32,
    /// How long after its end an answer may still be served when nothing better is to be had; 0: not at all
    /// (RFC 8767 section 5 suggests one to three days).
    pub stale: u32,
    /// Records are shown with the TTLs that they came with, however long they have been here, and bounds only say how
    /// long they stay.
    pub original: bool,
}

impl Default for Lifetimes {
    fn default() -> Lifetimes {
        Lifetimes {
            max: 86_400,
            min: 0,
            max_negative: 3600,
            min_negative: 0,
            bogus: 60,
            stale: 0,
            original: false,
        }
    }
}

/// How long a failure is remembered (RFC 9520 section 3.2: at least 1 s, at most 5 minutes).
const FAILURE: Duration = Duration::from_secs(5);

/// How long a DNAME with a TTL of zero implies aliases.
const DNAME_GRACE: Duration = Duration::from_secs(2);

/// NSEC3 sets of one zone that one question is compared with.
const HASHED_MAX: usize = 128;

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    sets: Timed<Key, Octets>,
    /// Messages that are more than the set that was asked for.
    messages: Timed<Key, Arc<Msg>>,
    failures: Timed<Key, (u16, String)>,
    /// Names that do not exist, whatever the type (RFC 2308 section 5).
    missing: Timed<Key, Arc<Msg>>,
    /// NSEC sets by their owner, for answers nobody has to ask for (RFC 8198).
    denials: Timed<Name, Set>,
    /// NSEC3 sets by zone and owner.
    hashed: Timed<(Name, Name), Set>,
    /// Verified SOA sets of negative answers by zone, for those made out of denials.
    soas: Timed<Name, Set>,
    lifetimes: Lifetimes,
}

impl Cache {
    /// A cache of at most `max` entries of each kind, whose sets and messages weigh no more than `octets` each.
    pub(super) fn new(max: usize, octets: usize, lifetimes: Lifetimes) -> Cache {
        Cache {
            sets: Timed::weighed(max * 2, octets, |octets| octets.len()),
            messages: Timed::weighed(max, octets, |msg| weight(msg)),
            failures: Timed::new(max),
            missing: Timed::weighed(max, octets, |msg| weight(msg)),
            denials: Timed::new(max),
            hashed: Timed::new(max),
            soas: Timed::new(max),
            lifetimes,
        }
    }

    /// The set, if it is known.
    pub(super) fn set(&self, now: Instant, name: &Name, rtype: RecordType) -> Option<Set> {
        self.set_in(now, name, rtype, CLASS_IN)
    }

    fn set_in(&self, now: Instant, name: &Name, rtype: RecordType, class: u16) -> Option<Set> {
        let (octets, expires) = self.sets.get_until(now, &key(name, rtype, class)[..])?;
        packed::unpack(name, rtype, class, octets, expires)
    }

    fn put_set(&mut self, now: Instant, set: &Rrset) {
        let key = key(&set.name, set.rtype, set.class).into();
        // What serves all names below serves those that are asked for together, even with a TTL of zero.
        let grace = if set.rtype == DNAME && set.ttl == 0 { DNAME_GRACE } else { Duration::ZERO };
        self.sets.put(now, set.expires.max(now + grace), key, packed::pack(set));
    }

    /// Keeps a set unless a better one is known. What is to be used: the set itself, or the one that is better.
    pub(super) fn keep(&mut self, now: Instant, set: &Set) -> Set {
        self.renew(now, set, Duration::ZERO)
    }

    /// Like [`Cache::keep`]; what has no longer than `leeway` to live is taken for expired.
    pub(super) fn renew(&mut self, now: Instant, set: &Set, leeway: Duration) -> Set {
        self.renew_both(now, set, leeway).0
    }

    /// Like [`Cache::renew`]; with what was kept instead, if that has less time to live.
    fn renew_both(&mut self, now: Instant, set: &Set, leeway: Duration) -> (Set, Option<Set>) {
        let mut set = self.bounded(now, set);
        let known = self.set_in(now, &set.name, set.rtype, set.class);
        if let Some(old) = known.filter(|old| !old.expired(now + leeway)) {
            let equal = old.same_data(&set);
            let better = if set.security == Security::Secure && old.security != Security::Secure {
                true
            } else if set.trust > old.trust {
                // What is bogus does not become good by standing in another section.
                !(equal && old.security == Security::Bogus && set.security == Security::Unchecked)
            } else {
                set.trust == old.trust && !equal
            };
            if !better {
                return (old, None);
            }
            // A delegation lives as long as its parent said at first: else a name server could keep a withdrawn
            // delegation alive for ever ("ghost domains").
            if set.rtype == RecordType::NS && set.expires > old.expires && set.trust <= old.trust {
                Arc::make_mut(&mut set).expires = old.expires;
            }
            // The same holds of the addresses of its servers: this answer may be used for as long as it says, but the
            // cache forgets them with the delegation.
            let address = matches!(set.rtype, RecordType::A | RecordType::AAAA);
            if address && old.trust <= Trust::AdditionalAuth && set.expires > old.expires {
                let mut kept = Rrset::clone(&set);
                kept.expires = old.expires;
                self.put_set(now, &kept);
                return (set, Some(Arc::new(kept)));
            }
        }
        self.put_set(now, &set);
        (set, None)
    }

    fn bounded(&self, now: Instant, set: &Set) -> Set {
        let left = set.ttl_at(now);
        let allowed = left.clamp(self.lifetimes.min.min(self.lifetimes.max), self.lifetimes.max);
        if allowed == left {
            return set.clone();
        }
        let mut set = set.clone();
        let own = Arc::make_mut(&mut set);
        let ttl = if self.lifetimes.original { own.ttl } else { allowed };
        own.set_ttl(now, allowed);
        own.ttl = ttl;
        set
    }

    /// Gives a kept set a new verdict.
    pub(super) fn judge(&mut self, now: Instant, set: &Set) {
        let known = self.set_in(now, &set.name, set.rtype, set.class);
        if known.is_none_or(|old| old.security != Security::Secure || old.same_data(set)) {
            self.put_set(now, set);
        }
    }

    /// Keeps a message and its sets; what is to be used from now on.
    pub(super) fn keep_message(&mut self, now: Instant, msg: Msg) -> Arc<Msg> {
        self.renew_message(now, msg, Duration::ZERO)
    }

    /// How long the answer to a question still lives.
    pub(super) fn left(&self, now: Instant, question: &Question) -> Duration {
        self.message(now, question).map_or(Duration::ZERO, |msg| msg.expires.since(now))
    }

    /// Like [`Cache::keep_message`] for a message that was fetched before the old one's time was over.
    pub(super) fn renew_message(&mut self, now: Instant, mut msg: Msg, leeway: Duration) -> Arc<Msg> {
        if let Some(at) = msg.authority.iter().position(|set| set.rtype == RecordType::SOA)
            && msg.is_negative()
            && let Some(minimum) = soa_minimum(&msg.authority[at])
        {
            let soa = Arc::make_mut(&mut msg.authority[at]);
            let left = soa.ttl_at(now);
            let max = self.lifetimes.max_negative;
            soa.set_ttl(now, left.min(minimum).clamp(self.lifetimes.min_negative.min(max), max));
        }
        let mut shorter: Vec<Set> = Vec::new();
        let mut kept = |cache: &mut Cache, sets: &mut Vec<Set>, negative: bool| {
            for set in sets {
                // The SOA of a negative answer has a lifetime of its own, and is no news about the zone.
                if !(negative && set.rtype == RecordType::SOA) {
                    let (told, kept) = cache.renew_both(now, set, leeway);
                    *set = told;
                    shorter.extend(kept);
                }
            }
        };
        let negative = msg.is_negative();
        kept(self, &mut msg.answer, false);
        kept(self, &mut msg.authority, negative);
        kept(self, &mut msg.additional, false);
        let mut ttl = if msg.sets().next().is_none() { FAILURE.as_secs() as u32 } else { msg.ttl(now) };
        if negative && msg.soa().is_none() && msg.answer.is_empty() {
            // RFC 2308 section 5: without SOA it should not be kept; a moment spares the servers a flood.
            ttl = ttl.min(FAILURE.as_secs() as u32);
        }
        if msg.security == Security::Bogus {
            ttl = ttl.min(self.lifetimes.bogus).max(1);
        }
        msg.expires = now + Duration::from_secs(u64::from(ttl));
        msg.prefetch_at = now + Duration::from_secs(u64::from(ttl)) * 9 / 10;
        let msg = Arc::new(msg);
        if matches!(msg.security, Security::Bogus | Security::Unchecked)
            && self.lifetimes.stale > 0
            && self
                .messages
                .get_stale(now, &question_key(&msg.question)[..])
                .is_some_and(|old| old.security > Security::Bogus)
        {
            // What could be served stale is better than what is known to be wrong.
            if msg.security == Security::Bogus {
                // RFC 8767 section 5: a failed refresh is not tried again at once.
                let (code, text) = msg.extended_error.clone().unwrap_or((6, String::new()));
                self.keep_failure(now, &msg.question.clone(), code, &text);
            }
            return msg;
        }
        // What was not to be kept at all is not kept for being stale.
        let stale = if ttl == 0 { 0 } else { self.lifetimes.stale };
        let until = msg.expires + Duration::from_secs(u64::from(stale));
        if msg.rcode == rcode::NXDOMAIN
            && msg.answer.is_empty()
            && msg.soa().is_some()
            && msg.security != Security::Bogus
        {
            self.missing.put(now, msg.expires, name_key(&msg.question.name).into(), msg.clone());
        } else {
            self.missing.remove(&name_key(&msg.question.name)[..]);
        }
        if stale == 0 && self.is_its_set(now, &msg) {
            self.messages.remove(&question_key(&msg.question)[..]);
        } else {
            let key = question_key(&msg.question).into();
            match as_kept(now, &msg, &shorter) {
                Some(own) => self.messages.put_until(now, own.expires, until, key, Arc::new(own)),
                None => self.messages.put_until(now, msg.expires, until, key, msg.clone()),
            }
        }
        msg
    }

    /// Whether a message says no more than the set that was asked for, so that it need not be kept beside it.
    fn is_its_set(&self, now: Instant, msg: &Msg) -> bool {
        let plain = msg.rcode == rcode::NOERROR
            && msg.answer.len() == 1
            && msg.authority.is_empty()
            && msg.additional.is_empty()
            && msg.extended_error.is_none()
            && msg.answer[0].is(&msg.question.name, msg.question.rtype);
        plain
            && self.assembled(now, &msg.question).is_some_and(|other| {
                other.answer == msg.answer && other.security == msg.security && other.expires == msg.expires
            })
    }

    /// The message that answers the question, or what can be made of known sets.
    pub(super) fn message(&self, now: Instant, question: &Question) -> Option<Arc<Msg>> {
        if let Some(msg) = self.messages.get(now, &question_key(question)[..]) {
            return Some(msg.clone());
        }
        if question.class != CLASS_IN {
            return None;
        }
        if let Some(msg) = self.missing.get(now, &name_key(&question.name)[..]) {
            let mut msg = (**msg).clone();
            msg.question = question.clone();
            return Some(Arc::new(msg));
        }
        self.assembled(now, question).map(Arc::new)
    }

    /// A message whose time is over, but not longer than may be served.
    pub(super) fn stale(&self, now: Instant, question: &Question) -> Option<Arc<Msg>> {
        self.messages.get_stale(now, &question_key(question)[..]).cloned()
    }

    /// Lets an answer be served for as long again after its end, as long as nothing has pushed it out; whether there is one.
    pub(super) fn prolong_stale(&mut self, now: Instant, question: &Question) -> bool {
        let end = now + Duration::from_secs(u64::from(self.lifetimes.stale));
        self.messages.prolong(&question_key(question)[..], end)
    }

    /// An answer out of sets that came in other messages.
    fn assembled(&self, now: Instant, question: &Question) -> Option<Msg> {
        if question.rtype == RecordType::ANY {
            return None;
        }
        // Only a set that stood in an answer section answers: glue does not (RFC 2181 section 5.4.1).
        let answers = |set: &Set| set.trust >= Trust::AnswerNonAuth && set.trust != Trust::Glue;
        if let Some(alias) = self.dname_above(now, &question.name) {
            return synthesized(now, question, &alias);
        }
        // DS is a matter of the zone above, where a CNAME from below does not count unless somebody vouches for it.
        let cname = self
            .set(now, &question.name, RecordType::CNAME)
            .filter(answers)
            .filter(|set| question.rtype != RecordType::DS || set.security == Security::Secure);
        // What came out of a wildcard goes out with its proof only (RFC 4035 section 3.1.3.3): the message has it.
        let expanded = |set: &Set| {
            set.sigs
                .iter()
                .filter_map(|sig| crate::dnssec::records::Rrsig::read(sig))
                .any(|sig| usize::from(sig.labels) < crate::dnssec::verify::labels_of(&set.name))
        };
        let set = match cname {
            Some(alias) => alias,
            None => self.set(now, &question.name, question.rtype).filter(answers)?,
        };
        (!expanded(&set)).then(|| of_set(now, question, set))
    }

    /// The DS set that a referral came with: the parent's own word.
    pub(super) fn referred_ds(&self, now: Instant, question: &Question) -> Option<Arc<Msg>> {
        let asked = question.rtype == RecordType::DS && question.class == CLASS_IN;
        let set =
            self.set(now, &question.name, RecordType::DS).filter(|set| asked && !set.sigs.is_empty())?;
        Some(Arc::new(of_set(now, question, set)))
    }

    /// A validated DNAME strictly above the name (RFC 6672 section 3.3: others are not used for names not asked for).
    fn dname_above(&self, now: Instant, name: &Name) -> Option<Set> {
        let mut above = name.clone();
        while !above.is_root() {
            above = above.base_name();
            if let Some(set) = self.set(now, &above, DNAME)
                && set.security >= Security::Insecure
            {
                return Some(set);
            }
        }
        None
    }

    /// A secure "no such name" for a name above (RFC 8020).
    pub(super) fn nothing_below(&self, now: Instant, name: &Name) -> Option<Arc<Msg>> {
        let mut above = name.clone();
        while !above.is_root() {
            above = above.base_name();
            for rtype in [RecordType::A, RecordType::AAAA, RecordType::NS, RecordType::DS] {
                let found = self.messages.get(now, &key(&above, rtype, CLASS_IN)[..]);
                if let Some(msg) = found
                    && msg.rcode == rcode::NXDOMAIN
                    && msg.security == Security::Secure
                    && msg.answer.is_empty()
                {
                    return Some(msg.clone());
                }
            }
        }
        None
    }

    /// Remembers a verified NSEC set.
    pub(super) fn keep_denial(&mut self, now: Instant, set: &Set) {
        if set.rtype == RecordType::NSEC && set.security == Security::Secure {
            self.denials.put(now, set.expires, set.name.clone(), set.clone());
        }
        // Those of referrals are verified when they are needed.
        if set.rtype == RecordType::NSEC3 && !set.sigs.is_empty() {
            self.hashed.put(now, set.expires, (set.name.base_name(), set.name.clone()), set.clone());
        }
    }

    /// Remembers the SOA set of a verified negative answer.
    pub(super) fn keep_negative_soa(&mut self, now: Instant, set: &Set) {
        self.soas.put(now, set.expires, set.name.to_lowercase(), set.clone());
    }

    /// A verified SOA set of the zone.
    pub(super) fn negative_soa(&self, now: Instant, zone: &Name) -> Option<Set> {
        let asked = || self.set(now, zone, RecordType::SOA).filter(|soa| soa.security == Security::Secure);
        self.soas.get(now, &zone.to_lowercase()).cloned().or_else(asked)
    }

    /// Verified NSEC3 sets of a zone; some of them, when there are many.
    pub(super) fn hashed_denials(&self, now: Instant, zone: &Name) -> Vec<Set> {
        let from = (zone.clone(), Name::root());
        self.hashed
            .from(now, &from)
            .take_while(|((of, _), _)| of == zone)
            .take(HASHED_MAX)
            .map(|(_, set)| set.clone())
            .collect()
    }

    /// Verified NSEC sets that match `name` or may cover it.
    pub(super) fn denial_for(&self, now: Instant, name: &Name) -> Option<Set> {
        let (_, set) = self.denials.at_or_before(now, name)?;
        (set.name == *name
            || nsec::proves_no_name(set, name)
            || nsec::proves_nodata(set, name, RecordType::A).is_some())
        .then(|| set.clone())
    }

    /// A denial lives no longer than the negative answer that it came with (RFC 9077).
    pub(super) fn shorten_denial(&mut self, now: Instant, set: &Set, seconds: u32) {
        let until = now + Duration::from_secs(u64::from(seconds));
        match set.rtype {
            RecordType::NSEC
                if self.denials.get_until(now, &set.name).is_some_and(|(_, end)| end > until) =>
            {
                self.denials.put(now, until, set.name.clone(), set.clone());
            }
            _ => {}
        }
    }

    pub(super) fn keep_failure(&mut self, now: Instant, question: &Question, code: u16, text: &str) {
        self.failures.put(now, now + FAILURE, question_key(question).into(), (code, text.to_owned()));
    }

    pub(super) fn failure(&self, now: Instant, question: &Question) -> Option<(u16, String)> {
        self.failures.get(now, &question_key(question)[..]).cloned()
    }

    /// Forgets a message; its sets stay.
    pub(super) fn drop_message(&mut self, question: &Question) {
        self.missing.remove(&name_key(&question.name)[..]);
        let key = question_key(question);
        if self.messages.get_stale(Instant::START, &key[..]).is_some() {
            self.messages.remove(&key[..]);
        } else {
            // It was its set, and nothing beside it was kept.
            self.sets.remove(&key[..]);
        }
    }

    /// Forgets a name and all below it; how many entries that were.
    pub(super) fn drop_below(&mut self, name: &Name) -> usize {
        let below = |other: &Name| name.zone_of(other);
        let own = |key: &Key| name_of(key).is_some_and(|name| below(&name));
        self.sets.drop_where(own)
            + self.messages.drop_where(own)
            + self.failures.drop_where(own)
            + self.missing.drop_where(own)
            + self.denials.drop_where(below)
            + self.hashed.drop_where(|(zone, _)| below(zone))
            + self.soas.drop_where(below)
    }

    /// Lets a message's time be over.
    pub(super) fn expire_message(&mut self, now: Instant, question: &Question) {
        self.missing.remove(&name_key(&question.name)[..]);
        let key = question_key(question);
        if self.messages.get(now, &key[..]).is_some() {
            self.messages.expire(now, &key[..]);
        } else {
            self.sets.expire(now, &key[..]);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.sets.clear();
        self.messages.clear();
        self.failures.clear();
        self.missing.clear();
        self.denials.clear();
        self.hashed.clear();
        self.soas.clear();
    }

    /// Octets that sets and messages weigh.
    pub(super) fn octets(&self) -> usize {
        self.sets.octets() + self.messages.octets() + self.missing.octets()
    }

    /// Entries held, expired ones that nothing has pushed out yet included.
    pub(super) fn len(&self) -> usize {
        self.sets.len() + self.messages.len() + self.failures.len()
    }
}

/// What a message costs, roughly, in octets: its sets are its own as far as anybody can tell.
fn weight(msg: &Msg) -> usize {
    let of_set =
        |set: &Set| 160 + set.data.iter().chain(&set.sigs).map(|data| data.len() + 32).sum::<usize>();
    400 + msg.sets().map(of_set).sum::<usize>()
}

/// The message with those of its sets that the cache keeps for a shorter time than it tells.
fn as_kept(now: Instant, msg: &Msg, shorter: &[Set]) -> Option<Msg> {
    let mut own = (!shorter.is_empty()).then(|| msg.clone())?;
    for set in own.answer.iter_mut().chain(&mut own.authority).chain(&mut own.additional) {
        if let Some(kept) = shorter.iter().find(|kept| kept.is(&set.name, set.rtype)) {
            *set = kept.clone();
        }
    }
    own.expires = own.expires.min(now + Duration::from_secs(u64::from(own.ttl(now))));
    own.prefetch_at = own.prefetch_at.min(own.expires);
    Some(own)
}

fn of_set(now: Instant, question: &Question, set: Set) -> Msg {
    let mut msg = Msg::empty(question.clone(), rcode::NOERROR, now);
    msg.expires = set.expires;
    let tenth = Duration::from_secs(u64::from(set.ttl)) / 10;
    msg.prefetch_at = Instant::from_nanos(set.expires.nanos().saturating_sub(tenth.as_nanos() as u64));
    // Validated as a set, but not as an answer: the validator looks again.
    msg.security = match set.security {
        Security::Insecure | Security::Indeterminate | Security::Secure => set.security,
        _ => Security::Unchecked,
    };
    msg.answer.push(set);
    msg
}

/// Where the alias leads that a DNAME implies for a name below it (RFC 6672 section 2.2); `None` when that name would
/// be too long.
pub(super) fn implied_target(name: &Name, dname: &Set) -> Option<Name> {
    let target = dname.target()?;
    let labels = name.iter().len().checked_sub(dname.name.iter().len())?;
    Name::from_labels(name.iter().take(labels).chain(target.iter())).ok()
}

/// The CNAME that a DNAME implies (RFC 6672 section 2.2); YXDOMAIN when the new name would be too long.
pub(super) fn synthesized(now: Instant, question: &Question, dname: &Set) -> Option<Msg> {
    dname.target()?;
    let mut msg = of_set(now, question, dname.clone());
    let Some(new) = implied_target(&question.name, dname) else {
        msg.rcode = rcode::YXDOMAIN;
        return Some(msg);
    };
    let mut cname = Rrset::new(question.name.clone(), RecordType::CNAME, dname.class, dname.ttl, now);
    cname.expires = dname.expires;
    cname.data.push(crate::wire::name_to_wire(&new).into());
    cname.trust = dname.trust.min(Trust::AnswerAuth);
    cname.security = dname.security;
    msg.answer.push(Arc::new(cname));
    Some(msg)
}
