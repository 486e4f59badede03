//! Clients that no server should be impressed by: our sites go on, and don't keep what is idle.

use super::*;
use crate::testing::in_lab;

/// After `say`, the shop still serves others, and has closed on whoever said it within `closes` seconds.
async fn check(place: &Place, secure: bool, say: &[u8], closes: u64) {
    let server = place.serve(vec![place.shop()]).await;
    let visitor = place.visitor();
    let remote = if secure { server.secure() } else { server.plain };
    let mut stream = visitor.dial(remote).await;
    stream.write_all(say).await.unwrap();
    let started = place.client.now();
    let mut client = visitor.over("h2", server.secure(), SHOP).await.unwrap();
    assert_eq!(visitor.get(&mut client, "/bytes/10").await.unwrap().bytes, 10);
    let mut answer = Vec::new();
    let limit = Duration::from_secs(closes);
    let ended = place.client.timeout(limit, stream.read_to_end(&mut answer)).await;
    let shown = String::from_utf8_lossy(&say[..say.len().min(40)]).into_owned();
    assert!(ended.is_some(), "{shown:?} (TLS port: {secure}) is still open after {limit:?}");
    assert!(answer.len() < 1000, "{shown:?} got {} bytes", answer.len());
    assert!(place.client.now().since(started) <= limit + Duration::from_secs(1));
}

#[test]
fn hostile_and_idle_clients_are_got_rid_of() {
    in_lab(async |place| {
        let long: Vec<u8> =
            [b"GET / HTTP/1.1\r\nHost: www.shop.lab\r\nX: ".to_vec(), vec![b'x'; 60_000]].concat();
        // At once: what can't become a request.
        check(&place, true, b"GET / HTTP/1.1\r\nHost: www.shop.lab\r\n\r\n", 2).await;
        check(&place, true, &[0; 5000], 2).await;
        check(&place, true, b"\x16\x03\x01\xff\xff", 2).await;
        check(&place, false, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 2).await;
        check(&place, false, b"\0\xff\0\xff\0\xff\r\n\r\n", 2).await;
        check(&place, false, &long, 2).await;
        // After a while: what might become one, and silence.
        check(&place, true, b"\x16\x03\x01\x02\0\x01", 31).await;
        check(&place, true, b"", 31).await;
        check(&place, false, b"GET / HT", 121).await;
        check(&place, false, b"", 121).await;
    });
}

/// More connections than the server takes wait their turn, and get it.
#[test]
fn connections_beyond_the_limit_wait() {
    in_lab(async |place| {
        let options = thru_serve::web::Options {
            addresses: vec![place.address],
            plain_port: Some(80),
            secure_port: None,
            connections_max: 2,
            ..Default::default()
        };
        let server =
            thru_serve::web::Server::bind(&place.server, options, vec![Site::plain(SHOP)]).await.unwrap();
        let remote = server.plain_addresses()[0];
        let task = place.server.spawn(server.run());
        let visitor = place.visitor();
        let (mut one, two) = (visitor.over_tcp(remote).await, visitor.over_tcp(remote).await);
        visitor.get(&mut one, "http://www.shop.lab/bytes/1").await.unwrap();
        let mut three = visitor.over_tcp(remote).await;
        let waiting = visitor.get(&mut three, "http://www.shop.lab/bytes/1").await.unwrap_err();
        assert_eq!(waiting.code, "http.timeout");
        two.close().await;
        let mut four = visitor.over_tcp(remote).await;
        drop(three);
        visitor.get(&mut four, "http://www.shop.lab/bytes/1").await.unwrap();
        task.abort();
    });
}
