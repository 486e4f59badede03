//! Entries: a packet, which of its parts have to match, and how an answer is adjusted to its question.

use hickory_proto::rr::RecordType;

use crate::wire::{Header, Opt, Packet, Question, RawRecord};

mod read;
pub(super) mod records;

pub use read::EntryReader;
use records::differing;

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
    /// `ADJUST do_not_answer`: the question that fits stays without answer.
    pub silent: bool,
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
    authority: bool,
    additional: bool,
    /// Every flag of the header.
    flags: bool,
    /// The name as it is spelled.
    spelling: bool,
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
        same(m.rcode, "rcode", self.packet.rcode() == packet.rcode()).map_err(|_| self.heads(&packet))?;
        let head = |packet: &Packet| Header { id: 0, rcode: 0, opcode: 0, ..packet.header };
        same(m.flags, "flags", head(&self.packet) == head(&packet)).map_err(|_| self.heads(&packet))?;
        let spelling = |question: &Question| question.name.to_ascii();
        same(m.spelling, "spelling", ours.map(spelling) == theirs.map(spelling))?;
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
        if m.authority {
            self.section("authority", &self.packet.authorities, &packet.authorities)?;
        }
        if m.additional {
            self.section("additional", &self.packet.additionals, &packet.additionals)?;
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
            return Err(self.heads(packet));
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

    /// Flags and code that are wanted, and those that are there.
    fn heads(&self, packet: &Packet) -> String {
        format!("{} expected, got {}", flags(&self.packet), flags(packet))
    }

    fn section(&self, what: &str, ours: &[RawRecord], theirs: &[RawRecord]) -> Result<(), String> {
        match differing(ours, theirs, self.matches.ttl) {
            Some(how) => Err(format!("{what} section: {how}")),
            None => Ok(()),
        }
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
