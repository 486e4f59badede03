//! The diary of a resolution: one entry for each question put to a server.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use crate::text::{name_text, rcode_text, type_text};

/// One question put to one server, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was sent.
    pub at: Instant,
    /// Until the answer, or until it was given up.
    pub took: Duration,
    /// The zone the server was asked as an authority of.
    pub zone: Name,
    /// The server's address.
    pub server: SocketAddr,
    /// Its name, as the delegation has it.
    pub server_name: Name,
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// Over TCP rather than UDP.
    pub over_tcp: bool,
    /// What came of it.
    pub said: Said,
    /// The answer's records, or the referral's, in master-file form; at most 16.
    pub records: Vec<String>,
    /// The server's extended error (RFC 8914), if it sent one.
    pub extended_error: Option<(u16, String)>,
}

/// What came of a question, as far as the resolution cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The records asked for.
    Records,
    /// An alias whose end lies elsewhere.
    Alias(Name),
    /// Ask the servers of this zone, further down.
    Referral(Name),
    /// The name does not exist.
    NoName,
    /// The name exists without that type.
    NoData,
    /// Too long for UDP: asked again over TCP.
    Truncated,
    /// An error code.
    Code(ResponseCode),
    /// It is no authority for the zone; why we think so.
    Lame(String),
    /// Unreadable; why.
    Malformed(String),
    /// Nothing before we gave up on it.
    Silent,
    /// The network said it can't be reached; how.
    Unreachable(String),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Records => f.write_str("answer"),
            Said::Alias(name) => write!(f, "alias of {}", name_text(name)),
            Said::Referral(zone) => write!(f, "referral to {}", name_text(zone)),
            Said::NoName => f.write_str("no such name"),
            Said::NoData => f.write_str("no such record"),
            Said::Truncated => f.write_str("truncated, again over TCP"),
            Said::Code(code) => f.write_str(&rcode_text(*code)),
            Said::Lame(why) => write!(f, "lame: {why}"),
            Said::Malformed(why) => write!(f, "malformed: {why}"),
            Said::Silent => f.write_str("no answer"),
            Said::Unreachable(why) => write!(f, "unreachable: {why}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.over_tcp { "/tcp" } else { "" };
        write!(
            f,
            "{} ({}{transport}) for {}: {} {}: {}",
            self.server.ip(),
            name_text(&self.server_name),
            name_text(&self.zone),
            name_text(&self.name),
            type_text(self.record_type),
            self.said
        )
    }
}
