//! Requests on a connection: what was asked, what came of it, where redirects led.

use thru_trace::{Layer, SpanId, Step, Value};

use super::counters::reset_by;
use super::socket;
use crate::exchange::Exchange;
use crate::flow::{AfterIdle, Revival, TcpFlow};
use crate::kept::Moment;
use crate::tell::Teller;

impl Teller<'_> {
    pub(in crate::tell) fn exchange(&mut self, parent: Option<SpanId>, exchange: &Exchange, flow: &TcpFlow) {
        let ends = (socket(flow.remote()), socket(flow.local()));
        let pauses = flow.pauses[flow.server()];
        let step = self.exchange_step(exchange).set("tcp.remote", ends.0).set("tcp.local", ends.1);
        let step = reset_by(step, flow)
            .set("http.longest_pause", Value::Nanos(pauses.longest))
            .set("http.long_pauses", pauses.long.0)
            .set("http.long_paused", Value::Nanos(pauses.long.1))
            .set("http.pauses", pauses.count)
            .set("http.paused", Value::Nanos(pauses.total));
        let told = flow.told.iter().find(|told| told.at > exchange.start && told.outcome().is_some());
        let step = match told.and_then(|told| Some((told, told.outcome()?))) {
            Some((told, outcome)) => {
                step.set("icmp.kind", told.words()).set("icmp.from", told.from).set("icmp.outcome", outcome)
            }
            None => step,
        };
        let undisturbed =
            exchange.answered.is_some_and(|answered| flow.waited_in_peace(exchange.start, answered));
        self.add_exchange(parent, exchange, step, undisturbed);
    }

    pub(in crate::tell) fn exchange_step(&self, exchange: &Exchange) -> Step {
        let label = format!("{} {}", exchange.method, exchange.url);
        let mut step = Step::new(Layer::Http, "exchange", label.trim())
            .set("http.url", exchange.url.clone())
            .set("http.version", exchange.version.clone());
        if !exchange.method.is_empty() {
            step = step.set("http.method", exchange.method.clone());
        }
        if let Some(status) = exchange.status {
            step = step.set("http.status", i64::from(status));
        }
        if let Some(bytes) = exchange.bytes {
            step = step.set("http.bytes", bytes);
        }
        if let Some(chunked) = exchange.chunked {
            step = step.set("http.chunked", chunked);
        }
        if exchange.sealed {
            step = step.set("http.sealed", true);
        }
        let texts = [
            ("http.location", &exchange.location),
            ("http.server", &exchange.server),
            ("http.retry_after", &exchange.retry_after),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                step = step.set(key, text.clone());
            }
        }
        for (key, value) in &exchange.noted {
            step = step.set(key, value.clone());
        }
        step
    }

    /// `undisturbed`: nothing had to be sent again while the answer was waited for.
    pub(in crate::tell) fn add_exchange(
        &mut self,
        parent: Option<SpanId>,
        exchange: &Exchange,
        step: Step,
        undisturbed: bool,
    ) {
        let step = self.between(step, exchange.start, exchange.end);
        let step = match (&exchange.failure, exchange.unclear) {
            (Some((code, text)), _) => step.failed(code, text),
            (None, Some(why)) => step.skipped(why),
            (None, None) => step,
        };
        let step = match parent {
            Some(parent) => step.under(parent),
            None => step,
        };
        let id = self.trace.add(step);
        let Some(answered) = exchange.answered.filter(|answered| *answered <= exchange.end) else { return };
        let wait = Step::new(Layer::Http, "wait", "wait for the answer");
        let wait = if undisturbed { wait.set("wait.undisturbed", true) } else { wait };
        // Nobody thinks about a request before it is there.
        let asked = exchange.asked.filter(|asked| *asked < answered).unwrap_or(exchange.start);
        let wait = self.between(wait, asked, answered);
        self.trace.add(wait.under(id));
        let transfer = Step::new(Layer::Http, "transfer", "receive the answer");
        let transfer = self.between(transfer, answered, exchange.end);
        self.trace.add(transfer.under(id));
    }

    /// Redirects that come back to where they began (RFC 9110 15.4).
    pub(in crate::tell) fn redirects(&mut self, exchanges: &[Exchange]) {
        let redirected: Vec<&Exchange> = exchanges
            .iter()
            .filter(|exchange| {
                // Where the requests were not captured nobody knows whether they were for one address.
                exchange.status.is_some_and(|status| (300..400).contains(&status) && status != 304)
                    && !exchange.method.is_empty()
            })
            .collect();
        let (Some(last), Some(end)) = (redirected.last(), exchanges.last()) else { return };
        let nowhere = |exchange: &Exchange| {
            matches!(exchange.status, Some(301 | 302 | 303 | 307 | 308))
                && exchange.failure.is_none()
                && !exchange.location.as_deref().is_some_and(leads_to_a_page)
        };
        if nowhere(end) {
            self.fail_last("http.bad_redirect", "redirected, but not to any address of a page");
            return;
        }
        let again = redirected.iter().filter(|exchange| exchange.url == last.url).count();
        if again < REDIRECTS_MIN || end.url != last.url || end.status != last.status {
            return;
        }
        self.fail_last("http.redirect_loop", &format!("the same address was redirected {again} times"));
    }

    /// What came to light about the last exchange afterwards.
    fn fail_last(&mut self, code: &str, text: &str) {
        let span = self.trace.spans.iter_mut().rev().find(|span| span.what == "exchange");
        if let Some(span) = span {
            span.outcome = thru_trace::Outcome::Failed { code: code.into(), text: text.into() };
        }
    }
}

/// Whether a visitor can follow this redirect: to an address of http, or to a place on the same server (RFC 9110
/// 10.2.2).
fn leads_to_a_page(location: &str) -> bool {
    let location = location.trim();
    let scheme = location.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    });
    match scheme {
        Some((scheme, rest)) => {
            let host = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
            let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
            is_http && !host.is_empty()
        }
        None => !location.is_empty(),
    }
}

/// A session of two routers that one of them ended, and said why.
pub(super) fn notified(flow: &TcpFlow, name: &str) -> Option<Exchange> {
    let (by, at, (code, subcode)) = flow.notified?;
    let large = |side: usize| flow.sides[side].stuck.filter(|_| flow.sides[side].unacknowledged() > 0);
    let stuck = (0..2).filter_map(large).map(|(_, len)| u64::from(len)).max().unwrap_or(0);
    Some(Exchange {
        start: flow.established.unwrap_or(flow.first).min(at),
        end: at,
        url: name.to_owned(),
        version: "BGP".into(),
        failure: Some((
            "bgp.notification".into(),
            format!("the session was ended with code {code}, subcode {subcode}"),
        )),
        noted: vec![
            ("bgp.code", Value::from(u64::from(code))),
            ("bgp.subcode", Value::from(u64::from(subcode))),
            ("bgp.by_server", Value::Bool(by == flow.server())),
            ("bgp.stuck", Value::from(stuck)),
        ],
        ..Exchange::default()
    })
}

/// How a connection that speaks neither HTTP nor TLS went wrong.
pub(super) fn beyond_http(flow: &TcpFlow, name: &str) -> Option<Exchange> {
    let sent = &flow.sides[flow.client()];
    let start = sent.first_data.map(|(time, number)| Moment { time, number }).or(flow.established)?;
    let exchange = Exchange {
        start,
        end: flow.last,
        url: name.to_owned(),
        version: "data".into(),
        ..Exchange::default()
    };
    if let Some(reply) = flow.socks_refusal() {
        let failure = Some(("proxy.socks".into(), "the SOCKS proxy said no".into()));
        return Some(Exchange {
            failure,
            noted: vec![("socks.reply", Value::from(u64::from(reply)))],
            ..exchange
        });
    }
    // On a port of TLS a hello is to be expected: if none was seen, it was not captured.
    if matches!(flow.remote().1, 443 | 853 | 8443) && flow.opening[flow.client()].is_empty() {
        return None;
    }
    let (at, answered) = flow.cut_by_server()?;
    let failure = Some(("http.reset".into(), "the connection was reset".into()));
    let heard = answered.then(|| flow.sides[flow.server()].bytes);
    Some(Exchange { start: start.min(at), end: at, failure, bytes: heard, ..exchange })
}

/// What was asked after a silence, and what became of it, as the connection's last exchange.
pub(super) fn revived(
    list: &mut Vec<Exchange>,
    flow: &TcpFlow,
    revival: &Revival,
    how: AfterIdle,
    name: &str,
) {
    if revival.by != flow.client() {
        return;
    }
    let (code, text) = match how {
        AfterIdle::Reset => ("http.reset", "the connection was reset when it was used again after a silence"),
        AfterIdle::Silence => {
            ("http.timeout", "no answer on a connection that was used again after a silence")
        }
    };
    let failure = Some((code.to_owned(), text.to_owned()));
    match list.last_mut().filter(|exchange| exchange.start >= revival.at) {
        Some(exchange) => {
            (exchange.failure, exchange.unclear) = (failure, None);
            exchange.end = exchange.end.max(flow.last);
        }
        None => list.push(Exchange {
            start: revival.at,
            end: flow.last,
            url: name.to_owned(),
            version: "data".into(),
            failure,
            ..Exchange::default()
        }),
    }
}

/// Redirects to one place that are no accident.
const REDIRECTS_MIN: usize = 3;
