//! Tests of the whole: traces with times, one file per RFC, and a pair of hosts over a bad link.

mod insight;
mod listening;
mod memory;
mod operations;
mod options;
mod pair;
mod reordering;
mod rfc1122;
mod rfc2018;
mod rfc3168;
mod rfc4987;
mod rfc5681;
mod rfc5682;
mod rfc5927;
mod rfc5961;
mod rfc6298;
mod rfc7323;
mod rfc7413;
mod rfc8985;
mod rfc9293;
mod rfc9293_closing;
mod rfc9768;
mod scale;
mod trace;
mod transfer;
mod transitions;
