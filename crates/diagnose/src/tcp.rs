//! Connections that were refused, went unanswered, or stood still after they were made.

use crate::facts::{Facts, failure_text, ms, remote, times};
use crate::thresholds::{HEAVY_LOSS, HEAVY_LOSS_PINGS, NEARER_THAN_HOST_PERCENT, TTL_SLACK};
use crate::vote::Vote;
use std::net::IpAddr;
use thru_trace::{Layer, Span, Value, frames};

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
            "firewall.prohibited" => votes.push(prohibited(facts, attempt)),
            _ => continue,
        }
        said.push(code);
    }
    votes
}

fn refused(facts: &Facts<'_>, attempt: &Span) -> Vote {
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

fn prohibited(facts: &Facts<'_>, attempt: &Span) -> Vote {
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

/// The connection was never answered, however often asked, and others to the same port were at once: what decides is
/// the port of ours, so one of several devices or ways that share the work is broken.
fn one_of_several(facts: &Facts<'_>, attempt: &Span) -> Option<Vote> {
    let control = facts.control("other_source").filter(|span| span.is_ok())?;
    let (tries, answered) = (control.int("source.tries")?, control.int("source.answered")?);
    let asked = attempt.int("tcp.syn_retransmissions").unwrap_or(0) + 1;
    if asked < 3 {
        return None;
    }
    let to = remote(attempt);
    if let Some(vote) = some_of_all(facts, attempt, control) {
        return Some(vote);
    }
    // All of them answered: it may as well be over, whatever it was.
    let causes: &[&str] = if answered < tries { &["IP08"] } else { &["IP08", "TCP03"] };
    let vote = Vote::broken(
        causes,
        0.88,
        format!("Some connections to {to} are never answered and others at once: one of several ways or devices that share the work is broken."),
    )
    .cite(attempt, format!("asked {}, this connection was never answered", times(asked)))
    .cite(control, format!("of {tries} new connections from other ports of this machine, {answered} were answered at once"))
    .rule_out("IP19", "packets of one connection are all lost, and of another none: loss does not choose")
    .rule_out("TCP06", "the server is up: it answers other connections")
    .network("look for one member of a group of links or routers (ECMP, LAG) that discards packets")
    .service("look for one machine behind the balancer that does not answer")
    .user("try again: the next connection may take a way that works");
    Some(match causes {
        [_, _, ..] => {
            vote.probe("connect many times from fixed ports: the same ports must fail each time", causes)
        }
        _ => vote,
    })
}

/// New connections to an unrelated site fail at random as well: what chooses is near us.
fn some_of_all(facts: &Facts<'_>, attempt: &Span, control: &Span) -> Option<Vote> {
    let other = facts.control("other_site_source")?;
    let count = |span: &Span| Some((span.int("source.tries")?, span.int("source.answered")?));
    let ((tries, answered), (other_tries, other_answered)) = (count(control)?, count(other)?);
    if other_answered >= other_tries {
        return None;
    }
    let causes = &["FW07", "FW16"];
    Some(
        Vote::broken(
            causes,
            0.88,
            "New connections fail at random, to whatever site: the router or the provider has no room for more of them.",
        )
        .explains(&["IP08", "TCP03", "IP31", "FW01"])
        .cite(attempt, format!("asked {}, this connection was never answered", times(attempt.int("tcp.syn_retransmissions").unwrap_or(0) + 1)))
        .cite(control, format!("of {tries} new connections to the same place {answered} were answered"))
        .cite(other, format!("of {other_tries} to an unrelated site {other_answered} were answered"))
        .rule_out("IP08", "an unrelated site is met by it as well, so it is not one of several ways to this one")
        .rule_out("TCP03", "an unrelated site is met by it as well, so it is not this server's queue")
        .probe("look at the number of connections that the router remembers: full means the router, else the provider's address translation has no ports left", causes)
        .network("raise the router's limit of connections (conntrack), or have the provider give more ports to each customer")
        .user("end programs that make very many connections, or restart the router"),
    )
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

/// Packets to this server leave by another device than all others: a route of this machine's own sends them there.
fn own_route(facts: &Facts<'_>, attempt: &Span) -> Option<(IpAddr, Vec<u64>)> {
    let target = attempt.address("tcp.remote")?;
    frames::other_next_hop(facts.trace, target).map(|frames| (target, frames))
}

/// SYNs without any answer: five causes look alike, and each control that answers takes some away.
fn silence(facts: &Facts<'_>, attempt: &Span) -> Vote {
    let to = remote(attempt);
    let address = attempt.address("tcp.remote");
    let retries = attempt.int("tcp.syn_retransmissions").unwrap_or(0);
    let says =
        format!("asked {}, {to} never answered ({} of silence)", times(retries + 1), ms(attempt.nanos()));
    if let Some(vote) = own_public_address(facts, attempt, &says) {
        return vote;
    }
    if let Some(site) = facts.control("other_site").filter(|span| span.code().is_some()) {
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

/// Connections that were made and then stood still: nothing of the answer came, or it stopped.
pub(crate) fn stall_rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    let stalled = facts
        .steps("exchange")
        .filter(|span| span.failed_with("http.timeout") || span.failed_with("http.stalled"))
        .last()
        .or_else(|| facts.handshakes(Layer::Tls).filter(|span| span.failed_with("tls.timeout")).last());
    let Some(stalled) = stalled else { return Vec::new() };
    if facts.handshakes(Layer::Tls).any(|span| span.is_ok() && span.start > stalled.start) {
        return Vec::new();
    }
    let over_quic = stalled.what == "exchange"
        && (stalled.text("http.version").is_some_and(|version| version.starts_with("HTTP/3"))
            || (facts.connected().is_none() && facts.handshakes(Layer::Quic).any(Span::is_ok)));
    let other = || told_unreachable(facts, stalled).or_else(|| outage(facts, stalled));
    if let Some(vote) = heavy_loss(facts, stalled).or_else(other) {
        return vec![vote];
    }
    vec![if over_quic { quic_stall(facts, stalled) } else { stall(facts, stalled) }]
}

/// In the middle of the exchange somebody on the way said that its packets can no longer be carried.
fn told_unreachable(facts: &Facts<'_>, stalled: &Span) -> Option<Vote> {
    let from = facts.trace.named(stalled.address("icmp.from")?);
    let words = stalled.text("icmp.kind").unwrap_or("unreachable");
    let subject = facts.subject();
    let (cause, summary): (&'static str, String) = match crate::capture::told(stalled)? {
        "firewall.prohibited" => {
            ("FW03", format!("{from} forbade the connection to {subject} while it was in use."))
        }
        "ip.ttl_exceeded" => ("IP06", format!("Packets to {subject} began to go round in a circle.")),
        _ => ("IP04", format!("The way to {subject} was taken away while it was in use: {from} says so.")),
    };
    Some(
        Vote::broken(&[cause], 0.92, summary)
            .explains(&["APP05", "IP09", "IP10", "TCP11", "FW05", "IP20", "FW12", "IP05"])
            .cite(stalled, format!("{from} answered a packet of this exchange: {words}"))
            .rule_out("APP05", "the packets did not get as far as the server")
            .rule_out("TCP11", "it is a device on the way that says so, not the server that is silent")
            .network(format!("look at the routes and rules of {from} at this time")),
    )
}

/// The way was dead while the request waited, and came back: whatever passes afterwards tells nothing of what it did before.
fn outage(facts: &Facts<'_>, stalled: &Span) -> Option<Vote> {
    let (silence, pings) = crate::degraded::transfer::dead_for(facts)?;
    Some(
        Vote::broken(
            &["IP20"],
            0.86,
            format!(
                "The way to {} was dead while the request was under way: for about {} nothing came through.",
                facts.subject(),
                ms(silence)
            ),
        )
        .cite(stalled, format!("nothing more came for {}", ms(stalled.nanos())))
        .cite(pings, "pings in that time were lost one after the other; later ones came back")
        .rule_out("APP05", "pings, which the server's program has no part in, were lost in the same time")
        .rule_out("IP09", "small packets were lost as well")
        .network("look for a link that went down and came back, or a route that changed, at this time")
        .user("try again now; on Wi-Fi or mobile a change of cell or access point looks like this"),
    )
}

/// A way that loses so much stops any transfer by itself, and no other sign can be trusted: what a check found may be
/// chance as well.
pub(crate) fn heavy_loss(facts: &Facts<'_>, stalled: &Span) -> Option<Vote> {
    let (sent, lost, worst) = facts.lost_pings()?;
    if lost < HEAVY_LOSS_PINGS || (lost as f64) < HEAVY_LOSS * sent as f64 {
        return None;
    }
    let percent = 100.0 * lost as f64 / sent as f64;
    Some(
        Vote::broken(
            &["IP19"],
            0.88,
            format!(
                "The way to {} loses so much that the request came to a standstill: about {percent:.0} % of all round trips.",
                facts.subject()
            ),
        )
        .cite(stalled, format!("nothing more came for {}", ms(stalled.nanos())))
        .cite(worst, format!("{lost} of {sent} pings to the server were lost, with nothing else on the line"))
        .rule_out("APP05", "pings, which the server's program has no part in, are lost as well")
        .network("check the link where the loss begins: cable, radio, errors on its interfaces")
        .user("if it begins at your own network: use a cable, or move nearer to the Wi-Fi"),
    )
}

fn stall(facts: &Facts<'_>, stalled: &Span) -> Vote {
    let in_handshake = stalled.what == "handshake";
    let connection = facts.connection();
    let value = |key| connection.and_then(|span| span.int(key));
    let gap = value("tcp.gap_bytes").unwrap_or(0);
    let small = facts.control("small_mss");
    let sent = value("tcp.bytes_sent");
    let acked = value("tcp.bytes_acked");
    let what = if in_handshake { "the first message of the handshake" } else { "the request" };
    let subject = facts.subject();
    // What is not acknowledged although it was sent again did not arrive; what was sent last, a goodbye for one, may
    // simply not be acknowledged yet.
    let resent = value("tcp.retransmissions").unwrap_or(0) + value("tcp.timeouts").unwrap_or(0) > 0;
    let unheard = matches!((sent, acked), (Some(sent), Some(acked)) if sent > acked) && resent && gap == 0;
    let waited = ms(stalled.nanos());
    let black_hole = format!(
        "Large packets from {subject} are lost on the way, and the server is not told to send smaller ones."
    );
    // At the handshake the same fault shows in the certificates, which has its own name in the catalogue.
    let mtu: &[&str] = if in_handshake { &["IP09", "IP11"] } else { &["IP09"] };
    let mend_mtu = |vote: Vote| {
        let vote = match mtu {
            [_, _, ..] => vote.probe("resume an earlier session, which sends no certificates: if the page stalls too, every large packet is lost", mtu),
            _ => vote,
        };
        vote.network("let the messages \"packet too big\" (ICMP) through, or limit the segment size (MSS clamping) on the router of the narrow link")
            .user("as a stopgap, lower the MTU of this machine's network interface (1280 works everywhere)")
            .service("allow incoming \"packet too big\" messages (ICMP) at the server")
    };
    let greetings = value("tcp.syn_acks").unwrap_or(0);
    if acked.unwrap_or(0) == 0 && greetings >= 2 && resent {
        return Vote::broken(
            &["TCP04"],
            0.9,
            format!("{subject} seemed to take the connection and then forgot it: its queue of new connections overflows."),
        )
        .cite(stalled, format!("{what} was never acknowledged, for {waited}"))
        .cite_if(connection, format!("the server repeated its greeting (SYN-ACK) {}, as if the connection were not yet made", times(greetings)))
        .rule_out("FW10", "the server goes on talking, only about the beginning of the connection")
        .service("raise the limit of waiting connections (backlog), and look why the program takes them so slowly")
        .network("check that no device drops the third packet of a handshake")
        .user("try again in a minute");
    }
    if let Some(vote) = crate::degraded::offers::shut(facts, stalled, &waited) {
        return vote;
    }
    let other_name = facts.control("other_name");
    // Who had begun to answer had read the request, whatever it said.
    let begun =
        !in_handshake && (stalled.int("http.bytes").unwrap_or(0) > 0 || stalled.int("http.status").is_some());
    if unheard && !begun && other_name.is_some_and(Span::is_ok) {
        let (cause, read) = if in_handshake { ("FW10", "handshakes") } else { ("FW12", "requests") };
        return Vote::broken(
            &[cause],
            0.92,
            format!("A filter on the way swallows {read} that name {subject}."),
        )
        .cite(stalled, format!("{what}, which carries the site's name, was never acknowledged, for {waited}"))
        .cite_if(other_name, "the same server answers at once who asks for another name")
        .rule_out("IP10", "packets of the same size with another name pass")
        .rule_out("APP05", "the server never got the message")
        .network("say whether a filter blocks this site's name, and lift it if that is not wanted")
        .user("ask the network's owner, or try another network");
    }
    if let Some(vote) = gone(facts, stalled, &waited) {
        return vote;
    }
    if unheard && begun {
        return Vote::broken(
            &["TCP11", "FW05", "FW12"],
            0.6,
            format!("{subject} had begun to answer, then nothing that this machine sent was acknowledged any more."),
        )
        .undecided()
        .cite(stalled, format!("the answer stopped for {waited}"))
        .cite_if(connection, format!("of {} bytes sent, only {} were acknowledged, however often the rest was sent again", sent.unwrap_or(0), acked.unwrap_or(0)))
        .rule_out("APP05", "a program that hangs leaves acknowledging to its system, which went silent as well")
        .probe("make the same request again: if it stops at the same place, something on the way ends connections after so much", &["FW12", "TCP11"])
        .probe("ping the server now: an answer means that only this connection is dead", &["TCP11", "FW05"])
        .network("look for a firewall or translator that forgets or blocks connections that are in use")
        .user("try again");
    }
    if unheard {
        let causes: &[&str] =
            if in_handshake { &["TLS21", "FW10", "IP10"] } else { &["IP10", "TCP11", "FW12"] };
        let vote = Vote::broken(
            causes,
            0.85,
            format!("{subject} accepted the connection, but {what} never reached it."),
        )
        .cite(stalled, format!("no answer for {waited}"))
        .cite_if(
            connection,
            format!("of {} bytes sent, only {} were acknowledged", sent.unwrap_or(0), acked.unwrap_or(0)),
        )
        .rule_out("APP05", "the server never acknowledged the request, so its program never saw it")
        .rule_out("IP09", "it is our packets that are lost, not the server's");
        return match small {
            Some(small) if small.is_ok() => Vote::broken(&["IP10"], 0.92, format!("Large packets to {subject} are lost on the way."))
                .cite(stalled, format!("{what} was not acknowledged for {waited}"))
                .cite(small, "the same request in small packets is answered")
                .rule_out("TLS21", "the same message passes when it is cut into small packets")
                .network("let the messages \"packet too big\" (ICMP) through on the narrow link")
                .user("as a stopgap, lower the MTU of this machine's network interface"),
            _ => vote.probe("send the same bytes in small packets; send a small message with the same name; send the same size with another name", causes),
        };
    }
    if let Some(small) = small.filter(|small| small.is_ok())
        && let Some(vote) = size_of_one_kind(facts, stalled, small)
    {
        return vote;
    }
    let moved = "bytes are missing below the highest the server sent: it did answer, and the answer was lost";
    match (gap > 0, small) {
        (true, Some(small)) if small.is_ok() => mend_mtu(
            Vote::broken(mtu, 0.97, black_hole)
                .cite(stalled, format!("the connection was made, {what} was acknowledged, then nothing complete arrived for {waited}"))
                .cite_if(connection, format!("{gap} {moved}"))
                .cite(small, "the same request in small packets is answered in full")
                .rule_out("APP05", "the server did send its answer: its sequence numbers moved")
                .rule_out("IP19", "random loss would be repaired by sending again; here every large packet is lost, every small one passes"),
        ),
        (true, None) => mend_mtu(
            Vote::broken(mtu, 0.87, black_hole)
                .cite(stalled, format!("the connection was made, {what} was acknowledged, then nothing complete arrived for {waited}"))
                .cite_if(connection, format!("{gap} {moved}"))
                .rule_out("APP05", "the server did send its answer: its sequence numbers moved")
                .probe("repeat the request with a small segment size (MSS 536): an answer proves it", &["IP09", "IP05"]),
        ),
        (true, Some(small)) => Vote::broken(
            &["IP09", "TCP11", "IP05"],
            0.75,
            format!("The answer of {subject} was sent but lost on the way, in small packets too."),
        )
        .cite(stalled, format!("nothing complete arrived for {waited}"))
        .cite_if(connection, format!("{gap} {moved}"))
        .cite(small, format!("the same request in small packets fails too: {}", failure_text(small)))
        .rule_out("APP05", "the server did send its answer: its sequence numbers moved")
        .probe("ping the server with small and large packets", &["IP09", "IP05", "TCP11"])
        .undecided(),
        (false, Some(small)) if small.is_ok() => mend_mtu(
            Vote::broken(mtu, 0.93, black_hole)
                .cite(stalled, format!("the connection was made, then nothing complete arrived for {waited}"))
                .cite(small, "the same request in small packets is answered in full")
                .rule_out("APP05", "the server answers as soon as its packets are small"),
        ),
        (false, Some(_)) if stalled.bool("http.silent") == Some(true) && stalled.text("http.version") == Some("HTTP/2") => {
            Vote::broken(
                &["H206"],
                0.85,
                format!("{subject} agreed to speak HTTP/2 and then never said a word of it."),
            )
            .cite(stalled, format!("not even the settings that open an HTTP/2 connection came within {waited}"))
            .cite_if(connection, "everything that was sent was acknowledged, and no byte is missing")
            .rule_out("APP05", "a program that only hangs over a page still opens the connection")
            .rule_out("IP09", "small packets would pass, and they bring no answer either")
            .service("check the server's HTTP/2 module, or turn HTTP/2 off")
            .user("as a stopgap, use HTTP/1.1 (--http 1.1)")
        }
        (false, Some(small)) => {
            let answering = stalled.failed_with("http.stalled");
            let (causes, summary): (&[&str], String) = match (in_handshake, answering) {
                (true, _) => (&["TLS23"], format!("{subject} accepted the connection and never answered the encryption handshake.")),
                (false, false) => (&["APP05"], format!("{subject} took the request and never answered: the server's program hangs.")),
                (false, true) => (&["APP05", "TCP11"], format!("{subject} began to answer and then stopped: the server's program hangs, or the server went away.")),
            };
            let vote = Vote::broken(causes, 0.92, summary)
                .cite(stalled, format!("{what} was acknowledged, then nothing came for {waited}"))
                .cite_if(connection, "no byte is missing: the server sent nothing that was lost")
                .cite(small, format!("in small packets it is the same: {}", failure_text(small)))
                .rule_out("IP09", "small packets would pass, and they bring no answer either")
                .service("look at the server's program: it took the request and does not answer")
                .user("nothing to repair here; try again later");
            if answering {
                vote.probe("ping the server now: an answer means its program hangs", &["APP05", "TCP11"])
            } else {
                vote
            }
        }
        (false, None) => {
            let passed = value("tcp.bytes_received").unwrap_or(0) >= MANY * value("tcp.mss").unwrap_or(1_460);
            let causes: &[&str] = match (in_handshake, passed) {
                (true, _) => &["TLS23", "IP11"],
                (false, false) => &["IP09", "APP05"],
                // Packets of full size have passed in number.
                (false, true) => &["APP05", "TCP11"],
            };
            Vote::broken(
                causes,
                0.9,
                format!("{subject} accepted the connection, but {} arrived.", if stalled.failed_with("http.stalled") { "only a part of the answer" } else { "no answer" }),
            )
            .cite(stalled, format!("{what} was sent, then nothing came for {waited}"))
            .probe(if passed { "ping the server now: an answer means its program hangs" } else { "repeat the request with a small segment size (MSS 536): an answer means large packets are lost, silence means the server hangs" }, causes)
            .service("check that the server's program answers")
        }
    }
}

/// A connection on which both had been heard, until nothing of either came through any more: neither what the visitor
/// sends again, nor its goodbye, nor, seen from the server's side, what the server sends again.
fn gone(facts: &Facts<'_>, stalled: &Span, waited: &str) -> Option<Vote> {
    let connection = facts.connection()?;
    let value = |key: &str| connection.int(key).unwrap_or(0);
    let mss = value("tcp.mss").max(536);
    let (acked, received) = (value("tcp.bytes_acked"), value("tcp.bytes_received"));
    let subject = facts.subject();
    let unheard = value("tcp.bytes_sent") > acked && value("tcp.gap_bytes") == 0 && acked > 0;
    let resent = value("tcp.retransmissions") + value("tcp.timeouts") > 0;
    // What is small, or has followed many large ones, was not too large.
    let stuck = connection.int("tcp.stuck");
    let not_size = acked >= MANY * mss || stuck.is_some_and(|len| len < SMALL_PACKET && received > 0);
    let own_silence = unheard && resent && not_size && received > 0;
    let goodbye = value("tcp.fin_unheard") >= 2 && received > 0;
    if own_silence || goodbye && value("tcp.gap_bytes") == 0 {
        let causes = &["TCP11", "FW05", "IP05"];
        return Some(
            Vote::broken(causes, 0.85, format!("{subject} was there, and then nothing was heard of it any more: it went away, or the way to it did."))
                .explains(&["IP09", "IP10", "APP05", "FW12"])
                .cite(stalled, format!("nothing more came for {waited}"))
                .cite(connection, "both had been heard; then not even what was sent again, or the goodbye, was acknowledged any more")
                .rule_out("IP10", "packets of this size, or larger ones, had passed before")
                .rule_out("APP05", "a machine acknowledges what arrives even while its program hangs")
                .probe("open a new connection: if it works at once, a device on the way had dropped the old one; silence means the server or the way is gone", causes)
                .user("try again; if it fails again, look whether anything of the same network answers"),
        );
    }
    let lost_down = value("tcp.peer_unheard") > 0 && value("tcp.peer_resent") >= 2;
    if lost_down {
        let alive = connection.bool("tcp.own_later") == Some(true);
        let large =
            connection.int("tcp.peer_stuck").is_some_and(|len| len >= SMALL_PACKET) && received < MANY * mss;
        let causes: &[&str] = match (large, alive) {
            (true, true) => &["IP09"],
            (true, false) => &["IP09", "TCP11", "IP20"],
            (false, _) => &["TCP11", "IP20", "IP05"],
        };
        let vote = Vote::broken(causes, 0.85, format!("{subject} sends its answer again and again, and it does not arrive."))
            .explains(&["APP05", "IP10", "FW12"])
            .cite(stalled, format!("the answer was not done after {waited}"))
            .cite(connection, "the server repeats the same bytes, and nobody acknowledges them")
            .rule_out("APP05", "the server's program did answer: its bytes are on the way")
            .network("look for a link on the way that carries less than the others without saying so (\"packet too big\" filtered), or that is down");
        return Some(if causes.len() > 1 {
            vote.probe("ask for something small: if that arrives, it is the size", causes)
        } else {
            vote
        });
    }
    None
}

/// So many full segments that passed show that the way carries their size.
const MANY: i64 = 20;
/// No link carries less.
const SMALL_PACKET: i64 = 500;

/// Small packets pass and large ones do not, and something more is known: the two are on one link, or the other IP
/// version passes in any size.
fn size_of_one_kind(facts: &Facts<'_>, stalled: &Span, small: &Span) -> Option<Vote> {
    let subject = facts.subject();
    let connection = facts.connection()?;
    let waited = ms(stalled.nanos());
    let target = connection.address("tcp.remote")?;
    let beside = facts
        .trace
        .all("hop")
        .any(|hop| hop.address("hop.address") == Some(target) && hop.int("hop.ttl") == Some(1));
    let mss = connection.int("tcp.mss").unwrap_or(0);
    if mss > 1_460 && beside {
        return Some(
            Vote::broken(
                &["IP15"],
                0.92,
                format!("This machine and {subject} send giant frames to each other, and a switch between them does not take them."),
            )
            .cite(connection, format!("both agreed on segments of {mss} bytes, more than usual frames hold (1460)"))
            .cite(stalled, format!("nothing complete arrived for {waited}"))
            .cite(small, "the same request in small packets is answered in full")
            .rule_out("IP09", "no router is on the way that could say \"packet too big\"")
            .rule_out("APP05", "the server answers as soon as its packets are small")
            .network("let every device of this network take jumbo frames, or none: the same MTU everywhere")
            .user("as a stopgap, set the MTU of this machine's network interface to 1500"),
        );
    }
    let other = facts.control("other_family_large").filter(|other| other.is_ok())?;
    if !target.is_ipv6() {
        return None;
    }
    Some(
        Vote::broken(
            &["IP12"],
            0.92,
            format!("Over IPv6 large packets from {subject} are lost, and the server is not told to send smaller ones; over IPv4 all is well."),
        )
        .cite(stalled, format!("over IPv6 nothing complete arrived for {waited}"))
        .cite(small, "the same request in small packets is answered in full")
        .cite(other, "over IPv4 it is answered in full, in packets of any size")
        .rule_out("IP13", "small packets pass over IPv6")
        .rule_out("APP05", "the server answers as soon as its packets are small")
        .network("let ICMPv6 \"packet too big\" (type 2) through every filter: without it IPv6 cannot work (RFC 4890)")
        .user("as a stopgap, use IPv4 (the switch -4), or lower the MTU of this machine to 1280"),
    )
}

fn quic_stall(facts: &Facts<'_>, stalled: &Span) -> Vote {
    let waited = format!("nothing came for {}", ms(stalled.nanos()));
    match facts.control("by_tcp") {
        Some(by_tcp) if by_tcp.is_ok() => {
            return Vote::broken(
                &["Q17"],
                0.92,
                format!(
                    "HTTP/3 to {} breaks down right after it began, although HTTP/2 works.",
                    facts.subject()
                ),
            )
            .cite(stalled, waited)
            .cite(by_tcp, "over TCP the same request is answered")
            .rule_out("APP05", "over TCP the program answers")
            .rule_out("Q01", "the handshake passed")
            .user("use HTTP/2 (without --http 3); browsers do so by themselves")
            .network("look for a device that lets only the first packets of a UDP flow pass");
        }
        Some(by_tcp) => {
            return Vote::broken(
                &["APP05"],
                0.9,
                format!(
                    "{} took the request and never answered: the server's program hangs.",
                    facts.subject()
                ),
            )
            .cite(stalled, waited)
            .cite(by_tcp, "over TCP the same request is not answered either")
            .rule_out("Q17", "it is the same without HTTP/3")
            .service("look at the server's program: it takes requests and does not answer")
            .user("nothing to repair here; try again later");
        }
        None => {}
    }
    Vote::broken(
        &["APP05", "Q17"],
        0.85,
        format!("{} accepted the connection over HTTP/3, but no complete answer arrived.", facts.subject()),
    )
    .cite(stalled, format!("nothing came for {}", ms(stalled.nanos())))
    .probe(
        "repeat the request over HTTP/2: if it is answered there, only HTTP/3 is disturbed",
        &["APP05", "Q17"],
    )
    .service("check that the server's program answers")
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
