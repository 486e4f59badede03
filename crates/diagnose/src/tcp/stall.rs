//! Connections that were made and then stood still.

use super::size::{MANY, size_of_one_kind};
use super::vanished::gone;
use crate::facts::{Facts, failure_text, ms, times};
use crate::thresholds::{HEAVY_LOSS, HEAVY_LOSS_PINGS};
use crate::vote::Vote;
use thru_trace::{Layer, Span};

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
    let (causes, summary): (&[&str], String) = match crate::capture::told(stalled)? {
        "firewall.prohibited" => {
            (&["FW03"], format!("{from} forbade the connection to {subject} while it was in use."))
        }
        "ip.ttl_exceeded" => (&["IP06"], format!("Packets to {subject} began to go round in a circle.")),
        // A router says so of a machine that answers no more on its own link, too.
        _ if words.to_ascii_lowercase().contains("host") => (
            &["LNK05", "IP04"],
            format!("{subject} went away while it was in use, or the way to it: {from} says so."),
        ),
        _ => (&["IP04"], format!("The way to {subject} was taken away while it was in use: {from} says so.")),
    };
    let vote = Vote::broken(causes, 0.92, summary);
    let vote = match causes {
        [_, _, ..] => {
            vote.probe("ask the owner of that router whether the server answers on its link (ARP)", causes)
        }
        _ => vote,
    };
    Some(
        vote.explains(&["APP05", "IP09", "IP10", "TCP11", "FW05", "IP20", "FW12", "IP05"])
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

/// The same handshake passes as soon as its first message fits into one packet.
fn large_hello(facts: &Facts<'_>, stalled: &Span, small: &Span, waited: &str) -> Vote {
    let subject = facts.subject();
    Vote::broken(
        &["TLS21"],
        0.92,
        format!("A device on the way to {subject} swallows large first messages of handshakes, as today's browsers send them."),
    )
    .cite(stalled, format!("the first message of the handshake was never acknowledged, for {waited}"))
    .cite(small, "a smaller one, with the same name, is answered at once")
    .cite_if(facts.control("other_name"), "with another name it is lost in the same way")
    .rule_out("FW10", "the same name passes in a smaller message")
    .rule_out("IP10", "cut into small packets, the large message does not pass either")
    .network("update the firewall or load balancer that expects the first message of a handshake in one packet")
    .service("look for such a device before the server: it is seen by everybody who comes with a new browser")
    .user("as a stopgap, turn key exchange that withstands quantum computers (ML-KEM) off in the browser")
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
    if let Some(small) = facts.control("small_hello").filter(|small| unheard && in_handshake && small.is_ok())
    {
        return large_hello(facts, stalled, small, &waited);
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
