//! Zones that clients change (RFC 2136): those that are signed here, and those that are served as they are.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use thru_names::authority::SignedZone;
use thru_names::authority::changes::Change;
use thru_names::authority::update::{changed, changed_zone, code};
use thru_names::dnssec::signing::live::LiveZone;
use thru_names::wire::Packet;

use super::Zones;

/// Writes a change down before it counts: RFC 2136 section 3.5 wants it to outlast the server. The error says why that
/// failed; then the change is not made.
pub type JournalFn = dyn Fn(&Name, &Change) -> Result<(), String> + Send + Sync;

/// When an update comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    /// The date, in seconds since 1970.
    pub(super) now: u64,
    /// The date by which zones are signed: rehearsals put it forward.
    pub(super) signing: u64,
}

/// What came of an update.
#[derive(Debug)]
pub(super) struct Updated {
    /// For who sent it.
    pub(super) reply: Vec<u8>,
    /// A new version of a zone that is served as it is. One that is signed here has its new version itself.
    pub(super) zone: Option<Arc<SignedZone>>,
}

impl Zones {
    /// Carries out an update; `None`: the message is something else.
    pub(super) fn update(
        &self,
        dates: Dates,
        from: IpAddr,
        query: &[u8],
        signed: &mut [LiveZone],
        journal: Option<&JournalFn>,
    ) -> Option<Updated> {
        let mut zone = None;
        let reply = self.updates.respond(dates.now, from, query, |origin, packet| {
            let live = signed.iter_mut().find(|live| live.origin() == origin);
            let result = match live {
                Some(live) => update_signed(live, dates.signing, packet, journal),
                None => self.update_plain(origin, packet, journal).map(|new| zone = new),
            };
            result.err().unwrap_or_default()
        })?;
        Some(Updated { reply, zone })
    }

    /// The error is the response code.
    fn update_plain(
        &self,
        origin: &Name,
        packet: &Packet,
        journal: Option<&JournalFn>,
    ) -> Result<Option<Arc<SignedZone>>, u16> {
        // RFC 2136 section 6 lets a secondary pass it on; ours does not.
        let copied = self.copies.iter().any(|copy| copy.zone == *origin);
        let zone = self.authority.zone(origin).filter(|_| !copied).ok_or(code::NOTAUTH)?;
        // Signatures that others made would not fit any more.
        if zone.set(origin, RecordType::DNSKEY).is_some() {
            return Err(code::REFUSED);
        }
        let new = changed_zone(zone, packet)?;
        if let Some(new) = &new
            && let Some(journal) = journal
        {
            journal(origin, &zone.change_to(new)).map_err(|_| code::SERVFAIL)?;
        }
        Ok(new)
    }
}

/// The error is the response code.
fn update_signed(
    live: &mut LiveZone,
    date: u64,
    packet: &Packet,
    journal: Option<&JournalFn>,
) -> Result<(), u16> {
    let origin = live.origin().clone();
    let Some(records) = changed(&origin, live.records(), true, packet)? else { return Ok(()) };
    let before = live.records().to_vec();
    live.replace(date, records).map_err(|_| code::SERVFAIL)?;
    let Some(journal) = journal else { return Ok(()) };
    journal(&origin, &Change::between(&origin, &before, live.records())).map_err(|_| {
        // What could be signed before can be signed again.
        let _ = live.replace(date, before);
        code::SERVFAIL
    })
}
