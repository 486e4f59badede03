//! The request itself over a connection: TLS if the URL wants it, HTTP in the version that was agreed, and QUIC.

use std::time::Duration;

use thru_trace::{Layer, SpanId};

use super::again::Again;
use super::{Destination, HttpVersion, Traveller, controls, pause, quality};
use crate::Recorder;
use crate::connect::{self, Connected};
use crate::request::{Answer, Client, Limits, Request};
use crate::secure::quic::QuicOptions;
use crate::secure::{Failure, TlsClient};

/// Addresses are tried over QUIC one after the other, since none answers for another; once so long was waited in vain, no
/// further one is.
const TRIED_FOR: Duration = Duration::from_secs(25);

impl Traveller<'_> {
    pub(super) async fn over_stream(
        &self,
        destination: &Destination<'_>,
        connected: Connected,
    ) -> Result<Answer, Failure> {
        let request = destination.request();
        let (recorder, http, limits) = (&self.recorder, self.options.http, &self.options.limits);
        let Some(pause) = self.options.again_after else {
            return over_stream(recorder, None, &self.tls, destination, connected, (http, limits), &request)
                .await;
        };
        let (inspector, started) = (connected.stream.inspector(), recorder.network().now());
        let mut client = open_client(recorder, None, &self.tls, destination, connected, http).await?;
        let answer = client.exchange(recorder, None, &request, limits).await;
        let answer = match answer {
            Ok(first) => {
                let asked = (&request, limits);
                pause::ask_again(recorder, &mut client, asked, &inspector, pause, first).await
            }
            failed => failed,
        };
        pause::note(recorder, &inspector, started, answer.as_ref().err());
        client.close().await;
        answer
    }

    pub(super) async fn over_quic(&mut self, destination: &Destination<'_>) -> Option<Answer> {
        let recorder = self.recorder.clone();
        let mut failure: Option<Failure> = None;
        let began = recorder.network().now();
        for (tried, remote) in destination.addresses.iter().enumerate() {
            if let Some(failure) = &failure
                && recorder.network().now().since(began) >= TRIED_FOR
            {
                let left_out = destination.addresses.len() - tried;
                recorder.set(failure.span, "quic.addresses_left_out", left_out);
                break;
            }
            self.target = Some(remote.ip());
            let connecting =
                self.tls.connect_quic(&recorder, None, &destination.host, *remote, QuicOptions::default());
            let connection = match connecting.await {
                Ok(connection) => connection,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            let request = destination.request();
            let mut client = match Client::over_quic(recorder.network(), connection).await {
                Ok(client) => client,
                Err(problem) => {
                    let span = recorder.open(None, Layer::Http, "exchange", destination.url.to_string());
                    recorder.fail(span, problem.code, problem.text);
                    return None;
                }
            };
            let asking = client.exchange(&recorder, None, &request, &self.options.limits);
            let result = quality::beside(&recorder, remote.ip(), self.options.quality, || None, asking).await;
            client.close().await;
            if let Err(failure) = &result
                && matches!(failure.code.as_str(), "http.timeout" | "http.stalled")
            {
                let control = recorder.open(None, Layer::Tcp, "control", "the same request over TCP");
                recorder.set(control, "control.kind", "by_tcp");
                match self.again(destination, *remote, control, Again::FLIGHT).await {
                    Ok(_) => recorder.ok(control),
                    Err(code) => recorder.fail(control, code, "it is not answered either"),
                }
            }
            return result.ok();
        }
        if failure.is_some() {
            controls::after_quic(&recorder, self.options, &destination.addresses).await;
        }
        None
    }
}

/// TLS if the URL wants it, then one exchange.
pub(super) async fn over_stream(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    destination: &Destination<'_>,
    connected: Connected,
    (http, limits): (Option<HttpVersion>, &Limits),
    request: &Request,
) -> Result<Answer, Failure> {
    let (inspector, remote, started) =
        (connected.stream.inspector(), connected.remote, recorder.network().now());
    let mut client = open_client(recorder, parent, tls, destination, connected, http).await?;
    let result = client.exchange(recorder, parent, request, limits).await;
    // Before the goodbye: its bytes are still on their way and would look like bytes that nobody acknowledges.
    if let Some(info) = inspector.info().filter(|_| parent.is_none()) {
        connect::note_connection(recorder, None, remote, started, &info, &inspector.events());
    }
    if result.as_ref().is_ok_and(|answer| answer.bytes >= limits.enough) {
        return result;
    }
    client.close().await;
    result
}

/// TLS if the URL wants it, and HTTP over it.
pub(super) async fn open_client(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    destination: &Destination<'_>,
    connected: Connected,
    http: Option<HttpVersion>,
) -> Result<Client, Failure> {
    let network = recorder.network();
    let client = if destination.secure {
        let alpn: &[&str] = match http {
            Some(HttpVersion::Http1) => &["http/1.1"],
            Some(HttpVersion::Http2) => &["h2"],
            _ => &["h2", "http/1.1"],
        };
        let secured = tls.secure(recorder, parent, &destination.host, alpn, connected.stream).await?;
        let http2 = secured.alpn.as_deref() == Some("h2");
        Client::over_stream(network, secured.stream, http2).await
    } else {
        Client::over_stream(network, connected.stream, http == Some(HttpVersion::Http2)).await
    };
    client.map_err(|problem| {
        let span = recorder.open(parent, Layer::Http, "exchange", format!("GET {}", destination.url));
        recorder.fail(span, problem.code.clone(), problem.text.clone());
        Failure { span, code: problem.code, text: problem.text }
    })
}
