//! What every packet socket (packet(7)) needs, whatever form its rings have: options, an interface, a filter, the
//! kernel's counts, and memory shared with the kernel.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::device::check;

/// An instruction of classic BPF: code, jump if true, jump if false, operand.
pub type Instruction = (u16, u8, u8, u32);

pub(crate) const RX_RING: libc::c_int = 5;
pub(crate) const TX_RING: libc::c_int = 13;
pub(crate) const COPY_THRESH: libc::c_int = 7;
pub(crate) const LOSS: libc::c_int = 14;
pub(crate) const VNET_HDR: libc::c_int = 15;
pub(crate) const QDISC_BYPASS: libc::c_int = 20;
pub(crate) const IGNORE_OUTGOING: libc::c_int = 23;
const ADD_MEMBERSHIP: libc::c_int = 1;
const STATISTICS: libc::c_int = 6;
const VERSION: libc::c_int = 10;
const MR_PROMISC: u16 = 1;

/// Forms of rings: slots of one size, and blocks that hold several packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `TPACKET_V2`.
    Slots = 1,
    /// `TPACKET_V3`.
    Blocks = 2,
}

/// Values without addresses: whatever the kernel takes them for, it reads nothing but them.
///
/// # Safety
/// There is no address in the value, and no byte of it is padding.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: a number.
unsafe impl Plain for libc::c_int {}

/// A packet socket that hears nothing before it is bound.
#[derive(Debug)]
pub(crate) struct AfPacket(OwnedFd);

impl AfPacket {
    /// `kind`: `SOCK_RAW`, or `SOCK_DGRAM` for packets without their link header. Needs `CAP_NET_RAW` in this network
    /// namespace.
    pub(crate) fn open(kind: libc::c_int, version: Version) -> io::Result<AfPacket> {
        // SAFETY: no pointers; the descriptor is ours from here on. Protocol 0: nothing is heard before it is bound.
        let socket = unsafe {
            let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            OwnedFd::from_raw_fd(check(libc::socket(libc::AF_PACKET, kind, 0))?)
        };
        let socket = AfPacket(socket);
        socket.set(VERSION, &(version as libc::c_int))?;
        Ok(socket)
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sets an option of the packet level.
    pub(crate) fn set<T: Plain>(&self, option: libc::c_int, value: &T) -> io::Result<()> {
        self.set_at(libc::SOL_PACKET, option, value)
    }

    /// Sets an option of any level.
    pub(crate) fn set_at<T: Plain>(
        &self,
        level: libc::c_int,
        option: libc::c_int,
        value: &T,
    ) -> io::Result<()> {
        // SAFETY: there are no addresses in a plain value.
        unsafe { self.set_any(level, option, value) }
    }

    /// Sets an option whose value may hold addresses.
    ///
    /// # Safety
    /// What the value refers to lives until the call returns, and is as long as the value says.
    unsafe fn set_any<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: pointer and length describe `value`, which the kernel only reads; of what it refers to the caller has
        // made sure.
        check(unsafe { libc::setsockopt(self.fd(), level, option, std::ptr::from_ref(value).cast(), length) })
            .map(drop)
    }

    /// Hears all protocols of an interface from now on; 0: of all interfaces.
    pub(crate) fn bind(&self, index: u32) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index as libc::c_int,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: pointer and length describe `address`.
        check(unsafe { libc::bind(self.fd(), (&raw const address).cast(), length) }).map(drop)
    }

    /// Makes the interface hear everything, as long as the socket lives.
    pub(crate) fn promiscuous(&self, index: u32) -> io::Result<()> {
        /// `struct packet_mreq`.
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct Membership {
            index: libc::c_int,
            kind: u16,
            length: u16,
            address: [u8; 8],
        }
        // SAFETY: numbers and bytes, one behind the other.
        unsafe impl Plain for Membership {}
        let wanted = Membership { index: index as libc::c_int, kind: MR_PROMISC, length: 0, address: [0; 8] };
        self.set(ADD_MEMBERSHIP, &wanted)
    }

    /// Lets the kernel run a filter: what it returns is how many bytes to keep, 0 drops. Packets that wait already stay.
    pub(crate) fn filter(&self, program: &[Instruction]) -> io::Result<()> {
        let filter = |&(code, jt, jf, k): &Instruction| libc::sock_filter { code, jt, jf, k };
        let mut program: Vec<_> = program.iter().map(filter).collect();
        let length =
            u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let wanted = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
        // SAFETY: the program lives until the call returns, and has as many instructions as said.
        unsafe { self.set_any(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &wanted) }
    }

    /// Packets that passed the filter (lost ones included), and those of them for which there was no room, since this was
    /// last asked.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let mut counts = [0_u32; 2];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: pointer and length describe `counts`; the kernel sets its own counters back.
        let result = unsafe {
            let at = counts.as_mut_ptr().cast();
            libc::getsockopt(self.fd(), libc::SOL_PACKET, STATISTICS, at, &raw mut length)
        };
        if result == 0 { (u64::from(counts[0]), u64::from(counts[1])) } else { (0, 0) }
    }

    /// The socket's pending error, which is then forgotten; 0: none.
    pub(crate) fn pending_error(&self) -> libc::c_int {
        let mut code: libc::c_int = 0;
        let mut length = size_of_val(&code) as libc::socklen_t;
        // SAFETY: pointer and length describe `code`.
        unsafe {
            let at = (&raw mut code).cast();
            libc::getsockopt(self.fd(), libc::SOL_SOCKET, libc::SO_ERROR, at, &raw mut length);
        }
        code
    }

    /// Maps the rings that were asked for, the receive ring first.
    pub(crate) fn map(&self, length: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping of the socket's rings at a place the kernel chooses.
        let base = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, self.fd(), 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { base: base.cast(), length })
    }
}

/// Memory shared with the kernel.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: *mut u8,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone. What the kernel writes meanwhile is read by those who know when.
unsafe impl Send for Mapping {}

impl Mapping {
    /// A place in it. Panics if there is none of that many bytes.
    pub(crate) fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset + length <= self.length, "beyond the rings");
        // SAFETY: within the mapping, as was just asked.
        unsafe { self.base.add(offset) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.base.cast(), self.length) };
    }
}
