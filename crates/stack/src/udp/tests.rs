//! Who gets what.

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn datagram(len: usize) -> UdpDatagram {
    UdpDatagram {
        from: at("10.0.0.2:1"),
        to: at("10.0.0.1:53"),
        payload: Bytes::from(vec![0; len]),
        ttl: 64,
        ecn: 0,
        rx_time: Instant::START,
    }
}

#[test]
fn exact_before_wildcard_before_the_other_family() {
    let mut sockets = Sockets::new(1);
    let exact = sockets.bind(at("10.0.0.1:53")).unwrap();
    let other = sockets.bind(at("10.0.0.2:53")).unwrap();
    let both = sockets.bind(at("[::]:53")).unwrap();
    let wildcard = sockets.bind(at("0.0.0.0:80")).unwrap();
    let both80 = sockets.bind(at("[::]:80")).unwrap();
    for (to, expected) in [
        ("10.0.0.1:53", Some(exact)),
        ("10.0.0.2:53", Some(other)),
        ("10.0.0.3:53", Some(both)),
        ("[fd00::1]:53", Some(both)),
        ("10.0.0.1:80", Some(wildcard)),
        ("[fd00::1]:80", Some(both80)),
        ("10.0.0.1:54", None),
    ] {
        assert_eq!(sockets.find(at(to)), expected, "{to}");
    }
    sockets.close(exact);
    assert_eq!(sockets.find(at("10.0.0.1:53")), Some(both));
}

#[test]
fn a_port_has_one_owner_until_it_is_closed() {
    let mut sockets = Sockets::new(1);
    let wildcard = sockets.bind(at("0.0.0.0:53")).unwrap();
    assert_eq!(sockets.bind(at("0.0.0.0:53")), Err(UdpError::AddressInUse));
    assert_eq!(sockets.bind(at("10.0.0.1:53")), Err(UdpError::AddressInUse));
    sockets.close(wildcard);
    let exact = sockets.bind(at("10.0.0.1:53")).unwrap();
    assert_eq!(sockets.bind(at("10.0.0.1:53")), Err(UdpError::AddressInUse));
    assert_eq!(sockets.bind(at("0.0.0.0:53")), Err(UdpError::AddressInUse));
    assert!(sockets.bind(at("10.0.0.2:53")).is_ok());
    assert_eq!(sockets.local(exact), Some(at("10.0.0.1:53")));
    assert_eq!(sockets.local(wildcard), None);
}

#[test]
fn ephemeral_ports_are_scattered_repeatable_and_finite() {
    let ports = |seed| {
        let mut sockets = Sockets::new(seed);
        let ids: Vec<_> = (0..8).map(|_| sockets.bind(at("0.0.0.0:0")).unwrap()).collect();
        ids.into_iter().map(|id| sockets.local(id).unwrap().port()).collect::<Vec<_>>()
    };
    assert_eq!(ports(1), ports(1));
    assert_ne!(ports(1), ports(2));
    assert!(ports(1).windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 16).count() <= 1);

    let mut sockets = Sockets::new(1);
    let count = EPHEMERAL.len();
    for _ in 0..count {
        let id = sockets.bind(at("0.0.0.0:0")).unwrap();
        assert!(EPHEMERAL.contains(&sockets.local(id).unwrap().port()));
    }
    assert_eq!(sockets.bind(at("0.0.0.0:0")), Err(UdpError::NoPorts));
}

#[test]
fn queues_are_bounded() {
    let mut sockets = Sockets::new(1);
    let id = sockets.bind(at("0.0.0.0:53")).unwrap();
    let mut taken = 0;
    while sockets.deliver(id, datagram(1_000)) {
        taken += 1;
    }
    assert_eq!(taken, QUEUE_BYTES_MAX / (1_000 + DATAGRAM_OVERHEAD));
    assert!(sockets.receive(id).is_some());
    assert!(sockets.deliver(id, datagram(1_000)));
    // Empty datagrams cost something too.
    while sockets.receive(id).is_some() {}
    let empty = (0..).take_while(|_| sockets.deliver(id, datagram(0))).count();
    assert_eq!(empty, QUEUE_BYTES_MAX / DATAGRAM_OVERHEAD);
}
