//! Settings of what clients are told: sections, stale data, options of EDNS, DNS64.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::Builder;
use super::values::{name, number, prefix, yes};
use crate::service::dns64::Dns64;

impl Builder<'_> {
    /// Takes a setting of this kind; whether it was one.
    pub(super) fn answers(&mut self, setting: &Setting) -> Result<bool, String> {
        let config = &mut self.config;
        match setting.key.as_str() {
            "jostle-timeout" => config.jostle = Duration::from_millis(number(setting)?),
            "num-queries-per-thread" => config.clients_max = number(setting)?,
            "minimal-responses" => config.style.minimal = yes(setting),
            "ede" => config.style.extended_errors = yes(setting),
            "ede-serve-expired" => config.style.extended_errors_stale = yes(setting),
            "prefetch" => config.prefetch = yes(setting),
            "serve-expired" => config.stale.enabled = yes(setting),
            "serve-expired-ttl" => self.stale_ttl = number(setting)?,
            "serve-expired-ttl-reset" => config.stale.reset = yes(setting),
            "serve-expired-reply-ttl" => config.stale.reply_ttl = number(setting)?,
            "serve-expired-client-timeout" => {
                config.stale.client_timeout = Duration::from_millis(number(setting)?);
            }
            "dns64-prefix" => {
                let (IpAddr::V6(address), length) = prefix(&setting.value)? else {
                    return Err("no IPv6".into());
                };
                config.dns64.get_or_insert_with(Dns64::default).prefix = (address, length);
            }
            "dns64-synthall" => {
                if yes(setting) {
                    config.dns64.get_or_insert_with(Dns64::default).ignore.push(Name::root());
                }
            }
            "ignore-cd-flag" => config.style.ignore_checking_disabled = yes(setting),
            "deny-any" => config.deny_any = yes(setting),
            "dns64-ignore-aaaa" => {
                config.dns64.get_or_insert_with(Dns64::default).ignore.push(name(&setting.value)?);
            }
            "answer-cookie" => self.answer_cookie = yes(setting),
            "cookie-secret" => {
                let octets = crate::rdata::hex(&setting.value).ok_or("no hexadecimal")?;
                let word = |at: usize| Some(u64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?));
                self.cookie_key = Some(word(0).zip(word(8)).ok_or("no 16 octets")?);
            }
            "edns-tcp-keepalive" => {
                config.tcp_keepalive = yes(setting).then(|| config.tcp_keepalive.unwrap_or(1200));
            }
            "edns-tcp-keepalive-timeout" => {
                let tenths = u16::try_from(number::<u32>(setting)? / 100).map_err(|_| "too long")?;
                config.tcp_keepalive = config.tcp_keepalive.map(|_| tenths);
            }
            "version" => config.version = Some(setting.value.clone()),
            "identity" => config.identity = Some(setting.value.clone()),
            "hide-version" => self.hidden.0 = yes(setting),
            "hide-identity" => self.hidden.1 = yes(setting),
            "nsid" => {
                let value = &setting.value;
                config.name_server_id = Some(match value.strip_prefix("ascii_") {
                    Some(text) => text.as_bytes().to_vec(),
                    None => crate::rdata::hex(value).ok_or("neither ascii_ nor hexadecimal")?,
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
