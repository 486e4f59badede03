//! Settings of the resolver: whom it asks, how, what it believes and keeps.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::Builder;
use super::values::{hints, name, number, octets, prefix, unquoted, yes};
use crate::resolver::Minimise;
use crate::service::dns64::Dns64;

impl Builder<'_> {
    /// Takes a setting of this kind; whether it was one.
    pub(super) fn asking(&mut self, setting: &Setting) -> Result<bool, String> {
        let config = &mut self.config;
        let resolver = &mut config.resolver;
        match setting.key.as_str() {
            "qname-minimisation" => {
                if !yes(setting) {
                    resolver.minimise = Minimise::Off;
                }
            }
            "qname-minimisation-strict" => {
                if yes(setting) && resolver.minimise != Minimise::Off {
                    resolver.minimise = Minimise::Strict;
                }
            }
            "root-hints" => {
                let text = self.script.files.get(&setting.value).ok_or("no such file")?;
                let records = crate::rdata::master_records(text, &Name::root())?;
                resolver.root_hints = hints(&records);
            }
            "iter-scrub-promiscuous" => resolver.scrubbing.promiscuous = yes(setting),
            "harden-unknown-additional" => resolver.scrubbing.addresses_only = yes(setting),
            "iter-scrub-ns" => resolver.scrubbing.servers_max = number(setting)?,
            "iter-scrub-cname" => resolver.scrubbing.aliases_max = number(setting)?,
            "max-query-restarts" => resolver.limits.aliases = number(setting)?,
            "max-global-quota" => resolver.limits.queries = number(setting)?,
            "outbound-msg-retry" => resolver.limits.tries = number::<u32>(setting)?.max(1),
            "harden-unverified-glue" => resolver.verify_sibling_glue = yes(setting),
            "harden-glue" => resolver.scrubbing.glue_from_anywhere = !yes(setting),
            "harden-below-nxdomain" => resolver.nothing_below_nxdomain = yes(setting),
            "rrset-cache-size" | "msg-cache-size" => {
                let room = &mut resolver.limits.cache_octets;
                let wanted = octets(&setting.value).ok_or("no size")?;
                *room = if self.sized { wanted.min(*room) } else { wanted };
                self.sized = true;
            }
            "do-ip4" => resolver.v4 = yes(setting),
            "do-ip6" => resolver.v6 = yes(setting),
            "tcp-upstream" => resolver.tcp_upstream = yes(setting),
            "use-caps-for-id" => resolver.mix_case = yes(setting),
            "disable-edns-do" => resolver.dnssec_ok = !yes(setting),
            "cache-max-ttl" => resolver.lifetimes.max = number(setting)?,
            "cache-min-ttl" => resolver.lifetimes.min = number(setting)?,
            "cache-max-negative-ttl" => resolver.lifetimes.max_negative = number(setting)?,
            "cache-min-negative-ttl" => resolver.lifetimes.min_negative = number(setting)?,
            "private-address" => resolver.scrubbing.private_addresses.push(prefix(&setting.value)?),
            "private-domain" => resolver.scrubbing.private_domains.push(name(&setting.value)?),
            "do-not-query-localhost" => {
                if !yes(setting) {
                    resolver.never_ask.clear();
                }
            }
            "do-not-query-address" => resolver.never_ask.push(prefix(&setting.value)?),
            "do-nat64" => {
                if yes(setting) {
                    let (address, length) = prefix("64:ff9b::/96")?;
                    if let IpAddr::V6(address) = address {
                        resolver.nat64.get_or_insert((address, length));
                        resolver.nat64_always = true;
                    }
                }
            }
            "nat64-prefix" => {
                let (IpAddr::V6(address), length) = prefix(&setting.value)? else {
                    return Err("no IPv6".into());
                };
                resolver.nat64 = Some((address, length));
            }
            "module-config" => {
                let text = format!("{} {}", setting.value, setting.rest);
                let words: Vec<&str> = text.split_whitespace().collect();
                for word in &words {
                    match *word {
                        "validator" | "iterator" | "respip" => {}
                        "dns64" => {
                            config.dns64.get_or_insert_with(Dns64::default);
                        }
                        other => return Err(format!("module {other} is not built")),
                    }
                }
                config.resolver.validate = words.contains(&"validator");
            }
            "dns-error-reporting" => resolver.report_errors = yes(setting),
            "serve-original-ttl" => resolver.lifetimes.original = yes(setting),
            "edns-client-string" => {
                let (address, length) = prefix(&setting.value)?;
                let text = unquoted(&setting.rest).as_bytes().to_vec();
                resolver.client_strings.insert(address, length, text);
            }
            "edns-client-string-opcode" => resolver.client_string_code = number(setting)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
