//! What a script says, as values. [`crate::parse()`] makes them, [`crate::run()`] carries them out.

use core::time::Duration;

/// A whole script.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// `--name=value` lines, in order.
    pub settings: Vec<Setting>,
    /// What happens, in order.
    pub events: Vec<Event>,
}

/// One `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Without the dashes.
    pub name: String,
    /// What follows `=`; empty without.
    pub value: String,
    /// Where it stands, from 1.
    pub line: u32,
}

/// One line of the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it begins, from 1.
    pub line: u32,
    /// When.
    pub time: Time,
    /// What.
    pub action: Action,
}

/// When something happens. Times count from the script's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// `0.5`
    At(Duration),
    /// `+0.5`: after the event before.
    After(Duration),
    /// `0.5~0.7`
    Between(Duration, Duration),
    /// `+0.5~+0.7`
    AfterBetween(Duration, Duration),
    /// `*`: whenever.
    Any,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `<` or `>` and a packet.
    Packet(Box<Packet>),
    /// A system call.
    Call(Box<Call>),
    /// A line for the shell, in backticks.
    Shell(String),
    /// `%{ … }%`
    Code(String),
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `<`: to the host under test.
    In,
    /// `>`: from it.
    Out,
}

/// A packet that the script sends, or one that it expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Whose it is.
    pub direction: Direction,
    /// Headers around it, as written, if there are any (`gre:`, `mpls …:`, `ipv4 a > b:`, `/udp(1 > 2)`).
    pub encapsulation: Option<String>,
    /// What is said of the IP header.
    pub ip: IpSpec,
    /// What it carries.
    pub body: Body,
}

/// What a script says about an IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpSpec {
    /// The whole TOS octet or traffic class.
    pub tos: Option<u8>,
    /// The ECN bits only.
    pub ecn: Option<Ecn>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// Flow label.
    pub flow_label: Option<u32>,
}

/// The ECN bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// `noecn`
    None,
    /// `ect0`
    Ect0,
    /// `ect1`
    Ect1,
    /// `ce`
    Ce,
    /// `ect01`: one of the two.
    Ect,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(TcpSpec),
    /// `udp (1000)`
    Udp {
        /// Source and destination, if given.
        ports: Option<(u16, u16)>,
        /// Payload bytes.
        len: u16,
    },
    /// `icmp type code …`
    Icmp(IcmpSpec),
}

/// What a script says about a TCP segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TcpSpec {
    /// Source and destination, if given.
    pub ports: Option<(u16, u16)>,
    /// The control bits as on the wire, AE included.
    pub flags: u16,
    /// First sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub len: u16,
    /// `...(10)`: the sequence number may be any.
    pub seq_any: bool,
    /// `!`: the sequence number is meant as on the wire.
    pub seq_absolute: bool,
    /// Acknowledgement number, if given.
    pub ack: Option<u32>,
    /// `!`: likewise.
    pub ack_absolute: bool,
    /// Window as on the wire, if given.
    pub window: Option<u16>,
    /// Urgent pointer, if given.
    pub urgent: Option<u16>,
    /// `None`: `<...>`, whatever they are.
    pub options: Option<Vec<OptionSpec>>,
}

/// One TCP option, as a script writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionSpec {
    /// `nop`
    Nop,
    /// `eol`
    Eol,
    /// `mss 1460`
    Mss(u16),
    /// `wscale 7`
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:2 5:6`
    Sack(Vec<(u32, u32)>),
    /// `TS val 1 ecr 2`; `None`: `...`, whatever it is.
    Timestamps {
        /// The sender's clock.
        value: Option<u32>,
        /// What it echoes.
        echo: Option<u32>,
    },
    /// `FO 0a0b`
    FastOpen(Vec<u8>),
    /// `FOEXP 0a0b` (kind 254, magic f989).
    FastOpenExperiment(Vec<u8>),
    /// `md5 …`
    Md5(String),
    /// `ECN e1b 1 ceb 0 e0b 1`
    AccEcn {
        /// Whether ECT(1) comes first (kind 174).
        ect1_first: bool,
        /// The counters in the order of the wire.
        counters: Vec<u32>,
    },
    /// `[0x45, 0x04, …]` or `gen …`: bytes as they are.
    Raw(Vec<u8>),
}

/// What a script says about an ICMP message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IcmpSpec {
    /// The type's word.
    pub kind: String,
    /// The code's word, or empty.
    pub code: String,
    /// `mtu 1400`
    pub mtu: Option<u32>,
    /// `id 7`
    pub id: Option<u16>,
    /// What is quoted.
    pub quoted: Quoted,
}

/// What an ICMP error quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quoted {
    /// Nothing is said: a segment from sequence number 0.
    #[default]
    Nothing,
    /// `[1:1461(1460)]`
    Tcp {
        /// First sequence number.
        seq: u32,
        /// Payload bytes.
        len: u16,
    },
    /// `[udp (1000)]`
    Udp(u16),
    /// `[raw (1000)]`
    Raw(u16),
}

/// A system call with what it should give.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `...0.7`: when it returns, if it blocks; with the sign if it is relative.
    pub ends: Option<Duration>,
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Expr>,
    /// The result expected.
    pub result: Expr,
    /// The error expected.
    pub errno: Option<String>,
}

/// An argument or a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `...`
    Ellipsis,
    /// A number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `"text"`
    Text(String),
    /// A name.
    Word(String),
    /// `a | b`
    Or(Box<Expr>, Box<Expr>),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `{name = value, …}`; an item without a name has an empty one.
    Struct(Vec<(String, Expr)>),
    /// `htons(8080)`
    Apply(String, Vec<Expr>),
    /// `~a` or `!a`
    Not(Box<Expr>),
}

impl Expr {
    /// The value of a field of a structure.
    pub fn field(&self, name: &str) -> Option<&Expr> {
        match self {
            Expr::Struct(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The `index`th item of a structure or an array.
    pub fn item(&self, index: usize) -> Option<&Expr> {
        match self {
            Expr::Struct(fields) => fields.get(index).map(|(_, value)| value),
            Expr::Array(items) => items.get(index),
            _ => None,
        }
    }
}
