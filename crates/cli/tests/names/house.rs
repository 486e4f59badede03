//! A namespace, servers in it, and zones from the root down.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

pub(crate) use thru_peers::Folder;
use thru_peers::{is_root, not_run};

/// The name of the variable that tells a test that it is inside.
const INSIDE: &str = "THRU_NAMES_INSIDE";

/// Whether the test is to go on: in a network namespace of its own, with loopback up. Otherwise it runs again in one,
/// as a process of its own, and the caller returns.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.is_ok_and(|status| status.success()), "loopback comes up");
        return true;
    }
    let user: &[&str] = if is_root() { &[] } else { &["--user", "--map-root-user"] };
    let unshare = |program: &Path, words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(user).args(["--net", "--"]).arg(program).args(words).env(INSIDE, "1");
        command
    };
    let possible = unshare(Path::new("ip"), &["link"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        not_run(test, "no network namespace can be made here: run it as root, with iproute2");
        return false;
    }
    let program = std::env::current_exe().expect("a test knows its program");
    let status = unshare(&program, &["--exact", test, "--nocapture"]).status().expect("unshare runs");
    assert!(status.success(), "{test} failed inside its namespace");
    false
}

/// A running `thru serve dns`; ended when dropped.
pub(crate) struct Server {
    child: Child,
    talk: BufReader<ChildStderr>,
    /// What it wrote to standard output before it was ready: DS records.
    pub(crate) told: String,
}

impl Server {
    pub(crate) fn start(folder: &Folder, control: &str, words: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_thru"))
            .args(["serve", "dns", "--control", &folder.path(control)])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut talk = BufReader::new(child.stderr.take().expect("piped"));
        let mut heard = String::new();
        while !heard.contains("orders are taken") {
            assert!(talk.read_line(&mut heard).is_ok_and(|count| count > 0), "it ended: {heard}");
        }
        // What stands on standard output was written before.
        let mut told = String::new();
        if words.iter().any(|word| word.starts_with("--sign")) {
            let mut out = BufReader::new(child.stdout.as_mut().expect("piped"));
            out.read_line(&mut told).expect("a DS record");
        }
        Server { child, talk, told }
    }

    /// Memory in use, in kilobytes.
    #[allow(dead_code, reason = "for measuring by hand")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts it; what it said last.
    pub(crate) fn end(mut self) -> String {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().expect("kill is everywhere");
        assert!(killed.success() && self.child.wait().expect("it ends").success());
        let mut said = String::new();
        self.talk.read_to_string(&mut said).expect("it talks");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of others, ended with the test.
pub(crate) struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// Starts it and waits until it says `ready`, or another of the words between `|`.
    pub(crate) fn start(command: &mut Command, ready: &str) -> Daemon {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let daemon = Daemon(child);
        let mut heard = Vec::new();
        loop {
            let Some(Ok(line)) = lines.next() else { panic!("it ended: {heard:#?}") };
            let found = ready.split('|').any(|word| line.contains(word));
            heard.push(line);
            if found {
                break;
            }
        }
        // Someone has to go on reading, or it blocks on a full pipe. THRU_TALK=1 shows what is read.
        let shown = std::env::var_os("THRU_TALK").is_some();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|_| shown).for_each(|line| eprintln!("{line}"))
        });
        daemon
    }
}

/// Anything that is to live as long as the test.
pub(crate) trait Held: Send {}
impl<T: Send> Held for T {}

/// Runs a program; both its outputs, as text.
pub(crate) fn run(program: impl AsRef<std::ffi::OsStr>, words: &[&str]) -> String {
    let Output { stdout, stderr, .. } = Command::new(program).args(words).output().expect("it runs");
    String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)
}

/// `thru` itself.
pub(crate) fn thru(words: &[&str]) -> String {
    run(env!("CARGO_BIN_EXE_thru"), words)
}

/// Whether the text has all of these words; panics with what is missing.
#[track_caller]
pub(crate) fn expect(what: &str, text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{what}: no `{word}` in\n{text}");
    }
}

/// A zone's head.
pub(crate) fn head(origin: &str, address: &str) -> String {
    let dot = if origin == "." { "." } else { &format!(".{origin}") };
    format!(
        "{origin} 300 IN SOA ns{dot} admin{dot} 7 3600 900 604800 60\n{origin} 300 IN NS ns{dot}\nns{dot} 300 IN A {address}\n"
    )
}

/// The root, `land` and `shop.land`, each signed by its own server; the root's address is 127.53.0.1. The resolver's
/// words for hints and anchor come along.
pub(crate) struct Tree {
    #[expect(dead_code, reason = "it serves as long as it is held")]
    servers: Vec<Server>,
    pub(crate) hints: String,
    pub(crate) anchor: String,
}

impl Tree {
    /// `leaves`: further delegations in `land`, as records.
    pub(crate) fn plant(folder: &Folder, shop: &str, leaves: &str, chain: &[&str]) -> Tree {
        let file = folder.write("shop.zone", &(head("shop.land.", "127.53.0.3") + shop));
        let mut words = vec!["--listen", "127.53.0.3", "--zone", &file, "--transfer", "127.0.0.1/32"];
        words.extend(chain);
        let leaf = Server::start(folder, "leaf.sock", &words);
        let delegation = "shop.land. 300 IN NS ns.shop.land.\nns.shop.land. 300 IN A 127.53.0.3\n";
        let text = head("land.", "127.53.0.2") + delegation + &leaf.told + leaves;
        let file = folder.write("land.zone", &text);
        let top = Server::start(folder, "top.sock", &["--listen", "127.53.0.2", "--zone", &file, "--sign"]);
        let delegation = "land. 300 IN NS ns.land.\nns.land. 300 IN A 127.53.0.2\n";
        let file = folder.write("root.zone", &(head(".", "127.53.0.1") + delegation + &top.told));
        let root = Server::start(folder, "root.sock", &["--listen", "127.53.0.1", "--zone", &file, "--sign"]);
        let hints = folder.write("hints", ". 300 IN NS ns.\nns. 300 IN A 127.53.0.1\n");
        let anchor = folder.write("anchor", &root.told);
        Tree { servers: vec![leaf, top, root], hints, anchor }
    }

    /// The words of a resolver that begins here.
    pub(crate) fn resolver(&self) -> [&str; 4] {
        ["--root-hints", &self.hints, "--anchor", &self.anchor]
    }
}
