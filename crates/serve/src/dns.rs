//! Name servers over any network: authoritative and recursive, well or badly behaved.
//!
//! - [`authoritative`]: serves a [`Responder`]'s zones. Bind it to addresses of its own, not to the wildcard: answers
//!   leave from the address that was asked.
//! - [`recursive`]: resolves for clients, from the root hints down.
//! - [`DnsHandle`]: how it behaves now, what it resolved lately; kept by whoever started the server.
//! - [`faults`]: what it gets wrong about the protocol.
//!
//! Both serve UDP and TCP (RFC 7766) on one address until the future is dropped.

pub mod faults;
mod recursion;
mod server;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::rr::Name;
use thru_names::authority::Authority;
use thru_names::resolver::Answer;
use thru_names::responder::Responder;
use thru_names::wire::RawRecord;
use thru_net::Network;
use tokio::sync::oneshot;

use faults::{Faults, Zones};
pub use recursion::{recursive, serve_recursive, service_for};

/// Resolutions remembered by a [`DnsHandle`].
const LOG_MAX: usize = 256;

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
    faults: Arc<Faults>,
    log: VecDeque<Arc<Answer>>,
    flush: bool,
    queries: u64,
}

impl DnsHandle {
    /// A handle for a server that behaves like this at first.
    pub fn new(behaviour: Behaviour) -> DnsHandle {
        DnsHandle(Arc::new(Mutex::new(State { behaviour, ..State::default() })))
    }

    /// A handle for a server that also does this wrong, as long as it runs.
    pub fn with_faults(behaviour: Behaviour, faults: Faults) -> DnsHandle {
        let faults = Arc::new(faults);
        DnsHandle(Arc::new(Mutex::new(State { behaviour, faults, ..State::default() })))
    }

    /// What the server does wrong.
    pub fn faults(&self) -> Arc<Faults> {
        self.lock().faults.clone()
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

    /// Counts a query; what to do with it now, and which it is, from 1 on.
    fn hear(&self) -> (Behaviour, u64) {
        let mut state = self.lock();
        state.queries += 1;
        (state.behaviour, state.queries)
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
        zones: None,
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
        zones: Some(Arc::new(Held(authority.clone()))),
        answer: Arc::new(move |query: Vec<u8>, over_udp: bool, _from: IpAddr, reply: server::Reply| {
            match authority.transfer(&query).filter(|_| !over_udp) {
                Some(messages) => reply.send_all(messages),
                None => reply.send(authority.answer(&query, over_udp)),
            }
        }),
    };
    server::run(listening, service).await
}

/// An authority's zones, for the faults that look into them.
struct Held(Authority);

impl Zones for Held {
    fn has(&self, name: &Name) -> bool {
        self.0.has(name)
    }

    fn soa(&self, name: &Name) -> Option<RawRecord> {
        self.0.negative_soa(name)
    }
}

pub use server::{Listening, bind};

/// For replies: one message, or none, or the several of a transfer.
type ReplySender = oneshot::Sender<Vec<Vec<u8>>>;
