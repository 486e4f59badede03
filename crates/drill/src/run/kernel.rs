//! System calls over the host: what a kernel keeps above its TCP. A call is tried; one that has to wait is tried again
//! whenever something has happened.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use thru_stack::tcp::{ListenerId, SocketOptions, TcpError, TcpId};
use thru_stack::udp::UdpId;

use super::settings::Settings;
use super::values::{argument, number};
use super::{Runner, Stop};
use crate::script::{Action, Body, Call, Expr, OptionSpec, Script};

mod connect;
mod data;
mod errors;
mod notices;
mod options;
mod wait;

pub(crate) use errors::errno;
pub(crate) use options::controller;

/// What a call gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Value {
    pub(crate) result: i64,
    pub(crate) errno: Option<&'static str>,
    /// What it wrote into its arguments and should not have.
    pub(crate) mismatch: Option<String>,
}

impl Value {
    pub(crate) fn of(result: i64) -> Value {
        Value { result, ..Value::default() }
    }

    pub(crate) fn error(errno: &'static str) -> Value {
        Value { result: -1, errno: Some(errno), mismatch: None }
    }
}

/// Whether a call has returned.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    Done(Value),
    Wait,
}

impl Attempt {
    pub(crate) fn ok(result: i64) -> Result<Attempt, Stop> {
        Ok(Attempt::Done(Value::of(result)))
    }

    pub(crate) fn error(errno: &'static str) -> Result<Attempt, Stop> {
        Ok(Attempt::Done(Value::error(errno)))
    }
}

/// How far a call that waits has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) began: bool,
    /// Bytes so far.
    pub(crate) bytes: usize,
    /// The connection it waited for has been there.
    pub(crate) was_connected: bool,
    /// When it gives up.
    pub(crate) deadline: Option<thru_wire::Instant>,
    /// That time has come.
    pub(crate) expired: bool,
}

/// What a file descriptor stands for.
#[derive(Clone, Debug)]
pub(crate) enum File {
    Socket(Box<Socket>),
    Epoll(Vec<Watch>),
    /// Bytes in a pipe; both ends share them by number.
    Pipe(usize),
    /// A file that can always be read.
    Plain,
}

/// A file descriptor in an epoll set.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) fd: i64,
    pub(crate) events: i64,
    /// What edge-triggered interest has been told already, and how much had arrived by then.
    pub(crate) told: i64,
    pub(crate) arrived: u64,
    /// Notices there had been by then.
    pub(crate) noticed: u64,
    /// One-shot interest that has had its shot.
    pub(crate) disarmed: bool,
}

/// A socket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub(crate) v6: bool,
    pub(crate) datagram: bool,
    pub(crate) nonblocking: bool,
    pub(crate) options: SocketOptions,
    /// Options that only remember what was set.
    pub(crate) remembered: BTreeMap<String, i64>,
    pub(crate) bound: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) state: SocketState,
    pub(crate) read_shut: bool,
    /// A nonblocking connect was told to be under way.
    pub(crate) connecting: bool,
    /// Timeouts of blocking calls.
    pub(crate) receive_timeout: Option<Duration>,
    pub(crate) send_timeout: Option<Duration>,
}

/// What a socket is just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketState {
    Fresh,
    Listener(ListenerId),
    Stream(TcpId),
    Datagram(UdpId),
}

/// What the script's process has open.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) files: BTreeMap<i64, File>,
    pub(crate) pipes: Vec<usize>,
    /// What sockets have to tell of what they sent.
    pub(crate) notices: BTreeMap<i64, notices::Notices>,
    /// Port of the socket bound last.
    pub(crate) bound_port: Option<u16>,
    pub(crate) udp_port: Option<u16>,
    pub(crate) udp_peer_port: Option<u16>,
    /// The stream that code blocks ask about.
    pub(crate) newest: Option<i64>,
}

impl Kernel {
    pub(crate) fn new(_settings: &Settings) -> Kernel {
        Kernel {
            files: BTreeMap::new(),
            pipes: Vec::new(),
            notices: BTreeMap::new(),
            bound_port: None,
            udp_port: None,
            udp_peer_port: None,
            newest: None,
        }
    }

    pub(crate) fn socket(&self, fd: i64) -> Option<&Socket> {
        match self.files.get(&fd) {
            Some(File::Socket(socket)) => Some(socket),
            _ => None,
        }
    }

    /// The connections of all sockets.
    pub(crate) fn streams(&self) -> impl Iterator<Item = TcpId> + '_ {
        self.files.values().filter_map(|file| match file {
            File::Socket(socket) => match socket.state {
                SocketState::Stream(id) => Some(id),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn socket_mut(&mut self, fd: i64) -> Option<&mut Socket> {
        match self.files.get_mut(&fd) {
            Some(File::Socket(socket)) => Some(socket),
            _ => None,
        }
    }
}

/// The calls we know.
const CALLS: &[&str] = &[
    "socket",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "write",
    "writev",
    "send",
    "sendto",
    "sendmsg",
    "shutdown",
    "close",
    "poll",
    "fcntl",
    "ioctl",
    "setsockopt",
    "getsockopt",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "pipe",
    "sendfile",
    "splice",
    "open",
];

/// What a script needs that we don't have, found before it is run: line and reason.
pub(crate) fn cannot_apply(script: &Script) -> Option<(u32, String)> {
    for event in &script.events {
        let reason = match &event.action {
            Action::Call(call) if !CALLS.contains(&call.name.as_str()) => {
                Some(format!("the system call `{}` is not there", call.name))
            }
            Action::Call(call) => call.arguments.iter().find_map(lacking),
            Action::Packet(packet) => {
                if let Some(outer) = &packet.encapsulation {
                    Some(format!("encapsulation in {outer} is not there"))
                } else if let Body::Tcp(tcp) = &packet.body
                    && tcp.options.iter().flatten().any(|option| matches!(option, OptionSpec::Md5(_)))
                {
                    Some("TCP MD5 signatures are not there".to_owned())
                } else {
                    None
                }
            }
            Action::Shell(text) => super::shell::cannot_apply(text),
            Action::Code(_) => None,
        };
        if let Some(reason) = reason {
            return Some((event.line, reason));
        }
    }
    None
}

fn lacking(argument: &Expr) -> Option<String> {
    match argument {
        Expr::Word(word) => match word.as_str() {
            "TCP_ZEROCOPY_RECEIVE" => Some("receiving without copying is not there".to_owned()),
            "TCP_MD5SIG" => Some("TCP MD5 signatures are not there".to_owned()),
            "TCP_AO_ADD_KEY" => Some("TCP-AO is not there".to_owned()),
            _ => None,
        },
        Expr::Or(left, right) => lacking(left).or_else(|| lacking(right)),
        _ => None,
    }
}

impl Runner {
    /// Tries a call.
    pub(super) fn attempt(&mut self, call: &Call, progress: &mut Progress) -> Result<Attempt, Stop> {
        let arguments = &call.arguments[..];
        match call.name.as_str() {
            "socket" => self.call_socket(call),
            "pipe" => self.call_pipe(arguments),
            "open" => self.new_file(call, File::Plain),
            "epoll_create" | "epoll_create1" => self.new_file(call, File::Epoll(Vec::new())),
            "poll" => self.call_poll(arguments, progress),
            _ => {
                let fd = argument(arguments, 0)?;
                if !self.kernel.files.contains_key(&fd) {
                    return Attempt::error("EBADF");
                }
                self.attempt_on(fd, call, progress)
            }
        }
    }

    fn attempt_on(&mut self, fd: i64, call: &Call, progress: &mut Progress) -> Result<Attempt, Stop> {
        let arguments = &call.arguments[..];
        // A buffer that is given as a number is none.
        let buffer = matches!(call.name.as_str(), "read" | "write" | "recv" | "send" | "sendto" | "recvfrom");
        let bad = match arguments.get(1) {
            Some(Expr::Int(_)) => true,
            Some(Expr::Word(word)) => word == "NULL",
            _ => false,
        };
        if buffer && bad && argument(arguments, 2)? > 0 {
            return Attempt::error("EFAULT");
        }
        match call.name.as_str() {
            "bind" => self.call_bind(fd, arguments),
            "listen" => self.call_listen(fd, arguments),
            "accept" | "accept4" => self.call_accept(fd, call),
            "connect" => self.call_connect(fd, arguments, progress),
            "shutdown" => self.call_shutdown(fd, arguments),
            "close" => self.call_close(fd),
            "read" => self.call_read(fd, argument(arguments, 2)?, 0, progress),
            "recv" | "recvfrom" => {
                let (len, flags) = (argument(arguments, 2)?, argument(arguments, 3)?);
                self.call_read(fd, len, flags, progress)
            }
            "readv" => self.call_read(fd, vector_len(arguments.get(1)), 0, progress),
            "recvmsg" => self.call_recvmsg(fd, arguments, progress),
            "write" => self.call_write(fd, argument(arguments, 2)?, 0, progress),
            "send" => {
                let (len, flags) = (argument(arguments, 2)?, argument(arguments, 3)?);
                self.call_write(fd, len, flags, progress)
            }
            "sendto" => self.call_sendto(fd, arguments, progress),
            "writev" => self.call_write(fd, vector_len(arguments.get(1)), 0, progress),
            "sendmsg" => self.call_sendmsg(fd, arguments, progress),
            "sendfile" => self.call_write(fd, argument(arguments, 3)?, 0, progress),
            "splice" => self.call_splice(arguments, progress),
            "fcntl" => self.call_fcntl(fd, arguments),
            "ioctl" => self.call_ioctl(fd, arguments),
            "setsockopt" => self.call_setsockopt(fd, arguments),
            "getsockopt" => self.call_getsockopt(fd, arguments),
            "epoll_ctl" => self.call_epoll_ctl(fd, arguments),
            "epoll_wait" => self.call_epoll_wait(fd, arguments, progress),
            other => Stop::skip(format!("the system call `{other}` is not there")),
        }
    }

    /// Compares what a call gave with what the script says.
    pub(super) fn check_call(&self, call: &Call, value: &Value) -> Result<(), Stop> {
        if self.settings.calls_not_fatal {
            return Ok(());
        }
        let told = |value: &Value| match value.errno {
            Some(errno) => format!("-1 {errno}"),
            None => value.result.to_string(),
        };
        let wanted = match (number(&call.result), &call.errno) {
            (None, _) => return self.check_mismatch(call, value),
            (Some(-1), Some(errno)) => {
                if value.errno.is_some_and(|found| same_errno(found, errno)) {
                    return Ok(());
                }
                format!("-1 {errno}")
            }
            (Some(result), _) if result == value.result => return self.check_mismatch(call, value),
            (Some(result), _) => result.to_string(),
        };
        Stop::fail(format!("`{}` should give {wanted}, gave {}", call.name, told(value)))
    }

    fn check_mismatch(&self, call: &Call, value: &Value) -> Result<(), Stop> {
        match &value.mismatch {
            Some(mismatch) => Stop::fail(format!("`{}`: {mismatch}", call.name)),
            None => Ok(()),
        }
    }

    /// A file under the number that the script expects.
    fn new_file(&mut self, call: &Call, file: File) -> Result<Attempt, Stop> {
        let fd = match number(&call.result) {
            Some(fd) if fd >= 0 => fd,
            // The script expects a failure, or doesn't care: the lowest free number, as everywhere.
            _ => (3..).find(|fd| !self.kernel.files.contains_key(fd)).unwrap_or(3),
        };
        self.kernel.files.insert(fd, file);
        Attempt::ok(fd)
    }

    /// What ended a stream, if something did and nobody was told.
    fn pending_error(&mut self, id: TcpId) -> Option<TcpError> {
        self.host.tcp_take_error(id)
    }
}

/// `EAGAIN` and `EWOULDBLOCK` are one.
fn same_errno(found: &str, wanted: &str) -> bool {
    let plain = |name: &str| if name == "EWOULDBLOCK" { "EAGAIN".to_owned() } else { name.to_owned() };
    plain(found) == plain(wanted)
}

/// Bytes of `[{..., 1000}, {..., 500}]`.
pub(crate) fn vector_len(vector: Option<&Expr>) -> i64 {
    let Some(Expr::Array(items)) = vector else { return 0 };
    items.iter().filter_map(|item| number(item.item(1)?)).sum()
}
