//! Which connections were seen, and from which side: bounded, forgetting what is idle.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use thru_wire::Instant;
use thru_wire::ipv4::Protocol;

use super::packet::Seen;
use super::{FirewallConfig, State};
use crate::rewrite::flag;

/// One end: address and port, or the identifier of an echo.
type End = (IpAddr, u16);
/// A connection: the smaller end first, so that both directions have the same.
type Key = (Protocol, End, End);

/// Connections in both directions.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    connections: BTreeMap<Key, Connection>,
    /// By when they were due to expire when that was last looked at; it may be later by now.
    expiry: BTreeSet<(Instant, Key)>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    /// Whether a packet was accepted from the smaller end, and from the larger.
    seen: [bool; 2],
    expires: Instant,
    indexed: Instant,
}

impl Tracker {
    /// How a packet relates to those accepted before.
    pub(super) fn state(&mut self, now: Instant, packet: &Seen<'_>) -> State {
        self.expire(now);
        if let Some(quoted) = packet.quoted() {
            let (key, _) = key_of(&quoted);
            return if self.connections.contains_key(&key) { State::Related } else { State::New };
        }
        let (key, side) = key_of(packet);
        match self.connections.get(&key) {
            Some(connection) if connection.seen[1 - side] => State::Established,
            _ => State::New,
        }
    }

    /// A packet was accepted.
    pub(super) fn note(&mut self, now: Instant, packet: &Seen<'_>, config: &FirewallConfig) {
        if packet.quoted().is_some() {
            return;
        }
        let (key, side) = key_of(packet);
        if !self.connections.contains_key(&key) {
            if self.connections.len() >= config.connections_max {
                let Some((_, oldest)) = self.expiry.pop_first() else { return };
                self.connections.remove(&oldest);
            }
            self.expiry.insert((now, key));
            self.connections.insert(key, Connection { seen: [false; 2], expires: now, indexed: now });
        }
        let connection = self.connections.get_mut(&key).expect("it was just made sure of");
        connection.seen[side] = true;
        let over = packet.tcp_flags().is_some_and(|flags| flags & flag::RST != 0);
        let long = packet.protocol == Protocol::TCP && connection.seen == [true, true] && !over;
        connection.expires = now + if long { config.tcp_timeout } else { config.other_timeout };
        if connection.expires < connection.indexed {
            self.expiry.remove(&(connection.indexed, key));
            self.expiry.insert((connection.expires, key));
            connection.indexed = connection.expires;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.connections.len(), self.expiry.len());
        self.connections.len()
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.expiry.first() {
            if at > now {
                break;
            }
            self.expiry.pop_first();
            let connection = self.connections.get_mut(&key).expect("what is indexed exists");
            if connection.expires > now {
                connection.indexed = connection.expires;
                self.expiry.insert((connection.indexed, key));
            } else {
                self.connections.remove(&key);
            }
        }
    }
}

/// The connection of a packet, and which of its ends sent it: 0 the smaller, 1 the larger.
fn key_of(packet: &Seen<'_>) -> (Key, usize) {
    let (source_port, destination_port) = packet.ports().unwrap_or_else(|| {
        // An echo and its answer have the identifier in common.
        let echo = match packet.protocol {
            Protocol::ICMPV4 => matches!(packet.icmp_type(), Some(0 | 8)),
            Protocol::ICMPV6 => matches!(packet.icmp_type(), Some(128 | 129)),
            _ => false,
        };
        let identifier = packet.transport.get(4..6).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
        if echo { (identifier, identifier) } else { (0, 0) }
    });
    let (source, destination) = ((packet.source, source_port), (packet.destination, destination_port));
    if source <= destination {
        ((packet.protocol, source, destination), 0)
    } else {
        ((packet.protocol, destination, source), 1)
    }
}
