//! The pair itself: repeatable, lossy as told, and unable to hang.

use super::*;
use crate::tcp::TcpConnectOptions;
use crate::udp::UdpSend;

fn lossy(seed: u64) -> Link {
    Link {
        loss: 50_000_000,
        duplicate: 20_000_000,
        reorder: 20_000_000,
        rate: 10_000_000,
        seed,
        ..Link::default()
    }
}

/// A transfer over `link`: what entered the link, and what arrived.
fn transfer(link: Link) -> (Vec<Sent>, Vec<u8>) {
    let mut pair = Pair::over(link);
    pair.log = Some(Vec::new());
    let listener = pair.b.tcp_listen((B6, 80).into(), 1).unwrap();
    let now = pair.now();
    let client = pair.a.tcp_connect(now, None, (B6, 80).into(), TcpConnectOptions::default()).unwrap();
    let data: Vec<u8> = (0..50_000_u32).map(|index| (index % 253) as u8).collect();
    let (mut written, mut server, mut got) = (0, None, Vec::new());
    let mut buffer = [0; 4_096];
    let done = pair.run_until_true(20_000, |pair| {
        let now = pair.now();
        if written < data.len() && pair.a.tcp_connected(client) == Some(Ok(())) {
            written += pair.a.tcp_write(now, client, &data[written..]).unwrap();
            if written == data.len() {
                pair.a.tcp_shutdown(now, client).unwrap();
            }
        }
        server = server.or_else(|| pair.b.tcp_accept(listener));
        let Some(server) = server else { return false };
        loop {
            match pair.b.tcp_read(now, server, &mut buffer).unwrap() {
                None => return false,
                Some(0) => return true,
                Some(len) => got.extend_from_slice(&buffer[..len]),
            }
        }
    });
    assert!(done, "the connection went to sleep");
    assert_eq!(got, data);
    (pair.log.take().unwrap(), got)
}

#[test]
fn the_same_seed_gives_the_same_frames_and_another_does_not() {
    let (first, _) = transfer(lossy(1));
    let (again, _) = transfer(lossy(1));
    let (other, _) = transfer(lossy(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.iter().any(|sent| sent.lost));
}

#[test]
fn a_filter_takes_what_it_wants() {
    let mut pair = Pair::over(Link::default());
    pair.filter = Some(Box::new(|side, _| side == Side::B));
    let (now, socket) = (pair.now(), pair.a.udp_bind((A4, 0).into()).unwrap());
    let to = (B4, 53).into();
    let send = UdpSend { to, from: None, payload: b"x", ttl: None, ecn: 0, dont_fragment: false };
    pair.a.udp_send(now, socket, send).unwrap();
    pair.run_until_idle(100);
    // Three questions for the address, all lost.
    assert_eq!((pair.frames(), pair.now()), (3, Instant::from_millis(3_000)));
    assert!(pair.a.udp_error(socket).is_some());
}

#[test]
fn the_rate_and_the_delay_count() {
    let mut pair = Pair::over(Link { rate: 8_000_000, medium: Medium::Ip, ..Link::default() });
    let (now, socket) = (pair.now(), pair.a.udp_bind((A4, 0).into()).unwrap());
    let server = pair.b.udp_bind((B4, 53).into()).unwrap();
    for _ in 0..2 {
        let to = (B4, 53).into();
        let send = UdpSend { to, from: None, payload: &[0; 972], ttl: None, ecn: 0, dont_fragment: false };
        pair.a.udp_send(now, socket, send).unwrap();
    }
    pair.run_until_idle(10);
    let at = [0; 2].map(|_| pair.b.udp_receive(server).unwrap().rx_time);
    assert_eq!(at, [Instant::from_millis(11), Instant::from_millis(12)]);
}

#[test]
#[should_panic(expected = "still busy after 2 steps")]
fn too_many_steps_are_told() {
    let mut pair = Pair::over(Link::default());
    let (now, socket) = (pair.now(), pair.a.udp_bind((A4, 0).into()).unwrap());
    let to = (B4, 53).into();
    let send = UdpSend { to, from: None, payload: b"x", ttl: None, ecn: 0, dont_fragment: false };
    pair.a.udp_send(now, socket, send).unwrap();
    pair.run_until_idle(2);
}
