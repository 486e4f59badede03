//! Addresses, routes and resolvers that a network gives to whoever joins it.
//!
//! - [`dhcp`]: the client of RFC 2131, IPv4's way.
//! - [`conflict`]: is the address free, and does it stay ours (RFC 5227)?
//! - [`slaac`]: IPv6's way (RFC 4862): router advertisements, addresses of our own making, duplicate detection.
//! - [`stable`]: interface identifiers that tell nothing (RFC 7217).
//!
//! Each is a machine without I/O: calls take the time, what is to be done waits in its outputs. The host carries them
//! out: see [`Host::autoconfigure`](crate::Host::autoconfigure).
//!
//! Deliberately absent: DHCPv6 (a router that wants it is reported), temporary addresses (RFC 8981), optimistic
//! duplicate detection (RFC 4429), INIT-REBOOT (nothing is remembered from one run to the next).

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::VecDeque;

use thru_wire::{Cidr, Instant, MacAddr};

pub mod conflict;
pub mod dhcp;
pub mod slaac;
pub mod stable;

pub use conflict::Timing;
pub use dhcp::Lease;

/// What a host does to get addresses.
#[derive(Clone, Copy, Debug)]
pub struct AutoconfConfig {
    /// Ask for an IPv4 address (DHCP).
    pub ipv4: bool,
    /// Make IPv6 addresses (SLAAC), a link-local one to begin with.
    pub ipv6: bool,
    /// What makes the IPv6 addresses ours: the same secret on the same network gives the same addresses (RFC 7217 5).
    /// Should be unforeseeable for others.
    pub secret: [u8; 16],
    /// How an IPv4 address is looked at before it is used.
    pub timing: Timing,
}

impl Default for AutoconfConfig {
    /// Both families, the standard's times, and a secret that everyone knows.
    fn default() -> AutoconfConfig {
        AutoconfConfig { ipv4: true, ipv6: true, secret: [0; 16], timing: Timing::STANDARD }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoconfEvent {
    /// Nobody has answered our DHCP messages yet.
    DhcpSilent {
        /// Messages sent so far.
        sent: u32,
    },
    /// The address is ours until the lease ends.
    Leased(Lease),
    /// The server has prolonged the lease.
    Renewed(Lease),
    /// A server has refused; we begin again.
    Refused {
        /// Which server.
        server: Ipv4Addr,
        /// Its words, if it gave any; not to be shown unescaped.
        message: Option<String>,
    },
    /// The lease has ended and nobody prolonged it.
    Expired(Ipv4Addr),
    /// Somebody else has the address; it was given up, or never taken.
    Conflict {
        /// The address.
        address: IpAddr,
        /// Who has it, where that is known.
        mac: Option<MacAddr>,
    },
    /// The address can be used.
    Assigned(Cidr),
    /// The address must not be used any more.
    Removed(IpAddr),
    /// A router has advertised itself for the first time.
    Router {
        /// Its link-local address.
        address: IpAddr,
        /// It says that addresses come from DHCPv6, which is not spoken here.
        managed: bool,
    },
}

/// Events that wait for whoever is interested; older ones make room.
const EVENTS: usize = 64;

/// A bounded queue of events.
#[derive(Debug, Default)]
pub(crate) struct Events(VecDeque<AutoconfEvent>);

impl Events {
    pub(crate) fn push(&mut self, event: AutoconfEvent) {
        if self.0.len() >= EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<AutoconfEvent> {
        self.0.pop_front()
    }
}

/// `seconds` from `now` on; the largest number stands for ever (RFC 2131 3.3, RFC 4861 4.6.2).
pub(crate) fn in_seconds(now: Instant, seconds: u64) -> Instant {
    if seconds >= u64::from(u32::MAX) { Instant::NEVER } else { now + Duration::from_secs(seconds) }
}
