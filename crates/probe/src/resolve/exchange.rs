//! One question to one server: a datagram and its answer, or a connection when the answer does not fit one.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RecordType};
use thru_names::message::{Peek, QueryOptions, decode, encode_query, question_matches};
use thru_net::{ConnectErrorKind, ConnectOptions, IcmpReport, Network, TcpStream, UdpEvent, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One question, as it goes out.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// Id and flags.
    pub options: QueryOptions,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An answer that fits the question, read and as it came, without TCP's length.
    Answer(Box<Message>, Box<[u8]>),
    /// Nothing in time.
    Silent,
    /// Only what nobody may take for the answer came in time: from there, if it was another place than the one asked; else
    /// with another number or to another question.
    Stray(Option<SocketAddr>),
    /// An ICMP error, or a connection refused, reset or closed.
    Unreachable {
        /// In words.
        text: String,
        /// The ICMP error, if it was one.
        icmp: Option<IcmpReport>,
    },
    /// This machine knows no way there; nothing was sent.
    NoRoute,
    /// An answer from the right place with the right id that can't be read; why.
    Malformed(String),
}

impl Question {
    /// The query in wire form.
    pub fn encode(&self) -> Vec<u8> {
        encode_query(&self.name, self.record_type, &self.options)
    }

    /// Judges a message that came from the right place: `None` if it answers something else.
    pub fn judge(&self, bytes: &[u8]) -> Option<Outcome> {
        let peek = Peek::at(bytes)?;
        if !peek.is_response || peek.id != self.options.id {
            return None;
        }
        match decode(bytes) {
            // Cut in the middle of a record: as good as the TC bit it carries.
            Err(_) if peek.truncated => {
                let mut cut = Message::response(peek.id, hickory_proto::op::OpCode::Query);
                cut.metadata.truncation = true;
                Some(Outcome::Answer(Box::new(cut), bytes.into()))
            }
            Err(why) => Some(Outcome::Malformed(format!("an answer that {why}"))),
            // An error code may come without the question.
            Ok(message) if message.queries.is_empty() && peek.rcode_low != 0 => {
                Some(Outcome::Answer(Box::new(message), bytes.into()))
            }
            Ok(message) => match question_matches(&message, &self.name, self.record_type) {
                Ok(()) | Err(true) => Some(Outcome::Answer(Box::new(message), bytes.into())),
                Err(false) => None,
            },
        }
    }
}

/// A socket of `server`'s family on a port of the system's choosing.
pub async fn bind_for(network: &Network, server: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    network.bind_udp(SocketAddr::new(any, 0)).await
}

/// Sends the question from `socket` and waits at most `patience` for its answer. An answer to the same question sent
/// before from this socket counts as well.
pub async fn over_udp(
    network: &Network,
    socket: &UdpSocket,
    server: SocketAddr,
    question: &Question,
    patience: Duration,
) -> Outcome {
    if let Err(error) = socket.send_to(&question.encode(), server).await {
        if matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) {
            return Outcome::NoRoute;
        }
        return Outcome::Unreachable { text: format!("cannot send: {error}"), icmp: None };
    }
    let mut stray = None;
    let answer = async {
        loop {
            match socket.receive_event().await {
                Ok(UdpEvent::Datagram(received)) if same_place(received.from, server) => {
                    if let Some(outcome) = question.judge(&received.payload) {
                        return outcome;
                    }
                    stray = Some(None);
                }
                // An answer of the same number from elsewhere was meant as one; anything else is somebody's noise.
                Ok(UdpEvent::Datagram(received)) => {
                    if question.judge(&received.payload).is_some() {
                        stray = Some(Some(received.from));
                    }
                }
                Ok(UdpEvent::Icmp(report)) if same_place(report.quoted_destination, server) => {
                    let text = format!("{} said: {}", report.from, crate::connect::icmp_words(report.kind));
                    return Outcome::Unreachable { text, icmp: Some(report) };
                }
                Ok(UdpEvent::Icmp(_)) => {}
                Err(error) => return Outcome::Unreachable { text: error.to_string(), icmp: None },
            }
        }
    };
    let answer = network.timeout(patience, answer).await;
    answer.unwrap_or_else(|| stray.map_or(Outcome::Silent, Outcome::Stray))
}

/// Puts the question over a connection of its own (RFC 7766), in at most `patience` altogether.
pub async fn over_tcp(
    network: &Network,
    server: SocketAddr,
    question: &Question,
    patience: Duration,
) -> Outcome {
    let unreachable = |text: String| Outcome::Unreachable { text, icmp: None };
    let exchange = async {
        let mut stream = match connect(network, server, patience).await {
            Ok(stream) => stream,
            Err(outcome) => return outcome,
        };
        if let Err(error) = send_framed(&mut stream, &question.encode()).await {
            return unreachable(format!("the connection failed: {error}"));
        }
        loop {
            match receive_framed(&mut stream).await {
                Ok(Some(bytes)) => {
                    if let Some(outcome) = question.judge(&bytes) {
                        return outcome;
                    }
                }
                Ok(None) => return unreachable("the connection was closed without an answer".into()),
                Err(error) => return unreachable(format!("the connection failed: {error}")),
            }
        }
    };
    network.timeout(patience, exchange).await.unwrap_or(Outcome::Silent)
}

async fn connect(network: &Network, server: SocketAddr, limit: Duration) -> Result<TcpStream, Outcome> {
    let options = ConnectOptions { limit: Some(limit), nodelay: true, ..ConnectOptions::default() };
    network.connect_tcp(server, options).await.map_err(|error| {
        let text = error.to_string();
        match error.kind {
            ConnectErrorKind::TimedOut { icmp: None } => Outcome::Silent,
            ConnectErrorKind::TimedOut { icmp } | ConnectErrorKind::Unreachable { icmp, .. } => {
                Outcome::Unreachable { text, icmp }
            }
            ConnectErrorKind::NoRoute => Outcome::NoRoute,
            _ => Outcome::Unreachable { text, icmp: None },
        }
    })
}

/// Writes one message with its length before it (RFC 1035 section 4.2.2), in one write.
pub async fn send_framed(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length =
        u16::try_from(message.len()).map_err(|_| std::io::Error::other("a message above 65535 bytes"))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Reads one message; `None` when the stream ended before one began.
pub async fn receive_framed(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Same address and port: flow labels and scopes, which only some systems fill in, do not count.
fn same_place(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}
