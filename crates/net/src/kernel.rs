//! The host network: the kernel's sockets and the real clock.

pub mod icmp;
pub mod packet;
pub mod tcp;
pub mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The resolvers of resolv.conf.
pub(crate) fn resolvers() -> Vec<SocketAddr> {
    thru_os::resolv::nameservers()
}

/// The kernel's choice of source address: connecting a UDP socket sends nothing.
pub(crate) fn source_for(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if destination.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((destination, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
