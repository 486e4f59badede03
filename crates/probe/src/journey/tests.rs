use std::sync::{Arc, Mutex};

use thru_net::TcpStream;
use thru_trace::{Layer, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::secure::Trust;
use crate::testing::{Place, Serving, in_lab};

/// The heads of the requests that a server got.
type Heads = Arc<Mutex<Vec<String>>>;

/// Answers every request with `answer`.
async fn serve(place: &Place, answer: String) -> (Serving, Heads) {
    let heads = Heads::default();
    let seen = Arc::clone(&heads);
    let serving = place.serve_by_hand(move |mut stream: TcpStream| {
        let (seen, answer) = (Arc::clone(&seen), answer.clone());
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a whole head"));
            }
            seen.lock().expect("no panic before").push(String::from_utf8_lossy(&head).to_lowercase());
            stream.write_all(answer.as_bytes()).await.expect("the client reads");
            // The client closes first.
            let _ = stream.read_u8().await;
        }
    });
    (serving.await, heads)
}

async fn follow(place: &Place, url: &str) -> Trace {
    let tls = TlsOptions { trust: Trust::none(), ..TlsOptions::default() };
    let options = JourneyOptions::new(Url::parse(url).expect("a URL"), tls);
    run(&place.client, &options).await.trace
}

fn bring(heads: &Heads, login: &str) -> Vec<bool> {
    let line = format!("\r\nauthorization: basic {}\r\n", login.to_lowercase());
    heads.lock().expect("no panic before").iter().map(|head| head.contains(&line)).collect()
}

#[test]
fn a_login_goes_to_its_origin_and_nowhere_else() {
    in_lab(async |place| {
        let other = serve(&place, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
        let away = format!("Location: http://{}/\r\n", other.0.plain);
        let first = format!("HTTP/1.1 302 Found\r\n{away}Content-Length: 0\r\n\r\n");
        let first = serve(&place, first).await;
        let trace = follow(&place, &format!("http://me:s3cret@{}/x", first.0.plain)).await;
        assert_eq!(bring(&first.1, "bWU6czNjcmV0"), [true]);
        assert_eq!(other.1.lock().unwrap().len(), 1);
        assert!(!other.1.lock().unwrap()[0].contains("authorization"));
        assert_eq!(trace.target, format!("http://{}/x", first.0.plain));
        let brought: Vec<_> = trace.all("exchange").map(|span| span.bool("http.login")).collect();
        assert_eq!(brought, [Some(true), None]);
        let shown = format!("{trace:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("bWU6czNjcmV0"), "{shown}");
    });
}

#[test]
fn a_redirect_may_name_a_login_of_its_own() {
    in_lab(async |place| {
        let other = serve(&place, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
        let away = format!("Location: http://me:s3cret@{}/\r\n", other.0.plain);
        let first = format!("HTTP/1.1 302 Found\r\n{away}Content-Length: 0\r\n\r\n");
        let first = serve(&place, first).await;
        let trace = follow(&place, &format!("http://{}/", first.0.plain)).await;
        assert_eq!(bring(&first.1, "bWU6czNjcmV0"), [false]);
        assert_eq!(bring(&other.1, "bWU6czNjcmV0"), [true]);
        let shown = format!("{trace:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    });
}

#[test]
fn a_page_is_loaded_with_its_login_and_told_of_without() {
    in_lab(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let url = Url::parse("https://me:s3cret@www.shop.lab/page30").expect("a URL");
        let way = crate::request::page::Way::Http2;
        let page = crate::request::page::load(
            &visitor.recorder,
            None,
            &visitor.tls,
            server.secure(),
            &url,
            way,
            &visitor.limits,
        );
        assert!(page.await.expect("a page").loads.len() > 1);
        let spans = visitor.recorder.spans();
        assert!(spans.iter().any(|span| span.bool("http.login") == Some(true)));
        let shown = format!("{spans:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("bWU6czNjcmV0"), "{shown}");
    });
}

#[test]
fn a_name_with_many_addresses_is_not_waited_for_without_end() {
    let address = |number: u16| IpAddr::from([192, 0, 2, (number % 200) as u8 + 50]);
    for http in [None, Some(HttpVersion::Http3)] {
        in_lab(async move |place| {
            let hosts = (0..200).map(|number| ("many.lab".to_owned(), address(number))).collect();
            let tls = TlsOptions { trust: Trust::none(), ..TlsOptions::default() };
            let url = Url::parse("https://many.lab/").expect("a URL");
            let options = JourneyOptions { hosts, http, ..JourneyOptions::new(url, tls) };
            let began = place.client.now();
            let trace = run(&place.client, &options).await.trace;
            let resolved = trace.all("resolve").next().unwrap();
            assert_eq!(resolved.list("dns.addresses").unwrap().len(), resolve::ADDRESSES_MAX);
            assert_eq!(resolved.int("dns.addresses_left_out"), Some(190));
            let tried =
                |span: &&Span| matches!(span.layer, Layer::Tcp | Layer::Quic) && !trace.is_check(span);
            let tried = trace
                .spans
                .iter()
                .filter(|span| matches!(span.what.as_str(), "connect" | "handshake"))
                .filter(tried);
            assert!(tried.count() <= resolve::ADDRESSES_MAX);
            // The handshakes, and what explains that they failed.
            let took = place.client.now().since(began);
            assert!(took < Duration::from_secs(60), "{took:?}");
        });
    }
}
