//! Packet formats: a *view* shows any bytes and never fails on nonsense fields, a *value* is always legal.
//!
//! Start with [`ipv4`] or [`tcp`]: each protocol's module has a `View` over bytes, a value type,
//! and the conversion between them. Nothing here performs I/O or knows a clock; views never allocate.
//!
//! - [`address`]: MAC addresses, prefixes, and what kind of address an address is.
//! - [`checksum`]: the Internet checksum (RFC 1071), pseudo headers, incremental update (RFC 1624).
//! - [`ethernet`], [`arp`], [`ipv4`], [`ipv6`], [`icmpv4`], [`icmpv6`], [`ndp`], [`udp`], [`tcp`]: the formats.
//! - [`error`]: why bytes could not be understood: which layer, where, and which length field lied.
//! - [`packet`]: building by layering, `ethernet / ip / tcp / payload`.
//! - [`time`]: the instant at which a frame was seen.

pub mod address;
pub mod arp;
pub mod checksum;
pub mod error;
pub mod ethernet;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod ndp;
pub mod packet;
pub mod tcp;
pub mod time;
pub mod udp;

pub use address::{Cidr, IpPrefix, MacAddr};
pub use error::ParseError;
pub use time::Instant;
