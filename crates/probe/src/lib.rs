//! What asks: resolve, route, connect, secure, request; each writes into the Trace.
//!
//! - [`recorder`]: the list of spans that every probe writes to.
//! - [`resolve`]: names to addresses, with the controls that tell a resolver's fault from a zone's; [`dig`].
//! - [`connect`]: TCP connections, racing as Happy Eyeballs does.
//! - [`ping`], [`route`]: echo requests; the way hop by hop.

pub mod connect;
pub mod dig;
pub mod ping;
pub mod recorder;
pub mod resolve;
pub mod route;

pub use recorder::Recorder;
