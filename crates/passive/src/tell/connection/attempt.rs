//! A connection's first packets: whether anybody answered, and who.

use thru_trace::{Layer, Step, Value};

use super::socket;
use crate::flow::TcpFlow;
use crate::kept::Moment;
use crate::tell::Teller;
use crate::watch::is_fresh;

impl Teller<'_> {
    pub(in crate::tell) fn connect(&self, flow: &TcpFlow, others_work: bool) -> Option<Step> {
        let start = *flow.syns.first()?;
        let (server, remote) = (flow.server(), flow.remote());
        let step = Step::new(Layer::Tcp, "connect", &socket(remote))
            .set("tcp.remote", socket(remote))
            .set("tcp.local", socket(flow.local()))
            .set("tcp.family", if remote.0.is_ipv6() { "v6" } else { "v4" })
            .set(
                "tcp.syn_retransmissions",
                if flow.is_answered_late() { 0 } else { flow.syns.len().saturating_sub(1) },
            );
        let step = if flow.signed_syns > 0 { step.set("tcp.signed", true) } else { step };
        if let Some(answer) = flow.synacks.first() {
            // Asked with data there was no answer, asked without there was.
            let eager = flow.eager_syns > 0 && flow.eager_syns < flow.syns.len();
            let after = flow.syns.get(flow.eager_syns).is_some_and(|plain| plain <= answer);
            let step = if eager && after { step.set("tcp.eager_unheard", true) } else { step };
            if self.is_unheard(flow) {
                let step = step.set("tcp.syn_acks", flow.synacks.len());
                let text = "the server's answer to the SYN was repeated and never acknowledged";
                return Some(self.between(step, start, flow.last).failed("tcp.unheard", text));
            }
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

    /// Whether a server's answers reach nobody: it repeats them, and whoever asked, from far away, goes on asking.
    fn is_unheard(&self, flow: &TcpFlow) -> bool {
        let from_afar = flow.ttl[flow.client()].is_some_and(|ttl| !is_fresh(ttl));
        let said = flow.sides.iter().any(|side| side.bytes > 0 || side.fin.is_some());
        let quiet = flow.established.is_none() && flow.resets.is_empty() && flow.told.is_empty() && !said;
        quiet && from_afar && flow.syns.len() >= 3 && flow.synacks.len() >= 3 && !self.watch.one_sided
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
        if !others_work {
            return self.between(step, start, end).skipped(why);
        }
        // Another one answered: until then this one could have.
        let race = start.time.saturating_sub(RACE)..start.time.saturating_add(RACE);
        let other_family = |other: &&TcpFlow| other.local().0.is_ipv4() != flow.local().0.is_ipv4();
        let won = self.watch.flows_begun(race).filter(other_family);
        let won = won.filter_map(|other| other.established).filter(|at| *at > start).min();
        self.between(step, start, won.unwrap_or(flow.last).max(flow.last)).skipped(why)
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
pub(super) const AT_ONCE: u64 = 100_000_000;
/// So long a machine is looked for: three times, a second apart.
const SEARCH: (u64, u64) = (2_500_000_000, 3_600_000_000);
/// A race between two families is over sooner.
const RACE: u64 = 60_000_000_000;
/// Two questions and so much time: whoever had wanted to answer would have.
const UNANSWERED: u64 = 2_500_000_000;
