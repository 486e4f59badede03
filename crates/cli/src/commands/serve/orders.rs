//! Orders to an authority: read the zones again, and what concerns keys.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum as _;
use serde_json::{Value, json};
use thru_names::dnssec::signing::live::{LiveZone, Roll};
use thru_names::dnssec::signing::{KEY_SIGNING, ZONE_SIGNING};
use thru_names::proto::rr::RecordType;
use thru_names::rdata::data_text;
use thru_names::text::{name_text, parse_name};
use thru_serve::nameserver::Engine;

use super::zones::Files;
use super::{keys, zones};
use crate::args::names::{Algorithm, ServeDnsArgs};
use crate::failure::Failure;

/// Seconds by which a rehearsal goes forward in one order.
const WAIT_MAX: u64 = 10 * 366 * 86_400;

/// Who carries them out.
pub(super) struct Orders {
    args: ServeDnsArgs,
    engine: Engine,
    files: Mutex<Files>,
}

impl Orders {
    pub(super) fn new(args: ServeDnsArgs, engine: Engine, files: Files) -> Orders {
        Orders { args, engine, files: Mutex::new(files) }
    }

    /// Carries out one; `None`: it is none of these.
    pub(super) fn obey(&self, words: &[&str]) -> Option<Value> {
        let result = match *words {
            ["reload"] => self.reload(),
            ["keys"] => Ok(self.keys()),
            ["roll", zone, kind] => self.roll(zone, kind, self.args.sign.unwrap_or(Algorithm::Ed25519)),
            ["roll", zone, kind, algorithm] => match Algorithm::from_str(algorithm, true) {
                Ok(algorithm) => self.roll(zone, kind, algorithm),
                Err(_) => Err(format!("there are no keys of `{algorithm}` here: ed25519, p256")),
            },
            ["parent", zone] => self.parent(zone),
            ["wait", seconds] if self.args.rehearse => match seconds.parse() {
                // Signing goes on all the way, and nobody is answered meanwhile.
                Ok(seconds) if seconds > WAIT_MAX => {
                    Err(format!("no more than {WAIT_MAX} s (ten years) at once"))
                }
                Ok(seconds) => {
                    self.engine.put_forward(Duration::from_secs(seconds));
                    Ok(self.keys())
                }
                Err(_) => Err(format!("`{seconds}` is no number of seconds")),
            },
            ["wait", _] => Err("time is only put forward in a rehearsal: serve with --rehearse".to_owned()),
            _ => return None,
        };
        Some(result.unwrap_or_else(|why| json!({ "error": why })))
    }

    /// The files again.
    pub(super) fn reload(&self) -> Result<Value, String> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let changed =
            zones::reload(&self.args, &mut files, &self.engine).map_err(|failure| failure.message)?;
        Ok(json!({ "changed": changed.iter().map(name_text).collect::<Vec<_>>() }))
    }

    fn keys(&self) -> Value {
        self.engine.change_signed(|zones, date| {
            let all: serde_json::Map<String, Value> =
                zones.iter().map(|zone| (name_text(zone.origin()), show(zone, date))).collect();
            Value::Object(all)
        })
    }

    fn roll(&self, zone: &str, kind: &str, algorithm: Algorithm) -> Result<Value, String> {
        let roll = Roll::of_word(kind)
            .ok_or_else(|| format!("`{kind}` is no roll: zone-key, entry-point, algorithm"))?;
        self.with(zone, |zone, date| {
            let flags = if roll == Roll::ZoneKey { ZONE_SIGNING } else { KEY_SIGNING };
            let why = |failure: Failure| failure.message;
            let folder = self.args.keys.as_deref();
            let key = keys::new(zone.origin(), algorithm, flags, folder).map_err(why)?;
            let files = keys::stem(zone.origin(), &key);
            // A roll that does not begin leaves nothing behind.
            zone.begin(date, roll, vec![key]).inspect_err(|_| keys::remove(folder, &files))
        })
    }

    fn parent(&self, zone: &str) -> Result<Value, String> {
        self.with(zone, |zone, date| {
            let wanted = keys::wanted(zone);
            zone.parent_has(date, &wanted);
            Ok(())
        })
    }

    fn with(
        &self,
        zone: &str,
        order: impl FnOnce(&mut LiveZone, u64) -> Result<(), String>,
    ) -> Result<Value, String> {
        let name = parse_name(zone).map_err(|why| format!("`{zone}` is no name: {why}"))?.to_lowercase();
        self.engine.change_signed(|zones, date| {
            let zone = zones.iter_mut().find(|zone| *zone.origin() == name);
            let zone = zone.ok_or_else(|| format!("no zone {} is signed here", name_text(&name)))?;
            order(zone, date)?;
            Ok(show(zone, date))
        })
    }
}

fn show(zone: &LiveZone, date: u64) -> Value {
    let keys: Vec<Value> =
        zone.states().iter().map(|(tag, state)| json!({ "tag": tag, "state": state.word() })).collect();
    let ds: Vec<String> = keys::wanted(zone).iter().map(|ds| data_text(RecordType::DS, ds)).collect();
    let mut shown = json!({
        "serial": zone.zone().serial(),
        "keys": keys,
        "ds": ds,
        "next_step_s": zone.next_deadline().saturating_sub(date),
    });
    if let Some((roll, stage)) = zone.rolling() {
        shown["roll"] = json!({ "what": roll.word(), "stage": stage.word() });
    }
    shown
}
