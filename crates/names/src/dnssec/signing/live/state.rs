//! What of a live zone has to outlast the process: its serial, where each key is in its life, and the roll under way.
//! The records stand in the zone's file and the keys in theirs.
//!
//! ```text
//! serial 2026112101
//! key 12345/15 active
//! key 23456/15 active
//! roll entry-point parent-spreading until 1763900000 from 12345/15
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hickory_proto::rr::{Name, RecordType};

use super::{LiveZone, Roll, Rolling, Stage, Timing, window, with_requests};
use crate::authority::SignedZone;
use crate::authority::changes::{is_newer, soa_serial};
use crate::dnssec::signing::SigningKey;
use crate::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use crate::wire::RawRecord;

const STATES: [(KeyState, &str); 5] = [
    (KeyState::Published, "published"),
    (KeyState::Active, "active"),
    (KeyState::Retired, "retired"),
    (KeyState::Unpublished, "unpublished"),
    (KeyState::Revoked, "revoked"),
];
const ROLLS: [(Roll, &str); 3] =
    [(Roll::ZoneKey, "zone-key"), (Roll::EntryPoint, "entry-point"), (Roll::Algorithm, "algorithm")];
const STAGES: [(Stage, &str); 6] = [
    (Stage::Presigned, "presigned"),
    (Stage::Spreading, "spreading"),
    (Stage::AwaitingParent, "awaiting-parent"),
    (Stage::ParentSpreading, "parent-spreading"),
    (Stage::Draining, "draining"),
    (Stage::Unpublished, "unpublished"),
];

fn word<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(other, _)| *other == value).map_or("", |(_, word)| word)
}

fn value<T: Copy>(words: &[(T, &str)], text: &str) -> Option<T> {
    words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value)
}

impl KeyState {
    /// The state in a word, as in `active`.
    pub fn word(self) -> &'static str {
        word(&STATES, self)
    }
}

impl Roll {
    /// The roll of this name: `zone-key`, `entry-point` or `algorithm`.
    pub fn of_word(text: &str) -> Option<Roll> {
        value(&ROLLS, text)
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        word(&ROLLS, self)
    }
}

impl Stage {
    /// Its name, as in `awaiting-parent`.
    pub fn word(self) -> &'static str {
        word(&STAGES, self)
    }
}

/// A key in a line: its tag and its algorithm.
fn label(key: &SigningKey) -> String {
    format!("{}/{}", key.tag(), key.algorithm())
}

impl LiveZone {
    /// The zone's name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// What [`LiveZone::restore`] goes on from.
    pub fn saved(&self) -> String {
        let mut text = format!("serial {}\n", self.signed.serial());
        for (key, state) in &self.plan.keys {
            let _ = writeln!(text, "key {} {}", label(key), state.word());
        }
        if let Some(Rolling { roll, stage, due, old }) = &self.rolling {
            let _ = write!(text, "roll {} {}", roll.word(), stage.word());
            if let Some(due) = due {
                let _ = write!(text, " until {due}");
            }
            text.push_str(" from");
            for (key, _) in self.plan.keys.iter().filter(|(key, _)| old.contains(&key.dnskey())) {
                let _ = write!(text, " {}", label(key));
            }
            text.push('\n');
        }
        text
    }

    /// A zone as [`LiveZone::saved`] left it, with its records and keys, signed anew at `now`. Keys that `saved` does not
    /// name are those of rolls that are over: they are left out. The error says what does not fit.
    pub fn restore(
        origin: &Name,
        records: Vec<RawRecord>,
        keys: Vec<SigningKey>,
        chain: Chain,
        timing: Timing,
        saved: &str,
        now: u64,
    ) -> Result<LiveZone, String> {
        let saved = Saved::read(saved)?;
        let mut plan =
            Plan { keys: Vec::new(), window: window(now, timing), chain, dnskey_ttl: timing.dnskey_ttl };
        let mut keys: Vec<(String, SigningKey)> = keys.into_iter().map(|key| (label(&key), key)).collect();
        for (name, state) in &saved.keys {
            let at = keys.iter().position(|(label, _)| label == name);
            let at = at.ok_or_else(|| format!("the key {name} is not there"))?;
            plan.keys.push((keys.swap_remove(at).1, *state));
        }
        let rolling = saved.roll.map(|(roll, stage, due, from)| {
            let old = plan.keys.iter().map(|(key, _)| key).filter(|key| from.contains(&label(key)));
            Rolling { roll, stage, due, old: old.map(SigningKey::dnskey).collect() }
        });
        let all = sign(origin, &with_requests(origin, &records, &plan, None), &plan)?;
        let signed = std::sync::Arc::new(SignedZone::named(origin, &all)?);
        let mut zone = LiveZone { origin: origin.clone(), records, plan, timing, rolling, signed };
        zone.resign_after(now, saved.serial)?;
        Ok(zone)
    }

    /// Other records in place of those it has, as from a file that has changed. The serial grows, whatever theirs is.
    pub fn replace(&mut self, now: u64, records: Vec<RawRecord>) -> Result<(), String> {
        let serial = self.signed.serial();
        let before = std::mem::replace(&mut self.records, records);
        self.resign_after(now, serial).inspect_err(|_| self.records = before)
    }

    /// Signs anew under a serial that is later than this one, and not before the one in the records.
    fn resign_after(&mut self, now: u64, serial: u32) -> Result<(), String> {
        let is_soa = |own: &&RawRecord| own.rtype == RecordType::SOA && own.name == self.origin;
        let own = self.records.iter().find(is_soa).and_then(|soa| soa_serial(&soa.data));
        let own = own.ok_or("there is no SOA at its origin")?;
        let next = if is_newer(own, serial) { own } else { serial.wrapping_add(1) };
        self.resign_as(now, next)
    }
}

/// `saved`, read.
struct Saved {
    serial: u32,
    keys: Vec<(String, KeyState)>,
    roll: Option<(Roll, Stage, Option<u64>, BTreeSet<String>)>,
}

impl Saved {
    fn read(text: &str) -> Result<Saved, String> {
        let mut saved = Saved { serial: 0, keys: Vec::new(), roll: None };
        for line in text.lines() {
            let bad = || format!("not understood: `{line}`");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                ["serial", serial] => saved.serial = serial.parse().map_err(|_| bad())?,
                ["key", key, state] => {
                    saved.keys.push((key.to_owned(), value(&STATES, state).ok_or_else(bad)?));
                }
                ["roll", roll, stage, ref rest @ ..] => {
                    let (roll, stage) = (Roll::of_word(roll), value(&STAGES, stage));
                    let (due, from) = match *rest {
                        ["until", due, "from", ref from @ ..] => {
                            (Some(due.parse().map_err(|_| bad())?), from)
                        }
                        ["from", ref from @ ..] => (None, from),
                        _ => return Err(bad()),
                    };
                    let from = from.iter().map(|&key| key.to_owned()).collect();
                    saved.roll = Some((roll.ok_or_else(bad)?, stage.ok_or_else(bad)?, due, from));
                }
                _ => return Err(bad()),
            }
        }
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnssec::signing::{KEY_SIGNING, ZONE_SIGNING};
    use crate::rdata::master_records;
    use crate::text::parse_name;

    const NOW: u64 = 1_760_000_000;

    fn records(serial: u32, extra: &str) -> Vec<RawRecord> {
        let text = format!(
            "@ 3600 IN SOA ns admin {serial} 3600 600 86400 60\n@ 3600 IN NS ns\nns 60 IN A 192.0.2.1\n{extra}"
        );
        master_records(&text, &parse_name("example.").expect("a name")).expect("a zone")
    }

    fn key(phrase: &str, flags: u16) -> SigningKey {
        SigningKey::of_phrase(phrase, flags)
    }

    fn zone() -> LiveZone {
        let origin = parse_name("example.").expect("a name");
        let keys = vec![key("entry", KEY_SIGNING), key("zone", ZONE_SIGNING)];
        LiveZone::new(&origin, records(7, ""), keys, Chain::Nsec, Timing::default(), NOW).expect("it signs")
    }

    fn again(saved: &str, serial: u32, now: u64) -> Result<LiveZone, String> {
        let origin = parse_name("example.").expect("a name");
        let keys = vec![
            key("stray", ZONE_SIGNING),
            key("zone", ZONE_SIGNING),
            key("next", ZONE_SIGNING),
            key("entry", KEY_SIGNING),
        ];
        LiveZone::restore(&origin, records(serial, ""), keys, Chain::Nsec, Timing::default(), saved, now)
    }

    #[test]
    fn a_roll_goes_on_after_a_restart_where_it_was() {
        let (mut stays, mut leaves) = (zone(), zone());
        for zone in [&mut stays, &mut leaves] {
            zone.begin(NOW, Roll::ZoneKey, vec![key("next", ZONE_SIGNING)]).expect("it begins");
        }
        let mut steps = 0;
        let mut now = NOW;
        while stays.rolling().is_some() {
            let mut restored = again(&leaves.saved(), 7, now).expect("it fits");
            assert_eq!((restored.states(), restored.rolling()), (leaves.states(), leaves.rolling()));
            assert!(is_newer(restored.zone().serial(), leaves.zone().serial()));
            now = stays.next_deadline();
            assert!(stays.advance(now) && restored.advance(now));
            assert_eq!((restored.states(), restored.rolling()), (stays.states(), stays.rolling()));
            leaves = restored;
            steps += 1;
        }
        assert_eq!(steps, 2, "published, then retired, then gone");
        assert!(!leaves.saved().contains("roll"));
    }

    #[test]
    fn serials_only_grow() {
        let mut zone = zone();
        for (serial, expected) in [(7, 8), (8, 9), (20, 20), (3, 21)] {
            zone.replace(NOW, records(serial, "")).expect("it signs");
            assert_eq!(zone.zone().serial(), expected, "after a file with {serial}");
        }
        assert_eq!(again(&zone.saved(), 20, NOW).expect("it fits").zone().serial(), 22);
        assert_eq!(again(&zone.saved(), 40, NOW).expect("it fits").zone().serial(), 40);
        let before = zone.saved();
        assert!(zone.replace(NOW, records(50, "www.elsewhere. 60 IN A 192.0.2.9\n")).is_err());
        assert_eq!(zone.saved(), before, "what does not fit changes nothing");
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let said = |saved: &str| again(saved, 7, NOW).expect_err("it does not fit");
        assert_eq!(said("serial 1\nkey 1/15 active"), "the key 1/15 is not there");
        assert_eq!(said("serial one"), "not understood: `serial one`");
        assert_eq!(
            said("roll zone-key nowhere from 1/15"),
            "not understood: `roll zone-key nowhere from 1/15`"
        );
        assert_eq!(said("serial 1"), "no key is active");
    }
}
