//! What connections and hosts tell about themselves.

use core::time::Duration;

use super::super::*;
use super::pair::{CLIENT, Duo, Link, SERVER, ms};
use super::trace::*;

#[test]
fn the_kernels_fields_have_the_kernels_units() {
    let mut trace = Trace::server(TcpConfig::default());
    trace.at(0).send("SYN seq=100 mss=1460 ws=3 sackok ts=10/0 win=2000").expect("SYN ACK ack=101");
    let stamp = trace.last_timestamp.unwrap().value;
    trace.at(30).send(&format!("ACK seq=101 ack=1 ts=40/{stamp} win=2000")).accept();
    trace.write(4_000).forget_output();
    trace.at(50).send(&format!("ACK seq=101 ack=1449 ts=60/{stamp} win=2000 len=700")).forget_output();
    let info = trace.info();
    let field = |name: &str| info.kernel_field(name, trace.now).unwrap();
    assert_eq!((field("tcpi_state"), field("ca_state"), field("options")), (1, 0, 7));
    assert_eq!(
        (field("snd_wscale"), field("rcv_wscale"), field("snd_mss"), field("rcv_mss")),
        (3, 7, 1_448, 700)
    );
    assert_eq!((field("unacked"), field("sacked"), field("lost"), field("retrans")), (2, 0, 0, 0));
    assert_eq!((field("bytes_acked"), field("bytes_received"), field("bytes_sent")), (1_448, 700, 4_000));
    assert_eq!((field("data_segs_in"), field("data_segs_out"), field("notsent_bytes")), (1, 3, 0));
    assert_eq!((field("advmss"), field("pmtu"), field("snd_wnd")), (1_460, 1_500, 16_000));
    assert_eq!((field("min_rtt"), field("snd_cwnd"), field("snd_ssthresh")), (20_000, 10, 0x7fff_ffff));
    assert_eq!((field("last_data_sent"), field("last_data_recv")), (20, 0));
    assert_eq!(info.kernel_field("tcpi_nonsense", trace.now), None);
    trace.at(80);
    assert_eq!(trace.info().kernel_field("last_data_recv", trace.now), Some(30));
}

#[test]
fn it_is_told_what_the_time_went_by_with() {
    let mut trace = Trace::established(plain(), "");
    // On its way from 100 to 140, held back by the peer's window until 300, on its way until 320.
    trace.at(100).write(1_000).expect("ACK seq=1 len=1000");
    trace.at(140).send("ACK seq=101 ack=1001 win=0").write(500).silence();
    trace.at(300).send("ACK seq=101 ack=1001 win=5000").expect("ACK seq=1001 len=500");
    trace.at(320).send("ACK seq=101 ack=1501 win=5000").at(400);
    let info = trace.info();
    assert_eq!((info.busy, info.window_limited), (Duration::from_millis(220), Duration::from_millis(160)));
}

#[test]
fn the_hosts_counters_count() {
    let link = Link { loss: 10, seed: 3, ..Link::default() };
    let mut pair = Duo::over(link);
    let (_, client, server) = pair.established();
    let (mut left, mut buffer) = (300_000usize, vec![0; 65_536]);
    pair.ends[CLIENT].write(pair.now, client, &vec![1; left]).unwrap();
    left = left.min(pair.ends[CLIENT].buffers(client).unwrap().0);
    while left > 0 {
        assert!(pair.step());
        if let Ok(Some(read)) = pair.ends[SERVER].read(pair.now, server, &mut buffer) {
            left -= read.min(left);
        }
    }
    pair.run_for(ms(5_000));
    let (info, stats) = (pair.ends[CLIENT].info(client).unwrap(), *pair.ends[CLIENT].stats());
    assert!(info.retransmissions > 5 && info.bytes_retransmitted > 5_000, "{info:?}");
    assert_eq!(stats.retransmissions, info.retransmissions);
    assert_eq!(stats.segments_sent, info.segments_sent - info.retransmissions);
    assert_eq!((stats.timeouts, stats.active_opens), (info.timeouts, 1));
    assert_eq!(stats.segments_received, info.segments_received);
    assert_eq!(pair.ends[SERVER].stats().passive_opens, 1);
}

#[test]
fn ends_are_counted_by_their_kind() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("RST seq=101").port(9).send("ACK seq=5 ack=5").expect("RST seq=5");
    assert_eq!((trace.tcp.stats().established_resets, trace.tcp.stats().resets_sent), (1, 1));

    let mut trace = Trace::client(TcpConfig { syn_retries: 0, ..plain() });
    trace.forget_output();
    while trace.info().state != State::Closed {
        trace.pass();
    }
    let stats = trace.tcp.stats();
    assert_eq!((stats.attempt_fails, stats.syn_retransmissions, stats.aborts_on_timeout), (1, 4, 0));

    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("ACK seq=101 ack=1 len=5").forget_output();
    trace.release().expect("RST ACK seq=1");
    assert_eq!((trace.tcp.stats().aborts_on_close, trace.tcp.stats().established_resets), (1, 1));

    let mut trace = Trace::established(plain(), "");
    trace.at(10).release().expect("FIN ACK seq=1").send("ACK seq=101 ack=2 len=5").expect("RST");
    assert_eq!(trace.tcp.stats().aborts_on_data, 1);
}

#[test]
fn closed_windows_are_counted_both_ways() {
    let mut trace = Trace::established(TcpConfig { receive_buffer: 2_000, ..plain() }, "");
    trace.at(10).send("ACK seq=101 ack=1 len=1000").expect("ACK ack=1101 win=1000");
    trace.send("ACK seq=1101 ack=1 len=1000").expect("ACK ack=2101 win=0");
    trace.read(101, 2_000).expect("ACK ack=2101 win=2000");
    trace.send("ACK seq=2101 ack=1 len=1000").expect("ACK ack=3101 win=1000");
    let stats = trace.tcp.stats();
    assert_eq!((stats.zero_windows_announced, stats.zero_windows_reopened), (1, 1));
}
