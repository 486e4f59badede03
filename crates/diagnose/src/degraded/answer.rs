//! Answers that came, with something wrong in what they say of themselves.

use crate::facts::{self, Facts};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{Span, Value};

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let Some(exchange) = facts.delivered() else { return Vec::new() };
    let votes = [
        two_lengths(facts, exchange),
        login_page(exchange),
        odd_header(facts, exchange),
        stale(facts, exchange),
        excess(facts, exchange),
        staple(facts),
        order(facts),
    ];
    votes.into_iter().flatten().collect()
}

/// `Content-Length` and `Transfer-Encoding` together (RFC 9112 6.3): two readers may see two ends.
fn two_lengths(facts: &Facts<'_>, exchange: &Span) -> Option<Vote> {
    (exchange.bool("http.two_lengths") == Some(true)).then(|| {
        Vote::disturbed(
            &["H114"],
            0.93,
            format!("{} works, but says in two ways at once how long its answer is; some programs refuse that.", facts.subject()),
        )
        .cost(MS)
        .cite(exchange, "the answer has both Content-Length and Transfer-Encoding, or two lengths that differ")
        .rule_out("H110", "everything that was announced came")
        .service("let the server or the proxy before it send only one such header; it can be used to smuggle requests")
        .user("nothing to repair here")
    })
}

/// Pages by which programs find out whether a network wants a login first: the answer is always the same, and empty or a word.
const ASKED_FOR_A_LOGIN: [&str; 6] =
    ["/generate_204", "/gen_204", "/hotspot-detect.html", "/connecttest.txt", "/ncsi.txt", "/canonical.html"];

/// Somebody else answers for the page that only tells whether the way is free (RFC 8908 1).
fn login_page(exchange: &Span) -> Option<Vote> {
    let url = exchange.text("http.url")?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let status = exchange.int("http.status")?;
    let to = exchange.text("http.location").filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))?;
    let host = |url: &str| {
        url.split_once("://")
            .map(|(_, rest)| rest.split(['/', '?', ':']).next().unwrap_or_default().to_owned())
    };
    let elsewhere = host(to).is_some() && host(to) != host(url);
    if !ASKED_FOR_A_LOGIN.iter().any(|page| path.ends_with(page)) || !elsewhere {
        return None;
    }
    Some(
        Vote::disturbed(
            &["FW22"],
            0.92,
            String::from("This network wants a login before it lets traffic through: it answers itself, and sends the visitor to its own page."),
        )
        .cost(MS)
        .cite(exchange, format!("the page {path} only tells whether the way is free, and led to {to}"))
        .rule_out("H108", "the page that was asked for never redirects")
        .user("open any page without encryption in a browser, and log in there")
        .network("say in the network's settings where the login page is (RFC 8910)"),
    )
}

/// A line of the answer's head that is no header (RFC 9112 5).
fn odd_header(facts: &Facts<'_>, exchange: &Span) -> Option<Vote> {
    (exchange.bool("http.odd_header") == Some(true)).then(|| {
        Vote::disturbed(
            &["H115"],
            0.85,
            format!("{} works, but a line of its answer's head is no header; some programs refuse such an answer.", facts.subject()),
        )
        .cost(MS)
        .cite(exchange, "a line of the head has no colon, or no name before it")
        .rule_out("TCP26", "it is an answer of HTTP, only a bad one")
        .service("correct what writes this header: the program, or a proxy before it")
        .user("nothing to repair here")
    })
}

/// More bytes than the announced length (RFC 9112 9.2).
fn excess(facts: &Facts<'_>, exchange: &Span) -> Option<Vote> {
    let excess = exchange.int("http.excess").filter(|excess| *excess > 0)?;
    Some(
        Vote::disturbed(
            &["H123"],
            0.92,
            format!(
                "{} works, but sends more than it announces: {excess} bytes follow the end of its answer.",
                facts.subject()
            ),
        )
        .cost(MS)
        .cite(exchange, format!("Content-Length ends the answer, and {excess} bytes came after it"))
        .rule_out("H114", "the length is announced in one way only; it is wrong")
        .service(
            "correct Content-Length, or what writes after it: the rest would be taken for the next answer",
        )
        .user("nothing to repair here; the end of the page may be missing"),
    )
}

/// The chain of the handshake that worked, with what the certificates say.
fn certificates<'a>(
    facts: &'a Facts<'a>,
) -> Option<(&'a Span, Vec<&'a std::collections::BTreeMap<String, Value>>)> {
    let handshake = facts.steps("handshake").filter(|span| span.is_ok()).last()?;
    let chain = handshake.list("tls.chain")?.iter().filter_map(|value| match value {
        Value::Map(map) => Some(map),
        _ => None,
    });
    Some((handshake, chain.collect()))
}

/// The certificate promises that the server shows that it is not revoked (RFC 7633), and it does not.
fn staple(facts: &Facts<'_>) -> Option<Vote> {
    let (handshake, chain) = certificates(facts)?;
    if let Some(vote) = revoked(facts, handshake).or_else(|| out_of_date(facts, handshake)) {
        return Some(vote);
    }
    let promised = chain.first()?.get("must_staple") == Some(&Value::Bool(true));
    if !promised || handshake.bool("tls.stapled") != Some(false) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["TLS17"],
            0.92,
            format!("{} works here, but some browsers refuse it: its certificate demands a proof that it is not revoked, and the server shows none.", facts.subject()),
        )
        .cost(MS)
        .cite(handshake, "the certificate says \"must staple\" (RFC 7633), and no answer about its revocation came with it")
        .rule_out("TLS16", "nothing says that the certificate is revoked; the proof is missing")
        .service("turn on OCSP stapling at the server, or get a certificate without \"must staple\"")
        .user("nothing to repair here; another browser may refuse the site"),
    )
}

/// The server itself shows that its certificate is revoked (RFC 6960 2.2).
fn revoked(facts: &Facts<'_>, handshake: &Span) -> Option<Vote> {
    (handshake.text("tls.staple") == Some("revoked")).then(|| {
        Vote::disturbed(
            &["TLS16"],
            0.93,
            format!("{} works here, but its certificate has been revoked: whoever looks at that refuses it.", facts.subject()),
        )
        .cost(MS)
        .cite(handshake, "the answer of the authority that the server shows along (OCSP) says \"revoked\"")
        .rule_out("TLS17", "the proof is there; it says that the certificate must not be trusted any more")
        .rule_out("TLS07", "the certificate's dates hold")
        .service("get a new certificate with a new key, and find out why the old one was revoked: its key may be in other hands")
        .user("do not enter passwords here; tell the site's owner")
    })
}

/// What the server shows about its revocation holds no longer.
fn out_of_date(facts: &Facts<'_>, handshake: &Span) -> Option<Vote> {
    // Of what the authority does not know, or of an answer about something else, the age tells nothing.
    if handshake.text("tls.staple") != Some("good") {
        return None;
    }
    let late = u64::try_from(handshake.int("tls.staple_late")?).ok()?;
    Some(
        Vote::disturbed(
            &["TLS17"],
            0.92,
            format!("{} works here, but some browsers refuse it: the proof that its certificate is not revoked is out of date.", facts.subject()),
        )
        .cost(MS)
        .cite(handshake, format!("the authority's answer that the server shows along (OCSP) ran out {} ago", facts::age(late)))
        .rule_out("TLS16", "the answer says that the certificate is good; only it is old")
        .rule_out("TLS07", "the certificate itself is still valid")
        .service("look why the server fetches no new answer from the authority's responder: blocked on its way out, or its clock is wrong")
        .user("nothing to repair here; another browser may refuse the site"),
    )
}

/// Each certificate has to be followed by its issuer's (RFC 5246 7.4.2); RFC 8446 only asks for it.
fn order(facts: &Facts<'_>) -> Option<Vote> {
    let (handshake, chain) = certificates(facts)?;
    let text = |place: usize, key: &str| match chain.get(place)?.get(key) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let issuer = text(0, "issuer")?;
    let place = (1..chain.len()).find(|place| text(*place, "subject") == Some(issuer))?;
    let stray = text(1, "subject").filter(|_| place > 1)?;
    Some(
        Vote::disturbed(
            &["TLS13"],
            0.9,
            format!("{} works here, but its certificates come in the wrong order, and some programs refuse that.", facts.subject()),
        )
        .cost(MS)
        .cite(handshake, format!("the site's certificate is signed by \"{issuer}\", but the next one in the chain is \"{stray}\""))
        .rule_out("TLS12", "the certificate that is wanted is there, only not in its place")
        .service("send the certificates in order, each followed by the one that signed it, and no others")
        .user("nothing to repair here; old or strict programs may refuse the site"),
    )
}

/// Older than it may be kept (RFC 9111 4.2), and no cache asked whether it still holds.
fn stale(facts: &Facts<'_>, exchange: &Span) -> Option<Vote> {
    let age: u64 = exchange.text("http.age")?.trim().parse().ok()?;
    let control = exchange.text("http.cache_control")?;
    let seconds = |wanted: &str| {
        control.split(',').find_map(|part| part.trim().strip_prefix(wanted)?.trim().parse::<u64>().ok())
    };
    // What is allowed to be served while a new copy is fetched is not out of date.
    let allowed = seconds("s-maxage=").or_else(|| seconds("max-age="))?
        + seconds("stale-while-revalidate=").unwrap_or(0).max(seconds("stale-if-error=").unwrap_or(0));
    (age > allowed).then(|| {
        Vote::disturbed(
            &["H122"],
            0.9,
            format!(
                "{} works, but a cache delivers an old copy of the page: it is {} old and may be kept for {}.",
                facts.subject(),
                facts::age(age),
                facts::age(allowed)
            ),
        )
        .cost(MS)
        .cite(exchange, format!("the answer says that it is {age} s old (Age) and may be kept for {allowed} s (Cache-Control)"))
        .rule_out("APP15", "the page is the right one, only an old copy")
        .service("clear the cache or the content delivery network for this page, and see why it does not ask for new copies")
        .user("reload without the cache; if the page stays old, tell the site's owner")
    })
}
