use super::*;
use crate::{Arena, Dissector, Meta, Options};

const ACK: u8 = 0x10;

/// A connection of HTTP/2 without TLS, from which objects are taken.
struct Connection {
    objects: Objects,
    dissector: Dissector,
    arena: Arena,
    /// What both sides have sent.
    sent: [u32; 2],
    packets: u64,
}

impl Connection {
    /// One that has said nothing yet.
    fn silent() -> Connection {
        let options = Options { reassemble_out_of_order: true, ..Options::default() };
        let (objects, dissector, arena) = (Objects::default(), Dissector::new(options), Arena::new());
        Connection { objects, dissector, arena, sent: [0; 2], packets: 0 }
    }

    fn new() -> Connection {
        let mut new = Connection::silent();
        assert!(new.say(0, ACK, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").is_empty());
        new
    }

    /// What a segment tells, in words.
    fn say(&mut self, side: usize, flags: u8, payload: &[u8]) -> Vec<String> {
        let total = (40 + payload.len()) as u16;
        let mut packet = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0, 0, 64, 6, 0, 0];
        let mut places: [[u8; 6]; 2] = [[10, 0, 0, 1, 0x9C, 0x40], [10, 0, 0, 2, 0x23, 0x28]];
        places.rotate_left(side);
        packet.extend([&places[0][..4], &places[1][..4], &places[0][4..], &places[1][4..]].concat());
        packet.extend((100 + self.sent[side]).to_be_bytes());
        packet.extend((100 + self.sent[1 - side]).to_be_bytes());
        packet.extend([0x50, flags, 0x40, 0, 0, 0, 0, 0]);
        packet.extend(payload);
        self.sent[side] += payload.len() as u32;
        self.packets += 1;
        let meta = Meta {
            number: self.packets,
            time: Some(self.packets),
            interface: 0,
            interface_name: None,
            link: 101,
            original: u32::from(total),
            comments: &[],
        };
        let tree = self.dissector.dissect(&meta, &packet, &mut self.arena);
        let mut told = Vec::new();
        self.objects.take(tree, &mut |part| {
            told.push(match part {
                Part::Bytes(number, bytes) => format!("{number}: {}", String::from_utf8_lossy(bytes)),
                Part::End(number, object) if object.path.is_empty() => {
                    format!("{number} ends, {}", object.status)
                }
                Part::End(_, object) => format!("{} ends, {}", object.path, object.status),
                Part::Lost(number) => format!("{number} is lost"),
            });
        });
        told
    }
}

/// A frame (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

/// `:status: 200`, and a part of the body.
fn begun(stream: u32, body: &[u8]) -> Vec<u8> {
    [frame(HEADERS, 4, stream, &[0x88]), frame(DATA, 0, stream, body)].concat()
}

#[test]
fn what_is_broken_off_is_told() {
    let mut connection = Connection::new();
    for stream in [1, 3, 5] {
        let told = connection.say(1, ACK, &begun(stream, b"some"));
        assert_eq!(told.len(), 1, "{told:?}");
    }
    // Whoever breaks it off; what comes late is nobody's.
    assert_eq!(connection.say(0, ACK, &frame(RST_STREAM, 0, 3, &[0, 0, 0, 8])), ["2 is lost"]);
    assert_eq!(connection.say(1, ACK, &frame(DATA, 1, 3, b"late")), [""; 0]);
    assert_eq!(connection.say(1, ACK, &frame(DATA, 1, 1, b" words")), ["1:  words", "1 ends, 200"]);
    // What was whole before cannot be lost any more.
    assert_eq!(connection.say(1, ACK, &frame(RST_STREAM, 0, 1, &[0, 0, 0, 0])), [""; 0]);
    assert_eq!(connection.say(0, ACK | RST as u8, b""), ["3 is lost"]);
    assert!(connection.objects.open.is_empty() && connection.objects.ages.is_empty());
}

#[test]
fn the_one_that_was_silent_for_longest_makes_room() {
    let mut connection = Connection::new();
    connection.say(1, ACK, &[begun(1, b"one"), begun(3, b"two")].concat());
    let mut lost = Vec::new();
    for stream in 0..OPEN_MAX as u32 {
        // The first goes on all the time.
        let told = connection.say(1, ACK, &[frame(DATA, 0, 1, b"+"), begun(5 + 2 * stream, b"x")].concat());
        lost.extend(told.into_iter().filter(|words| words.ends_with("is lost")));
    }
    assert_eq!(lost, ["2 is lost", "3 is lost"]);
    assert_eq!((connection.objects.open.len(), connection.objects.ages.len()), (OPEN_MAX, OPEN_MAX));
    assert_eq!(connection.say(1, ACK, &frame(DATA, 1, 1, b"!")), ["1: !", "1 ends, 200"]);
}

/// A question for a path.
fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn answer(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn an_answer_that_is_torn_is_lost_and_the_next_belongs_to_its_own_question() {
    let mut connection = Connection::silent();
    connection.say(0, ACK, &get("/one"));
    assert_eq!(connection.say(1, ACK, &answer("first")), ["2: first", "/one ends, 200"]);
    connection.say(0, ACK, &get("/two"));
    let two = answer(&"second ".repeat(100));
    assert_eq!(connection.say(1, ACK, &two[..300]), [""; 0]);
    connection.sent[1] += 100;
    assert_eq!(connection.say(1, ACK, &two[400..]), [""; 0]);
    connection.say(0, ACK, &get("/three"));
    let told = connection.say(1, ACK, &answer("third"));
    assert_eq!(told, ["3 is lost", "4: third", "/three ends, 200"]);
    // Who asks ahead gets the answers in order.
    let both = [get("/four"), get("/five"), get("/six")].concat();
    connection.say(0, ACK, &both);
    connection.say(1, ACK, &two[..300]);
    connection.sent[1] += 100;
    connection.say(0, ACK, b"");
    let told = connection.say(1, ACK, &[&two[400..], &answer("fifth"), &answer("sixth")].concat());
    assert_eq!(told, ["5 is lost", "6: fifth", "/five ends, 200", "7: sixth", "/six ends, 200"]);
}
