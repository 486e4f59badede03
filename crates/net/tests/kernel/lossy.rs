//! Bulk through a link of ours that loses and delays: our stack at one end, the kernel, behind a TAP device, at the
//! other; and the kernel at both ends as the control.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use thru_net::lab::real::{join, run};
use thru_net::lab::{Lab, LabOptions};
use thru_sim::link::{Chance, LinkConfig, Loss, Pipe};
use thru_sim::{Direction, LinkId, NodeId};
use thru_stack::tcp::{Congestion, TcpConfig};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::MacAddr;

use crate::place::{KERNEL, OURS, Place, cidr, socket};
use crate::transfer::{both_ways, kernel_receives, kernel_sends};

/// 69,000 segments: 690 of them are lost.
const BYTES: usize = 100_000_000;
const LIMIT: Duration = Duration::from_secs(60);

/// 1 % lost each way, a round trip of half a millisecond.
fn lossy() -> LinkConfig {
    let loss = Loss::Random(Chance::percent(1));
    LinkConfig::symmetric(Pipe { loss, delay: Duration::from_micros(250), ..Pipe::default() })
}

pub(crate) fn options(seed: u64) -> LabOptions {
    LabOptions { name: "lossy".to_owned(), seed, epoch_unix_nanos: 0, limit: LIMIT }
}

/// Two stations and the link between them.
pub(crate) fn build(lab: &Lab, tcp: TcpConfig) -> ([NodeId; 2], LinkId) {
    let mut world = lab.world();
    let nodes = ["ours", "kernel"]
        .map(|name| world.add_host(name, HostConfig { tcp: tcp.clone(), ..HostConfig::default() }));
    let interface = |number: u8| {
        let mac = MacAddr([2, 0, 0, 0, 0, number]);
        Some(InterfaceConfig { name: "eth0".to_owned(), medium: Medium::Ethernet, mac, mtu: 1500 })
    };
    let (link, ..) = world.connect("link", (nodes[0], interface(1)), (nodes[1], interface(2)), lossy());
    (nodes, link)
}

fn with_loss(test: &str, congestion: Congestion) {
    let Some(place) = Place::new(test) else { return };
    let Some(tap) = place.tun(test, true, false) else { return };
    let listener = place.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    run(options(7), |lab| async move {
        let (nodes, link) = build(&lab, TcpConfig { congestion, ..TcpConfig::default() });
        lab.world().with_host(nodes[0], |host, _| {
            for address in OURS {
                host.add_address(InterfaceId(0), cidr(address));
            }
        });
        let _joined = join(&lab, nodes[1], InterfaceId(0), Box::new(tap)).expect("it can be watched");
        let network = lab.network(nodes[0], Vec::new());
        let transfer = both_ways(&network, &listener, BYTES);
        let [up, _] = tokio::time::timeout(LIMIT, transfer).await.expect("no stall");
        assert_eq!(up.bytes_acked, BYTES as u64);
        assert!(up.retransmissions > 0, "the link loses packets: {up:?}");
        for direction in [Direction::AToB, Direction::BToA] {
            assert!(lab.world().link_stats(link, direction).lost > 0);
        }
    })
    .expect("a runtime");
    assert_eq!(place.resets_sent(), 0);
}

#[test]
fn new_reno_through_loss() {
    with_loss("lossy::new_reno_through_loss", Congestion::NewReno);
}

#[test]
fn cubic_through_loss() {
    with_loss("lossy::cubic_through_loss", Congestion::Cubic);
}

#[test]
fn bbr1_through_loss() {
    with_loss("lossy::bbr1_through_loss", Congestion::Bbr1);
}

#[test]
fn bbr3_through_loss() {
    with_loss("lossy::bbr3_through_loss", Congestion::Bbr3);
}

/// The control: both ends are the kernel's, each in a namespace of its own behind a TAP device.
#[test]
fn the_kernel_at_both_ends_of_a_lossy_link() {
    let test = "lossy::the_kernel_at_both_ends_of_a_lossy_link";
    let (Some(one), Some(other)) = (Place::new(test), Place::new(test)) else { return };
    let Some(first) = one.tun(test, true, false) else { return };
    // The second kernel takes the addresses that are ours elsewhere.
    let Some(second) = other.tun_at(test, true, false, OURS) else { return };
    let listener = one.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    let to = listener.local_addr().expect("bound");
    run(options(8), |lab| async move {
        let (nodes, _) = build(&lab, TcpConfig::default());
        let _first = join(&lab, nodes[0], InterfaceId(0), Box::new(first)).expect("it can be watched");
        let _second = join(&lab, nodes[1], InterfaceId(0), Box::new(second)).expect("it can be watched");
        let mut again = 0;
        for up in [true, false] {
            let stream: TcpStream = other.connect(to).await;
            let listener = listener.try_clone().expect("a second handle");
            // Not in the runtime: the last segment of the handshake may still be on its way through it.
            let moved = tokio::task::spawn_blocking(move || {
                let accepted = listener.accept().expect("connected").0;
                let (from, into) = if up { (stream, accepted) } else { (accepted, stream) };
                let receiver = kernel_receives(into, BYTES);
                let again = kernel_sends(from, BYTES).join().expect("sent");
                receiver.join().expect("received");
                again
            });
            again += tokio::time::timeout(LIMIT, moved).await.expect("no stall").expect("no panic");
        }
        assert!(again > 0, "the link loses packets");
    })
    .expect("a runtime");
}
