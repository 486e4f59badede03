//! `thru route`: the way to a host, hop by hop.

use std::io;
use std::net::IpAddr;

use serde_json::json;
use thru_probe::Recorder;
use thru_probe::route::{FlowControl, Hop, Method, RouteOptions, route};
use thru_report::{json as report_json, text::tools};

use super::ping::error_words;
use crate::args::RouteArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::{self, Place};
use crate::session::Session;
use crate::{Outcome, output, resolve};

/// Runs the command.
pub(crate) fn run(args: &RouteArgs) -> Outcome {
    let host = place::host(&args.host)?;
    let place = Place::choose(&args.place, &host)?;
    let family = place::family(&args.place);
    let options = options(args)?;
    let (json, style) = (args.place.json, output::style(args.place.color));
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let target = resolve::host(&session, &recorder, &host, family).await?;
        let found =
            route(&recorder, None, target, options).await.map_err(|error| cannot(&error, &options))?;
        let found_mtu = found.hops.last().and_then(|hop| hop.mtu);
        output::print(&if json {
            let hops: Vec<_> = found.hops.iter().map(|hop| as_json(&session, hop)).collect();
            let value = json!({
                "host": host, "address": target, "protocol": options.method.name(), "reached": found.reached,
                "loop": found.repeated, "hops": hops,
            });
            report_json::line("route", &value)
        } else {
            let shown = tools::Route {
                target: host,
                address: Some(target),
                protocol: options.method.name().to_string(),
                hops: found.hops.iter().map(|hop| as_shown(&session, hop)).collect(),
                reached: found.reached,
                circle: found.repeated,
            };
            let mtu =
                found_mtu.map(|mtu| format!("Packets of {mtu} bytes get through.\n")).unwrap_or_default();
            tools::route(&shown, &style) + &mtu + &told_ways(&session, &found.hops)
        });
        Ok(if found.reached { HEALTHY } else { FAULT })
    })?
}

fn options(args: &RouteArgs) -> Result<RouteOptions, Failure> {
    let method = match (args.icmp, args.tcp) {
        (true, _) => Method::Icmp,
        (_, true) => Method::Tcp,
        _ => Method::Udp,
    };
    let flow = match (args.paris, args.dublin) {
        (true, _) => FlowControl::Paris,
        (_, Some(flows)) => FlowControl::Dublin { flows },
        _ => FlowControl::Classic,
    };
    if args.mtu && method == Method::Tcp {
        return Err(Failure::usage(
            "SYNs are always small: they can't find the path's MTU",
            "use --udp or --icmp",
        ));
    }
    Ok(RouteOptions {
        max_hops: args.max_hops,
        probes: args.queries.unwrap_or(if args.dublin.is_some() { 1 } else { 3 }),
        wait: args.wait,
        method,
        port: args.port,
        flow,
        path_mtu: args.mtu,
    })
}

fn cannot(error: &io::Error, options: &RouteOptions) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied if options.flow != FlowControl::Classic || options.path_mtu => {
            Failure::undecided(
                "this user may not send packets of a flow of its choice",
                "run as root, or once: `sudo setcap cap_net_raw+ep $(command -v thru)`; without --paris, --dublin and --mtu no right is needed",
            )
        }
        io::ErrorKind::PermissionDenied => Failure::undecided(
            format!("cannot probe the route from this machine: {error}"),
            "run as root, allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, or use --udp or --tcp",
        ),
        _ => Failure::undecided(
            format!("cannot probe the route from this machine: {error}"),
            "is there a route? `ip route` tells; or try `--on lab`",
        ),
    }
}

/// What is remarkable about a hop.
fn remarks(hop: &Hop) -> Option<String> {
    let mut words: Vec<String> = hop.error.map(error_words).into_iter().collect();
    if let Some(mtu) = hop.narrows_to {
        words.push(format!("then MTU {mtu}"));
    }
    if hop.rewritten {
        words.push("behind a translator".to_owned());
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The ways that flows took, where they differ: each with the flows that took it.
fn ways(hops: &[Hop]) -> Vec<(Vec<u16>, Vec<Option<IpAddr>>)> {
    let mut flows: Vec<u16> = hops.iter().flat_map(|hop| &hop.answers).map(|answer| answer.flow).collect();
    flows.sort_unstable();
    flows.dedup();
    let mut ways: Vec<(Vec<u16>, Vec<Option<IpAddr>>)> = Vec::new();
    for flow in flows {
        let from =
            |hop: &Hop| hop.answers.iter().find(|answer| answer.flow == flow).map(|answer| answer.from);
        let way: Vec<Option<IpAddr>> = hops.iter().map(from).collect();
        match ways.iter_mut().find(|(_, known)| *known == way) {
            Some((same, _)) => same.push(flow),
            None => ways.push((vec![flow], way)),
        }
    }
    ways
}

/// The ways as text; nothing if there is one.
fn told_ways(session: &Session, hops: &[Hop]) -> String {
    let ways = ways(hops);
    if ways.len() < 2 {
        return String::new();
    }
    let mut text = format!("{} ways:\n", ways.len());
    for (flows, way) in ways {
        let hops: Vec<String> = way
            .iter()
            .map(|from| match from {
                Some(from) => session.name_of(*from).unwrap_or_else(|| from.to_string()),
                None => "?".to_owned(),
            })
            .collect();
        text.push_str(&format!("  {} of the flows: {}\n", flows.len(), hops.join(", ")));
    }
    text
}

fn as_shown(session: &Session, hop: &Hop) -> tools::Hop {
    let rtts: Vec<u64> = hop.rtts.iter().map(|rtt| rtt.as_nanos() as u64).collect();
    let average = rtts.iter().sum::<u64>().checked_div(rtts.len() as u64);
    let rtt = match (rtts.iter().min(), average, rtts.iter().max()) {
        (Some(least), Some(average), Some(most)) => Some((*least, average, *most)),
        _ => None,
    };
    tools::Hop {
        ttl: u32::from(hop.ttl),
        answered: hop.addresses.iter().map(|address| (*address, session.name_of(*address))).collect(),
        sent: u64::from(hop.sent),
        received: rtts.len() as u64,
        rtt,
        note: remarks(hop),
    }
}

fn as_json(session: &Session, hop: &Hop) -> serde_json::Value {
    let rtts: Vec<u64> = hop.rtts.iter().map(|rtt| rtt.as_nanos() as u64).collect();
    let names: Vec<Option<String>> = hop.addresses.iter().map(|address| session.name_of(*address)).collect();
    let answers: Vec<_> = hop
        .answers
        .iter()
        .map(|answer| json!({ "flow": answer.flow, "from": answer.from, "rtt_nanos": answer.rtt.as_nanos() as u64 }))
        .collect();
    json!({
        "ttl": hop.ttl, "addresses": hop.addresses, "names": names, "sent": hop.sent, "rtt_nanos": rtts,
        "error": hop.error.map(error_words), "answers": answers, "mtu": hop.mtu, "narrows_to": hop.narrows_to,
        "rewritten": hop.rewritten,
    })
}
