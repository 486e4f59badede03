//! Child processes that do not outlive us.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Lets the child be terminated when the thread that starts it ends, whatever ends it (prctl(2), `PR_SET_PDEATHSIG`).
pub fn bound(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec only an async-signal-safe system call is made.
    unsafe {
        command.pre_exec(|| {
            let signal = libc::SIGTERM as libc::c_ulong;
            crate::device::check(libc::prctl(libc::PR_SET_PDEATHSIG, signal)).map(drop)
        })
    }
}

/// Asks a child to end (SIGTERM).
pub fn terminate(child: &Child) {
    if let Ok(id) = libc::pid_t::try_from(child.id()) {
        // SAFETY: numbers only. The child was not waited for, so the number is still its own.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
}
