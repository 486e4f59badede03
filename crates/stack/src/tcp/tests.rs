//! Tests of the whole: traces with times, one file per RFC, and a pair of hosts over a bad link.

mod pair;
mod transfer;
