//! ICMP errors: what was told of which packet, by whom.

use std::net::IpAddr;

use crate::glance::{Icmp, Quoted};
use crate::kept::Moment;

/// An error that somebody told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) at: Moment,
    pub(crate) from: IpAddr,
    /// Who sent the packet that it is about.
    pub(crate) quoted_source: Option<IpAddr>,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    v6: bool,
}

impl Told {
    pub(crate) fn new(at: Moment, from: IpAddr, icmp: &Icmp, quoted: &Quoted) -> Told {
        Told { at, from, quoted_source: quoted.src, kind: icmp.kind, code: icmp.code, v6: icmp.v6 }
    }

    /// The stable word of a step that failed by it, as a live probe writes it; `None` for errors that end nothing.
    pub(crate) fn outcome(&self) -> Option<&'static str> {
        match (self.v6, self.kind, self.code) {
            (false, 3, 4) | (true, 2, _) => None,
            // A host whose port is closed answers TCP with a reset; "port unreachable" is what packet filters say, and so
            // is "protocol unreachable" of a protocol that every host speaks.
            (false, 3, 2 | 3 | 9 | 10 | 13) | (true, 1, 1 | 4 | 5 | 6) => Some("firewall.prohibited"),
            (false, 3, _) | (true, 1, _) => Some("ip.unreachable"),
            (false, 11, 0) | (true, 3, 0) => Some("ip.ttl_exceeded"),
            _ => None,
        }
    }

    /// For people, as a live probe says it.
    pub(crate) fn words(&self) -> &'static str {
        match (self.v6, self.kind, self.code) {
            (false, 3, 0 | 6 | 11) | (true, 1, 0) => "network unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) | (true, 2, _) => "packet too big",
            (false, 3, 5) => "source route failed",
            (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => "administratively prohibited",
            (false, 3, _) | (true, 1, _) => "host unreachable",
            (false, 11, 0) | (true, 3, 0) => "time exceeded",
            (false, 11, _) | (true, 3, _) => "reassembly time exceeded",
            _ => "parameter problem",
        }
    }

    /// Nobody listens on that port, says the host itself.
    pub(crate) fn is_port_unreachable(&self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 3, 3) | (true, 1, 4))
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 11, 0) | (true, 3, 0))
    }
}
