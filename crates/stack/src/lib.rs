//! A complete TCP/IP host without I/O: packets, calls and the time go in; packets, readiness and the next
//! deadline come out. It knows no clock, no socket, no thread and no source of randomness but its seed.
//!
//! Start with [`Host`]. The rule of the loop: after every call that takes `now`, drain
//! [`Host::poll_transmit`], then ask [`Host::next_deadline`].
//!
//! - [`host`]: interfaces, the way in and the way out, forwarding. Start there to follow a packet.
//! - `header`, `packet`: the fields that decide, and the bytes on their way with room for a link header.
//! - `buffers`: what frames are made in, used again.
//! - `neighbor`: ARP and NDP with reachability (RFC 826, RFC 4861).
//! - [`route`]: longest prefix first.
//! - [`device`]: what carries a host's frames, in batches.
//! - [`offload`]: super-segments, for links and devices that carry them.
//! - [`autoconf`]: addresses, routes and resolvers from the network: DHCP and SLAAC.
//! - `fragment`: taking packets apart and, in bounded memory, together again.
//! - [`icmp`]: errors told and errors heard; path MTU.
//! - [`udp`], [`raw`]: datagram sockets.
//! - [`tcp`]: split by mechanism, one file each; [`timer`]: its wheel.
//! - [`hook`]: where NAT and firewalls look at passing packets.
//! - [`random`]: one reproducible stream per purpose.
//! - `testing`: two hosts and a link in memory, for tests and fuzzing.
//!
//! Deliberately absent below TCP: DHCPv6, redirects, MLD and IGMP but for a report when an address is made (only the
//! groups every node is in are heard), IPv4 source routes (refused) and record route (passed on unfilled), zones of
//! link-local addresses in socket calls.

pub mod autoconf;
mod buffers;
pub mod device;
pub(crate) mod fragment;
pub mod frame;
mod header;
pub mod hook;
pub mod host;
pub mod icmp;
pub(crate) mod neighbor;
pub mod offload;
mod packet;
pub mod random;
pub mod raw;
pub mod route;
pub mod tcp;
#[doc(hidden)]
pub mod testing;
pub mod timer;
pub mod udp;

pub use buffers::BufferPool;
pub use device::Device;
pub use frame::{Frame, Offload, Offloads};
pub use host::{AutoconfState, Host, HostConfig, HostStats, InterfaceConfig, InterfaceId, Medium};
