//! One TCP connection as it was seen: its handshake, both directions, how it ended, what was said on it.

mod carried;
mod ended;
mod framing;
mod idle;
mod rhythm;
mod said;
mod trips;

use carried::Carried;
pub(crate) use ended::Reset;
pub(crate) use framing::Framing;
pub(crate) use idle::{AfterIdle, Revival};
pub(crate) use rhythm::{Pauses, Shut};
pub(crate) use said::{RECORDS_MAX, Said, What};

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::errors::Told;
use crate::glance::{Glance, Tcp};
use crate::http1::{Method, Reader};
use crate::kept::{Album, Kept, Moment};
use crate::side::{ACK, FIN, RST, SYN, Segment, Side};
use idle::Resumption;
use said::OPENING;

/// An address and a port.
pub(crate) type End = (IpAddr, u16);

/// Where routers talk to one another (RFC 4271 8.2.1.5).
const BGP: u16 = 179;

/// What is not acknowledged is sent again within this time, and a few round trips (RFC 6298).
const REPEATED_WITHIN: u64 = 4_000_000_000;
/// So long few wait without a word.
const PATIENCE: u64 = 150_000_000_000;

/// Acknowledgements of the server that are remembered.
const TAKEN_MAX: usize = 1_024;

/// Encrypted records up to here may be HTTP/2's own (windows, pings, settings), and ask for nothing.
const CONTROL: u64 = 60;

/// Bytes of a change of cipher with its record.
const CHANGE_CIPHER: u32 = 6;

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
    /// Questions for a connection that carried data already (RFC 7413), and those that were signed.
    pub(crate) eager_syns: usize,
    pub(crate) signed_syns: usize,
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
    /// When the server had said anything last as the client left.
    pub(crate) heard_till_left: Option<u64>,
    /// The capture goes on, and this connection is no longer in it.
    pub(crate) left: bool,
    /// Until when there was a capture, if it was broken off and taken up again afterwards.
    pub(crate) until: Option<u64>,
    /// Moments of the data of each side: the last, the longest silence within, silences of a millisecond and more
    /// (how many, how long), pieces.
    pub(crate) pauses: [Pauses; 2],
    /// How much the other side had said when each said something last.
    heard_before: [u64; 2],
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
    /// What the server carried, moment by moment.
    pub(crate) carried: Carried,
    readers: [Reader; 2],
    asked: VecDeque<Method>,
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
            eager_syns: 0,
            signed_syns: 0,
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
            heard_till_left: None,
            left: false,
            until: None,
            pauses: Default::default(),
            heard_before: [0; 2],
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
            carried: Carried::default(),
            readers: Default::default(),
            asked: VecDeque::new(),
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
        if by == self.client() && tcp.flags & (FIN | RST) != 0 {
            self.heard_till_left = self.heard_till_left.or(self.sides[1 - by].last_data);
        }
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
            let heard = self.sides[1 - by].bytes;
            let more = heard - self.heard_before[by];
            self.heard_before[by] = heard;
            // What is small in TLS may be HTTP/2's own, which follows what was heard at once; a question ends a silence.
            let silent_since = self.pauses[by].last.unwrap_or(at.time);
            let late = self.sides[1 - by].last_data.is_some_and(|asked| {
                at.time.saturating_sub(asked).saturating_mul(2) < at.time.saturating_sub(silent_since)
            });
            self.pauses[by].take(at.time, !on_the_way, more > 0 && (!self.is_tls || more > CONTROL || late));
        }
        if by == self.server() && tcp.len > 0 {
            self.carried.take(at.time, original);
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
            // A block below what is acknowledged tells of a packet that came once more.
            let doubled = tcp.sack.is_some_and(|edge| (edge.wrapping_sub(tcp.ack) as i32) < 0);
            self.sides[1 - by].doubts += u64::from(doubled);
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

    /// Until when the capture follows this connection.
    pub(crate) fn followed_until(&self, capture_end: u64) -> u64 {
        if self.left { self.last.time } else { self.until.unwrap_or(capture_end).min(capture_end) }
    }

    /// Whether nobody has ended it.
    pub(crate) fn is_open(&self) -> bool {
        self.resets.is_empty() && self.sides.iter().all(|side| side.fin.is_none())
    }

    /// Whether the capture left it before it ended: a sender says again what nobody acknowledges, and here the packets end
    /// without that.
    pub(crate) fn is_torn(&self, capture_end: u64) -> bool {
        let silent = capture_end.saturating_sub(self.last.time);
        let due = |side: &Side| side.unacknowledged() > 1 && side.bytes > 0 && side.resent_count == 0;
        let patience = self.least_rtt().saturating_mul(4).saturating_add(REPEATED_WITHIN);
        self.is_open() && self.sides.iter().any(due) && silent > patience
    }

    /// Whether it has been silent for longer than most wait. A server that hangs looks so, too.
    pub(crate) fn is_long_silent(&self, capture_end: u64) -> bool {
        self.is_open() && capture_end.saturating_sub(self.last.time) > PATIENCE
    }

    /// Takes a second copy of a packet.
    pub(crate) fn copied(&mut self, from: End, kept: &Kept) {
        self.sides[usize::from(self.ends[0] != from)].copied(kept.at.number);
        self.album.mark(kept);
    }

    /// Whether packets of both directions were seen twice: no network does that, but a switch's mirror port does.
    pub(crate) fn is_mirrored(&self) -> bool {
        self.sides.iter().all(|side| side.twice * 4 >= side.data_segments.max(1))
    }

    fn handshake(&mut self, by: usize, at: Moment, tcp: &Tcp, cut: bool) {
        let (syn, ack) = (tcp.flags & SYN != 0, tcp.flags & ACK != 0);
        if syn {
            self.mss[by] = tcp.mss.or(self.mss[by]);
            self.sizeless[by] = self.mss[by].is_none() && !cut;
            self.scale[by] = tcp.scale;
            self.client = Some(if ack { 1 - by } else { by });
            self.eager_syns += usize::from(!ack && tcp.len > 0);
            self.signed_syns += usize::from(!ack && tcp.signed);
            self.greeted_shut |= ack && tcp.window == 0;
            let list = if ack { &mut self.synacks } else { &mut self.syns };
            if list.len() < 64 {
                list.push(at);
            }
        } else if ack && tcp.flags & RST == 0 && self.client == Some(by) && !self.synacks.is_empty() {
            self.established.get_or_insert(at);
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

    /// Whether both sides took part.
    pub(crate) fn is_answered(&self) -> bool {
        let server = self.server();
        self.sides[server].segments > 0
    }
}
