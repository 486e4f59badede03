//! Neighbour solicitations and advertisements (RFC 4861 4.3, 4.4) as bytes of ICMPv6.

use core::net::Ipv6Addr;

use thru_wire::MacAddr;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// What a neighbour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ndp {
    Solicitation { target: Ipv6Addr, source_mac: Option<MacAddr> },
    Advertisement { target: Ipv6Addr, mac: Option<MacAddr>, solicited: bool, override_known: bool },
}

/// Reads a message whose checksum is right; `None` if it is not legal (RFC 4861 7.1.1, 7.1.2).
pub(crate) fn parse(message: &[u8]) -> Option<Ndp> {
    let (fixed, options) = message.split_at_checked(24)?;
    let target: [u8; 16] = fixed[8..].try_into().ok()?;
    let target = Ipv6Addr::from(target);
    if fixed[1] != 0 || target.is_multicast() {
        return None;
    }
    match fixed[0] {
        SOLICITATION => {
            let source_mac = link_address(options, SOURCE_LINK_ADDRESS)?;
            Some(Ndp::Solicitation { target, source_mac })
        }
        ADVERTISEMENT => {
            let mac = link_address(options, TARGET_LINK_ADDRESS)?;
            let flags = fixed[4];
            Some(Ndp::Advertisement {
                target,
                mac,
                solicited: flags & 0x40 != 0,
                override_known: flags & 0x20 != 0,
            })
        }
        _ => None,
    }
}

/// "Who has `target`? Tell `mac`."
pub(crate) fn solicitation(target: Ipv6Addr, mac: MacAddr) -> [u8; 32] {
    message(SOLICITATION, 0, target, SOURCE_LINK_ADDRESS, mac)
}

/// "`target` is at `mac`", which may replace what was known.
pub(crate) fn advertisement(target: Ipv6Addr, mac: MacAddr, router: bool, solicited: bool) -> [u8; 32] {
    let flags = u8::from(router) << 7 | u8::from(solicited) << 6 | 0x20;
    message(ADVERTISEMENT, flags, target, TARGET_LINK_ADDRESS, mac)
}

fn message(kind: u8, flags: u8, target: Ipv6Addr, option: u8, mac: MacAddr) -> [u8; 32] {
    let mut message = [0; 32];
    message[0] = kind;
    message[4] = flags;
    message[8..24].copy_from_slice(&target.octets());
    message[24] = option;
    message[25] = 1;
    message[26..].copy_from_slice(&mac.0);
    message
}

/// The link-layer address in the options, if there is one; outer `None` if an option is not legal.
fn link_address(mut options: &[u8], wanted: u8) -> Option<Option<MacAddr>> {
    let mut found = None;
    while let Some((&kind, rest)) = options.split_first() {
        let units = usize::from(*rest.first()?);
        if units == 0 {
            return None;
        }
        let (option, following) = options.split_at_checked(units * 8)?;
        if kind == wanted && found.is_none() {
            let mac: [u8; 6] = option[2..8].try_into().ok()?;
            found = Some(MacAddr(mac));
        }
        options = following;
    }
    Some(found)
}
