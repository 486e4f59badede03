//! What is asked about connections without changing them: readiness, unread bytes, how many are in a state. And the few
//! handles an operator has: new settings, letting go of TIME-WAIT.

use std::sync::Arc;

use thru_wire::Instant;

use super::demux::Endpoint;
use super::{ListenerId, SocketOptions, State, Tcp, TcpConfig, TcpError, TcpId};

/// What an application could do with a connection now without waiting (the events of `poll`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Reading gives bytes, the end of the stream or an error.
    pub readable: bool,
    /// Writing takes bytes or gives an error.
    pub writable: bool,
    /// The peer has sent its FIN (`POLLRDHUP`).
    pub peer_closed: bool,
    /// Both directions are over (`POLLHUP`).
    pub closed: bool,
    /// An error waits to be told (`POLLERR`).
    pub failed: bool,
}

impl Tcp {
    /// What could be done with a connection now; `None` once it is released.
    pub fn readiness(&self, id: TcpId) -> Option<Readiness> {
        let connection = self.connection(id)?;
        let failed = connection.error.is_some() && !connection.error_told;
        let handshake = matches!(connection.state, State::SynSent | State::SynReceived);
        let over = matches!(connection.state, State::Closed | State::TimeWait);
        let peer_closed = connection.peer_has_closed() || over;
        let enough = connection.receive.unread() >= connection.settings.receive_low.max(1);
        // As Linux: a third of the buffer has to be free before waiting for it was worth while.
        let room = connection.queue.space() * 3 >= connection.queue.limit();
        let unsent = connection.queue.end().saturating_sub(connection.nxt);
        let unsent_low = connection.settings.notsent_low.is_none_or(|low| unsent < low as u64);
        let fits = if self.config.habits.writes_by_chunk {
            connection.is_writable_by_chunk()
        } else {
            room && unsent_low
        };
        // A SYN that waits for data wants to be given some.
        let waits = connection.fast_open.as_ref().is_some_and(|opening| opening.waits);
        Some(Readiness {
            readable: failed || peer_closed || (!handshake && enough),
            writable: failed || over || connection.closing || waits || (!handshake && fits),
            peer_closed,
            closed: over || (peer_closed && connection.closing),
            failed,
        })
    }

    /// Whether a connection waits to be accepted.
    pub fn can_accept(&self, listener: ListenerId) -> bool {
        let listener = self.listeners.resolve(listener.0).and_then(|index| self.listeners.get(index));
        listener.is_some_and(|listener| !listener.ready.is_empty())
    }

    /// Bytes that reading would give without waiting (`SIOCINQ`).
    pub fn unread(&self, id: TcpId) -> Option<usize> {
        Some(self.connection(id)?.receive.unread())
    }

    /// Bytes written that the peer has not acknowledged (`SIOCOUTQ`).
    pub fn unacknowledged(&self, id: TcpId) -> Option<u64> {
        let connection = self.connection(id)?;
        Some(connection.queue.end().saturating_sub(connection.una.max(connection.iss + 1)))
    }

    /// Payload bytes that a SYN which waits for data (RFC 7413 4.2.1) will carry at most; `None`: none waits.
    pub fn fast_open_room(&self, now: Instant, id: TcpId) -> Option<usize> {
        self.connection(id)?.fast_open_room(now, &self.config)
    }

    /// Like [`Tcp::read`], but the bytes stay (`MSG_PEEK`).
    pub fn peek(&self, id: TcpId, buffer: &mut [u8]) -> Result<Option<usize>, TcpError> {
        let connection = self.connection(id).ok_or(TcpError::Unknown)?;
        if connection.receive.unread() > 0 {
            return Ok(Some(connection.receive.peek(buffer)));
        }
        if let (Some(error), false) = (&connection.error, connection.error_told) {
            return Err(TcpError::clone(error));
        }
        let over =
            connection.peer_has_closed() || matches!(connection.state, State::Closed | State::TimeWait);
        Ok(over.then_some(0))
    }

    /// How many connections are in `state`, of those with our port `port` if it is given; half-open ones are in
    /// [`State::SynReceived`]. Looks at every connection: for people, not for the way of a segment.
    pub fn count(&self, state: State, port: Option<u16>) -> usize {
        let ours = |local: u16| port.is_none_or(|port| port == local);
        let connections = self
            .connections
            .iter()
            .filter(|connection| connection.state == state && ours(connection.pair.local.port))
            // A connection in TIME-WAIT that the application still holds is counted there.
            .filter(|connection| connection.attached || state != State::TimeWait)
            .count();
        connections
            + match state {
                State::SynReceived => {
                    self.half_open.iter().filter(|object| ours(object.pair.local.port)).count()
                }
                State::TimeWait => {
                    self.time_wait.local_ports().into_iter().filter(|port| ours(*port)).count()
                }
                _ => 0,
            }
    }

    /// Whether anything of ours uses a port at an address, or at any where one of both is the wildcard: listeners,
    /// connections, and what remains of them. Looks at all: only for who asks not to share (without `SO_REUSEADDR`).
    pub(super) fn is_in_use(&self, wanted: &Endpoint) -> bool {
        let overlaps = |used: &Endpoint| {
            let wildcard = used.address.is_unspecified() || wanted.address.is_unspecified();
            used.port == wanted.port && (used.address == wanted.address || wildcard)
        };
        self.listeners.iter().any(|listener| overlaps(&listener.local))
            || self.connections.iter().any(|open| open.attached && overlaps(&open.pair.local))
            || self.half_open.iter().any(|half_open| overlaps(&half_open.pair.local))
            || self.time_wait.local_ports().contains(&wanted.port)
    }

    /// New settings for what begins from now on; living connections take the timers and limits among them, too.
    pub fn set_config(&mut self, config: TcpConfig) {
        self.defaults = Arc::new(SocketOptions::new(&config));
        self.memory.configure(&config);
        self.config = config;
    }

    /// The settings.
    pub fn config(&self) -> &TcpConfig {
        &self.config
    }
}
