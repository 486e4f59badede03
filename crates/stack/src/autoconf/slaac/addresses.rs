//! An address of our own making: whether it is ours, and for how long.

use core::net::Ipv6Addr;
use core::time::Duration;

use thru_wire::{Instant, IpPrefix};

/// An address in one prefix.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) prefix: IpPrefix,
    pub(super) address: Ipv6Addr,
    pub(super) preferred_until: Instant,
    pub(super) valid_until: Instant,
    state: State,
    /// How many were found to be somebody else's (`DAD_Counter` of RFC 7217).
    attempt: u8,
    deprecated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody was asked yet; the question is due then.
    Fresh(Instant),
    /// Asked; without an objection it is ours then.
    Asked(Instant),
    Ours,
    /// Every attempt was somebody else's: there is no address in this prefix.
    Lost,
}

/// What is due in duplicate detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dad {
    Ask,
    Ours,
    Nothing,
}

/// RetransTimer (RFC 4861 10): how long an objection may take. A router could advertise another; one that makes us wait
/// for hours is not worth listening to.
const OBJECTION: Duration = Duration::from_secs(1);
/// IDGEN_RETRIES (RFC 7217 5).
const ATTEMPTS: u8 = 3;

impl Address {
    /// `lifetimes`: until when it is preferred and valid.
    pub(super) fn new(now: Instant, prefix: IpPrefix, address: Ipv6Addr, lifetimes: [Instant; 2]) -> Address {
        let [preferred_until, valid_until] = lifetimes;
        let state = State::Fresh(now);
        Address { prefix, address, preferred_until, valid_until, state, attempt: 0, deprecated: false }
    }

    pub(super) fn is_tentative(&self) -> bool {
        matches!(self.state, State::Fresh(_) | State::Asked(_))
    }

    pub(super) fn is_ours(&self) -> bool {
        self.state == State::Ours
    }

    pub(super) fn is_link_local(&self) -> bool {
        self.address.is_unicast_link_local()
    }

    pub(super) fn next_at(&self) -> Instant {
        let lifetime = if self.deprecated { self.valid_until } else { self.preferred_until };
        match self.state {
            State::Fresh(at) | State::Asked(at) => at.min(self.valid_until),
            State::Ours => lifetime.min(self.valid_until),
            State::Lost => self.valid_until,
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Dad {
        match self.state {
            State::Fresh(at) if at <= now => {
                self.state = State::Asked(now + OBJECTION);
                Dad::Ask
            }
            State::Asked(at) if at <= now => {
                self.state = State::Ours;
                Dad::Ours
            }
            _ => Dad::Nothing,
        }
    }

    /// Somebody else has it: which attempt comes next, if there is one.
    pub(super) fn lost(&mut self) -> Option<u8> {
        self.state = State::Lost;
        self.attempt += 1;
        (self.attempt <= ATTEMPTS).then_some(self.attempt)
    }

    pub(super) fn try_again(&mut self, now: Instant, address: Ipv6Addr) {
        self.address = address;
        self.state = State::Fresh(now);
    }

    /// RFC 4862 5.5.4: whether it has become deprecated, or is no longer.
    pub(super) fn changes_preference(&mut self, now: Instant) -> Option<bool> {
        let deprecated = self.preferred_until <= now;
        if !self.is_ours() || deprecated == self.deprecated {
            return None;
        }
        self.deprecated = deprecated;
        Some(deprecated)
    }
}
