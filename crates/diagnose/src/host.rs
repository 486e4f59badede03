//! This machine itself: its ports, its packet filter, its hosts file.

use crate::facts::{Facts, failure_text, remote};
use crate::vote::Vote;
use thru_trace::Span;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    let failed = |code: &str| facts.connects().find(|span| span.failed_with(code));
    let own_filter = facts.connected().is_none().then(|| forbidden_here(facts)).flatten();
    let vote = failed("host.no_ports").map(|attempt| no_ports(facts, attempt));
    vote.or(own_filter).or_else(|| hosts_file(facts)).into_iter().collect()
}

fn no_ports(facts: &Facts<'_>, attempt: &Span) -> Vote {
    Vote::broken(
        &["HST02"],
        0.95,
        format!("This machine has no free port left, so it cannot even begin a connection to {}.", facts.subject()),
    )
    .cite(attempt, failure_text(attempt))
    .rule_out("FW01", "nothing was sent, so nothing on the way can have dropped it")
    .user("close programs that hold very many connections, or restart this machine; then look which program took the ports")
}

/// A message "forbidden" that this machine sent itself, or a connection of which no packet ever left although others did.
fn forbidden_here(facts: &Facts<'_>) -> Option<Vote> {
    let told = facts.connects().find(|span| {
        span.failed_with("host.forbidden")
            || (span.failed_with("firewall.prohibited") && span.bool("icmp.local") == Some(true))
    });
    let unsent = || {
        let captured = facts.trace.packets.len() > 1;
        // A search for the neighbour that goes unanswered keeps packets back, too.
        let searching = !thru_trace::neighbours::unanswered_searches(facts.trace).is_empty();
        facts
            .connects()
            .find(|span| captured && !searching && span.failed_with("tcp.timeout") && span.frames.is_empty())
    };
    if told.is_none()
        && let Some(attempt) = unsent()
        && let Some(vote) = some_never_leave(facts, attempt)
    {
        return Some(vote);
    }
    let attempt = told.or_else(unsent)?;
    Some(
        Vote::broken(
            &["HST03"],
            0.93,
            format!(
                "This machine itself forbids connections to {}: its own firewall keeps the packets back.",
                remote(attempt)
            ),
        )
        .cite(
            attempt,
            match told {
                Some(_) => failure_text(attempt),
                None => {
                    String::from("the connection was tried for long, and no packet of it left this machine")
                }
            },
        )
        .rule_out("FW01", "the packets never left this machine")
        .rule_out("FW03", "no device on the way was asked")
        .user("look at the firewall and the security software of this machine, and allow the connection"),
    )
}

/// Of several connections to the same place some never left this machine, and others did: its table of connections has
/// no room, or its rules choose by chance.
fn some_never_leave(facts: &Facts<'_>, attempt: &Span) -> Option<Vote> {
    let left = facts.trace.all("connect").find(|other| {
        other.id != attempt.id
            && other.value("tcp.remote") == attempt.value("tcp.remote")
            && !other.frames.is_empty()
    })?;
    Some(
        Vote::broken(
            &["HST07"],
            0.9,
            format!(
                "Some connections to {} never leave this machine and others do: its own table of connections is full.",
                remote(attempt)
            ),
        )
        // To every site alike: where packets do not leave, the router cannot be what is full.
        .explains(&["FW07", "FW16", "IP08", "TCP03", "FW01"])
        .cite(attempt, "the connection was tried for long, and no packet of it left this machine")
        .cite(left, "another one to the same place, tried a moment later, did leave")
        .rule_out("HST03", "a rule of the firewall that forbids this connection would keep all of them back")
        .rule_out("FW01", "the packets never left this machine")
        .rule_out("HST02", "a free port was found; it is the packets that stay")
        .user("look at the number of connections that the firewall of this machine remembers (nf_conntrack_count), and raise its limit or end the program that makes so many"),
    )
}

/// The address came from the hosts file, and is not the one that DNS gives.
fn hosts_file(facts: &Facts<'_>) -> Option<Vote> {
    let asked = facts.control("without_hosts").filter(|span| span.is_ok())?;
    if asked.bool("hosts.differs") != Some(true) {
        return None;
    }
    let resolve = facts.steps("resolve").find(|span| span.text("dns.source") == Some("hosts"))?;
    Some(
        Vote::broken(
            &["HST04"],
            0.95,
            format!("The hosts file of this machine sends {} to the wrong address.", facts.host()),
        )
        .cite(resolve, "the address came from the hosts file, and no name server was asked")
        .cite(asked, "asked now, the name server gives another address")
        .rule_out("DNS13", "nobody on the network gave a false answer: nobody was asked")
        .user("take the name's line out of the hosts file (/etc/hosts)"),
    )
}
