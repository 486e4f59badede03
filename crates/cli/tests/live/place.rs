//! Two hosts on one wire, each in a network namespace of its own: real programs on both, our capture at the near end.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;

use crate::program::{PATIENCE, Program, Ready};

/// The near host's addresses.
pub(crate) const NEAR: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// The far host's addresses.
pub(crate) const FAR: [&str; 2] = ["192.0.2.2", "2001:db8::2"];

/// A host.
pub(crate) struct Host {
    namespace: NetworkNamespace,
}

impl Host {
    fn new() -> Host {
        Host { namespace: NetworkNamespace::new().expect("who may make networks gets one") }
    }

    /// Runs `call` where the host's sockets are.
    pub(crate) fn within<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        self.namespace.within(call).expect("a namespace that lives can be entered")
    }

    /// Starts a program that goes on, and waits until it is ready.
    pub(crate) fn start(&self, command: &mut Command, ready: Ready) -> Program {
        let mut program = self.within(|| Program::start(command));
        self.within(|| program.wait(ready));
        program
    }

    /// Runs a program to its end, whatever that is: what it said.
    pub(crate) fn tries(&self, command: &mut Command) -> String {
        self.within(|| Program::start(command)).end().1
    }

    /// Runs a program to its end, which has to be a good one: what it said.
    #[track_caller]
    pub(crate) fn runs(&self, command: &mut Command) -> String {
        let (is_well, said) = self.within(|| Program::start(command)).end();
        assert!(is_well, "{command:?} failed:\n{said}");
        said
    }
}

/// What cannot be had here, which keeps a scene from being played.
#[derive(Debug)]
pub(crate) struct NotHere(pub(crate) String);

/// Where a scene is played.
pub(crate) struct Place {
    /// Where clients run, and the capture.
    pub(crate) near: Host,
    /// Where servers run.
    pub(crate) far: Host,
    /// For files; it vanishes.
    pub(crate) folder: PathBuf,
    /// Servers, stopped in the end.
    staying: RefCell<Vec<Program>>,
}

impl Place {
    pub(crate) fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("thru-live-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let (near, far) = (Host::new(), Host::new());
        let wire = || {
            netlink::add_veth("eth0", "far")?;
            netlink::move_to(netlink::link("far")?.index, &far.namespace)
        };
        near.within(wire).expect("a wire");
        far.within(|| rename("far", "eth0")).expect("it is there");
        near.within(|| configure(NEAR)).expect("addresses");
        far.within(|| configure(FAR)).expect("addresses");
        Place { near, far, folder, staying: RefCell::new(Vec::new()) }
    }

    /// A file in the folder, with this text.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
        fs::write(&path, text).expect("written");
        path
    }

    /// The path of a file in the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("a plain path").to_owned()
    }

    /// Waits until a file is there, which a program makes when it is ready; the kernel tells of each new one.
    #[track_caller]
    pub(crate) fn wait_for_file(&self, name: &str) {
        let begin = Instant::now();
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
        let news = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&watch, &self.folder, news).expect("the folder is there");
        while !self.folder.join(name).exists() {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let limit = Timespec::try_from(left).expect("it is short");
            let count =
                poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&limit)).expect("it can be polled");
            assert!(count > 0, "{name} was never made in {}", self.folder.display());
            let mut told = [0; 4096];
            rustix::io::read(&watch, &mut told).expect("something was told");
        }
    }

    /// Starts a server at the far end that stays until the scene is over.
    pub(crate) fn serve(&self, command: &mut Command, ready: Ready) {
        let server = self.far.start(command, ready);
        self.staying.borrow_mut().push(server);
    }

    /// A program that writes the secrets of its TLS connections where they are looked for.
    pub(crate) fn keyed<I: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        let mut command = command(program, arguments);
        command.env("SSLKEYLOGFILE", self.keys());
        command
    }

    /// Where programs write the secrets of TLS.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.join("keys.log")
    }

    /// Stops all servers.
    pub(crate) fn stop(&self) {
        self.staying.borrow_mut().clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop();
        if std::env::var_os("THRU_LIVE_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A program with arguments. It has no home, so that nobody's settings matter.
pub(crate) fn command<I: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("HOME", "/nonexistent").env("LC_ALL", "C").env_remove("SSLKEYLOGFILE");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    command
}

/// Words of a command line, split at blanks.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn rename(old: &str, new: &str) -> io::Result<()> {
    let status = command("ip", ["link", "set", old, "name", new]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("ip: {status}"))) }
}

/// Switches the wire on and gives it addresses, which can be used at once.
fn configure([v4, v6]: [&str; 2]) -> io::Result<()> {
    fs::write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0")?;
    let link = netlink::link("eth0")?;
    netlink::set_up(link.index, true)?;
    for address in [format!("{v4}/24"), format!("{v6}/64")] {
        netlink::add_address(link.index, address.parse().expect("an address"))?;
    }
    Ok(())
}
