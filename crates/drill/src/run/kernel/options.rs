//! `setsockopt`, `getsockopt`, `fcntl`, `ioctl`.

use core::time::Duration;

use thru_stack::tcp::{Congestion, SocketOptions, State};

use super::{Attempt, Socket, SocketState, Value, errno};
use crate::Persona;
use crate::run::values::{O_NONBLOCK, O_RDWR, argument, name, number};
use crate::run::{Runner, Stop};
use crate::script::Expr;

impl Runner {
    pub(super) fn call_fcntl(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let what = arguments.get(1).and_then(name).unwrap_or_default().to_owned();
        match what.as_str() {
            "F_GETFL" => {
                let nonblocking = self.kernel.socket(fd).is_some_and(|socket| socket.nonblocking);
                Attempt::ok(O_RDWR | if nonblocking { O_NONBLOCK } else { 0 })
            }
            "F_SETFL" => {
                let flags = argument(arguments, 2)?;
                if let Some(socket) = self.kernel.socket_mut(fd) {
                    socket.nonblocking = flags & O_NONBLOCK != 0;
                }
                Attempt::ok(0)
            }
            "F_GETFD" | "F_SETFD" => Attempt::ok(0),
            other => Stop::skip(format!("fcntl {other} is not there")),
        }
    }

    pub(super) fn call_ioctl(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let what = arguments.get(1).and_then(name).unwrap_or_default().to_owned();
        let stream = match self.kernel.socket(fd).map(|socket| socket.state) {
            Some(SocketState::Stream(id)) => Some(id),
            _ => None,
        };
        let found = match what.as_str() {
            "SIOCINQ" | "FIONREAD" => self.unread(fd) as i64,
            "SIOCOUTQ" | "TIOCOUTQ" => {
                stream.and_then(|id| self.host.tcp_unacknowledged(id)).unwrap_or(0) as i64
            }
            "SIOCOUTQNSD" => {
                stream.and_then(|id| self.host.tcp_info(id)).map_or(0, |info| info.bytes_unsent as i64)
            }
            "FIONBIO" => {
                let on = arguments.get(2).and_then(number).unwrap_or(0) != 0;
                if let Some(socket) = self.kernel.socket_mut(fd) {
                    socket.nonblocking = on;
                }
                return Attempt::ok(0);
            }
            other => return Stop::skip(format!("ioctl {other} is not there")),
        };
        let mut value = Value::of(0);
        if let Some(wanted) = arguments.get(2).and_then(number)
            && wanted != found
        {
            value.mismatch = Some(format!("{what} gave {found}, not {wanted}"));
        }
        Ok(Attempt::Done(value))
    }

    pub(super) fn call_setsockopt(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let option = arguments.get(2).and_then(name).unwrap_or_default().to_owned();
        let value = arguments.get(3).cloned().unwrap_or(Expr::Ellipsis);
        let Some(mut socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        if socket.options != self.options_of(&socket) {
            socket.options = self.options_of(&socket);
        }
        if let Some(failure) = self.set(&mut socket, &option, &value)? {
            return Attempt::error(failure);
        }
        let options = socket.options;
        let set = match socket.state {
            SocketState::Stream(id) => self.host.tcp_set_options(self.now, id, &options),
            SocketState::Listener(id) => self.host.tcp_set_listener_options(id, &options),
            SocketState::Fresh | SocketState::Datagram(_) => options.check(),
        };
        if set.is_err() {
            return Attempt::error("EINVAL");
        }
        if option == "SO_TIMESTAMPING" {
            self.ask_for_stamps(fd, &value);
        }
        if let (SocketState::Stream(id), "TCP_NODELAY") = (socket.state, option.as_str()) {
            self.host.tcp_set_nodelay(self.now, id, options.nodelay);
        }
        if let (SocketState::Stream(id), "TCP_QUICKACK") = (socket.state, option.as_str()) {
            let _ = self.host.tcp_set_quick_ack(self.now, id, number(&value).unwrap_or(0) != 0);
        }
        self.collect();
        if let Some(kept) = self.kernel.socket_mut(fd) {
            *kept = socket;
        }
        Attempt::ok(0)
    }

    fn options_of(&self, socket: &Socket) -> SocketOptions {
        match socket.state {
            SocketState::Stream(id) => self.host.tcp_options(id).copied().unwrap_or(socket.options),
            SocketState::Listener(id) => {
                self.host.tcp_listener_options(id).copied().unwrap_or(socket.options)
            }
            _ => socket.options,
        }
    }

    /// Carries an option into `socket`; the inner value is the call's error.
    fn set(&self, socket: &mut Socket, option: &str, value: &Expr) -> Result<Option<&'static str>, Stop> {
        let integer = number(value);
        let int = integer.unwrap_or(0);
        let on = int != 0;
        let seconds = || Duration::from_secs(int.max(0) as u64);
        let options = &mut socket.options;
        match option {
            "TCP_NODELAY" => options.nodelay = on,
            "TCP_CORK" | "TCP_NOPUSH" => options.cork = on,
            "SO_KEEPALIVE" => options.keepalive = on,
            "TCP_KEEPIDLE" => options.keepalive_idle = seconds(),
            "TCP_KEEPINTVL" => options.keepalive_interval = seconds(),
            "TCP_KEEPCNT" => options.keepalive_probes = int.clamp(0, 1_000) as u32,
            "TCP_KEEPINIT" => options.connect_timeout = Some(seconds()),
            "TCP_SYNCNT" => options.syn_retries = Some(int.clamp(0, 1_000) as u32),
            "TCP_USER_TIMEOUT" => {
                options.user_timeout = (int > 0).then(|| Duration::from_millis(int as u64));
            }
            "TCP_MAXSEG" => options.mss_limit = u16::try_from(int).ok().filter(|mss| *mss > 0),
            "TCP_WINDOW_CLAMP" => options.window_clamp = (int > 0).then_some(int as u32),
            "TCP_NOOPT" => options.no_options = on,
            "IP_TOS" | "IPV6_TCLASS" => options.traffic_class = int as u8,
            "IP_TTL" | "IPV6_UNICAST_HOPS" => options.ttl = u8::try_from(int).ok().filter(|ttl| *ttl > 0),
            "IP_MINTTL" | "IPV6_MINHOPCOUNT" => options.min_ttl = int.clamp(0, 255) as u8,
            "SO_SNDBUF" | "SO_SNDBUFFORCE" => options.send_buffer = Some(self.send_buffer_for(int)),
            "SO_RCVBUF" | "SO_RCVBUFFORCE" => options.receive_buffer = Some(self.buffer_for(int)),
            "SO_RCVLOWAT" => options.receive_low = int.max(1) as usize,
            // What nobody sets is what the host says.
            "TCP_NOTSENT_LOWAT" => {
                options.notsent_low =
                    usize::try_from(int).ok().filter(|low| *low > 0).or(self.settings.notsent_low);
            }
            "TCP_LINGER2" => options.fin_wait2 = (int > 0).then(seconds),
            "SO_REUSEADDR" => options.reuse_address = on,
            "TCP_DEFER_ACCEPT" => options.defer_accept = (int > 0).then(seconds),
            "TCP_FASTOPEN_CONNECT" if !self.host.tcp_config().fast_open_client => {
                return Ok(Some("EOPNOTSUPP"));
            }
            "TCP_FASTOPEN_CONNECT" => options.fast_open_connect = on,
            "TCP_FASTOPEN_NO_COOKIE" => options.fast_open_no_cookie = on,
            "TCP_FASTOPEN" => options.fast_open_pending = int.max(0) as u32,
            "SO_LINGER" => {
                let field = |name: &str| value.field(name).and_then(number).unwrap_or(0);
                let length = Duration::from_secs(field("linger").max(0) as u64);
                options.linger = (field("onoff") != 0).then_some(length);
                return Ok(None);
            }
            "TCP_CONGESTION" => {
                let Expr::Text(name) = value else { return Ok(Some("EINVAL")) };
                match controller(name) {
                    Some(congestion) => options.congestion = congestion,
                    None => return Stop::skip(format!("the congestion control `{name}` is not there")),
                }
                return Ok(None);
            }
            "TCP_FASTOPEN_KEY" => {
                let Expr::Text(text) = value else { return Ok(Some("EINVAL")) };
                match unescaped(text).try_into() {
                    Ok(key) => options.fast_open_key = Some(key),
                    Err(_) => return Ok(Some("EINVAL")),
                }
                return Ok(None);
            }
            "SO_RCVTIMEO" => socket.receive_timeout = timeout(value),
            "SO_SNDTIMEO" => socket.send_timeout = timeout(value),
            // These change nothing that a script could see here; they are remembered for `getsockopt`.
            "TCP_QUICKACK"
            | "SO_REUSEPORT"
            | "IP_RECVERR"
            | "IPV6_RECVERR"
            | "SO_PRIORITY"
            | "SO_MARK"
            | "TCP_INQ"
            | "SO_OOBINLINE"
            | "SO_BROADCAST"
            | "IPV6_V6ONLY"
            | "SO_NO_CHECK"
            | "TCP_THIN_LINEAR_TIMEOUTS"
            | "SO_MAX_PACING_RATE"
            | "IP_MTU_DISCOVER"
            | "IPV6_MTU_DISCOVER"
            | "TCP_DELACK"
            | "TCP_RACK_PACE_MAX_SEG"
            | "TCP_RACK_PACE_RATE_SS"
            | "TCP_RACK_PACE_ALWAYS"
            | "IP_RECVTOS"
            | "SO_ZEROCOPY"
            | "IP_FREEBIND" => {}
            "SO_TIMESTAMPING" => return Ok(None),
            other => return Stop::skip(format!("the socket option {other} is not there")),
        }
        if integer.is_none() && !matches!(option, "SO_RCVTIMEO" | "SO_SNDTIMEO") {
            return Stop::skip(format!("the value of {option} is not understood"));
        }
        socket.remembered.insert(option.to_owned(), int);
        Ok(None)
    }

    /// What `getsockopt` tells of a buffer: Linux doubles a wish, for its own bookkeeping.
    fn told_buffer(&self, wish: Option<usize>, holds: usize) -> i64 {
        match wish {
            Some(wish) if self.persona == Persona::Linux => 2 * wish as i64,
            _ => holds as i64,
        }
    }

    /// What a wish for a send buffer comes to: where its chunks are accounted with all they cost, twice as much.
    fn send_buffer_for(&self, wish: i64) -> usize {
        let wish = self.buffer_for(wish);
        if self.settings.tcp.habits.writes_by_chunk { (2 * wish).max(LEAST_SEND_BUFFER) } else { wish }
    }

    /// What a wish for a buffer comes to.
    fn buffer_for(&self, wish: i64) -> usize {
        wish.clamp(0, 1 << 30) as usize
    }

    pub(super) fn call_getsockopt(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let option = arguments.get(2).and_then(name).unwrap_or_default().to_owned();
        let Some(socket) = self.kernel.socket(fd).cloned() else { return Attempt::error("ENOTSOCK") };
        let wanted = arguments.get(3).cloned().unwrap_or(Expr::Ellipsis);
        if wanted == Expr::Ellipsis {
            return Attempt::ok(0);
        }
        let mut value = Value::of(0);
        if option == "SO_ERROR" {
            let found = match socket.state {
                SocketState::Stream(id) => {
                    self.pending_error(id).map_or("0", |error| errno(&error, self.persona))
                }
                _ => "0",
            };
            let matches = match name(&wanted) {
                Some(wanted) => wanted == found,
                None => number(&wanted) == Some(0) && found == "0",
            };
            if !matches {
                value.mismatch = Some(format!("the error is {found}"));
            }
            return Ok(Attempt::Done(value));
        }
        let found = self.get(&socket, &option)?;
        let matches = match (&found, &wanted) {
            (Found::Number(found), wanted) => number(wanted) == Some(*found),
            (Found::Text(found), Expr::Text(wanted)) => found == wanted,
            (Found::Text(_), _) => true,
        };
        if !matches {
            value.mismatch = Some(format!("{option} is {found:?}"));
        }
        Ok(Attempt::Done(value))
    }

    fn get(&self, socket: &Socket, option: &str) -> Result<Found, Stop> {
        let options = self.options_of(socket);
        let seconds = |time: Duration| time.as_secs() as i64;
        let stream = match socket.state {
            SocketState::Stream(id) => Some(id),
            _ => None,
        };
        let info = stream.and_then(|id| self.host.tcp_info(id));
        let buffers = stream.and_then(|id| self.host.tcp_buffers(id));
        let number = match option {
            "TCP_NODELAY" => i64::from(options.nodelay),
            "TCP_CORK" | "TCP_NOPUSH" => i64::from(options.cork),
            "SO_KEEPALIVE" => i64::from(options.keepalive),
            "TCP_KEEPIDLE" => seconds(options.keepalive_idle),
            "TCP_KEEPINTVL" => seconds(options.keepalive_interval),
            "TCP_KEEPCNT" => i64::from(options.keepalive_probes),
            "TCP_KEEPINIT" => options.connect_timeout.map_or(0, seconds),
            "TCP_USER_TIMEOUT" => options.user_timeout.map_or(0, |time| time.as_millis() as i64),
            "TCP_MAXSEG" => match &info {
                Some(info) if info.state != State::SynSent => info.mss as i64,
                _ => options.mss_limit.map_or(536, i64::from),
            },
            "IP_TOS" | "IPV6_TCLASS" => i64::from(options.traffic_class),
            "IP_TTL" | "IPV6_UNICAST_HOPS" => i64::from(options.ttl.unwrap_or(64)),
            "SO_SNDBUF" => {
                let own = options.send_buffer.unwrap_or(self.settings.tcp.send_buffer);
                buffers.map_or(own, |buffers| buffers.0) as i64
            }
            "SO_RCVBUF" => {
                let own = options.receive_buffer.unwrap_or(self.settings.tcp.receive_buffer);
                self.told_buffer(options.receive_buffer, buffers.map_or(own, |buffers| buffers.1))
            }
            "TCP_NOTSENT_LOWAT" => socket.remembered.get(option).copied().unwrap_or(0),
            "SO_RCVLOWAT" => options.receive_low as i64,
            "TCP_DEFER_ACCEPT" => options.defer_accept.map_or(0, seconds),
            "SO_REUSEADDR" => i64::from(options.reuse_address),
            "TCP_CONGESTION" => return Ok(Found::Text(congestion_name(options.congestion).to_owned())),
            "SO_LINGER" => return Stop::skip("getsockopt SO_LINGER is not there"),
            "TCP_QUICKACK" => stream.and_then(|id| self.host.tcp_quick_ack(id)).map_or(1, i64::from),
            "TCP_INFO" => return Ok(Found::Text(String::new())),
            other => match socket.remembered.get(other) {
                Some(value) => *value,
                None => return Stop::skip(format!("getsockopt {other} is not there")),
            },
        };
        Ok(Found::Number(number))
    }
}

/// No send buffer is smaller where its chunks are accounted with all they cost (Linux's `SOCK_MIN_SNDBUF`).
const LEAST_SEND_BUFFER: usize = 4_608;

/// The bytes of a text with `\x7f` in it.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|rest| rest.get(..2));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.extend(c.to_string().as_bytes());
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    bytes
}

/// What an option holds.
#[derive(Clone, Debug)]
enum Found {
    Number(i64),
    Text(String),
}

/// A congestion control by its name.
pub(crate) fn controller(name: &str) -> Option<Congestion> {
    match name {
        "reno" | "newreno" => Some(Congestion::NewReno),
        "cubic" => Some(Congestion::Cubic),
        "bbr" | "bbr1" => Some(Congestion::Bbr1),
        "bbr3" => Some(Congestion::Bbr3),
        _ => None,
    }
}

fn congestion_name(congestion: Congestion) -> &'static str {
    match congestion {
        Congestion::NewReno => "reno",
        Congestion::Bbr1 | Congestion::Bbr3 => "bbr",
        Congestion::Cubic => "cubic",
    }
}

/// `{tv_sec = 1, tv_usec = 0}`
fn timeout(value: &Expr) -> Option<Duration> {
    let field = |name: &str| value.field(name).and_then(number).unwrap_or(0).max(0) as u64;
    let time = Duration::from_secs(field("tv_sec")) + Duration::from_micros(field("tv_usec"));
    (!time.is_zero()).then_some(time)
}
