//! Connections that were refused, went unanswered, or stood still after they were made.

mod refused;
mod share;
mod silence;
mod size;
mod stall;
mod vanished;

use crate::facts::{self, Facts};
use crate::vote::Vote;
use refused::{prohibited, refused};
use share::one_of_several;
use silence::silence;
pub(crate) use stall::{heavy_loss, stall_rule};
use std::net::IpAddr;
use thru_trace::{Span, Value, frames};

/// Connections that were never made.
pub(crate) fn connect_rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.connected().is_some() || facts.delivered().is_some() {
        return Vec::new();
    }
    let mut votes = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    for attempt in facts.connects().filter(|span| span.code().is_some()) {
        let code = attempt.code().unwrap_or("");
        if said.contains(&code) {
            continue;
        }
        match code {
            "tcp.refused" => votes.push(refused(facts, attempt)),
            "tcp.timeout" if crate::ip::looping_route(facts.trace).is_none() => {
                votes.push(one_of_several(facts, attempt).unwrap_or_else(|| silence(facts, attempt)))
            }
            "tcp.unheard" => votes.push(unheard(attempt)),
            "firewall.prohibited" => votes.push(prohibited(facts, attempt)),
            _ => continue,
        }
        said.push(code);
    }
    votes
}

/// Seen where the server is: it answers, and the answers do not get back to whoever asks.
fn unheard(attempt: &Span) -> Vote {
    let visitor = attempt
        .address("tcp.local")
        .map_or_else(|| String::from("the visitor"), |address| address.to_string());
    Vote::broken(
        &["IP07"],
        0.88,
        format!("{} answers {visitor}, and its answers do not get there: the way back is another one, or is blocked.", facts::remote(attempt)),
    )
    .cite(
        attempt,
        format!(
            "the server answered {}, and the same question came again and again",
            facts::times(attempt.int("tcp.syn_acks").unwrap_or(3))
        ),
    )
    .rule_out("FW01", "the questions do arrive at the server")
    .rule_out("TCP03", "the server takes the connection and says so")
    .network("look at the route back to the visitor: a firewall on it that never saw the question throws the answer away")
    .service("check the server's default gateway and its firewall's rules for what leaves")
}

/// The address is this network's own public one: its own router answers for it, and passes nothing on from inside.
fn own_public_address(facts: &Facts<'_>, attempt: &Span, says: &str) -> Option<Vote> {
    let target = attempt.address("tcp.remote").filter(IpAddr::is_ipv4)?;
    let reached = facts.trace.all("hop").find(|hop| hop.address("hop.address") == Some(target))?;
    let first = reached.int("hop.ttl") == Some(1);
    let inside = facts.trace.packets.iter().find_map(|packet| {
        frames::look(&packet.bytes).filter(|look| look.dst == target).map(|look| look.src)
    })?;
    if !first || !crate::ip::is_private(&inside) || crate::ip::is_private(&target) {
        return None;
    }
    let causes = &["FW17", "FW18"];
    Some(
        Vote::broken(
            causes,
            0.88,
            format!("{} is this network's own public address, and its router does not pass the connection on to a machine inside.", facts.subject()),
        )
        .explains(&["TCP01", "FW02", "FW01", "TCP03", "IP07"])
        .cite(attempt, says)
        .cite(reached, format!("the first device on the way answers as {target} itself: it is the router of this network"))
        .rule_out("TCP01", "the server meant is behind the router; whether it listens was never asked")
        .rule_out("FW01", "no device of others is on the way")
        .probe("try from outside, over a mobile phone's network: if it works there, only the way from inside (hairpin) is missing", causes)
        .user("from inside, use the machine's own private address, or a name that leads to it")
        .network("forward the port to the machine inside, and turn on NAT loopback (hairpin)"),
    )
}

/// The port of a connection attempt, for a sentence.
fn port(attempt: &Span) -> String {
    attempt.socket("tcp.remote").map_or_else(|| String::from("the port"), |socket| socket.port().to_string())
}

/// A value in a sentence, if it is a word.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Address(address) => Some(address.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
