//! HTTP/3 that did not come about.

use crate::facts::{Facts, failure_text, ms, remote};
use crate::vote::Vote;
use thru_trace::{Layer, Span};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.handshakes(Layer::Quic).any(Span::is_ok) {
        return Vec::new();
    }
    let Some(failed) = facts.handshakes(Layer::Quic).filter(|span| span.code().is_some()).last() else {
        return Vec::new();
    };
    let delivered = facts.delivered().is_some();
    let without = if delivered { ", so the page came over the older way" } else { "" };
    let subject = facts.subject();
    let vote = match failed.code().unwrap_or("") {
        "quic.timeout" => match silence(facts, failed, without) {
            Some(vote) => vote,
            None => return Vec::new(),
        },
        // CONNECTION_REFUSED (RFC 9000 20.1): somebody is there, and does not want.
        "quic.refused" if failed.int("quic.error") == Some(2) => Vote::broken(
            &["Q13"],
            0.93,
            format!("{subject} is there over HTTP/3, but refuses new connections{without}."),
        )
        .cite(failed, failure_text(failed))
        .rule_out("Q01", "the server answered")
        .rule_out("Q12", "a program listens there; it says itself that it refuses")
        .user("use HTTP/2 (without --http 3)")
        .service("look at the log of the server's HTTP/3 service: it may be overloaded"),
        "quic.refused" => Vote::broken(
            &["Q12"],
            0.93,
            format!("{subject} announces HTTP/3, but nothing listens for it there{without}."),
        )
        .cite(failed, failure_text(failed))
        .rule_out("Q01", "an answer came back, so the packets of HTTP/3 do pass")
        .service("start the HTTP/3 service on UDP port 443, or stop announcing it (Alt-Svc, HTTPS record)"),
        "quic.version" => Vote::broken(
            &["Q03"],
            0.95,
            format!("{subject} and this machine know no version of QUIC in common{without}."),
        )
        .cite(failed, failure_text(failed))
        .rule_out("Q01", "the server answered")
        .service("update the server's QUIC software (version 1, RFC 9000)"),
        // Who has no way at all hears of it from the rules for connections.
        "firewall.prohibited" if delivered || facts.connected().is_some() => Vote::broken(
            &["Q01", "FW15"],
            0.9,
            format!("The packets of HTTP/3 (UDP) to {subject} are refused on the way, although TCP gets through{without}."),
        )
        .cite(failed, failure_text(failed))
        .rule_out("Q12", "a device on the way says that it forbids them; the server was not asked")
        .rule_out("IP05", "other packets to the same server arrive and are answered")
        .user("use HTTP/2 (without --http 3); browsers do so by themselves")
        .network("allow UDP port 443 through the firewall"),
        "quic.closed" => closed(facts, failed, without),
        _ => return Vec::new(),
    };
    let vote = if delivered { vote.only_disturbs() } else { vote };
    vec![vote]
}

/// UDP is not answered whoever is asked, at whatever port; TCP and pings are.
fn no_udp(facts: &Facts<'_>, silent: &Span, alive: &Span, failed: &Span, says: String) -> Vote {
    let looked_up =
        facts.steps("dns.query").find(|span| span.is_ok() && span.text("dns.transport") == Some("udp"));
    Vote::broken(
        &["FW15"],
        0.88,
        "This network lets no UDP out but questions about names, so HTTP/3, calls and games do not work.",
    )
    .cite(failed, says)
    .cite(
        silent,
        "datagrams to unused ports, of this server and of an unrelated one, are not answered either",
    )
    .cite(alive, "TCP or pings to the same server are answered")
    .cite_if(looked_up, "questions about names pass")
    .rule_out("Q01", "not only the port of HTTP/3 is closed: no other UDP passes")
    .rule_out("IP05", "other packets to the same server arrive and are answered")
    .user("use HTTP/2 (without --http 3); browsers do so by themselves")
    .network("let UDP out, if calls, games and HTTP/3 are meant to work here")
}

/// No answer to any QUIC packet. Only if TCP to the same server works is UDP the culprit.
fn silence(facts: &Facts<'_>, failed: &Span, without: &str) -> Option<Vote> {
    if let Some(frames) = thru_trace::ways::retries(facts.trace, failed) {
        return Some(
            Vote::broken(
                &["Q04"],
                0.9,
                format!("{} asks every HTTP/3 visitor to begin anew (Retry), in a way that does not hold{without}.", facts.subject()),
            )
            .cite(failed, format!("no connection came about within {}", ms(failed.nanos())))
            .cite_frames(&frames, "each first packet was answered with a Retry, and nothing else ever came")
            .rule_out("Q01", "packets pass in both directions")
            .rule_out("Q12", "a program that speaks QUIC answers")
            .service("check the Retry of the server, or of the device before it that protects it from floods: its integrity tag or token is wrong")
            .user("use HTTP/2 (without --http 3); browsers do so by themselves"),
        );
    }
    let over_tcp = facts.connected().or_else(|| facts.control("tcp").filter(|span| span.is_ok()));
    let refused = facts.connects().find(|span| span.failed_with("tcp.refused"));
    let alive = over_tcp
        .or(refused)
        .or_else(|| facts.answered_ping(None))
        .or_else(|| facts.control("other_port").filter(|span| span.is_ok()));
    let says = format!(
        "the first packets of HTTP/3 were sent again and again, without any answer for {}",
        ms(failed.nanos())
    );
    let subject = facts.subject();
    let udp = facts.control("udp_port");
    if let Some(alive) = alive {
        if let Some(silent) = udp.filter(|udp| udp.failed_with("udp.timeout")) {
            return Some(no_udp(facts, silent, alive, failed, says));
        }
        let witness = match alive.what.as_str() {
            "connect" => format!("a connection over TCP to {} is answered", remote(alive)),
            "ping" => String::from("the server answers pings"),
            _ => String::from("the server answers over TCP"),
        };
        return Some(
            Vote::broken(
                &["Q01"],
                if over_tcp.is_some() { 0.9 } else { 0.75 },
                format!(
                    "The packets of HTTP/3 (UDP) do not get through to {subject}, although TCP does{without}."
                ),
            )
            .cite(failed, says)
            .cite(alive, witness)
            .rule_out("Q12", "a server without HTTP/3 would have refused; here is silence")
            .rule_out("IP05", "other packets to the same server arrive and are answered")
            .cite_if(udp.filter(|udp| udp.is_ok()), "UDP to another port is answered")
            .user("use HTTP/2 (without --http 3); browsers do so by themselves")
            .network("allow UDP port 443 through the firewall"),
        );
    }
    if facts.connects().next().is_some() || crate::ip::looping_route(facts.trace).is_some() {
        // The rules for connections have the larger picture.
        return None;
    }
    Some(
        Vote::broken(
            &["Q01", "IP05", "TCP06", "FW15"],
            0.85,
            format!("{subject} does not answer over HTTP/3 (UDP)."),
        )
        .cite(failed, says)
        .probe("connect over TCP: if that works, only UDP is blocked", &["Q01", "IP05", "TCP06"])
        .user("repeat with --http 2"),
    )
}

fn closed(facts: &Facts<'_>, failed: &Span, without: &str) -> Vote {
    let error = failed.int("quic.error");
    let subject = facts.subject();
    let (causes, summary): (&[&str], String) = match error {
        // RFC 9001 4.8: 0x100 plus the TLS alert.
        Some(0x178) => {
            (&["TLS20"], format!("{subject} does not speak HTTP/3 although it answers over QUIC{without}."))
        }
        Some(0x100..=0x1FF) => {
            (&["Q08"], format!("The encryption handshake of HTTP/3 with {subject} failed{without}."))
        }
        Some(0xB) => (&["Q04"], format!("{subject} rejects this machine's proof of its address{without}.")),
        Some(_) => (&["Q13"], format!("{subject} ended the HTTP/3 connection with an error{without}.")),
        None => (
            &["Q08", "Q13"],
            format!("{subject} ended the HTTP/3 connection while it was being made{without}."),
        ),
    };
    let vote = Vote::broken(causes, 0.85, summary)
        .cite(failed, failure_text(failed))
        .rule_out("Q01", "the server answered")
        .user("use HTTP/2 (without --http 3)")
        .service("look at the log of the server's HTTP/3 service");
    match causes {
        [_, _, ..] => {
            vote.probe("read the error code in the closing packet: 0x100 and above is encryption's", causes)
        }
        _ => vote,
    }
}
