//! From file trees to the model: `use` merges two trees, then one pass reads the result.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::address::{GivenAddress, GivenPrefix};
use super::check::Bounds;
use super::service::{self, Http, read_date, word};
use super::{
    Change, Check, CheckKind, Event, Link, Node, NodeKind, RouteAction, RouteLine, Rule, RuleVerdict,
    Scenario, Service, ServiceKind, address, route,
};
use crate::item::{self, Item, Kind, Reader, Str, Table};
use crate::link::{self, LinkSpec, PROFILES};
use crate::prefix::Prefix;
use crate::source::{Error, Source, suggest};
use crate::units;

/// Files that may `use` each other in a row.
const USE_DEPTH_MAX: usize = 8;

type Load<'a> = &'a dyn Fn(&str) -> Option<(String, String)>;

pub(crate) fn scenario(source: &Arc<Source>, load: Load<'_>) -> Result<Scenario, Error> {
    let tree = tree(source, load, 0)?;
    Read { tree: &tree }.scenario(source)
}

/// The file's tree, merged over the one it uses.
fn tree(source: &Arc<Source>, load: Load<'_>, depth: usize) -> Result<Table, Error> {
    let own = item::read(source)?;
    let Some(name) = own.get("use") else {
        return Ok(own);
    };
    let name = name.text("use")?;
    if depth == USE_DEPTH_MAX {
        return Err(name.error("files use each other in a circle", "remove one `use`"));
    }
    let found = crate::builtin::find(&name.text)
        .map(|(_, text)| (text.to_string(), format!("lab:{}", name.text)))
        .or_else(|| load(&name.text));
    let Some((text, found_name)) = found else {
        return Err(name.error(
            format!("there is no lab `{}`", name.text),
            suggest(&name.text, crate::builtin::names()),
        ));
    };
    let base = tree(&Arc::new(Source { name: found_name, text }), load, depth + 1)?;
    Ok(merge(base, own))
}

/// `own` over `base`: lists of nodes, links, changes and settings are appended, tables merged, checks and the
/// rest replaced.
fn merge(base: Table, own: Table) -> Table {
    let mut merged = base;
    for (key, item) in own.entries {
        if key.text == "use" {
            continue;
        }
        let Some(at) = merged.entries.iter().position(|(known, _)| *known.text == key.text) else {
            merged.entries.push((key, item));
            continue;
        };
        let old =
            std::mem::replace(&mut merged.entries[at].1, Item { kind: Kind::Float, span: item.span.clone() });
        merged.entries[at].1 = match (key.text.as_str(), old.kind, item) {
            (
                "nodes" | "links" | "at" | "set",
                Kind::Array(mut list),
                Item { kind: Kind::Array(more), span },
            ) => {
                list.extend(more);
                Item { kind: Kind::Array(list), span }
            }
            (
                "node" | "service" | "profile" | "certificate",
                Kind::Table(old),
                Item { kind: Kind::Table(new), span },
            ) => Item { kind: Kind::Table(merge_deep(old, new)), span },
            (_, _, item) => item,
        };
        merged.entries[at].0 = key;
    }
    merged
}

fn merge_deep(base: Table, own: Table) -> Table {
    let mut merged = base;
    for (key, item) in own.entries {
        match merged.entries.iter().position(|(known, _)| known.text == key.text) {
            None => merged.entries.push((key, item)),
            Some(at) => {
                let old = std::mem::replace(
                    &mut merged.entries[at].1,
                    Item { kind: Kind::Float, span: item.span.clone() },
                );
                merged.entries[at].1 = match (old.kind, item) {
                    (Kind::Table(old), Item { kind: Kind::Table(new), span }) => {
                        Item { kind: Kind::Table(merge_deep(old, new)), span }
                    }
                    (_, item) => item,
                };
            }
        }
    }
    merged
}

struct Read<'a> {
    tree: &'a Table,
}

impl Read<'_> {
    fn scenario(&self, source: &Arc<Source>) -> Result<Scenario, Error> {
        let root = Reader::new(self.tree, "a scenario");
        root.get("use");
        if let Some(sweep) = root.get("sweep") {
            return Err(Error::at(
                &sweep.span,
                "[sweep] is not supported yet",
                "run `thru` once for each value with --set LINK.KEY=VALUE",
            ));
        }
        let name = root.text("name")?.map_or_else(|| stem(&source.name), |name| name.text);
        let about = root.text("about")?.map(|about| about.text).unwrap_or_default();
        let seed = root.integer("seed", 0, i64::MAX)?.unwrap_or(1) as u64;
        let date = read_date(&root, "date")?.unwrap_or(DEFAULT_DATE);
        let limit = root.quantity("limit", units::duration)?.unwrap_or(Duration::from_secs(600));
        let target = root.text("target")?;
        let control = root.text("control")?;
        let client = root.text("client")?;
        let profiles = profiles(&root)?;
        let (mut nodes, mut places) = nodes(&root)?;
        let (links, link_nets) = links(&root, &nodes, &profiles)?;
        let node_tables = sections(&root, "node")?;
        for (key, _) in &node_tables {
            if !nodes.iter().any(|node| node.name == key.text) {
                return Err(unknown_node(key, &nodes));
            }
        }
        let mut switch_nets: Vec<Vec<GivenPrefix>> = nodes.iter().map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for (index, node) in nodes.iter_mut().enumerate() {
            let Some((key, table)) = node_tables.iter().find(|(key, _)| key.text == node.name) else {
                continue;
            };
            places[index] = (*key).clone();
            let reader = Reader::new(table, format!("node `{}`", node.name));
            if node.kind == NodeKind::Switch {
                for text in reader.texts("net")?.unwrap_or_default() {
                    switch_nets[index].push(GivenPrefix { prefix: prefix(&text)?, place: text });
                }
                reader.finish()?;
                continue;
            }
            node.label = reader.text("label")?.map(|label| label.text);
            node.answers_ping = reader.bool("answers_ping")?.unwrap_or(true);
            node.sends_icmp_errors = reader.bool("icmp_errors")?.unwrap_or(true);
            for text in reader.texts("rules")?.unwrap_or_default() {
                node.rules.push(rule(&text)?);
            }
            for text in reader.texts("addresses")?.unwrap_or_default() {
                let address: IpAddr = text.text.parse().map_err(|_| {
                    text.error(
                        format!("`{}` is not an IP address", text.text),
                        "write an address without a prefix length, as in \"192.168.1.10\"",
                    )
                })?;
                addresses.push(GivenAddress { node: index, address, place: text });
            }
            // These need all addresses and are read below.
            for later in ["resolvers", "routes", "outside"] {
                reader.get(later);
            }
            reader.finish()?;
        }
        let segments = address::assign(&mut nodes, &links, link_nets, switch_nets, &addresses)?;
        outsides(&mut nodes, &links, &node_tables, &places)?;
        route::compute(&mut nodes, &segments);
        for (key, table) in &node_tables {
            let Some(index) = nodes.iter().position(|node| node.name == key.text) else {
                continue;
            };
            if nodes[index].kind == NodeKind::Switch {
                continue;
            }
            let reader = Reader::new(table, format!("node `{}`", key.text));
            for text in reader.texts("routes")?.unwrap_or_default() {
                let line = route_line(&text, index, &nodes)?;
                nodes[index].routes.retain(|known| known.prefix != line.prefix);
                nodes[index].routes.push(line);
            }
            for text in reader.texts("resolvers")?.unwrap_or_default() {
                let found = node_addresses(&nodes, &text)?;
                nodes[index].resolvers.extend(found);
            }
        }
        let client = match &client {
            Some(name) => nodes
                .iter()
                .position(|node| node.name == name.text && node.kind == NodeKind::Host)
                .ok_or_else(|| {
                    if nodes.iter().any(|node| node.name == name.text) {
                        name.error(
                            format!("`{}` is not a host", name.text),
                            "the client must be a node of kind host",
                        )
                    } else {
                        unknown_node(name, &nodes)
                    }
                })?,
            None => nodes.iter().position(|node| node.kind == NodeKind::Host).ok_or_else(|| {
                match self.tree.get("nodes") {
                    Some(item) => Error::at(
                        &item.span,
                        "there is no host",
                        "add one to `nodes`, as in nodes = [\"pc1\"]",
                    ),
                    None => Error::at(
                        &item::Table::place(self.tree),
                        "there are no nodes",
                        "begin with nodes = [\"pc1\", \"pc2\"] and links = [\"pc1 -- pc2\"]",
                    ),
                }
            })?,
        };
        let mut other_resolvers = Vec::new();
        for text in root.texts("other_resolvers")?.unwrap_or_default() {
            other_resolvers.extend(node_addresses(&nodes, &text)?);
        }
        let services = services(&root, &nodes)?;
        let mut scenario = Scenario {
            name,
            about,
            seed,
            date,
            limit,
            client,
            target: target.map(|target| target.text),
            control: control.map(|control| control.text),
            other_resolvers,
            nodes,
            segments,
            links,
            services,
            timeline: Vec::new(),
            checks: Vec::new(),
        };
        for text in root.texts("set")?.unwrap_or_default() {
            scenario.apply_set_text(&text.view())?;
        }
        if let Some(item) = root.get("at") {
            scenario.timeline = timeline(&item.tables("at")?, &scenario)?;
        }
        if let Some(item) = root.get("check") {
            let tables = item.tables("check")?;
            scenario.checks = tables.into_iter().map(check).collect::<Result<_, _>>()?;
        }
        root.finish()?;
        Ok(scenario)
    }
}

/// 2026-03-02T09:00:00Z: a Monday morning.
const DEFAULT_DATE: u64 = 1_772_442_000_000_000_000;

fn stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\', ':']).next().unwrap_or(name);
    file.strip_suffix(".toml").unwrap_or(file).to_string()
}

fn legal_name(name: &Str, what: &str) -> Result<(), Error> {
    let text = &name.text;
    let legal = !text.is_empty()
        && text.len() <= 63
        && !text.contains("--")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with('-');
    if legal {
        return Ok(());
    }
    Err(name.error(
        format!("`{text}` is not a name for {what}"),
        "use letters, digits, `_` and single `-`, beginning with a letter or a digit",
    ))
}

fn unknown_node(name: &Str, nodes: &[Node]) -> Error {
    name.error(
        format!("there is no node `{}`", name.text),
        suggest(&name.text, nodes.iter().map(|node| node.name.as_str())),
    )
}

fn sections<'a>(root: &Reader<'a>, key: &'static str) -> Result<Vec<(&'a Str, &'a Table)>, Error> {
    let Some(item) = root.get(key) else {
        return Ok(Vec::new());
    };
    item.table(key)?.entries.iter().map(|(name, item)| Ok((name, item.table(&name.text)?))).collect()
}

fn profiles(root: &Reader<'_>) -> Result<BTreeMap<String, LinkSpec>, Error> {
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

fn nodes(root: &Reader<'_>) -> Result<(Vec<Node>, Vec<Str>), Error> {
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
            rules: Vec::new(),
            explicit: Vec::new(),
        });
        places.push(name);
    }
    Ok((nodes, places))
}

fn links(
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

fn prefix(text: &Str) -> Result<Prefix, Error> {
    Prefix::parse(text.text.trim()).ok_or_else(|| {
        text.error(
            format!("`{}` is not a prefix", text.text),
            "write network and length with zero host bits, as in `203.0.113.0/24`",
        )
    })
}

fn node_addresses(nodes: &[Node], name: &Str) -> Result<Vec<IpAddr>, Error> {
    if let Ok(address) = name.text.parse() {
        return Ok(vec![address]);
    }
    let node = nodes.iter().find(|node| node.name == name.text).ok_or_else(|| unknown_node(name, nodes))?;
    Ok(node
        .interfaces
        .iter()
        .flat_map(|interface| &interface.addresses)
        .map(|(address, _)| *address)
        .collect())
}

/// The outer interface of each NAT: as written, or the last one.
fn outsides(
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

fn route_line(text: &Str, node: usize, nodes: &[Node]) -> Result<RouteLine, Error> {
    const FORM: &str = "write `PREFIX via NODE` or `PREFIX unreachable|prohibit|blackhole`";
    let words: Vec<&str> = text.text.split_whitespace().collect();
    let (prefix_word, action) = match words.as_slice() {
        [prefix, "unreachable"] => (prefix, RouteAction::Unreachable),
        [prefix, "prohibit"] => (prefix, RouteAction::Prohibit),
        [prefix, "blackhole"] => (prefix, RouteAction::Blackhole),
        [prefix, "via", via] => {
            let v6 = prefix.contains(':');
            let name = Str { text: (*via).to_string(), span: text.span.clone() };
            let candidates = node_addresses(nodes, &name)?;
            let found = nodes[node].interfaces.iter().enumerate().find_map(|(index, interface)| {
                let (own, len) = interface.addresses.iter().find(|(own, _)| own.is_ipv6() == v6)?;
                let on_link = Prefix::new(*own, *len)?;
                candidates
                    .iter()
                    .find(|address| on_link.contains(**address))
                    .map(|address| RouteAction::Via(*address, index))
            });
            let Some(action) = found else {
                return Err(text.error(
                    format!("`{via}` is not a neighbour of `{}`", nodes[node].name),
                    "name a router on one of the node's links",
                ));
            };
            (prefix, action)
        }
        _ => return Err(text.error(format!("`{}` is not a route", text.text), FORM)),
    };
    let prefix_word = match *prefix_word {
        "default" | "default4" => "0.0.0.0/0",
        "default6" => "::/0",
        word => word,
    };
    let prefix = prefix(&Str { text: prefix_word.to_string(), span: text.span.clone() })?;
    Ok(RouteLine { prefix, action })
}

fn rule(text: &Str) -> Result<Rule, Error> {
    const FORM: &str = "write `drop tcp 443`, `reject udp 53 from 192.168.1.0/24`, `reset tcp to 203.0.113.80/32` or `accept icmp`";
    const VERDICTS: [(&str, RuleVerdict); 4] = [
        ("accept", RuleVerdict::Accept),
        ("drop", RuleVerdict::Drop),
        ("reject", RuleVerdict::Reject),
        ("reset", RuleVerdict::Reset),
    ];
    const PROTOCOLS: [(&str, Option<u8>); 4] =
        [("any", None), ("icmp", Some(1)), ("tcp", Some(6)), ("udp", Some(17))];
    let part = |word: &str| Str { text: word.to_string(), span: text.span.clone() };
    let mut words = text.text.split_whitespace();
    let (Some(verdict), Some(protocol)) = (words.next(), words.next()) else {
        return Err(text.error(format!("`{}` is not a rule", text.text), FORM));
    };
    let verdict = word(&part(verdict), &VERDICTS, "verdict")?;
    let protocol = word(&part(protocol), &PROTOCOLS, "protocol")?;
    let mut rule = Rule { verdict, protocol, port: None, from: None, to: None };
    while let Some(word) = words.next() {
        match word {
            "from" | "to" => {
                let Some(value) = words.next() else {
                    return Err(text.error(format!("`{word}` names no prefix"), FORM));
                };
                let value = prefix(&part(value))?;
                *(if word == "from" { &mut rule.from } else { &mut rule.to }) = Some(value);
            }
            port => match port.parse::<u16>() {
                Ok(number) if number > 0 && matches!(protocol, Some(6 | 17)) => rule.port = Some(number),
                _ => return Err(text.error(format!("`{port}` has no place in a rule"), FORM)),
            },
        }
    }
    if verdict == RuleVerdict::Reset && protocol != Some(6) {
        return Err(text.error("only TCP has resets", "use `reject`, or `reset tcp`"));
    }
    Ok(rule)
}

fn services(root: &Reader<'_>, nodes: &[Node]) -> Result<Vec<Service>, Error> {
    let mut services = Vec::new();
    for (name, table) in sections(root, "service")? {
        legal_name(name, "a service")?;
        let reader = Reader::new(table, format!("service `{}`", name.text));
        let (Some(kind), Some(on)) = (reader.text("kind")?, reader.text("on")?) else {
            return Err(name.error(
                format!("service `{}` needs `kind` and `on`", name.text),
                "write kind = \"web\" (or dns, resolver) and on = \"NODE\"",
            ));
        };
        let Some(on_index) =
            nodes.iter().position(|node| node.name == on.text && node.kind != NodeKind::Switch)
        else {
            return Err(unknown_node(&on, nodes));
        };
        let Some(mut service) = ServiceKind::new(&kind.text) else {
            return Err(kind.error(
                format!("unknown kind of service `{}`", kind.text),
                suggest(&kind.text, service::KINDS),
            ));
        };
        service.apply(&reader, &|node| node_addresses(nodes, node))?;
        match &service {
            ServiceKind::Web(web) if web.names.is_empty() => {
                return Err(name.error(
                    format!("web site `{}` has no names", name.text),
                    "write names = [\"www.example.lab\"]",
                ));
            }
            ServiceKind::Resolver(resolver) if resolver.roots.is_empty() => {
                return Err(name.error(
                    format!("resolver `{}` has no roots", name.text),
                    "write roots = [\"NODE\"], the nodes that serve the root zone",
                ));
            }
            _ => {}
        }
        reader.finish()?;
        services.push(Service { name: name.text.clone(), on: on_index, kind: service });
    }
    Ok(services)
}

fn timeline(tables: &[&Table], scenario: &Scenario) -> Result<Vec<Event>, Error> {
    let mut ordered = Vec::new();
    for table in tables {
        let reader = Reader::new(table, "an [[at]]");
        let Some(at) = reader.quantity("t", units::duration)? else {
            return Err(reader.error("an [[at]] without its time", "write t = \"5s\""));
        };
        ordered.push((at, *table));
    }
    ordered.sort_by_key(|(at, _)| *at);
    // Later changes of a service build on earlier ones.
    let mut services: Vec<ServiceKind> =
        scenario.services.iter().map(|service| service.kind.clone()).collect();
    let mut events = Vec::new();
    for (at, table) in ordered {
        let reader = Reader::new(table, "an [[at]]");
        reader.get("t");
        let lasts = reader.quantity("for", units::duration)?;
        let before = events.len();
        let mut push = |change| events.push(Event { at, lasts, change });
        let set = reader.get("set");
        let up = reader.bool("up")?;
        if let Some(name) = reader.text("link")? {
            let link = scenario.link(&name.text).ok_or_else(|| {
                name.error(format!("there is no link `{}`", name.text), scenario.suggest_link(&name.text))
            })?;
            if let Some(up) = up {
                push(Change::Up { link, up });
            }
            if let Some(set) = set {
                push(Change::Link { link, settings: link_settings(set)? });
            }
        } else if let Some(name) = reader.text("service")? {
            let service = scenario.service(&name.text).ok_or_else(|| {
                let names = scenario.services.iter().map(|service| service.name.as_str());
                name.error(format!("there is no service `{}`", name.text), suggest(&name.text, names))
            })?;
            let mut to = services[service].clone();
            if let Some(set) = set {
                let patch =
                    Reader::new(set.table("set")?, format!("the settings of service `{}`", name.text));
                to.apply(&patch, &|node| node_addresses(&scenario.nodes, node))?;
                patch.finish()?;
            }
            if let Some(up) = up {
                match &mut to {
                    ServiceKind::Dns(spec) => spec.up = up,
                    ServiceKind::Resolver(spec) => spec.up = up,
                    ServiceKind::Web(spec) => spec.up = up,
                }
            }
            if set.is_some() || up.is_some() {
                if lasts.is_none() {
                    services[service] = to.clone();
                }
                push(Change::Service { service, to: Box::new(to) });
            }
        } else if let Some(name) = reader.text("node")? {
            let node = scenario.node(&name.text).ok_or_else(|| unknown_node(&name, &scenario.nodes))?;
            if let Some(lines) = reader.texts("routes")? {
                let routes = lines
                    .iter()
                    .map(|line| route_line(line, node, &scenario.nodes))
                    .collect::<Result<_, _>>()?;
                push(Change::Routes { node, routes });
            }
            if let Some(lines) = reader.texts("rules")? {
                push(Change::Rules { node, rules: lines.iter().map(rule).collect::<Result<_, _>>()? });
            }
        }
        if let Some(unix_nanos) = read_date(&reader, "date")? {
            push(Change::Date { unix_nanos });
        }
        if events.len() == before {
            return Err(reader.error(
                "an [[at]] that changes nothing",
                "name a link with set or up, a service with set or up, a node with routes or rules, or a date",
            ));
        }
        for key in ["link", "service", "node", "routes", "rules"] {
            reader.get(key);
        }
        reader.finish()?;
    }
    Ok(events)
}

/// Settings as a string in the link language or as a table; tried out, so that errors show where they stand.
fn link_settings(set: &Item) -> Result<Vec<(String, String)>, Error> {
    let mut scratch = LinkSpec::default();
    let mut settings = Vec::new();
    if let Kind::Table(table) = &set.kind {
        for (key, value) in &table.entries {
            let value = value.text(&key.text)?;
            scratch.set(&key.view(), &value.view().trimmed())?;
            settings.push((key.text.clone(), value.text));
        }
    } else {
        let text = set.text("set")?;
        scratch.apply(&text.view())?;
        for option in text.view().split(',') {
            if let Some((key, value)) = option.split_once('=') {
                settings.push((key.text.to_string(), value.text.to_string()));
            }
        }
    }
    Ok(settings)
}

const LAYERS: [&str; 13] = [
    "none", "link", "ip", "routing", "dns", "tcp", "firewall", "tls", "http", "quic", "proxy", "app", "host",
];
const STATUSES: [&str; 4] = ["healthy", "degraded", "failed", "undecided"];

fn check(table: &Table) -> Result<Check, Error> {
    let reader = Reader::new(table, "a [[check]]");
    let known = |key: &'static str, words: &[&str]| -> Result<Option<String>, Error> {
        let Some(text) = reader.text(key)? else {
            return Ok(None);
        };
        let words: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
        word(&text, &words, key)?;
        Ok(Some(text.text))
    };
    let bounds = |key: &'static str| -> Result<Option<Bounds>, Error> {
        reader.text(key)?.map(|text| Bounds::parse(&text.view())).transpose()
    };
    let (kind, name) = if let Some(url) = reader.text("url")? {
        let kind = CheckKind::Url {
            http: match reader.text("http")? {
                Some(text) => Some(word(
                    &text,
                    &[("1.1", Http::One), ("2", Http::Two), ("3", Http::Three)],
                    "HTTP version",
                )?),
                None => None,
            },
            verdict: known("verdict", &STATUSES)?,
            layer: known("layer", &LAYERS)?,
            causes: reader
                .texts("causes")?
                .map(|causes| causes.into_iter().map(|cause| cause.text).collect()),
            exit: reader.integer("exit", 0, 4)?.map(|exit| exit as u8),
            status: reader.integer("status", 100, 599)?.map(|status| status as u16),
            time: bounds("time")?,
            url: url.text.clone(),
        };
        (kind, url.text)
    } else if let Some(to) = reader.text("ping")? {
        let kind = CheckKind::Ping {
            rtt: bounds("rtt")?,
            reached: reader.bool("reached")?.unwrap_or(true),
            to: to.text.clone(),
        };
        (kind, format!("ping {}", to.text))
    } else if let Some(question) = reader.text("dns")? {
        let mut words = question.text.split_whitespace();
        let (Some(name), rtype, None) = (words.next(), words.next().unwrap_or("A"), words.next()) else {
            return Err(
                question.error(format!("`{}` is not a question", question.text), "write `www.shop.lab AAAA`")
            );
        };
        let kind = CheckKind::Dns {
            name: name.to_string(),
            rtype: rtype.to_ascii_uppercase(),
            rcode: known("rcode", &["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR"])?,
            answers: reader
                .texts("answers")?
                .map(|answers| answers.into_iter().map(|answer| answer.text).collect()),
        };
        (kind, format!("dns {}", question.text))
    } else {
        return Err(reader.error(
            "a [[check]] that checks nothing",
            "write url = \"https://...\", ping = \"NAME\" or dns = \"NAME TYPE\"",
        ));
    };
    let check = Check {
        name: reader.text("name")?.map_or(name, |name| name.text),
        at: reader.quantity("at", units::duration)?.unwrap_or_default(),
        kind,
        explain: reader.text("explain")?.map(|text| text.text),
        hint: reader.text("hint")?.map(|text| text.text),
    };
    reader.finish()?;
    Ok(check)
}
