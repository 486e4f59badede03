use super::*;
use crate::random::Random;
use crate::tcp::demux::Endpoint;

fn facts(number: u32, v6: bool) -> Facts {
    let (local, remote) = if v6 { ("fd00::1", "fd00::2") } else { ("10.0.0.1", "10.0.0.2") };
    Facts {
        pair: Pair {
            local: Endpoint { address: local.parse().unwrap(), port: (number >> 16) as u16 },
            remote: Endpoint { address: remote.parse().unwrap(), port: number as u16 },
        },
        next_to_send: SeqNumber(number),
        next_expected: SeqNumber(!number),
        window: number as u16,
        recent: number.is_multiple_of(3).then_some(number ^ 77),
    }
}

#[test]
fn objects_are_small() {
    assert_eq!(size_of::<store::Object<12>>(), 40);
    assert_eq!(size_of::<store::Object<36>>(), 64);
}

#[test]
fn what_is_kept_is_found_and_ends_in_order_whatever_the_order_of_calls() {
    let mut random = Random::new(3, "time wait");
    let mut waits = TimeWaits::new(1);
    let mut model: BTreeMap<(bool, u32), (Facts, u64)> = BTreeMap::new();
    // Close to where the low bits of milliseconds wrap.
    let mut now = u64::from(u32::MAX) - 100_000;
    for round in 0..40_000 {
        now += random.below(20);
        let (number, v6) = (random.below(3_000) as u32 * 7_919, random.below(4) == 0);
        let wanted = facts(number, v6);
        match (waits.find(&wanted.pair), random.below(3)) {
            (None, _) => {
                assert!(!model.contains_key(&(v6, number)));
                waits.insert(&wanted, now + 60_000, Some(u64::from(number)));
                model.insert((v6, number), (wanted, now + 60_000));
            }
            (Some(place), 0) => {
                waits.restart(place, now + 60_000);
                model.insert((v6, number), (wanted, now + 60_000));
            }
            (Some(place), 1) => {
                assert_eq!(waits.remove(place).is_some(), model.remove(&(v6, number)).is_some());
            }
            (Some(place), _) => {
                let (known, ends) = model[&(v6, number)];
                assert_eq!((waits.facts(place), waits.ends(place, now)), (known, ends));
            }
        }
        assert_eq!(waits.len(), model.len());
        while let Some((place, ends)) = waits.first(now)
            && ends <= now
        {
            let pair = waits.facts(place).pair;
            let number = u32::from(pair.local.port) << 16 | u32::from(pair.remote.port);
            let (_, expected) = model.remove(&(pair.local.address.is_ipv6(), number)).unwrap();
            assert_eq!(ends, expected);
            waits.remove(place);
        }
        if round % 100 == 0 {
            assert!(model.values().all(|(_, ends)| *ends > now), "nothing is left too long");
        }
    }
    assert!(model.len() > 100, "the test has kept something: {}", model.len());
}

#[test]
fn nothing_is_held_when_there_are_none() {
    let mut waits = TimeWaits::new(1);
    for number in 0..1_000 {
        waits.insert(&facts(number, false), 5, None);
    }
    for number in 0..1_000 {
        let place = waits.find(&facts(number, false).pair).unwrap();
        waits.remove(place);
    }
    assert_eq!((waits.len(), waits.v4.first(0)), (0, None));
    assert_eq!(waits.find(&facts(5, false).pair), None);
}
