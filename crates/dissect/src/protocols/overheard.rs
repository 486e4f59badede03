//! Signalling of calls that is not shown, but heard: where it says that media will go. Cisco's phones (SKINNY) say it in
//! words of four bytes, media gateways (MEGACO, MGCP) in session descriptions.

use super::rtp::Announced;
use super::sdp;
use crate::context::Context;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// SKINNY's port.
const SKINNY: u16 = 2000;
/// The ports of MGCP and MEGACO in words.
const GATEWAYS: [u16; 3] = [2427, 2727, 2944];
/// So many messages of a segment are looked at.
const MESSAGES_MAX: usize = 64;

/// Listens to the bytes of a TCP segment that nobody shows.
pub(crate) fn segment(cx: &mut Context<'_>, bytes: &[u8]) {
    if ![cx.src_port, cx.dst_port].contains(&SKINNY) || cx.is_quoted {
        return;
    }
    let mut rest = bytes;
    for _ in 0..MESSAGES_MAX {
        let Some(size) = word(rest, 0) else { return };
        let size = size as usize;
        let Some(message) = rest.get(..size.saturating_add(8)).filter(|_| size >= 4) else { return };
        skinny(cx, message);
        rest = &rest[message.len()..];
    }
}

/// Listens to a datagram that nobody shows.
pub(crate) fn datagram(cx: &mut Context<'_>, bytes: &[u8]) {
    if GATEWAYS.iter().any(|port| [cx.src_port, cx.dst_port].contains(port)) {
        sdp::overhear(cx, bytes);
    }
}

/// A word of a message, least significant byte first.
fn word(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// A message: its length, a version, its kind. Three kinds name an address and a port.
fn skinny(cx: &mut Context<'_>, message: &[u8]) {
    const NEW: u32 = 17;
    let place = match word(message, 8) {
        // That a phone listens, that it shall send, that it does.
        Some(0x22) => 16,
        Some(0x8A) => 20,
        Some(0x154) => 24,
        _ => return,
    };
    // Newer versions say of which family an address is, and have room for both.
    let (family, address, port) = match word(message, 4) {
        Some(NEW..) => (word(message, place).unwrap_or(0), place + 4, place + 20),
        _ => (0, place, place + 4),
    };
    let Some(bytes) = message.get(address..) else { return };
    let address = match (family, bytes.first_chunk::<4>(), bytes.first_chunk::<16>()) {
        (0, Some(v4), _) => IpAddr::V4(Ipv4Addr::from(*v4)),
        (1, _, Some(v6)) => IpAddr::V6(Ipv6Addr::from(*v6)),
        _ => return,
    };
    if let Some(port) =
        word(message, port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
    {
        let announced = Announced { frame: cx.number, is_control: false, event_type: 0, method: b"SKINNY" };
        announced.remember(cx, address, port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    /// The method by which a port was announced in a segment of a phone.
    fn method(bytes: &[u8], address: [u8; 4], port: u16) -> Option<&'static [u8]> {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        cx.dst_port = SKINNY;
        segment(&mut cx, bytes);
        state.media.get(&(address.into(), port)).map(|announced| announced.method)
    }

    fn message(version: u32, words: &[u32]) -> Vec<u8> {
        let size = 4 + 4 * words.len() as u32 - 4;
        [size, version].iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_phone_says_where_it_listens() {
        let old = message(0, &[0x22, 0, u32::from_le_bytes([10, 0, 0, 7]), 4000]);
        assert_eq!(method(&old, [10, 0, 0, 7], 4000), Some(&b"SKINNY"[..]));
        let new = message(20, &[0x8A, 1, 2, 0, u32::from_le_bytes([10, 0, 0, 8]), 0, 0, 0, 5000]);
        assert_eq!(method(&[old.clone(), new].concat(), [10, 0, 0, 8], 5000), Some(&b"SKINNY"[..]));
        assert_eq!(
            method(&old, [10, 0, 0, 7], 4001),
            Some(&b"SKINNY"[..]),
            "reports go to the port behind it"
        );
    }

    #[test]
    fn a_message_may_end_anywhere() {
        let whole = message(20, &[0x154, 1, 2, 3, 1, 0, 0, 0, 0, 70_000]);
        for end in 0..whole.len() {
            assert_eq!(method(&whole[..end], [0; 4], 4000), None);
        }
        assert_eq!(method(&[0xFF; 64], [0xFF; 4], 0xFFFF), None);
    }
}
