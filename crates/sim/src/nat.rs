//! NAT44 with connection tracking, as a hook of a router's stack (RFC 4787, RFC 5382, RFC 5508).
//!
//! [`Nat`] is a handle: give one clone to the router with [`World::set_hook`](crate::World::set_hook) and keep another
//! to look at the table, flush it or change its timeouts in mid-run. Start with [`NatConfig::new`].
//!
//! - On the way out (postrouting on the outside interface) the source becomes an address of the pool and a port that
//!   stays the same for as long as the internal endpoint is used, whomever it talks to ([`Mapping`]).
//! - On the way in (prerouting, from outside to an address of the pool) the destination becomes the internal endpoint
//!   again, if the filter lets the sender in ([`Filtering`]).
//! - ICMP errors are translated with the packet they quote, in both directions (RFC 5508 4).
//! - From inside to an address of the pool, both ends are translated at once: hairpinning (RFC 4787 6).
//! - The router's own packets get mappings too, so that their ports are not given to somebody else.
//!
//! Entries expire when they are looked at: a NAT costs no event. What it does not do: application-level gateways,
//! and checks of TCP sequence numbers, so that a forged RST shortens an entry's life to the transitory timeout.

mod session;
mod table;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::Instant;
use thru_wire::ipv4::Protocol;

use crate::rewrite::{self, Ends, Kind};
use table::Table;

/// How a NAT is made.
#[derive(Clone, Debug, PartialEq)]
pub struct NatConfig {
    /// The interface that leads outside.
    pub outside: InterfaceId,
    /// The address pool. An internal address always gets the same one (RFC 4787 REQ-2).
    pub addresses: Vec<Ipv4Addr>,
    /// Ports (and ICMP identifiers) that are given out.
    pub ports: RangeInclusive<u16>,
    /// Whether the remote endpoint takes part in choosing the port.
    pub mapping: Mapping,
    /// Whom an open port lets in.
    pub filtering: Filtering,
    /// Whether inside hosts reach each other through their outside addresses.
    pub hairpin: bool,
    /// What becomes of packets from outside that belong to nothing.
    pub unsolicited: Unsolicited,
    /// Whether a TCP segment without SYN may open an entry, as on a Linux router: connections then survive a flush.
    pub loose_tcp: bool,
    /// How long idle entries live.
    pub timeouts: NatTimeouts,
    /// Most sessions (pairs of mapping and remote endpoint) at once.
    pub sessions_max: usize,
    /// Ports that lead inside always.
    pub forwards: Vec<PortForward>,
}

impl NatConfig {
    /// What a home router does: endpoint-independent mapping, address-and-port-dependent filtering, hairpinning.
    pub fn new(outside: InterfaceId, address: Ipv4Addr) -> NatConfig {
        NatConfig {
            outside,
            addresses: vec![address],
            ports: 1024..=65535,
            mapping: Mapping::EndpointIndependent,
            filtering: Filtering::AddressAndPortDependent,
            hairpin: true,
            unsolicited: Unsolicited::Drop,
            loose_tcp: false,
            timeouts: NatTimeouts::default(),
            sessions_max: 65_536,
            forwards: Vec::new(),
        }
    }
}

/// RFC 4787 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// One external port per internal endpoint ("cone").
    EndpointIndependent,
    /// One per pair of internal and remote endpoint ("symmetric").
    AddressAndPortDependent,
}

/// RFC 4787 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// Everybody.
    EndpointIndependent,
    /// Addresses that the internal endpoint has sent to.
    AddressDependent,
    /// Endpoints that the internal endpoint has sent to.
    AddressAndPortDependent,
}

/// What becomes of TCP and UDP packets from outside to an address of the pool that match no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsolicited {
    /// Discarded in silence.
    Drop,
    /// The router itself gets them: its services answer, closed ports refuse.
    ToRouter,
}

/// How long idle entries live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatTimeouts {
    /// RFC 4787 REQ-5: at least 2 minutes, better 5. Packets of both directions refresh (REQ-6).
    pub udp: Duration,
    /// RFC 5382 REQ-5: at least 2 hours and 4 minutes.
    pub tcp_established: Duration,
    /// RFC 5382 REQ-5: at least 4 minutes, for connections that are opening, closing or reset.
    pub tcp_transitory: Duration,
    /// RFC 5508 REQ-1: at least 60 seconds.
    pub icmp: Duration,
}

impl Default for NatTimeouts {
    /// The RFCs' recommendations.
    fn default() -> NatTimeouts {
        NatTimeouts {
            udp: Duration::from_secs(5 * 60),
            tcp_established: Duration::from_secs(2 * 3600 + 4 * 60),
            tcp_transitory: Duration::from_secs(4 * 60),
            icmp: Duration::from_secs(60),
        }
    }
}

/// A port that leads inside always, whoever sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortForward {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// An address of the pool and a port.
    pub external: SocketAddrV4,
    /// Where it leads.
    pub internal: SocketAddrV4,
}

/// What a NAT has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatStats {
    /// Mappings at present.
    pub mappings: usize,
    /// Sessions at present.
    pub sessions: usize,
    /// Packets translated on the way out, hairpinned ones included.
    pub outbound: u64,
    /// Packets translated on the way in, hairpinned ones included.
    pub inbound: u64,
    /// Packets discarded, for whatever reason.
    pub dropped: u64,
    /// Packets discarded because no port was left.
    pub no_port: u64,
    /// Packets discarded because the table was full of living connections.
    pub table_full: u64,
    /// Sessions that made room for new ones.
    pub evicted: u64,
    /// Sessions that were idle for too long.
    pub expired: u64,
}

/// One line of the table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingInfo {
    /// TCP, UDP, or ICMP with the identifier as port.
    pub protocol: Protocol,
    /// The endpoint inside.
    pub internal: SocketAddrV4,
    /// What the outside sees.
    pub external: SocketAddrV4,
    /// The remote endpoints, and when each is forgotten if nothing more comes.
    pub remotes: Vec<(SocketAddrV4, Instant)>,
}

/// A NAT. Clones share one table.
#[derive(Clone, Debug)]
pub struct Nat {
    table: Arc<Mutex<Table>>,
}

impl Nat {
    /// An empty table. The seed decides which ports are tried when the wanted one is taken.
    ///
    /// # Panics
    ///
    /// If the pool is empty.
    pub fn new(config: NatConfig, seed: u64) -> Nat {
        assert!(!config.addresses.is_empty(), "a NAT needs an outside address");
        Nat { table: Arc::new(Mutex::new(Table::new(config, seed))) }
    }

    /// What it has done so far.
    pub fn stats(&self) -> NatStats {
        self.lock().stats()
    }

    /// What would be translated at `now`, ordered by protocol and internal endpoint.
    pub fn mappings(&self, now: Instant) -> Vec<MappingInfo> {
        self.lock().mappings(now)
    }

    /// Forgets everything but the port forwards, as a restart does.
    pub fn flush(&self) {
        self.lock().flush();
    }

    /// Changes the timeouts of entries that are used from now on.
    pub fn set_timeouts(&self, timeouts: NatTimeouts) {
        self.lock().config.timeouts = timeouts;
    }

    /// Changes how many sessions there may be; those there are stay.
    pub fn set_sessions_max(&self, sessions_max: usize) {
        self.lock().config.sessions_max = sessions_max;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a packet was discarded.
pub(crate) mod reason {
    pub(crate) const FILTERED: &str = "nat: the sender is not let in";
    pub(crate) const UNKNOWN: &str = "nat: no such connection";
    pub(crate) const NO_PORT: &str = "nat: no free port";
    pub(crate) const FULL: &str = "nat: table full";
    pub(crate) const FRAGMENT: &str = "nat: fragment without ports";
    pub(crate) const PROTOCOL: &str = "nat: protocol can't be translated";
    pub(crate) const ICMP: &str = "nat: ICMP error about nothing we know";
}

impl Hook for Nat {
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        if packet.first().is_none_or(|first| first >> 4 != 4) {
            return Judgement::Accept;
        }
        let mut table = self.lock();
        let outside = Some(table.config.outside);
        let result = match place {
            Place::Prerouting if input == outside => table.inward(now, packet),
            Place::Prerouting => table.hairpin(now, packet),
            // What came from outside and goes back there is none of ours.
            Place::Postrouting if output == outside && input != outside => table.outward(now, packet),
            _ => Ok(()),
        };
        match result {
            Ok(()) => Judgement::Accept,
            Err(reason) => {
                table.count_drop(reason);
                Judgement::Drop(reason)
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.lock().stats().dropped
    }
}

/// Translation of whole packets; the entries are the table's business.
impl Table {
    fn outward(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), &'static str> {
        let Some(ends) = Ends::of(packet) else { return Ok(()) };
        // To everybody on the link (DHCP, say): there is nobody to answer to a mapping.
        if ends.destination.ip().is_multicast() || ends.destination.ip().is_broadcast() {
            return Ok(());
        }
        match ends.kind {
            Kind::Tcp { .. } | Kind::Udp | Kind::Query => {
                let external = match self.open(now, &ends) {
                    // The router answers for itself: a reset from a closed port, say.
                    Err(reason::UNKNOWN) if self.is_ours(*ends.source.ip()) => return Ok(()),
                    opened => opened?,
                };
                rewrite::set_source(packet, external);
            }
            Kind::IcmpError => {
                // RFC 5508 REQ-5: the quoted packet had come in, so its destination is one of ours.
                let quoted = ends.quoted(packet).ok_or(reason::ICMP)?;
                match self.external_of(quoted.protocol, quoted.destination, quoted.source) {
                    Some(external) => {
                        rewrite::change_quoted(packet, &ends, |quoted| {
                            rewrite::set_destination(quoted, external)
                        });
                        rewrite::set_source(packet, SocketAddrV4::new(*external.ip(), 0));
                    }
                    // Our own error about a packet to ourselves needs no translation.
                    None if self.is_ours(*ends.source.ip()) => return Ok(()),
                    None => return Err(reason::ICMP),
                }
            }
            // An answer to a query from outside: only the router itself is asked any.
            Kind::Answer if self.is_ours(*ends.source.ip()) => return Ok(()),
            Kind::Answer => return Err(reason::UNKNOWN),
            Kind::Other if self.is_ours(*ends.source.ip()) => return Ok(()),
            Kind::Other => return Err(no_ports(&ends)),
        }
        self.count_outbound();
        Ok(())
    }

    fn inward(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), &'static str> {
        let Some(ends) = Ends::of(packet) else { return Ok(()) };
        if !self.is_ours(*ends.destination.ip()) {
            return Ok(());
        }
        match ends.kind {
            Kind::Tcp { .. } | Kind::Udp | Kind::Answer => {
                let Some(internal) = self.enter(now, &ends)? else {
                    return match self.config.unsolicited {
                        Unsolicited::ToRouter => Ok(()),
                        Unsolicited::Drop => Err(reason::UNKNOWN),
                    };
                };
                rewrite::set_destination(packet, internal);
            }
            Kind::IcmpError => match self.quoted_internal(packet, &ends) {
                Some(internal) => {
                    rewrite::change_quoted(packet, &ends, |quoted| rewrite::set_source(quoted, internal));
                    rewrite::set_destination(packet, SocketAddrV4::new(*internal.ip(), 0));
                }
                None => return Err(reason::ICMP),
            },
            // The router is pinged, or spoken to in another protocol.
            Kind::Query | Kind::Other => return Ok(()),
        }
        self.count_inbound();
        Ok(())
    }

    /// From inside; only packets to the pool's addresses are of interest.
    fn hairpin(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), &'static str> {
        let Some(ends) = Ends::of(packet) else { return Ok(()) };
        if !self.config.hairpin || !self.is_ours(*ends.destination.ip()) {
            return Ok(());
        }
        match ends.kind {
            Kind::Tcp { .. } | Kind::Udp => {
                // No port of an inside host: the router itself is meant.
                if !self.leads_inside(ends.protocol, ends.destination) {
                    return Ok(());
                }
                let external = self.open(now, &ends)?;
                let internal = self.enter(now, &Ends { source: external, ..ends })?.ok_or(reason::UNKNOWN)?;
                rewrite::set_source(packet, external);
                rewrite::set_destination(packet, internal);
            }
            Kind::IcmpError => {
                // If the quoted packet was hairpinned, both of its ends are translated back.
                let Some(quoted) = ends.quoted(packet) else { return Ok(()) };
                let external = self.external_of(quoted.protocol, quoted.destination, quoted.source);
                let Some(external) = external else { return Ok(()) };
                let internal = self.internal_of(quoted.protocol, quoted.source, external);
                let Some(internal) = internal else { return Ok(()) };
                rewrite::change_quoted(packet, &ends, |quoted| {
                    rewrite::set_source(quoted, internal);
                    rewrite::set_destination(quoted, external);
                });
                rewrite::set_source(packet, SocketAddrV4::new(*external.ip(), 0));
                rewrite::set_destination(packet, SocketAddrV4::new(*internal.ip(), 0));
            }
            Kind::Query | Kind::Answer | Kind::Other => return Ok(()),
        }
        self.count_outbound();
        self.count_inbound();
        Ok(())
    }

    /// The internal endpoint that sent the packet which an ICMP error from outside quotes (RFC 5508 REQ-4: only if
    /// it has a session with the quoted destination).
    fn quoted_internal(&self, packet: &[u8], ends: &Ends) -> Option<SocketAddrV4> {
        let quoted = ends.quoted(packet)?;
        matches!(quoted.kind, Kind::Tcp { .. } | Kind::Udp | Kind::Query)
            .then(|| self.internal_of(quoted.protocol, quoted.source, quoted.destination))
            .flatten()
    }
}

fn no_ports(ends: &Ends) -> &'static str {
    match ends.protocol {
        Protocol::TCP | Protocol::UDP | Protocol::ICMPV4 => reason::FRAGMENT,
        _ => reason::PROTOCOL,
    }
}

#[cfg(test)]
mod tests;
