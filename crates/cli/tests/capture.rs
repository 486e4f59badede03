//! `thru capture`, live, in network namespaces of its own: beside tcpdump and libpcap on the same packets.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use thru_dissect::file::{Item, Reader, link};
use thru_dissect::filter::Filter;
use thru_os::capture::{Capture, CaptureConfig, Instruction};
use thru_os::namespace::NetworkNamespace;
use thru_peers::Folder;

/// A program that listens in a namespace.
struct Listener {
    child: Child,
    talk: BufReader<std::process::ChildStderr>,
}

impl Listener {
    /// Starts it, and waits until it says that it hears.
    fn start(namespace: &NetworkNamespace, program: &Path, arguments: &[&str]) -> Listener {
        let spawn = || {
            let mut command = Command::new(program);
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.env_remove("SUDO_UID").spawn()
        };
        let mut child = namespace.within(spawn).expect("entered").expect("it runs");
        let mut talk = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert_ne!(talk.read_line(&mut line).expect("it talks"), 0, "{arguments:?} ended");
        }
        Listener { child, talk }
    }

    /// What it printed and said, after it was asked to end or by itself.
    fn end(self, ask: bool) -> (String, String) {
        let (said, told, code) = self.end_with(ask);
        assert_eq!(code, Some(0), "{told}");
        (said, told)
    }

    /// The same, and its exit code.
    fn end_with(mut self, ask: bool) -> (String, String, Option<i32>) {
        if ask {
            let id = self.child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
        }
        let (mut said, mut told) = (String::new(), String::new());
        self.child.stdout.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
        self.talk.read_to_string(&mut told).expect("UTF-8");
        let code = self.child.wait().expect("it ends").code();
        (said, told, code)
    }
}

/// A namespace to listen in, if networks may be made here.
fn namespace(test: &str) -> Option<NetworkNamespace> {
    thru_peers::may_make_networks(test)
        .then(|| NetworkNamespace::new().expect("who may make networks gets one"))
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_thru"))
}

/// The number in front of the words that programs count with.
fn counted(told: &str, words: &str) -> u64 {
    let line = told.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {told}"));
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number comes first")
}

/// Sends numbered datagrams over loopback as fast as they go.
fn flood(namespace: &NetworkNamespace, count: u32) {
    let send = || {
        let (from, to) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let to = to.local_addr()?;
        let mut payload = [0; 900];
        for number in 0..count {
            payload[..4].copy_from_slice(&number.to_be_bytes());
            from.send_to(&payload[..100 + number as usize % 800], to)?;
        }
        std::io::Result::Ok(())
    };
    namespace.within(send).expect("entered").expect("loopback takes all");
}

/// The numbers of the datagrams in a file.
fn numbers(file: &Path, headers: usize) -> Vec<u32> {
    let bytes = fs::read(file).expect("written");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let mut numbers = Vec::new();
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            let payload = record.bytes.get(headers..headers + 4).expect("a datagram");
            numbers.push(u32::from_be_bytes(payload.try_into().expect("four bytes")));
        }
    }
    numbers
}

#[test]
fn nothing_is_lost_that_tcpdump_does_not_lose() {
    const SENT: u32 = 30_000;
    let test = "nothing_is_lost_that_tcpdump_does_not_lose";
    let Some(tcpdump) = thru_peers::peer(test, "tcpdump", "tcpdump") else { return };
    let Some(namespace) = namespace(test) else { return };
    let folder = Folder::new(test);
    for (interface, headers) in [("lo", 14 + 28), ("any", 20 + 28)] {
        let (ours, theirs) = (folder.0.join("ours.pcapng"), folder.0.join("theirs.pcap"));
        let file = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let thru = Listener::start(
            &namespace,
            program(),
            &["capture", "-i", interface, "-Z", "root", "-w", &file(&ours), "udp"],
        );
        let beside = Listener::start(
            &namespace,
            &tcpdump,
            &["-i", interface, "-Z", "root", "-w", &file(&theirs), "udp"],
        );
        flood(&namespace, SENT);
        let (_, told) = thru.end(true);
        let (_, told_beside) = beside.end(true);
        let (lost, lost_beside) =
            (counted(&told, "dropped by kernel"), counted(&told_beside, "dropped by kernel"));
        assert!(lost <= lost_beside, "{told}{told_beside}");
        let found = numbers(&ours, headers);
        assert_eq!(found.len() as u64, counted(&told, "packets captured"));
        assert!(found.is_sorted_by(|a, b| a < b), "each once, in order");
        if lost == 0 {
            assert_eq!(found.len(), SENT as usize, "{told}");
        }
    }
}

#[test]
fn the_last_block_is_taken_while_more_comes() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let test = "the_last_block_is_taken_while_more_comes";
    let Some(namespace) = namespace(test) else { return };
    let folder = Folder::new(test);
    let file = folder.0.join("all.pcapng");
    let to = file.to_str().expect("a plain path");
    let thru = Listener::start(
        &namespace,
        program(),
        &["capture", "-i", "lo", "-B", "65536", "-s", "60", "-Z", "root", "-w", to, "udp"],
    );
    /// Ends the flood, also if something fails.
    struct Enough<'a>(&'a AtomicBool);
    impl Drop for Enough<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_enough = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let _enough = Enough(&is_enough);
        scope.spawn(|| {
            while !is_enough.load(Ordering::Relaxed) {
                flood(&namespace, 100);
            }
        });
        thru.end(true).1
    });
    // Every packet over loopback passes the filter twice, and is told once; the last one may meet the end between the two.
    let (taken, lost) = (counted(&told, "packets captured"), counted(&told, "dropped by kernel"));
    if lost == 0 {
        let half_way = counted(&told, "received by filter") - 2 * taken;
        assert!(half_way <= 1, "{told}");
    }
    assert_eq!(numbers(&file, 42).len() as u64, taken);
}

#[test]
fn what_comes_while_packets_are_taken_waits_for_the_next_round() {
    const BLOCKS: usize = 2;
    const BLOCK: usize = 256 << 10;
    const SIZE: usize = 60_000;
    let test = "what_comes_while_packets_are_taken_waits_for_the_next_round";
    let Some(namespace) = namespace(test) else { return };
    let done = namespace.within(|| {
        let config = CaptureConfig {
            interface: Some("lo".to_owned()),
            snap_length: 262_144,
            promiscuous: false,
            buffer: BLOCKS * BLOCK,
            latency: 1,
        };
        let mut capture = listening(&config, None);
        let (from, to) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let to = to.local_addr()?;
        // For each packet that is taken come as many as fill the ring, until it is known whether there is an end.
        let mut left = 100;
        let mut round = |capture: &mut Capture| {
            capture.each(|_| {
                left -= i32::from(left > 0);
                (0..if left > 0 { BLOCKS * BLOCK / SIZE } else { 0 })
                    .all(|_| from.send_to(&[7; SIZE], to).is_ok())
            })
        };
        from.send_to(&[7; SIZE], to)?;
        for _ in 0..2 {
            let mut taken = 0;
            while taken == 0 {
                capture.wait(&[], -1)?;
                taken = round(&mut capture);
            }
            assert!(taken <= BLOCKS * (BLOCK / SIZE), "{taken} packets are more than a ring has");
        }
        std::io::Result::Ok(())
    });
    done.expect("entered").expect("loopback takes all");
}

#[test]
fn what_came_before_the_interface_went_down_is_kept() {
    use thru_os::netlink;
    let test = "what_came_before_the_interface_went_down_is_kept";
    let Some(namespace) = namespace(test) else { return };
    let folder = Folder::new(test);
    let file = folder.0.join("all.pcapng");
    let to = file.to_str().expect("a plain path");
    let thru =
        Listener::start(&namespace, program(), &["capture", "-i", "lo", "-Z", "root", "-w", to, "udp"]);
    flood(&namespace, 20);
    let down = || netlink::link("lo").and_then(|link| netlink::set_up(link.index, false));
    namespace.within(down).expect("entered").expect("loopback is ours");
    let (_, told, code) = thru.end_with(false);
    assert!(code == Some(3) && told.contains("the capture on `lo` ended"), "{told}");
    assert_eq!(numbers(&file, 42), (0..20).collect::<Vec<_>>());
}

#[test]
fn who_reads_along_gets_packets_at_once_and_may_go() {
    let test = "who_reads_along_gets_packets_at_once_and_may_go";
    let Some(namespace) = namespace(test) else { return };
    let folder = Folder::new(test);
    let pipe = folder.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()));
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::File::open(pipe)
    });
    // It opens the pipe before it listens, and so do we.
    let thru =
        Listener::start(&namespace, program(), &["capture", "-i", "lo", "-Z", "root", "-w", &pipe, "udp"]);
    let mut pipe = reader.join().expect("no panic").expect("a pipe");
    let mut header = [0; 24];
    pipe.read_exact(&mut header).expect("the file's header");
    flood(&namespace, 1);
    // One packet of the 142 bytes that the first datagram has; no more has to come.
    let mut record = [0; 16 + 142];
    pipe.read_exact(&mut record).expect("a packet");
    assert_eq!(record[12..16], 142_u32.to_le_bytes());
    drop(pipe);
    flood(&namespace, 1);
    let (_, told) = thru.end(false);
    assert!(counted(&told, "packets captured") == 2, "{told}");
}

const EXPRESSIONS: [&str; 24] = [
    "ip",
    "ip6",
    "tcp",
    "udp",
    "not udp",
    "port 4000",
    "src port 4000",
    "dst port 4001",
    "udp port 4001 or tcp",
    "portrange 4000-4001",
    "host 127.0.0.1",
    "host ::1",
    "src host 127.0.0.1 and udp",
    "net 127.0.0.0/9",
    "ip[8] = 64",
    "ip[2:2] > 200",
    "udp[4:2] > 100",
    "tcp[tcpflags] & tcp-syn != 0",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x61626364",
    "ip6[6] = 17",
    "ip and not (udp port 4000 and src port 4001)",
    "icmp or icmp6",
    "greater 300",
    "less 100",
];

/// Opens a capture with a filter that the kernel runs; `None`: it has to be run on what the socket gives.
fn listening(config: &CaptureConfig, program: Option<&[Instruction]>) -> Capture {
    let capture = Capture::open(config).expect("who may make networks may listen");
    if let Some(program) = program {
        capture.keep_only(program).expect("the kernel takes it");
    }
    capture.start(config).expect("it is up");
    capture
}

/// All that comes until the kernel has handed over everything it let pass.
fn drain(capture: &mut Capture) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    // Every packet over loopback passes twice, and is given once.
    while capture.counters().seen > 2 * packets.len() as u64 {
        capture.each(|packet| {
            packets.push(packet.bytes.to_vec());
            true
        });
        capture.wait(&[], 100).expect("loopback stays");
    }
    assert_eq!(capture.counters().lost, 0);
    packets
}

#[test]
fn filters_in_the_kernel_pass_what_libpcaps_pass() {
    let test = "filters_in_the_kernel_pass_what_libpcaps_pass";
    let Some(tcpdump) = thru_peers::peer(test, "tcpdump", "tcpdump") else { return };
    let Some(namespace) = namespace(test) else { return };
    let done = namespace.within(|| {
        for (interface, types) in [(Some("lo".to_owned()), link::ETHERNET), (None, link::LINUX_SLL2)] {
            let is_cooked = interface.is_none();
            let config = CaptureConfig {
                interface: interface.clone(),
                snap_length: 262_144,
                promiscuous: false,
                buffer: 1 << 20,
                latency: 10,
            };
            let mut all = listening(&config, None);
            let mut pairs = Vec::new();
            for expression in EXPRESSIONS {
                let filter = Filter::pcap(expression).expect("a filter");
                let ours: Option<Vec<Instruction>> =
                    filter.for_socket(types).expect("it compiles").map(|program| {
                        program.insns().iter().map(|insn| (insn.code, insn.jt, insn.jf, insn.k)).collect()
                    });
                // What tests a packet's length cannot run where the kernel has no cooked header.
                assert_eq!(
                    ours.is_none(),
                    is_cooked && (expression.starts_with("greater") || expression.starts_with("less"))
                );
                let Some(ours) = ours else { continue };
                let theirs = (!is_cooked).then(|| listening(&config, Some(&libpcap(&tcpdump, expression))));
                pairs.push((expression, filter, listening(&config, Some(&ours)), theirs));
            }
            talk().expect("loopback works");
            let all = drain(&mut all);
            assert!(all.len() > 20, "{} packets passed", all.len());
            let mut passed = 0;
            for (expression, mut filter, mut ours, theirs) in pairs {
                let ours = drain(&mut ours);
                passed += ours.len();
                let mut matches = |bytes: &Vec<u8>| {
                    filter.matches_bytes(types, bytes, bytes.len() as u32).expect("it compiles")
                };
                let expected: Vec<_> = all.iter().filter(|bytes| matches(bytes)).cloned().collect();
                assert_eq!(ours, expected, "{expression} on {interface:?}: the kernel's, and by us");
                if let Some(mut theirs) = theirs {
                    assert_eq!(ours, drain(&mut theirs), "{expression}: ours, and libpcap's");
                }
            }
            assert!(passed > 100);
        }
    });
    done.expect("entered");
}

/// libpcap's program for Ethernet.
fn libpcap(tcpdump: &Path, expression: &str) -> Vec<Instruction> {
    let output = Command::new(tcpdump).args(["-y", "EN10MB", "-ddd", expression]).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let mut lines = text.lines();
    lines.next().expect("a count");
    let program = lines.map(|line| {
        let mut words = line.split(' ').map(|word| word.parse::<u32>().expect("a number"));
        let mut next = || words.next().expect("four numbers");
        (next() as u16, next() as u8, next() as u8, next())
    });
    program.collect()
}

/// Datagrams and connections over loopback, some refused.
fn talk() -> std::io::Result<()> {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    for host in ["127.0.0.1", "[::1]"] {
        let (a, b) = (UdpSocket::bind(format!("{host}:4000"))?, UdpSocket::bind(format!("{host}:4001"))?);
        for size in [0, 10, 100, 1000] {
            a.send_to(&vec![b'x'; size], b.local_addr()?)?;
            b.send_to(&vec![b'y'; size], a.local_addr()?)?;
        }
        a.send_to(b"nobody", format!("{host}:4999"))?;
        let listener = TcpListener::bind(format!("{host}:4002"))?;
        let mut stream = TcpStream::connect(listener.local_addr()?)?;
        stream.write_all(b"abcdefgh")?;
        let (mut accepted, _) = listener.accept()?;
        accepted.read_exact(&mut [0; 8])?;
    }
    Ok(())
}

#[test]
fn files_in_a_ring() {
    let test = "files_in_a_ring";
    let Some(namespace) = namespace(test) else { return };
    let folder = Folder::new(test);
    let to = folder.0.join("ring.pcapng");
    let to = to.to_str().expect("a plain path");
    let thru = Listener::start(
        &namespace,
        program(),
        &["capture", "-i", "lo", "-w", to, "--file-packets", "10", "-W", "3", "udp"],
    );
    flood(&namespace, 45);
    let (_, told) = thru.end(true);
    assert!(told.contains("45 packets written to 5 files, of which 3 are there"), "{told}");
    let mut names: Vec<_> =
        fs::read_dir(&folder.0).expect("there").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let counts: Vec<_> = names.iter().map(|path| numbers(path, 42)).collect();
    let expected = [20..30, 30..40, 40..45].map(|range: std::ops::Range<u32>| range.collect::<Vec<_>>());
    assert_eq!(counts, expected);
    assert!(names[0].to_str().expect("plain").contains("ring_00003_20"), "{names:?}");
}

#[test]
fn rights_are_given_up_and_processes_are_told() {
    let test = "rights_are_given_up_and_processes_are_told";
    let Some(namespace) = namespace(test) else { return };
    // In a namespace of users there may be nobody else to be.
    let root = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295"));
    let socket = namespace.within(|| UdpSocket::bind("127.0.0.1:0")).expect("entered").expect("a port");
    let port = socket.local_addr().expect("bound").port().to_string();
    let filter = ["udp", "port", port.as_str()];
    for (options, allowed) in
        [(&["-c", "1"][..], "0000000000000000"), (&["-P", "-c", "1"][..], "0000000000080004")]
    {
        let arguments: Vec<_> =
            ["capture", "-i", "lo"].iter().chain(options).chain(&filter).copied().collect();
        let thru = Listener::start(&namespace, program(), &arguments);
        let status = fs::read_to_string(format!("/proc/{}/status", thru.child.id())).expect("it runs");
        let line =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("there").trim();
        assert_eq!(line("CapEff:"), allowed, "{options:?}");
        assert_eq!(line("CapPrm:"), allowed, "{options:?}");
        assert_eq!(line("NoNewPrivs:"), "1");
        assert!(!root || line("Uid:").starts_with("65534"), "{}", line("Uid:"));
        socket.send_to(b"words", ("127.0.0.1", 9)).expect("sent");
        let (said, told) = thru.end(false);
        assert!(said.contains(&format!("127.0.0.1.{port} > 127.0.0.1.9: UDP, length 5")), "{said}");
        let us = format!("/{}}}", std::process::id());
        assert_eq!(said.trim_end().ends_with(&us), options.contains(&"-P"), "{said}");
        assert_eq!(counted(&told, "packet captured"), 1);
    }
}

#[test]
fn a_file_is_written_with_the_rights_of_whom_the_capture_becomes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let test = "a_file_is_written_with_the_rights_of_whom_the_capture_becomes";
    let root = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295"));
    if !thru_peers::is_root() || !root {
        return thru_peers::not_run(test, "it takes root to become somebody else");
    }
    const USER: u32 = 1000;
    let namespace = NetworkNamespace::new().expect("root may make networks");
    let folder = Folder::new(test);
    let (ours, theirs) = (folder.0.join("ours"), folder.0.join("theirs"));
    for (path, user) in [(&ours, 0), (&theirs, USER)] {
        fs::create_dir(path).expect("a folder");
        chown(path, Some(user), Some(user)).expect("root may");
    }
    let secret = ours.join("secret.pcap");
    fs::write(&secret, "words").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("ours");
    let link = theirs.join("link.pcap");
    symlink(&secret, &link).expect("a link");
    let capture = |path: &Path, options: &[&str]| {
        let mut command = Command::new(program());
        command.args(["capture", "-i", "lo", "--for", "1ms", "-w"]).arg(path).args(options);
        command.env_remove("SUDO_UID");
        let output = namespace.within(|| command.output()).expect("entered").expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // A link in a folder of somebody else, and a file of root's while somebody else is to write.
    for (path, options) in [(&link, &[][..]), (&secret, &["-Z", "1000"])] {
        let (code, told) = capture(path, options);
        assert!(code == Some(3) && told.contains("cannot write"), "{told}");
        assert!(told.contains("files are written without root's rights"), "{told}");
        assert_eq!(fs::read(&secret).expect("there"), b"words");
        assert_eq!(fs::metadata(&secret).expect("there").uid(), 0);
    }
    // What he has made he may empty; a new file is his; what root makes where he may not stays root's.
    let old = theirs.join("old.pcap");
    fs::write(&old, "words").expect("a file");
    chown(&old, Some(USER), Some(USER)).expect("root may");
    for (path, owner) in [(old, USER), (theirs.join("new.pcap"), USER), (ours.join("new.pcap"), 0)] {
        let (code, told) = capture(&path, &["-Z", "1000"]);
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(fs::metadata(&path).expect("written").uid(), owner, "{}", path.display());
        assert!(numbers(&path, 42).is_empty());
    }
}

#[test]
fn the_same_output_as_of_files() {
    let test = "the_same_output_as_of_files";
    let Some(namespace) = namespace(test) else { return };
    let run = |options: &[&str], count: u32| {
        let arguments: Vec<_> = ["capture", "-i", "any"].iter().chain(options).copied().collect();
        let thru = Listener::start(&namespace, program(), &arguments);
        flood(&namespace, count);
        thru.end(false).0
    };
    let json = run(&["--json", "-c", "2"], 2);
    assert!(json.lines().count() == 2 && json.lines().all(|line| line.starts_with('{')), "{json}");
    let tree = run(&["-V", "-c", "1"], 1);
    assert!(tree.starts_with("Frame") && tree.contains("Linux cooked capture"), "{tree}");
    let lines = run(&["-t", "-c", "1", "-Y", "udp.length > 110"], 10);
    assert!(lines.starts_with("lo In") || lines.starts_with("lo B"), "{lines}");
    let stats = run(&["--stats", "conv", "-c", "5"], 5);
    assert!(stats.contains("127.0.0.1:"), "{stats}");
}

#[test]
fn slips_and_missing_rights() {
    let thru = |arguments: &[&str]| {
        let output = Command::new(program()).arg("capture").args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = thru(&["-i", "nowhere0"]);
    assert!(
        code == Some(2) && told.contains("there is no interface `nowhere0`\nhint: there are lo"),
        "{told}"
    );
    let (code, told) = thru(&["tcp", "prot", "1"]);
    assert!(code == Some(2) && told.contains("the filter makes no sense at column"), "{told}");
    let (code, told) = thru(&["-w", "x", "-W", "3"]);
    assert!(code != Some(0) && !told.is_empty(), "{told}");
    if !thru_peers::is_root() {
        let (code, told) = thru(&["-c", "1"]);
        assert!(code == Some(3) && told.contains("sudo setcap cap_net_raw=ep"), "{told}");
        return;
    }
    // Root without the right.
    let output = Command::new("setpriv")
        .args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"])
        .arg(program())
        .args(["capture", "-c", "1"])
        .output();
    let Ok(output) = output else {
        return thru_peers::not_run("slips_and_missing_rights", "setpriv is not here");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && told.contains("sudo setcap cap_net_raw=ep"), "{told}");
}

#[test]
fn the_kernel_verifies_and_runs_filters_for_an_interface() {
    let test = "the_kernel_verifies_and_runs_filters_for_an_interface";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests/data/tls.pcapng");
    let bytes = fs::read(file).expect("there");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let mut packets = Vec::new();
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            packets.push(record.bytes.to_vec());
        }
    }
    for expression in EXPRESSIONS.into_iter().chain([
        "tcp port 443",
        "ip[ip[0]] = 5",
        "1 << ip[8] = 0",
        "ether[70000] = 1 or tcp",
    ]) {
        let program =
            Filter::pcap(expression).expect("a filter").compile(link::ETHERNET).expect("it compiles");
        let insns = thru_dissect::filter::ebpf::xdp(&program, 1, 2).expect("no jump is too far");
        let insns: Vec<_> = insns.into_iter().map(thru_dissect::filter::ebpf::Insn::bytes).collect();
        let loaded = match thru_os::bpf::XdpProgram::load(&insns) {
            Ok(loaded) => loaded,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && !thru_peers::is_root() => {
                return thru_peers::not_run(test, "programs for the kernel need root");
            }
            Err(error) if error.raw_os_error() == Some(38) => {
                return thru_peers::not_run(test, "this kernel has no bpf(2)");
            }
            Err(error) => panic!("{expression}: {error}"),
        };
        for packet in &packets {
            let expected = if program.run(packet, packet.len() as u32) != 0 { 1 } else { 2 };
            assert_eq!(loaded.run(packet).expect("it runs"), expected, "{expression}");
        }
    }
}
