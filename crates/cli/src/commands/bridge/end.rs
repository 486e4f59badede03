//! What may be at an end of the bridge: an interface, or a capture file that is replayed or written.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use thru_dissect::file::{Item, Reader, link};
use thru_net::iface::Pollable;
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::device::replay::{Recorded, Replay, Sink};

use crate::commands::craft::save::Save;
use crate::failure::Failure;

/// Opens what the argument names.
pub(super) fn open(argument: &str) -> Result<Box<dyn Pollable>, Failure> {
    match argument.split_once(':') {
        Some(("read", path)) => read(Path::new(path)),
        Some(("write", path)) => write(Path::new(path)),
        _ => interface(argument),
    }
}

fn interface(name: &str) -> Result<Box<dyn Pollable>, Failure> {
    let config = PacketConfig { interface: name.to_owned(), promiscuous: true, offload: false };
    let socket = PacketSocket::open(&config);
    Ok(Box::new(socket.map_err(|error| super::cannot("use the interface", name, &error))?))
}

/// A capture whose frames arrive as they were recorded; what is sent there is for nobody.
fn read(path: &Path) -> Result<Box<dyn Pollable>, Failure> {
    let damaged = |error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot replay `{}`: {error}", path.display()),
            "a pcap or pcapng file of Ethernet frames is needed",
        )
    };
    let file = File::open(path).map_err(|error| damaged(&error))?;
    let reader = Reader::new(file).map_err(|error| damaged(&error))?;
    replay(path, Box::new(Frames(reader)), Box::new(Nobody))
}

/// A file that takes what reaches it; nothing comes from it.
fn write(path: &Path) -> Result<Box<dyn Pollable>, Failure> {
    replay(path, Box::new(std::iter::empty()), Box::new(Kept(Save::new(path, link::ETHERNET)?)))
}

fn replay(
    path: &Path,
    frames: thru_os::device::replay::Source,
    sink: Box<dyn Sink>,
) -> Result<Box<dyn Pollable>, Failure> {
    let name = path.display().to_string();
    let device = Replay::open(&name, true, frames, sink);
    Ok(Box::new(device.map_err(|error| super::cannot("replay", &name, &error))?))
}

/// The whole Ethernet frames of a capture.
struct Frames(Reader<File>);

impl Iterator for Frames {
    type Item = io::Result<Recorded>;

    /// Frames that were cut when they were recorded are left out: nobody could have received them so.
    fn next(&mut self) -> Option<io::Result<Recorded>> {
        let invalid = |words: String| io::Error::new(io::ErrorKind::InvalidData, words);
        loop {
            match self.0.next() {
                Ok(Some(Item::Packet(record))) if record.link != link::ETHERNET => {
                    let (number, link) = (record.number, record.link);
                    return Some(Err(invalid(format!(
                        "packet {number} has link type {link}, and only Ethernet passes a bridge"
                    ))));
                }
                Ok(Some(Item::Packet(record))) if record.bytes.len() == record.original as usize => {
                    let bytes = Bytes::copy_from_slice(record.bytes);
                    return Some(Ok(Recorded { time: record.time.unwrap_or(0), bytes }));
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(Err(invalid(error.to_string()))),
            }
        }
    }
}

/// Takes everything and keeps nothing.
struct Nobody;

impl Sink for Nobody {
    fn keep(&mut self, _time: u64, _frame: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps frames in a capture file.
struct Kept(Save);

impl Sink for Kept {
    fn keep(&mut self, time: u64, frame: &[u8]) -> io::Result<()> {
        self.0.keep(time, frame)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
