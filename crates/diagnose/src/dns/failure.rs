//! The resolver says that it failed (SERVFAIL), or was refused: by the name's own servers, or by its own fault?

use thru_trace::Span;

use super::{Case, Iterated, capital, signatures};
use crate::facts::failure_text;
use crate::vote::Vote;

impl Case<'_> {
    /// The servers that the zone above names do not know the zone (RFC 1912 2.8: a lame delegation).
    pub(super) fn lame(&self, stuck: &Span, says: String) -> Vote {
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

    /// All addresses that the zone above gives for the name's own servers are of private networks.
    pub(super) fn private_servers(&self, stuck: &Span, says: String) -> Option<Vote> {
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

    /// The resolver says that the name's servers did not answer it, and without checks, which need more of their answers, it
    /// has the address.
    pub(super) fn too_late(&self, unchecked: &Span, says: String) -> Vote {
        Vote::broken(
            &["DNS10", "DNS45"],
            0.8,
            format!(
                "The name {} cannot be looked up: the servers that hold it or the zones above answer too late, or only now and then.",
                self.name
            ),
        )
        .cite(self.query, format!("{says}, because servers of the name did not answer it in time"))
        .cite(unchecked, "without checking signatures, which takes fewer questions, it has the address")
        .rule_out("DNS09", "no signature was found wrong: what it needs to check them did not come")
        .probe("ask the name's own servers several times and take the time: late answers mean slow servers, none mean dead ones", &["DNS10", "DNS45"])
        .service("look at the load of the zone's name servers and at the way to them")
        .user("try again: what came late may be known by then")
    }

    /// The resolver says that it reached none of the name's servers, and nobody else was asked.
    fn cut_off(&self, says: String, summary: String) -> Vote {
        let refused = ["REFUSED", "NOTAUTH"].into_iter().find(|rcode| self.facts.told_of_answer(rcode));
        if let Some(rcode) = refused {
            return self.told_lame(says, rcode);
        }
        // A code for "no server could be reached" is for those that refuse, too (RFC 8914 4.23); one for the network is not.
        let network = self.facts.extended_errors().contains(&NETWORK_ERROR);
        let causes: &[&str] = if network { &["DNS10"] } else { &["DNS10", "DNS23"] };
        Vote::broken(causes, 0.88, summary)
            .explains(&["DNS09", "DNS11"])
            .cite(self.query, format!("{says}, and why: it reached none of the name's own servers (an extended error)"))
            .rule_out("DNS09", "the resolver names the way to the name's servers, not their signatures")
            .probe("ask the name's own servers directly: an answer means that only this resolver is cut off from them", &["DNS10", "DNS11"])
            .service("restart the name servers of the zone, or correct where the zone above points to")
    }

    /// The resolver says that the name's servers answered, and that they know nothing of the zone.
    fn told_lame(&self, says: String, rcode: &str) -> Vote {
        let summary = format!(
            "The name {} cannot be looked up: the servers that are to answer for it know nothing of it.",
            self.name
        );
        Vote::broken(&["DNS23"], 0.88, summary)
            .explains(&["DNS09", "DNS11", "DNS10"])
            .cite(self.query, format!("{says}, and why: the name's own servers answered it with {rcode} (an extended error)"))
            .rule_out("DNS10", "the name's own servers are there and answer, only not for this zone")
            .probe("ask the name's own servers directly: a refusal shows that they do not hold the zone", &["DNS23", "DNS11"])
            .service("load the zone on the servers that the zone above names, or have the zone above name the right ones")
            .user("nothing to repair here; tell the site's owner")
    }

    pub(super) fn server_failure(&self) -> Vote {
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
            // Keys that nobody handed over in time prove nothing about signatures.
            let missing = errors.iter().any(|code| matches!(code, 22 | 23));
            let broken = errors.iter().any(|code| (6..=12).contains(code))
                || self.facts.control("iterate").is_some_and(|own| own.text("dns.security") == Some("bogus"));
            if missing && !broken {
                return self.too_late(unchecked, says);
            }
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
                // The resolver says itself that the name's servers do not answer it (RFC 8914 4.23, 4.24).
                if found.is_none() && errors.iter().any(|code| matches!(code, 22 | 23)) {
                    return self.cut_off(says, summary_authority);
                }
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
}

/// Something went wrong between two name servers (RFC 8914 4.24).
const NETWORK_ERROR: i64 = 23;
