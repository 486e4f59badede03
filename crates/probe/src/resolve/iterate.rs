//! The iterative resolver of `names`, driven over a network by [`Exchanges`].

use std::collections::VecDeque;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::dnssec::chain::Chain;
use thru_names::resolver::{Answer, Input, Output, Resolver, ResolverConfig, Said, Step};
use thru_names::text::{extended_error_text, name_text, rcode_text, type_text};
use thru_net::Network;
use thru_trace::{SpanId, Value};
use thru_wire::Instant;
use tokio::sync::mpsc;

use super::exchanges::{Arrival, Exchanges};
use crate::Recorder;

/// A resolver with the sockets it needs. Dropping it closes them.
#[derive(Debug)]
pub struct Driver {
    network: Network,
    resolver: Resolver,
    exchanges: Exchanges,
    arrivals: mpsc::Receiver<Arrival>,
    answers: VecDeque<(u64, Arc<Answer>)>,
}

impl Driver {
    /// A resolver with an empty cache; its randomness comes from the network's.
    pub fn new(network: &Network, mut config: ResolverConfig) -> Driver {
        // Signatures are held against the network's date.
        config.epoch = network.unix_time().saturating_sub(network.now().since(Instant::START)).as_secs();
        let resolver = Resolver::new(config, network.random("dns resolver"));
        let (exchanges, arrivals) = Exchanges::new(network);
        Driver { network: network.clone(), resolver, exchanges, arrivals, answers: VecDeque::new() }
    }

    /// Puts a question; its answer comes out of [`Driver::wait`] with the same token. `checking_disabled`: who asks
    /// validates by itself (RFC 4035 section 3.2.2).
    pub fn query(&mut self, token: u64, name: &Name, record_type: RecordType, checking_disabled: bool) {
        self.resolver
            .handle(self.network.now(), Input::Query { token, name, record_type, checking_disabled });
        self.carry_out();
    }

    /// The chain of trust behind an answer that came out of [`Driver::wait`] just now.
    pub fn chain(&self, answer: &Answer) -> Chain {
        self.resolver.chain(answer)
    }

    /// Forgets what was learned.
    pub fn flush(&mut self) {
        self.resolver.flush();
    }

    /// The next answer. It may be dropped and called again; nothing is lost.
    pub async fn wait(&mut self) -> (u64, Arc<Answer>) {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return answer;
            }
            let deadline = self.resolver.next_deadline();
            tokio::select! {
                biased;
                arrival = self.arrivals.recv() => {
                    let arrival = arrival.expect("the exchanges hold a sender");
                    let at = arrival.at;
                    self.resolver.handle(at, arrival.input());
                }
                () = self.network.sleep_until(deadline), if !deadline.is_never() => {
                    self.resolver.handle(self.network.now(), Input::Timeout);
                }
            }
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Answer { token, answer } => self.answers.push_back((token, answer)),
                Output::Finished(exchange) => self.exchanges.end(exchange),
                Output::Send { exchange, to, over_tcp, message } => {
                    self.exchanges.begin(exchange, to, over_tcp, message);
                }
            }
        }
    }
}

/// Resolves one question from the root down, and is done.
pub async fn resolve_once(
    network: &Network,
    config: ResolverConfig,
    name: &Name,
    record_type: RecordType,
) -> Arc<Answer> {
    let mut driver = Driver::new(network, config);
    driver.query(0, name, record_type, false);
    driver.wait().await.1
}

/// Writes a resolver's step into a span: times, values and how it ended.
pub(super) fn describe(recorder: &Recorder, span: SpanId, step: &Step) {
    recorder.set(span, "dns.server", step.server.to_string());
    recorder.set(span, "dns.server_name", name_text(&step.server_name));
    recorder.set(span, "dns.zone", name_text(&step.zone));
    recorder.set(span, "dns.name", name_text(&step.name));
    recorder.set(span, "dns.type", type_text(step.record_type));
    recorder.set(span, "dns.transport", if step.over_tcp { "tcp" } else { "udp" });
    recorder.set(span, "dns.tries", 1u32);
    recorder.set(span, "dns.said", step.said.to_string());
    if let Some(code) = step_code(step) {
        recorder.set(span, "dns.rcode", rcode_text(code));
        let records: Vec<Value> = step.records.iter().cloned().map(Value::Text).collect();
        recorder.set(span, "dns.answers", records);
    }
    if let Some((code, text)) = &step.extended_error {
        recorder.set(span, "dns.ede", format!("{code} {}: {text}", extended_error_text(*code)));
    }
    match step_failure(step) {
        Some(code) => recorder.fail(span, code, step.to_string()),
        None => recorder.ok(span),
    }
    recorder.set_times(span, step.at, step.at + step.took);
}

/// The response code a step heard, if it heard one.
pub(super) fn step_code(step: &Step) -> Option<ResponseCode> {
    match &step.said {
        Said::Records
        | Said::Alias(_)
        | Said::Referral(_)
        | Said::NoData
        | Said::Truncated
        | Said::Lame(_) => Some(ResponseCode::NoError),
        Said::NoName => Some(ResponseCode::NXDomain),
        Said::Code(code) => Some(*code),
        Said::Malformed(_) | Said::Silent | Said::Unreachable(_) => None,
    }
}

/// The failure code of a step, if it did not bring the resolution further.
pub(super) fn step_failure(step: &Step) -> Option<&'static str> {
    match &step.said {
        Said::Records | Said::Alias(_) | Said::Referral(_) | Said::Truncated => None,
        Said::NoName => Some("dns.nxdomain"),
        Said::NoData => Some("dns.no_data"),
        Said::Code(ResponseCode::Refused) => Some("dns.refused"),
        Said::Code(_) => Some("dns.servfail"),
        Said::Lame(_) => Some("dns.lame"),
        Said::Malformed(_) => Some("dns.malformed"),
        Said::Silent => Some("dns.timeout"),
        Said::Unreachable(_) => Some("dns.unreachable"),
    }
}
