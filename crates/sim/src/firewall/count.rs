//! Flows, numbered in the order in which a rule meets them, and how many packets each had: for rules that pick by number.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::Match;
use super::packet::Seen;

/// Most flows remembered; when there are more, all are forgotten.
const FLOWS_MAX: usize = 65_536;

/// Both ends in order, and the protocol: the same for both directions.
type Key = ((IpAddr, u16), (IpAddr, u16), u8);

#[derive(Debug, Default)]
pub(super) struct Counter {
    flows: BTreeMap<Key, Flow>,
    /// By rule, how many flows it was asked about.
    dealt: BTreeMap<usize, u32>,
}

#[derive(Debug, Default)]
struct Flow {
    packets: u32,
    /// By rule, its number among the flows that the rule was asked about.
    numbers: BTreeMap<usize, u32>,
    /// By rule, how many of its packets that rule has taken.
    taken: BTreeMap<usize, u32>,
}

/// Whether a rule picks by number.
pub(super) fn wanted(matches: &Match) -> bool {
    matches.flows.is_some() || matches.after.is_some() || matches.first.is_some()
}

impl Counter {
    /// Counts a packet; `None` for what has no ports.
    pub(super) fn note(&mut self, seen: &Seen<'_>) -> Option<Key> {
        let (from, to) = seen.ports()?;
        let (from, to) = ((seen.source, from), (seen.destination, to));
        let key = (from.min(to), from.max(to), seen.protocol.0);
        if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&key) {
            self.flows.clear();
        }
        let flow = self.flows.entry(key).or_default();
        flow.packets = flow.packets.saturating_add(1);
        Some(key)
    }

    /// Whether the rule of this index takes a packet of the flow, as far as numbers go.
    pub(super) fn allows(&mut self, key: Option<Key>, rule: usize, wanted: &Match) -> bool {
        if !self::wanted(wanted) {
            return true;
        }
        let Some(flow) = key.and_then(|key| self.flows.get_mut(&key)) else { return false };
        let dealt = &mut self.dealt;
        let mut number = || {
            *flow.numbers.entry(rule).or_insert_with(|| {
                let next = dealt.entry(rule).or_default();
                *next = next.wrapping_add(1);
                next.wrapping_sub(1)
            })
        };
        if wanted.flows.is_some_and(|share| number() % share.of.max(1) >= share.first)
            || wanted.after.is_some_and(|after| flow.packets <= after)
        {
            return false;
        }
        if let Some(first) = wanted.first {
            let taken = flow.taken.entry(rule).or_default();
            if *taken >= first {
                return false;
            }
            *taken += 1;
        }
        true
    }
}
