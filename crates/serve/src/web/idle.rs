//! Closes a connection on which nothing moves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use thru_net::{Network, Sleep};
use thru_wire::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reads fail with `TimedOut` when nothing was read or written for some time.
///
/// One timer per connection, armed again only when it fires: traffic costs a store, not a timer.
pub(super) struct Idle<S> {
    stream: S,
    network: Network,
    limit: Duration,
    last: Instant,
    timer: Sleep,
}

impl<S> Idle<S> {
    pub(super) fn new(network: &Network, stream: S, limit: Duration) -> Idle<S> {
        let (last, timer) = (network.now(), network.sleep(limit));
        Idle { stream, network: network.clone(), limit, last, timer }
    }

    fn moved(&mut self) {
        self.last = self.network.now();
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> bool {
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let due = self.last + self.limit;
            if due <= self.network.now() {
                return true;
            }
            self.timer = self.network.sleep_until(due);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                self.moved();
                Poll::Ready(result)
            }
            Poll::Pending if self.poll_expired(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if result.is_ready() {
            self.moved();
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if result.is_ready() {
            self.moved();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
