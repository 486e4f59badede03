//! Addresses from real servers: dnsmasq gives leases, radvd advertises prefixes.

use std::fs;
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use thru_net::iface::{Iface, IfaceOptions, Patience, attach};
use thru_os::device::Pollable;
use thru_os::netlink;
use thru_stack::autoconf::{AutoconfConfig, AutoconfEvent, Timing, stable};
use thru_wire::MacAddr;

use crate::place::{KERNEL, Place, address, cidr};
use crate::program::{Folder, Server};
use crate::transfer::{both_ways, run};

const BYTES: usize = 1_000_000;
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
const SECRET: [u8; 16] = [7; 16];

/// A host of ours that asks the network for everything.
fn ours(device: impl Pollable + 'static, ipv4: bool, ipv6: bool) -> Iface {
    let config = AutoconfConfig { ipv4, ipv6, secret: SECRET, timing: Timing::BRIEF };
    let options = IfaceOptions { autoconf: Some(config), mac: Some(MAC), ..IfaceOptions::default() };
    attach(Box::new(device), options).expect("it can be watched")
}

/// dnsmasq on the kernel's end, with an hour's lease that wants to be renewed after three seconds (it allows
/// no less).
fn dnsmasq(place: &Place, program: &Path, folder: &Folder) -> Server {
    let leases = format!("--dhcp-leasefile={}", folder.0.join("leases").display());
    let pid = format!("--pid-file={}", folder.0.join("pid").display());
    let arguments = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--log-facility=-",
        "--log-dhcp",
        "--user=root",
        "--port=0",
        "--no-ping",
        "--interface=thru0",
        "--bind-interfaces",
        "--dhcp-authoritative",
        "--dhcp-range=192.0.2.50,192.0.2.50,255.255.255.0,1h",
        "--dhcp-option=option:T1,3s",
        "--dhcp-option=option:router,192.0.2.1",
        "--dhcp-option=option:dns-server,192.0.2.53",
        "--dhcp-option=option:mtu,1400",
        leases.as_str(),
        pid.as_str(),
    ];
    Server::start(place, program, &arguments, "DHCP, IP range")
}

/// Nobody waits here, and machines under test are busy.
const PATIENCE: Patience = Patience { any: Duration::from_secs(60), ..Patience::PERSON };

#[test]
fn dnsmasq_leases_renews_and_takes_back_an_address() {
    let test = "auto::dnsmasq_leases_renews_and_takes_back_an_address";
    let Some(program) = thru_peers::peer(test, "dnsmasq", "dnsmasq-base") else { return };
    let Some(place) = Place::new(test) else { return };
    let folder = Folder::new("leases");
    let device = place.packet_socket(false);
    let mut server = dnsmasq(&place, &program, &folder);
    let listener = place.within(|| TcpListener::bind((address(KERNEL[0]), 0))).expect("the kernel listens");
    run(async {
        let iface = ours(device, true, false);
        let mut seen = Vec::new();
        assert!(iface.configured(PATIENCE, |event| seen.push(event.clone())).await, "{seen:?}");
        let lease = iface.autoconf().and_then(|state| state.lease).expect("leased");
        assert_eq!(lease.cidr(), cidr("192.0.2.50/24"));
        assert_eq!((lease.mtu, lease.server), (Some(1_400), "192.0.2.1".parse().expect("an address")));
        assert_eq!(iface.autoconf().expect("configured").resolvers, [address("192.0.2.53/24")]);
        // It can be used while it is cared for.
        both_ways(&iface.network(), &listener, BYTES).await;
        while !matches!(iface.autoconf_event().await, AutoconfEvent::Renewed(_)) {}
        iface.settle(Duration::from_secs(1)).await;
        iface.leave(Duration::from_secs(1)).await;
    });
    for word in
        ["DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPACK", "DHCPREQUEST", "DHCPACK", "DHCPRELEASE"]
    {
        server.wait_for(word);
    }
    assert_eq!(place.resets_sent(), 0);
}

/// RFC 2131 3.1.5 with a kernel that has the address although the server does not know.
#[test]
fn an_address_that_the_kernel_has_is_declined() {
    let test = "auto::an_address_that_the_kernel_has_is_declined";
    let Some(program) = thru_peers::peer(test, "dnsmasq", "dnsmasq-base") else { return };
    let Some(place) = Place::new(test) else { return };
    let folder = Folder::new("declined");
    let device = place.packet_socket(false);
    // Linux answers for every address that it has, on every interface.
    place.within(|| netlink::add_address(netlink::link("lo")?.index, cidr("192.0.2.50/32"))).expect("added");
    let owner = place.within(|| netlink::link("thru0")).expect("it is there").mac;
    let mut server = dnsmasq(&place, &program, &folder);
    run(async {
        let iface = ours(device, true, false);
        let conflict = loop {
            if let AutoconfEvent::Conflict { address, mac } = iface.autoconf_event().await {
                break (address, mac);
            }
        };
        assert_eq!(conflict, (address("192.0.2.50/24"), Some(owner)));
        assert!(iface.autoconf().expect("configured").lease.is_none());
    });
    server.wait_for("DHCPDECLINE");
}

/// radvd on the kernel's end.
fn radvd(place: &Place, program: &Path, folder: &Folder) -> Server {
    let (file, pid) = (folder.0.join("radvd.conf"), folder.0.join("pid"));
    let text = "interface thru0 {\n AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; MinDelayBetweenRAs 3;\n \
                AdvLinkMTU 1400;\n prefix 2001:db8::/64 { AdvOnLink on; AdvAutonomous on; };\n \
                route 2001:db8:9::/48 { };\n RDNSS 2001:db8::53 { };\n};\n";
    fs::write(&file, text).expect("the configuration");
    // Only routers advertise themselves.
    place
        .within(|| fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1"))
        .expect("a setting of this namespace");
    let (file, pid) = (file.display().to_string(), pid.display().to_string());
    let arguments = ["--nodaemon", "--logmethod=stderr", "--debug=5", "--config", &file, "--pidfile", &pid];
    Server::start(place, program, &arguments, "sending RA to ff02::1")
}

#[test]
fn radvd_gives_a_prefix_a_router_and_a_resolver() {
    let test = "auto::radvd_gives_a_prefix_a_router_and_a_resolver";
    let Some(program) = thru_peers::peer(test, "radvd", "radvd") else { return };
    let Some(place) = Place::new(test) else { return };
    let folder = Folder::new("radvd");
    let device = place.packet_socket(false);
    let _server = radvd(&place, &program, &folder);
    let listener = place.within(|| TcpListener::bind((address(KERNEL[1]), 0))).expect("the kernel listens");
    // The first address that we would make is the kernel's already: found out, and another is made.
    let made = |attempt| {
        let prefix = cidr(KERNEL[1]).prefix();
        IpAddr::V6(stable::address(&SECRET, prefix, "thru1", attempt).expect("a prefix of 64 bits"))
    };
    let taken = thru_wire::Cidr::new(made(0), 64).expect("64 bits");
    place.within(|| netlink::add_address(netlink::link("thru0")?.index, taken)).expect("added");
    run(async {
        let iface = ours(device, false, true);
        let mut conflicts = Vec::new();
        let tell = |event: &AutoconfEvent| {
            if let AutoconfEvent::Conflict { address, .. } = event {
                conflicts.push(*address);
            }
        };
        assert!(iface.configured(Patience { ipv4: Duration::ZERO, ..PATIENCE }, tell).await);
        assert_eq!(conflicts, [made(0)]);
        let own =
            iface.with_host(|host, _| host.addresses().map(|(_, cidr)| cidr.address()).collect::<Vec<_>>());
        assert!(own.contains(&made(1)) && !own.contains(&made(0)), "{own:?}");
        assert_eq!(iface.autoconf().expect("configured").resolvers, [address("2001:db8::53/64")]);
        let routes = iface.with_host(|host, _| {
            host.routes().iter().map(|route| route.prefix.to_string()).collect::<Vec<_>>()
        });
        for wanted in ["::/0", "2001:db8::/64", "2001:db8:9::/48"] {
            assert!(routes.iter().any(|route| route == wanted), "{routes:?}");
        }
        assert_eq!(iface.with_host(|host, _| host.path_mtu(address(KERNEL[1]))), 1_400);
        both_ways(&iface.network(), &listener, BYTES).await;
    });
    assert_eq!(place.resets_sent(), 0);
}
