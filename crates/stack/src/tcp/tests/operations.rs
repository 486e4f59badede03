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
        _ => pair.run_for(Duration::from_micros(random.below(50_000))),
    }
    pair.pump();
}

#[test]
fn whatever_applications_do_both_hosts_come_to_rest() {
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
            ..TcpConfig::default()
        };
        let mut pair = Duo::with(link, config(&mut random), config(&mut random));
        let listener = pair.listen(80, 8);
        let side = |id| Side { id, written: 0, read: 0, closed: false };
        let mut sides = [side(Some(pair.connect(80))), side(None)];
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
    }
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
