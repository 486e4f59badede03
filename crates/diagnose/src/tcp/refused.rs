//! Connections that somebody refused: the server, or a firewall in its name or its own.

use super::{own_public_address, port};
use crate::facts::{Facts, ms, remote};
use crate::thresholds::{NEARER_THAN_HOST_PERCENT, TTL_SLACK};
use crate::vote::Vote;
use std::net::IpAddr;
use thru_trace::{Span, frames};

pub(super) fn refused(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let to = remote(attempt);
    let address = attempt.address("tcp.remote");
    let reset_ttl = attempt.int("tcp.reset_ttl");
    let other = address
        .and_then(|address| {
            frames::other_ttl(facts.trace, attempt, address).map(|(ttl, frame)| (ttl, Some(frame)))
        })
        .or_else(|| answered_ttl(facts, address));
    let closed = format!("{} is there, but no program listens on port {}.", facts.subject(), port(attempt));
    let says = format!("the connection to {to} was refused at once (reset)");
    if let Some(vote) = own_public_address(facts, attempt, &says) {
        return vote;
    }
    let ping = facts.answered_ping(address);
    let ping_rtt = ping.and_then(|ping| ping.nanos_of("ping.rtt_min"));
    let reset_rtt = attempt.nanos_of("tcp.rtt").or(Some(attempt.nanos()));
    let nearer = match (ping_rtt, reset_rtt) {
        (Some(ping), Some(reset)) if reset > 0 => reset * 100 < ping * NEARER_THAN_HOST_PERCENT,
        _ => false,
    };
    if nearer {
        return Vote::broken(
            &["FW02"],
            0.88,
            format!("A firewall on the way refuses connections to {to} in the server's name."),
        )
        .cite(attempt, format!("the refusal came after {}", ms(reset_rtt.unwrap_or(0))))
        .cite_if(ping, format!("the server itself needs {} to answer", ms(ping_rtt.unwrap_or(0))))
        .rule_out("TCP01", "the refusal came from nearer than the server")
        .network(format!("allow port {} in the firewall, if that is wanted", port(attempt)))
        .user("ask the network's owner whether this port is meant to be blocked");
    }
    match (reset_ttl, other) {
        (Some(reset), Some((ttl, frame))) if reset == i64::from(ttl) => {
            let mut vote = Vote::broken(&["TCP01"], 0.95, closed)
                .cite(attempt, format!("{says}, with hop count {reset}"))
                .rule_out("FW02", format!("the refusal carries the same hop count as the server's other packets ({ttl}), so it came from the server"))
                .rule_out("FW01", "the server answered; nothing was silently dropped")
                .service(format!("start the program that should listen on port {}", port(attempt)))
                .user("check the port number in the address");
            if let (Some(ping), Some(_)) = (ping, frame) {
                vote = vote.cite(ping, format!("another packet of the same server has hop count {ttl}"));
            }
            vote
        }
        (Some(reset), Some((ttl, _))) if (reset - i64::from(ttl)).abs() <= TTL_SLACK => Vote::broken(
            &["TCP01", "FW02"],
            0.8,
            format!("The connection to {to} was refused: by the server, or by a firewall right before it."),
        )
        .cite(attempt, format!("{says}, with hop count {reset}"))
        .cite_if(ping, format!("another packet of the server has hop count {ttl}, one more or less: parallel ways differ so, and neighbours do"))
        .rule_out("FW01", "somebody answered; nothing was silently dropped")
        .probe("connect several times and compare hop counts: if they alternate, the ways differ and it is the server", &[
            "TCP01", "FW02",
        ])
        .service(format!("check that a program listens on port {}, and whether the firewall before it lets it through", port(attempt)))
        .user("check the port number in the address"),
        (Some(reset), Some((ttl, _))) => Vote::broken(
            &["FW02", "TCP01"],
            0.9,
            format!("The connection to {to} was refused, and the refusal does not look like the server's own packets."),
        )
        .cite(attempt, format!("{says}, with hop count {reset}"))
        .cite_if(ping, format!("another packet of the server has hop count {ttl}"))
        .rule_out("FW01", "somebody answered; nothing was silently dropped")
        .probe("trace the way with TCP packets to this port and to another: the refusal's hop tells who sends it", &[
            "FW02", "TCP01",
        ])
        .network(format!("check whether a firewall rejects port {}", port(attempt)))
        .service(format!("check that a program listens on port {}", port(attempt))),
        _ => Vote::broken(&["TCP01", "FW02"], 0.95, format!("The connection to {to} was refused: most likely no program listens there."))
            .cite(attempt, says)
            .rule_out("FW01", "somebody answered; nothing was silently dropped")
            .probe("compare the refusal's hop count with that of a ping's answer: equal means the server itself refuses", &[
                "TCP01", "FW02",
            ])
            .service(format!("start the program that should listen on port {}", port(attempt)))
            .user("check the port number in the address"),
    }
}

/// The TTL a ping's answer carried, where a probe wrote it down.
fn answered_ttl(facts: &Facts<'_>, address: Option<IpAddr>) -> Option<(u8, Option<u64>)> {
    let ttl = facts.answered_ping(address)?.int("ping.ttl")?;
    Some((u8::try_from(ttl).ok()?, None))
}

pub(super) fn prohibited(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let device = attempt.address("icmp.from").map_or_else(
        || String::from("a firewall on the way"),
        |from| format!("the firewall {}", facts.trace.named(from)),
    );
    Vote::broken(
        &["FW03"],
        0.97,
        format!("The connection to {} is forbidden: {device} says so.", remote(attempt)),
    )
    .cite(attempt, format!("{device} answered that the connection is administratively prohibited"))
    .rule_out("IP04", "the message says \"forbidden\", not \"no route\"")
    .rule_out("FW01", "the firewall says that it blocks")
    .network(format!("allow the connection to {} on {device}, if it should be", facts.subject()))
    .user("ask the network's owner whether this connection is meant to be forbidden")
}
