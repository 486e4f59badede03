//! A link of the simulator between two ends that are neither hosts nor devices: datagrams in, datagrams out, with the
//! link's loss, delay, rate and all the rest.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;

use bytes::{BufMut, Bytes, BytesMut};
use thru_os::device::{Device, Pollable, Properties, Stamps};
use thru_sim::link::{LinkConfig, LinkStats};
use thru_sim::{Direction, LinkId, NodeId};
use thru_stack::{Frame, HostConfig, InterfaceConfig, InterfaceId, Medium, Offloads};
use thru_wire::MacAddr;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Join, Punctuality, join, punctuality};
use crate::lab::Lab;

/// One end of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one.
    A,
    /// The right one.
    B,
}

/// The wire.
#[derive(Debug)]
pub struct Wire {
    lab: Lab,
    nodes: [NodeId; 2],
    link: LinkId,
    _joined: [Join; 2],
}

/// What arrives at an end, with the tag it was sent with.
#[derive(Debug)]
pub struct Arrivals(UnboundedReceiver<Bytes>);

/// Bytes that a datagram takes on a wire besides its payload: Ethernet, IPv4 and UDP headers. The rate counts them.
const HEADERS: usize = 14 + 20 + 8;
/// Where among them the tag stands.
const TAG: usize = 14;

impl Wire {
    /// A wire in a lab that runs in real time, and what arrives at its ends.
    pub fn new(lab: &Lab, config: LinkConfig) -> io::Result<(Wire, [Arrivals; 2])> {
        let (nodes, link) = {
            let mut world = lab.world();
            let nodes = ["a", "b"].map(|name| world.add_host(name, HostConfig::default()));
            let interface = |index: u8| {
                let (name, mac) = (format!("end{index}"), MacAddr([2, 0, 0, 0, 0, index]));
                Some(InterfaceConfig { name, medium: Medium::Ethernet, mac, mtu: 65_535 })
            };
            let (link, ..) =
                world.connect("wire", (nodes[0], interface(0)), (nodes[1], interface(1)), config);
            (nodes, link)
        };
        let [(one, first), (other, second)] = [Exit::new()?, Exit::new()?];
        let join = |node: NodeId, exit: Exit| join(lab, node, InterfaceId(0), Box::new(exit));
        let joined = [join(nodes[0], one)?, join(nodes[1], other)?];
        Ok((Wire { lab: lab.clone(), nodes, link, _joined: joined }, [Arrivals(first), Arrivals(second)]))
    }

    /// Puts a datagram onto the wire at one end. `tag` comes out with it at the other.
    pub fn send(&self, end: End, tag: u32, payload: &[u8]) {
        let mut frame = BytesMut::with_capacity(HEADERS + payload.len());
        frame.put_bytes(0, TAG);
        // Twice, so that a flipped bit shows: it would be a datagram for somebody else.
        frame.put_u32(tag);
        frame.put_u32(!tag);
        frame.put_bytes(0, HEADERS - TAG - 8);
        frame.put_slice(payload);
        self.lab.world().inject(self.nodes[end as usize], InterfaceId(0), frame.freeze());
    }

    /// What the wire has done to what entered at one end.
    pub fn stats(&self, from: End) -> LinkStats {
        let direction = if from == End::A { Direction::AToB } else { Direction::BToA };
        self.lab.world().link_stats(self.link, direction)
    }

    /// How well the clock was kept.
    pub fn punctuality(&self) -> Punctuality {
        punctuality(&self.lab)
    }
}

impl Arrivals {
    /// The next datagram; `None` when the wire is gone.
    pub async fn next(&mut self) -> Option<(u32, Bytes)> {
        loop {
            let frame = self.0.recv().await?;
            let word = |at: usize| Some(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?));
            match (word(TAG), word(TAG + 4)) {
                (Some(tag), Some(check)) if tag == !check && frame.len() >= HEADERS => {
                    return Some((tag, frame.slice(HEADERS..)));
                }
                // Damaged in its headers: no checksum would have let it pass.
                _ => {}
            }
        }
    }
}

/// A device that hands on what is sent by it, and from which nothing comes.
struct Exit {
    properties: Properties,
    out: UnboundedSender<Bytes>,
    /// To wait on, in vain.
    idle: UnixDatagram,
    _other: UnixDatagram,
}

impl Exit {
    fn new() -> io::Result<(Exit, UnboundedReceiver<Bytes>)> {
        let (out, arrivals) = unbounded_channel();
        let (idle, other) = UnixDatagram::pair()?;
        let properties = Properties {
            name: "wire".to_owned(),
            ethernet: true,
            mac: MacAddr([0; 6]),
            mtu: 65_535,
            offloads: Offloads::default(),
            stamps: Stamps::Fetched,
        };
        Ok((Exit { properties, out, idle, _other: other }, arrivals))
    }
}

impl Device for Exit {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, _frames: &mut Vec<Frame>, _limit: usize) -> io::Result<usize> {
        Ok(0)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let count = frames.len();
        for frame in frames.drain(..) {
            // Nobody listens any more: lost, as behind a cable that is cut.
            let _ = self.out.send(frame.bytes);
        }
        Ok(count)
    }
}

impl Pollable for Exit {
    fn fd(&self) -> RawFd {
        self.idle.as_raw_fd()
    }
}
