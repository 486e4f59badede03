//! A name server on our own stack: every transport, and clients that mean harm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thru_names::authority::{Authority, SignedZone};
use thru_names::proto::rr::Name;
use thru_names::rdata::master_records;
use thru_names::resolver::ResolverConfig;
use thru_net::lab::{LabOptions, run};
use thru_net::{ConnectOptions, Network, TcpStream};
use thru_probe::Recorder;
use thru_probe::dig::{DigRequest, dig};
use thru_serve::nameserver::{Certificate, NameServer, Role, Transport, Zones};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{v4, wires};

/// Runs with a client and an authority for `shop.lab` with all its ports, 10 ms apart.
fn with_server<F, Fut>(seed: u64, main: F)
where
    F: FnOnce(Network) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let options = LabOptions {
        name: "transports".to_owned(),
        seed,
        epoch_unix_nanos: 1_800_000_000_000_000_000,
        limit: Duration::from_secs(600),
    };
    let result = run(options, move |lab| async move {
        let mut networks = wires(&lab);
        let server = networks.remove(2);
        server.sleep(Duration::from_secs(2)).await;
        let long = "x".repeat(250);
        let texts: String =
            (0..16).map(|at| format!("long.shop.lab. 300 IN TXT \"{at} {long}\"\n")).collect();
        let text = format!(
            "shop.lab. 300 IN SOA ns. a. 1 3600 600 86400 60\nshop.lab. 300 IN NS ns.\nwww.shop.lab. 300 IN A 192.0.2.80\n{texts}"
        );
        let zone = SignedZone::new(&master_records(&text, &Name::root()).expect("records")).expect("a zone");
        let zones = Zones { authority: Authority::new([Arc::new(zone)]), ..Zones::default() };
        let mut serving = NameServer::new(&server, Role::Authoritative(zones), None);
        let at = |port| SocketAddr::new(v4("root"), port);
        serving.listen(at(53)).await.expect("the ports are free");
        let certificate = Certificate::own(&server, vec![v4("root").to_string()]).expect("a certificate");
        for (transport, port) in [(Transport::Tls, 853), (Transport::Https, 443), (Transport::Quic, 853)] {
            serving.listen_secured(at(port), transport, &certificate).await.expect("the ports are free");
        }
        tokio::spawn(serving.run());
        main(networks.remove(0)).await;
    });
    result.unwrap_or_else(|error| panic!("{error}; seed {seed}"));
}

async fn asked(client: &Network, words: &str) -> (Vec<String>, &'static str) {
    let server = format!("@{}", v4("root"));
    let words: Vec<&str> = words.split_whitespace().chain([server.as_str()]).collect();
    let request = DigRequest::parse(&words).expect("a request");
    let answer = dig(&Recorder::new(client.clone()), &request, ResolverConfig::new(Vec::new()), &[]).await;
    let answer = answer.unwrap_or_else(|failure| panic!("{words:?}: {}", failure.text));
    (answer.short, answer.transport)
}

async fn connect(client: &Network, port: u16) -> TcpStream {
    let to = SocketAddr::new(v4("root"), port);
    client.connect_tcp(to, ConnectOptions::default()).await.expect("it listens")
}

#[test]
fn every_transport_carries_the_same_answer() {
    with_server(31, |client| async move {
        for (words, transport) in [
            ("", "udp"),
            ("+tcp", "tcp"),
            ("+tls", "tls"),
            ("+https", "https"),
            ("+https-get", "https"),
            ("+h3", "h3"),
            ("+quic", "quic"),
        ] {
            let expected = (vec!["192.0.2.80".to_owned()], transport);
            assert_eq!(asked(&client, &format!("www.shop.lab {words}")).await, expected, "{words}");
            // What fits no datagram: over UDP it comes by way of TCP.
            let (texts, over) = asked(&client, &format!("long.shop.lab TXT {words}")).await;
            assert_eq!(texts.len(), 16, "{words}");
            assert_eq!(over, if transport == "udp" { "tcp" } else { transport });
        }
    });
}

#[test]
fn a_client_that_dawdles_loses_its_connection_and_nobody_else_does() {
    with_server(32, |client| async move {
        let mut slow = Vec::new();
        for port in [53, 53, 853, 443] {
            slow.push(connect(&client, port).await);
        }
        // An octet every three seconds, of a message that never gets done.
        let began = client.now();
        slow[1].write_all(&[0]).await.expect("it is open");
        for _ in 0..3 {
            client.sleep(Duration::from_secs(3)).await;
            let _ = slow[1].write_all(&[7]).await;
            assert_eq!(asked(&client, "www.shop.lab +tcp").await.0, ["192.0.2.80"]);
        }
        for mut stream in slow {
            let mut rest = Vec::new();
            // Closed or reset: its place is free again.
            let _ = stream.read_to_end(&mut rest).await;
        }
        let took = client.now().since(began);
        assert!(took < Duration::from_secs(35), "{took:?}");
    });
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    with_server(33, |client| async move {
        let mut deaf = connect(&client, 53).await;
        let query = [
            0, 31, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, b'l', b'o', b'n', b'g', 4, b's', b'h', b'o', b'p',
            3, b'l', b'a', b'b', 0, 0, 16, 0, 1,
        ];
        // 4 kB of answer for each; sooner or later the server stops reading, and then gives up.
        let began = client.now();
        let many = query.repeat(1000);
        let mut written = 0;
        while client.now().since(began) < Duration::from_secs(120) {
            match client.timeout(Duration::from_secs(60), deaf.write_all(&many)).await {
                Some(Ok(())) => written += many.len(),
                Some(Err(_)) => break,
                None => panic!("after {written} octets neither taken nor closed"),
            }
        }
        assert_eq!(asked(&client, "www.shop.lab +tcp").await.0, ["192.0.2.80"]);
    });
}

#[test]
fn rubbish_gets_nothing_and_harms_nobody() {
    with_server(34, |client| async move {
        let socket = client.bind_udp(SocketAddr::new(v4("client"), 0)).await.expect("a port");
        let mut state = 1_u64;
        for length in 0..200_usize {
            let rubbish: Vec<u8> = (0..length * 3)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            for port in [53, 853, 443] {
                let _ = socket.send_to(&rubbish, SocketAddr::new(v4("root"), port)).await;
            }
            if length % 20 == 0 {
                for port in [53, 853, 443] {
                    let mut stream = connect(&client, port).await;
                    let _ = stream.write_all(&rubbish).await;
                }
            }
        }
        for words in ["", "+tcp", "+tls", "+https", "+h3", "+quic"] {
            assert_eq!(asked(&client, &format!("www.shop.lab {words}")).await.0, ["192.0.2.80"], "{words}");
        }
    });
}
