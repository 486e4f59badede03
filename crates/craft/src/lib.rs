//! Packets written as expressions: `ip(dst=192.0.2.1)/tcp(dport=80,flags=S)`.
//!
//! What is left out is computed (lengths, checksums, the number of what follows); what is written stays, even if it is
//! wrong. Fields have Wireshark's names or an RFC's. A list (`ttl=[1,2,3]`), a range (`dport=1-1024`) or a prefix
//! (`dst=192.0.2.0/30`) stands for one packet each.
//!
//! ```
//! let plan = thru_craft::Plan::parse("ip(dst=192.0.2.1)/udp(dport=[53,123])/\"hello\"").unwrap();
//! assert_eq!(plan.count(), 2);
//! let bytes = plan.nth(1).unwrap().bytes().unwrap();
//! assert_eq!((bytes.len(), bytes[9], bytes[23]), (20 + 8 + 5, 17, 123));
//! ```
//!
//! - [`Plan`]: an expression, understood: a set of packets. Start here. [`CraftError`] points at its column.
//! - [`Packet`]: one of them: layers with what was written, and [`Packet::bytes`].
//! - [`describe()`]: the way back, from any bytes to an expression that makes exactly these.
//! - [`mutate`]: a packet with some of it changed at random, by a seed.
//! - [`layout`]: the layers and their fields, as tables. `text`: the grammar. `value`, `option`, `name`: what stands
//!   behind `=`. `build`: from the inside out.

mod build;
pub mod describe;
mod error;
pub mod layout;
pub mod mutate;
mod name;
mod option;
mod packet;
mod plan;
mod tables;
mod text;
mod value;

pub use describe::{First, describe};
pub use error::CraftError;
pub use packet::{Layer, Packet};
pub use plan::Plan;

#[cfg(test)]
mod tests;
