//! The handshake inside QUIC (RFC 9001): one round trip for transport and TLS together, none with 0-RTT.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn::{ConnectionError, TransportErrorCode};
use rustls::AlertDescription;
use rustls::pki_types::{CertificateDer, ServerName};
use thru_net::{IcmpErrorKind, UdpEvent};
use thru_trace::{Layer, SpanId};

use super::{Failure, TlsClient, alert, chain, server_name};
use crate::Recorder;
use crate::connect::icmp_words;

/// A QUIC connection.
pub struct QuicConnection {
    /// For opening streams.
    pub connection: quinn::Connection,
    /// The span `handshake`.
    pub span: SpanId,
    /// Drives the connection; the socket closes with it.
    endpoint: quinn::Endpoint,
    name: ServerName<'static>,
    tls: TlsClient,
    accepted: Early,
    /// The span of a 0-RTT handshake is complete.
    told: bool,
}

/// What became of the early data.
enum Early {
    /// There was none.
    None,
    /// The handshake goes on.
    Pending(quinn::ZeroRttAccepted),
    Settled(Result<bool, ConnectionError>),
}

impl fmt::Debug for QuicConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicConnection").field("span", &self.span).finish_non_exhaustive()
    }
}

/// How to open a QUIC connection.
#[derive(Clone, Copy, Debug)]
pub struct QuicOptions {
    /// Send the first request before the handshake is done, if an earlier session allows it.
    pub early_data: bool,
    /// Give up on a silent peer after this long without a word, after the handshake.
    pub idle: Duration,
}

impl Default for QuicOptions {
    fn default() -> QuicOptions {
        QuicOptions { early_data: false, idle: Duration::from_secs(60) }
    }
}

/// When to ask a silent server with a socket that hears ICMP.
const KNOCK_AFTER: Duration = Duration::from_secs(1);

impl TlsClient {
    /// Connects to `remote` by QUIC and does the handshake with `host`. With 0-RTT it returns at once and the
    /// handshake goes on.
    pub async fn connect_quic(
        &self,
        recorder: &Recorder,
        parent: Option<SpanId>,
        host: &str,
        remote: SocketAddr,
        options: QuicOptions,
    ) -> Result<QuicConnection, Failure> {
        let span = recorder.open(parent, Layer::Quic, "handshake", format!("QUIC with {host} at {remote}"));
        recorder.set(span, "quic.remote", remote.to_string());
        let fail = |code: &str, text: String| Failure::record(recorder, span, code, text);
        let name = server_name(host).map_err(|text| fail("tls.wrong_name", text))?;
        if matches!(name, ServerName::DnsName(_)) {
            recorder.set(span, "tls.sni", host.to_owned());
        }
        self.verifier.forget(&name);
        let local: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = self.network.source_for(remote.ip()).unwrap_or(local);
        let endpoint = thru_net::quic::endpoint(&self.network, SocketAddr::new(local, 0), None)
            .await
            .map_err(|error| fail("quic.closed", format!("no UDP socket to be had: {error}")))?;
        let config = self.quinn_config(options.idle).map_err(|text| fail("tls.protocol", text))?;
        let connecting = endpoint
            .connect_with(config, remote, name.to_str().as_ref())
            .map_err(|error| fail("quic.closed", error.to_string()))?;
        let make = |connection, accepted| QuicConnection {
            connection,
            span,
            endpoint: endpoint.clone(),
            name: name.clone(),
            tls: self.clone(),
            accepted,
            told: false,
        };
        let connecting = if options.early_data {
            match connecting.into_0rtt() {
                Ok((connection, accepted)) => return Ok(make(connection, Early::Pending(accepted))),
                Err(connecting) => connecting,
            }
        } else {
            connecting
        };
        let mut heard = None;
        let result = tokio::select! {
            biased;
            result = self.network.timeout(self.limit, connecting) => result,
            report = self.refusal(remote) => {
                heard = Some(report);
                None
            }
        };
        match result {
            Some(Ok(connection)) => {
                let connection = make(connection, Early::None);
                connection.record(recorder, false);
                recorder.ok(span);
                Ok(connection)
            }
            Some(Err(error)) => Err(self.quic_failure(recorder, span, &name, remote, &error, heard).await),
            None => {
                Err(self.quic_failure(recorder, span, &name, remote, &ConnectionError::TimedOut, heard).await)
            }
        }
    }

    /// Completes when it is certain that nobody listens at `remote`.
    async fn refusal(&self, remote: SocketAddr) -> thru_net::IcmpReport {
        // A server that is there has answered by now, or is so far away that one more datagram does not matter.
        self.network.sleep(KNOCK_AFTER).await;
        match self.knock(remote).await {
            Some(report) if report.kind == IcmpErrorKind::PortUnreachable => report,
            Some(_) | None => std::future::pending().await,
        }
    }

    fn quinn_config(&self, idle: Duration) -> Result<quinn::ClientConfig, String> {
        let crypto = QuicClientConfig::try_from(Arc::clone(&self.quic)).map_err(|error| error.to_string())?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(quinn::IdleTimeout::try_from(idle).ok());
        config.transport_config(Arc::new(transport));
        Ok(config)
    }

    /// Names what ended a handshake, in the span and for the caller.
    async fn quic_failure(
        &self,
        recorder: &Recorder,
        span: SpanId,
        name: &ServerName<'_>,
        remote: SocketAddr,
        error: &ConnectionError,
        heard: Option<thru_net::IcmpReport>,
    ) -> Failure {
        if let Some((code, text)) = self.certificate_failure(recorder, span, name) {
            return Failure::record(recorder, span, code, text);
        }
        let (mut code, mut text) = of_connection(error);
        if let ConnectionError::ConnectionClosed(close) = error {
            recorder.set(span, "quic.error", i64::try_from(u64::from(close.error_code)).unwrap_or(i64::MAX));
        }
        let heard = match heard {
            None if code == "quic.timeout" => self.knock(remote).await,
            heard => heard,
        };
        if let Some(report) = heard {
            recorder.set(span, "icmp.kind", icmp_words(report.kind));
            recorder.set(span, "icmp.from", report.from);
            recorder.set(span, "icmp.type", i64::from(report.icmp_type));
            recorder.set(span, "icmp.code", i64::from(report.icmp_code));
            if report.kind == IcmpErrorKind::PortUnreachable {
                code = "quic.refused".to_owned();
                text = format!("nothing listens on UDP port {} (ICMP port unreachable)", remote.port());
            }
        }
        Failure::record(recorder, span, code, text)
    }

    /// Nobody answers, and quinn is deaf to ICMP: asks with a socket that is not.
    ///
    /// The datagram is a QUIC long header of a version reserved for this (RFC 9000 15: 0x?a?a?a?a), which a QUIC
    /// server answers with Version Negotiation if it is at least 1200 bytes long.
    async fn knock(&self, remote: SocketAddr) -> Option<thru_net::IcmpReport> {
        let local: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = self.network.bind_udp(SocketAddr::new(local, 0)).await.ok()?;
        let mut datagram = vec![0; 1200];
        datagram[..6].copy_from_slice(&[0xc0, 0x0a, 0x0a, 0x0a, 0x0a, 8]);
        datagram[6..14].copy_from_slice(&self.network.random("quic knock")[..8]);
        socket.send_to(&datagram, remote).await.ok()?;
        match self.network.timeout(Duration::from_secs(1), socket.receive_event()).await?.ok()? {
            UdpEvent::Icmp(report) => Some(report),
            UdpEvent::Datagram(_) => None,
        }
    }
}

impl QuicConnection {
    /// Whether what is sent now is early data.
    pub fn is_early(&self) -> bool {
        matches!(self.accepted, Early::Pending(_))
    }

    /// Waits for the handshake of a 0-RTT connection; tells whether the server took the early data. If it did not, all
    /// streams opened so far are gone. `None`: there was no early data.
    pub async fn settle(&mut self) -> Option<Result<bool, ConnectionError>> {
        if let Early::Pending(accepted) = &mut self.accepted {
            let result = match self.tls.network.timeout(self.tls.limit, accepted).await {
                Some(accepted) => match self.connection.close_reason() {
                    None => Ok(accepted),
                    Some(error) => Err(error),
                },
                None => Err(ConnectionError::TimedOut),
            };
            self.accepted = Early::Settled(result);
        }
        match &self.accepted {
            Early::Settled(result) => Some(result.clone()),
            Early::None | Early::Pending(_) => None,
        }
    }

    /// Waits for the handshake of a 0-RTT connection and closes its span; tells whether the early data was accepted.
    /// For other connections it only completes the span with what was learned since.
    pub async fn finish(&mut self, recorder: &Recorder) -> Result<bool, Failure> {
        let remote = self.connection.remote_address();
        match self.settle().await {
            None => {
                let chosen = self.tls.quic_sessions.chosen(&self.name);
                if let Some(cipher) = chosen.cipher {
                    recorder.set(self.span, "tls.cipher", cipher);
                }
                Ok(false)
            }
            Some(_) if self.told => Ok(false),
            Some(Ok(accepted)) => {
                self.told = true;
                self.record(recorder, accepted);
                recorder.ok(self.span);
                Ok(accepted)
            }
            Some(Err(error)) => {
                self.told = true;
                Err(self.tls.quic_failure(recorder, self.span, &self.name, remote, &error, None).await)
            }
        }
    }

    /// The smoothed round-trip time, as QUIC measures it.
    pub fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    /// Closes in order and waits until the peer can know.
    pub async fn close(self) {
        self.connection.close(0x100u32.into(), b"");
        let network = &self.tls.network;
        // RFC 9000 10.2: three times the probe timeout; longer for a silent peer is of no use to anyone.
        let _ = network.timeout(Duration::from_secs(3), self.endpoint.wait_idle()).await;
    }

    fn record(&self, recorder: &Recorder, early: bool) {
        let span = self.span;
        let chosen = self.tls.quic_sessions.chosen(&self.name);
        recorder.set(span, "tls.version", "TLS 1.3");
        if let Some(group) = chosen.group {
            recorder.set(span, "tls.group", group);
        }
        if let Some(cipher) = chosen.cipher {
            recorder.set(span, "tls.cipher", cipher);
        }
        let data = self.connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        if let Some(protocol) = data.and_then(|data| data.protocol) {
            recorder.set(span, "tls.alpn", String::from_utf8_lossy(&protocol).into_owned());
        }
        // The server shows its certificate in a full handshake only, and the verifier sees it then.
        recorder.set(span, "tls.resumed", self.tls.verifier.seen(&self.name).is_none());
        recorder.set(span, "tls.early_data", early);
        recorder.set_duration(span, "quic.rtt", self.connection.rtt());
        let identity = self.connection.peer_identity();
        if let Some(chain) = identity.and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok())
        {
            recorder.set(span, "tls.chain", chain::describe(&chain));
        }
    }
}

/// The word and a sentence for what ended a QUIC connection.
pub(crate) fn of_connection(error: &ConnectionError) -> (String, String) {
    let word = |code: &str, text: String| (code.to_owned(), text);
    match error {
        ConnectionError::TimedOut => word("quic.timeout", "no answer over QUIC in time".to_owned()),
        ConnectionError::VersionMismatch => {
            word("quic.version", "the server speaks no QUIC version that was offered".to_owned())
        }
        ConnectionError::ConnectionClosed(close) => of_transport(close.error_code, &close.reason),
        ConnectionError::TransportError(error) => word("quic.closed", format!("QUIC broke down: {error}")),
        ConnectionError::ApplicationClosed(close) => {
            word("quic.closed", format!("the server closed the connection: {close}"))
        }
        ConnectionError::Reset => word("quic.closed", "the server no longer knows the connection".to_owned()),
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            word("quic.closed", error.to_string())
        }
    }
}

fn of_transport(code: TransportErrorCode, reason: &[u8]) -> (String, String) {
    let number = u64::from(code);
    // RFC 9001 4.8: a TLS alert is 0x100 plus its number.
    if let Some(alert) = number.checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok()) {
        return alert::of_tls(&rustls::Error::AlertReceived(AlertDescription::from(alert)));
    }
    if code == TransportErrorCode::CONNECTION_REFUSED {
        return ("quic.refused".to_owned(), "the server refuses new connections".to_owned());
    }
    let reason = String::from_utf8_lossy(&reason[..reason.len().min(256)]).into_owned();
    ("quic.closed".to_owned(), format!("the server closed the connection: {code} {reason}"))
}
