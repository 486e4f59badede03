//! MAC addresses, prefixes, and what kind of address an address is.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

/// An IPv4 or IPv6 prefix: the host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix { network: IpAddr, len: u8 }

/// An interface address with the length of its on-link prefix, as in `192.0.2.7/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr { address: IpAddr, len: u8 }

/// What kind of address an address is (the most specific answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category { Unspecified, Loopback, Private, SharedCgnat, LinkLocal, UniqueLocal, Documentation, Benchmarking, Mapped, Nat64, SixToFour, Teredo, Discard, Multicast, Broadcast, Reserved, Global }
