//! Settings of the validator: anchors, what is bogus, clocks.

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::Builder;
use super::values::{name, number, words, yes};
use crate::rdata::record_from_text;

impl Builder<'_> {
    /// Takes a setting of this kind; whether it was one.
    pub(super) fn validation(&mut self, setting: &Setting) -> Result<bool, String> {
        let config = &mut self.config;
        let resolver = &mut config.resolver;
        match setting.key.as_str() {
            "trust-anchor" => {
                let record = record_from_text(&words(setting).join(" "), &Name::root(), 3600, None)?;
                if !resolver.anchors.add(&record) {
                    return Err("neither DS nor DNSKEY".into());
                }
            }
            "harden-dnssec-stripped" => resolver.stripped_is_bogus = yes(setting),
            "zonemd-permissive-mode" => self.digest_permissive = yes(setting),
            "val-permissive-mode" => resolver.permissive = yes(setting),
            "hide-trustanchor" => config.tell_anchors = !yes(setting),
            "root-key-sentinel" => config.key_sentinel = yes(setting),
            "domain-insecure" => resolver.anchors.add_negative(name(&setting.value)?),
            "val-override-date" => {
                resolver.fixed_date = match setting.value.as_str() {
                    "" | "0" => None,
                    "-1" => {
                        resolver.ignore_times = true;
                        None
                    }
                    text => Some(crate::rdata::time(text).ok_or("no date")?),
                };
            }
            "val-max-restart" => resolver.limits.restarts = number(setting)?,
            "harden-algo-downgrade" => resolver.every_algorithm = yes(setting),
            "aggressive-nsec" => resolver.aggressive = yes(setting),
            "val-bogus-ttl" => resolver.lifetimes.bogus = number(setting)?,
            "val-nsec3-keysize-iterations" => {
                let words: Vec<&str> = setting.value.split_whitespace().collect();
                let last = words.get(1).and_then(|word| word.parse().ok()).ok_or("no list")?;
                resolver.nsec3_iterations = last;
            }
            "trust-anchor-file" => {
                let text = self.script.files.get(&setting.value).ok_or("no such file")?;
                for record in crate::rdata::master_records(text, &Name::root())? {
                    resolver.anchors.add(&record);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
