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

/// The number that stands for nobody in calls that change the user: with it they change nothing.
const NO_USER: u32 = u32::MAX;

/// A user by name or number, with the group of his account. A number without an account has the group of that number.
pub fn identity(name: &str) -> Option<Identity> {
    identity_in(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), name)
}

fn identity_in(accounts: &str, name: &str) -> Option<Identity> {
    let number: Option<u32> = name.parse().ok();
    let account = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (called, _, user, group) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (user, group) = (user.parse().ok()?, group.parse().ok()?);
        (called == name || number == Some(user)).then_some(Identity { user, group })
    });
    let alone = || number.map(|user| Identity { user, group: user });
    account.or_else(alone).filter(|found| found.is_somebody())
}

impl Identity {
    /// Whether one can be this: user and group are numbers that somebody can have.
    pub fn is_somebody(self) -> bool {
        self.user != NO_USER && self.group != NO_USER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_go_by_name_or_number() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:/bin/sh\n";
        let ann = Some(Identity { user: 1000, group: 100 });
        assert_eq!(identity_in(accounts, "ann"), ann);
        assert_eq!(identity_in(accounts, "1000"), ann, "with the group of the account");
        assert_eq!(identity_in(accounts, "4242"), Some(Identity { user: 4242, group: 4242 }));
        assert_eq!(identity_in(accounts, "bob"), None);
        assert_eq!(identity_in(accounts, "4294967295"), None, "setresuid(2) would change nothing");
    }
}
