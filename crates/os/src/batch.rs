//! UDP for servers: many datagrams at one call of the kernel (recvmmsg(2), sendmmsg(2)). Non-blocking: wait for
//! readiness, then call.
//!
//! - [`BatchSocket`]: the socket. - [`Inbox`], [`Outbox`]: what came, and what is to go.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Datagrams at one call.
const AT_ONCE: usize = 64;
/// Octets of a datagram that are kept; the rest is cut off.
const SLOT: usize = 4096;
/// What the kernel keeps for us while we are busy, in octets; it gives less where it must.
const BUFFER: usize = 4 << 20;

/// A UDP socket that moves batches. IPv6 sockets carry IPv6 only.
#[derive(Debug)]
pub struct BatchSocket(Socket);

/// Datagrams that came.
pub struct Inbox {
    slots: Vec<u8>,
    came: Vec<(SocketAddr, usize)>,
}

/// Datagrams to send: octets one behind the other, and where each ends and goes.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The octets of all datagrams. Append to it, then call [`Outbox::seal`].
    pub octets: Vec<u8>,
    pieces: Vec<(usize, SocketAddr)>,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox { slots: vec![0; AT_ONCE * SLOT], came: Vec::with_capacity(AT_ONCE) }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("came", &self.came).finish_non_exhaustive()
    }
}

impl Inbox {
    /// Sender and payload of each datagram, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.came.iter().zip(self.slots.chunks(SLOT)).map(|((from, length), slot)| (*from, &slot[..*length]))
    }

    /// Empties it and puts this one datagram in, for sockets that know no batches.
    pub fn only(&mut self, from: SocketAddr, payload: &[u8]) {
        let length = payload.len().min(SLOT);
        self.slots[..length].copy_from_slice(&payload[..length]);
        self.came.clear();
        self.came.push((from, length));
    }
}

impl Outbox {
    /// What was appended since the last call goes to `to`, if it is anything.
    pub fn seal(&mut self, to: SocketAddr) {
        if self.octets.len() > self.pieces.last().map_or(0, |(end, _)| *end) {
            self.pieces.push((self.octets.len(), to));
        }
    }

    /// Receiver and payload of each datagram.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let starts = std::iter::once(0).chain(self.pieces.iter().map(|(end, _)| *end));
        starts.zip(&self.pieces).map(|(start, (end, to))| (*to, &self.octets[start..*end]))
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.pieces.clear();
    }
}

impl BatchSocket {
    /// A socket bound to `local`. With `shared`, several sockets may have that address, and the kernel deals the
    /// clients out among them (`SO_REUSEPORT`).
    pub fn bind(local: SocketAddr, shared: bool) -> io::Result<BatchSocket> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(shared)?;
        // The kernel gives what it can.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&local.into())?;
        Ok(BatchSocket(socket))
    }

    /// The address bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
    }

    /// Empties the inbox and fills it; `WouldBlock` if there is nothing.
    pub fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        inbox.came.clear();
        let mut senders: [SockAddrStorage; AT_ONCE] = std::array::from_fn(|_| SockAddrStorage::zeroed());
        // SAFETY: all-zero is a valid `iovec` (null, zero octets).
        let mut vectors: [libc::iovec; AT_ONCE] = unsafe { zeroed() };
        // SAFETY: all-zero is a valid `mmsghdr` (null pointers, zero lengths).
        let mut headers: [libc::mmsghdr; AT_ONCE] = unsafe { zeroed() };
        let slots = inbox.slots.chunks_mut(SLOT);
        for (((header, vector), sender), slot) in
            headers.iter_mut().zip(&mut vectors).zip(&mut senders).zip(slots)
        {
            *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            header.msg_hdr.msg_name = (&raw mut *sender).cast();
            header.msg_hdr.msg_namelen = size_of::<SockAddrStorage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut *vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: every header points to a sender, a vector and a slot that live here, with their true lengths.
        let result = unsafe {
            libc::recvmmsg(
                self.as_raw_fd(),
                headers.as_mut_ptr(),
                AT_ONCE as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        for (header, sender) in headers.iter().zip(senders).take(count) {
            let (name, length) = (header.msg_hdr.msg_namelen, header.msg_len as usize);
            // SAFETY: the kernel wrote a socket address of this length, or left the zeroes.
            let sender = unsafe { SockAddr::new(sender, name) };
            // A slot without a sender would put the others out of step: it becomes an empty one.
            match sender.as_socket() {
                Some(from) => inbox.came.push((from, length.min(SLOT))),
                None => inbox.came.push((SocketAddr::from(([0, 0, 0, 0], 0)), 0)),
            }
        }
        Ok(())
    }

    /// Sends from `first` on as many as the kernel takes now, and tells how far it came; `WouldBlock` if none. A
    /// datagram that can't be sent is left out: its receiver's business.
    pub fn send(&self, outbox: &Outbox, first: usize) -> io::Result<usize> {
        let total = outbox.pieces.len();
        let batch = first..total.min(first + AT_ONCE);
        let start_of = |index: usize| if index == 0 { 0 } else { outbox.pieces[index - 1].0 };
        let receivers: Vec<SockAddr> =
            outbox.pieces[batch.clone()].iter().map(|(_, to)| SockAddr::from(*to)).collect();
        let mut vectors: Vec<libc::iovec> = batch
            .clone()
            .map(|index| {
                let octets = &outbox.octets[start_of(index)..outbox.pieces[index].0];
                libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() }
            })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = receivers
            .iter()
            .zip(&mut vectors)
            .map(|(receiver, vector)| {
                // SAFETY: all-zero is a valid `mmsghdr` (null pointers, zero lengths).
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                header.msg_hdr.msg_name = receiver.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_namelen = receiver.len();
                header.msg_hdr.msg_iov = &raw mut *vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        // SAFETY: every header points to a receiver and a vector that live here; the kernel only reads the octets.
        let result = unsafe {
            libc::sendmmsg(
                self.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        match usize::try_from(result) {
            Ok(count) => Ok(first + count),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(first + 1),
            },
        }
    }
}

impl AsRawFd for BatchSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Gives a socket to tokio's I/O driver. Needs a tokio runtime with I/O.
pub fn register(socket: BatchSocket) -> io::Result<AsyncFd<BatchSocket>> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    // SAFETY: the socket owns its file descriptor, returns always the same one, and closes it only when dropped.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    registered.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_and_comes_with_its_senders() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let bound = || BatchSocket::bind(address.parse().expect("an address"), false).expect("loopback");
            let (one, other) = (bound(), bound());
            let (here, there) = (one.local_addr().expect("bound"), other.local_addr().expect("bound"));
            let mut outbox = Outbox::default();
            for number in 0..100_u8 {
                outbox.octets.extend(vec![number; usize::from(number)]);
                outbox.seal(there);
            }
            assert_eq!(outbox.iter().count(), 99, "an empty one is none");
            let mut sent = 0;
            while sent < 99 {
                sent = one.send(&outbox, sent).expect("loopback takes it");
            }
            let mut inbox = Inbox::default();
            let mut came = Vec::new();
            while other.receive(&mut inbox).is_ok() {
                came.extend(inbox.iter().map(|(from, payload)| (from, payload.to_vec())));
            }
            let expected: Vec<_> =
                (1..100_u8).map(|number| (here, vec![number; usize::from(number)])).collect();
            assert_eq!(came, expected);
            assert_eq!(other.receive(&mut inbox).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(inbox.iter().count(), 0);
        }
    }

    #[test]
    fn a_datagram_that_cannot_go_does_not_hold_up_the_others() {
        let one = BatchSocket::bind("127.0.0.1:0".parse().expect("an address"), false).expect("loopback");
        let there = one.local_addr().expect("bound");
        let mut outbox = Outbox::default();
        for (octet, to) in [(1, there), (2, "[::1]:9".parse().expect("an address")), (3, there)] {
            outbox.octets.push(octet);
            outbox.seal(to);
        }
        let mut sent = 0;
        while sent < 3 {
            sent = one.send(&outbox, sent).expect("loopback takes it");
        }
        let mut inbox = Inbox::default();
        one.receive(&mut inbox).expect("they are there");
        assert_eq!(inbox.iter().map(|(_, payload)| payload[0]).collect::<Vec<_>>(), [1, 3]);
    }
}
