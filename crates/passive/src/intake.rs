//! What captures do to packets before anybody reads them: mirror ports show each twice, clocks are set while packets come,
//! a tap on a cable has an interface for each direction. Here that is undone, as far as the packets themselves tell.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::glance::{Glance, Transport};
use crate::sums;
use crate::watch::Watch;

/// A packet's second copy comes so soon; no sender repeats itself within this time.
const COPY: u64 = 1_000_000;
/// So many packets back a copy is looked for.
const RECENT: usize = 16;
/// What tells two packets apart stands at their beginning: addresses, identification, sequence, sums, clocks.
const TELLING: usize = 112;

/// The last packets of an interface, by their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<(u64, u64)>);

impl Recent {
    /// Whether the same packet, to the last bit of IP, was seen a moment ago.
    pub(crate) fn is_copy(&mut self, link: u16, frame: &[u8], original: u32, time: u64) -> bool {
        let Some((at, version)) = sums::ip_at(link, frame) else { return false };
        if !is_unique(frame.get(at..).unwrap_or(&[]), version) {
            return false;
        }
        let packet = &frame[at..frame.len().min(at + TELLING)];
        // FNV-1a.
        let start = 0xCBF2_9CE4_8422_2325 ^ u64::from(original);
        let mark = packet
            .iter()
            .fold(start, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3));
        let known = self.0.iter().any(|(other, at)| *other == mark && time.abs_diff(*at) < COPY);
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back((mark, time));
        known
    }
}

/// Whether no host sends the same packet twice within a moment. Acknowledgements without data and resets are all alike, where
/// nothing numbers the packets.
fn is_unique(ip: &[u8], version: u8) -> bool {
    let header = if version == 4 { usize::from(ip.first().map_or(0, |byte| byte & 15)) * 4 } else { 40 };
    let numbered = version == 4 && ip.get(4..6).is_some_and(|id| id != [0, 0]);
    let protocol = ip.get(if version == 4 { 9 } else { 6 }).copied();
    if numbered || protocol != Some(6) {
        return true;
    }
    let announced = if version == 4 { ip.get(2..4) } else { ip.get(4..6) };
    let announced = announced.map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
    let length = if version == 4 { announced } else { announced + 40 };
    let own = ip.get(header + 12).map_or(0, |byte| usize::from(byte >> 4) * 4);
    let flags = ip.get(header + 13).copied().unwrap_or(0);
    length > header + own || flags & 0x03 != 0
}

/// A capture's clock that goes back by more than this was set; by less, its packets came through several queues.
const SET_BACK: u64 = 50_000_000;
/// Shorter silences are looked at by nobody.
const SILENCE: u64 = 20_000_000_000;

/// The clock of an interface.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Option<u64>,
    /// What is to be added to what the capture says.
    shift: i64,
    /// Packets that were written before earlier ones.
    pub(crate) disordered: u64,
}

impl Clock {
    /// The time of the next packet, as if nobody had set the clock.
    pub(crate) fn read(&mut self, time: u64, glance: &Glance, watch: &Watch) -> u64 {
        let now = time.saturating_add_signed(self.shift);
        let Some(last) = self.last else {
            self.last = Some(now);
            return now;
        };
        if let Some(before) = set_forward(glance, watch, now) {
            self.move_to(now, before);
            return before;
        }
        if now < last && last - now >= SET_BACK {
            self.move_to(now, last);
            return last;
        }
        self.disordered += u64::from(now < last);
        self.last = Some(now.max(last));
        now
    }

    /// From now on it is another time.
    fn move_to(&mut self, now: u64, then: u64) {
        let step = i64::try_from(now.abs_diff(then)).unwrap_or(i64::MAX);
        self.shift =
            if then < now { self.shift.saturating_sub(step) } else { self.shift.saturating_add(step) };
        self.last = Some(then);
    }
}

/// When the sender's packet before this one came, if its own clock (RFC 7323) shows that hardly any time has passed since,
/// although the capture's shows that much has. No sender's clock ticks less than once a second.
fn set_forward(glance: &Glance, watch: &Watch, now: u64) -> Option<u64> {
    let (Transport::Tcp(tcp), Some((from, to))) = (&glance.transport, glance.ends()) else { return None };
    let (stamp, before) = watch.flow_between(from, to)?.last_stamp(from)?;
    let (ticks, silence) = (tcp.tsval?.wrapping_sub(stamp), now.saturating_sub(before));
    (silence >= SILENCE && u64::from(ticks) * 4 < silence / 1_000_000_000).then_some(before)
}

/// Two ends of a conversation, in order.
type Ends = ((IpAddr, u16), (IpAddr, u16));

/// Conversations that are remembered.
const CONVERSATIONS_MAX: usize = 100_000;

/// On which interface each conversation was seen, and in which directions.
#[derive(Debug, Default)]
pub(crate) struct Homes(BTreeMap<Ends, Home>);

#[derive(Clone, Copy, Debug)]
struct Home {
    interface: (u32, u32),
    /// From the smaller end to the larger.
    upwards: bool,
    /// Both directions were seen there.
    both: bool,
    /// One direction was seen on several interfaces: packets pass through here.
    several: bool,
}

impl Homes {
    /// Where a packet belongs that was seen on `interface`: to the other direction of its conversation, if each was seen on
    /// an interface of its own.
    pub(crate) fn of(&mut self, interface: (u32, u32), link: u16, frame: &[u8]) -> (u32, u32) {
        let Some((from, to)) = ends(link, frame) else { return interface };
        let upwards = from <= to;
        let key = if upwards { (from, to) } else { (to, from) };
        if self.0.len() >= CONVERSATIONS_MAX && !self.0.contains_key(&key) {
            return interface;
        }
        let home = self.0.entry(key).or_insert(Home { interface, upwards, both: false, several: false });
        let opposite = home.upwards != upwards;
        if home.interface == interface {
            home.both |= opposite;
            return interface;
        }
        home.several |= !opposite;
        if opposite && !home.both && !home.several { home.interface } else { interface }
    }
}

/// Who speaks to whom, from the headers alone. Searches for neighbours are between who asks and who is looked for.
fn ends(link: u16, frame: &[u8]) -> Option<Ends> {
    let v4 = |at: usize| -> Option<IpAddr> {
        Some(Ipv4Addr::from(<[u8; 4]>::try_from(frame.get(at..at + 4)?).ok()?).into())
    };
    let v6 = |at: usize| -> Option<IpAddr> {
        Some(Ipv6Addr::from(<[u8; 16]>::try_from(frame.get(at..at + 16)?).ok()?).into())
    };
    if link == 1 && frame.get(12..14) == Some(&[8, 6]) {
        return Some(((v4(28)?, 0), (v4(38)?, 0)));
    }
    let (at, version) = sums::ip_at(link, frame)?;
    let (src, dst, protocol, above) = match version {
        4 => {
            let header = usize::from(frame.get(at)? & 15) * 4;
            (v4(at + 12)?, v4(at + 16)?, *frame.get(at + 9)?, at + header)
        }
        6 => (v6(at + 8)?, v6(at + 24)?, *frame.get(at + 6)?, at + 40),
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    match (protocol, frame.get(above)) {
        (6 | 17, _) => Some(((src, port(above)?), (dst, port(above + 2)?))),
        // RFC 4861 4.3: who is looked for stands behind eight bytes.
        (58, Some(135)) => Some(((src, 0), (v6(above + 8)?, 0))),
        _ => Some(((src, 0), (dst, 0))),
    }
}

#[cfg(test)]
mod tests;
