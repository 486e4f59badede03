//! DNS as machines that take the time as an argument: zones, cache, iterative resolution, validation.
//!
//! Everything here is fed bytes and instants and returns bytes and instants; sockets live in `serve` and `probe`.
//!
//! - [`zone`]: a zone read from a master file, and the lookup that knows delegations and wildcards.
//! - [`responder`]: an authoritative server for several zones: query bytes in, answer bytes out. Start here to serve.
//! - [`authority`]: the same for zones that are signed already, in wire form.
//! - [`resolver`]: the iterative resolver: root hints, referrals, cache, retries. Start here to ask.
//! - [`dnssec`]: signatures, keys and denials of existence: what the resolver validates with.
//! - [`service`]: the resolver as a service to clients: who may ask, local zones, DNS64, stale answers.
//! - [`packed`]: answers kept as octets for the questions that come most.
//! - [`replay`]: scripts of queries and scripted servers, run against the resolver with a clock of their own.
//! - [`wire`], [`rdata`], [`rrset`]: messages, record data and record sets, kept as they came so that signatures hold.
//! - [`message`]: what both sides share about messages: checked decoding, sizes, extended errors.
//! - [`prefixes`]: values by address prefix.
//! - [`text`]: names, types and records in master-file form, safe to print.

pub mod authority;
pub mod dnssec;
pub mod message;
pub mod packed;
pub mod prefixes;
pub mod rdata;
pub mod replay;
pub mod resolver;
pub mod responder;
pub mod rrset;
pub mod service;
pub mod text;
pub mod wire;
pub mod zone;

pub use hickory_proto as proto;
