//! gRPC over HTTP/2, with a schema and without one.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use thru_dissect::{Arena, Dissector, Meta, Options, Value};

const SCHEMA: &str = r#"
syntax = "proto3";
package shop;
message Order { string name = 1; repeated sint32 sizes = 2; Kind kind = 3; Price price = 4; }
message Price { double amount = 1; bool taxed = 2; }
enum Kind { PLAIN = 0; GIFT = 1; }
service Desk { rpc Take(Order) returns (Price); }
"#;

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A gRPC message in a DATA frame.
fn data(message: &[u8], is_compressed: bool) -> Vec<u8> {
    let mut body = vec![u8::from(is_compressed)];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    frame(0, 0, 1, &body)
}

/// A segment from one side.
fn segment(to_server: bool, seq: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    packet[2..4].copy_from_slice(&((40 + payload.len()) as u16).to_be_bytes());
    if !to_server {
        packet.swap(15, 19);
    }
    let ports = if to_server { [40_000u16, 50_051] } else { [50_051, 40_000] };
    ports.iter().for_each(|port| packet.extend(port.to_be_bytes()));
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x50, 24, 1, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// The same bytes in the form of gzip.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// A call and its answer, plain or compressed.
fn call(is_compressed: bool) -> Vec<Vec<u8>> {
    let put = |message: &[u8]| match is_compressed {
        true => data(&gzip(message), true),
        false => data(message, false),
    };
    let coding = |side: Vec<u8>| match is_compressed {
        true => [side, vec![0x40, 13], b"grpc-encoding".to_vec(), vec![4], b"gzip".to_vec()].concat(),
        false => side,
    };
    let literal = |first: &[u8], value: &str| [first, &[value.len() as u8], value.as_bytes()].concat();
    let mut asks = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let headers = [literal(&[0x04], "/shop.Desk/Take"), literal(&[0x0F, 0x10], "application/grpc")].concat();
    asks.extend(frame(1, 4, 1, &coding(headers)));
    // name "box", sizes 1 and -2 packed, kind GIFT, price { amount 2.5, taxed }
    let price = [&[0x09][..], &2.5f64.to_le_bytes(), &[0x10, 1]].concat();
    let order = [&[0x0A, 3][..], b"box", &[0x12, 2, 2, 3, 0x18, 1, 0x22, price.len() as u8], &price].concat();
    asks.extend(put(&order));
    let mut answers = frame(1, 4, 1, &coding(literal(&[0x0F, 0x10], "application/grpc")));
    answers.extend(put(&price));
    vec![segment(true, 1, &asks), segment(false, 1, &answers)]
}

/// Names and values of protobuf's fields in each packet.
fn seen(schema: Option<&str>, is_compressed: bool) -> Vec<Vec<String>> {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    if let Some(text) = schema {
        dissector.schema(text).expect("a schema");
    }
    let packets = call(is_compressed);
    let show = |(number, packet): (usize, &Vec<u8>)| {
        let meta = Meta {
            number: number as u64 + 1,
            time: Some(number as u64),
            interface: 0,
            interface_name: None,
            link: 101,
            original: packet.len() as u32,
            comments: &[],
        };
        let tree = dissector.dissect(&meta, packet, &mut arena);
        let ours = tree.fields().iter().filter(|field| field.def.name.starts_with("protobuf."));
        ours.filter_map(|field| {
            let name = field.def.name.trim_start_matches("protobuf.").trim_start_matches("field.");
            let value = match tree.value(field) {
                Value::Text(words) => String::from_utf8_lossy(words).into_owned(),
                Value::Int(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                Value::Bool(is) => is.to_string(),
                Value::Uint(number) if name.starts_with("value.uint") => number.to_string(),
                _ => return None,
            };
            Some(format!("{name} {value}"))
        })
        .collect()
    };
    packets.iter().enumerate().map(show).collect()
}

#[test]
fn a_schema_names_fields_and_gives_values_types() {
    let [asked, answered] = &seen(Some(SCHEMA), false)[..] else { panic!("two packets") };
    let expected = [
        "message.name shop.Order",
        "name name",
        "value.string box",
        "name sizes",
        "value.int32 1",
        "value.int32 -2",
        "name kind",
        "value.enum GIFT",
        "value.int32 1",
        "name price",
        "message.name shop.Price",
        "name amount",
        "value.double 2.5",
        "name taxed",
        "value.bool true",
    ];
    assert_eq!(asked, &expected);
    assert_eq!(answered, &expected[10..]);
}

#[test]
fn without_a_schema_numbers_and_types_are_told() {
    let [asked, answered] = &seen(None, false)[..] else { panic!("two packets") };
    assert_eq!(asked, &["value.uint32 1"]);
    assert_eq!(answered, &["value.uint32 1"]);
}

#[test]
fn what_is_compressed_reads_as_what_is_not() {
    assert_eq!(seen(Some(SCHEMA), true), seen(Some(SCHEMA), false));
}

#[test]
fn the_calls_of_a_long_connection_are_all_read() {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    let mut sequence = [1, 1];
    let mut messages = 0;
    let literal = |first: &[u8], value: &str| [first, &[value.len() as u8], value.as_bytes()].concat();
    let kind = literal(&[0x0F, 0x10], "application/grpc");
    let status = [literal(&[0x00], "grpc-status"), literal(&[], "0")].concat();
    for call in 0..400 {
        let stream: u32 = 2 * call + 1;
        let on = |mut bytes: Vec<u8>| {
            bytes[5..9].copy_from_slice(&stream.to_be_bytes());
            bytes
        };
        let begins = if call == 0 { &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..] } else { &[] };
        let headers = [literal(&[0x04], "/shop.Desk/Take"), kind.clone()].concat();
        let asks = [begins, &frame(1, 5, stream, &headers)].concat();
        let message = on(data(&[0x10, 1], false));
        let answers = [frame(1, 4, stream, &kind), message, frame(1, 5, stream, &status)].concat();
        for (side, bytes) in [asks, answers].iter().enumerate() {
            let packet = segment(side == 0, sequence[side], bytes);
            sequence[side] += bytes.len() as u32;
            let meta = Meta {
                number: u64::from(2 * call) + side as u64 + 1,
                time: Some(0),
                interface: 0,
                interface_name: None,
                link: 101,
                original: packet.len() as u32,
                comments: &[],
            };
            let tree = dissector.dissect(&meta, &packet, &mut arena);
            messages += tree.fields().iter().filter(|field| field.def.name == "grpc.message_data").count();
        }
    }
    assert_eq!(messages, 400);
}
