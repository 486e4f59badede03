//! Answers that say no: no such name, nothing of that kind, filtered.

use thru_trace::Span;

use super::{Case, Iterated, capital};
use crate::vote::Vote;

impl Case<'_> {
    pub(super) fn name_does_not_exist(&self) -> Vote {
        let says = format!("{} answered that the name does not exist (NXDOMAIN)", self.server());
        let summary =
            format!("The name {} does not exist: nobody has registered it, or it is misspelled.", self.name);
        let filtered = self.facts.extended_errors().iter().any(|code| (15..=17).contains(code));
        match self.facts.iterated() {
            Some(Iterated::DoesNotExist(iterated)) if self.known_inside().is_some() => self.inside_only(iterated, says),
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

    /// Another name server that gave the name an address.
    fn known_inside(&self) -> Option<&Span> {
        self.facts.control("other_resolver").filter(|span| span.is_ok())
    }

    /// The public name servers do not know the name, and another one does: it belongs to the inside of some network.
    fn inside_only(&self, iterated: &Span, says: String) -> Vote {
        Vote::broken(
            &["DNS41"],
            0.9,
            format!(
                "The name {} is known inside some network only, and this machine asks the public name servers.",
                self.name
            ),
        )
        .cite(self.query, says)
        .cite(iterated, format!("asked directly, {} gave the same answer", self.authority(iterated)))
        .cite_if(self.known_inside(), "another name server gives the name an address")
        .rule_out("DNS05", "the name exists, for who asks the right name server")
        .rule_out("DNS12", "nobody hides it: its public servers do not have it either")
        .network("hand out the name server that knows the names of the inside, with the address or over the VPN")
        .user("connect to the network that the name belongs to (VPN), or enter its name server in the settings")
    }

    /// The resolver says no such name, somebody else knows it.
    pub(super) fn hidden(&self, witness: &Span, says: &str) -> Vote {
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
    pub(super) fn filtered(&self) -> Vote {
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

    pub(super) fn no_data(&self) -> Vote {
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

    /// Aliases that lead back to where they began (RFC 1034 3.6.2).
    pub(super) fn alias_loop(&self, asked: &Span, circle: &[String]) -> Vote {
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
}
