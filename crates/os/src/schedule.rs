//! How soon the kernel lets us run: for those who have promised to be on time.

use std::io;

/// Runs this thread before all ordinary ones whenever it has something to do (sched(7), `SCHED_FIFO`), and keeps its
/// memory from being paged out. Needs `CAP_SYS_NICE`; without, nothing changes and the error says so.
pub fn be_punctual() -> io::Result<()> {
    // Below the kernel's own threads, which bring us our packets.
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: `priority` is a valid value that the kernel only reads; 0 is this thread.
    crate::device::check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) })?;
    // SAFETY: numbers only. Without the right to lock so much, paging stays as it was.
    let _ = unsafe { libc::mlockall(libc::MCL_CURRENT) };
    Ok(())
}

/// Keeps this thread, and those it starts afterwards, on the processor that it runs on now.
pub fn stay_here() -> io::Result<()> {
    // SAFETY: a set of processors is plain bits, for which zero is "none"; the kernel only reads it, and 0 is this thread.
    crate::device::check(unsafe {
        let processor = usize::try_from(crate::device::check(libc::sched_getcpu())?).unwrap_or_default();
        let mut only = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut only);
        libc::sched_setaffinity(0, size_of_val(&only), &raw const only)
    })
    .map(drop)
}
