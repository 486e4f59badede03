//! Counts and times what passes through a stream.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use thru_net::Network;
use thru_wire::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that keeps a [`Meter`].
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    network: Network,
    meter: Meter,
}

impl<S> Metered<S> {
    /// The stream, and a handle that stays when it is given away.
    pub fn new(network: &Network, stream: S) -> (Metered<S>, Meter) {
        let meter = Meter::default();
        (Metered { stream, network: network.clone(), meter: meter.clone() }, meter)
    }

    /// What is inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

/// What passed since the last [`Meter::mark`]. Clones are the same meter.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Counts>>);

/// What a meter shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that came.
    pub bytes_read: u64,
    /// Bytes that went.
    pub bytes_written: u64,
    /// When the first byte came.
    pub first_read: Option<Instant>,
    /// When the last byte came.
    pub last_read: Option<Instant>,
    /// When the first byte went.
    pub first_write: Option<Instant>,
    /// When the last byte went.
    pub last_write: Option<Instant>,
    /// The first bytes that came, at most [`HEAD`].
    pub head: Vec<u8>,
    /// Bytes up to the first empty line, with it; 0: none came.
    pub head_end: u64,
    /// The last bytes that came, three at most, while no empty line did.
    tail: Vec<u8>,
    /// The other end closed in order.
    pub ended: bool,
}

impl Counts {
    /// Looks for the empty line that ends a head of HTTP/1 (RFC 9112 2.1) in what just came.
    fn look_for_head(&mut self, came: &[u8]) {
        if self.head_end > 0 {
            return;
        }
        let before = self.tail.len();
        self.tail.extend_from_slice(came);
        match self.tail.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(place) => {
                self.head_end =
                    self.bytes_read - came.len() as u64 + (place + 4 - before.min(place + 4)) as u64;
                self.tail.clear();
            }
            None => {
                let gone = self.tail.len().saturating_sub(3);
                self.tail.drain(..gone);
            }
        }
    }
}

/// Bytes kept of the beginning of what came.
pub(super) const HEAD: usize = 64;

impl Meter {
    /// What it shows now.
    pub fn read(&self) -> Counts {
        self.lock().clone()
    }

    /// Sets it to zero.
    pub fn mark(&self) {
        let mut counts = self.lock();
        let ended = counts.ended;
        *counts = Counts { ended, ..Counts::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrote(&self, at: Instant, bytes: usize) {
        let mut counts = self.lock();
        counts.bytes_written += bytes as u64;
        counts.first_write.get_or_insert(at);
        counts.last_write = Some(at);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = &result {
            let came = &buffer.filled()[before..];
            let mut counts = self.meter.lock();
            if came.is_empty() {
                counts.ended = true;
            } else {
                let now = self.network.now();
                counts.bytes_read += came.len() as u64;
                counts.first_read.get_or_insert(now);
                counts.last_read = Some(now);
                let missing = (HEAD - counts.head.len()).min(came.len());
                counts.head.extend_from_slice(&came[..missing]);
                counts.look_for_head(came);
            }
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &result {
            self.meter.wrote(self.network.now(), *written);
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(written)) = &result {
            self.meter.wrote(self.network.now(), *written);
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
