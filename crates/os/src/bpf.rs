//! Programs in the kernel (bpf(2)): the system call, and programs for interfaces that can be tried on a packet.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::device::check;

pub(crate) const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
pub(crate) const PROG_TYPE_XDP: u32 = 6;

/// `union bpf_attr`, as words of eight bytes: the commands used here need no more.
pub(crate) type Attributes = [u64; 16];

/// A program for an interface (XDP) that the kernel has verified. Nothing runs it yet.
#[derive(Debug)]
pub struct XdpProgram(OwnedFd);

impl XdpProgram {
    /// Hands instructions (RFC 9669) to the kernel's verifier. Needs `CAP_BPF`, `CAP_PERFMON` and `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// The kernel refuses the program, or us.
    pub fn load(instructions: &[[u8; 8]]) -> io::Result<XdpProgram> {
        // No helper is called that wants another licence.
        let license = c"MIT";
        let mut attributes: Attributes = [0; 16];
        attributes[0] = words(PROG_TYPE_XDP, instructions.len() as u32);
        attributes[1] = instructions.as_ptr() as u64;
        attributes[2] = license.as_ptr() as u64;
        // SAFETY: the addresses are of the instructions, as many as said, and of words that end with a zero byte.
        unsafe { open(BPF_PROG_LOAD, &attributes) }.map(XdpProgram)
    }

    /// What the program gives for a packet, which must be as long as an Ethernet header at least.
    ///
    /// # Errors
    /// The kernel cannot run it on that.
    pub fn run(&self, packet: &[u8]) -> io::Result<u32> {
        let mut attributes: Attributes = [0; 16];
        attributes[0] = words(self.0.as_raw_fd() as u32, 0);
        attributes[1] = words(packet.len() as u32, 0);
        attributes[2] = packet.as_ptr() as u64;
        // No room for the packet afterwards; run once.
        attributes[4] = words(1, 0);
        // SAFETY: the address is of the packet, of the length that was said, and is only read.
        unsafe { call_mut(BPF_PROG_TEST_RUN, &mut attributes)? };
        let [.., a, b, c, d] = attributes[0].to_ne_bytes();
        Ok(u32::from_ne_bytes([a, b, c, d]))
    }
}

/// Makes the system call where the kernel writes into the attributes.
///
/// # Safety
/// As for [`call`].
unsafe fn call_mut(command: libc::c_int, attributes: &mut Attributes) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are as long as said, and ours to be written to; of the rest the caller has made sure.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of::<Attributes>()) };
    check(result as libc::c_int)
}

/// Two values of 32 bits as they lie one behind the other in memory.
pub(crate) fn words(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

/// Makes the system call.
///
/// # Safety
/// The addresses in the attributes are of values that live until the call returns, of the length that the command expects
/// or the attributes say, and that may be written to where the command writes. Where the command has no meaning for them,
/// the attributes are zero.
pub(crate) unsafe fn call(command: libc::c_int, attributes: &Attributes) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are as long as said; of the addresses in them the caller has made sure.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size_of::<Attributes>()) };
    check(result as libc::c_int)
}

/// Makes it where it gives a descriptor.
///
/// # Safety
/// As for [`call`]; and the command is one that makes a descriptor.
pub(crate) unsafe fn open(command: libc::c_int, attributes: &Attributes) -> io::Result<OwnedFd> {
    // SAFETY: of the addresses the caller has made sure; the kernel has made the descriptor for us.
    unsafe { call(command, attributes).map(|fd| OwnedFd::from_raw_fd(fd)) }
}
