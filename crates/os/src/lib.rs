//! The edge to the operating system. The only crate that may hold `unsafe` code or read a real clock.
//!
//! - [`clock`]: monotonic time and the date.
//! - [`entropy`]: random bytes, repeatable on a thread that runs a lab.
//! - [`datagram`]: UDP and ICMP sockets that tell TTL, ECN and ICMP errors.
//! - [`tcp_info`]: what the kernel knows about a connection.
//! - [`resolv`]: resolv.conf and the hosts file.

#![allow(unsafe_code)]

pub mod clock;
pub mod datagram;
pub mod entropy;
pub mod resolv;
pub mod tcp_info;
