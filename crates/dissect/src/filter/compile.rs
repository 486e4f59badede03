//! From tests of headers to classic BPF, with libpcap's meaning of each word.

use super::bpf::{Insn, LENGTH_MAX, MEMORY, Program, code};
use super::{
    Arith, ArithOp, Base, Dir, Expr, Family, FilterError, Header, Literal, NetOf, Op, Operand, Proto,
};
use crate::file::link as types;
use std::net::IpAddr;

/// What a program that lets a packet pass returns: libpcap's largest snapshot.
const PASS: u32 = 262_144;

/// Compiles for packets of a link type.
pub(super) fn compile(expr: &Expr, link: u16) -> Result<Program, FilterError> {
    let mut compiler = Compiler::new(link)?;
    let (pass, drop) = (compiler.label(), compiler.label());
    compiler.expr(expr, pass, drop)?;
    compiler.place(pass);
    compiler.push(code::RET, PASS);
    compiler.place(drop);
    compiler.push(code::RET, 0);
    compiler.finish()
}

type Compiled = Result<(), FilterError>;

fn error(message: impl Into<String>) -> FilterError {
    FilterError { column: 0, length: 1, message: message.into() }
}

/// A place in the program that is not known yet.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Label(usize);

#[derive(Clone, Copy)]
enum Step {
    Insn(u16, u32),
    /// A comparison and where to go.
    Jump(u16, u32, Label, Label),
}

/// How a link layer says what follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Types {
    /// A 16-bit EtherType.
    Ether,
    /// The first nibble of the packet.
    Version,
    /// Four bytes of address family.
    Family,
}

struct Compiler {
    steps: Vec<Step>,
    /// For each label the step it stands before.
    labels: Vec<Option<usize>>,
    types: Types,
    /// Where the type is, and where the network layer begins.
    type_at: u32,
    net_at: u32,
    is_ethernet: bool,
    /// Words of memory in use.
    memory: u32,
}

impl Compiler {
    fn new(link: u16) -> Result<Compiler, FilterError> {
        let (types, type_at, net_at) = match link {
            types::ETHERNET => (Types::Ether, 12, 14),
            types::RAW | types::RAW_BSD | types::RAW_OLD | types::IPV4 | types::IPV6 => {
                (Types::Version, 0, 0)
            }
            types::LINUX_SLL => (Types::Ether, 14, 16),
            types::LINUX_SLL2 => (Types::Ether, 0, 20),
            types::NULL | types::LOOP => (Types::Family, 0, 4),
            other => return Err(error(format!("filters do not know link type {other}"))),
        };
        let is_ethernet = link == types::ETHERNET;
        Ok(Compiler { steps: Vec::new(), labels: Vec::new(), types, type_at, net_at, is_ethernet, memory: 0 })
    }

    fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.steps.len());
    }

    fn push(&mut self, code: u16, k: u32) {
        self.steps.push(Step::Insn(code, k));
    }

    fn jump(&mut self, code: u16, k: u32, yes: Label, no: Label) {
        self.steps.push(Step::Jump(code::JMP | code, k, yes, no));
    }

    /// Resolves the labels. Conditional jumps reach 255 instructions far; longer ones get help.
    fn finish(self) -> Result<Program, FilterError> {
        let mut long = vec![false; self.steps.len()];
        let at = loop {
            let mut at = Vec::with_capacity(self.steps.len() + 1);
            let mut position = 0;
            for is_long in &long {
                at.push(position);
                position += if *is_long { 3 } else { 1 };
            }
            at.push(position);
            let target = |label: Label| at[self.labels[label.0].expect("every label was placed")];
            let mut grew = false;
            for (place, step) in self.steps.iter().enumerate() {
                if let Step::Jump(_, _, yes, no) = step
                    && !long[place]
                    && target(*yes).max(target(*no)) - at[place] - 1 > 255
                {
                    long[place] = true;
                    grew = true;
                }
            }
            if !grew {
                break at;
            }
        };
        let target = |label: Label| at[self.labels[label.0].expect("every label was placed")];
        let mut insns = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let here = at[place];
            match *step {
                Step::Insn(code, k) => insns.push(Insn { code, jt: 0, jf: 0, k }),
                Step::Jump(code, k, yes, no) if long[place] => {
                    insns.push(Insn { code, jt: 0, jf: 1, k });
                    insns.push(Insn { code: code::JMP, jt: 0, jf: 0, k: (target(yes) - here - 2) as u32 });
                    insns.push(Insn { code: code::JMP, jt: 0, jf: 0, k: (target(no) - here - 3) as u32 });
                }
                Step::Jump(code, k, yes, no) => {
                    let (jt, jf) = ((target(yes) - here - 1) as u8, (target(no) - here - 1) as u8);
                    insns.push(Insn { code, jt, jf, k });
                }
            }
        }
        if insns.len() > LENGTH_MAX {
            return Err(error("the filter is too large for the kernel"));
        }
        Program::new(insns).ok_or_else(|| error("the filter cannot be compiled"))
    }

    fn expr(&mut self, expr: &Expr, yes: Label, no: Label) -> Compiled {
        match expr {
            Expr::True => self.always(yes, yes),
            Expr::Not(inner) => return self.expr(inner, no, yes),
            Expr::And(parts) => {
                for part in parts {
                    let next = self.label();
                    self.expr(part, next, no)?;
                    self.place(next);
                }
                self.always(yes, yes);
            }
            Expr::Or(parts) => {
                for part in parts {
                    let next = self.label();
                    self.expr(part, yes, next)?;
                    self.place(next);
                }
                self.always(no, no);
            }
            Expr::Xor(left, right) => {
                let (left_yes, left_no) = (self.label(), self.label());
                self.expr(left, left_yes, left_no)?;
                self.place(left_yes);
                self.expr(right, no, yes)?;
                self.place(left_no);
                self.expr(right, yes, no)?;
            }
            Expr::Header(header) => return self.header(header, yes, no),
            Expr::Exists(defs) => {
                let protocol = defs.first().and_then(|def| protocol_named(def.name));
                let protocol = protocol.ok_or_else(|| unable(defs.first().map_or("this", |def| def.name)))?;
                return self.header(&Header::Proto(protocol), yes, no);
            }
            Expr::Compare { left, op, right, column } => {
                let lowered =
                    lower(left, *op, right).map_err(|error| FilterError { column: *column, ..error })?;
                return self.expr(&lowered, yes, no);
            }
            Expr::In { left, set } => {
                let Operand::Field { defs, .. } = left else { return Err(unable("this")) };
                let mut parts = Vec::new();
                for (from, to) in set {
                    parts.push(match to {
                        None => lower_one(defs[0].name, Op::Eq, from)?,
                        Some(to) => Expr::And(vec![
                            lower_one(defs[0].name, Op::Ge, from)?,
                            lower_one(defs[0].name, Op::Le, to)?,
                        ]),
                    });
                }
                return self.expr(&Expr::Or(parts), yes, no);
            }
        }
        Ok(())
    }

    /// Goes on at a label, whatever was found.
    fn always(&mut self, yes: Label, no: Label) {
        self.jump(code::JEQ, 0, yes, no);
    }

    /// Compares the word of `size` bytes at an offset.
    fn equals(&mut self, size: u16, at: u32, value: u32, yes: Label, no: Label) {
        self.push(code::LD | size | code::ABS, at);
        self.jump(code::JEQ, value, yes, no);
    }

    /// Whether the packet is of this EtherType.
    fn ethertype(&mut self, kind: u16, yes: Label, no: Label) {
        match (self.types, kind) {
            (Types::Ether, _) => self.equals(code::H, self.type_at, u32::from(kind), yes, no),
            (Types::Version, 0x0800 | 0x86DD) => {
                self.push(code::LD | code::B | code::ABS, self.net_at);
                self.push(code::ALU | code::AND, 0xF0);
                self.jump(code::JEQ, if kind == 0x0800 { 0x40 } else { 0x60 }, yes, no);
            }
            (Types::Family, 0x0800) => {
                let next = self.label();
                self.equals(code::W, 0, 0x0200_0000, yes, next);
                self.place(next);
                self.equals(code::W, 0, 2, yes, no);
            }
            (Types::Family, 0x86DD) => {
                for family in [10u32, 24, 28, 30] {
                    for word in [family, family.swap_bytes()] {
                        let next = self.label();
                        self.equals(code::W, 0, word, yes, next);
                        self.place(next);
                    }
                }
                self.always(no, no);
            }
            _ => self.always(no, no),
        }
    }

    fn ip_proto(&mut self, family: Option<Family>, number: u8, yes: Label, no: Label) {
        if family != Some(Family::V6) {
            let (inside, next) = (self.label(), self.label());
            let other = if family.is_none() { next } else { no };
            self.ethertype(0x0800, inside, other);
            self.place(inside);
            self.equals(code::B, self.net_at + 9, u32::from(number), yes, other);
            self.place(next);
        }
        if family != Some(Family::V4) {
            let (inside, fragment, upper) = (self.label(), self.label(), self.label());
            self.ethertype(0x86DD, inside, no);
            self.place(inside);
            self.equals(code::B, self.net_at + 6, u32::from(number), yes, fragment);
            // A fragment header may stand between.
            self.place(fragment);
            self.equals(code::B, self.net_at + 6, 44, upper, no);
            self.place(upper);
            self.equals(code::B, self.net_at + 40, u32::from(number), yes, no);
        }
    }

    fn header(&mut self, header: &Header, yes: Label, no: Label) -> Compiled {
        match *header {
            Header::Proto(proto) => self.protocol(proto, yes, no),
            Header::IpProto(family, number) => self.ip_proto(family, number, yes, no),
            Header::EtherProto(kind) => self.ethertype(kind, yes, no),
            Header::Net { of, dir, addr, prefix } => self.net(of, dir, addr, prefix, yes, no)?,
            Header::EtherHost { dir, addr } => {
                self.only_ethernet()?;
                self.ends(dir, yes, no, |this, dst, yes, no| {
                    this.mac(if dst { 0 } else { 6 }, addr, yes, no)
                });
            }
            Header::EtherBroadcast => {
                self.only_ethernet()?;
                self.mac(0, [0xFF; 6], yes, no);
            }
            Header::EtherMulticast => {
                self.only_ethernet()?;
                self.push(code::LD | code::B | code::ABS, 0);
                self.jump(code::JSET, 1, yes, no);
            }
            // The network's mask is in no packet: what is left are the addresses of all ones and all zeros.
            Header::IpBroadcast => {
                let (inside, next) = (self.label(), self.label());
                self.ethertype(0x0800, inside, no);
                self.place(inside);
                self.equals(code::W, self.net_at + 16, 0, yes, next);
                self.place(next);
                self.equals(code::W, self.net_at + 16, u32::MAX, yes, no);
            }
            Header::IpMulticast => {
                let inside = self.label();
                self.ethertype(0x0800, inside, no);
                self.place(inside);
                self.push(code::LD | code::B | code::ABS, self.net_at + 16);
                self.jump(code::JGE, 224, yes, no);
            }
            Header::Ip6Multicast => {
                let inside = self.label();
                self.ethertype(0x86DD, inside, no);
                self.place(inside);
                self.equals(code::B, self.net_at + 24, 255, yes, no);
            }
            Header::Port { of, dir, first, last } => self.port(of, dir, first, last, yes, no),
            Header::Less(length) => {
                self.push(code::LD | code::LEN, 0);
                self.jump(code::JGT, length, no, yes);
            }
            Header::Greater(length) => {
                self.push(code::LD | code::LEN, 0);
                self.jump(code::JGE, length, yes, no);
            }
            Header::Vlan(id) => self.vlan(id, yes, no)?,
            Header::Relation { ref left, op, ref right } => self.relation(left, op, right, yes, no)?,
        }
        Ok(())
    }

    fn only_ethernet(&self) -> Compiled {
        if self.is_ethernet { Ok(()) } else { Err(error("MAC addresses are found in Ethernet frames only")) }
    }

    fn protocol(&mut self, proto: Proto, yes: Label, no: Label) {
        match proto {
            Proto::Ip => self.ethertype(0x0800, yes, no),
            Proto::Ip6 => self.ethertype(0x86DD, yes, no),
            Proto::Arp => self.ethertype(0x0806, yes, no),
            Proto::Rarp => self.ethertype(0x8035, yes, no),
            Proto::Tcp => self.ip_proto(None, 6, yes, no),
            Proto::Udp => self.ip_proto(None, 17, yes, no),
            Proto::Sctp => self.ip_proto(None, 132, yes, no),
            Proto::Esp => self.ip_proto(None, 50, yes, no),
            Proto::Ah => self.ip_proto(None, 51, yes, no),
            Proto::Pim => self.ip_proto(None, 103, yes, no),
            Proto::Icmp => self.ip_proto(Some(Family::V4), 1, yes, no),
            Proto::Igmp => self.ip_proto(Some(Family::V4), 2, yes, no),
            Proto::Vrrp => self.ip_proto(Some(Family::V4), 112, yes, no),
            Proto::Icmp6 => self.ip_proto(Some(Family::V6), 58, yes, no),
        }
    }

    /// Tests one end or both.
    fn ends(&mut self, dir: Dir, yes: Label, no: Label, mut test: impl FnMut(&mut Self, bool, Label, Label)) {
        match dir {
            Dir::Src => test(self, false, yes, no),
            Dir::Dst => test(self, true, yes, no),
            Dir::Either => {
                let next = self.label();
                test(self, false, yes, next);
                self.place(next);
                test(self, true, yes, no);
            }
            Dir::Both => {
                let next = self.label();
                test(self, false, next, no);
                self.place(next);
                test(self, true, yes, no);
            }
        }
    }

    fn mac(&mut self, at: u32, addr: [u8; 6], yes: Label, no: Label) {
        let next = self.label();
        let word = u32::from_be_bytes([addr[2], addr[3], addr[4], addr[5]]);
        self.equals(code::W, at + 2, word, next, no);
        self.place(next);
        self.equals(code::H, at, u32::from(u16::from_be_bytes([addr[0], addr[1]])), yes, no);
    }

    fn net(&mut self, of: NetOf, dir: Dir, addr: IpAddr, prefix: u8, yes: Label, no: Label) -> Compiled {
        match addr {
            IpAddr::V4(addr) => {
                // EtherType, offsets of source and destination.
                let places: &[(u16, u32, u32)] = match of {
                    NetOf::Any => &[(0x0800, 12, 16), (0x0806, 14, 24), (0x8035, 14, 24)],
                    NetOf::Ip => &[(0x0800, 12, 16)],
                    NetOf::Arp => &[(0x0806, 14, 24)],
                    NetOf::Rarp => &[(0x8035, 14, 24)],
                    NetOf::Ip6 => return Err(error("that is no IPv6 address")),
                };
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                let net = self.net_at;
                for (kind, src, dst) in places {
                    let (inside, next) = (self.label(), self.label());
                    self.ethertype(*kind, inside, next);
                    self.place(inside);
                    self.ends(dir, yes, no, |this, is_dst, yes, no| {
                        let at = net + if is_dst { *dst } else { *src };
                        this.masked(at, addr.to_bits() & mask, mask, yes, no);
                    });
                    self.place(next);
                }
                self.always(no, no);
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                let inside = self.label();
                self.ethertype(0x86DD, inside, no);
                self.place(inside);
                let net = self.net_at;
                self.ends(dir, yes, no, |this, is_dst, yes, no| {
                    let at = net + if is_dst { 24 } else { 8 };
                    for word in 0..4u32 {
                        let next = this.label();
                        let shift = 96 - 32 * word;
                        let (value, mask) = ((addr.to_bits() >> shift) as u32, (mask >> shift) as u32);
                        this.masked(at + 4 * word, value & mask, mask, next, no);
                        this.place(next);
                    }
                    this.always(yes, yes);
                });
            }
        }
        Ok(())
    }

    fn masked(&mut self, at: u32, value: u32, mask: u32, yes: Label, no: Label) {
        if mask == 0 {
            return self.always(yes, yes);
        }
        self.push(code::LD | code::W | code::ABS, at);
        if mask != u32::MAX {
            self.push(code::ALU | code::AND, mask);
        }
        self.jump(code::JEQ, value, yes, no);
    }

    fn port(&mut self, of: Option<u8>, dir: Dir, first: u16, last: u16, yes: Label, no: Label) {
        let (v4, v6, v6_inside) = (self.label(), self.label(), self.label());
        let net = self.net_at;
        self.ethertype(0x0800, v4, v6);
        self.place(v4);
        self.one_of(net + 9, of, no);
        let whole = self.label();
        self.push(code::LD | code::H | code::ABS, net + 6);
        self.jump(code::JSET, 0x1FFF, no, whole);
        self.place(whole);
        self.push(code::LDX | code::B | code::MSH, net);
        self.ends(dir, yes, no, |this, is_dst, yes, no| {
            this.push(code::LD | code::H | code::IND, net + if is_dst { 2 } else { 0 });
            this.range(first, last, yes, no);
        });
        self.place(v6);
        self.ethertype(0x86DD, v6_inside, no);
        self.place(v6_inside);
        self.one_of(net + 6, of, no);
        self.ends(dir, yes, no, |this, is_dst, yes, no| {
            this.push(code::LD | code::H | code::ABS, net + 40 + if is_dst { 2 } else { 0 });
            this.range(first, last, yes, no);
        });
    }

    /// Goes on if the protocol at an offset has ports (or is the one that was named).
    fn one_of(&mut self, at: u32, of: Option<u8>, no: Label) {
        let all = [132, 6, 17];
        let wanted: &[u8] = match &of {
            Some(one) => std::slice::from_ref(one),
            None => &all,
        };
        let found = self.label();
        self.push(code::LD | code::B | code::ABS, at);
        for (place, number) in wanted.iter().enumerate() {
            let next = self.label();
            let is_last = place + 1 == wanted.len();
            self.jump(code::JEQ, u32::from(*number), found, if is_last { no } else { next });
            self.place(next);
        }
        self.place(found);
    }

    fn range(&mut self, first: u16, last: u16, yes: Label, no: Label) {
        if first == last {
            return self.jump(code::JEQ, u32::from(first), yes, no);
        }
        let next = self.label();
        self.jump(code::JGE, u32::from(first), next, no);
        self.place(next);
        self.jump(code::JGT, u32::from(last), no, yes);
    }

    /// Tests for a tag; whatever is tested later lies behind it.
    fn vlan(&mut self, id: Option<u16>, yes: Label, no: Label) -> Compiled {
        if !self.is_ethernet {
            return Err(error("VLAN tags are found in Ethernet frames only"));
        }
        let tagged = self.label();
        for kind in [0x8100, 0x88A8] {
            let next = self.label();
            self.ethertype(kind, tagged, next);
            self.place(next);
        }
        self.ethertype(0x9100, tagged, no);
        self.place(tagged);
        match id {
            None => self.always(yes, yes),
            Some(id) => {
                self.push(code::LD | code::H | code::ABS, self.net_at);
                self.push(code::ALU | code::AND, 0x0FFF);
                self.jump(code::JEQ, u32::from(id), yes, no);
            }
        }
        self.type_at += 4;
        self.net_at += 4;
        Ok(())
    }

    fn relation(&mut self, left: &Arith, op: Op, right: &Arith, yes: Label, no: Label) -> Compiled {
        self.guards(left, no);
        self.guards(right, no);
        let slot = self.slot()?;
        self.arith(right)?;
        self.push(code::ST, slot);
        self.arith(left)?;
        self.push(code::LDX | code::MEM, slot);
        self.memory -= 1;
        match op {
            Op::Ne | Op::AnyNe => self.jump(code::JEQ | code::X, 0, no, yes),
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

    /// The protocols whose bytes are read have to be there.
    fn guards(&mut self, arith: &Arith, no: Label) {
        match arith {
            Arith::Number(_) | Arith::Len => {}
            Arith::Negate(inner) => self.guards(inner, no),
            Arith::Binary(left, _, right) => {
                self.guards(left, no);
                self.guards(right, no);
            }
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

fn number_of(proto: Proto) -> u8 {
    match proto {
        Proto::Icmp => 1,
        Proto::Igmp => 2,
        Proto::Tcp => 6,
        Proto::Udp => 17,
        Proto::Esp => 50,
        Proto::Ah => 51,
        Proto::Pim => 103,
        Proto::Vrrp => 112,
        Proto::Sctp => 132,
        Proto::Icmp6 => 58,
        Proto::Ip | Proto::Ip6 | Proto::Arp | Proto::Rarp => 255,
    }
}

fn protocol_named(name: &str) -> Option<Proto> {
    Some(match name {
        "ip" => Proto::Ip,
        "ipv6" => Proto::Ip6,
        "arp" => Proto::Arp,
        "tcp" => Proto::Tcp,
        "udp" => Proto::Udp,
        "sctp" => Proto::Sctp,
        "icmp" => Proto::Icmp,
        "icmpv6" => Proto::Icmp6,
        "igmp" => Proto::Igmp,
        _ => return None,
    })
}

fn unable(what: &str) -> FilterError {
    error(format!("`{what}` takes a dissection: the kernel cannot test it"))
}

/// A comparison of a field as tests of headers, where that is possible.
fn lower(left: &Operand, op: Op, right: &Operand) -> Result<Expr, FilterError> {
    match (left, right) {
        (Operand::Field { defs, slices }, Operand::Literal(literal)) if slices.is_empty() => {
            // An alias lists its parts; its tests are of both ends.
            let name = match defs.as_slice() {
                [one] => one.name,
                [one, ..] => match one.name {
                    "ip.src" => "ip.addr",
                    "ipv6.src" => "ipv6.addr",
                    "tcp.srcport" => "tcp.port",
                    "udp.srcport" => "udp.port",
                    "eth.dst" => "eth.addr",
                    other => other,
                },
                [] => return Err(unable("this")),
            };
            lower_one(name, op, literal)
        }
        (Operand::Field { defs, .. } | Operand::Masked(defs, _), _) => Err(unable(defs[0].name)),
        _ => Err(unable("this")),
    }
}

fn lower_one(name: &str, op: Op, literal: &Literal) -> Result<Expr, FilterError> {
    let simple = |header| match op {
        Op::Eq | Op::AllEq => Ok(Expr::Header(header)),
        Op::Ne => {
            let there = protocol_named(name.split('.').next().unwrap_or_default());
            let not = Expr::Not(Box::new(Expr::Header(header)));
            Ok(match there {
                Some(proto) => Expr::And(vec![Expr::Header(Header::Proto(proto)), not]),
                None => not,
            })
        }
        _ => Err(unable(name)),
    };
    let dir = match name.rsplit('.').next().unwrap_or_default() {
        "src" | "srcport" => Dir::Src,
        "dst" | "dstport" => Dir::Dst,
        _ => Dir::Either,
    };
    match (name, literal) {
        ("ip.src" | "ip.dst" | "ip.addr", Literal::Net(addr, prefix)) => {
            simple(Header::Net { of: NetOf::Ip, dir, addr: *addr, prefix: *prefix })
        }
        ("ipv6.src" | "ipv6.dst" | "ipv6.addr", Literal::Net(addr, prefix)) => {
            simple(Header::Net { of: NetOf::Ip6, dir, addr: *addr, prefix: *prefix })
        }
        ("eth.src" | "eth.dst" | "eth.addr", Literal::Bytes(bytes)) => {
            let addr = <[u8; 6]>::try_from(bytes.as_slice()).map_err(|_| unable(name))?;
            simple(Header::EtherHost { dir, addr })
        }
        ("eth.type", Literal::Uint(kind)) => simple(Header::EtherProto(*kind as u16)),
        ("ip.proto", Literal::Uint(number)) => simple(Header::IpProto(Some(Family::V4), *number as u8)),
        (
            "tcp.port" | "tcp.srcport" | "tcp.dstport" | "udp.port" | "udp.srcport" | "udp.dstport",
            Literal::Uint(port),
        ) => {
            let of = Some(if name.starts_with("tcp") { 6 } else { 17 });
            let port = u16::try_from(*port).map_err(|_| unable(name))?;
            let (first, last) = match op {
                Op::Ge => (port, u16::MAX),
                Op::Le => (0, port),
                Op::Gt if port < u16::MAX => (port + 1, u16::MAX),
                Op::Lt if port > 0 => (0, port - 1),
                _ => return simple(Header::Port { of, dir, first: port, last: port }),
            };
            Ok(Expr::Header(Header::Port { of, dir, first, last }))
        }
        ("frame.len", Literal::Uint(length)) => {
            let right = Arith::Number(u32::try_from(*length).map_err(|_| unable(name))?);
            Ok(Expr::Header(Header::Relation { left: Arith::Len, op, right }))
        }
        _ => Err(unable(name)),
    }
}
