//! `thru serve dns` and `thru dns` as a user meets them, with programs that we did not write.
//!
//! Every test lives in a network namespace of its own, where all of 127.0.0.0/8 and port 53 are free.

mod house;
mod interop;
mod rolling;
mod secondary;
mod serving;
mod tools;
mod updates;
mod zones;
