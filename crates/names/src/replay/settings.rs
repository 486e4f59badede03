//! A script's configuration, as settings of our own server. What has no counterpart makes the script a skip.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};

use super::macros::{Clock, expand};
use super::script::{Script, Setting};
use crate::authority::SignedZone;
use crate::authority::secondary::SecondaryConfig;
use crate::dnssec::algorithm::Algorithms;
use crate::dnssec::upkeep::TrustPoint;
use crate::rdata::{name_from_text, record_from_text};
use crate::resolver::{Minimise, ResolverConfig, Upstream, UpstreamKind};
use crate::service::access::Action;
use crate::service::dns64::Dns64;
use crate::service::held::HeldZone;
use crate::service::local::Kind;
use crate::service::policy::{self, Override, PolicyZone};
use crate::service::{Service, ServiceConfig};
use crate::wire::RawRecord;

/// Settings that change nothing we model: logs, sizes, threads, and hardening that we always do.
const WITHOUT_EFFECT: &[&str] = &[
    "target-fetch-policy",
    "fake-sha1",
    "fake-dsa",
    "trust-anchor-signaling",
    "rrset-roundrobin",
    "log-time-ascii",
    "log-servfail",
    "log-queries",
    "verbosity",
    "val-log-level",
    "harden-referral-path",
    "harden-glue",
    "harden-large-queries",
    "harden-short-bufsize",
    "msg-cache-size",
    "msg-cache-slabs",
    "rrset-cache-size",
    "rrset-cache-slabs",
    "zonemd-permissive-mode",
    "discard-timeout",
    "directory",
    "chroot",
    "pidfile",
    "username",
    "do-udp",
    "do-tcp",
    "use-syslog",
    "prefetch-key",
    "infra-cache-numhosts",
    "delay-close",
    "max-udp-size",
    "so-reuseport",
    "num-threads",
    "outgoing-range",
    "ip-ratelimit",
    "ratelimit",
    "rpz-log",
    "rpz-log-name",
    "unwanted-reply-threshold",
    "extended-statistics",
    "statistics-interval",
    "key-cache-size",
    "interface",
    "wait-limit",
];

/// The server that the script wants, or why it can't be had.
pub(super) fn service(script: &Script) -> Result<Service, String> {
    let mut resolver = ResolverConfig::new(Vec::new());
    resolver.own_timers = false;
    resolver.mix_case = false;
    resolver.cookies = false;
    resolver.prime = true;
    resolver.scrubbing.first_alias_only = true;
    resolver.minimise = Minimise::Relaxed;
    resolver.algorithms = Algorithms::ALL;
    resolver.aggressive = false;
    resolver.limits.queries = 200;
    resolver.limits.tries = 5;
    resolver.limits.aliases = 11;
    resolver.limits.restarts = 5;
    resolver.limits.depth = 12;
    resolver.limits.lookups = 64;
    resolver.limits.referrals = 130;
    resolver.never_ask =
        vec![("127.0.0.0".parse().expect("an address"), 8), ("::1".parse().expect("an address"), 128)];
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
    let mut builder = Builder {
        config,
        script,
        upstream: None,
        policy: None,
        policies: Vec::new(),
        tagged: Vec::new(),
        stale_ttl: 86_400,
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
    builder.tag_policies();
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
    Ok(Service::new(builder.config, [7; 32]))
}

struct Builder<'a> {
    config: ServiceConfig,
    script: &'a Script,
    upstream: Option<(usize, Pending)>,
    policy: Option<Policy>,
    /// Policy zones with the tags of the clients whom they concern.
    policies: Vec<(PolicyZone, Vec<String>)>,
    /// Clients' tags, by prefix.
    tagged: Vec<(IpAddr, u8, Vec<String>)>,
    stale_ttl: u32,
    /// Version and identity are not told, wherever they are set.
    hidden: (bool, bool),
}

/// A policy zone's clause while it is read.
#[derive(Default)]
struct Policy {
    origin: Name,
    file: Option<String>,
    action: String,
    target: Option<Name>,
    tags: Vec<String>,
}

/// Files inside files, at most.
const INCLUDES_MAX: usize = 16;

/// A file of the script with those that it includes.
fn with_includes(script: &Script, file: &str) -> Result<String, String> {
    let file_text = |file: &str| script.files.get(file).cloned().ok_or_else(|| format!("no file {file}"));
    let mut text = file_text(file)?;
    for _ in 0..INCLUDES_MAX {
        let Some(line) = text.lines().find(|line| line.starts_with("$INCLUDE")).map(str::to_owned) else {
            return Ok(text);
        };
        let name = line.split_whitespace().nth(1).unwrap_or("");
        text = text.replacen(&line, &file_text(name)?, 1);
    }
    Err(format!("{file} includes too much"))
}

/// All words of a setting's value.
fn words(setting: &Setting) -> Vec<String> {
    format!("{} {}", setting.value, setting.rest).split_whitespace().map(str::to_owned).collect()
}

struct Pending {
    upstream: Upstream,
    zone_file: Option<String>,
    primaries: Vec<SocketAddr>,
    notify_from: Vec<(IpAddr, u8)>,
    auth: bool,
    for_upstream: bool,
    for_downstream: bool,
}

fn yes(setting: &Setting) -> bool {
    setting.value == "yes"
}

fn number<T: std::str::FromStr>(setting: &Setting) -> Result<T, String> {
    setting.value.parse().map_err(|_| format!("no number: {}", setting.value))
}

fn name(text: &str) -> Result<Name, String> {
    name_from_text(text, &Name::root())
}

/// `address`, `address/length`.
fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().map_err(|_| format!("no address: {text}"))?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        Some(length) => length.parse().map_err(|_| format!("no prefix: {text}"))?,
        None => whole,
    };
    Ok((address, length))
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
                "view" => Err("views are not built".into()),
                other => Err(format!("{other} is not built")),
            };
        }
        match setting.clause.as_str() {
            "stub-zone" | "forward-zone" | "auth-zone" => self.zone(setting),
            "rpz" => self.policy_setting(setting),
            "remote-control" => Ok(()),
            _ => self.server(setting),
        }
    }

    fn begin(&mut self, setting: &Setting, kind: UpstreamKind, auth: bool) -> Result<(), String> {
        let upstream = Upstream {
            zone: Name::root(),
            kind,
            addresses: Vec::new(),
            hosts: Vec::new(),
            first: false,
            tcp: false,
            no_cache: false,
            prime: false,
        };
        let pending = Pending {
            upstream,
            zone_file: None,
            primaries: Vec::new(),
            notify_from: Vec::new(),
            auth,
            for_upstream: true,
            for_downstream: true,
        };
        self.upstream = Some((setting.clause_number, pending));
        Ok(())
    }

    fn policy_setting(&mut self, setting: &Setting) -> Result<(), String> {
        let Some(policy) = &mut self.policy else { return Err("outside of a clause".into()) };
        match setting.key.as_str() {
            "name" => policy.origin = name(&setting.value)?.to_lowercase(),
            "zonefile" => policy.file = Some(setting.value.clone()),
            "rpz-log" | "rpz-log-name" => {}
            "rpz-cname-override" => policy.target = Some(name(&setting.value)?),
            "rpz-action-override" => policy.action = setting.value.clone(),
            "tags" => policy.tags = words(setting),
            "master" | "primary" | "url" => return Err("zone transfers are not built".into()),
            other => return Err(format!("{other} is not modelled")),
        }
        Ok(())
    }

    fn end_policy(&mut self) -> Result<(), String> {
        let Some(policy) = self.policy.take() else { return Ok(()) };
        let file = policy.file.ok_or("zones by transfer are not built")?;
        let text = self.script.files.get(&file).ok_or_else(|| format!("no file {file}"))?;
        let records = crate::rdata::master_records(text, &policy.origin)?;
        let mut zone = PolicyZone::new(&policy.origin, &records)?;
        zone.instead = match policy.action.as_str() {
            "" => Override::None,
            "disabled" => Override::Disabled,
            "nodata" => Override::Action(policy::Action::NoData),
            "nxdomain" => Override::Action(policy::Action::NoName),
            "passthru" => Override::Action(policy::Action::PassThrough),
            "drop" => Override::Action(policy::Action::Drop),
            "cname" => {
                let target = policy.target.ok_or("rpz-cname-override is missing")?;
                Override::Action(policy::Action::Data(vec![RawRecord {
                    name: policy.origin,
                    rtype: RecordType::CNAME,
                    class: 1,
                    ttl: 3600,
                    data: crate::wire::name_to_wire(&target).into(),
                }]))
            }
            other => return Err(format!("action {other} is not built")),
        };
        self.policies.push((zone, policy.tags));
        Ok(())
    }

    /// Which clients a tagged policy zone concerns is known when all is read.
    fn tag_policies(&mut self) {
        for (mut zone, tags) in std::mem::take(&mut self.policies) {
            if !tags.is_empty() {
                let tagged =
                    self.tagged.iter().filter(|(_, _, have)| have.iter().any(|tag| tags.contains(tag)));
                zone.only = Some(tagged.map(|(at, bits, _)| (*at, *bits)).collect());
            }
            self.config.policies.push(zone);
        }
    }

    fn end_clause(&mut self) -> Result<(), String> {
        self.end_policy()?;
        let Some((_, pending)) = self.upstream.take() else { return Ok(()) };
        let upstream = pending.upstream;
        if pending.auth {
            let text = match &pending.zone_file {
                Some(file) => with_includes(self.script, file)?,
                None => String::new(),
            };
            let records = crate::rdata::master_records(&text, &upstream.zone)
                .map_err(|error| format!("the zone file: {error}"))?;
            let inside: Vec<RawRecord> =
                records.into_iter().filter(|record| upstream.zone.zone_of(&record.name)).collect();
            // Without a file that can be used there may still be primaries.
            let zone = SignedZone::named(&upstream.zone, &inside).ok().map(Arc::new);
            let source =
                (!(pending.primaries.is_empty() && upstream.hosts.is_empty())).then(|| SecondaryConfig {
                    zone: upstream.zone.clone(),
                    primaries: pending.primaries,
                    hosts: upstream.hosts,
                    notify_from: pending.notify_from,
                });
            self.config.zones.push(HeldZone {
                origin: upstream.zone,
                zone,
                source,
                for_clients: pending.for_downstream,
                for_resolver: pending.for_upstream,
                fallback: upstream.first,
            });
            return Ok(());
        }
        self.config.resolver.upstreams.push(upstream);
        Ok(())
    }

    fn zone(&mut self, setting: &Setting) -> Result<(), String> {
        let Some((_, pending)) = &mut self.upstream else { return Err("outside of a clause".into()) };
        let upstream = &mut pending.upstream;
        match setting.key.as_str() {
            "name" => upstream.zone = name(&setting.value)?.to_lowercase(),
            "stub-addr" | "forward-addr" => {
                let text = setting.value.split(['@', '#']).next().unwrap_or("");
                upstream.addresses.push(text.parse().map_err(|_| format!("no address: {text}"))?);
            }
            "stub-host" | "forward-host" => upstream.hosts.push(name(&setting.value)?),
            "stub-prime" => upstream.prime = yes(setting),
            "stub-first" | "forward-first" | "fallback-enabled" => upstream.first = yes(setting),
            "stub-tcp-upstream" | "forward-tcp-upstream" => upstream.tcp = yes(setting),
            "stub-no-cache" | "forward-no-cache" => upstream.no_cache = yes(setting),
            "for-upstream" => pending.for_upstream = yes(setting),
            "for-downstream" => pending.for_downstream = yes(setting),
            "zonefile" => pending.zone_file = Some(setting.value.clone()),
            "zonemd-check" | "zonemd-reject-absence" if !yes(setting) => {}
            "zonemd-check" | "zonemd-reject-absence" => return Err("zone digests are not built".into()),
            "master" | "primary" if pending.auth => match setting.value.parse::<IpAddr>() {
                Ok(address) => pending.primaries.push(SocketAddr::new(address, 53)),
                Err(_) => upstream.hosts.push(name(&setting.value)?),
            },
            "allow-notify" if pending.auth => match prefix(&setting.value) {
                Ok(prefix) => pending.notify_from.push(prefix),
                Err(_) => return Err("notices from whom a name stands for are not built".into()),
            },
            other => return Err(format!("{other} is not modelled")),
        }
        Ok(())
    }

    fn server(&mut self, setting: &Setting) -> Result<(), String> {
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
            "trust-anchor" => {
                let record = record_from_text(&setting.value, &Name::root(), 3600, None)?;
                if !resolver.anchors.add(&record) {
                    return Err("neither DS nor DNSKEY".into());
                }
            }
            "define-tag" => {}
            "access-control-tag" => {
                let (address, bits) = prefix(&setting.value)?;
                let tags = setting.rest.split_whitespace().map(|tag| tag.trim_matches('"').to_owned());
                self.tagged.push((address, bits, tags.collect()));
            }
            "root-hints" => {
                let text = self.script.files.get(&setting.value).ok_or("no such file")?;
                let records = crate::rdata::master_records(text, &Name::root())?;
                resolver.root_hints = hints(&records);
            }
            "jostle-timeout" => config.jostle = Duration::from_millis(number(setting)?),
            "harden-dnssec-stripped" => resolver.stripped_is_bogus = yes(setting),
            "val-permissive-mode" => resolver.permissive = yes(setting),
            "num-queries-per-thread" => config.clients_max = number(setting)?,
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
            "minimal-responses" => config.style.minimal = yes(setting),
            "ede" => config.style.extended_errors = yes(setting),
            "ede-serve-expired" => config.style.extended_errors_stale = yes(setting),
            "iter-scrub-promiscuous" => resolver.scrubbing.promiscuous = yes(setting),
            "harden-unknown-additional" => resolver.scrubbing.addresses_only = yes(setting),
            "iter-scrub-ns" => resolver.scrubbing.servers_max = number(setting)?,
            "iter-scrub-cname" => resolver.scrubbing.aliases_max = number(setting)?,
            "max-query-restarts" => resolver.limits.aliases = number(setting)?,
            "max-global-quota" => resolver.limits.queries = number(setting)?,
            "outbound-msg-retry" => resolver.limits.tries = number::<u32>(setting)?.max(1),
            "val-max-restart" => resolver.limits.restarts = number(setting)?,
            "harden-unverified-glue" => resolver.verify_sibling_glue = yes(setting),
            "harden-below-nxdomain" => resolver.nothing_below_nxdomain = yes(setting),
            "harden-algo-downgrade" if !yes(setting) => {}
            "aggressive-nsec" => resolver.aggressive = yes(setting),
            "prefetch" => config.prefetch = yes(setting),
            "do-ip4" => resolver.v4 = yes(setting),
            "do-ip6" => resolver.v6 = yes(setting),
            "tcp-upstream" => resolver.tcp_upstream = yes(setting),
            "use-caps-for-id" => resolver.mix_case = yes(setting),
            "disable-edns-do" => resolver.dnssec_ok = !yes(setting),
            "cache-max-ttl" => resolver.lifetimes.max = number(setting)?,
            "cache-min-ttl" => resolver.lifetimes.min = number(setting)?,
            "cache-max-negative-ttl" => resolver.lifetimes.max_negative = number(setting)?,
            "cache-min-negative-ttl" => resolver.lifetimes.min_negative = number(setting)?,
            "val-bogus-ttl" => resolver.lifetimes.bogus = number(setting)?,
            "val-nsec3-keysize-iterations" => {
                let words: Vec<&str> = setting.value.split_whitespace().collect();
                let last = words.get(1).and_then(|word| word.parse().ok()).ok_or("no list")?;
                resolver.nsec3_iterations = last;
            }
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
            "serve-expired" => config.stale.enabled = yes(setting),
            "serve-expired-ttl" => self.stale_ttl = number(setting)?,
            "serve-expired-ttl-reset" if !yes(setting) => {}
            "serve-expired-reply-ttl" => config.stale.reply_ttl = number(setting)?,
            "serve-expired-client-timeout" => {
                config.stale.client_timeout = Duration::from_millis(number(setting)?);
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
            "dns64-prefix" => {
                let (IpAddr::V6(address), length) = prefix(&setting.value)? else {
                    return Err("no IPv6".into());
                };
                config.dns64.get_or_insert_with(Dns64::default).prefix = (address, length);
            }
            "dns64-ignore-aaaa" => {
                config.dns64.get_or_insert_with(Dns64::default).ignore.push(name(&setting.value)?);
            }
            "access-control" => {
                let (address, length) = prefix(&setting.value)?;
                let action = match setting.rest.split_whitespace().next().unwrap_or("") {
                    "allow" => Action::Allow,
                    "allow_snoop" => Action::AllowSnoop,
                    "refuse" => Action::Refuse,
                    "deny" => Action::Deny,
                    other => return Err(format!("action {other} is not built")),
                };
                config.access.add(address, length, action);
            }
            "local-zone" => {
                let kind = match setting.rest.as_str() {
                    "deny" => Kind::Deny,
                    "refuse" => Kind::Refuse,
                    "static" => Kind::Static,
                    "transparent" => Kind::Transparent,
                    "typetransparent" => Kind::TypeTransparent,
                    "redirect" => Kind::Redirect,
                    "always_transparent" => Kind::AlwaysTransparent,
                    "always_refuse" => Kind::AlwaysRefuse,
                    "always_nxdomain" => Kind::AlwaysNxdomain,
                    "always_nodata" => Kind::AlwaysNodata,
                    "always_deny" => Kind::AlwaysDeny,
                    "always_null" => Kind::AlwaysNull,
                    "block_a" => Kind::BlockA,
                    "block_aaaa" => Kind::BlockAaaa,
                    "nodefault" => {
                        config.local.remove_zone(&name(&setting.value)?);
                        return Ok(());
                    }
                    other => return Err(format!("type {other} is not built")),
                };
                config.local.add_zone(name(&setting.value)?, kind);
            }
            "local-data" => {
                config.local.add_line(&setting.value)?;
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
            key if WITHOUT_EFFECT.contains(&key) => {}
            _ => return Err("is not modelled".into()),
        }
        Ok(())
    }
}

/// Name servers and their addresses out of a hints file (RFC 9609).
fn hints(records: &[RawRecord]) -> Vec<(Name, Vec<IpAddr>)> {
    let servers = records.iter().filter(|record| record.rtype == RecordType::NS && record.name.is_root());
    servers
        .filter_map(|ns| crate::rdata::target(RecordType::NS, &ns.data))
        .map(|server| {
            let address = |record: &RawRecord| match record.rtype {
                RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                _ => None,
            };
            let own = records.iter().filter(|record| record.name == server);
            (server.clone(), own.filter_map(address).collect())
        })
        .collect()
}
