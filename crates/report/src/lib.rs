//! A trace and its verdict as text, JSON and pcapng.
//!
//! Everything here is a view: plain data in, bytes out, nothing printed and nothing asked.
//!
//! - [`text`]: for a person at a terminal. Start here.
//! - [`json`]: for programs; stable and versioned.
//! - [`html`]: one page for people who would rather look than read.
//! - [`har`]: the request as browsers' developer tools keep it.
//! - [`qlog`]: the connections, for qvis and other viewers of QUIC.
//! - [`pcapng`]: the packets, with secrets, names and comments, for Wireshark.
//! - [`compare`]: the same request over several HTTP versions, side by side.

pub mod compare;
#[cfg(test)]
mod fixture;
mod frames;
pub mod har;
pub mod html;
pub mod json;
pub mod pcapng;
pub mod qlog;
pub mod text;
