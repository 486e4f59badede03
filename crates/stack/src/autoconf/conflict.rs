//! Is an IPv4 address free, and does it stay ours? Address conflict detection (RFC 5227).
//!
//! - [`Claim`]: asks for the address before it is used; silence makes it ours.
//! - [`Guard`]: announces an address that is ours, and defends it.

use core::net::Ipv4Addr;
use core::time::Duration;

use thru_wire::arp::Arp;
use thru_wire::{Instant, MacAddr};

use crate::random::Random;

/// The times of conflict detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The first question comes within this time (`PROBE_WAIT`).
    pub wait: Duration,
    /// Questions (`PROBE_NUM`).
    pub probes: u32,
    /// Least and largest time between questions (`PROBE_MIN`, `PROBE_MAX`).
    pub between: [Duration; 2],
    /// Silence after the last question that makes the address ours (`ANNOUNCE_WAIT`).
    pub silence: Duration,
}

impl Timing {
    /// The times of RFC 5227 1.1: between four and seven seconds in all.
    pub const STANDARD: Timing = Timing {
        wait: Duration::from_secs(1),
        probes: 3,
        between: [Duration::from_secs(1), Duration::from_secs(2)],
        silence: Duration::from_secs(2),
    };
    /// Less than a second in all, for a program that somebody waits for: a station on a wire answers within
    /// milliseconds. What it costs: a station that sleeps, or is behind a link with seconds of delay, is found only
    /// when it speaks; the [`Guard`] then still gives the address up.
    pub const BRIEF: Timing = Timing {
        wait: Duration::ZERO,
        probes: 3,
        between: [Duration::from_millis(200), Duration::from_millis(250)],
        silence: Duration::from_millis(300),
    };
}

/// `ANNOUNCE_NUM` and `ANNOUNCE_INTERVAL`.
const ANNOUNCEMENTS: u32 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
/// `DEFEND_INTERVAL`: a second conflict within this time means that the other will not give way.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// A random time from a range.
fn between(random: &mut Random, least: Duration, most: Duration) -> Duration {
    let span = most.saturating_sub(least).as_nanos() as u64;
    least + Duration::from_nanos(random.below(span + 1))
}

/// An address that would be ours if nobody objects.
#[derive(Clone, Debug)]
pub struct Claim {
    address: Ipv4Addr,
    mac: MacAddr,
    timing: Timing,
    sent: u32,
    /// When to ask again, or to be content.
    pub(crate) next_at: Instant,
}

/// What is due on a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimDue {
    /// Ask everyone on the link.
    Ask(Arp),
    /// Nobody objected.
    Ours,
    /// Nothing yet.
    Nothing,
}

impl Claim {
    /// The first question is due at [`Claim::next_at`], soon.
    pub fn new(now: Instant, address: Ipv4Addr, mac: MacAddr, timing: Timing, random: &mut Random) -> Claim {
        let next_at = now + between(random, Duration::ZERO, timing.wait);
        Claim { address, mac, timing, sent: 0, next_at }
    }

    /// What is due by `now`.
    pub fn due(&mut self, now: Instant, random: &mut Random) -> ClaimDue {
        if now < self.next_at {
            return ClaimDue::Nothing;
        }
        if self.sent >= self.timing.probes {
            return ClaimDue::Ours;
        }
        self.sent += 1;
        let [least, most] = self.timing.between;
        let last = self.sent == self.timing.probes;
        self.next_at = now + if last { self.timing.silence } else { between(random, least, most) };
        ClaimDue::Ask(Arp::request(self.mac, Ipv4Addr::UNSPECIFIED, self.address))
    }

    /// Whether a packet shows that somebody has the address, or claims it at the same time (RFC 5227 2.1.1).
    pub fn is_contested_by(&self, arp: &Arp) -> bool {
        let claimed_too = arp.sender_ip.is_unspecified() && arp.target_ip == self.address;
        arp.sender_mac != self.mac && (arp.sender_ip == self.address || claimed_too)
    }
}

/// An address that is ours.
#[derive(Clone, Debug)]
pub struct Guard {
    address: Ipv4Addr,
    mac: MacAddr,
    announced: u32,
    next_at: Instant,
    defended: Option<Instant>,
}

/// What follows from a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It does not concern our address.
    Nothing,
    /// Somebody uses it: tell everyone that it is ours.
    Defend(Arp),
    /// Somebody goes on using it: it is lost.
    GiveUp(MacAddr),
}

impl Guard {
    /// The first announcement is due at once.
    pub fn new(now: Instant, address: Ipv4Addr, mac: MacAddr) -> Guard {
        Guard { address, mac, announced: 0, next_at: now, defended: None }
    }

    /// When to announce; never once that is done.
    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// The announcement that is due by `now` (RFC 5227 2.3).
    pub fn due(&mut self, now: Instant) -> Option<Arp> {
        if now < self.next_at {
            return None;
        }
        self.announced += 1;
        self.next_at = if self.announced < ANNOUNCEMENTS { now + ANNOUNCE_INTERVAL } else { Instant::NEVER };
        Some(self.announcement())
    }

    /// RFC 5227 2.4, second way: defend once, give up if that does not help.
    pub fn heard(&mut self, now: Instant, arp: &Arp) -> Heard {
        if arp.sender_ip != self.address || arp.sender_mac == self.mac {
            return Heard::Nothing;
        }
        match self.defended {
            Some(at) if now.since(at) < DEFEND_INTERVAL => Heard::GiveUp(arp.sender_mac),
            _ => {
                self.defended = Some(now);
                Heard::Defend(self.announcement())
            }
        }
    }

    fn announcement(&self) -> Arp {
        Arp::request(self.mac, self.address, self.address)
    }
}
