//! RFC 9293 3.6: closing, in every order.

use super::super::*;
use super::trace::*;

#[test]
fn figure_12_we_close_first() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).shutdown().expect("FIN ACK seq=1 ack=101").state(State::FinWait1);
    trace.at(20).send("ACK seq=101 ack=2").silence().state(State::FinWait2);
    trace.at(30).send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102").state(State::TimeWait).read_end();
    assert_eq!(trace.tcp.population(), (0, 1, 1));
    // The FIN again: our acknowledgement was lost, and the wait begins anew.
    trace.at(40_000).send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102");
    trace.at(99_999).silence().state(State::TimeWait);
    trace.at(100_001).silence().state(State::Closed);
    assert_eq!(trace.tcp.population(), (0, 1, 0));
    trace.release();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
    assert!(trace.tcp.next_deadline().is_never());
}

#[test]
fn the_peer_closes_first() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("FIN ACK seq=101 ack=1").expect("ACK seq=1 ack=102").state(State::CloseWait).read_end();
    trace.write(5).expect("ACK seq=1 ack=102 len=5").send("ACK seq=102 ack=6");
    trace.shutdown().expect("FIN ACK seq=6 ack=102").state(State::LastAck);
    trace.send("ACK seq=102 ack=7").silence().state(State::Closed).read_end();
    assert_eq!(trace.tcp.population(), (0, 1, 0));
    assert!(trace.tcp.next_deadline().is_never() || trace.tcp.next_deadline() > trace.now);
}

#[test]
fn figure_13_simultaneous_close() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).shutdown().expect("FIN ACK seq=1 ack=101");
    trace.at(20).send("FIN ACK seq=101 ack=1").expect("ACK seq=2 ack=102").state(State::Closing);
    trace.at(30).send("ACK seq=102 ack=2").silence().state(State::TimeWait);
}

#[test]
fn fin_and_acknowledgement_of_ours_in_one_segment() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).shutdown().expect("FIN ACK seq=1");
    trace.at(20).send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102").state(State::TimeWait);
}

#[test]
fn half_closed_the_other_way_goes_on() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).write(10).expect("ACK seq=1 len=10").shutdown().expect("FIN ACK seq=11");
    trace.at(20).send("ACK seq=101 ack=12").state(State::FinWait2);
    trace.at(30).send("ACK seq=101 ack=12 len=300").expect("ACK seq=12 ack=401").read(101, 300);
    assert_eq!(trace.tcp.write(trace.now, trace.id.unwrap(), b"x"), Err(TcpError::WriteAfterShutdown));
    trace.at(40).send("FIN ACK seq=401 ack=12").expect("ACK seq=12 ack=402").state(State::TimeWait);
}

#[test]
fn the_fin_rides_on_the_last_data_and_is_sent_again() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).write(10).expect("ACK seq=1 len=10").write(20).silence().shutdown();
    trace.expect("FIN ACK seq=11 len=20").send("ACK seq=101 ack=11").silence();
    trace.at(210).expect("FIN ACK seq=11 len=20");
    trace.send("ACK seq=101 ack=32").state(State::FinWait2);
}

#[test]
fn a_fin_after_a_gap_waits_for_the_gap() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("FIN ACK seq=111 ack=1 len=10").expect("ACK ack=101").state(State::Established);
    trace
        .send("ACK seq=101 ack=1 len=10")
        .expect("ACK ack=122")
        .state(State::CloseWait)
        .read(101, 20)
        .read_end();
}

#[test]
fn a_bare_fin_after_a_gap_waits_too() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("FIN ACK seq=111 ack=1").expect("ACK ack=101").state(State::Established);
    trace.send("ACK seq=101 ack=1 len=10").expect("ACK ack=112").state(State::CloseWait);
}

#[test]
fn release_with_unread_data_resets() {
    // RFC 2525 2.17, RFC 1122 4.2.2.13.
    let mut trace = Trace::established(plain(), "");
    trace
        .at(10)
        .send("ACK seq=101 ack=1 len=10")
        .expect("ACK ack=111")
        .release()
        .expect("RST ACK seq=1 ack=111");
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn data_for_a_released_connection_resets() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).release().expect("FIN ACK seq=1").send("ACK seq=101 ack=2 len=10").expect("RST seq=2");
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn what_was_written_is_still_sent_after_release() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).write(10).expect("ACK seq=1 len=10").release().expect("FIN ACK seq=11");
    trace.at(210).expect("ACK seq=1 len=10");
    trace.send("ACK seq=101 ack=11").expect("FIN ACK seq=11");
    trace.send("FIN ACK seq=101 ack=12").expect("ACK seq=12 ack=102");
    assert_eq!(trace.tcp.population(), (0, 0, 1));
    trace.at(70_000).silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn an_orphan_does_not_wait_for_ever_in_fin_wait_2() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).release().expect("FIN ACK seq=1").send("ACK seq=101 ack=2").silence();
    trace.at(59_000);
    assert_eq!(trace.tcp.population(), (0, 1, 0));
    trace.at(60_011).silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn releasing_a_connection_attempt_ends_it_silently() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").release().at(200_000).silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn shutdown_during_the_handshake_waits_for_its_end() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").write(5).shutdown().silence();
    trace.send("SYN ACK seq=500 ack=1").expect("FIN ACK seq=1 ack=501 len=5").state(State::FinWait1);
}

#[test]
fn rfc_1337_a_reset_does_not_end_time_wait() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).shutdown().expect("FIN ACK seq=1").send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102");
    trace.send("RST seq=102").silence();
    assert_eq!(trace.tcp.population(), (0, 1, 1));
    trace.send("ACK seq=50 ack=1 len=10").expect("ACK seq=2 ack=102");
}

#[test]
fn rfc_6191_a_new_syn_may_take_the_place_of_time_wait() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).shutdown().expect("FIN ACK seq=1").send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102");
    // An old duplicate of the SYN does not.
    trace.at(20).send("SYN seq=100").expect("ACK seq=2 ack=102");
    trace.at(30).send("SYN seq=5000 mss=1000").expect("SYN ACK ack=5001");
    assert_eq!(trace.tcp.population(), (1, 1, 0));
    trace.send("ACK seq=5001 ack=1").accept().state(State::Established);
}

#[test]
fn rfc_6191_timestamps_decide_first() {
    let config = TcpConfig { sack: false, window_scaling: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace.at(0).send("SYN seq=100 ts=1000/0").expect("SYN ACK ack=101 echo=1000");
    trace.send("ACK seq=101 ack=1 ts=1001/0").accept();
    trace
        .shutdown()
        .expect("FIN ACK seq=1")
        .send("FIN ACK seq=101 ack=2 ts=1002/0")
        .expect("ACK seq=2 ack=102");
    // A lower number, but surely later.
    trace.at(30).send("SYN seq=50 ts=2000/0").expect("SYN ACK ack=51 echo=2000");
}

/// A client whose connection from port 5000 has ended in TIME-WAIT.
fn waiting_client(config: TcpConfig, stamps: [&str; 2]) -> Trace {
    let mut trace = Trace::client(config);
    trace.expect("SYN seq=0").send(&format!("SYN ACK seq=500 ack=1 {}", stamps[0])).expect("ACK seq=1");
    trace.shutdown().expect("FIN ACK seq=1").send(&format!("FIN ACK seq=501 ack=2 {}", stamps[1]));
    trace.expect("ACK seq=2 ack=502").release();
    assert_eq!(trace.tcp.population(), (0, 0, 1));
    trace
}

#[test]
fn rfc_6191_a_call_of_ours_takes_the_place_a_second_after_the_wait_began() {
    let config = TcpConfig { sack: false, window_scaling: false, ..TcpConfig::default() };
    let mut trace = waiting_client(config, ["ts=9/0", "ts=10/0"]);
    let (local, peer) = ("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
    let again = |trace: &mut Trace| {
        trace.tcp.connect(trace.now, &trace.way, Some(local), peer, TcpConnectOptions::default())
    };
    trace.at(1_000);
    assert_eq!(again(&mut trace), Err(ConnectError::AddressInUse));
    trace.at(1_001);
    trace.id = Some(again(&mut trace).unwrap());
    trace.pump();
    // Far beyond what the old connection may still have in the network.
    let segment = trace.take().unwrap();
    let (header, _) = thru_wire::tcp::Tcp::parse(&segment.bytes, None).unwrap();
    let ahead = header.seq.0.wrapping_sub(trace.initial_number());
    assert!((65_539..1 << 31).contains(&ahead), "{ahead}");
    assert_eq!((trace.tcp.population(), trace.tcp.stats().time_waits_reused), ((0, 1, 0), 1));
}

#[test]
fn without_timestamps_nothing_takes_the_place_of_ours() {
    let mut trace = waiting_client(plain(), ["", ""]);
    let (local, peer) = ("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
    let again = |trace: &mut Trace| {
        trace.tcp.connect(trace.now, &trace.way, Some(local), peer, TcpConnectOptions::default())
    };
    trace.at(59_999);
    assert_eq!(again(&mut trace), Err(ConnectError::AddressInUse));
    trace.at(60_000);
    assert!(again(&mut trace).is_ok());
    assert_eq!(trace.tcp.stats().time_waits, 1);
}

#[test]
fn rfc_1337_may_be_switched_off() {
    let config = TcpConfig { time_wait_assassination: true, ..plain() };
    let mut trace = waiting_client(config, ["", ""]);
    trace.at(10).send("RST seq=503").silence();
    assert_eq!(trace.tcp.population(), (0, 0, 1));
    trace.send("RST seq=502").silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn too_many_in_time_wait_end_without() {
    let mut trace = Trace::server(TcpConfig { time_wait_most: 1, ..plain() });
    trace.at(0);
    for port in 1..=2 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
        trace.shutdown().expect("FIN ACK seq=1").send("FIN ACK seq=101 ack=2").expect("ACK seq=2 ack=102");
        trace.state([State::TimeWait, State::Closed][usize::from(port) - 1]);
    }
    assert_eq!((trace.tcp.population(), trace.tcp.stats().time_wait_overflows), ((0, 2, 1), 1));
}
