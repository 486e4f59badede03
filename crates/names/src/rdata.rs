//! Record data: what it is made of, its canonical form, and its master-file form.
//!
//! - [`layout`]: the fields of a type's data, as far as names and lengths go.
//! - [`canonical`]: the form that signatures cover (RFC 4034 section 6.2).
//! - [`from_text`]: a master file's words to octets; [`record_from_text`] for a whole line. [`data_text`]: back again.

mod show;
mod text;

use hickory_proto::rr::{Name, RecordType};

pub use show::{data_text, time_text};
pub use text::{
    TextError, Word, base64, base64_text, from_text, hex, master_records, name_from_text, record_from_text,
    time, type_bitmap, words,
};

use crate::wire::{name_to_wire, read_name};

/// A field of record data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// This many octets.
    Fixed(usize),
    /// A domain name.
    Name,
    /// A character string: a length octet and that many octets.
    Text,
    /// Everything up to the end.
    Rest,
}

/// What data of this type is made of. Types without names are all [`Field::Rest`].
pub fn layout(rtype: RecordType) -> &'static [Field] {
    use Field::{Fixed, Name, Rest, Text};
    match u16::from(rtype) {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME
        2..=5 | 7..=9 | 12 | 23 | 39 => &[Name],
        6 => &[Name, Name, Fixed(20)],
        // MINFO, RP, TALINK
        14 | 17 | 58 => &[Name, Name],
        // MX, AFSDB, RT, KX, LP
        15 | 18 | 21 | 36 | 107 => &[Fixed(2), Name],
        26 => &[Fixed(2), Name, Name],
        33 => &[Fixed(6), Name],
        35 => &[Fixed(4), Text, Text, Text, Name],
        // SIG, RRSIG
        24 | 46 => &[Fixed(18), Name, Rest],
        // NXT, NSEC
        30 | 47 => &[Name, Rest],
        // SVCB, HTTPS
        64 | 65 => &[Fixed(2), Name, Rest],
        _ => &[Rest],
    }
}

/// Whether names in this type's data may be compressed: RFC 1035's types only (RFC 3597 section 4).
pub fn compressible(rtype: RecordType) -> bool {
    matches!(u16::from(rtype), 2..=9 | 12 | 14 | 15)
}

/// Whether names in this type's data are lower-cased before signing (RFC 4034 section 6.2, RFC 6840 section 5.1).
fn lower_cased(rtype: RecordType) -> bool {
    matches!(u16::from(rtype), 2..=9 | 12 | 14 | 15 | 17 | 18 | 21 | 24 | 26 | 30 | 33 | 35 | 36 | 39 | 46)
}

/// The data in the form that signatures cover.
pub fn canonical(rtype: RecordType, data: &[u8]) -> Vec<u8> {
    if !lower_cased(rtype) {
        return data.to_vec();
    }
    let mut out = Vec::with_capacity(data.len());
    let mut at = 0;
    for field in layout(rtype) {
        let rest = &data[at.min(data.len())..];
        match field {
            Field::Fixed(count) => at += (*count).min(rest.len()),
            Field::Text => at += (usize::from(rest.first().copied().unwrap_or(0)) + 1).min(rest.len()),
            Field::Rest => at = data.len(),
            Field::Name => {
                let Ok((name, next)) = read_name(data, at) else { return data.to_vec() };
                out.extend_from_slice(&name_to_wire(&name.to_lowercase()));
                at = next;
                continue;
            }
        }
        out.extend_from_slice(&rest[..at - (data.len() - rest.len())]);
    }
    out
}

/// The names inside the data, in order.
pub fn names(rtype: RecordType, data: &[u8]) -> Vec<Name> {
    let mut found = Vec::new();
    let mut at = 0;
    for field in layout(rtype) {
        let Some(rest) = data.get(at..) else { break };
        match field {
            Field::Fixed(count) => at += count,
            Field::Text => at += usize::from(rest.first().copied().unwrap_or(0)) + 1,
            Field::Rest => break,
            Field::Name => {
                let Ok((name, next)) = read_name(data, at) else { break };
                found.push(name);
                at = next;
            }
        }
    }
    found
}

/// The first name inside the data: where a CNAME, DNAME, NS, MX or SRV points.
pub fn target(rtype: RecordType, data: &[u8]) -> Option<Name> {
    names(rtype, data).into_iter().next()
}
