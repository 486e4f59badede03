//! Bytes: `read` and `write` in all their forms, `sendfile` and `splice`.

use core::net::SocketAddr;

use thru_stack::tcp::{TcpError, TcpId, Write};
use thru_stack::udp::UdpSend;

use super::errors::unreachable;
use super::{Attempt, File, Progress, Socket, SocketState, errno, vector_len};
use crate::run::values::{
    MSG_DONTWAIT, MSG_EOR, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_MORE, MSG_PEEK, MSG_WAITALL, MSG_ZEROCOPY,
    argument, name, number,
};
use crate::run::{Runner, Stop};
use crate::script::Expr;

/// Most bytes of one call: beyond any script, and well within memory.
const MOST: i64 = 16 << 20;
/// Pieces of memory that one packet refers to (Linux's `MAX_SKB_FRAGS`).
const MOST_PIECES: usize = 17;

impl Runner {
    pub(super) fn call_read(
        &mut self,
        fd: i64,
        len: i64,
        flags: i64,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let Some(socket) = self.kernel.socket(fd).cloned() else {
            return self.read_file(fd, len);
        };
        let len = len.clamp(0, MOST) as usize;
        if let SocketState::Datagram(id) = socket.state {
            if let Some(report) = self.host.udp_error(id) {
                return Attempt::error(unreachable(&report, self.persona));
            }
            return match self.host.udp_receive(id) {
                Some(datagram) => Attempt::ok(datagram.payload.len().min(len) as i64),
                None => self.would_block(&socket, flags, progress),
            };
        }
        let SocketState::Stream(id) = socket.state else { return Attempt::error("ENOTCONN") };
        let mut buffer = vec![0; len - progress.bytes.min(len)];
        let read = if flags & MSG_PEEK != 0 {
            self.host.tcp_peek(id, &mut buffer)
        } else {
            self.host.tcp_read(self.now, id, &mut buffer)
        };
        self.collect();
        match read {
            Ok(Some(count)) => {
                progress.bytes += count;
                let all = flags & MSG_WAITALL != 0 && count > 0 && progress.bytes < len;
                if all && flags & MSG_PEEK == 0 {
                    return self.would_block(&socket, flags, progress);
                }
                Attempt::ok(progress.bytes as i64)
            }
            Ok(None) if len == 0 || socket.read_shut => Attempt::ok(0),
            Ok(None) if progress.bytes > 0 && progress.expired => Attempt::ok(progress.bytes as i64),
            Ok(None) => self.would_block(&socket, flags, progress),
            Err(_) if progress.bytes > 0 => Attempt::ok(progress.bytes as i64),
            Err(error) => self.read_error(id, &error),
        }
    }

    /// An error is told once; afterwards the stream has simply ended.
    fn read_error(&mut self, id: TcpId, error: &TcpError) -> Result<Attempt, Stop> {
        match self.pending_error(id) {
            Some(_) => Attempt::error(errno(error, self.persona)),
            None => Attempt::ok(0),
        }
    }

    fn would_block(&mut self, socket: &Socket, flags: i64, progress: &mut Progress) -> Result<Attempt, Stop> {
        if socket.nonblocking || flags & MSG_DONTWAIT != 0 || progress.expired {
            if progress.bytes > 0 {
                return Attempt::ok(progress.bytes as i64);
            }
            return Attempt::error("EAGAIN");
        }
        if !progress.began {
            progress.began = true;
            progress.deadline = socket.receive_timeout.map(|timeout| self.now + timeout);
        }
        Ok(Attempt::Wait)
    }

    fn read_file(&mut self, fd: i64, len: i64) -> Result<Attempt, Stop> {
        match self.kernel.files.get(&fd) {
            Some(File::Pipe(pipe)) => {
                let Some(held) = self.kernel.pipes.get_mut(*pipe) else { return Attempt::error("EBADF") };
                let count = (*held).min(len.max(0) as usize);
                *held -= count;
                Attempt::ok(count as i64)
            }
            Some(File::Plain) => Attempt::ok(len),
            _ => Attempt::error("EINVAL"),
        }
    }

    pub(super) fn call_recvmsg(
        &mut self,
        fd: i64,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let Some(message) = arguments.get(1) else { return Stop::fail("argument 2 is missing") };
        let flags = argument(arguments, 2)?;
        let len = vector_len(message.field("msg_iov"));
        let wants_inq = match message.field("msg_control") {
            Some(Expr::Array(items)) if !items.is_empty() => Some(items),
            _ => None,
        };
        if flags & MSG_ERRQUEUE != 0 {
            return self.read_notice(fd, message);
        }
        let attempt = self.call_read(fd, len, flags, progress)?;
        let (Attempt::Done(mut value), Some(items)) = (attempt.clone(), wants_inq) else {
            return Ok(attempt);
        };
        for item in items {
            let kind = item.field("cmsg_type").cloned();
            if kind != Some(Expr::Word("TCP_CM_INQ".to_owned())) {
                return Stop::skip(format!("control message {kind:?} is not there"));
            }
            let mut unread = self.unread(fd) as i64;
            // As Linux: the end of the stream counts for one when nothing else is left.
            if unread == 0 && self.has_ended(fd) {
                unread = 1;
            }
            let wanted = item.field("cmsg_data").and_then(number);
            if wanted.is_some_and(|wanted| wanted != unread) {
                value.mismatch = Some(format!("{unread} bytes are unread"));
            }
        }
        Ok(Attempt::Done(value))
    }

    fn has_ended(&self, fd: i64) -> bool {
        match self.kernel.socket(fd).map(|socket| socket.state) {
            Some(SocketState::Stream(id)) => {
                self.host.tcp_readiness(id).is_some_and(|ready| ready.peer_closed)
            }
            _ => false,
        }
    }

    /// Bytes that can be read.
    pub(super) fn unread(&self, fd: i64) -> usize {
        match self.kernel.socket(fd).map(|socket| socket.state) {
            Some(SocketState::Stream(id)) => self.host.tcp_unread(id).unwrap_or(0),
            _ => 0,
        }
    }

    pub(super) fn call_write(
        &mut self,
        fd: i64,
        len: i64,
        flags: i64,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let attempt = self.try_write(fd, len, flags, progress)?;
        if let Attempt::Done(value) = &attempt
            && value.result > 0
        {
            self.note_written(fd, flags & MSG_ZEROCOPY != 0);
        }
        Ok(attempt)
    }

    fn try_write(&mut self, fd: i64, len: i64, flags: i64, progress: &mut Progress) -> Result<Attempt, Stop> {
        let Some(socket) = self.kernel.socket(fd).cloned() else {
            return match self.kernel.files.get(&fd) {
                Some(File::Pipe(pipe)) => {
                    if let Some(held) = self.kernel.pipes.get_mut(*pipe) {
                        *held += len.max(0) as usize;
                    }
                    Attempt::ok(len)
                }
                _ => Attempt::error("EBADF"),
            };
        };
        let len = len.clamp(0, MOST) as usize;
        if let SocketState::Datagram(_) = socket.state {
            return self.send_datagram(&socket, socket.peer, len);
        }
        let SocketState::Stream(id) = socket.state else {
            return Attempt::error(if socket.datagram { "EDESTADDRREQ" } else { "EPIPE" });
        };
        let blocks = !(socket.nonblocking || flags & MSG_DONTWAIT != 0 || progress.expired);
        if self.persona.writes_wait_for_connection()
            && let Some(room) = self.host.tcp_fast_open_room(self.now, id)
        {
            return self.write_with_syn(id, len, room, blocks, progress);
        }
        match self.host.tcp_connected(id) {
            None if !blocks => return Attempt::error("EAGAIN"),
            None if self.persona.writes_wait_for_connection() => {
                if !progress.began {
                    progress.bytes = self.buffer(id, len);
                    progress.began = true;
                }
                return Ok(Attempt::Wait);
            }
            Some(Err(error)) if progress.bytes > 0 && !progress.was_connected => {
                self.pending_error(id);
                return Attempt::error(errno(&error, self.persona));
            }
            _ => progress.was_connected = true,
        }
        if progress.began && progress.bytes >= len {
            return Attempt::ok(progress.bytes as i64);
        }
        // Who waits for room is woken when there is enough to make it worth while.
        let wakes = self.host.tcp_readiness(id).is_none_or(|ready| ready.writable || ready.failed);
        if progress.bytes > 0 && progress.began && !wakes && blocks {
            return Ok(Attempt::Wait);
        }
        self.write_stream(&socket, id, len, flags, blocks, progress)
    }

    fn write_stream(
        &mut self,
        socket: &Socket,
        id: TcpId,
        len: usize,
        flags: i64,
        blocks: bool,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let write = Write { more: flags & MSG_MORE != 0, end_of_record: flags & MSG_EOR != 0 };
        loop {
            let bytes = vec![0x61; len - progress.bytes.min(len)];
            match self.host.tcp_write_with(self.now, id, &bytes, write) {
                // What was taken may leave before the rest is taken.
                Ok(count) if count > 0 && count < bytes.len() => {
                    progress.bytes += count;
                    self.collect();
                }
                Ok(count) => {
                    progress.bytes += count;
                    break;
                }
                Err(_) if progress.bytes > 0 => return Attempt::ok(progress.bytes as i64),
                Err(error) => {
                    return match self.pending_error(id) {
                        Some(_) => Attempt::error(errno(&error, self.persona)),
                        None => Attempt::error("EPIPE"),
                    };
                }
            }
        }
        self.collect();
        if progress.bytes >= len || (progress.bytes > 0 && !blocks) {
            if progress.bytes < len {
                self.forget_writable(id);
            }
            return Attempt::ok(progress.bytes as i64);
        }
        if !blocks {
            self.forget_writable(id);
            return Attempt::error("EAGAIN");
        }
        if !progress.began || progress.deadline.is_none() {
            progress.began = true;
            progress.deadline = socket.send_timeout.map(|timeout| self.now + timeout);
        }
        Ok(Attempt::Wait)
    }

    /// Takes as many bytes as the buffer will.
    fn buffer(&mut self, id: TcpId, len: usize) -> usize {
        let mut taken = 0;
        loop {
            match self.host.tcp_write(self.now, id, &vec![0x61; len - taken]) {
                Ok(count) if count > 0 && taken + count < len => taken += count,
                Ok(count) => return taken + count,
                Err(_) => return taken,
            }
        }
    }

    /// The first bytes go along with the SYN; a call that waits does so for the connection, and then for the rest.
    fn write_with_syn(
        &mut self,
        id: TcpId,
        len: usize,
        room: usize,
        blocks: bool,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let first = len.min(room);
        let taken = if blocks && len > 0 { self.buffer(id, len) } else { self.buffer(id, first) };
        if len == 0 {
            let _ = self.host.tcp_write_with(self.now, id, &[], Write::default());
        }
        self.collect();
        if !blocks {
            return if len == 0 { Attempt::error("EINPROGRESS") } else { Attempt::ok(taken as i64) };
        }
        progress.bytes = taken;
        progress.began = true;
        Ok(Attempt::Wait)
    }

    pub(super) fn call_sendto(
        &mut self,
        fd: i64,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let (len, flags) = (argument(arguments, 2)?, argument(arguments, 3)?);
        if flags & MSG_FASTOPEN != 0 && arguments.get(4).and_then(name) == Some("AF_UNSPEC") {
            return Attempt::error("EOPNOTSUPP");
        }
        let remote = SocketAddr::new(self.settings.remote, self.settings.connect_port);
        self.send_with(fd, len, flags, remote, progress)
    }

    pub(super) fn call_sendmsg(
        &mut self,
        fd: i64,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let Some(message) = arguments.get(1) else { return Stop::fail("argument 2 is missing") };
        let flags = argument(arguments, 2)?;
        if let Some(Expr::Array(items)) = message.field("msg_control")
            && !items.is_empty()
        {
            return Stop::skip("control messages of sendmsg are not there");
        }
        let vector = message.field("msg_iov");
        let len = vector_len(vector);
        let remote = SocketAddr::new(self.settings.remote, self.settings.connect_port);
        // A packet refers to so many pieces of memory that are not copied, and no more.
        if flags & MSG_ZEROCOPY != 0
            && let Some(Expr::Array(items)) = vector
            && items.len() > MOST_PIECES
            && let SocketState::Stream(id) = self.kernel.socket(fd).map_or(SocketState::Fresh, |s| s.state)
        {
            for group in items.chunks(MOST_PIECES) {
                let bytes = vec![0x61; vector_len(Some(&Expr::Array(group.to_vec()))).max(0) as usize];
                let write = Write { end_of_record: true, ..Write::default() };
                let _ = self.host.tcp_write_with(self.now, id, &bytes, write);
            }
            self.collect();
            self.note_written(fd, true);
            return Attempt::ok(len);
        }
        self.send_with(fd, len, flags, remote, progress)
    }

    /// With an address: a datagram, or data that goes along with a SYN.
    fn send_with(
        &mut self,
        fd: i64,
        len: i64,
        flags: i64,
        remote: SocketAddr,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let Some(socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        if socket.datagram {
            let peer = socket.peer.or(Some(remote));
            return self.send_datagram(&socket, peer, len.clamp(0, MOST) as usize);
        }
        let opens = flags & MSG_FASTOPEN != 0 || socket.remembered.contains_key("TCP_FASTOPEN");
        if socket.state == SocketState::Fresh && opens {
            let attempt = self.open_with_data(fd, len, flags, remote, progress)?;
            if let Attempt::Done(value) = &attempt
                && value.result > 0
            {
                self.note_written(fd, flags & MSG_ZEROCOPY != 0);
            }
            return Ok(attempt);
        }
        // Only the call that opens may say how.
        if flags & MSG_FASTOPEN != 0
            && !progress.began
            && self.persona == crate::Persona::Linux
            && let SocketState::Stream(id) = socket.state
            && self.host.tcp_connected(id).is_none()
        {
            return Attempt::error("EALREADY");
        }
        if opens
            && progress.began
            && let SocketState::Stream(id) = socket.state
        {
            match self.host.tcp_connected(id) {
                None => return Ok(Attempt::Wait),
                Some(Err(error)) => {
                    self.pending_error(id);
                    return Attempt::error(errno(&error, self.persona));
                }
                Some(Ok(())) => {}
            }
        }
        self.call_write(fd, len, flags, progress)
    }

    /// Fast Open (RFC 7413 4.2.1): data that wants to go along with the SYN.
    fn open_with_data(
        &mut self,
        fd: i64,
        len: i64,
        flags: i64,
        remote: SocketAddr,
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let linux = self.persona == crate::Persona::Linux;
        if linux && !self.host.tcp_config().fast_open_client {
            return Attempt::error("EOPNOTSUPP");
        }
        if let Some(socket) = self.kernel.socket_mut(fd) {
            socket.options.fast_open_connect = true;
        }
        if let Err(name) = self.start_connect(fd, remote)? {
            return Attempt::error(name);
        }
        if !linux {
            return self.call_write(fd, len, flags, progress);
        }
        let Some(socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        let blocks = !(socket.nonblocking || flags & MSG_DONTWAIT != 0);
        let SocketState::Stream(id) = socket.state else { return Attempt::error("EPIPE") };
        if let Some(room) = self.host.tcp_fast_open_room(self.now, id) {
            return self.write_with_syn(id, len.clamp(0, MOST) as usize, room, blocks, progress);
        }
        if !blocks {
            // Without a cookie nothing goes along, and the call is one to connect.
            return Attempt::error("EINPROGRESS");
        }
        progress.bytes = self.buffer(id, len.clamp(0, MOST) as usize);
        progress.began = true;
        Ok(Attempt::Wait)
    }

    /// Whether a connection's SYN is on its way.
    pub(super) fn syn_has_left(&self, fd: i64) -> bool {
        match self.kernel.socket(fd).map(|socket| socket.state) {
            Some(SocketState::Stream(id)) => {
                self.host.tcp_info(id).is_some_and(|info| info.segments_sent > 0)
            }
            _ => false,
        }
    }

    fn send_datagram(
        &mut self,
        socket: &Socket,
        to: Option<SocketAddr>,
        len: usize,
    ) -> Result<Attempt, Stop> {
        let SocketState::Datagram(id) = socket.state else { return Attempt::error("EDESTADDRREQ") };
        let Some(to) = to else { return Attempt::error("EDESTADDRREQ") };
        let payload = vec![0x61; len.min(65_507)];
        let send = UdpSend { to, from: None, payload: &payload, ttl: None, ecn: 0, dont_fragment: false };
        match self.host.udp_send(self.now, id, send) {
            Ok(()) => {
                self.kernel.udp_peer_port = Some(to.port());
                Attempt::ok(len as i64)
            }
            Err(_) => Attempt::error("EMSGSIZE"),
        }
    }

    pub(super) fn call_pipe(&mut self, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let Some(Expr::Array(ends)) = arguments.first() else {
            return Stop::fail("argument 1 is not a pair");
        };
        self.kernel.pipes.push(0);
        let pipe = self.kernel.pipes.len() - 1;
        for end in ends {
            if let Some(fd) = number(end) {
                self.kernel.files.insert(fd, File::Pipe(pipe));
            }
        }
        Attempt::ok(0)
    }

    /// Between a pipe and a socket, either way.
    pub(super) fn call_splice(
        &mut self,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let (from, to, len) = (argument(arguments, 0)?, argument(arguments, 2)?, argument(arguments, 4)?);
        match (self.kernel.files.get(&from).cloned(), self.kernel.files.get(&to).cloned()) {
            (Some(File::Socket(_)), Some(File::Pipe(pipe))) => {
                let attempt = self.call_read(from, len, 0, progress)?;
                if let Attempt::Done(value) = &attempt
                    && let Some(held) = self.kernel.pipes.get_mut(pipe)
                {
                    *held += value.result.max(0) as usize;
                }
                Ok(attempt)
            }
            (Some(File::Pipe(pipe)), Some(File::Socket(_))) => {
                let held = self.kernel.pipes.get(pipe).copied().unwrap_or(0) as i64;
                let attempt = self.call_write(to, len.min(held), 0, progress)?;
                if let Attempt::Done(value) = &attempt
                    && let Some(held) = self.kernel.pipes.get_mut(pipe)
                {
                    *held -= (value.result.max(0) as usize).min(*held);
                }
                Ok(attempt)
            }
            _ => Attempt::error("EINVAL"),
        }
    }
}
