//! ARP and NDP with reachability (RFC 826, RFC 4861).
//!
//! - [`cache`]: the states of a neighbour; packets that wait for an address. What goes over the wire is
//!   `host/neighbors.rs`.
//!
//! Deliberately absent: router discovery and redirects (addresses and routes are configured), duplicate address
//! detection, proxy ARP and MLD reports (switches here don't snoop).

pub(crate) mod cache;
