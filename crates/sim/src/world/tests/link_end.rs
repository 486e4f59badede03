//! The end of a link as a device: a host outside of the world, moved by the loop that any device is moved by.

use std::collections::VecDeque;

use core::time::Duration;
use thru_stack::device::{Device, Stamps, is_full};
use thru_stack::tcp::{TcpConnectOptions, TcpId};
use thru_stack::{Frame, Offload};

use super::*;
const BYTES: usize = 300_000;

/// A host and what it has not sent yet: everything that a loop over a device needs.
struct Outside {
    host: Host,
    queue: VecDeque<Frame>,
    /// Super-segments that came and went.
    whole: [u64; 2],
}

impl Outside {
    fn new(device: &dyn Device) -> Outside {
        let mut host = Host::new(HostConfig { seed: 5, ..HostConfig::default() });
        let properties = device.properties();
        assert_eq!(properties.stamps, Stamps::Simulated);
        let interface = host.add_interface(InterfaceConfig {
            name: properties.name.clone(),
            medium: Medium::Ethernet,
            mac: thru_wire::MacAddr([2, 0, 0, 0, 9, 9]),
            mtu: properties.mtu,
        });
        host.set_offloads(interface, properties.offloads);
        host.add_address(interface, "192.0.2.9/24".parse().expect("an address"));
        Outside { host, queue: VecDeque::new(), whole: [0, 0] }
    }

    /// One turn of the loop, for any device.
    fn turn(&mut self, now: Instant, device: &mut dyn Device) {
        let mut batch = Vec::new();
        loop {
            device.recv_batch(&mut batch, 4).expect("it works");
            let full = is_full(&batch, 4);
            for frame in batch.drain(..) {
                assert!(frame.rx_time <= now);
                self.whole[0] += u64::from(frame.offload.segmentation.is_some());
                self.host.handle_frame(now, InterfaceId(0), frame);
            }
            if !full {
                break;
            }
        }
        if self.host.next_deadline() <= now {
            self.host.handle_deadline(now);
        }
        while let Some((_, frame)) = self.host.poll_transmit() {
            self.whole[1] += u64::from(frame.offload.segmentation.is_some());
            self.queue.push_back(frame);
        }
        device.send_batch(&mut self.queue).expect("it works");
        assert!(self.queue.is_empty());
    }
}

/// A link between the interfaces of two hosts, the first of which is 192.0.2.1.
fn wire(world: &mut World, first: NodeId, second: NodeId, pipe: Pipe) {
    let interface = |number: u8| {
        let mac = thru_wire::MacAddr([2, 0, 0, 0, 0, number]);
        let name = format!("eth{number}");
        Some(InterfaceConfig { name, medium: Medium::Ethernet, mac, mtu: 1_500 })
    };
    let config = LinkConfig::symmetric(pipe);
    world.connect("wire", (first, interface(0)), (second, interface(1)), config);
    let address = "192.0.2.1/24".parse().expect("an address");
    world.with_host(first, |host, _| host.add_address(InterfaceId(0), address));
}

/// An echo of [`BYTES`] with a host of the world's over a link of this kind; how the outside fared, and the time.
fn echo(pipe: Pipe) -> (Outside, Duration) {
    let mut world = World::new(3);
    let [inside, outside] = ["inside", "outside"].map(|name| world.add_host(name, HostConfig::default()));
    wire(&mut world, inside, outside, pipe);
    world.set_external(outside);
    let mut end = world.link_end(outside, InterfaceId(0)).expect("connected");
    let mut host = Outside::new(&end);
    assert!(end.recv_batch(&mut Vec::new(), 1).is_ok_and(|count| count == 0));
    let listener = world.with_host(inside, |host, _| host.tcp_listen(socket("0.0.0.0:7"), 1)).expect("free");
    let remote = socket("192.0.2.1:7");
    let client =
        host.host.tcp_connect(world.now(), None, remote, TcpConnectOptions::default()).expect("a route");
    let data: Vec<u8> = (0..BYTES).map(|index| (index * 31 % 251) as u8).collect();
    let (mut written, mut back, mut got) = (0, VecDeque::new(), Vec::new());
    let mut server = None::<TcpId>;
    let mut buffer = [0; 20_000];
    while got.len() < BYTES {
        let now = world.now();
        if host.host.tcp_connected(client) == Some(Ok(())) && written < BYTES {
            written += host.host.tcp_write(now, client, &data[written..]).expect("open");
        }
        while let Ok(Some(length @ 1..)) = host.host.tcp_read(now, client, &mut buffer) {
            got.extend_from_slice(&buffer[..length]);
        }
        server = server.or_else(|| world.with_host(inside, |host, _| host.tcp_accept(listener)));
        if let Some(server) = server {
            while let Ok(Some(length @ 1..)) =
                world.with_host(inside, |host, now| host.tcp_read(now, server, &mut buffer))
            {
                back.extend(&buffer[..length]);
            }
            let length = world
                .with_host(inside, |host, now| host.tcp_write(now, server, back.make_contiguous()))
                .expect("open");
            back.drain(..length);
        }
        host.turn(now, &mut world.link_end(outside, InterfaceId(0)).expect("connected"));
        // Whatever comes first: an event of the world's, or a deadline of the host that is not in it.
        let deadline = host.host.next_deadline();
        if world.next_event() <= deadline {
            assert!(world.step(), "nothing is to come, and {} bytes are back", got.len());
        } else {
            world.advance_to(deadline);
        }
    }
    assert_eq!(got, data);
    let took = world.now().since(Instant::START);
    (host, took)
}

#[test]
fn the_loop_of_any_device_runs_over_a_link() {
    let delay = Duration::from_millis(5);
    let (whole, took) = echo(Pipe { delay, ..Pipe::default() });
    assert!(whole.whole[0] > 0 && whole.whole[1] > 0, "super-segments stay whole: {:?}", whole.whole);
    assert!(took >= 4 * delay, "a handshake and an echo: {took:?}");
    // A link that looks at packets gets packets, and loses some.
    let lossy = Pipe { delay, loss: crate::link::Loss::Every(40), ..Pipe::default() };
    let (cut, longer) = echo(lossy.clone());
    assert_eq!(cut.whole[0], 0);
    assert!(longer > took);
    // Whoever plays the node repeats, and so does the world.
    assert_eq!(echo(lossy).1, longer);
}

#[test]
fn frames_keep_the_nanosecond_of_their_arrival() {
    let mut world = World::new(1);
    let [a, b] = ["a", "b"].map(|name| world.add_host(name, HostConfig::default()));
    let delay = Duration::from_nanos(1_234_567);
    wire(&mut world, a, b, Pipe { delay, ..Pipe::default() });
    world.set_external(a);
    world.set_external(b);
    let frame = Frame::new(Bytes::from_static(&[0xff; 60]), Instant::START);
    assert_eq!(frame.offload, Offload::NONE);
    world
        .link_end(a, InterfaceId(0))
        .expect("connected")
        .send_batch(&mut VecDeque::from([frame]))
        .expect("sent");
    assert!(!world.has_external(b, InterfaceId(0)));
    world.run_until(Instant::from_nanos(5_000_000));
    assert!(world.has_external(b, InterfaceId(0)));
    let mut frames = Vec::new();
    world.link_end(b, InterfaceId(0)).expect("connected").recv_batch(&mut frames, 9).expect("it works");
    assert_eq!(frames[0].rx_time, Instant::START + delay);
    assert!(world.link_end(b, InterfaceId(1)).is_none());
}
