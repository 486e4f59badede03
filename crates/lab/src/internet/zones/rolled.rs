//! Zones on their way to other keys: rolled by what rolls those of `thru serve dns`, in the past, up to the step wanted.

use std::sync::Arc;

use hickory_proto::rr::Name;
use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::live::{LiveZone, Roll, Stage, Timing};
use thru_names::dnssec::signing::zone::Chain;
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, ZONE_SIGNING};
use thru_names::text::name_text;
use thru_names::wire::RawRecord;
use thru_serve::nameserver::randomness;

use super::{SHA256, keys};
use crate::scenario::service::roll::{Place, Rolling};

/// The roll began so many seconds before the lab's date: none takes longer.
const AGO: u64 = 5 * 86_400;
/// A key for the algorithm that is left behind. It is the same in every lab and run, and protects nothing; signatures by RSA
/// repeat, octet for octet, whatever randomness goes in.
const RSA: &[u8] = include_bytes!("../rsa.pk8");

/// How long things take, in seconds: as an operator would have it, to whom a day is long.
fn timing(records: &[RawRecord]) -> Timing {
    Timing {
        validity: 20 * 86_400,
        refresh: 86_400,
        dnskey_ttl: 3600,
        longest_ttl: records.iter().map(|record| record.ttl).max().unwrap_or(0).min(86_400),
        propagation: 60,
        ds_ttl: 86_400,
        parent_propagation: 60,
    }
}

/// The keys before a roll, and those that it leads to.
fn before_and_after(origin: &Name, roll: Roll) -> (Vec<SigningKey>, Vec<SigningKey>) {
    let [entry, data, next_entry] = keys(origin);
    let next_data = || {
        let zone = name_text(&origin.to_lowercase());
        SigningKey::of_phrase(&format!("throughline lab next data {zone}"), ZONE_SIGNING)
    };
    match roll {
        Roll::ZoneKey => (vec![entry, data], vec![next_data()]),
        Roll::EntryPoint => (vec![entry, data], vec![next_entry]),
        Roll::Algorithm => {
            let old = SigningKey::rsa(RSA, KEY_SIGNING, randomness()).expect("a key that openssl made");
            (vec![old], vec![entry, data])
        }
    }
}

/// The key that the zone above vouches for.
pub(super) fn entry_point(origin: &Name, rolling: Rolling) -> SigningKey {
    let (old, new) = before_and_after(origin, rolling.roll);
    let keys = if rolling.told { new } else { old };
    keys.into_iter().find(SigningKey::is_entry_point).expect("each set has one")
}

/// The zone at that step. The error says what can't be signed.
pub(super) fn zone(
    origin: &Name,
    records: &[RawRecord],
    rolling: Rolling,
    chain: Chain,
    date: u64,
) -> Result<Arc<SignedZone>, String> {
    let begin = date.saturating_sub(AGO);
    let (old, new) = before_and_after(origin, rolling.roll);
    let ds: Vec<Vec<u8>> = new.iter().filter_map(|key| key.ds(origin, SHA256)).collect();
    let mut live = LiveZone::new(origin, records.to_vec(), old, chain, timing(records), begin)?;
    if rolling.place == Place::Before {
        return Ok(live.zone().clone());
    }
    live.begin(begin, rolling.roll, new)?;
    let mut now = begin;
    loop {
        let place = live.rolling().map_or(Place::Over, |(_, stage)| Place::At(stage));
        if place == rolling.place {
            return Ok(live.zone().clone());
        }
        if place == Place::Over {
            return Err("a roll has no such step".to_owned());
        }
        if place == Place::At(Stage::AwaitingParent) {
            live.parent_has(now, &ds);
            continue;
        }
        now = live.next_deadline().max(now);
        live.advance(now);
    }
}

#[cfg(test)]
mod tests;
