use std::sync::{Arc, Mutex};

use thru_net::TcpStream;
use thru_trace::Trace;

use super::*;
use crate::journey;
use crate::secure::{TlsOptions, Trust};
use crate::testing::{Place, in_lab};

#[test]
fn proxies_are_named_as_curl_names_them() {
    let proxy = |text: &str| Proxy::parse(text).map(|proxy| (proxy.kind, proxy.to_string()));
    assert_eq!(proxy("http://proxy.lab:3128"), Ok((ProxyKind::Http, "proxy.lab:3128".to_owned())));
    assert_eq!(proxy("10.0.0.1:8080"), Ok((ProxyKind::Http, "10.0.0.1:8080".to_owned())));
    assert_eq!(proxy("socks5h://proxy.lab"), Ok((ProxyKind::Socks5, "proxy.lab:1080".to_owned())));
    assert!(proxy("ftp://proxy.lab").unwrap_err().contains("ftp"));
    assert!(proxy("").is_err());
    assert!(proxy("nonsense").unwrap_err().contains("port"));
    assert!(proxy("proxy.lab:80").is_ok() && proxy("[2001:db8::1]:3128").is_ok());
}

#[test]
fn a_proxys_login_is_kept_and_not_shown() {
    let proxy = Proxy::parse("http://me:s3cret@proxy.lab:3128").unwrap();
    assert_eq!(proxy.login.as_ref().unwrap().basic(), "Basic bWU6czNjcmV0");
    assert!(!format!("{proxy} {proxy:?}").contains("s3cret"));
    for wrong in [
        "me:s3cret@proxy.lab:99999",
        "me:s3cret@proxy.lab",
        "socks5h://me:@proxy.lab",
        "ftp://me:s3cret@proxy.lab",
    ] {
        let told = Proxy::parse(wrong).unwrap_err();
        assert!(!told.contains("s3cret"), "{told}");
    }
}

/// One request to a page at the test's own server, through a proxy there that talks as `answer` does.
async fn through<F, Fut>(place: &Place, proxy: &str, url: &str, answer: F) -> Trace
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let server = place.serve_by_hand(answer).await;
    let tls = TlsOptions { trust: Trust::none(), ..TlsOptions::default() };
    let proxy = proxy.replace("HERE", &server.plain.to_string());
    let options = JourneyOptions {
        proxy: Some(Proxy::parse(&proxy).unwrap()),
        ..JourneyOptions::new(Url::parse(url).unwrap(), tls)
    };
    journey::run(&place.client, &options).await.trace
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn an_http_proxy_is_shown_the_login() {
    in_lab(async |place| {
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        let answer = move |mut stream: TcpStream| {
            let seen = Arc::clone(&seen);
            async move {
                let asked = head(&mut stream).await;
                seen.lock().unwrap().push(asked);
                stream.write_all(b"HTTP/1.1 200 fine\r\n\r\n").await.unwrap();
                let asked = head(&mut stream).await;
                seen.lock().unwrap().push(asked);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
                // The client closes first.
                let _ = stream.read_u8().await;
            }
        };
        let url = "http://you:0ther@[2001:db8::1]:81/x";
        let trace = through(&place, "http://me:s3cret@HERE", url, answer).await;
        let heads = heads.lock().unwrap();
        assert!(heads[0].starts_with("CONNECT [2001:db8::1]:81 HTTP/1.1\r\n"), "{}", heads[0]);
        assert!(heads[0].contains("\r\nProxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{}", heads[0]);
        assert!(!heads[1].contains("bWU6czNjcmV0"), "the site must not get the proxy's login");
        assert!(heads[1].to_lowercase().contains("\r\nauthorization: basic "), "{}", heads[1]);
        let tunnel = trace.all("tunnel").next().unwrap();
        assert_eq!(tunnel.text("proxy.target"), Some("[2001:db8::1]:81"));
        assert_eq!(tunnel.bool("proxy.login"), Some(true));
        assert_eq!(trace.all("exchange").next().unwrap().int("http.status"), Some(200));
        let shown = format!("{trace:?}");
        for secret in ["s3cret", "0ther", "bWU6czNjcmV0", "eW91OjB0aGVy"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    });
}

#[test]
fn a_socks_proxy_is_shown_the_login_if_it_wants_one() {
    for (reply, code) in [(0, None), (1, Some("proxy.socks.login"))] {
        in_lab(async move |place| {
            let answer = move |mut stream: TcpStream| async move {
                let mut ways = [0; 4];
                stream.read_exact(&mut ways).await.unwrap();
                assert_eq!(ways, [5, 2, 0, 2]);
                stream.write_all(&[5, 2]).await.unwrap();
                let mut login = [0; 11];
                stream.read_exact(&mut login).await.unwrap();
                assert_eq!(&login, b"\x01\x02me\x06s3cret");
                stream.write_all(&[1, reply]).await.unwrap();
                if reply != 0 {
                    return;
                }
                let mut wanted = [0; 10];
                stream.read_exact(&mut wanted).await.unwrap();
                assert_eq!(wanted, [5, 1, 0, 1, 192, 0, 2, 9, 0, 80]);
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                let _ = stream.read_u8().await;
            };
            let trace = through(&place, "socks5h://me:s3cret@HERE", "http://192.0.2.9/", answer).await;
            let tunnel = trace.all("tunnel").next().unwrap();
            assert_eq!(tunnel.code(), code, "{tunnel:?}");
        });
    }
}
