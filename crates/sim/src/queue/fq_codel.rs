//! FQ-CoDel (RFC 8290): flows are hashed to queues, served in turn by deficit round robin, new flows first, and each
//! queue is under CoDel of its own. A flow that keeps to its share waits for nobody.

use std::collections::VecDeque;

use super::codel::{Codel, CodelConfig};
use super::fifo::Line;
use super::{Context, Packet};
use crate::tap::DropReason;

/// RFC 8290 4.1: as many are dropped at once from the fattest flow when the limit is reached.
const DROP_BATCH: usize = 64;

/// All flows of one queue.
#[derive(Debug)]
pub(crate) struct FqCodel {
    /// Made on first use: an idle link does not pay for a thousand queues.
    flows: Vec<Flow>,
    count: usize,
    /// Flows that were just seen for the first time since they were last empty.
    new: VecDeque<u32>,
    old: VecDeque<u32>,
    bytes: usize,
    limit: usize,
    quantum: i64,
    codel: CodelConfig,
    key: u64,
}

#[derive(Debug, Default)]
struct Flow {
    line: Line,
    codel: Codel,
    /// Bytes it may still send in this round.
    credit: i64,
    /// On the list of new or of old flows.
    listed: bool,
}

impl FqCodel {
    pub(crate) fn new(limit: usize, flows: u32, quantum: usize, codel: CodelConfig, key: u64) -> FqCodel {
        FqCodel {
            flows: Vec::new(),
            // More queues than this buy nothing: hash collisions are rare long before.
            count: flows.clamp(1, 65_536) as usize,
            new: VecDeque::new(),
            old: VecDeque::new(),
            bytes: 0,
            limit,
            quantum: i64::try_from(quantum.max(1)).unwrap_or(i64::MAX),
            codel,
            key,
        }
    }

    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, packet: Packet) {
        if packet.bytes.len() > self.limit {
            context.drop(packet, DropReason::QueueFull);
            return;
        }
        if self.flows.is_empty() {
            self.flows.resize_with(self.count, Flow::default);
        }
        let hash = crate::frames::flow_hash(&packet.bytes, context.medium, self.key);
        let index = (hash % self.count as u64) as usize;
        // Room is made with the arriving packet counted to its flow, so that a flood finds itself the fattest.
        while self.bytes + packet.bytes.len() > self.limit {
            self.drop_from_fattest(context, index, packet.bytes.len());
        }
        self.bytes += packet.bytes.len();
        let flow = &mut self.flows[index];
        flow.codel.saw(&packet);
        flow.line.push(packet);
        if !flow.listed {
            flow.listed = true;
            flow.credit = self.quantum;
            self.new.push_back(index as u32);
        }
    }

    /// RFC 8290 4.2.
    pub(crate) fn dequeue(&mut self, context: &mut Context<'_>) -> Option<Packet> {
        loop {
            let from_new = !self.new.is_empty();
            let list = if from_new { &mut self.new } else { &mut self.old };
            let index = *list.front()?;
            let flow = &mut self.flows[index as usize];
            if flow.credit <= 0 {
                flow.credit += self.quantum;
                list.pop_front();
                self.old.push_back(index);
                continue;
            }
            let before = flow.line.bytes();
            let packet = flow.codel.dequeue(context, &mut flow.line, &self.codel);
            self.bytes -= before - flow.line.bytes();
            let Some(packet) = packet else {
                list.pop_front();
                // A new flow that ran empty waits a round among the old ones, or it could come back as new at once
                // and starve them.
                if from_new && !self.old.is_empty() {
                    self.old.push_back(index);
                } else {
                    flow.listed = false;
                }
                continue;
            };
            flow.credit -= packet.bytes.len() as i64;
            return Some(packet);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// In the order of joining, over all flows.
    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        self.new.clear();
        self.old.clear();
        let mut packets: Vec<Packet> =
            core::mem::take(&mut self.flows).iter_mut().flat_map(|flow| flow.line.drain()).collect();
        packets.sort_by_key(|packet| (packet.queued_at, packet.number, packet.copy));
        packets
    }

    /// Drops from the head of the queue with most bytes: half of it, at most a batch.
    fn drop_from_fattest(&mut self, context: &mut Context<'_>, arriving: usize, arriving_bytes: usize) {
        let weight = |(index, flow): &(usize, &Flow)| {
            let own = if flow.line.is_empty() || *index != arriving { 0 } else { arriving_bytes };
            // The first among equals, whichever way the comparison runs.
            (flow.line.bytes() + own, core::cmp::Reverse(*index))
        };
        let fattest = self.flows.iter().enumerate().max_by_key(weight).map(|(index, _)| index);
        let flow = &mut self.flows[fattest.expect("there is at least one flow")];
        let goal = flow.line.bytes() / 2;
        for _ in 0..DROP_BATCH {
            let Some(packet) = flow.line.pop() else { break };
            self.bytes -= packet.bytes.len();
            context.drop(packet, DropReason::QueueFull);
            if flow.line.bytes() <= goal {
                break;
            }
        }
    }
}
