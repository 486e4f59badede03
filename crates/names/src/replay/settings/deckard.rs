//! Settings of Deckard's scripts, which have no clauses.

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::values::{name, number, yes};
use super::{Builder, localhost};
use crate::resolver::{Minimise, Upstream, UpstreamKind};
use crate::service::ServiceConfig;

/// What such scripts take for granted: nobody primes, and servers may be anywhere.
pub(super) fn usual(config: &mut ServiceConfig) {
    config.resolver.prime = false;
    config.resolver.minimise = Minimise::Off;
    config.resolver.never_ask.clear();
}

impl Builder<'_> {
    /// Takes a setting that only Deckard has, or has otherwise; whether it was one.
    pub(super) fn deckard(&mut self, setting: &Setting) -> Result<bool, String> {
        let resolver = &mut self.config.resolver;
        let address = || setting.value.parse().map_err(|_| format!("no address: {}", setting.value));
        match setting.key.as_str() {
            "stub-addr" => {
                let server = name("k.root-servers.net.")?;
                resolver.root_hints.push((server, vec![address()?]));
            }
            "stub-name" => {
                let server = name(&setting.value)?;
                resolver.root_hints.iter_mut().for_each(|hint| hint.0 = server.clone());
            }
            "forward-addr" => resolver.upstreams.push(Upstream {
                zone: Name::root(),
                kind: UpstreamKind::Forward,
                addresses: vec![address()?],
                hosts: Vec::new(),
                first: false,
                tcp: false,
                no_cache: false,
                prime: false,
            }),
            "query-minimization" => {
                resolver.minimise = if yes(setting) { Minimise::Relaxed } else { Minimise::Off };
            }
            // The whole clock is set, not only what signatures are held against.
            "val-override-date" => {
                let seconds = crate::rdata::time(&setting.value).ok_or("no date")?;
                resolver.epoch = u64::from(seconds);
            }
            "val-override-timestamp" => resolver.epoch = number(setting)?,
            "do-not-query-localhost" if yes(setting) => resolver.never_ask = localhost(),
            "force-ipv6" => {}
            "features" | "feature-list" => return Err("settings of one resolver are not modelled".into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
