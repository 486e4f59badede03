//! `thru route`: the way to a host, hop by hop.

use serde_json::json;
use thru_probe::Recorder;
use thru_probe::route::{Hop, RouteOptions, route};
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
    let options = RouteOptions { max_hops: args.max_hops, probes: args.queries, wait: args.wait };
    let (json, style) = (args.place.json, output::style(args.place.color));
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let target = resolve::host(&session, &recorder, &host, family).await?;
        let found = route(&recorder, None, target, options).await.map_err(|error| {
            Failure::undecided(
                format!("cannot probe the route from this machine: {error}"),
                "run it with the right to receive ICMP errors, or try `--on lab`",
            )
        })?;
        output::print(&if json {
            let hops: Vec<_> = found.hops.iter().map(|hop| as_json(&session, hop)).collect();
            let value = json!({
                "host": host, "address": target, "reached": found.reached, "loop": found.repeated, "hops": hops,
            });
            report_json::line("route", &value)
        } else {
            let shown = tools::Route {
                target: host,
                address: Some(target),
                protocol: "udp".to_string(),
                hops: found.hops.iter().map(|hop| as_shown(&session, hop)).collect(),
                reached: found.reached,
                circle: found.repeated,
            };
            tools::route(&shown, &style)
        });
        Ok(if found.reached { HEALTHY } else { FAULT })
    })?
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
        note: hop.error.map(error_words),
    }
}

fn as_json(session: &Session, hop: &Hop) -> serde_json::Value {
    let rtts: Vec<u64> = hop.rtts.iter().map(|rtt| rtt.as_nanos() as u64).collect();
    let names: Vec<Option<String>> = hop.addresses.iter().map(|address| session.name_of(*address)).collect();
    json!({
        "ttl": hop.ttl, "addresses": hop.addresses, "names": names, "sent": hop.sent, "rtt_nanos": rtts,
        "error": hop.error.map(error_words),
    })
}
