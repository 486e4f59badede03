//! The iterative resolver of `names`, driven over a network: each exchange has a socket and a port of its own.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::resolver::{Answer, ExchangeId, Input, Output, Resolver, ResolverConfig, Said, Step};
use thru_names::text::{extended_error_text, name_text, rcode_text, type_text};
use thru_net::{ConnectOptions, Network, UdpEvent};
use thru_trace::{SpanId, Value};
use thru_wire::Instant;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::exchange::{bind_for, receive_framed, send_framed};
use crate::Recorder;

/// Messages from all sockets that wait to be handled; beyond it, the sockets wait.
const WAITING_MAX: usize = 1024;
/// A connection to a name server that takes longer is of no use: the resolver has moved on.
const CONNECT_LIMIT: Duration = Duration::from_secs(6);

/// A resolver with the sockets it needs. Dropping it closes them.
#[derive(Debug)]
pub struct Driver {
    network: Network,
    resolver: Resolver,
    exchanges: BTreeMap<ExchangeId, AbortHandle>,
    sockets: JoinSet<()>,
    sender: mpsc::Sender<Arrival>,
    arrivals: mpsc::Receiver<Arrival>,
    answers: VecDeque<(u64, Arc<Answer>)>,
}

/// Something a socket had to say.
#[derive(Debug)]
struct Arrival {
    exchange: ExchangeId,
    /// When the frame arrived, not when it was looked at: round trips are measured by it.
    at: Instant,
    event: Event,
}

#[derive(Debug)]
enum Event {
    Message(SocketAddr, Vec<u8>),
    Unreachable(String),
}

impl Driver {
    /// A resolver with an empty cache; its randomness comes from the network's.
    pub fn new(network: &Network, mut config: ResolverConfig) -> Driver {
        // Signatures are held against the network's date.
        config.epoch = network.unix_time().saturating_sub(network.now().since(Instant::START)).as_secs();
        let resolver = Resolver::new(config, network.random("dns resolver"));
        let (sender, arrivals) = mpsc::channel(WAITING_MAX);
        Driver {
            network: network.clone(),
            resolver,
            exchanges: BTreeMap::new(),
            sockets: JoinSet::new(),
            sender,
            arrivals,
            answers: VecDeque::new(),
        }
    }

    /// Puts a question; its answer comes out of [`Driver::wait`] with the same token. `checking_disabled`: who asks
    /// validates by itself (RFC 4035 section 3.2.2).
    pub fn query(&mut self, token: u64, name: &Name, record_type: RecordType, checking_disabled: bool) {
        self.resolver
            .handle(self.network.now(), Input::Query { token, name, record_type, checking_disabled });
        self.carry_out();
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
                    let Arrival { exchange, at, event } = arrival.expect("we hold a sender ourselves");
                    match event {
                        Event::Message(from, message) => {
                            self.resolver.handle(at, Input::Response { exchange, from, message: &message });
                        }
                        Event::Unreachable(why) => {
                            self.resolver.handle(at, Input::Unreachable { exchange, why });
                        }
                    }
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
                Output::Finished(exchange) => {
                    if let Some(socket) = self.exchanges.remove(&exchange) {
                        socket.abort();
                    }
                }
                Output::Send { exchange, to, over_tcp, message } => {
                    let speaker =
                        Speaker { network: self.network.clone(), sender: self.sender.clone(), exchange, to };
                    let socket = if over_tcp {
                        self.sockets.spawn(speaker.over_tcp(message))
                    } else {
                        self.sockets.spawn(speaker.over_udp(message))
                    };
                    self.exchanges.insert(exchange, socket);
                }
            }
        }
        while self.sockets.try_join_next().is_some() {}
    }
}

/// The task of one exchange.
struct Speaker {
    network: Network,
    sender: mpsc::Sender<Arrival>,
    exchange: ExchangeId,
    to: SocketAddr,
}

impl Speaker {
    async fn say(&self, at: Instant, event: Event) {
        // The driver is gone: so is the need.
        let _ = self.sender.send(Arrival { exchange: self.exchange, at, event }).await;
    }

    async fn unreachable(&self, why: String) {
        self.say(self.network.now(), Event::Unreachable(why)).await;
    }

    async fn over_udp(self, message: Vec<u8>) {
        let socket = match bind_for(&self.network, self.to).await {
            Ok(socket) => socket,
            Err(error) => return self.unreachable(format!("cannot open a socket: {error}")).await,
        };
        if let Err(error) = socket.send_to(&message, self.to).await {
            return self.unreachable(error.to_string()).await;
        }
        loop {
            match socket.receive_event().await {
                Ok(UdpEvent::Datagram(received)) => {
                    self.say(received.at, Event::Message(received.from, received.payload.to_vec())).await;
                }
                Ok(UdpEvent::Icmp(report)) => {
                    let what = crate::connect::icmp_words(report.kind);
                    return self.unreachable(format!("{what} told by {}", report.from)).await;
                }
                Err(error) => return self.unreachable(error.to_string()).await,
            }
        }
    }

    async fn over_tcp(self, message: Vec<u8>) {
        let options =
            ConnectOptions { limit: Some(CONNECT_LIMIT), nodelay: true, ..ConnectOptions::default() };
        let mut stream = match self.network.connect_tcp(self.to, options).await {
            Ok(stream) => stream,
            Err(error) => return self.unreachable(error.to_string()).await,
        };
        if let Err(error) = send_framed(&mut stream, &message).await {
            return self.unreachable(error.to_string()).await;
        }
        loop {
            match receive_framed(&mut stream).await {
                Ok(Some(message)) => self.say(self.network.now(), Event::Message(self.to, message)).await,
                Ok(None) => return self.unreachable("the connection was closed".into()).await,
                Err(error) => return self.unreachable(error.to_string()).await,
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
