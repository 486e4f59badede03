//! The way to a destination, hop by hop: UDP probes with growing TTL (RFC 1393's elder brother, traceroute).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thru_net::{IcmpErrorKind, IcmpReport, SendOptions, UdpEvent, UdpSocket};
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;

use crate::Recorder;
use crate::connect::{address_list, icmp_words};

/// Where traceroute's probes have always gone: ports on which nobody listens.
const FIRST_PORT: u16 = 33_434;

/// How to look for the way.
#[derive(Clone, Copy, Debug)]
pub struct RouteOptions {
    /// Hops to try at most.
    pub max_hops: u8,
    /// Probes for each hop.
    pub probes: u8,
    /// How long an answer is waited for.
    pub wait: Duration,
}

impl Default for RouteOptions {
    fn default() -> RouteOptions {
        RouteOptions { max_hops: 30, probes: 3, wait: Duration::from_secs(1) }
    }
}

/// One hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Its distance, from 1.
    pub ttl: u8,
    /// Who answered (several, if the way forks or changed).
    pub addresses: Vec<IpAddr>,
    /// Probes sent.
    pub sent: u32,
    /// Round trips of the answers.
    pub rtts: Vec<Duration>,
    /// An error other than "time exceeded" and "port unreachable", if one came: the way ends here.
    pub error: Option<IcmpErrorKind>,
}

/// The way, as far as it showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Hops in order, up to the last that answered or the destination.
    pub hops: Vec<Hop>,
    /// Whether the destination itself answered.
    pub reached: bool,
    /// Addresses that were seen at more than one distance: a loop.
    pub repeated: Vec<IpAddr>,
}

/// Probes the way to `target`, writing a `route` span with one child a hop.
///
/// Hops are probed in waves of eight; a wave in which nothing answered ends the search.
pub async fn route(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    options: RouteOptions,
) -> std::io::Result<Route> {
    let span = recorder.open(parent, Layer::Routing, "route", format!("way to {target}"));
    recorder.set(span, "route.protocol", "udp");
    recorder.set(span, "route.target", target);
    match search(recorder, target, options).await {
        Ok(route) => {
            note(recorder, span, &route);
            Ok(route)
        }
        Err(error) => {
            recorder.skip(span, error.to_string());
            Err(error)
        }
    }
}

const WAVE: u8 = 8;

async fn search(recorder: &Recorder, target: IpAddr, options: RouteOptions) -> std::io::Result<Route> {
    let any: IpAddr =
        if target.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = recorder.network().bind_udp(SocketAddr::new(any, 0)).await?;
    let mut search =
        Search { target, hops: BTreeMap::new(), end: None, next_port: 0, pending: BTreeMap::new() };
    let mut first = 1;
    while first <= options.max_hops && search.end.is_none() {
        let last = first.saturating_add(WAVE - 1).min(options.max_hops);
        for _ in 0..options.probes {
            search.wave(recorder, &socket, first..=last, options.wait).await?;
        }
        let silent = search.hops.range(first..=last).all(|(_, hop)| hop.addresses.is_empty());
        if silent {
            break;
        }
        first = last + 1;
    }
    Ok(search.finish())
}

struct Search {
    target: IpAddr,
    hops: BTreeMap<u8, Hop>,
    /// Distance at which the way ends: the destination, or an error that ends it.
    end: Option<u8>,
    next_port: u16,
    /// Probes under way: destination port to distance and time of sending.
    pending: BTreeMap<u16, (u8, Instant)>,
}

impl Search {
    /// Sends one probe to each distance and collects answers until all are there or the time is over.
    async fn wave(
        &mut self,
        recorder: &Recorder,
        socket: &UdpSocket,
        ttls: std::ops::RangeInclusive<u8>,
        wait: Duration,
    ) -> std::io::Result<()> {
        let network = recorder.network();
        self.pending.clear();
        for ttl in ttls {
            if self.end.is_some_and(|end| ttl > end) {
                break;
            }
            let port = FIRST_PORT + self.next_port;
            self.next_port = (self.next_port + 1) % 1_000;
            let hop = self.hops.entry(ttl).or_insert_with(|| Hop { ttl, ..Hop::default() });
            hop.sent += 1;
            self.pending.insert(port, (ttl, network.now()));
            let wishes = SendOptions { ttl: Some(ttl), ..SendOptions::default() };
            socket.send_with(&[0; 32], SocketAddr::new(self.target, port), wishes).await?;
        }
        let deadline = network.now() + wait;
        while self.waiting() {
            tokio::select! {
                biased;
                event = socket.receive_event() => match event? {
                    UdpEvent::Icmp(report) => self.take(&report),
                    UdpEvent::Datagram(received) => self.take_datagram(received.from, received.at),
                },
                () = network.sleep_until(deadline) => break,
            }
        }
        Ok(())
    }

    /// Whether an answer from before the end of the way is still missing.
    fn waiting(&self) -> bool {
        let end = self.end.unwrap_or(u8::MAX);
        self.pending.values().any(|(ttl, _)| *ttl <= end)
    }

    fn take(&mut self, report: &IcmpReport) {
        let Some((ttl, sent)) = self.pending.remove(&report.quoted_destination.port()) else {
            return;
        };
        let hop = self.hops.entry(ttl).or_default();
        hop.rtts.push(report.at.since(sent));
        if !hop.addresses.contains(&report.from) {
            hop.addresses.push(report.from);
        }
        match report.kind {
            IcmpErrorKind::TimeExceeded => {}
            IcmpErrorKind::PortUnreachable if report.from == self.target => self.ends_at(ttl),
            kind => {
                hop.error = Some(kind);
                self.ends_at(ttl);
            }
        }
    }

    /// Somebody listens on that port after all: that is the destination too.
    fn take_datagram(&mut self, from: SocketAddr, at: Instant) {
        if let Some((ttl, sent)) = self.pending.remove(&from.port()).filter(|_| from.ip() == self.target) {
            let hop = self.hops.entry(ttl).or_default();
            hop.rtts.push(at.since(sent));
            hop.addresses.push(from.ip());
            self.ends_at(ttl);
        }
    }

    fn ends_at(&mut self, ttl: u8) {
        self.end = Some(self.end.map_or(ttl, |end| end.min(ttl)));
    }

    fn finish(mut self) -> Route {
        let answered = self.hops.values().filter(|hop| !hop.addresses.is_empty()).map(|hop| hop.ttl).max();
        let last = self.end.or(answered).unwrap_or(0);
        self.hops.retain(|ttl, _| *ttl <= last);
        let hops: Vec<Hop> = self.hops.into_values().collect();
        let reached =
            hops.last().is_some_and(|hop| hop.error.is_none() && hop.addresses.contains(&self.target));
        let mut repeated = Vec::new();
        for (index, hop) in hops.iter().enumerate() {
            for address in hop.addresses.iter().filter(|address| **address != self.target) {
                let again = hops[index + 1..].iter().any(|later| later.addresses.contains(address));
                if again && !repeated.contains(address) {
                    repeated.push(*address);
                }
            }
        }
        Route { hops, reached, repeated }
    }
}

fn note(recorder: &Recorder, span: SpanId, route: &Route) {
    recorder.ok(span);
    recorder.set(span, "route.reached", route.reached);
    if let Some(last) = route.hops.iter().rev().find_map(|hop| hop.addresses.first()) {
        recorder.set(span, "route.last_responding", *last);
    }
    if !route.repeated.is_empty() {
        recorder.set(span, "route.loop", address_list(route.repeated.iter().copied()));
    }
    let (start, end) = recorder.span(span).map_or((0, 0), |span| (span.start, span.end));
    for hop in &route.hops {
        let label = match hop.addresses.first() {
            Some(address) => format!("{} {address}", hop.ttl),
            None => format!("{} no answer", hop.ttl),
        };
        let child = recorder.open_at(Some(span), Layer::Routing, "hop", label, Instant::from_nanos(start));
        recorder.set_times(child, Instant::from_nanos(start), Instant::from_nanos(end));
        note_hop(recorder, child, hop);
    }
    if let Some(error) = route.hops.last().and_then(|hop| hop.error) {
        let from = route.hops.last().and_then(|hop| hop.addresses.first().copied());
        let from = from.map_or_else(String::new, |from| format!(" told by {from}"));
        recorder.fail(span, "route.unreachable", format!("{}{from}", icmp_words(error)));
    } else if !route.repeated.is_empty() {
        recorder.fail(span, "route.loop", "the same routers answer at several distances");
    } else if !route.reached {
        recorder.fail(span, "route.stops", "the way stops answering before the destination");
    }
    recorder.edit(span, |span| span.end = end.max(span.start));
}

fn note_hop(recorder: &Recorder, span: SpanId, hop: &Hop) {
    recorder.set(span, "hop.ttl", u32::from(hop.ttl));
    if let Some(address) = hop.addresses.first() {
        recorder.set(span, "hop.address", *address);
    }
    if hop.addresses.len() > 1 {
        recorder.set(span, "hop.addresses", address_list(hop.addresses.iter().copied()));
    }
    recorder.set(span, "hop.sent", hop.sent);
    recorder.set(span, "hop.received", hop.rtts.len());
    if let (Some(min), Some(max)) = (hop.rtts.iter().min(), hop.rtts.iter().max()) {
        let sum: Duration = hop.rtts.iter().sum();
        recorder.set_duration(span, "hop.rtt_min", *min);
        recorder.set_duration(span, "hop.rtt_max", *max);
        recorder.set_duration(span, "hop.rtt_avg", sum / u32::try_from(hop.rtts.len()).unwrap_or(1));
    }
    if let Some(error) = hop.error {
        recorder.set(span, "icmp.kind", Value::Text(icmp_words(error).to_owned()));
    }
}
