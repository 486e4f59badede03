//! Datagram sockets with what plain ones keep back: TTL and ECN of what arrives, and the ICMP errors that our own
//! datagrams caused (`IP_RECVERR`, ip(7)). Non-blocking: wait for readiness, then call.

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A UDP or ICMP socket. IPv6 sockets carry IPv6 only.
#[derive(Debug)]
pub struct DatagramSocket {
    socket: Socket,
    v6: bool,
}

/// Wishes for one datagram.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendWishes {
    /// TTL or hop limit; `None`: the usual one.
    pub ttl: Option<u8>,
    /// The two ECN bits.
    pub ecn: u8,
}

/// One datagram received.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it.
    pub from: SocketAddr,
    /// Its payload.
    pub payload: Vec<u8>,
    /// TTL or hop limit on arrival.
    pub ttl: Option<u8>,
    /// The two ECN bits on arrival.
    pub ecn: u8,
}

/// An error about a datagram of ours.
#[derive(Clone, Debug)]
pub struct ErrorMessage {
    /// Who sent the ICMP message; `None` if the error arose on this machine.
    pub from: Option<IpAddr>,
    /// ICMP type, of the version of the address family.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// Additional value: the MTU of a "too big".
    pub info: u32,
    /// Where the datagram had been sent.
    pub destination: SocketAddr,
    /// The datagram's payload, as far as it was quoted.
    pub payload: Vec<u8>,
}

impl DatagramSocket {
    /// A UDP socket bound to `local`.
    pub fn udp(local: SocketAddr) -> io::Result<DatagramSocket> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        let socket = DatagramSocket { socket, v6: local.is_ipv6() };
        socket.prepare()?;
        if socket.v6 {
            socket.socket.set_only_v6(true)?;
        }
        socket.socket.bind(&local.into())?;
        Ok(socket)
    }

    /// An unprivileged ICMP socket (icmp(7)): sends echo requests under an identifier that the kernel chooses.
    pub fn icmp(v6: bool) -> io::Result<DatagramSocket> {
        DatagramSocket::icmp_of(v6, Type::DGRAM)
    }

    /// A raw ICMP socket (raw(7)): sees all ICMP; needs `CAP_NET_RAW`.
    pub fn raw_icmp(v6: bool) -> io::Result<DatagramSocket> {
        DatagramSocket::icmp_of(v6, Type::RAW)
    }

    fn icmp_of(v6: bool, kind: Type) -> io::Result<DatagramSocket> {
        let (domain, protocol) =
            if v6 { (Domain::IPV6, Protocol::ICMPV6) } else { (Domain::IPV4, Protocol::ICMPV4) };
        let socket = DatagramSocket { socket: Socket::new(domain, kind.nonblocking(), Some(protocol))?, v6 };
        socket.prepare()?;
        Ok(socket)
    }

    fn prepare(&self) -> io::Result<()> {
        let on: libc::c_int = 1;
        if self.v6 {
            for option in [libc::IPV6_RECVERR, libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVTCLASS] {
                self.set(libc::IPPROTO_IPV6, option, on)?;
            }
        } else {
            for option in [libc::IP_RECVERR, libc::IP_RECVTTL, libc::IP_RECVTOS] {
                self.set(libc::IPPROTO_IP, option, on)?;
            }
        }
        Ok(())
    }

    fn set(&self, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the pointer and length describe `value`, which the kernel only reads.
        let result =
            unsafe { libc::setsockopt(self.as_raw_fd(), level, option, (&raw const value).cast(), length) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Never fragment what is sent, not even here (`true`), or as usual.
    pub fn set_dont_fragment(&self, dont_fragment: bool) -> io::Result<()> {
        if self.v6 {
            let value = if dont_fragment { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_WANT };
            self.set(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)
        } else {
            let value = if dont_fragment { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_WANT };
            self.set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)
        }
    }

    /// The address bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
    }

    /// Sends one datagram. An ICMP error that came in meanwhile does not count as a failure to send this one.
    pub fn send(&self, payload: &[u8], to: SocketAddr, wishes: SendWishes) -> io::Result<()> {
        let (level, ttl_option, tos_option) = if self.v6 {
            (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, libc::IPV6_TCLASS)
        } else {
            (libc::IPPROTO_IP, libc::IP_TTL, libc::IP_TOS)
        };
        // -1 is the kernel's word for "the usual one".
        self.set(level, ttl_option, wishes.ttl.map_or(-1, libc::c_int::from))?;
        self.set(level, tos_option, libc::c_int::from(wishes.ecn & 3))?;
        let address = SockAddr::from(to);
        match self.socket.send_to(payload, &address) {
            Err(error) if is_earlier_error(&error) => self.socket.send_to(payload, &address).map(drop),
            result => result.map(drop),
        }
    }

    /// The next datagram; `WouldBlock` if there is none.
    pub fn receive(&self) -> io::Result<Message> {
        let mut buffers = Buffers::new();
        let length = loop {
            match buffers.receive(self.as_raw_fd(), 0) {
                Err(error) if is_earlier_error(&error) => {}
                other => break other?,
            }
        };
        let from = buffers.sender().ok_or_else(|| io::Error::other("a datagram without a sender"))?;
        let (mut ttl, mut ecn) = (None, 0);
        buffers.each_control(|level, kind, data| match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                ttl = data.first().copied()
            }
            (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                ecn = data.first().map_or(0, |tos| tos & 3);
            }
            _ => {}
        });
        Ok(Message { from, payload: buffers.payload(length), ttl, ecn })
    }

    /// The next ICMP error; `WouldBlock` if there is none.
    pub fn receive_error(&self) -> io::Result<ErrorMessage> {
        receive_error(self.as_raw_fd())
    }
}

/// The next ICMP error of a socket that asked for them; `WouldBlock` if there is none.
pub(crate) fn receive_error(fd: RawFd) -> io::Result<ErrorMessage> {
    let mut buffers = Buffers::new();
    let length = buffers.receive(fd, libc::MSG_ERRQUEUE)?;
    let destination = buffers.sender().ok_or_else(|| io::Error::other("an error without a destination"))?;
    let mut found = None;
    buffers.each_control(|level, kind, data| {
        let wanted = [(libc::IPPROTO_IP, libc::IP_RECVERR), (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)];
        if wanted.contains(&(level, kind)) {
            found = extended_error(data);
        }
    });
    let (from, icmp_type, icmp_code, info) =
        found.ok_or_else(|| io::Error::other("an error without its cause"))?;
    Ok(ErrorMessage { from, icmp_type, icmp_code, info, destination, payload: buffers.payload(length) })
}

/// Gives a socket to tokio's I/O driver: readable, writable, or with an error that waits. Needs a tokio runtime with
/// I/O.
pub fn register(socket: DatagramSocket) -> io::Result<AsyncFd<DatagramSocket>> {
    let interest = Interest::READABLE | Interest::WRITABLE | Interest::ERROR;
    // SAFETY: the socket owns its file descriptor, returns always the same one, and closes it only when dropped.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    registered.map_err(io::Error::from)
}

impl AsRawFd for DatagramSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// With `IP_RECVERR` an earlier datagram's error also fails the next call, once. These are the errors that the
/// kernel makes of ICMP messages.
fn is_earlier_error(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::ENOPROTOOPT
                | libc::EMSGSIZE
                | libc::EOPNOTSUPP
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EACCES
                | libc::EPROTO
                | libc::ECONNRESET
        )
    )
}

/// `sock_extended_err` and the offender's address behind it: offender, type, code, info.
fn extended_error(data: &[u8]) -> Option<(Option<IpAddr>, u8, u8, u32)> {
    /// Offsets in `struct sock_extended_err`: errno(4) origin(1) type(1) code(1) pad(1) info(4) data(4).
    const SIZE: usize = 16;
    let origin = *data.get(4)?;
    let (icmp_type, icmp_code) = (*data.get(5)?, *data.get(6)?);
    let info = u32::from_ne_bytes(data.get(8..12)?.try_into().ok()?);
    let by_icmp = origin == libc::SO_EE_ORIGIN_ICMP || origin == libc::SO_EE_ORIGIN_ICMP6;
    let offender = by_icmp.then(|| sockaddr(data.get(SIZE..)?)).flatten().map(|address| address.ip());
    Some((offender, icmp_type, icmp_code, info))
}

/// Reads a C socket address by hand: the bytes need not be aligned.
fn sockaddr(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match libc::c_int::from(family) {
        libc::AF_INET => {
            let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(octets), port).into())
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes.get(24..28)?.try_into().ok()?);
            Some(SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, scope).into())
        }
        _ => None,
    }
}

/// What `recvmsg` fills.
struct Buffers {
    payload: Vec<u8>,
    /// Words, so that control messages are aligned.
    control: [u64; 64],
    control_length: usize,
    sender: MaybeUninit<libc::sockaddr_storage>,
    sender_length: usize,
}

impl Buffers {
    fn new() -> Buffers {
        Buffers {
            payload: vec![0; 65_536],
            control: [0; 64],
            control_length: 0,
            sender: MaybeUninit::zeroed(),
            sender_length: 0,
        }
    }

    fn receive(&mut self, fd: RawFd, flags: libc::c_int) -> io::Result<usize> {
        let mut vector =
            libc::iovec { iov_base: self.payload.as_mut_ptr().cast(), iov_len: self.payload.len() };
        // SAFETY: all-zero is a valid `msghdr` (null pointers, zero lengths).
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_name = self.sender.as_mut_ptr().cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&self.control);
        // SAFETY: every pointer in `header` points into `self` or `vector`, with its true length.
        let result = unsafe { libc::recvmsg(fd, &raw mut header, flags | libc::MSG_DONTWAIT) };
        let length = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        self.control_length = header.msg_controllen.min(size_of_val(&self.control));
        self.sender_length = (header.msg_namelen as usize).min(size_of::<libc::sockaddr_storage>());
        Ok(length)
    }

    fn payload(&mut self, length: usize) -> Vec<u8> {
        let mut payload = std::mem::take(&mut self.payload);
        payload.truncate(length);
        payload
    }

    fn sender(&self) -> Option<SocketAddr> {
        // SAFETY: the storage was zeroed, so all its bytes are initialised; the length is bounded by its size.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.sender.as_ptr().cast::<u8>(), self.sender_length) };
        sockaddr(bytes)
    }

    /// Walks the control messages by hand: `cmsg_len`, level, type, data, padded to words.
    fn each_control(&self, mut each: impl FnMut(libc::c_int, libc::c_int, &[u8])) {
        const HEADER: usize = size_of::<libc::cmsghdr>();
        let bytes: Vec<u8> =
            self.control.iter().flat_map(|word| word.to_ne_bytes()).take(self.control_length).collect();
        let mut rest = bytes.as_slice();
        while rest.len() >= HEADER {
            let word =
                |at: usize| libc::c_int::from_ne_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            let mut length = [0; size_of::<usize>()];
            length.copy_from_slice(&rest[..size_of::<usize>()]);
            let length = usize::from_ne_bytes(length);
            if length < HEADER || length > rest.len() {
                return;
            }
            each(word(size_of::<usize>()), word(size_of::<usize>() + 4), &rest[HEADER..length]);
            rest = &rest[length.next_multiple_of(size_of::<usize>()).min(rest.len())..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> DatagramSocket {
        DatagramSocket::udp(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn ttl_and_ecn_of_a_datagram_arrive_with_it() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (one, other) = (bound(address), bound(address));
            let wishes = SendWishes { ttl: Some(7), ecn: 2 };
            one.send(b"hello", other.local_addr().unwrap(), wishes).unwrap();
            let message = other.receive().unwrap();
            assert_eq!((message.payload.as_slice(), message.ttl, message.ecn), (&b"hello"[..], Some(7), 2));
            assert_eq!(message.from, one.local_addr().unwrap());
        }
    }

    #[test]
    fn a_closed_port_answers_through_the_error_queue() {
        for (address, icmp_type, icmp_code) in [("127.0.0.1:0", 3, 3), ("[::1]:0", 1, 4)] {
            let socket = bound(address);
            let closed = bound(address).local_addr().unwrap();
            socket.send(b"anyone?", closed, SendWishes::default()).unwrap();
            // On loopback the answer is there before the call returns.
            let error = socket.receive_error().unwrap();
            assert_eq!((error.icmp_type, error.icmp_code), (icmp_type, icmp_code));
            assert_eq!((error.from, error.destination), (Some(closed.ip()), closed));
            assert_eq!(error.payload, b"anyone?");
            assert_eq!(socket.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
