//! What an application asks of TCP (RFC 9293 3.9.1).

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;

use thru_wire::Instant;

use super::connection::{Connection, Context};
use super::demux::{Endpoint, Pair, Target};
use super::handshake::Negotiated;
use super::listen::Listener;
use super::memory::{FLOOR, Memory};
use super::{
    ConnectError, ListenError, ListenerId, Path, SocketOptions, State, Tcp, TcpConnectOptions, TcpError,
    TcpEvent, TcpId, TcpInfo, TcpSample, context, seq,
};

/// Objects a host holds at most; numbers are 32 bits wide.
const MOST: usize = u32::MAX as usize / 2;

impl Tcp {
    /// Listens at `local`; an unspecified IPv6 address takes IPv4 too where no IPv4 listener has the port; port 0
    /// means "choose".
    pub fn listen(
        &mut self,
        path: &dyn Path,
        local: SocketAddr,
        backlog: usize,
    ) -> Result<ListenerId, ListenError> {
        self.listen_with(path, local, backlog, self.default_options())
    }

    /// Like [`Tcp::listen`], with these options for the listener and the connections that it will give.
    pub fn listen_with(
        &mut self,
        path: &dyn Path,
        local: SocketAddr,
        backlog: usize,
        options: SocketOptions,
    ) -> Result<ListenerId, ListenError> {
        if !local.ip().is_unspecified() && !path.is_local(local.ip()) {
            return Err(ListenError::AddressNotAvailable);
        }
        let mut local = Endpoint::from(local);
        if local.port == 0 {
            let nowhere = Endpoint { address: local.address, port: 0 };
            let demux = &self.demux;
            let free = |port| demux.listener_at(&Endpoint { port, ..local }).is_none();
            local.port = self.secrets.port(local, nowhere, free).ok_or(ListenError::AddressInUse)?;
        } else if self.demux.listener_at(&local).is_some()
            || (!options.reuse_address && self.is_in_use(&local))
        {
            return Err(ListenError::AddressInUse);
        }
        let listener = Listener::new(local, backlog, options);
        let index = self.listeners.insert(listener);
        self.demux.set_listener(local, index);
        Ok(ListenerId(self.listeners.handle(index)))
    }

    /// Where a listener listens.
    pub fn listener_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        let index = self.listeners.resolve(listener.0)?;
        Some(self.listeners.get(index)?.local.into())
    }

    /// A finished connection from the accept queue.
    pub fn accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        let index = self.listeners.resolve(listener.0)?;
        let connection = self.listeners.get_mut(index)?.ready.pop_front()?;
        Some(TcpId(self.connections.handle(connection)))
    }

    /// Ends a listener, its half-open connections (when they next stir) and those nobody accepted (with RST).
    pub fn close_listener(&mut self, now: Instant, listener: ListenerId) {
        let Some(index) = self.listeners.resolve(listener.0) else { return };
        let Some(gone) = self.listeners.remove(index) else { return };
        self.demux.remove_listener(&gone.local);
        for index in gone.ready {
            let id = TcpId(self.connections.handle(index));
            self.abort(now, id);
            self.release(now, id);
        }
    }

    /// `waker` is woken once when a connection can be accepted.
    pub fn accept_waker(&mut self, listener: ListenerId, waker: &Waker) {
        let Some(listener) =
            self.listeners.resolve(listener.0).and_then(|index| self.listeners.get_mut(index))
        else {
            return;
        };
        if listener.ready.is_empty() {
            listener.waker = Some(waker.clone());
        } else {
            self.wakes += 1;
            waker.wake_by_ref();
        }
    }

    /// Starts a connection. `local`: address and port 0 mean "choose".
    pub fn connect(
        &mut self,
        now: Instant,
        path: &dyn Path,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpConnectOptions,
    ) -> Result<TcpId, ConnectError> {
        if self.connections.len() >= MOST {
            return Err(ConnectError::TooMany);
        }
        let remote = Endpoint::from(remote);
        if remote.address.is_unspecified() || remote.address.is_multicast() || remote.port == 0 {
            return Err(ConnectError::NoRoute);
        }
        let source = Self::local_for(path, remote.address).ok_or(ConnectError::NoRoute)?;
        let address = match local.map(|local| local.ip()).filter(|address| !address.is_unspecified()) {
            Some(wanted) if wanted.is_ipv4() != remote.address.is_ipv4() || !path.is_local(wanted) => {
                return Err(ConnectError::AddressNotAvailable);
            }
            Some(wanted) => wanted,
            None => source,
        };
        let (pair, is_new) = self.choose_pair(now, address, local.map_or(0, |local| local.port()), remote)?;
        let settings = self.settings_for(&options);
        let offset = self.secrets.timestamp_offset(&pair);
        let offer = Negotiated::offer(&self.config, &settings, remote.address, path, offset);
        let isn = self.secrets.isn(&pair, now);
        let beyond = if is_new { None } else { self.reuse_time_wait(now, &pair) };
        let iss = seq::initial(beyond.map_or(isn, |beyond| isn.max(beyond)));
        let mut connection = Box::new(Connection::new(pair, iss, offer, &self.config, settings));
        connection.fast_open = self.fast_open.begin(&self.config, &connection.settings, &pair, now);
        self.stats.active_opens += 1;
        let cx = context!(self, now);
        connection.open(&cx);
        let index = self.connections.insert(connection);
        self.demux.set(pair, Target::Connection(index));
        self.settle(index, now);
        Ok(TcpId(self.connections.handle(index)))
    }

    /// The options a new connection begins with; the host's own object where nothing differs.
    fn settings_for(&self, wishes: &TcpConnectOptions) -> Arc<SocketOptions> {
        let mut options = wishes.socket.unwrap_or(*self.defaults);
        options.nodelay |= wishes.nodelay;
        options.mss_limit = wishes.mss_limit.or(options.mss_limit);
        if options == *self.defaults { self.defaults.clone() } else { Arc::new(options) }
    }

    /// Starts a connection whose first bytes are known (`sendto` with `MSG_FASTOPEN`): where Fast Open is asked for
    /// and a cookie known, they leave with the SYN. How many bytes were taken.
    pub fn connect_with_data(
        &mut self,
        now: Instant,
        path: &dyn Path,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpConnectOptions,
        data: &[u8],
    ) -> Result<(TcpId, usize), ConnectError> {
        let id = self.connect(now, path, local, remote, options)?;
        // A new connection fails no write.
        let written = self.write(now, id, data).unwrap_or(0);
        Ok((id, written))
    }

    /// Both ends, and whether it is known that nothing waits there.
    fn choose_pair(
        &mut self,
        now: Instant,
        address: IpAddr,
        port: u16,
        remote: Endpoint,
    ) -> Result<(Pair, bool), ConnectError> {
        let pair = |port| Pair { local: Endpoint { address, port }, remote };
        if port != 0 {
            let taken = self.demux.find(&pair(port)).is_some()
                || !self.time_wait.may_reuse(&self.config, now, &pair(port));
            return if taken { Err(ConnectError::AddressInUse) } else { Ok((pair(port), false)) };
        }
        if self.config.ports_taken {
            return Err(ConnectError::NoPorts);
        }
        let (demux, time_wait) = (&self.demux, &self.time_wait);
        let unused =
            |port| demux.find(&pair(port)).is_none() && demux.listener(Endpoint { address, port }).is_none();
        let free = |port| unused(port) && time_wait.find(&pair(port)).is_none();
        let local = Endpoint { address, port: 0 };
        if let Some(port) = self.secrets.port(local, remote, free) {
            return Ok((pair(port), true));
        }
        // Only where all ports are taken, one that merely waits.
        let reusable = |port| unused(port) && time_wait.may_reuse(&self.config, now, &pair(port));
        let port = self.secrets.port(local, remote, reusable);
        port.map(|port| (pair(port), false)).ok_or(ConnectError::NoPorts)
    }

    /// Whether the handshake is done: `None` while it lasts.
    pub fn connected(&self, id: TcpId) -> Option<Result<(), TcpError>> {
        let Some(connection) = self.connection(id) else { return Some(Err(TcpError::Unknown)) };
        match (&connection.error, connection.state) {
            (Some(error), _) => Some(Err(TcpError::clone(error))),
            (None, State::SynSent | State::SynReceived) if !connection.may_write_early() => None,
            _ => Some(Ok(())),
        }
    }

    /// Takes as many bytes as fit in the send buffer; `Ok(0)` means full. Before the handshake is done, bytes wait.
    pub fn write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, TcpError> {
        let index = self.connections.resolve(id.0).ok_or(TcpError::Unknown)?;
        let connection = self.connections.get_mut(index).filter(|connection| !connection.released);
        let connection = connection.ok_or(TcpError::Unknown)?;
        if let (Some(error), false) = (&connection.error, connection.error_told) {
            return Err(TcpError::clone(error));
        }
        if connection.closing || matches!(connection.state, State::Closed | State::TimeWait) {
            return Err(TcpError::WriteAfterShutdown);
        }
        let room = connection.room_to_write(&self.memory, self.config.habits.writes_by_chunk).min(data.len());
        let written = if self.config.habits.writes_by_chunk {
            connection.begin_chunk();
            connection.queue.push_beyond(&data[..room], &mut self.spare)
        } else {
            connection.queue.push(&data[..room], &mut self.spare)
        };
        let short = if self.config.habits.writes_by_chunk { room == 0 } else { written < data.len() };
        if short && !data.is_empty() {
            connection.wants_room();
        }
        if written > 0 {
            connection.start_waiting_syn();
            self.settle(index, now);
        }
        Ok(written)
    }

    /// `Ok(None)`: nothing there yet. `Ok(Some(0))`: the peer has closed its side. What arrived before an error is
    /// given first.
    pub fn read(&mut self, now: Instant, id: TcpId, buffer: &mut [u8]) -> Result<Option<usize>, TcpError> {
        let index = self.connections.resolve(id.0).ok_or(TcpError::Unknown)?;
        let connection = self.connections.get_mut(index).filter(|connection| !connection.released);
        let connection = connection.ok_or(TcpError::Unknown)?;
        if connection.receive.unread() > 0 {
            let read = connection.receive.read(buffer, &mut self.spare);
            self.tune_on_read(now, index);
            if self.connections.get(index).is_some_and(|connection| connection.ack.now) {
                self.settle(index, now);
            }
            return Ok(Some(read));
        }
        if let (Some(error), false) = (&connection.error, connection.error_told) {
            return Err(TcpError::clone(error));
        }
        let over =
            connection.peer_has_closed() || matches!(connection.state, State::Closed | State::TimeWait);
        Ok(over.then_some(0))
    }

    /// Woken when connected, readable, closed by the peer or failed; at once if that is so already.
    pub fn read_waker(&mut self, id: TcpId, waker: &Waker) {
        if let Some((_, connection)) = self.connection_mut(id) {
            let waits = connection.error.is_none()
                && !connection.is_readable()
                && !matches!(connection.state, State::Closed | State::TimeWait);
            if waits {
                connection.read_waker = Some(waker.clone());
                return;
            }
        }
        self.wakes += 1;
        waker.wake_by_ref();
    }

    /// Woken when connected, writable or failed; at once if that is so already.
    pub fn write_waker(&mut self, id: TcpId, waker: &Waker) {
        let found = self.connections.resolve(id.0).and_then(|index| self.connections.get_mut(index));
        if let Some(connection) = found.filter(|connection| !connection.released) {
            let handshake = matches!(connection.state, State::SynSent | State::SynReceived)
                && !connection.may_write_early();
            let waits = connection.error.is_none()
                && !matches!(connection.state, State::Closed | State::TimeWait)
                && !connection.closing
                && (handshake || !connection.is_writable(&self.memory));
            if waits {
                connection.write_waker = Some(waker.clone());
                return;
            }
        }
        self.wakes += 1;
        waker.wake_by_ref();
    }

    /// Sends FIN after what is queued; reading goes on. During the handshake, the FIN waits for its end.
    pub fn shutdown(&mut self, now: Instant, id: TcpId) -> Result<(), TcpError> {
        let (index, connection) = self.connection_mut(id).ok_or(TcpError::Unknown)?;
        if let Some(error) = &connection.error {
            return Err(TcpError::clone(error));
        }
        connection.close(now);
        self.settle(index, now);
        Ok(())
    }

    /// RST now.
    pub fn abort(&mut self, now: Instant, id: TcpId) {
        let Some(index) = self.connections.resolve(id.0) else { return };
        let mut cx = context!(self, now);
        if let Some(connection) = self.connections.get_mut(index)
            && connection.attached
            && !connection.released
        {
            connection.abort(&mut cx);
        }
        self.settle(index, now);
    }

    /// The application lets go: the connection closes in the background (RST if unread data remains,
    /// RFC 2525 2.17). The id means nothing afterwards.
    pub fn release(&mut self, now: Instant, id: TcpId) {
        let Some(index) = self.connections.resolve(id.0) else { return };
        let mut cx = context!(self, now);
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.released {
            return;
        }
        connection.read_waker = None;
        connection.write_waker = None;
        let linger = connection.settings.linger;
        let crowded = self.orphans >= self.config.orphans_most || cx.memory.exhausted();
        let unread = connection.receive.unread() > 0;
        connection.receive.clear();
        connection.released = true;
        if !connection.attached {
            self.forget_connection(index);
            return;
        }
        match connection.state {
            State::SynSent => connection.end(&mut cx, Some(TcpError::Aborted)),
            _ if unread => {
                cx.stats.aborts_on_close += 1;
                connection.abort(&mut cx);
            }
            _ if linger == Some(Duration::ZERO) => {
                cx.stats.aborts_on_linger += 1;
                connection.abort(&mut cx);
            }
            _ if crowded => {
                cx.stats.aborts_on_memory += 1;
                connection.abort(&mut cx);
            }
            _ => {
                connection.close(now);
                connection.start_linger(&cx);
                connection.orphan = true;
                self.orphans += 1;
            }
        }
        self.settle(index, now);
    }

    /// Whether all that was written, and the FIN, if one was asked for, is acknowledged: what a `close` that lingers
    /// waits for.
    pub fn drained(&self, id: TcpId) -> bool {
        self.connection(id).is_none_or(|connection| {
            let end = if connection.closing { connection.fin_end() } else { connection.queue.end() };
            connection.una >= end || matches!(connection.state, State::Closed | State::TimeWait)
        })
    }

    /// Switches Nagle's algorithm off or on.
    pub fn set_nodelay(&mut self, now: Instant, id: TcpId, nodelay: bool) {
        if let Some((index, connection)) = self.connection_mut(id) {
            if nodelay {
                connection.stop_holding();
                // As Linux: even under a cork, once.
                connection.probe.force_small |= connection.queue.end() > connection.nxt;
            }
            if connection.settings.nodelay != nodelay {
                let options = SocketOptions { nodelay, ..*connection.settings };
                connection.adopt(now, &options);
            }
            self.settle(index, now);
        }
    }

    /// Our end of a connection.
    pub fn local_addr(&self, id: TcpId) -> Option<SocketAddr> {
        Some(self.connection(id)?.pair.local.into())
    }

    /// The peer's end of a connection.
    pub fn remote_addr(&self, id: TcpId) -> Option<SocketAddr> {
        Some(self.connection(id)?.pair.remote.into())
    }

    /// The state and the counters of a connection, until it is released.
    pub fn info(&self, id: TcpId) -> Option<TcpInfo> {
        Some(self.connection(id)?.info(&self.config))
    }

    /// What happened on the connection so far, bounded: the first 64 events and the last 192. Until it is released,
    /// however it ended.
    pub fn events(&self, id: TcpId) -> Vec<TcpEvent> {
        let Some(connection) = self.connection(id) else { return Vec::new() };
        let sent = connection.nxt - connection.iss;
        let received = if connection.irs == 0 { 0 } else { connection.receive.next() - connection.irs };
        connection.insight.events(sent, received)
    }

    /// How the sender's figures went, for plots: at most 256 points, evenly thinned out. None where events are not
    /// recorded.
    pub fn history(&self, id: TcpId) -> Vec<TcpSample> {
        self.connection(id).map_or_else(Vec::new, |connection| connection.history().to_vec())
    }

    pub(super) fn connection(&self, id: TcpId) -> Option<&Connection> {
        let connection = self.connections.get(self.connections.resolve(id.0)?)?;
        (!connection.released).then_some(&**connection)
    }

    pub(super) fn connection_mut(&mut self, id: TcpId) -> Option<(u32, &mut Connection)> {
        let index = self.connections.resolve(id.0)?;
        let connection = self.connections.get_mut(index)?;
        (!connection.released).then_some((index, &mut **connection))
    }
}

impl Connection {
    /// Whether reading gives something: enough bytes, the end, or an error.
    pub(crate) fn is_readable(&self) -> bool {
        let low = self.settings.receive_low.clamp(1, self.receive.limit().max(1));
        self.receive.unread() >= low || self.peer_has_closed()
    }

    /// Bytes that may be written now: what the buffer, the host's memory and `TCP_NOTSENT_LOWAT` leave.
    fn room_to_write(&self, memory: &Memory, by_chunk: bool) -> usize {
        if by_chunk {
            return self.room_by_chunk();
        }
        let unsent = self.queue.end().saturating_sub(self.nxt.max(self.iss + 1)) as usize;
        let low = self.settings.notsent_low.map_or(usize::MAX, |low| low.saturating_sub(unsent));
        let scarce = if memory.exhausted() { FLOOR.saturating_sub(self.queue.memory()) } else { usize::MAX };
        self.queue.space().min(low).min(scarce)
    }

    pub(crate) fn is_writable(&self, memory: &Memory) -> bool {
        self.room_to_write(memory, false) > 0
    }

    /// Whether bytes written now may leave before the handshake is done (RFC 7413): with a SYN that waits for them,
    /// or in answer to data that a SYN brought.
    fn may_write_early(&self) -> bool {
        self.fast_open.as_ref().is_some_and(|opening| opening.waits || !self.active)
    }

    pub(crate) fn start_waiting_syn(&mut self) {
        if self.fast_open.as_ref().is_some_and(|opening| opening.waits) {
            self.syn.due = true;
        }
    }

    /// RFC 9293 3.10.4: no more data will be written.
    fn close(&mut self, now: Instant) {
        self.start_waiting_syn();
        if self.closing || matches!(self.state, State::Closed | State::TimeWait) {
            return;
        }
        self.closing = true;
        match self.state {
            State::Established => self.set_state(now, State::FinWait1),
            State::CloseWait => self.set_state(now, State::LastAck),
            // The handshake comes first: `establish` goes on to FIN-WAIT-1.
            _ => {}
        }
    }
}
