//! One question over an encrypted transport: DNS over TLS (RFC 7858), HTTPS (RFC 8484; HTTP/2 or HTTP/3), QUIC
//! (RFC 9250).
//!
//! Queries are padded to multiples of 128 octets (RFC 8467), so that their lengths tell nothing. As dig and kdig do, who
//! answers is believed without proof unless authorities to believe are given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use thru_names::wire::Packet;
use thru_net::http::TokioExecutor;
use thru_net::tls::{crypto_provider, time_provider};
use thru_net::{ConnectOptions, Network, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::exchange::{Outcome, Question};

/// Padding (RFC 7830).
const PADDING: u16 = 12;
/// Queries are padded to a multiple of this many octets (RFC 8467 section 4.1).
const BLOCK: usize = 128;
/// The media type of messages.
const MEDIA: &str = "application/dns-message";

/// An encrypted transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// TLS.
    Tls,
    /// HTTP/2 over TLS, with POST or GET.
    Https {
        /// GET, which caches understand, instead of POST.
        get: bool,
    },
    /// HTTP/3.
    Http3,
    /// QUIC.
    Quic,
}

impl Way {
    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Way::Tls | Way::Quic => 853,
            Way::Https { .. } | Way::Http3 => 443,
        }
    }

    /// As it is called: `tls`, `https`, `h3`, `quic`.
    pub fn name(self) -> &'static str {
        match self {
            Way::Tls => "tls",
            Way::Https { .. } => "https",
            Way::Http3 => "h3",
            Way::Quic => "quic",
        }
    }
}

/// How to ask, and whom to believe.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The transport.
    pub way: Way,
    /// The server's name, for its certificate and for HTTP.
    pub host: String,
    /// Where queries are taken by HTTP.
    pub path: String,
    /// Authorities to believe; `None`: any certificate will do.
    pub roots: Option<Arc<RootCertStore>>,
}

/// Puts the question, in at most `patience` altogether.
pub async fn exchange(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    question: &Question,
    patience: Duration,
) -> Outcome {
    // RFC 9250 section 4.2.1 wants id 0, and RFC 8484 section 4.1 advises it.
    let mut question = question.clone();
    if manner.way != Way::Tls {
        question.options.id = 0;
    }
    let query = padded(question.encode());
    let asking = async {
        let answer = match manner.way {
            Way::Tls => over_tls(network, server, manner, &query).await,
            Way::Https { get } => over_https(network, server, manner, &query, get).await,
            Way::Http3 => over_http3(network, server, manner, &query).await,
            Way::Quic => over_quic(network, server, manner, &query).await,
        };
        match answer {
            Ok(octets) => question
                .judge(&octets)
                .unwrap_or_else(|| Outcome::Malformed("an answer to something else".to_owned())),
            Err(text) => Outcome::Unreachable { text, icmp: None },
        }
    };
    network.timeout(patience, asking).await.unwrap_or(Outcome::Silent)
}

/// The query with a padding option that fills its last block; as it is, if it has no EDNS.
fn padded(query: Vec<u8>) -> Vec<u8> {
    let Ok(mut packet) = Packet::read(&query) else { return query };
    let Some(opt) = &mut packet.opt else { return query };
    let missing = (query.len() + 4).next_multiple_of(BLOCK) - query.len() - 4;
    opt.options.push((PADDING, vec![0; missing]));
    packet.write(usize::from(u16::MAX)).unwrap_or(query)
}

fn tls_config(network: &Network, manner: &Manner, protocol: &[u8]) -> Result<ClientConfig, String> {
    let provider = crypto_provider(network);
    let builder = ClientConfig::builder_with_details(provider.clone(), time_provider(network))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match &manner.roots {
        Some(roots) => builder.with_root_certificates(roots.clone()).with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn server_name(manner: &Manner) -> Result<ServerName<'static>, String> {
    let bare = manner.host.trim_matches(['[', ']']).trim_end_matches('.').to_owned();
    ServerName::try_from(bare).map_err(|_| format!("`{}` is no name a certificate could have", manner.host))
}

async fn tls(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>, String> {
    let config = tls_config(network, manner, protocol)?;
    let options = ConnectOptions { nodelay: true, ..ConnectOptions::default() };
    let stream = network.connect_tcp(server, options).await.map_err(|error| error.to_string())?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(server_name(manner)?, stream);
    connecting.await.map_err(|error| format!("TLS failed: {error}"))
}

async fn over_tls(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    query: &[u8],
) -> Result<Vec<u8>, String> {
    let mut stream = tls(network, server, manner, b"dot").await?;
    let failed = |error: std::io::Error| format!("the connection failed: {error}");
    stream.write_all(&framed(query)).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await.map_err(failed)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await.map_err(failed)?;
    let _ = stream.shutdown().await;
    Ok(message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// The request that carries a query.
fn request(server: SocketAddr, manner: &Manner, query: &[u8], get: bool) -> Result<Request<Bytes>, String> {
    let bare = manner.host.trim_matches(['[', ']']).trim_end_matches('.');
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let port = if server.port() == 443 { String::new() } else { format!(":{}", server.port()) };
    let mut uri = format!("https://{host}{port}{}", manner.path);
    let builder = Request::builder().header(header::ACCEPT, MEDIA);
    let (builder, body) = if get {
        uri = format!("{uri}?dns={}", base64url(query));
        (builder.method(Method::GET), Bytes::new())
    } else {
        let builder = builder.method(Method::POST).header(header::CONTENT_TYPE, MEDIA);
        (builder.header(header::CONTENT_LENGTH, query.len()), Bytes::copy_from_slice(query))
    };
    builder.uri(uri).body(body).map_err(|error| format!("this makes no request: {error}"))
}

/// Base64url without padding (RFC 4648 section 5).
fn base64url(octets: &[u8]) -> String {
    thru_names::rdata::base64_text(octets).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn judged(status: StatusCode, headers: &http::HeaderMap) -> Result<(), String> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
    // Its case means nothing, and parameters may follow (RFC 9110 8.3.1).
    let kind = media.split(';').next().unwrap_or_default().trim();
    match (status, media) {
        (StatusCode::OK, _) if kind.eq_ignore_ascii_case(MEDIA) => Ok(()),
        (StatusCode::OK, other) => Err(format!("the server sent {other} instead of a message")),
        (status, _) => Err(format!("the server answered with HTTP status {status}")),
    }
}

async fn over_https(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    query: &[u8],
    get: bool,
) -> Result<Vec<u8>, String> {
    let stream = tls(network, server, manner, b"h2").await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err("the server does not speak HTTP/2 there".to_owned());
    }
    let failed = |error: hyper::Error| format!("HTTP failed: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor, TokioIo::new(stream)).await.map_err(failed)?;
    let driver = network.spawn(connection);
    let request = request(server, manner, query, get)?.map(Full::new);
    let response = sender.send_request(request).await.map_err(failed)?;
    judged(response.status(), response.headers())?;
    let body = Limited::new(response.into_body(), usize::from(u16::MAX)).collect().await;
    driver.abort();
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| format!("HTTP failed: {error}"))
}

async fn quic(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    protocol: &[u8],
) -> Result<(quinn::Endpoint, quinn::Connection), String> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let local = SocketAddr::new(network.source_for(server.ip()).unwrap_or(any), 0);
    let endpoint = thru_net::quic::endpoint(network, local, None)
        .await
        .map_err(|error| format!("no UDP socket to be had: {error}"))?;
    let crypto = QuicClientConfig::try_from(tls_config(network, manner, protocol)?)
        .map_err(|error| error.to_string())?;
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let name = server_name(manner)?;
    let connecting =
        endpoint.connect_with(config, server, name.to_str().as_ref()).map_err(|error| error.to_string())?;
    let connection = connecting.await.map_err(|error| format!("QUIC failed: {error}"))?;
    Ok((endpoint, connection))
}

/// Gives the endpoint time to send its farewell, but not to wait for an echo: the answer is there.
async fn tell(network: &Network, endpoint: &quinn::Endpoint) {
    let _ = network.timeout(Duration::from_millis(2), endpoint.wait_idle()).await;
}

async fn over_quic(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    query: &[u8],
) -> Result<Vec<u8>, String> {
    let (endpoint, connection) = quic(network, server, manner, b"doq").await?;
    let (mut send, mut receive) =
        connection.open_bi().await.map_err(|error| format!("QUIC failed: {error}"))?;
    send.write_all(&framed(query)).await.map_err(|error| format!("QUIC failed: {error}"))?;
    send.finish().map_err(|error| format!("QUIC failed: {error}"))?;
    let octets = receive
        .read_to_end(2 + usize::from(u16::MAX))
        .await
        .map_err(|error| format!("the server broke off: {error}"))?;
    // DOQ_NO_ERROR (RFC 9250 section 4.3).
    connection.close(0u32.into(), b"");
    tell(network, &endpoint).await;
    match octets.split_first_chunk::<2>() {
        Some((length, message)) if message.len() >= usize::from(u16::from_be_bytes(*length)) => {
            Ok(message[..usize::from(u16::from_be_bytes(*length))].to_vec())
        }
        _ => Err("the server sent less than a message".to_owned()),
    }
}

async fn over_http3(
    network: &Network,
    server: SocketAddr,
    manner: &Manner,
    query: &[u8],
) -> Result<Vec<u8>, String> {
    let (endpoint, connection) = quic(network, server, manner, b"h3").await?;
    let (mut control, mut sender) = h3::client::builder()
        .send_grease(false)
        .build::<_, _, Bytes>(h3_quinn::Connection::new(connection.clone()))
        .await
        .map_err(|error| format!("HTTP/3 failed: {error}"))?;
    let driver = network.spawn(async move { control.wait_idle().await });
    let asking = async {
        let (head, body) = request(server, manner, query, false)?.into_parts();
        let failed = |error: h3::error::StreamError| format!("HTTP/3 failed: {error}");
        let mut stream = sender.send_request(Request::from_parts(head, ())).await.map_err(failed)?;
        stream.send_data(body).await.map_err(failed)?;
        stream.finish().await.map_err(failed)?;
        let response = stream.recv_response().await.map_err(failed)?;
        judged(response.status(), response.headers())?;
        let mut message = Vec::new();
        while let Some(mut data) = stream.recv_data().await.map_err(failed)? {
            if message.len() + data.remaining() > usize::from(u16::MAX) {
                return Err("the server sent more than a message".to_owned());
            }
            message.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(message)
    };
    let result = asking.await;
    driver.abort();
    // H3_NO_ERROR (RFC 9114 section 8.1).
    connection.close(0x100u32.into(), b"");
    tell(network, &endpoint).await;
    result
}

/// Takes any certificate, but only from who has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
