//! UDP: batches in, batches out.

use std::io;

use thru_net::datagrams::Datagrams;
use tokio::sync::mpsc;

use super::Engine;
use super::engine::Late;

/// Replies that wait for their turn to be sent.
const LATE_MAX: usize = 4096;

/// Serves one socket until it fails.
pub(super) async fn serve(socket: Datagrams, index: usize, engine: Engine) -> io::Result<()> {
    let (late, replies): (Late, _) = mpsc::channel(LATE_MAX);
    socket.serve(replies, move |inbox, outbox| engine.datagrams(index, inbox, &late, outbox)).await
}
