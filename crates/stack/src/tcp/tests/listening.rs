//! Listeners: backlog, half-open connections, and what overflow does (as Linux does).

use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::super::*;
use super::trace::*;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_full_accept_queue_drops_syns_and_final_acknowledgements() {
    // Backlog 4: five connections wait to be accepted, one more than it says.
    let mut trace = Trace::server(plain());
    trace.at(0);
    for port in 1..=5 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").silence();
    }
    assert_eq!(trace.tcp.population(), (0, 5, 0));
    trace.port(6).send("SYN seq=100").silence();
    assert_eq!(trace.tcp.population(), (0, 5, 0));
    trace.port(1).accept();
    trace.port(6).send("SYN seq=100").expect("SYN ACK ack=101");
    trace.port(7).send("SYN seq=100").expect("SYN ACK ack=101");
    trace.port(7).send("ACK seq=101 ack=1").silence();
    // The sixth comes too late: its acknowledgement is dropped, its SYN ACK repeated until there is room.
    trace.port(6).send("ACK seq=101 ack=1").silence();
    assert_eq!(trace.tcp.population(), (1, 6, 0));
    trace.at(1_000).expect("SYN ACK ack=101").accept().send("ACK seq=101 ack=1").silence();
    assert_eq!(trace.tcp.population(), (0, 7, 0));
}

#[test]
fn a_full_accept_queue_may_reset_instead() {
    let mut trace = Trace::server(TcpConfig { accept_overflow: AcceptOverflow::Reset, ..plain() });
    trace.at(0);
    for port in 1..=6 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101");
        if port <= 4 {
            trace.send("ACK seq=101 ack=1").silence();
        }
    }
    trace.port(5).send("ACK seq=101 ack=1").silence();
    trace.port(6).send("ACK seq=101 ack=1").expect("RST seq=1");
    assert_eq!(trace.tcp.population(), (0, 5, 0));
    assert_eq!((trace.tcp.stats().overflow_resets, trace.tcp.stats().listen_overflows), (1, 1));
}

#[test]
fn a_deferred_connection_waits_for_its_first_data() {
    let options =
        SocketOptions { defer_accept: Some(Duration::from_secs(5)), ..SocketOptions::new(&plain()) };
    let mut trace = Trace::server_with(plain(), options);
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").silence();
    let listener = trace.listener.unwrap();
    assert_eq!((trace.tcp.accept(listener), trace.tcp.stats().deferred_accepts), (None, 1));
    // It is known to wait: its SYN ACK need not be repeated.
    trace.at(3_500).send("ACK seq=101 ack=1 len=10").expect("ACK ack=111").accept();
    // One that says nothing is asked once more when the time is over, and then accepted.
    trace.port(9).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
    trace.at(10_500).expect("SYN ACK ack=101").send("ACK seq=101 ack=1").silence().accept();
}

#[test]
fn a_syn_ack_is_repeated_and_at_last_forgotten() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101");
    for time in [1_000, 3_000, 7_000, 15_000, 31_000] {
        trace.at(time).expect("SYN ACK seq=0 ack=101");
    }
    trace.at(62_999).silence();
    assert_eq!(trace.tcp.population(), (1, 0, 0));
    trace.at(63_000).silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn half_open_connections_answer_what_does_not_fit() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK seq=0 ack=101");
    trace.send("SYN seq=100").expect("SYN ACK seq=0 ack=101");
    trace.send("ACK seq=101 ack=5").expect("RST seq=5");
    trace.send("RST seq=5000").expect("ACK seq=1 ack=101");
    trace.send("ACK seq=90 ack=1").expect("ACK seq=1 ack=101");
    trace.send("RST seq=90").silence();
    trace.send("RST seq=101").silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn the_server_side_tells_its_handshake_too() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK seq=0").at(1_000).expect("SYN ACK seq=0");
    trace.at(1_020).send("ACK seq=101 ack=1").accept();
    let flags: Vec<String> = trace
        .tcp
        .events(trace.id.unwrap())
        .iter()
        .filter_map(|event| match event.what {
            TcpEventKind::Sent { flags, .. } => Some(format!("> {flags}")),
            TcpEventKind::Received { flags, .. } => Some(format!("< {flags}")),
            _ => None,
        })
        .collect();
    assert_eq!(flags, ["< SYN", "> SYN ACK", "> SYN ACK", "< ACK"]);
    assert_eq!(trace.info().syn_retransmissions, 1);
}

#[test]
fn closing_a_listener_refuses_newcomers_and_resets_the_unaccepted() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
    trace.port(7).send("SYN seq=100").expect("SYN ACK seq=0 ack=101");
    let listener = trace.listener.unwrap();
    trace.tcp.close_listener(trace.now, listener);
    trace.pump();
    trace.expect("RST ACK ack=101");
    trace.send("ACK seq=101 ack=1").expect("RST seq=1");
    trace.port(8).send("SYN seq=100").expect("RST ACK ack=101");
    assert_eq!(trace.tcp.population(), (0, 0, 0));
    assert_eq!(trace.tcp.accept(listener), None);
}

#[test]
fn an_acceptor_is_woken_once() {
    let mut trace = Trace::server(plain());
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let listener = trace.listener.unwrap();
    trace.tcp.accept_waker(listener, &waker);
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101");
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    trace.send("ACK seq=101 ack=1");
    trace.port(9).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
    assert_eq!((count.0.load(Ordering::Relaxed), trace.tcp.wakes()), (1, 1));
    trace.accept().accept();
}

#[test]
fn addresses_are_looked_up_from_the_most_to_the_least_specific() {
    let mut trace = Trace::server(plain());
    let way = super::pair::Way { own: vec!["10.0.0.1".parse().unwrap()], mtu: 1_500 };
    let mut listen = |address: &str| trace.tcp.listen(&way, address.parse().unwrap(), 4);
    assert_eq!(listen("10.0.0.1:80"), Err(ListenError::AddressInUse));
    assert_eq!(listen("10.0.0.9:80"), Err(ListenError::AddressNotAvailable));
    let any = listen("0.0.0.0:80").unwrap();
    let any_v6 = listen("[::]:80").unwrap();
    let chosen = listen("10.0.0.1:0").unwrap();
    assert!(trace.tcp.listener_addr(chosen).unwrap().port() >= 32_768);
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
    assert_eq!((trace.tcp.accept(any), trace.tcp.accept(any_v6)), (None, None));
    let first = trace.listener.unwrap();
    trace.tcp.close_listener(trace.now, first);
    trace.port(2).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
    assert!(trace.tcp.accept(any).is_some());
    trace.tcp.close_listener(trace.now, any);
    trace.port(3).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
    assert!(trace.tcp.accept(any_v6).is_some(), "IPv6's wildcard takes IPv4 too");
}

#[test]
fn connecting_chooses_ports_that_are_free_and_hard_to_guess() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN");
    let mut ports = Vec::new();
    for _ in 0..200 {
        let remote = "10.0.0.2:443".parse().unwrap();
        let id =
            trace.tcp.connect(trace.now, &trace.way, None, remote, TcpConnectOptions::default()).unwrap();
        ports.push(trace.tcp.local_addr(id).unwrap().port());
    }
    let distinct: std::collections::BTreeSet<u16> = ports.iter().copied().collect();
    assert_eq!(distinct.len(), 200);
    assert!(ports.iter().all(|port| (32_768..=60_999).contains(port)));
    let taken = Some("10.0.0.1:5000".parse().unwrap());
    let again =
        trace.tcp.connect(trace.now, &trace.way, taken, "10.0.0.2:80".parse().unwrap(), Default::default());
    assert_eq!(again, Err(ConnectError::AddressInUse));
    let foreign = Some("10.0.0.77:0".parse().unwrap());
    let elsewhere =
        trace.tcp.connect(trace.now, &trace.way, foreign, "10.0.0.2:80".parse().unwrap(), Default::default());
    assert_eq!(elsewhere, Err(ConnectError::AddressNotAvailable));
    let no_route =
        trace.tcp.connect(trace.now, &trace.way, None, "[fd00::2]:80".parse().unwrap(), Default::default());
    assert_eq!(no_route, Err(ConnectError::NoRoute));
}

#[test]
fn ports_run_out_towards_one_destination_only() {
    let mut tcp = Tcp::new(plain(), 5);
    let way = super::pair::Way { own: vec!["10.0.0.1".parse().unwrap()], mtu: 1_500 };
    let now = thru_wire::Instant::START;
    let mut connect =
        |remote: &str| tcp.connect(now, &way, None, remote.parse().unwrap(), Default::default());
    for _ in 32_768..=60_999 {
        connect("10.0.0.2:80").unwrap();
    }
    assert_eq!(connect("10.0.0.2:80"), Err(ConnectError::NoPorts));
    assert!(connect("10.0.0.2:81").is_ok());
}
