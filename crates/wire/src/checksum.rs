//! The Internet checksum (RFC 1071), pseudo headers, and incremental update (RFC 1624).
//!
//! [`Sum`] accumulates; [`of`] and [`is_valid`] are the one-line forms. Sums are kept in the
//! machine's byte order, which RFC 1071 section 2 (B) allows: only the last step swaps.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ipv4::Protocol;

/// A one's complement sum in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Sum of 16-bit words in native byte order, with room for carries.
    total: u64,
    /// Whether an odd number of bytes was added so far.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    pub const EMPTY: Sum = Sum { total: 0, odd: false };

    /// The sum of `bytes`.
    #[inline]
    pub fn of(bytes: &[u8]) -> Sum {
        Sum { total: sum_words(bytes), odd: bytes.len() % 2 == 1 }
    }

    /// Adds bytes that follow those added before. Pieces of odd length are fine.
    #[inline]
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.add_sum(Sum::of(bytes));
    }

    /// Adds a 16-bit field. Must be called at an even offset.
    #[inline]
    pub fn add_u16(&mut self, value: u16) {
        debug_assert!(!self.odd, "a 16-bit field at an odd offset");
        self.total += u64::from(value.to_be());
    }

    /// Adds a 32-bit field. Must be called at an even offset.
    #[inline]
    pub fn add_u32(&mut self, value: u32) {
        debug_assert!(!self.odd, "a 32-bit field at an odd offset");
        // A sum of 32-bit words folds to that of their halves.
        self.total += u64::from(value.to_be());
    }

    /// Adds a sum computed elsewhere over bytes that follow.
    #[inline]
    pub fn add_sum(&mut self, other: Sum) {
        self.total += if self.odd {
            // RFC 1071 section 2 (B): the sum of byte-swapped words is the byte-swapped sum.
            u64::from(fold(other.total).swap_bytes())
        } else {
            // Folded half way, so that no number of additions overflows.
            (other.total >> 32) + (other.total & 0xffff_ffff)
        };
        self.odd ^= other.odd;
    }

    /// The checksum to put into a header whose checksum field was zero while summing.
    #[inline]
    pub fn checksum(self) -> u16 {
        !u16::from_be(fold(self.total))
    }

    /// Whether a sum that included the checksum field is that of undamaged bytes.
    #[inline]
    pub fn is_valid(self) -> bool {
        fold(self.total) == 0xffff
    }
}

/// The checksum of `bytes`, whose checksum field must be zero.
#[inline]
pub fn of(bytes: &[u8]) -> u16 {
    Sum::of(bytes).checksum()
}

/// Whether `bytes`, which include their checksum, are undamaged.
#[inline]
pub fn is_valid(bytes: &[u8]) -> bool {
    Sum::of(bytes).is_valid()
}

/// The checksum after a 16-bit word changed from `old` to `new` (RFC 1624 equation 3).
pub fn update_u16(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    !fold(u64::from(sum))
}

/// The checksum after a 32-bit field at an even offset changed.
pub fn update_u32(checksum: u16, old: u32, new: u32) -> u16 {
    let high = update_u16(checksum, (old >> 16) as u16, (new >> 16) as u16);
    update_u16(high, old as u16, new as u16)
}

/// The checksum after a run of bytes at an even offset changed.
///
/// # Panics
///
/// If the two have different lengths, or an odd one.
pub fn update_bytes(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    assert_eq!(old.len(), new.len(), "an update keeps the length");
    assert!(old.len().is_multiple_of(2), "an update covers whole words");
    old.chunks_exact(2).zip(new.chunks_exact(2)).fold(checksum, |sum, (old, new)| {
        update_u16(sum, u16::from_be_bytes([old[0], old[1]]), u16::from_be_bytes([new[0], new[1]]))
    })
}

/// The checksum after an address inside it (or inside its pseudo header) changed, as NAT does it.
///
/// Both addresses must be of one family; otherwise the sum is that of the words of each, which is what
/// a translation between families needs too (RFC 7915 section 4.1).
pub fn update_address(checksum: u16, old: IpAddr, new: IpAddr) -> u16 {
    let words = |address: IpAddr| match address {
        IpAddr::V4(address) => fold(sum_words(&address.octets())),
        IpAddr::V6(address) => fold(sum_words(&address.octets())),
    };
    update_u16(checksum, u16::from_be(words(old)), u16::from_be(words(new)))
}

/// The pseudo header over which UDP, TCP and ICMPv6 compute their checksum, minus the length
/// (RFC 9293 section 3.1, RFC 8200 section 8.1). Its address part is summed once, when made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PseudoHeader {
    sum: Sum,
    is_v6: bool,
}

impl PseudoHeader {
    /// Nothing: for a layer that stands without an IP header around it.
    pub const NONE: PseudoHeader = PseudoHeader { sum: Sum::EMPTY, is_v6: false };

    /// The pseudo header of `protocol` between two addresses.
    ///
    /// # Panics
    ///
    /// If the addresses are of different families.
    #[inline]
    pub fn new(src: IpAddr, dst: IpAddr, protocol: Protocol) -> PseudoHeader {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => PseudoHeader::v4(src, dst, protocol),
            (IpAddr::V6(src), IpAddr::V6(dst)) => PseudoHeader::v6(src, dst, protocol),
            _ => panic!("a packet has addresses of one family"),
        }
    }

    /// The pseudo header of `protocol` over IPv4.
    #[inline]
    pub fn v4(src: Ipv4Addr, dst: Ipv4Addr, protocol: Protocol) -> PseudoHeader {
        let mut sum = Sum::EMPTY;
        sum.add_u32(src.to_bits());
        sum.add_u32(dst.to_bits());
        sum.add_u16(u16::from(protocol.0));
        PseudoHeader { sum, is_v6: false }
    }

    /// The pseudo header of `protocol` over IPv6.
    #[inline]
    pub fn v6(src: Ipv6Addr, dst: Ipv6Addr, protocol: Protocol) -> PseudoHeader {
        let mut sum = Sum::EMPTY;
        sum.add_bytes(&src.octets());
        sum.add_bytes(&dst.octets());
        sum.add_u16(u16::from(protocol.0));
        PseudoHeader { sum, is_v6: true }
    }

    /// Whether it is IPv6's, which forbids UDP without a checksum (RFC 8200 section 8.1).
    pub fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// The sum to start from for an upper-layer packet of `len` bytes.
    #[inline]
    pub fn sum(&self, len: usize) -> Sum {
        let mut sum = self.sum;
        sum.add_u32(len as u32);
        sum
    }

    /// Whether `bytes`, an upper-layer packet with its checksum, is undamaged.
    #[inline]
    pub fn is_valid(&self, bytes: &[u8]) -> bool {
        let mut sum = self.sum(bytes.len());
        sum.add_bytes(bytes);
        sum.is_valid()
    }
}

/// Sum of native-endian words, as a u64 that cannot have overflowed below 16 GiB: 32-bit words, whose sum
/// folds to that of their halves, in eight independent lanes, so that the compiler may vectorise.
#[inline]
fn sum_words(bytes: &[u8]) -> u64 {
    if bytes.len() <= SHORT { sum_few_words(bytes) } else { sum_many_words(bytes) }
}

/// Headers: what more lanes would cost is more than they would gain.
const SHORT: usize = 60;

/// On its own, never as a part of [`sum_many_words`]: the compiler would lay that out for the rest rather than for the
/// lanes, at four times the cost.
#[inline(never)]
fn sum_few_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let start = u64::from(u32::from_ne_bytes(last));
    words.iter().fold(start, |sum, word| sum + u64::from(u32::from_ne_bytes(*word)))
}

fn sum_many_words(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let mut lanes = [0u64; 8];
    for chunk in chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk.as_chunks::<4>().0) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().sum::<u64>() + sum_few_words(rest)
}

/// Adds the carries back in until 16 bits are left.
#[inline]
fn fold(mut sum: u64) -> u16 {
    sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

#[cfg(test)]
mod tests;
