//! What a packet needs to be answered and its answer to be known: a source, ports, identifiers. Only where nothing is
//! written.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thru_craft::Packet;
use thru_net::Network;
use thru_wire::MacAddr;

use crate::failure::Failure;

/// Fills packets in.
pub(super) struct Filler<'a> {
    network: &'a Network,
    mac: Option<MacAddr>,
    random: u64,
    /// Sources by destination: a set has many packets to few.
    sources: BTreeMap<IpAddr, Option<IpAddr>>,
}

/// The ports that senders choose from (RFC 6335 section 6).
const FIRST_PORT: u64 = 49_152;
const PORTS: u64 = 16_384;

impl<'a> Filler<'a> {
    pub(super) fn new(network: &'a Network, mac: Option<MacAddr>, random: u64) -> Filler<'a> {
        Filler { network, mac, random, sources: BTreeMap::new() }
    }

    /// The packet of this number, ready to be sent.
    pub(super) fn fill(&mut self, mut packet: Packet, number: u64) -> Result<Packet, Failure> {
        if let Some(mac) = self.mac {
            let mac = mac.0.iter().fold(0, |value, byte| value << 8 | u128::from(*byte));
            packet.fill("eth", "src", mac);
            packet.fill("arp", "src.hw_mac", mac);
        }
        self.fill_addresses(&mut packet)?;
        let port = FIRST_PORT + (self.random >> 8).wrapping_add(number) % PORTS;
        packet.fill("tcp", "srcport", port.into());
        packet.fill("udp", "srcport", port.into());
        // Told apart by what an ICMP error quotes of them.
        packet.fill("ip", "id", u128::from(number % 65_535 + 1));
        packet.fill("tcp", "seq", u128::from((self.random >> 32) as u32));
        packet.fill("dns", "id", u128::from(number as u16 ^ self.random as u16));
        for (name, echo) in [("icmp", [8, 13]), ("icmpv6", [128, 128])] {
            let kind = packet.layer(name).map(|layer| layer.written("type").unwrap_or(echo[0]));
            if kind.is_some_and(|kind| echo.contains(&kind)) {
                packet.fill(name, "ident", u128::from(self.random as u16));
                packet.fill(name, "seq", u128::from(number as u16));
            }
        }
        Ok(packet)
    }

    fn fill_addresses(&mut self, packet: &mut Packet) -> Result<(), Failure> {
        let outer = packet.layers.iter().map(|layer| layer.def.name()).find(|name| name.starts_with("ip"));
        if let Some(target) = packet.layer("arp").and_then(|layer| layer.written("dst.proto_ipv4"))
            && let Some(IpAddr::V4(source)) = self.source(Ipv4Addr::from_bits(target as u32).into())
        {
            packet.fill("arp", "src.proto_ipv4", source.to_bits().into());
        }
        let Some(name) = outer else { return Ok(()) };
        let layer = packet.layer(name);
        if layer.is_some_and(|layer| layer.written("src").is_some()) {
            return Ok(());
        }
        let Some(to) = layer.and_then(|layer| layer.written("dst")) else {
            return Err(Failure::usage(
                format!("the packet has no destination: `{name}` lacks dst"),
                format!(
                    "write it, as in {name}(dst={})",
                    if name == "ip" { "192.0.2.1" } else { "2001:db8::1" }
                ),
            ));
        };
        let to: IpAddr = match name {
            "ip" => Ipv4Addr::from_bits(to as u32).into(),
            _ => Ipv6Addr::from_bits(to).into(),
        };
        let from = match self.source(to) {
            Some(IpAddr::V4(from)) => u128::from(from.to_bits()),
            Some(IpAddr::V6(from)) => from.to_bits(),
            None => {
                return Err(Failure::undecided(
                    format!("there is no route to {to}"),
                    "write the source, as in src=192.0.2.7, or choose the network with --on",
                ));
            }
        };
        packet.fill(name, "src", from);
        Ok(())
    }

    fn source(&mut self, to: IpAddr) -> Option<IpAddr> {
        *self.sources.entry(to).or_insert_with(|| self.network.source_for(to))
    }
}
