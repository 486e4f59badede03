//! A capture file as a device: its frames arrive at the pace at which they were recorded, and what is sent goes into
//! another file. For a stack that shall meet once more what it met before, without a network.
//!
//! The classic format (draft-ietf-opsawg-pcap): microseconds or nanoseconds, either byte order, Ethernet or bare IP.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use bytes::Bytes;
use thru_wire::{Instant, MacAddr};

use super::{Device, Offload, Offloads, Properties, Received, Sending, check};
use crate::clock;

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const ETHERNET: u32 = 1;
const RAW_IP: u32 = 101;
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Larger frames no format has; a length beyond is damage.
const LARGEST: usize = 262_144;

/// A capture file as a device.
#[derive(Debug)]
pub struct PcapFile {
    properties: Properties,
    rest: Reader,
    /// The frame that is due next, and when.
    next: Option<(Instant, Bytes)>,
    /// The recorded time of the first frame, in nanoseconds, and when the device was opened.
    began: (u64, Instant),
    out: BufWriter<File>,
    /// Readable when the next frame is due.
    timer: OwnedFd,
}

impl PcapFile {
    /// Frames come from `frames`; what is sent is written to the new file `sent`, in the same format.
    pub fn open(frames: &Path, sent: &Path) -> io::Result<PcapFile> {
        let mut rest = Reader::new(Bytes::from(std::fs::read(frames)?))?;
        let mut out = BufWriter::new(File::create(sent)?);
        for word in [NANOSECONDS, 2 | 4 << 16, 0, 0, LARGEST as u32, rest.link] {
            out.write_all(&word.to_le_bytes())?;
        }
        let now = clock::now();
        let first = rest.next();
        let began = (first.as_ref().map_or(0, |(at, _)| *at), now);
        let properties = Properties {
            name: frames
                .file_name()
                .map_or_else(|| "pcap".to_owned(), |name| name.to_string_lossy().into_owned()),
            ethernet: rest.link == ETHERNET,
            mac: MacAddr::UNSPECIFIED,
            mtu: 1_500,
            offloads: Offloads::default(),
        };
        // SAFETY: numbers only; the descriptor is ours from here on.
        let timer = unsafe {
            let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
            OwnedFd::from_raw_fd(check(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?)
        };
        let next = first.map(|(_, bytes)| (now, bytes));
        let mut file = PcapFile { properties, rest, next, began, out, timer };
        file.arm()?;
        Ok(file)
    }

    /// Whether all frames have arrived.
    pub fn is_over(&self) -> bool {
        self.next.is_none()
    }

    /// Makes the descriptor readable when the next frame is due, or never.
    fn arm(&mut self) -> io::Result<()> {
        let wait = self.next.as_ref().map(|(at, _)| at.since(clock::now()));
        // Zero would switch it off.
        let nanos = wait.map_or(0, |wait| wait.as_nanos().clamp(1, i64::MAX as u128) as i64);
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 };
        let wanted = libc::itimerspec { it_interval: zero, it_value: value };
        // SAFETY: `wanted` is a valid value that the kernel only reads.
        check(unsafe {
            libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const wanted, std::ptr::null_mut())
        })
        .map(drop)
    }
}

impl Device for PcapFile {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }

    fn recv_batch(&mut self, frames: &mut Vec<Received>, limit: usize) -> io::Result<usize> {
        let now = clock::now();
        let before = frames.len();
        while frames.len() - before < limit
            && let Some((rx_time, bytes)) = self.next.take_if(|(at, _)| *at <= now)
        {
            frames.push(Received { bytes, rx_time, offload: Offload::NONE });
            let (first, opened) = self.began;
            // Frames that were recorded out of order arrive together.
            self.next = self.rest.next().map(|(at, bytes)| {
                let at = Instant::from_nanos(opened.nanos().saturating_add(at.saturating_sub(first)));
                (at.max(rx_time), bytes)
            });
        }
        self.arm()?;
        Ok(frames.len() - before)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Sending>) -> io::Result<usize> {
        let count = frames.len();
        let (first, opened) = self.began;
        let at = first.saturating_add(clock::now().nanos().saturating_sub(opened.nanos()));
        for frame in frames.drain(..) {
            let parts = frame.parts();
            let length = parts.iter().map(|part| part.len()).sum::<usize>() as u32;
            for word in [(at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32, length, length] {
                self.out.write_all(&word.to_le_bytes())?;
            }
            for part in parts {
                self.out.write_all(part)?;
            }
        }
        self.out.flush()?;
        Ok(count)
    }
}

/// The frames of a file, with their times in nanoseconds since 1970.
#[derive(Clone, Debug)]
struct Reader {
    rest: Bytes,
    swapped: bool,
    /// Nanoseconds in a unit of the times' second half.
    unit: u64,
    link: u32,
}

impl Reader {
    fn new(mut file: Bytes) -> io::Result<Reader> {
        let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        if file.len() < FILE_HEADER {
            return Err(wrong("it is too short for a capture file"));
        }
        let header = file.split_to(FILE_HEADER);
        let magic = word(&header, 0, false);
        let (swapped, unit) = match (magic, magic.swap_bytes()) {
            (MICROSECONDS, _) => (false, 1_000),
            (_, MICROSECONDS) => (true, 1_000),
            (NANOSECONDS, _) => (false, 1),
            (_, NANOSECONDS) => (true, 1),
            _ => return Err(wrong("it is no capture file of the classic format")),
        };
        let link = word(&header, 20, swapped) & 0xffff;
        if ![ETHERNET, RAW_IP].contains(&link) {
            return Err(wrong("its frames are neither Ethernet nor IP"));
        }
        Ok(Reader { rest: file, swapped, unit, link })
    }
}

impl Iterator for Reader {
    type Item = (u64, Bytes);

    /// Ends at what makes no sense. Frames that were cut are left out: nobody could have received them.
    fn next(&mut self) -> Option<(u64, Bytes)> {
        loop {
            if self.rest.len() < RECORD_HEADER {
                return None;
            }
            let header = self.rest.split_to(RECORD_HEADER);
            let field = |at| word(&header, at, self.swapped);
            let (kept, length) = (field(8) as usize, field(12) as usize);
            if kept > LARGEST || kept > self.rest.len() {
                self.rest.clear();
                return None;
            }
            let bytes = self.rest.split_to(kept);
            if kept == length {
                let at = u64::from(field(0)) * 1_000_000_000 + u64::from(field(4)) * self.unit;
                return Some((at, bytes));
            }
        }
    }
}

/// Four bytes of a header that is long enough.
fn word(header: &[u8], at: usize, swapped: bool) -> u32 {
    let word = u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if swapped { word.swap_bytes() } else { word }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of these frames, at these times in microseconds.
    fn file(frames: &[(u64, &[u8])], swapped: bool) -> Vec<u8> {
        let bytes = |word: u32| if swapped { word.to_be_bytes() } else { word.to_le_bytes() };
        let mut file: Vec<u8> = [MICROSECONDS, 2, 0, 0, 65_535, RAW_IP].into_iter().flat_map(bytes).collect();
        for (at, frame) in frames {
            let length = frame.len() as u32;
            let header = [(at / 1_000_000) as u32, (at % 1_000_000) as u32, length, length];
            file.extend(header.into_iter().flat_map(bytes));
            file.extend_from_slice(frame);
        }
        file
    }

    #[test]
    fn either_byte_order_reads_alike_and_every_truncation_ends() {
        let frames = [(1_000_007, &b"one"[..]), (2_500_000, b"three")];
        for swapped in [false, true] {
            let file = file(&frames, swapped);
            let read: Vec<_> = Reader::new(Bytes::from(file.clone())).expect("a capture").collect();
            assert_eq!(read[0], (1_000_007_000, Bytes::from_static(b"one")));
            assert_eq!(read[1], (2_500_000_000, Bytes::from_static(b"three")));
            for cut in 0..file.len() {
                let count = Reader::new(Bytes::copy_from_slice(&file[..cut])).map_or(0, Iterator::count);
                assert!(count <= 1);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            let any = [&file(&[], false)[..], &bytes].concat();
            let total: usize = Reader::new(Bytes::from(any)).expect("its header is whole").map(|(_, frame)| frame.len()).sum();
            prop_assert!(total <= bytes.len());
        }
    }

    #[test]
    fn frames_arrive_when_they_are_due_and_what_is_sent_can_be_read() {
        let folder = std::env::temp_dir().join(format!("thru-pcap-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (source, sent) = (folder.join("in.pcap"), folder.join("out.pcap"));
        // The second is due in an hour.
        std::fs::write(&source, file(&[(0, b"now"), (3_600_000_000, b"later")], false)).expect("written");
        let mut device = PcapFile::open(&source, &sent).expect("opened");
        let mut frames = Vec::new();
        assert_eq!(device.recv_batch(&mut frames, 64).expect("read"), 1);
        assert_eq!(&frames[0].bytes[..], b"now");
        assert_eq!(device.recv_batch(&mut frames, 64).expect("read"), 0);
        assert!(!device.is_over());
        let mut queue = VecDeque::from([Sending::packet(Bytes::from_static(b"answer"))]);
        assert_eq!(device.send_batch(&mut queue).expect("written"), 1);
        let written = Reader::new(Bytes::from(std::fs::read(&sent).expect("there"))).expect("a capture");
        assert_eq!(written.map(|(_, frame)| frame).collect::<Vec<_>>(), [Bytes::from_static(b"answer")]);
        std::fs::remove_dir_all(&folder).expect("it was there");
    }
}
