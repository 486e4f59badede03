//! What asks: resolve, route, connect, secure, request; each writes into the Trace.
//!
//! - [`journey`]: one request through every layer, with the controls its failure calls for. Start here.
//! - [`recorder`]: the list of spans that every probe writes to.
//! - [`resolve`]: names to addresses, with the controls that tell a resolver's fault from a zone's; [`dig`].
//! - [`connect`]: TCP connections, racing as Happy Eyeballs does.
//! - [`login`]: the one rule for logins in addresses.
//! - [`ping`], [`route`]: echo requests; the way hop by hop.
//! - [`secure`]: TLS, over TCP or inside QUIC, with the chain it showed.
//! - [`send`]: packets of any making, and the answers matched to them.
//! - [`request`]: HTTP/1.1, HTTP/2 and HTTP/3; a page with its objects.

pub mod connect;
pub mod dig;
pub mod journey;
pub mod login;
pub mod ping;
pub mod recorder;
pub mod request;
pub mod resolve;
pub mod route;
pub mod secure;
pub mod send;

#[cfg(test)]
mod testing;

pub use recorder::Recorder;
