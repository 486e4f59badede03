//! The same request made once more, smaller, later, under another name: what that tells about why it failed.

use std::net::SocketAddr;
use std::time::Duration;

use thru_net::ConnectOptions;
use thru_trace::{Layer, SpanId};
use url::Url;

use super::exchange::over_stream;
use super::{Destination, Traveller, controls, pause};
use crate::connect;
use crate::request::{Answer, Limits};
use crate::secure::Failure;

/// An answer that began later than this is asked for once more.
pub(super) const SLOW_ANSWER: Duration = Duration::from_millis(700);

/// How a request is made once more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    /// The largest segments; `None`: as large as they may be.
    pub(super) mss_limit: Option<u16>,
    /// So much of the answer tells what there is to know.
    pub(super) enough: u64,
    /// How long each step may take. Less than the request was given: it was slow then, and what differs shows at once.
    pub(super) patience: Duration,
}

impl Again {
    /// Whether an answer begins.
    pub(super) const HEAD: Again = Again { mss_limit: None, enough: 0, patience: Duration::from_secs(4) };
    /// Whether full-sized packets come through: more than a first window holds would only repeat it.
    pub(super) const FLIGHT: Again = Again { enough: 6_000, ..Again::HEAD };
    /// The whole answer.
    pub(super) const WHOLE: Again = Again { enough: u64::MAX, ..Again::HEAD };

    /// Waits as long as the request itself did.
    pub(super) fn as_patient_as(self, limits: &Limits) -> Again {
        Again { patience: limits.wait, ..self }
    }
}

/// Small enough for any IPv4 and IPv6 path: 536 is what RFC 9293 3.7.1 assumes of a host that says nothing.
const SMALL_MSS: u16 = 536;
/// The same over IPv6, whose header is larger: a link that carries less than RFC 8200 section 5 demands (1280 octets) carries
/// these, and who sends over it is never asked for anything so small.
const SMALL_MSS_V6: u16 = 400;

impl Traveller<'_> {
    /// The answer came late: does it the second time?
    pub(super) async fn once_more(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let control = self.recorder.open(None, Layer::App, "control", "the same request once more");
        self.recorder.set(control, "control.kind", "once_more");
        // One that is quick the second time had to wake up, or is one of several machines: then it is slow again soon.
        let mut waits = Vec::new();
        for _ in 0..3 {
            match self
                .again(destination, remote, control, Again::HEAD.as_patient_as(&self.options.limits))
                .await
            {
                Ok(answer) => waits.push(answer.times.first_byte.since(answer.times.sent)),
                Err(code) => return self.recorder.fail(control, code, "the second time it fails"),
            }
            if waits.last().is_some_and(|wait| *wait > SLOW_ANSWER) {
                break;
            }
        }
        self.recorder.set_duration(control, "once_more.wait", waits[0]);
        if let Some(last) = waits.last().filter(|_| waits.len() > 1) {
            self.recorder.set_duration(control, "once_more.last", *last);
        }
        self.recorder.ok(control);
    }

    /// The same request over a new connection, as a part of `control`.
    pub(super) async fn again(
        &self,
        destination: &Destination<'_>,
        remote: SocketAddr,
        control: SpanId,
        again: Again,
    ) -> Result<Answer, String> {
        // A second tunnel would tell of the proxy once more, not of the target.
        if self.options.proxy.is_some() {
            return Err("proxy.once".to_owned());
        }
        let Again { mss_limit, enough, patience } = again;
        let wishes = ConnectOptions { limit: Some(patience), mss_limit, nodelay: true };
        let connected = connect::single(&self.recorder, Some(control), remote, wishes)
            .await
            .map_err(|_| "tcp.timeout".to_owned())?;
        let (connect, inspector) = (connected.span, connected.stream.inspector());
        let (request, tls) = (destination.request(), self.tls.fresh().within(patience));
        let limits = Limits { wait: patience, stall: patience, enough, ..self.options.limits };
        let http = self.options.http;
        let parent = Some(control);
        let result =
            over_stream(&self.recorder, parent, &tls, destination, connected, (http, &limits), &request)
                .await;
        if let Some(info) = inspector.info() {
            self.recorder.set(connect, "tcp.segments", info.segments_sent + info.segments_received);
        }
        if result.as_ref().is_ok_and(|answer| answer.bytes >= enough) {
            // It would go on sending what nobody reads.
            inspector.reset();
        }
        result.map_err(|failure| failure.code)
    }

    /// Would the same request pass in small packets? Only for failures that an MTU black hole could have caused.
    pub(super) async fn after_exchange(
        &self,
        destination: &Destination<'_>,
        remote: SocketAddr,
        failure: &Failure,
    ) {
        if pause::ended_badly(&self.recorder) {
            return self.new_connection(destination, remote).await;
        }
        let code = failure.code.as_str();
        if matches!(code, "tls.timeout" | "http.timeout" | "http.stalled") {
            return self.after_silence(destination, remote).await;
        }
        let cut = matches!(code, "tls.reset" | "tls.closed" | "http.reset");
        let once = cut || code.starts_with("tls.alert") || matches!(code, "http.closed" | "http.protocol");
        let again = if code.starts_with("http.") { Again::WHOLE } else { Again::HEAD };
        // Where the same request passes on another connection, its name cannot be what is objected to.
        if once && self.repeat(destination, remote, again, |_| true).await > 0 {
            return;
        }
        if cut {
            self.other_name(destination, remote).await;
        }
        let elsewhere = async {
            if failure.code.starts_with("tls.") {
                controls::other_site(&self.recorder, self.options, &self.tls.fresh()).await;
            }
        };
        let time = async {
            if matches!(failure.code.as_str(), "tls.certificate_expired" | "tls.certificate_not_yet_valid") {
                controls::clock(&self.recorder, self.options).await;
            }
        };
        tokio::join!(biased; elsewhere, time, self.compare(destination, remote, failure));
    }

    /// Nothing came, or nothing more: does the same request pass now, or in small packets, or over the other IP version, or
    /// under another name?
    pub(super) async fn after_silence(&self, destination: &Destination<'_>, remote: SocketAddr) {
        // What stopped in the middle has to come further than it came.
        let enough = Again::FLIGHT.enough + self.bytes_so_far();
        let large = Again { enough, ..Again::FLIGHT };
        let small = async {
            let control = self.recorder.open(None, Layer::Ip, "control", "the same request in small packets");
            self.recorder.set(control, "control.kind", "small_mss");
            let mss = if remote.is_ipv6() { SMALL_MSS_V6 } else { SMALL_MSS };
            let small = Again { mss_limit: Some(mss), ..large };
            match self.again(destination, remote, control, small).await {
                Ok(_) => self.recorder.ok(control),
                Err(code) => {
                    self.recorder.fail(control, code, "small packets do not get through either");
                }
            }
            self.recorder.code(control).is_none()
        };
        let same = self.repeat(destination, remote, large, |_| true);
        let (small_passes, answered) = tokio::join!(biased; small, same);
        match (answered, small_passes) {
            (0, true) => self.other_family_large(destination, remote).await,
            (0, false) => {
                self.small_hello(destination, remote).await;
                self.other_name(destination, remote).await;
            }
            // It is not its size, nor its name.
            _ => {}
        }
    }

    /// The hello was large: does a small one with the same name pass?
    async fn small_hello(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let Some(tls) = self.tls.with_small_hello().filter(|_| destination.secure) else { return };
        let control =
            self.recorder.open(None, Layer::Tls, "control", "the same handshake with a smaller hello");
        self.recorder.set(control, "control.kind", "small_hello");
        let patience = Again::HEAD.patience;
        let wishes = ConnectOptions { limit: Some(patience), nodelay: true, ..ConnectOptions::default() };
        let Ok(connected) = connect::single(&self.recorder, Some(control), remote, wishes).await else {
            return self.recorder.fail(control, "tcp.timeout", "no connection");
        };
        let (tls, protocols) = (tls.fresh().within(patience), ["h2", "http/1.1"]);
        match tls.secure(&self.recorder, Some(control), &destination.host, &protocols, connected.stream).await
        {
            Ok(_) => self.recorder.ok(control),
            Err(failure) => self.recorder.fail(control, failure.code, "it does not pass either"),
        }
    }

    /// How much of the answer's body came before the request failed.
    fn bytes_so_far(&self) -> u64 {
        let spans = self.recorder.spans();
        let asked = spans.iter().rfind(|span| span.what == "exchange" && span.parent.is_none());
        asked.and_then(|span| u64::try_from(span.int("http.bytes")?).ok()).unwrap_or(0)
    }

    /// Does the same address answer who asks for another name? Any word of the server is an answer.
    pub(super) async fn other_name(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let Some(name) = self.options.control_site.as_ref().and_then(Url::host_str) else { return };
        let control = self.recorder.open(
            None,
            if destination.secure { Layer::Tls } else { Layer::Http },
            "control",
            format!("does {remote} answer who asks for {name}?"),
        );
        self.recorder.set(control, "control.kind", "other_name");
        let mut url = destination.url.clone();
        if url.set_host(Some(name)).is_err() {
            return self.recorder.skip(control, "there is no other name to ask for");
        }
        let other = Destination {
            url: &url,
            host: name.to_owned(),
            addresses: Vec::new(),
            secure: destination.secure,
            // It was given for the first name.
            login: None,
        };
        let silent = |code: &str| {
            matches!(code, "tls.reset" | "tls.closed" | "tls.timeout" | "tcp.timeout")
                || matches!(code, "http.reset" | "http.closed" | "http.timeout") && !destination.secure
        };
        match self.again(&other, remote, control, Again::HEAD).await {
            Err(code) if silent(&code) => self.recorder.fail(control, code, "it does not"),
            _ => self.recorder.ok(control),
        }
    }
}
