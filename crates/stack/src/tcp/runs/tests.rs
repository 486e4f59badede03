use super::*;
use crate::random::Random;

fn run(start: u64, len: u32, at: u64) -> Run {
    Run {
        start,
        sent_at: Instant::from_millis(at),
        stamp: Stamp::default(),
        len,
        fate: Fate::InFlight,
        retransmitted: false,
        pushed: false,
    }
}

fn check(runs: &Runs) {
    let mut in_flight = 0;
    let mut expected_start = None;
    for run in &runs.runs {
        assert!(run.len > 0);
        assert!(expected_start.is_none_or(|start| start == run.start), "no gaps");
        expected_start = Some(run.end());
        if matches!(run.fate, Fate::InFlight | Fate::Resent) {
            in_flight += u64::from(run.len);
        }
        assert_eq!(runs.lost.contains(&run.start), run.fate == Fate::Lost, "{run:?}");
    }
    assert_eq!(runs.in_flight, in_flight);
    let of = |fate| runs.runs.iter().filter(move |run| run.fate == fate);
    let sacked: u64 = of(Fate::Sacked).map(|run| u64::from(run.len)).sum();
    assert_eq!(runs.sacked, (of(Fate::Sacked).count() as u32, sacked));
    assert_eq!(runs.resent_runs, of(Fate::Resent).count() as u32);
    for run in of(Fate::InFlight) {
        assert!(run.start >= runs.judged, "{run:?} would never be looked at again");
    }
    for run in of(Fate::Resent) {
        assert!(runs.resent.contains(&(run.start, run.sent_at)), "{run:?} would never be looked at again");
    }
    assert!(runs.resent.iter().is_sorted_by_key(|&(_, sent_at)| sent_at));
    assert_eq!(runs.lost.len(), runs.runs.iter().filter(|run| run.fate == Fate::Lost).count());
}

/// Whatever happens in whatever order, the counters say what the runs say.
#[test]
fn counters_agree_with_the_runs() {
    for seed in 0..300 {
        let mut random = Random::new(seed, "runs");
        let mut runs = Runs::default();
        let (mut una, mut nxt) = (1_000u64, 1_000u64);
        for step in 0..300 {
            match random.below(9) {
                0..=2 => {
                    let len = 1 + random.below(1_500) as u32;
                    runs.push(run(nxt, len, step));
                    nxt += u64::from(len);
                }
                3 => {
                    una += random.below(nxt - una + 1).min(random.below(5_000));
                    runs.acknowledge(una, |_| {});
                }
                4 if nxt > una => {
                    let left = una + random.below(nxt - una);
                    let right = left + 1 + random.below(nxt - left);
                    runs.sack((left, right), (left, right), 500, |_| {});
                }
                5 => {
                    let newest = Instant::from_millis(step.saturating_sub(random.below(20)));
                    let limit = Instant::from_millis(step.saturating_sub(random.below(40)));
                    let in_flight = runs.in_flight();
                    let found = runs.lose_overtaken((newest, una + random.below(nxt - una + 1)), limit);
                    assert_eq!(in_flight - runs.in_flight(), found.lost);
                }
                6 => {
                    runs.lose_first();
                    if let Some(last) = runs.last().copied().filter(|last| last.fate != Fate::Sacked) {
                        let len = 1 + random.below(u64::from(last.len)) as u32;
                        let start = last.end() - u64::from(len);
                        runs.resend(start, len, &run(start, len, step));
                    }
                }
                7 => match random.below(8) {
                    0 => {
                        let limit = Instant::from_millis(step.saturating_sub(random.below(20)));
                        runs.lose_timed_out(limit, random.below(2) == 0);
                        assert!(runs.first().is_none_or(|first| first.fate != Fate::InFlight));
                    }
                    1 => drop(runs.lose_longer_than(500)),
                    2 | 3 => {
                        runs.unlose();
                        assert!(runs.lost.is_empty());
                    }
                    _ => {}
                },
                _ => {
                    if let Some(lost) = runs.next_lost().copied() {
                        let len = lost.len.min(1 + random.below(1_500) as u32);
                        runs.resend(lost.start, len, &run(lost.start, len, step));
                    }
                }
            }
            check(&runs);
        }
        runs.acknowledge(nxt, |_| {});
        assert!(runs.is_empty() && runs.lost.is_empty() && runs.in_flight == 0);
    }
}

/// Each run is looked at a few times in its life, however large the window is.
#[test]
fn work_does_not_grow_with_the_window() {
    let work = |window: u64| {
        let mut runs = Runs::default();
        for index in 0..window {
            runs.push(run(index * 1_000, 1_000, index));
        }
        // The first is lost; the others are reported one by one, each time as one growing block.
        for index in 1..window {
            let end = (index + 1) * 1_000;
            runs.sack((index * 1_000, end), (1_000, end), 1_000, |_| {});
            let newest = Instant::from_millis(index);
            runs.lose_overtaken((newest, end), newest - core::time::Duration::from_millis(3));
        }
        runs.acknowledge(window * 1_000, |_| {});
        runs.work() / window
    };
    assert!(work(10_000) <= 4, "{}", work(10_000));
}
