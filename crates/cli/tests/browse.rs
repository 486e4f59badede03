//! `thru read --browse` on a terminal: it shows packets, hears keys, and leaves the terminal as it was.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use thru_peers::pty::Pty;

const LEAVES: &str = "\u{1b}[?1049l";
const CURSOR: &str = "\u{1b}[?25h";

fn capture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests/data/tls.pcapng")
}

fn thru() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
    command.env("TERM", "xterm-256color").arg("read");
    command
}

#[test]
fn keys_are_heard_and_the_terminal_is_given_back() {
    let terminal = Pty::new(80, 24);
    let before = terminal.modes();
    let mut running = terminal.start(thru().arg(capture()).arg("--browse"));
    running.wait_for("40 packets");
    running.wait_for("192.168.1.23");
    running.wait_for("q quit");
    assert_ne!(terminal.modes(), before, "keys come as they are typed");
    running.send("/");
    running.wait_for("Enter");
    running.send("frame.number == 22\r");
    running.wait_for("ICMP");
    running.send("q");
    let (status, shown) = running.end();
    assert!(status.success(), "{status}: {shown}");
    assert!(shown.contains(LEAVES) && shown.contains(CURSOR), "{shown:?}");
    assert_eq!(terminal.modes(), before);
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    let terminal = Pty::new(60, 20);
    let before = terminal.modes();
    let mut running = terminal.start(thru().arg(capture()).arg("--browse"));
    running.wait_for("q quit");
    running.terminate();
    let (status, shown) = running.end();
    assert!(status.success(), "{status}: {shown}");
    assert!(shown.contains(LEAVES) && shown.contains(CURSOR), "{shown:?}");
    assert_eq!(terminal.modes(), before);
}

#[test]
fn a_pipe_can_be_looked_through() {
    const TEST: &str = "a_pipe_can_be_looked_through";
    let Some(setsid) = thru_peers::peer(TEST, "setsid", "util-linux") else { return };
    let terminal = Pty::new(80, 24);
    let line = format!("cat {} | {} read - --browse", capture().display(), env!("CARGO_BIN_EXE_thru"));
    let mut command = Command::new(setsid);
    command.args(["--ctty", "--wait", "sh", "-c", &line]).env("TERM", "xterm-256color");
    let mut running = terminal.start(&mut command);
    running.wait_for("standard input");
    running.wait_for("q quit");
    running.send("q");
    let (status, shown) = running.end();
    assert!(status.success() && shown.contains(LEAVES), "{status}: {shown}");
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = thru().arg(capture()).arg("--browse").stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: --browse needs a terminal"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_mouse_chooses_and_what_passes_is_written() {
    let terminal = Pty::new(80, 24);
    let folder = std::env::temp_dir().join(format!("thru-browse-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let part = folder.join("part.pcapng");
    let mut running = terminal.start(thru().arg(capture()).args(["--browse", "-Y", "tcp"]));
    running.wait_for("q quit");
    // A packet of the list, three further, and a name for those that pass.
    running.send("\u{1b}[<0;10;6M\u{1b}[<0;10;6m\u{1b}[<65;10;6M");
    running.send(&format!("w{}\r", part.display()));
    running.send("q");
    let (status, shown) = running.end();
    assert!(status.success(), "{status}: {shown}");
    assert!(shown.contains("\u{1b}[?1000l"), "the mouse is the terminal's again: {shown:?}");
    let numbers = |file: &std::path::Path, filter: &str| {
        let output = thru().arg(file).args(["-Y", filter, "-f", "frame.len"]).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(numbers(&part, "frame"), numbers(&capture(), "tcp"));
    assert!(!numbers(&part, "http2").is_empty(), "its secrets came along");
    std::fs::remove_dir_all(&folder).expect("gone");
}
