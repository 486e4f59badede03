//! Programs that run beside the test, and what they say.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Who does nothing for so long is stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// A program ends by itself after so many seconds rather than outlive a test that was killed. Many scenes at once on a busy
/// machine take minutes.
const LIFE: &str = "900";

/// When a server can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    /// When somebody listens on this port of TCP.
    Tcp(u16),
    /// When somebody holds this port of UDP.
    Udp(u16),
    /// When it has said this.
    Says(&'static str),
    /// At once.
    Now,
}

/// What was said so far, and whether that was all.
#[derive(Default)]
struct Heard {
    text: String,
    is_over: bool,
}

/// A program; it is asked to end when this is dropped.
pub(crate) struct Program {
    child: Child,
    name: String,
    input: Option<ChildStdin>,
    is_open: bool,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    /// What was waited for lies before.
    place: usize,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts it in the network where this is called.
    pub(crate) fn start(command: &Command) -> Program {
        let (from, to) = std::io::pipe().expect("a pipe");
        let mut limited = Command::new("timeout");
        limited.args(["--kill-after=15", LIFE]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            limited.current_dir(folder);
        }
        limited.stdin(Stdio::piped()).stdout(to.try_clone().expect("a descriptor")).stderr(to);
        let mut child = limited.spawn().expect("timeout runs");
        drop(limited);
        let heard = Arc::<(Mutex<Heard>, Condvar)>::default();
        let told = heard.clone();
        let reader = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            loop {
                line.clear();
                let count = from.read_until(b'\n', &mut line).unwrap_or(0);
                let mut heard = told.0.lock().expect("nobody panicked");
                heard.text += &String::from_utf8_lossy(&line);
                heard.is_over = count == 0;
                told.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Program {
            child,
            name: format!("{command:?}"),
            input,
            is_open: false,
            heard,
            place: 0,
            reader: Some(reader),
        }
    }

    /// Waits until it is ready.
    pub(crate) fn wait(&mut self, ready: Ready) {
        match ready {
            Ready::Now => {}
            Ready::Says(words) => self.wait_for(words),
            Ready::Tcp(port) => self.wait_listening("tcp", "0A", port),
            Ready::Udp(port) => self.wait_listening("udp", "07", port),
        }
    }

    /// Waits until it has said this, behind what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        let (heard, changed) = &*self.heard;
        let begin = Instant::now();
        let mut heard = heard.lock().expect("nobody panicked");
        loop {
            if let Some(found) = heard.text[self.place..].find(words) {
                self.place += found + words.len();
                return;
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let is_over = heard.is_over || left.is_zero();
            assert!(!is_over, "{} never said `{words}`:\n{}", self.name, heard.text);
            heard = changed.wait_timeout(heard, left).expect("nobody panicked").0;
        }
    }

    /// Waits until the kernel's table of sockets has one on this port. The kernel tells nobody when it has.
    fn wait_listening(&mut self, table: &str, state: &str, port: u16) {
        let begin = Instant::now();
        let port = format!(":{port:04X}");
        let has = |name: String| {
            let text = fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
            text.lines().skip(1).any(|line| {
                let columns: Vec<&str> = line.split_whitespace().collect();
                columns.get(1).is_some_and(|own| own.ends_with(&port)) && columns.get(3) == Some(&state)
            })
        };
        while !has(table.to_owned()) && !has(format!("{table}6")) {
            let heard = self.heard.0.lock().expect("nobody panicked");
            let is_over = heard.is_over || begin.elapsed() > PATIENCE;
            assert!(!is_over, "{} never listened on {port}:\n{}", self.name, heard.text);
            drop(self.heard.1.wait_timeout(heard, Duration::from_millis(5)));
        }
    }

    /// Types this.
    pub(crate) fn types(&mut self, keys: &str) {
        let input = self.input.as_mut().expect("its input is open");
        // It may have ended already, which shows in what it said.
        let _ = input.write_all(keys.as_bytes()).and_then(|()| input.flush());
    }

    /// Lets it read on when its end is waited for: it decides itself when it has had enough.
    pub(crate) fn stays_open(&mut self) {
        self.is_open = true;
    }

    /// Waits for its end, with nothing more to read for it: whether that was a good one, and all that it said.
    pub(crate) fn end(mut self) -> (bool, String) {
        let input = self.input.take().filter(|_| self.is_open);
        let status = self.child.wait().expect("it is our child");
        drop(input);
        self.reader.take().map(JoinHandle::join);
        let mut text = std::mem::take(&mut self.heard.0.lock().expect("nobody panicked").text);
        if !status.success() {
            text += &format!("({}: {status})\n", self.name);
        }
        (status.success(), text)
    }

    /// Asks it to end as ^C does, and waits for that.
    pub(crate) fn interrupt(self) -> (bool, String) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill runs");
        self.end()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.reader.is_some() {
            thru_os::process::terminate(&self.child);
            let _ = self.child.wait();
        }
    }
}
