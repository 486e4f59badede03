//! A QUIC connection as a live probe would have told it.

use thru_trace::certificate::Certificate;
use thru_trace::{Layer, Step, Value};

use super::Teller;
use super::connection::socket;
use crate::exchange::streams;
use crate::flow::What;
use crate::glance::Message;
use crate::kept::Moment;
use crate::quic::QuicFlow;
use crate::tls::{SILENCE, Tls};
use crate::visit::Visit;

impl Teller<'_> {
    /// Handshake and exchanges of a QUIC connection of a visit.
    pub(super) fn quic(&mut self, quic: &QuicFlow, visit: &Visit) {
        if quic.remote().1 == visit.port {
            self.quic_connection(quic, &visit.name);
        }
    }

    /// The same, by itself.
    pub(crate) fn quic_connection(&mut self, quic: &QuicFlow, name: &str) {
        self.keep(quic.album.packets());
        let (step, works) = self.quic_handshake(quic);
        self.trace.add(step);
        if works {
            self.quic_exchanges(quic, name);
        }
    }

    fn quic_handshake(&self, quic: &QuicFlow) -> (Step, bool) {
        let (client, server) = (quic.client(), 1 - quic.client());
        let mut step = Step::new(Layer::Quic, "handshake", &format!("QUIC with {}", quic.remote().0))
            .set("quic.remote", socket(quic.remote()))
            .set("quic.local", socket(quic.local()))
            .set("tcp.remote", socket(quic.remote()));
        let hello = quic.said.iter().find_map(|said| match &said.what {
            What::Message(Message::Handshake(hello)) if hello.kind == 1 => hello.server_name.clone(),
            _ => None,
        });
        if let Some(name) = hello {
            step = step.set("tls.sni", name);
        }
        let start = quic.first;
        if let Some(told) = quic.told.iter().find(|told| told.is_port_unreachable())
            && quic.datagrams[server] == 0
        {
            let step = step.set("icmp.from", told.from).set("icmp.kind", told.words());
            return (
                self.between(step, start, told.at)
                    .failed("quic.refused", "the port is closed, says the host"),
                false,
            );
        }
        if let Some((told, code)) = quic.told.iter().find_map(|told| Some((told, told.outcome()?)))
            && quic.datagrams[server] == 0
        {
            let delay = told.at.time.saturating_sub(start.time);
            let step = step
                .set("icmp.from", told.from)
                .set("icmp.kind", told.words())
                .set("icmp.local", told.quoted_source == Some(told.from))
                .set("icmp.delay", Value::Nanos(delay));
            let text = format!("{} told by {}", told.words(), told.from);
            return (self.between(step, start, told.at).failed(code, &text), false);
        }
        if let Some(at) = quic.other_versions.filter(|_| quic.short[server] == 0) {
            return (self.between(step, start, at).failed("quic.version", "no version in common"), false);
        }
        let done = quic.short[client] > 0 && quic.short[server] > 0;
        if let Some((by, error, alert, at)) = quic.closed.filter(|_| !done && quic.datagrams[server] > 0) {
            let step = step.set("quic.error", error);
            let step = self.between(step, start, at);
            let who = if by == client { "this machine" } else { "the server" };
            if by == client {
                let chain = certificates(quic);
                if let (Some(alert @ 40..=51), false) = (alert, chain.is_empty()) {
                    let name = crate::visit::quic_name(quic);
                    let values: Vec<_> = chain.iter().map(|certificate| certificate.value()).collect();
                    let (code, text) = Tls::objection_to(chain, name, alert, at);
                    return (step.set("tls.chain", values).failed(code, &text), false);
                }
                let code = match alert {
                    Some(40..=51) => "tls.rejected",
                    _ => return (step.skipped("the client broke it off"), false),
                };
                return (step.failed(code, "this machine ended the handshake with an alert"), false);
            }
            return (step.failed("quic.closed", &format!("{who} ended it with error {error:#x}")), false);
        }
        if done {
            let end = quic.ready.unwrap_or(start);
            let rtt = quic.first_answer.map(|answer| answer.time.saturating_sub(start.time));
            let step = match rtt {
                Some(rtt) => step.set("quic.rtt", Value::Nanos(rtt)),
                None => step,
            };
            return (self.between(step, start, end), true);
        }
        let waited = self.end().saturating_sub(start.time);
        let end = Moment {
            time: self.end().min(start.time + 10_000_000_000).max(quic.last.time),
            number: quic.last.number,
        };
        // Whoever is told to begin anew, in words that do not hold, hears nothing else (RFC 9000 17.2.5.2).
        let turned_back = quic.retries > 0 && quic.datagrams[server] <= quic.retries;
        let silent = (quic.datagrams[server] == 0 || turned_back) && !self.watch.one_sided;
        if silent && quic.datagrams[client] >= 2 && waited >= UNANSWERED {
            return (self.between(step, start, end).failed("quic.timeout", "no answer to any packet"), false);
        }
        (self.between(step, start, quic.last).skipped("it was not finished within the capture"), false)
    }

    fn quic_exchanges(&mut self, quic: &QuicFlow, name: &str) {
        let server = 1 - quic.client();
        let mut list = streams(&quic.said, quic.client(), name);
        for exchange in &mut list {
            if let Some(status) = exchange.status.filter(|status| *status >= 400) {
                exchange.failure =
                    Some((format!("http.status.{status}"), format!("the server answered {status}")));
            } else if exchange.failure.is_none() && exchange.status.is_none() {
                exchange.unclear = Some("its answer was not captured");
            }
        }
        if list.is_empty() {
            let Some(start) = quic.ready else { return };
            let last = quic.pauses[server].last.unwrap_or(0);
            let quiet = self.end().saturating_sub(last.max(start.time)) >= SILENCE;
            let mut exchange = crate::exchange::Exchange {
                start,
                end: quic.last.max(start),
                url: format!("https://{name}/"),
                method: "encrypted request".into(),
                version: "HTTP/3".into(),
                bytes: Some(quic.bytes[server]),
                answered: Some(start),
                sealed: true,
                ..Default::default()
            };
            if quiet && quic.short[server] < 3 {
                exchange.unclear = Some("what was said is encrypted");
            }
            list.push(exchange);
        }
        for exchange in &list {
            let step = self
                .exchange_step(exchange)
                .set("quic.remote", socket(quic.remote()))
                .set("quic.local", socket(quic.local()));
            self.add_exchange(None, exchange, step, false);
        }
    }
}

/// The server's certificates, if they could be read.
fn certificates(quic: &QuicFlow) -> Vec<Certificate> {
    let shown = quic.said.iter().find_map(|said| match &said.what {
        What::Message(Message::Handshake(message)) if message.kind == 11 && said.by != quic.client() => {
            Some(message)
        }
        _ => None,
    });
    shown.map_or_else(Vec::new, |message| {
        message.certificates.iter().filter_map(|der| Certificate::read(der)).collect()
    })
}

/// Without any answer for so long, after more than one question.
const UNANSWERED: u64 = 2_500_000_000;
