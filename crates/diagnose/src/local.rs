//! The local network: no address to be had, a loop between switches.

use crate::facts::{Facts, times};
use crate::vote::Vote;
use thru_trace::{Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    [storm(facts), lease(facts)].into_iter().flatten().collect()
}

/// Frames that a step lists.
fn frames(span: &Span, key: &str) -> Vec<u64> {
    let frame = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    span.list(key).unwrap_or_default().iter().filter_map(frame).collect()
}

/// This machine asked for an address and got none (RFC 2131 3.1).
fn lease(facts: &Facts<'_>) -> Option<Vote> {
    let lease = facts.steps("lease").find(|span| span.code().is_some())?;
    let shown = frames(lease, "dhcp.frames");
    let asked = times(lease.int("dhcp.asked").unwrap_or(2));
    let offered = lease.bool("dhcp.offered") == Some(true);
    if lease.bool("dhcp.refused") == Some(true) {
        return Some(
            Vote::broken(&["LNK03"], 0.92, "This machine gets no address: the server refuses the one it asks for.")
                .cite_frames(&shown, format!("asked {asked}; the server answered with a refusal (DHCP NAK)"))
                .rule_out("LNK02", "a server answers")
                .network("look at the DHCP server's log and its range: the address belongs to another network, or is taken")
                .user("have the machine forget its old address and ask anew"),
        );
    }
    if offered {
        return Some(
            Vote::broken(
                &["LNK03"],
                0.85,
                "This machine gets no address: one is offered, and then the request for it is not confirmed.",
            )
            .cite_frames(&shown, format!("asked {asked}; there was an offer and no confirmation (DHCP ACK)"))
            .rule_out("LNK02", "a server answers with offers")
            .network("look at the DHCP server's log: it has run out of addresses, or two servers are in each other's way"),
        );
    }
    Some(
        Vote::broken(&["LNK02"], 0.9, "This machine gets no address: nobody answers its requests for one.")
            .cite_frames(
                &shown,
                format!("asked everybody on the local network {asked} (DHCP), and nobody offered an address"),
            )
            .rule_out("LNK03", "there was neither an offer nor a refusal")
            .network(
                "check that a DHCP server runs on this network, and that switches let its answers through",
            )
            .user("check the cable, or that this is the right network"),
    )
}

/// The same packets come again and again: they go round.
fn storm(facts: &Facts<'_>) -> Option<Vote> {
    let storm = facts.steps("storm").next()?;
    Some(
        Vote::broken(
            &["LNK11"],
            0.9,
            "The local network goes in circles: packets to everybody come back again and again.",
        )
        .explains(&["TCP01", "FW02", "FW01", "TCP03", "LNK04", "LNK05", "LNK06", "IP19", "IP22", "DNS02"])
        .cite_frames(
            &frames(storm, "storm.frames"),
            "one question to everybody came dozens of times within two seconds; hosts repeat theirs once a second at most",
        )
        .rule_out("LNK04", "the question is not repeated by its sender but by the network")
        .network("find the loop: a cable that joins two switches twice, or a port whose both ends are on this network; switch on the spanning tree protocol")
        .user("tell the network's owner at once; nothing on this machine is wrong"),
    )
}
