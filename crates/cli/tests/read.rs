//! `thru read` as its users meet it: every option, on captures of real programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use thru_peers::Folder;

/// A capture that the tests of the dissectors bring.
fn capture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests");
    let place = if name.ends_with(".pcap") { "agree" } else { "data" };
    folder.join(place).join(name).to_str().expect("a plain path").to_owned()
}

fn thru(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
    command.arg("read").args(arguments).env("COLUMNS", "100").output().expect("it runs")
}

/// What it prints, and nothing goes wrong.
#[track_caller]
fn read(arguments: &[&str]) -> String {
    let output = thru(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// It fails with this code, and says this.
#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &str) {
    let output = thru(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(told.contains(words), "{told}");
}

#[test]
fn lines_trees_bytes_and_tables() {
    let file = capture("tls.pcapng");
    let lines = read(&[&file, "-c", "3"]);
    assert_eq!(lines.lines().count(), 3);
    let numbered = read(&[&file, "-c", "3", "-#", "-t"]);
    let begins: Vec<_> = numbered.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(begins, ["1", "2", "3"], "{numbered}");
    let tree = read(&[&file, "-V", "-c", "1", "tcp"]);
    assert!(tree.starts_with("Frame") && tree.contains("\n    Source Address"), "{tree}");
    let bytes = read(&[&file, "-x", "-c", "1"]);
    assert!(bytes.contains("0x0000:  ") || bytes.contains("0000  "), "{bytes}");
    let rows = read(&[&file, "--fields", "frame.number,tcp.srcport", "tcp", "port", "443"]);
    assert!(!rows.is_empty() && rows.lines().all(|row| row.split('\t').count() == 2), "{rows}");
    let table = read(&[&file, "--columns", "number,time,src,dst,protocol,length,info,tcp.stream", "-c", "5"]);
    let heading = table.lines().next().unwrap_or_default();
    assert!(heading.starts_with("number") && heading.ends_with("tcp.stream"), "{table}");
    assert_eq!(table.lines().count(), 6);
    for line in read(&[&file, "--json", "-c", "5"]).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("an object a line");
        assert!(value.is_object());
    }
    let times = ["-tt", "-ttt", "-tttt", "-ttttt"].map(|style| read(&[&file, style, "-c", "1"]));
    assert!(
        times[0].starts_with("17") && times[2].starts_with("20") && times[3].starts_with("0."),
        "{times:?}"
    );
}

#[test]
fn both_filters_and_their_errors() {
    let file = capture("tls.pcapng");
    let by_fields = read(&[&file, "-Y", "ip && tcp.flags.syn == 1 && tcp.flags.ack == 0", "-t"]);
    let by_bytes = read(&[&file, "-t", "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn"]);
    assert!(!by_fields.is_empty());
    assert_eq!(by_fields, by_bytes);
    refused(&[&file, "-Y", "tcp.prot == 1"], 2, "\n  ^^^^^^^^");
    refused(&[&file, "tcp", "prot", "1"], 2, "      ^");
    refused(&[&file, "--fields", "tcp.nothing"], 2, "there is no field `tcp.nothing`");
    refused(&[&file, "--columns", "tcp.nothing"], 2, "there is no column or field");
}

#[test]
fn streams_are_followed() {
    let file = capture("tls12-resumed.pcapng");
    let said = read(&[&file, "--follow", "tls:1"]);
    assert!(said.contains("\nGET /two HTTP/1.0\n") && said.ends_with('\n'), "{said}");
    let sealed = thru(&[&file, "--follow", "tcp:1", "--as", "raw"]).stdout;
    assert!(sealed.starts_with(&[0x16, 3]), "a handshake record");
    let hex = read(&[&file, "--follow", "tcp:1", "--as", "hex"]);
    assert!(hex.contains("\n00000000  16 03"), "{hex}");
    let json = read(&[&file, "--follow", "tls:1", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("lines")).expect("JSON");
    assert!(first["text"].as_str().expect("words").starts_with("GET /two"), "{first}");
    // A body in each version of HTTP that has streams.
    assert_eq!(
        thru(&[&capture("h2-nginx.pcapng"), "--follow", "http2:0,3", "--as", "raw"]).stdout,
        b"small words\n"
    );
    let body = thru(&[&capture("quic-update.pcapng"), "--follow", "http3:0,4", "--as", "raw"]).stdout;
    assert_eq!(body, (0..=255).cycle().take(5120).collect::<Vec<u8>>());
    let quic = thru(&[&capture("quic-update.pcapng"), "--follow", "quic:0,4", "--as", "raw"]).stdout;
    assert!(quic.len() > body.len(), "frames around the body");
    let datagrams = read(&[&capture("syslog.pcap"), "--follow", "udp:0"]);
    assert!(datagrams.starts_with("--- ") && datagrams.contains('<'), "{datagrams}");
    refused(&[&file, "--follow", "tcp:99"], 3, "nothing was said on that stream");
    refused(&[&file, "--follow", "tcp"], 2, "names no flow");
}

#[test]
fn statistics_as_text_and_as_objects() {
    let file = capture("h2-nginx.pcapng");
    for (what, word) in [
        ("conv", "127.0.0.1:"),
        ("endpoints", "127.0.0.1"),
        ("io", "packets"),
        ("phs", "http2"),
        ("tcp", "opened completely"),
    ] {
        let text = read(&[&file, "--stats", what]);
        assert!(text.contains(word), "{what}: {text}");
        let objects = read(&[&file, "--stats", what, "--json"]);
        assert!(!objects.is_empty(), "{what}");
        for line in objects.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("an object a line");
        }
    }
    let both = read(&[&file, "--stats", "conv,phs"]);
    assert!(both.contains("127.0.0.1:") && both.contains("http2") && !both.ends_with("\n\n"), "{both}");
}

#[test]
fn ladders_in_the_terminal_and_as_a_picture() {
    let file = capture("h2-nginx.pcapng");
    let ladder = read(&[&file, "--ladder", "tcp:0"]);
    assert!(ladder.lines().all(|line| line.chars().count() <= 100) && ladder.contains("SYN"), "{ladder}");
    let picture = read(&[&file, "--ladder", "tcp:0", "--svg"]);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    refused(&[&file, "--ladder", "tcp:9"], 3, "that flow is not in the capture");
    refused(&[&file, "--svg"], 2, "--ladder");
}

#[test]
fn objects_are_written_as_they_were_meant() {
    let folder = Folder::new("objects");
    let to = folder.path("found");
    let told = read(&[&capture("h2-nginx.pcapng"), "--export-objects", &to]);
    assert_eq!(told.lines().count(), 4, "{told}");
    assert_eq!(ending_in(&to, "-a.txt"), b"small words\n");
    // What was packed on its way is unpacked.
    let words = b"many words, many words, many words, many words\n".repeat(30);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&words).expect("memory");
    let packed = packed.finish().expect("memory");
    for (coding, body, name, expected) in [
        ("gzip", packed.as_slice(), "-page", words.as_slice()),
        ("br", b"\x0b\x02\x80", "-page.br", b"\x0b\x02\x80"),
        // Not what it says it is: it stays as it came.
        ("gzip", b"no gzip", "-page.gzip", b"no gzip"),
    ] {
        let file = folder.path("made.pcap");
        fs::write(&file, http_answer(coding, body)).expect("written");
        let to = folder.path("packed");
        read(&[&file, "--export-objects", &to]);
        assert_eq!(ending_in(&to, name), expected, "{coding}");
        let left = fs::read_dir(&to).expect("there").count();
        assert_eq!(left, 1, "{coding}: nothing else");
        fs::remove_dir_all(&to).expect("gone");
    }
}

#[test]
fn secrets_of_a_file_open_what_is_sealed() {
    let folder = Folder::new("secrets");
    let whole = fs::read(capture("tls13-update.pcapng")).expect("there");
    // The same packets, and their secrets apart.
    let (mut packets, mut secrets) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(head) = whole.get(at..at + 12) {
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let block = &whole[at..at + word(4) as usize];
        if word(0) == 10 {
            let len = u32::from_le_bytes(block[12..16].try_into().expect("four")) as usize;
            secrets.extend_from_slice(&block[16..16 + len]);
        } else {
            packets.extend_from_slice(block);
        }
        at += block.len();
    }
    let (file, keys) = (folder.path("sealed.pcapng"), folder.path("keys"));
    fs::write(&file, packets).expect("written");
    fs::write(&keys, secrets).expect("written");
    refused(&[&file, "--follow", "tls:0"], 3, "could not be opened");
    assert!(!read(&[&file, "--follow", "tls:0", "--keylog", &keys]).is_empty());
    refused(&[&file, "--keylog", &file], 2, "there are no TLS secrets in");
    // Written with the packets, they need not be given any more; in the byte order of the file.
    let both = folder.path("both.pcapng");
    read(&[&file, "--keylog", &keys, "-w", &both]);
    assert_eq!(read(&[&both, "--follow", "tls:0"]), read(&[&file, "--follow", "tls:0", "--keylog", &keys]));
    let header = fs::read(&file).expect("written");
    let length = u32::from_le_bytes(header[4..8].try_into().expect("four")) as usize;
    let mut turned: Vec<u8> = header[..length].to_vec();
    for word in [4, 8, length - 4] {
        turned[word..word + 4].reverse();
    }
    turned[12..14].reverse();
    let (big, written) = (folder.path("big.pcapng"), folder.path("big-with-keys.pcapng"));
    fs::write(&big, &turned).expect("written");
    read(&[&big, "--keylog", &keys, "-w", &written]);
    let written = fs::read(&written).expect("written");
    let word = |at: usize| u32::from_be_bytes(written[at..at + 4].try_into().expect("four")) as usize;
    assert_eq!((word(length), length + word(length + 4)), (10, written.len()));
    assert_eq!(word(length + 12), fs::read(&keys).expect("there").len());
}

#[test]
fn a_part_of_a_file_keeps_what_it_was() {
    let folder = Folder::new("part");
    let (file, part) = (capture("tls.pcapng"), folder.path("part.pcapng"));
    read(&[&file, "-w", &part, "tcp"]);
    let tcp = read(&[&file, "--fields", "frame.len", "tcp"]);
    assert_eq!(read(&[&part, "--fields", "frame.len"]), tcp);
    // Its secrets came along.
    let opened = read(&[&file, "-Y", "http2", "--fields", "http2.headers.path", "tcp"]);
    assert!(!opened.is_empty());
    assert_eq!(read(&[&part, "-Y", "http2", "--fields", "http2.headers.path"]), opened);
}

#[test]
fn a_section_of_which_packets_are_left_out_does_not_tell_its_old_length() {
    const LENGTH: std::ops::Range<usize> = 16..24;
    let folder = Folder::new("section-length");
    let mut bytes = fs::read(capture("icmp.pcapng")).expect("there");
    let length = (bytes.len() - header_length(&bytes)) as u64;
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    let (file, part) = (folder.write("whole.pcapng", &bytes), folder.path("part.pcapng"));
    for words in [&["-c", "1"][..], &["-Y", "frame.number == 2"], &["icmp"]] {
        read(&[&[file.as_str(), "-w", &part], words].concat());
        let written = fs::read(&part).expect("written");
        assert_eq!(written[LENGTH], [0xFF; 8], "{words:?}");
        assert_eq!(written[LENGTH.end..header_length(&bytes)], bytes[LENGTH.end..header_length(&bytes)]);
    }
    read(&[&file, "-w", &part]);
    assert_eq!(fs::read(&part).expect("written"), bytes);
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = Folder::new("apart");
    let bytes = fs::read(capture("tls.pcapng")).expect("there");
    let file = folder.write("a.pcapng", &bytes);
    let (link, hard) = (folder.path("link.pcapng"), folder.path("hard.pcapng"));
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    fs::hard_link(&file, &hard).expect("a link");
    for to in [&file, &link, &hard] {
        refused(&[&file, "-w", to, "tcp"], 2, "is the file that is read");
        assert_eq!(fs::read(&file).expect("there"), bytes, "{to}");
    }
    // What comes by standard input is that file, too; and a key log is read as well.
    let output = Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(["read", "-", "-w", &file])
        .stdin(fs::File::open(&file).expect("there"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    refused(&[&capture("tls.pcapng"), "--keylog", &file, "-w", &file], 2, "is the file that is read");
    assert_eq!(fs::read(&file).expect("there"), bytes);
    // Another file may be there before, and what keeps nothing is no file at all.
    let other = folder.write("b.pcapng", "old");
    read(&[&file, "-w", &other]);
    assert_eq!(fs::read(&other).expect("written"), bytes);
    read(&[&file, "-w", "/dev/null"]);
}

#[test]
fn a_reader_that_has_gone_ends_what_is_written_again_without_a_complaint() {
    let folder = Folder::new("gone");
    let bytes = fs::read(capture("tls.pcapng")).expect("there");
    let file = folder.write("long.pcapng", &bytes.repeat(1 + (1 << 20) / bytes.len()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(["read", &file, "-w", "-"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn compressed_captures_and_pipes() {
    let bytes = fs::read(capture("icmp.pcapng")).expect("there");
    let expected = read(&[&capture("icmp.pcapng")]);
    let folder = Folder::new("compressed");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).expect("memory");
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&bytes).expect("memory");
    let zstd = ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
    for (name, packed) in [
        ("plain", bytes.clone()),
        ("gz", gzip.finish().expect("memory")),
        ("lz4", lz4.finish().expect("memory")),
        ("zst", zstd),
    ] {
        let file = folder.path(name);
        fs::write(&file, &packed).expect("written");
        assert_eq!(read(&[&file]), expected, "{name}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
        let mut child = command
            .args(["read", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut pipe = child.stdin.take().expect("piped");
        // In pieces, as a pipe brings them.
        let writer =
            std::thread::spawn(move || packed.chunks(1000).try_for_each(|piece| pipe.write_all(piece)));
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("no panic").expect("it reads all");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name} from a pipe");
    }
}

/// Packed in parts, one behind the other, as `cat` joins them and as programs that pack in parallel do.
#[test]
fn frames_behind_each_other_are_one_capture() {
    let folder = Folder::new("frames");
    let bytes = fs::read(capture("icmp.pcapng")).expect("there");
    let expected = read(&[&capture("icmp.pcapng")]);
    let lz4 = |part: &[u8]| {
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(part).expect("memory");
        lz4.finish().expect("memory")
    };
    let zstd =
        |part: &[u8]| ruzstd::encoding::compress_to_vec(part, ruzstd::encoding::CompressionLevel::Fastest);
    let gzip = |part: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(part).expect("memory");
        gzip.finish().expect("memory")
    };
    // A frame without content, as pzstd writes it in front of each that has some.
    let skipped = [0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    type Pack<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let packings: [(&str, Pack<'_>, &[u8]); 3] =
        [("gz", &gzip, b""), ("zst", &zstd, &skipped), ("lz4", &lz4, &skipped)];
    for (name, pack, front) in packings {
        // At a block's boundary, where an end is an end, and inside of one.
        for cut in [header_length(&bytes), bytes.len() / 2] {
            let (first, second) = bytes.split_at(cut);
            let (first, second) = (pack(first), pack(second));
            let file = folder.path(name);
            fs::write(&file, [front, &first, front, &second, front].concat()).expect("written");
            assert_eq!(read(&[&file]), expected, "{name} at {cut}");
            // Cut within the second frame it is no whole capture, wherever that is.
            let end = front.len() * 2 + first.len() + second.len();
            fs::write(&file, &[front, &first, front, &second].concat()[..end - 3]).expect("written");
            assert_eq!(thru(&[&file]).status.code(), Some(1), "{name} at {cut}");
        }
    }
}

/// How long a pcapng file's section header is.
fn header_length(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[4..8].try_into().expect("four")) as usize
}

#[test]
fn a_file_that_is_cut_short_is_read_as_far_as_it_goes() {
    let folder = Folder::new("cut");
    let bytes = fs::read(capture("icmp.pcapng")).expect("there");
    let whole = read(&[&capture("icmp.pcapng")]);
    let file = folder.path("cut.pcapng");
    for cut in [1, 5, 40, 1000] {
        fs::write(&file, &bytes[..bytes.len() - cut]).expect("written");
        let output = thru(&[&file]);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(whole.starts_with(&*said) && !said.is_empty() && said.len() < whole.len(), "{cut}");
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("it is cut short: ") && told.lines().count() == 2, "{told}");
    }
    fs::write(&file, b"neither").expect("written");
    refused(&[&file], 2, "it is neither pcap nor pcapng");
    fs::write(&file, b"").expect("written");
    refused(&[&file], 2, "it is neither pcap nor pcapng");
    refused(&[&folder.path("nothing")], 2, "cannot read");
}

/// The only file whose name ends so.
#[track_caller]
fn ending_in(folder: &str, end: &str) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("there").map(|entry| entry.expect("an entry").path());
    let found: Vec<_> = entries.filter(|path| path.to_str().expect("plain").ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{end}: {found:?}");
    fs::read(&found[0]).expect("written")
}

/// A capture of one answer of HTTP/1.1 with a body in a content coding.
fn http_answer(coding: &str, body: &[u8]) -> Vec<u8> {
    use thru_dissect::file::{Options, Record, Writer};
    use thru_wire::ethernet::Ethernet;
    use thru_wire::ipv4::{Ipv4, Protocol};
    use thru_wire::tcp::{Flags, SeqNumber, Tcp};
    let (client, server) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let request = b"GET /page HTTP/1.1\r\nHost: www\r\n\r\n".to_vec();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    let (asked, seq) = (SeqNumber(100 + request.len() as u32), SeqNumber(500));
    let segments = [
        (client, server, (4000, 80), SeqNumber(100), seq, request),
        (server, client, (80, 4000), seq, asked, answer),
    ];
    let mut writer = Writer::pcap(Vec::new(), true, 1, 0).expect("memory");
    for (number, (from, to, ports, seq, ack, payload)) in segments.into_iter().enumerate() {
        let tcp = Tcp {
            src_port: ports.0,
            dst_port: ports.1,
            seq,
            ack,
            flags: Flags::ACK | Flags::PSH,
            window: 60_000,
            ..Tcp::default()
        };
        let payload = bytes::Bytes::from(payload);
        let frame = (Ethernet::default() / Ipv4::new(from, to, Protocol::TCP) / tcp / payload).to_vec();
        let record = Record {
            number: number as u64 + 1,
            time: Some(number as u64),
            interface: 0,
            link: 1,
            original: frame.len() as u32,
            bytes: &frame,
            options: Options::none(),
        };
        writer.packet(&record, &[]).expect("memory");
    }
    writer.into_inner()
}

/// Rows for Parquet go to a program of its own: here one that keeps them as they come.
#[test]
fn packets_and_flows_become_rows() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rows");
    std::fs::create_dir_all(&folder).expect("it can be made");
    let program = folder.join("keep-rows");
    std::fs::write(&program, "#!/bin/sh\nexec cat > \"$1\"\n").expect("it can be written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests/data/tls.pcapng");
    let rows = |name: &str, more: &[&str]| {
        let to = folder.join(name);
        let output = Command::new(env!("CARGO_BIN_EXE_thru"))
            .arg("read")
            .arg(&capture)
            .arg("-w")
            .arg(&to)
            .args(more)
            .env("THRU_PARQUET", &program)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (std::fs::read_to_string(to).expect("it was written"), said)
    };
    let (packets, said) = rows("packets.parquet", &[]);
    assert!(said.starts_with("40 packets written to "), "{said}");
    assert_eq!(packets.lines().count(), 41);
    assert!(
        packets.starts_with("number:integer\ttime:timestamp\tlength:integer\tprotocols:text\t"),
        "{packets}"
    );
    let wide = packets.lines().next().expect("a header").split('\t').count();
    assert!(packets.lines().all(|row| row.split('\t').count() == wide));
    let arp = packets.lines().nth(1).expect("a row");
    assert!(arp.starts_with("1\t1") && arp.contains("\teth:ethertype:arp\t\\N\t\\N\t"), "{arp}");
    let (some, said) =
        rows("some.parquet", &["-Y", "tcp.analysis.retransmission", "-f", "frame.number,tcp.seq"]);
    assert!(said.starts_with("1 packet written"), "{said}");
    assert_eq!(some, "frame.number:integer\ttcp.seq:integer\n24\t134\n");
    let (some, _) = rows("flows-of-monday.parquet", &["-f", "frame.number"]);
    assert!(some.starts_with("frame.number:integer\n1\n"), "only flows.parquet is one of flows");
    let (flows, said) = rows("flows.parquet", &["-Y", "tcp"]);
    assert!(said.contains("flows written"), "{said}");
    assert!(flows.lines().skip(1).all(|row| row.starts_with("tcp\t")), "{flows}");
    // They begin when their packets came, whether or not the capture's first packet passes.
    let file = capture.to_str().expect("a plain path");
    let first = read(&[file, "-Y", "tcp", "-c", "1", "--fields", "frame.time_epoch"]);
    // The one that began first need not stand first.
    let begins =
        flows.lines().filter_map(|row| row.split('\t').nth(9)).filter(|text| text.starts_with('1')).min();
    let (seconds, rest) = begins.expect("a time").split_at(10);
    assert_eq!(format!("{seconds}.{rest}"), first.trim(), "{flows}");
}

#[test]
fn without_the_program_that_writes_parquet_it_says_what_to_build() {
    let output = Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(["read", "x.pcap", "-w", "x.parquet"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "a file that is not there comes first");
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests/data/tls.pcapng");
    let output = Command::new(env!("CARGO_BIN_EXE_thru"))
        .arg("read")
        .arg(capture)
        .args(["-w", "x.parquet"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_remove("THRU_PARQUET")
        .env("PATH", "/nowhere")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cargo build --release --manifest-path export/Cargo.toml"), "{said}");
}

#[test]
fn more_flows_than_there_is_room_for_are_all_written() {
    const FLOWS: u32 = 150_000;
    let folder = Folder::new("flows");
    let mut capture = Vec::new();
    for word in [0xA1B2_C3D4, 0x0004_0002, 0, 0, 262_144, 101] {
        capture.extend_from_slice(&u32::to_le_bytes(word));
    }
    for number in 0..FLOWS {
        // A datagram of its own host each.
        let mut packet = vec![
            0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 192, 0, 2, 1, 0x10, 0, 0x20, 0, 0, 8, 0, 0,
        ];
        packet[13..16].copy_from_slice(&number.to_be_bytes()[1..]);
        for word in [number / 1000, number % 1000 * 1000, 28, 28] {
            capture.extend_from_slice(&word.to_le_bytes());
        }
        capture.extend_from_slice(&packet);
    }
    let (file, program, rows) =
        (folder.path("flows.pcap"), folder.path("program"), folder.path("flows.parquet"));
    fs::write(&file, capture).expect("written");
    // What writes Parquet is a program of its own: here one that keeps the rows as they come.
    fs::write(&program, "#!/bin/sh\ncat > \"$1\"\n").expect("written");
    let made = Command::new("chmod").args(["+x", &program]).status();
    assert!(made.is_ok_and(|status| status.success()));
    let output = Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(["read", &file, "-w", &rows])
        .env("THRU_PARQUET", &program)
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.contains("150000 flows written"), "{told}");
    assert!(told.contains("of them were written before the end"), "{told}");
    let rows = fs::read_to_string(&rows).expect("written");
    let hosts: std::collections::BTreeSet<&str> =
        rows.lines().skip(1).filter_map(|row| row.split('\t').nth(1)).collect();
    assert_eq!((rows.lines().count() as u32 - 1, hosts.len() as u32), (FLOWS, FLOWS));
}
