//! A script's configuration, as settings of our own server. What has no counterpart makes the script a skip.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::macros::{Clock, expand};
use super::script::{Dialect, Script, Setting};
use crate::dnssec::algorithm::Algorithms;
use crate::dnssec::upkeep::TrustPoint;
use crate::resolver::{Minimise, ResolverConfig, UpstreamKind};
use crate::service::access::Action;
use crate::service::clients::{TagNames, View};
use crate::service::{Service, ServiceConfig};
use policies::Policy;
use without_effect::WITHOUT_EFFECT;
use zones::Pending;

mod answers;
mod asking;
mod clients;
mod deckard;
mod policies;
mod validation;
mod values;
mod without_effect;
mod zones;

/// The server that the script wants, or why it can't be had.
pub(super) fn service(script: &Script) -> Result<Service, String> {
    let mut config = usual();
    if script.dialect == Dialect::Deckard {
        deckard::usual(&mut config);
    }
    Ok(Service::new(build(script, config)?, [7; 32]))
}

/// This machine, as prefixes.
fn localhost() -> Vec<(IpAddr, u8)> {
    vec![("127.0.0.0".parse().expect("an address"), 8), ("::1".parse().expect("an address"), 128)]
}

/// A server as testbound has it before it reads a script.
fn usual() -> ServiceConfig {
    let mut resolver = ResolverConfig::new(Vec::new());
    resolver.own_timers = false;
    resolver.mix_case = false;
    resolver.cookies = false;
    resolver.prime = true;
    resolver.scrubbing.first_alias_only = true;
    resolver.minimise = Minimise::Relaxed;
    resolver.algorithms = Algorithms::ALL;
    resolver.limits.queries = 200;
    resolver.limits.tries = 5;
    resolver.retry_unreachable = true;
    resolver.limits.aliases = 11;
    resolver.limits.restarts = 5;
    resolver.limits.depth = 12;
    resolver.limits.lookups = 64;
    resolver.limits.referrals = 130;
    resolver.never_ask = localhost();
    let mut config = ServiceConfig::new(resolver);
    config.prefetch = false;
    config.access.otherwise = Action::AllowSnoop;
    config.style.extended_errors = false;
    config.style.extended_errors_stale = false;
    config.style.extended_error_texts = false;
    config.style.bare_refusals = true;
    config.style.udp_payload = 4096;
    config.stale.reply_ttl = 30;
    config.tell_anchors = true;
    config.version = Some("unbound".into());
    config.identity = Some("localhost".into());
    config
}

/// A server's configuration out of a file in unbound's words, on top of `base`; `read` gives the files that it names.
/// With it, the settings that are taken and mean nothing, each with its line. The error names the line.
pub fn configured(
    text: &str,
    base: ServiceConfig,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(ServiceConfig, Vec<String>), String> {
    let whole = format!("{text}\nCONFIG_END\nSCENARIO_BEGIN\nSCENARIO_END\n");
    let mut script = super::script::parse(&whole).map_err(|(line, why)| format!("line {line}: {why}"))?;
    let named = |setting: &&Setting| {
        matches!(setting.key.as_str(), "zonefile" | "root-hints" | "trust-anchor-file")
            && !setting.value.is_empty()
    };
    let names: Vec<String> =
        script.config.iter().filter(named).map(|setting| setting.value.clone()).collect();
    for name in names {
        let text = read(&name)?;
        script.files.insert(name, text);
    }
    let idle = |setting: &&Setting| WITHOUT_EFFECT.contains(&setting.key.as_str());
    let told =
        script.config.iter().filter(idle).map(|setting| format!("line {}: {}", setting.line, setting.key));
    let told = told.collect();
    Ok((build(&script, base)?, told))
}

/// The configuration that the script wants, or why it can't be had.
fn build(script: &Script, config: ServiceConfig) -> Result<ServiceConfig, String> {
    let mut builder = Builder {
        config,
        script,
        upstream: None,
        policy: None,
        tags: TagNames::default(),
        view: None,
        view_of: Vec::new(),
        later: Vec::new(),
        stale_ttl: 86_400,
        digest_permissive: false,
        answer_cookie: false,
        cookie_key: None,
        sized: false,
        hidden: (false, false),
    };
    for setting in &script.config {
        builder.setting(setting).map_err(|why| format!("line {}: {}: {why}", setting.line, setting.key))?;
    }
    builder.end_clause()?;
    if builder.hidden.0 {
        builder.config.version = None;
    }
    if builder.hidden.1 {
        builder.config.identity = None;
    }
    builder.finish_local()?;
    // Who has anchors has to see signatures.
    builder.config.resolver.dnssec_ok |= !builder.config.resolver.anchors.is_empty();
    builder.config.cookie_key = builder.cookie_key.filter(|_| builder.answer_cookie);
    for zone in &mut builder.config.zones {
        zone.digest.permissive = builder.digest_permissive;
    }
    for (name, lines) in &script.autotrust {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| expand(line, &BTreeMap::new(), Clock { now: 0, timeout: 0 }))
            .collect::<Result<_, _>>()?;
        let point = TrustPoint::from_text(&lines.join("\n")).map_err(|why| format!("{name}: {why}"))?;
        builder.config.resolver.trust_points.push(point);
    }
    if builder.config.stale.enabled {
        builder.config.resolver.lifetimes.stale = builder.stale_ttl;
        if builder.stale_ttl == 0 {
            builder.config.resolver.lifetimes.stale = u32::MAX / 4;
        }
    }
    Ok(builder.config)
}

struct Builder<'a> {
    config: ServiceConfig,
    script: &'a Script,
    upstream: Option<(usize, Pending)>,
    policy: Option<Policy>,
    /// The names of tags.
    tags: TagNames,
    /// The view whose clause is being read.
    view: Option<usize>,
    /// Which clients have the view with which name.
    view_of: Vec<(IpAddr, u8, String)>,
    /// Settings about zones that may be named further down.
    later: Vec<Setting>,
    stale_ttl: u32,
    /// Zones whose digests are wrong are used all the same.
    digest_permissive: bool,
    /// Cookies of clients are answered, with this key.
    answer_cookie: bool,
    cookie_key: Option<(u64, u64)>,
    /// The cache's size was given.
    sized: bool,
    /// Version and identity are not told, wherever they are set.
    hidden: (bool, bool),
}

impl Builder<'_> {
    fn setting(&mut self, setting: &Setting) -> Result<(), String> {
        if setting.key == setting.clause && setting.value.is_empty() {
            self.end_clause()?;
            return match setting.clause.as_str() {
                "stub-zone" => self.begin(setting, UpstreamKind::Stub, false),
                "forward-zone" => self.begin(setting, UpstreamKind::Forward, false),
                "auth-zone" => self.begin(setting, UpstreamKind::Stub, true),
                "server" | "remote-control" => Ok(()),
                "rpz" => {
                    self.policy = Some(Policy::default());
                    Ok(())
                }
                "view" => {
                    self.config.clients.views.push(View::default());
                    self.view = Some(self.config.clients.views.len() - 1);
                    Ok(())
                }
                other => Err(format!("{other} is not built")),
            };
        }
        if self.script.dialect == Dialect::Deckard && self.deckard(setting)? {
            return Ok(());
        }
        match setting.clause.as_str() {
            "stub-zone" | "forward-zone" | "auth-zone" => self.zone(setting),
            "rpz" => self.policy_setting(setting),
            "view" => self.view_setting(setting),
            "remote-control" => Ok(()),
            _ => self.server(setting),
        }
    }

    fn server(&mut self, setting: &Setting) -> Result<(), String> {
        let taken = self.asking(setting)?
            || self.validation(setting)?
            || self.answers(setting)?
            || self.clients(setting)?
            || WITHOUT_EFFECT.contains(&setting.key.as_str());
        if taken { Ok(()) } else { Err("is not modelled".into()) }
    }
}
