//! A zone that lives: its records change, its signatures are made anew before they end, and its keys are rolled without
//! a moment at which somebody's cache could not validate it (RFC 6781 section 4.1, RFC 7583).
//!
//! | roll | first | then | at last |
//! |---|---|---|---|
//! | zone signing key (pre-publish) | published, signs nothing | signs; the old one stays published | the old one goes |
//! | entry point (double signature) | both sign the keys | the parent has the new DS | the old one goes |
//! | algorithm | signs, not published | published; the parent has the new DS | the old one signs, not published; goes |
//!
//! Each step waits until nothing that contradicts the next one is left in caches. Which DS records the parent should
//! have the zone says itself, in CDS and CDNSKEY (RFC 7344).

mod state;

use std::collections::BTreeSet;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::zone::{Before, Chain, KeyState, Plan, sign, sign_after};
use super::{SigningKey, Window};
use crate::authority::SignedZone;
use crate::authority::changes::soa_serial;
use crate::rdata;
use crate::wire::{CLASS_IN, RawRecord};

/// How long things take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long signatures hold.
    pub validity: u32,
    /// They are made anew when they have less than this left.
    pub refresh: u32,
    /// TTL of the DNSKEY set.
    pub dnskey_ttl: u32,
    /// The longest TTL in the zone.
    pub longest_ttl: u32,
    /// Until all servers of the zone have a new version.
    pub propagation: u32,
    /// TTL of the DS set at the parent.
    pub ds_ttl: u32,
    /// Until all servers of the parent have a new version.
    pub parent_propagation: u32,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            validity: 14 * 86_400,
            refresh: 4 * 86_400,
            dnskey_ttl: 3600,
            longest_ttl: 86_400,
            propagation: 3600,
            ds_ttl: 86_400,
            parent_propagation: 3600,
        }
    }
}

/// What is rolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    /// A zone signing key, published before it signs (RFC 6781 section 4.1.1.1).
    ZoneKey,
    /// An entry point, by double signature (RFC 6781 section 4.1.2).
    EntryPoint,
    /// All keys, for some of another algorithm (RFC 6781 section 4.1.4).
    Algorithm,
}

/// Where a roll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// New signatures without keys come to be everywhere: an algorithm's first step.
    Presigned,
    /// New keys come to be known everywhere.
    Spreading,
    /// The parent has to change its DS set: see [`LiveZone::parent_has`].
    AwaitingParent,
    /// The old DS set leaves the caches.
    ParentSpreading,
    /// The old keys leave the caches.
    Draining,
    /// The old signatures leave the caches: an algorithm's last step.
    Unpublished,
}

#[derive(Clone, Debug)]
struct Rolling {
    roll: Roll,
    stage: Stage,
    /// When the next step may be taken; `None`: somebody else has to act.
    due: Option<u64>,
    /// DNSKEY data of those that go.
    old: BTreeSet<Vec<u8>>,
}

/// A zone with its keys. Times are seconds since 1970.
#[derive(Debug)]
pub struct LiveZone {
    origin: Name,
    /// What people wrote, without what signing adds; the SOA's serial is the latest.
    records: Vec<RawRecord>,
    plan: Plan,
    timing: Timing,
    rolling: Option<Rolling>,
    signed: Arc<SignedZone>,
}

/// CDS and CDNSKEY (RFC 7344).
const CDS: RecordType = RecordType::CDS;
const CDNSKEY: RecordType = RecordType::CDNSKEY;
/// Signatures begin a little before they are made: clocks differ.
const EARLIER: u64 = 3600;

impl LiveZone {
    /// Signs a zone at `now`. The error says what of it can't be signed.
    pub fn new(
        origin: &Name,
        records: Vec<RawRecord>,
        keys: Vec<SigningKey>,
        chain: Chain,
        timing: Timing,
        now: u64,
    ) -> Result<LiveZone, String> {
        let keys = keys.into_iter().map(|key| (key, KeyState::Active)).collect();
        let window = window(now, timing);
        let plan = Plan { keys, window, chain, dnskey_ttl: timing.dnskey_ttl };
        let all = sign(origin, &with_requests(origin, &records, &plan, None), &plan)?;
        let signed = Arc::new(SignedZone::named(origin, &all)?);
        Ok(LiveZone { origin: origin.clone(), records, plan, timing, rolling: None, signed })
    }

    /// What people wrote: the zone without what signing adds.
    pub fn records(&self) -> &[RawRecord] {
        &self.records
    }

    /// The zone as it is to be served: give it to [`crate::authority::Authority::replace`].
    pub fn zone(&self) -> &Arc<SignedZone> {
        &self.signed
    }

    /// Tags of the keys and where each is in its life.
    pub fn states(&self) -> Vec<(u16, KeyState)> {
        self.plan.keys.iter().map(|(key, state)| (key.tag(), *state)).collect()
    }

    /// The roll under way and where it is.
    pub fn rolling(&self) -> Option<(Roll, Stage)> {
        self.rolling.as_ref().map(|rolling| (rolling.roll, rolling.stage))
    }

    /// Takes records away and adds others. The error says what does not fit; then nothing has changed.
    pub fn update(&mut self, now: u64, removed: &[RawRecord], added: &[RawRecord]) -> Result<(), String> {
        let before = self.records.clone();
        let same = |a: &RawRecord, b: &RawRecord| {
            a.name == b.name
                && a.rtype == b.rtype
                && rdata::canonical(a.rtype, &a.data) == rdata::canonical(b.rtype, &b.data)
        };
        for record in removed {
            match self.records.iter().position(|own| same(own, record)) {
                Some(_) if record.rtype == RecordType::SOA => {}
                Some(at) => {
                    self.records.remove(at);
                }
                None => {
                    self.records = before;
                    return Err(format!("{} is not there", crate::text::name_text(&record.name)));
                }
            }
        }
        for record in added.iter().filter(|record| record.rtype != RecordType::SOA) {
            if !self.records.iter().any(|own| same(own, record)) {
                self.records.push(record.clone());
            }
        }
        self.resign(now).inspect_err(|_| self.records = before)
    }

    /// Begins a roll to these keys. After an error nothing has changed.
    pub fn begin(&mut self, now: u64, roll: Roll, keys: Vec<SigningKey>) -> Result<(), String> {
        if self.rolling.is_some() {
            return Err("a roll is under way already".into());
        }
        let concerned = |key: &SigningKey| match roll {
            Roll::ZoneKey => !key.is_entry_point(),
            Roll::EntryPoint => key.is_entry_point(),
            Roll::Algorithm => true,
        };
        if keys.is_empty() || !keys.iter().all(concerned) {
            return Err("those keys are not of the kind that is rolled".into());
        }
        let old: BTreeSet<Vec<u8>> = self
            .plan
            .keys
            .iter()
            .map(|(key, _)| key)
            .filter(|key| concerned(key))
            .map(SigningKey::dnskey)
            .collect();
        if old.is_empty() {
            return Err("there is no such key to roll from".into());
        }
        let (state, stage, wait) = match roll {
            Roll::ZoneKey => (KeyState::Published, Stage::Spreading, self.timing.dnskey_ttl),
            Roll::EntryPoint => (KeyState::Active, Stage::Spreading, self.timing.dnskey_ttl),
            Roll::Algorithm => (KeyState::Unpublished, Stage::Presigned, self.timing.longest_ttl),
        };
        let before = self.plan.keys.len();
        self.plan.keys.extend(keys.into_iter().map(|key| (key, state)));
        let due = Some(now + u64::from(wait) + u64::from(self.timing.propagation));
        self.rolling = Some(Rolling { roll, stage, due, old });
        self.resign(now).inspect_err(|_| {
            self.plan.keys.truncate(before);
            self.rolling = None;
        })
    }

    /// The DS data that the parent publishes, as somebody has seen it there.
    pub fn parent_has(&mut self, now: u64, ds: &[Vec<u8>]) {
        let Some(rolling) = &mut self.rolling else { return };
        if rolling.stage != Stage::AwaitingParent {
            return;
        }
        let new = self.plan.keys.iter().map(|(key, _)| key).filter(|key| key.is_entry_point());
        let mut new = new.filter(|key| !rolling.old.contains(&key.dnskey()));
        let known = |key: &SigningKey| {
            [2, 4].into_iter().filter_map(|digest| key.ds(&self.origin, digest)).any(|own| ds.contains(&own))
        };
        if new.all(known) {
            rolling.stage = Stage::ParentSpreading;
            rolling.due =
                Some(now + u64::from(self.timing.ds_ttl) + u64::from(self.timing.parent_propagation));
        }
    }

    /// When [`LiveZone::advance`] has something to do.
    pub fn next_deadline(&self) -> u64 {
        let resign = self.first_end().saturating_sub(u64::from(self.timing.refresh));
        self.rolling.as_ref().and_then(|rolling| rolling.due).map_or(resign, |due| due.min(resign))
    }

    /// Takes the steps that are due. Whether there is a new version of the zone.
    pub fn advance(&mut self, now: u64) -> bool {
        let mut changed = false;
        while let Some(rolling) = self.rolling.clone()
            && rolling.due.is_some_and(|due| due <= now)
        {
            self.step(now, rolling);
            changed = true;
        }
        changed |= self.first_end().saturating_sub(u64::from(self.timing.refresh)) <= now;
        // What could be signed before can be signed again.
        changed && self.resign(now).is_ok()
    }

    fn step(&mut self, now: u64, mut rolling: Rolling) {
        let after = |wait: u32| Some(now + u64::from(wait) + u64::from(self.timing.propagation));
        let next = match (rolling.roll, rolling.stage) {
            (Roll::ZoneKey, Stage::Spreading) => {
                rolling.due = after(self.timing.longest_ttl);
                Some((Stage::Draining, KeyState::Active, KeyState::Retired))
            }
            (Roll::Algorithm, Stage::Presigned) => {
                rolling.due = after(self.timing.dnskey_ttl);
                Some((Stage::Spreading, KeyState::Active, KeyState::Active))
            }
            (_, Stage::Spreading) => {
                rolling.due = None;
                Some((Stage::AwaitingParent, KeyState::Active, KeyState::Active))
            }
            (Roll::Algorithm, Stage::ParentSpreading) => {
                // Signatures without a key harm nobody, a key without signatures does (RFC 4035 section 2.2).
                rolling.due = after(self.timing.dnskey_ttl);
                Some((Stage::Unpublished, KeyState::Active, KeyState::Unpublished))
            }
            _ => None,
        };
        let Some((stage, new, old)) = next else {
            self.plan.keys.retain(|(key, _)| !rolling.old.contains(&key.dnskey()));
            self.rolling = None;
            return;
        };
        for (key, state) in &mut self.plan.keys {
            // What is not rolled signs as before.
            let rolled = match rolling.roll {
                Roll::ZoneKey => !key.is_entry_point(),
                Roll::EntryPoint => key.is_entry_point(),
                Roll::Algorithm => true,
            };
            if rolled {
                *state = if rolling.old.contains(&key.dnskey()) { old } else { new };
            }
        }
        rolling.stage = stage;
        self.rolling = Some(rolling);
    }

    /// DNSKEY data of the keys that the parent is not asked to vouch for: the new ones until everybody knows them, then the old.
    fn not_asked_for(&self, rolling: &Rolling) -> BTreeSet<Vec<u8>> {
        match rolling.stage {
            Stage::AwaitingParent | Stage::ParentSpreading | Stage::Unpublished => rolling.old.clone(),
            // Where entry points are not rolled, all of them stay.
            _ if rolling.roll == Roll::ZoneKey => BTreeSet::new(),
            _ => {
                let keys = self.plan.keys.iter().map(|(key, _)| key.dnskey());
                // Those that stay beside a roll of entry points only sign data, and nobody vouches for them.
                keys.filter(|key| !rolling.old.contains(key)).collect()
            }
        }
    }

    /// When the first of its signatures ends. The newest ones tell which era their 32 bits are of.
    fn first_end(&self) -> u64 {
        let newest = u64::from(self.plan.window.expiration);
        let before = self.signed.first_end().map(|first| self.plan.window.expiration.wrapping_sub(first));
        newest.saturating_sub(u64::from(before.unwrap_or(0)))
    }

    /// A new version with a later serial.
    fn resign(&mut self, now: u64) -> Result<(), String> {
        self.resign_as(now, self.signed.serial().wrapping_add(1))
    }

    /// A new version with this serial.
    fn resign_as(&mut self, now: u64, serial: u32) -> Result<(), String> {
        let soa = self.records.iter_mut().find(|own| own.rtype == RecordType::SOA && own.name == self.origin);
        if let Some(soa) = soa
            && soa_serial(&soa.data).is_some()
        {
            let mut data = soa.data.to_vec();
            let at = data.len() - 20;
            data[at..at + 4].copy_from_slice(&serial.to_be_bytes());
            soa.data = data.into();
        }
        self.plan.window = window(now, self.timing);
        let left_out = self.rolling.as_ref().map(|rolling| self.not_asked_for(rolling));
        let before = Before { zone: &self.signed, until: (now + u64::from(self.timing.refresh)) as u32 };
        let wanted = with_requests(&self.origin, &self.records, &self.plan, left_out.as_ref());
        let all = sign_after(&self.origin, &wanted, &self.plan, Some(&before))?;
        self.signed = Arc::new(SignedZone::named(&self.origin, &all)?);
        Ok(())
    }
}

fn window(now: u64, timing: Timing) -> Window {
    Window {
        inception: now.saturating_sub(EARLIER) as u32,
        expiration: (now + u64::from(timing.validity)) as u32,
    }
}

/// The records with what the parent is asked for: DS records of the entry points that stay. While a new one spreads,
/// that is still the old one only; `without`: those that go, once their time has come.
fn with_requests(
    origin: &Name,
    records: &[RawRecord],
    plan: &Plan,
    without: Option<&BTreeSet<Vec<u8>>>,
) -> Vec<RawRecord> {
    let mut all = records.to_vec();
    let published = |state: KeyState| state == KeyState::Active;
    for (key, _) in plan.keys.iter().filter(|(key, state)| key.is_entry_point() && published(*state)) {
        if without.is_some_and(|without| without.contains(&key.dnskey())) {
            continue;
        }
        let mut add = |rtype, data: Vec<u8>| {
            let (name, data) = (origin.clone(), data.into());
            all.push(RawRecord { name, rtype, class: CLASS_IN, ttl: plan.dnskey_ttl, data });
        };
        add(CDNSKEY, key.dnskey());
        if let Some(ds) = key.ds(origin, 2) {
            add(CDS, ds);
        }
    }
    all
}

#[cfg(test)]
mod tests;
