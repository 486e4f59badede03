//! A trace and its verdict as text, JSON and pcapng.
//!
//! Everything here is a view: plain data in, bytes out, nothing printed and nothing asked.
//!
//! - [`text`]: for a person at a terminal. Start here.
//! - [`json`]: for programs; stable and versioned.
//! - [`pcapng`]: the packets, with secrets, names and comments, for Wireshark.
//! - [`compare`]: the same request over several HTTP versions, side by side.

pub mod compare;
#[cfg(test)]
mod fixture;
pub mod json;
pub mod pcapng;
pub mod text;
