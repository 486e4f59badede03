//! A capture on a screen: a list of packets, the tree and the bytes of one of them. Keys in, cells out.
//!
//! It opens nothing and knows no terminal: whoever owns those gives a way to read the capture from its start
//! ([`Capture`]), keys and spare time, and shows the cells.
//!
//! - [`Browser`]: the machine. Start here. [`Key`]: what it hears.
//! - `pass`: the capture's packets from the first on. Everything below is made of passes.
//! - `scan`: which packets pass the filter, which are in trouble; `hits`: their numbers, a bit each.
//! - `window`: rows and trees of the packets on the screen. `row`, `detail`: one packet. `mark`: what is wrong with it.
//! - `stream`: what was said on a stream. `prompt`: a line that is typed. `complete`: names of fields.
//! - `draw`: cells.
//!
//! Memory does not grow with the capture, but for a bit a packet. A packet means what it means because of those before
//! it (streams are numbered, numbers are relative, messages are put together), so nothing is dissected out of order:
//! a jump back reads again from the first packet, a million packets a second, and keeps what is around the target.

mod browser;
mod complete;
mod detail;
mod draw;
mod hits;
mod key;
mod mark;
mod pass;
mod prompt;
mod row;
mod scan;
mod stream;
mod tree;
mod window;

pub use browser::{Browser, Next};
pub use key::Key;
pub use pass::{Capture, Open};

#[cfg(test)]
mod tests;
