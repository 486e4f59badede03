//! `thru lab`: list, show, run and verify.

use serde_json::json;
use thru_lab::run::{Report, check, request};
use thru_lab::{Scenario, builtin};
use url::Url;

use thru_lab::scenario::{CheckKind, ServiceKind};
use thru_report::{json as report_json, text::lab as view};

use crate::args::Color;
use crate::args::labs::LabCommand;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::{Outcome, output, place};

/// Runs the command.
pub(crate) fn run(command: &LabCommand) -> Outcome {
    match command {
        LabCommand::List { words, json } => list(words, *json),
        LabCommand::Show { lab, expanded, set, json } => {
            let scenario = place::scenario(lab, set)?;
            output::print(&match (expanded, json) {
                (true, _) => scenario.expanded(),
                (false, true) => as_json(&scenario),
                (false, false) => as_text(&scenario),
            });
            Ok(HEALTHY)
        }
        LabCommand::Run { chosen, json } => {
            checks(&place::scenario(&chosen.lab, &chosen.set)?, chosen.seed, *json)
        }
        LabCommand::Shell(args) => super::shell::run(args),
        LabCommand::Up(args) => super::up::run(args),
        LabCommand::Verify { chosen, json } => {
            verify(&place::scenario(&chosen.lab, &chosen.set)?, chosen.seed, *json)
        }
    }
}

fn list(words: &[String], json: bool) -> Outcome {
    let labs: Vec<Listed> = builtin::names().filter_map(Scenario::builtin).map(Listed::new).collect();
    let wanted: Vec<&Listed> = labs.iter().filter(|lab| words.iter().all(|word| lab.has(word))).collect();
    if wanted.is_empty() {
        return Err(Failure::usage("no lab has all these words", "`thru lab list` shows all of them"));
    }
    if json {
        for lab in wanted {
            let value =
                json!({"name": lab.name, "about": lab.about, "layer": lab.layer, "causes": lab.causes});
            output::print(&report_json::line("lab", &value));
        }
        return Ok(HEALTHY);
    }
    let mut first = true;
    for layer in LAYERS {
        let summaries: Vec<view::Summary> = wanted
            .iter()
            .filter(|lab| lab.layer == layer)
            .map(|lab| view::Summary {
                name: lab.name.clone(),
                title: lab.about.clone(),
                causes: lab.causes.clone(),
            })
            .collect();
        if summaries.is_empty() {
            continue;
        }
        let head = if layer == "none" { "nothing wrong, though it may look like it" } else { layer };
        output::print(&format!("{}{head}:\n", if first { "" } else { "\n" }));
        output::print(&view::list(&summaries, &output::style(Color::Auto)));
        first = false;
    }
    output::say(
        "\nAsk on one with `thru URL --on lab:NAME`; `thru lab run NAME` runs its checks, `thru explain CODE` tells of a cause.\n",
    );
    Ok(HEALTHY)
}

/// Layers in the order in which a request meets them.
const LAYERS: [&str; 13] = [
    "none", "host", "link", "ip", "routing", "proxy", "dns", "firewall", "tcp", "tls", "quic", "http", "app",
];

/// A lab as the list shows it.
struct Listed {
    name: String,
    about: String,
    layer: String,
    causes: Vec<String>,
}

impl Listed {
    /// The truth is that of the first check that states one.
    fn new(lab: Scenario) -> Listed {
        let truth = lab.checks.iter().find_map(|check| match &check.kind {
            CheckKind::Url { layer, causes: Some(causes), also, .. } => Some((layer.clone(), causes, also)),
            _ => None,
        });
        let (layer, mut causes) = match truth {
            Some((layer, causes, also)) => (layer, causes.iter().chain(also).cloned().collect()),
            None => (None, Vec::new()),
        };
        let by_cause = || causes.first().and_then(|cause: &String| thru_trace::fault::layer_of(cause));
        let layer =
            layer.or_else(|| by_cause().map(|layer| layer.to_string())).unwrap_or_else(|| "none".to_string());
        causes.dedup();
        Listed { name: lab.name, about: lab.about, layer, causes }
    }

    fn has(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let texts = [&self.name, &self.about, &self.layer].into_iter().chain(&self.causes);
        texts.into_iter().any(|text| text.to_lowercase().contains(&word))
    }
}

fn as_text(scenario: &Scenario) -> String {
    let addresses = |node: &thru_lab::scenario::Node| {
        let all = node.interfaces.iter().flat_map(|interface| &interface.addresses);
        all.map(|(address, _)| address.to_string()).collect()
    };
    let target = scenario.target.as_deref().unwrap_or("https://www.shop.lab/");
    let lab = view::Lab {
        name: scenario.name.clone(),
        description: scenario.about.clone(),
        nodes: scenario
            .nodes
            .iter()
            .map(|node| view::Node {
                name: node.name.clone(),
                kind: node.kind.word().to_string(),
                addresses: addresses(node),
            })
            .collect(),
        links: scenario
            .links
            .iter()
            .map(|link| view::Link { name: link.name.clone(), properties: link.spec.properties() })
            .collect(),
        services: scenario
            .services
            .iter()
            .map(|service| view::Service {
                node: scenario.nodes[service.on].name.clone(),
                kind: service.kind.word().to_string(),
                detail: match &service.kind {
                    ServiceKind::Web(web) => web.names.join(", "),
                    ServiceKind::Proxy(proxy) => format!("port {}", proxy.port),
                    ServiceKind::Dhcp(_) => "gives IPv4 addresses".to_string(),
                    ServiceKind::Advertise(_) => "advertises itself to hosts of IPv6".to_string(),
                    ServiceKind::Dns(dns) => {
                        format!("{} zone{}", dns.zones.len(), if dns.zones.len() == 1 { "" } else { "s" })
                    }
                    ServiceKind::Resolver(_) => "resolves from the root down".to_string(),
                },
            })
            .collect(),
        try_this: vec![
            format!("thru {target} --on lab:{}", scenario.name),
            format!("thru lab run {}", scenario.name),
        ],
    };
    view::show(&lab, &output::style(Color::Auto))
}

fn as_json(scenario: &Scenario) -> String {
    let nodes: Vec<_> = scenario
        .nodes
        .iter()
        .map(|node| {
            let addresses: Vec<String> = node
                .interfaces
                .iter()
                .flat_map(|interface| &interface.addresses)
                .map(|(address, length)| format!("{address}/{length}"))
                .collect();
            json!({"name": node.name, "kind": node.kind.word(), "label": node.label, "addresses": addresses})
        })
        .collect();
    let links: Vec<_> =
        scenario.links.iter().map(|link| json!({"name": link.name, "settings": link.spec.show()})).collect();
    let services: Vec<_> = scenario
        .services
        .iter()
        .map(|service| {
            json!({"name": service.name, "kind": service.kind.word(), "on": scenario.nodes[service.on].name})
        })
        .collect();
    let value = json!({
        "name": scenario.name, "about": scenario.about, "seed": scenario.seed,
        "target": scenario.target, "nodes": nodes, "links": links, "services": services,
    });
    report_json::line("lab", &value)
}

fn checks(scenario: &Scenario, seed: Option<u64>, json: bool) -> Outcome {
    if scenario.checks.is_empty() {
        return Err(Failure::usage(
            format!("lab `{}` has no checks", scenario.name),
            "add [[check]] with url = \"https://...\" and what is expected",
        ));
    }
    let seed = seed.unwrap_or(scenario.seed);
    let mut failed = 0;
    let mut results = Vec::new();
    for wanted in &scenario.checks {
        let result =
            check(scenario, seed, wanted).map_err(|error| Failure::undecided(error.to_string(), ""))?;
        failed += usize::from(!result.passed());
        if json {
            results.push(json!({
                "name": wanted.name, "passed": result.passed(), "seen": result.seen, "complaints": result.complaints,
            }));
            continue;
        }
        let mut out = format!("{}  {}\n", if result.passed() { "pass" } else { "FAIL" }, wanted.name);
        out.push_str(&format!("      {}\n", result.seen));
        if !result.passed() {
            for complaint in &result.complaints {
                out.push_str(&format!("      {complaint}\n"));
            }
            out.extend(wanted.hint.iter().map(|hint| format!("      hint: {hint}\n")));
        }
        out.extend(wanted.explain.iter().map(|why| format!("      why: {why}\n")));
        output::print(&out);
    }
    let total = scenario.checks.len();
    if json {
        let value = json!({"lab": scenario.name, "seed": seed, "failed": failed, "checks": results});
        output::print(&report_json::line("run", &value));
    } else {
        output::print(&format!("{} of {total} passed\n", total - failed));
    }
    Ok(if failed == 0 { HEALTHY } else { FAULT })
}

fn verify(scenario: &Scenario, seed: Option<u64>, json: bool) -> Outcome {
    let first_check = scenario.checks.iter().find_map(|check| match &check.kind {
        CheckKind::Url { url, .. } => Some(url),
        _ => None,
    });
    let Some(target) = scenario.target.as_ref().or(first_check) else {
        return Err(Failure::usage(
            format!("lab `{}` has no target", scenario.name),
            "write target = \"https://...\" in it: the request that is run twice",
        ));
    };
    let url: Url = place::url(target)?;
    let seed = seed.unwrap_or(scenario.seed);
    let once = || {
        request(scenario.clone(), seed, url.clone(), std::time::Duration::ZERO, |_| {})
            .map_err(|error| Failure::undecided(error.to_string(), ""))
    };
    let (first, second) = (once()?, once()?);
    let (first_file, second_file) = (capture(&first), capture(&second));
    let same = first.digest == second.digest && first_file == second_file;
    let difference = if same { None } else { Some(first_difference(&first, &second)) };
    if json {
        let value = json!({
            "lab": scenario.name, "seed": seed, "same": same,
            "digest": format!("{:016x}", first.digest), "frames": first.trace.packets.len(),
            "bytes": first_file.len(), "difference": difference,
        });
        output::print(&report_json::line("verify", &value));
    } else {
        let mut out = format!(
            "lab {}, seed {seed}: {} frames, {} bytes of pcapng, digest {:016x}\n",
            scenario.name,
            first.trace.packets.len(),
            first_file.len(),
            first.digest
        );
        out.push_str(&match &difference {
            None => "run twice: the same, to the byte\n".to_string(),
            Some(difference) => format!("run twice: NOT the same: {difference}\n"),
        });
        output::print(&out);
    }
    Ok(if same { HEALTHY } else { FAULT })
}

fn capture(report: &Report) -> Vec<u8> {
    let mut file = Vec::new();
    thru_report::pcapng::write_with_verdict(&report.trace, &report.verdict, &mut file)
        .expect("memory takes all");
    file
}

fn first_difference(first: &Report, second: &Report) -> String {
    let (a, b) = (&first.trace.packets, &second.trace.packets);
    for (one, other) in a.iter().zip(b) {
        if one.at != other.at {
            return format!("frame {} at {} ns, then at {} ns", one.number, one.at, other.at);
        }
        if one.bytes != other.bytes {
            let at = one
                .bytes
                .iter()
                .zip(&other.bytes)
                .position(|(a, b)| a != b)
                .unwrap_or(one.bytes.len().min(other.bytes.len()));
            return format!("frame {} ({} ns) differs from byte {at} on", one.number, one.at);
        }
        if one.fate != other.fate {
            return format!("frame {} ({} ns) met another fate", one.number, one.at);
        }
    }
    if a.len() != b.len() {
        return format!("{} frames, then {}", a.len(), b.len());
    }
    if first.trace.key_log != second.trace.key_log {
        return "the TLS secrets differ".to_string();
    }
    format!("digests {:016x} and {:016x}: on a link that is not captured", first.digest, second.digest)
}
