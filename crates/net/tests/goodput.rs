//! 10 MB over a lossy path that also reorders and duplicates: it arrives intact, over TCP and over QUIC, whatever
//! the seed; and how fast is a table that a change of behaviour shows up in.
//!
//! `THRU_BLESS=1 cargo test -p thru-net --test goodput` writes the table anew.
//! `THRU_SEED=7 cargo test -p thru-net --test goodput` replays one seed.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::{SERVER, with_two_hosts};
use thru_net::{ConnectOptions, Network};
use thru_sim::link::{Chance, Loss, Pipe};
use thru_sim::queue::QueueConfig;
use thru_stack::Medium;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SIZE: usize = 10_000_000;
const LOSSES_PERCENT: [u32; 4] = [0, 1, 5, 20];
const SEEDS: u64 = 100;

#[test]
fn ten_megabytes_arrive_over_tcp_at_every_loss() {
    check("tcp", |seed, loss| transfer(seed, loss, over_tcp));
}

#[test]
fn ten_megabytes_arrive_over_quic_at_every_loss() {
    check("quic", |seed, loss| transfer(seed, loss, over_quic));
}

/// Runs every cell and holds the table against the one in the repository.
fn check(protocol: &str, transfer: impl Fn(u64, u32) -> Duration) {
    let replay =
        std::env::var("THRU_SEED").ok().map(|seed| seed.parse::<u64>().expect("THRU_SEED is a number"));
    let seeds: Vec<u64> = replay.map_or_else(|| (1..=SEEDS).collect(), |seed| vec![seed]);
    let mut table = format!(
        "10 MB over {protocol}: 20 ms each way, 50 Mbit/s, 1 % reordered, 1 % duplicated, {SEEDS} seeds\n\
         loss    goodput in Mbit/s: slowest   median  fastest\n"
    );
    for loss in LOSSES_PERCENT {
        let mut rates: Vec<f64> =
            seeds.iter().map(|seed| SIZE as f64 * 8.0 / transfer(*seed, loss).as_secs_f64() / 1e6).collect();
        rates.sort_by(f64::total_cmp);
        let (slowest, median, fastest) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
        table.push_str(&format!("{loss:>3} %  {slowest:>26.2} {median:>8.2} {fastest:>8.2}\n"));
    }
    if replay.is_some() {
        println!("{table}");
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goodput/{protocol}.txt"));
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&file, &table).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(table, expected, "goodput changed; if that is meant, run with THRU_BLESS=1");
}

/// Moves 10 MB from the server to the client and returns how long it took from connecting to the last byte.
fn transfer<F>(seed: u64, loss: u32, exchange: fn(Network, Network) -> F) -> Duration
where
    F: Future<Output = Vec<u8>> + 'static,
{
    let limit = Duration::from_secs(36_000);
    // Bare IP: a lost ARP question is not what this is about.
    let (received, took) =
        with_two_hosts(seed, Medium::Ip, path(loss), limit, move |lab, client, server| async move {
            let started = lab.now();
            let received = exchange(client, server).await;
            (received, lab.now().since(started))
        });
    assert_eq!(received.len(), SIZE, "loss {loss} %: replay with THRU_SEED={seed}");
    assert!(received == payload(), "loss {loss} %: other bytes arrived; replay with THRU_SEED={seed}");
    took
}

fn path(loss_percent: u32) -> Pipe {
    Pipe {
        loss: if loss_percent == 0 { Loss::None } else { Loss::Random(Chance(loss_percent * 10_000_000)) },
        duplicate: Chance(10_000_000),
        rate: Some(50_000_000),
        queue: QueueConfig::DropTail { limit: 250_000 },
        delay: Duration::from_millis(20),
        reorder: Chance(10_000_000),
        reorder_by: Duration::from_millis(3),
        ..Pipe::default()
    }
}

fn payload() -> Vec<u8> {
    (0..SIZE).map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8).collect()
}

async fn over_tcp(client: Network, server: Network) -> Vec<u8> {
    let address = SocketAddr::from((SERVER, 9));
    let listener = server.listen_tcp(address, 16).await.expect("the port is free");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the client comes");
        stream.write_all(&payload()).await.expect("the client reads");
        stream.shutdown().await.expect("the stream is open");
        // Stay until the client has closed too, so that nothing is cut off.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let mut stream =
        client.connect_tcp(address, ConnectOptions::default()).await.expect("the server listens");
    let mut received = Vec::with_capacity(SIZE);
    stream.read_to_end(&mut received).await.expect("the server sends to the end");
    received
}

async fn over_quic(client: Network, server: Network) -> Vec<u8> {
    let address = SocketAddr::from((SERVER, 9));
    let (server_config, client_config) = quic_configs(&client, &server);
    let endpoint =
        thru_net::quic::endpoint(&server, address, Some(server_config)).await.expect("the port is free");
    tokio::spawn(async move {
        let connection =
            endpoint.accept().await.expect("the client comes").await.expect("the handshake is done");
        let mut stream = connection.open_uni().await.expect("one stream is allowed");
        stream.write_all(&payload()).await.expect("the client reads");
        stream.finish().expect("the stream is open");
        connection.closed().await;
    });
    let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut endpoint = thru_net::quic::endpoint(&client, local, None).await.expect("a port is free");
    endpoint.set_default_client_config(client_config);
    let connection =
        endpoint.connect(address, "server.lab").expect("a name").await.expect("the server answers");
    let mut stream = connection.accept_uni().await.expect("the server opens it");
    let received = stream.read_to_end(SIZE + 1).await.expect("the server sends to the end");
    connection.close(0u32.into(), b"done");
    received
}

fn quic_configs(client: &Network, server: &Network) -> (quinn::ServerConfig, quinn::ClientConfig) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["server.lab".to_owned()])
        .and_then(|mut params| {
            params.not_before = rcgen::date_time_ymd(1970, 1, 1);
            params.self_signed(&key)
        })
        .expect("a certificate");
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain[0].clone()).expect("a root");
    let server_tls = rustls::ServerConfig::builder_with_details(
        thru_net::tls::crypto_provider(server),
        thru_net::tls::time_provider(server),
    )
    .with_protocol_versions(&[&rustls::version::TLS13])
    .expect("TLS 1.3")
    .with_no_client_auth()
    .with_single_cert(chain, private)
    .expect("key and certificate belong together");
    let client_tls = rustls::ClientConfig::builder_with_details(
        thru_net::tls::crypto_provider(client),
        thru_net::tls::time_provider(client),
    )
    .with_protocol_versions(&[&rustls::version::TLS13])
    .expect("TLS 1.3")
    .with_root_certificates(roots)
    .with_no_client_auth();
    let server_quic = quinn::crypto::rustls::QuicServerConfig::try_from(server_tls).expect("TLS 1.3 suites");
    let client_quic = quinn::crypto::rustls::QuicClientConfig::try_from(client_tls).expect("TLS 1.3 suites");
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(600).try_into().expect("fits")));
    let transport = Arc::new(transport);
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(server_quic));
    server.transport_config(transport.clone());
    let mut client = quinn::ClientConfig::new(Arc::new(client_quic));
    client.transport_config(transport);
    (server, client)
}
