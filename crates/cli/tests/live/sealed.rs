//! OpenSSL's server and client: TLS 1.0 to 1.3 and DTLS with many suites, client certificates, resumption, alerts.

use crate::certificates::{Certificates, certificates};
use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

const NEEDS: &[(&str, &str)] = &[("openssl", "openssl")];

pub(crate) fn scenes() -> Vec<Scene> {
    let scene = |name, play| Scene::new(name, NEEDS, play);
    vec![
        scene("tls12", tls12),
        scene("tls12-blocks", tls12_blocks),
        scene("tls13", tls13),
        scene("tls-old", tls_old),
        scene("dtls", dtls),
    ]
}

/// A server on a port that answers with a page of HTTP.
fn server(place: &Place, names: &Certificates, port: u16, options: &str) {
    let line = format!(
        "s_server -accept 192.0.2.2:{port} -cert {} -key {} -www -quiet {options}",
        names.server, names.server_key
    );
    place.serve(&mut command("openssl", words(&line)), Ready::Tcp(port));
}

/// A client that asks for a page; with `true` it has to get one.
fn client(place: &Place, names: &Certificates, port: u16, options: &str, works: bool) {
    let line = format!(
        "s_client -connect 192.0.2.2:{port} -CAfile {} -servername www.example -keylogfile {} -quiet {options}",
        names.root,
        place.path("keys.log")
    );
    let mut program = place.near.start(&mut command("openssl", words(&line)), Ready::Now);
    program.types("GET / HTTP/1.0\r\n\r\n");
    program.stays_open();
    let (_, said) = program.end();
    assert_eq!(said.contains("HTTP/1.0 200"), works, "{line}: {said}");
}

fn tls12(place: &Place) -> Result<(), NotHere> {
    let names = certificates(place);
    let rsa = rsa(place)?;
    server(place, &names, 443, "-tls1_2");
    server(place, &rsa, 4430, "-tls1_2 -cipher ALL:@SECLEVEL=0");
    server(place, &names, 4431, &format!("-tls1_2 -Verify 1 -verify_return_error -CAfile {}", names.root));
    for cipher in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"] {
        client(place, &names, 443, &format!("-tls1_2 -cipher {cipher}"), true);
    }
    for cipher in ["AES256-GCM-SHA384", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"] {
        client(place, &rsa, 4430, &format!("-tls1_2 -cipher {cipher}:@SECLEVEL=0"), true);
    }
    let session = place.path("session12");
    client(place, &names, 443, &format!("-tls1_2 -alpn http/1.1 -status -sess_out {session}"), true);
    client(place, &names, 443, &format!("-tls1_2 -sess_in {session}"), true);
    let own = format!("-tls1_2 -cert {} -key {}", names.client, names.client_key);
    client(place, &names, 4431, &own, true);
    client(place, &names, 4431, "-tls1_2", false);
    client(place, &names, 443, "-tls1_3", false);
    client(place, &names, 443, "-tls1_2 -verify_return_error -CAfile /dev/null -no-CApath", false);
    Ok(())
}

/// Suites that are not opened.
fn tls12_blocks(place: &Place) -> Result<(), NotHere> {
    let rsa = rsa(place)?;
    server(place, &rsa, 443, "-tls1_2 -cipher ALL:@SECLEVEL=0");
    for cipher in ["AES128-SHA", "DHE-RSA-AES256-SHA256", "ECDHE-RSA-AES256-SHA384", "AES128-CCM"] {
        client(place, &rsa, 443, &format!("-tls1_2 -cipher {cipher}:@SECLEVEL=0"), true);
    }
    Ok(())
}

fn tls13(place: &Place) -> Result<(), NotHere> {
    let names = certificates(place);
    server(place, &names, 443, "-tls1_3");
    server(place, &names, 4430, "-tls1_3 -groups P-384 -num_tickets 0");
    server(place, &names, 4431, &format!("-tls1_3 -Verify 1 -verify_return_error -CAfile {}", names.root));
    for suite in ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        client(place, &names, 443, &format!("-ciphersuites {suite} -alpn h2,http/1.1"), true);
    }
    // The first key share is not the server's: it asks for another hello.
    client(place, &names, 4430, "-groups X25519:P-384", true);
    let session = place.path("session13");
    client(place, &names, 443, &format!("-sess_out {session}"), true);
    client(place, &names, 443, &format!("-sess_in {session}"), true);
    let own = format!("-cert {} -key {}", names.client, names.client_key);
    client(place, &names, 4431, &own, true);
    client(place, &names, 4431, "", false);
    client(place, &names, 443, "-tls1_2", false);
    client(place, &names, 443, "-verify_return_error -CAfile /dev/null -no-CApath", false);
    Ok(())
}

fn tls_old(place: &Place) -> Result<(), NotHere> {
    let rsa = rsa(place)?;
    server(place, &rsa, 443, "-cipher ALL:@SECLEVEL=0");
    for version in ["-tls1", "-tls1_1"] {
        client(place, &rsa, 443, &format!("{version} -cipher ALL:@SECLEVEL=0"), true);
    }
    Ok(())
}

/// A certificate of RSA that signs itself.
fn rsa(place: &Place) -> Result<Certificates, NotHere> {
    let line = format!(
        "req -x509 -newkey rsa:2048 -nodes -keyout {} -out {} -subj /C=NL/O=Examples/CN=www.example -days 3",
        place.path("rsa.key"),
        place.path("rsa.pem")
    );
    place.near.runs(&mut command("openssl", words(&line)));
    let (server, server_key) = (place.path("rsa.pem"), place.path("rsa.key"));
    Ok(Certificates {
        root: server.clone(),
        client: server.clone(),
        client_key: server_key.clone(),
        server,
        server_key,
    })
}

fn dtls(place: &Place) -> Result<(), NotHere> {
    let names = certificates(place);
    let rsa = rsa(place)?;
    let runs = [
        ("-dtls1_2", &names, ""),
        ("-dtls1_2 -cipher AES128-SHA:@SECLEVEL=0", &rsa, ""),
        ("-dtls1 -cipher ALL:@SECLEVEL=0", &rsa, ""),
        ("-dtls1_2 -psk 1a2b3c4d -psk_identity us -cipher PSK", &names, "-nocert"),
        ("-dtls1_2 -mtu 600", &rsa, "-Verify 1"),
    ];
    for (at, (options, names, besides)) in runs.into_iter().enumerate() {
        let port = 4433 + at as u16;
        let line = format!("s_server -accept 192.0.2.2:{port} {options} {besides}");
        let mut command_of_server = command("openssl", words(&line));
        if besides != "-nocert" {
            command_of_server.args([
                "-cert",
                &names.server,
                "-key",
                &names.server_key,
                "-CAfile",
                &names.root,
            ]);
        }
        let mut server = place.far.start(&mut command_of_server, Ready::Udp(port));
        let line = format!(
            "s_client -connect 192.0.2.2:{port} {options} -CAfile {} -keylogfile {}",
            names.root,
            place.path("keys.log")
        );
        let mut command_of_client = command("openssl", words(&line));
        if !besides.is_empty() && besides != "-nocert" {
            command_of_client.args(["-cert", &names.server, "-key", &names.server_key]);
        }
        let mut client = place.near.start(&mut command_of_client, Ready::Says("Verify return code"));
        client.types("words of the client\n");
        server.wait_for("words of the client");
        server.types("words of the server\n");
        client.wait_for("words of the server");
        client.types("Q\n");
        client.end();
        server.wait_for("DONE");
    }
    Ok(())
}
