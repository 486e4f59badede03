//! The edge to the operating system. The only crate that may hold `unsafe` code or read a real clock.
//!
//! - [`clock`]: monotonic time and the date.
//! - [`entropy`]: random bytes, repeatable on a thread that runs a lab.

pub mod clock;
pub mod entropy;
