//! The pure half of a recursive server: reads a client's query, writes the resolver's answer.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};

use crate::message::{self, Peek};
use crate::resolver::Answer;
use crate::responder::begin_response;
use crate::text::parse_name;

/// A client's query that can be resolved.
#[derive(Clone, Debug)]
pub struct ClientQuery {
    message: Message,
    over_udp: bool,
}

/// What to do with bytes from a client.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Resolve it, then answer with [`ClientQuery::reply`].
    Resolve(ClientQuery),
    /// Answer at once with these bytes.
    Reply(Vec<u8>),
    /// Not a query: nothing to say.
    Ignore,
}

/// Reads what a client sent.
pub fn read(bytes: &[u8], over_udp: bool) -> Incoming {
    let Some(peek) = Peek::at(bytes).filter(|peek| !peek.is_response) else {
        return Incoming::Ignore;
    };
    if peek.opcode != 0 {
        return Incoming::Reply(message::bare_error(peek, ResponseCode::NotImp));
    }
    let message = match message::decode(bytes) {
        Ok(message) if message.queries.len() == 1 => message,
        _ => return Incoming::Reply(message::bare_error(peek, ResponseCode::FormErr)),
    };
    let query = ClientQuery { message, over_udp };
    if query.message.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Incoming::Reply(query.refuse(ResponseCode::BADVERS, None));
    }
    // Without RD we would have to answer from the cache alone; resolvers commonly refuse instead, for it lets
    // strangers see what others asked for.
    let transfer = matches!(query.record_type(), RecordType::AXFR | RecordType::IXFR);
    let class = query.message.queries[0].query_class();
    if !query.message.metadata.recursion_desired || transfer || class != DNSClass::IN {
        return Incoming::Reply(
            query.refuse(ResponseCode::Refused, Some((20, "recursion was not asked for"))),
        );
    }
    match query.local() {
        Some(bytes) => Incoming::Reply(bytes),
        None => Incoming::Resolve(query),
    }
}

impl ClientQuery {
    /// The name asked for, in the client's spelling.
    pub fn name(&self) -> &Name {
        self.message.queries[0].name()
    }

    /// The type asked for.
    pub fn record_type(&self) -> RecordType {
        self.message.queries[0].query_type()
    }

    /// An answer without records: `code`, and the extended error that explains it.
    pub fn refuse(&self, code: ResponseCode, extended: Option<(u16, &str)>) -> Vec<u8> {
        let mut response = self.begin();
        response.metadata.response_code = code;
        if let Some((code, text)) = extended {
            message::add_extended_error(&mut response, code, text);
        }
        self.encode(response)
    }

    /// The resolver's answer in wire form.
    pub fn reply(&self, answer: &Answer) -> Vec<u8> {
        let mut response = self.begin();
        response.metadata.response_code = answer.code;
        response.answers.extend(answer.records.iter().map(|record| self.respelled(record)));
        response.authorities.extend(answer.soa.clone());
        if let Some((code, text)) = &answer.extended_error {
            message::add_extended_error(&mut response, *code, text);
        }
        self.encode(response)
    }

    fn begin(&self) -> Message {
        let mut response = begin_response(&self.message);
        response.metadata.recursion_available = true;
        response.metadata.checking_disabled = self.message.metadata.checking_disabled;
        response
    }

    fn encode(&self, response: Message) -> Vec<u8> {
        message::encode_within(response, message::response_limit(&self.message, self.over_udp), false)
    }

    /// Equal questions share an answer; each client gets its own letter case back (RFC 5452's advice relies on it).
    fn respelled(&self, record: &Record) -> Record {
        let mut record = record.clone();
        if record.name == *self.name() {
            record.name = self.name().clone();
        }
        record
    }

    /// `localhost` and what lies below it never leave a resolver (RFC 6761 section 6.3).
    fn local(&self) -> Option<Vec<u8>> {
        let localhost = parse_name("localhost").expect("a legal name");
        if !localhost.zone_of(self.name()) {
            return None;
        }
        let mut response = self.begin();
        let data = match self.record_type() {
            RecordType::A => Some("127.0.0.1"),
            RecordType::AAAA => Some("::1"),
            _ => None,
        };
        let data =
            data.and_then(|text| hickory_proto::rr::RData::try_from_str(self.record_type(), text).ok());
        response.answers.extend(data.map(|data| Record::from_rdata(self.name().clone(), 3600, data)));
        Some(self.encode(response))
    }
}

#[cfg(test)]
mod tests;
