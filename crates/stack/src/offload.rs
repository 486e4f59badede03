//! Segmentation offload: one large segment in place of many packets, as far as the way allows.
//!
//! - [`train`]: how segments leave TCP together; cut again where the host itself has to.
//! - [`segment`]: a super-segment into the packets it stands for; what a link, an impairment, a queue, a tap or a
//!   device without offload needs.
//! - [`coalesce`]: the other way, for what arrives in a row.
//! - what travels with a frame: [`Offload`](crate::frame::Offload).

pub mod coalesce;
pub mod segment;
pub mod train;

pub use coalesce::Coalescer;
pub use segment::Segments;
pub use train::{Pieces, Train};
