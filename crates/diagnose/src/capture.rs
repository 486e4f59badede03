//! What only somebody who reads packets can tell: who really sent a reset, that a window was shut, that a connection had
//! been forgotten while it was idle, that a server sent nothing although it was there.
//!
//! Everything here stands on values that a capture's reader leaves in the spans; a live probe leaves none of them, and
//! none of these rules speaks then.

use crate::facts::{Facts, ms, remote, times};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{Layer, Span};

/// A window that was shut for less is a program that was busy for a moment.
const SHUT_MIN: u64 = 1_000 * MS;
/// A server that has shown so long after the request that it has sent nothing is not about to.
const STILL_MIN: u64 = 1_000 * MS;
/// Fewer lost segments than this are an accident.
const LOST_MIN: i64 = 6;
/// Of a thousand segments, so many lost ones are what a queue that fills now and then loses.
const LOST_PER_MILLE_MIN: i64 = 5;
/// Variance by mean of the losses in stretches of a transfer: above, they come in clusters.
const CLUSTERED: f64 = 3.0;

/// A sender that finds out how much fits loses many packets once; a limit takes some all the time.
const LASTING_PERCENT: i64 = 25;
/// What fills a queue loses packets now and then, and not in every stretch.
const EVERYWHERE_PERCENT: i64 = 80;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let mut votes = Vec::new();
    votes.extend(forgotten(facts));
    votes.extend(rationed(facts));
    votes.extend(giants(facts));
    if facts.delivered().is_none() {
        votes.extend(refused_from_nearby(facts));
        votes.extend(queue_full(facts));
        if votes.is_empty() {
            votes.extend(cut(facts));
        }
        votes.extend(shut(facts).or_else(|| hangs(facts)));
        votes.extend(handshake(facts));
        votes.extend(forged(facts).or_else(|| names(facts)));
        votes.extend(plain_on_tls_port(facts));
        votes.extend(turned_away(facts));
        votes.extend(lost_to_death(facts));
    } else {
        votes.extend(forged(facts).map(Vote::only_disturbs));
        votes.extend(shut(facts).map(Vote::only_disturbs));
        votes.extend(outage(facts));
        votes.extend(loss(facts));
    }
    votes
}

/// A name server that answers some of the same questions and not the others.
fn rationed(facts: &Facts<'_>) -> Option<Vote> {
    let asked = facts.steps("rationed").next()?;
    let count = |key: &str| asked.int(key).unwrap_or(0);
    let server = asked
        .address("dns.server")
        .map_or_else(|| "The name server".to_owned(), |a| format!("The name server {a}"));
    // To be told to come back over TCP is what limits do to some, so that nobody real is shut out.
    let causes: &[&'static str] = if count("dns.cut") > 0 { &["DNS43"] } else { &["DNS43", "DNS11"] };
    let vote = Vote::disturbed(causes, 0.8, format!("{server} answers only some of the questions that are repeated: it limits them, or has too much to do."))
        .cost(1_000 * MS)
        .explains(&["DNS38", "DNS45", "DNS18", "DNS11"])
        .cite(asked, format!("of {} times the same question {} got no answer at all, {} only a cut one", count("dns.asked"), count("dns.silent"), count("dns.cut")))
        .rule_out("DNS02", "it answers others of the same questions")
        .network("raise the limit on repeated answers (RRL) for this client, or look at the name server's load")
        .user("ask less often, and keep answers as long as they may be kept");
    Some(if causes.len() > 1 {
        vote.probe("ask once in ten seconds: answers to all of them mean a limit, silence now and then an overloaded server", causes)
    } else {
        vote
    })
}

/// How many routers a packet passed, if it began with one of the usual lives.
fn hops(ttl: i64) -> i64 {
    [64, 128, 255].into_iter().find(|start| ttl <= *start).unwrap_or(255) - ttl
}

/// Whether a reset was sent by somebody else than the host in whose name it came: nearer, or with another first life.
fn is_foreign(span: &Span) -> Option<bool> {
    let (reset, peer) = (span.int("tcp.reset_ttl")?, span.int("tcp.peer_ttl")?);
    Some(reset != peer)
}

fn ttl_says(span: &Span) -> String {
    let value = |key| span.int(key).unwrap_or(0);
    format!(
        "the reset came with hop count {}, the server's other packets with {}",
        value("tcp.reset_ttl"),
        value("tcp.peer_ttl")
    )
}

fn refused_from_nearby(facts: &Facts<'_>) -> Option<Vote> {
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

/// A port that takes connections, and then none any more while the earlier one lives.
fn queue_full(facts: &Facts<'_>) -> Option<Vote> {
    let made = facts.connected()?;
    let silent = facts.connects().find(|span| {
        span.failed_with("tcp.timeout")
            && span.start > made.start
            && span.value("tcp.remote") == made.value("tcp.remote")
    })?;
    // What was made after it shows that the port is well again.
    if facts.connects().any(|span| span.is_ok() && span.start > silent.start) {
        return None;
    }
    let to = remote(silent);
    Some(
        Vote::broken(
            &["TCP03", "FW01"],
            0.85,
            format!("{to} takes no new connections, although an earlier one was made: its queue of waiting connections is full, or a firewall limits them."),
        )
        .explains(&["FW01", "TCP03", "IP05"])
        .cite(silent, format!("asked {}, it never answered", times(silent.int("tcp.syn_retransmissions").unwrap_or(0) + 1)))
        .cite(made, "before that, the same port had taken a connection")
        .rule_out("IP05", "packets to the same address have arrived and were answered")
        .rule_out("TCP06", "the server was up a moment before")
        .probe("try again for some minutes: a full queue lets one through now and then", &["TCP03", "FW01"])
        .service("look why the program does not take waiting connections, and how long its queue may be (backlog)"),
    )
}

/// Resets in the middle of something, by their hop count.
fn cut(facts: &Facts<'_>) -> Option<Vote> {
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

/// A connection that was left alone for a while, and was dead when it was wanted again.
fn forgotten(facts: &Facts<'_>) -> Option<Vote> {
    let aged = facts.steps("connection").find(|span| span.text("tcp.after_idle").is_some())?;
    let idle = ms(aged.nanos_of("tcp.idle").unwrap_or(0));
    let subject = facts.subject();
    let resets = aged.text("tcp.after_idle") == Some("reset");
    let begun = aged.start + aged.nanos_of("tcp.idle").unwrap_or(0);
    let later = facts
        .connects()
        .find(|span| span.is_ok() && span.start > begun)
        .or_else(|| facts.control("new_connection").filter(|span| span.is_ok()));
    let gone = facts.control("new_connection").filter(|span| span.failed_with("tcp.timeout"));
    let foreign = is_foreign(aged);
    let causes: &[&'static str] = match (resets, foreign, later) {
        (false, _, None) if gone.is_some() => &["TCP11"],
        (true, Some(true), _) => &["FW06"],
        (true, Some(false), _) => &["TCP10"],
        (true, None, _) => &["TCP10", "FW06"],
        (false, _, Some(_)) => &["FW05"],
        (false, _, None) => &["FW05", "TCP11"],
    };
    let what = if resets {
        "the first packet after the pause was answered with a reset"
    } else {
        "what was sent after the pause was never answered, however often it was sent again"
    };
    let mut vote = Vote::broken(
        causes,
        0.87,
        match causes {
            ["TCP10"] => format!("{subject} no longer knew the connection when it was used again: its machine or program had been restarted."),
            ["TCP11"] => format!("{subject} has vanished: the connection worked, {idle} later neither it nor a new one is answered."),
            ["FW06" | "FW05"] => format!("Something on the way had forgotten the connection to {subject} when it was used again after {idle} of silence."),
            _ => format!("The connection to {subject} was dead when it was used again after {idle} of silence."),
        },
    )
    .explains(&["IP10", "TCP11", "FW12", "TCP08", "TCP09", "FW09", "IP09", "APP05", "H112"])
    .cite(aged, format!("the connection had worked, was idle for {idle}, and then {what}"))
    .rule_out("IP10", "large and small packets had passed on the same connection before")
    .rule_out("FW01", "the port had taken the connection");
    vote = match gone.filter(|_| causes == ["TCP11"]) {
        Some(gone) => vote
            .cite(gone, "a new connection is not answered either")
            .rule_out("FW05", "a device that had only forgotten the connection would let a new one through")
            .network("look whether a link or a router on the way failed in the meantime")
            .service("look whether the server's machine is still running and connected")
            .user("try again in a while; it worked before"),
        None => vote
            .network("look for a NAT or firewall that forgets idle connections too early (RFC 5382 asks for two hours)")
            .user("turn on keep-alive in the program, with an interval shorter than the pause")
            .service("close idle connections in order before devices on the way forget them"),
    };
    if foreign.is_some() && resets {
        vote = vote.cite(aged, ttl_says(aged));
    }
    if let Some(later) = later.filter(|_| !resets) {
        vote = vote.cite(later, "a new connection works at once").rule_out("TCP11", "the server is there");
    }
    if causes.len() > 1 {
        vote = vote.probe(
            "open a new connection: if it works at once, the old one was forgotten on the way",
            causes,
        );
    }
    Some(if facts.delivered().is_some() { vote.only_disturbs().cost(1_000 * MS) } else { vote })
}

/// A receiver that took nothing for a while.
fn shut(facts: &Facts<'_>) -> Option<Vote> {
    let connection = facts.steps("connection").max_by_key(|span| {
        span.nanos_of("tcp.peer_shut").unwrap_or(0).max(span.nanos_of("tcp.own_shut").unwrap_or(0))
    })?;
    let (peer, own) =
        (connection.nanos_of("tcp.peer_shut").unwrap_or(0), connection.nanos_of("tcp.own_shut").unwrap_or(0));
    let often = connection.nanos_of("tcp.shut_often").unwrap_or(0);
    if peer.max(own) < SHUT_MIN && (often < SHUT_MIN || often * 3 < connection.nanos()) {
        return None;
    }
    let subject = facts.subject();
    let (cause, summary, who): (&'static str, String, &str) = if peer >= own {
        (
            "TCP12",
            format!("{subject} does not read what it is sent: its receive window was shut for {}.", ms(peer)),
            "the server",
        )
    } else {
        (
            "APP08",
            format!(
                "The visitor of {subject} does not read the answer as fast as it comes: its own window was shut for {}.",
                ms(own)
            ),
            "the visitor's machine",
        )
    };
    let vote = Vote::broken(&[cause], 0.92, summary)
        .explains(&["IP09", "APP05", "IP10", "TCP11", "APP06", "TCP12", "APP01"])
        .cost(peer.max(own))
        .cite(
            connection,
            format!("{who} announced a window of 0 bytes, for {} at a stretch", ms(peer.max(own))),
        )
        .rule_out("IP19", "the receiver itself says that it takes nothing now; nothing was lost")
        .rule_out("APP05", "the machine answers each probe; it is its program that does not read");
    Some(if peer >= own {
        vote.service("look why the server's program does not read: it is busy, or waits for something else")
    } else {
        vote.user("look why the program here does not read: a slow disk, a limit, or it is busy")
    })
}

/// Nothing came, and what the server did send later shows that nothing had been on the way.
fn hangs(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.own.iter().copied().rfind(|span| {
        ["http.timeout", "http.stalled", "tls.timeout"].iter().any(|code| span.failed_with(code))
    })?;
    let connection = facts.connection()?;
    let still = connection.nanos_of("tcp.peer_still").filter(|still| *still >= STILL_MIN)?;
    let unheard = connection.int("tcp.bytes_acked") == Some(0) && connection.int("tcp.uncaptured") == Some(0);
    // What the server's machine sends again and again was said, and did not arrive.
    let lost = connection.int("tcp.peer_unheard").unwrap_or(0) > 0;
    if connection.int("tcp.gap_bytes").unwrap_or(0) > 0 || unheard || lost || told(failed).is_some() {
        return None;
    }
    let subject = facts.subject();
    if failed.bool("http.silent") == Some(true) && failed.failed_with("http.timeout") {
        return Some(
            Vote::broken(
                &["H206"],
                0.9,
                format!("{subject} agreed to speak HTTP/2 and then never said a word of it."),
            )
            .explains(&["IP09", "APP05", "IP11", "TCP11"])
            .cite(
                failed,
                format!(
                    "not even the settings that open an HTTP/2 connection came within {}",
                    ms(failed.nanos())
                ),
            )
            .cite(
                connection,
                "what was sent was acknowledged, and nothing is missing below the server's sequence number",
            )
            .rule_out("APP05", "a program that only hangs over a page still opens the connection")
            .rule_out("IP09", "nothing is missing below the server's sequence number, so nothing was lost")
            .service("check the server's HTTP/2 module, or turn HTTP/2 off")
            .user("as a stopgap, use HTTP/1.1 (--http 1.1)"),
        );
    }
    let (cause, summary): (&'static str, String) =
        match (failed.what == "handshake", failed.failed_with("http.stalled")) {
            (true, _) => (
                "TLS23",
                format!("{subject} took the connection and did not go on with the encryption handshake."),
            ),
            (false, true) => (
                "APP05",
                format!("{subject} began to answer and then sent no more: the server's program hangs."),
            ),
            (false, false) => (
                "APP05",
                format!("{subject} took the request and never answered: the server's program hangs."),
            ),
        };
    Some(
        Vote::broken(&[cause], 0.9, summary)
            .explains(&["IP09", "APP05", "TLS23", "IP11", "TCP11"])
            .cite(failed, format!("nothing more came for {}", ms(failed.nanos())))
            .cite(connection, format!("{} later the server's machine acknowledged something, and by its sequence number it had sent nothing since", ms(still)))
            .rule_out("IP09", "nothing is missing below the server's sequence number, so nothing was lost")
            .rule_out("TCP11", "the server's machine still acknowledges what it is sent")
            .service("look at the server's program: it took the request and does not answer")
            .user("nothing to repair here; try again later"),
    )
}

/// The error that somebody on the way told of a packet of this exchange, by its stable word.
pub(crate) fn told(failed: &Span) -> Option<&str> {
    failed.text("icmp.outcome")
}

/// Whatever is larger than usual frames never came, though both ends announce that they take it, and no router is between
/// them that could have said so.
fn giants(facts: &Facts<'_>) -> Option<Vote> {
    let connection = facts.steps("connection").max_by_key(|span| span.int("tcp.lost"))?;
    let (mss, longest) = (connection.int("tcp.mss")?, connection.int("tcp.longest_received")?);
    let received = connection.int("tcp.bytes_received").unwrap_or(0);
    let troubled = connection.int("tcp.lost").unwrap_or(0) + connection.int("tcp.gap_bytes").unwrap_or(0) > 0;
    let stalled = facts.own.iter().any(|span| {
        ["http.timeout", "http.stalled", "tls.timeout"].iter().any(|code| span.failed_with(code))
    });
    let whole = connection.int("tcp.uncaptured") == Some(0);
    // Who has more to send than one large segment holds sends one.
    let small_only = mss > USUAL && longest <= USUAL && received > mss;
    if !small_only || !whole || !(troubled || stalled) || connection.bool("tcp.beside") != Some(true) {
        return None;
    }
    let subject = facts.subject();
    let vote = Vote::broken(
        &["IP15"],
        0.88,
        format!("This machine and {subject} agree on giant frames, and what is between them loses whatever is larger than usual."),
    )
    .explains(&["APP05", "IP09", "IP10", "IP11", "IP17", "IP19", "IP20", "IP21", "TCP11", "TCP18", "TLS23", "APP06"])
    .cite(connection, format!("both announced segments of {mss} bytes; of {received} bytes none came in a segment of more than {longest}"))
    .rule_out("IP09", "the server's packets passed no router that could have said \"packet too big\"")
    .rule_out("APP05", "the server did send: what it sent in large segments is missing or was sent again in small ones")
    .rule_out("IP19", "chance does not choose by size: nothing large came at all")
    .network("let every device of this network take jumbo frames, or none: the same MTU everywhere")
    .user("as a stopgap, set the MTU of this machine's network interface to 1500");
    Some(if facts.delivered().is_some() { vote.only_disturbs().cost(1_000 * MS) } else { vote })
}

/// What usual Ethernet frames hold of TCP (1500 octets of IP).
const USUAL: i64 = 1_460;

/// Handshakes, by messages that stand in the clear.
fn handshake(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.handshakes(Layer::Tls).filter(|span| span.code().is_some()).last()?;
    let subject = facts.subject();
    if failed.failed_with("tls.alert.handshake_failure")
        || failed.failed_with("tls.alert.insufficient_security")
    {
        let (cause, summary, says): (&'static str, String, &str) =
            match (failed.bool("tls.server_hello")?, failed.bool("tls.certificate_requested")?) {
                (_, true) => (
                    "TLS18",
                    format!("{subject} wants the visitor to show a certificate, and none was shown."),
                    "the server asked for a certificate and ended the handshake when none came",
                ),
                (false, false) => (
                    "TLS04",
                    format!("{subject} and the visitor have no encryption method in common."),
                    "the server ended the handshake right after the visitor's offer, without one of its own",
                ),
                _ => return None,
            };
        return Some(
            Vote::broken(&[cause], 0.93, summary)
                .explains(&["TLS04", "TLS18"])
                .cite(failed, says)
                .rule_out("TCP01", "the connection was made")
                .rule_out("TLS03", "an old version has an alert of its own")
                .service(if cause == "TLS18" {
                    "hand out client certificates, or stop asking for them"
                } else {
                    "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)"
                })
                .user(if cause == "TLS18" {
                    "choose a client certificate, if you have one"
                } else {
                    "update this machine's software"
                }),
        );
    }
    if failed.failed_with("tls.rejected") && failed.int("tls.client_alert") == Some(48) {
        let causes: &[&'static str] = &["TLS11", "TLS10", "TLS12", "TLS15"];
        return Some(
            Vote::broken(
                causes,
                0.88,
                format!("The visitor does not know who vouches for the certificate of {subject}."),
            )
            .explains(&["TLS07", "TLS11"])
            .cite(failed, "the visitor ended the handshake with the alert \"unknown ca\"")
            .rule_out("TLS07", "the alert names the authority, not the dates")
            .rule_out("TLS09", "the alert names the authority, not the name")
            .probe(
                "capture once more with the visitor's key log (SSLKEYLOGFILE), which opens the certificates",
                causes,
            )
            .service("send the intermediate certificates along, of an authority that visitors know")
            .user("trust a private authority only if its owner gave it to you in person"),
        );
    }
    None
}

/// One question, two answers that have nothing in common: somebody on the way answered before the name server could.
fn forged(facts: &Facts<'_>) -> Option<Vote> {
    let query = facts.steps("dns.query").find(|span| span.value("dns.second_answer").is_some())?;
    let name = facts.host();
    let server = query.address("dns.server").map_or_else(|| "the name server".to_owned(), |a| a.to_string());
    Some(
        Vote::broken(
            &["DNS13"],
            0.92,
            format!("Somebody on the way forges answers about {name}: two came to one question, and they contradict each other."),
        )
        .explains(&["IP04", "LNK05", "FW01", "IP05", "TCP01", "TCP03", "TCP06", "IP07", "FW02", "FW03", "DNS05", "TLS09", "TLS10", "TLS11", "TLS15"])
        .cite(query, format!("asked once, {server} seems to have answered twice, with different addresses; a server answers once"))
        .rule_out("DNS21", "both answers came to the same question, within moments")
        .network("look for a device on the way that answers questions about names it wants to hide")
        .user("have names looked up where nobody on the way can join in: over TLS or HTTPS"),
    )
}

/// Lookups, by answers that were there and could not be used.
fn names(facts: &Facts<'_>) -> Option<Vote> {
    let query = |code: &str| {
        facts.own.iter().copied().find(|span| span.what == "dns.query" && span.failed_with(code))
    };
    let name = facts.host();
    if facts.steps("resolve").any(Span::is_ok) {
        return None;
    }
    if let Some(cut) = query("dns.truncated") {
        return Some(
            Vote::broken(&["DNS04"], 0.92, format!("The answer about {name} does not fit into one packet, and the name server cannot be reached over TCP."))
                .explains(&["DNS02", "DNS03", "IP05", "DNS06"])
                .cite(cut, "the answer over UDP was cut short on purpose (TC), which means: ask again over TCP; that was never answered")
                .rule_out("DNS02", "the name server answers over UDP")
                .rule_out("DNS06", "the answer is not empty but cut")
                .network("let TCP connections to port 53 of the name server through")
                .user("ask another name server"),
        );
    }
    if let Some((foreign, from)) =
        query("dns.wrong_id").and_then(|query| Some((query, query.text("dns.stray_from")?)))
    {
        return Some(
            Vote::broken(&["DNS15"], 0.9, format!("Answers about {name} come from somebody who was not asked, so they are thrown away."))
                .explains(&["DNS02", "DNS03", "IP05"])
                .cite(foreign, format!("the question went to the name server, and an answer came from {from}"))
                .rule_out("DNS02", "there are answers, only from the wrong address or port")
                .network("have the name server answer from the address and port that it was asked at; look for a translation of addresses on the way that changes only one direction")
                .user("ask another name server"),
        );
    }
    if let Some(foreign) = query("dns.wrong_id") {
        return Some(
            Vote::broken(&["DNS15"], 0.9, format!("Answers about {name} come, but with a number or to a question that nobody asked with, so they are thrown away."))
                .explains(&["DNS02", "DNS03", "IP05"])
                .cite(foreign, "each answer carries another number (ID) than the question, or is about something else")
                .rule_out("DNS02", "the name server does answer")
                .network("look for a device that answers or alters questions on the way, and repair the name server")
                .user("ask another name server"),
        );
    }
    None
}

/// The server says that encryption is wanted on this port, in plain HTTP.
fn plain_on_tls_port(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").filter(|span| span.int("http.status") == Some(400)).last()?;
    let port = exchange.socket("tcp.remote")?.port();
    let plain = exchange.text("http.url").is_some_and(|url| url.starts_with("http:"));
    if !plain || !matches!(port, 443 | 8443) {
        return None;
    }
    Some(
        Vote::broken(
            &["TLS02"],
            0.9,
            format!("{} wants encryption on this port, and was spoken to without.", facts.subject()),
        )
        .explains(&["H101"])
        .cite(exchange, format!("a plain request to port {port} was answered with status 400"))
        .rule_out("TCP01", "the server is there and answers")
        .user("write https:// instead of http://"),
    )
}

/// In TLS 1.3 the server says after the handshake that it wanted a certificate, and its words are encrypted.
fn turned_away(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.steps("exchange").filter(|span| span.failed_with("http.turned_away")).last()?;
    let causes: &[&'static str] = &["TLS18", "H112"];
    Some(
        Vote::broken(causes, 0.75, format!("{} ended the connection without an answer, in words that are encrypted.", facts.subject()))
            .cite(failed, "right after the request the server sent a short encrypted alert and closed")
            .rule_out("TCP09", "the server said goodbye before the connection was reset")
            .probe("capture once more with the visitor's key log (SSLKEYLOGFILE): the alert \"certificate required\" names the cause", causes)
            .service("say whether visitors need a certificate; if not, look at the program's log"),
    )
}

/// What a capture counts of losses: how many, of how many segments, and whether they come in clusters.
struct Losses<'a> {
    connection: &'a Span,
    lost: i64,
    segments: i64,
    rounds: i64,
    clustered: bool,
    /// They go on through the whole transfer.
    lasting: bool,
    /// Hardly any stretch of the transfer is without one.
    everywhere: bool,
    calm: bool,
}

fn losses<'a>(facts: &Facts<'a>) -> Option<Losses<'a>> {
    let connection = facts.steps("connection").max_by_key(|span| span.int("tcp.lost"))?;
    let lost = connection.int("tcp.lost")?;
    let (least, most) = (connection.nanos_of("tcp.rtt_min"), connection.nanos_of("tcp.rtt_max"));
    let spread = connection.int("tcp.loss_spread_percent").map_or(1.0, |percent| percent as f64 / 100.0);
    Some(Losses {
        connection,
        lost,
        segments: connection.int("tcp.data_segments").unwrap_or(0).max(1),
        rounds: connection.int("tcp.holes").unwrap_or(0),
        clustered: spread >= CLUSTERED,
        everywhere: connection.int("tcp.loss_touches_percent").unwrap_or(0) >= EVERYWHERE_PERCENT,
        lasting: connection.int("tcp.loss_touches_percent").unwrap_or(0) >= LASTING_PERCENT,
        calm: matches!((least, most), (Some(least), Some(most)) if most < least.saturating_mul(3) / 2 + 5 * MS),
    })
}

/// So much was lost that the request came to a standstill.
fn lost_to_death(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts
        .own
        .iter()
        .copied()
        .rfind(|span| ["http.timeout", "http.stalled"].iter().any(|code| span.failed_with(code)))?;
    let seen = losses(facts)?;
    if seen.lost < 2 * LOST_MIN || seen.rounds < LOST_MIN || seen.lost * 20 < seen.segments {
        return None;
    }
    Some(
        Vote::broken(
            &["IP19"],
            0.8,
            format!("The way to {} loses so much that the request came to a standstill.", facts.subject()),
        )
        .explains(&["IP09", "APP05", "IP10", "TCP11", "IP05"])
        .cite(failed, format!("it was not done after {}", ms(failed.nanos())))
        .cite(
            seen.connection,
            format!(
                "{} of {} packets with data had to be sent again, again and again",
                seen.lost, seen.segments
            ),
        )
        .rule_out("IP09", "large packets passed, now and then")
        .network("check the link where the loss begins: cable, radio, errors on its interfaces"),
    )
}

/// Losses that go on while nothing waits in a queue. Any sender makes some where a queue is full: those come after the
/// round trips have grown.
fn loss(facts: &Facts<'_>) -> Option<Vote> {
    let seen = losses(facts)?;
    let enough = seen.lost >= LOST_MIN && seen.lost * 1000 >= seen.segments * LOST_PER_MILLE_MIN;
    if !enough || seen.rounds < 3 || facts.pings("idle").next().is_some() {
        return None;
    }
    let heavy = seen.lost * 50 >= seen.segments;
    let causes: &[&'static str] = match (seen.clustered, seen.calm, heavy) {
        (false, true, _) => &["IP19"],
        // Where round trips grow, a full queue loses some, too: only more than any sender makes one lose is the way's.
        (false, false, _) if seen.lost * 20 >= seen.segments => &["IP19"],
        (false, false, _) if seen.everywhere && seen.lost * 30 >= seen.segments => &["IP19"],
        (true, true, true) if seen.lasting => &["IP17", "IP19"],
        _ => return None,
    };
    let subject = facts.subject();
    let says = format!(
        "{} of {} packets with data had to be sent again, {}",
        seen.lost,
        seen.segments,
        if seen.clustered { "many at a time" } else { "spread evenly over the transfer" }
    );
    let mut vote = Vote::disturbed(
        causes,
        0.82,
        if seen.clustered {
            format!("{subject} works, but packets are lost as soon as much is sent.")
        } else {
            format!("{subject} works, but packets are lost on the way.")
        },
    )
    .cost(facts.rtt().unwrap_or(50 * MS).saturating_mul(u64::try_from(seen.lost).unwrap_or(0)))
    .explains(&["TCP07", "TCP18", "DNS11", "IP17", "IP19", "IP21"])
    .cite(seen.connection, says)
    .network(
        "check the link where the loss begins: cable, radio, errors on its interfaces, limits on the rate",
    );
    if seen.calm {
        vote = vote.rule_out("IP18", "round trips did not grow, so nothing waited in a queue");
    }
    if causes.len() > 1 {
        vote = vote.probe("download at several speeds: a limit loses packets only above one rate", causes);
    } else {
        vote = vote
            .rule_out("IP17", "a limit on the rate takes many packets at a time; these are lost one by one");
    }
    Some(vote)
}

/// Nearly all that is missing was lost in one piece, beside a long silence: all that was on the way when it died.
fn swallowed(facts: &Facts<'_>) -> Option<Vote> {
    let seen = losses(facts).filter(|seen| seen.lost >= LOST_MIN)?;
    let widest = seen.connection.int("tcp.widest_hole_percent")?;
    let pause = facts.steps("exchange").filter_map(|span| span.nanos_of("http.longest_pause")).max()?;
    if widest < ONE_PIECE_PERCENT || pause < SHUT_MIN.max(8 * facts.rtt().unwrap_or(0)) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP20"],
            0.85,
            format!(
                "{} works, but the way was dead for a while: for {} nothing came through.",
                facts.subject(),
                ms(pause)
            ),
        )
        .cost(pause)
        .explains(&["TCP18", "IP19", "IP17", "TCP07"])
        .cite(
            seen.connection,
            format!(
                "{} packets were lost, {widest} % of their bytes in one piece, and for {} nothing came",
                seen.lost,
                ms(pause)
            ),
        )
        .rule_out("IP19", "losses by chance are spread over the whole transfer; these follow one another")
        .rule_out(
            "IP17",
            "a limit on the rate loses packets all the time; before and after this silence all is well",
        )
        .rule_out("APP13", "a program that pauses loses nothing")
        .network("look for a link that went down and came back, or a route that changed, at this time"),
    )
}

/// So much of what is missing, in one piece, was lost at one time.
const ONE_PIECE_PERCENT: i64 = 60;

/// A stream that stood still, and began again as a sender does whose timer has run out: with one packet.
fn outage(facts: &Facts<'_>) -> Option<Vote> {
    if let Some(vote) = swallowed(facts) {
        return Some(vote);
    }
    let connection = facts.steps("connection").find(|span| span.nanos_of("tcp.outage").is_some())?;
    let silent = connection.nanos_of("tcp.outage")?;
    let rtt = facts.rtt().unwrap_or(0);
    // A sender that is told to wait sends one packet now and then to see whether it may go on.
    let shut = connection
        .nanos_of("tcp.own_shut")
        .unwrap_or(0)
        .max(connection.nanos_of("tcp.peer_shut").unwrap_or(0));
    if shut >= silent / 2 {
        return None;
    }
    if silent < SHUT_MIN.max(8 * rtt) || losses(facts).is_some_and(|seen| seen.lost * 20 >= seen.segments) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP20"],
            0.8,
            format!("{} works, but the way was dead for a while: for {} nothing came through.", facts.subject(), ms(silent)),
        )
        .cost(silent)
        .explains(&["TCP18", "IP19", "IP17", "TCP07"])
        .cite(connection, format!("in the middle of the answer nothing came for {}; then it went on with a single packet, as after a timer that ran out", ms(silent)))
        .rule_out("APP13", "a program that pauses goes on with as much as the window allows")
        .network("look for a link that went down and came back, or a route that changed, at this time"),
    )
}
