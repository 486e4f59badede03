//! The largest packet that fits through the path to a destination (RFC 1191, RFC 8201).

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use thru_wire::Instant;

use crate::random::KeyedState;

/// Destinations remembered; the one that would be forgotten first makes room.
const ENTRIES_MAX: usize = 1024;
/// RFC 1191 6.3: try larger packets again after 10 minutes.
const LIFETIME: Duration = Duration::from_secs(600);
/// A smaller value for IPv4 would let a forger make us send crumbs: take this and let routers fragment (Linux's
/// `min_pmtu`, for the same reason).
const MIN_V4: usize = 552;
/// RFC 8200 5: every link carries this much.
const MIN_V6: usize = 1280;
/// RFC 1191 7.1: sizes that occur in practice, for routers that don't tell theirs.
const PLATEAUS: [usize; 9] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 552, 68];

/// What is known about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathMtu {
    /// Largest packet.
    pub(crate) mtu: usize,
    /// The path claims less than we accept to send: leave Don't Fragment off, so that routers can cut our packets.
    pub(crate) fragment_on_the_way: bool,
}

#[derive(Debug)]
struct Entry {
    path: PathMtu,
    expires: Instant,
    order: u64,
}

/// Path MTUs smaller than the first link's, by destination.
#[derive(Debug)]
pub(crate) struct PathMtuCache {
    entries: HashMap<IpAddr, Entry, KeyedState>,
    by_age: BTreeMap<u64, IpAddr>,
    next_order: u64,
}

impl PathMtuCache {
    pub(crate) fn new(seed: u64) -> PathMtuCache {
        PathMtuCache {
            entries: HashMap::with_hasher(KeyedState::new(seed, "path mtu")),
            by_age: BTreeMap::new(),
            next_order: 0,
        }
    }

    /// What a router told, unless it has aged.
    pub(crate) fn get(&self, now: Instant, destination: IpAddr) -> Option<PathMtu> {
        let entry = self.entries.get(&destination)?;
        (now < entry.expires).then_some(entry.path)
    }

    /// Whether anything was told about this destination, however long ago.
    pub(crate) fn knows(&self, destination: IpAddr) -> bool {
        self.entries.contains_key(&destination)
    }

    /// A router said that a packet of `quoted_len` bytes to `destination` is too big and that `mtu` (0: it didn't
    /// say) would do. The caller has checked that the packet was ours. Answers what is believed from now on, or
    /// `None` if the message changes nothing: a path MTU only shrinks this way (RFC 8201 4).
    pub(crate) fn told(
        &mut self,
        now: Instant,
        destination: IpAddr,
        mtu: usize,
        quoted_len: usize,
    ) -> Option<PathMtu> {
        let path = match destination {
            IpAddr::V6(_) if mtu < MIN_V6 => return None,
            IpAddr::V6(_) => PathMtu { mtu, fragment_on_the_way: false },
            IpAddr::V4(_) => {
                let mtu = if mtu == 0 { plateau_below(quoted_len) } else { mtu };
                PathMtu { mtu: mtu.max(MIN_V4), fragment_on_the_way: mtu < MIN_V4 }
            }
        };
        // A router that asks for at least what it got doesn't know what it says.
        if path.mtu >= quoted_len && !path.fragment_on_the_way {
            return None;
        }
        if self.get(now, destination).is_some_and(|known| known.mtu < path.mtu || known == path) {
            return None;
        }
        self.insert(now, destination, path);
        Some(path)
    }

    fn insert(&mut self, now: Instant, destination: IpAddr, path: PathMtu) {
        if let Some(old) = self.entries.remove(&destination) {
            self.by_age.remove(&old.order);
        } else if self.entries.len() >= ENTRIES_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.entries.remove(&oldest);
        }
        let order = self.next_order;
        self.next_order += 1;
        self.by_age.insert(order, destination);
        self.entries.insert(destination, Entry { path, expires: now + LIFETIME, order });
    }
}

fn plateau_below(len: usize) -> usize {
    PLATEAUS.into_iter().find(|&plateau| plateau < len).unwrap_or(68)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const V6: IpAddr = IpAddr::V6(core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    fn mtu(cache: &PathMtuCache, now: Instant, to: IpAddr) -> Option<usize> {
        cache.get(now, to).map(|path| path.mtu)
    }

    #[test]
    fn only_shrinks_until_it_ages() {
        let mut cache = PathMtuCache::new(1);
        let start = Instant::START;
        assert!(cache.told(start, V4, 1400, 1500).is_some());
        assert!(cache.told(start, V4, 1450, 1500).is_none());
        assert_eq!(mtu(&cache, start, V4), Some(1400));
        let late = start + LIFETIME;
        assert_eq!(mtu(&cache, late, V4), None);
        assert!(cache.told(late, V4, 1450, 1500).is_some());
        assert_eq!(mtu(&cache, late, V4), Some(1450));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let mut cache = PathMtuCache::new(1);
        assert!(cache.told(Instant::START, V6, 1279, 1500).is_none());
        assert!(cache.told(Instant::START, V6, 1500, 1400).is_none());
        assert!(cache.told(Instant::START, V6, 1280, 1500).is_some());
        assert!(cache.told(Instant::START, V4, 1500, 1500).is_none());
    }

    #[test]
    fn tiny_values_mean_fragmentation_on_the_way() {
        let mut cache = PathMtuCache::new(1);
        let path = cache.told(Instant::START, V4, 68, 1500).unwrap();
        assert_eq!(path, PathMtu { mtu: MIN_V4, fragment_on_the_way: true });
    }

    #[test]
    fn an_old_router_gets_the_next_plateau() {
        let mut cache = PathMtuCache::new(1);
        assert_eq!(cache.told(Instant::START, V4, 0, 1500).unwrap().mtu, 1492);
        assert_eq!(cache.told(Instant::START, V4, 0, 1492).unwrap().mtu, 1006);
    }

    #[test]
    fn is_bounded() {
        let mut cache = PathMtuCache::new(1);
        for host in 0..5_000_u32 {
            let to = IpAddr::V4(core::net::Ipv4Addr::from(0x0a00_0000 + host));
            assert!(cache.told(Instant::START, to, 1400, 1500).is_some());
        }
        assert_eq!(cache.entries.len(), ENTRIES_MAX);
        assert_eq!(cache.by_age.len(), ENTRIES_MAX);
    }
}
