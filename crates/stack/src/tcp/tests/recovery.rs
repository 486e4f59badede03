//! Whatever the network does: all data arrives, the accounts agree with each other, and no silence is longer than the
//! timeout explains.

use core::time::Duration;

use super::super::*;
use super::pair::*;
use crate::random::Random;

/// What must hold of a sender after each step.
fn check(pair: &Duo, id: TcpId) {
    let connection = pair.ends[CLIENT].connection(id).unwrap();
    let info = pair.ends[CLIENT].info(id).unwrap();
    let outstanding = connection.nxt - connection.una;
    assert!(info.bytes_in_flight <= outstanding, "{info:?}");
    let loss = info.loss;
    assert!(loss.segments_lost + loss.segments_sacked <= loss.segments_out, "{loss:?}");
    if loss.segments_out == 0 {
        assert_eq!((info.bytes_in_flight, loss.segments_lost, loss.segments_resent), (0, 0, 0));
    } else if connection.is_synchronized() {
        // Something is out: a timer runs that will deal with it, and none later than the longest timeout.
        let due = connection.timers.retransmit;
        assert!(!due.is_never(), "nothing would ever happen: {info:?}");
        assert!(due <= pair.now + TcpConfig::default().max_rto, "{due:?} at {:?}", pair.now);
    }
    if matches!(loss.state, RecoveryState::Open) {
        assert_eq!(loss.segments_sacked, 0, "{loss:?}");
    }
}

/// A link that changes its mind: stretches of loss, reordering, duplication, silence and peace.
fn change(pair: &mut Duo, random: &mut Random) {
    let link = &mut pair.link;
    (link.loss, link.duplicate, link.reorder) = match random.below(6) {
        0 => (100, 0, 0),
        1 => (random.below(40), 0, 0),
        2 => (0, 0, random.below(80)),
        3 => (random.below(10), random.below(30), random.below(30)),
        _ => (0, 0, 0),
    };
}

fn transfer(seed: u64) {
    let mut random = Random::new(seed, "recovery");
    let link = Link {
        delay: ms(1 + random.below(80)),
        rate: [0, 200_000, 2_000_000][random.below(3) as usize],
        seed,
        ..Link::default()
    };
    let kinds = [Congestion::NewReno, Congestion::Cubic, Congestion::Bbr1, Congestion::Bbr3];
    let config = TcpConfig {
        timestamps: random.below(4) > 0,
        sack: random.below(4) > 0,
        frto: random.below(4) > 0,
        tail_loss_probe: random.below(4) > 0,
        congestion: kinds[random.below(4) as usize],
        data_retries: 1_000,
        syn_retries: 20,
        syn_ack_retries: 20,
        ..TcpConfig::default()
    };
    println!("seed {seed}: {link:?} {:?}", config.congestion);
    let mut pair = Duo::with(link, config.clone(), config);
    let (_, client, server) = pair.established();
    let len = 1_000 + random.below(400_000) as usize;
    let (mut written, mut received, mut buffer) = (0, 0, vec![0; 65_536]);
    let mut changes_at = pair.now;
    let mut progress_at = pair.now;
    for step in 0.. {
        assert!(step < 400_000, "{received} of {len}");
        if pair.now >= changes_at && pair.now.since(progress_at) < Duration::from_secs(300) {
            change(&mut pair, &mut random);
            changes_at = pair.now + ms(random.below(2_000));
        }
        if pair.now.since(progress_at) >= Duration::from_secs(300) {
            // A long silence of the link: from here on it is at peace, and the next timeout has to end it.
            pair.link = Link { loss: 0, duplicate: 0, reorder: 0, ..pair.link.clone() };
        }
        assert!(pair.now.since(progress_at) < Duration::from_secs(600), "no progress at {received} of {len}");
        if written < len {
            let chunk = pattern(written, (len - written).min(1 + random.below(20_000) as usize));
            written += pair.ends[CLIENT].write(pair.now, client, &chunk).unwrap();
        }
        while let Some(read) = pair.ends[SERVER].read(pair.now, server, &mut buffer).unwrap() {
            assert_eq!(buffer[..read], pattern(received, read)[..], "from {received} on");
            received += read;
            progress_at = pair.now;
        }
        check(&pair, client);
        if received == len {
            break;
        }
        assert!(pair.step(), "stuck at {received} of {len}");
    }
}

#[test]
fn any_network_delivers_and_the_accounts_agree() {
    for seed in 0..150 {
        transfer(seed);
    }
}

/// The peer acknowledges whatever it likes: old, new, in part, with true and senseless blocks.
#[test]
fn no_acknowledgement_confuses_the_accounts() {
    use super::trace::Trace;
    for seed in 0..300 {
        let mut random = Random::new(seed, "hostile acknowledgements");
        let timestamps = random.below(2) == 0;
        let config = TcpConfig { timestamps, sack: random.below(4) > 0, ..TcpConfig::default() };
        let with = if timestamps { "sackok ws=4 ts=1/0" } else { "sackok ws=4" };
        let mut trace = Trace::established(config, with);
        let (mut acked, mut millis) = (0u64, 0);
        for _ in 0..200 {
            let connection = trace.connection();
            if connection.state == State::Closed {
                break;
            }
            let sent = connection.nxt - connection.iss;
            let place = |random: &mut Random| random.below(sent + 2_000);
            match random.below(8) {
                0 if connection.queue.space() > 20_000 => {
                    trace.write(1 + random.below(10_000) as usize);
                }
                1 => {
                    millis += random.below(300);
                    trace.pass_until(millis);
                }
                2 => acked = (acked + random.below(5_000)).min(sent),
                _ => {
                    let ack = if random.below(10) == 0 { place(&mut random) } else { acked.max(1) };
                    let mut text = format!("ACK seq=101 ack={ack} win={}", random.below(65_536));
                    if timestamps {
                        text += &format!(" ts={}/{}", 2 + millis, random.below(1 << 32));
                    }
                    let blocks: Vec<String> = (0..random.below(4))
                        .map(|_| {
                            let left = place(&mut random);
                            format!("{left}-{}", left + random.below(4_000))
                        })
                        .collect();
                    if !blocks.is_empty() {
                        text += &format!(" sack={}", blocks.join(","));
                    }
                    trace.send(&text).forget_output();
                }
            }
            let connection = trace.connection();
            let info = trace.info();
            assert!(info.bytes_in_flight <= connection.nxt - connection.una, "seed {seed}: {info:?}");
            if connection.is_synchronized() && info.loss.segments_out > 0 {
                assert!(!connection.timers.retransmit.is_never(), "seed {seed}: {info:?}");
            }
        }
    }
}
