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
    let vote = match (status, exchange.code()) {
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
        _ => return Vec::new(),
    };
    vec![vote]
}

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
    let (causes, confidence, summary): (&[&str], f64, String) = match status {
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

fn truncated(facts: &Facts<'_>, exchange: &Span) -> Vote {
    let chunked = exchange.bool("http.chunked");
    let causes: &[&str] = match chunked {
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
