//! Our stack against a kernel over each kind of device, beside two kernels over a virtual wire, in the same run:
//! `cargo bench -p thru-net --bench wires [-- WORDS]`. As root; in namespaces of its own. It prints and never judges.
//!
//! One connection, one direction at a time, after another connection has warmed everything up; rounds of all devices
//! take turns, and the median counts, so that what else the machine does hits all alike. Kernels send with Reno,
//! whatever the machine's default is: a kernel that paces (BBR) is as fast as its timers are kept. Everything runs before
//! ordinary programs (`SCHED_FIFO`, where that is allowed). Words choose devices (`tun`,
//! `tap`, `packet`, `xdp`), or one by its line's title; `alone` leaves the kernels out, `quick`
//! makes it smaller.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use thru_net::ConnectOptions;
use thru_net::iface::Iface;
use thru_os::netlink;
use thru_stack::tcp::TcpConfig;
use thru_wire::MacAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[path = "../tests/kernel/place.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod place;

use place::{KERNEL, OURS, Place, configure, socket, with_mac};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
/// What is written and read at once.
const BLOCK: usize = 1 << 18;

/// A device to compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    KernelToKernel { offload: bool },
    Tun { tap: bool, offload: bool },
    Packet,
    Xdp,
}

const WAYS: [(&str, &str, Way); 8] = [
    ("kernel to kernel, veth", "", Way::KernelToKernel { offload: true }),
    ("TUN with offloads", "tun", Way::Tun { tap: false, offload: true }),
    ("TAP with offloads", "tap", Way::Tun { tap: true, offload: true }),
    ("kernel to kernel, veth, no offloads", "", Way::KernelToKernel { offload: false }),
    ("TUN", "tun", Way::Tun { tap: false, offload: false }),
    ("TAP", "tap", Way::Tun { tap: true, offload: false }),
    ("AF_PACKET, veth", "packet", Way::Packet),
    ("AF_XDP, veth", "xdp", Way::Xdp),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let quick = words.iter().any(|word| word == "quick");
    let alone = words.iter().any(|word| word == "alone");
    let named: Vec<&String> =
        words.iter().filter(|word| !["quick", "alone"].contains(&word.as_str())).collect();
    let wanted = |title: &str, word: &str| {
        let fits =
            |wanted: &&String| (word.is_empty() && !alone) || *wanted == word || title == wanted.as_str();
        named.is_empty() || named.iter().any(fits)
    };
    let (bytes, rounds) = if quick { (200_000_000, 1) } else { (1_000_000_000, 5) };
    if !thru_peers::is_root() {
        println!("DID NOT RUN: the benchmark of devices makes network namespaces: run it as root");
        return;
    }
    let _ = thru_os::schedule::be_punctual();
    let ways: Vec<_> = WAYS.iter().filter(|(title, word, _)| wanted(title, word)).collect();
    let mut results: Vec<[Vec<f64>; 2]> = vec![Default::default(); ways.len()];
    for _ in 0..rounds {
        for (result, (name, _, way)) in results.iter_mut().zip(&ways) {
            match measure(*way, bytes) {
                Some([up, down]) => {
                    result[0].push(up.as_secs_f64());
                    result[1].push(down.as_secs_f64());
                }
                None => println!("DID NOT RUN: {name}"),
            }
        }
    }
    println!("{bytes} bytes each way, median of {rounds}; packets of 1448 bytes of payload");
    println!("{:<37}{:>12}{:>14}{:>12}{:>14}", "", "we send", "packets/s", "we receive", "packets/s");
    for ([up, down], (name, ..)) in results.iter_mut().zip(&ways) {
        let cell = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).map_or(("-".to_owned(), "-".to_owned()), |time| {
                let rate = bytes as f64 / time;
                (format!("{:.2} Gbit/s", rate * 8e-9), format!("{:.0}", rate / 1_448.0))
            })
        };
        let ((up, up_packets), (down, down_packets)) = (cell(up), cell(down));
        println!("{name:<37}{up:>12}{up_packets:>14}{down:>12}{down_packets:>14}");
    }
}

/// How long so many bytes take in each direction.
fn measure(way: Way, bytes: usize) -> Option<[Duration; 2]> {
    let place = without_pacing()?;
    match way {
        Way::KernelToKernel { offload } => two_kernels(&place, bytes, offload),
        Way::Tun { tap, offload } => {
            let device = place.tun("wires", tap, offload)?;
            Some(ours(&place, bytes, || with_mac(device, TcpConfig::default(), None)))
        }
        Way::Packet => {
            let device = place.packet_socket(false);
            without_offloads(&place, "thru0");
            Some(ours(&place, bytes, || with_mac(device, TcpConfig::default(), None)))
        }
        Way::Xdp => {
            let device = place.xdp("wires", MAC)?;
            Some(ours(&place, bytes, || with_mac(device, TcpConfig::default(), Some(MAC))))
        }
    }
}

/// A namespace whose kernel does not pace.
fn without_pacing() -> Option<Place> {
    let place = Place::new("wires")?;
    place
        .within(|| std::fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "reno"))
        .expect("every kernel has Reno, for everybody");
    Some(place)
}

/// Our stack against the kernel of the place.
fn ours(place: &Place, bytes: usize, host: impl FnOnce() -> Iface) -> [Duration; 2] {
    let listener = place.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    let to = listener.local_addr().expect("bound");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let iface = host();
        let network = iface.network();
        let mut times = [Duration::ZERO; 2];
        for (index, bytes) in [(0, bytes / 20), (1, bytes / 20), (0, bytes), (1, bytes)] {
            let kernel = listener.try_clone().expect("a descriptor to spare");
            let peer = std::thread::spawn(move || {
                let stream = kernel.accept().expect("we connect").0;
                if index == 0 { receive(stream) } else { send(stream, bytes) }
            });
            let mut stream =
                network.connect_tcp(to, ConnectOptions::default()).await.expect("the kernel listens");
            let mut block = vec![0; BLOCK];
            let began = Instant::now();
            if index == 0 {
                let mut left = bytes;
                while left > 0 {
                    let length = left.min(BLOCK);
                    stream.write_all(&block[..length]).await.expect("the connection lives");
                    left -= length;
                }
                stream.shutdown().await.expect("the connection lives");
                assert_eq!(stream.read(&mut block).await.expect("a clean end"), 0);
            } else {
                let mut got = 0;
                loop {
                    match stream.read(&mut block).await.expect("the connection lives") {
                        0 => break,
                        length => got += length,
                    }
                }
                assert_eq!(got, bytes);
                stream.shutdown().await.expect("the connection lives");
            }
            times[index] = began.elapsed();
            if std::env::var_os("WIRES_STATS").is_some() {
                println!("{index} {:?} {:?}", iface.stats(), stream.info());
            }
            drop(stream);
            tokio::task::spawn_blocking(move || peer.join()).await.expect("no panic").expect("done");
        }
        times
    })
}

/// The kernel at both ends, each in a namespace of its own.
fn two_kernels(place: &Place, bytes: usize, offload: bool) -> Option<[Duration; 2]> {
    let other = without_pacing()?;
    place
        .within(|| {
            netlink::add_veth("thru0", "thru1")?;
            netlink::move_to(netlink::link("thru1")?.index, other.namespace())?;
            configure("thru0", KERNEL)
        })
        .expect("a wire");
    other.within(|| configure("thru1", OURS)).expect("a wire");
    let ready = offload || (without_offloads(place, "thru0") && without_offloads(&other, "thru1"));
    if !ready {
        return None;
    }
    let listener = place.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    let to: SocketAddr = listener.local_addr().expect("bound");
    let mut times = [Duration::ZERO; 2];
    for (index, bytes) in [(0, bytes / 20), (1, bytes / 20), (0, bytes), (1, bytes)] {
        let stream = other.within(|| TcpStream::connect(to)).expect("it listens");
        let accepted = listener.accept().expect("connected").0;
        let began = Instant::now();
        let peer =
            std::thread::spawn(move || if index == 0 { receive(accepted) } else { send(accepted, bytes) });
        if index == 0 {
            send(stream, bytes);
        } else {
            receive(stream);
        }
        times[index] = began.elapsed();
        peer.join().expect("done");
    }
    Some(times)
}

fn send(mut stream: TcpStream, bytes: usize) {
    let block = vec![0; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(BLOCK);
        stream.write_all(&block[..length]).expect("the connection lives");
        left -= length;
    }
    stream.shutdown(Shutdown::Write).expect("the connection lives");
    assert_eq!(stream.read(&mut [0]).expect("a clean end"), 0);
}

fn receive(mut stream: TcpStream) {
    let mut block = vec![0; BLOCK];
    while stream.read(&mut block).expect("the connection lives") > 0 {}
}

/// Lets an interface send and receive packet by packet.
fn without_offloads(place: &Place, interface: &str) -> bool {
    let Some(ethtool) = thru_peers::peer("wires", "ethtool", "ethtool") else { return false };
    let arguments = ["-K", interface, "tso", "off", "gso", "off", "gro", "off"];
    let output = place.within(|| std::process::Command::new(ethtool).args(arguments).output());
    output.is_ok_and(|output| output.status.success())
}
