//! What applications call. TCP's calls are handed on; datagrams are made here.

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;

use bytes::{Bytes, BytesMut};
use thru_wire::Instant;
use thru_wire::checksum::PseudoHeader;
use thru_wire::ipv4::Protocol;

use super::Host;
use super::egress::NoRoute;
use super::tables::NextHop;
use crate::header::{Header, Origin, Upper, base_len, protocol, set_ipv4_checksum};
use crate::icmp::IcmpReport;
use crate::icmp::send::icmp_checksum;
use crate::packet::Packet;
use crate::raw::{RawError, RawId, RawPacket, RawProtocol};
use crate::tcp::{
    ConnectError, ListenError, ListenerId, OptionError, Path, SocketOptions, TcpConnectOptions, TcpError,
    TcpEvent, TcpId, TcpInfo, TcpSample, TcpStats, Write,
};
use crate::udp::{UdpDatagram, UdpError, UdpId, UdpSend};

/// TCP.
impl Host {
    /// Listens at `local`; port 0 means "choose".
    pub fn tcp_listen(&mut self, local: SocketAddr, backlog: usize) -> Result<ListenerId, ListenError> {
        self.tcp.listen(&self.tables, local, backlog)
    }

    /// Where a listener listens.
    pub fn tcp_listener_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.tcp.listener_addr(listener)
    }

    /// A finished connection from the accept queue.
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        self.tcp.accept(listener)
    }

    /// Ends a listener, its half-open connections and those nobody accepted.
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) {
        self.begin(now);
        self.tcp.close_listener(now, listener);
        self.finish(now);
    }

    /// `waker` is woken once when a connection can be accepted.
    pub fn tcp_accept_waker(&mut self, listener: ListenerId, waker: &Waker) {
        self.tcp.accept_waker(listener, waker);
    }

    /// Starts a connection. `local`: address and port 0 mean "choose".
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpConnectOptions,
    ) -> Result<TcpId, ConnectError> {
        self.begin(now);
        let result = self.tcp.connect(now, &self.tables, local, remote, options);
        self.finish(now);
        result
    }

    /// Starts a connection whose first bytes are known; with Fast Open (RFC 7413) they may leave with the SYN. How
    /// many bytes were taken.
    pub fn tcp_connect_with_data(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpConnectOptions,
        data: &[u8],
    ) -> Result<(TcpId, usize), ConnectError> {
        self.begin(now);
        let result = self.tcp.connect_with_data(now, &self.tables, local, remote, options, data);
        self.finish(now);
        result
    }

    /// A new key for Fast Open cookies; those under the key in use so far are still taken (RFC 7413 5.1).
    pub fn tcp_rotate_fast_open_key(&mut self, key: [u8; 16]) {
        self.tcp.rotate_fast_open_key(key);
    }

    /// Forgets what is known of servers that open fast: cookies, refusals, losses, a black hole.
    pub fn tcp_forget_fast_open(&mut self) {
        self.tcp.forget_fast_open();
    }

    /// Whether the handshake is done: `None` while it lasts.
    pub fn tcp_connected(&self, id: TcpId) -> Option<Result<(), TcpError>> {
        self.tcp.connected(id)
    }

    /// Takes as many bytes as fit in the send buffer; `Ok(0)` means full: wait with [`Host::tcp_write_waker`].
    pub fn tcp_write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, TcpError> {
        self.begin(now);
        let result = self.tcp.write(now, id, data);
        self.finish(now);
        result
    }

    /// See [`Tcp::write_with`](crate::tcp::Tcp::write_with).
    pub fn tcp_write_with(
        &mut self,
        now: Instant,
        id: TcpId,
        data: &[u8],
        write: Write,
    ) -> Result<usize, TcpError> {
        self.begin(now);
        let result = self.tcp.write_with(now, id, data, write);
        self.finish(now);
        result
    }

    /// `Ok(None)`: nothing there yet. `Ok(Some(0))`: the peer has closed its side.
    pub fn tcp_read(
        &mut self,
        now: Instant,
        id: TcpId,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, TcpError> {
        self.begin(now);
        let result = self.tcp.read(now, id, buffer);
        self.finish(now);
        result
    }

    /// Woken when connected, readable, closed by the peer or failed.
    pub fn tcp_read_waker(&mut self, id: TcpId, waker: &Waker) {
        self.tcp.read_waker(id, waker);
    }

    /// Woken when connected, writable or failed.
    pub fn tcp_write_waker(&mut self, id: TcpId, waker: &Waker) {
        self.tcp.write_waker(id, waker);
    }

    /// Sends FIN after what is queued; reading goes on.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) -> Result<(), TcpError> {
        self.begin(now);
        let result = self.tcp.shutdown(now, id);
        self.finish(now);
        result
    }

    /// RST now.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) {
        self.begin(now);
        self.tcp.abort(now, id);
        self.finish(now);
    }

    /// The application lets go: the connection closes in the background (RST if unread data remains, RFC 2525 2.17).
    pub fn tcp_release(&mut self, now: Instant, id: TcpId) {
        self.begin(now);
        self.tcp.release(now, id);
        self.finish(now);
    }

    /// Like [`Host::tcp_listen`], with options for the listener and the connections that it will give.
    pub fn tcp_listen_with(
        &mut self,
        local: SocketAddr,
        backlog: usize,
        options: SocketOptions,
    ) -> Result<ListenerId, ListenError> {
        self.tcp.listen_with(&self.tables, local, backlog, options)
    }

    /// What a socket that nobody told otherwise begins with.
    pub fn tcp_default_options(&self) -> SocketOptions {
        self.tcp.default_options()
    }

    /// The options of a connection, until it is released.
    pub fn tcp_options(&self, id: TcpId) -> Option<&SocketOptions> {
        self.tcp.options(id)
    }

    /// Changes the options of a connection; what follows from a change happens at once.
    pub fn tcp_set_options(
        &mut self,
        now: Instant,
        id: TcpId,
        options: &SocketOptions,
    ) -> Result<(), OptionError> {
        self.begin(now);
        let result = self.tcp.set_options(now, id, options);
        self.finish(now);
        result
    }

    /// The options of a listener.
    pub fn tcp_listener_options(&self, id: ListenerId) -> Option<&SocketOptions> {
        self.tcp.listener_options(id)
    }

    /// Changes the options of a listener and of the connections that it will give.
    pub fn tcp_set_listener_options(
        &mut self,
        id: ListenerId,
        options: &SocketOptions,
    ) -> Result<(), OptionError> {
        self.tcp.set_listener_options(id, options)
    }

    /// `TCP_QUICKACK`: acknowledge at once for a while, or delay; the connection goes on adapting from there.
    pub fn tcp_set_quick_ack(&mut self, now: Instant, id: TcpId, quick: bool) -> Result<(), OptionError> {
        self.begin(now);
        let result = self.tcp.set_quick_ack(now, id, quick);
        self.finish(now);
        result
    }

    /// Whether a connection acknowledges at once now.
    pub fn tcp_quick_ack(&self, id: TcpId) -> Option<bool> {
        self.tcp.quick_ack(id)
    }

    /// `SO_ERROR`: what ended the connection, once.
    pub fn tcp_take_error(&mut self, id: TcpId) -> Option<TcpError> {
        self.tcp.take_error(id)
    }

    /// What the buffers of a connection hold at most now, in bytes: to send, to receive.
    pub fn tcp_buffers(&self, id: TcpId) -> Option<(usize, usize)> {
        self.tcp.buffers(id)
    }

    /// Whether all that was written to a connection, and its FIN, is acknowledged.
    pub fn tcp_drained(&self, id: TcpId) -> bool {
        self.tcp.drained(id)
    }

    /// Bytes that the buffers of all connections hold, and whether that is more than the pressure mark.
    pub fn tcp_memory(&self) -> (usize, bool) {
        self.tcp.memory()
    }

    /// What TCP has counted so far.
    pub fn tcp_stats(&self) -> &TcpStats {
        self.tcp.stats()
    }

    /// Switches Nagle's algorithm off or on.
    pub fn tcp_set_nodelay(&mut self, now: Instant, id: TcpId, nodelay: bool) {
        self.begin(now);
        self.tcp.set_nodelay(now, id, nodelay);
        self.finish(now);
    }

    /// Our end of a connection.
    pub fn tcp_local_addr(&self, id: TcpId) -> Option<SocketAddr> {
        self.tcp.local_addr(id)
    }

    /// The peer's end of a connection.
    pub fn tcp_remote_addr(&self, id: TcpId) -> Option<SocketAddr> {
        self.tcp.remote_addr(id)
    }

    /// The state and the counters of a connection.
    pub fn tcp_info(&self, id: TcpId) -> Option<TcpInfo> {
        self.tcp.info(id)
    }

    /// How many half-open objects, connections (with those only the application still knows) and TIME-WAIT objects
    /// there are.
    pub fn tcp_population(&self) -> (usize, usize, usize) {
        self.tcp.population()
    }

    /// What happened on the connection so far, bounded: the first 64 events and the last 192.
    pub fn tcp_events(&self, id: TcpId) -> Vec<TcpEvent> {
        self.tcp.events(id)
    }

    /// How the sender's figures went, for plots: at most 256 points.
    pub fn tcp_history(&self, id: TcpId) -> Vec<TcpSample> {
        self.tcp.history(id)
    }
}

/// UDP.
impl Host {
    /// Opens a socket at `local`; port 0 means "choose". `[::]` takes IPv4 too where no IPv4 socket has the port.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<UdpId, UdpError> {
        if !local.ip().is_unspecified() && !self.tables.is_local(local.ip()) {
            return Err(UdpError::AddressNotAvailable);
        }
        self.udp.bind(local)
    }

    /// Sends one datagram. ICMP errors about it arrive at [`Host::udp_error`].
    pub fn udp_send(&mut self, now: Instant, id: UdpId, send: UdpSend<'_>) -> Result<(), UdpError> {
        self.begin(now);
        let result = self.udp_send_now(now, id, &send);
        self.finish(now);
        result
    }

    /// The oldest datagram that waits.
    pub fn udp_receive(&mut self, id: UdpId) -> Option<UdpDatagram> {
        self.udp.receive(id)
    }

    /// ICMP errors about datagrams this socket sent (what Linux's `IP_RECVERR` gives), oldest first.
    pub fn udp_error(&mut self, id: UdpId) -> Option<IcmpReport> {
        self.udp.take_error(id)
    }

    /// Woken when a datagram or an error can be taken.
    pub fn udp_waker(&mut self, id: UdpId, waker: &Waker) {
        self.udp.add_waker(id, waker);
    }

    /// Address and port of a socket.
    pub fn udp_local_addr(&self, id: UdpId) -> Option<SocketAddr> {
        self.udp.local(id)
    }

    /// Closes a socket and discards what waits there.
    pub fn udp_close(&mut self, id: UdpId) {
        self.udp.close(id);
    }

    fn udp_send_now(&mut self, now: Instant, id: UdpId, send: &UdpSend<'_>) -> Result<(), UdpError> {
        let local = self.udp.local(id).ok_or(UdpError::Closed)?;
        // An IPv4-mapped address is a spelling of applications; it never goes onto a wire (RFC 4038 4.2).
        let destination = send.to.ip().to_canonical();
        let bound = (!local.ip().is_unspecified()).then_some(local.ip());
        let path = self.check_path(destination)?;
        let source = match send.from.or(bound) {
            Some(source) if self.tables.is_local(source) => source,
            Some(_) => return Err(UdpError::AddressNotAvailable),
            None => self.tables.source_for(destination).ok_or(UdpError::NoRoute)?,
        };
        let len = 8 + send.payload.len();
        let fits = base_len(destination) + len <= path.mtu;
        if send.dont_fragment && !fits {
            return Err(UdpError::TooBig { mtu: path.mtu });
        }
        let ports = [local.port().to_be_bytes(), send.to.port().to_be_bytes()].concat();
        let origin = Origin {
            ttl: send.ttl.unwrap_or(self.config.ttl),
            class: send.ecn & 3,
            dont_fragment: send.dont_fragment,
            ..self.numbers(source, destination, protocol::UDP, &ports)
        };
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(UdpError::AddressNotAvailable);
        }
        let too_big = UdpError::TooBig { mtu: 65_535 };
        let udp_len = u16::try_from(len).map_err(|_| too_big)?;
        let mut packet = origin.packet(len).ok_or(too_big)?;
        packet.extend(&ports);
        packet.extend(&udp_len.to_be_bytes());
        packet.extend(&[0, 0]);
        packet.extend(send.payload);
        let at = base_len(source);
        let mut sum = PseudoHeader::new(source, destination, Protocol(protocol::UDP)).sum(len);
        sum.add_bytes(&packet.bytes()[at..]);
        // RFC 768: zero means "no checksum", so a sum of zero is sent as its other form.
        let sum = if sum.checksum() == 0 { 0xffff } else { sum.checksum() };
        packet.bytes_mut()[at + 6..at + 8].copy_from_slice(&sum.to_be_bytes());
        Ok(self.send(now, packet)?)
    }
}

/// Raw and ICMP.
impl Host {
    /// Opens a socket that receives copies of what `protocol` describes.
    pub fn raw_open(&mut self, protocol: RawProtocol) -> Result<RawId, RawError> {
        Ok(self.raw.open(protocol))
    }

    /// `packet` is a whole IP packet; its length fields, a zero source address, identification and checksum are
    /// filled in, and so is a zero checksum of ICMP, TCP or UDP. It is fragmented if it has to be and its Don't
    /// Fragment bit allows; IPv6 packets, which have no such bit, always may be.
    ///
    /// On a socket of [`RawProtocol::Link`] it is a whole frame, and leaves by that interface as it is.
    pub fn raw_send(&mut self, now: Instant, id: RawId, packet: Bytes) -> Result<(), RawError> {
        self.begin(now);
        let result = self.raw_send_now(now, id, packet);
        self.finish(now);
        result
    }

    /// Sends an IP packet to the destination that its header names, every byte as it is, wrong ones too; it is never
    /// fragmented. The next hop is resolved as for any other packet. A destination of our own is refused: what is wrong
    /// may not come back to us unchecked.
    pub fn raw_send_as_is(&mut self, now: Instant, packet: Bytes) -> Result<(), RawError> {
        self.begin(now);
        let result = self.raw_send_as_is_now(now, packet);
        self.finish(now);
        result
    }

    fn raw_send_as_is_now(&mut self, now: Instant, packet: Bytes) -> Result<(), RawError> {
        let destination = match packet.first().map(|first| first >> 4) {
            Some(4) => {
                packet.get(16..20).and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(IpAddr::from)
            }
            Some(6) => {
                packet.get(24..40).and_then(|octets| <[u8; 16]>::try_from(octets).ok()).map(IpAddr::from)
            }
            _ => None,
        };
        match self.tables.next_hop(destination.ok_or(RawError::Malformed)?) {
            NextHop::Neighbor(out, next_hop) => {
                self.put_on_link(now, out, next_hop, Packet::from_buffer(BytesMut::from(packet), 0));
                Ok(())
            }
            NextHop::Local | NextHop::Refused(_) | NextHop::None => Err(RawError::NoRoute),
        }
    }

    /// The oldest packet that waits.
    pub fn raw_receive(&mut self, id: RawId) -> Option<RawPacket> {
        self.raw.receive(id)
    }

    /// Woken when a packet can be taken.
    pub fn raw_waker(&mut self, id: RawId, waker: &Waker) {
        self.raw.add_waker(id, waker);
    }

    /// Closes a socket and discards what waits there.
    pub fn raw_close(&mut self, id: RawId) {
        self.raw.close(id);
    }

    fn raw_send_now(&mut self, now: Instant, id: RawId, packet: Bytes) -> Result<(), RawError> {
        let wants_v6 = match self.raw.protocol(id).ok_or(RawError::Closed)? {
            RawProtocol::Ipv4(_) | RawProtocol::PingV4(_) => false,
            RawProtocol::Ipv6(_) | RawProtocol::PingV6(_) => true,
            RawProtocol::Link(out) => {
                self.transmit(now, out, packet);
                return Ok(());
            }
        };
        let mut packet = Packet::from_buffer(BytesMut::from(packet), 0);
        let total_len = packet.len();
        if total_len < if wants_v6 { 40 } else { 20 } || total_len > 65_535 {
            return Err(RawError::Malformed);
        }
        set_length(packet.bytes_mut(), wants_v6, total_len as u16);
        let header = Header::parse_quoted(packet.bytes()).ok_or(RawError::Malformed)?;
        if header.src.is_ipv6() != wants_v6 {
            return Err(RawError::Malformed);
        }
        let path = self.check_path(header.dst)?;
        if !wants_v6 && header.dont_fragment && total_len > path.mtu {
            return Err(RawError::TooBig { mtu: path.mtu });
        }
        let source = if header.src.is_unspecified() {
            self.tables.source_for(header.dst).ok_or(RawError::NoRoute)?
        } else {
            header.src
        };
        self.complete(&mut packet, &header, source);
        Ok(self.send(now, packet)?)
    }

    /// Fills in what the sender left zero.
    fn complete(&mut self, packet: &mut Packet, header: &Header, source: IpAddr) {
        let upper = match header.upper(packet.bytes()) {
            Upper::Protocol { protocol, at, .. } if !header.is_v4_fragment() => Some((protocol, at)),
            _ => None,
        };
        let id = self.identification.next(source, header.dst, header.protocol) as u16;
        let bytes = packet.bytes_mut();
        match source {
            IpAddr::V4(source) => {
                bytes[12..16].copy_from_slice(&source.octets());
                if header.id == 0 {
                    bytes[4..6].copy_from_slice(&id.to_be_bytes());
                }
                set_ipv4_checksum(&mut bytes[..header.len]);
            }
            IpAddr::V6(source) => bytes[8..24].copy_from_slice(&source.octets()),
        }
        if let Some((protocol, at)) = upper {
            fill_zero_checksum(protocol, source, header.dst, &mut bytes[at..]);
        }
    }
}

fn set_length(bytes: &mut [u8], v6: bool, total_len: u16) {
    if v6 {
        bytes[4..6].copy_from_slice(&(total_len - 40).to_be_bytes());
    } else {
        bytes[2..4].copy_from_slice(&total_len.to_be_bytes());
    }
}

/// Computes the checksum of an upper-layer packet if it is zero.
fn fill_zero_checksum(protocol: u8, src: IpAddr, dst: IpAddr, message: &mut [u8]) {
    let at = match protocol {
        protocol::ICMPV4 | protocol::ICMPV6 => 2,
        protocol::UDP => 6,
        protocol::TCP => 16,
        _ => return,
    };
    if message.get(at..at + 2) != Some(&[0, 0]) {
        return;
    }
    let sum = match protocol {
        protocol::ICMPV4 | protocol::ICMPV6 => icmp_checksum(src, dst, message),
        _ => {
            let mut sum = PseudoHeader::new(src, dst, Protocol(protocol)).sum(message.len());
            sum.add_bytes(message);
            sum.checksum()
        }
    };
    let sum = if protocol == protocol::UDP && sum == 0 { 0xffff } else { sum };
    message[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

impl From<NoRoute> for UdpError {
    fn from(_: NoRoute) -> UdpError {
        UdpError::NoRoute
    }
}

impl From<NoRoute> for RawError {
    fn from(_: NoRoute) -> RawError {
        RawError::NoRoute
    }
}
