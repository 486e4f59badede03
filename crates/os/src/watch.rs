//! File descriptors under tokio's eyes: readable, writable.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Gives a descriptor to tokio's I/O driver. Needs a tokio runtime with I/O.
pub fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` stays open, and the same, until it is dropped.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}

/// Watches what `fd` refers to through a duplicate. Nothing is read or written through it; as long as it lives the
/// file stays open.
pub fn watch(fd: RawFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: whoever gives the number holds the descriptor during this call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    register(fd, Interest::READABLE | Interest::WRITABLE)
}
