//! TCP Fast Open (RFC 7413): data in a SYN for those who show a cookie.
//!
//! The server's half gives and checks cookies, a keyed hash of both addresses under a key that can be rotated. The
//! client's half remembers cookies, refusals and losses by server, bounded, and switches itself off for a while
//! where the network swallows such connections (RFC 7413 4.1.3.1, and as Linux does).

use core::net::IpAddr;
use std::collections::{BTreeMap, VecDeque};

use siphasher::sip::SipHasher24;
use thru_wire::Instant;
use thru_wire::tcp::TcpOptions;

use super::connection::{Connection, Context};
use super::demux::Pair;
use super::half_open::HalfOpen;
use super::insight::TcpEventKind;
use super::listen::Listener;
use super::segment::Segment;
use super::{SocketOptions, State, Tcp, TcpConfig};
use crate::random::key;

/// Servers remembered at most; the oldest entry makes room.
const SERVERS: usize = 1_024;
/// As long as this a SYN whose data was taken and whose sender then reset counts as pending (RFC 7413 5.1).
const RESET_COUNTS: core::time::Duration = core::time::Duration::from_secs(60);

/// A cookie of 4 to 16 bytes, or none: a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    len: u8,
    bytes: [u8; 16],
}

impl Cookie {
    const REQUEST: Cookie = Cookie { len: 0, bytes: [0; 16] };

    fn of(bytes: &[u8]) -> Option<Cookie> {
        let mut cookie = Cookie { len: bytes.len() as u8, bytes: [0; 16] };
        cookie.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(cookie)
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The cookie that a SYN ACK gives, if it is a legal one: 4 to 16 bytes, an even number (RFC 7413 4.1.1).
    fn given(segment: &Segment) -> Option<Cookie> {
        let cookie = Cookie::of(segment.header.options.extra.fast_open()?)?;
        (cookie.len >= 4 && cookie.len % 2 == 0).then_some(cookie)
    }
}

/// What Fast Open keeps for one connection, from its SYN to the end of the handshake.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The option of our SYN or SYN ACK.
    cookie: Option<Cookie>,
    /// It is written as the experimental option (RFC 7413 appendix A).
    experimental: bool,
    /// Our first SYN carried the option.
    asked: bool,
    /// Payload bytes that the SYN may carry, headers' options not subtracted; 0: none.
    room: u16,
    /// The SYN waits for the first bytes written.
    pub(crate) waits: bool,
    /// Payload bytes that our SYN carried.
    pub(crate) sent: u32,
    /// The handle of the listener on whose account the connection waits.
    listener: Option<u64>,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug, Default)]
struct Server {
    cookie: Option<Cookie>,
    /// The cookie came in the experimental option.
    experimental: bool,
    /// It had no cookie for the option of RFC 7413, and none for the experimental one.
    silent: (bool, bool),
    mss: u16,
    /// No attempt before this.
    refused_until: Option<Instant>,
    losses: u8,
}

/// What one host keeps for Fast Open.
#[derive(Debug)]
pub(crate) struct FastOpen {
    /// The key in use and the one before.
    keys: [SipHasher24; 2],
    servers: BTreeMap<IpAddr, Server>,
    /// In the order in which they were first heard of.
    order: VecDeque<IpAddr>,
    off_until: Option<Instant>,
    black_holes: u32,
}

/// What a listener counts.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    open: u32,
    /// When the latest were reset, oldest first: as many as may be pending at most.
    reset: VecDeque<Instant>,
}

/// A cookie shown to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Under the key in use.
    Valid,
    /// Under the key before: good, and a new one is given.
    Old,
    Invalid,
    Request,
}

impl FastOpen {
    pub(crate) fn new(seed: u64) -> FastOpen {
        let hasher = |purpose| SipHasher24::new_with_key(&key(seed, purpose));
        FastOpen {
            keys: [hasher("tcp fast open"), hasher("tcp fast open before")],
            servers: BTreeMap::new(),
            order: VecDeque::new(),
            off_until: None,
            black_holes: 0,
        }
    }

    fn judge([current, before]: &[SipHasher24; 2], pair: &Pair, shown: &[u8]) -> Shown {
        match shown {
            [] => Shown::Request,
            _ if shown == make(current, pair).bytes() => Shown::Valid,
            _ if shown == make(before, pair).bytes() => Shown::Old,
            _ => Shown::Invalid,
        }
    }

    /// How a connection to `pair.remote` begins; `None`: without Fast Open.
    pub(crate) fn begin(
        &self,
        config: &TcpConfig,
        settings: &SocketOptions,
        pair: &Pair,
        now: Instant,
    ) -> Option<Box<Opening>> {
        let off = self.off_until.is_some_and(|until| now < until);
        if off || !config.fast_open_client || !settings.fast_open_connect {
            return None;
        }
        let server = self.servers.get(&pair.remote.address).copied().unwrap_or_default();
        if server.refused_until.is_some_and(|until| now < until) {
            return None;
        }
        let opening = Opening {
            cookie: server.cookie,
            experimental: server.experimental,
            asked: true,
            room: if server.mss > 0 { server.mss } else { u16::MAX },
            waits: true,
            sent: 0,
            listener: None,
        };
        Some(Box::new(match server.cookie {
            _ if settings.fast_open_no_cookie => Opening { cookie: None, asked: false, ..opening },
            Some(_) => opening,
            None => {
                let experimental = server.silent == (true, false);
                Opening { cookie: Some(Cookie::REQUEST), experimental, room: 0, waits: false, ..opening }
            }
        }))
    }

    fn entry(&mut self, server: IpAddr) -> &mut Server {
        if !self.servers.contains_key(&server) {
            if self.order.len() >= SERVERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.servers.remove(&oldest);
            }
            self.order.push_back(server);
        }
        self.servers.entry(server).or_default()
    }

    fn remember(&mut self, server: IpAddr, cookie: Cookie, experimental: bool, mss: u16) {
        *self.entry(server) = Server { cookie: Some(cookie), experimental, mss, ..Server::default() };
    }

    /// The server is there, but has not given a cookie; `experimental`: to the request in the experimental option.
    fn was_silent(&mut self, server: IpAddr, experimental: bool) {
        let entry = self.entry(server);
        if entry.cookie.is_none() {
            entry.silent = if experimental { (entry.silent.0, true) } else { (true, entry.silent.1) };
        }
    }

    /// The server has no cookies for us, or took no data (RFC 7413 4.1.3.1).
    fn refuse(&mut self, server: IpAddr, config: &TcpConfig, now: Instant) {
        let entry = self.entry(server);
        entry.cookie = None;
        entry.refused_until = Some(now + config.fast_open_refusal);
    }

    /// A SYN with our option was lost; the plain one after it was not, or nothing came back at all.
    fn lost(&mut self, server: IpAddr, now: Instant) {
        let entry = self.entry(server);
        entry.losses = entry.losses.saturating_add(1).min(10);
        let wait = core::time::Duration::from_secs(60 << entry.losses);
        entry.refused_until = Some(now + wait);
    }

    /// Connections that began well hear nothing more: no Fast Open at all for a while, twice as long each time.
    fn black_hole(&mut self, config: &TcpConfig, now: Instant) {
        if config.fast_open_black_hole.is_zero() {
            return;
        }
        let times = self.black_holes.min(6);
        self.black_holes += 1;
        self.off_until = Some(now + config.fast_open_black_hole * (1 << times));
    }
}

/// Bytes of a SYN that its options take from its data.
fn taken_by_options(config: &TcpConfig, options: usize) -> usize {
    if config.habits.syn_data_spares_options { 40 } else { options }
}

fn make(hasher: &SipHasher24, pair: &Pair) -> Cookie {
    // The client's address and ours, as Linux has it: servers behind one address may share a key across systems.
    let hash = match (pair.remote.address, pair.local.address) {
        (IpAddr::V4(client), IpAddr::V4(server)) => hasher.hash(&[client.octets(), server.octets()].concat()),
        (client, server) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            hasher.hash(&[octets(client), octets(server)].concat())
        }
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&hash.to_le_bytes());
    Cookie { len: 8, bytes }
}

impl Pending {
    /// Whether one more of at most `most` may wait.
    fn allows(&mut self, most: u32, now: Instant) -> bool {
        while self.reset.front().is_some_and(|&at| now.since(at) >= RESET_COUNTS) {
            self.reset.pop_front();
        }
        u64::from(self.open) + (self.reset.len() as u64) < u64::from(most)
    }
}

impl Connection {
    /// Adds the option to our SYN or SYN ACK.
    pub(crate) fn add_fast_open(&self, options: &mut TcpOptions) {
        let Some(opening) = &self.fast_open else { return };
        match opening.cookie {
            Some(cookie) if opening.experimental => {
                options.extra.push_fast_open_experiment(cookie.bytes());
            }
            Some(cookie) => {
                options.extra.push_fast_open(cookie.bytes());
            }
            None => {}
        }
    }

    /// Payload bytes that the SYN will carry at most, while it waits for them.
    pub(crate) fn fast_open_room(&self, now: Instant, config: &TcpConfig) -> Option<usize> {
        let opening = self.fast_open.as_ref().filter(|opening| opening.waits)?;
        let mut options = self.options.syn_options(now);
        self.add_fast_open(&mut options);
        let taken = taken_by_options(config, options.padded_len());
        Some(usize::from(opening.room.min(self.options.path_mss)).saturating_sub(taken))
    }

    /// Bytes that the SYN about to leave takes along; one that is sent again has neither data nor option, as what
    /// stands in the way may dislike both (RFC 7413 4.2.1).
    pub(crate) fn fast_open_payload(&mut self, again: bool, options: &TcpOptions, config: &TcpConfig) -> u32 {
        let Some(opening) = &mut self.fast_open else { return 0 };
        opening.waits = false;
        if again || self.state != State::SynSent {
            if opening.listener.is_none() {
                opening.cookie = None;
            }
            return 0;
        }
        let taken = taken_by_options(config, options.padded_len());
        let room = opening.room.min(self.options.path_mss).saturating_sub(taken as u16);
        let len = self.queue.end().saturating_sub(self.iss + 1).min(u64::from(room)) as u32;
        opening.sent = len;
        len
    }

    /// The SYN ACK is here; `ack` is its place.
    pub(crate) fn fast_open_answered(&mut self, cx: &mut Context<'_>, segment: &Segment, ack: u64) {
        let Some(opening) = &self.fast_open else { return };
        let (server, taken) = (self.pair.remote.address, ack > self.iss + 1);
        let (asked, experimental) = (opening.asked, opening.experimental);
        let tried = asked || opening.sent > 0;
        let mss = self.options.peer_mss;
        let keeps_asking = cx.config.habits.fast_open_tries_experiment;
        if opening.sent > 0 {
            if taken {
                self.insight.fast_open = ack >= self.iss + 1 + u64::from(opening.sent);
                cx.stats.fast_open_active += 1;
            } else {
                cx.stats.fast_open_active_failed += 1;
            }
        }
        match Cookie::given(segment) {
            // Nobody asked for it: what is it worth?
            Some(_) | None if !asked => cx.fast_open.entry(server).mss = mss,
            Some(cookie) => {
                let experimental = segment.header.options.extra.fast_open_is_experimental();
                cx.fast_open.remember(server, cookie, experimental, mss);
            }
            None if taken || keeps_asking => {
                cx.fast_open.entry(server).mss = mss;
                if opening.sent == 0 && self.syn.retransmissions == 0 {
                    cx.fast_open.was_silent(server, experimental);
                }
            }
            None if self.syn.retransmissions > 0 => cx.fast_open.lost(server, cx.now),
            None if tried => cx.fast_open.refuse(server, cx.config, cx.now),
            None => {}
        }
        if opening.sent == 0 {
            self.fast_open = None;
        }
    }

    /// The attempt has failed without any answer but silence or an error of the network.
    pub(crate) fn fast_open_failed(&mut self, cx: &mut Context<'_>) {
        if self.state == State::SynSent
            && self.fast_open.take().is_some()
            && !cx.config.habits.fast_open_tries_experiment
        {
            cx.fast_open.lost(self.pair.remote.address, cx.now);
        }
    }

    /// The retransmission timer ran out `times` times in a row.
    pub(crate) fn suspect_black_hole(&mut self, cx: &mut Context<'_>, times: u32) {
        let deaf = self.insight.bytes_received == 0 && times >= 2;
        if deaf && self.active && self.fast_open.take_if(|opening| opening.sent > 0).is_some() {
            cx.stats.fast_open_black_holes += 1;
            cx.fast_open.black_hole(cx.config, cx.now);
        }
    }
}

impl Tcp {
    /// A new key for Fast Open cookies (RFC 7413 5.1). Cookies under the one in use so far are still taken, those
    /// under the one before it no more.
    pub fn rotate_fast_open_key(&mut self, key: [u8; 16]) {
        let fresh = SipHasher24::new_with_key(&key);
        let [current, before] = &mut self.fast_open.keys;
        *before = core::mem::replace(current, fresh);
    }

    /// Forgets all cookies, refusals and losses of the client's half, and a black hole.
    pub fn forget_fast_open(&mut self) {
        self.fast_open.servers.clear();
        self.fast_open.order.clear();
        (self.fast_open.off_until, self.fast_open.black_holes) = (None, 0);
    }

    /// A SYN with our option for a listener that knows Fast Open. Whether a connection came of it at once; if not,
    /// `half_open` may have been given a cookie to hand on.
    pub(super) fn on_fast_open(&mut self, segment: &Segment, index: u32, half_open: &mut HalfOpen) -> bool {
        let (pair, now) = (&segment.pair, segment.at);
        let Some(listener) = self.listeners.get_mut(index) else { return false };
        // Where no cookie is needed, data alone says that it wants to be taken.
        let bare = listener.settings.fast_open_no_cookie && !segment.payload.is_empty();
        let shown = segment.header.options.extra.fast_open();
        let Some(shown) = shown.or(bare.then_some(&[])) else { return false };
        let most = listener.settings.fast_open_pending;
        if most == 0 || !self.config.fast_open_server {
            return false;
        }
        let own = listener.settings.fast_open_key.map(|key| [SipHasher24::new_with_key(&key); 2]);
        let keys = own.as_ref().unwrap_or(&self.fast_open.keys);
        let mut judged = FastOpen::judge(keys, pair, shown);
        if listener.settings.fast_open_no_cookie {
            judged = Shown::Valid;
        }
        let fresh = make(&keys[0], pair);
        match judged {
            Shown::Request => self.stats.fast_open_cookies += 1,
            Shown::Invalid => self.stats.fast_open_passive_failed += 1,
            Shown::Valid | Shown::Old if listener.fast_open.allows(most, now) => {
                let cookie = (judged == Shown::Old).then_some(fresh);
                self.open_at_once(segment, index, half_open, cookie);
                return true;
            }
            Shown::Valid | Shown::Old => {
                self.stats.fast_open_overflows += 1;
                return false;
            }
        }
        half_open.fast_open = fresh.bytes().try_into().ok();
        false
    }

    fn open_at_once(
        &mut self,
        segment: &Segment,
        listener: u32,
        half_open: &HalfOpen,
        cookie: Option<Cookie>,
    ) {
        let now = segment.at;
        let mut connection = Box::new(half_open.connection(&self.config));
        connection.syn.due = true;
        let handle = self.listeners.handle(listener);
        let opening = Opening {
            cookie,
            experimental: half_open.fast_open_experiment,
            asked: false,
            room: 0,
            waits: false,
            sent: 0,
            listener: Some(handle),
        };
        connection.fast_open = Some(Box::new(opening));
        connection.insight.segments_received = 1;
        connection.insight.fast_open = !segment.payload.is_empty();
        connection.insight.record(
            now,
            TcpEventKind::Received {
                flags: segment.header.flags,
                seq: 0,
                ack: 0,
                len: segment.payload.len() as u32,
                window: u32::from(segment.header.window),
                ttl: segment.ttl,
            },
        );
        connection.set_state(now, State::SynReceived);
        let mut cx = super::context!(self, now);
        let place = connection.irs + 1;
        connection.on_payload(&mut cx, segment, place);
        self.stats.fast_open_passive += 1;
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.fast_open.open += 1;
        }
        self.join_queue(listener, connection, now);
    }

    /// After something happened to a connection that began with data: its listener's account.
    pub(super) fn settle_fast_open(&mut self, index: u32, now: Instant) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.state == State::SynReceived || connection.active {
            return;
        }
        let Some(opening) = connection.fast_open.take() else { return };
        let reset = connection.state == State::Closed;
        let listener = opening.listener.and_then(|handle| self.listeners.resolve(handle));
        if let Some(listener) = listener.and_then(|index| self.listeners.get_mut(index)) {
            listener.end_pending(reset, now);
        }
    }
}

impl Listener {
    fn end_pending(&mut self, reset: bool, now: Instant) {
        self.fast_open.open = self.fast_open.open.saturating_sub(1);
        if reset {
            self.fast_open.reset.push_back(now);
        }
    }
}
