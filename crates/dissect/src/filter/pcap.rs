//! pcap-filter(7).
//!
//! `and` and `or` have the same precedence and go from left to right. Behind them an address or port without words
//! before it takes those of the one before, if that was about addresses or ports; several stand in brackets, `port (80 or
//! 443)`. Host names are not looked up: a filter asks nobody.

use super::lexer::{Kind as Token, Token as Placed, Tokens, tokens};
use super::{Arith, ArithOp, Base, Dir, Expr, Family, FilterError, Header, NetOf, Op, Proto};
use std::net::{IpAddr, Ipv4Addr};

const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", ">=", "<=", "<<", ">>", "(", ")", "[", "]", ":", "!", "=", ">", "<", "+", "-",
    "*", "/", "%", "&", "|", "^",
];

type Parsed<T> = Result<T, FilterError>;

/// The words before an address, port or number.
#[derive(Clone, Copy, Default)]
struct Words {
    proto: Option<Word>,
    dir: Option<Dir>,
    kind: Option<Type>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Ether,
    Proto(Proto),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

struct Parser {
    t: Tokens,
    /// Of the primitive before; `None`: it had none that an address or port could take.
    last: Option<Words>,
}

/// Reads a pcap filter.
pub(super) fn parse(text: &str) -> Parsed<Expr> {
    let in_words =
        |c: char, open: usize| matches!(c, '.' | '_' | '\\') || matches!(c, ':' | '-') && open == 0;
    let t = Tokens::new(tokens(text, &SIGNS, in_words)?);
    let mut parser = Parser { t, last: None };
    if parser.t.peek().kind == Token::End {
        return Ok(Expr::True);
    }
    let expr = parser.expr()?;
    match &parser.t.peek().kind {
        Token::End => Ok(expr),
        _ => Err(parser.t.peek().error(format!("{} was not expected here", parser.t.peek().shown()))),
    }
}

impl Parser {
    fn expr(&mut self) -> Parsed<Expr> {
        let mut left = self.term(false)?;
        loop {
            if self.t.take(&["and", "&&"]).is_some() {
                let right = self.term(true)?;
                left = Expr::And(vec![left, right]);
            } else if self.t.take(&["or", "||"]).is_some() {
                let right = self.term(true)?;
                left = Expr::Or(vec![left, right]);
            } else {
                return Ok(left);
            }
            self.t.enter()?; // long chains recurse when they are compiled
        }
    }

    /// `bare`: it may be an address or port without words.
    fn term(&mut self, bare: bool) -> Parsed<Expr> {
        if self.t.take(&["not", "!"]).is_some() {
            self.t.enter()?;
            let inner = self.term(bare)?;
            return Ok(Expr::Not(Box::new(inner)));
        }
        let mark = self.t.mark();
        if self.t.peek_second().kind == Token::Sign("[") {
            return self.relation(); // it can be nothing else
        }
        if self.begins_arithmetic() {
            match self.relation() {
                Ok(relation) => return Ok(relation),
                Err(error) if self.t.peek().kind == Token::End && self.t.mark() == mark => return Err(error),
                Err(error) => {
                    // What begins like arithmetic may be a bracketed filter, or a number after `port 80 or`.
                    let reached = error.column;
                    self.t.rewind(mark);
                    return self
                        .bracket_or_primitive(bare)
                        .map_err(|other| if other.column >= reached { other } else { error });
                }
            }
        }
        self.bracket_or_primitive(bare)
    }

    fn bracket_or_primitive(&mut self, bare: bool) -> Parsed<Expr> {
        let (mark, last) = (self.t.mark(), self.last);
        if self.t.take(&["("]).is_none() {
            return self.primitive(bare);
        }
        self.t.enter()?;
        let inner = self.expr().and_then(|inner| self.t.expect(")").map(|_| inner));
        match (inner, last.filter(|_| bare)) {
            (Err(error), Some(words)) => {
                // `host 192.0.2.1 or (192.0.2.2 or 192.0.2.3)`.
                self.t.rewind(mark);
                self.values(&words).map_err(|other| if other.column >= error.column { other } else { error })
            }
            (inner, _) => inner,
        }
    }

    /// One address or port, or several in brackets, that the words are about.
    fn values(&mut self, words: &Words) -> Parsed<Expr> {
        self.last = Some(*words);
        if self.t.take(&["not", "!"]).is_some() {
            self.t.enter()?;
            return Ok(Expr::Not(Box::new(self.values(words)?)));
        }
        if self.t.take(&["("]).is_none() {
            let token = self.t.next();
            return match &token.kind {
                Token::Word(word) => self.about(words, &token, word),
                _ => Err(token.error(format!("an address or port was expected, not {}", token.shown()))),
            };
        }
        self.t.enter()?;
        let mut left = self.values(words)?;
        loop {
            let is_and = self.t.take(&["and", "&&"]).is_some();
            if !is_and && self.t.take(&["or", "||"]).is_none() {
                break;
            }
            let both = vec![left, self.values(words)?];
            left = if is_and { Expr::And(both) } else { Expr::Or(both) };
            self.t.enter()?;
        }
        self.t.expect(")")?;
        Ok(left)
    }

    fn begins_arithmetic(&self) -> bool {
        match &self.t.peek().kind {
            Token::Sign("(" | "-") => true,
            Token::Word(word) => {
                let then = &self.t.peek_second().kind;
                let operator = matches!(
                    then,
                    Token::Sign(
                        "==" | "!="
                            | ">="
                            | "<="
                            | "="
                            | ">"
                            | "<"
                            | "+"
                            | "-"
                            | "*"
                            | "/"
                            | "%"
                            | "&"
                            | "|"
                            | "^"
                            | "<<"
                            | ">>"
                    )
                );
                word == "len"
                    || *then == Token::Sign("[")
                    || operator && (number(word).is_some() || constant(word).is_some())
            }
            _ => false,
        }
    }

    fn relation(&mut self) -> Parsed<Expr> {
        let left = self.arith(0)?;
        let signs = [
            ("==", Op::Eq),
            ("=", Op::Eq),
            ("!=", Op::Ne),
            (">=", Op::Ge),
            ("<=", Op::Le),
            (">", Op::Gt),
            ("<", Op::Lt),
        ];
        let Some(op) = signs.into_iter().find_map(|(sign, op)| self.t.take(&[sign]).map(|_| op)) else {
            return Err(self.t.peek().error("a comparison is missing: =, !=, <, >, <=, >="));
        };
        let right = self.arith(0)?;
        self.last = None;
        Ok(Expr::Header(Header::Relation { left, op, right }))
    }

    /// Binary operators by precedence, loosest first. `%` and `^` stand outside of it: libpcap's grammar gives them none, so
    /// they bind to the one operand before them, whatever comes before that, and to all that follows: `-a * b % c + d` is
    /// `-a * (b % (c + d))`. Who means something else writes brackets.
    fn arith(&mut self, level: usize) -> Parsed<Arith> {
        const LEVELS: [&[(&str, ArithOp)]; 5] = [
            &[("|", ArithOp::Or)],
            &[("&", ArithOp::And)],
            &[("<<", ArithOp::Shl), (">>", ArithOp::Shr)],
            &[("+", ArithOp::Add), ("-", ArithOp::Sub)],
            &[("*", ArithOp::Mul), ("/", ArithOp::Div)],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.arith(level + 1)?;
        loop {
            let Some((sign, op)) = operators.iter().find_map(|(sign, op)| Some((self.t.take(&[sign])?, *op)))
            else {
                return Ok(left);
            };
            let right = self.arith(level + 1)?;
            left = self.binary(left, &sign, op, right)?;
        }
    }

    fn binary(&mut self, left: Arith, sign: &Placed, op: ArithOp, right: Arith) -> Parsed<Arith> {
        let known = value(&right);
        if matches!(op, ArithOp::Div | ArithOp::Mod) && known == Some(0) {
            return Err(sign.error("division by zero"));
        }
        if matches!(op, ArithOp::Shl | ArithOp::Shr) && known.is_some_and(|count| count > 31) {
            return Err(sign.error("numbers have 32 bits: a shift by more has no meaning"));
        }
        self.t.enter()?;
        Ok(Arith::Binary(Box::new(left), op, Box::new(right)))
    }

    fn operand(&mut self) -> Parsed<Arith> {
        if self.t.take(&["-"]).is_some() {
            self.t.enter()?;
            return Ok(Arith::Negate(Box::new(self.operand()?)));
        }
        let left = self.atom()?;
        for (word, op) in [("%", ArithOp::Mod), ("^", ArithOp::Xor)] {
            if let Some(sign) = self.t.take(&[word]) {
                self.t.enter()?;
                let right = self.arith(0)?;
                return self.binary(left, &sign, op, right);
            }
        }
        Ok(left)
    }

    fn atom(&mut self) -> Parsed<Arith> {
        if self.t.take(&["("]).is_some() {
            self.t.enter()?;
            let inner = self.arith(0)?;
            self.t.expect(")")?;
            return Ok(inner);
        }
        let token = self.t.next();
        let Token::Word(word) = &token.kind else {
            return Err(
                token.error(format!("a number or protocol[offset] was expected, not {}", token.shown()))
            );
        };
        if word == "len" {
            return Ok(Arith::Len);
        }
        if self.t.take(&["["]).is_some() {
            let base = match word_of(word) {
                Some(Word::Ether) => Base::Ether,
                Some(Word::Proto(proto)) => Base::Proto(proto),
                None => return Err(token.error(format!("`{word}` is not a protocol"))),
            };
            self.t.enter()?;
            let offset = self.arith(0)?;
            let size = if self.t.take(&[":"]).is_some() {
                let size = self.t.next();
                match &size.kind {
                    Token::Word(word) if matches!(word.as_str(), "1" | "2" | "4") => {
                        word.parse().unwrap_or(1)
                    }
                    _ => return Err(size.error("the size is 1, 2 or 4 bytes")),
                }
            } else {
                1
            };
            self.t.expect("]")?;
            return Ok(Arith::Load(base, Box::new(offset), size));
        }
        let value = number(word).or_else(|| constant(word));
        value.map(Arith::Number).ok_or_else(|| token.error(format!("`{word}` is not a number")))
    }

    /// Words and what they are about.
    fn primitive(&mut self, bare: bool) -> Parsed<Expr> {
        let mut words = Words::default();
        let begins = self.t.peek().clone();
        while let Token::Word(word) = &self.t.peek().kind {
            let token = self.t.peek().clone();
            let word = word.clone();
            if matches!(word.as_str(), "and" | "or" | "not") {
                break; // `tcp or udp`
            }
            if let Some(expr) = self.alone(&word, &words)? {
                self.last = None;
                return Ok(expr);
            }
            if let Some(proto) = word_of(&word)
                .filter(|_| words.proto.is_none() && words.dir.is_none() && words.kind.is_none())
            {
                words.proto = Some(proto);
            } else if let Some(dir) = direction(&word).filter(|_| words.dir.is_none()) {
                self.t.next();
                words.dir = Some(self.both(dir)?);
                continue;
            } else if let Some(kind) = kind(&word).filter(|_| words.kind.is_none()) {
                words.kind = Some(kind);
            } else {
                let words = match (words.proto, words.dir, words.kind) {
                    (None, None, None) => self.last.filter(|_| bare).ok_or_else(|| {
                        token.error(format!("`{word}` needs a word before it: host, net, port, src, dst"))
                    })?,
                    (Some(_), None, None) => {
                        return Err(token
                            .error("between a protocol and an address stands host, net, port, src or dst"));
                    }
                    _ => words,
                };
                return self.values(&words);
            }
            self.t.next();
        }
        let group = matches!(&self.t.peek().kind, Token::Sign("(" | "!")) || self.t.peek().shown() == "`not`";
        match (words.proto, words.dir, words.kind) {
            (Some(Word::Proto(proto)), None, None) => {
                self.last = None;
                Ok(Expr::Header(Header::Proto(proto)))
            }
            (None, None, None) => Err(begins.error(format!("{} was not expected here", begins.shown()))),
            _ if group => self.values(&words),
            _ => Err(self.t.peek().error("an address, port or number is missing")),
        }
    }

    /// `src or dst`, `src and dst`.
    fn both(&mut self, first: Dir) -> Parsed<Dir> {
        let other = if first == Dir::Src { "dst" } else { "src" };
        let mark = self.t.mark();
        let dir = if self.t.take(&["or"]).is_some() {
            Dir::Either
        } else if self.t.take(&["and"]).is_some() {
            Dir::Both
        } else {
            return Ok(first);
        };
        // `src or dst port 80`, but not `src 1.2.3.4 or dst ...`, where an address stands between.
        if self.t.take(&[other]).is_some() {
            return Ok(dir);
        }
        self.t.rewind(mark);
        Ok(first)
    }

    /// Words that are a test by themselves, or take one number.
    fn alone(&mut self, word: &str, before: &Words) -> Parsed<Option<Expr>> {
        let header = match word {
            "broadcast" | "multicast" => {
                let token = self.t.next();
                match (word, before.proto) {
                    ("broadcast", None | Some(Word::Ether)) => Header::EtherBroadcast,
                    ("multicast", None | Some(Word::Ether)) => Header::EtherMulticast,
                    ("multicast", Some(Word::Proto(Proto::Ip))) => Header::IpMulticast,
                    ("multicast", Some(Word::Proto(Proto::Ip6))) => Header::Ip6Multicast,
                    ("broadcast", Some(Word::Proto(Proto::Ip))) => Header::IpBroadcast,
                    _ => return Err(token.error(format!("`{word}` does not go with that protocol"))),
                }
            }
            "less" | "greater" => {
                self.t.next();
                let (token, number) = self.number()?;
                let length = u32::try_from(number).map_err(|_| token.error("that is no length"))?;
                if word == "less" { Header::Less(length) } else { Header::Greater(length) }
            }
            "vlan" => {
                self.t.next();
                let id = match &self.t.peek().kind {
                    Token::Word(word) => number(word),
                    _ => None,
                };
                match id {
                    None => Header::Vlan(None),
                    Some(id) => {
                        let token = self.t.next();
                        if id > 4095 {
                            return Err(token.error("a VLAN's number is at most 4095"));
                        }
                        Header::Vlan(Some(id as u16))
                    }
                }
            }
            "gateway" | "protochain" | "mpls" | "pppoed" | "pppoes" | "geneve" | "inbound" | "outbound"
            | "ifname" | "iso" | "atalk" | "decnet" | "stp" | "ipx" | "netbeui" | "llc" | "wlan" | "aarp"
            | "lat" | "moprc" | "mopdl" => {
                return Err(self.t.peek().error(format!("`{word}` is not supported")));
            }
            _ => return Ok(None),
        };
        if before.dir.is_some() || before.kind.is_some() {
            return Err(self.t.peek().error(format!("`{word}` does not go with the words before it")));
        }
        Ok(Some(Expr::Header(header)))
    }

    fn number(&mut self) -> Parsed<(Placed, u64)> {
        let token = self.t.next();
        let value = match &token.kind {
            Token::Word(word) => number(word).map(u64::from),
            _ => None,
        };
        match value {
            Some(value) => Ok((token, value)),
            None => Err(token.error(format!("a number was expected, not {}", token.shown()))),
        }
    }

    /// What the words say about an address, port or number.
    fn about(&mut self, words: &Words, token: &Placed, word: &str) -> Parsed<Expr> {
        let dir = words.dir.unwrap_or(Dir::Either);
        match words.kind {
            Some(Type::Port | Type::PortRange) => self.port(words, dir, token, word),
            Some(Type::Proto) => protocol_number(words, token, word),
            _ => self.address(words, dir, token, word),
        }
    }

    fn port(&mut self, words: &Words, dir: Dir, token: &Placed, word: &str) -> Parsed<Expr> {
        let of = match words.proto {
            None => None,
            Some(Word::Proto(Proto::Tcp)) => Some(6),
            Some(Word::Proto(Proto::Udp)) => Some(17),
            Some(Word::Proto(Proto::Sctp)) => Some(132),
            Some(_) => return Err(token.error("ports belong to tcp, udp and sctp")),
        };
        let one = |text: &str| service(text).ok_or_else(|| token.error(format!("`{text}` is not a port")));
        let (first, last) = match word.split_once('-').filter(|_| words.kind == Some(Type::PortRange)) {
            Some((first, last)) => (one(first)?, one(last)?),
            None => (one(word)?, one(word)?),
        };
        Ok(Expr::Header(Header::Port { of, dir, first: first.min(last), last: first.max(last) }))
    }

    fn address(&mut self, words: &Words, dir: Dir, token: &Placed, word: &str) -> Parsed<Expr> {
        if words.proto == Some(Word::Ether) {
            let bytes = super::display::bytes(word).filter(|bytes| bytes.len() == 6);
            let addr = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
            let addr = addr.ok_or_else(|| token.error(format!("`{word}` is not a MAC address")))?;
            return Ok(Expr::Header(Header::EtherHost { dir, addr }));
        }
        let (addr, mut prefix) = address(word)
            .ok_or_else(|| token.error(format!("`{word}` is not an address (names are not looked up)")))?;
        let width = if addr.is_ipv4() { 32 } else { 128 };
        if self.t.take(&["/"]).is_some() {
            let (bits, number) = self.number()?;
            prefix = u8::try_from(number)
                .ok()
                .filter(|bits| *bits <= width)
                .ok_or_else(|| bits.error(format!("a mask has at most {width} bits")))?;
            if words.kind == Some(Type::Host) {
                return Err(bits.error("a host has no mask: write `net`"));
            }
        } else if self.t.take(&["mask"]).is_some() {
            let mask = self.t.next();
            let bits = match &mask.kind {
                Token::Word(word) => word.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits),
                _ => None,
            };
            let bits =
                bits.filter(|bits| bits.leading_ones() + bits.trailing_zeros() >= 32 && addr.is_ipv4());
            prefix = bits
                .map(|bits| bits.leading_ones() as u8)
                .ok_or_else(|| mask.error("a mask looks like 255.255.255.0"))?;
        }
        if has_host_bits(addr, prefix) {
            return Err(token.error("the address has bits beyond its mask"));
        }
        let of = match (words.proto, addr.is_ipv4()) {
            (None, _) => NetOf::Any,
            (Some(Word::Proto(Proto::Ip)), true) => NetOf::Ip,
            (Some(Word::Proto(Proto::Ip6)), false) => NetOf::Ip6,
            (Some(Word::Proto(Proto::Arp)), true) => NetOf::Arp,
            (Some(Word::Proto(Proto::Rarp)), true) => NetOf::Rarp,
            _ => return Err(token.error("that protocol has no such addresses")),
        };
        Ok(Expr::Header(Header::Net { of, dir, addr, prefix }))
    }
}

fn protocol_number(words: &Words, token: &Placed, word: &str) -> Parsed<Expr> {
    let word = word.trim_start_matches('\\');
    let wrong = || token.error(format!("`{word}` is not a protocol's number"));
    if words.proto == Some(Word::Ether) {
        let named = match word {
            "ip" => Some(0x0800),
            "arp" => Some(0x0806),
            "rarp" => Some(0x8035),
            "ip6" => Some(0x86DD),
            _ => None,
        };
        let number = named.or_else(|| number(word)).and_then(|number| u16::try_from(number).ok());
        return Ok(Expr::Header(Header::EtherProto(number.ok_or_else(wrong)?)));
    }
    let family = match words.proto {
        None => None,
        Some(Word::Proto(Proto::Ip)) => Some(Family::V4),
        Some(Word::Proto(Proto::Ip6)) => Some(Family::V6),
        Some(_) => return Err(token.error("`proto` goes with ip, ip6 and ether")),
    };
    let named = match word {
        "icmp" => Some(1),
        "igmp" => Some(2),
        "tcp" => Some(6),
        "udp" => Some(17),
        "esp" => Some(50),
        "ah" => Some(51),
        "icmp6" => Some(58),
        "pim" => Some(103),
        "vrrp" => Some(112),
        "sctp" => Some(132),
        _ => None,
    };
    let number = named.or_else(|| number(word)).and_then(|number| u8::try_from(number).ok());
    Ok(Expr::Header(Header::IpProto(family, number.ok_or_else(wrong)?)))
}

fn has_host_bits(addr: IpAddr, prefix: u8) -> bool {
    match addr {
        IpAddr::V4(addr) => prefix < 32 && addr.to_bits() << prefix != 0,
        IpAddr::V6(addr) => prefix < 128 && addr.to_bits() << prefix != 0,
    }
}

/// An address, possibly a network written with fewer than four numbers, and how many bits that gives.
fn address(word: &str) -> Option<(IpAddr, u8)> {
    if word.contains(':') {
        return word.parse().ok().map(|addr| (IpAddr::V6(addr), 128));
    }
    let parts: Option<Vec<u8>> = word.split('.').map(|part| part.parse().ok()).collect();
    let parts = parts.filter(|parts| (1..=4).contains(&parts.len()))?;
    let mut octets = [0; 4];
    octets[..parts.len()].copy_from_slice(&parts);
    Some((IpAddr::V4(octets.into()), parts.len() as u8 * 8))
}

fn word_of(word: &str) -> Option<Word> {
    Some(match word {
        "ether" | "link" => Word::Ether,
        "ip" => Word::Proto(Proto::Ip),
        "ip6" => Word::Proto(Proto::Ip6),
        "arp" => Word::Proto(Proto::Arp),
        "rarp" => Word::Proto(Proto::Rarp),
        "tcp" => Word::Proto(Proto::Tcp),
        "udp" => Word::Proto(Proto::Udp),
        "sctp" => Word::Proto(Proto::Sctp),
        "icmp" => Word::Proto(Proto::Icmp),
        "icmp6" => Word::Proto(Proto::Icmp6),
        "igmp" => Word::Proto(Proto::Igmp),
        "esp" => Word::Proto(Proto::Esp),
        "ah" => Word::Proto(Proto::Ah),
        "pim" => Word::Proto(Proto::Pim),
        "vrrp" => Word::Proto(Proto::Vrrp),
        _ => return None,
    })
}

fn direction(word: &str) -> Option<Dir> {
    match word {
        "src" => Some(Dir::Src),
        "dst" => Some(Dir::Dst),
        _ => None,
    }
}

fn kind(word: &str) -> Option<Type> {
    match word {
        "host" => Some(Type::Host),
        "net" => Some(Type::Net),
        "port" => Some(Type::Port),
        "portrange" => Some(Type::PortRange),
        "proto" => Some(Type::Proto),
        _ => None,
    }
}

fn number(word: &str) -> Option<u32> {
    super::display::number(word).and_then(|number| u32::try_from(number).ok())
}

fn service(word: &str) -> Option<u16> {
    let named = match word {
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "tftp" => 69,
        "http" => 80,
        "ntp" => 123,
        "snmp" => 161,
        "bgp" => 179,
        "https" => 443,
        "syslog" => 514,
        _ => return number(word).and_then(|number| u16::try_from(number).ok()),
    };
    Some(named)
}

/// Names of offsets and values.
fn constant(word: &str) -> Option<u32> {
    Some(match word {
        "icmptype" | "icmp6type" => 0,
        "icmpcode" | "icmp6code" => 1,
        "tcpflags" => 13,
        "tcp-fin" => 0x01,
        "tcp-syn" => 0x02,
        "tcp-rst" => 0x04,
        "tcp-push" => 0x08,
        "tcp-ack" => 0x10,
        "tcp-urg" => 0x20,
        "tcp-ece" => 0x40,
        "tcp-cwr" => 0x80,
        "icmp-echoreply" => 0,
        "icmp-unreach" => 3,
        "icmp-sourcequench" => 4,
        "icmp-redirect" => 5,
        "icmp-echo" => 8,
        "icmp-routeradvert" => 9,
        "icmp-routersolicit" => 10,
        "icmp-timxceed" => 11,
        "icmp-paramprob" => 12,
        "icmp-tstamp" => 13,
        "icmp-tstampreply" => 14,
        "icmp6-destinationrunreach" => 1,
        "icmp6-packettoobig" => 2,
        "icmp6-timeexceeded" => 3,
        "icmp6-echo" => 128,
        "icmp6-echoreply" => 129,
        "icmp6-routersolicit" => 133,
        "icmp6-routeradvert" => 134,
        "icmp6-neighborsolicit" => 135,
        "icmp6-neighboradvert" => 136,
        _ => return None,
    })
}

/// The value of what depends on no packet, in 32 bits.
fn value(arith: &Arith) -> Option<u32> {
    match arith {
        Arith::Number(number) => Some(*number),
        Arith::Negate(inner) => value(inner).map(u32::wrapping_neg),
        Arith::Binary(left, op, right) => {
            let (a, b) = (value(left)?, value(right)?);
            Some(match op {
                ArithOp::Add => a.wrapping_add(b),
                ArithOp::Sub => a.wrapping_sub(b),
                ArithOp::Mul => a.wrapping_mul(b),
                ArithOp::Div => a.checked_div(b)?,
                ArithOp::Mod => a.checked_rem(b)?,
                ArithOp::And => a & b,
                ArithOp::Or => a | b,
                ArithOp::Xor => a ^ b,
                ArithOp::Shl => a.checked_shl(b)?,
                ArithOp::Shr => a.checked_shr(b)?,
            })
        }
        _ => None,
    }
}
