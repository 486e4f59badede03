//! A small trace with real frames, for the tests of every view.

use thru_trace::{Layer, Packet, PacketFate, Step, Trace};

pub(crate) const CLIENT: [u8; 4] = [192, 168, 1, 10];
pub(crate) const SERVER: [u8; 4] = [203, 0, 113, 10];

fn sum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut total: u32 = 0;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while total > 0xFFFF {
        total = (total & 0xFFFF) + (total >> 16);
    }
    !(total as u16)
}

/// Ethernet, IPv4 and TCP with right checksums.
pub(crate) fn tcp(up: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst, from, to) =
        if up { (CLIENT, SERVER, 40000u16, 443u16) } else { (SERVER, CLIENT, 443, 40000) };
    let mut tcp = Vec::new();
    tcp.extend(from.to_be_bytes());
    tcp.extend(to.to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.extend([0x50, flags, 0xFA, 0xF0, 0, 0, 0, 0]);
    tcp.extend(payload);
    let length = (tcp.len() as u16).to_be_bytes();
    let check = sum(&[&src, &dst, &[0, 6], &length, &tcp]);
    tcp[16..18].copy_from_slice(&check.to_be_bytes());
    let mut ip = vec![0x45, 0];
    ip.extend((20 + tcp.len() as u16).to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    ip.extend(src);
    ip.extend(dst);
    let check = sum(&[&ip]);
    ip[10..12].copy_from_slice(&check.to_be_bytes());
    let mut frame =
        if up { vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2] } else { vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] };
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(tcp);
    frame
}

/// A healthy visit over HTTP/2: names, connection, encryption, page.
pub(crate) fn healthy() -> Trace {
    let mut trace = Trace {
        target: "https://www.shop.lab/".into(),
        network: "lab:internet".into(),
        seed: Some(7),
        epoch_unix_nanos: 1_767_225_600_000_000_000,
        interfaces: vec!["home--pc".into(), "home--isp".into()],
        names: vec![
            (CLIENT.into(), "pc.home.lab".into()),
            (SERVER.into(), "www.shop.lab".into()),
            (SERVER.into(), "shop.lab".into()),
            ("2001:db8::10".parse().unwrap(), "www.shop.lab".into()),
        ],
        key_log: format!("CLIENT_TRAFFIC_SECRET_0 {} {}\n", "0a".repeat(32), "0b".repeat(32)),
        ..Trace::default()
    };
    let resolve = trace.add(
        Step::new(Layer::Dns, "resolve", "www.shop.lab")
            .at_ms(0, 42)
            .set("dns.name", "www.shop.lab.")
            .set("dns.addresses", vec!["203.0.113.10", "2001:db8::10"]),
    );
    for (kind, end) in [("AAAA", 42), ("A", 38)] {
        trace.add(
            Step::new(Layer::Dns, "dns.query", &format!("www.shop.lab {kind} @ 198.51.100.53"))
                .under(resolve)
                .at_ms(0, end)
                .set("dns.rcode", "NOERROR"),
        );
    }
    let connect = trace.add(
        Step::new(Layer::Tcp, "connect", "203.0.113.10:443")
            .at_ms(42, 62)
            .set("tcp.remote", "203.0.113.10:443")
            .set("tcp.local", "192.168.1.10:40000")
            .set_ms("tcp.rtt", 20)
            .frames(&[1, 2, 3]),
    );
    trace.add(Step::new(Layer::Tcp, "segment", "SYN →").under(connect).at_ms(42, 42));
    trace.add(Step::new(Layer::Tcp, "segment", "← SYN ACK").under(connect).at_ms(62, 62));
    let mut leaf = std::collections::BTreeMap::new();
    leaf.insert("not_after".to_string(), "2027-01-01T00:00:00Z".into());
    trace.add(
        Step::new(Layer::Tls, "handshake", "www.shop.lab")
            .at_ms(62, 103)
            .set("tls.version", "TLS 1.3")
            .set("tls.chain", vec![leaf]),
    );
    let exchange = trace.add(
        Step::new(Layer::Http, "exchange", "GET https://www.shop.lab/")
            .at_ms(103, 190)
            .set("http.version", "HTTP/2")
            .set("http.status", 200)
            .set("http.bytes", 48_128),
    );
    trace.add(Step::new(Layer::Http, "request", "").under(exchange).at_ms(103, 103));
    trace.add(Step::new(Layer::Http, "wait", "").under(exchange).at_ms(103, 126));
    trace.add(Step::new(Layer::Http, "transfer", "").under(exchange).at_ms(126, 190));
    trace.add(Step::new(Layer::Tcp, "connection", "").at_ms(190, 190).set("tcp.retransmissions", 0));
    trace.add(
        Step::new(Layer::Ip, "ping", "203.0.113.10")
            .at_ms(190, 390)
            .set("ping.purpose", "idle")
            .set("ping.sent", 4)
            .set("ping.received", 4)
            .set_ms("ping.rtt_min", 20)
            .set_ms("ping.rtt_avg", 21),
    );
    let frames = [
        (42, tcp(true, 1000, 0, 0x02, b"")),
        (62, tcp(false, 5000, 1001, 0x12, b"")),
        (62, tcp(true, 1001, 5001, 0x10, b"")),
        (63, tcp(true, 1001, 5001, 0x18, b"hello")),
        (83, tcp(false, 5001, 1006, 0x10, b"")),
    ];
    trace.packets = frames
        .into_iter()
        .enumerate()
        .map(|(place, (ms, bytes))| Packet {
            number: place as u64 + 1,
            at: ms * 1_000_000 + place as u64,
            interface: 0,
            bytes: bytes.into(),
            fate: PacketFate::Passed,
            comment: None,
        })
        .collect();
    trace.packets.push(Packet {
        number: 6,
        at: 84_000_000,
        interface: 1,
        bytes: tcp(false, 5001, 1006, 0x18, b"lost").into(),
        fate: PacketFate::Dropped("random loss (rule \"loss=4%\")".into()),
        comment: None,
    });
    trace
}
