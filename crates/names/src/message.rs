//! What asking and answering share about messages: checked decoding, sizes, extended errors.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;

use crate::wire::{Packet, RawRecord, name_to_wire};

/// Largest UDP payload we announce and send, in bytes: what fits every IPv6 path unfragmented (DNS flag day 2020).
pub const UDP_PAYLOAD: u16 = 1232;
/// Largest UDP payload for a peer without EDNS, in bytes (RFC 1035 section 2.3.4).
pub const UDP_PAYLOAD_PLAIN: u16 = 512;
/// Bytes of a DNS header (RFC 1035 section 4.1.1).
pub const HEADER_LEN: usize = 12;
/// The EDNS option code of the server's identity (RFC 5001).
const NSID: u16 = 3;
/// The EDNS option code of extended errors (RFC 8914 section 2).
const EDE_OPTION: u16 = 15;

/// The fixed fields of a message, readable even when the rest of it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Message id.
    pub id: u16,
    /// QR: whether it calls itself a response.
    pub is_response: bool,
    /// OPCODE, 0..=15.
    pub opcode: u8,
    /// TC: whether it calls itself cut short.
    pub truncated: bool,
    /// RD.
    pub recursion_desired: bool,
    /// The low four bits of the response code.
    pub rcode_low: u8,
    /// Number of questions claimed.
    pub questions: u16,
}

impl Peek {
    /// Reads the header; `None` when there are fewer than 12 bytes.
    pub fn at(bytes: &[u8]) -> Option<Peek> {
        let header = bytes.get(..HEADER_LEN)?;
        Some(Peek {
            id: u16::from_be_bytes([header[0], header[1]]),
            is_response: header[2] & 0x80 != 0,
            opcode: (header[2] >> 3) & 0x0f,
            truncated: header[2] & 0x02 != 0,
            recursion_desired: header[2] & 0x01 != 0,
            rcode_low: header[3] & 0x0f,
            questions: u16::from_be_bytes([header[4], header[5]]),
        })
    }
}

/// Decodes a message that holds at most one question, as every message of a plain exchange does.
///
/// The error is a phrase that completes "a message that ...".
pub fn decode(bytes: &[u8]) -> Result<Message, String> {
    let peek = Peek::at(bytes).ok_or_else(|| format!("is {} bytes long, less than a header", bytes.len()))?;
    // Checked first: the codec reserves room for as many questions as the header claims.
    if peek.questions > 1 {
        return Err(format!("claims {} questions", peek.questions));
    }
    Message::from_vec(bytes).map_err(|error| format!("cannot be read: {error}"))
}

/// A query in wire form.
#[derive(Clone, Debug)]
pub struct QueryOptions {
    /// Message id.
    pub id: u16,
    /// RD: ask the server to resolve for us.
    pub recursion_desired: bool,
    /// CD: ask for data even if it fails validation (RFC 4035 section 3.2.2).
    pub checking_disabled: bool,
    /// Announce EDNS with [`UDP_PAYLOAD`].
    pub edns: bool,
    /// DO, with EDNS: ask for signatures (RFC 3225).
    pub dnssec_ok: bool,
    /// With EDNS: ask the server which of several it is (RFC 5001).
    pub nsid: bool,
    /// Ask in class CHAOS, in which servers tell about themselves (RFC 4892).
    pub chaos: bool,
}

/// Writes a query for `name` (its case is kept) and `record_type`.
pub fn encode_query(name: &Name, record_type: RecordType, options: &QueryOptions) -> Vec<u8> {
    let mut message = Message::new(options.id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = options.recursion_desired;
    message.metadata.checking_disabled = options.checking_disabled;
    let mut query = Query::query(name.clone(), record_type);
    if options.chaos {
        query.set_query_class(DNSClass::CH);
    }
    message.add_query(query);
    if options.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        edns.set_dnssec_ok(options.dnssec_ok);
        if options.nsid {
            edns.options_mut().insert(EdnsOption::Unknown(NSID, Vec::new()));
        }
        message.set_edns(edns);
    }
    message.to_vec().expect("a query with one legal name fits any buffer")
}

/// Writes a response that fits in `limit` bytes, dropping what the client can do without before setting TC.
///
/// The additional section goes first unless `additionals_needed` (glue of a referral, RFC 9471 section 2);
/// then everything but the question and the OPT record, with TC set, so no client takes half a set for a whole one
/// (RFC 2181 section 9).
pub fn encode_within(mut message: Message, limit: usize, additionals_needed: bool) -> Vec<u8> {
    if let Some(bytes) = fits(&message, limit) {
        return bytes;
    }
    if !additionals_needed && !message.additionals.is_empty() {
        message.additionals.clear();
        if let Some(bytes) = fits(&message, limit) {
            return bytes;
        }
    }
    message.answers.clear();
    message.authorities.clear();
    message.additionals.clear();
    message.metadata.truncation = true;
    fits(&message, limit).unwrap_or_else(|| header_only(&message))
}

/// The payload a response to `query` may have, in bytes.
pub fn response_limit(query: &Message, over_udp: bool) -> usize {
    if !over_udp {
        return usize::from(u16::MAX);
    }
    let announced = query.edns.as_ref().map_or(UDP_PAYLOAD_PLAIN, Edns::max_payload);
    usize::from(announced.clamp(UDP_PAYLOAD_PLAIN, UDP_PAYLOAD))
}

/// The 12 bytes that say "I could not read this" (or another low code) to the sender of `query`.
pub fn bare_error(query: Peek, code: ResponseCode) -> Vec<u8> {
    let [high, low] = query.id.to_be_bytes();
    let flags = 0x80 | (query.opcode << 3) | u8::from(query.recursion_desired);
    vec![high, low, flags, code.low(), 0, 0, 0, 0, 0, 0, 0, 0]
}

/// Adds an extended error (RFC 8914) to a response that has EDNS; without EDNS there is nowhere to put it.
pub fn add_extended_error(message: &mut Message, code: u16, text: &str) {
    if let Some(edns) = &mut message.edns {
        // The whole option must stay small beside the answer; the text is for people.
        let text = text.char_indices().take_while(|(at, _)| *at < 200).map(|(_, c)| c).collect::<String>();
        let mut data = code.to_be_bytes().to_vec();
        data.extend_from_slice(text.as_bytes());
        edns.options_mut().insert(EdnsOption::Unknown(EDE_OPTION, data));
    }
}

/// The first extended error of a response: its info code (RFC 8914 section 4) and its text, hostile bytes escaped.
pub fn extended_error(message: &Message) -> Option<(u16, String)> {
    match message.edns.as_ref()?.option(EdnsCode::Unknown(EDE_OPTION))? {
        EdnsOption::Unknown(_, data) if data.len() >= 2 => {
            let text = String::from_utf8_lossy(&data[2..]);
            let text =
                text.trim_end_matches('\0').chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            Some((u16::from_be_bytes([data[0], data[1]]), text))
        }
        _ => None,
    }
}

/// The first extended error of a packet, like [`extended_error`].
pub fn extended_error_of(packet: &Packet) -> Option<(u16, String)> {
    match packet.opt.as_ref()?.option(EDE_OPTION)? {
        [high, low, text @ ..] => {
            let text = String::from_utf8_lossy(text);
            let text =
                text.trim_end_matches('\0').chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            Some((u16::from_be_bytes([*high, *low]), text))
        }
        _ => None,
    }
}

/// The record as the codec knows it; `None` when it can't read the data.
pub fn record_of(record: &RawRecord) -> Option<Record> {
    let mut bytes = name_to_wire(&record.name);
    bytes.extend_from_slice(&u16::from(record.rtype).to_be_bytes());
    bytes.extend_from_slice(&record.class.to_be_bytes());
    bytes.extend_from_slice(&record.ttl.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(record.data.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&record.data);
    Record::from_bytes(&bytes).ok()
}

/// The record with its data in wire form; `None` when the codec can't write it.
pub fn raw_of(record: &Record) -> Option<RawRecord> {
    let mut message = Message::query();
    message.answers.push(record.clone());
    Packet::read(&message.to_vec().ok()?).ok()?.answers.pop()
}

/// Whether `answer` answers exactly this question; `Err(true)` when only the letter case differs.
pub fn question_matches(answer: &Message, name: &Name, record_type: RecordType) -> Result<(), bool> {
    match answer.queries.first() {
        Some(query) if query.query_type() == record_type && query.name() == name => {
            if query.name().eq_case(name) { Ok(()) } else { Err(true) }
        }
        _ => Err(false),
    }
}

/// How long a negative answer with this SOA may be kept, in seconds (RFC 2308 section 5); `None` without a SOA.
pub fn negative_ttl(message: &Message) -> Option<u32> {
    message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
        _ => None,
    })
}

/// The records of a recursive server's answer that answer the question: aliases in order, then what stands at their
/// end (nothing for a negative answer). Records that belong to neither are left out.
pub fn answer_records(message: &Message, name: &Name, record_type: RecordType) -> (Vec<Record>, Vec<Record>) {
    let mut aliases: Vec<Record> = Vec::new();
    let mut current = name.clone();
    loop {
        let here = || message.answers.iter().filter(|record| record.name == current);
        let wanted = |record: &&Record| record.record_type() == record_type || record_type == RecordType::ANY;
        let found: Vec<Record> = here().filter(wanted).cloned().collect();
        if !found.is_empty() {
            return (aliases, found);
        }
        let alias = here().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((record.clone(), target.0.clone())),
            _ => None,
        });
        match alias {
            Some((record, target)) if !aliases.iter().any(|alias| alias.name == target) => {
                aliases.push(record);
                current = target;
            }
            _ => return (aliases, Vec::new()),
        }
    }
}

fn fits(message: &Message, limit: usize) -> Option<Vec<u8>> {
    // The codec refuses what does not fit in 64 KiB.
    let bytes = message.to_vec().ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

fn header_only(message: &Message) -> Vec<u8> {
    let mut bare = Message::new(message.metadata.id, message.metadata.message_type, message.metadata.op_code);
    bare.metadata = message.metadata;
    bare.metadata.truncation = true;
    bare.to_vec().expect("a header fits any buffer")
}

#[cfg(test)]
mod tests;
