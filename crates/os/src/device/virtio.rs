//! `struct virtio_net_hdr` (virtio 1.2, 5.1.6): how TUN devices and packet sockets tell offloads. Ten bytes in the
//! byte order of the machine, in front of each frame.

use thru_stack::frame::{Checksum, Offload, Segmentation};

/// Its length, as the kernel has it unless told otherwise.
pub const LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_ECN: u8 = 0x80;

/// What the header in front of a received frame says. A header that makes no sense says nothing.
pub fn read(header: &[u8; LEN]) -> Offload {
    let [flags, kind, len_a, len_b, size_a, size_b, start_a, start_b, offset_a, offset_b] = *header;
    let checksum = if flags & NEEDS_CHECKSUM != 0 {
        let start = u16::from_ne_bytes([start_a, start_b]);
        Checksum::Partial { start, offset: u16::from_ne_bytes([offset_a, offset_b]) }
    } else if flags & DATA_VALID != 0 {
        Checksum::Verified
    } else {
        Checksum::Full
    };
    let segment_size = u16::from_ne_bytes([size_a, size_b]);
    let tcp = matches!(kind & !GSO_ECN, GSO_TCPV4 | GSO_TCPV6);
    let segmentation = (tcp && segment_size != 0).then(|| Segmentation {
        segment_size,
        header_len: u16::from_ne_bytes([len_a, len_b]),
        cwr_once: kind & GSO_ECN != 0,
    });
    Offload { segmentation, checksum }
}

/// The header to put in front of a frame; `v6`: whether its IP header is version 6.
pub fn write(offload: Offload, v6: bool) -> [u8; LEN] {
    let mut header = [0; LEN];
    if let Checksum::Partial { start, offset } = offload.checksum {
        header[0] = NEEDS_CHECKSUM;
        header[6..8].copy_from_slice(&start.to_ne_bytes());
        header[8..10].copy_from_slice(&offset.to_ne_bytes());
    }
    if let Some(Segmentation { segment_size, header_len, cwr_once }) = offload.segmentation {
        header[1] = if v6 { GSO_TCPV6 } else { GSO_TCPV4 };
        header[1] |= if cwr_once { GSO_ECN } else { 0 };
        header[2..4].copy_from_slice(&header_len.to_ne_bytes());
        header[4..6].copy_from_slice(&segment_size.to_ne_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let segmentation = Some(Segmentation { segment_size: 1_448, header_len: 66, cwr_once: true });
        for offload in [
            Offload::NONE,
            Offload { segmentation, checksum: Checksum::Partial { start: 34, offset: 16 } },
            Offload { segmentation: None, checksum: Checksum::Partial { start: 40, offset: 6 } },
        ] {
            for v6 in [false, true] {
                assert_eq!(read(&write(offload, v6)), offload);
            }
        }
    }

    #[test]
    fn a_header_that_makes_no_sense_says_nothing() {
        // A kind nobody knows, a size without a kind, a kind without a size.
        for (kind, size) in [(77, 1_000_u16), (0, 1_000), (1, 0)] {
            let mut header = [0; LEN];
            header[1] = kind;
            header[4..6].copy_from_slice(&size.to_ne_bytes());
            assert_eq!(read(&header), Offload::NONE);
        }
        let mut valid = [0; LEN];
        valid[0] = DATA_VALID;
        assert_eq!(read(&valid).checksum, Checksum::Verified);
    }
}
