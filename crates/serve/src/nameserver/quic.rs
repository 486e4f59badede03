//! DNS over QUIC (RFC 9250): a stream for each query.

use std::io;
use std::sync::Arc;

use thru_net::Network;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::streams::{IDLE, write_framed};
use super::{Engine, Transport};

/// Connections open at once; further ones are refused.
const CONNECTIONS_MAX: usize = 1024;
/// A query with its length.
const QUERY_MAX: usize = 2 + 65_535;
/// DOQ_PROTOCOL_ERROR (RFC 9250 section 4.3).
const PROTOCOL_ERROR: u32 = 2;

/// Serves an endpoint's connections until it is closed.
pub(super) async fn serve(network: Network, endpoint: quinn::Endpoint, engine: Engine) -> io::Result<()> {
    accept(endpoint, move |connecting| {
        let (network, engine) = (network.clone(), engine.clone());
        async move {
            let Ok(connection) = connecting.await else { return };
            let mut queries = JoinSet::new();
            // Bounded by the number of streams that the transport allows.
            while let Ok((send, receive)) = connection.accept_bi().await {
                while queries.try_join_next().is_some() {}
                queries.spawn(query(network.clone(), connection.clone(), send, receive, engine.clone()));
            }
        }
    })
    .await;
    Ok(())
}

/// Accepts QUIC connections and serves each in a task of its own, as many at once as allowed.
pub(super) async fn accept<F, Fut>(endpoint: quinn::Endpoint, serve: F)
where
    F: Fn(quinn::Connecting) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let Ok(connecting) = incoming.accept() else { continue };
        let connection = serve(connecting);
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// One query and its reply, or the messages of a transfer.
async fn query(
    network: Network,
    connection: quinn::Connection,
    mut send: quinn::SendStream,
    mut receive: quinn::RecvStream,
    engine: Engine,
) {
    let Some(Ok(octets)) = network.timeout(IDLE, receive.read_to_end(QUERY_MAX)).await else { return };
    // RFC 9250 section 4.2: a length, a message whose id is 0, and the end of the stream.
    let framed = octets.first_chunk::<2>().is_some_and(|length| {
        usize::from(u16::from_be_bytes(*length)) == octets.len() - 2 && octets.get(2..4) == Some(&[0, 0])
    });
    if !framed {
        return connection.close(PROTOCOL_ERROR.into(), b"not one message with id 0");
    }
    let messages = engine.ask(connection.remote_address(), Transport::Quic, &octets[2..]).await;
    if messages.is_empty() {
        let _ = send.reset(PROTOCOL_ERROR.into());
        return;
    }
    if write_framed(&mut send, &messages).await.is_ok() {
        let _ = send.finish();
        // The stream is gone with us: wait until the client has it all.
        let _ = network.timeout(IDLE, send.stopped()).await;
    }
}
