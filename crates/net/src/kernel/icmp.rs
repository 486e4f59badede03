//! Echo sockets of the kernel.

use std::io;
use std::net::IpAddr;

use crate::icmp::{IcmpEvent, IcmpSocket};

pub(crate) fn open(_to: IpAddr) -> io::Result<IcmpSocket> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "echo requests on the host network are not supported yet"))
}

/// One socket.
#[derive(Debug)]
pub struct Socket {}

impl Socket {
    pub(crate) async fn send_echo(&self, _: IpAddr, _: u16, _: Option<u8>, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) async fn receive(&self) -> io::Result<IcmpEvent> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
