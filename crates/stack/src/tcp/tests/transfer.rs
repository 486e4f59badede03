//! Whole transfers over good and bad links.

use super::super::*;
use super::pair::*;

/// Sends `len` bytes from the client to the server, both close; the time it took.
pub(crate) fn transfer(pair: &mut Duo, len: usize, most_steps: u64) -> core::time::Duration {
    let began = pair.now;
    let (_, client, server) = pair.established();
    let (mut written, mut received) = (0, 0);
    let mut buffer = vec![0; 65_536];
    let mut finished = None;
    for step in 0.. {
        assert!(
            step < most_steps,
            "{written} written, {received} received of {len} after {most_steps} steps"
        );
        if written < len {
            let chunk = pattern(written, (len - written).min(32_768));
            written += pair.ends[CLIENT].write(pair.now, client, &chunk).unwrap();
            if written == len {
                pair.ends[CLIENT].shutdown(pair.now, client).unwrap();
            }
        }
        match pair.ends[SERVER].read(pair.now, server, &mut buffer).unwrap() {
            Some(0) => {
                finished = Some(pair.now.since(began));
                break;
            }
            Some(read) => {
                assert_eq!(buffer[..read], pattern(received, read)[..], "from {received} on");
                received += read;
                continue;
            }
            None => {}
        }
        assert!(pair.step(), "stuck: {written} written, {received} received of {len}");
    }
    assert_eq!(received, len);
    pair.ends[SERVER].shutdown(pair.now, server).unwrap();
    for _ in 0..most_steps {
        let states =
            [pair.ends[CLIENT].info(client).unwrap().state, pair.ends[SERVER].info(server).unwrap().state];
        if states == [State::TimeWait, State::Closed] || states == [State::Closed, State::Closed] {
            return finished.unwrap();
        }
        assert!(pair.step(), "stuck in {states:?}");
    }
    panic!("both sides should have closed");
}

#[test]
fn a_clean_link() {
    let mut pair = Duo::over(Link::default());
    let time = transfer(&mut pair, 1_000_000, 10_000);
    assert!(time < ms(500), "{time:?}");
    assert_eq!(pair.ends[CLIENT].population(), (0, 1, 1));
}

/// Ten megabytes over 20 ms one way; with loss, every twentieth segment comes up to 20 ms late, and some come twice.
/// `most`: seconds it may take, twice of what it does: a guard, not a measurement.
fn ten_megabytes(loss: u64, most: u64) {
    for seed in 0..3 {
        let link = Link {
            loss,
            reorder: if loss > 0 { 5 } else { 0 },
            duplicate: loss.min(2),
            seed,
            ..Link::default()
        };
        let mut pair = Duo::over(link);
        let time = transfer(&mut pair, 10_000_000, 3_000_000);
        println!("{loss} %, seed {seed}: {time:?}, {} segments", pair.sent[CLIENT]);
        assert!(time.as_secs() < most, "{loss} %, seed {seed}: {time:?}");
    }
}

#[test]
fn ten_megabytes_without_loss() {
    ten_megabytes(0, 2);
}

#[test]
fn ten_megabytes_at_1_percent_loss() {
    ten_megabytes(1, 80);
}

#[test]
fn ten_megabytes_at_5_percent_loss() {
    ten_megabytes(5, 130);
}

#[test]
fn ten_megabytes_at_20_percent_loss() {
    ten_megabytes(20, 1_300);
}

/// Whatever a link does, the bytes arrive once and in order, and both ends come to rest.
#[test]
fn any_pattern_of_loss_reordering_and_duplication_delivers_the_stream() {
    for seed in 0..200 {
        let mut random = crate::random::Random::new(seed, "patterns");
        let link = Link {
            delay: ms(1 + random.below(100)),
            loss: random.below(30),
            duplicate: random.below(20),
            reorder: random.below(60),
            rate: [0, 100_000, 1_000_000][random.below(3) as usize],
            seed,
        };
        let config = |random: &mut crate::random::Random| TcpConfig {
            send_buffer: 2_000 << random.below(8),
            receive_buffer: 2_000 << random.below(8),
            timestamps: random.below(4) > 0,
            sack: random.below(4) > 0,
            window_scaling: random.below(4) > 0,
            nodelay: random.below(2) > 0,
            congestion: if random.below(2) > 0 { Congestion::Cubic } else { Congestion::NewReno },
            data_retries: 100,
            syn_retries: 20,
            syn_ack_retries: 20,
            ..TcpConfig::default()
        };
        let mut pair = Duo::with(link.clone(), config(&mut random), config(&mut random));
        println!("seed {seed}: {link:?}");
        transfer(&mut pair, random.below(60_000) as usize, 200_000);
        pair.run_for(core::time::Duration::from_secs(3_600));
        let (half_open, _, time_wait) = pair.ends[CLIENT].population();
        assert_eq!((half_open, time_wait), (0, 0));
        assert!(pair.next_event().is_never(), "both at rest");
    }
}
