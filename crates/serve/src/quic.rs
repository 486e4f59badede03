//! QUIC as all servers here speak it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use quinn::crypto::rustls::QuicServerConfig;
use ring::hkdf;
use thru_net::Network;

/// A server's configuration over its TLS; `idle` is how long a connection may be silent. Dates and random numbers are the
/// network's.
pub(crate) fn config(network: &Network, crypto: QuicServerConfig, idle: Duration) -> quinn::ServerConfig {
    let token_key =
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"throughline").extract(&network.random("quic token key"));
    let mut config = quinn::ServerConfig::new(Arc::new(crypto), Arc::new(token_key));
    config.time_source(Arc::new(NetworkDate(network.clone())));
    // Tokens for later connections would carry a date and a random number; nothing here asks for them.
    let mut tokens = quinn::ValidationTokenConfig::default();
    tokens.sent(0);
    config.validation_token_config(tokens);
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(quinn::IdleTimeout::try_from(idle).ok());
    // One more than a browser's usual 100: a page of 30 objects never waits for stream credit.
    transport.max_concurrent_bidi_streams(128u32.into());
    config.transport_config(Arc::new(transport));
    config
}

/// The network's date, for the tokens in which QUIC writes one.
struct NetworkDate(Network);

impl quinn::TimeSource for NetworkDate {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.0.unix_time()
    }
}
