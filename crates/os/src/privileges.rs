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
        set_groups(&[group])?;
        // SAFETY: numbers only.
        unsafe {
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

/// Runs `work` with the rights to files that `identity` has, and no more: owner, group and the bypassing of both. For
/// this thread, and only while no other runs: the list of groups is of the whole process.
///
/// # Errors
/// The kernel lets us be nobody else; then `work` has not run. Or we are no longer who we were; then nothing should go on.
pub fn acting_as<T>(identity: Identity, work: impl FnOnce() -> T) -> io::Result<T> {
    let groups = groups()?;
    set_groups(&[identity.group])?;
    // SAFETY: numbers only. Neither call tells of an error; what they give is who one was.
    let before = unsafe {
        let group = libc::setfsgid(identity.group) as u32;
        Identity { user: libc::setfsuid(identity.user) as u32, group }
    };
    let done = (files_identity() == identity).then(work);
    // SAFETY: numbers only.
    unsafe {
        libc::setfsuid(before.user);
        libc::setfsgid(before.group);
    }
    set_groups(&groups)?;
    if files_identity() != before {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    done.ok_or_else(|| io::ErrorKind::PermissionDenied.into())
}

/// Whose rights to files this thread has.
fn files_identity() -> Identity {
    // SAFETY: numbers only; there is no user -1, so that nothing changes.
    unsafe { Identity { user: libc::setfsuid(u32::MAX) as u32, group: libc::setfsgid(u32::MAX) as u32 } }
}

/// The groups this process has besides its own.
fn groups() -> io::Result<Vec<libc::gid_t>> {
    // SAFETY: without room, only their number is told.
    let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; count as usize];
    // SAFETY: there is room for as many as are told.
    let count = check(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(count as usize);
    Ok(groups)
}

fn set_groups(groups: &[libc::gid_t]) -> io::Result<()> {
    // SAFETY: pointer and length describe `groups`.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(drop)
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
