//! One TCP connection as it was seen: its handshake, both directions, how it ended, what was said on it.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::errors::Told;
use crate::glance::{Glance, Message, Tcp};
use crate::http1::{self, Reader};
use crate::kept::{Album, Kept, Moment};
use crate::side::{ACK, FIN, Piece, RST, SYN, Segment, Side};

/// An address and a port.
pub(crate) type End = (IpAddr, u16);

/// Things said that are remembered of a flow.
const SAID_MAX: usize = 4096;
/// Records of application data of one side that are remembered.
pub(crate) const RECORDS_MAX: u32 = 128;
/// Round trips that are remembered.
const SAMPLES_MAX: usize = 4096;
/// A pause in the data longer than this is the sender's, and says nothing of the way.
const IDLE: u64 = 50_000_000;

/// Where routers talk to one another (RFC 4271 8.2.1.5).
const BGP: u16 = 179;

/// A pause from which on it is long.
const LONG: u64 = 300_000_000;

/// So many of the first bytes of each side are kept.
const OPENING: usize = 64;

/// Acknowledgements of the server that are remembered.
const TAKEN_MAX: usize = 1_024;
/// An acknowledgement may be held back for so long (RFC 9293 3.8.6.3 allows 500 ms; 40 are usual).
const SOON: u64 = 100_000_000;

/// Bytes of a change of cipher with its record.
const CHANGE_CIPHER: u32 = 6;

/// A silence from which on a connection counts as left alone.
const REVIVED: u64 = 1_000_000_000;

/// What was said.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Message(Message),
    Http(http1::Event),
}

/// What was said, by which side, when.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) by: usize,
    pub(crate) at: Moment,
    pub(crate) what: What,
}

/// A reset, and what of its header tells who sent it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset {
    pub(crate) by: usize,
    pub(crate) at: Moment,
    pub(crate) ttl: u8,
    /// How much of what the other side had said it acknowledges, if it does.
    pub(crate) acks: Option<u64>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct TcpFlow {
    pub(crate) ends: [End; 2],
    /// Which side asked for the connection, once that is known.
    pub(crate) client: Option<usize>,
    pub(crate) sides: [Side; 2],
    pub(crate) syns: Vec<Moment>,
    pub(crate) synacks: Vec<Moment>,
    /// The first segment with which the client acknowledged the server's.
    pub(crate) established: Option<Moment>,
    /// Who ended a BGP session, when, and in which words.
    pub(crate) notified: Option<(usize, Moment, (u8, u8))>,
    /// The server's first answer offered no window: somebody else answers in its place first (as SYN proxies do).
    pub(crate) greeted_shut: bool,
    pub(crate) mss: [Option<u16>; 2],
    pub(crate) scale: [Option<u8>; 2],
    /// Of the first packet that is no reset.
    pub(crate) ttl: [Option<u8>; 2],
    /// Packets longer than any network carries show whose side the capture was made on.
    pub(crate) oversized: [u64; 2],
    pub(crate) resets: Vec<Reset>,
    pub(crate) told: Vec<Told>,
    pub(crate) said: Vec<Said>,
    pub(crate) album: Album,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    /// Moments of the data of each side: the last, the longest silence within, silences of a millisecond and more
    /// (how many, how long), pieces.
    pub(crate) pauses: [Pauses; 2],
    /// When a side closed its window, and for how long altogether.
    pub(crate) shut: [Shut; 2],
    /// Round trips beyond the point of capture, in nanoseconds, by the timestamps that came back.
    pub(crate) samples: [Vec<u64>; 2],
    stamps: [VecDeque<(u32, u64)>; 2],
    /// The window that each side announced last.
    windows: [u32; 2],
    /// When the server acknowledged something new.
    taken: Vec<Moment>,
    revival: Option<Revival>,
    resumption: Option<Resumption>,
    /// How long the server's stream stood still each time that it went on with a single packet.
    pub(crate) lone_restarts: Vec<u64>,
    pub(crate) records: [u32; 2],
    /// Payload of the server's before the client went on behind its first words.
    pub(crate) flight: Option<u64>,
    /// The packet that opened each side's direction says nothing of the largest segment, and was captured whole.
    pub(crate) sizeless: [bool; 2],
    readers: [Reader; 2],
    heads: VecDeque<bool>,
    /// What is spoken is TLS, so its bytes are no HTTP.
    is_tls: bool,
    /// Whether each side's last record of TLS is whole.
    pub(crate) framing: [Framing; 2],
    pub(crate) speaks_http1: bool,
    pub(crate) garbage: Option<Said>,
    /// The first bytes of each side.
    pub(crate) opening: [Vec<u8>; 2],
    /// The first bytes of each side that were deciphered.
    pub(crate) plain_opening: [Vec<u8>; 2],
}

/// The rhythm of one side's data.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pauses {
    pub(crate) last: Option<u64>,
    pub(crate) longest: u64,
    pub(crate) total: u64,
    pub(crate) count: u64,
    /// Of those, the ones that nobody takes for a round trip.
    pub(crate) long: (u64, u64),
}

/// A connection that was used again after a silence: when, by whom, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revival {
    pub(crate) at: Moment,
    pub(crate) by: usize,
    /// How long nothing at all had been said before.
    pub(crate) idle: u64,
    /// The other side has said something since.
    answered: bool,
    /// How often it was said again.
    repeats: u64,
    /// It was answered with a reset.
    reset: bool,
}

/// What became of a connection that was used again after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterIdle {
    /// It was answered with a reset.
    Reset,
    /// It was sent again and again, and never answered.
    Silence,
}

impl AfterIdle {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            AfterIdle::Reset => "reset",
            AfterIdle::Silence => "silence",
        }
    }
}

/// A stream that went on after it had stood still.
#[derive(Clone, Copy, Debug)]
struct Resumption {
    at: u64,
    gap: u64,
    /// Segments within the first part of a round trip.
    segments: u64,
}

/// A window that was closed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shut {
    pub(crate) since: Option<Moment>,
    pub(crate) longest: u64,
    pub(crate) total: u64,
    pub(crate) times: u64,
}

impl TcpFlow {
    pub(crate) fn new(from: End, to: End, at: Moment) -> TcpFlow {
        TcpFlow {
            ends: [from, to],
            client: None,
            sides: Default::default(),
            syns: Vec::new(),
            synacks: Vec::new(),
            established: None,
            notified: None,
            greeted_shut: false,
            mss: [None; 2],
            scale: [None; 2],
            ttl: [None; 2],
            oversized: [0; 2],
            resets: Vec::new(),
            told: Vec::new(),
            said: Vec::new(),
            album: Album::default(),
            first: at,
            last: at,
            pauses: Default::default(),
            shut: Default::default(),
            samples: Default::default(),
            stamps: Default::default(),
            windows: [0; 2],
            taken: Vec::new(),
            revival: None,
            resumption: None,
            lone_restarts: Vec::new(),
            records: [0; 2],
            flight: None,
            sizeless: [false; 2],
            readers: Default::default(),
            heads: VecDeque::new(),
            is_tls: false,
            framing: Default::default(),
            speaks_http1: false,
            garbage: None,
            opening: Default::default(),
            plain_opening: Default::default(),
        }
    }

    /// Whether this segment opens another connection between the same ends.
    pub(crate) fn is_reused_by(&self, from: End, tcp: &Tcp) -> bool {
        let side = usize::from(self.ends[0] != from);
        let opens = tcp.flags & (SYN | ACK) == SYN;
        opens && self.sides[side].is_reused_by(tcp.seq)
    }

    /// The smallest round trip between both ends that the handshake shows, wherever it was captured.
    pub(crate) fn rtt(&self) -> Option<u64> {
        let (syn, done) = (self.syns.last()?, self.established?);
        // With more than one question nobody knows which was answered.
        (self.syns.len() == 1).then(|| done.time.saturating_sub(syn.time))
    }

    /// Time from the point of capture to the server and back.
    pub(crate) fn rtt_beyond(&self) -> Option<u64> {
        let (syn, answer) = (self.syns.last()?, self.synacks.first()?);
        (self.syns.len() == 1).then(|| answer.time.saturating_sub(syn.time))
    }

    pub(crate) fn take(&mut self, glance: &Glance, tcp: &Tcp, kept: &Kept, original: u32) {
        let (Some(src), at) = (glance.src, kept.at) else { return };
        let by = usize::from(self.ends[0] != (src, tcp.src_port));
        let silent = at.time.saturating_sub(self.last.time);
        self.last = at;
        self.album.add(kept);
        self.handshake(by, at, tcp, glance.cut);
        self.revive(by, at, silent, tcp);
        if tcp.flags & RST != 0 {
            let other = &self.sides[1 - by];
            let acks = (tcp.flags & ACK != 0 && other.saw_syn).then(|| other.offset(tcp.ack)).flatten();
            let acks = acks.map(|offset| offset.saturating_sub(other.first));
            self.resets.push(Reset { by, at, ttl: glance.ttl, acks });
            self.resets.truncate(16);
        } else {
            self.ttl[by].get_or_insert(glance.ttl);
        }
        // Behind jumbo frames no network goes.
        self.oversized[by] += u64::from(original > 9_100);
        self.window(by, at, tcp);
        self.stamp(by, at.time, tcp);
        let rtt = self.rtt().unwrap_or(0);
        let segment = Segment {
            number: at.number,
            time: at.time,
            seq: tcp.seq,
            flags: tcp.flags,
            len: tcp.len,
            payload: &tcp.payload,
            tsval: tcp.tsval,
            ip_id: glance.ip_id,
        };
        let heard = self.sides[1 - by].bytes;
        // A change of cipher by itself is no answer: it goes out at once, for the sake of old devices (RFC 8446 D.4).
        if by == self.client() && tcp.len > CHANGE_CIPHER && heard > 0 {
            self.flight.get_or_insert(heard);
        }
        let (fresh, lost) = (self.sides[by].bytes, self.sides[by].lost);
        let on_the_way = self.sides[by].unacknowledged() > 0 && self.sides[by].saw_syn;
        let remarkable = self.sides[by].remarkable();
        let pieces = self.sides[by].take(&segment, rtt);
        if self.sides[by].remarkable() > remarkable {
            self.album.mark(kept);
        }
        let again = self.sides[by].lost > lost;
        if self.sides[by].bytes > fresh || again {
            self.resume(by, at.time, tcp.len, again);
        }
        if self.sides[by].bytes > fresh {
            self.pauses[by].take(at.time, !on_the_way);
        }
        self.messages(by, at, glance);
        if self.ends.iter().any(|(_, port)| *port == BGP) && self.notified.is_none() {
            self.notified = crate::bgp::notification(&tcp.payload).map(|words| (by, at, words));
        }
        self.pieces(by, at, pieces);
        for plain in &glance.plain {
            if self.plain_opening[by].is_empty() {
                self.plain_opening[by] = plain[..plain.len().min(OPENING)].to_vec();
            }
            self.read(by, at, plain);
        }
        if tcp.flags & ACK != 0 && tcp.flags & RST == 0 {
            let acked = self.sides[1 - by].acked;
            // A window that opens is news.
            let bare = tcp.len == 0 && tcp.flags & (SYN | FIN) == 0 && self.windows[by] == tcp.window;
            self.windows[by] = tcp.window;
            let missed = self.sides[1 - by].acknowledged(tcp.ack, bare, at.time);
            if self.sides[1 - by].acked > acked && by != self.client() && self.taken.len() < TAKEN_MAX {
                self.taken.push(at);
            }
            self.pieces(1 - by, at, missed);
        }
        if tcp.flags & FIN != 0 {
            for event in self.readers[by].close() {
                self.say(by, at, What::Http(event));
            }
        }
    }

    /// What a SOCKS proxy answered, if it did not do what it was asked (RFC 1928 3, 6).
    pub(crate) fn socks_refusal(&self) -> Option<u8> {
        let (asked, said) = (&self.opening[self.client()], &self.opening[self.server()]);
        let (&[5, methods, ..], &[5, method, ref rest @ ..]) = (asked.as_slice(), said.as_slice()) else {
            return None;
        };
        let greeting = 2 + usize::from(methods);
        match (method, rest) {
            (255, []) => Some(255),
            (0, &[5, reply, 0, ..]) if reply != 0 && asked.get(greeting) == Some(&5) => Some(reply),
            _ => None,
        }
    }

    /// The server's reset of a connection that nobody had closed, with data that it never answered or before it ever said
    /// a word; and whether it had said something before.
    pub(crate) fn cut_by_server(&self) -> Option<(Moment, bool)> {
        let (client, server) = (self.client(), self.server());
        let reset = self.resets.first().filter(|reset| reset.by == server)?;
        if self.sides.iter().any(|side| side.fin.is_some()) || self.established.is_none() {
            return None;
        }
        let (sent, got) = (&self.sides[client], &self.sides[server]);
        // What was not captured may have been the reason.
        let unseen = self.sides.iter().any(|side| side.uncaptured > 0 || side.missing() > 0)
            || reset.acks.is_some_and(|acks| acks > sent.bytes);
        if unseen {
            return None;
        }
        let asked_last = sent.last_data.is_some_and(|asked| got.last_data.is_none_or(|heard| asked > heard));
        let since = sent.last_data.into_iter().chain(self.established.map(|at| at.time)).max().unwrap_or(0);
        let soon = reset.at.time.saturating_sub(since) < REVIVED * 5;
        let unsaid = got.bytes == 0;
        (soon && (asked_last || unsaid)).then_some((reset.at, !unsaid))
    }

    /// Takes a second copy of a packet.
    pub(crate) fn copied(&mut self, from: End, kept: &Kept) {
        self.sides[usize::from(self.ends[0] != from)].copied(kept.at.number);
        self.album.mark(kept);
    }

    /// What a side's own clock said last (RFC 7323 3), and when.
    pub(crate) fn last_stamp(&self, from: End) -> Option<(u32, u64)> {
        self.stamps[usize::from(self.ends[0] != from)].back().copied()
    }

    /// Whether packets of both directions were seen twice: no network does that, but a switch's mirror port does.
    pub(crate) fn is_mirrored(&self) -> bool {
        self.sides.iter().all(|side| side.twice * 4 >= side.data_segments.max(1))
    }

    /// Watches what becomes of the first thing that is said after a silence, by a side that had been answered before.
    fn revive(&mut self, by: usize, at: Moment, silent: u64, tcp: &Tcp) {
        let resets = tcp.flags & RST != 0;
        if let Some(revival) = &mut self.revival {
            if by != revival.by {
                revival.reset |= resets && !revival.answered;
                revival.answered |= !resets;
            } else if tcp.len > 0 && !revival.answered {
                revival.repeats += 1;
            }
        }
        let known = self.sides[by].segments > 1 && self.sides[1 - by].segments > 1;
        let over = self.sides.iter().any(|side| side.fin.is_some()) || !self.resets.is_empty();
        let pending = self.sides[by].unacknowledged() > 0 && self.sides[by].bytes > 0;
        // A probe whether the peer lives is no use of the connection (RFC 9293 3.8.4).
        if silent >= REVIVED && tcp.len > 1 && !resets && known && !over && !pending {
            self.revival = Some(Revival { at, by, idle: silent, answered: false, repeats: 0, reset: false });
        }
    }

    /// How the connection was found when it was used again after a silence; `None`: well, or nobody knows.
    pub(crate) fn after_idle(&self) -> Option<(Revival, AfterIdle)> {
        let revival = self.revival.filter(|revival| !revival.answered)?;
        let waited = self.last.time.saturating_sub(revival.at.time);
        match (revival.reset, revival.repeats) {
            (true, _) => Some((revival, AfterIdle::Reset)),
            (false, 2..) if waited >= REVIVED => Some((revival, AfterIdle::Silence)),
            _ => None,
        }
    }

    /// Watches how the server's stream goes on after it stood still though nothing new was asked.
    /// `again`: this was sent before, so a timer had run out.
    fn resume(&mut self, by: usize, time: u64, len: u32, again: bool) {
        if by == self.client() {
            return;
        }
        let mss = self.mss.iter().flatten().min().copied().unwrap_or(1_460);
        let segments = u64::from(len).div_ceil(u64::from(mss.max(1)));
        let rtt = if self.resumption.is_some() { self.least_rtt() } else { 0 };
        if let Some(resumed) = &mut self.resumption {
            if time.saturating_sub(resumed.at) < (rtt / 2).max(500_000) {
                resumed.segments += segments;
            } else {
                // Whatever limits a program lets it send as much as before; a timer that ran out lets one packet go.
                if resumed.segments == 1
                    && time.saturating_sub(resumed.at) < rtt.max(1_000_000) * 4
                    && self.lone_restarts.len() < 64
                {
                    self.lone_restarts.push(resumed.gap);
                }
                self.resumption = None;
            }
        }
        let asked = self.sides[self.client()].last_data.unwrap_or(0);
        if let Some(last) = self.pauses[by].last
            && time.saturating_sub(last) >= REVIVED
            && asked < last
            && u64::from(len) * 10 >= u64::from(mss) * 9
        {
            let gap = time.saturating_sub(last);
            if !again {
                self.resumption = Some(Resumption { at: time, gap, segments });
            } else if self.lone_restarts.len() < 64 {
                self.lone_restarts.push(gap);
            }
        }
    }

    /// The shortest way to the other end and back, as far as anything has shown.
    fn least_rtt(&self) -> u64 {
        let sampled: u64 = self.samples.iter().filter_map(|samples| samples.iter().min()).sum();
        let known = [self.rtt(), Some(sampled)].into_iter().flatten().filter(|rtt| *rtt > 0);
        known.min().unwrap_or(0)
    }

    /// For how long a side's window was shut at most; still shut counts until the last packet.
    pub(crate) fn shut_for(&self, side: usize) -> u64 {
        let shut = self.shut[side];
        let open = shut.since.map_or(0, |since| self.last.time.saturating_sub(since.time));
        shut.longest.max(open)
    }

    fn handshake(&mut self, by: usize, at: Moment, tcp: &Tcp, cut: bool) {
        let (syn, ack) = (tcp.flags & SYN != 0, tcp.flags & ACK != 0);
        if syn {
            self.mss[by] = tcp.mss.or(self.mss[by]);
            self.sizeless[by] = self.mss[by].is_none() && !cut;
            self.scale[by] = tcp.scale;
            self.client = Some(if ack { 1 - by } else { by });
            self.greeted_shut |= ack && tcp.window == 0;
            let list = if ack { &mut self.synacks } else { &mut self.syns };
            if list.len() < 64 {
                list.push(at);
            }
        } else if ack && tcp.flags & RST == 0 && self.client == Some(by) && !self.synacks.is_empty() {
            self.established.get_or_insert(at);
        }
    }

    fn window(&mut self, by: usize, at: Moment, tcp: &Tcp) {
        let shut = &mut self.shut[by];
        if tcp.window == 0 && tcp.flags & (RST | SYN | FIN) == 0 {
            if shut.since.is_none() {
                shut.since = Some(at);
                shut.times += 1;
            }
        } else if let Some(since) = shut.since.take() {
            let time = at.time.saturating_sub(since.time);
            (shut.longest, shut.total) = (shut.longest.max(time), shut.total.saturating_add(time));
        }
    }

    /// Each end sends its clock, and the other sends it back (RFC 7323 3): a round trip beyond the point of capture.
    fn stamp(&mut self, by: usize, time: u64, tcp: &Tcp) {
        if let Some(echo) = tcp.tsecr {
            let stamps = &mut self.stamps[1 - by];
            while let Some((stamp, sent)) = stamps.front().copied() {
                let ahead = stamp.wrapping_sub(echo) as i32;
                if ahead > 0 {
                    break;
                }
                stamps.pop_front();
                // After a silence the clock that comes back is old.
                let flows = self.pauses[by].last.is_some_and(|last| time.saturating_sub(last) < IDLE);
                if ahead == 0 && flows && self.samples[1 - by].len() < SAMPLES_MAX {
                    self.samples[1 - by].push(time.saturating_sub(sent));
                }
            }
        }
        if let Some(stamp) = tcp.tsval {
            let stamps = &mut self.stamps[by];
            if stamps.back().is_none_or(|(last, _)| *last != stamp) && stamps.len() < 4096 {
                stamps.push_back((stamp, time));
            }
        }
    }

    fn messages(&mut self, by: usize, at: Moment, glance: &Glance) {
        for message in &glance.messages {
            match message {
                Message::Record { .. } | Message::Handshake(_) | Message::Alert(..) => self.is_tls = true,
                Message::Http2(_) => {}
                _ => continue,
            }
            if let Message::Handshake(hello) = message
                && self.client.is_none()
            {
                match hello.kind {
                    1 => self.client = Some(by),
                    2 => self.client = Some(1 - by),
                    _ => {}
                }
            }
            if !self.is_more_of_the_same(by, at, message) {
                self.say(by, at, What::Message(message.clone()));
            }
        }
    }

    /// Long transfers are thousands of records and frames of data: the first tell when, the others how much.
    fn is_more_of_the_same(&mut self, by: usize, at: Moment, message: &Message) -> bool {
        match message {
            Message::Record { kind: 23, inner, .. } if !matches!(inner, Some(21 | 22)) => {
                self.records[by] += 1;
                self.records[by] > RECORDS_MAX
            }
            Message::Http2(frame) if frame.is_only_data() => {
                if let Some(Said { by: before, at: last, what: What::Message(Message::Http2(known)) }) =
                    self.said.last_mut()
                    && *before == by
                    && known.stream == frame.stream
                    && known.data > 0
                {
                    known.data += frame.data;
                    known.ends |= frame.ends;
                    *last = at;
                    return true;
                }
                frame.data == 0 && !frame.ends
            }
            _ => false,
        }
    }

    fn pieces(&mut self, by: usize, at: Moment, pieces: Vec<Piece>) {
        for piece in &pieces {
            let Piece::Bytes(bytes) = piece else { break };
            let room = OPENING - self.opening[by].len();
            self.opening[by].extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if self.is_tls || self.opening[by].first() == Some(&22) {
            for piece in &pieces {
                self.framing[by].take(piece);
            }
            return;
        }
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => self.read(by, at, &bytes),
                Piece::Skipped(count) => {
                    for event in self.readers[by].skip(count) {
                        self.say(by, at, What::Http(event));
                    }
                }
            }
        }
    }

    fn read(&mut self, by: usize, at: Moment, bytes: &[u8]) {
        for event in self.readers[by].feed(bytes, &mut self.heads) {
            match &event {
                http1::Event::Request(_) if self.client.is_none() => self.client = Some(by),
                http1::Event::Response(_) if self.client.is_none() => self.client = Some(1 - by),
                http1::Event::Garbage => {
                    self.garbage.get_or_insert(Said { by, at, what: What::Http(event) });
                    continue;
                }
                _ => {}
            }
            self.speaks_http1 = true;
            self.say(by, at, What::Http(event));
        }
    }

    fn say(&mut self, by: usize, at: Moment, what: What) {
        // Many pieces of one body are one, for the memory's sake.
        if let What::Http(http1::Event::Body(more)) = &what
            && let Some(Said { by: before, what: What::Http(http1::Event::Body(count)), at: last, .. }) =
                self.said.last_mut()
            && *before == by
        {
            *count += more;
            *last = at;
            return;
        }
        if self.said.len() < SAID_MAX {
            self.said.push(Said { by, at, what });
        }
    }

    /// Which side asked. Without a handshake or a request the smaller port is the server's.
    pub(crate) fn client(&self) -> usize {
        self.client.unwrap_or(usize::from(self.ends[0].1 < self.ends[1].1))
    }

    pub(crate) fn server(&self) -> usize {
        1 - self.client()
    }

    pub(crate) fn remote(&self) -> End {
        self.ends[self.server()]
    }

    pub(crate) fn local(&self) -> End {
        self.ends[self.client()]
    }

    /// Whether a part of an HTTP/1 direction was not captured.
    pub(crate) fn lost_track(&self, by: usize) -> bool {
        self.speaks_http1 && self.readers[by].is_lost()
    }

    /// Whether a request was acknowledged soon, and nothing of either side was sent again between that and the answer:
    /// then it was the server that took its time, whatever else was lost before and after.
    pub(crate) fn waited_in_peace(&self, asked: Moment, answered: Moment) -> bool {
        let during = asked.number..=answered.number;
        let taken = self.taken.iter().rev().find(|taken| during.contains(&taken.number));
        let Some(taken) = taken else { return false };
        let soon = taken.time.saturating_sub(asked.time) < self.least_rtt() * 2 + SOON;
        let (sent, got) = (&self.sides[self.client()], &self.sides[self.server()]);
        let after = taken.number..=answered.number;
        let again = sent.resent.iter().chain(&got.resent).chain(&got.repaired);
        soon && !again.into_iter().any(|number| after.contains(number))
    }

    /// Whether one side's resets all came the same way.
    pub(crate) fn is_reset_by_one(&self, side: usize) -> bool {
        let mut ttls = self.resets.iter().filter(|reset| reset.by == side).map(|reset| reset.ttl);
        let first = ttls.next();
        ttls.all(|ttl| Some(ttl) == first)
    }

    /// Whether both sides took part.
    pub(crate) fn is_answered(&self) -> bool {
        let server = self.server();
        self.sides[server].segments > 0
    }
}

/// Where the records of TLS end on one side of a stream (RFC 8446 5.1): five bytes of head say how many follow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framing {
    head: Vec<u8>,
    left: u64,
    /// A head was not captured, or is none.
    lost: bool,
}

impl Framing {
    fn take(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes(bytes) => self.bytes(bytes),
            Piece::Skipped(count) => match self.left.checked_sub(*count) {
                Some(left) => self.left = left,
                None => self.lost = true,
            },
        }
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            let within = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= within as u64;
            bytes = &bytes[within..];
            let head = bytes.len().min(5 - self.head.len());
            self.head.extend_from_slice(&bytes[..head]);
            bytes = &bytes[head..];
            if let [kind, major, _, high, low] = self.head[..] {
                self.lost = !(20..=24).contains(&kind) || major != 3;
                self.left = u64::from(high) << 8 | u64::from(low);
                self.head.clear();
            }
        }
    }

    /// Whether a record was begun and not finished.
    pub(crate) fn is_open(&self) -> bool {
        !self.lost && (self.left > 0 || !self.head.is_empty())
    }
}

impl Pauses {
    /// `idle`: all that was sent had been acknowledged, so nothing but the sender itself held it back.
    pub(crate) fn take(&mut self, time: u64, idle: bool) {
        if let Some(last) = self.last {
            let pause = time.saturating_sub(last);
            self.longest = self.longest.max(pause);
            if pause >= 1_000_000 && idle {
                self.total = self.total.saturating_add(pause).min(crate::YEAR);
                self.count += 1;
                if pause >= LONG {
                    self.long = (self.long.0 + 1, self.long.1.saturating_add(pause).min(crate::YEAR));
                }
            }
        }
        self.last = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_their_heads_say() {
        let stream: Vec<u8> = [&[22, 3, 3, 0, 3, 1, 2, 3][..], &[23, 3, 3, 0, 1, 9]].concat();
        for cut in 0..=stream.len() {
            for at in 0..=cut {
                let mut framing = Framing::default();
                framing.take(&Piece::Bytes(stream[..at].to_vec()));
                framing.take(&Piece::Bytes(stream[at..cut].to_vec()));
                assert_eq!(framing.is_open(), !matches!(cut, 0 | 8 | 14), "{at} and {cut}");
            }
        }
        let mut framing = Framing::default();
        framing.take(&Piece::Bytes(stream[..6].to_vec()));
        framing.take(&Piece::Skipped(2));
        assert!(!framing.is_open());
        framing.take(&Piece::Skipped(1));
        framing.take(&Piece::Bytes(stream[8..10].to_vec()));
        assert!(!framing.is_open(), "where a head was not captured nothing is known");
    }
}
