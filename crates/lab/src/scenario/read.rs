//! From file trees to the model: `use` merges two trees, then one pass reads the result.

mod checks;
mod merge;
mod rules;
mod services;
mod timeline;
mod topology;
mod vary;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::address::{GivenAddress, GivenPrefix};
use super::service::{read_date, word};
use super::{Node, NodeKind, Scenario, Visitor, address, route};
use crate::item::{Reader, Str, Table};
use crate::prefix::Prefix;
use crate::source::{Error, Source, suggest};
use crate::units;
use checks::check;
use rules::{route_line, rule};
use services::services;
use timeline::timeline;
use topology::{links, nodes, outsides, profiles};

type Load<'a> = &'a dyn Fn(&str) -> Option<(String, String)>;

pub(crate) fn scenario(
    source: &Arc<Source>,
    load: Load<'_>,
    variation: Option<u64>,
) -> Result<Scenario, Error> {
    let tree = merge::tree(source, load, variation, 0)?;
    Read { tree: &tree, variation }.scenario(source)
}

struct Read<'a> {
    tree: &'a Table,
    variation: Option<u64>,
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
        bounded(&root)?;
        let name = root.text("name")?.map_or_else(|| stem(&source.name), |name| name.text);
        let about = root.text("about")?.map(|about| about.text).unwrap_or_default();
        let seed = root.integer("seed", 0, i64::MAX)?.unwrap_or(1) as u64;
        let date = read_date(&root, "date")?.unwrap_or(DEFAULT_DATE);
        let limit = root.quantity("limit", units::duration)?.unwrap_or(Duration::from_secs(600));
        let target = root.text("target")?;
        let control = root.text("control")?;
        let again_after = root.quantity("again_after", units::duration)?;
        let hello = root.text("hello")?;
        let large_hello =
            hello.map(|text| word(&text, &[("small", false), ("large", true)], "hello")).transpose()?;
        let identity = root.text("identity")?;
        let identity = identity.map(|text| word(&text, &Visitor::NAMES, "identity")).transpose()?;
        let proxy = root.text("proxy")?;
        if let Some(proxy) = &proxy {
            thru_probe::journey::tunnel::Proxy::parse(&proxy.text).map_err(|why| {
                proxy.error(why, "write `http://proxy.lab:3128` or `socks5h://proxy.lab:1080`")
            })?;
        }
        let client = root.text("client")?;
        let profiles = profiles(&root)?;
        let (mut nodes, mut places) = nodes(&root)?;
        let (mut links, link_nets) = links(&root, &nodes, &profiles)?;
        if let Some(seed) = self.variation {
            vary::stretch(&mut links, seed);
        }
        let node_tables = sections(&root, "node")?;
        for (key, _) in &node_tables {
            if !nodes.iter().any(|node| node.name == key.text) {
                return Err(unknown_node(key, &nodes));
            }
        }
        let mut switch_nets: Vec<Vec<GivenPrefix>> = nodes.iter().map(|_| Vec::new()).collect();
        let (mut addresses, mut anycast) = (Vec::new(), Vec::new());
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
            node.clock = reader.quantity("clock", units::offset)?.unwrap_or(0);
            node.autoconfigure = reader.bool("autoconfigure")?.unwrap_or(false);
            node.ports_taken = reader.bool("ports_taken")?.unwrap_or(false);
            node.forgets = reader.quantity("forgets", units::duration)?;
            node.receive_buffer = reader.quantity("receive_buffer", units::size)?;
            node.ecn = reader.bool("ecn")?.unwrap_or(false);
            node.nat64 = reader.text("nat64")?.map(|text| nat64(&text, node.kind)).transpose()?;
            for text in reader.texts("claims")?.unwrap_or_default() {
                let address = text.text.parse().map_err(|_| {
                    text.error(
                        format!("`{}` is not an IP address", text.text),
                        "write another node's address",
                    )
                })?;
                node.claims.push(address);
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
            for text in reader.texts("anycast")?.unwrap_or_default() {
                let address = text.text.parse().map_err(|_| {
                    text.error(
                        format!("`{}` is not an IP address", text.text),
                        "write it as in \"192.0.2.253\"",
                    )
                })?;
                node.anycast.push(address);
                anycast.push((address, text));
            }
            // These need all addresses and are read below.
            for later in ["resolvers", "routes", "outside", "rules", "hosts"] {
                reader.get(later);
            }
            reader.finish()?;
        }
        let segments = address::assign(&mut nodes, &links, link_nets, switch_nets, &addresses)?;
        outsides(&mut nodes, &links, &node_tables, &places)?;
        for (address, place) in anycast {
            let prefixes = segments.iter().flat_map(|segment| &segment.prefixes);
            if let Some(prefix) = prefixes.into_iter().find(|prefix| prefix.contains(address)) {
                return Err(place.error(
                    format!("`{address}` belongs to the link with {prefix}"),
                    "routers lead to an anycast address; take one outside of every link's prefix",
                ));
            }
        }
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
            for text in reader.texts("rules")?.unwrap_or_default() {
                let rule = rule(&text, &nodes)?;
                nodes[index].rules.push(rule);
            }
            for text in reader.texts("hosts")?.unwrap_or_default() {
                let Some((name, address)) = text.text.trim().split_once(' ') else {
                    return Err(text.error(
                        "a line of a hosts file has two words",
                        "write `NAME NODE` or `NAME ADDRESS`",
                    ));
                };
                let place = Str { text: address.trim().to_string(), span: text.span.clone() };
                let found = node_addresses(&nodes, &place)?;
                nodes[index]
                    .hosts
                    .extend(found.into_iter().map(|address| (name.to_ascii_lowercase(), address)));
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
                        &self.tree.place(),
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
            proxy: proxy.map(|proxy| proxy.text),
            identity,
            large_hello: large_hello.unwrap_or(false),
            again_after,
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

/// Every router gets a route to every link: more of them would take gigabytes.
const COUNTS_MAX: [(&str, usize); 5] =
    [("nodes", 1000), ("links", 1500), ("set", 1000), ("at", 1000), ("check", 1000)];

fn bounded(root: &Reader<'_>) -> Result<(), Error> {
    for (key, most) in COUNTS_MAX {
        if let Some(item) = root.get(key).filter(|item| item.count() > most) {
            let message = format!("{} {key} are more than a lab can have", item.count());
            return Err(Error::at(&item.span, message, format!("keep to {most}")));
        }
    }
    Ok(())
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

fn prefix(text: &Str) -> Result<Prefix, Error> {
    Prefix::parse(text.text.trim()).ok_or_else(|| {
        text.error(
            format!("`{}` is not a prefix", text.text),
            "write network and length with zero host bits, as in `203.0.113.0/24`",
        )
    })
}

/// The prefix of a translator between IPv6 and IPv4 (RFC 6052).
fn nat64(text: &Str, kind: NodeKind) -> Result<Prefix, Error> {
    if kind != NodeKind::Nat {
        return Err(
            text.error("only a node of kind nat translates", "give the node another kind, as in `home:nat`")
        );
    }
    Prefix::parse(&text.text).filter(|prefix| prefix.is_v6() && prefix.length() == 96).ok_or_else(|| {
        text.error(
            format!("`{}` is no prefix for NAT64", text.text),
            "write an IPv6 prefix of 96 bits, as in `64:ff9b::/96`",
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
