use super::*;
use std::net::{TcpListener, TcpStream, UdpSocket};

#[test]
fn tables_as_the_kernel_writes_them() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
                    1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 0 1 0 20 4 30 10 -1\n\
                    2: nonsense\n";
    let found: Vec<_> = rows(table).collect();
    assert_eq!(found, [("127.0.0.1:8080".parse().unwrap(), "0.0.0.0:0".parse().unwrap(), 4711)]);
    let mapped = "0000000000000000FFFF00000100007F:0035";
    assert_eq!(end(mapped), Some("127.0.0.1:53".parse().unwrap()));
    assert_eq!(end("B80D01200000000000000000010000000:0035"), None);
}

#[test]
fn our_own_sockets_are_ours() {
    let us = std::process::id();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (own, other) = (stream.local_addr().expect("bound"), stream.peer_addr().expect("connected"));
    let mut owners = Owners::new();
    for (a, b) in [(own, other), (other, own)] {
        let owner = owners.of(Transport::Tcp, a, b).expect("the kernel tells");
        assert_eq!(owner.process, us, "{owner:?}");
        assert!(!owner.name.is_empty());
    }
    drop((stream, listener.accept()));
    // The connection has gone; whose port it was is known.
    let owner = Owners::new().of(Transport::Tcp, "127.0.0.1:1".parse().unwrap(), other);
    assert_eq!(owner.map(|owner| owner.process), Some(us));
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    let mut owners = Owners::new();
    let found = owners.of(
        Transport::Udp,
        SocketAddr::from(([127, 0, 0, 1], port)),
        SocketAddr::from(([192, 0, 2, 1], 53)),
    );
    assert_eq!(found.map(|owner| owner.process), Some(us));
}

#[test]
fn what_a_look_cost_too_much_is_paid_before_the_next() {
    let mut owners = Owners::new();
    let nobody = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
    // Each of these is a reading of the tables in vain, until the credit is used up.
    owners.credit = 1;
    assert_eq!(owners.of(Transport::Udp, nobody(1), nobody(2)), None);
    assert!(owners.credit < 0, "{}", owners.credit);
    let unknown = owners.unknown.len();
    owners.credit = i64::MIN / 2;
    assert_eq!(owners.of(Transport::Udp, nobody(3), nobody(4)), None);
    assert_eq!(owners.unknown.len(), unknown, "nobody was looked for");
}
