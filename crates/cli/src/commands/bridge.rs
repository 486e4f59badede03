//! `thru bridge`: two interfaces of this machine, or captures, joined by a wire of ours.

use std::io;

use thru_lab::link::LinkSpec;
use thru_net::lab::real::{Join, Punctuality, idle, join, punctuality, run as real_time};
use thru_net::lab::{Lab, LabOptions};
use thru_os::netlink;
use thru_sim::link::LinkStats;
use thru_sim::{Direction, LinkId, NodeId};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::MacAddr;

use super::up::until_told;
use crate::args::wires::{BridgeArgs, WireArgs};
use crate::failure::{Failure, HEALTHY};
use crate::{Outcome, output};

mod end;

/// Runs until it is interrupted, or until the captures are played and what they held has arrived; then tells what it
/// did.
pub(crate) fn run(args: &BridgeArgs) -> Outcome {
    let spec = wire(&args.wire)?;
    if args.a == args.b {
        return Err(Failure::usage(
            format!("`{}` cannot be joined with itself: its frames would go round for ever", args.a),
            "name two interfaces; `ip link` lists them",
        ));
    }
    let devices = [end::open(&args.a)?, end::open(&args.b)?];
    // Other programs' turns would be delays of ours. Without the right to it, the wire is as exact as they let it be.
    let _ = thru_os::schedule::be_punctual();
    let options = LabOptions {
        name: "bridge".to_owned(),
        seed: args.seed,
        epoch_unix_nanos: 0,
        limit: std::time::Duration::MAX,
    };
    let names = [args.a.clone(), args.b.clone()];
    let lost =
        |names: &[String; 2]| -> u64 { names.iter().filter_map(|name| netlink::lost_on_sending(name)).sum() };
    let before = lost(&names);
    let result = real_time(options, |lab| async move {
        let (nodes, link) = build(&lab, &names, &spec);
        let mut joined = Vec::new();
        for (node, device) in nodes.into_iter().zip(devices) {
            joined.push(
                join(&lab, node, InterfaceId(0), device)
                    .map_err(|error| cannot("use", "the interfaces", &error))?,
            );
        }
        output::say(&format!("{} and {} are joined; ^C parts them\n", names[0], names[1]));
        let [a, b] = &mut joined[..] else { unreachable!("a bridge has two ends") };
        tokio::select! {
            biased;
            told = until_told() => told.map_err(|error| cannot("wait for", "a signal", &error))?,
            () = async { tokio::join!(a.ended(), b.ended()); idle(&lab).await } => {}
        }
        let broken = joined.iter().zip(&names).find_map(|(joined, name)| Some((joined.failure()?, name)));
        let missed = Missed {
            came: joined.iter().map(Join::missed).sum(),
            left: joined.iter().map(Join::dropped).sum::<u64>() + lab.world().external_dropped(),
            behind: lost(&names).saturating_sub(before),
        };
        let stats =
            [Direction::AToB, Direction::BToA].map(|direction| lab.world().link_stats(link, direction));
        output::say(&told(&names, &stats, missed, punctuality(&lab)));
        if let Some((why, name)) = broken {
            return Err(Failure::undecided(format!("`{name}` broke off: {why}"), ""));
        }
        Ok::<_, Failure>(HEALTHY)
    });
    result.map_err(|error| Failure::undecided(format!("cannot start: {error}"), ""))?
}

/// What the arguments say about the wire; A is on the left.
pub(crate) fn wire(args: &WireArgs) -> Result<LinkSpec, Failure> {
    let WireArgs { delay, jitter, loss, rate, queue, duplicate, corrupt, reorder, set } = args;
    let named = [
        ("delay", delay),
        ("jitter", jitter),
        ("loss", loss),
        ("rate", rate),
        ("queue", queue),
        ("duplicate", duplicate),
        ("corrupt", corrupt),
        ("reorder", reorder),
    ];
    let named = named.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={value}")));
    let settings: Vec<String> = named.chain(set.iter().cloned()).collect();
    Ok(LinkSpec::parse(&settings.join(", "))?)
}

/// Two stations that this machine's interfaces play, and the wire between them.
fn build(lab: &Lab, names: &[String; 2], spec: &LinkSpec) -> ([NodeId; 2], LinkId) {
    let mut world = lab.world();
    let nodes = ["a", "b"].map(|name| world.add_host(name, HostConfig::default()));
    let interface = |index: usize| {
        let mac = MacAddr([2, 0, 0, 0, 0, index as u8]);
        Some(InterfaceConfig { name: names[index].clone(), medium: Medium::Ethernet, mac, mtu: 65_535 })
    };
    let (link, ..) = world.connect("wire", (nodes[0], interface(0)), (nodes[1], interface(1)), spec.config());
    for node in nodes {
        world.set_external(node);
    }
    (nodes, link)
}

/// Frames that were lost beside the wire, not on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Missed {
    /// Before they entered it.
    came: u64,
    /// After they left it.
    left: u64,
    /// By the interfaces they left through, or by whoever is behind them.
    behind: u64,
}

pub(crate) fn told(
    names: &[String; 2],
    stats: &[LinkStats; 2],
    missed: Missed,
    punctuality: Punctuality,
) -> String {
    let mut text = String::new();
    for (index, stats) in stats.iter().enumerate() {
        text.push_str(&format!(
            "{} to {}: {} frames, {} delivered, {} lost, {} dropped by the queue\n",
            names[index],
            names[1 - index],
            stats.frames,
            stats.delivered,
            stats.lost,
            stats.queue_drops
        ));
    }
    let Missed { came, left, behind } = missed;
    if came > 0 {
        text.push_str(&format!(
            "warning: could not keep up: {came} frames came faster than they were taken\n"
        ));
    }
    if left > 0 {
        text.push_str(&format!("warning: could not keep up: the interfaces had no room for {left} frames\n"));
    }
    if behind > 0 {
        text.push_str(&format!("warning: the interfaces lost {behind} frames that they had taken\n"));
    }
    // One in a hundred may be the scheduler's mood; more is a machine that cannot keep up.
    if punctuality.late * 100 > punctuality.wakes {
        text.push_str(&format!(
            "warning: could not keep up: {} of {} times more than 1 ms late\n",
            punctuality.late, punctuality.wakes
        ));
    }
    text
}

fn cannot(what: &str, name: &str, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failure::undecided(
            "this user may not send and receive frames on interfaces",
            "run as root, or once: `sudo setcap cap_net_raw,cap_net_admin+ep $(command -v thru)`",
        );
    }
    // ENODEV has no kind of its own.
    if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(19) {
        return Failure::usage(format!("there is no interface `{name}`"), "`ip link` lists them");
    }
    Failure::usage(format!("cannot {what} `{name}`: {error}"), "`ip link` lists the interfaces")
}
