//! What is remembered of QUIC connections: who they are, which keys open them, what their streams carry.

use super::protection::{Keys, Opened};
use crate::context::Context;
use crate::crypto::Suite;
use crate::protocols::{http3, tls::Said};
use crate::secrets;
use crate::streams::offsets::Offsets;
use crate::streams::pending::Pending;
use crate::streams::table::{End, Recent};

/// The connections of a capture. They are found by the IDs that their packets carry, so that they may change their
/// addresses, or else by their ends.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Boxed: they are taken out and put back for each datagram.
    known: Recent<u64, Box<Connection>, 1024>,
    by_id: Recent<Vec<u8>, u64, 8192>,
    by_ends: Recent<(End, End), u64, 4096>,
    /// Lengths of IDs that are in use, as bits.
    lengths: u32,
    count: u64,
}

fn key(a: End, b: End) -> (End, End) {
    if a <= b { (a, b) } else { (b, a) }
}

impl Connections {
    /// Takes out the connection that a datagram belongs to, or begins.
    pub(super) fn take(&mut self, from: End, to: End, first: &[u8]) -> Box<Connection> {
        let found = self.find(from, to, first).and_then(|index| self.known.remove(&index));
        found.unwrap_or_else(|| {
            self.count += 1;
            Box::new(Connection { index: self.count - 1, ..Connection::default() })
        })
    }

    pub(super) fn put_back(&mut self, from: End, to: End, mut connection: Box<Connection>) {
        if self.by_ends.get(&key(from, to)) != Some(connection.index) {
            self.by_ends.insert(key(from, to), connection.index);
        }
        for id in connection.fresh_ids.drain(..) {
            self.lengths |= 1 << id.len().min(20);
            self.by_id.insert(id, connection.index);
        }
        self.known.insert(connection.index, connection);
    }

    fn find(&mut self, from: End, to: End, first: &[u8]) -> Option<u64> {
        if first.first()? & 0x80 == 0 {
            let same_ends = self.by_ends.get(&key(from, to));
            return same_ends.or_else(|| self.of_short(first));
        }
        let len = usize::from(*first.get(5)?);
        let destination = first.get(6..6 + len)?;
        if len > 0
            && let Some(index) = self.by_id.get(&destination.to_vec())
        {
            return Some(index);
        }
        let index = self.by_ends.get(&key(from, to))?;
        let source = first.get(7 + len..7 + len + usize::from(*first.get(6 + len)?))?;
        // The same ports may be used again: it is the same connection if one of its IDs is.
        let known = self.known.get_mut(&index)?;
        let chosen = &known.chosen[known.side_of(from, to)];
        (len == 0 || chosen.as_deref() == Some(source)).then_some(index)
    }

    /// The connection whose ID a packet with a short header carries; its length is not told.
    fn of_short(&mut self, first: &[u8]) -> Option<u64> {
        let lengths = self.lengths;
        let lengths = (4..=20usize).rev().filter(|len| lengths >> len & 1 == 1);
        lengths.into_iter().find_map(|len| self.by_id.get(&first.get(1..1 + len)?.to_vec()))
    }

    /// Whether a datagram that looks like nothing else belongs to a connection.
    pub(crate) fn knows(&mut self, from: End, to: End, bytes: &[u8]) -> bool {
        if self.count == 0 {
            return false;
        }
        self.by_ends.get(&key(from, to)).is_some()
            || bytes.first().is_some_and(|first| first & 0xC0 == 0x40) && self.of_short(bytes).is_some()
    }
}

/// So many streams of a connection are remembered, in both directions.
const STREAMS_HALF: usize = 256;
/// After so many packets in a row that could not be opened the connection is given up: trying costs time.
const FAILURES_MAX: u32 = 64;

/// So much of a handshake waits for what is missing before it.
const HELD_MAX: usize = 64 << 10;

/// The levels of encryption, which count packets each for itself but for 0-RTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Initial,
    ZeroRtt,
    Handshake,
    OneRtt,
}

impl Level {
    /// 0-RTT packets are numbered together with those of 1-RTT.
    fn space(self) -> usize {
        match self {
            Level::Initial => 0,
            Level::Handshake => 1,
            Level::ZeroRtt | Level::OneRtt => 2,
        }
    }
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(super) index: u64,
    /// The client's first destination ID: all Initial keys come from it.
    pub(super) first_id: Vec<u8>,
    /// Who the client is: the side that sent the first packet. It may change its address.
    pub(super) client: Option<End>,
    server: Option<End>,
    /// The IDs that each side chose first: the client, the server.
    pub(super) chosen: [Option<Vec<u8>>; 2],
    /// IDs that were not known before this packet.
    fresh_ids: Vec<Vec<u8>>,
    /// The version of the last long header.
    pub(super) version: u32,
    pub(super) sides: [Side; 2],
    pub(super) said: Said,
    is_retried: bool,
    failures: u32,
    explained: bool,
    pub(super) streams: Recent<(u64, u8), Stream, STREAMS_HALF>,
    pub(super) http3: Option<Box<http3::Connection>>,
}

/// What one side sends.
#[derive(Debug, Default)]
pub(super) struct Side {
    keys: [Option<Box<Keys>>; 4],
    /// The largest packet numbers.
    largest: [Option<u64>; 3],
    /// The handshake: Initial, Handshake and 1-RTT packets have a stream each.
    crypto: [Offsets; 3],
    pub(super) message: [Vec<u8>; 3],
    /// What is in order and waits for what was sent before it.
    held: [Vec<u8>; 3],
}

/// A direction of a stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) order: Offsets,
    pub(super) pending: Pending,
    /// Where it ends, once that is told.
    pub(super) end: Option<u64>,
}

impl Connection {
    /// Which side sends, 0 for the client. A client may change its address (RFC 9000 9), a server may not.
    pub(super) fn side_of(&self, from: End, to: End) -> usize {
        let is_server = self.server == Some(from) || self.server != Some(to) && self.client == Some(to);
        usize::from(is_server)
    }

    /// Notes the client's new address.
    pub(super) fn migrate(&mut self, from: End, to: End) {
        if self.server == Some(to) {
            self.client = Some(from);
        }
    }

    /// The first Initial packet tells who is who.
    pub(super) fn begin(&mut self, from: End, to: End, destination: &[u8]) {
        if self.client.is_none() {
            (self.client, self.server) = (Some(from), Some(to));
            self.learn_id(destination);
            self.first_id = destination.to_vec();
        }
    }

    /// The server asks the client to begin anew, with another ID. A client heeds the first that asks (RFC 9000 17.2.5.2).
    pub(super) fn retry(&mut self, source: &[u8]) {
        if std::mem::replace(&mut self.is_retried, true) {
            return;
        }
        self.first_id = source.to_vec();
        self.learn_id(source);
        self.sides = Default::default();
        self.said = Said::quic();
    }

    pub(super) fn learn_id(&mut self, id: &[u8]) {
        if !id.is_empty() && id.len() <= 20 {
            self.fresh_ids.push(id.to_vec());
        }
    }

    /// Opens a packet whose number begins at `at`; of one that is cut its header.
    pub(super) fn open(
        &mut self,
        cx: &mut Context<'_>,
        side: usize,
        level: Level,
        packet: &[u8],
        at: usize,
        is_cut: bool,
    ) -> Option<Opened> {
        if self.failures > FAILURES_MAX {
            return None;
        }
        if self.sides[side].keys[level as usize].is_none() {
            self.sides[side].keys[level as usize] = Some(Box::new(self.derive(cx, side, level)?));
        }
        let this = &mut self.sides[side];
        let largest = &mut this.largest[level.space()];
        let keys = this.keys[level as usize].as_mut()?;
        if is_cut {
            return keys.open_header(packet, at, *largest).map(|(header, _)| header);
        }
        let opened = keys.open(packet, at, *largest);
        match &opened {
            Some(opened) => {
                *largest = Some(largest.map_or(opened.number, |largest| largest.max(opened.number)));
                self.failures = 0;
            }
            None => self.failures += 1,
        }
        opened
    }

    fn derive(&self, cx: &mut Context<'_>, side: usize, level: Level) -> Option<Keys> {
        if level == Level::Initial {
            return Keys::initial(&self.first_id, self.version, side == 1);
        }
        let known: secrets::Keys = cx.state.secrets.find(self.said.client_random.as_ref()?)?;
        if level == Level::ZeroRtt {
            let secret = known.early?;
            let offered = self.said.offered.iter().filter_map(|number| Suite::of(*number));
            return offered.filter_map(|suite| Keys::new(suite, secret, self.version)).next();
        }
        let secret = if level == Level::Handshake { known.handshake[side] } else { known.application[side] };
        Keys::new(Suite::of(self.said.suite?)?, secret?, self.version)
    }

    /// Why packets stay shut; told once.
    pub(super) fn why_shut(&mut self, cx: &mut Context<'_>) -> Option<&'static str> {
        if self.explained || cx.state.secrets.is_empty() {
            return None;
        }
        self.explained = true;
        let Some(random) = &self.said.client_random else {
            return Some("the beginning of the connection was not captured");
        };
        Some(match (cx.state.secrets.find(random), self.said.suite) {
            (None, _) => "the key log has no secrets for this connection",
            (_, None) => "the server's hello was not captured",
            _ => "the secrets do not fit",
        })
    }

    /// The handshake's next bytes at a level, in order.
    pub(super) fn crypto(&mut self, side: usize, level: Level, offset: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let (side, space) = (&mut self.sides[side], level.space());
        let (order, held) = (&mut side.crypto[space], &mut side.held[space]);
        held.extend(order.take(offset, bytes)?);
        // While there is a gap, Wireshark waits for all that is beyond it, too.
        if order.has_gap() && held.len() < HELD_MAX {
            return None;
        }
        Some(std::mem::take(held))
    }

    pub(super) fn message(&mut self, side: usize, level: Level) -> &mut Vec<u8> {
        &mut self.sides[side].message[level.space()]
    }
}
