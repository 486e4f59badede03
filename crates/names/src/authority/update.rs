//! Dynamic update (RFC 2136): what a message asks to be changed, whether that may be done, and the records after it.
//!
//! - [`Updates`]: who may, and the reply. Start here to serve.
//! - [`changed`]: the records after an update. They are those that people wrote: what signing adds is made anew afterwards.
//! - [`journal`]: what has changed, written down, so that it outlasts the process.
//! - [`ask`]: an update, for who sends one.

pub mod ask;
pub mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::SignedZone;
use super::changes::{is_newer, soa_serial};
use super::tsig::{Checked, Keyring, is_meta};
use crate::message::Peek;
use crate::rdata;
use crate::resolver::in_prefix;
use crate::wire::{CLASS_IN, Header, Packet, RawRecord};

/// The opcode.
const UPDATE: u8 = 5;

/// Response codes (RFC 2136 section 2.2).
pub mod code {
    /// The message is not understood.
    pub const FORMERR: u16 = 1;
    /// It could not be done.
    pub const SERVFAIL: u16 = 2;
    /// A name that should be there is not.
    pub const NXDOMAIN: u16 = 3;
    /// Who asks may not.
    pub const REFUSED: u16 = 5;
    /// A name that should not be there is.
    pub const YXDOMAIN: u16 = 6;
    /// A set that should not be there is.
    pub const YXRRSET: u16 = 7;
    /// A set that should be there is not, or is another.
    pub const NXRRSET: u16 = 8;
    /// The zone is not ours.
    pub const NOTAUTH: u16 = 9;
    /// A name lies outside of the zone.
    pub const NOTZONE: u16 = 10;
}

/// Records that a zone may grow to by updates.
const RECORDS_MAX: usize = 1_000_000;
/// Class ANY: whatever class, or all there is.
const ANY: u16 = 255;
/// Class NONE: not this.
const NONE: u16 = 254;

/// Who may change zones. Nobody, if both are empty; if both are not, who knows a key and comes from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Names of keys (TSIG).
    pub keys: Vec<Name>,
    /// Prefixes of addresses.
    pub from: Vec<(IpAddr, u8)>,
}

impl Grant {
    /// Whether who comes from this address, and has proven that it knows this key, may.
    pub fn allows(&self, from: IpAddr, key: Option<&Name>) -> bool {
        let by_key = key.is_some_and(|key| self.keys.contains(key));
        let by_address = self.from.iter().any(|(prefix, length)| in_prefix(from, *prefix, *length));
        match (self.keys.is_empty(), self.from.is_empty()) {
            (true, true) => false,
            (true, false) => by_address,
            (false, true) => by_key,
            (false, false) => by_key && by_address,
        }
    }
}

/// How updates are answered.
#[derive(Clone, Debug, Default)]
pub struct Updates {
    /// Keys that are known.
    pub keys: Keyring,
    /// Who may.
    pub grant: Grant,
}

/// Whether a message is an update.
pub fn is_update(bytes: &[u8]) -> bool {
    Peek::at(bytes).is_some_and(|peek| !peek.is_response && peek.opcode == UPDATE)
}

impl Updates {
    /// The reply to an update by `from` at `now` (seconds since 1970); `None`: the message is something else. `change`
    /// gets the zone's name and the message, if who sends it may, and gives the response code ([`code`]).
    pub fn respond(
        &self,
        now: u64,
        from: IpAddr,
        bytes: &[u8],
        change: impl FnOnce(&Name, &Packet) -> u16,
    ) -> Option<Vec<u8>> {
        let peek = Peek::at(bytes).filter(|_| is_update(bytes))?;
        let bare = |code: u16| {
            let rcode = code as u8;
            let header = Header { id: peek.id, response: true, opcode: UPDATE, rcode, ..Header::default() };
            Packet { header, ..Packet::default() }.write(512).expect("a header fits")
        };
        let (mut session, message) = match self.keys.check(now, bytes) {
            Checked::Unsigned => (None, bytes.to_vec()),
            Checked::Signed(session, message) => (Some(session), message),
            Checked::Refused(_, reply) => return Some(reply),
            Checked::Malformed => return Some(bare(code::FORMERR)),
        };
        // RFC 2136 section 3.3 looks at permission after the prerequisites; but those tell what is there.
        let may = self.grant.allows(from, session.as_ref().map(|session| session.key()));
        let code = match Packet::read(&message).map(|packet| (zone_of(&packet), packet)) {
            Err(_) | Ok((None, _)) => code::FORMERR,
            Ok(_) if !may => code::REFUSED,
            Ok((Some(origin), packet)) => change(&origin, &packet),
        };
        let reply = bare(code);
        Some(match &mut session {
            Some(session) => session.sign(now, &reply),
            None => reply,
        })
    }
}

/// The zone that an update is about (RFC 2136 section 3.1.1).
fn zone_of(packet: &Packet) -> Option<Name> {
    match &packet.questions[..] {
        [zone] if zone.rtype == RecordType::SOA && zone.class == CLASS_IN => Some(zone.name.to_lowercase()),
        _ => None,
    }
}

/// The records of a zone after an update; `None`: it changes nothing. `signed`: signing adds to them. The error is the
/// response code ([`code`]).
pub fn changed(
    origin: &Name,
    records: &[RawRecord],
    signed: bool,
    packet: &Packet,
) -> Result<Option<Vec<RawRecord>>, u16> {
    // Only what stands at the names of the message is looked at: many changes of a large zone cost no more than one.
    let names = packet.answers.iter().chain(&packet.authorities).map(|one| one.name.to_lowercase());
    let mut before: ByName = names.map(|name| (name, Vec::new())).collect();
    for own in records {
        if let Some(list) = before.get_mut(&own.name) {
            list.push(own.clone());
        }
    }
    prerequisites(origin, &before, &packet.answers)?;
    prescan(origin, &packet.authorities, signed)?;
    let after = apply(origin, before.clone(), &packet.authorities);
    if after == before {
        return Ok(None);
    }
    let rest = records.iter().filter(|own| !before.contains_key(&own.name)).cloned();
    let new: Vec<RawRecord> = rest.chain(after.into_values().flatten()).collect();
    if new.len() > RECORDS_MAX.max(records.len()) {
        return Err(code::REFUSED);
    }
    Ok(Some(new))
}

/// Records by their names, in lower case.
type ByName = BTreeMap<Name, Vec<RawRecord>>;

/// The zone that is served as it is, after an update, with a later serial; `None`: it changes nothing.
pub fn changed_zone(zone: &SignedZone, packet: &Packet) -> Result<Option<Arc<SignedZone>>, u16> {
    let Some(new) = changed(zone.origin(), &zone.records(), false, packet)? else { return Ok(None) };
    let new = raised(zone.origin(), new, zone.serial());
    SignedZone::named(zone.origin(), &new).map(|zone| Some(Arc::new(zone))).map_err(|_| code::SERVFAIL)
}

/// The records with a serial that is later than this one.
fn raised(origin: &Name, mut records: Vec<RawRecord>, serial: u32) -> Vec<RawRecord> {
    let soa = records.iter_mut().find(|own| own.rtype == RecordType::SOA && own.name == *origin);
    if let Some(soa) = soa
        && let Some(given) = soa_serial(&soa.data)
        && !is_newer(given, serial)
    {
        let mut data = soa.data.to_vec();
        let at = data.len() - 20;
        data[at..at + 4].copy_from_slice(&serial.wrapping_add(1).to_be_bytes());
        soa.data = data.into();
    }
    records
}

/// What an update says is to be there, or not, before it is done (RFC 2136 section 3.2). The error is the response code.
fn prerequisites(origin: &Name, there: &ByName, wanted: &[RawRecord]) -> Result<(), u16> {
    let at = |name: &Name| there.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut exact: BTreeMap<(Name, u16), BTreeSet<Vec<u8>>> = BTreeMap::new();
    for one in wanted {
        if one.ttl != 0 {
            return Err(code::FORMERR);
        }
        if !origin.zone_of(&one.name) {
            return Err(code::NOTZONE);
        }
        let any_type = one.rtype == RecordType::ANY;
        let there = at(&one.name).iter().any(|own| any_type || own.rtype == one.rtype);
        match one.class {
            ANY | NONE if !one.data.is_empty() => return Err(code::FORMERR),
            ANY if any_type && !there => return Err(code::NXDOMAIN),
            NONE if any_type && there => return Err(code::YXDOMAIN),
            ANY if !there => return Err(code::NXRRSET),
            NONE if there => return Err(code::YXRRSET),
            ANY | NONE => {}
            CLASS_IN if !any_type => {
                let key = (one.name.to_lowercase(), one.rtype.into());
                exact.entry(key).or_default().insert(rdata::canonical(one.rtype, &one.data));
            }
            _ => return Err(code::FORMERR),
        }
    }
    for ((name, rtype), data) in exact {
        let own = at(&name).iter().filter(|own| u16::from(own.rtype) == rtype);
        let own: BTreeSet<Vec<u8>> = own.map(|own| rdata::canonical(own.rtype, &own.data)).collect();
        if own != data {
            return Err(code::NXRRSET);
        }
    }
    Ok(())
}

/// Whether each change is one that can be asked for (RFC 2136 section 3.4.1). The error is the response code.
fn prescan(origin: &Name, changes: &[RawRecord], signed: bool) -> Result<(), u16> {
    for change in changes {
        if !origin.zone_of(&change.name) {
            return Err(code::NOTZONE);
        }
        let any_type = change.rtype == RecordType::ANY;
        let fits = match change.class {
            CLASS_IN => !is_meta(change.rtype) && is_readable(change),
            ANY => change.ttl == 0 && change.data.is_empty() && (any_type || !is_meta(change.rtype)),
            NONE => change.ttl == 0 && !is_meta(change.rtype),
            _ => false,
        };
        if !fits {
            return Err(code::FORMERR);
        }
        // What signing makes is nobody else's to write; and a zone that is not signed here would only be broken by it,
        // and closed to the update that mends it.
        let breaks =
            change.class == CLASS_IN && !matches!(change.rtype, RecordType::CDS | RecordType::CDNSKEY);
        if !any_type && made_by_signing(change.rtype) && (signed || breaks) {
            return Err(code::REFUSED);
        }
    }
    Ok(())
}

/// Whether signing makes records of this type.
fn made_by_signing(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::RRSIG
            | RecordType::NSEC
            | RecordType::NSEC3
            | RecordType::NSEC3PARAM
            | RecordType::DNSKEY
            | RecordType::CDS
            | RecordType::CDNSKEY
    )
}

/// Whether a record's data is of its type, as far as that can be told from its names and lengths.
fn is_readable(record: &RawRecord) -> bool {
    let mut packet = Packet::default();
    packet.answers.push(record.clone());
    let whole = packet.write(usize::from(u16::MAX)).and_then(|octets| Packet::read(&octets).ok());
    let fits = match record.rtype {
        RecordType::A => record.data.len() == 4,
        RecordType::AAAA => record.data.len() == 16,
        RecordType::SOA => soa_serial(&record.data).is_some(),
        _ => !record.data.is_empty(),
    };
    fits && whole.is_some_and(|packet| packet.answers[0].data == record.data)
}

/// The records after these changes (RFC 2136 section 3.4.2). A SOA among them counts if its serial is newer; the serial
/// of the others is the caller's to raise.
fn apply(origin: &Name, mut all: ByName, changes: &[RawRecord]) -> ByName {
    for change in changes {
        let (name, apex) = (change.name.to_lowercase(), change.name == *origin);
        let own = all.entry(name.clone()).or_default();
        match change.class {
            CLASS_IN => add(apex, own, RawRecord { name, ..change.clone() }),
            ANY => own.retain(|own| keeps(apex, own, change.rtype)),
            _ => remove(apex, own, change),
        }
    }
    all
}

/// Whether a record stays when all of a type at its name go, or everything: the zone's own SOA and servers do.
fn keeps(apex: bool, own: &RawRecord, rtype: RecordType) -> bool {
    let concerned = rtype == RecordType::ANY || own.rtype == rtype;
    !concerned || (apex && matches!(own.rtype, RecordType::SOA | RecordType::NS))
}

/// Adds a record to those of its name.
fn add(apex: bool, all: &mut Vec<RawRecord>, new: RawRecord) {
    // RFC 2136 section 3.4.2.2: beside an alias nothing stands, and nothing becomes an alias.
    let is_alias = |own: &RawRecord| own.rtype == RecordType::CNAME;
    match new.rtype {
        RecordType::CNAME if all.iter().any(|own| !is_alias(own) && !made_by_signing(own.rtype)) => return,
        RecordType::CNAME => all.retain(|own| !is_alias(own)),
        RecordType::SOA => {
            let own = all.iter_mut().find(|own| own.rtype == RecordType::SOA);
            let (Some(own), true) = (own, apex) else { return };
            let newer = match (soa_serial(&own.data), soa_serial(&new.data)) {
                (Some(old), Some(new)) => is_newer(new, old),
                _ => false,
            };
            if newer {
                *own = new;
            }
            return;
        }
        _ if all.iter().any(is_alias) => return,
        _ => {}
    }
    let data = rdata::canonical(new.rtype, &new.data);
    let same = |own: &RawRecord| own.rtype == new.rtype;
    // One TTL for a set (RFC 2181 section 5.2).
    all.iter_mut().filter(|own| same(own)).for_each(|own| own.ttl = new.ttl);
    match all.iter_mut().find(|own| same(own) && rdata::canonical(own.rtype, &own.data) == data) {
        Some(own) => *own = new,
        None => all.push(new),
    }
}

/// Takes a record from those of its name.
fn remove(apex: bool, all: &mut Vec<RawRecord>, gone: &RawRecord) {
    let same = |own: &RawRecord| own.rtype == gone.rtype;
    let last = all.iter().filter(|own| same(own)).count() == 1;
    if apex && (gone.rtype == RecordType::SOA || (gone.rtype == RecordType::NS && last)) {
        return;
    }
    let data = rdata::canonical(gone.rtype, &gone.data);
    all.retain(|own| !(same(own) && rdata::canonical(own.rtype, &own.data) == data));
}

#[cfg(test)]
mod tests;
