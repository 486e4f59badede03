//! For tests only: our trees of fields beside tshark's.
//!
//! - [`Report`]: captures are compared into it. Start here.
//! - [`Difference`]: what differs. [`Reasons`]: why it may, capture by capture; [`Classes`]: in any. [`Verdict`]: whose matter it is.
//! - [`pdml`]: what tshark says of a capture.
//! - [`practice`]: a folder of captures of which nothing is expected.
//! - [`page`]: the table of `docs/dissect.md`, which is made of reports.

mod classes;
mod compare;
pub mod page;
pub mod pdml;
pub mod practice;
mod reasons;

pub use classes::{Classes, Verdict};
pub use compare::{Difference, Lenient, Report, Row, fits};
pub use reasons::Reasons;
