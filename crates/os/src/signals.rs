//! Signals as a descriptor to wait on (signalfd(2)), for loops that wait for something else, too.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::device::check;

/// What a person or the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To end: SIGINT, SIGTERM or SIGHUP.
    End,
    /// To tell how it goes: SIGUSR1.
    Tell,
}

/// Signals that arrive here instead of ending the process, as long as the process lives.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Takes them over, for this thread and those it starts afterwards.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new() -> io::Result<Signals> {
        // SAFETY: the set is made by `sigemptyset` before anything else is done with it.
        unsafe {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            check(libc::sigemptyset(&raw mut set))?;
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
                check(libc::sigaddset(&raw mut set, signal))?;
            }
            let code = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            if code != 0 {
                return Err(io::Error::from_raw_os_error(code));
            }
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            Ok(Signals(OwnedFd::from_raw_fd(check(libc::signalfd(-1, &raw const set, flags))?)))
        }
    }

    /// What can be waited on: readable when a signal has come.
    pub fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    /// The next one that has come.
    pub fn take(&self) -> Option<Signal> {
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        // SAFETY: pointer and length describe `info`.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), info.len()) };
        if usize::try_from(read).ok()? < info.len() {
            return None;
        }
        let number = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
        Some(if number == libc::SIGUSR1 as u32 { Signal::Tell } else { Signal::End })
    }
}

/// Ends this process as if the signal of this number had met nobody who wanted it: whoever waits for us learns why.
pub fn end_by(number: i32) -> ! {
    // SAFETY: numbers only. The handler is the system's own, and raising it is what this is for.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(number);
    }
    // A signal that ends nobody.
    std::process::exit(128 + number)
}
