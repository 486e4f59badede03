//! One interface, packet by packet: flows, questions, and what is beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::errors::Told;
use crate::flow::{End, TcpFlow};
use crate::glance::{ADVERTISEMENT, COOKED_OWN, Glance, Icmp, Message, Tcp, Transport, Udp};
use crate::ground::{Ground, Mac, SHORT_LIFE};
use crate::index::Index;
use crate::kept::{Kept, Moment};
use crate::questions::{Question, Questions};
use crate::quic::QuicFlow;
use crate::side::{ACK, RST, SYN};
use crate::tunnels::Tunnels;

/// Connections that are remembered.
const FLOWS_MAX: usize = 100_000;

/// Of more machines nobody needs to know.
const PRESENT_MAX: usize = 4_096;
/// So many connections that end in the middle of something are no accident.
const TORN_MIN: usize = 2;
/// No network is silent for so long: several captures were put together, or one was paused.
const BROKEN_OFF: u64 = 7_200_000_000_000;
/// More of such silences are not told apart.
const GAPS_MAX: usize = 1_024;
/// Longer words are no mark of ours.
const MARK_MAX: usize = 64;
/// Of more questions not each is compared with all others.
const COMPARED_MAX: usize = 2_000;

/// What was seen on one interface.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) packets: u64,
    /// Packets that a machine sent to itself.
    pub(crate) own_talk: u64,
    pub(crate) first: Option<u64>,
    pub(crate) last: u64,
    pub(crate) flows: Vec<TcpFlow>,
    tcp: BTreeMap<(End, End), usize>,
    pub(crate) quics: Vec<QuicFlow>,
    udp: BTreeMap<(End, End), usize>,
    pub(crate) questions: Questions,
    pub(crate) ground: Ground,
    pub(crate) tunnels: Tunnels,
    /// Hardware addresses of hosts, told by packets that no router has touched.
    pub(crate) macs: BTreeMap<IpAddr, Mac>,
    /// The lowest of each hardware address's addresses.
    homes: BTreeMap<Mac, IpAddr>,
    /// All of it in order, once everything was taken.
    pub(crate) index: Index,
    /// The life that a host's packets had left, by the first that is neither a reset nor an error.
    pub(crate) ttls: BTreeMap<IpAddr, u8>,
    /// Machines of the local network that took part in what was meant for one machine alone: where switches pass that on to
    /// nobody else, the capture was made at one of them.
    present: BTreeSet<Mac>,
    /// Machines that asked everybody for a neighbour.
    seekers: BTreeSet<Mac>,
    /// Packets that were damaged on the way, by who had sent them.
    pub(crate) damaged: BTreeMap<IpAddr, Vec<u64>>,
    /// Those packets.
    pub(crate) broken: Vec<Kept>,
    /// Only what clients send was captured.
    pub(crate) one_sided: bool,
    /// Packets that were written before earlier ones.
    pub(crate) disordered: u64,
    /// Fragments that have no ports were captured: no filter on ports left them out.
    later_fragments: bool,
    /// ICMP errors of which too little was kept to tell what they are about.
    pub(crate) unread_errors: u64,
    /// Of some packets only a part was kept.
    pub(crate) cut: bool,
    /// Messages that a packet was too big for the way (RFC 1191, RFC 8201).
    pub(crate) too_big: u64,
    /// When it was broken off: the last packets before long silences.
    gaps: Vec<u64>,
    /// Connections that their comments say are checks: which check, and of what kind.
    marks: BTreeMap<(End, End), String>,
}

/// A life that no router has shortened.
pub(crate) fn is_fresh(ttl: u8) -> bool {
    matches!(ttl, 64 | 128 | 255)
}

fn key(a: End, b: End) -> (End, End) {
    if a <= b { (a, b) } else { (b, a) }
}

impl Watch {
    /// Takes what a comment says of a packet's connection: that it is a check, made to explain another one.
    pub(crate) fn mark(&mut self, ends: (End, End), check: &str) {
        if self.marks.len() < FLOWS_MAX && check.len() <= MARK_MAX {
            self.marks.entry(key(ends.0, ends.1)).or_insert_with(|| check.to_owned());
        }
    }

    /// Whether any comment told of a check.
    pub(crate) fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The check that a connection is a part of.
    pub(crate) fn mark_of(&self, ends: [End; 2]) -> Option<&str> {
        self.marks.get(&key(ends[0], ends[1])).map(String::as_str)
    }

    /// Takes a packet. `original`: its length on the wire.
    pub(crate) fn take(&mut self, glance: &Glance, kept: &Kept, original: u32) {
        let at = kept.at;
        self.later_fragments |= glance.later_fragment;
        if let (true, Transport::None, Some(src), Some(dst)) =
            (glance.first_fragment && !glance.cut, &glance.transport, glance.src, glance.dst)
        {
            self.questions.fragment(src, dst, kept);
        }
        self.packets += 1;
        let own = glance.src.is_some_and(|src| src.is_loopback() || glance.dst == Some(src));
        self.own_talk += u64::from(own);
        self.first.get_or_insert(at.time);
        if at.time.saturating_sub(self.last) > BROKEN_OFF && self.packets > 1 && self.gaps.len() < GAPS_MAX {
            self.gaps.push(self.last);
        }
        self.last = self.last.max(at.time);
        if let (Some(mac), Some(src)) = (glance.mac, glance.src)
            && is_fresh(glance.ttl)
            && mac != [0; 6]
            && self.macs.len() < 65_536
            && !self.macs.contains_key(&src)
        {
            self.macs.insert(src, mac);
            let home = self.homes.entry(mac).or_insert(src);
            *home = src.min(*home);
        }
        self.neighbourhood(glance);
        let resets = matches!(&glance.transport, Transport::Tcp(tcp) if tcp.flags & RST != 0);
        let telling = matches!(&glance.transport, Transport::Tcp(_) | Transport::Udp(_) | Transport::Icmp(_));
        if let Some(src) = glance.src.filter(|_| telling && !resets && glance.quoted.is_none())
            && self.ttls.len() < 65_536
        {
            self.ttls.entry(src).or_insert(glance.ttl);
        }
        match &glance.transport {
            Transport::Tcp(tcp) => self.tcp(glance, tcp, kept, original),
            Transport::Udp(udp) => self.udp(glance, *udp, kept),
            Transport::Icmp(icmp) => self.icmp(glance, icmp, kept),
            Transport::Neighbour { asks, address } => {
                self.ground.neighbour(*asks, *address, (glance.src, glance.mac), kept);
                if let Some(mac) = glance.mac.filter(|mac| !*asks && *mac != [0; 6]) {
                    self.ground.claim(*address, mac, kept);
                }
            }
            Transport::None => {}
        }
    }

    /// Notes who took part in what was meant for one machine alone.
    fn neighbourhood(&mut self, glance: &Glance) {
        if let (Transport::Neighbour { asks: true, .. }, Some(mac)) = (&glance.transport, glance.mac)
            && self.seekers.len() < PRESENT_MAX
        {
            self.seekers.insert(mac);
        }
        // A cooked capture tells the sender only; what its machine did not send itself may be meant for it, or for another.
        if glance.is_to_many() || glance.cooked.is_some_and(|kind| kind != COOKED_OWN) {
            return;
        }
        for mac in [glance.mac, glance.to_mac].into_iter().flatten().filter(|mac| *mac != [0; 6]) {
            if self.present.len() < PRESENT_MAX {
                self.present.insert(mac);
            }
        }
    }

    /// Whether the capture was perhaps made at another machine than this one, which asks everybody: nothing that was meant for
    /// it alone was captured, and something that was meant for others was, or others ask as much. Then its answers would not
    /// be in the capture either.
    pub(crate) fn is_bystander(&self, asker: Option<Mac>) -> bool {
        let Some(asker) = asker.filter(|asker| !self.present.contains(asker)) else { return false };
        !self.present.is_empty() || self.seekers.iter().any(|seeker| *seeker != asker)
    }

    /// The connection between two ends that is under way.
    pub(crate) fn flow_between(&self, from: End, to: End) -> Option<&TcpFlow> {
        self.tcp.get(&key(from, to)).map(|place| &self.flows[*place])
    }

    /// Takes a packet that was seen a moment before, the same to the last bit: it tells of the network, or of how the
    /// capture was made, and of nothing else.
    pub(crate) fn copied(&mut self, glance: &Glance, kept: &Kept) {
        self.packets += 1;
        if let (Some((from, to)), Transport::Tcp(_)) = (glance.ends(), &glance.transport)
            && let Some(place) = self.tcp.get(&key(from, to))
        {
            self.flows[*place].copied(from, kept);
        }
    }

    fn tcp(&mut self, glance: &Glance, tcp: &Tcp, kept: &Kept, original: u32) {
        let Some((from, to)) = glance.ends() else { return };
        for message in &glance.messages {
            if let Message::Dns(dns) = message {
                self.questions.take(from, to, true, dns, kept, glance.cut);
            }
        }
        let place = match self.tcp.get(&key(from, to)) {
            Some(place) if !self.flows[*place].is_reused_by(from, tcp) => *place,
            _ => {
                if self.flows.len() >= FLOWS_MAX {
                    return;
                }
                // A question that is meant to die on the way is a probe of the way.
                if tcp.flags & (SYN | ACK) == SYN && glance.ttl < SHORT_LIFE {
                    self.ground.probe(from, to, glance.ttl, kept);
                    return;
                }
                self.flows.push(TcpFlow::new(from, to, kept.at));
                self.tcp.insert(key(from, to), self.flows.len() - 1);
                self.flows.len() - 1
            }
        };
        self.flows[place].take(glance, tcp, kept, original);
    }

    fn udp(&mut self, glance: &Glance, udp: Udp, kept: &Kept) {
        let Some((from, to)) = glance.ends() else { return };
        let mut is_quic = false;
        for message in &glance.messages {
            match message {
                // Asking everybody on the link is another thing than asking a name server (RFC 6762).
                Message::Dns(dns) if udp.src_port == 53 || udp.dst_port == 53 => {
                    self.questions.take(from, to, false, dns, kept, glance.cut);
                }
                Message::Dhcp { kind, id, client } => {
                    self.ground.dhcp(client.unwrap_or_default(), *kind, *id, kept);
                }
                Message::Quic(quic) => is_quic |= quic.long.is_some() || quic.version != 0,
                _ => {}
            }
        }
        if glance.messages.is_empty() && glance.ttl < SHORT_LIFE && !to.0.is_multicast() {
            self.ground.probe(from, to, glance.ttl, kept);
            return;
        }
        self.ground.probe_answered(from, to, kept);
        self.tunnels.take(from, to, kept.at);
        self.questions.stray(from, to, kept);
        let known = self.udp.get(&key(from, to)).copied();
        if known.is_none() && (!is_quic || self.quics.len() >= FLOWS_MAX) {
            return;
        }
        let place = known.unwrap_or_else(|| {
            self.quics.push(QuicFlow::new(from, to, kept.at));
            self.udp.insert(key(from, to), self.quics.len() - 1);
            self.quics.len() - 1
        });
        self.quics[place].take(glance, udp, kept);
    }

    fn icmp(&mut self, glance: &Glance, icmp: &Icmp, kept: &Kept) {
        let (Some(src), Some(dst)) = (glance.src, glance.dst) else { return };
        if icmp.v6 && icmp.kind == ADVERTISEMENT {
            self.ground.advertised(kept);
        }
        if icmp.is_echo_request() {
            self.ground.echo(src, dst, icmp.ident, icmp.seq, glance.ttl, kept);
        } else if icmp.is_echo_reply() {
            self.ground.reply(src, dst, icmp.ident, icmp.seq, glance.ttl, kept);
        }
        self.too_big += u64::from(matches!((icmp.v6, icmp.kind, icmp.code), (false, 3, 4) | (true, 2, _)));
        let Some(quoted) = glance.quoted else { return };
        self.unread_errors += u64::from(quoted.protocol == 0 && glance.cut);
        let (Some(from), Some(to)) = (quoted.src, quoted.dst) else { return };
        let told = Told::new(kept.at, src, icmp, &quoted);
        let ends = ((from, quoted.ports.0), (to, quoted.ports.1));
        match quoted.protocol {
            1 => self.ground.echo_told(from, to, quoted.ports.0, quoted.ports.1, told, kept),
            _ if self.ground.probe_told(ends.0, ends.1, told, kept) => {}
            6 => {
                if let Some(place) = self.tcp.get(&key(ends.0, ends.1)) {
                    let flow = &mut self.flows[*place];
                    if flow.told.len() < 64 {
                        flow.told.push(told);
                    }
                    flow.last = kept.at;
                    flow.album.add(kept);
                }
            }
            17 => {
                self.questions.told(ends.0, ends.1, told, kept);
                if let Some(place) = self.udp.get(&key(ends.0, ends.1)) {
                    let flow = &mut self.quics[*place];
                    if flow.told.len() < 64 {
                        flow.told.push(told);
                    }
                    flow.last = kept.at;
                    flow.album.add(kept);
                }
            }
            _ => {}
        }
    }

    /// When it began, in nanoseconds since the Unix epoch.
    pub(crate) fn start(&self) -> u64 {
        self.first.unwrap_or(0)
    }

    /// Who an address is, for grouping: all addresses of one hardware address are one host.
    pub(crate) fn host(&self, address: IpAddr) -> IpAddr {
        let Some(mac) = self.macs.get(&address) else { return address };
        self.homes.get(mac).copied().unwrap_or(address)
    }

    /// Who connects from `local` to `remote`. Without hardware addresses, whoever asked for the name that led there is the
    /// same host, with another address.
    pub(crate) fn host_of(&self, local: IpAddr, remote: IpAddr) -> IpAddr {
        if self.macs.contains_key(&local) {
            return self.host(local);
        }
        self.asker_of(remote).map_or(local, |asker| self.host(asker))
    }

    /// Whether records of another kind than addresses were asked for and the answer did not come, or only its beginning.
    /// That there are none is an answer.
    pub(crate) fn was_in_vain(&self, question: &Question) -> bool {
        const WANTED: [u16; 7] = [2, 6, 15, 16, 33, 43, 48];
        if !question.asked.recursion
            || !WANTED.contains(&question.asked.kind)
            || self.questions.all.len() > COMPARED_MAX
        {
            return false;
        }
        let same = |other: &&Question| {
            other.server == question.server
                && other.client.0 == question.client.0
                && (other.asked.kind, &other.asked.name) == (question.asked.kind, &question.asked.name)
        };
        let whole = |other: &Question| other.answer.as_ref().is_some_and(|(_, answer)| !answer.truncated);
        let all = || self.questions.all.iter().filter(same);
        all().filter(|other| !other.over_tcp).any(|other| match &other.answer {
            Some((_, answer)) if answer.truncated => !all().any(whole),
            Some((_, answer)) => matches!(answer.rcode, 1 | 2 | 4 | 5),
            None => other.failure(self.last).is_some(),
        })
    }

    /// Whether the capture lacks packets that were there: somebody acknowledged what was never seen.
    pub(crate) fn lacks_packets(&self) -> bool {
        self.ground.unasked > 0
            || self.one_sided
            || self.flows.iter().flat_map(|flow| &flow.sides).any(|side| side.uncaptured > 0)
    }

    /// Whether one direction only was captured, whichever.
    pub(crate) fn is_one_way(&self) -> bool {
        let deaf = |flow: &TcpFlow| flow.sides[flow.client()].segments == 0;
        self.one_sided || (!self.flows.is_empty() && self.flows.iter().all(deaf))
    }

    /// Whether something was under way when the capture began.
    pub(crate) fn begins_within(&self) -> bool {
        let begun = |flow: &TcpFlow| flow.syns.is_empty() && flow.synacks.is_empty();
        self.ground.unasked > 0 || self.flows.iter().any(begun)
    }

    /// Looks at the whole once everything was taken.
    pub(crate) fn look_back(&mut self) {
        self.one_sided = self.is_one_sided();
        for question in self.questions.all.iter_mut().filter(|_| self.one_sided) {
            question.unheard = true;
        }
        let flows = self.flows.iter().map(|flow| (flow.remote().0, flow.first.time));
        let quics = self.quics.iter().map(|quic| (quic.remote().0, quic.first.time));
        // In order of time: the last connection to each address remains.
        let used = flows.chain(quics).collect();
        self.questions.believe(&used);
        self.questions.judge_torn(self.later_fragments);
        self.leave();
        self.put_in_order();
    }

    /// Makes ready for questions about single things.
    pub(crate) fn put_in_order(&mut self) {
        self.index = Index::of(self);
    }

    /// Tells which connections the capture left before they ended. Some programs keep the first packets of each: where that
    /// shows on several, others that fell silent for long were left, too.
    fn leave(&mut self) {
        let end = self.last;
        let (mut open, mut torn) = (0, 0);
        for flow in &mut self.flows {
            flow.until = self.gaps.iter().copied().find(|gap| *gap >= flow.last.time);
            flow.left = flow.is_torn(end);
            open += usize::from(flow.is_open());
            torn += usize::from(flow.left);
        }
        if torn < TORN_MIN || torn * 4 < open {
            return;
        }
        for flow in &mut self.flows {
            flow.left |= flow.is_long_silent(end);
        }
    }

    /// Whether only what clients send was captured: somebody went on with a connection although no answer was seen.
    fn is_one_sided(&self) -> bool {
        self.flows.iter().any(|flow| {
            let (client, server) = (&flow.sides[flow.client()], &flow.sides[flow.server()]);
            !flow.syns.is_empty() && server.segments == 0 && client.bytes > 0
        }) || self.quics.iter().any(|quic| {
            let client = quic.client();
            quic.short[client] > 0 && quic.datagrams[1 - client] == 0
        })
    }

    /// A moment of the capture's own time.
    pub(crate) fn at(&self, moment: Moment) -> u64 {
        moment.time.saturating_sub(self.start())
    }
}
