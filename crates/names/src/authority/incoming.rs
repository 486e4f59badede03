//! A zone transfer as it arrives, message by message: whole (RFC 5936) or in steps (RFC 1995).

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::SignedZone;
use super::changes::{Change, is_newer, soa_serial};
use crate::wire::{Packet, RawRecord};

/// Octets of one transfer, at most.
const OCTETS_MAX: usize = 512 << 20;

/// How far it has come.
#[derive(Clone, Debug)]
pub enum Progress {
    /// More messages are to come.
    More,
    /// There is nothing newer.
    UpToDate,
    /// The new version, with the steps that led to it: none after a whole transfer.
    Done(Arc<SignedZone>, Vec<Change>),
}

/// A transfer under way.
#[derive(Clone, Debug)]
pub struct Incoming {
    origin: Name,
    id: u16,
    /// The version held, if an incremental transfer was asked for.
    held: Option<Arc<SignedZone>>,
    octets: usize,
    /// The first SOA: of the version that it leads to.
    newest: Option<RawRecord>,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Only the first SOA has come: it may be either kind.
    Begun,
    Whole(Vec<RawRecord>),
    /// Changes that are complete, the one under way, and whether its second half has begun.
    Steps(Vec<Change>, Change, bool),
}

impl Incoming {
    /// The answer to a query with this id; `held`: the version from which steps were asked for.
    pub fn new(origin: Name, id: u16, held: Option<Arc<SignedZone>>) -> Incoming {
        Incoming { origin, id, held, octets: 0, newest: None, stage: Stage::Begun }
    }

    /// Takes a message. The error completes "the transfer ...".
    pub fn message(&mut self, bytes: &[u8]) -> Result<Progress, String> {
        self.octets += bytes.len();
        if self.octets > OCTETS_MAX {
            return Err(format!("is longer than {OCTETS_MAX} octets"));
        }
        let packet = Packet::read(bytes).map_err(|why| format!("cannot be read: {why:?}"))?;
        if !packet.header.response || packet.header.id != self.id {
            return Err("is no answer to our question".into());
        }
        if packet.rcode() != 0 {
            return Err(format!("was refused with code {}", packet.rcode()));
        }
        if packet.question().is_some_and(|question| question.name != self.origin) {
            return Err("is of another zone".into());
        }
        if packet.answers.is_empty() {
            return Err("has a message without records".into());
        }
        let alone = packet.answers.len() == 1;
        for record in packet.answers {
            if let Some(done) = self.record(record)? {
                return Ok(done);
            }
        }
        // A SOA alone says that there is nothing newer, or (RFC 1995 section 2) that UDP has no room.
        if let (Stage::Begun, Some(held), Some(soa), true) = (&self.stage, &self.held, &self.newest, alone)
            && !soa_serial(&soa.data).is_some_and(|serial| is_newer(serial, held.serial()))
        {
            return Ok(Progress::UpToDate);
        }
        Ok(Progress::More)
    }

    fn record(&mut self, record: RawRecord) -> Result<Option<Progress>, String> {
        let soa = record.rtype == RecordType::SOA && record.name == self.origin;
        let serial = if soa { soa_serial(&record.data).ok_or("has a broken SOA")? } else { 0 };
        let Some(newest) = self.newest.clone() else {
            if !soa {
                return Err("does not begin with the zone's SOA".into());
            }
            self.newest = Some(record);
            return Ok(None);
        };
        let last = soa_serial(&newest.data).unwrap_or(0);
        if !self.origin.zone_of(&record.name) {
            return Err(format!("has a record of another zone: {}", crate::text::name_text(&record.name)));
        }
        match &mut self.stage {
            Stage::Begun if soa && self.held.is_some() && serial != last => {
                let change = Change { from: serial, to: 0, removed: vec![record], added: Vec::new() };
                self.stage = Stage::Steps(Vec::new(), change, false);
            }
            Stage::Begun if soa => return self.whole(vec![newest]).map(Some),
            Stage::Begun => self.stage = Stage::Whole(vec![newest, record]),
            Stage::Whole(records) if soa => {
                if serial != last {
                    return Err("ends with another SOA than it began with".into());
                }
                let records = std::mem::take(records);
                return self.whole(records).map(Some);
            }
            Stage::Whole(records) => records.push(record),
            Stage::Steps(_, change, false) if soa => {
                change.to = serial;
                change.added.push(record);
                if let Stage::Steps(_, _, adding) = &mut self.stage {
                    *adding = true;
                }
            }
            Stage::Steps(_, change, false) => change.removed.push(record),
            Stage::Steps(done, change, adding) if soa => {
                let next = Change { from: serial, to: 0, removed: vec![record], added: Vec::new() };
                done.push(std::mem::replace(change, next));
                *adding = false;
                if serial == last && done.last().is_some_and(|change| change.to == last) {
                    let steps = std::mem::take(done);
                    return self.steps(steps).map(Some);
                }
            }
            Stage::Steps(_, change, true) => change.added.push(record),
        }
        Ok(None)
    }

    fn whole(&self, records: Vec<RawRecord>) -> Result<Progress, String> {
        let zone = SignedZone::named(&self.origin, &records)?;
        Ok(Progress::Done(Arc::new(zone), Vec::new()))
    }

    fn steps(&self, steps: Vec<Change>) -> Result<Progress, String> {
        let Some(held) = &self.held else { return Err("gives steps that nobody asked for".into()) };
        let mut zone = SignedZone::clone(held);
        for step in &steps {
            zone = zone.changed(step)?;
        }
        Ok(Progress::Done(Arc::new(zone), steps))
    }
}
