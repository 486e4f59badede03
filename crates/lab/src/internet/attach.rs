//! Hosts whose network gives them their addresses, and who gives them: DHCP servers and advertising routers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use thru_serve::advertise::{self, Advertiser};
use thru_serve::dhcp::{self, DhcpServer, Given};
use thru_stack::InterfaceId;
use thru_stack::autoconf::{AutoconfConfig, Timing};
use thru_wire::ndp::{DnsServers, PrefixInformation, RouterAdvertisement};

use super::services::Running;
use super::{Internet, StartError, build};
use crate::prefix::Prefix;
use crate::scenario::service::{AdvertiseSpec, DhcpSpec};

/// How long what is advertised beside the router itself holds.
const PROMISED: Duration = Duration::from_secs(86_400);

impl Internet {
    /// Lets those who have no addresses of their own ask for some.
    pub(super) fn attach_hosts(&self) {
        let mut world = self.shared.lab.world();
        let joining = self.scenario().nodes.iter().enumerate().filter(|(_, node)| node.autoconfigure);
        for (index, _) in joining {
            let mut secret = [0; 16];
            secret[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
            let config = AutoconfConfig { secret, timing: Timing::BRIEF, ..AutoconfConfig::default() };
            world.with_host(self.shared.nodes[index], |host, now| {
                host.autoconfigure(now, InterfaceId(0), config)
            });
        }
    }

    /// The prefix of that family of a node's first link, and the node's own address there.
    fn first_link(&self, node: usize, v6: bool) -> Option<(Prefix, IpAddr)> {
        let interface = self.scenario().nodes[node].interfaces.first()?;
        let segment = &self.scenario().segments[interface.segment];
        let prefix = segment.prefixes.iter().find(|prefix| prefix.is_v6() == v6)?;
        let own = interface.addresses.iter().find(|(address, _)| address.is_ipv6() == v6)?;
        Some((*prefix, own.0))
    }

    pub(super) async fn start_dhcp(&self, node: usize, spec: &DhcpSpec) -> Result<Running, StartError> {
        if !spec.up {
            return Ok(Running::default());
        }
        let Some((prefix, IpAddr::V4(own))) = self.first_link(node, false) else {
            return Err(StartError("serve DHCP: the node has no IPv4 address on its first link".to_owned()));
        };
        let given = Given {
            server: own,
            prefix_len: prefix.length(),
            range: spec.range.unwrap_or_else(|| upper_half(&prefix, own)),
            router: Some(spec.router.unwrap_or(own)),
            resolvers: spec.resolvers.clone(),
            lease: spec.lease,
        };
        let network = self.network_of(node);
        let socket = network.packets().await.map_err(|error| StartError(format!("serve DHCP: {error}")))?;
        let server = DhcpServer::new(given, spec.manner);
        Ok(Running::of(tokio::spawn({
            let think = spec.think;
            async move { drop(dhcp::serve(network, socket, 0, server, think).await) }
        })))
    }

    pub(super) async fn start_advertiser(
        &self,
        node: usize,
        spec: &AdvertiseSpec,
    ) -> Result<Running, StartError> {
        if !spec.up {
            return Ok(Running::default());
        }
        let Some((prefix, _)) = self.first_link(node, true) else {
            return Err(StartError(
                "advertise a router: the node has no IPv6 address on its first link".to_owned(),
            ));
        };
        let network = self.network_of(node);
        let socket =
            network.packets().await.map_err(|error| StartError(format!("advertise a router: {error}")))?;
        let information = PrefixInformation {
            prefix: build::prefix(&spec.announces.unwrap_or(prefix)),
            on_link: true,
            autonomous: !spec.managed,
            valid: PROMISED,
            preferred: PROMISED,
        };
        let advertisement = RouterAdvertisement {
            hop_limit: 64,
            managed: spec.managed,
            preference: spec.preference,
            lifetime: spec.lifetime,
            mtu: spec.mtu,
            prefixes: vec![information],
            dns: (!spec.resolvers.is_empty())
                .then(|| DnsServers { lifetime: PROMISED, servers: spec.resolvers.clone() })
                .into_iter()
                .collect(),
            ..RouterAdvertisement::default()
        };
        let advertiser = Advertiser { advertisement, think: spec.think, answers: true };
        Ok(Running::of(tokio::spawn(
            async move { drop(advertise::serve(network, socket, 0, advertiser).await) },
        )))
    }
}

/// What a server gives that was told no range: the upper half of its network, but for the last address.
fn upper_half(prefix: &Prefix, own: Ipv4Addr) -> (Ipv4Addr, Ipv4Addr) {
    let hosts = u32::MAX.checked_shr(u32::from(prefix.length())).unwrap_or(0);
    let network = u32::from(own) & !hosts;
    (Ipv4Addr::from(network + hosts / 2 + 1), Ipv4Addr::from(network + hosts.saturating_sub(1)))
}
