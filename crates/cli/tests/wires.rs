//! Real wires: unmodified programs inside a lab, our stack on an interface beside the kernel, a bridge between two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_wire::Cidr;

#[test]
fn programs_live_in_a_lab() {
    let test = "programs_live_in_a_lab";
    for (program, package) in [
        ("curl", "curl"),
        ("dig", "bind9-dnsutils"),
        ("ping", "iputils-ping"),
        ("traceroute", "traceroute"),
        ("openssl", "openssl"),
    ] {
        if thru_peers::peer(test, program, package).is_none() {
            return;
        }
    }
    let Some(shell) = Shell::new(test) else { return };
    let page = "curl -s -o /dev/null -w '%{http_code} %{http_version}' https://www.shop.lab";
    assert_eq!(shell.run(page), "200 2");
    assert_eq!(shell.run(&page.replace("-s", "-s --http1.1")), "200 1.1");
    assert_eq!(shell.run("dig +short www.shop.lab"), "203.0.113.10");
    let traced = shell.run("dig +trace www.shop.lab A");
    assert!(traced.contains("203.0.113.10"), "{traced}");
    let pinged = shell.run("ping -4 -c 2 -i 0.2 www.shop.lab");
    assert!(pinged.contains("2 received, 0% packet loss"), "{pinged}");
    let route = shell.run("traceroute -4 -n -q 1 -w 1 www.shop.lab");
    assert!(route.lines().count() > 3 && route.contains("203.0.113.10"), "{route}");
    let secured =
        shell.run("openssl s_client -verify_return_error -connect www.shop.lab:443 </dev/null 2>/dev/null");
    assert!(secured.contains("Verify return code: 0 (ok)"), "{secured}");
}

/// The command's end is ours; ours is the command's.
#[test]
fn a_shell_ends_as_its_command_and_leaves_nothing() {
    let test = "a_shell_ends_as_its_command_and_leaves_nothing";
    let Some(shell) = Shell::new(test) else { return };
    assert_eq!(shell.command("exit 7").status().expect("it runs").code(), Some(7));
    let mut child =
        shell.command("echo up; exec sleep 1000").stdout(Stdio::piped()).spawn().expect("it runs");
    let id = child.id();
    wait_for_line(&mut child);
    let killed = Command::new("kill").args(["-TERM", &id.to_string()]).status().expect("kill is everywhere");
    assert!(killed.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 15));
    let folder = std::env::temp_dir().join(format!("thru-lab-{id}"));
    assert!(!folder.exists(), "{folder:?} is left behind");
}

#[test]
fn our_stack_fetches_a_page_from_nginx_over_a_wire() {
    let test = "our_stack_fetches_a_page_from_nginx_over_a_wire";
    let Some(nginx) = thru_peers::peer(test, "nginx", "nginx-light") else { return };
    if !thru_peers::may_make_networks(test) {
        return;
    }
    let namespace = NetworkNamespace::new().expect("who may make networks gets one");
    namespace.within(|| veth("thru0", "thru1")).expect("entered").expect("made");
    let folder = Folder::new(test);
    fs::write(folder.0.join("page"), vec![b'x'; 300_000]).expect("a file");
    let server = folder.nginx(&nginx, &namespace);
    let output = namespace
        .within(|| {
            Command::new(env!("CARGO_BIN_EXE_thru"))
                .args(["http://192.0.2.1:8080/page", "--on", "iface:thru1", "--address", "192.0.2.77/24"])
                .args(["--json"])
                .output()
        })
        .expect("entered")
        .expect("thru runs");
    drop(server);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{answer}");
    assert_eq!(answer["verdict"]["status"], "healthy", "{answer}");
    let counters = namespace.within(|| fs::read_to_string("/proc/thread-self/net/snmp")).expect("entered");
    let counters = counters.expect("the kernel counts");
    let tcp: Vec<&str> = counters.lines().filter(|line| line.starts_with("Tcp:")).collect();
    let titles = tcp[0].split(' ').zip(tcp[1].split(' '));
    let resets = titles.clone().find(|(title, _)| *title == "OutRsts").expect("counted").1;
    assert_eq!(resets, "0", "resets of the kernel's");
}

#[test]
fn a_bridge_delays_and_tells_what_it_did() {
    let test = "a_bridge_delays_and_tells_what_it_did";
    if thru_peers::peer(test, "ping", "iputils-ping").is_none() || !thru_peers::may_make_networks(test) {
        return;
    }
    let (near, far) = (NetworkNamespace::new().expect("made"), NetworkNamespace::new().expect("made"));
    near.within(|| {
        veth("thru0", "thru1")?;
        netlink::add_veth("thru2", "thru3")?;
        netlink::set_up(netlink::link("thru2")?.index, true)?;
        netlink::move_to(netlink::link("thru3")?.index, &far)
    })
    .expect("entered")
    .expect("made");
    far.within(|| address("thru3", "192.0.2.2/24")).expect("entered").expect("made");
    let mut bridge = near
        .within(|| {
            Command::new(env!("CARGO_BIN_EXE_thru"))
                .args(["bridge", "thru1", "thru2", "--delay", "20ms"])
                .stderr(Stdio::piped())
                .spawn()
        })
        .expect("entered")
        .expect("thru runs");
    let mut talk = std::io::BufReader::new(bridge.stderr.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut talk, &mut line).expect("it talks");
    assert!(line.contains("are joined"), "{line}");
    let pinged = near
        .within(|| Command::new("ping").args(["-c", "5", "-i", "0.2", "192.0.2.2"]).output())
        .expect("entered")
        .expect("ping runs");
    let pinged = String::from_utf8_lossy(&pinged.stdout).into_owned();
    // A round trip crosses the wire twice; it can't be faster, and nothing else delays it by as much again.
    let least = pinged.rsplit("= ").next().and_then(|times| times.split('/').next()?.parse::<f64>().ok());
    let killed = Command::new("kill").args(["-INT", &bridge.id().to_string()]).status().expect("kill");
    assert!(killed.success() && bridge.wait().expect("it ends").success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut talk, &mut rest).expect("it talks");
    assert!(least.is_some_and(|least| (40.0..80.0).contains(&least)), "{pinged}");
    assert!(rest.contains("thru1 to thru2:") && rest.contains("0 lost"), "{rest}");
}

/// Commands on the client of the built-in internet; as a user without rights, if this one has them.
struct Shell {
    unprivileged: bool,
}

impl Shell {
    fn new(test: &str) -> Option<Shell> {
        let shell = Shell { unprivileged: thru_peers::is_root() };
        let output = shell.command("true").output().expect("it runs");
        if output.status.code() == Some(3) {
            thru_peers::not_run(test, String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(shell)
    }

    fn command(&self, line: &str) -> Command {
        let thru = env!("CARGO_BIN_EXE_thru");
        let mut command = if self.unprivileged && readable_by_all(Path::new(thru)) {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", thru]);
            command
        } else {
            Command::new(thru)
        };
        command.args(["lab", "shell", "--", "sh", "-c", line]).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = self.command(line).output().expect("it runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{line}: {status}\n{stdout}\n{stderr}");
        stdout.trim().to_owned()
    }
}

/// Whether a user without rights can run the program: the folders above it must let everybody pass.
fn readable_by_all(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    program
        .ancestors()
        .filter_map(|place| fs::metadata(place).ok())
        .all(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

fn wait_for_line(child: &mut Child) {
    let mut reader = std::io::BufReader::new(child.stdout.as_mut().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).expect("it talks");
    assert_eq!(line, "up\n");
}

/// A wire whose first end is the kernel's.
fn veth(one: &str, other: &str) -> std::io::Result<()> {
    netlink::add_veth(one, other)?;
    address(one, "192.0.2.1/24")?;
    netlink::set_up(netlink::link(other)?.index, true)
}

fn address(interface: &str, text: &str) -> std::io::Result<()> {
    let link = netlink::link(interface)?;
    netlink::set_up(link.index, true)?;
    netlink::add_address(link.index, text.parse::<Cidr>().expect("an address with its length"))
}

/// A folder that vanishes.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("thru-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    /// nginx in the namespace, its sockets listening.
    fn nginx(&self, program: &Path, namespace: &NetworkNamespace) -> Nginx {
        let folder = self.0.display();
        let configuration = format!(
            "daemon on; pid {folder}/pid; error_log {folder}/error;\nevents {{}}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
             fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
             server {{ listen 192.0.2.1:8080; root {folder}; }}\n}}\n"
        );
        let file = self.0.join("nginx.conf");
        fs::write(&file, configuration).expect("the configuration");
        // Its workers run as another user.
        let _ = Command::new("chmod").arg("755").arg(&self.0).status();
        let output = namespace.within(|| Command::new(program).arg("-c").arg(&file).output());
        let output = output.expect("entered").expect("nginx runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Nginx { program: program.to_owned(), file }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running nginx; stopped when dropped.
struct Nginx {
    program: PathBuf,
    file: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new(&self.program).arg("-c").arg(&self.file).args(["-s", "stop"]).output();
    }
}
