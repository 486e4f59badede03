//! What spans packets: fragments, flows, TCP's order and analysis, messages that go on in the next packet.

pub(crate) mod analysis;
pub(crate) mod fragments;
pub(crate) mod offsets;
pub(crate) mod order;
pub(crate) mod pdus;
pub(crate) mod pending;
pub(crate) mod table;
