//! The options of a socket, and the one way to read and to change them.
//!
//! A host has defaults ([`TcpConfig`]), a listener has its own, a connection begins with those of
//! its listener or of the call that began it. All share one object until one of them is changed.

use core::time::Duration;
use std::sync::Arc;

use thru_wire::Instant;

use super::connection::Connection;
use super::{Congestion, ListenerId, SegmentOut, State, Tcp, TcpConfig, TcpError, TcpId};

/// What an application may set on a socket, before or while it is used. Beside each field, the name of the option
/// in the sockets API of Linux or FreeBSD.
///
/// [`SocketOptions::new`] gives a host's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_NODELAY`: Nagle's algorithm (RFC 9293 3.7.4) is off.
    pub nodelay: bool,
    /// `TCP_CORK`, `TCP_NOPUSH`: only full segments leave, for 200 ms at most; taking it back sends what waits.
    pub cork: bool,
    /// `SO_KEEPALIVE`: a silent peer is asked whether it lives (RFC 9293 3.8.4).
    pub keepalive: bool,
    /// `TCP_KEEPIDLE`: silence before the first question. 1 ms to 32,767 s.
    pub keepalive_idle: Duration,
    /// `TCP_KEEPINTVL`: time between two questions. 1 ms to 32,767 s.
    pub keepalive_interval: Duration,
    /// `TCP_KEEPCNT`: questions without an answer after which the connection has timed out. 1 to 127.
    pub keepalive_probes: u32,
    /// `TCP_KEEPINIT` (FreeBSD): how long a connection attempt may take; `None`: as the retries give.
    pub connect_timeout: Option<Duration>,
    /// `TCP_SYNCNT`: how often a SYN is sent again in all; `None`: the host's [`TcpConfig::syn_retries`] and the early
    /// times that come before those.
    pub syn_retries: Option<u32>,
    /// `TCP_USER_TIMEOUT` (RFC 9293 3.9.1, RFC 5482): how long sent data may stay unacknowledged, a window closed, or
    /// keepalive questions unanswered; `None`: as the retries give.
    pub user_timeout: Option<Duration>,
    /// `TCP_MAXSEG`: the largest segment, options not subtracted, announced and sent. 88 to 32,767.
    pub mss_limit: Option<u16>,
    /// `TCP_WINDOW_CLAMP`: the largest window announced, in bytes.
    pub window_clamp: Option<u32>,
    /// `TCP_NOOPT` (FreeBSD): no options in our SYN.
    pub no_options: bool,
    /// `IP_TOS`, `IPV6_TCLASS`: the traffic class of packets; the two ECN bits are TCP's own and ignored here.
    pub traffic_class: u8,
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`: TTL or hop limit of packets; `None`: the host's.
    pub ttl: Option<u8>,
    /// `IP_MINTTL`, `IPV6_MINHOPCOUNT` (RFC 5082): segments that arrive with less are dropped.
    pub min_ttl: u8,
    /// `SO_SNDBUF`: bytes that may wait for acknowledgement, fixed; `None`: grows as the connection needs it.
    pub send_buffer: Option<usize>,
    /// `SO_RCVBUF`: bytes that may wait for the application, fixed; `None`: grows as the application reads.
    pub receive_buffer: Option<usize>,
    /// `SO_RCVLOWAT`: fewer bytes than this don't count as readable. At least 1.
    pub receive_low: usize,
    /// `TCP_NOTSENT_LOWAT`: not writable while more bytes than this wait to be sent for the first time.
    pub notsent_low: Option<usize>,
    /// `SO_LINGER`: what releasing does. `None`: it closes in the background. Zero: it aborts with RST. Else it closes
    /// in the background too; how long a caller waits for that is its own affair ([`Tcp::drained`]).
    pub linger: Option<Duration>,
    /// `TCP_LINGER2`: how long a released connection waits in FIN-WAIT-2; `None`: the host's [`TcpConfig::fin_wait2`].
    pub fin_wait2: Option<Duration>,
    /// `SO_REUSEADDR`: a listener takes a port that old connections still use, and one at an address of its own beside
    /// one at the wildcard.
    pub reuse_address: bool,
    /// `TCP_DEFER_ACCEPT`: a connection is shown to the listener when its first data arrives, or after this time.
    pub defer_accept: Option<Duration>,
    /// `TCP_FASTOPEN` on a listener: connections that may wait with data from their SYN (RFC 7413 5.1); 0: none,
    /// and no cookies are given.
    pub fast_open_pending: u32,
    /// `TCP_FASTOPEN_CONNECT`: the SYN waits for the first bytes written, if a cookie is known (RFC 7413 4.2.1).
    pub fast_open_connect: bool,
    /// `TCP_FASTOPEN_NO_COOKIE`: data in a SYN is sent and taken without a cookie.
    pub fast_open_no_cookie: bool,
    /// `TCP_FASTOPEN_KEY` on a listener: the key of its cookies; `None`: the host's.
    pub fast_open_key: Option<[u8; 16]>,
    /// `TCP_CONGESTION`: the congestion controller. On a living connection, a change begins with its current window.
    pub congestion: Congestion,
}

impl SocketOptions {
    /// A host's defaults.
    pub fn new(config: &TcpConfig) -> SocketOptions {
        SocketOptions {
            nodelay: config.nodelay,
            cork: false,
            keepalive: config.keepalive.is_some(),
            keepalive_idle: config.keepalive.unwrap_or(Duration::from_secs(7_200)),
            keepalive_interval: config.keepalive_interval,
            keepalive_probes: config.keepalive_probes,
            connect_timeout: None,
            syn_retries: None,
            user_timeout: None,
            mss_limit: None,
            window_clamp: None,
            no_options: false,
            traffic_class: 0,
            ttl: None,
            min_ttl: 0,
            send_buffer: None,
            receive_buffer: None,
            receive_low: 1,
            notsent_low: None,
            linger: None,
            fin_wait2: None,
            reuse_address: true,
            defer_accept: None,
            fast_open_pending: 0,
            fast_open_connect: false,
            fast_open_no_cookie: false,
            fast_open_key: None,
            congestion: config.congestion,
        }
    }

    /// What the buffers hold at most in the beginning: to send, to receive.
    pub(crate) fn buffers(&self, config: &TcpConfig) -> (usize, usize) {
        let (send, receive) = (self.send_buffer, self.receive_buffer);
        (send.unwrap_or(config.send_buffer), receive.unwrap_or(config.receive_buffer))
    }

    /// The largest window that may ever be announced.
    pub(crate) fn largest_window(&self, config: &TcpConfig) -> usize {
        let grown = if config.receive_autotuning { config.receive_buffer_most } else { 0 };
        let most = self.receive_buffer.unwrap_or(config.receive_buffer.max(grown));
        self.window_clamp.map_or(most, |clamp| most.min(clamp as usize))
    }

    /// The window of a SYN, which is not scaled.
    pub(crate) fn first_window(&self, config: &TcpConfig) -> u16 {
        let clamp = self.window_clamp.map_or(usize::MAX, |clamp| clamp as usize);
        self.buffers(config).1.min(clamp).min(usize::from(u16::MAX)) as u16
    }

    /// Traffic class and TTL, onto a segment that leaves.
    pub(crate) fn mark(&self, segment: &mut SegmentOut) {
        segment.class = self.traffic_class & !3;
        segment.ttl = self.ttl;
    }

    /// Whether every value is one that Linux would take.
    pub fn check(&self) -> Result<(), OptionError> {
        let times = Duration::from_millis(1)..=Duration::from_secs(32_767);
        let fine = times.contains(&self.keepalive_idle)
            && times.contains(&self.keepalive_interval)
            && (1..=127).contains(&self.keepalive_probes)
            && self.syn_retries.is_none_or(|retries| (1..=127).contains(&retries))
            && self.mss_limit.is_none_or(|mss| (SMALLEST_LIMIT..=32_767).contains(&mss));
        if fine { Ok(()) } else { Err(OptionError::OutOfRange) }
    }
}

/// As Linux: `TCP_MIN_MSS`.
const SMALLEST_LIMIT: u16 = 88;

/// Why an option could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// A value that no socket takes (`EINVAL`).
    OutOfRange,
    /// No such connection or listener.
    Unknown,
}

/// Options of connections and listeners.
impl Tcp {
    /// What a connection that nobody told otherwise begins with.
    pub fn default_options(&self) -> SocketOptions {
        *self.defaults
    }

    /// The options of a connection, until it is released.
    pub fn options(&self, id: TcpId) -> Option<&SocketOptions> {
        Some(&self.connection(id)?.settings)
    }

    /// Changes the options of a connection; what follows from a change happens at once.
    pub fn set_options(
        &mut self,
        now: Instant,
        id: TcpId,
        options: &SocketOptions,
    ) -> Result<(), OptionError> {
        options.check()?;
        let initial = self.config.initial_window_segments;
        let habits = self.config.habits.clone();
        let (index, connection) = self.connection_mut(id).ok_or(OptionError::Unknown)?;
        if *connection.settings != *options {
            if options.congestion != connection.settings.congestion {
                connection.use_controller(options.congestion, initial, &habits);
            }
            connection.adopt(now, options);
            self.settle(index, now);
        }
        Ok(())
    }

    /// The options of a listener.
    pub fn listener_options(&self, id: ListenerId) -> Option<&SocketOptions> {
        Some(&self.listeners.get(self.listeners.resolve(id.0)?)?.settings)
    }

    /// Changes the options of a listener and of the connections that it will give.
    pub fn set_listener_options(
        &mut self,
        id: ListenerId,
        options: &SocketOptions,
    ) -> Result<(), OptionError> {
        options.check()?;
        let index = self.listeners.resolve(id.0).ok_or(OptionError::Unknown)?;
        let listener = self.listeners.get_mut(index).ok_or(OptionError::Unknown)?;
        listener.settings = Arc::new(*options);
        Ok(())
    }

    /// `TCP_QUICKACK`: acknowledges at once for a while (and whatever waits, now), or delays. No lasting choice:
    /// the connection goes on adapting from there.
    pub fn set_quick_ack(&mut self, now: Instant, id: TcpId, quick: bool) -> Result<(), OptionError> {
        let (index, connection) = self.connection_mut(id).ok_or(OptionError::Unknown)?;
        connection.set_quick_ack(quick);
        self.settle(index, now);
        Ok(())
    }

    /// Whether a connection acknowledges at once now.
    pub fn quick_ack(&self, id: TcpId) -> Option<bool> {
        Some(self.connection(id)?.ack.is_quick())
    }

    /// `SO_ERROR`: what ended the connection, once: the next call answers `None`, and reading gives the end of the
    /// stream.
    pub fn take_error(&mut self, id: TcpId) -> Option<TcpError> {
        let (_, connection) = self.connection_mut(id)?;
        if connection.error_told {
            return None;
        }
        let error = connection.error.as_deref().cloned();
        connection.error_told |= error.is_some();
        error
    }

    /// `SO_SNDBUF` and `SO_RCVBUF`: the bytes that the buffers hold at most now.
    pub fn buffers(&self, id: TcpId) -> Option<(usize, usize)> {
        let connection = self.connection(id)?;
        Some((connection.queue.limit(), connection.receive.limit()))
    }
}

impl Connection {
    /// Takes new options and does what they ask for.
    pub(crate) fn adopt(&mut self, now: Instant, options: &SocketOptions) {
        let before = core::mem::replace(&mut self.settings, Arc::new(*options));
        if options.keepalive && (!before.keepalive || options.keepalive_idle != before.keepalive_idle) {
            self.start_keepalive(now);
        } else if !options.keepalive {
            self.timers.keepalive = Instant::NEVER;
        }
        if options.nodelay && !before.nodelay && self.queue.end() > self.nxt {
            // As Linux: what waited for company leaves now, even under a cork.
            self.probe.force_small = true;
        }
        if options.user_timeout != before.user_timeout {
            self.user_timeout_changed();
        }
        if options.mss_limit != before.mss_limit
            && let Some(limit) = options.mss_limit
        {
            // The peer would take more; it gets no more, whatever the path allows later.
            self.options.peer_mss = self.options.peer_mss.min(limit);
            self.options.limit_mss(usize::from(limit));
            self.congestion.on_mss(u64::from(self.options.mss));
        }
        if options.send_buffer != before.send_buffer
            && let Some(bytes) = options.send_buffer
        {
            self.queue.set_limit(bytes);
        }
        if options.receive_buffer != before.receive_buffer
            && let Some(bytes) = options.receive_buffer
        {
            self.receive.set_limit(bytes);
        }
    }

    fn start_keepalive(&mut self, now: Instant) {
        if self.is_synchronized() && !matches!(self.state, State::TimeWait) {
            // From the last word of the peer, as Linux.
            self.timers.keepalive = now.max(self.last_received + self.settings.keepalive_idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_no_socket_takes_are_refused() {
        let fine = SocketOptions::new(&TcpConfig::default());
        assert_eq!(fine.check(), Ok(()));
        let wrong = [
            SocketOptions { keepalive_idle: Duration::ZERO, ..fine },
            SocketOptions { keepalive_interval: Duration::from_secs(32_768), ..fine },
            SocketOptions { keepalive_probes: 0, ..fine },
            SocketOptions { keepalive_probes: 128, ..fine },
            SocketOptions { syn_retries: Some(0), ..fine },
            SocketOptions { mss_limit: Some(87), ..fine },
            SocketOptions { mss_limit: Some(32_768), ..fine },
        ];
        for options in wrong {
            assert_eq!(options.check(), Err(OptionError::OutOfRange), "{options:?}");
        }
    }
}
