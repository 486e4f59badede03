//! The catalogue of faults beside the labs: which causes the labs show, and which lookalikes of each.

mod covered;
mod ground;
mod lookalikes;
