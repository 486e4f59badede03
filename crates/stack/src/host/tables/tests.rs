//! Which address, which way.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tables(addresses: &[(u32, &str)]) -> Tables {
    let mut tables = Tables::new(1, false);
    for index in 0..2 {
        tables.add_interface(InterfaceConfig {
            name: format!("eth{index}"),
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 0, index]),
            mtu: 1_500,
        });
    }
    for (id, cidr) in addresses {
        tables.add_address(InterfaceId(*id), cidr.parse().unwrap());
    }
    for prefix in ["0.0.0.0/0", "::/0"] {
        let prefix: thru_wire::IpPrefix = prefix.parse().unwrap();
        let router = if prefix.is_ipv6() { ip("fe80::99") } else { ip("10.0.0.254") };
        tables.routes.add(Route { prefix, target: RouteTarget::Via(InterfaceId(0), router), metric: 0 });
    }
    tables
}

#[test]
fn the_source_suits_the_destination() {
    let tables = tables(&[
        (0, "10.0.0.1/24"),
        (0, "192.168.7.1/24"),
        (1, "10.0.1.1/24"),
        (0, "2001:db8:1::1/64"),
        (0, "fd00:1::1/64"),
        (1, "2001:db8:2::1/64"),
    ]);
    for (to, from) in [
        // The address that shares the link with the next hop.
        ("10.0.0.9", "10.0.0.1"),
        ("192.168.7.9", "192.168.7.1"),
        ("10.0.1.9", "10.0.1.1"),
        ("192.0.2.1", "10.0.0.1"),
        // Itself (rule 1), the scope (rule 2), the interface (rule 5), the longest match (rule 8).
        ("2001:db8:2::1", "2001:db8:2::1"),
        ("fe80::5", "fe80::ff:fe00:0"),
        ("ff02::1", "fe80::ff:fe00:0"),
        ("2001:db8:9::1", "2001:db8:1::1"),
        ("fd00:9::1", "fd00:1::1"),
        ("2001:db8:2::9", "2001:db8:2::1"),
        ("127.0.0.5", "127.0.0.1"),
        ("::1", "::1"),
        ("10.0.1.1", "10.0.1.1"),
    ] {
        assert_eq!(tables.source_for(ip(to)), Some(ip(from)), "to {to}");
    }
}

#[test]
fn without_a_route_there_is_no_source() {
    let mut tables = tables(&[(0, "10.0.0.1/24")]);
    tables.routes.remove("0.0.0.0/0".parse().unwrap());
    assert_eq!(tables.source_for(ip("192.0.2.1")), None);
    // A global address must not be answered from a link-local one if there is any choice, but better that than none.
    assert_eq!(tables.source_for(ip("2001:db8::1")), Some(ip("fe80::ff:fe00:0")));
}

#[test]
fn an_address_takes_its_route_along_when_it_leaves() {
    let mut tables = tables(&[(0, "10.0.0.1/24"), (0, "10.0.0.2/24")]);
    let routes = tables.routes.list().len();
    assert!(tables.remove_address(InterfaceId(0), ip("10.0.0.1")));
    assert_eq!(tables.routes.list().len(), routes, "the other address still needs it");
    assert!(tables.remove_address(InterfaceId(0), ip("10.0.0.2")));
    assert_eq!(tables.routes.list().len(), routes - 1);
    assert!(!tables.remove_address(InterfaceId(0), ip("10.0.0.2")));
    assert!(!tables.is_local(ip("10.0.0.2")));
    assert_eq!(tables.kind(InterfaceId(0), ip("10.0.0.255")), Kind::Other);
}

#[test]
fn kinds_of_destination() {
    let tables = tables(&[(0, "10.0.0.1/24"), (1, "fd00::ab:cdef/64")]);
    for (interface, to, kind) in [
        (1, "10.0.0.1", Kind::Local),
        (0, "10.0.0.255", Kind::LocalGroup),
        (0, "255.255.255.255", Kind::LocalGroup),
        (0, "224.0.0.1", Kind::LocalGroup),
        (0, "224.0.0.251", Kind::OtherGroup),
        (0, "10.0.0.9", Kind::Other),
        (0, "ff02::1", Kind::LocalGroup),
        (0, "ff02::2", Kind::OtherGroup),
        (1, "ff02::1:ffab:cdef", Kind::LocalGroup),
        (0, "ff02::1:ffab:cdef", Kind::OtherGroup),
        // A link-local address belongs to its link.
        (0, "fe80::ff:fe00:0", Kind::Local),
        (1, "fe80::ff:fe00:0", Kind::Other),
    ] {
        assert_eq!(tables.kind(InterfaceId(interface), ip(to)), kind, "{to} on eth{interface}");
    }
}
