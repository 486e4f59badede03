//! A step that took far longer than the way accounts for.

use crate::facts::{Facts, ms, remote, times};
use crate::thresholds::{LONG_POLL, LOST_PINGS_MIN, MS, SLOW_HANDSHAKE, SLOW_LOOKUP, SYN_RETRY, THINK_TIME};
use crate::vote::Vote;
use thru_trace::{Layer, Span};

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let mut votes = Vec::new();
    votes.extend(lookup(facts));
    votes.extend(connect(facts));
    votes.extend(handshake(facts));
    votes.extend(think(facts));
    votes.extend(super::transfer::rule(facts));
    votes
}

pub(super) fn lookup(facts: &Facts<'_>) -> Option<Vote> {
    let resolve = facts.steps("resolve").filter(|span| span.is_ok()).max_by_key(|span| span.nanos())?;
    let took = resolve.nanos();
    if took < SLOW_LOOKUP {
        return None;
    }
    let queries: Vec<&Span> =
        facts.steps("dns.query").filter(|span| span.parent == Some(resolve.id)).collect();
    let name = resolve.text("dns.name").unwrap_or(&resolve.label).trim_end_matches('.');
    let silent = queries.iter().copied().find(|span| span.failed_with("dns.timeout"));
    let answered = queries.iter().copied().find(|span| span.is_ok());
    if let Some(vote) = slow_authority(facts, resolve, name) {
        return Some(vote);
    }
    if let (Some(silent), Some(answered)) = (silent, answered) {
        let same = silent.value("dns.server") == answered.value("dns.server");
        return Some(if same {
            Vote::disturbed(
                &["DNS38"],
                0.85,
                format!(
                    "{} works, but one of two questions about its name was never answered, which cost {}.",
                    facts.subject(),
                    ms(took)
                ),
            )
            .cost(took)
            .cite(
                silent,
                format!("the question of type {} got no answer", silent.text("dns.type").unwrap_or("AAAA")),
            )
            .cite(
                answered,
                format!(
                    "the question of type {} was answered by the same server",
                    answered.text("dns.type").unwrap_or("A")
                ),
            )
            .rule_out("DNS02", "the same server answers other questions")
            .network("repair the name server or the device before it: it drops questions for IPv6 addresses")
        } else {
            // Asked once, it may have been one lost packet; two questions are not lost at the same time.
            let asked: i64 = queries
                .iter()
                .filter(|span| {
                    span.failed_with("dns.timeout") && span.value("dns.server") == silent.value("dns.server")
                })
                .map(|span| span.int("dns.tries").unwrap_or(1))
                .sum();
            let once = asked <= 1;
            let causes: &[&str] = if once { &["DNS02", "IP19"] } else { &["DNS02"] };
            let vote = Vote::disturbed(
                causes,
                0.85,
                format!(
                    "{} works, but the first name server did not answer, which cost {}.",
                    facts.subject(),
                    ms(took)
                ),
            )
            .cost(took)
            .cite(
                silent,
                format!(
                    "this name server did not answer, asked {}",
                    times(silent.int("dns.tries").unwrap_or(1))
                ),
            )
            .cite(answered, "the next one did")
            .network("repair the first name server, or hand out another one")
            .user("if it stays silent, take it out of the network settings");
            if once {
                vote.probe(
                    "ask the silent name server again: an answer means that one packet was lost",
                    causes,
                )
            } else {
                vote
            }
        });
    }
    if let Some(retried) = queries.iter().copied().find(|span| span.int("dns.tries").unwrap_or(1) > 1) {
        return Some(
            Vote::disturbed(
                &["IP19", "DNS11"],
                0.8,
                format!("{} works, but its name had to be asked for again, which cost {}.", facts.subject(), ms(took)),
            )
            .cost(took)
            .cite(retried, format!("asked {} until an answer came", times(retried.int("dns.tries").unwrap_or(2))))
            .probe("ping the name server a hundred times: lost pings mean a lossy way, none means the server drops questions", &[
                "IP19", "DNS11",
            ])
            .network("check the name server and the way to it"),
        );
    }
    Some(
        Vote::disturbed(
            &["DNS45", "DNS18"],
            0.85,
            format!("{} works, but finding its address took {}.", facts.subject(), ms(took)),
        )
        .cost(took)
        .cite(
            queries.iter().copied().max_by_key(|span| span.nanos()).unwrap_or(resolve),
            format!("the lookup of {name} took {}", ms(took)),
        )
        .rule_out("DNS02", "the name server answered the first question, only late")
        .probe(
            "look the name up again: quick means the name's own servers are slow, then ask each of them",
            &["DNS45", "DNS18"],
        )
        .service("check that all servers of the name answer quickly"),
    )
}

/// From the cache the same name comes at once, and a name of its zone that is in no cache is slow again: it is the
/// zone's own servers. One lost packet would not come back at will.
fn slow_authority(facts: &Facts<'_>, resolve: &Span, name: &str) -> Option<Vote> {
    let repeated = facts.control("repeated")?;
    let (cached, fresh) = (repeated.nanos_of("repeated.cached")?, repeated.nanos_of("repeated.fresh")?);
    // On a way that loses packets either of the two may have waited for a repetition.
    if facts.lost_pings().is_some_and(|(_, lost, _)| lost >= LOST_PINGS_MIN) {
        return None;
    }
    if cached >= SLOW_LOOKUP / 2 || fresh < SLOW_LOOKUP / 2 {
        return None;
    }
    Some(
        Vote::disturbed(
            &["DNS45"],
            0.9,
            format!(
                "{} works, but finding its address took {}, because the name's own servers answer slowly.",
                facts.subject(),
                ms(resolve.nanos())
            ),
        )
        .cost(resolve.nanos())
        .explains(&["DNS02", "IP19", "DNS11"])
        .cite(resolve, format!("the first lookup of {name} took {}", ms(resolve.nanos())))
        .cite(
            repeated,
            format!(
                "asked again it took {}, out of the name server's memory; another name of the same zone took {}",
                ms(cached),
                ms(fresh)
            ),
        )
        .rule_out("DNS02", "the name server answers at once what it knows")
        .rule_out("IP19", "it is slow again whenever the name's own servers must be asked")
        .service("check that all name servers of the zone answer quickly, and are not far away from everybody"),
    )
}

/// A first packet with data (TCP Fast Open) was not answered, one without was.
fn eager(facts: &Facts<'_>, connect: &Span) -> Vote {
    let causes = &["TCP22", "TCP07"];
    Vote::disturbed(
        causes,
        0.85,
        format!(
            "{} works, but connections whose first packet carries data (TCP Fast Open) are dropped on the way, which cost {}.",
            facts.subject(),
            ms(connect.nanos())
        ),
    )
    .cost(connect.nanos())
    .explains(&["IP19", "TCP03"])
    .cite(connect, format!("{} did not answer the first packet with data, and at once the next one without", remote(connect)))
    .rule_out("APP01", "the wait was before the connection, not before the answer")
    .probe("connect several times with and without Fast Open: chance does not choose", causes)
    .network("look for a firewall that drops first packets with data (RFC 7413), and update it")
    .user("as a stopgap, turn TCP Fast Open off on this machine (net.ipv4.tcp_fastopen = 0)")
}

fn connect(facts: &Facts<'_>) -> Option<Vote> {
    let connect = facts
        .connects()
        .filter(|span| span.is_ok() && span.int("tcp.syn_retransmissions").unwrap_or(0) > 0)
        .max_by_key(|span| span.nanos())?;
    if connect.nanos() < SYN_RETRY {
        return None;
    }
    let retries = connect.int("tcp.syn_retransmissions").unwrap_or(1);
    if connect.bool("tcp.eager_unheard") == Some(true) {
        return Some(eager(facts, connect));
    }
    Some(
        Vote::disturbed(
            &["TCP07"],
            0.9,
            format!(
                "{} works, but the first packet of the connection was lost, which cost {}.",
                facts.subject(),
                ms(connect.nanos())
            ),
        )
        .cost(connect.nanos())
        .cite(
            connect,
            format!(
                "{} answered only after the first packet was sent again, {}",
                remote(connect),
                times(retries)
            ),
        )
        .rule_out("APP01", "the wait was before the connection, not before the answer")
        .probe(
            "connect several times: loss comes and goes, a full queue at the server shows under load",
            &["TCP03", "IP19"],
        )
        .service("if it comes back often, check whether the server's queue of new connections is full")
        .user("try again; if it comes back often, the way loses packets"),
    )
}

/// What a server may send before anything is acknowledged (RFC 6928): ten segments.
const FIRST_FLIGHT: i64 = 10;
/// A round trip shorter than this may be wasted without anybody noticing.
const FELT: u64 = 100 * MS;

/// The certificates did not fit into what the server may send at once, so it had to wait a round trip in the middle.
fn long_flight(facts: &Facts<'_>, rtt: u64) -> Option<Vote> {
    let connection = facts.connection()?;
    let handshake = facts.handshakes(Layer::Tls).find(|span| span.is_ok())?;
    if rtt < FELT || handshake.nanos() < rtt.saturating_mul(17) / 10 || retransmitted(facts) {
        return None;
    }
    let (bytes, frames) =
        thru_trace::ways::server_flight(facts.trace, connection, handshake.start, handshake.end);
    // Whoever read the packets as they came knows better than what was kept of them.
    let bytes = handshake.int("tls.flight").and_then(|flight| usize::try_from(flight).ok()).unwrap_or(bytes);
    // Late from its first byte on, it waited for something else.
    if handshake.nanos_of("tls.first_byte").is_some_and(|first| first > rtt.saturating_mul(3) / 2) {
        return None;
    }
    let mss = connection.int("tcp.mss").unwrap_or(1_460);
    let fits = usize::try_from(FIRST_FLIGHT * mss).unwrap_or(usize::MAX);
    if bytes <= fits {
        return None;
    }
    Some(
        Vote::disturbed(
            &["TLS33"],
            0.88,
            format!(
                "{} works, but its certificates are so long that the encryption handshake took a round trip more, {}.",
                facts.subject(),
                ms(rtt)
            ),
        )
        .cost(rtt)
        .explains(&["TLS34", "APP01"])
        .cite(handshake, format!("the handshake took {}, the way there and back {}", ms(handshake.nanos()), ms(rtt)))
        .cite_frames(&frames, format!("the server's first words are {bytes} bytes, and it may send {fits} before it hears again"))
        .rule_out("TLS34", "the server's first words came at once; it was their end that had to wait")
        .rule_out("IP19", "no packet was lost and sent again")
        .service("use a certificate with fewer names, elliptic keys, and no certificates that nobody needs")
        .user("nothing to repair here"),
    )
}

/// Encryption that took longer than its round trips.
pub(super) fn handshake(facts: &Facts<'_>) -> Option<Vote> {
    let rtt = facts.rtt()?;
    if let Some(vote) = long_flight(facts, rtt) {
        return Some(vote);
    }
    let handshake =
        facts.handshakes(Layer::Tls).filter(|span| span.is_ok()).max_by_key(|span| span.nanos())?;
    // TLS 1.2 takes two round trips, a second hello one more.
    let expected = rtt.saturating_mul(3);
    // What this machine took to check the certificates is not the server's.
    let own = handshake.nanos_of("tls.own_wait").unwrap_or(0);
    if handshake.nanos().saturating_sub(own) < expected.saturating_add(SLOW_HANDSHAKE) || retransmitted(facts)
    {
        return None;
    }
    let first = handshake.nanos_of("tls.first_byte");
    if let Some(first) = first.filter(|first| *first >= rtt.saturating_add(SLOW_HANDSHAKE)) {
        return Some(
            Vote::disturbed(
                &["TLS34"],
                0.92,
                format!("{} works, but takes {} to begin the encryption: its computer is busy or slow.", facts.subject(), ms(first)),
            )
            .cost(handshake.nanos() - expected)
            .cite(handshake, format!("the first byte of the server's answer to the hello came after {}, a round trip takes {}", ms(first), ms(rtt)))
            .cite_if(facts.connection(), "no packet had to be sent again")
            .rule_out("TLS33", "it is the first byte that comes late, not the last")
            .rule_out("TCP18", "no packet had to be sent again")
            .service("check the server's load, and what it asks (a key store, a certificate service) while it shakes hands")
            .user("nothing to repair here"),
        );
    }
    Some(
        Vote::disturbed(
            &["TLS34", "TLS33"],
            0.8,
            format!("{} works, but agreeing on encryption took {}.", facts.subject(), ms(handshake.nanos())),
        )
        .cost(handshake.nanos() - expected)
        .cite(
            handshake,
            format!(
                "the handshake took {}, its round trips account for at most {}",
                ms(handshake.nanos()),
                ms(expected)
            ),
        )
        .rule_out("TCP18", "no packet had to be sent again")
        .probe(
            "look when the server's first bytes come: late means slow computing, in time means a large chain",
            &["TLS34", "TLS33"],
        )
        .service("check the server's load and the size of its certificate chain"),
    )
}

/// The request was taken at once and answered late.
fn think(facts: &Facts<'_>) -> Option<Vote> {
    let rtt = facts.rtt().unwrap_or(0);
    let wait = facts.steps("wait").max_by_key(|span| span.nanos())?;
    let late = wait.nanos().saturating_sub(rtt);
    // A lost packet costs time as well; but it is no chance if the same request is as slow once more.
    let slow_again = facts
        .control("once_more")
        .and_then(|span| span.nanos_of("once_more.wait"))
        .is_some_and(|wait| wait.saturating_sub(rtt) >= THINK_TIME && wait * 2 > late);
    let disturbed = retransmitted(facts) && wait.bool("wait.undisturbed") != Some(true);
    if late < THINK_TIME || (disturbed && !slow_again) {
        return None;
    }
    // A program that has nothing to say yet waits as long by design (RFC 6202 5.5), and what it was asked is encrypted.
    let sealed = wait.parent.and_then(|parent| facts.trace.span(parent));
    if sealed.is_some_and(|exchange| exchange.bool("http.sealed") == Some(true)) && late >= LONG_POLL {
        return None;
    }
    // On a line that is full, or as slow as that, every packet comes late, whoever sends it.
    let busy = facts.pings("loaded").filter_map(|span| span.nanos_of("ping.rtt_avg")).max();
    let own = facts.connection().and_then(|span| span.nanos_of("tcp.rtt_max"));
    if busy.max(own).is_some_and(|busy| busy.saturating_mul(2) >= late) {
        return None;
    }
    if let Some(vote) = named_by_server(facts, wait, late).or_else(|| only_the_first(facts, wait, late)) {
        return Some(vote);
    }
    let again = facts.control("once_more").filter(|span| span.is_ok());
    Some(
        Vote::disturbed(
            &["APP01"],
            0.92,
            format!(
                "{} works, but its program took {} to think about the answer.",
                facts.subject(),
                ms(late)
            ),
        )
        .cost(late)
        .cite(
            wait,
            format!(
                "the first byte of the answer came {} after the request, {} later than the way needs",
                ms(wait.nanos()),
                ms(late)
            ),
        )
        .cite_if(
            facts.connection().filter(|_| !retransmitted(facts)),
            "no packet had to be sent again, so the network did not cause the wait",
        )
        .cite_if(again, "asked once more, it is as slow")
        .rule_out(
            "TCP18",
            if slow_again {
                "the second time it took as long, and loss does not repeat itself"
            } else {
                "no packet was lost and sent again"
            },
        )
        .rule_out(
            "APP11",
            if again.is_some() {
                "the second time it is slow as well"
            } else {
                "nothing shows that only the first time is slow"
            },
        )
        .service("find out what the program does in this time (database, another service behind it)")
        .user("nothing to repair here"),
    )
}

/// The server itself says what it waited for (Server-Timing, or a proxy's header).
fn named_by_server(facts: &Facts<'_>, wait: &Span, late: u64) -> Option<Vote> {
    let exchange = facts.delivered()?;
    let timing = exchange.text("http.server_timing");
    let told = timing
        .into_iter()
        .flat_map(|text| text.split(','))
        .filter_map(|entry| {
            let millis = entry
                .split(';')
                .find_map(|part| part.trim().strip_prefix("dur="))?
                .trim()
                .parse::<f64>()
                .ok()?;
            Some((entry.split(';').next()?.trim().to_owned(), millis))
        })
        .chain(exchange.text("http.upstream_ms").and_then(|text| {
            Some(("the server behind the front server".to_owned(), text.trim().parse::<f64>().ok()?))
        }))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (name, millis) = told;
    if millis * 1e6 < late as f64 / 2.0 {
        return None;
    }
    Some(
        Vote::disturbed(
            &["APP03"],
            0.93,
            format!(
                "{} works, but waited {} for \"{name}\", as it says itself.",
                facts.subject(),
                ms((millis * 1e6) as u64)
            ),
        )
        .cost(late)
        .cite(exchange, format!("the answer's headers say: {}", timing.unwrap_or("upstream time")))
        .cite(wait, format!("the first byte of the answer came after {}", ms(wait.nanos())))
        .rule_out("TCP18", "no packet was lost and sent again")
        .rule_out("APP01", "the server names the part that is slow")
        .service(format!("look at \"{name}\": it takes most of the time"))
        .user("nothing to repair here"),
    )
}

/// Slow, quick, and slow again: one of several machines behind one address is.
fn some_machines(facts: &Facts<'_>, wait: &Span, again: &Span, quick: u64, slow: u64) -> Vote {
    Vote::disturbed(
        &["APP12"],
        0.88,
        format!("{} works, but some of its machines answer late and others at once.", facts.subject()),
    )
    .cost(wait.nanos())
    .cite(wait, format!("the first byte of the answer came after {}", ms(wait.nanos())))
    .cite(
        again,
        format!(
            "over new connections the same request was answered after {} once, and after {} another time",
            ms(quick),
            ms(slow)
        ),
    )
    .rule_out("APP11", "a program that has woken up stays quick")
    .rule_out("APP01", "other connections are answered at once")
    .rule_out("IP19", "each time the wait is before the first byte, with nothing lost")
    .service("compare the machines behind the balancer: one of them is slow")
    .user("try again: the next connection may meet another machine")
}

/// The same request was quick the second time.
fn only_the_first(facts: &Facts<'_>, wait: &Span, late: u64) -> Option<Vote> {
    let again = facts.control("once_more").filter(|span| span.is_ok())?;
    let second = again.nanos_of("once_more.wait")?;
    if second.saturating_mul(4) > wait.nanos() {
        return None;
    }
    if let Some(last) = again.nanos_of("once_more.last").filter(|last| last.saturating_mul(2) > wait.nanos())
    {
        return Some(some_machines(facts, wait, again, second, last));
    }
    Some(
        Vote::disturbed(
            &["APP11"],
            0.9,
            format!(
                "{} works, but the first answer took {}: the server had to wake up.",
                facts.subject(),
                ms(late)
            ),
        )
        .cost(late)
        .cite(wait, format!("the first byte of the first answer came after {}", ms(wait.nanos())))
        .cite(again, format!("asked once more, it came after {}", ms(second)))
        .rule_out("APP01", "the second time the program was quick")
        .rule_out("TCP18", "no packet was lost and sent again")
        .service("keep the program warm, or let it start sooner; an empty cache looks alike")
        .user("nothing to repair here; the next visit is quick"),
    )
}

fn retransmitted(facts: &Facts<'_>) -> bool {
    facts.steps("connection").any(|span| {
        span.int("tcp.retransmissions").unwrap_or(0) > 0 || span.int("tcp.timeouts").unwrap_or(0) > 0
    })
}
