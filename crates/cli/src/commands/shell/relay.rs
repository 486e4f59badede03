//! Frames between two devices, as long as both work.

use std::collections::VecDeque;
use std::time::Duration;

use thru_net::iface::Pollable;
use thru_net::lab::real::each_packet;
use thru_os::clock;
use thru_stack::Frame;

/// Frames fetched at a time.
const BATCH: usize = 64;
/// How long to wait for room where nobody tells of it.
const STUCK: Duration = Duration::from_millis(1);

/// Runs until one of them fails.
pub(super) async fn run(mut one: Box<dyn Pollable>, mut other: Box<dyn Pollable>) {
    let watched = [thru_os::watch::watch(one.fd()), thru_os::watch::watch(other.fd())];
    let [Ok(from_one), Ok(from_other)] = watched else { return };
    loop {
        let stuck = one.is_stuck() || other.is_stuck();
        let passed = tokio::select! {
            biased;
            ready = from_one.readable() => match ready {
                Ok(mut ready) => pass(&mut one, &mut other).inspect(|count| if *count == 0 { ready.clear_ready() }),
                Err(_) => None,
            },
            ready = from_other.readable() => match ready {
                Ok(mut ready) => pass(&mut other, &mut one).inspect(|count| if *count == 0 { ready.clear_ready() }),
                Err(_) => None,
            },
            () = tokio::time::sleep(STUCK), if stuck => {
                let mut nothing = VecDeque::new();
                let sent = [one.send_batch(&mut nothing), other.send_batch(&mut nothing)];
                sent.iter().all(Result::is_ok).then_some(1)
            }
        };
        match passed {
            Some(_) => tokio::task::yield_now().await,
            None => return,
        }
    }
}

/// Moves a batch; how many frames. `None`: one of them no longer works.
fn pass(from: &mut Box<dyn Pollable>, to: &mut Box<dyn Pollable>) -> Option<usize> {
    let mut received = Vec::new();
    let count = from.recv_batch(&mut received, BATCH).ok()?;
    let mut frames = VecDeque::new();
    for frame in received {
        each_packet(frame, |bytes| frames.push_back(Frame::new(bytes, clock::now())));
    }
    to.send_batch(&mut frames).ok()?;
    Some(count)
}
