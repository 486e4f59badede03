//! RFC 5927, 1122 4.2.3.9, 1191 and 8201: ICMP errors and the path MTU.

use super::super::*;
use super::pair::*;
use super::trace::*;
use crate::icmp::IcmpErrorKind;

#[test]
fn during_the_handshake_unreachable_ends_the_attempt() {
    for kind in [
        IcmpErrorKind::NetworkUnreachable,
        IcmpErrorKind::HostUnreachable,
        IcmpErrorKind::PortUnreachable,
        IcmpErrorKind::ProtocolUnreachable,
        IcmpErrorKind::AdministrativelyProhibited,
    ] {
        let mut trace = Trace::client(plain());
        trace.expect("SYN seq=0").icmp(kind, 5).state(State::SynSent);
        trace.icmp(kind, 0).state(State::Closed);
        let Some(Err(TcpError::Unreachable(report))) = trace.tcp.connected(trace.id.unwrap()) else {
            panic!("{kind:?} should end the attempt");
        };
        assert_eq!((report.kind, report.ttl), (kind, 62));
        assert!(
            trace
                .tcp
                .events(trace.id.unwrap())
                .iter()
                .any(|event| matches!(event.what, TcpEventKind::Icmp(_)))
        );
    }
}

#[test]
fn time_exceeded_is_remembered_and_told_when_time_is_up() {
    let mut trace = Trace::client(TcpConfig { syn_retries: 0, ..plain() });
    trace.expect("SYN seq=0").icmp(IcmpErrorKind::TimeExceeded, 0).state(State::SynSent);
    for time in [1_000, 2_000, 3_000, 4_000] {
        trace.at(time).expect("SYN seq=0");
    }
    trace.at(5_000).silence();
    let Some(Err(TcpError::TimedOut { icmp: Some(report) })) = trace.tcp.connected(trace.id.unwrap()) else {
        panic!("timed out, with the error");
    };
    assert_eq!(report.kind, IcmpErrorKind::TimeExceeded);
}

#[test]
fn a_living_connection_is_not_ended_by_an_error() {
    let mut trace = Trace::established(TcpConfig { data_retries: 2, ..plain() }, "");
    trace.write(10).expect("ACK seq=1 len=10");
    trace
        .icmp(IcmpErrorKind::PortUnreachable, 1)
        .icmp(IcmpErrorKind::HostUnreachable, 1)
        .state(State::Established);
    trace.at(200).expect("ACK seq=1 len=10").at(600).expect("ACK seq=1 len=10").at(1_400).silence();
    assert!(matches!(trace.read_error(), TcpError::TimedOut { icmp: Some(_) }));
}

#[test]
fn too_big_makes_segments_smaller_and_sends_them_again_without_congestion() {
    let config = TcpConfig { timestamps: false, window_scaling: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace.at(0).send("SYN seq=100 mss=1460 sackok").expect("SYN ACK").send("ACK seq=101 ack=1").accept();
    trace.write(2_920).expect("ACK seq=1 len=1460").expect("ACK seq=1461 len=1460");
    trace.way.mtu = 1_040;
    // A number that is not in flight is no proof.
    trace.icmp(IcmpErrorKind::PacketTooBig { mtu: 1_040 }, 9_000).silence();
    trace.icmp(IcmpErrorKind::PacketTooBig { mtu: 1_040 }, 1);
    trace.expect("ACK seq=1 len=1000").expect("ACK seq=1001 len=460").expect("ACK seq=1461 len=1000");
    trace.expect("ACK seq=2461 len=460").silence();
    let info = trace.info();
    assert_eq!(
        (info.mss, info.timeouts, info.fast_recoveries, info.congestion_window),
        (1_000, 0, 0, 10_000)
    );
    trace.icmp(IcmpErrorKind::PacketTooBig { mtu: 1_040 }, 1461).silence();
}

#[test]
fn transfers_go_through_a_narrow_path_that_tells_so() {
    let mut pair = Duo::over(Link::default());
    (pair.narrow, pair.tells_mtu) = (1_000, true);
    super::transfer::transfer(&mut pair, 200_000, 20_000);
}

#[test]
fn transfers_are_stuck_at_a_black_hole_unless_the_segments_are_limited() {
    let mut pair = Duo::over(Link::default());
    pair.narrow = 1_000;
    let listener = pair.listen(80, 8);
    let options = TcpConnectOptions { mss_limit: Some(536), ..TcpConnectOptions::default() };
    let connect = |pair: &mut Duo, options| {
        let remote = Duo::address(SERVER, 80);
        let client = pair.ends[CLIENT].connect(pair.now, &pair.ways[CLIENT], None, remote, options).unwrap();
        pair.run_for(ms(200));
        (client, pair.ends[SERVER].accept(listener).unwrap())
    };
    let (_, server) = connect(&mut pair, TcpConnectOptions::default());
    pair.ends[SERVER].write(pair.now, server, &[1; 5_000]).unwrap();
    pair.run_for(ms(60_000));
    assert_eq!(pair.ends[SERVER].info(server).unwrap().bytes_acked, 0);
    let (client, server) = connect(&mut pair, options);
    pair.ends[SERVER].write(pair.now, server, &[1; 5_000]).unwrap();
    pair.run_for(ms(1_000));
    assert_eq!(pair.ends[SERVER].info(server).unwrap().bytes_acked, 5_000);
    assert_eq!(pair.ends[CLIENT].info(client).unwrap().bytes_received, 5_000);
}
