//! Segmentation offload: one large segment in place of many packets, as far as the way allows.
//!
//! - [`segment`]: a super-segment into the packets it stands for; what a link, an impairment, a queue, a tap or a
//!   device without offload needs.
//! - what travels with a frame: [`Offload`](crate::frame::Offload).

pub mod segment;

pub use segment::Segments;
