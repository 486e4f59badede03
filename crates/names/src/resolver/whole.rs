//! Whether a zone that we hold is whole: its digest (RFC 8976), and the signatures over that.

use hickory_proto::rr::{Name, RecordType};

use super::Resolver;
use super::keys::{Operations, with_context};
use crate::authority::SignedZone;
use crate::authority::digest::{Found, ZONEMD, check};
use crate::dnssec::keys::{Trusted, keys_by_anchor, keys_by_ds};
use crate::dnssec::nsec;
use crate::dnssec::records::Nsec3;
use crate::dnssec::verify::{Context, verify_set};
use crate::rrset::{Data, Rrset};

/// Where the trust anchor of a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchoring {
    /// There is none, or a negative one.
    None,
    /// At the name itself.
    Own,
    /// Above it.
    Above,
}

/// What vouches for a zone's keys.
#[derive(Clone, Debug)]
pub enum Vouched {
    /// Nothing: it is not signed, as far as anybody can prove.
    Unsigned,
    /// Its own trust anchor.
    Anchor,
    /// This validated DS data.
    Ds(Vec<Data>),
    /// These are the keys, validated already.
    Keys(Vec<Data>),
}

impl Resolver {
    /// Where the trust anchor of a name is.
    pub fn anchoring(&self, name: &Name) -> Anchoring {
        match self.core().anchors.above(name) {
            None => Anchoring::None,
            Some((zone, anchor)) if anchor.ds.is_empty() && anchor.keys.is_empty() => {
                debug_assert!(zone.zone_of(name), "an anchor above");
                Anchoring::None
            }
            Some((zone, _)) if zone == name => Anchoring::Own,
            Some(_) => Anchoring::Above,
        }
    }

    /// Whether a zone fits its digest (RFC 8976 section 4), and the digest its signature where the zone is signed. The
    /// error says in words why not.
    pub fn whole(&self, zone: &SignedZone, vouched: Vouched) -> Result<Found, String> {
        let core = self.core();
        let operations = Operations::new();
        let keys = match vouched {
            Vouched::Unsigned => None,
            Vouched::Keys(keys) => Some(keys),
            Vouched::Anchor | Vouched::Ds(_) => {
                let origin = zone.origin();
                let set = zone.set(origin, RecordType::DNSKEY).ok_or("the zone has no DNSKEY records")?;
                let anchor = core.anchors.of(origin).cloned().unwrap_or_default();
                let trusted = with_context(&core, &operations, |context| match &vouched {
                    Vouched::Ds(ds) => keys_by_ds(context, origin, ds, set),
                    _ => keys_by_anchor(context, origin, &anchor.ds, &anchor.keys, set),
                });
                match trusted {
                    Trusted::Keys(keys, _) => Some(keys),
                    Trusted::Insecure(_) => None,
                    Trusted::Bogus(why) => return Err(format!("the zone's DNSKEY records {}", why.why)),
                }
            }
        };
        if let Some(keys) = keys {
            with_context(&core, &operations, |context| signed(context, zone, &keys))?;
        }
        check(zone)
    }
}

/// Whether the digest, or that there is none, is signed.
fn signed(context: Context<'_>, zone: &SignedZone, keys: &[Data]) -> Result<(), String> {
    let origin = zone.origin();
    let verified = |set: &Rrset| {
        let what = || format!("the zone's {} records", crate::text::type_text(set.rtype));
        verify_set(context, set, origin, keys).map(|_| ()).map_err(|why| format!("{} {}", what(), why.why))
    };
    if let Some(digest) = zone.set(origin, ZONEMD) {
        let soa = zone.set(origin, RecordType::SOA).ok_or("the zone has no SOA")?;
        return verified(soa).and_then(|()| verified(digest));
    }
    // That there is none has to be signed, too: else anybody could take it away (RFC 8976 section 4, step 2).
    let types = |denies: bool| if denies { Ok(()) } else { Err("the zone's digest is missing".to_owned()) };
    if let Some(set) = zone.set(origin, RecordType::NSEC) {
        verified(set)?;
        return types(nsec::read(set).is_some_and(|(_, nsec)| !nsec.has(ZONEMD)));
    }
    let set = zone.hashed_set(origin).ok_or("no denial says that the zone has no digest")?;
    verified(set)?;
    types(set.data.first().and_then(|data| Nsec3::read(data)).is_some_and(|nsec3| !nsec3.has(ZONEMD)))
}
