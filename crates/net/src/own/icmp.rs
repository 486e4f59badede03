//! Echo sockets of our own stack.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::OwnNetwork;
use crate::icmp::{IcmpEvent, IcmpSocket};

pub(crate) fn open(_own: &Arc<OwnNetwork>, _to: IpAddr) -> io::Result<IcmpSocket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// One socket.
#[derive(Debug)]
pub struct Socket {}

impl Socket {
    pub(crate) fn send_echo(&self, _: IpAddr, _: u16, _: Option<u8>, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn poll_receive(&self, _: &mut Context<'_>) -> Poll<io::Result<IcmpEvent>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
