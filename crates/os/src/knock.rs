//! TCP handshakes with a TTL of our choice, and the ICMP errors that answer them (`IP_RECVERR` on a connecting socket,
//! Linux 5.8): traceroute by TCP without privilege. Non-blocking: wait for readiness, then ask for the outcome.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::datagram::{ErrorMessage, receive_error};
use crate::device::check;

/// A handshake under way.
#[derive(Debug)]
pub struct Knock {
    socket: Socket,
    remote: SocketAddr,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// SYN and ACK came back.
    Open,
    /// RST came back.
    Closed,
    /// An ICMP error came back.
    Icmp(ErrorMessage),
    /// The kernel gave up.
    Silent,
}

impl Knock {
    /// Sends the SYN.
    pub fn start(remote: SocketAddr, ttl: Option<u8>) -> io::Result<Knock> {
        let socket =
            Socket::new(Domain::for_address(remote), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        let (level, errors) = if remote.is_ipv6() {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        } else {
            (libc::IPPROTO_IP, libc::IP_RECVERR)
        };
        set(&socket, level, errors, 1)?;
        if let Some(ttl) = ttl {
            let option = if remote.is_ipv6() { libc::IPV6_UNICAST_HOPS } else { libc::IP_TTL };
            set(&socket, level, option, libc::c_int::from(ttl))?;
        }
        // What is learnt is learnt from the handshake: the end is a reset.
        socket.set_linger(Some(Duration::ZERO))?;
        match socket.connect(&SockAddr::from(remote)) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            // On loopback a refusal is there before the call returns; the outcome tells it again.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Ok(Knock { socket, remote });
            }
            Err(error) => return Err(error),
        }
        Ok(Knock { socket, remote })
    }

    /// What came of it; `WouldBlock` while it is open.
    pub fn outcome(&self) -> io::Result<Outcome> {
        match receive_error(self.as_raw_fd()) {
            Ok(error) if error.from.is_some() => {
                return Ok(Outcome::Icmp(ErrorMessage { destination: self.remote, ..error }));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        match self.socket.take_error()? {
            Some(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Ok(Outcome::Closed),
                io::ErrorKind::TimedOut => Ok(Outcome::Silent),
                _ => Err(error),
            },
            None if self.socket.peer_addr().is_ok() => Ok(Outcome::Open),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Gives a handshake to tokio's I/O driver. Needs a tokio runtime with I/O.
pub fn register(knock: Knock) -> io::Result<AsyncFd<Knock>> {
    // SAFETY: the socket owns its file descriptor, returns always the same one, and closes it only when dropped.
    let registered = unsafe { AsyncFd::register_with_interest(knock, Interest::WRITABLE | Interest::ERROR) };
    registered.map_err(io::Error::from)
}

impl AsRawFd for Knock {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn set(socket: &Socket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointer and length describe `value`, which the kernel only reads.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) })
        .map(drop)
}
