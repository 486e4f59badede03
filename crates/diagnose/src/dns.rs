//! Names that could not be looked up.

mod signatures;

use crate::facts::{Facts, failure_text};
use crate::vote::Vote;
use std::net::IpAddr;
use thru_trace::{Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    if let Some(vote) = captive(facts).or_else(|| bogon(facts)) {
        return vec![vote];
    }
    // A name that was found in one family is found; a redirect's second name is a step of its own.
    let Some(resolve) = facts.steps("resolve").filter(|span| span.code().is_some()).last() else {
        return Vec::new();
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
        "dns.no_resolver" => Vote::broken(
            &["DNS01"],
            0.95,
            "This machine is not told which server to ask for names, so no name can be found.",
        )
        .cite(resolve, failure_text(resolve))
        .user("enter a name server in the network settings, or let the network assign one (DHCP)"),
        _ => return Vec::new(),
    };
    vec![vote]
}

/// The name server gives a name that nobody can have registered the very address that it gave the wanted one.
fn captive(facts: &Facts<'_>) -> Option<Vote> {
    let nonsense = facts.control("nonsense").filter(|span| span.bool("nonsense.same") == Some(true))?;
    let resolve = facts.steps("resolve").filter(|span| span.is_ok()).last()?;
    Some(
        Vote::broken(
            &["DNS20"],
            0.93,
            "This network answers every question for a name with one address, its own: it wants a login first, or catches all traffic.",
        )
        .explains(&["TLS09", "TLS10", "TLS11", "TLS12", "TLS15", "TCP01", "FW01", "FW02", "IP29"])
        .cite(resolve, format!("the name server gave {} an address", facts.host()))
        .cite(nonsense, "asked for a name made up by chance, it gives the same address")
        .rule_out("DNS12", "a filter hides some names; this server answers for names that do not exist, too")
        .rule_out("TLS09", "the wrong certificate follows from the wrong address")
        .user("open any page that begins with http:// in a browser, and log in to the network there")
        .network("say what the login page is for, and let visitors through once they are known"),
    )
}

/// What a lookup that worked shows of a server that trips over the extensions of RFC 6891.
pub(crate) fn disturbed(facts: &Facts<'_>) -> Option<Vote> {
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

/// Every address that DNS gave can only mean the asking machine itself, or nobody (RFC 6890): no server is there. An
/// entry of the hosts file is the user's own doing.
fn bogon(facts: &Facts<'_>) -> Option<Vote> {
    let resolve =
        facts.steps("resolve").filter(|span| span.is_ok() && span.text("dns.source").is_none()).last()?;
    let addresses: Vec<IpAddr> = resolve
        .list("dns.addresses")?
        .iter()
        .filter_map(|value| match value {
            Value::Address(address) => Some(*address),
            _ => None,
        })
        .collect();
    let own = |address: &IpAddr| address.is_loopback() || address.is_unspecified();
    if addresses.is_empty() || !addresses.iter().all(|address| own(address) || is_nobodys(address)) {
        return None;
    }
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if !addresses.iter().all(own) {
        return facts.connected().is_none().then(|| nobodys(facts, resolve, &shown));
    }
    Some(
        Vote::broken(
            &["DNS14"],
            0.93,
            format!(
                "The name {} leads nowhere: its address is {}, which is this machine itself.",
                facts.host(),
                shown.join(" and ")
            ),
        )
        .cite(resolve, format!("the name server gave {}", shown.join(" and ")))
        .rule_out("TCP01", "whether a program listens here says nothing about the site")
        .probe(
            "ask another name server: the site's true address there means that this one filters the name",
            &["DNS14", "DNS12"],
        )
        .user("ask another name server; some block names with such answers")
        .service("if this is the zone's own record, correct it"),
    )
}

/// Addresses that no server on the internet can have: those that a machine gives itself when it got none (RFC 3927), of
/// groups, and kept for later (RFC 1112 4).
fn is_nobodys(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || address.is_multicast()
                || address.octets()[0] >= 240
                || address.octets()[0] == 0
        }
        IpAddr::V6(address) => address.is_multicast(),
    }
}

fn nobodys(facts: &Facts<'_>, resolve: &Span, shown: &[String]) -> Vote {
    let shown = shown.join(" and ");
    Vote::broken(
        &["DNS14"],
        0.92,
        format!(
            "The name {} leads nowhere: its address is {shown}, which no server on the internet can have.",
            facts.host()
        ),
    )
    .cite(resolve, format!("the name server gave {shown}"))
    .explains(&["IP04", "LNK05", "FW01", "FW03", "IP05", "TCP03", "TCP06", "IP07"])
    .rule_out("IP04", "no router has a way to such an address, and none should")
    .probe(
        "ask another name server: the site's true address there means that this one gives the wrong answer",
        &["DNS14", "DNS12"],
    )
    .user("ask another name server; some block names with such answers")
    .service("if this is the zone's own record, correct it")
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

    fn name_does_not_exist(&self) -> Vote {
        let says = format!("{} answered that the name does not exist (NXDOMAIN)", self.server());
        let summary =
            format!("The name {} does not exist: nobody has registered it, or it is misspelled.", self.name);
        let filtered = self.facts.extended_errors().iter().any(|code| (15..=17).contains(code));
        match self.facts.iterated() {
            Some(Iterated::DoesNotExist(iterated)) => Vote::broken(&["DNS05"], 0.97, summary)
                .cite(self.query, says)
                .cite(iterated, format!("asked directly, {} gave the same answer", self.authority(iterated)))
                .rule_out("DNS12", "the name's own servers say the same, so no filter of the resolver hides it")
                .user("check the spelling of the name")
                .service("if the name should exist: add it to the zone, or check that the domain's registration has not run out"),
            Some(Iterated::Found(iterated) | Iterated::NoData(iterated)) => self
                .hidden(iterated, "asked directly, the name's own servers know the name")
                .cite(self.query, says),
            Some(Iterated::Stuck(_)) | None => {
                if let Some(other) = self.facts.control("other_resolver").filter(|span| span.is_ok()) {
                    return self.hidden(other, "another name server knows the name").cite(self.query, says);
                }
                let (causes, confidence): (&[&str], f64) =
                    if filtered { (&["DNS12"], 0.9) } else { (&["DNS05", "DNS12", "DNS36"], 0.95) };
                Vote::broken(
                    causes,
                    confidence,
                    format!("According to the name server, the name {} does not exist.", self.name),
                )
                .cite(self.query, says)
                .probe("ask another name server and the name's own servers: if they know the name, it is filtered here", &[
                    "DNS05", "DNS12",
                ])
                .probe("look up the domain's registration (RDAP): an expired or suspended domain says so there", &[
                    "DNS05", "DNS36",
                ])
                .user("check the spelling of the name")
            }
        }
    }

    /// The resolver says no such name, somebody else knows it.
    fn hidden(&self, witness: &Span, says: &str) -> Vote {
        let by_rule = self.facts.extended_errors().iter().any(|code| (15..=17).contains(code));
        let causes: &[&str] = if by_rule { &["DNS12"] } else { &["DNS12", "DNS21"] };
        let vote = Vote::broken(
            causes,
            0.88,
            format!("The name {} exists, but {} hides it.", self.name, self.server()),
        )
        .cite(witness, says)
        .rule_out("DNS05", "the name exists elsewhere")
        .network("whoever runs the name server can say which rule hides the name, or clear an old answer")
        .user("ask another name server, if that is allowed here");
        if by_rule {
            vote.rule_out("DNS21", "the name server itself says that it filters the name")
        } else {
            vote.probe("ask again after the old answer's lifetime (at most a day): a filter stays, an old answer goes", &[
                "DNS12", "DNS21",
            ])
        }
    }

    /// The resolver says itself that it does not want to tell (RFC 8914 4.16 to 4.18).
    fn filtered(&self) -> Vote {
        Vote::broken(
            &["DNS12"],
            0.92,
            format!("{} filters the name {} on purpose.", capital(&self.server()), self.name),
        )
        .cite(self.query, "its answer says why: blocked, censored or filtered (an extended error)")
        .rule_out("DNS07", "it names the rule, and refuses this name, not this machine")
        .rule_out("DNS10", "the name was not even looked up")
        .network("whoever runs the name server can say which rule hides the name")
        .user("ask another name server, if that is allowed here")
    }

    /// The server said that it cannot read the question, or knows no such kind (FORMERR, NOTIMP).
    fn not_understood(&self) -> bool {
        matches!(self.query.text("dns.rcode"), Some("FORMERR" | "NOTIMP"))
            && (self.query.bool("dns.edns") == Some(true) || self.query.text("dns.rcode") == Some("NOTIMP"))
    }

    fn trips_over_extensions(&self) -> Vote {
        let rcode = self.query.text("dns.rcode").unwrap_or("FORMERR");
        let plain = self.facts.control("without_edns").filter(|span| span.is_ok());
        if self.query.bool("dns.edns") != Some(true) {
            return Vote::broken(
                &["DNS07", "DNS08"],
                0.6,
                format!(
                    "{} does not answer questions of this kind for {}.",
                    capital(&self.server()),
                    self.name
                ),
            )
            .cite(self.query, format!("it answered {rcode}: not implemented"))
            .undecided()
            .user("use another name server");
        }
        Vote::broken(
            &["DNS08"],
            if plain.is_some() { 0.95 } else { 0.8 },
            format!(
                "{} trips over the extensions of DNS, and so does not tell {}.",
                capital(&self.server()),
                self.name
            ),
        )
        .cite(self.query, format!("asked with EDNS (RFC 6891), it answered {rcode}"))
        .cite_if(plain, "asked without, it gives the answer")
        .rule_out("DNS16", "its answer can be read; it is the question that it could not")
        .network("update the name server, or the device before it that does not know EDNS")
        .user("use another name server, or switch EDNS off for this one")
    }

    fn no_data(&self) -> Vote {
        if let Some((asked, circle)) = self.facts.alias_circle() {
            return self.alias_loop(asked, &circle);
        }
        if let Some(Iterated::Found(found)) = self.facts.iterated()
            && let Some(vote) = crate::ip::no_translation(self.facts, self.query, found)
        {
            return vote;
        }
        Vote::broken(
            &["DNS06"],
            if matches!(self.facts.iterated(), Some(Iterated::NoData(_))) { 0.97 } else { 0.9 },
            format!("The name {} exists but has no address, so there is no server to connect to.", self.name),
        )
        .cite(self.query, format!("{} knows the name but has no address for it", self.server()))
        .rule_out("DNS05", "the answer was \"no such record\", not \"no such name\"")
        .user("check the name: perhaps it needs \"www.\" in front")
        .service("add an address record (A or AAAA) for the name")
    }

    /// Small answers come over UDP, this one does not: it was too large for the way.
    fn too_large(&self, small: &Span, says: &str) -> Vote {
        let over_tcp = self.facts.control("over_tcp").filter(|span| span.is_ok());
        Vote::broken(
            &["DNS17"],
            if over_tcp.is_some() { 0.93 } else { 0.75 },
            format!("The answer about {} is lost: it is too large for the way.", self.name),
        )
        .cite(self.query, says.to_owned())
        .cite(small, "the same server answers another question over UDP")
        .cite_if(over_tcp, "over TCP it answers this one, too")
        .rule_out("DNS02", "the server answers others")
        .rule_out("DNS03", "UDP passes in both directions")
        .network("let fragments of UDP and large answers through the firewall, or have the name server say less at once (EDNS size 1232)")
        .user("as a stopgap, ask over TCP")
    }

    /// The name server answers questions about other names at the same time, and none about this one.
    fn only_this_name(&self, says: &str) -> Option<Vote> {
        let other = self.facts.control("other_question").filter(|span| {
            span.bool("control.later") == Some(true) && span.bool("control.other_name") == Some(true)
        })?;
        let causes = &["DNS12", "DNS10"];
        Some(
            Vote::broken(
                causes,
                0.65,
                format!("{} answers other questions, and none about {}: it is filtered, or the name's own servers do not answer.", self.server(), self.name),
            )
            .cite(self.query, says.to_owned())
            .cite(other, "the same server answers a question about another name meanwhile")
            .rule_out("DNS02", "the server answers others")
            .rule_out("DNS03", "questions over UDP and their answers pass")
            .probe("ask another name server for this name: an answer means that it is filtered here", causes)
            .network("say whether this name is filtered, and lift it if that is not wanted")
            .user("try another name server"),
        )
    }

    fn silence(&self) -> Vote {
        let tries = self.query.int("dns.tries").unwrap_or(1);
        let says = format!(
            "asked {}, {} did not answer for {}",
            crate::facts::times(tries.max(1)),
            self.server(),
            crate::facts::ms(self.query.nanos())
        );
        let address = matches!(self.query.text("dns.type"), None | Some("A" | "AAAA"));
        if let Some(small) = self.facts.control("other_question").filter(|span| span.is_ok() && !address) {
            return self.too_large(small, &says);
        }
        if let Some(vote) = self.only_this_name(&says) {
            return vote;
        }
        let silent =
            format!("The name {} cannot be looked up: {} does not answer.", self.name, self.server());
        if let (Some(small), Some(over_tcp)) =
            (self.small_answer(), self.facts.control("over_tcp").filter(|span| span.is_ok()))
        {
            return self.large_lost(small, over_tcp, says);
        }
        let found = match self.facts.iterated() {
            Some(Iterated::Found(span) | Iterated::DoesNotExist(span) | Iterated::NoData(span)) => Some(span),
            _ => None,
        };
        let other = self.facts.control("other_resolver");
        // Any answer of another resolver shows that questions get out and answers come back.
        let answering = other.filter(|span| {
            span.is_ok() || span.failed_with("dns.nxdomain") || span.failed_with("dns.no_data")
        });
        if let Some(witness) = found.or(answering) {
            let who =
                if found.is_some() { "the name's own servers answer" } else { "another name server answers" };
            return Vote::broken(&["DNS02"], 0.95, silent)
                .cite(self.query, says)
                .cite(witness, format!("{who} the same question"))
                .rule_out("DNS03", "questions to other servers pass the same way")
                .rule_out("DNS10", "the servers that hold the name are reachable")
                .rule_out("IP05", "packets leave this network and answers come back")
                .user("use another name server for now")
                .network("restart or repair the name server, or hand out the address of a working one");
        }
        if let Some(over_tcp) =
            self.facts.control("over_tcp").filter(|span| span.code() != Some("dns.timeout"))
        {
            let answered =
                over_tcp.code().is_none_or(|code| code.starts_with("dns.") && code != "dns.unreachable");
            if answered {
                return self.only_over_tcp(over_tcp, says);
            }
        }
        let way_out = self.facts.works("other_site").or(self.facts.works("ping")).or_else(|| {
            self.facts
                .trace
                .all("ping")
                .any(|ping| ping.int("ping.received").unwrap_or(0) > 0)
                .then_some(true)
        });
        match (other, way_out) {
            (Some(other), Some(true)) => Vote::broken(
                &["DNS03"],
                0.75,
                "No name can be looked up: questions to every name server are lost, although other traffic passes.",
            )
            .cite(self.query, says)
            .cite(other, "another name server does not answer either")
            .rule_out("DNS02", "two independent name servers are silent")
            .probe("ask over TCP: if that is answered, only UDP port 53 is blocked", &["DNS03", "FW04"])
            .network("allow name lookups (UDP and TCP port 53) through the firewall"),
            (Some(other), _) => self.nothing_answers(other, says),
            (None, _) => {
                let vote = Vote::broken(&["DNS02", "DNS03", "IP05"], 0.7, silent)
                    .cite(self.query, says)
                    .probe("ask another name server: if it answers, only the first one is silent", &["DNS02", "DNS03"])
                    .probe("connect to a literal address: if that works, the network is fine and only names fail", &[
                        "DNS02", "IP05",
                    ])
                    .user("try another name server");
                if way_out == Some(true) { vote } else { vote.undecided() }
            }
        }
    }

    /// No name server, over no transport, and no ping: how far do packets get at all?
    fn nothing_answers(&self, other: &Span, says: String) -> Vote {
        let last = self.facts.trace.all("route").find_map(|route| route.address("route.last_responding"));
        let tcp_silent = self.facts.control("over_tcp").is_some_and(|span| span.failed_with("dns.timeout"));
        let traced = self.facts.trace.all("route").next();
        let vote = match (last, traced) {
            (Some(last), _) => {
                let last = self.facts.trace.named(last);
                Vote::broken(
                    &["IP05", "FW04"],
                    0.8,
                    format!("Nothing beyond {last} answers this machine: no name server, no ping."),
                )
                .cite_if(traced, format!("the last router to answer was {last}"))
                .rule_out("IP02", "a router on the way answers, so the gateway does pass packets on")
                .probe("connect to a literal address outside, on port 443: an answer means that a firewall lets only some traffic out", &["IP05", "FW04"])
                .network(format!("check what lies behind {last}: the provider's line is down, or filtered"))
            }
            (None, Some(traced)) if tcp_silent => Vote::broken(
                &["IP02", "IP05"],
                0.85,
                "Nothing outside this network answers, not even the first router: the gateway does not pass packets on.",
            )
            .cite(traced, "no router on the way answered, not even the first")
            .rule_out("LNK04", "the gateway answers on the local network")
            .rule_out("DNS03", "over TCP no name server answers either")
            .probe("look up which address the gateway should have, and ping it: a machine that answers and forwards nothing is the wrong one", &["IP02", "IP05"])
            .user("compare the default gateway with that of a machine that works"),
            _ => Vote::broken(
                &["IP02", "IP05", "DNS03"],
                0.6,
                "No name server answers, and nothing else shows that this machine reaches the internet at all.",
            )
            .probe("ping the gateway and a literal address outside: if they answer, only name lookups are blocked", &[
                "IP02", "IP05", "DNS03",
            ])
            .undecided(),
        };
        vote.cite(self.query, says)
            .cite(other, "another name server does not answer either")
            .user("check the network connection of this machine")
    }

    /// The answer over UDP said \"ask again over TCP\", and there was none.
    fn cut_short(&self) -> Vote {
        Vote::broken(
            &["DNS04"],
            0.94,
            format!(
                "The answer about {} does not fit into one packet, and {} cannot be reached over TCP.",
                self.name,
                self.server()
            ),
        )
        .cite(
            self.query,
            "the answer over UDP was cut short on purpose (TC), which means: ask again over TCP; that failed",
        )
        .rule_out("DNS02", "the name server answers over UDP")
        .rule_out("DNS17", "a cut answer did arrive; large ones that are lost would leave silence")
        .network("let TCP connections to port 53 of the name server through (RFC 7766)")
        .user("ask another name server")
        .service("give the name fewer addresses, so that the answer fits")
    }

    /// Asked for a small answer, the name server gave one over UDP.
    fn small_answer(&self) -> Option<&Span> {
        self.facts
            .control("without_edns")
            .filter(|span| span.code().is_none_or(|code| matches!(code, "dns.no_data" | "dns.nxdomain")))
    }

    /// Large answers over UDP are lost, small ones and TCP pass.
    fn large_lost(&self, small: &Span, over_tcp: &Span, says: String) -> Vote {
        let cut = self
            .facts
            .trace
            .children_of(small.id, "dns.query")
            .any(|query| query.bool("dns.truncated") == Some(true));
        // A whole answer to a question of the old kind would also come from who does not know the new kind.
        let causes: &[&str] = if cut { &["DNS17"] } else { &["DNS17", "DNS08"] };
        let vote = Vote::broken(
            causes,
            0.9,
            format!("The name {} cannot be looked up: its large answer is lost on the way, small ones pass.", self.name),
        )
        .cite(self.query, says)
        .cite(small, "asked for a small answer over UDP, the same server answers at once")
        .cite(over_tcp, "over TCP it gives the whole answer")
        .rule_out("DNS03", "UDP passes, as long as the answer is small")
        .rule_out("DNS02", "the name server is up and answers")
        .network("let large UDP packets and fragments pass, or have the name server answer with at most 1232 bytes")
        .user("as a stopgap, have names looked up over TCP, TLS or HTTPS")
        .service("give the name fewer addresses, so that the answer is small");
        match causes {
            [_, _, ..] => vote.probe("ask with EDNS for at most 512 bytes: an answer means that the size is the trouble, silence that EDNS is", causes),
            _ => vote,
        }
    }

    /// The same server answers over TCP: something takes away UDP.
    fn only_over_tcp(&self, over_tcp: &Span, says: String) -> Vote {
        let summary = "No name can be looked up: questions over UDP are lost, although the same server answers over TCP.";
        let vote = Vote::broken(&["DNS03"], 0.95, summary)
            .cite(self.query, says)
            .cite(over_tcp, "asked over TCP, the same server answers")
            .rule_out("DNS02", "the server is up: over TCP it answers")
            .rule_out("IP05", "packets to the server arrive and answers come back")
            .network("allow name lookups over UDP (port 53) through the firewall")
            .user("as a stopgap, have names looked up over TCP, TLS or HTTPS");
        match self.facts.control("other_resolver") {
            Some(other) if other.failed_with("dns.timeout") => {
                vote.cite(other, "over UDP another name server does not answer either")
            }
            _ => vote,
        }
    }

    /// The servers that the zone above names do not know the zone (RFC 1912 2.8: a lame delegation).
    fn lame(&self, stuck: &Span, says: String) -> Vote {
        let zone = stuck.text("dns.authority_zone").unwrap_or("the zone").trim_end_matches('.');
        Vote::broken(
            &["DNS23"],
            0.93,
            format!(
                "The name {} cannot be looked up: the server that is to answer for {zone} knows nothing of it.",
                self.name
            ),
        )
        .cite(self.query, says)
        .cite(stuck, format!("asked directly, {} {}", self.authority(stuck), failure_text(stuck)))
        .rule_out("DNS10", "the server is there and answers, only not for this zone")
        .rule_out("DNS11", "asked directly, the same: it is not the resolver")
        .service("load the zone on the server that the zone above names, or have the zone above name the right one")
        .user("nothing to repair here; tell the site's owner")
    }

    /// Aliases that lead back to where they began (RFC 1034 3.6.2).
    fn alias_loop(&self, asked: &Span, circle: &[String]) -> Vote {
        Vote::broken(
            &["DNS26"],
            0.95,
            format!("The name {} leads in a circle: {}.", self.name, circle.join(" is an alias of ")),
        )
        .cite(self.query, "no address came out of it")
        .cite(asked, "each alias points to the next, and the last to the first")
        .rule_out("DNS10", "the name's own servers answer")
        .rule_out("DNS05", "the name exists, as an alias")
        .service("let one of the names have an address instead of an alias")
        .user("nothing to repair here; tell the site's owner")
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

    /// All addresses that the zone above gives for the name's own servers are of private networks.
    fn private_servers(&self, stuck: &Span, says: String) -> Option<Vote> {
        let silent =
            |query: &&Span| matches!(query.code(), Some("dns.timeout" | "dns.unreachable" | "ip.no_route"));
        let asked: Vec<&Span> = self.facts.trace.children_of(stuck.id, "dns.query").collect();
        let last = asked.last().filter(|query| silent(query))?;
        let zone = last.text("dns.zone")?;
        let of_zone = || asked.iter().filter(|query| query.text("dns.zone") == Some(zone));
        let nowhere =
            |query: &Span| query.address("dns.server").is_some_and(|server| crate::ip::is_private(&server));
        if !of_zone().all(|query| silent(query) && nowhere(query)) {
            return None;
        }
        let address = last.address("dns.server")?;
        let zone = zone.trim_end_matches('.');
        Some(
            Vote::broken(
                &["DNS24"],
                0.92,
                format!(
                    "The name {} cannot be looked up: the zone above gives {zone} a name server with the private address {address}, which nobody outside can reach.",
                    self.name
                ),
            )
            .cite(self.query, says)
            .cite(last, format!("the address that was given for the server of {zone} is {address}, and it does not answer"))
            .rule_out("DNS10", "no public address of a server is known, so none can have failed")
            .rule_out("DNS11", "asked directly, the same: it is not the resolver")
            .service("correct the address (glue) of the name server at the zone above, at the registrar")
            .user("nothing to repair here; tell the site's owner"),
        )
    }

    fn server_failure(&self) -> Vote {
        let says = format!("{} answered that it failed (SERVFAIL)", self.server());
        if let Some((asked, circle)) = self.facts.alias_circle() {
            return self.alias_loop(asked, &circle);
        }
        if let Some(Iterated::Stuck(stuck)) = self.facts.iterated()
            && (stuck.failed_with("dns.lame") || stuck.failed_with("dns.refused"))
        {
            return self.lame(stuck, says);
        }
        if let Some(Iterated::Stuck(stuck)) = self.facts.iterated()
            && let Some(vote) = self.private_servers(stuck, says.clone())
        {
            return vote;
        }
        let errors = self.facts.extended_errors();
        let summary_authority =
            format!("The name {} cannot be looked up: the servers that hold it do not answer.", self.name);
        let unchecked = self.facts.control("checking_disabled");
        let iterated = self.facts.iterated();
        // "No such name" without checks is an answer as well: then it is the proof of it that fails.
        let answers =
            |span: &&Span| span.code().is_none_or(|code| matches!(code, "dns.nxdomain" | "dns.no_data"));
        if let Some(unchecked) = unchecked.filter(answers) {
            return signatures::vote(&signatures::Seen {
                facts: self.facts,
                query: self.query,
                name: &self.name,
                server: &self.server(),
                says,
                unchecked,
            });
        }
        match (unchecked, iterated) {
            (Some(unchecked), Some(Iterated::Stuck(stuck))) => {
                Vote::broken(&["DNS10"], 0.95, summary_authority)
                    .cite(self.query, says)
                    .cite(unchecked, "without checking signatures it fails as well")
                    .cite(
                        stuck,
                        format!(
                            "asked directly, {} did not answer properly: {}",
                            self.authority(stuck),
                            failure_text(stuck)
                        ),
                    )
                    .rule_out("DNS09", "the failure stays when signatures are not checked")
                    .rule_out(
                        "DNS11",
                        "asked directly, the name's own servers fail too, so it is not the resolver",
                    )
                    .service(
                        "restart the name servers of the zone, or correct where the zone above points to",
                    )
                    .user("nothing to repair here; wait for the site's owner")
            }
            (None, Some(Iterated::Stuck(stuck))) => Vote::broken(&["DNS10"], 0.88, summary_authority)
                .cite(self.query, says)
                .cite(
                    stuck,
                    format!(
                        "asked directly, {} did not answer properly: {}",
                        self.authority(stuck),
                        failure_text(stuck)
                    ),
                )
                .rule_out(
                    "DNS11",
                    "asked directly, the name's own servers fail too, so it is not the resolver",
                )
                .probe(
                    "ask without signature checks (CD=1): data would mean broken signatures",
                    &["DNS10", "DNS09"],
                )
                .service("restart the name servers of the zone, or correct where the zone above points to"),
            (
                Some(unchecked),
                Some(Iterated::Found(found) | Iterated::DoesNotExist(found) | Iterated::NoData(found)),
            ) => Vote::broken(
                &["DNS11", "DNS10"],
                0.85,
                format!(
                    "{} fails to look up {}, although the name's own servers answer us.",
                    capital(&self.server()),
                    self.name
                ),
            )
            .cite(self.query, says)
            .cite(unchecked, "without checking signatures it fails as well")
            .cite(found, "asked directly, the name's own servers answer")
            .rule_out("DNS09", "the failure stays when signatures are not checked")
            .probe(
                "ask for other names and repeat: an overloaded server fails now and then, for any name",
                &["DNS10", "DNS11"],
            )
            .network("check the name server: it is overloaded, or cut off from the name's own servers")
            .user("use another name server for now"),
            (Some(unchecked), None) => {
                let causes: &[&str] = &["DNS10", "DNS11"];
                Vote::broken(
                    causes,
                    0.9,
                    format!("{} cannot look up the name {}.", capital(&self.server()), self.name),
                )
                .cite(self.query, says)
                .cite(unchecked, "without checking signatures it fails as well")
                .rule_out("DNS09", "the failure stays when signatures are not checked")
                .probe("ask the name's own servers directly: silence there means they are at fault", causes)
            }
            (None, _) => {
                let found = match iterated {
                    Some(Iterated::Found(span) | Iterated::DoesNotExist(span) | Iterated::NoData(span)) => {
                        Some(span)
                    }
                    _ => None,
                };
                let bogus = errors.iter().any(|code| (6..=12).contains(code));
                // A resolver that says that the signatures are bad has checked them (RFC 8914 4.7 to 4.13); on its word
                // alone the general cause stays beside the special one.
                let told: Vec<&str> = errors
                    .iter()
                    .find_map(|code| signatures::cause(*code))
                    .into_iter()
                    .chain(["DNS09"])
                    .collect();
                let causes: &[&str] = match (bogus, found) {
                    (true, _) => &told,
                    (false, Some(_)) => &["DNS09", "DNS11"],
                    (false, None) => &["DNS10", "DNS09", "DNS11"],
                };
                Vote::broken(
                    causes,
                    0.9,
                    format!("{} failed to look up the name {}.", capital(&self.server()), self.name),
                )
                .cite(self.query, says)
                .cite_if(found, "asked directly, the name's own servers answer")
                .probe(
                    "ask again without signature checks (CD=1): data would mean broken signatures",
                    &["DNS09", "DNS10"],
                )
                .probe(
                    "ask the name's own servers directly: silence there means they are at fault",
                    &["DNS10", "DNS11"],
                )
            }
        }
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
