//! An authority's zones, who may copy them, and who may change them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use thru_names::authority::Authority;
use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::update::Updates;
use thru_names::message::{Peek, bare_error};
use thru_names::resolver::in_prefix;

/// An authority's zones, who may copy them, and who may change them. Clones share the zones.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    /// The zones.
    pub authority: Authority,
    /// Clients that may transfer them, as prefixes: address and length in bits.
    pub transfer: Vec<(IpAddr, u8)>,
    /// Zones that are copied from others, and from whom.
    pub copies: Vec<SecondaryConfig>,
    /// Who is told when a zone changes.
    pub notify: Vec<SocketAddr>,
    /// Who may change zones by updates (RFC 2136), and the keys by which messages are signed.
    pub updates: Arc<Updates>,
}

impl Zones {
    /// The messages of a transfer, or the one that refuses it; `None`: no transfer is asked for, or not of a zone here.
    pub(super) fn transfer(&self, from: IpAddr, query: &[u8]) -> Option<Vec<Vec<u8>>> {
        let messages = self.authority.transfer(query)?;
        if self.transfer.iter().any(|(prefix, length)| in_prefix(from, *prefix, *length)) {
            return Some(messages);
        }
        let refusal = Peek::at(query).map(|peek| bare_error(peek, ResponseCode::Refused));
        Some(refusal.into_iter().collect())
    }
}
