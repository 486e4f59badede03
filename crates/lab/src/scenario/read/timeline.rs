//! `[[at]]`.

use std::time::Duration;

use thru_names::authority::update::ask;
use thru_names::text::parse_name;

use super::rules::{route_line, rule};
use super::{node_addresses, unknown_node};
use crate::item::{Item, Kind, Reader, Table};
use crate::link::LinkSpec;
use crate::scenario::service::{expand, read_date};
use crate::scenario::{Change, Event, Scenario, ServiceKind};
use crate::source::{Error, suggest};
use crate::units;

pub(super) fn timeline(tables: &[&Table], scenario: &Scenario) -> Result<Vec<Event>, Error> {
    let mut ordered = Vec::new();
    for table in tables {
        let reader = Reader::new(table, "an [[at]]");
        let Some(at) = reader.quantity("t", units::duration)? else {
            return Err(reader.error("an [[at]] without its time", "write t = \"5s\""));
        };
        ordered.push((at, *table));
    }
    ordered.sort_by_key(|(at, _)| *at);
    let mut patches: Vec<Patch<'_>> = Vec::new();
    let mut events = Vec::new();
    for (at, table) in ordered {
        let reader = Reader::new(table, "an [[at]]");
        reader.get("t");
        let lasts = reader.quantity("for", units::duration)?;
        let before = events.len();
        let mut push = |change| events.push(Event { at, lasts, change });
        let set = reader.get("set");
        let up = reader.bool("up")?;
        let named: Vec<&str> =
            ["link", "service", "node"].into_iter().filter(|key| reader.get(key).is_some()).collect();
        if let [first, second, ..] = named[..] {
            let both = format!("an [[at]] with a {first} and a {second}");
            return Err(reader.error(both, "write one [[at]] for each, with the same t"));
        }
        let changing: [&[&'static str]; 2] = [&["set", "up"], &["routes", "rules", "update"]];
        for (keys, subjects) in changing.into_iter().zip([&["link", "service"][..], &["node"]]) {
            let lost = keys.iter().find(|key| reader.get(key).is_some());
            if let Some(key) = lost.filter(|_| !named.iter().any(|name| subjects.contains(name))) {
                let subjects = subjects.join(" or a ");
                let missing = format!("an [[at]] with `{key}` and without a {subjects}");
                return Err(reader.error(missing, format!("`{key}` changes a {subjects}: name it")));
            }
        }
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
            if set.is_some() || up.is_some() {
                let from = patched(scenario, service, &patches, at)?;
                let mut to = from.clone();
                let patch = Patch { event: before, service, at, end: lasts.map(|lasts| at + lasts), set, up };
                patch.apply(&mut to, scenario)?;
                patches.push(patch);
                push(Change::Service {
                    service,
                    after: Box::new(from.clone()),
                    from: Box::new(from),
                    to: Box::new(to),
                });
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
                push(Change::Rules {
                    node,
                    rules: lines.iter().map(|line| rule(line, &scenario.nodes)).collect::<Result<_, _>>()?,
                });
            }
        }
        if let (Some(name), Some(item)) = (reader.text("node")?, reader.get("update")) {
            let node = scenario.node(&name.text).ok_or_else(|| unknown_node(&name, &scenario.nodes))?;
            let item = Reader::new(item.table("update")?, "an update");
            push(update(&item, node, scenario)?);
            item.finish()?;
            if lasts.is_some() {
                return Err(reader
                    .error("an update cannot be undone", "write a second one for later instead of `for`"));
            }
        }
        if let Some(unix_nanos) = read_date(&reader, "date")? {
            push(Change::Date { unix_nanos });
        }
        if events.len() == before {
            return Err(reader.error(
                "an [[at]] that changes nothing",
                "name a link with set or up, a service with set or up, a node with routes, rules or update, or a date",
            ));
        }
        for key in ["link", "service", "node", "routes", "rules", "update"] {
            reader.get(key);
        }
        reader.finish()?;
    }
    for patch in &patches {
        if let (Some(end), Change::Service { after, .. }) = (patch.end, &mut events[patch.event].change) {
            **after = patched(scenario, patch.service, &patches, end)?;
        }
    }
    Ok(events)
}

/// What one `[[at]]` changes of a service, and when.
struct Patch<'a> {
    /// Its place among the events.
    event: usize,
    service: usize,
    at: Duration,
    end: Option<Duration>,
    set: Option<&'a Item>,
    up: Option<bool>,
}

impl Patch<'_> {
    fn apply(&self, to: &mut ServiceKind, scenario: &Scenario) -> Result<(), Error> {
        if let Some(set) = self.set {
            let name = &scenario.services[self.service].name;
            let patch = Reader::new(set.table("set")?, format!("the settings of service `{name}`"));
            to.apply(&patch, &|node| node_addresses(&scenario.nodes, node))?;
            patch.finish()?;
        }
        if let Some(up) = self.up {
            match to {
                ServiceKind::Dns(spec) => spec.up = up,
                ServiceKind::Resolver(spec) => spec.up = up,
                ServiceKind::Web(spec) => spec.up = up,
                ServiceKind::Proxy(spec) => spec.up = up,
                ServiceKind::Dhcp(spec) => spec.up = up,
                ServiceKind::Advertise(spec) => spec.up = up,
            }
        }
        Ok(())
    }
}

/// A service as the patches make it that are in force at `now`: each changes what it names and nothing else.
fn patched(
    scenario: &Scenario,
    service: usize,
    patches: &[Patch<'_>],
    now: Duration,
) -> Result<ServiceKind, Error> {
    let mut kind = scenario.services[service].kind.clone();
    let in_force = |patch: &&Patch<'_>| {
        patch.service == service && patch.at <= now && patch.end.is_none_or(|end| end > now)
    };
    for patch in patches.iter().filter(in_force) {
        patch.apply(&mut kind, scenario)?;
    }
    Ok(kind)
}

/// `update = { zone = "shop.lab", to = "SERVICE", lines = ["add www 60 A {web-shop}"] }`; tried out.
fn update(reader: &Reader<'_>, node: usize, scenario: &Scenario) -> Result<Change, Error> {
    let missing = || {
        let form =
            "write update = { zone = \"shop.lab\", to = \"SERVICE\", lines = [\"add www 60 A {NODE}\"] }";
        reader.error("an update without zone, to or lines", form)
    };
    let zone = reader.text("zone")?.ok_or_else(missing)?;
    let to = reader.text("to")?.ok_or_else(missing)?;
    let texts = reader.texts("lines")?.filter(|lines| !lines.is_empty()).ok_or_else(missing)?;
    let service = scenario.service(&to.text).ok_or_else(|| {
        let names = scenario.services.iter().map(|service| service.name.as_str());
        to.error(format!("there is no service `{}`", to.text), suggest(&to.text, names))
    })?;
    if !matches!(&scenario.services[service].kind, ServiceKind::Dns(spec) if spec.is_dynamic()) {
        let hint = "give it `updates = [PREFIX]`: who may change its zones";
        return Err(to.error(format!("the zones of `{}` do not change", to.text), hint));
    }
    let origin = parse_name(&zone.text)
        .map_err(|why| zone.error(format!("`{}` is no name: {why}", zone.text), "as in `shop.lab`"))?;
    let mut lines = Vec::new();
    for text in &texts {
        let line = expand(text, &|node| node_addresses(&scenario.nodes, node))?;
        ask::message(0, &origin, [line.as_str()]).map_err(|why| {
            text.error(why, "write `add NAME TTL TYPE DATA`, `delete NAME [TYPE [DATA]]` or `prereq ...`")
        })?;
        lines.push(line);
    }
    Ok(Change::Update { node, to: service, zone: zone.text, lines })
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
