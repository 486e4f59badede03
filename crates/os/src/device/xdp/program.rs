//! The program on the interface: frames to one hardware address go to the socket of their queue, all others on to the
//! kernel. Loaded with bpf(2), written by hand: it needs no compiler and nothing on the machine.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use thru_wire::MacAddr;

use crate::bpf::{Attributes, BPF_PROG_LOAD, PROG_TYPE_XDP, call, open, words};

/// The program attached to an interface. Dropping it takes it away, and so does the end of the process.
#[derive(Debug)]
pub(super) struct Redirect {
    /// Sockets by receive queue.
    sockets: OwnedFd,
    _program: OwnedFd,
    _link: OwnedFd,
}

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_LINK_CREATE: libc::c_int = 28;
const MAP_TYPE_XSKMAP: u32 = 17;
const ATTACH_TYPE_XDP: u32 = 37;

impl Redirect {
    /// Puts the program on an interface with so many receive queues; frames are only taken once sockets are set.
    pub(super) fn attach(index: u32, mac: MacAddr, queues: u32) -> io::Result<Redirect> {
        let mut attributes: Attributes = [0; 16];
        // Type and key size, value size and number of entries.
        attributes[0] = words(MAP_TYPE_XSKMAP, 4);
        attributes[1] = words(4, queues);
        // SAFETY: there are no addresses, and a map is a descriptor.
        let sockets = unsafe { open(BPF_MAP_CREATE, &attributes)? };
        let code = instructions(mac, sockets.as_raw_fd());
        // The helper that redirects is there for every licence.
        let license = c"MIT";
        let mut attributes: Attributes = [0; 16];
        attributes[0] = words(PROG_TYPE_XDP, code.len() as u32);
        attributes[1] = code.as_ptr() as u64;
        attributes[2] = license.as_ptr() as u64;
        // SAFETY: the addresses are of the instructions, as many as said, and of words that end with a zero byte; a program
        // is a descriptor.
        let program = unsafe { open(BPF_PROG_LOAD, &attributes)? };
        let mut attributes: Attributes = [0; 16];
        attributes[0] = words(program.as_raw_fd() as u32, index);
        attributes[1] = words(ATTACH_TYPE_XDP, 0);
        // SAFETY: there are no addresses, and a link is a descriptor.
        let link = unsafe { open(BPF_LINK_CREATE, &attributes) }.map_err(explain)?;
        Ok(Redirect { sockets, _program: program, _link: link })
    }

    /// Frames of this queue go to that socket.
    pub(super) fn set(&self, queue: u32, socket: RawFd) -> io::Result<()> {
        let (key, value) = (queue, socket as u32);
        let mut attributes: Attributes = [0; 16];
        attributes[0] = words(self.sockets.as_raw_fd() as u32, 0);
        attributes[1] = (&raw const key) as u64;
        attributes[2] = (&raw const value) as u64;
        // SAFETY: key and value are as long as the map was made for, and live until the call returns.
        unsafe { call(BPF_MAP_UPDATE_ELEM, &attributes) }.map(drop)
    }
}

fn explain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EBUSY) => io::Error::new(io::ErrorKind::ResourceBusy, "it has an XDP program already"),
        _ => error,
    }
}

/// One instruction (RFC 9669 3): code, registers, offset, immediate value.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

fn instructions(mac: MacAddr, sockets: RawFd) -> [Instruction; 17] {
    const LOAD_32: u8 = 0x61;
    const LOAD_16: u8 = 0x69;
    const LOAD_VALUE: u8 = 0x18;
    const MOVE: u8 = 0xbf;
    const MOVE_VALUE: u8 = 0xb7;
    const ADD_VALUE: u8 = 0x07;
    const JUMP_GREATER: u8 = 0x2d;
    const JUMP_32_UNEQUAL_VALUE: u8 = 0x56;
    const JUMP_UNEQUAL_VALUE: u8 = 0x55;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    const REDIRECT_MAP: i32 = 51;
    const PASS: i32 = 2;
    let code = |code, to: u8, from: u8, offset, value| Instruction {
        code,
        registers: from << 4 | to,
        offset,
        value,
    };
    let [a, b, c, d, e, f] = mac.octets();
    // To the last two lines from behind line `line`.
    let pass = |line: i16| 15 - line - 1;
    [
        code(LOAD_32, 2, 1, 0, 0),
        code(LOAD_32, 3, 1, 4, 0),
        code(MOVE, 4, 2, 0, 0),
        code(ADD_VALUE, 4, 0, 0, 14),
        code(JUMP_GREATER, 4, 3, pass(4), 0),
        code(LOAD_32, 4, 2, 0, 0),
        code(JUMP_32_UNEQUAL_VALUE, 4, 0, pass(6), i32::from_ne_bytes([a, b, c, d])),
        code(LOAD_16, 4, 2, 4, 0),
        code(JUMP_UNEQUAL_VALUE, 4, 0, pass(8), i32::from(u16::from_ne_bytes([e, f]))),
        // The number of the receive queue.
        code(LOAD_32, 2, 1, 16, 0),
        // The map, by its descriptor: it takes two places.
        code(LOAD_VALUE, 1, 1, 0, sockets),
        code(0, 0, 0, 0, 0),
        // What to do if the queue has no socket.
        code(MOVE_VALUE, 3, 0, 0, PASS),
        code(CALL, 0, 0, 0, REDIRECT_MAP),
        code(EXIT, 0, 0, 0, 0),
        code(MOVE_VALUE, 0, 0, 0, PASS),
        code(EXIT, 0, 0, 0, 0),
    ]
}
