//! RFC 2018, 2883 and 6675: selective acknowledgement, both ways.

use super::super::*;
use super::trace::*;

fn sack_only() -> TcpConfig {
    // No probes of the tail: the round trips of these traces are none.
    TcpConfig { timestamps: false, window_scaling: false, tail_loss_probe: false, ..TcpConfig::default() }
}

#[test]
fn section_4_blocks_tell_the_newest_first() {
    let mut trace = Trace::established(sack_only(), "sackok");
    trace.at(10).send("ACK seq=201 ack=1 len=100").expect("ACK ack=101 sack=201-301");
    trace.send("ACK seq=401 ack=1 len=100").expect("ACK ack=101 sack=401-501,201-301");
    trace.send("ACK seq=601 ack=1 len=100").expect("ACK ack=101 sack=601-701,401-501,201-301");
    trace.send("ACK seq=801 ack=1 len=100").expect("ACK ack=101 sack=801-901,601-701,401-501,201-301");
    trace.send("ACK seq=1001 ack=1 len=100").expect("ACK ack=101 sack=1001-1101,801-901,601-701,401-501");
    // The oldest grows and is news again.
    trace.send("ACK seq=301 ack=1 len=50").expect("ACK ack=101 sack=201-351,1001-1101,801-901,601-701");
    trace.send("ACK seq=101 ack=1 len=100").expect("ACK ack=351 sack=1001-1101,801-901,601-701,401-501");
    // It covers what had arrived: the first such part is told (RFC 2883 4.2.1).
    trace.send("ACK seq=351 ack=1 len=700").expect("ACK ack=1101 sack=401-501").read(101, 1_000);
}

#[test]
fn timestamps_leave_room_for_three_blocks() {
    let config = TcpConfig { window_scaling: false, ..TcpConfig::default() };
    let mut trace = Trace::established(config, "sackok ts=5/0");
    for (index, blocks) in
        ["201-301", "401-501,201-301", "601-701,401-501,201-301", "801-901,601-701,401-501"]
            .into_iter()
            .enumerate()
    {
        let seq = 201 + 200 * index;
        trace
            .at(10)
            .send(&format!("ACK seq={seq} ack=1 len=100 ts=6/0"))
            .expect(&format!("ACK ack=101 sack={blocks}"));
    }
}

#[test]
fn rfc_2883_what_arrives_twice_is_told_first() {
    let mut trace = Trace::established(sack_only(), "sackok");
    trace.at(10).send("ACK seq=101 ack=1 len=100").expect("ACK ack=201 nosack");
    trace.send("ACK seq=101 ack=1 len=100").expect("ACK ack=201 sack=101-201");
    trace.send("ACK seq=301 ack=1 len=100").expect("ACK ack=201 sack=301-401");
    trace.send("ACK seq=301 ack=1 len=100").expect("ACK ack=201 sack=301-401,301-401");
    trace.send("ACK seq=151 ack=1 len=100").expect("ACK ack=251 sack=151-201,301-401");
    assert_eq!(trace.info().duplicates_received, 2);
}

#[test]
fn blocks_ride_on_data() {
    let mut trace = Trace::established(sack_only(), "sackok");
    trace.at(10).send("ACK seq=201 ack=1 len=100").expect("ACK ack=101 sack=201-301");
    // 12 bytes of the segment go to the block.
    trace.write(2_000).expect("ACK seq=1 ack=101 len=988 sack=201-301").expect("ACK seq=989 ack=101 len=988");
    trace.expect("ACK seq=1977 ack=101 len=24");
}

/// Ten segments, sent at 40 over a path of 40 ms.
fn sender() -> Trace {
    let mut trace = Trace::established_over_40_ms(sack_only(), "sackok");
    trace.write(10_000);
    for index in 0..10 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace
}

#[test]
fn three_segments_above_mean_loss() {
    let mut trace = sender();
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    trace.send("ACK seq=101 ack=1 sack=1001-3001").silence();
    trace.send("ACK seq=101 ack=1 sack=1001-4001").expect("ACK seq=1 len=1000").silence();
    let info = trace.info();
    assert_eq!((info.fast_recoveries, info.retransmissions), (1, 1));
    assert_eq!(info.slow_start_threshold, 7_000);
    trace.at(120).send("ACK seq=101 ack=10001").silence();
    assert_eq!((trace.info().bytes_in_flight, trace.info().congestion_window), (0, 7_000));
}

#[test]
fn three_segments_above_mean_loss_whatever_their_size() {
    let config = TcpConfig { nodelay: true, ..sack_only() };
    let mut trace = Trace::established_over_40_ms(config, "sackok");
    for index in 0..8 {
        trace.write(100).expect(&format!("ACK seq={} len=100", 1 + 100 * index));
    }
    trace.at(80).send("ACK seq=101 ack=1 sack=101-201").silence();
    trace.send("ACK seq=101 ack=1 sack=301-401,101-201").silence();
    // The third: everything that left before it and has not arrived.
    trace.send("ACK seq=101 ack=1 sack=501-601,301-401,101-201");
    trace.expect("ACK seq=1 len=100").expect("ACK seq=201 len=100").expect("ACK seq=401 len=100").silence();
}

#[test]
fn only_what_is_missing_is_sent_again_as_the_window_allows() {
    let mut trace = sender();
    // 1, 3 and 5 of ten are missing.
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001,3001-4001,5001-10001");
    trace
        .expect("ACK seq=1 len=1000")
        .expect("ACK seq=2001 len=1000")
        .expect("ACK seq=4001 len=1000")
        .silence();
    trace.at(120).send("ACK seq=101 ack=4001 sack=5001-10001").silence();
    trace.send("ACK seq=101 ack=10001").silence();
    assert_eq!((trace.info().retransmissions, trace.info().timeouts), (3, 0));
}

#[test]
fn section_8_after_a_timeout_reported_data_is_not_sent_again_unless_it_was_thrown_away() {
    let mut trace = sender();
    trace.at(80).send("ACK seq=101 ack=1 sack=9001-10001").silence();
    // 10 ms later what was overtaken counts as lost.
    trace.at(92).expect("ACK seq=1 len=1000").silence();
    trace.at(132).send("ACK seq=101 ack=1001 sack=9001-10001");
    trace.expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000").silence();
    // All but the last arrive; it was reported and is not acknowledged: half a round trip is given to explain that.
    trace.at(172).send("ACK seq=101 ack=9001").silence();
    trace.at(192).expect("ACK seq=9001 len=1000");
    assert_eq!(trace.info().timeouts, 1);
}

#[test]
fn what_seemed_thrown_away_and_was_not_is_not_sent_again() {
    let mut trace = sender();
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-10001").expect("ACK seq=1 len=1000");
    trace.at(120).send("ACK seq=101 ack=1001").silence().at(125).send("ACK seq=101 ack=10001").silence();
    trace.at(3_000).silence();
    assert_eq!((trace.info().retransmissions, trace.info().timeouts), (1, 0));
}

#[test]
fn nonsense_blocks_are_ignored() {
    let mut trace = sender();
    trace.at(80).send("ACK seq=101 ack=1001 sack=50001-60001").silence();
    trace.send("ACK seq=101 ack=1001 sack=3001-2001").silence();
    trace.send("ACK seq=101 ack=1001 sack=1-500").silence();
    trace.send("ACK seq=101 ack=1001 sack=1001-1001").silence();
    assert_eq!(trace.info().retransmissions, 0);
}
