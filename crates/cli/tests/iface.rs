//! `--on iface:NAME` as a user meets it: addresses from the network, AF_XDP, what is left behind, and what is said to
//! who may not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_peers::Folder;
use thru_wire::Cidr;

const KERNEL: [&str; 2] = ["192.0.2.1/24", "2001:db8::1/64"];

#[test]
fn an_address_a_resolver_and_a_page_from_the_network() {
    let test = "an_address_a_resolver_and_a_page_from_the_network";
    let Some(dnsmasq) = thru_peers::peer(test, "dnsmasq", "dnsmasq-base") else { return };
    let Some(nginx) = thru_peers::peer(test, "nginx", "nginx-light") else { return };
    let Some(wire) = Wire::new(test) else { return };
    let folder = Folder::new(test);
    let _web = start_nginx(&folder, &nginx, &wire);
    let _names = start_dnsmasq(&folder, &dnsmasq, &wire);
    let output = wire.thru(&["http://www.home.test:8080/page", "--on", "iface:thru1", "-4", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lease =
        "thru1: 192.0.2.50/24 by DHCP from 192.0.2.1 for 3600 s, router 192.0.2.1, resolver 192.0.2.1";
    assert!(said.contains(lease), "{said}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["verdict"]["status"], "healthy", "{answer}");
    let leases = fs::read_to_string(folder.0.join("leases")).expect("dnsmasq keeps them");
    assert!(!leases.contains("192.0.2.50"), "given back when done: {leases}");
}

#[test]
fn af_xdp_fetches_pages_over_both_families() {
    let test = "af_xdp_fetches_pages_over_both_families";
    let Some(nginx) = thru_peers::peer(test, "nginx", "nginx-light") else { return };
    let Some(wire) = Wire::new(test) else { return };
    let folder = Folder::new(test);
    let _web = start_nginx(&folder, &nginx, &wire);
    for (url, address) in [
        ("http://192.0.2.1:8080/page", "192.0.2.77/24"),
        ("http://[2001:db8::1]:8080/page", "2001:db8::77/64"),
    ] {
        let on = ["--on", "iface:thru1", "--address", address, "--device", "xdp", "--json"];
        let output = wire.thru(&[&[url], &on[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("no AF_XDP") {
            return thru_peers::not_run(test, said.trim());
        }
        assert_eq!(output.status.code(), Some(0), "{said}");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["verdict"]["status"], "healthy", "{answer}");
    }
    assert_eq!(wire.counter("OutRsts"), 0);
    // Of 400 segments: two tail-loss probes a connection (RFC 8985 7.2), when the machine lets us wait for our turn longer
    // than their two round trips, here some 100 µs.
    let again = wire.counter("RetransSegs");
    assert!(again <= 4, "the kernel sent {again} segments again");
}

/// The program on the interface and its promiscuity end with us, whatever ends us.
#[test]
fn nothing_is_left_behind_by_a_signal() {
    let test = "nothing_is_left_behind_by_a_signal";
    let Some(ip) = thru_peers::peer(test, "ip", "iproute2") else { return };
    let Some(wire) = Wire::new(test) else { return };
    let show = || {
        let output = wire.within(|| Command::new(&ip).args(["-d", "link", "show", "thru1"]).output());
        String::from_utf8(output.expect("ip runs").stdout).expect("text")
    };
    let before = show();
    let listener = wire.within(|| TcpListener::bind("192.0.2.1:0")).expect("the kernel listens");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-KILL", 9)] {
        let mut child = wire.within(|| {
            // Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
            Command::new("env")
                .args(["--default-signal=INT,TERM", env!("CARGO_BIN_EXE_thru")])
                .args([&url, "--on", "iface:thru1", "--address", "192.0.2.77/24", "--device", "xdp"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("thru runs")
        });
        // Nobody answers: it waits for ever.
        let _connection = listener.accept().expect("it connects");
        assert!(show().contains("promiscuity 1"), "{}", show());
        assert!(
            Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success()
        );
        assert_eq!(child.wait().expect("it ends").signal(), Some(number));
        assert_eq!(show(), before, "after {signal}");
    }
}

/// An address that a server has lent is given back before the signal has its way.
#[test]
fn a_signal_gives_the_address_back() {
    let test = "a_signal_gives_the_address_back";
    let Some(dnsmasq) = thru_peers::peer(test, "dnsmasq", "dnsmasq-base") else { return };
    let Some(wire) = Wire::new(test) else { return };
    let folder = Folder::new(test);
    let _names = start_dnsmasq(&folder, &dnsmasq, &wire);
    let leases = || fs::read_to_string(folder.0.join("leases")).expect("dnsmasq keeps them");
    let listener = wire.within(|| TcpListener::bind("192.0.2.1:0")).expect("the kernel listens");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        let mut child = wire.spawn(&[&url, "--on", "iface:thru1", "-4"]);
        // Nobody answers: it waits for ever.
        let _connection = listener.accept().expect("it connects");
        assert!(leases().contains("192.0.2.50"), "{}", leases());
        kill(&child, signal);
        assert_eq!(child.wait().expect("it ends").signal(), Some(number));
        assert!(!leases().contains("192.0.2.50"), "after {signal}: {}", leases());
    }
}

/// Who interrupts them wants to know what came until then.
#[test]
fn ping_and_send_sum_up_when_they_are_interrupted() {
    let test = "ping_and_send_sum_up_when_they_are_interrupted";
    let Some(wire) = Wire::new(test) else { return };
    let on = ["--on", "iface:thru1", "--address", "192.0.2.77/24"];
    // The second waits an hour for its turn or for its answer.
    let ping = ["ping", "192.0.2.1", "-i", "1h", "-c", "2"];
    let send = ["send", "ip(dst=192.0.2.1)/icmp()", "--repeat", "2", "-i", "1h"];
    for (words, last) in [(&ping[..], "1 received"), (&send[..], "1 sent, 1 answered, 0 unanswered")] {
        for place in [&on[..], &[]] {
            if place.is_empty() && !thru_peers::is_root() {
                continue;
            }
            for signal in ["-INT", "-TERM"] {
                let to = if place.is_empty() { "127.0.0.1" } else { "192.0.2.1" };
                let words: Vec<String> =
                    [words, place].concat().iter().map(|word| word.replace("192.0.2.1", to)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let mut child = wire.spawn(&words);
                let mut said = std::io::BufReader::new(child.stdout.take().expect("piped"));
                let mut all = String::new();
                while !all.contains("time=") && !all.contains(" ms: ") {
                    assert_ne!(
                        std::io::BufRead::read_line(&mut said, &mut all).expect("it talks"),
                        0,
                        "{all}"
                    );
                }
                kill(&child, signal);
                assert_eq!(child.wait().expect("it ends").code(), Some(0), "{words:?}: {all}");
                std::io::Read::read_to_string(&mut said, &mut all).expect("it talks");
                assert!(all.contains(last), "{words:?} after {signal}: {all}");
            }
        }
    }
}

fn kill(child: &Child, signal: &str) {
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
}

#[test]
fn who_may_not_is_told_what_to_do() {
    let test = "who_may_not_is_told_what_to_do";
    let thru = Path::new(env!("CARGO_BIN_EXE_thru"));
    if !thru_peers::is_root() || !readable_by_all(thru) {
        return thru_peers::not_run(
            test,
            "it takes root to become nobody, and a program that nobody may run",
        );
    }
    let Some(wire) = Wire::new(test) else { return };
    for device in ["af-packet", "xdp"] {
        let output = wire.within(|| {
            Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
                .arg(thru)
                .args(["http://192.0.2.1/", "--on", "iface:thru1", "--device", device])
                .output()
                .expect("setpriv runs")
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0));
        assert!(
            output.stdout.is_empty() && said.contains("sudo setcap cap_net_raw,cap_net_admin+ep"),
            "{said}"
        );
    }
}

/// Questions of each kind that the kernel answers by itself, from an address that it does not know.
#[test]
fn ping_route_and_packets_on_an_interface() {
    let test = "ping_route_and_packets_on_an_interface";
    let Some(wire) = Wire::new(test) else { return };
    let ask = |words: &[&str]| {
        let on = ["--on", "iface:thru1", "--address", "192.0.2.77/24"];
        let output = wire.thru(&[words, &on[..]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let sent = ask(&["send", "ip(dst=192.0.2.1)/tcp(dport=[80,443],flags=S)", "-t", "200ms"]);
    assert!(sent.contains("2 sent, 2 answered, 0 unanswered"), "{sent}");
    assert!(sent.contains("IP 192.0.2.1.443 > 192.0.2.77") && sent.contains("Flags [R.]"), "{sent}");
    let sent = ask(&["send", "ip(dst=192.0.2.1)/icmp()", "-t", "200ms", "--repeat", "3"]);
    assert!(sent.contains("3 sent, 3 answered"), "{sent}");
    for probe in [&["ping"][..], &["ping", "--tcp", "9"]] {
        let pinged = ask(&[probe, &["192.0.2.1", "-c", "2", "-i", "10ms", "--json"]].concat());
        let last: serde_json::Value =
            serde_json::from_str(pinged.lines().last().expect("a summary")).expect("JSON");
        assert_eq!((&last["sent"], &last["received"]), (&2.into(), &2.into()), "{pinged}");
    }
    for probe in [&["route"][..], &["route", "-I"], &["route", "-T"]] {
        let route = ask(&[probe, &["192.0.2.1", "--json"]].concat());
        let route: serde_json::Value = serde_json::from_str(&route).expect("JSON");
        assert_eq!(route["hops"][0]["addresses"][0], "192.0.2.1", "{route}");
        assert_eq!(route["hops"].as_array().map(Vec::len), Some(1), "{route}");
    }
    // It knows neither the address nor the questions: it has nothing to send again.
    assert_eq!(wire.counter("RetransSegs"), 0);
}

/// A wire in a namespace: the kernel's end has addresses, the other is for us.
struct Wire(NetworkNamespace);

impl Wire {
    fn new(test: &str) -> Option<Wire> {
        if !thru_peers::may_make_networks(test) {
            return None;
        }
        let wire = Wire(NetworkNamespace::new().expect("who may make networks gets one"));
        wire.within(|| {
            netlink::add_veth("thru0", "thru1")?;
            for name in ["thru0", "thru1"] {
                // Addresses can be used at once, and the far end has none of its own.
                fs::write(format!("/proc/sys/net/ipv6/conf/{name}/accept_dad"), "0")?;
            }
            fs::write("/proc/sys/net/ipv6/conf/thru1/disable_ipv6", "1")?;
            let link = netlink::link("thru0")?;
            netlink::set_up(link.index, true)?;
            netlink::set_up(netlink::link("lo")?.index, true)?;
            for address in KERNEL {
                netlink::add_address(link.index, address.parse::<Cidr>().expect("an address"))?;
            }
            netlink::set_up(netlink::link("thru1")?.index, true)
        })
        .expect("a wire");
        Some(wire)
    }

    fn within<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        self.0.within(call).expect("a namespace that lives can be entered")
    }

    fn thru(&self, arguments: &[&str]) -> Output {
        self.within(|| Command::new(env!("CARGO_BIN_EXE_thru")).args(arguments).output()).expect("thru runs")
    }

    /// The same, still running.
    fn spawn(&self, arguments: &[&str]) -> Child {
        self.within(|| {
            // Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
            Command::new("env")
                .args(["--default-signal=INT,TERM", env!("CARGO_BIN_EXE_thru")])
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("thru runs")
        })
    }

    /// One of the kernel's TCP counters.
    fn counter(&self, name: &str) -> u64 {
        let text =
            self.within(|| fs::read_to_string("/proc/thread-self/net/snmp")).expect("the kernel counts");
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.starts_with("Tcp:"))
            .map(|line| line.split(' ').collect())
            .collect();
        let column = lines[0].iter().position(|title| *title == name).expect("a counter of that name");
        lines[1][column].parse().expect("a number")
    }
}

/// nginx at both of the kernel's addresses; it listens when this returns.
fn start_nginx(folder: &Folder, program: &Path, wire: &Wire) -> Program {
    let path = folder.0.display();
    let text = format!(
        "daemon off; user root; pid {path}/nginx.pid; error_log stderr notice;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;\n\
         uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n\
         server {{ listen 192.0.2.1:8080; listen [2001:db8::1]:8080; root {path}; }}\n}}\n"
    );
    folder.write("page", &[b'x'; 300_000]);
    let file = folder.write("nginx.conf", &text);
    Program::start(wire, program, &["-e", "stderr", "-c", &file], "start worker process")
}

/// dnsmasq gives one address and knows one name.
fn start_dnsmasq(folder: &Folder, program: &Path, wire: &Wire) -> Program {
    let leases = format!("--dhcp-leasefile={}", folder.0.join("leases").display());
    let pid = format!("--pid-file={}", folder.0.join("dnsmasq.pid").display());
    let arguments = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--log-facility=-",
        "--user=root",
        "--no-ping",
        "--no-resolv",
        "--no-hosts",
        "--interface=thru0",
        "--bind-interfaces",
        "--address=/www.home.test/192.0.2.1",
        "--dhcp-authoritative",
        "--dhcp-range=192.0.2.50,192.0.2.50,255.255.255.0,1h",
        &leases,
        &pid,
    ];
    Program::start(wire, program, &arguments, "DHCP, IP range")
}

/// A program that ends with the test, or after a minute.
struct Program {
    child: Child,
    /// Held open, so that what it says does not end it.
    _said: std::io::BufReader<std::process::ChildStderr>,
}

impl Program {
    /// Runs it until it says `ready`.
    fn start(wire: &Wire, program: &Path, arguments: &[&str], ready: &str) -> Program {
        let mut child = wire
            .within(|| {
                Command::new("timeout").arg("60").arg(program).args(arguments).stderr(Stdio::piped()).spawn()
            })
            .expect("it runs");
        let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
        let mut all = String::new();
        while !all.contains(ready) {
            let read = std::io::BufRead::read_line(&mut said, &mut all).expect("it talks");
            assert!(read > 0, "it ended without saying `{ready}`:\n{all}");
        }
        Program { child, _said: said }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        thru_os::process::terminate(&self.child);
        let _ = self.child.wait();
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
