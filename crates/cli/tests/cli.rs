//! The command as its users meet it: usage errors in two lines, exit codes, the same bytes for the same seed.

use std::process::{Command, Output};

fn thru(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(args)
        .env_remove("SSLKEYLOGFILE")
        .env_remove("COLUMNS")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all output is UTF-8")
}

/// Bad input: exit code 2, nothing on standard output, the two lines on standard error.
#[track_caller]
fn check_usage(args: &[&str], expected: &str) {
    let output = thru(args);
    assert_eq!(text(&output.stderr).trim_end(), expected, "{args:?}");
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

#[test]
fn slips_get_one_line_and_a_hint() {
    check_usage(
        &["pnig"],
        "error: there is no command `pnig`\nhint: did you mean `thru ping`? For a host of that name write https://pnig/",
    );
    check_usage(
        &["ftp://x"],
        "error: cannot follow a request of scheme `ftp`\nhint: use http:// or https://",
    );
    check_usage(
        &["https://"],
        "error: `https://` is not a URL: empty host\nhint: write it like https://www.shop.lab/path",
    );
    check_usage(
        &["www.shop.lab", "--sed", "3"],
        "error: unexpected argument `--sed` found\nhint: a similar argument exists: `--seed`",
    );
    check_usage(
        &["www.shop.lab", "--seed", "x"],
        "error: invalid value `x` for `--seed <N>`: invalid digit found in string\nhint: `thru --help` shows how it is used",
    );
    check_usage(
        &["lab", "verify", "--seed", "x"],
        "error: invalid value `x` for `--seed <N>`: invalid digit found in string\nhint: `thru lab verify --help` shows how it is used",
    );
    check_usage(
        &["www.shop.lab", "--http", "4"],
        "error: invalid value `4` for `--http <VERSION>`\nhint: possible values: 1.1, 2, 3",
    );
    check_usage(
        &["www.shop.lab", "--set", "home--ips.loss=4%"],
        "error: there is no link `home--ips` in lab `internet`\nhint: did you mean `home--isp`?",
    );
    check_usage(
        &["www.shop.lab", "--set", "home--isp.loss=4"],
        "error: `4` has no unit\nhint: write a percentage from 0% to 100%, as in `0.5%`",
    );
    check_usage(
        &["www.shop.lab", "--on", "lba"],
        "error: there is no network `lba`\nhint: use `host`, `lab`, `lab:NAME`, `lab:FILE` or `iface:NAME`; `thru lab list` shows the names",
    );
    check_usage(&["dril", "x.pkt"], "error: there is no command `dril`\nhint: did you mean `thru drill`?");
    check_usage(
        &["www.shop.lab", "--on", "lab:intrenet"],
        "error: there is no lab `intrenet`\nhint: did you mean `internet`?",
    );
    check_usage(
        &["example.org", "--seed", "3"],
        "error: --seed and --set are for labs, and this runs on the host's network\nhint: add `--on lab`, or use a name under .lab",
    );
    check_usage(
        &["lab", "shwo"],
        "error: unrecognized subcommand `shwo`\nhint: a similar subcommand exists: `show`",
    );
    check_usage(
        &["dig", "www.shop.lab", "+shrot"],
        text(&thru(&["dig", "www.shop.lab", "+shrot"]).stderr).trim_end(),
    );
    check_usage(
        &["lab", "show", "/nonexistent/x.toml"],
        "error: cannot read the scenario `/nonexistent/x.toml`: No such file or directory (os error 2)\n\
         hint: give the path of a TOML file, or one of `thru lab list`",
    );
}

#[test]
fn a_scenario_error_points_at_its_line() {
    let folder = std::env::temp_dir().join(format!("thru-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("bad.toml");
    std::fs::write(&file, "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b { dely=10ms }\"]\n").unwrap();
    let path = file.to_str().unwrap();
    check_usage(
        &["lab", "show", path],
        &format!(
            "error: {path}:2:20: unknown link setting `dely`\nhint: did you mean `delay`?\n  \
             links = [\"a -- b {{ dely=10ms }}\"]\n                     ^^^^"
        ),
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn help_and_version_are_data() {
    let help = thru(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Exit codes: 0 healthy, 1 fault found"));
    assert!(help.stderr.is_empty());
    assert_eq!(text(&thru(&["--version"]).stdout), format!("thru {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(thru(&[]).status.code(), Some(2));
}

#[test]
fn the_same_seed_writes_the_same_capture_in_two_processes_and_another_differs() {
    let folder = std::env::temp_dir().join(format!("thru-seed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let capture = |name: &str, seed: &str, more: &[&str]| {
        let file = folder.join(name);
        let mut args = vec!["https://www.shop.lab", "--seed", seed, "-w", file.to_str().unwrap()];
        args.extend(more);
        let output = thru(&args);
        assert!(text(&output.stderr).contains("packets written to"), "{}", text(&output.stderr));
        (std::fs::read(&file).unwrap(), output.stdout)
    };
    for more in [&[][..], &["--http", "1.1"], &["--http", "3"], &["--set", "home--isp.loss=4%"]] {
        let first = capture("a", "7", more);
        assert!(first == capture("b", "7", more), "{more:?}");
        assert!(first.0 != capture("c", "8", more).0, "{more:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn verify_prints_the_digest() {
    let output = thru(&["lab", "verify", "internet", "--seed", "5"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(
        said.contains("seed 5") && said.contains("digest") && said.contains("the same, to the byte"),
        "{said}"
    );
}

#[test]
fn the_tools_work_on_the_internet() {
    let ping = thru(&["ping", "www.shop.lab", "-c", "2"]);
    assert_eq!(ping.status.code(), Some(0), "{}", text(&ping.stderr));
    let route = thru(&["route", "old.bank.lab"]);
    assert_eq!(route.status.code(), Some(0));
    assert!(text(&route.stdout).contains("bng1.access.lab"), "{}", text(&route.stdout));
    let dig = thru(&["dig", "www.shop.lab", "AAAA", "+short"]);
    assert_eq!(text(&dig.stdout), "2001:db8:b:1::10\n");
    let dig = thru(&["dig", "www.shop.lab", "--on", "lab", "--json"]);
    assert!(text(&dig.stdout).starts_with("{\"schema\":1,\"kind\":\"dig\""), "{}", text(&dig.stdout));
    let list = thru(&["lab", "list"]);
    assert!(text(&list.stdout).lines().any(|line| line.starts_with("internet")), "{}", text(&list.stdout));
}

#[test]
fn expanded_labs_can_be_run_from_a_file() {
    let folder = std::env::temp_dir().join(format!("thru-expanded-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("copy.toml");
    std::fs::write(&file, thru(&["lab", "show", "internet", "--expanded"]).stdout).unwrap();
    let place = format!("lab:{}", file.display());
    let output = thru(&["ping", "www.shop.lab", "-c", "1", "--on", &place]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn secrets_go_where_asked() {
    let file = std::env::temp_dir().join(format!("thru-keys-{}", std::process::id()));
    let output = thru(&["https://www.shop.lab", "--keylog", file.to_str().unwrap()]);
    assert!(output.status.code().is_some());
    let keys = std::fs::read_to_string(&file).unwrap();
    assert!(keys.contains("CLIENT_TRAFFIC_SECRET_0 "), "{keys}");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn output_is_plain_and_narrow_when_piped() {
    let output = thru(&["https://www.shop.lab"]);
    let said = text(&output.stdout);
    assert!(!said.contains('\u{1b}'), "no escape sequences");
    for line in said.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    // `thru 2>&1 | true`: both ends closed before anything is written.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_thru"))
        .stdout(writer.try_clone().expect("a second handle"))
        .stderr(writer)
        .status()
        .expect("thru runs");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn drill_tells_each_script_in_a_line() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("drill");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, script: &str| std::fs::write(folder.join(name), script).expect("a file");
    write(
        "a.pkt",
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 < . 1:1(0) ack 5 win 9\n+0 > R 5:5(0) win 0\n",
    );
    write("b.pkt", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = -1 EBADF\n");
    write("c.pkt", "0 `reboot`\n");
    write("notes.txt", "no script");
    let path = folder.to_str().expect("a plain path");
    let output = thru(&["drill", "--json", path]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| (line["result"].as_str().expect("a word"), line["line"].as_u64().expect("a number")))
        .collect();
    assert_eq!(told, [("pass", 0), ("fail", 2), ("skip", 1)]);
    assert!(lines[0]["file"].as_str().is_some_and(|file| file.ends_with("a.pkt")));
    assert!(lines[2]["reason"].as_str().is_some_and(|reason| reason.contains("reboot")));
    assert_eq!(thru(&["drill", &format!("{path}/a.pkt")]).status.code(), Some(0));
    assert_eq!(thru(&["drill", &format!("{path}/d.pkt")]).status.code(), Some(2));
    assert_eq!(thru(&["drill"]).status.code(), Some(2));
    assert_eq!(thru(&["drill", "--persona", "plan9", path]).status.code(), Some(2));
}

#[test]
fn packets_are_crafted_shown_and_described() {
    let expression = "ip(src=192.0.2.2,dst=192.0.2.1)/tcp(dport=80,flags=S,options=(mss=1460))";
    let shown = text(&thru(&["craft", expression]).stdout);
    assert!(shown.contains("Destination Port: 80") && shown.contains("0x0000:  4500 002c"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_slice(&thru(&["craft", "--json", expression]).stdout).expect("JSON");
    assert_eq!(json["packet"]["fields"]["tcp.dstport"], 80, "{json}");
    assert_eq!(json["length"], 44, "{json}");
    let set = thru(&["craft", "ip(dst=192.0.2.0/30)/udp(dport=1-3)/\"x\""]);
    assert_eq!(
        (text(&set.stdout).lines().count(), text(&set.stderr).as_str()),
        (12, "12 packets; -V explains each\n")
    );
    // To a file and back.
    let file = std::env::temp_dir().join(format!("thru-craft-{}.pcapng", std::process::id()));
    let path = file.to_str().expect("a plain name");
    let written = thru(&["craft", "eth()/ip(dst=192.0.2.1,ttl=[1,2])/icmp(seq=7)", "-w", path]);
    assert_eq!(text(&written.stderr), format!("2 packets written to {path}\n"));
    let again = thru(&["craft", "--read", path]);
    std::fs::remove_file(&file).expect("it was written");
    assert_eq!(
        text(&again.stdout),
        "eth()/ip(ttl=1,dst=192.0.2.1)/icmp(seq=7)\neth()/ip(ttl=2,dst=192.0.2.1)/icmp(seq=7)\n"
    );
}

#[test]
fn an_expression_that_makes_no_packet_is_marked() {
    check_usage(
        &["craft", "ip(dst=192.0.2.1)/tpc()"],
        "error: the expression makes no packet, at column 19: there is no layer `tpc`\n\
         hint: there are eth, vlan, arp, ip, ipv6, hopopts, dstopts, routing, frag, icmp, icmpv6, igmp, udp, tcp, gre, vxlan, dns, data, padding\n  \
         ip(dst=192.0.2.1)/tpc()\n                    ^^^",
    );
    check_usage(
        &["craft", "ip(dst=0.0.0.0/0)"],
        "error: the expression stands for 4294967296 packets, more than 65536\n\
         hint: make its lists and ranges shorter, or raise --limit",
    );
}

#[test]
fn sent_packets_get_their_answers_in_the_lab() {
    let send = |expression: &str| thru(&["send", "--on", "lab", expression]);
    // A web server's ports: one open, others answered by a reset or not at all.
    let output = send("ip(dst=203.0.113.10)/tcp(dport=[80,443],flags=S)");
    let shown = text(&output.stdout);
    assert!(shown.contains("2 sent, 2 answered, 0 unanswered"), "{shown}{}", text(&output.stderr));
    assert_eq!(shown.matches("Flags [S.]").count(), 2, "{shown}");
    // What dies on the way is quoted by the router where it died.
    let shown = text(&send("ip(dst=203.0.113.10,ttl=[1,2,3])/udp()").stdout);
    assert!(shown.contains("3 answered (3 by ICMP errors)"), "{shown}");
    // Frames: who has the router's address?
    let shown = text(&send("eth()/arp(tpa=192.168.1.1)").stdout);
    assert!(shown.contains("1 answered"), "{shown}");
    // Changed at random by a seed, twice the same.
    let fuzz = || {
        text(
            &thru(&[
                "send",
                "--on",
                "lab",
                "--fuzz=7",
                "--repeat",
                "50",
                "--json",
                "ip(dst=203.0.113.10)/tcp(dport=80)",
            ])
            .stdout,
        )
    };
    let once = fuzz();
    assert!(once.contains("\"sent\":50") && once == fuzz(), "{once}");
    check_usage(
        &["send", "--on", "lab", "ip()/udp()"],
        "error: the packet has no destination: `ip` lacks dst\nhint: write it, as in ip(dst=192.0.2.1)",
    );
    check_usage(
        &["send", "--on", "lab", "udp()"],
        "error: a packet to send can't begin with `udp`\nhint: begin with ip, ipv6, or (on an interface or in a lab) eth",
    );
}

/// The hops of a route's JSON: those that answered at each distance.
fn hops(args: &[&str]) -> (serde_json::Value, Vec<Vec<String>>) {
    let output = thru(&[&["route", "--json"], args].concat());
    let route: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
    let addresses = |hop: &serde_json::Value| {
        hop["addresses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|address| address.as_str().unwrap().to_owned())
            .collect()
    };
    let hops = route["hops"].as_array().unwrap().iter().map(addresses).collect();
    (route, hops)
}

#[test]
fn every_kind_of_probe_finds_the_same_way() {
    for family in ["-4", "-6"] {
        let (route, expected) = hops(&["www.shop.lab", family]);
        assert_eq!((&route["reached"], &route["protocol"]), (&true.into(), &"udp".into()), "{route}");
        assert!(expected.len() >= 6 && expected.iter().all(|hop| hop.len() == 1), "{route}");
        for kind in [
            &["--icmp"][..],
            &["--tcp", "--port", "443"],
            &["--paris"],
            &["--paris", "--icmp"],
            &["--dublin", "4", "--tcp", "-p", "80"],
        ] {
            let (route, found) = hops(&[&["www.shop.lab", family], kind].concat());
            assert_eq!((found, &route["reached"]), (expected.clone(), &true.into()), "{kind:?} {route}");
        }
    }
}

#[test]
fn the_path_mtu_is_found_hop_by_hop() {
    for kind in ["--udp", "--icmp"] {
        let (route, _) =
            hops(&["www.shop.lab", "-4", "--mtu", kind, "--set", "transit-a1--transit-a2.mtu=1400"]);
        let mtus: Vec<u64> =
            route["hops"].as_array().unwrap().iter().map(|hop| hop["mtu"].as_u64().unwrap()).collect();
        assert_eq!((mtus.first(), mtus.last()), (Some(&1500), Some(&1400)), "{route}");
        let tellers = route["hops"].as_array().unwrap().iter().filter(|hop| hop["narrows_to"] == 1400);
        assert_eq!(tellers.count(), 1, "{route}");
    }
}

#[test]
fn pings_by_tcp_and_udp() {
    for (kind, expected) in
        [(&["--tcp"][..], 3), (&["--tcp", "9"], 3), (&["--udp"], 3), (&["--udp", "53"], 3)]
    {
        let output = thru(&[&["ping", "www.shop.lab", "-c", "3", "--json"], kind].concat());
        let last: serde_json::Value =
            serde_json::from_str(text(&output.stdout).lines().last().unwrap_or_default()).expect("JSON");
        assert_eq!(last["received"], expected, "{kind:?}: {}", text(&output.stdout));
        let least = last["rtt_min_nanos"].as_u64().unwrap();
        assert!((15_000_000..120_000_000).contains(&least), "{last}");
    }
}

/// A script must not take half an answer for a whole one.
#[test]
fn what_cannot_be_written_is_told_once_and_by_the_exit_code() {
    for args in [&["lab", "list"][..], &["https://www.shop.lab"], &["--help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
        let output =
            Command::new(env!("CARGO_BIN_EXE_thru")).args(args).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{args:?}");
        let said = text(&output.stderr);
        assert_eq!(said.matches("error: cannot write to standard output").count(), 1, "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_written_does_not_take_the_answer_along() {
    for option in ["--write", "--report", "--har", "--qlog", "--bundle", "--keylog"] {
        let output = thru(&["https://www.shop.lab", option, "/nonexistent/file"]);
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert!(text(&output.stdout).contains("www.shop.lab is healthy"), "{option}");
        assert!(text(&output.stderr).starts_with("error: cannot write `/nonexistent/file`"), "{option}");
    }
}

/// A folder of its own for a test, gone with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("thru-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    /// A file with this text: its path.
    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("the folder is ours");
        path.to_str().expect("plain letters").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ZONE: &str = "$TTL 300\n@ SOA ns a 7 2 3 4 60\n@ NS ns\nns A 192.0.2.1\n";

#[test]
fn somebodys_file_is_not_taken_for_a_socket_left_behind() {
    let folder = Folder::new("control");
    let (zone, notes) = (folder.write("zone", ZONE), folder.write("notes", "dear diary"));
    let zone = format!("shop.lab={zone}");
    let output = thru(&["serve", "dns", "--zone", &zone, "--listen", "127.0.0.1:0", "--control", &notes]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot take orders at"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(&notes).expect("it is still there"), "dear diary");
}

#[test]
fn half_a_zone_does_not_pass_for_a_whole_one() {
    let folder = Folder::new("half");
    let zone = folder.write("zone", &(ZONE.to_owned() + "www TXT ( a\nmail A 192.0.2.25\n"));
    let output = thru(&["serve", "dns", "--zone", &format!("shop.lab={zone}"), "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("line 5: has a parenthesis that is never closed"), "{said}");
}

#[test]
fn a_key_that_is_not_the_certificates_is_told() {
    let made = || rcgen::generate_simple_self_signed(vec!["visitor.lab".to_owned()]).expect("it can be made");
    let (one, other) = (made(), made());
    let folder = Folder::new("identity");
    let cert = folder.write("cert.pem", &one.cert.pem());
    let key = folder.write("key.pem", &other.signing_key.serialize_pem());
    let why = "the private key is not the one that the certificate was made for";
    let output = thru(&["https://www.shop.lab", "--cert", &cert, "--key", &key]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(&format!("error: cannot show `{cert}`: {why}")));
    let zone = format!("shop.lab={}", folder.write("zone", ZONE));
    let tls = ["--tls", "127.0.0.1:0", "--cert", &cert, "--key", &key];
    let output = thru(&[&["serve", "dns", "--zone", &zone][..], &tls].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
}

#[test]
fn a_capture_is_not_written_over_while_it_is_read() {
    let folder = Folder::new("over");
    let capture = folder.0.join("one.pcapng");
    let capture = capture.to_str().expect("plain letters");
    assert!(thru(&["https://www.shop.lab", "-w", capture]).status.success());
    let before = std::fs::read(capture).expect("it was written");
    let other = folder.0.join("other.pcapng");
    std::fs::hard_link(capture, &other).expect("the folder is ours");
    let other = other.to_str().expect("plain letters");
    for args in [
        ["read", capture, "-w", other],
        ["doctor", capture, "--report", capture],
        ["doctor", capture, "--qlog", other],
    ] {
        let output = thru(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("is the file that is read"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read(capture).expect("it is there"), before, "{args:?}");
    }
    let keys = folder.write("keys", "# nothing\n");
    let site = "https://www.shop.lab";
    for args in [
        ["doctor", capture, "--keylog", &keys, "--report", &keys],
        [site, "--cert", &keys, "--key", &keys, "--report"],
        [site, "--cacert", &keys, "--http", "2", "--har"],
    ] {
        let args = if args[5].starts_with("--") { [&args[..], &[&keys]].concat() } else { args.to_vec() };
        let output = thru(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("is the file that is read"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_to_string(&keys).expect("it is there"), "# nothing\n", "{args:?}");
    }
}

#[test]
fn words_that_are_no_utf_8_are_a_mistake_of_the_typist() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"m\xfcnchen");
    for args in [&[odd][..], &["ping".as_ref(), "--bogus".as_ref(), odd]] {
        let output = Command::new(env!("CARGO_BIN_EXE_thru")).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("error: "), "{}", text(&output.stderr));
    }
}
