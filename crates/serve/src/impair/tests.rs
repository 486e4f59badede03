//! Toxics in virtual time: what each does to a connection, to the millisecond; the API over a socket.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use thru_net::lab::{Lab, LabOptions, run};
use thru_net::{ConnectOptions, Network, TcpStream};
use thru_sim::link::{LinkConfig, Pipe};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, MacAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::toxic::{Kind, Stream, Toxic};
use super::*;

const PROXY: &str = "192.0.2.2:9000";
const SERVER: &str = "192.0.2.2:9001";
const API: &str = "192.0.2.2:8474";

/// A client and, on the other end of a wire without delay, an upstream, a proxy before it and its API.
fn at_the_proxy<F, Fut>(test: F)
where
    F: FnOnce(Network, Impairer) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let options = LabOptions {
        name: "impair".to_owned(),
        seed: 1,
        epoch_unix_nanos: 0,
        limit: Duration::from_secs(600),
    };
    let done = run(options, |lab| async move {
        let [client, server] = hosts(&lab);
        let upstream = server.listen_tcp(SERVER.parse().unwrap(), 16).await.unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = upstream.accept().await {
                tokio::spawn(serve_one(stream));
            }
        });
        let impairer = Impairer::new(&server, |text| text.parse().ok());
        let proxy = ProxyState {
            name: "shop".into(),
            listen: PROXY.into(),
            upstream: SERVER.into(),
            enabled: true,
            toxics: Vec::new(),
        };
        impairer.create(proxy).await.unwrap();
        let api = server.listen_tcp(API.parse().unwrap(), 16).await.unwrap();
        let serving = tokio::spawn(api::serve(impairer.clone(), api));
        test(client, impairer).await;
        serving.abort();
    });
    done.expect("the lab comes to its end");
}

fn hosts(lab: &Lab) -> [Network; 2] {
    let mut world = lab.world();
    let nodes = ["client", "server"].map(|name| world.add_host(name, HostConfig::default()));
    let interface = |last| InterfaceConfig {
        name: "eth0".to_owned(),
        medium: Medium::Ethernet,
        mac: MacAddr([2, 0, 0, 0, 0, last]),
        mtu: 1500,
    };
    let config = LinkConfig::symmetric(Pipe::default());
    world.connect("path", (nodes[0], Some(interface(1))), (nodes[1], Some(interface(2))), config);
    for (node, last) in nodes.into_iter().zip([1, 2]) {
        let cidr = Cidr::new(IpAddr::from([192, 0, 2, last]), 24).unwrap();
        world.with_host(node, |host, _| host.add_address(InterfaceId(0), cidr));
    }
    drop(world);
    nodes.map(|node| lab.network(node, Vec::new()))
}

/// Answers each request of four bytes, a length, with so many bytes; closes when the client does.
async fn serve_one(mut stream: TcpStream) {
    while let Ok(length) = stream.read_u32().await {
        let answer: Vec<u8> = (0..length).map(|index| index as u8).collect();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn connect(client: &Network) -> TcpStream {
    let address: SocketAddr = PROXY.parse().unwrap();
    client.connect_tcp(address, ConnectOptions { nodelay: true, ..Default::default() }).await.unwrap()
}

/// Asks for `length` bytes; how many came, and how long it took.
async fn ask(client: &Network, stream: &mut TcpStream, length: u32) -> (usize, Duration) {
    let begun = client.now();
    stream.write_u32(length).await.unwrap();
    let (mut got, mut buffer) = (0, vec![0; 65_536]);
    while got < length as usize {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => got += count,
        }
    }
    (got, client.now().since(begun))
}

fn toxic(stream: Stream, kind: Kind) -> Toxic {
    Toxic { name: String::new(), stream, toxicity: 1.0, kind }
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}

#[test]
fn latency_is_added_while_connected_and_costs_no_throughput() {
    at_the_proxy(|client, impairer| async move {
        let mut stream = connect(&client).await;
        assert!(millis(ask(&client, &mut stream, 10).await.1) < 1);
        impairer
            .add_toxic("shop", toxic(Stream::Downstream, Kind::Latency { latency: 100, jitter: 0 }))
            .unwrap();
        impairer
            .add_toxic("shop", toxic(Stream::Upstream, Kind::Latency { latency: 50, jitter: 0 }))
            .unwrap();
        assert_eq!(millis(ask(&client, &mut stream, 10).await.1), 150);
        // A million bytes take as long: they wait side by side.
        let (got, took) = ask(&client, &mut stream, 1_000_000).await;
        assert!(got == 1_000_000 && (150..160).contains(&millis(took)), "{got} bytes, {took:?}");
        impairer.remove_toxic("shop", "latency_downstream").unwrap();
        assert_eq!(millis(ask(&client, &mut stream, 10).await.1), 50);
        // Jitter keeps within its bounds.
        impairer
            .set_toxic("shop", "latency_upstream", |toxic| {
                toxic.kind.set("jitter", 20);
                Ok(())
            })
            .unwrap();
        let mut times = Vec::new();
        for _ in 0..30 {
            times.push(millis(ask(&client, &mut stream, 10).await.1));
        }
        assert!(times.iter().all(|time| (30..=70).contains(time)), "{times:?}");
        assert!(times.iter().max() > times.iter().min(), "{times:?}");
    });
}

#[test]
fn bandwidth_is_held() {
    at_the_proxy(|client, impairer| async move {
        let mut stream = connect(&client).await;
        impairer.add_toxic("shop", toxic(Stream::Downstream, Kind::Bandwidth { rate: 100 })).unwrap();
        let (got, took) = ask(&client, &mut stream, 200_000).await;
        assert!(got == 200_000 && (1_980..=2_020).contains(&millis(took)), "{got} bytes, {took:?}");
    });
}

#[test]
fn timeouts_resets_limits_and_slow_closes_end_connections_when_they_should() {
    at_the_proxy(|client, impairer| async move {
        let end = async |kind: Kind, length: u32| {
            let name = impairer.add_toxic("shop", toxic(Stream::Downstream, kind)).unwrap().name;
            let mut stream = connect(&client).await;
            let begun = client.now();
            let (got, _) = ask(&client, &mut stream, length).await;
            stream.shutdown().await.ok();
            let ended = stream.read(&mut [0]).await.map_err(|error| error.kind());
            impairer.remove_toxic("shop", &name).unwrap();
            (got, ended, millis(client.now().since(begun)))
        };
        assert_eq!(end(Kind::Timeout { timeout: 300 }, 10).await, (0, Ok(0), 300));
        let name = impairer
            .add_toxic("shop", toxic(Stream::Upstream, Kind::ResetPeer { timeout: 70 }))
            .unwrap()
            .name;
        let mut stream = connect(&client).await;
        let begun = client.now();
        assert_eq!(ask(&client, &mut stream, 10).await.0, 10);
        let ended = stream.read(&mut [0]).await.map_err(|error| error.kind());
        assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
        assert_eq!(millis(client.now().since(begun)), 70);
        impairer.remove_toxic("shop", &name).unwrap();
        assert_eq!(end(Kind::LimitData { bytes: 1_234 }, 10_000).await.0, 1_234);
        assert_eq!(end(Kind::SlowClose { delay: 250 }, 10).await, (10, Ok(0), 250));
    });
}

#[test]
fn silence_lasts_until_it_is_taken_away() {
    at_the_proxy(|client, impairer| async move {
        impairer.add_toxic("shop", toxic(Stream::Downstream, Kind::Timeout { timeout: 0 })).unwrap();
        let mut stream = connect(&client).await;
        stream.write_u32(10).await.unwrap();
        assert!(client.timeout(Duration::from_secs(60), stream.read(&mut [0; 10])).await.is_none());
        impairer.remove_toxic("shop", "timeout_downstream").unwrap();
        // What was swallowed can't be made good: the connection ends.
        assert_eq!(stream.read(&mut [0; 10]).await.unwrap_or(0), 0);
    });
}

#[test]
fn the_slicer_slices_and_loss_delays() {
    at_the_proxy(|client, impairer| async move {
        let slicer = Kind::Slicer { average_size: 100, size_variation: 10, delay: 1_000 };
        impairer.add_toxic("shop", toxic(Stream::Downstream, slicer)).unwrap();
        let mut stream = connect(&client).await;
        let (got, took) = ask(&client, &mut stream, 10_000).await;
        assert!(got == 10_000 && (90..=112).contains(&millis(took)), "{got} bytes, {took:?}");
        impairer.remove_toxic("shop", "slicer_downstream").unwrap();
        let always = Kind::Loss { per_million: 1_000_000, delay: 10 };
        impairer.add_toxic("shop", toxic(Stream::Downstream, always)).unwrap();
        // 10 + 20 + 40 + 80 + 160 + 320: six times lost, then it gets through.
        assert_eq!(millis(ask(&client, &mut stream, 10).await.1), 630);
    });
}

#[test]
fn toxicity_is_the_share_of_connections() {
    at_the_proxy(|client, impairer| async move {
        let half =
            Toxic { toxicity: 0.5, ..toxic(Stream::Upstream, Kind::Latency { latency: 40, jitter: 0 }) };
        impairer.add_toxic("shop", half).unwrap();
        let mut slow = 0;
        for _ in 0..60 {
            let mut stream = connect(&client).await;
            slow += u32::from(millis(ask(&client, &mut stream, 1).await.1) >= 40);
        }
        assert!((15..=45).contains(&slow), "{slow} of 60");
    });
}

#[test]
fn a_proxy_that_is_down_refuses_and_cuts() {
    at_the_proxy(|client, impairer| async move {
        let mut stream = connect(&client).await;
        assert_eq!(ask(&client, &mut stream, 1).await.0, 1);
        assert!(!impairer.update("shop", None, None, Some(false)).await.unwrap().enabled);
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        let refused = client.connect_tcp(PROXY.parse().unwrap(), ConnectOptions::default()).await;
        assert_eq!(refused.unwrap_err().kind, thru_net::ConnectErrorKind::Refused);
        impairer.add_toxic("shop", toxic(Stream::Upstream, Kind::Timeout { timeout: 1 })).unwrap();
        impairer.reset().await.unwrap();
        let mut stream = connect(&client).await;
        assert_eq!(ask(&client, &mut stream, 1).await.0, 1);
    });
}

/// One request on a connection of its own: status and body.
async fn request(client: &Network, line: &str, body: &Value) -> (u16, Value) {
    let mut stream = client.connect_tcp(API.parse().unwrap(), ConnectOptions::default()).await.unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let text =
        format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn the_api_speaks_as_toxiproxy_does() {
    at_the_proxy(|client, _| async move {
        let ask = async |line: &str, body: Value| request(&client, line, &body).await;
        assert_eq!(ask("GET /version", Value::Null).await, (200, json!({ "version": api::VERSION })));
        let made = json!({ "name": "db", "listen": "192.0.2.2:7000", "upstream": SERVER });
        let (status, proxy) = ask("POST /proxies", made.clone()).await;
        assert_eq!((status, &proxy["enabled"], &proxy["toxics"]), (201, &json!(true), &json!([])));
        assert_eq!(ask("POST /proxies", made).await.0, 409);
        let (_, all) = ask("GET /proxies", Value::Null).await;
        assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["db", "shop"]);
        let wished = json!({ "type": "latency", "attributes": { "latency": 1000, "jitter": 10.0 } });
        let (status, toxic) = ask("POST /proxies/db/toxics", wished.clone()).await;
        let expected = json!({
            "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0,
            "attributes": { "latency": 1000, "jitter": 10 },
        });
        assert_eq!((status, &toxic), (200, &expected));
        assert_eq!(ask("POST /proxies/db/toxics", wished).await.0, 409);
        let (_, changed) =
            ask("POST /proxies/db/toxics/latency_downstream", json!({ "attributes": { "latency": 5 } }))
                .await;
        assert_eq!(changed["attributes"], json!({ "latency": 5, "jitter": 10 }));
        assert_eq!(ask("GET /proxies/db/toxics", Value::Null).await.1, json!([changed]));
        assert_eq!(ask("DELETE /proxies/db/toxics/latency_downstream", Value::Null).await.0, 204);
        for (line, body, status, error) in [
            ("GET /proxies/none", Value::Null, 404, "proxy not found"),
            ("GET /proxies/db/toxics/none", Value::Null, 404, "toxic not found"),
            ("POST /proxies/db/toxics", json!({ "type": "nosuch" }), 400, "invalid toxic type"),
            ("POST /proxies", json!({ "name": "x" }), 400, "missing required field: upstream"),
        ] {
            assert_eq!(
                ask(line, body).await,
                (status, json!({ "error": error, "status": status })),
                "{line}"
            );
        }
        let (status, populated) = ask(
            "POST /populate",
            json!([{ "name": "db", "listen": "192.0.2.2:7000", "upstream": SERVER }, { "name": "new", "upstream": SERVER, "listen": "192.0.2.2:0" }]),
        )
        .await;
        assert_eq!((status, populated["proxies"].as_array().map(Vec::len)), (201, Some(2)));
        assert_ne!(populated["proxies"][1]["listen"], "192.0.2.2:0");
        let (_, down) = ask("PATCH /proxies/db", json!({ "enabled": false })).await;
        assert_eq!(down["enabled"], json!(false));
        assert_eq!(ask("POST /reset", Value::Null).await.0, 204);
        assert_eq!(ask("GET /proxies/db", Value::Null).await.1["enabled"], json!(true));
        assert_eq!(ask("DELETE /proxies/db", Value::Null).await.0, 204);
        assert_eq!(ask("DELETE /proxies/db", Value::Null).await.0, 404);
    });
}
