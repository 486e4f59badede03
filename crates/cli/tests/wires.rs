//! Real wires: unmodified programs inside a lab, our stack on an interface beside the kernel, a bridge between two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_peers::Folder;
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
    if thru_peers::peer(test, "chromium", "chromium").is_none() {
        return;
    }
    let folder = Folder::new(test);
    let opened = Command::new("chmod").arg("1777").arg(&folder.0).status();
    assert!(opened.is_ok_and(|status| status.success()));
    let home = folder.0.display();
    // Without `--ignore-certificate-errors`: what it shows it trusts. It shows its own page of an error otherwise.
    let browse = |url: &str| {
        shell.run(&format!(
            "HOME={home} timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
             --user-data-dir={home}/profile --dump-dom {url} 2>{home}/talk"
        ))
    };
    let page = browse("https://www.shop.lab/");
    let plain = shell.run("curl -s https://www.shop.lab/");
    let articles = |page: &str| page.matches("<article").count();
    assert!(page.contains("<h1>www.shop.lab</h1>") && articles(&page) > 0, "{page}");
    assert_eq!(articles(&page), articles(&plain), "{page}\n-- but curl shows\n{plain}");
}

/// Two shells as two hosts of one lab.
#[test]
fn another_shell_joins_a_running_lab() {
    let test = "another_shell_joins_a_running_lab";
    if thru_peers::peer(test, "ping", "iputils-ping").is_none() {
        return;
    }
    let Some(shell) = Shell::new(test) else { return };
    let folder = Folder::new(test);
    // Anybody may make a folder there, whoever the shells run as.
    let opened = Command::new("chmod").arg("1777").arg(&folder.0).status();
    assert!(opened.is_ok_and(|status| status.success()));
    let mut command = shell.command_in("internet", &["--as", "laptop"], "echo up; exec sleep 1000");
    command.env("XDG_RUNTIME_DIR", &folder.0).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut first = command.spawn().expect("it runs");
    wait_for_line(&mut first);
    let join = |node: &str, line: &str| {
        let mut command = shell.command_in("internet", &["--join", "--as", node], line);
        command.env("XDG_RUNTIME_DIR", &folder.0).output().expect("it runs")
    };
    let output = join(
        "desktop",
        "ping -c 2 -i 0.2 laptop && curl -s -o /dev/null -w '%{http_code}' https://www.shop.lab",
    );
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let taken = join("laptop", "true");
    terminate(&first);
    assert_eq!(first.wait().expect("it ends").code(), Some(128 + 15));
    assert!(output.status.success() && said.contains("2 received"), "{said}{told}");
    assert!(said.trim_end().ends_with("200"), "{said}{told}");
    let told = String::from_utf8_lossy(&taken.stderr);
    assert!(taken.status.code() == Some(2) && told.contains("`laptop` is taken by another shell"), "{told}");
    let left: Vec<_> = fs::read_dir(&folder.0).expect("there").flatten().collect();
    let left = left.iter().filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten().count();
    assert_eq!(left, 0, "a socket is left behind");
}

/// As root: this machine becomes a host of the lab, and is itself again afterwards.
#[test]
fn a_lab_that_is_up_leaves_nothing_when_it_goes() {
    let test = "a_lab_that_is_up_leaves_nothing_when_it_goes";
    if thru_peers::peer(test, "dig", "bind9-dnsutils").is_none() || !thru_peers::may_make_networks(test) {
        return;
    }
    for signal in ["-INT", "-TERM"] {
        let namespace = NetworkNamespace::new().expect("who may make networks gets one");
        let state = || {
            let read =
                |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
            let links = read("dev")
                .lines()
                .map(|line| line.split(':').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>();
            (links, read("route"), read("ipv6_route").lines().count(), read("if_inet6"))
        };
        let before = namespace.within(state).expect("entered");
        let mut up = namespace
            .within(|| {
                let mut command = Command::new(thru_program());
                command.args(["lab", "up"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
            })
            .expect("entered")
            .expect("it runs");
        let mut talk = std::io::BufReader::new(up.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("^C ends the lab") {
            line.clear();
            assert_ne!(std::io::BufRead::read_line(&mut talk, &mut line).expect("it talks"), 0, "it ended");
        }
        assert_ne!(namespace.within(state).expect("entered"), before);
        let asked = namespace
            .within(|| Command::new("dig").args(["+short", "@192.0.2.53", "www.shop.lab"]).output())
            .expect("entered")
            .expect("dig runs");
        assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), "203.0.113.10");
        let killed = Command::new("kill").args([signal, &up.id().to_string()]).status().expect("kill");
        assert!(killed.success() && up.wait().expect("it ends").success(), "{signal}");
        assert_eq!(namespace.within(state).expect("entered"), before, "left behind after {signal}");
    }
}

/// The tests that make networks, as a user without rights: they find their way into a user namespace.
#[test]
fn the_tests_run_without_root_too() {
    let test = "the_tests_run_without_root_too";
    if !thru_peers::is_root() {
        return; // The other tests do just that.
    }
    let own = std::env::current_exe().expect("a test knows its program");
    let folder = Folder::new(test);
    let (tests, thru) = (folder.0.join("tests"), folder.0.join("thru"));
    for (from, to) in [(own.as_path(), &tests), (&thru_program(), &thru)] {
        fs::copy(from, to).expect("copied");
    }
    let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&folder.0).status();
    assert!(opened.is_ok_and(|status| status.success()));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&tests)
        .args(["--exact", "a_bridge_delays_and_tells_what_it_did", "--nocapture"])
        .env("THRU_PROGRAM", &thru)
        .current_dir("/")
        .output()
        .expect("setpriv runs");
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if told.contains("DID NOT RUN") {
        return thru_peers::not_run(test, told.trim());
    }
    // Once here, and once more inside its namespace.
    assert!(output.status.success() && said.matches("... ok").count() >= 2, "{said}{told}");
}

/// A way of two hops through the kernel's own router: from here, over 192.0.2.1, to 198.51.100.2.
struct Way {
    near: NetworkNamespace,
    _router: NetworkNamespace,
    _far: NetworkNamespace,
}

impl Way {
    fn new() -> Way {
        let [near, router, far] = std::array::from_fn(|_| NetworkNamespace::new().expect("made"));
        let made = near.within(|| {
            netlink::add_veth("near0", "near1")?;
            netlink::move_to(netlink::link("near1")?.index, &router)?;
            address("near0", "192.0.2.2/24")?;
            route_all("near0", "192.0.2.1")
        });
        made.expect("entered").expect("made");
        let made = router.within(|| {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
            // Every probe shall be answered, however fast they come.
            fs::write("/proc/sys/net/ipv4/icmp_ratelimit", "0")?;
            netlink::add_veth("far1", "far0")?;
            netlink::move_to(netlink::link("far0")?.index, &far)?;
            address("near1", "192.0.2.1/24")?;
            address("far1", "198.51.100.1/24")
        });
        made.expect("entered").expect("made");
        let made = far.within(|| {
            fs::write("/proc/sys/net/ipv4/icmp_ratelimit", "0")?;
            address("far0", "198.51.100.2/24")?;
            route_all("far0", "198.51.100.1")
        });
        made.expect("entered").expect("made");
        Way { near, _router: router, _far: far }
    }

    /// The command at the near end, perhaps as a user without rights.
    fn thru(&self, unprivileged: bool, arguments: &[&str]) -> Output {
        let thru = thru_program();
        let mut command = if unprivileged {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&thru);
            command
        } else {
            Command::new(&thru)
        };
        self.near.within(|| command.args(arguments).output()).expect("entered").expect("it runs")
    }
}

fn route_all(interface: &str, via: &str) -> std::io::Result<()> {
    let everywhere = "0.0.0.0/0".parse().expect("a prefix");
    netlink::add_route(everywhere, Some(via.parse().expect("an address")), netlink::link(interface)?.index)
}

#[test]
fn routes_and_packets_on_the_kernels_network() {
    let test = "routes_and_packets_on_the_kernels_network";
    if !thru_peers::may_make_networks(test) {
        return;
    }
    let way = Way::new();
    let route = |unprivileged: bool, kind: &[&str]| {
        let output =
            way.thru(unprivileged, &[&["route", "198.51.100.2", "--json", "-q", "2"], kind].concat());
        let said = format!(
            "{kind:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let route: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        let hops = route["hops"].as_array().unwrap_or_else(|| panic!("{said}"));
        let addresses: Vec<&str> = hops.iter().filter_map(|hop| hop["addresses"][0].as_str()).collect();
        assert_eq!(
            (addresses, &route["reached"]),
            (vec!["192.0.2.1", "198.51.100.2"], &true.into()),
            "{said}"
        );
    };
    for kind in [
        &["--udp"][..],
        &["--icmp"],
        &["--tcp"],
        &["--paris"],
        &["--paris", "--tcp"],
        &["--dublin", "3"],
        &["--mtu"],
    ] {
        route(false, kind);
    }
    let sent = |unprivileged: bool, expression: &str| {
        let output = way.thru(unprivileged, &["send", expression, "--timeout", "5s"]);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{said}{told}"))
    };
    for (expression, expected) in [
        ("ip(dst=198.51.100.2)/tcp(dport=[1,2,3],flags=S)", "3 sent, 3 answered, 0 unanswered"),
        ("ip(dst=198.51.100.2,ttl=[1,2])/udp()", "2 sent, 2 answered (2 by ICMP errors)"),
        ("ip(dst=198.51.100.2)/icmp()/\"hello\"", "1 sent, 1 answered, 0 unanswered"),
    ] {
        let (code, said) = sent(false, expression);
        assert!(code == Some(0) && said.contains(expected), "{expression}: {said}");
    }
    // Without rights: what the kernel allows works, what it does not is told in one line.
    if !thru_peers::is_root() || !readable_by_all(&thru_program()) {
        return;
    }
    way.near
        .within(|| fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"))
        .expect("entered")
        .expect("set");
    for kind in [&["--udp"][..], &["--icmp"], &["--tcp"]] {
        route(true, kind);
    }
    let (code, said) = sent(true, "ip(dst=198.51.100.2)/icmp()");
    assert!(code == Some(3) && said.contains("this user may not send and see whole packets"), "{said}");
    assert!(said.contains("setcap cap_net_raw+ep") && said.lines().count() == 2, "{said}");
}

/// The command under test; another copy of it where this one can't be reached.
fn thru_program() -> PathBuf {
    std::env::var_os("THRU_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_thru")), PathBuf::from)
}

fn terminate(child: &Child) {
    let killed =
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(killed.success());
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

/// As a terminal interrupts: everybody in the foreground. The command ends, and with it the lab and its namespaces.
#[test]
fn an_interrupted_shell_leaves_no_namespace() {
    use std::os::unix::process::CommandExt;
    let test = "an_interrupted_shell_leaves_no_namespace";
    let Some(shell) = Shell::new(test) else { return };
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = shell.command("readlink /proc/self/ns/net; exec sleep 1000");
        // Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
        let inner = std::mem::replace(&mut command, Command::new("env"));
        command.arg("--default-signal=INT,TERM").arg(inner.get_program()).args(inner.get_args());
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut said = std::io::BufReader::new(child.stdout.take().expect("piped"));
        let mut namespace = String::new();
        std::io::BufRead::read_line(&mut said, &mut namespace).expect("it talks");
        assert!(namespaces().contains(namespace.trim()), "{namespace}");
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args([signal, "--", &group]).status().expect("kill").success());
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "after {signal}");
        assert!(!namespaces().contains(namespace.trim()), "{namespace} lives on after {signal}");
    }
}

/// Network namespaces that somebody is in.
fn namespaces() -> std::collections::BTreeSet<String> {
    let processes = fs::read_dir("/proc").expect("there").flatten();
    let links = processes.filter_map(|process| fs::read_link(process.path().join("ns/net")).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
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
    let server = start_nginx(&folder, &nginx, &namespace);
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
            Command::new(thru_program())
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
        self.command_in("internet", &[], line)
    }

    fn command_in(&self, lab: &str, options: &[&str], line: &str) -> Command {
        let thru = thru_program();
        let thru = thru.to_str().expect("a plain path");
        let mut command = if self.unprivileged && readable_by_all(Path::new(thru)) {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", thru]);
            command
        } else {
            Command::new(thru)
        };
        command.args(["lab", "shell", lab]).args(options).args(["--", "sh", "-c", line]).stdin(Stdio::null());
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

/// nginx in the namespace, its sockets listening.
fn start_nginx(folder: &Folder, program: &Path, namespace: &NetworkNamespace) -> Nginx {
    let home = folder.0.display();
    let configuration = format!(
        "daemon on; pid {home}/pid; error_log {home}/error;\nevents {{}}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;\n\
             fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;\n\
             server {{ listen 192.0.2.1:8080; root {home}; }}\n}}\n"
    );
    let file = folder.0.join("nginx.conf");
    fs::write(&file, configuration).expect("the configuration");
    // Its workers run as another user.
    let _ = Command::new("chmod").arg("755").arg(&folder.0).status();
    let output = namespace.within(|| Command::new(program).arg("-c").arg(&file).output());
    let output = output.expect("entered").expect("nginx runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Nginx { program: program.to_owned(), file }
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
