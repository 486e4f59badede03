//! What a layer is: a header of fixed length whose fields are runs of bits, and perhaps parts of their own length.

/// A layer's kind. Each exists once; the tables are in the order of the network.
#[derive(Debug)]
pub struct LayerDef {
    /// The name to write, then others that are understood.
    pub names: &'static [&'static str],
    /// Bytes of the part that is always there.
    pub header: usize,
    /// Its fields.
    pub fields: &'static [FieldDef],
    /// The parts whose length varies, in their order behind the header.
    pub parts: &'static [PartDef],
    /// How others announce it.
    pub number: Number,
}

/// A run of bits in a header.
#[derive(Debug)]
pub struct FieldDef {
    /// The name to write (Wireshark's, without the layer's), then others that are understood.
    pub names: &'static [&'static str],
    /// Where it begins, in bits.
    pub at: u16,
    /// How many bits it has, at most 128.
    pub bits: u8,
    /// How it is written.
    pub kind: Kind,
    /// What it is if nobody writes it.
    pub auto: Auto,
    /// What is written is so many times what stands in the header.
    pub scale: u8,
}

/// A part of varying length.
#[derive(Debug)]
pub struct PartDef {
    /// The name to write.
    pub name: &'static str,
    /// How it is written.
    pub kind: PartKind,
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, or one of these names of numbers.
    Number(&'static [(&'static str, u64)]),
    /// A number, shown in hexadecimal.
    Hex(&'static [(&'static str, u64)]),
    /// An IPv4 address or prefix.
    Ipv4,
    /// An IPv6 address or prefix.
    Ipv6,
    /// A hardware address.
    Mac,
    /// TCP's flags as letters: `SA`, or as names: `syn+ack`.
    TcpFlags,
}

/// How a part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// `"text"` or `0xhex`.
    Bytes,
    /// TCP options: `(mss=1460,sackok,ts=1:0,nop,wscale=7)` or `0xhex`.
    TcpOptions,
    /// IPv4 options: `(ra,nop,148=0x0000)` or `0xhex`.
    Ipv4Options,
    /// Options of IPv6 extension headers: `(ra=0,padn=4)` or `0xhex`.
    Ipv6Options,
    /// A domain name.
    DnsName,
    /// A DNS type, by name or number; there only with a name.
    DnsType,
    /// A DNS class, by name or number; there only with a name.
    DnsClass,
    /// Repeats or cuts the bytes before it to this many.
    Length,
}

/// What a field is if nobody writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auto {
    /// Part of another field, or zero.
    Rest,
    /// This.
    Is(u64),
    /// The number by which the next layer is announced.
    Next,
    /// Bytes of this layer and all in it.
    TotalLength,
    /// Bytes of all in it, without the fixed header.
    InnerLength,
    /// Bytes of the header and its parts (see [`FieldDef::scale`]).
    HeaderLength,
    /// Units of eight bytes beyond the first, of header and parts (RFC 8200 section 4).
    ExtensionLength,
    /// The Internet checksum over the header alone.
    HeaderChecksum,
    /// The Internet checksum over the layer and all in it.
    Checksum,
    /// The same with the pseudo header of the IP layer around it.
    PseudoChecksum,
    /// 1 if there is a question, else 0.
    Questions,
}

/// The numbers that announce a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Nothing announces it.
    None,
    /// An Ethernet type.
    EtherType(u16),
    /// An IP protocol number.
    Protocol(u8),
    /// IP's own numbers: Ethernet type and protocol.
    Ip(u16, u8),
    /// A UDP or TCP port.
    Port(u16),
}

impl LayerDef {
    /// The name to write.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// The place of the field of this name, Wireshark's with the layer's name in front included.
    pub(crate) fn field(&self, name: &str) -> Option<usize> {
        let bare = self.bare(name);
        self.fields.iter().position(|field| field.names.contains(&bare))
    }

    /// The place of the part of this name.
    pub(crate) fn part(&self, name: &str) -> Option<usize> {
        let bare = self.bare(name);
        self.parts.iter().position(|part| part.name == bare)
    }

    fn bare<'a>(&self, name: &'a str) -> &'a str {
        let own = self.names.iter().find_map(|own| name.strip_prefix(own)?.strip_prefix('.'));
        own.unwrap_or(name)
    }

    /// Whether two are the same kind.
    pub fn is(&self, other: &LayerDef) -> bool {
        core::ptr::eq(self, other)
    }
}

impl FieldDef {
    /// The largest number that stands in the header.
    pub fn max(&self) -> u128 {
        if self.bits >= 128 { u128::MAX } else { (1 << self.bits) - 1 }
    }

    /// The field's bits in a header; 0 where the header is too short.
    pub(crate) fn read(&self, header: &[u8]) -> u128 {
        (0..usize::from(self.bits)).fold(0, |value, bit| {
            let at = usize::from(self.at) + bit;
            let byte = header.get(at / 8).copied().unwrap_or(0);
            value << 1 | u128::from(byte >> (7 - at % 8) & 1)
        })
    }

    /// Puts the lowest bits of `value` into a header that has room for them.
    pub(crate) fn write(&self, header: &mut [u8], value: u128) {
        for bit in 0..usize::from(self.bits) {
            let at = usize::from(self.at) + bit;
            let mask = 0x80 >> (at % 8);
            let Some(byte) = header.get_mut(at / 8) else { return };
            let set = value >> (usize::from(self.bits) - 1 - bit) & 1 == 1;
            *byte = if set { *byte | mask } else { *byte & !mask };
        }
    }
}

/// Every kind of layer.
pub fn layers() -> &'static [&'static LayerDef] {
    crate::tables::ALL
}

/// The kind of layer of this name.
pub fn layer(name: &str) -> Option<&'static LayerDef> {
    layers().iter().copied().find(|layer| layer.names.contains(&name))
}
