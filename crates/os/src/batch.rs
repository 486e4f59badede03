//! UDP for servers: many datagrams at one call of the kernel (recvmmsg(2), sendmmsg(2)).
//!
//! A thread of its own waits in [`BatchSocket::wait`]. That is cheaper than an event loop: while nobody waits for
//! readiness the kernel has nobody to wake for each datagram that comes and for each that has gone, and a query that
//! comes alone costs two calls instead of four.
//!
//! - [`BatchSocket`]: the socket. - [`Inbox`], [`Outbox`]: what came, and what is to go. - [`Peer`]: from and to whom.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams at one call.
const AT_ONCE: usize = 64;
/// Octets of a datagram that are kept; the rest is cut off.
const SLOT: usize = 4096;
/// From one slot to the next: not a power of two, for then all would compete for the same lines of the caches.
const STRIDE: usize = SLOT + 128;
/// What the kernel keeps for us while we are busy, in octets; it gives less where it must.
const BUFFER: usize = 4 << 20;

/// A UDP socket that moves batches. IPv6 sockets carry IPv6 only.
///
/// Bound to the wildcard it notes which of this machine's addresses each datagram was sent to, so that the answer can
/// leave from there: clients take no other (RFC 2181 section 4.1).
#[derive(Debug)]
pub struct BatchSocket {
    socket: Socket,
    /// Whether it is bound to the wildcard.
    wild: bool,
}

/// The other end of a datagram, and which address of ours it goes to or comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end.
    pub address: SocketAddr,
    /// Our own address, where the socket is bound to the wildcard; `None`: the one it is bound to.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer { address, local: None }
    }
}

/// Datagrams that came.
pub struct Inbox {
    slots: Vec<u8>,
    came: Vec<(Peer, usize)>,
    calls: Box<Calls>,
    /// Calls from here on are as the kernel wants them; before it, the last receiving has left its marks.
    fresh_from: usize,
    /// Whether they have room for addresses of ours.
    with_controls: bool,
}

/// Datagrams to send: octets one behind the other, and where each ends and goes.
pub struct Outbox {
    /// The octets of all datagrams. Append to it, then call [`Outbox::seal`].
    pub octets: Vec<u8>,
    pieces: Vec<(usize, Peer)>,
    calls: Box<Calls>,
}

/// What the kernel is told in one call, kept from call to call: setting it up costs more than a small batch.
struct Calls {
    names: [libc::sockaddr_storage; AT_ONCE],
    vectors: [libc::iovec; AT_ONCE],
    controls: [Control; AT_ONCE],
    headers: [libc::mmsghdr; AT_ONCE],
}

// SAFETY: the pointers inside are written before each call of the kernel and mean nothing after it.
unsafe impl Send for Calls {}
// SAFETY: as above; nothing reads through them but the kernel, in calls that borrow the whole mutably.
unsafe impl Sync for Calls {}

/// Room for one control message about an address.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

impl Calls {
    fn new() -> Box<Calls> {
        // SAFETY: all-zero is a valid value of every field: addresses without a family, null pointers, no lengths.
        Box::new(unsafe { zeroed() })
    }
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox {
            slots: vec![0; AT_ONCE * STRIDE],
            came: Vec::with_capacity(AT_ONCE),
            calls: Calls::new(),
            fresh_from: AT_ONCE,
            with_controls: false,
        }
    }
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox { octets: Vec::new(), pieces: Vec::new(), calls: Calls::new() }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("came", &self.came).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

impl Inbox {
    /// Sender and payload of each datagram, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (Peer, &[u8])> {
        self.came
            .iter()
            .zip(self.slots.chunks(STRIDE))
            .map(|((from, length), slot)| (*from, &slot[..*length]))
    }

    /// How many datagrams came.
    pub fn len(&self) -> usize {
        self.came.len()
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.came.is_empty()
    }

    /// Empties it and has the calls ready for the kernel. Most of them still are since the last time.
    fn prepare(&mut self, with_controls: bool) {
        self.came.clear();
        if self.with_controls != with_controls {
            (self.with_controls, self.fresh_from) = (with_controls, AT_ONCE);
        }
        let Calls { names, vectors, controls, headers } = &mut *self.calls;
        for (at, slot) in self.slots.chunks_mut(STRIDE).enumerate().take(self.fresh_from) {
            vectors[at] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = if with_controls { (&raw mut controls[at]).cast() } else { null_mut() };
            header.msg_controllen = if with_controls { CONTROL } else { 0 };
        }
        self.fresh_from = 0;
    }

    /// Empties it and puts this one datagram in, for sockets that know no batches.
    pub fn only(&mut self, from: SocketAddr, payload: &[u8]) {
        let length = payload.len().min(SLOT);
        self.slots[..length].copy_from_slice(&payload[..length]);
        self.came.clear();
        self.came.push((from.into(), length));
    }
}

impl Outbox {
    /// What was appended since the last call goes to `to`, if it is anything.
    pub fn seal(&mut self, to: impl Into<Peer>) {
        if self.octets.len() > self.pieces.last().map_or(0, |(end, _)| *end) {
            self.pieces.push((self.octets.len(), to.into()));
        }
    }

    /// Receiver and payload of each datagram.
    pub fn iter(&self) -> impl Iterator<Item = (Peer, &[u8])> {
        let starts = std::iter::once(0).chain(self.pieces.iter().map(|(end, _)| *end));
        starts.zip(&self.pieces).map(|(start, (end, to))| (*to, &self.octets[start..*end]))
    }

    /// How many datagrams there are to send.
    pub fn len(&self) -> usize {
        self.pieces.len()
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
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(shared)?;
        let wild = local.ip().is_unspecified();
        if wild {
            tell_destinations(&socket, local.is_ipv6())?;
        }
        // The kernel gives what it can.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&local.into())?;
        Ok(BatchSocket { socket, wild })
    }

    /// The address bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
    }

    /// Empties the inbox and fills it; `WouldBlock` if there is nothing.
    pub fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        self.fill(inbox, libc::MSG_DONTWAIT)
    }

    /// Empties the inbox, waits until something comes, and takes all that is there. `false`: [`BatchSocket::end`] was
    /// called.
    pub fn wait(&self, inbox: &mut Inbox) -> io::Result<bool> {
        loop {
            match self.fill(inbox, libc::MSG_WAITFORONE) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|()| !inbox.is_empty()),
            }
        }
    }

    /// Ends the waiting, now and in future.
    pub fn end(&self) {
        // The kernel says that a socket without connection can't be shut down, and yet wakes who waits there and lets
        // nobody wait again.
        let _ = self.socket.shutdown(std::net::Shutdown::Read);
    }

    /// Waits until there is room to send, but no longer than this.
    pub fn wait_for_room(&self, limit: Duration) {
        let mut wanted = libc::pollfd { fd: self.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        let limit = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one valid entry, and that is what the count says. However it ends, sending tells what is the case.
        let _ = unsafe { libc::poll(&raw mut wanted, 1, limit) };
    }

    fn fill(&self, inbox: &mut Inbox, how: libc::c_int) -> io::Result<()> {
        inbox.prepare(self.wild);
        let Calls { names, controls, headers, .. } = &mut *inbox.calls;
        // SAFETY: every header points to a name, a vector, a slot and perhaps a control that live in the inbox, with
        // their true lengths: `prepare` wrote all of them once, neither boxes nor slots ever move, and it has just
        // written again those that the kernel changed.
        let result = unsafe {
            libc::recvmmsg(self.as_raw_fd(), headers.as_mut_ptr(), AT_ONCE as libc::c_uint, how, null_mut())
        };
        let count = usize::try_from(result).map_err(|_| io::Error::last_os_error())?.min(AT_ONCE);
        inbox.fresh_from = count;
        for at in 0..count {
            let header = &headers[at];
            if header.msg_hdr.msg_namelen == 0 {
                // Every datagram has a sender: this says that there will be no more.
                break;
            }
            let length = (header.msg_len as usize).min(SLOT);
            // A slot without a sender would put the others out of step: it becomes an empty one.
            let (address, length) = match socket_address(&names[at]) {
                Some(address) => (address, length),
                None => (SocketAddr::from(([0, 0, 0, 0], 0)), 0),
            };
            let told = header.msg_hdr.msg_controllen.min(CONTROL);
            let local = destination(&controls[at].0[..if self.wild { told } else { 0 }]);
            inbox.came.push((Peer { address, local }, length));
        }
        Ok(())
    }

    /// Sends from `first` on as many as the kernel takes now, and tells how far it came; `WouldBlock` if none. A
    /// datagram that can't be sent is left out: its receiver's business.
    pub fn send(&self, outbox: &mut Outbox, first: usize) -> io::Result<usize> {
        let Outbox { octets, pieces, calls } = outbox;
        let Calls { names, vectors, controls, headers } = &mut **calls;
        let batch = first..pieces.len().min(first + AT_ONCE);
        let count = batch.len();
        let mut start = if first == 0 { 0 } else { pieces[first - 1].0 };
        for (at, (end, to)) in pieces[batch].iter().enumerate() {
            let payload = &octets[start..*end];
            start = *end;
            vectors[at] =
                libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
            let header = &mut headers[at].msg_hdr;
            header.msg_namelen = put_address(&mut names[at], to.address);
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = null_mut();
            header.msg_controllen = 0;
            if let Some(local) = to.local.filter(|local| local.is_ipv6() == to.address.is_ipv6()) {
                header.msg_controllen = put_source(&mut controls[at], local);
                header.msg_control = (&raw mut controls[at]).cast();
            }
        }
        // SAFETY: the first `count` headers point to names, vectors and controls of the outbox and to its octets, with
        // their true lengths; the kernel only reads the octets.
        let result = unsafe {
            libc::sendmmsg(self.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, libc::MSG_DONTWAIT)
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

/// Octets of a control message with an IPv6 address and an interface, the longest there is here.
const CONTROL: usize = 40;
/// Octets of a control message's head: length, level and type.
const CONTROL_HEAD: usize = size_of::<libc::cmsghdr>();

/// Has the kernel tell the address that each datagram was sent to.
fn tell_destinations(socket: &Socket, v6: bool) -> io::Result<()> {
    let (level, option) = match v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
    };
    let on: libc::c_int = 1;
    // SAFETY: the value is one integer that lives here, and its length is told.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The address in a control message of the kernel's: of `in_pktinfo` (interface, local address, destination) the local
/// one, which of a broadcast is still ours; of `in6_pktinfo` its address.
fn destination(control: &[u8]) -> Option<IpAddr> {
    let number = |at: usize| {
        control.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map(libc::c_int::from_ne_bytes)
    };
    let word = size_of::<libc::size_t>();
    match (number(word)?, number(word + 4)?) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            let octets: [u8; 4] = control.get(CONTROL_HEAD + 4..CONTROL_HEAD + 8)?.try_into().ok()?;
            Some(octets.into())
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let octets: [u8; 16] = control.get(CONTROL_HEAD..CONTROL_HEAD + 16)?.try_into().ok()?;
            Some(octets.into())
        }
        _ => None,
    }
}

/// Writes the control message that makes a datagram leave from this address; its length.
fn put_source(control: &mut Control, local: IpAddr) -> usize {
    let (level, kind, length) = match local {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, 12),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20),
    };
    let word = size_of::<libc::size_t>();
    control.0 = [0; CONTROL];
    control.0[..word].copy_from_slice(&(CONTROL_HEAD + length).to_ne_bytes());
    control.0[word..word + 4].copy_from_slice(&level.to_ne_bytes());
    control.0[word + 4..word + 8].copy_from_slice(&kind.to_ne_bytes());
    // The interface stays 0: the way there decides.
    match local {
        IpAddr::V4(v4) => control.0[CONTROL_HEAD + 4..CONTROL_HEAD + 8].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => control.0[CONTROL_HEAD..CONTROL_HEAD + 16].copy_from_slice(&v6.octets()),
    }
    CONTROL_HEAD + length.next_multiple_of(word)
}

/// The address that the kernel wrote there.
fn socket_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one of these, which is smaller and no stricter aligned.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddr::from((address, u16::from_be(name.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddrV6::new(address, port, name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Writes an address as the kernel reads it; its length.
fn put_address(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    match address {
        SocketAddr::V4(address) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a storage has room for every kind of address, and their alignment.
            unsafe { (&raw mut *name).cast::<libc::sockaddr_in>().write(value) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(address) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe { (&raw mut *name).cast::<libc::sockaddr_in6>().write(value) };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

impl AsRawFd for BatchSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
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
                sent = one.send(&mut outbox, sent).expect("loopback takes it");
            }
            let mut inbox = Inbox::default();
            let mut came = Vec::new();
            while other.receive(&mut inbox).is_ok() {
                came.extend(inbox.iter().map(|(from, payload)| (from.address, payload.to_vec())));
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
            sent = one.send(&mut outbox, sent).expect("loopback takes it");
        }
        let mut inbox = Inbox::default();
        one.receive(&mut inbox).expect("they are there");
        assert_eq!(inbox.iter().map(|(_, payload)| payload[0]).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn who_waits_gets_what_comes_and_then_the_end() {
        let socket = BatchSocket::bind("127.0.0.1:0".parse().expect("an address"), false).expect("loopback");
        let there = socket.local_addr().expect("bound");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let (mut inbox, mut came) = (Inbox::default(), Vec::new());
                while socket.wait(&mut inbox).expect("it waits") {
                    came.extend(inbox.iter().map(|(_, payload)| payload.to_vec()));
                    if came.contains(&vec![9]) {
                        socket.end();
                    }
                }
                came
            });
            let mut outbox = Outbox::default();
            let other =
                BatchSocket::bind("127.0.0.1:0".parse().expect("an address"), false).expect("loopback");
            for octet in [7, 9] {
                outbox.octets.push(octet);
                outbox.seal(there);
                assert_eq!(other.send(&mut outbox, 0).expect("loopback takes it"), 1);
                outbox.clear();
            }
            assert_eq!(waiting.join().expect("no panic"), [[7], [9]]);
        });
        assert!(!socket.wait(&mut Inbox::default()).expect("it does not wait any more"));
    }

    #[test]
    fn a_socket_on_the_wildcard_answers_from_the_address_that_was_asked() {
        for (wild, asked) in [("0.0.0.0:0", "127.0.0.7"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
            let server = BatchSocket::bind(wild.parse().expect("an address"), false).expect("it binds");
            let port = server.local_addr().expect("bound").port();
            let asked: IpAddr = asked.parse().expect("an address");
            let own = if asked.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
            let client = BatchSocket::bind(own.parse().expect("an address"), false).expect("loopback");
            let mut outbox = Outbox::default();
            outbox.octets.push(1);
            outbox.seal(SocketAddr::new(asked, port));
            assert_eq!(client.send(&mut outbox, 0).expect("loopback takes it"), 1);
            let mut inbox = Inbox::default();
            server.receive(&mut inbox).expect("it is there");
            let (from, _) = inbox.iter().next().expect("one");
            assert_eq!(from.local, Some(asked));
            outbox.clear();
            outbox.octets.push(2);
            outbox.seal(from);
            assert_eq!(server.send(&mut outbox, 0).expect("loopback takes it"), 1);
            client.receive(&mut inbox).expect("it is there");
            let heard: Vec<_> = inbox.iter().map(|(from, payload)| (from.address, payload[0])).collect();
            assert_eq!(heard, [(SocketAddr::new(asked, port), 2)]);
        }
    }
}
