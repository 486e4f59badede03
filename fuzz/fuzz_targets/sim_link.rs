//! Any impairments on a link between two hosts: the world comes to rest, counts add up, and runs repeat.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use thru_sim::link::{Chance, Loss};
use thru_sim::{Direction, LinkConfig, Pipe, World};
use thru_stack::udp::UdpSend;
use thru_stack::{HostConfig, InterfaceConfig, Medium};
use thru_wire::address::MacAddr;

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u64,
    pipe: AnyPipe,
    /// Sizes of datagrams, and the milliseconds before each.
    sends: Vec<(u16, u8)>,
    /// When the link fails and comes back.
    outage: Option<(u8, u8)>,
}

#[derive(Arbitrary, Debug)]
struct AnyPipe {
    mtu: Option<u16>,
    loss: AnyLoss,
    duplicate: u32,
    corrupt: u32,
    rate: Option<u16>,
    burst: u16,
    delay_millis: u16,
    jitter_millis: u16,
    reorder: u32,
    reorder_millis: u16,
}

#[derive(Arbitrary, Debug)]
enum AnyLoss {
    None,
    Random(u32),
    GilbertElliott([u32; 4]),
    Every(u32),
    Pattern(Vec<bool>),
}

fn chance(parts: u32) -> Chance {
    Chance(parts % 1_000_000_001)
}

fn pipe(any: &AnyPipe) -> Pipe {
    Pipe {
        mtu: any.mtu.map(usize::from),
        loss: match &any.loss {
            AnyLoss::None => Loss::None,
            AnyLoss::Random(parts) => Loss::Random(chance(*parts)),
            AnyLoss::GilbertElliott([enter, leave, bad, good]) => Loss::GilbertElliott {
                enter_bad: chance(*enter),
                leave_bad: chance(*leave),
                loss_bad: chance(*bad),
                loss_good: chance(*good),
            },
            AnyLoss::Every(count) => Loss::Every(*count),
            AnyLoss::Pattern(lost) => Loss::Pattern(lost.clone()),
        },
        duplicate: chance(any.duplicate),
        corrupt: chance(any.corrupt),
        // At least 1 kbit/s, or a run takes ages of virtual time.
        rate: any.rate.map(|rate| 1_000 + u64::from(rate) * 1_000),
        burst: usize::from(any.burst),
        delay: Duration::from_millis(u64::from(any.delay_millis)),
        jitter: Duration::from_millis(u64::from(any.jitter_millis)),
        reorder: chance(any.reorder),
        reorder_by: Duration::from_millis(u64::from(any.reorder_millis)),
        ..Pipe::default()
    }
}

fuzz_target!(|input: Input| {
    assert_eq!(run(&input), run(&input), "the same seed gave another run");
});

/// Answers the digest of the run.
fn run(input: &Input) -> u64 {
    let mut world = World::new(input.seed);
    let nodes = ["a", "b"].map(|name| world.add_host(name, HostConfig::default()));
    let interface = |last: u8| {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        Some(InterfaceConfig { name: "eth0".into(), medium: Medium::Ethernet, mac, mtu: 1500 })
    };
    let config = LinkConfig::symmetric(pipe(&input.pipe));
    let ends = ((nodes[0], interface(1)), (nodes[1], interface(2)));
    let (link, on_a, on_b) = world.connect("a--b", ends.0, ends.1, config);
    world.tap(link);
    for (node, interface, address) in [(nodes[0], on_a, "10.0.0.1/24"), (nodes[1], on_b, "10.0.0.2/24")] {
        let interface = interface.expect("a host has an interface");
        world.with_host(node, |host, _| host.add_address(interface, address.parse().expect("an address")));
    }
    if let Some((down, up)) = input.outage {
        let at = world.now() + Duration::from_millis(u64::from(down));
        world.schedule(at, Box::new(move |world| world.set_up(link, false)));
        world.schedule(
            at + Duration::from_millis(u64::from(up)),
            Box::new(move |world| world.set_up(link, true)),
        );
    }
    let sender = world.with_host(nodes[0], |host, _| host.udp_bind("0.0.0.0:7".parse().expect("an address")));
    let sender = sender.expect("a free port");
    for (size, millis) in input.sends.iter().take(64) {
        let at = world.now() + Duration::from_millis(u64::from(*millis));
        world.run_until(at);
        let payload = vec![0x55; usize::from(*size)];
        let to = "10.0.0.2:9".parse().expect("an address");
        let send = UdpSend { to, from: None, payload: &payload, ttl: None, ecn: 1, dont_fragment: false };
        let _ = world.with_host(nodes[0], |host, now| host.udp_send(now, sender, send));
    }
    for _ in 0..200_000 {
        if !world.step() {
            let _ = world.take_sightings();
            for direction in [Direction::AToB, Direction::BToA] {
                let stats = world.link_stats(link, direction);
                let lost = stats.lost + stats.queue_drops + stats.mtu_drops + stats.down_drops;
                assert_eq!(stats.frames + stats.duplicated, stats.delivered + lost, "{stats:?}");
            }
            return world.digest();
        }
    }
    panic!("the world is still busy at {:?}", world.now());
}
