//! What a capture says held a sender back, beside what did: one sender, one receiver and a link whose limits are known,
//! captured at the sender.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use thru_dissect::summary::insight::Insight;
use thru_dissect::{Arena, Dissector, Meta, Options};
use thru_net::lab::{LabOptions, run};
use thru_net::{ConnectOptions, Network};
use thru_sim::link::{Chance, LinkConfig, Loss, Pipe};
use thru_sim::queue::QueueConfig;
use thru_stack::tcp::TcpConfig;
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, MacAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const RECEIVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Of the link's two ways together.
const ROUND_TRIP: Duration = Duration::from_millis(40);
/// Of the link: 100 KB are under way when it is full.
const RATE: u64 = 20_000_000;

/// What a sender writes: so many pieces of so many bytes, with a pause behind each.
type Writes = Vec<(usize, usize, Duration)>;

/// A run: what its sender and receiver are like, and the way there.
struct Case {
    writes: Writes,
    sender: TcpConfig,
    receiver: TcpConfig,
    there: Pipe,
}

impl Default for Case {
    fn default() -> Case {
        let queue = QueueConfig::DropTail { limit: 100_000 };
        let there = Pipe { rate: Some(RATE), queue, delay: ROUND_TRIP / 2, ..Pipe::default() };
        // As much as the network takes.
        let writes = vec![(200, 20_000, Duration::ZERO)];
        Case { writes, sender: TcpConfig::default(), receiver: TcpConfig::default(), there }
    }
}

/// What is told of the sender: its JSON object.
fn told(case: Case) -> serde_json::Value {
    let options =
        LabOptions { name: "limits".into(), seed: 1, epoch_unix_nanos: 0, limit: Duration::from_secs(3_600) };
    let sightings = run(options, move |lab| async move {
        let back = Pipe { delay: ROUND_TRIP / 2, ..Pipe::default() };
        let interface = |last: u8| InterfaceConfig {
            name: "eth0".to_owned(),
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            mtu: 1500,
        };
        let mut world = lab.world();
        let hosts = [("sender", case.sender, SENDER), ("receiver", case.receiver, RECEIVER)];
        let [sender, receiver] = hosts.map(|(name, tcp, address)| {
            (world.add_host(name, HostConfig { tcp, ..HostConfig::default() }), address)
        });
        let config = LinkConfig { a_to_b: case.there, b_to_a: back };
        let link =
            world.connect("path", (sender.0, Some(interface(1))), (receiver.0, Some(interface(2))), config);
        for (node, address) in [sender, receiver] {
            let cidr = Cidr::new(IpAddr::V4(address), 24).expect("24 bits");
            world.with_host(node, |host, _| host.add_address(InterfaceId(0), cidr));
        }
        world.tap(link.0);
        drop(world);
        let networks = [sender, receiver].map(|(node, _)| lab.network(node, Vec::new()));
        transfer(networks, case.writes).await;
        lab.world().take_sightings()
    })
    .expect("it ends");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    let mut insight = Insight::default();
    for (number, sighting) in sightings.iter().enumerate() {
        let meta = Meta {
            number: number as u64 + 1,
            time: Some(sighting.at.nanos()),
            interface: 0,
            interface_name: None,
            link: 1,
            original: sighting.bytes.len() as u32,
            comments: &[],
        };
        insight.take(dissector.dissect(&meta, &sighting.bytes, &mut arena));
    }
    let mut json = Vec::new();
    insight.json(&mut json);
    let mut text = Vec::new();
    insight.text(&mut text);
    println!("{}", String::from_utf8_lossy(&text));
    let flow: serde_json::Value = serde_json::from_slice(&json).expect("one connection");
    flow["ab"].clone()
}

async fn transfer([sender, receiver]: [Network; 2], writes: Writes) {
    let listener = receiver.listen_tcp(SocketAddr::from((RECEIVER, 9)), 1).await.expect("the port is free");
    let at = listener.local_addr();
    let reads = async {
        let (mut stream, _) = listener.accept().await.expect("it comes");
        let (mut buffer, mut all) = (vec![0; 65_536], 0);
        loop {
            match stream.read(&mut buffer).await.expect("it lives") {
                0 => return all,
                count => all += count,
            }
        }
    };
    let write = async {
        let mut stream = sender.connect_tcp(at, ConnectOptions::default()).await.expect("it listens");
        stream.set_nodelay(true);
        for (count, size, pause) in &writes {
            let piece = vec![7; *size];
            for _ in 0..*count {
                stream.write_all(&piece).await.expect("it lives");
                if !pause.is_zero() {
                    sender.sleep(*pause).await;
                }
            }
        }
        stream.shutdown().await.expect("it lives");
    };
    let (got, ()) = tokio::join!(reads, write);
    assert_eq!(got, writes.iter().map(|(count, size, _)| count * size).sum::<usize>());
}

/// The share of the time for which the sender was held back by this.
fn share(side: &serde_json::Value, by: &str) -> f64 {
    let held = |by: &str| side[format!("held_by_{by}")].as_f64().expect("seconds");
    held(by) / ["application", "receiver", "sender", "network"].map(held).iter().sum::<f64>()
}

/// By what it was chiefly held back, one after the other, and until when.
fn runs(side: &serde_json::Value) -> Vec<(String, f64)> {
    let runs = side["held"].as_array().expect("a list").iter();
    runs.map(|run| (run["by"].as_str().expect("a word").to_owned(), run["ends"].as_f64().expect("seconds")))
        .collect()
}

#[test]
fn a_slow_application() {
    // 10 KB ten times a second need none of the link's room.
    let told = told(Case { writes: vec![(30, 10_000, Duration::from_millis(100))], ..Case::default() });
    assert!(share(&told, "application") > 0.9, "{told}");
}

#[test]
fn an_application_that_never_waits_for_an_acknowledgement() {
    // 1 KB every five milliseconds: eight of them are always under way, and each leaves by itself.
    let told = told(Case { writes: vec![(600, 1_000, Duration::from_millis(5))], ..Case::default() });
    assert!(share(&told, "application") > 0.9, "{told}");
}

#[test]
fn a_small_receive_window() {
    let receiver = TcpConfig { receive_buffer: 16_000, receive_autotuning: false, ..TcpConfig::default() };
    let told = told(Case { receiver, ..Case::default() });
    assert!(share(&told, "receiver") > 0.9, "{told}");
}

#[test]
fn a_small_send_buffer() {
    let sender = TcpConfig { send_buffer: 20_000, send_autotuning: false, ..TcpConfig::default() };
    let told = told(Case { sender, ..Case::default() });
    assert!(share(&told, "sender") > 0.9, "{told}");
}

#[test]
fn a_lossy_network() {
    let there = Pipe { loss: Loss::Random(Chance::percent(1)), ..Case::default().there };
    let told = told(Case { there, ..Case::default() });
    assert!(share(&told, "network") > 0.9, "{told}");
}

#[test]
fn a_link_that_is_full() {
    let told = told(Case::default());
    assert!(share(&told, "network") > 0.9, "{told}");
}

#[test]
fn one_after_the_other() {
    let writes = vec![(20, 5_000, Duration::from_millis(100)), (300, 20_000, Duration::ZERO)];
    let receiver = TcpConfig { receive_buffer: 16_000, receive_autotuning: false, ..TcpConfig::default() };
    let told = told(Case { writes, receiver, ..Case::default() });
    let runs = runs(&told);
    let [(first, until), (then, _)] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((first.as_str(), then.as_str()), ("application", "receiver"));
    // It wrote slowly for two seconds, behind the handshake.
    assert!((1.5..2.5).contains(until), "{runs:?}");
}
