//! From names to addresses, as a common stub resolver does it, with a span for every server asked.
//!
//! - [`resolve`]: asks the network's resolvers for A and AAAA side by side. Start here.
//! - [`exchange`]: one question to one server over UDP, over TCP when the answer is cut short.
//! - [`exchanges`]: a resolver's questions under way, each from a port of its own.
//! - [`secured`]: one question over TLS, HTTPS or QUIC.
//! - [`stub`]: that question to several servers, with tries and patience.
//! - [`control`]: the questions a diagnosis asks: another resolver, from the root down, without validation.
//! - [`iterate`]: the iterative resolver of `names`, driven over a network.

pub mod control;
pub mod exchange;
pub mod exchanges;
pub mod iterate;
pub mod secured;
pub mod stub;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_names::resolver::Step;
use thru_names::text::{name_text, parse_name, type_text};
use thru_net::Network;
use thru_trace::{Layer, SpanId, Value};

use crate::Recorder;
use stub::{Patience, Reply, Trouble};

/// Addresses of one family that are used; nobody waits for the eleventh, and a name with more is made to be waited for.
pub const ADDRESSES_MAX: usize = 10;

/// Once one family's addresses are known, how long to wait for the other's (RFC 8305 section 3).
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// Those of every family the network has; both if it has none (RFC 3493's `AI_ADDRCONFIG`).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How to resolve.
#[derive(Clone, Debug, Default)]
pub struct ResolveOptions {
    /// Which addresses are wanted.
    pub families: Families,
    /// Names known without asking, in lower case, as a hosts file gives them.
    pub hosts: Vec<(String, IpAddr)>,
    /// The resolvers to ask; `None`: those the network names.
    pub resolvers: Option<Vec<SocketAddr>>,
    /// Tries and timeouts.
    pub patience: Patience,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// In the order of the answers, IPv6 first.
    pub addresses: Vec<IpAddr>,
    /// The `resolve` span; `None` if nothing had to be resolved (the name is an address).
    pub span: Option<SpanId>,
}

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveFailure {
    /// `dns.nxdomain`, `dns.timeout`, ...: the code of the span.
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// The `resolve` span.
    pub span: SpanId,
}

/// Finds the addresses of `name`, which may be an address already.
///
/// `localhost` and what lies below it never leave this machine (RFC 6761 section 6.3); names in
/// [`ResolveOptions::hosts`] are not asked for.
pub async fn resolve(
    recorder: &Recorder,
    parent: Option<SpanId>,
    name: &str,
    options: &ResolveOptions,
) -> Result<Addresses, ResolveFailure> {
    if let Some(address) = literal(name) {
        return Ok(Addresses { addresses: vec![address], span: None });
    }
    let span = recorder.open(parent, Layer::Dns, "resolve", name);
    let query = match parse_name(name) {
        Ok(query) => query,
        Err(why) => {
            recorder.set(span, "dns.name", name);
            let text = format!("`{name}` is no name that can be asked for: {why}");
            recorder.fail(span, "dns.bad_name", text.clone());
            return Err(ResolveFailure { code: "dns.bad_name", text, span });
        }
    };
    recorder.set(span, "dns.name", name_text(&query));
    let wanted = options.families;
    if let Some((source, addresses)) = known_here(&query, &options.hosts) {
        let addresses: Vec<IpAddr> =
            addresses.into_iter().filter(|address| matches(wanted, address)).collect();
        if !addresses.is_empty() {
            recorder.set(span, "dns.source", source);
            return Ok(done(recorder, span, addresses));
        }
    }
    let network = recorder.network().clone();
    let servers = options.resolvers.clone().unwrap_or_else(|| network.resolvers());
    let types = types(&network, wanted);
    let answers = ask_all(recorder, span, &servers, &query, &types, options.patience).await;
    let addresses: Vec<IpAddr> = answers
        .iter()
        .filter_map(|answer| answer.as_ref()?.as_ref().ok())
        .flat_map(|reply| reply.records.iter().filter_map(|record| record.data.ip_addr()))
        .collect();
    if !addresses.is_empty() {
        return Ok(done(recorder, span, addresses));
    }
    let troubles: Vec<&Trouble> =
        answers.iter().filter_map(|answer| answer.as_ref()?.as_ref().err()).collect();
    let worst = troubles.iter().min_by_key(|trouble| telling(trouble.code));
    let (code, text) = match worst {
        Some(trouble) => (trouble.code, trouble.text.clone()),
        None => ("dns.no_data", format!("{name} has no address")),
    };
    recorder.fail(span, code, text.clone());
    Err(ResolveFailure { code, text, span })
}

/// Writes the steps that a resolver of the lab took, as `dns.step` spans: for display, not for diagnosis, which must
/// not know more than a client can.
pub fn record_steps(recorder: &Recorder, parent: SpanId, steps: &[Step]) {
    for step in steps {
        let label = format!(
            "{} {} @ {}",
            name_text(&step.name).trim_end_matches('.'),
            type_text(step.record_type),
            step.server.ip()
        );
        let span = recorder.open_at(Some(parent), Layer::Dns, "dns.step", label, step.at);
        recorder.set(span, "vantage", "resolver");
        iterate::describe(recorder, span, step);
    }
}

fn literal(name: &str) -> Option<IpAddr> {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    inner.parse().ok()
}

fn matches(families: Families, address: &IpAddr) -> bool {
    match families {
        Families::Any => true,
        Families::V4 => address.is_ipv4(),
        Families::V6 => address.is_ipv6(),
    }
}

/// The record types to ask for, AAAA first as RFC 8305 section 3 advises.
fn types(network: &Network, families: Families) -> Vec<RecordType> {
    let both = vec![RecordType::AAAA, RecordType::A];
    match families {
        Families::V4 => vec![RecordType::A],
        Families::V6 => vec![RecordType::AAAA],
        Families::Any => match (network.has_family(false), network.has_family(true)) {
            (true, false) => vec![RecordType::A],
            (false, true) => vec![RecordType::AAAA],
            _ => both,
        },
    }
}

/// What needs no question: where it is known from, and the addresses.
fn known_here(name: &Name, hosts: &[(String, IpAddr)]) -> Option<(&'static str, Vec<IpAddr>)> {
    let text = name_text(&name.to_lowercase());
    let text = text.trim_end_matches('.');
    let listed: Vec<IpAddr> =
        hosts.iter().filter(|(host, _)| host == text).map(|(_, address)| *address).collect();
    if !listed.is_empty() {
        return Some(("hosts", listed));
    }
    let local = text == "localhost" || text.ends_with(".localhost");
    local.then(|| ("localhost", vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]))
}

/// All types side by side; `None` for one that was not waited for, because the other's answer was enough to go on.
async fn ask_all(
    recorder: &Recorder,
    span: SpanId,
    servers: &[SocketAddr],
    name: &Name,
    types: &[RecordType],
    patience: Patience,
) -> Vec<Option<Result<Reply, Trouble>>> {
    let [first, second] = types else {
        let only = types[0];
        let question = stub::Question::plain(name.clone(), only);
        return vec![Some(stub::ask(recorder, span, servers, &question, patience).await)];
    };
    let network = recorder.network();
    let question = [first, second].map(|kind| stub::Question::plain(name.clone(), *kind));
    let mut answers: Vec<Option<Result<Reply, Trouble>>> = vec![None, None];
    let mut one = std::pin::pin!(stub::ask(recorder, span, servers, &question[0], patience));
    let mut two = std::pin::pin!(stub::ask(recorder, span, servers, &question[1], patience));
    let mut give_up: Option<thru_net::Sleep> = None;
    while answers.iter().any(Option::is_none) {
        let waiting = give_up.is_some();
        tokio::select! {
            biased;
            answer = &mut one, if answers[0].is_none() => answers[0] = Some(answer),
            answer = &mut two, if answers[1].is_none() => answers[1] = Some(answer),
            () = async { give_up.as_mut().expect("guarded").await }, if waiting => break,
        }
        let usable = |answer: &Option<Result<Reply, Trouble>>| matches!(answer, Some(Ok(_)));
        if give_up.is_none() && answers.iter().any(usable) {
            give_up = Some(network.sleep(RESOLUTION_DELAY));
        }
    }
    if let Some(missing) = answers.iter().position(Option::is_none) {
        stub::abandon(recorder, span, types[missing]);
    }
    answers
}

fn done(recorder: &Recorder, span: SpanId, addresses: Vec<IpAddr>) -> Addresses {
    let all = addresses.len();
    let addresses = some(addresses);
    if addresses.len() < all {
        recorder.set(
            span,
            "dns.addresses_left_out",
            i64::try_from(all - addresses.len()).unwrap_or(i64::MAX),
        );
    }
    let list: Vec<Value> = addresses.iter().map(|address| Value::Address(*address)).collect();
    recorder.set(span, "dns.addresses", list);
    recorder.ok(span);
    Addresses { addresses, span: Some(span) }
}

/// The first of each family, in their order.
fn some(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut taken = [0; 2];
    let fits = |address: &IpAddr| {
        let count = &mut taken[usize::from(address.is_ipv6())];
        *count += 1;
        *count <= ADDRESSES_MAX
    };
    addresses.into_iter().filter(fits).collect()
}

/// Which of two failures tells more: what the name's own zone says before what keeps us from hearing it.
fn telling(code: &str) -> usize {
    const ORDER: [&str; 10] = [
        "dns.nxdomain",
        "dns.servfail",
        "dns.refused",
        "dns.malformed",
        "dns.wrong_id",
        "dns.timeout",
        "dns.unreachable",
        "ip.no_route",
        "dns.no_resolver",
        "dns.no_data",
    ];
    ORDER.iter().position(|known| *known == code).unwrap_or(ORDER.len())
}
