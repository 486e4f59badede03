//! What one dissected packet says, as far as a diagnosis needs it: one walk over its tree.
//!
//! - `walk`: headers. `above`: what stands above them. `message`: what that is, once it is read. `records`: whether
//!   answers of name servers are whole.

mod above;
mod message;
mod records;
mod walk;

pub(crate) use message::{Dns, Handshake, Message};

use std::net::IpAddr;

use thru_dissect::Tree;

use walk::Walk;

/// Longer words from the network are cut.
const WORDS_MAX: usize = 1024;
/// Messages of one packet beyond this are not looked at: a packet with more of them is made to cost time.
const MESSAGES_MAX: usize = 256;

/// Packet types of a cooked capture (LINKTYPE_LINUX_SLL): to all, to a group, and from the capturing machine itself.
const COOKED_BROADCAST: u8 = 1;
const COOKED_MULTICAST: u8 = 2;
pub(crate) const COOKED_OWN: u8 = 4;
/// ICMPv6: a router advertises itself (RFC 4861 4.2).
pub(crate) const ADVERTISEMENT: u8 = 134;

/// One packet.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) ttl: u8,
    /// IPv4's identification.
    pub(crate) ip_id: Option<u16>,
    pub(crate) transport: Transport,
    /// The first fragment of a datagram, of which the rest follows or does not.
    pub(crate) first_fragment: bool,
    /// A later one of its fragments.
    pub(crate) later_fragment: bool,
    /// Set if this is an ICMP error: the packet it quotes.
    pub(crate) quoted: Option<Quoted>,
    pub(crate) messages: Vec<Message>,
    /// Where in the frame the innermost IP header begins, and its version.
    pub(crate) ip_at: Option<(usize, u8)>,
    /// Who sent it on the link.
    pub(crate) mac: Option<[u8; 6]>,
    /// To whom.
    pub(crate) to_mac: Option<[u8; 6]>,
    /// Of a cooked capture: what kind of packet its kernel calls it.
    pub(crate) cooked: Option<u8>,
    /// The capture kept only a part of it.
    pub(crate) cut: bool,
    /// Bytes that were deciphered, in order.
    pub(crate) plain: Vec<Vec<u8>>,
}

/// What is above IP.
#[derive(Debug, Default)]
pub(crate) enum Transport {
    #[default]
    None,
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    /// Who has (`true`) or is (`false`) this address: ARP, or neighbour discovery.
    Neighbour {
        asks: bool,
        address: IpAddr,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tcp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) len: u32,
    /// As it stands in the header.
    pub(crate) window: u32,
    pub(crate) scale: Option<u8>,
    pub(crate) mss: Option<u16>,
    pub(crate) tsval: Option<u32>,
    pub(crate) tsecr: Option<u32>,
    /// Where the first block of selective acknowledgements begins (RFC 2018).
    pub(crate) sack: Option<u32>,
    /// It is signed with a key that both ends share (RFC 2385, RFC 5925).
    pub(crate) signed: bool,
    /// Bytes of payload that were kept.
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Udp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) len: u16,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Icmp {
    pub(crate) v6: bool,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) ident: u16,
    pub(crate) seq: u16,
}

impl Icmp {
    pub(crate) fn is_error(&self) -> bool {
        if self.v6 { self.kind < 128 } else { matches!(self.kind, 3 | 4 | 5 | 11 | 12) }
    }

    pub(crate) fn is_echo_request(&self) -> bool {
        self.kind == if self.v6 { 128 } else { 8 }
    }

    pub(crate) fn is_echo_reply(&self) -> bool {
        self.kind == if self.v6 { 129 } else { 0 }
    }
}

/// The packet that an ICMP error is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quoted {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) protocol: u8,
    pub(crate) ports: (u16, u16),
}

impl Glance {
    /// Takes what the headers announce where the capture kept less: `original` is the packet's length on the wire.
    pub(crate) fn complete(&mut self, frame: &[u8], original: u32) {
        self.cut = frame.len() < original as usize;
        let (Some((start, version)), Transport::Tcp(tcp)) = (self.ip_at, &mut self.transport) else { return };
        let Some(ip) = frame.get(start..).filter(|_| self.cut) else { return };
        let word =
            |at: usize| ip.get(at..at + 2).map_or(0, |pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
        let on_wire = original.saturating_sub(start as u32);
        // Super-segments may be longer than the field can say; it is 0 then.
        let announced = match (version, word(2), word(4)) {
            (4, 0, _) | (6, _, 0) => on_wire,
            (4, total, _) => total.min(on_wire),
            (_, _, payload) => (payload + 40).min(on_wire),
        };
        let below = if version == 4 { usize::from(ip.first().map_or(0, |byte| byte & 15)) * 4 } else { 40 };
        match ip.get(below..below + 20) {
            Some(header) => {
                let own = u32::from(header[12] >> 4) * 4;
                tcp.len = announced.saturating_sub(below as u32 + own);
            }
            // Of such a segment nothing is known for sure.
            None => self.transport = Transport::None,
        }
    }

    /// Walks over the tree once.
    pub(crate) fn of(tree: &Tree<'_>) -> Glance {
        let mut walk = Walk::new(tree);
        for field in tree.fields() {
            walk.field(field);
        }
        let (mut glance, told) = (walk.glance, walk.told_sources);
        for (place, source) in tree.sources().iter().enumerate() {
            let is_told = 1u128.checked_shl(place as u32 + 1).is_none_or(|bit| told & bit != 0);
            if source.name == "Decrypted TLS" && !is_told {
                glance.plain.push(source.bytes.clone());
            }
        }
        glance
    }

    /// Whether it was sent to more than one machine: by the group bit of its hardware address (IEEE 802 8.2), or, where
    /// there is none, by what the kernel or the IP address says.
    pub(crate) fn is_to_many(&self) -> bool {
        match (self.to_mac, self.cooked, self.dst) {
            (Some(to), ..) => to[0] & 1 != 0,
            (None, Some(kind), _) => matches!(kind, COOKED_BROADCAST | COOKED_MULTICAST),
            (None, None, Some(IpAddr::V4(to))) => to.is_multicast() || to.is_broadcast(),
            (None, None, Some(IpAddr::V6(to))) => to.is_multicast(),
            (None, None, None) => false,
        }
    }

    /// Whether it gives settings to a machine: DHCP, or a router's advertisement.
    pub(crate) fn gives_settings(&self) -> bool {
        matches!(&self.transport, Transport::Icmp(Icmp { v6: true, kind: ADVERTISEMENT, .. }))
            || self.messages.iter().any(|message| matches!(message, Message::Dhcp { .. }))
    }

    /// The innermost ends, if this is TCP or UDP.
    pub(crate) fn ends(&self) -> Option<((IpAddr, u16), (IpAddr, u16))> {
        let (src, dst) = (self.src?, self.dst?);
        match &self.transport {
            Transport::Tcp(tcp) => Some(((src, tcp.src_port), (dst, tcp.dst_port))),
            Transport::Udp(udp) => Some(((src, udp.src_port), (dst, udp.dst_port))),
            _ => None,
        }
    }
}
