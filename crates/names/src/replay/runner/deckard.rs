//! Steps as Deckard plays them: a question is asked and answered to its end, and then looked at.

use super::super::entry::Entry;
use super::super::script::{Event, Step};
use super::{Failed, ROUNDS_MAX, Runner};
use crate::resolver::Input;
use crate::wire::{Header, Opt, Packet};

/// Payload size that questions announce unless they say otherwise.
const PAYLOAD: u16 = 4096;

impl Runner<'_> {
    /// Plays one step.
    pub(super) fn play(&mut self, step: &Step) -> Result<(), Failed> {
        match &step.event {
            Event::Query(entry) => {
                self.answers.clear();
                let mut entry = (**entry).clone();
                entry.packet.opt.get_or_insert_with(|| Opt { payload: PAYLOAD, ..Opt::default() });
                self.query(step, &entry);
                let mut rounds = 0;
                while self.serve(step.number) {
                    rounds += 1;
                    if rounds > ROUNDS_MAX {
                        return Err((step.line, format!("STEP {}: questions without end", step.number)));
                    }
                }
                Ok(())
            }
            Event::CheckAnswer(entry) => {
                let fail = |why| Err((step.line, format!("STEP {}: {why}", step.number)));
                match self.answers.back() {
                    None => fail("the last question got no answer".to_owned()),
                    Some(given) => entry.check(&given.packet, given.over_tcp).or_else(fail),
                }
            }
            // Whatever is asked, ranges answer it.
            Event::Reply(_) | Event::CheckOutQuery(_) => Ok(()),
            _ => {
                self.at -= 1;
                self.act(step)
            }
        }
    }

    /// Answers the newest question that waits: as the first range does that its server has at this step, or SERVFAIL.
    fn serve(&mut self, number: u32) -> bool {
        let Some(pending) = self.pending.front() else { return false };
        let script = self.script;
        let at = pending.to.ip();
        // A server that no range is about may be any.
        let known = script.ranges.iter().any(|range| range.addresses.contains(&at));
        let range = script
            .ranges
            .iter()
            .filter(|range| range.from <= number && number <= range.to)
            .find(|range| !known || range.addresses.is_empty() || range.addresses.contains(&at));
        let fits = |entry: &&Entry| entry.check(&pending.packet, pending.over_tcp).is_ok();
        let entry = match range {
            Some(range) => range.entries.iter().find(fits),
            None => {
                // Without a range, answers given as steps serve once each.
                let once = script
                    .steps
                    .iter()
                    .enumerate()
                    .filter(|(at, step)| step.number >= number && !self.used.contains(at));
                let found = once.filter_map(|(at, step)| match &step.event {
                    Event::Reply(entry) => Some((at, &**entry)),
                    _ => None,
                });
                let found = found.into_iter().find(|(_, entry)| fits(entry));
                found.map(|(at, entry)| {
                    self.used.insert(at);
                    entry
                })
            }
        };
        match entry {
            Some(entry) if entry.silent => {
                let exchange = pending.exchange;
                self.pending.pop_front();
                self.service.handle(self.now, Input::NoAnswer { exchange });
                self.drain();
            }
            Some(entry) => self.reply(0, entry),
            None => {
                let header = Header { response: true, rcode: 2, ..Header::default() };
                let packet = Packet { header, ..Packet::default() };
                self.reply(0, &Entry { packet, copy_query: true, ..Entry::default() });
            }
        }
        true
    }
}
