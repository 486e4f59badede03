//! Real clients against our sites, over the kernel's loopback.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::*;

const SHOP: &str = "www.shop.lab";

/// Sites on loopback, and a folder with the root certificate; both go when dropped.
struct Fixture {
    plain: SocketAddr,
    secure: SocketAddr,
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fixture {
    fn new(test: &str, sites: Vec<Site>) -> Fixture {
        let folder = std::env::temp_dir().join(format!("thru-serve-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), authority().root_pem()).unwrap();
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = Options {
                    addresses: vec![IpAddr::from([127, 0, 0, 1])],
                    plain_port: Some(0),
                    secure_port: Some(0),
                    ..Options::default()
                };
                let server = Server::bind(&Network::host(), options, sites).await.unwrap();
                tell.send((server.plain_addresses()[0], server.secure_addresses()[0])).unwrap();
                tokio::select! {
                    biased;
                    _ = stopped => {}
                    () = server.run() => {}
                }
            });
        });
        let (plain, secure) = told.recv().unwrap();
        Fixture { plain, secure, folder, stop: Some(stop), thread: Some(thread) }
    }

    fn curl(&self, curl: &Path, arguments: &[&str], path: &str) -> Output {
        Command::new(curl)
            .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert"])
            .arg(self.folder.join("ca.pem"))
            .arg("--resolve")
            .arg(format!("{SHOP}:{}:127.0.0.1", self.secure.port()))
            .args(["--write-out", "%{stderr}%{http_version} %{http_code} %{size_download}"])
            .args(arguments)
            .arg(format!("https://{SHOP}:{}{path}", self.secure.port()))
            .output()
            .unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn now() -> Duration {
    Network::host().unix_time()
}

fn authority() -> Authority {
    let year = Duration::from_secs(365 * 86_400);
    Authority::new("Lab Root", 7, now() - year, now() + year)
}

fn shop() -> Site {
    let day = Duration::from_secs(86_400);
    let request = LeafRequest {
        names: vec![SHOP.to_owned()],
        not_before: now() - day,
        not_after: now() + day,
        ..LeafRequest::default()
    };
    Site::new(SHOP, authority().issue(request).unwrap())
}

/// What curl reports on stderr: `VERSION STATUS BYTES`.
fn report(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn curl_gets_every_page_over_http1_and_http2() {
    let Some(curl) = thru_peers::peer("curl_gets_every_page_over_http1_and_http2", "curl", "curl") else {
        return;
    };
    let fixture = Fixture::new("pages", vec![shop()]);
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let page = fixture.curl(&curl, &[flag], "/");
        assert_eq!(report(&page), format!("{version} 200 {}", page.stdout.len()));
        assert!(page.stdout.starts_with(b"<!doctype html>"));
        let bytes = fixture.curl(&curl, &[flag], "/bytes/1000000");
        assert_eq!(report(&bytes), format!("{version} 200 1000000"));
        assert!(bytes.stdout == pages::pattern(0, 0, 1_000_000), "{version}: other bytes came");
        let head = fixture.curl(&curl, &[flag, "--head"], "/object/3");
        let head = String::from_utf8_lossy(&head.stdout).to_ascii_lowercase();
        for line in ["content-length: 20000", "server: thru-lab", "alt-svc: h3=\":443\"; ma=86400", "date: "]
        {
            assert!(head.contains(line), "{version}: no `{line}` in {head}");
        }
        assert_eq!(report(&fixture.curl(&curl, &[flag], "/nowhere")), format!("{version} 404 14"));
    }
}

#[test]
fn curl_uploads_over_http1_and_http2() {
    let Some(curl) = thru_peers::peer("curl_uploads_over_http1_and_http2", "curl", "curl") else { return };
    let fixture = Fixture::new("upload", vec![shop()]);
    let file = fixture.folder.join("body");
    std::fs::write(&file, vec![1; 3_000_000]).unwrap();
    let body = format!("@{}", file.display());
    for flag in ["--http1.1", "--http2"] {
        let answer = fixture.curl(&curl, &[flag, "--data-binary", &body], "/upload");
        assert_eq!(answer.stdout, b"3000000 bytes\n", "{flag}: {}", report(&answer));
    }
}

#[test]
fn curl_meets_each_tls_version() {
    let Some(curl) = thru_peers::peer("curl_meets_each_tls_version", "curl", "curl") else { return };
    for (tls, flags, exit) in [
        (TlsVersions::Both, &["--tls-max", "1.2"][..], 0),
        (TlsVersions::Both, &["--tlsv1.3"], 0),
        (TlsVersions::Only12, &[], 0),
        (TlsVersions::Only12, &["--tlsv1.3"], 35),
        (TlsVersions::Only13, &["--tls-max", "1.2"], 35),
        (TlsVersions::Outdated, &[], 35),
    ] {
        let fixture = Fixture::new("versions", vec![Site { tls, ..shop() }]);
        let output = fixture.curl(&curl, flags, "/bytes/10");
        assert_eq!(output.status.code(), Some(exit), "{tls:?} {flags:?}: {}", report(&output));
    }
}

#[test]
fn curl_sees_what_is_wrong() {
    let Some(curl) = thru_peers::peer("curl_sees_what_is_wrong", "curl", "curl") else { return };
    let with = |behaviour| Site { behaviour, ..shop() };
    let door = |door| with(Behaviour { door, ..Behaviour::default() });
    let answer = |answer| with(Behaviour { answer, ..Behaviour::default() });
    let delivery = |delivery| with(Behaviour { delivery, ..Behaviour::default() });
    let expired = {
        let day = Duration::from_secs(86_400);
        let names = vec![SHOP.to_owned()];
        let request =
            LeafRequest { names, not_before: now() - 9 * day, not_after: now() - day, ..Default::default() };
        Site::new(SHOP, authority().issue(request).unwrap())
    };
    let own = Site::new(SHOP, crate::pki::self_signed(1, leaf(SHOP)).unwrap());
    let other = Site::new(SHOP, authority().issue(leaf("other.lab")).unwrap());
    // curl's exit codes: 22 status, 28 timeout, 35 TLS, 52 nothing, 18 partial, 60 certificate.
    for (name, site, flags, exit) in [
        ("503", answer(Answer::Status { code: 503, retry_after: Some(5) }), &["--fail"][..], 22),
        ("never", answer(Answer::Never), &["--max-time", "1"], 28),
        ("close", answer(Answer::Close), &["--http1.1"], 52),
        (
            "break",
            delivery(Delivery::Break { after: 5_000, announced: Announced::Length }),
            &["--http1.1"],
            18,
        ),
        ("stall", delivery(Delivery::Stall { after: 5_000 }), &["--max-time", "1"], 28),
        ("plain", door(Door::PlainOnTlsPort), &[], 35),
        ("after hello", door(Door::CloseAfterHello), &[], 35),
        ("expired", expired, &[], 60),
        ("self-signed", own, &[], 60),
        ("other name", other, &[], 60),
    ] {
        let fixture = Fixture::new("wrong", vec![site]);
        let output = fixture.curl(&curl, flags, "/bytes/20000");
        assert_eq!(output.status.code(), Some(exit), "{name}: {}", report(&output));
    }
}

fn leaf(name: &str) -> LeafRequest {
    let day = Duration::from_secs(86_400);
    LeafRequest {
        names: vec![name.to_owned()],
        not_before: now() - day,
        not_after: now() + day,
        ..LeafRequest::default()
    }
}

#[test]
fn curl_follows_the_redirect_from_port_80() {
    let Some(curl) = thru_peers::peer("curl_follows_the_redirect_from_port_80", "curl", "curl") else {
        return;
    };
    let fixture = Fixture::new("redirect", vec![shop()]);
    let output = Command::new(curl)
        .args(["--silent", "--noproxy", "*", "--head", "--resolve"])
        .arg(format!("{SHOP}:{}:127.0.0.1", fixture.plain.port()))
        .arg(format!("http://{SHOP}:{}/bytes/7", fixture.plain.port()))
        .output()
        .unwrap();
    let head = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 301 "), "{head}");
    assert!(head.contains("location: https://www.shop.lab/bytes/7\r\n"), "{head}");
}

/// ngtcp2's client: another QUIC, another HTTP/3, another TLS (GnuTLS); then once more with 0-RTT.
#[test]
fn ngtcp2_gets_pages_over_http3_and_resumes_early() {
    let test = "ngtcp2_gets_pages_over_http3_and_resumes_early";
    let Some(client) = thru_peers::peer(test, "gtlsclient", "ngtcp2-client") else { return };
    let fixture = Fixture::new("http3", vec![shop()]);
    for early in [false, true] {
        let output = Command::new(&client)
            .args(["--exit-on-all-streams-close", "--timeout=10s"])
            .arg(format!("--session-file={}", fixture.folder.join("session").display()))
            .arg(format!("--tp-file={}", fixture.folder.join("parameters").display()))
            .arg(format!("--download={}", fixture.folder.display()))
            .args(["127.0.0.1", &fixture.secure.port().to_string()])
            .arg(format!("https://{SHOP}/bytes/300000"))
            .output()
            .unwrap();
        let log =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let body = std::fs::read(fixture.folder.join("300000")).unwrap_or_default();
        assert!(body == pages::pattern(0, 0, 300_000), "early {early}: {} bytes came\n{log}", body.len());
        assert!(log.contains("[:status: 200]"), "{log}");
        std::fs::remove_file(fixture.folder.join("300000")).unwrap();
        let sent_early = log.contains("0RTT");
        assert_eq!(sent_early, early, "{log}");
    }
}
