//! The local network: addresses that were asked for, claimed by two, or looked for without end.

use std::net::IpAddr;

use thru_trace::{Layer, Step, Value};

use super::Teller;
use crate::ground::Lease;
use crate::kept::{Kept, Moment};

/// Somebody who asks so often in so short a time is not looking for anybody: the question goes round.
const STORM: usize = 40;
const STORM_TIME: u64 = 2_000_000_000;
/// Answers so near to one another are to the same question.
const SAME_QUESTION: u64 = 500_000_000;

impl Teller<'_> {
    /// What became of asking for an address, if none was given. Whether there is anything to tell.
    pub(crate) fn lease(&mut self) -> bool {
        let leases: Vec<&Lease> = self.watch.ground.leases.values().collect();
        let asked: Vec<Moment> = leases.iter().flat_map(|lease| lease.asked.iter().copied()).collect();
        let (Some(first), Some(last)) = (asked.iter().min(), asked.iter().max()) else { return false };
        let any = |has: fn(&Lease) -> bool| leases.iter().any(|lease| has(lease));
        let (offered, refused) = (any(|lease| lease.offered), any(|lease| lease.refused));
        let granted = any(|lease| lease.granted);
        // Once is a question under way; what answers nobody saw is told by the repetition.
        // Offers are made to one machine, and questions to all.
        if !granted && !refused && (asked.len() < 2 || !offered && self.watch.is_bystander(None)) {
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

    /// Who gave settings to whom: in the packets, for whoever finds that they are wrong.
    pub(crate) fn given(&mut self) {
        let ground = &self.watch.ground;
        self.keep(ground.leases.values().flat_map(|lease| &lease.kept).chain(&ground.advertised));
    }

    /// Two machines that say of one address that it is theirs: one of those wanted, or of the router on the way to them.
    pub(crate) fn claims(&mut self, wanted: &[IpAddr]) {
        let watch = self.watch;
        let hops: Vec<&[u8; 6]> = wanted.iter().filter_map(|address| watch.macs.get(address)).collect();
        for (address, claims) in &watch.ground.claims {
            // Where nothing of them was seen, whoever was looked for on the local network may be that router.
            let on_the_way = hops.is_empty() || hops.iter().any(|hop| claims.contains_key(*hop));
            if claims.len() < 2 || !(wanted.contains(address) || on_the_way) {
                continue;
            }
            let mut said: Vec<([u8; 6], &Kept)> =
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
