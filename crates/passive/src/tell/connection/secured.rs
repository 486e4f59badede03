//! A TLS handshake on a connection.

use std::time::Duration;

use thru_trace::{Layer, Step, Value};

use super::counters::reset_by;
use super::socket;
use crate::exchange::head_line;
use crate::flow::TcpFlow;
use crate::tell::Teller;
use crate::tls::{Tls, version_word};

impl Teller<'_> {
    /// The handshake, and whether it worked.
    pub(in crate::tell) fn handshake(&self, flow: &TcpFlow, tls: &Tls) -> Option<(Step, bool)> {
        let start = tls.hello.or(tls.server_hello)?;
        let name = tls.server_name.clone().unwrap_or_else(|| flow.remote().0.to_string());
        let side = &flow.sides[flow.server()];
        let heard = side.bytes > ALERT_BYTES || side.uncaptured > 0 || tls.hello.is_none();
        let mut step = Step::new(Layer::Tls, "handshake", &format!("TLS with {name}"))
            .set("tcp.remote", socket(flow.remote()))
            .set("tcp.local", socket(flow.local()));
        if let Some(name) = &tls.server_name {
            step = step.set("tls.sni", name.clone());
        }
        step = step
            .set("tls.server_hello", tls.server_hello.is_some() || heard)
            .set("tls.certificate_requested", tls.requested)
            .set("tls.certificate_sent", tls.sent_certificate);
        if let Some(alert) = tls.blind_alert() {
            step = step.set("tls.client_alert", i64::from(alert));
        }
        step = reset_by(step, flow);
        let first = side.first_data.map(|(time, _)| time).zip(tls.hello);
        if let Some((first, hello)) = first.filter(|(first, hello)| *first >= hello.time) {
            step = step.set("tls.first_byte", Value::Nanos(first - hello.time));
        }
        if let Some(own) = tls.own_wait() {
            step = step.set("tls.own_wait", Value::Nanos(own));
        }
        if let Some(version) = tls.version {
            step = step.set("tls.version", version_word(version));
        }
        if let Some(alpn) = &tls.alpn {
            step = step.set("tls.alpn", alpn.clone());
        }
        if let Some(flight) = flow.flight.filter(|_| side.uncaptured == 0) {
            step = step.set("tls.flight", flight);
        }
        if tls.status[0] && tls.readable {
            step = step.set("tls.stapled", tls.status[1]);
        }
        if let Some(staple) = &tls.staple {
            step = step.set("tls.staple", staple.status.word());
            let since = Duration::from_nanos(start.time);
            if let Some(late) = staple.until.and_then(|until| since.checked_sub(until)) {
                step = step.set("tls.staple_late", late.as_secs());
            }
        }
        if tls.disagrees_on_dates() {
            step = step.set("tls.dates_hold", true);
        }
        if !tls.chain.is_empty() {
            step = step.set(
                "tls.chain",
                tls.chain.iter().map(|certificate| certificate.value()).collect::<Vec<_>>(),
            );
        }
        let Some(ending) = tls.ending(flow, flow.followed_until(self.end())) else {
            return Some((
                self.between(step, start, tls.last.unwrap_or(start)).skipped("the capture ends within it"),
                false,
            ));
        };
        let foreign = ending.failure.as_ref().is_some_and(|(code, _)| code == "tls.not_tls");
        if let Some(head) = head_line(&flow.opening[flow.server()]).filter(|_| foreign) {
            step = step.set("tls.head", head);
        }
        let step = self.between(step, start, ending.at);
        Some(match (ending.failure, ending.unclear) {
            (Some((code, text)), _) => (step.failed(&code, &text), false),
            (None, Some(why)) => (step.skipped(why), false),
            (None, None) => (step, true),
        })
    }
}

/// An alert in the clear is a record of so many bytes (RFC 8446 5.1, 6); whoever sent more sent something before it.
const ALERT_BYTES: u64 = 7;
