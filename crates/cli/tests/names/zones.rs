//! The zones that everybody is asked about: who signs and serves each, what it holds, and the questions.

use std::fs;
use std::process::Command;
use std::thread;

use thru_names::proto::rr::RecordType;
use thru_names::text::parse_type;

use crate::house::{Daemon, Folder, Held, Server, head, run};

/// Zones below `land`: name, address of its server, who signs and serves.
pub(crate) const ZONES: [(&str, &str, Maker); 12] = [
    ("ed.land", "10.53.1.1", Maker::Ours(&["--sign"])),
    ("ed3.land", "10.53.1.2", Maker::Ours(&["--sign", "--nsec3"])),
    ("p256.land", "10.53.1.3", Maker::Ours(&["--sign", "p256", "--nsec3"])),
    ("rsa.land", "10.53.1.4", Maker::Rsa),
    ("plain.land", "10.53.1.5", Maker::Ours(&[])),
    ("nsd.land", "10.53.1.6", Maker::Ldns),
    ("bind.land", "10.53.1.7", Maker::Bind),
    ("knot.land", "10.53.1.8", Maker::Knot),
    // The algorithms that are left, and NSEC3 with opt-out.
    ("rsa1.land", "10.53.1.9", Maker::Signed("NSEC3RSASHA1", &["-3", "AB"])),
    ("rsa512.land", "10.53.1.10", Maker::Signed("RSASHA512", &[])),
    ("p384.land", "10.53.1.11", Maker::Signed("ECDSAP384SHA384", &["-3", "-", "-A"])),
    ("ed448.land", "10.53.1.12", Maker::Signed("ED448", &["-3", "-"])),
];

#[derive(Clone, Copy)]
pub(crate) enum Maker {
    /// `thru serve dns` with these words.
    Ours(&'static [&'static str]),
    /// The same with keys of dnssec-keygen.
    Rsa,
    /// ldns-keygen, ldns-signzone with NSEC3, and NSD.
    Ldns,
    /// dnssec-keygen, dnssec-signzone, and named.
    Bind,
    /// keymgr, and knotd, which signs by itself: RSA, NSEC3 with opt-out.
    Knot,
    /// dnssec-keygen with this algorithm, dnssec-signzone with these words, and NSD.
    Signed(&'static str, &'static [&'static str]),
}

impl Maker {
    /// The tools and servers, for people.
    pub(crate) fn words(self) -> String {
        match self {
            Maker::Ours([]) => "thru serve dns, unsigned".to_owned(),
            Maker::Ours(words) => format!("thru serve dns {}", words.join(" ")),
            Maker::Rsa => "thru serve dns, keys of dnssec-keygen: RSASHA256".to_owned(),
            Maker::Ldns => "ldns-signzone, NSD: ED25519, NSEC3".to_owned(),
            Maker::Bind => "dnssec-signzone, BIND: ECDSAP256SHA256, NSEC".to_owned(),
            Maker::Knot => "keymgr, knotd: RSASHA256, NSEC3, opt-out".to_owned(),
            Maker::Signed(algorithm, words) => {
                let denial = match words {
                    [] => "NSEC",
                    [.., "-A"] => "NSEC3, opt-out",
                    _ => "NSEC3",
                };
                format!("dnssec-signzone, NSD: {algorithm}, {denial}")
            }
        }
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
    text += &format!("sub.{zone}. 300 IN NS ns.sub.{zone}.\nns.sub.{zone}. 300 IN A 10.53.9.9\n");
    text
}

/// What is asked: name and type. Zones that differ in the algorithm only are asked less.
pub(crate) fn questions() -> Vec<(String, RecordType)> {
    let mut asked = Vec::new();
    let wrong = ("wrong.land", "", Maker::Ours(&[]));
    for (zone, _, maker) in ZONES.iter().chain(&[wrong]) {
        let few = matches!(maker, Maker::Signed(..));
        let mut ask = |label: &str, kind: &str| {
            let dot = if label.is_empty() { "" } else { "." };
            asked.push((format!("{label}{dot}{zone}."), parse_type(kind).expect("a type")));
        };
        for number in 0..if few { 3 } else { 8 } {
            ask(&format!("h{number}"), "A");
            ask(&format!("h{}", number + 15), "AAAA");
            ask(&format!("no{number}"), "A");
        }
        for number in 0..if few { 1 } else { 3 } {
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

/// Signs and serves them all; the records that the zone above needs for them.
pub(crate) fn plant(folder: &Folder, held: &mut Vec<Box<dyn Held>>) -> String {
    // Keys of RSA take their time, and servers theirs to start.
    let planted: Vec<(String, Vec<Box<dyn Held>>)> = thread::scope(|scope| {
        let planting = ZONES.map(|(zone, address, maker)| {
            scope.spawn(move || {
                let mut held = Vec::new();
                let told = plant_one(folder, (zone, address, maker), &mut held);
                (told, held)
            })
        });
        planting.map(|one| one.join().expect("it is planted")).into()
    });
    let mut above = String::new();
    for ((zone, address, _), (told, servers)) in ZONES.iter().zip(planted) {
        above += &format!("{zone}. 300 IN NS ns.{zone}.\nns.{zone}. 300 IN A {address}\n{told}");
        held.extend(servers);
    }
    let for_nsd = ZONES.iter().filter(|(_, _, maker)| matches!(maker, Maker::Ldns | Maker::Signed(..)));
    nsd(folder, &for_nsd.map(|(zone, address, _)| (*zone, *address)).collect::<Vec<_>>(), held);
    above
}

/// Signs and serves one, unless NSD does that for several; its DS records.
fn plant_one(
    folder: &Folder,
    (zone, address, maker): (&str, &str, Maker),
    held: &mut Vec<Box<dyn Held>>,
) -> String {
    let file = folder.write(&format!("{zone}.zone"), &content(zone, address));
    match maker {
        Maker::Ours(words) => ours(folder, zone, address, &file, words, held),
        Maker::Rsa => {
            let main = key(folder, zone, "dnssec-keygen", &["-a", "RSASHA256", "-b", "2048", "-f", "KSK"]);
            let other = key(folder, zone, "dnssec-keygen", &["-a", "RSASHA256", "-b", "2048"]);
            let (main, other) = (main + ".private", other + ".private");
            ours(folder, zone, address, &file, &["--sign-with", &main, "--sign-with", &other], held)
        }
        Maker::Ldns => {
            let main = key(folder, zone, "ldns-keygen", &["-a", "ED25519", "-k"]);
            let signed = folder.path(&format!("{zone}.signed"));
            let output = run("ldns-signzone", &["-n", "-o", zone, "-f", &signed, &file, &main]);
            assert!(fs::exists(&signed).is_ok_and(|is| is), "{output}");
            fs::read_to_string(main + ".ds").expect("a DS record")
        }
        Maker::Bind => {
            let told = sign(folder, zone, "ECDSAP256SHA256", &[], &file);
            bind(folder, zone, address, held);
            told
        }
        Maker::Knot => knot(folder, zone, address, &file, held),
        Maker::Signed(algorithm, words) => sign(folder, zone, algorithm, words, &file),
    }
}

/// `thru serve dns` for a zone; its DS record, if it signs.
fn ours(
    folder: &Folder,
    zone: &str,
    address: &str,
    file: &str,
    words: &[&str],
    held: &mut Vec<Box<dyn Held>>,
) -> String {
    let all = [&["--listen", address, "--zone", file], words].concat();
    let server = Server::start(folder, &format!("{zone}.sock"), &all);
    let told = server.told.clone();
    held.push(Box::new(server));
    told
}

/// A new key for the zone; its path without an ending.
fn key(folder: &Folder, zone: &str, program: &str, words: &[&str]) -> String {
    let output =
        Command::new(program).args(words).arg(zone).current_dir(&folder.0).output().expect("it runs");
    assert!(output.status.success(), "{program}: {output:?}");
    folder.path(String::from_utf8(output.stdout).expect("text").trim())
}

/// Two keys and dnssec-signzone; the DS records.
fn sign(folder: &Folder, zone: &str, algorithm: &str, words: &[&str], file: &str) -> String {
    let bits: &[&str] = if algorithm.contains("RSA") { &["-b", "2048"] } else { &[] };
    key(folder, zone, "dnssec-keygen", &[&["-a", algorithm, "-f", "KSK"], bits].concat());
    key(folder, zone, "dnssec-keygen", &[&["-a", algorithm], bits].concat());
    let signed = format!("{zone}.signed");
    let all = [&["-S", "-o", zone, "-f", &signed], words, &[file]].concat();
    let signing = Command::new("dnssec-signzone").args(all).current_dir(&folder.0).output();
    let signing = signing.expect("it runs");
    assert!(signing.status.success(), "{zone}: {signing:?}");
    fs::read_to_string(folder.path(&format!("dsset-{zone}."))).expect("a DS record")
}

fn bind(folder: &Folder, zone: &str, address: &str, held: &mut Vec<Box<dyn Held>>) {
    let text = format!(
        "options {{ directory \"{}\"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; pid-file none; \
         session-keyfile none; recursion no; }}; controls {{ }};\n\
         zone \"{zone}\" {{ type primary; file \"{zone}.signed\"; }};\n",
        folder.0.display()
    );
    let config = folder.write("authority.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("named").args(["-g", "-n", "1", "-c", &config]),
        "running",
    )));
}

fn nsd(folder: &Folder, zones: &[(&str, &str)], held: &mut Vec<Box<dyn Held>>) {
    let mut text = format!(
        "server:\n username: \"\"\n chroot: \"\"\n zonesdir: \"{0}\"\n pidfile: \"\"\n database: \"\"\n \
         xfrdfile: \"{0}/xfrd\"\n zonelistfile: \"{0}/zonelist\"\n xfrdir: \"{0}\"\n \
         cookie-secret-file: \"\"\n server-count: 1\n",
        folder.0.display()
    );
    zones.iter().for_each(|(_, address)| text += &format!(" ip-address: {address}\n"));
    text += "remote-control:\n control-enable: no\n";
    for (zone, _) in zones {
        text += &format!("zone:\n name: {zone}\n zonefile: {zone}.signed\n");
    }
    let config = folder.write("nsd.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("nsd").args(["-d", "-V", "2", "-c", &config]),
        "nsd started",
    )));
}

fn knot(folder: &Folder, zone: &str, address: &str, file: &str, held: &mut Vec<Box<dyn Held>>) -> String {
    let home = folder.0.join("knot");
    fs::create_dir_all(&home).expect("a folder");
    let text = format!(
        "server:\n  listen: {address}@53\n  rundir: {0}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\ndatabase:\n  storage: {0}\n\
         policy:\n  - id: own\n    algorithm: RSASHA256\n    ksk-size: 2048\n    zsk-size: 2048\n    manual: on\n    nsec3: on\n    \
         nsec3-iterations: 0\n    nsec3-salt-length: 0\n    nsec3-opt-out: on\n\
         zone:\n  - domain: {zone}\n    file: {file}\n    dnssec-signing: on\n    dnssec-policy: own\n    \
         zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n",
        home.display()
    );
    let config = folder.write("knot.conf", &text);
    for words in [&["ksk=yes", "zsk=no"], &["ksk=no", "zsk=yes"]] {
        let all =
            [&["-c", &config, zone, "generate", "algorithm=RSASHA256", "size=2048"], &words[..]].concat();
        run("keymgr", &all);
    }
    let told = run("keymgr", &["-c", &config, zone, "ds"]);
    held.push(Box::new(Daemon::start(
        Command::new("knotd").args(["-c", &config]),
        "zone events resumed|successfully signed",
    )));
    // SHA-384 comes with it; one digest is enough.
    told.lines().filter(|line| line.contains(" DS ")).map(|line| format!("{line}\n")).collect()
}
