//! The task between a device and its host.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use thru_os::clock;
use thru_os::device::is_full;
use thru_stack::{Frame, InterfaceId};
use tokio::io::unix::AsyncFd;

use super::{State, Wire};

/// Frames that are fetched before the host's answers leave.
const BATCH: usize = 64;
/// Batches before other tasks get their turn.
const TURNS: usize = 8;
/// How long to wait for an interface that has no room and does not tell when it has.
const STUCK: Duration = Duration::from_millis(1);

/// Runs until it is aborted.
pub(super) async fn run(wire: Arc<Wire>, device: AsyncFd<OwnedFd>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            ready = device.readable() => {
                let Ok(mut ready) = ready else { return };
                if receive(&wire, &mut batch) {
                    tokio::task::yield_now().await;
                } else {
                    ready.clear_ready();
                }
            }
            expired = wire.timer.expired() => {
                if expired.is_err() {
                    return;
                }
                expire(&wire);
            }
            () = room(&wire, &device) => {
                let mut state = wire.state();
                wire.settle(&mut state);
            }
        }
        if wire.state().failed.is_some() {
            return;
        }
    }
}

/// Moves frames from the device into the host. Whether there may be more.
fn receive(wire: &Wire, batch: &mut Vec<Frame>) -> bool {
    for _ in 0..TURNS {
        let mut state = wire.state();
        state.receive(batch, BATCH);
        let (count, full) = (batch.len(), is_full(batch, BATCH));
        let State { host, stats, capture, .. } = &mut *state;
        let frames = batch.drain(..).inspect(|frame| {
            stats.received.0 += 1;
            stats.received.1 += frame.bytes.len() as u64;
            if let Some(capture) = capture {
                capture.keep(frame, false);
            }
        });
        // Together: what a device brings packet by packet is coalesced on its way into the host.
        host.handle_frames(clock::now(), InterfaceId(0), frames);
        wire.settle(&mut state);
        if !full {
            return false;
        }
        if count < BATCH {
            // Many bytes: whoever waits for them reads them while they are near.
            return true;
        }
    }
    true
}

/// Carries out what is due.
fn expire(wire: &Wire) {
    let mut state = wire.state();
    let now = clock::now();
    state.armed = thru_wire::Instant::NEVER;
    if state.host.next_deadline() <= now {
        state.host.handle_deadline(now);
    }
    while let Some(entry) = state.timers.first_entry() {
        if entry.key().0 > now {
            break;
        }
        entry.remove().wake();
    }
    wire.settle(&mut state);
}

/// Completes when frames wait and the device may have room for some.
async fn room(wire: &Wire, device: &AsyncFd<OwnedFd>) {
    loop {
        let (waiting, stuck) = {
            let state = wire.state();
            (!state.queue.is_empty(), state.device.is_stuck())
        };
        if stuck {
            tokio::time::sleep(STUCK).await;
            return;
        }
        if waiting {
            let Ok(mut ready) = device.writable().await else { return std::future::pending().await };
            ready.clear_ready();
            return;
        }
        wire.queued.notified().await;
    }
}
