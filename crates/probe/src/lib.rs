//! What asks: resolve, route, connect, secure, request; each writes into the Trace.
//!
//! - [`recorder`]: the list of spans that every probe writes to.
//! - [`connect`]: TCP connections, racing as Happy Eyeballs does.
//! - [`ping`], [`route`]: echo requests; the way hop by hop.

pub mod connect;
pub mod ping;
pub mod recorder;
pub mod route;

pub use recorder::Recorder;
