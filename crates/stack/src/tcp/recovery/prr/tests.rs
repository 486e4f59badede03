use super::*;
use crate::random::Random;

const MSS: u64 = 1_000;

/// One round of `flight` segments of which the first `lost` are missing; each delivered one is acknowledged on its own.
/// What may leave does. How many segments leave by each acknowledgement.
fn round(flight: u64, lost: u64, threshold: u64) -> Vec<u64> {
    let mut prr = Prr::begin(flight * MSS, threshold * MSS);
    let mut in_flight = (flight - lost) * MSS;
    (0..flight - lost)
        .map(|_| {
            in_flight -= MSS;
            prr.on_ack(MSS, in_flight, MSS, false);
            let leaves = (prr.window() - in_flight) / MSS;
            prr.sent(leaves * MSS);
            in_flight += leaves * MSS;
            leaves
        })
        .collect()
}

/// One loss of 20, to a half: every other acknowledgement lets one leave, until the flight is there; then each does.
#[test]
fn the_flight_shrinks_evenly() {
    let sent = round(20, 1, 10);
    assert_eq!(sent, [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1]);
    // To 70 %: seven for ten.
    assert_eq!(round(20, 1, 14).iter().sum::<u64>(), 14);
}

/// More was lost than the controller gives up: one leaves for one that was delivered, no burst.
#[test]
fn heavy_loss_is_answered_with_conservation() {
    let sent = round(20, 15, 10);
    assert_eq!(sent, [1, 1, 1, 1, 1]);
}

/// While acknowledgements move on without further loss, the flight grows back to the threshold by one more each.
#[test]
fn safe_acknowledgements_let_it_grow_towards_the_threshold() {
    let mut prr = Prr::begin(20 * MSS, 10 * MSS);
    prr.on_ack(MSS, 4 * MSS, MSS, false);
    assert_eq!(prr.window(), 5 * MSS);
    prr.sent(MSS);
    prr.on_ack(MSS, 4 * MSS, MSS, true);
    assert_eq!(prr.window(), 6 * MSS);
    prr.sent(2 * MSS);
    prr.on_ack(9 * MSS, 3 * MSS, MSS, true);
    assert_eq!(prr.window(), 10 * MSS, "never beyond the threshold");
}

#[test]
fn the_first_retransmission_always_leaves_and_nothing_delivered_allows_nothing() {
    let mut prr = Prr::begin(10 * MSS, 5 * MSS);
    prr.on_ack(1, 9 * MSS, MSS, false);
    assert_eq!(prr.window(), 10 * MSS);
    prr.sent(MSS);
    let window = prr.window();
    prr.on_ack(0, 10 * MSS, MSS, true);
    assert_eq!(prr.window(), window);
}

/// Whatever is delivered and lost in whatever order: while the flight is above the threshold, the share that left is
/// the share that the controller leaves, to a segment; below, no more than was delivered, and one for each safe step.
#[test]
fn never_more_than_the_rule_allows() {
    for seed in 0..500 {
        let mut random = Random::new(seed, "prr");
        let flight = 2 + random.below(200);
        let threshold = 2 + random.below(flight);
        let mut prr = Prr::begin(flight * MSS, threshold * MSS);
        let (mut in_flight, mut delivered, mut out, mut safe_acks) = (flight * MSS, 0, 0, 0);
        while in_flight > 0 && delivered < 3 * flight * MSS {
            let lost = if random.below(3) == 0 { random.below(in_flight / MSS + 1) * MSS } else { 0 };
            in_flight -= lost;
            let arrives = random.below(in_flight / MSS + 1).min(1 + random.below(4)) * MSS;
            in_flight -= arrives;
            delivered += arrives;
            let safe = lost == 0 && random.below(2) == 0;
            safe_acks += u64::from(safe);
            let before = in_flight;
            prr.on_ack(arrives, in_flight, MSS, safe);
            if arrives == 0 {
                continue;
            }
            let leaves = prr.window().saturating_sub(in_flight) / MSS * MSS;
            prr.sent(leaves);
            out += leaves;
            in_flight += leaves;
            if before > threshold * MSS {
                let share = (threshold * delivered).div_ceil(flight) + MSS;
                assert!(leaves == 0 || out <= share.max(MSS), "seed {seed}: {out} of {share}");
            } else {
                assert!(in_flight <= (threshold * MSS).max(before + MSS), "seed {seed}");
            }
            assert!(out <= delivered + (safe_acks + 1) * MSS, "seed {seed}: {out} for {delivered}");
        }
    }
}
