//! The sockets of a name server: datagrams, and connections that carry several queries (RFC 7766).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use thru_names::message::{Peek, bare_error};
use thru_net::{Network, TcpListener, TcpStream, UdpSocket};
use thru_probe::resolve::exchange::{receive_framed, send_framed};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::faults::{Before, Fault, Zones};
use super::{Behaviour, DnsHandle, ReplySender};

/// Connections open at once; further ones wait in the listener.
const CONNECTIONS_MAX: usize = 128;
/// Queries answered at once per transport; further ones wait in the socket.
const PENDING_MAX: usize = 1024;
/// An idle connection is closed after this long (RFC 7766 section 6.2.3: a few seconds).
const IDLE: Duration = Duration::from_secs(10);

/// Sockets of one name server, bound and not served yet.
#[derive(Debug)]
pub struct Listening {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Listening {
    /// The address bound to, with the real port; the same for UDP and TCP.
    pub fn local_addr(&self) -> SocketAddr {
        self.udp.local_addr()
    }
}

/// Binds UDP and TCP to one address. With port 0 the system chooses one that is free for both.
pub async fn bind(network: &Network, local: SocketAddr) -> io::Result<Listening> {
    let mut refused = None;
    // A port free for UDP may be taken for TCP: look for another, a few times.
    for _ in 0..16 {
        let udp = network.bind_udp(local).await?;
        match network.listen_tcp(udp.local_addr(), CONNECTIONS_MAX).await {
            Ok(tcp) => return Ok(Listening { udp, tcp }),
            Err(error) if local.port() == 0 => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Where an answer goes.
pub(super) struct Reply(ReplySender);

impl Reply {
    /// Sends it; `None`: there is nothing to say.
    pub(super) fn send(self, answer: Option<Vec<u8>>) {
        self.send_all(answer.into_iter().collect());
    }

    /// Sends several messages, one after the other: for TCP.
    pub(super) fn send_all(self, messages: Vec<Vec<u8>>) {
        // A client that is gone needs none.
        let _ = self.0.send(messages);
    }
}

type AnswerFn = dyn Fn(Vec<u8>, bool, IpAddr, Reply) + Send + Sync;

/// What the server does with a query.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) network: Network,
    pub(super) handle: DnsHandle,
    /// What faults may look into.
    pub(super) zones: Option<Arc<dyn Zones + Send + Sync>>,
    pub(super) answer: Arc<AnswerFn>,
}

/// Serves both transports until one fails.
pub(super) async fn run(listening: Listening, service: Service) -> io::Result<()> {
    let Listening { udp, tcp } = listening;
    let faults = service.handle.faults();
    // Where answers leave from: another port, if that is what is wrong.
    let voice = match faults.has(Fault::OtherPort) {
        true => Some(service.network.bind_udp(SocketAddr::new(udp.local_addr().ip(), 0)).await?),
        false => None,
    };
    if faults.has(Fault::TcpClosed) {
        drop(tcp);
        return serve_udp(udp, voice, service).await;
    }
    tokio::select! {
        biased;
        result = serve_udp(udp, voice, service.clone()) => result,
        result = serve_tcp(tcp, service) => result,
    }
}

async fn serve_udp(socket: UdpSocket, voice: Option<UdpSocket>, service: Service) -> io::Result<()> {
    let socket = Arc::new(socket);
    let voice = voice.map_or_else(|| socket.clone(), Arc::new);
    let mut pending: JoinSet<()> = JoinSet::new();
    loop {
        let received = tokio::select! {
            biased;
            Some(_) = pending.join_next() => continue,
            received = socket.receive(), if pending.len() < PENDING_MAX => received?,
        };
        let (voice, service) = (voice.clone(), service.clone());
        pending.spawn(async move {
            for answer in service.answer(received.payload.to_vec(), true, received.from.ip()).await {
                // The client may be gone by now; the next query is not its business.
                let _ = voice.send_to(&answer, received.from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, service: Service) -> io::Result<()> {
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        let (stream, from) = tokio::select! {
            biased;
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(accepted) => accepted,
                // What went wrong with one connection on its way in says nothing about the next.
                Err(error) if transient(&error) => continue,
                Err(error) => return Err(error),
            },
        };
        let service = service.clone();
        connections.spawn(async move { serve_connection(stream, from, service).await });
    }
}

/// Answers a connection's queries one after the other, until it is idle for too long.
async fn serve_connection(mut stream: TcpStream, from: SocketAddr, service: Service) {
    while let Some(Ok(Some(query))) = service.network.timeout(IDLE, receive_framed(&mut stream)).await {
        for answer in service.answer(query, false, from.ip()).await {
            if send_framed(&mut stream, &answer).await.is_err() {
                return;
            }
        }
    }
}

fn transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

impl Service {
    /// The answer to one query, in the server's present mood.
    async fn answer(&self, query: Vec<u8>, over_udp: bool, from: IpAddr) -> Vec<Vec<u8>> {
        let (behaviour, number) = self.handle.hear();
        let code = match behaviour {
            Behaviour::Normal => return self.faulty(query, over_udp, from, number).await,
            Behaviour::Slow(delay) => {
                self.network.sleep(delay).await;
                return self.faulty(query, over_udp, from, number).await;
            }
            Behaviour::Silent => return Vec::new(),
            Behaviour::ServFail => ResponseCode::ServFail,
            Behaviour::Refused => ResponseCode::Refused,
        };
        let Some(peek) = Peek::at(&query).filter(|peek| !peek.is_response) else { return Vec::new() };
        vec![with_question(&query, code).unwrap_or_else(|| bare_error(peek, code))]
    }

    /// The answer, with what this server gets wrong.
    async fn faulty(&self, query: Vec<u8>, over_udp: bool, from: IpAddr, number: u64) -> Vec<Vec<u8>> {
        let faults = self.handle.faults();
        if faults.is_empty() {
            return self.resolve(query, over_udp, from).await;
        }
        match faults.before(query.clone(), over_udp, number) {
            Before::Drop => Vec::new(),
            Before::Answer(answer) => vec![answer],
            Before::Pass(passed) => {
                let answers = self.resolve(passed, over_udp, from).await;
                let zones = self.zones.as_ref().map(|zones| &**zones as &dyn Zones);
                answers.into_iter().map(|answer| faults.after(&query, answer, over_udp, zones)).collect()
            }
        }
    }

    async fn resolve(&self, query: Vec<u8>, over_udp: bool, from: IpAddr) -> Vec<Vec<u8>> {
        let (sender, answer) = oneshot::channel();
        (self.answer)(query, over_udp, from, Reply(sender));
        answer.await.unwrap_or_default()
    }
}

/// The error code with the question repeated, as real servers do.
fn with_question(query: &[u8], code: ResponseCode) -> Option<Vec<u8>> {
    let message = thru_names::message::decode(query).ok()?;
    let mut answer = hickory_proto::op::Message::response(message.metadata.id, message.metadata.op_code);
    answer.metadata.recursion_desired = message.metadata.recursion_desired;
    answer.metadata.recursion_available = message.metadata.recursion_desired;
    answer.metadata.response_code = code;
    answer.add_queries(message.queries);
    if message.edns.is_some() {
        let mut edns = hickory_proto::op::Edns::new();
        edns.set_max_payload(thru_names::message::UDP_PAYLOAD);
        answer.set_edns(edns);
    }
    answer.to_vec().ok()
}
