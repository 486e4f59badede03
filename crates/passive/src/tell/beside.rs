//! What is beside a visit: pings, traced ways, and other visits, as the controls that a live probe would have made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use thru_trace::{Layer, Step, Trace, Value};

use super::Teller;
use crate::ground::{Echo, Probe};
use crate::kept::Moment;
use crate::visit::Visit;

/// An answer to a ping that was sent so shortly before the end may still come.
const UNDERWAY: u64 = 1_000_000_000;
/// Pings of one number with a longer silence between them are two trains.
const TRAIN_GAP: u64 = 5_000_000_000;
/// Other visits so near in time tell whether the way out worked.
const NEAR: u64 = 120_000_000_000;

impl Teller<'_> {
    pub(super) fn around(&mut self, visit: &Visit, others: &[Visit]) {
        let targets = self.addresses(visit);
        self.pings(visit, &targets);
        self.routes(&targets);
        self.other_sites(visit, others);
        let mut wanted = self.addresses(visit);
        wanted.extend(visit.questions.iter().map(|place| self.watch.questions.all[*place].server.0));
        self.claims(&wanted);
        self.neighbours();
    }

    /// Addresses that a visit went to, or would have.
    fn addresses(&self, visit: &Visit) -> Vec<IpAddr> {
        let watch = self.watch;
        let flows = visit.flows.iter().map(|place| watch.flows[*place].remote().0);
        let quics = visit.quics.iter().map(|place| watch.quics[*place].remote().0);
        let asked = visit.questions.iter().map(|place| watch.questions.all[*place].server.0);
        let mut addresses: Vec<IpAddr> = flows.chain(quics).collect();
        if addresses.is_empty() {
            addresses = asked.collect();
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Trains of pings: to the server at idle times and under load, and to the hops before it.
    fn pings(&mut self, visit: &Visit, targets: &[IpAddr]) {
        let watch = self.watch;
        let host = visit.host;
        let mut trains: BTreeMap<(IpAddr, u16, u64), Vec<&Echo>> = BTreeMap::new();
        let mut last: BTreeMap<(IpAddr, u16), (u64, u64)> = BTreeMap::new();
        for echo in &watch.ground.echoes {
            // A ping that is meant to die tells of the way, not of loss; one that came in is somebody else's.
            if host != Some(watch.host(echo.src)) || echo.ttl < crate::ground::SHORT_LIFE {
                continue;
            }
            let (number, before) = last.get(&(echo.dst, echo.ident)).copied().unwrap_or((0, echo.sent.time));
            let number = if echo.sent.time.saturating_sub(before) > TRAIN_GAP { number + 1 } else { number };
            last.insert((echo.dst, echo.ident), (number, echo.sent.time));
            trains.entry((echo.dst, echo.ident, number)).or_default().push(echo);
        }
        for ((target, ..), train) in trains {
            let purpose = match (targets.contains(&target), self.is_busy(visit, &train)) {
                (true, true) => "loaded",
                (true, false) => "idle",
                (false, _) if self.is_hop(target) => "hop",
                (false, _) => continue,
            };
            self.ping(target, purpose, &train);
        }
        let kept: Vec<_> = watch.ground.kept.iter().collect();
        self.keep(kept);
    }

    /// Whether a router at this address answered a probe of the way.
    fn is_hop(&self, target: IpAddr) -> bool {
        let ground = &self.watch.ground;
        let told = ground.probes.iter().filter_map(|probe| probe.told).map(|told| told.from);
        let echoed = ground.echoes.iter().filter_map(|echo| echo.told).map(|told| told.from);
        told.chain(echoed).any(|from| from == target)
    }

    /// Whether the visit moved much while the pings were under way.
    fn is_busy(&self, visit: &Visit, train: &[&Echo]) -> bool {
        let (Some(first), Some(last)) = (train.first(), train.last()) else { return false };
        visit.flows.iter().map(|place| &self.watch.flows[*place]).any(|flow| {
            let side = &flow.sides[flow.server()];
            // What is sent again after the end, to somebody who has left, is no load.
            let Some((begin, end)) =
                side.first_data.map(|(begin, _)| begin).zip(flow.pauses[flow.server()].last)
            else {
                return false;
            };
            let busy = |echo: &&&Echo| (begin..=end).contains(&echo.sent.time);
            let overlaps = first.sent.time <= end && last.sent.time >= begin;
            side.bytes > 0 && overlaps && train.iter().filter(busy).count() * 2 >= train.len()
        })
    }

    fn ping(&mut self, target: IpAddr, purpose: &str, train: &[&Echo]) {
        let end = self.end();
        // In a capture that lacks packets a missing reply proves nothing.
        let whole = !self.watch.index.lacks_packets;
        let counts = |echo: &&&Echo| echo.back.is_some() || (whole && echo.sent.time + UNDERWAY < end);
        let counted: Vec<&&Echo> = train.iter().filter(counts).collect();
        let (Some(first), Some(last)) = (counted.first(), counted.last()) else { return };
        let rtts: Vec<u64> = counted
            .iter()
            .filter_map(|echo| echo.back.map(|(back, _)| back.time.saturating_sub(echo.sent.time)))
            .collect();
        let (mut in_a_row, mut longest) = (0i64, 0i64);
        for echo in &counted {
            in_a_row = if echo.back.is_some() { 0 } else { in_a_row + 1 };
            longest = longest.max(in_a_row);
        }
        let finish = counted.iter().filter_map(|echo| echo.back.map(|(at, _)| at)).max().unwrap_or(last.sent);
        let mut step = Step::new(Layer::Ip, "ping", &format!("{target}, {purpose}"))
            .set("ping.target", target)
            .set("ping.purpose", purpose)
            .set("ping.sent", counted.len())
            .set("ping.received", rtts.len())
            .set("ping.lost_in_a_row", longest);
        if let Some(ttl) = counted.iter().find_map(|echo| echo.back.map(|(_, ttl)| ttl)) {
            step = step.set("ping.ttl", i64::from(ttl));
        }
        if let (Some(min), Some(max)) = (rtts.iter().min(), rtts.iter().max()) {
            let sum: u64 = rtts.iter().fold(0, |sum: u64, rtt| sum.saturating_add(*rtt));
            step = step
                .set("ping.rtt_min", Value::Nanos(*min))
                .set("ping.rtt_max", Value::Nanos(*max))
                .set("ping.rtt_avg", Value::Nanos(sum / rtts.len() as u64));
        }
        let step = self.between(step, first.sent, finish.max(last.sent));
        self.trace.add(step);
    }

    /// Ways that somebody traced to the visit's addresses.
    fn routes(&mut self, targets: &[IpAddr]) {
        let watch = self.watch;
        let mut ways: BTreeMap<IpAddr, Vec<Probe>> = BTreeMap::new();
        for probe in watch.ground.probes.iter().filter(|probe| targets.contains(&probe.to.0)) {
            ways.entry(probe.to.0).or_default().push(probe.clone());
        }
        let echoes = watch.ground.echoes.iter().filter(|echo| echo.ttl < crate::ground::SHORT_LIFE);
        for echo in echoes.filter(|echo| targets.contains(&echo.dst)) {
            ways.entry(echo.dst).or_default().push(Probe {
                to: (echo.dst, echo.seq),
                ttl: echo.ttl,
                sent: echo.sent,
                told: echo.told,
                answered: echo.back.map(|(at, _)| at),
            });
        }
        for (target, probes) in ways {
            // One probe alone is no traced way.
            if probes.len() >= 3 {
                self.route(target, &probes);
            }
        }
    }

    fn route(&mut self, target: IpAddr, probes: &[Probe]) {
        let mut hops: BTreeMap<u8, Vec<IpAddr>> = BTreeMap::new();
        let mut reached = false;
        let mut ends: Option<u8> = None;
        for probe in probes {
            let hop = hops.entry(probe.ttl).or_default();
            let from = match (probe.told, probe.answered) {
                (Some(told), _) => told.from,
                (None, Some(_)) => target,
                (None, None) => continue,
            };
            if !hop.contains(&from) {
                hop.push(from);
            }
            let exceeded = probe.told.is_some_and(|told| told.is_exceeded());
            if from == target || !exceeded {
                reached |= from == target;
                ends = Some(ends.map_or(probe.ttl, |end: u8| end.min(probe.ttl)));
            }
        }
        let answered = hops.iter().filter(|(_, from)| !from.is_empty()).map(|(ttl, _)| *ttl).max();
        let last = ends.or(answered).unwrap_or(0);
        let hops: Vec<(u8, Vec<IpAddr>)> = hops.into_iter().filter(|(ttl, _)| *ttl <= last).collect();
        let repeated = repeated(&hops, target);
        let (start, end) = moments(probes);
        let mut step = Step::new(Layer::Routing, "route", &format!("the way to {target}"))
            .set("route.target", target)
            .set("route.reached", reached);
        if let Some(last) = hops.iter().rev().find_map(|(_, from)| from.first()) {
            step = step.set("route.last_responding", *last);
        }
        if !repeated.is_empty() {
            step = step.set("route.loop", repeated.iter().copied().map(Value::Address).collect::<Vec<_>>());
        }
        let step = self.between(step, start, end);
        let step = if !repeated.is_empty() {
            step.failed("route.loop", "the same routers answer at several distances")
        } else if !reached {
            step.failed("route.stops", "the way stops answering before the destination")
        } else {
            step
        };
        let parent = self.trace.add(step);
        for (ttl, from) in hops {
            let label =
                from.first().map_or_else(|| format!("{ttl} no answer"), |from| format!("{ttl} {from}"));
            let mut step = Step::new(Layer::Routing, "hop", &label).set("hop.ttl", i64::from(ttl));
            if let Some(from) = from.first() {
                step = step.set("hop.address", *from);
            }
            let step = self.between(step, start, end).under(parent);
            self.trace.add(step);
        }
    }

    /// An unrelated site that was visited about the same time: does it work from here?
    fn other_sites(&mut self, visit: &Visit, others: &[Visit]) {
        // What worked needs no witness.
        if self.trace.spans.iter().all(|span| span.code().is_none()) {
            return;
        }
        let below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'));
        let related = |other: &Visit| below(&other.name, &visit.name) || below(&visit.name, &other.name);
        let targets = self.addresses(visit);
        let candidates = others
            .iter()
            .filter(|other| other.connects() && other.host == visit.host && other.name != visit.name)
            .filter(|other| other.start.abs_diff(visit.start) <= NEAR && !related(other))
            .filter(|other| self.addresses(other).iter().all(|address| !targets.contains(address)))
            .take(OTHERS_MAX);
        let candidates: Vec<&Visit> = candidates.collect();
        let mut best: Option<(bool, Trace)> = None;
        for other in candidates {
            let told = Teller::new(self.watch, other.name.clone(), "").tell_bare(other);
            let decided = told.spans.iter().any(|span| {
                matches!(span.what.as_str(), "connect" | "handshake")
                    && (span.is_ok() || span.code().is_some())
            });
            if !decided {
                continue;
            }
            let works = told.spans.iter().rfind(|span| span.what == "handshake").map_or_else(
                || told.spans.iter().any(|span| span.what == "connect" && span.is_ok()),
                thru_trace::Span::is_ok,
            );
            if best.as_ref().is_none_or(|(known, _)| works && !known) {
                best = Some((works, told));
            }
        }
        let Some((works, told)) = best else { return };
        self.add_control("other_site", works, &told);
    }

    /// A visit without what is beside it.
    fn tell_bare(mut self, visit: &Visit) -> Trace {
        self.connections(visit);
        self.trace.packets = self.packets.into_values().collect();
        self.trace
    }

    /// Another trace's spans as a control of this one.
    fn add_control(&mut self, kind: &str, works: bool, told: &Trace) {
        for packet in &told.packets {
            self.packets.entry(packet.number).or_insert_with(|| packet.clone());
        }
        let (Some(start), end) = (told.spans.iter().map(|span| span.start).min(), told.end()) else { return };
        let failure = told
            .spans
            .iter()
            .filter(|span| !told.is_check(span))
            .find_map(|span| span.code().map(str::to_owned));
        let step = Step::new(Layer::Tcp, "control", &format!("{} beside it", told.target))
            .set("control.kind", kind)
            .at(start, end);
        let step = match failure.filter(|_| !works) {
            Some(code) => step.failed(&code, "it fails, too"),
            None => step,
        };
        let parent = self.trace.add(step);
        let offset = parent.0 + 1;
        for span in &told.spans {
            let mut span = span.clone();
            span.id = thru_trace::SpanId(span.id.0 + offset);
            span.parent = Some(span.parent.map_or(parent, |inner| thru_trace::SpanId(inner.0 + offset)));
            self.trace.spans.push(span);
        }
    }

    /// Searches for neighbours, as frames: rules read them from the packets.
    fn neighbours(&mut self) {
        let watch = self.watch;
        let kept: Vec<_> = watch
            .ground
            .searches
            .values()
            .filter(|search| !search.found)
            .flat_map(|search| &search.kept)
            .collect();
        self.keep(kept);
    }

    /// Nothing but searches for a neighbour that never answered: whoever searched could send nothing.
    pub(crate) fn unreachable_neighbour(&mut self, address: IpAddr, asked: &[Moment]) {
        let (Some(first), Some(last)) = (asked.first(), asked.last()) else { return };
        let step = Step::new(Layer::Tcp, "connect", &format!("something beyond {address}"))
            .set("icmp.local", true)
            .set("icmp.kind", "host unreachable")
            .failed(
                "ip.unreachable",
                "this machine looked for its next hop on the local network and got no answer",
            );
        let step = self.between(step, *first, *last);
        self.trace.add(step);
        self.neighbours();
    }
}

/// So many other visits are looked at for one that tells something.
const OTHERS_MAX: usize = 16;

fn moments(probes: &[Probe]) -> (Moment, Moment) {
    let start = probes.iter().map(|probe| probe.sent).min().unwrap_or_default();
    let answers = probes.iter().filter_map(|probe| probe.told.map(|told| told.at).or(probe.answered));
    let end = answers.chain(probes.iter().map(|probe| probe.sent)).max().unwrap_or(start);
    (start, end)
}

/// Routers that answer at several distances.
fn repeated(hops: &[(u8, Vec<IpAddr>)], target: IpAddr) -> Vec<IpAddr> {
    let mut repeated = Vec::new();
    for (index, (_, from)) in hops.iter().enumerate() {
        for address in from.iter().filter(|address| **address != target) {
            let again = hops[index + 1..].iter().any(|(_, later)| later.contains(address));
            if again && !repeated.contains(address) {
                repeated.push(*address);
            }
        }
    }
    repeated
}
