//! Questions without an answer: the server, the way, the size, or UDP itself?

use thru_trace::Span;

use super::{Case, Iterated};
use crate::vote::Vote;

/// Records that often take more than one packet.
const LARGE: [&str; 6] = ["TXT", "DNSKEY", "NS", "MX", "TYPE46", "TYPE255"];

impl Case<'_> {
    /// Small answers come over UDP, this one does not: it was too large for the way.
    pub(super) fn too_large(&self, small: &Span, says: &str) -> Vote {
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

    /// The answer was cut into pieces on the way, and only the first of them came.
    fn torn(&self, says: &str) -> Vote {
        Vote::broken(
            &["DNS17"],
            0.93,
            format!("The answer about {} is lost: it is too large for one packet, and only its first piece arrives.", self.name),
        )
        .explains(&["IP16", "DNS03", "DNS02"])
        .cite(self.query, format!("{says}; the first fragment of an answer came, and never the rest"))
        .cite_if(self.facts.control("over_tcp").filter(|span| span.is_ok()), "over TCP it answers")
        .rule_out("DNS02", "the server does answer")
        .rule_out("DNS03", "the first piece came over UDP")
        .network("let fragments of UDP through the firewall, or have the name server say less at once (EDNS size 1232)")
        .user("as a stopgap, ask over TCP")
    }

    /// The name server answers questions about other names at the same time, and none about this one.
    pub(super) fn only_this_name(&self, says: &str) -> Option<Vote> {
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

    pub(super) fn silence(&self) -> Vote {
        let tries = self.query.int("dns.tries").unwrap_or(1);
        let says = format!(
            "asked {}, {} did not answer for {}",
            crate::facts::times(tries.max(1)),
            self.server(),
            crate::facts::ms(self.query.nanos())
        );
        if self.query.bool("dns.torn") == Some(true) {
            return self.torn(&says);
        }
        let large = self.query.text("dns.type").is_some_and(|kind| LARGE.contains(&kind))
            || self.facts.control("over_tcp").is_some_and(Span::is_ok);
        let address = matches!(self.query.text("dns.type"), None | Some("A" | "AAAA"));
        let small = self.facts.control("other_question").filter(|span| span.is_ok());
        if let Some(small) = small.filter(|_| large && !address) {
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
        if let Some(small) = self.small_answer() {
            return self.silent_about_extensions(small, says);
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
            (None, None) if self.next_silent().is_some() && self.nothing_on_the_way() => {
                self.nothing_answers(self.next_silent().unwrap_or(self.query), says)
            }
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

    /// A question of the same lookup to another server, which is silent as well.
    fn next_silent(&self) -> Option<&Span> {
        let server = self.query.address("dns.server");
        self.facts.steps("dns.query").find(|span| {
            span.parent == self.query.parent
                && span.failed_with("dns.timeout")
                && span.address("dns.server") != server
        })
    }

    /// Whether a way was traced and nobody on it answered.
    fn nothing_on_the_way(&self) -> bool {
        let mut routes = self.facts.trace.all("route").peekable();
        routes.peek().is_some() && routes.all(|route| route.address("route.last_responding").is_none())
    }

    /// No name server, over no transport, and no ping: how far do packets get at all?
    pub(super) fn nothing_answers(&self, other: &Span, says: String) -> Vote {
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
    pub(super) fn cut_short(&self) -> Vote {
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
    pub(super) fn small_answer(&self) -> Option<&Span> {
        self.facts
            .control("without_edns")
            .filter(|span| span.code().is_none_or(|code| matches!(code, "dns.no_data" | "dns.nxdomain")))
    }

    /// Large answers over UDP are lost, small ones and TCP pass.
    pub(super) fn large_lost(&self, small: &Span, over_tcp: &Span, says: String) -> Vote {
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
    pub(super) fn only_over_tcp(&self, over_tcp: &Span, says: String) -> Vote {
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
}
