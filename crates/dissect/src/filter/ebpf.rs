//! The same tests as eBPF (RFC 9669), for a program on an interface (XDP) that lets packets pass or drops them.
//!
//! It is made from the classic program, as the kernel itself does for sockets, so the two cannot mean different things:
//! A and X live in registers, each read is preceded by the test for the packet's end that the kernel's verifier wants.

use super::bpf::{self, MEMORY, code};

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// What to do.
    pub code: u8,
    /// The register that is changed or tested.
    pub dst: u8,
    /// The register that is read.
    pub src: u8,
    /// Where in memory, or how far to jump.
    pub off: i16,
    /// The immediate value.
    pub imm: i32,
}

impl Insn {
    /// As the kernel takes it, in this machine's byte order.
    pub fn bytes(self) -> [u8; 8] {
        let mut bytes = [self.code, 0, 0, 0, 0, 0, 0, 0];
        bytes[1] =
            if cfg!(target_endian = "little") { self.src << 4 | self.dst } else { self.dst << 4 | self.src };
        bytes[2..4].copy_from_slice(&self.off.to_ne_bytes());
        bytes[4..].copy_from_slice(&self.imm.to_ne_bytes());
        bytes
    }
}

/// The registers.
const R0: u8 = 0;
const SCRATCH: u8 = 1;
const SCRATCH2: u8 = 2;
const DATA: u8 = 6;
const A: u8 = 7;
const X: u8 = 8;
const END: u8 = 9;
const STACK: u8 = 10;

/// Instruction codes; the last two say what is changed: 32 or 64 bits, by a value or a register.
const LOAD_W: u8 = 0x61;
const LOAD_H: u8 = 0x69;
const LOAD_B: u8 = 0x71;
const STORE_W: u8 = 0x63;
const STORE_W_VALUE: u8 = 0x62;
const MOVE_64: u8 = 0xBF;
const MOVE_32: u8 = 0xBC;
const MOVE_32_VALUE: u8 = 0xB4;
const ADD_64: u8 = 0x0F;
const ADD_64_VALUE: u8 = 0x07;
const SUB_64: u8 = 0x1F;
const AND_32_VALUE: u8 = 0x54;
const SHIFT_LEFT_32_VALUE: u8 = 0x64;
const TO_BIG_ENDIAN: u8 = 0xDC;
const JUMP: u8 = 0x05;
const JUMP_GREATER_64: u8 = 0x2D;
const JUMP_32_EQUAL: u8 = 0x1E;
const JUMP_32_EQUAL_VALUE: u8 = 0x16;
const JUMP_32_GREATER_VALUE: u8 = 0x26;
const EXIT: u8 = 0x95;

/// The verifier follows offsets into a packet no further than 64 KiB; half for X, half for what is added.
const REACH: u32 = 0x7FF0;

/// Where a jump goes.
#[derive(Clone, Copy)]
enum To {
    /// To a classic instruction.
    Classic(usize),
    /// The packet does not pass: it ended before what was to be read.
    Fail,
}

/// Makes the program that returns `matched` for packets that `program` lets pass, and `other` for the rest. With XDP,
/// 1 drops a packet and 2 lets it go on. The classic program must have been compiled for Ethernet, and must not test for
/// VLAN tags that the network card takes out. `None`: jumps are too far.
///
/// A packet's length is what lies in one piece, which is all of it unless the driver says otherwise.
pub fn xdp(program: &bpf::Program, matched: u32, other: u32) -> Option<Vec<Insn>> {
    let mut maker = Maker { insns: Vec::new(), jumps: Vec::new(), matched, other };
    maker.prologue(program);
    let mut begins = Vec::with_capacity(program.insns().len());
    let reached = reached(program);
    for (at, insn) in program.insns().iter().enumerate() {
        begins.push(maker.insns.len());
        if reached[at] {
            maker.classic(at, insn);
        }
    }
    let fail = maker.insns.len();
    if maker.jumps.iter().any(|(_, to)| matches!(to, To::Fail)) {
        maker.returns(other);
    }
    for (place, to) in std::mem::take(&mut maker.jumps) {
        let target = match to {
            To::Classic(at) => *begins.get(at)?,
            To::Fail => fail,
        };
        maker.insns[place].off = i16::try_from(target.checked_sub(place + 1)?).ok()?;
    }
    Some(maker.insns)
}

/// Which instructions are ever reached: the verifier refuses a program with others.
fn reached(program: &bpf::Program) -> Vec<bool> {
    let mut reached = vec![false; program.insns().len()];
    reached[0] = true;
    // Jumps go forwards only.
    for (at, insn) in program.insns().iter().enumerate() {
        if !reached[at] {
            continue;
        }
        let mut reach = |ahead: usize| {
            if let Some(place) = reached.get_mut(at + 1 + ahead) {
                *place = true;
            }
        };
        match insn.code & 7 {
            code::RET => {}
            code::JMP if insn.code & 0xF0 == code::JA => reach(insn.k as usize),
            code::JMP => {
                reach(usize::from(insn.jt));
                reach(usize::from(insn.jf));
            }
            _ => reach(0),
        }
    }
    reached
}

struct Maker {
    insns: Vec<Insn>,
    /// Jumps whose distance is not known yet.
    jumps: Vec<(usize, To)>,
    matched: u32,
    other: u32,
}

impl Maker {
    fn push(&mut self, code: u8, dst: u8, src: u8, off: i16, imm: u32) {
        self.insns.push(Insn { code, dst, src, off, imm: imm as i32 });
    }

    fn jump(&mut self, code: u8, dst: u8, src: u8, imm: u32, to: To) {
        self.jumps.push((self.insns.len(), to));
        self.push(code, dst, src, 0, imm);
    }

    /// Always fails. What follows may be reached from here alone, and the verifier refuses what cannot be reached, so it
    /// looks like a choice.
    fn fail(&mut self) {
        self.jump(JUMP_32_EQUAL, A, A, 0, To::Fail);
    }

    fn returns(&mut self, value: u32) {
        self.push(MOVE_32_VALUE, R0, 0, 0, value);
        self.push(EXIT, 0, 0, 0, 0);
    }

    /// Where the packet begins and ends, A and X of 0, and memory that is read before it is written.
    fn prologue(&mut self, program: &bpf::Program) {
        self.push(LOAD_W, DATA, 1, 0, 0);
        self.push(LOAD_W, END, 1, 4, 0);
        self.push(MOVE_32_VALUE, A, 0, 0, 0);
        self.push(MOVE_32_VALUE, X, 0, 0, 0);
        let uses = |slot: usize| {
            program.insns().iter().any(|insn| {
                let loads = matches!(insn.code & 7, code::LD | code::LDX) && insn.code & 0xE0 == code::MEM;
                loads && insn.k as usize == slot
            })
        };
        for slot in (0..MEMORY).filter(|slot| uses(*slot)) {
            self.push(STORE_W_VALUE, STACK, 0, memory(slot as u32), 0);
        }
    }

    fn classic(&mut self, at: usize, insn: &bpf::Insn) {
        let k = insn.k;
        match insn.code & 7 {
            code::LD => self.load(A, insn),
            code::LDX if insn.code & 0xE0 == code::MSH => {
                self.absolute(X, code::B, k);
                self.push(AND_32_VALUE, X, 0, 0, 15);
                self.push(SHIFT_LEFT_32_VALUE, X, 0, 0, 2);
            }
            code::LDX => self.load(X, insn),
            code::ST => self.push(STORE_W, STACK, A, memory(k), 0),
            code::STX => self.push(STORE_W, STACK, X, memory(k), 0),
            code::ALU => self.alu(insn),
            code::JMP => self.branch(at, insn),
            code::RET if insn.code & 0x18 == code::A => {
                self.jump(JUMP_32_EQUAL_VALUE, A, 0, 0, To::Fail);
                self.returns(self.matched);
            }
            code::RET => self.returns(if k == 0 { self.other } else { self.matched }),
            _ if insn.code & 0xF8 == code::TXA => self.push(MOVE_32, A, X, 0, 0),
            _ => self.push(MOVE_32, X, A, 0, 0),
        }
    }

    fn load(&mut self, to: u8, insn: &bpf::Insn) {
        match insn.code & 0xE0 {
            code::IMM => self.push(MOVE_32_VALUE, to, 0, 0, insn.k),
            code::MEM => self.push(LOAD_W, to, STACK, memory(insn.k), 0),
            code::LEN => {
                self.push(MOVE_64, to, END, 0, 0);
                self.push(SUB_64, to, DATA, 0, 0);
            }
            code::ABS => self.absolute(to, insn.code & 0x18, insn.k),
            code::IND => self.indirect(to, insn.code & 0x18, insn.k),
            _ => self.fail(),
        }
    }

    /// Reads at a fixed offset.
    fn absolute(&mut self, to: u8, size: u16, at: u32) {
        if at > REACH {
            return self.fail();
        }
        self.push(MOVE_64, SCRATCH, DATA, 0, 0);
        self.read(to, size, SCRATCH, at);
    }

    /// Reads at X and an offset.
    fn indirect(&mut self, to: u8, size: u16, at: u32) {
        if at > REACH {
            return self.fail();
        }
        self.jump(JUMP_32_GREATER_VALUE, X, 0, REACH, To::Fail);
        self.push(MOVE_32, SCRATCH, X, 0, 0);
        self.push(ADD_64, SCRATCH, DATA, 0, 0);
        self.read(to, size, SCRATCH, at);
    }

    /// Reads behind a pointer, if the packet is that long.
    fn read(&mut self, to: u8, size: u16, from: u8, at: u32) {
        let (load, bytes) = match size {
            code::W => (LOAD_W, 4),
            code::H => (LOAD_H, 2),
            _ => (LOAD_B, 1),
        };
        self.push(MOVE_64, SCRATCH2, from, 0, 0);
        self.push(ADD_64_VALUE, SCRATCH2, 0, 0, at + bytes);
        self.jump(JUMP_GREATER_64, SCRATCH2, END, 0, To::Fail);
        self.push(load, to, from, at as i16, 0);
        if bytes > 1 {
            self.push(TO_BIG_ENDIAN, to, 0, 0, 8 * bytes);
        }
    }

    fn alu(&mut self, insn: &bpf::Insn) {
        let (op, by_x) = (insn.code & 0xF0, insn.code & 8 == code::X);
        // Operations have the same numbers; class 4 is 32 bits wide.
        let code = op as u8 | 4 | if by_x { 8 } else { 0 };
        match op {
            code::NEG => self.push(op as u8 | 4, A, 0, 0, 0),
            code::DIV | code::MOD if by_x => {
                self.jump(JUMP_32_EQUAL_VALUE, X, 0, 0, To::Fail);
                self.push(code, A, X, 0, 0);
            }
            // eBPF would look at the lowest five bits only.
            code::LSH | code::RSH if by_x => {
                self.push(JUMP_32_GREATER_VALUE, X, 0, 2, 31);
                self.push(code, A, X, 0, 0);
                self.push(JUMP, 0, 0, 1, 0);
                self.push(MOVE_32_VALUE, A, 0, 0, 0);
            }
            code::LSH | code::RSH if insn.k > 31 => self.push(MOVE_32_VALUE, A, 0, 0, 0),
            _ if by_x => self.push(code, A, X, 0, 0),
            _ => self.push(code, A, 0, 0, insn.k),
        }
    }

    fn branch(&mut self, at: usize, insn: &bpf::Insn) {
        let next = at + 1;
        if insn.code & 0xF0 == code::JA {
            return self.jump(JUMP, 0, 0, 0, To::Classic(next + insn.k as usize));
        }
        let by_x = insn.code & 8 == code::X;
        // The same numbers again; class 6 compares 32 bits.
        let code = (insn.code & 0xF0) as u8 | 6 | if by_x { 8 } else { 0 };
        let (src, imm) = if by_x { (X, 0) } else { (0, insn.k) };
        self.jump(code, A, src, imm, To::Classic(next + usize::from(insn.jt)));
        if insn.jf > 0 {
            self.jump(JUMP, 0, 0, 0, To::Classic(next + usize::from(insn.jf)));
        }
    }
}

/// Where a word of the classic machine's memory lies below the frame pointer.
fn memory(slot: u32) -> i16 {
    -4 * (slot as i16 % MEMORY as i16 + 1)
}

#[cfg(test)]
mod tests;
