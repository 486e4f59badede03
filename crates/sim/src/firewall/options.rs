//! Boxes that "clean" TCP: they overwrite options that they do not know with padding.

use thru_wire::ipv4::Protocol;

use super::packet::Seen;

/// No operation: what fills the place of an option.
const PADDING: u8 = 1;

/// Overwrites the TCP options whose bit is set in `kinds` with padding, and mends the checksum. Anything that is no TCP
/// header with whole options stays as it is.
pub(super) fn strip(packet: &mut [u8], kinds: u32) {
    let Some((at, end)) = options(packet) else { return };
    let start = at.saturating_sub(20);
    let mut place = at;
    while let Some(&kind) = packet.get(place).filter(|_| place < end) {
        let length = match (kind, packet.get(place + 1)) {
            (0, _) => return,
            (PADDING, _) => 1,
            (_, Some(length)) if *length >= 2 && place + usize::from(*length) <= end => usize::from(*length),
            _ => return,
        };
        if kind < 32 && kinds & (1 << kind) != 0 {
            for byte in place..place + length {
                overwrite(packet, start, byte);
            }
        }
        place += length;
    }
}

/// Where the options of a TCP packet begin and end.
fn options(packet: &[u8]) -> Option<(usize, usize)> {
    let seen = Seen::of(packet).filter(|seen| seen.protocol == Protocol::TCP)?;
    let header = usize::from(seen.transport.get(12)? >> 4) * 4;
    // IPv4 packets may be padded at their end, so the place is counted from the front.
    let start = seen.transport.as_ptr() as usize - packet.as_ptr() as usize;
    (header > 20 && seen.transport.len() >= header).then_some((start + 20, start + header))
}

/// One byte becomes padding; the checksum follows (RFC 1624).
fn overwrite(packet: &mut [u8], tcp: usize, byte: usize) {
    // The word that the byte is a part of, counted from the TCP header, which is what is summed.
    let word = byte - (byte - tcp) % 2;
    let read = |packet: &[u8], at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let before = read(packet, word);
    packet[byte] = PADDING;
    let after = read(packet, word);
    let sum = u32::from(!read(packet, tcp + 16)) + u32::from(!before) + u32::from(after);
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    packet[tcp + 16..tcp + 18].copy_from_slice(&(!(folded as u16)).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use thru_wire::checksum::PseudoHeader;
    use thru_wire::ipv4::Ipv4;
    use thru_wire::tcp::{Flags, Tcp, TcpOptions, TcpView};

    fn syn() -> Vec<u8> {
        let options =
            TcpOptions { mss: Some(1460), sack_permitted: true, window_scale: Some(7), ..TcpOptions::NONE };
        let tcp = Tcp { src_port: 50_000, dst_port: 443, flags: Flags::SYN, options, ..Tcp::default() };
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        (Ipv4 { src, dst, ..Ipv4::default() } / tcp).to_vec()
    }

    #[test]
    fn the_options_go_and_the_checksum_holds() {
        for kinds in [0u32, 1 << 2, 1 << 3, 1 << 4, 1 << 3 | 1 << 4, u32::MAX] {
            let mut packet = syn();
            strip(&mut packet, kinds);
            let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into());
            let view = TcpView::new(&packet[20..]).unwrap();
            assert!(view.checksum_is_valid(&PseudoHeader::new(src, dst, Protocol::TCP)), "{kinds:#x}");
            let left = TcpOptions::parse(&packet[40..20 + view.header_len()]).unwrap();
            let kept = |kind: u32| kinds & (1 << kind) == 0;
            assert_eq!(left.mss.is_some(), kept(2), "{kinds:#x}");
            assert_eq!(left.window_scale.is_some(), kept(3), "{kinds:#x}");
            assert_eq!(left.sack_permitted, kept(4), "{kinds:#x}");
        }
    }

    #[test]
    fn no_bytes_are_too_strange() {
        let packet = syn();
        for cut in 0..packet.len() {
            strip(&mut packet[..cut].to_vec(), u32::MAX);
        }
        for (place, byte) in
            (0..packet.len()).flat_map(|place| [0, 1, 3, 0x1f, 0xff].map(|byte| (place, byte)))
        {
            let mut broken = packet.clone();
            broken[place] = byte;
            strip(&mut broken, u32::MAX);
        }
    }
}
