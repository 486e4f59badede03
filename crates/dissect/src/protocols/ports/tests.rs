use crate::{Arena, Dissector, Meta, Options};

/// A connection of which some segments are missing.
struct Connection {
    dissector: Dissector,
    arena: Arena,
    port: u16,
    sent: [u32; 2],
    packets: u64,
}

impl Connection {
    fn to(port: u16) -> Connection {
        let options = Options { reassemble_out_of_order: true, ..Options::default() };
        let mut new = Connection {
            dissector: Dissector::new(options),
            arena: Arena::new(),
            port,
            sent: [100; 2],
            packets: 0,
        };
        new.say(0, b"");
        new.say(1, b"");
        new
    }

    /// A segment: its fields by name, and the words of those that are text.
    fn say(&mut self, side: usize, payload: &[u8]) -> Vec<(&'static str, String)> {
        let total = (40 + payload.len()) as u16;
        let mut packet = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0, 0, 64, 6, 0, 0];
        let port = self.port.to_be_bytes();
        let mut places: [[u8; 6]; 2] = [[10, 0, 0, 1, 0x9C, 0x40], [10, 0, 0, 2, port[0], port[1]]];
        places.rotate_left(side);
        packet.extend([&places[0][..4], &places[1][..4], &places[0][4..], &places[1][4..]].concat());
        packet.extend(self.sent[side].to_be_bytes());
        packet.extend(self.sent[1 - side].to_be_bytes());
        packet.extend([0x50, 0x10, 0x40, 0, 0, 0, 0, 0]);
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
        let words = |field| match tree.value(field) {
            crate::Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        tree.fields().iter().map(|field| (field.def.name, words(field))).collect()
    }

    /// So many bytes of a side are not captured; the other side has them.
    fn lose(&mut self, side: usize, count: u32) {
        self.sent[side] += count;
        self.say(1 - side, b"");
    }
}

fn has(fields: &[(&str, String)], name: &str) -> usize {
    fields.iter().filter(|(field, _)| *field == name).count()
}

#[test]
fn behind_a_loss_dns_is_read_where_whole_messages_come() {
    let mut message = vec![0, 0x13, 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend([1, b'a', 0, 0, 1, 0, 1]);
    let mut connection = Connection::to(53);
    assert_eq!(has(&connection.say(0, &message), "dns.id"), 1);
    // The rest of a message whose beginning is not there, and one behind it.
    connection.lose(0, 10);
    let fields = connection.say(0, &[&message[10..], &message].concat());
    assert_eq!((has(&fields, "dns.id"), has(&fields, "data.data")), (0, 1), "{fields:?}");
    assert_eq!(has(&connection.say(0, &message.repeat(2)), "dns.id"), 2);
    // Once a beginning is found, the next may come in parts.
    assert_eq!(has(&connection.say(0, &message[..5]), "dns.id"), 0);
    assert_eq!(has(&connection.say(0, &message[5..]), "dns.id"), 1);
}

#[test]
fn behind_a_loss_websocket_is_read_where_whole_frames_come() {
    let mut connection = Connection::to(80);
    connection.say(0, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    connection.say(1, b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    let text = |fields: &[(&str, String)]| -> Vec<String> {
        let found = fields.iter().filter(|(name, _)| *name == "websocket.payload.text");
        found.map(|(_, words)| words.clone()).collect()
    };
    assert_eq!(text(&connection.say(1, b"\x81\x03one")), ["one"]);
    // The first part of a message, of which the rest is lost.
    connection.say(1, b"\x01\x03two");
    connection.lose(1, 20);
    let fields = connection.say(1, b"ore\x80\x05words");
    assert_eq!((has(&fields, "websocket.opcode"), has(&fields, "data.data")), (0, 1), "{fields:?}");
    let fields = connection.say(1, b"\x81\x05three\x89\x00");
    assert_eq!(text(&fields), ["three"], "nothing of what was before the loss: {fields:?}");
    assert_eq!(has(&fields, "websocket.opcode"), 2);
    // The other side was not touched.
    assert_eq!(text(&connection.say(0, b"\x81\x02ok")), ["ok"]);
}

#[test]
fn a_proxy_is_asked_for_an_address_of_ipv6() {
    let mut connection = Connection::to(8080);
    connection.say(0, b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n");
    connection.say(1, b"HTTP/1.1 200 Connected\r\n\r\n");
    let fields = connection.say(0, b"anything");
    let host = fields.iter().find(|(name, _)| *name == "http.proxy_connect_host");
    assert_eq!(host.map(|(_, host)| host.as_str()), Some("[2001:db8::1]"), "{fields:?}");
}

/// Whoever asks a proxy for a way to a proxy, and that one, and so on, must not exhaust the stack.
#[test]
fn proxies_within_proxies_end_somewhere() {
    let mut connection = Connection::to(1080);
    for _ in 0..2000 {
        connection.say(0, &[4, 1, 0x04, 0x38, 1, 2, 3, 4, 0]);
        connection.say(1, &[0, 90, 0x04, 0x38, 1, 2, 3, 4]);
    }
    let fields = connection.say(0, &[4, 1, 0x04, 0x38, 1, 2, 3, 4, 0]);
    assert!((1..50).contains(&has(&fields, "socks")) && has(&fields, "data.data") == 1, "{fields:?}");

    let mut connection = Connection::to(8081);
    for _ in 0..2000 {
        connection.say(0, b"CONNECT a:81 HTTP/1.1\r\n\r\n");
        connection.say(1, b"HTTP/1.1 200 OK\r\n\r\n");
    }
    let fields = connection.say(0, b"CONNECT a:81 HTTP/1.1\r\n\r\n");
    assert!((1..50).contains(&has(&fields, "http")) && has(&fields, "data.data") == 1, "{fields:?}");
}

/// A body of many small chunks in many segments is whole where its last one comes, however often it was looked at.
#[test]
fn chunks_that_come_one_by_one_are_read_on_from_where_the_last_ended() {
    let mut connection = Connection::to(80);
    connection.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.say(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in 0..500 {
        // Cut within lengths, within data and between: 7 bytes at a time of chunks of 6 bytes.
        let all = b"1\r\nx\r\n".repeat(1000);
        assert_eq!(has(&connection.say(1, &all[piece * 7..piece * 7 + 7]), "http"), 0);
    }
    let all = b"1\r\nx\r\n".repeat(1000);
    let fields =
        connection.say(1, &[&all[3500..], &b"0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"[..]].concat());
    assert_eq!(
        (has(&fields, "http.chunk_size"), has(&fields, "http.response.code")),
        (1001, 2),
        "{:?}",
        fields.len()
    );
    assert_eq!(has(&connection.say(1, b"HTTP/1.1 204 No Content\r\n\r\n"), "http.response.code"), 1);
}

/// The statuses that are shown.
fn codes(fields: &[(&str, String)]) -> usize {
    has(fields, "http.response.code")
}

#[test]
fn behind_a_loss_http_is_read_where_a_message_begins() {
    let answer = |body: &[u8]| {
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
    };
    let body = b"some words of a body, ".repeat(20);
    let whole = answer(&body);
    // The message says how long it is: the next may begin in the same segment.
    let mut connection = Connection::to(80);
    connection.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(codes(&connection.say(1, &whole[..200])), 0);
    connection.lose(1, 100);
    let fields = connection.say(1, &[&whole[300..], &answer(b"x"), &answer(b"y")].concat());
    // The rest, and the two bodies.
    assert_eq!((codes(&fields), has(&fields, "data.data")), (2, 3), "{fields:?}");
    // Its beginning is missing: it ends where a segment begins with another.
    connection.lose(1, 100);
    let fields = connection.say(1, &whole[300..]);
    assert_eq!((codes(&fields), has(&fields, "data.data")), (0, 1), "{fields:?}");
    assert_eq!(codes(&connection.say(1, &whole[..200])), 0);
    assert_eq!(codes(&connection.say(1, &whole[200..])), 1);
    // What was captured of it waits behind the gap; its end and the beginning of the next are apart.
    connection.say(1, &whole[..200]);
    connection.sent[1] += 100;
    assert_eq!(codes(&connection.say(1, &whole[300..])), 0);
    connection.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let fields = connection.say(1, &answer(b"z"));
    assert_eq!((codes(&fields), has(&fields, "data.data")), (1, 2), "{fields:?}");
    // A body that goes on until the connection ends has no other behind it.
    connection.say(1, b"HTTP/1.1 200 OK\r\n\r\nthis and ");
    connection.lose(1, 100);
    assert_eq!(codes(&connection.say(1, &answer(b"quoted"))), 0);
}
