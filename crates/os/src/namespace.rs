//! Fresh namespaces (namespaces(7)): a network of one's own, without root where the kernel lets users make user
//! namespaces.
//!
//! [`enter`] changes the calling process and must come before any thread is started; [`NetworkNamespace::within`] runs one call on a
//! thread of its own in another network namespace.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::device::check;

/// A network namespace that lives as long as somebody holds it.
#[derive(Debug)]
pub struct NetworkNamespace(OwnedFd);

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl NetworkNamespace {
    /// The one this thread is in.
    pub fn current() -> io::Result<NetworkNamespace> {
        Ok(NetworkNamespace(fs::File::open("/proc/thread-self/ns/net")?.into()))
    }

    /// A new, empty one: only a loopback interface, which is up. Needs `CAP_SYS_ADMIN` in this user namespace.
    pub fn new() -> io::Result<NetworkNamespace> {
        let made = std::thread::Builder::new().name("namespace".to_owned()).spawn(|| {
            // SAFETY: no pointers; only this thread, which ends below, changes its namespace.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            loopback_up()?;
            NetworkNamespace::current()
        })?;
        made.join().map_err(|_| io::Error::other("the thread broke down"))?
    }

    /// Runs `call` on a thread of its own inside this namespace: sockets and devices opened there stay there.
    pub fn within<R: Send>(&self, call: impl FnOnce() -> R + Send) -> io::Result<R> {
        std::thread::scope(|scope| {
            let entered =
                std::thread::Builder::new().name("namespace".to_owned()).spawn_scoped(scope, || {
                    // SAFETY: the descriptor names a network namespace; only this thread moves there.
                    check(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) })?;
                    Ok(call())
                })?;
            entered.join().map_err(|_| io::Error::other("the thread broke down"))?
        })
    }
}

/// What [`enter`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// A user namespace: needed, and enough, where the user may not make the others directly.
    pub user: bool,
    /// A mount namespace whose mounts stay inside.
    pub mount: bool,
}

/// Moves this process into a fresh network namespace and into what else is asked for. In a user namespace the user
/// keeps number and groups, and children keep the rights over the new network (ambient capabilities).
///
/// Call it before any thread is started. Fails with `PermissionDenied` where users may not make namespaces.
pub fn enter(fresh: Fresh) -> io::Result<()> {
    // SAFETY: these calls take and give numbers only.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let mut flags = libc::CLONE_NEWNET;
    if fresh.user {
        flags |= libc::CLONE_NEWUSER;
    }
    if fresh.mount {
        flags |= libc::CLONE_NEWNS;
    }
    // SAFETY: no pointers. The process has one thread, as the caller promises; the kernel refuses otherwise.
    check(unsafe { libc::unshare(flags) })?;
    if fresh.user {
        // user_namespaces(7): who may not change groups may map one's own.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        raise_ambient()?;
    }
    if fresh.mount {
        // Nothing mounted here may show outside.
        mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE, None)?;
    }
    loopback_up()
}

fn loopback_up() -> io::Result<()> {
    let loopback = crate::netlink::link("lo")?;
    crate::netlink::set_up(loopback.index, true)
}

/// Shows `file` at `place` instead of what is there, in this mount namespace.
pub fn bind(file: &Path, place: &Path) -> io::Result<()> {
    mount(Some(file), place, libc::MS_BIND, None)
}

/// Shows an empty folder at `place` instead of what is there, in this mount namespace. What is written there is gone
/// with the namespace.
pub fn cover(place: &Path) -> io::Result<()> {
    mount(None, place, libc::MS_NOSUID | libc::MS_NODEV, Some(c"tmpfs"))
}

fn mount(
    source: Option<&Path>,
    target: &Path,
    flags: libc::c_ulong,
    kind: Option<&std::ffi::CStr>,
) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let source = source.map(text).transpose()?;
    let target = text(target)?;
    let source = source.as_ref().map_or(std::ptr::null(), |source| source.as_ptr());
    // SAFETY: the pointers are null or zero-terminated strings that live until the call returns.
    let kind = kind.map_or(std::ptr::null(), |kind| kind.as_ptr());
    check(unsafe { libc::mount(source, target.as_ptr(), kind, flags, std::ptr::null()) }).map(drop)
}

/// Makes the rights over the new network survive `exec` although the user is not root.
fn raise_ambient() -> io::Result<()> {
    const NET_BIND_SERVICE: u32 = 10;
    const NET_ADMIN: u32 = 12;
    const NET_RAW: u32 = 13;
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    // Effective, permitted and inheritable of numbers below 32, then of those above.
    let mut sets = [0_u32; 6];
    // SAFETY: the arrays have the layout of `__user_cap_header_struct` and two `__user_cap_data_struct`.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) } as libc::c_int)?;
    for capability in [NET_BIND_SERVICE, NET_ADMIN, NET_RAW] {
        sets[2] |= 1 << capability;
    }
    // SAFETY: as above; the kernel only reads.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) } as libc::c_int)?;
    for capability in [NET_BIND_SERVICE, NET_ADMIN, NET_RAW] {
        let (raise, none) = (libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, 0 as libc::c_ulong);
        // SAFETY: numbers only.
        check(unsafe {
            libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(capability), none, none)
        })?;
    }
    Ok(())
}

/// The effective user's number; 0 is root.
pub fn user() -> u32 {
    // SAFETY: takes nothing, gives a number.
    unsafe { libc::geteuid() }
}
