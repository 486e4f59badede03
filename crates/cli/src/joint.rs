//! Where a lab in real time meets this machine: which host of the lab the machine is, and the wire to it.

use std::io;
use std::net::IpAddr;

use thru_lab::Scenario;
use thru_lab::scenario::{NodeKind, RouteAction};
use thru_net::iface::Pollable;
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::device::tun::{Tun, TunConfig};
use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_wire::{Cidr, IpPrefix, MacAddr};

use crate::failure::Failure;
use crate::place;

/// The scenario in real time, and the index of the host that this machine is.
pub(crate) fn scenario(lab: &str, set: &[String], node: Option<&str>) -> Result<(Scenario, usize), Failure> {
    let mut scenario = place::scenario(lab, set)?;
    // Real programs have the real date.
    scenario.move_to(thru_os::clock::unix_time().as_nanos() as u64);
    let index = match node {
        None => scenario.client,
        Some(name) => free_host(&scenario, name)?,
    };
    Ok((scenario, index))
}

/// The host of this name, if it may be taken: nothing runs there.
pub(crate) fn free_host(scenario: &Scenario, name: &str) -> Result<usize, Failure> {
    let hint = || format!("hosts that can be taken: {}", free_hosts(scenario).join(", "));
    match scenario.node(name) {
        None => Err(Failure::usage(format!("lab `{}` has no node `{name}`", scenario.name), hint())),
        Some(index) if !is_free(scenario, index) => {
            Err(Failure::usage(format!("`{name}` is a node with work of its own"), hint()))
        }
        Some(index) => Ok(index),
    }
}

/// A host on which nothing runs and which passes nothing on.
fn is_free(scenario: &Scenario, index: usize) -> bool {
    let node = &scenario.nodes[index];
    node.kind == NodeKind::Host && scenario.services.iter().all(|service| service.on != index)
}

fn free_hosts(scenario: &Scenario) -> Vec<String> {
    let free = (0..scenario.nodes.len()).filter(|index| is_free(scenario, *index));
    free.map(|index| scenario.nodes[index].name.clone()).collect()
}

/// Resolvers that this host uses.
pub(crate) fn resolvers(scenario: &Scenario, index: usize) -> &[IpAddr] {
    let own = &scenario.nodes[index].resolvers;
    if own.is_empty() { &scenario.nodes[scenario.client].resolvers } else { own }
}

/// Makes the interface of the host's first link, with its hardware address, and the device at its other end: a TAP
/// device, or, where the user may not open one, a pair of virtual interfaces whose far end is in a network namespace
/// of its own. It has no addresses yet.
pub(crate) fn wire(scenario: &Scenario, index: usize, name: &str) -> io::Result<Box<dyn Pollable>> {
    let (mac, mtu) = (scenario.mac(index, 0), scenario.mtu(index, 0));
    let device: Box<dyn Pollable> =
        match Tun::open(&TunConfig { name: name.to_owned(), tap: true, offload: false }) {
            Ok(tun) => Box::new(tun),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => veth(name, mtu)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => veth(name, mtu)?,
            Err(error) => return Err(error),
        };
    prepare(name, mac, mtu)?;
    Ok(device)
}

fn veth(name: &str, mtu: usize) -> io::Result<Box<dyn Pollable>> {
    const FAR: &str = "far0";
    let far = NetworkNamespace::new()?;
    netlink::add_veth(name, FAR)?;
    netlink::move_to(netlink::link(FAR)?.index, &far)?;
    far.within(|| {
        // The far end is the lab's: this machine's own IPv6 must not speak there.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{FAR}/disable_ipv6"), "1");
        let link = netlink::link(FAR)?;
        netlink::set_mtu(link.index, mtu)?;
        netlink::set_up(link.index, true)?;
        let config = PacketConfig { interface: FAR.to_owned(), promiscuous: true, offload: false };
        Ok(Box::new(PacketSocket::open(&config)?) as Box<dyn Pollable>)
    })?
}

fn prepare(name: &str, mac: MacAddr, mtu: usize) -> io::Result<()> {
    let link = netlink::link(name)?;
    netlink::set_mac(link.index, mac)?;
    netlink::set_mtu(link.index, mtu)?;
    // The lab's addresses are known to be unique, and its routers announce nothing.
    for (key, value) in [("accept_dad", "0"), ("dad_transmits", "0"), ("accept_ra", "0")] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/{key}"), value);
    }
    Ok(())
}

/// Gives the interface the host's addresses and switches it on; then adds those of the host's routes that `wanted`
/// says.
pub(crate) fn configure(
    scenario: &Scenario,
    index: usize,
    name: &str,
    wanted: impl Fn(&IpPrefix) -> bool,
) -> io::Result<()> {
    let link = netlink::link(name)?;
    let node = &scenario.nodes[index];
    netlink::set_up(link.index, true)?;
    for (address, length) in &node.interfaces[0].addresses {
        let cidr = Cidr::new(*address, *length).expect("a checked length");
        netlink::add_address(link.index, cidr)?;
    }
    for line in &node.routes {
        let RouteAction::Via(via, 0) = line.action else { continue };
        let prefix = IpPrefix::new(line.prefix.network(), line.prefix.length()).expect("a checked length");
        if wanted(&prefix) {
            netlink::add_route(prefix, Some(via), link.index)?;
        }
    }
    Ok(())
}

/// Routes to all of `networks` through the host's default router of their family.
pub(crate) fn reach(scenario: &Scenario, index: usize, name: &str, networks: &[IpPrefix]) -> io::Result<()> {
    let link = netlink::link(name)?;
    let node = &scenario.nodes[index];
    let own =
        |prefix: &IpPrefix| node.interfaces[0].addresses.iter().any(|(address, _)| prefix.contains(*address));
    for prefix in networks.iter().filter(|prefix| !own(prefix)) {
        let router = node.routes.iter().find_map(|line| match line.action {
            RouteAction::Via(via, 0) if line.prefix.length() == 0 && via.is_ipv6() == prefix.is_ipv6() => {
                Some(via)
            }
            _ => None,
        });
        if let Some(router) = router {
            netlink::add_route(*prefix, Some(router), link.index)?;
        }
    }
    Ok(())
}
