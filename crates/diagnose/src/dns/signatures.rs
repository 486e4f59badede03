//! The resolver withholds an answer that it gives when asked not to check signatures: which link of the chain is broken?
//!
//! What we found by validating from the root down ourselves is proof. The resolver's extended error (RFC 8914) is a
//! witness: resolvers disagree about the codes, so on its word alone the general cause stays beside the special one.

use thru_trace::{Span, Value};

use super::leading_number;
use crate::facts::{Facts, failure_text};
use crate::vote::Vote;

/// What the rule looks at.
pub(super) struct Seen<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) query: &'a Span,
    /// The name in quotes.
    pub(super) name: &'a str,
    /// The resolver, in words.
    pub(super) server: &'a str,
    /// What the resolver answered, in words.
    pub(super) says: String,
    /// The control without checks, which worked.
    pub(super) unchecked: &'a Span,
}

/// A kind of break: its cause, what it means, what to do.
struct Break {
    cause: &'static str,
    means: &'static str,
    repair: &'static str,
}

/// By extended error code.
fn known(code: i64) -> Option<Break> {
    let (cause, means, repair) = match code {
        6 => (
            "DNS32",
            "a signature does not fit the data or the keys",
            "sign the zone anew with the keys that it publishes",
        ),
        7 => (
            "DNS27",
            "its signatures have expired",
            "sign the zone anew, and find out why the signer stopped renewing",
        ),
        8 => (
            "DNS28",
            "its signatures are not valid yet",
            "correct the clock of the machine that signs, and sign the zone anew",
        ),
        9 | 11 => (
            "DNS29",
            "no key of the zone is the one that the zone above vouches for",
            "have the zone above publish the DS of the present key, or bring the old key back",
        ),
        10 => (
            "DNS30",
            "the zone above says that it is signed, and signatures are missing",
            "sign the zone, or have the DS removed from the zone above",
        ),
        12 => (
            "DNS33",
            "the proof that something does not exist is missing or wrong",
            "rebuild the zone's chain of NSEC or NSEC3 records and sign it anew",
        ),
        _ => return None,
    };
    Some(Break { cause, means, repair })
}

/// The cause that an extended error stands for.
pub(super) fn cause(code: i64) -> Option<&'static str> {
    known(code).map(|found| found.cause)
}

fn code_of(span: &Span) -> Option<i64> {
    match span.value("dns.ede")? {
        Value::Int(code) => Some(*code),
        Value::Text(text) => leading_number(text),
        _ => None,
    }
}

pub(super) fn vote(seen: &Seen<'_>) -> Vote {
    let own = seen.facts.control("iterate");
    let ours = own.filter(|span| span.text("dns.security") == Some("bogus"));
    if let Some((span, found)) = ours.and_then(|span| Some((span, code_of(span).and_then(known)?))) {
        return special(seen, &found, &[found.cause], 0.96)
            .cite(span, format!("checked from the root down ourselves, the same: {}", failure_text(span)))
            .rule_out("DNS35", "our own check, with the right root key, fails as well");
    }
    if let Some(span) = own.filter(|span| span.is_ok() && span.text("dns.security") == Some("secure")) {
        return resolver_alone(seen, span);
    }
    let told = seen.facts.extended_errors().into_iter().find_map(known);
    match told {
        Some(found) => {
            // A resolver that holds an old root key finds no key that fits, either.
            let causes: &[&'static str] =
                if found.cause == "DNS29" { &["DNS29", "DNS35"] } else { std::slice::from_ref(&found.cause) };
            special(seen, &found, causes, 0.88).probe(
                "follow the chain of signatures from the root down to find the broken link",
                &[found.cause, "DNS35"],
            )
        }
        None => general(seen).probe(
            "follow the chain of signatures from the root down to find the broken link",
            &["DNS27", "DNS29", "DNS30", "DNS32"],
        ),
    }
}

/// Every link is known to hold but one.
fn special(seen: &Seen<'_>, found: &Break, causes: &[&'static str], confidence: f64) -> Vote {
    Vote::broken(
        causes,
        confidence,
        format!("The address of {} is withheld, because {}.", seen.name, found.means),
    )
    .cite(seen.query, seen.says.clone())
    .cite(seen.unchecked, "asked not to check signatures, the same server gives the address")
    .rule_out("DNS10", "the answer exists; only its check fails")
    .service(found.repair)
    .user("nothing to repair here; tell the site's owner")
}

/// Our own check passes: what differs is the resolver's root key or its clock.
fn resolver_alone(seen: &Seen<'_>, own: &Span) -> Vote {
    Vote::broken(
        &["DNS35"],
        0.88,
        format!(
            "The signatures of {} are in order, but {} does not accept them: its root key or its clock is wrong.",
            seen.name, seen.server
        ),
    )
    .cite(seen.query, seen.says.clone())
    .cite(seen.unchecked, "asked not to check signatures, the same server gives the address")
    .cite(own, "checked from the root down ourselves, every signature holds")
    .rule_out("DNS32", "our own check of the signatures passes")
    .rule_out("DNS10", "the answer exists; only its check fails")
    .network("check the name server's root key (trust anchor) and its clock")
    .user("use another name server for now")
}

fn general(seen: &Seen<'_>) -> Vote {
    Vote::broken(
        &["DNS09"],
        0.95,
        format!("The signatures of the name {} do not check out, so its address is withheld.", seen.name),
    )
    .cite(seen.query, seen.says.clone())
    .cite(seen.unchecked, "asked not to check signatures, the same server gives the address")
    .rule_out("DNS10", "the answer exists; only its check fails")
    .service("repair the zone's signatures (DNSSEC): keys, expiry dates and the record at the zone above")
}
