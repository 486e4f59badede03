use super::*;
use crate::web::{PlainHttp, Site};

fn plain_site() -> Site {
    Site { plain: PlainHttp::Serve, ..Site::plain("www.shop.lab") }
}

fn get(path: &str) -> Reply {
    answer(&plain_site(), Via::Tls, &Method::GET, Some("www.shop.lab"), path, 0)
}

#[test]
fn the_front_page_is_html_of_about_48_kilobytes_with_the_name() {
    let Content::Text(text) = get("/").content else { panic!("a page is text") };
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!((47_000..=48_000).contains(&text.len()), "{}", text.len());
    assert!(text.contains("<title>www.shop.lab</title>"));
    assert!(text.ends_with("</html>\n"));
    assert_eq!(home("a.lab"), home("a.lab"));
    assert_ne!(home("a.lab"), home("b.lab"));
}

#[test]
fn a_name_cannot_smuggle_markup() {
    assert!(home("<script>").contains("&lt;script&gt;"));
}

#[test]
fn page30_names_thirty_objects_that_exist() {
    let Content::Text(text) = get("/page30").content else { panic!("a page is text") };
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert_eq!(text.matches("<img").count() as u64, OBJECTS);
    for object in 0..OBJECTS {
        assert!(text.contains(&format!("\"/object/{object}\"")));
        assert_eq!(get(&format!("/object/{object}")).content.length(), OBJECT_BYTES);
    }
    assert_eq!(get("/object/30").status, StatusCode::NOT_FOUND);
}

#[test]
fn paths() {
    fn check(path: &str, status: u16, length: u64) {
        let reply = get(path);
        assert_eq!((reply.status.as_u16(), reply.content.length()), (status, length), "{path}");
        assert_eq!(reply.headers[header::CONTENT_LENGTH], length.to_string());
        assert_eq!(reply.headers[header::SERVER], "thru-lab");
    }
    check("/bytes/0", 200, 0);
    check("/bytes/12345", 200, 12_345);
    check("/bytes/12345?x=1", 200, 12_345);
    check("/bytes/1000000000000", 200, BYTES_MAX);
    check("/bytes/1000000000001", 404, 14);
    check("/bytes/99999999999999999999999", 404, 14);
    check("/bytes/-1", 404, 14);
    check("/nowhere", 404, 14);
    check("/status/204", 204, 0);
    check("/status/503", 503, 24);
    check("/status/99", 404, 14);
    check("/status/600", 404, 14);
    check("/redirect", 302, 10);
}

#[test]
fn the_pattern_is_the_same_wherever_it_is_cut() {
    let whole = pattern(3, 0, 1000);
    for (from, length) in [(0, 1), (1, 7), (7, 9), (8, 8), (500, 500), (999, 1), (3, 0)] {
        assert_eq!(pattern(3, from as u64, length), whole[from..from + length]);
    }
    assert_ne!(pattern(4, 0, 1000), whole);
}

#[test]
fn plain_http_redirects_to_the_same_path_of_https() {
    let site = Site {
        certificate: Some(crate::web::tests::certificate("www.shop.lab")),
        ..Site::plain("www.shop.lab")
    };
    let site = Site { plain: PlainHttp::Redirect, ..site };
    let reply = answer(&site, Via::Plain, &Method::GET, Some("www.shop.lab"), "/bytes/5?x", 0);
    assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(reply.headers[header::LOCATION], "https://www.shop.lab/bytes/5?x");
}

#[test]
fn methods() {
    let with = |method, path| answer(&plain_site(), Via::Tls, &method, None, path, 77);
    let Content::Text(text) = with(Method::POST, "/upload").content else { panic!("a count is text") };
    assert_eq!(text, "77 bytes\n");
    let refused = with(Method::DELETE, "/");
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers[header::ALLOW], "GET, HEAD");
    assert_eq!(with(Method::GET, "/upload").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_date_in_the_format_of_http() {
    // The example of RFC 9110 5.6.7.
    assert_eq!(http_date(Duration::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(http_date(Duration::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
}
