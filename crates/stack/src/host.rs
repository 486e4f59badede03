//! The host: what it is made with, and the loop that drives it.
//!
//! - [`Host`]: calls and packets in, packets and deadlines out.
//! - `tables`: interfaces, addresses, routes: what TCP may ask.
//! - `batch`: frames that arrive together; `ingress`: from a frame to a decision; `deliver`: packets for this host; `forward`: packets for others.
//! - `egress`: packets of this host (`lanes`: the short way of TCP's), fragmentation, the last step to a link; `neighbors`: ARP and NDP.
//! - `errors`: ICMP errors told and heard; `sockets`: what applications call.
//! - `autoconf`: an interface that its network configures.

use core::net::IpAddr;
use std::collections::VecDeque;

use bytes::Bytes;
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

use crate::buffers::BufferPool;
use crate::fragment::reassemble::Reassembler;
use crate::frame::{Frame, Offloads};
use crate::hook::Hook;
use crate::icmp::limit::RateLimit;
use crate::icmp::send::Tell;
use crate::neighbor::cache::NeighborCache;
use crate::offload::Coalescer;
use crate::route::Route;
use crate::tcp::{Path, Tcp, TcpConfig};
use crate::{raw, udp};

mod autoconf;
mod batch;
mod deliver;
mod egress;
mod errors;
mod forward;
mod identification;
mod ingress;
mod lanes;
mod look;
mod neighbors;
mod sockets;
mod tables;

pub use autoconf::AutoconfState;
use identification::Identification;
use lanes::Lanes;
use tables::Tables;

/// What a host is made with.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Seed of every random choice and key of this host.
    pub seed: u64,
    /// Whether packets for others are passed on (a router).
    pub forwarding: bool,
    /// Hop limit / TTL of packets that this host originates.
    pub ttl: u8,
    /// ICMP errors that may be sent per second (RFC 1812 4.3.2.8, RFC 4443 2.4(f)); burst of as many.
    pub icmp_errors_per_second: u32,
    /// Whether echo requests are answered.
    pub answers_ping: bool,
    /// Whether ICMP errors are originated at all (a router that drops silently says `false`).
    pub sends_icmp_errors: bool,
    /// TCP's settings.
    pub tcp: TcpConfig,
}

impl Default for HostConfig {
    /// A host, not a router, with seed 0 and the customary values.
    fn default() -> HostConfig {
        HostConfig {
            seed: 0,
            forwarding: false,
            ttl: 64,
            icmp_errors_per_second: 100,
            answers_ping: true,
            sends_icmp_errors: true,
            tcp: TcpConfig::default(),
        }
    }
}

/// What the wire below an interface looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet II: neighbours are resolved by ARP and NDP.
    Ethernet,
    /// Bare IP packets, as on a TUN device: no neighbours.
    Ip,
}

/// What an interface is made with.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Name shown to people, as in `eth0`.
    pub name: String,
    /// Medium of the link.
    pub medium: Medium,
    /// Own hardware address (unused on [`Medium::Ip`]).
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu: usize,
}

/// An interface of one host; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u32);

/// What a host has done with packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Frames that arrived.
    pub frames_received: u64,
    /// Frames given to [`Host::poll_transmit`].
    pub frames_sent: u64,
    /// Packets passed on.
    pub forwarded: u64,
    /// Packets with a header that is not legal, or that may not come from a link.
    pub malformed: u64,
    /// Packets for others on a host that doesn't forward, or that must not be forwarded.
    pub not_for_us: u64,
    /// Packets that a route refused or that had none.
    pub no_route: u64,
    /// Packets whose TTL ran out here.
    pub ttl_exceeded: u64,
    /// Packets that were too big for the next link and must not be fragmented.
    pub too_big: u64,
    /// Packets whose neighbour did not answer.
    pub unresolved: u64,
    /// Packets that a hook discarded.
    pub hook_dropped: u64,
    /// Datagrams that found the socket's queue full.
    pub queue_full: u64,
    /// Datagrams whose fragments did not all come in time.
    pub reassembly_failed: u64,
    /// ICMP errors sent.
    pub errors_sent: u64,
    /// ICMP errors that the rate limit or the configuration held back.
    pub errors_withheld: u64,
}

/// Packets to own addresses handled in one call; more wait for the next, so that no call runs without end.
const LOOPED_PER_CALL: usize = 4_096;

/// A TCP/IP host.
///
/// After every call that takes `now`, drain [`Host::poll_transmit`], then ask [`Host::next_deadline`].
pub struct Host {
    config: HostConfig,
    tables: Tables,
    neighbors: NeighborCache,
    lanes: Lanes,
    /// Between these, all was well with the last segment that arrived.
    good_between: Option<ingress::Between>,
    reassembler: Reassembler,
    errors_limit: RateLimit,
    identification: Identification,
    udp: udp::Sockets,
    raw: raw::Sockets,
    tcp: Tcp,
    hook: Option<Box<dyn Hook>>,
    /// Frames of the batch being handled.
    coalescer: Coalescer,
    /// The packet that the hook looks at.
    hook_packet: Vec<u8>,
    /// When the hook wants to be called.
    hook_deadline: Instant,
    /// Packets from this host to itself.
    looped: VecDeque<Bytes>,
    outgoing: VecDeque<(InterfaceId, Frame)>,
    /// The earliest of all deadlines, kept up to date at the end of each call.
    deadline: Instant,
    /// The interface that is configured by its network.
    autoconf: Option<Box<autoconf::Autoconf>>,
    autoconf_wakes: u64,
    stats: HostStats,
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("config", &self.config)
            .field("tables", &self.tables)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Configuration.
impl Host {
    /// A host without interfaces.
    pub fn new(config: HostConfig) -> Host {
        Host {
            tables: Tables::new(config.seed, config.forwarding),
            lanes: Lanes::default(),
            good_between: None,
            neighbors: NeighborCache::new(config.seed),
            reassembler: Reassembler::new(config.seed),
            errors_limit: RateLimit::per_second(config.icmp_errors_per_second),
            identification: Identification::new(config.seed),
            udp: udp::Sockets::new(config.seed),
            raw: raw::Sockets::new(config.seed),
            tcp: Tcp::new(config.tcp.clone(), config.seed),
            hook: None,
            hook_packet: Vec::new(),
            coalescer: Coalescer::default(),
            hook_deadline: Instant::NEVER,
            looped: VecDeque::new(),
            outgoing: VecDeque::new(),
            deadline: Instant::NEVER,
            autoconf: None,
            autoconf_wakes: 0,
            stats: HostStats::default(),
            config,
        }
    }

    /// Also makes the IPv6 link-local address (RFC 4291 2.5.6 from the MAC) on Ethernet.
    pub fn add_interface(&mut self, config: InterfaceConfig) -> InterfaceId {
        self.tables.add_interface(config)
    }

    /// Adds the on-link route too. The address is used at once, without a look whether somebody has it already; the
    /// addresses of [`Host::autoconfigure`] are looked at.
    pub fn add_address(&mut self, interface: InterfaceId, address: Cidr) {
        self.tables.add_address(interface, address);
    }

    /// Takes an address away, with its on-link route if no other address shares it. `false` if it was not there.
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        self.tables.remove_address(interface, address)
    }

    /// All addresses, by interface, in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = (InterfaceId, Cidr)> + '_ {
        self.tables.interfaces.iter().enumerate().flat_map(|(index, interface)| {
            interface.addresses.iter().map(move |&cidr| (InterfaceId(index as u32), cidr))
        })
    }

    /// What an interface was made with; `None` if there is no such interface.
    pub fn interface(&self, interface: InterfaceId) -> Option<&InterfaceConfig> {
        self.tables.interface(interface).map(|interface| &interface.config)
    }

    /// Adds a route; adding the same one twice changes nothing.
    pub fn add_route(&mut self, route: Route) {
        self.tables.add_route(route);
    }

    /// Takes away the best route of exactly this prefix. `false` if there is none.
    pub fn remove_route(&mut self, prefix: IpPrefix) -> bool {
        self.tables.remove_route(prefix)
    }

    /// The routing table: longest prefix first, then lowest metric.
    pub fn routes(&self) -> &[Route] {
        self.tables.routes.list()
    }

    /// Changes the largest IP packet of an interface, in bytes.
    pub fn set_mtu(&mut self, interface: InterfaceId, mtu: usize) {
        self.tables.set_mtu(interface, mtu);
    }

    /// Says what the device below an interface does for the host; by default nothing. Frames that leave by it may need
    /// that much from now on; what arrives may be offloaded whatever is said here.
    pub fn set_offloads(&mut self, interface: InterfaceId, offloads: Offloads) {
        self.tables.set_offloads(interface, offloads);
    }

    /// What was said with [`Host::set_offloads`].
    pub fn offloads(&self, interface: InterfaceId) -> Offloads {
        self.tables.offloads(interface)
    }

    /// Takes buffers from this pool, and gives them back to it, from now on; the hosts of one process do well to share
    /// one, since data flows one way. At first each host has its own.
    pub fn share_buffers(&mut self, pool: BufferPool) {
        self.tcp.share_buffers(pool);
    }

    /// The pool of this host's buffers, for a device that makes frames or is done with them.
    pub fn buffer_pool(&self) -> &BufferPool {
        self.tcp.buffer_pool()
    }

    /// A neighbour that is known without asking: a static ARP or NDP entry.
    pub fn set_neighbor(&mut self, interface: InterfaceId, address: IpAddr, mac: MacAddr) {
        self.neighbors.set((interface, address), mac);
    }

    /// The hook sees packets as netfilter's five hooks do.
    pub fn set_hook(&mut self, hook: Box<dyn Hook>) {
        self.hook = Some(hook);
    }

    /// RFC 6724-like choice of the source for a destination, or `None` without route.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        self.tables.source_for(destination)
    }

    /// Largest IP packet towards `destination` as far as this host knows, in bytes.
    pub fn path_mtu(&self, destination: IpAddr) -> usize {
        self.tables.mtu(destination)
    }

    /// Whether packets wait for their neighbour's hardware address.
    pub fn is_resolving(&self) -> bool {
        self.neighbors.is_resolving()
    }

    /// What was done with packets so far.
    pub fn stats(&self) -> HostStats {
        self.stats
    }
}

/// The loop.
impl Host {
    /// A frame that arrived on `interface`; `frame.rx_time` is its arrival.
    pub fn handle_frame(&mut self, now: Instant, interface: InterfaceId, frame: Frame) {
        self.begin(now);
        self.stats.frames_received += 1;
        self.receive_frame(now, interface, frame);
        self.finish(now);
    }

    /// The next frame to put on a wire. Drain until `None`.
    pub fn poll_transmit(&mut self) -> Option<(InterfaceId, Frame)> {
        self.outgoing.pop_front()
    }

    /// When [`Host::handle_deadline`] wants to be called; [`Instant::NEVER`] for an idle host. O(1).
    pub fn next_deadline(&self) -> Instant {
        self.deadline
    }

    /// Carries out everything that was due by `now`.
    pub fn handle_deadline(&mut self, now: Instant) {
        self.begin(now);
        if self.tcp.next_deadline() <= now {
            self.tcp.handle_deadline(now, &self.tables);
        }
        self.neighbors_due(now);
        self.autoconf_due(now);
        while let Some(expired) = self.reassembler.expire(now) {
            self.stats.reassembly_failed += 1;
            if let Some(first) = expired {
                self.tell(now, Tell::ReassemblyTimeExceeded, &first, false);
            }
        }
        if self.hook_deadline <= now
            && let Some(hook) = &mut self.hook
        {
            hook.expire(now);
        }
        self.finish(now);
    }

    /// How many wakers this host has woken so far: lets an outer loop see that some task has become ready.
    pub fn wakes(&self) -> u64 {
        self.tcp.wakes() + self.udp.wakes + self.raw.wakes + self.autoconf_wakes
    }

    /// Every call with the time starts here.
    fn begin(&mut self, now: Instant) {
        self.tables.now = self.tables.now.max(now);
    }

    /// Every call with the time ends here: what TCP wants to send, packets to ourselves, the next deadline.
    fn finish(&mut self, now: Instant) {
        // Whoever talks to itself without end gets its next turn at once, but in another call.
        let mut again = now;
        for _ in 0..LOOPED_PER_CALL {
            while let Some(segment) = self.tcp.poll_transmit(now, &self.tables) {
                self.send_segment(now, segment);
            }
            let Some(packet) = self.looped.pop_front() else {
                again = Instant::NEVER;
                break;
            };
            self.receive_looped(now, packet);
        }
        if let Some(hook) = &self.hook {
            self.hook_deadline = hook.next_expiry(now).map_or(Instant::NEVER, |wait| now + wait);
        }
        self.deadline = again
            .min(self.tcp.next_deadline())
            .min(self.neighbors.next_deadline())
            .min(self.reassembler.next_deadline())
            .min(self.hook_deadline)
            .min(self.autoconf_deadline());
    }
}

#[cfg(test)]
mod tests;
