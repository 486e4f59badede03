//! Filters: one tree of tests, two languages, two ways to run.
//!
//! - [`Filter::display`] reads Wireshark's display filters, [`Filter::pcap`] pcap-filter(7).
//! - [`Filter::matches`] tests a dissected packet; [`Filter::compile`] gives classic BPF for the kernel, or for
//!   [`bpf::Program::run`], which needs no dissection; [`ebpf::xdp`] makes a program for an interface of it.
//!
//! Errors say at which column the text stops making sense.

pub mod bpf;
mod compile;
mod display;
pub mod ebpf;
mod lexer;
mod matcher;
mod pcap;

use crate::field::FieldDef;
use crate::tree::Tree;
use std::fmt;
use std::net::IpAddr;

/// A filter that was understood.
#[derive(Debug)]
pub struct Filter {
    expr: Expr,
    /// Of a pcap filter: the program that tests it, for each link type that was met.
    programs: Vec<(u16, bpf::Program)>,
    is_pcap: bool,
}

/// Why a filter was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The column, in characters from 0.
    pub column: usize,
    /// How many characters are meant.
    pub length: usize,
    /// What is wrong: "there is no field `tcp.prot`".
    pub message: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads a display filter: `tcp.port == 443 && !tcp.analysis.retransmission`. Empty text matches everything.
    ///
    /// # Errors
    /// Where the text stops making sense.
    pub fn display(text: &str) -> Result<Filter, FilterError> {
        Ok(Filter { expr: display::parse(text)?, programs: Vec::new(), is_pcap: false })
    }

    /// Reads a pcap filter: `tcp port 443 and not host 192.0.2.1`. Empty text matches everything.
    ///
    /// # Errors
    /// Where the text stops making sense.
    pub fn pcap(text: &str) -> Result<Filter, FilterError> {
        Ok(Filter { expr: pcap::parse(text)?, programs: Vec::new(), is_pcap: true })
    }

    /// Whether it is a test of header bytes only, which needs no dissection.
    pub fn is_pcap(&self) -> bool {
        self.is_pcap
    }

    /// Compiles to classic BPF for packets of a LINKTYPE_.
    ///
    /// # Errors
    /// What BPF cannot express: fields that take a dissection, links it does not know.
    pub fn compile(&self, link: u16) -> Result<bpf::Program, FilterError> {
        compile::compile(&self.expr, link)
    }

    /// Compiles for a Linux packet socket that gives packets of a LINKTYPE_. `None`: it cannot be tested there, because
    /// the kernel has taken VLAN tags out of the frames, or does not have what a cooked header says; test it on what
    /// the socket gives.
    ///
    /// # Errors
    /// As [`Filter::compile`].
    pub fn for_socket(&self, link: u16) -> Result<Option<bpf::Program>, FilterError> {
        let program = self.compile(link)?;
        if self.expr.tests_vlan() {
            return Ok(None);
        }
        Ok(if link == crate::file::link::LINUX_SLL2 { program.for_cooked_socket() } else { Some(program) })
    }

    /// Tests a packet of a pcap filter by its bytes alone. `original` is its length on the wire.
    ///
    /// # Errors
    /// As [`Filter::compile`].
    pub fn matches_bytes(&mut self, link: u16, bytes: &[u8], original: u32) -> Result<bool, FilterError> {
        if let Some((_, program)) = self.programs.iter().find(|(known, _)| *known == link) {
            return Ok(program.run(bytes, original) != 0);
        }
        let program = self.compile(link)?;
        let result = program.run(bytes, original) != 0;
        self.programs.push((link, program));
        Ok(result)
    }

    /// Tests a dissected packet.
    pub fn matches(&self, tree: Tree<'_>) -> bool {
        matcher::matches(&self.expr, tree)
    }
}

/// A test.
#[derive(Debug)]
pub(crate) enum Expr {
    True,
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// An odd number of them holds.
    Xor(Vec<Expr>),
    /// One test, and its column.
    At(Box<Expr>, usize),
    /// One of the fields is there, in one of these layers.
    Exists(Vec<&'static FieldDef>, Vec<Slice>),
    /// A value has bits that are not 0.
    NonZero(Operand),
    /// A field compared with something.
    Compare {
        left: Operand,
        op: Op,
        right: Operand,
        /// It has to hold for every value on either side, not only for some.
        all: bool,
        column: usize,
    },
    /// A field is one of several values.
    In {
        left: Operand,
        set: Vec<(Literal, Option<Literal>)>,
        all: bool,
    },
    /// What pcap-filter says of headers.
    Header(Header),
}

impl Expr {
    /// Whether it asks for VLAN tags.
    fn tests_vlan(&self) -> bool {
        match self {
            Expr::Not(inner) => inner.tests_vlan(),
            Expr::And(parts) | Expr::Or(parts) | Expr::Xor(parts) => parts.iter().any(Expr::tests_vlan),
            Expr::At(inner, _) => inner.tests_vlan(),
            Expr::Header(header) => matches!(header, Header::Vlan(_)),
            Expr::True | Expr::Exists(..) | Expr::NonZero(_) | Expr::Compare { .. } | Expr::In { .. } => {
                false
            }
        }
    }
}

/// What is compared.
#[derive(Debug)]
pub(crate) enum Operand {
    /// A field, in some of its protocol's layers only unless `layers` is empty.
    Field {
        defs: Vec<&'static FieldDef>,
        layers: Vec<Slice>,
    },
    /// Parts of its bytes.
    Slice(Box<Operand>, Vec<Slice>),
    Call(Function, Vec<Operand>),
    Sum(Box<Operand>, Sum, Box<Operand>),
    Negative(Box<Operand>),
    /// A value of which it is not known yet what it is compared with.
    Unread(lexer::Token),
    Literal(Literal),
}

/// What is made of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// How long a field's value is.
    Len,
    /// How often a field is there.
    Count,
    /// A field's words in lower or upper case.
    Lower,
    Upper,
    /// A field's value as it is written.
    Words,
    Max,
    Min,
    Abs,
}

/// What is reckoned with values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
}

/// A part of a field's bytes: from `start` (negative: from the end), `len` bytes or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) start: i64,
    pub(crate) len: Option<u64>,
}

/// A value of the type of the field it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Uint(u64),
    Int(i64),
    Float(f64),
    /// Nanoseconds since the Unix epoch, or how many.
    Time(i64),
    Span(i64),
    Net(IpAddr, u8),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    Regex(Pattern),
}

/// A regular expression, equal to another if it was written the same.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) regex_lite::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Contains,
    Matches,
}

/// Which end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dir {
    Src,
    Dst,
    Either,
    Both,
}

/// What pcap-filter can say of headers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Header {
    /// A protocol by its name's meaning.
    Proto(Proto),
    /// `ip proto N`, `ip6 proto N`, `proto N`, `ether proto N`.
    IpProto(Option<Family>, u8),
    EtherProto(u16),
    /// Addresses: `host`, `net`, with the protocols they are looked for in.
    Net {
        of: NetOf,
        dir: Dir,
        addr: IpAddr,
        prefix: u8,
    },
    EtherHost {
        dir: Dir,
        addr: [u8; 6],
    },
    EtherMulticast,
    EtherBroadcast,
    IpMulticast,
    Ip6Multicast,
    IpBroadcast,
    /// A range of ports of TCP, UDP, SCTP (or those named).
    Port {
        of: Option<u8>,
        dir: Dir,
        first: u16,
        last: u16,
    },
    Less(u32),
    Greater(u32),
    Vlan(Option<u16>),
    /// An arithmetic comparison.
    Relation {
        left: Arith,
        op: Op,
        right: Arith,
    },
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// In which protocols' addresses to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetOf {
    /// IPv4, ARP and RARP; or IPv6.
    Any,
    Ip,
    Ip6,
    Arp,
    Rarp,
}

/// Names that stand for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proto {
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    Igmp,
    Esp,
    Ah,
    Pim,
    Vrrp,
}

/// Arithmetic on packet bytes, 32 bits wide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arith {
    Number(u32),
    Len,
    /// Bytes of a protocol's header: protocol, offset, size.
    Load(Base, Box<Arith>, u8),
    Binary(Box<Arith>, ArithOp, Box<Arith>),
    Negate(Box<Arith>),
}

/// Where an offset counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Ether,
    Proto(Proto),
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

#[cfg(test)]
mod tests;
