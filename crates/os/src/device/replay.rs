//! Recorded frames as a device: they arrive at the pace at which they were recorded, and what is sent is recorded, too.
//! A stack, a wire or a lab meets once more what somebody met before, without a network.
//!
//! Which file format the frames come from, and which one they go to, is the caller's: frames come from an iterator, and
//! go to a [`Sink`].

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use bytes::Bytes;
use thru_stack::frame::{Frame, Offloads};
use thru_wire::{Instant, MacAddr};

use super::{Device, Pollable, Properties, Stamps};
use crate::{clock, timer};

/// A frame that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    /// The whole frame.
    pub bytes: Bytes,
}

/// Where recorded frames come from, in their order; after an error nothing more is asked for.
pub type Source = Box<dyn Iterator<Item = io::Result<Recorded>> + Send>;

/// Where frames go that are sent.
pub trait Sink: Send {
    /// Keeps a frame. `time`: nanoseconds since the Unix epoch, on the clock of the recording.
    fn keep(&mut self, time: u64, frame: &[u8]) -> io::Result<()>;

    /// Nothing else is sent for now: what was kept should be there for others to see.
    fn flush(&mut self) -> io::Result<()>;
}

/// Recorded frames as a device.
pub struct Replay {
    properties: Properties,
    source: Source,
    /// The frame that is due next, and when.
    next: Option<(Instant, Bytes)>,
    /// What the source failed with.
    failure: Option<io::Error>,
    /// The recorded time of the first frame, and when that one arrived: at the first call.
    began: (u64, Option<Instant>),
    sink: Box<dyn Sink>,
    /// Readable when the next frame is due.
    timer: OwnedFd,
    scratch: Vec<u8>,
}

impl Replay {
    /// The first frame arrives when the device is first asked, the others as long after it as they were recorded. With `ethernet` frames begin
    /// with an Ethernet header, else with an IP header. If there is no frame at all, times are those of the machine.
    pub fn open(name: &str, ethernet: bool, source: Source, sink: Box<dyn Sink>) -> io::Result<Replay> {
        let mut replay = Replay {
            properties: Properties {
                name: name.to_owned(),
                ethernet,
                mac: MacAddr::UNSPECIFIED,
                mtu: 1_500,
                offloads: Offloads::default(),
                stamps: Stamps::Recorded,
            },
            source,
            next: None,
            failure: None,
            began: (0, None),
            sink,
            timer: timer::descriptor()?,
            scratch: Vec::new(),
        };
        let first = replay.take();
        replay.began.0 = first.as_ref().map_or(clock::unix_time().as_nanos() as u64, |frame| frame.time);
        replay.next = first.map(|frame| (Instant::START, frame.bytes));
        replay.arm();
        Ok(replay)
    }

    fn take(&mut self) -> Option<Recorded> {
        if self.failure.is_some() {
            return None;
        }
        match self.source.next()? {
            Ok(frame) => Some(frame),
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }

    /// When the recording's first frame arrived, which is now if nobody has asked before.
    fn began(&mut self, now: Instant) -> Instant {
        *self.began.1.get_or_insert_with(|| {
            if let Some((at, _)) = &mut self.next {
                *at = now;
            }
            now
        })
    }

    /// When a frame of that recorded time is due.
    fn due(&self, time: u64, began: Instant) -> Instant {
        let (first, _) = self.began;
        Instant::from_nanos(began.nanos().saturating_add(time.saturating_sub(first)))
    }

    /// Makes the descriptor readable when the next frame is due or the failure can be told, or never.
    fn arm(&self) {
        let due = self.next.as_ref().map(|(at, _)| *at);
        let broken = self.failure.is_some().then_some(Instant::START);
        timer::set(&self.timer, due.or(broken).unwrap_or(Instant::NEVER));
    }
}

impl Device for Replay {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        let now = clock::now();
        let began = self.began(now);
        let before = frames.len();
        while frames.len() - before < limit
            && let Some((rx_time, bytes)) = self.next.take_if(|(at, _)| *at <= now)
        {
            frames.push(Frame::new(bytes, rx_time));
            // Frames that were recorded out of order arrive together.
            self.next = self.take().map(|frame| (self.due(frame.time, began).max(rx_time), frame.bytes));
        }
        self.arm();
        if frames.len() == before
            && self.next.is_none()
            && let Some(error) = &self.failure
        {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        Ok(frames.len() - before)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let count = frames.len();
        let now = clock::now();
        let began = self.began(now);
        let time = self.began.0.saturating_add(now.nanos().saturating_sub(began.nanos()));
        for frame in frames.drain(..) {
            self.scratch.clear();
            for part in frame.parts() {
                self.scratch.extend_from_slice(part);
            }
            self.sink.keep(time, &self.scratch)?;
        }
        self.sink.flush()?;
        Ok(count)
    }

    fn is_over(&self) -> bool {
        self.next.is_none() && self.failure.is_none()
    }
}

impl Pollable for Replay {
    fn fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({})", self.properties.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Times and frames, in memory.
    type Sent = Vec<(u64, Vec<u8>)>;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Sent>>);

    impl Sink for Kept {
        fn keep(&mut self, time: u64, frame: &[u8]) -> io::Result<()> {
            self.0.lock().expect("not poisoned").push((time, frame.to_vec()));
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn recorded(time: u64, bytes: &'static [u8]) -> io::Result<Recorded> {
        Ok(Recorded { time, bytes: Bytes::from_static(bytes) })
    }

    fn open(frames: Vec<io::Result<Recorded>>) -> (Replay, Kept) {
        let kept = Kept::default();
        let source = Box::new(frames.into_iter());
        (Replay::open("test", false, source, Box::new(kept.clone())).expect("opened"), kept)
    }

    fn began(device: &Replay) -> Instant {
        device.began.1.expect("it was asked")
    }

    const HOUR: u64 = 3_600_000_000_000;

    #[test]
    fn frames_arrive_when_they_are_due_and_what_is_sent_is_kept() {
        let (mut device, kept) = open(vec![recorded(HOUR, b"now"), recorded(2 * HOUR, b"later")]);
        let mut frames = Vec::new();
        assert_eq!(device.recv_batch(&mut frames, 64).expect("read"), 1);
        assert_eq!(&frames[0].bytes[..], b"now");
        assert_eq!(frames[0].rx_time, began(&device));
        assert_eq!(device.recv_batch(&mut frames, 64).expect("read"), 0);
        assert_eq!(device.next.as_ref().expect("waits").0.since(began(&device)).as_nanos(), u128::from(HOUR));
        assert!(!device.is_over());
        let payload = [Some(Bytes::from_static(b"sw")), Some(Bytes::from_static(b"er"))];
        let answer = Frame { payload, ..Frame::new(Bytes::from_static(b"an"), Instant::START) };
        assert_eq!(device.send_batch(&mut VecDeque::from([answer])).expect("kept"), 1);
        let kept = kept.0.lock().expect("not poisoned");
        assert_eq!(kept[0].1, b"answer");
        assert!((HOUR..2 * HOUR).contains(&kept[0].0), "by the recording's clock: {}", kept[0].0);
    }

    /// What was recorded in the wrong order arrives in the file's, together.
    #[test]
    fn times_that_run_backwards_wait_for_nobody() {
        let (mut device, _) = open(vec![recorded(HOUR, b"b"), recorded(0, b"a"), recorded(HOUR, b"c")]);
        let mut frames = Vec::new();
        assert_eq!(device.recv_batch(&mut frames, 2).expect("read"), 2);
        assert_eq!(device.recv_batch(&mut frames, 2).expect("read"), 1);
        assert!(device.is_over());
        assert!(frames.iter().all(|frame| frame.rx_time == began(&device)));
    }

    #[test]
    fn a_source_that_fails_is_told_after_its_frames() {
        let broken = || Err(io::Error::new(io::ErrorKind::InvalidData, "damaged"));
        let (mut device, _) = open(vec![recorded(0, b"a"), broken(), recorded(0, b"never")]);
        let mut frames = Vec::new();
        assert_eq!(device.recv_batch(&mut frames, 64).expect("what was whole"), 1);
        assert!(!device.is_over());
        assert_eq!(device.recv_batch(&mut frames, 64).expect_err("damaged").to_string(), "damaged");
        assert_eq!(frames.len(), 1);
        let (mut empty, _) = open(vec![broken()]);
        assert!(empty.recv_batch(&mut frames, 64).is_err() && !empty.is_over());
    }
}
