//! What is opened says the same as tshark says of it, packet by packet and field by field.

use std::path::{Path, PathBuf};
use std::process::Command;
use thru_dissect::file::{About, Item, NewInterface, Reader, Record, Writer};
use thru_dissect::show::columns;
use thru_dissect::{Arena, Dissector, Meta, Options, fields_named};

fn capture(name: &str) -> PathBuf {
    match name.strip_prefix("cut-") {
        Some(whole) => cut(whole, "beside"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name),
    }
}

/// The capture as it would be with a snap length: all headers, little of what they carry. Each test has files of its
/// own.
fn cut(name: &str, test: &str) -> PathBuf {
    const SNAP: usize = 128;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}"));
    let bytes = std::fs::read(capture(name)).expect("the capture is there");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let mut writer = Writer::pcapng(Vec::new(), &About::default()).expect("memory takes all");
    writer.interface(&NewInterface { link: 1, snap_length: SNAP as u32, name: "cut" }).expect("written");
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            let bytes = &record.bytes[..record.bytes.len().min(SNAP)];
            writer.packet(&Record { bytes, interface: 0, ..record }, &[]).expect("written");
        }
    }
    std::fs::write(&path, writer.into_inner()).expect("the target directory is writable");
    path
}

/// A row a packet, the fields' values between tabs.
fn ours(file: &Path, fields: &[&str]) -> Vec<String> {
    let bytes = std::fs::read(file).expect("the capture is there");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    let wanted: Vec<_> = fields.iter().map(|name| fields_named(name)).collect();
    assert!(wanted.iter().all(|defs| !defs.is_empty()), "there is a field that we do not know");
    let mut out = Vec::new();
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } => drop(dissector.secrets(kind, bytes)),
            Item::Packet(record) => {
                let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
                columns(&mut out, tree, &wanted, b'\t');
            }
            _ => {}
        }
    }
    String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
}

fn theirs(tshark: &Path, file: &Path, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new(tshark);
    command.args(["-n", "-T", "fields", "-o", "tcp.reassemble_out_of_order:TRUE", "-r"]).arg(file);
    for name in fields {
        command.args(["-e", name]);
    }
    let output = command.output().expect("tshark runs");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Differences that are meant: file, packet, beginning of the field's name.
const EXPLAINED: [(&str, u64, &str); 6] = [
    // The first packet after the version has changed: tshark opens it with a wrong number, and does not show its frame.
    ("quic-v2.pcapng", 3, "quic.packet_number"),
    ("quic-v2.pcapng", 3, "quic.frame_type"),
    ("quic-v2.pcapng", 3, "quic.ack.largest_acknowledged"),
    // tshark shows the whole body again with the last DATA frame; here a frame's data are the frame's.
    ("h2-nginx.pcapng", 26, "http2.data.data"),
    // A header block in three frames: tshark shows the lines that are whole in each, we show the block when it ends.
    ("h2-nginx.pcapng", 52, "http2.header"),
    ("h2-nginx.pcapng", 56, "http2.header"),
];

/// Compares all packets; a difference prints both.
fn agree(test: &str, names: &[&str], fields: &[&str]) {
    let Some(tshark) = thru_peers::peer(test, "tshark", "tshark") else { return };
    let mut differences = Vec::new();
    let mut told = vec![0; fields.len()];
    for name in names {
        let file = capture(name);
        let (ours, theirs) = (ours(&file, fields), theirs(&tshark, &file, fields));
        assert_eq!(ours.len(), theirs.len(), "{name}: as many packets");
        for (number, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            for (place, (our, their)) in our.split('\t').zip(their.split('\t')).enumerate() {
                told[place] += usize::from(!their.is_empty());
                let same = our == their || our == their.replace("True", "1").replace("False", "0");
                let number = number as u64 + 1;
                let explained = |(file, frame, prefix): &(&str, u64, &str)| {
                    file == name && *frame == number && fields[place].starts_with(prefix)
                };
                if !same && !EXPLAINED.iter().any(explained) {
                    differences.push(format!("{name} {number}: {}: {our} | {their}", fields[place]));
                }
            }
        }
    }
    assert!(differences.is_empty(), "ours | tshark's\n{}", differences.join("\n"));
    for (field, count) in fields.iter().zip(told) {
        assert!(count > 0, "{field} occurs nowhere: nothing was compared");
    }
}

#[test]
fn handshakes_and_certificates() {
    let fields = [
        "tls.handshake.type",
        "tls.handshake.extensions_server_name",
        "tls.handshake.ciphersuite",
        "tls.handshake.extensions_alpn_str",
        "tls.alert_message.desc",
        "x509af.serialNumber",
        "x509af.algorithm.id",
        "x509af.utcTime",
        "x509af.subjectPublicKey",
        "x509ce.dNSName",
        "x509ce.IPAddress.ipv4",
        "x509sat.uTF8String",
    ];
    let names = ["tls12-chacha.pcapng", "tls12-resumed.pcapng", "tls13-update.pcapng", "tls.pcapng"];
    agree("handshakes_and_certificates", &names, &fields);
}

#[test]
fn http2_frames_and_headers() {
    let fields = [
        "http2.type",
        "http2.flags",
        "http2.streamid",
        "http2.length",
        "http2.settings.id",
        "http2.window_update.window_size_increment",
        "http2.header.name",
        "http2.header.value",
        "http2.header.repr",
        "http2.header.index",
        "http2.header.length",
        "http2.header.count",
        "http2.headers.method",
        "http2.headers.path",
        "http2.headers.status",
        "http2.data.data",
    ];
    agree("http2_frames_and_headers", &["h2-nginx.pcapng", "tls.pcapng"], &fields);
}

#[test]
fn quic_packets_and_frames() {
    let fields = [
        "quic.packet_number",
        "quic.frame_type",
        "quic.dcid",
        "quic.stream.stream_id",
        "quic.stream.fin",
        "quic.stream_data",
        "quic.ack.largest_acknowledged",
        "quic.nci.connection_id",
        "quic.connection.number",
        "quic.key_phase",
        "tls.handshake.type",
        "x509ce.dNSName",
    ];
    // tshark 4.0 opens no connection that began with a Retry: `decrypt` has that one.
    let names =
        ["h3.pcapng", "quic-update.pcapng", "quic-migrate.pcapng", "quic-early.pcapng", "quic-v2.pcapng"];
    agree("quic_packets_and_frames", &names, &fields);
    // It shows a frame behind another in one STREAM frame now and then only.
    agree("quic_packets_and_frames", &["h3.pcapng"], &["http3.stream_type", "http3.frame_type"]);
}

#[test]
fn segments_that_were_cut_by_a_snap_length() {
    let fields = [
        "tcp.len",
        "tcp.nxtseq",
        "tcp.completeness",
        "tcp.analysis.bytes_in_flight",
        "tcp.analysis.push_bytes_sent",
        "tcp.analysis.acks_frame",
        "udp.length",
        "udp.stream",
    ];
    let names = ["cut-tls.pcapng", "cut-h2-nginx.pcapng", "cut-tls12-chacha.pcapng", "cut-h3.pcapng"];
    agree("segments_that_were_cut_by_a_snap_length", &names, &fields);
}

#[test]
fn a_snap_length_makes_no_gaps() {
    let fields =
        ["tcp.stream", "tcp.len", "tcp.nxtseq", "tcp.window_size", "tcp.analysis.flags", "tcp.analysis"];
    for name in ["tls.pcapng", "h2-nginx.pcapng", "tls12-chacha.pcapng", "tls12-resumed.pcapng"] {
        let whole = ours(&capture(name), &fields);
        assert!(whole.iter().any(|row| !row.is_empty()), "{name} has TCP");
        assert_eq!(ours(&cut(name, "whole"), &fields), whole, "{name}");
    }
}
