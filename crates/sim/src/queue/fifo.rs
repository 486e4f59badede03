//! First in, first out, by bytes: drop-tail and drop-head, and the store that the other disciplines build on.

use std::collections::VecDeque;

use super::{Context, Packet};
use crate::tap::DropReason;

/// What a full queue gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The frame that arrives.
    DropTail,
    /// The frames that have waited longest.
    DropHead,
}

/// Packets in order, with the sum of their bytes.
#[derive(Debug, Default)]
pub(crate) struct Line {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Line {
    pub(crate) fn push(&mut self, packet: Packet) {
        self.bytes += packet.bytes.len();
        self.packets.push_back(packet);
    }

    pub(crate) fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.bytes.len();
        Some(packet)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        core::mem::take(&mut self.packets).into()
    }

    /// Whether another packet may join under `limit`.
    pub(crate) fn fits(&self, packet: &Packet, limit: usize) -> bool {
        self.bytes + packet.bytes.len() <= limit
    }
}

/// Drop-tail or drop-head.
#[derive(Debug)]
pub(crate) struct Fifo {
    line: Line,
    limit: usize,
    full: Full,
}

impl Fifo {
    pub(crate) fn new(limit: usize, full: Full) -> Fifo {
        Fifo { line: Line::default(), limit, full }
    }

    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, packet: Packet) {
        // A frame larger than the whole queue would not fit even after emptying it.
        let hopeless = packet.bytes.len() > self.limit;
        while !hopeless && self.full == Full::DropHead && !self.line.fits(&packet, self.limit) {
            let oldest = self.line.pop().expect("a queue without room holds something");
            context.drop(oldest, DropReason::QueueFull);
        }
        if self.line.fits(&packet, self.limit) {
            self.line.push(packet);
        } else {
            context.drop(packet, DropReason::QueueFull);
        }
    }

    pub(crate) fn dequeue(&mut self) -> Option<Packet> {
        self.line.pop()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.line.bytes()
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.line.drain()
    }
}
