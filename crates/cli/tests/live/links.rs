//! What kernels and their tools say by themselves: ping, traceroute, fragments, group members, neighbours, tunnels; leases
//! and router advertisements; WireGuard.

use crate::place::{FAR, Host, NEAR, NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let lease_needs = &[("dnsmasq", "dnsmasq-base"), ("dhclient", "isc-dhcp-client")];
    let wg_needs = &[("wireguard-go", "wireguard-go"), ("wg", "wireguard-tools"), ("ping", "iputils-ping")];
    let ping_needs = &[("ping", "iputils-ping"), ("traceroute", "traceroute"), ("arping", "arping")];
    vec![
        Scene::new("leases", lease_needs, leases),
        Scene::new("router", &[("radvd", "radvd")], router),
        Scene::new("wireguard", wg_needs, wireguard).by(&["wireguard-go"]),
        Scene::new("ping", ping_needs, ping),
        Scene::new("bridge", &[("ip", "iproute2")], bridge),
        tunnel("vxlan", vxlan),
        tunnel("geneve", geneve),
        tunnel("gre", gre),
        tunnel("six-in-four", six_in_four),
        tunnel("vlan", vlan),
        tunnel("qinq", qinq),
    ]
}

fn tunnel(name: &'static str, play: crate::scene::Play) -> Scene {
    Scene::new(name, &[("ip", "iproute2"), ("ping", "iputils-ping")], play)
}

fn ping(place: &Place) -> Result<(), NotHere> {
    let near = |line: &str| {
        let words = words(line);
        place.near.tries(&mut command(words[0], &words[1..]));
    };
    for address in FAR {
        near(&format!("ping -c 2 -i 0.1 {address}"));
        near(&format!("ping -c 1 -s 4000 {address}"));
        near(&format!("ping -c 1 -p ff00 -Q 0x2e -t 3 {address}"));
        near(&format!("traceroute -n -q 1 -w 1 -m 2 {address}"));
        near(&format!("traceroute -n -q 1 -w 1 -m 2 -I {address}"));
        near(&format!("traceroute -n -q 1 -w 1 -m 2 -T -p 9 {address}"));
    }
    near("ping -c 1 -R 192.0.2.2");
    near("ping -c 1 -T tsonly 192.0.2.2");
    near("ping -c 1 -W 1 192.0.2.77");
    near("ping -c 1 -W 1 -b 192.0.2.255");
    near("ping -c 1 -W 1 ff02::1%eth0");
    near("arping -c 1 -I eth0 192.0.2.2");
    near("arping -c 1 -w 1 -I eth0 192.0.2.78");
    Ok(())
}

fn bridge(place: &Place) -> Result<(), NotHere> {
    // A bridge at the far end that speaks STP, and asks for members of groups.
    for line in [
        "link add br0 type bridge stp_state 1 forward_delay 200 hello_time 100 mcast_snooping 1 mcast_querier 1",
        "link set eth0 master br0",
        "link set br0 up",
    ] {
        ip(&place.far, line)?;
    }
    // The near end hears hellos of the bridge: two of them.
    place.near.within(|| heard(b"\x01\x80\xc2\x00\x00\x00", 3));
    Ok(())
}

/// Waits until so many frames to an address have come.
pub(crate) fn heard(to: &[u8; 6], count: usize) {
    let config = thru_os::capture::CaptureConfig {
        interface: Some("eth0".to_owned()),
        snap_length: 64,
        promiscuous: true,
        buffer: 1 << 20,
        latency: 1,
    };
    let mut capture = thru_os::capture::Capture::open(&config).expect("root may");
    capture.start(&config).expect("it is up");
    let mut left = count;
    while left > 0 {
        capture.wait(&[], 20_000).expect("the wire stays");
        capture.each(|packet| {
            left = left.saturating_sub(usize::from(packet.bytes.starts_with(to)));
            left > 0
        });
    }
}

/// What `ip` refuses cannot be had in this kernel.
pub(crate) fn ip(host: &Host, line: &str) -> Result<(), NotHere> {
    let said = host.tries(&mut command("ip", words(line)));
    if said.is_empty() { Ok(()) } else { Err(NotHere(format!("`ip {line}`: {}", said.trim()))) }
}

/// Makes a tunnel between the hosts, and talks through it: `{own}` and `{other}` are their addresses.
fn through(place: &Place, lines: &[&str], ping_size: u32) -> Result<(), NotHere> {
    for (host, own, other, inner) in [(&place.near, 0, 1, 1), (&place.far, 1, 0, 2)] {
        let ends = [NEAR, FAR];
        for line in lines {
            let line = line
                .replace("{own}", ends[own][0])
                .replace("{other}", ends[other][0])
                .replace("{own6}", ends[own][1])
                .replace("{other6}", ends[other][1]);
            ip(host, &line)?;
        }
        ip(host, "link set inner up")?;
        let _ = ip(host, &format!("addr add 10.0.0.{inner}/24 dev inner"));
        let _ = ip(host, &format!("addr add 2001:db8:ffff::{inner}/64 dev inner nodad"));
    }
    for address in ["10.0.0.2", "2001:db8:ffff::2"] {
        let line = format!("-c 3 -i 0.1 -s {ping_size} {address}");
        place.near.tries(&mut command("ping", words(&line)));
    }
    Ok(())
}

fn vxlan(place: &Place) -> Result<(), NotHere> {
    through(
        place,
        &["link add inner type vxlan id 42 local {own} remote {other} dstport 4789 dev eth0"],
        1400,
    )
}

fn geneve(place: &Place) -> Result<(), NotHere> {
    through(place, &["link add inner type geneve id 7 remote {other}"], 200)
}

fn gre(place: &Place) -> Result<(), NotHere> {
    through(place, &["link add inner type gretap local {own} remote {other} key 9"], 200)
}

fn six_in_four(place: &Place) -> Result<(), NotHere> {
    through(place, &["link add inner type sit local {own} remote {other}"], 200)
}

fn vlan(place: &Place) -> Result<(), NotHere> {
    through(place, &["link add link eth0 name inner type vlan id 5"], 200)
}

fn qinq(place: &Place) -> Result<(), NotHere> {
    through(
        place,
        &[
            "link add link eth0 name outer type vlan proto 802.1ad id 100",
            "link set outer up",
            "link add link outer name inner type vlan id 5",
        ],
        200,
    )
}

/// dnsmasq leases addresses of both families to dhclient.
fn leases(place: &Place) -> Result<(), NotHere> {
    let line = format!(
        "--keep-in-foreground --conf-file=/dev/null --log-facility=- --user=root --port=0 --no-ping --interface=eth0 \
         --bind-interfaces --dhcp-authoritative --dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,1h --enable-ra \
         --dhcp-range=2001:db8::100,2001:db8::200,64,1h --dhcp-option=option:router,192.0.2.2 \
         --dhcp-option=option:dns-server,192.0.2.53 --dhcp-option=option6:dns-server,[2001:db8::53] \
         --dhcp-option=option:domain-search,example.test,example.net --dhcp-option=option6:domain-search,example.test \
         --dhcp-option=option:classless-static-route,198.51.100.0/24,192.0.2.2 --dhcp-option=option:mtu,1400 \
         --dhcp-option=option:ntp-server,192.0.2.2 --dhcp-option=252,http://wpad.example.test/ \
         --dhcp-leasefile={} --pid-file={}",
        place.path("leases"),
        place.path("dnsmasq.pid")
    );
    place.serve(&mut command("dnsmasq", words(&line)), Ready::Udp(67));
    let config = place.file(
        "dhclient.conf",
        "send host-name \"host-of-ours\";\nrequest subnet-mask, broadcast-address, routers, domain-name-servers, domain-search,\n \
         interface-mtu, rfc3442-classless-static-routes, ntp-servers, dhcp6.name-servers, dhcp6.domain-search;\n",
    );
    // A script that does nothing: the addresses are only asked for.
    let script = place.file("script", "#!/bin/sh\nexit 0\n");
    place.near.runs(&mut command("chmod", ["755", script.to_str().expect("a plain path")]));
    for (family, what) in [("-4", "-1"), ("-4", "-r"), ("-6", "-1"), ("-6", "-r")] {
        let line = format!(
            "{family} {what} -d -cf {} -sf {} -lf {} -pf {} eth0",
            config.display(),
            script.display(),
            place.path(&format!("lease{family}")),
            place.path(&format!("pid{family}"))
        );
        // Once it is bound it stays in the foreground; a release ends by itself.
        let mut client = place.near.start(&mut command("dhclient", words(&line)), Ready::Now);
        match (family, what) {
            ("-4", "-1") => client.wait_for("bound to"),
            ("-6", "-1") => client.wait_for("Advertise"),
            _ => drop(client.end()),
        }
    }
    Ok(())
}

fn router(place: &Place) -> Result<(), NotHere> {
    let text = "interface eth0 {\n AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; MinDelayBetweenRAs 3;\n \
                AdvLinkMTU 1400; AdvManagedFlag on; AdvHomeAgentFlag off; AdvDefaultPreference high;\n \
                prefix 2001:db8:5::/64 { AdvOnLink on; AdvAutonomous on; AdvRouterAddr on; };\n \
                route 2001:db8:9::/48 { AdvRoutePreference low; };\n RDNSS 2001:db8::53 2001:db8::54 { };\n \
                DNSSL example.test example.net { };\n};\n";
    let config = place.file("radvd.conf", text).display().to_string();
    let pid = place.path("radvd.pid");
    place
        .far
        .within(|| std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1"))
        .expect("a setting of this namespace");
    let arguments = ["--nodaemon", "--logmethod=stderr", "--debug=5", "--config", &config, "--pidfile", &pid];
    place.serve(&mut command("radvd", arguments), Ready::Says("sending RA to ff02::1"));
    // The near kernel asks when its interface comes up anew.
    ip(&place.near, "link set eth0 addrgenmode none")?;
    place.near.within(|| heard(b"\x33\x33\x00\x00\x00\x01", 1));
    Ok(())
}

/// WireGuard as a program of its own, over TUN devices.
fn wireguard(place: &Place) -> Result<(), NotHere> {
    let mut keys = Vec::new();
    for name in ["near", "far"] {
        let private = place.near.runs(&mut command("wg", ["genkey"]));
        let file = place.file(&format!("{name}.key"), &private);
        let mut public = place.near.start(&mut command("wg", ["pubkey"]), Ready::Now);
        public.types(&private);
        keys.push((file.display().to_string(), public.end().1.trim().to_owned()));
    }
    let mut tunnels = Vec::new();
    for (at, host) in [&place.near, &place.far].into_iter().enumerate() {
        let name = format!("wg{}{at}", std::process::id() % 10_000);
        let mut daemon = command("wireguard-go", ["-f", &name]);
        daemon.env("WG_PROCESS_FOREGROUND", "1").env("LOG_LEVEL", "verbose");
        tunnels.push(host.start(&mut daemon, Ready::Says("UAPI listener started")));
        let other = 1 - at;
        let set = format!(
            "set {name} listen-port 51820 private-key {} peer {} allowed-ips 10.0.0.0/24 endpoint {}:51820 persistent-keepalive 1",
            keys[at].0,
            keys[other].1,
            [NEAR, FAR][other][0]
        );
        host.runs(&mut command("wg", words(&set)));
        host.runs(&mut command("ip", words(&format!("addr add 10.0.0.{}/24 dev {name}", at + 1))));
        host.runs(&mut command("ip", words(&format!("link set {name} up"))));
    }
    place.near.tries(&mut command("ping", words("-c 5 -i 0.1 -s 300 10.0.0.2")));
    Ok(())
}
