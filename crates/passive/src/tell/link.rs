//! The local network: addresses that were asked for, claimed by two, or looked for without end.

use std::collections::BTreeMap;
use std::net::IpAddr;

use thru_trace::{Layer, Step, Value};

use super::Teller;
use crate::ground::{Lease, Mac};
use crate::kept::{Kept, Moment};
use crate::visit::Visit;

/// Somebody who asks so often in so short a time is not looking for anybody: the question goes round.
const STORM: usize = 40;
const STORM_TIME: u64 = 2_000_000_000;
/// So many conversations about an address are kept of a machine: the last ones.
const LEASES_TOLD: usize = 4;
/// Answers so near to one another are to the same question.
const SAME_QUESTION: u64 = 500_000_000;

/// Whoever is not answered within this time asks again (RFC 2131 4.1).
const CONFIRMED: u64 = 4_000_000_000;

impl Teller<'_> {
    /// What became of asking for an address, if none was given. Whether there is anything to tell.
    pub(crate) fn lease(&mut self) -> bool {
        let mut machines: BTreeMap<Mac, Vec<&Lease>> = BTreeMap::new();
        for ((client, _), lease) in &self.watch.ground.leases {
            machines.entry(*client).or_default().push(lease);
        }
        let any = |leases: &[&Lease], has: fn(&Lease) -> bool| leases.iter().any(|lease| has(lease));
        let answers = |leases: &[&Lease]| {
            [any(leases, |one| one.granted), any(leases, |one| one.refused), any(leases, |one| one.offered)]
        };
        // Who was answered is most likely the machine at which the capture was made; else who asked most.
        let told = machines.into_iter().max_by_key(|(_, leases)| {
            (answers(leases), leases.iter().map(|lease| lease.asked.len()).sum::<usize>())
        });
        let Some((client, leases)) = told else { return false };
        let mut asked: Vec<(Moment, u8)> =
            leases.iter().flat_map(|lease| lease.asked.iter().copied()).collect();
        asked.sort_unstable();
        let (Some((first, _)), Some((last, kind))) = (asked.first(), asked.last()) else { return false };
        let [granted, refused, offered] = answers(&leases);
        // Once is a question under way. Offers are made to one machine, and questions to all: whoever only overhears them learns
        // from a repetition of the very same that no answer came.
        let again = asked.iter().rev().take_while(|(_, other)| other == kind).count();
        let elsewhere = !offered && self.watch.is_bystander(Some(client).filter(|mac| *mac != [0; 6]));
        if !granted && !refused && (if elsewhere { again } else { asked.len() }) < 2 {
            return false;
        }
        // What was offered is asked for once more, and the capture may end before it is confirmed.
        let waited = self.end().saturating_sub(last.time);
        if offered && !granted && !refused && again < 2 && waited < CONFIRMED {
            return false;
        }
        let kept: Vec<&Kept> = leases.iter().flat_map(|lease| &lease.kept).collect();
        self.keep(kept.iter().copied());
        let step = Step::new(Layer::Link, "lease", "ask for an address (DHCP)")
            .set("dhcp.asked", asked.len())
            .set("dhcp.offered", offered)
            .set("dhcp.refused", refused)
            .set("dhcp.frames", frames(&kept));
        let step = match (granted, refused) {
            (true, _) => step,
            (false, true) => step.failed("link.lease_refused", "the server refused the address (NAK)"),
            (false, false) => step.failed("link.no_lease", "no address was given"),
        };
        let step = self.between(step, *first, *last);
        self.trace.add(step);
        true
    }

    /// Who gave settings to the visit's machine: in the packets, for whoever finds that they are wrong.
    pub(crate) fn given(&mut self, visit: &Visit) {
        let watch = self.watch;
        let machine = visit.host.and_then(|host| watch.macs.get(&host));
        let of_it = |client: &Mac| machine.is_none_or(|machine| machine == client);
        let leases = watch.ground.leases.iter().filter(|((client, _), _)| of_it(client));
        let mut leases: Vec<(&Mac, &Lease)> = leases.map(|((client, _), lease)| (client, lease)).collect();
        // Whose they are is not known, and there are several.
        if machine.is_none() && leases.iter().any(|(client, _)| *client != leases[0].0) {
            leases.clear();
        }
        leases.sort_by_key(|(_, lease)| lease.start());
        let latest = leases.into_iter().rev().take(LEASES_TOLD);
        self.keep(latest.flat_map(|(_, lease)| &lease.kept).chain(&watch.ground.advertised));
    }

    /// Two machines that say of one address that it is theirs: one of those wanted, or of the router on the way to them.
    pub(crate) fn claims(&mut self, wanted: &[IpAddr]) {
        let watch = self.watch;
        let hops: Vec<&Mac> = wanted.iter().filter_map(|address| watch.macs.get(address)).collect();
        for (address, claims) in &watch.ground.claims {
            // Where nothing of them was seen, whoever was looked for on the local network may be that router.
            let on_the_way = hops.is_empty() || hops.iter().any(|hop| claims.contains_key(*hop));
            if claims.len() < 2 || !(wanted.contains(address) || on_the_way) {
                continue;
            }
            let mut said: Vec<(Mac, &Kept)> =
                claims.iter().flat_map(|(mac, said)| said.iter().map(|kept| (*mac, kept))).collect();
            said.sort_by_key(|(_, kept)| kept.at);
            // Both answer the same question; an address that moves to another machine is claimed by one at a time.
            let together = said
                .windows(2)
                .filter(|pair| pair[0].0 != pair[1].0)
                .filter(|pair| pair[1].1.at.time.saturating_sub(pair[0].1.at.time) < SAME_QUESTION);
            if together.count() == 0 {
                continue;
            }
            let kept: Vec<&Kept> = said.iter().map(|(_, kept)| *kept).collect();
            self.keep(kept.iter().copied());
        }
    }

    /// A question to everybody that goes round and round. Whether there was one.
    pub(crate) fn storm(&mut self) -> bool {
        let watch = self.watch;
        let wild = watch.ground.searches.iter().find(|(_, search)| {
            search.asked.windows(STORM).any(|window| {
                window[STORM - 1].time - window[0].time.min(window[STORM - 1].time) < STORM_TIME
            })
        });
        let Some((address, search)) = wild else { return false };
        let kept: Vec<&Kept> = search.kept.iter().take(STORM).collect();
        self.keep(kept.iter().copied());
        let (first, last) = (search.asked[0], search.asked[search.asked.len() - 1]);
        let step = Step::new(Layer::Link, "storm", &format!("who is {address}, again and again"))
            .set("storm.packets", search.asked.len())
            .set("storm.frames", frames(&kept))
            .failed("link.storm", "the same question to everybody came again and again");
        let step = self.between(step, first, last);
        self.trace.add(step);
        true
    }
}

fn frames(kept: &[&Kept]) -> Vec<Value> {
    kept.iter().map(|kept| Value::from(kept.at.number)).collect()
}
