//! Bulk transfers, intact to the byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use thru_net::{ConnectOptions, Network};
use thru_os::device::Pollable;
use thru_stack::tcp::{Congestion, TcpConfig};
use thru_wire::MacAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::{KERNEL, OURS, Place, address, ours, socket, with_mac};

/// Long enough to leave slow start and to fill every buffer many times.
const BYTES: usize = 100_000_000;
/// Segments of 69,000 that may be sent again although none was lost. On an idle machine there is none; on a loaded one
/// a process may wait for its turn longer than a tail-loss probe does (RFC 8985 7.2: two round trips, here 60 µs).
pub(crate) const SPURIOUS: u64 = 20;
/// Nothing here takes so long; a stall becomes a failure.
const LIMIT: Duration = Duration::from_secs(20);

/// Bytes that tell their place: a shift, a swap or a hole shows. Its length is prime, so that no power of two hides one.
pub(crate) fn pattern() -> Vec<u8> {
    const LENGTH: usize = 65_537;
    let mut state = 0x2545_f491_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..LENGTH).map(next).collect()
}

/// Compares what comes with the pattern.
struct Checker {
    pattern: Vec<u8>,
    position: usize,
}

impl Checker {
    fn new() -> Checker {
        Checker { pattern: pattern(), position: 0 }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let expected = &self.pattern[self.position % self.pattern.len()..];
            let length = expected.len().min(bytes.len());
            assert!(expected[..length] == bytes[..length], "the bytes from {} on differ", self.position);
            self.position += length;
            bytes = &bytes[length..];
        }
    }
}

pub(crate) fn kernel_sends(mut stream: TcpStream, bytes: usize) -> JoinHandle<u32> {
    std::thread::spawn(move || {
        let pattern = pattern();
        let mut left = bytes;
        while left > 0 {
            let length = left.min(pattern.len());
            stream.write_all(&pattern[..length]).expect("the connection lives");
            left -= length;
        }
        stream.shutdown(Shutdown::Write).expect("the connection lives");
        // The other side closes when it has everything.
        assert_eq!(stream.read(&mut [0]).expect("a clean end"), 0);
        thru_os::tcp_info::read(&stream).map_or(0, |info| info.total_retransmissions)
    })
}

pub(crate) fn kernel_receives(mut stream: TcpStream, bytes: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut checker = Checker::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match stream.read(&mut buffer).expect("the connection lives") {
                0 => break,
                length => checker.take(&buffer[..length]),
            }
        }
        assert_eq!(checker.position, bytes);
    })
}

pub(crate) async fn we_send(stream: &mut thru_net::TcpStream, bytes: usize) {
    let pattern = pattern();
    let mut left = bytes;
    while left > 0 {
        let length = left.min(pattern.len());
        stream.write_all(&pattern[..length]).await.expect("the connection lives");
        left -= length;
    }
    stream.shutdown().await.expect("the connection lives");
    assert_eq!(stream.read(&mut [0]).await.expect("a clean end"), 0);
}

pub(crate) async fn we_receive(stream: &mut thru_net::TcpStream, bytes: usize) {
    let mut checker = Checker::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match stream.read(&mut buffer).await.expect("the connection lives") {
            0 => break,
            length => checker.take(&buffer[..length]),
        }
    }
    assert_eq!(checker.position, bytes);
    stream.shutdown().await.expect("the connection lives");
}

/// The kernel's next connection: the end of our handshake may still be on its way.
async fn accepted(listener: &TcpListener) -> TcpStream {
    let listener = listener.try_clone().expect("a descriptor to spare");
    let accept = tokio::task::spawn_blocking(move || listener.accept());
    accept.await.expect("no panic").expect("somebody connects").0
}

/// Waits for a thread while our tasks go on: what it waits for may be theirs to send.
async fn joined<T: Send + 'static>(thread: JoinHandle<T>) -> T {
    let waited = tokio::task::spawn_blocking(move || thread.join());
    waited.await.expect("no panic").expect("the kernel's side has done its part")
}

/// We connect to a listener of the kernel's; then bytes flow up, then down, each on a connection of its own.
pub(crate) async fn both_ways(
    network: &Network,
    listener: &TcpListener,
    bytes: usize,
) -> [thru_net::TcpInfo; 2] {
    let to = listener.local_addr().expect("it is bound");
    let mut up = network.connect_tcp(to, ConnectOptions::default()).await.expect("the kernel listens");
    let receiver = kernel_receives(accepted(listener).await, bytes);
    we_send(&mut up, bytes).await;
    joined(receiver).await;
    let mut down = network.connect_tcp(to, ConnectOptions::default()).await.expect("the kernel listens");
    let sender = kernel_sends(accepted(listener).await, bytes);
    we_receive(&mut down, bytes).await;
    joined(sender).await;
    [up.info().expect("known"), down.info().expect("known")]
}

#[track_caller]
pub(crate) fn run<F: Future>(main: F) -> F::Output {
    run_for(LIMIT, main)
}

#[track_caller]
pub(crate) fn run_for<F: Future>(limit: Duration, main: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(limit, main).await.expect("no stall") })
}

/// Our stack as client over a clean device: we send nothing twice, nobody resets, and where the wire keeps the order
/// (`in_order`) the kernel sends nothing twice either.
fn clean(
    place: &Place,
    device: impl Pollable + 'static,
    congestion: Congestion,
    kernel: &str,
    in_order: bool,
) {
    let listener = place.within(|| TcpListener::bind(socket(kernel, 0))).expect("the kernel listens");
    run(async {
        let iface = ours(device, TcpConfig { congestion, ..TcpConfig::default() });
        let [up, down] = both_ways(&iface.network(), &listener, BYTES).await;
        assert_eq!(up.bytes_acked, BYTES as u64);
        assert!(up.retransmissions <= SPURIOUS, "{up:?}");
        assert!(!in_order || down.duplicates_received <= SPURIOUS, "{down:?}");
        assert_eq!(iface.stats().dropped, 0);
    });
    assert!(!in_order || place.retransmissions() <= SPURIOUS);
    assert_eq!(place.resets_sent(), 0);
}

#[test]
fn new_reno_over_a_plain_tun() {
    let test = "transfer::new_reno_over_a_plain_tun";
    let Some(place) = Place::new(test) else { return };
    let Some(tun) = place.tun(test, false, false) else { return };
    clean(&place, tun, Congestion::NewReno, KERNEL[0], true);
}

#[test]
fn cubic_over_a_tun_with_offload() {
    let test = "transfer::cubic_over_a_tun_with_offload";
    let Some(place) = Place::new(test) else { return };
    let Some(tun) = place.tun(test, false, true) else { return };
    clean(&place, tun, Congestion::Cubic, KERNEL[1], true);
}

/// BBR paces: what its timer is worth shows here.
#[test]
fn bbr_over_tap_devices() {
    let test = "transfer::bbr_over_tap_devices";
    for congestion in [Congestion::Bbr1, Congestion::Bbr3] {
        let Some(place) = Place::new(test) else { return };
        let Some(tap) = place.tun(test, true, true) else { return };
        clean(&place, tap, congestion, KERNEL[0], true);
    }
}

#[test]
fn cubic_over_a_packet_socket() {
    let Some(place) = Place::new("transfer::cubic_over_a_packet_socket") else { return };
    let device = place.packet_socket(false);
    // A veth wire has a queue on each processor: what the kernel sends from two of them may change places.
    clean(&place, device, Congestion::Cubic, KERNEL[1], false);
}

#[test]
fn new_reno_over_a_packet_socket_with_offload() {
    let Some(place) = Place::new("transfer::new_reno_over_a_packet_socket_with_offload") else { return };
    let device = place.packet_socket(true);
    clean(&place, device, Congestion::NewReno, KERNEL[0], false);
}

/// Sequence numbers do not come round in it, but windows, buffers and timers do, a great many times.
#[test]
fn a_gigabyte_each_way_arrives_intact() {
    const GIGABYTE: usize = 1_000_000_000;
    let test = "transfer::a_gigabyte_each_way_arrives_intact";
    let Some(place) = Place::new(test) else { return };
    let Some(tun) = place.tun(test, false, true) else { return };
    let listener = place.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    run_for(Duration::from_secs(120), async {
        let iface = ours(tun, TcpConfig::default());
        let [up, down] = both_ways(&iface.network(), &listener, GIGABYTE).await;
        assert_eq!((up.bytes_acked, down.bytes_received), (GIGABYTE as u64, GIGABYTE as u64));
        assert!(up.retransmissions <= SPURIOUS && down.duplicates_received <= SPURIOUS, "{up:?} {down:?}");
        assert_eq!(iface.stats().dropped, 0);
    });
    assert!(place.retransmissions() <= SPURIOUS);
    assert_eq!(place.resets_sent(), 0);
}

/// AF_XDP, IPv4 and IPv6: the kernel never sees a packet to us, and keeps those to itself.
#[test]
fn cubic_over_af_xdp() {
    let test = "transfer::cubic_over_af_xdp";
    for kernel in KERNEL {
        let Some(place) = Place::new(test) else { return };
        let mac = MacAddr([2, 0, 0, 0, 0, 7]);
        let Some(device) = place.xdp(test, mac) else { return };
        let listener = place.within(|| TcpListener::bind(socket(kernel, 0))).expect("the kernel listens");
        run(async {
            let iface = with_mac(device, TcpConfig::default(), Some(mac));
            let [up, _] = both_ways(&iface.network(), &listener, BYTES).await;
            assert_eq!(up.bytes_acked, BYTES as u64);
            assert!(up.retransmissions <= SPURIOUS, "{up:?}");
            assert_eq!(iface.stats().dropped, 0);
        });
        assert_eq!(place.resets_sent(), 0);
    }
}

/// The kernel connects to us.
#[test]
fn our_listener_serves_the_kernel() {
    let test = "transfer::our_listener_serves_the_kernel";
    let Some(place) = Place::new(test) else { return };
    let Some(tun) = place.tun(test, true, false) else { return };
    run(async {
        let iface = ours(tun, TcpConfig::default());
        let network = iface.network();
        let listener = network.listen_tcp(socket(OURS[0], 8_080), 16).await.expect("our port is free");
        for upload in [true, false] {
            let (theirs, accepted) = tokio::join!(place.connect(socket(OURS[0], 8_080)), async {
                listener.accept().await.expect("the kernel connects")
            },);
            let (mut stream, peer) = accepted;
            assert_eq!(peer.ip(), address(KERNEL[0]));
            if upload {
                let sender = kernel_sends(theirs, BYTES);
                we_receive(&mut stream, BYTES).await;
                let again = sender.join().expect("sent");
                assert!(u64::from(again) <= SPURIOUS, "the kernel sent {again} segments again");
            } else {
                let receiver = kernel_receives(theirs, BYTES);
                we_send(&mut stream, BYTES).await;
                receiver.join().expect("received");
                assert!(stream.info().expect("known").retransmissions <= SPURIOUS);
            }
        }
    });
    assert_eq!(place.resets_sent(), 0);
}

/// The control: the same bytes with the kernel at both ends.
#[test]
fn the_kernel_at_both_ends() {
    let test = "transfer::the_kernel_at_both_ends";
    let Some(place) = Place::new(test) else { return };
    let listener = place.within(|| TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let to = listener.local_addr().expect("bound");
    for up in [true, false] {
        let stream = place.within(|| TcpStream::connect(to)).expect("it listens");
        let accepted = listener.accept().expect("connected").0;
        let (from, into) = if up { (stream, accepted) } else { (accepted, stream) };
        let receiver = kernel_receives(into, BYTES);
        // Over loopback the kernel now and then prunes its own receive queue and sends again: that is no fault here.
        kernel_sends(from, BYTES).join().expect("sent");
        receiver.join().expect("received");
    }
    assert_eq!(place.resets_sent(), 0);
}
