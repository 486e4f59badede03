//! A timer as exact as the kernel's clock (timerfd_create(2)); tokio's own count whole milliseconds.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use thru_wire::Instant;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock;
use crate::device::check;

/// A timer that can be set again and again. Needs a tokio runtime with I/O.
#[derive(Debug)]
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set.
    pub fn new() -> io::Result<Timer> {
        Ok(Timer { fd: crate::watch::register(descriptor()?, Interest::READABLE)? })
    }

    /// Sets it to expire at `at` of [`clock::now`]'s clock; [`Instant::NEVER`]: not at all.
    pub fn set(&self, at: Instant) {
        set(self.fd.get_ref(), at);
    }

    /// Completes when it has expired.
    pub async fn expired(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.readable().await?;
            let mut count = [0_u8; 8];
            // SAFETY: pointer and length describe `count`.
            let read = unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
            if read == 8 {
                return Ok(());
            }
            guard.clear_ready();
        }
    }
}

/// A timer that is not set, as a descriptor to wait on.
pub(crate) fn descriptor() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is ours from here on.
    unsafe {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        Ok(OwnedFd::from_raw_fd(check(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?))
    }
}

/// Sets such a descriptor.
pub(crate) fn set(fd: &OwnedFd, at: Instant) {
    let mut wanted = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec { tv_sec: 0, tv_nsec: 0 },
    };
    if !at.is_never() {
        // Zero would switch it off.
        let wait = at.nanos().saturating_sub(clock::now().nanos()).max(1);
        wanted.it_value.tv_sec = (wait / 1_000_000_000) as libc::time_t;
        wanted.it_value.tv_nsec = (wait % 1_000_000_000) as libc::c_long;
    }
    // SAFETY: `wanted` is a valid value that the kernel only reads; it may write no old value.
    let result = unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const wanted, std::ptr::null_mut()) };
    debug_assert_eq!(result, 0, "a valid time on a timer of ours");
}
