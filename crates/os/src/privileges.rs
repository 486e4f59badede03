//! Giving up rights that are not needed any more (capabilities(7)).

use std::io;

use crate::device::check;

/// Rights that may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// To see whose sockets are whose: `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH`.
    pub inspection: bool,
}

/// A user and his group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User number.
    pub user: u32,
    /// Group number.
    pub group: u32,
}

const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SYS_PTRACE: u32 = 19;
const VERSION_3: u32 = 0x2008_0522;

/// Becomes `identity` (who is root may; `None`: stays who one is), gives up every capability but those to `keep`, and
/// the way back: no program that is started later gains rights. For this thread, so call it before others are started.
///
/// # Errors
/// The kernel refuses; then nothing should go on.
pub fn give_up(identity: Option<Identity>, keep: Keep) -> io::Result<()> {
    let (on, none) = (1 as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: numbers only.
    unsafe {
        // Otherwise changing the user clears what is to be kept, too.
        check(libc::prctl(libc::PR_SET_KEEPCAPS, on, none, none, none))?;
        // Kernels without ambient capabilities have none to clear.
        let _ = libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong,
            none,
            none,
            none,
        );
    }
    if let Some(Identity { user, group }) = identity {
        // SAFETY: the list of groups has the one entry that is told.
        unsafe {
            check(libc::setgroups(1, &raw const group))?;
            check(libc::setresgid(group, group, group))?;
            check(libc::setresuid(user, user, user))?;
        }
    }
    let wanted = if keep.inspection { 1 << CAP_DAC_READ_SEARCH | 1 << CAP_SYS_PTRACE } else { 0 };
    let mut header = [VERSION_3, 0];
    // Effective, permitted and inheritable of numbers below 32, then of those above.
    let mut sets = [0_u32; 6];
    // SAFETY: the arrays have the layout of `__user_cap_header_struct` and two `__user_cap_data_struct`.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) } as libc::c_int)?;
    let kept = sets[1] & wanted;
    sets = [kept, kept, 0, 0, 0, 0];
    // SAFETY: as above; the kernel only reads.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) } as libc::c_int)?;
    // SAFETY: numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, none, none, none) }).map(drop)
}

/// A user by name or number.
pub fn identity(name: &str) -> Option<Identity> {
    if let Ok(user) = name.parse() {
        return Some(Identity { user, group: user });
    }
    let line = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = line.lines().find(|line| line.split(':').next() == Some(name))?.to_owned();
    let mut fields = entry.split(':').skip(2);
    Some(Identity { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}
