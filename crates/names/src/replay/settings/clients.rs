//! Settings about clients: who may ask, local data, tags, views, rules on addresses.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use super::super::script::Setting;
use super::Builder;
use super::values::{name, prefix, unquoted, words, yes};
use crate::service::access::Action;
use crate::service::local::{Kind, LocalZones};
use crate::service::responses::AddressRules;

impl Builder<'_> {
    /// Takes a setting of this kind; whether it was one.
    pub(super) fn clients(&mut self, setting: &Setting) -> Result<bool, String> {
        let config = &mut self.config;
        let resolver = &mut config.resolver;
        match setting.key.as_str() {
            "define-tag" => {}
            "access-control-tag" => {
                let (address, bits) = prefix(&setting.value)?;
                let tags =
                    self.tags.tags(setting.rest.split_whitespace().map(|tag| tag.trim_matches('"')))?;
                let client = config.clients.known.entry(address, bits);
                client.tags = client.tags.and(tags);
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A setting of a view.
    pub(super) fn view_setting(&mut self, setting: &Setting) -> Result<(), String> {
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
    pub(super) fn finish_local(&mut self) -> Result<(), String> {
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
