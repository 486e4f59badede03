use super::*;

/// An Ethernet frame of TCP over IPv4 between two hosts, with this identification.
fn frame(from: u8, to: u8, id: u8) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 40, 0, id, 0, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
    frame.extend([0x9C, 0x40, 1, 187]);
    frame.extend([0; 16]);
    if from > to {
        frame[34..38].copy_from_slice(&[1, 187, 0x9C, 0x40]);
    }
    frame
}

#[test]
fn a_copy_is_the_same_packet_a_moment_later() {
    let mut recent = Recent::default();
    let packet = frame(1, 2, 7);
    let mut look = |frame: &[u8], time| recent.is_copy(1, frame, frame.len() as u32, time);
    assert!(!look(&packet, 0));
    assert!(look(&packet, 3_000));
    let mut by_another = packet.clone();
    by_another[0..6].copy_from_slice(&[9; 6]);
    assert!(look(&by_another, 5_000), "the link's addresses do not count");
    let mut routed = packet.clone();
    routed[22] = 63;
    assert!(!look(&routed, 6_000), "a router was in between");
    assert!(!look(&frame(1, 2, 8), 6_000), "another packet");
    assert!(!look(&packet, 3_000_000), "too late for a copy");
}

#[test]
fn each_direction_on_an_interface_of_its_own_is_one_conversation() {
    let mut homes = Homes::default();
    assert_eq!(homes.of((0, 0), 1, &frame(1, 2, 1)), (0, 0));
    assert_eq!(homes.of((1, 0), 1, &frame(2, 1, 1)), (0, 0), "the answer, on the other interface");
    assert_eq!(homes.of((0, 0), 1, &frame(1, 2, 2)), (0, 0));
    assert_eq!(homes.of((1, 0), 1, &frame(2, 1, 2)), (0, 0));
}

#[test]
fn what_passes_through_stays_where_it_was_seen() {
    let mut homes = Homes::default();
    assert_eq!(homes.of((0, 0), 1, &frame(1, 2, 1)), (0, 0));
    assert_eq!(homes.of((1, 0), 1, &frame(1, 2, 1)), (1, 0), "the same question, going out");
    assert_eq!(homes.of((1, 0), 1, &frame(2, 1, 1)), (1, 0), "the answer, coming in");
    assert_eq!(homes.of((0, 0), 1, &frame(2, 1, 1)), (0, 0));
}

#[test]
fn a_clock_that_was_set_back_goes_on() {
    let (mut clock, watch, glance) = (Clock::default(), Watch::default(), Glance::default());
    let times = [1_000_000_000, 1_100_000_000, 200_000_000, 300_000_000, 299_000_000];
    let read: Vec<u64> = times.iter().map(|time| clock.read(*time, &glance, &watch)).collect();
    assert_eq!(read, [1_000_000_000, 1_100_000_000, 1_100_000_000, 1_200_000_000, 1_199_000_000]);
    assert_eq!(clock.disordered, 1);
}

#[test]
fn a_silence_that_no_other_clock_denies_is_a_silence() {
    let (mut clock, watch, glance) = (Clock::default(), Watch::default(), Glance::default());
    assert_eq!(clock.read(0, &glance, &watch), 0);
    assert_eq!(clock.read(3_600_000_000_000, &glance, &watch), 3_600_000_000_000);
}
