//! Whole packets beside the kernel's own protocols.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thru_os::raw::{RawSender, Sniffer};
use tokio::io::unix::AsyncFd;

use crate::packet::{PacketSocket, Seen, Socket as AnySocket};

pub(crate) fn open() -> io::Result<PacketSocket> {
    let sender = RawSender::new()?;
    let sniffer = Sniffer::new()?;
    let watched = thru_os::watch::watch(sniffer.as_raw_fd())?;
    Ok(PacketSocket(AnySocket::Kernel(Socket { sender, sniffer: Mutex::new(sniffer), watched })))
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    sender: RawSender,
    sniffer: Mutex<Sniffer>,
    watched: AsyncFd<OwnedFd>,
}

/// How long to wait for a full queue, and how often.
const FULL: (Duration, u32) = (Duration::from_millis(1), 1_000);

impl Socket {
    pub(crate) async fn send_ip(&self, packet: &[u8]) -> io::Result<()> {
        let mut tries = 0;
        loop {
            match self.sender.send(packet) {
                // ENOBUFS: the interface's queue is full; nobody tells when it no longer is.
                Err(error) if tries < FULL.1 && is_full(&error) => {
                    tries += 1;
                    tokio::time::sleep(FULL.0).await;
                }
                result => return result,
            }
        }
    }

    pub(crate) async fn receive(&self) -> io::Result<Seen> {
        const IPV4: u16 = 0x0800;
        const IPV6: u16 = 0x86dd;
        loop {
            let mut ready = self.watched.readable().await?;
            let sniffed = self.sniffer.lock().unwrap_or_else(PoisonError::into_inner).receive();
            match sniffed {
                Ok(packet) if matches!(packet.ethertype, IPV4 | IPV6) => {
                    return Ok(Seen { at: packet.at, interface: 0, ethernet: false, bytes: packet.bytes });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    const ENOBUFS: i32 = 105;
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(ENOBUFS)
}
