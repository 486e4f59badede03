//! A TCP connection as a live probe would have told it: connect, handshake, exchanges, final counters.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use thru_trace::{Layer, SpanId, Step, Value};

use super::Teller;
use crate::exchange::{Exchange, exchanges, head_line};
use crate::flow::{AfterIdle, End, Revival, TcpFlow};
use crate::kept::Moment;
use crate::tls::{Tls, version_word};
use crate::visit::{Visit, said_name};

/// Other connections so near in time tell whether the machine was there.
const NEAR: u64 = 60_000_000_000;
/// Two questions and so much time: whoever had wanted to answer would have.
const UNANSWERED: u64 = 2_500_000_000;
/// A segment size that nobody announces who does not want small packets.
const SMALL_MSS: u16 = 600;

pub(super) fn socket(end: End) -> String {
    SocketAddr::new(end.0, end.1).to_string()
}

/// What a connection is in a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Own,
    OtherPort,
    SmallMss,
    OtherFamily,
}

impl Teller<'_> {
    /// All connections of a visit, in order of time; those beside its main way as controls.
    pub(super) fn connections(&mut self, visit: &Visit) {
        let watch = self.watch;
        let mut flows: Vec<&TcpFlow> = visit.flows.iter().map(|place| &watch.flows[*place]).collect();
        flows.sort_by_key(|flow| flow.first);
        let flows = told(flows);
        let quics: Vec<_> = visit.quics.iter().map(|place| &watch.quics[*place]).collect();
        let any_quic = quics.iter().any(|quic| quic.remote().1 == visit.port);
        let connected = flows.iter().any(|flow| flow.remote().1 == visit.port && flow.established.is_some());
        let mut own: Vec<&TcpFlow> = Vec::new();
        let mut beside: Vec<(Role, &TcpFlow)> = Vec::new();
        for flow in flows {
            match role(flow, visit, &own) {
                // After HTTP/3 failed, whether TCP works is a control.
                Role::Own if any_quic && flow.sides[flow.client()].bytes == 0 => {
                    beside.push((Role::OtherPort, flow))
                }
                Role::Own => own.push(flow),
                role => beside.push((role, flow)),
            }
        }
        // Where no connection was made, one to another port of the same machine tells that it is there.
        let made = own.iter().any(|flow| flow.established.is_some());
        let to = own.first().map(|flow| flow.remote());
        if let (false, true, Some(to)) = (made, beside.is_empty(), to) {
            let near = |flow: &&TcpFlow| {
                flow.remote().0 == to.0
                    && flow.remote().1 != to.1
                    && flow.established.is_some()
                    && watch.host(flow.local().0) == visit.host.unwrap_or(flow.local().0)
                    && flow.first.time.abs_diff(own[0].first.time) <= NEAR
            };
            beside.extend(watch.flows.iter().find(near).map(|flow| (Role::OtherPort, flow)));
        }
        for quic in quics {
            self.quic(quic, visit);
        }
        for flow in &own {
            self.connection(None, flow, &visit.name, connected);
        }
        self.cut_together(&own);
        let all: Vec<Exchange> = own.iter().flat_map(|flow| self.exchanges_of(flow, &visit.name)).collect();
        self.redirects(&all);
        for (role, flow) in beside {
            self.control_connection(role, flow, &visit.name);
        }
    }

    /// Connections to one server that it cut at the same moment, though nobody had closed them.
    fn cut_together(&mut self, flows: &[&TcpFlow]) {
        let open =
            flows.iter().filter(|flow| flow.established.is_some() && flow.sides[flow.client()].fin.is_none());
        let mut cut: Vec<(Moment, &TcpFlow)> = open
            .filter_map(|flow| {
                let reset = flow.resets.first().filter(|reset| reset.by == flow.server())?;
                // One that was just made was refused, not cut.
                let lived =
                    flow.established.is_some_and(|at| reset.at.time.saturating_sub(at.time) > LIVED_MIN);
                lived.then_some((reset.at, *flow))
            })
            .collect();
        cut.sort_by_key(|(at, _)| *at);
        let same = |window: &&[(Moment, &TcpFlow)]| {
            window[TOGETHER - 1].0.time - window[0].0.time < AT_ONCE
                && window.iter().all(|(_, flow)| flow.remote() == window[0].1.remote())
        };
        let Some(first) = cut.windows(TOGETHER).position(|window| same(&window)) else { return };
        let begin = cut[first].0;
        let together: Vec<_> = cut[first..]
            .iter()
            .take_while(|(at, _)| at.time.saturating_sub(begin.time) < AT_ONCE * 3)
            .collect();
        let frames: Vec<Value> = together.iter().map(|(at, _)| Value::from(at.number)).collect();
        let step = Step::new(Layer::Tcp, "mass_reset", "cut at the same moment")
            .set("tcp.remote", socket(together[0].1.remote()))
            .set("resets.count", together.len())
            .set("resets.frames", frames);
        let step = self.between(step, begin, together[together.len() - 1].0);
        self.trace.add(step);
    }

    fn control_connection(&mut self, role: Role, flow: &TcpFlow, name: &str) {
        let kind = match role {
            Role::Own | Role::OtherPort => "other_port",
            Role::SmallMss => "small_mss",
            Role::OtherFamily => "other_family",
        };
        self.control(kind, &[flow], name);
    }

    /// Checks that comments in the capture tell from the request: those that were made while this was the last visit.
    pub(super) fn marked(&mut self, visit: &Visit, others: &[Visit]) {
        let watch = self.watch;
        if !watch.has_marks() {
            return;
        }
        let host = |flow: &TcpFlow| Some(watch.host(flow.local().0));
        let of_this = |flow: &TcpFlow| {
            let known = others.iter().filter(|other| other.host.is_none() || other.host == host(flow));
            let last = known.filter(|other| other.connects() && other.start <= flow.first.time);
            let last = last.max_by_key(|other| other.start);
            last.is_none_or(|last| last.start == visit.start && last.name == visit.name)
        };
        let mut checks: BTreeMap<(u64, &str), Vec<&TcpFlow>> = BTreeMap::new();
        for flow in &watch.flows {
            let Some((number, kind)) = watch.mark_of(flow.ends).and_then(|mark| mark.split_once(' ')) else {
                continue;
            };
            if !of_this(flow) {
                continue;
            }
            if let Ok(number) = number.parse() {
                checks.entry((number, kind)).or_default().push(flow);
            }
        }
        for ((_, kind), flows) in checks {
            let name = said_name(flows[0]).unwrap_or_else(|| visit.name.clone());
            self.control(kind, &flows, &name);
        }
    }

    /// Connections that were made to see whether they work: it does if one of them does.
    fn control(&mut self, kind: &str, flows: &[&TcpFlow], name: &str) {
        let Some(first) = flows.first() else { return };
        let step = Step::new(Layer::Tcp, "control", &format!("does {} answer?", socket(first.remote())));
        let step = step.set("control.kind", kind).set("port", i64::from(first.remote().1));
        let step = self.between(step, first.first, first.first);
        let control = self.trace.add(step);
        let (mut works, mut failed, mut made) = (false, None, 0u64);
        for flow in flows {
            let before = self.trace.spans.len();
            self.connection(Some(control), flow, name, true);
            let parts = &self.trace.spans[before..];
            let parts: Vec<_> = parts.iter().filter(|span| span.parent == Some(control)).collect();
            made += u64::from(parts.first().is_some_and(|span| span.what == "connect" && span.is_ok()));
            let skipped =
                parts.first().is_none_or(|span| matches!(span.outcome, thru_trace::Outcome::Skipped { .. }));
            match parts.iter().find_map(|span| span.code().map(str::to_owned)) {
                Some(code) => failed = Some(code),
                None => works |= !skipped,
            }
        }
        let first = control.0 as usize;
        let wait =
            self.trace.spans[first..].iter().filter(|span| span.what == "wait").map(|span| span.nanos());
        let wait = wait.max();
        let span = &mut self.trace.spans[first];
        if let Some(wait) = wait.filter(|_| kind == "once_more") {
            span.values.insert("once_more.wait".into(), Value::Nanos(wait));
        }
        if kind == "other_source" {
            span.values.insert("source.tries".into(), Value::from(flows.len() as u64));
            span.values.insert("source.answered".into(), Value::from(made));
        }
        match failed {
            _ if works => {}
            Some(code) => {
                span.outcome = thru_trace::Outcome::Failed { code, text: "it does not".into() };
            }
            None => span.outcome = thru_trace::Outcome::Skipped { why: "it was not waited for".into() },
        }
    }

    /// Everything of one connection.
    pub(crate) fn connection(
        &mut self,
        parent: Option<SpanId>,
        flow: &TcpFlow,
        name: &str,
        others_work: bool,
    ) {
        let watch = self.watch;
        self.keep(flow.album.packets());
        let under = |step: Step| match parent {
            Some(parent) => step.under(parent),
            None => step,
        };
        if let Some(step) = self.connect(flow, others_work) {
            self.trace.add(under(step));
        }
        let said = flow.sides.iter().any(|side| side.data_segments > 0);
        if !flow.is_answered() || flow.synacks.is_empty() && !said {
            return;
        }
        let tls = Tls::of(flow);
        let aged = flow.after_idle();
        let mut secured = true;
        if let Some(step) = tls.as_ref().and_then(|tls| self.handshake(flow, tls)) {
            secured = step.1;
            self.trace.add(under(step.0));
        }
        if secured {
            let mut list = exchanges(flow, tls.as_ref(), name, self.end());
            if let Some(ended) = notified(flow, name) {
                list = vec![ended];
            } else if let Some((revival, how)) = aged {
                revived(&mut list, flow, &revival, how, name);
            }
            let sent = &flow.sides[flow.client()];
            if list.is_empty() && tls.is_none() && sent.resent_count >= 2 && unheard(flow) > 0 {
                // Of a capture that has only headers.
                list.push(Exchange {
                    start: sent.first_data.map_or(flow.first, |(time, number)| Moment { time, number }),
                    end: flow.last,
                    url: name.to_owned(),
                    version: "data".into(),
                    failure: Some(("http.timeout".into(), "what was sent was never acknowledged".into())),
                    ..Exchange::default()
                });
            }
            if list.is_empty() && tls.is_none() {
                list.extend(beyond_http(flow, name));
            }
            for exchange in list {
                self.exchange(parent, &exchange, flow);
            }
        }
        if !watch.damaged.is_empty() {
            self.keep(&watch.broken);
        }
        let step = self.counters(flow);
        self.trace.add(under(step));
    }

    fn exchanges_of(&self, flow: &TcpFlow, name: &str) -> Vec<Exchange> {
        exchanges(flow, Tls::of(flow).as_ref(), name, self.end())
    }

    fn connect(&self, flow: &TcpFlow, others_work: bool) -> Option<Step> {
        let start = *flow.syns.first()?;
        let (server, remote) = (flow.server(), flow.remote());
        let step = Step::new(Layer::Tcp, "connect", &socket(remote))
            .set("tcp.remote", socket(remote))
            .set("tcp.local", socket(flow.local()))
            .set("tcp.family", if remote.0.is_ipv6() { "v6" } else { "v4" })
            .set("tcp.syn_retransmissions", flow.syns.len().saturating_sub(1));
        if let Some(answer) = flow.synacks.first() {
            let end = flow.established.unwrap_or(*answer);
            let step = if flow.greeted_shut { step.set("tcp.greeted_shut", true) } else { step };
            let step = match flow.rtt().or(flow.rtt_beyond()) {
                Some(rtt) => step.set("tcp.rtt", Value::Nanos(rtt)),
                None => step,
            };
            // A second answer of the server tells that the way back, or ours to it, lost something.
            return Some(self.between(step, start, end));
        }
        // Nobody says anything before the other has answered: the answer was not captured.
        if flow.sides[server].data_segments > 0 || flow.sides[flow.client()].bytes > 0 {
            return Some(self.between(step, start, start));
        }
        if let Some(reset) = flow.resets.iter().find(|reset| reset.by == server) {
            let peer = self.watch.ttls.get(&remote.0).filter(|_| flow.is_reset_by_one(server));
            let step = match peer {
                Some(ttl) => step.set("tcp.peer_ttl", i64::from(*ttl)),
                None => step,
            };
            let step = step
                .set("tcp.reset_ttl", i64::from(reset.ttl))
                .set("tcp.rtt", Value::Nanos(reset.at.time.saturating_sub(self.last_syn(flow, reset.at))));
            let step = self.between(step, start, reset.at);
            return Some(step.failed("tcp.refused", "the port answered with RST: connection refused"));
        }
        if let Some((told, code)) = flow.told.iter().find_map(|told| Some((told, told.outcome()?))) {
            let words = told.words();
            let asked = asked_before(flow, told.at);
            let step = step
                .set("icmp.kind", words)
                .set("icmp.from", told.from)
                .set("icmp.local", told.quoted_source == Some(told.from))
                .set("icmp.type", i64::from(told.kind))
                .set("icmp.code", i64::from(told.code))
                .set("icmp.delay", Value::Nanos(told.at.time.saturating_sub(asked)));
            let step = self.between(step, start, told.at);
            return Some(step.failed(code, &format!("{words} told by {}", told.from)));
        }
        Some(self.unanswered(flow, step, start, others_work))
    }

    /// When the question was sent that this answers: the last before it, or the first if that is not clear.
    fn last_syn(&self, flow: &TcpFlow, before: Moment) -> u64 {
        flow.syns.iter().rev().find(|syn| **syn <= before).map_or(before.time, |syn| syn.time)
    }

    fn unanswered(&self, flow: &TcpFlow, step: Step, start: Moment, others_work: bool) -> Step {
        let waited = self.end().saturating_sub(start.time);
        let asked_again = flow.syns.len() >= 2;
        // The next question would have come after twice the time; nobody waits for longer than that.
        let patience =
            flow.last.time.saturating_sub(start.time).saturating_mul(2).clamp(1_000_000_000, 60_000_000_000);
        let end = Moment {
            time: (start.time + patience).min(self.end()).max(flow.last.time),
            number: flow.last.number,
        };
        let heard = !self.watch.one_sided;
        let gave_up = heard && flow.told.is_empty() && asked_again && waited >= UNANSWERED;
        if gave_up {
            return self.between(step, start, end).failed("tcp.timeout", "no answer to any SYN");
        }
        let why = if others_work {
            "another address answered first"
        } else {
            "the capture does not tell whether an answer came"
        };
        // Another one answered: until then this one could have.
        let won =
            self.watch.flows.iter().filter(|other| other.local().0.is_ipv4() != flow.local().0.is_ipv4());
        let won = won.filter_map(|other| other.established).filter(|at| *at > start).min();
        let end = if others_work { won.unwrap_or(flow.last).max(flow.last) } else { end };
        self.between(step, start, end).skipped(why)
    }

    /// The handshake, and whether it worked.
    fn handshake(&self, flow: &TcpFlow, tls: &Tls) -> Option<(Step, bool)> {
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
        if tls.disagrees_on_dates() {
            step = step.set("tls.dates_hold", true);
        }
        if !tls.chain.is_empty() {
            step = step.set(
                "tls.chain",
                tls.chain.iter().map(|certificate| certificate.value()).collect::<Vec<_>>(),
            );
        }
        let Some(ending) = tls.ending(flow, self.end()) else {
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

    pub(super) fn exchange(&mut self, parent: Option<SpanId>, exchange: &Exchange, flow: &TcpFlow) {
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

    pub(super) fn exchange_step(&self, exchange: &Exchange) -> Step {
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
    pub(super) fn add_exchange(
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
        let wait = self.between(wait, exchange.start, answered);
        self.trace.add(wait.under(id));
        let transfer = Step::new(Layer::Http, "transfer", "receive the answer");
        let transfer = self.between(transfer, answered, exchange.end);
        self.trace.add(transfer.under(id));
    }

    /// Redirects that come back to where they began (RFC 9110 15.4).
    fn redirects(&mut self, exchanges: &[Exchange]) {
        let redirected: Vec<&Exchange> = exchanges
            .iter()
            .filter(|exchange| {
                exchange.status.is_some_and(|status| (300..400).contains(&status) && status != 304)
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

    fn counters(&self, flow: &TcpFlow) -> Step {
        let (client, server) = (flow.client(), flow.server());
        let (sent, got) = (&flow.sides[client], &flow.sides[server]);
        let remote = flow.remote();
        let mut step = Step::new(Layer::Tcp, "connection", &format!("TCP to {}", socket(remote)))
            .set("tcp.remote", socket(remote))
            .set("tcp.local", socket(flow.local()));
        if let Some(rtt) = flow.rtt() {
            step = step.set("tcp.rtt_min", Value::Nanos(rtt)).set("tcp.rtt", Value::Nanos(rtt));
        }
        if let Some(loaded) = loaded_rtt(flow) {
            step = step.set("tcp.rtt_max", Value::Nanos(loaded));
        }
        // What both ends had to send again counts: from the middle of the way one sees either.
        let counts = [
            ("tcp.retransmissions", sent.resent_count),
            ("tcp.timeouts", sent.timeouts),
            ("tcp.syn_acks", flow.synacks.len() as u64),
            ("tcp.too_big", self.watch.too_big),
            ("tcp.segments_sent", sent.segments),
            ("tcp.segments_received", got.segments),
            ("tcp.duplicates_received", 0),
            ("tcp.out_of_order_received", got.ahead),
            ("tcp.holes", got.episodes.max(sent.episodes)),
            ("tcp.bytes_sent", sent.bytes),
            ("tcp.bytes_acked", sent.bytes.saturating_sub(unheard(flow))),
            ("tcp.bytes_received", got.bytes),
            ("tcp.gap_bytes", got.missing()),
            ("tcp.uncaptured", got.uncaptured + sent.uncaptured),
            ("tcp.fin_unheard", if sent.unacknowledged() > 0 { sent.fin_again } else { 0 }),
            ("tcp.peer_unheard", if got.resent_count > 0 { got.unacknowledged() } else { 0 }),
            ("tcp.peer_resent", got.resent_count),
        ];
        for (key, count) in counts {
            step = step.set(key, count);
        }
        let outage = flow.lone_restarts.iter().max().filter(|_| flow.lone_restarts.len() <= RESTARTS_MAX);
        let standstill = sent.standstill.max(got.standstill);
        if let Some(outage) = outage.copied().into_iter().chain([standstill]).filter(|time| *time > 0).max() {
            step = step.set("tcp.outage", Value::Nanos(outage));
        }
        if let Some((revival, how)) = flow.after_idle().filter(|_| flow.notified.is_none()) {
            step = reset_by(step, flow)
                .set("tcp.after_idle", how.word())
                .set("tcp.idle", Value::Nanos(revival.idle));
        }
        for (key, side) in [("tcp.own_shut", client), ("tcp.peer_shut", server)] {
            step = step.set(key, Value::Nanos(flow.shut_for(side)));
        }
        let often =
            [client, server].map(|side| flow.shut[side]).into_iter().filter(|shut| shut.times >= SHUT_OFTEN);
        if let Some(total) = often.map(|shut| shut.total).max() {
            step = step.set("tcp.shut_often", Value::Nanos(total));
        }
        if let Some((_, len)) = sent.stuck.filter(|_| unheard(flow) > 0) {
            step = step.set("tcp.stuck", i64::from(len));
        }
        if let Some((since, len)) = got.stuck.filter(|_| got.unacknowledged() > 0) {
            // Whether anything of the client came while the server said the same again and again.
            step = step.set("tcp.peer_stuck", i64::from(len)).set("tcp.own_later", sent.last_word() > since);
        }
        // Since when the server could have said something more.
        let since = got.last_data.or(sent.first_data.map(|(time, _)| time));
        if let Some((still, since)) = got.still.zip(since) {
            step = step.set("tcp.peer_still", Value::Nanos(still.saturating_sub(since)));
        }
        let most = if got.lost >= sent.lost { got } else { sent };
        step = step
            .set("tcp.lost", most.lost)
            .set("tcp.data_segments", most.data_segments)
            .set("tcp.loss_touches_percent", most.touched_percent());
        if let Some(spread) = most.spread() {
            step = step.set("tcp.loss_spread_percent", (spread * 100.0) as i64);
        }
        step = step.set("tcp.mss", flow.mss.iter().flatten().min().map_or(1_460, |mss| i64::from(*mss)));
        step = self.arrivals(step, flow);
        self.between(step, flow.first, flow.last)
    }

    /// What only whole packets show, by frame.
    fn arrivals(&self, step: Step, flow: &TcpFlow) -> Step {
        let got = &flow.sides[flow.server()];
        // Whatever comes to the asking host took the same last links.
        let damaged = self.watch.damaged.iter().filter(|(from, _)| **from != flow.local().0);
        let mut damaged: Vec<u64> = damaged.flat_map(|(_, frames)| frames).copied().collect();
        damaged.sort_unstable();
        let frames = |frames: &[u64]| frames.iter().map(|number| Value::from(*number)).collect::<Vec<_>>();
        step.set("arrivals.total", got.segments)
            .set("arrivals.doubled", frames(&got.copies))
            .set("arrivals.overtaken", frames(&got.overtaken))
            .set("arrivals.repaired", frames(&got.repaired))
            .set("arrivals.damaged", frames(&damaged))
    }
}

/// A window that was shut so many times belongs to a program that reads too slowly all the time.
const SHUT_OFTEN: u64 = 4;

/// A stream that goes on with a single packet again and again is a program's rhythm.
const RESTARTS_MAX: usize = 3;

/// A reset of the server's, and who it looks to be from.
fn reset_by(step: Step, flow: &TcpFlow) -> Step {
    let server = flow.server();
    let reset = flow.resets.iter().find(|reset| reset.by == server);
    let acks = flow.resets.iter().filter(|reset| reset.by == server).filter_map(|reset| reset.acks).max();
    let step = match acks {
        Some(acks) => step.set("tcp.reset_acks", acks),
        None => step,
    };
    match reset.zip(flow.ttl[server]) {
        Some((reset, ttl)) => {
            step.set("tcp.reset_ttl", i64::from(reset.ttl)).set("tcp.peer_ttl", i64::from(ttl))
        }
        None => step,
    }
}

/// Of a visit with very many connections, the first ones and those in trouble: each has its own verdict all the same.
fn told(flows: Vec<&TcpFlow>) -> Vec<&TcpFlow> {
    if flows.len() <= TOLD_MAX {
        return flows;
    }
    let troubled = |flow: &&&TcpFlow| {
        flow.established.is_none()
            || flow.resets.iter().any(|reset| reset.by == flow.server())
            || !flow.told.is_empty()
            || flow.garbage.is_some()
    };
    let first: Vec<&TcpFlow> = flows.iter().take(TOLD_MAX / 4).copied().collect();
    let rest = flows.iter().skip(TOLD_MAX / 4).filter(troubled).take(TOLD_MAX * 3 / 4).copied();
    first.into_iter().chain(rest).collect()
}

/// So many connections of one visit are told.
const TOLD_MAX: usize = 64;

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
fn notified(flow: &TcpFlow, name: &str) -> Option<Exchange> {
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
fn beyond_http(flow: &TcpFlow, name: &str) -> Option<Exchange> {
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

/// So many connections that end at once are no accident.
const TOGETHER: usize = 3;
/// Whoever is cut has lived for a while.
const LIVED_MIN: u64 = 1_000_000_000;

/// What was asked after a silence, and what became of it, as the connection's last exchange.
fn revived(list: &mut Vec<Exchange>, flow: &TcpFlow, revival: &Revival, how: AfterIdle, name: &str) {
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

/// When the question was sent that this error answers: the last before it, unless all questions are answered at once,
/// as a router does that had kept them while it looked for the next machine (RFC 4861 7.2.2).
fn asked_before(flow: &TcpFlow, told: Moment) -> u64 {
    let before: Vec<&Moment> = flow.syns.iter().filter(|syn| **syn <= told).collect();
    let (Some(first), Some(last)) = (before.first(), before.last()) else { return told.time };
    let at_once = flow.told.iter().filter(|other| other.at.time.abs_diff(told.time) < AT_ONCE).count();
    let searched = (SEARCH.0..SEARCH.1).contains(&told.time.saturating_sub(first.time)) && before.len() >= 3;
    if searched || (at_once >= 2 && at_once >= before.len().min(3)) { first.time } else { last.time }
}

/// Errors so near to one another were told at the same time.
const AT_ONCE: u64 = 100_000_000;
/// So long a machine is looked for: three times, a second apart.
const SEARCH: (u64, u64) = (2_500_000_000, 3_600_000_000);

/// Fewer round trips tell nothing of the rest.
const SAMPLES_MIN: usize = 16;

/// An alert in the clear is a record of so many bytes (RFC 8446 5.1, 6); whoever sent more sent something before it.
const ALERT_BYTES: u64 = 7;

/// Redirects to one place that are no accident.
const REDIRECTS_MIN: usize = 3;

/// Bytes of the client that were sent and never acknowledged, long enough ago.
fn unheard(flow: &TcpFlow) -> u64 {
    let sent = &flow.sides[flow.client()];
    // The end of a conversation is rarely waited for.
    if sent.fin.is_some() && sent.resent_count == 0 { 0 } else { sent.unacknowledged().min(sent.bytes) }
}

/// The round trip that nine of ten samples stay below, once there are enough of them.
fn loaded_rtt(flow: &TcpFlow) -> Option<u64> {
    let of = |samples: &[u64]| {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        samples.get(samples.len() * 9 / 10).copied()
    };
    if flow.samples.iter().all(|samples| samples.len() < SAMPLES_MIN) {
        return None;
    }
    // From the point of capture to either end and back make the whole.
    Some(flow.samples.iter().filter_map(|samples| of(samples)).sum())
}

fn role(flow: &TcpFlow, visit: &Visit, own: &[&TcpFlow]) -> Role {
    if !visit.is_own(flow.remote().1) {
        return Role::OtherPort;
    }
    let small = |flow: &TcpFlow| flow.mss[flow.client()].is_some_and(|mss| mss <= SMALL_MSS);
    if small(flow) && own.iter().any(|other| !small(other)) {
        return Role::SmallMss;
    }
    let family = |flow: &TcpFlow| flow.remote().0.is_ipv6();
    let idle = flow.sides[flow.client()].bytes == 0;
    // Who has asked over one family needs no other: this is not the race between them (RFC 8305).
    let later = |other: &&TcpFlow| {
        let asked = other.sides[other.client()].first_data;
        asked.is_some_and(|(asked, _)| flow.first.time > asked) && family(other) != family(flow)
    };
    if idle && own.iter().any(later) {
        return Role::OtherFamily;
    }
    Role::Own
}
