//! Stateless address autoconfiguration (RFC 4862): addresses of our own making in the prefixes that routers advertise.
//!
//! - [`Slaac`]: the machine. After every call that takes `now`, drain [`Slaac::poll_output`], then ask
//!   [`Slaac::next_deadline`].
//! - `addresses`: each with its duplicate detection and its two lifetimes.
//! - `routers`: default routers, prefixes on the link, routes and resolvers, each for as long as it was promised.
//!
//! Where we differ: nothing waits a random second before it begins (RFC 4861 6.3.7, RFC 4862 5.4.2 want to spread the
//! machines of a building); the first router solicitation comes from the unspecified address while our own is still
//! being checked, so that both take their second together. Solicitations go on as RFC 7559 says.
//!
//! Router advertisements are believed from anyone on the link, as the standard has it; what they can do is bounded: so
//! many routers, prefixes, routes and resolvers, and lifetimes of addresses in use that can't be cut below two hours.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use std::collections::VecDeque;

use thru_wire::address::{ALL_ROUTERS, solicited_node};
use thru_wire::ndp::{Ndp, RouterAdvertisement};
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

use super::{AutoconfEvent, stable};
use crate::random::Random;

mod addresses;
mod routers;

use addresses::{Address, Dad};
use routers::Routers;

/// IPv6 autoconfiguration of one Ethernet interface.
#[derive(Debug)]
pub struct Slaac {
    interface: String,
    mac: MacAddr,
    secret: [u8; 16],
    random: Random,
    addresses: Vec<Address>,
    routers: Routers,
    solicit: Solicit,
    outputs: VecDeque<Output>,
}

/// What the machine wants to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this message of neighbour discovery.
    Send {
        /// From our address, or from the unspecified one.
        src: Ipv6Addr,
        /// To this group.
        dst: Ipv6Addr,
        /// The message.
        message: Ndp,
    },
    /// Listen to what is said about this address, which is not ours yet; tell switches that we do.
    Watch(Ipv6Addr),
    /// Listen no longer.
    Unwatch(Ipv6Addr),
    /// The address is ours.
    Assign(Cidr),
    /// It should not be used for new connections (`true`), or may be again.
    Deprecate(Ipv6Addr, bool),
    /// It is not ours any more.
    Remove(Ipv6Addr),
    /// The link's MTU.
    Mtu(u32),
    /// Tell whoever is interested.
    Tell(AutoconfEvent),
}

/// Looking for routers (RFC 7559: without end, ever more rarely).
#[derive(Debug)]
struct Solicit {
    sent: u32,
    wait: Duration,
    next_at: Instant,
}

/// RTR_SOLICITATION_INTERVAL (RFC 4861 10), and the largest interval of RFC 7559 2.
const SOLICIT_FIRST: Duration = Duration::from_secs(4);
const SOLICIT_LONGEST: Duration = Duration::from_secs(3_600);
/// Prefixes in which we make addresses.
const PREFIXES: usize = 16;
/// RFC 4862 5.5.3 e: an advertisement nobody can verify does not shorten a lifetime below this.
const TWO_HOURS: Duration = Duration::from_secs(7_200);
/// The smallest MTU a link of IPv6 may have (RFC 8200 5).
const LEAST_MTU: u32 = 1_280;
/// `fe80::/64`, where link-local addresses are made (RFC 4291 2.5.6).
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

impl Slaac {
    /// The machine of the interface `interface`; it has not begun.
    pub fn new(interface: &str, mac: MacAddr, secret: [u8; 16], seed: u64) -> Slaac {
        Slaac {
            interface: interface.to_owned(),
            mac,
            secret,
            random: Random::new(seed, "slaac"),
            addresses: Vec::new(),
            routers: Routers::default(),
            solicit: Solicit { sent: 0, wait: SOLICIT_FIRST, next_at: Instant::NEVER },
            outputs: VecDeque::new(),
        }
    }

    /// Makes a link-local address and looks for routers.
    pub fn start(&mut self, now: Instant) {
        let prefix = IpPrefix::new(LINK_LOCAL.into(), 64).expect("64 bits of 128");
        self.make(now, prefix, [Instant::NEVER; 2]);
        self.solicit.next_at = now;
        self.handle_deadline(now);
    }

    /// What is to be done now. Drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Routes that hold now: destinations and the router, `None` for neighbours.
    pub fn routes(&self) -> impl Iterator<Item = (IpPrefix, Option<Ipv6Addr>)> + '_ {
        self.routers.routes()
    }

    /// Recursive resolvers, best first.
    pub fn resolvers(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.routers.resolvers()
    }

    /// Whether a router has answered, and every address that it let us make was found to be ours or not.
    pub fn is_settled(&self) -> bool {
        self.routers.were_heard() && self.addresses.iter().all(|address| !address.is_tentative())
    }

    /// Router solicitations sent so far.
    pub fn solicited(&self) -> u32 {
        self.solicit.sent
    }

    /// When [`Slaac::handle_deadline`] wants to be called.
    pub fn next_deadline(&self) -> Instant {
        let addresses = self.addresses.iter().map(Address::next_at).min().unwrap_or(Instant::NEVER);
        addresses.min(self.routers.next_deadline()).min(self.solicit.next_at)
    }

    /// Carries out what was due by `now`.
    pub fn handle_deadline(&mut self, now: Instant) {
        for index in 0..self.addresses.len() {
            self.probe(now, index);
        }
        self.expire(now);
        self.routers.expire(now);
        if self.solicit.next_at <= now {
            self.send_solicitation(now);
        }
    }

    /// A message that was seen on the link; the hop limit has been found to be 255.
    pub fn handle_ndp(&mut self, now: Instant, src: Ipv6Addr, message: &Ndp) {
        match message {
            // RFC 4861 6.1.2: routers speak from their link-local addresses.
            Ndp::RouterAdvertisement(router) if src.is_unicast_link_local() => {
                self.advertised(now, src, router);
            }
            // RFC 4862 5.4.3: somebody checks the same address at the same time. 5.4.4: somebody has it.
            Ndp::NeighborSolicitation { target, .. } if src.is_unspecified() => {
                self.contested(now, *target, None)
            }
            Ndp::NeighborAdvertisement { target, target_mac, .. } => {
                self.contested(now, *target, *target_mac)
            }
            _ => {}
        }
    }
}

/// Addresses.
impl Slaac {
    /// A new address in a prefix; `lifetimes`: until when it is preferred and valid.
    fn make(&mut self, now: Instant, prefix: IpPrefix, lifetimes: [Instant; 2]) {
        let Some(address) = stable::address(&self.secret, prefix, &self.interface, 0) else { return };
        self.outputs.push_back(Output::Watch(address));
        self.addresses.push(Address::new(now, prefix, address, lifetimes));
    }

    /// Duplicate address detection (RFC 4862 5.4): ask once, wait a second.
    fn probe(&mut self, now: Instant, index: usize) {
        let address = &mut self.addresses[index];
        match address.due(now) {
            Dad::Ask => {
                let target = address.address;
                let message = Ndp::NeighborSolicitation { target, source_mac: None };
                let (src, dst) = (Ipv6Addr::UNSPECIFIED, solicited_node(target));
                self.outputs.push_back(Output::Send { src, dst, message });
            }
            Dad::Ours => {
                let own = address.address;
                // Whether others in the prefix are neighbours is the router's to say (RFC 5942 4): but for the address
                // itself that needs a route of its own. Link-local addresses are always neighbours.
                let len = if address.is_link_local() { 64 } else { 128 };
                let cidr = Cidr::new(own.into(), len).expect("at most 128 bits");
                self.outputs.push_back(Output::Unwatch(own));
                self.outputs.push_back(Output::Assign(cidr));
                self.outputs.push_back(Output::Tell(AutoconfEvent::Assigned(cidr)));
            }
            Dad::Nothing => {}
        }
    }

    fn contested(&mut self, now: Instant, target: Ipv6Addr, mac: Option<MacAddr>) {
        let ours = |address: &&mut Address| address.address == target && address.is_tentative();
        let Some(address) = self.addresses.iter_mut().find(ours) else { return };
        if mac == Some(self.mac) {
            return;
        }
        self.outputs.push_back(Output::Unwatch(target));
        self.outputs.push_back(Output::Tell(AutoconfEvent::Conflict { address: target.into(), mac }));
        let attempt = address.lost();
        let next = attempt
            .and_then(|attempt| stable::address(&self.secret, address.prefix, &self.interface, attempt));
        if let Some(next) = next {
            address.try_again(now, next);
            self.outputs.push_back(Output::Watch(next));
            self.handle_deadline(now);
        }
    }

    /// RFC 4862 5.5.4.
    fn expire(&mut self, now: Instant) {
        for address in &mut self.addresses {
            if let Some(deprecated) = address.changes_preference(now) {
                self.outputs.push_back(Output::Deprecate(address.address, deprecated));
            }
        }
        let outputs = &mut self.outputs;
        self.addresses.retain(|address| {
            if address.valid_until > now {
                return true;
            }
            if address.is_tentative() {
                outputs.push_back(Output::Unwatch(address.address));
            } else if address.is_ours() {
                outputs.push_back(Output::Remove(address.address));
                outputs.push_back(Output::Tell(AutoconfEvent::Removed(address.address.into())));
            }
            false
        });
    }
}

/// Routers.
impl Slaac {
    fn send_solicitation(&mut self, now: Instant) {
        let own = self.addresses.iter().find(|address| address.is_link_local() && address.is_ours());
        let src = own.map_or(Ipv6Addr::UNSPECIFIED, |address| address.address);
        let source_mac = own.map(|_| self.mac);
        let message = Ndp::RouterSolicitation { source_mac };
        self.outputs.push_back(Output::Send { src, dst: ALL_ROUTERS, message });
        // RFC 7559 2, after RFC 8415 15: spread by a tenth, twice as long each time.
        let wait = self.solicit.wait.as_nanos() as u64;
        let spread = self.random.below(wait / 5 + 1);
        self.solicit.sent += 1;
        self.solicit.next_at = now + Duration::from_nanos(wait - wait / 10 + spread);
        self.solicit.wait = (self.solicit.wait * 2).min(SOLICIT_LONGEST);
    }

    /// RFC 4861 6.3.4, RFC 4862 5.5.3.
    fn advertised(&mut self, now: Instant, router: Ipv6Addr, advertisement: &RouterAdvertisement) {
        if self.routers.learn(now, router, advertisement) {
            let (address, managed) = (IpAddr::V6(router), advertisement.managed);
            self.outputs.push_back(Output::Tell(AutoconfEvent::Router { address, managed }));
        }
        if !advertisement.lifetime.is_zero() {
            self.solicit.next_at = Instant::NEVER;
        }
        if let Some(mtu) = advertisement.mtu.filter(|mtu| *mtu >= LEAST_MTU) {
            self.outputs.push_back(Output::Mtu(mtu));
        }
        for information in advertisement.prefixes.iter().filter(|information| information.autonomous) {
            let IpAddr::V6(network) = information.prefix.network() else { continue };
            let sensible = information.preferred <= information.valid
                && information.prefix.len() == 64
                && !network.is_unicast_link_local()
                && !network.is_multicast()
                && !network.is_loopback();
            if sensible {
                self.prefix_advertised(now, information.prefix, information.preferred, information.valid);
            }
        }
        self.handle_deadline(now);
    }

    fn prefix_advertised(&mut self, now: Instant, prefix: IpPrefix, preferred: Duration, valid: Duration) {
        let until = |lifetime: Duration| super::in_seconds(now, lifetime.as_secs());
        let known = self.addresses.iter_mut().find(|address| address.prefix == prefix);
        let Some(address) = known else {
            if !valid.is_zero() && self.addresses.len() <= PREFIXES {
                self.make(now, prefix, [until(preferred), until(valid)]);
            }
            return;
        };
        address.preferred_until = until(preferred);
        let left = address.valid_until.since(now);
        if valid > TWO_HOURS || until(valid) > address.valid_until {
            address.valid_until = until(valid);
        } else if left > TWO_HOURS {
            address.valid_until = now + TWO_HOURS;
        }
    }
}

#[cfg(test)]
mod tests;
