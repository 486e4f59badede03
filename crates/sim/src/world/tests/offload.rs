//! Super-segments over links: nobody who looks at packets can tell.

use thru_stack::tcp::{TcpConnectOptions, TcpId};

use super::*;
use crate::link::LinkStats;

const PORT: &str = "0.0.0.0:80";

/// `from` sends `data` to `to` at `address`; what arrives.
fn transfer(world: &mut World, from: NodeId, to: NodeId, address: &str, data: &[u8]) -> Vec<u8> {
    let listener = world.with_host(to, |host, _| host.tcp_listen(socket(PORT), 1)).expect("a free port");
    let remote = socket(&format!("{address}:80"));
    let client = world
        .with_host(from, |host, now| host.tcp_connect(now, None, remote, TcpConnectOptions::default()))
        .expect("a route");
    let (mut written, mut received, mut server) = (0, Vec::new(), None::<TcpId>);
    while received.len() < data.len() {
        assert!(world.step(), "{written} bytes written, {} received", received.len());
        if world.with_host(from, |host, _| host.tcp_connected(client)) == Some(Ok(())) && written < data.len()
        {
            written += world
                .with_host(from, |host, now| host.tcp_write(now, client, &data[written..]))
                .expect("open");
        }
        server = server.or_else(|| world.with_host(to, |host, _| host.tcp_accept(listener)));
        let Some(server) = server else { continue };
        let mut buffer = [0; 20_000];
        while let Ok(Some(len @ 1..)) =
            world.with_host(to, |host, now| host.tcp_read(now, server, &mut buffer))
        {
            received.extend_from_slice(&buffer[..len]);
        }
    }
    received
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 % 251) as u8).collect()
}

type Seen = (u64, u64, Vec<(Instant, Bytes, Fate)>, Vec<LinkStats>);

/// b, on a bare link, sends to a, whose link is slow and tapped. What can be seen of it, and how many events it took.
fn from_bare_to_tapped(delay: Duration, offload: bool) -> (Seen, u64) {
    let (net, nodes, links) = chain(7, &delayed(delay));
    let mut world = net.world;
    world.set_offload(offload);
    let slow = Pipe { rate: Some(20_000_000), delay: 5 * MS, loss: Loss::Every(97), ..Pipe::default() };
    world.set_pipe(links[0], Direction::BToA, slow.clone());
    world.set_pipe(links[0], Direction::AToB, slow);
    world.tap(links[0]);
    let sent = data(400_000);
    assert_eq!(transfer(&mut world, nodes[4], nodes[0], "10.0.0.1", &sent), sent);
    let seen = world.take_sightings().into_iter().map(|seen| (seen.at, seen.bytes, seen.fate)).collect();
    let stats = links.iter().map(|&link| world.link_stats(link, Direction::BToA)).collect();
    ((world.digest(), world.packet_hops(), seen, stats), world.events())
}

#[test]
fn what_a_tap_a_digest_and_counters_see_is_the_same_with_and_without() {
    for delay in [MS, Duration::ZERO] {
        let (with, events_with) = from_bare_to_tapped(delay, true);
        let (without, events_without) = from_bare_to_tapped(delay, false);
        // Without delay, several links see packets at one instant, and the digest tells in which order.
        assert!(with.0 == without.0 || delay.is_zero(), "digest");
        assert_eq!(with.1, without.1, "packet hops");
        assert!(with.2 == without.2, "sightings");
        assert_eq!(with.3, without.3, "counters");
        assert!(events_with < events_without, "{events_with} events, without offload {events_without}");
    }
}

#[test]
fn between_bare_ends_segments_travel_whole_and_runs_repeat() {
    let run = |offload| {
        let (net, nodes, links) = chain(7, &LinkConfig::default());
        let mut world = net.world;
        world.set_offload(offload);
        let sent = data(2_000_000);
        assert_eq!(transfer(&mut world, nodes[0], nodes[1], "10.0.0.2", &sent), sent);
        let stats = world.link_stats(links[0], Direction::AToB);
        assert!(stats.bytes as usize > sent.len() && stats.frames as usize > sent.len() / 1_460);
        (world.digest(), world.events())
    };
    assert_eq!(run(true), run(true));
    let (with, without) = (run(true).1, run(false).1);
    assert!(4 * with < without, "{with} events, without offload {without}");
}

#[test]
fn a_tap_that_comes_late_still_sees_packets() {
    let (mut net, bare) = (Net::new(3), LinkConfig::symmetric(Pipe { delay: 5 * MS, ..Pipe::default() }));
    let (a, b) = (net.host("a"), net.host("b"));
    let (link, ..) = net.join("link", (a, "10.0.0.1/24"), (b, "10.0.0.2/24"), bare);
    let mut world = net.world;
    // By then, a window of super-segments is on its way.
    world.schedule(Instant::from_millis(43), Box::new(move |world| world.tap_at(link, Direction::BToA)));
    let sent = data(3_000_000);
    assert_eq!(transfer(&mut world, a, b, "10.0.0.2", &sent), sent);
    let sightings = world.take_sightings();
    assert!(sightings.len() > 100 && sightings.iter().all(|seen| seen.bytes.len() <= 1_514));
}

#[test]
fn a_link_that_fails_drops_packets_not_super_segments() {
    let (net, nodes, links) = chain(7, &delayed(5 * MS));
    let mut world = net.world;
    let link = links[0];
    world.schedule(Instant::from_millis(42), Box::new(move |world| world.set_up(link, false)));
    world.schedule(Instant::from_millis(60), Box::new(move |world| world.set_up(link, true)));
    let sent = data(2_000_000);
    assert_eq!(transfer(&mut world, nodes[0], nodes[1], "10.0.0.2", &sent), sent);
    let stats = world.link_stats(link, Direction::AToB);
    assert_eq!(stats.frames, stats.delivered + stats.down_drops);
}
