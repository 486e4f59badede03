//! A pseudo-terminal to run programs on, as a person would.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

/// A program that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal. Panics tell what could not be had: a test cannot go on without.
#[derive(Debug)]
pub struct Pty {
    ours: File,
    theirs: File,
}

impl Pty {
    /// A terminal of so many columns and lines.
    pub fn new(columns: u16, lines: u16) -> Pty {
        let ours =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).expect("it is ours");
        unlockpt(&ours).expect("it can be opened");
        let path = ptsname(&ours, Vec::new()).expect("it has a name");
        let path = path.to_str().expect("a plain name");
        let theirs = File::options().read(true).write(true).open(path).expect("it can be opened");
        let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&theirs, size).expect("it has a size");
        Pty { ours: File::from(ours), theirs }
    }

    /// How the terminal treats what is typed and shown, to be compared.
    pub fn modes(&self) -> String {
        let modes = tcgetattr(&self.theirs).expect("it is a terminal");
        format!("{:?} {:?} {:?}", modes.input_modes, modes.output_modes, modes.local_modes)
    }

    /// Runs a program on the terminal.
    pub fn start(&self, command: &mut Command) -> Running<'_> {
        let end = || Stdio::from(self.theirs.try_clone().expect("a descriptor"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it runs");
        Running { pty: self, child, shown: Vec::new() }
    }
}

/// A program on a terminal.
#[derive(Debug)]
pub struct Running<'a> {
    pty: &'a Pty,
    child: Child,
    shown: Vec<u8>,
}

impl Running<'_> {
    /// Waits until this was shown, behind what was waited for before.
    pub fn wait_for(&mut self, words: &str) {
        let start = Instant::now();
        loop {
            let place = self.shown.windows(words.len()).position(|part| part == words.as_bytes());
            if let Some(place) = place {
                self.shown.drain(..place + words.len());
                return;
            }
            self.read(start, words);
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        (&self.pty.ours).write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Asks the program to end, as `kill` does.
    pub fn terminate(&mut self) {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).expect("it runs");
    }

    /// Waits for its end: how it ended, and what was shown since the last wait.
    pub fn end(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        loop {
            let ended = self.child.try_wait().expect("it is our child");
            if !self.read(start, "its end")
                && let Some(status) = ended
            {
                return (status, String::from_utf8_lossy(&self.shown).into_owned());
            }
        }
    }

    /// Takes what is shown within a moment; `false`: nothing.
    fn read(&mut self, start: Instant, what: &str) -> bool {
        if start.elapsed() > PATIENCE {
            let _ = self.child.kill();
            panic!("waited in vain for {what:?}; shown: {:?}", String::from_utf8_lossy(&self.shown));
        }
        let mut descriptors = [PollFd::new(&self.pty.ours, PollFlags::IN)];
        let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        if poll(&mut descriptors, Some(&moment)).unwrap_or(0) == 0 {
            return false;
        }
        let mut buffer = [0; 4096];
        let count = (&self.pty.ours).read(&mut buffer).unwrap_or(0);
        self.shown.extend_from_slice(&buffer[..count]);
        count > 0
    }
}
