//! The model as a file with every default written out: `thru lab show --expanded`.

use std::fmt::Write;
use std::net::IpAddr;

use std::time::Duration;

use thru_serve::dns::faults::{Fault, Faults};

use super::service::{DnsBehaviour, WebSpec};
use super::{Change, CheckKind, NodeKind, RouteAction, RouteLine, Rule, Scenario, ServiceKind, Visitor};
use crate::{date, units};

impl Scenario {
    /// A scenario file that means the same, with addresses, link settings and service settings written out.
    /// Reading it gives this scenario again. Computed routes are written too; changes to a service show all its
    /// settings.
    pub fn expanded(&self) -> String {
        let mut out = String::new();
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "name = {}", quote(&self.name))?;
        writeln!(out, "about = {}", quote(&self.about))?;
        writeln!(out, "seed = {}", self.seed)?;
        writeln!(out, "date = {}", quote(&date::show(self.date)))?;
        writeln!(out, "limit = {}", quote(&units::show_duration(self.limit)))?;
        writeln!(out, "client = {}", quote(&self.nodes[self.client].name))?;
        if let Some(target) = &self.target {
            writeln!(out, "target = {}", quote(target))?;
        }
        if let Some(time) = self.again_after {
            writeln!(out, "again_after = {}", quote(&units::show_duration(time)))?;
        }
        if self.large_hello {
            writeln!(out, "hello = \"large\"")?;
        }
        if let Some((name, _)) = Visitor::NAMES.iter().find(|(_, kind)| Some(*kind) == self.identity) {
            writeln!(out, "identity = {}", quote(name))?;
        }
        if let Some(proxy) = &self.proxy {
            writeln!(out, "proxy = {}", quote(proxy))?;
        }
        if let Some(control) = &self.control {
            writeln!(out, "control = {}", quote(control))?;
        }
        if !self.other_resolvers.is_empty() {
            writeln!(out, "other_resolvers = {}", addresses(self.other_resolvers.iter().copied()))?;
        }
        writeln!(out, "\nnodes = [")?;
        for node in &self.nodes {
            writeln!(out, "  {},", quote(&format!("{}:{}", node.name, node.kind.word())))?;
        }
        writeln!(out, "]\nlinks = [")?;
        let mut net_shown = vec![false; self.segments.len()];
        for (index, link) in self.links.iter().enumerate() {
            let (a, b) = (&self.nodes[link.ends.0], &self.nodes[link.ends.1]);
            let mut settings = link.spec.show();
            let segment = [a, b]
                .into_iter()
                .flat_map(|node| &node.interfaces)
                .find(|interface| interface.link == index)
                .map(|interface| interface.segment);
            if let Some(segment) = segment
                && !std::mem::replace(&mut net_shown[segment], true)
            {
                let nets: Vec<String> =
                    self.segments[segment].prefixes.iter().map(ToString::to_string).collect();
                let separator = if settings.is_empty() { "" } else { ", " };
                settings = format!("net={}{separator}{settings}", nets.join(" "));
            }
            writeln!(out, "  {},", quote(&format!("{} -- {} {{ {settings} }}", a.name, b.name)))?;
        }
        writeln!(out, "]")?;
        for node in self.nodes.iter().filter(|node| node.kind != NodeKind::Switch) {
            writeln!(out, "\n[node.{}]", node.name)?;
            if let Some(label) = &node.label {
                writeln!(out, "label = {}", quote(label))?;
            }
            writeln!(
                out,
                "addresses = {}",
                addresses(
                    node.interfaces
                        .iter()
                        .flat_map(|interface| &interface.addresses)
                        .map(|(address, _)| *address)
                )
            )?;
            if !node.anycast.is_empty() {
                writeln!(out, "anycast = {}", addresses(node.anycast.iter().copied()))?;
            }
            if !node.resolvers.is_empty() {
                writeln!(out, "resolvers = {}", addresses(node.resolvers.iter().copied()))?;
            }
            if let Some(outside) = node.outside {
                writeln!(out, "outside = {}", quote(&self.links[node.interfaces[outside].link].name))?;
            }
            if let Some(prefix) = node.nat64 {
                writeln!(out, "nat64 = {}", quote(&prefix.to_string()))?;
            }
            writeln!(out, "answers_ping = {}", node.answers_ping)?;
            writeln!(out, "icmp_errors = {}", node.sends_icmp_errors)?;
            if node.clock != 0 {
                writeln!(out, "clock = {}", quote(&units::show_offset(node.clock)))?;
            }
            if !node.rules.is_empty() {
                writeln!(out, "rules = [{}]", list(node.rules.iter().map(rule)))?;
            }
            if !node.hosts.is_empty() {
                let lines = node.hosts.iter().map(|(name, address)| format!("{name} {address}"));
                writeln!(out, "hosts = [{}]", list(lines))?;
            }
            if !node.claims.is_empty() {
                writeln!(out, "claims = [{}]", list(node.claims.iter().map(ToString::to_string)))?;
            }
            if let Some(time) = node.forgets {
                writeln!(out, "forgets = {}", quote(&units::show_duration(time)))?;
            }
            if let Some(bytes) = node.receive_buffer {
                writeln!(out, "receive_buffer = {}", quote(&units::show_size(bytes)))?;
            }
            if node.ecn {
                writeln!(out, "ecn = true")?;
            }
            if node.autoconfigure {
                writeln!(out, "autoconfigure = true")?;
            }
            if node.ports_taken {
                writeln!(out, "ports_taken = true")?;
            }
            if !node.routes.is_empty() {
                writeln!(out, "routes = [{}]", list(node.routes.iter().map(route)))?;
            }
        }
        for service in &self.services {
            writeln!(out, "\n[service.{}]", service.name)?;
            writeln!(out, "kind = {}", quote(service.kind.word()))?;
            writeln!(out, "on = {}", quote(&self.nodes[service.on].name))?;
            for line in settings(&service.kind) {
                writeln!(out, "{line}")?;
            }
        }
        self.write_timeline(out)?;
        self.write_checks(out)
    }

    fn write_timeline(&self, out: &mut String) -> std::fmt::Result {
        for event in &self.timeline {
            writeln!(out, "\n[[at]]\nt = {}", quote(&units::show_duration(event.at)))?;
            if let Some(lasts) = event.lasts {
                writeln!(out, "for = {}", quote(&units::show_duration(lasts)))?;
            }
            match &event.change {
                Change::Link { link, settings } => {
                    let settings: Vec<String> =
                        settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    writeln!(
                        out,
                        "link = {}\nset = {}",
                        quote(&self.links[*link].name),
                        quote(&settings.join(", "))
                    )?;
                }
                Change::Up { link, up } => {
                    writeln!(out, "link = {}\nup = {up}", quote(&self.links[*link].name))?
                }
                Change::Service { service, from, to, after: _ } => {
                    writeln!(out, "service = {}\n[at.set]", quote(&self.services[*service].name))?;
                    // What other changes set is theirs to tell, and to undo.
                    let before = settings(from);
                    for line in settings(to).into_iter().filter(|line| !before.contains(line)) {
                        writeln!(out, "{line}")?;
                    }
                }
                Change::Routes { node, routes } => {
                    writeln!(
                        out,
                        "node = {}\nroutes = [{}]",
                        quote(&self.nodes[*node].name),
                        list(routes.iter().map(route))
                    )?;
                }
                Change::Rules { node, rules } => {
                    writeln!(
                        out,
                        "node = {}\nrules = [{}]",
                        quote(&self.nodes[*node].name),
                        list(rules.iter().map(rule))
                    )?;
                }
                Change::Update { node, to, zone, lines } => writeln!(
                    out,
                    "node = {}\nupdate = {{ zone = {}, to = {}, lines = [{}] }}",
                    quote(&self.nodes[*node].name),
                    quote(zone),
                    quote(&self.services[*to].name),
                    list(lines.iter().cloned())
                )?,
                Change::Date { unix_nanos } => writeln!(out, "date = {}", quote(&date::show(*unix_nanos)))?,
            }
        }
        Ok(())
    }

    fn write_checks(&self, out: &mut String) -> std::fmt::Result {
        for check in &self.checks {
            writeln!(out, "\n[[check]]\nname = {}", quote(&check.name))?;
            if !check.at.is_zero() {
                writeln!(out, "at = {}", quote(&units::show_duration(check.at)))?;
            }
            let text = |out: &mut String, key: &str, value: &Option<String>| match value {
                Some(value) => writeln!(out, "{key} = {}", quote(value)),
                None => Ok(()),
            };
            match &check.kind {
                CheckKind::Url { url, http, verdict, layer, causes, also, exit, status, time } => {
                    writeln!(out, "url = {}", quote(url))?;
                    text(out, "http", &http.map(|http| http.word().to_string()))?;
                    text(out, "verdict", verdict)?;
                    text(out, "layer", layer)?;
                    if let Some(causes) = causes {
                        writeln!(out, "causes = [{}]", list(causes.iter().cloned()))?;
                    }
                    if !also.is_empty() {
                        writeln!(out, "also = [{}]", list(also.iter().cloned()))?;
                    }
                    if let Some(exit) = exit {
                        writeln!(out, "exit = {exit}")?;
                    }
                    if let Some(status) = status {
                        writeln!(out, "status = {status}")?;
                    }
                    text(out, "time", &time.map(|time| time.show()))?;
                }
                CheckKind::Ping { to, rtt, reached } => {
                    writeln!(out, "ping = {}\nreached = {reached}", quote(to))?;
                    text(out, "rtt", &rtt.map(|rtt| rtt.show()))?;
                }
                CheckKind::Audit { zone, findings } => {
                    writeln!(
                        out,
                        "audit = {}\nfindings = [{}]",
                        quote(zone),
                        list(findings.iter().cloned())
                    )?;
                }
                CheckKind::Dns { name, rtype, server, rcode, answers } => {
                    writeln!(out, "dns = {}", quote(&format!("{name} {rtype}")))?;
                    text(out, "server", server)?;
                    text(out, "rcode", rcode)?;
                    if let Some(answers) = answers {
                        writeln!(out, "answers = [{}]", list(answers.iter().cloned()))?;
                    }
                }
            }
            if !check.injected.is_empty() {
                writeln!(out, "injected = [{}]", list(check.injected.iter().cloned()))?;
            }
            text(out, "explain", &check.explain)?;
            text(out, "hint", &check.hint)?;
        }
        Ok(())
    }
}

pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| quote(&item)).collect::<Vec<_>>().join(", ")
}

fn addresses(items: impl Iterator<Item = IpAddr>) -> String {
    format!("[{}]", list(items.map(|address| address.to_string())))
}

pub(super) fn route(line: &RouteLine) -> String {
    match line.action {
        RouteAction::Via(address, _) => format!("{} via {address}", line.prefix),
        RouteAction::Unreachable => format!("{} unreachable", line.prefix),
        RouteAction::Prohibit => format!("{} prohibit", line.prefix),
        RouteAction::Blackhole => format!("{} blackhole", line.prefix),
    }
}

fn rule(rule: &Rule) -> String {
    rule.text.clone()
}

fn settings(kind: &ServiceKind) -> Vec<String> {
    let behaviour = |behaviour: &DnsBehaviour, up: bool| {
        vec![format!("behaviour = {}", quote(behaviour.word())), format!("up = {up}")]
    };
    match kind {
        ServiceKind::Dns(spec) => {
            let mut lines = behaviour(&spec.behaviour, spec.up);
            lines.extend(wrong(&spec.faults, spec.think));
            let zones: Vec<String> = spec.zones.iter().map(|zone| quote(zone)).collect();
            lines.push(format!("reverse = {}", spec.reverse));
            lines.push(format!("signed = {}", spec.signed));
            if !spec.signing.is_empty() {
                let zones = spec.signing.iter().map(|(zone, signing)| {
                    format!("{} = [{}]", quote(zone), list(signing.words().into_iter().map(String::from)))
                });
                lines.push(format!("dnssec = {{ {} }}", zones.collect::<Vec<_>>().join(", ")));
            }
            lines.push(format!("zone = [{}]", zones.join(", ")));
            if spec.is_dynamic() {
                let copies = spec.copies.iter().map(|(zone, node, _)| format!("{zone}={node}"));
                lines.push(format!("updates = [{}]", list(spec.updates.iter().map(ToString::to_string))));
                lines.push(format!("notify = [{}]", list(spec.notify.iter().map(|(node, _)| node.clone()))));
                lines.push(format!("copies = [{}]", list(copies)));
            }
            lines
        }
        ServiceKind::Resolver(spec) => {
            let mut lines = vec![
                format!("roots = {}", addresses(spec.roots.iter().copied())),
                format!("trust = {}", quote(spec.trust.word())),
            ];
            lines.extend(behaviour(&spec.behaviour, spec.up));
            lines.extend(wrong(&spec.faults, spec.think));
            lines.extend(spec.dns64.map(|prefix| format!("dns64 = {}", quote(&prefix.to_string()))));
            if !spec.blocked.is_empty() {
                lines.push(format!("blocked = [{}]", list(spec.blocked.iter().cloned())));
            }
            if !spec.allow.is_empty() {
                lines.push(format!("allow = [{}]", list(spec.allow.iter().map(ToString::to_string))));
            }
            lines
        }
        ServiceKind::Web(spec) => web(spec),
        ServiceKind::Proxy(spec) => spec.show(),
        ServiceKind::Dhcp(spec) => spec.show(),
        ServiceKind::Advertise(spec) => spec.show(),
    }
}

/// What a name server gets wrong, and how slow it is.
fn wrong(faults: &Faults, think: Duration) -> Vec<String> {
    let words = list(faults.iter().map(Fault::word).map(String::from));
    vec![format!("faults = [{words}]"), format!("think = {}", quote(&units::show_duration(think)))]
}

fn web(spec: &WebSpec) -> Vec<String> {
    let WebSpec {
        names,
        http,
        alt_svc,
        tls12,
        tls13,
        certificate_names,
        not_before,
        not_after,
        issuer,
        port,
        plain_port,
        door,
        status,
        think,
        silent,
        drip,
        close_after,
        up,
        misdeeds,
    } = spec;
    let tls = [("1.2", *tls12), ("1.3", *tls13), ("old", !*tls12 && !*tls13)]
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(version, _)| version.to_string());
    let mut certificate = vec![format!("issuer = {}", quote(issuer.word()))];
    if let Some(names) = certificate_names {
        certificate.push(format!("names = [{}]", list(names.iter().cloned())));
    }
    if let Some(at) = not_before {
        certificate.push(format!("not_before = {}", quote(&date::show(*at))));
    }
    if let Some(at) = not_after {
        certificate.push(format!("not_after = {}", quote(&date::show(*at))));
    }
    misdeeds.show_certificate(&mut certificate);
    let mut lines = vec![
        format!("names = [{}]", list(names.iter().cloned())),
        format!("http = [{}]", list(http.iter().map(|version| version.word().to_string()))),
        format!("alt_svc = {alt_svc}"),
        format!("tls = [{}]", list(tls)),
        format!("certificate = {{ {} }}", certificate.join(", ")),
        format!("port = {port}"),
        format!("think = {}", quote(&units::show_duration(*think))),
        format!("silent = {silent}"),
        format!("door = {}", quote(door.word())),
        format!("up = {up}"),
    ];
    lines.push(format!("plain_port = {}", plain_port.unwrap_or(0)));
    lines.extend(status.map(|status| format!("status = {status}")));
    lines.extend(drip.map(|rate| format!("drip = {}", quote(&units::show_rate(rate)))));
    lines.extend(close_after.map(|bytes| format!("close_after = {}", quote(&units::show_size(bytes)))));
    misdeeds.show(&mut lines);
    lines
}
