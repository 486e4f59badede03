//! The table of RFC 4861 appendix C, line by line.

use super::*;
use crate::packet::Packet;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);

fn key() -> Key {
    (InterfaceId(0), "fd00::2".parse().unwrap())
}

fn packet() -> Packet {
    let mut packet = Packet::with_room(1_500);
    packet.extend(&[0; 1_500]);
    packet
}

/// A cache in which the neighbour is in the state of this name.
fn cache_in(state: &str) -> NeighborCache {
    let mut cache = NeighborCache::new(1);
    let now = Instant::START;
    match state {
        "none" => {}
        "incomplete" => {
            cache.resolve(now, key(), packet());
        }
        "stale" => {
            cache.heard(now, key(), MAC, true);
        }
        "delay" => {
            cache.heard(now, key(), MAC, true);
            cache.resolve(now, key(), packet());
        }
        "probe" => {
            cache.heard(now, key(), MAC, true);
            cache.resolve(now, key(), packet());
            assert!(matches!(cache.due(Instant::from_millis(5_000)), Some(Due::Probe(..))));
        }
        "reachable" => {
            cache.resolve(now, key(), packet());
            let answer = Answer { mac: Some(MAC), solicited: true, override_known: true };
            assert!(cache.answered(now, key(), answer).is_some());
        }
        other => panic!("no state is called {other}"),
    }
    cache
}

fn say(cache: &NeighborCache) -> String {
    let Some(neighbor) = cache.entries.get(&key()) else { return "none".into() };
    let name = match neighbor.state {
        State::Incomplete { .. } => "incomplete",
        State::Reachable { .. } => "reachable",
        State::Stale { .. } => "stale",
        State::Delay { .. } => "delay",
        State::Probe { .. } => "probe",
    };
    match neighbor.state.mac() {
        Some(OTHER) => format!("{name} other"),
        _ => name.into(),
    }
}

#[test]
fn answers_move_the_state_as_appendix_c_says() {
    // From, (own mac / other mac / none), solicited, override; to.
    let table = [
        ("none", Some(MAC), true, true, "none"),
        ("incomplete", None, true, true, "incomplete"),
        ("incomplete", Some(MAC), true, false, "reachable"),
        ("incomplete", Some(MAC), false, false, "delay"),
        ("stale", Some(MAC), true, false, "reachable"),
        ("delay", Some(MAC), true, true, "reachable"),
        ("probe", None, true, false, "reachable"),
        ("reachable", Some(OTHER), true, false, "stale"),
        ("stale", Some(OTHER), true, false, "stale"),
        ("probe", Some(OTHER), true, false, "probe"),
        ("reachable", Some(OTHER), true, true, "reachable other"),
        ("reachable", Some(OTHER), false, true, "stale other"),
        ("probe", Some(OTHER), false, true, "stale other"),
        ("reachable", Some(MAC), false, true, "reachable"),
        ("stale", Some(MAC), false, false, "stale"),
    ];
    for (from, mac, solicited, override_known, to) in table {
        let mut cache = cache_in(from);
        cache.answered(Instant::START, key(), Answer { mac, solicited, override_known });
        assert_eq!(say(&cache), to, "{from} with {mac:?} solicited={solicited} override={override_known}");
    }
}

#[test]
fn what_a_neighbour_says_of_itself_moves_the_state_too() {
    let table = [
        ("none", MAC, true, "stale"),
        ("none", MAC, false, "none"),
        ("incomplete", MAC, false, "delay"),
        ("reachable", MAC, true, "reachable"),
        ("reachable", OTHER, true, "stale other"),
        ("probe", OTHER, false, "stale other"),
        ("probe", MAC, true, "probe"),
    ];
    for (from, mac, create, to) in table {
        let mut cache = cache_in(from);
        cache.heard(Instant::START, key(), mac, create);
        assert_eq!(say(&cache), to, "{from} hears {mac} create={create}");
    }
}

#[test]
fn packets_move_the_state() {
    for (from, to) in [
        ("none", "incomplete"),
        ("incomplete", "incomplete"),
        ("stale", "delay"),
        ("delay", "delay"),
        ("probe", "probe"),
    ] {
        let mut cache = cache_in(from);
        cache.resolve(Instant::START, key(), packet());
        assert_eq!(say(&cache), to, "{from}");
    }
    let mut cache = cache_in("reachable");
    cache.resolve(Instant::from_millis(14_999), key(), packet());
    assert_eq!(say(&cache), "reachable");
    cache.resolve(Instant::from_millis(45_000), key(), packet());
    assert_eq!(say(&cache), "delay");
}

#[test]
fn timers_and_entries_stay_in_step() {
    let mut cache = NeighborCache::new(1);
    let mut random = Random::new(1, "test");
    let mut now = Instant::START;
    for _ in 0..20_000 {
        now += Duration::from_millis(random.below(300));
        let address = IpAddr::V4(core::net::Ipv4Addr::from_bits(0x0a00_0000 + random.below(3_000) as u32));
        let key = (InterfaceId(random.below(2) as u32), address);
        match random.below(5) {
            0 | 1 => {
                cache.resolve(now, key, packet());
            }
            2 => {
                let mac = random.chance(900_000_000).then_some(MAC);
                let answer = Answer { mac, solicited: random.chance(500_000_000), override_known: true };
                cache.answered(now, key, answer);
            }
            3 => {
                cache.heard(now, key, OTHER, true);
            }
            _ => while cache.due(now).is_some() {},
        }
        assert!(cache.len() <= ENTRIES_MAX && cache.pending_bytes <= PENDING_BYTES_MAX);
    }
    assert_eq!(cache.hand.len(), cache.entries.len());
    let waiting = cache.entries.values().map(|neighbor| match &neighbor.state {
        State::Incomplete { pending, .. } => bytes_of(pending),
        _ => 0,
    });
    assert_eq!(cache.pending_bytes, waiting.sum::<usize>());
    let with_deadline = cache.entries.values().filter(|neighbor| neighbor.state.deadline().is_some()).count();
    assert_eq!(cache.timers.len(), with_deadline);
    for (at, key) in &cache.timers {
        assert_eq!(cache.entries[key].state.deadline(), Some(*at));
    }
}

#[test]
fn what_waits_is_bounded_for_one_and_for_all() {
    let mut cache = NeighborCache::new(1);
    for _ in 0..200 {
        cache.resolve(Instant::START, key(), packet());
    }
    assert_eq!(cache.pending_bytes, PENDING_MAX * 1_500);
    for host in 0..1_000_u32 {
        let key = (InterfaceId(0), IpAddr::V4(core::net::Ipv4Addr::from_bits(0x0a00_0000 + host)));
        assert!(
            matches!(cache.resolve(Instant::START, key, packet()), Resolve::QueuedAsk),
            "asked all the same"
        );
    }
    assert!(cache.pending_bytes <= PENDING_BYTES_MAX);
}
