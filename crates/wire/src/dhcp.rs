//! DHCP for IPv4 (RFC 2131), as it stands in the payload of a UDP datagram between ports 67 and 68.
//!
//! - [`Dhcp`]: a message as a value: who talks to whom about which address.
//! - [`DhcpOptions`]: the options (RFC 2132) that a client acts upon or sends.
//! - [`in_frame`]: the message in a frame.
//! - [`DhcpView`]: looks at bytes; goes through every option, also those in the overloaded fields.

use core::net::Ipv4Addr;

use bytes::BufMut;

use crate::address::MacAddr;
use crate::error::{Layer, ParseError, fixed_header, ipv4_at, u16_at, u32_at};
use crate::ethernet::EthernetView;
use crate::ipv4::Protocol;
use crate::packet::Transport;
use crate::udp::UdpView;

mod option;

pub use option::{DhcpOptionIter, DhcpOptions, code};

/// The port on which servers and relay agents listen.
pub const SERVER_PORT: u16 = 67;
/// The port on which clients listen.
pub const CLIENT_PORT: u16 = 68;

/// Bytes in front of the options, with the cookie.
const OPTIONS_AT: usize = 240;
/// RFC 1497: options follow.
const COOKIE: u32 = 0x6382_5363;
/// BOOTP's size (RFC 951); relay agents and servers exist that discard what is shorter.
const LEAST: usize = 300;

/// Looks at the bytes of a DHCP message.
#[derive(Clone, Copy, Debug)]
pub struct DhcpView<'a> {
    bytes: &'a [u8],
}

impl<'a> DhcpView<'a> {
    /// Checks that the fixed part and the cookie in front of the options are there.
    pub fn new(bytes: &'a [u8]) -> Result<DhcpView<'a>, ParseError> {
        fixed_header(Layer::Dhcp, bytes, OPTIONS_AT)?;
        if u32_at(bytes, 236) != COOKIE {
            let what = "the cookie in front of the options is missing";
            return Err(ParseError::Illegal { layer: Layer::Dhcp, at: 236, what });
        }
        Ok(DhcpView { bytes })
    }

    /// 1 from a client, 2 from a server.
    pub fn op(&self) -> u8 {
        self.bytes[0]
    }

    /// What kind of hardware address; 1 is Ethernet.
    pub fn hardware_type(&self) -> u8 {
        self.bytes[1]
    }

    /// Bytes of the hardware address, as claimed.
    pub fn hardware_len(&self) -> u8 {
        self.bytes[2]
    }

    /// Chosen by the client; the answer repeats it.
    pub fn xid(&self) -> u32 {
        u32_at(self.bytes, 4)
    }

    /// Seconds since the client began.
    pub fn secs(&self) -> u16 {
        u16_at(self.bytes, 8)
    }

    /// The client can't hear unicast before it has its address.
    pub fn broadcast(&self) -> bool {
        self.bytes[10] & 0x80 != 0
    }

    /// `ciaddr`, `yiaddr`, `siaddr`, `giaddr`: the client's present address, the one it is given, the next server's, the
    /// relay agent's.
    pub fn addresses(&self) -> [Ipv4Addr; 4] {
        [12, 16, 20, 24].map(|at| ipv4_at(self.bytes, at))
    }

    /// The client's hardware address; the first [`DhcpView::hardware_len`] bytes count.
    pub fn chaddr(&self) -> &'a [u8] {
        &self.bytes[28..44]
    }

    /// All options: those of their own field, then those of `file` and `sname`, if they hold any (option 52).
    pub fn options(&self) -> DhcpOptionIter<'a> {
        DhcpOptionIter::new(self.bytes)
    }
}

/// What a message wants (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DhcpKind {
    /// 1: which servers are there?
    Discover,
    /// 2: this address could be yours.
    Offer,
    /// 3: I take it; or: may I keep it?
    Request,
    /// 4: somebody has it already.
    Decline,
    /// 5: it is yours.
    Ack,
    /// 6: it is not yours.
    Nak,
    /// 7: I don't need it any more.
    Release,
    /// 8: I have an address; what else should I know?
    Inform,
}

impl DhcpKind {
    /// The value of option 53.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The kind of this number.
    pub const fn of(number: u8) -> Option<DhcpKind> {
        Some(match number {
            1 => DhcpKind::Discover,
            2 => DhcpKind::Offer,
            3 => DhcpKind::Request,
            4 => DhcpKind::Decline,
            5 => DhcpKind::Ack,
            6 => DhcpKind::Nak,
            7 => DhcpKind::Release,
            8 => DhcpKind::Inform,
            _ => return None,
        })
    }

    /// Whether a server says it.
    pub const fn is_from_server(self) -> bool {
        matches!(self, DhcpKind::Offer | DhcpKind::Ack | DhcpKind::Nak)
    }
}

/// A DHCP message of a client with an Ethernet address, always legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp {
    /// What it wants.
    pub kind: DhcpKind,
    /// Chosen by the client; the answer repeats it.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The answer has to be broadcast.
    pub broadcast: bool,
    /// The client's address, if it has one that it can be reached by.
    pub ciaddr: Ipv4Addr,
    /// The address that it is given.
    pub yiaddr: Ipv4Addr,
    /// The next server in a network boot.
    pub siaddr: Ipv4Addr,
    /// The relay agent between client and server.
    pub giaddr: Ipv4Addr,
    /// The client's Ethernet address.
    pub chaddr: MacAddr,
    /// The options.
    pub options: DhcpOptions,
}

impl Dhcp {
    /// A message without addresses and options.
    pub fn new(kind: DhcpKind, xid: u32, chaddr: MacAddr) -> Dhcp {
        Dhcp {
            kind,
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            options: DhcpOptions::default(),
        }
    }

    /// Reads a message. Refused are: no message type or an unknown one, a direction that does not fit it, hardware that
    /// is not Ethernet, an option that does not fit. Options with an impossible value count as absent.
    pub fn parse(bytes: &[u8]) -> Result<Dhcp, ParseError> {
        let view = DhcpView::new(bytes)?;
        let illegal = |at, what| ParseError::Illegal { layer: Layer::Dhcp, at, what };
        if (view.hardware_type(), view.hardware_len()) != (1, 6) {
            return Err(illegal(1, "the hardware is not Ethernet"));
        }
        let (kind, options) = DhcpOptions::read(view.options())?;
        let kind = kind.and_then(DhcpKind::of);
        let kind = kind.ok_or(illegal(OPTIONS_AT, "the message type is missing or unknown"))?;
        if view.op() != direction(kind) {
            return Err(illegal(0, "the message type belongs to the other direction"));
        }
        let [ciaddr, yiaddr, siaddr, giaddr] = view.addresses();
        let mac = view.chaddr().first_chunk().copied().map_or(MacAddr::UNSPECIFIED, MacAddr);
        Ok(Dhcp {
            kind,
            xid: view.xid(),
            secs: view.secs(),
            broadcast: view.broadcast(),
            ciaddr,
            yiaddr,
            siaddr,
            giaddr,
            chaddr: mac,
            options,
        })
    }

    /// Appends the message, padded to BOOTP's 300 bytes.
    pub fn emit_into(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_slice(&[direction(self.kind), 1, 6, 0]);
        out.put_u32(self.xid);
        out.put_u16(self.secs);
        out.put_u16(u16::from(self.broadcast) << 15);
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            out.put_slice(&address.octets());
        }
        out.put_slice(&self.chaddr.0);
        // The rest of the hardware address, and the names of the server and of the boot file.
        out.put_bytes(0, 10 + 64 + 128);
        out.put_u32(COOKIE);
        self.options.emit_into(self.kind, out);
        if out.len() - start < LEAST {
            out.resize(start + LEAST, 0);
        }
    }
}

/// The message in an Ethernet frame, if it is one between the ports of DHCP. Checksums are not verified.
pub fn in_frame(frame: &[u8]) -> Option<Dhcp> {
    let ethernet = EthernetView::new(frame).ok()?;
    let packet = ethernet.payload();
    let transport = Transport::of(packet).ok()?;
    if transport.protocol != Protocol::UDP || transport.is_fragment {
        return None;
    }
    let udp = UdpView::new(packet.get(transport.at..transport.end)?).ok()?;
    let ports = [udp.src_port(), udp.dst_port()];
    let between = ports.contains(&CLIENT_PORT) || ports == [SERVER_PORT; 2];
    if !between || !ports.contains(&SERVER_PORT) {
        return None;
    }
    Dhcp::parse(udp.payload()).ok()
}

/// `op` of a message of this kind.
fn direction(kind: DhcpKind) -> u8 {
    if kind.is_from_server() { 2 } else { 1 }
}

#[cfg(test)]
mod tests;
