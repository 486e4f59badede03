//! For tests: real programs to talk to, installed when they can be, and a loud word when not.
//!
//! A protocol works when it has talked to software that we did not write. Tests ask for a program with [`peer`];
//! on a machine with root and apt it is installed on the spot, elsewhere the test says what did not run
//! ([`not_run`]) and returns. The test script counts those lines and prints them last.

mod folder;
pub mod pty;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub use folder::Folder;

/// The program, installed from Debian's `package` if it has to be and can be. `None`: the caller returns; it has
/// been said loudly that `test` did not run.
pub fn peer(test: &str, program: &str, package: &str) -> Option<PathBuf> {
    if let Some(path) = find(program) {
        return Some(path);
    }
    // One installation at a time, whatever number of test processes run.
    let lock = File::create(std::env::temp_dir().join("thru-peers.lock")).ok();
    let _held = lock.as_ref().map(|lock| lock.lock());
    if find(program).is_none() {
        install(package);
    }
    let found = find(program);
    if found.is_none() {
        not_run(test, &format!("`{program}` is not here; install the package `{package}`"));
    }
    found
}

/// Says loudly that `test` did not run, and why. It reaches the terminal although the test harness captures output,
/// and the file named by `THRU_NOT_RUN`, if there is one.
pub fn not_run(test: &str, why: &str) {
    let line = format!("DID NOT RUN: {test}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("THRU_NOT_RUN")
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = file.write_all(line.as_bytes());
    }
}

/// Whether this process may make network namespaces and install packages.
pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn install(package: &str) {
    if !is_root() || find("apt-get").is_none() {
        return;
    }
    let apt = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let arguments = ["install", "-y", "--no-install-recommends", package];
    // The package list may be old or missing: fetch it once and try again.
    if !apt(&arguments) && apt(&["update"]) {
        apt(&arguments);
    }
}

/// Whether `test` may make network namespaces here and now: as root, or inside a user namespace. Otherwise the test
/// runs again inside a user namespace of its own, as a process of its own, and the caller returns; where that can't be
/// had either, it is said loudly that it did not run. `test` is its whole name, as `cargo test -- --exact` wants it.
pub fn may_make_networks(test: &str) -> bool {
    const INSIDE: &str = "THRU_TEST_NAMESPACE";
    if is_root() || std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "--"])
            .arg(program)
            .args(arguments)
            .env(INSIDE, "1");
        command
    };
    let possible = unshare(std::path::Path::new("true"), &[]).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        not_run(test, "this user may not make user namespaces: run it as root");
        return false;
    }
    let program = std::env::current_exe().expect("a test knows its program");
    let status = unshare(&program, &["--exact", test, "--nocapture"]).status();
    assert!(status.is_ok_and(|status| status.success()), "{test} failed inside its user namespace");
    false
}

/// Python with a module from PyPI, installed for these tests alone if it has to be and can be. `None`: the caller
/// returns; it has been said loudly that `test` did not run.
pub fn python(test: &str, module: &str, package: &str) -> Option<Command> {
    let python = peer(test, "python3", "python3")?;
    let folder = std::env::temp_dir().join("thru-peers-python").join(package);
    let with_folder = || {
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", &folder);
        command
    };
    let quiet = |command: &mut Command| {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let import = format!("import {module}");
    let is_there = || quiet(with_folder().args(["-c", &import]));
    // One installation at a time, whatever number of test processes run.
    let lock = File::create(std::env::temp_dir().join("thru-peers.lock")).ok();
    let _held = lock.as_ref().map(|lock| lock.lock());
    if !is_there() {
        quiet(Command::new(&python).args(["-m", "pip", "install", "--target"]).arg(&folder).arg(package));
    }
    if is_there() {
        return Some(with_folder());
    }
    not_run(test, &format!("Python's module `{module}` is not here: pip install {package}"));
    None
}
