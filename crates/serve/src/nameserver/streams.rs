//! TCP, and what runs over it: connections that carry many queries at a time (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use thru_net::{Network, TcpListener};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Engine, Transport, https};

/// Connections open at once on a listener; further ones wait in it.
const CONNECTIONS_MAX: usize = 1024;
/// Queries of one connection that are worked on at once; further ones wait in it (RFC 7766 section 6.2.1.1).
const AT_ONCE: usize = 64;
/// An idle connection is closed after this long; clients that ask are told so (RFC 7828).
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// Serves a listener's connections as they are until it fails.
pub(super) async fn plain(network: Network, listener: TcpListener, engine: Engine) -> io::Result<()> {
    let clock = network.clone();
    accept(network, listener, move |stream, from| {
        let (engine, network) = (engine.clone(), clock.clone());
        async move {
            stream.set_nodelay(true);
            framed(&network, stream, from, Transport::Tcp, &engine).await;
        }
    })
    .await
}

/// Serves a listener's connections by TLS, with or without HTTP in it, until it fails.
pub(super) async fn secured(
    network: Network,
    listener: TcpListener,
    transport: Transport,
    tls: Arc<ServerConfig>,
    engine: Engine,
) -> io::Result<()> {
    let clock = network.clone();
    accept(network, listener, move |stream, from| {
        let (engine, network, tls) = (engine.clone(), clock.clone(), tls.clone());
        async move {
            if transport == Transport::Https {
                return https::connection(network, stream, from, tls, engine).await;
            }
            stream.set_nodelay(true);
            let accepting = TlsAcceptor::from(tls).accept(stream);
            if let Some(Ok(stream)) = network.timeout(IDLE, accepting).await {
                framed(&network, stream, from, transport, &engine).await;
            }
        }
    })
    .await
}

/// Accepts connections and serves each in a task of its own, as many at once as allowed.
pub(super) async fn accept<F, Fut>(network: Network, listener: TcpListener, serve: F) -> io::Result<()>
where
    F: Fn(thru_net::TcpStream, SocketAddr) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                let connection = serve(stream, from);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Err(error),
            // What went wrong with one connection (or all file descriptors are in use) says nothing about the next.
            Err(_) => network.sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Answers the queries of one connection as they are ready, in any order, until it is idle for too long.
pub(super) async fn framed<S>(
    network: &Network,
    stream: S,
    from: SocketAddr,
    transport: Transport,
    engine: &Engine,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (sender, mut replies) = mpsc::channel::<Vec<Vec<u8>>>(AT_ONCE);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let reading = async move {
        let mut queries = JoinSet::new();
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let query = tokio::select! {
                biased;
                // The client takes no replies any more.
                () = sender.closed() => return,
                query = network.timeout(IDLE, read_framed(&mut reader)) => query,
            };
            let Some(Ok(Some(query))) = query else { break };
            let (engine, sender) = (engine.clone(), sender.clone());
            queries.spawn(async move {
                let messages = engine.ask(from, transport, &query).await;
                let _ = sender.send(messages).await;
                drop(place);
            });
            while queries.try_join_next().is_some() {}
        }
        // What was asked before the client closed its side, or fell silent, is still answered.
        while queries.join_next().await.is_some() {}
    };
    let writing = async move {
        while let Some(messages) = replies.recv().await {
            // A client that does not read would hold its place for ever.
            if !matches!(network.timeout(IDLE, write_framed(&mut writer, &messages)).await, Some(Ok(()))) {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    tokio::join!(reading, writing);
}

/// Reads one message; `None` when the stream ended before one began.
pub(super) async fn read_framed<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if reader.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut length[1..]).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    reader.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Writes messages, each with its length before it (RFC 1035 section 4.2.2), in one write.
pub(super) async fn write_framed<W: AsyncWrite + Unpin>(
    writer: &mut W,
    messages: &[Vec<u8>],
) -> io::Result<()> {
    let mut octets = Vec::with_capacity(messages.iter().map(|message| message.len() + 2).sum());
    for message in messages {
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend_from_slice(message);
    }
    writer.write_all(&octets).await?;
    writer.flush().await
}
