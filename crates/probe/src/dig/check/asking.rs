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
/// Option code of cookies (RFC 7873).
pub(super) const COOKIE: u16 = 10;
/// BADCOOKIE.
pub(super) const BAD_COOKIE: u16 = 23;

/// A question and how to put it.
#[derive(Clone, Debug)]
pub(super) struct Query {
    name: Name,
    rtype: RecordType,
    edns: bool,
    tcp: bool,
    recursive: bool,
    cookie: Option<Vec<u8>>,
}

impl Query {
    /// Over UDP, with EDNS, wanting signatures, and no recursion.
    pub(super) fn new(name: &Name, rtype: RecordType) -> Query {
        Query { name: name.clone(), rtype, edns: true, tcp: false, recursive: false, cookie: None }
    }

    pub(super) fn tcp(self) -> Query {
        Query { tcp: true, ..self }
    }

    /// With this cookie (RFC 7873).
    pub(super) fn cookie(self, cookie: Vec<u8>) -> Query {
        Query { cookie: Some(cookie), ..self }
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
    /// Nothing in time but answers that no asker may take; what is wrong with them.
    Strange(Strange),
    /// An answer that cannot be read; why.
    Malformed(String),
    /// An error of the network.
    Failed(String),
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strange {
    Place,
    Id,
    Question,
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
                // With EDNS it has twelve bits (RFC 6891 6.1.3), of which the header holds four.
                let [high, low] = [packet.rcode() >> 4, packet.rcode() & 0xf].map(|bits| bits as u8);
                let code = hickory_proto::op::ResponseCode::from(high, low);
                thru_names::text::rcode_text(code)
            }
            Asked::Answer { packet, .. } if packet.header.truncated => "truncated".to_owned(),
            Asked::Answer { packet, .. } if !packet.header.authoritative => "not authoritative".to_owned(),
            Asked::Answer { .. } => "answers".to_owned(),
            Asked::Silent => "no answer".to_owned(),
            Asked::Strange(Strange::Place) => "answers from another address or port".to_owned(),
            Asked::Strange(Strange::Id) => "answers with another id".to_owned(),
            Asked::Strange(Strange::Question) => "answers to another question".to_owned(),
            Asked::Malformed(why) => format!("an answer that cannot be read ({why})"),
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
        opt: query.edns.then(|| Opt {
            payload: 1232,
            dnssec_ok: true,
            options: query.cookie.iter().map(|cookie| (COOKIE, cookie.clone())).collect(),
            ..Opt::default()
        }),
        ..Packet::default()
    };
    let Some(bytes) = packet.write(512) else { return Asked::Failed("the name is too long".to_owned()) };
    let began = network.now();
    let mut strange = None;
    let heard = match query.tcp {
        true => network.timeout(PATIENCE, over_tcp(network, to, &bytes, id)).await,
        false => {
            let mut heard = None;
            for _ in 0..TRIES {
                heard = network.timeout(PATIENCE, over_udp(network, to, &bytes, &packet, &mut strange)).await;
                if heard.is_some() {
                    break;
                }
            }
            heard
        }
    };
    match heard {
        None => strange.map_or(Asked::Silent, Asked::Strange),
        Some(Err(why)) => Asked::Failed(why),
        Some(Ok(bytes)) => match Packet::read(&bytes) {
            Ok(packet) => Asked::Answer {
                packet: Box::new(packet),
                took: network.now().since(began),
                octets: bytes.len(),
            },
            Err(why) => Asked::Malformed(why.to_string()),
        },
    }
}

fn fits(bytes: &[u8], id: u16) -> bool {
    bytes.len() >= 12 && bytes[..2] == id.to_be_bytes() && bytes[2] & 0x80 != 0
}

async fn over_udp(
    network: &Network,
    to: SocketAddr,
    bytes: &[u8],
    query: &Packet,
    strange: &mut Option<Strange>,
) -> Result<Vec<u8>, String> {
    let socket = bind_for(network, to).await.map_err(|error| format!("cannot open a socket: {error}"))?;
    socket.send_to(bytes, to).await.map_err(|error| error.to_string())?;
    loop {
        let received = socket.receive().await.map_err(|error| error.to_string())?;
        let payload = &received.payload;
        let here = received.from.ip() == to.ip() && received.from.port() == to.port();
        if !here {
            // Only what could have been meant for us.
            if fits(payload, query.header.id) {
                *strange = Some(Strange::Place);
            }
        } else if !fits(payload, query.header.id) {
            *strange = Some(Strange::Id);
        } else if Packet::read(payload)
            .is_ok_and(|heard| heard.question().is_some_and(|question| Some(question) != query.question()))
        {
            *strange = Some(Strange::Question);
        } else {
            return Ok(payload.to_vec());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_twelve_bits_is_told_as_such() {
        let said = |rcode: u16| {
            let mut packet = Packet { opt: Some(Opt::default()), ..Packet::default() };
            packet.set_rcode(rcode);
            Asked::Answer { packet: Box::new(packet), took: Duration::ZERO, octets: 0 }.in_words()
        };
        assert_eq!([2, 5, 16, 23].map(said), ["SERVFAIL", "REFUSED", "BADVERS", "BADCOOKIE"]);
    }
}
