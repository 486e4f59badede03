//! Many connections: what one costs doesn't depend on how many others there are.

use super::super::*;
use super::pair::*;

/// Visits it takes to send 200 segments over one connection while `idle` others do nothing.
fn visits_beside(idle: usize) -> (u64, u64) {
    let config = TcpConfig { events: false, nodelay: true, ..TcpConfig::default() };
    let mut pair = Duo::with(Link { delay: ms(1), ..Link::default() }, config.clone(), config);
    let listener = pair.listen(80, 2_000);
    let mut held = Vec::new();
    while held.len() < idle {
        for _ in 0..(idle - held.len()).min(1_000) {
            held.push(pair.connect(80));
        }
        pair.run_for(ms(10));
        while pair.ends[SERVER].accept(listener).is_some() {}
    }
    // The entries of the SYNs' timers fire once more, find nothing due and are gone.
    pair.run_for(ms(2_000));
    let client = pair.connect(80);
    pair.run_for(ms(10));
    let server = pair.ends[SERVER].accept(listener).unwrap();
    let before = (pair.ends[CLIENT].visits(), pair.ends[SERVER].visits());
    let mut buffer = [0; 2_000];
    for _ in 0..200 {
        pair.ends[CLIENT].write(pair.now, client, &[1; 1_000]).unwrap();
        pair.run_for(ms(5));
        assert_eq!(pair.ends[SERVER].read(pair.now, server, &mut buffer), Ok(Some(1_000)));
    }
    (pair.ends[CLIENT].visits() - before.0, pair.ends[SERVER].visits() - before.1)
}

#[test]
fn idle_connections_cost_nothing() {
    let (alone, crowded) = (visits_beside(0), visits_beside(10_000));
    assert!(
        crowded.0 <= alone.0 + 20 && crowded.1 <= alone.1 + 20,
        "{alone:?} alone, {crowded:?} among 10000"
    );
}

#[test]
fn idle_connections_wake_nobody_and_hold_no_buffers() {
    let mut pair = Duo::over(Link::default());
    let (_, client, server) = pair.established();
    pair.ends[CLIENT].write(pair.now, client, &[1; 100_000]).unwrap();
    let (mut buffer, mut read) = (vec![0; 65_536], 0);
    while read < 100_000 {
        if let Ok(Some(more)) = pair.ends[SERVER].read(pair.now, server, &mut buffer) {
            read += more;
        } else {
            pair.step();
        }
    }
    pair.run_for(ms(1_000));
    assert!(pair.next_event().is_never());
}

#[test]
fn objects_stay_small() {
    // Half-open and TIME-WAIT objects are what floods make many of.
    assert!(size_of::<half_open::HalfOpen>() <= 176, "{}", size_of::<half_open::HalfOpen>());
    assert!(size_of::<runs::Run>() <= 64, "{}", size_of::<runs::Run>());
    let connection = size_of::<connection::Connection>();
    assert!(connection <= 1_064, "{connection}");
}

#[test]
fn a_syn_flood_is_bounded() {
    let config = TcpConfig::default();
    let mut tcp = Tcp::new(config, 3);
    let way = Way { own: vec!["10.0.0.1".parse().unwrap()], mtu: 1_500 };
    tcp.listen(&way, "10.0.0.1:80".parse().unwrap(), 128).unwrap();
    for source in 0..10_000u32 {
        let pair = demux::Pair {
            local: demux::Endpoint {
                address: core::net::Ipv4Addr::from_bits(0x0b00_0000 + source).into(),
                port: 9,
            },
            remote: demux::Endpoint { address: "10.0.0.1".parse().unwrap(), port: 80 },
        };
        let syn = segment::bare(
            &mut Spare::default(),
            &pair,
            thru_wire::tcp::Flags::SYN,
            SeqNumber(source),
            SeqNumber(0),
            1_000,
            Default::default(),
        );
        let arrived = SegmentIn {
            src: syn.src,
            dst: syn.dst,
            ttl: 9,
            ecn: 0,
            rx_time: Instant::from_millis(u64::from(source)),
            bytes: syn.bytes.into(),
            verified: false,
        };
        tcp.handle_segment(&way, arrived);
        while tcp.poll_transmit(Instant::from_millis(u64::from(source)), &way).is_some() {}
    }
    assert_eq!(tcp.population(), (128, 0, 0));
}
