//! Telling secondaries that a zone has changed (RFC 1996), until they have heard it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::SignedZone;
use crate::wire::{CLASS_IN, Header, Packet, Question};

/// Times one secondary is told (RFC 1996 section 3.6).
const TRIES_MAX: u32 = 5;
/// Until the second time; twice as long each time after.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The opcode.
pub(crate) const NOTIFY: u8 = 4;

/// A notice on its way.
#[derive(Clone, Debug)]
struct Notice {
    id: u16,
    message: Vec<u8>,
    tries: u32,
    next: Instant,
}

/// Tells secondaries of changes. Rule for the loop: after [`Notifier::changed`] and when [`Notifier::next_deadline`] has
/// come, send what [`Notifier::poll`] gives until it gives nothing.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    notices: BTreeMap<(Name, SocketAddr), Notice>,
}

impl Notifier {
    /// The zone has a new version: these secondaries are to hear of it. `random` makes the ids.
    pub fn changed(
        &mut self,
        now: Instant,
        zone: &SignedZone,
        secondaries: &[SocketAddr],
        mut random: impl FnMut() -> u16,
    ) {
        for to in secondaries {
            let id = random();
            let soa = zone.set(zone.origin(), RecordType::SOA);
            let packet = Packet {
                header: Header { id, opcode: NOTIFY, authoritative: true, ..Header::default() },
                questions: vec![Question {
                    name: zone.origin().clone(),
                    rtype: RecordType::SOA,
                    class: CLASS_IN,
                }],
                answers: soa.map(|soa| soa.records(zone.origin(), soa.ttl, false)).unwrap_or_default(),
                ..Packet::default()
            };
            let message = packet.write(512).unwrap_or_default();
            self.notices.insert((zone.origin().clone(), *to), Notice { id, message, tries: 0, next: now });
        }
    }

    /// What came back: whoever answers, whatever it says, has heard (RFC 1996 section 3.8). Whether it was an answer.
    pub fn answered(&mut self, from: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(packet) = Packet::read(bytes) else { return false };
        let Some(question) = packet.question().filter(|_| packet.header.response) else { return false };
        let key = (question.name.to_lowercase(), from);
        let fits = self.notices.get(&key).is_some_and(|notice| notice.id == packet.header.id);
        if fits && packet.header.opcode == NOTIFY {
            self.notices.remove(&key);
        }
        fits
    }

    /// The next notice to send over UDP.
    pub fn poll(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.notices.retain(|_, notice| notice.tries < TRIES_MAX || now < notice.next);
        let ((_, to), notice) =
            self.notices.iter_mut().find(|(_, notice)| notice.next <= now && notice.tries < TRIES_MAX)?;
        notice.next = now + FIRST_WAIT * (1 << notice.tries);
        notice.tries += 1;
        Some((*to, notice.message.clone()))
    }

    /// When to poll again; [`Instant::NEVER`] when all have heard or were told often enough.
    pub fn next_deadline(&self) -> Instant {
        self.notices.values().map(|notice| notice.next).min().unwrap_or(Instant::NEVER)
    }

    /// Notices that nobody has answered yet.
    pub fn waiting(&self) -> usize {
        self.notices.len()
    }
}
