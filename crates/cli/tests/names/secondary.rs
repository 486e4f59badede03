//! BIND as a secondary of ours.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::house::{Folder, run};

/// Where the primary listens.
pub(crate) const PRIMARY: &str = "127.0.0.1";
/// Where the secondary does.
pub(crate) const SECONDARY: &str = "127.0.0.21";

/// BIND as a secondary; what it says is read as far as it is waited for.
pub(crate) struct Secondary {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Drop for Secondary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Secondary {
    /// Copies this zone from the primary.
    pub(crate) fn start(folder: &Folder, zone: &str) -> Secondary {
        run("ip", &["address", "add", &format!("{SECONDARY}/32"), "dev", "lo"]);
        let text = format!(
            "options {{ directory \"{}\"; listen-on {{ {SECONDARY}; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; recursion no; allow-query {{ any; }}; allow-transfer {{ any; }}; allow-notify {{ any; }}; }};\n\
             controls {{ }};\nzone \"{zone}\" {{ type secondary; primaries {{ {PRIMARY}; }}; file \"copy\"; }};\n",
            folder.0.display()
        );
        let config = folder.write("named.conf", &text);
        let mut child = Command::new("named")
            .args(["-g", "-4", "-n", "1", "-c", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        Secondary { child, lines }
    }

    /// Reads on until it has this version; how many records came for it.
    pub(crate) fn has(&mut self, serial: u64) -> usize {
        let wanted = format!("transferred serial {serial}");
        let (mut heard, mut there) = (Vec::new(), false);
        for line in self.lines.by_ref().map_while(Result::ok) {
            there |= line.contains(&wanted);
            if there && let Some((_, rest)) = line.split_once("Transfer completed: ") {
                let mut words = rest.split(' ');
                return words.nth(2).and_then(|count| count.parse().ok()).expect("a count of records");
            }
            heard.push(line);
        }
        panic!("no `{wanted}` in {heard:#?}");
    }
}
