//! A network, and an address within its network.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An IPv4 or IPv6 prefix: the host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    network: IpAddr,
    len: u8,
}

impl IpPrefix {
    /// `0.0.0.0/0`: all of IPv4.
    pub const V4_ALL: IpPrefix = IpPrefix { network: IpAddr::V4(Ipv4Addr::UNSPECIFIED), len: 0 };
    /// `::/0`: all of IPv6.
    pub const V6_ALL: IpPrefix = IpPrefix { network: IpAddr::V6(Ipv6Addr::UNSPECIFIED), len: 0 };

    /// The prefix of `len` bits that covers `address` (its host bits are cleared); `None` if `len` is
    /// more than the address has.
    pub fn new(address: IpAddr, len: u8) -> Option<IpPrefix> {
        (len <= width(address)).then(|| IpPrefix { network: masked(address, len), len })
    }

    /// The prefix that covers this address and nothing else.
    pub fn host(address: IpAddr) -> IpPrefix {
        IpPrefix { network: address, len: width(address) }
    }

    /// Its first address.
    pub const fn network(self) -> IpAddr {
        self.network
    }

    /// How many bits are fixed.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// Whether it covers its whole family.
    pub const fn is_default(self) -> bool {
        self.len == 0
    }

    /// Whether it is an IPv6 prefix.
    pub const fn is_ipv6(self) -> bool {
        self.network.is_ipv6()
    }

    /// Whether `address` lies within. An IPv4 address never lies within an IPv6 prefix, nor the other way round.
    pub fn contains(self, address: IpAddr) -> bool {
        self.network.is_ipv4() == address.is_ipv4() && masked(address, self.len) == self.network
    }

    /// Whether every address of `other` lies within.
    pub fn covers(self, other: IpPrefix) -> bool {
        self.len <= other.len && self.contains(other.network)
    }

    /// The `index`-th address counted from the network address, or `None` past its end.
    pub fn nth(self, index: u128) -> Option<IpAddr> {
        let host_bits = width(self.network) - self.len;
        if host_bits < 128 && index >> host_bits != 0 {
            return None;
        }
        Some(match self.network {
            IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits() | index as u32).into(),
            IpAddr::V6(network) => Ipv6Addr::from_bits(network.to_bits() | index).into(),
        })
    }

    /// The directed broadcast address of an IPv4 prefix of at most 30 bits (RFC 919, RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.network {
            IpAddr::V4(network) if self.len <= 30 => {
                Some(Ipv4Addr::from_bits(network.to_bits() | u32::MAX >> self.len))
            }
            _ => None,
        }
    }
}

/// An interface address with the length of its on-link prefix, as in `192.0.2.7/24`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    len: u8,
}

impl Cidr {
    /// `address` within a network of `len` bits; `None` if `len` is more than the address has.
    pub fn new(address: IpAddr, len: u8) -> Option<Cidr> {
        (len <= width(address)).then_some(Cidr { address, len })
    }

    /// The address itself.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits of it name the network.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// The network the address is in.
    pub fn prefix(self) -> IpPrefix {
        IpPrefix { network: masked(self.address, self.len), len: self.len }
    }

    /// Whether `address` is in the same network.
    pub fn contains(self, address: IpAddr) -> bool {
        self.prefix().contains(address)
    }

    /// The directed broadcast address of the network, if it has one.
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        self.prefix().broadcast()
    }
}

/// A text that is not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// There is no `/`.
    NoLength,
    /// What stands before the `/` is no address.
    BadAddress,
    /// What stands after the `/` is no length of that family.
    BadLength {
        /// The longest prefix of the family.
        max: u8,
    },
    /// The address has bits set after the prefix.
    HostBits {
        /// The prefix that was probably meant.
        meant: IpPrefix,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrefixError::NoLength => f.write_str("the prefix length is missing, as in /24"),
            PrefixError::BadAddress => f.write_str("not an IP address before the slash"),
            PrefixError::BadLength { max } => {
                write!(f, "the prefix length is not a number from 0 to {max}")
            }
            PrefixError::HostBits { meant } => {
                write!(f, "bits are set after the prefix; {meant} is the network")
            }
        }
    }
}

impl core::error::Error for PrefixError {}

impl FromStr for IpPrefix {
    type Err = PrefixError;

    /// Reads `192.0.2.0/24`. Host bits must be zero; `IpPrefix::new` clears them instead.
    fn from_str(text: &str) -> Result<IpPrefix, PrefixError> {
        let (address, len) = parse(text)?;
        let prefix = IpPrefix { network: masked(address, len), len };
        if prefix.network != address {
            return Err(PrefixError::HostBits { meant: prefix });
        }
        Ok(prefix)
    }
}

impl FromStr for Cidr {
    type Err = PrefixError;

    /// Reads `192.0.2.7/24`.
    fn from_str(text: &str) -> Result<Cidr, PrefixError> {
        let (address, len) = parse(text)?;
        Ok(Cidr { address, len })
    }
}

fn parse(text: &str) -> Result<(IpAddr, u8), PrefixError> {
    let (address, len) = text.split_once('/').ok_or(PrefixError::NoLength)?;
    let address: IpAddr = address.parse().map_err(|_| PrefixError::BadAddress)?;
    let max = width(address);
    let bad_length = PrefixError::BadLength { max };
    if len.is_empty() || !len.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(bad_length);
    }
    let len: u8 = len.parse().map_err(|_| bad_length)?;
    if len > max {
        return Err(bad_length);
    }
    Ok((address, len))
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

impl fmt::Debug for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Cidr> for IpPrefix {
    fn from(cidr: Cidr) -> IpPrefix {
        cidr.prefix()
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}
