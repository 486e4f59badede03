//! What kind of address an address is: the IANA special-purpose registries (RFC 6890 and its updates).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address an address is (the most specific answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Category {
    /// `0.0.0.0` or `::`.
    Unspecified,
    /// `0.0.0.0/8` but the unspecified address: "this network" (RFC 791 section 3.2).
    ThisNetwork,
    /// `127.0.0.0/8` or `::1`.
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918).
    Private,
    /// `100.64.0.0/10`: between a carrier's NAT and its customers (RFC 6598).
    SharedCgnat,
    /// `169.254.0.0/16` (RFC 3927) or `fe80::/10`.
    LinkLocal,
    /// `fc00::/7` (RFC 4193).
    UniqueLocal,
    /// `192.0.2.0/24`, `198.51.100.0/24`, `203.0.113.0/24`, `2001:db8::/32`, `3fff::/20`.
    Documentation,
    /// `198.18.0.0/15` (RFC 2544) or `2001:2::/48` (RFC 5180).
    Benchmarking,
    /// `::ffff:0:0/96`: an IPv4 address in an IPv6 socket.
    Mapped,
    /// `64:ff9b::/96` (RFC 6052) or `64:ff9b:1::/48` (RFC 8215).
    Nat64,
    /// `2002::/16` (RFC 3056).
    SixToFour,
    /// `2001::/32` (RFC 4380).
    Teredo,
    /// `100::/64`: thrown away by routers on request (RFC 6666).
    Discard,
    /// `192.0.0.0/24` or the rest of `2001::/23`: protocol assignments (RFC 6890).
    ProtocolAssignment,
    /// `224.0.0.0/4` or `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Not to be used: `240.0.0.0/4`, the deprecated `fec0::/10` and `::/96`, and all of IPv6 that is not yet given out.
    Reserved,
    /// Any other: reachable on the internet.
    Global,
}

impl Category {
    /// Whether packets to such an address can cross the public internet.
    pub const fn is_global(self) -> bool {
        matches!(self, Category::Global | Category::SixToFour | Category::Nat64)
    }

    /// Its name in words.
    pub const fn name(self) -> &'static str {
        match self {
            Category::Unspecified => "unspecified",
            Category::ThisNetwork => "this network",
            Category::Loopback => "loopback",
            Category::Private => "private",
            Category::SharedCgnat => "shared (carrier-grade NAT)",
            Category::LinkLocal => "link-local",
            Category::UniqueLocal => "unique local",
            Category::Documentation => "documentation",
            Category::Benchmarking => "benchmarking",
            Category::Mapped => "IPv4-mapped",
            Category::Nat64 => "NAT64",
            Category::SixToFour => "6to4",
            Category::Teredo => "Teredo",
            Category::Discard => "discard-only",
            Category::ProtocolAssignment => "protocol assignment",
            Category::Multicast => "multicast",
            Category::Broadcast => "broadcast",
            Category::Reserved => "reserved",
            Category::Global => "global",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of address `address` is.
pub fn category(address: IpAddr) -> Category {
    match address {
        IpAddr::V4(address) => category_v4(address),
        IpAddr::V6(address) => category_v6(address),
    }
}

/// The IPv4 address inside one of the well-known NAT64 prefix `64:ff9b::/96` (RFC 6052 section 2.2).
pub fn nat64_embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

fn category_v4(address: Ipv4Addr) -> Category {
    match address.octets() {
        [0, 0, 0, 0] => Category::Unspecified,
        [0, ..] => Category::ThisNetwork,
        [127, ..] => Category::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Category::Private,
        [100, 64..=127, ..] => Category::SharedCgnat,
        [169, 254, ..] => Category::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Category::Documentation,
        [198, 18..=19, ..] => Category::Benchmarking,
        // RFC 7723 and RFC 8155: two anycast addresses of the block are global.
        [192, 0, 0, 9 | 10] => Category::Global,
        [192, 0, 0, _] => Category::ProtocolAssignment,
        [224..=239, ..] => Category::Multicast,
        [255, 255, 255, 255] => Category::Broadcast,
        [240..=255, ..] => Category::Reserved,
        _ => Category::Global,
    }
}

fn category_v6(address: Ipv6Addr) -> Category {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Category::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Category::Loopback,
        [0, 0, 0, 0, 0, 0xffff, ..] => Category::Mapped,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Category::Nat64,
        [0x100, 0, 0, 0, ..] => Category::Discard,
        [0x2001, 0, ..] => Category::Teredo,
        [0x2001, 2, 0, ..] => Category::Benchmarking,
        [0x2001, 0xdb8, ..] => Category::Documentation,
        // RFC 7723, RFC 8155, RFC 9374 and the AMT and AS112 blocks are global within 2001::/23.
        [0x2001, 1, 0, 0, 0, 0, 0, 1 | 2]
        | [0x2001, 3 | 0x20..=0x2f | 0x30..=0x3f, ..]
        | [0x2001, 4, 0x112, ..] => Category::Global,
        [0x2001, 0..=0x1ff, ..] => Category::ProtocolAssignment,
        [0x2002, ..] => Category::SixToFour,
        [0x3fff, 0..=0xfff, ..] => Category::Documentation,
        [0x2000..=0x3fff, ..] => Category::Global,
        [0xfc00..=0xfdff, ..] => Category::UniqueLocal,
        [0xfe80..=0xfebf, ..] => Category::LinkLocal,
        [0xff00..=0xffff, ..] => Category::Multicast,
        _ => Category::Reserved,
    }
}
