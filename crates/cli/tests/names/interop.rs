//! Both ways with real servers: unbound and BIND resolve and validate through our authorities, signed with Ed25519,
//! P-256 and RSA, NSEC and NSEC3; our resolver does through zones that ldns-signzone and dnssec-signzone signed, and NSD
//! and BIND serve. All have to say the same of some five hundred questions, good and broken.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thru_names::proto::rr::RecordType;
use thru_names::text::{parse_name, parse_type, record_line};
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_peers::peer;

use crate::house::{Folder, Server, expect, head, inside, run, thru};

/// Zones below `land`: name, address of its server, who signs and serves.
const ZONES: [(&str, &str, Maker); 7] = [
    ("ed.land", "127.53.1.1", Maker::Ours(&["--sign"])),
    ("ed3.land", "127.53.1.2", Maker::Ours(&["--sign", "--nsec3"])),
    ("p256.land", "127.53.1.3", Maker::Ours(&["--sign", "p256", "--nsec3"])),
    ("rsa.land", "127.53.1.4", Maker::Rsa),
    ("plain.land", "127.53.1.5", Maker::Ours(&[])),
    ("nsd.land", "127.53.1.6", Maker::Nsd),
    ("bind.land", "127.53.1.7", Maker::Bind),
];

#[derive(Clone, Copy)]
enum Maker {
    /// `thru serve dns` with these words.
    Ours(&'static [&'static str]),
    /// The same with keys of dnssec-keygen.
    Rsa,
    /// ldns-keygen, ldns-signzone with NSEC3, and NSD.
    Nsd,
    /// dnssec-keygen, dnssec-signzone, and named.
    Bind,
}

/// A program of others, ended with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    /// Starts it and waits until it says `ready`.
    fn start(command: &mut Command, ready: &str) -> Daemon {
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

/// What every zone holds.
fn content(zone: &str, address: &str) -> String {
    let mut text = head(&format!("{zone}."), address);
    for number in 0..30 {
        text += &format!("h{number}.{zone}. 300 IN A 192.0.2.{number}\n");
        text += &format!("h{number}.{zone}. 300 IN AAAA 2001:db8::{number}\n");
    }
    for number in 0..8 {
        text += &format!("a{number}.{zone}. 300 IN CNAME h{number}.{zone}.\n");
        text += &format!("m{number}.deep.{zone}. 300 IN MX 10 h{number}.{zone}.\n");
    }
    text += &format!("*.wild.{zone}. 300 IN TXT \"any one\"\n*.alias.{zone}. 300 IN CNAME h1.{zone}.\n");
    text += &format!("t.{zone}. 300 IN TXT \"{}\" \"{}\"\n", "x".repeat(200), "y".repeat(200));
    text += &format!("dead.{zone}. 300 IN CNAME nowhere.{zone}.\n");
    text += &format!("s.{zone}. 300 IN SRV 1 2 443 h2.{zone}.\nup.{zone}. 300 IN DNAME {zone}.\n");
    text += &format!("sub.{zone}. 300 IN NS ns.sub.{zone}.\nns.sub.{zone}. 300 IN A 127.53.9.9\n");
    text
}

/// What is asked of every zone: name and type.
fn questions() -> Vec<(String, RecordType)> {
    let mut asked = Vec::new();
    for (zone, _, _) in ZONES.iter().chain(&[("wrong.land", "", Maker::Ours(&[]))]) {
        let mut ask = |label: &str, kind: &str| {
            let dot = if label.is_empty() { "" } else { "." };
            asked.push((format!("{label}{dot}{zone}."), parse_type(kind).expect("a type")));
        };
        for number in 0..15 {
            ask(&format!("h{number}"), "A");
            ask(&format!("h{}", number + 15), "AAAA");
            ask(&format!("no{number}"), "A");
        }
        for number in 0..4 {
            ask(&format!("a{number}"), "A");
            ask(&format!("m{number}.deep"), "MX");
            ask(&format!("x{number}.wild"), "TXT");
            ask(&format!("h{number}"), "TXT");
        }
        for (label, kind) in [
            ("deep", "A"),
            ("wild", "A"),
            ("x.y.wild", "TXT"),
            ("x.wild", "MX"),
            ("p.alias", "A"),
            ("t", "TXT"),
            ("dead", "A"),
            ("s", "SRV"),
            ("h3.up", "A"),
            ("no.up", "A"),
            ("sub", "DS"),
            ("", "SOA"),
            ("", "NS"),
            ("", "DNSKEY"),
            ("", "DS"),
        ] {
            ask(label, kind);
        }
    }
    asked
}

/// Code, AD, and the records of the answer without signatures and lifetimes.
fn ask(socket: &UdpSocket, id: u16, server: &str, name: &str, rtype: RecordType) -> (u16, bool, Vec<String>) {
    let query = Packet {
        header: Header { id, recursion_desired: true, authentic_data: true, ..Header::default() },
        questions: vec![Question::new(parse_name(name).expect("a name"), rtype)],
        opt: Some(Opt { payload: 4096, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    let query = query.write(512).expect("it fits");
    let mut buffer = [0; 65_535];
    socket.send_to(&query, (server, 53)).expect("loopback");
    let mut answer = loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{server}, {name}: {error}"));
        let answer = Packet::read(&buffer[..length]).expect("a message");
        if answer.header.id == id {
            break answer;
        }
    };
    if answer.header.truncated {
        answer = over_tcp(server, &query);
    }
    let mut records: Vec<String> = answer
        .answers
        .iter()
        .filter(|record| record.rtype != RecordType::RRSIG)
        .map(|record| {
            let line = record_line(&thru_names::wire::RawRecord { ttl: 0, ..record.clone() });
            line.to_lowercase()
        })
        .collect();
    records.sort();
    records.dedup();
    (answer.rcode(), answer.header.authentic_data, records)
}

fn over_tcp(server: &str, query: &[u8]) -> Packet {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect((server, 53)).expect("loopback");
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat()).expect("it takes it");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a message");
    Packet::read(&message).expect("a message")
}

/// Signs and serves a zone as its maker does; its DS records.
fn serve(folder: &Folder, zone: &str, address: &str, maker: Maker, held: &mut Vec<Box<dyn Held>>) -> String {
    let file = folder.write(&format!("{zone}.zone"), &content(zone, address));
    let keys = |program: &str, words: &[&str]| {
        let output =
            Command::new(program).args(words).arg(zone).current_dir(&folder.0).output().expect("it runs");
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    match maker {
        Maker::Ours(words) => {
            let all = [&["--listen", address, "--zone", &file], words].concat();
            let server = Server::start(folder, &format!("{zone}.sock"), &all);
            let told = server.told.clone();
            held.push(Box::new(server));
            told
        }
        Maker::Rsa => {
            let main = folder.path(&keys("dnssec-keygen", &["-a", "RSASHA256", "-b", "2048", "-f", "KSK"]));
            let other = folder.path(&keys("dnssec-keygen", &["-a", "RSASHA256", "-b", "2048"]));
            let (main, other) = (main + ".private", other + ".private");
            let words = ["--listen", address, "--zone", &file, "--sign-with", &main, "--sign-with", &other];
            let server = Server::start(folder, &format!("{zone}.sock"), &words);
            let told = server.told.clone();
            held.push(Box::new(server));
            told
        }
        Maker::Nsd => {
            let main = keys("ldns-keygen", &["-a", "ED25519", "-k"]);
            let output = run(
                "ldns-signzone",
                &["-n", "-o", zone, "-f", &folder.path("nsd.signed"), &file, &folder.path(&main)],
            );
            assert!(folder.0.join("nsd.signed").exists(), "{output}");
            let text = format!(
                "server:\n ip-address: {address}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{0}\"\n pidfile: \"\"\n \
                 database: \"\"\n xfrdfile: \"{0}/xfrd\"\n zonelistfile: \"{0}/zonelist\"\n xfrdir: \"{0}\"\n \
                 cookie-secret-file: \"\"\n server-count: 1\nremote-control:\n control-enable: no\n\
                 zone:\n name: {zone}\n zonefile: nsd.signed\n",
                folder.0.display()
            );
            let config = folder.write("nsd.conf", &text);
            held.push(Box::new(Daemon::start(
                Command::new("nsd").args(["-d", "-V", "2", "-c", &config]),
                "nsd started",
            )));
            fs::read_to_string(folder.path(&format!("{main}.ds"))).expect("a DS record")
        }
        Maker::Bind => {
            keys("dnssec-keygen", &["-a", "ECDSAP256SHA256", "-f", "KSK"]);
            keys("dnssec-keygen", &["-a", "ECDSAP256SHA256"]);
            let signing = Command::new("dnssec-signzone")
                .args(["-S", "-o", zone, "-f", "bind.signed", &file])
                .current_dir(&folder.0)
                .output()
                .expect("it runs");
            assert!(signing.status.success(), "{signing:?}");
            let text = format!(
                "options {{ directory \"{}\"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; pid-file none; \
                 session-keyfile none; recursion no; }}; controls {{ }};\nzone \"{zone}\" {{ type primary; file \"bind.signed\"; }};\n",
                folder.0.display()
            );
            let config = folder.write("authority.conf", &text);
            held.push(Box::new(Daemon::start(
                Command::new("named").args(["-g", "-n", "1", "-c", &config]),
                "running",
            )));
            fs::read_to_string(folder.path(&format!("dsset-{zone}."))).expect("a DS record")
        }
    }
}

/// Anything that is to live as long as the test.
trait Held {}
impl<T> Held for T {}

/// The programs of others that the test needs, or that it did not run.
fn all_there() -> bool {
    let test = "agreement with unbound, BIND and NSD";
    let wanted = [
        ("unbound", "unbound"),
        ("named", "bind9"),
        ("nsd", "nsd"),
        ("dnssec-keygen", "bind9-utils"),
        ("ldns-signzone", "ldnsutils"),
        ("dig", "bind9-dnsutils"),
        ("kdig", "knot-dnsutils"),
        ("drill", "ldnsutils"),
        ("delv", "bind9-dnsutils"),
    ];
    wanted.iter().all(|(program, package)| peer(test, program, package).is_some())
}

#[test]
fn five_hundred_questions_get_the_same_answers() {
    if !all_there() || !inside("interop::five_hundred_questions_get_the_same_answers") {
        return;
    }
    // BIND listens only on addresses that an interface has.
    for address in ["127.0.0.21/32", "127.53.1.7/32"] {
        run("ip", &["address", "add", address, "dev", "lo"]);
    }
    let folder = Folder::new("interop");
    let mut held: Vec<Box<dyn Held>> = Vec::new();
    let mut below = head("land.", "127.53.0.2");
    for (zone, address, maker) in ZONES {
        below += &format!("{zone}. 300 IN NS ns.{zone}.\nns.{zone}. 300 IN A {address}\n");
        below += &serve(&folder, zone, address, maker, &mut held);
    }
    // Keys that are not there: its DS is of none.
    below += "wrong.land. 300 IN NS ns.ed.land.\nwrong.land. 300 IN DS 1 15 2 ";
    below += &("00".repeat(32) + "\n");
    let file = folder.write("land.zone", &below);
    let top = Server::start(&folder, "top.sock", &["--listen", "127.53.0.2", "--zone", &file, "--sign"]);
    let text =
        head(".", "127.53.0.1") + "land. 300 IN NS ns.land.\nns.land. 300 IN A 127.53.0.2\n" + &top.told;
    let file = folder.write("root.zone", &text);
    let root = Server::start(&folder, "root.sock", &["--listen", "127.53.0.1", "--zone", &file, "--sign"]);
    let hints = folder.write("hints", ". 300 IN NS ns.\nns. 300 IN A 127.53.0.1\n");
    let anchor = folder.write("anchor", &root.told);
    let ours = Server::start(
        &folder,
        "resolver.sock",
        &["--listen", "127.0.0.1", "--root-hints", &hints, "--anchor", &anchor],
    );
    let text = format!(
        "server:\n directory: \"{0}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n interface: 127.0.0.20\n \
         do-not-query-localhost: no\n access-control: 127.0.0.0/8 allow\n use-syslog: no\n do-daemonize: no\n \
         logfile: \"\"\n verbosity: 1\n root-hints: \"{hints}\"\n trust-anchor-file: \"{anchor}\"\n do-ip6: no\n \
         module-config: \"validator iterator\"\nremote-control:\n control-enable: no\n",
        folder.0.display()
    );
    let config = folder.write("unbound.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("unbound").args(["-d", "-c", &config]),
        "start of service",
    )));
    let ds: Vec<&str> = root.told.split_whitespace().skip_while(|word| *word != "DS").skip(1).collect();
    let trust =
        format!("trust-anchors {{ . static-ds {} {} {} \"{}\"; }};\n", ds[0], ds[1], ds[2], ds[3..].concat());
    let text = format!(
        "options {{ directory \"{}\"; listen-on {{ 127.0.0.21; }}; listen-on-v6 {{ none; }}; pid-file none; \
         session-keyfile none; recursion yes; dnssec-validation yes; allow-query {{ any; }}; }}; controls {{ }};\n{trust}\
         zone \".\" {{ type hint; file \"hints\"; }};\n",
        folder.0.display()
    );
    let config = folder.write("resolver.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("named").args(["-g", "-4", "-n", "1", "-c", &config]),
        "running",
    )));

    let asked = questions();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let (mut differences, mut codes) = (Vec::new(), BTreeMap::new());
    for (number, (name, rtype)) in asked.iter().enumerate() {
        let id = number as u16 + 1;
        let [mine, unbound, bind] =
            ["127.0.0.1", "127.0.0.20", "127.0.0.21"].map(|server| ask(&socket, id, server, name, *rtype));
        *codes.entry((mine.0, mine.1)).or_insert(0) += 1;
        if mine != unbound || mine != bind {
            differences.push(format!(
                "{name} {rtype}:\n  ours    {mine:?}\n  unbound {unbound:?}\n  BIND    {bind:?}"
            ));
        }
    }
    eprintln!("{} questions to three resolvers; ours by code and AD: {codes:?}", asked.len());
    assert!(asked.len() >= 500);
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    tools_agree(&folder, &asked, &trust);
    drop(ours);
}

/// dig, kdig, drill and delv see of our resolver what `thru dig` sees.
fn tools_agree(folder: &Folder, asked: &[(String, RecordType)], trust: &str) {
    let list: String = asked.iter().map(|(name, rtype)| format!("{name} {rtype}\n")).collect();
    let list = folder.write("list", &list);
    let count = |text: &str, word: &str| text.matches(word).count();
    let whole = run("dig", &["@127.0.0.1", "+tries=1", "+time=9", "+dnssec", "-f", &list]);
    assert_eq!(count(&whole, "->>HEADER<<-"), asked.len(), "dig understands every answer");
    assert_eq!(count(&whole, "malformed") + count(&whole, "mismatch") + count(&whole, "WARNING"), 0);
    let anchors = folder.write("delv.keys", trust);
    let mut compared = 0;
    for (name, rtype) in asked.iter().step_by(23) {
        let kind = rtype.to_string();
        let own = thru(&["dig", "@127.0.0.1", name, &kind, "+dnssec", "--json"]);
        let code = ["NOERROR", "NXDOMAIN", "SERVFAIL"]
            .into_iter()
            .find(|code| own.contains(&format!("\"status\":\"{code}\"")))
            .unwrap_or_else(|| panic!("{name} {kind}: {own}"));
        let secure = own.contains("\"ad\"");
        let dug = run("dig", &["@127.0.0.1", "+dnssec", name, &kind]);
        let kdug = run("kdig", &["@127.0.0.1", "+dnssec", name, &kind]);
        for (tool, text) in [("dig", &dug), ("kdig", &kdug)] {
            expect(&format!("{tool} {name} {kind}"), text, &[&format!("status: {code}")]);
            let flags =
                text.lines().find(|line| line.to_lowercase().contains("flags: qr")).unwrap_or_default();
            assert_eq!(flags.contains(" ad"), secure, "{tool} {name} {kind}: {text}");
        }
        let drilled = run("drill", &["-D", "@127.0.0.1", name, &kind]);
        expect(&format!("drill {name} {kind}"), &drilled, &[&format!("rcode: {code}")]);
        let flags = drilled.lines().find(|line| line.contains("flags: qr")).unwrap_or_default();
        assert_eq!(flags.contains(" ad"), secure, "drill {name} {kind}: {drilled}");
        // delv validates by itself, and so needs answers that are still whole.
        let delved = run("delv", &["@127.0.0.1", "-a", &anchors, "+root=.", name, &kind]);
        let said = (delved.contains("fully validated"), delved.contains("unsigned answer"));
        assert_eq!(said, (secure, !secure && code != "SERVFAIL"), "delv {name} {kind}, {code}: {delved}");
        compared += 1;
    }
    eprintln!("{} answers read by dig, {compared} compared with dig, kdig, drill and delv", asked.len());
}
