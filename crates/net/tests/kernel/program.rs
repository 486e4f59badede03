//! Real programs in a place, and folders for their files.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

pub(crate) use thru_peers::Folder;

use crate::place::Place;

/// A server that is stopped when dropped, and what it says.
pub(crate) struct Server {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Server {
    /// Starts a program in the place; it is ready when it says `ready`. It ends by itself rather than let us wait.
    pub(crate) fn start(place: &Place, program: &Path, arguments: &[&str], ready: &str) -> Server {
        let mut child = place
            .within(|| {
                Command::new("timeout").arg("120").arg(program).args(arguments).stderr(Stdio::piped()).spawn()
            })
            .expect("it runs");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut server = Server { child, said };
        server.wait_for(ready);
        server
    }

    /// Reads until a line with this text comes.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).expect("it talks");
            assert!(read > 0, "it ended without saying `{text}`:\n{all}");
            if line.contains(text) {
                return line;
            }
            all += &line;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        thru_os::process::terminate(&self.child);
        let _ = self.child.wait();
    }
}
