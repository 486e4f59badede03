//! `thru --on host` against servers that we did not write, on this machine's loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

#[test]
fn nginx_with_http2_is_healthy() {
    let Some(nginx) = Nginx::start("nginx_with_http2_is_healthy") else { return };
    let (output, answer) = nginx.ask("valid", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert_eq!(answer["verdict"]["layer"], "none");
    assert_eq!(answer["verdict"]["causes"], serde_json::json!([]));
    assert_eq!(value(&answer, "exchange", "http.version"), "HTTP/2");
    assert_eq!(value(&answer, "exchange", "http.status"), 200);
    assert_eq!(value(&answer, "handshake", "tls.version"), "TLS 1.3");
}

#[test]
fn http1_is_spoken_when_asked_for() {
    let Some(nginx) = Nginx::start("http1_is_spoken_when_asked_for") else { return };
    let (output, answer) = nginx.ask("valid", &["--http", "1.1"]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert_eq!(value(&answer, "exchange", "http.version"), "HTTP/1.1");
}

#[test]
fn a_tls_1_2_only_server_is_healthy_and_its_version_told() {
    let Some(nginx) = Nginx::start("a_tls_1_2_only_server_is_healthy_and_its_version_told") else { return };
    let (output, answer) = nginx.ask("tls12", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert_eq!(value(&answer, "handshake", "tls.version"), "TLS 1.2");
}

#[test]
fn an_expired_certificate_is_named() {
    let Some(nginx) = Nginx::start("an_expired_certificate_is_named") else { return };
    let (output, answer) = nginx.ask("expired", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(answer["verdict"]["layer"], "tls");
    assert_eq!(answer["verdict"]["causes"], serde_json::json!(["TLS07"]));
}

#[test]
fn a_closed_port_is_named() {
    let port = free_port();
    let (output, answer) = thru(&[&format!("http://127.0.0.1:{port}/")], None);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(answer["verdict"]["layer"], "tcp");
    let causes = answer["verdict"]["causes"].as_array().expect("a list");
    assert!(causes.contains(&"TCP01".into()), "{causes:?}");
}

/// One nginx with three sites, each on a port of its own; stopped when dropped.
struct Nginx {
    program: PathBuf,
    folder: PathBuf,
    ports: [(&'static str, u16); 3],
}

impl Nginx {
    fn start(test: &str) -> Option<Nginx> {
        let program = thru_peers::peer(test, "nginx", "nginx-light")?;
        let folder = std::env::temp_dir().join(format!("thru-nginx-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for nginx");
        let ports = ["valid", "tls12", "expired"].map(|site| (site, free_port()));
        certificates(&folder);
        let nginx = Nginx { program, folder, ports };
        fs::write(nginx.folder.join("nginx.conf"), nginx.configuration()).expect("the configuration");
        // It returns when its sockets listen.
        let output = nginx.run(&[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(nginx)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("-p").arg(&self.folder).arg("-c").arg(self.folder.join("nginx.conf"));
        command.args(arguments).output().expect("nginx runs")
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        let mut text = format!(
            "pid {folder}/pid;\nerror_log {folder}/error.log;\nworker_processes 1;\nevents {{}}\nhttp {{\n  access_log off;\n"
        );
        for temporary in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            text.push_str(&format!("  {temporary}_temp_path {folder}/{temporary};\n"));
        }
        for (site, port) in self.ports {
            let protocols = if site == "tls12" { "TLSv1.2" } else { "TLSv1.2 TLSv1.3" };
            let certificate = if site == "expired" { "expired" } else { "valid" };
            text.push_str(&format!(
                "  server {{ listen 127.0.0.1:{port} ssl http2; listen [::1]:{port} ssl http2; server_name localhost;\n    \
                 ssl_certificate {folder}/{certificate}.pem; ssl_certificate_key {folder}/{certificate}.key;\n    \
                 ssl_protocols {protocols}; location / {{ return 200 \"hello\\n\"; }} }}\n"
            ));
        }
        text + "}\n"
    }

    fn ask(&self, site: &str, arguments: &[&str]) -> (Output, Value) {
        let port = self.ports.iter().find(|(name, _)| *name == site).expect("a known site").1;
        let url = format!("https://localhost:{port}/");
        let mut all = vec![url.as_str()];
        all.extend(arguments);
        thru(&all, Some(&self.folder.join("ca.pem")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.run(&["-s", "stop"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A CA, and two certificates for localhost: one that is valid now, one that expired in 2021.
fn certificates(folder: &Path) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "thru test authority");
    let certificate = authority.self_signed(&authority_key).expect("a CA");
    fs::write(folder.join("ca.pem"), certificate.pem()).expect("written");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    for (name, year) in [("valid", 2090), ("expired", 2021)] {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = leaf.signed_by(&key, &issuer).expect("signed");
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("written");
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn thru(arguments: &[&str], authority: Option<&Path>) -> (Output, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
    command.args(arguments).args(["--on", "host", "--json"]);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    let output = command.output().expect("thru runs");
    let answer =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&output)));
    (output, answer)
}

/// A value of the first span of that kind that has it.
fn value(answer: &Value, what: &str, key: &str) -> Value {
    let spans = answer["spans"].as_array().expect("spans");
    let found = spans.iter().filter(|span| span["what"] == what).find_map(|span| span["values"].get(key));
    found.unwrap_or_else(|| panic!("no {what} has {key}")).clone()
}

fn shown(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
