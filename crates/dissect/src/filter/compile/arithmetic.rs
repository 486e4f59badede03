//! Relations between bytes of the packet and numbers.

use super::assemble::Label;
use super::headers::number_of;
use super::{Compiled, Compiler, error};
use crate::filter::bpf::{MEMORY, code};
use crate::filter::{Arith, ArithOp, Base, Family, FilterError, Op, Proto};

impl Compiler {
    pub(super) fn relation(
        &mut self,
        left: &Arith,
        op: Op,
        right: &Arith,
        yes: Label,
        no: Label,
    ) -> Compiled {
        self.guards(left, no);
        self.guards(right, no);
        let slot = self.slot()?;
        self.arith(right)?;
        self.push(code::ST, slot);
        self.arith(left)?;
        self.push(code::LDX | code::MEM, slot);
        self.memory -= 1;
        match op {
            Op::Ne => self.jump(code::JEQ | code::X, 0, no, yes),
            Op::Gt => self.jump(code::JGT | code::X, 0, yes, no),
            Op::Ge => self.jump(code::JGE | code::X, 0, yes, no),
            Op::Lt => self.jump(code::JGE | code::X, 0, no, yes),
            Op::Le => self.jump(code::JGT | code::X, 0, no, yes),
            _ => self.jump(code::JEQ | code::X, 0, yes, no),
        }
        Ok(())
    }

    fn slot(&mut self) -> Result<u32, FilterError> {
        if self.memory as usize >= MEMORY {
            return Err(error("the arithmetic is too deep for BPF's memory"));
        }
        self.memory += 1;
        Ok(self.memory - 1)
    }

    /// The protocols whose bytes are read have to be there: of an operation's operands, those of the first. That is
    /// what libpcap asks for, and who reads from both mostly reads one protocol.
    fn guards(&mut self, arith: &Arith, no: Label) {
        match arith {
            Arith::Number(_) | Arith::Len => {}
            Arith::Negate(inner) => self.guards(inner, no),
            Arith::Binary(left, _, _) => self.guards(left, no),
            Arith::Load(base, offset, _) => {
                self.guards(offset, no);
                let Base::Proto(proto) = base else { return };
                let next = self.label();
                match proto {
                    Proto::Ip | Proto::Ip6 | Proto::Arp | Proto::Rarp | Proto::Icmp6 => {
                        self.protocol(*proto, next, no)
                    }
                    transport => {
                        // Only in IPv4, whose header's length is known, and only in the first fragment.
                        let inside = self.label();
                        self.ip_proto(Some(Family::V4), number_of(*transport), inside, no);
                        self.place(inside);
                        self.push(code::LD | code::H | code::ABS, self.net_at + 6);
                        self.jump(code::JSET, 0x1FFF, no, next);
                    }
                }
                self.place(next);
            }
        }
    }

    /// Leaves the value in the accumulator.
    fn arith(&mut self, arith: &Arith) -> Compiled {
        match arith {
            Arith::Number(number) => self.push(code::LD | code::IMM, *number),
            Arith::Len => self.push(code::LD | code::LEN, 0),
            Arith::Negate(inner) => {
                self.arith(inner)?;
                self.push(code::ALU | code::NEG, 0);
            }
            Arith::Binary(left, op, right) => {
                let slot = self.slot()?;
                self.arith(right)?;
                self.push(code::ST, slot);
                self.arith(left)?;
                self.push(code::LDX | code::MEM, slot);
                self.memory -= 1;
                let op = match op {
                    ArithOp::Add => code::ADD,
                    ArithOp::Sub => code::SUB,
                    ArithOp::Mul => code::MUL,
                    ArithOp::Div => code::DIV,
                    ArithOp::Mod => code::MOD,
                    ArithOp::And => code::AND,
                    ArithOp::Or => code::OR,
                    ArithOp::Xor => code::XOR,
                    ArithOp::Shl => code::LSH,
                    ArithOp::Shr => code::RSH,
                };
                self.push(code::ALU | op | code::X, 0);
            }
            Arith::Load(base, offset, size) => {
                let size = match size {
                    1 => code::B,
                    2 => code::H,
                    _ => code::W,
                };
                let (begins, after_ip) = match base {
                    Base::Ether => (0, false),
                    Base::Proto(Proto::Ip | Proto::Ip6 | Proto::Arp | Proto::Rarp) => (self.net_at, false),
                    Base::Proto(Proto::Icmp6) => (self.net_at + 40, false),
                    Base::Proto(_) => (self.net_at, true),
                };
                if let Some(offset) = constant(offset) {
                    let at = begins.wrapping_add(offset);
                    if after_ip {
                        self.push(code::LDX | code::B | code::MSH, self.net_at);
                    }
                    self.push(code::LD | size | if after_ip { code::IND } else { code::ABS }, at);
                    return Ok(());
                }
                self.arith(offset)?;
                if after_ip {
                    self.push(code::LDX | code::B | code::MSH, self.net_at);
                    self.push(code::ALU | code::ADD | code::X, 0);
                }
                self.push(code::MISC | code::TAX, 0);
                self.push(code::LD | size | code::IND, begins);
            }
        }
        Ok(())
    }
}

/// The value of arithmetic that needs no packet.
fn constant(arith: &Arith) -> Option<u32> {
    match arith {
        Arith::Number(number) => Some(*number),
        Arith::Negate(inner) => constant(inner).map(u32::wrapping_neg),
        Arith::Binary(left, op, right) => {
            let (left, right) = (constant(left)?, constant(right)?);
            match op {
                ArithOp::Add => Some(left.wrapping_add(right)),
                ArithOp::Sub => Some(left.wrapping_sub(right)),
                ArithOp::Mul => Some(left.wrapping_mul(right)),
                _ => None,
            }
        }
        Arith::Len | Arith::Load(..) => None,
    }
}
