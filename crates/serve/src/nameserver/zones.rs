//! An authority's zones: which of them a question is for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::authority::SignedZone;
use thru_names::message::{HEADER_LEN, Peek, bare_error};
use thru_names::resolver::in_prefix;
use thru_names::wire::{Header, Opt, Packet, read_name};

/// Octets over UDP that we announce.
const PAYLOAD: u16 = thru_names::message::UDP_PAYLOAD;

/// An authority's zones, and who may copy them. Clones share the zones.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: BTreeMap<Name, Arc<SignedZone>>,
    transfer: Vec<(IpAddr, u8)>,
}

impl Zones {
    /// These zones; of two with one name the later stays. Clients in the prefixes `transfer` may copy them.
    pub fn new(zones: impl IntoIterator<Item = SignedZone>, transfer: Vec<(IpAddr, u8)>) -> Zones {
        let zones = zones.into_iter().map(|zone| (zone.origin().clone(), Arc::new(zone))).collect();
        Zones { zones, transfer }
    }

    /// The zones, in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = &SignedZone> {
        self.zones.values().map(|zone| &**zone)
    }

    /// The answer to a query; `None` for what deserves none.
    pub(super) fn answer(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let peek = Peek::at(query).filter(|peek| !peek.is_response)?;
        if peek.opcode != 0 {
            return Some(bare_error(peek, ResponseCode::NotImp));
        }
        let Some((name, rtype)) = question(query) else {
            return Some(bare_error(peek, ResponseCode::FormErr));
        };
        let transfer = matches!(rtype, RecordType::AXFR | RecordType::IXFR);
        let version = Packet::read(query).ok().and_then(|packet| packet.opt).map_or(0, |opt| opt.version);
        match self.zone_for(&name, rtype) {
            // RFC 6891 section 6.1.3: a version nobody knows.
            _ if version > 0 => refusal(query, 16, None),
            Some(zone) if !transfer => zone.answer(query, over_udp),
            // RFC 8914 section 4.21: not authoritative.
            _ => refusal(query, 5, Some(20)),
        }
    }

    /// The messages of a transfer, or the one that refuses it; `None`: no transfer is asked for, or not of a zone here.
    pub(super) fn transfer(&self, from: IpAddr, query: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (name, rtype) = question(query)?;
        if !matches!(rtype, RecordType::AXFR | RecordType::IXFR) {
            return None;
        }
        let messages = self.zones.get(&name.to_lowercase())?.transfer(query)?;
        if self.transfer.iter().any(|(prefix, length)| in_prefix(from, *prefix, *length)) {
            return Some(messages);
        }
        // RFC 8914 section 4.19: prohibited.
        Some(refusal(query, 5, Some(18)).into_iter().collect())
    }

    /// The deepest zone that holds `name`; for DS the one above it, where it lives (RFC 4035 section 3.1.4.1).
    fn zone_for(&self, name: &Name, rtype: RecordType) -> Option<&SignedZone> {
        if rtype == RecordType::DS && !name.is_root() {
            let above = self.at_or_above(&name.base_name());
            if above.is_some() {
                return above;
            }
        }
        self.at_or_above(name)
    }

    fn at_or_above(&self, name: &Name) -> Option<&SignedZone> {
        let labels = name.iter().len();
        (0..=labels).rev().find_map(|count| self.zones.get(&name.trim_to(count))).map(|zone| &**zone)
    }
}

fn question(query: &[u8]) -> Option<(Name, RecordType)> {
    let (name, after) = read_name(query, HEADER_LEN).ok()?;
    let octets = query.get(after..after + 2)?;
    Some((name.to_lowercase(), RecordType::from(u16::from_be_bytes([octets[0], octets[1]]))))
}

/// A reply without records, with the extended error that explains it.
fn refusal(query: &[u8], rcode: u16, extended_error: Option<u16>) -> Option<Vec<u8>> {
    let packet = Packet::read(query).ok()?;
    let opt = packet.opt.map(|asked| Opt {
        payload: PAYLOAD,
        dnssec_ok: asked.dnssec_ok,
        options: extended_error.iter().map(|code| (15, code.to_be_bytes().to_vec())).collect(),
        ..Opt::default()
    });
    let header = Header {
        id: packet.header.id,
        response: true,
        recursion_desired: packet.header.recursion_desired,
        ..Header::default()
    };
    let mut response = Packet { header, questions: packet.questions, opt, ..Packet::default() };
    response.set_rcode(rcode);
    response.write(usize::from(u16::MAX))
}
