//! What remains of a closed connection for twice a segment's lifetime (RFC 9293 3.10.7.4, RFC 6191): small.

use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber, TcpOptions, Timestamps};

use super::SegmentOut;
use super::connection::Connection;
use super::demux::Pair;
use super::segment::{Segment, bare};
use super::seq;
use crate::timer::TimerHandle;

/// Just enough to answer old segments and to tell new ones.
#[derive(Debug)]
pub(crate) struct TimeWait {
    pub(crate) pair: Pair,
    next_to_send: SeqNumber,
    next_expected: SeqNumber,
    /// As on the wire.
    window: u16,
    /// Our clock's offset and the peer's latest timestamp.
    timestamps: Option<(u32, u32)>,
    pub(crate) timer: Option<TimerHandle>,
    pub(crate) ends: Instant,
    /// The connection that the application still holds.
    pub(crate) held: Option<u64>,
}

/// What a segment does to a TIME-WAIT object.
#[derive(Debug)]
pub(crate) enum OnTimeWait {
    Ignore,
    Answer(SegmentOut),
    /// The FIN again: our acknowledgement was lost, so the wait starts anew.
    Restart(SegmentOut),
    /// A new connection may take the place: its initial number must lie beyond this.
    MakeRoom {
        beyond: SeqNumber,
    },
}

impl TimeWait {
    pub(crate) fn new(connection: &mut Connection, ends: Instant, held: Option<u64>) -> TimeWait {
        TimeWait {
            pair: connection.pair,
            next_to_send: seq::wire(connection.nxt),
            next_expected: seq::wire(connection.receive.next()),
            window: connection.announce_window(false),
            timestamps: connection.options.timestamps.map(|state| (state.offset, state.recent)),
            timer: None,
            ends,
            held,
        }
    }

    pub(crate) fn on_segment(&mut self, segment: &Segment) -> OnTimeWait {
        let header = &segment.header;
        let theirs = self.timestamps.zip(header.options.timestamps);
        let newer = theirs.map(|((_, recent), theirs)| theirs.value.wrapping_sub(recent) as i32);
        if header.flags.rst() {
            // RFC 1337: a RST must not end the wait.
            return OnTimeWait::Ignore;
        }
        if header.flags.syn() && !header.flags.ack() {
            // RFC 6191 and RFC 9293 3.6.1: surely not an old duplicate.
            let fresh = match newer {
                Some(newer) => newer > 0 || (newer == 0 && header.seq.gt(self.next_expected)),
                None => header.seq.gt(self.next_expected),
            };
            if fresh {
                // Beyond anything the old connection could have in the network.
                return OnTimeWait::MakeRoom { beyond: self.next_to_send + 65_537 };
            }
            return OnTimeWait::Answer(self.acknowledge(segment.at));
        }
        if newer.is_some_and(|newer| newer < 0) {
            return if segment.len() > 0 {
                OnTimeWait::Answer(self.acknowledge(segment.at))
            } else {
                OnTimeWait::Ignore
            };
        }
        if let (Some((_, recent)), Some(theirs)) = (&mut self.timestamps, header.options.timestamps) {
            *recent = theirs.value;
        }
        if header.flags.fin() {
            return OnTimeWait::Restart(self.acknowledge(segment.at));
        }
        if segment.len() > 0 || header.seq != self.next_expected {
            return OnTimeWait::Answer(self.acknowledge(segment.at));
        }
        OnTimeWait::Ignore
    }

    fn acknowledge(&self, now: Instant) -> SegmentOut {
        let timestamps = self.timestamps.map(|(offset, recent)| Timestamps {
            value: ((now.nanos() / 1_000_000) as u32).wrapping_add(offset),
            echo: recent,
        });
        let options = TcpOptions { timestamps, ..TcpOptions::default() };
        bare(&self.pair, Flags::ACK, self.next_to_send, self.next_expected, self.window, options)
    }
}
