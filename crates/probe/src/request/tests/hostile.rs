//! Servers that say what no server should.

use super::*;

/// A server that reads a request and then says `answer`, word for word, and closes.
async fn check_http1(answer: &'static [u8], expected: &str) {
    let place = Place::host();
    let server = place
        .serve_by_hand(move |mut stream| async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        })
        .await;
    let visitor = place.visitor();
    let mut client = visitor.over_tcp(server.plain).await;
    let result = visitor.get(&mut client, "http://www.shop.lab/").await;
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
    let word = match &result {
        Ok(answer) => format!("ok {} bytes", answer.bytes),
        Err(failure) => failure.code.clone(),
    };
    assert_eq!(word, expected, "{shown:?}: {result:?}");
}

#[tokio::test]
async fn every_broken_answer_over_http1_has_its_word() {
    check_http1(b"", "http.closed").await;
    check_http1(b"HTTP/1.1 20", "http.truncated").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Le", "http.truncated").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "http.truncated").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "http.truncated").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole", "ok 5 bytes").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole and more", "ok 5 bytes").await;
    check_http1(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "ok 13 bytes").await;
    check_http1(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "http.truncated").await;
    check_http1(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "http.protocol").await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nwhole", "http.protocol")
        .await;
    check_http1(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "http.protocol").await;
    check_http1(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "http.protocol").await;
    check_http1(b"\x16\x03\x03\x00\x02\x02\x46", "http.protocol").await;
    check_http1(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "http.protocol").await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let place = Place::host();
    let server = place
        .serve_by_hand(|mut stream| async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
            // Ends when the client has had enough and closes.
            while stream.write_all(b"X-More: more, and more, and more\r\n").await.is_ok() {}
        })
        .await;
    let visitor = place.visitor();
    let mut client = visitor.over_tcp(server.plain).await;
    let failure = visitor.get(&mut client, "http://www.shop.lab/").await.unwrap_err();
    assert_eq!(failure.code, "http.protocol", "{failure}");
}

#[tokio::test]
async fn a_body_without_end_is_given_up() {
    let place = Place::host();
    let server = place
        .serve_by_hand(|mut stream| async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
        })
        .await;
    let mut visitor = place.visitor();
    visitor.limits.total = Duration::from_millis(100);
    let mut client = visitor.over_tcp(server.plain).await;
    let failure = visitor.get(&mut client, "http://www.shop.lab/").await.unwrap_err();
    assert_eq!(failure.code, "http.stalled", "{failure}");
}

/// Cuts a real TLS conversation after each number of the server's bytes.
#[tokio::test]
async fn a_connection_may_end_anywhere() {
    let place = Place::host();
    let real = place.serve(vec![place.shop()]).await;
    let target = real.secure();
    let mut words = std::collections::BTreeSet::new();
    for cut in
        [0, 1, 4, 5, 6, 60, 127, 128, 500, 900, 1000, 1100, 1200, 1500, 5000, 20_000, 40_000, 1_000_000]
    {
        let network = place.server.clone();
        let between = place
            .serve_by_hand(move |mut client| {
                let network = network.clone();
                async move {
                    let Ok(mut server) = network.connect_tcp(target, Default::default()).await else {
                        return;
                    };
                    let (mut client_read, mut client_write) = tokio::io::split(&mut client);
                    let (server_read, mut server_write) = tokio::io::split(&mut server);
                    let mut beginning = server_read.take(cut);
                    tokio::select! {
                        biased;
                        _ = tokio::io::copy(&mut beginning, &mut client_write) => {}
                        _ = tokio::io::copy(&mut client_read, &mut server_write) => {}
                    }
                }
            })
            .await;
        for alpn in ["h2", "http/1.1"] {
            let visitor = place.visitor();
            let result = match visitor.over_tls(between.secure(), SHOP, alpn).await {
                Ok(mut client) => visitor.get(&mut client, "/").await.map(|answer| answer.bytes),
                Err(failure) => Err(failure),
            };
            match result {
                Ok(bytes) => assert!(cut == 1_000_000 && bytes > 40_000, "cut at {cut}: {bytes} bytes"),
                Err(failure) => {
                    assert!(cut < 1_000_000, "{failure}");
                    words.insert(failure.code);
                }
            }
        }
    }
    // Closed or reset depends on whether the kernel still had something of ours unread.
    let known = ["http.closed", "http.reset", "http.truncated", "http.protocol", "tls.closed", "tls.reset"];
    assert!(words.iter().all(|word| known.contains(&word.as_str())), "{words:?}");
    assert!(words.iter().any(|word| word.starts_with("tls.")), "{words:?}");
    assert!(words.contains("http.truncated"), "{words:?}");
}
