//! A bounded map whose entries expire; when it is full, what would go first makes room.

use std::collections::{BTreeMap, BTreeSet};

use thru_wire::Instant;

#[derive(Debug)]
pub(in crate::resolver) struct Timed<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_end: BTreeSet<(Instant, K)>,
    max: usize,
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
        Timed { entries: BTreeMap::new(), by_end: BTreeSet::new(), max: max.max(1) }
    }

    pub(in crate::resolver) fn get(&self, now: Instant, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| now < entry.expires).map(|entry| &entry.value)
    }

    /// Also what has expired, as long as it is not forgotten.
    pub(in crate::resolver) fn get_stale(&self, now: Instant, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| now < entry.end).map(|entry| &entry.value)
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
        if let Some(old) = self.entries.insert(key.clone(), Entry { expires, end, value }) {
            self.by_end.remove(&(old.end, key.clone()));
        }
        self.by_end.insert((end, key));
        while self.entries.len() > self.max || self.by_end.first().is_some_and(|(at, _)| *at < now) {
            let Some((_, first)) = self.by_end.pop_first() else { break };
            self.entries.remove(&first);
        }
    }

    pub(in crate::resolver) fn remove(&mut self, key: &K) {
        if let Some(old) = self.entries.remove(key) {
            self.by_end.remove(&(old.end, key.clone()));
        }
    }

    /// Removes all entries with such keys; how many there were.
    pub(in crate::resolver) fn drop_where(&mut self, unwanted: impl Fn(&K) -> bool) -> usize {
        let keys: Vec<K> = self.entries.keys().filter(|key| unwanted(key)).cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
        keys.len()
    }

    /// Lets an entry's time be over without forgetting it.
    pub(in crate::resolver) fn expire(&mut self, now: Instant, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.expires = now;
        }
    }

    pub(in crate::resolver) fn clear(&mut self) {
        self.entries.clear();
        self.by_end.clear();
    }

    pub(in crate::resolver) fn len(&self) -> usize {
        self.entries.len()
    }
}
