//! TCP (RFC 9293) without I/O, one mechanism a file.
//!
//! Start with [`Tcp`]: every connection and listener of one host. It asks the IP layer through [`Path`],
//! takes [`SegmentIn`] and gives [`SegmentOut`]. After every call that takes `now`, drain [`Tcp::poll_transmit`].
//!
//! - the beginning: `handshake`, `half_open`, `listen`, `cookies`, `fastopen`.
//! - the tables: `demux` (one keyed hash), `slab`, and what they hold: `listen` (half-open objects and listeners),
//!   `connection` (the control block), `time_wait`. No call looks at all connections.
//! - the calls of an application: `calls`; what it may set: `options`; what is counted: `stats`.
//! - a segment's way in: `segment`, `handshake`, `input`, `acknowledge`, `receive` over `ranges`; `icmp` for errors, `pmtu` for paths that send none.
//! - and out: `transmit` from `queue` as `framing` says, remembered in `runs`; `ack` (when to acknowledge), `window`, `probe`.
//! - loss and its avoidance: `rtt`, `recovery`, `rate`, [`congestion`], `usage`, `pacing`, `ecn`.
//! - what takes memory only while it is needed: `on_demand`; when that ends: `rest`.
//! - where stacks in use differ: `habits`.
//! - which MUSTs of which RFCs are met, and which are not, is listed in `conformance/*.toml`; a test keeps it true.
//! - what strangers must not foresee: `isn` (numbers, ports, timestamps), `challenge`.
//! - what a connection tells about itself: `info`, `chrono`, `insight`; what is asked about it: `look`;
//!   how its figures went: `history`.
//!
//! Places of sequence numbers are 64 bits wide inside (`seq`), so nothing wraps but on the wire.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber};

use crate::buffers::{BufferPool, Spare};
use crate::icmp::IcmpReport;
use crate::random::Random;
use crate::timer::{TimerHandle, Wheel};

mod ack;
mod acknowledge;
mod autotune;
mod calls;
mod challenge;
mod chrono;
mod config;
pub mod congestion;
mod connection;
mod cookies;
mod demux;
mod ecn;
mod error;
mod fastopen;
mod framing;
mod habits;
mod half_open;
mod handshake;
mod history;
mod icmp;
mod info;
mod input;
mod insight;
mod isn;
mod listen;
mod look;
mod memory;
mod on_demand;
mod options;
mod pacing;
mod path;
mod pmtu;
mod probe;
mod queue;
mod ranges;
mod rate;
mod receive;
mod recovery;
mod rest;
mod rtt;
mod runs;
mod segment;
/// What the containers hold that connections use in turns.
pub(crate) mod shelved {
    pub(crate) use super::queue::Piece;
    pub(crate) use super::runs::Run;
}
mod seq;
mod settle;
mod slab;
mod stats;
mod time_wait;
mod transmit;
mod usage;
mod window;

pub use chrono::Waiting;
pub use config::{AcceptOverflow, Congestion, SynCookies, TcpConfig, TcpConnectOptions};
pub use ecn::{Ecn, EcnInfo, EcnMode};
pub use error::{ConnectError, ListenError, TcpError};
pub use framing::Write;
pub use habits::{CounterOption, Habits, OpeningErrors, SynFin};
pub use history::TcpSample;
pub use info::TcpInfo;
pub use insight::{LossInfo, RecoveryState, TcpEvent, TcpEventKind};
pub use look::Readiness;
pub use options::{OptionError, SocketOptions};
pub use path::{Path, SegmentBytes, SegmentIn, SegmentOut, Together, TrainEnds};
pub use pmtu::{MtuInfo, MtuProbing};
pub use stats::TcpStats;

use challenge::ChallengeLimit;
use connection::{Connection, Context};
use cookies::Cookies;
use demux::{Demux, Endpoint, Pair, Target};
use fastopen::FastOpen;
use half_open::HalfOpen;
use isn::Secrets;
use listen::Listener;
use memory::Memory;
use segment::Segment;
use slab::Slab;
use time_wait::TimeWaits;

/// A connection of one host. Never used again for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpId(pub(crate) u64);

/// A listener of one host. Never used again for another listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(crate) u64);

/// The states of a connection (RFC 9293 3.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// A half-open connection's listener; no connection object is ever in it.
    Listen,
    /// Our SYN is out.
    SynSent,
    /// Both SYNs are known, ours is not acknowledged.
    SynReceived,
    /// Data may flow.
    Established,
    /// We have closed; our FIN is not acknowledged.
    FinWait1,
    /// We have closed; the peer may still send.
    FinWait2,
    /// The peer has closed; we may still send.
    CloseWait,
    /// Both have closed; our FIN is not acknowledged.
    Closing,
    /// The peer closed first, then we; our FIN is not acknowledged.
    LastAck,
    /// Closed on both sides; old segments may still wander about.
    TimeWait,
    /// Gone.
    #[default]
    Closed,
}

/// Every connection and listener of one host.
#[derive(Debug)]
pub struct Tcp {
    config: TcpConfig,
    /// What sockets begin with.
    defaults: Arc<SocketOptions>,
    stats: TcpStats,
    memory: Memory,
    /// Connections that nobody owns any more.
    orphans: usize,
    secrets: Secrets,
    cookies: Cookies,
    fast_open: FastOpen,
    challenge: ChallengeLimit,
    demux: Demux,
    listeners: Slab<Listener>,
    half_open: Slab<HalfOpen>,
    connections: Slab<Box<Connection>>,
    time_wait: TimeWaits,
    wheel: Wheel,
    /// Connections that may have something to send, each once, first come first served.
    ready: VecDeque<u32>,
    /// Segments that leave ahead of those: answers that belong to no connection, and last words.
    out: VecDeque<SegmentOut>,
    /// Buffers for what leaves, and what is left of what arrived.
    spare: Spare,
    wakes: u64,
    /// Connections, half-open and TIME-WAIT objects looked at so far, to show that none is looked at without need.
    visits: u64,
}

/// What a connection may ask of its host, borrowed beside the connection itself.
macro_rules! context {
    ($tcp:ident, $now:expr) => {
        Context {
            now: $now,
            config: &$tcp.config,
            challenge: &mut $tcp.challenge,
            wakes: &mut $tcp.wakes,
            stats: &mut $tcp.stats,
            memory: &$tcp.memory,
            fast_open: &mut $tcp.fast_open,
            out: &mut $tcp.out,
            spare: &mut $tcp.spare,
            together: None,
        }
    };
}
use context;

impl Tcp {
    /// A TCP without connections. `seed` gives every key and random choice.
    pub fn new(config: TcpConfig, seed: u64) -> Tcp {
        let random = Random::new(seed, "tcp challenge limit");
        Tcp {
            defaults: Arc::new(SocketOptions::new(&config)),
            stats: TcpStats::default(),
            memory: Memory::new(&config),
            orphans: 0,
            secrets: Secrets::new(seed),
            cookies: Cookies::new(seed),
            fast_open: FastOpen::new(seed),
            challenge: ChallengeLimit::new(
                config.challenge_acks_per_second,
                config.habits.challenge_interval,
                random,
            ),
            demux: Demux::new(seed),
            listeners: Slab::new(),
            half_open: Slab::new(),
            connections: Slab::new(),
            time_wait: TimeWaits::new(seed),
            wheel: Wheel::new(),
            ready: VecDeque::new(),
            out: VecDeque::new(),
            spare: Spare::default(),
            wakes: 0,
            visits: 0,
            config,
        }
    }

    /// A segment for one of our addresses.
    pub fn handle_segment(&mut self, path: &dyn Path, segment: SegmentIn) {
        self.stats.segments_received += 1;
        let Some(segment) = Segment::parse(segment) else {
            self.stats.errors_received += 1;
            return;
        };
        let flags = segment.flags();
        if flags.syn() && flags.fin() && self.config.habits.syn_fin == SynFin::Drop {
            return;
        }
        self.take(path, &segment);
        self.spare.give(segment.payload);
    }

    /// Segments that follow each other, each with the header of the first but for what `ends` says: `more` is the
    /// payload of the others.
    pub fn handle_train(
        &mut self,
        path: &dyn Path,
        first: SegmentIn,
        more: impl ExactSizeIterator<Item = Bytes>,
        ends: TrainEnds,
    ) {
        let TrainEnds { fin, cwr_once } = ends;
        self.stats.segments_received += 1 + more.len() as u64;
        let Some(mut segment) = Segment::parse(first) else {
            self.stats.errors_received += 1;
            return;
        };
        let mut more = more;
        if segment.payload.is_empty()
            && let Some(payload) = more.next()
        {
            // All of the payload stood beside the header.
            self.spare.give(core::mem::replace(&mut segment.payload, payload));
        }
        let target = self.demux.find_for_segment(&segment.pair);
        let mut left = more.len();
        let flags = segment.header.flags;
        if fin && left > 0 {
            segment.header.flags = Flags(flags.0 & !Flags::FIN.0);
        }
        let mut train = core::iter::once(None).chain(more.map(Some));
        let mut welcome = false;
        while let (Some(Target::Connection(index)), Some(payload)) = (target, train.next()) {
            if let Some(payload) = payload {
                left -= 1;
                segment.go_on(payload, fin && left == 0, cwr_once, &mut self.spare);
            }
            match self.on_part_of_train(index, &mut segment, welcome) {
                Some(was_welcome) => welcome = was_welcome,
                None => break,
            }
        }
        if let Some(Target::Connection(index)) = target {
            self.settle(index, segment.at);
        }
        // Whoever is left over, because there is no connection or no longer one, is looked at alone.
        for payload in train {
            if let Some(payload) = payload {
                left -= 1;
                segment.go_on(payload, fin && left == 0, cwr_once, &mut self.spare);
            }
            self.take(path, &segment);
        }
        self.spare.give(segment.payload);
    }

    /// `welcome`: the segment before it in the train brought new bytes. Whether this one did; `None` if the connection is
    /// over.
    fn on_part_of_train(&mut self, index: u32, segment: &mut Segment, welcome: bool) -> Option<bool> {
        self.visits += 1;
        let mut cx = context!(self, segment.at);
        let connection = self.connections.get_mut(index)?;
        let before = connection.receive.next();
        if !welcome || !connection.on_next_bytes(&mut cx, segment) {
            connection.on_segment(&mut cx, segment);
        }
        let over = matches!(connection.state, State::Closed | State::TimeWait);
        (!over).then(|| connection.receive.next() > before)
    }

    fn take(&mut self, path: &dyn Path, segment: &Segment) {
        match self.demux.find_for_segment(&segment.pair) {
            Some(Target::Connection(index)) => self.on_connection(index, segment),
            Some(Target::HalfOpen(index)) => self.on_half_open(path, index, segment),
            None => match self.time_wait.find(&segment.pair) {
                Some(place) => self.on_time_wait(path, place, segment),
                None => self.on_listener(path, segment, None),
            },
        }
    }

    /// Shares buffers with others; see [`Host::share_buffers`](crate::Host::share_buffers).
    pub fn share_buffers(&mut self, pool: BufferPool) {
        self.spare = Spare::new(pool);
    }

    pub(crate) fn spare(&mut self) -> &mut Spare {
        &mut self.spare
    }

    /// Where this TCP takes its buffers from.
    pub fn buffer_pool(&self) -> &BufferPool {
        self.spare.pool()
    }

    /// Whether a segment with this number is in flight between these ends: what an ICMP error has to quote before
    /// its word about the path is taken (RFC 5927 4.1). Somebody who can't see our segments can't name one.
    pub fn is_in_flight(&self, local: SocketAddr, remote: SocketAddr, number: SeqNumber) -> bool {
        let pair = Pair { local: local.into(), remote: remote.into() };
        let Some(Target::Connection(index)) = self.demux.find(&pair) else { return false };
        self.connections.get(index).is_some_and(|connection| connection.is_in_flight(number))
    }

    /// An ICMP error that quotes a segment of ours with `quoted_seq`. [`PacketTooBig`](crate::icmp::IcmpErrorKind)
    /// comes after the path MTU was updated.
    pub fn handle_icmp(&mut self, path: &dyn Path, report: &IcmpReport, quoted_seq: SeqNumber) {
        let pair = Pair {
            local: Endpoint { address: report.quoted_source, port: report.quoted_source_port },
            remote: report.quoted_destination.into(),
        };
        let index = match self.demux.find(&pair) {
            Some(Target::Connection(index)) => index,
            // Mostly half-open connections ignore errors: their SYN ACK is repeated in any case.
            Some(Target::HalfOpen(index)) => {
                let asked = self.half_open.get(index).is_some_and(|half_open| half_open.iss == quoted_seq);
                if asked && self.config.habits.half_open_errors && report.says_unreachable() {
                    self.stats.attempt_fails += 1;
                    self.forget_half_open(index);
                }
                return;
            }
            None => return,
        };
        let mtu = path.mtu(pair.remote.address);
        let mut cx = context!(self, report.at);
        if let Some(connection) = self.connections.get_mut(index) {
            connection.on_icmp(&mut cx, report, quoted_seq, mtu);
        }
        self.settle(index, report.at);
    }

    /// The next segment to send. Drain until `None`.
    pub fn poll_transmit(&mut self, now: Instant, path: &dyn Path) -> Option<SegmentOut> {
        if let Some(segment) = self.out.pop_front() {
            self.stats.segments_sent += 1;
            self.stats.resets_sent += u64::from(segment.is_reset());
            return Some(segment);
        }
        while let Some(index) = self.ready.pop_front() {
            self.visits += 1;
            let Some(connection) = self.connections.get_mut(index) else { continue };
            connection.queued = false;
            let before = connection.insight.repeated();
            let alone = self.ready.is_empty();
            let mut cx = Context { together: Some((path, alone)), ..context!(self, now) };
            let segment = connection.transmit(&mut cx);
            if segment.is_some() {
                self.stats.count_sent(before, connection.insight.repeated());
                let train = segment.as_ref().and_then(|segment| segment.train.as_ref());
                self.stats.segments_sent += train.map_or(0, |train| train.segments() as u64 - 1);
                // Others come first; then this one may have more.
                connection.queued = true;
                self.ready.push_back(index);
            }
            self.arm(index);
            if segment.is_some() {
                return segment;
            }
        }
        None
    }

    /// When [`Tcp::handle_deadline`] wants to be called. O(1). Now and then early: deadlines are re-armed lazily.
    pub fn next_deadline(&self) -> Instant {
        self.wheel.next()
    }

    /// Carries out what is due at `now`.
    pub fn handle_deadline(&mut self, now: Instant, path: &dyn Path) {
        while let Some(key) = self.wheel.pop(now) {
            self.visits += 1;
            match settle::owner(key) {
                Some(Target::Connection(index)) => self.connection_deadline(now, path, index),
                Some(Target::HalfOpen(index)) => self.half_open_deadline(now, index),
                None => self.time_wait_deadline(now),
            }
        }
    }

    /// What was counted so far.
    pub fn stats(&self) -> &TcpStats {
        &self.stats
    }

    /// How many wakers were woken so far.
    pub fn wakes(&self) -> u64 {
        self.wakes
    }

    fn on_connection(&mut self, index: u32, segment: &Segment) {
        self.visits += 1;
        let mut cx = context!(self, segment.at);
        if let Some(connection) = self.connections.get_mut(index) {
            if segment.ttl < connection.settings.min_ttl {
                cx.stats.min_ttl_drops += 1;
                return;
            }
            connection.on_segment(&mut cx, segment);
        }
        self.settle(index, segment.at);
    }

    /// Numbers of objects of the three sizes: half-open, connections (with those only the application still knows),
    /// TIME-WAIT.
    pub fn population(&self) -> (usize, usize, usize) {
        (self.half_open.len(), self.connections.len(), self.time_wait.len())
    }

    /// How often a connection, a half-open or a TIME-WAIT object, or an entry of the timing wheel was looked at:
    /// it grows with what happens, not with how many there are.
    pub fn visits(&self) -> u64 {
        self.visits + self.wheel.work()
    }

    /// Our address towards `remote`, of its family.
    fn local_for(path: &dyn Path, remote: IpAddr) -> Option<IpAddr> {
        path.source_for(remote).filter(|source| source.is_ipv4() == remote.is_ipv4())
    }

    fn remove_timer(&mut self, handle: Option<TimerHandle>) {
        if let Some(handle) = handle {
            self.wheel.remove(handle);
        }
    }
}

#[cfg(test)]
mod tests;
