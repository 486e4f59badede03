use std::collections::BTreeSet;

use super::*;

/// A repeatable stream of octets (SplitMix64), so that the test can't fail by chance.
fn drawn(seed: u64, count: u64) -> impl Iterator<Item = [u8; 32]> {
    (0..count).map(move |index| {
        let word = |lane: u64| {
            let mut word = seed.wrapping_add((4 * index + lane + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (word ^ (word >> 31)).to_le_bytes()
        };
        let words: Vec<u8> = (0..4).flat_map(word).collect();
        words.try_into().expect("four words")
    })
}

/// How far counts are from equal, in standard deviations of chi-square.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let sum: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    let degrees = counts.len() as f64 - 1.0;
    (sum - degrees) / (2.0 * degrees).sqrt()
}

#[test]
fn ports_are_spread_evenly_over_all_that_may_be_used() {
    let mut counts = vec![0; 63];
    for random in drawn(1, 200_000) {
        let port = port_from(&random).expect("one of sixteen will do");
        assert!(port >= PORT_MIN);
        counts[usize::from(port / 1024) - 1] += 1;
    }
    let away = chi_square(&counts);
    assert!(away.abs() < 4.0, "{away} standard deviations");
    assert_eq!(port_from(&[0; 32]), None);
    let mut second = [0; 32];
    second[2..4].copy_from_slice(&1024_u16.to_be_bytes());
    assert_eq!(port_from(&second), Some(1024));
}

#[test]
fn a_counter_would_be_found_out() {
    // The measure itself has to be able to fail: low bits that never change.
    let mut counts = vec![0; 64];
    (0..200_000_u64).for_each(|number| counts[(number * 2 % 64) as usize] += 1);
    assert!(chi_square(&counts) > 1000.0);
}

#[test]
fn real_sockets_get_those_ports() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let network = Network::host();
        let server = "127.0.0.1:53".parse().expect("an address");
        let mut sockets = Vec::new();
        for _ in 0..200 {
            sockets.push(bind_unguessable(&network, server).await.expect("a port"));
        }
        let ports: BTreeSet<u16> = sockets.iter().map(|socket| socket.local_addr().port()).collect();
        assert_eq!(ports.len(), 200, "each has its own");
        // The kernel's own range (32768 to 60999 unless somebody changed it) holds less than half of all ports.
        assert!(ports.iter().any(|port| *port < 32_768), "{ports:?}");
        assert!(ports.iter().any(|port| *port >= 61_000), "{ports:?}");
        let steps: BTreeSet<i32> = sockets
            .windows(2)
            .map(|two| i32::from(two[1].local_addr().port()) - i32::from(two[0].local_addr().port()))
            .collect();
        assert!(steps.len() > 190, "no pattern from one to the next");
    });
}
