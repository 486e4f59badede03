//! Packets: `> S. 0:0(0) ack 1 win 65535 <mss 1460,nop,wscale 7>`, ICMP and UDP.

use super::{Error, Parser};
use crate::script::{Body, Direction, Ecn, IcmpSpec, IpSpec, OptionSpec, Packet, Quoted, TcpSpec};
use crate::text::Kind;

const FIN: u16 = 0x001;
const SYN: u16 = 0x002;
const RST: u16 = 0x004;
const PSH: u16 = 0x008;
const ACK: u16 = 0x010;
const URG: u16 = 0x020;
const ECE: u16 = 0x040;
const CWR: u16 = 0x080;
const AE: u16 = 0x100;

impl Parser<'_> {
    /// After `<` or `>`.
    pub(super) fn packet(&mut self, direction: Direction) -> Result<Packet, Error> {
        let mut encapsulation = self.encapsulation()?;
        let quoted = self.quoted_before()?;
        let ip = self.ip_info()?;
        if self.word("encap") {
            while !self.at_flags() && self.next().is_some() {}
            encapsulation = Some("psp".to_owned());
        }
        let line = self.line();
        let body = if self.word("icmp") {
            let mut icmp = self.icmp()?;
            if quoted != Quoted::default() {
                icmp.quoted = quoted;
            }
            Body::Icmp(icmp)
        } else if self.word("udp") {
            self.udp()?
        } else if self.word("udplite") {
            while self.line() == line && self.next().is_some() {}
            encapsulation = Some("UDP-Lite".to_owned());
            Body::Udp { ports: None, len: 0 }
        } else {
            if matches!(self.peek_at(0), Some(Kind::Word(word)) if word == "sctp") {
                return Err(Error::new(line, "SCTP packets are not understood"));
            }
            Body::Tcp(self.tcp(direction)?)
        };
        if ip.ecn == Some(Ecn::Ect) && direction == Direction::In {
            return Err(Error::new(line, "`ect01` can only be expected, not sent"));
        }
        // `/udp(1 > 9811)`: TCP within UDP.
        if self.peek_at(0) == Some(&Kind::Sign('/')) {
            self.at += 1;
            let name = self.any_word("a protocol")?;
            self.expect('(')?;
            while !self.sign(')') {
                self.next().ok_or_else(|| self.error("`)`"))?;
            }
            encapsulation = Some(name);
        }
        Ok(Packet { direction, encapsulation, ip, body })
    }

    /// `[1:1461(1460)] icmp …`: older scripts write in front what an ICMP error quotes.
    fn quoted_before(&mut self) -> Result<Quoted, Error> {
        let quotes = match self.peek_at(1) {
            Some(Kind::Integer(_)) => true,
            Some(Kind::Word(word)) => word == "udp" || word == "raw",
            _ => false,
        };
        if !quotes || !self.sign('[') { Ok(Quoted::default()) } else { self.quoted() }
    }

    fn at_flags(&self) -> bool {
        match self.peek_at(0) {
            Some(Kind::Word(word)) => word.chars().all(|c| "FSRPUEWA".contains(c)),
            Some(Kind::Sign('.' | '-')) => true,
            _ => false,
        }
    }

    /// Outer headers, each up to its colon.
    fn encapsulation(&mut self) -> Result<Option<String>, Error> {
        let mut found = None;
        while let Some(Kind::Word(word)) = self.peek_at(0) {
            if !matches!(word.as_str(), "ipv4" | "ipv6" | "gre" | "GREv0" | "mpls") {
                break;
            }
            found = Some(word.clone());
            let line = self.line();
            // Addresses of IPv6 hold colons, too: the header ends with the last one of its line.
            let mut end = None;
            for (ahead, token) in self.tokens[self.at..].iter().enumerate() {
                if token.line != line {
                    break;
                }
                let sequence = matches!(self.peek_at(ahead + 2), Some(Kind::Sign('(')));
                if token.kind == Kind::Sign(':') && !sequence {
                    end = Some(ahead + 1);
                    if word != "ipv6" {
                        break;
                    }
                }
            }
            self.at += end.ok_or_else(|| self.error("`:` after an outer header"))?;
        }
        Ok(found)
    }

    /// `(tos 0x28)`, `[ect0]`, `(ttl 3, flowlabel 0x1)`.
    fn ip_info(&mut self) -> Result<IpSpec, Error> {
        let mut ip = IpSpec::default();
        let end = match self.peek_at(0) {
            Some(Kind::Sign('(')) => ')',
            Some(Kind::Sign('[')) => ']',
            _ => return Ok(ip),
        };
        self.at += 1;
        loop {
            let line = self.line();
            match self.any_word("`tos`, `ttl`, `flowlabel` or an ECN mark")?.as_str() {
                "tos" | "class" => ip.tos = Some(self.integer("a TOS octet")?),
                "ttl" | "hlim" | "hoplimit" => ip.ttl = Some(self.integer("a TTL")?),
                "flowlabel" => ip.flow_label = Some(self.integer("a flow label")?),
                "noecn" => ip.ecn = Some(Ecn::None),
                "ect0" => ip.ecn = Some(Ecn::Ect0),
                "ect1" => ip.ecn = Some(Ecn::Ect1),
                "ce" => ip.ecn = Some(Ecn::Ce),
                "ect01" => ip.ecn = Some(Ecn::Ect),
                other => return Err(Error::new(line, format!("`{other}` is not a field of an IP header"))),
            }
            if self.sign(end) {
                return Ok(ip);
            }
            self.expect(',')?;
        }
    }

    fn ports(&mut self) -> Result<Option<(u16, u16)>, Error> {
        if !matches!(self.peek_at(0), Some(Kind::Integer(_))) || self.peek_at(1) != Some(&Kind::Sign('>')) {
            return Ok(None);
        }
        let source = self.integer("a port")?;
        self.expect('>')?;
        Ok(Some((source, self.integer("a port")?)))
    }

    fn udp(&mut self) -> Result<Body, Error> {
        let ports = self.ports()?;
        self.expect('(')?;
        let len = self.integer("a payload length")?;
        self.expect(')')?;
        Ok(Body::Udp { ports, len })
    }

    fn tcp(&mut self, direction: Direction) -> Result<TcpSpec, Error> {
        let ports = self.ports()?;
        let flags = self.flags()?;
        let seq_any = direction == Direction::Out && self.peek_at(0) == Some(&Kind::Ellipsis);
        let (seq, len) = if seq_any { self.any_sequence()? } else { self.sequence()? };
        let mut tcp = TcpSpec { ports, flags, seq, len, seq_any, ..TcpSpec::default() };
        tcp.seq_absolute = self.sign('!');
        if self.word("ack") {
            tcp.ack = Some(self.integer("an acknowledgement number")?);
            tcp.ack_absolute = self.sign('!');
        }
        if self.word("win") {
            tcp.window = if self.sign('*') { None } else { Some(self.integer("a window")?) };
        }
        if self.word("urg") {
            tcp.urgent = Some(self.integer("an urgent pointer")?);
        }
        tcp.options = Some(Vec::new());
        // The `<` of the next line's packet has a time before it, so this one belongs to us.
        if self.sign('<') {
            tcp.options = self.options()?;
            if tcp.options.is_none() && direction == Direction::In {
                return Err(Error::new(self.line(), "`<...>` can only be expected, not sent"));
            }
        }
        Ok(tcp)
    }

    /// Letters, a dot for ACK, and for AccECN a digit that is the ACE field: `SEWA.`, `P.`, `.5`.
    fn flags(&mut self) -> Result<u16, Error> {
        let mut flags = 0;
        let mut any = false;
        while let Some(token) = self.peek() {
            // The parts of one word of flags stand together.
            // The dot alone may stand apart.
            let apart = token.kind == Kind::Sign('.') && flags & ACK == 0;
            if any && token.spaced && !apart {
                break;
            }
            match &token.kind {
                Kind::Word(letters) => {
                    for letter in letters.chars() {
                        flags |= match letter {
                            'F' => FIN,
                            'S' => SYN,
                            'R' => RST,
                            'P' => PSH,
                            'U' => URG,
                            'E' => ECE,
                            'W' | 'C' => CWR,
                            'A' | 'N' => AE,
                            digit if digit.is_ascii_digit() && any => ace(digit),
                            _ => return Err(self.error("TCP flags")),
                        };
                        any = true;
                    }
                }
                Kind::Sign('.') => flags |= ACK,
                Kind::Sign('-') if !any => {}
                Kind::Decimal(text) if text.starts_with('.') && text.len() == 2 => {
                    flags |= ACK | ace(text.chars().nth(1).unwrap_or('0'));
                }
                Kind::Integer(text) if any && text.len() == 1 => {
                    flags |= ace(text.chars().next().unwrap_or('0'));
                }
                _ => break,
            }
            any = true;
            self.at += 1;
        }
        if any { Ok(flags) } else { Err(self.error("TCP flags")) }
    }

    /// `...(1460)`
    fn any_sequence(&mut self) -> Result<(u32, u16), Error> {
        self.at += 1;
        self.expect('(')?;
        let len = self.integer("a payload length")?;
        self.expect(')')?;
        Ok((0, len))
    }

    /// `1:1461(1460)`
    fn sequence(&mut self) -> Result<(u32, u16), Error> {
        let line = self.line();
        let start: u32 = self.integer("a sequence number")?;
        self.expect(':')?;
        let end: u32 = self.integer("a sequence number")?;
        self.expect('(')?;
        let len: u16 = self.integer("a payload length")?;
        self.expect(')')?;
        if end != start.wrapping_add(u32::from(len)) {
            let told = end.wrapping_sub(start);
            return Err(Error::new(line, format!("{start}:{end} is {told} bytes, not {len}")));
        }
        Ok((start, len))
    }

    /// After `<`. `None`: `...`.
    fn options(&mut self) -> Result<Option<Vec<OptionSpec>>, Error> {
        if self.peek_at(0) == Some(&Kind::Ellipsis) {
            self.at += 1;
            self.expect('>')?;
            return Ok(None);
        }
        let mut options = Vec::new();
        if self.sign('>') {
            return Ok(Some(options));
        }
        loop {
            options.push(self.option()?);
            if self.sign('>') {
                return Ok(Some(options));
            }
            self.expect(',')?;
        }
    }

    fn option(&mut self) -> Result<OptionSpec, Error> {
        let line = self.line();
        let name = self.any_word("a TCP option")?;
        Ok(match name.as_str() {
            "nop" => OptionSpec::Nop,
            "eol" => OptionSpec::Eol,
            "mss" => OptionSpec::Mss(self.integer("an MSS")?),
            "wscale" => OptionSpec::WindowScale(self.integer("a shift")?),
            "sackOK" => OptionSpec::SackPermitted,
            "sack" => OptionSpec::Sack(self.blocks()?),
            "TS" => self.timestamps()?,
            "FO" => OptionSpec::FastOpen(self.blob()?),
            "FOEXP" => OptionSpec::FastOpenExperiment(self.blob()?),
            "md5" => match self.next().map(|token| &token.kind) {
                Some(Kind::Word(text) | Kind::Integer(text)) => OptionSpec::Md5(text.clone()),
                _ => return Err(Error::new(line, "expected a digest after `md5`")),
            },
            "ECN" | "AccECN" => self.acc_ecn()?,
            "exp" | "gen" | "generic" => OptionSpec::Raw(self.blob()?),
            other => return Err(Error::new(line, format!("`{other}` is not a TCP option"))),
        })
    }

    fn blocks(&mut self) -> Result<Vec<(u32, u32)>, Error> {
        let mut blocks = Vec::new();
        while matches!(self.peek_at(0), Some(Kind::Integer(_))) {
            let left = self.integer("a sequence number")?;
            self.expect(':')?;
            blocks.push((left, self.integer("a sequence number")?));
        }
        if blocks.is_empty() || blocks.len() > 4 {
            return Err(Error::new(self.line(), "SACK has one to four blocks"));
        }
        Ok(blocks)
    }

    fn timestamps(&mut self) -> Result<OptionSpec, Error> {
        let number = |parser: &mut Self, name: &str| {
            if !parser.word(name) {
                return Err(parser.error(&format!("`{name}`")));
            }
            if parser.peek_at(0) == Some(&Kind::Ellipsis) {
                parser.at += 1;
                return Ok(None);
            }
            parser.integer("a timestamp").map(Some)
        };
        let value = number(self, "val")?;
        let echo = number(self, "ecr")?;
        Ok(OptionSpec::Timestamps { value, echo })
    }

    fn acc_ecn(&mut self) -> Result<OptionSpec, Error> {
        let mut counters = Vec::new();
        let mut ect1_first = false;
        while let Some(Kind::Word(name)) = self.peek_at(0) {
            match name.as_str() {
                "e1b" if counters.is_empty() => ect1_first = true,
                "e0b" | "ceb" | "e1b" => {}
                _ => break,
            }
            self.at += 1;
            let value: u32 = self.integer("a counter")?;
            if value >= 1 << 24 {
                return Err(Error::new(self.line(), "a counter of AccECN has 24 bits"));
            }
            counters.push(value);
        }
        if counters.len() > 3 {
            return Err(Error::new(self.line(), "AccECN has at most three counters"));
        }
        Ok(OptionSpec::AccEcn { ect1_first, counters })
    }

    /// Hex digits, which may look like a word or a number; none: empty.
    fn blob(&mut self) -> Result<Vec<u8>, Error> {
        let line = self.line();
        let text = match self.peek_at(0) {
            Some(Kind::Word(text) | Kind::Integer(text)) => text.clone(),
            _ => return Ok(Vec::new()),
        };
        self.at += 1;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let wrong = || Error::new(line, format!("`{text}` is not a row of hex bytes"));
        if digits.len() % 2 != 0 || digits.len() > 76 || !digits.is_ascii() {
            return Err(wrong());
        }
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    /// After `icmp`.
    fn icmp(&mut self) -> Result<IcmpSpec, Error> {
        let mut icmp = IcmpSpec { kind: self.any_word("an ICMP type")?, ..IcmpSpec::default() };
        if let Some(Kind::Word(word)) = self.peek_at(0)
            && word != "mtu"
            && word != "id"
        {
            icmp.code = word.clone();
            self.at += 1;
        }
        if self.word("mtu") {
            icmp.mtu = Some(self.integer("an MTU")?);
        }
        if self.word("id") {
            icmp.id = Some(self.integer("an identifier")?);
        }
        if self.sign('[') {
            icmp.quoted = self.quoted()?;
        }
        Ok(icmp)
    }

    /// After `[`: the packet that an ICMP error quotes.
    fn quoted(&mut self) -> Result<Quoted, Error> {
        let len = |parser: &mut Self| {
            parser.expect('(')?;
            let len = parser.integer("a payload length")?;
            parser.expect(')')?;
            Ok(len)
        };
        let quoted = if self.word("udplite") {
            // Such a script can't apply.
            while self.peek_at(0) != Some(&Kind::Sign(']')) {
                self.next().ok_or_else(|| self.error("`]`"))?;
            }
            Quoted::Nothing
        } else if self.word("udp") {
            Quoted::Udp(len(self)?)
        } else if self.word("raw") {
            Quoted::Raw(len(self)?)
        } else {
            let (seq, len) = self.sequence()?;
            Quoted::Tcp { seq, len }
        };
        self.expect(']')?;
        Ok(quoted)
    }
}

/// AE, CWR and ECE read as a number (RFC 9768 3.2.2).
fn ace(digit: char) -> u16 {
    let value = digit.to_digit(8).unwrap_or(0);
    (if value & 4 != 0 { AE } else { 0 })
        | (if value & 2 != 0 { CWR } else { 0 })
        | (if value & 1 != 0 { ECE } else { 0 })
}
