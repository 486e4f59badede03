//! One direction of a link as a machine: frames and the time go in, frames come out when they are due.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use thru_stack::random::Random;
use thru_stack::{Frame, Medium, Offload};
use thru_wire::Instant;

use super::loss::LossState;
use super::rate::Pacer;
use super::{Chance, LinkStats, Loss, Pipe};
use crate::queue::{Context, Dropped, Packet, Queue};
use crate::tap::{DropReason, Fate};

/// One direction of a link.
///
/// After every call that takes `now`, ask [`Line::next_due`]; at that time call [`Line::poll`] until it returns `None`.
#[derive(Debug)]
pub(crate) struct Line {
    pipe: Pipe,
    medium: Medium,
    up: bool,
    streams: Streams,
    loss: LossState,
    queue: Queue,
    /// Decides how flows are hashed.
    queue_key: u64,
    pacer: Pacer,
    /// When the transmitter can take the next frame.
    free_at: Instant,
    /// Frames on the wire with the time of their arrival, earliest first.
    in_flight: VecDeque<(Instant, Packet)>,
    /// Latest arrival so far of a frame that did not overtake: later ones keep behind it.
    latest_arrival: Instant,
    stats: LinkStats,
}

/// What became of a frame that entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// Its number in this direction, from 0.
    pub(crate) number: u64,
    /// As far as it is known: a frame that passes may yet be dropped from the queue.
    pub(crate) fate: Fate,
    /// A copy was made.
    pub(crate) duplicated: bool,
}

/// One random stream per purpose, so that impairments do not disturb each other.
#[derive(Debug)]
struct Streams {
    loss: Random,
    duplicate: Random,
    corrupt: Random,
    /// Everything that is drawn for copies.
    copy: Random,
    queue: Random,
    jitter: Random,
    reorder: Random,
}

impl Streams {
    fn new(seed: u64, entity: &str) -> Streams {
        let stream = |purpose: &str| Random::new(seed, &format!("{entity} {purpose}"));
        Streams {
            loss: stream("loss"),
            duplicate: stream("duplicate"),
            corrupt: stream("corrupt"),
            copy: stream("copy"),
            queue: stream("queue"),
            jitter: stream("jitter"),
            reorder: stream("reorder"),
        }
    }
}

impl Line {
    /// `entity` names the direction: its random streams depend on the seed and on this.
    pub(crate) fn new(seed: u64, entity: &str, medium: Medium, pipe: Pipe) -> Line {
        let queue_key = Random::new(seed, &format!("{entity} flows")).next_u64();
        Line {
            queue: Queue::new(&pipe.queue, queue_key),
            pipe,
            medium,
            up: true,
            streams: Streams::new(seed, entity),
            loss: LossState::default(),
            queue_key,
            pacer: Pacer::default(),
            free_at: Instant::START,
            in_flight: VecDeque::new(),
            latest_arrival: Instant::START,
            stats: LinkStats::default(),
        }
    }

    pub(crate) fn medium(&self) -> Medium {
        self.medium
    }

    /// Whether nothing here looks at single packets: then a super-segment arrives as it entered.
    pub(crate) fn carries_whole(&self) -> bool {
        let Pipe {
            mtu,
            loss,
            duplicate,
            corrupt,
            rate,
            burst: _,
            queue: _,
            delay: _,
            jitter,
            reorder,
            reorder_by: _,
        } = &self.pipe;
        *loss == Loss::None
            && mtu.is_none()
            && rate.is_none()
            && jitter.is_zero()
            && [duplicate, corrupt, reorder].iter().all(|chance| **chance == Chance::NEVER)
    }

    /// A super-segment enters a line that carries it whole. It counts as the packets it stands for.
    pub(crate) fn enqueue_whole(&mut self, now: Instant, frame: Frame, dropped: &mut Vec<Dropped>) -> Fate {
        self.transmit(now, dropped);
        let Frame { bytes, offload, .. } = frame;
        let headers = offload.segmentation.map_or(0, |how| usize::from(how.header_len));
        let largest = offload.segmentation.map_or(0, |how| usize::from(how.segment_size)) + headers;
        let (number, queued_at, jitter) = (self.stats.frames, now, Duration::ZERO);
        let (overtakes, copy, corrupted) = (false, false, false);
        let packet = Packet { bytes, offload, number, queued_at, jitter, overtakes, copy, corrupted };
        let count = packet.count();
        self.stats.frames += count;
        self.stats.bytes += packet.bytes.len() as u64 + (count - 1) * headers as u64;
        if !self.up {
            self.stats.down_drops += count;
            return Fate::Dropped(DropReason::LinkDown);
        }
        // Without a rate, packets go through the queue one by one and none of them waits.
        self.stats.queue_bytes_max = self.stats.queue_bytes_max.max(largest.min(packet.bytes.len()));
        self.stats.dequeued += count;
        self.free_at = self.free_at.max(now);
        self.put_on_wire(packet);
        Fate::Passed
    }

    /// A frame enters. What the queue gives up for it, or had to give up before, is added to `dropped`; if that is
    /// the frame itself, its fate says so instead.
    pub(crate) fn enqueue(&mut self, now: Instant, bytes: Bytes, dropped: &mut Vec<Dropped>) -> Entered {
        self.transmit(now, dropped);
        let number = self.stats.frames;
        self.stats.frames += 1;
        self.stats.bytes += bytes.len() as u64;
        let draws = self.draw();
        let entered = |fate, duplicated| Entered { number, fate, duplicated };
        let discarded = |reason| entered(Fate::Dropped(reason), false);
        if !self.up {
            self.stats.down_drops += 1;
            return discarded(DropReason::LinkDown);
        }
        let header = crate::frames::link_header_len(&bytes, self.medium);
        if self.pipe.mtu.is_some_and(|mtu| bytes.len() - header > mtu) {
            self.stats.mtu_drops += 1;
            return discarded(DropReason::Mtu);
        }
        if draws.lost {
            self.stats.lost += 1;
            return discarded(DropReason::Loss);
        }
        let (jitter, overtakes) = (draws.jitter, draws.overtakes);
        let mut packet = Packet {
            bytes,
            offload: Offload::NONE,
            number,
            queued_at: now,
            jitter,
            overtakes,
            copy: false,
            corrupted: false,
        };
        let copy = draws.duplicated.then(|| Packet { copy: true, ..packet.clone() });
        if let Some(bit) = draws.flipped {
            self.corrupt(&mut packet, bit);
        }
        let corrupted = packet.corrupted;
        let before = dropped.len();
        self.join_queue(now, packet, dropped);
        let own = dropped[before..].iter().position(|dropped| dropped.packet.number == number);
        let fate = match own {
            Some(index) => Fate::Dropped(dropped.remove(before + index).reason),
            None if corrupted => Fate::Corrupted,
            None => Fate::Passed,
        };
        let duplicated = copy.is_some();
        if let Some(mut copy) = copy {
            self.stats.duplicated += 1;
            let flips = self.pipe.corrupt.draw(&mut self.streams.copy);
            let bit = self.streams.copy.next_u64();
            if flips {
                self.corrupt(&mut copy, bit);
            }
            self.join_queue(now, copy, dropped);
        }
        entered(fate, duplicated)
    }

    /// When [`Line::poll`] wants to be called; [`Instant::NEVER`] if nothing is under way.
    pub(crate) fn next_due(&self) -> Instant {
        let arrival = self.in_flight.front().map_or(Instant::NEVER, |&(at, _)| at);
        if self.queue.is_empty() { arrival } else { arrival.min(self.free_at) }
    }

    /// The next frame that has arrived by `now`, if any.
    pub(crate) fn poll(&mut self, now: Instant, dropped: &mut Vec<Dropped>) -> Option<Packet> {
        self.transmit(now, dropped);
        if self.in_flight.front()?.0 > now {
            return None;
        }
        let (_, packet) = self.in_flight.pop_front()?;
        self.stats.delivered += packet.count();
        Some(packet)
    }

    /// Changes the pipeline for frames that enter from now on; those on the wire arrive when they would have.
    /// Those in the queue stay in order, and wait under the new discipline.
    pub(crate) fn set_pipe(&mut self, now: Instant, pipe: Pipe, dropped: &mut Vec<Dropped>) {
        self.transmit(now, dropped);
        let old = core::mem::replace(&mut self.pipe, pipe);
        if old.loss != self.pipe.loss {
            self.loss = LossState::default();
        }
        if old.rate != self.pipe.rate {
            self.pacer.rate_changed();
        }
        if old.queue != self.pipe.queue {
            let waiting = self.queue.drain();
            self.queue = Queue::new(&self.pipe.queue, self.queue_key);
            for packet in waiting {
                self.put_in_queue(now, packet, dropped);
            }
        }
        self.transmit(now, dropped);
    }

    pub(crate) fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Going down discards what waits and what is on the wire.
    pub(crate) fn set_up(&mut self, now: Instant, up: bool, dropped: &mut Vec<Dropped>) {
        self.transmit(now, dropped);
        if self.up && !up {
            let on_the_wire = core::mem::take(&mut self.in_flight).into_iter().map(|(_, packet)| packet);
            for packet in on_the_wire.chain(self.queue.drain()) {
                self.stats.down_drops += packet.count();
                dropped.push(Dropped { at: now, packet, reason: DropReason::LinkDown });
            }
        }
        self.up = up;
    }

    pub(crate) fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Everything random about a frame, drawn when it enters whether or not it comes to it.
    fn draw(&mut self) -> Draws {
        let Pipe { loss, duplicate, corrupt, jitter, reorder, .. } = &self.pipe;
        let streams = &mut self.streams;
        // A chance of nothing needs no draw: it never decides, now or later.
        let happens = |chance: super::Chance, stream: &mut Random| {
            chance != super::Chance::NEVER && chance.draw(stream)
        };
        let lost = self.loss.judge(loss, &mut streams.loss);
        let duplicated = happens(*duplicate, &mut streams.duplicate);
        let flipped = happens(*corrupt, &mut streams.corrupt).then(|| streams.corrupt.next_u64());
        let overtakes = happens(*reorder, &mut streams.reorder);
        let jitter = match u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX - 1) {
            0 => Duration::ZERO,
            most => Duration::from_nanos(streams.jitter.below(most + 1)),
        };
        Draws { lost, duplicated, flipped, jitter, overtakes }
    }

    fn corrupt(&mut self, packet: &mut Packet, draw: u64) {
        let bits = crate::frames::corruptible_bits(&packet.bytes, self.medium);
        if bits == 0 {
            return;
        }
        // The product's upper half: as even as the draw, without another draw.
        let bit = (u128::from(draw) * u128::from(bits)) >> 64;
        crate::frames::flip_bit(&mut packet.bytes, self.medium, bit as u64);
        packet.corrupted = true;
        self.stats.corrupted += 1;
    }

    fn join_queue(&mut self, now: Instant, packet: Packet, dropped: &mut Vec<Dropped>) {
        let idle = self.queue.is_empty() && self.free_at <= now;
        if idle {
            self.free_at = now;
            // The limit is about waiting: a frame that finds the transmitter idle does not wait.
            if packet.bytes.len() > self.pipe.queue.limit() {
                self.put_on_wire(packet);
                return;
            }
        }
        self.put_in_queue(now, packet, dropped);
        self.transmit(now, dropped);
    }

    fn put_in_queue(&mut self, now: Instant, packet: Packet, dropped: &mut Vec<Dropped>) {
        let before = dropped.len();
        let mut context = Context {
            now,
            random: &mut self.streams.queue,
            dropped,
            marked: &mut self.stats.ecn_marked,
            rate: self.pipe.rate,
            medium: self.medium,
        };
        self.queue.enqueue(&mut context, packet);
        self.stats.queue_drops += (dropped.len() - before) as u64;
        self.stats.queue_bytes_max = self.stats.queue_bytes_max.max(self.queue.bytes());
    }

    /// Lets the transmitter take frames from the queue up to `now`.
    fn transmit(&mut self, now: Instant, dropped: &mut Vec<Dropped>) {
        while !self.queue.is_empty() && self.free_at <= now {
            let before = dropped.len();
            let mut context = Context {
                now: self.free_at,
                random: &mut self.streams.queue,
                dropped,
                marked: &mut self.stats.ecn_marked,
                rate: self.pipe.rate,
                medium: self.medium,
            };
            let packet = self.queue.dequeue(&mut context);
            self.stats.queue_drops += (dropped.len() - before) as u64;
            let Some(packet) = packet else { continue };
            let waited = self.free_at.since(packet.queued_at);
            self.stats.queue_delay_max = self.stats.queue_delay_max.max(waited);
            self.stats.queue_delay_sum += waited;
            self.stats.dequeued += 1;
            self.put_on_wire(packet);
        }
    }

    /// The transmitter is free at `free_at` and takes this frame: rate, delay, jitter, reorder.
    fn put_on_wire(&mut self, packet: Packet) {
        let Pipe { rate, burst, delay, reorder_by, .. } = self.pipe;
        self.free_at = self.pacer.send(self.free_at, packet.bytes.len(), rate, burst);
        if packet.overtakes {
            let arrival = self.free_at + delay.saturating_sub(reorder_by) + packet.jitter;
            let place = self.in_flight.partition_point(|&(at, _)| at <= arrival);
            self.in_flight.insert(place, (arrival, packet));
            return;
        }
        let arrival = (self.free_at + delay + packet.jitter).max(self.latest_arrival);
        self.latest_arrival = arrival;
        // Usually the last place; an overtaking frame with much jitter may be due later still.
        let place = match self.in_flight.back() {
            Some(&(last, _)) if last > arrival => self.in_flight.partition_point(|&(at, _)| at <= arrival),
            _ => self.in_flight.len(),
        };
        self.in_flight.insert(place, (arrival, packet));
    }
}

struct Draws {
    lost: bool,
    duplicated: bool,
    /// Which bit is flipped, as a fraction of 2^64 of the frame.
    flipped: Option<u64>,
    jitter: Duration,
    overtakes: bool,
}
