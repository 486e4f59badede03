//! What is asked about TCP's connections without changing them, and an operator's few handles; handed on.

use thru_wire::Instant;

use super::Host;
use crate::tcp::{ListenerId, Readiness, State, TcpConfig, TcpError, TcpId};

impl Host {
    /// What could be done with a connection now; `None` once it is released.
    pub fn tcp_readiness(&self, id: TcpId) -> Option<Readiness> {
        self.tcp.readiness(id)
    }

    /// Whether a connection waits to be accepted.
    pub fn tcp_can_accept(&self, listener: ListenerId) -> bool {
        self.tcp.can_accept(listener)
    }

    /// Bytes that reading would give without waiting.
    pub fn tcp_unread(&self, id: TcpId) -> Option<usize> {
        self.tcp.unread(id)
    }

    /// Bytes written that the peer has not acknowledged.
    pub fn tcp_unacknowledged(&self, id: TcpId) -> Option<u64> {
        self.tcp.unacknowledged(id)
    }

    /// Payload bytes that a SYN which waits for data will carry at most; `None`: none waits.
    pub fn tcp_fast_open_room(&self, now: Instant, id: TcpId) -> Option<usize> {
        self.tcp.fast_open_room(now, id)
    }

    /// Like [`Host::tcp_read`], but the bytes stay.
    pub fn tcp_peek(&self, id: TcpId, buffer: &mut [u8]) -> Result<Option<usize>, TcpError> {
        self.tcp.peek(id, buffer)
    }

    /// How many connections are in `state`, of those with our port `port` if it is given. Looks at every connection.
    pub fn tcp_count(&self, state: State, port: Option<u16>) -> usize {
        self.tcp.count(state, port)
    }

    /// Ends everything that is in TIME-WAIT.
    pub fn tcp_forget_time_wait(&mut self, now: Instant) {
        self.begin(now);
        self.tcp.forget_time_wait(now);
        self.finish(now);
    }

    /// TCP's settings.
    pub fn tcp_config(&self) -> &TcpConfig {
        self.tcp.config()
    }

    /// New settings of TCP for what begins from now on.
    pub fn set_tcp_config(&mut self, config: TcpConfig) {
        self.config.tcp = config.clone();
        self.tcp.set_config(config);
    }
}
