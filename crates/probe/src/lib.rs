//! What asks: resolve, route, connect, secure, request; each writes into the Trace.
//!
//! - [`recorder`]: the list of spans that every probe writes to.

pub mod recorder;

pub use recorder::Recorder;
