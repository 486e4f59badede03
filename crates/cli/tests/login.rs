//! A login in an address is sent where it belongs, and no output shows it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The login as it is typed, and as `Basic` carries it: nobody may see either.
const LOGIN: &str = "user:s3cret";
const SECRETS: [&str; 2] = ["s3cret", "dXNlcjpzM2NyZXQ="];

fn thru(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(arguments)
        .env_remove("SSLKEYLOGFILE")
        .output()
        .expect("the program starts")
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder in the target folder");
    folder
}

#[track_caller]
fn holds_no_login(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} holds {secret}");
    }
}

/// All that one request leaves behind, in words and in files; gives the names of the files of the bundle.
fn leave_everything(folder: &Path, url: &str) -> Vec<String> {
    let file = |name: &str| folder.join(name).to_str().expect("ASCII").to_owned();
    let [html, har, qlog, bundle, packets] = ["x.html", "x.har", "x.qlog", "x.tar.gz", "x.pcapng"].map(file);
    let output = thru(&[
        url,
        "--on",
        "lab:http-401",
        "--report",
        &html,
        "--har",
        &har,
        "--qlog",
        &qlog,
        "--bundle",
        &bundle,
        "--write",
        &packets,
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let words = thru(&[url, "--on", "lab:http-401"]);
    for (what, output) in [("--json", &output), ("the text", &words)] {
        holds_no_login(what, &output.stdout);
        holds_no_login(what, &output.stderr);
    }
    let said = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(said.contains("refuses the login that came with the request"), "{said}");
    let unpacked = Command::new("tar").args(["-xzf", &bundle, "-C"]).arg(folder).status().expect("tar");
    assert!(unpacked.success());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("thru")).expect("the bundle's folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        holds_no_login(&format!("{name} in the bundle"), &std::fs::read(&path).expect("its bytes"));
        names.push(name);
    }
    for path in [&html, &har, &qlog] {
        holds_no_login(path, &std::fs::read(path).expect("the file"));
    }
    names.sort();
    names
}

#[test]
fn no_output_shows_the_login_of_an_encrypted_request() {
    let folder = folder("login-https");
    let names = leave_everything(&folder, &format!("https://{LOGIN}@www.shop.lab/"));
    assert_eq!(names, ["connections.qlog", "packets.pcapng", "report.html", "request.har", "trace.json"]);
    // The packets are encrypted, and say no more than that.
    holds_no_login("-w", &std::fs::read(folder.join("x.pcapng")).expect("the packets"));
}

#[test]
fn a_bundle_leaves_out_packets_that_hold_a_login_in_clear() {
    let names = leave_everything(&folder("login-http"), &format!("http://{LOGIN}@www.shop.lab/open"));
    assert!(!names.contains(&"packets.pcapng".to_owned()), "{names:?}");
}

#[test]
fn a_wrong_address_is_quoted_without_its_login() {
    let address = format!("http://{LOGIN}@192.0.2.1:99999");
    for arguments in [
        vec![address.as_str()],
        vec!["--proxy", &address, "https://www.shop.lab"],
        vec!["--vantage", &address, "https://www.shop.lab"],
        vec!["--control", &format!("https://{LOGIN}@www.news.lab"), "https://www.shop.lab"],
        vec!["https://www.shop.lab", &address],
        vec!["ping", &address],
    ] {
        let output = thru(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        holds_no_login("standard error", &output.stderr);
        holds_no_login("standard output", &output.stdout);
    }
}

#[test]
fn the_comparison_shows_no_login() {
    let url = format!("https://{LOGIN}@www.shop.lab/");
    for more in [&[][..], &["--json"]] {
        let output = thru(&[&[url.as_str(), "--compare"][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        holds_no_login("--compare", &output.stdout);
        holds_no_login("--compare", &output.stderr);
    }
}

/// Answers whoever shows the login in this header, one request after the other, and nobody else; ends with the test.
fn picky(header: &'static str, yes: &'static [&'static str], no: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.expect("a connection"), header, yes, no);
        }
    });
    address
}

fn answer(mut stream: TcpStream, header: &str, yes: &[&str], no: &str) -> std::io::Result<()> {
    let wanted = format!("\r\n{header}: basic {}\r\n", SECRETS[1].to_lowercase());
    if head(&mut stream)?.to_lowercase().contains(&wanted) {
        stream.write_all(yes[0].as_bytes())?;
        for answer in &yes[1..] {
            head(&mut stream)?;
            stream.write_all(answer.as_bytes())?;
        }
    } else {
        stream.write_all(no.as_bytes())?;
    }
    // The other side closes first.
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[test]
fn a_site_and_a_proxy_are_shown_the_login_that_they_want() {
    const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let site = picky("authorization", &[PAGE], refusal);
    let ask = |arguments: &[&str]| thru(&[&["--json"], arguments].concat());
    assert_eq!(ask(&[&format!("http://{LOGIN}@{site}/")]).status.code(), Some(0));
    assert_eq!(ask(&[&format!("http://{site}/")]).status.code(), Some(1));
    let wants = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    // What comes behind its answer is the target's.
    let proxy = picky("proxy-authorization", &["HTTP/1.1 200 OK\r\n\r\n", PAGE], wants);
    let proxied = |login: &str| ask(&["http://192.0.2.7/", "--proxy", &format!("http://{login}{proxy}")]);
    let output = proxied("user:s3cret@");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    holds_no_login("--json", &output.stdout);
    for (login, expected) in [("", "wants a login"), ("user:wrong@", "refuses the login")] {
        let output = proxied(login);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("PX03") && said.contains(expected), "{said}");
    }
}
