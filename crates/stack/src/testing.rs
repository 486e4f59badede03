//! Two hosts joined by a link in memory, for tests and fuzzing: [`Pair`] jumps from event to event and can't hang.
//!
//! Start with [`Pair::over`]. Call the hosts with [`Pair::now`], then run: what they want to send is picked up.
//!
//! ```
//! use core::time::Duration;
//! use thru_stack::testing::{A4, B4, Link, Pair};
//! use thru_stack::udp::UdpSend;
//!
//! let mut pair = Pair::over(Link { delay: Duration::from_millis(20), ..Link::default() });
//! let (now, server) = (pair.now(), pair.b.udp_bind("0.0.0.0:53".parse().unwrap()).unwrap());
//! let client = pair.a.udp_bind("0.0.0.0:0".parse().unwrap()).unwrap();
//! let to = (B4, 53).into();
//! let send = UdpSend { to, from: None, payload: b"hello", ttl: None, ecn: 0, dont_fragment: false };
//! pair.a.udp_send(now, client, send).unwrap();
//! pair.run_until_idle(100);
//! let datagram = pair.b.udp_receive(server).unwrap();
//! assert_eq!((datagram.from.ip(), &datagram.payload[..]), (A4, &b"hello"[..]));
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use thru_wire::{Cidr, Instant, MacAddr};

use crate::frame::Frame;
use crate::host::{Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use crate::random::Random;

/// Host A's IPv4 address, in a /24.
pub const A4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// Host B's IPv4 address, in the same /24.
pub const B4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
/// Host A's IPv6 address, in a /64.
pub const A6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
/// Host B's IPv6 address, in the same /64.
pub const B6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// The link between two hosts, the same in both directions. `Default` is perfect and takes 10 ms.
#[derive(Clone, Debug)]
pub struct Link {
    /// One way.
    pub delay: Duration,
    /// Chance that a frame is lost, in parts per billion.
    pub loss: u64,
    /// Chance that a frame arrives twice, in parts per billion.
    pub duplicate: u64,
    /// Chance that a frame takes `reorder_by` longer, in parts per billion.
    pub reorder: u64,
    /// How much longer.
    pub reorder_by: Duration,
    /// Bits per second; 0: infinitely fast. The queue in front is unbounded.
    pub rate: u64,
    /// Seed of loss, duplication and reordering, and of both hosts.
    pub seed: u64,
    /// Ethernet with ARP and NDP, or bare IP packets.
    pub medium: Medium,
    /// Largest IP packet.
    pub mtu: usize,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            delay: Duration::from_millis(10),
            loss: 0,
            duplicate: 0,
            reorder: 0,
            reorder_by: Duration::from_millis(5),
            rate: 0,
            seed: 1,
            medium: Medium::Ethernet,
            mtu: 1_500,
        }
    }
}

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The host with the addresses [`A4`] and [`A6`].
    A,
    /// The host with the addresses [`B4`] and [`B6`].
    B,
}

impl Side {
    /// The one at the other end.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// A frame that entered the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// Who sent it.
    pub from: Side,
    /// The frame.
    pub bytes: Bytes,
    /// Whether the link lost it, or a filter did.
    pub lost: bool,
}

/// Decides whether a frame of one side gets through; for a loss at a certain place.
pub type Filter = Box<dyn FnMut(Side, &[u8]) -> bool>;

/// Two hosts, a link and a clock that jumps.
pub struct Pair {
    /// One host.
    pub a: Host,
    /// The other.
    pub b: Host,
    /// The link; changes count for frames sent from now on.
    pub link: Link,
    /// What must get through; `None`: everything.
    pub filter: Option<Filter>,
    /// Frames that entered the link, in order, if kept.
    pub log: Option<Vec<Sent>>,
    now: Instant,
    in_flight: BTreeMap<(Instant, u64), (Side, Bytes)>,
    /// When each side's transmitter is free again.
    free_at: [Instant; 2],
    entered: u64,
    random: Random,
}

impl Pair {
    /// Two default hosts over `link`, with addresses of both families.
    pub fn over(link: Link) -> Pair {
        Pair::with(link, HostConfig::default(), HostConfig::default())
    }

    /// Two hosts with these settings (seeds come from the link's) over `link`.
    pub fn with(link: Link, a: HostConfig, b: HostConfig) -> Pair {
        let host = |config: HostConfig, side: u8, v4: IpAddr, v6: IpAddr| {
            let seed = Random::new(link.seed, if side == 1 { "a" } else { "b" }).next_u64();
            let mut host = Host::new(HostConfig { seed, ..config });
            let id = host.add_interface(InterfaceConfig {
                name: "eth0".into(),
                medium: link.medium,
                mac: MacAddr([2, 0, 0, 0, 0, side]),
                mtu: link.mtu,
            });
            for (address, len) in [(v4, 24), (v6, 64)] {
                host.add_address(id, Cidr::new(address, len).expect("a legal prefix length"));
            }
            host
        };
        Pair {
            a: host(a, 1, A4, A6),
            b: host(b, 2, B4, B6),
            random: Random::new(link.seed, "link"),
            link,
            filter: None,
            log: None,
            now: Instant::START,
            in_flight: BTreeMap::new(),
            free_at: [Instant::START; 2],
            entered: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// One of the hosts.
    pub fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Frames that entered the link so far.
    pub fn frames(&self) -> u64 {
        self.entered
    }

    /// Carries out the next event and moves the time to it. `false` if nothing is to come.
    pub fn step(&mut self) -> bool {
        let next = self.next_event();
        if next.is_never() {
            return false;
        }
        // A deadline in the past is carried out now: time never goes back.
        self.now = self.now.max(next);
        let now = self.now;
        let arrival = self.in_flight.first_key_value().map_or(Instant::NEVER, |(&(at, _), _)| at);
        if arrival <= now {
            if let Some((_, (to, bytes))) = self.in_flight.pop_first() {
                let frame = Frame::new(bytes, now);
                self.host(to).handle_frame(now, InterfaceId(0), frame);
            }
        } else if self.a.next_deadline() <= now {
            self.a.handle_deadline(now);
        } else {
            self.b.handle_deadline(now);
        }
        true
    }

    /// When the next step will be; [`Instant::NEVER`] if nothing is to come.
    pub fn next_event(&mut self) -> Instant {
        self.collect(Side::A);
        self.collect(Side::B);
        let arrival = self.in_flight.first_key_value().map_or(Instant::NEVER, |(&(at, _), _)| at);
        arrival.min(self.a.next_deadline()).min(self.b.next_deadline())
    }

    /// Steps until nothing is to come. Answers how many steps that took.
    ///
    /// # Panics
    ///
    /// If `steps` are not enough.
    pub fn run_until_idle(&mut self, steps: usize) -> usize {
        for taken in 0..steps {
            if !self.step() {
                return taken;
            }
        }
        panic!("still busy after {steps} steps, at {:?}", self.now);
    }

    /// Steps until `condition` holds or nothing is to come; answers whether it holds.
    ///
    /// # Panics
    ///
    /// If `steps` are not enough.
    pub fn run_until_true(&mut self, steps: usize, mut condition: impl FnMut(&mut Pair) -> bool) -> bool {
        for _ in 0..steps {
            if condition(self) {
                return true;
            }
            if !self.step() {
                return condition(self);
            }
        }
        panic!("still waiting after {steps} steps, at {:?}", self.now);
    }

    /// Carries out everything that is due in the next `duration`, then moves the time to its end.
    ///
    /// # Panics
    ///
    /// If that takes more than a million steps.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..1_000_000 {
            if self.next_event() > end {
                self.now = end;
                return;
            }
            self.step();
        }
        panic!("more than a million steps in {duration:?}, at {:?}", self.now);
    }

    /// Puts what a host wants to send onto the link.
    fn collect(&mut self, from: Side) {
        while let Some((_, frame)) = self.host(from).poll_transmit() {
            self.enter(from, frame.bytes);
        }
    }

    fn enter(&mut self, from: Side, bytes: Bytes) {
        self.entered += 1;
        let passes = self.filter.as_mut().is_none_or(|filter| filter(from, &bytes));
        let lost = !passes || self.random.chance(self.link.loss);
        if let Some(log) = &mut self.log {
            log.push(Sent { at: self.now, from, bytes: bytes.clone(), lost });
        }
        let free = &mut self.free_at[from as usize];
        let start = self.now.max(*free);
        let nanos = (bytes.len() as u64 * 8_000_000_000).checked_div(self.link.rate).unwrap_or(0);
        *free = start + Duration::from_nanos(nanos);
        if lost {
            return;
        }
        let mut at = *free + self.link.delay;
        if self.random.chance(self.link.reorder) {
            at += self.link.reorder_by;
        }
        let copies = 1 + u64::from(self.random.chance(self.link.duplicate));
        for copy in 0..copies {
            self.in_flight.insert((at, self.entered * 2 + copy), (from.other(), bytes.clone()));
        }
    }
}

impl core::fmt::Debug for Pair {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pair")
            .field("now", &self.now)
            .field("link", &self.link)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
