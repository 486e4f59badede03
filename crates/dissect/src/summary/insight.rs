//! How each TCP connection fared: its handshake and end by name, round trips, bytes in flight, what it waited for, and
//! whether missing bytes were lost by the network or by the capture.
//!
//! What holds a sender back is judged from packet to packet, and told over time (`limits`). Between a retransmission and
//! the acknowledgement of what had been sent by then it is the network; with the receiver's window full it is the
//! receiver; with nothing in flight, or nothing more to send, it is the application; while as much as ever is in flight,
//! and nothing waits on the way, it is the sender's own window (`window`); otherwise it is the congestion window, which
//! stands for the network. While a hole is open, or the other side repeats its acknowledgement, it is the network, too, and so
//! is all the time that ended with something being sent again. The time is seen where the capture was made: near the receiver all of it shifts by half a
//! round trip, and round trips are not seen at all.

mod limits;
mod losses;
mod window;

use super::{Ends, ends, named, time, unquoted};
use crate::protocols::tcp;
use crate::show::put;
use crate::streams::analysis::{ACK, FIN, RST, SYN};
use crate::tree::Tree;
use limits::{LIMITS, Limit, Limits};
use losses::{Late, Losses};
use std::collections::BTreeMap;
use std::fmt;
use window::Window;

/// So many connections are judged; later ones are counted.
const FLOWS_MAX: usize = 10_000;
/// An acknowledgement that is repeated so often says that something is missing (RFC 5681 3.2).
const REPEATED: u32 = 3;

/// A stretch of time in which something held a sender back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldBack {
    /// Nanoseconds since the connection began.
    pub begins: u64,
    /// The same.
    pub ends: u64,
    /// `application`, `receiver's window`, `sender's window` or `network`.
    pub by: &'static str,
    /// Its share of the time in which the sender was held back by anything, from 0 to 1.
    pub share: f64,
}

/// All TCP connections of a capture.
#[derive(Debug, Default)]
pub struct Insight {
    flows: BTreeMap<u64, Flow>,
    beyond: u64,
}

#[derive(Debug)]
struct Flow {
    /// The one that opened it, or spoke first, and the other.
    ends: Ends,
    /// When its first packet came; all other times count from there.
    begins: i64,
    last: u64,
    /// When the first SYN, the SYN with ACK and the ACK after it came.
    handshake: [Option<u64>; 3],
    /// Who asked has taken an answer that is not there.
    went_on: bool,
    syns: u32,
    /// In the order of their coming: who closed, and how.
    closed: Vec<(usize, End)>,
    sides: [Side; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Fin,
    Reset,
}

#[derive(Debug, Default)]
struct Side {
    packets: u64,
    bytes: u64,
    largest: u32,
    losses: Losses,
    /// Its receive window, scaled, as it said last.
    window: u64,
    /// What its window's unit is, is known.
    is_scaled: bool,
    zero_windows: u64,
    in_flight_max: u64,
    rtt: Rtt,
    held: Limits,
    own_window: Window,
    /// The longest segment that it may send, as the other said.
    full: u32,
    /// Bytes up to here were sent when it last sent something again.
    recovery: Option<u32>,
    /// How often the other repeated its acknowledgement.
    repeated: u32,
    /// Since then it seems to have nothing more to send, and waits for an acknowledgement.
    waits: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rtt {
    count: u64,
    sum: u64,
    least: u64,
    most: u64,
}

impl Rtt {
    fn add(&mut self, sample: u64) {
        self.least = if self.count == 0 { sample } else { self.least.min(sample) };
        self.most = self.most.max(sample);
        self.sum = self.sum.saturating_add(sample);
        self.count += 1;
    }
}

impl Insight {
    /// Takes a packet.
    pub fn take(&mut self, tree: Tree<'_>) {
        let stream = unquoted(tree).find(|field| field.def.is(&tcp::STREAM)).map(|field| field.value);
        let (Some(stream), Some(ends)) = (stream, ends(tree)) else { return };
        if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&stream) {
            self.beyond += 1;
            return;
        }
        let now = time(tree);
        let number = |def| tree.number(def).unwrap_or(0);
        let flags = number(&tcp::FLAGS) as u16;
        let flow = self.flows.entry(stream).or_insert_with(|| {
            // The answer alone tells who opened it, too.
            let is_answer = flags & (SYN | ACK) == SYN | ACK;
            let ends = if is_answer { Ends { from: ends.to, to: ends.from } } else { ends };
            Flow::new(ends, now)
        });
        let segment = Segment {
            // A packet that is older than the first, as where the clock was set back, is as if it came with it.
            now: u64::try_from(now.saturating_sub(flow.begins)).unwrap_or(0),
            flags,
            seq: number(&tcp::SEQ_RAW) as u32,
            ack: number(&tcp::ACK_RAW) as u32,
            len: number(&tcp::LEN) as u32,
            window: number(&tcp::WINDOW),
            // An acknowledgement from before what it acknowledges measures nothing.
            rtt: tree.number(&tcp::ACK_RTT).filter(|rtt| i64::try_from(*rtt).is_ok()),
            longest: tree.number(&tcp::MSS).unwrap_or(0) as u32,
            // -1: the handshake, which tells the unit, is not there. A SYN's own window has none.
            is_scaled: flags & SYN != 0 || tree.number(&tcp::WINDOW_SCALE).is_some_and(|by| by as i64 != -1),
            late: if tree.find(&tcp::OUT_OF_ORDER).is_some() {
                Some(Late::Overtaken)
            } else if tree.find(&tcp::RETRANSMISSION).is_some() {
                Some(Late::Again)
            } else {
                None
            },
        };
        flow.segment(usize::from(ends.from != flow.ends.from), &segment);
    }

    /// What chiefly held back each of the two sides of a connection, the one that opened it first: one stretch of time
    /// after the other. `None`: there is no such connection.
    pub fn held_back(&self, stream: u64) -> Option<[Vec<HeldBack>; 2]> {
        let flow = self.flows.get(&stream)?;
        let stretches = |side: &Side| {
            let runs = side.held.runs().into_iter();
            let held = |run: limits::Run| {
                let (begins, ends) = (run.begins, run.ends.min(flow.last));
                HeldBack { begins, ends, by: LIMITS[run.limit as usize].1, share: run.share }
            };
            runs.map(held).collect()
        };
        Some([stretches(&flow.sides[0]), stretches(&flow.sides[1])])
    }

    /// Who opened a connection, and from which port.
    pub fn opened_by(&self, stream: u64) -> Option<(std::net::IpAddr, u16)> {
        self.flows.get(&stream).map(|flow| flow.ends.from)
    }

    /// A paragraph a connection.
    pub fn text(&self, out: &mut Vec<u8>) {
        for (stream, flow) in &self.flows {
            put!(out, "tcp:{stream} {} > {}\n{flow}\n", named(flow.ends.from), named(flow.ends.to));
        }
        if self.beyond > 0 {
            put!(out, "{} packets belong to connections beyond the first {FLOWS_MAX}\n", self.beyond);
        }
    }

    /// One JSON object a connection.
    pub fn json(&self, out: &mut Vec<u8>) {
        for (stream, flow) in &self.flows {
            put!(out, "{{\"schema\":1,\"kind\":\"tcp\",\"stream\":{stream},");
            put!(out, "\"a\":\"{}\",\"b\":\"{}\",", named(flow.ends.from), named(flow.ends.to));
            put!(out, "\"opened\":\"{}\",\"closed\":\"{}\",", flow.opening(), flow.closing());
            put!(out, "\"seconds\":{:.9}", seconds(flow.last));
            for (side, name) in flow.sides.iter().zip(["ab", "ba"]) {
                put!(out, ",\"{name}\":{{\"packets\":{},\"bytes\":{},", side.packets, side.bytes);
                put!(out, "\"in_flight_max\":{},\"zero_windows\":{},", side.in_flight_max, side.zero_windows);
                let losses = &side.losses;
                put!(out, "\"sent_again\":{},\"spurious\":{},", losses.sent_again, losses.spurious);
                put!(
                    out,
                    "\"lost_before_capture\":{},\"overtaken\":{},",
                    losses.before_capture,
                    losses.overtaken
                );
                put!(out, "\"not_captured_bytes\":{}", losses.not_captured);
                if side.rtt.count > 0 {
                    let Rtt { count, sum, least, most } = side.rtt;
                    put!(out, ",\"rtt\":{{\"samples\":{count},\"min\":{:.9},", seconds(least));
                    put!(out, "\"mean\":{:.9},\"max\":{:.9}}}", seconds(sum / count), seconds(most));
                }
                for ((_, _, name, _), held) in LIMITS.iter().zip(side.held.totals()) {
                    put!(out, ",\"held_by_{name}\":{:.9}", seconds(held));
                }
                out.extend_from_slice(b",\"held\":");
                side.held.json(out);
                out.push(b'}');
            }
            out.extend_from_slice(b"}\n");
        }
    }
}

struct Segment {
    /// Nanoseconds since the connection's first packet.
    now: u64,
    flags: u16,
    seq: u32,
    ack: u32,
    len: u32,
    window: u64,
    rtt: Option<u64>,
    /// The longest segment that may be sent back.
    longest: u32,
    is_scaled: bool,
    late: Option<Late>,
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

impl Flow {
    fn new(ends: Ends, now: i64) -> Flow {
        let sides = Default::default();
        Flow {
            ends,
            begins: now,
            last: 0,
            handshake: [None; 3],
            went_on: false,
            syns: 0,
            closed: Vec::new(),
            sides,
        }
    }

    fn segment(&mut self, from: usize, s: &Segment) {
        for side in 0..2 {
            let limit = self.held_by(side);
            let own = &mut self.sides[side];
            let is_open = limit == Some(Limit::Application) && own.losses.in_flight() > 0;
            own.waits = if is_open { own.waits.or(Some(self.last)) } else { None };
            if let Some(limit) = limit {
                own.held.spend(self.last, s.now, limit);
            }
        }
        self.last = s.now.max(self.last);
        self.name(from, s);
        let [a, b] = &mut self.sides;
        let (own, other) = if from == 0 { (a, b) } else { (b, a) };
        own.packets += 1;
        own.bytes += u64::from(s.len);
        own.largest = own.largest.max(s.len);
        if s.longest > 0 {
            other.full = s.longest;
        }
        own.sends(s, other.packets > 0 && other.window == 0);
        if s.flags & ACK != 0 {
            other.is_acknowledged(s, s.window == own.window);
        }
        (own.window, own.is_scaled) = (s.window, s.is_scaled);
        own.zero_windows += u64::from(s.window == 0 && s.flags & (SYN | RST) == 0);
    }

    /// What holds a side back. Before it has sent data, and after it has closed, nothing does.
    fn held_by(&self, side: usize) -> Option<Limit> {
        let (own, other) = (&self.sides[side], &self.sides[1 - side]);
        if own.bytes == 0 || self.closed.iter().any(|(who, how)| *who == side || *how == End::Reset) {
            return None;
        }
        let flight = own.losses.in_flight();
        let window = &own.own_window;
        // Where the window's unit is not known, only that it is shut is.
        let is_shut = other.packets > 0 && other.window == 0;
        let is_full = other.is_scaled && flight + u64::from(own.full_segment()) > other.window;
        Some(if is_shut {
            Limit::Receiver
        } else if own.recovery.is_some() || own.losses.has_hole() || flight > 0 && own.repeated >= REPEATED {
            Limit::Network
        } else if is_full {
            Limit::Receiver
        } else if flight == 0 {
            Limit::Application
        } else if window.is_level() && window.is_clocked() && !window.is_queued() {
            Limit::Sender
        } else if window.is_short {
            Limit::Application
        } else {
            Limit::Network
        })
    }

    fn name(&mut self, from: usize, s: &Segment) {
        match s.flags & (SYN | ACK) {
            SYN => {
                self.syns += 1;
                self.handshake[0].get_or_insert(s.now);
            }
            bits if bits == SYN | ACK => {
                self.handshake[1].get_or_insert(s.now);
            }
            _ if from == 0 && s.flags & ACK != 0 && s.flags & RST == 0 => {
                if self.handshake[1].is_some() {
                    self.handshake[2].get_or_insert(s.now);
                } else {
                    self.went_on = true;
                }
            }
            _ => {}
        }
        let end = if s.flags & RST != 0 {
            End::Reset
        } else if s.flags & FIN != 0 {
            End::Fin
        } else {
            return;
        };
        if self.closed.len() < 4 && !self.closed.contains(&(from, end)) {
            self.closed.push((from, end));
        }
    }

    fn opening(&self) -> &'static str {
        let is_refused = self.closed.first() == Some(&(1, End::Reset)) && self.sides[1].bytes == 0;
        match self.handshake {
            [None, None, _] => "before the capture",
            [Some(_), None, _] if is_refused => "refused",
            [Some(_), None, _] if self.went_on => "with an answer that was not captured",
            [Some(_), None, _] => "never answered",
            [None, Some(_), _] => "with a question that was not captured",
            [_, Some(_), None] => "never completed",
            _ => "completely",
        }
    }

    fn closing(&self) -> &'static str {
        match self.closed[..] {
            [] => "not within the capture",
            [(0, End::Fin)] => "half, by A",
            [(_, End::Fin)] => "half, by B",
            [(0, End::Fin), (1, End::Fin), ..] => "by A, then by B",
            [(_, End::Fin), (_, End::Fin), ..] => "by B, then by A",
            _ => {
                let mut resets = self.closed.iter().filter(|(_, end)| *end == End::Reset);
                match (resets.next(), resets.next()) {
                    (Some((0, _)), None) => "reset by A",
                    (Some((0, _)), Some(_)) => "reset by A, then by B",
                    (_, None) => "reset by B",
                    (_, Some(_)) => "reset by B, then by A",
                }
            }
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  opened {}", self.opening())?;
        if let (Some(first), Some(last)) = (self.handshake[0], self.handshake[2]) {
            write!(f, " in {:.6} s", seconds(last.saturating_sub(first)))?;
        }
        if self.syns > 1 {
            write!(f, " after {} SYNs", self.syns)?;
        }
        writeln!(f, "; closed {}; {:.6} s in all", self.closing(), seconds(self.last))?;
        for (side, name) in self.sides.iter().zip(["A>B", "B>A"]) {
            side.fmt(f, name)?;
        }
        Ok(())
    }
}

impl Side {
    /// It sends a segment; `is_shut`: the other's window is.
    fn sends(&mut self, s: &Segment, is_shut: bool) {
        let counted = s.len + u32::from(s.flags & SYN != 0) + u32::from(s.flags & FIN != 0);
        // A byte into a closed window asks whether it is open again (RFC 9293 3.8.6.1), again and again.
        let is_probe = is_shut && counted == 1 && self.losses.has_seen(s.seq.wrapping_add(1));
        if counted > 0 && s.flags & RST == 0 && !is_probe {
            if self.losses.sent(s.now, s.seq, counted, s.late) {
                // What looked like having nothing to send was waiting for what had got lost.
                if let Some(since) = self.waits.take() {
                    self.held.amend(since, s.now, Limit::Application, Limit::Network);
                }
                self.recovery = self.losses.highest();
                self.own_window.lost();
            } else {
                self.waits = None;
            }
        }
        let flight = self.losses.in_flight();
        self.own_window.sent(s.now, s.len, flight, self.losses.highest(), self.full_segment());
        self.in_flight_max = self.in_flight_max.max(flight);
    }

    /// The other side acknowledges; `is_same`: its window is as before.
    fn is_acknowledged(&mut self, s: &Segment, is_same: bool) {
        let before = self.losses.in_flight();
        let is_again = self.losses.is_acknowledged(s.ack);
        self.repeated = match is_again {
            true if s.len == 0 && is_same && s.flags & (SYN | FIN | RST) == 0 => self.repeated + 1,
            true => self.repeated,
            false => 0,
        };
        self.losses.acknowledged(s.now, s.ack);
        if self.losses.in_flight() < before {
            self.own_window.acknowledged(s.now, s.ack, self.losses.highest());
            self.waits = None;
        }
        // Of what was sent twice nobody knows which one is acknowledged (RFC 6298 3, Karn's algorithm).
        let is_certain = self.recovery.is_none();
        if self.recovery.is_some_and(|end| s.ack.wrapping_sub(end) as i32 >= 0) {
            self.recovery = None;
        }
        // The round trip belongs to the one whose bytes were acknowledged.
        if let Some(rtt) = s.rtt.filter(|_| is_certain) {
            self.rtt.add(rtt);
            self.own_window.round_trip(rtt);
        }
    }

    /// How long a full segment is: options take a part of it, mostly twelve bytes for timestamps. Several that left as
    /// one are longer.
    fn full_segment(&self) -> u32 {
        const TIMESTAMPS: u32 = 12;
        let (most, largest) = (self.full, self.largest);
        if most <= TIMESTAMPS || (most.saturating_sub(40)..=most).contains(&largest) {
            return largest;
        }
        let is_many = |full: &u32| largest > most && largest.is_multiple_of(*full);
        [most, most - TIMESTAMPS].into_iter().find(is_many).unwrap_or(most)
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let plural = if self.packets == 1 { "" } else { "s" };
        write!(f, "  {name}  {} packet{plural}, {} bytes", self.packets, self.bytes)?;
        if self.in_flight_max > 0 {
            write!(f, ", at most {} in flight", self.in_flight_max)?;
        }
        if self.rtt.count > 0 {
            let Rtt { count, sum, least, most } = self.rtt;
            let millis = |nanos: u64| nanos as f64 / 1e6;
            let (least, mean, most) = (millis(least), millis(sum / count), millis(most));
            write!(f, "; round trip {least:.3} / {mean:.3} / {most:.3} ms ({count} samples)")?;
        }
        writeln!(f)?;
        let totals = self.held.totals();
        let all: u64 = totals.iter().sum();
        if all > 0 {
            write!(f, "       held back by")?;
            let mut separator = " ";
            for ((_, word, ..), held) in LIMITS.iter().zip(totals).filter(|(_, held)| *held > 0) {
                write!(f, "{separator}{word} {:.0} %", held as f64 * 100.0 / all as f64)?;
                separator = ", ";
            }
            writeln!(f)?;
            let mut runs = Vec::new();
            self.held.text(&mut runs);
            write!(f, "{}", String::from_utf8_lossy(&runs))?;
        }
        if self.zero_windows > 0 {
            writeln!(f, "       said {} times that its buffer is full", self.zero_windows)?;
        }
        write!(f, "{}", self.losses)
    }
}
