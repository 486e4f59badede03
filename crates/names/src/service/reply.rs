//! A client's octets read, and an answer in wire form.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::local::LocalAnswer;
use super::{ServiceConfig, single_question};
use crate::dnssec::ede;
use crate::message::{Peek, UDP_PAYLOAD, UDP_PAYLOAD_PLAIN, bare_error};
use crate::resolver::{Answer, ShownCookie};
use crate::rrset::Security;
use crate::wire::{CLASS_CH, Header, Opt, Packet, Question, RawRecord};

/// The shape of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Leave authority and additional sections out of positive answers.
    pub minimal: bool,
    /// Explain failures with extended errors (RFC 8914).
    pub extended_errors: bool,
    /// Also what is no error: that an answer is stale, or made out of known denials.
    pub extended_errors_stale: bool,
    /// With their texts.
    pub extended_error_texts: bool,
    /// Who may not ask gets a header and nothing else, unless an extended error goes with it.
    pub bare_refusals: bool,
    /// Most octets of an answer over UDP, whatever the client announces.
    pub udp_payload: u16,
    /// What does not validate is kept from who wants to check by itself (CD), too.
    pub ignore_checking_disabled: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            minimal: true,
            extended_errors: true,
            extended_errors_stale: true,
            extended_error_texts: true,
            bare_refusals: false,
            udp_payload: UDP_PAYLOAD,
            ignore_checking_disabled: false,
        }
    }
}

const EDE: u16 = 15;
/// Extended errors (RFC 8914 section 4).
const CACHED_ERROR: u16 = 13;
const NOT_READY: u16 = 14;
const NOT_SUPPORTED: u16 = 21;
const NSID: u16 = 3;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
/// Response code BADCOOKIE.
const BADCOOKIE: u16 = 23;

/// What a client's octets are.
#[derive(Debug)]
pub(crate) enum Read {
    Query(Box<Packet>, Reply),
    /// Answer at once with these octets.
    Reply(Vec<u8>),
    Ignore,
}

/// What the reply to a client has to respect.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    header: Header,
    question: Question,
    opt: Option<Opt>,
    limit: usize,
    style: Style,
    authentic_wanted: bool,
    /// What the client's cookie is worth; `None`: it sent none.
    cookie: Option<ShownCookie>,
}

pub(crate) fn read(bytes: &[u8], over_tcp: bool, style: &Style) -> Read {
    let Some(peek) = Peek::at(bytes).filter(|peek| !peek.is_response) else { return Read::Ignore };
    if peek.opcode != 0 {
        return Read::Reply(bare_error(peek, hickory_proto::op::ResponseCode::NotImp));
    }
    let packet = match Packet::read(bytes) {
        // Questions come alone: records beside them are for updates, notices and transfers.
        Ok(packet)
            if single_question(&packet).is_some()
                && packet.answers.is_empty()
                && packet.authorities.is_empty() =>
        {
            packet
        }
        _ => return Read::Reply(bare_error(peek, hickory_proto::op::ResponseCode::FormErr)),
    };
    let announced = packet.opt.as_ref().map_or(UDP_PAYLOAD_PLAIN, |opt| opt.payload);
    let limit = match over_tcp {
        true => u16::MAX,
        false => announced.clamp(UDP_PAYLOAD_PLAIN, style.udp_payload.max(UDP_PAYLOAD_PLAIN)),
    };
    let dnssec_ok = packet.opt.as_ref().is_some_and(|opt| opt.dnssec_ok);
    let reply = Reply {
        header: Header {
            id: packet.header.id,
            response: true,
            recursion_desired: packet.header.recursion_desired,
            recursion_available: true,
            checking_disabled: packet.header.checking_disabled,
            ..Header::default()
        },
        question: packet.questions[0].clone(),
        opt: packet.opt.as_ref().map(|_| Opt { payload: UDP_PAYLOAD, dnssec_ok, ..Opt::default() }),
        limit: usize::from(limit),
        style: *style,
        authentic_wanted: dnssec_ok || packet.header.authentic_data,
        cookie: None,
    };
    // RFC 7828 section 3.2.1: a client names no time.
    if over_tcp
        && packet.opt.as_ref().and_then(|opt| opt.option(KEEPALIVE)).is_some_and(|data| !data.is_empty())
    {
        return Read::Reply(bare_error(peek, hickory_proto::op::ResponseCode::FormErr));
    }
    if packet.opt.as_ref().is_some_and(|opt| opt.version > 0) {
        let mut response = reply.begin();
        response.set_rcode(16);
        return Read::Reply(reply.encode(response));
    }
    Read::Query(Box::new(packet), reply)
}

impl Reply {
    pub(crate) fn checking_disabled(&self) -> bool {
        self.header.checking_disabled && !self.style.ignore_checking_disabled
    }

    /// Whether the client asked over TCP.
    pub(super) fn over_tcp(&self) -> bool {
        self.limit == usize::from(u16::MAX)
    }

    /// From now on the reply says AA: we are who decides.
    pub(super) fn claim_authority(&mut self) {
        self.header.authoritative = true;
    }

    pub(super) fn is_authoritative(&self) -> bool {
        self.header.authoritative
    }

    /// Nothing but TC: the client is to come back over TCP.
    pub(super) fn truncated(&self) -> Vec<u8> {
        let mut response = self.begin();
        response.header.truncated = true;
        self.encode(response)
    }

    pub(super) fn dnssec_ok(&self) -> bool {
        self.opt.as_ref().is_some_and(|opt| opt.dnssec_ok)
    }

    /// Answers to options of the client's: NSID (RFC 5001), cookies (RFC 7873).
    pub(super) fn add_client_options(
        &mut self,
        query: &Packet,
        from: IpAddr,
        now: Instant,
        config: &ServiceConfig,
    ) {
        let (Some(opt), Some(asked)) = (&mut self.opt, &query.opt) else { return };
        if let (Some(_), Some(id)) = (asked.option(NSID), &config.name_server_id) {
            opt.options.push((NSID, id.clone()));
        }
        if let (Some(cookie), Some(key)) = (asked.option(COOKIE), &config.cookie_key)
            && let Some(Ok(client)) = cookie.get(..8).map(<[u8; 8]>::try_from)
        {
            let time = (now.nanos() / 1_000_000_000) as u32;
            let shown = crate::resolver::shown_cookie(key, &client, &cookie[8..], time, from);
            self.cookie = Some(shown);
            let mut data = cookie.to_vec();
            if shown != ShownCookie::Ours {
                data = client.to_vec();
                data.extend_from_slice(&crate::resolver::server_cookie(key, &client, time, from));
            }
            opt.options.push((COOKIE, data));
        }
        if let (Some(time), true) = (config.tcp_keepalive, self.limit == usize::from(u16::MAX)) {
            opt.options.push((KEEPALIVE, time.to_be_bytes().to_vec()));
        }
    }

    /// What is said to a client that has to show a cookie over UDP; `None`: it has shown one, or need not.
    pub(super) fn without_cookie(&self) -> Option<Vec<u8>> {
        let mut response = self.begin();
        match self.cookie {
            _ if self.over_tcp() => return None,
            Some(ShownCookie::Ours | ShownCookie::Old) => return None,
            Some(ShownCookie::Nothing) => response.set_rcode(BADCOOKIE),
            None => {
                response.header.truncated = true;
                response.set_rcode(5);
            }
        }
        Some(self.encode(response))
    }

    /// For who wants signatures where we ask for none: EDNS is not spoken, so that nobody takes us for a validator.
    pub(super) fn without_signatures(&mut self) {
        if self.dnssec_ok() {
            self.opt = None;
        }
    }

    fn begin(&self) -> Packet {
        Packet {
            header: self.header,
            questions: vec![self.question.clone()],
            opt: self.opt.clone(),
            ..Packet::default()
        }
    }

    /// REFUSED, with the extended error that explains it.
    pub(crate) fn refused(&self, code: u16, text: &str) -> Vec<u8> {
        let mut response = self.begin();
        response.set_rcode(5);
        self.explain(&mut response, code, text);
        self.encode(response)
    }

    /// SERVFAIL, because of rules of our own.
    pub(super) fn failed(&self, why: &str) -> Vec<u8> {
        let mut response = self.begin();
        response.set_rcode(2);
        self.explain(&mut response, 0, why);
        self.encode(response)
    }

    /// SERVFAIL for a name that is ours to answer for, with nothing to answer from.
    pub(super) fn failed_with_authority(&self) -> Vec<u8> {
        let mut response = self.begin();
        response.header.authoritative = true;
        response.set_rcode(2);
        // RFC 8914 section 4.15: not ready.
        self.explain(&mut response, 14, "the zone has not been transferred");
        self.encode(response)
    }

    /// What a zone of ours says.
    pub(super) fn held(&self, packet: &Packet) -> Vec<u8> {
        let mut response = self.begin();
        response.header.authoritative = packet.header.authoritative;
        response.set_rcode(packet.rcode());
        response.answers.clone_from(&packet.answers);
        let positive = packet.rcode() == 0 && !packet.answers.is_empty();
        if !self.style.minimal || !positive || self.dnssec_ok() {
            response.authorities.clone_from(&packet.authorities);
            response.additionals.clone_from(&packet.additionals);
        }
        self.encode(response)
    }

    /// REFUSED without RA: this client may not ask (RFC 8914's "prohibited").
    pub(crate) fn prohibited(&self) -> Vec<u8> {
        let mut response = self.begin();
        response.header.recursion_available = false;
        response.set_rcode(5);
        if self.style.bare_refusals && (response.opt.is_none() || !self.style.extended_errors) {
            response.questions.clear();
            response.opt = None;
        }
        self.explain(&mut response, 18, "");
        self.encode(response)
    }

    /// REFUSED without RA: transfers, and classes that nobody uses, are no matter of recursion.
    pub(super) fn transfer_refused(&self) -> Vec<u8> {
        let mut response = self.begin();
        response.header.recursion_available = false;
        response.set_rcode(5);
        self.explain(&mut response, NOT_SUPPORTED, "");
        self.encode(response)
    }

    /// Local data.
    pub(crate) fn local(&self, answer: &LocalAnswer) -> Vec<u8> {
        let mut response = self.begin();
        response.header.authoritative = answer.authoritative;
        response.answers.clone_from(&answer.answer);
        response.authorities.clone_from(&answer.authority);
        if !self.style.minimal {
            response.additionals.clone_from(&answer.additional);
        }
        response.header.recursion_available &= !answer.hides_recursion;
        response.set_rcode(answer.rcode);
        if let Some(code) = answer.extended_error {
            self.explain(&mut response, code, "");
        }
        self.encode(response)
    }

    /// TXT records in class CHAOS.
    pub(super) fn texts(&self, name: &Name, texts: &[String]) -> Vec<u8> {
        let mut response = self.begin();
        for text in texts {
            let text = &text.as_bytes()[..text.len().min(255)];
            let mut data = vec![text.len() as u8];
            data.extend_from_slice(text);
            response.answers.push(RawRecord {
                name: name.clone(),
                rtype: RecordType::TXT,
                class: CLASS_CH,
                ttl: 0,
                data: data.into(),
            });
        }
        self.encode(response)
    }

    /// Whom we would ask, for a client that does not want us to.
    pub(super) fn referral(&self, answer: &Answer) -> Vec<u8> {
        let mut response = self.begin();
        response.authorities.clone_from(&answer.sections.authority);
        response.additionals.clone_from(&answer.sections.additional);
        response.header.authentic_data = answer.security == Security::Secure && self.authentic_wanted;
        if !self.dnssec_ok() {
            response.authorities.retain(|record| record.rtype != RecordType::RRSIG);
            response.additionals.retain(|record| record.rtype != RecordType::RRSIG);
        }
        self.encode(response)
    }

    /// An answer whose time is over.
    pub(super) fn stale(&self, answer: &Answer) -> Vec<u8> {
        let mut response = self.of(answer);
        if self.style.extended_errors_stale {
            let code = if answer.code == hickory_proto::op::ResponseCode::NXDomain { 19 } else { 3 };
            self.explain(&mut response, code, "");
        }
        self.encode(response)
    }

    /// The resolver's answer.
    pub(crate) fn answer(&self, answer: &Answer) -> Vec<u8> {
        let mut response = self.of(answer);
        let told = |code: u16| code != ede::SYNTHESIZED || self.style.extended_errors_stale;
        if let Some((code, text)) = answer.extended_error.as_ref().filter(|(code, _)| told(*code)) {
            let text = if self.style.extended_error_texts { text } else { "" };
            self.explain(&mut response, *code, text);
        }
        // RFC 8914 section 4.14; that we have too much to do is no memory of anything.
        let remembered = answer.code == hickory_proto::op::ResponseCode::ServFail && answer.from_cache;
        if remembered && answer.extended_error.as_ref().is_none_or(|(code, _)| *code != NOT_READY) {
            self.explain(&mut response, CACHED_ERROR, "");
        }
        self.encode(response)
    }

    fn of(&self, answer: &Answer) -> Packet {
        let mut response = self.begin();
        response.set_rcode(answer.code.into());
        // Also for who checks by itself: it is true all the same (RFC 4035 section 3.2.3).
        response.header.authentic_data = answer.security == Security::Secure && self.authentic_wanted;
        let dnssec_ok = self.dnssec_ok();
        let asked = self.question.rtype;
        let shown = |record: &&RawRecord| {
            let only_signed =
                matches!(record.rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3);
            dnssec_ok || !only_signed || record.rtype == asked || asked == RecordType::ANY
        };
        let respelled = |record: &RawRecord| {
            let mut record = record.clone();
            // Each client gets its own letter case back (RFC 5452's advice relies on it).
            if record.name == self.question.name {
                record.name = self.question.name.clone();
            }
            record
        };
        let sections = &answer.sections;
        response.answers = sections.answer.iter().filter(shown).map(respelled).collect();
        let denial = sections
            .authority
            .iter()
            .any(|record| matches!(record.rtype, RecordType::NSEC | RecordType::NSEC3));
        // Who asks for name servers wants their addresses (RFC 9609 section 4.2).
        let positive = asked != RecordType::NS
            && answer.code == hickory_proto::op::ResponseCode::NoError
            && sections.answer.iter().any(|record| record.rtype == asked);
        if !(self.style.minimal && positive && !denial) {
            response.authorities = sections.authority.iter().filter(shown).map(respelled).collect();
            if self.style.minimal && answer.soa.is_some() {
                // Only what makes it negative.
                let of_ns = |record: &RawRecord| {
                    record.rtype == RecordType::NS
                        || (record.rtype == RecordType::RRSIG && record.data.get(..2) == Some(&[0, 2]))
                };
                response.authorities.retain(|record| !of_ns(record));
            }
        }
        if !(self.style.minimal && ((positive && !denial) || answer.soa.is_some())) {
            response.additionals = sections.additional.iter().filter(shown).map(respelled).collect();
        }
        response
    }

    /// Adds an extended error where there is room for one.
    fn explain(&self, response: &mut Packet, code: u16, text: &str) {
        if !self.style.extended_errors {
            return;
        }
        if let Some(opt) = &mut response.opt {
            let mut data = code.to_be_bytes().to_vec();
            let text: String = text.char_indices().take_while(|(at, _)| *at < 200).map(|(_, c)| c).collect();
            data.extend_from_slice(text.as_bytes());
            opt.options.push((EDE, data));
        }
    }

    /// In as many octets as the client takes: less dear sections go first, then TC.
    fn encode(&self, mut response: Packet) -> Vec<u8> {
        if let Some(bytes) = response.write(self.limit) {
            return bytes;
        }
        response.additionals.clear();
        if let Some(bytes) = response.write(self.limit) {
            return bytes;
        }
        response.header.truncated = true;
        while let Some(last) = response.authorities.last().or(response.answers.last()) {
            // RFC 2181 section 9: a set comes whole or not at all.
            let gone = set_of(last);
            let section = if response.authorities.is_empty() {
                &mut response.answers
            } else {
                &mut response.authorities
            };
            while section.last().is_some_and(|record| set_of(record) == gone) {
                section.pop();
            }
            if let Some(bytes) = response.write(self.limit) {
                return bytes;
            }
        }
        response.write(self.limit).unwrap_or_default()
    }
}

/// Which set a record belongs to: signatures go with what they sign.
fn set_of(record: &RawRecord) -> (Name, u16) {
    let own = u16::from(record.rtype);
    let rtype = match (record.rtype, record.data.get(..2)) {
        (RecordType::RRSIG, Some(covered)) => u16::from_be_bytes([covered[0], covered[1]]),
        _ => own,
    };
    (record.name.clone(), rtype)
}
