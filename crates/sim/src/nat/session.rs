//! One session: how far a TCP connection is, and how long an idle entry lives.

use core::time::Duration;

use super::NatTimeouts;
use crate::rewrite::{Kind, flag};

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

/// What was seen of a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// SYN, FIN by [`Way`].
    syn: [bool; 2],
    fin: [bool; 2],
    established: bool,
    reset: bool,
    /// Packets went both ways.
    seen: [bool; 2],
}

impl Progress {
    /// Takes a packet into account (RFC 5382 5, RFC 7857 2.1).
    pub(super) fn note(&mut self, way: Way, kind: Kind) {
        let side = way as usize;
        if let Kind::Tcp { flags } = kind {
            let over = self.reset || self.fin == [true, true];
            if flags & (flag::SYN | flag::ACK) == flag::SYN && over {
                // The ports are used again.
                *self = Progress::default();
            }
            if flags & flag::RST != 0 {
                self.reset = true;
            } else if flags & flag::SYN != 0 {
                self.syn[side] = true;
            } else if flags & flag::ACK != 0 && (self.syn == [true, true] || self.syn == [false, false]) {
                // (Neither SYN seen: a connection picked up in the middle.)
                self.established = true;
            }
            self.fin[side] |= flags & flag::FIN != 0;
        }
        self.seen[side] = true;
    }

    /// Whether somebody would miss it: it is not the first to make room for others.
    pub(super) fn is_alive(&self, kind: Kind) -> bool {
        match kind {
            Kind::Tcp { .. } => self.established && !self.is_over(),
            _ => self.seen == [true, true],
        }
    }

    fn is_over(&self) -> bool {
        self.reset || self.fin == [true, true]
    }

    /// How long it lives without another packet.
    pub(super) fn timeout(&self, kind: Kind, timeouts: &NatTimeouts) -> Duration {
        match kind {
            Kind::Tcp { .. } if self.established && !self.is_over() => timeouts.tcp_established,
            Kind::Tcp { .. } => timeouts.tcp_transitory,
            Kind::Udp => timeouts.udp,
            Kind::Query | Kind::Answer | Kind::IcmpError | Kind::Other => timeouts.icmp,
        }
    }
}
