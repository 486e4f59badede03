//! One question to one server, as raw as it gets.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_net::{ConnectOptions, Network};

use crate::resolve::exchange::{bind_for, receive_framed, send_framed};

/// How long an answer is waited for, and how often a datagram is sent.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: u32 = 2;

/// A question and how to put it.
#[derive(Clone, Debug)]
pub(super) struct Query {
    name: Name,
    rtype: RecordType,
    edns: bool,
    tcp: bool,
    recursive: bool,
}

impl Query {
    /// Over UDP, with EDNS, wanting signatures, and no recursion.
    pub(super) fn new(name: &Name, rtype: RecordType) -> Query {
        Query { name: name.clone(), rtype, edns: true, tcp: false, recursive: false }
    }

    pub(super) fn tcp(self) -> Query {
        Query { tcp: true, ..self }
    }

    pub(super) fn without_edns(self) -> Query {
        Query { edns: false, ..self }
    }

    pub(super) fn recursive(self) -> Query {
        Query { recursive: true, ..self }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Answer {
        packet: Box<Packet>,
        took: Duration,
        octets: usize,
    },
    /// Nothing in time.
    Silent,
    /// An error of the network, or an answer that cannot be read.
    Failed(String),
}

impl Asked {
    pub(super) fn packet(&self) -> Option<&Packet> {
        match self {
            Asked::Answer { packet, .. } => Some(packet),
            _ => None,
        }
    }

    pub(super) fn millis(&self) -> Option<u64> {
        match self {
            Asked::Answer { took, .. } => Some(took.as_millis() as u64),
            _ => None,
        }
    }

    /// In a word or two.
    pub(super) fn in_words(&self) -> String {
        match self {
            Asked::Answer { packet, .. } if packet.rcode() != 0 => {
                let code = hickory_proto::op::ResponseCode::from_low(packet.header.rcode);
                thru_names::text::rcode_text(code)
            }
            Asked::Answer { packet, .. } if !packet.header.authoritative => "not authoritative".to_owned(),
            Asked::Answer { .. } => "answers".to_owned(),
            Asked::Silent => "no answer".to_owned(),
            Asked::Failed(why) => why.clone(),
        }
    }
}

pub(super) async fn ask(network: &Network, to: SocketAddr, query: &Query) -> Asked {
    let random = network.random("audit query");
    let id = u16::from_be_bytes([random[0], random[1]]);
    let packet = Packet {
        header: Header { id, recursion_desired: query.recursive, ..Header::default() },
        questions: vec![Question::new(query.name.clone(), query.rtype)],
        opt: query.edns.then(|| Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    let Some(bytes) = packet.write(512) else { return Asked::Failed("the name is too long".to_owned()) };
    let began = network.now();
    let heard = match query.tcp {
        true => network.timeout(PATIENCE, over_tcp(network, to, &bytes, id)).await,
        false => {
            let mut heard = None;
            for _ in 0..TRIES {
                heard = network.timeout(PATIENCE, over_udp(network, to, &bytes, id)).await;
                if heard.is_some() {
                    break;
                }
            }
            heard
        }
    };
    match heard {
        None => Asked::Silent,
        Some(Err(why)) => Asked::Failed(why),
        Some(Ok(bytes)) => match Packet::read(&bytes) {
            Ok(packet) => Asked::Answer {
                packet: Box::new(packet),
                took: network.now().since(began),
                octets: bytes.len(),
            },
            Err(why) => Asked::Failed(format!("an answer that cannot be read: {why}")),
        },
    }
}

fn fits(bytes: &[u8], id: u16) -> bool {
    bytes.len() >= 12 && bytes[..2] == id.to_be_bytes() && bytes[2] & 0x80 != 0
}

async fn over_udp(network: &Network, to: SocketAddr, bytes: &[u8], id: u16) -> Result<Vec<u8>, String> {
    let socket = bind_for(network, to).await.map_err(|error| format!("cannot open a socket: {error}"))?;
    socket.send_to(bytes, to).await.map_err(|error| error.to_string())?;
    loop {
        let received = socket.receive().await.map_err(|error| error.to_string())?;
        if received.from.ip() == to.ip() && received.from.port() == to.port() && fits(&received.payload, id) {
            return Ok(received.payload.to_vec());
        }
    }
}

async fn over_tcp(network: &Network, to: SocketAddr, bytes: &[u8], id: u16) -> Result<Vec<u8>, String> {
    let options = ConnectOptions { limit: Some(PATIENCE), nodelay: true, ..ConnectOptions::default() };
    let mut stream = network.connect_tcp(to, options).await.map_err(|error| error.to_string())?;
    send_framed(&mut stream, bytes).await.map_err(|error| error.to_string())?;
    loop {
        match receive_framed(&mut stream).await.map_err(|error| error.to_string())? {
            Some(bytes) if fits(&bytes, id) => return Ok(bytes),
            Some(_) => {}
            None => return Err("the connection was closed without an answer".to_owned()),
        }
    }
}
