//! Scenario files, and the internet that is built in.
//!
//! A scenario says in TOML which nodes there are, how they are joined, what runs on them, what changes when,
//! and what must be true. Start with [`Scenario`].
//!
//! - [`scenario`]: the checked model; reading it, addresses, routes, services, timeline, checks.
//! - [`link`]: the language of links and the built-in profiles.
//! - [`units`], [`date`], [`prefix`]: quantities, dates and prefixes as people write them.
//! - [`source`]: errors that point at their place and say the way out.
//! - [`internet`]: a scenario, running in virtual time: the network, its services, its faults, its tap.
//! - [`run`]: a request on it, from start to verdict; and the checks of a scenario.
//! - [`score`]: how often the diagnosis is right, over labs and seeds.
//! - [`builtin`]: the labs inside the binary. [`random`]: labs made up by chance, that nobody has seen before.

pub mod builtin;
pub mod date;
pub mod internet;
mod item;
pub mod link;
pub mod prefix;
pub mod random;
pub mod run;
pub mod scenario;
pub mod score;
pub mod source;
pub mod units;

pub use internet::Internet;
pub use scenario::Scenario;
pub use source::Error;
