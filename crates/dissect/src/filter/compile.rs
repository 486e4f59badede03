//! From tests of headers to classic BPF, with libpcap's meaning of each word.
//!
//! - `assemble`: labels, and how far jumps reach. `headers`: protocols, addresses, ports, tags. `arithmetic`: relations.
//! - `lower`: comparisons of fields as tests of headers.

mod arithmetic;
mod assemble;
mod headers;
mod lower;

use self::assemble::{Label, Step};
use self::lower::{lower, lower_set, protocol_named, unable};
use super::bpf::{Program, code};
use super::{Expr, FilterError, Header};
use crate::file::link as types;

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

/// How a link layer says what follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Types {
    /// A 16-bit EtherType.
    Ether,
    /// The first nibble of the packet.
    Version,
    /// Four bytes of address family.
    Family,
    /// The protocol of PPP.
    Ppp,
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
            // As libpcap: with address and control in front.
            types::PPP | types::PPP_HDLC => (Types::Ppp, 2, 4),
            types::PPP_ETHER => (Types::Ppp, 6, 8),
            other => return Err(error(format!("filters do not know link type {other}"))),
        };
        let is_ethernet = link == types::ETHERNET;
        Ok(Compiler { steps: Vec::new(), labels: Vec::new(), types, type_at, net_at, is_ethernet, memory: 0 })
    }

    fn expr(&mut self, expr: &Expr, yes: Label, no: Label) -> Compiled {
        // Brackets behind `xor` are needed twice, those in them four times.
        self.fits()?;
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
            Expr::Xor(parts) => return self.xor(parts, yes, no),
            Expr::At(inner, column) => {
                let placed = |error: FilterError| FilterError { column: error.column.max(*column), ..error };
                return self.expr(inner, yes, no).map_err(placed);
            }
            Expr::Header(header) => return self.header(header, yes, no),
            Expr::Exists(defs, layers) => {
                let protocol = defs.first().and_then(|def| protocol_named(def.name));
                let protocol = protocol.filter(|_| layers.is_empty());
                let protocol = protocol.ok_or_else(|| unable(defs.first().map_or("this", |def| def.name)))?;
                return self.header(&Header::Proto(protocol), yes, no);
            }
            Expr::NonZero(_) => return Err(unable("this")),
            Expr::Compare { left, op, right, all, column } => {
                let lowered = lower(left, *op, right, *all)
                    .map_err(|error| FilterError { column: *column, ..error })?;
                return self.expr(&lowered, yes, no);
            }
            Expr::In { left, set, all } => return self.expr(&lower_set(left, set, *all)?, yes, no),
        }
        Ok(())
    }

    /// Twice all but the first: for an even and for an odd number of those before.
    fn xor(&mut self, parts: &[Expr], yes: Label, no: Label) -> Compiled {
        let (Some((first, rest)), mut odd, mut even) = (parts.split_first(), self.label(), self.label())
        else {
            return Ok(());
        };
        self.expr(first, odd, even)?;
        for (place, part) in rest.iter().enumerate() {
            let is_last = place + 1 == rest.len();
            let (next_odd, next_even) = if is_last { (yes, no) } else { (self.label(), self.label()) };
            self.place(odd);
            self.expr(part, next_even, next_odd)?;
            self.place(even);
            self.expr(part, next_odd, next_even)?;
            (odd, even) = (next_odd, next_even);
        }
        Ok(())
    }

    fn header(&mut self, header: &Header, yes: Label, no: Label) -> Compiled {
        match *header {
            Header::Proto(proto) => self.protocol(proto, yes, no),
            Header::IpProto(family, number) => self.ip_proto(family, number, yes, no),
            Header::EtherProto(kind) => self.ether_proto(kind, yes, no),
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
}
