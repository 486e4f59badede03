//! Names whose address leads nowhere, or to whoever runs the network.

use std::net::IpAddr;

use thru_trace::{Span, Value};

use crate::facts::Facts;
use crate::vote::Vote;

/// The name server gives a name that nobody can have registered the very address that it gave the wanted one.
pub(super) fn captive(facts: &Facts<'_>) -> Option<Vote> {
    let nonsense = facts.control("nonsense").filter(|span| span.bool("nonsense.same") == Some(true))?;
    let resolve = facts.steps("resolve").filter(|span| span.is_ok()).last()?;
    Some(
        Vote::broken(
            &["DNS20"],
            0.93,
            "This network answers every question for a name with one address, its own: it wants a login first, or catches all traffic.",
        )
        .explains(&["TLS09", "TLS10", "TLS11", "TLS12", "TLS15", "TCP01", "FW01", "FW02", "IP29"])
        .cite(resolve, format!("the name server gave {} an address", facts.host()))
        .cite(nonsense, "asked for a name made up by chance, it gives the same address")
        .rule_out("DNS12", "a filter hides some names; this server answers for names that do not exist, too")
        .rule_out("TLS09", "the wrong certificate follows from the wrong address")
        .user("open any page that begins with http:// in a browser, and log in to the network there")
        .network("say what the login page is for, and let visitors through once they are known"),
    )
}

/// Every address that DNS gave can only mean the asking machine itself, or nobody (RFC 6890): no server is there. An
/// entry of the hosts file is the user's own doing.
pub(super) fn bogon(facts: &Facts<'_>) -> Option<Vote> {
    let resolve =
        facts.steps("resolve").filter(|span| span.is_ok() && span.text("dns.source").is_none()).last()?;
    let addresses: Vec<IpAddr> = resolve
        .list("dns.addresses")?
        .iter()
        .filter_map(|value| match value {
            Value::Address(address) => Some(*address),
            _ => None,
        })
        .collect();
    let own = |address: &IpAddr| address.is_loopback() || address.is_unspecified();
    if addresses.is_empty() || !addresses.iter().all(|address| own(address) || is_nobodys(address)) {
        return None;
    }
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if !addresses.iter().all(own) {
        return facts.connected().is_none().then(|| nobodys(facts, resolve, &shown));
    }
    // Some programs are their own machine's servers, and have a name for that.
    if facts.delivered().is_some() {
        return None;
    }
    Some(
        Vote::broken(
            &["DNS14"],
            0.93,
            format!(
                "The name {} leads nowhere: its address is {}, which is this machine itself.",
                facts.host(),
                shown.join(" and ")
            ),
        )
        .cite(resolve, format!("the name server gave {}", shown.join(" and ")))
        .rule_out("TCP01", "whether a program listens here says nothing about the site")
        .probe(
            "ask another name server: the site's true address there means that this one filters the name",
            &["DNS14", "DNS12"],
        )
        .user("ask another name server; some block names with such answers")
        .service("if this is the zone's own record, correct it"),
    )
}

/// Addresses that no server on the internet can have: those that a machine gives itself when it got none (RFC 3927), of
/// groups, and kept for later (RFC 1112 4).
fn is_nobodys(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || address.is_multicast()
                || address.octets()[0] >= 240
                || address.octets()[0] == 0
        }
        IpAddr::V6(address) => address.is_multicast(),
    }
}

fn nobodys(facts: &Facts<'_>, resolve: &Span, shown: &[String]) -> Vote {
    let shown = shown.join(" and ");
    Vote::broken(
        &["DNS14"],
        0.92,
        format!(
            "The name {} leads nowhere: its address is {shown}, which no server on the internet can have.",
            facts.host()
        ),
    )
    .cite(resolve, format!("the name server gave {shown}"))
    .explains(&["IP04", "LNK05", "FW01", "FW03", "IP05", "TCP03", "TCP06", "IP07"])
    .rule_out("IP04", "no router has a way to such an address, and none should")
    .probe(
        "ask another name server: the site's true address there means that this one gives the wrong answer",
        &["DNS14", "DNS12"],
    )
    .user("ask another name server; some block names with such answers")
    .service("if this is the zone's own record, correct it")
}
