//! Answers that came, with something wrong in what they say of themselves.

use crate::facts::{self, Facts};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::Span;

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let Some(exchange) = facts.delivered() else { return Vec::new() };
    [two_lengths(facts, exchange), stale(facts, exchange)].into_iter().flatten().collect()
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
        .cite(exchange, "the answer has both Content-Length and Transfer-Encoding")
        .rule_out("H110", "everything that was announced came")
        .service("let the server or the proxy before it send only one of both headers; it can be used to smuggle requests")
        .user("nothing to repair here")
    })
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
