//! Messages as the resolver handles them: a header, and records whose data stays in wire form.
//!
//! Validation signs and hashes octets, and a cache holds many records: so data is kept as the octets that came, with
//! compressed names spelled out (RFC 3597 section 4), and nothing is understood that need not be. Reading is bounded
//! by the input's length; whatever is malformed is an error with a place, never a panic.
//!
//! - [`Packet::read`], [`Packet::write`]: octets to a packet and back.
//! - [`Opt`]: the EDNS record with its options (RFC 6891).

mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

pub use read::{read_name, read_packet};
pub use write::name_to_wire;

/// Class IN.
pub const CLASS_IN: u16 = 1;
/// Class CHAOS, in which servers tell about themselves.
pub const CLASS_CH: u16 = 3;

/// The header's flags and codes (RFC 1035 section 4.1.1, RFC 4035 sections 3.1.6 and 3.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Message id.
    pub id: u16,
    /// QR: a response.
    pub response: bool,
    /// OPCODE, 0..=15.
    pub opcode: u8,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// RD.
    pub recursion_desired: bool,
    /// RA.
    pub recursion_available: bool,
    /// AD.
    pub authentic_data: bool,
    /// CD.
    pub checking_disabled: bool,
    /// The low four bits of the response code.
    pub rcode: u8,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub rtype: RecordType,
    /// The class.
    pub class: u16,
}

impl Question {
    /// A question in class IN.
    pub fn new(name: Name, rtype: RecordType) -> Question {
        Question { name, rtype, class: CLASS_IN }
    }
}

/// A record with its data in uncompressed wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Owner.
    pub name: Name,
    /// Type.
    pub rtype: RecordType,
    /// Class.
    pub class: u16,
    /// Seconds it may be kept.
    pub ttl: u32,
    /// The data.
    pub data: Arc<[u8]>,
}

/// EDNS: the OPT record (RFC 6891 section 6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opt {
    /// Largest UDP payload the sender takes, in octets.
    pub payload: u16,
    /// The high eight bits of the response code.
    pub rcode_high: u8,
    /// Version: 0.
    pub version: u8,
    /// DO: DNSSEC records are welcome.
    pub dnssec_ok: bool,
    /// Option codes and data.
    pub options: Vec<(u16, Vec<u8>)>,
}

/// A whole message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Flags and codes.
    pub header: Header,
    /// The question section.
    pub questions: Vec<Question>,
    /// The answer section.
    pub answers: Vec<RawRecord>,
    /// The authority section.
    pub authorities: Vec<RawRecord>,
    /// The additional section without OPT.
    pub additionals: Vec<RawRecord>,
    /// The OPT record.
    pub opt: Option<Opt>,
}

/// Why octets are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Offset of the trouble from the start of the message.
    pub at: usize,
    /// What it is, completing "a message that ...".
    pub why: &'static str,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.why, self.at)
    }
}

impl Packet {
    /// Reads a message; see [`WireError`].
    pub fn read(bytes: &[u8]) -> Result<Packet, WireError> {
        read_packet(bytes)
    }

    /// The message's octets, names compressed; `None` when it does not fit `limit`.
    pub fn write(&self, limit: usize) -> Option<Vec<u8>> {
        write::write_packet(self, limit)
    }

    /// The whole response code, EDNS's high bits included.
    pub fn rcode(&self) -> u16 {
        u16::from(self.header.rcode) | self.opt.as_ref().map_or(0, |opt| u16::from(opt.rcode_high) << 4)
    }

    /// Sets the response code; codes above 15 need an OPT record.
    pub fn set_rcode(&mut self, rcode: u16) {
        self.header.rcode = (rcode & 0xf) as u8;
        if let Some(opt) = &mut self.opt {
            opt.rcode_high = (rcode >> 4) as u8;
        }
    }

    /// The first question.
    pub fn question(&self) -> Option<&Question> {
        self.questions.first()
    }

    /// Records of all sections in order.
    pub fn records(&self) -> impl Iterator<Item = &RawRecord> {
        self.answers.iter().chain(&self.authorities).chain(&self.additionals)
    }
}

impl Opt {
    /// The data of the first option with this code.
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(have, _)| *have == code).map(|(_, data)| data.as_slice())
    }
}

#[cfg(test)]
mod tests;
