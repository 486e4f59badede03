//! How fast, beside tshark and tcpdump on the same file in the same run: `cargo bench -p thru-dissect`.
//!
//! The input is made of captures that a lab wrote (tests/data), repeated with times that go on. Seconds of processor
//! time of other programs are those of their whole run, start included.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use thru_dissect::file::{About, Item, NewInterface, Options as BlockOptions, Reader, Record, Writer};
use thru_dissect::filter::Filter;
use thru_dissect::show::{JsonScratch, LineOptions, json_line, line};
use thru_dissect::{Arena, Dissector, Meta, Options};

/// So often is each capture repeated.
const TIMES: u64 = 4000;

fn main() {
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
    beside("tshark lines", packets, "tshark", &["-n", "-r", file, "-c", "40000"]);
    beside("tshark -T json", packets, "tshark", &["-n", "-r", file, "-T", "json", "-c", "10000"]);
    let _ = std::fs::remove_file(path);
}

/// Writes the file to read.
fn input() -> (PathBuf, u64) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("beside.pcapng");
    let out = BufWriter::new(File::create(&path).expect("the target directory is writable"));
    let mut writer = Writer::pcapng(out, &About::default()).expect("written");
    writer.interface(&NewInterface { link: 1, snap_length: 0, name: "lab" }).expect("written");
    let mut frames: Vec<(u64, Vec<u8>)> = Vec::new();
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
    let mut number = 0;
    for round in 0..TIMES {
        for (time, frame) in &frames {
            let frame = &elsewhere(frame, round);
            number += 1;
            let record = Record {
                number,
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
    writer.flush().expect("written");
    (path, number)
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
    let start = Instant::now();
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            work(&record, &mut out, &mut scratch);
            if out.len() > 65_536 {
                sink.write_all(&out).expect("a sink takes all");
                out.clear();
            }
        }
    }
    start.elapsed()
}

fn report(what: &str, packets: u64, took: Duration) {
    println!("{what:<24} {:>10.0} packets/s", packets as f64 / took.as_secs_f64());
}

fn beside(what: &str, packets: u64, program: &str, arguments: &[&str]) {
    let limit =
        arguments.iter().skip_while(|word| **word != "-c").nth(1).and_then(|count| count.parse().ok());
    let packets = limit.map_or(packets, |limit: u64| limit.min(packets));
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => report(what, packets, start.elapsed()),
        _ => println!("{what:<24} did not run: `{program}` is not here"),
    }
}
