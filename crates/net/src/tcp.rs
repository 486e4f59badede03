//! TCP streams and listeners over any network.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use thru_stack::tcp::{TcpEvent, TcpInfo, TcpSample};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tcp_options::{TcpOption, TcpOptions};
use crate::{kernel, own};

/// A TCP connection: tokio's `AsyncRead` and `AsyncWrite`.
#[derive(Debug)]
pub struct TcpStream(pub(crate) Stream);

#[derive(Debug)]
pub(crate) enum Stream {
    Kernel(kernel::tcp::Stream),
    Own(own::tcp::Stream),
}

impl TcpStream {
    /// Our end's address.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            Stream::Kernel(stream) => stream.local_addr(),
            Stream::Own(stream) => stream.local_addr(),
        }
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.0 {
            Stream::Kernel(stream) => stream.peer_addr(),
            Stream::Own(stream) => stream.peer_addr(),
        }
    }

    /// Switches Nagle's algorithm off (`true`) or on.
    pub fn set_nodelay(&self, nodelay: bool) {
        match &self.0 {
            Stream::Kernel(stream) => stream.set_nodelay(nodelay),
            Stream::Own(stream) => stream.set_nodelay(nodelay),
        }
    }

    /// Sets an option. Errors: [`io::ErrorKind::InvalidInput`] for a value that no socket takes,
    /// [`io::ErrorKind::NotFound`] for a congestion controller that is not there, and what the kernel says.
    pub fn set_option(&self, option: &TcpOption) -> io::Result<()> {
        match &self.0 {
            Stream::Kernel(stream) => stream.set_option(option),
            Stream::Own(stream) => stream.set_option(option),
        }
    }

    /// The options it has now.
    pub fn options(&self) -> io::Result<TcpOptions> {
        match &self.0 {
            Stream::Kernel(stream) => stream.options(),
            Stream::Own(stream) => stream.options(),
        }
    }

    /// Everything it tells about itself; see [`TcpInspector::insight`].
    pub fn insight(&self) -> TcpInsight {
        self.inspector().insight()
    }

    /// What the stack knows now (`TCP_INFO` on the host network); `None` where it can't be had.
    pub fn info(&self) -> Option<TcpInfo> {
        self.inspector().info()
    }

    /// What happened on the connection so far; empty on the host network.
    pub fn events(&self) -> Vec<TcpEvent> {
        self.inspector().events()
    }

    /// A handle that goes on answering [`TcpInspector::info`] after the stream was moved into TLS or HTTP, and after
    /// it was dropped (then: the last known state).
    pub fn inspector(&self) -> TcpInspector {
        match &self.0 {
            Stream::Kernel(stream) => TcpInspector(Inspector::Kernel(stream.inspector())),
            Stream::Own(stream) => TcpInspector(Inspector::Own(stream.inspector())),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Kernel(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Own(stream) => stream.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Kernel(stream) => Pin::new(stream).poll_write(cx, data),
            Stream::Own(stream) => stream.poll_write(cx, data),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Kernel(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Own(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Kernel(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Own(stream) => Poll::Ready(stream.shutdown()),
        }
    }
}

/// Looks into a connection that somebody else owns by now.
#[derive(Clone, Debug)]
pub struct TcpInspector(Inspector);

#[derive(Clone, Debug)]
enum Inspector {
    Kernel(kernel::tcp::Inspector),
    Own(own::tcp::Inspector),
}

impl TcpInspector {
    /// What the stack knows, or last knew.
    pub fn info(&self) -> Option<TcpInfo> {
        match &self.0 {
            Inspector::Kernel(inspector) => inspector.info(),
            Inspector::Own(inspector) => inspector.info(),
        }
    }

    /// Ends the connection with a reset: at once by our own stack, by the kernel's when the stream is dropped.
    pub fn reset(&self) {
        match &self.0 {
            Inspector::Kernel(inspector) => inspector.reset(),
            Inspector::Own(inspector) => inspector.reset(),
        }
    }

    /// All of it, with the history of the figures.
    pub fn insight(&self) -> TcpInsight {
        let history = match &self.0 {
            Inspector::Kernel(_) => Vec::new(),
            Inspector::Own(inspector) => inspector.history(),
        };
        TcpInsight { info: self.info(), events: self.events(), history }
    }

    /// What happened on the connection; empty on the host network.
    pub fn events(&self) -> Vec<TcpEvent> {
        match &self.0 {
            Inspector::Kernel(_) => Vec::new(),
            Inspector::Own(inspector) => inspector.events(),
        }
    }
}

/// Everything a connection tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpInsight {
    /// What it knows now, or last knew: what `TCP_INFO` offers, on the host as far as the kernel tells.
    pub info: Option<TcpInfo>,
    /// What happened, bounded: the first and the last events. Empty on the host network.
    pub events: Vec<TcpEvent>,
    /// How congestion window, round-trip time, flight and phase went, for plots: at most 256 points. Empty on the host
    /// network.
    pub history: Vec<TcpSample>,
}

/// A listening socket.
#[derive(Debug)]
pub struct TcpListener(pub(crate) Listener);

#[derive(Debug)]
pub(crate) enum Listener {
    Kernel(tokio::net::TcpListener),
    Own(own::tcp::Listener),
}

impl TcpListener {
    /// The next connection whose handshake is done. One task at a time.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            Listener::Kernel(listener) => {
                let (stream, peer) = listener.accept().await?;
                let stream = kernel::tcp::Stream::new(stream)?;
                Ok((TcpStream(Stream::Kernel(stream)), peer))
            }
            Listener::Own(listener) => {
                let stream = std::future::poll_fn(|cx| listener.poll_accept(cx)).await?;
                let peer = stream.peer_addr();
                Ok((TcpStream(Stream::Own(stream)), peer))
            }
        }
    }

    /// Sets an option, for itself and the connections that it will give. Errors: as of [`TcpStream::set_option`];
    /// [`TcpOption::QuickAck`] is a stream's.
    pub fn set_option(&self, option: &TcpOption) -> io::Result<()> {
        match &self.0 {
            Listener::Kernel(listener) => {
                option.set_on_kernel(&socket2::SockRef::from(listener), self.local_addr().is_ipv6())
            }
            Listener::Own(listener) => listener.set_option(option),
        }
    }

    /// The options it has now.
    pub fn options(&self) -> io::Result<TcpOptions> {
        match &self.0 {
            Listener::Kernel(listener) => {
                TcpOptions::of_kernel(&socket2::SockRef::from(listener), self.local_addr().is_ipv6())
            }
            Listener::Own(listener) => listener.options(),
        }
    }

    /// The address listened on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            Listener::Kernel(listener) => listener.local_addr().expect("a bound listener has an address"),
            Listener::Own(listener) => listener.local_addr(),
        }
    }
}
