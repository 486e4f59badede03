//! TCP streams of our own stack.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use thru_stack::tcp::{
    ConnectError as StackConnectError, ListenError, ListenerId, OptionError, TcpConnectOptions, TcpError,
    TcpEvent, TcpId, TcpInfo, TcpSample,
};
use tokio::io::ReadBuf;

use super::{Driver, OwnNetwork, io_error, with};
use crate::network::{ConnectError, ConnectErrorKind, ConnectOptions, Network};
use crate::tcp::{Listener as AnyListener, Stream as AnyStream, TcpListener, TcpStream};
use crate::tcp_options::{TcpOption, TcpOptions, invalid};

pub(crate) async fn connect(
    network: &Network,
    own: &Arc<OwnNetwork>,
    remote: SocketAddr,
    options: ConnectOptions,
) -> Result<TcpStream, ConnectError> {
    let wishes =
        TcpConnectOptions { mss_limit: options.mss_limit, nodelay: options.nodelay, ..Default::default() };
    let id = own
        .with(|host, now| host.tcp_connect(now, None, remote, wishes))
        .map_err(|error| ConnectError { kind: not_started(&error), events: Vec::new() })?;
    let stream = Stream::new(own.driver.clone(), id, remote);
    let handshake = std::future::poll_fn(|cx| stream.poll_connected(cx));
    let outcome = match options.limit {
        Some(limit) => network.timeout(limit, handshake).await,
        None => Some(handshake.await),
    };
    let kind = match outcome {
        Some(Ok(())) => return Ok(TcpStream(AnyStream::Own(stream))),
        Some(Err(error)) => failed(error),
        None => ConnectErrorKind::TimedOut { icmp: last_icmp(&stream.inspector().events()) },
    };
    Err(ConnectError { kind, events: stream.inspector().events() })
}

fn not_started(error: &StackConnectError) -> ConnectErrorKind {
    match error {
        StackConnectError::NoRoute => ConnectErrorKind::NoRoute,
        StackConnectError::AddressNotAvailable => {
            ConnectErrorKind::Other("the local address is not ours".to_owned())
        }
        StackConnectError::AddressInUse => ConnectErrorKind::Other("the local address is in use".to_owned()),
        StackConnectError::NoPorts => ConnectErrorKind::NoPorts,
        StackConnectError::TooMany => ConnectErrorKind::Other("too many connections".to_owned()),
    }
}

fn failed(error: TcpError) -> ConnectErrorKind {
    match error {
        TcpError::Refused => ConnectErrorKind::Refused,
        TcpError::TimedOut { icmp } => ConnectErrorKind::TimedOut { icmp },
        TcpError::Unreachable(report) => {
            let text = format!("{:?} reported by {}", report.kind, report.from);
            ConnectErrorKind::Unreachable { icmp: Some(report), text }
        }
        other => ConnectErrorKind::Other(io_error(&other).to_string()),
    }
}

fn last_icmp(events: &[TcpEvent]) -> Option<thru_stack::icmp::IcmpReport> {
    events.iter().rev().find_map(|event| match &event.what {
        thru_stack::tcp::TcpEventKind::Icmp(report) => Some(report.clone()),
        _ => None,
    })
}

pub(crate) fn listen(own: &Arc<OwnNetwork>, local: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
    let listened = own.with(|host, _| {
        let id = host.tcp_listen(local, backlog)?;
        // Port 0 was a wish: the stack has chosen.
        Ok((id, host.tcp_listener_addr(id).unwrap_or(local)))
    });
    let (id, local) = listened.map_err(|error| match error {
        ListenError::AddressInUse => io::Error::from(io::ErrorKind::AddrInUse),
        ListenError::AddressNotAvailable => io::Error::from(io::ErrorKind::AddrNotAvailable),
    })?;
    Ok(TcpListener(AnyListener::Own(Listener { driver: own.driver.clone(), id, local })))
}

/// One connection. Dropping it releases it: the stack closes it in the background.
pub struct Stream {
    inspector: Inspector,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Stream {
    fn new(driver: Arc<dyn Driver>, id: TcpId, remote: SocketAddr) -> Stream {
        let local = with(&*driver, |host, _| host.tcp_local_addr(id)).unwrap_or(remote);
        Stream { inspector: Inspector { driver, id, last: Arc::default() }, local, remote }
    }

    fn with<R>(&self, call: impl FnOnce(&mut thru_stack::Host, thru_wire::Instant, TcpId) -> R) -> R {
        with(&*self.inspector.driver, |host, now| call(host, now, self.inspector.id))
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.remote
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) {
        self.with(|host, now, id| host.tcp_set_nodelay(now, id, nodelay));
    }

    pub(crate) fn set_option(&self, option: &TcpOption) -> io::Result<()> {
        self.with(|host, now, id| {
            if let TcpOption::QuickAck(quick) = option {
                return host.tcp_set_quick_ack(now, id, *quick).map_err(|error| refused(&error));
            }
            let mut options = *host.tcp_options(id).ok_or_else(closed)?;
            option.set_on_own(&mut options)?;
            host.tcp_set_options(now, id, &options).map_err(|error| refused(&error))
        })
    }

    pub(crate) fn options(&self) -> io::Result<TcpOptions> {
        self.with(|host, _, id| host.tcp_options(id).map(TcpOptions::of_own).ok_or_else(closed))
    }

    pub(crate) fn inspector(&self) -> Inspector {
        self.inspector.clone()
    }

    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<Result<(), TcpError>> {
        self.with(|host, _, id| match host.tcp_connected(id) {
            Some(result) => Poll::Ready(result),
            None => {
                host.tcp_write_waker(id, cx.waker());
                Poll::Pending
            }
        })
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let space = buffer.initialize_unfilled();
        if space.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let result = self.with(|host, now, id| {
            let result = host.tcp_read(now, id, space);
            if matches!(result, Ok(None)) {
                host.tcp_read_waker(id, cx.waker());
            }
            result
        });
        match result {
            Ok(Some(count)) => {
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(io_error(&error))),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let result = self.with(|host, now, id| {
            let result = host.tcp_write(now, id, data);
            if matches!(result, Ok(0)) {
                host.tcp_write_waker(id, cx.waker());
            }
            result
        });
        match result {
            Ok(0) => Poll::Pending,
            Ok(count) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(io_error(&error))),
        }
    }

    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match self.with(|host, now, id| host.tcp_shutdown(now, id)) {
            Ok(()) | Err(TcpError::WriteAfterShutdown) => Ok(()),
            Err(error) => Err(io_error(&error)),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.inspector.remember();
        self.with(|host, now, id| host.tcp_release(now, id));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} -> {})", self.local, self.remote)
    }
}

/// Looks at one connection; after the stream is gone, tells what was last known.
#[derive(Clone)]
pub struct Inspector {
    driver: Arc<dyn Driver>,
    id: TcpId,
    last: Arc<Mutex<Option<Snapshot>>>,
}

#[derive(Clone)]
struct Snapshot {
    info: Option<TcpInfo>,
    events: Vec<TcpEvent>,
    history: Vec<TcpSample>,
}

impl Inspector {
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        match self.last() {
            Some(snapshot) => snapshot.info,
            None => with(&*self.driver, |host, _| host.tcp_info(self.id)),
        }
    }

    pub(crate) fn events(&self) -> Vec<TcpEvent> {
        match self.last() {
            Some(snapshot) => snapshot.events,
            None => with(&*self.driver, |host, _| host.tcp_events(self.id)),
        }
    }

    pub(crate) fn reset(&self) {
        with(&*self.driver, |host, now| host.tcp_abort(now, self.id));
    }

    pub(crate) fn history(&self) -> Vec<TcpSample> {
        match self.last() {
            Some(snapshot) => snapshot.history,
            None => with(&*self.driver, |host, _| host.tcp_history(self.id)),
        }
    }

    fn last(&self) -> Option<Snapshot> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self) {
        let snapshot = with(&*self.driver, |host, _| Snapshot {
            info: host.tcp_info(self.id),
            events: host.tcp_events(self.id),
            history: host.tcp_history(self.id),
        });
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inspector({:?})", self.id)
    }
}

/// A listener. Dropping it closes it.
pub struct Listener {
    driver: Arc<dyn Driver>,
    id: ListenerId,
    local: SocketAddr,
}

impl Listener {
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let accepted = with(&*self.driver, |host, _| match host.tcp_accept(self.id) {
            Some(id) => Some((id, host.tcp_remote_addr(id))),
            None => {
                host.tcp_accept_waker(self.id, cx.waker());
                None
            }
        });
        match accepted {
            // Without an address the connection died while it waited: reading from it tells why.
            Some((id, remote)) => {
                Poll::Ready(Ok(Stream::new(self.driver.clone(), id, remote.unwrap_or(self.local))))
            }
            None => Poll::Pending,
        }
    }

    pub(crate) fn set_option(&self, option: &TcpOption) -> io::Result<()> {
        with(&*self.driver, |host, _| {
            let mut options = *host.tcp_listener_options(self.id).ok_or_else(closed)?;
            option.set_on_own(&mut options)?;
            host.tcp_set_listener_options(self.id, &options).map_err(|error| refused(&error))
        })
    }

    pub(crate) fn options(&self) -> io::Result<TcpOptions> {
        with(&*self.driver, |host, _| {
            host.tcp_listener_options(self.id).map(TcpOptions::of_own).ok_or_else(closed)
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

fn closed() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// Why the stack does not take an option.
fn refused(error: &OptionError) -> io::Error {
    match error {
        OptionError::OutOfRange => invalid("this"),
        OptionError::Unknown => closed(),
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        with(&*self.driver, |host, now| host.tcp_close_listener(now, self.id));
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.local)
    }
}
