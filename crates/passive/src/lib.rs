//! From a capture to Traces and Verdicts: what a live probe would have written, read from packets.
//!
//! A capture is taken packet by packet and forgotten as far as possible: what is kept of a flow are its counters, what
//! was said on it, and its first and last packets. At the end, what belongs together is told as a
//! [`Trace`](thru_trace::Trace) in the words of a live probe, so that the same rules judge it. What a capture cannot tell
//! is left out, and the verdict is a set or an abstention.
//!
//! - [`Doctor`]: packets in, an [`Examination`] out. Start here.
//! - `glance`: what one dissected packet says. `watch`: one interface, packet by packet.
//! - `flow`, `side`: a TCP connection and its directions (`said`, `rhythm`, `carried`, `trips`, `idle`, `framing`, `ended`). `http1`: requests and answers on one. `quic`: QUIC.
//! - `questions`: name servers. `ground`: pings, traced ways, neighbours. `errors`: ICMP. `tunnels`: VPNs over UDP.
//! - `index`: all of that in order, for whoever looks for one thing among many.
//! - `tls`, `certificates`, `exchange`: how handshakes and requests ended. `coding`: bodies that are not packed as their
//!   heads say. `bgp`: the last words of routers' sessions.
//! - `visit`: what belongs together. `errands`: what programs look up for themselves.
//! - `tell`: from what was seen to spans. `judge`: verdicts for flows and the whole.
//! - `intake`: second copies, clocks that were set, directions on interfaces of their own.
//! - `kept`: packets kept for evidence. `sums`: packets that were damaged on the way.

mod bgp;
mod certificates;
mod coding;
mod errands;
mod errors;
mod exchange;
mod flow;
mod glance;
mod ground;
mod http1;
mod index;
mod intake;
mod judge;
mod kept;
mod questions;
mod quic;
mod side;
mod sums;
mod tell;
mod tls;
mod tunnels;
mod visit;
mod watch;

pub use judge::{Examination, FlowReport, Place, Protocol};

use std::collections::BTreeMap;

use thru_dissect::file::SECRETS_TLS_KEY_LOG;
use thru_dissect::{Arena, Dissector, Meta, Options};
use thru_trace::frames::CHECK;

use glance::Glance;
use intake::{Clock, Homes, Recent};
use kept::{HEADERS, Kept, Moment, WHOLE};
use sums::Sums;
use watch::Watch;

/// LINKTYPE_ numbers that matter here.
const ETHERNET: u16 = 1;
const LINUX_SLL2: u16 = 276;

/// Nanoseconds of a year: no capture that somebody judges is longer.
const YEAR: u64 = 366 * 86_400 * 1_000_000_000;

/// The year 2262: later times are damage, and would leave no room to add to them.
const LATEST: u64 = u64::MAX / 2;

/// Reads a capture, packet by packet.
#[derive(Debug, Default)]
pub struct Doctor {
    arena: Arena,
    interfaces: BTreeMap<(u32, u32), Interface>,
    homes: Homes,
    secrets: Vec<Vec<u8>>,
    packets: u64,
    first: Option<u64>,
}

/// What is known of one interface.
#[derive(Debug, Default)]
struct Interface {
    dissector: Dissector,
    watch: Watch,
    sums: Sums,
    recent: Recent,
    clock: Clock,
    name: String,
}

impl Doctor {
    /// A doctor that has seen nothing yet.
    pub fn new() -> Doctor {
        Doctor::default()
    }

    /// Takes secrets in the NSS key log format; they must be there before the packets that they open.
    pub fn key_log(&mut self, text: &[u8]) {
        for interface in self.interfaces.values_mut() {
            interface.dissector.secrets(SECRETS_TLS_KEY_LOG, text);
        }
        self.secrets.push(text.to_vec());
    }

    /// Takes the next packet.
    pub fn packet(&mut self, meta: &Meta<'_>, bytes: &[u8]) {
        // A capture of all interfaces says in each packet on which it was seen; one packet may cross several.
        let index = match (meta.link, bytes.get(4..8)) {
            (LINUX_SLL2, Some(&[a, b, c, d])) => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        self.packets += 1;
        let secrets = &self.secrets;
        let home = self.homes.of((meta.interface, index), meta.link, bytes);
        let interface = self.interfaces.entry(home).or_insert_with(|| {
            let mut dissector =
                Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() });
            for text in secrets {
                dissector.secrets(SECRETS_TLS_KEY_LOG, text);
            }
            let name = meta.interface_name.unwrap_or("capture").to_owned();
            Interface { dissector, name, ..Interface::default() }
        });
        // What claims to be of another year than the first packet is of no use as a time; arithmetic stays within bounds.
        let time = meta.time.unwrap_or(0).min(LATEST);
        let first = *self.first.get_or_insert(time);
        let within = |time: u64| time.clamp(first.saturating_sub(YEAR), first.saturating_add(YEAR));
        let time = within(time);
        let is_copy = interface.recent.is_copy(meta.link, bytes, meta.original, time);
        if !is_copy && interface.sums.is_damaged(meta.link, bytes, meta.original, meta.number) {
            interface.watch.packets += 1;
            let time = within(interface.clock.read(time, &Glance::default(), &interface.watch));
            let at = Moment { time, number: meta.number };
            if interface.watch.broken.len() < sums::LISTED_MAX {
                let ip_at = sums::ip_at(meta.link, bytes);
                interface.watch.broken.push(Kept::new(at, bytes, meta.link == ETHERNET, ip_at, HEADERS));
            }
            return;
        }
        let check = meta.comments.iter().find_map(|comment| comment.strip_prefix(CHECK));
        let tree = interface.dissector.dissect(meta, bytes, &mut self.arena);
        let mut glance = Glance::of(&tree);
        glance.complete(bytes, meta.original);
        let time = within(interface.clock.read(time, &glance, &interface.watch));
        let at = Moment { time, number: meta.number };
        let most = if glance.gives_settings() { WHOLE } else { HEADERS };
        let kept = Kept::new(at, bytes, meta.link == ETHERNET, glance.ip_at, most);
        if let (Some(check), Some(ends)) = (check, glance.ends()) {
            interface.watch.mark(ends, check);
        }
        interface.watch.disordered = interface.clock.disordered;
        interface.watch.cut |= glance.cut;
        if is_copy {
            interface.watch.copied(&glance, &kept);
            return;
        }
        interface.watch.take(&glance, &kept, meta.original);
    }

    /// How many packets were taken.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The verdicts.
    pub fn finish(self) -> Examination {
        let mut interfaces: Vec<Interface> = self.interfaces.into_values().collect();
        // The interface on which most was seen is where one stood; the same flow seen elsewhere is the same flow.
        // What a machine says to itself is beside the way.
        interfaces.sort_by_key(|interface| {
            let own = interface.watch.own_talk;
            std::cmp::Reverse((interface.watch.packets > own, interface.watch.packets))
        });
        let mut interfaces = interfaces.into_iter();
        let Some(mut main) = interfaces.next() else { return judge::nothing() };
        main.watch.damaged = main.sums.damaged();
        let mut rest: Vec<Watch> = interfaces.map(|interface| interface.watch).collect();
        judge::examine(&mut main.watch, &mut rest, &main.name)
    }
}
