//! A primary and a secondary as two name servers on loopback: the zone comes whole, its change is announced and comes in
//! steps, and the secondary passes both on.

use std::net::SocketAddr;
use std::sync::Arc;

use thru_names::authority::incoming::{Incoming, Progress};
use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::tsig::Keyring;
use thru_names::authority::update::{Grant, Updates, ask, code};
use thru_names::authority::{Authority, SignedZone};
use thru_names::proto::rr::{Name, RecordType};
use thru_names::rdata::master_records;
use thru_names::text::parse_name;
use thru_names::wire::{Header, Packet, Question};
use thru_net::{ConnectOptions, Network};
use thru_probe::resolve::exchange::{receive_framed, send_framed};
use thru_serve::nameserver::{Engine, NameServer, Role, Zones};
use tokio::net::UdpSocket;

use crate::loopback::block_on;

fn zone(serial: u32, address: &str) -> Arc<SignedZone> {
    let text = format!(
        "shop.lab. 3600 SOA ns.shop.lab. hostmaster.shop.lab. {serial} 7200 900 86400 300\n\
         shop.lab. 3600 NS ns.shop.lab.\nns.shop.lab. 3600 A 192.0.2.53\nwww.shop.lab. 300 A {address}\n"
    );
    Arc::new(SignedZone::new(&master_records(&text, &Name::root()).expect("legal records")).expect("a zone"))
}

async fn start(network: &Network, at: SocketAddr, zones: Zones) -> Engine {
    let mut server = NameServer::new(network, Role::Authoritative(zones), None);
    server.listen(at).await.expect("nobody else has this address");
    let engine = server.engine();
    tokio::spawn(async move { server.run().await.expect("its sockets hold") });
    engine
}

fn query(rtype: RecordType, name: &str, held: Option<&SignedZone>) -> Vec<u8> {
    let soa = held.and_then(|zone| zone.set(zone.origin(), RecordType::SOA));
    let packet = Packet {
        header: Header { id: 7, ..Header::default() },
        questions: vec![Question::new(parse_name(name).expect("a name"), rtype)],
        authorities: soa.map(|soa| soa.records(&soa.name, soa.ttl, false)).unwrap_or_default(),
        ..Packet::default()
    };
    packet.write(512).expect("it is short")
}

/// Waits for a notice and says that it was heard: the serial in it.
async fn notice(socket: &UdpSocket) -> u32 {
    let mut buffer = [0; 512];
    let (length, from) = socket.recv_from(&mut buffer).await.expect("a notice");
    let mut packet = Packet::read(&buffer[..length]).expect("it is sound");
    assert_eq!((packet.header.opcode, packet.questions[0].rtype), (4, RecordType::SOA));
    packet.header.response = true;
    socket.send_to(&packet.write(512).expect("short"), from).await.expect("it is sent");
    thru_names::authority::changes::soa_serial(&packet.answers[0].data).expect("a serial")
}

async fn address_of_www(socket: &UdpSocket, server: SocketAddr) -> Vec<u8> {
    socket.send_to(&query(RecordType::A, "www.shop.lab", None), server).await.expect("it is sent");
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).await.expect("an answer");
    let packet = Packet::read(&buffer[..length]).expect("it is sound");
    assert!(packet.header.authoritative);
    packet.answers[0].data.to_vec()
}

#[test]
fn a_secondary_follows_its_primary() {
    block_on(async {
        let network = Network::host();
        let at = |last: u8| SocketAddr::from(([127, 53, 9, last], 5399));
        let listener = UdpSocket::bind("127.53.9.3:0").await.expect("a socket");
        let asker = UdpSocket::bind("127.53.9.4:0").await.expect("a socket");
        let transfer = vec![([127, 0, 0, 0].into(), 8)];
        let grant = Grant { keys: Vec::new(), from: transfer.clone() };
        let updates = Arc::new(Updates { keys: Keyring::default(), grant });
        let zones = Zones {
            authority: Authority::new([zone(1, "192.0.2.80")]),
            transfer: transfer.clone(),
            copies: Vec::new(),
            notify: vec![at(2)],
            updates: updates.clone(),
        };
        let primary = start(&network, at(1), zones).await;
        let copy = SecondaryConfig {
            zone: parse_name("shop.lab").expect("a name"),
            primaries: vec![at(1)],
            hosts: Vec::new(),
            // The kernel chooses whence a notice is sent.
            notify_from: vec![([127, 0, 0, 0].into(), 8)],
            notify_hosts: Vec::new(),
        };
        let zones = Zones {
            authority: Authority::default(),
            transfer: transfer.clone(),
            copies: vec![copy],
            notify: vec![listener.local_addr().expect("an address")],
            updates: updates.clone(),
        };
        let _secondary = start(&network, at(2), zones).await;
        assert_eq!(notice(&listener).await, 1);
        assert_eq!(address_of_www(&asker, at(2)).await, [192, 0, 2, 80]);

        let authority = Authority::new([zone(2, "192.0.2.81")]);
        let next = Zones { authority, transfer, updates, ..Zones::default() };
        assert!(primary.replace_zones(|| Ok::<_, ()>(next)).expect("they are made"));
        assert_eq!(notice(&listener).await, 2);
        assert_eq!(address_of_www(&asker, at(2)).await, [192, 0, 2, 81]);

        // An update does the same, at the primary only: a secondary has its zone from there.
        let origin = parse_name("shop.lab").expect("a name");
        let lines = ["prereq yxrrset www A 192.0.2.81", "delete www A", "add www 60 A 192.0.2.82"];
        let update = ask::message(9, &origin, lines).expect("lines that are understood");
        let code = async |server| {
            asker.send_to(&update, server).await.expect("it is sent");
            let mut buffer = [0; 512];
            let length = asker.recv(&mut buffer).await.expect("an answer");
            let header = Packet::read(&buffer[..length]).expect("it is sound").header;
            assert_eq!((header.id, header.opcode), (9, 5));
            u16::from(header.rcode)
        };
        assert_eq!(code(at(2)).await, code::NOTAUTH);
        assert_eq!(code(at(1)).await, 0);
        assert_eq!(notice(&listener).await, 3);
        assert_eq!(address_of_www(&asker, at(2)).await, [192, 0, 2, 82]);
        assert_eq!(code(at(1)).await, code::NXRRSET, "it has been done");

        // The secondary has the steps that led there, and hands them on.
        let old = zone(1, "192.0.2.80");
        let mut stream = network.connect_tcp(at(2), ConnectOptions::default()).await.expect("it listens");
        send_framed(&mut stream, &query(RecordType::IXFR, "shop.lab", Some(&old))).await.expect("it is sent");
        let mut incoming = Incoming::new(old.origin().clone(), 7, Some(old));
        loop {
            let message = receive_framed(&mut stream).await.expect("it holds").expect("it is not over");
            if let Progress::Done(zone, steps) = incoming.message(&message).expect("a sound transfer") {
                assert_eq!((zone.serial(), steps.len()), (3, 2));
                break;
            }
        }
    });
}
