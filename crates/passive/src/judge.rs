//! Verdicts: for each flow by itself, for each visit with all that is beside it, and for the capture as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use thru_diagnose::diagnose;
use thru_trace::{Also, Layer, Status, Trace, Verdict};

use crate::errands::{is_errand, is_list_entry};
use crate::flow::TcpFlow;
use crate::index::above;
use crate::kept::Moment;
use crate::tell::Teller;
use crate::visit::{Visit, is_dns, said_name, visits};
use crate::watch::Watch;

/// Other findings that are mentioned beside the first.
const ALSO_MAX: usize = 8;
/// Packets of the same host's other flows that are kept beside a flow, for comparison.
const WITNESSES: usize = 6;
/// Searches for a neighbour that prove something: three are what hosts send (RFC 4861 10).
const SEARCHES_MIN: usize = 3;

/// Fewer lost pings may be an accident.
const PINGS_LOST_MIN: usize = 3;
/// What a conversation begins with is looked up so shortly before it.
const BESIDE: u64 = 500_000_000;
/// An address is handed out so soon after it was asked for.
const HANDED_OUT: u64 = 10_000_000_000;
/// A ping is answered sooner, or never.
const PING_DUE: u64 = 1_000_000_000;

/// What a capture was found to show.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Each flow, in order of its first packet.
    pub flows: Vec<FlowReport>,
    /// The story of what the whole verdict is about.
    pub trace: Trace,
    /// The verdict on the whole.
    pub verdict: Verdict,
    /// Where the capture was made, if that can be told.
    pub place: Place,
}

/// One flow and its verdict.
#[derive(Clone, Debug)]
pub struct FlowReport {
    /// Of which protocol.
    pub protocol: Protocol,
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// The name that was wanted, where one was said.
    pub name: Option<String>,
    /// Numbers of the first and the last packet.
    pub frames: (u64, u64),
    /// How many packets it has.
    pub packets: u64,
    /// Where it was captured.
    pub place: Place,
    /// Its story.
    pub trace: Trace,
    /// Its verdict.
    pub verdict: Verdict,
}

/// What a flow is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A TCP connection.
    Tcp,
    /// A QUIC connection.
    Quic,
    /// A question to a name server.
    Dns,
}

impl Protocol {
    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Quic => "quic",
            Protocol::Dns => "dns",
        }
    }
}

/// Where a capture was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the asking host.
    Client,
    /// At the answering host.
    Server,
    /// Somewhere between them.
    Between,
    /// Nothing tells.
    Unknown,
}

impl Place {
    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Place::Client => "client",
            Place::Server => "server",
            Place::Between => "between",
            Place::Unknown => "unknown",
        }
    }

    /// By the handshake: the end whose answers come at once is the near one.
    fn of(flow: &TcpFlow) -> Place {
        let (client, server) = (flow.client(), flow.server());
        match (flow.oversized[client], flow.oversized[server]) {
            (1.., 0) => return Place::Client,
            (0, 1..) => return Place::Server,
            _ => {}
        }
        let fresh = |side: usize| flow.ttl[side].map(|ttl| matches!(ttl, 64 | 128 | 255));
        let timing = flow.rtt_beyond().zip(flow.rtt()).filter(|(_, whole)| *whole > 0);
        match (fresh(client), fresh(server), timing) {
            (Some(true), Some(false), _) => Place::Client,
            (Some(false), Some(true), _) => Place::Server,
            (_, _, Some((beyond, whole))) if beyond * 10 >= whole * 9 => Place::Client,
            (_, _, Some((beyond, whole))) if beyond * 10 <= whole => Place::Server,
            (Some(false), Some(false), Some(_)) => Place::Between,
            _ => Place::Unknown,
        }
    }
}

/// Nothing was captured.
pub(crate) fn nothing() -> Examination {
    let trace = Trace { network: "capture".into(), ..Trace::default() };
    let mut verdict = diagnose(&trace);
    verdict.summary = String::from("The capture holds no packet, so there is nothing to judge.");
    Examination { flows: Vec::new(), trace, verdict, place: Place::Unknown }
}

/// Judges what was seen. `rest`: other interfaces, for flows that were seen only there.
pub(crate) fn examine(watch: &mut Watch, rest: &mut [Watch], network: &str) -> Examination {
    watch.look_back();
    let watch = &*watch;
    let mut flows = flows_of(watch, network);
    for other in rest {
        other.put_in_order();
        let known: BTreeSet<(SocketAddr, SocketAddr)> =
            flows.iter().map(|known| (known.client, known.server)).collect();
        let seen = |report: &FlowReport| known.contains(&(report.client, report.server));
        // A direction alone is what was lost there, or the rest of a way that leads elsewhere.
        let more: Vec<FlowReport> = flows_of(other, network)
            .into_iter()
            .filter(|report| !seen(report) && report.packets > 8)
            .collect();
        flows.extend(more);
    }
    flows.sort_by_key(|report| report.frames.0);
    let place =
        watch.flows.iter().map(Place::of).find(|place| *place != Place::Unknown).unwrap_or(Place::Unknown);
    let (trace, verdict) = whole(watch, network);
    Examination { flows, trace, verdict, place }
}

fn socket(end: (IpAddr, u16)) -> SocketAddr {
    SocketAddr::new(end.0, end.1)
}

fn flows_of(watch: &Watch, network: &str) -> Vec<FlowReport> {
    let mut reports = Vec::new();
    let mut to: BTreeMap<IpAddr, Vec<&TcpFlow>> = BTreeMap::new();
    for flow in &watch.flows {
        to.entry(flow.remote().0).or_default().push(flow);
    }
    for flow in watch.flows.iter().filter(|flow| !is_dns(flow.ends)) {
        let name = said_name(flow);
        let target = name.clone().unwrap_or_else(|| flow.remote().0.to_string());
        let mut teller = Teller::new(watch, target.clone(), network);
        teller.connection(None, flow, &target, false);
        let remote = flow.remote().0;
        let same = to.get(&remote).into_iter().flatten().filter(|other| other.first != flow.first);
        for other in same.take(WITNESSES) {
            teller.keep(other.album.packets().take(WITNESSES));
        }
        let trace = teller.done();
        let verdict = verdict_of(&trace);
        reports.push(FlowReport {
            protocol: Protocol::Tcp,
            client: socket(flow.local()),
            server: socket(flow.remote()),
            name,
            frames: (flow.first.number, flow.last.number),
            packets: flow.album.count,
            place: Place::of(flow),
            trace,
            verdict,
        });
    }
    for quic in &watch.quics {
        let name = crate::visit::quic_name(quic);
        let target = name.clone().unwrap_or_else(|| quic.remote().0.to_string());
        let mut teller = Teller::new(watch, target.clone(), network);
        teller.quic_connection(quic, &target);
        let trace = teller.done();
        let verdict = verdict_of(&trace);
        reports.push(FlowReport {
            protocol: Protocol::Quic,
            client: socket(quic.local()),
            server: socket(quic.remote()),
            name,
            frames: (quic.first.number, quic.last.number),
            packets: quic.album.count,
            place: Place::Unknown,
            trace,
            verdict,
        });
    }
    for question in &watch.questions.all {
        let mut teller = Teller::new(watch, question.asked.name.clone(), network);
        teller.question(question);
        let trace = teller.done();
        let verdict = verdict_of(&trace);
        reports.push(FlowReport {
            protocol: Protocol::Dns,
            client: socket(question.client),
            server: socket(question.server),
            name: Some(question.asked.name.clone()),
            frames: (question.start().number, question.end().number),
            packets: question.album.count,
            place: Place::Unknown,
            trace,
            verdict,
        });
    }
    reports
}

/// The rules' verdict, with what a capture must add: an encrypted answer is not known to be a good one.
fn verdict_of(trace: &Trace) -> Verdict {
    let mut verdict = diagnose(trace);
    let decided = trace.spans.iter().any(|span| !matches!(span.outcome, thru_trace::Outcome::Skipped { .. }));
    if verdict.status == Status::Healthy && !trace.spans.is_empty() && !decided {
        verdict.status = Status::Undecided;
        verdict.confidence = 0.0;
        verdict.summary = String::from("Too little of it was captured to tell how it went.");
        return verdict;
    }
    let last = trace.all("exchange").filter(|span| !trace.is_check(span)).last();
    let cut = last.is_some_and(|span| {
        matches!(span.outcome, thru_trace::Outcome::Skipped { .. })
            && trace.children(span.id).next().is_none()
    });
    if verdict.status == Status::Healthy && cut {
        verdict.status = Status::Undecided;
        verdict.confidence = 0.0;
        verdict.summary = String::from("A request was sent, and what became of it was not captured.");
        return verdict;
    }
    let left = trace
        .all("handshake")
        .any(|span| !trace.is_check(span) && matches!(span.outcome, thru_trace::Outcome::Skipped { .. }));
    if verdict.status == Status::Healthy && last.is_none() && left {
        verdict.status = Status::Undecided;
        verdict.confidence = 0.0;
        verdict.summary = String::from(
            "Encryption was agreed on and nothing was asked: the client may have objected to something that is encrypted, or had no need any more.",
        );
        return verdict;
    }
    let sealed = trace.all("exchange").any(|span| span.bool("http.sealed") == Some(true));
    if verdict.status == Status::Healthy && sealed {
        verdict.confidence = verdict.confidence.min(SURE_SEALED);
        verdict.summary = format!(
            "{} As its answer is encrypted, this is as far as packets tell; a key log (--keylog) would open it.",
            verdict.summary
        );
    }
    verdict
}

/// How sure one can be that all is well without having read the answer.
const SURE_SEALED: f64 = 0.7;

/// One visit, told and judged.
struct Judged {
    visit: Visit,
    verdict: Verdict,
    /// Its name was found, or somebody said that it does not exist.
    found: bool,
    absent: bool,
    /// Nobody answered for it.
    silent: bool,
    /// Something was begun within the capture.
    begun: bool,
}

fn whole(watch: &Watch, network: &str) -> (Trace, Verdict) {
    let visits = visits(watch);
    let mut judged: Vec<Judged> = visits
        .iter()
        .map(|visit| {
            // Stories are long: of many visits only the one that is shown is kept, told once more.
            let mut visit = visit.clone();
            let mut trace = story(watch, &visit, &visits, network);
            let mut verdict = verdict_of(&trace);
            if let Some((later, told, worse)) = afterwards(watch, &visit, &trace, &verdict, network) {
                (visit, trace, verdict) = (later, told, worse);
            }
            let resolves = || trace.all("resolve");
            let absent =
                |span: &thru_trace::Span| matches!(span.code(), Some("dns.nxdomain" | "dns.no_data"));
            Judged {
                verdict,
                found: resolves().any(thru_trace::Span::is_ok),
                absent: resolves().any(absent),
                begun: trace.spans.iter().any(|span| BEGINNINGS.contains(&span.what.as_str())),
                silent: resolves().any(|span| matches!(span.code(), Some("dns.timeout" | "dns.servfail"))),
                visit,
            }
        })
        .collect();
    let worked = Worked::of(&judged);
    let alone = judged.len() == 1;
    for judged in &mut judged {
        if is_by_the_way(judged, &worked, alone)
            || is_errand_of(judged, &worked)
            || is_own_name(judged, watch)
        {
            judged.verdict.status = Status::Healthy;
            judged.verdict.causes.clear();
        }
    }
    if let Some(told) = local_network(watch, network).or_else(|| no_neighbour(watch, network, &judged)) {
        return told;
    }
    // The worst first; of equals, what was met first.
    judged.sort_by_key(|judged| (rank(judged), judged.visit.start));
    let mut judged = judged.into_iter();
    let Some(first) = judged.next() else { return without_visits(watch, network) };
    let mut verdict = first.verdict;
    for other in judged {
        let fault = matches!(other.verdict.status, Status::Failed | Status::Degraded);
        let known = |causes: &[String]| causes.iter().all(|cause| verdict.causes.contains(cause));
        let said = verdict.also.iter().any(|also| also.causes == other.verdict.causes);
        if fault && !said && !known(&other.verdict.causes) && verdict.also.len() < ALSO_MAX {
            verdict.also.push(Also {
                layer: other.verdict.layer,
                causes: other.verdict.causes,
                summary: other.verdict.summary,
            });
        }
    }
    (story(watch, &first.visit, &visits, network), verdict)
}

/// What was tried after a visit's last good answer, if all of that failed: the answer does not make up for it.
fn afterwards(
    watch: &Watch,
    visit: &Visit,
    trace: &Trace,
    verdict: &Verdict,
    network: &str,
) -> Option<(Visit, Trace, Verdict)> {
    if !matches!(verdict.status, Status::Healthy | Status::Degraded) {
        return None;
    }
    let good = trace.all("exchange").filter(|span| span.is_ok() && !trace.is_check(span));
    let over = watch.start() + good.map(|span| span.end).max()?;
    let later = visit.after(watch, over)?;
    let told = story(watch, &later, std::slice::from_ref(&later), network);
    let worse = verdict_of(&told);
    let fails = matches!(worse.status, Status::Failed | Status::Undecided) && !worse.causes.is_empty();
    fails.then_some((later, told, worse))
}

/// All that is known of a visit.
fn story(watch: &Watch, visit: &Visit, visits: &[Visit], network: &str) -> Trace {
    let target = if visit.port == 0 { visit.name.clone() } else { format!("{}:{}", visit.name, visit.port) };
    Teller::new(watch, target, network).visit(visit, visits)
}

/// What a request is made of. Whoever has none of it was there before, and asked for nothing.
const BEGINNINGS: [&str; 5] = ["resolve", "connect", "tunnel", "handshake", "exchange"];

fn rank(judged: &Judged) -> u8 {
    match judged.verdict.status {
        // Many names are asked for only to see whether they are there: other troubles come first.
        Status::Failed if judged.absent && !judged.visit.connects() => 2,
        Status::Failed => 0,
        Status::Degraded => 1,
        Status::Undecided if judged.begun => 3,
        Status::Healthy => 4,
        Status::Undecided => 5,
    }
}

/// A name that was tried and is not there is no fault if it is one of several tries for another: with a suffix of the search
/// list (resolv.conf), and then without, or below one that was found.
fn is_by_the_way(judged: &Judged, worked: &Worked, alone: bool) -> bool {
    let only_names = !judged.visit.connects();
    let unwanted = is_made_up(&judged.visit.name) && !alone || is_list_entry(&judged.visit.name);
    if only_names && judged.absent && unwanted {
        return true;
    }
    // A suffix whose servers are silent costs time, and then the name itself is tried.
    only_names
        && (judged.absent || judged.silent)
        && (worked.begins(&judged.visit)
            || judged.absent && (worked.ends(&judged.visit) || worked.is_tried_bare(&judged.visit)))
}

/// A lone label that is not there, looked up while the same machine is in conversation: programs look for their own
/// machine's whole name when they greet somebody (RFC 5321 4.1.1.1).
fn is_own_name(judged: &Judged, watch: &Watch) -> bool {
    let busy = |flow: &&TcpFlow| {
        let start = judged.visit.start;
        (flow.first.time..flow.last.time + BESIDE).contains(&start.saturating_add(BESIDE))
            && flow.established.is_some()
            && !is_dns(flow.ends)
            && judged.visit.host == Some(watch.host(flow.local().0))
    };
    let lone = !judged.visit.name.trim_end_matches('.').contains('.');
    lone && judged.absent && !judged.visit.connects() && watch.flows.iter().find(busy).is_some()
}

/// What a program looked up for itself beside what its user wanted.
fn is_errand_of(judged: &Judged, worked: &Worked) -> bool {
    !judged.visit.connects() && worked.hosts.contains(&judged.visit.host) && is_errand(&judged.visit.name)
}

/// What was found, or connected to, by each host.
struct Worked {
    names: BTreeSet<(Option<IpAddr>, String)>,
    /// Whatever was asked for, found or not.
    asked: BTreeSet<(Option<IpAddr>, String)>,
    /// Those that found something that their users wanted.
    hosts: BTreeSet<Option<IpAddr>>,
}

impl Worked {
    fn of(judged: &[Judged]) -> Worked {
        let worked = || judged.iter().filter(|judged| judged.found || judged.visit.connects());
        let wanted = worked().filter(|judged| !is_errand(&judged.visit.name));
        Worked {
            asked: judged.iter().map(|judged| (judged.visit.host, judged.visit.name.clone())).collect(),
            names: worked().map(|judged| (judged.visit.host, judged.visit.name.clone())).collect(),
            hosts: wanted.map(|judged| judged.visit.host).collect(),
        }
    }

    fn has(&self, host: Option<IpAddr>, name: &str) -> bool {
        self.names.contains(&(host, name.to_owned()))
    }

    /// Whether a visit's name begins with one that worked, and goes on behind it.
    fn begins(&self, visit: &Visit) -> bool {
        visit.name.match_indices('.').any(|(dot, _)| self.has(visit.host, &visit.name[..dot]))
    }

    /// Whether a visit's name begins with a whole one, of several labels, that was asked for as well.
    fn is_tried_bare(&self, visit: &Visit) -> bool {
        let bare = visit.name.match_indices('.').map(|(dot, _)| &visit.name[..dot]);
        bare.filter(|bare| bare.contains('.')).any(|bare| self.asked.contains(&(visit.host, bare.to_owned())))
    }

    /// Whether a visit's name is below one that worked.
    fn ends(&self, visit: &Visit) -> bool {
        above(&visit.name).any(|above| self.has(visit.host, above))
    }
}

/// Whether a name looks as if nobody had meant it to exist: programs ask for such to learn whether somebody answers for
/// names that are not there. A lone label of letters, as browsers make it up, or one of many digits.
fn is_made_up(name: &str) -> bool {
    let (label, rest) = name.split_once('.').unwrap_or((name, ""));
    let letters = label.chars().all(|letter| letter.is_ascii_lowercase());
    let digits = label.chars().filter(char::is_ascii_digit).count();
    let hex = label.chars().skip(1).all(|letter| letter.is_ascii_hexdigit());
    (rest.is_empty() && letters && (7..=15).contains(&label.len()))
        || (hex && label.len() >= 12 && digits >= 4)
}

/// A loop between switches, which nothing else gets through; or a machine that got no address, and so did nothing else.
fn local_network(watch: &Watch, network: &str) -> Option<(Trace, Verdict)> {
    let mut teller = Teller::new(watch, String::from("the local network"), network);
    if !teller.storm() && (heard_anything(watch) || !teller.lease()) {
        return None;
    }
    let trace = teller.done();
    let mut verdict = verdict_of(&trace);
    if verdict.status == Status::Healthy {
        verdict.summary = String::from("An address was asked for and given; nothing else was tried.");
        // Others may have tried more than that, and who looked for a neighbour in vain did.
        let looked = watch.ground.searches.values().any(|search| {
            // From no address: whether one's own is free (RFC 5227 2.1.1).
            let by_somebody = search.by.is_some_and(|by| !by.is_unspecified());
            !search.found && search.asked.len() >= SEARCHES_MIN && by_somebody
        });
        return (!looked && watch.flows.is_empty() && watch.questions.all.is_empty())
            .then_some((trace, verdict));
    }
    Some((trace, verdict))
}

/// Whether anybody answered anything.
fn heard_anything(watch: &Watch) -> bool {
    watch.flows.iter().any(|flow| flow.is_answered())
        || watch.questions.all.iter().any(|question| question.answer.is_some())
        || watch.quics.iter().any(|quic| quic.datagrams.iter().all(|count| *count > 0))
}

/// Whether anybody answered anything after a moment.
fn heard_since(watch: &Watch, moment: u64) -> bool {
    watch.flows.iter().any(|flow| flow.sides[flow.server()].last_word() > moment)
        || watch.questions.all.iter().any(|q| q.answer.as_ref().is_some_and(|(at, _)| at.time > moment))
        || watch.quics.iter().any(|quic| quic.pauses[1 - quic.client()].last.is_some_and(|at| at > moment))
}

/// A host that looked for its next hop in vain, and from which nothing else got anywhere.
fn no_neighbour(watch: &Watch, network: &str, judged: &[Judged]) -> Option<(Trace, Verdict)> {
    let (address, search) = watch
        .ground
        .searches
        .iter()
        .filter(|(_, search)| !search.found && search.asked.len() >= SEARCHES_MIN)
        .filter(|(_, search)| !watch.is_bystander(search.mac))
        .max_by_key(|(_, search)| search.asked.len())?;
    let since = search.asked.first().map_or(0, |asked| asked.time);
    // Who hands out addresses looks first whether somebody has them already (RFC 2131 2.2); nobody should.
    let checks = watch.ground.leases.iter().any(|((client, _), lease)| {
        (lease.offered || lease.granted || lease.refused)
            && search.mac != Some(*client)
            && lease.asked.first().is_some_and(|(asked, _)| since.abs_diff(asked.time) < HANDED_OUT)
    });
    if checks {
        return None;
    }
    // Whose pings come back has a way out, or its LAN at least; then one machine of it is not there.
    let pings_back = watch
        .ground
        .echoes
        .iter()
        .any(|echo| Some(echo.src) == search.by && echo.back.is_some_and(|(back, _)| back.time > since));
    if pings_back
        || heard_since(watch, since)
        || judged.iter().any(|judged| judged.verdict.status == Status::Failed && judged.visit.connects())
    {
        return None;
    }
    let mut teller = Teller::new(watch, address.to_string(), network);
    let asked: Vec<Moment> = search.asked.clone();
    teller.unreachable_neighbour(*address, &asked);
    let trace = teller.done();
    let verdict = verdict_of(&trace);
    (verdict.layer == Layer::Link).then_some((trace, verdict))
}

/// Nobody visited anything: then what was seen is not judged, or there was nothing to be seen.
fn without_visits(watch: &Watch, network: &str) -> (Trace, Verdict) {
    let trace = Teller::new(watch, String::from("capture"), network).done();
    let mut verdict = diagnose(&trace);
    let (sent, back) =
        (watch.ground.echoes.len(), watch.ground.echoes.iter().filter(|echo| echo.back.is_some()).count());
    if sent > 0 && sent == back {
        verdict.status = Status::Healthy;
        verdict.confidence = 0.6;
        verdict.summary = format!("All of {sent} pings were answered; nothing else was tried.");
        return (trace, verdict);
    }
    // A few may be lost anywhere; those under way when the capture ended do not count.
    let due = watch.ground.echoes.iter().filter(|echo| echo.sent.time + PING_DUE < watch.last);
    let lost = due.filter(|echo| echo.back.is_none()).count();
    if back > 0 && lost >= PINGS_LOST_MIN && lost * 20 >= sent && !watch.index.lacks_packets {
        verdict.status = Status::Degraded;
        verdict.layer = Layer::Ip;
        verdict.causes = vec![String::from("IP19")];
        verdict.confidence = 0.75;
        verdict.summary = format!("Packets are lost on the way: of {sent} pings {lost} were never answered.");
        return (trace, verdict);
    }
    if let Some(found) = crate::tunnels::unanswered(watch) {
        verdict.status = Status::Failed;
        verdict.layer = Layer::Firewall;
        verdict.causes = ["FW23", "FW15", "IP05"].map(String::from).to_vec();
        verdict.confidence = 0.75;
        verdict.summary = found;
        return (trace, verdict);
    }
    verdict.summary = if watch.packets == 0 {
        String::from("The capture holds no packet, so there is nothing to judge.")
    } else {
        String::from(
            "The capture holds no request that could be judged: no name that was looked up, no connection.",
        )
    };
    (trace, verdict)
}
