//! What is asked when a step failed: the probes that tell a cause from its lookalikes.
//!
//! Branches are independent. A control that fails says something about our own way out, one that works proves it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use thru_names::text::parse_name;
use thru_net::ConnectOptions;
use thru_trace::{Family, Layer, Outcome, SpanId, Value};
use url::{Host, Url};

use super::JourneyOptions;
use crate::Recorder;
use crate::connect;
use crate::ping::{PingOptions, ping};
use crate::request::{Client, Request};
use crate::resolve::{self, ResolveOptions, control::Way, stub::Patience};
use crate::route::{RouteOptions, route};
use crate::secure::TlsClient;

/// A name did not resolve: is it the resolver, the name, or the way to both?
pub async fn after_resolve(recorder: &Recorder, options: &JourneyOptions, name: &str, code: &str) {
    let Ok(name) = parse_name(name) else { return };
    let wanted = match options.family {
        Some(Family::V6) => RecordType::AAAA,
        _ => RecordType::A,
    };
    let silent = matches!(
        code,
        "dns.timeout" | "dns.unreachable" | "dns.no_resolver" | "dns.refused" | "dns.wrong_id"
    );
    let ours = recorder.network().resolvers();
    let ask = async |way: Way, whom: &[SocketAddr]| {
        resolve::control::control(recorder, None, way, &name, wanted, whom, CONTROL_PATIENCE).await
    };
    let others = async {
        // A name of one network's own is known to its own name servers alone.
        if (silent || code == "dns.nxdomain") && !options.other_resolvers.is_empty() {
            ask(Way::OtherResolver, &options.other_resolvers).await;
        }
    };
    let otherwise = async {
        if code == "dns.timeout" {
            tokio::join!(biased; ask(Way::OverTcp, &ours), ask(Way::WithoutEdns, &ours));
        }
        if code == "dns.servfail" {
            ask(Way::CheckingDisabled, &ours).await;
        }
    };
    let ourselves = async {
        if let Some(config) = &options.from_root {
            resolve::control::control_iterate(recorder, None, &name, wanted, config.clone()).await;
        }
    };
    let around = async {
        // Is anything at all there, and does any router on the way answer?
        if let Some(resolver) = ours.first().filter(|_| code == "dns.timeout") {
            way(recorder, resolver.ip()).await;
        }
    };
    tokio::join!(biased; others, otherwise, ourselves, around);
}

/// A control asks whoever is known to answer at once, or whoever was given more time already.
const CONTROL_PATIENCE: Patience = Patience { tries: 2, timeout: Duration::from_millis(1_500) };

/// A lookup was slow: is it slow again from the resolver's cache (`repeated.cached`), and for a name of the same zone
/// that cannot be cached (`repeated.fresh`)?
pub async fn repeated_lookup(recorder: &Recorder, options: &JourneyOptions, slow: Duration) {
    let spans = recorder.spans();
    let late = spans.iter().find(|span| {
        span.what == "resolve"
            && span.parent.is_none()
            && span.is_ok()
            && span.nanos() > slow.as_nanos() as u64
    });
    let Some(name) = late.and_then(|span| span.text("dns.name")).and_then(|name| parse_name(name).ok())
    else {
        return;
    };
    let wanted = if options.family == Some(Family::V6) { RecordType::AAAA } else { RecordType::A };
    let random = recorder.network().random("uncached name");
    let label = format!("x{}", random[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let Ok(fresh) = name.prepend_label(label.as_bytes()) else { return };
    let control =
        open(recorder, Layer::Dns, "repeated", format!("{name} once more, and a name nobody asked for"));
    let servers = recorder.network().resolvers();
    let patience = Patience::default();
    let (mut failed, mut took) = (None, Vec::new());
    for name in [name, fresh] {
        let started = recorder.network().now();
        let question = resolve::stub::Question::plain(name, wanted);
        match resolve::stub::ask(recorder, control, &servers, &question, patience).await {
            Err(trouble) if !matches!(trouble.code, "dns.nxdomain" | "dns.no_data") => failed = Some(trouble),
            _ => {}
        }
        took.push(recorder.network().now().since(started));
    }
    recorder.set_duration(control, "repeated.cached", took[0]);
    recorder.set_duration(control, "repeated.fresh", took[1]);
    match failed {
        Some(trouble) => recorder.fail(control, trouble.code, trouble.text),
        None => recorder.ok(control),
    }
}

/// The address came from the hosts file and the request failed: what does DNS say? `hosts.differs`: something else.
pub async fn without_hosts(recorder: &Recorder, options: &JourneyOptions) {
    let spans = recorder.spans();
    let own =
        |what: &'static str| spans.iter().filter(move |span| span.what == what && span.parent.is_none());
    let listed = own("resolve").find(|span| span.text("dns.source") == Some("hosts"));
    let answered = own("exchange").any(|span| span.int("http.status").is_some_and(|status| status < 400));
    let Some(listed) = listed.filter(|_| !answered) else { return };
    let name = listed.text("dns.name").unwrap_or_default().trim_end_matches('.').to_owned();
    // A name without a dot is no name of DNS.
    if !name.contains('.') {
        return;
    }
    let control = open(recorder, Layer::Dns, "without_hosts", format!("what does DNS say of {name}?"));
    let wishes = ResolveOptions { hosts: Vec::new(), ..options.resolve_options() };
    match resolve::resolve(recorder, Some(control), &name, &wishes).await {
        Ok(found) => {
            let known = found.addresses.iter().any(|address| {
                listed.list("dns.addresses").unwrap_or_default().contains(&Value::Address(*address))
            });
            recorder.set(control, "hosts.differs", !known);
            recorder.ok(control);
        }
        Err(failure) => recorder.fail(control, failure.code, failure.text),
    }
}

/// The other address family: overtaken in the race by one lost packet, or broken? And if it never had to be tried:
/// does it work for those who have nothing else?
pub async fn other_family(recorder: &Recorder, addresses: &[SocketAddr], limit: Duration) {
    let spans = recorder.spans();
    let own = || spans.iter().filter(|span| span.what == "connect" && span.parent.is_none());
    let overtaken = own().find(|span| matches!(span.outcome, Outcome::Skipped { .. }));
    let tried =
        |v6: bool| own().any(|span| span.socket("tcp.remote").is_some_and(|remote| remote.is_ipv6() == v6));
    let untried = || addresses.iter().copied().find(|address| !tried(address.is_ipv6()));
    let Some(remote) = overtaken.and_then(|span| span.socket("tcp.remote")).or_else(untried) else { return };
    let control = recorder.open(None, Layer::Tcp, "control", format!("does {remote} answer?"));
    recorder.set(control, "control.kind", "other_family");
    let wishes = ConnectOptions { limit: Some(limit), ..ConnectOptions::default() };
    match connect::single(recorder, Some(control), remote, wishes).await {
        Ok(_) => recorder.ok(control),
        Err(span) => {
            let code = recorder.code(span).unwrap_or_else(|| "tcp.timeout".to_owned());
            recorder.fail(control, code, "no connection either");
        }
    }
}

/// No address answered the TCP handshake: how far does the way go, is the host there, is it only the port, and does
/// our own way out work?
pub async fn after_connect(
    recorder: &Recorder,
    options: &JourneyOptions,
    addresses: &[SocketAddr],
    failed: &[SpanId],
) {
    let Some(remote) = addresses.first() else { return };
    let code = |span: &SpanId| recorder.code(*span);
    let unanswered =
        failed.iter().any(|span| matches!(code(span).as_deref(), Some("tcp.timeout" | "tcp.refused")));
    let silent = failed.iter().all(|span| code(span).as_deref() == Some("tcp.timeout"));
    let port = async {
        if unanswered {
            other_port(recorder, *remote).await;
        }
    };
    let sources = async {
        if silent && other_source(recorder, *remote).await > 0 {
            super::compare::other_site_source(recorder, options).await;
        }
    };
    tokio::join!(biased; way(recorder, remote.ip()), port, sources, other_site_connects(recorder, options));
}

/// QUIC did not get through: does TCP to the same port, and does the way go there?
pub async fn after_quic(recorder: &Recorder, options: &JourneyOptions, addresses: &[SocketAddr]) {
    let Some(remote) = addresses.first() else { return };
    let by_tcp = async {
        let control = open(recorder, Layer::Tcp, "other_port", format!("TCP to {remote}"));
        recorder.set(control, "port", u32::from(remote.port()));
        let wishes = ConnectOptions { limit: Some(CONNECT_PATIENCE), ..ConnectOptions::default() };
        let connected = connect::single(recorder, Some(control), *remote, wishes).await;
        close(recorder, control, connected.map(drop));
    };
    let by_udp = super::compare::udp_port(recorder, options, remote.ip());
    tokio::join!(biased; by_tcp, by_udp, way(recorder, remote.ip()));
}

/// A handshake for comparison takes no longer, its first two packets lost.
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);

/// The way to the host, and whether it answers an echo request.
async fn way(recorder: &Recorder, target: IpAddr) {
    // Both may be forbidden to this user; the spans say so.
    let route = async {
        drop(route(recorder, None, target, RouteOptions { probes: 2, ..RouteOptions::default() }).await)
    };
    let pings = async {
        let control = open(recorder, Layer::Ip, "ping", format!("does {target} answer an echo request?"));
        let train = PingOptions {
            count: 3,
            interval: Duration::from_millis(200),
            prompt: true,
            ..PingOptions::default()
        };
        match ping(recorder, Some(control), target, "control", train, |_| {}).await {
            Ok(result) if result.received() > 0 => recorder.ok(control),
            Ok(_) => recorder.fail(control, "ping.timeout", "no reply"),
            Err(error) => recorder.skip(control, error.to_string()),
        }
    };
    tokio::join!(biased; route, pings);
}

/// Another port of the same host: the web's other one.
async fn other_port(recorder: &Recorder, remote: SocketAddr) {
    let port = if remote.port() == 80 { 443 } else { 80 };
    let other = SocketAddr::new(remote.ip(), port);
    let control = open(recorder, Layer::Tcp, "other_port", format!("does {other} answer?"));
    recorder.set(control, "port", u32::from(port));
    let wishes = ConnectOptions { limit: Some(Duration::from_secs(3)), ..ConnectOptions::default() };
    let connected = connect::single(recorder, Some(control), other, wishes).await;
    close(recorder, control, connected.map(drop));
}

/// The same address and port again, from other ports of ours: `source.tries` attempts, of which `source.answered` were.
/// Where several devices share the work, one of them may be broken.
async fn other_source(recorder: &Recorder, remote: SocketAddr) -> u32 {
    const TRIES: u32 = 4;
    let control =
        open(recorder, Layer::Tcp, "other_source", format!("does {remote} answer other ports of ours?"));
    let wishes = ConnectOptions { limit: Some(Duration::from_millis(900)), ..ConnectOptions::default() };
    let mut answered = 0u32;
    for _ in 0..TRIES {
        answered += u32::from(connect::single(recorder, Some(control), remote, wishes).await.is_ok());
    }
    recorder.set(control, "source.tries", TRIES);
    recorder.set(control, "source.answered", answered);
    if answered > 0 {
        recorder.ok(control)
    } else {
        recorder.fail(control, "tcp.timeout", "none of them")
    }
    answered
}

/// A site that is known to work: does a TCP handshake with it?
async fn other_site_connects(recorder: &Recorder, options: &JourneyOptions) {
    let Some(site) = usable_site(options) else { return };
    let control = open(recorder, Layer::Tcp, "other_site", format!("does {site} answer?"));
    let connected = connect_site(recorder, control, options, site).await;
    close(recorder, control, connected.map(drop));
}

/// A site that is known to work: is its certificate believed here?
pub async fn other_site(recorder: &Recorder, options: &JourneyOptions, tls: &TlsClient) {
    let Some(site) = usable_site(options) else { return };
    let control = open(recorder, Layer::Tls, "other_site", format!("is {site} believed?"));
    let connected = match connect_site(recorder, control, options, site).await {
        Ok(connected) => connected,
        Err(span) => return close(recorder, control, Err(span)),
    };
    let host = site.host_str().unwrap_or_default();
    let secured = tls.secure(recorder, Some(control), host, &["h2", "http/1.1"], connected.stream).await;
    close(recorder, control, secured.map(drop).map_err(|failure| failure.span));
}

/// What does an unrelated server's clock say? Asked without encryption, so that no certificate stands between: the
/// `Date` header (RFC 9110 6.6.1) less this machine's clock is `clock.offset`, in seconds.
pub async fn clock(recorder: &Recorder, options: &JourneyOptions) {
    let Some(site) = usable_site(options) else { return };
    let mut plain = site.clone();
    if plain.set_scheme("http").is_err() || plain.set_port(None).is_err() {
        return;
    }
    let control = open(recorder, Layer::Http, "clock", format!("what time is it at {plain}?"));
    let connected = match connect_site(recorder, control, options, &plain).await {
        Ok(connected) => connected,
        Err(span) => return close(recorder, control, Err(span)),
    };
    let mut client = match Client::over_stream(recorder.network(), connected.stream, false).await {
        Ok(client) => client,
        Err(problem) => return recorder.fail(control, problem.code, problem.text),
    };
    // A redirect to the encrypted site tells the time as well as a page does.
    let answer = client.exchange(recorder, Some(control), &Request::get(plain), &options.limits).await;
    client.close().await;
    let here = recorder.network().unix_time().as_secs();
    let told = answer.ok().and_then(|answer| {
        let date = answer.headers.get(http::header::DATE)?.to_str().ok().map(httpdate::parse_http_date)?;
        date.ok()?.duration_since(std::time::UNIX_EPOCH).ok()
    });
    match told {
        Some(there) => {
            let there = i64::try_from(there.as_secs()).unwrap_or(i64::MAX);
            recorder.set(control, "clock.offset", there - i64::try_from(here).unwrap_or(i64::MAX));
            recorder.ok(control);
        }
        None => recorder.fail(control, "clock.none", "it does not tell the time"),
    }
}

/// The control site, unless it is the very site that is asked for.
pub(super) fn usable_site(options: &JourneyOptions) -> Option<&Url> {
    options.control_site.as_ref().filter(|site| site.host_str() != options.url.host_str())
}

async fn connect_site(
    recorder: &Recorder,
    control: SpanId,
    options: &JourneyOptions,
    site: &Url,
) -> Result<connect::Connected, SpanId> {
    let port = site.port_or_known_default().unwrap_or(443);
    let addresses = match site.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
        Some(Host::Domain(name)) => {
            let found = resolve::resolve(recorder, Some(control), name, &options.resolve_options()).await;
            found.map_err(|failure| failure.span)?.addresses
        }
        None => return Err(control),
    };
    let addresses: Vec<SocketAddr> =
        addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let wishes = ConnectOptions { limit: Some(CONNECT_PATIENCE), nodelay: true, ..ConnectOptions::default() };
    let connected = connect::race(recorder, Some(control), &addresses, wishes).await;
    connected.map_err(|spans| spans.first().copied().unwrap_or(control))
}

fn open(recorder: &Recorder, layer: Layer, kind: &str, label: String) -> SpanId {
    let control = recorder.open(None, layer, "control", label);
    recorder.set(control, "control.kind", kind);
    control
}

/// A control ends as the step within it ended.
fn close(recorder: &Recorder, control: SpanId, result: Result<(), SpanId>) {
    match result {
        Ok(()) => recorder.ok(control),
        Err(span) => {
            let code = recorder.code(span).unwrap_or_else(|| "control.failed".to_owned());
            // What failed within it tells more than that it failed: a site that is not found is not one that is silent.
            let told = recorder.span(span).and_then(|span| match span.outcome {
                Outcome::Failed { text, .. } if code.starts_with("dns.") => Some(text),
                _ => None,
            });
            let text = told.unwrap_or_else(|| in_words(&code).to_owned());
            recorder.fail(control, code, text);
        }
    }
}

/// How a step of a check failed, in as few words as fit behind what was checked.
fn in_words(code: &str) -> &'static str {
    match code {
        "tcp.timeout" => "no answer",
        "tcp.refused" => "refused",
        "tls.timeout" => "it does not answer the handshake",
        "tls.reset" | "tls.closed" => "it cuts the handshake off",
        "tls.certificate_expired" | "tls.certificate_not_yet_valid" => {
            "its certificate is not valid at this time"
        }
        code if code.starts_with("tls.") => "its encryption is not in order",
        code if code.starts_with("ip.") => "no way to it",
        _ => "it does not work",
    }
}
