//! Packets kept for evidence: the first and last of a flow, as Ethernet frames whatever the capture's link was.

use bytes::Bytes;
use std::collections::VecDeque;
use thru_trace::{Packet, PacketFate};

/// So many packets are kept from a flow's start...
const FIRST: usize = 96;
/// ...and so many from its end.
const LAST: usize = 48;
/// So many remarkable ones are kept wherever they stand.
const MARKED: usize = 128;
/// What a checker reads stands at the beginning, mostly: headers, and what an ICMP error quotes.
pub(crate) const HEADERS: usize = 192;
/// Of some messages it is all that they say.
pub(crate) const WHOLE: usize = 1_514;

/// A packet's number and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Nanoseconds since the Unix epoch.
    pub(crate) time: u64,
    pub(crate) number: u64,
}

/// A packet as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) at: Moment,
    bytes: Bytes,
}

impl Kept {
    /// `ip_at`: where in the frame the innermost IP header begins, and its version; `None`: it is no IP packet, and
    /// kept only if the link is Ethernet. `most`: so many octets are kept of it.
    pub(crate) fn new(
        at: Moment,
        frame: &[u8],
        ethernet: bool,
        ip_at: Option<(usize, u8)>,
        most: usize,
    ) -> Kept {
        let cut = |bytes: &[u8]| Bytes::copy_from_slice(&bytes[..bytes.len().min(most)]);
        let bytes = match ip_at {
            Some((14, _)) | None if ethernet => cut(frame),
            Some((start, version)) => {
                // An Ethernet header of zeros stands in for the link that was.
                let mut bytes = vec![0; 12];
                bytes.extend(if version == 6 { [0x86, 0xDD] } else { [0x08, 0x00] });
                bytes.extend_from_slice(frame.get(start..).unwrap_or(&[]));
                cut(&bytes)
            }
            None => Bytes::new(),
        };
        Kept { at, bytes }
    }

    /// As a trace has it; times count from `epoch`.
    pub(crate) fn packet(&self, epoch: u64) -> Packet {
        Packet {
            number: self.at.number,
            at: self.at.time.saturating_sub(epoch),
            interface: 0,
            bytes: self.bytes.clone(),
            fate: PacketFate::Passed,
            comment: None,
        }
    }
}

/// The first and last packets of something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Album {
    first: Vec<Kept>,
    last: VecDeque<Kept>,
    marked: Vec<Kept>,
    pub(crate) count: u64,
}

impl Album {
    pub(crate) fn add(&mut self, kept: &Kept) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(kept.clone());
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(kept.clone());
    }

    /// Keeps a packet wherever it stands in the flow.
    pub(crate) fn mark(&mut self, kept: &Kept) {
        if self.marked.len() < MARKED {
            self.marked.push(kept.clone());
        }
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &Kept> {
        self.first.iter().chain(&self.marked).chain(&self.last)
    }
}
