//! Two hosts and a link between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thru_net::Network;
use thru_net::lab::{Lab, LabOptions, run};
use thru_sim::link::{LinkConfig, Pipe};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, MacAddr};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Runs `main` with the networks of two hosts that `pipe` joins in both directions.
pub(crate) fn with_two_hosts<F, Fut, R>(seed: u64, medium: Medium, pipe: Pipe, limit: Duration, main: F) -> R
where
    F: FnOnce(Lab, Network, Network) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let options = LabOptions { name: "two hosts".to_owned(), seed, epoch_unix_nanos: 0, limit };
    let result = run(options, move |lab| async move {
        let (client, server) = two_hosts(&lab, medium, pipe);
        main(lab, client, server).await
    });
    result.unwrap_or_else(|error| panic!("{error}; seed {seed}"))
}

fn two_hosts(lab: &Lab, medium: Medium, pipe: Pipe) -> (Network, Network) {
    let config = LinkConfig { a_to_b: pipe.clone(), b_to_a: pipe };
    let interface = |last: u8| InterfaceConfig {
        name: "eth0".to_owned(),
        medium,
        mac: MacAddr([2, 0, 0, 0, 0, last]),
        mtu: 1500,
    };
    let mut world = lab.world();
    let client = world.add_host("client", HostConfig::default());
    let server = world.add_host("server", HostConfig::default());
    world.connect("path", (client, Some(interface(1))), (server, Some(interface(2))), config);
    let addresses: [(_, IpAddr, u8); 4] = [
        (client, CLIENT.into(), 24),
        (client, CLIENT_V6.into(), 64),
        (server, SERVER.into(), 24),
        (server, SERVER_V6.into(), 64),
    ];
    for (node, address, len) in addresses {
        let cidr = Cidr::new(address, len).expect("the length fits the family");
        world.with_host(node, |host, _| host.add_address(InterfaceId(0), cidr));
    }
    drop(world);
    (lab.network(client, Vec::new()), lab.network(server, Vec::new()))
}
