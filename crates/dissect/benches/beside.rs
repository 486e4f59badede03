//! How fast, beside tshark and tcpdump on the same file in the same run: `cargo bench -p thru-dissect`.
//!
//! The input is made of captures that a lab wrote (tests/data), repeated with times that go on. All seconds are those
//! that the processor worked, of other programs those of their whole run, start included: what else the machine has to
//! do counts for nobody, as far as it does not take the caches away. etherparse, which only reads headers, stands
//! beside the header filter. Peak memory is that of a process of its own, which dissects a capture of that size that is
//! made while it is read.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use thru_dissect::file::{
    About, Format, Item, NewInterface, Options as BlockOptions, Reader, Record, Writer,
};
use thru_dissect::filter::Filter;
use thru_dissect::show::{JsonScratch, LineOptions, json_line, line};
use thru_dissect::{Arena, Dissector, Meta, Options};

/// So often is each capture repeated.
const TIMES: u64 = 4000;

fn main() {
    let mut arguments = std::env::args().skip_while(|word| word != MEMORY);
    if arguments.next().is_some() {
        return dissect_so_much(arguments.next().and_then(|size| size.parse().ok()).expect("megabytes"));
    }
    let (path, packets) = input();
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("{packets} packets, {} MB", bytes >> 20);
    let mut filter = Filter::pcap("tcp port 443 and tcp[tcpflags] & tcp-syn != 0").expect("a filter");
    let display = Filter::display("tcp.port == 443 && tcp.analysis.retransmission").expect("a filter");
    let mut passed = 0u64;
    report("read only", packets, each(&path, |_, _, _| {}));
    report(
        "pcap filter on bytes",
        packets,
        each(&path, |record, _, _| {
            passed += u64::from(
                filter.matches_bytes(record.link, record.bytes, record.original).expect("it compiles"),
            );
        }),
    );
    report(
        "etherparse, headers",
        packets,
        each(&path, |record, _, _| {
            let sliced = etherparse::SlicedPacket::from_ethernet(record.bytes);
            passed += u64::from(sliced.is_ok_and(|sliced| sliced.transport.is_some()));
        }),
    );
    let mut arena = Arena::new();
    let mut dissect = Dissector::new(Options::default());
    let mut fields = 0u64;
    report(
        "dissect to fields",
        packets,
        each(&path, |record, _, _| {
            fields +=
                dissect.dissect(&Meta::of(record, None), record.bytes, &mut arena).fields().len() as u64;
        }),
    );
    println!("  {:.1} fields a packet", fields as f64 / packets as f64);
    let mut dissect = Dissector::new(Options::default());
    report(
        "display filter",
        packets,
        each(&path, |record, _, _| {
            passed += u64::from(display.matches(dissect.dissect(
                &Meta::of(record, None),
                record.bytes,
                &mut arena,
            )));
        }),
    );
    let mut dissect = Dissector::new(Options::default());
    report(
        "lines",
        packets,
        each(&path, |record, out, _| {
            line(
                out,
                dissect.dissect(&Meta::of(record, None), record.bytes, &mut arena),
                &LineOptions::default(),
            );
        }),
    );
    let mut dissect = Dissector::new(Options::default());
    report(
        "JSON",
        packets,
        each(&path, |record, out, scratch| {
            json_line(out, dissect.dissect(&Meta::of(record, None), record.bytes, &mut arena), scratch);
        }),
    );
    println!("({passed} passed)");
    let file = path.to_str().expect("a plain path");
    beside("tcpdump -nn", packets, "tcpdump", &["-nn", "-r", file]);
    // Without the numbers that count from a connection's begin, for which it searches all connections.
    beside("tcpdump -nn -S", packets, "tcpdump", &["-nn", "-S", "-r", file]);
    beside("tshark lines", packets, "tshark", &["-n", "-r", file, "-c", "40000"]);
    beside("tshark -T json", packets, "tshark", &["-n", "-r", file, "-T", "json", "-c", "10000"]);
    let _ = std::fs::remove_file(path);
    for size in [100, 1000] {
        peak(size);
    }
}

/// The word that makes this program measure itself.
const MEMORY: &str = "--memory";

/// The peak of a process that dissects a capture of so many megabytes, to lines.
fn peak(size: u64) {
    let program = std::env::current_exe().expect("we run");
    let output = Command::new(program).args([MEMORY, &size.to_string()]).output().expect("it runs");
    let what = format!("peak memory, {size} MB");
    println!("{what:<24} {:>10}", String::from_utf8_lossy(&output.stdout).trim());
}

fn dissect_so_much(megabytes: u64) {
    let mut reader = Reader::new(Rounds::new(megabytes << 20)).expect("a capture");
    let (mut dissector, mut arena, mut out) = (Dissector::new(Options::default()), Arena::new(), Vec::new());
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            out.clear();
            let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
            line(&mut out, tree, &LineOptions::default());
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.unwrap_or("not told by this system").trim());
}

/// The rounds of [`input`] as a file that is made while it is read.
struct Rounds {
    frames: Vec<(u64, Vec<u8>)>,
    round: u64,
    left: u64,
    ready: std::io::Cursor<Vec<u8>>,
}

impl Rounds {
    fn new(size: u64) -> Rounds {
        let mut writer = Writer::pcapng(Vec::new(), &About::default()).expect("memory");
        writer.interface(&NewInterface { link: 1, snap_length: 0, name: "lab" }).expect("memory");
        let ready = std::io::Cursor::new(writer.into_inner());
        Rounds { frames: frames(), round: 0, left: size, ready }
    }
}

impl std::io::Read for Rounds {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.ready.read(buffer)?;
        if count > 0 || self.left == 0 {
            return Ok(count);
        }
        let mut writer = Writer::copy(Vec::new(), Format::Pcapng);
        write_round(&mut writer, &self.frames, self.round, &mut 0);
        self.round += 1;
        let made = writer.into_inner();
        self.left = self.left.saturating_sub(made.len() as u64);
        self.ready = std::io::Cursor::new(made);
        self.ready.read(buffer)
    }
}

/// Writes the file to read.
fn input() -> (PathBuf, u64) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("beside.pcapng");
    let out = BufWriter::new(File::create(&path).expect("the target directory is writable"));
    let mut writer = Writer::pcapng(out, &About::default()).expect("written");
    writer.interface(&NewInterface { link: 1, snap_length: 0, name: "lab" }).expect("written");
    let (frames, mut number) = (frames(), 0);
    for round in 0..TIMES {
        write_round(&mut writer, &frames, round, &mut number);
    }
    writer.flush().expect("written");
    (path, number)
}

/// The captures that are repeated.
fn frames() -> Vec<(u64, Vec<u8>)> {
    let mut frames = Vec::new();
    for name in ["tls.pcapng", "h3.pcapng", "icmp.pcapng"] {
        let data = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
            .expect("there");
        let mut reader = Reader::new(&data[..]).expect("a capture");
        while let Ok(Some(item)) = reader.next() {
            if let Item::Packet(packet) = item {
                frames.push((packet.time.unwrap_or(0), packet.bytes.to_vec()));
            }
        }
    }
    frames
}

fn write_round<W: Write>(writer: &mut Writer<W>, frames: &[(u64, Vec<u8>)], round: u64, number: &mut u64) {
    for (time, frame) in frames {
        let frame = &elsewhere(frame, round);
        *number += 1;
        let record = Record {
            number: *number,
            time: Some(time + round * 3_600_000_000_000),
            interface: 0,
            link: 1,
            original: frame.len() as u32,
            bytes: frame,
            options: BlockOptions::none(),
        };
        writer.packet(&record, &[]).expect("written");
    }
}

/// The frame between other hosts, so that each round has connections of its own.
fn elsewhere(frame: &[u8], round: u64) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let addresses: &[usize] = match frame.get(12..14) {
        Some([0x08, 0x00]) => &[27, 31],
        Some([0x86, 0xDD]) => &[28, 44],
        _ => &[],
    };
    for &at in addresses {
        frame[at] ^= (round >> 8) as u8;
        frame[at + 1] ^= round as u8;
    }
    frame
}

/// Runs `work` on every packet and measures it; what it writes is thrown away in pieces.
fn each(path: &Path, mut work: impl FnMut(&Record<'_>, &mut Vec<u8>, &mut JsonScratch)) -> Duration {
    let mut reader = Reader::new(File::open(path).expect("there")).expect("a capture");
    let (mut out, mut scratch, mut sink) = (Vec::new(), JsonScratch::default(), std::io::sink());
    let start = worked();
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            work(&record, &mut out, &mut scratch);
            if out.len() > 65_536 {
                sink.write_all(&out).expect("a sink takes all");
                out.clear();
            }
        }
    }
    worked() - start
}

/// How long the processor has worked for this thread.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds"))
}

/// The same of the programs that we ran, in hundredths of a second.
fn children_worked() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let behind_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| behind_name.split(' ').nth(at).and_then(|word| word.parse::<u64>().ok());
    // Fields 16 and 17 of proc(5).
    Duration::from_millis(10 * (ticks(14).expect("user") + ticks(15).expect("system")))
}

fn report(what: &str, packets: u64, took: Duration) {
    println!("{what:<24} {:>10.0} packets/s", packets as f64 / took.as_secs_f64().max(0.001));
}

fn beside(what: &str, packets: u64, program: &str, arguments: &[&str]) {
    let limit =
        arguments.iter().skip_while(|word| **word != "-c").nth(1).and_then(|count| count.parse().ok());
    let packets = limit.map_or(packets, |limit: u64| limit.min(packets));
    let start = children_worked();
    // Without it, glibc looks at the time zone's file for each packet.
    let mut command = Command::new(program);
    let status =
        command.args(arguments).env("TZ", "UTC0").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => report(what, packets, children_worked() - start),
        _ => println!("{what:<24} did not run: `{program}` is not here"),
    }
}
