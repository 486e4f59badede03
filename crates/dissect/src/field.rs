//! What a field is: its name in filters, its label, its type, how it is written.
//!
//! Names, types and labels follow Wireshark's, so that filters, scripts and habits carry over.

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole protocol layer.
    Protocol,
    /// A heading without a value.
    None,
    /// Yes or no.
    Bool,
    /// Unsigned, of this many bytes (which is how wide its hexadecimal form is).
    Uint(u8),
    /// Signed.
    Int,
    /// A floating-point number: the bits of an `f64`.
    Float,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A MAC address.
    Ether,
    /// Bytes as they are.
    Bytes,
    /// Words.
    Text,
    /// A duration in nanoseconds.
    Relative,
    /// Nanoseconds since the Unix epoch.
    Absolute,
    /// The number of another frame.
    Frame,
    /// An object identifier in ASN.1's form.
    Oid,
    /// A GUID: 16 bytes, the first three parts in network order.
    Guid,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Decimal.
    Dec,
    /// Hexadecimal, as wide as the type.
    Hex,
}

/// Names of a field's values.
pub type Names = &'static [(u64, &'static str)];

/// A field that a dissector can find. Each exists once, as a static: two fields are the same if their addresses are.
#[derive(Debug)]
pub struct FieldDef {
    /// Its name in filters: `tcp.dstport`.
    pub name: &'static str,
    /// Its label for people: `Destination Port`.
    pub label: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// How it is written.
    pub base: Base,
    /// Which bits of the number it is taken from; 0: all.
    pub mask: u64,
    /// Names of its values.
    pub names: Names,
}

impl FieldDef {
    /// A plain field.
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> FieldDef {
        FieldDef { name, label, kind, base: Base::Dec, mask: 0, names: &[] }
    }

    /// Written in hexadecimal.
    pub const fn hex(self) -> FieldDef {
        FieldDef { base: Base::Hex, ..self }
    }

    /// Taken from these bits.
    pub const fn mask(self, mask: u64) -> FieldDef {
        FieldDef { mask, ..self }
    }

    /// With names of its values.
    pub const fn names(self, names: Names) -> FieldDef {
        FieldDef { names, ..self }
    }

    /// The name of a value, if it has one.
    pub fn name_of(&self, value: u64) -> Option<&'static str> {
        self.names.iter().find(|(number, _)| *number == value).map(|(_, name)| *name)
    }

    /// Whether two are the same field.
    pub fn is(&self, other: &FieldDef) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A protocol: the name of its layer, its fields.
#[derive(Debug)]
pub struct Protocol {
    /// The layer itself: `tcp`, "Transmission Control Protocol".
    pub layer: FieldDef,
    /// Its fields.
    pub fields: &'static [&'static FieldDef],
    /// How it is called in one line: `TCP`.
    pub short: &'static str,
}

/// Declares a protocol and its fields.
///
/// ```text
/// protocol! { UDP "udp" "UDP" "User Datagram Protocol";
///     SRC_PORT: u16 "udp.srcport" "Source Port";
///     CHECKSUM: u16 "udp.checksum" "Checksum", hex;
///     RETURN: u8 "x.y" "Y", mask(0x80), names(Y_NAMES);
/// }
/// ```
macro_rules! protocol {
    ($proto:ident $name:literal $short:literal $label:literal;
     $($field:ident : $kind:ident $fname:literal $flabel:literal $(, $option:ident $(($value:expr))?)* ;)*) => {
        $(pub(crate) static $field: $crate::field::FieldDef =
            $crate::field::FieldDef::new($fname, $flabel, protocol!(@kind $kind)) $(.$option($($value)?))*;)*
        pub(crate) static $proto: $crate::field::Protocol = $crate::field::Protocol {
            layer: $crate::field::FieldDef::new($name, $label, $crate::field::Kind::Protocol),
            fields: &[$(&$field),*],
            short: $short,
        };
    };
    (@kind none) => { $crate::field::Kind::None };
    (@kind bool) => { $crate::field::Kind::Bool };
    (@kind u8) => { $crate::field::Kind::Uint(1) };
    (@kind u16) => { $crate::field::Kind::Uint(2) };
    (@kind u24) => { $crate::field::Kind::Uint(3) };
    (@kind u32) => { $crate::field::Kind::Uint(4) };
    (@kind u48) => { $crate::field::Kind::Uint(6) };
    (@kind u64) => { $crate::field::Kind::Uint(8) };
    (@kind int) => { $crate::field::Kind::Int };
    (@kind float) => { $crate::field::Kind::Float };
    (@kind ipv4) => { $crate::field::Kind::Ipv4 };
    (@kind ipv6) => { $crate::field::Kind::Ipv6 };
    (@kind ether) => { $crate::field::Kind::Ether };
    (@kind bytes) => { $crate::field::Kind::Bytes };
    (@kind text) => { $crate::field::Kind::Text };
    (@kind relative) => { $crate::field::Kind::Relative };
    (@kind absolute) => { $crate::field::Kind::Absolute };
    (@kind frame) => { $crate::field::Kind::Frame };
    (@kind oid) => { $crate::field::Kind::Oid };
    (@kind guid) => { $crate::field::Kind::Guid };
}
pub(crate) use protocol;
