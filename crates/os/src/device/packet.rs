//! Packet sockets (packet(7)) with memory-mapped rings: frames of an existing interface, beside the kernel's own
//! stack. Frames cross into and out of the rings without a system call each.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use thru_stack::frame::{Checksum, Frame, Offload};
use thru_wire::Instant;

use super::rooms::Rooms;
use super::{Device, Pollable, Properties, Stamps, batch, offloads, virtio};
use crate::af_packet::{self, AfPacket, Instruction, Mapping, Plain, Version};
use crate::{clock, netlink};

/// What a packet socket is opened with.
#[derive(Clone, Debug)]
pub struct PacketConfig {
    /// The interface.
    pub interface: String,
    /// Hear frames for other stations too: needed if the station has a hardware address of its own.
    pub promiscuous: bool,
    /// Let the kernel cut super-segments. Those that come are taken in any case: on a virtual wire, and where the
    /// interface coalesces, they do.
    pub offload: bool,
}

/// A packet socket on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    socket: AfPacket,
    properties: Properties,
    with_header: bool,
    ring: Ring,
    receive_slot: usize,
    send_slot: usize,
    /// Frames that stand in the ring although the kernel was told to send.
    stuck: bool,
    /// For frames that do not fit a slot.
    large: Vec<u8>,
    rooms: Rooms,
    /// Frames that the kernel had no room for, ever.
    dropped: u64,
}

const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;
const STATUS_COPY: u32 = 1 << 1;
const STATUS_CHECKSUM_NOT_READY: u32 = 1 << 3;
const STATUS_CHECKSUM_VALID: u32 = 1 << 7;
const STATUS_SEND_REQUEST: u32 = 1;
const STATUS_WRONG_FORMAT: u32 = 4;
/// `TPACKET2_HDRLEN` without the address behind it: where a frame to send begins in its slot.
const SEND_AT: usize = 32;

/// Largest frame with its headers.
const LARGE: libc::c_int = (virtio::LEN + 14 + 65_536) as libc::c_int;

/// `struct tpacket_req`.
#[repr(C)]
#[derive(Clone, Copy)]
struct RingRequest {
    block_size: u32,
    blocks: u32,
    frame_size: u32,
    frames: u32,
}

// SAFETY: four numbers of the same size.
unsafe impl Plain for RingRequest {}

/// `struct tpacket2_hdr`.
#[repr(C)]
struct SlotHeader {
    status: AtomicU32,
    len: u32,
    captured: u32,
    mac: u16,
    net: u16,
    seconds: u32,
    nanos: u32,
    vlan_tci: u16,
    vlan_tpid: u16,
    padding: [u8; 4],
}

impl PacketSocket {
    /// Opens it. Needs `CAP_NET_RAW` in this network namespace.
    pub fn open(config: &PacketConfig) -> io::Result<PacketSocket> {
        let link = netlink::link(&config.interface)?;
        let socket = AfPacket::open(libc::SOCK_RAW, Version::Slots)?;
        let with_header = socket.set(af_packet::VNET_HDR, &1_i32).is_ok();
        // Malformed frames are passed over instead of stopping the ring.
        socket.set(af_packet::LOSS, &1_i32)?;
        let _ = socket.set(af_packet::IGNORE_OUTGOING, &1_i32);
        let _ = socket.set(af_packet::QDISC_BYPASS, &1_i32);
        let offload = config.offload && with_header;
        // Frames that do not fit a slot wait in the socket's queue, whole.
        socket.set(af_packet::COPY_THRESH, &LARGE)?;
        enlarge(&socket);
        let (receive, send) = (Ring::request(false), Ring::request(offload));
        socket.set(af_packet::RX_RING, &receive)?;
        socket.set(af_packet::TX_RING, &send)?;
        let ring = Ring { memory: socket.map(receive.length() + send.length())?, receive, send };
        socket.bind(link.index)?;
        if config.promiscuous {
            socket.promiscuous(link.index)?;
        }
        let properties = Properties {
            name: config.interface.clone(),
            ethernet: true,
            mac: link.mac,
            mtu: link.mtu,
            offloads: offloads(with_header, offload),
            stamps: Stamps::Kernel,
        };
        Ok(PacketSocket {
            socket,
            properties,
            with_header,
            ring,
            receive_slot: 0,
            send_slot: 0,
            stuck: false,
            large: Vec::new(),
            rooms: Rooms::new(),
            dropped: 0,
        })
    }

    /// Frames that the kernel had to drop because the ring was full, since the socket was opened.
    pub fn dropped(&mut self) -> u64 {
        self.dropped += self.socket.counts().1;
        self.dropped
    }

    /// Hears only frames to groups from now on; some that wait already may be others.
    pub fn hear_groups_only(&self) -> io::Result<()> {
        /// Load the first byte; if its lowest bit is set take all of the frame, else nothing.
        const PROGRAM: [Instruction; 4] =
            [(0x30, 0, 0, 0), (0x45, 0, 1, 1), (0x06, 0, 0, u32::MAX), (0x06, 0, 0, 0)];
        self.socket.filter(&PROGRAM)
    }

    fn receive(&mut self, clocks: Clocks) -> Option<Frame> {
        loop {
            if let Some(frame) = self.empty_slot(clocks)? {
                return Some(frame);
            }
        }
    }

    /// Gives the next slot back to the kernel. `None`: there is none; `Some(None)`: a part of its frame is lost, and with it
    /// the frame.
    fn empty_slot(&mut self, clocks: Clocks) -> Option<Option<Frame>> {
        let slot = self.ring.receive_slot(self.receive_slot);
        // SAFETY: the slot lies in the mapping, is aligned, and begins with this header; its status is atomic because
        // the kernel writes it too.
        let header = unsafe { &*slot.cast::<SlotHeader>() };
        let status = header.status.load(Ordering::Acquire);
        if status & STATUS_USER == 0 {
            return None;
        }
        let size = self.ring.receive.frame_size as usize;
        let room = size.saturating_sub(usize::from(header.mac));
        let captured = (header.captured as usize).min(room);
        // SAFETY: while the status says so the slot is ours; the range was bounded by the slot.
        let data = unsafe { std::slice::from_raw_parts(slot.add(usize::from(header.mac)), captured) };
        let mut offload = Offload::NONE;
        if self.with_header && usize::from(header.mac) >= virtio::LEN {
            // SAFETY: the header stands directly before the frame, within the slot.
            let bytes = unsafe {
                let at = slot.add(usize::from(header.mac) - virtio::LEN);
                &*at.cast::<[u8; virtio::LEN]>()
            };
            offload = virtio::read(bytes);
        } else if status & (STATUS_CHECKSUM_NOT_READY | STATUS_CHECKSUM_VALID) != 0 {
            offload.checksum = Checksum::Verified;
        }
        let rx_time = clocks.instant(header.seconds, header.nanos);
        let whole = header.captured == header.len;
        let bytes = whole.then(|| self.rooms.copy(data));
        header.status.store(STATUS_KERNEL, Ordering::Release);
        self.receive_slot = (self.receive_slot + 1) % self.ring.receive.frames as usize;
        let whole = match bytes {
            Some(bytes) => Some((bytes, offload)),
            None if status & STATUS_COPY == 0 => None,
            None => self.receive_large(),
        };
        Some(whole.map(|(bytes, offload)| Frame { offload, ..Frame::new(bytes, rx_time) }))
    }

    /// The next frame of the socket's queue: one that did not fit its slot.
    fn receive_large(&mut self) -> Option<(Bytes, Offload)> {
        self.large.resize(LARGE as usize, 0);
        // SAFETY: pointer and length describe the buffer.
        let read = unsafe {
            let (fd, at) = (self.socket.fd(), self.large.as_mut_ptr().cast());
            libc::recv(fd, at, self.large.len(), libc::MSG_DONTWAIT)
        };
        let bytes = &self.large[..usize::try_from(read).ok()?];
        if !self.with_header {
            return Some((self.rooms.copy(bytes), Offload::NONE));
        }
        let (header, frame) = bytes.split_first_chunk()?;
        Some((self.rooms.copy(frame), virtio::read(header)))
    }

    /// Writes a frame into the next slot: `false` if the kernel still holds it.
    fn stage(&mut self, frame: &Frame) -> bool {
        let slot = self.ring.send_slot(self.send_slot);
        // SAFETY: as in `receive`.
        let header = unsafe { &mut *slot.cast::<SlotHeader>() };
        let status = header.status.load(Ordering::Acquire);
        if status != STATUS_KERNEL && status & STATUS_WRONG_FORMAT == 0 {
            return false;
        }
        let front = if self.with_header { virtio::LEN } else { 0 };
        let parts = frame.parts();
        let total = front + parts.iter().map(|part| part.len()).sum::<usize>();
        if SEND_AT + total > self.ring.send.frame_size as usize {
            // Larger than any slot: it can never leave.
            return true;
        }
        // SAFETY: the slot is ours while its status says so, and the range was bounded by the slot.
        let room = unsafe { std::slice::from_raw_parts_mut(slot.add(SEND_AT), total) };
        let mut at = front;
        for part in parts {
            room[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        if self.with_header {
            room[..front].copy_from_slice(&virtio::write(frame.offload, frame.is_v6(true)));
        }
        header.len = total as u32;
        header.status.store(STATUS_SEND_REQUEST, Ordering::Release);
        self.send_slot = (self.send_slot + 1) % self.ring.send.frames as usize;
        true
    }

    /// Tells the kernel to send what stands in the ring.
    fn flush(&mut self) -> io::Result<()> {
        // SAFETY: no data is given: the ring holds it.
        let result = unsafe { libc::send(self.socket.fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT) };
        let frames = self.ring.send.frames as usize;
        let last = self.ring.send_slot((self.send_slot + frames - 1) % frames);
        // SAFETY: the slot lies in the mapping and begins with its status.
        let status = unsafe { &*last.cast::<AtomicU32>() }.load(Ordering::Acquire);
        self.stuck = status == STATUS_SEND_REQUEST;
        if result >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENETDOWN | libc::EMSGSIZE | libc::EINVAL) => Ok(()),
            _ => Err(error),
        }
    }
}

impl Device for PacketSocket {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        let clocks = Clocks::read();
        batch(frames, limit, || Ok(self.receive(clocks)))
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(frame) = frames.pop_front() {
            if !self.stage(&frame) {
                frames.push_front(frame);
                break;
            }
            sent += 1;
        }
        if sent > 0 || self.stuck || !frames.is_empty() {
            self.flush()?;
        }
        Ok(sent)
    }

    fn is_stuck(&self) -> bool {
        self.stuck
    }

    fn missed(&mut self) -> u64 {
        self.dropped()
    }
}

impl Pollable for PacketSocket {
    fn fd(&self) -> RawFd {
        self.socket.fd()
    }
}

/// The kernel stamps frames with the date; we count from our start. Both clocks, read together.
#[derive(Clone, Copy)]
struct Clocks {
    now: Instant,
    date: u64,
}

impl Clocks {
    fn read() -> Clocks {
        Clocks { now: clock::now(), date: clock::unix_time().as_nanos() as u64 }
    }

    fn instant(self, seconds: u32, nanos: u32) -> Instant {
        let stamp = u64::from(seconds) * 1_000_000_000 + u64::from(nanos);
        let age = self.date.saturating_sub(stamp);
        // A date that was set meanwhile makes no frame older than a second.
        if age > 1_000_000_000 { self.now } else { Instant::from_nanos(self.now.nanos().saturating_sub(age)) }
    }
}

/// The receive ring and the send ring, mapped one behind the other.
#[derive(Debug)]
struct Ring {
    memory: Mapping,
    receive: RingRequest,
    send: RingRequest,
}

impl std::fmt::Debug for RingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} slots of {} bytes", self.frames, self.frame_size)
    }
}

impl RingRequest {
    fn length(self) -> usize {
        self.block_size as usize * self.blocks as usize
    }
}

impl Ring {
    /// 8 MiB: slots for whole super-segments, or for packets of an Ethernet.
    fn request(large: bool) -> RingRequest {
        if large {
            RingRequest { block_size: 1 << 17, blocks: 64, frame_size: 1 << 17, frames: 64 }
        } else {
            RingRequest { block_size: 1 << 17, blocks: 64, frame_size: 1 << 11, frames: 64 * 64 }
        }
    }

    fn receive_slot(&self, slot: usize) -> *mut u8 {
        let size = self.receive.frame_size as usize;
        self.memory.at(slot * size, size)
    }

    fn send_slot(&self, slot: usize) -> *mut u8 {
        let size = self.send.frame_size as usize;
        self.memory.at(self.receive.length() + slot * size, size)
    }
}

/// The slots are the limit of what is under way, not the socket's buffers; as large as the system allows.
fn enlarge(socket: &AfPacket) {
    let wanted: libc::c_int = 16 << 20;
    for option in [libc::SO_SNDBUFFORCE, libc::SO_RCVBUFFORCE, libc::SO_SNDBUF, libc::SO_RCVBUF] {
        // The first two need `CAP_NET_ADMIN` over the whole machine; the others give what they can, at most as much.
        let set = socket.set_at(libc::SOL_SOCKET, option, &wanted);
        if set.is_ok() && option == libc::SO_RCVBUFFORCE {
            return;
        }
    }
}
