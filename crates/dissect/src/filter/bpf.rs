//! Classic BPF (McCanne & Jacobson, 1993): instructions, and a machine to run them in user space.

use std::fmt;

/// An instruction, as the kernel takes it (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// What to do.
    pub code: u16,
    /// How many instructions to leave out if the comparison holds.
    pub jt: u8,
    /// And if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// Instruction classes and modes, named as in the kernel's headers.
#[expect(missing_docs, reason = "the names of <linux/bpf_common.h>")]
pub mod code {
    pub const LD: u16 = 0;
    pub const LDX: u16 = 1;
    pub const ST: u16 = 2;
    pub const STX: u16 = 3;
    pub const ALU: u16 = 4;
    pub const JMP: u16 = 5;
    pub const RET: u16 = 6;
    pub const MISC: u16 = 7;
    pub const W: u16 = 0;
    pub const H: u16 = 0x08;
    pub const B: u16 = 0x10;
    pub const IMM: u16 = 0;
    pub const ABS: u16 = 0x20;
    pub const IND: u16 = 0x40;
    pub const MEM: u16 = 0x60;
    pub const LEN: u16 = 0x80;
    pub const MSH: u16 = 0xA0;
    pub const ADD: u16 = 0;
    pub const SUB: u16 = 0x10;
    pub const MUL: u16 = 0x20;
    pub const DIV: u16 = 0x30;
    pub const OR: u16 = 0x40;
    pub const AND: u16 = 0x50;
    pub const LSH: u16 = 0x60;
    pub const RSH: u16 = 0x70;
    pub const NEG: u16 = 0x80;
    pub const MOD: u16 = 0x90;
    pub const XOR: u16 = 0xA0;
    pub const JA: u16 = 0;
    pub const JEQ: u16 = 0x10;
    pub const JGT: u16 = 0x20;
    pub const JGE: u16 = 0x30;
    pub const JSET: u16 = 0x40;
    pub const K: u16 = 0;
    pub const X: u16 = 8;
    pub const A: u16 = 0x10;
    pub const TAX: u16 = 0;
    pub const TXA: u16 = 0x80;
}

/// The machine's memory has so many words.
pub const MEMORY: usize = 16;
/// The kernel takes programs of at most so many instructions.
pub const LENGTH_MAX: usize = 4096;

/// A program that jumps only forwards, and only to its own instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
}

impl Program {
    /// Checks a program as the kernel does: known instructions, jumps within it, an end. `None`: it is not legal.
    pub fn new(insns: Vec<Insn>) -> Option<Program> {
        if insns.is_empty() || insns.len() > LENGTH_MAX {
            return None;
        }
        let legal = insns.iter().enumerate().all(|(at, insn)| {
            let left = (insns.len() - at - 1) as u64;
            match insn.code & 7 {
                code::JMP if insn.code & 0xF0 == code::JA => u64::from(insn.k) < left,
                code::JMP => u64::from(insn.jt.max(insn.jf)) < left && insn.code & 0xF0 <= code::JSET,
                code::ST | code::STX => (insn.k as usize) < MEMORY,
                code::LD | code::LDX if insn.code & 0xE0 == code::MEM => (insn.k as usize) < MEMORY,
                code::ALU if matches!(insn.code & 0xF8, 0x30 | 0x90) => insn.k != 0,
                _ => true,
            }
        });
        let ends = insns.last().is_some_and(|last| last.code & 7 == code::RET);
        (legal && ends).then_some(Program { insns })
    }

    /// The instructions.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The program in the form in which Linux runs it on a cooked socket, whose packets begin with the network layer
    /// while the program was compiled for LINKTYPE_LINUX_SLL2: offsets count from there, and the type is asked of the
    /// kernel. `None`: it tests what such a packet does not have.
    pub fn for_cooked_socket(&self) -> Option<Program> {
        /// `SKF_AD_OFF + SKF_AD_PROTOCOL` of <linux/filter.h>.
        const PROTOCOL: u32 = 0xFFFF_F000;
        /// Bytes of the header.
        const COOKED: u32 = 20;
        let insns = self.insns.iter().map(|&insn| {
            let mode = insn.code & 0xE0;
            let loads = matches!(insn.code & 7, code::LD | code::LDX);
            if !loads || matches!(mode, code::IMM | code::MEM) {
                return Some(insn);
            }
            if insn.code == code::LD | code::H | code::ABS && insn.k == 0 {
                return Some(Insn { k: PROTOCOL, ..insn });
            }
            (mode != code::LEN).then_some(Insn { k: insn.k.checked_sub(COOKED)?, ..insn })
        });
        Some(Program { insns: insns.collect::<Option<Vec<_>>>()? })
    }

    /// The same program, keeping no more than `bytes` of a packet that passes.
    pub fn keeping(&self, bytes: u32) -> Program {
        let insns = self.insns.iter().map(|&insn| match insn.code {
            code if code == code::RET && insn.k != 0 => Insn { k: insn.k.min(bytes), ..insn },
            _ => insn,
        });
        Program { insns: insns.collect() }
    }

    /// Runs on a packet of which `packet` was kept and that was `length` bytes long. Gives how many bytes to keep; 0:
    /// it does not pass. A read beyond the packet ends with 0. Every jump goes forwards, so it ends.
    pub fn run(&self, packet: &[u8], length: u32) -> u32 {
        let (mut a, mut x) = (0u32, 0u32);
        let mut memory = [0u32; MEMORY];
        let mut at = 0;
        while let Some(insn) = self.insns.get(at) {
            at += 1;
            let k = insn.k;
            match insn.code & 7 {
                code::LD => match load(insn, packet, length, x, &memory) {
                    Some(value) => a = value,
                    None => return 0,
                },
                code::LDX if insn.code & 0xE0 == code::MSH => match packet.get(k as usize) {
                    Some(byte) => x = u32::from(byte & 15) * 4,
                    None => return 0,
                },
                code::LDX => match load(insn, packet, length, x, &memory) {
                    Some(value) => x = value,
                    None => return 0,
                },
                code::ST => memory[k as usize % MEMORY] = a,
                code::STX => memory[k as usize % MEMORY] = x,
                code::ALU => match alu(insn, a, x) {
                    Some(value) => a = value,
                    None => return 0,
                },
                code::JMP => at += jump(insn, a, x),
                code::RET => return if insn.code & 0x18 == code::A { a } else { k },
                _ if insn.code & 0xF8 == code::TXA => a = x,
                _ => x = a,
            }
        }
        0
    }
}

fn load(insn: &Insn, packet: &[u8], length: u32, x: u32, memory: &[u32; MEMORY]) -> Option<u32> {
    let at = match insn.code & 0xE0 {
        code::IMM => return Some(insn.k),
        code::MEM => return Some(memory[insn.k as usize % MEMORY]),
        code::LEN => return Some(length),
        code::ABS => insn.k,
        code::IND => x.checked_add(insn.k)?,
        _ => return None,
    } as usize;
    let rest = packet.get(at..)?;
    match insn.code & 0x18 {
        code::W => rest.first_chunk().map(|word| u32::from_be_bytes(*word)),
        code::H => rest.first_chunk().map(|word| u32::from(u16::from_be_bytes(*word))),
        _ => rest.first().map(|byte| u32::from(*byte)),
    }
}

fn alu(insn: &Insn, a: u32, x: u32) -> Option<u32> {
    let operand = if insn.code & 8 == code::X { x } else { insn.k };
    Some(match insn.code & 0xF0 {
        code::ADD => a.wrapping_add(operand),
        code::SUB => a.wrapping_sub(operand),
        code::MUL => a.wrapping_mul(operand),
        code::DIV => a.checked_div(operand)?,
        code::MOD => a.checked_rem(operand)?,
        code::OR => a | operand,
        code::AND => a & operand,
        code::XOR => a ^ operand,
        code::LSH => a.checked_shl(operand).unwrap_or(0),
        code::RSH => a.checked_shr(operand).unwrap_or(0),
        code::NEG => a.wrapping_neg(),
        _ => return None,
    })
}

fn jump(insn: &Insn, a: u32, x: u32) -> usize {
    let operand = if insn.code & 8 == code::X { x } else { insn.k };
    let holds = match insn.code & 0xF0 {
        code::JA => return insn.k as usize,
        code::JEQ => a == operand,
        code::JGT => a > operand,
        code::JGE => a >= operand,
        _ => a & operand != 0,
    };
    usize::from(if holds { insn.jt } else { insn.jf })
}

impl fmt::Display for Program {
    /// A line for each instruction, in the form of `tcpdump -ddd`: four decimal numbers, their count first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.insns.len())?;
        for insn in &self.insns {
            writeln!(f, "{} {} {} {}", insn.code, insn.jt, insn.jf, insn.k)?;
        }
        Ok(())
    }
}
