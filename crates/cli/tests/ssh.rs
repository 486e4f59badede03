//! A real ssh between two hosts of one lab: a shell that is one of them runs OpenSSH's server, another shell its client.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

#[test]
fn ssh_from_one_host_of_a_lab_to_another() {
    let test = "ssh_from_one_host_of_a_lab_to_another";
    for (program, package) in [("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")] {
        if thru_peers::peer(test, program, package).is_none() {
            return;
        }
    }
    let Some(sshd) = thru_peers::peer(test, "sshd", "openssh-server") else { return };
    let house = House::new();
    let may = house.shell(&["--as", "desktop"], "true").output().expect("it runs");
    if may.status.code() == Some(3) {
        return thru_peers::not_run(test, String::from_utf8_lossy(&may.stderr).trim());
    }
    let configuration = house.keys_and_settings();
    // Root's server changes into this folder; the shell's mounts are its own, so nothing is left on the machine.
    let prepare =
        if thru_peers::is_root() { "mount -t tmpfs none /run && mkdir -p /run/sshd && " } else { "" };
    let line = format!("{prepare}exec {} -D -e -f {configuration}", sshd.display());
    let mut command = house.shell(&["--as", "desktop"], &line);
    let mut server = Server(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs"));
    server.wait_for("Server listening on");
    let user = text(&Command::new("id").arg("-un").output().expect("id runs"));
    let path = house.0.display();
    let ssh = |remote: &str| {
        format!(
            "ssh -F /dev/null -i {path}/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
             -o UserKnownHostsFile={path}/known -p 2222 {user}@desktop '{remote}'"
        )
    };
    let ask = |line: &str| house.shell(&["--join", "--as", "laptop"], line).output().expect("it runs");
    let output = ask(&ssh("echo $SSH_CONNECTION; head -c 3000000 /dev/zero | tr \"\\\\0\" x"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let (connection, data) =
        output.stdout.split_at(output.stdout.iter().position(|byte| *byte == b'\n').expect("a line") + 1);
    // Both ends are the lab's addresses of those hosts.
    let connection = String::from_utf8_lossy(connection);
    let ends: Vec<&str> = connection.split_whitespace().collect();
    let addresses = |name: &str| {
        let output = ask(&format!("getent ahosts {name}"));
        text(&output).lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert!(addresses("laptop").iter().any(|address| address == ends[0]), "{connection}");
    assert!(addresses("desktop").iter().any(|address| address == ends[2]), "{connection}");
    assert_eq!((ends[3], data.len()), ("2222", 3_000_000), "{told}");
    assert!(data.iter().all(|byte| *byte == b'x'));
    // The server's key is what the client asked for, so a wrong one is refused.
    fs::write(house.0.join("known"), "").expect("written");
    let refused = ask(&ssh("true"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Host key verification failed"));
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A folder for keys and for the lab's door; gone when dropped.
struct House(PathBuf);

impl House {
    fn new() -> House {
        let folder = std::env::temp_dir().join(format!("thru-ssh-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        House(folder)
    }

    fn shell(&self, options: &[&str], line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
        command.args(["lab", "shell", "internet"]).args(options).args(["--", "sh", "-c", line]);
        command.env("XDG_RUNTIME_DIR", &self.0).stdin(Stdio::null());
        command
    }

    /// Keys for the host and the user, who know each other; the server's settings.
    fn keys_and_settings(&self) -> String {
        let path = self.0.display();
        for name in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(self.0.join(name))
                .status();
            assert!(made.is_ok_and(|status| status.success()));
        }
        let key = fs::read_to_string(self.0.join("host.pub")).expect("made");
        fs::write(self.0.join("known"), format!("[desktop]:2222 {key}")).expect("written");
        let settings = format!(
            "Port 2222\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\n"
        );
        let file = format!("{path}/sshd_config");
        fs::write(&file, settings).expect("written");
        file
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A shell with a server in it; ended when dropped.
struct Server(Child);

impl Server {
    fn wait_for(&mut self, word: &str) {
        let talk = self.0.stderr.take().expect("piped");
        let mut talk = BufReader::new(talk);
        let mut said = String::new();
        while !said.contains(word) {
            assert_ne!(talk.read_line(&mut said).expect("it talks"), 0, "it ended:\n{said}");
        }
        // Read on, so that what it says does not stop it.
        std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        thru_os::process::terminate(&self.0);
        let _ = self.0.wait();
    }
}
