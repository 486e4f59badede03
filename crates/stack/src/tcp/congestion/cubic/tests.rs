use core::time::Duration;

use super::*;
use crate::random::Random;

const MSS: u64 = 1_448;

fn ack(now: u64, acked: u64) -> Ack {
    Ack {
        delivered: acked,
        acked,
        rtt: Some(Duration::from_millis(100)),
        ..Ack::nothing(Instant::from_millis(now))
    }
}

#[test]
fn cube_roots_are_exact() {
    for root in [0, 1, 2, 3, 1_000, 99_999, 2_642_245] {
        assert_eq!(cube_root(root * root * root), root);
        assert_eq!(cube_root((root + 1).saturating_pow(3) - 1), root);
    }
}

#[test]
fn follows_the_published_curve() {
    // W_max = 1000 segments, beta = 0.7: K = cbrt(300 / 0.4) = 9.0856 s.
    let mut cubic = Cubic::new(MSS, 10);
    (cubic.window, cubic.threshold) = (1_000 * MSS, 0);
    cubic.on_loss(Instant::START, 1_000 * MSS);
    assert_eq!(cubic.window(), 700 * MSS);
    let epoch = cubic.begin(Instant::START);
    assert_eq!(epoch.reaches_max, 9_085);
    for millis in [0u64, 1_000, 5_000, 9_085, 12_000, 20_000] {
        let seconds = millis as f64 / 1_000.0;
        let reference = (0.4 * (seconds - 9.0856f64).powi(3) + 1_000.0) * MSS as f64;
        let ours = curve(millis, epoch.reaches_max, epoch.origin, MSS) as f64;
        assert!((ours - reference).abs() < reference / 1_000.0, "{millis} ms: {ours} against {reference}");
    }
}

#[test]
fn a_window_never_shrinks_on_an_acknowledgement() {
    for seed in 0..200 {
        let mut random = Random::new(seed, "cubic");
        let mut cubic = Cubic::new(MSS, 10);
        let mut now = 0;
        for _ in 0..500 {
            now += random.below(400);
            match random.below(40) {
                0 => cubic.on_loss(Instant::from_millis(now), random.below(1 << 30)),
                1 => cubic.on_timeout(Instant::from_millis(now), random.below(1 << 30)),
                _ => {
                    let before = cubic.window();
                    cubic.on_ack(&ack(now, random.below(100 * MSS)));
                    assert!(cubic.window() >= before, "seed {seed} at {now} ms");
                    assert!(cubic.window() >= MSS);
                }
            }
        }
    }
}

#[test]
fn huge_windows_and_long_times_do_not_overflow() {
    let mut cubic = Cubic::new(65_000, 10);
    (cubic.window, cubic.threshold) = (1 << 40, 0);
    cubic.on_loss(Instant::START, 1 << 40);
    for hour in 0..100 {
        cubic.on_ack(&ack(hour * 3_600_000, 1 << 30));
    }
    assert!(cubic.window() >= 1 << 39);
}

#[test]
fn small_windows_grow_at_least_like_reno() {
    let mut cubic = Cubic::new(MSS, 10);
    (cubic.window, cubic.threshold) = (10 * MSS, 0);
    cubic.on_loss(Instant::START, 10 * MSS);
    // 20 round trips of 10 ms: the cubic has hardly moved, Reno's estimate has.
    for round in 0..40u64 {
        let window = cubic.window();
        cubic.on_ack(&ack(round * 10, window));
    }
    assert!(cubic.window() >= 10 * MSS, "{}", cubic.window() / MSS);
}
