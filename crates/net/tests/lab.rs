//! Unmodified tokio code in virtual time: order, exactness, repeatability.

mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{SERVER, SERVER_V6, with_two_hosts};
use thru_net::lab::{LabError, LabOptions, run};
use thru_net::{ConnectOptions, IcmpEvent, UdpEvent};
use thru_sim::link::Pipe;
use thru_stack::Medium;
use thru_wire::Instant;

const HOUR: Duration = Duration::from_secs(3_600);

fn wire(delay: Duration) -> Pipe {
    Pipe { delay, ..Pipe::default() }
}

#[test]
fn a_ping_takes_exactly_the_links_delays() {
    for target in [IpAddr::V4(SERVER), IpAddr::V6(SERVER_V6)] {
        let rtts = with_two_hosts(
            1,
            Medium::Ethernet,
            wire(Duration::from_nanos(20_000_123)),
            HOUR,
            move |lab, client, _| async move {
                let socket = client.icmp(target).await.unwrap();
                let mut rtts = Vec::new();
                for sequence in 0..2 {
                    let sent = lab.now();
                    socket.send_echo(target, sequence, None, b"hello").await.unwrap();
                    let IcmpEvent::Reply { sequence: answered, payload, at, .. } =
                        socket.receive().await.unwrap()
                    else {
                        panic!("an error came back");
                    };
                    assert_eq!((answered, payload.as_ref()), (sequence, &b"hello"[..]));
                    rtts.push(at.since(sent));
                }
                rtts
            },
        );
        // The first has to find the neighbour; the second is nothing but the way there and back.
        assert_eq!(rtts[1], Duration::from_nanos(40_000_246), "{target}");
        assert!(rtts[0] >= rtts[1] * 2, "{target}");
    }
}

#[test]
fn datagrams_and_their_icmp_errors_arrive() {
    with_two_hosts(
        1,
        Medium::Ethernet,
        wire(Duration::from_millis(5)),
        HOUR,
        |_, client, server| async move {
            let at = SocketAddr::from((SERVER, 7));
            let echo = server.bind_udp(at).await.unwrap();
            tokio::spawn(async move {
                let received = echo.receive().await.unwrap();
                echo.send_to(&received.payload, received.from).await.unwrap();
            });
            let socket = client.bind_udp("0.0.0.0:0".parse().unwrap()).await.unwrap();
            socket.send_to(b"one", at).await.unwrap();
            assert_eq!(socket.receive().await.unwrap().payload.as_ref(), b"one");
            socket.send_to(b"two", SocketAddr::from((SERVER, 8))).await.unwrap();
            let UdpEvent::Icmp(report) = socket.receive_event().await.unwrap() else {
                panic!("no error came")
            };
            assert_eq!(report.quoted_destination.port(), 8);
        },
    );
}

#[test]
fn a_listener_on_port_0_tells_the_port_that_was_chosen() {
    with_two_hosts(
        1,
        Medium::Ethernet,
        wire(Duration::from_millis(5)),
        HOUR,
        |_, client, server| async move {
            let listener = server.listen_tcp(SocketAddr::from((SERVER, 0)), 1).await.unwrap();
            let address = listener.local_addr();
            assert_ne!(address.port(), 0);
            let connected = client.connect_tcp(address, ConnectOptions::default()).await.unwrap();
            let (accepted, peer) = listener.accept().await.unwrap();
            assert_eq!((connected.local_addr(), accepted.local_addr()), (peer, address));
        },
    );
}

#[test]
fn our_timers_and_tokios_fire_in_order() {
    let order = with_two_hosts(1, Medium::Ethernet, Pipe::default(), HOUR, |lab, client, _| async move {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for micros in [900, 100, 2_500, 1_700] {
            let (order, network, lab) = (order.clone(), client.clone(), lab.clone());
            tasks.push(tokio::spawn(async move {
                network.sleep(Duration::from_micros(micros)).await;
                assert_eq!(lab.now(), Instant::from_nanos(micros * 1_000));
                order.lock().unwrap().push(micros);
            }));
        }
        for millis in [2, 1, 3] {
            let order = order.clone();
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                order.lock().unwrap().push(millis * 1_000);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    });
    assert_eq!(order, [100, 900, 1_000, 1_700, 2_000, 2_500, 3_000]);
}

#[test]
fn waiting_for_what_never_comes_ends_at_the_limit() {
    let options =
        LabOptions { name: "idle".to_owned(), seed: 1, epoch_unix_nanos: 0, limit: Duration::from_secs(7) };
    let result = run(options, |_| std::future::pending::<()>());
    assert!(matches!(result, Err(LabError::Limit(limit)) if limit == Duration::from_secs(7)));
}

#[test]
fn a_panic_in_the_lab_is_told() {
    let options = LabOptions { name: "bad".to_owned(), seed: 1, epoch_unix_nanos: 0, limit: HOUR };
    let result = run(options, |_| async { panic!("on purpose") });
    let Err(LabError::Panicked(text)) = result else { panic!("no error") };
    assert_eq!(text, "on purpose");
}

#[test]
fn entropy_repeats_under_a_seed_and_reaches_the_libraries() {
    let drawn = |seed| {
        let options = LabOptions { name: "dice".to_owned(), seed, epoch_unix_nanos: 0, limit: HOUR };
        run(options, |_| async {
            use std::hash::BuildHasher as _;
            let mut bytes = [0; 16];
            thru_os::entropy::fill(&mut bytes);
            let hash = std::collections::hash_map::RandomState::new().hash_one(1u8);
            // quinn draws connection ids by the `rand` crate, which asks the `getrandom` crate.
            let id = quinn_proto::ConnectionIdGenerator::generate_cid(
                &mut quinn_proto::RandomConnectionIdGenerator::default(),
            );
            (bytes, hash, id.to_vec())
        })
        .unwrap()
    };
    assert_eq!(drawn(1), drawn(1));
    let (one, other) = (drawn(1), drawn(2));
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
    assert_ne!(one.2, other.2);
}
