//! Several hooks as one: a router that translates addresses and filters.

use core::time::Duration;

use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::Instant;

/// Hooks that are asked in order at every place; the first that does not accept decides.
///
/// A NAT rewrites at prerouting and postrouting and a firewall filters in between, so the order of these two does not
/// matter: the firewall sees inside addresses in both directions.
#[derive(Default)]
pub struct Chain {
    hooks: Vec<Box<dyn Hook>>,
}

impl Chain {
    /// A chain that accepts everything.
    pub fn new() -> Chain {
        Chain::default()
    }

    /// The chain with another hook at its end.
    #[must_use]
    pub fn then(mut self, hook: impl Hook + 'static) -> Chain {
        self.hooks.push(Box::new(hook));
        self
    }
}

impl Hook for Chain {
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        for hook in &mut self.hooks {
            let judgement = hook.judge(now, place, input, output, packet);
            if judgement != Judgement::Accept {
                return judgement;
            }
        }
        Judgement::Accept
    }

    fn next_expiry(&self, now: Instant) -> Option<Duration> {
        self.hooks.iter().filter_map(|hook| hook.next_expiry(now)).min()
    }

    fn expire(&mut self, now: Instant) {
        for hook in &mut self.hooks {
            hook.expire(now);
        }
    }

    fn dropped(&self) -> u64 {
        self.hooks.iter().map(|hook| hook.dropped()).sum()
    }
}
