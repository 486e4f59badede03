//! Tables with a bound: what was not used for long is forgotten when room is needed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::net::IpAddr;

/// Makes [`FoldHasher`]s.
type Fold = BuildHasherDefault<FoldHasher>;

/// A hash that costs a multiplication for eight bytes: each packet of a stream asks a table several times. Keys that
/// were made to collide cost time, but the tables are bounded.
#[derive(Debug, Default)]
pub(crate) struct FoldHasher(u64);

impl FoldHasher {
    #[inline]
    fn fold(&mut self, word: u64) {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        const START: u64 = 0x243F_6A88_85A3_08D3;
        let product = u128::from(self.0 ^ word ^ START) * u128::from(ODD);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for FoldHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.fold(u64::from(number));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    #[inline]
    fn write_isize(&mut self, number: isize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map of at most `2 * HALF` entries. Two generations: what is looked up moves to the young one; when that is full,
/// the old one is forgotten. A capture of any length thus needs the same memory, and nothing is ever scanned.
#[derive(Debug)]
pub(crate) struct Recent<K, V, const HALF: usize> {
    young: HashMap<K, V, Fold>,
    old: HashMap<K, V, Fold>,
}

impl<K, V, const HALF: usize> Default for Recent<K, V, HALF> {
    fn default() -> Self {
        Recent { young: HashMap::default(), old: HashMap::default() }
    }
}

impl<K: Hash + Eq + Clone, V, const HALF: usize> Recent<K, V, HALF> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// The entry, now among the young.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.old.is_empty()
            && !self.young.contains_key(key)
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_else(make);
            self.insert(key.clone(), value);
        }
        self.young.get_mut(&key).expect("it was found or inserted")
    }

    /// All entries, in no order.
    fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }
}

impl<K: Hash + Eq + Clone, V: Copy, const HALF: usize> Recent<K, V, HALF> {
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.get_mut(key).copied()
    }
}

/// An address and a port.
pub(crate) type End = (IpAddr, u16);

/// Flows between two ends, numbered in the order in which they were first seen.
///
/// The one that was asked for last is at hand: a packet asks for its flow again and again.
#[derive(Debug)]
pub(crate) struct Flows<F> {
    /// Boxed: a table that grows moves its entries.
    known: Recent<(End, End), Box<F>, 16_384>,
    last: Option<((End, End), Box<F>)>,
    count: u64,
}

impl<F> Default for Flows<F> {
    fn default() -> Self {
        Flows { known: Recent::default(), last: None, count: 0 }
    }
}

impl<F: NewFlow> Flows<F> {
    /// The flow between two ends, whichever of them sends.
    pub(crate) fn flow(&mut self, a: End, b: End) -> &mut F {
        let key = if a <= b { (a, b) } else { (b, a) };
        if self.last.as_ref().is_none_or(|(known, _)| *known != key) {
            if let Some((key, flow)) = self.last.take() {
                self.known.insert(key, flow);
            }
            let flow = self.known.remove(&key).unwrap_or_else(|| {
                self.count += 1;
                Box::new(F::new(self.count - 1))
            });
            self.last = Some((key, flow));
        }
        let (_, flow) = self.last.as_mut().expect("it was just put there");
        flow
    }

    /// All flows that are known, in no order.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut F> {
        let last = self.last.iter_mut().map(|(_, flow)| flow);
        self.known.values_mut().chain(last).map(|flow| &mut **flow)
    }

    /// The ends of the flow that is meant, the lesser first.
    pub(crate) fn ends(&self, is_meant: impl Fn(&F) -> bool) -> Option<(End, End)> {
        let last = self.last.as_ref().map(|(ends, flow)| (ends, flow));
        let known = self.known.young.iter().chain(&self.known.old);
        known.chain(last).find(|(_, flow)| is_meant(flow)).map(|(ends, _)| *ends)
    }

    /// Leaves out a number.
    pub(crate) fn skip_number(&mut self) {
        self.count += 1;
    }

    /// Gives the flow's place to a new one between the same ends, which gets the next number.
    pub(crate) fn renew(&mut self, a: End, b: End) -> &mut F {
        let key = if a <= b { (a, b) } else { (b, a) };
        if self.last.take_if(|(known, _)| *known == key).is_none() {
            self.known.remove(&key);
        }
        self.flow(a, b)
    }
}

/// How a flow begins.
pub(crate) trait NewFlow {
    fn new(index: u64) -> Self;
}

/// What is remembered of a UDP flow.
#[derive(Debug)]
pub(crate) struct UdpFlow {
    pub(crate) index: u64,
    pub(crate) first: Option<u64>,
    pub(crate) previous: Option<u64>,
    /// Which conversation of the two that SNMP makes this is: the one after the first request.
    pub(crate) is_second: bool,
    /// The next packet begins the second.
    pub(crate) is_over: bool,
    /// Who was found to speak here.
    pub(crate) owner: crate::protocols::ports::Owner,
}

impl NewFlow for UdpFlow {
    fn new(index: u64) -> UdpFlow {
        UdpFlow {
            index,
            first: None,
            previous: None,
            is_second: false,
            is_over: false,
            owner: Default::default(),
        }
    }
}
