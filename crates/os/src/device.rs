//! Interfaces of this machine as devices: frames in batches, each with what its interface knows about it.
//!
//! - [`Pollable`]: a device that can be waited on. What all devices share is [`thru_stack::device`]'s.
//! - [`tun`]: TUN and TAP, with segmentation offload where the kernel gives it.
//! - [`packet`]: packet sockets (`AF_PACKET`) with memory-mapped rings.
//! - [`xdp`]: AF_XDP: frames of one station, before the kernel's stack sees them.
//! - [`replay`]: recorded frames, as those of a capture file, at the pace at which they were recorded.
//! - [`virtio`]: the header in which TUN and packet sockets tell offloads.

use std::io;
use std::os::fd::RawFd;

pub use thru_stack::device::{BATCH_BYTES, Device, Properties, Stamps, is_full};
use thru_stack::frame::{Frame, Offloads};

pub mod packet;
pub mod replay;
mod rooms;
pub mod tun;
pub mod virtio;
pub mod xdp;

/// A device of this machine. It never blocks: wait until the descriptor is readable or writable, then call.
pub trait Pollable: Device {
    /// The descriptor to wait on: readable when frames can be had, writable when there is room again.
    fn fd(&self) -> RawFd;
}

/// Takes frames until there are none, or enough for one batch: how many.
fn batch(
    frames: &mut Vec<Frame>,
    limit: usize,
    mut next: impl FnMut() -> io::Result<Option<Frame>>,
) -> io::Result<usize> {
    let mut bytes = 0;
    for count in 0..limit {
        let Some(frame) = next()? else { return Ok(count) };
        bytes += frame.bytes.len();
        frames.push(frame);
        if bytes >= BATCH_BYTES {
            return Ok(count + 1);
        }
    }
    Ok(limit)
}

/// What a device does that completes checksums, and perhaps cuts super-segments of at most 65,535 bytes of IP.
fn offloads(checksum: bool, segmentation: bool) -> Offloads {
    Offloads {
        segmentation: if segmentation { 65_535 } else { 0 },
        checksum,
        gather: segmentation,
        in_turns: false,
    }
}

/// The error of the last system call.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
