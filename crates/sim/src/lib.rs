//! A simulated network: an event queue in nanoseconds, links with impairments, switches, routers, NAT.
//!
//! Same topology, same calls, same seed: same packets, to the byte and the nanosecond.
//! Start with [`World`].
//!
//! - [`world`]: nodes, links and the loop; [`LinkEnd`]: the end of a link as a device, for hosts outside.
//! - [`link`]: the impairment pipeline in its fixed order.
//! - [`queue`]: drop-tail, drop-head, RED, CoDel, FQ-CoDel, PIE.
//! - [`switch`]: a learning switch with VLANs.
//! - [`nat`]: NAT44 with connection tracking, as a hook of a router's stack.
//! - [`nat64`]: IPv6 hosts reach IPv4 ones, as a hook on top of that.
//! - [`firewall`]: rules as a hook.
//! - [`chain`]: several hooks as one.
//! - [`tap`]: what was seen on a link, and what became of it.
//! - [`event`]: the queue of things to come, ordered by (time, lane, sequence).

pub mod chain;
mod digest;
pub mod event;
pub mod firewall;
mod frames;
pub mod link;
pub mod nat;
pub mod nat64;
pub mod queue;
mod rewrite;
pub mod switch;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod world;

pub use chain::Chain;
pub use link::{Direction, LinkConfig, Pipe};
pub use tap::{DropReason, Sighting};
pub use world::{LinkEnd, LinkId, NodeId, World};
