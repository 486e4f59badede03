//! Whole IP packets past the kernel's own protocols (raw(7), packet(7)): sent with headers of our making, and seen as
//! they arrive. Both need `CAP_NET_RAW`. Non-blocking: wait for readiness, then call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use bytes::Bytes;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thru_wire::Instant;

use crate::clock;
use crate::device::check;

/// Sends whole IP packets of both versions.
///
/// The kernel fills in IPv4's total length and header checksum whatever they are (raw(7)), and a source address or an
/// identification that is zero.
#[derive(Debug)]
pub struct RawSender {
    v4: Socket,
    /// `None` on a machine without IPv6.
    v6: Option<Socket>,
}

impl RawSender {
    /// Fails with `PermissionDenied` without `CAP_NET_RAW`.
    pub fn new() -> io::Result<RawSender> {
        let raw = Some(Protocol::from(libc::IPPROTO_RAW));
        let v4 = Socket::new(Domain::IPV4, Type::RAW.nonblocking(), raw)?;
        v4.set_broadcast(true)?;
        let v6 = Socket::new(Domain::IPV6, Type::RAW.nonblocking(), raw).ok();
        Ok(RawSender { v4, v6 })
    }

    /// Sends a packet to the destination in its header.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidInput, "not an IP packet");
        let destination = destination(packet).ok_or_else(malformed)?;
        let socket = match destination {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => self.v6.as_ref().ok_or(io::ErrorKind::Unsupported)?,
        };
        socket.send_to(packet, &SockAddr::from(SocketAddr::new(destination, 0))).map(drop)
    }
}

fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(16..20)?).ok()?).into()),
        6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(24..40)?).ok()?).into()),
        _ => None,
    }
}

/// Sees every packet that arrives on any interface of this network namespace, beside whoever it is for.
#[derive(Debug)]
pub struct Sniffer {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A packet as it arrived, from its network header on.
#[derive(Clone, Debug)]
pub struct Sniffed {
    /// Its Ethernet type.
    pub ethertype: u16,
    /// From the IP (or ARP) header on.
    pub bytes: Bytes,
    /// When it arrived, by the kernel's time stamp.
    pub at: Instant,
}

const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const PACKET_OUTGOING: u8 = 4;
/// Room for a burst of answers.
const RECEIVE_BUFFER: libc::c_int = 4 << 20;

impl Sniffer {
    /// Fails with `PermissionDenied` without `CAP_NET_RAW`.
    pub fn new() -> io::Result<Sniffer> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let all = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointers; the descriptor is ours from here on.
        let socket = unsafe {
            OwnedFd::from_raw_fd(check(libc::socket(libc::AF_PACKET, kind, libc::c_int::from(all)))?)
        };
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        // Older kernels show what leaves too: it is sorted out below.
        let _ = set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
        let _ = set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER);
        Ok(Sniffer { socket, buffer: vec![0; 65_536 + 64] })
    }

    /// The next packet; `WouldBlock` if there is none.
    pub fn receive(&mut self) -> io::Result<Sniffed> {
        loop {
            // SAFETY: all-zero is a valid value of both: null pointers and zero lengths, and a zeroed address.
            let (mut header, mut address) =
                unsafe { (std::mem::zeroed::<libc::msghdr>(), std::mem::zeroed::<libc::sockaddr_ll>()) };
            let mut control = [0_u64; 16];
            let mut vector =
                libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
            header.msg_name = (&raw mut address).cast();
            header.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = size_of_val(&control);
            // SAFETY: every pointer in `header` points to something that lives on, with its true length.
            let result =
                unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
            let length = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
            if address.sll_pkttype == PACKET_OUTGOING {
                continue;
            }
            let bytes = Bytes::copy_from_slice(&self.buffer[..length.min(self.buffer.len())]);
            let at = time_stamp(&control, header.msg_controllen).unwrap_or_else(clock::now);
            return Ok(Sniffed { ethertype: u16::from_be(address.sll_protocol), bytes, at });
        }
    }
}

impl AsRawFd for Sniffer {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The kernel's time stamp (of its real clock) by our clock.
fn time_stamp(control: &[u64; 16], length: usize) -> Option<Instant> {
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect();
    let int = |at: usize| Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    // The only control message asked for: its header, then seconds and nanoseconds.
    if (int(8)?, int(12)?) != (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) {
        return None;
    }
    let stamped = long(16)?.checked_mul(1_000_000_000)?.checked_add(long(24)?)?;
    let ago = (clock::unix_time().as_nanos() as i64).checked_sub(stamped)?.max(0);
    Some(Instant::from_nanos(clock::now().nanos().saturating_sub(ago as u64)))
}

fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointer and length describe `value`, which the kernel only reads.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) })
        .map(drop)
}
