//! A packet to octets.

use hickory_proto::rr::{Name, RecordType};

use super::{Packet, RawRecord};
use crate::rdata::{Field, compressible, layout};

/// Offsets beyond this do not fit a compression pointer.
const POINTER_MAX: usize = 0x3fff;
/// Names remembered for compression in one message; the rest is spelled out.
const REMEMBERED_MAX: usize = 256;

/// The name's octets, uncompressed, in its own letter case.
pub fn name_to_wire(name: &Name) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        out.push(label.len() as u8);
        out.extend_from_slice(label);
    }
    out.push(0);
    out
}

struct Writer {
    bytes: Vec<u8>,
    /// Where names begin that later ones may point to.
    known: Vec<usize>,
}

pub(super) fn write_packet(packet: &Packet, limit: usize) -> Option<Vec<u8>> {
    let header = &packet.header;
    let flags = u16::from(header.response) << 15
        | u16::from(header.opcode & 0xf) << 11
        | u16::from(header.authoritative) << 10
        | u16::from(header.truncated) << 9
        | u16::from(header.recursion_desired) << 8
        | u16::from(header.recursion_available) << 7
        | u16::from(header.authentic_data) << 5
        | u16::from(header.checking_disabled) << 4
        | u16::from(header.rcode & 0xf);
    let mut writer = Writer { bytes: Vec::with_capacity(512), known: Vec::new() };
    let additionals = packet.additionals.len() + usize::from(packet.opt.is_some());
    let counts = [packet.questions.len(), packet.answers.len(), packet.authorities.len(), additionals];
    writer.u16(header.id);
    writer.u16(flags);
    for count in counts {
        writer.u16(u16::try_from(count).ok()?);
    }
    for question in &packet.questions {
        writer.name(&question.name, true);
        writer.u16(question.rtype.into());
        writer.u16(question.class);
    }
    for record in packet.records() {
        writer.record(record)?;
        if writer.bytes.len() > limit {
            return None;
        }
    }
    if let Some(opt) = &packet.opt {
        writer.bytes.push(0);
        writer.u16(RecordType::OPT.into());
        writer.u16(opt.payload);
        writer.bytes.extend_from_slice(&[opt.rcode_high, opt.version, u8::from(opt.dnssec_ok) << 7, 0]);
        let length: usize = opt.options.iter().map(|(_, data)| data.len() + 4).sum();
        writer.u16(u16::try_from(length).ok()?);
        for (code, data) in &opt.options {
            writer.u16(*code);
            writer.u16(data.len() as u16);
            writer.bytes.extend_from_slice(data);
        }
    }
    (writer.bytes.len() <= limit.min(usize::from(u16::MAX))).then_some(writer.bytes)
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn record(&mut self, record: &RawRecord) -> Option<()> {
        self.name(&record.name, true);
        self.u16(record.rtype.into());
        self.u16(record.class);
        self.bytes.extend_from_slice(&record.ttl.to_be_bytes());
        let length_at = self.bytes.len();
        self.u16(0);
        if compressible(record.rtype) {
            self.data(record);
        } else {
            self.bytes.extend_from_slice(&record.data);
        }
        let length = u16::try_from(self.bytes.len() - length_at - 2).ok()?;
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        Some(())
    }

    /// Data of one of RFC 1035's types, whose names every reader can decompress.
    fn data(&mut self, record: &RawRecord) {
        let data = &record.data[..];
        let mut at = 0;
        for field in layout(record.rtype) {
            let rest = &data[at.min(data.len())..];
            match field {
                Field::Fixed(count) => {
                    let count = (*count).min(rest.len());
                    self.bytes.extend_from_slice(&rest[..count]);
                    at += count;
                }
                Field::Name => match super::read_name(data, at) {
                    Ok((name, next)) => {
                        self.name(&name, true);
                        at = next;
                    }
                    Err(_) => break,
                },
                Field::Text | Field::Rest => break,
            }
        }
        self.bytes.extend_from_slice(&data[at.min(data.len())..]);
    }

    fn name(&mut self, name: &Name, compress: bool) {
        let wire = name_to_wire(name);
        let mut at = 0;
        while wire[at] != 0 {
            if compress && let Some(target) = self.find(&wire[at..]) {
                self.u16(0xc000 | target as u16);
                return;
            }
            let here = self.bytes.len();
            if here <= POINTER_MAX && self.known.len() < REMEMBERED_MAX {
                self.known.push(here);
            }
            let end = at + 1 + usize::from(wire[at]);
            self.bytes.extend_from_slice(&wire[at..end]);
            at = end;
        }
        self.bytes.push(0);
    }

    /// Where this name was written before in the same letter case.
    fn find(&self, wire: &[u8]) -> Option<usize> {
        self.known.iter().copied().find(|&at| self.same(at, wire))
    }

    fn same(&self, mut at: usize, wire: &[u8]) -> bool {
        let mut from = 0;
        loop {
            let Some(&octet) = self.bytes.get(at) else { return false };
            if octet >= 0xc0 {
                let Some(&low) = self.bytes.get(at + 1) else { return false };
                // What we wrote points back only.
                at = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
                continue;
            }
            let count = usize::from(octet) + 1;
            if self.bytes.get(at..at + count) != wire.get(from..from + count) {
                return false;
            }
            if octet == 0 {
                return true;
            }
            at += count;
            from += count;
        }
    }
}
