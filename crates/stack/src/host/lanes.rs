//! Where TCP's segments between two addresses go: looked up once, remembered while nothing changes that could matter.
//!
//! The way of every other packet ([`Host::send`](super::Host::send)) asks the tables anew at each step. That is right
//! for one packet and costs more than the packet itself for a million of them.

use core::net::IpAddr;

use super::InterfaceId;
use super::tables::{NextHop, Tables};
use crate::tcp::Path;

/// Lanes remembered; those of pairs of addresses that meet in one place take turns.
const LANES: usize = 64;

/// What the tables say of one pair of addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    src: IpAddr,
    dst: IpAddr,
    /// The version of the tables that said so.
    version: u64,
    pub(super) out: InterfaceId,
    pub(super) next_hop: IpAddr,
    /// Largest packet that leaves whole.
    pub(super) mtu: usize,
    /// The key of the identification, and whether it was looked up: IPv4 only.
    pub(super) flow: u64,
}

/// All that are remembered; empty until the first segment leaves.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Option<Lane>>,
}

impl Lanes {
    /// The lane from `src` to `dst`; `None` if packets between them need more than a lane knows: they stay on this host,
    /// have no route, or their path has an MTU of its own. `flow` is asked once for each lane.
    pub(super) fn find(
        &mut self,
        tables: &Tables,
        src: IpAddr,
        dst: IpAddr,
        flow: impl FnOnce() -> u64,
    ) -> Option<&Lane> {
        if self.lanes.is_empty() {
            self.lanes = vec![None; LANES];
        }
        let place = &mut self.lanes[place(dst)];
        let known = place
            .as_ref()
            .is_some_and(|lane| lane.src == src && lane.dst == dst && lane.version == tables.version);
        if !known {
            *place = look_up(tables, src, dst).map(|lane| Lane { flow: flow(), ..lane });
        }
        place.as_ref()
    }
}

fn look_up(tables: &Tables, src: IpAddr, dst: IpAddr) -> Option<Lane> {
    let NextHop::Neighbor(out, next_hop) = tables.next_hop(dst) else { return None };
    if tables.path_mtus.knows(dst) || src.is_ipv4() != dst.is_ipv4() {
        return None;
    }
    let mtu = tables.mtu(dst);
    Some(Lane { src, dst, version: tables.version, out, next_hop, mtu, flow: 0 })
}

/// Any spread will do: what collides is looked up again.
fn place(address: IpAddr) -> usize {
    let bits = match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64 ^ v6.to_bits() as u64,
    };
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % LANES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{InterfaceConfig, Medium};
    use crate::route::{Route, RouteTarget};
    use thru_wire::{Cidr, Instant, MacAddr};

    fn tables() -> Tables {
        let mut tables = Tables::new(1, false);
        let config =
            InterfaceConfig { name: "eth0".into(), medium: Medium::Ip, mac: MacAddr::default(), mtu: 1_500 };
        let id = tables.add_interface(config);
        tables.add_address(id, "10.0.0.1/24".parse::<Cidr>().unwrap());
        tables
    }

    fn find(lanes: &mut Lanes, tables: &Tables, dst: &str) -> Option<(u32, IpAddr, usize)> {
        let lane = lanes.find(tables, "10.0.0.1".parse().unwrap(), dst.parse().unwrap(), || 0);
        lane.map(|lane| (lane.out.0, lane.next_hop, lane.mtu))
    }

    #[test]
    fn a_lane_is_what_the_tables_say_and_changes_when_they_do() {
        let (mut lanes, mut tables) = (Lanes::default(), tables());
        let neighbor: IpAddr = "10.0.0.2".parse().unwrap();
        assert_eq!(find(&mut lanes, &tables, "10.0.0.2"), Some((0, neighbor, 1_500)));
        assert_eq!(find(&mut lanes, &tables, "10.9.9.9"), None);
        let prefix = "10.9.0.0/16".parse().unwrap();
        tables.add_route(Route { prefix, target: RouteTarget::Via(InterfaceId(0), neighbor), metric: 0 });
        assert_eq!(find(&mut lanes, &tables, "10.9.9.9"), Some((0, neighbor, 1_500)));
        tables.set_mtu(InterfaceId(0), 1_400);
        assert_eq!(find(&mut lanes, &tables, "10.9.9.9"), Some((0, neighbor, 1_400)));
        tables.remove_route(prefix);
        assert_eq!(find(&mut lanes, &tables, "10.9.9.9"), None);
        assert_eq!(find(&mut lanes, &tables, "10.0.0.1"), None, "our own address");
    }

    #[test]
    fn a_path_with_an_mtu_of_its_own_has_no_lane() {
        let (mut lanes, mut tables) = (Lanes::default(), tables());
        assert!(find(&mut lanes, &tables, "10.0.0.2").is_some());
        tables.told(Instant::START, "10.0.0.2".parse().unwrap(), 1_200, 1_500).unwrap();
        assert_eq!(find(&mut lanes, &tables, "10.0.0.2"), None);
    }
}
