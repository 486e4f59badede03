use super::*;
use crate::random::Random;
use std::collections::BTreeMap;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn an_empty_wheel_never_wakes() {
    let mut wheel = Wheel::new();
    assert_eq!(wheel.next(), Instant::NEVER);
    assert_eq!(wheel.pop(at(u64::MAX - 1)), None);
    let handle = wheel.insert(at(5), 1);
    wheel.remove(handle);
    assert_eq!(wheel.next(), Instant::NEVER);
}

#[test]
fn deadlines_are_exact_to_the_nanosecond() {
    let mut wheel = Wheel::new();
    wheel.insert(at(1_000_000_007), 1);
    assert_eq!(wheel.next(), at(1_000_000_007));
    assert_eq!(wheel.pop(at(1_000_000_006)), None);
    assert_eq!(wheel.pop(at(1_000_000_007)), Some(1));
    assert_eq!(wheel.next(), Instant::NEVER);
}

#[test]
fn the_past_fires_at_once() {
    let mut wheel = Wheel::new();
    wheel.insert(at(10_000_000_000), 1);
    assert_eq!(wheel.pop(at(10_000_000_000)), Some(1));
    wheel.insert(at(3), 2);
    assert_eq!(wheel.pop(at(10_000_000_000)), Some(2));
}

/// Against an ordered map: the same keys come out at the same times, whatever was added and taken back between.
#[test]
fn agrees_with_an_ordered_map() {
    for seed in 0..50 {
        let mut random = Random::new(seed, "wheel");
        let mut wheel = Wheel::new();
        let mut model: BTreeMap<(u64, u64), TimerHandle> = BTreeMap::new();
        let mut now = 0;
        for key in 0..400 {
            let span = 1 << random.below(45);
            let due = now + random.below(span);
            model.insert((due, key), wheel.insert(at(due), key));
            if random.below(4) == 0 {
                let chosen = *model.keys().nth(random.below(model.len() as u64) as usize).unwrap();
                wheel.remove(model.remove(&chosen).unwrap());
            }
            assert!(model.keys().next().is_none_or(|&(due, _)| wheel.next() <= at(due)));
            if random.below(3) == 0 {
                let span = 1 << random.below(40);
                now += random.below(span);
                let mut fired = Vec::new();
                while let Some(key) = wheel.pop(at(now)) {
                    fired.push(key);
                }
                let mut expected = Vec::new();
                while let Some((&(due, key), _)) = model.first_key_value() {
                    if due > now {
                        break;
                    }
                    model.remove(&(due, key));
                    expected.push(key);
                }
                assert_eq!(fired, expected, "in order of time, then of age; seed {seed} at {now}");
                assert!(wheel.next() > at(now));
            }
        }
        assert_eq!(wheel.len(), model.len());
    }
}

/// Adding, firing and asking cost the same with many entries as with few.
#[test]
fn work_does_not_grow_with_the_number_of_entries() {
    let cost = |idle: u64| {
        let mut wheel = Wheel::new();
        for key in 0..idle {
            wheel.insert(at(60_000_000_000 + key * 1_000), key);
        }
        let before = wheel.work();
        for round in 0..1_000u64 {
            wheel.insert(at(round * 1_000_000 + 500_000), u64::MAX);
            assert_eq!(wheel.pop(at(round * 1_000_000 + 600_000)), Some(u64::MAX));
        }
        wheel.work() - before
    };
    let (few, many) = (cost(10), cost(100_000));
    assert!(
        many <= few + 200_000,
        "each idle entry may move down a level once or twice: {few} against {many}"
    );
}

/// A thousand entries within one slot: each fires at its nanosecond, and none is looked at again and again.
#[test]
fn a_crowded_slot_is_put_in_order_once() {
    let mut wheel = Wheel::new();
    for key in 0..10_000u64 {
        wheel.insert(at(1_000_000 + (key * 7_919) % 60_000), key);
    }
    let mut last = at(0);
    for _ in 0..10_000 {
        let due = wheel.next();
        assert!(due >= last);
        last = due;
        assert!(wheel.pop(due).is_some());
    }
    assert!(wheel.is_empty());
    assert!(wheel.work() <= 60_000, "{}", wheel.work());
}
