//! TCP streams of the kernel.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use thru_os::tcp_info::KernelTcpInfo;
use thru_stack::tcp::{EcnInfo, EcnMode, LossInfo, RecoveryState, State, TcpInfo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpSocket;

use crate::network::{ConnectError, ConnectErrorKind, ConnectOptions, Network};
use crate::tcp::{Listener as AnyListener, Stream as AnyStream, TcpListener, TcpStream};
use crate::tcp_options::{TcpOption, TcpOptions};

pub(crate) async fn connect(
    network: &Network,
    remote: SocketAddr,
    options: ConnectOptions,
) -> Result<TcpStream, ConnectError> {
    let failed = |error: &io::Error| ConnectError { kind: classify(error), events: Vec::new() };
    let socket = new_socket(remote).map_err(|error| failed(&error))?;
    if let Some(mss) = options.mss_limit {
        socket2::SockRef::from(&socket).set_tcp_mss(u32::from(mss)).map_err(|error| failed(&error))?;
    }
    let connecting = socket.connect(remote);
    let outcome = match options.limit {
        Some(limit) => network.timeout(limit, connecting).await,
        None => Some(connecting.await),
    };
    let stream = match outcome {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => return Err(failed(&error)),
        None => {
            return Err(ConnectError { kind: ConnectErrorKind::TimedOut { icmp: None }, events: Vec::new() });
        }
    };
    // Failing to switch Nagle off costs time, not the connection.
    let _ = stream.set_nodelay(options.nodelay);
    let stream = Stream::new(stream).map_err(|error| failed(&error))?;
    Ok(TcpStream(AnyStream::Kernel(stream)))
}

fn new_socket(remote: SocketAddr) -> io::Result<TcpSocket> {
    if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

fn classify(error: &io::Error) -> ConnectErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectErrorKind::Refused,
        io::ErrorKind::TimedOut => ConnectErrorKind::TimedOut { icmp: None },
        // Without a route the kernel fails at once; a router's word for it takes a round trip. Both say ENETUNREACH.
        io::ErrorKind::NetworkUnreachable => ConnectErrorKind::NoRoute,
        io::ErrorKind::HostUnreachable => {
            ConnectErrorKind::Unreachable { icmp: None, text: "host unreachable, says the kernel".to_owned() }
        }
        io::ErrorKind::AddrNotAvailable => ConnectErrorKind::NoPorts,
        io::ErrorKind::PermissionDenied => ConnectErrorKind::Forbidden(error.to_string()),
        _ => ConnectErrorKind::Other(error.to_string()),
    }
}

pub(crate) fn listen(local: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
    let socket = new_socket(local)?;
    socket.set_reuseaddr(true)?;
    if local.is_ipv6() {
        // As UDP's sockets do: whoever wants both families listens on both wildcards.
        socket2::SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.bind(local)?;
    let listener = socket.listen(u32::try_from(backlog).unwrap_or(u32::MAX))?;
    Ok(TcpListener(AnyListener::Kernel(listener)))
}

/// One connection.
#[derive(Debug)]
pub struct Stream {
    stream: Arc<Mutex<tokio::net::TcpStream>>,
    last: Arc<Mutex<Option<TcpInfo>>>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Stream {
    pub(crate) fn new(stream: tokio::net::TcpStream) -> io::Result<Stream> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Stream { stream: Arc::new(Mutex::new(stream)), last: Arc::default(), local, peer })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) {
        let _ = lock(&self.stream).set_nodelay(nodelay);
    }

    pub(crate) fn set_option(&self, option: &TcpOption) -> io::Result<()> {
        option.set_on_kernel(&socket2::SockRef::from(&*lock(&self.stream)), self.local.is_ipv6())
    }

    pub(crate) fn options(&self) -> io::Result<TcpOptions> {
        TcpOptions::of_kernel(&socket2::SockRef::from(&*lock(&self.stream)), self.local.is_ipv6())
    }

    pub(crate) fn inspector(&self) -> Inspector {
        Inspector { stream: Arc::downgrade(&self.stream), last: self.last.clone() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.stream)).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_shutdown(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let info = thru_os::tcp_info::read(&*lock(&self.stream));
        *lock(&self.last) = info.map(|info| tcp_info(&info));
    }
}

/// Looks at one connection; after the stream is gone, tells what was last known.
#[derive(Clone, Debug)]
pub struct Inspector {
    stream: Weak<Mutex<tokio::net::TcpStream>>,
    last: Arc<Mutex<Option<TcpInfo>>>,
}

impl Inspector {
    /// socket(7): without time to linger, closing is resetting.
    pub(crate) fn reset(&self) {
        if let Some(stream) = self.stream.upgrade() {
            let _ = socket2::SockRef::from(&*lock(&stream)).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    pub(crate) fn info(&self) -> Option<TcpInfo> {
        match self.stream.upgrade() {
            Some(stream) => thru_os::tcp_info::read(&*lock(&stream)).map(|info| tcp_info(&info)),
            None => lock(&self.last).clone(),
        }
    }
}

/// The kernel's figures in our words. What the kernel does not tell is zero.
fn tcp_info(kernel: &KernelTcpInfo) -> TcpInfo {
    let mss = u64::from(kernel.send_mss);
    TcpInfo {
        state: state(kernel.state),
        mss: kernel.send_mss as usize,
        rtt: Some(kernel.rtt).filter(|rtt| !rtt.is_zero()),
        rtt_variation: kernel.rtt_variation,
        min_rtt: kernel.min_rtt,
        max_rtt: None,
        rto: kernel.rto,
        congestion_window: u64::from(kernel.congestion_window) * mss,
        slow_start_threshold: u64::from(kernel.slow_start_threshold).saturating_mul(mss),
        bytes_in_flight: u64::from(kernel.in_flight()) * mss,
        peer_window: u64::from(kernel.peer_window),
        own_window: u64::from(kernel.own_window),
        bytes_sent: kernel.bytes_sent,
        bytes_acked: kernel.bytes_acked,
        bytes_received: kernel.bytes_received,
        segments_sent: u64::from(kernel.segments_out),
        segments_received: u64::from(kernel.segments_in),
        retransmissions: u64::from(kernel.total_retransmissions),
        timeouts: u64::from(kernel.timeouts),
        loss: loss(kernel),
        out_of_order_received: u64::from(kernel.out_of_order_in),
        window_scale: kernel.window_scale,
        sack: kernel.sack,
        timestamps: kernel.timestamps,
        bytes_unsent: u64::from(kernel.unsent_bytes),
        probes_unanswered: u32::from(kernel.probes),
        fast_open: kernel.syn_data,
        receive_mss: kernel.receive_mss as usize,
        delayed_ack: kernel.delayed_ack,
        path_mtu: kernel.path_mtu as usize,
        announced_mss: kernel.announced_mss as usize,
        receive_rtt: Some(kernel.receive_rtt).filter(|rtt| !rtt.is_zero()),
        receive_space: u64::from(kernel.receive_space),
        pacing_rate: kernel.pacing_rate,
        bytes_retransmitted: kernel.bytes_resent,
        data_segments_sent: u64::from(kernel.data_segments_out),
        data_segments_received: u64::from(kernel.data_segments_in),
        segments_delivered: u64::from(kernel.delivered),
        bytes_delivered: u64::from(kernel.delivered) * mss,
        busy: kernel.busy,
        window_limited: kernel.window_limited,
        buffer_limited: kernel.buffer_limited,
        ecn: EcnInfo {
            mode: if kernel.ecn { EcnMode::Classic } else { EcnMode::Off },
            delivered_ce: u64::from(kernel.delivered_marked),
            ..EcnInfo::default()
        },
        ..TcpInfo::default()
    }
}

/// What its loss recovery knows.
fn loss(kernel: &KernelTcpInfo) -> LossInfo {
    LossInfo {
        reordering_seen: kernel.reorderings > 0,
        reordering: kernel.reordering,
        dsack_duplicates: u64::from(kernel.duplicates),
        state: match kernel.recovery {
            0 => RecoveryState::Open,
            1 => RecoveryState::Disorder,
            2 => RecoveryState::Reduced,
            3 => RecoveryState::Recovery,
            _ => RecoveryState::Loss,
        },
        segments_out: u64::from(kernel.unacked),
        segments_sacked: u64::from(kernel.sacked),
        segments_lost: u64::from(kernel.lost),
        segments_resent: u64::from(kernel.resent),
        retries: u32::from(kernel.retries),
        backoff: u32::from(kernel.backoff),
        ..LossInfo::default()
    }
}

/// The kernel's numbers (include/net/tcp_states.h).
fn state(number: u8) -> State {
    match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => State::Closed,
    }
}
