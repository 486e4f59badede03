//! Scripts in the packetdrill language, run over our own stack in virtual time and without privileges.
//!
//! - [`parse`](parse()): from text to a [`script::Script`]; every error names its line.
//! - [`run`](run()): carries a script out against a [`thru_stack::Host`] and says [`Verdict::Pass`],
//!   [`Verdict::Fail`] or [`Verdict::Skip`], with the reason and the line. What can't apply is skipped, never passed.
//! - [`persona`]: values with which one stack is held against scripts written for Linux or for FreeBSD.
//!
//! `text` cuts a script into tokens; `code` is the part of Python that code blocks are written in. Inside `run`: `flow`
//! (a connection as the script numbers it), `inject` (packets to the host), `observed` and `expect` (packets from it),
//! `kernel` (system calls over the host), `info` (what code blocks may ask for), `shell` and `sysctl` (what shell lines
//! mean), `settings` and `values`.

mod code;
mod parse;
pub mod persona;
mod run;
pub mod script;
mod text;

pub use parse::{Error, parse};
pub use persona::Persona;
pub use run::{Options, Outcome, Verdict, run};
