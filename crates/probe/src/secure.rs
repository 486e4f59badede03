//! The TLS step: a handshake over TCP, or inside QUIC, with the certificate chain it showed, valid or not.
//!
//! - [`TlsClient`]: start here; trust, sessions and key log of one journey, for as many connections as it takes.
//! - [`TlsClient::secure`]: TLS over a connected stream; writes the span `handshake` (layer tls).
//! - [`quic`]: the same inside QUIC (layer quic), with 0-RTT.
//! - [`Trust`]: whom to believe.
//! - [`chain`]: what certificates say, for people.
//! - [`alert`]: from errors to the stable words (`tls.certificate_expired`, `tls.alert.handshake_failure`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::ClientSessionStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version,
};
use thru_net::Network;
use thru_net::tls::{KeyLogBuffer, certified, certified_pem, crypto_provider, time_provider};
use thru_trace::staple::Staple;
use thru_trace::{Layer, SpanId, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Recorder;

pub mod alert;
pub mod chain;
mod metered;
pub mod quic;
mod sessions;
mod verifier;

pub use metered::{Counts, Meter, Metered};

use sessions::Sessions;
use verifier::Verifier;

/// A step failed. Its span says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The span that failed.
    pub span: SpanId,
    /// A stable word: `tls.certificate_expired`, `http.timeout`.
    pub code: String,
    /// For people.
    pub text: String,
}

impl Failure {
    /// Ends `span` badly.
    pub(crate) fn record(
        recorder: &Recorder,
        span: SpanId,
        code: impl Into<String>,
        text: impl Into<String>,
    ) -> Failure {
        let failure = Failure { span, code: code.into(), text: text.into() };
        recorder.fail(span, failure.code.clone(), failure.text.clone());
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl std::error::Error for Failure {}

/// The authorities to believe.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: RootCertStore,
}

impl Trust {
    /// Nobody.
    pub fn none() -> Trust {
        Trust { roots: RootCertStore::empty() }
    }

    /// The authorities this machine believes. Those that can't be read are left out.
    pub fn system() -> Trust {
        let mut trust = Trust::none();
        trust.roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        trust
    }

    /// Believes this root too. The error completes "failed to trust this certificate:".
    pub fn add_der(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        self.roots.add(certificate).map_err(|error| error.to_string())
    }

    /// Believes every certificate of a PEM text and tells how many there were.
    pub fn add_pem(&mut self, text: &[u8]) -> Result<usize, String> {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(text) {
            self.add_der(certificate.map_err(|error| error.to_string())?)?;
            count += 1;
        }
        Ok(count)
    }
}

impl Default for Trust {
    /// Nobody.
    fn default() -> Trust {
        Trust::none()
    }
}

/// TLS versions a client offers over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Offer {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// RFC 8446 only.
    Only13,
    /// RFC 5246 only.
    Only12,
}

/// How a client shall do TLS.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Whom to believe.
    pub trust: Trust,
    /// What to offer over TCP.
    pub versions: Offer,
    /// Where secrets go, for captures to be decrypted.
    pub key_log: Option<KeyLogBuffer>,
    /// How long a handshake may take.
    pub limit: Duration,
    /// What to show a server that wants to know who visits it.
    pub identity: Option<Identity>,
    /// Whether the hello over TCP is as large as a browser's with a key share that withstands quantum computers: more than
    /// one packet. What it is filled up with are names of protocols that nobody speaks.
    pub large_hello: bool,
}

/// A certificate with its chain, leaf first, and its private key. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// Of a chain, leaf first, and the leaf's key. The error is a sentence without its end.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Identity, String> {
        certified(chain, key).map(Identity::of)
    }

    /// Of two PEM texts. The error is a sentence without its end.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, String> {
        certified_pem(chain, key).map(Identity::of)
    }

    fn of(certified: CertifiedKey) -> Identity {
        Identity(Arc::new(certified.into()))
    }
}

impl Default for TlsOptions {
    fn default() -> TlsOptions {
        TlsOptions {
            trust: Trust::none(),
            versions: Offer::Both,
            key_log: None,
            limit: Duration::from_secs(10),
            identity: None,
            large_hello: false,
        }
    }
}

/// Lengths of the names that fill a hello up: to some 1,600 octets with what else is in it.
const FILLERS: [usize; 6] = [255, 255, 255, 255, 255, 60];

/// The TLS side of a journey. Connections made by one client resume each other's sessions.
#[derive(Clone)]
pub struct TlsClient {
    network: Network,
    limit: Duration,
    verifier: Arc<Verifier>,
    tcp: Arc<ClientConfig>,
    quic: Arc<ClientConfig>,
    /// Tickets of QUIC connections: they carry transport parameters and never mix with TCP's.
    quic_sessions: Arc<Sessions>,
    large_hello: bool,
}

impl TlsClient {
    /// A client that has no sessions yet.
    pub fn new(network: &Network, options: TlsOptions) -> TlsClient {
        let TlsOptions { trust, versions, key_log, limit, identity, large_hello } = options;
        let provider = crypto_provider(network);
        let verifier = Arc::new(Verifier::new(trust.roots, &provider));
        let configure = |versions: &[&'static SupportedProtocolVersion], sessions: Arc<Sessions>| {
            let builder = ClientConfig::builder_with_details(Arc::clone(&provider), time_provider(network))
                .with_protocol_versions(versions)
                .expect("the provider has cipher suites for every version")
                .dangerous()
                .with_custom_certificate_verifier(verifier.clone());
            let mut config = match &identity {
                Some(Identity(certified)) => builder.with_client_cert_resolver(certified.clone()),
                None => builder.with_no_client_auth(),
            };
            config.resumption = rustls::client::Resumption::store(sessions as Arc<dyn ClientSessionStore>);
            if let Some(key_log) = &key_log {
                config.key_log = Arc::new(key_log.clone());
            }
            config
        };
        let versions: &[&SupportedProtocolVersion] = match versions {
            Offer::Both => &[&version::TLS13, &version::TLS12],
            Offer::Only13 => &[&version::TLS13],
            Offer::Only12 => &[&version::TLS12],
        };
        let tcp = configure(versions, Arc::new(Sessions::new()));
        let quic_sessions = Arc::new(Sessions::new());
        let mut quic = configure(&[&version::TLS13], Arc::clone(&quic_sessions));
        quic.alpn_protocols = vec![b"h3".to_vec()];
        quic.enable_early_data = true;
        TlsClient {
            network: network.clone(),
            limit,
            verifier,
            tcp: Arc::new(tcp),
            quic: Arc::new(quic),
            quic_sessions,
            large_hello,
        }
    }

    /// A client of the same trust and key log that has no sessions: its first handshakes are full ones.
    pub fn fresh(&self) -> TlsClient {
        let with = |config: &ClientConfig, sessions: Arc<Sessions>| {
            let mut config = config.clone();
            config.resumption = rustls::client::Resumption::store(sessions);
            Arc::new(config)
        };
        let quic_sessions = Arc::new(Sessions::new());
        TlsClient {
            tcp: with(&self.tcp, Arc::new(Sessions::new())),
            quic: with(&self.quic, Arc::clone(&quic_sessions)),
            quic_sessions,
            ..self.clone()
        }
    }

    /// The same client with another limit to a handshake.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> TlsClient {
        self.limit = limit;
        self
    }

    /// The same with a hello that fits into one packet; `None`: it does already.
    pub fn with_small_hello(&self) -> Option<TlsClient> {
        self.large_hello.then(|| TlsClient { large_hello: false, ..self.clone() })
    }

    /// Does the handshake with `host` (a name or an address) over `stream`, offering `alpn` in order of preference.
    pub async fn secure<S>(
        &self,
        recorder: &Recorder,
        parent: Option<SpanId>,
        host: &str,
        alpn: &[&str],
        stream: S,
    ) -> Result<Secured<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let span = recorder.open(parent, Layer::Tls, "handshake", format!("TLS with {host}"));
        let name = match server_name(host) {
            Ok(name) => name,
            Err(text) => return Err(Failure::record(recorder, span, "tls.wrong_name", text)),
        };
        if matches!(name, ServerName::DnsName(_)) {
            recorder.set(span, "tls.sni", host.to_owned());
        }
        self.verifier.forget(&name);
        let (stream, meter) = Metered::new(&self.network, stream);
        let connector = TlsConnector::from(Arc::clone(&self.tcp));
        let mut offered: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        if self.large_hello {
            // Behind those that are meant: whoever speaks none of these passes them over (RFC 7301 3.2).
            offered.extend(FILLERS.iter().map(|length| vec![b'.'; *length]));
        }
        let connecting = connector.with_alpn(offered).connect(name.clone(), stream);
        let result = self.network.timeout(self.limit, connecting).await;
        let counts = meter.read();
        recorder.set(span, "tls.bytes_received", integer(counts.bytes_read));
        if let (Some(sent), Some(first)) = (counts.first_write, counts.first_read) {
            recorder.set_duration(span, "tls.first_byte", first.since(sent));
        }
        let (code, text) = match result {
            Some(Ok(stream)) => {
                let (_, connection) = stream.get_ref();
                let (alpn, resumed) = record_agreement(recorder, span, connection);
                if let Some(seen) = self.verifier.seen(&name) {
                    recorder.set(span, "tls.stapled", seen.stapled);
                    if let Some(staple) = seen.staple {
                        self.note_staple(recorder, span, staple);
                    }
                }
                recorder.ok(span);
                return Ok(Secured { stream, span, alpn, resumed });
            }
            Some(Err(error)) => {
                let told = alert::of_handshake(&error, &counts.head);
                if told.0 == "tls.not_tls" {
                    let line =
                        counts.head.iter().take_while(|byte| byte.is_ascii_graphic() || **byte == b' ');
                    let line = line.map(|byte| char::from(*byte)).collect::<String>();
                    recorder.set(span, "tls.head", line);
                }
                told
            }
            None => ("tls.timeout".to_owned(), timeout_text(self.limit, meter.read().bytes_read)),
        };
        let (code, text) = self.certificate_failure(recorder, span, &name).unwrap_or((code, text));
        Err(Failure::record(recorder, span, code, text))
    }

    /// What the server showed about its revocation: the word, and by how many seconds the answer is out of date.
    fn note_staple(&self, recorder: &Recorder, span: SpanId, staple: Staple) {
        recorder.set(span, "tls.staple", staple.status.word());
        let late = staple.until.and_then(|until| self.network.unix_time().checked_sub(until));
        if let Some(late) = late {
            recorder.set(span, "tls.staple_late", integer(late.as_secs()));
        }
    }

    /// What was wrong with the certificate, if that is what ended a handshake; writes the chain into the span.
    fn certificate_failure(
        &self,
        recorder: &Recorder,
        span: SpanId,
        name: &ServerName<'_>,
    ) -> Option<(String, String)> {
        let seen = self.verifier.seen(name)?;
        recorder.set(span, "tls.chain", chain::describe(&seen.chain));
        let error = seen.error?;
        let (code, text) = chain::judge(&error, &seen.chain, name, self.network.unix_time());
        Some((code.to_owned(), text))
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A secured stream and what was agreed on.
#[derive(Debug)]
pub struct Secured<S> {
    /// Reads and writes plaintext.
    pub stream: TlsStream<Metered<S>>,
    /// The span `handshake`.
    pub span: SpanId,
    /// The application protocol both chose: `h2`, `http/1.1`; `None`: the server ignored the offer.
    pub alpn: Option<String>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// Writes what both sides agreed on into the span; returns the application protocol and whether a session was resumed.
fn record_agreement(
    recorder: &Recorder,
    span: SpanId,
    connection: &rustls::ClientConnection,
) -> (Option<String>, bool) {
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    let alpn = connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
    if let Some(version) = connection.protocol_version() {
        recorder.set(span, "tls.version", version_name(version));
    }
    if let Some(group) = connection.negotiated_key_exchange_group() {
        recorder.set(span, "tls.group", format!("{:?}", group.name()));
    }
    if let Some(suite) = connection.negotiated_cipher_suite() {
        recorder.set(span, "tls.cipher", cipher_name(suite.suite()));
    }
    if let Some(alpn) = &alpn {
        recorder.set(span, "tls.alpn", alpn.clone());
    }
    recorder.set(span, "tls.resumed", resumed);
    recorder.set(span, "tls.early_data", false);
    recorder.set(span, "tls.chain", chain::describe(connection.peer_certificates().unwrap_or_default()));
    (alpn, resumed)
}

/// `TLS 1.3`.
fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The registered name: `TLS_AES_256_GCM_SHA384`.
fn cipher_name(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

/// A name for SNI and for the certificate, or an address (with or without brackets).
fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    ServerName::try_from(bare.to_owned()).map_err(|_| format!("`{host}` is no name a certificate could have"))
}

fn timeout_text(limit: Duration, bytes_read: u64) -> String {
    let seconds = limit.as_secs_f64();
    match bytes_read {
        0 => format!("no answer to the client's hello within {seconds} s"),
        bytes => format!("the handshake was not done within {seconds} s; {bytes} bytes of it came"),
    }
}

fn integer(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
