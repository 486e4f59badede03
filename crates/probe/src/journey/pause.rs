//! A connection that is left alone for a while and then wanted again: devices on the way, and servers, forget.

use std::net::SocketAddr;
use std::time::Duration;

use thru_net::{TcpEvent, TcpEventKind, TcpInspector, TcpState};
use thru_trace::{Layer, Value};
use thru_wire::Instant;
use thru_wire::tcp::Flags;

use super::again::Again;
use super::{Destination, Traveller};
use crate::Recorder;
use crate::connect;
use crate::request::{Answer, Client, Limits, Request};
use crate::secure::Failure;

/// How long an answer after the pause is waited for: a packet that has to be sent again four times.
const PATIENCE: Duration = Duration::from_secs(6);

/// Does nothing for `pause`, then makes `request` over the same connection. A server that closed it in the meantime did what
/// servers do: then the pause alone is told, and the `first` answer is the answer.
pub(super) async fn ask_again(
    recorder: &Recorder,
    client: &mut Client,
    (request, limits): (&Request, &Limits),
    inspector: &TcpInspector,
    pause: Duration,
    first: Answer,
) -> Result<Answer, Failure> {
    let span = recorder.open(None, Layer::Tcp, "pause", "nothing is asked for a while");
    recorder.set_duration(span, "pause.time", pause);
    recorder.network().sleep(pause).await;
    recorder.ok(span);
    let closed = inspector.info().is_some_and(|info| info.state != TcpState::Established);
    recorder.set(span, "pause.closed", closed);
    if closed {
        return Ok(first);
    }
    let limits = Limits { wait: PATIENCE, stall: PATIENCE, ..*limits };
    client.exchange(recorder, None, request, &limits).await
}

/// Writes the `connection` span; `failed` is how the request after the pause ended.
pub(super) fn note(
    recorder: &Recorder,
    inspector: &TcpInspector,
    started: Instant,
    failed: Option<&Failure>,
) {
    let pause = recorder.spans().into_iter().rfind(|span| span.what == "pause");
    let Some(info) = inspector.info() else { return };
    let spans = recorder.spans();
    let own = spans.iter().rfind(|span| span.what == "connect" && span.parent.is_none() && span.is_ok());
    let Some(remote) = own.and_then(|span| span.socket("tcp.remote")) else { return };
    let span = connect::note_connection(recorder, None, remote, started, &info, &inspector.events());
    let Some(pause) = pause else { return };
    recorder.set(span, "tcp.idle", Value::Nanos(pause.nanos()));
    if let Some(ttl) = recorder.span(span).and_then(|span| span.int("tcp.ttl")) {
        recorder.set(span, "tcp.peer_ttl", ttl);
    }
    let reset = recorder.span(span).is_some_and(|span| span.value("tcp.reset_ttl").is_some());
    if let Some(failure) =
        failed.filter(|failure| matches!(failure.code.as_str(), "http.reset" | "http.closed"))
        && let Some(asked) = recorder.span(failure.span).map(|span| span.start)
        && crossed(asked, info.rtt, &inspector.events())
    {
        recorder.set(failure.span, "http.crossed", true);
    }
    let how = match failed.map(|failure| failure.code.as_str()) {
        Some("http.reset" | "http.closed") if reset => Some("reset"),
        Some("http.timeout" | "http.stalled") => Some("silence"),
        _ => None,
    };
    if let Some(how) = how {
        recorder.set(span, "tcp.after_idle", how);
    }
}

/// Whether the server's goodbye had left before the request can have reached it (RFC 9112 9.5): it came within a round trip.
fn crossed(asked: u64, rtt: Option<Duration>, events: &[TcpEvent]) -> bool {
    let way = rtt.map_or(0, |rtt| rtt.as_nanos() as u64 * 9 / 10);
    events.iter().any(|event| {
        let farewell =
            matches!(&event.what, TcpEventKind::Received { flags, .. } if flags.contains(Flags::FIN));
        farewell && (asked..asked + way).contains(&event.at.nanos())
    })
}

/// Whether the request that failed was the one after a pause.
pub(super) fn ended_badly(recorder: &Recorder) -> bool {
    recorder.spans().iter().any(|span| span.what == "pause" && span.is_ok())
}

impl Traveller<'_> {
    /// The connection was dead after the pause: does a new one work? `new_connection`.
    pub(super) async fn new_connection(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let control =
            self.recorder.open(None, Layer::Tcp, "control", "the same request over a new connection");
        self.recorder.set(control, "control.kind", "new_connection");
        match self.again(destination, remote, control, Again::HEAD).await {
            Ok(_) => self.recorder.ok(control),
            Err(code) => self.recorder.fail(control, code, "a new connection does not work either"),
        }
    }
}
