//! A proxy that harms the connections of an application: slow, narrow, cut into bits, reset, silent. What it does can
//! be changed while connections run, over an HTTP API that Toxiproxy's clients speak.
//!
//! - [`Impairer`]: proxies by name. Start here. [`api`]: the same over HTTP.
//! - [`toxic`]: what can be done to a connection. `pipe`: one direction of one connection.
//! - `proxy`: a listener and its connections. [`udp`]: datagrams, through a wire of the simulator's.

pub mod api;
mod pipe;
mod proxy;
pub mod toxic;
pub mod udp;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_net::Network;

use proxy::Proxy;
use toxic::{Toxic, ToxicError};

/// A proxy as it is wished for and as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyState {
    /// Its name.
    pub name: String,
    /// Where it listens, with the real port once it does.
    pub listen: String,
    /// Where it connects to.
    pub upstream: String,
    /// Whether it listens; if not, connections are refused and those there were are cut.
    pub enabled: bool,
    /// What is done to its connections.
    pub toxics: Vec<Toxic>,
}

/// What all proxies have carried together, those that are gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Connections that came in.
    pub connections: u64,
    /// Bytes passed on to upstreams.
    pub up: u64,
    /// Bytes passed on to clients.
    pub down: u64,
}

/// The same while it grows.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImpairError {
    /// There is no proxy of that name.
    NoProxy,
    /// There is one already.
    ProxyExists,
    /// There is no toxic of that name.
    NoToxic,
    /// A toxic makes no sense, or there is one of that name.
    Toxic(ToxicError),
    /// A field is missing.
    Missing(&'static str),
    /// The address to listen on can't be had, in words.
    Listen(String),
}

/// Proxies by name. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Impairer {
    network: Network,
    /// Names of upstreams, to addresses.
    resolve: proxy::Resolve,
    proxies: Arc<Mutex<BTreeMap<String, Arc<Proxy>>>>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Impairer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Impairer").finish_non_exhaustive()
    }
}

impl Impairer {
    /// One without proxies. `resolve` understands `host:port`.
    pub fn new(
        network: &Network,
        resolve: impl Fn(&str) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Impairer {
        Impairer {
            network: network.clone(),
            resolve: Arc::new(resolve),
            proxies: Arc::default(),
            counts: Arc::default(),
        }
    }

    /// What has been carried so far.
    pub fn carried(&self) -> Carried {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { connections, up, down } = &*self.counts;
        Carried { connections: read(connections), up: read(up), down: read(down) }
    }

    fn proxies(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Proxy>>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn proxy(&self, name: &str) -> Result<Arc<Proxy>, ImpairError> {
        self.proxies().get(name).cloned().ok_or(ImpairError::NoProxy)
    }

    /// Adds a proxy, and starts it if it is enabled.
    pub async fn create(&self, wished: ProxyState) -> Result<ProxyState, ImpairError> {
        if wished.name.is_empty() {
            return Err(ImpairError::Missing("name"));
        }
        if wished.upstream.is_empty() {
            return Err(ImpairError::Missing("upstream"));
        }
        if self.proxies().contains_key(&wished.name) {
            return Err(ImpairError::ProxyExists);
        }
        let (name, enabled) = (wished.name.clone(), wished.enabled);
        let proxy = Arc::new(Proxy::new(&self.network, self.resolve.clone(), self.counts.clone(), wished));
        if enabled {
            proxy.start().await?;
        }
        self.proxies().insert(name, proxy.clone());
        Ok(proxy.state())
    }

    /// Changes where a proxy listens, where it connects to, and whether it is enabled. Connections are cut if it moves.
    pub async fn update(
        &self,
        name: &str,
        listen: Option<String>,
        upstream: Option<String>,
        enabled: Option<bool>,
    ) -> Result<ProxyState, ImpairError> {
        let proxy = self.proxy(name)?;
        proxy.update(listen, upstream, enabled).await?;
        Ok(proxy.state())
    }

    /// Removes a proxy and cuts its connections.
    pub fn remove(&self, name: &str) -> Result<(), ImpairError> {
        let proxy = self.proxies().remove(name).ok_or(ImpairError::NoProxy)?;
        proxy.stop();
        Ok(())
    }

    /// A proxy as it is.
    pub fn get(&self, name: &str) -> Result<ProxyState, ImpairError> {
        Ok(self.proxy(name)?.state())
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<ProxyState> {
        self.proxies().values().map(|proxy| proxy.state()).collect()
    }

    /// Adds a toxic to a proxy; connections there are feel it too.
    pub fn add_toxic(&self, name: &str, toxic: Toxic) -> Result<Toxic, ImpairError> {
        self.proxy(name)?.toxics().add(toxic).map_err(ImpairError::Toxic)
    }

    /// Changes a toxic.
    pub fn set_toxic(
        &self,
        name: &str,
        toxic: &str,
        change: impl FnOnce(&mut Toxic) -> Result<(), ToxicError>,
    ) -> Result<Toxic, ImpairError> {
        self.proxy(name)?
            .toxics()
            .change(toxic, change)
            .ok_or(ImpairError::NoToxic)?
            .map_err(ImpairError::Toxic)
    }

    /// Takes a toxic away.
    pub fn remove_toxic(&self, name: &str, toxic: &str) -> Result<(), ImpairError> {
        if self.proxy(name)?.toxics().remove(toxic) { Ok(()) } else { Err(ImpairError::NoToxic) }
    }

    /// Enables every proxy and takes every toxic away.
    pub async fn reset(&self) -> Result<(), ImpairError> {
        let proxies: Vec<Arc<Proxy>> = self.proxies().values().cloned().collect();
        for proxy in proxies {
            proxy.update(None, None, Some(true)).await?;
            proxy.toxics().clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
