//! Zones that change while they are served: by updates of nsupdate and knsupdate, who are known by their keys. What has
//! changed is signed, reaches BIND as a secondary in steps, and is there after a restart.

use std::fs;
use std::io::Write as _;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use thru_names::authority::tsig::{Key, sign_query};
use thru_names::authority::update::ask;
use thru_names::text::parse_name;
use thru_peers::peer;

use crate::house::{Folder, Server, expect, head, inside, run, thru};
use crate::secondary::{PRIMARY, SECONDARY, Secondary};

/// A program that reads what to do from its standard input; all that it says.
fn feed(program: &Path, words: &[&str], orders: &str) -> String {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(orders.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    format!("{said}\nended with {}", output.status.code().unwrap_or(-1))
}

fn ask(server: &str, words: &[&str]) -> String {
    run("dig", &[&[&format!("@{server}"), "+tries=1", "+time=9", "+norecurse"], words].concat())
}

fn serial(server: &str) -> u64 {
    let soa = ask(server, &["shop.land", "SOA", "+short"]);
    soa.split(' ').nth(2).and_then(|serial| serial.parse().ok()).unwrap_or_else(|| panic!("{soa}"))
}

/// A zone with many names, so that a whole transfer is easily told from steps.
fn zone() -> String {
    let names = (0..80).map(|number| format!("n{number}.shop.land. 300 IN A 192.0.2.{number}\n"));
    head("shop.land.", PRIMARY) + "www.shop.land. 300 IN A 192.0.2.80\n" + &names.collect::<String>()
}

/// The counterparts are there, and the test is in a namespace of its own.
fn possible(test: &str, name: &str) -> bool {
    let needed = [
        ("nsupdate", "bind9-dnsutils"),
        ("dig", "bind9-dnsutils"),
        ("named", "bind9"),
        ("tsig-keygen", "bind9"),
        ("knsupdate", "knot-dnsutils"),
    ];
    needed.iter().all(|(program, package)| peer(test, program, package).is_some()) && inside(name)
}

/// An update by nsupdate.
fn update(words: &[&str], orders: &str) -> String {
    let orders = format!("server {PRIMARY}\nzone shop.land\n{orders}\nsend\nanswer\n");
    feed(Path::new("nsupdate"), words, &orders)
}

/// Response code and TSIG error of the answer to an update that was signed an hour ago.
fn code_of_late(key: &str) -> (u8, u8) {
    let key = Key::from_file(&fs::read_to_string(key).expect("the key")).expect("a key");
    let origin = parse_name("shop.land").expect("a name");
    let message = ask::message(7, &origin, ["add late 60 A 192.0.2.9"]).expect("lines that are understood");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date").as_secs();
    let (message, _) = sign_query(&Arc::new(key), now - 3600, &message);
    let socket = UdpSocket::bind((PRIMARY, 0)).expect("loopback");
    socket.send_to(&message, (PRIMARY, 53)).expect("loopback");
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).expect("an answer");
    // The error stands before the server's time, which is six octets and their length, at the end.
    (buffer[3] & 15, buffer[length - 9])
}

const ADD: &str = "prereq nxdomain new.shop.land\nupdate add new.shop.land 60 A 192.0.2.9";

#[test]
fn nsupdate_and_knsupdate_change_a_zone_that_stays_signed() {
    let name = "updates::nsupdate_and_knsupdate_change_a_zone_that_stays_signed";
    if !possible("updates of a signed zone by nsupdate and knsupdate, copied by BIND", name) {
        return;
    }
    let folder = Folder::new("updates");
    let key = folder.write("key", &run("tsig-keygen", &["one.key"]));
    let other = folder.write("other", &run("tsig-keygen", &["one.key"]));
    let stranger = folder.write("stranger", &run("tsig-keygen", &["two.key"]));
    let (file, keys) = (folder.write("zone", &zone()), folder.path("keys"));
    let words = ["--listen", PRIMARY, "--zone", &file, "--sign", "--keys", &keys, "--update-key", &key];
    let words = [&words[..], &["--transfer", "127.0.0.0/8", "--notify", SECONDARY]].concat();
    let server = Server::start(&folder, "orders", &words);
    let mut secondary = Secondary::start(&folder, "shop.land");
    assert!(secondary.has(serial(PRIMARY)) > 160, "at first all comes");

    expect("without a key", &update(&[], ADD), &["REFUSED"]);
    expect("with another secret", &update(&["-k", &other], ADD), &["BADSIG"]);
    expect("with another key", &update(&["-k", &stranger], ADD), &["BADKEY"]);
    assert_eq!(code_of_late(&key), (9, 18), "an hour late: NOTAUTH, BADTIME");
    expect("nobody is there", &ask(PRIMARY, &["new.shop.land", "A"]), &["NXDOMAIN"]);
    expect("with the key", &update(&["-k", &key], ADD), &["status: NOERROR", "ended with 0"]);
    let steps = secondary.has(serial(PRIMARY));
    assert!((8..30).contains(&steps), "steps only: {steps} records");
    let signed = ["NOERROR", "192.0.2.9", "RRSIG\tA 15 3"];
    for at in [PRIMARY, SECONDARY] {
        expect("it is there, and signed", &ask(at, &["new.shop.land", "A", "+dnssec"]), &signed);
    }
    expect("a second time", &update(&["-k", &key], ADD), &["YXDOMAIN"]);
    let foreign = "update add www.elsewhere.land 60 A 192.0.2.9";
    expect("outside", &update(&["-k", &key], foreign), &["NOTZONE"]);
    let by_hand = format!("update add shop.land 60 CDS 1 15 2 {}", "00".repeat(32));
    expect("by hand", &update(&["-k", &key], &by_hand), &["REFUSED"]);

    let secret = fs::read_to_string(&key).expect("the key");
    let secret = secret.split('"').nth(3).expect("the secret");
    let orders = format!(
        "server {PRIMARY}\nzone shop.land.\ndel new.shop.land. A\nadd kn.shop.land. 60 TXT \"by knot\"\nsend\nanswer\n"
    );
    let said = feed(Path::new("knsupdate"), &["-y", &format!("hmac-sha256:one.key:{secret}")], &orders);
    expect("knsupdate", &said, &["status: NOERROR"]);
    secondary.has(serial(PRIMARY));
    let added = ["by knot", "RRSIG\tTXT 15 3"];
    expect("what it added", &ask(SECONDARY, &["kn.shop.land", "TXT", "+dnssec"]), &added);
    expect("what it took away", &ask(SECONDARY, &["new.shop.land", "A"]), &["NXDOMAIN"]);

    // nsupdate finds the zone by itself, and a transfer may be signed, too.
    let orders = format!("server {PRIMARY}\nupdate add found.shop.land 60 A 192.0.2.10\nsend\nanswer\n");
    expect("without a zone", &feed(Path::new("nsupdate"), &["-k", &key], &orders), &["status: NOERROR"]);
    let whole = ask(PRIMARY, &["shop.land", "AXFR", "-k", &key]);
    expect("a signed transfer", &whole, &["found.shop.land.", "hmac-sha256", "XFR size"]);
    assert!(!whole.contains("Couldn't verify"), "{whole}");

    // The zone's file is edited while the server is down; what updates changed stays.
    let before = serial(PRIMARY);
    server.end();
    folder.write("zone", &(zone() + "edited.shop.land. 300 IN A 192.0.2.99\n"));
    let _server = Server::start(&folder, "orders", &words);
    assert!(serial(PRIMARY) > before);
    expect("after a restart", &ask(PRIMARY, &["kn.shop.land", "TXT", "+dnssec"]), &added);
    expect("what was edited", &ask(PRIMARY, &["edited.shop.land", "A", "+short"]), &["192.0.2.99"]);
    expect("and changes again", &update(&["-k", &key], ADD), &["status: NOERROR"]);
}

#[test]
fn a_zone_without_signatures_changes_in_steps_too() {
    let name = "updates::a_zone_without_signatures_changes_in_steps_too";
    if !possible("updates of a plain zone by nsupdate, copied by BIND", name) {
        return;
    }
    let folder = Folder::new("updates-plain");
    let file = folder.write("zone", &zone());
    let words =
        ["--listen", PRIMARY, "--zone", &file, "--update", "127.0.0.1/32", "--transfer", "127.0.0.0/8"];
    let words = [&words[..], &["--notify", SECONDARY]].concat();
    let server = Server::start(&folder, "orders", &words);
    let mut secondary = Secondary::start(&folder, "shop.land");
    let first = serial(PRIMARY);
    assert!(secondary.has(first) > 80, "at first all comes");
    expect("by address", &update(&[], ADD), &["status: NOERROR"]);
    assert_eq!((serial(PRIMARY), secondary.has(first + 1)), (first + 1, 5), "four SOAs and what is new");
    expect("it is there", &ask(SECONDARY, &["new.shop.land", "A", "+short"]), &["192.0.2.9"]);
    server.end();

    // After a restart the steps are known still, and go on; also where updates are no longer allowed.
    let server = Server::start(&folder, "orders", &words);
    let transfer = [&format!("@{PRIMARY}"), "shop.land", &format!("IXFR={first}"), "+noall", "+answer"];
    let steps = run("dig", &transfer.map(|word| word as &str));
    assert_eq!(steps.lines().count(), 5, "{steps}");
    expect("a change", &update(&[], "update delete new.shop.land A"), &["status: NOERROR"]);
    assert_eq!(secondary.has(first + 2), 5);
    server.end();
    let closed = ["--listen", PRIMARY, "--zone", &file];
    let _server = Server::start(&folder, "orders", &closed);
    assert_eq!(serial(PRIMARY), first + 2);
    expect("closed", &update(&[], ADD), &["REFUSED"]);

    // The file is read again: what updates changed stays, and the serial grows by itself.
    expect(
        "nothing new",
        &thru(&["dns", "reload", "--control", &folder.path("orders")]),
        &["\"changed\": []"],
    );
    assert_eq!(serial(PRIMARY), first + 2);
    folder.write("zone", &(zone() + "edited.shop.land. 300 IN A 192.0.2.99\n"));
    expect("reload", &thru(&["dns", "reload", "--control", &folder.path("orders")]), &["shop.land."]);
    assert_eq!(serial(PRIMARY), first + 3);
    expect("what was edited", &ask(PRIMARY, &["edited.shop.land", "A", "+short"]), &["192.0.2.99"]);
}

#[test]
fn what_is_wrong_with_a_key_or_a_journal_is_said() {
    let folder = Folder::new("updates-wrong");
    let file = folder.write("zone", &zone());
    let said = |words: &[&str]| {
        let all = [&["serve", "dns", "--listen", "127.0.0.1:0", "--zone", &file], words].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_thru")).args(all).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "it does not start");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let hint = "give the file that `tsig-keygen NAME` writes";
    expect("no file", &said(&["--update-key", "/nowhere/key"]), &["/nowhere/key: No such file", hint]);
    let key = folder.write("key", "key \"one\" { algorithm hmac-md5; secret \"c2VjcmV0\"; };\n");
    expect(
        "an old algorithm",
        &said(&["--update-key", &key]),
        &["`hmac-md5` is no algorithm", "hmac-sha256", hint],
    );
    let key = folder.write("key", "-----BEGIN PRIVATE KEY-----\n");
    expect("another key", &said(&["--update-key", &key]), &["there is no `secret` in it", hint]);
    folder.write("zone.journal", "from 7 to eight\n");
    let wrong = ["zone.journal: line 1: a serial is no number", "move it away"];
    expect("a broken journal", &said(&["--update", "127.0.0.1/32"]), &wrong);
}
