//! Who is called what: segments, prefixes and addresses. Explicit ones win; the rest follows the order of
//! declaration, so adding a node at the end changes nobody else's address.

use std::net::IpAddr;

use super::{Interface, Link, Node, NodeKind, Segment};
use crate::item::Str;
use crate::prefix::Prefix;
use crate::source::Error;

/// A prefix given in the file.
pub(crate) struct GivenPrefix {
    pub(crate) prefix: Prefix,
    pub(crate) place: Str,
}

/// An address given in the file.
pub(crate) struct GivenAddress {
    pub(crate) node: usize,
    pub(crate) address: IpAddr,
    pub(crate) place: Str,
}

/// Makes interfaces and segments, and gives out addresses. `link_nets[i]` are the prefixes written on link
/// `i`, `switch_nets[i]` those of node `i`.
pub(crate) fn assign(
    nodes: &mut [Node],
    links: &[Link],
    link_nets: Vec<Vec<GivenPrefix>>,
    switch_nets: Vec<Vec<GivenPrefix>>,
    addresses: &[GivenAddress],
) -> Result<Vec<Segment>, Error> {
    let group = groups(nodes, links);
    let mut segments: Vec<Segment> = Vec::new();
    let mut segment_of_group: Vec<Option<usize>> = vec![None; links.len()];
    let mut given: Vec<Vec<GivenPrefix>> = Vec::new();
    for (index, nets) in link_nets.into_iter().enumerate() {
        let segment = *segment_of_group[group[index]].get_or_insert_with(|| {
            segments.push(Segment { prefixes: Vec::new(), members: Vec::new() });
            given.push(Vec::new());
            segments.len() - 1
        });
        given[segment].extend(nets);
        for end in [links[index].ends.0, links[index].ends.1] {
            let node = &mut nodes[end];
            if node.kind != NodeKind::Switch {
                let name = format!("eth{}", node.interfaces.len());
                segments[segment].members.push((end, node.interfaces.len()));
                node.interfaces.push(Interface { name, link: index, segment, addresses: Vec::new() });
            }
        }
    }
    for (node, nets) in switch_nets.into_iter().enumerate() {
        let Some(first) = nets.first() else { continue };
        let Some(link) = links.iter().position(|link| link.ends.0 == node || link.ends.1 == node) else {
            return Err(first
                .place
                .error("this switch has no link", "join it to something, or remove `net`"));
        };
        if let Some(segment) = segment_of_group[group[link]] {
            given[segment].extend(nets);
        }
    }
    for segment in &mut segments {
        segment.members.sort_unstable();
    }
    give_prefixes(&mut segments, &given)?;
    give_addresses(nodes, &segments, addresses)?;
    Ok(segments)
}

/// For each link the smallest index of a link in the same segment.
fn groups(nodes: &[Node], links: &[Link]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..links.len()).collect();
    // Switches are few: repeat until nothing changes.
    loop {
        let mut changed = false;
        for (switch, _) in nodes.iter().enumerate().filter(|(_, node)| node.kind == NodeKind::Switch) {
            let around: Vec<usize> = (0..links.len())
                .filter(|&link| links[link].ends.0 == switch || links[link].ends.1 == switch)
                .collect();
            let Some(lowest) = around.iter().map(|&link| group[link]).min() else {
                continue;
            };
            for link in around {
                changed |= group[link] != lowest;
                group[link] = lowest;
            }
        }
        if !changed {
            return group;
        }
    }
}

fn give_prefixes(segments: &mut [Segment], given: &[Vec<GivenPrefix>]) -> Result<(), Error> {
    let mut taken: Vec<(Prefix, usize)> = Vec::new();
    for (index, nets) in given.iter().enumerate() {
        for net in nets {
            if let Some((other, _)) = taken.iter().find(|(other, _)| other.overlaps(&net.prefix)) {
                return Err(net.place.error(
                    format!("`{}` overlaps `{other}`", net.prefix),
                    "give every link a prefix of its own",
                ));
            }
            if segments[index].prefixes.iter().any(|other| other.is_v6() == net.prefix.is_v6()) {
                return Err(net.place.error(
                    "a second prefix of the same family on one link",
                    "keep one IPv4 and one IPv6 prefix",
                ));
            }
            taken.push((net.prefix, index));
            segments[index].prefixes.push(net.prefix);
        }
    }
    let mut next = [0u32; 2];
    for segment in segments.iter_mut() {
        for v6 in [false, true] {
            if segment.prefixes.iter().any(|prefix| prefix.is_v6() == v6) {
                continue;
            }
            // 65,536 automatic subnets of each family; a file of 1 MiB has fewer links.
            while next[usize::from(v6)] < 1 << 16 {
                let candidate = automatic(next[usize::from(v6)], v6);
                next[usize::from(v6)] += 1;
                if !taken.iter().any(|(other, _)| other.overlaps(&candidate)) {
                    segment.prefixes.push(candidate);
                    break;
                }
            }
        }
        segment.prefixes.sort_by_key(Prefix::is_v6);
    }
    Ok(())
}

/// The n-th automatic subnet: `10.N.N.0/24`, `2001:db8:ffff:N::/64`.
fn automatic(n: u32, v6: bool) -> Prefix {
    let address = if v6 {
        IpAddr::from([0x2001, 0xdb8, 0xffff, n as u16, 0, 0, 0, 0])
    } else {
        IpAddr::from([10, (n >> 8) as u8, n as u8, 0])
    };
    Prefix::new(address, if v6 { 64 } else { 24 }).expect("a legal length")
}

fn give_addresses(nodes: &mut [Node], segments: &[Segment], given: &[GivenAddress]) -> Result<(), Error> {
    for GivenAddress { node, address, place } in given {
        let owner = nodes.iter().find(|other| other.explicit.contains(address));
        if let Some(owner) = owner {
            return Err(place.error(
                format!("`{address}` is already the address of `{}`", owner.name),
                "every address belongs to one node",
            ));
        }
        let node = &mut nodes[*node];
        let fitting = node.interfaces.iter_mut().find_map(|interface| {
            let prefix =
                segments[interface.segment].prefixes.iter().find(|prefix| prefix.contains(*address))?;
            Some((interface, *prefix))
        });
        let Some((interface, prefix)) = fitting else {
            let prefixes: Vec<String> = node
                .interfaces
                .iter()
                .flat_map(|interface| &segments[interface.segment].prefixes)
                .map(Prefix::to_string)
                .collect();
            return Err(place.error(
                format!("`{address}` lies in no prefix of a link of `{}`", node.name),
                if prefixes.is_empty() {
                    "the node has no link".to_string()
                } else {
                    format!("its links have {}", prefixes.join(", "))
                },
            ));
        };
        interface.addresses.push((*address, prefix.length()));
        node.explicit.push(*address);
    }
    for segment in segments {
        for prefix in &segment.prefixes {
            let mut used: Vec<IpAddr> = Vec::new();
            for &(node, interface) in &segment.members {
                used.extend(nodes[node].interfaces[interface].addresses.iter().map(|(address, _)| *address));
            }
            let mut numbers = prefix.host_numbers();
            for &(node, interface) in &segment.members {
                let interface = &mut nodes[node].interfaces[interface];
                if interface.addresses.iter().any(|(address, _)| address.is_ipv6() == prefix.is_v6()) {
                    continue;
                }
                let Some(address) = numbers
                    .by_ref()
                    .map(|number| prefix.host(number))
                    .find(|address| !used.contains(address))
                else {
                    return Err(Error::bare(
                        format!("`{prefix}` has no address left for `{}`", nodes[node].name),
                        "give the link a larger prefix with `net`",
                    ));
                };
                interface.addresses.push((address, prefix.length()));
            }
        }
    }
    for node in nodes {
        for interface in &mut node.interfaces {
            interface.addresses.sort_by_key(|(address, _)| address.is_ipv6());
        }
    }
    Ok(())
}
