//! Packets that find no way: no route, an unreachable network, a loop.

use crate::facts::{Facts, ms, remote, times};
use crate::thresholds::NEIGHBOUR_WAIT;
use crate::vote::Vote;
use thru_trace::neighbours::unanswered_searches;
use thru_trace::{Span, Trace, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.connected().is_some() || facts.delivered().is_some() {
        return Vec::new();
    }
    if let Some(vote) = private_address(facts) {
        return vec![vote];
    }
    let mut votes = Vec::new();
    let attempts: Vec<&Span> = attempts(facts).collect();
    let only_without_route = attempts.iter().all(|span| span.failed_with("ip.no_route"));
    let mut said: Vec<&str> = Vec::new();
    for attempt in attempts {
        let code = attempt.code().unwrap_or("");
        if said.contains(&code) {
            continue;
        }
        match code {
            // A host without IPv6 has no route for it, and is healthy: only worth a word if nothing else was tried.
            "ip.no_route" if only_without_route => {
                votes.push(only_the_other_family(facts, attempt).unwrap_or_else(|| no_route(attempt)))
            }
            "ip.unreachable" if attempt.bool("icmp.local") == Some(true) => {
                votes.push(neighbour_silent(facts, attempt))
            }
            "ip.unreachable" => votes.push(unreachable(facts, attempt)),
            "ip.ttl_exceeded" => votes.push(routing_loop(facts, attempt)),
            "tcp.timeout" | "quic.timeout" if looping_route(facts.trace).is_some() => {
                votes.push(routing_loop(facts, attempt));
            }
            _ => continue,
        }
        said.push(code);
    }
    votes
}

/// What tried to reach the server: connections, or QUIC's handshakes where there were none.
fn attempts<'a>(facts: &'a Facts<'a>) -> impl Iterator<Item = &'a Span> {
    facts.connects().chain(facts.handshakes(thru_trace::Layer::Quic)).filter(|span| span.code().is_some())
}

/// The route that came back to itself, if one was traced.
pub(crate) fn looping_route(trace: &Trace) -> Option<&Span> {
    trace.all("route").find(|route| route.list("route.loop").is_some_and(|hops| !hops.is_empty()))
}

/// Whether an address means something in one network only (RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5.6), or nobody.
pub(crate) fn is_private(address: &std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(address) => {
            address.is_private()
                || address.is_link_local()
                || address.is_loopback()
                || address.is_unspecified()
        }
        std::net::IpAddr::V6(address) => {
            address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_loopback()
                || address.is_unspecified()
        }
    }
}

/// What a name leads to.
fn addresses_of(resolve: &Span) -> Vec<std::net::IpAddr> {
    let address = |value: &Value| match value {
        Value::Address(address) => Some(*address),
        _ => None,
    };
    resolve.list("dns.addresses").into_iter().flatten().filter_map(address).collect()
}

/// DNS gave nothing but addresses of private networks (RFC 1918, RFC 4193), nobody answers there, and the outside does.
fn private_address(facts: &Facts<'_>) -> Option<Vote> {
    let resolve =
        facts.steps("resolve").filter(|span| span.is_ok() && span.text("dns.source").is_none()).last()?;
    let addresses = addresses_of(resolve);
    if addresses.is_empty() || !addresses.iter().all(is_private) {
        return None;
    }
    let attempt = facts.connects().find(|span| {
        matches!(span.code(), Some("tcp.timeout" | "ip.unreachable" | "ip.no_route"))
            && span.bool("icmp.local") != Some(true)
    })?;
    let outside = facts.control("other_site").filter(|span| span.is_ok())?;
    // Where other sites have private addresses as well, these are this network's own, and mean nothing special.
    let reached = facts.trace.children_of(outside.id, "connect").find(|connect| connect.is_ok());
    let elsewhere = facts.trace.children_of(outside.id, "resolve").flat_map(addresses_of);
    let reached = reached.and_then(|connect| connect.socket("tcp.remote")).map(|socket| socket.ip());
    let known: Vec<std::net::IpAddr> = elsewhere.chain(reached).collect();
    // A capture may show the other site's IPv6 address alone, which says nothing of how IPv4 addresses look here.
    let comparable =
        |address: &std::net::IpAddr| known.iter().any(|other| other.is_ipv4() == address.is_ipv4());
    if known.iter().any(is_private) || !addresses.iter().all(comparable) {
        return None;
    }
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Some(
        Vote::broken(
            &["IP29", "DNS14"],
            0.9,
            format!(
                "The name {} leads into a private network ({}), which cannot be reached from here.",
                facts.host(),
                shown.join(" and ")
            ),
        )
        .cite(resolve, format!("the name server gave {}", shown.join(" and ")))
        .cite(attempt, crate::facts::failure_text(attempt))
        .cite(outside, "a site on the internet is reached")
        .rule_out("IP04", "no router of the internet has a way to a private address, and none should")
        .probe(
            "ask another name server: a public address there means that this one gives the wrong answer",
            &["IP29", "DNS14"],
        )
        .user("if this is an internal site: connect to its network (VPN) first")
        .service("give the name its public address, or take it out of the public DNS"),
    )
}

/// Only IPv6 addresses were asked for, because this machine has nothing else, and the name has only IPv4 ones.
pub(crate) fn no_translation(facts: &Facts<'_>, query: &Span, found: &Span) -> Option<Vote> {
    let asked: Vec<&str> = facts.steps("dns.query").filter_map(|span| span.text("dns.type")).collect();
    if asked.is_empty() || asked.contains(&"A") {
        return None;
    }
    Some(
        Vote::broken(
            &["IP30"],
            0.9,
            format!(
                "{} has only an IPv4 address, this network has only IPv6, and nothing translates between them.",
                facts.subject()
            ),
        )
        .cite(query, "the name server has no IPv6 address for the name, and makes none up (DNS64)")
        .cite(found, "asked for IPv4, the name's own servers give an address")
        .rule_out("DNS06", "the name has an address, only none of this network's kind")
        .rule_out("IP01", "this machine has a way out, over IPv6")
        .network("run NAT64 and DNS64 (RFC 6146, RFC 6147), which networks with IPv6 alone need")
        .service("offer the site over IPv6, too"),
    )
}

/// The server has only IPv4 addresses, this machine only IPv6, and another site is reached.
fn only_the_other_family(facts: &Facts<'_>, attempt: &Span) -> Option<Vote> {
    let site = facts.control("other_site").filter(|site| site.is_ok())?;
    let v4_only = facts.connects().all(|span| crate::facts::family(span) == Some(thru_trace::Family::V4));
    if !v4_only {
        return None;
    }
    Some(
        Vote::broken(
            &["IP30"],
            0.9,
            format!(
                "{} has only an IPv4 address, this network has only IPv6, and nothing translates between them.",
                facts.subject()
            ),
        )
        .cite(attempt, "there is no way to an IPv4 address from here, and no other address is known")
        .cite(site, "another site is reached over IPv6")
        .rule_out("IP01", "this machine has a way out, over IPv6")
        .rule_out("DNS06", "the name has an address, only none of this network's kind")
        .network("run NAT64 and DNS64 (RFC 6146, RFC 6147), which networks with IPv6 alone need")
        .service("offer the site over IPv6, too"),
    )
}

fn no_route(attempt: &Span) -> Vote {
    Vote::broken(
        &["IP01"],
        0.95,
        format!("This machine knows no way to {}, so it sent nothing.", remote(attempt)),
    )
    .cite(attempt, "the attempt failed at once, before any packet left")
    .rule_out("IP04", "no router was asked: nothing was sent")
    .user("check the default gateway of this machine (and the VPN, if there is one)")
}

/// This machine itself gave up: the first device on the way did not answer its search (ARP, RFC 4861 7.2.2).
pub(crate) fn neighbour_silent(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let searches = unanswered_searches(facts.trace);
    let vote = Vote::broken(
        &["LNK04"],
        0.94,
        "The first device on the way, usually the router, does not answer on the local network, so nothing leaves it.",
    )
    .rule_out("LNK05", "it was this machine that gave up, not a router further on")
    .rule_out("IP01", "this machine has a route; the device at its other end is silent")
    .user("check the cable or the Wi-Fi, and that the router is switched on")
    .network("check the router's port, its VLAN, and that it still has the address that this machine was told");
    // Without a capture this machine's word must do.
    match searches.iter().max_by_key(|(_, frames)| frames.len()) {
        Some((address, frames)) => vote.cite_frames(
            frames,
            format!(
                "this machine looked for {address} on the local network {} and got no answer",
                times(frames.len() as i64)
            ),
        ),
        None => {
            vote.cite(attempt, "this machine looked for its next hop on the local network and got no answer")
        }
    }
}

fn unreachable(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let router = attempt.address("icmp.from").map_or_else(
        || String::from("a router on the way"),
        |from| format!("the router {}", facts.trace.named(from)),
    );
    let to = remote(attempt);
    let delay = attempt.nanos_of("icmp.delay");
    let near = delay.map(ms).unwrap_or_default();
    match delay {
        Some(delay) if delay >= NEIGHBOUR_WAIT => Vote::broken(
            &["LNK05"],
            0.92,
            format!("The last router before {} cannot find that machine on its network: it is off, or its address is wrong.", facts.subject()),
        )
        .cite(attempt, format!("{router} answered \"host unreachable\", but only after {near}: it looked for the machine first"))
        .rule_out("IP04", format!("a router without a route answers within one round trip, this one took {near}"))
        .service("switch the server on, or check its address and cable")
        .user("nothing to repair here"),
        Some(_) => Vote::broken(
            &["IP04"],
            0.95,
            format!("There is no way to {}: {router} answered that it cannot be reached.", facts.subject()),
        )
        .cite(attempt, format!("packets to {to} were answered with \"unreachable\" after {near}, by {router}"))
        .rule_out("LNK05", format!("the answer came after {near}, too soon for a router that looked for the machine first"))
        .rule_out("IP01", "packets left this machine and a router answered them")
        .network(format!("add or repair the route on {router}"))
        .user("nothing to repair here; tell the provider the router's address"),
        None => Vote::broken(
            &["IP04", "LNK05"],
            0.9,
            format!("There is no way to {}: {router} answered that it cannot be reached.", facts.subject()),
        )
        .cite(attempt, format!("packets to {to} were answered with \"unreachable\" by {router}"))
        .probe("measure how long the router takes: about 3 s means it looked for the machine and did not find it", &[
            "IP04", "LNK05",
        ])
        .network(format!("check the routes and the last network on {router}")),
    }
}

fn routing_loop(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let route = looping_route(facts.trace);
    let between = route.and_then(|route| route.list("route.loop")).map(|hops| {
        let hops: Vec<String> = hops.iter().filter_map(|hop| place(facts, hop)).collect();
        hops.join(" and ")
    });
    let summary = match &between {
        Some(between) if !between.is_empty() => {
            format!("Packets to {} go in a circle between {between} and never arrive.", facts.subject())
        }
        _ => format!("Packets to {} go in a circle between routers and never arrive.", facts.subject()),
    };
    let exceeded = attempt.failed_with("ip.ttl_exceeded");
    let confidence = match (exceeded, route.is_some()) {
        (true, true) => 0.98,
        (true, false) => 0.9,
        (false, _) => 0.9,
    };
    let from = attempt
        .address("icmp.from")
        .map(|from| format!(" by {}", facts.trace.named(from)))
        .unwrap_or_default();
    let mut vote = Vote::broken(&["IP06"], confidence, summary);
    if exceeded {
        vote = vote.cite(
            attempt,
            format!("a packet with a normal lifetime (hop limit) was thrown away{from} because its lifetime had run out"),
        );
    } else {
        vote = vote.cite(attempt, "the connection attempt was never answered");
    }
    vote.cite_if(route, "the traced way comes back to a router it had passed")
        .rule_out("IP04", "no router said that it has no route; each passes the packet on")
        .network(format!(
            "correct the routes on {}: each believes that the other is nearer",
            between
                .filter(|between| !between.is_empty())
                .unwrap_or_else(|| String::from("the routers of the circle"))
        ))
        .user("nothing to repair here; tell the provider the routers' addresses")
}

/// A router of a list, with its name where one is known.
fn place(facts: &Facts<'_>, value: &Value) -> Option<String> {
    match value {
        Value::Address(address) => Some(facts.trace.named(*address)),
        Value::Text(text) => {
            Some(text.parse().map_or_else(|_| text.clone(), |address| facts.trace.named(address)))
        }
        _ => None,
    }
}
