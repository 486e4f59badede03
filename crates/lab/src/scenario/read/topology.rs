//! Nodes, links, profiles, and the outer side of a NAT.

use std::collections::BTreeMap;

use super::{legal_name, prefix};
use crate::item::{Reader, Str, Table};
use crate::link::{self, LinkSpec, PROFILES};
use crate::scenario::address::GivenPrefix;
use crate::scenario::service::word;
use crate::scenario::{Link, Node, NodeKind};
use crate::source::{Error, suggest};

pub(super) fn profiles(root: &Reader<'_>) -> Result<BTreeMap<String, LinkSpec>, Error> {
    let mut profiles = BTreeMap::new();
    for (name, _) in PROFILES {
        profiles.insert((*name).to_string(), LinkSpec::profile(name).unwrap_or_default());
    }
    if let Some(item) = root.get("profile") {
        for (name, value) in &item.table("profile")?.entries {
            legal_name(name, "a profile")?;
            let text = value.text(&name.text)?;
            let mut spec = LinkSpec::default();
            spec.apply(&text.view())?;
            profiles.insert(name.text.clone(), spec);
        }
    }
    Ok(profiles)
}

pub(super) fn nodes(root: &Reader<'_>) -> Result<(Vec<Node>, Vec<Str>), Error> {
    let (mut nodes, mut places): (Vec<Node>, Vec<Str>) = (Vec::new(), Vec::new());
    for text in root.texts("nodes")?.unwrap_or_default() {
        let view = text.view();
        let (name, kind) = match view.split_once(':') {
            Some((name, kind)) => (name, Some(kind)),
            None => (view.trimmed(), None),
        };
        let own = |part: &link::Text<'_>| Str {
            text: part.text.to_string(),
            span: part.span.clone().unwrap_or_else(|| text.span.clone()),
        };
        let kind = match kind {
            Some(kind) => word(&own(&kind), &NodeKind::NAMES, "kind of node")?,
            None => NodeKind::Host,
        };
        let name = own(&name);
        legal_name(&name, "a node")?;
        if nodes.iter().any(|node| node.name == name.text) {
            return Err(
                name.error(format!("a second node `{}`", name.text), "give each node a name of its own")
            );
        }
        nodes.push(Node {
            name: name.text.clone(),
            kind,
            label: None,
            interfaces: Vec::new(),
            routes: Vec::new(),
            resolvers: Vec::new(),
            outside: None,
            answers_ping: true,
            sends_icmp_errors: true,
            clock: 0,
            rules: Vec::new(),
            hosts: Vec::new(),
            ports_taken: false,
            autoconfigure: false,
            claims: Vec::new(),
            forgets: None,
            receive_buffer: None,
            ecn: false,
            nat64: None,
            anycast: Vec::new(),
            explicit: Vec::new(),
        });
        places.push(name);
    }
    Ok((nodes, places))
}

pub(super) fn links(
    root: &Reader<'_>,
    nodes: &[Node],
    profiles: &BTreeMap<String, LinkSpec>,
) -> Result<(Vec<Link>, Vec<Vec<GivenPrefix>>), Error> {
    let (mut links, mut nets): (Vec<Link>, Vec<Vec<GivenPrefix>>) = (Vec::new(), Vec::new());
    for text in root.texts("links")?.unwrap_or_default() {
        let view = text.view();
        let parts = link::parse(&view)?;
        let node = |part: &link::Text<'_>| {
            nodes.iter().position(|node| node.name == part.text).ok_or_else(|| {
                part.error(
                    format!("there is no node `{}`", part.text),
                    suggest(part.text, nodes.iter().map(|node| node.name.as_str())),
                )
            })
        };
        let ends = (node(&parts.a)?, node(&parts.b)?);
        if ends.0 == ends.1 {
            return Err(parts.b.error("a link from a node to itself", "name two different nodes"));
        }
        let mut spec = match &parts.profile {
            Some(profile) => match profiles.get(profile.text) {
                Some(spec) => spec.clone(),
                None => {
                    return Err(profile.error(
                        format!("unknown profile `{}`", profile.text),
                        suggest(profile.text, profiles.keys().map(String::as_str)),
                    ));
                }
            },
            None => LinkSpec::default(),
        };
        let mut own_nets = Vec::new();
        for option in parts
            .options
            .iter()
            .flat_map(|options| options.split(','))
            .filter(|option| !option.text.is_empty())
        {
            match option.split_once('=') {
                Some((key, value)) if key.text == "net" => {
                    for net in value.text.split_whitespace() {
                        let offset = net.as_ptr() as usize - value.text.as_ptr() as usize;
                        let part = value.part(offset, offset + net.len());
                        let place = Str {
                            text: net.to_string(),
                            span: part.span.unwrap_or_else(|| text.span.clone()),
                        };
                        own_nets.push(GivenPrefix { prefix: prefix(&place)?, place });
                    }
                }
                _ => spec.apply(&option)?,
            }
        }
        let base = format!("{}--{}", parts.a.text, parts.b.text);
        let same = links.iter().filter(|link: &&Link| link.ends == ends).count();
        let name = if same == 0 { base } else { format!("{base}#{}", same + 1) };
        links.push(Link { name, ends, profile: parts.profile.map(|profile| profile.text.to_string()), spec });
        nets.push(own_nets);
    }
    Ok((links, nets))
}

/// The outer interface of each NAT: as written, or the last one.
pub(super) fn outsides(
    nodes: &mut [Node],
    links: &[Link],
    tables: &[(&Str, &Table)],
    places: &[Str],
) -> Result<(), Error> {
    for index in 0..nodes.len() {
        let written = tables
            .iter()
            .find(|(key, _)| key.text == nodes[index].name)
            .and_then(|(_, table)| table.get("outside"));
        if nodes[index].kind != NodeKind::Nat {
            if let Some(item) = written {
                return Err(Error::at(
                    &item.span,
                    format!("`{}` is not a NAT", nodes[index].name),
                    "only a node of kind nat has an outside",
                ));
            }
            continue;
        }
        if nodes[index].interfaces.len() < 2 {
            return Err(places[index].error(
                format!("the NAT `{}` needs an inner and an outer link", nodes[index].name),
                "join it to a LAN and to a router",
            ));
        }
        let interface = match written {
            None => nodes[index].interfaces.len() - 1,
            Some(item) => {
                let text = item.text("outside")?;
                let wanted: String = text.text.chars().filter(|c| !c.is_whitespace()).collect();
                let own: Vec<&str> = nodes[index]
                    .interfaces
                    .iter()
                    .map(|interface| links[interface.link].name.as_str())
                    .collect();
                own.iter().position(|name| *name == wanted).ok_or_else(|| {
                    text.error(
                        format!("`{}` is not a link of `{}`", text.text, nodes[index].name),
                        suggest(&wanted, own.iter().copied()),
                    )
                })?
            }
        };
        nodes[index].outside = Some(interface);
    }
    Ok(())
}
