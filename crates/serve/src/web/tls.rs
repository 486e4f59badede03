//! TLS in front of HTTP/1.1 and HTTP/2, and the TLS inside QUIC.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey as SigningKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use thru_net::{Network, TcpStream, tls};
use tokio::io::AsyncWriteExt;
use tokio_rustls::LazyConfigAcceptor;

use super::idle::Idle;
use super::pages::Via;
use super::{Door, QuicDoor, ServeError, Shared, Site, TlsVersions, http, raw};

/// How long a client may take for its side of the handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of a TLS record.
const RECORD: usize = 4096;
/// Sessions a site remembers for resumption.
const SESSIONS: usize = 256;

/// A site with its TLS ready.
pub(super) struct PreparedSite {
    pub(super) site: Site,
    /// `None`: no certificate, or no version that a client could share.
    tls: Option<Arc<ServerConfig>>,
    key: Option<Arc<SigningKey>>,
}

/// Makes each site's configuration, once.
pub(super) fn prepare(network: &Network, sites: Vec<Site>) -> Result<Vec<PreparedSite>, ServeError> {
    sites.into_iter().map(|site| PreparedSite::new(network, site)).collect()
}

impl PreparedSite {
    fn new(network: &Network, site: Site) -> Result<PreparedSite, ServeError> {
        let Some(certificate) = &site.certificate else {
            return Ok(PreparedSite { site, tls: None, key: None });
        };
        let what = || format!("use the certificate of {}", site.name());
        let provider = tls::crypto_provider(network);
        let signer = provider
            .key_provider
            .load_private_key(certificate.key())
            .map_err(|error| ServeError::new(what(), error))?;
        let mut key = SigningKey::new(certificate.chain().to_vec(), signer);
        key.ocsp = certificate.staple().map(<[u8]>::to_vec);
        let key = Arc::new(key);
        let versions: &[&SupportedProtocolVersion] = match site.tls {
            TlsVersions::Both => &[&version::TLS13, &version::TLS12],
            TlsVersions::Only13 => &[&version::TLS13],
            TlsVersions::Only12 => &[&version::TLS12],
            TlsVersions::Outdated => return Ok(PreparedSite { site, tls: None, key: Some(key) }),
        };
        let builder = ServerConfig::builder_with_details(Arc::clone(&provider), tls::time_provider(network))
            .with_protocol_versions(versions)
            .map_err(|error| ServeError::new(what(), error))?;
        let builder = match &site.behaviour.client_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots
                    .add(authority.clone().into())
                    .map_err(|error| ServeError::new("ask clients for certificates", error))?;
                let asking =
                    rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let asking =
                    if site.behaviour.client_optional { asking.allow_unauthenticated() } else { asking };
                let asking =
                    asking.build().map_err(|error| ServeError::new("ask clients for certificates", error))?;
                builder.with_client_cert_verifier(asking)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Always(Arc::clone(&key))));
        for (spoken, protocol) in [(site.http.http2, &b"h2"[..]), (site.http.http1, b"http/1.1")] {
            if spoken {
                config.alpn_protocols.push(protocol.to_vec());
            }
        }
        // Sessions are kept here and clients get a reference: rustls' encrypted tickets draw from the kernel and
        // would not repeat under a seed.
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        // A record is of use only when all of it has come. The largest (16 kB) do not fit into the ten segments a
        // connection may begin with (RFC 6928), so the head of the answer would come a round trip late.
        config.max_fragment_size = Some(RECORD);
        Ok(PreparedSite { site, tls: Some(Arc::new(config)), key: Some(key) })
    }
}

#[derive(Debug)]
struct Always(Arc<SigningKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<SigningKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// The certificates of the sites that speak HTTP/3.
#[derive(Debug)]
struct ByName {
    exact: BTreeMap<String, Arc<SigningKey>>,
    /// Without the `*.`.
    wildcards: BTreeMap<String, Arc<SigningKey>>,
    first: Arc<SigningKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<SigningKey>> {
        let Some(name) = hello.server_name() else { return Some(Arc::clone(&self.first)) };
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').and_then(|(_, parent)| self.wildcards.get(parent));
        Some(Arc::clone(self.exact.get(&name).or_else(wildcard).unwrap_or(&self.first)))
    }
}

/// Has no certificate for anybody.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<SigningKey>> {
        None
    }
}

/// quinn's configuration for all sites that speak HTTP/3.
pub(super) fn quic_config(
    network: &Network,
    sites: &[PreparedSite],
    idle: Duration,
) -> Result<quinn::ServerConfig, ServeError> {
    let speaking = || sites.iter().filter(|site| site.site.speaks_http3());
    let (mut exact, mut wildcards) = (BTreeMap::new(), BTreeMap::new());
    for site in speaking() {
        let Some(key) = &site.key else { continue };
        for name in &site.site.names {
            let (map, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut wildcards, parent),
                None => (&mut exact, name.as_str()),
            };
            map.entry(name.to_ascii_lowercase()).or_insert_with(|| Arc::clone(key));
        }
    }
    let first = speaking()
        .find_map(|site| site.key.clone())
        .ok_or_else(|| ServeError::new("serve HTTP/3", "no site that speaks it has a certificate"))?;
    let mut config =
        ServerConfig::builder_with_details(tls::crypto_provider(network), tls::time_provider(network))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|error| ServeError::new("serve HTTP/3", error))?
            .with_no_client_auth()
            .with_cert_resolver(
                match speaking().any(|site| site.site.behaviour.quic == QuicDoor::NoCertificate) {
                    true => Arc::new(Nobody) as Arc<dyn ResolvesServerCert>,
                    false => Arc::new(ByName { exact, wildcards, first }),
                },
            );
    let other = speaking().any(|site| site.site.behaviour.quic == QuicDoor::OtherProtocol);
    config.alpn_protocols = vec![if other { b"doq".to_vec() } else { b"h3".to_vec() }];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    // QUIC knows only this value for "0-RTT is welcome" (RFC 9001 4.6.1).
    config.max_early_data_size = u32::MAX;
    let crypto =
        QuicServerConfig::try_from(config).map_err(|error| ServeError::new("serve HTTP/3", error))?;
    Ok(crate::quic::config(network, crypto, idle))
}

/// Serves one connection of the TLS port.
pub(super) async fn secure(shared: Arc<Shared>, mut stream: TcpStream) {
    stream.set_nodelay(true);
    match shared.door() {
        Door::CloseOnAccept => return,
        Door::Silent => return std::future::pending().await,
        Door::PlainOnTlsPort | Door::Greet(_) | Door::ResetOnAccept => {
            return http::plain(shared, stream).await;
        }
        Door::Open
        | Door::CloseAfterHello
        | Door::SilentAfterHello
        | Door::ResetAfterHello
        | Door::Alert(_)
        | Door::Full => {}
    }
    let network = shared.network.clone();
    let hello = {
        let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), &mut stream);
        match network.timeout(HANDSHAKE_LIMIT, &mut acceptor).await {
            // What came was no hello, or did not come in time: an alert, if one is due, is on its way already.
            None | Some(Err(_)) => return,
            Some(Ok(start)) => start.accepted,
        }
    };
    let index = shared.site_for(hello.client_hello().server_name(), 0);
    let behaviour = &shared.site(index).behaviour;
    match &behaviour.door {
        Door::CloseAfterHello => return,
        Door::SilentAfterHello => return std::future::pending().await,
        Door::ResetAfterHello => return stream.inspector().reset(),
        Door::Alert(alert) => {
            let _ = stream.write_all(&raw::alert(*alert)).await;
            let _ = stream.shutdown().await;
            return;
        }
        _ => {}
    }
    if !behaviour.hello.is_zero() {
        network.sleep(behaviour.hello).await;
    }
    let Some(config) = shared.sites[index].tls.clone() else {
        let outdated = shared.site(index).tls == TlsVersions::Outdated;
        let alert = if outdated { PROTOCOL_VERSION } else { UNRECOGNIZED_NAME };
        let _ = stream.write_all(&raw::alert(alert)).await;
        let _ = stream.shutdown().await;
        return;
    };
    let connection = stream.inspector();
    let start =
        tokio_rustls::StartHandshake::from_parts(hello, Idle::new(&network, stream, shared.options.idle));
    let Some(Ok(stream)) = network.timeout(HANDSHAKE_LIMIT, start.into_stream(config)).await else { return };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if http2 {
        http::http2(shared, index, connection, stream).await;
    } else {
        http::http1(shared, index, Via::Tls, connection, stream).await;
    }
}

/// The alert `protocol_version` (RFC 8446 6.2).
const PROTOCOL_VERSION: u8 = 70;
/// The alert `unrecognized_name` (RFC 6066 3), from a site that has no certificate at all.
const UNRECOGNIZED_NAME: u8 = 112;
