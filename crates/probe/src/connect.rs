//! Opening TCP connections, one span an attempt, with each segment of the handshake below it.
//!
//! Several addresses race as RFC 8305 ("Happy Eyeballs") says: IPv6 first, families in turn, each attempt started
//! 250 ms after the one before or as soon as that one failed. The first to connect wins.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thru_net::{
    ConnectError, ConnectErrorKind, ConnectOptions, IcmpErrorKind, IcmpReport, TcpEvent, TcpEventKind,
    TcpInfo, TcpStream,
};
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;
use thru_wire::tcp::Flags;
use tokio::task::JoinSet;

use crate::Recorder;

/// How long one attempt stays alone (RFC 8305 section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection, and the span that tells how it came about.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: TcpStream,
    /// Its `connect` span.
    pub span: SpanId,
    /// Its address.
    pub remote: SocketAddr,
}

/// Connects to the first of `addresses` that answers. Every attempt has its span under `parent`.
/// `Err` holds the spans of all attempts.
pub async fn race(
    recorder: &Recorder,
    parent: Option<SpanId>,
    addresses: &[SocketAddr],
    options: ConnectOptions,
) -> Result<Connected, Vec<SpanId>> {
    let order = interleave(addresses);
    let network = recorder.network().clone();
    let mut attempts: JoinSet<Result<Connected, SpanId>> = JoinSet::new();
    let mut failed = Vec::new();
    let mut open: Vec<SpanId> = Vec::new();
    let mut queue = order.into_iter();
    let mut next = queue.next();
    loop {
        if let Some(remote) = next.take() {
            let span = open_span(recorder, parent, remote);
            open.push(span);
            let recorder = recorder.clone();
            attempts.spawn(async move { attempt(&recorder, span, remote, options).await });
            next = queue.next();
        }
        let has_next = next.is_some();
        let finished = tokio::select! {
            biased;
            finished = attempts.join_next() => finished,
            () = network.sleep(ATTEMPT_DELAY), if has_next => continue,
        };
        match finished {
            Some(Ok(Ok(connected))) => {
                for span in open.iter().filter(|span| **span != connected.span && !failed.contains(*span)) {
                    recorder.skip(*span, "another address answered first");
                }
                return Ok(connected);
            }
            Some(Ok(Err(span))) => failed.push(span),
            // An attempt that panicked is our bug; the others may still succeed.
            Some(Err(_)) => {}
            None if !has_next => return Err(failed),
            None => {}
        }
    }
}

/// Connects to one address.
pub async fn single(
    recorder: &Recorder,
    parent: Option<SpanId>,
    remote: SocketAddr,
    options: ConnectOptions,
) -> Result<Connected, SpanId> {
    let span = open_span(recorder, parent, remote);
    attempt(recorder, span, remote, options).await
}

/// RFC 8305 section 4: families in turn, IPv6 first, otherwise in the order given.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(SocketAddr::is_ipv6);
    let mut order = Vec::with_capacity(addresses.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let before = order.len();
        order.extend(six.next());
        order.extend(four.next());
        if order.len() == before {
            return order;
        }
    }
}

fn open_span(recorder: &Recorder, parent: Option<SpanId>, remote: SocketAddr) -> SpanId {
    let span = recorder.open(parent, Layer::Tcp, "connect", remote.to_string());
    recorder.set(span, "tcp.remote", remote.to_string());
    recorder.set(span, "tcp.family", if remote.is_ipv6() { "v6" } else { "v4" });
    span
}

async fn attempt(
    recorder: &Recorder,
    span: SpanId,
    remote: SocketAddr,
    options: ConnectOptions,
) -> Result<Connected, SpanId> {
    let started = recorder.network().now();
    match recorder.network().connect_tcp(remote, options).await {
        Ok(stream) => {
            recorder.ok(span);
            recorder.set(span, "tcp.local", stream.local_addr().to_string());
            note_handshake(recorder, span, &stream.events());
            if let Some(info) = stream.info() {
                note_info(recorder, span, &info);
            } else {
                recorder.set_duration(span, "tcp.rtt", recorder.network().now().since(started));
            }
            Ok(Connected { stream, span, remote })
        }
        Err(error) => {
            note_failure(recorder, span, started, &error);
            Err(span)
        }
    }
}

fn note_info(recorder: &Recorder, span: SpanId, info: &TcpInfo) {
    if let Some(rtt) = info.rtt {
        recorder.set_duration(span, "tcp.rtt", rtt);
    }
    recorder.set(span, "tcp.mss", info.mss);
    recorder.set(span, "tcp.sack", info.sack);
    recorder.set(span, "tcp.timestamps", info.timestamps);
    if let Some((ours, theirs)) = info.window_scale {
        recorder.set(span, "tcp.window_scale", format!("{ours}/{theirs}"));
    }
}

/// One child span a segment, and how often the SYN went out again.
fn note_handshake(recorder: &Recorder, span: SpanId, events: &[TcpEvent]) {
    let mut syn_retransmissions = 0u32;
    let mut segments = 0;
    for event in events {
        let label = match &event.what {
            TcpEventKind::Sent { flags, retransmission, len, .. } => {
                if *retransmission && flags.contains(Flags::SYN) {
                    syn_retransmissions += 1;
                }
                if *len > 0 {
                    break;
                }
                format!("{} \u{2192}{}", flag_words(*flags), if *retransmission { " again" } else { "" })
            }
            TcpEventKind::Received { flags, len, ttl, .. } => {
                if *len > 0 {
                    break;
                }
                if flags.contains(Flags::RST) {
                    recorder.set(span, "tcp.reset_ttl", u32::from(*ttl));
                }
                format!("\u{2190} {}", flag_words(*flags))
            }
            TcpEventKind::Icmp(report) => {
                format!("\u{2190} ICMP {} from {}", icmp_words(report.kind), report.from)
            }
            _ => continue,
        };
        let child = recorder.open_at(Some(span), Layer::Tcp, "segment", label, event.at);
        recorder.set_times(child, event.at, event.at);
        segments += 1;
        if segments == 12 {
            break;
        }
    }
    recorder.set(span, "tcp.syn_retransmissions", syn_retransmissions);
}

fn note_failure(recorder: &Recorder, span: SpanId, started: Instant, error: &ConnectError) {
    note_handshake(recorder, span, &error.events);
    let icmp = match &error.kind {
        ConnectErrorKind::TimedOut { icmp } | ConnectErrorKind::Unreachable { icmp, .. } => icmp.as_ref(),
        _ => None,
    };
    if let Some(report) = icmp {
        note_icmp(recorder, span, started, report);
    }
    let (code, text) = failure_words(&error.kind, icmp);
    recorder.fail(span, code, text);
}

/// What an ICMP error said, as values of `span`.
pub(crate) fn note_icmp(recorder: &Recorder, span: SpanId, started: Instant, report: &IcmpReport) {
    recorder.set(span, "icmp.kind", icmp_words(report.kind));
    recorder.set(span, "icmp.from", report.from);
    // This machine itself could not hand the packet on.
    recorder.set(span, "icmp.local", report.from == report.quoted_source);
    recorder.set(span, "icmp.type", u32::from(report.icmp_type));
    recorder.set(span, "icmp.code", u32::from(report.icmp_code));
    recorder.set_duration(span, "icmp.delay", report.at.since(started));
}

/// A request failed on a connection that was made: what a device on the way said of its packets, as values of `span`. TCP
/// goes on in spite of it (RFC 1122 4.2.3.9).
pub(crate) fn note_told(recorder: &Recorder, span: SpanId, started: Instant, events: &[TcpEvent]) {
    let told = events.iter().rev().find_map(|event| match &event.what {
        TcpEventKind::Icmp(report) => outcome_of(report.kind).map(|outcome| (outcome, report)),
        _ => None,
    });
    if let Some((outcome, report)) = told {
        note_icmp(recorder, span, started, report);
        recorder.set(span, "icmp.outcome", outcome);
    }
}

/// What an error says of the way; `None`: something of the packet.
fn outcome_of(kind: IcmpErrorKind) -> Option<&'static str> {
    match kind {
        IcmpErrorKind::AdministrativelyProhibited => Some("firewall.prohibited"),
        IcmpErrorKind::TimeExceeded => Some("ip.ttl_exceeded"),
        IcmpErrorKind::NetworkUnreachable | IcmpErrorKind::HostUnreachable => Some("ip.unreachable"),
        _ => None,
    }
}

fn failure_words(kind: &ConnectErrorKind, icmp: Option<&IcmpReport>) -> (&'static str, String) {
    if let Some(report) = icmp {
        let told = format!("{} told by {}", icmp_words(report.kind), report.from);
        return match report.kind {
            IcmpErrorKind::AdministrativelyProhibited => ("firewall.prohibited", told),
            IcmpErrorKind::TimeExceeded => ("ip.ttl_exceeded", told),
            _ => ("ip.unreachable", told),
        };
    }
    match kind {
        ConnectErrorKind::Refused => {
            ("tcp.refused", "the port answered with RST: connection refused".to_owned())
        }
        ConnectErrorKind::TimedOut { .. } => ("tcp.timeout", "no answer to any SYN".to_owned()),
        ConnectErrorKind::Unreachable { text, .. } => ("ip.unreachable", text.clone()),
        ConnectErrorKind::NoRoute => ("ip.no_route", "no route on this machine; nothing was sent".to_owned()),
        ConnectErrorKind::NoPorts => {
            ("host.no_ports", "every port of this machine is taken; nothing was sent".to_owned())
        }
        ConnectErrorKind::Forbidden(text) => ("host.forbidden", text.clone()),
        ConnectErrorKind::Other(text) => ("host.error", text.clone()),
    }
}

/// The words for an ICMP error, as used in `icmp.kind`.
pub(crate) fn icmp_words(kind: IcmpErrorKind) -> &'static str {
    match kind {
        IcmpErrorKind::NetworkUnreachable => "network unreachable",
        IcmpErrorKind::HostUnreachable => "host unreachable",
        IcmpErrorKind::ProtocolUnreachable => "protocol unreachable",
        IcmpErrorKind::PortUnreachable => "port unreachable",
        IcmpErrorKind::PacketTooBig { .. } => "packet too big",
        IcmpErrorKind::SourceRouteFailed => "source route failed",
        IcmpErrorKind::AdministrativelyProhibited => "administratively prohibited",
        IcmpErrorKind::TimeExceeded => "time exceeded",
        IcmpErrorKind::ReassemblyTimeExceeded => "reassembly time exceeded",
        IcmpErrorKind::ParameterProblem => "parameter problem",
    }
}

fn flag_words(flags: Flags) -> String {
    let names = [(Flags::SYN, "SYN"), (Flags::FIN, "FIN"), (Flags::RST, "RST"), (Flags::ACK, "ACK")];
    let words: Vec<&str> =
        names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    words.join(" ")
}

/// Writes the `connection` span: what TCP knew at the end.
pub fn note_connection(
    recorder: &Recorder,
    parent: Option<SpanId>,
    remote: SocketAddr,
    started: Instant,
    info: &TcpInfo,
    events: &[TcpEvent],
) -> SpanId {
    let span = recorder.open_at(parent, Layer::Tcp, "connection", format!("TCP to {remote}"), started);
    recorder.set(span, "tcp.remote", remote.to_string());
    let durations = [
        ("tcp.rtt", info.rtt),
        ("tcp.rtt_min", info.min_rtt),
        ("tcp.rtt_max", info.max_rtt),
        ("tcp.rto", Some(info.rto)),
    ];
    for (key, value) in durations {
        if let Some(value) = value {
            recorder.set_duration(span, key, value);
        }
    }
    let counts = [
        ("tcp.retransmissions", info.retransmissions),
        ("tcp.timeouts", info.timeouts),
        ("tcp.segments_sent", info.segments_sent),
        ("tcp.segments_received", info.segments_received),
        ("tcp.duplicates_received", info.duplicates_received),
        ("tcp.out_of_order_received", info.out_of_order_received),
        ("tcp.bytes_sent", info.bytes_sent),
        ("tcp.bytes_acked", info.bytes_acked),
        ("tcp.bytes_received", info.bytes_received),
        ("tcp.gap_bytes", info.gap_bytes),
        ("tcp.cwnd", info.congestion_window),
        ("tcp.fast_recoveries", info.fast_recoveries),
    ];
    for (key, value) in counts {
        recorder.set(span, key, value);
    }
    recorder.set(span, "tcp.mss", info.mss);
    let greetings = events.iter().filter(|event| {
        matches!(&event.what, TcpEventKind::Received { flags, .. }
            if flags.contains(Flags::SYN) && flags.contains(Flags::ACK))
    });
    recorder.set(span, "tcp.syn_acks", u32::try_from(greetings.count()).unwrap_or(u32::MAX));
    let too_big = events.iter().filter(|event| {
        matches!(&event.what, TcpEventKind::Icmp(report) if matches!(report.kind, IcmpErrorKind::PacketTooBig { .. }))
    });
    recorder.set(span, "tcp.too_big", u32::try_from(too_big.count()).unwrap_or(u32::MAX));
    let resets = events.iter().filter_map(|event| match &event.what {
        TcpEventKind::Received { flags, ttl, .. } => Some((flags.contains(Flags::RST), u32::from(*ttl))),
        _ => None,
    });
    for (reset, ttl) in resets {
        recorder.set(span, if reset { "tcp.reset_ttl" } else { "tcp.ttl" }, ttl);
    }
    recorder.ok(span);
    span
}

/// A list of addresses as a value.
pub(crate) fn address_list(addresses: impl IntoIterator<Item = IpAddr>) -> Value {
    Value::List(addresses.into_iter().map(Value::Address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_ipv6_goes_first() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = [address("192.0.2.1:443"), address("192.0.2.2:443"), address("[2001:db8::1]:443")];
        let order = interleave(&given);
        assert_eq!(order, [given[2], given[0], given[1]]);
    }
}
