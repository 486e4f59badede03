//! RFC 2018, 2883 and 6675: selective acknowledgement, both ways.

use super::super::*;
use super::trace::*;

fn sack_only() -> TcpConfig {
    TcpConfig { timestamps: false, window_scaling: false, ..TcpConfig::default() }
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
    trace.send("ACK seq=351 ack=1 len=700").expect("ACK ack=1101 nosack").read(101, 1_000);
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

fn sender() -> Trace {
    let mut trace = Trace::established(sack_only(), "sackok");
    trace.write(10_000);
    for index in 0..10 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace
}

#[test]
fn rfc_6675_more_than_two_segments_above_mean_loss() {
    let mut trace = sender();
    trace.at(40).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    trace.send("ACK seq=101 ack=1 sack=1001-3001").silence();
    trace.send("ACK seq=101 ack=1 sack=1001-4001").expect("ACK seq=1 len=1000").silence();
    let info = trace.info();
    assert_eq!((info.fast_recoveries, info.retransmissions, info.congestion_window), (1, 1, 7_000));
    assert_eq!(info.slow_start_threshold, 7_000);
    trace.at(80).send("ACK seq=101 ack=10001").silence();
    assert_eq!(trace.info().bytes_in_flight, 0);
}

#[test]
fn rfc_6675_three_ranges_above_mean_loss_whatever_their_size() {
    let mut trace = Trace::established(TcpConfig { nodelay: true, ..sack_only() }, "sackok");
    for index in 0..8 {
        trace.write(100).expect(&format!("ACK seq={} len=100", 1 + 100 * index));
    }
    trace.at(40).send("ACK seq=101 ack=1 sack=101-201").silence();
    trace.send("ACK seq=101 ack=1 sack=301-401,101-201").silence();
    // Everything below the third range from above: only the first.
    trace.send("ACK seq=101 ack=1 sack=501-601,301-401,101-201").expect("ACK seq=1 len=100").silence();
    trace
        .send("ACK seq=101 ack=1 sack=701-801,501-601,301-401,101-201")
        .expect("ACK seq=201 len=100")
        .silence();
}

#[test]
fn only_what_is_missing_is_sent_again_as_the_window_allows() {
    let mut trace = sender();
    // 1, 3 and 5 of ten are missing.
    trace.at(40).send("ACK seq=101 ack=1 sack=1001-2001,3001-4001,5001-10001");
    trace
        .expect("ACK seq=1 len=1000")
        .expect("ACK seq=2001 len=1000")
        .expect("ACK seq=4001 len=1000")
        .silence();
    trace.at(80).send("ACK seq=101 ack=4001 sack=5001-10001").silence();
    trace.send("ACK seq=101 ack=10001").silence();
    assert_eq!((trace.info().retransmissions, trace.info().timeouts), (3, 0));
}

#[test]
fn a_lost_retransmission_is_noticed_when_later_data_arrives() {
    let mut trace = sender();
    trace.at(40).send("ACK seq=101 ack=1 sack=1001-10001").expect("ACK seq=1 len=1000").silence();
    trace.at(60).write(3_000).expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000");
    trace.expect("ACK seq=12001 len=1000");
    // Sent 20 ms after the retransmission, and here: that one is lost again.
    trace.at(100).send("ACK seq=101 ack=1 sack=1001-11001").expect("ACK seq=1 len=1000").silence();
    assert_eq!((trace.info().retransmissions, trace.info().fast_recoveries), (2, 1));
}

#[test]
fn section_8_after_a_timeout_reported_data_is_not_sent_again_unless_it_was_thrown_away() {
    let mut trace = sender();
    trace.at(10).send("ACK seq=101 ack=1 sack=9001-10001").silence();
    trace.at(200).expect("ACK seq=1 len=1000").silence();
    trace.at(240).send("ACK seq=101 ack=1001 sack=9001-10001");
    trace.expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000").silence();
    // All but the last arrive; it was reported and is acknowledged at last.
    trace.at(280).send("ACK seq=101 ack=9001").silence();
    let rto = trace.info().rto;
    trace.at_exactly(core::time::Duration::from_millis(280) + rto).expect("ACK seq=9001 len=1000");
}

#[test]
fn nonsense_blocks_are_ignored() {
    let mut trace = sender();
    trace.at(10).send("ACK seq=101 ack=1001 sack=50001-60001").silence();
    trace.send("ACK seq=101 ack=1001 sack=3001-2001").silence();
    trace.send("ACK seq=101 ack=1001 sack=1-500").silence();
    trace.send("ACK seq=101 ack=1001 sack=1001-1001").silence();
    assert_eq!(trace.info().retransmissions, 0);
}
