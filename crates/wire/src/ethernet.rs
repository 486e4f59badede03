//! Ethernet II (RFC 894, RFC 2464) with 802.1Q and 802.1ad tags.

use core::fmt;

use bytes::BufMut;

use crate::address::MacAddr;
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, u16_at};

/// What an Ethernet frame carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// ARP.
    pub const ARP: EtherType = EtherType(0x0806);
    /// A customer VLAN tag (802.1Q).
    pub const VLAN: EtherType = EtherType(0x8100);
    /// IPv6.
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// A service VLAN tag (802.1ad, "QinQ").
    pub const SERVICE_VLAN: EtherType = EtherType(0x88a8);
    /// The tag some equipment used before 802.1ad.
    pub const OLD_SERVICE_VLAN: EtherType = EtherType(0x9100);

    /// Whether a VLAN tag follows.
    pub const fn is_tag(self) -> bool {
        matches!(self, EtherType::VLAN | EtherType::SERVICE_VLAN | EtherType::OLD_SERVICE_VLAN)
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EtherType::IPV4 => f.write_str("IPv4"),
            EtherType::ARP => f.write_str("ARP"),
            EtherType::VLAN => f.write_str("802.1Q"),
            EtherType::IPV6 => f.write_str("IPv6"),
            EtherType::SERVICE_VLAN => f.write_str("802.1ad"),
            EtherType(other) => write!(f, "{other:#06x}"),
        }
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One 802.1Q or 802.1ad tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// Its EtherType: [`EtherType::VLAN`] or one of the service tags.
    pub kind: EtherType,
    /// Priority code point, 0 to 7.
    pub priority: u8,
    /// Whether it may be dropped first under congestion.
    pub drop_eligible: bool,
    /// VLAN identifier, 0 to 4095; 0 carries only a priority.
    pub id: u16,
}

impl VlanTag {
    /// A customer tag with this identifier (its low 12 bits) and priority 0.
    pub const fn new(id: u16) -> VlanTag {
        VlanTag { kind: EtherType::VLAN, priority: 0, drop_eligible: false, id: id & 0xfff }
    }

    fn from_wire(kind: EtherType, control: u16) -> VlanTag {
        VlanTag {
            kind,
            priority: (control >> 13) as u8,
            drop_eligible: control & 0x1000 != 0,
            id: control & 0xfff,
        }
    }

    fn control(self) -> u16 {
        u16::from(self.priority & 7) << 13 | u16::from(self.drop_eligible) << 12 | (self.id & 0xfff)
    }
}

/// Looks at the bytes of an Ethernet frame.
#[derive(Clone, Copy, Debug)]
pub struct EthernetView<'a> {
    bytes: &'a [u8],
    /// Where the last EtherType stands.
    type_at: usize,
}

impl<'a> EthernetView<'a> {
    /// Checks that the header is there, with all of its VLAN tags.
    pub fn new(bytes: &'a [u8]) -> Result<EthernetView<'a>, ParseError> {
        fixed_header(Layer::Ethernet, bytes, 14)?;
        let mut type_at = 12;
        while EtherType(u16_at(bytes, type_at)).is_tag() {
            claimed(Layer::Ethernet, bytes, type_at + 2, 4, ClaimedBy::FixedHeader)?;
            type_at += 4;
        }
        Ok(EthernetView { bytes, type_at })
    }

    /// Who is to receive it.
    #[inline]
    pub fn dst(&self) -> MacAddr {
        MacAddr([self.bytes[0], self.bytes[1], self.bytes[2], self.bytes[3], self.bytes[4], self.bytes[5]])
    }

    /// Who sent it.
    #[inline]
    pub fn src(&self) -> MacAddr {
        MacAddr([self.bytes[6], self.bytes[7], self.bytes[8], self.bytes[9], self.bytes[10], self.bytes[11]])
    }

    /// The VLAN tags, outermost first; any number.
    pub fn tags(&self) -> impl Iterator<Item = VlanTag> + 'a {
        let (bytes, type_at) = (self.bytes, self.type_at);
        (12..type_at)
            .step_by(4)
            .map(move |at| VlanTag::from_wire(EtherType(u16_at(bytes, at)), u16_at(bytes, at + 2)))
    }

    /// What it carries, after the tags. Below 0x600 it is the length of an 802.3 frame.
    #[inline]
    pub fn ethertype(&self) -> EtherType {
        EtherType(u16_at(self.bytes, self.type_at))
    }

    /// Bytes of the header with its tags.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.type_at + 2
    }

    /// What follows the header, with any padding.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_len()..]
    }
}

/// An Ethernet II header, always legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Ethernet {
    /// Who is to receive it.
    pub dst: MacAddr,
    /// Who sent it.
    pub src: MacAddr,
    /// The outer and the inner VLAN tag; an inner one needs an outer one, and is left out otherwise.
    pub tags: [Option<VlanTag>; 2],
    /// What it carries. Building by layering fills it in.
    pub ethertype: EtherType,
}

impl Ethernet {
    /// Bytes of a header without tags.
    pub const LEN: usize = 14;

    /// An untagged header.
    pub const fn new(src: MacAddr, dst: MacAddr, ethertype: EtherType) -> Ethernet {
        Ethernet { dst, src, tags: [None, None], ethertype }
    }

    /// Reads a header; returns it with what follows.
    pub fn parse(bytes: &[u8]) -> Result<(Ethernet, &[u8]), ParseError> {
        let view = EthernetView::new(bytes)?;
        let illegal = |what| ParseError::Illegal { layer: Layer::Ethernet, at: view.type_at, what };
        let mut found = view.tags();
        let tags = [found.next(), found.next()];
        if found.next().is_some() {
            return Err(illegal("more than two VLAN tags"));
        }
        let ethertype = view.ethertype();
        if ethertype.0 < 0x600 {
            return Err(illegal("an 802.3 length stands where Ethernet II has its type"));
        }
        Ok((Ethernet { dst: view.dst(), src: view.src(), tags, ethertype }, view.payload()))
    }

    /// The tags that are sent.
    fn sent_tags(&self) -> impl Iterator<Item = VlanTag> {
        self.tags.into_iter().map_while(|tag| tag)
    }

    /// Bytes of the header with its tags.
    #[inline]
    pub fn header_len(&self) -> usize {
        Ethernet::LEN + 4 * self.sent_tags().count()
    }

    /// Appends the header.
    pub fn emit_into(&self, out: &mut impl BufMut) {
        out.put_slice(&self.dst.0);
        out.put_slice(&self.src.0);
        for tag in self.sent_tags() {
            out.put_u16(tag.kind.0);
            out.put_u16(tag.control());
        }
        out.put_u16(self.ethertype.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{hex, sweep};
    use proptest::prelude::*;

    #[test]
    fn tagged_twice() {
        let bytes = hex("ffffffffffff 020000000001 88a8 6064 8100 0065 0800 4500");
        let (header, payload) = Ethernet::parse(&bytes).unwrap();
        let outer = VlanTag { kind: EtherType::SERVICE_VLAN, priority: 3, drop_eligible: false, id: 100 };
        assert_eq!(header.tags, [Some(outer), Some(VlanTag::new(101))]);
        assert_eq!((header.ethertype, header.header_len(), payload), (EtherType::IPV4, 22, &bytes[22..]));
        let mut out = Vec::new();
        header.emit_into(&mut out);
        assert_eq!(out, bytes[..22]);
        sweep(&bytes[..22], |bytes| Ethernet::parse(bytes).map(|_| ()));
    }

    #[test]
    fn three_tags_are_shown_but_refused() {
        let bytes = hex("ffffffffffff 020000000001 8100 0001 8100 0002 8100 0003 86dd");
        let view = EthernetView::new(&bytes).unwrap();
        assert_eq!(view.tags().map(|tag| tag.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(view.ethertype(), EtherType::IPV6);
        assert!(matches!(Ethernet::parse(&bytes), Err(ParseError::Illegal { at: 24, .. })));
    }

    proptest! {
        #[test]
        fn round_trip(dst in any::<[u8; 6]>(), src in any::<[u8; 6]>(), ids in proptest::collection::vec(0u16..4096, 0..=2), kind in 0x600u16..) {
            prop_assume!(!EtherType(kind).is_tag());
            let mut header = Ethernet::new(MacAddr(src), MacAddr(dst), EtherType(kind));
            for (slot, id) in header.tags.iter_mut().zip(ids) {
                *slot = Some(VlanTag { drop_eligible: id % 2 == 0, priority: (id % 8) as u8, ..VlanTag::new(id) });
            }
            let mut out = Vec::new();
            header.emit_into(&mut out);
            prop_assert_eq!(out.len(), header.header_len());
            prop_assert_eq!(Ethernet::parse(&out), Ok((header, &[][..])));
        }
    }
}
