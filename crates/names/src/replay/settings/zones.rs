//! `stub-zone:`, `forward-zone:` and `auth-zone:` clauses: who is asked about a zone, and which zones are held.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::Builder;
use super::values::{name, prefix, with_includes, yes};
use crate::authority::SignedZone;
use crate::authority::secondary::SecondaryConfig;
use crate::resolver::{Upstream, UpstreamKind};
use crate::service::held::{DigestCheck, HeldZone};
use crate::wire::RawRecord;

/// Such a clause while it is read.
pub(super) struct Pending {
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

impl Builder<'_> {
    pub(super) fn begin(&mut self, setting: &Setting, kind: UpstreamKind, auth: bool) -> Result<(), String> {
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

    pub(super) fn zone(&mut self, setting: &Setting) -> Result<(), String> {
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

    pub(super) fn end_clause(&mut self) -> Result<(), String> {
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
}
