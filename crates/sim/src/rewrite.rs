//! Changing addresses and ports in packets, with their checksums.

/// RFC 1624 (equation 3): the checksum after one 16-bit word changed.
pub(crate) fn adjusted(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}
