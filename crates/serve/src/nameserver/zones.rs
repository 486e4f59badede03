//! An authority's zones, who may copy them, and who may change them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use thru_names::authority::Authority;
use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::tsig::Checked;
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
    /// What `answer` says to a query, signed as the query is (TSIG, RFC 8945 section 5): it gets the query without its
    /// signature, and how much room the answer's will want, or is not asked where that is not good. `date`: seconds
    /// since 1970.
    pub(super) fn signed_as(
        &self,
        date: impl FnOnce() -> u64,
        query: &[u8],
        answer: impl FnOnce(&[u8], usize) -> Option<Vec<Vec<u8>>>,
    ) -> Option<Vec<Vec<u8>>> {
        let keys = &self.updates.keys;
        if keys.is_empty() {
            return answer(query, 0);
        }
        let date = date();
        match keys.check(date, query) {
            Checked::Unsigned => answer(query, 0),
            Checked::Signed(mut session, message) => {
                let messages = answer(&message, session.room())?;
                Some(messages.iter().map(|message| session.sign(date, message)).collect())
            }
            Checked::Refused(_, reply) => Some(vec![reply]),
            Checked::Malformed => Peek::at(query).map(|peek| vec![bare_error(peek, ResponseCode::FormErr)]),
        }
    }

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
