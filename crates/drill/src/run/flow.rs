//! A connection as the script numbers it, beside what is on the wire.

use std::collections::BTreeMap;

use super::observed::Observed;
use thru_wire::tcp::Flags;

/// The first port of the script's own side of connections it opens.
const FIRST_PORT: u16 = 53_001;

/// One pair of ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    /// Ports the script names it by, local first, if it does.
    pub(crate) named: Option<(u16, u16)>,
    /// Our first sequence number on the wire, once seen, and what the script calls it.
    pub(crate) isn: Option<u32>,
    pub(crate) script_isn: u32,
    /// The script's own first sequence number: what it writes in SYNs is meant as it stands, all other numbers count
    /// from there.
    pub(crate) remote_isn: Option<u32>,
    /// The number after all payload that was seen to leave.
    pub(crate) sent_until: Option<u32>,
    /// What the script calls our timestamps, and what they were.
    timestamps: BTreeMap<u32, u32>,
    first_timestamp: Option<(u32, u32)>,
}

impl Flow {
    /// From our numbers on the wire to the script's; `syn`: on a segment with SYN.
    pub(crate) fn to_script(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_sub(self.offset(syn))
    }

    /// And back.
    pub(crate) fn to_wire(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_add(self.offset(syn))
    }

    fn offset(&self, syn: bool) -> u32 {
        let script = if syn { self.script_isn } else { 0 };
        self.isn.map_or(0, |isn| isn.wrapping_sub(script))
    }

    /// What is added to the script's own numbers.
    pub(crate) fn remote_offset(&self, syn: bool) -> u32 {
        if syn { 0 } else { self.remote_isn.unwrap_or(0) }
    }

    /// The script expected `script` and `wire` was sent.
    pub(crate) fn pair_timestamps(&mut self, script: u32, wire: u32) {
        self.timestamps.insert(script, wire);
        self.first_timestamp.get_or_insert((script, wire));
    }

    /// What `wire` is in the script's numbers.
    pub(crate) fn timestamp_to_script(&self, wire: u32) -> u32 {
        self.first_timestamp.map_or(wire, |(script, first)| wire.wrapping_sub(first).wrapping_add(script))
    }

    /// The echo the script sends.
    pub(crate) fn echo_to_wire(&self, script: u32) -> u32 {
        if script == 0 {
            return 0;
        }
        if let Some(wire) = self.timestamps.get(&script) {
            return *wire;
        }
        self.first_timestamp.map_or(script, |(first, wire)| script.wrapping_sub(first).wrapping_add(wire))
    }
}

/// Every connection of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flows {
    list: Vec<Flow>,
    /// The one that lines without ports are about.
    current: Option<usize>,
    opened: u16,
}

impl Flows {
    /// A connection that the host opens, or that the script will open to `local_port`, begins: lines without ports are
    /// about it from now on.
    pub(crate) fn begin(&mut self, local_port: u16, remote_port: Option<u16>) -> usize {
        let remote_port = remote_port.unwrap_or_else(|| {
            self.opened += 1;
            FIRST_PORT + self.opened - 1
        });
        self.list.push(Flow { local_port, remote_port, ..Flow::default() });
        self.current = Some(self.list.len() - 1);
        self.list.len() - 1
    }

    /// Lines without ports are about nothing we know yet: a socket was bound or listens.
    pub(crate) fn forget_current(&mut self) {
        self.current = None;
    }

    pub(crate) fn current(&self) -> Option<usize> {
        self.current
    }

    /// Our initial sequence number of the newest connection that has one.
    pub(crate) fn newest_isn(&self) -> Option<u32> {
        self.list.iter().rev().find_map(|flow| flow.isn)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Flow> {
        self.list.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Flow> {
        self.list.get_mut(index)
    }

    /// The flow that the script names by `ports` (local first).
    pub(crate) fn named(&mut self, ports: (u16, u16)) -> usize {
        if let Some(found) = self.list.iter().rposition(|flow| flow.named == Some(ports)) {
            return found;
        }
        // The host chose its port by itself: the script's name is taken for the newest flow to that port.
        let newest = self.list.iter().rposition(|flow| {
            flow.named.is_none() && (flow.remote_port == ports.1 || flow.local_port == ports.0)
        });
        let index = newest.unwrap_or_else(|| {
            self.list.push(Flow { local_port: ports.0, remote_port: ports.1, ..Flow::default() });
            self.list.len() - 1
        });
        self.list[index].named = Some(ports);
        index
    }

    /// The flow a packet of the host belongs to.
    pub(crate) fn of(&self, observed: &Observed) -> Option<usize> {
        let tcp = observed.tcp()?;
        self.list.iter().rposition(|flow| flow.local_port == tcp.src_port && flow.remote_port == tcp.dst_port)
    }

    /// Learns from a packet of the host.
    pub(crate) fn note(&mut self, observed: &Observed) {
        let Some(index) = self.of(observed) else { return };
        let Some(tcp) = observed.tcp() else { return };
        if Flags(tcp.flags).syn() {
            self.list[index].isn = Some(tcp.seq);
        }
        let end = tcp.seq.wrapping_add(tcp.len as u32);
        let until = &mut self.list[index].sent_until;
        if tcp.len > 0 && until.is_none_or(|until| end.wrapping_sub(until) as i32 > 0) {
            *until = Some(end);
        }
    }
}
