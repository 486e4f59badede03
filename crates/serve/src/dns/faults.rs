//! What name servers get wrong about the protocol, each with a word of its own: found in the wild, and here made on
//! purpose. What is wrong with a zone's data or signatures is said in the zone.
//!
//! - [`Fault`]: the words. - [`Faults`]: what a server does wrong; [`Faults::before`] and [`Faults::after`] do it.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::message::{Peek, bare_error};
use thru_names::wire::{CLASS_IN, Opt, Packet, RawRecord, name_to_wire};

/// Option code of cookies (RFC 7873).
const COOKIE: u16 = 10;
/// BADCOOKIE.
const BAD_COOKIE: u16 = 23;
/// TTL of what is made up here, in seconds.
const TTL: u32 = 3_600;

macro_rules! faults {
    ($($name:ident $word:literal $about:literal;)*) => {
        /// One thing that a name server does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $about] $name,)*
        }

        impl Fault {
            /// Every fault with its word.
            pub const WORDS: &'static [(&'static str, Fault)] = &[$(($word, Fault::$name)),*];
        }
    };
}

faults! {
    EdnsDropped "edns-dropped" "Queries with EDNS get no answer (RFC 6891 section 7).";
    EdnsFormErr "edns-formerr" "Queries with EDNS get FORMERR (RFC 6891 section 7).";
    EdnsIgnored "edns-ignored" "Answers as if there were no EDNS: no OPT, no signatures.";
    DnssecStripped "dnssec-stripped" "Signatures and denials are taken out of answers, as old forwarders do.";
    UdpDropped "udp-dropped" "Datagrams get no answer; connections do.";
    TcpClosed "tcp-closed" "Nobody listens on TCP (RFC 7766 section 5).";
    TcpSilent "tcp-silent" "Connections are accepted, and no query on them is answered.";
    Truncates "truncates" "Every answer over UDP is empty and has TC.";
    RateLimited "rate-limited" "Of every three queries over UDP one is answered, one dropped, one truncated.";
    WrongId "wrong-id" "Answers over UDP have another id (RFC 5452 section 9.1).";
    OtherPort "other-port" "Answers over UDP come from another port than was asked (RFC 2181 section 4.2).";
    OtherQuestion "other-question" "Answers repeat another question (RFC 5452 section 9.1).";
    CaseLost "case-lost" "Names in answers are in lower case, whatever was asked.";
    CaseDropped "case-dropped" "Names with capitals get no answer.";
    NotAuthoritative "not-authoritative" "Answers lack AA (RFC 1035 section 4.1.1).";
    UpwardReferral "upward-referral" "Refers everybody to the root.";
    BadCookie "bad-cookie" "No cookie is ever good enough: BADCOOKIE (RFC 7873 section 5.2.3).";
    WrongCookie "wrong-cookie" "The client's cookie comes back changed (RFC 7873 section 5.3).";
    EmptyNonTerminal "ent-nxdomain" "Names with nothing but names below get NXDOMAIN (RFC 8020 section 2).";
    NoWildcards "no-wildcards" "Wildcards stand for themselves only (RFC 4592).";
    NoSoa "no-soa" "Negative answers come without SOA (RFC 2308 section 2).";
    AaaaDropped "aaaa-dropped" "Questions for AAAA get no answer (RFC 4074 section 4.1).";
    AaaaNxDomain "aaaa-nxdomain" "A name without AAAA does not exist, if AAAA is asked (RFC 4074 section 4.2).";
    AaaaServFail "aaaa-servfail" "Questions for AAAA get SERVFAIL (RFC 4074 section 4.3).";
    HttpsDropped "https-dropped" "Questions for HTTPS and SVCB get no answer.";
    HttpsRefused "https-refused" "Questions for HTTPS and SVCB get NOTIMP.";
    Malformed "malformed" "Answers end in the middle of their records.";
}

impl Fault {
    /// The word.
    pub fn word(self) -> &'static str {
        Fault::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}

/// What becomes of a query before anybody looks for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// This is to be answered.
    Pass(Vec<u8>),
    /// Nothing is said.
    Drop,
    /// This is said.
    Answer(Vec<u8>),
}

/// What a server knows of its zones, for the faults that need it.
pub(super) trait Zones {
    /// Whether there is anything of this name: records, not those of a wildcard.
    fn has(&self, name: &Name) -> bool;
    /// The SOA of the zone that the name lies in.
    fn soa(&self, name: &Name) -> Option<RawRecord>;
}

/// What a server does wrong: each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl FromIterator<Fault> for Faults {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Faults {
        let mut all: Vec<Fault> = faults.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        Faults(all)
    }
}

impl Faults {
    /// Whether it does this.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Whether it does nothing wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.0.iter().copied()
    }

    /// What to do with the `number`th query over this transport.
    pub(super) fn before(&self, query: Vec<u8>, over_udp: bool, number: u64) -> Before {
        let has = |fault| self.has(fault);
        if over_udp && has(Fault::UdpDropped) || !over_udp && has(Fault::TcpSilent) {
            return Before::Drop;
        }
        let (Some(peek), Ok(packet)) = (Peek::at(&query), Packet::read(&query)) else {
            return Before::Pass(query);
        };
        let Some(question) = packet.question().filter(|_| !peek.is_response) else {
            return Before::Pass(query);
        };
        if over_udp && has(Fault::RateLimited) {
            match number % 3 {
                1 => {}
                2 => return Before::Drop,
                _ => return Before::Answer(truncated(&packet)),
            }
        }
        let edns = packet.opt.is_some();
        let aaaa = question.rtype == RecordType::AAAA;
        let https = matches!(question.rtype, RecordType::HTTPS | RecordType::SVCB);
        let capitals = question.name.iter().flatten().any(u8::is_ascii_uppercase);
        let dropped = edns && has(Fault::EdnsDropped)
            || aaaa && has(Fault::AaaaDropped)
            || https && has(Fault::HttpsDropped)
            || capitals && has(Fault::CaseDropped);
        if dropped {
            return Before::Drop;
        }
        if edns && has(Fault::EdnsFormErr) {
            return Before::Answer(bare_error(peek, ResponseCode::FormErr));
        }
        if aaaa && has(Fault::AaaaServFail) {
            return Before::Answer(said(&packet, 2));
        }
        if https && has(Fault::HttpsRefused) {
            return Before::Answer(said(&packet, 4));
        }
        if has(Fault::BadCookie)
            && let Some(cookie) = packet.opt.as_ref().and_then(|opt| opt.option(COOKIE))
            && let Some(client) = cookie.get(..8)
        {
            let mut answer = begin(&packet);
            answer.set_rcode(BAD_COOKIE);
            if let Some(opt) = &mut answer.opt {
                opt.options.push((COOKIE, [client, &(number ^ 0x5eed).to_be_bytes()].concat()));
            }
            return Before::Answer(written(&answer));
        }
        if has(Fault::UpwardReferral) {
            let mut answer = begin(&packet);
            let server = Name::from_ascii("a.root-servers.lab.").expect("a legal name");
            answer.authorities.push(RawRecord {
                name: Name::root(),
                rtype: RecordType::NS,
                class: CLASS_IN,
                ttl: TTL,
                data: name_to_wire(&server).into(),
            });
            return Before::Answer(written(&answer));
        }
        if edns && has(Fault::EdnsIgnored) {
            return Before::Pass(written(&Packet { opt: None, ..packet }));
        }
        Before::Pass(query)
    }

    /// What becomes of the answer to a query.
    pub(super) fn after(
        &self,
        query: &[u8],
        answer: Vec<u8>,
        over_udp: bool,
        zones: Option<&dyn Zones>,
    ) -> Vec<u8> {
        if self.is_empty() {
            return answer;
        }
        let (Ok(asked), Ok(mut packet)) = (Packet::read(query), Packet::read(&answer)) else { return answer };
        let Some(question) = asked.question() else { return answer };
        let has = |fault| self.has(fault);
        let negative = packet.rcode() == 0 && packet.answers.is_empty() && packet.header.authoritative;
        if let Some(zones) = zones {
            if has(Fault::NoWildcards) && !packet.answers.is_empty() && !zones.has(&question.name) {
                packet.answers.clear();
                packet.authorities = zones.soa(&question.name).into_iter().collect();
                packet.set_rcode(3);
            }
            if has(Fault::EmptyNonTerminal) && negative && !zones.has(&question.name) {
                packet.set_rcode(3);
            }
        }
        if has(Fault::AaaaNxDomain) && negative && question.rtype == RecordType::AAAA {
            packet.set_rcode(3);
        }
        if has(Fault::DnssecStripped) {
            let signing = [RecordType::RRSIG, RecordType::NSEC, RecordType::NSEC3];
            for section in [&mut packet.answers, &mut packet.authorities, &mut packet.additionals] {
                section.retain(|record| !signing.contains(&record.rtype) || record.rtype == question.rtype);
            }
            packet.header.authentic_data = false;
        }
        if has(Fault::NoSoa) && packet.answers.is_empty() && packet.rcode() != 5 {
            packet.authorities.retain(|record| record.rtype != RecordType::SOA);
        }
        packet.header.authoritative &= !has(Fault::NotAuthoritative);
        if has(Fault::CaseLost) {
            packet.questions.iter_mut().for_each(|question| question.name = question.name.to_lowercase());
            let records = packet.answers.iter_mut().chain(&mut packet.authorities);
            records.for_each(|record| record.name = record.name.to_lowercase());
        }
        if has(Fault::OtherQuestion)
            && let Some(question) = packet.questions.first_mut()
        {
            question.name = question.name.prepend_label("x").unwrap_or_else(|_| Name::root());
        }
        if has(Fault::WrongCookie)
            && let Some(cookie) = asked.opt.as_ref().and_then(|opt| opt.option(COOKIE))
            && let (Some(client), Some(opt)) = (cookie.get(..8), &mut packet.opt)
        {
            let changed = client.iter().map(|octet| !octet).chain([0x5e; 8]).collect();
            opt.options.retain(|(code, _)| *code != COOKIE);
            opt.options.push((COOKIE, changed));
        }
        if over_udp && has(Fault::Truncates) {
            return truncated(&asked);
        }
        if over_udp && has(Fault::WrongId) {
            packet.header.id = packet.header.id.wrapping_add(1);
        }
        let mut octets = written(&packet);
        if has(Fault::Malformed) && octets.len() > 24 {
            octets.truncate(octets.len() - 7);
        }
        octets
    }
}

/// An answer with nothing in it.
fn begin(asked: &Packet) -> Packet {
    let mut answer = Packet { questions: asked.questions.clone(), ..Packet::default() };
    answer.header.id = asked.header.id;
    answer.header.response = true;
    answer.header.recursion_desired = asked.header.recursion_desired;
    answer.opt = asked.opt.as_ref().map(|opt| Opt {
        payload: thru_names::message::UDP_PAYLOAD,
        dnssec_ok: opt.dnssec_ok,
        ..Opt::default()
    });
    answer
}

fn said(asked: &Packet, rcode: u16) -> Vec<u8> {
    let mut answer = begin(asked);
    answer.set_rcode(rcode);
    written(&answer)
}

fn truncated(asked: &Packet) -> Vec<u8> {
    let mut answer = begin(asked);
    answer.header.truncated = true;
    written(&answer)
}

/// What was read is written again: it fits.
fn written(packet: &Packet) -> Vec<u8> {
    packet.write(usize::from(u16::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
