//! The way to a destination, hop by hop: probes with growing TTL (RFC 1393's elder brother, traceroute).
//!
//! - [`route`]: the search. Start here.
//! - `prober`: UDP, ICMP and TCP probes by the kernel's sockets. `raw`: the same as whole packets, with a flow of our
//!   choice.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use thru_net::IcmpErrorKind;
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;

use crate::Recorder;
use crate::connect::{address_list, icmp_words};
use prober::{Probe, Prober, Reply, What};

mod prober;
mod raw;

/// What probes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Datagrams to ports on which nobody listens.
    #[default]
    Udp,
    /// Echo requests.
    Icmp,
    /// SYNs to a port.
    Tcp,
}

impl Method {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Udp => "udp",
            Method::Icmp => "icmp",
            Method::Tcp => "tcp",
        }
    }
}

/// What probes look like to routers that share traffic out by flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowControl {
    /// As the method has it: UDP and TCP probes are flows of their own.
    #[default]
    Classic,
    /// All probes are one flow, and take one way (Paris traceroute).
    Paris,
    /// So many flows, each probed at every hop: shows where the way forks (Dublin traceroute).
    Dublin {
        /// How many, at least 1.
        flows: u16,
    },
}

/// How to look for the way.
#[derive(Clone, Copy, Debug)]
pub struct RouteOptions {
    /// Hops to try at most.
    pub max_hops: u8,
    /// Probes for each hop (with [`FlowControl::Dublin`]: for each hop and flow).
    pub probes: u8,
    /// How long an answer is waited for.
    pub wait: Duration,
    /// What probes are.
    pub method: Method,
    /// The port they go to (UDP without [`FlowControl::Classic`], TCP), or the first of them; `None`: the usual one.
    pub port: Option<u16>,
    /// What routers see of them.
    pub flow: FlowControl,
    /// Send probes as large as the way lets through, and note how large at each hop. Not with TCP.
    pub path_mtu: bool,
}

impl Default for RouteOptions {
    fn default() -> RouteOptions {
        RouteOptions {
            max_hops: 30,
            probes: 3,
            wait: Duration::from_secs(1),
            method: Method::Udp,
            port: None,
            flow: FlowControl::Classic,
            path_mtu: false,
        }
    }
}

/// One answer of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The flow of the probe; 0 unless there are several.
    pub flow: u16,
    /// Who answered.
    pub from: IpAddr,
    /// Round trip.
    pub rtt: Duration,
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
    /// Each answer with its flow.
    pub answers: Vec<Answer>,
    /// An error other than "time exceeded" and "port unreachable", if one came: the way ends here.
    pub error: Option<IcmpErrorKind>,
    /// The largest packet that came this far, in bytes of IP, if that was looked for.
    pub mtu: Option<usize>,
    /// It told of a smaller MTU behind it.
    pub narrows_to: Option<usize>,
    /// What it quotes is not what we sent: a translator stands before it.
    pub rewritten: bool,
}

/// The way, as far as it showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Hops in order, up to the last that answered or the destination.
    pub hops: Vec<Hop>,
    /// Whether the destination itself answered.
    pub reached: bool,
    /// Packets that were sent and that answered, those behind the end of the way among them.
    pub packets: u32,
    /// Addresses that were seen at more than one distance: a loop.
    pub repeated: Vec<IpAddr>,
}

/// Probes the way to `target`, writing a `route` span with one child a hop.
///
/// Hops are probed in waves of eight; a wave in which nothing answered ends the search. An error means that this
/// machine may not send such probes: `PermissionDenied` where whole packets are needed and not allowed.
pub async fn route(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    options: RouteOptions,
) -> io::Result<Route> {
    let span = recorder.open(parent, Layer::Routing, "route", format!("way to {target}"));
    recorder.set(span, "route.protocol", options.method.name());
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
/// Path MTUs that are tried, where nobody says which it is (RFC 1191 section 7.1, and tunnels of today).
const PLATEAUS: [usize; 9] = [1_500, 1_492, 1_480, 1_460, 1_420, 1_400, 1_280, 576, 296];

async fn search(recorder: &Recorder, target: IpAddr, options: RouteOptions) -> io::Result<Route> {
    let prober = Prober::open(recorder.network(), target, &options).await?;
    let mut search = Search {
        target,
        prober,
        hops: BTreeMap::new(),
        end: None,
        next_number: 0,
        pending: BTreeMap::new(),
        size: options.path_mtu.then_some(PLATEAUS[0]),
        again: Vec::new(),
        packets: 0,
    };
    let flows = match options.flow {
        FlowControl::Dublin { flows } => flows.max(1),
        FlowControl::Classic | FlowControl::Paris => 1,
    };
    let mut first = 1;
    while first <= options.max_hops && search.end.is_none() {
        let last = first.saturating_add(WAVE - 1).min(options.max_hops);
        for _ in 0..options.probes {
            for flow in 0..flows {
                search.wave(recorder, &(first..=last).collect::<Vec<u8>>(), flow, options.wait).await?;
            }
        }
        let silent = search.hops.range(first..=last).all(|(_, hop)| hop.addresses.is_empty());
        if silent {
            break;
        }
        first = last + 1;
    }
    // One lost probe must not make the way longer than it is: who said nothing is asked once more.
    let silent = search.silent_before_the_end();
    if options.probes == 1 && flows == 1 && !silent.is_empty() {
        search.wave(recorder, &silent, 0, options.wait).await?;
    }
    Ok(search.finish())
}

struct Search {
    target: IpAddr,
    prober: Prober,
    hops: BTreeMap<u8, Hop>,
    /// Distance at which the way ends: the destination, or an error that ends it.
    end: Option<u8>,
    next_number: u16,
    /// Probes under way by their numbers.
    pending: BTreeMap<u16, Pending>,
    /// How large probes are, where that matters.
    size: Option<usize>,
    /// Probes that were too large, to be sent again: distance and flow.
    again: Vec<(u8, u16)>,
    /// Sent and answered.
    packets: u32,
}

#[derive(Clone, Copy)]
struct Pending {
    ttl: u8,
    flow: u16,
    size: Option<usize>,
    sent: Instant,
}

impl Search {
    /// Sends one probe of a flow to each distance and collects answers until all are there or the time is over.
    async fn wave(&mut self, recorder: &Recorder, ttls: &[u8], flow: u16, wait: Duration) -> io::Result<()> {
        let network = recorder.network();
        self.pending.clear();
        for ttl in ttls.iter().copied() {
            if self.end.is_some_and(|end| ttl > end) {
                break;
            }
            let hop = self.hops.entry(ttl).or_insert_with(|| Hop { ttl, ..Hop::default() });
            hop.sent += 1;
            self.send(recorder, ttl, flow).await?;
        }
        let mut deadline = network.now() + wait;
        while self.waiting() {
            tokio::select! {
                biased;
                reply = self.prober.reply() => self.take(&reply?),
                () = network.sleep_until(deadline) => break,
            }
            while let Some((ttl, flow)) = self.again.pop() {
                self.send(recorder, ttl, flow).await?;
                deadline = network.now() + wait;
            }
        }
        Ok(())
    }

    async fn send(&mut self, recorder: &Recorder, ttl: u8, flow: u16) -> io::Result<()> {
        loop {
            let number = self.next_number;
            self.next_number = self.next_number.wrapping_add(1);
            let (size, sent) = (self.size, recorder.network().now());
            self.pending.insert(number, Pending { ttl, flow, size, sent });
            self.packets += 1;
            match self.prober.send(Probe { number, ttl, flow, size }).await {
                // This machine knows already that it is too large.
                Err(error) if is_too_large(&error) && self.shrink(None) => {
                    self.pending.remove(&number);
                }
                result => return result,
            }
        }
    }

    /// Sends smaller probes from now on; `false` if there are no smaller ones.
    fn shrink(&mut self, to: Option<usize>) -> bool {
        let Some(size) = self.size else { return false };
        let smaller = to.filter(|to| *to < size && *to >= 68);
        let smaller = smaller.or_else(|| PLATEAUS.into_iter().find(|plateau| *plateau < size));
        self.size = smaller.or(self.size);
        smaller.is_some()
    }

    /// Whether an answer from before the end of the way is still missing.
    fn waiting(&self) -> bool {
        let end = self.end.unwrap_or(u8::MAX);
        self.pending.values().any(|pending| pending.ttl <= end)
    }

    fn take(&mut self, reply: &Reply) {
        let Some(pending) = self.pending.remove(&reply.number) else { return };
        self.packets += 1;
        let ttl = pending.ttl;
        if let (What::Error(IcmpErrorKind::PacketTooBig { mtu }), Some(size)) = (reply.what, pending.size) {
            return self.narrow(reply, pending, size, mtu as usize);
        }
        let hop = self.hops.entry(ttl).or_default();
        let rtt = reply.at.since(pending.sent);
        hop.rtts.push(rtt);
        hop.answers.push(Answer { flow: pending.flow, from: reply.from, rtt });
        hop.rewritten |= reply.rewritten;
        hop.mtu = hop.mtu.max(pending.size);
        if !hop.addresses.contains(&reply.from) {
            hop.addresses.push(reply.from);
        }
        match reply.what {
            What::Error(IcmpErrorKind::TimeExceeded) => {}
            What::Destination => self.ends_at(ttl),
            What::Error(IcmpErrorKind::PortUnreachable) if reply.from == self.target => self.ends_at(ttl),
            What::Error(kind) => {
                hop.error = Some(kind);
                self.ends_at(ttl);
            }
        }
    }

    /// A router on the way says that the next link takes less.
    fn narrow(&mut self, reply: &Reply, pending: Pending, size: usize, mtu: usize) {
        // Several probes of one wave are told the same: only those of the present size shrink it.
        if self.size == Some(size) && !self.shrink(Some(mtu)) {
            return;
        }
        self.again.push((pending.ttl, pending.flow));
        let teller = self.hops.values_mut().find(|hop| hop.addresses.contains(&reply.from));
        if let Some(hop) = teller {
            hop.narrows_to = self.size;
        }
    }

    /// Distances that nobody answered from, before the one at which the way ends: the last few, where it may have ended
    /// already.
    fn silent_before_the_end(&self) -> Vec<u8> {
        const ASKED_AGAIN: usize = 4;
        let Some(end) = self.end else { return Vec::new() };
        let silent = self.hops.range(..end).filter(|(_, hop)| hop.addresses.is_empty());
        silent.rev().map(|(ttl, _)| *ttl).take(ASKED_AGAIN).collect()
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
        Route { hops, reached, packets: self.packets, repeated }
    }
}

/// EMSGSIZE of the kernel, or our own stack's word for it.
fn is_too_large(error: &io::Error) -> bool {
    const EMSGSIZE: i32 = 90;
    error.raw_os_error() == Some(EMSGSIZE) || error.kind() == io::ErrorKind::InvalidInput
}

fn note(recorder: &Recorder, span: SpanId, route: &Route) {
    recorder.ok(span);
    recorder.set(span, "route.reached", route.reached);
    recorder.set(span, "route.packets", route.packets);
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
    if let Some(mtu) = hop.mtu {
        recorder.set(span, "hop.mtu", mtu);
    }
    if let Some(error) = hop.error {
        recorder.set(span, "icmp.kind", Value::Text(icmp_words(error).to_owned()));
    }
}
