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
    /// Flows with packets or with a history; places are used again.
    flows: Vec<Flow>,
    /// Places without a flow.
    free: Vec<u32>,
    /// For each hash value its flow's place plus one, or 0. Made on first use: an idle link does not pay for it.
    buckets: Vec<u32>,
    count: usize,
    /// Flows that were just seen for the first time since they were last empty, by place.
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
    /// Its hash value.
    bucket: u32,
}

impl FqCodel {
    pub(crate) fn new(limit: usize, flows: u32, quantum: usize, codel: CodelConfig, key: u64) -> FqCodel {
        FqCodel {
            flows: Vec::new(),
            free: Vec::new(),
            buckets: Vec::new(),
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
        let hash = crate::frames::flow_hash(&packet.bytes, context.medium, self.key);
        let index = self.place_of((hash % self.count as u64) as u32);
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

    /// The place of a hash value's flow; a new one if it has none.
    fn place_of(&mut self, bucket: u32) -> usize {
        if self.buckets.is_empty() {
            self.buckets.resize(self.count, 0);
        }
        if let Some(place) = self.buckets[bucket as usize].checked_sub(1) {
            return place as usize;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.flows.push(Flow::default());
            self.flows.len() as u32 - 1
        });
        let flow = &mut self.flows[place as usize];
        (flow.bucket, flow.codel) = (bucket, Codel::default());
        self.buckets[bucket as usize] = place + 1;
        place as usize
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
                    // What CoDel has learned is kept for when the flow comes back; without that, nothing need be.
                    if flow.codel.is_fresh() {
                        self.buckets[flow.bucket as usize] = 0;
                        self.free.push(index);
                    }
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
        self.buckets.clear();
        self.free.clear();
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
