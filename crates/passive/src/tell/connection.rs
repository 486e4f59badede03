//! A TCP connection as a live probe would have told it.
//!
//! - `attempt`: its first packets. `secured`: its handshake. `exchanges`: its requests. `counters`: its losses and sizes.
//! - `controls`: connections that were made beside a request, to see whether they work.

mod attempt;
mod controls;
mod counters;
mod exchanges;
mod secured;

use std::net::SocketAddr;

use thru_trace::{SpanId, Step};

use self::counters::unheard;
use self::exchanges::{beyond_http, notified, revived};
use super::Teller;
use crate::exchange::{Exchange, exchanges};
use crate::flow::{End, TcpFlow};
use crate::kept::Moment;
use crate::tls::Tls;
use crate::visit::{Visit, said_name};

/// Other connections so near in time tell whether the machine was there.
const NEAR: u64 = 60_000_000_000;
/// Who was cut off by accident comes back within this time.
const COMES_BACK: u64 = 5_000_000_000;
/// So long an answer is sent again before it counts as lost.
const UNHEARD_MIN: u64 = 3_000_000_000;
/// Two waits of the shortest that there are before something is sent again (RFC 6298 2.4 as systems do it: 200 ms, doubled).
/// Who leaves earlier has sent twice what was only under way.
const LEFT_EARLY: u64 = 500_000_000;
/// A segment size that nobody announces who does not want small packets.
const SMALL_MSS: u16 = 600;
/// So many connections of one visit are told.
const TOLD_MAX: usize = 64;

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
    OtherName,
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
                flow.remote().1 != to.1
                    && flow.established.is_some()
                    && watch.host(flow.local().0) == visit.host.unwrap_or(flow.local().0)
                    && flow.first.time.abs_diff(own[0].first.time) <= NEAR
            };
            beside.extend(watch.flows_to(to.0).find(near).map(|flow| (Role::OtherPort, flow)));
        }
        // A name that is barred at a server which lets others pass.
        if let Some(barred) = own.iter().find(|flow| is_barred(flow)).filter(|_| beside.is_empty()) {
            let passes = |flow: &&TcpFlow| {
                flow.remote() == barred.remote()
                    && Tls::of(flow).is_some()
                    && said_name(flow) != said_name(barred)
                    && flow.sides[flow.server()].bytes > 0
                    && flow.first.time.abs_diff(barred.first.time) <= NEAR
            };
            beside.extend(watch.flows_to(barred.remote().0).find(passes).map(|flow| (Role::OtherName, flow)));
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
            let mut list = exchanges(flow, tls.as_ref(), name, flow.followed_until(self.end()));
            if let Some(ended) = notified(flow, name) {
                list = vec![ended];
            } else if let Some((revival, how)) = aged {
                revived(&mut list, flow, &revival, how, name);
            }
            let sent = &flow.sides[flow.client()];
            let waited = sent.waited(flow.last.time) >= LEFT_EARLY;
            if list.is_empty() && tls.is_none() && sent.resent_count >= 2 && unheard(flow) > 0 && waited {
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
                list.extend(
                    beyond_http(flow, name)
                        .filter(|_| !self.goes_on_beside(flow) && !self.may_be_goodbye(flow)),
                );
            }
            unheard_answer(&mut list, flow);
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

    /// Whether a cut connection is only a part of a conversation: another one between the same two, older, says more after
    /// it and ends in order. Programs that measure or copy close their data's connection roughly.
    fn goes_on_beside(&self, flow: &TcpFlow) -> bool {
        let Some(reset) = flow.resets.first() else { return false };
        self.watch.flows_to(flow.remote().0).any(|other| {
            other.remote() == flow.remote()
                && other.local().0 == flow.local().0
                && other.first < flow.first
                && other.sides.iter().all(|side| side.last_data.is_some_and(|last| last > reset.at.time))
                && other.resets.is_empty()
        })
    }

    /// Whether the client may have said goodbye, so that the server was glad to cut the connection: all that was said had
    /// been answered before, all of the last word was taken, and nobody came back to say it again.
    fn may_be_goodbye(&self, flow: &TcpFlow) -> bool {
        let Some((at, true)) = flow.cut_by_server() else { return false };
        let taken = flow.resets.first().and_then(|reset| reset.acks) == Some(flow.sides[flow.client()].bytes);
        let again = self.watch.flows_to(flow.remote().0).any(|other| {
            other.remote() == flow.remote()
                && other.local().0 == flow.local().0
                && other.first > at
                && other.first.time.saturating_sub(at.time) < COMES_BACK
        });
        taken && !again
    }

    fn exchanges_of(&self, flow: &TcpFlow, name: &str) -> Vec<Exchange> {
        exchanges(flow, Tls::of(flow).as_ref(), name, flow.followed_until(self.end()))
    }
}

/// Seen at the server, an answer is there before it has arrived: what it had to send again and again, until the client left,
/// never did.
fn unheard_answer(list: &mut [Exchange], flow: &TcpFlow) {
    let got = &flow.sides[flow.server()];
    let waited = got.stuck.map_or(0, |(since, _)| flow.last.time.saturating_sub(since));
    let Some(last) = list.last_mut().filter(|_| got.is_standing() && waited >= UNHEARD_MIN) else { return };
    if last.failure.is_none() && last.answered.is_some() && got.uncaptured == 0 {
        last.failure = Some(("http.stalled".into(), "the answer was never acknowledged to its end".into()));
        last.end = last.end.max(flow.last);
    }
}

/// Whether a connection got nowhere behind a hello that names a site.
fn is_barred(flow: &TcpFlow) -> bool {
    flow.established.is_some()
        && flow.sides[flow.server()].bytes == 0
        && Tls::of(flow).is_some()
        && said_name(flow).is_some()
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
    // Whoever says another name to the same server, or none, after one was cut or swallowed asks for something else.
    let barred = |other: &&TcpFlow| {
        other.remote() == flow.remote() && is_barred(other) && said_name(other) != said_name(flow)
    };
    if Tls::of(flow).is_some() && own.iter().any(barred) {
        return Role::OtherName;
    }
    Role::Own
}
