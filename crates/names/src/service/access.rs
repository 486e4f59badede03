//! Who may ask.

use std::net::IpAddr;

use crate::resolver::in_prefix;

/// What becomes of a client's question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is resolved.
    #[default]
    Allow,
    /// Also without RD: the cache may be looked into.
    AllowSnoop,
    /// It is resolved even if RD is not set.
    AllowAsIfDesired,
    /// Over UDP with one of our cookies only (RFC 7873): who has none is sent one, or to TCP.
    AllowWithCookie,
    /// What is known here is told, and nothing resolved: REFUSED.
    RefuseNonLocal,
    /// What is known here is told; to the rest nothing is said.
    DenyNonLocal,
    /// REFUSED.
    Refuse,
    /// Silence.
    Deny,
}

/// Prefixes and what they may do; the longest that fits counts. Who fits none may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What clients may do whom no rule names.
    pub otherwise: Action,
    rules: Vec<(IpAddr, u8, Action)>,
}

impl Access {
    /// Adds a prefix.
    pub fn add(&mut self, prefix: IpAddr, length: u8, action: Action) {
        self.rules.push((prefix, length, action));
    }

    /// What this client may do.
    pub fn action(&self, client: IpAddr) -> Action {
        self.rules
            .iter()
            .filter(|(prefix, length, _)| in_prefix(client, *prefix, *length))
            .max_by_key(|(_, length, _)| *length)
            .map_or(self.otherwise, |(_, _, action)| *action)
    }
}
