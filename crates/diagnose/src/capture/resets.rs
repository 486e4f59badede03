//! Resets, and who really sent them.

use crate::facts::{Facts, remote};
use crate::vote::Vote;
use thru_trace::{Layer, Span};

/// How many routers a packet passed, if it began with one of the usual lives.
fn hops(ttl: i64) -> i64 {
    [64, 128, 255].into_iter().find(|start| ttl <= *start).unwrap_or(255) - ttl
}

/// Whether a reset was sent by somebody else than the host in whose name it came: nearer, or with another first life.
pub(super) fn is_foreign(span: &Span) -> Option<bool> {
    let (reset, peer) = (span.int("tcp.reset_ttl")?, span.int("tcp.peer_ttl")?);
    Some(reset != peer)
}

pub(super) fn ttl_says(span: &Span) -> String {
    let value = |key| span.int(key).unwrap_or(0);
    format!(
        "the reset came with hop count {}, the server's other packets with {}",
        value("tcp.reset_ttl"),
        value("tcp.peer_ttl")
    )
}

pub(super) fn refused_from_nearby(facts: &Facts<'_>) -> Option<Vote> {
    let attempt = facts.connects().find(|span| span.failed_with("tcp.refused"))?;
    let (reset, peer) = (attempt.int("tcp.reset_ttl")?, attempt.int("tcp.peer_ttl")?);
    if hops(reset) >= hops(peer) || facts.connected().is_some() {
        return None;
    }
    let to = remote(attempt);
    Some(
        Vote::broken(
            &["FW02"],
            0.88,
            format!("A firewall on the way refuses connections to {to} in the server's name."),
        )
        .explains(&["TCP01", "FW02"])
        .cite(attempt, format!("{}: it comes from nearer than the server", ttl_says(attempt)))
        .rule_out("TCP01", "the refusal did not come as far as the server's packets do")
        .rule_out("FW01", "somebody answered; nothing was silently dropped")
        .network("say whether a firewall rejects this port, and allow it if that is not wanted")
        .user("ask the network's owner whether this port is meant to be blocked"),
    )
}

/// Resets in the middle of something, by their hop count.
pub(super) fn cut(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.own.iter().copied().rfind(|span| {
        (span.what == "handshake" && span.failed_with("tls.reset"))
            || (span.what == "exchange" && span.failed_with("http.reset"))
    })?;
    if let Some(vote) = proxied_handshake(facts, failed) {
        return Some(vote);
    }
    let foreign = is_foreign(failed)?;
    let subject = facts.subject();
    let in_handshake = failed.what == "handshake";
    let answered = failed.int("http.bytes").unwrap_or(0) > 0;
    let unheard = !answered && failed.int("tcp.reset_acks") == Some(0);
    let rtt = facts.rtt().unwrap_or(0);
    let too_soon = rtt > 0 && failed.nanos() * 100 < rtt * 70;
    let says = ttl_says(failed);
    if foreign {
        // What is encrypted, nobody on the way can choose by.
        let readable = !facts.steps("handshake").any(Span::is_ok);
        let (cause, what): (&'static str, &str) = match (in_handshake, answered || !readable) {
            (true, _) => ("FW08", "as soon as the encryption names the site"),
            (false, false) => ("FW12", "as soon as the request is sent"),
            (false, true) if answered => ("FW09", "in the middle of the answer"),
            (false, true) => ("FW09", "after the encryption was agreed on"),
        };
        return Some(
            Vote::broken(
                &[cause],
                0.9,
                format!("Something on the way cuts the connection to {subject}, {what}: the reset is not the server's."),
            )
            .explains(&["TLS24", "FW08", "TCP08", "TCP09", "FW09", "FW12"])
            .cite(failed, says)
            .rule_out("TCP09", "the server's own packets come another way, or farther")
            .network("say whether a filter cuts such connections, and lift it if that is not wanted")
            .user("ask the network's owner, or try another network"),
        );
    }
    if unheard {
        return Some(
            Vote::broken(&["TCP08"], 0.9, format!("{subject} accepts connections and cuts them at once."))
                .explains(&["TLS24", "FW08", "TCP08", "TCP09", "FW09", "FW12", "H112"])
                .cite(failed, "the reset acknowledges nothing of what had been sent: it is no answer to it")
                .rule_out("TLS24", "the server did not wait for the first message")
                .rule_out("FW08", format!("{says}: it is the server's own"))
                .service("look at the server's log: the program takes connections and drops them")
                .user("nothing to repair here; try again later"),
        );
    }
    // What was on its way before the hello can have come says nothing of it.
    if too_soon {
        return None;
    }
    if in_handshake && failed.int("tcp.reset_acks").is_none() {
        return Some(
            Vote::broken(
                &["TLS24", "TCP08"],
                0.85,
                format!("{subject} cuts the connection at its beginning."),
            )
            .explains(&["TLS24", "FW08", "TCP08", "TCP09", "FW09", "FW12"])
            .cite(failed, format!("{says}: it is the server's own"))
            .rule_out("FW08", "somebody else's reset would carry another hop count")
            .probe(
                "connect and say nothing: a reset all the same means that the server cuts every connection",
                &["TLS24", "TCP08"],
            )
            .service("look at the program's log: did it crash or give up at this moment?")
            .user("try again once"),
        );
    }
    if let Some(vote) = wants_encryption(facts, failed, answered) {
        return Some(vote);
    }
    let encrypted = facts.handshakes(Layer::Tls).any(Span::is_ok);
    let (cause, summary): (&'static str, String) = match (in_handshake, answered) {
        (false, false) if encrypted => {
            ("TCP09", format!("{subject} agreed on encryption and cut the connection when the request came."))
        }
        (true, _) => ("TLS24", format!("{subject} cuts the connection as soon as encryption is asked for.")),
        (false, false) => {
            ("TCP08", format!("{subject} takes the connection and cuts it when the request comes."))
        }
        (false, true) => ("TCP09", format!("{subject} cut the connection in the middle of its answer.")),
    };
    Some(
        Vote::broken(&[cause], 0.88, summary)
            .explains(&["TLS24", "FW08", "TCP08", "TCP09", "FW09", "FW12"])
            .cite(failed, format!("{says}: it is the server's own"))
            .rule_out("FW09", "somebody else's reset would carry another hop count")
            .rule_out("IP19", "a reset is sent on purpose; loss only delays")
            .service("look at the program's log: did it crash or give up at this moment?")
            .user("try again once"),
    )
}

/// A request in plain words, cut off on a port on which everybody speaks TLS.
fn wants_encryption(facts: &Facts<'_>, failed: &Span, answered: bool) -> Option<Vote> {
    let port = failed.socket("tcp.remote")?.port();
    let plain = failed.text("http.url").is_some_and(|url| url.starts_with("http:"));
    if answered || !plain || !matches!(port, 443 | 8443) {
        return None;
    }
    let causes = &["TLS02", "TCP08"];
    Some(
        Vote::broken(
            causes,
            0.85,
            format!(
                "{} cuts off a request in plain words on a port that is meant for encryption.",
                facts.subject()
            ),
        )
        .explains(&["TCP08", "TCP09", "FW12", "FW09", "H112"])
        .cite(failed, format!("a plain request to port {port} was answered with a reset"))
        .rule_out("FW12", "the reset came as far as the server's other packets")
        .probe("ask with https:// in front: an answer means that the port wants encryption", causes)
        .user("write https:// instead of http://"),
    )
}

/// Whoever took the connection offered no window with it, as only those do who answer in a server's place until it has
/// answered itself; and then the server cut it.
fn proxied_handshake(facts: &Facts<'_>, failed: &Span) -> Option<Vote> {
    let made = facts.connected().filter(|span| span.bool("tcp.greeted_shut") == Some(true))?;
    if failed.int("http.bytes").unwrap_or(0) > 0 {
        return None;
    }
    let to = remote(made);
    Some(
        Vote::broken(
            &["FW14"],
            0.85,
            format!("A protection against floods takes connections to {to} in the server's place, and the server behind it refuses them."),
        )
        .explains(&["TCP01", "TCP08", "TCP09", "FW12", "FW09", "FW02", "TLS24", "FW08"])
        .cite(made, "the connection was taken with a window of 0 bytes, as a stand-in does until the server itself has answered")
        .cite(failed, "then it was reset before anything was said")
        .rule_out("FW12", "it is not the request's words: nothing had been let through yet")
        .service("start the program that should listen on this port, or close the port in the protection (SYN proxy) as well"),
    )
}
