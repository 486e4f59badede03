//! A DNS message as RFC 8427 writes it in JSON.

use serde_json::{Map, Value, json};
use thru_names::text::{name_text, record_line, type_text};
use thru_names::wire::{Packet, RawRecord};

/// The message's object: header, question, sections (RFC 8427 sections 2.1 to 2.3).
pub(super) fn object(packet: &Packet) -> Value {
    let header = &packet.header;
    let mut object = json!({
        "ID": header.id, "QR": u8::from(header.response), "Opcode": header.opcode,
        "AA": u8::from(header.authoritative), "TC": u8::from(header.truncated),
        "RD": u8::from(header.recursion_desired), "RA": u8::from(header.recursion_available),
        "AD": u8::from(header.authentic_data), "CD": u8::from(header.checking_disabled),
        "RCODE": packet.rcode(), "QDCOUNT": packet.questions.len(), "ANCOUNT": packet.answers.len(),
        "NSCOUNT": packet.authorities.len(),
        "ARCOUNT": packet.additionals.len() + usize::from(packet.opt.is_some()),
        "answerRRs": records(&packet.answers), "authorityRRs": records(&packet.authorities),
        "additionalRRs": records(&packet.additionals),
    });
    if let (Some(question), Some(map)) = (packet.questions.first(), object.as_object_mut()) {
        map.insert("QNAME".into(), json!(name_text(&question.name)));
        map.insert("QTYPE".into(), json!(u16::from(question.rtype)));
        map.insert("QTYPEname".into(), json!(type_text(question.rtype)));
        map.insert("QCLASS".into(), json!(question.class));
    }
    object
}

fn records(list: &[RawRecord]) -> Vec<Value> {
    list.iter().map(record).collect()
}

fn record(record: &RawRecord) -> Value {
    let kind = type_text(record.rtype);
    let mut map = Map::new();
    map.insert("NAME".into(), json!(name_text(&record.name)));
    map.insert("TYPE".into(), json!(u16::from(record.rtype)));
    map.insert("TYPEname".into(), json!(kind));
    map.insert("CLASS".into(), json!(record.class));
    map.insert("TTL".into(), json!(record.ttl));
    map.insert("RDLENGTH".into(), json!(record.data.len()));
    let hex: String = record.data.iter().map(|octet| format!("{octet:02X}")).collect();
    map.insert("RDATAHEX".into(), json!(hex));
    // Section 2.3: the data in presentation form under the type's name.
    let line = record_line(record);
    if let Some((_, data)) = line.split_once(&format!(" {kind} ")) {
        map.insert(format!("rdata{kind}"), json!(data));
    }
    Value::Object(map)
}
