//! With software that we did not write: BIND's dig, unbound, NSD.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hickory_proto::rr::RecordType;
use thru_names::text::parse_name;
use thru_net::Network;
use thru_peers::{not_run, peer};
use thru_probe::Recorder;
use thru_probe::resolve::control::{Way, control as ask_otherwise, control_iterate};
use thru_probe::resolve::stub::Patience;
use thru_probe::resolve::{Families, ResolveOptions, resolve};

use crate::loopback::{block_on, start};

/// A real server, ended with the test.
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Daemon {
    /// Starts it in `folder` and waits until it says `ready`.
    fn start(folder: PathBuf, program: &Path, arguments: &[&str], ready: &str) -> Daemon {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let daemon = Daemon { child, folder };
        let mut heard = Vec::new();
        loop {
            let Some(Ok(line)) = lines.next() else { panic!("it ended: {heard:#?}") };
            let found = line.contains(ready);
            heard.push(line);
            if found {
                break;
            }
        }
        // Someone has to go on reading, or it blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        daemon
    }
}

/// A folder of its own for a daemon's files.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("thru-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// A port that is free now for UDP and TCP on `address`.
async fn free_port(address: IpAddr) -> u16 {
    let listening =
        thru_serve::dns::bind(&Network::host(), SocketAddr::new(address, 0)).await.expect("loopback");
    listening.local_addr().port()
}

async fn run_dig(program: &Path, words: Vec<String>) -> String {
    let mut command = Command::new(program);
    command.args(["+tries=1", "+time=5"]).args(words);
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

fn words(server: SocketAddr, rest: &str) -> Vec<String> {
    let mut words = vec![format!("@{}", server.ip()), "-p".into(), server.port().to_string()];
    words.extend(rest.split(' ').map(str::to_owned));
    words
}

#[test]
fn dig_understands_our_authority() {
    let Some(dig) = peer("dig against our authority", "dig", "bind9-dnsutils") else { return };
    block_on(async {
        let servers = start(10, 0).await.expect("loopback");
        let shop = SocketAddr::new(servers.places.shop[0], servers.port);
        let tld = SocketAddr::new(servers.places.lab[0], servers.port);
        let cases = [
            (
                shop,
                "www.shop.lab A +norec",
                vec!["status: NOERROR", "flags: qr aa;", "300\tIN\tA\t192.0.2.80"],
            ),
            (shop, "www.shop.lab AAAA +norec +tcp", vec!["flags: qr aa;", "2001:db8::80", "(TCP)"]),
            (shop, "alias.shop.lab A +norec", vec!["CNAME\twww.shop.lab.", "192.0.2.80"]),
            (shop, "any.wild.shop.lab A +norec", vec!["any.wild.shop.lab.", "192.0.2.99"]),
            (shop, "no.shop.lab A +norec", vec!["status: NXDOMAIN", "flags: qr aa;", "SOA\tns1.shop.lab."]),
            (shop, "www.shop.lab MX +norec", vec!["status: NOERROR", "ANSWER: 0, AUTHORITY: 1", "SOA\tns1"]),
            (shop, "big.shop.lab TXT +norec +ignore", vec!["flags: qr aa tc;", "ANSWER: 0"]),
            (shop, "big.shop.lab TXT +norec", vec!["retrying in TCP mode", "ANSWER: 8", "(TCP)"]),
            (shop, "www.other.lab A +norec", vec!["status: REFUSED", "EDE: 20 (Not Authoritative)"]),
            (shop, "shop.lab AXFR", vec!["Transfer failed"]),
            (shop, "www.shop.lab A +norec +edns=1 +noednsneg", vec!["status: BADVERS", "version: 0"]),
            (shop, "www.shop.lab A +norec +noedns", vec!["192.0.2.80"]),
            (tld, "www.shop.lab A +norec", vec!["flags: qr;", "NS\tns1.shop.lab.", "A\t127.53.10.3"]),
            (
                tld,
                "lab SOA +norec",
                vec!["flags: qr aa;", "SOA\tns.nic.lab. admin.lab. 1 3600 900 604800 60"],
            ),
        ];
        for (server, question, expected) in cases {
            let output = run_dig(&dig, words(server, question)).await;
            for word in expected {
                assert!(output.contains(word), "{question}: no `{word}` in\n{output}");
            }
            for complaint in ["malformed", "WARNING", "mismatch", "extra"] {
                assert!(!output.contains(complaint), "{question}: {output}");
            }
        }
    });
}

#[test]
fn dig_understands_our_resolver() {
    let Some(dig) = peer("dig against our resolver", "dig", "bind9-dnsutils") else { return };
    block_on(async {
        let servers = start(11, 0).await.expect("loopback");
        let cases = [
            ("www.shop.lab A", vec!["status: NOERROR", "flags: qr rd ra;", "192.0.2.80"]),
            ("wWw.ShOp.LaB A +tcp", vec!["wWw.ShOp.LaB.", "192.0.2.80", "(TCP)"]),
            ("alias.shop.lab AAAA", vec!["CNAME\twww.shop.lab.", "2001:db8::80"]),
            ("no.shop.lab A", vec!["status: NXDOMAIN", "SOA\tns1.shop.lab."]),
            ("big.shop.lab TXT", vec!["retrying in TCP mode", "ANSWER: 8"]),
            ("localhost A", vec!["127.0.0.1"]),
            ("www.shop.lab A +norec", vec!["status: REFUSED"]),
        ];
        for (question, expected) in cases {
            let output = run_dig(&dig, words(servers.recursive, question)).await;
            for word in expected {
                assert!(output.contains(word), "{question}: no `{word}` in\n{output}");
            }
            assert!(!output.contains("malformed") && !output.contains("mismatch"), "{output}");
        }
    });
}

/// The port of name servers needs privileges; with them, real resolvers can walk down from our root.
#[test]
fn unbound_walks_down_our_tree() {
    let test = "unbound through our authorities";
    let (Some(unbound), Some(dig)) = (peer(test, "unbound", "unbound"), peer(test, "dig", "bind9-dnsutils"))
    else {
        return;
    };
    block_on(async {
        let servers = match start(12, 53).await {
            Ok(servers) => servers,
            Err(error) => return not_run(test, &format!("port 53 can't be bound: {error}")),
        };
        let address = IpAddr::from([127, 53, 12, 9]);
        let port = free_port(address).await;
        let folder = folder("unbound-down");
        let hints = ". 3600 NS a.root.\na.root. 3600 A 127.53.12.1\n";
        std::fs::write(folder.join("hints"), hints).expect("written");
        let config = unbound_config(address, port, "root-hints: \"hints\"\n");
        std::fs::write(folder.join("conf"), config).expect("written");
        let _unbound = Daemon::start(folder, &unbound, &["-d", "-c", "conf"], "start of service");
        let server = SocketAddr::new(address, port);
        let cases = [
            ("www.shop.lab A", vec!["status: NOERROR", "192.0.2.80"]),
            ("alias.shop.lab AAAA", vec!["CNAME\twww.shop.lab.", "2001:db8::80"]),
            ("no.shop.lab A", vec!["status: NXDOMAIN"]),
            ("www.shop.lab MX", vec!["status: NOERROR", "ANSWER: 0"]),
            ("big.shop.lab TXT", vec!["ANSWER: 8"]),
            ("x.wild.shop.lab A", vec!["192.0.2.99"]),
        ];
        for (question, expected) in cases {
            let output = run_dig(&dig, words(server, question)).await;
            for word in expected {
                assert!(output.contains(word), "{question}: no `{word}` in\n{output}");
            }
        }
        // Our own resolver over the same servers says the same.
        let ours = servers.dig(&["www.shop.lab", "+trace", "+short"]).await;
        assert_eq!(ours.short, ["192.0.2.80"]);
    });
}

#[test]
fn our_stub_understands_unbound() {
    let Some(unbound) = peer("our stub against unbound", "unbound", "unbound") else { return };
    block_on(async {
        let network = Network::host();
        let address = IpAddr::from([127, 53, 13, 9]);
        let port = free_port(address).await;
        let folder = folder("unbound-stub");
        let long = (0..10).map(|i| format!("local-data: 'big.corp.lab. TXT \"{i}{}\"'\n", "y".repeat(200)));
        let local = format!(
            "local-zone: \"corp.lab.\" static\nlocal-data: \"www.corp.lab. 120 A 192.0.2.77\"\n\
             local-data: \"www.corp.lab. AAAA 2001:db8::77\"\nlocal-zone: \"refused.lab.\" refuse\n{}",
            long.collect::<String>()
        );
        std::fs::write(folder.join("conf"), unbound_config(address, port, &local)).expect("written");
        let _unbound = Daemon::start(folder, &unbound, &["-d", "-c", "conf"], "start of service");
        let server = SocketAddr::new(address, port);
        let recorder = Recorder::new(network.clone());
        let options = ResolveOptions {
            resolvers: Some(vec![server]),
            families: Families::V4,
            ..ResolveOptions::default()
        };
        let found = resolve(&recorder, None, "WWW.corp.lab", &options).await.expect("addresses");
        assert_eq!(found.addresses, [IpAddr::from([192, 0, 2, 77])]);
        for (name, code) in [
            ("no.corp.lab", "dns.nxdomain"),
            ("big.corp.lab", "dns.no_data"),
            ("x.refused.lab", "dns.refused"),
        ] {
            let failure = resolve(&recorder, None, name, &options).await.expect_err(name);
            assert_eq!(failure.code, code, "{}", failure.text);
        }
        let name = parse_name("www.corp.lab").expect("a name");
        let patience = Patience::default();
        let way = Way::CheckingDisabled;
        let asked = ask_otherwise(&recorder, None, way, &name, RecordType::AAAA, &[server], patience).await;
        assert_eq!(asked.code, None);
        let request = [&format!("@{address}"), "-p", &port.to_string(), "big.corp.lab", "txt"];
        let request = thru_probe::dig::DigRequest::parse(&request).expect("a request");
        let root = thru_names::resolver::ResolverConfig::new(Vec::new());
        let big = thru_probe::dig::dig(&recorder, &request, root, &[]).await.expect("an answer");
        assert_eq!((big.answers.len(), big.over_tcp), (10, true));
    });
}

#[test]
fn our_resolver_walks_down_to_nsd() {
    let Some(nsd) = peer("our resolver against NSD", "nsd", "nsd") else { return };
    block_on(async {
        // NSD is the whole tree: root, `lab` and `shop.lab` on one address.
        let address = IpAddr::from([127, 53, 14, 9]);
        let port = free_port(address).await;
        let places = crate::zones::Places { root: vec![address], lab: vec![address], shop: vec![address] };
        let folder = folder("nsd");
        let mut config = format!(
            "server:\n ip-address: {address}@{port}\n username: \"\"\n database: \"\"\n zonesdir: \"{0}\"\n \
             pidfile: \"{0}/pid\"\n xfrdfile: \"{0}/xfrd\"\n zonelistfile: \"{0}/zones\"\n xfrdir: \"{0}\"\n\
             remote-control:\n control-enable: no\n",
            folder.display()
        );
        for (zone, text) in
            [(".", places.root_text()), ("lab", places.lab_text()), ("shop.lab", places.shop_text())]
        {
            let file = format!("zone-{zone}");
            // NSD wants a TTL before the first record that has none.
            std::fs::write(folder.join(&file), format!("$TTL 300\n{text}")).expect("written");
            config.push_str(&format!("zone:\n name: \"{zone}\"\n zonefile: \"{file}\"\n"));
        }
        std::fs::write(folder.join("conf"), config).expect("written");
        let conf = folder.join("conf").display().to_string();
        let _nsd = Daemon::start(folder, &nsd, &["-d", "-V", "2", "-c", &conf], "nsd started");
        let network = Network::host();
        let recorder = Recorder::new(network);
        for (name, kind, code, records) in [
            ("www.shop.lab", RecordType::A, None, 1),
            ("alias.shop.lab", RecordType::AAAA, None, 2),
            ("big.shop.lab", RecordType::TXT, None, 8),
            ("x.wild.shop.lab", RecordType::A, None, 1),
            ("no.shop.lab", RecordType::A, Some("dns.nxdomain"), 0),
            ("www.shop.lab", RecordType::MX, Some("dns.no_data"), 0),
            ("no.lab", RecordType::A, Some("dns.nxdomain"), 0),
        ] {
            let mut config = places.config();
            config.port = port;
            let name = parse_name(name).expect("a name");
            let (control, answer) = control_iterate(&recorder, None, &name, kind, config).await;
            assert_eq!((control.code, answer.records.len()), (code, records), "{name} {:#?}", answer.steps);
        }
    });
}

fn unbound_config(address: IpAddr, port: u16, more: &str) -> String {
    format!(
        "server:\ninterface: {address}@{port}\naccess-control: 127.0.0.0/8 allow\nusername: \"\"\nchroot: \"\"\n\
         directory: \".\"\npidfile: \"\"\nlogfile: \"\"\nuse-syslog: no\nverbosity: 1\ndo-ip6: no\nnum-threads: 1\n\
         do-not-query-localhost: no\nmodule-config: \"iterator\"\nedns-buffer-size: 1232\n{more}remote-control:\n\
         control-enable: no\n"
    )
}
