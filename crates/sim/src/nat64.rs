//! NAT64: IPv6 hosts reach IPv4 ones (RFC 6146), as a hook of a router's stack.
//!
//! [`Nat64`] is a handle, as [`Nat`] is: give one clone to the router and keep another to look at. Start with
//! [`Nat64Config::new`].
//!
//! - A packet to the prefix is translated (`translate`, RFC 7915): its destination is the IPv4 address in the last 32
//!   bits (RFC 6052), its source an address that stands for the host inside the translator only; and then a [`Nat`]
//!   gives it an endpoint of the pool, with all that it knows about mappings, filters and timeouts.
//! - What comes back goes the same way in reverse order; so do ICMP errors with the packet that they quote.
//! - What does not fit the next link's MTU is answered in the sender's own protocol, with the MTU as the sender has to
//!   see it: the headers differ by 20 octets.
//!
//! Only prefixes of 96 bits. An IPv6 host keeps the address that stands for it as long as the translator runs, and there
//! are at most [`HOSTS_MAX`]. Packets from a host to itself by the pool's address ("hairpinning") are discarded.
//! Datagrams from IPv4 that are too large and may be cut are treated like those that may not be.

mod translate;

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::Instant;

use crate::nat::{Nat, NatConfig};
use translate::Addresses;

/// IPv6 hosts that a translator knows.
pub const HOSTS_MAX: u32 = 1 << 16;

/// How a translator is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Nat64Config {
    /// The first 96 bits of the addresses that stand for IPv4 hosts: `64:ff9b::`, say.
    pub prefix: Ipv6Addr,
    /// The translator's own IPv6 address: ICMP errors come from there.
    pub own: Ipv6Addr,
    /// The MTU towards the IPv6 hosts.
    pub inner_mtu: usize,
    /// The MTU towards the IPv4 hosts.
    pub outer_mtu: usize,
    /// The IPv4 side: its interface, its addresses, its timeouts.
    pub nat: NatConfig,
}

impl Nat64Config {
    /// The usual one: the well-known prefix (RFC 6052 section 2.1), and links of 1500 octets.
    pub fn new(own: Ipv6Addr, outside: InterfaceId, address: Ipv4Addr) -> Nat64Config {
        Nat64Config {
            prefix: Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),
            own,
            inner_mtu: 1500,
            outer_mtu: 1500,
            nat: NatConfig::new(outside, address),
        }
    }
}

/// What a translator has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nat64Stats {
    /// IPv6 hosts that it knows.
    pub hosts: usize,
    /// Packets from IPv6 to IPv4.
    pub outbound: u64,
    /// Packets from IPv4 to IPv6.
    pub inbound: u64,
    /// Packets answered with "too big".
    pub too_big: u64,
    /// Packets discarded, for whatever reason.
    pub dropped: u64,
}

/// A translator. Clones share one table.
#[derive(Clone, Debug)]
pub struct Nat64 {
    state: Arc<Mutex<State>>,
    nat: Nat,
}

#[derive(Debug)]
struct State {
    config: Nat64Config,
    hosts: Hosts,
    /// Identification of IPv4 packets that may be cut.
    identification: u16,
    stats: Nat64Stats,
}

/// The IPv6 hosts, and the addresses that stand for them until the NAT has given them others: of 100.64.0.0/10, never
/// seen on a wire.
#[derive(Debug)]
struct Hosts {
    prefix: [u8; 12],
    aliases: BTreeMap<Ipv6Addr, Ipv4Addr>,
    hosts: Vec<Ipv6Addr>,
}

const FIRST_ALIAS: u32 = 0x6440_0000;

impl Hosts {
    fn embedded(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = address.octets();
        octets
            .starts_with(&self.prefix)
            .then(|| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]))
    }
}

impl Addresses for Hosts {
    fn to_v4(&mut self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let known = self.embedded(address).or_else(|| self.aliases.get(&address).copied());
        if known.is_some() || self.hosts.len() >= HOSTS_MAX as usize {
            return known;
        }
        let alias = Ipv4Addr::from(FIRST_ALIAS + self.hosts.len() as u32);
        self.hosts.push(address);
        self.aliases.insert(address, alias);
        Some(alias)
    }

    fn to_v6(&mut self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let number = u32::from(address).wrapping_sub(FIRST_ALIAS) as usize;
        Some(self.hosts.get(number).copied().unwrap_or_else(|| {
            let mut octets = [0; 16];
            octets[..12].copy_from_slice(&self.prefix);
            octets[12..].copy_from_slice(&address.octets());
            octets.into()
        }))
    }
}

/// Why a packet was discarded.
mod reason {
    pub(super) const HAIRPIN: &str = "nat64: from inside to the translator's own address";
    pub(super) const SOURCE: &str = "nat64: such a source is not translated";
}

impl Nat64 {
    /// A translator that knows nobody yet. The seed decides which ports are tried when the wanted one is taken.
    ///
    /// # Panics
    ///
    /// If the pool is empty.
    pub fn new(config: Nat64Config, seed: u64) -> Nat64 {
        let nat = Nat::new(config.nat.clone(), seed);
        let prefix = config.prefix.octets().first_chunk().copied().unwrap_or_default();
        let hosts = Hosts { prefix, aliases: BTreeMap::new(), hosts: Vec::new() };
        let state = State { config, hosts, identification: 0, stats: Nat64Stats::default() };
        Nat64 { state: Arc::new(Mutex::new(state)), nat }
    }

    /// What it has done so far.
    pub fn stats(&self) -> Nat64Stats {
        let state = self.lock();
        Nat64Stats { hosts: state.hosts.hosts.len(), ..state.stats }
    }

    /// The IPv4 side.
    pub fn nat(&self) -> &Nat {
        &self.nat
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From an IPv6 host. `Ok`: what goes on instead, if it is ours to translate.
    fn outward(&mut self, now: Instant, packet: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        let mut state = self.lock();
        let (Some(source), Some(destination)) = (v6_at(packet, 8), v6_at(packet, 24)) else {
            return Ok(None);
        };
        let Some(target) = state.hosts.embedded(destination) else { return Ok(None) };
        if hops_are_over(packet[7]) {
            return Ok(None);
        }
        if source.is_unicast_link_local() || source.is_unspecified() || source.is_multicast() {
            return Err(reason::SOURCE);
        }
        // RFC 6146 section 3.5.1.1: nobody may pretend to be an IPv4 host.
        if state.hosts.embedded(source).is_some() {
            return Err(reason::SOURCE);
        }
        if state.config.nat.addresses.contains(&target) {
            return Err(reason::HAIRPIN);
        }
        state.identification = state.identification.wrapping_add(1);
        let identification = state.identification;
        let came_in_fragments = packet.len() > state.config.inner_mtu;
        let mut translated = translate::to_v4(packet, &mut state.hosts, identification, came_in_fragments)?;
        let outer_mtu = state.config.outer_mtu;
        if translated.len() > outer_mtu && translated[6] & 0x40 != 0 {
            state.stats.too_big += 1;
            // The sender counts a header of 40 octets where there will be one of 20.
            let told = (outer_mtu + translate::DIFFERENCE) as u32;
            return Ok(Some(translate::packet_too_big(state.config.own, source, told, packet)));
        }
        let outside = Some(state.config.nat.outside);
        state.stats.outbound += 1;
        drop(state);
        match self.nat.judge(now, Place::Postrouting, None, outside, &mut translated) {
            Judgement::Drop(why) => Err(why),
            _ => Ok(Some(translated)),
        }
    }

    /// From an IPv4 host.
    fn inward(
        &mut self,
        now: Instant,
        input: Option<InterfaceId>,
        packet: &[u8],
    ) -> Result<Option<Vec<u8>>, &'static str> {
        let Some(to) = v4_at(packet, 16) else { return Ok(None) };
        if !self.lock().config.nat.addresses.contains(&to) || hops_are_over(packet[8]) {
            return Ok(None);
        }
        let mut inner = packet.to_vec();
        if let Judgement::Drop(why) = self.nat.judge(now, Place::Prerouting, input, None, &mut inner) {
            return Err(why);
        }
        if v4_at(&inner, 16) == Some(to) {
            // The translator itself is meant.
            return Ok(None);
        }
        let mut state = self.lock();
        let translated = translate::to_v6(&inner, &mut state.hosts)?;
        // What was larger than its own link has come in fragments, and leaves in fragments.
        let came_in_fragments = packet.len() > state.config.outer_mtu;
        if translated.len() > state.config.inner_mtu && !came_in_fragments {
            state.stats.too_big += 1;
            let told = state.config.inner_mtu.saturating_sub(translate::DIFFERENCE) as u16;
            return Ok(translate::fragmentation_needed(to, told, packet));
        }
        state.stats.inbound += 1;
        Ok(Some(translated))
    }
}

/// The router tells the sender itself, before it would have been translated.
fn hops_are_over(hops: u8) -> bool {
    hops <= 1
}

fn v6_at(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
    (packet.len() >= 40).then(|| octets.into())
}

fn v4_at(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
    (packet.len() >= 20).then(|| octets.into())
}

impl Hook for Nat64 {
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        _output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        if place != Place::Prerouting {
            return Judgement::Accept;
        }
        let outside = Some(self.lock().config.nat.outside);
        let result = match packet.first().map(|first| first >> 4) {
            Some(6) => self.outward(now, packet),
            Some(4) if input == outside => self.inward(now, input, packet),
            _ => Ok(None),
        };
        match result {
            Ok(Some(translated)) => *packet = translated,
            Ok(None) => {}
            Err(why) => {
                self.lock().stats.dropped += 1;
                return Judgement::Drop(why);
            }
        }
        Judgement::Accept
    }

    fn dropped(&self) -> u64 {
        self.lock().stats.dropped
    }
}

#[cfg(test)]
mod tests;
