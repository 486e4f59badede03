//! Trust anchors that follow their zone's keys (RFC 5011).
//!
//! A [`TrustPoint`] is shown every DNSKEY set its zone publishes. A new entry point that the trusted keys vouch for is
//! trusted once it has stood there for 30 days; a key that revokes itself never again. The caller asks when
//! [`TrustPoint::next_probe`] has come and keeps [`TrustPoint::to_text`] somewhere that outlives it (module [`mod@file`]).

pub mod file;

use hickory_proto::rr::Name;

use super::algorithm::ds_digest;
use super::keys::{Trusted, keys_by_anchor};
use super::records::{Dnskey, Ds, Rrsig};
use super::verify::{Context, Unverified, verify_set};
use crate::rrset::{Data, Rrset};
use crate::wire::name_to_wire;

const DAY: u64 = 86_400;
const HOUR: u64 = 3600;
/// How long a new key has to stand there before it is trusted (RFC 5011 section 2.4.1), in seconds.
const ADD_HOLD_DOWN: u64 = 30 * DAY;
/// How long a revoked key is remembered (section 2.4.2), in seconds.
const REMOVE_HOLD_DOWN: u64 = 30 * DAY;
/// How long a key that has vanished without being revoked stays trusted, in seconds. The RFC has it stay for ever.
const MISSING_KEPT: u64 = 366 * DAY;
/// Times a new key has to be seen, so that one answer after a long silence is not enough.
const SEEN_MIN: u32 = 2;
/// Keys followed in one zone.
const KEYS_MAX: usize = 64;

/// Where a key is on its way (RFC 5011 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not there, or not any more: not trusted and not kept.
    Start,
    /// Seen, and waiting for its time.
    AddPending,
    /// Trusted.
    Valid,
    /// Trusted, but not in the zone's set at the moment.
    Missing,
    /// It has revoked itself.
    Revoked,
    /// Revoked long ago.
    Removed,
}

/// A key that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedKey {
    /// DNSKEY data, with the REVOKE flag once it is revoked.
    pub data: Data,
    /// TTL of the set it was first seen in, in seconds.
    pub ttl: u32,
    /// Where it is on its way.
    pub stage: Stage,
    /// Times it was seen while pending.
    pub seen: u32,
    /// When it came to this stage: seconds since 1970; 0 before the first probe.
    pub since: u64,
}

/// A zone whose keys are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPoint {
    /// The zone.
    pub zone: Name,
    /// Its keys, the one learned last first.
    pub keys: Vec<TrackedKey>,
    /// DS data to begin with; dropped once a key fits.
    pub ds: Vec<Data>,
    /// Every key is revoked: the zone counts as unsigned until somebody gives a new anchor (RFC 5011 section 5).
    pub revoked: bool,
    /// When it was asked last: seconds since 1970, 0 never.
    pub last_asked: u64,
    /// When an answer was good: seconds since 1970, 0 never.
    pub last_success: u64,
    /// When to ask next: seconds since 1970; 0: at once.
    pub next_probe: u64,
    /// Answers since the last good one that did not verify.
    pub failures: u32,
    /// Seconds between questions (RFC 5011 section 2.3).
    pub interval: u64,
    /// Seconds before a question is tried again.
    pub retry: u64,
}

/// Whether two DNSKEY data are the same key, revoked or not.
fn same_key(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.len() > 4 && a[0] == b[0] && (a[1] ^ b[1]) & !0x80 == 0 && a[2..] == b[2..]
}

fn entry_point(data: &[u8]) -> Option<Dnskey<'_>> {
    Dnskey::read(data).filter(|key| key.is_zone_key() && key.is_entry_point())
}

impl TrustPoint {
    /// A zone of which nothing is trusted yet.
    pub fn new(zone: Name) -> TrustPoint {
        TrustPoint {
            zone: zone.to_lowercase(),
            keys: Vec::new(),
            ds: Vec::new(),
            revoked: false,
            last_asked: 0,
            last_success: 0,
            next_probe: 0,
            failures: 0,
            interval: HOUR,
            retry: HOUR,
        }
    }

    /// Trusts a key from now on: one that the operator gave.
    pub fn trust(&mut self, data: Data, ttl: u32) {
        if self.keys.len() < KEYS_MAX && !self.keys.iter().any(|key| same_key(&key.data, &data)) {
            self.keys.insert(0, TrackedKey { data, ttl, stage: Stage::Valid, seen: 0, since: 0 });
        }
    }

    /// The keys that may vouch for the zone now.
    pub fn trusted(&self) -> Vec<Data> {
        let trusted = |key: &&TrackedKey| matches!(key.stage, Stage::Valid | Stage::Missing);
        self.keys.iter().filter(trusted).map(|key| key.data.clone()).collect()
    }

    /// Sets the next question to `portion` (0 to 1, the caller's chance) of the last tenth of the interval before its
    /// end, so that not all ask at once; `answered` says whether there were any keys to look at.
    pub fn schedule(&mut self, now: u64, portion: f64, answered: bool) {
        let wait = if self.failures > 0 || !answered { self.retry } else { self.interval };
        let early = (wait as f64 / 10.0 * portion.clamp(0.0, 1.0)) as u64;
        self.next_probe = if self.revoked { 0 } else { now + wait - early };
    }

    /// Takes the zone's DNSKEY set, as it came, at `now` (seconds since 1970).
    ///
    /// Errors when nothing trusted signed it; revocations in it count all the same, as each key speaks for itself.
    pub fn observe(&mut self, context: Context<'_>, now: u64, set: &Rrset) -> Result<(), Unverified> {
        self.last_asked = now;
        self.ripen(now);
        self.revoke(context, now, set);
        let trusted = self.trusted();
        if trusted.is_empty() && self.ds.is_empty() {
            self.revoked = true;
            self.last_success = now;
            self.failures = 0;
            return Ok(());
        }
        match keys_by_anchor(context, &self.zone, &self.ds, &trusted, set) {
            Trusted::Keys(..) => {}
            Trusted::Bogus(why) => {
                self.failures += 1;
                return Err(why);
            }
            Trusted::Insecure(code) => {
                self.failures += 1;
                return Err(Unverified { code, why: "have an algorithm that is not known".into() });
            }
        }
        self.meet(context, now, set);
        self.advance(now, set);
        self.last_success = now;
        self.failures = 0;
        self.pace(context.now, set);
        Ok(())
    }

    /// Time alone makes a key valid that was there all along: it may be the only one that is left (section 2.4.1).
    fn ripen(&mut self, now: u64) {
        for key in &mut self.keys {
            let waited = now.saturating_sub(key.since) >= ADD_HOLD_DOWN;
            if key.stage == Stage::AddPending && waited && key.seen >= SEEN_MIN {
                (key.stage, key.since, key.seen) = (Stage::Valid, now, 0);
            }
        }
    }

    /// RFC 5011 section 2.1: a key with the REVOKE flag that signs the set itself.
    fn revoke(&mut self, context: Context<'_>, now: u64, set: &Rrset) {
        for data in &set.data {
            let Some(key) = entry_point(data) else { continue };
            let known = self.keys.iter_mut().find(|known| {
                same_key(&known.data, data) && !matches!(known.stage, Stage::Revoked | Stage::Removed)
            });
            if let Some(known) = known
                && key.is_revoked()
                && verify_set(context, set, &self.zone, std::slice::from_ref(data)).is_ok()
            {
                *known = TrackedKey {
                    data: data.clone(),
                    ttl: known.ttl,
                    stage: Stage::Revoked,
                    seen: 0,
                    since: now,
                };
            }
        }
    }

    /// Adds entry points that were never seen, and counts those that wait.
    fn meet(&mut self, context: Context<'_>, now: u64, set: &Rrset) {
        let owner = name_to_wire(&self.zone);
        let mut fits = false;
        // The operator gave keys that are no entry points: those that they vouch for at first take their place.
        let begins = self.last_success == 0
            && self.ds.is_empty()
            && !self.keys.iter().any(|key| entry_point(&key.data).is_some());
        for data in &set.data {
            let Some(key) = entry_point(data) else { continue };
            if let Some(known) = self.keys.iter_mut().find(|known| same_key(&known.data, data)) {
                if known.stage == Stage::AddPending {
                    known.seen = known.seen.saturating_add(1);
                }
                continue;
            }
            let known = context.algorithms.supports(key.algorithm);
            if key.is_revoked() || !known || self.keys.len() >= KEYS_MAX {
                continue;
            }
            let vouched = self.ds.iter().filter_map(|ds| Ds::read(ds)).any(|ds| {
                ds.tag == key.tag()
                    && ds.algorithm == key.algorithm
                    && ds_digest(ds.digest_type, &owner, data).as_deref() == Some(ds.digest)
            });
            fits |= vouched;
            let (stage, seen) = if vouched || begins { (Stage::Valid, 0) } else { (Stage::AddPending, 1) };
            self.keys.insert(0, TrackedKey { data: data.clone(), ttl: set.ttl, stage, seen, since: now });
        }
        if fits {
            self.ds.clear();
        }
    }

    /// The table of RFC 5011 section 4.1.
    fn advance(&mut self, now: u64, set: &Rrset) {
        for key in &mut self.keys {
            let there = set.data.iter().any(|data| same_key(data, &key.data));
            let waited = now.saturating_sub(key.since);
            if key.stage == Stage::Revoked && there {
                // Its time is counted from when it was seen last: it is still being used.
                key.since = now;
                continue;
            }
            let next = match key.stage {
                Stage::AddPending if !there => Stage::Start,
                Stage::AddPending if waited >= ADD_HOLD_DOWN && key.seen >= SEEN_MIN => Stage::Valid,
                Stage::Valid if !there => Stage::Missing,
                Stage::Missing if there => Stage::Valid,
                Stage::Revoked if waited >= REMOVE_HOLD_DOWN => Stage::Removed,
                stage => stage,
            };
            if next != key.stage || key.since == 0 {
                (key.stage, key.since) = (next, now);
                key.seen = 0;
            }
        }
        let others = self.keys.iter().filter(|key| key.stage == Stage::Valid).count();
        self.keys.retain(|key| match key.stage {
            Stage::Start | Stage::Removed => false,
            Stage::Missing => others == 0 || now.saturating_sub(key.since) < MISSING_KEPT,
            // Keys that the operator gave and that are no entry points can't be followed.
            _ => entry_point(&key.data).is_some(),
        });
        if self.trusted().is_empty() && self.ds.is_empty() {
            self.revoked = true;
        }
    }

    /// How often to ask (RFC 5011 section 2.3).
    fn pace(&mut self, wall: u32, set: &Rrset) {
        let ttl = u64::from(set.ttl);
        let left = |sig: &Data| {
            let left = Rrsig::read(sig)?.expiration.wrapping_sub(wall);
            Some(if (left as i32) < 0 { 0 } else { u64::from(left) })
        };
        let expires = set.sigs.iter().filter_map(left).min().unwrap_or(0);
        self.interval = (ttl / 2).min(expires / 2).clamp(HOUR, 15 * DAY);
        self.retry = (ttl / 10).min(expires / 10).clamp(HOUR, DAY);
    }
}

#[cfg(test)]
mod tests;
