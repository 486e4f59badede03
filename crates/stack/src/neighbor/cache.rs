//! Who has which hardware address, and how sure we are: the states of RFC 4861 7.3.2, for ARP and NDP alike.
//!
//! The cache decides and [`crate::host::Host`] carries out: it never builds a packet. It is bounded; when full, it
//! forgets the oldest entry that nobody used since the last round (second chance), so that a scan of a whole prefix
//! can't push out the neighbours in use.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap, VecDeque};
use thru_wire::{Instant, MacAddr};

use crate::host::InterfaceId;
use crate::packet::Packet;
use crate::random::{KeyedState, Random};

/// A neighbour: an address on the link of an interface.
pub(crate) type Key = (InterfaceId, IpAddr);

/// Entries kept. Linux's `gc_thresh3` is 1024 for the same purpose.
const ENTRIES_MAX: usize = 1024;
/// Packets that wait for one resolution; the oldest is given up first (RFC 4861 7.2.2, RFC 1122 2.3.2.2). Enough for
/// a flight of probes or an initial window: Linux keeps about a hundred.
const PENDING_MAX: usize = 32;
/// Bytes that wait for all resolutions together, so that a scan of a prefix can't fill the memory.
const PENDING_BYTES_MAX: usize = 1 << 20;
/// MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT (RFC 4861 10).
const SOLICITATIONS: u8 = 3;
/// RETRANS_TIMER (RFC 4861 10).
const RETRANSMIT: Duration = Duration::from_secs(1);
/// DELAY_FIRST_PROBE_TIME (RFC 4861 10).
const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// REACHABLE_TIME (RFC 4861 10), before it is spread over 0.5 to 1.5 times its value.
const REACHABLE: Duration = Duration::from_secs(30);

/// What to do with a packet for a neighbour.
#[derive(Debug)]
pub(crate) enum Resolve {
    /// Send it to this hardware address.
    To(MacAddr, Packet),
    /// It waits; ask for the address now.
    QueuedAsk,
    /// It waits; the question was asked already.
    Queued,
}

/// What a deadline asks for.
#[derive(Debug)]
pub(crate) enum Due {
    /// Ask everyone on the link for the address.
    Ask(Key),
    /// Ask the neighbour itself whether it is still there.
    Probe(Key, MacAddr),
    /// Nobody has answered: these packets can't be delivered.
    Failed(VecDeque<Packet>),
    /// The timer had nothing to say any more.
    Nothing,
}

/// What an answer means. The bits are those of a neighbour advertisement; ARP replies are solicited or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// The sender's hardware address; an advertisement may come without (RFC 4861 4.4).
    pub(crate) mac: Option<MacAddr>,
    /// It answers a question of ours, which proves that packets reach it.
    pub(crate) solicited: bool,
    /// It may replace an address we know.
    pub(crate) override_known: bool,
}

/// Packets that can go now that the address is known.
pub(crate) type Released = Option<(MacAddr, VecDeque<Packet>)>;

#[derive(Debug)]
struct Neighbor {
    state: State,
    /// Used since the eviction hand last came by.
    used: bool,
}

#[derive(Debug)]
enum State {
    /// Asked, no answer yet.
    Incomplete { asked: u8, ask_at: Instant, pending: VecDeque<Packet> },
    /// Confirmed lately.
    Reachable { mac: MacAddr, until: Instant },
    /// Known, but not confirmed lately; nothing is done until a packet goes there.
    Stale { mac: MacAddr },
    /// A packet went to a stale address: upper layers get a moment to show that it arrived.
    Delay { mac: MacAddr, probe_at: Instant },
    /// Asking the neighbour itself.
    Probe { mac: MacAddr, asked: u8, ask_at: Instant },
}

impl State {
    fn deadline(&self) -> Option<Instant> {
        match *self {
            State::Incomplete { ask_at, .. } | State::Probe { ask_at, .. } => Some(ask_at),
            State::Delay { probe_at, .. } => Some(probe_at),
            // Lazy: looked at when a packet goes there, so an idle host has no deadline.
            State::Reachable { .. } | State::Stale { .. } => None,
        }
    }

    fn mac(&self) -> Option<MacAddr> {
        match *self {
            State::Incomplete { .. } => None,
            State::Reachable { mac, .. }
            | State::Stale { mac }
            | State::Delay { mac, .. }
            | State::Probe { mac, .. } => Some(mac),
        }
    }
}

/// The neighbours of all interfaces of one host.
#[derive(Debug)]
pub(crate) struct NeighborCache {
    entries: HashMap<Key, Neighbor, KeyedState>,
    /// One entry per neighbour in a state with a timer.
    timers: BTreeSet<(Instant, Key)>,
    /// Entries in the order in which the eviction hand will look at them.
    hand: VecDeque<Key>,
    /// Bytes of all packets that wait.
    pending_bytes: usize,
    random: Random,
}

impl NeighborCache {
    pub(crate) fn new(seed: u64) -> NeighborCache {
        NeighborCache {
            entries: HashMap::with_hasher(KeyedState::new(seed, "neighbors")),
            timers: BTreeSet::new(),
            hand: VecDeque::new(),
            pending_bytes: 0,
            random: Random::new(seed, "neighbors"),
        }
    }

    /// An address that is known without asking, and stays so unless the neighbour itself says otherwise.
    pub(crate) fn set(&mut self, key: Key, mac: MacAddr) {
        let state = State::Reachable { mac, until: Instant::NEVER };
        if self.entries.contains_key(&key) {
            self.enter(key, state);
        } else {
            self.insert(key, state);
        }
    }

    /// Whether packets wait for an address.
    pub(crate) fn is_resolving(&self) -> bool {
        self.pending_bytes > 0
    }

    /// A packet wants to go to `key`.
    pub(crate) fn resolve(&mut self, now: Instant, key: Key, packet: Packet) -> Resolve {
        let Some(neighbor) = self.entries.get_mut(&key) else {
            let mut pending = VecDeque::new();
            queue(&mut pending, &mut self.pending_bytes, packet);
            self.insert(key, State::Incomplete { asked: 1, ask_at: now + RETRANSMIT, pending });
            return Resolve::QueuedAsk;
        };
        neighbor.used = true;
        match &mut neighbor.state {
            State::Incomplete { pending, .. } => {
                queue(pending, &mut self.pending_bytes, packet);
                Resolve::Queued
            }
            State::Reachable { mac, until } if now < *until => Resolve::To(*mac, packet),
            State::Reachable { mac, .. } | State::Stale { mac } => {
                let mac = *mac;
                self.enter(key, State::Delay { mac, probe_at: now + DELAY_FIRST_PROBE });
                Resolve::To(mac, packet)
            }
            State::Delay { mac, .. } | State::Probe { mac, .. } => Resolve::To(*mac, packet),
        }
    }

    /// Where to send to `key` now, if that is known; counts as a packet that goes there.
    pub(crate) fn resolved(&mut self, now: Instant, key: Key) -> Option<MacAddr> {
        self.entries.get(&key)?.state.mac()?;
        match self.resolve(now, key, Packet::empty()) {
            Resolve::To(mac, _) => Some(mac),
            Resolve::Queued | Resolve::QueuedAsk => None,
        }
    }

    /// A neighbour advertisement or an ARP reply (RFC 4861 7.2.5). Answers nobody asked for create nothing.
    pub(crate) fn answered(&mut self, now: Instant, key: Key, answer: Answer) -> Released {
        let neighbor = self.entries.get_mut(&key)?;
        let Some(known) = neighbor.state.mac() else {
            let mac = answer.mac?;
            return self.learn(now, key, mac, answer.solicited);
        };
        let mac = answer.mac.unwrap_or(known);
        if mac != known && !answer.override_known {
            // Somebody else claims the address: believe nothing, but ask again before trusting what we have.
            if matches!(neighbor.state, State::Reachable { .. }) {
                self.enter(key, State::Stale { mac: known });
            }
            return None;
        }
        if answer.solicited {
            let until = now + self.reachable_time();
            self.enter(key, State::Reachable { mac, until });
        } else if mac != known {
            self.enter(key, State::Stale { mac });
        }
        None
    }

    /// A neighbour told its own address while asking for something (solicitation, ARP request). `create`: it asked
    /// us, so we are about to answer it.
    pub(crate) fn heard(&mut self, now: Instant, key: Key, mac: MacAddr, create: bool) -> Released {
        match self.entries.get(&key).map(|neighbor| neighbor.state.mac()) {
            None if create => self.insert(key, State::Stale { mac }),
            None => {}
            Some(None) => return self.learn(now, key, mac, false),
            Some(Some(known)) if known != mac => self.enter(key, State::Stale { mac }),
            Some(Some(_)) => {}
        }
        None
    }

    /// When [`NeighborCache::due`] has something to say.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.timers.first().map_or(Instant::NEVER, |&(at, _)| at)
    }

    /// The next thing that was due by `now`. Call until `None`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        let &(at, key) = self.timers.first()?;
        if at > now {
            return None;
        }
        self.timers.pop_first();
        let Some(neighbor) = self.entries.get_mut(&key) else { return Some(Due::Nothing) };
        let due = match &mut neighbor.state {
            State::Incomplete { asked, ask_at, pending } => {
                if *asked == SOLICITATIONS {
                    let pending = core::mem::take(pending);
                    self.pending_bytes -= bytes_of(&pending);
                    self.remove(key);
                    return Some(Due::Failed(pending));
                }
                *asked += 1;
                *ask_at = now + RETRANSMIT;
                Due::Ask(key)
            }
            State::Delay { mac, .. } => {
                let mac = *mac;
                neighbor.state = State::Probe { mac, asked: 1, ask_at: now + RETRANSMIT };
                Due::Probe(key, mac)
            }
            State::Probe { mac, asked, ask_at } => {
                if *asked == SOLICITATIONS {
                    self.remove(key);
                    return Some(Due::Failed(VecDeque::new()));
                }
                *asked += 1;
                *ask_at = now + RETRANSMIT;
                Due::Probe(key, *mac)
            }
            State::Reachable { .. } | State::Stale { .. } => Due::Nothing,
        };
        if let Some(deadline) = neighbor.state.deadline() {
            self.timers.insert((deadline, key));
        }
        Some(due)
    }

    /// Entries held, for tests of the bound.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn learn(&mut self, now: Instant, key: Key, mac: MacAddr, confirmed: bool) -> Released {
        let neighbor = self.entries.get_mut(&key)?;
        let State::Incomplete { pending, .. } = &mut neighbor.state else { return None };
        let pending = core::mem::take(pending);
        self.pending_bytes -= bytes_of(&pending);
        let state = if confirmed {
            State::Reachable { mac, until: now + self.reachable_time() }
        } else {
            // Packets go out at once, so this is Stale with a packet sent: Delay (RFC 4861 appendix C).
            State::Delay { mac, probe_at: now + DELAY_FIRST_PROBE }
        };
        self.enter(key, state);
        Some((mac, pending))
    }

    fn enter(&mut self, key: Key, state: State) {
        let Some(neighbor) = self.entries.get_mut(&key) else { return };
        if let Some(deadline) = neighbor.state.deadline() {
            self.timers.remove(&(deadline, key));
        }
        if let Some(deadline) = state.deadline() {
            self.timers.insert((deadline, key));
        }
        neighbor.state = state;
    }

    fn insert(&mut self, key: Key, state: State) {
        while self.entries.len() >= ENTRIES_MAX {
            self.evict_one();
        }
        if let Some(deadline) = state.deadline() {
            self.timers.insert((deadline, key));
        }
        self.entries.insert(key, Neighbor { state, used: false });
        self.hand.push_back(key);
    }

    fn evict_one(&mut self) {
        let Some(key) = self.hand.pop_front() else { return };
        let Some(neighbor) = self.entries.get_mut(&key) else { return };
        if core::mem::take(&mut neighbor.used) {
            self.hand.push_back(key);
        } else {
            if let Some(deadline) = neighbor.state.deadline() {
                self.timers.remove(&(deadline, key));
            }
            if let State::Incomplete { pending, .. } = &neighbor.state {
                self.pending_bytes -= bytes_of(pending);
            }
            self.entries.remove(&key);
        }
    }

    /// Forgets `key`; its place at the hand goes too. Rare: only when a neighbour stays silent.
    fn remove(&mut self, key: Key) {
        self.entries.remove(&key);
        if let Some(place) = self.hand.iter().position(|&other| other == key) {
            self.hand.remove(place);
        }
    }

    /// RFC 4861 6.3.4: spread, so that hosts don't fall into step.
    fn reachable_time(&mut self) -> Duration {
        let base = REACHABLE.as_nanos() as u64;
        Duration::from_nanos(base / 2 + self.random.below(base))
    }
}

/// Lets a packet wait; makes room among those that wait for the same neighbour, or gives the new one up.
fn queue(pending: &mut VecDeque<Packet>, total: &mut usize, packet: Packet) {
    while pending.len() >= PENDING_MAX || *total + packet.len() > PENDING_BYTES_MAX {
        let Some(oldest) = pending.pop_front() else { return };
        *total -= oldest.len();
    }
    *total += packet.len();
    pending.push_back(packet);
}

fn bytes_of(pending: &VecDeque<Packet>) -> usize {
    pending.iter().map(Packet::len).sum()
}

#[cfg(test)]
mod tests;
