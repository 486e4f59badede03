//! `rpz:` clauses: policy zones.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::super::script::Setting;
use super::Builder;
use super::values::{name, prefix, words, yes};
use crate::authority::SignedZone;
use crate::authority::secondary::SecondaryConfig;
use crate::service::held::{DigestCheck, HeldZone};
use crate::service::policy;
use crate::service::policy::{Override, PolicyZone};
use crate::wire::RawRecord;

/// A policy zone's clause while it is read.
#[derive(Default)]
pub(super) struct Policy {
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

impl Builder<'_> {
    pub(super) fn policy_setting(&mut self, setting: &Setting) -> Result<(), String> {
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

    pub(super) fn end_policy(&mut self) -> Result<(), String> {
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
}
