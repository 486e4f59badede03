//! pcap-filter(7).
//!
//! `and` and `or` have the same precedence and go from left to right. Behind them an address or port without words
//! before it takes those of the one before, if that was about addresses or ports; several stand in brackets, `port (80 or
//! 443)`. Host names are not looked up: a filter asks nobody.

use super::lexer::{Kind as Token, Token as Placed, Tokens, tokens};
use super::{Dir, Expr, FilterError, Header, NetOf, Proto};
use std::net::Ipv4Addr;

mod arithmetic;
mod words;

use words::{
    Type, Word, Words, address, direction, has_host_bits, kind, number, protocol_number, service, word_of,
};

const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", ">=", "<=", "<<", ">>", "(", ")", "[", "]", ":", "!", "=", ">", "<", "+", "-",
    "*", "/", "%", "&", "|", "^",
];

type Parsed<T> = Result<T, FilterError>;

/// So often `and` and `or` may take turns.
const CHANGES_MAX: usize = 1000;

struct Parser {
    t: Tokens,
    /// Of the primitive before; `None`: it had none that an address or port could take.
    last: Option<Words>,
    /// How often `and` changed to `or` or back: each makes the tree higher, whose walks recurse.
    changes: usize,
}

/// Reads a pcap filter.
pub(super) fn parse(text: &str) -> Parsed<Expr> {
    let in_words =
        |c: char, open: usize| matches!(c, '.' | '_' | '\\') || matches!(c, ':' | '-') && open == 0;
    let t = Tokens::new(tokens(text, &SIGNS, in_words)?);
    let mut parser = Parser { t, last: None, changes: 0 };
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
        while let Some(is_and) = self.conjunction() {
            let right = self.term(true)?;
            left = self.joined(left, is_and, right)?;
        }
        Ok(left)
    }

    /// `and` or `or`: whether it is the former.
    fn conjunction(&mut self) -> Option<bool> {
        let is_and = self.t.take(&["and", "&&"]).is_some();
        (is_and || self.t.take(&["or", "||"]).is_some()).then_some(is_and)
    }

    fn joined(&mut self, left: Expr, is_and: bool, right: Expr) -> Parsed<Expr> {
        Ok(match (left, is_and) {
            (Expr::And(mut parts), true) => {
                parts.push(right);
                Expr::And(parts)
            }
            (Expr::Or(mut parts), false) => {
                parts.push(right);
                Expr::Or(parts)
            }
            (left, is_and) => {
                self.changes += 1;
                if self.changes > CHANGES_MAX {
                    return Err(self.t.peek().error("`and` and `or` take turns too often"));
                }
                if is_and { Expr::And(vec![left, right]) } else { Expr::Or(vec![left, right]) }
            }
        })
    }

    /// `bare`: it may be an address or port without words.
    fn term(&mut self, bare: bool) -> Parsed<Expr> {
        if self.t.take(&["not", "!"]).is_some() {
            self.t.enter()?;
            let inner = self.term(bare)?;
            self.t.leave();
            return Ok(Expr::Not(Box::new(inner)));
        }
        let column = self.t.peek().column;
        let found = self.test(bare)?;
        Ok(if matches!(found, Expr::Header(_)) { Expr::At(Box::new(found), column) } else { found })
    }

    fn test(&mut self, bare: bool) -> Parsed<Expr> {
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
            (inner, _) => {
                let inner = inner?;
                self.t.leave();
                // What stands in brackets lends no words to what follows them.
                self.last = last;
                Ok(inner)
            }
        }
    }

    /// One address or port, or several in brackets, that the words are about.
    fn values(&mut self, words: &Words) -> Parsed<Expr> {
        self.last = Some(*words);
        if self.t.take(&["not", "!"]).is_some() {
            self.t.enter()?;
            let inner = self.values(words)?;
            self.t.leave();
            return Ok(Expr::Not(Box::new(inner)));
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
        while let Some(is_and) = self.conjunction() {
            let right = self.values(words)?;
            left = self.joined(left, is_and, right)?;
        }
        self.t.expect(")")?;
        self.t.leave();
        Ok(left)
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
            let bytes = super::display::literal::bytes(word).filter(|bytes| bytes.len() == 6);
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
