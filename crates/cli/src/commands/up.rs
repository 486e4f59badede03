//! `thru lab up`: this machine becomes a host of a lab, by an interface that exists as long as the command runs.

use std::io;

use thru_wire::IpPrefix;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::labs::UpArgs;
use crate::failure::{Failure, HEALTHY};
use crate::{Outcome, joint, output};

/// Runs until it is interrupted.
pub(crate) fn run(args: &UpArgs) -> Outcome {
    let (scenario, node) = joint::scenario(&args.chosen.lab, &args.chosen.set, args.node.as_deref())?;
    let device = joint::wire(&scenario, node, &args.interface).map_err(|error| cannot(&error))?;
    // The machine keeps its own way out: only the lab's networks are reached through the lab.
    let networks: Vec<IpPrefix> = scenario
        .segments
        .iter()
        .flat_map(|segment| &segment.prefixes)
        .filter_map(|prefix| IpPrefix::new(prefix.network(), prefix.length()))
        .collect();
    joint::configure(&scenario, node, &args.interface, |prefix| prefix.len() > 0)
        .map_err(|error| cannot(&error))?;
    joint::reach(&scenario, node, &args.interface, &networks).map_err(|error| cannot(&error))?;
    let resolver = joint::resolvers(&scenario, node).first().copied();
    let options = scenario.options(args.chosen.seed.unwrap_or(scenario.seed));
    let interface = args.interface.clone();
    let result = thru_net::lab::real::run(options, |lab| async move {
        let name = scenario.name.clone();
        let who = scenario.nodes[node].name.clone();
        let internet = scenario
            .start(&lab)
            .await
            .map_err(|error| Failure::usage(format!("cannot start the lab: {error}"), ""))?;
        let joined = internet.join(node, 0, device).map_err(|error| cannot(&error))?;
        output::say(&format!("lab {name} is up: this machine is `{who}`, by {interface}\n"));
        if let Some(resolver) = resolver {
            output::say(&format!("its resolver: {resolver}, as in `dig @{resolver} www.shop.lab`\n"));
        }
        output::say("its certificate authority follows; ^C ends the lab\n");
        output::print(&internet.trust_pem());
        until_told().await.map_err(|error| cannot(&error))?;
        drop(joined);
        Ok::<_, Failure>(HEALTHY)
    });
    result.map_err(|error| Failure::undecided(format!("cannot start: {error}"), ""))?
}

/// Completes at SIGINT or SIGTERM.
pub(crate) async fn until_told() -> io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut ends = signal(SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = interrupts.recv() => {}
        _ = ends.recv() => {}
    }
    Ok(())
}

fn cannot(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failure::undecided(
            "this user may not make interfaces",
            "run `sudo thru lab up`, or `thru lab shell`, which needs no rights",
        );
    }
    Failure::undecided(
        format!("cannot join the lab to this machine: {error}"),
        "is the interface's name taken?",
    )
}
