//! The end of a simulated link as a device that can be waited on, so that whoever moves real devices moves it, too.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, PoisonError};

use thru_os::device::{Device, Pollable, Properties};
use thru_sim::NodeId;
use thru_stack::{Frame, InterfaceId};
use thru_wire::Instant;

use crate::lab::Lab;

/// The end of the link at an interface of `node`, which is played by whoever has the result. The link's delays pass in
/// real time, and frames have the time at which they left the link, however late they are fetched.
///
/// # Errors
/// `lab` does not run in real time, the node has no such interface, or the machine has no descriptor left.
pub fn port(lab: &Lab, node: NodeId, interface: InterfaceId) -> io::Result<LinkPort> {
    let Some(joined) = &lab.shared.real else {
        return Err(io::Error::other("a link can be waited on only where time is real"));
    };
    let (rings, hears) = UnixStream::pair()?;
    for end in [&rings, &hears] {
        end.set_nonblocking(true)?;
    }
    let properties = {
        let mut world = lab.world();
        world.set_external(node);
        let end = world.link_end(node, interface);
        let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no such interface"))?;
        end.properties().clone()
    };
    let bell = Arc::new(Bell { node, interface, rings });
    joined.bells.lock().unwrap_or_else(PoisonError::into_inner).push(bell.clone());
    Ok(LinkPort { lab: lab.clone(), bell, hears, properties, origin: joined.origin })
}

/// The end of a link; see [`port`].
#[derive(Debug)]
pub struct LinkPort {
    lab: Lab,
    bell: Arc<Bell>,
    hears: UnixStream,
    properties: Properties,
    /// The machine's time at the network's start.
    origin: Instant,
}

/// Tells that frames have come out of a link.
#[derive(Debug)]
pub(super) struct Bell {
    pub(super) node: NodeId,
    pub(super) interface: InterfaceId,
    rings: UnixStream,
}

impl Bell {
    /// One that rings already need not be rung: a full socket is as good as another byte.
    pub(super) fn ring(&self) {
        let _ = (&self.rings).write(&[1]);
    }
}

impl LinkPort {
    /// Calls the link's end at the present time.
    fn with<R>(&self, call: impl FnOnce(&mut dyn Device) -> io::Result<R>) -> io::Result<R> {
        let mut world = self.lab.world();
        match world.link_end(self.bell.node, self.bell.interface) {
            Some(mut end) => call(&mut end),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Device for LinkPort {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        // Before looking: what comes afterwards rings again.
        let mut rung = [0; 64];
        while self.hears.read(&mut rung).is_ok_and(|length| length == rung.len()) {}
        let before = frames.len();
        let count = self.with(|end| end.recv_batch(frames, limit))?;
        for frame in &mut frames[before..] {
            frame.rx_time = Instant::from_nanos(frame.rx_time.nanos().saturating_add(self.origin.nanos()));
        }
        Ok(count)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        if frames.is_empty() { Ok(0) } else { self.with(|end| end.send_batch(frames)) }
    }

    fn missed(&mut self) -> u64 {
        self.lab.world().external_dropped()
    }
}

impl Pollable for LinkPort {
    fn fd(&self) -> RawFd {
        self.hears.as_raw_fd()
    }
}

impl Drop for LinkPort {
    fn drop(&mut self) {
        if let Some(joined) = &self.lab.shared.real {
            let mut bells = joined.bells.lock().unwrap_or_else(PoisonError::into_inner);
            bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
        }
    }
}
