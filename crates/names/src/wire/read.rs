//! Octets to a packet.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::{Header, Opt, Packet, Question, RawRecord, WireError, name_to_wire};
use crate::rdata::{Field, layout};

/// Class NONE (RFC 2136 section 2.4).
const CLASS_NONE: u16 = 254;
/// Class ANY.
const CLASS_ANY: u16 = 255;
/// Octets of a name in wire form (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 255;

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn fail<T>(&self, why: &'static str) -> Result<T, WireError> {
        Err(WireError { at: self.at, why })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        match self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => self.fail("ends early"),
        }
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        let b = self.take(2)?;
        Ok(u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        let b = self.take(4)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn name(&mut self) -> Result<Name, WireError> {
        let (name, next) = read_name(self.bytes, self.at)?;
        self.at = next;
        Ok(name)
    }
}

/// Reads the name at `at`, compression pointers followed: the name, and the offset after it.
///
/// Each pointer must lead further back than the one before, so reading ends (RFC 1035 section 4.1.4).
pub fn read_name(bytes: &[u8], at: usize) -> Result<(Name, usize), WireError> {
    let mut labels: [(usize, usize); 128] = [(0, 0); 128];
    let mut count = 0;
    let mut length = 1;
    let mut position = at;
    let mut after = None;
    let mut barrier = at;
    let fail = |at, why| Err(WireError { at, why });
    loop {
        let Some(&octet) = bytes.get(position) else { return fail(position, "ends early") };
        match octet {
            0 => {
                let after = after.unwrap_or(position + 1);
                let parts = labels[..count].iter().map(|&(from, to)| &bytes[from..to]);
                return match Name::from_labels(parts) {
                    Ok(name) => Ok((name, after)),
                    Err(_) => fail(at, "has an impossible name"),
                };
            }
            1..=63 => {
                let from = position + 1;
                let to = from + usize::from(octet);
                length += 1 + usize::from(octet);
                if to > bytes.len() {
                    return fail(position, "ends early");
                }
                if length > NAME_MAX || count == labels.len() {
                    return fail(at, "has a name of more than 255 octets");
                }
                labels[count] = (from, to);
                count += 1;
                position = to;
            }
            0xc0.. => {
                let Some(&low) = bytes.get(position + 1) else { return fail(position, "ends early") };
                let target = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
                after.get_or_insert(position + 2);
                if target >= barrier {
                    return fail(position, "has a compression pointer that does not lead back");
                }
                barrier = target;
                position = target;
            }
            _ => return fail(position, "has a label of unknown kind"),
        }
    }
}

/// Reads a whole message. Octets after the last record are an error.
pub fn read_packet(bytes: &[u8]) -> Result<Packet, WireError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let id = cursor.u16()?;
    let flags = cursor.u16()?;
    let counts = [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?];
    let mut packet = Packet {
        header: Header {
            id,
            response: flags & 0x8000 != 0,
            opcode: ((flags >> 11) & 0xf) as u8,
            authoritative: flags & 0x0400 != 0,
            truncated: flags & 0x0200 != 0,
            recursion_desired: flags & 0x0100 != 0,
            recursion_available: flags & 0x0080 != 0,
            authentic_data: flags & 0x0020 != 0,
            checking_disabled: flags & 0x0010 != 0,
            rcode: (flags & 0xf) as u8,
        },
        ..Packet::default()
    };
    for _ in 0..counts[0] {
        let name = cursor.name()?;
        let rtype = RecordType::from(cursor.u16()?);
        let class = cursor.u16()?;
        packet.questions.push(Question { name, rtype, class });
    }
    for (section, count) in counts.into_iter().enumerate().skip(1) {
        for _ in 0..count {
            let name = cursor.name()?;
            let rtype = RecordType::from(cursor.u16()?);
            let class = cursor.u16()?;
            let ttl = cursor.u32()?;
            let length = usize::from(cursor.u16()?);
            let start = cursor.at;
            let end = start + length;
            if end > bytes.len() {
                return cursor.fail("has a record longer than itself");
            }
            if rtype == RecordType::OPT && section == 3 {
                if packet.opt.is_some() || !name.is_root() {
                    return cursor.fail("has an OPT record out of place");
                }
                packet.opt = Some(read_opt(class, ttl, cursor.take(length)?, start)?);
                continue;
            }
            // Updates name types without data (RFC 2136 sections 2.4 and 2.5).
            let data = match class {
                CLASS_NONE | CLASS_ANY if length == 0 => Arc::from([]),
                _ => read_data(&bytes[..end], start, rtype)?,
            };
            cursor.at = end;
            // RFC 2181 section 8: a TTL with the highest bit set counts as zero.
            let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
            let record = RawRecord { name, rtype, class, ttl, data };
            match section {
                1 => packet.answers.push(record),
                2 => packet.authorities.push(record),
                _ => packet.additionals.push(record),
            }
        }
    }
    if cursor.at != bytes.len() {
        return cursor.fail("goes on after its last record");
    }
    Ok(packet)
}

fn read_opt(class: u16, ttl: u32, data: &[u8], at: usize) -> Result<Opt, WireError> {
    let mut opt = Opt {
        payload: class,
        rcode_high: (ttl >> 24) as u8,
        version: (ttl >> 16) as u8,
        dnssec_ok: ttl & 0x8000 != 0,
        options: Vec::new(),
    };
    let mut cursor = Cursor { bytes: data, at: 0 };
    while cursor.at < data.len() {
        let placed = |error: WireError| WireError { at: at + error.at, why: error.why };
        let code = cursor.u16().map_err(placed)?;
        let length = usize::from(cursor.u16().map_err(placed)?);
        opt.options.push((code, cursor.take(length).map_err(placed)?.to_vec()));
    }
    Ok(opt)
}

/// The data of a record that ends where `bytes` ends, its names uncompressed.
fn read_data(bytes: &[u8], start: usize, rtype: RecordType) -> Result<Arc<[u8]>, WireError> {
    let fields = layout(rtype);
    if !fields.contains(&Field::Name) {
        return Ok(bytes[start..].into());
    }
    let mut cursor = Cursor { bytes, at: start };
    let mut data = Vec::with_capacity(bytes.len() - start + 16);
    for field in fields {
        match field {
            Field::Fixed(count) => data.extend_from_slice(cursor.take(*count)?),
            Field::Text => {
                let count = cursor.u8()?;
                data.push(count);
                data.extend_from_slice(cursor.take(usize::from(count))?);
            }
            Field::Name => data.extend_from_slice(&name_to_wire(&cursor.name()?)),
            Field::Rest => {
                data.extend_from_slice(&bytes[cursor.at..]);
                cursor.at = bytes.len();
            }
        }
    }
    if cursor.at != bytes.len() {
        return cursor.fail("has record data longer than its type allows");
    }
    Ok(data.into())
}
