use super::*;
use crate::tcp::congestion::testing::{Drive, MSS, Path};

const SECOND: Duration = Duration::from_secs(1);

fn drive(path: Path, seed: u64) -> Drive<Bbr3> {
    Drive::new(Bbr3::new(MSS, 10, seed), path, seed)
}

/// Within `percent` of `wanted`.
fn near(value: u64, wanted: u64, percent: u64) -> bool {
    value.abs_diff(wanted) * 100 <= wanted * percent
}

fn count(drive: &Drive<Bbr3>, phase: &str) -> usize {
    drive.phases.iter().filter(|(_, name)| *name == phase).count()
}

#[test]
fn startup_ends_on_a_bandwidth_plateau() {
    let mut drive = drive(Path::default(), 1);
    assert!(drive.run_until("drain", 2 * SECOND));
    let bbr = &drive.controller;
    assert!(near(bbr.max_bw(), drive.path.rate, 2), "{}", bbr.max_bw());
    assert!(bbr.full_bw_reached && bbr.full_bw_now);
    assert_eq!(bbr.full_bw_count, 3);
    assert_eq!(bbr.pacing_gain(), 50);
    // Every round doubles: 10 segments to 43 and beyond, then three rounds without growth.
    assert!(bbr.round.count <= 8, "{} rounds", bbr.round.count);
}

#[test]
fn startup_ends_on_loss_even_when_the_application_limits_it() {
    let mut drive = drive(Path { loss: 400_000, ..Path::default() }, 2);
    drive.supply = Some(600);
    assert!(drive.run_until("drain", 5 * SECOND));
    assert!(drive.controller.full_bw_reached);
    assert!(drive.controller.inflight_longterm < INFINITY);
}

#[test]
fn startup_goes_on_while_the_application_limits_it_without_loss() {
    let mut drive = drive(Path::default(), 3);
    drive.supply = Some(300);
    // Before the shortest round trip has to be probed.
    drive.run(Duration::from_millis(4_900));
    assert_eq!(drive.phases.len(), 1, "{:?}", drive.phases);
}

#[test]
fn drain_ends_when_the_queue_is_gone() {
    let mut drive = drive(Path::default(), 4);
    assert!(drive.run_until("drain", 2 * SECOND));
    assert!(drive.run_until("cruise", SECOND));
    assert!(drive.in_flight <= drive.controller.inflight(100) + MSS);
}

#[test]
fn drain_is_given_up_after_three_rounds() {
    let mut drive = drive(Path::default(), 5);
    assert!(drive.run_until("drain", 2 * SECOND));
    drive.path.rate /= 10;
    let round = drive.controller.round.count;
    assert!(drive.run_until("probe down", 20 * SECOND));
    assert_eq!(drive.controller.round.count, round + 4);
}

#[test]
fn cycles_go_through_all_four_phases_and_keep_the_link_full() {
    let mut drive = drive(Path::default(), 6);
    drive.run(3 * SECOND);
    let delivered = drive.run(20 * SECOND);
    assert!(delivered * 100 >= 20 * drive.path.rate * 96, "{delivered}");
    assert_eq!(drive.lost, 0);
    let names: Vec<&str> = drive.phases.iter().map(|(_, name)| *name).collect();
    let cycle = ["cruise", "refill", "probe up", "probe down"];
    assert!(names.windows(4).any(|window| window == cycle), "{names:?}");
    // Two to three seconds a cycle.
    assert!((6..=11).contains(&count(&drive, "probe up")), "{names:?}");
    // Each five seconds, the shortest round trip.
    assert!((3..=5).contains(&count(&drive, "probe rtt")), "{names:?}");
}

#[test]
fn probing_the_round_trip_drains_and_comes_back() {
    let mut drive = drive(Path::default(), 7);
    assert!(drive.run_until("probe rtt", 8 * SECOND));
    let (entered, _) = *drive.phases.last().unwrap();
    drive.run(Duration::from_millis(120));
    assert!(drive.in_flight <= drive.controller.probe_rtt_window());
    assert!(drive.run_until("cruise", SECOND));
    let lasted = drive.now.since(entered);
    assert!(lasted >= PROBE_RTT_DURATION && lasted < 2 * PROBE_RTT_DURATION, "{lasted:?}");
    assert!(near(drive.controller.min_rtt.unwrap().as_micros() as u64, 51_158, 1));
}

#[test]
fn silence_spares_the_probe_of_the_round_trip() {
    let mut drive = drive(Path::default(), 8);
    drive.run(3 * SECOND);
    drive.supply = Some(0);
    drive.run(6 * SECOND);
    assert_eq!(drive.in_flight, 0);
    drive.supply = Some(100_000);
    drive.run(2 * SECOND);
    assert_eq!(count(&drive, "probe rtt"), 0, "{:?}", drive.phases);
}

#[test]
fn a_bandwidth_ten_times_as_large_is_found() {
    let mut drive = drive(Path { queue: 1 << 20, ..Path::default() }, 9);
    drive.run(4 * SECOND);
    drive.path.rate *= 10;
    drive.run(15 * SECOND);
    assert!(near(drive.controller.max_bw(), drive.path.rate, 5), "{}", drive.controller.max_bw());
}

#[test]
fn a_bandwidth_of_a_tenth_is_adapted_to() {
    let mut drive = drive(Path { rate: 12_500_000, ..Path::default() }, 10);
    drive.run(4 * SECOND);
    drive.path.rate /= 10;
    drive.run(12 * SECOND);
    assert!(near(drive.controller.max_bw(), drive.path.rate, 5), "{}", drive.controller.max_bw());
    let delivered = drive.run(5 * SECOND);
    assert!(delivered * 100 >= 5 * drive.path.rate * 90);
}

#[test]
fn random_loss_below_the_threshold_costs_little() {
    let path = Path { rate: 6_250_000, queue: 625_000, loss: 10_000, ..Path::default() };
    let mut drive = drive(path, 11);
    drive.run(2 * SECOND);
    let delivered = drive.run(30 * SECOND);
    println!("{} % of the rate", delivered * 100 / (30 * drive.path.rate));
    assert!(delivered * 100 >= 30 * drive.path.rate * 80);
}

#[test]
fn a_shallow_queue_teaches_a_limit_and_losses_stay_rare() {
    let mut drive = drive(Path { queue: 12_500, ..Path::default() }, 12);
    drive.run(4 * SECOND);
    assert!(drive.controller.inflight_longterm < INFINITY);
    let (lost, delivered) = (drive.lost, drive.run(30 * SECOND));
    assert!(delivered * 100 >= 30 * drive.path.rate * 85, "{delivered}");
    assert!((drive.lost - lost) * 100 <= delivered * 2, "{} of {delivered}", drive.lost - lost);
}

#[test]
fn loss_in_a_probe_ends_it_and_sets_the_limit() {
    let mut drive = drive(Path::default(), 13);
    assert!(drive.run_until("probe up", 8 * SECOND));
    drive.run(Duration::from_millis(60));
    assert_eq!(drive.controller.phase(), "probe up");
    drive.path.loss = 300_000;
    assert!(drive.run_until("probe down", SECOND));
    assert!(drive.controller.inflight_longterm < INFINITY);
    assert!(drive.controller.prev_probe_too_high);
}

#[test]
fn marks_replace_losses() {
    let path = Path { queue: 125_000, mark_above: 25_000, ..Path::default() };
    let mut drive = drive(path, 14);
    drive.run(3 * SECOND);
    let delivered = drive.run(20 * SECOND);
    assert_eq!(drive.lost, 0);
    assert!(drive.controller.inflight_longterm < INFINITY);
    assert!(delivered * 100 >= 20 * drive.path.rate * 85, "{delivered}");
}

#[test]
fn a_spurious_recovery_gives_back_state_and_window() {
    let mut drive = drive(Path::default(), 15);
    assert!(drive.run_until("probe up", 8 * SECOND));
    let before = drive.controller.clone();
    let now = drive.now;
    let bbr = &mut drive.controller;
    bbr.is_bw_probe_sample = true;
    let lost = Lost { len: MSS, tx_in_flight: 20 * MSS, lost_since: 5 * MSS, app_limited: false };
    bbr.on_lost(now, &lost);
    bbr.on_loss(now, 20 * MSS);
    assert_eq!(bbr.state, State::ProbeDown);
    assert!(bbr.inflight_longterm < INFINITY);
    bbr.on_undo(now);
    assert_eq!(bbr.state, State::ProbeRefill);
    assert_eq!(bbr.inflight_longterm, before.inflight_longterm);
    assert!(bbr.window >= before.window);
}

#[test]
fn a_pipe_of_less_than_a_packet_still_carries_its_rate() {
    let path = Path { rate: 8_000, rtt: Duration::from_millis(10), queue: 30_000, ..Path::default() };
    let mut drive = drive(path, 16);
    drive.run(10 * SECOND);
    let delivered = drive.run(30 * SECOND);
    assert!(drive.controller.window() >= MIN_PIPE * MSS);
    assert!(delivered * 100 >= 30 * drive.path.rate * 95, "{delivered}");
}

#[test]
fn a_timeout_leaves_one_segment_and_recovery_restores_the_window() {
    let mut drive = drive(Path::default(), 17);
    drive.run(3 * SECOND);
    let before = drive.controller.window();
    drive.controller.on_timeout(drive.now, before);
    assert_eq!(drive.controller.window(), MSS);
    drive.controller.on_recovered(drive.now, 0);
    assert_eq!(drive.controller.window(), before);
}

/// The same seed makes the same choices, another one others.
#[test]
fn choices_come_from_the_seed() {
    let phases = |seed| {
        let mut drive = Drive::new(Bbr3::new(MSS, 10, seed), Path::default(), 1);
        drive.run(12 * SECOND);
        drive.phases
    };
    assert_eq!(phases(1), phases(1));
    assert_ne!(phases(1), phases(2));
}
