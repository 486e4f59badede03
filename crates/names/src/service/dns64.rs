//! DNS64 (RFC 6147): IPv6 addresses made from IPv4 ones, for clients behind NAT64.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};

use super::reply::Reply;
use crate::resolver::{Answer, embed, in_prefix};
use crate::rrset::Security;
use crate::wire::{Question, RawRecord};

/// How to make addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns64 {
    /// Prefix and its length: 32, 40, 48, 56, 64 or 96.
    pub prefix: (Ipv6Addr, u8),
    /// Even names with IPv6 addresses get them, below these domains.
    pub ignore: Vec<Name>,
}

impl Default for Dns64 {
    fn default() -> Dns64 {
        Dns64 { prefix: (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), ignore: Vec::new() }
    }
}

impl Dns64 {
    /// Whether a question may need synthesis.
    pub(super) fn concerns(&self, question: &Question) -> bool {
        question.rtype == RecordType::AAAA
    }

    /// Whether this answer to an AAAA question is to be replaced by what its A records give.
    pub(super) fn needs_a(&self, question: &Question, answer: &Answer, reply: &Reply) -> bool {
        if question.rtype != RecordType::AAAA || answer.code == ResponseCode::NXDomain {
            return false;
        }
        // RFC 6147 section 5.5: who validates by itself gets what there is.
        if reply.checking_disabled() && reply.dnssec_ok() {
            return false;
        }
        if answer.security == Security::Bogus {
            return false;
        }
        let ignored = self.ignore.iter().any(|domain| domain.zone_of(&question.name));
        let useful = |record: &RawRecord| {
            record.rtype == RecordType::AAAA
                && <[u8; 16]>::try_from(&record.data[..]).is_ok_and(|octets| {
                    !in_prefix(Ipv6Addr::from(octets).into(), "::ffff:0:0".parse().expect("a prefix"), 96)
                })
        };
        ignored || !answer.sections.answer.iter().any(useful)
    }

    /// The AAAA answer out of the A answer; without A records, the AAAA answer as it was.
    pub(super) fn synthesize(&self, first: &Answer, second: &Answer) -> Answer {
        let addresses = second.sections.answer.iter().any(|record| record.rtype == RecordType::A);
        if !addresses {
            return first.clone();
        }
        // RFC 6147 section 5.1.7: no longer than the negative answer would have been kept.
        let limit = first.soa.as_ref().map_or(600, |soa| soa.ttl);
        let mut answer = second.clone();
        answer.record_type = RecordType::AAAA;
        // RFC 6147 section 5.5: for who does not validate, the answer is as good as both that it is made of.
        answer.security = first.security.min(second.security);
        let made = |record: &RawRecord| -> Option<RawRecord> {
            match record.rtype {
                RecordType::A => {
                    let octets = <[u8; 4]>::try_from(&record.data[..]).ok()?;
                    let address = embed(self.prefix, Ipv4Addr::from(octets));
                    Some(RawRecord {
                        rtype: RecordType::AAAA,
                        ttl: record.ttl.min(limit),
                        data: address.octets().to_vec().into(),
                        ..record.clone()
                    })
                }
                RecordType::RRSIG if record.data.get(..2) == Some(&[0, 1]) => None,
                _ => Some(record.clone()),
            }
        };
        answer.sections.answer = second.sections.answer.iter().filter_map(made).collect();
        answer.records = answer.sections.answer.iter().filter_map(crate::message::record_of).collect();
        answer
    }

    /// The IPv4 address behind a question for the reverse name of one of our addresses.
    pub(super) fn reverse(&self, question: &Question) -> Option<Ipv4Addr> {
        let labels: Vec<&[u8]> = question.name.iter().collect();
        if question.rtype != RecordType::PTR || labels.len() != 34 {
            return None;
        }
        let mut octets = [0_u8; 16];
        for (at, octet) in octets.iter_mut().enumerate() {
            let nibble = |label: &[u8]| char::from(*label.first()?).to_digit(16);
            let (low, high) = (nibble(labels[30 - 2 * at])?, nibble(labels[31 - 2 * at])?);
            *octet = (high << 4 | low) as u8;
        }
        let address = Ipv6Addr::from(octets);
        (self.prefix.1 == 96 && in_prefix(address.into(), self.prefix.0.into(), 96))
            .then(|| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]))
    }

    /// The question whose answer holds for the reverse name of one of our addresses, too (RFC 6147 section 5.3.1).
    pub(super) fn plain_reverse(&self, question: &Question) -> Option<Question> {
        let [a, b, c, d] = self.reverse(question)?.octets();
        let name = crate::text::parse_name(&format!("{d}.{c}.{b}.{a}.in-addr.arpa")).ok()?;
        Some(Question { name, ..question.clone() })
    }
}
