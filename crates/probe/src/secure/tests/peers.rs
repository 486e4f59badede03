//! Against real servers, over the kernel's loopback: nginx for TLS, HTTP/1.1 and HTTP/2, ngtcp2 for HTTP/3.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use thru_peers::Folder;
use thru_serve::pki::CertifiedKey;

use super::*;

/// Writes a certificate's chain and its key.
fn keep(folder: &Folder, name: &str, certificate: &CertifiedKey) {
    folder.write(&format!("{name}.crt"), &certificate.chain_pem());
    folder.write(&format!("{name}.key"), &certificate.key_pem());
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nginx with one `server` block for each of `blocks` (`NAME`, directives); it listens once this returns.
struct Nginx {
    program: PathBuf,
    folder: Folder,
    ports: Vec<u16>,
}

impl Nginx {
    fn start(program: &Path, folder: Folder, blocks: &[(&str, &str)]) -> Nginx {
        std::fs::create_dir_all(folder.0.join("html")).unwrap();
        folder.write("html/index.html", &"<title>from nginx</title>".repeat(1000));
        let root = folder.0.display();
        let mut configuration = format!(
            "pid {root}/pid; error_log {root}/error.log; worker_processes 1; events {{}}\nhttp {{ access_log off; ssl_protocols TLSv1.2 TLSv1.3;\n\
             client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;\n\
             uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n"
        );
        let mut ports = Vec::new();
        for (name, directives) in blocks {
            let port = free_port();
            ports.push(port);
            configuration += &format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; server_name {SHOP}; root {root}/html;\n\
                 ssl_certificate {root}/{name}.crt; ssl_certificate_key {root}/{name}.key; {directives} }}\n"
            );
        }
        if thru_peers::is_root() {
            configuration.insert_str(0, "user root;\n");
        }
        configuration += "}\n";
        let file = folder.write("nginx.conf", &configuration);
        // The first process returns when the sockets listen; a daemon goes on.
        let status = Command::new(program).arg("-c").arg(&file).stderr(Stdio::null()).status().unwrap();
        let log = std::fs::read_to_string(folder.0.join("error.log")).unwrap_or_default();
        assert!(status.success(), "nginx did not start: {log}");
        Nginx { program: program.to_owned(), folder, ports }
    }

    fn address(&self, block: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[block]))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let file = self.folder.0.join("nginx.conf");
        let _ = Command::new(&self.program)
            .arg("-c")
            .arg(file)
            .args(["-s", "stop"])
            .stderr(Stdio::null())
            .status();
    }
}

#[test]
fn nginx_is_understood() {
    let Some(program) = thru_peers::peer("nginx_is_understood", "nginx", "nginx-light") else { return };
    on_host(async |place| {
        let folder = Folder::new("nginx");
        let now = place.server.unix_time();
        let root = place.authority();
        let day_old = LeafRequest { not_after: now - DAY, ..place.leaf(SHOP) };
        keep(&folder, "good", &place.certificate(SHOP));
        keep(&folder, "expired", &root.issue(day_old).unwrap());
        keep(&folder, "other", &place.certificate("other.lab"));
        keep(&folder, "own", &self_signed(5, place.leaf(SHOP)).unwrap());
        let nginx = Nginx::start(
            &program,
            folder,
            &[
                ("good", ""),
                ("good", "ssl_protocols TLSv1.2;"),
                ("expired", ""),
                ("other", ""),
                ("own", ""),
                ("good", "return 503;"),
                ("good", "location / { return 301 /index.html; }"),
            ],
        );
        let check = async |block: usize, alpn: &str, expected: &str| {
            let mut visitor = place.visitor();
            visitor.limits = Default::default();
            let result = match visitor.over_tls(nginx.address(block), SHOP, alpn).await {
                Ok(mut client) => {
                    visitor.get(&mut client, "/").await.map(|answer| (answer.span, answer.status))
                }
                Err(failure) => Err(failure),
            };
            let word = match &result {
                Ok((span, status)) => visitor.recorder.code(*span).unwrap_or_else(|| status.to_string()),
                Err(failure) => failure.code.clone(),
            };
            assert_eq!(word, expected, "block {block} over {alpn}: {result:?}");
            visitor
        };
        let visitor = check(0, "h2", "200").await;
        assert_eq!(visitor.text("exchange", "http.version"), "HTTP/2");
        assert_eq!(visitor.text("handshake", "tls.version"), "TLS 1.3");
        assert_eq!(visitor.value("exchange", "http.bytes"), Some(Value::Int(25_000)));
        assert!(visitor.text("exchange", "http.server").starts_with("nginx"));
        let visitor = check(0, "http/1.1", "200").await;
        assert_eq!(visitor.text("exchange", "http.version"), "HTTP/1.1");
        let visitor = check(1, "h2", "200").await;
        assert_eq!(visitor.text("handshake", "tls.version"), "TLS 1.2");
        check(2, "h2", "tls.certificate_expired").await;
        check(3, "h2", "tls.wrong_name").await;
        check(4, "h2", "tls.self_signed").await;
        check(5, "h2", "http.status.503").await;
        check(6, "http/1.1", "301").await;

        // Sessions resume with OpenSSL's tickets, too.
        let visitor = place.visitor();
        for resumed in [false, true] {
            let mut client = visitor.over_tls(nginx.address(0), SHOP, "h2").await.unwrap();
            visitor.get(&mut client, "/").await.unwrap();
            assert_eq!(visitor.value("handshake", "tls.resumed"), Some(Value::Bool(resumed)));
            client.close().await;
        }
        // A server that shares no version says so with an alert.
        let mut trust = Trust::none();
        trust.add_der(root.root_der().clone()).unwrap();
        let visitor =
            place.visitor_who(TlsOptions { trust, versions: Offer::Only13, ..TlsOptions::default() });
        let failure = visitor.over_tls(nginx.address(1), SHOP, "h2").await.unwrap_err();
        assert_eq!(failure.code, "tls.version", "{failure}");
    });
}

/// A process that ends when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ngtcp2_is_understood_over_http3() {
    let test = "ngtcp2_is_understood_over_http3";
    let Some(program) = thru_peers::peer(test, "gtlsserver", "ngtcp2-server") else { return };
    on_host(async |place| {
        let folder = Folder::new("ngtcp2");
        keep(&folder, "good", &place.certificate(SHOP));
        folder.write("page.html", &thru_serve::web::pages::pattern(9, 0, 200_000));
        let port = free_port();
        let child = Command::new(program)
            .arg("--quiet")
            .arg(format!("--htdocs={}", folder.0.display()))
            .args(["127.0.0.1", &port.to_string()])
            .args([folder.0.join("good.key"), folder.0.join("good.crt")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _running = Running(child);
        let mut trust = Trust::none();
        trust.add_der(place.authority().root_der().clone()).unwrap();
        let visitor = Visitor {
            // QUIC asks again until the server is up.
            tls: TlsClient::new(&place.client, TlsOptions { trust, ..TlsOptions::default() }),
            limits: Default::default(),
            ..place.visitor()
        };
        let remote = SocketAddr::from(([127, 0, 0, 1], port));
        for early in [false, true] {
            let mut client = visitor.over_quic(remote, SHOP, true).await.unwrap();
            let answer = visitor.get(&mut client, "/page.html").await.unwrap();
            assert_eq!((answer.status, answer.bytes), (200, 200_000));
            assert_eq!(answer.body, thru_serve::web::pages::pattern(9, 0, 64 * 1024));
            assert_eq!(visitor.text("handshake", "tls.alpn"), "h3");
            // GnuTLS takes early data only if the age of the ticket is right to a few milliseconds; rustls tells it
            // in whole seconds. So it is refused now and then, and the request has to arrive all the same.
            let taken = visitor.value("handshake", "tls.early_data");
            assert!(matches!(taken, Some(Value::Bool(taken)) if early || !taken), "{taken:?}");
            client.close().await;
        }
    });
}
