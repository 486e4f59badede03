//! `thru route`: the way to a host, hop by hop, as traceroute shows it.

use serde_json::json;
use thru_probe::Recorder;
use thru_probe::route::{Hop, Route, RouteOptions, route};

use super::ping::{error_words, milliseconds};
use crate::Outcome;
use crate::args::RouteArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::{self, Place};
use crate::session::Session;
use crate::{output, resolve};

/// Runs the command.
pub fn run(args: &RouteArgs) -> Outcome {
    let host = place::host(&args.host)?;
    let place = Place::choose(&args.place, &host)?;
    let family = place::family(&args.place);
    let options = RouteOptions { max_hops: args.max_hops, probes: args.queries, wait: args.wait };
    let json = args.place.json;
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let target = resolve::host(&session, &recorder, &host, family).await?;
        if !json {
            output::print(&format!("route to {host} ({target}), {} hops at most\n", options.max_hops));
        }
        let found = route(&recorder, None, target, options).await.map_err(|error| {
            Failure::undecided(
                format!("cannot probe the route from this machine: {error}"),
                "run it with the right to receive ICMP errors, or try `--on lab`",
            )
        })?;
        if json {
            let hops: Vec<_> = found.hops.iter().map(|hop| as_json(&session, hop)).collect();
            let value = json!({
                "schema_version": 1, "host": host, "address": target, "reached": found.reached,
                "loop": found.repeated, "hops": hops,
            });
            output::print(&format!("{value}\n"));
        } else {
            output::print(&as_text(&session, &found));
        }
        Ok(if found.reached { HEALTHY } else { FAULT })
    })?
}

fn as_text(session: &Session, route: &Route) -> String {
    let mut out = String::new();
    for hop in &route.hops {
        let mut who: Vec<String> = Vec::new();
        for address in &hop.addresses {
            who.push(match session.name_of(*address) {
                Some(name) => format!("{name} ({address})"),
                None => address.to_string(),
            });
        }
        let who = if who.is_empty() { "*".to_string() } else { who.join(", ") };
        let mut times: Vec<String> = hop.rtts.iter().map(|rtt| milliseconds(*rtt)).collect();
        times.extend((hop.rtts.len()..hop.sent as usize).map(|_| "*".to_string()));
        let error = hop.error.map(|kind| format!("  {}", error_words(kind))).unwrap_or_default();
        out.push_str(&format!("{:>2}  {who}  {}{error}\n", hop.ttl, times.join("  ")));
    }
    if !route.repeated.is_empty() {
        let again: Vec<String> = route.repeated.iter().map(ToString::to_string).collect();
        out.push_str(&format!("a loop: seen more than once: {}\n", again.join(", ")));
    } else if !route.reached {
        out.push_str("the destination did not answer\n");
    }
    out
}

fn as_json(session: &Session, hop: &Hop) -> serde_json::Value {
    let rtts: Vec<u64> = hop.rtts.iter().map(|rtt| rtt.as_nanos() as u64).collect();
    let names: Vec<Option<String>> = hop.addresses.iter().map(|address| session.name_of(*address)).collect();
    json!({
        "ttl": hop.ttl, "addresses": hop.addresses, "names": names, "sent": hop.sent, "rtt_nanos": rtts,
        "error": hop.error.map(error_words),
    })
}
