//! Entries: a packet, which of its parts have to match, and how an answer is adjusted to its question.

use hickory_proto::rr::{Name, RecordType};

use crate::rdata;
use crate::text::{name_text, parse_type, type_text};
use crate::wire::{CLASS_CH, CLASS_IN, Opt, Packet, Question, RawRecord};

/// The EDNS option code of extended errors.
const EDE: u16 = 15;
/// The EDNS option code of cookies.
const COOKIE: u16 = 10;

/// One entry.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Line on which it begins, from 1.
    pub line: usize,
    /// What has to match.
    pub matches: Match,
    /// The packet: a template for answers, the expectation for checks.
    pub packet: Packet,
    /// Octets given in hexadecimal instead of a packet.
    pub raw: Option<Vec<u8>>,
    /// Further packets of a transfer over TCP.
    pub extra: Vec<Packet>,
    /// `ADJUST copy_id`.
    pub copy_id: bool,
    /// `ADJUST copy_query`.
    pub copy_query: bool,
}

/// What of a packet has to match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    opcode: bool,
    qtype: bool,
    qname: bool,
    subdomain: bool,
    serial: Option<u32>,
    all: bool,
    all_noedns: bool,
    ttl: bool,
    rcode: bool,
    question: bool,
    answer: bool,
    dnssec_ok: bool,
    no_edns: bool,
    edns_data: bool,
    /// Over TCP (`true`) or UDP only.
    pub tcp: Option<bool>,
    /// An extended error: any, or this one.
    ede: Option<Option<u16>>,
    /// A cookie option of this length.
    cookie: Option<usize>,
    /// Words we do not know, which make the script unfit.
    pub unknown: Vec<String>,
}

impl Entry {
    /// Whether `packet` fits; why not otherwise.
    pub fn check(&self, packet: &Packet, over_tcp: bool) -> Result<(), String> {
        let m = &self.matches;
        let mut packet = packet.clone();
        if let Some(wanted) = m.ede {
            let options = packet.opt.iter_mut().flat_map(|opt| &mut opt.options);
            let codes: Vec<u16> = options
                .filter(|(code, data)| *code == EDE && data.len() >= 2)
                .map(|(_, data)| u16::from_be_bytes([data[0], data[1]]))
                .collect();
            let found = match wanted {
                None => !codes.is_empty(),
                Some(code) => codes.contains(&code),
            };
            if !found {
                return Err(format!("extended error {wanted:?} expected, got {codes:?}"));
            }
            if let Some(opt) = &mut packet.opt {
                opt.options.retain(|(code, _)| *code != EDE);
            }
        }
        if let Some(length) = m.cookie {
            let have = packet.opt.as_ref().and_then(|opt| opt.option(COOKIE)).map(<[u8]>::len);
            if have != Some(length) {
                return Err(format!("a cookie of {length} octets expected, got {have:?}"));
            }
            if let Some(opt) = &mut packet.opt {
                opt.options.retain(|(code, _)| *code != COOKIE);
            }
        }
        let (ours, theirs) = (self.packet.question(), packet.question());
        let same = |wanted: bool, what: &str, equal: bool| {
            if wanted && !equal { Err(format!("{what} differs")) } else { Ok(()) }
        };
        same(m.opcode, "opcode", self.packet.header.opcode == packet.header.opcode)?;
        same(m.qtype, "type", ours.map(|q| q.rtype) == theirs.map(|q| q.rtype))?;
        same(m.qname, "name", ours.map(|q| &q.name) == theirs.map(|q| &q.name))?;
        same(m.rcode, "rcode", self.packet.rcode() == packet.rcode())?;
        let below = ours.zip(theirs).is_some_and(|(ours, theirs)| ours.name.zone_of(&theirs.name));
        same(m.subdomain, "domain", below)?;
        same(m.question || m.all || m.all_noedns, "question", ours == theirs)?;
        same(m.dnssec_ok, "DO", packet.opt.as_ref().is_some_and(|opt| opt.dnssec_ok))?;
        same(m.no_edns, "EDNS", packet.opt.is_none())?;
        same(m.tcp.is_some(), "transport", m.tcp == Some(over_tcp))?;
        if let Some(serial) = m.serial {
            same(true, "serial", soa_serial(&packet.authorities) == Some(serial))?;
        }
        let options =
            |packet: &Packet| packet.opt.as_ref().map(|opt| opt.options.clone()).unwrap_or_default();
        same(m.edns_data, "EDNS data", options(&self.packet) == options(&packet))?;
        if m.answer {
            self.section("answer", &self.packet.answers, &packet.answers)?;
        }
        if m.all || m.all_noedns {
            self.check_all(&packet)?;
        }
        Ok(())
    }

    fn check_all(&self, packet: &Packet) -> Result<(), String> {
        let (mut ours, mut theirs) = (self.packet.header, packet.header);
        (ours.id, theirs.id) = (0, 0);
        // testbound zeroes TTLs before it compares, OPT's too: that holds the high bits of the code, and DO.
        let exact = self.matches.ttl;
        if ours != theirs || (exact && self.packet.rcode() != packet.rcode()) {
            return Err(format!("{} expected, got {}", flags(&self.packet), flags(packet)));
        }
        if !self.matches.all_noedns {
            let shape = |opt: &Option<Opt>| {
                let high = |opt: &Opt| exact.then_some((opt.dnssec_ok, opt.version));
                opt.as_ref().map(|opt| (high(opt), opt.options.clone()))
            };
            let (ours, theirs) = (shape(&self.packet.opt), shape(&packet.opt));
            if ours != theirs {
                return Err(format!("EDNS {ours:?} expected, got {theirs:?}"));
            }
        }
        self.section("answer", &self.packet.answers, &packet.answers)?;
        self.section("authority", &self.packet.authorities, &packet.authorities)?;
        self.section("additional", &self.packet.additionals, &packet.additionals)
    }

    fn section(&self, what: &str, ours: &[RawRecord], theirs: &[RawRecord]) -> Result<(), String> {
        let shown = |records: &[RawRecord]| {
            let mut shown: Vec<String> =
                records.iter().map(|record| shown(record, self.matches.ttl)).collect();
            shown.sort();
            shown
        };
        let (ours, theirs) = (shown(ours), shown(theirs));
        if ours == theirs {
            return Ok(());
        }
        let missing: Vec<&String> = ours.iter().filter(|record| !theirs.contains(record)).collect();
        let extra: Vec<&String> = theirs.iter().filter(|record| !ours.contains(record)).collect();
        Err(format!("{what} section: missing {missing:?}, unexpected {extra:?}"))
    }

    /// The octets that answer `query`.
    pub fn reply_to(&self, query: Option<&Packet>, packet: usize) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            let mut raw = raw.clone();
            if let (Some(query), true) = (query, raw.len() >= 2) {
                raw[..2].copy_from_slice(&query.header.id.to_be_bytes());
            }
            return raw;
        }
        let mut reply = if packet == 0 { self.packet.clone() } else { self.extra[packet - 1].clone() };
        if let Some(query) = query {
            // The id of an answer that a script gives fits, whether it says so or not: testbound hands it to the
            // question past the place where ids are compared.
            reply.header.id = query.header.id;
            if self.copy_query {
                reply.questions.clone_from(&query.questions);
            }
        }
        reply.write(usize::from(u16::MAX)).unwrap_or_default()
    }
}

fn soa_serial(records: &[RawRecord]) -> Option<u32> {
    let soa = records.iter().find(|record| record.rtype == RecordType::SOA)?;
    let at = soa.data.len().checked_sub(20)?;
    Some(u32::from_be_bytes(soa.data[at..at + 4].try_into().ok()?))
}

fn flags(packet: &Packet) -> String {
    let header = &packet.header;
    let named = [
        (header.response, "QR"),
        (header.authoritative, "AA"),
        (header.truncated, "TC"),
        (header.recursion_desired, "RD"),
        (header.recursion_available, "RA"),
        (header.authentic_data, "AD"),
        (header.checking_disabled, "CD"),
    ];
    let mut text: Vec<String> =
        named.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned()).collect();
    text.push(crate::text::rcode_text(hickory_proto::op::ResponseCode::from_low(packet.header.rcode)));
    text.join(" ")
}

/// A record for comparison: names in lower case, data in canonical form.
pub(super) fn shown(record: &RawRecord, ttl: bool) -> String {
    let data: String =
        rdata::canonical(record.rtype, &record.data).iter().map(|octet| format!("{octet:02x}")).collect();
    let ttl = if ttl { record.ttl.to_string() } else { String::new() };
    let plain = match (record.rtype, &record.data[..]) {
        (RecordType::A, [a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        (rtype, data) => match rdata::target(rtype, data) {
            Some(name) => format!("{} {data:?}", name_text(&name.to_lowercase())),
            None => data.iter().map(|octet| format!("{octet:02x}")).collect(),
        },
    };
    let data = if record.rtype == RecordType::A {
        plain
    } else if plain.contains(' ') {
        format!("{} {data}", plain.split(' ').next().unwrap_or(""))
    } else {
        data
    };
    format!(
        "{} {ttl} {} {} {data}",
        name_text(&record.name.to_lowercase()),
        record.class,
        type_text(record.rtype)
    )
}

/// Reads entries line by line.
#[derive(Debug, Default)]
pub struct EntryReader {
    entry: Option<Entry>,
    section: Section,
    opt: Option<Opt>,
    finished: Vec<Packet>,
    hex: Option<(bool, String)>,
    origin: Option<Name>,
    ttl: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    #[default]
    Question,
    Answer,
    Authority,
    Additional,
}

impl EntryReader {
    /// Whether an entry has begun and not ended.
    pub fn inside(&self) -> bool {
        self.entry.is_some()
    }

    /// Takes a line; the entry when it ends.
    pub fn line(&mut self, line: &str, number: usize) -> Result<Option<Entry>, String> {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(';') || trimmed.starts_with('#') {
            return Ok(None);
        }
        let word = trimmed.split_whitespace().next().unwrap_or("");
        let rest = trimmed[word.len()..].split(';').next().unwrap_or("").trim();
        if let Some((edns, hex)) = &mut self.hex {
            if word == "HEX_ANSWER_END" || word == "HEX_EDNSDATA_END" {
                let octets = rdata_hex(hex).ok_or("bad hexadecimal")?;
                let edns = *edns;
                self.hex = None;
                if edns {
                    self.opt.get_or_insert_with(plain_opt).options = options(&octets)?;
                } else if let Some(entry) = &mut self.entry {
                    entry.raw = Some(octets);
                }
            } else {
                hex.extend(trimmed.split(';').next().unwrap_or("").chars().filter(|c| !c.is_whitespace()));
            }
            return Ok(None);
        }
        match word {
            "$ORIGIN" => {
                self.origin = Some(rdata::name_from_text(rest, &Name::root())?);
                return Ok(None);
            }
            "$TTL" => {
                self.ttl = rest.parse().ok();
                return Ok(None);
            }
            "ENTRY_BEGIN" => {
                if self.entry.is_some() {
                    return Err("ENTRY_BEGIN inside an entry".into());
                }
                self.entry = Some(Entry { line: number, ..Entry::default() });
                self.section = Section::Question;
                self.opt = None;
                self.finished.clear();
                return Ok(None);
            }
            _ => {}
        }
        let Some(entry) = &mut self.entry else { return Err(format!("{word} outside of an entry")) };
        match word {
            "MATCH" => match_words(&mut entry.matches, rest),
            "REPLY" => reply_words(&mut entry.packet, &mut self.opt, rest)?,
            "ADJUST" => {
                for word in rest.split_whitespace() {
                    match word {
                        "copy_id" => entry.copy_id = true,
                        "copy_query" => entry.copy_query = true,
                        word if word.starts_with("sleep=") || word.starts_with("packet_sleep=") => {}
                        other => entry.matches.unknown.push(format!("ADJUST {other}")),
                    }
                }
            }
            "SECTION" => {
                self.section = match rest {
                    "QUESTION" => Section::Question,
                    "ANSWER" => Section::Answer,
                    "AUTHORITY" => Section::Authority,
                    "ADDITIONAL" => Section::Additional,
                    other => return Err(format!("unknown section {other}")),
                };
            }
            "HEX_ANSWER_BEGIN" => self.hex = Some((false, String::new())),
            "HEX_EDNSDATA_BEGIN" => self.hex = Some((true, String::new())),
            "EXTRA_PACKET" => {
                let packet = std::mem::take(&mut entry.packet);
                self.finished.push(packet);
                self.section = Section::Question;
            }
            "ENTRY_END" => {
                let mut entry = self.entry.take().expect("it is there");
                entry.packet.opt = self.opt.take();
                if !self.finished.is_empty() {
                    let last = std::mem::take(&mut entry.packet);
                    let mut packets = std::mem::take(&mut self.finished);
                    packets.push(last);
                    entry.packet = packets.remove(0);
                    entry.extra = packets;
                }
                return Ok(Some(entry));
            }
            _ => {
                let origin = self.origin.clone().unwrap_or_else(Name::root);
                record(entry, self.section, trimmed, &origin, self.ttl.unwrap_or(3600))?;
            }
        }
        Ok(None)
    }
}

fn plain_opt() -> Opt {
    Opt { payload: 1232, ..Opt::default() }
}

fn rdata_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn options(octets: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, String> {
    let mut found = Vec::new();
    let mut rest = octets;
    while let [a, b, c, d, tail @ ..] = rest {
        let (code, length) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
        let data = tail.get(..length).ok_or("an EDNS option ends early")?;
        found.push((code, data.to_vec()));
        rest = &tail[length..];
    }
    if rest.is_empty() { Ok(found) } else { Err("an EDNS option ends early".into()) }
}

fn record(entry: &mut Entry, section: Section, line: &str, origin: &Name, ttl: u32) -> Result<(), String> {
    if section == Section::Question {
        let words = rdata::words(line);
        let name = rdata::name_from_text(&words.first().ok_or("an empty question")?.text, origin)?;
        let mut class = CLASS_IN;
        let mut rtype = RecordType::A;
        for word in &words[1..] {
            match word.text.as_str() {
                // A TTL, which a question does not have.
                text if text.bytes().all(|c| c.is_ascii_digit()) => {}
                "IN" => class = CLASS_IN,
                "CH" => class = CLASS_CH,
                "HS" => class = 4,
                text => match text.strip_prefix("CLASS").and_then(|number| number.parse().ok()) {
                    Some(number) => class = number,
                    None if text == "ANY" && words.len() > 2 && word == &words[1] => class = 255,
                    None => rtype = parse_type(text).ok_or_else(|| format!("unknown type {text}"))?,
                },
            }
        }
        entry.packet.questions.push(Question { name, rtype, class });
        return Ok(());
    }
    let record = match rdata::record_from_text(line, origin, ttl, None) {
        // Some scripts have a field too many at the end of a SOA, which testbound passes over.
        Err(why) if why.contains("goes on with") && line.contains("SOA") => {
            let shorter = line.trim_end().rsplit_once(char::is_whitespace).map_or(line, |(before, _)| before);
            rdata::record_from_text(shorter, origin, ttl, None)?
        }
        other => other?,
    };
    let section = match section {
        Section::Answer => &mut entry.packet.answers,
        Section::Authority => &mut entry.packet.authorities,
        _ => &mut entry.packet.additionals,
    };
    section.push(record);
    Ok(())
}

fn match_words(matches: &mut Match, text: &str) {
    for word in text.split_whitespace() {
        match word {
            "opcode" => matches.opcode = true,
            "qtype" => matches.qtype = true,
            "qname" => matches.qname = true,
            "subdomain" => matches.subdomain = true,
            "all" => matches.all = true,
            "all_noedns" => matches.all_noedns = true,
            "ttl" => matches.ttl = true,
            "rcode" => matches.rcode = true,
            "question" => matches.question = true,
            "answer" => matches.answer = true,
            "DO" => matches.dnssec_ok = true,
            "noedns" => matches.no_edns = true,
            "ednsdata" => matches.edns_data = true,
            "UDP" => matches.tcp = Some(false),
            "TCP" => matches.tcp = Some(true),
            "ede=any" => matches.ede = Some(None),
            "client_cookie" => matches.cookie = Some(8),
            "server_cookie" => matches.cookie = Some(24),
            word => {
                let value = |key: &str| word.strip_prefix(key).and_then(|text| text.parse::<u32>().ok());
                if let Some(code) = value("ede=") {
                    matches.ede = Some(Some(code as u16));
                } else if let Some(serial) = value("serial=") {
                    matches.serial = Some(serial);
                } else {
                    matches.unknown.push(format!("MATCH {word}"));
                }
            }
        }
    }
}

fn reply_words(packet: &mut Packet, opt: &mut Option<Opt>, text: &str) -> Result<(), String> {
    for word in text.split_whitespace() {
        let header = &mut packet.header;
        match word {
            "QUERY" => header.opcode = 0,
            "IQUERY" => header.opcode = 1,
            "STATUS" => header.opcode = 2,
            "NOTIFY" => header.opcode = 4,
            "UPDATE" => header.opcode = 5,
            "QR" => header.response = true,
            "AA" => header.authoritative = true,
            "TC" => header.truncated = true,
            "RD" => header.recursion_desired = true,
            "CD" => header.checking_disabled = true,
            "RA" => header.recursion_available = true,
            "AD" => header.authentic_data = true,
            "DO" => opt.get_or_insert_with(plain_opt).dnssec_ok = true,
            "NOERROR" => header.rcode = 0,
            "FORMERR" => header.rcode = 1,
            "SERVFAIL" => header.rcode = 2,
            "NXDOMAIN" => header.rcode = 3,
            "NOTIMPL" | "NOTIMP" => header.rcode = 4,
            "REFUSED" => header.rcode = 5,
            "YXDOMAIN" => header.rcode = 6,
            "YXRRSET" => header.rcode = 7,
            "NXRRSET" => header.rcode = 8,
            "NOTAUTH" => header.rcode = 9,
            "NOTZONE" => header.rcode = 10,
            // 23: the low bits here, the high ones in OPT.
            "BADCOOKIE" | "BADVERS" => {
                let code: u16 = if word == "BADVERS" { 16 } else { 23 };
                header.rcode = (code & 15) as u8;
                opt.get_or_insert_with(plain_opt).rcode_high = (code >> 4) as u8;
            }
            other => return Err(format!("unknown word in REPLY: {other}")),
        }
    }
    Ok(())
}
