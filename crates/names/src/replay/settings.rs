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
use crate::service::clients::{TagNames, View};
use crate::service::dns64::Dns64;
use crate::service::held::{DigestCheck, HeldZone};
use crate::service::local::{Kind, LocalZones};
use crate::service::policy::{self, Override, PolicyZone};
use crate::service::responses::AddressRules;
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
    "harden-large-queries",
    "harden-short-bufsize",
    "msg-cache-size",
    "msg-cache-slabs",
    "rrset-cache-size",
    "rrset-cache-slabs",
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
    "do-daemonize",
    "edns-buffer-size",
    "fast-server-num",
    "fast-server-permil",
    "hide-http-user-agent",
    "http-user-agent",
    "incoming-num-tcp",
    "infra-cache-lame-size",
    "infra-cache-max-rtt",
    "infra-cache-min-rtt",
    "infra-cache-slabs",
    "infra-host-ttl",
    "infra-keep-probing",
    "infra-lame-ttl",
    "interface-automatic",
    "ip-address",
    "ip-dscp",
    "ip-freebind",
    "ip-transparent",
    "ip-ratelimit-backoff",
    "ip-ratelimit-cookie",
    "ip-ratelimit-factor",
    "ip-ratelimit-size",
    "ip-ratelimit-slabs",
    "iter-scrub-rrsig",
    "key-cache-slabs",
    "log-destaddr",
    "log-identity",
    "log-local-actions",
    "log-replies",
    "log-tag-queryreply",
    "log-thread-id",
    "log-time-iso",
    "logfile",
    "low-rtt",
    "low-rtt-pct",
    "low-rtt-permil",
    "max-reuse-tcp-queries",
    "max-sent-count",
    "max-transfer-size",
    "max-transfer-time",
    "msg-buffer-size",
    "neg-cache-size",
    "outgoing-interface",
    "outgoing-num-tcp",
    "outgoing-port-avoid",
    "outgoing-port-permit",
    "outgoing-tcp-mss",
    "pad-queries",
    "pad-queries-block-size",
    "pad-responses",
    "pad-responses-block-size",
    "port",
    "ratelimit-backoff",
    "ratelimit-below-domain",
    "ratelimit-factor",
    "ratelimit-for-domain",
    "ratelimit-size",
    "ratelimit-slabs",
    "secret-seed",
    "shm-enable",
    "shm-key",
    "so-rcvbuf",
    "so-sndbuf",
    "sock-queue-timeout",
    "statistics-cumulative",
    "statistics-inhibit-zero",
    "stream-wait-size",
    "tcp-auth-query-timeout",
    "tcp-connection-limit",
    "tcp-idle-timeout",
    "tcp-mss",
    "tcp-reuse-timeout",
    "tls-cert-bundle",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-port",
    "tls-system-cert",
    "tls-use-sni",
    "udp-connect",
    "use-systemd",
    "val-clean-additional",
    "val-log-squelch",
    "wait-limit-cookie",
    "wait-limit-cookie-netblock",
    "wait-limit-netblock",
    "caps-exempt",
    "caps-whitelist",
    "disable-dnssec-lame-check",
    "unknown-server-time-limit",
    "udp-upstream-without-downstream",
];

/// The server that the script wants, or why it can't be had.
pub(super) fn service(script: &Script) -> Result<Service, String> {
    Ok(Service::new(build(script, usual())?, [7; 32]))
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
    signals_denial: bool,
    primaries: Vec<SocketAddr>,
    hosts: Vec<Name>,
    notify_from: Vec<(IpAddr, u8)>,
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
    notify_hosts: Vec<Name>,
    auth: bool,
    for_upstream: bool,
    for_downstream: bool,
    digest: DigestCheck,
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
                "view" => {
                    self.config.clients.views.push(View::default());
                    self.view = Some(self.config.clients.views.len() - 1);
                    Ok(())
                }
                other => Err(format!("{other} is not built")),
            };
        }
        match setting.clause.as_str() {
            "stub-zone" | "forward-zone" | "auth-zone" => self.zone(setting),
            "rpz" => self.policy_setting(setting),
            "view" => self.view_setting(setting),
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
            notify_hosts: Vec::new(),
            auth,
            for_upstream: true,
            for_downstream: true,
            digest: DigestCheck::default(),
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
            "rpz-signal-nxdomain-ra" => policy.signals_denial = yes(setting),
            "master" | "primary" => match setting.value.parse::<IpAddr>() {
                Ok(address) => policy.primaries.push(SocketAddr::new(address, 53)),
                Err(_) => policy.hosts.push(name(&setting.value)?),
            },
            "allow-notify" => policy.notify_from.push(prefix(&setting.value)?),
            "for-downstream" if !yes(setting) => {}
            "url" => return Err("zones over HTTP are not built".into()),
            other => return Err(format!("{other} is not modelled")),
        }
        Ok(())
    }

    fn end_policy(&mut self) -> Result<(), String> {
        let Some(policy) = self.policy.take() else { return Ok(()) };
        let records = match &policy.file {
            Some(file) => {
                let text = self.script.files.get(file).ok_or_else(|| format!("no file {file}"))?;
                crate::rdata::master_records(text, &policy.origin)?
            }
            None => Vec::new(),
        };
        // As with other servers, a rule that can't be read does not keep the others from working.
        let (mut zone, _) = PolicyZone::read(&policy.origin, &records);
        zone.signals_denial = policy.signals_denial;
        zone.tags = self.tags.tags(policy.tags.iter().map(|tag| tag.trim_matches('"')))?;
        if !(policy.primaries.is_empty() && policy.hosts.is_empty()) {
            self.config.zones.push(HeldZone {
                origin: policy.origin.clone(),
                zone: SignedZone::named(&policy.origin, &records).ok().map(Arc::new),
                source: Some(SecondaryConfig {
                    zone: policy.origin.clone(),
                    primaries: policy.primaries,
                    hosts: policy.hosts,
                    notify_from: policy.notify_from,
                    notify_hosts: Vec::new(),
                }),
                for_clients: false,
                for_resolver: false,
                fallback: false,
                digest: DigestCheck::default(),
                policy: true,
            });
        }
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
        self.config.policies.push(zone);
        Ok(())
    }

    /// A setting of a view.
    fn view_setting(&mut self, setting: &Setting) -> Result<(), String> {
        let Some(view) = self.view.and_then(|at| self.config.clients.views.get_mut(at)) else {
            return Err("outside of a clause".into());
        };
        match setting.key.as_str() {
            "name" => view.name.clone_from(&setting.value),
            "view-first" => view.first = yes(setting),
            "local-zone" => local_zone(&mut view.local, setting)?,
            "local-data" => view.local.add_line(&setting.value)?,
            "local-data-ptr" => view.local.add_line(&reverse_line(setting)?)?,
            "response-ip" => response_kind(&mut view.responses, setting)?,
            "response-ip-data" => response_data(&mut view.responses, setting)?,
            other => return Err(format!("{other} is not modelled")),
        }
        Ok(())
    }

    /// What local zones, clients and views say of each other is known when all is read.
    fn finish_local(&mut self) -> Result<(), String> {
        for setting in std::mem::take(&mut self.later) {
            let of = |why: String| format!("line {}: {}: {why}", setting.line, setting.key);
            let zone = name(&setting.value).map_err(of)?;
            let done = match setting.key.as_str() {
                "local-zone-tag" => {
                    let tags =
                        self.tags.tags(setting.rest.split_whitespace().map(|tag| tag.trim_matches('"')));
                    self.config.local.set_tags(&zone, tags.map_err(of)?)
                }
                _ => {
                    let mut words = setting.rest.split_whitespace();
                    let (at, kind) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                    let (address, bits) = prefix(at).map_err(of)?;
                    let kind = Kind::from_word(kind).ok_or_else(|| of(format!("no type {kind}")))?;
                    self.config.local.override_kind(&zone, address, bits, kind)
                }
            };
            if !done {
                return Err(of("there is no such local zone".into()));
            }
        }
        for (address, bits, wanted) in std::mem::take(&mut self.view_of) {
            let views = &self.config.clients.views;
            let place = views.iter().position(|view| view.name == wanted);
            let place = place.ok_or_else(|| format!("access-control-view: no view {wanted}"))?;
            self.config.clients.known.entry(address, bits).view = Some(place);
        }
        Ok(())
    }

    fn end_clause(&mut self) -> Result<(), String> {
        self.end_policy()?;
        self.view = None;
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
            let zone =
                if inside.is_empty() { None } else { SignedZone::without_soa(&upstream.zone, &inside).ok() };
            let zone = zone.map(Arc::new);
            let source =
                (!(pending.primaries.is_empty() && upstream.hosts.is_empty())).then(|| SecondaryConfig {
                    zone: upstream.zone.clone(),
                    primaries: pending.primaries,
                    hosts: upstream.hosts,
                    notify_from: pending.notify_from,
                    notify_hosts: pending.notify_hosts,
                });
            self.config.zones.push(HeldZone {
                origin: upstream.zone,
                zone,
                source,
                for_clients: pending.for_downstream,
                for_resolver: pending.for_upstream,
                fallback: upstream.first,
                digest: pending.digest,
                policy: false,
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
            "stub-ssl-upstream" | "stub-tls-upstream" | "forward-ssl-upstream" | "forward-tls-upstream"
                if !yes(setting) => {}
            "stub-tcp-upstream" | "forward-tcp-upstream" => upstream.tcp = yes(setting),
            "stub-no-cache" | "forward-no-cache" => upstream.no_cache = yes(setting),
            "for-upstream" => pending.for_upstream = yes(setting),
            "for-downstream" => pending.for_downstream = yes(setting),
            "zonefile" => pending.zone_file = Some(setting.value.clone()),
            "zonemd-check" => pending.digest.enabled = yes(setting),
            "zonemd-reject-absence" => pending.digest.required = yes(setting),
            "master" | "primary" if pending.auth => match setting.value.parse::<IpAddr>() {
                Ok(address) => pending.primaries.push(SocketAddr::new(address, 53)),
                Err(_) => upstream.hosts.push(name(&setting.value)?),
            },
            "allow-notify" if pending.auth => match prefix(&setting.value) {
                Ok(prefix) => pending.notify_from.push(prefix),
                Err(_) => pending.notify_hosts.push(name(&setting.value)?),
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
                let tags =
                    self.tags.tags(setting.rest.split_whitespace().map(|tag| tag.trim_matches('"')))?;
                config.clients.known.entry(address, bits).tags = tags;
            }
            "access-control-tag-action" | "access-control-tag-data" => {
                let (address, bits) = prefix(&setting.value)?;
                let (tag, rest) = setting.rest.split_once(char::is_whitespace).ok_or("no tag")?;
                let (tag, rest) = (tag.trim_matches('"'), unquoted(rest));
                let client = config.clients.known.entry(address, bits);
                if setting.key == "access-control-tag-data" {
                    client.add_data(&mut self.tags, tag, rest)?;
                } else {
                    let kind = Kind::from_word(rest).ok_or_else(|| format!("type {rest} is not built"))?;
                    client.add_kind(&mut self.tags, tag, kind)?;
                }
            }
            "access-control-view" => {
                let (address, bits) = prefix(&setting.value)?;
                self.view_of.push((address, bits, unquoted(&setting.rest).to_owned()));
            }
            "local-zone-tag" | "local-zone-override" => self.later.push(setting.clone()),
            "response-ip" => response_kind(&mut config.responses, setting)?,
            "response-ip-data" => response_data(&mut config.responses, setting)?,
            "response-ip-tag" => {
                let (address, bits) = prefix(&setting.value)?;
                let tags =
                    self.tags.tags(setting.rest.split_whitespace().map(|tag| tag.trim_matches('"')))?;
                config.responses.set_tags(address, bits, tags);
            }
            "root-hints" => {
                let text = self.script.files.get(&setting.value).ok_or("no such file")?;
                let records = crate::rdata::master_records(text, &Name::root())?;
                resolver.root_hints = hints(&records);
            }
            "jostle-timeout" => config.jostle = Duration::from_millis(number(setting)?),
            "harden-dnssec-stripped" => resolver.stripped_is_bogus = yes(setting),
            "zonemd-permissive-mode" => self.digest_permissive = yes(setting),
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
            "harden-glue" => resolver.scrubbing.glue_from_anywhere = !yes(setting),
            "harden-below-nxdomain" => resolver.nothing_below_nxdomain = yes(setting),
            "harden-algo-downgrade" => resolver.every_algorithm = yes(setting),
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
            "dns-error-reporting" => resolver.report_errors = yes(setting),
            "serve-original-ttl" => resolver.lifetimes.original = yes(setting),
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
            "unblock-lan-zones" => {
                if yes(setting) {
                    config.local.remove_private();
                }
            }
            "insecure-lan-zones" => {
                if yes(setting) {
                    LocalZones::private_zones().for_each(|zone| resolver.anchors.add_negative(zone));
                }
            }
            "trust-anchor-file" => {
                let text = self.script.files.get(&setting.value).ok_or("no such file")?;
                for record in crate::rdata::master_records(text, &Name::root())? {
                    resolver.anchors.add(&record);
                }
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
                    "allow_setrd" => Action::AllowAsIfDesired,
                    "allow_cookie" => Action::AllowWithCookie,
                    "refuse_non_local" => Action::RefuseNonLocal,
                    "deny_non_local" => Action::DenyNonLocal,
                    other => return Err(format!("action {other} is not built")),
                };
                config.access.add(address, length, action);
            }
            "local-zone" => local_zone(&mut config.local, setting)?,
            "local-data" => {
                config.local.add_line(&setting.value)?;
            }
            "local-data-ptr" => config.local.add_line(&reverse_line(setting)?)?,
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
            "edns-client-string" => {
                let (address, length) = prefix(&setting.value)?;
                let text = unquoted(&setting.rest).as_bytes().to_vec();
                resolver.client_strings.insert(address, length, text);
            }
            "edns-client-string-opcode" => resolver.client_string_code = number(setting)?,
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

/// A value without the quotation marks around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |mark: char| text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
    inner('"').or_else(|| inner('\'')).unwrap_or(text.trim_matches('"'))
}

fn local_zone(zones: &mut LocalZones, setting: &Setting) -> Result<(), String> {
    let zone = name(&setting.value)?;
    if setting.rest == "nodefault" {
        zones.remove_zone(&zone);
        return Ok(());
    }
    let kind = Kind::from_word(&setting.rest).ok_or_else(|| format!("type {} is not built", setting.rest))?;
    zones.add_zone(zone, kind);
    Ok(())
}

fn response_kind(rules: &mut AddressRules, setting: &Setting) -> Result<(), String> {
    let (address, bits) = prefix(&setting.value)?;
    let kind = Kind::from_word(&setting.rest).ok_or_else(|| format!("type {} is not built", setting.rest))?;
    rules.set(address, bits, kind);
    Ok(())
}

fn response_data(rules: &mut AddressRules, setting: &Setting) -> Result<(), String> {
    let (address, bits) = prefix(&setting.value)?;
    rules.add_data(address, bits, unquoted(&setting.rest))
}

/// `local-data-ptr: "address [ttl] name"` as a PTR record.
fn reverse_line(setting: &Setting) -> Result<String, String> {
    let words = words(setting);
    let address: IpAddr = words.first().and_then(|word| word.parse().ok()).ok_or("no address")?;
    let owner = Name::from(address);
    let rest = words[1..].split_last().ok_or("no name")?;
    Ok(format!("{owner} {} IN PTR {}", rest.1.join(" "), rest.0))
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
