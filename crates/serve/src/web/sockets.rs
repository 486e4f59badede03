//! The datagram side of a TLS port: HTTP/3, well or badly behaved.

use std::net::SocketAddr;

use thru_net::{Network, UdpSocket};

use super::{QuicDoor, ServeError};

/// Ports that are tried where any will do: one that is free for TCP may be taken for UDP.
pub(super) const PORTS_TRIED: u32 = 16;

/// What hears the datagrams.
pub(super) enum QuicSocket {
    /// An endpoint of HTTP/3.
    Usual(quinn::Endpoint),
    /// Datagrams are answered that no endpoint sees.
    Strange(UdpSocket),
}

/// Takes the port for datagrams, if HTTP/3 is spoken at all.
pub(super) async fn bind_quic(
    network: &Network,
    local: SocketAddr,
    config: Option<&quinn::ServerConfig>,
    door: QuicDoor,
) -> Result<Option<QuicSocket>, ServeError> {
    let Some(config) = config else { return Ok(None) };
    let failed = |error| ServeError::new(format!("bind UDP {local}"), error);
    Ok(Some(if matches!(door, QuicDoor::OtherVersion | QuicDoor::BadRetry) {
        QuicSocket::Strange(network.bind_udp(local).await.map_err(failed)?)
    } else {
        let endpoint = thru_net::quic::endpoint(network, local, Some(config.clone())).await;
        QuicSocket::Usual(endpoint.map_err(failed)?)
    }))
}
