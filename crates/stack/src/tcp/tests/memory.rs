//! Buffers: how they grow, what they hold, and what happens when there is no memory.

use super::super::*;
use super::pair::*;
use super::trace::{Trace, fixed, plain};

/// Bytes that come through in `seconds` over a link of 50 ms each way and 12.5 MB/s, and how large both buffers became.
fn transfer(client: TcpConfig, server: TcpConfig, seconds: u64) -> (usize, usize, usize) {
    let link = Link { delay: ms(50), rate: 12_500_000, ..Link::default() };
    let events = false;
    let mut pair = Duo::with(link, TcpConfig { events, ..client }, TcpConfig { events, ..server });
    let (_, client, server) = pair.established();
    let end = pair.now + ms(1_000 * seconds);
    let (block, mut buffer, mut read) = (vec![7; 65_536], vec![0; 65_536], 0);
    while pair.now < end {
        while pair.ends[CLIENT].write(pair.now, client, &block).unwrap() > 0 {}
        while let Ok(Some(len)) = pair.ends[SERVER].read(pair.now, server, &mut buffer) {
            read += len;
        }
        assert!(pair.step());
    }
    let sends = pair.ends[CLIENT].buffers(client).unwrap().0;
    (read, sends, pair.ends[SERVER].buffers(server).unwrap().1)
}

#[test]
fn buffers_grow_until_the_path_is_full() {
    let (read, sends, receives) = transfer(TcpConfig::default(), TcpConfig::default(), 10);
    // The path holds 1.25 MB.
    assert!(read > 100_000_000, "{read}");
    assert!((1_250_000..=4 << 20).contains(&sends) && (1_250_000..=6 << 20).contains(&receives));
    // Without growth a window of 128 KiB a round trip is all there is.
    let still = TcpConfig { receive_autotuning: false, ..TcpConfig::default() };
    let (read, _, receives) = transfer(TcpConfig::default(), still, 10);
    assert!((11_000_000..=13_200_000).contains(&read), "{read}");
    assert_eq!(receives, 128 << 10);
    let still = TcpConfig { send_autotuning: false, ..TcpConfig::default() };
    let (read, sends, _) = transfer(still, TcpConfig::default(), 10);
    assert!((11_000_000..=13_200_000).contains(&read), "{read}");
    assert_eq!(sends, 128 << 10);
}

#[test]
fn without_timestamps_the_receiver_learns_the_round_trip_from_its_window() {
    let silent = TcpConfig { timestamps: false, ..TcpConfig::default() };
    let (read, _, receives) = transfer(TcpConfig::default(), silent, 10);
    assert!(read > 90_000_000 && receives >= 1_250_000, "{read} {receives}");
}

#[test]
fn a_reader_that_does_not_keep_up_gets_no_larger_buffer() {
    let mut pair = Duo::over(Link { delay: ms(50), ..Link::default() });
    let (_, client, server) = pair.established();
    let mut buffer = [0; 1_000];
    for _ in 0..200 {
        pair.ends[CLIENT].write(pair.now, client, &[1; 65_536]).unwrap();
        pair.ends[SERVER].read(pair.now, server, &mut buffer).unwrap();
        pair.run_for(ms(20));
    }
    assert_eq!(pair.ends[SERVER].buffers(server).unwrap().1, 128 << 10);
}

#[test]
fn buffers_that_were_set_stay() {
    let mut options = SocketOptions::new(&TcpConfig::default());
    (options.send_buffer, options.receive_buffer) = (Some(20_000), Some(30_000));
    let mut trace = Trace::server_with(TcpConfig::default(), options);
    trace.at(0).send("SYN seq=100 mss=1000 ws=0 ts=1/0").expect("SYN ACK ack=101 ws=0 win=30000");
    trace.send("ACK seq=101 ack=1 ts=1/0").accept();
    assert_eq!(trace.tcp.buffers(trace.id.unwrap()), Some((20_000, 30_000)));
    let id = trace.id.unwrap();
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(20_000));
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(0));
}

#[test]
fn what_is_counted_is_what_is_held_and_none_in_the_end() {
    let mut pair = Duo::over(Link { loss: 3, reorder: 20, seed: 5, ..Link::default() });
    let (_, client, server) = pair.established();
    let mut buffer = vec![0; 10_000];
    let (mut left, mut most) = (3_000_000usize, 0);
    while left > 0 {
        pair.ends[CLIENT].write(pair.now, client, &[1; 50_000][..left.min(50_000)]).unwrap();
        assert!(pair.step());
        if let Ok(Some(read)) = pair.ends[SERVER].read(pair.now, server, &mut buffer) {
            left -= read.min(left);
        }
        most = most.max(pair.ends[SERVER].memory().0);
    }
    assert!(most > 10_000, "{most}");
    pair.ends[CLIENT].release(pair.now, client);
    pair.ends[SERVER].release(pair.now, server);
    pair.run_for(ms(200_000));
    for end in &pair.ends {
        assert_eq!((end.memory(), end.population()), ((0, false), (0, 0, 0)));
    }
}

/// A server with little memory for all, and a first connection that has been sent more than it reads.
fn scarce(limit: usize) -> Trace {
    let config = TcpConfig { memory_pressure: limit / 2, memory_limit: limit, ..plain() };
    let mut trace = Trace::established(config, "");
    for block in 0..limit / 1_000 + 1 {
        trace.send(&format!("ACK seq={} ack=1 len=1000", 101 + 1_000 * block)).forget_output();
    }
    trace
}

#[test]
fn at_the_limit_nothing_more_is_taken_in_and_reading_lets_it_go_on() {
    let mut trace = scarce(50_000);
    let (used, pressure) = trace.tcp.memory();
    assert!((50_000..52_000).contains(&used) && pressure, "{used}");
    let held = trace.info().bytes_received;
    let next = 101 + held as usize;
    trace.send(&format!("ACK seq={next} ack=1 len=1000")).expect(&format!("ACK ack={next}"));
    assert!(trace.tcp.stats().receive_queue_drops > 0 && trace.tcp.stats().memory_pressures == 1);
    trace.read(101, held as usize).forget_output();
    assert!(!trace.tcp.memory().1);
    trace.send(&format!("ACK seq={next} ack=1 len=1000"));
    assert_eq!(trace.info().bytes_received, held + 1_000);
}

#[test]
fn at_the_limit_other_connections_still_get_on() {
    let mut trace = scarce(50_000);
    trace.port(2).send("SYN seq=100 mss=1000").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
    for block in 0..5 {
        let next = 101 + 1_000 * block;
        trace.send(&format!("ACK seq={next} ack=1 len=1000")).expect(&format!("ACK ack={}", next + 1_000));
        trace.read(next, 1_000);
    }
    let id = trace.id.unwrap();
    let written = trace.tcp.write(trace.now, id, &[1; 50_000]).unwrap();
    assert!((1_000..=memory::FLOOR).contains(&written), "{written}");
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(0));
}

#[test]
fn what_waits_for_a_gap_gives_way_to_what_fills_it() {
    let config = TcpConfig { memory_pressure: 10_000, memory_limit: 20_000, ..plain() };
    let mut trace = Trace::established(config, "");
    for block in 1..30 {
        trace.send(&format!("ACK seq={} ack=1 len=1000", 101 + 1_000 * block)).forget_output();
    }
    assert!(trace.tcp.memory().0 >= 20_000);
    trace.send("ACK seq=101 ack=1 len=1000");
    assert_eq!((trace.tcp.stats().out_of_order_pruned, trace.info().gap_bytes), (1, 0));
    trace.send("ACK seq=1101 ack=1 len=1000").expect("ACK ack=2101");
}

#[test]
fn at_the_limit_connections_without_owner_are_reset() {
    let mut trace = scarce(50_000);
    trace.port(2).send("SYN seq=100 mss=1000").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
    trace.release().expect("RST ACK seq=1");
    assert_eq!(trace.tcp.stats().aborts_on_memory, 1);
}

#[test]
fn tiny_segments_hold_no_more_than_large_ones() {
    // One byte a segment, every second missing: each costs far more than a byte.
    let mut trace = Trace::established(fixed(), "sackok");
    for place in 0..20_000 {
        trace.send(&format!("ACK seq={} ack=1 len=1", 102 + 2 * place)).forget_output();
    }
    assert!(trace.tcp.memory().0 <= 1_024 * 200, "{}", trace.tcp.memory().0);
    // In order they are copied together.
    let mut trace = Trace::established(fixed(), "");
    for place in 0..20_000 {
        trace.send(&format!("ACK seq={} ack=1 len=1", 101 + place)).forget_output();
    }
    assert!(trace.tcp.memory().0 <= 30_000, "{}", trace.tcp.memory().0);
}

#[test]
fn too_many_without_owner_are_reset() {
    let mut trace = Trace::server(TcpConfig { orphans_most: 1, ..plain() });
    trace.at(0);
    for port in 1..=2 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
        trace.release().expect(["FIN ACK seq=1", "RST ACK seq=1"][usize::from(port) - 1]);
    }
    // The first is gone: there is room for the next.
    trace.port(1).send("FIN ACK seq=101 ack=2").expect("ACK ack=102");
    trace.port(3).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1").accept();
    trace.release().expect("FIN ACK seq=1");
    assert_eq!(trace.tcp.stats().aborts_on_memory, 1);
}
