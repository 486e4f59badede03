//! The capture that `thru -w` writes, read by tshark without any other file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn nothing_is_malformed_and_every_checksum_is_right() {
    let Some(capture) = Capture::of("nothing_is_malformed_and_every_checksum_is_right", &[]) else { return };
    assert!(capture.rows("frame", &["frame.number"]).len() > 30);
    assert_eq!(capture.rows("_ws.malformed", &["frame.number"]), [] as [String; 0]);
    let bad = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || \
               icmp.checksum.status == 0 || icmpv6.checksum.status == 0";
    assert_eq!(capture.rows(bad, &["frame.number"]), [] as [String; 0]);
    // The filter above would pass a capture whose checksums were never looked at.
    assert!(!capture.rows("tcp.checksum.status == 1", &["frame.number"]).is_empty());
    assert!(!capture.rows("udp.checksum.status == 1", &["frame.number"]).is_empty());
}

#[test]
fn http2_is_decrypted_by_the_secrets_inside() {
    let Some(capture) = Capture::of("http2_is_decrypted_by_the_secrets_inside", &["--http", "2"]) else {
        return;
    };
    let requests = capture.rows("http2.headers.method", &["http2.headers.method", "http2.headers.authority"]);
    assert_eq!(requests, ["GET\twww.shop.lab"]);
    assert_eq!(capture.rows("http2.headers.status", &["http2.headers.status"]), ["200"]);
    let bodies = capture.rows("http2.body.fragments || http2.data.data", &["http2.length"]);
    assert!(!bodies.is_empty());
}

#[test]
fn http1_is_decrypted_by_the_secrets_inside() {
    let Some(capture) = Capture::of("http1_is_decrypted_by_the_secrets_inside", &["--http", "1.1"]) else {
        return;
    };
    assert_eq!(capture.rows("http.request", &["http.request.method", "http.host"]), ["GET\twww.shop.lab"]);
    assert_eq!(capture.rows("http.response", &["http.response.code"]), ["200"]);
}

#[test]
fn http3_is_decrypted_by_the_secrets_inside() {
    let Some(capture) = Capture::of("http3_is_decrypted_by_the_secrets_inside", &["--http", "3"]) else {
        return;
    };
    assert_eq!(capture.rows("_ws.malformed", &["frame.number"]), [] as [String; 0]);
    assert!(!capture.rows("http3", &["frame.number"]).is_empty());
    // Debian's tshark shows HTTP/3 frames, not QPACK's fields: a request stream carries HEADERS (1) both ways.
    let headers = capture.rows("http3.frame_type == 1", &["quic.stream.stream_id", "udp.dstport"]);
    assert!(headers.iter().any(|row| row.ends_with("\t443")), "{headers:?}");
    assert!(headers.iter().any(|row| !row.ends_with("\t443")), "{headers:?}");
}

#[test]
fn addresses_have_names_without_any_lookup() {
    let Some(capture) = Capture::of("addresses_have_names_without_any_lookup", &[]) else { return };
    let output = capture.tshark(&["-N", "n", "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("www.shop.lab"), "{text}");
}

#[test]
fn drops_say_why_in_a_packet_comment() {
    let test = "drops_say_why_in_a_packet_comment";
    let Some(capture) = Capture::of(test, &["--set", "home--isp.loss=20%"]) else { return };
    let comments = capture.rows("frame.comment", &["frame.comment"]);
    assert!(
        comments.iter().any(|comment| comment.contains("home--isp") && comment.contains("lost")),
        "{comments:?}"
    );
    assert_eq!(capture.rows("_ws.malformed", &["frame.number"]), [] as [String; 0]);
}

/// A capture file of one run; deleted when dropped.
struct Capture {
    tshark: PathBuf,
    file: PathBuf,
}

impl Capture {
    fn of(test: &str, arguments: &[&str]) -> Option<Capture> {
        let tshark = thru_peers::peer(test, "tshark", "tshark")?;
        let file = std::env::temp_dir().join(format!("thru-{test}-{}.pcapng", std::process::id()));
        let output = run(arguments, &file);
        assert!(file.exists(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(Capture { tshark, file })
    }

    fn tshark(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.tshark);
        command.arg("-r").arg(&self.file);
        for protocol in ["ip", "tcp", "udp"] {
            command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
        }
        let output = command.args(arguments).output().expect("tshark runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The values of `fields` in the frames that `filter` passes, tabs between.
    fn rows(&self, filter: &str, fields: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-n", "-Y", filter, "-T", "fields"];
        for field in fields {
            arguments.extend(["-e", field]);
        }
        let output = self.tshark(&arguments);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn run(arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
    command.arg("https://www.shop.lab").args(arguments).arg("-w").arg(file).output().expect("thru runs")
}
