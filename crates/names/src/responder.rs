//! An authority over zones as people write them: the reader of master files ([`Zone`]) in front, [`Authority`] behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::rr::Name;

use crate::authority::{Authority, SignedZone};
use crate::message::raw_of;
use crate::zone::Zone;

/// Answers for the zones it holds, and for nothing else.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    zones: BTreeMap<Name, Zone>,
    authority: Authority,
}

impl Responder {
    /// A server of these zones; of two with one name the later stays.
    pub fn new(zones: impl IntoIterator<Item = Zone>) -> Responder {
        let mut responder = Responder::default();
        zones.into_iter().for_each(|zone| responder.insert(zone));
        responder
    }

    /// Adds a zone, or replaces the one of that name.
    pub fn insert(&mut self, zone: Zone) {
        self.authority.insert(Arc::new(zone.for_authority()));
        self.zones.insert(zone.origin().clone(), zone);
    }

    /// The zones, in canonical order.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zones.values()
    }

    /// The answer to `query`; see [`Authority::answer`].
    pub fn answer(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        self.authority.answer(query, over_udp)
    }
}

impl Zone {
    /// The zone in the form that an [`Authority`] answers from.
    ///
    /// # Panics
    /// Never: a zone has a SOA, and its records were read from text that the codec can write.
    pub fn for_authority(&self) -> SignedZone {
        let records: Vec<_> = self.records().filter_map(|record| raw_of(&record)).collect();
        SignedZone::named(self.origin(), &records).expect("a zone has a SOA, and nothing outside")
    }
}

#[cfg(test)]
mod tests;
