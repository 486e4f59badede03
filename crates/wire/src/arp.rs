//! ARP for IPv4 over Ethernet (RFC 826).

use core::net::Ipv4Addr;

use bytes::BufMut;

use crate::address::MacAddr;
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv4_at, u16_at};
use crate::ethernet::EtherType;

/// Looks at the bytes of an ARP packet, for any pair of address kinds.
#[derive(Clone, Copy, Debug)]
pub struct ArpView<'a> {
    bytes: &'a [u8],
}

impl<'a> ArpView<'a> {
    /// Checks that the packet is there, with its four addresses.
    pub fn new(bytes: &'a [u8]) -> Result<ArpView<'a>, ParseError> {
        fixed_header(Layer::Arp, bytes, 8)?;
        let addresses = 2 * (usize::from(bytes[4]) + usize::from(bytes[5]));
        claimed(Layer::Arp, bytes, 8, addresses, ClaimedBy::ArpAddressLength)?;
        Ok(ArpView { bytes })
    }

    /// Kind of the hardware addresses; 1 is Ethernet.
    pub fn hardware_type(&self) -> u16 {
        u16_at(self.bytes, 0)
    }

    /// Kind of the protocol addresses.
    pub fn protocol_type(&self) -> EtherType {
        EtherType(u16_at(self.bytes, 2))
    }

    /// Length of a hardware address, in bytes.
    pub fn hardware_len(&self) -> usize {
        usize::from(self.bytes[4])
    }

    /// Length of a protocol address, in bytes.
    pub fn protocol_len(&self) -> usize {
        usize::from(self.bytes[5])
    }

    /// 1 asks, 2 answers; there are more.
    pub fn operation(&self) -> u16 {
        u16_at(self.bytes, 6)
    }

    /// The sender's hardware address.
    pub fn sender_hardware(&self) -> &'a [u8] {
        self.field(8, self.hardware_len())
    }

    /// The sender's protocol address.
    pub fn sender_protocol(&self) -> &'a [u8] {
        self.field(8 + self.hardware_len(), self.protocol_len())
    }

    /// The target's hardware address.
    pub fn target_hardware(&self) -> &'a [u8] {
        self.field(8 + self.hardware_len() + self.protocol_len(), self.hardware_len())
    }

    /// The target's protocol address.
    pub fn target_protocol(&self) -> &'a [u8] {
        self.field(8 + 2 * self.hardware_len() + self.protocol_len(), self.protocol_len())
    }

    fn field(&self, at: usize, len: usize) -> &'a [u8] {
        &self.bytes[at..at + len]
    }
}

/// What an ARP packet wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArpOperation {
    /// Who has the target address?
    Request,
    /// The sender has it.
    Reply,
}

/// An ARP packet for IPv4 over Ethernet, always legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arp {
    /// Asks or answers.
    pub operation: ArpOperation,
    /// The sender's Ethernet address.
    pub sender_mac: MacAddr,
    /// The sender's IPv4 address; unspecified in a probe (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// The target's Ethernet address; zero in a request.
    pub target_mac: MacAddr,
    /// The IPv4 address asked for, or the asker's in a reply.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// Bytes of the packet.
    pub const LEN: usize = 28;

    /// "Who has `target_ip`? Tell `sender_ip`."
    pub const fn request(sender_mac: MacAddr, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Arp {
        Arp {
            operation: ArpOperation::Request,
            sender_mac,
            sender_ip,
            target_mac: MacAddr::UNSPECIFIED,
            target_ip,
        }
    }

    /// The answer of `mac` to this request.
    pub const fn reply(&self, mac: MacAddr) -> Arp {
        Arp {
            operation: ArpOperation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// Reads a packet; what follows it (padding) is ignored.
    pub fn parse(bytes: &[u8]) -> Result<Arp, ParseError> {
        let view = ArpView::new(bytes)?;
        let illegal = |at, what| Err(ParseError::Illegal { layer: Layer::Arp, at, what });
        if view.hardware_type() != 1 {
            return illegal(0, "hardware type is not Ethernet");
        }
        if view.protocol_type() != EtherType::IPV4 {
            return illegal(2, "protocol type is not IPv4");
        }
        if view.hardware_len() != 6 {
            return illegal(4, "hardware address length is not 6");
        }
        if view.protocol_len() != 4 {
            return illegal(5, "protocol address length is not 4");
        }
        let operation = match view.operation() {
            1 => ArpOperation::Request,
            2 => ArpOperation::Reply,
            _ => return illegal(6, "operation is neither request nor reply"),
        };
        let mac = |at: usize| {
            MacAddr([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4], bytes[at + 5]])
        };
        Ok(Arp {
            operation,
            sender_mac: mac(8),
            sender_ip: ipv4_at(bytes, 14),
            target_mac: mac(18),
            target_ip: ipv4_at(bytes, 24),
        })
    }

    /// Appends the packet.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&[0, 1, 8, 0, 6, 4]);
        out.put_u16(match self.operation {
            ArpOperation::Request => 1,
            ArpOperation::Reply => 2,
        });
        out.put_slice(&self.sender_mac.0);
        out.put_slice(&self.sender_ip.octets());
        out.put_slice(&self.target_mac.0);
        out.put_slice(&self.target_ip.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{hex, sweep};

    #[test]
    fn request_and_reply() {
        let bytes = hex("0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202");
        let request = Arp::parse(&bytes).unwrap();
        let (ours, theirs) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
        assert_eq!(request, Arp::request(ours, Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)));
        let mut out = Vec::new();
        request.emit_into(&mut out);
        assert_eq!(out, bytes);
        out.clear();
        request.reply(theirs).emit_into(&mut out);
        assert_eq!(out, hex("0001 0800 06 04 0002 020000000002 c0000202 020000000001 c0000201"));
        sweep(&bytes, |bytes| Arp::parse(bytes).map(|_| ()));
    }

    #[test]
    fn the_address_length_that_lied_is_named() {
        let bytes = hex("0001 0800 ff 04 0001 020000000001 c0000201 000000000000 c0000202");
        let error = ParseError::Truncated {
            layer: Layer::Arp,
            at: 8,
            need: 518,
            have: 20,
            claimed_by: ClaimedBy::ArpAddressLength,
        };
        assert_eq!(Arp::parse(&bytes), Err(error));
        assert_eq!(
            error.to_string(),
            "ARP is cut short: 518 bytes wanted at offset 8 (says ARP's address lengths), 20 there"
        );
    }
}
