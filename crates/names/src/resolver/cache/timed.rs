//! A bounded map whose entries expire; when it is full, what would go first makes room.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use thru_wire::Instant;

/// Bounded in entries, and in octets where a weight is given. Keys are held twice: those that are long are shared.
#[derive(Debug)]
pub(in crate::resolver) struct Timed<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_end: BTreeSet<(Instant, K)>,
    max: usize,
    /// What an entry's value weighs, in octets.
    weigh: fn(&V) -> usize,
    octets: usize,
    octets_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    /// From this instant on it may not be used.
    expires: Instant,
    /// When it is forgotten.
    end: Instant,
    value: V,
}

impl<K: Ord + Clone, V> Timed<K, V> {
    pub(in crate::resolver) fn new(max: usize) -> Timed<K, V> {
        Timed::weighed(max, usize::MAX, |_| 0)
    }

    /// A map that also holds no more than `octets_max` by `weigh`.
    pub(in crate::resolver) fn weighed(max: usize, octets_max: usize, weigh: fn(&V) -> usize) -> Timed<K, V> {
        let (entries, by_end) = (BTreeMap::new(), BTreeSet::new());
        Timed { entries, by_end, max: max.max(1), weigh, octets: 0, octets_max }
    }

    fn entry<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&Entry<V>>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key)
    }

    pub(in crate::resolver) fn get<Q: Ord + ?Sized>(&self, now: Instant, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entry(key).filter(|entry| now < entry.expires).map(|entry| &entry.value)
    }

    /// With the instant from which on it may not be used.
    pub(in crate::resolver) fn get_until<Q: Ord + ?Sized>(
        &self,
        now: Instant,
        key: &Q,
    ) -> Option<(&V, Instant)>
    where
        K: Borrow<Q>,
    {
        self.entry(key).filter(|entry| now < entry.expires).map(|entry| (&entry.value, entry.expires))
    }

    /// Also what has expired, as long as it is not forgotten.
    pub(in crate::resolver) fn get_stale<Q: Ord + ?Sized>(&self, now: Instant, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entry(key).filter(|entry| now < entry.end).map(|entry| &entry.value)
    }

    /// The entry with the greatest key that is not greater than `key`.
    pub(in crate::resolver) fn at_or_before(&self, now: Instant, key: &K) -> Option<(&K, &V)> {
        let (key, entry) = self.entries.range(..=key).next_back()?;
        (now < entry.expires).then_some((key, &entry.value))
    }

    /// Entries from this key on, in order.
    pub(in crate::resolver) fn from(&self, now: Instant, key: &K) -> impl Iterator<Item = (&K, &V)> {
        self.entries
            .range(key..)
            .filter(move |(_, entry)| now < entry.expires)
            .map(|(key, entry)| (key, &entry.value))
    }

    pub(in crate::resolver) fn put(&mut self, now: Instant, expires: Instant, key: K, value: V) {
        self.put_until(now, expires, expires, key, value);
    }

    /// Keeps it usable until `expires`, and at hand until `end`.
    pub(in crate::resolver) fn put_until(
        &mut self,
        now: Instant,
        expires: Instant,
        end: Instant,
        key: K,
        value: V,
    ) {
        self.remove(&key);
        self.octets += (self.weigh)(&value);
        self.entries.insert(key.clone(), Entry { expires, end, value });
        self.by_end.insert((end, key));
        let full = |map: &Timed<K, V>| map.entries.len() > map.max || map.octets > map.octets_max;
        while full(self) || self.by_end.first().is_some_and(|(at, _)| *at < now) {
            let Some((_, first)) = self.by_end.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&first) {
                self.octets -= (self.weigh)(&entry.value);
            }
        }
    }

    pub(in crate::resolver) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some((key, old)) = self.entries.remove_entry(key) {
            self.octets -= (self.weigh)(&old.value);
            self.by_end.remove(&(old.end, key));
        }
    }

    /// Removes all entries with such keys; how many there were.
    pub(in crate::resolver) fn drop_where(&mut self, unwanted: impl Fn(&K) -> bool) -> usize {
        let keys: Vec<K> = self.entries.keys().filter(|key| unwanted(key)).cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
        keys.len()
    }

    /// Lets an entry's time be over without forgetting it.
    pub(in crate::resolver) fn expire<Q: Ord + ?Sized>(&mut self, now: Instant, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.expires = now;
        }
    }

    /// Keeps an entry at hand until `end` at least, also one whose end has come but that is still here.
    pub(in crate::resolver) fn prolong<Q: Ord + ?Sized>(&mut self, key: &Q, end: Instant) -> bool
    where
        K: Borrow<Q>,
    {
        let Some((key, mut entry)) = self.entries.remove_entry(key) else { return false };
        self.by_end.remove(&(entry.end, key.clone()));
        entry.end = entry.end.max(end);
        self.by_end.insert((entry.end, key.clone()));
        self.entries.insert(key, entry);
        true
    }

    pub(in crate::resolver) fn clear(&mut self) {
        self.entries.clear();
        self.by_end.clear();
        self.octets = 0;
    }

    pub(in crate::resolver) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the values weigh.
    pub(in crate::resolver) fn octets(&self) -> usize {
        self.octets
    }
}
