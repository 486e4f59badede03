//! Sockets over a [`Host`] of our own stack, wherever that host lives.
//!
//! - [`Driver`]: what the sockets need of whoever owns the host and its clock. A lab is one.
//! - [`tcp`], [`udp`], [`icmp`], [`packet`]: the sockets.

pub mod icmp;
pub mod packet;
pub mod tcp;
pub mod udp;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use thru_stack::Host;
use thru_stack::tcp::TcpError;
use thru_wire::Instant;

/// Owns a host and a clock.
pub trait Driver: Send + Sync {
    /// Calls into the host at the present time, then carries out what it wants to send.
    fn call(&self, call: &mut dyn FnMut(&mut Host, Instant));
    /// The present time.
    fn now(&self) -> Instant;
    /// The standard library's instant that stands for [`Instant::START`].
    fn origin(&self) -> std::time::Instant;
    /// The date: time since the Unix epoch.
    fn unix_time(&self) -> Duration;
    /// Wakes `waker` at `at`.
    fn set_timer(&self, at: Instant, waker: Waker) -> u64;
    /// Forgets a timer.
    fn cancel_timer(&self, key: u64);
    /// Whether time is virtual, and everything random repeats under the network's seed.
    fn is_virtual(&self) -> bool;
    /// Random bytes from the stream `purpose`.
    fn random(&self, purpose: &str, bytes: &mut [u8]);
}

/// A host of our own stack as a network.
pub struct OwnNetwork {
    /// As in `lab:internet`.
    pub name: String,
    /// Who owns the host.
    pub driver: Arc<dyn Driver>,
    /// What its resolv.conf would say.
    pub resolvers: Vec<SocketAddr>,
}

impl OwnNetwork {
    /// Calls into the host.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Host, Instant) -> R) -> R {
        with(&*self.driver, call)
    }
}

impl fmt::Debug for OwnNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnNetwork").field("name", &self.name).finish_non_exhaustive()
    }
}

/// [`Driver::call`] with a result.
pub(crate) fn with<R>(driver: &dyn Driver, call: impl FnOnce(&mut Host, Instant) -> R) -> R {
    let mut call = Some(call);
    let mut result = None;
    driver.call(&mut |host, now| {
        if let Some(call) = call.take() {
            result = Some(call(host, now));
        }
    });
    result.expect("the driver calls back once")
}

/// The standard library's word for what our stack says.
pub(crate) fn io_error(error: &TcpError) -> io::Error {
    let (kind, text) = match error {
        TcpError::Refused => (io::ErrorKind::ConnectionRefused, "connection refused"),
        TcpError::Reset => (io::ErrorKind::ConnectionReset, "connection reset by the peer"),
        TcpError::TimedOut { .. } => (io::ErrorKind::TimedOut, "the peer stopped acknowledging"),
        TcpError::Unreachable(_) => (io::ErrorKind::HostUnreachable, "destination unreachable"),
        TcpError::Aborted => (io::ErrorKind::ConnectionAborted, "connection aborted"),
        TcpError::WriteAfterShutdown => (io::ErrorKind::BrokenPipe, "written after shutdown"),
        TcpError::Unknown => (io::ErrorKind::NotConnected, "no such connection"),
    };
    io::Error::new(kind, text)
}
