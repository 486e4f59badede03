//! Listening to what passes an interface, or all of them: packet sockets (packet(7)) with a ring of blocks that the
//! kernel fills (`TPACKET_V3`), a filter it runs itself, and its count of what was lost.
//!
//! - [`Capture::open`] is the beginning; [`Capture::wait`] and [`Capture::each`] belong into a loop.
//! - A [`Framing`] says what the bytes of a packet begin with.
//! - `ring`: the blocks.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub use crate::af_packet::Instruction;
use crate::af_packet::{AfPacket, Version};
use crate::device::check;
use crate::netlink;

mod ring;

use ring::{Block, Ring};

/// What to listen to.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The interface; `None`: all of them.
    pub interface: Option<String>,
    /// Of each packet no more than so many bytes are kept.
    pub snap_length: u32,
    /// Hear frames for other stations too.
    pub promiscuous: bool,
    /// Bytes of the ring, shared with the kernel.
    pub buffer: usize,
    /// After so many milliseconds the kernel hands over what it has; at least 1.
    pub latency: u32,
}

/// What the bytes of packets begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
    /// A header of 20 bytes in the form of LINKTYPE_LINUX_SLL2, made of what the kernel tells of a packet.
    Cooked,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To this machine, or past it.
    In,
    /// From this machine.
    Out,
}

/// A packet that passed.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// Nanoseconds since the Unix epoch, by the kernel's stamp.
    pub time: u64,
    /// How long it was.
    pub original: u32,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// Number of the interface.
    pub interface: u32,
    /// Which way it went.
    pub direction: Direction,
}

/// What the kernel has counted since the capture was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that passed the kernel's filter, lost ones included.
    pub seen: u64,
    /// Of those, packets for which the ring had no room.
    pub lost: u64,
}

/// A capture that runs.
#[derive(Debug)]
pub struct Capture {
    socket: AfPacket,
    ring: Ring,
    framing: Framing,
    counters: Counters,
    /// The loopback interface's number: what leaves there comes in again.
    loopback: Option<u32>,
    /// For packets to which something is added.
    scratch: Vec<u8>,
}

const ARPHRD_ETHER: u16 = 1;
const ARPHRD_RAWIP: u16 = 519;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xFFFE;
const PACKET_OUTGOING: u8 = 4;
/// Bytes of a cooked header (LINKTYPE_LINUX_SLL2).
const COOKED: usize = 20;

impl Capture {
    /// Opens a socket that hears nothing yet: [`Capture::start`] makes it hear. Needs `CAP_NET_RAW` in this network
    /// namespace.
    ///
    /// # Errors
    /// What the kernel says: `PermissionDenied`, or `NotFound` where there is no such interface.
    pub fn open(config: &CaptureConfig) -> io::Result<Capture> {
        let link = config.interface.as_deref().map(netlink::link).transpose().map_err(absent)?;
        let framing = match &config.interface {
            Some(name) => framing_of(name)?,
            None => Framing::Cooked,
        };
        let kind = if framing == Framing::Cooked { libc::SOCK_DGRAM } else { libc::SOCK_RAW };
        let socket = AfPacket::open(kind, Version::Blocks)?;
        let ring = Ring::new(&socket, config.buffer, config.latency.max(1))?;
        if let Some(link) = link.as_ref().filter(|_| config.promiscuous) {
            socket.promiscuous(link.index)?;
        }
        let loopback = netlink::link("lo").ok().map(|link| link.index);
        let capture =
            Capture { socket, ring, framing, counters: Counters::default(), loopback, scratch: Vec::new() };
        capture.keep_only(&[(6, 0, 0, config.snap_length)])?;
        Ok(capture)
    }

    /// Hears from now on. A filter that is set before has seen every packet.
    ///
    /// # Errors
    /// What the kernel says, as that the interface is down.
    pub fn start(&self, config: &CaptureConfig) -> io::Result<()> {
        let index = match &config.interface {
            Some(name) => netlink::link(name).map_err(absent)?.index,
            None => 0,
        };
        self.socket.bind(index)
    }

    /// What packets begin with.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Lets the kernel run a filter: what it returns is how many bytes to keep, 0 drops. On [`Framing::Cooked`] the
    /// kernel's packets begin with the network layer.
    ///
    /// # Errors
    /// The kernel refuses the program.
    pub fn keep_only(&self, program: &[Instruction]) -> io::Result<()> {
        self.socket.filter(program)
    }

    /// Waits until there are packets, one of `others` can be read, or `millis` have passed (-1: for ever). Gives which
    /// of the others can be read, as bits.
    ///
    /// # Errors
    /// The interface has gone or was switched off.
    pub fn wait(&self, others: &[&OwnedFd], millis: i32) -> io::Result<u32> {
        let others = others.iter().map(|other| other.as_raw_fd());
        let mut fds: Vec<_> = std::iter::once(self.socket.fd())
            .chain(others)
            .map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 })
            .collect();
        // SAFETY: pointer and length describe `fds`.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, millis) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) };
        }
        if fds[0].revents & libc::POLLERR != 0 {
            return Err(self.error());
        }
        let bit = |(place, other): (usize, &libc::pollfd)| u32::from(other.revents != 0) << place;
        Ok(fds[1..].iter().enumerate().map(bit).sum())
    }

    /// Hands on the packets of every block that the kernel has finished, until `take` gives `false`. Gives how many. Each
    /// block is taken once at most: where packets come as fast as they are taken, this ends all the same.
    pub fn each(&mut self, mut take: impl FnMut(Captured<'_>) -> bool) -> usize {
        let mut count = 0;
        for _ in 0..self.ring.blocks() {
            let Some(block) = self.ring.next() else { break };
            let more = hand_on(&block, self.framing, self.loopback, &mut self.scratch, &mut |packet| {
                count += 1;
                take(packet)
            });
            self.ring.give_back();
            if !more {
                break;
            }
        }
        count
    }

    /// What the kernel has counted.
    pub fn counters(&mut self) -> Counters {
        let (seen, lost) = self.socket.counts();
        self.counters.seen += seen;
        self.counters.lost += lost;
        self.counters
    }

    /// The socket's pending error.
    fn error(&self) -> io::Error {
        let code = self.socket.pending_error();
        io::Error::from_raw_os_error(if code == 0 { libc::ENETDOWN } else { code })
    }
}

/// Gives the packets of a block; `false`: nobody wants more.
fn hand_on(
    block: &Block<'_>,
    framing: Framing,
    loopback: Option<u32>,
    scratch: &mut Vec<u8>,
    take: &mut dyn FnMut(Captured<'_>) -> bool,
) -> bool {
    for slot in block.packets() {
        let outgoing = slot.kind == PACKET_OUTGOING;
        // On loopback every packet is seen leaving and coming.
        if outgoing && Some(slot.interface) == loopback {
            continue;
        }
        let mut packet = Captured {
            time: slot.time,
            original: slot.original,
            bytes: slot.bytes,
            interface: slot.interface,
            direction: if outgoing { Direction::Out } else { Direction::In },
        };
        if framing == Framing::Cooked {
            cook(&slot, scratch);
        } else if let Some(tag) = slot.vlan
            && framing == Framing::Ethernet
            && slot.bytes.len() >= 12
        {
            // The kernel takes the tag out of the frame: it goes back behind the addresses.
            scratch.clear();
            scratch.extend_from_slice(&slot.bytes[..12]);
            scratch.extend_from_slice(&tag);
            scratch.extend_from_slice(&slot.bytes[12..]);
        } else {
            if !take(packet) {
                return false;
            }
            continue;
        }
        packet.original += (scratch.len() - slot.bytes.len()) as u32;
        packet.bytes = scratch;
        if !take(packet) {
            return false;
        }
    }
    true
}

/// The packet behind a header that says what the kernel knows of it.
fn cook(slot: &ring::Slot<'_>, out: &mut Vec<u8>) {
    out.clear();
    let mut protocol = slot.protocol;
    let mut tag = &[][..];
    if let Some(vlan) = &slot.vlan {
        (protocol, tag) = ([vlan[0], vlan[1]], &vlan[2..]);
    }
    out.extend_from_slice(&protocol);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&slot.interface.to_be_bytes());
    out.extend_from_slice(&slot.hardware.to_be_bytes());
    out.push(slot.kind);
    out.push(slot.address_len);
    out.extend_from_slice(&slot.address);
    debug_assert_eq!(out.len(), COOKED);
    if !tag.is_empty() {
        out.extend_from_slice(tag);
        out.extend_from_slice(&slot.protocol);
    }
    out.extend_from_slice(slot.bytes);
}

/// Names of all interfaces of this network namespace.
///
/// # Errors
/// The kernel gives none.
pub fn interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: the list ends with a zero index; it is given back below, and the names are copied before.
    unsafe {
        let list = libc::if_nameindex();
        if list.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut names = Vec::new();
        let mut entry = list;
        while (*entry).if_index != 0 {
            let name = std::ffi::CStr::from_ptr((*entry).if_name).to_string_lossy().into_owned();
            names.push(((*entry).if_index, name));
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
        Ok(names)
    }
}

/// The kernel's word for an interface that is not there.
fn absent(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENODEV) => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

/// What frames of an interface begin with, by its hardware type.
fn framing_of(name: &str) -> io::Result<Framing> {
    let mut request = Hardware { name: [0; 16], family: 0, rest: [0; 22] };
    let bytes = name.as_bytes();
    if bytes.len() >= request.name.len() {
        return Err(io::ErrorKind::NotFound.into());
    }
    request.name[..bytes.len()].copy_from_slice(bytes);
    // SAFETY: no pointers; the descriptor is ours.
    let socket = unsafe {
        OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?)
    };
    // SAFETY: the request has the layout and the size of `struct ifreq`, and the name in it ends with a zero.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) })
        .map_err(absent)?;
    Ok(match request.family {
        ARPHRD_ETHER | ARPHRD_LOOPBACK => Framing::Ethernet,
        ARPHRD_NONE | ARPHRD_RAWIP => Framing::Ip,
        _ => Framing::Cooked,
    })
}

/// `struct ifreq` with the address's family in front.
#[repr(C)]
struct Hardware {
    name: [u8; 16],
    family: u16,
    rest: [u8; 22],
}
