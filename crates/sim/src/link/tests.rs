//! The pipeline of one direction, on bytes.

use super::line::{Entered, Line};
use super::*;
use crate::queue::{Dropped, Packet};
use crate::tap::{DropReason, Fate};
use bytes::Bytes;
use proptest::prelude::*;
use thru_stack::Medium;
use thru_wire::Instant;

const MS: Duration = Duration::from_millis(1);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// A frame on a medium without link header, recognisable by its first eight bytes.
fn frame(number: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len.max(8)];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// A line, and all that came out of it.
struct Bench {
    line: Line,
    entered: Vec<Entered>,
    arrived: Vec<(Instant, Packet)>,
    dropped: Vec<Dropped>,
}

impl Bench {
    fn new(seed: u64, pipe: Pipe) -> Bench {
        let line = Line::new(seed, "link test a>b", Medium::Ip, pipe);
        Bench { line, entered: Vec::new(), arrived: Vec::new(), dropped: Vec::new() }
    }

    /// As the world does it: what is due first comes first.
    fn send(&mut self, now: Instant, bytes: Bytes) {
        self.run_until(now);
        let entered = self.line.enqueue(now, bytes, &mut self.dropped);
        self.entered.push(entered);
    }

    fn run_until(&mut self, until: Instant) {
        while self.line.next_due() <= until && !self.line.next_due().is_never() {
            let now = self.line.next_due();
            if let Some(packet) = self.line.poll(now, &mut self.dropped) {
                self.arrived.push((now, packet));
            }
        }
    }

    /// `count` frames of `len` bytes, one every `every`, and all that follows.
    fn send_many(seed: u64, pipe: Pipe, count: u64, len: usize, every: Duration) -> Bench {
        let mut bench = Bench::new(seed, pipe);
        for number in 0..count {
            let now = Instant::START + every * u32::try_from(number).expect("few frames");
            bench.send(now, frame(number, len));
        }
        bench.run_until(Instant::NEVER);
        bench
    }

    fn lost(&self) -> Vec<bool> {
        self.entered.iter().map(|entered| entered.fate == Fate::Dropped(DropReason::Loss)).collect()
    }

    fn arrived_numbers(&self) -> Vec<u64> {
        self.arrived.iter().map(|(_, packet)| packet.number).collect()
    }
}

fn sorted(numbers: &[u64]) -> bool {
    numbers.is_sorted()
}

#[test]
fn without_impairments_frames_arrive_at_once_and_whole() {
    let bench = Bench::send_many(1, Pipe::default(), 10, 100, MS);
    let expected: Vec<Instant> = (0..10).map(Instant::from_millis).collect();
    assert_eq!(bench.arrived.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected);
    assert!(bench.arrived.iter().all(|(_, packet)| packet.bytes == frame(packet.number, 100)));
    assert_eq!(bench.line.next_due(), Instant::NEVER);
}

#[test]
fn delay_is_exact() {
    let pipe = Pipe { delay: Duration::from_nanos(12_345_678), ..Pipe::default() };
    let bench = Bench::send_many(1, pipe, 3, 100, MS);
    assert_eq!(bench.arrived[2].0, at(14_345_678));
}

#[test]
fn random_loss_has_its_rate() {
    for percent in [1, 5, 20, 50] {
        let pipe = Pipe { loss: Loss::Random(Chance::percent(percent)), ..Pipe::default() };
        let lost = Bench::send_many(7, pipe, 50_000, 100, MS).line.stats().lost;
        let expected = 500.0 * f64::from(percent);
        // Four standard deviations of the binomial distribution.
        let share = f64::from(percent) / 100.0;
        let spread = 4.0 * (50_000.0 * share * (1.0 - share)).sqrt();
        assert!((lost as f64 - expected).abs() < spread, "{percent} %: {lost}");
    }
    let always = Pipe { loss: Loss::Random(Chance::ALWAYS), ..Pipe::default() };
    assert_eq!(Bench::send_many(7, always, 1000, 100, MS).line.stats().lost, 1000);
}

#[test]
fn gilbert_elliott_loses_in_bursts() {
    let model = |enter, leave| Loss::GilbertElliott {
        enter_bad: Chance::percent(enter),
        leave_bad: Chance::percent(leave),
        loss_bad: Chance::ALWAYS,
        loss_good: Chance::NEVER,
    };
    let lost = Bench::send_many(3, Pipe { loss: model(1, 25), ..Pipe::default() }, 100_000, 100, MS).lost();
    let total = lost.iter().filter(|&&lost| lost).count();
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    // Stationary share of the bad state: 1 / (1 + 25); mean length of a burst: 1 / 25 %.
    let share = total as f64 / 100_000.0;
    assert!((share - 1.0 / 26.0).abs() < 0.004, "share {share}");
    let length = total as f64 / bursts as f64;
    assert!((length - 4.0).abs() < 0.4, "mean burst {length}");
}

#[test]
fn every_nth_and_patterns_are_exact() {
    let every = Pipe { loss: Loss::Every(3), ..Pipe::default() };
    assert_eq!(Bench::send_many(1, every, 9, 100, MS).arrived_numbers(), [0, 1, 3, 4, 6, 7]);
    let pattern = Pipe { loss: Loss::Pattern(vec![true, false, false, true, true]), ..Pipe::default() };
    assert_eq!(Bench::send_many(1, pattern, 10, 100, MS).arrived_numbers(), [1, 2, 6, 7]);
    for nothing in [Loss::Every(0), Loss::Pattern(Vec::new())] {
        assert_eq!(
            Bench::send_many(1, Pipe { loss: nothing, ..Pipe::default() }, 5, 100, MS).arrived.len(),
            5
        );
    }
}

#[test]
fn duplicates_follow_their_original() {
    let pipe = Pipe { duplicate: Chance::percent(10), delay: MS, ..Pipe::default() };
    let bench = Bench::send_many(5, pipe, 10_000, 100, MS);
    let copies = bench.arrived.iter().filter(|(_, packet)| packet.copy).count() as u64;
    assert_eq!(copies, bench.line.stats().duplicated);
    assert!((900..1100).contains(&copies), "{copies}");
    for pair in bench.arrived.windows(2).filter(|pair| pair[1].1.copy) {
        assert_eq!(pair[0].1.bytes, pair[1].1.bytes);
        assert_eq!(pair[0].0, pair[1].0);
    }
}

#[test]
fn corruption_flips_one_bit_behind_the_link_header() {
    let pipe = Pipe { corrupt: Chance::ALWAYS, ..Pipe::default() };
    let mut line = Line::new(2, "link test a>b", Medium::Ethernet, pipe);
    let mut positions = std::collections::BTreeSet::new();
    for _ in 0..2000 {
        let sent = frame(0, 64);
        let entered = line.enqueue(Instant::START, sent.clone(), &mut Vec::new());
        assert_eq!(entered.fate, Fate::Corrupted);
        let arrived = line.poll(Instant::START, &mut Vec::new()).expect("no delay").bytes;
        assert_eq!(sent[..14], arrived[..14]);
        let flipped: Vec<(usize, u8)> =
            (0..64).filter(|&i| sent[i] != arrived[i]).map(|i| (i, sent[i] ^ arrived[i])).collect();
        assert_eq!(flipped.len(), 1);
        assert_eq!(flipped[0].1.count_ones(), 1);
        positions.insert(flipped[0]);
    }
    // All 400 bits have their turn.
    assert!(positions.len() > 380, "{}", positions.len());
}

#[test]
fn mtu_counts_the_ip_packet_only() {
    let pipe = Pipe { mtu: Some(1400), ..Pipe::default() };
    let mut line = Line::new(2, "link test a>b", Medium::Ethernet, pipe);
    let mut fate = |len| line.enqueue(Instant::START, frame(0, len), &mut Vec::new()).fate;
    assert_eq!(fate(1414), Fate::Passed);
    assert_eq!(fate(1415), Fate::Dropped(DropReason::Mtu));
    assert_eq!(line.stats().mtu_drops, 1);
}

#[test]
fn the_order_of_the_pipeline_is_the_documented_one() {
    // What is too large is not lost; what is lost is neither duplicated nor corrupted.
    let pipe = Pipe {
        mtu: Some(500),
        loss: Loss::Every(2),
        duplicate: Chance::ALWAYS,
        corrupt: Chance::ALWAYS,
        ..Pipe::default()
    };
    let mut bench = Bench::new(1, pipe);
    for number in 0..10 {
        bench.send(at(number), frame(number, if number < 4 { 600 } else { 100 }));
    }
    bench.run_until(Instant::NEVER);
    let stats = bench.line.stats();
    assert_eq!((stats.mtu_drops, stats.lost, stats.duplicated, stats.corrupted), (4, 3, 3, 6));
}

#[test]
fn jitter_spreads_but_keeps_order() {
    let pipe = Pipe { delay: 10 * MS, jitter: 8 * MS, ..Pipe::default() };
    let bench = Bench::send_many(9, pipe, 5000, 100, MS);
    assert!(sorted(&bench.arrived_numbers()));
    let delays: Vec<Duration> =
        bench.arrived.iter().map(|(arrived, packet)| arrived.since(packet.queued_at)).collect();
    assert!(delays.iter().all(|delay| (10 * MS..=18 * MS).contains(delay)));
    assert!(delays.iter().max().unwrap().saturating_sub(*delays.iter().min().unwrap()) > 5 * MS);
}

#[test]
fn sparse_frames_get_even_jitter() {
    let pipe = Pipe { jitter: 10 * MS, ..Pipe::default() };
    let bench = Bench::send_many(9, pipe, 10_000, 100, 20 * MS);
    let mean =
        bench.arrived.iter().map(|(arrived, packet)| arrived.since(packet.queued_at)).sum::<Duration>()
            / 10_000;
    assert!(mean.abs_diff(5 * MS) < MS / 5, "{mean:?}");
}

#[test]
fn frames_overtake_only_when_asked() {
    let pipe = Pipe { delay: 20 * MS, reorder: Chance::percent(5), reorder_by: 10 * MS, ..Pipe::default() };
    let bench = Bench::send_many(4, pipe.clone(), 10_000, 100, MS);
    let early =
        bench.arrived.iter().filter(|(arrived, packet)| arrived.since(packet.queued_at) == 10 * MS).count();
    let late =
        bench.arrived.iter().filter(|(arrived, packet)| arrived.since(packet.queued_at) == 20 * MS).count();
    assert_eq!(early + late, 10_000);
    assert!((400..600).contains(&early), "{early}");
    assert!(!sorted(&bench.arrived_numbers()));
    // More than the whole delay can't be skipped.
    let all = Bench::send_many(4, Pipe { reorder_by: 50 * MS, ..pipe }, 10_000, 100, MS);
    assert!(
        all.arrived
            .iter()
            .all(|(arrived, packet)| [Duration::ZERO, 20 * MS].contains(&arrived.since(packet.queued_at)))
    );
}

#[test]
fn rate_is_exact_over_many_frames() {
    // A rate and a size whose transmission time is no whole number of nanoseconds.
    for (rate, len) in [(3_000_000_000_u64, 64), (10_000_000, 1514), (2_999_999, 777), (56_000, 41)] {
        let count = 20_000_u64;
        let queue = QueueConfig::DropTail { limit: usize::MAX };
        let pipe = Pipe { rate: Some(rate), queue, ..Pipe::default() };
        let bench = Bench::send_many(1, pipe, count, len, Duration::ZERO);
        let exact = u128::from(count) * len as u128 * 8 * 1_000_000_000;
        let last = bench.arrived.last().expect("all arrive").0;
        assert_eq!(u128::from(last.nanos()), exact.div_ceil(u128::from(rate)), "rate {rate}, {len} bytes");
    }
}

#[test]
fn a_burst_passes_at_once_and_then_the_rate_holds() {
    // 8 Mbit/s: a byte per microsecond.
    let queue = QueueConfig::DropTail { limit: usize::MAX };
    let pipe = Pipe { rate: Some(8_000_000), burst: 5000, queue, ..Pipe::default() };
    let mut bench = Bench::new(1, pipe);
    let start = at(1_000_000_000);
    for number in 0..10 {
        bench.send(start, frame(number, 1000));
    }
    bench.run_until(Instant::NEVER);
    let micros: Vec<u128> = bench.arrived.iter().map(|(at, _)| at.since(start).as_micros()).collect();
    assert_eq!(micros, [0, 0, 0, 0, 0, 1000, 2000, 3000, 4000, 5000]);
    // A frame larger than the bucket waits for the part that does not fit into it.
    bench.send(at(2_000_000_000), frame(10, 6500));
    bench.run_until(Instant::NEVER);
    assert_eq!(bench.arrived[10].0.since(at(2_000_000_000)), Duration::from_micros(1500));
}

#[test]
fn impairments_do_not_disturb_each_other() {
    let plain =
        Pipe { loss: Loss::Random(Chance::percent(10)), delay: 5 * MS, jitter: MS, ..Pipe::default() };
    let more = Pipe {
        duplicate: Chance::percent(30),
        corrupt: Chance::percent(30),
        reorder: Chance::percent(30),
        reorder_by: MS,
        ..plain.clone()
    };
    let fewer = Pipe { loss: Loss::None, ..more.clone() };
    let [plain, more, fewer] =
        [plain, more, fewer].map(|pipe| Bench::send_many(11, pipe, 5000, 100, 10 * MS));
    assert_eq!(plain.lost(), more.lost());
    // The frames that come through in both have the same jitter, and the same ones are duplicated.
    for (before, after) in more.entered.iter().zip(&fewer.entered) {
        if before.fate != Fate::Dropped(DropReason::Loss) {
            assert_eq!(before, after);
        }
    }
    let jitters = |bench: &Bench| -> std::collections::BTreeMap<u64, Duration> {
        bench.arrived.iter().map(|(_, packet)| (packet.number, packet.jitter)).collect()
    };
    let (some, all) = (jitters(&plain), jitters(&fewer));
    assert!(some.iter().all(|(number, jitter)| all[number] == *jitter));
    assert_ne!(plain.lost(), Bench::send_many(12, plain.line.pipe().clone(), 5000, 100, 10 * MS).lost());
}

#[test]
fn a_changed_pipe_leaves_the_wire_alone_and_keeps_order() {
    let slow = Pipe { delay: 100 * MS, ..Pipe::default() };
    let mut bench = Bench::new(1, slow);
    bench.send(at(0), frame(0, 100));
    bench.line.set_pipe(at(0), Pipe { delay: MS, ..Pipe::default() }, &mut bench.dropped);
    bench.send(at(1), frame(1, 100));
    bench.run_until(Instant::NEVER);
    assert_eq!(
        bench.arrived.iter().map(|(at, _)| at.nanos()).collect::<Vec<_>>(),
        [100_000_000, 100_000_000]
    );
    assert_eq!(bench.arrived_numbers(), [0, 1]);
}

#[test]
fn waiting_frames_move_to_the_new_queue() {
    let limited =
        |limit| Pipe { rate: Some(8_000_000), queue: QueueConfig::DropTail { limit }, ..Pipe::default() };
    let mut bench = Bench::new(1, limited(100_000));
    for number in 0..6 {
        bench.send(at(0), frame(number, 1000));
    }
    bench.line.set_pipe(at(0), limited(3000), &mut bench.dropped);
    bench.run_until(Instant::NEVER);
    // One was being transmitted, three fit.
    assert_eq!(bench.arrived_numbers(), [0, 1, 2, 3]);
    assert_eq!(bench.dropped.iter().map(|dropped| dropped.packet.number).collect::<Vec<_>>(), [4, 5]);
    // Without a rate, everything that waits leaves as soon as the transmitter is free.
    for number in 6..10 {
        bench.send(at(1_000_000_000), frame(number, 1000));
    }
    bench.line.set_pipe(at(1_000_000_000), Pipe::default(), &mut bench.dropped);
    bench.run_until(Instant::NEVER);
    let last: Vec<u64> = bench.arrived[4..].iter().map(|(at, _)| at.nanos()).collect();
    assert_eq!(last, [1_001_000_000; 4]);
}

#[test]
fn going_down_discards_what_is_under_way() {
    let pipe = Pipe { rate: Some(8_000_000), delay: 5 * MS, ..Pipe::default() };
    let mut bench = Bench::new(1, pipe);
    for number in 0..10 {
        bench.send(at(0), frame(number, 1000));
    }
    bench.run_until(Instant::from_millis(7));
    assert_eq!(bench.arrived.len(), 2);
    bench.line.set_up(Instant::from_millis(7), false, &mut bench.dropped);
    assert_eq!(bench.dropped.len(), 8);
    assert_eq!(bench.line.next_due(), Instant::NEVER);
    bench.send(Instant::from_millis(8), frame(10, 1000));
    assert_eq!(bench.entered[10].fate, Fate::Dropped(DropReason::LinkDown));
    assert_eq!(bench.line.stats().down_drops, 9);
    bench.line.set_up(Instant::from_millis(20), true, &mut bench.dropped);
    bench.send(Instant::from_millis(20), frame(11, 1000));
    bench.run_until(Instant::NEVER);
    assert_eq!(bench.arrived.last().unwrap().0, Instant::from_millis(26));
}

#[test]
fn a_link_without_buffer_still_transmits() {
    let pipe = Pipe { rate: Some(8_000_000), queue: QueueConfig::DropTail { limit: 0 }, ..Pipe::default() };
    let bench = Bench::send_many(1, pipe.clone(), 10, 1000, MS);
    assert_eq!(bench.arrived.len(), 10);
    let bench = Bench::send_many(1, pipe, 10, 1000, MS / 2);
    assert_eq!(bench.arrived_numbers(), [0, 2, 4, 6, 8]);
}

fn any_chance() -> impl Strategy<Value = Chance> {
    prop_oneof![Just(Chance::NEVER), (0u32..=1_000_000_000).prop_map(Chance)]
}

fn any_queue() -> impl Strategy<Value = QueueConfig> {
    let limit = 0usize..20_000;
    (limit, 0u8..6, any::<bool>()).prop_map(|(limit, kind, ecn)| match kind {
        0 => QueueConfig::DropTail { limit },
        1 => QueueConfig::DropHead { limit },
        2 => QueueConfig::Red {
            limit,
            min: limit / 8,
            max: limit / 2,
            max_probability: Chance::percent(10),
            ecn,
        },
        3 => QueueConfig::Codel { limit, target: MS, interval: 5 * MS, ecn },
        4 => QueueConfig::FqCodel { limit, flows: 8, quantum: 300, target: MS, interval: 5 * MS, ecn },
        _ => QueueConfig::Pie { limit, target: MS, update: MS, ecn },
    })
}

proptest! {
    /// Whatever the settings: every frame is accounted for exactly once, the queue keeps its limit, time does not run
    /// backwards, order is kept unless overtaking was asked for, and the same again gives the same.
    #[test]
    fn nothing_is_made_up_or_forgotten(
        seed: u64,
        mtu in proptest::option::of(0usize..1600),
        (loss, duplicate, corrupt, reorder) in (any_chance(), any_chance(), any_chance(), any_chance()),
        (rate, burst) in (proptest::option::of(1u64..1_000_000_000), 0usize..5000),
        queue in any_queue(),
        (delay, jitter, reorder_by) in (0u64..20_000_000, 0u64..20_000_000, 0u64..30_000_000),
        frames in proptest::collection::vec((0u64..3_000_000, 8usize..1600), 1..120),
    ) {
        let [delay, jitter, reorder_by] = [delay, jitter, reorder_by].map(Duration::from_nanos);
        let limit = queue.limit();
        // FQ-CoDel reorders flows, and on this medium of random bytes a frame may look like any flow.
        let ordered = reorder == Chance::NEVER && !matches!(queue, QueueConfig::FqCodel { .. });
        let pipe = Pipe { mtu, loss: Loss::Random(loss), duplicate, corrupt, rate, burst, queue, delay, jitter, reorder, reorder_by };
        let run = || {
            let mut bench = Bench::new(seed, pipe.clone());
            let mut now = Instant::START;
            for (number, &(gap, len)) in (0..).zip(&frames) {
                now += Duration::from_nanos(gap);
                bench.send(now, frame(number, len));
            }
            bench.run_until(Instant::NEVER);
            bench
        };
        let bench = run();
        let stats = bench.line.stats();
        prop_assert!(stats.queue_bytes_max <= limit);
        prop_assert!(bench.arrived.is_sorted_by_key(|(at, _)| *at));
        if ordered {
            prop_assert!(sorted(&bench.arrived_numbers()));
        }
        let at_once = bench.entered.iter().filter(|entered| matches!(entered.fate, Fate::Dropped(_))).count();
        prop_assert_eq!(
            frames.len() as u64 + stats.duplicated,
            bench.arrived.len() as u64 + at_once as u64 + bench.dropped.len() as u64
        );
        prop_assert_eq!(stats.delivered, bench.arrived.len() as u64);
        prop_assert_eq!(
            stats.lost + stats.mtu_drops + stats.queue_drops,
            at_once as u64 + bench.dropped.len() as u64
        );
        let again = run();
        let seen = |bench: &Bench| -> Vec<(Instant, Bytes)> {
            bench.arrived.iter().map(|(at, packet)| (*at, packet.bytes.clone())).collect()
        };
        prop_assert_eq!(seen(&bench), seen(&again));
    }
}
