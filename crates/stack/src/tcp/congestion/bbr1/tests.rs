use super::*;
use crate::tcp::congestion::testing::{Drive, MSS, Path};

const SECOND: Duration = Duration::from_secs(1);

fn drive(path: Path, seed: u64) -> Drive<Bbr1> {
    Drive::new(Bbr1::new(MSS, 10, seed), path, seed)
}

#[test]
fn startup_finds_the_rate_and_drain_empties_the_queue() {
    let mut drive = drive(Path::default(), 1);
    assert!(drive.run_until("drain", 2 * SECOND));
    let (found, rate) = (drive.controller.bw.get(), drive.path.rate);
    assert!(found.abs_diff(rate) * 100 <= rate * 2, "{found}");
    assert!(drive.run_until("cruise", SECOND) || drive.run_until("probe up", SECOND));
}

#[test]
fn the_link_stays_full_and_the_round_trip_is_probed_every_ten_seconds() {
    let mut drive = drive(Path::default(), 2);
    drive.run(3 * SECOND);
    let delivered = drive.run(30 * SECOND);
    assert!(delivered * 100 >= 30 * drive.path.rate * 96, "{delivered}");
    let probes = drive.phases.iter().filter(|(_, name)| *name == "probe rtt").count();
    assert!((2..=3).contains(&probes), "{:?}", drive.phases);
}

#[test]
fn random_loss_costs_no_more_than_itself() {
    let path = Path { rate: 6_250_000, queue: 625_000, loss: 50_000, ..Path::default() };
    let mut drive = drive(path, 3);
    drive.run(2 * SECOND);
    let delivered = drive.run(30 * SECOND);
    assert!(delivered * 100 >= 30 * drive.path.rate * 88, "{delivered}");
}

#[test]
fn recovery_begins_with_what_is_in_flight_and_ends_with_the_window_from_before() {
    let mut drive = drive(Path::default(), 4);
    drive.run(3 * SECOND);
    let before = drive.controller.window();
    let bbr = &mut drive.controller;
    bbr.on_loss(drive.now, before);
    let ack = Ack {
        delivered: MSS,
        total_delivered: bbr.delivered + MSS,
        newly_lost: MSS,
        prior_in_flight: 40 * MSS,
        in_flight: 38 * MSS,
        in_recovery: true,
        rate: Some(crate::tcp::congestion::RateSample {
            delivered: MSS,
            interval: SECOND,
            valid: true,
            app_limited: false,
            prior_delivered: 0,
            tx_in_flight: 40 * MSS,
            lost: MSS,
            rtt: SECOND / 20,
            retransmitted: false,
        }),
        ..Ack::nothing(drive.now)
    };
    bbr.on_ack(&ack);
    assert_eq!(bbr.window(), 39 * MSS);
    bbr.on_recovered(drive.now, 0);
    assert_eq!(bbr.window(), before);
}

#[test]
fn marks_slow_a_round_and_end_startup() {
    let path = Path { mark_above: 25_000, ..Path::default() };
    let mut drive = drive(path, 5);
    assert!(drive.run_until("drain", SECOND));
    drive.run(2 * SECOND);
    let delivered = drive.run(20 * SECOND);
    // Startup goes beyond the queue before the first mark has come back.
    assert!(drive.lost <= 10 * MSS, "{}", drive.lost);
    assert!(delivered * 100 >= 20 * drive.path.rate * 85, "{delivered}");
}
