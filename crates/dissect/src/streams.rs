//! What spans packets: fragments, flows, TCP's order and analysis.

pub(crate) mod analysis;
pub(crate) mod fragments;
pub(crate) mod order;
pub(crate) mod table;
