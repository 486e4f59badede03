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
    visitor.limits.total = Duration::from_secs(1);
    let mut client = visitor.over_tcp(server.plain).await;
    // It never stopped: that is no failure of the server's.
    let answer = visitor.get(&mut client, "http://www.shop.lab/").await.expect("an answer, cut");
    assert!(answer.bytes > 0 && answer.body.len() <= visitor.limits.kept);
    assert!(visitor.recorder.spans().iter().any(|span| span.bool("http.cut") == Some(true)));
}

#[tokio::test]
async fn a_body_that_stops_has_not_been_cut() {
    let place = Place::host();
    let server = place
        .serve_by_hand(|mut stream| async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nthe beginning").await;
            let _ = stream.read(&mut request).await;
        })
        .await;
    let mut visitor = place.visitor();
    visitor.limits.total = Duration::from_secs(1);
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

/// A frame of HTTP/2 (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` (RFC 7541 appendix A, entry 8).
const STATUS_200: u8 = 0x88;

/// A server that agrees on HTTP/2, waits for a request, says `answer`, word for word, and closes.
async fn check_http2(answer: Vec<u8>, expected: &str) {
    let place = Place::host();
    let certificate = place.certificate(SHOP);
    let provider = thru_net::tls::crypto_provider(&place.server);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.chain().to_vec(), certificate.key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let told = answer.clone();
    let server = place
        .serve_by_hand(move |stream| {
            let (acceptor, answer) = (acceptor.clone(), told.clone());
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut heard = Vec::new();
                // The preface, SETTINGS, WINDOW_UPDATE, and then a HEADERS frame somewhere.
                while !heard.windows(4).any(|window| window == [HEADERS, END_STREAM | END_HEADERS, 0, 0]) {
                    if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut heard).await;
            }
        })
        .await;
    let visitor = place.visitor();
    let mut client = visitor.over_tls(server.secure(), SHOP, "h2").await.unwrap();
    let result = visitor.get(&mut client, "/").await;
    let word = match &result {
        Ok(answer) => format!("ok {} bytes", answer.bytes),
        Err(failure) => failure.code.clone(),
    };
    assert_eq!(word, expected, "{:?}: {result:?}", &answer[..answer.len().min(60)]);
}

#[tokio::test]
async fn every_broken_answer_over_http2_has_its_word() {
    let settings = frame(SETTINGS, 0, 0, &[]);
    let after_settings = |frames: &[Vec<u8>]| [settings.clone(), frames.concat()].concat();
    let head = |block: &[u8]| frame(HEADERS, END_HEADERS, 1, block);
    let data = |bytes: &[u8], flags| frame(0, flags, 1, bytes);
    let error_code = |code: u32| code.to_be_bytes();
    let goaway = |last: u32, code: u32| frame(GOAWAY, 0, 0, &[last.to_be_bytes(), error_code(code)].concat());

    check_http2(after_settings(&[head(&[STATUS_200]), data(b"hello", END_STREAM)]), "ok 5 bytes").await;
    check_http2(Vec::new(), "http.closed").await;
    check_http2(settings.clone(), "http.closed").await;
    check_http2(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(), "http.protocol").await;
    check_http2(vec![0xff; 4000], "http.protocol").await;
    check_http2(after_settings(&[goaway(0, 0)]), "http.closed").await;
    check_http2(after_settings(&[goaway(0, 11)]), "http.closed").await;
    check_http2(after_settings(&[frame(RST_STREAM, 0, 1, &error_code(2))]), "http.reset").await;
    check_http2(after_settings(&[head(&[STATUS_200])]), "http.truncated").await;
    check_http2(after_settings(&[head(&[STATUS_200]), data(b"half", 0)]), "http.truncated").await;
    let cut =
        after_settings(&[head(&[STATUS_200]), data(b"half", 0), frame(RST_STREAM, 0, 1, &error_code(2))]);
    check_http2(cut, "http.reset").await;
    // `content-length: 9` (name: entry 28 of the static table), and five bytes.
    let short = head(&[STATUS_200, 0x0f, 0x0d, 1, b'9']);
    check_http2(after_settings(&[short, data(b"hello", END_STREAM)]), "http.protocol").await;
    // A header compressed by a rule that does not exist.
    check_http2(after_settings(&[head(&[0xff, 0xff, 0xff, 0xff, 0x0f])]), "http.protocol").await;
    // Fifteen fields of 1 kB are much, ninety are too much.
    let field: Vec<u8> = [&[0x00, 1, b'x', 0x7f, 0x81, 0x07][..], &[b'y'; 1024]].concat();
    let first = [&[STATUS_200][..], &field.repeat(15)].concat();
    let much = [head(&first), data(b"hello", END_STREAM)];
    check_http2(after_settings(&much), "ok 5 bytes").await;
    let mut too_much = vec![frame(HEADERS, 0, 1, &first)];
    too_much.extend((0..4).map(|_| frame(CONTINUATION, 0, 1, &field.repeat(15))));
    too_much.extend([frame(CONTINUATION, END_HEADERS, 1, &field.repeat(15)), data(b"hello", END_STREAM)]);
    check_http2(after_settings(&too_much), "http.protocol").await;
    // Data on a stream nobody opened.
    check_http2(after_settings(&[frame(0, 0, 7, b"hello")]), "http.protocol").await;
}
