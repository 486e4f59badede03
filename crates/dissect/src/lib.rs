//! Captures: files, frames to trees of named fields, filters, streams.
//!
//! It opens nothing and knows no clock: bytes come from the caller, times from the capture. Names of fields are
//! Wireshark's.
//!
//! - [`Dissector`]: packets in, [`Tree`]s out. Start here.
//! - [`mod@file`]: pcap and pcapng, read and written.
//! - [`field`]: what a field is. [`tree`]: the fields that were found.
//! - [`filter`]: display filters and pcap filters, tested on trees or compiled to BPF.
//! - `cursor`, `context`: what a dissector works with. `table`: the form of a small protocol.
//! - `protocols`: a file for each protocol or family.
//! - [`show`]: trees as lines, outlines, hex, JSON and columns.
//! - [`schema`]: `.proto` files, which name protobuf's fields.
//! - `secrets`: key logs. `crypto`: what opens records and packets with them.
//! - [`summary`]: what many packets say together: streams, conversations, ladders, objects.
//! - `streams`: fragments, flows, TCP's order and analysis. `state`: what is remembered, bounded.

mod context;
mod crypto;
mod cursor;
mod dissector;
pub mod field;
pub mod file;
pub mod filter;
mod protocols;
pub mod schema;
mod secrets;
pub mod show;
mod state;
mod streams;
pub mod summary;
mod table;
pub mod tree;

pub use dissector::{Dissector, Meta};
pub use protocols::{fields_named, protocols};
pub use state::Options;
pub use tree::{Arena, Carrier, Field, Piece, Tree, Value};
