//! Every kind of device, either family, our stack as client and as server: each way the bytes arrive intact, the kernel
//! resets nothing, and nobody sends anything twice. `cargo bench -p thru-net --bench intact` does the same with a gigabyte.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use thru_net::iface::Iface;
use thru_os::device::Pollable;
use thru_stack::tcp::TcpConfig;
use thru_wire::MacAddr;

use crate::place::{KERNEL, OURS, Place, boxed, socket};
use crate::transfer::{SPURIOUS, both_ways, kernel_receives, kernel_sends, run_for, we_receive, we_send};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);

/// What is between the kernel and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Tap,
    Packet,
    Xdp,
}

pub(crate) const WIRES: [Wire; 3] = [Wire::Tap, Wire::Packet, Wire::Xdp];

/// So many bytes up and as many down, each on a connection of its own; how long that took. `None`: it has been said why
/// `test` did not run. `family`: 0 for IPv4, 1 for IPv6.
pub(crate) fn carry(test: &str, wire: Wire, family: usize, server: bool, bytes: usize) -> Option<Duration> {
    // A virtual wire has a queue on each processor, and what the kernel sends from two of them changes places. On one
    // processor the link is clean: whatever is sent again is somebody's mistake.
    thru_os::schedule::stay_here().expect("a processor to stay on");
    let place = Place::new(test)?;
    let device: Box<dyn Pollable> = match wire {
        Wire::Tap => Box::new(place.tun(test, true, true)?),
        Wire::Packet => Box::new(place.packet_socket(false)),
        Wire::Xdp => Box::new(place.xdp(test, MAC)?),
    };
    let began = Instant::now();
    run_for(Duration::from_secs(30 + bytes as u64 / 5_000_000), async {
        let iface = boxed(device, TcpConfig::default(), Some(MAC));
        let sent_again = if server {
            serve(&place, &iface, family, bytes).await
        } else {
            let listener =
                place.within(|| TcpListener::bind(socket(KERNEL[family], 0))).expect("the kernel listens");
            let [up, down] = both_ways(&iface.network(), &listener, bytes).await;
            assert_eq!((up.bytes_acked, down.bytes_received), (bytes as u64, bytes as u64));
            up.retransmissions + down.retransmissions
        };
        assert!(sent_again <= SPURIOUS, "we sent {sent_again} segments again");
        assert_eq!((iface.stats().dropped, iface.failure()), (0, None));
    });
    let again = place.retransmissions();
    assert!(again <= SPURIOUS, "the kernel sent {again} segments again");
    assert_eq!(place.resets_sent(), 0);
    Some(began.elapsed())
}

/// The kernel connects to us twice; how many segments we sent again.
async fn serve(place: &Place, iface: &Iface, family: usize, bytes: usize) -> u64 {
    let to = socket(OURS[family], 8_080);
    let listener = iface.network().listen_tcp(to, 16).await.expect("our port is free");
    let mut sent_again = 0;
    for upload in [true, false] {
        let (theirs, accepted) =
            tokio::join!(place.connect(to), async { listener.accept().await.expect("the kernel connects") });
        let (mut stream, _) = accepted;
        if upload {
            let sender = kernel_sends(theirs, bytes);
            we_receive(&mut stream, bytes).await;
            sender.join().expect("sent");
        } else {
            let receiver = kernel_receives(theirs, bytes);
            we_send(&mut stream, bytes).await;
            receiver.join().expect("received");
        }
        sent_again += stream.info().expect("known").retransmissions;
    }
    sent_again
}

#[test]
fn every_device_family_and_role() {
    let test = "matrix::every_device_family_and_role";
    for wire in WIRES {
        for family in [0, 1] {
            for server in [false, true] {
                if carry(test, wire, family, server, 10_000_000).is_none() {
                    return;
                }
            }
        }
    }
}
