//! The pure half of a recursive server: reads a client's query, writes the resolver's answer.

use hickory_proto::rr::{Name, RecordType};

use crate::message::{Peek, bare_error};
use crate::resolver::Answer;
use crate::service::local::LocalAnswer;
use crate::service::reply::{self, Read, Reply, Style};
use crate::text::parse_name;
use crate::wire::{CLASS_IN, RawRecord};

/// A client's query that can be resolved.
#[derive(Clone, Debug)]
pub struct ClientQuery {
    name: Name,
    record_type: RecordType,
    reply: Reply,
}

/// What to do with bytes from a client.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Resolve it, then answer with [`ClientQuery::reply`].
    Resolve(Box<ClientQuery>),
    /// Answer at once with these bytes.
    Reply(Vec<u8>),
    /// Not a query: nothing to say.
    Ignore,
}

/// Reads what a client sent.
pub fn read(bytes: &[u8], over_udp: bool) -> Incoming {
    let (packet, reply) = match reply::read(bytes, !over_udp, &Style::default()) {
        Read::Query(packet, reply) => (packet, reply),
        Read::Reply(bytes) => return Incoming::Reply(bytes),
        Read::Ignore => return Incoming::Ignore,
    };
    let question = &packet.questions[0];
    // Without RD we would have to answer from the cache alone; resolvers commonly refuse instead, for it lets
    // strangers see what others asked for.
    let transfer = matches!(question.rtype, RecordType::AXFR | RecordType::IXFR);
    if !packet.header.recursion_desired || transfer || question.class != CLASS_IN {
        return Incoming::Reply(reply.refused(20, "recursion was not asked for"));
    }
    let query = ClientQuery { name: question.name.clone(), record_type: question.rtype, reply };
    match query.local() {
        Some(bytes) => Incoming::Reply(bytes),
        None => Incoming::Resolve(Box::new(query)),
    }
}

/// The answer to a query whose sender may not ask here; `None` for what is no query.
pub fn prohibited(bytes: &[u8], over_udp: bool) -> Option<Vec<u8>> {
    match reply::read(bytes, !over_udp, &Style::default()) {
        Read::Query(_, reply) => Some(reply.prohibited()),
        Read::Reply(_) => {
            Peek::at(bytes).map(|peek| bare_error(peek, hickory_proto::op::ResponseCode::Refused))
        }
        Read::Ignore => None,
    }
}

impl ClientQuery {
    /// The name asked for, in the client's spelling.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The type asked for.
    pub fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// CD: the client validates by itself (RFC 4035 section 3.2.2).
    pub fn checking_disabled(&self) -> bool {
        self.reply.checking_disabled()
    }

    /// SERVFAIL with the extended error that explains it.
    pub fn failed(&self, code: u16, text: &str) -> Vec<u8> {
        self.reply.failed(code, text)
    }

    /// The resolver's answer in wire form: signatures if the client wants them (DO), AD if it is proven.
    pub fn reply(&self, answer: &Answer) -> Vec<u8> {
        self.reply.answer(answer)
    }

    /// `localhost` and what lies below it never leave a resolver (RFC 6761 section 6.3).
    fn local(&self) -> Option<Vec<u8>> {
        let localhost = parse_name("localhost").expect("a legal name");
        if !localhost.zone_of(&self.name) {
            return None;
        }
        let data: Vec<u8> = match self.record_type {
            RecordType::A => vec![127, 0, 0, 1],
            RecordType::AAAA => std::net::Ipv6Addr::LOCALHOST.octets().to_vec(),
            _ => Vec::new(),
        };
        let record = RawRecord {
            name: self.name.clone(),
            rtype: self.record_type,
            class: CLASS_IN,
            ttl: 3600,
            data: data.into(),
        };
        let answer = if record.data.is_empty() { Vec::new() } else { vec![record] };
        Some(self.reply.local(&LocalAnswer { answer, ..LocalAnswer::default() }))
    }
}

#[cfg(test)]
mod tests;
