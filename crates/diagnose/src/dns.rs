//! Names that could not be looked up.
//!
//! - `missing`, `silence`, `failure`: what was answered, or not. `signatures`: which link of their chain is broken.
//! - `extensions`: who trips over today's questions. `address`: names that lead nowhere.

mod address;
mod extensions;
mod failure;
mod missing;
mod signatures;
mod silence;

use crate::facts::{Facts, failure_text};
use crate::vote::Vote;
use thru_trace::configured::{self, DhcpKind};
use thru_trace::{Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    if let Some(vote) = address::captive(facts).or_else(|| address::bogon(facts)) {
        return vec![vote];
    }
    // A name that was found in one family is found; a redirect's second name is a step of its own.
    let Some(resolve) = facts.steps("resolve").filter(|span| span.code().is_some()).last() else {
        // Nothing else was tried.
        let alone = facts.connects().next().is_none();
        return disturbed(facts).filter(|_| alone).into_iter().collect();
    };
    let name = resolve.text("dns.name").unwrap_or("").trim_end_matches('.');
    if facts.steps("resolve").any(|span| {
        span.is_ok()
            && span.text("dns.name").unwrap_or("").trim_end_matches('.') == name
            && span.start >= resolve.start
    }) {
        return Vec::new();
    }
    let case = Case { facts, query: failing_query(facts, resolve), name: facts.subject_name(name) };
    let code = resolve.code().unwrap_or("");
    let says_no = matches!(code, "dns.servfail" | "dns.refused");
    if says_no && facts.extended_errors().iter().any(|code| (15..=17).contains(code)) {
        return vec![case.filtered()];
    }
    let vote = match code {
        "dns.bad_name" => impossible_name(facts, resolve),
        "dns.timeout" | "dns.unreachable" if case.query.bool("dns.truncated") == Some(true) => {
            case.cut_short()
        }
        "dns.nxdomain" => case.name_does_not_exist(),
        "dns.no_data" => case.no_data(),
        "dns.timeout" => case.silence(),
        "dns.servfail" => case.server_failure(),
        "dns.refused" => case.refused(),
        "dns.malformed" if case.not_understood() => case.trips_over_extensions(),
        "dns.malformed" => Vote::broken(
            &["DNS16"],
            0.9,
            format!("The answer to the question for {} cannot be read.", case.name),
        )
        .cite(case.query, failure_text(case.query))
        .network("report the damaged answer to whoever runs the name server")
        .user("ask another name server"),
        "dns.unreachable" => case.unreachable(),
        "ip.no_route" => case.no_way_out(),
        "dns.no_resolver" => no_resolver(facts, resolve),
        _ => return Vec::new(),
    };
    vec![vote]
}

/// Nobody told this machine whom to ask; where the network gives the settings, its packets show that they name nobody.
fn no_resolver(facts: &Facts<'_>, resolve: &Span) -> Vote {
    let vote = Vote::broken(
        &["DNS01"],
        0.95,
        "This machine is not told which server to ask for names, so no name can be found.",
    )
    .user("enter a name server in the network settings, or let the network assign one (DHCP)");
    let leases = configured::dhcp(facts.trace).into_iter();
    let leases =
        leases.filter(|told| told.message.kind == DhcpKind::Ack && told.message.options.dns.is_empty());
    let routers = configured::advertisements(facts.trace).into_iter();
    let routers = routers.filter(|told| told.advertisement.dns.is_empty());
    let frames: Vec<u64> = leases.map(|told| told.frame).chain(routers.map(|told| told.frame)).collect();
    if frames.is_empty() {
        return vote.cite(resolve, failure_text(resolve));
    }
    vote.cite_frames(
        &frames,
        "the settings that the network gave this machine (DHCP, router advertisements) name no resolver",
    )
    .network("name a resolver in the settings that are handed out (DHCP option 6, RFC 8106)")
}

/// What a lookup that worked shows of a server that trips over the extensions of RFC 6891.
pub(crate) fn disturbed(facts: &Facts<'_>) -> Option<Vote> {
    extensions::unanswered(facts).or_else(|| refuses_extensions(facts))
}

/// It says that it cannot read a question with extensions.
fn refuses_extensions(facts: &Facts<'_>) -> Option<Vote> {
    let query = facts.own.iter().copied().find(|span| span.text("dns.edns_refused").is_some())?;
    let rcode = query.text("dns.edns_refused").unwrap_or("an error");
    let server = query
        .address("dns.server")
        .map_or_else(|| String::from("the name server"), |address| format!("the name server {address}"));
    Some(
        Vote::disturbed(
            &["DNS08"],
            0.92,
            format!("{} works, but {server} is out of date: it answers a question of today's kind with an error, and only one of the old kind properly.", facts.subject()),
        )
        .cost(query.nanos())
        .cite(query, format!("asked with extensions (EDNS) it answered {rcode}, asked without them it gave the address"))
        .rule_out("DNS17", "it did answer; a lost answer would leave silence")
        .network("update the name server (RFC 6891 is of 2013): signatures and large answers need the extensions")
        .user("use another name server"),
    )
}

/// The name cannot even be asked for (RFC 1035 2.3.4).
fn impossible_name(facts: &Facts<'_>, resolve: &Span) -> Vote {
    Vote::broken(
        &["DNS46"],
        0.97,
        format!("The name \"{}\" is impossible: no name server can be asked for it.", facts.host()),
    )
    .cite(resolve, failure_text(resolve))
    .rule_out("DNS05", "nobody was asked: the name breaks the rules for names")
    .user("check the spelling: each part between two dots has at most 63 letters, the whole at most 253")
    .service("use shorter names")
}

struct Case<'a> {
    facts: &'a Facts<'a>,
    /// The question that failed, or the whole lookup if its questions were not recorded.
    query: &'a Span,
    /// The name in quotes.
    name: String,
}

/// The question whose failure is the lookup's.
fn failing_query<'a>(facts: &Facts<'a>, resolve: &'a Span) -> &'a Span {
    let parts = || facts.own.iter().copied().filter(|span| span.what == "dns.query");
    parts()
        .find(|span| span.parent == Some(resolve.id) && span.code() == resolve.code())
        .or_else(|| parts().find(|span| span.code() == resolve.code()))
        .unwrap_or(resolve)
}

impl Facts<'_> {
    fn subject_name(&self, name: &str) -> String {
        if name.is_empty() { format!("\"{}\"", self.host()) } else { format!("\"{name}\"") }
    }

    /// What we learned by asking from the root down ourselves.
    fn iterated(&self) -> Option<Iterated<'_>> {
        let span = self.control("iterate")?;
        let rcode = span.text("dns.authority_rcode").unwrap_or("");
        Some(if span.failed_with("dns.nxdomain") || rcode.eq_ignore_ascii_case("NXDOMAIN") {
            Iterated::DoesNotExist(span)
        } else if span.is_ok() && (rcode.is_empty() || rcode.eq_ignore_ascii_case("NOERROR")) {
            Iterated::Found(span)
        } else if span.failed_with("dns.no_data") {
            Iterated::NoData(span)
        } else {
            Iterated::Stuck(span)
        })
    }

    /// Whether a server says in the words of an extended error that another one answered it with this code.
    fn told_of_answer(&self, rcode: &str) -> bool {
        let word = format!("rcode={rcode}");
        let says = |value: &Value| matches!(value, Value::Text(text) if text.contains(&word));
        self.own.iter().filter(|span| span.what == "dns.query" || span.what == "resolve").any(|span| {
            let words = [span.value("dns.ede"), span.value("dns.ede_says")];
            words.into_iter().flatten().any(|value| match value {
                Value::List(list) => list.iter().any(says),
                one => says(one),
            })
        })
    }

    /// Codes of extended errors (RFC 8914) that any answer carried: a witness, not a proof, for resolvers disagree
    /// about their use.
    fn extended_errors(&self) -> Vec<i64> {
        let mut codes = Vec::new();
        for span in self.own.iter().filter(|span| span.what == "dns.query" || span.what == "resolve") {
            match span.value("dns.ede") {
                Some(Value::Int(code)) => codes.push(*code),
                Some(Value::Text(text)) => codes.extend(leading_number(text)),
                Some(Value::List(list)) => codes.extend(list.iter().filter_map(|value| match value {
                    Value::Int(code) => Some(*code),
                    Value::Text(text) => leading_number(text),
                    _ => None,
                })),
                _ => {}
            }
        }
        codes
    }
}

impl<'a> Facts<'a> {
    /// Aliases in the answers that we got which lead back to one another, with the question that closed the circle.
    fn alias_circle(&self) -> Option<(&'a Span, Vec<String>)> {
        let mut aliases: Vec<(String, String)> = Vec::new();
        for span in self.trace.all("dns.query").filter(|span| span.text("vantage").is_none()) {
            aliases.extend(span.list("dns.answers").unwrap_or_default().iter().filter_map(alias));
            if let Some(circle) = circle(&aliases) {
                return Some((span, circle));
            }
        }
        None
    }
}

/// `www.shop.lab. 300 IN CNAME web.shop.lab.`: from where to where.
fn alias(record: &Value) -> Option<(String, String)> {
    let Value::Text(text) = record else { return None };
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "CNAME")?;
    let clean = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    Some((clean(words.first()?), clean(words.get(at + 1)?)))
}

/// The first circle that one can walk, from its first name back to it.
fn circle(aliases: &[(String, String)]) -> Option<Vec<String>> {
    aliases.iter().find_map(|(start, _)| {
        let mut way = vec![start.clone()];
        while way.len() <= aliases.len() {
            let (_, next) = aliases.iter().find(|(from, _)| Some(from) == way.last())?;
            way.push(next.clone());
            if next == start {
                return Some(way);
            }
        }
        None
    })
}

fn leading_number(text: &str) -> Option<i64> {
    let digits: String =
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[derive(Clone, Copy)]
enum Iterated<'a> {
    Found(&'a Span),
    DoesNotExist(&'a Span),
    NoData(&'a Span),
    /// An authority on the way did not answer, or answered with an error.
    Stuck(&'a Span),
}

impl Case<'_> {
    fn server(&self) -> String {
        match self.query.address("dns.server") {
            Some(address) => format!("the name server {address}"),
            None => String::from("the name server"),
        }
    }

    fn authority(&self, span: &Span) -> String {
        span.text("dns.authority").map_or_else(
            || String::from("the name's own servers"),
            |name| format!("the name's own server {}", name.trim_end_matches('.')),
        )
    }

    fn no_way_out(&self) -> Vote {
        Vote::broken(
            &["IP01"],
            0.93,
            "This machine knows no way to the internet, so it cannot even ask for the name.",
        )
        .cite(self.query, failure_text(self.query))
        .rule_out("DNS02", "no question was ever sent")
        .rule_out("LNK04", "no router was looked for: there is none in the table of routes")
        .user("check that this machine has a default gateway (DHCP gives one), and that no VPN took it away")
    }

    fn refused(&self) -> Vote {
        let vote = Vote::broken(
            &["DNS07"],
            0.93,
            format!(
                "{} refuses to look up the name {} for this machine.",
                capital(&self.server()),
                self.name
            ),
        )
        .cite(self.query, format!("{} answered \"refused\"", self.server()))
        .rule_out("DNS02", "the server answers, it is not silent")
        .user("use the name server that belongs to this network")
        .network("allow this machine's address on the name server, or hand out the address of the right one");
        match self.facts.control("other_resolver").filter(|span| span.is_ok()) {
            Some(other) => vote.cite(other, "another name server answers the same question"),
            None => vote,
        }
    }

    fn unreachable(&self) -> Vote {
        if self.query.bool("icmp.local") == Some(true) {
            return crate::ip::neighbour_silent(self.facts, self.query);
        }
        let from = self.query.address("icmp.from").map(|from| format!(", says {from}")).unwrap_or_default();
        let kind = self.query.text("icmp.kind").unwrap_or("").to_ascii_lowercase();
        if kind.contains("net") || kind.contains("host") || kind.contains("route") {
            return Vote::broken(
                &["IP04", "DNS01"],
                0.85,
                format!("No name can be looked up: there is no way to {}.", self.server()),
            )
            .cite(self.query, format!("a router answered that the name server cannot be reached{from}"))
            .rule_out("DNS02", "a router answered, so the question did not simply go unanswered")
            .probe(
                "reach another address outside: if that works, only the name server's address is wrong",
                &["IP04", "DNS01"],
            )
            .network("check the routes towards the name server");
        }
        Vote::broken(
            &["DNS01"],
            0.9,
            format!(
                "Nobody answers questions about names at the configured address: {} is no name server.",
                self.server()
            ),
        )
        .cite(self.query, format!("the machine there answered that nothing listens{from}"))
        .rule_out("DNS02", "the machine answers, it only has no name service")
        .user("correct the name server in the network settings")
        .network("start the name service there, or hand out another address")
    }
}

/// The first letter as a capital, for the start of a sentence.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
