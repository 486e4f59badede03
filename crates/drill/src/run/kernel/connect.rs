//! Sockets begin and end: `socket`, `bind`, `listen`, `accept`, `connect`, `shutdown`, `close`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::BTreeMap;

use thru_stack::tcp::{ConnectError, ListenError, TcpConnectOptions};

use super::{Attempt, File, Progress, Socket, SocketState, errno};
use crate::run::values::{O_NONBLOCK, argument, name, number};
use crate::run::{Runner, Stop};
use crate::script::{Call, Expr};

impl Runner {
    pub(super) fn call_socket(&mut self, call: &Call) -> Result<Attempt, Stop> {
        let family = call.arguments.first();
        let v6 = match family {
            Some(Expr::Word(word)) if word == "AF_INET6" || word == "PF_INET6" => true,
            Some(Expr::Word(word)) if word == "AF_INET" || word == "PF_INET" => false,
            _ => self.settings.v6_sockets(),
        };
        let kind = argument(&call.arguments, 1)?;
        let datagram = match kind & 0xf {
            1 => false,
            2 => true,
            _ => return Stop::skip("only stream and datagram sockets are there"),
        };
        if let Some(Expr::Word(word)) = call.arguments.get(2)
            && !matches!(word.as_str(), "IPPROTO_TCP" | "IPPROTO_UDP" | "IPPROTO_IP")
        {
            return Stop::skip(format!("{word} is not there"));
        }
        let mut options = self.host.tcp_default_options();
        // Linux's 4: data goes along with every SYN, and nobody asks for a cookie.
        options.fast_open_no_cookie = self.settings.fast_open & 4 != 0;
        options.keepalive_idle = self.settings.keep_idle;
        options.connect_timeout = self.settings.keep_init;
        options.notsent_low = self.settings.notsent_low;
        let socket = Socket {
            v6,
            datagram,
            nonblocking: kind & O_NONBLOCK != 0,
            options,
            remembered: BTreeMap::new(),
            bound: None,
            peer: None,
            state: SocketState::Fresh,
            read_shut: false,
            connecting: false,
            receive_timeout: None,
            send_timeout: None,
        };
        let attempt = self.new_file(call, File::Socket(Box::new(socket)));
        if let Ok(Attempt::Done(value)) = &attempt {
            self.kernel.newest = Some(value.result);
        }
        attempt
    }

    /// `...`: the script's own address; else what is written.
    fn address(&self, expr: Option<&Expr>, local: bool, v6: bool) -> Result<SocketAddr, Stop> {
        let (address, port) = if local {
            (self.settings.local, self.settings.bind_port)
        } else {
            (self.settings.remote, self.settings.connect_port)
        };
        let default = SocketAddr::new(address, port);
        let Some(expr @ Expr::Struct(_)) = expr else { return Ok(default) };
        let port = match expr.field("sin_port").or_else(|| expr.field("sin6_port")) {
            Some(value) => number(value).unwrap_or(0) as u16,
            None => port,
        };
        let inner = match expr.field("sin_addr").or_else(|| expr.field("sin6_addr")) {
            Some(Expr::Apply(_, arguments)) => arguments.last(),
            other => other,
        };
        let address = match inner {
            Some(Expr::Text(text)) => text.parse().ok(),
            Some(Expr::Word(word)) if word == "INADDR_ANY" => Some(Ipv4Addr::UNSPECIFIED.into()),
            Some(Expr::Word(word)) if word == "IN6ADDR_ANY_INIT" => Some(Ipv6Addr::UNSPECIFIED.into()),
            Some(Expr::Int(0)) if v6 => Some(Ipv6Addr::UNSPECIFIED.into()),
            Some(Expr::Int(value)) => Some(Ipv4Addr::from_bits(*value as u32).into()),
            _ => None,
        };
        Ok(SocketAddr::new(address.unwrap_or(default.ip()).to_canonical(), port))
    }

    pub(super) fn call_bind(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let v6 = self.kernel.socket(fd).is_some_and(|socket| socket.v6);
        let mut local = self.address(arguments.get(1), true, v6)?;
        // The sole address of the host is what any address of either family comes to.
        if local.ip().is_unspecified() || !self.host.addresses().any(|(_, cidr)| cidr.address() == local.ip())
        {
            if !local.ip().is_unspecified() && local.ip() != self.settings.local {
                return Attempt::error("EADDRNOTAVAIL");
            }
            local.set_ip(self.settings.local);
        }
        let bound = self.kernel.socket(fd).and_then(|socket| socket.bound);
        if bound.is_some() {
            return Attempt::error("EINVAL");
        }
        let Some(socket) = self.kernel.socket_mut(fd) else { return Attempt::error("ENOTSOCK") };
        if socket.datagram {
            let Ok(id) = self.host.udp_bind(local) else { return Attempt::error("EADDRINUSE") };
            socket.state = SocketState::Datagram(id);
            let port = self.host.udp_local_addr(id).map(|address| address.port());
            self.kernel.udp_port = port;
        } else {
            socket.bound = Some(local);
            self.kernel.bound_port = Some(local.port());
            self.flows.forget_current();
        }
        Attempt::ok(0)
    }

    pub(super) fn call_listen(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let backlog = argument(arguments, 1)?.max(0) as usize;
        let settings = (self.settings.local, 0);
        let Some(socket) = self.kernel.socket_mut(fd) else { return Attempt::error("ENOTSOCK") };
        if socket.datagram {
            return Attempt::error("EOPNOTSUPP");
        }
        if let SocketState::Listener(_) = socket.state {
            return Attempt::ok(0);
        }
        if socket.state != SocketState::Fresh {
            return Attempt::error("EINVAL");
        }
        let local = socket.bound.unwrap_or(SocketAddr::from(settings));
        let mut options = socket.options;
        // Linux's 0x400 opens every listener, 0x200 takes data without a cookie.
        if self.settings.fast_open & 0x402 == 0x402 {
            options.fast_open_pending = options.fast_open_pending.max(backlog as u32).max(1);
        }
        options.fast_open_no_cookie = self.settings.fast_open & 0x202 == 0x202;
        match self.host.tcp_listen_with(local, backlog, options) {
            Ok(id) => {
                let address = self.host.tcp_listener_addr(id);
                if let Some(socket) = self.kernel.socket_mut(fd) {
                    socket.state = SocketState::Listener(id);
                    socket.bound = address;
                }
                self.kernel.bound_port = address.map(|address| address.port());
                self.flows.forget_current();
                Attempt::ok(0)
            }
            Err(ListenError::AddressInUse) => Attempt::error("EADDRINUSE"),
            Err(_) => Attempt::error("EADDRNOTAVAIL"),
        }
    }

    pub(super) fn call_accept(&mut self, fd: i64, call: &Call) -> Result<Attempt, Stop> {
        let Some(socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        let SocketState::Listener(listener) = socket.state else { return Attempt::error("EINVAL") };
        let Some(id) = self.host.tcp_accept(listener) else {
            return if socket.nonblocking { Attempt::error("EAGAIN") } else { Ok(Attempt::Wait) };
        };
        let options = self.host.tcp_options(id).copied().unwrap_or(socket.options);
        let flags = if call.name == "accept4" { argument(&call.arguments, 3)? } else { 0 };
        // On FreeBSD a new socket takes after its listener in this, on Linux it doesn't.
        let inherits = self.persona == crate::Persona::FreeBsd && socket.nonblocking;
        let accepted = Socket {
            nonblocking: inherits || flags & O_NONBLOCK != 0,
            options,
            bound: self.host.tcp_local_addr(id),
            peer: self.host.tcp_remote_addr(id),
            state: SocketState::Stream(id),
            read_shut: false,
            connecting: false,
            ..socket
        };
        let attempt = self.new_file(call, File::Socket(Box::new(accepted)));
        if let Ok(Attempt::Done(value)) = &attempt {
            self.kernel.newest = Some(value.result);
        }
        attempt
    }

    pub(super) fn call_connect(
        &mut self,
        fd: i64,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let Some(socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        let family = arguments.get(1).and_then(|address| address.field("sa_family").or(Some(address)));
        if family.and_then(name) == Some("AF_UNSPEC") {
            return self.dissolve(fd, &socket);
        }
        let remote = self.address(arguments.get(1), false, socket.v6)?;
        if socket.datagram {
            return self.connect_datagram(fd, &socket, remote);
        }
        match socket.state {
            SocketState::Stream(id) if !progress.began => match self.host.tcp_connected(id) {
                None => return Attempt::error("EALREADY"),
                Some(Ok(())) if socket.connecting => {
                    if let Some(socket) = self.kernel.socket_mut(fd) {
                        socket.connecting = false;
                    }
                    return Attempt::ok(0);
                }
                Some(Ok(())) => return Attempt::error("EISCONN"),
                Some(Err(error)) => {
                    let told = self.pending_error(id);
                    return Attempt::error(
                        told.as_ref().map_or("ECONNABORTED", |_| errno(&error, self.persona)),
                    );
                }
            },
            SocketState::Stream(id) => {
                return match self.host.tcp_connected(id) {
                    None => Ok(Attempt::Wait),
                    Some(Ok(())) => Attempt::ok(0),
                    Some(Err(error)) => {
                        self.pending_error(id);
                        Attempt::error(errno(&error, self.persona))
                    }
                };
            }
            SocketState::Listener(_) => return Attempt::error("EISCONN"),
            SocketState::Fresh | SocketState::Datagram(_) => {}
        }
        if let Err(name) = self.start_connect(fd, remote)? {
            return Attempt::error(name);
        }
        progress.began = true;
        if socket.options.fast_open_connect && !self.syn_has_left(fd) {
            return Attempt::ok(0);
        }
        if socket.nonblocking {
            if let Some(socket) = self.kernel.socket_mut(fd) {
                socket.connecting = true;
            }
            return Attempt::error("EINPROGRESS");
        }
        Ok(Attempt::Wait)
    }

    /// Begins a connection; the inner error is the call's.
    pub(super) fn start_connect(
        &mut self,
        fd: i64,
        remote: SocketAddr,
    ) -> Result<Result<(), &'static str>, Stop> {
        let Some(socket) = self.kernel.socket(fd) else { return Ok(Err("ENOTSOCK")) };
        let options = TcpConnectOptions { socket: Some(socket.options), ..TcpConnectOptions::default() };
        let local = socket.bound.map(|bound| SocketAddr::new(self.settings.local, bound.port()));
        // The flow has to be there before the SYN is seen.
        let id = match self.host.tcp_connect(self.now, local, remote, options) {
            Ok(id) => id,
            Err(ConnectError::NoRoute) => return Ok(Err("ENETUNREACH")),
            Err(ConnectError::AddressInUse) => return Ok(Err("EADDRINUSE")),
            Err(_) => return Ok(Err("EADDRNOTAVAIL")),
        };
        let address = self.host.tcp_local_addr(id);
        self.flows.begin(address.map_or(0, |address| address.port()), Some(remote.port()));
        if let Some(socket) = self.kernel.socket_mut(fd) {
            socket.state = SocketState::Stream(id);
            socket.bound = address;
            socket.peer = Some(remote);
        }
        self.kernel.newest = Some(fd);
        self.collect();
        Ok(Ok(()))
    }

    /// `AF_UNSPEC`: the socket is as new again, and whoever is at the other end hears of it.
    fn dissolve(&mut self, fd: i64, socket: &Socket) -> Result<Attempt, Stop> {
        match socket.state {
            SocketState::Stream(id) => {
                self.host.tcp_abort(self.now, id);
                self.host.tcp_release(self.now, id);
            }
            SocketState::Listener(id) => self.host.tcp_close_listener(self.now, id),
            SocketState::Fresh | SocketState::Datagram(_) => {}
        }
        self.collect();
        if let Some(socket) = self.kernel.socket_mut(fd)
            && !socket.datagram
        {
            (socket.state, socket.peer, socket.bound) = (SocketState::Fresh, None, None);
            (socket.read_shut, socket.connecting) = (false, false);
        }
        Attempt::ok(0)
    }

    fn connect_datagram(&mut self, fd: i64, socket: &Socket, remote: SocketAddr) -> Result<Attempt, Stop> {
        if socket.state == SocketState::Fresh {
            let any: IpAddr = self.settings.local;
            let Ok(id) = self.host.udp_bind(SocketAddr::new(any, 0)) else {
                return Attempt::error("EADDRINUSE");
            };
            self.kernel.udp_port = self.host.udp_local_addr(id).map(|address| address.port());
            if let Some(socket) = self.kernel.socket_mut(fd) {
                socket.state = SocketState::Datagram(id);
            }
        }
        if let Some(socket) = self.kernel.socket_mut(fd) {
            socket.peer = Some(remote);
        }
        self.kernel.udp_peer_port = Some(remote.port());
        Attempt::ok(0)
    }

    pub(super) fn call_shutdown(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let how = argument(arguments, 1)?;
        let Some(socket) = self.kernel.socket_mut(fd) else { return Attempt::error("ENOTSOCK") };
        let SocketState::Stream(id) = socket.state else { return Attempt::error("ENOTCONN") };
        if !(0..=2).contains(&how) {
            return Attempt::error("EINVAL");
        }
        if how != 1 {
            socket.read_shut = true;
        }
        if how == 0 {
            return Attempt::ok(0);
        }
        match self.host.tcp_shutdown(self.now, id) {
            Ok(()) => Attempt::ok(0),
            Err(_) => Attempt::error("ENOTCONN"),
        }
    }

    pub(super) fn call_close(&mut self, fd: i64) -> Result<Attempt, Stop> {
        self.kernel.notices.remove(&fd);
        if let Some(File::Socket(socket)) = self.kernel.files.remove(&fd) {
            match socket.state {
                SocketState::Fresh => {}
                SocketState::Listener(id) => self.host.tcp_close_listener(self.now, id),
                SocketState::Stream(id) => self.host.tcp_release(self.now, id),
                SocketState::Datagram(id) => self.host.udp_close(id),
            }
            self.collect();
        }
        Attempt::ok(0)
    }
}
