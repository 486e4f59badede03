//! What NSEC records prove (RFC 4035 section 5.4, RFC 6840 section 4).
//!
//! Every function asks one already verified record; which of them together make a proof is decided by
//! [`crate::resolver`].

use hickory_proto::rr::{Name, RecordType};

use super::records::Nsec;
use crate::rrset::Rrset;

/// What an NSEC record says about a name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodata {
    /// The name is there, the type is not.
    Exact,
    /// The name has no records, but names below it have.
    EmptyNonTerminal,
    /// The wildcard below this closest encloser lacks the type; that nothing closer exists is another's to prove.
    Wildcard(Name),
}

/// The record's owner and data, read.
pub fn read(set: &Rrset) -> Option<(&Name, Nsec<'_>)> {
    Some((&set.name, Nsec::read(set.data.first()?)?))
}

/// The deepest name above or at both.
pub fn common_ancestor(a: &Name, b: &Name) -> Name {
    let count = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    a.trim_to(count)
}

/// `*` below a name.
pub fn wildcard_below(name: &Name) -> Option<Name> {
    Name::from_labels(std::iter::once(&b"*"[..]).chain(name.iter())).ok()
}

/// Whether `name` lies strictly below `above`.
pub fn strictly_below(name: &Name, above: &Name) -> bool {
    above.zone_of(name) && above != name
}

/// Whether the record shows that there is no `rtype` at `name`.
pub fn proves_nodata(set: &Rrset, name: &Name, rtype: RecordType) -> Option<Nodata> {
    let (owner, nsec) = read(set)?;
    let delegation = nsec.has(RecordType::NS) && !nsec.has(RecordType::SOA);
    if owner == name {
        let there = nsec.has(rtype) || nsec.has(RecordType::CNAME);
        // RFC 6840 section 4.1 and 4.4: the parent's record speaks of DS only, the child's of everything but DS.
        let wrong_side =
            if rtype == RecordType::DS { nsec.has(RecordType::SOA) && !name.is_root() } else { delegation };
        return (!there && !wrong_side).then_some(Nodata::Exact);
    }
    // Nothing between owner and next, and next is below the name: the name exists without records.
    if strictly_below(&nsec.next, name) && owner < name && !cut_above(owner, &nsec, name) {
        return Some(Nodata::EmptyNonTerminal);
    }
    if owner.iter().next() == Some(b"*") {
        let encloser = owner.base_name();
        if strictly_below(name, &encloser) {
            let there =
                nsec.has(rtype) || nsec.has(RecordType::CNAME) || (delegation && rtype != RecordType::DS);
            return (!there).then_some(Nodata::Wildcard(encloser));
        }
    }
    None
}

/// A delegation or DNAME at `owner` makes its record silent about what lies below (RFC 6840 section 4.1).
fn cut_above(owner: &Name, nsec: &Nsec<'_>, name: &Name) -> bool {
    strictly_below(name, owner)
        && (nsec.has(RecordType::from(39)) || (nsec.has(RecordType::NS) && !nsec.has(RecordType::SOA)))
}

/// Whether the record shows that `name` does not exist.
pub fn proves_no_name(set: &Rrset, name: &Name) -> bool {
    let Some((owner, nsec)) = read(set) else { return false };
    if owner == name || cut_above(owner, &nsec, name) || nsec.next.zone_of(name) && nsec.next == *name {
        return false;
    }
    // An empty non-terminal exists.
    if strictly_below(&nsec.next, name) {
        return false;
    }
    if owner == &nsec.next {
        // The only name of its zone.
        return strictly_below(name, owner);
    }
    if nsec.next < *owner {
        // The last of its zone: next is the apex.
        return owner < name && strictly_below(name, &nsec.next);
    }
    owner < name && *name < nsec.next
}

/// The deepest name that exists above `name`, as far as a covering record tells.
pub fn closest_encloser(set: &Rrset, name: &Name) -> Option<Name> {
    let (owner, nsec) = read(set)?;
    let (a, b) = (common_ancestor(owner, name), common_ancestor(&nsec.next, name));
    Some(if a.iter().len() > b.iter().len() { a } else { b })
}

/// Whether the record, which covers `name`, also shows that no wildcard could have answered for it.
pub fn proves_no_wildcard(set: &Rrset, name: &Name) -> bool {
    closest_encloser(set, name)
        .and_then(|encloser| wildcard_below(&encloser))
        .is_some_and(|wildcard| proves_no_name(set, &wildcard))
}

/// Whether the record shows that an answer out of the wildcard below `encloser` was due for `name`.
pub fn proves_wildcard_answer(set: &Rrset, name: &Name, encloser: &Name) -> bool {
    proves_no_name(set, name) && closest_encloser(set, name).as_ref() == Some(encloser)
}
