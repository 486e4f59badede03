//! Which questions and connections belong together: one host's visit to one name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::flow::What;
use crate::flow::{End, TcpFlow};
use crate::glance::Message;
use crate::http1::Event;
use crate::questions::type_word;
use crate::quic::QuicFlow;
use crate::watch::Watch;

/// One host's visit to one name, or to one address without a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visit {
    /// The name, or the address in words.
    pub(crate) name: String,
    pub(crate) host: Option<IpAddr>,
    /// The port that was wanted.
    pub(crate) port: u16,
    /// Another port that redirects led to or from: it is of the same journey.
    pub(crate) also_port: Option<u16>,
    /// Places in the watch's lists, in order of time.
    pub(crate) questions: Vec<usize>,
    pub(crate) flows: Vec<usize>,
    pub(crate) quics: Vec<usize>,
    pub(crate) start: u64,
}

impl Visit {
    /// Whether a connection to this port is the visit's own.
    pub(crate) fn is_own(&self, port: u16) -> bool {
        port == self.port || self.also_port == Some(port)
    }

    /// The part of it that began after a moment, if there is any.
    pub(crate) fn after(&self, watch: &Watch, moment: u64) -> Option<Visit> {
        let questions = &watch.questions.all;
        let mut later = self.clone();
        later.questions.retain(|place| questions[*place].start().time > moment);
        later.flows.retain(|place| watch.flows[*place].first.time > moment);
        later.quics.retain(|place| watch.quics[*place].first.time > moment);
        let starts = later.questions.iter().map(|place| questions[*place].start().time);
        let starts = starts.chain(later.flows.iter().map(|place| watch.flows[*place].first.time));
        let starts = starts.chain(later.quics.iter().map(|place| watch.quics[*place].first.time));
        later.start = starts.min()?;
        Some(later)
    }

    /// Whether anything was connected to, or tried to be.
    pub(crate) fn connects(&self) -> bool {
        !self.flows.is_empty() || !self.quics.is_empty()
    }
}

/// All visits, in order of time.
pub(crate) fn visits(watch: &Watch) -> Vec<Visit> {
    let mut found: BTreeMap<(IpAddr, String), Visit> = BTreeMap::new();
    let mut visit = |host: IpAddr, name: String, start: u64| -> (IpAddr, String) {
        let entry = found.entry((host, name.clone())).or_insert_with(|| Visit {
            name: name.clone(),
            host: Some(host),
            start,
            ..Visit::default()
        });
        entry.start = entry.start.min(start);
        (host, name)
    };
    let mut placed: Vec<(Part, (IpAddr, String))> = Vec::new();
    for (place, question) in watch.questions.all.iter().enumerate() {
        // Whoever asks without wanting recursion is a resolver at work, and visits nobody (RFC 1035 4.1.1).
        let is_visit = question.asks_for_address() && question.asked.recursion;
        if (is_visit || watch.was_in_vain(question)) && !question.asked.name.is_empty() {
            // What is asked for besides addresses is wanted for itself.
            let name = match question.asks_for_address() {
                true => question.asked.name.clone(),
                false => format!("{} {}", question.asked.name, type_word(question.asked.kind)),
            };
            let key = visit(watch.host(question.client.0), name, question.start().time);
            placed.push((Part::Question(place), key));
        }
    }
    for (place, flow) in watch.flows.iter().enumerate() {
        if is_dns(flow.ends) || watch.mark_of(flow.ends).is_some() {
            continue;
        }
        let (local, remote) = (flow.local(), flow.remote());
        let host = watch.host_of(local.0, remote.0);
        let name = said_name(flow).unwrap_or_else(|| match companion(watch, place) {
            Some(other) => said_name(other).unwrap_or_else(|| name_for(watch, other.remote())),
            None => name_for(watch, remote),
        });
        placed.push((Part::Flow(place), visit(host, name, flow.first.time)));
    }
    for (place, quic) in watch.quics.iter().enumerate() {
        if watch.mark_of(quic.ends).is_some() {
            continue;
        }
        let host = watch.host_of(quic.local().0, quic.remote().0);
        let name = quic_name(quic).unwrap_or_else(|| name_for(watch, quic.remote()));
        placed.push((Part::Quic(place), visit(host, name, quic.first.time)));
    }
    for (part, key) in placed {
        let Some(visit) = found.get_mut(&key) else { continue };
        match part {
            Part::Question(place) => visit.questions.push(place),
            Part::Flow(place) => visit.flows.push(place),
            Part::Quic(place) => visit.quics.push(place),
        }
    }
    let mut visits: Vec<Visit> = Vec::new();
    for mut visit in found.into_values() {
        visit.port = wanted_port(watch, &visit);
        visit.also_port = redirected_port(watch, &visit);
        visits.extend(apart(watch, &mut visit));
        visits.push(visit);
    }
    visits.sort_by_key(|visit| visit.start);
    visits
}

/// The other one of the ports of http and https, where an answer on one of them sent the visitor to the other.
fn redirected_port(watch: &Watch, visit: &Visit) -> Option<u16> {
    let flows = || visit.flows.iter().map(|place| &watch.flows[*place]);
    let (other, scheme) = match visit.port {
        443 => (80, "http:"),
        80 => (443, "https:"),
        _ => return None,
    };
    let leads = |flow: &TcpFlow, scheme: &str| {
        let answers = flow.said.iter().filter_map(|said| match &said.what {
            What::Http(Event::Response(response)) => response.location.as_deref(),
            What::Message(Message::Http2(head)) => {
                head.headers.iter().find(|(name, _)| name == "location").map(|(_, to)| to.as_str())
            }
            _ => None,
        });
        let mut answers = answers;
        answers.any(|to| to.starts_with(scheme))
    };
    let back = if scheme == "http:" { "https:" } else { "http:" };
    let led = flows().any(|flow| flow.remote().1 == visit.port && leads(flow, scheme))
        || flows().any(|flow| flow.remote().1 == other && leads(flow, back));
    (led && flows().any(|flow| flow.remote().1 == other)).then_some(other)
}

/// What went to other ports of the same name, if it was wanted for itself: something was said there, or the visit had no
/// need to try another port, for its own worked. The rest were checks.
fn apart(watch: &Watch, visit: &mut Visit) -> Vec<Visit> {
    let said = |flow: &TcpFlow| flow.sides[flow.client()].bytes > 0;
    let main =
        visit.flows.iter().map(|place| &watch.flows[*place]).filter(|flow| flow.remote().1 == visit.port);
    let works = main.into_iter().any(|flow| said(flow) && flow.sides[flow.server()].bytes > 0)
        || visit.quics.iter().any(|place| watch.quics[*place].short.iter().all(|count| *count > 0));
    let mut others: BTreeMap<u16, Visit> = BTreeMap::new();
    let (stay, go): (Vec<usize>, Vec<usize>) = visit.flows.iter().partition(|place| {
        let flow = &watch.flows[**place];
        let race = RACES.contains(&(visit.port, flow.remote().1));
        visit.is_own(flow.remote().1) || !(works && !race || said(flow))
    });
    visit.flows = stay;
    for place in go {
        let flow = &watch.flows[place];
        let port = flow.remote().1;
        let other = others.entry(port).or_insert_with(|| Visit {
            name: visit.name.clone(),
            host: visit.host,
            port,
            start: flow.first.time,
            ..Visit::default()
        });
        other.start = other.start.min(flow.first.time);
        other.flows.push(place);
    }
    others.into_values().collect()
}

/// Ports of which clients try the second at the same time as the first, and need one: files over TCP, and over NetBIOS as
/// before (MS-SMB 2.1).
const RACES: [(u16, u16); 1] = [(445, 139)];

enum Part {
    Question(usize),
    Flow(usize),
    Quic(usize),
}

/// Questions over TCP are told with the others.
pub(crate) fn is_dns(ends: [End; 2]) -> bool {
    ends.iter().any(|(_, port)| *port == 53)
}

/// The name that the client itself said: in its TLS hello, or in its request.
pub(crate) fn said_name(flow: &TcpFlow) -> Option<String> {
    flow.said.iter().find_map(|said| match &said.what {
        What::Message(Message::Handshake(hello)) if hello.kind == 1 => hello.server_name.clone(),
        What::Http(Event::Request(request)) => {
            let host = request.host.as_deref()?;
            let bare = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
            Some(bare.map_or(host, |(name, _)| name).to_ascii_lowercase())
        }
        _ => None,
    })
}

pub(crate) fn quic_name(quic: &QuicFlow) -> Option<String> {
    quic.said.iter().find_map(|said| match &said.what {
        What::Message(Message::Handshake(hello)) if hello.kind == 1 => hello.server_name.clone(),
        _ => None,
    })
}

/// The name that a lookup turned into this address, or that another connection to it said; else the address.
fn name_for(watch: &Watch, remote: End) -> String {
    let name = watch.name_of(remote.0).or_else(|| watch.name_said_to(remote.0));
    name.map_or_else(|| remote.0.to_string(), str::to_owned)
}

/// The connection that was made instead of one that led nowhere, to an address of which nobody told the name: clients
/// try the next address within seconds (RFC 8305), and the answers that told both addresses were not captured whole.
fn companion(watch: &Watch, place: usize) -> Option<&TcpFlow> {
    let flow = &watch.flows[place];
    let remote = flow.remote();
    if flow.established.is_some() || watch.name_of(remote.0).is_some() {
        return None;
    }
    watch.flows[place + 1..].iter().take(NEXT_FLOWS).find(|other| {
        other.remote().1 == remote.1
            && other.remote().0 != remote.0
            && other.established.is_some()
            && other.sides[other.client()].bytes > 0
            && (flow.first.time..flow.first.time + NEXT_ADDRESS).contains(&other.first.time)
            && watch.host(other.local().0) == watch.host(flow.local().0)
    })
}

/// So many connections later it is no longer looked for.
const NEXT_FLOWS: usize = 64;
/// The next address is tried so soon.
const NEXT_ADDRESS: u64 = 4_000_000_000;

/// The port that was asked first; of several, the one on which most was said.
fn wanted_port(watch: &Watch, visit: &Visit) -> u16 {
    let mut said: BTreeMap<u16, u64> = BTreeMap::new();
    let tcp = visit.flows.iter().map(|place| &watch.flows[*place]);
    let tcp = tcp.map(|flow| (flow.first.time, flow.remote().1, flow.sides[flow.client()].bytes));
    let udp = visit.quics.iter().map(|place| &watch.quics[*place]);
    let udp = udp.map(|quic| (quic.first.time, quic.remote().1, quic.bytes[quic.client()]));
    let all: Vec<(u64, u16, u64)> = tcp.chain(udp).collect();
    for (_, port, bytes) in &all {
        *said.entry(*port).or_default() += bytes;
    }
    let most = said.values().max();
    let wanted = all.iter().filter(|(_, port, _)| said.get(port) == most).min();
    wanted.map_or(0, |(_, port, _)| *port)
}
