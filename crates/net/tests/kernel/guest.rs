//! Another Linux as the peer: one that runs as a user's program (user-mode Linux), with a kernel other than this
//! machine's. It boots from this machine's files, with this very test as its first program.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use thru_net::lab::real::{join, run};
use thru_net::{ConnectOptions, Network};
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::netlink;
use thru_sim::Direction;
use thru_stack::InterfaceId;
use thru_stack::tcp::{Congestion, TcpConfig};

use crate::lossy::{build, options};
use crate::place::{KERNEL, OURS, Place, cidr, ours, socket};
use crate::program::Server;
use crate::transfer::{self, kernel_receives, kernel_sends, we_receive, we_send};

/// Each way, through a wire without loss and through one with.
const BYTES: usize = 100_000_000;
/// Nothing takes so long here; a stall becomes a failure.
const LIMIT: Duration = Duration::from_secs(100);
/// Where the guest takes bytes, and where it gives them.
const TAKES: u16 = 9_001;
const GIVES: u16 = 9_002;
/// Set in the guest only.
const INSIDE: &str = "THRU_TEST_GUEST";

/// What the guest does, in the guest; elsewhere nothing.
#[test]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    // This kernel has no IPv6 without its modules.
    let link = netlink::link("vec0").expect("its interface is there");
    netlink::set_up(link.index, true).expect("it can be switched on");
    netlink::add_address(link.index, cidr(KERNEL[0])).expect("it takes an address");
    let listen = |port| TcpListener::bind(socket(KERNEL[0], port)).expect("a fresh kernel's port is free");
    let (takes, gives) = (listen(TAKES), listen(GIVES));
    std::thread::spawn(move || {
        for stream in gives.incoming() {
            let again = kernel_sends(stream.expect("accepted"), BYTES).join().expect("sent");
            println!("guest: sent, {again} segments again");
        }
    });
    println!("guest: ready");
    for stream in takes.incoming() {
        kernel_receives(stream.expect("accepted"), BYTES).join().expect("received");
        println!("guest: everything came");
    }
}

/// A guest, and our end of the wire to it. `None`: `test` did not run.
fn guest(place: &Place, test: &str) -> Option<(Server, PacketSocket)> {
    let program = thru_peers::peer(test, "linux.uml", "user-mode-linux")?;
    let device = place
        .within(|| {
            netlink::add_veth("thru0", "thru1")?;
            for name in ["thru0", "thru1"] {
                // This machine's kernel is to keep silent on this wire.
                let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
                netlink::set_up(netlink::link(name)?.index, true)?;
            }
            // Without offloads: the guest's driver loses most super-segments.
            PacketSocket::open(&PacketConfig { interface: "thru1".into(), promiscuous: true, offload: false })
        })
        .expect("who may make networks may open packet sockets");
    let first = std::env::current_exe().expect("a test knows its program");
    let init = format!("init={}", first.display());
    let inside = format!("{INSIDE}=1");
    let arguments = [
        "mem=192M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "ro",
        "quiet",
        "con=null",
        "con0=null,fd:2",
        "vec0:transport=raw,ifname=thru0",
        &inside,
        &init,
        "--",
        "--exact",
        "guest::inside",
        "--nocapture",
    ];
    Some((Server::start(place, &program, &arguments, "guest: ready"), device))
}

/// Everything up, then everything down, each on a connection of its own; segments that we sent again.
async fn both_ways(network: &Network, guest: &mut Server) -> u64 {
    let to = |port| SocketAddr::new(cidr(KERNEL[0]).address(), port);
    let mut up = network.connect_tcp(to(TAKES), ConnectOptions::default()).await.expect("the guest listens");
    we_send(&mut up, BYTES).await;
    let mut down =
        network.connect_tcp(to(GIVES), ConnectOptions::default()).await.expect("the guest listens");
    we_receive(&mut down, BYTES).await;
    guest.wait_for("guest: everything came");
    up.info().expect("known").retransmissions
}

fn over_a_wire(test: &str, congestion: Congestion) {
    let Some(place) = Place::new(test) else { return };
    let Some((mut guest, device)) = guest(&place, test) else { return };
    transfer::run_for(LIMIT, async {
        let iface = ours(device, TcpConfig { congestion, ..TcpConfig::default() });
        both_ways(&iface.network(), &mut guest).await;
    });
}

fn through_loss(test: &str, congestion: Congestion) {
    let Some(place) = Place::new(test) else { return };
    let Some((mut guest, device)) = guest(&place, test) else { return };
    run(options(9), |lab| async move {
        let (nodes, link) = build(&lab, TcpConfig { congestion, ..TcpConfig::default() });
        lab.world().with_host(nodes[0], |host, _| host.add_address(InterfaceId(0), cidr(OURS[0])));
        let _joined = join(&lab, nodes[1], InterfaceId(0), Box::new(device)).expect("it can be watched");
        let network = lab.network(nodes[0], Vec::new());
        let again = tokio::time::timeout(LIMIT, both_ways(&network, &mut guest)).await.expect("no stall");
        assert!(again > 0, "the link loses packets");
        for direction in [Direction::AToB, Direction::BToA] {
            assert!(lab.world().link_stats(link, direction).lost > 0);
        }
    })
    .expect("a runtime");
}

#[test]
fn new_reno() {
    over_a_wire("guest::new_reno", Congestion::NewReno);
}

#[test]
fn cubic() {
    over_a_wire("guest::cubic", Congestion::Cubic);
}

#[test]
fn bbr1() {
    over_a_wire("guest::bbr1", Congestion::Bbr1);
}

#[test]
fn bbr3() {
    over_a_wire("guest::bbr3", Congestion::Bbr3);
}

#[test]
fn new_reno_through_loss() {
    through_loss("guest::new_reno_through_loss", Congestion::NewReno);
}

#[test]
fn cubic_through_loss() {
    through_loss("guest::cubic_through_loss", Congestion::Cubic);
}

#[test]
fn bbr1_through_loss() {
    through_loss("guest::bbr1_through_loss", Congestion::Bbr1);
}

#[test]
fn bbr3_through_loss() {
    through_loss("guest::bbr3_through_loss", Congestion::Bbr3);
}
