//! Reordering without loss: the rate must not suffer. Virtual time is deterministic, so the rate may be asserted.

use core::time::Duration;

use crate::host::{HostConfig, Medium};
use crate::tcp::{Congestion, TcpConfig, TcpConnectOptions, TcpInfo};
use crate::testing::{B4, Link, Pair};

/// Sends `bytes` over 33 ms each way at 100 Mbit/s, with `reorder` parts per billion of the frames `by` later.
fn transfer(bytes: u64, congestion: Congestion, reorder: u64, by: Duration) -> (Duration, TcpInfo) {
    let link = Link {
        delay: Duration::from_millis(33),
        rate: 100_000_000,
        reorder,
        reorder_by: by,
        medium: Medium::Ip,
        ..Link::default()
    };
    let tcp = TcpConfig {
        congestion,
        send_buffer: 4 << 20,
        receive_buffer: 4 << 20,
        events: false,
        ..TcpConfig::default()
    };
    let config = HostConfig { tcp, ..HostConfig::default() };
    let mut pair = Pair::with(link, config.clone(), config);
    let listener = pair.b.tcp_listen((B4, 80).into(), 1).unwrap();
    let now = pair.now();
    let client = pair.a.tcp_connect(now, None, (B4, 80).into(), TcpConnectOptions::default()).unwrap();
    let (mut written, mut read, mut server) = (0, 0, None);
    let (block, mut buffer) = (vec![7; 65_536], vec![0; 65_536]);
    while read < bytes {
        let now = pair.now();
        if pair.a.tcp_connected(client) == Some(Ok(())) && written < bytes {
            let most = block.len().min((bytes - written) as usize);
            written += pair.a.tcp_write(now, client, &block[..most]).unwrap() as u64;
        }
        server = server.or_else(|| pair.b.tcp_accept(listener));
        if let Some(server) = server {
            while let Ok(Some(len @ 1..)) = pair.b.tcp_read(now, server, &mut buffer) {
                read += len as u64;
            }
        }
        assert!(pair.step(), "{written} written, {read} read");
    }
    let info = pair.a.tcp_info(client).unwrap();
    (pair.now().since(thru_wire::Instant::START), info)
}

/// The case that cost others five years: 66 ms, slight reordering, no loss. At least 95 % of the rate without.
#[test]
fn slight_reordering_costs_no_rate() {
    const BYTES: u64 = 20_000_000;
    for congestion in [Congestion::Cubic, Congestion::NewReno] {
        let (clean, info) = transfer(BYTES, congestion, 0, Duration::ZERO);
        assert_eq!((info.retransmissions, info.timeouts), (0, 0));
        for (percent, by) in [(1, 1), (2, 3), (5, 5), (10, 2), (1, 12)] {
            let by = Duration::from_millis(by);
            let (time, info) = transfer(BYTES, congestion, percent * 10_000_000, by);
            let share = clean.as_micros() * 1_000 / time.as_micros();
            println!(
                "{congestion:?}, {percent} % by {by:?}: {share} of 1000, {} sent again, {} recoveries, {} undone",
                info.retransmissions, info.fast_recoveries, info.loss.undone
            );
            assert!(share >= 950, "{congestion:?}, {percent} % by {by:?}: {share} of 1000");
        }
    }
}

/// Reordering by more than a quarter of the round trip: duplicates teach the sender to wait longer.
#[test]
fn strong_reordering_is_learnt() {
    const BYTES: u64 = 20_000_000;
    let (clean, _) = transfer(BYTES, Congestion::Cubic, 0, Duration::ZERO);
    let (time, info) = transfer(BYTES, Congestion::Cubic, 20_000_000, Duration::from_millis(25));
    let share = clean.as_micros() * 1_000 / time.as_micros();
    println!("{share} of 1000, {} sent again, {} undone", info.retransmissions, info.loss.undone);
    assert!(info.loss.undone > 0 && info.timeouts == 0);
    assert!(share >= 800, "{share} of 1000");
}
