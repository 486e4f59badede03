//! The local network: no address to be had, wrong settings handed out, a loop between switches.

mod given;

use crate::facts::{Facts, times};
use crate::vote::Vote;
use thru_trace::configured::{self, DhcpKind};
use thru_trace::{Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let votes = [storm(facts), lease(facts), given::rogue_server(facts), given::rogue_router(facts)];
    votes.into_iter().flatten().collect()
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
    let told = configured::dhcp(facts.trace);
    let shown = match frames(lease, "dhcp.frames") {
        // A live run does not know its frames when it writes the step.
        none if none.is_empty() => told.iter().map(|message| message.frame).collect(),
        some => some,
    };
    // A network of IPv6 alone need not have a DHCP server: only who wanted IPv4 misses it.
    let other = facts.steps("advertisement").any(|span| span.is_ok());
    if other && !facts.own.iter().any(|span| span.failed_with("ip.no_route")) {
        return None;
    }
    let asked = times(lease.int("dhcp.asked").unwrap_or(2));
    let vote = no_address(facts, lease, &told, &shown, &asked)
        .explains(&["DNS01", "DNS02", "IP01", "LNK04", "LNK01"]);
    // What works without: IPv6.
    Some(if facts.delivered().is_some() { vote.only_disturbs() } else { vote })
}

fn no_address(
    facts: &Facts<'_>,
    lease: &Span,
    told: &[configured::Message],
    shown: &[u64],
    asked: &str,
) -> Vote {
    if facts.works("dhcp_server") == Some(true) {
        let refusals = told.iter().filter(|one| one.message.kind == DhcpKind::Nak);
        let refusals: Vec<u64> = refusals.map(|one| one.frame).collect();
        return Vote::broken(
            &["LNK03"],
            0.88,
            "This machine gets no address: there is a server for that (DHCP), and it has none left to give.",
        )
        .cite_frames(shown, format!("asked {asked}; the server offered nothing"))
        .cite_frames(&refusals, "asked for a certain address, the same network's server refuses at once: it is there and answers")
        .rule_out("LNK02", "a server answers, only not with an offer")
        .network("look at the DHCP server's range: enlarge it, shorten the time addresses are lent for, or free those of machines that are gone")
        .user("try again later, or ask the network's owner for an address to set by hand");
    }
    if lease.failed_with("link.address_taken") {
        return Vote::broken(
            &["LNK06"],
            0.9,
            "This machine gets no address: the one it was given is used by another machine already.",
        )
        .cite(lease, crate::facts::failure_text(lease))
        .cite_frames(shown, "the address was given, found in use, and declined")
        .rule_out("LNK02", "a server answers and gives an address")
        .network("find the machine with the address that was set by hand, or take that address out of the DHCP server's range")
        .user("try again: the server should give another address next time");
    }
    if lease.bool("dhcp.refused") == Some(true) {
        return Vote::broken(&["LNK03"], 0.92, "This machine gets no address: the server refuses the one it asks for.")
            .cite_frames(shown, format!("asked {asked}; the server answered with a refusal (DHCP NAK)"))
            .rule_out("LNK02", "a server answers")
            .network("look at the DHCP server's log and its range: the address belongs to another network, or is taken")
            .user("have the machine forget its old address and ask anew");
    }
    let offers = told.iter().any(|one| one.message.kind == DhcpKind::Offer);
    if lease.bool("dhcp.offered") == Some(true) || offers {
        return Vote::broken(
            &["LNK03"],
            0.85,
            "This machine gets no address: one is offered, and then the request for it is not confirmed.",
        )
        .cite_frames(shown, format!("asked {asked}; there was an offer and no confirmation (DHCP ACK)"))
        .rule_out("LNK02", "a server answers with offers")
        .network("look at the DHCP server's log: it has run out of addresses, or two servers are in each other's way");
    }
    Vote::broken(&["LNK02"], 0.9, "This machine gets no address: nobody answers its requests for one.")
        .cite_frames(
            shown,
            format!("asked everybody on the local network {asked} (DHCP), and nobody offered an address"),
        )
        .rule_out("LNK03", "there was neither an offer nor a refusal")
        .network("check that a DHCP server runs on this network, and that switches let its answers through")
        .user("check the cable, or that this is the right network")
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
