//! The `thru` command.
fn main() {}
