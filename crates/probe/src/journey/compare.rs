//! Requests made once more in another way, after one failed: over another address, from other ports, in UDP to another
//! port, by another name. Each is one `control` span; what differs between it and the request is what is at fault.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use thru_names::text::parse_name;
use thru_net::{ConnectOptions, IcmpErrorKind, UdpEvent};
use thru_trace::words::{self, Elsewhere};
use thru_trace::{Layer, SpanId, Value};
use url::Host;

use super::again::Again;
use super::exchange::over_stream;
use super::{Destination, JourneyOptions, Traveller, tunnel};
use crate::Recorder;
use crate::connect;
use crate::request::{Answer, Limits, Request};
use crate::resolve::{self, stub};
use crate::secure::Failure;

/// So many new connections tell whether some of them are treated otherwise.
const TRIES: u32 = 4;
/// A handshake that takes longer is not answered: the slowest ways on Earth take 700 ms.
const UNANSWERED: Duration = Duration::from_millis(900);
/// First of the ports that traceroute has always used, because nobody listens there.
const UNUSED_PORT: u16 = 33_434;

impl Traveller<'_> {
    /// The certificate of one address of the name was refused: do the others show another one, or the same one when
    /// asked again? `other_address`: a try that got over the certificate.
    pub(super) async fn other_address(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let mut others: Vec<SocketAddr> =
            destination.addresses.iter().copied().filter(|address| *address != remote).take(2).collect();
        others.push(remote);
        let control =
            self.control(Layer::Tls, "other_address", "do other addresses of the name show the same?");
        let mut tried = Vec::new();
        for address in others {
            tried.push(Value::Text(address.ip().to_string()));
            if self.certificate_holds(destination, address, control).await {
                self.recorder.set(control, "tcp.remote", address.to_string());
                return self.recorder.ok(control);
            }
        }
        self.recorder.set(control, "addresses.tried", tried);
        self.recorder.fail(control, "tls.alike", "they show the same, or do not answer");
    }

    /// Whether a handshake with one address gets over the certificate; no page is asked for.
    async fn certificate_holds(
        &self,
        destination: &Destination<'_>,
        address: SocketAddr,
        control: SpanId,
    ) -> bool {
        let wishes = ConnectOptions { limit: Some(UNANSWERED), nodelay: true, ..ConnectOptions::default() };
        let Ok(connected) = connect::single(&self.recorder, Some(control), address, wishes).await else {
            return false;
        };
        let tls = self.tls.fresh();
        let protocols = ["h2", "http/1.1"];
        let secured =
            tls.secure(&self.recorder, Some(control), &destination.host, &protocols, connected.stream).await;
        secured.is_ok()
    }

    /// The request failed over one IP version as if by its size: does it pass over the other, in packets of any size?
    pub(super) async fn other_family_large(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let other = destination.addresses.iter().copied().find(|other| other.is_ipv4() != remote.is_ipv4());
        let Some(other) = other else { return };
        let control =
            self.control(Layer::Ip, "other_family_large", &format!("the same request over {}", other.ip()));
        match self.again(destination, other, control, Again::FLIGHT).await {
            Ok(_) => self.recorder.ok(control),
            Err(code) => self.recorder.fail(control, code, "it does not pass there either"),
        }
    }

    /// The request failed: does it fail always, or only at some of the server's machines? `repeat.tries` new connections
    /// with the same request, side by side, of which `repeat.answered` were answered, and `well`. Gives how many were.
    pub(super) async fn repeat(
        &self,
        destination: &Destination<'_>,
        remote: SocketAddr,
        again: Again,
        well: impl Fn(&Answer) -> bool,
    ) -> u32 {
        const REPEATS: u32 = 3;
        let control = self.control(Layer::App, "repeat", "the same request over new connections");
        let once = async || {
            let answer = self.again(destination, remote, control, again).await;
            u32::from(answer.is_ok_and(|answer| well(&answer)))
        };
        let (one, two, three) = tokio::join!(biased; once(), once(), once());
        let answered = one + two + three;
        self.recorder.set(control, "repeat.tries", REPEATS);
        self.recorder.set(control, "repeat.answered", answered);
        if answered > 0 {
            self.recorder.ok(control);
        } else {
            self.recorder.fail(control, "http.alike", "each time the same");
        }
        answered
    }

    /// `vantage`: is the same request answered if it is made in another place, by a proxy there?
    pub(super) async fn seen_elsewhere(&self, destination: &Destination<'_>) {
        let Some(proxy) = &self.options.vantage else { return };
        let control = self.control(Layer::Proxy, "vantage", &format!("the same request by way of {proxy}"));
        let port = destination.url.port_or_known_default().unwrap_or(443);
        let target = (destination.host.as_str(), port);
        let connected = match tunnel::open(&self.recorder, Some(control), self.options, proxy, target).await {
            Ok(connected) => connected,
            Err(span) => {
                let code = self.recorder.code(span).unwrap_or_else(|| "proxy.timeout".to_owned());
                let text = match words::elsewhere(&code) {
                    Elsewhere::Target => "it is not answered there either",
                    Elsewhere::Forbidden => "that proxy does not pass it on",
                    Elsewhere::Unreached => "that proxy is not reached itself",
                };
                return self.recorder.fail(control, code, text);
            }
        };
        let Again { mss_limit: _, enough, patience } = Again::HEAD;
        let limits = Limits { wait: patience, stall: patience, enough, ..self.options.limits };
        // In clear a login stays here: the way through a second place leads past others' eyes, and a refusal is an answer, too.
        let request =
            if destination.secure { destination.request() } else { Request::get(destination.url.clone()) };
        let tls = self.tls.fresh().within(patience);
        let (how, parent) = ((self.options.http, &limits), Some(control));
        match over_stream(&self.recorder, parent, &tls, destination, connected, how, &request).await {
            Ok(_) => self.recorder.ok(control),
            Err(failure) => self.recorder.fail(control, failure.code, "it is not answered there either"),
        }
    }

    fn control(&self, layer: Layer, kind: &str, label: &str) -> SpanId {
        let control = self.recorder.open(None, layer, "control", label);
        self.recorder.set(control, "control.kind", kind);
        control
    }

    /// What the failed exchange calls for, of the comparisons here.
    pub(super) async fn compare(&self, destination: &Destination<'_>, remote: SocketAddr, failure: &Failure) {
        let code = failure.code.as_str();
        let certificate = [
            "tls.certificate_expired",
            "tls.certificate_not_yet_valid",
            "tls.wrong_name",
            "tls.unknown_ca",
            "tls.self_signed",
        ];
        if certificate.contains(&code) {
            self.other_address(destination, remote).await;
        }
        if matches!(code, "tls.wrong_name" | "tls.unknown_ca" | "tls.self_signed") {
            nonsense(&self.recorder, self.options, &destination.host, &destination.addresses).await;
        }
    }
}

/// `nonsense`: does the name server give a name that nobody can have registered the address that it gave the name that
/// was wanted? `nonsense.same` says so.
pub async fn nonsense(recorder: &Recorder, options: &JourneyOptions, name: &str, addresses: &[SocketAddr]) {
    let asked = recorder.spans().iter().any(|span| span.what == "dns.query" && span.is_ok());
    let Some((_, top)) = name.trim_end_matches('.').rsplit_once('.').filter(|_| asked) else { return };
    let random = recorder.network().random("a name of nobody's");
    let label: String = random[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let Ok(name) = parse_name(&format!("x{label}.{top}")) else { return };
    let control = recorder.open(None, Layer::Dns, "control", format!("does {name} exist, too?"));
    recorder.set(control, "control.kind", "nonsense");
    recorder.set(control, "dns.name", name.to_string());
    let wanted = if addresses.iter().any(SocketAddr::is_ipv4) { RecordType::A } else { RecordType::AAAA };
    let servers = recorder.network().resolvers();
    let question = stub::Question::plain(name, wanted);
    let patience = options.resolve_options().patience;
    match stub::ask(recorder, control, &servers, &question, patience).await {
        Ok(reply) => {
            let given: Vec<IpAddr> =
                reply.records.iter().filter_map(|record| record.data.ip_addr()).collect();
            let same = given.iter().any(|given| addresses.iter().any(|address| address.ip() == *given));
            recorder.set(control, "nonsense.same", same);
            recorder.ok(control);
        }
        Err(trouble) => recorder.fail(control, trouble.code, trouble.text),
    }
}

/// `other_site_source`: are all new connections to a site that is known to work answered, of `source.tries` that are
/// made? Asked when only some of those to the target are.
pub async fn other_site_source(recorder: &Recorder, options: &JourneyOptions) {
    let Some(remote) = site_address(recorder, options).await else { return };
    let control = recorder.open(None, Layer::Tcp, "control", format!("does {remote} answer each time?"));
    recorder.set(control, "control.kind", "other_site_source");
    let wishes = ConnectOptions { limit: Some(UNANSWERED), ..ConnectOptions::default() };
    let mut answered = 0u32;
    for _ in 0..TRIES {
        answered += u32::from(connect::single(recorder, Some(control), remote, wishes).await.is_ok());
    }
    recorder.set(control, "source.tries", TRIES);
    recorder.set(control, "source.answered", answered);
    if answered > 0 { recorder.ok(control) } else { recorder.fail(control, "tcp.timeout", "none of them") }
}

/// The address of the control site, looked up as part of a control of its own.
async fn site_address(recorder: &Recorder, options: &JourneyOptions) -> Option<SocketAddr> {
    let site = super::controls::usable_site(options)?;
    let port = site.port_or_known_default().unwrap_or(443);
    let address = match site.host()? {
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
        Host::Domain(name) => {
            let control = recorder.open(None, Layer::Dns, "control", format!("where is {name}?"));
            recorder.set(control, "control.kind", "other_site_name");
            let found = resolve::resolve(recorder, Some(control), name, &options.resolve_options()).await;
            match found {
                Ok(found) => {
                    recorder.ok(control);
                    // The version that everybody has.
                    let four = found.addresses.iter().copied().find(IpAddr::is_ipv4);
                    four.or_else(|| found.addresses.first().copied())?
                }
                Err(failure) => {
                    recorder.fail(control, failure.code, failure.text);
                    return None;
                }
            }
        }
    };
    Some(SocketAddr::new(address, port))
}

/// `udp_port`: does a datagram to a port that nobody uses come back as "port unreachable" (RFC 1122 4.1.3.1)? From the
/// target, and if not, from the control site (`udp.elsewhere`): what answers shows that UDP passes.
pub async fn udp_port(recorder: &Recorder, options: &JourneyOptions, target: IpAddr) {
    let control = recorder.open(None, Layer::Ip, "control", format!("does UDP reach {target} at all?"));
    recorder.set(control, "control.kind", "udp_port");
    if is_refused(recorder, target).await {
        recorder.set(control, "udp.elsewhere", false);
        return recorder.ok(control);
    }
    let elsewhere = match site_address(recorder, options).await {
        Some(site) => is_refused(recorder, site.ip()).await,
        None => return recorder.fail(control, "udp.unknown", "no answer, and nobody else to ask"),
    };
    recorder.set(control, "udp.elsewhere", elsewhere);
    if elsewhere {
        recorder.ok(control);
    } else {
        recorder.fail(control, "udp.timeout", "no answer from there nor from another site");
    }
}

async fn is_refused(recorder: &Recorder, target: IpAddr) -> bool {
    let network = recorder.network();
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let Ok(socket) = network.bind_udp(SocketAddr::new(any, 0)).await else { return false };
    for attempt in 0..2 {
        let to = SocketAddr::new(target, UNUSED_PORT + attempt);
        if socket.send_to(b"is anybody there?", to).await.is_err() {
            return false;
        }
        let answer = async {
            loop {
                match socket.receive_event().await {
                    Ok(UdpEvent::Icmp(report)) if report.quoted_destination.ip() == target => {
                        return report.kind == IcmpErrorKind::PortUnreachable;
                    }
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        };
        if network.timeout(UNANSWERED, answer).await == Some(true) {
            return true;
        }
    }
    false
}
