//! Name servers over any network: authoritative and recursive, well or badly behaved.
//!
//! - [`authoritative`]: serves a [`Responder`]'s zones. Bind it to addresses of its own, not to the wildcard: answers
//!   leave from the address that was asked.
//! - [`recursive`]: resolves for clients, from the root hints down.
//! - [`DnsHandle`]: how it behaves now, what it resolved lately; kept by whoever started the server.
//!
//! Both serve UDP and TCP (RFC 7766) on one address until the future is dropped.

mod server;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thru_names::authority::Authority;
use thru_names::recursive::{ClientQuery, Incoming, prohibited, read};
use thru_names::resolver::{Answer, ResolverConfig};
use thru_names::responder::Responder;
use thru_net::Network;
use thru_probe::resolve::iterate::Driver;
use tokio::sync::{mpsc, oneshot};

/// Resolutions remembered by a [`DnsHandle`].
const LOG_MAX: usize = 256;
/// Client queries that may wait for the resolver to take them.
const QUEUE_MAX: usize = 1024;

/// How a name server treats whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Normal,
    /// Hears everything, says nothing.
    Silent,
    /// Answers every query with SERVFAIL.
    ServFail,
    /// Answers every query with REFUSED.
    Refused,
    /// As it should, but this much later.
    Slow(Duration),
}

/// A server's ear and voice for whoever runs it. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct DnsHandle(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    behaviour: Behaviour,
    log: VecDeque<Arc<Answer>>,
    flush: bool,
    queries: u64,
}

impl DnsHandle {
    /// A handle for a server that behaves like this at first.
    pub fn new(behaviour: Behaviour) -> DnsHandle {
        DnsHandle(Arc::new(Mutex::new(State { behaviour, ..State::default() })))
    }

    /// How the server behaves now.
    pub fn behaviour(&self) -> Behaviour {
        self.lock().behaviour
    }

    /// From the next query on, it behaves like this.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// Makes a recursive server forget what it learned, before its next query.
    pub fn flush(&self) {
        self.lock().flush = true;
    }

    /// The resolutions of a recursive server that asked somebody, oldest first; at most 256.
    pub fn log(&self) -> Vec<Arc<Answer>> {
        self.lock().log.iter().cloned().collect()
    }

    /// Queries received, whatever became of them.
    pub fn queries(&self) -> u64 {
        self.lock().queries
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a query; what to do with it now.
    fn hear(&self) -> Behaviour {
        let mut state = self.lock();
        state.queries += 1;
        state.behaviour
    }

    fn note(&self, answer: &Arc<Answer>) {
        if answer.from_cache {
            return;
        }
        let mut state = self.lock();
        if state.log.len() == LOG_MAX {
            state.log.pop_front();
        }
        // Coalesced queries share one resolution: it is told once.
        if !state.log.back().is_some_and(|last| Arc::ptr_eq(last, answer)) {
            state.log.push_back(answer.clone());
        }
    }

    fn take_flush(&self) -> bool {
        std::mem::take(&mut self.lock().flush)
    }
}

/// Serves the responder's zones on `local` over UDP and TCP until dropped. Returns only when it can't be bound or its
/// socket fails.
pub async fn authoritative(
    network: Network,
    local: SocketAddr,
    responder: Responder,
    handle: DnsHandle,
) -> io::Result<()> {
    let listening = server::bind(&network, local).await?;
    serve_authoritative(network, listening, responder, handle).await
}

/// Like [`authoritative`], on sockets bound before: nobody can ask too early.
pub async fn serve_authoritative(
    network: Network,
    listening: Listening,
    responder: Responder,
    handle: DnsHandle,
) -> io::Result<()> {
    let service = server::Service {
        network,
        handle,
        answer: Arc::new(move |query: Vec<u8>, over_udp: bool, _from: IpAddr, reply: server::Reply| {
            reply.send(responder.answer(&query, over_udp));
        }),
    };
    server::run(listening, service).await
}

/// Serves an authority's zones, transfers over TCP included, on sockets bound before, until dropped.
pub async fn serve_zones(
    network: Network,
    listening: Listening,
    authority: Authority,
    handle: DnsHandle,
) -> io::Result<()> {
    let service = server::Service {
        network,
        handle,
        answer: Arc::new(move |query: Vec<u8>, over_udp: bool, _from: IpAddr, reply: server::Reply| {
            match authority.transfer(&query).filter(|_| !over_udp) {
                Some(messages) => reply.send_all(messages),
                None => reply.send(authority.answer(&query, over_udp)),
            }
        }),
    };
    server::run(listening, service).await
}

pub use server::{Listening, bind};

/// Whom a recursive server serves, and how it resolves.
#[derive(Clone, Debug)]
pub struct RecursiveConfig {
    /// Root hints, limits, patience. Families that the network does not have are left out.
    pub resolver: ResolverConfig,
    /// Clients that may ask, as prefixes: address and length in bits. Others are refused. Empty: everybody may.
    pub allow: Vec<(IpAddr, u8)>,
}

/// Resolves for clients on `local` over UDP and TCP until dropped. Returns only when it can't be bound or its socket
/// fails.
pub async fn recursive(
    network: Network,
    local: SocketAddr,
    config: RecursiveConfig,
    handle: DnsHandle,
) -> io::Result<()> {
    let listening = server::bind(&network, local).await?;
    serve_recursive(network, listening, config, handle).await
}

/// Like [`recursive`], on sockets bound before.
pub async fn serve_recursive(
    network: Network,
    listening: Listening,
    config: RecursiveConfig,
    handle: DnsHandle,
) -> io::Result<()> {
    let (queue, jobs) = mpsc::channel::<Job>(QUEUE_MAX);
    let allow = config.allow;
    let service = server::Service {
        network: network.clone(),
        handle: handle.clone(),
        answer: Arc::new(move |query: Vec<u8>, over_udp: bool, from: IpAddr, reply: server::Reply| {
            if !allowed(&allow, from) {
                return reply.send(prohibited(&query, over_udp));
            }
            match read(&query, over_udp) {
                Incoming::Ignore => reply.send(None),
                Incoming::Reply(bytes) => reply.send(Some(bytes)),
                Incoming::Resolve(query) => {
                    if let Err(error) = queue.try_send(Job { query, reply }) {
                        let (mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) =
                            error;
                        let busy = job.query.failed(14, "too many queries");
                        job.reply.send(Some(busy));
                    }
                }
            }
        }),
    };
    let resolving = resolve_jobs(network, config.resolver, jobs, handle);
    tokio::select! {
        biased;
        result = server::run(listening, service) => result,
        () = resolving => Ok(()),
    }
}

/// A client's query on its way to the resolver.
struct Job {
    query: Box<ClientQuery>,
    reply: server::Reply,
}

async fn resolve_jobs(
    network: Network,
    mut config: ResolverConfig,
    mut jobs: mpsc::Receiver<Job>,
    handle: DnsHandle,
) {
    let families = (network.has_family(false), network.has_family(true));
    if families != (false, false) {
        config.v4 &= families.0;
        config.v6 &= families.1;
    }
    let mut driver = Driver::new(&network, config);
    let mut waiting: BTreeMap<u64, Job> = BTreeMap::new();
    let mut token = 0;
    loop {
        tokio::select! {
            biased;
            job = jobs.recv() => {
                let Some(job) = job else { return };
                if handle.take_flush() {
                    driver.flush();
                }
                token += 1;
                let query = &job.query;
                driver.query(token, query.name(), query.record_type(), query.checking_disabled());
                waiting.insert(token, job);
            }
            (token, answer) = driver.wait() => {
                handle.note(&answer);
                if let Some(job) = waiting.remove(&token) {
                    job.reply.send(Some(job.query.reply(&answer)));
                }
            }
        }
    }
}

/// Whether one of the prefixes holds the address.
fn allowed(prefixes: &[(IpAddr, u8)], address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let (value, width) = bits(address.to_canonical());
    prefixes.is_empty()
        || prefixes.iter().any(|(prefix, length)| {
            let (start, prefix_width) = bits(*prefix);
            let length = u32::from((*length).min(prefix_width));
            let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
            width == prefix_width && (value ^ start) & mask == 0
        })
}

/// For replies: one message, or none, or the several of a transfer.
type ReplySender = oneshot::Sender<Vec<Vec<u8>>>;
