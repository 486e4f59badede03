//! One receive queue of an interface: its socket, its memory and its four rings.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;
use super::ring::Ring;

/// Bytes of one frame's place.
pub(super) const CHUNK: usize = 2_048;
/// Places for frames that arrive, and as many for those that leave.
const FRAMES: u32 = 2_048;

/// An AF_XDP socket bound to one queue.
#[derive(Debug)]
pub(super) struct Queue {
    socket: OwnedFd,
    fill: Ring<u64>,
    receive: Ring<libc::xdp_desc>,
    send: Ring<libc::xdp_desc>,
    complete: Ring<u64>,
    memory: Memory,
    /// Places of frames that were read, to be filled again.
    read: Vec<u64>,
    /// Places that nothing to be sent stands in.
    free: Vec<u64>,
}

impl Queue {
    /// Opens and binds it; with `zero_copy` it fails where the driver can't.
    pub(super) fn open(index: u32, number: u32, zero_copy: bool) -> io::Result<Queue> {
        // SAFETY: no pointers; the descriptor is ours from here on.
        let socket = unsafe {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            OwnedFd::from_raw_fd(check(libc::socket(libc::AF_XDP, kind, 0))?)
        };
        let memory = Memory::new(2 * FRAMES as usize * CHUNK)?;
        let register = libc::xdp_umem_reg_v1 {
            addr: memory.0 as u64,
            len: memory.1 as u64,
            chunk_size: CHUNK as u32,
            headroom: 0,
        };
        set(&socket, libc::XDP_UMEM_REG, &register)?;
        for ring in
            [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_RX_RING, libc::XDP_TX_RING]
        {
            set(&socket, ring, &FRAMES)?;
        }
        let offsets = offsets(&socket)?;
        let fd = socket.as_raw_fd();
        let mut fill = Ring::map(fd, libc::XDP_UMEM_PGOFF_FILL_RING as i64, offsets.fr, FRAMES)?;
        let complete = Ring::map(fd, libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64, offsets.cr, FRAMES)?;
        let receive = Ring::map(fd, libc::XDP_PGOFF_RX_RING, offsets.rx, FRAMES)?;
        let send = Ring::map(fd, libc::XDP_PGOFF_TX_RING, offsets.tx, FRAMES)?;
        let place = |number: u32| u64::from(number) * CHUNK as u64;
        for number in 0..FRAMES {
            fill.put(place(number));
        }
        fill.publish_put();
        let free = (FRAMES..2 * FRAMES).map(place).collect();
        let mode = if zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
        bind(&socket, index, number, mode | libc::XDP_USE_NEED_WAKEUP)?;
        Ok(Queue { socket, fill, receive, send, complete, memory, read: Vec::new(), free })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The next frame; then call [`Queue::received`].
    pub(super) fn receive(&mut self) -> Option<&[u8]> {
        let frame = self.receive.take()?;
        self.read.push(frame.addr / CHUNK as u64 * CHUNK as u64);
        self.memory.get(frame.addr as usize, frame.len as usize)
    }

    /// The frame was read.
    pub(super) fn received(&self) {
        self.receive.publish_taken();
    }

    /// Gives the places of all frames that were read back to the kernel.
    pub(super) fn refill(&mut self) {
        if self.read.is_empty() {
            return;
        }
        while let Some(place) = self.read.pop() {
            // As many places as entries: there always is room.
            self.fill.put(place);
        }
        self.fill.publish_put();
        if self.fill.needs_wakeup() {
            // SAFETY: no data is asked for: the call only lets the driver go on.
            unsafe { libc::recv(self.fd(), std::ptr::null_mut(), 0, libc::MSG_DONTWAIT) };
        }
    }

    /// Writes a frame to be sent: `false` if there is no place. One too large for any place counts as sent: it can
    /// never leave.
    pub(super) fn stage(&mut self, frame: &[u8]) -> bool {
        if frame.len() > CHUNK {
            return true;
        }
        let Some(place) = self.free.pop() else { return false };
        let Some(room) = self.memory.get_mut(place as usize, frame.len()) else { return false };
        room.copy_from_slice(frame);
        if !self.send.put(libc::xdp_desc { addr: place, len: frame.len() as u32, options: 0 }) {
            self.free.push(place);
            return false;
        }
        true
    }

    /// Takes the places of frames that have left.
    pub(super) fn complete(&mut self) {
        while let Some(place) = self.complete.take() {
            self.free.push(place);
        }
        self.complete.publish_taken();
    }

    /// Lets the kernel send what was staged. Whether it has taken everything.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        self.send.publish_put();
        // Copying, the kernel takes some 32 frames a call; a driver that copies nothing needs one call.
        for _ in 0..FRAMES / 16 {
            if !self.send.is_waiting() {
                return Ok(true);
            }
            if !self.send.needs_wakeup() {
                return Ok(false);
            }
            // SAFETY: no data is given: the ring holds it.
            let result = unsafe {
                libc::sendto(self.fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0)
            };
            if result < 0 {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    // There is more; or the driver has no room now.
                    Some(libc::EAGAIN) => {}
                    Some(libc::EBUSY | libc::ENOBUFS | libc::ENETDOWN) => return Ok(false),
                    _ => return Err(error),
                }
            }
            self.complete();
        }
        Ok(!self.send.is_waiting())
    }
}

/// Memory that the kernel writes frames into and reads them from.
#[derive(Debug)]
struct Memory(*mut u8, usize);

// SAFETY: the mapping belongs to this value alone.
unsafe impl Send for Memory {}

impl Memory {
    fn new(length: usize) -> io::Result<Memory> {
        // SAFETY: a fresh anonymous mapping; nothing is replaced.
        let base = unsafe {
            let (access, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            libc::mmap(std::ptr::null_mut(), length, access, flags, -1, 0)
        };
        if base == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Memory(base.cast(), length))
        }
    }

    fn get(&self, at: usize, length: usize) -> Option<&[u8]> {
        (at.checked_add(length)? <= self.1).then(|| {
            // SAFETY: within the mapping; the kernel gave us the place and does not write there until it is given back.
            unsafe { std::slice::from_raw_parts(self.0.add(at), length) }
        })
    }

    fn get_mut(&mut self, at: usize, length: usize) -> Option<&mut [u8]> {
        (at.checked_add(length)? <= self.1).then(|| {
            // SAFETY: within the mapping; the place is one that the kernel has not been given.
            unsafe { std::slice::from_raw_parts_mut(self.0.add(at), length) }
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length; the kernel holds the pages itself as long as it needs them.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// Sets an option of AF_XDP.
fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length describe `value`, which the kernel only reads.
    check(unsafe {
        let at = std::ptr::from_ref(value).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_XDP, option, at, length)
    })
    .map(drop)
}

/// Where in each ring what stands.
fn offsets(socket: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    let none = libc::xdp_ring_offset { producer: 0, consumer: 0, desc: 0, flags: 0 };
    let mut offsets = libc::xdp_mmap_offsets { rx: none, tx: none, fr: none, cr: none };
    let mut length = size_of_val(&offsets) as libc::socklen_t;
    // SAFETY: pointer and length describe `offsets`.
    check(unsafe {
        let (fd, at) = (socket.as_raw_fd(), (&raw mut offsets).cast());
        libc::getsockopt(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, at, &raw mut length)
    })?;
    if (length as usize) < size_of_val(&offsets) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel's AF_XDP is older than Linux 5.4",
        ));
    }
    Ok(offsets)
}

fn bind(socket: &OwnedFd, index: u32, queue: u32, flags: u16) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: flags,
        sxdp_ifindex: index,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length describe `address`.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
}
