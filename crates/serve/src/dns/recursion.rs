//! A recursive server: the machine of [`thru_names::service`] with its sockets.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use thru_names::resolver::{Input, ResolverConfig};
use thru_names::service::access::{Access, Action};
use thru_names::service::local::LocalZones;
use thru_names::service::{Out, Service, ServiceConfig};
use thru_net::Network;
use thru_probe::resolve::exchanges::Exchanges;
use thru_wire::Instant;
use tokio::sync::mpsc;

use super::{DnsHandle, Listening, server};

/// Client queries that may wait for the resolver to take them.
const QUEUE_MAX: usize = 1024;

/// A service over this resolver for these clients, given as prefixes (address and length in bits); others are refused.
/// Empty: everybody may ask. It holds no zones but `localhost`, and asks only when it is asked: without prefetching.
pub fn service_for(resolver: ResolverConfig, allow: &[(IpAddr, u8)]) -> ServiceConfig {
    let mut access = Access::default();
    if !allow.is_empty() {
        access.otherwise = Action::Refuse;
        allow.iter().for_each(|(prefix, length)| access.add(*prefix, *length, Action::Allow));
    }
    ServiceConfig {
        access,
        local: LocalZones::with_localhost(),
        prefetch: false,
        ..ServiceConfig::new(resolver)
    }
}

/// Resolves for clients on `local` over UDP and TCP until dropped. Returns only when it can't be bound or its socket
/// fails. Of address families that the network does not have none is used.
pub async fn recursive(
    network: Network,
    local: SocketAddr,
    config: ServiceConfig,
    handle: DnsHandle,
) -> io::Result<()> {
    let listening = server::bind(&network, local).await?;
    serve_recursive(network, listening, config, handle).await
}

/// Like [`recursive`], on sockets bound before.
pub async fn serve_recursive(
    network: Network,
    listening: Listening,
    config: ServiceConfig,
    handle: DnsHandle,
) -> io::Result<()> {
    let (queue, jobs) = mpsc::channel::<Job>(QUEUE_MAX);
    let service = server::Service {
        network: network.clone(),
        handle: handle.clone(),
        zones: None,
        answer: Arc::new(move |query: Vec<u8>, over_udp: bool, from: IpAddr, reply: server::Reply| {
            // When too many wait, this one gets nothing: it asks again.
            let _ = queue.try_send(Job { query, over_udp, from, reply });
        }),
    };
    let resolving = resolve(network, config, jobs, handle);
    tokio::select! {
        biased;
        result = server::run(listening, service) => result,
        () = resolving => Ok(()),
    }
}

/// A client's query on its way to the machine.
struct Job {
    query: Vec<u8>,
    over_udp: bool,
    from: IpAddr,
    reply: server::Reply,
}

async fn resolve(
    network: Network,
    mut config: ServiceConfig,
    mut jobs: mpsc::Receiver<Job>,
    handle: DnsHandle,
) {
    let families = (network.has_family(false), network.has_family(true));
    let resolver = &mut config.resolver;
    if families != (false, false) {
        resolver.v4 &= families.0;
        resolver.v6 &= families.1;
    }
    // Signatures are held against the network's date.
    resolver.epoch = network.unix_time().saturating_sub(network.now().since(Instant::START)).as_secs();
    config.tell_answers = true;
    let mut service = Service::new(config, network.random("dns resolver"));
    let (mut exchanges, mut arrivals) = Exchanges::new(&network);
    let mut waiting: BTreeMap<u64, server::Reply> = BTreeMap::new();
    let mut last = 0;
    loop {
        let deadline = service.next_deadline();
        tokio::select! {
            biased;
            job = jobs.recv() => {
                let Some(Job { query, over_udp, from, reply }) = job else { return };
                if handle.take_flush() {
                    service.flush();
                }
                last += 1;
                waiting.insert(last, reply);
                service.query(network.now(), last, from, !over_udp, &query);
            }
            arrival = arrivals.recv() => {
                let arrival = arrival.expect("the exchanges hold a sender");
                service.handle(arrival.at, arrival.input());
            }
            () = network.sleep_until(deadline), if !deadline.is_never() => {
                service.handle(network.now(), Input::Timeout);
            }
        }
        while let Some(out) = service.poll() {
            match out {
                Out::Send { exchange, to, over_tcp, message } => {
                    exchanges.begin(exchange, to, over_tcp, message);
                }
                Out::Finished(exchange) => exchanges.end(exchange),
                Out::Answered(answer) => handle.note(&answer),
                Out::Reply { token, message } => {
                    if let Some(reply) = waiting.remove(&token) {
                        reply.send(message);
                    }
                }
            }
        }
    }
}
