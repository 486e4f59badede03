//! Packet formats: a *view* shows any bytes and never fails on nonsense fields, a *value* is always legal.
//!
//! Start with [`ipv4`] or [`tcp`]: each protocol's module has a `View` over bytes, a value type,
//! and the conversion between them. Nothing here performs I/O or knows a clock; views never allocate.
//!
//! - [`address`]: MAC addresses, prefixes, and what kind of address an address is.
//! - [`checksum`]: the Internet checksum (RFC 1071), pseudo headers, incremental update (RFC 1624).
//! - [`ethernet`], [`arp`], [`ipv4`], [`ipv6`], [`icmpv4`], [`icmpv6`], [`ndp`], [`mld`], [`udp`], [`tcp`], [`dhcp`]: the formats.
//! - [`error`]: why bytes could not be understood: which layer, where, and which length field lied.
//! - [`packet`]: building by layering, `ethernet / ip / tcp / payload`.
//! - [`time`]: the instant at which a frame was seen.

pub mod address;
pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod error;
pub mod ethernet;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod mld;
pub mod ndp;
pub mod packet;
pub mod tcp;
pub mod time;
pub mod udp;

pub use address::{Cidr, IpPrefix, MacAddr};
pub use error::ParseError;
pub use time::Instant;

#[cfg(test)]
pub(crate) mod tests {
    //! What the tests of every format share.

    use super::ParseError;

    /// Bytes written as hex digits, with spaces wherever they help.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        assert!(digits.len().is_multiple_of(2), "an odd number of digits");
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    /// Cuts a sample at every length: nothing may panic, only the whole may be read, and the text of
    /// each error must name its layer.
    pub(crate) fn sweep(sample: &[u8], read: impl Fn(&[u8]) -> Result<(), ParseError>) {
        for cut in 0..sample.len() {
            let error = read(&sample[..cut]).expect_err("a truncated sample was accepted");
            assert!(error.to_string().starts_with(error.layer().name()), "{error}");
        }
        read(sample).expect("the whole sample is legal");
    }
}
