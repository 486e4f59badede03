//! What is told of many packets together, on captures of real programs.

use std::collections::BTreeMap;
use std::path::Path;
use thru_dissect::file::{Item, Reader};
use thru_dissect::summary::conversations::Conversations;
use thru_dissect::summary::flow::FlowId;
use thru_dissect::summary::follow::{Follow, Form};
use thru_dissect::summary::hierarchy::Hierarchy;
use thru_dissect::summary::insight::Insight;
use thru_dissect::summary::ladder::Ladder;
use thru_dissect::summary::objects::{Object, Objects, Part};
use thru_dissect::{Arena, Dissector, Meta, Options, Tree};

fn each(name: &str, mut take: impl FnMut(Tree<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let file = std::fs::read(path).expect("the capture is there");
    let mut reader = Reader::new(&file[..]).expect("a capture");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } => assert!(dissector.secrets(kind, bytes) > 0),
            Item::Packet(record) => {
                take(dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena));
            }
            _ => {}
        }
    }
}

fn follow(name: &str, id: &str, form: Form) -> Vec<u8> {
    let mut follow = Follow::new(id.parse().expect("a flow"), form);
    let mut out = Vec::new();
    each(name, |tree| follow.take(&mut out, tree));
    out
}

fn objects(name: &str) -> Vec<(Object, Vec<u8>)> {
    let (mut objects, mut open, mut whole) =
        (Objects::default(), BTreeMap::<u64, Vec<u8>>::new(), Vec::new());
    each(name, |tree| {
        objects.take(tree, &mut |part| match part {
            Part::Bytes(number, bytes) => open.entry(number).or_default().extend_from_slice(bytes),
            Part::End(number, object) => whole.push((object, open.remove(&number).unwrap_or_default())),
            Part::Lost(number) => panic!("{name}: {number} is lost"),
        });
    });
    assert!(open.is_empty(), "{name}: all ended");
    whole
}

#[test]
fn streams_are_what_both_sides_said() {
    let said = String::from_utf8(follow("tls12-resumed.pcapng", "tls:1", Form::Text)).unwrap();
    assert!(said.starts_with("--- 127.0.0.1:"), "{said}");
    assert!(said.contains("\nGET /two HTTP/1.0\n") && said.contains("\nHTTP/1.0 200 ok\n"), "{said}");
    assert_eq!(said.matches("--- ").count(), 2, "the question, the answer: {said}");
    // The same bytes sealed are longer, and say nothing.
    let sealed = follow("tls12-resumed.pcapng", "tcp:1", Form::Raw);
    assert!(sealed.len() > said.len() && !sealed.windows(4).any(|words| words == b"GET "));
    // What DTLS carried, datagram by datagram.
    let carried = String::from_utf8(follow("dtls.pcapng", "dtls:0", Form::Text)).unwrap();
    assert!(
        carried.contains("\nwords of the client\n") && carried.contains("\nwords of the server\n"),
        "{carried}"
    );
    assert!(carried.len() < follow("dtls.pcapng", "udp:0", Form::Raw).len());
    let body = follow("h2-nginx.pcapng", "http2:0,3", Form::Raw);
    assert_eq!(body, b"small words\n");
    let body = follow("quic-update.pcapng", "http3:0,4", Form::Raw);
    assert_eq!(body, (0..=255).cycle().take(5120).collect::<Vec<u8>>());
    let hex = String::from_utf8(follow("h2-nginx.pcapng", "http2:0,3", Form::Hex)).unwrap();
    assert!(
        hex.ends_with("00000000  73 6d 61 6c 6c 20 77 6f 72 64 73 0a              small words.\n"),
        "{hex}"
    );
    assert!("tcp:1,2".parse::<FlowId>().is_err() && "tcp".parse::<FlowId>().is_err());
}

#[test]
fn objects_are_whole_in_every_version_of_http() {
    // nginx refuses the last request, whose header is too long for it.
    let found = objects("h2-nginx.pcapng");
    let told: Vec<_> =
        found.iter().map(|(object, body)| (object.path.as_str(), object.status, body.len())).collect();
    assert_eq!(told, [("/", 200, 15), ("/a.txt", 200, 12), ("/mid.txt", 200, 40_527), ("/none", 404, 153)]);
    assert_eq!(found[0].1, b"<h1>hello</h1>\n");
    assert_eq!(found[0].0.kind, "text/html");
    let found = objects("quic-update.pcapng");
    let told: Vec<_> = found.iter().map(|(object, body)| (object.path.as_str(), body.len())).collect();
    assert_eq!(told[..3], [("/", 14), ("/big", 5120), ("/update", 14)]);
    assert_eq!(told.len(), 8);
}

#[test]
fn counts_agree_with_each_other() {
    let (mut talks, mut protocols, mut packets) = (Conversations::default(), Hierarchy::default(), 0);
    each("h2-nginx.pcapng", |tree| {
        talks.take(tree);
        protocols.take(tree);
        packets += 1;
    });
    let mut out = Vec::new();
    talks.json(&mut out);
    let values = |out: &[u8]| -> Vec<serde_json::Value> {
        let lines = std::str::from_utf8(out).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let tcp: Vec<_> = values(&out).into_iter().filter(|value| value["level"] == "tcp").collect();
    assert_eq!(tcp.len(), 2);
    let sum = |key: &str| tcp.iter().map(|value| value[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("packets_ab") + sum("packets_ba"), packets);
    out.clear();
    protocols.json(&mut out);
    let paths = values(&out);
    let count =
        |path: &str| paths.iter().find(|value| value["path"] == path).unwrap()["packets"].as_u64().unwrap();
    assert_eq!(count("eth:ip:tcp"), packets);
    assert!(count("eth:ip:tcp:tls:http2") > 10 && count("eth:ip:tcp:tls") < packets);
}

#[test]
fn ladders_and_verdicts_of_connections() {
    let mut ladder = Ladder::new("tcp:0".parse().unwrap());
    let mut insight = Insight::default();
    each("h2-nginx.pcapng", |tree| {
        ladder.take(tree);
        insight.take(tree);
    });
    let (mut text, mut svg, mut told) = (Vec::new(), Vec::new(), Vec::new());
    ladder.text(&mut text, 100);
    ladder.svg(&mut svg);
    insight.text(&mut told);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), 33, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("SYN seq 0") && text.contains("HTTP2") && text.contains("Client Hello"), "{text}");
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.matches("<path").count() == 32);
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("tcp:0 127.0.0.1:") && told.contains("  opened completely in 0.0000"), "{told}");
    assert!(!told.contains("not captured"), "{told}");
}
