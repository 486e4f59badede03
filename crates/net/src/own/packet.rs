//! Whole packets of our own stack.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use thru_stack::raw::{RawError, RawId, RawProtocol};
use thru_stack::{Host, InterfaceId, Medium};
use thru_wire::MacAddr;

use super::{Driver, OwnNetwork, with};
use crate::packet::{PacketSocket, Seen, Socket as AnySocket};

pub(crate) fn open(own: &Arc<OwnNetwork>) -> io::Result<PacketSocket> {
    let interfaces = own.with(|host, _| {
        let mediums = (0..).map_while(|number| {
            let id = InterfaceId(number);
            host.interface(id).map(|interface| (id, interface.medium == Medium::Ethernet))
        });
        let mediums: Vec<(InterfaceId, bool)> = mediums.collect();
        let open = |(id, ethernet): (InterfaceId, bool), host: &mut Host| {
            host.raw_open(RawProtocol::Link(id)).map(|socket| (socket, ethernet))
        };
        mediums.into_iter().map(|interface| open(interface, host)).collect::<Result<Vec<_>, _>>()
    });
    let sockets = interfaces.map_err(io_error)?;
    if sockets.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "this host has no interface"));
    }
    Ok(PacketSocket(AnySocket::Own(Socket { driver: own.driver.clone(), sockets })))
}

/// One socket. Dropping it closes it.
pub struct Socket {
    driver: Arc<dyn Driver>,
    /// One for each interface, and whether that has Ethernet headers.
    sockets: Vec<(RawId, bool)>,
}

impl Socket {
    pub(crate) fn send_ip(&self, packet: &[u8]) -> io::Result<()> {
        let packet = Bytes::copy_from_slice(packet);
        with(&*self.driver, |host, now| host.raw_send_as_is(now, packet)).map_err(io_error)
    }

    pub(crate) fn send_frame(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        let Some(&(id, ethernet)) = self.sockets.get(interface as usize) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "this host has no such interface"));
        };
        if !ethernet {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this interface has no Ethernet headers"));
        }
        let frame = Bytes::copy_from_slice(frame);
        with(&*self.driver, |host, now| host.raw_send(now, id, frame)).map_err(io_error)
    }

    pub(crate) fn hardware_address(&self, interface: u32) -> Option<MacAddr> {
        let &(_, ethernet) = self.sockets.get(interface as usize)?;
        let id = InterfaceId(interface);
        let mac = with(&*self.driver, |host, _| host.interface(id).map(|interface| interface.mac));
        mac.filter(|_| ethernet)
    }

    pub(crate) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        with(&*self.driver, |host, _| {
            for (interface, (id, ethernet)) in (0..).zip(&self.sockets) {
                if let Some(packet) = host.raw_receive(*id) {
                    return Poll::Ready(Ok(Seen {
                        at: packet.rx_time,
                        interface,
                        ethernet: *ethernet,
                        bytes: packet.packet,
                    }));
                }
                host.raw_waker(*id, cx.waker());
            }
            Poll::Pending
        })
    }
}

fn io_error(error: RawError) -> io::Error {
    match error {
        RawError::NoRoute => io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the destination"),
        RawError::Malformed => io::Error::new(io::ErrorKind::InvalidInput, "not a packet that could be sent"),
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        with(&*self.driver, |host, _| {
            for (id, _) in &self.sockets {
                host.raw_close(*id);
            }
        });
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({} interfaces)", self.sockets.len())
    }
}
