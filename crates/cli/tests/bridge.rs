//! `thru bridge`: captures as its ends, what it leaves behind when it is told to go, and what it says when it cannot
//! keep up.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_peers::Folder;
use thru_wire::Cidr;

/// A capture as another machine would have written it: big-endian, microseconds. Frames carry their number.
fn capture(times: &[u32], link: u32) -> Vec<u8> {
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 2 << 16 | 4, 0, 0, 65_535, link].into_iter().flat_map(u32::to_be_bytes).collect();
    for (number, micros) in times.iter().enumerate() {
        let mut frame = [0xff; 60];
        frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
        frame[14] = number as u8;
        let header = [1_700_000_000, *micros, 60, 60];
        file.extend(header.into_iter().flat_map(u32::to_be_bytes));
        file.extend_from_slice(&frame);
    }
    file
}

/// Numbers and times (in nanoseconds) of the frames of a little-endian pcap file that counts nanoseconds.
fn frames(file: &[u8]) -> Vec<(u8, u64)> {
    assert_eq!(file[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    let word = |record: &[u8], at: usize| {
        u64::from(u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes")))
    };
    let records = file[24..].chunks_exact(16 + 60);
    records.map(|record| (record[16 + 14], word(record, 0) * 1_000_000_000 + word(record, 4))).collect()
}

fn thru(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru")).args(arguments).output().expect("thru runs")
}

/// A recording passes the wire: delayed, every third frame lost, and the bridge ends when the last one has arrived.
#[test]
fn a_capture_passes_the_wire_into_another() {
    let folder = Folder::new("capture");
    let (recorded, arrived) = (folder.path("recorded.pcap"), folder.path("arrived.pcap"));
    fs::write(&recorded, capture(&[0, 10_000, 20_000, 30_000, 40_000, 50_000], 1)).expect("written");
    let ends = [format!("read:{recorded}"), format!("write:{arrived}")];
    let output = thru(&["bridge", &ends[0], &ends[1], "--delay", "30ms", "--loss", "every(3)"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains(&format!("{} to {}: 6 frames, 4 delivered, 2 lost", ends[0], ends[1])), "{told}");
    let frames = frames(&fs::read(&arrived).expect("there"));
    assert_eq!(frames.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 3, 4]);
    // Never sooner than the wire lets them: as far apart as they were recorded, or more if somebody was late.
    assert!(frames[3].1 >= frames[0].1 + 10_000_000, "{frames:?}");
}

#[test]
fn captures_that_cannot_be_replayed_are_refused() {
    let folder = Folder::new("refused");
    let (damaged, other, raw) = (folder.path("damaged"), folder.path("other"), folder.path("raw"));
    let whole = capture(&[0, 10], 1);
    fs::write(&damaged, &whole[..whole.len() - 1]).expect("written");
    fs::write(&other, "no capture at all").expect("written");
    fs::write(&raw, capture(&[0], 101)).expect("written");
    let out = format!("write:{}", folder.path("out.pcap"));
    for (file, code, said) in [
        (&damaged, 3, "broke off"),
        (&other, 2, "a pcap or pcapng file of Ethernet frames is needed"),
        (&raw, 3, "packet 1 has link type 101, and only Ethernet passes a bridge"),
        (&folder.path("missing"), 2, "cannot replay"),
    ] {
        let output = thru(&["bridge", &format!("read:{file}"), &out]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && told.contains(said), "{file}: {told}");
    }
}

/// A wire into a bridge: `near0` is the kernel's, the bridge joins `near1` with `far1`.
struct Place(NetworkNamespace);

impl Place {
    fn new(test: &str) -> Option<Place> {
        if !thru_peers::may_make_networks(test) {
            return None;
        }
        let place = Place(NetworkNamespace::new().expect("who may make networks gets one"));
        let made = place.0.within(|| {
            for (one, other) in [("near0", "near1"), ("far0", "far1")] {
                netlink::add_veth(one, other)?;
                for name in [one, other] {
                    // The kernel itself has nothing to say.
                    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
                    netlink::set_up(netlink::link(name)?.index, true)?;
                }
            }
            let cidr = "192.0.2.1/24".parse::<Cidr>().expect("an address with its length");
            netlink::add_address(netlink::link("near0")?.index, cidr)
        });
        made.expect("entered").expect("made");
        Some(place)
    }

    fn bridge(&self, options: &[&str]) -> Bridge {
        let spawned = self.0.within(|| {
            // Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
            Command::new("env")
                .args(["--default-signal=INT,TERM", env!("CARGO_BIN_EXE_thru"), "bridge", "near1", "far1"])
                .args(options)
                .stderr(Stdio::piped())
                .spawn()
        });
        let mut child = spawned.expect("entered").expect("thru runs");
        let mut talk = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        talk.read_line(&mut line).expect("it talks");
        assert!(line.contains("near1 and far1 are joined"), "{line}");
        Bridge { child, talk }
    }

    /// Everything that a command could leave in the namespace.
    fn state(&self) -> String {
        let show = |arguments: &[&str]| {
            let output = self.0.within(|| Command::new("ip").args(arguments).output());
            String::from_utf8(output.expect("entered").expect("ip runs").stdout).expect("text")
        };
        [&["-d", "link"][..], &["address"], &["rule"], &["route", "show", "table", "all"]].map(show).concat()
    }

    /// Frames to everybody, each with one byte of payload: no neighbour has to be known.
    fn shout(&self, count: usize) {
        let socket = self.0.within(|| UdpSocket::bind("192.0.2.1:0")).expect("entered").expect("a port");
        socket.set_broadcast(true).expect("set");
        for _ in 0..count {
            socket.send_to(b"x", "192.0.2.255:9").expect("the wire takes it");
        }
    }
}

struct Bridge {
    child: Child,
    talk: BufReader<ChildStderr>,
}

impl Bridge {
    fn kill(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill is everywhere").success());
    }

    /// Stopped for good: it has left the processor.
    fn stop(&self) {
        self.kill("-STOP");
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it lives");
            stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next())
        };
        while state() != Some('T') {
            std::thread::yield_now();
        }
    }

    /// What it said last.
    fn end(mut self) -> String {
        assert!(self.child.wait().expect("it ends").success());
        let mut said = String::new();
        self.talk.read_to_string(&mut said).expect("it talks");
        said
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_ends_it_with_its_figures_and_leaves_nothing() {
    let test = "a_signal_ends_it_with_its_figures_and_leaves_nothing";
    if thru_peers::peer(test, "ip", "iproute2").is_none() {
        return;
    }
    let Some(place) = Place::new(test) else { return };
    let before = place.state();
    for signal in ["-INT", "-TERM"] {
        let bridge = place.bridge(&["--loss", "every(2)"]);
        assert!(place.state().contains("promiscuity 1"), "{}", place.state());
        // What the kernel was given before the signal is in the ring when the signal comes.
        bridge.stop();
        place.shout(10);
        bridge.kill("-CONT");
        place.shout(10);
        bridge.kill(signal);
        let told = bridge.end();
        assert!(told.contains("near1 to far1: ") && told.contains("far1 to near1: 0 frames"), "{told}");
        assert_eq!(place.state(), before, "left behind after {signal}");
    }
}

/// More frames than its ring holds, while it is not allowed to run.
#[test]
fn it_says_when_it_could_not_keep_up() {
    let test = "it_says_when_it_could_not_keep_up";
    if thru_peers::peer(test, "ip", "iproute2").is_none() {
        return;
    }
    let Some(place) = Place::new(test) else { return };
    let bridge = place.bridge(&[]);
    bridge.stop();
    place.shout(6_000);
    // It finds both when it may go on.
    bridge.kill("-INT");
    bridge.kill("-CONT");
    let told = bridge.end();
    let words = "warning: could not keep up: ";
    let lost = told.split(words).nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    // 64 blocks of 64 slots each.
    assert_eq!(lost, Some(6_000 - 4_096), "{told}");
    assert!(told.contains("frames came faster than they were taken"), "{told}");
}
