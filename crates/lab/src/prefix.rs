//! Prefixes of the scenario's links, with both families as one number.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A prefix; its host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of that length around `address`; `None` if the length does not fit the family.
    pub fn new(address: IpAddr, len: u8) -> Option<Prefix> {
        let bits = bits(address);
        (len <= bits).then(|| Prefix {
            network: from_number(number(address) & mask(len, bits), address.is_ipv6()),
            len,
        })
    }

    /// Reads `192.0.2.0/24`; the host bits must be zero.
    pub fn parse(text: &str) -> Option<Prefix> {
        let (address, len) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix = Prefix::new(address, len.parse().ok()?)?;
        (prefix.network == address).then_some(prefix)
    }

    /// The first address.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// Bits that all its addresses share.
    pub fn length(&self) -> u8 {
        self.len
    }

    /// Whether it covers every address of its family.
    pub fn is_default(&self) -> bool {
        self.len == 0
    }

    /// Whether it is an IPv6 prefix.
    pub fn is_v6(&self) -> bool {
        self.network.is_ipv6()
    }

    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv6() == self.is_v6()
            && number(address) & mask(self.len, bits(address)) == number(self.network)
    }

    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Prefix) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    /// The numbers that hosts may have: without an IPv4 network and broadcast address, from 1 on.
    pub fn host_numbers(&self) -> std::ops::RangeInclusive<u128> {
        let host_bits = bits(self.network) - self.len;
        let last = if host_bits >= 127 { u128::MAX >> 1 } else { (1u128 << host_bits) - 1 };
        match (self.is_v6(), host_bits) {
            // RFC 3021 and RFC 6164: both addresses of a two-address link are usable.
            (_, 0 | 1) => 0..=last,
            (false, _) => 1..=last - 1,
            (true, _) => 1..=last,
        }
    }

    /// The address with that host number.
    pub fn host(&self, host: u128) -> IpAddr {
        from_number(number(self.network) | host, self.is_v6())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

fn mask(len: u8, bits: u8) -> u128 {
    let host_bits = u32::from(bits - len);
    u128::MAX.checked_shl(host_bits).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn from_number(number: u128, v6: bool) -> IpAddr {
    if v6 { IpAddr::V6(Ipv6Addr::from(number)) } else { IpAddr::V4(Ipv4Addr::from(number as u32)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let prefix = Prefix::parse("192.0.2.0/30").unwrap();
        assert_eq!(prefix.host_numbers(), 1..=2);
        assert_eq!(prefix.host(2), "192.0.2.2".parse::<IpAddr>().unwrap());
        assert!(prefix.contains(prefix.host(1)) && !prefix.contains("192.0.2.4".parse().unwrap()));
        assert!(prefix.overlaps(&Prefix::parse("0.0.0.0/0").unwrap()));
        assert!(!prefix.overlaps(&Prefix::parse("::/0").unwrap()));
        assert_eq!(Prefix::parse("192.0.2.1/24"), None, "host bits");
        assert_eq!(Prefix::parse("192.0.2.0/33"), None);
        assert_eq!(Prefix::parse("2001:db8::/127").unwrap().host_numbers(), 0..=1);
        assert_eq!(Prefix::parse("::/0").unwrap().host_numbers().end(), &(u128::MAX >> 1));
        assert_eq!(Prefix::new("2001:db8::7".parse().unwrap(), 64).unwrap().to_string(), "2001:db8::/64");
    }
}
