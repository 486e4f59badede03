//! RFC 4821: a path that swallows large packets and says nothing.

use super::super::*;
use super::pair::*;

fn probing(mtu_probing: MtuProbing) -> TcpConfig {
    TcpConfig { mtu_probing, ..TcpConfig::default() }
}

/// A pair whose client probes; client's and server's ends.
fn connected(mtu_probing: MtuProbing, narrow: usize) -> (Duo, TcpId, TcpId) {
    let mut duo = Duo::with(Link::default(), probing(mtu_probing), TcpConfig::default());
    duo.narrow = narrow;
    let (_, client, server) = duo.established();
    (duo, client, server)
}

/// Writes `len` bytes and runs until they arrived or `millis` have passed; how many arrived.
fn transfer(duo: &mut Duo, client: TcpId, server: TcpId, len: usize, millis: u64) -> usize {
    let data = pattern(0, len);
    let (mut written, mut read) = (0, 0);
    let end = duo.now + ms(millis);
    let mut buffer = vec![0; 65_536];
    while read < len && duo.now < end {
        written += duo.ends[CLIENT].write(duo.now, client, &data[written..]).unwrap_or(0);
        while let Ok(Some(more @ 1..)) = duo.ends[SERVER].read(duo.now, server, &mut buffer) {
            assert_eq!(buffer[..more], data[read..read + more]);
            read += more;
        }
        if !duo.step() {
            break;
        }
    }
    read
}

#[test]
fn without_probing_the_hole_swallows_the_transfer() {
    let (mut duo, client, server) = connected(MtuProbing::Off, 1_300);
    assert_eq!(transfer(&mut duo, client, server, 300_000, 60_000), 0);
    assert!(duo.ends[CLIENT].info(client).unwrap().timeouts > 3);
}

#[test]
fn after_repeated_timeouts_smaller_segments_get_through_and_probes_find_the_size() {
    for narrow in [1_492, 1_400, 1_300, 1_100, 600] {
        let (mut duo, client, server) = connected(MtuProbing::AfterBlackHole, narrow);
        assert_eq!(transfer(&mut duo, client, server, 3_000_000, 120_000), 3_000_000, "{narrow}");
        let info = duo.ends[CLIENT].info(client).unwrap();
        let found = usize::from(info.mtu.proven.unwrap());
        assert!(found <= narrow && narrow - found < 16, "{found} of {narrow}");
        assert_eq!(info.mss, found - 40 - 12);
        // The loss of a probe is repaired without any other consequence; one recovery is the black hole's.
        assert!(info.mtu.probes_lost > 0 && info.mtu.probes <= 8, "{:?}", info.mtu);
        assert!(info.fast_recoveries <= 1, "{narrow}: {}", info.fast_recoveries);
        assert!(info.timeouts <= 5, "{narrow}: {}", info.timeouts);
    }
}

#[test]
fn a_path_that_carries_all_is_found_to_by_one_that_always_probes() {
    let (mut duo, client, server) = connected(MtuProbing::Always, usize::MAX);
    assert_eq!(duo.ends[CLIENT].info(client).unwrap().mss, 1_012);
    assert_eq!(transfer(&mut duo, client, server, 1_000_000, 60_000), 1_000_000);
    let info = duo.ends[CLIENT].info(client).unwrap();
    assert!(info.mtu.proven.unwrap() > 1_492, "{:?}", info.mtu);
    assert_eq!((info.mtu.probes_lost, info.retransmissions), (0, 0));
}

#[test]
fn a_path_that_became_wider_is_noticed_after_the_rest() {
    let (mut duo, client, server) = connected(MtuProbing::AfterBlackHole, 1_300);
    assert_eq!(transfer(&mut duo, client, server, 2_000_000, 120_000), 2_000_000);
    duo.narrow = usize::MAX;
    transfer(&mut duo, client, server, 500_000, 60_000);
    assert!(duo.ends[CLIENT].info(client).unwrap().mtu.proven.unwrap() <= 1_300);
    duo.run_for(ms(600_000));
    assert_eq!(transfer(&mut duo, client, server, 1_000_000, 60_000), 1_000_000);
    assert!(duo.ends[CLIENT].info(client).unwrap().mtu.proven.unwrap() > 1_492);
}

#[test]
fn a_host_that_does_not_answer_at_all_is_given_up_as_ever() {
    let (mut duo, client, _) = connected(MtuProbing::AfterBlackHole, usize::MAX);
    duo.narrow = 0;
    duo.ends[CLIENT].write(duo.now, client, &[0; 50_000]).unwrap();
    duo.run_for(ms(3_600_000));
    let info = duo.ends[CLIENT].info(client).unwrap();
    assert_eq!(info.state, State::Closed);
    assert!(info.mss >= 36, "{}", info.mss);
}

#[test]
fn small_segments_that_vanish_say_nothing_about_the_path() {
    let (mut duo, client, _) = connected(MtuProbing::AfterBlackHole, usize::MAX);
    duo.narrow = 0;
    duo.ends[CLIENT].write(duo.now, client, &[0; 500]).unwrap();
    duo.run_for(ms(10_000));
    assert_eq!(duo.ends[CLIENT].info(client).unwrap().mtu.black_holes, 0);
}
