//! AF_XDP sockets (Linux: networking/af_xdp): frames of one station taken off an interface before the kernel's stack
//! sees them, through memory that both share.
//!
//! - [`XdpSocket`]: the device. Start there.
//! - `program`: the few instructions that decide, in the kernel, which frames are ours.
//! - `ring`: the four rings between the kernel and us. `queue`: one receive queue with its memory.
//!
//! Ours are the frames to one hardware address; the kernel keeps all others. Frames to groups (ARP, neighbour
//! discovery, DHCP) are for both: the kernel gets them, and we hear them through a packet socket beside.
//!
//! The program leaves the interface with the socket, however the process ends.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use thru_stack::frame::{Checksum, Frame, Offload, Offloads};
use thru_wire::MacAddr;

use super::packet::{PacketConfig, PacketSocket};
use super::rooms::Rooms;
use super::{Device, Pollable, Properties, Stamps, check};
use crate::{clock, netlink};

mod program;
mod queue;
mod ring;

use program::Redirect;
use queue::{CHUNK, Queue};

/// What an AF_XDP socket is opened with.
#[derive(Clone, Debug)]
pub struct XdpConfig {
    /// The interface.
    pub interface: String,
    /// Whose frames are wanted.
    pub mac: MacAddr,
}

/// AF_XDP on one interface, all of its receive queues.
#[derive(Debug)]
pub struct XdpSocket {
    queues: Vec<Queue>,
    /// Frames to groups.
    beside: PacketSocket,
    /// Readable when one of them is.
    any: OwnedFd,
    /// Keeps the program on the interface.
    _redirect: Redirect,
    properties: Properties,
    zero_copy: bool,
    /// The interface is one end of a wire between kernels: checksums may never have been computed.
    between_kernels: bool,
    stuck: bool,
    rooms: Rooms,
}

/// The kernel puts as much in front of each frame.
const HEADROOM: usize = 256;
/// More queues than this no interface here has; each has memory of its own.
const QUEUES: u32 = 64;

impl XdpSocket {
    /// Opens it: zero-copy where the driver can, else copying. Needs `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`.
    pub fn open(config: &XdpConfig) -> io::Result<XdpSocket> {
        let link = netlink::link(&config.interface)?;
        if link.mtu + 14 > CHUNK - HEADROOM {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("its MTU of {} is more than fits a frame of AF_XDP", link.mtu),
            ));
        }
        let count = link.receive_queues.clamp(1, QUEUES);
        let redirect = Redirect::attach(link.index, config.mac, count)?;
        let mut zero_copy = true;
        let mut queues = Vec::new();
        for number in 0..count {
            let queue = match Queue::open(link.index, number, zero_copy) {
                Err(_) if zero_copy && number == 0 => {
                    zero_copy = false;
                    Queue::open(link.index, number, false)?
                }
                // Of the queues that an interface could have, only the first so many are in use.
                Err(error) if number > 0 && error.raw_os_error() == Some(libc::EINVAL) => break,
                opened => opened?,
            };
            redirect.set(number, queue.fd())?;
            queues.push(queue);
        }
        let beside = PacketConfig { interface: config.interface.clone(), promiscuous: true, offload: false };
        let beside = PacketSocket::open(&beside)?;
        beside.hear_groups_only()?;
        let any = any_of(queues.iter().map(Queue::fd).chain([beside.fd()]))?;
        let properties = Properties {
            offloads: Offloads::default(),
            stamps: Stamps::Fetched,
            ..beside.properties().clone()
        };
        Ok(XdpSocket {
            queues,
            beside,
            any,
            _redirect: redirect,
            properties,
            zero_copy,
            between_kernels: link.kind == "veth",
            stuck: false,
            rooms: Rooms::new(),
        })
    }

    /// Whether the driver puts frames directly into our memory.
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    fn offload_of(&self, frame: &[u8]) -> Offload {
        if self.between_kernels
            && let Some(checksum) = unfinished(frame)
        {
            return Offload { segmentation: None, checksum };
        }
        Offload::NONE
    }
}

impl Device for XdpSocket {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        let rx_time = clock::now();
        let mut count = 0;
        for index in 0..self.queues.len() {
            while count < limit {
                let Some(bytes) = self.queues[index].receive() else { break };
                let bytes = self.rooms.copy(bytes);
                self.queues[index].received();
                let offload = self.offload_of(&bytes);
                frames.push(Frame { offload, ..Frame::new(bytes, rx_time) });
                count += 1;
            }
            self.queues[index].refill();
        }
        Ok(count + self.beside.recv_batch(frames, limit - count)?)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let queue = &mut self.queues[0];
        let mut sent = 0;
        loop {
            queue.complete();
            let mut staged = 0;
            while let Some(frame) = frames.front() {
                if !queue.stage(&frame.bytes) {
                    break;
                }
                frames.pop_front();
                staged += 1;
            }
            sent += staged;
            let done = queue.flush()?;
            if frames.is_empty() || staged == 0 {
                self.stuck = !done || !frames.is_empty();
                return Ok(sent);
            }
        }
    }

    fn is_stuck(&self) -> bool {
        self.stuck
    }
}

impl Pollable for XdpSocket {
    fn fd(&self) -> RawFd {
        self.any.as_raw_fd()
    }
}

/// A descriptor that is readable when one of these is.
fn any_of(fds: impl Iterator<Item = RawFd>) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is ours from here on.
    let any = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
    for fd in fds {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: `event` is a valid value that the kernel only reads.
        check(unsafe { libc::epoll_ctl(any.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
    }
    Ok(any)
}

/// The checksum of a TCP or UDP packet that its sender left for a network card to finish: the field holds the sum of
/// the pseudo header alone. What a kernel sends to another over a virtual wire never meets a card, and AF_XDP does not
/// tell. Packets with extension headers are left to be verified.
fn unfinished(frame: &[u8]) -> Option<Checksum> {
    let ip = frame.get(14..)?;
    let (protocol, header, addresses, length) = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let header = usize::from(ip.first()? & 15) * 4;
            let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            (*ip.get(9)?, header, ip.get(12..20)?, total.checked_sub(header)?)
        }
        [0x86, 0xdd] => {
            let length = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            (*ip.get(6)?, 40, ip.get(8..40)?, length)
        }
        _ => return None,
    };
    let offset = match protocol {
        6 => 16,
        17 => 6,
        _ => return None,
    };
    let start = 14 + header;
    let field = frame.get(start + offset..start + offset + 2)?;
    let mut sum = u64::from(protocol) + length as u64;
    for pair in addresses.chunks_exact(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (field == (sum as u16).to_be_bytes())
        .then_some(Checksum::Partial { start: start as u16, offset: offset as u16 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN from 192.0.2.1 to 192.0.2.2 as a kernel hands it to a card: the field holds 0x844c, the sum of the pseudo
    /// header.
    #[test]
    fn a_checksum_that_was_left_to_a_card_is_recognised() {
        let mut frame = vec![0; 14 + 20 + 20];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[16..18].copy_from_slice(&40_u16.to_be_bytes());
        frame[23] = 6;
        frame[26..34].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
        assert_eq!(unfinished(&frame), None);
        // 0xc000 + 0x0201 + 0xc000 + 0x0202 + 6 + 20, folded.
        frame[50..52].copy_from_slice(&0x841e_u16.to_be_bytes());
        assert_eq!(unfinished(&frame), Some(Checksum::Partial { start: 34, offset: 16 }));
        for cut in 0..frame.len() {
            let _ = unfinished(&frame[..cut]);
        }
        frame[14] = 0x4f;
        assert_eq!(unfinished(&frame), None, "its options reach beyond its end");
    }
}
