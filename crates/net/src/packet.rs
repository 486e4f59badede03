//! Whole packets: sent as they are, and everything that arrives.

use std::io;

use bytes::Bytes;
use thru_wire::{Instant, MacAddr};

use crate::{kernel, own};

/// Sends packets of any making and sees what arrives. One task at a time may receive.
#[derive(Debug)]
pub struct PacketSocket(pub(crate) Socket);

#[derive(Debug)]
pub(crate) enum Socket {
    Kernel(kernel::packet::Socket),
    Own(own::packet::Socket),
}

/// A packet that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it arrived.
    pub at: Instant,
    /// The number of the interface it came by, counted from 0; always 0 on the host's network, which does not tell.
    pub interface: u32,
    /// Whether it begins with an Ethernet header; otherwise with an IP header.
    pub ethernet: bool,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Seen {
    /// From the IP header on; `None` for what is no IP.
    pub fn ip(&self) -> Option<&[u8]> {
        if !self.ethernet {
            return Some(&self.bytes);
        }
        match self.bytes.get(12..14)? {
            [0x08, 0x00] | [0x86, 0xdd] => self.bytes.get(14..),
            _ => None,
        }
    }
}

impl PacketSocket {
    /// Sends a packet that begins with its IP header to the destination it names. On the host's network the kernel
    /// writes IPv4's total length and header checksum itself; our own stack leaves every byte as it is.
    pub async fn send_ip(&self, packet: &[u8]) -> io::Result<()> {
        match &self.0 {
            Socket::Kernel(socket) => socket.send_ip(packet).await,
            Socket::Own(socket) => socket.send_ip(packet),
        }
    }

    /// Sends a packet that begins with its Ethernet header by the network's first interface. The host's network, which
    /// has many, can't.
    pub async fn send_frame(&self, frame: &[u8]) -> io::Result<()> {
        match &self.0 {
            Socket::Kernel(_) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "frames need an interface: iface:NAME"))
            }
            Socket::Own(socket) => socket.send_frame(0, frame),
        }
    }

    /// The same by the interface of that number, counted from 0.
    pub async fn send_frame_by(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        match &self.0 {
            Socket::Kernel(_) => self.send_frame(frame).await,
            Socket::Own(socket) => socket.send_frame(interface, frame),
        }
    }

    /// The hardware address of the first interface, where it has one and is known.
    pub fn hardware_address(&self) -> Option<MacAddr> {
        match &self.0 {
            Socket::Kernel(_) => None,
            Socket::Own(socket) => socket.hardware_address(0),
        }
    }

    /// The same of the interface of that number, counted from 0.
    pub fn hardware_address_of(&self, interface: u32) -> Option<MacAddr> {
        match &self.0 {
            Socket::Kernel(_) => None,
            Socket::Own(socket) => socket.hardware_address(interface),
        }
    }

    /// The next packet that arrives, whoever it is for.
    pub async fn receive(&self) -> io::Result<Seen> {
        match &self.0 {
            Socket::Kernel(socket) => socket.receive().await,
            Socket::Own(socket) => std::future::poll_fn(|cx| socket.poll_receive(cx)).await,
        }
    }
}
