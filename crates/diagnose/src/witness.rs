//! What else only packets show: a SOCKS proxy's reply, resets of many connections at once, a certificate that was asked
//! for and not sent, a body that was held back, name lookups that were to be encrypted.

use crate::facts::{Facts, ms, remote, times};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let always = [socks(facts), mass_reset(facts)];
    let failed =
        [encrypted_lookup(facts), certificate_wanted(facts), crossed(facts), plain_and_closed(facts)];
    let worked = [held_back(facts)];
    let delivered = facts.delivered().is_some();
    let rest = if delivered { worked.to_vec() } else { failed.to_vec() };
    always.into_iter().chain(rest).flatten().collect()
}

/// Replies of SOCKS 5 (RFC 1928 6).
fn reply_words(reply: i64) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "kind of address not supported",
        255 => "none of the offered ways to log in is accepted",
        _ => "an unknown reply",
    }
}

fn socks(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").find(|span| span.failed_with("proxy.socks"))?;
    let reply = exchange.int("socks.reply").unwrap_or(1);
    let words = reply_words(reply);
    let proxy = remote(exchange);
    let vote = Vote::broken(
        &["PX08"],
        0.93,
        format!("The SOCKS proxy {proxy} does not make the connection: {words}."),
    )
    .cite(exchange, format!("it answered with reply {reply}, {words} (RFC 1928 6)"))
    .rule_out("PX02", "the proxy is there and answers");
    Some(match reply {
        2 | 255 => vote.network("ask who runs the proxy which targets and logins it allows"),
        3..=6 => vote
            .network("check from the proxy's machine whether the target can be reached")
            .user("check the address and the port of the target"),
        _ => vote.network("look at the proxy's log").user("check the proxy's settings in the program"),
    })
}

/// Connections to one server that were all cut at the same moment.
fn mass_reset(facts: &Facts<'_>) -> Option<Vote> {
    let cut = facts.steps("mass_reset").next()?;
    let count = cut.int("resets.count").unwrap_or(0);
    let frame = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let frames: Vec<u64> = cut.list("resets.frames").unwrap_or_default().iter().filter_map(frame).collect();
    let vote = Vote::broken(
            &["TCP29"],
            0.88,
            format!("All {count} connections to {} were cut at the same moment.", remote(cut)),
        )
        .explains(&["TCP09", "FW09", "TCP08", "H112", "TCP10", "FW12"])
        .cite_frames(&frames, format!("{count} resets came within {}, one for each connection", ms(cut.nanos().max(MS))))
        .rule_out("TCP09", "not one connection failed but all of them, at once")
        .service("look what happened at that moment: a restart, a load balancer that took the server out, a firewall that was reloaded")
        .user("connect again");
    // What was wanted had come by then, or came afterwards.
    Some(if facts.delivered().is_some() { vote.only_disturbs() } else { vote })
}

/// Lookups over TLS have a port of their own (RFC 7858 3.1).
fn encrypted_lookup(facts: &Facts<'_>) -> Option<Vote> {
    let to_port = |span: &&Span| span.socket("tcp.remote").is_some_and(|to| to.port() == 853);
    let failed = facts.connects().filter(to_port).find(|span| span.code().is_some())?;
    if facts.connects().filter(to_port).any(Span::is_ok) {
        return None;
    }
    let how = if failed.failed_with("tcp.timeout") { "never answered" } else { "was refused" };
    Some(
        Vote::broken(
            &["DNS39"],
            0.85,
            format!("Encrypted name lookups do not get through to {}.", remote(failed)),
        )
        .explains(&["FW01", "IP05", "TCP03", "TCP06", "IP07", "TCP01", "FW02", "FW03"])
        .cite(
            failed,
            format!(
                "asked {}, the port for lookups over TLS {how}",
                times(failed.int("tcp.syn_retransmissions").unwrap_or(0) + 1)
            ),
        )
        .network("allow TCP port 853 to the name server, or say that lookups are to be in the clear here")
        .user("have names looked up over HTTPS, or in the clear"),
    )
}

/// The server asked for a certificate, got none, and refused the request in HTTP.
fn certificate_wanted(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts
        .steps("exchange")
        .filter(|span| matches!(span.int("http.status"), Some(400 | 403 | 495 | 496)))
        .last()?;
    let handshake = facts
        .steps("handshake")
        .filter(|span| span.bool("tls.certificate_requested") == Some(true) && span.start <= exchange.start)
        .last()?;
    let status = exchange.int("http.status").unwrap_or(400);
    if handshake.bool("tls.certificate_sent") == Some(true) {
        return None;
    }
    Some(
        Vote::broken(
            &["TLS18"],
            0.88,
            format!("{} wants a certificate of the visitor, and got none.", facts.subject()),
        )
        .explains(&["H101", "FW21"])
        .cite(handshake, "in the handshake the server asked for a certificate")
        .cite(exchange, format!("the request was then refused with status {status}"))
        .rule_out("TLS11", "the visitor accepted the server's own certificate")
        .user("choose or install the certificate that the site's owner gave you")
        .service("say which certificates are accepted; if none should be needed, do not ask for one"),
    )
}

/// A request on a connection that the server was closing already.
fn crossed(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").find(|span| span.bool("http.crossed") == Some(true))?;
    Some(
        Vote::broken(
            &["H113"],
            0.9,
            format!("{} closed the connection while the next request was on its way.", facts.subject()),
        )
        .explains(&["TCP08", "TCP09", "TCP10", "FW06", "FW09", "FW12", "H112"])
        .cite(exchange, "the server's goodbye was sent before it can have had the request, which was not the first on this connection")
        .rule_out("TCP09", "the connection was closed in order; only what came after was answered with a reset")
        .rule_out("H112", "earlier requests on this connection were answered")
        .user("ask again: on a new connection it works")
        .service("have the server keep idle connections for longer than its clients and proxies do"),
    )
}

/// A plain request to the port of HTTPS that ends without a word: most servers of TLS say nothing else to it.
fn plain_and_closed(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").filter(|span| span.failed_with("http.closed")).last()?;
    let port = exchange.socket("tcp.remote")?.port();
    let plain = exchange.text("http.url").is_some_and(|url| url.starts_with("http:"));
    if !plain || !matches!(port, 443 | 8443) || exchange.text("http.version") == Some("data") {
        return None;
    }
    Some(
        Vote::broken(
            &["TLS02", "H112"],
            0.85,
            format!("{} closed the connection without an answer: this port usually wants encryption, and was spoken to without.", facts.subject()),
        )
        .explains(&["H112", "TCP08"])
        .cite(exchange, format!("a plain request to port {port} was answered with nothing but the end of the connection"))
        .probe("ask the same port with https:// instead", &["TLS02", "H112"])
        .user("write https:// instead of http://"),
    )
}

/// A body that waits for a permission that does not come (RFC 9110 10.1.1).
fn held_back(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").find(|span| span.nanos_of("http.expect_wait").is_some())?;
    let waited = exchange.nanos_of("http.expect_wait")?;
    if waited < 700 * MS {
        return None;
    }
    Some(
        Vote::disturbed(
            &["H117"],
            0.88,
            format!(
                "{} works, but the visitor waited {} for a permission before it sent the body.",
                facts.subject(),
                ms(waited)
            ),
        )
        .cost(waited)
        .explains(&["APP01"])
        .cite(exchange, "the request says \"Expect: 100-continue\"; no \"100 Continue\" came, and the body was sent after a pause")
        .rule_out("APP01", "the pause was before the body, when the server had not the whole request")
        .service("have the server answer \"100 Continue\" at once, or let clients leave the header out"),
    )
}
