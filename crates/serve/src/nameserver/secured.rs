//! TLS for DNS over TLS, HTTPS and QUIC.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::SingleCertAndKey;
use thru_net::{Network, tls};

use crate::pki::{self, LeafRequest};
use crate::quic;

/// Sessions remembered for resumption.
const SESSIONS: usize = 4096;
/// How long a QUIC connection may be silent.
const QUIC_IDLE: Duration = Duration::from_secs(30);
/// How long a certificate of our own making holds, from the day before.
const OWN_HOLDS: Duration = Duration::from_secs(90 * 86_400);

/// What is shown to clients of encrypted transports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<SingleCertAndKey>);

impl Certificate {
    /// A chain, leaf first, and its key, both in PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Certificate, String> {
        tls::certified_pem(chain, key).map(|certified| Certificate(Arc::new(certified.into())))
    }

    /// One signed by its own key, with randomness of the network, for these names and addresses.
    pub fn own(network: &Network, names: Vec<String>) -> Result<Certificate, String> {
        let seed = network.random("certificate");
        let seed = u64::from_le_bytes(seed[..8].try_into().expect("eight octets"));
        let now = network.unix_time();
        let day = Duration::from_secs(86_400);
        let request = LeafRequest {
            names,
            not_before: now.saturating_sub(day),
            not_after: now + OWN_HOLDS,
            without_intermediates: false,
            for_clients: false,
            ..LeafRequest::default()
        };
        let made = pki::self_signed(seed, request).map_err(|error| error.to_string())?;
        let certified = tls::certified(made.chain().to_vec(), made.key())?;
        Ok(Certificate(Arc::new(certified.into())))
    }

    /// The configuration of a TLS server that speaks these protocols.
    pub(super) fn server(&self, network: &Network, protocols: &[&[u8]]) -> io::Result<Arc<ServerConfig>> {
        Ok(Arc::new(self.config(network, protocols)?))
    }

    fn config(&self, network: &Network, protocols: &[&[u8]]) -> io::Result<ServerConfig> {
        let mut config =
            ServerConfig::builder_with_details(tls::crypto_provider(network), tls::time_provider(network))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_cert_resolver(self.0.clone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        Ok(config)
    }

    /// The same inside QUIC. Early data is not taken: a query that is replayed tells who asks again (RFC 9250
    /// section 7.1).
    pub(super) fn quic(&self, network: &Network, protocol: &[u8]) -> io::Result<quinn::ServerConfig> {
        let crypto =
            QuicServerConfig::try_from(self.config(network, &[protocol])?).map_err(io::Error::other)?;
        Ok(quic::config(network, crypto, QUIC_IDLE))
    }
}
