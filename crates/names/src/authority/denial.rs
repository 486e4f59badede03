//! Which denials go with an answer (RFC 4035 section 3.1.3, RFC 5155 section 7.2).

use hickory_proto::rr::{Name, RecordType};

use super::SignedZone;
use crate::dnssec::nsec3::hash_name;
use crate::rrset::Rrset;

type Sets<'a> = Vec<&'a Rrset>;

/// The name is there without the type; or the delegation is not signed. One without signatures may be left out of the chain of
/// an opt-out zone: then the span that covers it is the proof (RFC 5155 sections 7.2.4 and 7.2.7).
pub(super) fn no_data<'a>(zone: &'a SignedZone, name: &Name) -> Sets<'a> {
    if zone.parameters.is_some() {
        return match matching(zone, name) {
            Some(set) => vec![set],
            // Left out of the chain: an opt-out span covers it.
            None => {
                let mut encloser = name.base_name();
                while encloser.iter().len() > zone.origin.iter().len() && matching(zone, &encloser).is_none()
                {
                    encloser = encloser.base_name();
                }
                encloser_proof(zone, name, &encloser)
            }
        };
    }
    nsec(zone, name).into_iter().collect()
}

/// Neither the name nor a wildcard for it is there.
pub(super) fn no_name<'a>(zone: &'a SignedZone, name: &Name, encloser: &Name, wildcard: &Name) -> Sets<'a> {
    if zone.parameters.is_some() {
        let mut sets = encloser_proof(zone, name, encloser);
        sets.extend(covering(zone, wildcard));
        return sets;
    }
    nsec(zone, name).into_iter().chain(nsec(zone, wildcard)).collect()
}

/// The answer came out of a wildcard, and the name itself is not there.
pub(super) fn expanded<'a>(zone: &'a SignedZone, name: &Name, encloser: &Name) -> Sets<'a> {
    if zone.parameters.is_some() {
        return covering(zone, &next_closer(name, encloser)).into_iter().collect();
    }
    nsec(zone, name).into_iter().collect()
}

/// The wildcard that stands for the name lacks the type.
pub(super) fn wildcard_no_data<'a>(
    zone: &'a SignedZone,
    name: &Name,
    encloser: &Name,
    wildcard: &Name,
) -> Sets<'a> {
    if zone.parameters.is_some() {
        let mut sets = encloser_proof(zone, name, encloser);
        sets.extend(matching(zone, wildcard));
        return sets;
    }
    nsec(zone, name).into_iter().chain(nsec(zone, wildcard)).collect()
}

/// The NSEC at the name, or the one whose span holds it.
fn nsec<'a>(zone: &'a SignedZone, name: &Name) -> Option<&'a Rrset> {
    let number = u16::from(RecordType::NSEC);
    zone.nodes.range(..=name.clone()).rev().find_map(|(_, node)| node.get(&number))
}

fn hash(zone: &SignedZone, name: &Name) -> Option<[u8; 20]> {
    let (iterations, salt) = zone.parameters.as_ref()?;
    Some(hash_name(name, *iterations, salt))
}

fn matching<'a>(zone: &'a SignedZone, name: &Name) -> Option<&'a Rrset> {
    zone.hashed.get(&hash(zone, name)?[..])
}

impl SignedZone {
    /// The NSEC3 set of a name that is there.
    pub(crate) fn hashed_set(&self, name: &Name) -> Option<&Rrset> {
        matching(self, name)
    }
}

fn covering<'a>(zone: &'a SignedZone, name: &Name) -> Option<&'a Rrset> {
    let hash = hash(zone, name)?.to_vec();
    let before = zone.hashed.range(..hash).next_back().or_else(|| zone.hashed.last_key_value());
    before.map(|(_, set)| set)
}

fn next_closer(name: &Name, encloser: &Name) -> Name {
    name.trim_to(encloser.iter().len() + 1)
}

fn encloser_proof<'a>(zone: &'a SignedZone, name: &Name, encloser: &Name) -> Sets<'a> {
    let next = covering(zone, &next_closer(name, encloser));
    matching(zone, encloser).into_iter().chain(next).collect()
}
