//! The edge to the operating system. The only crate that may hold `unsafe` code or read a real clock.
//!
//! - [`clock`]: monotonic time and the date.
//! - [`entropy`]: random bytes, repeatable on a thread that runs a lab.
//! - [`datagram`]: UDP and ICMP sockets that tell TTL, ECN and ICMP errors.
//! - [`batch`]: UDP for servers: many datagrams at one call.
//! - [`raw`]: whole IP packets past the kernel's protocols.
//! - [`knock`]: TCP handshakes with a TTL of our choice.
//! - [`schedule`]: being on time.
//! - [`tcp_info`]: what the kernel knows about a connection.
//! - [`resolv`]: resolv.conf and the hosts file.
//! - [`device`]: interfaces as batches of frames: TUN, TAP, packet sockets with rings, AF_XDP, recordings.
//! - [`capture`]: hearing what passes an interface or all. [`owners`]: whose sockets they are.
//! - `af_packet`: what both of these need of packet sockets.
//! - [`privileges`]: giving up rights. [`signals`]: signals to wait on.
//! - [`bpf`]: programs in the kernel.
//! - [`netlink`]: links, addresses and routes of this network namespace.
//! - [`namespace`]: fresh network namespaces, without root where the kernel allows it.
//! - [`process`]: children that do not outlive us.
//! - [`timer`]: wakes exact to the clock, not to tokio's millisecond. [`watch`]: descriptors under tokio's eyes.

#![allow(unsafe_code)]

mod af_packet;
pub mod batch;
pub mod bpf;
pub mod capture;
pub mod clock;
pub mod datagram;
pub mod device;
pub mod entropy;
pub mod knock;
pub mod namespace;
pub mod netlink;
pub mod owners;
pub mod privileges;
pub mod process;
pub mod raw;
pub mod resolv;
pub mod schedule;
pub mod signals;
pub mod tcp_info;
pub mod timer;
pub mod watch;
