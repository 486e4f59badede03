//! Disciplines behind a link of 8 Mbit/s: a thousand bytes take a millisecond.

use super::*;
use crate::link::line::Line;
use crate::link::{LinkStats, Pipe};
use crate::tap::Fate;
use crate::testing::{assert_checksums, end, udp};
use thru_wire::ipv4::{Ipv4View, set_ecn};

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);

/// A link with one discipline, and what became of the frames.
struct Bench {
    line: Line,
    /// Arrival, time on the way, flow, bytes, ECN bits.
    arrived: Vec<Arrived>,
    dropped: Vec<(Instant, u16, DropReason)>,
}

#[derive(Clone, Copy, Debug)]
struct Arrived {
    at: Instant,
    delay: Duration,
    flow: u16,
    bytes: usize,
    ecn: u8,
}

/// A packet of `len` bytes of a flow, which is its source port.
fn packet(flow: u16, len: usize, ecn: u8) -> Bytes {
    let source = end(&format!("10.0.0.1:{flow}"));
    let mut packet = udp(source, end("10.0.0.2:9"), &vec![0; len - 28]);
    set_ecn(&mut packet, ecn);
    packet.into()
}

fn flow_of(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[20], packet[21]])
}

impl Bench {
    fn new(queue: QueueConfig) -> Bench {
        let pipe = Pipe { rate: Some(8_000_000), queue, ..Pipe::default() };
        Bench {
            line: Line::new(1, "link test a>b", Medium::Ip, pipe),
            arrived: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn run_until(&mut self, until: Instant) {
        let mut dropped = Vec::new();
        while self.line.next_due() <= until && !self.line.next_due().is_never() {
            let at = self.line.next_due();
            if let Some(packet) = self.line.poll(at, &mut dropped) {
                assert_checksums(&packet.bytes);
                let (flow, bytes) = (flow_of(&packet.bytes), packet.bytes.len());
                let ecn = Ipv4View::new(&packet.bytes).expect("IPv4").ecn();
                self.arrived.push(Arrived { at, delay: at.since(packet.queued_at), flow, bytes, ecn });
            }
        }
        self.note(dropped);
    }

    fn note(&mut self, dropped: Vec<Dropped>) {
        self.dropped.extend(dropped.iter().map(|drop| (drop.at, flow_of(&drop.packet.bytes), drop.reason)));
    }

    fn send(&mut self, now: Instant, packet: Bytes) {
        self.run_until(now);
        let mut dropped = Vec::new();
        let flow = flow_of(&packet);
        if let Fate::Dropped(reason) = self.line.enqueue(now, packet, &mut dropped).fate {
            self.dropped.push((now, flow, reason));
        }
        self.note(dropped);
    }

    /// Several flows at once, each (flow, bytes, ECN bits, interval), for so long.
    fn flows(queue: QueueConfig, flows: &[(u16, usize, u8, Duration)], duration: Duration) -> Bench {
        let mut bench = Bench::new(queue);
        let mut next: Vec<Instant> = vec![Instant::START; flows.len()];
        loop {
            let (index, &now) = next.iter().enumerate().min_by_key(|(_, at)| **at).expect("there are flows");
            if now > Instant::START + duration {
                break;
            }
            let (flow, len, ecn, interval) = flows[index];
            bench.send(now, packet(flow, len, ecn));
            next[index] += interval;
        }
        bench.run_until(Instant::NEVER);
        bench
    }

    fn stats(&self) -> LinkStats {
        self.line.stats()
    }

    /// Mean time on the way of what arrived from `from` on.
    fn mean_delay(&self, flow: Option<u16>, from: Instant) -> Duration {
        let delays: Vec<Duration> = self
            .arrived
            .iter()
            .filter(|arrived| arrived.at >= from && flow.is_none_or(|flow| arrived.flow == flow))
            .map(|arrived| arrived.delay)
            .collect();
        delays.iter().sum::<Duration>() / u32::try_from(delays.len()).expect("few frames")
    }

    fn bytes_of(&self, flow: u16) -> usize {
        self.arrived.iter().filter(|arrived| arrived.flow == flow).map(|arrived| arrived.bytes).sum()
    }

    fn drops(&self, reason: DropReason) -> usize {
        self.dropped.iter().filter(|dropped| dropped.2 == reason).count()
    }
}

/// Twice as much as fits.
const OVERLOAD: (u16, usize, u8, Duration) = (1, 1000, 0, Duration::from_micros(500));

#[test]
fn drop_tail_keeps_the_old_and_drop_head_the_new() {
    let five = |queue| {
        let mut bench = Bench::new(queue);
        for flow in 0..6 {
            bench.send(Instant::START, packet(flow, 1000, 0));
        }
        bench.run_until(Instant::NEVER);
        bench.arrived.iter().map(|arrived| arrived.flow).collect::<Vec<_>>()
    };
    assert_eq!(five(QueueConfig::DropTail { limit: 3000 }), [0, 1, 2, 3]);
    assert_eq!(five(QueueConfig::DropHead { limit: 3000 }), [0, 3, 4, 5]);
}

#[test]
fn a_full_tail_delays_by_its_limit() {
    let bench = Bench::flows(QueueConfig::DropTail { limit: 50_000 }, &[OVERLOAD], 1000 * MS);
    assert_eq!(bench.stats().queue_bytes_max, 50_000);
    // Fifty frames ahead, and its own transmission.
    assert_eq!(bench.arrived.last().unwrap().delay, 51 * MS);
    assert!(bench.stats().queue_delay_max <= 50 * MS);
}

#[test]
fn codel_drops_by_its_law() {
    let bench = Bench::flows(QueueConfig::codel(10_000_000), &[OVERLOAD], 2000 * MS);
    let drops: Vec<f64> =
        bench.dropped.iter().map(|(at, ..)| at.nanos() as f64 / 1e6).take_while(|&at| at < 2000.0).collect();
    // The delay of the n-th departure is n/2 ms: it reaches 5 ms at 10 ms; an interval later comes the first drop.
    assert!((drops[0] - 110.0).abs() <= 1.0, "{drops:?}");
    let mut expected = drops[0];
    for (count, pair) in (1..).zip(drops.windows(2)) {
        expected += 100.0 / f64::from(count).sqrt();
        // Drops happen at departures, a millisecond apart.
        assert!((0.0..=1.001).contains(&(pair[1] - expected)), "drop {count}: {} for {expected}", pair[1]);
    }
    assert!(drops.len() > 70, "{}", drops.len());
    assert_eq!(bench.drops(DropReason::QueueFull), 0);
}

#[test]
fn codel_leaves_a_burst_alone() {
    // 60 frames at once take 60 ms: less than an interval above target.
    let mut bench = Bench::new(QueueConfig::codel(10_000_000));
    for _ in 0..60 {
        bench.send(Instant::START, packet(1, 1000, 0));
    }
    bench.run_until(Instant::NEVER);
    assert!(bench.dropped.is_empty());
    assert_eq!(bench.arrived.len(), 60);
}

#[test]
fn codel_does_not_empty_a_queue_of_one_frame() {
    // A frame takes 125 ms on this link; waiting for one is no standing queue (RFC 8289 5.4).
    let pipe = Pipe { rate: Some(64_000), queue: QueueConfig::codel(100_000), ..Pipe::default() };
    let mut bench = Bench::new(QueueConfig::codel(100_000));
    bench.line = Line::new(1, "link test a>b", Medium::Ip, pipe);
    for number in 0..40 {
        bench.send(Instant::START + MS * 125 * number, packet(1, 1000, 0));
        if number == 0 {
            bench.send(Instant::START, packet(1, 1000, 0));
        }
    }
    bench.run_until(Instant::NEVER);
    assert!(bench.dropped.is_empty());
}

#[test]
fn codel_resumes_where_it_was() {
    // Two seconds of overload, a short break, overload again: the second time it starts faster (RFC 8289 4.5).
    let mut bench = Bench::new(QueueConfig::codel(10_000_000));
    let mut overload = |from: u64, for_ms: u64| {
        for half in 0..for_ms * 2 {
            bench.send(Instant::from_nanos(from + half * 500_000), packet(1, 1000, 0));
        }
        bench.run_until(Instant::NEVER);
        bench.arrived.last().unwrap().at.nanos()
    };
    let end = overload(0, 1000);
    overload(end + 1_000_000, 400);
    let second: Vec<u64> =
        bench.dropped.iter().map(|dropped| dropped.0.nanos()).filter(|&at| at > end).take(3).collect();
    assert!(second[1] - second[0] < 30_000_000, "{second:?}");
}

#[test]
fn codel_marks_instead_of_dropping_where_it_may() {
    let QueueConfig::Codel { limit, target, interval, .. } = QueueConfig::codel(10_000_000) else {
        unreachable!()
    };
    let queue = QueueConfig::Codel { limit, target, interval, ecn: true };
    let (_, len, _, every) = OVERLOAD;
    let marked = Bench::flows(queue.clone(), &[(1, len, 2, every)], 1000 * MS);
    assert!(marked.dropped.is_empty());
    let marks = marked.arrived.iter().filter(|arrived| arrived.ecn == 3).count() as u64;
    assert!(marks > 20);
    assert_eq!(marked.stats().ecn_marked, marks);
    let not_capable = Bench::flows(queue, &[(1, len, 0, every)], 1000 * MS);
    assert!(not_capable.drops(DropReason::Aqm) > 20);
    assert_eq!(not_capable.stats().ecn_marked, 0);
}

#[test]
fn fq_codel_lets_a_sparse_flow_pass_the_crowd() {
    let crowd_and_sparse = [OVERLOAD, (2, 200, 0, 20 * MS)];
    let half = Instant::from_millis(500);
    let fair = Bench::flows(QueueConfig::fq_codel(200_000), &crowd_and_sparse, 1000 * MS);
    // It waits for the frame on the wire, and takes a fifth of a millisecond itself.
    assert!(fair.mean_delay(Some(2), half) < 2 * MS, "{:?}", fair.mean_delay(Some(2), half));
    assert!(fair.dropped.iter().all(|dropped| dropped.1 == 1));
    let unfair = Bench::flows(QueueConfig::DropTail { limit: 200_000 }, &crowd_and_sparse, 1000 * MS);
    assert!(unfair.mean_delay(Some(2), half) > 100 * MS);
}

#[test]
fn fq_codel_shares_bytes_not_packets() {
    // Three flows that each want all of the link, one in small packets.
    let flows = [(1, 1000, 0, MS), (2, 1000, 0, MS), (3, 100, 0, 100 * US)];
    let bench = Bench::flows(QueueConfig::fq_codel(300_000), &flows, 3000 * MS);
    let shares: Vec<usize> = [1, 2, 3].map(|flow| bench.bytes_of(flow)).into();
    let most = *shares.iter().max().unwrap() as f64;
    let least = *shares.iter().min().unwrap() as f64;
    assert!(least / most > 0.9, "{shares:?}");
}

#[test]
fn fq_codel_makes_the_flood_pay_for_itself() {
    let flood_and_others = [(1, 1000, 0, 50 * US), (2, 1000, 0, 8 * MS), (3, 500, 0, 10 * MS)];
    let bench = Bench::flows(QueueConfig::fq_codel(50_000), &flood_and_others, 1000 * MS);
    assert!(bench.drops(DropReason::QueueFull) > 1000);
    assert!(bench.dropped.iter().all(|dropped| dropped.1 == 1), "only the flood loses");
    assert!(bench.stats().queue_bytes_max <= 50_000);
}

#[test]
fn fq_codel_keeps_the_order_within_a_flow() {
    let mut bench = Bench::new(QueueConfig::fq_codel(1_000_000));
    for number in 0..300 {
        // The length tells the frames of a flow apart.
        bench.send(Instant::START, packet(number % 7, 100 + usize::from(number), 0));
    }
    bench.run_until(Instant::NEVER);
    for flow in 0..7 {
        let lengths =
            bench.arrived.iter().filter(|arrived| arrived.flow == flow).map(|arrived| arrived.bytes);
        assert!(lengths.is_sorted());
    }
}

#[test]
fn pie_holds_the_delay_near_its_target() {
    // A fifth more than fits: a sixth has to go.
    let bench = Bench::flows(QueueConfig::pie(10_000_000), &[(1, 1000, 0, 833 * US)], 60_000 * MS);
    let settled = Instant::from_millis(30_000);
    let delay = bench.mean_delay(None, settled);
    assert!((10 * MS..25 * MS).contains(&delay), "{delay:?}");
    let drops = bench.dropped.iter().filter(|dropped| dropped.0 >= settled).count() as f64;
    let share = drops / (30_000.0 / 0.833);
    assert!((share - 1.0 / 6.0).abs() < 0.02, "{share}");
    assert_eq!(bench.drops(DropReason::QueueFull), 0);
}

#[test]
fn pie_lets_the_first_burst_pass_and_is_quiet_without_load() {
    let mut bench = Bench::new(QueueConfig::pie(10_000_000));
    for _ in 0..100 {
        bench.send(Instant::from_millis(5000), packet(1, 1000, 0));
    }
    bench.run_until(Instant::NEVER);
    assert!(bench.dropped.is_empty());
    let light = Bench::flows(QueueConfig::pie(100_000), &[(1, 1000, 0, 1100 * US)], 10_000 * MS);
    assert!(light.dropped.is_empty());
}

#[test]
fn pie_marks_while_that_is_enough() {
    let QueueConfig::Pie { limit, target, update, .. } = QueueConfig::pie(10_000_000) else { unreachable!() };
    let queue = QueueConfig::Pie { limit, target, update, ecn: true };
    let bench = Bench::flows(queue, &[(1, 1000, 1, 990 * US)], 10_000 * MS);
    assert!(bench.stats().ecn_marked > 10);
    // Above 10 % it drops even those (RFC 8033 5.1): marks do not move this sender.
    assert!(bench.drops(DropReason::Aqm) > 0);
}

fn red(ecn: bool) -> QueueConfig {
    QueueConfig::Red { limit: 100_000, min: 10_000, max: 30_000, max_probability: Chance::percent(10), ecn }
}

#[test]
fn red_is_quiet_below_its_threshold_and_firm_above() {
    let light = Bench::flows(red(false), &[(1, 1000, 0, 1100 * US)], 5000 * MS);
    assert!(light.dropped.is_empty());
    // 5 % too much: at most 10 % is dropped before the queue is long.
    let bench = Bench::flows(red(false), &[(1, 1000, 0, 952 * US)], 60_000 * MS);
    assert_eq!(bench.drops(DropReason::QueueFull), 0);
    let settled = Instant::from_millis(30_000);
    let delay = bench.mean_delay(None, settled);
    assert!((10 * MS..31 * MS).contains(&delay), "{delay:?}");
    let drops = bench.dropped.iter().filter(|dropped| dropped.0 >= settled).count() as f64;
    let share = drops / (30_000.0 / 0.952);
    assert!((share - 0.048).abs() < 0.01, "{share}");
}

#[test]
fn red_marks_where_it_may_and_forgets_while_idle() {
    let marked = Bench::flows(red(true), &[(1, 1000, 2, 952 * US)], 5000 * MS);
    assert!(marked.stats().ecn_marked > 10);
    assert_eq!(marked.drops(DropReason::Aqm), 0);
    // After a long break the average is low again: a short burst passes.
    let mut bench = Bench::flows(red(false), &[OVERLOAD], 2000 * MS);
    let before = bench.dropped.len();
    assert!(before > 0);
    for _ in 0..20 {
        bench.send(Instant::from_millis(60_000), packet(1, 1000, 0));
    }
    bench.run_until(Instant::NEVER);
    assert_eq!(bench.dropped.len(), before);
}

#[test]
fn a_change_of_discipline_keeps_what_waits() {
    let kinds = [
        QueueConfig::DropTail { limit: 100_000 },
        QueueConfig::DropHead { limit: 100_000 },
        red(false),
        QueueConfig::codel(100_000),
        QueueConfig::fq_codel(100_000),
        QueueConfig::pie(100_000),
    ];
    for from in &kinds {
        for to in &kinds {
            let mut bench = Bench::new(from.clone());
            for flow in 0..8 {
                bench.send(Instant::START, packet(flow, 1000, 0));
            }
            let pipe = Pipe { queue: to.clone(), ..bench.line.pipe().clone() };
            bench.line.set_pipe(Instant::START, pipe, &mut Vec::new());
            bench.run_until(Instant::NEVER);
            let flows: Vec<u16> = bench.arrived.iter().map(|arrived| arrived.flow).collect();
            assert_eq!(flows, (0..8).collect::<Vec<u16>>(), "{from:?} to {to:?}");
        }
    }
}
