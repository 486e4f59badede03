//! Names from end to end: stub, recursive resolver and authorities, in virtual time, on loopback, and with real peers.

mod copies;
mod interop;
mod lab;
mod loopback;
mod transports;
mod zones;
