//! TUN and TAP devices (Linux: networking/tuntap). What the kernel routes to the interface is read here, and what is
//! written here arrives there.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use thru_stack::frame::{Frame, Offload, Offloads};
use thru_wire::MacAddr;

use super::rooms::Rooms;
use super::{Device, Pollable, Properties, Stamps, batch, check, offloads, virtio};
use crate::{clock, netlink};

/// What a TUN or TAP device is made with.
#[derive(Clone, Debug, Default)]
pub struct TunConfig {
    /// The name wanted; empty or ending in `%d`: the kernel chooses.
    pub name: String,
    /// Ethernet frames (TAP) rather than IP packets (TUN).
    pub tap: bool,
    /// Try to get checksum and segmentation offload. Where the kernel refuses, the device works without.
    pub offload: bool,
}

/// A TUN or TAP device. The interface vanishes when it is dropped.
#[derive(Debug)]
pub struct Tun {
    file: File,
    properties: Properties,
    /// Frames begin with a [`virtio`] header.
    with_header: bool,
    rooms: Rooms,
}

const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETOFFLOAD: libc::c_ulong = 0x4004_54d0;
const IFF_TUN: libc::c_short = 0x0001;
const IFF_TAP: libc::c_short = 0x0002;
const IFF_NO_PI: libc::c_short = 0x1000;
const IFF_VNET_HDR: libc::c_short = 0x4000;
const TUN_F_CSUM: libc::c_uint = 1;
const TUN_F_TSO4: libc::c_uint = 2;
const TUN_F_TSO6: libc::c_uint = 4;
const TUN_F_TSO_ECN: libc::c_uint = 8;

/// Largest frame: a super-segment of 64 KiB with its headers.
const LARGEST: usize = virtio::LEN + 14 + 65_536;
/// Frames that may wait for us.
const QUEUE: u32 = 8_192;

impl Tun {
    /// Makes the interface. It is down and has no address yet: see [`netlink`].
    ///
    /// Needs `CAP_NET_ADMIN` in this network namespace and permission to open `/dev/net/tun`.
    pub fn open(config: &TunConfig) -> io::Result<Tun> {
        let open =
            || OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun");
        let kind = IFF_NO_PI | if config.tap { IFF_TAP } else { IFF_TUN };
        let mut given = Offloads::default();
        let (file, name, with_header) = if config.offload {
            let file = open()?;
            match attach(&file, &config.name, kind | IFF_VNET_HDR) {
                Ok(name) => {
                    given = set_offload(&file);
                    (file, name, true)
                }
                Err(_) => {
                    let file = open()?;
                    let name = attach(&file, &config.name, kind)?;
                    (file, name, false)
                }
            }
        } else {
            let file = open()?;
            let name = attach(&file, &config.name, kind)?;
            (file, name, false)
        };
        let link = netlink::link(&name)?;
        // What the kernel sends beyond this is lost, and the usual 500 are less than a window of 1 MiB.
        netlink::set_queue(link.index, QUEUE)?;
        let mac = if config.tap { link.mac } else { MacAddr::UNSPECIFIED };
        let properties = Properties {
            name,
            ethernet: config.tap,
            mac,
            mtu: link.mtu,
            offloads: given,
            stamps: Stamps::Fetched,
        };
        Ok(Tun { file, properties, with_header, rooms: Rooms::new() })
    }

    /// Tells the device that the interface's MTU was changed.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.properties.mtu = mtu;
    }

    /// The next frame, or `None`.
    fn receive(&mut self) -> io::Result<Option<Frame>> {
        let room = self.rooms.reserve(LARGEST);
        let spare = room.spare_capacity_mut();
        let length = LARGEST.min(spare.len());
        // SAFETY: the pointer and the length describe spare capacity that nobody else holds.
        let read = unsafe { libc::read(self.file.as_raw_fd(), spare.as_mut_ptr().cast(), length) };
        let Ok(read) = usize::try_from(read) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            };
        };
        // SAFETY: the kernel has written `read` bytes there, at most `length`.
        unsafe { room.set_len(read) };
        let mut bytes = room.split().freeze();
        let mut offload = Offload::NONE;
        if self.with_header {
            if bytes.len() < virtio::LEN {
                return Ok(None);
            }
            let header = bytes.split_to(virtio::LEN);
            offload = virtio::read(header[..].try_into().expect("of that length"));
        }
        Ok(Some(Frame { offload, ..Frame::new(bytes, clock::now()) }))
    }

    /// Sends one frame: `false` if there is no room.
    fn send(&self, frame: &Frame) -> io::Result<bool> {
        let [bytes, first, second] = frame.parts();
        if !self.with_header {
            return self.write(&[bytes, first, second]);
        }
        let header = virtio::write(frame.offload, frame.is_v6(self.properties.ethernet));
        self.write(&[&header, bytes, first, second])
    }

    fn write(&self, parts: &[&[u8]]) -> io::Result<bool> {
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 4];
        for (vector, part) in vectors.iter_mut().zip(parts) {
            *vector = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
        }
        // SAFETY: each vector describes one of `parts`, which the kernel only reads.
        let written =
            unsafe { libc::writev(self.file.as_raw_fd(), vectors.as_ptr(), parts.len() as libc::c_int) };
        if written >= 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(false),
            // The interface is down or full, or it does not like this frame: the frame is lost.
            Some(libc::EIO | libc::ENOBUFS | libc::EINVAL | libc::ENOMEM | libc::EMSGSIZE) => Ok(true),
            _ => Err(error),
        }
    }
}

impl Device for Tun {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        batch(frames, limit, || self.receive())
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(frame) = frames.front() {
            if !self.send(frame)? {
                break;
            }
            frames.pop_front();
            sent += 1;
        }
        Ok(sent)
    }
}

impl Pollable for Tun {
    fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// `struct ifreq`, as far as `TUNSETIFF` uses it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// Attaches the descriptor to a new interface; its name.
fn attach(file: &File, name: &str, flags: libc::c_short) -> io::Result<String> {
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags, rest: [0; 22] };
    if name.len() >= request.name.len() || name.contains('\0') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an interface name has at most 15 bytes"));
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the request has the layout and at least the size of `struct ifreq`, which the kernel reads and writes.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, &raw mut request) })?;
    let end = request.name.iter().position(|byte| *byte == 0).unwrap_or(request.name.len());
    String::from_utf8(request.name[..end].to_vec()).map_err(io::Error::other)
}

/// Asks for as much offload as the kernel gives.
fn set_offload(file: &File) -> Offloads {
    let segments = TUN_F_TSO4 | TUN_F_TSO6;
    let attempts = [
        (TUN_F_CSUM | segments | TUN_F_TSO_ECN, offloads(true, true)),
        (TUN_F_CSUM | segments, offloads(true, true)),
        (TUN_F_CSUM, offloads(true, false)),
    ];
    for (flags, offloads) in attempts {
        // SAFETY: this call takes a number, no pointer.
        if unsafe { libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD as _, libc::c_ulong::from(flags)) } == 0 {
            return offloads;
        }
    }
    Offloads::default()
}
