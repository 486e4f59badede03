//! Values by address prefix: of those that hold an address the longest counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Values by prefix. What a look-up costs depends on how many lengths there are, not on how many prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes<T> {
    /// By length, then by the address's bits.
    v4: BTreeMap<u8, BTreeMap<u32, T>>,
    v6: BTreeMap<u8, BTreeMap<u128, T>>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Prefixes<T> {
        Prefixes { v4: BTreeMap::new(), v6: BTreeMap::new() }
    }
}

fn cut4(address: u32, length: u8) -> u32 {
    if length == 0 { 0 } else { address & (u32::MAX << (32 - u32::from(length.min(32)))) }
}

fn cut6(address: u128, length: u8) -> u128 {
    if length == 0 { 0 } else { address & (u128::MAX << (128 - u32::from(length.min(128)))) }
}

impl<T> Prefixes<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The value of this prefix, if it has one. Bits behind its length do not matter.
    pub fn get_mut(&mut self, address: IpAddr, length: u8) -> Option<&mut T> {
        match address {
            IpAddr::V4(v4) => self.v4.get_mut(&length)?.get_mut(&cut4(v4.into(), length)),
            IpAddr::V6(v6) => self.v6.get_mut(&length)?.get_mut(&cut6(v6.into(), length)),
        }
    }

    /// Gives a prefix a value; the one it had, if it had one.
    pub fn insert(&mut self, address: IpAddr, length: u8, value: T) -> Option<T> {
        match address {
            IpAddr::V4(v4) => self.v4.entry(length).or_default().insert(cut4(v4.into(), length), value),
            IpAddr::V6(v6) => self.v6.entry(length).or_default().insert(cut6(v6.into(), length), value),
        }
    }

    /// The value of the longest prefix that holds the address.
    pub fn longest(&self, address: IpAddr) -> Option<&T> {
        self.holding(address).next()
    }

    /// The values of all prefixes that hold the address, the longest first.
    pub fn holding(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        let (v4, v6) = match address {
            IpAddr::V4(v4) => (Some(u32::from(v4)), None),
            IpAddr::V6(v6) => (None, Some(u128::from(v6))),
        };
        let of_v4 = v4.into_iter().flat_map(|address| {
            self.v4.iter().rev().filter_map(move |(length, places)| places.get(&cut4(address, *length)))
        });
        let of_v6 = v6.into_iter().flat_map(|address| {
            self.v6.iter().rev().filter_map(move |(length, places)| places.get(&cut6(address, *length)))
        });
        of_v4.chain(of_v6)
    }
}

impl<T: Default> Prefixes<T> {
    /// The value of this prefix, made now if there was none.
    pub fn entry(&mut self, address: IpAddr, length: u8) -> &mut T {
        if self.get_mut(address, length).is_none() {
            self.insert(address, length, T::default());
        }
        self.get_mut(address, length).expect("just put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::in_prefix;
    use proptest::prelude::*;

    #[test]
    fn the_longest_counts() {
        let mut places = Prefixes::default();
        let at = |text: &str| text.parse::<IpAddr>().expect("an address");
        places.insert(at("10.0.0.0"), 8, "eight");
        places.insert(at("10.1.0.9"), 16, "sixteen");
        places.insert(at("::"), 0, "all of six");
        assert_eq!(places.longest(at("10.1.2.3")), Some(&"sixteen"));
        assert_eq!(places.longest(at("10.2.2.3")), Some(&"eight"));
        assert_eq!(places.longest(at("11.2.2.3")), None);
        assert_eq!(places.longest(at("2001:db8::1")), Some(&"all of six"));
    }

    proptest! {
        #[test]
        fn as_a_walk_over_all_would(
            prefixes in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..40),
            address in any::<u32>(),
        ) {
            let mut places = Prefixes::default();
            for (at, length) in &prefixes {
                places.insert(IpAddr::V4((*at).into()), *length, *length);
            }
            let fitting = prefixes.iter().filter(|(at, length)| {
                in_prefix(IpAddr::V4(address.into()), IpAddr::V4((*at).into()), *length)
            });
            let wanted = fitting.map(|(_, length)| *length).max();
            prop_assert_eq!(places.longest(IpAddr::V4(address.into())).copied(), wanted);
        }
    }
}
