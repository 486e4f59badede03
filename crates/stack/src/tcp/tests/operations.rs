//! Random operations of both applications over a random link: whatever they do, nothing panics, every byte read is
//! the right one, and in the end both hosts are at rest and empty.

use core::time::Duration;

use super::super::*;
use super::pair::*;
use crate::random::Random;

struct Side {
    id: Option<TcpId>,
    written: usize,
    read: usize,
    closed: bool,
}

fn operate(pair: &mut Duo, sides: &mut [Side; 2], random: &mut Random) {
    let end = random.below(2) as usize;
    let Some(id) = sides[end].id else { return };
    let (now, tcp) = (pair.now, &mut pair.ends[end]);
    match random.below(40) {
        0..=12 => {
            let chunk = pattern(sides[end].written + end * 7, random.below(20_000) as usize);
            if let Ok(written) = tcp.write(now, id, &chunk) {
                assert!(!sides[end].closed || written == 0);
                sides[end].written += written;
            }
        }
        13..=30 => {
            let mut buffer = vec![0; 1 + random.below(30_000) as usize];
            if let Ok(Some(count)) = tcp.read(now, id, &mut buffer) {
                assert_eq!(buffer[..count], pattern(sides[end].read + (1 - end) * 7, count)[..]);
                sides[end].read += count;
                assert!(sides[end].read <= sides[1 - end].written);
            }
        }
        31 if random.below(3) == 0 => {
            let _ = tcp.shutdown(now, id);
            sides[end].closed = true;
        }
        32 if random.below(30) == 0 => {
            tcp.abort(now, id);
            sides[end].closed = true;
        }
        33 if random.below(10) == 0 => {
            tcp.release(now, id);
            sides[end].id = None;
        }
        34 => tcp.set_nodelay(now, id, random.below(2) == 0),
        35 => {
            let info = tcp.info(id).unwrap();
            assert!(info.bytes_acked <= info.bytes_sent && info.bytes_acked as usize <= sides[end].written);
            assert!(tcp.events(id).len() <= 256);
        }
        36 => {
            let options = change(*tcp.options(id).unwrap(), random);
            tcp.set_options(now, id, &options).unwrap();
            tcp.set_quick_ack(now, id, random.below(2) == 0).unwrap();
            assert_eq!(tcp.options(id), Some(&options));
        }
        _ => pair.run_for(Duration::from_micros(random.below(50_000))),
    }
    pair.pump();
}

/// Other options, none of which keeps a connection from coming to an end.
fn change(mut options: SocketOptions, random: &mut Random) -> SocketOptions {
    let size = |random: &mut Random| 1 + random.below(30_000) as usize;
    let seconds = |random: &mut Random| Duration::from_secs(1 + random.below(60));
    match random.below(12) {
        0 => options.cork ^= true,
        1 => options.nodelay ^= true,
        2 => (options.keepalive, options.keepalive_idle) = (true, seconds(random)),
        3 => options.keepalive = false,
        4 => options.user_timeout = (random.below(2) == 0).then(|| seconds(random)),
        5 => options.mss_limit = Some(88 + random.below(1_400) as u16),
        6 => options.window_clamp = Some(1_000 + size(random) as u32),
        7 => options.send_buffer = Some(size(random)),
        8 => options.receive_buffer = Some(2_000 + size(random)),
        9 => options.receive_low = size(random),
        10 => options.notsent_low = Some(size(random)),
        _ => options.linger = [None, Some(Duration::ZERO), Some(seconds(random))][random.below(3) as usize],
    }
    options
}

#[test]
fn whatever_applications_do_both_hosts_come_to_rest() {
    let mut seen = [0; 5];
    for seed in 0..400 {
        let mut random = Random::new(seed, "operations");
        let link = Link {
            delay: ms(1 + random.below(60)),
            loss: random.below(25),
            duplicate: random.below(10),
            reorder: random.below(40),
            rate: [0, 500_000][random.below(2) as usize],
            seed,
        };
        let config = |random: &mut Random| TcpConfig {
            send_buffer: 3_000 << random.below(7),
            receive_buffer: 3_000 << random.below(7),
            timestamps: random.below(4) > 0,
            sack: random.below(4) > 0,
            keepalive: (random.below(4) == 0).then_some(Duration::from_secs(30)),
            data_retries: 8,
            send_autotuning: random.below(2) == 0,
            receive_autotuning: random.below(2) == 0,
            memory_limit: [20_000, 200_000, 1 << 30][random.below(3) as usize],
            memory_pressure: [10_000, 1 << 30][random.below(2) as usize],
            syn_cookies: [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never]
                [random.below(3) as usize],
            ..TcpConfig::default()
        };
        let mut pair = Duo::with(link, config(&mut random), config(&mut random));
        let mut options = SocketOptions::new(&TcpConfig::default());
        options.fast_open_pending = random.below(3) as u32;
        options.fast_open_no_cookie = random.below(2) == 0;
        options.fast_open_connect = random.below(2) == 0;
        options.defer_accept = (random.below(4) == 0).then_some(Duration::from_secs(2));
        let way = &pair.ways[SERVER];
        let listener = pair.ends[SERVER].listen_with(way, Duo::address(SERVER, 80), 8, options).unwrap();
        let side = |id| Side { id, written: 0, read: 0, closed: false };
        // The client's first bytes may leave with its SYN.
        let first = pattern(0, random.below(4_000) as usize);
        let wishes = TcpConnectOptions { socket: Some(options), ..TcpConnectOptions::default() };
        let (now, way, to) = (pair.now, &pair.ways[CLIENT], Duo::address(SERVER, 80));
        let called = pair.ends[CLIENT].connect_with_data(now, way, None, to, wishes, &first).unwrap();
        let mut sides = [side(Some(called.0)), side(None)];
        sides[CLIENT].written = called.1;
        for _ in 0..600 {
            if sides[SERVER].id.is_none() && sides[SERVER].read == 0 {
                sides[SERVER].id = pair.ends[SERVER].accept(listener);
            }
            operate(&mut pair, &mut sides, &mut random);
        }
        // Everybody leaves.
        for end in [CLIENT, SERVER] {
            if let Some(id) = sides[end].id {
                pair.ends[end].release(pair.now, id);
            }
        }
        pair.ends[SERVER].close_listener(pair.now, listener);
        pair.run_for(Duration::from_secs(7_200));
        assert_eq!(pair.ends[CLIENT].population(), (0, 0, 0), "seed {seed}");
        assert_eq!(pair.ends[SERVER].population(), (0, 0, 0), "seed {seed}");
        assert!(pair.next_event().is_never(), "seed {seed}");
        for end in &pair.ends {
            assert_eq!(end.memory(), (0, false), "seed {seed}");
            let stats = end.stats();
            let counts = [
                stats.fast_open_passive,
                stats.cookies_received,
                stats.memory_pressures,
                stats.receive_queue_drops,
                stats.aborts_on_linger,
            ];
            seen.iter_mut().zip(counts).for_each(|(seen, count)| *seen += count);
        }
    }
    assert!(seen.iter().all(|&count| count > 3), "what the test is about has happened: {seen:?}");
}

/// Both sides call each other at the same moment, from and to the same ports, over a link that loses.
#[test]
fn simultaneous_open_and_close_over_a_bad_link() {
    for seed in 0..100 {
        let link = Link { loss: 20, duplicate: 5, reorder: 20, seed, ..Link::default() };
        let mut pair = Duo::over(link);
        let mut ids = [TcpId(0); 2];
        for end in [CLIENT, SERVER] {
            let (local, remote) = (Duo::address(end, 5_000), Duo::address(1 - end, 5_000));
            let (now, way) = (pair.now, &pair.ways[end]);
            ids[end] = pair.ends[end].connect(now, way, Some(local), remote, Default::default()).unwrap();
        }
        pair.run_for(ms(60_000));
        for end in [CLIENT, SERVER] {
            assert_eq!(pair.ends[end].connected(ids[end]), Some(Ok(())), "seed {seed}");
            pair.ends[end].write(pair.now, ids[end], &pattern(end, 5_000)).unwrap();
            pair.ends[end].shutdown(pair.now, ids[end]).unwrap();
        }
        pair.run_for(Duration::from_secs(1_000));
        for end in [CLIENT, SERVER] {
            let mut buffer = vec![0; 6_000];
            let (now, id) = (pair.now, ids[end]);
            assert_eq!(pair.ends[end].read(now, id, &mut buffer), Ok(Some(5_000)), "seed {seed}");
            assert_eq!(buffer[..5_000], pattern(1 - end, 5_000));
            assert_eq!(pair.ends[end].read(now, id, &mut buffer), Ok(Some(0)));
            assert_eq!(pair.ends[end].info(id).unwrap().state, State::Closed, "seed {seed}");
            pair.ends[end].release(now, id);
            assert_eq!(pair.ends[end].population(), (0, 0, 0));
        }
    }
}

/// The same seeds give the same segments, to the byte and the nanosecond.
#[test]
fn runs_repeat_themselves() {
    let digest = || {
        let link = Link { loss: 5, duplicate: 2, reorder: 10, seed: 9, ..Link::default() };
        let mut pair = Duo::over(link);
        super::transfer::transfer(&mut pair, 300_000, 100_000);
        (pair.now, pair.sent, pair.steps)
    };
    assert_eq!(digest(), digest());
}
