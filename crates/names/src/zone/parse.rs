//! Master-file text to a [`Zone`].

use std::collections::BTreeMap;
use std::str::FromStr;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, HTTPS, MX, NS, NULL, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, RecordType};

use super::{Node, RecordSet, Zone, ZoneError};
use crate::text::{name_text, parse_labels, parse_type, type_text, unescape};

/// Used for records before any TTL is known from `$TTL`, an earlier record or the SOA.
const FALLBACK_TTL: u32 = 3600;

pub(super) fn parse(text: &str, origin: Option<&Name>) -> Result<Zone, ZoneError> {
    let mut reader = Reader {
        origin: origin.map(absolute),
        apex: origin.map(absolute),
        owner: None,
        default_ttl: None,
        last_ttl: None,
        nodes: BTreeMap::new(),
    };
    for entry in entries(text)? {
        reader.entry(&entry)?;
    }
    reader.finish()
}

/// One word of an entry; escapes are still in it.
#[derive(Debug, Clone)]
struct Token {
    text: String,
    quoted: bool,
}

/// One entry: a line, or several joined by parentheses.
#[derive(Debug)]
struct Entry {
    /// Where it begins, from 1.
    line: usize,
    /// Whether it begins with a blank: the owner is that of the entry before.
    same_owner: bool,
    tokens: Vec<Token>,
}

/// Splits text into entries (RFC 1035 section 5.1: blanks, comments, quotes, parentheses).
fn entries(text: &str) -> Result<Vec<Entry>, ZoneError> {
    let mut entries = Vec::new();
    let mut open: Option<usize> = None;
    let mut entry = Entry { line: 1, same_owner: false, tokens: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if open.is_none() {
            entry = Entry { line: number, same_owner: line.starts_with([' ', '\t']), tokens: Vec::new() };
        }
        let mut chars = line.chars().peekable();
        while let Some(&c) = chars.peek() {
            match c {
                ';' => break,
                '(' => {
                    chars.next();
                    if open.replace(number).is_some() {
                        return Err(error(number, "a `(` inside parentheses"));
                    }
                }
                ')' => {
                    chars.next();
                    if open.take().is_none() {
                        return Err(error(number, "a `)` without its `(`"));
                    }
                }
                '"' => {
                    chars.next();
                    entry.tokens.push(Token { text: quoted(&mut chars, number)?, quoted: true });
                }
                c if c.is_whitespace() => {
                    chars.next();
                }
                _ => entry.tokens.push(Token { text: word(&mut chars), quoted: false }),
            }
        }
        if open.is_none() && !entry.tokens.is_empty() {
            let next = Entry { line: number + 1, same_owner: false, tokens: Vec::new() };
            entries.push(std::mem::replace(&mut entry, next));
        }
    }
    match open {
        Some(line) => Err(error(line, "a `(` that is never closed")),
        None => Ok(entries),
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn quoted(chars: &mut Chars<'_>, line: usize) -> Result<String, ZoneError> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(text),
            '\\' => {
                text.push(c);
                text.extend(chars.next());
            }
            _ => text.push(c),
        }
    }
    Err(error(line, "a quote that is never closed"))
}

fn word(chars: &mut Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() || matches!(c, ';' | '(' | ')') {
            break;
        }
        chars.next();
        text.push(c);
        match c {
            '\\' => text.extend(chars.next()),
            // `alpn="h2,h3"` is one word.
            '"' => {
                while let Some(c) = chars.next() {
                    text.push(c);
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    text
}

struct Reader {
    origin: Option<Name>,
    /// The zone's name once it is known.
    apex: Option<Name>,
    owner: Option<Name>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    /// With the line each set was first given at.
    nodes: BTreeMap<Name, BTreeMap<RecordType, (usize, RecordSet)>>,
}

impl Reader {
    fn entry(&mut self, entry: &Entry) -> Result<(), ZoneError> {
        let line = entry.line;
        let first = &entry.tokens[0];
        if !entry.same_owner && !first.quoted && first.text.starts_with('$') {
            return self.directive(line, &entry.tokens);
        }
        let mut words = entry.tokens.iter();
        if !entry.same_owner {
            words.next();
            self.owner = Some(self.name(line, &first.text)?);
        }
        let Some(owner) = self.owner.clone() else {
            return Err(hinted(line, "a record without an owner", "begin the line with a name or `@`"));
        };

        let mut ttl = None;
        let mut class_seen = false;
        let record_type = loop {
            let Some(token) = words.next() else {
                return Err(hinted(
                    line,
                    "a record without a type",
                    "write it as `NAME [TTL] [IN] TYPE DATA`",
                ));
            };
            let upper = token.text.to_ascii_uppercase();
            if upper == "IN" && !class_seen {
                class_seen = true;
            } else if matches!(upper.as_str(), "CH" | "HS" | "CS") {
                return Err(error(line, format!("class {upper}: only IN is served")));
            } else if ttl.is_none() && token.text.starts_with(|c: char| c.is_ascii_digit()) {
                ttl = Some(seconds(line, &token.text)?);
            } else if let Some(found) = parse_type(&token.text) {
                break found;
            } else {
                return Err(hinted(
                    line,
                    format!("`{}` is no record type", token.text),
                    "known are A AAAA CAA CNAME HTTPS MX NS PTR SOA SRV SVCB TXT and TYPEnnn with `\\#` data",
                ));
            }
        };
        let rest: Vec<&Token> = words.collect();
        let data = self.data(line, record_type, &rest)?;
        if let Some(ttl) = ttl {
            self.last_ttl = Some(ttl);
        }
        if let RData::SOA(soa) = &data {
            self.begin_zone(line, &owner)?;
            // RFC 1035's rule, kept as the last resort: without any other word, the SOA's minimum is the TTL.
            self.last_ttl = self.last_ttl.or(Some(soa.minimum));
        }
        let ttl = ttl.or(self.default_ttl).or(self.last_ttl).unwrap_or(FALLBACK_TTL);
        self.insert(line, owner, ttl, data)
    }

    fn directive(&mut self, line: usize, tokens: &[Token]) -> Result<(), ZoneError> {
        let word = tokens[0].text.to_ascii_uppercase();
        let value = match (word.as_str(), tokens) {
            ("$ORIGIN" | "$TTL", [_, value]) => &value.text,
            ("$ORIGIN" | "$TTL", _) => return Err(error(line, format!("{word} takes one value"))),
            ("$INCLUDE" | "$GENERATE", _) => {
                return Err(hinted(line, format!("{word} is not supported"), "write the records out"));
            }
            _ => {
                return Err(hinted(
                    line,
                    format!("unknown directive `{word}`"),
                    "known are $ORIGIN and $TTL",
                ));
            }
        };
        if word == "$TTL" {
            self.default_ttl = Some(seconds(line, value)?);
        } else {
            self.origin = Some(self.name(line, value)?);
        }
        Ok(())
    }

    fn begin_zone(&mut self, line: usize, owner: &Name) -> Result<(), ZoneError> {
        match &self.apex {
            Some(apex) if apex != owner => {
                Err(error(line, format!("a SOA for {} in the zone {}", name_text(owner), name_text(apex))))
            }
            _ => {
                self.apex = Some(owner.clone());
                Ok(())
            }
        }
    }

    fn insert(&mut self, line: usize, owner: Name, ttl: u32, data: RData) -> Result<(), ZoneError> {
        if let Some(apex) = &self.apex
            && !apex.zone_of(&owner)
        {
            return Err(hinted(
                line,
                format!("{} is not below {}", name_text(&owner), name_text(apex)),
                "a name that ends with a dot is taken as it stands",
            ));
        }
        let sets = self.nodes.entry(owner).or_default();
        let (_, set) =
            sets.entry(data.record_type()).or_insert_with(|| (line, RecordSet { ttl, data: Vec::new() }));
        // RFC 2181 section 5.2: one TTL for a set; the lowest promises least.
        set.ttl = set.ttl.min(ttl);
        if !set.data.contains(&data) {
            set.data.push(data);
        }
        Ok(())
    }

    fn finish(self) -> Result<Zone, ZoneError> {
        let no_soa =
            || hinted(0, "no SOA record", "begin with `@ SOA ns.example. admin.example. 1 1h 15m 7d 5m`");
        let origin = self.apex.ok_or_else(no_soa)?;
        let mut nodes: BTreeMap<Name, Node> = BTreeMap::new();
        for (name, sets) in self.nodes {
            if !origin.zone_of(&name) {
                let line = sets.values().map(|(line, _)| *line).min().unwrap_or(0);
                return Err(error(line, format!("{} is not below {}", name_text(&name), name_text(&origin))));
            }
            for (record_type, (line, set)) in &sets {
                let single = matches!(record_type, RecordType::SOA | RecordType::CNAME);
                if single && set.data.len() > 1 {
                    let kind = type_text(*record_type);
                    return Err(error(*line, format!("several {kind} records at {}", name_text(&name))));
                }
                if *record_type == RecordType::CNAME && sets.len() > 1 {
                    let what = format!("a CNAME beside other records at {}", name_text(&name));
                    return Err(hinted(
                        *line,
                        what,
                        "an alias has no records of its own (RFC 1034 section 3.6.2)",
                    ));
                }
                if *record_type == RecordType::SOA && name != origin {
                    return Err(error(*line, format!("a SOA at {}, below the zone's top", name_text(&name))));
                }
            }
            let mut above = name.clone();
            while above != origin {
                above = above.base_name();
                nodes.entry(above.clone()).or_default();
            }
            let node = sets.into_iter().map(|(record_type, (_, set))| (record_type, set));
            nodes.entry(name).or_default().extend(node);
        }
        let apex = nodes.get(&origin).ok_or_else(no_soa)?;
        if !apex.contains_key(&RecordType::SOA) {
            return Err(no_soa());
        }
        if !apex.contains_key(&RecordType::NS) {
            let what = format!("no NS record at {}", name_text(&origin));
            return Err(hinted(0, what, "a zone names its servers"));
        }
        Ok(Zone { origin, nodes })
    }

    /// A name as written: `@`, relative, or absolute.
    fn name(&self, line: usize, text: &str) -> Result<Name, ZoneError> {
        let origin = || {
            self.origin.as_ref().or(self.apex.as_ref()).ok_or_else(|| {
                hinted(
                    line,
                    format!("the relative name `{text}` before any origin"),
                    "write `$ORIGIN example.` first",
                )
            })
        };
        if text == "@" {
            return origin().cloned();
        }
        let (name, absolute) =
            parse_labels(text).map_err(|why| error(line, format!("`{text}` is not a name: {why}")))?;
        if absolute {
            return Ok(name);
        }
        let origin = origin()?;
        name.append_domain(origin).map_err(|why| error(line, format!("`{text}` is too long a name: {why}")))
    }

    fn data(&self, line: usize, record_type: RecordType, words: &[&Token]) -> Result<RData, ZoneError> {
        if let [first, rest @ ..] = words
            && first.text == "\\#"
        {
            return generic(line, record_type, rest);
        }
        let kind = type_text(record_type);
        let fields = |count: usize, form: &str| {
            if words.len() == count {
                Ok(())
            } else {
                Err(hinted(
                    line,
                    format!("{kind} with {} values", words.len()),
                    &format!("write `{kind} {form}`"),
                ))
            }
        };
        let name_at = |at: usize| self.name(line, &words[at].text);
        let number = |at: usize| -> Result<u16, ZoneError> {
            let text = &words[at].text;
            text.parse().map_err(|_| error(line, format!("`{text}` is not a number from 0 to 65535")))
        };
        Ok(match record_type {
            RecordType::A => {
                fields(1, "192.0.2.1")?;
                RData::A(A(address(line, &words[0].text, "an IPv4")?))
            }
            RecordType::AAAA => {
                fields(1, "2001:db8::1")?;
                RData::AAAA(AAAA(address(line, &words[0].text, "an IPv6")?))
            }
            RecordType::NS => {
                fields(1, "ns.example.")?;
                RData::NS(NS(name_at(0)?))
            }
            RecordType::CNAME => {
                fields(1, "other.example.")?;
                RData::CNAME(CNAME(name_at(0)?))
            }
            RecordType::PTR => {
                fields(1, "host.example.")?;
                RData::PTR(PTR(name_at(0)?))
            }
            RecordType::MX => {
                fields(2, "10 mail.example.")?;
                RData::MX(MX::new(number(0)?, name_at(1)?))
            }
            RecordType::SRV => {
                fields(4, "0 0 443 host.example.")?;
                RData::SRV(SRV::new(number(0)?, number(1)?, number(2)?, name_at(3)?))
            }
            RecordType::SOA => {
                fields(7, "ns.example. admin.example. SERIAL REFRESH RETRY EXPIRE MINIMUM")?;
                let serial = words[2].text.parse();
                let serial =
                    serial.map_err(|_| error(line, format!("`{}` is not a serial number", words[2].text)))?;
                let time = |at: usize| seconds(line, &words[at].text);
                RData::SOA(SOA::new(
                    name_at(0)?,
                    name_at(1)?,
                    serial,
                    time(3)?.cast_signed(),
                    time(4)?.cast_signed(),
                    time(5)?.cast_signed(),
                    time(6)?,
                ))
            }
            RecordType::TXT => {
                if words.is_empty() {
                    return Err(hinted(line, "TXT without text", "write `TXT \"text\"`"));
                }
                let parts =
                    words.iter().map(|word| string(line, &word.text)).collect::<Result<Vec<_>, _>>()?;
                RData::TXT(TXT::from_bytes(parts.iter().map(Vec::as_slice).collect()))
            }
            RecordType::SVCB | RecordType::HTTPS => self.service(line, record_type, words)?,
            RecordType::CAA | RecordType::TLSA | RecordType::SSHFP => other(line, record_type, words)?,
            _ => {
                let hint = "write its data as `\\# LENGTH HEX` (RFC 3597)";
                return Err(hinted(line, format!("{kind} records have no text form here"), hint));
            }
        })
    }

    /// SVCB and HTTPS (RFC 9460 section 2.1); the codec reads the parameters, the target is made absolute here.
    fn service(&self, line: usize, record_type: RecordType, words: &[&Token]) -> Result<RData, ZoneError> {
        if words.len() < 2 {
            let kind = type_text(record_type);
            return Err(hinted(
                line,
                format!("{kind} with {} values", words.len()),
                "write `HTTPS 1 . alpn=h3,h2`",
            ));
        }
        let target = self.name(line, &words[1].text)?;
        let mut text = format!("{} {}", words[0].text, name_text(&target));
        for word in &words[2..] {
            // The codec's lexer keeps quotes inside a word and then fails on the list: lists need none.
            text.push(' ');
            text.push_str(&word.text.replace('"', ""));
        }
        // The codec accepts keys in any order but writes them as given; the wire wants them ascending (section 2.2).
        let parsed =
            RData::try_from_str(RecordType::SVCB, &text).map_err(|why| error(line, why.to_string()))?;
        let RData::SVCB(mut svcb) = parsed else {
            return Err(error(line, "not service parameters"));
        };
        svcb.svc_params.sort_by_key(|(key, _)| u16::from(*key));
        if svcb.svc_params.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(error(line, "a service parameter given twice"));
        }
        Ok(if record_type == RecordType::HTTPS { RData::HTTPS(HTTPS(svcb)) } else { RData::SVCB(svcb) })
    }
}

/// Types whose data holds no name: the codec's own parser does.
fn other(line: usize, record_type: RecordType, words: &[&Token]) -> Result<RData, ZoneError> {
    let text = words
        .iter()
        .map(|word| if word.quoted { format!("\"{}\"", word.text) } else { word.text.clone() })
        .collect::<Vec<_>>()
        .join(" ");
    RData::try_from_str(record_type, &text).map_err(|why| error(line, why.to_string()))
}

/// RFC 3597 section 5: `\# LENGTH HEX`.
fn generic(line: usize, record_type: RecordType, words: &[&Token]) -> Result<RData, ZoneError> {
    let bad = |what: String| hinted(line, what, "write `\\# LENGTH HEX`");
    let [length, hex @ ..] = words else {
        return Err(bad("generic data without a length".into()));
    };
    let length: usize = length.text.parse().map_err(|_| bad(format!("`{}` is not a length", length.text)))?;
    let digits: String = hex.iter().map(|word| word.text.as_str()).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) || digits.len() != length * 2 || length == 0 {
        return Err(bad(format!("{} hexadecimal digits for {length} bytes", digits.len())));
    }
    let bytes = (0..length)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).expect("hexadecimal digits"))
        .collect();
    match record_type {
        RecordType::Unknown(_) => Ok(RData::Unknown { code: record_type, rdata: NULL::with(bytes) }),
        known => Err(bad(format!("{} records have a text form of their own", type_text(known)))),
    }
}

/// The bytes of a character-string: escapes resolved, at most 255 (RFC 1035 section 3.3).
fn string(line: usize, text: &str) -> Result<Vec<u8>, ZoneError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'\\' {
            let (byte, after) =
                unescape(rest).ok_or_else(|| error(line, format!("a bad escape in `{text}`")))?;
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    if bytes.len() > 255 {
        let what = format!("a text of {} bytes", bytes.len());
        return Err(hinted(line, what, "split it into several strings of at most 255 bytes"));
    }
    Ok(bytes)
}

/// Seconds as `3600`, `1h`, `1h30m`, `2w` (the units of RFC 2308's era servers: s m h d w).
fn seconds(line: usize, text: &str) -> Result<u32, ZoneError> {
    let bad = || hinted(line, format!("`{text}` is not a time"), "write seconds, or units as in `1h30m`");
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit)));
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad()),
        };
        total = total.saturating_add(number.take().ok_or_else(bad)?.saturating_mul(unit));
    }
    total = total.saturating_add(number.unwrap_or(0));
    // RFC 2181 section 8: a TTL has 31 bits.
    u32::try_from(total)
        .ok()
        .filter(|total| i32::try_from(*total).is_ok() && !text.is_empty())
        .ok_or_else(bad)
}

fn address<T: FromStr>(line: usize, text: &str, kind: &str) -> Result<T, ZoneError> {
    text.parse().map_err(|_| error(line, format!("`{text}` is not {kind} address")))
}

fn absolute(name: &Name) -> Name {
    let mut name = name.clone();
    name.set_fqdn(true);
    name
}

fn error(line: usize, what: impl Into<String>) -> ZoneError {
    ZoneError { line, what: what.into(), hint: None }
}

fn hinted(line: usize, what: impl Into<String>, hint: &str) -> ZoneError {
    ZoneError { line, what: what.into(), hint: Some(hint.to_owned()) }
}
