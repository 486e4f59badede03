//! Rights: what is said when they are missing, and how they are given up.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use thru_os::privileges::{self, Identity, Keep};
use thru_os::{capture, namespace};

use crate::args::captures::CaptureArgs;
use crate::failure::Failure;

/// `nobody` everywhere.
const NOBODY: Identity = Identity { user: 65_534, group: 65_534 };

/// The capture could not be opened.
pub(super) fn capture(args: &CaptureArgs, error: &io::Error) -> Failure {
    let name = &args.interface;
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let program = std::env::current_exe().map_or("thru".into(), |path| path.display().to_string());
            Failure::undecided(
                format!("cannot listen on `{name}`: permission denied"),
                format!("run it with sudo, or give it the right once: sudo setcap cap_net_raw=ep {program}"),
            )
        }
        io::ErrorKind::NotFound => {
            let names = capture::interfaces().unwrap_or_default();
            let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
            Failure::usage(
                format!("there is no interface `{name}`"),
                format!("there are {} and any", names.join(", ")),
            )
        }
        io::ErrorKind::NetworkDown => Failure::undecided(
            format!("cannot listen on `{name}`: it is switched off"),
            format!("switch it on: sudo ip link set {name} up"),
        ),
        _ => by_system(&format!("listen on `{name}`"), error),
    }
}

/// Something else that the system refuses.
pub(super) fn by_system(what: &str, error: &io::Error) -> Failure {
    Failure::undecided(format!("cannot {what}: {error}"), "")
}

/// Who to be once the socket stands; `None`: who we are.
pub(super) fn identity(args: &CaptureArgs) -> Result<Option<Identity>, Failure> {
    if let Some(name) = &args.user {
        let found = privileges::identity(name);
        return found.map(Some).ok_or_else(|| {
            Failure::usage(format!("there is no user `{name}`"), "-Z takes a user's name or number")
        });
    }
    if namespace::user() != 0 {
        return Ok(None);
    }
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    if let (Some(user), Some(group)) = (number("SUDO_UID"), number("SUDO_GID")) {
        let identity = Identity { user, group };
        return identity.is_somebody().then_some(Some(identity)).ok_or_else(|| {
            Failure::usage(
                "SUDO_UID and SUDO_GID name nobody",
                "say who to be as soon as the socket stands: -Z USER",
            )
        });
    }
    // Later files of a ring are made, and old ones taken away, after the rights are gone.
    let folder = args.write.as_deref().and_then(Path::parent);
    let folder = folder.map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let owner = folder.and_then(|path| std::fs::metadata(path).ok());
    Ok(Some(owner.map_or(NOBODY, |owner| Identity { user: owner.uid(), group: owner.gid() })))
}

/// Gives the rights up. In a namespace of users there may be nobody else to be: then only the capabilities go.
pub(super) fn give_up(args: &CaptureArgs, identity: Option<Identity>, keep: Keep) -> Result<(), Failure> {
    let given = privileges::give_up(identity, keep);
    let given = match given {
        Err(_) if args.user.is_none() => privileges::give_up(None, keep),
        given => given,
    };
    given.map_err(|error| by_system("give up the rights that were needed to listen", &error))
}
