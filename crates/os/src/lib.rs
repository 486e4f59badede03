//! The edge to the operating system: the real clock, kernel sockets, entropy. The only crate with unsafe code.
