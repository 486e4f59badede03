//! Listeners: SYNs become half-open connections or cookies, and finished handshakes wait in the accept queue
//! (RFC 9293 3.10.7.2, RFC 4987).
//!
//! Overflow is silent, as in Linux, unless [`TcpConfig::accept_overflow`](super::TcpConfig::accept_overflow) says
//! otherwise: with a full accept queue, SYNs and final acknowledgements are dropped, and the peer tries again.

use core::task::Waker;
use std::collections::VecDeque;
use std::sync::Arc;

use thru_wire::Instant;
use thru_wire::tcp::SeqNumber;

use super::SynFin;
use super::config::{AcceptOverflow, SynCookies};
use super::connection::{Connection, Context};
use super::cookies::{Kept, LIFE};
use super::demux::{Endpoint, Target};
use super::fastopen::Pending;
use super::half_open::{HalfOpen, OnHalfOpen};
use super::handshake::Negotiated;
use super::segment::{Segment, reset_for};
use super::{Path, SocketOptions, Tcp, TcpStats, context};

/// A port with an open ear.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: Endpoint,
    pub(crate) backlog: usize,
    pub(crate) settings: Arc<SocketOptions>,
    /// Half-open connections that will land here.
    pub(crate) half_open: usize,
    /// Numbers of connections that nobody has accepted yet.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) waker: Option<Waker>,
    /// Until when a cookie of ours may come back.
    cookies_until: Option<Instant>,
    pub(crate) fast_open: Pending,
}

/// What becomes of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnSyn {
    Remember,
    Cookie,
    Drop,
}

impl Listener {
    pub(crate) fn new(local: Endpoint, backlog: usize, options: SocketOptions) -> Listener {
        Listener {
            local,
            backlog,
            settings: Arc::new(options),
            half_open: 0,
            ready: VecDeque::new(),
            waker: None,
            cookies_until: None,
            fast_open: Pending::default(),
        }
    }

    /// Linux lets one more in than the backlog says.
    pub(crate) fn is_full(&self) -> bool {
        self.ready.len() > self.backlog
    }

    fn on_syn(&self, cookies: SynCookies, stats: &mut TcpStats) -> OnSyn {
        if self.is_full() {
            stats.listen_overflows += 1;
            stats.listen_drops += 1;
            return OnSyn::Drop;
        }
        let crowded = self.half_open >= self.backlog.max(1);
        match cookies {
            SynCookies::Always => OnSyn::Cookie,
            SynCookies::WhenFull if crowded => {
                stats.half_open_cookies += 1;
                OnSyn::Cookie
            }
            SynCookies::Never if crowded => {
                stats.half_open_drops += 1;
                stats.listen_drops += 1;
                OnSyn::Drop
            }
            _ => OnSyn::Remember,
        }
    }
}

impl Tcp {
    /// `beyond`: a former connection of this pair used numbers up to here.
    pub(super) fn on_listener(&mut self, path: &dyn Path, segment: &Segment, beyond: Option<SeqNumber>) {
        let flags = segment.flags();
        let Some(index) = self.demux.listener(segment.pair.local) else {
            self.refuse(segment);
            return;
        };
        // RFC 9293 3.10.7.2: first RST, then ACK, then SYN.
        if flags.rst() {
            return;
        }
        if flags.ack() {
            if flags.syn() && !self.config.habits.listeners_refuse_syn_ack {
                return;
            }
            if flags.syn() || !self.on_cookie(path, segment, index) {
                self.refuse(segment);
            }
            return;
        }
        // RFC 9293 3.10.7.2 has no word for SYN with FIN; nobody honest sends it.
        if flags.syn() && (!flags.fin() || self.config.habits.syn_fin == SynFin::Take) {
            self.on_syn(path, segment, index, beyond);
        }
    }

    /// RST, as nobody expects this segment.
    fn refuse(&mut self, segment: &Segment) {
        if let Some(reset) = reset_for(&mut self.spare, segment) {
            self.out.push_back(reset);
        }
    }

    fn on_syn(&mut self, path: &dyn Path, segment: &Segment, index: u32, beyond: Option<SeqNumber>) {
        let handle = self.listeners.handle(index);
        let Some(listener) = self.listeners.get_mut(index) else { return };
        let decision = listener.on_syn(self.config.syn_cookies, &mut self.stats);
        let now = segment.at;
        match decision {
            OnSyn::Drop => return,
            OnSyn::Cookie => listener.cookies_until = Some(now + LIFE),
            OnSyn::Remember => {}
        }
        let settings = listener.settings.clone();
        let offer = self.offer_to(path, segment, &settings);
        if decision == OnSyn::Cookie {
            self.send_cookie(segment, offer, settings);
            return;
        }
        let isn = self.secrets.isn(&segment.pair, now);
        let iss = beyond.map_or(isn, |beyond| isn.max(beyond));
        let mut half_open = HalfOpen::new(segment, handle, iss, offer, settings, &self.config);
        if self.on_fast_open(segment, index, &mut half_open) {
            return;
        }
        if let Some(listener) = self.listeners.get_mut(index) {
            listener.half_open += 1;
        }
        self.out.push_back(half_open.syn_ack(&mut self.spare, now));
        let index = self.half_open.insert(half_open);
        self.demux.set(segment.pair, Target::HalfOpen(index));
        self.arm_half_open(now, index);
    }

    /// What we would agree to with whoever sent this.
    fn offer_to(&self, path: &dyn Path, segment: &Segment, settings: &SocketOptions) -> Negotiated {
        let remote = segment.pair.remote.address;
        let offset = self.secrets.timestamp_offset(&segment.pair);
        Negotiated::offer(&self.config, settings, remote, path, offset)
    }

    /// A SYN ACK that is forgotten at once.
    fn send_cookie(&mut self, segment: &Segment, offer: Negotiated, settings: Arc<SocketOptions>) {
        let (pair, now) = (&segment.pair, segment.at);
        let mut half_open = HalfOpen::new(segment, 0, SeqNumber(0), offer, settings, &self.config);
        half_open.iss = self.cookies.make(pair, segment.header.seq, half_open.options.peer_mss, now);
        half_open.keep_in_timestamp(now);
        self.out.push_back(half_open.syn_ack(&mut self.spare, now));
        self.stats.cookies_sent += 1;
    }

    /// An acknowledgement for a listener may bring a cookie back. Whether it was dealt with.
    fn on_cookie(&mut self, path: &dyn Path, segment: &Segment, index: u32) -> bool {
        let now = segment.at;
        let Some(listener) = self.listeners.get(index) else { return false };
        if listener.cookies_until.is_none_or(|until| until < now) {
            return false;
        }
        let settings = listener.settings.clone();
        let iss = SeqNumber(segment.header.ack.0.wrapping_sub(1));
        let irs = SeqNumber(segment.header.seq.0.wrapping_sub(1));
        let Some(mss) = self.cookies.check(&segment.pair, irs, iss, now) else {
            self.stats.cookies_failed += 1;
            return false;
        };
        self.stats.cookies_received += 1;
        let offset = self.secrets.timestamp_offset(&segment.pair);
        let offer = self.offer_to(path, segment, &settings);
        let kept = segment
            .header
            .options
            .timestamps
            .map_or(Kept::default(), |stamps| Kept::read_from(stamps.echo.wrapping_sub(offset)));
        let theirs = kept.options(mss, &segment.header.options);
        let handle = self.listeners.handle(index);
        let half_open =
            HalfOpen::from_cookie(segment, handle, iss, (&theirs, kept.ecn), offer, settings, &self.config);
        if self.has_room(index, segment) {
            let connection = Box::new(half_open.finish(&self.config));
            self.add_to_queue(path, index, connection, segment);
        }
        true
    }

    pub(super) fn on_half_open(&mut self, path: &dyn Path, index: u32, segment: &Segment) {
        self.visits += 1;
        let Some(half_open) = self.half_open.get_mut(index) else { return };
        if segment.ttl < half_open.settings.min_ttl {
            self.stats.min_ttl_drops += 1;
            return;
        }
        match half_open.on_segment(segment, &self.config.habits) {
            OnHalfOpen::Ignore => {}
            OnHalfOpen::Repeat => {
                let again = half_open.syn_ack(&mut self.spare, segment.at);
                self.stats.syn_retransmissions += 1;
                self.out.push_back(again);
            }
            OnHalfOpen::Reset => self.refuse(segment),
            OnHalfOpen::Forget => {
                self.stats.attempt_fails += 1;
                self.forget_half_open(index);
            }
            OnHalfOpen::Challenge => {
                if self.challenge.allow(segment.at, &mut None) {
                    self.stats.challenge_acks += 1;
                    self.out.push_back(half_open.challenge(&mut self.spare));
                }
            }
            OnHalfOpen::Wait => self.stats.deferred_accepts += 1,
            OnHalfOpen::Finished => self.finish_half_open(path, index, segment),
        }
    }

    fn finish_half_open(&mut self, path: &dyn Path, index: u32, segment: &Segment) {
        let Some(handle) = self.half_open.get(index).map(|half_open| half_open.listener) else { return };
        let Some(listener) = self.listeners.resolve(handle) else {
            self.forget_half_open(index);
            self.refuse(segment);
            return;
        };
        if !self.has_room(listener, segment) {
            if self.config.accept_overflow == AcceptOverflow::Reset {
                self.forget_half_open(index);
            }
            return;
        }
        let Some(half_open) = self.half_open.get(index) else { return };
        let connection = Box::new(half_open.finish(&self.config));
        // Its place in the table is the connection's from now on.
        self.remove_half_open(index);
        self.add_to_queue(path, listener, connection, segment);
    }

    /// Whether the accept queue takes one more; if not, silence (the SYN ACK will be repeated) or RST.
    fn has_room(&mut self, listener: u32, segment: &Segment) -> bool {
        if self.listeners.get(listener).is_some_and(|listener| !listener.is_full()) {
            return true;
        }
        self.stats.listen_overflows += 1;
        self.stats.listen_drops += 1;
        if self.config.accept_overflow == AcceptOverflow::Reset {
            self.stats.overflow_resets += 1;
            self.refuse(segment);
        }
        false
    }

    /// A connection that only needs `segment` to be established joins the accept queue.
    fn add_to_queue(
        &mut self,
        path: &dyn Path,
        listener: u32,
        mut connection: Box<Connection>,
        segment: &Segment,
    ) {
        connection.limit_to_mtu(path.mtu(connection.pair.remote.address));
        let mut cx = context!(self, segment.at);
        connection.on_segment(&mut cx, segment);
        self.join_queue(listener, connection, segment.at);
    }

    /// The tables and the accept queue get a connection.
    pub(super) fn join_queue(&mut self, listener: u32, connection: Box<Connection>, now: Instant) {
        self.stats.passive_opens += 1;
        let pair = connection.pair;
        let index = self.connections.insert(connection);
        self.demux.set(pair, Target::Connection(index));
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.ready.push_back(index);
            if let Some(waker) = listener.waker.take() {
                self.wakes += 1;
                waker.wake();
            }
        }
        self.settle(index, now);
    }
}
