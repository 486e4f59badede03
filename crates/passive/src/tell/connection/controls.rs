//! Connections beside a request, made to see whether they work; and those that were all cut at one moment.

use std::collections::BTreeMap;

use thru_trace::{Layer, Span, Step, Value};

use super::attempt::AT_ONCE;
use super::{Role, socket};
use crate::flow::TcpFlow;
use crate::kept::Moment;
use crate::tell::Teller;
use crate::visit::{Visit, said_name};

impl Teller<'_> {
    /// Connections to one server that it cut at the same moment, though nobody had closed them, and of which one at least
    /// was in use: servers and what is before them tidy up what lies idle, and clients count on that.
    pub(in crate::tell) fn cut_together(&mut self, flows: &[&TcpFlow]) {
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
        if !together.iter().any(|(at, flow)| is_busy(flow, at.time)) {
            return;
        }
        let frames: Vec<Value> = together.iter().map(|(at, _)| Value::from(at.number)).collect();
        let step = Step::new(Layer::Tcp, "mass_reset", "cut at the same moment")
            .set("tcp.remote", socket(together[0].1.remote()))
            .set("resets.count", together.len())
            .set("resets.frames", frames);
        let step = self.between(step, begin, together[together.len() - 1].0);
        self.trace.add(step);
    }

    pub(super) fn control_connection(&mut self, role: Role, flow: &TcpFlow, name: &str) {
        let kind = match role {
            Role::Own | Role::OtherPort => "other_port",
            Role::SmallMss => "small_mss",
            Role::OtherFamily => "other_family",
            Role::OtherName => "other_name",
        };
        self.control(kind, &[flow], name);
    }

    /// Checks that comments in the capture tell from the request: those that were made while this was the last visit.
    pub(in crate::tell) fn marked(&mut self, visit: &Visit, others: &[Visit]) {
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
        // Where the visit itself wanted encryption, a bare connection tells nothing of certificates.
        let encrypted = self.trace.all("handshake").any(|span| !self.trace.is_check(span));
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
                // Whether a certificate holds at another address is told by a handshake that went through.
                None => {
                    let secured = |span: &Span| span.what == "handshake" && span.is_ok();
                    let open = kind == "other_address"
                        && (parts.iter().any(|span| is_open(span))
                            || encrypted && !parts.iter().any(|span| secured(span)));
                    // That large packets pass is told by one that did.
                    let small = kind == "other_family_large" && !large_came(flow);
                    works |= !(skipped || open || small);
                }
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
}

/// Whether somebody was waiting for an answer, or something had just been said.
fn is_busy(flow: &TcpFlow, at: u64) -> bool {
    let last = |side: usize| flow.sides[side].last_data.unwrap_or(0);
    let (asked, heard) = (last(flow.client()), last(flow.server()));
    asked > heard || at.saturating_sub(asked.max(heard)) < IN_USE
}

/// A handshake of which nobody knows how it ended.
fn is_open(span: &Span) -> bool {
    span.what == "handshake" && matches!(span.outcome, thru_trace::Outcome::Skipped { .. })
}

/// Whether a packet came from the server that is larger than what every link carries (RFC 8200 5).
fn large_came(flow: &TcpFlow) -> bool {
    flow.sides[1 - flow.client.unwrap_or(0)].longest >= LARGE
}

/// Payload of a packet of 1280 bytes over IPv6.
const LARGE: u32 = 1_220;
/// No server of note tidies up sooner: what was said so shortly before tells of a connection in use.
const IN_USE: u64 = 4_000_000_000;
/// So many connections that end at once are no accident.
const TOGETHER: usize = 3;
/// Whoever is cut has lived for a while.
const LIVED_MIN: u64 = 1_000_000_000;
