//! Connections that nobody answers.

use super::{own_public_address, port};
use crate::facts::{Facts, failure_text, ms, remote, times};
use crate::vote::Vote;
use std::net::IpAddr;
use thru_trace::{Span, frames};

/// Packets to this server leave by another device than all others: a route of this machine's own sends them there.
fn own_route(facts: &Facts<'_>, attempt: &Span) -> Option<(IpAddr, Vec<u64>)> {
    let target = attempt.address("tcp.remote")?;
    frames::other_next_hop(facts.trace, target).map(|frames| (target, frames))
}

/// A question that is signed with a key of both ends (RFC 2385, RFC 5925): who has another key, or none, throws it away.
fn signed(attempt: &Span, to: &str, says: &str) -> Vote {
    let causes = &["BGP14", "FW01", "IP05", "TCP06"];
    Vote::broken(
        causes,
        0.85,
        format!("{to} does not answer a connection that is signed: its key differs, it has none, or nobody is there."),
    )
    .cite(attempt, format!("{says}, each time with a signature (TCP MD5 or AO)"))
    .rule_out("TCP01", "a closed port answers with a refusal")
    .probe("connect once without the signature: a refusal or an answer shows that the way is free, and the keys differ", causes)
    .service("compare the keys of both routers, and look at the counter of bad signatures there")
    .network("check that the port is open between the two")
}

/// SYNs without any answer: five causes look alike, and each control that answers takes some away.
pub(super) fn silence(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let to = remote(attempt);
    let address = attempt.address("tcp.remote");
    let retries = attempt.int("tcp.syn_retransmissions").unwrap_or(0);
    let says =
        format!("asked {}, {to} never answered ({} of silence)", times(retries + 1), ms(attempt.nanos()));
    if let Some(vote) = own_public_address(facts, attempt, &says) {
        return vote;
    }
    if attempt.bool("tcp.signed") == Some(true) {
        return signed(attempt, &to, &says);
    }
    // A site whose name is not found says nothing of the way out.
    let way_out = |site: &&Span| site.code().is_some_and(|code| !code.starts_with("dns."));
    if let Some(site) = facts.control("other_site").filter(way_out) {
        if let Some(ping) = facts.answered_ping(address) {
            return only_pings_pass(facts, attempt, site, ping, says);
        }
        return Vote::broken(
            &["IP05", "IP02", "FW04"],
            0.6,
            format!("{to} does not answer, but neither does another site: this machine may not reach the internet at all."),
        )
        .cite(attempt, says)
        .cite(site, format!("another site fails too: {}", failure_text(site)))
        .probe("ping the gateway and the provider's first router", &["IP02", "IP05", "FW04"])
        .user("check the network connection of this machine first")
        .undecided();
    }
    let nothing_on_the_way = facts.trace.all("route").all(|route| {
        route.address("route.last_responding").is_none() && route.bool("route.reached") != Some(true)
    });
    if let Some((_, frames)) = own_route(facts, attempt).filter(|_| nothing_on_the_way) {
        return Vote::broken(
            &["IP03"],
            0.9,
            format!(
                "This machine sends packets for {to} another way than all others, and they vanish there."
            ),
        )
        .cite(attempt, says)
        .cite_frames(
            &frames,
            "these packets go to another device of the local network than those to other addresses outside",
        )
        .rule_out("IP02", "the way out is right for other sites")
        .rule_out("FW01", "nothing on that way answers, whatever is asked")
        .user("look at this machine's routes (a VPN may have set one), and remove the one for this address")
        .network("check which routes the network or the VPN hands out");
    }
    let answered_port =
        facts.control("other_port").filter(|span| span.is_ok() || span.failed_with("tcp.refused"));
    let ping = facts.answered_ping(address);
    let reached = facts.trace.all("route").find(|route| route.bool("route.reached") == Some(true));
    let port = port(attempt);
    let blocked = format!(
        "Connections to port {port} of {} are not answered, although the server itself is reachable: a firewall throws them away, or the server's queue is full.",
        facts.subject()
    );
    let split_queue = "try again for some minutes: a full queue lets an attempt through now and then, a firewall never does";
    if let Some(other) = answered_port {
        let which =
            other.int("port").map_or_else(|| String::from("another port"), |port| format!("port {port}"));
        return Vote::broken(&["FW01", "TCP03"], 0.93, blocked)
            .cite(attempt, says)
            .cite(other, format!("{which} of the same server answers"))
            .cite_if(ping, "the server answers pings")
            .rule_out("IP05", "other packets to the same address arrive and are answered")
            .rule_out("TCP06", "the server is up: it answers elsewhere")
            .rule_out("IP07", "answers of another connection come back the same way")
            .probe(split_queue, &["FW01", "TCP03"])
            .service(format!("open port {port} in the server's firewall or security group, and check that its program accepts connections"))
            .network(format!("check that no firewall on the way drops port {port}"));
    }
    if ping.is_some() || reached.is_some() {
        return Vote::broken(&["FW01", "TCP03", "IP07"], 0.92, blocked)
            .cite(attempt, says)
            .cite_if(ping, "the server answers pings")
            .cite_if(reached, "the traced way reaches the server")
            .rule_out("IP05", "other packets to the same address arrive and are answered")
            .rule_out("TCP06", "the server is up: it answers pings")
            .probe("connect to another port of the same server: any answer, even a refusal, leaves only this port blocked or its queue full", &[
                "IP07", "FW01",
            ])
            .probe(split_queue, &["FW01", "TCP03"])
            .service(format!("open port {port} in the server's firewall or security group, and check that its program accepts connections"));
    }
    // Nothing of the server ever answered.
    let stopped = facts.trace.all("route").find(|route| route.bool("route.reached") == Some(false));
    let nothing_else =
        facts.unanswered_ping().or(facts.control("other_port").filter(|span| span.code().is_some()));
    let last = stopped
        .and_then(|route| route.address("route.last_responding"))
        .map(|address| facts.trace.named(address));
    let vote = if nothing_else.is_some() || stopped.is_some() {
        Vote::broken(
            &["IP05", "TCP06", "FW01", "IP07", "TCP03"],
            0.9,
            match &last {
                Some(last) => {
                    format!("Nothing comes back from {}: packets vanish after {last}.", facts.subject())
                }
                None => format!("Nothing at all comes back from {}.", facts.subject()),
            },
        )
        .cite(attempt, says)
        .cite_if(facts.unanswered_ping(), "pings to the same server are not answered either")
        .cite_if(
            facts.control("other_port").filter(|span| span.code().is_some()),
            "another port of the same server does not answer either",
        )
        .cite_if(
            stopped,
            last.map_or_else(
                || String::from("no router on the way answered"),
                |last| format!("the last router to answer was {last}"),
            ),
        )
    } else {
        Vote::broken(
            &["FW01", "IP05", "TCP03", "TCP06", "IP07"],
            0.9,
            format!(
                "{to} does not answer: something on the way or the server itself drops the packets silently."
            ),
        )
        .cite(attempt, says)
    };
    let mut vote = vote
        .rule_out("TCP01", "a closed port answers with a refusal")
        .rule_out("IP04", "no router said that there is no way");
    // What was tried already need not be suggested.
    if facts.unanswered_ping().is_none() {
        vote = vote.probe(
            "ping the server: an answer leaves only causes that concern this port",
            &["FW01", "IP05", "TCP06"],
        );
    }
    if facts.control("other_port").is_none() {
        vote = vote.probe(
            "connect to another port of the same server: any answer, even a refusal, shows that the server is up",
            &["FW01", "IP05", "TCP06", "IP07"],
        );
    }
    vote.probe(
        "trace the way with TCP packets to this port and to another: a null route stops both at the same hop",
        &["IP05", "FW01"],
    )
    .probe("try from another network, and again after some minutes", &["IP07", "TCP03"])
    .service("check that the server is up and its firewall allows the port")
    .user("nothing to repair here unless other sites fail too")
}

/// Two unrelated sites take no connection, and pings pass: something near us lets only some traffic out.
fn only_pings_pass(facts: &Facts<'_>, attempt: &Span, site: &Span, ping: &Span, says: String) -> Vote {
    let looked_up = facts.steps("resolve").find(|span| span.is_ok());
    Vote::broken(
        &["FW04"],
        0.9,
        format!(
            "This network does not let connections out: neither {} nor an unrelated site answers, although pings pass.",
            facts.subject()
        ),
    )
    .cite(attempt, says)
    .cite(site, format!("another site fails the same way: {}", failure_text(site)))
    .cite(ping, "pings to the server are answered, so the way is there")
    .cite_if(looked_up, "names are looked up, too")
    .rule_out("IP02", "packets leave this network and answers come back")
    .rule_out("IP05", "pings to the same address are answered")
    .rule_out("FW01", "an unrelated site fails alike, so it is not this server's firewall")
    .probe("try other ports, and through the network's proxy if it has one", &["FW04"])
    .network("allow outgoing connections, or tell this machine which proxy to use")
    .user("ask the network's owner whether a proxy or a login is needed")
}
