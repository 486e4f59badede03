//! What the tests of TLS and HTTP share: a place with a client and a server, sites, and a certificate authority.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use thru_net::lab::{Lab, LabOptions, run};
use thru_net::tls::KeyLogBuffer;
use thru_net::{ConnectOptions, Network, TcpStream};
use thru_serve::pki::{Authority, CertifiedKey, LeafRequest};
use thru_serve::web::{Options, Server, Site};
use thru_sim::link::{LinkConfig, Pipe};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_trace::{Span, Value};
use thru_wire::{Cidr, MacAddr};
use tokio::task::JoinHandle;
use url::Url;

use crate::Recorder;
use crate::request::{Answer, Client, Limits, Request};
use crate::secure::quic::QuicOptions;
use crate::secure::{Failure, TlsClient, TlsOptions, Trust};

pub(crate) const SHOP: &str = "www.shop.lab";
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A client and a server that can reach each other.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) client: Network,
    pub(crate) server: Network,
    /// The server's address.
    pub(crate) address: IpAddr,
    /// The next port to serve on; 0: the kernel chooses.
    next_port: Arc<AtomicU16>,
}

impl Place {
    /// The kernel's loopback, in real time.
    pub(crate) fn host() -> Place {
        Place {
            client: Network::host(),
            server: Network::host(),
            address: Ipv4Addr::LOCALHOST.into(),
            next_port: Arc::default(),
        }
    }

    /// Two hosts of our own in a running lab, joined by `pipe` in both directions. Every frame is kept.
    pub(crate) fn lab(lab: &Lab, pipe: Pipe) -> Place {
        let config = LinkConfig { a_to_b: pipe.clone(), b_to_a: pipe };
        let interface = |last: u8| InterfaceConfig {
            name: "eth0".to_owned(),
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            mtu: 1500,
        };
        let mut world = lab.world();
        let client = world.add_host("client", HostConfig::default());
        let server = world.add_host("server", HostConfig::default());
        let (link, _, _) =
            world.connect("path", (client, Some(interface(1))), (server, Some(interface(2))), config);
        world.tap(link);
        let address = IpAddr::from([192, 0, 2, 2]);
        for (node, address) in [(client, IpAddr::from([192, 0, 2, 1])), (server, address)] {
            let cidr = Cidr::new(address, 24).expect("24 bits fit");
            world.with_host(node, |host, _| host.add_address(InterfaceId(0), cidr));
        }
        drop(world);
        Place {
            client: lab.network(client, Vec::new()),
            server: lab.network(server, Vec::new()),
            address,
            next_port: Arc::new(8000.into()),
        }
    }

    fn port(&self) -> u16 {
        if self.server.is_virtual() { self.next_port.fetch_add(1, Ordering::Relaxed) } else { 0 }
    }

    /// An authority valid around the network's date.
    pub(crate) fn authority(&self) -> Authority {
        let now = self.server.unix_time();
        Authority::new("Lab Root", 1, now.saturating_sub(1000 * DAY), now + 1000 * DAY)
    }

    pub(crate) fn leaf(&self, name: &str) -> LeafRequest {
        let now = self.server.unix_time();
        LeafRequest {
            names: vec![name.to_owned()],
            not_before: now.saturating_sub(10 * DAY),
            not_after: now + 10 * DAY,
            ..LeafRequest::default()
        }
    }

    pub(crate) fn certificate(&self, name: &str) -> CertifiedKey {
        self.authority().issue(self.leaf(name)).unwrap()
    }

    /// The shop, in good health.
    pub(crate) fn shop(&self) -> Site {
        Site::new(SHOP, self.certificate(SHOP))
    }

    /// Serves sites until dropped.
    pub(crate) async fn serve(&self, sites: Vec<Site>) -> Serving {
        let options = Options {
            addresses: vec![self.address],
            plain_port: Some(self.port()),
            secure_port: Some(self.port()),
            ..Options::default()
        };
        let server = Server::bind(&self.server, options, sites).await.unwrap();
        let plain = server.plain_addresses()[0];
        let secure = server.secure_addresses().first().copied();
        Serving { plain, secure, task: self.server.spawn(server.run()) }
    }

    /// Serves whatever `answer` does with each connection.
    pub(crate) async fn serve_by_hand<F, Fut>(&self, answer: F) -> Serving
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = self.server.listen_tcp(SocketAddr::new(self.address, self.port()), 16).await.unwrap();
        let address = listener.local_addr();
        let task = self.server.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream).await;
            }
        });
        Serving { plain: address, secure: Some(address), task }
    }

    /// A client that trusts the lab's root.
    pub(crate) fn visitor(&self) -> Visitor {
        let mut trust = Trust::none();
        trust.add_der(self.authority().root_der().clone()).unwrap();
        self.visitor_who(TlsOptions { trust, ..TlsOptions::default() })
    }

    pub(crate) fn visitor_who(&self, options: TlsOptions) -> Visitor {
        let key_log = KeyLogBuffer::default();
        let options = TlsOptions { key_log: Some(key_log.clone()), ..options };
        Visitor {
            recorder: Recorder::new(self.client.clone()),
            tls: TlsClient::new(&self.client, options),
            key_log,
            limits: Limits::default(),
        }
    }
}

pub(crate) struct Serving {
    pub(crate) plain: SocketAddr,
    secure: Option<SocketAddr>,
    task: JoinHandle<()>,
}

impl Serving {
    pub(crate) fn secure(&self) -> SocketAddr {
        self.secure.expect("one of the sites has a certificate")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client with a recorder.
pub(crate) struct Visitor {
    pub(crate) recorder: Recorder,
    pub(crate) tls: TlsClient,
    pub(crate) key_log: KeyLogBuffer,
    pub(crate) limits: Limits,
}

impl Visitor {
    fn network(&self) -> Network {
        self.recorder.network().clone()
    }

    pub(crate) async fn dial(&self, remote: SocketAddr) -> TcpStream {
        self.network()
            .connect_tcp(remote, ConnectOptions { nodelay: true, ..Default::default() })
            .await
            .unwrap()
    }

    /// HTTP over TLS over TCP, with this protocol.
    pub(crate) async fn over_tls(
        &self,
        remote: SocketAddr,
        host: &str,
        alpn: &str,
    ) -> Result<Client, Failure> {
        let stream = self.dial(remote).await;
        let secured = self.tls.secure(&self.recorder, None, host, &[alpn], stream).await?;
        let http2 = secured.alpn.as_deref() == Some("h2");
        Ok(Client::over_stream(&self.network(), secured.stream, http2).await.unwrap())
    }

    pub(crate) async fn over_quic(
        &self,
        remote: SocketAddr,
        host: &str,
        early_data: bool,
    ) -> Result<Client, Failure> {
        let options = QuicOptions { early_data, ..QuicOptions::default() };
        let quic = self.tls.connect_quic(&self.recorder, None, host, remote, options).await?;
        Ok(Client::over_quic(&self.network(), quic).await.unwrap())
    }

    /// HTTP without TLS.
    pub(crate) async fn over_tcp(&self, remote: SocketAddr) -> Client {
        Client::over_stream(&self.network(), self.dial(remote).await, false).await.unwrap()
    }

    /// Over `version`: `http/1.1`, `h2` or `h3`.
    pub(crate) async fn over(
        &self,
        version: &str,
        remote: SocketAddr,
        host: &str,
    ) -> Result<Client, Failure> {
        match version {
            "h3" => self.over_quic(remote, host, false).await,
            alpn => self.over_tls(remote, host, alpn).await,
        }
    }

    pub(crate) async fn get(&self, client: &mut Client, path: &str) -> Result<Answer, Failure> {
        self.ask(client, &Request::get(url(path))).await
    }

    pub(crate) async fn ask(&self, client: &mut Client, request: &Request) -> Result<Answer, Failure> {
        client.exchange(&self.recorder, None, request, &self.limits).await
    }

    /// The last span of that name.
    pub(crate) fn last(&self, what: &str) -> Span {
        self.recorder.spans().into_iter().rev().find(|span| span.what == what).expect("there is such a span")
    }

    /// A value of the last span of that name.
    pub(crate) fn value(&self, what: &str, key: &str) -> Option<Value> {
        self.last(what).values.get(key).cloned()
    }

    pub(crate) fn text(&self, what: &str, key: &str) -> String {
        match self.value(what, key) {
            Some(Value::Text(text)) => text,
            other => panic!("{key} is {other:?}"),
        }
    }
}

/// A path of the shop, or a whole URL.
pub(crate) fn url(path: &str) -> Url {
    Url::parse(&format!("https://{SHOP}")).unwrap().join(path).unwrap()
}

/// A lab whose two hosts are 10 ms apart, in virtual time.
pub(crate) fn in_lab<F, R>(test: impl FnOnce(Place) -> F + Send + 'static) -> R
where
    F: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let pipe = Pipe { delay: Duration::from_millis(10), ..Pipe::default() };
    in_lab_over(pipe, 1, move |_, place| test(place))
}

/// A lab over any link and with any seed.
pub(crate) fn in_lab_over<F, R>(
    pipe: Pipe,
    seed: u64,
    test: impl FnOnce(Lab, Place) -> F + Send + 'static,
) -> R
where
    F: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let options = LabOptions {
        name: "two hosts".to_owned(),
        seed,
        epoch_unix_nanos: 1_767_225_600_000_000_000,
        limit: Duration::from_secs(3_600),
    };
    let result = run(options, move |lab| async move {
        let place = Place::lab(&lab, pipe);
        test(lab, place).await
    });
    result.unwrap_or_else(|error| panic!("{error}; seed {seed}"))
}

/// A runtime of one thread with the kernel's sockets.
pub(crate) fn on_host<F: Future<Output = ()>>(test: impl FnOnce(Place) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(Place::host()));
}
