//! The same servers and clients on the kernel's sockets, on loopback addresses with ports of the system's choosing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thru_net::{ConnectOptions, Network};
use thru_probe::Recorder;
use thru_probe::dig::{DigAnswer, DigRequest, dig};
use thru_probe::resolve::exchange::{receive_framed, send_framed};
use thru_probe::resolve::stub::Patience;
use thru_probe::resolve::{Families, ResolveOptions, resolve};
use thru_serve::dns::{
    Behaviour, DnsHandle, Listening, bind, serve_authoritative, serve_recursive, service_for,
};

use crate::zones::{Places, responder};

/// Servers on loopback; they end with the runtime.
pub(crate) struct Servers {
    pub(crate) network: Network,
    pub(crate) places: Places,
    /// The port of all authorities.
    pub(crate) port: u16,
    pub(crate) recursive: SocketAddr,
    pub(crate) handle: DnsHandle,
}

/// Starts a root, `lab`, `shop.lab` and a recursive resolver on 127.53.`net`.1 to .4, the authorities on `port`
/// (0: any that is free on all three).
pub(crate) async fn start(net: u8, port: u16) -> std::io::Result<Servers> {
    let network = Network::host();
    let address = |last: u8| IpAddr::from([127, 53, net, last]);
    let mut listening = None;
    for _ in 0..16 {
        match bind_all(&network, [1, 2, 3].map(address), port).await {
            Ok(bound) => {
                listening = Some(bound);
                break;
            }
            // Free on the first address, taken on another: the system shall choose again.
            Err(error) if port == 0 && error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    let listening = listening.expect("a port is free on three addresses");
    let port = listening[0].local_addr().port();
    let places = Places { root: vec![address(1)], lab: vec![address(2)], shop: vec![address(3)] };
    let texts = [places.root_text(), places.lab_text(), places.shop_text()];
    for (listening, text) in listening.into_iter().zip(texts) {
        let server = serve_authoritative(network.clone(), listening, responder(&text), DnsHandle::default());
        tokio::spawn(async move { server.await.expect("its sockets hold") });
    }
    let mut resolver = places.config();
    resolver.port = port;
    let listening = bind(&network, SocketAddr::new(address(4), 0)).await?;
    let recursive = listening.local_addr();
    let handle = DnsHandle::default();
    let config = service_for(resolver, &[([127, 0, 0, 0].into(), 8)]);
    let server = serve_recursive(network.clone(), listening, config, handle.clone());
    tokio::spawn(async move { server.await.expect("its sockets hold") });
    Ok(Servers { network, places, port, recursive, handle })
}

async fn bind_all(network: &Network, addresses: [IpAddr; 3], port: u16) -> std::io::Result<Vec<Listening>> {
    let mut bound: Vec<Listening> = Vec::new();
    for address in addresses {
        let port = bound.first().map_or(port, |first| first.local_addr().port());
        bound.push(bind(network, SocketAddr::new(address, port)).await?);
    }
    Ok(bound)
}

/// Runs a test on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

impl Servers {
    pub(crate) async fn dig(&self, words: &[&str]) -> DigAnswer {
        let recorder = Recorder::new(self.network.clone());
        let request = DigRequest::parse(words).expect("a request");
        let mut root = self.places.config();
        root.port = self.port;
        dig(&recorder, &request, root, &[])
            .await
            .unwrap_or_else(|failure| panic!("{words:?}: {}", failure.text))
    }

    fn options(&self) -> ResolveOptions {
        ResolveOptions {
            resolvers: Some(vec![self.recursive]),
            families: Families::V4,
            ..ResolveOptions::default()
        }
    }
}

#[test]
fn stub_to_resolver_to_authorities() {
    block_on(async {
        let servers = start(1, 0).await.expect("loopback");
        let recorder = Recorder::new(servers.network.clone());
        let found = resolve(&recorder, None, "alias.shop.lab", &servers.options()).await.expect("addresses");
        assert_eq!(found.addresses, [IpAddr::from([192, 0, 2, 80])]);
        assert_eq!(servers.handle.log().len(), 1);
        let failure =
            resolve(&recorder, None, "nothing.shop.lab", &servers.options()).await.expect_err("no name");
        assert_eq!(failure.code, "dns.nxdomain");
    });
}

#[test]
fn dig_over_the_kernels_sockets() {
    block_on(async {
        let servers = start(2, 0).await.expect("loopback");
        let (server, port) = (format!("@{}", servers.recursive.ip()), servers.recursive.port().to_string());
        let big = servers.dig(&[&server, "-p", &port, "big.shop.lab", "txt"]).await;
        assert_eq!((big.answers.len(), big.over_tcp), (8, true));
        let trace = servers.dig(&["www.shop.lab", "+trace"]).await;
        assert_eq!((trace.steps.len(), trace.short), (3, vec!["192.0.2.80".to_owned()]));
    });
}

#[test]
fn a_connection_carries_many_queries_and_nonsense_ends_none_but_its_own() {
    block_on(async {
        let servers = start(3, 0).await.expect("loopback");
        let shop = SocketAddr::new(servers.places.shop[0], servers.port);
        let query = |id: u16| {
            let options = thru_names::message::QueryOptions {
                id,
                recursion_desired: false,
                checking_disabled: false,
                edns: true,
                dnssec_ok: false,
                nsid: false,
                chaos: false,
            };
            let name = thru_names::text::parse_name("www.shop.lab").expect("a name");
            thru_names::message::encode_query(&name, hickory_proto::rr::RecordType::A, &options)
        };
        let mut stream =
            servers.network.connect_tcp(shop, ConnectOptions::default()).await.expect("connected");
        for id in 0..50 {
            send_framed(&mut stream, &query(id)).await.expect("sent");
            let answer = receive_framed(&mut stream).await.expect("received").expect("an answer");
            assert_eq!(answer[..2], id.to_be_bytes());
        }
        // Nonsense: no answer to what has no header, FORMERR to what has.
        send_framed(&mut stream, b"?").await.expect("sent");
        send_framed(&mut stream, &[0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0]).await.expect("sent");
        let answer = receive_framed(&mut stream).await.expect("received").expect("an answer");
        assert_eq!((answer[..2].to_vec(), answer[3] & 15), (vec![0x12, 0x34], 1));
        drop(stream);
        let socket =
            servers.network.bind_udp("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
        for bytes in [&[][..], &[0xff; 11], &[0xff; 600]] {
            socket.send_to(bytes, shop).await.expect("sent");
        }
        socket.send_to(&query(7), shop).await.expect("sent");
        assert_eq!(socket.receive().await.expect("received").payload[..2], [0, 7]);
    });
}

#[test]
fn moods_change_while_it_runs() {
    block_on(async {
        let servers = start(4, 0).await.expect("loopback");
        let recorder = Recorder::new(servers.network.clone());
        let mut options = servers.options();
        options.patience = Patience { tries: 1, timeout: Duration::from_millis(200) };
        for (behaviour, code) in [
            (Behaviour::ServFail, "dns.servfail"),
            (Behaviour::Refused, "dns.refused"),
            (Behaviour::Silent, "dns.timeout"),
        ] {
            servers.handle.set_behaviour(behaviour);
            let failure = resolve(&recorder, None, "www.shop.lab", &options).await.expect_err("a failure");
            assert_eq!(failure.code, code);
        }
        servers.handle.set_behaviour(Behaviour::Normal);
        assert!(resolve(&recorder, None, "www.shop.lab", &servers.options()).await.is_ok());
    });
}
