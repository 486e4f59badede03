//! A listener, and the connections that came in by it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_net::{ConnectOptions, Network, TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

use super::pipe::{self, Ended};
use super::toxic::{Stream, Toxics};
use super::{Counts, ImpairError, ProxyState};

/// Connections that wait to be accepted.
const BACKLOG: usize = 128;
/// Connections at a time; further ones wait.
const CONNECTIONS_MAX: usize = 4_096;

/// From `host:port` to an address.
pub(super) type Resolve = Arc<dyn Fn(&str) -> Option<SocketAddr> + Send + Sync>;

/// One proxy.
pub(super) struct Proxy {
    network: Network,
    resolve: Resolve,
    counts: Arc<Counts>,
    name: String,
    toxics: Arc<Toxics>,
    state: Mutex<State>,
}

struct State {
    listen: String,
    upstream: String,
    /// Accepts, and holds every connection: when it is aborted they end.
    running: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(super) fn new(network: &Network, resolve: Resolve, counts: Arc<Counts>, wished: ProxyState) -> Proxy {
        let ProxyState { name, listen, upstream, enabled: _, toxics } = wished;
        let state = Mutex::new(State { listen, upstream, running: None });
        Proxy { network: network.clone(), resolve, counts, name, toxics: Toxics::new(toxics), state }
    }

    fn inner(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn toxics(&self) -> &Toxics {
        &self.toxics
    }

    pub(super) fn state(&self) -> ProxyState {
        let state = self.inner();
        ProxyState {
            name: self.name.clone(),
            listen: state.listen.clone(),
            upstream: state.upstream.clone(),
            enabled: state.running.is_some(),
            toxics: self.toxics.all(),
        }
    }

    /// Listens, unless it does already.
    pub(super) async fn start(&self) -> Result<(), ImpairError> {
        let (listen, upstream) = {
            let state = self.inner();
            if state.running.is_some() {
                return Ok(());
            }
            (state.listen.clone(), state.upstream.clone())
        };
        let text = if listen.is_empty() { "127.0.0.1:0" } else { &listen };
        let address = (self.resolve)(text)
            .ok_or_else(|| ImpairError::Listen(format!("`{text}` is no address with a port")))?;
        let listener = self
            .network
            .listen_tcp(address, BACKLOG)
            .await
            .map_err(|error| ImpairError::Listen(format!("cannot listen on {address}: {error}")))?;
        let real = listener.local_addr();
        let harm = Harm { toxics: self.toxics.clone(), counts: self.counts.clone() };
        let accepting = accept(self.network.clone(), listener, self.resolve.clone(), upstream, harm);
        let running = tokio::spawn(accepting);
        let mut state = self.inner();
        state.listen = real.to_string();
        state.running = Some(running);
        Ok(())
    }

    /// Stops listening and cuts every connection.
    pub(super) fn stop(&self) {
        if let Some(running) = self.inner().running.take() {
            running.abort();
        }
    }

    pub(super) async fn update(
        &self,
        listen: Option<String>,
        upstream: Option<String>,
        enabled: Option<bool>,
    ) -> Result<(), ImpairError> {
        let (moved, was_running) = {
            let mut state = self.inner();
            let mut moved = false;
            for (field, wanted) in [(0, listen), (1, upstream)] {
                let field = if field == 0 { &mut state.listen } else { &mut state.upstream };
                if let Some(wanted) = wanted.filter(|wanted| wanted != field) {
                    *field = wanted;
                    moved = true;
                }
            }
            (moved, state.running.is_some())
        };
        let enabled = enabled.unwrap_or(was_running);
        if moved || !enabled {
            let running = self.inner().running.take();
            if let Some(running) = running {
                running.abort();
                // The port is free only when the task is gone.
                let _ = running.await;
            }
        }
        if enabled { self.start().await } else { Ok(()) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What meets connections: what harms them, and what counts them.
#[derive(Clone)]
struct Harm {
    toxics: Arc<Toxics>,
    counts: Arc<Counts>,
}

/// Accepts until it is aborted; the connections are its own.
async fn accept(network: Network, listener: TcpListener, resolve: Resolve, upstream: String, harm: Harm) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                // An accept that fails was a connection that is gone already.
                let Ok((client, _)) = accepted else { continue };
                harm.counts.connections.fetch_add(1, Ordering::Relaxed);
                let target = resolve(&upstream);
                connections.spawn(connection(network.clone(), client, target, harm.clone()));
            }
        }
    }
}

/// One connection from end to end.
async fn connection(network: Network, client: TcpStream, target: Option<SocketAddr>, harm: Harm) {
    let Some(target) = target else { return };
    // An upstream that can't be reached is a connection that closes at once, as with Toxiproxy.
    let Ok(server) =
        network.connect_tcp(target, ConnectOptions { nodelay: true, ..Default::default() }).await
    else {
        return;
    };
    client.set_nodelay(true);
    let (ends_client, ends_server) = (client.inspector(), server.inspector());
    let (client_reads, client_writes) = tokio::io::split(client);
    let (server_reads, server_writes) = tokio::io::split(server);
    let Harm { toxics, counts } = &harm;
    let up = pipe::run(&network, client_reads, server_writes, toxics, Stream::Upstream, &counts.up);
    let down = pipe::run(&network, server_reads, client_writes, toxics, Stream::Downstream, &counts.down);
    let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
    let (mut up_done, mut down_done) = (false, false);
    while !(up_done && down_done) {
        let ended = tokio::select! {
            biased;
            ended = &mut up, if !up_done => { up_done = true; ended }
            ended = &mut down, if !down_done => { down_done = true; ended }
        };
        match ended {
            Ended::Closed => {}
            Ended::Cut => return,
            Ended::Reset => {
                ends_client.reset();
                ends_server.reset();
                return;
            }
        }
    }
}
