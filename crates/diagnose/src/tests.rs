//! Every fault the diagnosis must name, its lookalikes, and the healthy conditions it must not mistake for one.

use super::*;
use thru_trace::{Next, SpanId, Step};

mod degradations;
mod failures;
mod frames;
mod given;
mod healthy;

/// A trace under construction, with the steps of a visit to `https://www.shop.lab/` as building blocks.
struct Visit {
    trace: Trace,
    /// Milliseconds since the start.
    now: u64,
}

const SERVER: &str = "203.0.113.10:443";
const SERVER_V6: &str = "[2001:db8::10]:443";
const LOCAL: &str = "192.168.1.10:40000";

impl Visit {
    fn new() -> Visit {
        Visit {
            trace: Trace {
                target: "https://www.shop.lab/".into(),
                network: "lab:internet".into(),
                // 2026-01-01T00:00:00Z
                epoch_unix_nanos: 1_767_225_600_000_000_000,
                ..Trace::default()
            },
            now: 0,
        }
    }

    fn step(&mut self, took_ms: u64, step: Step) -> SpanId {
        let id = self.trace.add(step.at_ms(self.now, self.now + took_ms));
        self.now += took_ms;
        id
    }

    /// The lookup fails with this code; `edit` adds values to its question.
    fn lookup_fails(&mut self, code: &str, edit: impl FnOnce(Step) -> Step) -> &mut Visit {
        let start = self.now;
        let resolve = self.step(
            30,
            Step::new(Layer::Dns, "resolve", "www.shop.lab")
                .set("dns.name", "www.shop.lab.")
                .failed(code, "the lookup failed"),
        );
        let query = Step::new(Layer::Dns, "dns.query", "www.shop.lab A @ 198.51.100.53")
            .under(resolve)
            .set("dns.server", "198.51.100.53")
            .set("dns.type", "A")
            .failed(code, "the question failed");
        let query = edit(query.at_ms(start, start + 30));
        self.trace.add(query);
        self
    }

    fn lookup(&mut self) -> &mut Visit {
        self.slow_lookup(40)
    }

    fn slow_lookup(&mut self, took_ms: u64) -> &mut Visit {
        let start = self.now;
        let resolve = self.step(
            took_ms,
            Step::new(Layer::Dns, "resolve", "www.shop.lab")
                .set("dns.name", "www.shop.lab.")
                .set("dns.addresses", vec!["203.0.113.10", "2001:db8::10"]),
        );
        self.trace.add(
            Step::new(Layer::Dns, "dns.query", "www.shop.lab A")
                .under(resolve)
                .set("dns.server", "198.51.100.53")
                .set("dns.rcode", "NOERROR")
                .set("dns.tries", 1)
                .at_ms(start, start + took_ms),
        );
        self
    }

    fn connect_step(remote: &str) -> Step {
        let family = if remote.starts_with('[') { "v6" } else { "v4" };
        Step::new(Layer::Tcp, "connect", remote)
            .set("tcp.remote", remote)
            .set("tcp.family", family)
            .set("tcp.syn_retransmissions", 0)
    }

    fn connect_fails(&mut self, code: &str, took_ms: u64, edit: impl FnOnce(Step) -> Step) -> &mut Visit {
        self.connect_to_fails(SERVER, code, took_ms, edit)
    }

    fn connect_to_fails(
        &mut self,
        remote: &str,
        code: &str,
        took_ms: u64,
        edit: impl FnOnce(Step) -> Step,
    ) -> &mut Visit {
        let step = edit(Visit::connect_step(remote).failed(code, "the connection failed"));
        self.step(took_ms, step);
        self
    }

    fn connect(&mut self) -> &mut Visit {
        self.step(20, Visit::connect_step(SERVER).set("tcp.local", LOCAL).set_ms("tcp.rtt", 20));
        self
    }

    fn handshake(&mut self) -> &mut Visit {
        self.step(40, Step::new(Layer::Tls, "handshake", "www.shop.lab").set("tls.version", "TLS 1.3"));
        self
    }

    fn handshake_fails(
        &mut self,
        code: &str,
        took_ms: u64,
        chain: &[(&str, &str, &str, &str)],
    ) -> &mut Visit {
        let chain: Vec<thru_trace::Value> = chain
            .iter()
            .map(|(subject, issuer, not_before, not_after)| {
                let entries = [
                    ("subject", subject),
                    ("issuer", issuer),
                    ("not_before", not_before),
                    ("not_after", not_after),
                ];
                thru_trace::Value::Map(entries.iter().map(|(k, v)| ((*k).to_owned(), (**v).into())).collect())
            })
            .collect();
        self.step(
            took_ms,
            Step::new(Layer::Tls, "handshake", "www.shop.lab")
                .set("tls.chain", chain)
                .failed(code, "the handshake failed"),
        );
        self
    }

    fn answer(&mut self) -> &mut Visit {
        self.answer_after(25)
    }

    fn answer_after(&mut self, wait_ms: u64) -> &mut Visit {
        let start = self.now;
        let exchange = self.step(
            wait_ms + 60,
            Step::new(Layer::Http, "exchange", "GET /")
                .set("http.url", "https://www.shop.lab/")
                .set("http.version", "HTTP/2")
                .set("http.status", 200)
                .set("http.bytes", 48_000),
        );
        self.trace.add(Step::new(Layer::Http, "wait", "").under(exchange).at_ms(start, start + wait_ms));
        self
    }

    fn answer_fails(&mut self, code: &str, took_ms: u64, edit: impl FnOnce(Step) -> Step) -> &mut Visit {
        let step = Step::new(Layer::Http, "exchange", "GET /")
            .set("http.url", "https://www.shop.lab/")
            .set("http.version", "HTTP/2")
            .failed(code, "the request failed");
        self.step(took_ms, edit(step));
        self
    }

    /// The connection's final counters.
    fn counters(&mut self, values: &[(&str, i64)]) -> &mut Visit {
        let mut step = Step::new(Layer::Tcp, "connection", "")
            .set("tcp.remote", SERVER)
            .set("tcp.segments_sent", 40)
            .set("tcp.segments_received", 60)
            .set("tcp.retransmissions", 0)
            .set("tcp.timeouts", 0)
            .set("tcp.out_of_order_received", 0)
            .set("tcp.duplicates_received", 0)
            .set("tcp.bytes_sent", 900)
            .set("tcp.bytes_acked", 900)
            .set("tcp.gap_bytes", 0)
            .set_ms("tcp.rtt_min", 20)
            .set_ms("tcp.rtt", 22);
        for (key, value) in values {
            step = step.set(key, *value);
        }
        self.step(0, step);
        self
    }

    fn control(&mut self, layer: Layer, kind: &str, result: Result<(), &str>) -> &mut Visit {
        self.control_with(layer, kind, result, |step| step)
    }

    fn control_with(
        &mut self,
        layer: Layer,
        kind: &str,
        result: Result<(), &str>,
        edit: impl FnOnce(Step) -> Step,
    ) -> &mut Visit {
        let mut step = edit(Step::new(layer, "control", kind).set("control.kind", kind));
        if let Err(code) = result {
            step = step.failed(code, "the check failed");
        }
        self.step(50, step);
        self
    }

    fn ping(&mut self, target: &str, purpose: &str, sent: i64, received: i64, avg_ms: u64) -> &mut Visit {
        let address: std::net::IpAddr = target.parse().unwrap();
        let mut step = Step::new(Layer::Ip, "ping", target)
            .set("ping.target", address)
            .set("ping.purpose", purpose)
            .set("ping.sent", sent)
            .set("ping.received", received);
        if received > 0 {
            step = step
                .set_ms("ping.rtt_min", avg_ms)
                .set_ms("ping.rtt_avg", avg_ms + 1)
                .set_ms("ping.rtt_max", avg_ms + 3);
        } else {
            step = step.failed("ping.timeout", "no reply");
        }
        self.step(100, step);
        self
    }

    fn route(&mut self, reached: bool, last: &str, looping: &[&str]) -> &mut Visit {
        let mut step = Step::new(Layer::Routing, "route", "way to 203.0.113.10")
            .set("route.reached", reached)
            .set("route.last_responding", last);
        if !looping.is_empty() {
            step = step.set("route.loop", looping.to_vec());
        }
        self.step(60, step);
        self
    }

    /// The whole of a healthy visit.
    fn healthy() -> Visit {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 10, 10, 20);
        visit
    }
}

/// The verdict, after checking what must hold for every verdict.
fn judged(visit: &Visit) -> Verdict {
    assert_eq!(visit.trace.check(), [], "the test's own trace is sound");
    let verdict = diagnose(&visit.trace);
    assert_eq!(recheck(&visit.trace, &verdict), Vec::<String>::new());
    assert!((0.0..=1.0).contains(&verdict.confidence));
    assert!(verdict.summary.ends_with('.') && !verdict.summary.contains("  "), "{:?}", verdict.summary);
    let known = |cause: &String| assert!(fault::by_id(cause).is_some(), "{cause} is not in the catalogue");
    verdict.causes.iter().for_each(known);
    for other in &verdict.ruled_out {
        known(&other.cause);
        assert!(!verdict.causes.contains(&other.cause), "{} is both named and ruled out", other.cause);
    }
    match verdict.status {
        Status::Healthy => {
            assert!(verdict.causes.is_empty() && verdict.layer == Layer::None && verdict.also.is_empty());
        }
        Status::Degraded | Status::Failed => {
            assert!(!verdict.causes.is_empty() && !verdict.evidence.is_empty() && !verdict.next.is_empty());
        }
        Status::Undecided => {}
    }
    if verdict.causes.len() > 1 {
        let splits = verdict.next.iter().any(|next| match next {
            Next::Probe { splits, .. } => {
                splits.iter().filter(|cause| verdict.causes.contains(cause)).count() > 0
            }
            Next::Action { .. } => false,
        });
        assert!(splits, "a set needs the probe that would split it: {:?}", verdict.causes);
    }
    verdict
}

fn check(visit: &Visit, status: Status, layer: Layer, causes: &[&str]) -> Verdict {
    let verdict = judged(visit);
    assert_eq!(
        (verdict.status, verdict.layer, verdict.causes.clone()),
        (status, layer, causes.iter().map(ToString::to_string).collect()),
        "{}",
        verdict.summary
    );
    verdict
}

fn fails(visit: &Visit, layer: Layer, causes: &[&str]) -> Verdict {
    check(visit, Status::Failed, layer, causes)
}

fn disturbed(visit: &Visit, layer: Layer, causes: &[&str]) -> Verdict {
    check(visit, Status::Degraded, layer, causes)
}

fn healthy(visit: &Visit) -> Verdict {
    check(visit, Status::Healthy, Layer::None, &[])
}

fn ruled_out(verdict: &Verdict, cause: &str) -> bool {
    verdict.ruled_out.iter().any(|other| other.cause == cause)
}
