//! UDP: batches in, batches out.

use std::io;

use thru_net::datagrams::{Datagrams, Inbox, Outbox};
use tokio::sync::mpsc;

use super::Engine;
use super::engine::Late;

/// Replies that wait for their turn to be sent.
const LATE_MAX: usize = 4096;
/// Of those, how many go in one batch.
const LATE_AT_ONCE: usize = 64;

/// Serves one socket until it fails.
pub(super) async fn serve(socket: Datagrams, index: usize, engine: Engine) -> io::Result<()> {
    let (late, mut replies): (Late, _) = mpsc::channel(LATE_MAX);
    let (mut inbox, mut outbox) = (Inbox::default(), Outbox::default());
    loop {
        tokio::select! {
            biased;
            Some((to, reply)) = replies.recv() => {
                let mut next = Some((to, reply));
                for _ in 0..LATE_AT_ONCE {
                    let Some((to, reply)) = next else { break };
                    outbox.octets.extend_from_slice(&reply);
                    outbox.seal(to);
                    next = replies.try_recv().ok();
                }
                if let Some((to, reply)) = next {
                    outbox.octets.extend_from_slice(&reply);
                    outbox.seal(to);
                }
            }
            received = socket.receive(&mut inbox) => {
                received?;
                engine.datagrams(index, &inbox, &late, &mut outbox);
            }
        }
        socket.send(&mut outbox).await?;
    }
}
