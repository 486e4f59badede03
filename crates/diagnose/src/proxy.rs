//! Proxies: they were not found, took no connection, or did not pass the request on.

use crate::facts::{Facts, failure_text, remote};
use crate::vote::Vote;
use thru_trace::Span;

/// What other rules say of the lookup of the proxy's name and of the connection to it, which are no faults of the target.
const CONSEQUENCES: &[&str] = &[
    "DNS01", "DNS02", "DNS03", "DNS05", "DNS06", "DNS07", "DNS09", "DNS10", "DNS11", "DNS12", "DNS21",
    "DNS36", "DNS23", "TCP01", "TCP03", "TCP06", "FW01", "FW02", "FW03", "FW17", "FW18", "IP04", "IP05",
    "IP07", "IP02", "FW04", "LNK05", "IP06", "HST04",
];

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    let Some(tunnel) = facts.steps("tunnel").filter(|span| span.code().is_some()).last() else {
        return Vec::new();
    };
    let Some(code) = tunnel.code().and_then(|code| code.strip_prefix("proxy.")) else { return Vec::new() };
    let case = Case { facts, tunnel, proxy: tunnel.text("proxy.name").unwrap_or("the proxy").to_owned() };
    let status = code.strip_prefix("status.").and_then(|status| status.parse::<u16>().ok());
    let vote = match (code, status) {
        (_, Some(407)) => case.login(),
        (_, Some(status @ (404 | 500..))) => case.upstream(status),
        (_, Some(status)) => case.denied(status),
        ("socks.login", _) => case.login(),
        (code, _) if code.starts_with("socks.") => case.socks(),
        (code, _) if code.starts_with("dns.") => case.no_name(),
        ("protocol", _) => case.no_proxy(),
        _ => case.no_connection(),
    };
    vec![vote.explains(CONSEQUENCES)]
}

/// What a proxy answered to CONNECT (RFC 9110 9.3.6), where only the packets tell that it is one.
pub(crate) fn refused(facts: &Facts<'_>, exchange: &Span, status: u16) -> Vote {
    let case = Case { facts, tunnel: exchange, proxy: remote(exchange) };
    match status {
        407 => case.login(),
        // Some say that they know no such site.
        404 | 500.. => case.upstream(status),
        _ => case.denied(status),
    }
}

/// Whether an exchange asked a proxy for a tunnel.
pub(crate) fn asked_for_a_tunnel(exchange: &Span) -> bool {
    exchange.text("http.method") == Some("CONNECT")
}

struct Case<'a> {
    facts: &'a Facts<'a>,
    tunnel: &'a Span,
    proxy: String,
}

impl Case<'_> {
    fn login(&self) -> Vote {
        let shown = self.tunnel.bool("proxy.login") == Some(true);
        let summary = match shown {
            true => format!("The proxy {} refuses the login that it was shown.", self.proxy),
            false => format!("The proxy {} wants a login before it passes the request on.", self.proxy),
        };
        let user = match shown {
            true => "check the user name and the password that are set for the proxy",
            false => "enter the proxy's user name and password in the network settings",
        };
        Vote::broken(&["PX03"], 0.95, summary)
            .cite(self.tunnel, failure_text(self.tunnel))
            .rule_out("PX02", "the proxy is there and answers")
            .rule_out("H101", "it is the proxy that refuses; the site was never asked")
            .user(user)
            .network("tell this machine's user how to log in to the proxy")
    }

    fn denied(&self, status: u16) -> Vote {
        Vote::broken(
            &["PX04"],
            0.93,
            format!(
                "The proxy {} does not allow connections to {} (status {status}).",
                self.proxy,
                self.facts.subject()
            ),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .rule_out("PX02", "the proxy is there and answers")
        .rule_out("PX05", "it did not try to reach the site: it forbids it")
        .rule_out("FW21", "the site itself was never asked")
        .network("say whether the site and its port are meant to be forbidden, and allow them if not")
        .user("ask whoever runs the proxy")
    }

    fn upstream(&self, status: u16) -> Vote {
        Vote::broken(
            &["PX05"],
            0.93,
            format!(
                "The proxy {} works, but cannot reach {} itself (status {status}).",
                self.proxy,
                self.facts.subject()
            ),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .rule_out("PX02", "the proxy is there and answers")
        .rule_out("PX04", "it does not forbid the site; it could not get through")
        .network("look up and connect to the site from the proxy's own machine: its log says what failed")
        .service("check that the site is up; seen from the proxy it is not")
        .user("try another site through the proxy: if that works, tell the site's owner")
    }

    fn socks(&self) -> Vote {
        Vote::broken(
            &["PX08"],
            0.93,
            format!(
                "The proxy {} did not pass the connection to {} on: {}.",
                self.proxy,
                self.facts.subject(),
                self.says()
            ),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .rule_out("PX02", "the proxy is there and answers")
        .network("connect to the site from the proxy's own machine: the reply code says how far it came")
        .service("check that the site is up; seen from the proxy it is not")
        .user("try another site through the proxy: if that works, tell the site's owner")
    }

    fn says(&self) -> String {
        let text = failure_text(self.tunnel);
        text.strip_prefix("the proxy answered: ").map_or(text.clone(), str::to_owned)
    }

    fn no_name(&self) -> Vote {
        Vote::broken(
            &["PX01"],
            0.95,
            format!(
                "The name of the proxy {} cannot be looked up, so no request leaves through it.",
                self.proxy
            ),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .rule_out("DNS05", "it is the proxy's name that fails; the site's was never asked for")
        .rule_out("PX02", "no connection to the proxy was tried: its address is unknown")
        .user("check the proxy's name in the settings of this machine; without a proxy, take it out")
        .network("put the proxy's name into DNS, or hand out its right name")
    }

    fn no_proxy(&self) -> Vote {
        Vote::broken(
            &["PX02"],
            0.85,
            format!("What answers at {} is no proxy of the kind that was asked for.", self.proxy),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .user("check the proxy's kind (HTTP or SOCKS) and port in the settings of this machine")
        .network("say which proxy this network has, and at which port")
    }

    fn no_connection(&self) -> Vote {
        Vote::broken(
            &["PX02"],
            0.93,
            format!("The proxy {} does not take the request: it is down, or the way to it is blocked.", self.proxy),
        )
        .cite(self.tunnel, failure_text(self.tunnel))
        .rule_out("PX01", "its name was found")
        .rule_out("PX05", "the site is not to blame: the request never came so far")
        .network("start the proxy, and check that its port is open for this machine")
        .user("check the proxy's address and port in the settings of this machine; without a proxy, take it out")
    }
}
