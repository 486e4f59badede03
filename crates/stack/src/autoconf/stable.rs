//! Interface identifiers that are stable on one network, different on every other, and tell nothing about the hardware
//! (RFC 7217).

use core::hash::Hasher;
use core::net::{IpAddr, Ipv6Addr};

use siphasher::sip::SipHasher24;
use thru_wire::IpPrefix;

/// The address in a prefix of 64 bits that belongs to this secret and interface. `attempt`: how many were found to be
/// somebody else's (`DAD_Counter`). `None` for other prefixes.
///
/// The standard's function F is SipHash-2-4 here, a pseudo-random function of a 128-bit key whose 64 bits of output
/// are what is needed. `Net_Iface` is the interface's name; there is no `Network_ID`.
pub fn address(secret: &[u8; 16], prefix: IpPrefix, interface: &str, attempt: u8) -> Option<Ipv6Addr> {
    let IpAddr::V6(network) = prefix.network() else { return None };
    if prefix.len() != 64 {
        return None;
    }
    // An identifier with a meaning is passed over (RFC 7217 5, step 3): the next round gives another.
    (0_u8..=u8::MAX).find_map(|round| {
        let mut hasher = SipHasher24::new_with_key(secret);
        hasher.write(&network.octets()[..8]);
        hasher.write(interface.as_bytes());
        hasher.write(&[0xff, attempt, round]);
        let identifier = hasher.finish();
        (!is_reserved(identifier)).then(|| Ipv6Addr::from_bits(network.to_bits() | u128::from(identifier)))
    })
}

/// RFC 5453: subnet-router anycast; the anycast range at the end; identifiers of IANA's own Ethernet block, which stand
/// for a proxy of Proxy Mobile IPv6.
fn is_reserved(identifier: u64) -> bool {
    let anycast = 0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff;
    let iana = 0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff;
    identifier == 0 || anycast.contains(&identifier) || iana.contains(&identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ingredient_counts_and_the_same_give_the_same() {
        let prefix = |text: &str| text.parse::<IpPrefix>().unwrap();
        let make = |secret: u8, network: &str, interface: &str, attempt| {
            address(&[secret; 16], prefix(network), interface, attempt).unwrap()
        };
        let first = make(1, "2001:db8::/64", "eth0", 0);
        assert!(prefix("2001:db8::/64").contains(first.into()));
        assert_eq!(first, make(1, "2001:db8::/64", "eth0", 0));
        let others = [
            make(2, "2001:db8::/64", "eth0", 0),
            make(1, "2001:db8::/64", "eth1", 0),
            make(1, "2001:db8::/64", "eth0", 1),
        ];
        assert!(others.iter().all(|other| *other != first), "{others:?}");
        let elsewhere = make(1, "2001:db8:1::/64", "eth0", 0);
        assert_ne!(elsewhere.octets()[8..], first.octets()[8..]);
        assert_eq!(address(&[1; 16], prefix("2001:db8::/48"), "eth0", 0), None);
        assert_eq!(address(&[1; 16], prefix("192.0.2.0/24"), "eth0", 0), None);
    }

    #[test]
    fn identifiers_with_a_meaning_are_known() {
        assert!(is_reserved(0) && is_reserved(u64::MAX << 7 & 0xfdff_ffff_ffff_ffff));
        assert!(is_reserved(0x0200_5eff_fe00_5213) && !is_reserved(0x0200_5eff_fd00_0000));
    }
}
