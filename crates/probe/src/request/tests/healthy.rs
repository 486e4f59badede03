//! Sites in good health, over every version.

use super::*;

async fn each_version_brings_the_page(place: Place) {
    let server = place.serve(vec![place.shop()]).await;
    for (version, name) in VERSIONS.into_iter().zip(["HTTP/1.1", "HTTP/2", "HTTP/3"]) {
        let visitor = place.visitor();
        let mut client = visitor.over(version, server.secure(), SHOP).await.unwrap();
        let answer = visitor.get(&mut client, "/").await.unwrap();
        assert_eq!((answer.version, answer.status), (name, 200));
        assert!(answer.body.starts_with(b"<!doctype html>"), "{name}");
        assert!((47_000..=48_000).contains(&answer.bytes), "{name}");
        assert_eq!(answer.body.len() as u64, answer.bytes);
        assert_eq!(visitor.text("exchange", "http.server"), "thru-lab");
        assert_eq!(visitor.value("exchange", "http.status"), Some(Value::Int(200)));
        assert_eq!(visitor.text("exchange", "http.version"), name);
        let Times { start, sent, first_byte, end } = answer.times;
        assert!(start <= sent && sent <= first_byte && first_byte <= end, "{name}: {:?}", answer.times);
        let children: Vec<String> = visitor
            .recorder
            .spans()
            .into_iter()
            .filter(|span| span.parent == Some(answer.span))
            .map(|span| span.what)
            .collect();
        assert_eq!(children, ["request", "wait", "transfer"], "{name}");
        // The connection takes another request.
        assert_eq!(visitor.get(&mut client, "/bytes/3").await.unwrap().bytes, 3);
        client.close().await;
    }
}

#[test]
fn each_version_brings_the_page_on_the_host() {
    on_host(each_version_brings_the_page);
}

#[test]
fn each_version_brings_the_page_in_a_lab() {
    in_lab(each_version_brings_the_page);
}

async fn bodies_arrive_whole(place: Place) {
    let server = place.serve(vec![place.shop()]).await;
    for version in VERSIONS {
        let visitor = place.visitor();
        let mut client = visitor.over(version, server.secure(), SHOP).await.unwrap();
        let small = visitor.get(&mut client, "/bytes/60001").await.unwrap();
        assert_eq!(small.body, pages::pattern(0, 0, 60_001), "{version}");
        let large = visitor.get(&mut client, "/bytes/3000000").await.unwrap();
        assert_eq!(large.bytes, 3_000_000, "{version}: all is counted");
        assert_eq!(large.body, pages::pattern(0, 0, 64 * 1024), "{version}: the beginning is kept");
        assert_eq!(visitor.value("exchange", "http.bytes"), Some(Value::Int(3_000_000)));
    }
}

#[test]
fn bodies_arrive_whole_on_the_host() {
    on_host(bodies_arrive_whole);
}

#[test]
fn bodies_arrive_whole_in_a_lab() {
    in_lab(bodies_arrive_whole);
}

async fn uploads_are_counted(place: Place) {
    let server = place.serve(vec![place.shop()]).await;
    for version in VERSIONS {
        let visitor = place.visitor();
        let mut client = visitor.over(version, server.secure(), SHOP).await.unwrap();
        let body = Bytes::from(vec![7; 500_000]);
        let request = Request { method: Method::POST, body, ..Request::get(url("/upload")) };
        let answer = visitor.ask(&mut client, &request).await.unwrap();
        assert_eq!(answer.body, "500000 bytes\n", "{version}");
        let head = Request { method: Method::HEAD, ..Request::get(url("/bytes/77")) };
        let answer = visitor.ask(&mut client, &head).await.unwrap();
        assert_eq!((answer.status, answer.bytes), (200, 0), "{version}");
        assert_eq!(answer.headers["content-length"], "77", "{version}");
    }
}

#[test]
fn uploads_are_counted_on_the_host() {
    on_host(uploads_are_counted);
}

#[test]
fn uploads_are_counted_in_a_lab() {
    in_lab(uploads_are_counted);
}

#[test]
fn alt_svc_is_said_over_tcp_only() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        for version in VERSIONS {
            let visitor = place.visitor();
            let mut client = visitor.over(version, server.secure(), SHOP).await.unwrap();
            visitor.get(&mut client, "/bytes/1").await.unwrap();
            let said = visitor.value("exchange", "http.alt_svc");
            match version {
                "h3" => assert_eq!(said, None),
                _ => assert_eq!(said, Some(Value::Text("h3=\":443\"; ma=86400".to_owned()))),
            }
        }
    });
}

#[test]
fn the_date_is_the_networks() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let mut client = visitor.over("h2", server.secure(), SHOP).await.unwrap();
        let before = place.server.unix_time().as_secs();
        let answer = visitor.get(&mut client, "/bytes/1").await.unwrap();
        let said = answer.headers["date"].to_str().unwrap().to_owned();
        let minute = (before..=before + 60).map(seconds_of_minute);
        assert!(said.ends_with(" GMT"), "{said}");
        assert!(minute.clone().any(|end| said.contains(&end)), "{said}");
    });
}

fn seconds_of_minute(unix: u64) -> String {
    format!("{:02}:{:02}:{:02}", unix / 3600 % 24, unix / 60 % 60, unix % 60)
}

#[test]
fn sites_are_told_apart_by_name() {
    on_host(async |place| {
        let news = Site::new("news.lab", place.certificate("news.lab"));
        let mut cdn = Site::new("*.cdn.lab", place.certificate("*.cdn.lab"));
        cdn.http.http3 = false;
        let server = place.serve(vec![place.shop(), news, cdn]).await;
        let title = async |version: &str, host: &str| {
            let visitor = place.visitor();
            let mut client = visitor.over(version, server.secure(), host).await?;
            let answer = visitor.get(&mut client, &format!("https://{host}/")).await?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let title = text.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
            Ok::<String, Failure>(title.unwrap_or_default().to_owned())
        };
        for version in VERSIONS {
            assert_eq!(title(version, SHOP).await.unwrap(), SHOP);
            assert_eq!(title(version, "news.lab").await.unwrap(), "news.lab");
        }
        assert_eq!(title("h2", "a.cdn.lab").await.unwrap(), "*.cdn.lab");
        // Nobody's name gets the first site's certificate, as with most servers.
        assert_eq!(title("h2", "other.lab").await.unwrap_err().code, "tls.wrong_name");
        assert_eq!(title("h3", "a.cdn.lab").await.unwrap_err().code, "tls.wrong_name");
    });
}

#[test]
fn plain_http_redirects_and_the_caller_decides() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop(), Site::plain("old.lab")]).await;
        let visitor = place.visitor();
        let mut client = visitor.over_tcp(server.plain).await;
        let base = url("http://www.shop.lab/bytes/5?a=b");
        let answer = visitor.ask(&mut client, &Request::get(base.clone())).await.unwrap();
        assert_eq!(answer.status, 301);
        assert_eq!(visitor.text("exchange", "http.location"), "https://www.shop.lab/bytes/5?a=b");
        assert_eq!(answer.redirect(&base).unwrap().as_str(), "https://www.shop.lab/bytes/5?a=b");
        let answer = visitor.get(&mut client, "http://old.lab/bytes/5").await.unwrap();
        assert_eq!((answer.status, answer.bytes), (200, 5));
        assert_eq!(answer.redirect(&base), None);
    });
}

#[test]
fn a_url_with_port_and_address_makes_the_right_host() {
    let host = |text: &str| {
        Request::get(Url::parse(text).unwrap()).message(false).unwrap().headers()["host"].clone()
    };
    assert_eq!(host("https://a.lab/"), "a.lab");
    assert_eq!(host("https://a.lab:443/"), "a.lab");
    assert_eq!(host("http://a.lab:8080/"), "a.lab:8080");
    assert_eq!(host("https://[2001:db8::1]:8443/"), "[2001:db8::1]:8443");
    let head = Request::get(Url::parse("https://a.lab/x?y#z").unwrap()).message(true).unwrap();
    assert_eq!(head.uri(), "https://a.lab/x?y");
}
