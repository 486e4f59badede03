//! The same simulated network in real time, joined to devices of the machine.
//!
//! Nothing of the virtual clock is used here: the world is brought up to the machine's clock whenever somebody looks
//! at it, and a timer wakes for its next event. A node that a [`Pollable`] device plays (see [`join`]) is any real program
//! behind that device. The other way round, [`port()`] makes the end of a link a device for who moves devices.
//! [`wire`] is the least of such networks: one link, for datagrams.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use thru_os::clock;
use thru_os::device::{Pollable, is_full};
use thru_os::timer::Timer;
use thru_sim::{NodeId, World};
use thru_stack::offload::segment::{Segments, complete_checksum};
use thru_stack::{Frame, InterfaceId};
use thru_wire::Instant;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use super::{Lab, LabOptions, Shared};

mod port;
pub mod wire;

use port::Bell;
pub use port::{LinkPort, port};

/// Runs `main` on a simulated network in real time, to its end. `options.limit` does not apply, and nothing repeats:
/// time and randomness are the machine's.
pub fn run<F, Fut, R>(options: LabOptions, main: F) -> io::Result<R>
where
    F: FnOnce(Lab) -> Fut,
    Fut: Future<Output = R>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let joined = Joined {
            origin: clock::now(),
            timer: Timer::new()?,
            armed: AtomicU64::new(u64::MAX),
            wakes: AtomicU64::new(0),
            late: AtomicU64::new(0),
            edge: Mutex::default(),
            bells: Mutex::default(),
        };
        let shared = Arc::new(Shared::new(options, Some(joined)));
        shared.start();
        let clockwork = tokio::spawn(pump(shared.clone()));
        let result = main(Lab { shared: shared.clone() }).await;
        clockwork.abort();
        Ok(result)
    })
}

/// Lets `device` play `node`: what the device receives leaves the node by `interface`, and what arrives there is sent
/// to the device. It ends when the result is dropped.
///
/// Fails if the machine can't watch the device, or if `lab` does not run in real time.
pub fn join(lab: &Lab, node: NodeId, interface: InterfaceId, device: Box<dyn Pollable>) -> io::Result<Join> {
    let shared = lab.shared.clone();
    let Some(joined) = &shared.real else {
        return Err(io::Error::other("devices can join only where time is real"));
    };
    let watched = thru_os::watch::watch(device.fd())?;
    shared.world_now().set_external(node);
    joined.edge().push(Port { node, interface, device, queue: VecDeque::new(), dropped: 0, failure: None });
    let task = tokio::spawn(carry(shared, node, interface, watched));
    Ok(Join { lab: lab.clone(), node, interface, task })
}

/// How well a network in real time keeps up with the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Punctuality {
    /// How often the clock woke the network.
    pub wakes: u64,
    /// How often that was more than a millisecond after the time.
    pub late: u64,
}

/// Of a network in real time, since its start; of any other: always in time.
pub fn punctuality(lab: &Lab) -> Punctuality {
    let Some(joined) = &lab.shared.real else { return Punctuality::default() };
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Punctuality { wakes: read(&joined.wakes), late: read(&joined.late) }
}

/// Completes when nothing is under way any more in a network in real time: no frame, no timer of a host.
pub async fn idle(lab: &Lab) {
    loop {
        let next = lab.world().next_event();
        if next.is_never() {
            return;
        }
        let Some(joined) = &lab.shared.real else { return };
        let wait = next.nanos().saturating_sub(joined.nanos());
        // Woken late it looks late: nothing but the end of the waiting depends on it.
        tokio::time::sleep(std::time::Duration::from_nanos(wait)).await;
    }
}

/// In nanoseconds.
const LATE: u64 = 1_000_000;

/// A device that plays a node.
#[derive(Debug)]
pub struct Join {
    lab: Lab,
    node: NodeId,
    interface: InterfaceId,
    task: JoinHandle<()>,
}

impl Join {
    /// Frames for which the device had no room.
    pub fn dropped(&self) -> u64 {
        let Some(joined) = &self.lab.shared.real else { return 0 };
        joined.edge().iter().filter(|port| port.is(self.node, self.interface)).map(|port| port.dropped).sum()
    }

    /// Why the device no longer works, if it doesn't.
    pub fn failure(&self) -> Option<String> {
        let edge = self.lab.shared.real.as_ref()?.edge();
        edge.iter().find(|port| port.is(self.node, self.interface))?.failure.clone()
    }

    /// Completes when nothing comes from the device any more: a recording was played, or the device failed.
    pub async fn ended(&mut self) {
        // It never panics, and nobody else aborts it.
        let _ = (&mut self.task).await;
    }

    /// Frames that the device lost because they came faster than they were fetched.
    pub fn missed(&self) -> u64 {
        let Some(joined) = &self.lab.shared.real else { return 0 };
        let mut edge = joined.edge();
        let ports = edge.iter_mut().filter(|port| port.is(self.node, self.interface));
        ports.map(|port| port.device.missed()).sum()
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(joined) = &self.lab.shared.real {
            joined.edge().retain(|port| !port.is(self.node, self.interface));
        }
    }
}

/// What a world in real time has beyond one in virtual time. Locks are taken in this order: the world, its edge, its bells.
pub(super) struct Joined {
    /// The machine's time at the network's start.
    origin: Instant,
    timer: Timer,
    /// What the timer is set to, in nanoseconds of the world.
    armed: AtomicU64,
    /// Events carried out when the timer woke us, and those of them that were more than [`LATE`] behind.
    wakes: AtomicU64,
    late: AtomicU64,
    edge: Mutex<Vec<Port>>,
    /// Of ends of links that somebody outside waits for.
    bells: Mutex<Vec<Arc<Bell>>>,
}

/// Where a device stands at the edge of the world.
struct Port {
    node: NodeId,
    interface: InterfaceId,
    device: Box<dyn Pollable>,
    queue: VecDeque<Frame>,
    dropped: u64,
    failure: Option<String>,
}

impl Port {
    fn is(&self, node: NodeId, interface: InterfaceId) -> bool {
        (self.node, self.interface) == (node, interface)
    }

    fn flush(&mut self) {
        if self.queue.is_empty() && !self.device.is_stuck() {
            return;
        }
        if let Err(error) = self.device.send_batch(&mut self.queue) {
            self.failure.get_or_insert_with(|| error.to_string());
        }
        // A device without room loses what comes: the links before it are where things may wait.
        self.dropped += self.queue.len() as u64;
        self.queue.clear();
    }
}

impl Joined {
    pub(super) fn nanos(&self) -> u64 {
        clock::now().nanos() - self.origin.nanos()
    }

    pub(super) fn origin(&self) -> std::time::Instant {
        clock::origin() + std::time::Duration::from_nanos(self.origin.nanos())
    }

    fn edge(&self) -> MutexGuard<'_, Vec<Port>> {
        self.edge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After anything was done to the world: frames that reached its edge leave, and the timer is set.
    pub(super) fn settle(&self, world: &mut World) {
        let now = world.now();
        for port in self.edge().iter_mut() {
            while let Some(bytes) = world.take_external(port.node, port.interface) {
                port.queue.push_back(Frame::new(bytes, now));
            }
            port.flush();
        }
        for bell in self.bells.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if world.has_external(bell.node, bell.interface) {
                bell.ring();
            }
        }
        let next = world.next_event().nanos();
        if self.armed.swap(next, Ordering::Relaxed) != next {
            let at = Instant::from_nanos(self.origin.nanos().saturating_add(next));
            self.timer.set(if next == Instant::NEVER.nanos() { Instant::NEVER } else { at });
        }
    }
}

/// Wakes for the world's next event.
async fn pump(shared: Arc<Shared>) {
    let Some(joined) = &shared.real else { return };
    while joined.timer.expired().await.is_ok() {
        let due = joined.armed.swap(Instant::NEVER.nanos(), Ordering::Relaxed);
        joined.wakes.fetch_add(1, Ordering::Relaxed);
        if joined.nanos().saturating_sub(due) > LATE {
            joined.late.fetch_add(1, Ordering::Relaxed);
        }
        drop(shared.world_now());
    }
}

/// Frames fetched before the world moves on.
const BATCH: usize = 64;

/// Carries frames from a device into the world.
async fn carry(shared: Arc<Shared>, node: NodeId, interface: InterfaceId, watched: AsyncFd<OwnedFd>) {
    let is_over = |port: &Port| port.is(node, interface) && port.device.is_over();
    if shared.real.as_ref().is_some_and(|joined| joined.edge().iter().any(is_over)) {
        return;
    }
    loop {
        let Ok(mut ready) = watched.readable().await else { return };
        match carry_batch(&shared, node, interface) {
            Some(true) => tokio::task::yield_now().await,
            Some(false) => ready.clear_ready(),
            None => return,
        }
    }
}

/// One batch; whether there may be more. `None`: the device is gone, or nothing comes from it any more.
fn carry_batch(shared: &Shared, node: NodeId, interface: InterfaceId) -> Option<bool> {
    let mut batch = Vec::with_capacity(BATCH);
    let over;
    {
        let mut edge = shared.real.as_ref()?.edge();
        let port = edge.iter_mut().find(|port| port.is(node, interface) && port.failure.is_none())?;
        if let Err(error) = port.device.recv_batch(&mut batch, BATCH) {
            port.failure = Some(error.to_string());
            return None;
        }
        over = port.device.is_over();
    }
    let more = is_full(&batch, BATCH);
    let origin = shared.real.as_ref()?.origin.nanos();
    let mut world = shared.world_now();
    for received in batch {
        // The wire's delay counts from the frame's arrival, not from when we got round to it.
        let at = Instant::from_nanos(received.rx_time.nanos().saturating_sub(origin));
        each_packet(received, |bytes| world.inject_at(at, node, interface, bytes));
    }
    (!over).then_some(more)
}

/// Length of an Ethernet header without a tag.
const ETHERNET: usize = 14;

/// The packets of an Ethernet frame that a device received, as a wire would carry them: super-segments are cut,
/// checksums completed.
pub fn each_packet(frame: Frame, mut each: impl FnMut(Bytes)) {
    use thru_stack::frame::Checksum;
    if let Some(mut segmentation) = frame.offload.segmentation {
        // What a device says of the headers' length is a hint only (virtio 1.2, 5.1.6.4).
        segmentation.header_len = header_len(&frame.bytes).unwrap_or(segmentation.header_len);
        if let Some(segments) = Segments::of(&frame.bytes, ETHERNET, segmentation) {
            segments.for_each(each);
        }
        return;
    }
    each(match frame.offload.checksum {
        Checksum::Full | Checksum::Verified => frame.bytes,
        Checksum::Partial { start, offset } => {
            let mut bytes = BytesMut::from(&frame.bytes[..]);
            complete_checksum(&mut bytes, start, offset);
            bytes.freeze()
        }
    });
}

/// Bytes in front of the payload of an Ethernet frame that holds TCP.
fn header_len(frame: &[u8]) -> Option<u16> {
    let packet = frame.get(ETHERNET..)?;
    let ip = if packet.first()? >> 4 == 4 { usize::from(packet[0] & 0xf) * 4 } else { 40 };
    let tcp = usize::from(packet.get(ip + 12)? >> 4) * 4;
    Some((ETHERNET + ip + tcp) as u16)
}
