//! One loop between a host of ours and a device, whatever the device is: a TUN device, a packet socket, AF_XDP, or the end
//! of a simulated link. And what arrival times are worth on each.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use thru_net::iface::{Iface, IfaceOptions, attach};
use thru_net::lab::LabOptions;
use thru_net::lab::real::{port, run as real_time};
use thru_net::{ConnectOptions, Network};
use thru_os::clock;
use thru_os::device::{Device, Pollable, Stamps};
use thru_sim::link::Loss;
use thru_sim::{LinkConfig, Pipe};
use thru_stack::tcp::TcpConfig;
use thru_stack::{Frame, HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::MacAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::{KERNEL, OURS, Place, cidr, socket, with_mac};
use crate::transfer::{pattern, run};

const BYTES: usize = 1_000_000;

/// Through the loop and back: what the peer gives back is what was sent.
async fn echo(iface: &Iface, to: SocketAddr) {
    let stream = iface.network().connect_tcp(to, ConnectOptions::default()).await.expect("somebody listens");
    let sent: Vec<u8> = pattern().into_iter().cycle().take(BYTES).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let mut back = vec![0; BYTES];
    let (written, got) = tokio::join!(write.write_all(&sent), read.read_exact(&mut back));
    written.expect("written");
    got.expect("all of it comes back");
    assert!(back == sent, "it came back changed");
    assert_eq!((iface.failure(), iface.stats().dropped), (None, 0));
}

fn with_the_kernel(place: &Place, device: impl Pollable + 'static, mac: Option<MacAddr>, stamps: Stamps) {
    let listener = place.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    let to = listener.local_addr().expect("bound");
    let server = std::thread::spawn(move || {
        let (mut read, _) = listener.accept().expect("we connect");
        let mut write = read.try_clone().expect("a descriptor to spare");
        let _ = std::io::copy(&mut read, &mut write);
    });
    run(async {
        let iface = with_mac(device, TcpConfig::default(), mac);
        assert_eq!(iface.stamps(), stamps);
        echo(&iface, to).await;
        iface.settle(Duration::from_secs(5)).await;
    });
    server.join().expect("the kernel's side ends");
    assert_eq!(place.resets_sent(), 0);
}

#[test]
fn over_devices_of_the_machine() {
    let test = "loops::over_devices_of_the_machine";
    let mac = MacAddr([2, 0, 0, 0, 0, 7]);
    let Some(place) = Place::new(test) else { return };
    with_the_kernel(&place, place.packet_socket(true), None, Stamps::Kernel);
    let Some(place) = Place::new(test) else { return };
    if let Some(tun) = place.tun(test, true, true) {
        with_the_kernel(&place, tun, None, Stamps::Fetched);
    }
    let Some(place) = Place::new(test) else { return };
    if let Some(xdp) = place.xdp(test, mac) {
        with_the_kernel(&place, xdp, Some(mac), Stamps::Fetched);
    }
}

/// The same over links of the simulator's: one that carries super-segments whole, and one that loses packets.
#[test]
fn over_a_simulated_link() {
    let delay = Duration::from_millis(1);
    for loss in [Loss::None, Loss::Every(100)] {
        let options =
            LabOptions { name: "loop".to_owned(), seed: 1, epoch_unix_nanos: 0, limit: Duration::MAX };
        let done = real_time(options, |lab| async move {
            let (inside, outside) = {
                let mut world = lab.world();
                let nodes = ["inside", "outside"].map(|name| world.add_host(name, HostConfig::default()));
                let interface = |number: u8| {
                    let mac = MacAddr([2, 0, 0, 0, 0, number]);
                    Some(InterfaceConfig {
                        name: "eth0".to_owned(),
                        medium: Medium::Ethernet,
                        mac,
                        mtu: 1_500,
                    })
                };
                let config = LinkConfig::symmetric(Pipe { delay, loss, ..Pipe::default() });
                world.connect("wire", (nodes[0], interface(0)), (nodes[1], interface(1)), config);
                world.with_host(nodes[0], |host, _| host.add_address(InterfaceId(0), cidr(KERNEL[0])));
                (nodes[0], nodes[1])
            };
            let network: Network = lab.network(inside, Vec::new());
            let listener = network.listen_tcp(socket(KERNEL[0], 7), 4).await.expect("free");
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("we connect");
                let (mut read, mut write) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            let end = port(&lab, outside, InterfaceId(0)).expect("connected");
            let options = IfaceOptions { addresses: vec![cidr(OURS[0])], ..IfaceOptions::default() };
            let iface = attach(Box::new(end), options).expect("it can be watched");
            assert_eq!(iface.stamps(), Stamps::Simulated);
            let began = clock::now();
            echo(&iface, socket(KERNEL[0], 7)).await;
            // A handshake and the bytes there and back: the link's delay is real.
            assert!(clock::now().since(began) >= 4 * delay);
        });
        done.expect("a runtime");
    }
}

/// However late a frame is fetched from a packet socket, it has the time at which it came. Elsewhere nobody knows that.
#[test]
fn the_kernel_says_when_frames_came() {
    let test = "loops::the_kernel_says_when_frames_came";
    let arrived = |place: &Place, device: &mut dyn Device| {
        let shouts = place.within(|| UdpSocket::bind(socket(KERNEL[0], 0))).expect("a port");
        shouts.set_broadcast(true).expect("set");
        shouts.send_to(b"now", "192.0.2.255:9").expect("the wire takes it");
        let after = clock::now();
        let mut frames = Vec::<Frame>::new();
        // It is there already: sending over a virtual wire is receiving.
        while device.recv_batch(&mut frames, 64).expect("it works") > 0 {}
        let frame = frames.iter().find(|frame| frame.bytes.ends_with(b"now")).expect("it came");
        (frame.rx_time, after)
    };
    let Some(place) = Place::new(test) else { return };
    let mut device = place.packet_socket(false);
    let (came, after) = arrived(&place, &mut device);
    assert!(came <= after, "{came:?} is when it was fetched, not when it came ({after:?})");
    let Some(place) = Place::new(test) else { return };
    let Some(mut device) = place.tun(test, false, false) else { return };
    let (came, after) = arrived(&place, &mut device);
    assert!(came >= after);
}
