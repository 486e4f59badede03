//! Replay scripts (`.rpl`, the format of unbound's testbound): a resolver among scripted peers, on a mocked clock.
//!
//! A script has a configuration, answers that servers give in ranges of steps, and steps: a client asks, time passes,
//! a question leaves, an answer is checked. No sockets, no clock: the resolver's outputs go to the script, and the
//! script's packets go to the resolver.
//!
//! - [`run`]: a script's text to an [`Outcome`]. Start here.
//! - [`script`]: the parser; [`entry`]: packets with what of them has to match; [`macros`]: `${$t0 + 3600}`.
//! - [`settings`]: the configuration at the top, mapped to our resolver's. What it can't express is a skip with a
//!   reason, never a pass. [`configured`] reads the same for a server that is no script's.
//!
//! Differences from testbound: the order of records inside a section is not compared (a set has none), nor is the
//! payload size in EDNS.

pub mod entry;
pub mod macros;
mod runner;
pub mod script;
mod settings;

pub use runner::{Outcome, run};
pub use settings::configured;

#[cfg(test)]
mod tests;
