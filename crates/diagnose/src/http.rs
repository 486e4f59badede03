//! Answers that say "no", and answers that are none.

use crate::facts::{Facts, failure_text, ms};
use crate::vote::Vote;
use thru_trace::Span;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    let Some(exchange) = facts
        .steps("exchange")
        .filter(|span| !matches!(span.outcome, thru_trace::Outcome::Skipped { .. }))
        .last()
    else {
        return Vec::new();
    };
    let status = exchange
        .code()
        .and_then(|code| code.strip_prefix("http.status."))
        .and_then(|number| number.parse().ok())
        .or_else(|| exchange.int("http.status").filter(|&status| status >= 400));
    if exchange.code().is_some_and(|code| code.starts_with("tls.")) {
        return Vec::new();
    }
    if let Some(vote) = some_machines(facts, exchange) {
        return vec![vote];
    }
    let vote = match (status, exchange.code()) {
        (_, Some("http.bad_redirect")) => bad_redirect(facts, exchange),
        (None, _) if exchange.int("http3.error").is_some() => http3_error(facts, exchange),
        (None, _) if exchange.bool("http2.spoke_http1") == Some(true) => wrong_version(facts, exchange),
        (None, _) if exchange.int("http2.error").is_some() && exchange.bool("http2.remote") == Some(true) => {
            http2_error(facts, exchange)
        }
        (None, _) if exchange.int("http2.error").is_some() => broken_http2(facts, exchange),
        (None, Some("http.protocol")) if exchange.bool("http.head_tls") == Some(true) => {
            wants_tls(facts, exchange)
        }
        (None, Some("http.protocol")) if exchange.text("http.head").is_some() => {
            other_service(facts, exchange, exchange.text("http.head").unwrap_or_default())
        }
        (Some(status), _) => by_status(facts, exchange, status),
        (None, Some("http.redirect_loop")) => redirect_loop(facts, exchange),
        (None, Some("http.closed")) => closed(facts, exchange),
        (None, Some("http.reset")) => reset(facts, exchange),
        (None, Some("http.protocol")) => {
            Vote::broken(&["H115"], 0.85, format!("What {} sent is not a valid answer.", facts.subject()))
                .cite(exchange, failure_text(exchange))
                .rule_out("TCP01", "the server is there and answers")
                .user("check the port in the address: another service may live there")
                .service("look which program answers on this port")
        }
        (None, Some("http.truncated")) => truncated(facts, exchange),
        (_, Some("http.coding")) => bad_coding(facts, exchange),
        _ => return Vec::new(),
    };
    vec![vote]
}

/// The same request over new connections is answered well now and then.
fn some_machines(facts: &Facts<'_>, exchange: &Span) -> Option<Vote> {
    let repeat = facts.control("repeat").filter(|repeat| repeat.is_ok())?;
    let (tries, answered) = (repeat.int("repeat.tries")?, repeat.int("repeat.answered")?);
    let what = match exchange.int("http.status").filter(|status| *status >= 400) {
        Some(status) => format!("status {status}"),
        None => failure_text(exchange),
    };
    // All of them answered: it may as well be over.
    let causes: &[&str] = if answered < tries { &["APP12"] } else { &["APP12", "H102"] };
    let vote = Vote::broken(
        causes,
        if answered < tries { 0.9 } else { 0.7 },
        format!(
            "One of several machines behind {} fails: some requests are answered well, others not.",
            facts.subject()
        ),
    )
    .cite(exchange, format!("this request: {what}"))
    .cite(repeat, format!("of {tries} more over new connections, {answered} were answered well"))
    .rule_out("H105", "a program that fails always would have failed each time")
    .rule_out("IP08", "all connections were made; it is the answers that differ")
    .service("compare the machines behind the balancer, and take out the one that fails")
    .user("try again: the next request may meet another machine");
    Some(match causes {
        [_, _, ..] => vote.probe("ask twenty times more: one bad machine fails its share of them", causes),
        _ => vote,
    })
}

fn bad_redirect(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let to = exchange.text("http.location").unwrap_or("nowhere");
    Vote::broken(
        &["H108"],
        0.95,
        format!("{} sends its visitors to an address that is none: {to}.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("H107", "the redirect leads nowhere, not in a circle")
    .service("correct the address in the redirect (the header Location)")
    .user("nothing to repair here; tell the site's owner")
}

/// The name of an HTTP/2 error code (RFC 9113 7).
fn error_name(code: i64) -> String {
    let name = match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        10 => "CONNECT_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        12 => "INADEQUATE_SECURITY",
        13 => "HTTP_1_1_REQUIRED",
        _ => return format!("code {code}"),
    };
    format!("{name}, code {code}")
}

/// The answer over HTTP/2 or HTTP/3 was an error code (RFC 9113 7).
fn http2_error(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let subject = facts.subject();
    let code = exchange.int("http2.error").unwrap_or(-1);
    let goaway = exchange.bool("http2.goaway") == Some(true);
    let (cause, summary, remedy): (&str, String, &str) = match (code, goaway) {
        (0, true) => (
            "H201",
            format!("{subject} was about to close the connection and did not take the request any more."),
            "let servers that shut down finish the requests they were sent",
        ),
        (9, _) => (
            "H209",
            format!("{subject} and this machine do not understand each other's compressed headers (HTTP/2)."),
            "update the server's HTTP/2 software, or the balancer before it",
        ),
        (11, _) => (
            "H202",
            format!(
                "{subject} ended the connection because it finds this visitor too busy (enhance your calm)."
            ),
            "look at the limits on HTTP/2 connections: this was a single request",
        ),
        (12 | 13, _) => (
            "H207",
            format!("{subject} does not want to serve this over HTTP/2."),
            "do not offer h2 (ALPN) where the request needs HTTP/1.1, or allow modern ciphers",
        ),
        (3, _) => (
            "H204",
            format!("{subject} complains that more was sent than it allowed (HTTP/2 flow control)."),
            "update the server's HTTP/2 software",
        ),
        _ => (
            "H203",
            format!("{subject} took the request and cancelled it (HTTP/2 error {}).", error_name(code)),
            "look at the server's log for this request",
        ),
    };
    let how = if goaway { "the connection was ended" } else { "the request was cancelled" };
    Vote::broken(&[cause], 0.93, summary)
        .cite(
            exchange,
            format!("{how} with the HTTP/2 error {}: {}", error_name(code), failure_text(exchange)),
        )
        .rule_out("TCP09", "the connection itself was not reset; HTTP/2 says why it ends")
        .rule_out("APP05", "the server did answer")
        .service(remedy)
        .user("try again; as a stopgap, use HTTP/1.1 (--http 1.1)")
}

/// This machine could not make sense of what came over HTTP/2.
fn broken_http2(facts: &Facts<'_>, exchange: &Span) -> Vote {
    Vote::broken(
        &["H209", "H115"],
        0.8,
        format!("What {} sent over HTTP/2 breaks the rules, so it cannot be read.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("TCP09", "the connection itself was not reset")
    .probe("ask over HTTP/1.1: if that works, only the server's HTTP/2 is broken", &["H209", "H115"])
    .service("update the server's HTTP/2 software, or the balancer before it")
    .user("as a stopgap, use HTTP/1.1 (--http 1.1)")
}

fn http3_error(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let code = exchange.int("http3.error").unwrap_or(0);
    Vote::broken(
        &["Q14"],
        0.9,
        format!("{} took the request over HTTP/3 and cancelled it (error {code:#x}).", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("Q13", "the connection goes on; only this request was cancelled")
    .rule_out("APP05", "the server did answer")
    .service("look at the log of the server's HTTP/3 service")
    .user("use HTTP/2 (without --http 3)")
}

fn wrong_version(facts: &Facts<'_>, exchange: &Span) -> Vote {
    Vote::broken(
        &["H208"],
        0.93,
        format!("{} agreed to speak HTTP/2 and then answered in HTTP/1.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("H115", "the answer is HTTP, only of another version than agreed")
    .service("do not offer h2 (ALPN) on this port: the program behind it does not speak it")
    .user("as a stopgap, use HTTP/1.1 (--http 1.1)")
}

fn wants_tls(facts: &Facts<'_>, exchange: &Span) -> Vote {
    Vote::broken(
        &["TLS02"],
        0.95,
        format!("{} wants encryption on this port, and was spoken to without.", facts.subject()),
    )
    .cite(exchange, "the answer to the plain request is a message of TLS")
    .rule_out("TCP26", "it is the right service, only encrypted")
    .user("write https:// instead of http://, or another port")
}

/// Somebody else lives at this port, and says who.
/// Whether the first words are neither HTTP's nor those of a protocol that names itself.
pub(crate) fn is_unknown(head: &str) -> bool {
    const KNOWN: [&str; 11] =
        ["SSH-", "220", "+OK", "* OK", "RFB ", "421", "554", "$", "-ERR", "ERR", "AMQP"];
    !head.starts_with("HTTP/") && !KNOWN.iter().any(|start| head.starts_with(start))
}

pub(crate) fn other_service(facts: &Facts<'_>, step: &Span, head: &str) -> Vote {
    if is_unknown(head) {
        return Vote::broken(
            &["H115", "TCP26"],
            0.85,
            format!("What {} sent is not a valid answer.", facts.subject()),
        )
        .cite(step, failure_text(step))
        .rule_out("TCP01", "the server is there and answers")
        .probe(
            "look at the first bytes of the answer: a greeting names the service that lives there",
            &["H115", "TCP26"],
        )
        .user("check the port in the address: another service may live there")
        .service("look which program answers on this port");
    }
    Vote::broken(
        &["TCP26"],
        0.95,
        format!(
            "Another service than a web site lives at this port of {}: it says \"{head}\".",
            facts.subject()
        ),
    )
    .cite(step, failure_text(step))
    .rule_out("TLS01", "it is no web server without encryption, but another kind of service")
    .rule_out("TCP01", "a program does answer")
    .user("check the port in the address")
    .service("let the web server listen on this port, or correct the address that leads here")
}

/// Whether a request without a body was so long that its head is the reason: servers take 8 kB or 16 in a line or in all.
fn large_head(facts: &Facts<'_>, exchange: &Span) -> bool {
    let asks = matches!(exchange.text("http.method"), Some("GET" | "HEAD"));
    let alone = facts.steps("exchange").count() == 1;
    let sent = facts.connection().and_then(|span| span.int("tcp.bytes_sent")).unwrap_or(0);
    asks && alone && sent >= LARGE_REQUEST
}

/// No usual request has so many bytes of head.
const LARGE_REQUEST: i64 = 8_000;

fn by_status(facts: &Facts<'_>, exchange: &Span, status: i64) -> Vote {
    let subject = facts.subject();
    let server = exchange
        .text("http.server")
        .map(|name| format!(" (the answer is signed \"{name}\")"))
        .unwrap_or_default();
    let says = format!("the server answered with status {status}{server}");
    let later = exchange.value("http.retry_after").and_then(crate::tcp::plain);
    let retry = later.as_ref().map(|when| format!("the server asks to try again after {when} s"));
    let slow = exchange.nanos();
    if crate::proxy::asked_for_a_tunnel(exchange) {
        return crate::proxy::refused(facts, exchange, u16::try_from(status).unwrap_or(0));
    }
    let (causes, confidence, summary): (&[&str], f64, String) = match status {
        _ if exchange.bool("http.cut_while_sending") == Some(true) => (
            &["H119"],
            0.9,
            format!(
                "{subject} refuses what it is sent before all of it has come ({status}), and cuts the connection."
            ),
        ),
        400 if large_head(facts, exchange) => {
            (&["H116"], 0.88, format!("{subject} finds the headers of the request too large (400)."))
        }
        401 if exchange.bool("http.login") == Some(true) => {
            (&["H101"], 0.93, format!("{subject} refuses the login that came with the request (401)."))
        }
        403 => (&["H101", "FW21"], 0.93, format!("{subject} refuses the request (403 forbidden).")),
        404 => (&["H101"], 0.95, format!("{subject} has no page at this address (404 not found).")),
        407 => {
            (&["PX03"], 0.95, String::from("The proxy wants a login before it passes the request on (407)."))
        }
        421 => (&["H109"], 0.93, format!("The server that answered is not responsible for {subject} (421).")),
        429 => (
            &["H106"],
            0.95,
            format!("{subject} limits how often this visitor may ask (429 too many requests)."),
        ),
        431 => (&["H116"], 0.93, format!("{subject} finds the headers of the request too large (431).")),
        451 => (&["FW21"], 0.9, format!("{subject} is not allowed to answer here for legal reasons (451).")),
        511 => (
            &["FW22"],
            0.95,
            String::from("This network wants a login before it lets traffic through (511)."),
        ),
        502 => (
            &["H102"],
            0.95,
            format!(
                "The front server of {subject} got no proper answer from the server behind it (502 bad gateway)."
            ),
        ),
        503 => (
            &["H103"],
            0.96,
            format!(
                "{subject} says that it is overloaded or down for maintenance (503 service unavailable)."
            ),
        ),
        504 => (
            &["H104"],
            0.95,
            format!(
                "The front server of {subject} waited for the server behind it and gave up (504 gateway timeout)."
            ),
        ),
        500 | 501 | 505..=510 => (
            &["H105"],
            0.93,
            format!("The program of {subject} failed while it worked on the request ({status})."),
        ),
        520..=599 => (&["H102", "H105"], 0.8, format!("{subject} or a server behind it failed ({status}).")),
        _ => (&["H101"], 0.93, format!("{subject} refuses the request ({status}).")),
    };
    let mut vote = Vote::broken(causes, confidence, summary)
        .cite(exchange, says)
        .rule_out("APP05", "the server did answer")
        .rule_out("TLS11", "names, connection and encryption all worked");
    match status {
        404 => vote = vote.user("check the address of the page"),
        403 => {
            vote = vote
                .probe(
                    "ask from another network: if it passes there, the site's protection refuses this one",
                    &["H101", "FW21"],
                )
                .user("log in, or ask the site's owner for access");
        }
        401 if exchange.bool("http.login") == Some(true) => {
            vote = vote.user("check the user name and the password");
        }
        407 => vote = vote.user("enter the proxy's user name and password"),
        429 => {
            vote = vote.user(match &later {
                Some(when) => format!("wait {when} s and ask less often"),
                None => String::from("wait and ask less often"),
            });
        }
        511 => vote = vote.user("open any plain page in a browser and log in to the network"),
        500..=599 => {
            vote = vote.user("nothing to repair here; try again later").service(match status {
                502 => "check that the server behind the front server runs and answers",
                503 => "check load and maintenance mode of the service",
                504 => "find out why the server behind the front server is slow",
                _ => "look at the program's log for this moment",
            });
        }
        _ => vote = vote.service("look at the server's log for this request"),
    }
    if let Some(retry) = retry {
        vote = vote.cite(exchange, retry);
    }
    if status == 504 {
        vote = vote.cite(exchange, format!("the answer took {}", ms(slow)));
    }
    vote
}

fn bad_coding(facts: &Facts<'_>, exchange: &Span) -> Vote {
    Vote::broken(
        &["H118"],
        0.93,
        format!("{} says that its answer is compressed, and it cannot be unpacked.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("H110", "the answer arrived as a whole")
    .rule_out("IP23", "damage on the way would have been found by TCP or TLS")
    .service("correct the header Content-Encoding, or compress once, at one place only: two programs in a row often do it twice")
    .user("nothing to repair here; tell the site's owner")
}

fn redirect_loop(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let last = exchange.text("http.location").map(|to| format!(", last to {to}")).unwrap_or_default();
    // http and https pointing at each other is the mark of a balancer that hides the encryption from the server.
    let schemes: Vec<bool> = facts
        .steps("exchange")
        .filter_map(|span| span.text("http.url"))
        .map(|url| url.starts_with("https:"))
        .collect();
    let alternates = schemes.len() > 2 && schemes.windows(2).all(|pair| pair[0] != pair[1]);
    let causes: &[&str] = if alternates { &["H107", "PX11"] } else { &["H107"] };
    Vote::broken(causes, 0.95, format!("{} sends every visitor in a circle of redirects.", facts.subject()))
        .cite(exchange, format!("the same address came up again{last}"))
        .rule_out("H108", "each redirect leads to a place that answers")
        .service(
            "correct the redirects: often http and https, or with and without \"www\", point at each other",
        )
        .user("delete this site's cookies once, then tell the site's owner")
}

fn closed(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let some = exchange.int("http.bytes").unwrap_or(0) > 0;
    if some {
        return truncated(facts, exchange);
    }
    Vote::broken(
        &["H112"],
        0.88,
        format!("{} took the request and closed the connection without an answer.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("TCP09", "the connection was closed in an orderly way, not reset")
    .rule_out("APP05", "the server did react")
    .service("look at the program's log: it ends the connection instead of answering")
    .user("try again once: a server that just restarts does this too")
}

fn reset(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let connection = facts.connection();
    let bytes = exchange.int("http.bytes").unwrap_or(0);
    let received = connection.and_then(|span| span.int("tcp.bytes_received")).unwrap_or(bytes);
    let encrypted = facts.steps("handshake").any(Span::is_ok);
    if bytes == 0 && received == 0 && !encrypted {
        if let Some(other) = facts.control("other_name") {
            return if other.is_ok() {
                filtered_words(facts, exchange, other)
            } else {
                dropped(facts, exchange, other)
            };
        }
        let rtt = facts.rtt().unwrap_or(0);
        if rtt > 0 && exchange.nanos() * 100 < rtt * 70 {
            return Vote::broken(
                &["TCP08"],
                0.88,
                format!("{} accepted the connection and cut it at once.", facts.subject()),
            )
            .cite(
                exchange,
                format!(
                    "the reset came after {}, sooner than any answer to the request could ({})",
                    ms(exchange.nanos()),
                    ms(rtt)
                ),
            )
            .rule_out("FW12", "the reset was sent before the request could be read")
            .service("look at the server's log: the program takes the connection and drops it");
        }
        return Vote::broken(
            &["TCP08", "FW12"],
            0.85,
            format!("The connection to {} was cut when the request was sent.", facts.subject()),
        )
        .cite(exchange, failure_text(exchange))
        .probe(
            "send a harmless request to the same address: if that is answered, something cuts by words",
            &["TCP08", "FW12"],
        )
        .service("look at the server's log for this moment");
    }
    let ttls = connection.and_then(|span| Some((span.int("tcp.reset_ttl")?, span.int("tcp.ttl")?)));
    if let Some((reset, ttl)) = ttls {
        let same = (reset - ttl).abs() <= crate::thresholds::TTL_SLACK;
        let (cause, summary) = if same {
            (
                "TCP09",
                format!("The server of {} cut the connection in the middle of the answer.", facts.subject()),
            )
        } else {
            (
                "FW09",
                format!(
                    "Somebody on the way cut the connection to {} in the server's name.",
                    facts.subject()
                ),
            )
        };
        let vote = Vote::broken(&[cause], 0.92, summary)
            .cite(exchange, format!("{}, after {bytes} bytes of the answer", failure_text(exchange)))
            .cite_if(
                connection,
                format!("the reset carries the hop count {reset}, the server's other packets {ttl}"),
            )
            .rule_out("IP19", "a reset is sent on purpose; loss only delays");
        return if same {
            vote.rule_out("FW09", "the reset came as far as the server's other packets")
                .service("look at the program's log: did it crash or give up at this moment?")
                .user("try again once")
        } else {
            vote.rule_out("TCP09", "the reset did not come from where the server's packets come from")
                .network("look for a firewall or filter that ends connections with forged resets")
                .user("try another network; tell the network's owner")
        };
    }
    Vote::broken(
        &["TCP09", "FW09"],
        0.88,
        format!("The connection to {} was cut in the middle of the answer.", facts.subject()),
    )
    .cite(exchange, format!("{}, after {bytes} bytes of the answer", failure_text(exchange)))
    .rule_out("IP19", "a reset is sent on purpose; loss only delays")
    .probe("compare the reset's hop count with that of the server's other packets", &["TCP09", "FW09"])
    .service("look at the program's log: did it crash or give up at this moment?")
    .user("try again once")
}

/// The same server answers who asks for another name: something on the way reads the request.
fn filtered_words(facts: &Facts<'_>, exchange: &Span, other: &Span) -> Vote {
    Vote::broken(
        &["FW12"],
        0.92,
        format!("A filter on the way reads the request for {} and cuts the connection.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .cite(other, "the same server answers at once who asks for another name")
    .rule_out("TCP08", "the server does not cut all connections")
    .network("say whether a filter blocks this site's name, and lift it if that is not wanted")
    .user("use https://, which hides the request, or another network")
}

fn dropped(facts: &Facts<'_>, exchange: &Span, other: &Span) -> Vote {
    Vote::broken(
        &["TCP08"],
        0.9,
        format!("The connection to {} was cut when the request was sent.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .cite(other, "who asks for another name is cut off as well")
    .rule_out("FW12", "it does not depend on the words of the request")
    .service("look at the server's log for this moment: its program takes connections and drops them")
}

fn truncated(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let chunked = exchange.bool("http.chunked");
    let encrypted = facts.steps("handshake").any(Span::is_ok);
    let causes: &[&str] = match chunked {
        None if encrypted && exchange.int("http.status").is_some() => &["TLS31"],
        Some(true) => &["H111"],
        Some(false) => &["H110"],
        None => &["H110", "H111"],
    };
    let vote = Vote::broken(
        causes,
        0.88,
        format!("The answer of {} ended before it was complete.", facts.subject()),
    )
    .cite(exchange, failure_text(exchange))
    .rule_out("TCP09", "the connection was closed in an orderly way, not reset")
    .service("look at the program's log: it ended the answer too early, or announced a wrong length")
    .user("try again once");
    match causes {
        [_, _, ..] => {
            vote.probe("look whether the answer announced a length or came in pieces (chunked)", causes)
        }
        _ => vote,
    }
}
