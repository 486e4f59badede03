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
