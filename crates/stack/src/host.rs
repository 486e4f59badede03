//! The host: interfaces, the way in, the way out, forwarding.

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use bytes::Bytes;
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};
use crate::frame::Frame;
use crate::hook::Hook;
use crate::icmp::IcmpReport;
use crate::raw::{RawError, RawId, RawPacket, RawProtocol};
use crate::route::Route;
use crate::tcp::{ConnectError, ListenError, ListenerId, TcpConfig, TcpConnectOptions, TcpError, TcpId, TcpInfo, TcpEvent};
use crate::udp::{UdpDatagram, UdpError, UdpId, UdpSend};

/// What a host is made with.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Seed of every random choice and key of this host.
    pub seed: u64,
    /// Whether packets for others are passed on (a router).
    pub forwarding: bool,
    /// Hop limit / TTL of packets that this host originates.
    pub ttl: u8,
    /// ICMP errors that may be sent per second (RFC 1812 4.3.2.8, RFC 4443 2.4(f)); burst of as many.
    pub icmp_errors_per_second: u32,
    /// Whether echo requests are answered.
    pub answers_ping: bool,
    /// Whether ICMP errors are originated at all (a router that drops silently says `false`).
    pub sends_icmp_errors: bool,
    /// TCP's settings.
    pub tcp: TcpConfig,
}

/// What the wire below an interface looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet II: neighbours are resolved by ARP and NDP.
    Ethernet,
    /// Bare IP packets, as on a TUN device: no neighbours.
    Ip,
}

/// What an interface is made with.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Name shown to people, as in `eth0`.
    pub name: String,
    /// Medium of the link.
    pub medium: Medium,
    /// Own hardware address (unused on [`Medium::Ip`]).
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu: usize,
}

/// An interface of one host; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u32);

/// A TCP/IP host.
pub struct Host { /* private */ }

impl Host {
    pub fn new(config: HostConfig) -> Host { todo!() }

    // --- configuration
    /// Also makes the IPv6 link-local address (RFC 4291 2.5.6 from the MAC) on Ethernet.
    pub fn add_interface(&mut self, config: InterfaceConfig) -> InterfaceId { todo!() }
    /// Adds the on-link route too.
    pub fn add_address(&mut self, interface: InterfaceId, address: Cidr) { todo!() }
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> bool { todo!() }
    pub fn addresses(&self) -> impl Iterator<Item = (InterfaceId, Cidr)> + '_ { core::iter::empty() }
    pub fn add_route(&mut self, route: Route) { todo!() }
    pub fn remove_route(&mut self, prefix: IpPrefix) -> bool { todo!() }
    pub fn routes(&self) -> &[Route] { todo!() }
    pub fn set_mtu(&mut self, interface: InterfaceId, mtu: usize) { todo!() }
    /// The hook sees packets as netfilter's five hooks do.
    pub fn set_hook(&mut self, hook: Box<dyn Hook>) { todo!() }
    /// RFC 6724-like choice of the source for a destination, or `None` without route.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> { todo!() }

    // --- the loop
    /// A frame that arrived on `interface`; `frame.rx_time` is its arrival.
    pub fn handle_frame(&mut self, now: Instant, interface: InterfaceId, frame: Frame) { todo!() }
    /// The next frame to put on a wire. Drain until `None`.
    pub fn poll_transmit(&mut self) -> Option<(InterfaceId, Frame)> { todo!() }
    /// When [`Host::handle_deadline`] wants to be called; [`Instant::NEVER`] for an idle host. O(1).
    pub fn next_deadline(&self) -> Instant { todo!() }
    pub fn handle_deadline(&mut self, now: Instant) { todo!() }
    /// How many wakers this host has woken so far: lets an outer loop see that some task has become ready.
    pub fn wakes(&self) -> u64 { todo!() }

    // --- TCP
    pub fn tcp_listen(&mut self, local: SocketAddr, backlog: usize) -> Result<ListenerId, ListenError> { todo!() }
    /// A finished connection from the accept queue.
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<TcpId> { todo!() }
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) { todo!() }
    /// `waker` is woken once when a connection can be accepted.
    pub fn tcp_accept_waker(&mut self, listener: ListenerId, waker: &Waker) { todo!() }
    /// `local`: address and port 0 mean "choose".
    pub fn tcp_connect(&mut self, now: Instant, local: Option<SocketAddr>, remote: SocketAddr, options: TcpConnectOptions) -> Result<TcpId, ConnectError> { todo!() }
    /// Whether the handshake is done: `None` while it lasts.
    pub fn tcp_connected(&self, id: TcpId) -> Option<Result<(), TcpError>> { todo!() }
    /// Takes as many bytes as fit in the send buffer; `Ok(0)` means full: wait with [`Host::tcp_write_waker`].
    pub fn tcp_write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, TcpError> { todo!() }
    /// `Ok(None)`: nothing there yet. `Ok(Some(0))`: the peer has closed its side.
    pub fn tcp_read(&mut self, now: Instant, id: TcpId, buffer: &mut [u8]) -> Result<Option<usize>, TcpError> { todo!() }
    /// Woken when connected, readable, closed by the peer or failed.
    pub fn tcp_read_waker(&mut self, id: TcpId, waker: &Waker) { todo!() }
    /// Woken when connected, writable or failed.
    pub fn tcp_write_waker(&mut self, id: TcpId, waker: &Waker) { todo!() }
    /// Sends FIN after what is queued; reading goes on.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) -> Result<(), TcpError> { todo!() }
    /// RST now.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) { todo!() }
    /// The application lets go: the connection closes in the background (RST if unread data remains, RFC 2525 2.17).
    pub fn tcp_release(&mut self, now: Instant, id: TcpId) { todo!() }
    pub fn tcp_set_nodelay(&mut self, now: Instant, id: TcpId, nodelay: bool) { todo!() }
    pub fn tcp_local_addr(&self, id: TcpId) -> Option<SocketAddr> { todo!() }
    pub fn tcp_remote_addr(&self, id: TcpId) -> Option<SocketAddr> { todo!() }
    pub fn tcp_info(&self, id: TcpId) -> Option<TcpInfo> { todo!() }
    /// What happened on the connection so far, bounded: the first 64 events and the last 192.
    pub fn tcp_events(&self, id: TcpId) -> Vec<TcpEvent> { todo!() }

    // --- UDP
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<UdpId, UdpError> { todo!() }
    pub fn udp_send(&mut self, now: Instant, id: UdpId, send: UdpSend<'_>) -> Result<(), UdpError> { todo!() }
    pub fn udp_receive(&mut self, id: UdpId) -> Option<UdpDatagram> { todo!() }
    /// ICMP errors about datagrams this socket sent (what Linux's `IP_RECVERR` gives), oldest first.
    pub fn udp_error(&mut self, id: UdpId) -> Option<IcmpReport> { todo!() }
    /// Woken when a datagram or an error can be taken.
    pub fn udp_waker(&mut self, id: UdpId, waker: &Waker) { todo!() }
    pub fn udp_local_addr(&self, id: UdpId) -> Option<SocketAddr> { todo!() }
    pub fn udp_close(&mut self, id: UdpId) { todo!() }

    // --- raw and ICMP
    pub fn raw_open(&mut self, protocol: RawProtocol) -> Result<RawId, RawError> { todo!() }
    /// `packet` is a whole IP packet; a zero source address, identification and checksum are filled in.
    pub fn raw_send(&mut self, now: Instant, id: RawId, packet: Bytes) -> Result<(), RawError> { todo!() }
    pub fn raw_receive(&mut self, id: RawId) -> Option<RawPacket> { todo!() }
    pub fn raw_waker(&mut self, id: RawId, waker: &Waker) { todo!() }
    pub fn raw_close(&mut self, id: RawId) { todo!() }
}
