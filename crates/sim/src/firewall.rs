//! A packet filter as a hook: ordered rules, the first that matches decides.
//!
//! [`Firewall`] is a handle: give one clone to a host with [`World::set_hook`](crate::World::set_hook) and keep another
//! to change the rules in mid-run. Rules are looked at where a host filters: packets to it (input), through it
//! (forward) and from it (output). Connections are tracked only if a rule asks for a [`State`].
//!
//! What it does not do: reassemble TCP streams. A payload rule looks at one packet at a time, as simple DPI boxes do.

mod count;
mod options;
mod packet;
mod track;

use core::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::ipv4::Protocol;
use thru_wire::{Instant, IpPrefix};

use count::Counter;
use packet::Seen;
use track::Tracker;

/// What a rule wants of a packet. Everything that is set must hold; the default matches every packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// Only packets to this host (input), through it (forward) or from it (output).
    pub place: Option<Place>,
    /// The interface it came in by.
    pub input: Option<InterfaceId>,
    /// The interface it is to leave by.
    pub output: Option<InterfaceId>,
    /// Where it comes from. A rule with a prefix matches only packets of that family.
    pub source: Option<IpPrefix>,
    /// Where it goes.
    pub destination: Option<IpPrefix>,
    /// The transport protocol, behind IPv6 extension headers too.
    pub protocol: Option<Protocol>,
    /// TCP or UDP source ports. Packets without ports do not match, nor do later fragments.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// TCP or UDP destination ports.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// TCP flags, as in byte 13 of the header.
    pub tcp_flags: Option<FlagMatch>,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<u8>,
    /// Size of the IP packet in bytes.
    pub size: Option<RangeInclusive<usize>>,
    /// Bytes that the TCP or UDP payload holds somewhere, without regard to the case of ASCII letters: the server
    /// name in a TLS ClientHello, say.
    pub payload: Option<Vec<u8>>,
    /// How the packet relates to those before it.
    pub state: Option<State>,
    /// Only flows that were dealt such a number: of every `of` new flows in order of appearance, the first `first`.
    /// Both directions of a flow count as one. What one bad member of a group of parallel paths does.
    pub flows: Option<FlowShare>,
    /// Only packets of a flow after so many of its packets, both directions together, went by.
    pub after: Option<u32>,
    /// Only the first so many packets that all else matches, of each flow.
    pub first: Option<u32>,
}

/// Which flows a rule picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowShare {
    /// So many...
    pub first: u32,
    /// ...of so many.
    pub of: u32,
}

/// Of the bits in `mask`, exactly those in `set` are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagMatch {
    /// The bits that matter.
    pub mask: u8,
    /// The bits of these that are set.
    pub set: u8,
}

impl FlagMatch {
    /// SYN without ACK and RST: the first packet of a connection.
    pub const OPENING: FlagMatch = FlagMatch { mask: 0x16, set: 0x02 };
}

/// How a packet relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was seen of its connection but packets of the same direction.
    New,
    /// Packets of its connection were seen in both directions, this one counted.
    Established,
    /// An ICMP error about a connection that was seen.
    Related,
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It passes.
    Accept,
    /// It is discarded in silence.
    Drop,
    /// It is discarded, and its sender told by ICMP that this is forbidden.
    RejectIcmp,
    /// It is discarded, and a TCP RST is sent in the addressee's name (ICMP for other protocols).
    RejectReset,
    /// It passes without these TCP options: bit `n` stands for the option of kind `n`.
    Strip(u32),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it wants of a packet.
    pub matches: Match,
    /// What it does then.
    pub action: Action,
    /// Shown to people as the reason of a drop.
    pub reason: &'static str,
}

impl Rule {
    /// A rule with the usual reason.
    pub fn new(matches: Match, action: Action) -> Rule {
        Rule { matches, action, reason: "firewall rule" }
    }
}

/// How a firewall is made.
#[derive(Clone, Debug, PartialEq)]
pub struct FirewallConfig {
    /// The rules; the first that matches decides.
    pub rules: Vec<Rule>,
    /// What happens to packets that no rule matches.
    pub otherwise: Action,
    /// How long idle TCP connections are remembered once both sides have spoken.
    pub tcp_timeout: core::time::Duration,
    /// How long everything else is remembered.
    pub other_timeout: core::time::Duration,
    /// Most connections remembered; the one that expires first makes room.
    pub connections_max: usize,
}

impl Default for FirewallConfig {
    /// No rules: everything passes. Times are Linux's, roughly: 5 days for connections, 2 minutes for the rest.
    fn default() -> FirewallConfig {
        FirewallConfig {
            rules: Vec::new(),
            otherwise: Action::Accept,
            tcp_timeout: core::time::Duration::from_secs(5 * 86_400),
            other_timeout: core::time::Duration::from_secs(120),
            connections_max: 65_536,
        }
    }
}

/// A firewall. Clones share their rules and what they track.
#[derive(Clone, Debug)]
pub struct Firewall {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    config: FirewallConfig,
    tracker: Tracker,
    counter: Counter,
    /// By rule, and the last for packets that none matched.
    hits: Vec<u64>,
    dropped: u64,
}

impl Firewall {
    /// A firewall with these rules.
    pub fn new(config: FirewallConfig) -> Firewall {
        let hits = vec![0; config.rules.len() + 1];
        let inner =
            Inner { config, tracker: Tracker::default(), counter: Counter::default(), hits, dropped: 0 };
        Firewall { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Replaces the rules; what is tracked stays.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        let mut inner = self.lock();
        inner.hits = vec![0; rules.len() + 1];
        inner.config.rules = rules;
    }

    /// Forgets all connections.
    pub fn flush(&self) {
        let mut inner = self.lock();
        inner.tracker = Tracker::default();
        inner.counter = Counter::default();
    }

    /// How often each rule has decided; last, how often none did.
    pub fn hits(&self) -> Vec<u64> {
        self.lock().hits.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook for Firewall {
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        if !matches!(place, Place::Input | Place::Forward | Place::Output) {
            return Judgement::Accept;
        }
        let Some(seen) = Seen::of(packet) else { return Judgement::Accept };
        let mut guard = self.lock();
        let inner = &mut *guard;
        let tracks = inner.config.rules.iter().any(|rule| rule.matches.state.is_some());
        let state = if tracks { inner.tracker.state(now, &seen) } else { State::New };
        let counts = inner.config.rules.iter().any(|rule| count::wanted(&rule.matches));
        let flow = if counts { inner.counter.note(&seen) } else { None };
        let counter = &mut inner.counter;
        let matches = |(index, rule): (usize, &Rule)| {
            let wanted = &rule.matches;
            wanted.place.is_none_or(|wanted| wanted == place)
                && wanted.input.is_none_or(|wanted| input == Some(wanted))
                && wanted.output.is_none_or(|wanted| output == Some(wanted))
                && wanted.state.is_none_or(|wanted| wanted == state)
                && seen.matches(wanted)
                && counter.allows(flow, index, wanted)
        };
        let index =
            inner.config.rules.iter().enumerate().position(matches).unwrap_or(inner.config.rules.len());
        inner.hits[index] += 1;
        let decided = inner.config.rules.get(index);
        let action = decided.map_or(inner.config.otherwise, |rule| rule.action);
        let reason = decided.map_or("firewall policy", |rule| rule.reason);
        if matches!(action, Action::Accept | Action::Strip(_)) {
            if tracks {
                inner.tracker.note(now, &seen, &inner.config);
            }
            if let Action::Strip(kinds) = action {
                options::strip(packet, kinds);
            }
            return Judgement::Accept;
        }
        inner.dropped += 1;
        match action {
            Action::Accept | Action::Strip(_) => unreachable!("dealt with above"),
            Action::Drop => Judgement::Drop(reason),
            Action::RejectIcmp => Judgement::RejectIcmp(reason),
            Action::RejectReset => Judgement::RejectReset(reason),
        }
    }

    fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

#[cfg(test)]
mod tests;
