//! What can be read or written: `poll` and `epoll`.

use core::time::Duration;

use thru_stack::tcp::TcpId;

use super::{Attempt, File, Progress, SocketState, Value, Watch};
use crate::run::values::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, argument, name, number};
use crate::run::{Runner, Stop};
use crate::script::Expr;

/// Edge-triggered and one-shot interest in epoll.
const EPOLLET: i64 = 1 << 31;
const EPOLLONESHOT: i64 = 1 << 30;

impl Runner {
    /// The events of a file descriptor, of those that are always told or asked for.
    fn ready(&self, fd: i64) -> i64 {
        let Some(socket) = self.kernel.socket(fd) else {
            return if self.kernel.files.contains_key(&fd) { POLLIN | POLLOUT } else { 0x20 };
        };
        match socket.state {
            SocketState::Fresh => POLLOUT | POLLHUP,
            SocketState::Listener(id) => {
                if self.host.tcp_can_accept(id) {
                    POLLIN
                } else {
                    0
                }
            }
            SocketState::Datagram(_) => POLLOUT,
            SocketState::Stream(id) => {
                let Some(ready) = self.host.tcp_readiness(id) else { return POLLHUP };
                let mut events = 0;
                if ready.readable || socket.read_shut {
                    events |= POLLIN;
                }
                if ready.writable {
                    events |= POLLOUT;
                }
                if ready.peer_closed || socket.read_shut {
                    events |= POLLRDHUP;
                }
                if ready.closed {
                    events |= POLLHUP;
                }
                let noticed = self.kernel.notices.get(&fd).is_some_and(|notices| !notices.is_empty());
                if ready.failed || noticed {
                    events |= POLLERR;
                }
                events
            }
        }
    }

    /// Bytes that have ever arrived for a stream.
    fn arrived(&self, fd: i64) -> u64 {
        match self.kernel.socket(fd).map(|socket| socket.state) {
            Some(SocketState::Stream(id)) => self.host.tcp_info(id).map_or(0, |info| info.bytes_received),
            _ => 0,
        }
    }

    /// A write found too little room: that there is room again will be news.
    pub(super) fn forget_writable(&mut self, id: TcpId) {
        let of = |(fd, file): (&i64, &File)| match file {
            File::Socket(socket) if socket.state == SocketState::Stream(id) => Some(*fd),
            _ => None,
        };
        let Some(fd) = self.kernel.files.iter().find_map(of) else { return };
        for file in self.kernel.files.values_mut() {
            if let File::Epoll(watches) = file {
                watches.iter_mut().filter(|watch| watch.fd == fd).for_each(|watch| watch.told &= !POLLOUT);
            }
        }
    }

    pub(super) fn call_poll(&mut self, arguments: &[Expr], progress: &mut Progress) -> Result<Attempt, Stop> {
        let Some(Expr::Array(items)) = arguments.first() else {
            return Stop::fail("argument 1 is not an array");
        };
        let timeout = argument(arguments, 2)?;
        let (mut count, mut mismatch) = (0, None);
        for item in items {
            let get = |field: &str| item.field(field).and_then(number);
            let (Some(fd), Some(events)) = (get("fd"), get("events")) else {
                return Stop::skip("a poll structure is not understood");
            };
            let found = self.ready(fd) & (events | POLLERR | POLLHUP | 0x20);
            count += i64::from(found != 0);
            if let Some(wanted) = get("revents")
                && wanted != found
            {
                mismatch = Some(format!("events {found:#x} on {fd}, not {wanted:#x}"));
            }
        }
        if count == 0 && self.still_waits(timeout, progress) {
            return Ok(Attempt::Wait);
        }
        Ok(Attempt::Done(Value { result: count, errno: None, mismatch }))
    }

    /// Whether a call with a timeout in milliseconds goes on waiting.
    fn still_waits(&self, timeout: i64, progress: &mut Progress) -> bool {
        if timeout == 0 || progress.expired {
            return false;
        }
        if !progress.began && timeout > 0 {
            progress.deadline = Some(self.now + Duration::from_millis(timeout as u64));
        }
        progress.began = true;
        true
    }

    pub(super) fn call_epoll_ctl(&mut self, fd: i64, arguments: &[Expr]) -> Result<Attempt, Stop> {
        let what = arguments.get(1).and_then(name).unwrap_or_default().to_owned();
        let target = argument(arguments, 2)?;
        let events = arguments.get(3).and_then(|event| event.field("events")).and_then(number).unwrap_or(0);
        if !self.kernel.files.contains_key(&target) {
            return Attempt::error("EBADF");
        }
        let Some(File::Epoll(watches)) = self.kernel.files.get_mut(&fd) else {
            return Attempt::error("EINVAL");
        };
        let place = watches.iter().position(|watch| watch.fd == target);
        let fresh = Watch { fd: target, events, told: 0, arrived: 0, noticed: 0, disarmed: false };
        match (what.as_str(), place) {
            ("EPOLL_CTL_ADD", None) => watches.push(fresh),
            ("EPOLL_CTL_ADD", Some(_)) => return Attempt::error("EEXIST"),
            ("EPOLL_CTL_MOD", Some(place)) => watches[place] = fresh,
            ("EPOLL_CTL_DEL", Some(place)) => {
                watches.remove(place);
            }
            _ => return Attempt::error("ENOENT"),
        }
        Attempt::ok(0)
    }

    pub(super) fn call_epoll_wait(
        &mut self,
        fd: i64,
        arguments: &[Expr],
        progress: &mut Progress,
    ) -> Result<Attempt, Stop> {
        let timeout = argument(arguments, 3)?;
        let Some(File::Epoll(watches)) = self.kernel.files.get(&fd) else { return Attempt::error("EINVAL") };
        let mut watches = watches.clone();
        let mut told = Vec::new();
        for watch in watches.iter_mut().filter(|watch| !watch.disarmed) {
            let mut found = self.ready(watch.fd) & (watch.events | POLLERR | POLLHUP);
            let all = found;
            let arrived = self.arrived(watch.fd);
            let noticed = self.kernel.notices.get(&watch.fd).map_or(0, |notices| notices.count);
            if watch.events & EPOLLET != 0 {
                // More of what can be read is news, even where the rest was not read.
                let more = if arrived > watch.arrived { POLLIN | POLLRDHUP } else { 0 };
                let notice = if noticed > watch.noticed { POLLERR } else { 0 };
                found &= !watch.told | more | notice;
            }
            (watch.told, watch.arrived, watch.noticed) = (all, arrived, noticed);
            if found != 0 {
                // An edge tells everything that holds, not only what is new.
                told.push((watch.fd, all));
                if watch.events & EPOLLONESHOT != 0 {
                    watch.disarmed = true;
                }
            }
        }
        if told.is_empty() {
            if let Some(File::Epoll(kept)) = self.kernel.files.get_mut(&fd) {
                *kept = watches;
            }
            return if self.still_waits(timeout, progress) { Ok(Attempt::Wait) } else { Attempt::ok(0) };
        }
        if let Some(File::Epoll(kept)) = self.kernel.files.get_mut(&fd) {
            *kept = watches;
        }
        let wanted = match arguments.get(1) {
            Some(Expr::Array(items)) => items.clone(),
            Some(item @ Expr::Struct(_)) => vec![item.clone()],
            _ => Vec::new(),
        };
        let mut value = Value::of(told.len() as i64);
        for (item, (fd, events)) in wanted.iter().zip(&told) {
            let get = |field: &str| item.field(field).and_then(number);
            if get("fd").is_some_and(|wanted| wanted != *fd)
                || get("events").is_some_and(|wanted| wanted != *events)
            {
                value.mismatch = Some(format!("events {events:#x} on {fd}"));
            }
        }
        Ok(Attempt::Done(value))
    }
}
